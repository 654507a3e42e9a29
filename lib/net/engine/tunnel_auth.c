/* Which scheme proxies want. Floor 2; loop thread only. */
#include "tunnel_auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REMEMBERED = 64 }; /* proxies; the one that was added first goes */

struct np_proxy_memory {
    np_link link; /* engine->proxy_memories, oldest first */
    unsigned offered;
    char key[]; /* np_pool_key.proxy */
};

/* --- the field --- */

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static unsigned scheme_of(const char *name, size_t length)
{
    if (length == 5 && strncasecmp(name, "basic", 5) == 0)
        return NP_PROXY_AUTH_BASIC;
    if (length == 6 && strncasecmp(name, "digest", 6) == 0)
        return NP_PROXY_AUTH_DIGEST;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the comma that ends a part, or `end`; commas in quotes do not count. */
static const char *skip_part(const char *p, const char *end)
{
    bool is_quoted = false;
    for (; p < end; p++) {
        if (is_quoted && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            is_quoted = !is_quoted;
        else if (*p == ',' && !is_quoted)
            return p + 1;
    }
    return end;
}

/* Parts between commas are challenges ("Digest realm=…") or their parameters ("nonce=…"): the first
 * token of a parameter is followed by '='. */
unsigned np_proxy_auth_offered(const char *value, size_t length)
{
    const char *p = value;
    const char *end = value + length;
    unsigned offered = 0;
    while (p < end) {
        while (p < end && (is_blank(*p) || *p == ','))
            p++;
        const char *name = p;
        while (p < end && is_token(*p))
            p++;
        const size_t name_length = (size_t)(p - name);
        while (p < end && is_blank(*p))
            p++;
        if (p == end || *p != '=')
            offered |= scheme_of(name, name_length);
        p = skip_part(p, end);
    }
    return offered;
}

/* --- what is remembered --- */

static struct np_proxy_memory *find(const np_engine *engine, const char *key)
{
    for (np_link *link = engine->proxy_memories.next; link != &engine->proxy_memories;
         link = link->next) {
        struct np_proxy_memory *memory = np_item(link, struct np_proxy_memory, link);
        if (strcmp(memory->key, key) == 0)
            return memory;
    }
    return NULL;
}

long np_proxy_auth_curl(const np_service_point *point)
{
    const struct np_proxy_memory *memory = find(point->engine, point->key.proxy);
    if (!memory)
        return (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST); /* several: waits to be asked */
    return (long)(memory->offered & NP_PROXY_AUTH_DIGEST ? CURLAUTH_DIGEST : CURLAUTH_BASIC);
}

static void forget_oldest(np_engine *engine)
{
    size_t count = 0;
    for (np_link *link = engine->proxy_memories.next; link != &engine->proxy_memories;
         link = link->next)
        count++;
    if (count >= REMEMBERED)
        free(np_item(np_list_pop_front(&engine->proxy_memories), struct np_proxy_memory, link));
}

void np_proxy_auth_learn(np_service_point *point, unsigned offered)
{
    if (!point->proxy || !point->proxy->user || offered == 0)
        return;
    struct np_proxy_memory *memory = find(point->engine, point->key.proxy);
    if (!memory) {
        const size_t size = strlen(point->key.proxy) + 1;
        memory = calloc(1, sizeof *memory + size);
        if (!memory)
            return;
        memcpy(memory->key, point->key.proxy, size);
        forget_oldest(point->engine);
        np_list_push_back(&point->engine->proxy_memories, &memory->link);
    }
    memory->offered = offered;
}

void np_proxy_auth_free(np_engine *engine)
{
    np_link *link;
    while ((link = np_list_pop_front(&engine->proxy_memories)))
        free(np_item(link, struct np_proxy_memory, link));
}
