/* The bytes of a response between the loop and the reader. Floor 2. */
#include "body.h"
#include <stdlib.h>
#include <string.h>

#define KEPT_CHUNKS 64 /* 1 MiB */

void np_body_store_init(np_body_store *store)
{
    *store = (np_body_store){0};
    pthread_mutex_init(&store->lock, NULL);
}

void np_body_store_done(np_body_store *store)
{
    for (np_body_chunk *chunk = store->free_chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    pthread_mutex_destroy(&store->lock);
}

np_body_chunk *np_body_chunk_take(np_body_store *store)
{
    pthread_mutex_lock(&store->lock);
    np_body_chunk *chunk = store->free_chunks;
    if (chunk) {
        store->free_chunks = chunk->next;
        store->count--;
    }
    pthread_mutex_unlock(&store->lock);
    if (!chunk)
        chunk = malloc(sizeof *chunk);
    if (chunk) {
        chunk->next = NULL;
        chunk->begin = chunk->end = 0;
    }
    return chunk;
}

void np_body_chunk_give(np_body_store *store, np_body_chunk *chunk)
{
    pthread_mutex_lock(&store->lock);
    const bool kept = store->count < KEPT_CHUNKS;
    if (kept) {
        chunk->next = store->free_chunks;
        store->free_chunks = chunk;
        store->count++;
    }
    pthread_mutex_unlock(&store->lock);
    if (!kept)
        free(chunk);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

np_body_answer np_body_append(np_body *body, np_body_store *store, const void *data, size_t length)
{
    const unsigned char *at = data;
    if (!body->unbounded && body->length > 0 && body->length + length > NP_BODY_LIMIT)
        return NP_BODY_FULL;
    if (!body->first && length <= NP_BODY_SMALL - body->small_end) {
        memcpy(body->small + body->small_end, at, length);
        body->small_end += length;
        body->length += length;
        return NP_BODY_TAKEN;
    }
    while (length > 0) {
        if (!body->last || body->last->end == NP_BODY_CHUNK) {
            np_body_chunk *chunk = np_body_chunk_take(store);
            if (!chunk)
                return NP_BODY_NO_MEMORY;
            if (body->last)
                body->last->next = chunk;
            else
                body->first = chunk;
            body->last = chunk;
        }
        const size_t n = smaller(length, NP_BODY_CHUNK - body->last->end);
        memcpy(body->last->bytes + body->last->end, at, n);
        body->last->end += n;
        body->length += n;
        at += n;
        length -= n;
    }
    return NP_BODY_TAKEN;
}

static void chunk_drop_first(np_body *body, np_body_store *store)
{
    np_body_chunk *chunk = body->first;
    body->first = chunk->next;
    if (!body->first)
        body->last = NULL;
    np_body_chunk_give(store, chunk);
}

size_t np_body_read(np_body *body, np_body_store *store, void *out, size_t capacity)
{
    unsigned char *to = out;
    size_t left = smaller(capacity, body->length);
    const size_t got = left;
    const size_t from_small = smaller(left, body->small_end - body->small_begin);
    if (from_small > 0) {
        memcpy(to, body->small + body->small_begin, from_small);
        body->small_begin += from_small;
        to += from_small;
        left -= from_small;
    }
    if (body->small_begin == body->small_end)
        body->small_begin = body->small_end = 0;
    while (left > 0) {
        np_body_chunk *chunk = body->first;
        const size_t n = smaller(left, chunk->end - chunk->begin);
        memcpy(to, chunk->bytes + chunk->begin, n);
        chunk->begin += n;
        to += n;
        left -= n;
        if (chunk->begin == chunk->end)
            chunk_drop_first(body, store);
    }
    body->length -= got;
    return got;
}

void np_body_clear(np_body *body, np_body_store *store)
{
    while (body->first)
        chunk_drop_first(body, store);
    body->small_begin = body->small_end = 0;
    body->length = 0;
}
