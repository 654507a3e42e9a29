/*
 * Ingest: rows and column chunks in one transaction, as the collector writes them, against the best
 * layout with a row an event (8 rows an INSERT, no index, same pragmas and transactions). Both read
 * the same events from a ring of the same size; only that part is timed, from the ring to the
 * closed file. 8 events a request, 1,000 paths, 2 % of the requests on new connections (with set-up
 * phases and three spans).
 */
#include "assemble.h"
#include "bench.h"
#include "clock.h"
#include "db.h"
#include "fold.h"
#include "folder.h"
#include "producer.h"
#include "run.h"
#include "settle.h"
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REQUESTS 200000u
#define BATCH    1000u /* requests between two drains: the ring never overflows */
#define ROUNDS   5
#define PATHS    1000u

struct measure {
    uint64_t wall_ns, cpu_ns;
    uint64_t events;
    int64_t bytes;
};

static void must(np_status status, const np_error *err)
{
    if (!status)
        return;
    (void)fprintf(stderr, "bench_ingest: %s (%s)\n", err->text, err->cause);
    exit(1);
}

/* ------------------------------------------------------------------------------------------------------------ the events */

struct feed {
    np_producer producer;
    np_text_ref get, origin, paths[PATHS];
    uint64_t now_ns;
    uint32_t connection, uses;
};

static void feed_begin(struct feed *feed, np_ring *ring)
{
    *feed = (struct feed){
        .producer = {.ring = ring, .detail = NP_DETAIL_SPANS},
          .now_ns = np_now()
    };
    feed->get = np_ring_word(ring, "GET", 3);
    feed->origin = np_ring_word(ring, "http://127.0.0.1:8080", 21);
    for (unsigned i = 0; i < PATHS; i++) {
        char path[64];
        const int length = snprintf(path, sizeof path, "/items/%u/some/thing", i);
        feed->paths[i] = np_ring_word(ring, path, (size_t)length);
    }
}

static void phase_ends(struct feed *feed, uint32_t number, np_phase phase, uint64_t ns)
{
    feed->now_ns += ns;
    np_emit_phase_end(&feed->producer, feed->now_ns, number, phase, NP_SOURCE_CALLBACK);
}

static void phase_begins(struct feed *feed, uint32_t number, np_phase phase)
{
    np_emit_phase_begin(&feed->producer, feed->now_ns, number, phase, NP_SOURCE_CALLBACK);
}

static void set_up(struct feed *feed, uint32_t number)
{
    static const struct {
        np_phase phase;
        np_span_kind kind;
        const char *name;
    } spans[] = {
        {NP_PHASE_DNS,     NP_SPAN_QUERY,   "A host.example"   },
        {NP_PHASE_DNS,     NP_SPAN_QUERY,   "AAAA host.example"},
        {NP_PHASE_CONNECT, NP_SPAN_ATTEMPT, "127.0.0.1:8080"   }
    };
    const uint32_t connection = feed->connection = ++feed->producer.last_connection;
    feed->uses = 0;
    np_emit(&feed->producer, &(np_event){
                                 .time_ns = feed->now_ns,
                                 .request = number,
                                 .connection = connection,
                                 .type = NP_EVENT_CONNECTION_OPEN,
                                 .word = {feed->origin, NP_NEW_FIRST}
    });
    uint32_t ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = np_emit_span_begin(&feed->producer, feed->now_ns, number, connection,
                                    spans[i].phase, spans[i].kind, 0, spans[i].name);
    phase_begins(feed, number, NP_PHASE_DNS);
    phase_ends(feed, number, NP_PHASE_DNS, 700000);
    phase_begins(feed, number, NP_PHASE_CONNECT);
    phase_ends(feed, number, NP_PHASE_CONNECT, 90000);
    for (int i = 0; i < 3; i++)
        np_emit_span_end(&feed->producer, feed->now_ns, number, ids[i], NP_SPAN_OK,
                         "{\"server\":\"127.0.0.1:53\",\"rcode\":0}");
    np_emit(&feed->producer,
            &(np_event){
                .time_ns = feed->now_ns,
                .connection = connection,
                .type = NP_EVENT_CONNECTION_PEER,
                .word = {np_ring_word(feed->producer.ring, "127.0.0.1:8080", 14),
                         np_ring_text(feed->producer.ring, "127.0.0.1:41000", 15)}
    });
    np_emit(&feed->producer, &(np_event){.time_ns = feed->now_ns,
                                         .connection = connection,
                                         .type = NP_EVENT_CONNECTION_READY,
                                         .word = {11}});
}

