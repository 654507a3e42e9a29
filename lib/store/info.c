/*
 * What a trace holds; see <netphase/store.h>. Floor 2. One thread a store.
 *
 * Counts come from the requests themselves (two columns of each chunk), not from the counters of
 * runs: they are right also while a run is being recorded, and for what a killed program left.
 */
#include "reader.h"

#include "db.h"
#include "fail.h"
#include "request_sql.h"
#include "scan.h"

#include <string.h>

#define RUNS_MAX     100000
#define PROBLEMS_MAX 1000000

struct info {
    np_store_info info;
    np_arena *arena;
};

void np_store_info_free(np_store_info *info)
{
    if (info)
        np_arena_free(((struct info *)info)->arena);
}

static np_status fail_memory(np_error *err)
{
    return np_fail(err, NP_E_NO_MEMORY, "no memory for what the trace holds");
}

/* ------------------------------------------------------------------------------------------------------------ requests */

static void add_batch(np_store_info *info, const np_columns *columns, const uint16_t *rows,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const int64_t start = columns->value[NP_COLUMN_START][rows[i]];
        const int64_t end = np_add_saturated(start, columns->value[NP_COLUMN_TOTAL][rows[i]]);
        if (!info->requests || start < info->first_ns)
            info->first_ns = start;
        if (!info->requests || end > info->last_ns)
            info->last_ns = end;
        info->requests++;
        info->failed += columns->value[NP_COLUMN_OUTCOME][rows[i]] != 0;
    }
}

static np_status scan_requests(np_store *store, bool no_chunks, np_store_info *info, np_error *err)
{
    const np_scan_options options = {
        .columns = NP_COLUMN_BIT(NP_COLUMN_START) | NP_COLUMN_BIT(NP_COLUMN_TOTAL) |
                   NP_COLUMN_BIT(NP_COLUMN_OUTCOME),
        .no_chunks = no_chunks,
        .canceled = &store->canceled,
    };
    info->requests = info->failed = 0;
    info->first_ns = info->last_ns = 0;
    np_scan *scan;
    np_status status = np_scan_open(store->db, &options, &scan, err);
    while (!status) {
        const np_columns *columns;
        const uint16_t *rows;
        uint32_t count;
        status = np_scan_next(scan, &columns, &rows, &count, err);
        if (status || !count)
            break;
        add_batch(info, columns, rows, count);
    }
    np_scan_close(scan);
    return status;
}

