/* Phases by name, the cut, spans, the table of texts, packed events by hand. */
#include "pack.h"
#include "phases.h"
#include "producer.h"
#include "testdir.h"

#include <criterion/criterion.h>
#include <string.h>

Test(phase, names_letters_and_meanings_come_from_one_table)
{
    cr_assert_str_eq(np_phase_name(NP_PHASE_DNS), "dns");
    cr_assert_eq(np_phase_letter(NP_PHASE_TUNNEL), 'x');
    cr_assert_gt(strlen(np_phase_meaning(NP_PHASE_GAP)), 10);
    cr_assert_eq(NP_PHASE_GAP + 1, NP_PHASE_COUNT);
    cr_assert_str_eq(np_phase_name((np_phase)10), "?");
    cr_assert_eq(np_phase_letter((np_phase)-1), '?');
    cr_assert_str_eq(np_phase_meaning((np_phase)99), "");
}

/* --- the cut --- */

struct step {
    uint16_t type;
    uint64_t time_ns;
    uint64_t word;
};

#define BEGIN(at, p)                                                                               \
    {                                                                                              \
        NP_EVENT_PHASE_BEGIN, at, NP_PHASE_##p                                                     \
    }
#define END(at, p)                                                                                 \
    {                                                                                              \
        NP_EVENT_PHASE_END, at, NP_PHASE_##p                                                       \
    }

static np_cut cut_of(const struct step *steps, size_t count)
{
    np_cut cut;
    np_cut_init(&cut);
    for (size_t i = 0; i < count; i++) {
        const np_event event = {.type = steps[i].type,
                                .time_ns = steps[i].time_ns,
                                .source = NP_SOURCE_CALLBACK,
                                .uncertainty = 3,
                                .word = {steps[i].word}};
        np_cut_add(&cut, &event);
    }
    return cut;
}
#define CUT(...)                                                                                   \
    cut_of((const struct step[]){__VA_ARGS__},                                                     \
           sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))

static void assert_duration(const np_cut *cut, np_phase phase, int64_t at_ns, int64_t duration_ns)
{
    cr_assert(cut->present >> phase & 1, "%s is present", np_phase_name(phase));
    cr_assert_eq(cut->at_ns[phase], at_ns, "%s begins at %lld", np_phase_name(phase),
                 (long long)cut->at_ns[phase]);
    cr_assert_eq(cut->duration_ns[phase], duration_ns, "%s takes %lld", np_phase_name(phase),
                 (long long)cut->duration_ns[phase]);
}

Test(phases, new_connection)
{
    const np_cut cut =
        CUT({NP_EVENT_REQUEST_BEGIN, 1000, 0}, BEGIN(1010, DNS), END(1110, DNS),
            BEGIN(1115, CONNECT), BEGIN(1315, TLS), BEGIN(1715, SEND), BEGIN(1720, WAIT),
            BEGIN(2720, RECEIVE), END(2800, RECEIVE), {NP_EVENT_REQUEST_END, 2900, NP_OUTCOME_OK});

    assert_duration(&cut, NP_PHASE_QUEUE, 0, 10);
    assert_duration(&cut, NP_PHASE_DNS, 10, 100);
    assert_duration(&cut, NP_PHASE_GAP, 110, 5);
    assert_duration(&cut, NP_PHASE_CONNECT, 115, 200);
    assert_duration(&cut, NP_PHASE_TLS, 315, 400);
    assert_duration(&cut, NP_PHASE_SEND, 715, 5);
    assert_duration(&cut, NP_PHASE_WAIT, 720, 1000);
    assert_duration(&cut, NP_PHASE_RECEIVE, 1720, 80);
    cr_assert_eq(np_cut_total(&cut), 1800, "what came after receive is not the network's");
    cr_assert_eq(cut.cursor_ns, 2800);
    cr_assert_eq(cut.receive_end_ns, 2800);
    cr_assert_eq(cut.present & (1 << NP_PHASE_TUNNEL | 1 << NP_PHASE_PROXY), 0);
    cr_assert_eq(cut.flags, 0);
    cr_assert_eq(cut.source[NP_PHASE_DNS], NP_SOURCE_CALLBACK << 4 | 3);
    cr_assert_eq(cut.piece_count, 8);
    cr_assert_eq(cut.piece[2].phase, NP_PHASE_GAP);
    cr_assert_eq(cut.piece[2].start_ns, 1110);
    cr_assert_eq(cut.piece[2].duration_ns, 5);
}