/* Eight events, and those of a set-up for every fiftieth. */
static void push_request(struct feed *feed)
{
    const uint32_t number = ++feed->producer.last_request;
    const uint64_t jitter = number * UINT64_C(2654435761) % 65536;
    np_emit(&feed->producer,
            &(np_event){
                .time_ns = feed->now_ns,
                .request = number,
                .type = NP_EVENT_REQUEST_BEGIN,
                .source = NP_SOURCE_CALL,
                .word = {feed->get, feed->origin, feed->paths[number * 7 % PATHS], 0, 0}
    });
    feed->now_ns += 2000 + jitter / 16;
    np_emit(&feed->producer, &(np_event){.time_ns = feed->now_ns,
                                         .request = number,
                                         .type = NP_EVENT_PHASE_END,
                                         .source = NP_SOURCE_CALL,
                                         .word = {NP_PHASE_QUEUE}});
    if (number % 50 == 1)
        set_up(feed, number);
    np_emit(&feed->producer, &(np_event){.time_ns = feed->now_ns,
                                         .request = number,
                                         .connection = feed->connection,
                                         .type = NP_EVENT_CONNECTION_USE,
                                         .word = {++feed->uses}});
    phase_begins(feed, number, NP_PHASE_SEND);
    feed->now_ns += 9000 + jitter / 8;
    phase_begins(feed, number, NP_PHASE_WAIT);
    feed->now_ns += 200000 + jitter;
    phase_begins(feed, number, NP_PHASE_RECEIVE);
    phase_ends(feed, number, NP_PHASE_RECEIVE, 30000 + jitter / 2);
    np_emit(&feed->producer, &(np_event){
                                 .time_ns = feed->now_ns + 500,
                                 .request = number,
                                 .type = NP_EVENT_REQUEST_END,
                                 .source = NP_SOURCE_CALLBACK,
                                 .word = {UINT64_C(200) << 32 | NP_PROTOCOL_HTTP_1_1 << 24, 0,
                                          512 + jitter % 100, 0}
    });
}

/* --------------------------------------------------------------------------------------------------------------- layouts */

typedef struct sink {
    sqlite3 *db;
    np_writer *writer;
    np_assembly *assembly;
    sqlite3_stmt *insert;
    uint64_t read;
    uint64_t events;
} sink;

static void drain_as_collector(sink *s, np_ring *ring)
{
    np_event events[32];
    np_error err;
    np_written written = {0};
    for (size_t count; (count = np_ring_read(ring, s->read, events, 32)) > 0; s->read += count)
        for (size_t i = 0; i < count; i++)
            np_assembly_add(s->assembly, &events[i], s->read + i, NULL);
    must(np_writer_begin(s->writer, &err), &err);
    must(np_writer_store(s->writer, s->assembly, s->read, &written, &err), &err);
    must(np_writer_ring(s->writer, 1, s->read, 0, false, &err), &err);
    must(np_writer_run(s->writer, 1, &written, 0, &err), &err);
    must(np_writer_commit(s->writer, &err), &err);
    np_assembly_committed(s->assembly);
    np_ring_release(ring, np_assembly_pin(s->assembly, s->read));
}

static void bind_event(sqlite3_stmt *statement, int at, const np_event *event)
{
    (void)sqlite3_bind_int64(statement, at + 1, event->request); /* cannot fail for integers */
    (void)sqlite3_bind_int64(statement, at + 2, event->type);
    (void)sqlite3_bind_int64(statement, at + 3, (int64_t)event->time_ns);
    (void)sqlite3_bind_int64(statement, at + 4, event->source);
    (void)sqlite3_bind_int64(statement, at + 5, event->connection);
    (void)sqlite3_bind_int64(statement, at + 6, (int64_t)(event->word[0] & 0xffffffff));
    (void)sqlite3_bind_int64(statement, at + 7, (int64_t)(event->word[1] & 0xffffffff));
}

static void drain_as_rows(sink *s, np_ring *ring)
{
    np_event events[8];
    np_error err;
    must(np_db_exec(s->db, "BEGIN IMMEDIATE", &err), &err);
    for (size_t count; (count = np_ring_read(ring, s->read, events, 8)) > 0; s->read += count) {
        if (count <
            8) /* the rest of a batch waits for the next one; the last few are not written */
            break;
        for (int i = 0; i < 8; i++)
            bind_event(s->insert, i * 7, &events[i]);
        if (sqlite3_step(s->insert) != SQLITE_DONE || sqlite3_reset(s->insert) != SQLITE_OK)
            exit(1);
    }
    must(np_db_exec(s->db, "COMMIT", &err), &err);
    np_ring_release(ring, s->read);
}

