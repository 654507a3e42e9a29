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
#include "where_tree.h"

#include "fail.h"

#include <netphase/text.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -------------------------------------------------------------------------------------------------------------- lexer */

typedef enum token_type {
    TOKEN_END,
    TOKEN_WORD,   /* keyword or column; label.KEY is one word */
    TOKEN_TEXT,   /* 'text' with its quotes */
    TOKEN_NUMBER, /* -12 */
    TOKEN_DURATION,
    TOKEN_OPERATOR,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA
} token_type;

struct token {
    token_type type;
    size_t offset, length;
    int64_t number; /* NUMBER, DURATION; for an operator np_where_operator */
};

struct parser {
    const char *text;
    size_t length;
    struct token token; /* the one that was looked at */
    int depth;
    size_t value_count;
    np_filter *filter;
    np_filter_mistake *mistake;
    np_error *err;
    np_status status; /* the first failure; everything returns at once when it is set */
};

/* Words that are no columns. */
static const char *const keywords[] = {"and",  "between", "false", "in", "is",
                                       "like", "not",     "null",  "or", "true"};

static void mistake_at(struct parser *p, const struct token *token, const char *suggestion)
{
    if (!p->mistake)
        return;
    *p->mistake = (np_filter_mistake){.offset = token->offset, .length = token->length};
    if (suggestion && strlen(suggestion) < sizeof p->mistake->suggestion)
        memcpy(p->mistake->suggestion, suggestion, strlen(suggestion) + 1);
}

/* The text of a token for a message, cut to what is worth reading. */
#define SHOW(p, t) (int)((t)->length > 40 ? 40 : (t)->length), (p)->text + (t)->offset

static bool fail_expected(struct parser *p, const struct token *token, const char *expected)
{
    mistake_at(p, token, "");
    if (token->type == TOKEN_END)
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "the expression ends where %s was expected", expected);
    else
        p->status = np_fail(p->err, NP_E_ARGUMENT, "found '%.*s' where %s was expected",
                            SHOW(p, token), expected);
    return false;
}

