/*
 * The cut of a request, against any order and any times of events, and against a plain second
 * account of legal ones. Runs CASES cases from SEED, or from NP_SEED where that is set; a failure
 * names the seed of its case.
 */
#include "phases.h"
#include "random.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define CASES      30000
#define MOST_STEPS 60

static uint64_t first_seed(void)
{
    const char *const text = getenv("NP_SEED");
    return text ? strtoull(text, NULL, 0) : 20260101;
}

/* Everything that holds for a finished cut, whatever its events were. */
static void assert_sound(const np_cut *cut, uint64_t seed)
{
    unsigned __int128 sum = 0;
    int64_t listed[NP_PHASE_COUNT] = {0};
    for (int i = 0; i < NP_PHASE_COUNT; i++) {
        cr_assert_geq(cut->duration_ns[i], 0, "seed %llu: %s is negative", (unsigned long long)seed,
                      np_phase_name((np_phase)i));
        sum += (unsigned __int128)cut->duration_ns[i];
        if ((cut->present >> i & 1) == 0)
            cr_assert_eq(cut->duration_ns[i], 0, "seed %llu: absent %s has time",
                         (unsigned long long)seed, np_phase_name((np_phase)i));
    }
    cr_assert_eq(cut->present >> NP_PHASE_GAP & 1, cut->duration_ns[NP_PHASE_GAP] > 0,
                 "seed %llu: gap", (unsigned long long)seed);
    cr_assert(sum == cut->cursor_ns - cut->start_ns, "seed %llu: the sum is not the total",
              (unsigned long long)seed);
    cr_assert(sum == (unsigned __int128)np_cut_total(cut), "seed %llu: np_cut_total",
              (unsigned long long)seed);

    cr_assert_geq(cut->cursor_ns, cut->start_ns, "seed %llu: the end lies before the start",
                  (unsigned long long)seed);
    uint64_t at = cut->start_ns;
    for (int i = 0; i < cut->piece_count; i++) {
        const np_cut_piece *const piece = &cut->piece[i];
        cr_assert_lt(piece->phase, NP_PHASE_COUNT, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(piece->start_ns, at,
                     "seed %llu: piece %d does not begin where the one before it ended",
                     (unsigned long long)seed, i);
        cr_assert_geq(piece->duration_ns, 0, "seed %llu: piece %d", (unsigned long long)seed, i);
        if (listed[piece->phase] == 0 && piece->duration_ns > 0)
            cr_assert_leq((uint64_t)cut->at_ns[piece->phase], at - cut->start_ns,
                          "seed %llu: piece %d", (unsigned long long)seed, i);
        listed[piece->phase] += piece->duration_ns;
        at += (uint64_t)piece->duration_ns;
    }
    for (int i = 0; i < NP_PHASE_COUNT; i++) {
        if (cut->piece_count < NP_CUT_PIECES)
            cr_assert_eq(listed[i], cut->duration_ns[i], "seed %llu: pieces of %s",
                         (unsigned long long)seed, np_phase_name((np_phase)i));
        else
            cr_assert_leq(listed[i], cut->duration_ns[i], "seed %llu: pieces of %s",
                          (unsigned long long)seed, np_phase_name((np_phase)i));
    }
    if (cut->piece_count < NP_CUT_PIECES)
        cr_assert_eq(at, cut->cursor_ns, "seed %llu: the pieces end elsewhere",
                     (unsigned long long)seed);
}

static uint64_t any_time(np_random *r, uint64_t now)
{
    switch (np_random_below(r, 10)) {
    case 0:
        return np_random_next(r);
    case 1:
        return now - np_random_below(r, 1000000);
    case 2:
        return np_random_below(r, 2) ? UINT64_MAX : 0;
    case 3:
        return (uint64_t)INT64_MAX + np_random_below(r, 3);
    case 4:
        return now;
    default:
        return now + np_random_below(r, 5000000);
    }
}

static np_event any_event(np_random *r, uint64_t *now)
{
    static const uint16_t types[] = {NP_EVENT_REQUEST_BEGIN, NP_EVENT_PHASE_BEGIN,
                                     NP_EVENT_PHASE_BEGIN,   NP_EVENT_PHASE_BEGIN,
                                     NP_EVENT_PHASE_END,     NP_EVENT_PHASE_END,
                                     NP_EVENT_SPAN_BEGIN,    NP_EVENT_HEADER,
                                     NP_EVENT_CALLER,        999};
    *now = any_time(r, *now);
    return (np_event){
        .type = np_random_below(r, 40) ? types[np_random_below(r, 10)] : NP_EVENT_REQUEST_END,
        .time_ns = *now,
        .source = (uint8_t)np_random_below(r, 256),
        .uncertainty = (uint8_t)np_random_below(r, 256),
        .word = {np_random_below(r, 20) ? np_random_below(r, NP_PHASE_COUNT + 1)
                                        : np_random_next(r)},
    };
}

Test(phases, any_events_give_phases_that_add_up)
{
    for (uint64_t i = 0; i < CASES; i++) {
        const uint64_t seed = first_seed() + i;
        np_random r;
        np_random_seed(&r, seed);
        uint64_t now = np_random_below(&r, 3) ? np_random_below(&r, 1u << 30) : np_random_next(&r);
        np_cut cut;
        np_cut_init(&cut);
        if (np_random_below(&r, 10))
            np_cut_add(&cut, &(np_event){.type = NP_EVENT_REQUEST_BEGIN, .time_ns = now});
        const uint64_t steps = np_random_below(&r, MOST_STEPS);
        for (uint64_t j = 0; j < steps; j++) {
            const np_event event = any_event(&r, &now);
            np_cut_add(&cut, &event);
            assert_sound(&cut, seed); /* at every instant, not only at the end */
        }
        np_cut_close(&cut, any_time(&r, now));
        cr_assert(cut.ended);
        assert_sound(&cut, seed);

        const np_cut before = cut;
        const np_event event = any_event(&r, &now);
        np_cut_add(&cut, &event);
        cr_assert_eq(memcmp(&cut, &before, sizeof cut), 0,
                     "seed %llu: an event after the end counted", (unsigned long long)seed);
    }
}

/* A legal request is made together with what has to come out of it: a second account that knows
 * only additions. */
struct account {
    np_cut cut;
    uint64_t start, now;
    int open;
    int64_t duration[NP_PHASE_COUNT];
    int64_t at[NP_PHASE_COUNT];
    unsigned present;
};

static void tell(struct account *a, uint16_t type, uint64_t word)
{
    np_cut_add(&a->cut, &(np_event){.type = type, .time_ns = a->now, .word = {word}});
}

static void pass(struct account *a, int phase, uint64_t ns)
{
    if (phase == NP_PHASE_GAP && ns == 0)
        return;
    if ((a->present >> phase & 1) == 0) {
        a->present |= 1u << phase;
        a->at[phase] = (int64_t)(a->now - a->start);
    }
    a->duration[phase] += (int64_t)ns;
    a->now += ns;
}

static void go_to(struct account *a, np_random *r, int phase)
{
    pass(a, a->open, np_random_below(r, 1u << 30));
    if (np_random_below(r, 2)) { /* an end of its own, and perhaps a little that is nobody's */
        tell(a, NP_EVENT_PHASE_END, (uint64_t)a->open);
        pass(a, NP_PHASE_GAP, np_random_below(r, 5));
    }
    tell(a, NP_EVENT_PHASE_BEGIN, (uint64_t)phase);
    a->open = phase;
}

static void make_legal_request(struct account *a, np_random *r)
{
    memset(a, 0, sizeof *a);
    np_cut_init(&a->cut);
    a->start = a->now = np_random_next(r) >> 2;
    a->open = NP_PHASE_QUEUE;
    tell(a, NP_EVENT_REQUEST_BEGIN, 0);

    const uint64_t proxies =
        np_random_below(r, 4); /* tried in turn: dns and connect come once for each */
    const bool is_new = np_random_below(r, 3) > 0;
    for (uint64_t i = 0; is_new && i <= proxies; i++) {
        if (np_random_below(r, 2))
            go_to(a, r, NP_PHASE_DNS);
        go_to(a, r, NP_PHASE_CONNECT);
    }
    if (is_new && proxies > 0)
        go_to(a, r, NP_PHASE_TUNNEL);
    if (is_new && np_random_below(r, 2))
        go_to(a, r, NP_PHASE_TLS);
    go_to(a, r, NP_PHASE_SEND);
    go_to(a, r, NP_PHASE_WAIT);
    if (np_random_below(r, 4))
        go_to(a, r, NP_PHASE_RECEIVE);

    const uint64_t outcome = np_random_below(r, 5);
    pass(a, a->open, np_random_below(r, 1u << 30));
    tell(a, NP_EVENT_PHASE_END, (uint64_t)a->open);
    const uint64_t told_later = np_random_below(r, 1000);
    if (outcome != NP_OUTCOME_OK || a->open != NP_PHASE_RECEIVE)
        pass(a, NP_PHASE_GAP, told_later);
    else
        a->now += told_later; /* the answer was complete before */
    tell(a, NP_EVENT_REQUEST_END, outcome);
}

Test(phases, legal_requests_give_exactly_the_expected_figures)
{
    for (uint64_t i = 0; i < CASES; i++) {
        const uint64_t seed = first_seed() + i;
        np_random r;
        np_random_seed(&r, seed);
        struct account a;

        make_legal_request(&a, &r);

        cr_assert(a.cut.ended);
        cr_assert_eq(a.cut.flags, 0, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(a.cut.present, a.present, "seed %llu: present %x, expected %x",
                     (unsigned long long)seed, a.cut.present, a.present);
        for (int phase = 0; phase < NP_PHASE_COUNT; phase++) {
            cr_assert_eq(a.cut.duration_ns[phase], a.duration[phase], "seed %llu: %s",
                         (unsigned long long)seed, np_phase_name((np_phase)phase));
            if (a.present >> phase & 1)
                cr_assert_eq(a.cut.at_ns[phase], a.at[phase], "seed %llu: %s",
                             (unsigned long long)seed, np_phase_name((np_phase)phase));
        }
        assert_sound(&a.cut, seed);
    }
}
