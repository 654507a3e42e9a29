/*
 * Drains rings into transactions. Floor 2. See collector.h.
 *
 * A drain: take in what the rings have (bounded by rows, so that a transaction stays small), mark
 * what pins a ring too long, write it all, move `ring.consumed` in the same transaction, commit,
 * and only then give the slots back. After a failure nothing was given back: the assemblies are as
 * ready as before, and the same is written again.
 */
#include "collector.h"

#include "clock.h"
#include "db.h"
#include "fail.h"
#include "fold.h"
#include "settle.h"

#include <stdlib.h>
#include <string.h>

#define NP_DRAIN_ROWS    10000 /* a transaction: more is not faster */
#define NP_DRAIN_EVENTS  32    /* copied from the ring at once: stays in the first cache */
#define NP_SLEEP_BUSY_NS (5 * NP_NS_PER_MS)
#define NP_SLEEP_SOME_NS (20 * NP_NS_PER_MS)
#define NP_SLEEP_IDLE_NS (50 * NP_NS_PER_MS)

typedef struct drain {
    np_trace_ring *rings; /* as they were at its start */
    uint64_t flush;       /* asked for before it began */
    size_t rows;
    uint64_t events;
    bool complete; /* every ring was read up to its head */
} drain;

/* ------------------------------------------------------------------------------------------------------------ reading */

static void read_ring(drain *d, np_trace_ring *ring)
{
    np_event events[NP_DRAIN_EVENTS];
    const bool finished =
        np_ring_is_finished(ring->ring); /* before the head: then that one is final */
    const uint64_t head = np_ring_head(ring->ring);
    while (ring->read < head && d->rows + ring->assembly->ended_count < NP_DRAIN_ROWS) {
        const size_t count = np_ring_read(ring->ring, ring->read, events, NP_DRAIN_EVENTS);
        if (count == 0)
            break;
        for (size_t i = 0; i < count; i++)
            np_assembly_add(ring->assembly, &events[i], ring->read + i, NULL);
        ring->read += count;
        d->events += count;
    }
    d->rows += ring->assembly->ended_count;
    if (ring->read < head) {
        d->complete = false;
    } else if (finished && !ring->finished) {
        ring->finished = true;
        np_assembly_interrupt(ring->assembly, ring->assembly->newest_ns,
                              np_ring_dropped(ring->ring) ? NP_FLAG_EVENTS_LOST : 0);
    }
}

/* How far a ring must be given back: half of its slots and of its bytes are for what is to come. */
static void spill_ring(np_trace_ring *ring, uint64_t now_ns)
{
    const np_ring_shared *shared = ((const np_ring_producer *)ring->ring)->shared;
    const uint64_t text_head = atomic_load_explicit(
        &shared->text_head, memory_order_acquire); /* pairs with np_ring_text */
    const uint64_t text_tail =
        atomic_load_explicit(&shared->text_tail, memory_order_relaxed); /* only we write it */
    const uint64_t half = np_ring_slots(ring->ring) / 2;
    uint64_t limit = ring->read > half ? ring->read - half : 0;
    if (text_head - text_tail > ring->text_bytes / 2)
        limit = ring->read;
    np_assembly_spill(ring->assembly, now_ns, limit, ring->read);
}

/* Takes in what there is; true when there is something to write. */
static bool gather(np_collector *collector, drain *d)
{
    bool any = false;
    (void)pthread_mutex_lock(&collector->lock);
    d->rings = collector->rings;
    d->flush = collector->flush_asked;
    (void)pthread_mutex_unlock(&collector->lock);
    d->complete = true;
    const uint64_t now_ns = np_now();
    for (np_trace_ring *ring = d->rings; ring; ring = ring->next) {
        read_ring(d, ring);
        spill_ring(ring, now_ns);
        ring->next_consumed = np_assembly_pin(ring->assembly, ring->read);
        ring->next_dropped = np_ring_dropped(ring->ring) + ring->assembly->lost;
        ring->changed = np_assembly_is_ready(ring->assembly) ||
                        ring->next_consumed != ring->consumed ||
                        ring->next_dropped != ring->dropped || ring->finished;
        any = any || ring->changed;
    }
    return any;
}

/* ------------------------------------------------------------------------------------------------------------ writing */

static np_status write_rings(np_collector *collector, const drain *d, np_written *written,
                             uint64_t *dropped, np_error *err)
{
    np_status status = NP_OK;
    for (np_trace_ring *ring = d->rings; ring && !status; ring = ring->next) {
        if (!ring->changed)
            continue;
        status = np_writer_store(collector->writer, ring->assembly, ring->read, written, err);
        if (!status)
            status = np_writer_ring(collector->writer, ring->row_id, ring->next_consumed,
                                    ring->next_dropped, ring->finished, err);
        *dropped += ring->next_dropped - ring->dropped;
    }
    return status;
}

