/* Which rows of chunks match; see matches.h. Floor 2. */
#include "matches.h"

#include "db_statement.h"
#include "fail.h"
#include "request_sql.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_PARAMETER = 4 }; /* of the filter */

static np_status prepare_rows(np_matches *matches, np_error *err)
{
    np_textbuf sql;
    np_textbuf_init(&sql, 1u << 20);
    np_textbuf_puts(&sql, "SELECT r.id FROM " NP_SQL_REQUEST " WHERE r.id BETWEEN ?1 AND ?2 AND "
                          "r.purpose = 0 AND (?3 = 0 OR r.run_id = ?3) AND ");
    (void)np_filter_sql(matches->filter, FIRST_PARAMETER, &sql);
    np_textbuf_puts(&sql, " ORDER BY r.id");
    np_status status = sql.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                                  : np_db_prepare(matches->db, sql.text, &matches->rows, err);
    np_textbuf_done(&sql);
    if (!status)
        status = np_filter_bind(matches->filter, matches->rows, FIRST_PARAMETER, err);
    if (!status)
        sqlite3_bind_int64(matches->rows, 3, matches->run_id);
    return status;
}

np_status np_matches_init(np_matches *matches, sqlite3 *db, const np_filter *filter, int64_t run_id,
                          np_error *err)
{
    *matches = (np_matches){.db = db, .filter = filter, .run_id = run_id};
    matches->decides = NP_COLUMN_BIT(NP_COLUMN_PURPOSE);
    if (run_id)
        matches->decides |= NP_COLUMN_BIT(NP_COLUMN_RUN);
    if (!filter)
        return NP_OK;
    if (!np_filter_is_columnar(filter)) {
        matches->decides |= NP_COLUMN_BIT(NP_COLUMN_ID);
        return prepare_rows(matches, err);
    }
    matches->decides = np_columns_with_present(matches->decides | np_filter_needs(filter));
    return np_filter_run_create(filter, db, &matches->run, err);
}

void np_matches_done(np_matches *matches)
{
    for (size_t i = 0; i < matches->count; i++)
        free(matches->chunks[i].bits);
    free(matches->chunks);
    sqlite3_finalize(matches->rows);
    np_filter_run_free(matches->run);
    *matches = (np_matches){0};
}

uint64_t np_matches_columns(const np_matches *matches)
{
    return matches->decides;
}

static np_status append(np_matches *matches, const np_chunk_head *head, np_error *err)
{
    if (matches->count == matches->room) {
        const size_t room = matches->room ? matches->room * 2 : 64;
        np_match_chunk *chunks = reallocarray(matches->chunks, room, sizeof *chunks);
        if (!chunks)
            return np_fail(err, NP_E_NO_MEMORY, "no memory for a list of chunks");
        matches->chunks = chunks;
        matches->room = room;
    }
    matches->chunks[matches->count++] = (np_match_chunk){.head = *head};
    return NP_OK;
}

np_status np_matches_refresh(np_matches *matches, np_error *err)
{
    sqlite3_stmt *heads = NULL;
    np_chunk_head head =
        matches->count ? matches->chunks[matches->count - 1].head : (np_chunk_head){0};
    np_status status = np_chunk_heads(matches->db, head.id, &heads, err);
    while (!status) {
        status = np_chunk_head_step(matches->db, heads, head.last_id, &head, err);
        if (status || !head.id)
            break;
        status = append(matches, &head, err);
    }
    sqlite3_finalize(heads);
    return status;
}

/* ------------------------------------------------------------------------------------------------------------ a chunk */

static void settle(np_matches *matches, np_match_chunk *chunk, np_match_state state, uint32_t count)
{
    chunk->state = state;
    chunk->count = count;
    matches->known++;
}

