/*
 * Left-over rings to rows. Floor 2; one thread. See recover.h.
 *
 * What the killed program's collector had committed says exactly where to go on:
 *
 *   ring.consumed   everything before it is stored, in `request` or in `running`
 *   request         requests whose events lie behind `consumed` but which ended and were written
 * all the same: their numbers are skipped running         requests that had been spilled: their
 * events so far, and the position up to which these are in it span, connection  rows that may have
 * been written while something older held `consumed` back: recognised, not written again
 *
 * Everything, also closing the ring's row, is one transaction; then the file goes.
 */
#include "recover.h"

#include "assemble.h"
#include "clock.h"
#include "db.h"
#include "fail.h"
#include "fold.h"
#include "run.h"
#include "writer.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NP_CONNECTION_SLACK_NS                                                                     \
    (60 * NP_NS_PER_S) /* events may carry times a little before those pushed earlier */

/* An open row of `ring`. */
typedef struct left_over {
    int64_t ring_id, process_id, run_id;
    uint64_t consumed, dropped;
    int64_t rows_after, detail;
    bool closed;
    char file[256], generation[64];
} left_over;

typedef struct known_span {
    int64_t start_ns; /* Unix */
    int64_t kind;
} known_span;

typedef struct replay {
    sqlite3 *db;
    np_writer *writer;
    const left_over *row;
    np_ring *ring; /* NULL: the file is gone */
    np_assembly *assembly;
    np_map stored;
    known_span *spans; /* spans[span_count], sorted */
    size_t span_count;
    int64_t unix_minus_mono;
    uint64_t from, head;
} replay;

/* --------------------------------------------------------------------------------------------------------- open rings */

static const char open_rings_sql[] =
    "SELECT g.id, g.process_id, p.run_id, g.consumed, g.dropped, g.rows_after, n.detail, g.closed, "
    "g.file, g.generation"
    " FROM ring g JOIN process p ON p.id = g.process_id JOIN run n ON n.id = p.run_id WHERE ";

static void take_row(sqlite3_stmt *statement, left_over *row)
{
    memset(row, 0, sizeof *row);
    row->ring_id = sqlite3_column_int64(statement, 0);
    row->process_id = sqlite3_column_int64(statement, 1);
    row->run_id = sqlite3_column_int64(statement, 2);
    row->consumed = (uint64_t)sqlite3_column_int64(statement, 3);
    row->dropped = (uint64_t)sqlite3_column_int64(statement, 4);
    row->rows_after = sqlite3_column_int64(statement, 5);
    row->detail = sqlite3_column_int64(statement, 6);
    row->closed = sqlite3_column_int64(statement, 7) != 0;
    const char *file = (const char *)sqlite3_column_text(statement, 8);
    const char *generation = (const char *)sqlite3_column_text(statement, 9);
    (void)snprintf(row->file, sizeof row->file, "%s", file ? file : "");
    (void)snprintf(row->generation, sizeof row->generation, "%s", generation ? generation : "");
}

static np_status open_rings(sqlite3 *db, left_over **out, size_t *count, np_error *err)
{
    *out = NULL;
    *count = 0;
    char sql[512];
    (void)snprintf(sql, sizeof sql, "%s g.closed = 0 ORDER BY g.id", open_rings_sql);
    sqlite3_stmt *statement;
    np_status status = np_db_prepare(db, sql, &statement, err);
    if (status)
        return status;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        left_over *grown = realloc(*out, (*count + 1) * sizeof **out);
        if (!grown) {
            status = np_fail(err, NP_E_NO_MEMORY, "no memory for the list of left-over rings");
            break;
        }
        *out = grown;
        take_row(statement, &grown[(*count)++]);
    }
    if (!status && rc != SQLITE_DONE)
        status = np_db_fail(err, db, rc, 0, "the list of rings cannot be read");
    (void)sqlite3_finalize(statement); /* repeats the failure of the step */
    return status;
}

/* The row as it is now, inside the transaction: another program may have been here. */
static np_status read_again(sqlite3 *db, left_over *row, np_error *err)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql, "%s g.id = %lld", open_rings_sql, (long long)row->ring_id);
    sqlite3_stmt *statement;
    np_status status = np_db_prepare(db, sql, &statement, err);
    if (status)
        return status;
    const int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        take_row(statement, row);
    else if (rc == SQLITE_DONE)
        row->closed = true;
    else
        status = np_db_fail(err, db, rc, 1, "a ring's row cannot be read");
    (void)sqlite3_finalize(statement); /* repeats the failure of the step */
    return status;
}

