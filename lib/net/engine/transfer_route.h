/*
 * Which way a request takes: the list of proxies that was decided for it, entry by entry. Floor 2;
 * loop thread only.
 *
 *   begin ─► ask the resolver (stage PROXY) ─► entry 0 ─► queue of (origin, entry) ─► connection …
 *                                                ▲                                       │
 *                                                └── next entry, while no request byte ◄─┘ the
 * proxy failed was sent
 *
 */
#ifndef NP_NET_TRANSFER_ROUTE_H
#define NP_NET_TRANSFER_ROUTE_H

#include "engine_types.h"

/* The key of a direct way. */
np_pool_key np_route_key(const np_transfer_spec *spec);
/* Of a new transfer: asks for its proxies, or puts it into the queue of its origin at once. false:
 * no memory. */
bool np_route_begin(np_transfer *transfer);
/* It does not wait for its proxies any more. */
void np_route_leave(np_transfer *transfer, uint64_t now_ns);

/* The set-up through a proxy has failed, and that proxy is to blame: true: it goes on with the next
 * one, and its connection has been closed. */
bool np_route_fail_over(np_transfer *transfer, const np_error *failure, uint64_t now_ns);

#endif