Test(phases, failure_ends_at_the_end_of_the_request)
{
    const np_cut cut = CUT({NP_EVENT_REQUEST_BEGIN, 0, 0}, BEGIN(10, CONNECT),
                           {NP_EVENT_REQUEST_END, 50, NP_OUTCOME_FAILED});
    assert_duration(&cut, NP_PHASE_CONNECT, 10, 40);
    cr_assert_eq(np_cut_total(&cut), 50);

    const np_cut late = CUT({NP_EVENT_REQUEST_BEGIN, 0, 0}, BEGIN(10, RECEIVE), END(20, RECEIVE),
                            {NP_EVENT_REQUEST_END, 50, NP_OUTCOME_ABORTED});
    cr_assert_eq(np_cut_total(&late), 50);
    assert_duration(&late, NP_PHASE_GAP, 20, 30);
}

Test(phases, two_pieces_are_summed)
{
    const np_cut cut =
        CUT({NP_EVENT_REQUEST_BEGIN, 0, 0}, BEGIN(5, DNS), BEGIN(15, CONNECT), BEGIN(40, DNS),
            BEGIN(47, CONNECT), END(50, CONNECT), {NP_EVENT_REQUEST_END, 50, NP_OUTCOME_TIMEOUT});
    assert_duration(&cut, NP_PHASE_DNS, 5, 17);
    assert_duration(&cut, NP_PHASE_CONNECT, 15, 28);
    cr_assert_eq(cut.piece_count, 5);
    cr_assert_eq(cut.present >> NP_PHASE_GAP & 1, 0);
}

Test(phases, phase_without_length_is_present)
{
    const np_cut cut = CUT({NP_EVENT_REQUEST_BEGIN, 7, 0}, BEGIN(7, SEND), BEGIN(7, WAIT),
                           {NP_EVENT_REQUEST_END, 9, NP_OUTCOME_OK});
    assert_duration(&cut, NP_PHASE_QUEUE, 0, 0);
    assert_duration(&cut, NP_PHASE_SEND, 0, 0);
    assert_duration(&cut, NP_PHASE_WAIT, 0, 2);
}

Test(phases, time_that_goes_back_is_clamped_and_said)
{
    const np_cut cut = CUT({NP_EVENT_REQUEST_BEGIN, 100, 0}, BEGIN(150, WAIT), BEGIN(140, RECEIVE),
                           END(160, RECEIVE), {NP_EVENT_REQUEST_END, 160, NP_OUTCOME_OK});
    assert_duration(&cut, NP_PHASE_WAIT, 50, 0);
    assert_duration(&cut, NP_PHASE_RECEIVE, 50, 10);
    cr_assert_eq(cut.flags, NP_FLAG_CLAMPED);
}

Test(phases, early_response_is_said)
{
    const np_cut cut = CUT({NP_EVENT_REQUEST_BEGIN, 0, 0}, BEGIN(1, SEND), BEGIN(5, RECEIVE),
                           END(6, RECEIVE), {NP_EVENT_REQUEST_END, 6, NP_OUTCOME_OK});
    cr_assert_eq(cut.flags, NP_FLAG_EARLY_RESPONSE);
}

Test(phases, what_does_not_belong_is_ignored)
{
    const np_cut cut = CUT(
        BEGIN(1, DNS), {NP_EVENT_REQUEST_END, 2, 0}, {NP_EVENT_REQUEST_BEGIN, 100, 0},
        {NP_EVENT_REQUEST_BEGIN, 200, 0}, END(300, DNS), {NP_EVENT_PHASE_BEGIN, 400, NP_PHASE_GAP},
        {NP_EVENT_PHASE_BEGIN, 400, UINT64_MAX}, {NP_EVENT_PHASE_END, 400, NP_CUT_NONE},
        {NP_EVENT_HEADER, 500, 0}, {NP_EVENT_SPAN_BEGIN, 500, 2}, {NP_EVENT_CALLER, 1, 5},
        {999, 600, 0}, BEGIN(150, WAIT), {NP_EVENT_REQUEST_END, 160, NP_OUTCOME_FAILED},
        BEGIN(170, DNS), {NP_EVENT_REQUEST_END, 180, 0});
    assert_duration(&cut, NP_PHASE_QUEUE, 0, 50);
    assert_duration(&cut, NP_PHASE_WAIT, 50, 10);
    cr_assert_eq(np_cut_total(&cut), 60);
    cr_assert_eq(cut.present, 1 << NP_PHASE_QUEUE | 1 << NP_PHASE_WAIT);
    cr_assert_eq(cut.flags, 0);
}

