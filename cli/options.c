/* One table of options a verb, over getopt_long. */
#include "options.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "verb.h"
#include <errno.h>
#include <getopt.h>
#include <netphase/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const color_words[] = {"auto", "always", "never", NULL};

/* clang-format off */
static const struct verb_option common_options[] = {
    {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, .help = "no notes on standard error", OPTION_FIELD(struct common, quiet)},
    {.name = "color", .type = OPTION_WORD, .argument = "WHEN", .words = color_words, .fallback = "auto",
     .help = "auto, always or never; auto: on a terminal, unless NO_COLOR is set", OPTION_FIELD(struct common, color)},
    {.name = "ascii", .type = OPTION_FLAG, .help = "no characters beyond ASCII", .fallback = "by the locale", OPTION_FIELD(struct common, ascii)},
    {.name = "help", .letter = 'h', .type = OPTION_FLAG, .help = "show this help"},
    {0},
};
/* clang-format on */

const struct verb_option *options_common(void)
{
    return common_options;
}

static bool is_end(const struct verb_option *row)
{
    return !row || (row->type == OPTION_NONE && !row->section);
}

static size_t table_length(const struct verb_option *table)
{
    size_t count = 0;
    while (!is_end(table ? &table[count] : NULL))
        count++;
    return count;
}

/* The verb's rows and the common ones in one array of pointers; the array is owned, NULL at its
 * end. */
static const struct verb_option **all_rows(const struct verb *verb, size_t *own_count)
{
    size_t own = table_length(verb->options);
    size_t common = table_length(common_options);
    const struct verb_option **rows = xcalloc(own + common + 1, sizeof *rows);
    for (size_t i = 0; i < own; i++)
        rows[i] = &verb->options[i];
    for (size_t i = 0; i < common; i++)
        rows[own + i] = &common_options[i];
    *own_count = own;
    return rows;
}

/* -------------------------------------------------------------------------------------------------
 * values */

static bool parse_whole(const char *text, int64_t *out, const char **end)
{
    char *behind;
    errno = 0;
    long long value = strtoll(text, &behind, 10);
    *end = behind;
    *out = value;
    return behind != text && *text != ' ' && errno == 0;
}

static bool in_range(const struct verb_option *row, int64_t value)
{
    if (row->low == 0 && row->high == 0)
        return value >= 0;
    return value >= row->low && value <= row->high;
}

static void tell_range(const struct verb_option *row, const char *text, const char *what,
                       char *message, size_t size)
{
    if (row->low == 0 && row->high == 0)
        (void)snprintf(message, size, "found '%s', expected %s, 0 or more", text, what);
    else if (row->high == INT64_MAX)
        (void)snprintf(message, size, "found '%s', expected %s, %lld or more", text, what,
                       (long long)row->low);
    else
        (void)snprintf(message, size, "found '%s', expected %s from %lld to %lld", text, what,
                       (long long)row->low, (long long)row->high);
}

static bool take_int(const struct verb_option *row, const char *text, int64_t *field, char *message,
                     size_t size)
{
    const char *end;
    int64_t value;
    if (!parse_whole(text, &value, &end) || *end || !in_range(row, value)) {
        tell_range(row, text, "a whole number", message, size);
        return false;
    }
    *field = value;
    return true;
}

static bool take_size(const struct verb_option *row, const char *text, int64_t *field,
                      char *message, size_t size)
{
    static const char letters[] = "kKmMgG";
    const char *end;
    int64_t value;
    bool good = parse_whole(text, &value, &end);
    if (good && *end) {
        const char *letter = strchr(letters, *end);
        int shift = letter ? 10 * (1 + (int)(letter - letters) / 2) : 0;
        good = letter && end[1] == '\0' && value >= 0 && value <= INT64_MAX >> shift;
        value = good ? value << shift : 0;
    }
    if (!good || !in_range(row, value)) {
        tell_range(row, text, "a number of bytes (k, M and G may follow it)", message, size);
        return false;
    }
    *field = value;
    return true;
}

static bool take_duration(const struct verb_option *row, const char *text, int64_t *field,
                          char *message, size_t size)
{
    int64_t value;
    np_error err = {0};
    if (np_duration_parse(text, &value, &err)) {
        (void)snprintf(message, size,
                       "found '%s', expected a time with its unit, such as 250us, 80ms, 2s or 1m",
                       text);
        return false;
    }
    if (!in_range(row, value)) {
        char low[32];
        char high[32];
        np_duration_text(row->low, low, sizeof low);
        np_duration_text(row->high, high, sizeof high);
        if (row->high == INT64_MAX)
            (void)snprintf(message, size, "found '%s', expected a time of %s or more", text,
                           row->low < 1000 ? "more than 0" : low);
        else
            (void)snprintf(message, size, "found '%s', expected a time from %s to %s", text, low,
                           high);
        return false;
    }
    *field = value;
    return true;
}

/* A decimal number without exponent, sign or words ("inf"); returns where it ends, NULL: it is
 * none. */
