/*
 * Transactions: everything that is ready in assemblies to rows, `running`, rings, counters.
 * Floor 2. See writer.h; what a row of each table says is in connection_rows, span_rows,
 * header_rows and request_rows.
 *
 * Spans of a request are consecutive rows and know its id, so both ids are known before either row
 * is written: inside a write transaction no one else gives out ids.
 */
#include "writer.h"

#include "connection_rows.h"
#include "db.h"
#include "fail.h"
#include "header_rows.h"
#include "request_rows.h"
#include "row_statement.h"
#include "span_rows.h"

#include <stdlib.h>

enum { RUNNING, RUNNING_END, RING, RUN, CLOCK, IDS, BEGIN, COMMIT, ROLLBACK, STATEMENTS };

/* clang-format off */
static const char *const statements[STATEMENTS] = {
    [RUNNING] =
        "INSERT OR REPLACE INTO running (process_id, number, run_id, start_ns, seen_ns, phase, method, url, hop_of, connection_id, events)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [RUNNING_END] =
        "DELETE FROM running WHERE process_id = ?1 AND number = ?2",
    [RING] =
        "UPDATE ring SET consumed = ?2, dropped = ?3, closed = ?4 WHERE id = ?1",
    [RUN] =
        "UPDATE run SET requests = requests + ?2, failed = failed + ?3, dropped = dropped + ?4 WHERE id = ?1",
    [CLOCK] =
        "INSERT OR IGNORE INTO clock (run_id, mono_ns, unix_ns) VALUES (?1, ?2, ?3)",
    [IDS] =
        "SELECT (SELECT coalesce(max(id), 0) FROM request), (SELECT coalesce(max(id), 0) FROM span)",
    [BEGIN] =
        "BEGIN IMMEDIATE",
    [COMMIT] =
        "COMMIT",
    [ROLLBACK] =
        "ROLLBACK",
};
/* clang-format on */

struct np_writer {
    sqlite3 *db;
    np_texts *texts;
    sqlite3_stmt *statement[STATEMENTS];
    np_connection_rows connections;
    np_span_rows spans;
    np_header_rows headers;
    np_request_rows requests;
};

/* ---------------------------------------------------------------------------------------------------------- life time */

np_status np_writer_create(sqlite3 *db, np_writer **out, np_error *err)
{
    *out = NULL;
    np_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return np_fail(err, NP_E_NO_MEMORY, "no memory to write a trace");
    writer->db = db;
    np_status status = np_texts_create(db, &writer->texts, err);
    if (!status)
        status = np_connection_rows_init(&writer->connections, db, writer->texts, err);
    if (!status)
        status = np_span_rows_init(&writer->spans, db, &writer->connections, err);
    if (!status)
        status = np_header_rows_init(&writer->headers, db, writer->texts, err);
    if (!status)
        status = np_request_rows_init(&writer->requests, db, &writer->connections, err);
    if (!status)
        status = np_statements_prepare(db, statements, STATEMENTS, writer->statement, err);
    if (status) {
        np_writer_free(writer);
        return status;
    }
    *out = writer;
    return NP_OK;
}

void np_writer_free(np_writer *writer)
{
    if (!writer)
        return;
    np_statements_finalize(writer->statement, STATEMENTS);
    np_request_rows_done(&writer->requests);
    np_header_rows_done(&writer->headers);
    np_span_rows_done(&writer->spans);
    np_connection_rows_done(&writer->connections);
    np_texts_free(writer->texts);
    free(writer);
}

/* ----------------------------------------------------------------------------------------------------------- requests */

static np_status forget_running(np_writer *writer, const np_assembly *assembly,
                                const np_seen_request *request, np_error *err)
{
    np_bind_int(writer->statement[RUNNING_END], 1, assembly->process_id);
    np_bind_int(writer->statement[RUNNING_END], 2, request->number);
    return np_statement_run(writer->db, writer->statement[RUNNING_END], err);
}

/* The spans first: the row says where they are. */
static np_status write_request(np_writer *writer, np_assembly *assembly, np_seen_request *request,
                               np_error *err)
{
    const int64_t row = writer->requests.next;
    const int64_t first_span = writer->spans.next;
    np_status status = np_span_rows_write(&writer->spans, assembly, request, row, err);
    if (!status)
        status = np_header_rows_write(&writer->headers, assembly, request, row, err);
    if (!status && request->spilled)
        status = forget_running(writer, assembly, request, err);
    if (status)
        return status;
    const np_span_range spans = {first_span, writer->spans.next - first_span};
    return np_request_rows_write(&writer->requests, assembly, request, spans, err);
}

/* ------------------------------------------------------------------------------------------------------------ running */