/* What the ranges alone say; NP_MATCH_UNKNOWN: the rows must be looked at. */
static np_match_state by_ranges(const np_matches *matches, const np_columns *columns)
{
    const int64_t *low = columns->low, *high = columns->high;
    const int64_t run = matches->run_id;
    if (low[NP_COLUMN_PURPOSE] > 0 || high[NP_COLUMN_PURPOSE] < 0)
        return NP_MATCH_NONE;
    if (run && (low[NP_COLUMN_RUN] > run || high[NP_COLUMN_RUN] < run))
        return NP_MATCH_NONE;
    if (matches->run && !np_filter_may_match(matches->filter, columns))
        return NP_MATCH_NONE;
    const bool is_pure = low[NP_COLUMN_PURPOSE] == 0 && high[NP_COLUMN_PURPOSE] == 0;
    const bool is_run = !run || (low[NP_COLUMN_RUN] == run && high[NP_COLUMN_RUN] == run);
    return is_pure && is_run && !matches->filter ? NP_MATCH_ALL : NP_MATCH_UNKNOWN;
}

static np_status by_columns(const np_matches *matches, const np_columns *columns, uint64_t *bits,
                            np_error *err)
{
    uint8_t verdict[NP_CHUNK_ROWS];
    const int64_t *purpose = columns->value[NP_COLUMN_PURPOSE];
    const int64_t *run = matches->run_id ? columns->value[NP_COLUMN_RUN] : NULL;
    if (matches->run) {
        const np_status status = np_filter_evaluate(matches->run, columns, verdict, err);
        if (status)
            return status;
    } else {
        memset(verdict, NP_TRUE, sizeof verdict);
    }
    for (uint32_t i = 0; i < columns->rows; i++) {
        const bool is_shown =
            verdict[i] == NP_TRUE && purpose[i] == 0 && (!run || run[i] == matches->run_id);
        bits[i / 64] |= (uint64_t)is_shown << i % 64;
    }
    return NP_OK;
}

static np_status by_rows(const np_matches *matches, const np_chunk_reader *reader, uint64_t *bits,
                         np_error *err)
{
    const int64_t *id = reader->columns.value[NP_COLUMN_ID];
    uint32_t at = 0;
    int rc;
    sqlite3_bind_int64(matches->rows, 1, reader->head.first_id);
    sqlite3_bind_int64(matches->rows, 2, reader->head.last_id);
    while ((rc = sqlite3_step(matches->rows)) == SQLITE_ROW) {
        const int64_t found = sqlite3_column_int64(matches->rows, 0);
        while (at < reader->columns.rows && id[at] < found)
            at++;
        if (at < reader->columns.rows && id[at] == found)
            bits[at / 64] |= UINT64_C(1) << at % 64;
    }
    sqlite3_reset(matches->rows);
    return rc == SQLITE_DONE ? NP_OK
                             : np_db_fail(err, matches->db, rc, 0, "a request cannot be read");
}

/* NP_MATCH_SOME keeps the bits; all or none need not. */
static np_status take_bits(np_matches *matches, np_match_chunk *chunk, const uint64_t *bits,
                           np_error *err)
{
    uint32_t count = 0;
    for (int i = 0; i < NP_MATCH_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(bits[i]);
    if (count == 0 || count == chunk->head.rows) {
        settle(matches, chunk, count ? NP_MATCH_ALL : NP_MATCH_NONE, count);
        return NP_OK;
    }
    chunk->bits = malloc(NP_MATCH_WORDS * sizeof *bits);
    if (!chunk->bits)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for what a filter found");
    memcpy(chunk->bits, bits, NP_MATCH_WORDS * sizeof *bits);
    settle(matches, chunk, NP_MATCH_SOME, count);
    return NP_OK;
}

np_status np_matches_find(np_matches *matches, np_match_chunk *chunk, np_chunk_reader *reader,
                          np_error *err)
{
    if (chunk->state != NP_MATCH_UNKNOWN)
        return NP_OK;
    np_status status = np_chunk_reader_load(reader, matches->decides, false, err);
    if (status)
        return status;
    const np_match_state state = by_ranges(matches, &reader->columns);
    if (state != NP_MATCH_UNKNOWN) {
        settle(matches, chunk, state, state == NP_MATCH_ALL ? chunk->head.rows : 0);
        return NP_OK;
    }
    uint64_t bits[NP_MATCH_WORDS] = {0};
    status = np_chunk_reader_load(reader, matches->decides, true, err);
    if (!status)
        status = matches->rows ? by_rows(matches, reader, bits, err)
                               : by_columns(matches, &reader->columns, bits, err);
    return status ? status : take_bits(matches, chunk, bits, err);
}
