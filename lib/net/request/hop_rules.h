/*
 * What a redirect does to a request: its method, its body, its fields. Floor 2; pure, any thread.
 *
 * Tables over RFC 9110 section 15.4, with the choices of docs/contract.md (RS-0, RS-3) where the
 * RFC leaves one.
 */
#ifndef NP_NET_HOP_RULES_H
#define NP_NET_HOP_RULES_H

#include "transfer.h"

/* Does this status ask to go on elsewhere? 300 to 303, 307 and 308. */
bool np_hop_is_redirect(int status);

/* The method of the next hop: `method` itself, or "GET" (static). Where they differ the body is
 * dropped, and with it what belongs to it. `status` is one that np_hop_is_redirect knows. */
const char *np_hop_method(int status, const char *method);

/* Why fields are dropped; a set of these. */
enum {
    NP_HOP_ANY = 1,          /* a redirect of any kind */
    NP_HOP_OTHER_ORIGIN = 2, /* scheme, host or port differ */
    NP_HOP_LEFT_HTTPS = 4,   /* the URL that redirects is an https one */
    NP_HOP_BODY_DROPPED = 8
};

/* Is this request field left out when the redirect is all of `why`? */
bool np_hop_drops_field(const np_header_line *field, unsigned why);

#endif
