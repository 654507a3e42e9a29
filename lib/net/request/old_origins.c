/* The origins that answered by HTTP/1.0. Floor 2. */
#include "old_origins.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_MAX 320 /* a host name has 253 bytes */

void np_old_origins_init(np_old_origins *origins)
{
    pthread_mutex_init(&origins->lock, NULL);
    atomic_init(&origins->count, 0);
}

void np_old_origins_done(np_old_origins *origins)
{
    for (uint32_t i = 0; i < origins->count; i++)
        free(origins->origin[i]);
    pthread_mutex_destroy(&origins->lock);
}

static void print_origin(char *out, const np_url *url)
{
    (void)snprintf(out, ORIGIN_MAX, "%s://%s:%u", url->scheme, url->host, url->port);
}

/* Lock held. The count where it is not there. */
static uint32_t find(const np_old_origins *origins, const char *origin)
{
    uint32_t i = 0;
    while (i < origins->count && strcmp(origins->origin[i], origin) != 0)
        i++;
    return i;
}

/* Lock held. */
static void remove_at(np_old_origins *origins, uint32_t i)
{
    free(origins->origin[i]);
    origins->count--;
    memmove(&origins->origin[i], &origins->origin[i + 1],
            (origins->count - i) * sizeof origins->origin[0]);
}

void np_old_origins_note(np_old_origins *origins, const np_url *url, int protocol)
{
    const bool is_old = protocol == 10;
    /* relaxed: only the loop changes it, and it is the loop that asks here */
    if (!is_old && atomic_load_explicit(&origins->count, memory_order_relaxed) == 0)
        return;
    char origin[ORIGIN_MAX];
    print_origin(origin, url);
    pthread_mutex_lock(&origins->lock);
    const uint32_t i = find(origins, origin);
    const bool is_known = i < origins->count;
    if (is_known && !is_old)
        remove_at(origins, i);
    char *copy = is_old && !is_known ? strdup(origin) : NULL;
    if (copy && origins->count == NP_OLD_ORIGINS)
        remove_at(origins, 0);
    if (copy)
        origins->origin[origins->count++] = copy;
    pthread_mutex_unlock(&origins->lock);
}

bool np_old_origins_has(np_old_origins *origins, const np_url *url)
{
    /* relaxed: an answer that is coming in at this moment may count or not */
    if (atomic_load_explicit(&origins->count, memory_order_relaxed) == 0)
        return false;
    char origin[ORIGIN_MAX];
    print_origin(origin, url);
    pthread_mutex_lock(&origins->lock);
    const bool has = find(origins, origin) < origins->count;
    pthread_mutex_unlock(&origins->lock);
    return has;
}
