/*
 * Packed events: whatever goes in comes out again; whatever else is read never leads outside of the
 * bytes (run this under the address sanitizer). A failure names the seed of its case; NP_SEED
 * begins elsewhere.
 */
#include "pack.h"
#include "random.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define CASES       3000
#define MOST_EVENTS 40
#define TEXT_BYTES  300

static uint64_t first_seed(void)
{
    const char *const text = getenv("NP_SEED");
    return text ? strtoull(text, NULL, 0) : 20260202;
}

/* A number of any size: each count of bits is as likely as the others. */
static uint64_t any_number(np_random *r)
{
    const uint64_t bits = np_random_below(r, 65);
    return bits == 0 ? 0 : np_random_next(r) >> (64 - bits);
}

/* The texts of these tests: a reference is a position and a length in one block of random bytes. */
struct texts {
    char bytes[TEXT_BYTES];
};

static const char *resolve(np_text_ref ref, size_t *length, void *user)
{
    const struct texts *const texts = user;
    *length = (size_t)(ref >> 32 & 0xff);
    return texts->bytes + (ref & 0x1f);
}

static np_event any_event(np_random *r)
{
    np_event event = {
        .time_ns = any_number(r),
        .request = (uint32_t)any_number(r),
        .connection = (uint32_t)any_number(r),
        .span = (uint32_t)any_number(r),
        .type = (uint16_t)(np_random_below(r, 10) ? np_random_below(r, NP_EVENT_TYPES)
                                                  : np_random_next(r)),
        .source = (uint8_t)any_number(r),
        .uncertainty = (uint8_t)any_number(r),
    };
    for (int i = 0; i < 5; i++)
        event.word[i] = any_number(r);
    return event;
}

static void pack_any(np_textbuf *out, np_random *r, np_event *events, size_t count,
                     struct texts *texts)
{
    const uint64_t base = any_number(r);
    uint64_t last = base;
    for (size_t i = 0; i < sizeof texts->bytes; i++)
        texts->bytes[i] = (char)np_random_next(r);
    np_textbuf_clear(out);
    np_pack_begin(out, base);
    for (size_t i = 0; i < count; i++) {
        events[i] = any_event(r);
        np_pack_add(out, &last, &events[i], resolve, texts);
        cr_assert_eq(last, events[i].time_ns);
    }
}

static void assert_same(const np_event *in, const np_event *out, const np_unpack *u,
                        struct texts *texts, uint64_t seed)
{
    const unsigned text_words = np_event_text_words(in->type);
    cr_assert(out->time_ns == in->time_ns && out->request == in->request &&
                  out->connection == in->connection && out->span == in->span &&
                  out->type == in->type && out->source == in->source &&
                  out->uncertainty == in->uncertainty,
              "seed %llu", (unsigned long long)seed);
    for (int i = 0; i < 5; i++) {
        if ((text_words >> i & 1) == 0) {
            cr_assert_eq(out->word[i], in->word[i], "seed %llu word %d", (unsigned long long)seed,
                         i);
            cr_assert_eq(u->length[i], 0, "seed %llu word %d", (unsigned long long)seed, i);
            continue;
        }
        size_t length = 0;
        const char *const text = in->word[i] ? resolve(in->word[i], &length, texts) : "";
        cr_assert_eq(out->word[i], 0, "seed %llu word %d", (unsigned long long)seed, i);
        cr_assert_eq(u->length[i], length, "seed %llu word %d", (unsigned long long)seed, i);
        cr_assert_eq(memcmp(u->text[i], text, length), 0, "seed %llu word %d",
                     (unsigned long long)seed, i);
    }
}

Test(pack, what_goes_in_comes_out)
{
    np_textbuf out;
    np_textbuf_init(&out, 1 << 20);
    for (uint64_t i = 0; i < CASES; i++) {
        const uint64_t seed = first_seed() + i;
        np_random r;
        np_random_seed(&r, seed);
        np_event events[MOST_EVENTS];
        struct texts texts;
        const size_t count = (size_t)np_random_below(&r, MOST_EVENTS + 1);
        pack_any(&out, &r, events, count, &texts);

        np_unpack u;
        np_event event;
        cr_assert(np_unpack_begin(&u, out.text, out.length), "seed %llu", (unsigned long long)seed);
        for (size_t j = 0; j < count; j++) {
            cr_assert(np_unpack_next(&u, &event), "seed %llu event %zu", (unsigned long long)seed,
                      j);
            assert_same(&events[j], &event, &u, &texts, seed);
        }
        cr_assert_not(np_unpack_next(&u, &event), "seed %llu", (unsigned long long)seed);
        cr_assert_not(u.damaged, "seed %llu", (unsigned long long)seed);
    }
    np_textbuf_done(&out);
}

/* Steps through bytes of exactly this size on the heap, touching all that it is given. */
static size_t walk(const char *bytes, size_t size)
{
    char *const copy = malloc(size ? size : 1);
    if (size > 0)
        memcpy(copy, bytes, size);
    np_unpack u;
    np_event event;
    size_t events = 0;
    volatile char sink;
    if (np_unpack_begin(&u, copy, size)) {
        while (np_unpack_next(&u, &event)) {
            events++;
            for (int i = 0; i < 5; i++)
                for (size_t j = 0; j < u.length[i]; j++)
                    sink = u.text[i][j];
            cr_assert_leq(events, size, "an event has at least a byte");
        }
    }
    cr_assert(u.damaged || u.at == u.end);
    (void)sink;
    free(copy);
    return events;
}

Test(pack, cut_and_changed_bytes_never_lead_outside)
{
    np_textbuf out;
    np_textbuf_init(&out, 1 << 20);
    size_t whole = 0;
    size_t events = 0;
    for (uint64_t i = 0; i < CASES; i++) {
        np_random r;
        np_random_seed(&r, first_seed() + i);
        np_event packed[MOST_EVENTS];
        struct texts texts;
        const size_t count = 1 + (size_t)np_random_below(&r, 8);
        pack_any(&out, &r, packed, count, &texts);
        whole += count;

        const uint64_t changes = np_random_below(&r, 6);
        for (uint64_t j = 0; j < changes; j++)
            out.text[np_random_below(&r, out.length)] = (char)np_random_next(&r);
        events +=
            walk(out.text,
                 np_random_below(&r, 2) ? out.length : (size_t)np_random_below(&r, out.length + 1));
    }
    cr_assert(events > whole / 10 && events < 4 * whole, "%zu events came out of %zu", events,
              whole);
    np_textbuf_done(&out);
}

Test(pack, random_bytes_never_lead_outside)
{
    for (uint64_t i = 0; i < CASES; i++) {
        np_random r;
        np_random_seed(&r, first_seed() + i);
        char bytes[400];
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] =
                (char)(np_random_below(&r, 3) ? np_random_below(&r, 32) : np_random_next(&r));
        bytes[0] = 1;
        walk(bytes, (size_t)np_random_below(&r, sizeof bytes + 1));
    }
}