static void open_sink(sink *s, const char *path, np_ring *ring, int as_rows)
{
    np_error err;
    np_run run;
    int64_t ring_id;
    *s = (sink){0};
    must(np_db_open(path, NP_DB_WRITE, 0, &s->db, &err), &err);
    if (as_rows) {
        must(np_db_exec(s->db,
                        "CREATE TABLE event (id INTEGER PRIMARY KEY, request INTEGER, type "
                        "INTEGER, time_ns INTEGER, source INTEGER,"
                        " connection INTEGER, a INTEGER, b INTEGER)",
                        &err),
             &err);
        must(np_db_prepare(s->db,
                           "INSERT INTO event (request, type, time_ns, source, connection, a, b) "
                           "VALUES (?,?,?,?,?,?,?),(?,?,?,?,?,?,?),"
                           "(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,?,?,?,?),(?,?,?,"
                           "?,?,?,?),(?,?,?,?,?,?,?)",
                           &s->insert, &err),
             &err);
        return;
    }
    must(np_run_begin(s->db, &(np_trace_options)NP_TRACE_OPTIONS_INIT, &run, &err), &err);
    must(np_run_add_ring(s->db, run.run_id, &run.process_id, "t.db-ring-x",
                         np_ring_generation(ring), &ring_id, &err),
         &err);
    must(np_writer_create(s->db, &s->writer, &err), &err);
    s->assembly =
        np_assembly_create(ring, run.run_id, run.process_id, run.unix_minus_mono, NP_DETAIL_SPANS);
}

static void close_sink(sink *s)
{
    (void)sqlite3_finalize(s->insert);
    np_writer_free(s->writer);
    np_db_close(s->db); /* with the checkpoint */
    np_assembly_free(s->assembly);
}

static struct measure run_layout(const char *folder, int as_rows)
{
    char path[300], ring_path[320];
    np_error err;
    np_ring *ring;
    sink s;
    struct measure m = {0};
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
    (void)snprintf(ring_path, sizeof ring_path, "%s-ring-x", path);
    must(np_ring_create(ring_path, NULL, &ring, &err), &err);
    open_sink(&s, path, ring, as_rows);
    struct feed *feed = malloc(sizeof *feed);
    if (!feed)
        exit(1);
    feed_begin(feed, ring);
    for (unsigned i = 0; i < REQUESTS / BATCH; i++) {
        for (unsigned j = 0; j < BATCH; j++)
            push_request(feed);
        const uint64_t wall = bench_now_ns(), cpu = bench_thread_cpu_ns();
        if (as_rows)
            drain_as_rows(&s, ring);
        else
            drain_as_collector(&s, ring);
        m.wall_ns += bench_now_ns() - wall;
        m.cpu_ns += bench_thread_cpu_ns() - cpu;
    }
    m.events = np_ring_head(ring);
    if (np_ring_dropped(ring))
        (void)fprintf(stderr, "bench_ingest: the ring dropped events\n");
    const uint64_t wall = bench_now_ns(), cpu = bench_thread_cpu_ns();
    close_sink(&s);
    m.wall_ns += bench_now_ns() - wall;
    m.cpu_ns += bench_thread_cpu_ns() - cpu;
    struct stat info;
    m.bytes = stat(path, &info) == 0 ? info.st_size : 0;
    free(feed);
    np_ring_unlink(ring);
    np_ring_close(ring);
    (void)unlink(path);
    return m;
}

int main(void)
{
    char folder[256];
    bench_series ratio = {0}, cpu_ratio = {0}, bytes = {0}, cpu = {0};
    folder_make(folder, sizeof folder);
    for (int round = 0; round < ROUNDS; round++) {
        const struct measure rows = run_layout(folder, 1);
        const struct measure ours = run_layout(folder, 0);
        bench_add(&ratio, (double)rows.wall_ns / (double)ours.wall_ns);
        bench_add(&cpu_ratio, (double)rows.cpu_ns / (double)ours.cpu_ns);
        bench_add(&bytes, (double)ours.bytes / (8.0 * REQUESTS));
        bench_add(&cpu, (double)ours.cpu_ns / 1000.0 / REQUESTS);
    }
    folder_remove(folder);
    int ok = bench_line("ingest: rows + chunks against a row an event", BENCH_AT_LEAST, 2.5, &ratio,
                        "x");
    ok &= bench_line("ingest: the same by processor time", BENCH_NO_GOAL, 0, &cpu_ratio, "x");
    ok &= bench_line("ingest: size of an event (8 a request)", BENCH_AT_MOST, 22, &bytes, "bytes");
    ok &= bench_line("ingest: collector a request", BENCH_AT_MOST, 1.6, &cpu, "us");
    return ok ? 0 : 1;
}