static np_status count_requests(np_store *store, np_store_info *info, np_error *err)
{
    np_error first = {0};
    const np_status status = scan_requests(store, false, info, &first);
    if (status == NP_E_INPUT) /* chunks can be made anew: the rows decide what can be read */
        return scan_requests(store, true, info, err);
    if (status && err)
        *err = first;
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------- runs */

static const char run_sql[] =
    "SELECT n.id, n.uuid, (SELECT name FROM code WHERE domain = 'run_state' AND code = n.state), "
    "(SELECT name FROM code WHERE domain = 'mode' AND code = n.mode), n.tool, n.command, "
    "(SELECT json_group_object(key, value) FROM (SELECT key, value FROM label WHERE run_id = n.id "
    "ORDER BY key)), n.environment, "
    "n.started_ns, n.ended_ns, n.exit_status, n.requests, n.failed, n.dropped FROM run n ORDER BY "
    "n.id";

static uint64_t counter(const np_row_reader *reader, int column)
{
    const int64_t value = np_row_int(reader, column, 0);
    return value > 0 ? (uint64_t)value : 0;
}

static void read_run(np_row_reader *reader, np_run_info *run)
{
    *run = (np_run_info){
        .id = np_row_int(reader, 0, 0),
        .uuid = np_row_text(reader, 1),
        .state = np_row_text(reader, 2),
        .mode = np_row_text(reader, 3),
        .tool = np_row_text(reader, 4),
        .command = np_row_text(reader, 5),
        .labels = np_row_text(reader, 6),
        .environment = np_row_text(reader, 7),
        .started_ns = np_row_int(reader, 8, 0),
        .ended_ns = np_row_int(reader, 9, 0),
        .exit_status = np_row_small(reader, 10, -1),
        .requests = counter(reader, 11),
        .failed = counter(reader, 12),
        .dropped = counter(reader, 13),
    };
}

static np_status read_runs(np_store *store, struct info *info, np_error *err)
{
    np_row_reader reader = {.arena = info->arena};
    np_run_info *runs = NULL;
    size_t capacity = 0;
    np_status status = np_db_prepare(store->db, run_sql, &reader.statement, err);
    if (status)
        return status;
    int rc;
    while ((rc = sqlite3_step(reader.statement)) == SQLITE_ROW && info->info.run_count < RUNS_MAX &&
           !reader.no_memory) {
        if (info->info.run_count == capacity) {
            const size_t wider = capacity ? capacity * 2 : 16;
            np_run_info *more = np_arena_alloc(info->arena, wider * sizeof *more);
            if (!more) {
                reader.no_memory = true;
                break;
            }
            if (runs)
                memcpy(more, runs, capacity * sizeof *more);
            info->info.runs = runs = more;
            capacity = wider;
        }
        read_run(&reader, &runs[info->info.run_count++]);
        info->info.dropped += runs[info->info.run_count - 1].dropped;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = np_db_fail(err, store->db, rc, 0, "the runs cannot be read");
    else if (reader.no_memory)
        status = fail_memory(err);
    (void)sqlite3_finalize(reader.statement); /* repeats the failure of the step */
    return status;
}

/* -------------------------------------------------------------------------------------------------------------- checks */

static np_status check_integrity(np_store *store, struct info *info, np_error *err)
{
    np_row_reader reader = {.arena = info->arena};
    const np_status status =
        np_db_prepare(store->db, "PRAGMA integrity_check(1)", &reader.statement, err);
    if (status)
        return status;
    const int rc = sqlite3_step(reader.statement);
    if (rc == SQLITE_ROW)
        info->info.integrity = np_row_text(&reader, 0);
    else if ((rc & 0xff) == SQLITE_CORRUPT)
        info->info.integrity = np_arena_print(info->arena, "%s", sqlite3_errmsg(store->db));
    (void)sqlite3_finalize(reader.statement); /* repeats the failure of the step */
    if (!info->info.integrity)
        return fail_memory(err);
    return rc == SQLITE_ROW || (rc & 0xff) == SQLITE_CORRUPT
               ? NP_OK
               : np_db_fail(err, store->db, rc, 0, "it cannot be checked");
}

/* The view `problems`, asked of the tables: a view in a file from someone else may say anything,
 * and take for ever. */
static const char problems_sql[] =
    "SELECT 'phases do not add up', r.id FROM " NP_SQL_REQUEST
    " WHERE r.total_ns <> r.gap_ns + coalesce(r.queue_ns, 0) + coalesce(m.proxy_ns, 0) + "
    "coalesce(m.dns_ns, 0) + coalesce(m.connect_ns, 0) + coalesce(m.tunnel_ns, 0) + "
    "coalesce(m.tls_ns, 0) + coalesce(r.send_ns, 0) + coalesce(r.wait_ns, 0) + "
    "coalesce(r.receive_ns, 0) "
    "UNION ALL SELECT 'negative phase', r.id FROM " NP_SQL_REQUEST
    " WHERE min(r.gap_ns, coalesce(r.queue_ns, 0), coalesce(m.proxy_ns, 0), coalesce(m.dns_ns, 0), "
    "coalesce(m.connect_ns, 0), coalesce(m.tunnel_ns, 0), coalesce(m.tls_ns, 0), "
    "coalesce(r.send_ns, 0), coalesce(r.wait_ns, 0), coalesce(r.receive_ns, 0), r.total_ns) < 0 "
    "UNION ALL SELECT 'a value is missing', id FROM request WHERE run_id + process_id + number + "
    "start_ns + total_ns + gap_ns + outcome + purpose + method_id + origin_id + path_id + "
    "route_id + flags IS NULL "
    "UNION ALL SELECT 'set-up phases on a reused connection', r.id FROM request_more m JOIN "
    "request r ON r.id = m.id WHERE r.connection_use > 1 AND "
    "coalesce(m.connect_ns, m.tunnel_ns, m.tls_ns) IS NOT NULL AND r.flags & 1024 = 0 "
    "UNION ALL SELECT 'more of nothing', id FROM request_more WHERE id NOT IN (SELECT id FROM "
    "request) "
    "UNION ALL SELECT 'no such run', id FROM request WHERE run_id NOT IN (SELECT id FROM run) "
    "UNION ALL SELECT 'hop of nothing', id FROM request_more WHERE hop_of IS NOT NULL AND hop_of NOT IN "
    "(SELECT id FROM request) "
    "UNION ALL SELECT 'run counter', n.id FROM run n WHERE n.state <> 0 AND n.requests <> "
    "(SELECT count(*) FROM request WHERE run_id = n.id AND purpose = 0) "
    "UNION ALL SELECT 'chunks overlap', b.id FROM chunk a JOIN chunk b ON b.id = a.id + 1 WHERE "
    "b.first_id <= a.last_id";

static np_status check_problems(np_store *store, struct info *info, np_error *err)
{
    np_row_reader reader = {.arena = info->arena};
    np_status status = np_db_prepare(store->db, problems_sql, &reader.statement, err);
    if (status)
        return status;
    int rc;
    while ((rc = sqlite3_step(reader.statement)) == SQLITE_ROW &&
           info->info.problems < PROBLEMS_MAX)
        if (info->info.problems++ == 0)
            info->info.first_problem =
                np_arena_print(info->arena, "%s: %lld", np_row_text(&reader, 0),
                               (long long)np_row_int(&reader, 1, 0));
    (void)sqlite3_reset(reader.statement); /* repeats the failure of the step */
    if (!info->info.first_problem || reader.no_memory)
        status = fail_memory(err);
    else if ((rc & 0xff) == SQLITE_CORRUPT)
        status = NP_OK; /* integrity says it */
    else if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = np_db_fail(err, store->db, rc, 0, "it cannot be checked");
    sqlite3_finalize(reader.statement);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------- info */

static np_status count(np_store *store, const char *sql, uint64_t *out, np_error *err)
{
    int64_t value = 0;
    const np_status status = np_db_int(store->db, sql, 0, &value, err);
    *out = value > 0 ? (uint64_t)value : 0;
    return status;
}

static np_status read_numbers(np_store *store, np_store_info *info, np_error *err)
{
    int64_t pages = 0;
    int64_t version = 0;
    np_status status = np_db_int(store->db, "PRAGMA page_size", 0, &info->page_size, err);
    if (!status)
        status = np_db_int(store->db, "PRAGMA page_count", 0, &pages, err);
    if (!status)
        status = np_db_int(store->db, "PRAGMA user_version", 0, &version, err);
    if (!status)
        status = count(store, "SELECT count(*) FROM connection", &info->connections, err);
    if (!status)
        status = count(store, "SELECT count(*) FROM span", &info->spans, err);
    if (!status)
        status = count(store, "SELECT count(*) FROM chunk", &info->chunks, err);
    if (!status)
        status = count(store, "SELECT count(*) FROM running", &info->unfinished, err);
    info->file_bytes = pages * info->page_size;
    info->schema_version = (int)version;
    return status;
}

np_status np_store_info_get(np_store *store, bool check, np_store_info **out, np_error *err)
{
    *out = NULL;
    np_arena *arena = np_arena_create();
    struct info *info = arena ? np_arena_alloc(arena, sizeof *info) : NULL;
    const char *path = info ? np_arena_copy(arena, store->path, strlen(store->path)) : NULL;
    if (!path) {
        np_arena_free(arena);
        return fail_memory(err);
    }
    info->arena = arena;
    info->info = (np_store_info){.path = path, .first_problem = "", .integrity = ""};
    np_status status = np_store_begin(store, err);
    if (!status)
        status = read_numbers(store, &info->info, err);
    if (!status)
        status = read_runs(store, info, err);
    if (!status)
        status = count_requests(store, &info->info, err);
    if (!status && check)
        status = check_integrity(store, info, err);
    if (!status && check)
        status = check_problems(store, info, err);
    np_store_end(store);
    if (status) {
        np_arena_free(arena);
        return status;
    }
    *out = &info->info;
    return NP_OK;
}