static bool fail_memory(struct parser *p)
{
    p->status = np_fail(p->err, NP_E_NO_MEMORY, "no memory for a filter");
    return false;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static bool is_label_char(char c)
{
    return is_word_char(c) || c == '-';
}

static size_t word_length(const char *at)
{
    size_t n = 0;
    if (!strncasecmp(at, NP_LABEL_PREFIX, strlen(NP_LABEL_PREFIX)))
        while (is_label_char(at[n]))
            n++;
    else
        while (is_word_char(at[n]))
            n++;
    return n;
}

static bool lex_text(struct parser *p, struct token *t)
{
    const char *at = p->text + t->offset;
    size_t n = 1;
    while (at[n] && (at[n] != '\'' || at[n + 1] == '\''))
        n += at[n] == '\'' ? 2 : 1;
    if (!at[n]) {
        t->length = n;
        mistake_at(p, t, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "a text has no closing ' behind it");
        return false;
    }
    t->type = TOKEN_TEXT;
    t->length = n + 1;
    return true;
}

static bool lex_duration(struct parser *p, struct token *t)
{
    char copy[48];
    np_error error = {0};
    np_status status = NP_E_ARGUMENT;
    if (t->length < sizeof copy) {
        memcpy(copy, p->text + t->offset, t->length);
        copy[t->length] = '\0';
        status = np_duration_parse(copy, &t->number, &error);
    }
    if (!status) {
        t->type = TOKEN_DURATION;
        return true;
    }
    mistake_at(p, t, "");
    if (status == NP_E_ARGUMENT_RANGE)
        p->status = np_fail(p->err, NP_E_ARGUMENT, "the duration '%.*s' is too long", SHOW(p, t));
    else
        p->status =
            np_fail(p->err, NP_E_ARGUMENT,
                    "'%.*s' is neither a whole number nor a duration such as 250us, 80ms, 2s or 1m",
                    SHOW(p, t));
    return false;
}

static bool lex_number(struct parser *p, struct token *t)
{
    const char *at = p->text + t->offset;
    size_t n = *at == '-' || *at == '+';
    while (is_word_char(at[n]))
        n++;
    t->length = n;
    char *end;
    errno = 0;
    t->number = strtoll(at, &end, 10);
    if (end != at + n)
        return lex_duration(p, t);
    if (errno == ERANGE) {
        mistake_at(p, t, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "the number '%.*s' is too large", SHOW(p, t));
        return false;
    }
    t->type = TOKEN_NUMBER;
    return true;
}

static const struct {
    const char *text;
    np_where_operator operator;
} operators[] = {
    {"==", NP_WHERE_EQUAL        },
    {"=",  NP_WHERE_EQUAL        },
    {"!=", NP_WHERE_UNEQUAL      },
    {"<>", NP_WHERE_UNEQUAL      },
    {"<=", NP_WHERE_LESS_EQUAL   },
    {"<",  NP_WHERE_LESS         },
    {">=", NP_WHERE_GREATER_EQUAL},
    {">",  NP_WHERE_GREATER      },
};

static bool lex_sign(struct parser *p, struct token *t)
{
    const char *at = p->text + t->offset;
    t->length = 1;
    t->type = *at == '(' ? TOKEN_OPEN : *at == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
    if (strchr("(),", *at))
        return true;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strncmp(at, operators[i].text, strlen(operators[i].text)) != 0)
            continue;
        t->type = TOKEN_OPERATOR;
        t->length = strlen(operators[i].text);
        t->number = operators[i].operator;
        return true;
    }
    while ((at[t->length] & 0xc0) == 0x80) /* the whole of a character of several bytes */
        t->length++;
    mistake_at(p, t, "");
    p->status = *at == '"' ? np_fail(p->err, NP_E_ARGUMENT, "texts stand in single quotes: 'text'")
                           : np_fail(p->err, NP_E_ARGUMENT,
                                     "found '%.*s', which means nothing here", SHOW(p, t));
    return false;
}

/* Steps to the next token. */
static bool next(struct parser *p)
{
    size_t at = p->token.offset + p->token.length;
    while (isspace((unsigned char)p->text[at]))
        at++;
    p->token = (struct token){.type = TOKEN_END, .offset = at};
    const char c = p->text[at];
    if (!c)
        return true;
    if (c == '\'')
        return lex_text(p, &p->token);
    if (isdigit((unsigned char)c) ||
        ((c == '-' || c == '+') && isdigit((unsigned char)p->text[at + 1])))
        return lex_number(p, &p->token);
    if (isalpha((unsigned char)c) || c == '_') {
        p->token.type = TOKEN_WORD;
        p->token.length = word_length(p->text + at);
        return true;
    }
    return lex_sign(p, &p->token);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->token.type == TOKEN_WORD && p->token.length == strlen(word) &&
           !strncasecmp(p->text + p->token.offset, word, p->token.length);
}

static bool is_keyword(const struct parser *p)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (is_word(p, keywords[i]))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------------------- parser */

static np_where_node *node_create(struct parser *p, np_where_type type)
{
    np_where_node *node = np_arena_alloc(p->filter->arena, sizeof *node);
    if (node)
        node->type = type;
    else
        (void)fail_memory(p);
    return node;
}

static np_where_node *join(struct parser *p, np_where_type type, const np_where_node *left,
                           const np_where_node *right)
{
    np_where_node *node = node_create(p, type);
    if (!node)
        return NULL;
    node->left = left;
    node->right = right;
    return node;
}

