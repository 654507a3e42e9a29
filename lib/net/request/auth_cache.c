/* See auth_cache.h. Floor 2; loop thread only. */
#include "auth_cache.h"

#include "url_resolve.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAXIMUM = 32 };

struct np_auth_entry {
    np_auth_entry *next;
    np_url url;
    char *user, *password;
    np_auth auth;
};

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void entry_free(np_auth_entry *entry)
{
    wipe(entry->user);
    wipe(entry->password);
    np_url_done(&entry->url);
    np_auth_done(&entry->auth);
    free(entry);
}

void np_auth_cache_done(np_auth_cache *cache)
{
    while (cache->first) {
        np_auth_entry *entry = cache->first;
        cache->first = entry->next;
        entry_free(entry);
    }
}

/* Bytes of the path up to its last '/'. */
static size_t folder_length(const np_url *url)
{
    size_t length = strcspn(url->target, "?");
    while (url->target[length - 1] != '/')
        length--;
    return length;
}

static bool is_good_for(const np_auth_entry *entry, const np_auth_place *place)
{
    return np_url_same_origin(&entry->url, place->url) &&
           strncmp(entry->url.target, place->url->target, folder_length(&entry->url)) == 0 &&
           strcmp(entry->user, place->user) == 0 && strcmp(entry->password, place->password) == 0;
}

/* Takes the entry out of the list; NULL: none. */
static np_auth_entry *take(np_auth_cache *cache, const np_auth_place *place)
{
    for (np_auth_entry **link = &cache->first; *link; link = &(*link)->next) {
        np_auth_entry *entry = *link;
        if (!is_good_for(entry, place))
            continue;
        *link = entry->next;
        return entry;
    }
    return NULL;
}

static void put_first(np_auth_cache *cache, np_auth_entry *entry)
{
    entry->next = cache->first;
    cache->first = entry;
}

np_auth *np_auth_cache_find(np_auth_cache *cache, const np_auth_place *place)
{
    np_auth_entry *entry = take(cache, place);
    if (!entry)
        return NULL;
    put_first(cache, entry);
    return &entry->auth;
}

void np_auth_cache_remove(np_auth_cache *cache, const np_auth_place *place)
{
    np_auth_entry *entry = take(cache, place);
    if (entry)
        entry_free(entry);
}

static void trim(np_auth_cache *cache)
{
    np_auth_entry **link = &cache->first;
    for (int i = 0; i < ENTRIES_MAXIMUM && *link; i++)
        link = &(*link)->next;
    if (*link) {
        entry_free(*link); /* the last one: each put adds one at most */
        *link = NULL;
    }
}

void np_auth_cache_put(np_auth_cache *cache, const np_auth_place *place, np_auth *auth)
{
    np_auth_cache_remove(cache, place);
    np_auth_entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        np_auth_done(auth);
        return;
    }
    entry->auth = *auth;
    *auth = (np_auth){0};
    entry->user = strdup(place->user);
    entry->password = strdup(place->password);
    if (!entry->user || !entry->password || np_url_parse(place->url->text, &entry->url, NULL)) {
        entry_free(entry);
        return;
    }
    put_first(cache, entry);
    trim(cache);
}
