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
/* It has ended. */
void np_route_end(np_transfer *transfer);

/* The set-up through the entry it is at has failed, and it was the proxy's fault: remembers that,
 * and true: there is another entry to be tried. Its connection is still there. */
bool np_route_may_go_on(np_transfer *transfer, const np_error *failure, uint64_t now_ns);
/* Into the queue of the next entry. It has let go of its handle and its connection. */
void np_route_go_on(np_transfer *transfer, uint64_t now_ns);
/* A connection through it stands. */
void np_route_proxy_worked(np_engine *engine, const np_proxy_entry *proxy);

#endif
