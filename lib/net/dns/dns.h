/*
 * Names to addresses, each step visible. Floor 2; loop thread only.
 *
 *   literal                       no lookup, no phase (dial.c does not come here)
 *   localhost, *.localhost        127.0.0.1 and ::1 (RFC 6761 section 6.3)
 *   the hosts file                when it has the name in a family asked for
 *   the cache                     unless the request is cold
 *   the DNS                       A and AAAA as two independent queries, candidate by candidate of
 * the search list
 *
 * The hosts file and resolv.conf are looked at (one stat each) at every lookup and read again when
 * they have changed; a changed resolv.conf empties the cache. So is /etc/nsswitch.conf: it says
 * whether the hosts file comes first or last, and whether there is more to it than files and dns
 * (nsswitch.h). Then, or when asked to, the system's resolver answers in place of the last two, in
 * a process of its own (system_resolver.h): one opaque span `lookup` with {"source":"nss"}. Its
 * answers have no time to live and are not cached.
 *
 * One name is asked for once: who asks while a lookup runs waits for it (cold ones never share).
 * Each asker has a span `lookup` of its own, with
 * {"source":"shared"} where it waits for another's; the query spans belong to one of them, the
 * first, and pass to another when the first leaves. A lookup nobody waits for any more goes on when
 * it has found addresses: what is still to come joins the cache.
 */
#ifndef NP_NET_DNS_H
#define NP_NET_DNS_H

#include "dns_query.h"

#include <netphase/context.h>

typedef struct np_dns np_dns;
typedef struct np_dns_ask np_dns_ask;

typedef struct np_dns_options {
    np_family family;        /* only these are asked for */
    const char *dns_servers; /* copied; NULL: those of resolv.conf */
    const char *hosts_file;  /* copied; NULL: /etc/hosts */
    const char *resolv_conf; /* copied; NULL: /etc/resolv.conf */
    np_resolver resolver;
    const char *nsswitch_conf;  /* copied; NULL: /etc/nsswitch.conf */
    const char *system_program; /* copied; NULL: netphase-resolve, looked for */
    int64_t system_timeout_ns;  /* of a lookup by the system; 0: 30 s */
} np_dns_options;

/* NP_E_ARGUMENT for a malformed server, or servers together with the system's resolver; NP_E_INPUT
 * when its program cannot be found. */
np_status np_dns_create(np_loop *loop, const np_dns_options *options, np_producer *producer,
                        np_dns **out, np_error *err);
void np_dns_free(np_dns *dns); /* after its askers have ended; NULL allowed */

/* What is known so far. */
typedef struct np_dns_state {
    np_address address[2 * NP_DNS_ADDRESSES]; /* address[count]; port 0 */
    size_t count;
    bool done_v4,
        done_v6;    /* nothing more will come of the family; true for one that is not asked for */
    bool cached;    /* answered from the cache */
    bool from_wire; /* answered by a DNS server just now */
    bool no_descriptor; /* the failure is that there was no socket to ask with */
    np_dns_outcome outcome; /* when both are done and count is 0 … */
    np_error error; /* … and in words: NP_E_WEB, NAME_RESOLUTION_FAILURE, layer "dns", the rcode */
} np_dns_state;

/* News: a family has answered, or the lookup has failed. Never from inside np_dns_ask_start.
 * np_dns_ask_end may be called from inside. */
typedef void (*np_dns_fn)(uint64_t now_ns, void *user);

/* Begins a lookup of a name (copied) for a request. What needs no packet is known when this
 * returns: look at np_dns_ask_state. NULL: no memory. */
np_dns_ask *np_dns_ask_start(np_dns *dns, const char *name, uint32_t request, uint32_t connection,
                             bool cold, uint64_t now_ns, np_dns_fn fn, void *user);
const np_dns_state *
np_dns_ask_state(const np_dns_ask *ask); /* borrowed until the ask ends or changes */
/* The request goes on without it: its spans end here, as abandoned where no answer has come. The
 * lookup goes on. */
void np_dns_ask_disown(np_dns_ask *ask, uint64_t now_ns);
/* Ends it, answered or not: once for every ask. */
void np_dns_ask_end(np_dns_ask *ask, uint64_t now_ns);

#endif
