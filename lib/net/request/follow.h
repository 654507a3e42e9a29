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

#include "request_block.h"

/* Before the first hop, on the loop: what pre_authenticate sends up front. */
void np_follow_prepare(np_request *request);

/* In header(). true: the answer will be followed by another hop, and its body is thrown away.
   false: it is the final one; then *refusal tells why it was not followed although it should have
   been (status NP_OK: there is no such reason). */
bool np_follow_header(np_request *request, np_transfer *transfer, np_error *refusal);

typedef enum np_follow_step {
    NP_FOLLOW_END,  /* nothing follows */
    NP_FOLLOW_WAIT, /* so it is, but not before the caller has closed the request stream */
    NP_FOLLOW_NEXT, /* request->spec is the next hop: start it */
    NP_FOLLOW_FAIL  /* it cannot be made: *err says why */
} np_follow_step;

/* In done(). failure: that of the hop that ends, NULL: none. */
np_follow_step np_follow_done(np_request *request, const np_transfer *transfer,
                              const np_error *failure, np_error *err);

#endif
