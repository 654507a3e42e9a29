/*
 * --where text to a checked tree, and back; see where.h for the way on. Floor 2; pure, any thread.
 *
 *   or:        and { "or" and }
 *   and:       not { "and" not }
 *   not:       "not" not | "(" or ")" | condition
 *   condition: column [ operator value | ["not"] like 'text' | ["not"] in (value, …) | ["not"]
 * between value and value | is ["not"] null ]                      a boolean column may stand alone
 *
 * Every mistake knows its place in the text, so that a caller can put a caret under it.
 */
#include "where_lex.h"

#include "fail.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------------------------------- parser */

static np_where_node *node_create(np_where_parser *p, np_where_type type)
{
    np_where_node *node = np_arena_alloc(p->filter->arena, sizeof *node);
    if (node)
        node->type = type;
    else
        (void)np_where_fail_memory(p);
    return node;
}

static np_where_node *join(np_where_parser *p, np_where_type type, const np_where_node *left,
                           const np_where_node *right)
{
    np_where_node *node = node_create(p, type);
    if (!node)
        return NULL;
    node->left = left;
    node->right = right;
    return node;
}

static bool fail_column(np_where_parser *p)
{
    const char *names[NP_VIEW_COLUMNS];
    for (size_t i = 0; i < NP_VIEW_COLUMNS; i++)
        names[i] = np_view_columns[i].name;
    char word[64];
    const size_t n = p->token.length < sizeof word ? p->token.length : sizeof word - 1;
    memcpy(word, p->text + p->token.offset, n);
    word[n] = '\0';
    np_where_mistake_at(p, &p->token, np_nearest_word(word, names, NP_VIEW_COLUMNS));
    p->status =
        np_fail(p->err, NP_E_ARGUMENT, "unknown column '%.*s'", NP_WHERE_SHOW(p, &p->token));
    return false;
}

static bool parse_label(np_where_parser *p, np_where_node *node)
{
    const size_t prefix = strlen(NP_LABEL_PREFIX);
    const size_t length = p->token.length - prefix;
    if (length == 0 || length > NP_LABEL_KEY_MAX) {
        np_where_mistake_at(p, &p->token, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "a label is label.KEY with a KEY of 1 to %d characters",
                    NP_LABEL_KEY_MAX);
        return false;
    }
    node->column = &np_view_label;
    node->label = np_arena_copy(p->filter->arena, p->text + p->token.offset + prefix, length);
    return node->label || np_where_fail_memory(p);
}

static bool parse_column(np_where_parser *p, np_where_node *node)
{
    if (p->token.type != NP_TOKEN_WORD || np_where_is_keyword(p))
        return np_where_fail_expected(p, &p->token, "a column");
    const char *name = p->text + p->token.offset;
    if (!strncasecmp(name, NP_LABEL_PREFIX, strlen(NP_LABEL_PREFIX))) {
        if (!parse_label(p, node))
            return false;
    } else {
        node->column = np_view_column_find(name, p->token.length);
        if (!node->column)
            return fail_column(p);
    }
    if (p->filter->condition_count == NP_FILTER_CONDITIONS_MAX) {
        np_where_mistake_at(p, &p->token, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "more than %d conditions", NP_FILTER_CONDITIONS_MAX);
        return false;
    }
    node->condition = p->filter->condition_count++;
    return np_where_next(p);
}

static const char *const kind_wants[] = {
    [NP_VIEW_TEXT] = "a 'text'",
    [NP_VIEW_NUMBER] = "a whole number",
    [NP_VIEW_DURATION] = "a duration such as 50ms",
    [NP_VIEW_BOOLEAN] = "true or false",
};

static bool fail_value(np_where_parser *p, const np_where_node *node)
{
    const np_where_token *t = &p->token;
    const char *name = node->label ? NP_LABEL_PREFIX "KEY" : node->column->name;
    if (t->type == NP_TOKEN_END || t->type == NP_TOKEN_OPERATOR || t->type == NP_TOKEN_OPEN ||
        t->type == NP_TOKEN_CLOSE || t->type == NP_TOKEN_COMMA)
        return np_where_fail_expected(p, t, kind_wants[node->column->kind]);
    char quoted[64] = "";
    if (t->type == NP_TOKEN_WORD && node->column->kind == NP_VIEW_TEXT &&
        t->length + 3 <= sizeof quoted) {
        quoted[0] = '\'';
        memcpy(quoted + 1, p->text + t->offset, t->length);
        memcpy(quoted + 1 + t->length, "'", 2);
    }
    np_where_mistake_at(p, t, quoted);
    p->status = np_fail(p->err, NP_E_ARGUMENT, "'%s' compares with %s, not with %.*s", name,
                        kind_wants[node->column->kind], NP_WHERE_SHOW(p, t));
    return false;
}