/* --------------------------------------------------------------------------------------------------- what is there already */

/* Calls `take` for each row. */
typedef np_status (*take_fn)(replay *r, sqlite3_stmt *statement, np_error *err);

static np_status each_row(replay *r, const char *sql, const int64_t *parameters, int count,
                          take_fn take, np_error *err)
{
    sqlite3_stmt *statement;
    np_status status = np_db_prepare(r->db, sql, &statement, err);
    if (status)
        return status;
    for (int i = 0; i < count; i++)
        (void)sqlite3_bind_int64(statement, i + 1, parameters[i]); /* a NULL finds nothing */
    int rc = SQLITE_DONE;
    while (!status && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        status = take(r, statement, err);
    if (!status && rc != SQLITE_DONE)
        status = np_db_fail(err, r->db, rc, 1, "what was stored cannot be read");
    (void)sqlite3_finalize(statement); /* repeats the failure of the step */
    return status;
}

static np_status no_memory(np_error *err)
{
    return np_fail(err, NP_E_NO_MEMORY, "no memory to bring in a left-over ring");
}

static np_status take_stored(replay *r, sqlite3_stmt *statement, np_error *err)
{
    const uint32_t number = (uint32_t)sqlite3_column_int64(statement, 0);
    if (number == 0 || np_map_get(&r->stored, number))
        return NP_OK;
    np_assembly_set_hop_row(r->assembly, number, sqlite3_column_int64(statement, 1));
    return np_map_put(&r->stored, number, r) ? NP_OK : no_memory(err);
}

static np_status take_span(replay *r, sqlite3_stmt *statement, np_error *err)
{
    if ((r->span_count & (r->span_count - 1)) ==
        0) { /* 0 and powers of two: room for as many again */
        known_span *grown =
            realloc(r->spans, (r->span_count ? 2 * r->span_count : 1) * sizeof *grown);
        if (!grown)
            return no_memory(err);
        r->spans = grown;
    }
    r->spans[r->span_count++] =
        (known_span){sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1)};
    return NP_OK;
}

static np_status take_connection(replay *r, sqlite3_stmt *statement, np_error *err)
{
    const uint32_t number = (uint32_t)sqlite3_column_int64(statement, 1);
    if (number == 0 || np_map_get(&r->assembly->connections, number))
        return NP_OK;
    np_seen_connection *connection =
        np_assembly_known_connection(r->assembly, number, sqlite3_column_int64(statement, 0),
                                     sqlite3_column_int64(statement, 2));
    if (!connection)
        return no_memory(err);
    connection->setup_ended = sqlite3_column_int64(statement, 3) != 0;
    if (sqlite3_column_type(statement, 4) != SQLITE_NULL)
        connection->resumed = sqlite3_column_int64(statement, 4) != 0;
    return NP_OK;
}

/* One row of `running`: its events are folded again, and later ones of the ring follow. */
static np_status take_running(replay *r, sqlite3_stmt *statement, np_error *err)
{
    const uint32_t number = (uint32_t)sqlite3_column_int64(statement, 0);
    const uint8_t *blob = sqlite3_column_blob(statement, 1);
    const int size = sqlite3_column_bytes(statement, 1);
    np_unpack unpack;
    if (size < 8 || !np_unpack_begin(&unpack, blob + 8, (size_t)size - 8))
        return NP_OK; /* not ours: its row goes with the others of this process */
    uint64_t included = 0;
    for (int i = 0; i < 8; i++)
        included |= (uint64_t)blob[i] << 8 * i;
    np_event event;
    while (np_unpack_next(&unpack, &event)) {
        if (event.request != number)
            continue;
        const np_inline_texts texts = {unpack.text, unpack.length};
        np_assembly_add(r->assembly, &event, 0, &texts);
    }
    np_seen_request *request = np_map_get(&r->assembly->requests, number);
    if (!request)
        return NP_OK;
    request->spilled = true;
    request->included = included;
    if (unpack.damaged)
        request->flags |= NP_FLAG_EVENTS_LOST;
    const uint64_t seen_ns =
        (uint64_t)sqlite3_column_int64(statement, 2) - (uint64_t)r->unix_minus_mono;
    if (!r->ring && seen_ns > r->assembly->newest_ns)
        r->assembly->newest_ns = seen_ns;
    (void)err;
    return NP_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const known_span *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static np_status load_clock(replay *r, np_error *err)
{
    char sql[160];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT unix_ns - mono_ns FROM clock WHERE run_id = %lld ORDER BY mono_ns LIMIT 1",
        (long long)r->row->run_id);
    return np_db_int(r->db, sql, 0, &r->unix_minus_mono, err);
}

