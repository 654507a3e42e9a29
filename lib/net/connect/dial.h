/*
 * From a host and a port to a connected socket: lookup, then the race of RFC 8305. Floor 2; loop
 * thread only.
 *
 * dial.c puts dns.c (c-ares, /etc/hosts, literals, localhost, cache) and race.c (racing connects)
 * together and emits the phases dns and connect with their spans (lookup > query, attempt). connect
 * begins at the first SYN: when A is there and AAAA is too, or the resolution delay (50 ms) is
 * over. What comes later still joins the race, and its span ends when it ends.
 *
 * What needs no lookup has no phase dns and no span of it: literals, and hosts that `resolve`
 * names. localhost, the hosts file and the cache are lookups; the span `lookup` says which
 * ({"source":"localhost"|"hosts"|"cache"|"shared"|"dns"}). Each attempt is a span, with the errno
 * where it failed.
 *
 * The winning socket was connected by exactly one non-blocking connect() that answered EINPROGRESS,
 * and never asked again: libcurl 7.88 connects a second time and must get 0 (ARCHITECTURE.md, "the
 * hand-over").
 */
#ifndef NP_NET_DIAL_H
#define NP_NET_DIAL_H

#include "address.h"
#include "dial_options.h"
#include "loop.h"
#include "producer.h"
#include <sys/socket.h>

typedef struct np_dialer np_dialer;
typedef struct np_dial np_dial;

/* NP_E_ARGUMENT names the entry that is malformed. */
np_status np_dialer_create(np_loop *loop, const np_dialer_options *options, np_producer *producer,
                           np_dialer **out, np_error *err);
void np_dialer_free(np_dialer *dialer); /* cancels what runs; NULL allowed */

/* Its parts, for lookups without a dial (origin_lookup.c). */
struct np_dns *np_dialer_dns(const np_dialer *dialer);
const struct np_dial_rules *np_dialer_rules(const np_dialer *dialer);
np_producer *np_dialer_producer(const np_dialer *dialer);

typedef struct np_dial_target {
    const char *host; /* name or literal (IPv6 without brackets); copied */
    uint16_t port;
    uint32_t request; /* numbers for the events; 0: none */
    uint32_t connection;
    bool cold;     /* neither read nor written: the DNS cache */
    bool is_proxy; /* connect_to is for origins: not asked */
} np_dial_target;

typedef struct np_dial_result {
    np_error error; /* status NP_OK: connected */
    bool timed_out; /* the failure is an operating-system time-out */
    bool no_descriptor; /* the failure is that there was none for a socket */
    int fd;         /* owned by the callee; non-blocking, CLOEXEC, NODELAY; -1 on failure */
    struct sockaddr_storage peer;
    char remote[NP_ADDRESS_TEXT], local[NP_ADDRESS_TEXT];
    uint64_t connected_ns; /* the stamp of the end of connect */
    uint8_t connected_source, connected_uncertainty;
    uint64_t looked_ns; /* when the loop got to it */
    bool dns_cached;
    bool second_connect; /* connect() answered 0 at once, twice: the socket is NOT connected,
                            libcurl must connect it to `peer` */
} np_dial_result;

/* Called once, on the loop, never from inside np_dial_start. On failure dns or connect has been
 * ended in the trace. */
typedef void (*np_dial_fn)(const np_dial_result *result, void *user);
np_dial *np_dial_start(np_dialer *dialer, const np_dial_target *target, uint64_t now_ns,
                       np_dial_fn done, void *user); /* NULL: no memory */
/* Before `done`: its request goes on without it. Ends the open phase and spans of the request; the
 * dial goes on and emits nothing more. */
void np_dial_disown(np_dial *dial, uint64_t now_ns);
/* Before `done`: is it a name that is waited for, and no connect? */
bool np_dial_is_looking_up(const np_dial *dial);
/* Before `done`: closes every racing socket, ends the open spans as abandoned and the open phase.
 */
void np_dial_cancel(np_dial *dial, uint64_t now_ns);

#endif