/* 'it''s' → it's */
static bool unquote(np_where_parser *p, np_where_value *value)
{
    const char *from = p->text + p->token.offset + 1;
    const char *end = from + p->token.length - 2;
    char *out = np_arena_alloc(p->filter->arena, p->token.length);
    if (!out)
        return np_where_fail_memory(p);
    value->text = out;
    for (; from < end; from++) {
        *out++ = *from;
        from += *from == '\''; /* the lexer saw to it that they come in pairs */
    }
    value->length = (size_t)(out - value->text);
    return true;
}

static bool parse_value(np_where_parser *p, const np_where_node *node, np_where_value *value)
{
    const np_where_token_type type = p->token.type;
    bool fits = false;
    switch (node->column->kind) {
    case NP_VIEW_TEXT:
        fits = type == NP_TOKEN_TEXT;
        break;
    case NP_VIEW_NUMBER:
        fits = type == NP_TOKEN_NUMBER;
        break;
    case NP_VIEW_DURATION:
        fits = type == NP_TOKEN_NUMBER || type == NP_TOKEN_DURATION;
        break;
    case NP_VIEW_BOOLEAN:
        fits = np_where_is_word(p, "true") || np_where_is_word(p, "false") ||
               (type == NP_TOKEN_NUMBER && (p->token.number == 0 || p->token.number == 1));
        break;
    }
    if (!fits)
        return fail_value(p, node);
    if (++p->value_count > NP_FILTER_VALUES_MAX) {
        np_where_mistake_at(p, &p->token, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "more than %d values", NP_FILTER_VALUES_MAX);
        return false;
    }
    *value = (np_where_value){.number = type == NP_TOKEN_WORD ? np_where_is_word(p, "true")
                                                              : p->token.number};
    if (type == NP_TOKEN_TEXT && !unquote(p, value))
        return false;
    return np_where_next(p);
}

static bool parse_values(np_where_parser *p, np_where_node *node, size_t count)
{
    np_where_value *values = np_arena_alloc(p->filter->arena, count * sizeof *values);
    if (!values)
        return np_where_fail_memory(p);
    node->values = values;
    node->value_count = count;
    for (size_t i = 0; i < count; i++) {
        if (i && !np_where_is_word(p, "and"))
            return np_where_fail_expected(p, &p->token, "and");
        if (i && !np_where_next(p))
            return false;
        if (!parse_value(p, node, &values[i]))
            return false;
    }
    return true;
}

static bool parse_list(np_where_parser *p, np_where_node *node)
{
    if (p->token.type != NP_TOKEN_OPEN)
        return np_where_fail_expected(p, &p->token, "(");
    np_where_value *values = NULL;
    size_t capacity = 0;
    do {
        if (node->value_count == capacity) {
            const size_t wider = capacity ? capacity * 2 : 8;
            np_where_value *more = np_arena_alloc(p->filter->arena, wider * sizeof *more);
            if (!more)
                return np_where_fail_memory(p);
            if (values)
                memcpy(more, values, capacity * sizeof *more);
            node->values = values = more;
            capacity = wider;
        }
        if (!np_where_next(p) || !parse_value(p, node, &values[node->value_count]))
            return false;
        node->value_count++;
    } while (p->token.type == NP_TOKEN_COMMA);
    if (p->token.type != NP_TOKEN_CLOSE)
        return np_where_fail_expected(p, &p->token, ") or ,");
    return np_where_next(p);
}

static bool parse_is(np_where_parser *p, np_where_node *node, bool *negated)
{
    *negated = np_where_is_word(p, "not");
    if (*negated && !np_where_next(p))
        return false;
    if (!np_where_is_word(p, "null"))
        return np_where_fail_expected(p, &p->token, *negated ? "null" : "null or not null");
    node->type = NP_WHERE_IS_NULL;
    return np_where_next(p);
}

static bool parse_like(np_where_parser *p, np_where_node *node)
{
    if (node->column->kind != NP_VIEW_TEXT) {
        np_where_mistake_at(p, &p->token, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "like is for texts, and '%s' is none",
                            node->column->name);
        return false;
    }
    node->type = NP_WHERE_LIKE;
    if (!np_where_next(p))
        return false;
    const np_where_token pattern = p->token;
    if (!parse_values(p, node, 1))
        return false;
    if (node->values[0].length <= NP_FILTER_PATTERN_MAX)
        return true;
    np_where_mistake_at(p, &pattern, "");
    p->status = np_fail(p->err, NP_E_ARGUMENT, "a pattern may have %d bytes at most",
                        NP_FILTER_PATTERN_MAX);
    return false;
}

/* A boolean column alone: `failed` is `failed = true`. */
static bool parse_bare(np_where_parser *p, np_where_node *node)
{
    if (node->column->kind != NP_VIEW_BOOLEAN)
        return np_where_fail_expected(p, &p->token,
                                      "an operator (= <> < <= > >= like in between is)");
    np_where_value *value = np_arena_alloc(p->filter->arena, sizeof *value);
    if (!value)
        return np_where_fail_memory(p);
    value->number = 1;
    node->type = NP_WHERE_COMPARE;
    node->values = value;
    node->value_count = 1;
    return true;
}

