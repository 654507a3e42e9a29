/* Names and their addresses for as long as their time to live says. Floor 2. */
#include "dns_cache.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 512, TTL_MIN_S = 1, TTL_MAX_S = 3600, NEGATIVE_S = 5 };

typedef struct half {
    uint64_t expires_ns; /* 0: not known */
    size_t count;
    np_address address[NP_DNS_ADDRESSES];
} half;

typedef struct entry {
    struct entry *next;
    char name[NP_DNS_NAME_SIZE];
    half v4, v6;
    uint64_t error_expires_ns;
    np_error error;
} entry;

struct np_dns_cache {
    entry *bucket[BUCKETS];
    size_t count;
};

np_dns_cache *np_dns_cache_create(void)
{
    return calloc(1, sizeof(np_dns_cache));
}

void np_dns_cache_clear(np_dns_cache *cache)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (cache->bucket[i]) {
            entry *next = cache->bucket[i]->next;
            free(cache->bucket[i]);
            cache->bucket[i] = next;
        }
    }
    cache->count = 0;
}

void np_dns_cache_free(np_dns_cache *cache)
{
    if (!cache)
        return;
    np_dns_cache_clear(cache);
    free(cache);
}

static entry **bucket_of(np_dns_cache *cache, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return &cache->bucket[hash % BUCKETS];
}

static entry *find(np_dns_cache *cache, const char *name)
{
    entry *e = *bucket_of(cache, name);
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    return e;
}

static uint64_t last_expiry(const entry *e)
{
    uint64_t latest = e->error_expires_ns;
    if (e->v4.expires_ns > latest)
        latest = e->v4.expires_ns;
    return e->v6.expires_ns > latest ? e->v6.expires_ns : latest;
}

static void make_room(np_dns_cache *cache)
{
    entry **first = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (entry **link = &cache->bucket[i]; *link; link = &(*link)->next)
            if (!first || last_expiry(*link) < last_expiry(*first))
                first = link;
    if (!first)
        return;
    entry *gone = *first;
    *first = gone->next;
    free(gone);
    cache->count--;
}

static entry *find_or_add(np_dns_cache *cache, const char *name)
{
    entry *e = find(cache, name);
    if (e || strlen(name) >= NP_DNS_NAME_SIZE)
        return e;
    if (cache->count == NP_DNS_CACHE_ENTRIES)
        make_room(cache);
    e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    memcpy(e->name, name, strlen(name) + 1);
    entry **bucket = bucket_of(cache, name);
    e->next = *bucket;
    *bucket = e;
    cache->count++;
    return e;
}

/* It had addresses, and their time is over. */
static bool has_run_out(const half *h, uint64_t now_ns)
{
    return h->count > 0 && h->expires_ns <= now_ns;
}

static void forget_addresses(entry *e)
{
    e->v4 = e->v6 = (half){0};
}

static void copy_half(const half *h, uint64_t now_ns, np_dns_cached *out)
{
    if (h->expires_ns <= now_ns)
        return;
    memcpy(&out->address[out->count], h->address, h->count * sizeof h->address[0]);
    out->count += h->count;
}

bool np_dns_cache_find(np_dns_cache *cache, const char *name, uint64_t now_ns, np_dns_cached *out)
{
    entry *e = find(cache, name);
    if (!e)
        return false;
    /* One family alone is no answer for a name that has both: where only the other one leads
     * anywhere, requests would fail for as long as this one is kept. */
    if (has_run_out(&e->v4, now_ns) || has_run_out(&e->v6, now_ns))
        forget_addresses(e); /* both are asked again, and one that has gone leaves no trace */
    out->count = 0;
    copy_half(&e->v4, now_ns, out);
    copy_half(&e->v6, now_ns, out);
    if (out->count > 0)
        return true;
    out->error = e->error;
    return e->error_expires_ns > now_ns;
}

void np_dns_cache_store(np_dns_cache *cache, const char *name, int family,
                        const np_address *addresses, size_t count, uint32_t ttl_s, uint64_t now_ns)
{
    entry *e = find_or_add(cache, name);
    if (!e)
        return;
    half *h = family == AF_INET6 ? &e->v6 : &e->v4;
    if (ttl_s < TTL_MIN_S)
        ttl_s = TTL_MIN_S;
    else if (ttl_s > TTL_MAX_S)
        ttl_s = TTL_MAX_S;
    h->count = count < NP_DNS_ADDRESSES ? count : NP_DNS_ADDRESSES;
    memcpy(h->address, addresses, h->count * sizeof h->address[0]);
    h->expires_ns = now_ns + ttl_s * (uint64_t)NP_NS_PER_S;
    e->error_expires_ns = 0;
}

void np_dns_cache_store_error(np_dns_cache *cache, const char *name, const np_error *error,
                              uint64_t now_ns)
{
    entry *e = find_or_add(cache, name);
    if (!e)
        return;
    e->error = *error;
    e->error_expires_ns = now_ns + NEGATIVE_S * (uint64_t)NP_NS_PER_S;
}
