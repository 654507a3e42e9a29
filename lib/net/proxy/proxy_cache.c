/* What was decided for an origin: a hash table whose entries also lie in the order of their use.
 * Floor 2. */
#include "proxy_cache.h"

#include "list.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 512 };

struct entry {
    struct entry *next_in_bucket;
    np_link by_use;
    uint32_t hash;
    np_proxy_key key;
    np_proxy_list *list;
};

struct np_proxy_cache {
    struct entry *bucket[BUCKETS];
    np_link by_use; /* the one used longest ago first */
    size_t count;
};

bool np_proxy_key_init(np_proxy_key *key, const np_proxy_settings *settings,
                       const np_proxy_question *question)
{
    const size_t length = strlen(question->host);
    if (length >= sizeof key->host)
        return false;
    key->settings = settings;
    key->is_https = strcmp(question->scheme, "https") == 0;
    key->port = question->port;
    memcpy(key->host, question->host, length + 1);
    return true;
}

bool np_proxy_key_equal(const np_proxy_key *a, const np_proxy_key *b)
{
    return a->settings == b->settings && a->is_https == b->is_https && a->port == b->port &&
           strcmp(a->host, b->host) == 0;
}

/* FNV-1a */
static uint32_t hash_of(const np_proxy_key *key)
{
    uint32_t hash = 2166136261u;
    for (const char *c = key->host; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    hash = (hash ^ key->port ^ (uint32_t)key->is_https << 16) * 16777619u;
    return (hash ^ (uint32_t)((uintptr_t)key->settings >> 4)) * 16777619u;
}

np_proxy_cache *np_proxy_cache_create(void)
{
    np_proxy_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        np_list_init(&cache->by_use);
    return cache;
}

static void remove_entry(np_proxy_cache *cache, struct entry *entry)
{
    struct entry **link = &cache->bucket[entry->hash % BUCKETS];
    while (*link != entry)
        link = &(*link)->next_in_bucket;
    *link = entry->next_in_bucket;
    np_list_remove(&entry->by_use);
    cache->count--;
    np_proxy_release(entry->key.settings);
    np_proxy_list_release(entry->list);
    free(entry);
}

void np_proxy_cache_clear(np_proxy_cache *cache)
{
    while (!np_list_empty(&cache->by_use))
        remove_entry(cache, np_item(cache->by_use.next, struct entry, by_use));
}

void np_proxy_cache_free(np_proxy_cache *cache)
{
    if (!cache)
        return;
    np_proxy_cache_clear(cache);
    free(cache);
}

static struct entry *find(np_proxy_cache *cache, const np_proxy_key *key, uint32_t hash)
{
    struct entry *entry = cache->bucket[hash % BUCKETS];
    while (entry && !(entry->hash == hash && np_proxy_key_equal(&entry->key, key)))
        entry = entry->next_in_bucket;
    return entry;
}

bool np_proxy_cache_find(np_proxy_cache *cache, const np_proxy_key *key, np_proxy_list **list)
{
    struct entry *entry = cache->count > 0 ? find(cache, key, hash_of(key)) : NULL;
    if (!entry)
        return false;
    np_list_remove(&entry->by_use);
    np_list_push_back(&cache->by_use, &entry->by_use);
    *list = entry->list;
    return true;
}

void np_proxy_cache_store(np_proxy_cache *cache, const np_proxy_key *key, np_proxy_list *list)
{
    const uint32_t hash = hash_of(key);
    struct entry *entry = find(cache, key, hash);
    if (entry)
        remove_entry(cache, entry);
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return;
    if (cache->count == NP_PROXY_CACHE_ENTRIES)
        remove_entry(cache, np_item(cache->by_use.next, struct entry, by_use));
    entry->hash = hash;
    entry->key = *key;
    (void)np_proxy_retain(key->settings);
    entry->list = np_proxy_list_retain(list);
    entry->next_in_bucket = cache->bucket[hash % BUCKETS];
    cache->bucket[hash % BUCKETS] = entry;
    np_list_push_back(&cache->by_use, &entry->by_use);
    cache->count++;
}
