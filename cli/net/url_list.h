/*
 * The URLs of a run: those that were typed and those that files list, one a line. Each knows where
 * it stands, so that a mistake can be named with its line.
 *
 * In a file, blank lines and lines that begin with '#' count for nothing, blanks around a URL
 * neither. `-` is standard input, as an operand (its URLs take that place) or as the file of --urls
 * (its URLs come behind the typed ones).
 */
#ifndef CLI_NET_URL_LIST_H
#define CLI_NET_URL_LIST_H

#include "verb.h"

struct url_place {
    const char *file; /* borrowed; NULL: typed */
    size_t line;      /* 1 … */
};

/* Who asks. */
struct url_login {
    char *user, *password; /* owned; user NULL: nobody in particular */
};

struct url_list {
    char **urls;              /* urls[count], owned */
    struct url_place *places; /* places[count] */
    struct url_login *logins; /* logins[count], after url_list_take_logins */
    size_t count, room;
};

/* Takes operands and file (NULL: none). Returns an exit status; a mistake has been told. */
int url_list_take(struct url_list *list, const struct call *call, const char *file);
/* Takes "USER:PASSWORD@" out of URLs; those without get `given` ("USER:PASSWORD", NULL: none).
 * Returns an exit status. */
int url_list_take_logins(struct url_list *list, const struct call *call, const char *given);
/* "urls.txt line 3: " into place[size]; "" for one that was typed. */
void url_list_place(const struct url_list *list, size_t url, char *place, size_t size);
void url_list_done(struct url_list *list);

#endif
