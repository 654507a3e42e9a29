/* One pass over chunks and rows; see scan.h. Floor 2. */
#include "scan.h"

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
    sqlite3_stmt *column; /* ?1 … ?2: chunk * 64 + column */
    sqlite3_stmt *rows;   /* made when the chunks are through */
    bool rows_ended;      /* another step would begin them anew */
    int64_t last_id;      /* last row of the last chunk */
    int64_t first_id;     /* of the chunk at hand */
    np_columns columns;
    uint64_t constant; /* bit a column: value[] is filled with constants[column] */
    int64_t constants[NP_COLUMNS];
    uint8_t verdict[NP_CHUNK_ROWS];
    uint16_t selected[NP_CHUNK_ROWS];
};

/* ------------------------------------------------------------------------------------------------------------- columns */

static np_status fail_damaged(int64_t chunk_id, int column, np_error *err)
{
    return np_fail(err, NP_E_INPUT,
                   "column chunk %lld is damaged at column %d: make chunks anew with 'netphase "
                   "info --rebuild'",
                   (long long)chunk_id, column);
}

/* value = base + stored; wraps around where a damaged base makes it. */
#define DECODE(type)                                                                               \
    for (uint32_t i = 0; i < count; i++) {                                                         \
        type stored;                                                                               \
        memcpy(&stored, data + i * sizeof stored, sizeof stored);                                  \
        out[i] = (int64_t)(base + stored);                                                         \
    }

static void decode(const uint8_t *data, int width, uint64_t base, uint32_t count, int64_t *out)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
                   "chunks are little-endian, as we are");
    if (width == 1)
        DECODE(uint8_t)
    else if (width == 2)
        DECODE(uint16_t)
    else if (width == 4)
        DECODE(uint32_t)
    else
        DECODE(uint64_t)
}

/* Moves value[0 … count) to the rows that have one, from the last to the first: the place of a
   value is never behind its row. false: there are not as many rows as values. */
static bool spread(int64_t *value, uint32_t count, const int64_t *present, int bit, uint32_t rows)
{
    uint32_t left = count;
    for (uint32_t row = rows; row-- > 0;) {
        if (!((uint64_t)present[row] >> bit & 1))
            continue;
        if (!left)
            return false;
        value[row] = value[--left];
    }
    return left == 0;
}

/* Most chunks repeat the constants of the one before: purpose, run, a phase that never is. */
static void fill(np_scan *scan, int column, int64_t value)
{
    if ((scan->constant & NP_COLUMN_BIT(column)) && scan->constants[column] == value)
        return;
    for (uint32_t i = 0; i < NP_CHUNK_ROWS; i++)
        scan->columns.value[column][i] = value;
    scan->constant |= NP_COLUMN_BIT(column);
    scan->constants[column] = value;
}

/* The ids of a chunk without holes are not stored. */
static np_status count_ids(np_scan *scan, int64_t chunk_id, bool with_values, np_error *err)
{
    np_columns *columns = &scan->columns;
    if ((uint64_t)scan->last_id - (uint64_t)scan->first_id != columns->rows - 1)
        return fail_damaged(chunk_id, NP_COLUMN_ID, err);
    columns->low[NP_COLUMN_ID] = scan->first_id;
    columns->high[NP_COLUMN_ID] = scan->last_id;
    columns->ranged |= NP_COLUMN_BIT(NP_COLUMN_ID);
    columns->empty &= ~NP_COLUMN_BIT(NP_COLUMN_ID);
    for (uint32_t i = 0; with_values && i < columns->rows; i++)
        columns->value[NP_COLUMN_ID][i] = scan->first_id + i;
    return NP_OK;
}

static np_status take_values(np_scan *scan, int64_t chunk_id, int column, np_error *err)
{
    const int width = sqlite3_column_int(scan->column, 0);
    const int64_t base = sqlite3_column_int64(scan->column, 3);
    if (width == 0) {
        fill(scan, column, base);
        return NP_OK;
    }
    const uint8_t *data = sqlite3_column_blob(scan->column, 4);
    const int64_t bytes = sqlite3_column_bytes(scan->column, 4);
    const int bit = np_chunk_present_bit((np_chunk_column)column);
    const uint32_t rows = scan->columns.rows;
    if ((width != 1 && width != 2 && width != 4 && width != 8) || bytes % width ||
        bytes / width > rows || (bit < 0 && bytes / width != rows))
        return fail_damaged(chunk_id, column, err);
    if (!data && bytes)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a column chunk");
    int64_t *value = scan->columns.value[column];
    const uint32_t count = (uint32_t)(bytes / width);
    scan->constant &= ~NP_COLUMN_BIT(column);
    decode(data, width, (uint64_t)base, count, value);
    if (count < rows && !spread(value, count, scan->columns.value[NP_COLUMN_PRESENT], bit, rows))
        return fail_damaged(chunk_id, column, err);
    return NP_OK;
}

static void take_range(np_scan *scan, int column)
{
    np_columns *columns = &scan->columns;
    const uint64_t bit = NP_COLUMN_BIT(column);
    const bool empty = sqlite3_column_type(scan->column, 1) == SQLITE_NULL;
    columns->low[column] = sqlite3_column_int64(scan->column, 1);
    columns->high[column] = sqlite3_column_int64(scan->column, 2);
    columns->ranged |= bit;
    columns->empty = empty ? columns->empty | bit : columns->empty & ~bit;
}

/* Reads the columns of `mask`: their ranges, and with_values also what is in them. They lie behind
   each other, so that one search finds them all: a search costs more than a step over a column that
   nobody asked for. */