Test(phases, close_ends_what_was_open_once)
{
    np_cut cut = CUT({NP_EVENT_REQUEST_BEGIN, 0, 0}, BEGIN(10, TLS));
    np_cut_close(&cut, 30);
    np_cut_close(&cut, 90);
    assert_duration(&cut, NP_PHASE_TLS, 10, 20);
    cr_assert_eq(np_cut_total(&cut), 30);

    np_cut empty;
    np_cut_init(&empty);
    np_cut_close(&empty, 30);
    cr_assert_eq(np_cut_total(&empty), 0);
    cr_assert_not(empty.begun);
}

Test(phases, more_pieces_than_listed_are_summed)
{
    struct step steps[100] = {
        {NP_EVENT_REQUEST_BEGIN, 0, 0}
    };
    for (size_t i = 1; i < 99; i++)
        steps[i] = (struct step){NP_EVENT_PHASE_BEGIN, i, i % 2 ? NP_PHASE_DNS : NP_PHASE_CONNECT};
    steps[99] = (struct step){NP_EVENT_REQUEST_END, 99, NP_OUTCOME_FAILED};

    const np_cut cut = cut_of(steps, 100);

    cr_assert_eq(cut.piece_count, NP_CUT_PIECES);
    cr_assert_eq(np_cut_total(&cut), 99);
    cr_assert_eq(cut.duration_ns[NP_PHASE_DNS], 49);
}

/* --- spans --- */

Test(producer, spans_are_numbered_and_joined)
{
    np_testdir dir;
    testdir_make(&dir);
    np_producer p = {.detail = NP_DETAIL_SPANS};
    cr_assert_eq(np_ring_create(testdir_path(&dir, "r"), &(np_ring_options){.slot_count = 64},
                                &p.ring, NULL),
                 NP_OK);

    const uint32_t lookup =
        np_emit_span_begin(&p, 10, 7, 3, NP_PHASE_DNS, NP_SPAN_LOOKUP, 0, "a.example");
    const uint32_t query =
        np_emit_span_begin(&p, 11, 7, 0, NP_PHASE_DNS, NP_SPAN_QUERY, lookup, NULL);
    np_emit_span_end(&p, 12, 7, query, NP_SPAN_NODATA, "{\"server\":\"127.0.0.1\"}");
    np_emit_span_end(&p, 13, 7, 0, NP_SPAN_OK, "{}");

    np_event event[8];
    cr_assert_eq(np_ring_read(p.ring, 0, event, 8), 3, "the end of span 0 is nothing");
    cr_assert(lookup != 0 && query != 0 && lookup != query);
    cr_assert_eq(event[0].type, NP_EVENT_SPAN_BEGIN);
    cr_assert_eq(event[0].span, lookup);
    cr_assert_eq(event[0].request, 7);
    cr_assert_eq(event[0].connection, 3);
    cr_assert_eq(event[0].word[0], NP_PHASE_DNS | NP_SPAN_LOOKUP << 8);
    cr_assert_eq(event[1].word[0], NP_PHASE_DNS | NP_SPAN_QUERY << 8 | (uint64_t)lookup << 32);
    cr_assert_eq(event[1].word[1], 0);
    cr_assert_eq(event[2].type, NP_EVENT_SPAN_END);
    cr_assert_eq(event[2].span, query);
    cr_assert_eq(event[2].word[0], NP_SPAN_NODATA);
    size_t length;
    cr_assert_eq(memcmp(np_ring_get(p.ring, event[0].word[1], &length), "a.example", 9), 0);
    cr_assert_eq(length, 9);
    np_ring_get(p.ring, event[2].word[1], &length);
    cr_assert_eq(length, strlen("{\"server\":\"127.0.0.1\"}"));
    np_ring_close(p.ring);
    testdir_remove(&dir);
}

