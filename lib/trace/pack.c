/* Events as bytes and back; the format is in pack.h. Floor 1; pure, any thread. */
#include "pack.h"

#include <string.h>

#define VERSION      1
#define VARINT_BYTES 10
#define PLAIN_BYTES  (8 * VARINT_BYTES + 16) /* an event without its texts */

enum { HAS_REQUEST = 1 << 5, HAS_CONNECTION = 1 << 6, HAS_SPAN = 1 << 7 };

#define W(i) (1u << (i))

/* The words that event.h calls "text". */
static const uint8_t text_words[NP_EVENT_TYPES] = {
    [NP_EVENT_REQUEST_BEGIN] = W(0) | W(1) | W(2),
    [NP_EVENT_SPAN_BEGIN] = W(1),
    [NP_EVENT_SPAN_END] = W(1),
    [NP_EVENT_HEADER] = W(1) | W(2),
    [NP_EVENT_REQUEST_END] = W(4),
    [NP_EVENT_CONNECTION_OPEN] = W(0) | W(2),
    [NP_EVENT_CONNECTION_PEER] = W(0) | W(1),
    [NP_EVENT_CONNECTION_TLS] = W(0) | W(1) | W(2) | W(4),
    [NP_EVENT_CONNECTION_CLOSE] = W(3),
    [NP_EVENT_PROXY] = W(1),
    [NP_EVENT_WIRE] = W(3),
};

uint8_t np_event_text_words(uint16_t type)
{
    return type < NP_EVENT_TYPES ? text_words[type] : 0;
}

/* --- packing --- */

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static void flush(np_textbuf *out, const uint8_t *bytes, const uint8_t *end)
{
    np_textbuf_add(out, (const char *)bytes, (size_t)(end - bytes));
}

void np_pack_begin(np_textbuf *out, uint64_t base_ns)
{
    uint8_t bytes[1 + VARINT_BYTES];
    bytes[0] = VERSION;
    flush(out, bytes, put_varint(bytes + 1, base_ns));
}

void np_pack_add(np_textbuf *out, uint64_t *last_ns, const np_event *event, np_pack_text_fn text,
                 void *user)
{
    const char *value[5];
    size_t length[5] = {0};
    const unsigned may_be_texts = np_event_text_words(event->type);
    unsigned present = (event->request ? HAS_REQUEST : 0u) |
                       (event->connection ? HAS_CONNECTION : 0u) | (event->span ? HAS_SPAN : 0u);
    unsigned texts = 0;
    for (int i = 0; i < 5; i++) {
        if ((may_be_texts & W(i)) == 0) {
            present |= event->word[i] ? W(i) : 0;
            continue;
        }
        value[i] = text && event->word[i] ? text(event->word[i], &length[i], user) : NULL;
        if (value[i] && length[i] > 0)
            texts |= W(i);
    }
    present |= texts;

    uint8_t bytes[PLAIN_BYTES];
    uint8_t *at = put_varint(bytes, (uint64_t)event->type << 1 | (texts != 0));
    at = put_varint(at, (event->source & 7u) | (uint64_t)event->uncertainty << 3 |
                            (uint64_t)(event->source >> 3) << 11);
    at = put_varint(at, zigzag(event->time_ns - *last_ns));
    *last_ns = event->time_ns;
    *at++ = (uint8_t)present;
    if (texts)
        *at++ = (uint8_t)texts;
    if (present & HAS_REQUEST)
        at = put_varint(at, event->request);
    if (present & HAS_CONNECTION)
        at = put_varint(at, event->connection);
    if (present & HAS_SPAN)
        at = put_varint(at, event->span);
    for (int i = 0; i < 5; i++) {
        if (texts & W(i)) {
            flush(out, bytes, put_varint(at, length[i]));
            np_textbuf_add(out, value[i], length[i]);
            at = bytes;
        } else if (present & W(i)) {
            at = put_varint(at, event->word[i]);
        }
    }
    flush(out, bytes, at);
}

/* --- unpacking: the bytes may be anything --- */

/* 0, with `damaged` set, for a number that does not end within the data or has more than 64 bits,
 * or is above `most`. */
static uint64_t take_varint(np_unpack *u, uint64_t most)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && u->at < u->end; shift += 7) {
        const uint64_t bits = *u->at & 0x7f;
        const bool last = (*u->at++ & 0x80) == 0;
        if (shift == 63 && bits > 1)
            break;
        value |= bits << shift;
        if (!last)
            continue;
        if (value > most)
            break;
        return value;
    }
    u->damaged = true;
    return 0;
}

static uint8_t take_byte(np_unpack *u)
{
    if (u->at < u->end)
        return *u->at++;
    u->damaged = true;
    return 0;
}

bool np_unpack_begin(np_unpack *u, const void *data, size_t size)
{
    memset(u, 0, sizeof *u);
    u->at = data;
    u->end = size > 0 ? u->at + size : u->at;
    if (take_byte(u) != VERSION)
        u->damaged = true;
    u->last_ns = take_varint(u, UINT64_MAX);
    return !u->damaged;
}

static void take_text(np_unpack *u, int i)
{
    const size_t length = (size_t)take_varint(
        u, (uint64_t)(u->end - u->at));      /* a bound above what is left behind the number … */
    if (length > (size_t)(u->end - u->at)) { /* … so asked again */
        u->damaged = true;
        return;
    }
    u->text[i] = (const char *)u->at;
    u->length[i] = length;
    u->at += length;
}

bool np_unpack_next(np_unpack *u, np_event *event)
{
    memset(event, 0, sizeof *event);
    for (int i = 0; i < 5; i++) {
        u->text[i] = "";
        u->length[i] = 0;
    }
    if (u->damaged || u->at == u->end)
        return false;

    const uint64_t type = take_varint(u, (uint64_t)UINT16_MAX << 1 | 1);
    const uint64_t stamp = take_varint(u, 0xffff);
    u->last_ns += unzigzag(take_varint(u, UINT64_MAX));
    const unsigned present = take_byte(u);
    const unsigned texts = type & 1 ? take_byte(u) : 0;
    if (texts & ~(present & 0x1fu))
        u->damaged = true;

    event->type = (uint16_t)(type >> 1);
    event->source = (uint8_t)((stamp & 7) | (stamp >> 11 << 3));
    event->uncertainty = (uint8_t)(stamp >> 3);
    event->time_ns = u->last_ns;
    if (present & HAS_REQUEST)
        event->request = (uint32_t)take_varint(u, UINT32_MAX);
    if (present & HAS_CONNECTION)
        event->connection = (uint32_t)take_varint(u, UINT32_MAX);
    if (present & HAS_SPAN)
        event->span = (uint32_t)take_varint(u, UINT32_MAX);
    for (int i = 0; i < 5; i++) {
        if (texts & W(i))
            take_text(u, i);
        else if (present & W(i))
            event->word[i] = take_varint(u, UINT64_MAX);
    }
    return !u->damaged;
}
