/* One pass over chunks and rows; see scan.h. Floor 2. */
#include "scan.h"

#include "chunk_reader.h"
#include "db.h"
#include "fail.h"
#include "request_sql.h"
#include "where.h"

#include <stdlib.h>
#include <string.h>

struct np_scan {
    sqlite3 *db;
    np_scan_options options;
    uint64_t needs;     /* columns to load: what the caller, the filter and the restrictions read */
    uint64_t decides;   /* those of the filter and the restrictions */
    np_filter_run *run; /* NULL: no filter, or one for SQL alone */
    sqlite3_stmt *chunks; /* NULL: no more of them */
    sqlite3_stmt *rows;   /* made when the chunks are through */
    bool rows_ended;      /* another step would begin them anew */
    int64_t last_id;      /* last row of the last chunk */
    np_chunk_reader reader;
    uint8_t verdict[NP_CHUNK_ROWS];
    uint16_t selected[NP_CHUNK_ROWS];
};

/* -------------------------------------------------------------------------------------------------------------- chunks */

static bool ranges_overlap(const np_scan *scan, int column, int64_t from, int64_t to)
{
    return scan->reader.columns.low[column] <= to && scan->reader.columns.high[column] >= from;
}

/* Whether any row of the chunk can match, by the ranges of `decides`. */
static bool may_match(const np_scan *scan)
{
    const np_scan_options *o = &scan->options;
    if (!ranges_overlap(scan, NP_COLUMN_PURPOSE, 0, 0))
        return false;
    if (o->run_id && !ranges_overlap(scan, NP_COLUMN_RUN, o->run_id, o->run_id))
        return false;
    if (o->since_ns && !ranges_overlap(scan, NP_COLUMN_START, o->since_ns, INT64_MAX))
        return false;
    if (o->until_ns && !ranges_overlap(scan, NP_COLUMN_START, INT64_MIN, o->until_ns - 1))
        return false;
    return !scan->run || np_filter_may_match(o->filter, &scan->reader.columns);
}

/* Takes from selected[] what does not lie in from … to. */
static uint32_t restrict_to(np_scan *scan, int column, int64_t from, int64_t to, uint32_t count)
{
    if (scan->reader.columns.low[column] >= from && scan->reader.columns.high[column] <= to)
        return count;
    const int64_t *value = scan->reader.columns.value[column];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t row = scan->selected[i];
        scan->selected[kept] = row;
        kept += value[row] >= from && value[row] <= to;
    }
    return kept;
}

static np_status select_rows(np_scan *scan, uint32_t *count, np_error *err)
{
    const np_scan_options *o = &scan->options;
    uint32_t n = scan->reader.columns.rows;
    for (uint32_t i = 0; i < n; i++)
        scan->selected[i] = (uint16_t)i;
    n = restrict_to(scan, NP_COLUMN_PURPOSE, 0, 0, n);
    if (o->run_id)
        n = restrict_to(scan, NP_COLUMN_RUN, o->run_id, o->run_id, n);
    if (o->since_ns)
        n = restrict_to(scan, NP_COLUMN_START, o->since_ns, INT64_MAX, n);
    if (o->until_ns)
        n = restrict_to(scan, NP_COLUMN_START, INT64_MIN, o->until_ns - 1, n);
    if (scan->run && n) {
        const np_status status = np_filter_evaluate(scan->run, &scan->reader.columns, scan->verdict, err);
        if (status)
            return status;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < n; i++) {
            const uint16_t row = scan->selected[i];
            scan->selected[kept] = row;
            kept += scan->verdict[row] == NP_TRUE;
        }
        n = kept;
    }
    *count = n;
    return NP_OK;
}

static np_status end_chunks(np_scan *scan)
{
    sqlite3_finalize(scan->chunks);
    scan->chunks = NULL;
    return NP_OK;
}