/* Wraps for the hostile values that a left-over ring may hold, as unsigned numbers may. */
static int64_t unix_of(const replay *r, uint64_t mono_ns)
{
    return (int64_t)(mono_ns + (uint64_t)r->unix_minus_mono);
}

static int64_t first_event_unix_ns(const replay *r)
{
    np_event event;
    if (!r->ring || np_ring_read(r->ring, r->from, &event, 1) == 0)
        return INT64_MAX;
    return unix_of(r, event.time_ns - (uint64_t)NP_CONNECTION_SLACK_NS);
}

static np_status load_stored(replay *r, np_error *err)
{
    const int64_t process = r->row->process_id;
    const int64_t slots = r->ring ? np_ring_slots(r->ring) : 0;
    const int64_t requests[] = {process, r->row->rows_after, slots};
    const int64_t spans[] = {r->row->run_id, slots};
    const int64_t connections[] = {process, first_event_unix_ns(r)};
    np_status status = each_row(r,
                                "SELECT number, id FROM (SELECT number, id FROM request WHERE "
                                "process_id = ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3)"
                                " ORDER BY id",
                                requests, 3, take_stored, err);
    if (!status && slots)
        status = each_row(
            r, "SELECT start_ns, kind FROM span WHERE run_id = ?1 ORDER BY id DESC LIMIT ?2", spans,
            2, take_span, err);
    if (!status)
        status = each_row(r,
                          "SELECT id, number, proxy_id, coalesce(ready_ns, closed_ns) IS NOT NULL,"
                          " tls_resumed FROM connection WHERE process_id = ?1"
                          " AND (closed_ns IS NULL OR closed_ns >= ?2 OR id IN (SELECT "
                          "connection_id FROM running WHERE process_id = ?1))",
                          connections, 2, take_connection, err);
    if (!status)
        status = each_row(
            r, "SELECT number, events, seen_ns FROM running WHERE process_id = ?1 ORDER BY number",
            &process, 1, take_running, err);
    if (!status && r->span_count)
        qsort(r->spans, r->span_count, sizeof *r->spans, compare_spans);
    return status;
}

/* -------------------------------------------------------------------------------------------------------------- replay */

/* A span of no request under way whose row is there: it was written before the kill, or belongs to
 * a request that was. */
static bool is_known_span(const replay *r, const np_event *event)
{
    if (event->type != NP_EVENT_SPAN_BEGIN || !r->span_count ||
        np_map_get(&r->assembly->requests, event->request))
        return false;
    const known_span span = {unix_of(r, event->time_ns), (int64_t)(event->word[0] >> 8 & 0xff)};
    return bsearch(&span, r->spans, r->span_count, sizeof span, compare_spans) != NULL;
}

static void replay_ring(replay *r)
{
    np_event events[32]; /* small enough to stay near the processor */
    uint64_t at = r->from;
    for (size_t count; at < r->head && (count = np_ring_read(r->ring, at, events, 32)) > 0;
         at += count)
        for (size_t i = 0; i < count; i++)
            if (!is_known_span(r, &events[i]))
                np_assembly_add(r->assembly, &events[i], at + i, NULL);
}

static np_status write_replay(replay *r, np_written *written, np_error *err)
{
    const left_over *row = r->row;
    const uint64_t lost = r->assembly->lost;
    const uint64_t dropped = (r->ring ? np_ring_dropped(r->ring) : row->dropped) + lost;
    const uint64_t more = dropped > row->dropped ? dropped - row->dropped : 0;
    np_status status = np_writer_store(r->writer, r->assembly, r->head, written, err);
    if (!status)
        status = np_writer_ring(r->writer, row->ring_id, r->head, dropped, true, err);
    if (!status)
        status = np_writer_run(r->writer, row->run_id, written, more, err);
    return status;
}

/* What the killed program could no longer write: how often its open connections were used, its
 * `running` rows, the end of the run. */
static np_status tidy_up(replay *r, np_error *err)
{
    char sql[1024];
    const long long process = r->row->process_id, run = r->row->run_id;
    const long long newest = r->assembly->newest_ns ? unix_of(r, r->assembly->newest_ns) : 0;
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM running WHERE process_id = %lld;"
                   "UPDATE connection SET requests = max(requests, uses) FROM (SELECT "
                   "connection_id, count(*) AS uses FROM request"
                   " WHERE process_id = %lld AND id > %lld GROUP BY connection_id) AS used"
                   " WHERE connection.id = used.connection_id AND connection.closed_ns IS NULL;",
                   process, process, (long long)r->row->rows_after);
    np_status status = np_db_exec(r->db, sql, err);
    if (status)
        return status;
    (void)snprintf(sql, sizeof sql,
                   "UPDATE run SET state = %d, ended_ns = max(coalesce(ended_ns, started_ns), "
                   "%lld) WHERE id = %lld AND state = 0 AND NOT EXISTS"
                   " (SELECT 1 FROM ring g JOIN process p ON p.id = g.process_id WHERE p.run_id = "
                   "%lld AND g.closed = 0);",
                   NP_RUN_RECOVERED, newest, run, run);
    return np_db_exec(r->db, sql, err);
}

