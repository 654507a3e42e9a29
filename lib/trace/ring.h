/*
 * The ring: events from one producer thread to one consumer, in a file mapping that outlives the
 * producer. Floor 1.
 *
 *   file:  | header page | dictionary | bytes (ring of texts) | slots[slot_count] |     allocated,
 * not sparse; mode 0600
 *
 * - One producer thread pushes, one consumer reads. Positions only grow (64 bits); slot = position
 * % slot_count.
 * - The consumer reads ahead of `tail` as far as `head` (np_ring_read) and gives slots and the
 * texts that their events refer to back with np_ring_release once what it read is stored. A full
 * ring drops the event and counts it.
 * - Texts: np_ring_word keeps short repeated ones in an append-only dictionary (a reference stays
 * valid for ever); np_ring_text copies into the ring of bytes (valid until its event is released).
 * Where neither has room the text is lost (reference 0) and counted as a drop. A text belongs to
 * the event that is pushed next: make the texts of an event right before its push, with no other
 * push in between (releasing an event releases every byte up to the end of its last text).
 * - The owner holds a lock (OFD) on the file: no lock means left over. A left-over file is hostile
 * input: np_ring_open checks the header, and every read of a reference is bounds-checked.
 */
#ifndef NP_TRACE_RING_H
#define NP_TRACE_RING_H

#include "event.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define NP_RING_DEFAULT_SLOTS    65536u
#define NP_RING_DICTIONARY_BYTES (256u * 1024)
#define NP_RING_TEXT_MAX         (64u * 1024) /* longer texts are cut */

typedef struct np_ring np_ring;

typedef struct np_ring_options {
    uint32_t slot_count; /* a power of two; 0: the default */
    uint32_t text_bytes; /* size of the ring of bytes, a power of two; 0: slot_count * 16, at least
                            1 MiB */
} np_ring_options;

/* Makes, allocates, maps, locks and touches a ring file. NP_E_OUTPUT with "no room for a ring of N
 * MiB beside TRACE" where the disk is full. */
np_status np_ring_create(const char *path, const np_ring_options *options, np_ring **out,
                         np_error *err);

/* Opens a left-over ring for reading: what is read and released from then on is a copy in memory,
   the file only stays locked. A file that is refused must not be removed: it may be a ring that is
   just being made. NP_E_INVALID_OPERATION while its owner lives, NP_E_INPUT when it is no ring of
   ours or damaged. */
np_status np_ring_open(const char *path, np_ring **out, np_error *err);

void np_ring_close(np_ring *ring);  /* unmaps, unlocks; the file stays. NULL allowed */
void np_ring_unlink(np_ring *ring); /* removes the file; before close */
const char *np_ring_path(const np_ring *ring);
const char *np_ring_generation(const np_ring *ring); /* 32 hex digits, random, also in the header */
uint32_t np_ring_slots(const np_ring *ring);

/* --- producer thread only --- */
typedef struct np_ring_shared { /* what both sides and the file share; each on a cache line of its
                                   own */
    _Alignas(64) _Atomic uint64_t head; /* slots filled; written by the producer */
    _Alignas(64) _Atomic uint64_t tail; /* slots given back; written by the consumer */
    _Alignas(64) _Atomic uint64_t text_head;
    _Alignas(64) _Atomic uint64_t text_tail;
    _Alignas(64) _Atomic uint64_t dropped; /* written by the producer */
    _Atomic uint32_t dictionary_used;
    _Atomic uint32_t closed; /* the producer said good-bye: nothing more will come */
} np_ring_shared;

typedef struct np_ring_producer { /* the first member of np_ring: what a push needs, in one line */
    np_ring_shared *shared;
    np_event *slots;
    uint64_t head;        /* = shared->head, ours */
    uint64_t cached_tail; /* the real tail is read only when this one says full */
    uint64_t mask;
} np_ring_producer;

/* Field by field: the compiler then builds an event of constants and registers in the slot itself.
   Copied as a whole it is made on the stack in small stores and read back in large loads, which
   waits for the stores to retire: 20 ns an event. */
static inline void np_ring_fill(np_event *slot, const np_event *event)
{
    slot->time_ns = event->time_ns;
    slot->request = event->request;
    slot->connection = event->connection;
    slot->span = event->span;
    slot->type = event->type;
    slot->source = event->source;
    slot->uncertainty = event->uncertainty;
    slot->word[0] = event->word[0];
    slot->word[1] = event->word[1];
    slot->word[2] = event->word[2];
    slot->word[3] = event->word[3];
    slot->word[4] = event->word[4];
}

/* Never waits, never allocates. false: full, the event was dropped and counted. */
static inline bool np_ring_push(np_ring *ring, const np_event *event)
{
    np_ring_producer *p = (np_ring_producer *)ring;
    if (__builtin_expect(p->head - p->cached_tail > p->mask, 0)) {
        p->cached_tail = atomic_load_explicit(
            &p->shared->tail,
            memory_order_acquire); /* pairs with np_ring_release: the slot is free */
        if (p->head - p->cached_tail > p->mask) {
            atomic_fetch_add_explicit(&p->shared->dropped, 1, memory_order_relaxed);
            return false;
        }
    }
    np_ring_fill(&p->slots[p->head & p->mask], event);
    p->head++;
    atomic_store_explicit(&p->shared->head, p->head,
                          memory_order_release); /* pairs with np_ring_read: the slot is filled */
    return true;
}

np_text_ref np_ring_word(np_ring *ring, const char *text,
                         size_t length); /* short and repeated: methods, origins, paths, versions */
np_text_ref np_ring_text(np_ring *ring, const char *text, size_t length); /* anything else */
void np_ring_finish(np_ring *ring);                                       /* sets `closed` */

/* --- consumer only --- */
uint64_t np_ring_head(const np_ring *ring);
uint64_t np_ring_tail(const np_ring *ring);
uint64_t np_ring_dropped(const np_ring *ring);
bool np_ring_is_finished(const np_ring *ring);
/* Copies up to `max` events from position `from` (tail … head) into out[]; returns how many. */
size_t np_ring_read(const np_ring *ring, uint64_t from, np_event *out, size_t max);
/* The text of a reference in an event not yet released; length 0 and "" for 0 or a reference that
 * is out of bounds. Not NUL-terminated. */
const char *np_ring_get(const np_ring *ring, np_text_ref ref, size_t *length);
bool np_text_ref_is_word(np_text_ref ref); /* in the dictionary: the same reference always means the
                                              same text in this ring */
/* Gives back every slot before `to`, and the texts of their events. */
void np_ring_release(np_ring *ring, uint64_t to);

#endif
