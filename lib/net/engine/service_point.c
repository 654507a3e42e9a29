/*
 * Service points in a hash table by (scheme, host, port, proxy, group). Floor 2; loop thread only.
 *
 * TLS sessions and names lie in their handles, so a point outlives its connections; a program that
 * goes through many hosts must not keep all of them. Beyond POINTS_KEPT those that nothing uses go,
 * the one asked for longest ago first. That happens at a turn's end only, when nobody has a pointer
 * to one on the stack, and looks at a few points a turn, however many are in use.
 */
#include "service_point.h"

#include "easy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_LIMIT = 2,
    LOOKED_AT_A_TURN = 16,
    FIRST_STREAM_LIMIT = 100 /* what libcurl assumes until the server has said its own */
};

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u; /* FNV-1a */
    return hash;
}

/* The group is left out: the groups of an origin lie in one bucket. */
static uint32_t hash_key(const np_pool_key *key)
{
    return hash_text(hash_text(hash_text(2166136261u ^ key->port, key->host), key->scheme),
                     key->proxy);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_but_group(const np_pool_key *a, const np_pool_key *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0 &&
           strcmp(a->scheme, b->scheme) == 0 && same_text(a->proxy, b->proxy);
}

static bool same_key(const np_pool_key *a, const np_pool_key *b)
{
    return same_but_group(a, b) && same_text(a->group, b->group);
}

static bool is_literal(const char *host)
{
    unsigned char address[16];
    return strchr(host, ':') || inet_pton(AF_INET, host, address) == 1;
}

bool np_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    const size_t length = strlen(host);
    static const char suffix[] = ".localhost";
    if (strcmp(host, "localhost") == 0)
        return true;
    if (length > sizeof suffix - 1 && strcmp(host + length - (sizeof suffix - 1), suffix) == 0)
        return true; /* RFC 6761 section 6.3 */
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static uint32_t limit_of(const np_engine *engine, const char *host)
{
    if (engine->options.connection_limit != 0)
        return engine->options.connection_limit;
    return np_host_is_loopback(host) ? UINT32_MAX : DEFAULT_LIMIT;
}

static np_service_point *service_point_create(np_engine *engine, const np_pool_key *key,
                                              uint32_t hash)
{
    np_service_point *point = calloc(1, sizeof *point);
    if (!point)
        return NULL;
    np_list_init(&point->connections);
    np_list_init(&point->idle);
    np_list_init(&point->arriving);
    np_list_init(&point->waiting);
    np_list_init(&point->opening);
    np_list_init(&point->awaiting);
    np_list_init(&point->shared);
    point->stream_limit = point->careful_limit = FIRST_STREAM_LIMIT;
    point->engine = engine;
    point->hash = hash;
    point->key = (np_pool_key){.scheme = strdup(key->scheme),
                               .host = strdup(key->host),
                               .port = key->port,
                               .proxy = key->proxy ? strdup(key->proxy) : NULL,
                               .group = key->group ? strdup(key->group) : NULL};
    if (key->via) {
        point->proxy = key->via;
        point->proxy_list = np_proxy_list_retain(key->via_list);
        point->proxy_is_literal = is_literal(key->via->host);
    }
    const bool bare_v6 = strchr(key->host, ':') != NULL;
    const int length = asprintf(&point->origin, "%s://%s%s%s:%u", key->scheme, bare_v6 ? "[" : "",
                                key->host, bare_v6 ? "]" : "", key->port);
    if (length < 0)
        point->origin = NULL;
    if (!point->key.scheme || !point->key.host || (key->proxy && !point->key.proxy) ||
        (key->group && !point->key.group) || !point->origin) {
        np_service_point_free(point);
        return NULL;
    }
    point->tls = strcmp(key->scheme, "https") == 0;
    point->host_is_literal = is_literal(key->host);
    point->limit = limit_of(engine, key->host);
    return point;
}

/* The one asked for last: most requests go where the one before went. */
static np_service_point *last_asked(const np_engine *engine)
{
    return np_list_empty(&engine->points_by_use)
               ? NULL
               : np_item(engine->points_by_use.previous, np_service_point, in_engine);
}

np_service_point *np_service_point_get(np_engine *engine, const np_pool_key *key)
{
    np_service_point *last = last_asked(engine);
    if (last && same_key(&last->key, key))
        return last;
    const uint32_t hash = hash_key(key);
    np_service_point **bucket = &engine->points[hash % POINT_BUCKETS];
    for (np_service_point *point = *bucket; point; point = point->next_in_bucket) {
        if (point->hash == hash && same_key(&point->key, key)) {
            np_list_remove(&point->in_engine);
            np_list_push_back(&engine->points_by_use, &point->in_engine);
            return point;
        }
    }
    np_service_point *point = service_point_create(engine, key, hash);
    if (point) {
        point->next_in_bucket = *bucket;
        *bucket = point;
        np_list_push_back(&engine->points_by_use, &point->in_engine);
        engine->point_count++;
    }
    return point;
}

np_connection *np_service_point_idle_of_other_group(const np_service_point *point)
{
    np_service_point *other = point->engine->points[point->hash % POINT_BUCKETS];
    for (; other; other = other->next_in_bucket) {
        if (other != point && other->hash == point->hash &&
            same_but_group(&other->key, &point->key) && !np_list_empty(&other->idle))
            return np_item(other->idle.next, np_connection, in_idle);
    }
    return NULL;
}

/* A handle outside of free_easies belongs to a transfer with a connection, or waits in
 * engine->retired. */
static bool in_use(const np_service_point *point)
{
    return !np_list_empty(&point->connections) || !np_list_empty(&point->arriving) ||
           !np_list_empty(&point->waiting) || !np_list_empty(&point->awaiting) ||
           !np_list_empty(&point->opening);
}

static void take_out(np_service_point *point)
{
    np_service_point **place = &point->engine->points[point->hash % POINT_BUCKETS];
    while (*place != point)
        place = &(*place)->next_in_bucket;
    *place = point->next_in_bucket;
    np_list_remove(&point->in_engine);
    point->engine->point_count--;
}

void np_service_points_trim(np_engine *engine)
{
    if (!np_list_empty(&engine->retired))
        return;
    for (int i = 0; engine->point_count > POINTS_KEPT && i < LOOKED_AT_A_TURN; i++) {
        np_service_point *point = np_item(engine->points_by_use.next, np_service_point, in_engine);
        if (in_use(point)) { /* others get their turn */
            np_list_remove(&point->in_engine);
            np_list_push_back(&engine->points_by_use, &point->in_engine);
        } else {
            take_out(point);
            np_service_point_free(point);
        }
    }
}

void np_service_point_free(np_service_point *point)
{
    np_easy *easy = point->free_easies;
    while (easy) {
        np_easy *next = easy->next_free;
        np_easy_free(easy);
        easy = next;
    }
    np_list_remove(&point->changed);
    np_list_remove(&point->in_starving);
    np_list_remove(&point->in_engine);
    free((char *)(uintptr_t)point->key.scheme); /* our own copies */
    free((char *)(uintptr_t)point->key.host);
    free((char *)(uintptr_t)point->key.proxy);
    np_proxy_list_release(point->proxy_list);
    free((char *)(uintptr_t)point->key.group);
    free(point->origin);
    free(point);
}
