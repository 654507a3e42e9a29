/* Several producers, a flushing thread and a reader at work on one trace: nothing is lost, nothing
 * doubled, no data race. */
#include "clock.h"
#include "folder.h"
#include "producer.h"
#include "trace_query.h"

#include <pthread.h>
#include <stdatomic.h>

#define PRODUCERS 4
#define REQUESTS  4000u

static char path[300];
static np_trace *trace;
static _Atomic int done;
static _Atomic uint64_t pushed;

static void must(int holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "stress_collector: %s\n", what);
    exit(1);
}

static void wait_for_room(np_producer *p)
{
    const np_ring_shared *shared = ((const np_ring_producer *)p->ring)->shared;
    while (atomic_load_explicit(&shared->head, memory_order_relaxed) -
               atomic_load_explicit(&shared->tail, memory_order_acquire) >
           512)
        (void)sched_yield();
}

static void *produce(void *user)
{
    np_producer *p;
    (void)user;
    must(np_producer_attach(trace, &p, NULL) == NP_OK, "attach");
    for (uint32_t i = 1; i <= REQUESTS; i++) {
        char path_text[32];
        const int length = snprintf(path_text, sizeof path_text, "/p/%u", i % 700);
        const np_text_ref get = np_ring_word(p->ring, "GET", 3),
                          origin = np_ring_word(p->ring, "http://h:80", 11);
        const np_text_ref where = i % 2 ? np_ring_word(p->ring, path_text, (size_t)length)
                                        : np_ring_text(p->ring, path_text, (size_t)length);
        wait_for_room(p);
        np_emit(p, &(np_event){
                       .time_ns = np_now(),
                       .request = i,
                       .type = NP_EVENT_REQUEST_BEGIN,
                       .word = {get, origin, where}
        });
        const uint32_t span =
            np_emit_span_begin(p, np_now(), i, 0, NP_PHASE_DNS, NP_SPAN_QUERY, 0, "A h");
        np_emit_span_end(p, np_now(), i, span, NP_SPAN_OK, "{}");
        np_emit(p, &(np_event){
                       .time_ns = np_now(),
                       .request = i,
                       .type = NP_EVENT_REQUEST_END,
                       .word = {0, 0, 1, 1}
        });
        (void)atomic_fetch_add(&pushed, 1);
    }
    np_producer_detach(trace, p);
    return NULL;
}

static void *flush(void *user)
{
    (void)user;
    while (!atomic_load(&done)) {
        const uint64_t before = atomic_load(&pushed);
        must(np_trace_flush(trace, NULL) == NP_OK, "flush");
        np_trace_counters counters = NP_TRACE_COUNTERS_INIT;
        np_trace_counters_get(trace, &counters);
        must(counters.requests + counters.dropped >= before,
             "a flush comes back after what was pushed before it is stored");
        must(np_trace_health(trace, NULL) == NP_OK, "health");
    }
    return NULL;
}

static void *read_on(void *user)
{
    int64_t last = 0;
    (void)user;
    while (!atomic_load(&done)) {
        const int64_t now = query_int(path, "SELECT count(*) FROM requests");
        must(now >= last, "rows never go away");
        must(query_int(path, "SELECT count(*) FROM problems") == 0,
             "no problems while it is written");
        last = now;
    }
    return NULL;
}

int main(void)
{
    char folder[256];
    pthread_t producers[PRODUCERS], flusher, reader;
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
    must(np_trace_open(path,
                       &(np_trace_options){.size = sizeof(np_trace_options), .ring_slots = 1024},
                       &trace, NULL) == NP_OK,
         "open");
    for (int i = 0; i < PRODUCERS; i++)
        must(pthread_create(&producers[i], NULL, produce, NULL) == 0, "thread");
    must(pthread_create(&flusher, NULL, flush, NULL) == 0 &&
             pthread_create(&reader, NULL, read_on, NULL) == 0,
         "thread");
    for (int i = 0; i < PRODUCERS; i++)
        (void)pthread_join(producers[i], NULL);
    atomic_store(&done, 1);
    (void)pthread_join(flusher, NULL);
    (void)pthread_join(reader, NULL);
    must(np_trace_close(trace, 0, NULL) == NP_OK, "close");

    must(query_int(path, "SELECT count(*) FROM request JOIN request_more USING (id) WHERE "
                         "span_count = 1 AND outcome = 0") == (int64_t)PRODUCERS * REQUESTS,
         "every request is there");
    must(query_int(path, "SELECT count(DISTINCT process_id || '/' || number) FROM request") ==
             (int64_t)PRODUCERS * REQUESTS,
         "once");
    must(query_int(path, "SELECT dropped FROM run") == 0, "nothing was dropped");
    must(query_int(path, "SELECT count(*) FROM problems") == 0, "no problems");
    must(folder_count(folder, "") == 1, "only the trace is left");
    folder_remove(folder);
    (void)printf("stress_collector: ok\n");
    return 0;
}
