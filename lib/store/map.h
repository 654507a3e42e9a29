/*
 * Numbers to pointers: open addressing, linear probing, deletion by shifting back. Floor 2; one
 * thread at a time. Number 0 is "empty".
 *
 * Numbers come from rings that someone else may have left: each map multiplies them by a secret of
 * its own (multiply-shift), so that nobody can choose numbers that all want the same slot. The
 * order of the slots therefore means nothing.
 */
#ifndef NP_STORE_MAP_H
#define NP_STORE_MAP_H

#include "random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct np_map_slot {
    uint32_t number; /* 0: empty */
    void *value;
} np_map_slot;

typedef struct np_map {
    np_map_slot *slots; /* slots[mask + 1]; NULL: nothing was ever put */
    uint32_t mask;
    uint32_t count;
    uint64_t secret; /* odd; chosen with the first slots */
} np_map;

static inline void np_map_done(np_map *map)
{
    free(map->slots);
    *map = (np_map){0};
}

/* The slot a number wants. */
static inline uint32_t np_map_home(const np_map *map, uint32_t number)
{
    return (uint32_t)(number * map->secret >> 32) & map->mask;
}

static inline void *np_map_get(const np_map *map, uint32_t number)
{
    if (!map->slots || number == 0)
        return NULL;
    for (uint32_t i = np_map_home(map, number); map->slots[i].number; i = (i + 1) & map->mask)
        if (map->slots[i].number == number)
            return map->slots[i].value;
    return NULL;
}

static inline void np_map_place(np_map *map, uint32_t number, void *value)
{
    uint32_t i = np_map_home(map, number);
    while (map->slots[i].number)
        i = (i + 1) & map->mask;
    map->slots[i] = (np_map_slot){number, value};
}

/* `number` must not be in it and not be 0. false: no memory. */
static inline bool np_map_put(np_map *map, uint32_t number, void *value)
{
    if (!map->slots || map->count * 2 > map->mask) {
        const np_map old = *map;
        const uint32_t size = old.slots ? (old.mask + 1) * 2 : 256;
        np_map_slot *slots = calloc(size, sizeof *slots);
        if (!slots)
            return false;
        *map = (np_map){slots, size - 1, old.count, old.secret};
        if (!old.slots) {
            np_random_bytes(&map->secret, sizeof map->secret);
            map->secret |= 1;
        }
        for (uint32_t i = 0; old.slots && i <= old.mask; i++)
            if (old.slots[i].number)
                np_map_place(map, old.slots[i].number, old.slots[i].value);
        free(old.slots);
    }
    np_map_place(map, number, value);
    map->count++;
    return true;
}

static inline void np_map_remove(np_map *map, uint32_t number)
{
    if (!map->slots || number == 0)
        return;
    uint32_t hole = np_map_home(map, number);
    while (map->slots[hole].number != number) {
        if (!map->slots[hole].number)
            return;
        hole = (hole + 1) & map->mask;
    }
    map->count--;
    for (uint32_t i = (hole + 1) & map->mask; map->slots[i].number; i = (i + 1) & map->mask) {
        const uint32_t home = np_map_home(map, map->slots[i].number);
        if (((i - home) & map->mask) >=
            ((i - hole) & map->mask)) { /* it may lie in the hole: its home is not behind it */
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (np_map_slot){0};
}

/* Steps through a map whose values are taken out one by one, `at` from 0: what is shifted back
 * never lands before `at`, where all is empty. NULL: none is left. */
static inline void *np_map_any(const np_map *map, uint32_t *at)
{
    for (; map->slots && *at <= map->mask; (*at)++)
        if (map->slots[*at].number)
            return map->slots[*at].value;
    return NULL;
}

#endif