static np_status write_all(np_collector *collector, const drain *d, np_written *written,
                           uint64_t *dropped, np_error *err)
{
    np_status status = np_writer_begin(collector->writer, err);
    if (!status)
        status = write_rings(collector, d, written, dropped, err);
    if (!status && (written->requests || *dropped))
        status = np_writer_run(collector->writer, collector->run_id, written, *dropped, err);
    if (!status)
        status = np_writer_commit(collector->writer, err);
    if (!status)
        return NP_OK;
    np_writer_rollback(collector->writer);
    for (np_trace_ring *ring = d->rings; ring; ring = ring->next)
        np_assembly_rolled_back(ring->assembly);
    return status;
}

static void free_ring(np_trace_ring *ring)
{
    np_assembly_free(ring->assembly);
    np_ring_close(ring->ring);
    free(ring);
}

/* What was committed is given back; rings whose producer has left go. */
static void settle(np_collector *collector, const drain *d, const np_written *written,
                   uint64_t dropped)
{
    (void)pthread_mutex_lock(&collector->lock);
    collector->counters.requests += written->requests;
    collector->counters.failed += written->failed;
    collector->counters.dropped += dropped;
    collector->counters.events += d->events;
    (void)pthread_mutex_unlock(&collector->lock);
    for (np_trace_ring *ring = d->rings, *next; ring; ring = next) {
        next = ring->next;
        if (!ring->changed)
            continue;
        np_assembly_committed(ring->assembly);
        np_ring_release(ring->ring, ring->next_consumed);
        ring->consumed = ring->next_consumed;
        ring->dropped = ring->next_dropped;
        if (!ring->finished)
            continue;
        (void)pthread_mutex_lock(&collector->lock);
        np_trace_ring **link = &collector->rings;
        while (*link != ring)
            link = &(*link)->next;
        *link = ring->next;
        (void)pthread_mutex_unlock(&collector->lock);
        np_ring_unlink(ring->ring);
        free_ring(ring);
    }
}

static void note_failure(np_collector *collector, const np_error *err)
{
    (void)pthread_mutex_lock(&collector->lock);
    if (!collector->failure.status)
        collector->failure = *err;
    (void)pthread_cond_broadcast(&collector->moved);
    (void)pthread_mutex_unlock(&collector->lock);
}

/* Into a file that was deleted or moved is still written, so that what there is can be kept; but it
 * is a failure from now on, so that nobody records hours for nothing. */
static void look_after_file(np_collector *collector)
{
    np_error err;
    if (!collector->failure.status && np_trace_file_check(&collector->file, &err))
        note_failure(collector, &err);
}

/* One transaction's worth. */
static np_status drain_once(np_collector *collector, drain *d)
{
    *d = (drain){0};
    np_error err = {0};
    np_written written = {0};
    uint64_t dropped = 0;
    if (gather(collector, d)) {
        const np_status status = write_all(collector, d, &written, &dropped, &err);
        if (status) {
            if (status != NP_E_OUTPUT &&
                status != NP_E_NO_MEMORY) /* a damaged file is one that cannot be written */
                err.status = NP_E_OUTPUT;
            note_failure(collector, &err);
            return status;
        }
        settle(collector, d, &written, dropped);
    }
    (void)pthread_mutex_lock(&collector->lock);
    if (d->complete && d->flush > collector->flush_done) {
        collector->flush_done = d->flush;
        (void)pthread_cond_broadcast(&collector->moved);
    }
    (void)pthread_mutex_unlock(&collector->lock);
    return NP_OK;
}

/* ----------------------------------------------------------------------------------------------------------- the thread */

static struct timespec time_after(int64_t ns)
{
    const uint64_t at = np_now() + (uint64_t)ns;
    return (struct timespec){.tv_sec = (time_t)(at / NP_NS_PER_S),
                             .tv_nsec = (long)(at % NP_NS_PER_S)};
}

/* Sleeps until woken or for `ns`; true when the trace is being closed. */
static bool sleep_for(np_collector *collector, int64_t ns, bool wake_for_flush)
{
    const struct timespec until = time_after(ns);
    (void)pthread_mutex_lock(&collector->lock);
    while (!collector->stopping && !collector->poked &&
           !(wake_for_flush && collector->flush_asked > collector->flush_done))
        if (pthread_cond_timedwait(&collector->wake, &collector->lock, &until) != 0)
            break;
    collector->poked = false;
    const bool stopping = collector->stopping;
    (void)pthread_mutex_unlock(&collector->lock);
    return stopping;
}

