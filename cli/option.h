/*
 * One table of options a verb: parsing, checking, help and suggestions all come from it.
 *
 *     static const struct verb_option options[] = {
 *         {.name = "by", .letter = 'b', .type = OPTION_TEXT, .argument = "COLUMN",
 *          .help = "group by this column", OPTION_FIELD(struct report_args, by)},
 *         {.section = "Limits"},
 *         {.name = "timeout", .type = OPTION_DURATION, .argument = "TIME", .low = 1,
 *          .high = INT64_MAX, .help = "…", OPTION_FIELD(struct record_args, timeout_ns)},
 *         {0},
 *     };
 *
 * Values point into argv where they can; lists are freed by options_free (options.h).
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include <netphase/trace.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_NONE = 0, /* with `section`: a heading in the help; without: the end of the table */
    OPTION_FLAG,     /* bool: set to true                                                    */
    OPTION_CHOICE,   /* int: set to `value`; several options may share one field             */
    OPTION_TEXT,     /* const char *: borrowed from argv                                     */
    OPTION_INT,      /* int64_t: a whole number in low … high                                */
    OPTION_REAL,     /* double: a decimal number, > 0 and at most `high` (0: no limit)       */
    OPTION_DURATION, /* int64_t: ns, in low … high                                           */
    OPTION_SIZE,     /* int64_t: bytes, with k, M, G as powers of 1,024; in low … high       */
    OPTION_PERCENT,  /* double: "5%" or "0.5%" as 0.05, 0.005; 0 … 1                         */
    OPTION_WORD,     /* int: index among `words`                                             */
    OPTION_LIST,     /* struct option_list: repeatable                                       */
    OPTION_PAIRS,    /* struct option_pairs: repeatable KEY=VALUE                            */
    OPTION_CUSTOM    /* `parse` fills the field                                              */
};

struct option_list {
    const char **items; /* items[count], borrowed from argv */
    size_t count;
};

struct option_pairs {
    np_label *items; /* items[count]; keys are those below, values borrowed from argv */
    char **keys;     /* keys[count], owned */
    size_t count;
};

/*
 * Reads `text` (NULL: the option's argument is optional and was left out) into `field`. On a
 * mistake returns false and says in message[size] what was found and what is expected: "found 'x',
 * expected …".
 */
typedef bool (*option_parse)(const char *text, void *field, char *message, size_t size);

struct verb_option {
    const char *name; /* without dashes */
    int letter;       /* 'b', 0: none */
    enum option_type type;
    const char *argument; /* "COLUMN"; NULL for flags and choices */
    const char *help;     /* one or two lines, no capital, no full stop */
    const char *fallback; /* what holds when it is not given, for the help; NULL: nothing to say */
    size_t offset;        /* of the field in the verb's args */
    int64_t low, high;    /* INT, DURATION, SIZE: both 0: 0 … INT64_MAX */
    int value;            /* CHOICE */
    const char *const *words; /* WORD: ends with NULL */
    bool argument_optional; /* WORD, TEXT, CUSTOM: `--name` alone counts too; WORD: the first word,
                               TEXT: "" */
    option_parse parse;     /* CUSTOM */
    const char *section;    /* a heading */
};

#define OPTION_FIELD(type, member) .offset = offsetof(type, member)

#endif
