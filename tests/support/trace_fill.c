/* Large traces; see trace_fill.h. */
#include "trace_fill.h"

#include "assemble.h"
#include "db.h"
#include "fold.h"
#include "producer.h"
#include "random.h"
#include "run.h"
#include "settle.h"
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATHS = 1000, BATCH = 1000, RING_SLOTS = 32768 };

struct fill {
    sqlite3 *db;
    np_writer *writer;
    np_assembly *assembly;
    np_ring *ring;
    np_producer producer;
    np_random random;
    np_run run;
    int64_t ring_id;
    uint64_t read;
    uint64_t now_ns;
    np_text_ref get, origin, paths[PATHS];
    uint32_t connection, uses;
};

static void must(np_status status, const np_error *err)
{
    if (status) {
        fprintf(stderr, "trace_fill: %s\n", err->text);
        exit(1);
    }
}

/* Most near `typical_ns`, one of fifty up to forty times that. */
static uint64_t duration(struct fill *f, uint64_t typical_ns)
{
    const uint64_t ns = typical_ns / 2 + np_random_below(&f->random, typical_ns);
    return np_random_below(&f->random, 50) ? ns : ns * (1 + np_random_below(&f->random, 40));
}

static void phase(struct fill *f, uint32_t number, np_phase which, uint64_t typical_ns)
{
    np_emit_phase_begin(&f->producer, f->now_ns, number, which, NP_SOURCE_CALLBACK);
    f->now_ns += duration(f, typical_ns);
    np_emit_phase_end(&f->producer, f->now_ns, number, which, NP_SOURCE_CALLBACK);
}

static void set_up(struct fill *f, uint32_t number)
{
    f->connection = ++f->producer.last_connection;
    f->uses = 0;
    np_emit(&f->producer, &(np_event){
                              .time_ns = f->now_ns,
                              .request = number,
                              .connection = f->connection,
                              .type = NP_EVENT_CONNECTION_OPEN,
                              .word = {f->origin, NP_NEW_FIRST}
    });
    phase(f, number, NP_PHASE_DNS, 700000);
    phase(f, number, NP_PHASE_CONNECT, 9000000);
    np_emit(&f->producer, &(np_event){.time_ns = f->now_ns,
                                      .connection = f->connection,
                                      .type = NP_EVENT_CONNECTION_READY,
                                      .word = {11}});
}

static void push_request(struct fill *f)
{
    const uint32_t number = ++f->producer.last_request;
    const uint64_t status = np_random_below(&f->random, 100) ? 200 : 500 + number % 4;
    np_emit(&f->producer,
            &(np_event){
                .time_ns = f->now_ns,
                .request = number,
                .type = NP_EVENT_REQUEST_BEGIN,
                .source = NP_SOURCE_CALL,
                .word = {f->get, f->origin, f->paths[np_random_below(&f->random, PATHS)]}
    });
    f->now_ns += duration(f, 4000);
    np_emit(&f->producer, &(np_event){.time_ns = f->now_ns,
                                      .request = number,
                                      .type = NP_EVENT_PHASE_END,
                                      .source = NP_SOURCE_CALL,
                                      .word = {NP_PHASE_QUEUE}});
    if (number % 50 == 1)
        set_up(f, number);
    np_emit(&f->producer, &(np_event){.time_ns = f->now_ns,
                                      .request = number,
                                      .connection = f->connection,
                                      .type = NP_EVENT_CONNECTION_USE,
                                      .word = {++f->uses}});
    phase(f, number, NP_PHASE_SEND, 9000);
    phase(f, number, NP_PHASE_WAIT, 20000000);
    phase(f, number, NP_PHASE_RECEIVE, 300000);
    np_emit(&f->producer, &(np_event){
                              .time_ns = f->now_ns,
                              .request = number,
                              .type = NP_EVENT_REQUEST_END,
                              .source = NP_SOURCE_CALLBACK,
                              .word = {status << 32 | NP_PROTOCOL_HTTP_1_1 << 24, 0,
                                       np_random_below(&f->random, 65536), 0}
    });
}

