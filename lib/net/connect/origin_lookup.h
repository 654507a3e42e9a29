/*
 * The address of an origin that a SOCKS proxy is told instead of its name. Floor 2; loop thread
 * only.
 *
 * SOCKS4 and SOCKS5 (not 4a and 5h) are given an address that we have looked up. It is one address,
 * IPv4 where the name has one: whether the proxy could reach the others cannot be tried from here.
 * Emits the phase dns, and the spans that dns.c makes.
 */
#ifndef NP_NET_ORIGIN_LOOKUP_H
#define NP_NET_ORIGIN_LOOKUP_H

#include "address.h"
#include "dial.h"

typedef struct np_origin_lookup np_origin_lookup;

/* Once, on the loop, never from inside the start. `address` NULL: `error` says why. The lookup is
 * gone when this is called. */
typedef void (*np_origin_lookup_fn)(const np_address *address, const np_error *error,
                                    uint64_t now_ns, void *user);

/* `only_v4`: an IPv6 address is of no use (SOCKS4). NULL: no memory. */
np_origin_lookup *np_origin_lookup_start(np_loop *loop, np_dialer *dialer,
                                         const np_dial_target *target, bool only_v4,
                                         uint64_t now_ns, np_origin_lookup_fn fn, void *user);
/* Its request goes on without it: the open phase and spans of the request end. */
void np_origin_lookup_disown(np_origin_lookup *lookup, uint64_t now_ns);
/* Before `fn`; NULL allowed. */
void np_origin_lookup_cancel(np_origin_lookup *lookup, uint64_t now_ns);

#endif