static bool parse_test(np_where_parser *p, np_where_node *node, bool *negated)
{
    if (p->token.type == NP_TOKEN_OPERATOR) {
        node->type = NP_WHERE_COMPARE;
        node->operator=(np_where_operator) p->token.number;
        return np_where_next(p) && parse_values(p, node, 1);
    }
    if (np_where_is_word(p, "is"))
        return np_where_next(p) && parse_is(p, node, negated);
    *negated = np_where_is_word(p, "not");
    if (*negated && !np_where_next(p))
        return false;
    if (np_where_is_word(p, "like"))
        return parse_like(p, node);
    if (np_where_is_word(p, "in")) {
        node->type = NP_WHERE_IN;
        return np_where_next(p) && parse_list(p, node);
    }
    if (np_where_is_word(p, "between")) {
        node->type = NP_WHERE_BETWEEN;
        return np_where_next(p) && parse_values(p, node, 2);
    }
    return *negated ? np_where_fail_expected(p, &p->token, "like, in or between")
                    : parse_bare(p, node);
}

static const np_where_node *parse_condition(np_where_parser *p)
{
    np_where_node *node = node_create(p, NP_WHERE_COMPARE);
    bool negated = false;
    if (!node || !parse_column(p, node) || !parse_test(p, node, &negated))
        return NULL;
    return negated ? join(p, NP_WHERE_NOT, node, NULL) : node;
}

static const np_where_node *parse_or(np_where_parser *p);
static const np_where_node *parse_not(np_where_parser *p);

static const np_where_node *parse_nested(np_where_parser *p)
{
    if (p->token.type == NP_TOKEN_OPEN) {
        const np_where_node *node = np_where_next(p) ? parse_or(p) : NULL;
        if (!node)
            return NULL;
        if (p->token.type != NP_TOKEN_CLOSE) {
            (void)np_where_fail_expected(p, &p->token, "and, or or )");
            return NULL;
        }
        return np_where_next(p) ? node : NULL;
    }
    if (np_where_is_word(p, "not")) {
        const np_where_node *node = np_where_next(p) ? parse_not(p) : NULL;
        return node ? join(p, NP_WHERE_NOT, node, NULL) : NULL;
    }
    return parse_condition(p);
}

static const np_where_node *parse_not(np_where_parser *p)
{
    /* Every level of parentheses and every `not` comes through here. */
    if (p->depth == NP_FILTER_DEPTH_MAX) {
        np_where_mistake_at(p, &p->token, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "not and ( more than %d deep", NP_FILTER_DEPTH_MAX);
        return NULL;
    }
    p->depth++;
    const np_where_node *node = parse_nested(p);
    p->depth--;
    return node;
}

static const np_where_node *parse_and(np_where_parser *p)
{
    const np_where_node *node = parse_not(p);
    while (node && np_where_is_word(p, "and")) {
        const np_where_node *right = np_where_next(p) ? parse_not(p) : NULL;
        node = right ? join(p, NP_WHERE_AND, node, right) : NULL;
    }
    return node;
}

static const np_where_node *parse_or(np_where_parser *p)
{
    const np_where_node *node = parse_and(p);
    while (node && np_where_is_word(p, "or")) {
        const np_where_node *right = np_where_next(p) ? parse_and(p) : NULL;
        node = right ? join(p, NP_WHERE_OR, node, right) : NULL;
    }
    return node;
}

static void parse(np_where_parser *p)
{
    if (!np_where_next(p))
        return;
    p->filter->root = parse_or(p);
    if (p->filter->root && p->token.type != NP_TOKEN_END)
        (void)np_where_fail_expected(p, &p->token, "and, or or the end");
}

np_status np_filter_parse(const char *text, np_filter **out, np_filter_mistake *mistake,
                          np_error *err)
{
    *out = NULL;
    if (!text)
        return np_fail(err, NP_E_ARGUMENT_NULL, "a filter needs a text");
    np_where_parser p = {.text = text, .length = strlen(text), .mistake = mistake, .err = err};
    if (p.length > NP_FILTER_TEXT_MAX) {
        np_where_mistake_at(&p, &(np_where_token){.offset = NP_FILTER_TEXT_MAX}, "");
        return np_fail(err, NP_E_ARGUMENT, "a filter may have %d bytes at most",
                       NP_FILTER_TEXT_MAX);
    }
    p.filter = calloc(1, sizeof *p.filter);
    if (p.filter)
        p.filter->arena = np_arena_create();
    if (p.filter && p.filter->arena)
        parse(&p);
    else
        (void)np_where_fail_memory(&p);
    if (p.status) {
        np_filter_free(p.filter);
        return p.status;
    }
    *out = p.filter;
    return NP_OK;
}

void np_filter_free(np_filter *filter)
{
    if (!filter)
        return;
    np_arena_free(filter->arena);
    free(filter);
}
