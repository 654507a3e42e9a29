/* The rows of a list; see list_rows.h. Floor 2. */
#include "list_rows.h"

#include "clock.h"
#include "db_statement.h"
#include "fail.h"
#include "request_sql.h"

#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_NS (10 * (uint64_t)NP_NS_PER_MS)

enum { FIRST_PARAMETER = 3 }; /* of the filter, in `behind` */

/* --------------------------------------------------------------------------------------------------------- life time */

static np_status prepare(np_list_rows *rows, np_error *err)
{
    np_textbuf sql;
    np_textbuf_init(&sql, 1u << 20);
    np_textbuf_print(&sql,
                     "SELECT r.id, %s FROM " NP_SQL_REQUEST
                     " WHERE r.id > ?1 AND r.purpose = 0 AND (?2 = 0 OR r.run_id = ?2) AND ",
                     rows->sort.column->sql);
    (void)np_filter_sql(rows->matches.filter, FIRST_PARAMETER, &sql);
    np_textbuf_puts(&sql, " ORDER BY r.id");
    np_status status = sql.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                                  : np_db_prepare(rows->db, sql.text, &rows->behind, err);
    np_textbuf_clear(&sql);
    np_textbuf_print(&sql, "SELECT r.id, %s FROM " NP_SQL_REQUEST " WHERE r.id = ?1",
                     rows->sort.column->sql);
    if (!status)
        status = sql.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                            : np_db_prepare(rows->db, sql.text, &rows->key, err);
    np_textbuf_done(&sql);
    if (!status && rows->matches.filter)
        status = np_filter_bind(rows->matches.filter, rows->behind, FIRST_PARAMETER, err);
    if (!status)
        sqlite3_bind_int64(rows->behind, 2, rows->matches.run_id);
    return status;
}

np_status np_list_rows_init(np_list_rows *rows, sqlite3 *db, const np_list_options *options,
                            const atomic_bool *canceled, np_error *err)
{
    memset(rows, 0, sizeof *rows);
    rows->db = db;
    rows->canceled = canceled;
    rows->progress = options->progress;
    rows->user = options->user;
    np_status status = np_sort_key_find(options->sort, options->descending, &rows->sort, err);
    if (status)
        return status;
    rows->key_columns = np_view_column_needs(rows->sort.column) | NP_COLUMN_BIT(NP_COLUMN_ID);
    status = np_matches_init(&rows->matches, db, options->filter, options->run_id, err);
    if (!status)
        status = np_chunk_reader_init(&rows->reader, db,
                                      rows->key_columns | np_matches_columns(&rows->matches), err);
    return status ? status : prepare(rows, err);
}

void np_list_rows_done(np_list_rows *rows)
{
    sqlite3_finalize(rows->behind);
    sqlite3_finalize(rows->key);
    np_matches_done(&rows->matches);
    np_chunk_reader_done(&rows->reader);
    free(rows->tail);
    rows->tail = NULL;
}

/* ------------------------------------------------------------------------------------------------------------ chunks */

/* A chunk that is at hand keeps what is loaded of it. */
static np_match_chunk *take(np_list_rows *rows, size_t i)
{
    np_match_chunk *chunk = &rows->matches.chunks[i];
    if (rows->reader.head.id != chunk->head.id)
        np_chunk_reader_begin(&rows->reader, &chunk->head);
    return chunk;
}

np_status np_list_rows_match(np_list_rows *rows, size_t i, np_error *err)
{
    if (rows->matches.chunks[i].state != NP_MATCH_UNKNOWN)
        return NP_OK;
    return np_matches_find(&rows->matches, take(rows, i), &rows->reader, err);
}

static np_status load(np_list_rows *rows, uint64_t mask, np_error *err)
{
    return (rows->reader.columns.loaded & mask) == mask
               ? NP_OK
               : np_chunk_reader_load(&rows->reader, mask, true, err);
}

np_status np_list_rows_ids(np_list_rows *rows, size_t i, np_error *err)
{
    (void)take(rows, i);
    return load(rows, NP_COLUMN_BIT(NP_COLUMN_ID), err);
}

static void set_range(const np_list_rows *rows, np_match_chunk *chunk)
{
    np_sort_key_range(&rows->sort, &rows->reader.columns, &chunk->low, &chunk->high);
    chunk->has_range = true;
}

np_status np_list_rows_range(np_list_rows *rows, size_t i, np_error *err)
{
    np_match_chunk *chunk = take(rows, i);
    if (chunk->has_range)
        return NP_OK;
    const np_status status = np_chunk_reader_load(&rows->reader, rows->key_columns, false, err);
    if (!status)
        set_range(rows, chunk);
    return status;
}

np_status np_list_rows_keys(np_list_rows *rows, size_t i, np_error *err)
{
    np_status status = np_list_rows_match(rows, i, err);
    if (status || rows->matches.chunks[i].state == NP_MATCH_NONE)
        return status;
    np_match_chunk *chunk = take(rows, i);
    status = load(rows, rows->key_columns, err);
    if (status)
        return status;
    np_sort_key_fill(&rows->sort, &rows->reader.columns, rows->keys);
    if (!chunk->has_range)
        set_range(rows, chunk);
    return NP_OK;
}

/* ----------------------------------------------------------------------------------------------------------- refresh */

static int64_t last_in_chunks(const np_list_rows *rows)
{
    return rows->matches.count ? rows->matches.chunks[rows->matches.count - 1].head.last_id : 0;
}

