/*
 * One producer and one consumer on a small ring, at full speed: every event that was pushed arrives
 * once, in order, with its own texts, and what did not arrive was counted. The consumer sometimes
 * holds back, so that slots and bytes both run out. stress_ring [EVENTS]
 */
#include "clock.h"
#include "random.h"
#include "ring.h"
#include "testdir.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>

#define DEFAULT_EVENTS 3000000
#define BATCH          256

struct run {
    np_ring *ring;
    uint64_t events; /* to try to push */
    uint64_t pushed; /* the producer's own counts … */
    uint64_t lost_events;
    uint64_t lost_texts;
    uint64_t arrived; /* … and the consumer's */
    uint64_t without_text;
    uint64_t bad;
};

/* The text that belongs to a number: its length and its bytes follow from it. */
static size_t text_of(uint64_t number, char *out)
{
    const size_t length = 1 + (size_t)(number * 31 % 200);
    const size_t digits = (size_t)snprintf(out, 32, "%" PRIu64 " ", number);
    for (size_t i = digits; i < length; i++)
        out[i] = (char)('a' + (number + i) % 26);
    return length > digits ? length : digits;
}

static size_t word_of(uint64_t number, char *out)
{
    return (size_t)snprintf(out, 32, "word %" PRIu64, number % 6000);
}

static void *produce(void *user)
{
    struct run *const run = user;
    char text[256];
    char word[32];
    for (uint64_t i = 0; i < run->events; i++) {
        const size_t text_length = text_of(i, text);
        const size_t word_length = word_of(i, word);
        np_event event = {.time_ns = i, .request = 1, .type = NP_EVENT_HEADER};
        event.word[1] = np_ring_word(run->ring, word, word_length);
        event.word[2] = np_ring_text(run->ring, text, text_length);
        run->lost_texts += (event.word[1] == 0) + (event.word[2] == 0);
        if (np_ring_push(run->ring, &event)) {
            run->pushed++;
        } else {
            run->lost_events++;
            sched_yield();
        }
    }
    np_ring_finish(run->ring);
    return NULL;
}

static void check_text(struct run *run, np_text_ref ref, const char *expected,
                       size_t expected_length)
{
    size_t length;
    const char *const text = np_ring_get(run->ring, ref, &length);
    if (ref == 0)
        run->without_text++;
    else if (length != expected_length || memcmp(text, expected, length) != 0)
        run->bad++;
}

static void *consume(void *user)
{
    struct run *const run = user;
    np_event batch[BATCH];
    np_random r;
    uint64_t position = 0;
    uint64_t next = 0;
    np_random_seed(&r, 1);
    for (;;) {
        const bool finished =
            np_ring_is_finished(run->ring); /* asked before the head: what came before it is seen */
        const size_t count =
            np_ring_read(run->ring, position, batch, 1 + (size_t)np_random_below(&r, BATCH));
        for (size_t i = 0; i < count; i++) {
            char text[256];
            char word[32];
            const uint64_t number = batch[i].time_ns;
            if (number < next || number >= run->events || batch[i].type != NP_EVENT_HEADER) {
                run->bad++;
                continue;
            }
            next = number + 1;
            check_text(run, batch[i].word[1], word, word_of(number, word));
            check_text(run, batch[i].word[2], text, text_of(number, text));
        }
        run->arrived += count;
        position += count;
        if (np_random_below(&r, 8) != 0 || finished)
            np_ring_release(run->ring, position);
        if (count == 0 && finished)
            return NULL;
        if (count == 0) {
            np_ring_release(run->ring, position);
            sched_yield();
        }
    }
}

int main(int argc, char **argv)
{
    np_testdir dir;
    testdir_make(&dir);
    const np_ring_options options = {.slot_count = 1024, .text_bytes = 65536};
    struct run run = {.events = argc > 1 ? strtoull(argv[1], NULL, 10) : DEFAULT_EVENTS};
    np_error err = {0};
    if (np_ring_create(testdir_path(&dir, "r"), &options, &run.ring, &err) != NP_OK) {
        printf("%s: %s\n", err.text, err.cause);
        testdir_remove(&dir);
        return 1;
    }

    pthread_t producer, consumer;
    if (pthread_create(&producer, NULL, produce, &run) != 0 ||
        pthread_create(&consumer, NULL, consume, &run) != 0)
        abort();
    pthread_join(producer, NULL);
    pthread_join(consumer, NULL);

    const uint64_t dropped = np_ring_dropped(run.ring);
    printf("%" PRIu64 " events: %" PRIu64 " pushed, %" PRIu64 " arrived, %" PRIu64 " lost, %" PRIu64
           " texts lost, %" PRIu64 " bad, dropped %" PRIu64 "\n",
           run.events, run.pushed, run.arrived, run.lost_events, run.lost_texts, run.bad, dropped);
    const bool right =
        run.bad == 0 && run.arrived == run.pushed && run.pushed + run.lost_events == run.events &&
        run.pushed > 0 && dropped == run.lost_events + run.lost_texts &&
        run.without_text <= run.lost_texts && np_ring_tail(run.ring) == np_ring_head(run.ring);
    np_ring_close(run.ring);
    testdir_remove(&dir);
    return right ? 0 : 1;
}
