/* Absolute http and https URLs, read strictly (RFC 3986) and once. Floor 2; pure, any thread. */
#ifndef NP_NET_URL_H
#define NP_NET_URL_H

#include <netphase/status.h>
#include <stdbool.h>
#include <stdint.h>

#define NP_URL_MAX (64u * 1024) /* bytes */

typedef struct np_url {
    /* owned: "scheme://host[:port]target"; no user info, no fragment, no default port */
    char *text;
    const char *scheme; /* static: "http" or "https" */
    const char *host;   /* lower case; an IPv6 literal in its canonical form, without brackets */
    const char *target; /* path and query as given, percent-encoding untouched; at least "/" */
    uint16_t port;      /* 1 … 65535; the scheme's own where none was given */
} np_url;

/* NP_E_ARGUMENT for a malformed URL, NP_E_NOT_SUPPORTED for another scheme. The texts never repeat
 * user info. */
np_status np_url_parse(const char *text, np_url *out, np_error *err);
void np_url_done(np_url *url); /* also of a zeroed one */

/* Is this "host" or "host:port", as a Host field has it? NP_E_ARGUMENT otherwise. */
np_status np_url_check_host(const char *text, np_error *err);

#endif
