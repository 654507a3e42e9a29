/*
 * Numbers from a trace to small numbers of ours: text id → what we know of it. Floor 2; one thread
 * at a time.
 *
 * Ids are given out from 1 up, so nearly all lie in pages of a plain array; what a strange file
 * uses beyond goes to a hash table.
 */
#ifndef NP_STORE_ID_MAP_H
#define NP_STORE_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NP_ID_UNKNOWN UINT32_MAX

#define NP_ID_PAGE      4096u /* entries a page */
#define NP_ID_PAGES_MAX 4096u /* ids below NP_ID_PAGE * NP_ID_PAGES_MAX are in pages */

typedef struct np_id_map {
    uint32_t **pages; /* pages[page_count]; NULL: nothing in it */
    size_t page_count;
    struct np_id_slot *slots; /* slots[slot_count], a power of two; open addressing */
    size_t slot_count;
    size_t used;
} np_id_map;

void np_id_map_init(np_id_map *map);
void np_id_map_done(np_id_map *map);
uint32_t np_id_map_find(const np_id_map *map, int64_t id); /* the hash table's part */
bool np_id_map_put(np_id_map *map, int64_t id,
                   uint32_t value); /* false: no memory. An id is put once */

static inline uint32_t np_id_map_get(const np_id_map *map, int64_t id)
{
    const uint64_t page = (uint64_t)id / NP_ID_PAGE;
    if (page < map->page_count && map->pages[page])
        return map->pages[page][(uint64_t)id % NP_ID_PAGE];
    return map->used ? np_id_map_find(map, id) : NP_ID_UNKNOWN;
}

/*
 * Texts to small numbers, each text once: 0, 1, 2 … in the order of their coming. Texts may hold
 * any bytes.
 */
typedef struct np_words np_words;

np_words *np_words_create(void);
void np_words_free(np_words *words);
uint32_t np_words_put(np_words *words, const char *text,
                      size_t length); /* NP_ID_UNKNOWN: no memory */
const char *np_words_get(const np_words *words, uint32_t word,
                         size_t *length); /* NUL-terminated; lives as long as `words` */
uint32_t np_words_count(const np_words *words);

#endif
