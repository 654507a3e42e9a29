/* --where text to tokens; see where_lex.h. Floor 2. */
#include "where_lex.h"

#include "fail.h"

#include <netphase/text.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Words that are no columns. */
static const char *const keywords[] = {"and",  "between", "false", "in", "is",
                                       "like", "not",     "null",  "or", "true"};

void np_where_mistake_at(np_where_parser *p, const np_where_token *token, const char *suggestion)
{
    if (!p->mistake)
        return;
    *p->mistake = (np_filter_mistake){.offset = token->offset, .length = token->length};
    if (suggestion && strlen(suggestion) < sizeof p->mistake->suggestion)
        memcpy(p->mistake->suggestion, suggestion, strlen(suggestion) + 1);
}

bool np_where_fail_expected(np_where_parser *p, const np_where_token *token, const char *expected)
{
    np_where_mistake_at(p, token, "");
    if (token->type == NP_TOKEN_END)
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "the expression ends where %s was expected", expected);
    else
        p->status = np_fail(p->err, NP_E_ARGUMENT, "found '%.*s' where %s was expected",
                            NP_WHERE_SHOW(p, token), expected);
    return false;
}

bool np_where_fail_memory(np_where_parser *p)
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

static bool lex_text(np_where_parser *p, np_where_token *t)
{
    const char *at = p->text + t->offset;
    size_t n = 1;
    while (at[n] && (at[n] != '\'' || at[n + 1] == '\''))
        n += at[n] == '\'' ? 2 : 1;
    if (!at[n]) {
        t->length = n;
        np_where_mistake_at(p, t, "");
        p->status = np_fail(p->err, NP_E_ARGUMENT, "a text has no closing ' behind it");
        return false;
    }
    t->type = NP_TOKEN_TEXT;
    t->length = n + 1;
    return true;
}

static bool lex_duration(np_where_parser *p, np_where_token *t)
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
        t->type = NP_TOKEN_DURATION;
        return true;
    }
    np_where_mistake_at(p, t, "");
    if (status == NP_E_ARGUMENT_RANGE)
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "the duration '%.*s' is too long", NP_WHERE_SHOW(p, t));
    else
        p->status =
            np_fail(p->err, NP_E_ARGUMENT,
                    "'%.*s' is neither a whole number nor a duration such as 250us, 80ms, 2s or 1m",
                    NP_WHERE_SHOW(p, t));
    return false;
}

static bool lex_number(np_where_parser *p, np_where_token *t)
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
        np_where_mistake_at(p, t, "");
        p->status =
            np_fail(p->err, NP_E_ARGUMENT, "the number '%.*s' is too large", NP_WHERE_SHOW(p, t));
        return false;
    }
    t->type = NP_TOKEN_NUMBER;
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

static bool lex_sign(np_where_parser *p, np_where_token *t)
{
    const char *at = p->text + t->offset;
    t->length = 1;
    t->type = *at == '(' ? NP_TOKEN_OPEN : *at == ')' ? NP_TOKEN_CLOSE : NP_TOKEN_COMMA;
    if (strchr("(),", *at))
        return true;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strncmp(at, operators[i].text, strlen(operators[i].text)) != 0)
            continue;
        t->type = NP_TOKEN_OPERATOR;
        t->length = strlen(operators[i].text);
        t->number = operators[i].operator;
        return true;
    }
    while ((at[t->length] & 0xc0) == 0x80) /* the whole of a character of several bytes */
        t->length++;
    np_where_mistake_at(p, t, "");
    p->status = *at == '"' ? np_fail(p->err, NP_E_ARGUMENT, "texts stand in single quotes: 'text'")
                           : np_fail(p->err, NP_E_ARGUMENT,
                                     "found '%.*s', which means nothing here", NP_WHERE_SHOW(p, t));
    return false;
}

/* Steps to the next token. */
bool np_where_next(np_where_parser *p)
{
    size_t at = p->token.offset + p->token.length;
    while (isspace((unsigned char)p->text[at]))
        at++;
    p->token = (np_where_token){.type = NP_TOKEN_END, .offset = at};
    const char c = p->text[at];
    if (!c)
        return true;
    if (c == '\'')
        return lex_text(p, &p->token);
    if (isdigit((unsigned char)c) ||
        ((c == '-' || c == '+') && isdigit((unsigned char)p->text[at + 1])))
        return lex_number(p, &p->token);
    if (isalpha((unsigned char)c) || c == '_') {
        p->token.type = NP_TOKEN_WORD;
        p->token.length = word_length(p->text + at);
        return true;
    }
    return lex_sign(p, &p->token);
}

bool np_where_is_word(const np_where_parser *p, const char *word)
{
    return p->token.type == NP_TOKEN_WORD && p->token.length == strlen(word) &&
           !strncasecmp(p->text + p->token.offset, word, p->token.length);
}

bool np_where_is_keyword(const np_where_parser *p)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (np_where_is_word(p, keywords[i]))
            return true;
    return false;
}