static np_status write_running(np_writer *writer, np_assembly *assembly, np_seen_request *request,
                               uint64_t read, np_error *err)
{
    sqlite3_stmt *s = writer->statement[RUNNING];
    np_textbuf url, blob;
    np_textbuf_init(&url, 2 * NP_RING_TEXT_MAX);
    np_textbuf_init(&blob, request->packed.max + 8);
    size_t length;
    const char *text = np_held_text(assembly, request->origin, &length);
    np_textbuf_add(&url, text, length);
    text = np_held_text(assembly, request->path, &length);
    np_textbuf_add(&url, text, length);
    char position[8];
    for (int i = 0; i < 8; i++)
        position[i] = (char)(read >> 8 * i);
    np_textbuf_add(&blob, position, sizeof position);
    np_textbuf_add(&blob, request->packed.text, request->packed.length);

    np_status status =
        np_connection_rows_need(&writer->connections, assembly, request->connection, err);
    if (!status) {
        np_bind_int(s, 1, assembly->process_id);
        np_bind_int(s, 2, request->number);
        np_bind_int(s, 3, assembly->run_id);
        np_bind_int(s, 4, np_assembly_unix(assembly, request->cut.start_ns));
        np_bind_int(s, 5,
                    np_assembly_unix(assembly, assembly->newest_ns > request->cut.start_ns
                                                   ? assembly->newest_ns
                                                   : request->cut.start_ns));
        np_bind_int(s, 6, request->cut.open == NP_CUT_NONE ? NP_PHASE_GAP : request->cut.open);
        np_bind_held(s, 7, assembly, request->method);
        (void)sqlite3_bind_text(s, 8, url.text, (int)url.length, SQLITE_STATIC);
        np_bind_or_null(s, 9, request->hop_of != 0, request->hop_of);
        np_bind_or_null(s, 10, request->connection != NULL,
                        request->connection ? request->connection->row_id : 0);
        (void)sqlite3_bind_blob(s, 11, blob.text, (int)blob.length, SQLITE_STATIC);
        status = np_statement_run(writer->db, writer->statement[RUNNING], err);
        (void)sqlite3_clear_bindings(s); /* they point into what goes now */
    }
    np_textbuf_done(&url);
    np_textbuf_done(&blob);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- transactions */

/* Ids of a damaged or hostile file may be anything; one transaction never adds 2^32 rows. */
#define NP_LAST_ID (INT64_MAX - UINT32_MAX)

static int64_t next_id(int64_t last)
{
    return last < INT64_MAX ? last + 1 : last;
}

np_status np_writer_begin(np_writer *writer, np_error *err)
{
    np_status status = np_statement_run(writer->db, writer->statement[BEGIN], err);
    if (status)
        return status;
    sqlite3_stmt *s = writer->statement[IDS];
    int64_t next = 0;
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        next = next_id(sqlite3_column_int64(s, 0));
        writer->spans.next = next_id(sqlite3_column_int64(s, 1));
    } else {
        status = np_db_fail(err, writer->db, rc, 1, "the last ids cannot be read");
    }
    (void)sqlite3_reset(s);
    if (!status && (next < 1 || next > NP_LAST_ID))
        status =
            np_fail(err, NP_E_INPUT, "the ids of requests in the trace are used up or damaged");
    return status ? status : np_request_rows_begin(&writer->requests, next, err);
}

static np_status store_clocks(np_writer *writer, const np_assembly *assembly, np_error *err)
{
    np_status status = NP_OK;
    for (size_t i = 0; i < assembly->clock_count && !status; i++) {
        np_bind_int(writer->statement[CLOCK], 1, assembly->run_id);
        np_bind_int(writer->statement[CLOCK], 2, (int64_t)assembly->clocks[i].mono_ns);
        np_bind_int(writer->statement[CLOCK], 3, assembly->clocks[i].unix_ns);
        status = np_statement_run(writer->db, writer->statement[CLOCK], err);
    }
    return status;
}

np_status np_writer_store(np_writer *writer, np_assembly *assembly, uint64_t read,
                          np_written *written, np_error *err)
{
    np_status status = store_clocks(writer, assembly, err);
    for (np_seen_connection *c = assembly->ready_connections; c && !status; c = c->next_ready)
        status = np_connection_rows_write(&writer->connections, assembly, c, err);
    for (np_seen_request *request = assembly->first_ended; request && !status;
         request = request->next) {
        status = write_request(writer, assembly, request, err);
        written->requests += request->purpose == 0;
        written->failed += request->purpose == 0 && request->outcome != NP_OUTCOME_OK;
    }
    for (np_seen_orphan *orphan = assembly->ready_orphans; orphan && !status;
         orphan = orphan->next_ready)
        status = np_span_rows_orphan(&writer->spans, assembly, orphan, err);
    for (np_pin *pin = assembly->pins.next; pin != &assembly->pins && !status; pin = pin->next)
        if (pin->spilling && pin->kind == NP_PIN_REQUEST)
            status = write_running(writer, assembly, (np_seen_request *)pin, read, err);
    return status ? status : np_request_rows_flush(&writer->requests, err);
}

np_status np_writer_ring(np_writer *writer, int64_t ring_id, uint64_t consumed, uint64_t dropped,
                         bool closed, np_error *err)
{
    sqlite3_stmt *s = writer->statement[RING];
    np_bind_int(s, 1, ring_id);
    np_bind_int(s, 2, (int64_t)consumed);
    np_bind_int(s, 3, (int64_t)dropped);
    np_bind_int(s, 4, closed);
    return np_statement_run(writer->db, writer->statement[RING], err);
}

np_status np_writer_run(np_writer *writer, int64_t run_id, const np_written *written,
                        uint64_t dropped, np_error *err)
{
    sqlite3_stmt *s = writer->statement[RUN];
    np_bind_int(s, 1, run_id);
    np_bind_int(s, 2, (int64_t)written->requests);
    np_bind_int(s, 3, (int64_t)written->failed);
    np_bind_int(s, 4, (int64_t)dropped);
    return np_statement_run(writer->db, writer->statement[RUN], err);
}

np_status np_writer_commit(np_writer *writer, np_error *err)
{
    np_status status = np_request_rows_commit(&writer->requests, err);
    if (!status)
        status = np_statement_run(writer->db, writer->statement[COMMIT], err);
    return status;
}

void np_writer_rollback(np_writer *writer)
{
    /* SQLite may have rolled back by itself: then this one is refused */
    (void)np_statement_run(writer->db, writer->statement[ROLLBACK], NULL);
    np_texts_forget(writer->texts);
    np_request_rows_rolled_back(&writer->requests);
}