/* Steps to the next chunk and its matching rows; scan->chunks is NULL when there is none. */
static np_status next_chunk(np_scan *scan, uint32_t *count, np_error *err)
{
    np_chunk_head head;
    *count = 0;
    np_status status = np_chunk_head_step(scan->db, scan->chunks, scan->last_id, &head, err);
    if (status)
        return status;
    if (!head.id)
        return end_chunks(scan);
    scan->last_id = head.last_id;
    np_chunk_reader_begin(&scan->reader, &head);
    status = np_chunk_reader_load(&scan->reader, scan->decides, false, err);
    if (status || !may_match(scan))
        return status;
    status = np_chunk_reader_load(&scan->reader, scan->decides, true, err);
    if (!status)
        status = select_rows(scan, count, err);
    if (!status && *count)
        status = np_chunk_reader_load(&scan->reader, scan->needs & ~scan->decides, true, err);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------- rows */

static void rows_sql(const np_scan *scan, np_textbuf *sql)
{
    const np_scan_options *o = &scan->options;
    np_textbuf_puts(sql, "SELECT ");
    np_columns_select(scan->needs, sql);
    np_textbuf_puts(sql, " FROM " NP_SQL_REQUEST " WHERE r.id > ?1 AND r.purpose = 0");
    if (o->run_id)
        np_textbuf_puts(sql, " AND r.run_id = ?2");
    if (o->since_ns)
        np_textbuf_puts(sql, " AND r.start_ns >= ?3");
    if (o->until_ns)
        np_textbuf_puts(sql, " AND r.start_ns < ?4");
    if (o->filter) {
        np_textbuf_puts(sql, " AND ");
        (void)np_filter_sql(o->filter, 5, sql);
    }
    np_textbuf_puts(sql, " ORDER BY r.id");
}

static np_status begin_rows(np_scan *scan, np_error *err)
{
    np_textbuf sql;
    np_textbuf_init(&sql, 1u << 20);
    rows_sql(scan, &sql);
    np_status status = sql.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                                  : np_db_prepare(scan->db, sql.text, &scan->rows, err);
    np_textbuf_done(&sql);
    if (!status && scan->options.filter)
        status = np_filter_bind(scan->options.filter, scan->rows, 5, err);
    if (status)
        return status;
    const int64_t values[] = {scan->last_id, scan->options.run_id, scan->options.since_ns,
                              scan->options.until_ns};
    const int parameters = sqlite3_bind_parameter_count(scan->rows);
    for (int i = 0; i < 4 && i < parameters; i++)
        sqlite3_bind_int64(scan->rows, i + 1, values[i]);
    scan->reader.constant = 0;
    for (uint32_t i = 0; i < NP_CHUNK_ROWS; i++)
        scan->selected[i] = (uint16_t)i;
    return NP_OK;
}

static np_status next_rows(np_scan *scan, uint32_t *count, np_error *err)
{
    *count = 0;
    if (!scan->rows) {
        const np_status status = begin_rows(scan, err);
        if (status)
            return status;
    }
    scan->reader.columns.rows = 0;
    scan->reader.columns.loaded = scan->reader.columns.ranged = scan->reader.columns.empty = 0;
    while (!scan->rows_ended && scan->reader.columns.rows < NP_CHUNK_ROWS) {
        const int rc = sqlite3_step(scan->rows);
        scan->rows_ended = rc != SQLITE_ROW;
        if (rc == SQLITE_DONE)
            break;
        if (rc != SQLITE_ROW)
            return np_db_fail(err, scan->db, rc, 0, "a request cannot be read");
        np_columns_step(&scan->reader.columns, scan->needs, scan->rows);
    }
    np_columns_measure(&scan->reader.columns);
    *count = scan->reader.columns.rows;
    return NP_OK;
}

/* -------------------------------------------------------------------------------------------------------------- calls */

static void choose_columns(np_scan *scan)
{
    const np_scan_options *o = &scan->options;
    if (scan->run)
        scan->decides = np_filter_needs(o->filter);
    scan->decides |= NP_COLUMN_BIT(NP_COLUMN_PURPOSE);
    if (o->run_id)
        scan->decides |= NP_COLUMN_BIT(NP_COLUMN_RUN);
    if (o->since_ns || o->until_ns)
        scan->decides |= NP_COLUMN_BIT(NP_COLUMN_START);
    scan->needs = np_columns_with_present(o->columns | scan->decides);
}

np_status np_scan_open(sqlite3 *db, const np_scan_options *options, np_scan **out, np_error *err)
{
    *out = NULL;
    np_scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return np_fail(err, NP_E_NO_MEMORY, "no memory to read a trace");
    scan->db = db;
    scan->options = *options;
    scan->last_id = options->after_id;
    const bool with_chunks =
        !options->no_chunks && (!options->filter || np_filter_is_columnar(options->filter));
    np_status status = NP_OK;
    if (with_chunks && options->filter)
        status = np_filter_run_create(options->filter, db, &scan->run, err);
    choose_columns(scan);
    if (!status)
        status = np_chunk_reader_init(&scan->reader, db, scan->needs, err);
    if (!status && with_chunks)
        status = np_chunk_heads(db, 0, &scan->chunks, err);
    if (status) {
        np_scan_close(scan);
        return status;
    }
    *out = scan;
    return NP_OK;
}

void np_scan_close(np_scan *scan)
{
    if (!scan)
        return;
    np_filter_run_free(scan->run);
    sqlite3_finalize(scan->chunks);
    sqlite3_finalize(scan->rows);
    np_chunk_reader_done(&scan->reader);
    free(scan);
}

np_status np_scan_next(np_scan *scan, const np_columns **columns, const uint16_t **rows,
                       uint32_t *count, np_error *err)
{
    *columns = &scan->reader.columns;
    *rows = scan->selected;
    *count = 0;
    np_status status = NP_OK;
    while (!status && *count == 0) {
        const atomic_bool *canceled = scan->options.canceled;
        if (canceled &&
            atomic_load_explicit(
                canceled, memory_order_relaxed)) /* a flag alone: nothing is handed over with it */
            return np_fail(err, NP_E_CANCELED, "reading was interrupted");
        if (scan->chunks) {
            status = next_chunk(scan, count, err);
        } else {
            status = next_rows(scan, count, err);
            break;
        }
    }
    return status;
}
