/* What never gets into an event: credentials, cookies, tokens, user info, query values. Floor 1;
 * pure, any thread. */
#ifndef NP_TRACE_REDACT_H
#define NP_TRACE_REDACT_H

#include "textbuf.h"
#include <stdbool.h>

typedef struct np_redaction {
    bool keep_query_values;
    bool keep_all;            /* header values too; passwords of URLs and options go all the same */
    const char *const *names; /* names[name_count], borrowed: header fields and query parameters
                                 whose values go whatever else is said; case does not count */
    size_t name_count;
} np_redaction;

/* Path and query as stored: query values become "*" ("/a?page=2&x" -> "/a?page=*&x"), the fragment
 * goes. Control characters stay: escaping is the reader's. */
void np_redact_path(const np_redaction *rules, const char *path, size_t length, np_textbuf *out);

/* A URL: user info goes, path and query as above. */
void np_redact_url(const np_redaction *rules, const char *url, size_t length, np_textbuf *out);

/* The value of a header field as stored: Authorization, Proxy-Authorization, Authentication-Info,
   Cookie, Set-Cookie, X-Api-Key, *-Token, *-Secret and friends become "*" (the scheme of
   Authorization stays: "Basic *"; the names of cookies stay: "sid=*"); Location and Referer go
   through np_redact_url. */
void np_redact_header(const np_redaction *rules, const char *name, const char *value, size_t length,
                      np_textbuf *out);

/* One word of a command line: the value of -u, -H 'Authorization: …', user info and query values of
 * URLs. */
void np_redact_argument(const np_redaction *rules, const char *previous, const char *argument,
                        np_textbuf *out);

#endif