static const char *parse_decimal(const char *text, double *out)
{
    size_t whole = strspn(text, "0123456789");
    size_t point = text[whole] == '.' ? 1 : 0;
    size_t part = point ? strspn(text + whole + 1, "0123456789") : 0;
    if (whole + part == 0 || whole > 18)
        return NULL;
    *out = strtod(text, NULL); /* LC_NUMERIC stays "C" */
    return text + whole + point + part;
}

static bool take_real(const struct verb_option *row, const char *text, double *field, char *message,
                      size_t size)
{
    double value = 0;
    const char *end = parse_decimal(text, &value);
    if (!end || *end || value <= 0 || (row->high > 0 && value > (double)row->high)) {
        if (row->high > 0)
            (void)snprintf(message, size, "found '%s', expected a number above 0, at most %lld",
                           text, (long long)row->high);
        else
            (void)snprintf(message, size, "found '%s', expected a number above 0", text);
        return false;
    }
    *field = value;
    return true;
}

static bool take_percent(const char *text, double *field, char *message, size_t size)
{
    double value = 0;
    const char *end = parse_decimal(text, &value);
    if (!end || strcmp(end, "%") != 0 || value > 100) {
        (void)snprintf(message, size,
                       "found '%s', expected a percentage from 0%% to 100%%, such as 0.5%%", text);
        return false;
    }
    *field = value / 100;
    return true;
}

static size_t word_count(const char *const *words)
{
    size_t count = 0;
    while (words[count])
        count++;
    return count;
}

static bool take_word(const struct verb_option *row, const char *text, int *field, char *message,
                      size_t size)
{
    size_t count = word_count(row->words);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, row->words[i]) == 0) {
            *field = (int)i;
            return true;
        }
    }
    struct text list = {0};
    for (size_t i = 0; i < count; i++)
        text_print(&list, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", row->words[i]);
    const char *near = nearest_word(text, row->words, count);
    if (near)
        (void)snprintf(message, size, "found '%s', expected %s; did you mean '%s'?", text,
                       text_string(&list), near);
    else
        (void)snprintf(message, size, "found '%s', expected %s", text, text_string(&list));
    text_done(&list);
    return false;
}

static void take_list(const char *text, struct option_list *list)
{
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = text;
}

static bool take_pair(const char *text, struct option_pairs *pairs, char *message, size_t size)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        (void)snprintf(message, size, "found '%s', expected KEY=VALUE", text);
        return false;
    }
    pairs->items = xrealloc(pairs->items, pairs->count + 1, sizeof *pairs->items);
    pairs->keys = xrealloc(pairs->keys, pairs->count + 1, sizeof *pairs->keys);
    pairs->keys[pairs->count] = xstrndup(text, (size_t)(equals - text));
    pairs->items[pairs->count] = (np_label){.key = pairs->keys[pairs->count], .value = equals + 1};
    pairs->count++;
    return true;
}

static bool take_value(const struct verb_option *row, const char *text, void *field, char *message,
                       size_t size)
{
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case OPTION_CHOICE:
        *(int *)field = row->value;
        return true;
    case OPTION_TEXT:
        *(const char **)field = text ? text : "";
        return true;
    case OPTION_INT:
        return take_int(row, text, field, message, size);
    case OPTION_REAL:
        return take_real(row, text, field, message, size);
    case OPTION_DURATION:
        return take_duration(row, text, field, message, size);
    case OPTION_SIZE:
        return take_size(row, text, field, message, size);
    case OPTION_PERCENT:
        return take_percent(text, field, message, size);
    case OPTION_WORD:
        return take_word(row, text ? text : row->words[0], field, message, size);
    case OPTION_LIST:
        take_list(text, field);
        return true;
    case OPTION_PAIRS:
        return take_pair(text, field, message, size);
    case OPTION_CUSTOM:
        return row->parse(text, field, message, size);
    case OPTION_NONE:
        break;
    }
    return true;
}

/* -----------------------------------------------------------------------------------------------
 * mistakes */

static void unknown_long(struct call *call, const struct verb_option *const *rows, const char *word)
{
    const char *names[256];
    size_t count = 0;
    struct text candidates = {0};
    size_t matches = 0;
    size_t length = strcspn(word + 2, "=");
    for (size_t i = 0; rows[i] && count < 256; i++) {
        if (!rows[i]->name)
            continue;
        names[count++] = rows[i]->name;
        if (length > 0 && strncmp(rows[i]->name, word + 2, length) == 0)
            text_print(&candidates, "%s--%s", matches++ ? ", " : "", rows[i]->name);
    }
    char *name = xstrndup(word + 2, length);
    const char *near = nearest_word(name, names, count);
    if (matches > 1)
        message_usage(call, "option '--%s' is ambiguous: %s", name, text_string(&candidates));
    else if (near)
        message_usage(call, "unknown option '--%s'; did you mean '--%s'?", name, near);
    else
        message_usage(call, "unknown option '--%s'", name);
    free(name);
    text_done(&candidates);
}

static void name_of(const struct verb_option *row, char *out, size_t size)
{
    (void)snprintf(out, size, "--%s", row->name);
}

