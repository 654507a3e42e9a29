/* --where text to tokens, and what a mistake is told with; for where_parse.c. Floor 2; pure, any
 * thread. */
#ifndef NP_STORE_WHERE_LEX_H
#define NP_STORE_WHERE_LEX_H

#include "where_tree.h"

typedef enum np_where_token_type {
    NP_TOKEN_END,
    NP_TOKEN_WORD,   /* keyword or column; label.KEY is one word */
    NP_TOKEN_TEXT,   /* 'text' with its quotes */
    NP_TOKEN_NUMBER, /* -12 */
    NP_TOKEN_DURATION,
    NP_TOKEN_OPERATOR,
    NP_TOKEN_OPEN,
    NP_TOKEN_CLOSE,
    NP_TOKEN_COMMA
} np_where_token_type;

typedef struct np_where_token {
    np_where_token_type type;
    size_t offset, length;
    int64_t number; /* NUMBER, DURATION; for an operator np_where_operator */
} np_where_token;

typedef struct np_where_parser {
    const char *text;
    size_t length;
    np_where_token token; /* the one that was looked at */
    int depth;
    size_t value_count;
    np_filter *filter;
    np_filter_mistake *mistake;
    np_error *err;
    np_status status; /* the first failure; everything returns at once when it is set */
} np_where_parser;

/* The text of a token for a message, cut to what is worth reading. */
#define NP_WHERE_SHOW(p, t) (int)((t)->length > 40 ? 40 : (t)->length), (p)->text + (t)->offset

/* Steps to the next token; false: it is none, and the mistake is told. */
bool np_where_next(np_where_parser *p);
bool np_where_is_word(const np_where_parser *p,
                      const char *word); /* the token at hand, in any case */
bool np_where_is_keyword(const np_where_parser *p);

void np_where_mistake_at(np_where_parser *p, const np_where_token *token, const char *suggestion);
bool np_where_fail_expected(np_where_parser *p, const np_where_token *token,
                            const char *expected); /* always false */
bool np_where_fail_memory(np_where_parser *p);     /* always false */

#endif
