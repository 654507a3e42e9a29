/* The bytes of a request's body between who writes them and the loop. Floor 2. */
#include "outgoing.h"
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t mark_length(const np_outgoing *out)
{
    return out->one_by_one ? NP_OUTGOING_MARK : 0;
}

size_t np_outgoing_room(const np_outgoing *out, size_t length)
{
    if (out->unbounded || out->discarded)
        return length;
    const uint64_t waiting = out->stored - out->passed + mark_length(out);
    const size_t room = waiting < NP_OUTGOING_LIMIT ? NP_OUTGOING_LIMIT - (size_t)waiting : 0;
    const bool whole = out->one_by_one && length <= NP_OUTGOING_LIMIT - NP_OUTGOING_MARK;
    if (whole)
        return length <= room ? length : 0;
    return smaller(length, room);
}

/* Chunks for `length` bytes behind the last one; false: no memory, nothing was taken. */
static bool chunks_take(np_body_store *store, size_t length, np_body_chunk **first)
{
    np_body_chunk **end = first;
    *first = NULL;
    for (size_t got = 0; got < length; got += NP_BODY_CHUNK) {
        np_body_chunk *chunk = np_body_chunk_take(store);
        if (!chunk) {
            while (*first) {
                chunk = *first;
                *first = chunk->next;
                np_body_chunk_give(store, chunk);
            }
            return false;
        }
        *end = chunk;
        end = &chunk->next;
    }
    return true;
}

static void put(np_outgoing *out, const void *data, size_t length)
{
    const unsigned char *from = data;
    while (length > 0) {
        if (out->last->end == NP_BODY_CHUNK)
            out->last = out->last->next;
        const size_t n = smaller(length, NP_BODY_CHUNK - out->last->end);
        memcpy(out->last->bytes + out->last->end, from, n);
        out->last->end += n;
        out->stored += n;
        from += n;
        length -= n;
    }
}

bool np_outgoing_append(np_outgoing *out, np_body_store *store, const void *data, size_t length)
{
    if (out->discarded && !out->kept) {
        out->written += length;
        return true;
    }
    const uint32_t mark = (uint32_t)length;
    const size_t room = out->last ? NP_BODY_CHUNK - out->last->end : 0;
    const size_t needed = length + mark_length(out);
    np_body_chunk *more;
    if (!chunks_take(store, needed > room ? needed - room : 0, &more))
        return false;
    if (out->last)
        out->last->next = more;
    else
        out->first = out->last = more;
    if (!out->at) {
        out->at = out->first;
        out->offset = 0;
    }
    if (out->one_by_one)
        put(out, &mark, sizeof mark);
    put(out, data, length);
    out->written += length;
    return true;
}

/* Up to `length` bytes, marks too. */
static size_t get(np_outgoing *out, np_body_store *store, void *to, size_t length)
{
    unsigned char *p = to;
    size_t got = 0;
    while (got < length && out->passed < out->stored) {
        if (out->offset == NP_BODY_CHUNK) {
            np_body_chunk *done = out->at;
            out->at = done->next;
            out->offset = 0;
            if (!out->kept) {
                out->first = out->at;
                np_body_chunk_give(store, done);
            }
        }
        const size_t n = smaller(length - got, out->at->end - out->offset);
        memcpy(p + got, out->at->bytes + out->offset, n);
        out->offset += n;
        out->passed += n;
        got += n;
    }
    return got;
}

size_t np_outgoing_take(np_outgoing *out, np_body_store *store, void *to, size_t capacity)
{
    if (out->one_by_one && out->left == 0 &&
        get(out, store, &out->left, NP_OUTGOING_MARK) < NP_OUTGOING_MARK)
        return 0;
    const size_t got =
        get(out, store, to, out->one_by_one ? smaller(capacity, out->left) : capacity);
    out->left -= out->one_by_one ? (uint32_t)got : 0;
    out->taken += got;
    return got;
}

bool np_outgoing_rewind(np_outgoing *out)
{
    if (!out->kept)
        return out->taken == 0 && !out->discarded;
    out->discarded = false;
    out->at = out->first;
    out->offset = 0;
    out->left = 0;
    out->taken = out->passed = 0;
    return true;
}

void np_outgoing_drop_copy(np_outgoing *out, np_body_store *store)
{
    out->kept = false;
    while (out->first && out->first != out->at) {
        np_body_chunk *chunk = out->first;
        out->first = chunk->next;
        np_body_chunk_give(store, chunk);
    }
    if (out->discarded)
        np_outgoing_clear(out, store);
}

void np_outgoing_discard(np_outgoing *out, np_body_store *store)
{
    out->discarded = true;
    if (!out->kept)
        np_outgoing_clear(out, store);
}

void np_outgoing_clear(np_outgoing *out, np_body_store *store)
{
    while (out->first) {
        np_body_chunk *chunk = out->first;
        out->first = chunk->next;
        np_body_chunk_give(store, chunk);
    }
    out->last = out->at = NULL;
    out->offset = 0;
    out->left = 0;
    out->stored = out->passed = 0;
}
