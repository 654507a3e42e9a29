/*
 * The system's own resolver (getaddrinfo with all that nsswitch.conf names), asked in processes of
 * its own. Floor 2; loop thread only.
 *
 * getaddrinfo can neither be cancelled nor limited, and says nothing of what it does; so it runs in
 * helper processes (resolve_helper.c), never on a thread of the program. They are started when
 * needed, one lookup each at a time, and kept for the next: up to `workers` lookups run side by
 * side, more wait in order. A process that ends or says something that cannot be an answer is
 * replaced, and its lookup asked once more; one that takes longer than the limit, or whose lookup
 * nobody wants any more, is killed.
 */
#ifndef NP_NET_SYSTEM_RESOLVER_H
#define NP_NET_SYSTEM_RESOLVER_H

#include "dns_query.h"
#include "resolve_message.h"

typedef struct np_system_resolver np_system_resolver;
typedef struct np_system_query np_system_query;

typedef struct np_system_resolver_options {
    const char *program; /* copied */
    int64_t timeout_ns;  /* of one lookup, waiting for a process included; 0: 30 s */
    size_t workers;      /* 0: 8 */
} np_system_resolver_options;

np_system_resolver *np_system_resolver_create(np_loop *loop,
                                              const np_system_resolver_options *options);
void np_system_resolver_free(np_system_resolver *resolver); /* after its queries; NULL allowed */

typedef struct np_system_reply {
    np_dns_outcome outcome;
    int code;                                 /* EAI_…; 0: not from getaddrinfo */
    char words[96];                           /* why there is no answer; "" : the code says it */
    np_address address[NP_RESOLVE_ADDRESSES]; /* address[count]; port 0 */
    size_t count;
} np_system_reply;

/* `reply` is borrowed for the call. */
typedef void (*np_system_query_fn)(const np_system_reply *reply, uint64_t now_ns, void *user);

/* Asks for a name. `fn` is called once, never from inside this; the query is gone when it returns.
 * NULL: no memory. */
np_system_query *np_system_query_start(np_system_resolver *resolver, const char *name, int family,
                                       uint64_t now_ns, np_system_query_fn fn, void *user);
void np_system_query_cancel(np_system_query *query); /* before `fn` */

#endif