static np_status load(np_scan *scan, int64_t chunk_id, uint64_t mask, bool with_values,
                      np_error *err)
{
    np_status status = NP_OK;
    uint64_t missing = mask;
    int rc = SQLITE_DONE;
    if (!mask)
        return NP_OK;
    sqlite3_bind_int64(scan->column, 1, chunk_id * 64 + __builtin_ctzll(mask));
    sqlite3_bind_int64(scan->column, 2, chunk_id * 64 + 63 - __builtin_clzll(mask));
    while (!status && missing && (rc = sqlite3_step(scan->column)) == SQLITE_ROW) {
        const int c = (int)(sqlite3_column_int64(scan->column, 5) - chunk_id * 64);
        if (!(mask & NP_COLUMN_BIT(c)))
            continue;
        missing &= ~NP_COLUMN_BIT(c);
        take_range(scan, c);
        if (with_values)
            status = take_values(scan, chunk_id, c, err);
    }
    if (!status && rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = np_db_fail(err, scan->db, rc, 0, "a column chunk cannot be read");
    sqlite3_reset(scan->column);
    if (!status && (missing & NP_COLUMN_BIT(NP_COLUMN_ID))) {
        missing &= ~NP_COLUMN_BIT(NP_COLUMN_ID);
        scan->constant &= ~NP_COLUMN_BIT(NP_COLUMN_ID);
        status = count_ids(scan, chunk_id, with_values, err);
    }
    if (!status && missing)
        status = fail_damaged(chunk_id, __builtin_ctzll(missing), err);
    if (with_values)
        scan->columns.loaded |= mask;
    return status;
}

/* -------------------------------------------------------------------------------------------------------------- chunks */

static bool ranges_overlap(const np_scan *scan, int column, int64_t from, int64_t to)
{
    return scan->columns.low[column] <= to && scan->columns.high[column] >= from;
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
    return !scan->run || np_filter_may_match(o->filter, &scan->columns);
}

/* Takes from selected[] what does not lie in from … to. */
static uint32_t restrict_to(np_scan *scan, int column, int64_t from, int64_t to, uint32_t count)
{
    if (scan->columns.low[column] >= from && scan->columns.high[column] <= to)
        return count;
    const int64_t *value = scan->columns.value[column];
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
    uint32_t n = scan->columns.rows;
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
        const np_status status = np_filter_evaluate(scan->run, &scan->columns, scan->verdict, err);
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
    *count = 0;
    const int rc = sqlite3_step(scan->chunks);
    if (rc == SQLITE_DONE)
        return end_chunks(scan);
    if (rc != SQLITE_ROW)
        return np_db_fail(err, scan->db, rc, 0, "a column chunk cannot be read");
    const int64_t chunk_id = sqlite3_column_int64(scan->chunks, 0);
    const int64_t first_id = sqlite3_column_int64(scan->chunks, 1);
    const int64_t last_id = sqlite3_column_int64(scan->chunks, 2);
    const int64_t rows = sqlite3_column_int64(scan->chunks, 3);
    if (sqlite3_column_int(scan->chunks, 4) != NP_CHUNK_VERSION)
        return end_chunks(scan); /* made by a newer netphase: its rows say the same */
    if (rows < 1 || rows > NP_CHUNK_ROWS || first_id <= scan->last_id || last_id < first_id ||
        chunk_id < 1 || chunk_id > INT64_MAX / 64 - 1)
        return fail_damaged(chunk_id, NP_COLUMN_ID, err);
    scan->first_id = first_id;
    scan->last_id = last_id;
    scan->columns.rows = (uint32_t)rows;
    scan->columns.loaded = scan->columns.ranged = scan->columns.empty = 0;
    np_status status = load(scan, chunk_id, scan->decides, false, err);
    if (status || !may_match(scan))
        return status;
    status = load(scan, chunk_id, scan->decides, true, err);
    if (!status)
        status = select_rows(scan, count, err);
    if (!status && *count)
        status = load(scan, chunk_id, scan->needs & ~scan->decides, true, err);
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
    scan->constant = 0;
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
    scan->columns.rows = 0;
    scan->columns.loaded = scan->columns.ranged = scan->columns.empty = 0;
    while (!scan->rows_ended && scan->columns.rows < NP_CHUNK_ROWS) {
        const int rc = sqlite3_step(scan->rows);
        scan->rows_ended = rc != SQLITE_ROW;
        if (rc == SQLITE_DONE)
            break;
        if (rc != SQLITE_ROW)
            return np_db_fail(err, scan->db, rc, 0, "a request cannot be read");
        np_columns_step(&scan->columns, scan->needs, scan->rows);
    }
    np_columns_measure(&scan->columns);
    *count = scan->columns.rows;
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
    np_columns_init(&scan->columns);
    const bool with_chunks =
        !options->no_chunks && (!options->filter || np_filter_is_columnar(options->filter));
    np_status status = NP_OK;
    if (with_chunks && options->filter)
        status = np_filter_run_create(options->filter, db, &scan->run, err);
    choose_columns(scan);
    if (!status)
        status = np_columns_reserve(&scan->columns, scan->needs, err);
    if (!status && with_chunks)
        status =
            np_db_prepare(db, "SELECT id, first_id, last_id, rows, version FROM chunk ORDER BY id",
                          &scan->chunks, err);
    if (!status && with_chunks)
        status = np_db_prepare(db,
                               "SELECT width, low, high, base, data, id FROM chunk_column "
                               "WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
                               &scan->column, err);
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
    sqlite3_finalize(scan->column);
    sqlite3_finalize(scan->rows);
    np_columns_done(&scan->columns);
    free(scan);
}

np_status np_scan_next(np_scan *scan, const np_columns **columns, const uint16_t **rows,
                       uint32_t *count, np_error *err)
{
    *columns = &scan->columns;
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
