/*
 * Names and their addresses for as long as their time to live says. Floor 2; one thread at a time,
 * no clock of its own.
 *
 * One entry a name, a half a family. Times to live are clamped to 1 s … 1 h; "does not exist" is
 * kept for 5 s. At most NP_DNS_CACHE_ENTRIES names: the one that expires first makes room.
 */
#ifndef NP_NET_DNS_CACHE_H
#define NP_NET_DNS_CACHE_H

#include "resolv_conf.h"

enum { NP_DNS_CACHE_ENTRIES = 1024, NP_DNS_ADDRESSES = 16 /* of one family that are kept */ };

typedef struct np_dns_cache np_dns_cache;

typedef struct np_dns_cached {
    np_address address[2 * NP_DNS_ADDRESSES]; /* address[count], IPv4 first; port 0 */
    size_t count; /* 0: the name is known not to exist, or to have no address: `error` */
    np_error error;
} np_dns_cached;

np_dns_cache *np_dns_cache_create(void);     /* NULL: no memory */
void np_dns_cache_free(np_dns_cache *cache); /* NULL allowed */
void np_dns_cache_clear(np_dns_cache *cache);

/* What is known and not expired. */
bool np_dns_cache_find(np_dns_cache *cache, const char *name, uint64_t now_ns, np_dns_cached *out);
/* The addresses of one family. No memory: it is not kept. */
void np_dns_cache_store(np_dns_cache *cache, const char *name, int family,
                        const np_address *addresses, size_t count, uint32_t ttl_s, uint64_t now_ns);
void np_dns_cache_store_error(np_dns_cache *cache, const char *name, const np_error *error,
                              uint64_t now_ns);

#endif