static np_status replay_all(replay *r, np_written *written, np_error *err)
{
    np_status status = load_clock(r, err);
    if (status)
        return status;
    r->assembly = np_assembly_create(r->ring, r->row->run_id, r->row->process_id,
                                     r->unix_minus_mono, (np_detail)r->row->detail);
    if (!r->assembly)
        return no_memory(err);
    r->assembly->stored = &r->stored;
    status = load_stored(r, err);
    if (status)
        return status;
    if (r->ring)
        replay_ring(r);
    np_assembly_interrupt(r->assembly, r->assembly->newest_ns,
                          r->ring && np_ring_dropped(r->ring) ? NP_FLAG_EVENTS_LOST : 0);
    status = write_replay(r, written, err);
    return status ? status : tidy_up(r, err);
}

static void replay_done(replay *r)
{
    np_assembly_free(r->assembly);
    np_map_done(&r->stored);
    free(r->spans);
}

/* ------------------------------------------------------------------------------------------------------------ one ring */

static void leave_alone(np_recovery *out, const char *file, const char *reason)
{
    if (out->foreign++ == 0)
        (void)snprintf(out->foreign_file, sizeof out->foreign_file, "%s: %s", file, reason);
}

/* Is what the ring says possible after what the row says? */
static bool fits(const left_over *row, const np_ring *ring)
{
    if (!ring)
        return true;
    const uint64_t head = np_ring_head(ring);
    return row->consumed <= head && strcmp(np_ring_generation(ring), row->generation) == 0;
}

static np_status bring_in(sqlite3 *db, left_over *row, np_ring *ring, np_recovery *out,
                          np_error *err)
{
    np_writer *writer;
    np_written written = {0};
    np_status status = np_writer_create(db, &writer, err);
    if (status)
        return status;
    replay r = {.db = db, .writer = writer, .row = row, .ring = ring};
    status = np_writer_begin(writer, err);
    if (!status)
        status = read_again(db, row, err);
    if (!status && !row->closed) {
        r.head = ring ? np_ring_head(ring) : row->consumed;
        /* After a crash of the whole machine the file may be older than the ring. */
        r.from = ring && np_ring_tail(ring) > row->consumed ? np_ring_tail(ring) : row->consumed;
        status = replay_all(&r, &written, err);
        if (!status)
            status = np_writer_commit(writer, err);
        if (!status) {
            out->rings++;
            out->requests += written.requests;
        }
    }
    if (!sqlite3_get_autocommit(db))
        np_writer_rollback(writer);
    replay_done(&r);
    np_writer_free(writer);
    return status;
}

static char *beside(const char *path, const char *file)
{
    const char *slash = strrchr(path, '/');
    char *name = NULL;
    const int length = slash ? (int)(slash - path) : 1;
    return asprintf(&name, "%.*s/%s", length, slash ? path : ".", file) < 0 ? NULL : name;
}

/* NULL in `ring`: the file is gone. `skip`: its owner lives, or it is not for us. */
static np_status take_ring(const char *path, const left_over *row, np_ring **ring, bool *skip,
                           np_recovery *out, np_error *err)
{
    *ring = NULL;
    *skip = false;
    if (!row->file[0] || strchr(row->file, '/') ||
        !strstr(row->file, "-ring-")) { /* a hostile trace may name any file */
        leave_alone(out, row->file, "no name of a ring");
        *skip = true;
        return NP_OK;
    }
    char *name = beside(path, row->file);
    if (!name)
        return no_memory(err);
    np_error problem = {0};
    const np_status status = np_ring_open(name, ring, &problem);
    free(name);
    if (status && problem.code == ENOENT)
        return NP_OK;
    if (status == NP_E_NO_MEMORY)
        return no_memory(err);
    if (status && status != NP_E_INVALID_OPERATION)
        leave_alone(out, row->file, problem.text);
    if (!status && !fits(row, *ring)) {
        leave_alone(out, row->file, "a ring of another trace");
        np_ring_close(*ring);
        *ring = NULL;
        *skip = true;
    }
    *skip = *skip || status != NP_OK;
    return NP_OK;
}