Test(producer, without_spans_or_trace_there_are_none)
{
    np_testdir dir;
    testdir_make(&dir);
    np_producer p = {.detail = NP_DETAIL_PHASES};
    cr_assert_eq(
        np_ring_create(testdir_path(&dir, "r"), &(np_ring_options){.slot_count = 2}, &p.ring, NULL),
        NP_OK);

    cr_assert_eq(np_emit_span_begin(&p, 1, 1, 0, NP_PHASE_DNS, NP_SPAN_LOOKUP, 0, "x"), 0);
    cr_assert_eq(np_emit_span_begin(NULL, 1, 1, 0, NP_PHASE_DNS, NP_SPAN_LOOKUP, 0, "x"), 0);
    np_emit_span_end(NULL, 1, 1, 5, NP_SPAN_OK, NULL);
    np_emit(NULL, &(np_event){.type = NP_EVENT_CLOCK});
    np_emit_phase_begin(NULL, 1, 1, NP_PHASE_DNS, NP_SOURCE_CALL);
    np_emit_phase_end(NULL, 1, 1, NP_PHASE_DNS, NP_SOURCE_CALL);
    cr_assert_eq(np_producer_word(NULL, "x", 1), 0);
    cr_assert_eq(np_ring_head(p.ring), 0);

    p.detail = NP_DETAIL_SPANS;
    np_emit_phase_begin(&p, 1, 1, NP_PHASE_DNS, NP_SOURCE_CALL);
    np_emit_phase_end(&p, 2, 1, NP_PHASE_DNS, NP_SOURCE_CALL);
    cr_assert_eq(np_emit_span_begin(&p, 1, 1, 0, NP_PHASE_DNS, NP_SPAN_LOOKUP, 0, NULL), 0,
                 "its begin was lost");
    cr_assert_eq(np_ring_dropped(p.ring), 1);
    np_ring_close(p.ring);
    testdir_remove(&dir);
}

/* --- packed events --- */

Test(pack, table_of_texts_agrees_with_the_events)
{
    static const struct {
        uint16_t type;
        uint8_t expected;
    } cases[] = {
        {NP_EVENT_REQUEST_BEGIN,    0x07},
        {NP_EVENT_SPAN_BEGIN,       0x02},
        {NP_EVENT_SPAN_END,         0x02},
        {NP_EVENT_HEADER,           0x06},
        {NP_EVENT_REQUEST_END,      0x10},
        {NP_EVENT_CONNECTION_OPEN,  0x05},
        {NP_EVENT_CONNECTION_PEER,  0x03},
        {NP_EVENT_CONNECTION_TLS,   0x17},
        {NP_EVENT_CONNECTION_CLOSE, 8   },
        {NP_EVENT_PROXY,            2   },
        {NP_EVENT_PHASE_BEGIN,      0   },
        {NP_EVENT_TYPES,            0   },
        {UINT16_MAX,                0   },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(np_event_text_words(cases[i].type), cases[i].expected, "type %u",
                     cases[i].type);
}

Test(pack, usual_event_is_small)
{
    np_textbuf out;
    uint64_t last = 1000000000;
    np_textbuf_init(&out, 1000);
    np_pack_begin(&out, last);
    const size_t before = out.length;

    np_pack_add(&out, &last,
                &(np_event){.time_ns = 1000100000,
                            .request = 9000,
                            .type = NP_EVENT_PHASE_BEGIN,
                            .source = 4,
                            .uncertainty = 5,
                            .word = {3}},
                NULL, NULL);

    cr_assert_eq(last, 1000100000);
    cr_assert_eq(out.length - before, 9);
    np_textbuf_done(&out);
}

Test(pack, malformed_bytes_are_damage)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
    } cases[] = {
        {"empty",                    "",                                             0 },
        {"another version",          "\x02\x00",                                     2 },
        {"no base",                  "\x01",                                         1 },
        {"base does not end",        "\x01\x80",                                     2 },
        {"base too long",            "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11},
        {"type above 16 bits",       "\x01\x00\x80\x80\x08\x00\x00\x00",             8 },
        {"ends within",              "\x01\x00\x06\x00\x00",                         5 },
        {"a number is missing",      "\x01\x00\x06\x00\x00\x20",                     6 },
        {"request above 32 bits",    "\x01\x00\x06\x00\x00\x20\x80\x80\x80\x80\x10", 11},
        {"text behind the end",      "\x01\x00\x07\x00\x00\x02\x02\x05xx",           10},
        {"text that is not present", "\x01\x00\x07\x00\x00\x01\x02\x01",             8 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_unpack u;
        np_event event;
        char *const copy = malloc(cases[i].size ? cases[i].size : 1);
        memcpy(copy, cases[i].bytes, cases[i].size);
        if (np_unpack_begin(&u, copy, cases[i].size))
            cr_assert_not(np_unpack_next(&u, &event), "%s", cases[i].what);
        cr_assert(u.damaged, "%s", cases[i].what);
        free(copy);
    }
}
