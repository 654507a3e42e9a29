/*
 * The 407 of a proxy that forwards plain http, and the request again with credentials: a hop of its
 * own in the trace, hop_reason proxy_auth. Floor 2; loop thread only.
 *
 * libcurl answers the 407 by itself, on the same connection where it is kept; where it is not, it
 * asks for a socket, gets none, and the hop is started again on a new connection with the same
 * handle. Whether it will answer is not known when the header is complete: header() then waits
 * until a body byte or the end comes (it will not) or the next request is about to be sent (it
 * does).
 */
#ifndef NP_NET_ROUND_H
#define NP_NET_ROUND_H

#include "engine_types.h"

/* The header of a final response is complete: may another round follow? */
bool np_round_may_follow(const np_transfer *transfer);
/* PREREQ, again: the next hop begins, on the same connection. false: it is none of ours. */
bool np_round_begin(np_transfer *transfer, uint64_t now_ns);
/* libcurl could not answer the 407 of plain http by itself: it wanted another connection, or to
 * send a body again. */
bool np_round_was_refused(const np_transfer *transfer, CURLcode code);
/* libcurl has ended with `code`: because it wanted another connection for its answer to a 407 (of
 * CONNECT, too)? Once a transfer. */
bool np_round_wants_connection(np_transfer *transfer, CURLcode code);
/* In the trace the hop ends with its 407, and the next begins. */
void np_round_next_hop(np_transfer *transfer, uint64_t now_ns);

#endif