static bool fail_column(struct parser *p)
{
    const char *names[NP_VIEW_COLUMNS];
    for (size_t i = 0; i < NP_VIEW_COLUMNS; i++)
        names[i] = np_view_columns[i].name;
    char word[64];
    const size_t n = p->token.length < sizeof word ? p->token.length : sizeof word - 1;
    memcpy(word, p->text + p->token.offset, n);
    word[n] = '\0';
    mistake_at(p, &p->token, np_nearest_word(word, names, NP_VIEW_COLUMNS));
    p->status = np_fail(p->err, NP_E_ARGUMENT, "unknown column '%.*s'", SHOW(p, &p->token));
    return false;
}

static bool parse_label(struct parser *p, np_where_node *node)
{
    const size_t prefix = strlen(NP_LABEL_PREFIX);
    const size_t length = p->token.length - prefix;
    if (length == 0 || length > NP_LABEL_KEY_MAX) {
        mistake_at(p, &p->token, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "a label is label.KEY with a KEY of 1 to %d characters",
                    NP_LABEL_KEY_MAX);
        return false;
    }
    node->column = &np_view_label;
    node->label = np_arena_copy(p->filter->arena, p->text + p->token.offset + prefix, length);
    return node->label || fail_memory(p);
}

static bool parse_column(struct parser *p, np_where_node *node)
{
    if (p->token.type != TOKEN_WORD || is_keyword(p))
        return fail_expected(p, &p->token, "a column");
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
        mistake_at(p, &p->token, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "more than %d conditions", NP_FILTER_CONDITIONS_MAX);
        return false;
    }
    node->condition = p->filter->condition_count++;
    return next(p);
}

static const char *const kind_wants[] = {
    [NP_VIEW_TEXT] = "a 'text'",
    [NP_VIEW_NUMBER] = "a whole number",
    [NP_VIEW_DURATION] = "a duration such as 50ms",
    [NP_VIEW_BOOLEAN] = "true or false",
};

static bool fail_value(struct parser *p, const np_where_node *node)
{
    const struct token *t = &p->token;
    const char *name = node->label ? NP_LABEL_PREFIX "KEY" : node->column->name;
    if (t->type == TOKEN_END || t->type == TOKEN_OPERATOR || t->type == TOKEN_OPEN ||
        t->type == TOKEN_CLOSE || t->type == TOKEN_COMMA)
        return fail_expected(p, t, kind_wants[node->column->kind]);
    char quoted[64] = "";
    if (t->type == TOKEN_WORD && node->column->kind == NP_VIEW_TEXT &&
        t->length + 3 <= sizeof quoted) {
        quoted[0] = '\'';
        memcpy(quoted + 1, p->text + t->offset, t->length);
        memcpy(quoted + 1 + t->length, "'", 2);
    }
    mistake_at(p, t, quoted);
    p->status = np_fail(p->err, NP_E_ARGUMENT, "'%s' compares with %s, not with %.*s", name,
                        kind_wants[node->column->kind], SHOW(p, t));
    return false;
}

/* 'it''s' → it's */
static bool unquote(struct parser *p, np_where_value *value)
{
    const char *from = p->text + p->token.offset + 1;
    const char *end = from + p->token.length - 2;
    char *out = np_arena_alloc(p->filter->arena, p->token.length);
    if (!out)
        return fail_memory(p);
    value->text = out;
    for (; from < end; from++) {
        *out++ = *from;
        from += *from == '\''; /* the lexer saw to it that they come in pairs */
    }
    value->length = (size_t)(out - value->text);
    return true;
}

static bool parse_value(struct parser *p, const np_where_node *node, np_where_value *value)
{
    const token_type type = p->token.type;
    bool fits = false;
    switch (node->column->kind) {
    case NP_VIEW_TEXT:
        fits = type == TOKEN_TEXT;
        break;
    case NP_VIEW_NUMBER:
        fits = type == TOKEN_NUMBER;
        break;
    case NP_VIEW_DURATION:
        fits = type == TOKEN_NUMBER || type == TOKEN_DURATION;
        break;
    case NP_VIEW_BOOLEAN:
        fits = is_word(p, "true") || is_word(p, "false") ||
               (type == TOKEN_NUMBER && (p->token.number == 0 || p->token.number == 1));
        break;
    }
    if (!fits)
        return fail_value(p, node);
    if (++p->value_count > NP_FILTER_VALUES_MAX) {
        mistake_at(p, &p->token, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "more than %d values", NP_FILTER_VALUES_MAX);
        return false;
    }
    *value = (np_where_value){.number = type == TOKEN_WORD ? is_word(p, "true") : p->token.number};
    if (type == TOKEN_TEXT && !unquote(p, value))
        return false;
    return next(p);
}