static void tell_mistake(struct call *call, const struct verb_option *const *rows, size_t row_count,
                         int found, char **argv)
{
    size_t index = optopt >= 256 ? (size_t)optopt - 256 : row_count;
    if (index < row_count) {
        if (found == ':')
            message_usage(call, "option --%s needs a value: %s", rows[index]->name,
                          rows[index]->argument);
        else
            message_usage(call, "option --%s takes no value", rows[index]->name);
        return;
    }
    if (found == ':') { /* a short one */
        for (size_t i = 0; i < row_count; i++) {
            if (rows[i]->letter == optopt) {
                message_usage(call, "option -%c needs a value: %s", optopt, rows[i]->argument);
                return;
            }
        }
    }
    if (optopt)
        message_usage(call, "unknown option '-%c'", optopt);
    else
        unknown_long(call, rows, argv[optind - 1]);
}

/* -------------------------------------------------------------------------------------------------
 * parsing */

static bool takes_argument(const struct verb_option *row)
{
    return row->type != OPTION_FLAG && row->type != OPTION_CHOICE && row->type != OPTION_NONE;
}

/* getopt's own tables. Both are owned. */
static struct option *long_table(const struct verb_option *const *rows, size_t count)
{
    struct option *table = xcalloc(count + 1, sizeof *table);
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i]->name)
            continue;
        int argument = !takes_argument(rows[i])     ? no_argument
                       : rows[i]->argument_optional ? optional_argument
                                                    : required_argument;
        table[filled++] =
            (struct option){.name = rows[i]->name, .has_arg = argument, .val = 256 + (int)i};
    }
    return table;
}

static void short_table(const struct call *call, const struct verb_option *const *rows,
                        size_t count, struct text *out)
{
    text_puts(out, call->verb->stops_at_operand ? "+:" : ":");
    for (size_t i = 0; i < count; i++) {
        if (!rows[i]->letter)
            continue;
        text_char(out, (char)rows[i]->letter);
        if (takes_argument(rows[i]))
            text_puts(out, rows[i]->argument_optional ? "::" : ":");
    }
}

static size_t row_of(const struct verb_option *const *rows, size_t count, int found)
{
    if (found >= 256)
        return (size_t)found - 256;
    size_t i = 0;
    while (i < count && rows[i]->letter != found)
        i++;
    return i;
}

static enum options_result take_option(struct call *call, const struct verb_option *row,
                                       bool is_common)
{
    if (is_common && strcmp(row->name, "help") == 0)
        return OPTIONS_HELP;
    char message[400];
    void *base = is_common ? (void *)&call->common : call->args;
    if (take_value(row, optarg, (char *)base + row->offset, message, sizeof message))
        return OPTIONS_OK;
    char name[64];
    name_of(row, name, sizeof name);
    message_usage(call, "%s: %s", name, message);
    return OPTIONS_WRONG;
}

static enum options_result check_operands(struct call *call)
{
    const struct verb *verb = call->verb;
    if (call->operand_count < verb->operands_least) {
        message_usage(call, "nothing to work on, expected %s", verb->operands);
        return OPTIONS_WRONG;
    }
    if (verb->operands_most >= 0 && call->operand_count > verb->operands_most) {
        const char *extra = call->operands[verb->operands_most];
        message_usage(call, "one argument too many: '%s'%s%s", extra,
                      verb->operands ? ", expected " : "", verb->operands ? verb->operands : "");
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

enum options_result options_parse(struct call *call, int argc, char **argv)
{
    size_t own;
    const struct verb_option **rows = all_rows(call->verb, &own);
    size_t count = own + table_length(common_options);
    struct option *long_options = long_table(rows, count);
    struct text short_options = {0};
    short_table(call, rows, count, &short_options);

    enum options_result result = OPTIONS_OK;
    optind = 0; /* GNU: begin anew */
    opterr = 0;
    while (result == OPTIONS_OK) {
        int found = getopt_long(argc, argv, text_string(&short_options), long_options, NULL);
        if (found == -1)
            break;
        if (found == '?' || found == ':') {
            tell_mistake(call, rows, count, found, argv);
            result = OPTIONS_WRONG;
            break;
        }
        size_t index = row_of(rows, count, found);
        result = take_option(call, rows[index], index >= own);
    }
    call->operands = argv + optind;
    call->operand_count = argc - optind;
    if (result == OPTIONS_OK)
        result = check_operands(call);

    text_done(&short_options);
    free(long_options);
    free(rows);
    return result;
}

static void free_pairs(struct option_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++)
        free(pairs->keys[i]);
    free(pairs->keys);
    free(pairs->items);
}

void options_free(struct call *call)
{
    const struct verb_option *table = call->verb->options;
    for (size_t i = 0; !is_end(table ? &table[i] : NULL); i++) {
        void *field = (char *)call->args + table[i].offset;
        if (table[i].type == OPTION_LIST)
            free(((struct option_list *)field)->items);
        else if (table[i].type == OPTION_PAIRS)
            free_pairs(field);
    }
}
