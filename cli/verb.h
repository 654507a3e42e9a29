/*
 * A verb is data: its words for people, its table of options and one function. Adding a verb is one
 * file and one line in the table of its program; parsing, help and suggestions follow from the row.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "exit_status.h"
#include "look.h"
#include "option.h"
#include <stdbool.h>
#include <stddef.h>

/* Options every verb has. */
struct common {
    bool quiet;
    int color; /* enum color_when */
    bool ascii;
};

/* One call of a verb: what it was called with and where it draws. Lives in main's frame. */
struct call {
    const struct verb *verb;
    const struct program *program;
    const char *const *words; /* words[word_count]: the whole command line, as typed */
    size_t word_count;
    void *args;      /* the verb's own structure, filled from its option table */
    char **operands; /* operands[operand_count] */
    int operand_count;
    struct common common;
    struct look out, err; /* stdout, stderr */
};

struct verb {
    const char *name;
    const char *summary;     /* one line, no capital, no full stop                              */
    const char *operands;    /* "[TRACE] [REQUEST]"; NULL: takes none                           */
    const char *description; /* paragraphs for the help, wrapped there; "\n" starts a new line;
                                NULL: none */
    const char *examples;    /* lines "command\twhat it does\n"; NULL: none                     */
    const struct verb_option *options; /* ends with a zeroed row; NULL: only the common ones    */
    size_t args_size;
    const void *defaults; /* args_size bytes to start from; NULL: zeroes                      */
    int operands_least, operands_most; /* most < 0: any number                                   */
    bool stops_at_operand; /* options end at the first operand: what follows is another program's */
    int (*run)(struct call *call); /* returns an exit status                                     */
    const char *executes; /* the program that has this verb, "netphase-net"; then only name and
                             summary count */
};

/* One of the programs netphase, netphase-net, netphase-lab. */
struct program {
    const char *name;
    const struct verb *const *verbs;     /* ends with NULL */
    const char *(*sqlite_version)(void); /* told by --version; NULL: not told */
};

/* Finds the verb, reads the options, runs it; returns what main returns. */
int program_main(const struct program *program, int argc, char **argv);

/* The trace a call reads or writes: the operand `index` where there is one, else $NETPHASE_TRACE,
 * else netphase.db. */
const char *trace_operand(const struct call *call, int index);
/* The same for a `-o FILE`: NULL or empty means "not given". */
const char *trace_path_or(const char *given);

/* Help on stdout for one verb, or the overview of all. */
int help_verb(const struct call *call, const struct verb *verb);
void help_overview(const struct program *program, const struct look *look, struct text *out);

#endif
