/*
 * What was decided for an origin. Floor 2; one thread at a time.
 *
 * Keyed by scheme, host, port and who was asked first. At most NP_PROXY_CACHE_ENTRIES; the one that
 * was used longest ago makes room.
 */
#ifndef NP_NET_PROXY_CACHE_H
#define NP_NET_PROXY_CACHE_H

#include "proxy.h"

enum { NP_PROXY_CACHE_ENTRIES = 1024, NP_PROXY_HOST_SIZE = 256 };

typedef struct np_proxy_key {
    const np_proxy_settings *settings; /* NULL: the environment */
    bool is_https;
    uint16_t port;
    char host[NP_PROXY_HOST_SIZE];
} np_proxy_key;

bool np_proxy_key_init(np_proxy_key *key, const np_proxy_settings *settings,
                       const np_proxy_question *question); /* false: the host is too long */
bool np_proxy_key_equal(const np_proxy_key *a, const np_proxy_key *b);

typedef struct np_proxy_cache np_proxy_cache;

np_proxy_cache *np_proxy_cache_create(void);     /* NULL: no memory */
void np_proxy_cache_free(np_proxy_cache *cache); /* NULL allowed */
void np_proxy_cache_clear(np_proxy_cache *cache);
/* true: known; *list is borrowed until the cache changes, NULL is direct. */
bool np_proxy_cache_find(np_proxy_cache *cache, const np_proxy_key *key, np_proxy_list **list);
/* Keeps a reference of its own to `list` (NULL allowed) and to key->settings. No memory: nothing is
 * kept. */
void np_proxy_cache_store(np_proxy_cache *cache, const np_proxy_key *key, np_proxy_list *list);

#endif
