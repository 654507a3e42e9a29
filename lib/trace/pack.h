/*
 * Events of one request as bytes: varints, times as differences, texts inline. For `request.detail`
 * and `running.events`. Floor 1; pure.
 *
 *   byte 1 (the version), base_ns, then a piece an event:
 *   type * 2 + has_texts, source (3 bits) uncertainty (8) rest of source (5), time difference to
 * the event before (zigzag, modulo 2^64), byte: which of word[0…4], request, connection, span are
 * not 0, byte (only with has_texts): which of the words are texts, then those that are not 0 in the
 * order request, connection, span, words; a text is its length and its bytes.
 *
 * All numbers but the bytes are varints, seven bits a byte, the lowest first. Which words are texts
 * is said in the data, so that a reader steps over events it does not know yet.
 */
#ifndef NP_TRACE_PACK_H
#define NP_TRACE_PACK_H

#include "event.h"
#include "textbuf.h"

/* Resolves a text reference of an event that is being packed. */
typedef const char *(*np_pack_text_fn)(np_text_ref ref, size_t *length, void *user);
/* base_ns: what the first time is counted from; *last_ns of np_pack_add begins with it. `text` may
 * be NULL: no texts are kept. */
void np_pack_begin(np_textbuf *out, uint64_t base_ns);
void np_pack_add(np_textbuf *out, uint64_t *last_ns, const np_event *event, np_pack_text_fn text,
                 void *user);

/* Steps through packed events. Texts of `event` are in text[i] / length[i] (by word index), its
   word[i] is 0 there. Hostile input: false at the end or at the first malformed byte (then
   `damaged` is set). */
typedef struct np_unpack {
    const uint8_t *at, *end;
    uint64_t last_ns;
    bool damaged;
    const char *text[5];
    size_t length[5];
} np_unpack;
bool np_unpack_begin(np_unpack *u, const void *data, size_t size);
bool np_unpack_next(np_unpack *u, np_event *event);

/* Which words of a type are texts, as a bit mask; from one table that pack.c and the collector
 * share. */
uint8_t np_event_text_words(uint16_t type);

#endif
