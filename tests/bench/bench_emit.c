/*
 * What an event costs: np_emit with its stamp against reading the clock and storing 64 bytes, and
 * what it costs where nothing is traced. Short interleaved rounds; a figure is the ratio of two
 * neighbours.
 *
 * "Off" is an emit without a producer in a loop, less the same loop without it; the goal of a
 * nanosecond is told as a share of one read of the clock in the same round, which the report needs
 * to stay a ratio: 1 ns of 29 measured ones.
 */
#include "bench.h"
#include "clock.h"
#include "producer.h"
#include "testdir.h"

enum { ROUNDS = 101, EVENTS = 20000, SLOTS = 65536 };

/* Not inlined and told about all memory, so that no loop is moved out of or into another. */
#define MEASURED __attribute__((noinline))
static inline void keep_memory(void)
{
    __asm__ volatile("" ::: "memory");
}

static MEASURED uint64_t clock_and_store(np_event *slots)
{
    const uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < EVENTS; i++) {
        slots[i & (SLOTS - 1)] = (np_event){.time_ns = np_now(),
                                            .request = i,
                                            .type = NP_EVENT_PHASE_BEGIN,
                                            .source = NP_SOURCE_CALLBACK};
        keep_memory();
    }
    return bench_now_ns() - start;
}

static MEASURED uint64_t clock_and_emit(np_producer *producer)
{
    const uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < EVENTS; i++) {
        np_emit_phase_begin(producer, np_now(), i, NP_PHASE_DNS, NP_SOURCE_CALLBACK);
        keep_memory();
    }
    return bench_now_ns() - start;
}

static MEASURED uint64_t clock_alone(void)
{
    const uint64_t start = bench_now_ns();
    uint64_t sum = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        sum += np_now();
        keep_memory();
    }
    __asm__ volatile("" ::"r"(sum));
    return bench_now_ns() - start;
}

static MEASURED uint64_t emit_off(np_producer *const *producer)
{
    const uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < EVENTS; i++) {
        np_emit_phase_begin(*(np_producer *const volatile *)producer, i, i, NP_PHASE_DNS,
                            NP_SOURCE_CALLBACK);
        keep_memory();
    }
    return bench_now_ns() - start;
}

static MEASURED uint64_t load_alone(np_producer *const *producer)
{
    const uint64_t start = bench_now_ns();
    for (uint32_t i = 0; i < EVENTS; i++) {
        (void)*(np_producer *const volatile *)producer;
        keep_memory();
    }
    return bench_now_ns() - start;
}

int main(void)
{
    static bench_series emit, off, off_ns;
    np_testdir dir;
    np_producer producer = {.detail = NP_DETAIL_SPANS};
    np_producer *const none = NULL;
    np_error err = {0};
    np_event *const slots = calloc(SLOTS, sizeof *slots);

    testdir_make(&dir);
    if (!slots ||
        np_ring_create(testdir_path(&dir, "ring"), &(np_ring_options){.slot_count = SLOTS},
                       &producer.ring, &err) != NP_OK) {
        (void)fprintf(stderr, "bench_emit: %s\n", err.text);
        testdir_remove(&dir);
        free(slots);
        return 2;
    }
    memset(slots, 1, SLOTS * sizeof *slots); /* its pages are there, as the ring's are */

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t ours = i % 2 ? clock_and_emit(&producer) : 0;
        const uint64_t bare = clock_and_store(slots);
        if (i % 2 == 0)
            ours = clock_and_emit(&producer);
        np_ring_release(producer.ring, np_ring_head(producer.ring));
        bench_add(&emit, (double)ours / (double)bare);

        const double with = (double)emit_off(&none);
        const double without = (double)load_alone(&none);
        bench_add(&off, (with - without) / (double)clock_alone());
        bench_add(&off_ns, (with - without) / EVENTS);
    }
    if (np_ring_dropped(producer.ring) > 0)
        (void)fprintf(stderr, "bench_emit: events were dropped, the figure is of another path\n");

    int held = bench_line("emit / (clock + 64-byte store)", BENCH_AT_MOST, 1.2, &emit, "x");
    held &= bench_line("emit, not traced / clock", BENCH_AT_MOST, 1.0 / 29, &off, "x");
    (void)bench_line("emit, not traced", BENCH_NO_GOAL, 0, &off_ns, "ns");
    np_ring_close(producer.ring);
    testdir_remove(&dir);
    free(slots);
    return held ? 0 : 1;
}
