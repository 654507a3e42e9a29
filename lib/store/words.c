/* Held texts to ids, with a memory for the words of a ring. Floor 2. See words.h. */
#include "words.h"

#include "random.h"
#include "route.h"

#include <stdlib.h>
#include <string.h>

#define NP_ROUTE_MAX 2048

static np_status text_id(np_texts *texts, const np_assembly *assembly, np_held held, int64_t *id,
                         np_error *err)
{
    size_t length;
    const char *text = np_held_text(assembly, held, &length);
    return np_texts_id(texts, text, length, id, err);
}

static np_status route_id(np_texts *texts, const np_assembly *assembly, np_held path, int64_t *id,
                          np_error *err)
{
    char route[NP_ROUTE_MAX];
    size_t length;
    const char *text = np_held_text(assembly, path, &length);
    return np_texts_id(texts, route, np_route(text, length, route, sizeof route), id, err);
}

static np_status origin_id(np_texts *texts, const np_assembly *assembly, np_held origin,
                           int64_t *id, np_error *err)
{
    size_t length;
    const char *text = np_held_text(assembly, origin, &length);
    return np_texts_origin(texts, text, length, id, err);
}

/* The slot a reference wants: which one cannot be known from outside (see map.h). */
static uint32_t home_of(const np_assembly *assembly, np_text_ref ref)
{
    return (uint32_t)((unsigned __int128)ref * assembly->word_secret >> 64) & assembly->word_mask;
}

static bool grow_words(np_assembly *assembly)
{
    const uint32_t size = assembly->words ? (assembly->word_mask + 1) * 2 : 1024;
    np_word_ids *words = calloc(size, sizeof *words);
    if (!words)
        return false;
    np_word_ids *old = assembly->words;
    const uint32_t old_size = old ? assembly->word_mask + 1 : 0;
    if (!old) {
        np_random_bytes(&assembly->word_secret, sizeof assembly->word_secret);
        assembly->word_secret |= 1;
    }
    assembly->words = words;
    assembly->word_mask = size - 1;
    for (uint32_t i = 0; i < old_size; i++) {
        uint32_t at = home_of(assembly, old[i].ref);
        while (old[i].ref && words[at].ref)
            at = (at + 1) & assembly->word_mask;
        if (old[i].ref)
            words[at] = old[i];
    }
    free(old);
    return true;
}

/* What is known about a word of the ring; NULL for a text that is none, or without memory. */
static np_word_ids *word_of(np_texts *texts, np_assembly *assembly, np_held held)
{
    if (held.own || !np_text_ref_is_word(held.ref))
        return NULL;
    if (assembly->word_epoch != np_texts_epoch(texts)) {
        if (assembly->words)
            memset(assembly->words, 0, (assembly->word_mask + 1) * sizeof *assembly->words);
        assembly->word_count = 0;
        assembly->word_epoch = np_texts_epoch(texts);
    }
    if ((!assembly->words || assembly->word_count * 2 > assembly->word_mask) &&
        !grow_words(assembly))
        return NULL;
    uint32_t at = home_of(assembly, held.ref);
    while (assembly->words[at].ref && assembly->words[at].ref != held.ref)
        at = (at + 1) & assembly->word_mask;
    if (!assembly->words[at].ref) {
        assembly->words[at].ref = held.ref;
        assembly->word_count++;
    }
    return &assembly->words[at];
}

typedef np_status (*id_fn)(np_texts *, const np_assembly *, np_held, int64_t *, np_error *);

/* The id that `make` gives, remembered with the word at `offset` of np_word_ids. */
static np_status word_id(np_texts *texts, np_assembly *assembly, np_held held, size_t offset,
                         id_fn make, int64_t *id, np_error *err)
{
    np_word_ids *word = word_of(texts, assembly, held);
    int64_t *known = word ? (int64_t *)(void *)((char *)word + offset) : NULL;
    if (known && *known) {
        *id = *known;
        return NP_OK;
    }
    const uint32_t epoch = np_texts_epoch(texts);
    const np_status status = make(texts, assembly, held, id, err);
    if (!status && known && np_texts_epoch(texts) == epoch)
        *known = *id;
    return status;
}

np_status np_words_text(np_texts *texts, np_assembly *assembly, np_held held, int64_t *id,
                        np_error *err)
{
    return word_id(texts, assembly, held, offsetof(np_word_ids, text_id), text_id, id, err);
}

static np_status words_route(np_texts *texts, np_assembly *assembly, np_held path, int64_t *id,
                             np_error *err)
{
    return word_id(texts, assembly, path, offsetof(np_word_ids, route_id), route_id, id, err);
}

np_status np_words_path(np_texts *texts, np_assembly *assembly, np_held path, int64_t *id,
                        int64_t *route, np_error *err)
{
    const np_word_ids *word = word_of(texts, assembly, path);
    if (word && word->text_id && word->route_id) {
        *id = word->text_id;
        *route = word->route_id;
        return NP_OK;
    }
    const np_status status = np_words_text(texts, assembly, path, id, err);
    return status ? status : words_route(texts, assembly, path, route, err);
}

np_status np_words_origin(np_texts *texts, np_assembly *assembly, np_held origin, int64_t *id,
                          np_error *err)
{
    return word_id(texts, assembly, origin, offsetof(np_word_ids, origin_id), origin_id, id, err);
}
