/* Header fields: a list that a request collects, and a compact copy of those of a response. Floor
 * 2; one thread at a time. */
#ifndef NP_NET_HEADER_LIST_H
#define NP_NET_HEADER_LIST_H

#include "transfer.h"

#define NP_HEADER_VALUE_MAX (64u * 1024) /* bytes */

typedef struct np_header_list {
    np_header_line *lines; /* lines[count] */
    char **blocks; /* blocks[count]: what the name and the value of lines[i] lie in, owned */
    size_t count;
    size_t capacity;
} np_header_list;

void np_header_list_done(np_header_list *list); /* also of a zeroed one */
/* Sets a field, replacing one of the same name (ignoring case) in its place. NP_E_NO_MEMORY: the
 * list is as it was. */
np_status np_header_list_set(np_header_list *list, const char *name, const char *value,
                             size_t value_length, np_error *err);
void np_header_list_remove(np_header_list *list, const char *name);
/* A copy in a zeroed list. NP_E_NO_MEMORY: it stays empty. */
np_status np_header_list_copy(const np_header_list *list, np_header_list *out, np_error *err);

/* The first field of that name, ignoring case; NULL: none. */
const np_header_line *np_header_find(const np_header_line *lines, size_t count, const char *name);
/* All lines in one block, texts NUL-terminated; release with free(). NULL: no memory. */
np_header_line *np_header_copy(const np_header_line *lines, size_t count);

bool np_is_token(const char *text, size_t length); /* RFC 9110 section 5.6.2; not empty */
/* Words with commas between them (RFC 9110 section 5.6.1), and is one of them this one, ignoring
 * case? */
bool np_header_is_token_list(const char *value, size_t length);
bool np_header_has_token(const char *value, size_t length, const char *token);
/* NP_E_ARGUMENT when it is no token, or belongs to a property of the request. */
np_status np_header_check_name(const char *name, np_error *err);
/* Trims blanks around; NP_E_ARGUMENT for a control character other than a tab inside. */
np_status np_header_check_value(const char *name, const char **value, size_t *length,
                                np_error *err);

#endif