static int64_t next_sleep(const drain *d, int64_t last_ns)
{
    if (d->events > NP_RING_DEFAULT_SLOTS / 32)
        return NP_SLEEP_BUSY_NS;
    if (d->events > 0)
        return NP_SLEEP_SOME_NS;
    return last_ns + NP_SLEEP_BUSY_NS < NP_SLEEP_IDLE_NS ? last_ns + NP_SLEEP_BUSY_NS
                                                         : NP_SLEEP_IDLE_NS;
}

static void *collect(void *user)
{
    np_collector *collector = user;
    int64_t sleep_ns = NP_SLEEP_BUSY_NS;
    bool stopping = false;
    for (;;) {
        drain d;
        np_status status;
        do
            status = drain_once(collector, &d);
        while (!status && !d.complete);
        look_after_file(collector);
        /* `stopping` was read before the drain: everything pushed before the stop has been seen by
         * it. */
        if (stopping)
            break;
        sleep_ns = status ? NP_NS_PER_S : next_sleep(&d, sleep_ns);
        stopping = sleep_for(collector, sleep_ns, !status);
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------------- the outside */

np_status np_collector_start(np_collector *collector, np_error *err)
{
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&collector->lock, NULL); /* default ones: cannot fail on Linux */
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&collector->wake, &attributes);
    (void)pthread_cond_init(&collector->moved, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    collector->counters.run_id = collector->run_id;
    const int problem = pthread_create(&collector->thread, NULL, collect, collector);
    collector->started = problem == 0;
    return problem ? np_fail_os(err, NP_E_NO_MEMORY, problem, "no thread for the collector")
                   : NP_OK;
}

void np_collector_add(np_collector *collector, np_trace_ring *ring)
{
    (void)pthread_mutex_lock(&collector->lock);
    ring->next = collector->rings;
    collector->rings = ring;
    (void)pthread_mutex_unlock(&collector->lock);
}

void np_collector_poke(np_collector *collector)
{
    (void)pthread_mutex_lock(&collector->lock);
    collector->poked = true;
    (void)pthread_cond_signal(&collector->wake);
    (void)pthread_mutex_unlock(&collector->lock);
}

np_status np_collector_health(np_collector *collector, np_error *err)
{
    (void)pthread_mutex_lock(&collector->lock);
    const np_status status = collector->failure.status;
    if (status && err)
        *err = collector->failure;
    (void)pthread_mutex_unlock(&collector->lock);
    return status;
}

void np_collector_counters(np_collector *collector, np_trace_counters *out)
{
    (void)pthread_mutex_lock(&collector->lock);
    *out = collector->counters;
    (void)pthread_mutex_unlock(&collector->lock);
}

np_status np_collector_flush(np_collector *collector, np_error *err)
{
    (void)pthread_mutex_lock(&collector->lock);
    const uint64_t ours = ++collector->flush_asked;
    (void)pthread_cond_signal(&collector->wake);
    while (collector->flush_done < ours && !collector->failure.status)
        (void)pthread_cond_wait(&collector->moved, &collector->lock);
    const np_status status = collector->failure.status;
    if (status && err)
        *err = collector->failure;
    (void)pthread_mutex_unlock(&collector->lock);
    return status;
}

np_status np_collector_stop(np_collector *collector, np_error *err)
{
    (void)pthread_mutex_lock(&collector->lock);
    for (np_trace_ring *ring = collector->rings; ring; ring = ring->next)
        np_ring_finish(ring->ring); /* their contexts have been freed */
    collector->stopping = true;
    (void)pthread_cond_signal(&collector->wake);
    (void)pthread_mutex_unlock(&collector->lock);
    (void)pthread_join(collector->thread, NULL);
    collector->started = false;
    if (!collector->rings)
        return NP_OK;
    const np_status status = collector->failure.status ? collector->failure.status : NP_E_OUTPUT;
    if (err)
        *err = collector->failure;
    return status;
}

void np_collector_done(np_collector *collector)
{
    while (collector->rings) {
        np_trace_ring *ring = collector->rings;
        collector->rings = ring->next;
        free_ring(ring); /* its file stays: the next program that opens the trace brings it in */
    }
    np_writer_free(collector->writer);
    np_trace_file_close(&collector->file);
    np_db_close(collector->db);
    collector->writer = NULL;
    collector->db = NULL;
    if (collector->run_id) {
        (void)pthread_mutex_destroy(&collector->lock);
        (void)pthread_cond_destroy(&collector->wake);
        (void)pthread_cond_destroy(&collector->moved);
    }
}