static np_status recover_one(const char *path, sqlite3 *db, left_over *row, np_recovery *out,
                             np_error *err)
{
    np_ring *ring;
    bool skip;
    np_status status = take_ring(path, row, &ring, &skip, out, err);
    if (status || skip)
        return status;
    status = bring_in(db, row, ring, out, err);
    if (ring) {
        if (!status)
            np_ring_unlink(ring);
        np_ring_close(ring);
    }
    return status;
}

/* -------------------------------------------------------------------------------------------------- files without a row */

/* A ring that was made when its maker was killed: its row was never committed, so nothing can have
   been pushed. Or its row is closed, and the kill came before the file went. */
static np_status is_void(sqlite3 *db, const np_ring *ring, bool *is, np_error *err)
{
    char sql[160];
    int64_t known, closed;
    (void)snprintf(sql, sizeof sql, "SELECT min(closed) FROM ring WHERE generation = '%.32s'",
                   np_ring_generation(ring)); /* hex digits only */
    np_status status = np_db_int(db, sql, -1, &closed, err);
    known = closed >= 0;
    *is = known ? closed == 1 : np_ring_head(ring) == 0;
    return status;
}

static np_status sweep_file(const char *path, const char *file, sqlite3 *db, np_error *err)
{
    char *name = beside(path, file);
    if (!name)
        return no_memory(err);
    np_ring *ring;
    bool is = false;
    np_status status = NP_OK;
    if (np_ring_open(name, &ring, NULL) ==
        NP_OK) { /* others were named above, or belong to someone else */
        status = is_void(db, ring, &is, err);
        if (!status && is)
            np_ring_unlink(ring);
        np_ring_close(ring);
    }
    free(name);
    return status;
}

static np_status sweep(const char *path, sqlite3 *db, np_error *err)
{
    char *folder = beside(path, "");
    if (!folder)
        return no_memory(err);
    DIR *files = opendir(folder);
    free(folder);
    if (!files)
        return NP_OK; /* then nothing can be taken away either */
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const size_t length = strlen(base);
    np_status status = NP_OK;
    for (struct dirent *entry; !status && (entry = readdir(files));)
        if (strncmp(entry->d_name, base, length) == 0 &&
            strncmp(entry->d_name + length, "-ring-", 6) == 0)
            status = sweep_file(path, entry->d_name, db, err);
    (void)closedir(files); /* was only read */
    return status;
}

/* ------------------------------------------------------------------------------------------------------------- the outside */

np_status np_recover_all(const char *path, sqlite3 *db, np_recovery *out, np_error *err)
{
    np_recovery own = {0};
    left_over *rows;
    size_t count;
    char *absolute = realpath(path, NULL);
    np_status status = open_rings(db, &rows, &count, err);
    for (size_t i = 0; i < count && !status; i++)
        status = recover_one(absolute ? absolute : path, db, &rows[i], &own, err);
    if (!status)
        status = sweep(absolute ? absolute : path, db, err);
    free(rows);
    free(absolute);
    if (out)
        *out = own;
    return status;
}

/* Is one of these rings left over, or gone? Takes no lock that it keeps. */
static bool any_left_over(const char *path, const left_over *rows, size_t count, np_recovery *seen)
{
    bool any = false;
    for (size_t i = 0; i < count && !any; i++) {
        np_ring *ring;
        bool skip;
        any = take_ring(path, &rows[i], &ring, &skip, seen, NULL) == NP_OK && !skip;
        np_ring_close(ring);
    }
    return any;
}

np_status np_recover_for_reading(const char *path, sqlite3 *read_db, np_recovery *out,
                                 np_error *err)
{
    np_recovery own = {0};
    left_over *rows;
    size_t count;
    np_status status = open_rings(read_db, &rows, &count, err);
    char *absolute = realpath(path, NULL);
    char *folder = absolute ? beside(absolute, "") : NULL;
    sqlite3 *db = NULL;
    if (!status && folder && any_left_over(absolute, rows, count, &own) &&
        access(absolute, W_OK) == 0 && access(folder, W_OK) == 0) {
        status = np_db_open(absolute, NP_DB_WRITE, 0, &db, err);
        if (!status)
            status = np_recover_all(absolute, db, &own, err);
        if (status == NP_E_OUTPUT)
            status = NP_OK;
    }
    if (out)
        *out = own;
    np_db_close(db);
    free(folder);
    free(absolute);
    free(rows);
    return status;
}