static np_entry entry_at(const np_list_rows *rows, sqlite3_stmt *statement)
{
    return (np_entry){np_sort_key_of(&rows->sort, sqlite3_column_type(statement, 1) == SQLITE_NULL,
                                     sqlite3_column_int64(statement, 1)),
                      sqlite3_column_int64(statement, 0)};
}

static bool append(np_list_rows *rows, np_entry entry)
{
    if (rows->tail_count == rows->tail_room) {
        const size_t room = rows->tail_room ? rows->tail_room * 2 : 1024;
        np_entry *tail = reallocarray(rows->tail, room, sizeof *tail);
        if (!tail)
            return false;
        rows->tail = tail;
        rows->tail_room = room;
    }
    rows->tail[rows->tail_count++] = entry;
    return true;
}

static np_status read_tail(np_list_rows *rows, int64_t after, np_list_rows_added added, void *user,
                           np_error *err)
{
    np_status status = NP_OK;
    int rc;
    sqlite3_bind_int64(rows->behind, 1, after);
    while (!status && (rc = sqlite3_step(rows->behind)) == SQLITE_ROW) {
        const np_entry entry = entry_at(rows, rows->behind);
        if (!append(rows, entry))
            status = np_fail(err, NP_E_NO_MEMORY, "no memory for the rows of a list");
        else if (added)
            added(entry, user);
        if (!status && rows->tail_count % NP_CHUNK_ROWS == 0)
            status = np_list_rows_pulse(rows, 0, err);
    }
    if (!status && rc != SQLITE_DONE)
        status = np_db_fail(err, rows->db, rc, 0, "a request cannot be read");
    sqlite3_reset(rows->behind);
    return status;
}

/* Rows of new chunks that the list has not seen as rows behind the last chunk. */
static np_status look_at_chunks(np_list_rows *rows, np_list_rows_added added, void *user,
                                np_error *err)
{
    size_t i = rows->matches.count;
    while (i > 0 && rows->matches.chunks[i - 1].head.last_id > rows->seen_id)
        i--;
    for (; i < rows->matches.count; i++) {
        np_status status = np_list_rows_keys(rows, i, err);
        if (!status)
            status = np_list_rows_pulse(rows, 0, err);
        if (status)
            return status;
        const np_match_chunk *chunk = &rows->matches.chunks[i];
        const int64_t *id = rows->reader.columns.value[NP_COLUMN_ID];
        for (uint32_t row = 0; row < chunk->head.rows; row++)
            if (np_match_has(chunk, row) && id[row] > rows->seen_id)
                added((np_entry){rows->keys[row], id[row]}, user);
    }
    return NP_OK;
}

static void drop_chunked(np_list_rows *rows)
{
    const int64_t last_id = last_in_chunks(rows);
    size_t drop = 0;
    while (drop < rows->tail_count && rows->tail[drop].id <= last_id)
        drop++;
    rows->tail_count -= drop;
    if (drop)
        memmove(rows->tail, rows->tail + drop, rows->tail_count * sizeof *rows->tail);
}

np_status np_list_rows_refresh(np_list_rows *rows, np_list_rows_added added, void *user,
                               np_error *err)
{
    int64_t newest = 0;
    np_status status = np_db_int(rows->db, "SELECT max(id) FROM request", 0, &newest, err);
    if (status || newest <= rows->seen_id)
        return status;
    status = np_matches_refresh(&rows->matches, err);
    drop_chunked(rows);
    if (!status && added)
        status = look_at_chunks(rows, added, user, err);
    const int64_t chunked = last_in_chunks(rows);
    if (!status)
        status =
            read_tail(rows, chunked > rows->seen_id ? chunked : rows->seen_id, added, user, err);
    if (!status) {
        rows->seen_id = newest;
        return NP_OK;
    }
    /* What has come in so far stays: chunks whole, of the rest nothing. */
    rows->seen_id = chunked > rows->seen_id ? chunked : rows->seen_id;
    while (rows->tail_count && rows->tail[rows->tail_count - 1].id > rows->seen_id)
        rows->tail_count--;
    return status;
}

np_status np_list_rows_entry(np_list_rows *rows, int64_t id, np_entry *out, np_error *err)
{
    sqlite3_bind_int64(rows->key, 1, id);
    const int rc = sqlite3_step(rows->key);
    np_status status = NP_OK;
    if (rc == SQLITE_ROW)
        *out = entry_at(rows, rows->key);
    else if (rc == SQLITE_DONE)
        status = np_fail(err, NP_E_ARGUMENT_RANGE, "there is no request %lld", (long long)id);
    else
        status = np_db_fail(err, rows->db, rc, 0, "a request cannot be read");
    sqlite3_reset(rows->key);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------- progress */

void np_list_rows_begin(np_list_rows *rows)
{
    rows->told = 0;
    rows->told_ns = np_now();
}

np_status np_list_rows_pulse(np_list_rows *rows, double done, np_error *err)
{
    if (atomic_load_explicit(
            rows->canceled,
            memory_order_relaxed)) /* a flag alone: nothing is handed over with it */
        return np_fail(err, NP_E_CANCELED, "reading was interrupted");
    if (!rows->progress)
        return NP_OK;
    const uint64_t now_ns = np_now();
    if (now_ns - rows->told_ns < TELL_EVERY_NS)
        return NP_OK;
    rows->told_ns = now_ns;
    rows->told = done > rows->told ? done : rows->told;
    return rows->progress(rows->told, rows->user)
               ? NP_OK
               : np_fail(err, NP_E_CANCELED, "reading was interrupted");
}
