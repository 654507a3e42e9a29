#include "trace_maker.h"

#include "chunk.h"

#include <criterion/criterion.h>
#include <netphase/phase.h>
#include <stdio.h>
#include <string.h>

static char dump_sql[] = "SELECT id, first_id, last_id, rows, version FROM chunk";

static int64_t count(sqlite3 *db, const char *table)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return trace_int(db, sql);
}

/* Every byte of all chunks and columns, folded into one text. */
static char *contents(sqlite3 *db)
{
    sqlite3_stmt *s;
    sqlite3_str *out = sqlite3_str_new(db);
    cr_assert_eq(sqlite3_prepare_v2(db, dump_sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        for (int i = 0; i < 5; i++)
            sqlite3_str_appendf(out, "%lld ", sqlite3_column_int64(s, i));
    sqlite3_finalize(s);
    cr_assert_eq(sqlite3_prepare_v2(
                     db,
                     "SELECT id, width, low, high, base, hex(data) FROM chunk_column ORDER BY id",
                     -1, &s, NULL),
                 SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        for (int i = 0; i < 6; i++)
            sqlite3_str_appendf(out, "%s ", sqlite3_column_text(s, i));
    sqlite3_finalize(s);
    return sqlite3_str_finish(out);
}

Test(chunk, present_bits_are_different_and_fit_a_word)
{
    uint64_t seen = 0;
    for (int c = 0; c < NP_COLUMNS; c++) {
        const int bit = np_chunk_present_bit((np_chunk_column)c);
        cr_assert(bit >= -1 && bit < 32, "column %d", c);
        if (bit < 0)
            continue;
        cr_assert_not(seen >> bit & 1, "column %d shares bit %d", c, bit);
        seen |= UINT64_C(1) << bit;
    }
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
        cr_assert_eq(np_chunk_present_bit((np_chunk_column)(NP_COLUMN_QUEUE + phase)), phase);
}

Test(chunk, fewer_rows_than_a_chunk_make_none)
{
    sqlite3 *db = trace_make(trace_path("few.db"),
                             &(struct trace_shape){.seed = 1, .rows = NP_CHUNK_ROWS - 1});
    uint64_t made = 7;

    cr_assert_eq(np_chunk_advance(db, &made, NULL), NP_OK);

    cr_assert_eq(made, 0);
    cr_assert_eq(count(db, "chunk"), 0);
    sqlite3_close(db);
}

Test(chunk, every_full_chunk_is_made_and_the_rest_waits)
{
    sqlite3 *db = trace_make(trace_path("some.db"),
                             &(struct trace_shape){.seed = 2, .rows = 3 * NP_CHUNK_ROWS + 17});
    uint64_t made = 0;

    cr_assert_eq(np_chunk_advance(db, &made, NULL), NP_OK);

    cr_assert_eq(made, 3);
    cr_assert_eq(trace_int(db, "SELECT max(last_id) FROM chunk"), 3 * NP_CHUNK_ROWS);
    cr_assert_eq(trace_int(db, "SELECT sum(rows) FROM chunk"), 3 * NP_CHUNK_ROWS);
    cr_assert_eq(count(db, "chunk_column"), 3 * (NP_COLUMNS - 1),
                 "ids without holes need no column");
    cr_assert_eq(trace_int(db, "SELECT sum(length(data) > 4096 * width) FROM chunk_column"), 0);
    sqlite3_close(db);
}

Test(chunk, a_rebuild_gives_the_same_bytes)
{
    sqlite3 *db = trace_make(
        trace_path("rebuild.db"),
        &(struct trace_shape){.seed = 3, .rows = 2 * NP_CHUNK_ROWS + 5, .is_wild = true});
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    char *before = contents(db);
    uint64_t made = 0;

    cr_assert_eq(np_chunk_rebuild(db, &made, NULL), NP_OK);

    char *after = contents(db);
    cr_assert_eq(made, 2);
    cr_assert_str_eq(before, after);
    cr_assert(strlen(before) > 100000);
    sqlite3_free(before);
    sqlite3_free(after);
    sqlite3_close(db);
}

Test(chunk, made_bit_by_bit_it_is_the_same)
{
    sqlite3 *whole = trace_make(
        trace_path("whole.db"),
        &(struct trace_shape){.seed = 4, .rows = 2 * NP_CHUNK_ROWS + 100, .is_wild = true});
    cr_assert_eq(np_chunk_advance(whole, NULL, NULL), NP_OK);
    char *expected = contents(whole);
    sqlite3_close(whole);
    sqlite3 *db = trace_make(
        trace_path("bits.db"),
        &(struct trace_shape){.seed = 4, .rows = 2 * NP_CHUNK_ROWS + 100, .is_wild = true});
    trace_exec(db, "CREATE TEMP TABLE later AS SELECT * FROM request; DELETE FROM request");
    const int64_t last = trace_int(db, "SELECT max(id) FROM later");
    int64_t rows_behind = -1;

    for (int64_t id = 0; id < last; id += 700) {
        char sql[128];
        snprintf(sql, sizeof sql,
                 "INSERT INTO request SELECT * FROM later WHERE id > %lld AND id <= %lld",
                 (long long)id, (long long)id + 700);
        trace_exec(db, "BEGIN");
        trace_exec(db, sql);
        cr_assert_eq(np_chunk_after_rows(db, sqlite3_changes(db), &rows_behind, NULL), NP_OK);
        trace_exec(db, "COMMIT");
    }

    char *found = contents(db);
    cr_assert_str_eq(found, expected);
    cr_assert_eq(rows_behind, 100);
    sqlite3_free(found);
    sqlite3_free(expected);
    sqlite3_close(db);
}

Test(chunk, another_writers_chunks_are_not_made_twice)
{
    sqlite3 *db = trace_make(trace_path("two.db"),
                             &(struct trace_shape){.seed = 5, .rows = NP_CHUNK_ROWS + 10});
    int64_t ours = NP_CHUNK_ROWS - 1;
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);

    cr_assert_eq(np_chunk_after_rows(db, 5, &ours, NULL), NP_OK);

    cr_assert_eq(count(db, "chunk"), 1);
    cr_assert_eq(ours, 10);
    sqlite3_close(db);
}

Test(chunk, holes_between_ids_are_kept)
{
    sqlite3 *db = trace_make(trace_path("holes.db"),
                             &(struct trace_shape){.seed = 6, .rows = NP_CHUNK_ROWS + 100});
    trace_exec(db, "DELETE FROM request WHERE id % 100 = 7");

    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);

    cr_assert_eq(count(db, "chunk"), 1);
    cr_assert_eq(trace_int(db, "SELECT width FROM chunk_column WHERE id = 64"), 2);
    cr_assert_eq(trace_int(db, "SELECT last_id - first_id + 1 > rows FROM chunk"), 1);
    sqlite3_close(db);
}

Test(chunk, a_failure_leaves_the_chunks_that_were_there)
{
    const char *path = trace_path("readonly.db");
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 7, .rows = NP_CHUNK_ROWS});
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    trace_exec(db, "CREATE TRIGGER no BEFORE INSERT ON chunk BEGIN SELECT raise(ABORT, 'no'); END");
    uint64_t made = 9;

    cr_assert_eq(np_chunk_rebuild(db, &made, NULL), NP_E_OUTPUT);

    cr_assert_eq(made, 0);
    cr_assert_eq(count(db, "chunk"), 1);
    cr_assert(sqlite3_get_autocommit(db));
    sqlite3_close(db);
}
