/*
 * What comes after an answer that is not the final one: redirects (RS-0 … RS-3), authentication
 * (RS-4) and 417 to an Expect, each a hop of its own above the engine. Floor 2.
 *
 *   header() ─► np_follow_header: a plan, and the rest of this answer is drained
 *   done()   ─► np_follow_done:   the plan becomes the next hop, which begins where this one ended
 *
 * A hop is one np_transfer of the same np_request. The request's list of fields and its spec are
 * changed between two hops, when no transfer borrows them; after the start nobody else looks at
 * them. What the caller can see meanwhile, the address, is guarded by the request's lock.
 */
#ifndef NP_NET_FOLLOW_H
#define NP_NET_FOLLOW_H

#include "auth_answer.h"
#include "transfer.h"
#include "url.h"

/* A URL that a redirect led to. All of them stay until the request goes: the address was given out
 * as a pointer. */
typedef struct np_follow_address {
    struct np_follow_address *next;
    np_url url;
} np_follow_address;

typedef enum np_follow_kind {
    NP_FOLLOW_NONE, /* the answer is the final one */
    NP_FOLLOW_REDIRECT,
    NP_FOLLOW_AUTH,
    NP_FOLLOW_EXPECT /* 417: once more, without Expect */
} np_follow_kind;

typedef struct np_follow {
    /* configuration: changes in CREATED only */
    bool auto_redirect, allow_downgrade, pre_authenticate;
    uint32_t redirects_maximum;
    uint32_t decompression; /* NP_DECOMPRESS_* */
    char *user, *password;  /* NULL: no credentials */

    /* guarded by the request's lock; written by the loop */
    const np_url *url; /* of the hop under way */

    /* the loop's */
    const char *method; /* of the hop under way; static, or the request's own */
    np_follow_address *addresses;
    uint32_t first_number; /* the request number of hop 0 in the trace */
    uint32_t redirect_count;
    np_auth auth;         /* the challenge that was answered; scheme NP_AUTH_NONE: none was */
    uint32_t auth_count;  /* challenges answered at this URL */
    bool auth_sent_early; /* pre_authenticate: what was sent came from the context's store */
    np_follow_kind plan;
    np_follow_address *plan_address; /* REDIRECT: where to; owned until it is taken */
    const char *plan_method;
    np_auth plan_auth; /* AUTH: owned until it is taken */
} np_follow;

struct np_request;

/* Before the start, with the lock held: Accept-Encoding says what automatic_decompression takes. */
np_status np_decompression_ask(struct np_request *request, np_error *err);
/* Takes Content-Encoding and Content-Length out of a decompressed response; returns what is left.
 */
size_t np_decompression_hide(np_header_line *lines, size_t count);

void np_follow_init(struct np_request *request);
void np_follow_release(struct np_request *request); /* wipes the credentials */

/* Before the first hop, on the loop: what pre_authenticate sends up front. */
void np_follow_prepare(struct np_request *request);

/* In header(). true: the answer will be followed by another hop, and its body is thrown away.
   false: it is the final one; then *refusal tells why it was not followed although it should have
   been (status NP_OK: there is no such reason). */
bool np_follow_header(struct np_request *request, np_transfer *transfer, np_error *refusal);

typedef enum np_follow_step {
    NP_FOLLOW_END,  /* nothing follows */
    NP_FOLLOW_NEXT, /* request->spec is the next hop: start it */
    NP_FOLLOW_FAIL  /* it cannot be made: *err says why */
} np_follow_step;

/* In done(). failure: that of the hop that ends, NULL: none. */
np_follow_step np_follow_done(struct np_request *request, const np_transfer *transfer,
                              const np_error *failure, np_error *err);

#endif