static bool parse_values(struct parser *p, np_where_node *node, size_t count)
{
    np_where_value *values = np_arena_alloc(p->filter->arena, count * sizeof *values);
    if (!values)
        return fail_memory(p);
    node->values = values;
    node->value_count = count;
    for (size_t i = 0; i < count; i++) {
        if (i && !is_word(p, "and"))
            return fail_expected(p, &p->token, "and");
        if (i && !next(p))
            return false;
        if (!parse_value(p, node, &values[i]))
            return false;
    }
    return true;
}

static bool parse_list(struct parser *p, np_where_node *node)
{
    if (p->token.type != TOKEN_OPEN)
        return fail_expected(p, &p->token, "(");
    np_where_value *values = NULL;
    size_t capacity = 0;
    do {
        if (node->value_count == capacity) {
            const size_t wider = capacity ? capacity * 2 : 8;
            np_where_value *more = np_arena_alloc(p->filter->arena, wider * sizeof *more);
            if (!more)
                return fail_memory(p);
            if (values)
                memcpy(more, values, capacity * sizeof *more);
            node->values = values = more;
            capacity = wider;
        }
        if (!next(p) || !parse_value(p, node, &values[node->value_count]))
            return false;
        node->value_count++;
    } while (p->token.type == TOKEN_COMMA);
    if (p->token.type != TOKEN_CLOSE)
        return fail_expected(p, &p->token, ") or ,");
    return next(p);
}

static bool parse_is(struct parser *p, np_where_node *node, bool *negated)
{
    *negated = is_word(p, "not");
    if (*negated && !next(p))
        return false;
    if (!is_word(p, "null"))
        return fail_expected(p, &p->token, *negated ? "null" : "null or not null");
    node->type = NP_WHERE_IS_NULL;
    return next(p);
}

static bool parse_like(struct parser *p, np_where_node *node)
{
    if (node->column->kind != NP_VIEW_TEXT) {
        mistake_at(p, &p->token, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "like is for texts, and '%s' is none",
                            node->column->name);
        return false;
    }
    node->type = NP_WHERE_LIKE;
    if (!next(p))
        return false;
    const struct token pattern = p->token;
    if (!parse_values(p, node, 1))
        return false;
    if (node->values[0].length <= NP_FILTER_PATTERN_MAX)
        return true;
    mistake_at(p, &pattern, "");
    p->status = np_fail(p->err, NP_E_ARGUMENT, "a pattern may have %d bytes at most",
                        NP_FILTER_PATTERN_MAX);
    return false;
}

/* A boolean column alone: `failed` is `failed = true`. */
static bool parse_bare(struct parser *p, np_where_node *node)
{
    if (node->column->kind != NP_VIEW_BOOLEAN)
        return fail_expected(p, &p->token, "an operator (= <> < <= > >= like in between is)");
    np_where_value *value = np_arena_alloc(p->filter->arena, sizeof *value);
    if (!value)
        return fail_memory(p);
    value->number = 1;
    node->type = NP_WHERE_COMPARE;
    node->values = value;
    node->value_count = 1;
    return true;
}

