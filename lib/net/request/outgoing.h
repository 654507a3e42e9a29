/*
 * The bytes of a request's body between who writes them and the loop. Floor 2; guarded by the lock
 * of what it is part of.
 *
 * One list of chunks serves all write modes. What was written and not taken is bounded
 * (NP_OUTGOING_LIMIT, marks included) unless the body is gathered first; what was taken is given
 * back, or stays for a rewind (`kept`). `one_by_one`: every append has a mark of four bytes before
 * it, and one take hands out at most one append, since each is a chunk of the wire.
 */
#ifndef NP_NET_OUTGOING_H
#define NP_NET_OUTGOING_H

#include "body.h"
#include <stdint.h>

#define NP_OUTGOING_LIMIT (64u * 1024)
#define NP_OUTGOING_MARK  4u

typedef struct np_outgoing {
    bool one_by_one;
    bool kept;      /* a copy stays */
    bool unbounded; /* gathered first */
    bool discarded; /* nobody takes it any more: it is counted, and stored only for the copy */
    uint64_t written, taken; /* bytes of the body; `taken` since the last rewind */
    uint64_t stored, passed; /* with marks: in the list since its beginning; behind `at` */
    np_body_chunk *first, *last;
    np_body_chunk *at; /* holds the next byte to be taken; NULL: the first chunk to come */
    size_t offset;     /* of that byte in `at` */
    uint32_t left;     /* one_by_one: of the append that is being handed out */
} np_outgoing;

/* How much of `length` bytes may be appended now: all, a part, 0. Where one append is one chunk it
 * is all or nothing, as long as they fit at all. */
size_t np_outgoing_room(const np_outgoing *out, size_t length);
/* Was anything written that nobody has taken? */
static inline bool np_outgoing_holds_bytes(const np_outgoing *out)
{
    return !out->discarded && out->stored > out->passed;
}
/* All or nothing; false: no memory. */
bool np_outgoing_append(np_outgoing *out, np_body_store *store, const void *data, size_t length);
/* Up to `capacity` bytes; 0: there are none. */
size_t np_outgoing_take(np_outgoing *out, np_body_store *store, void *to, size_t capacity);

/* From the first byte again; false: it was taken and is gone. */
bool np_outgoing_rewind(np_outgoing *out);
/* No rewind will come. */
void np_outgoing_drop_copy(np_outgoing *out, np_body_store *store);
/* Nobody will take anything, but for a rewind where there is a copy. */
void np_outgoing_discard(np_outgoing *out, np_body_store *store);
/* Gives all memory back; the counts stay. */
void np_outgoing_clear(np_outgoing *out, np_body_store *store);

#endif
