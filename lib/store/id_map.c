/* Ids and words to small numbers; see id_map.h. Floor 2. */
#include "id_map.h"

#include "arena.h"

#include <stdlib.h>
#include <string.h>

struct np_id_slot {
    int64_t id;
    uint32_t value; /* NP_ID_UNKNOWN: free */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

void np_id_map_init(np_id_map *map)
{
    memset(map, 0, sizeof *map);
}

void np_id_map_done(np_id_map *map)
{
    for (size_t i = 0; i < map->page_count; i++)
        free(map->pages[i]);
    free(map->pages);
    free(map->slots);
    np_id_map_init(map);
}

static struct np_id_slot *slot_for(const np_id_map *map, int64_t id)
{
    size_t at = (size_t)mix((uint64_t)id) & (map->slot_count - 1);
    while (map->slots[at].value != NP_ID_UNKNOWN && map->slots[at].id != id)
        at = (at + 1) & (map->slot_count - 1);
    return &map->slots[at];
}

uint32_t np_id_map_find(const np_id_map *map, int64_t id)
{
    return slot_for(map, id)->value;
}

/* NULL: no memory. */
static uint32_t *page_for(np_id_map *map, size_t page)
{
    if (page >= map->page_count) {
        const size_t count = page + 16;
        uint32_t **pages = realloc(map->pages, count * sizeof *pages);
        if (!pages)
            return NULL;
        memset(pages + map->page_count, 0, (count - map->page_count) * sizeof *pages);
        map->pages = pages;
        map->page_count = count;
    }
    if (!map->pages[page]) {
        map->pages[page] = malloc(NP_ID_PAGE * sizeof **map->pages);
        if (map->pages[page])
            memset(map->pages[page], 0xff, NP_ID_PAGE * sizeof **map->pages);
    }
    return map->pages[page];
}

static bool grow_slots(np_id_map *map)
{
    np_id_map old = *map;
    map->slot_count = old.slot_count ? old.slot_count * 2 : 256;
    map->slots = malloc(map->slot_count * sizeof *map->slots);
    if (!map->slots) {
        map->slots = old.slots;
        map->slot_count = old.slot_count;
        return false;
    }
    for (size_t i = 0; i < map->slot_count; i++)
        map->slots[i] = (struct np_id_slot){0, NP_ID_UNKNOWN};
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i].value != NP_ID_UNKNOWN)
            *slot_for(map, old.slots[i].id) = old.slots[i];
    free(old.slots);
    return true;
}

bool np_id_map_put(np_id_map *map, int64_t id, uint32_t value)
{
    const uint64_t page = (uint64_t)id / NP_ID_PAGE;
    if (page < NP_ID_PAGES_MAX) {
        uint32_t *values = page_for(map, (size_t)page);
        if (values)
            values[(uint64_t)id % NP_ID_PAGE] = value;
        return values != NULL;
    }
    if (2 * (map->used + 1) > map->slot_count && !grow_slots(map))
        return false;
    *slot_for(map, id) = (struct np_id_slot){id, value};
    map->used++;
    return true;
}

/* -------------------------------------------------------------------------------------------------------------- words */

struct word {
    const char *text;
    size_t length;
    uint64_t hash;
};

struct np_words {
    np_arena *arena;
    struct word *words; /* words[count] */
    uint32_t count, capacity;
    uint32_t *slots; /* slots[slot_count], a power of two: index of a word, NP_ID_UNKNOWN: free */
    size_t slot_count;
};

static uint64_t hash_text(const char *text, size_t length)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return mix(h);
}

np_words *np_words_create(void)
{
    np_words *words = calloc(1, sizeof *words);
    if (words && !(words->arena = np_arena_create())) {
        free(words);
        return NULL;
    }
    return words;
}

void np_words_free(np_words *words)
{
    if (!words)
        return;
    np_arena_free(words->arena);
    free(words->words);
    free(words->slots);
    free(words);
}

static uint32_t *word_slot(const np_words *words, const char *text, size_t length, uint64_t hash)
{
    size_t at = (size_t)hash & (words->slot_count - 1);
    while (words->slots[at] != NP_ID_UNKNOWN) {
        const struct word *w = &words->words[words->slots[at]];
        if (w->hash == hash && w->length == length && !memcmp(w->text, text, length))
            break;
        at = (at + 1) & (words->slot_count - 1);
    }
    return &words->slots[at];
}

static bool grow_words(np_words *words)
{
    const size_t slot_count = words->slot_count ? words->slot_count * 2 : 64;
    const uint32_t capacity = (uint32_t)(slot_count / 2);
    struct word *list = realloc(words->words, capacity * sizeof *list);
    if (!list)
        return false;
    words->words = list;
    uint32_t *slots = malloc(slot_count * sizeof *slots);
    if (!slots)
        return false;
    words->capacity = capacity;
    free(words->slots);
    words->slots = slots;
    words->slot_count = slot_count;
    memset(slots, 0xff, slot_count * sizeof *slots);
    for (uint32_t i = 0; i < words->count; i++) {
        size_t at = (size_t)list[i].hash & (slot_count - 1);
        while (slots[at] != NP_ID_UNKNOWN)
            at = (at + 1) & (slot_count - 1);
        slots[at] = i;
    }
    return true;
}

uint32_t np_words_put(np_words *words, const char *text, size_t length)
{
    if (words->count == words->capacity && (words->count > UINT32_MAX / 4 || !grow_words(words)))
        return NP_ID_UNKNOWN;
    const uint64_t hash = hash_text(text, length);
    uint32_t *slot = word_slot(words, text, length, hash);
    if (*slot != NP_ID_UNKNOWN)
        return *slot;
    const char *copy = np_arena_copy(words->arena, text, length);
    if (!copy)
        return NP_ID_UNKNOWN;
    words->words[words->count] = (struct word){copy, length, hash};
    *slot = words->count;
    return words->count++;
}

const char *np_words_get(const np_words *words, uint32_t word, size_t *length)
{
    if (length)
        *length = words->words[word].length;
    return words->words[word].text;
}

uint32_t np_words_count(const np_words *words)
{
    return words->count;
}