static bool parse_test(struct parser *p, np_where_node *node, bool *negated)
{
    if (p->token.type == TOKEN_OPERATOR) {
        node->type = NP_WHERE_COMPARE;
        node->operator=(np_where_operator) p->token.number;
        return next(p) && parse_values(p, node, 1);
    }
    if (is_word(p, "is"))
        return next(p) && parse_is(p, node, negated);
    *negated = is_word(p, "not");
    if (*negated && !next(p))
        return false;
    if (is_word(p, "like"))
        return parse_like(p, node);
    if (is_word(p, "in")) {
        node->type = NP_WHERE_IN;
        return next(p) && parse_list(p, node);
    }
    if (is_word(p, "between")) {
        node->type = NP_WHERE_BETWEEN;
        return next(p) && parse_values(p, node, 2);
    }
    return *negated ? fail_expected(p, &p->token, "like, in or between") : parse_bare(p, node);
}

static const np_where_node *parse_condition(struct parser *p)
{
    np_where_node *node = node_create(p, NP_WHERE_COMPARE);
    bool negated = false;
    if (!node || !parse_column(p, node) || !parse_test(p, node, &negated))
        return NULL;
    return negated ? join(p, NP_WHERE_NOT, node, NULL) : node;
}

static const np_where_node *parse_or(struct parser *p);
static const np_where_node *parse_not(struct parser *p);

static const np_where_node *parse_nested(struct parser *p)
{
    if (p->token.type == TOKEN_OPEN) {
        const np_where_node *node = next(p) ? parse_or(p) : NULL;
        if (!node)
            return NULL;
        if (p->token.type != TOKEN_CLOSE) {
            (void)fail_expected(p, &p->token, "and, or or )");
            return NULL;
        }
        return next(p) ? node : NULL;
    }
    if (is_word(p, "not")) {
        const np_where_node *node = next(p) ? parse_not(p) : NULL;
        return node ? join(p, NP_WHERE_NOT, node, NULL) : NULL;
    }
    return parse_condition(p);
}

static const np_where_node *parse_not(struct parser *p)
{
    /* Every level of parentheses and every `not` comes through here. */
    if (p->depth == NP_FILTER_DEPTH_MAX) {
        mistake_at(p, &p->token, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "not and ( more than %d deep", NP_FILTER_DEPTH_MAX);
        return NULL;
    }
    p->depth++;
    const np_where_node *node = parse_nested(p);
    p->depth--;
    return node;
}

static const np_where_node *parse_and(struct parser *p)
{
    const np_where_node *node = parse_not(p);
    while (node && is_word(p, "and")) {
        const np_where_node *right = next(p) ? parse_not(p) : NULL;
        node = right ? join(p, NP_WHERE_AND, node, right) : NULL;
    }
    return node;
}

static const np_where_node *parse_or(struct parser *p)
{
    const np_where_node *node = parse_and(p);
    while (node && is_word(p, "or")) {
        const np_where_node *right = next(p) ? parse_and(p) : NULL;
        node = right ? join(p, NP_WHERE_OR, node, right) : NULL;
    }
    return node;
}

static void parse(struct parser *p)
{
    if (!next(p))
        return;
    p->filter->root = parse_or(p);
    if (p->filter->root && p->token.type != TOKEN_END)
        (void)fail_expected(p, &p->token, "and, or or the end");
}

np_status np_filter_parse(const char *text, np_filter **out, np_filter_mistake *mistake,
                          np_error *err)
{
    *out = NULL;
    if (!text)
        return np_fail(err, NP_E_ARGUMENT_NULL, "a filter needs a text");
    struct parser p = {.text = text,
                       .length = strnlen(text, NP_FILTER_TEXT_MAX + 1),
                       .mistake = mistake,
                       .err = err};
    if (p.length > NP_FILTER_TEXT_MAX) {
        mistake_at(&p, &(struct token){.offset = NP_FILTER_TEXT_MAX}, "");
        return np_fail(err, NP_E_ARGUMENT, "a filter may have %d bytes at most",
                       NP_FILTER_TEXT_MAX);
    }
    p.filter = calloc(1, sizeof *p.filter);
    if (p.filter)
        p.filter->arena = np_arena_create();
    if (p.filter && p.filter->arena)
        parse(&p);
    else
        (void)fail_memory(&p);
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