static void drain(struct fill *f)
{
    np_event events[32];
    np_error err;
    np_written written = {0};
    for (size_t count; (count = np_ring_read(f->ring, f->read, events, 32)) > 0; f->read += count)
        for (size_t i = 0; i < count; i++)
            np_assembly_add(f->assembly, &events[i], f->read + i, NULL);
    must(np_writer_begin(f->writer, &err), &err);
    must(np_writer_store(f->writer, f->assembly, f->read, &written, &err), &err);
    must(np_writer_ring(f->writer, f->ring_id, f->read, 0, false, &err), &err);
    must(np_writer_run(f->writer, f->run.run_id, &written, 0, &err), &err);
    must(np_writer_commit(f->writer, &err), &err);
    np_assembly_committed(f->assembly);
    np_ring_release(f->ring, np_assembly_pin(f->assembly, f->read));
}

static bool has_as_many(const char *path, uint64_t requests)
{
    sqlite3 *db;
    int64_t count = -1;
    np_error err;
    if (access(path, R_OK) != 0 || np_db_open(path, NP_DB_READ, 0, &db, &err))
        return false;
    (void)np_db_int(db, "SELECT max(id) FROM request", 0, &count, &err); /* -1: not as many */
    np_db_close(db);
    return (uint64_t)count == requests;
}

static void open_fill(struct fill *f, const char *path, const char *ring_path)
{
    np_error err;
    must(np_ring_create(ring_path, &(np_ring_options){.slot_count = RING_SLOTS}, &f->ring, &err), &err);
    must(np_db_open(path, NP_DB_WRITE, 0, &f->db, &err), &err);
    must(np_db_exec(f->db, "PRAGMA synchronous = OFF", &err), &err);
    must(np_run_begin(f->db, &(np_trace_options)NP_TRACE_OPTIONS_INIT, &f->run, &err), &err);
    must(np_run_add_ring(f->db, f->run.run_id, &f->run.process_id, "t.db-ring-x",
                         np_ring_generation(f->ring), &f->ring_id, &err),
         &err);
    must(np_writer_create(f->db, &f->writer, &err), &err);
    f->assembly = np_assembly_create(f->ring, f->run.run_id, f->run.process_id,
                                     f->run.unix_minus_mono, NP_DETAIL_SPANS);
    f->producer = (np_producer){.ring = f->ring, .detail = NP_DETAIL_SPANS};
    f->now_ns = UINT64_C(1000000000);
    f->get = np_ring_word(f->ring, "GET", 3);
    f->origin = np_ring_word(f->ring, "http://127.0.0.1:8080", 21);
    for (unsigned i = 0; i < PATHS; i++) {
        char text[64];
        const int length = snprintf(text, sizeof text, "/items/%u/some/thing", i);
        f->paths[i] = np_ring_word(f->ring, text, (size_t)length);
    }
}

static void close_fill(struct fill *f)
{
    np_error err;
    if (np_ring_dropped(f->ring)) {
        fprintf(stderr, "trace_fill: the ring dropped events\n");
        exit(1);
    }
    np_writer_free(f->writer);
    np_assembly_free(f->assembly);
    must(np_run_end(f->db, f->run.run_id, 0, &err), &err);
    np_db_close(f->db); /* with the checkpoint */
    np_ring_unlink(f->ring);
    np_ring_close(f->ring);
}

void trace_fill(const char *path, uint64_t requests, uint64_t seed)
{
    char ring_path[512];
    if (has_as_many(path, requests))
        return;
    struct fill *f = calloc(1, sizeof *f);
    if (!f)
        exit(1);
    (void)unlink(path); /* where there is one */
    (void)snprintf(ring_path, sizeof ring_path, "%s-ring-x", path);
    np_random_seed(&f->random, seed);
    open_fill(f, path, ring_path);
    for (uint64_t done = 0; done < requests; done++) {
        push_request(f);
        if (done % BATCH == BATCH - 1)
            drain(f);
    }
    drain(f);
    close_fill(f);
    free(f);
}
