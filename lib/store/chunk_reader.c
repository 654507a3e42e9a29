/* Chunks back to columns; see chunk_reader.h. Floor 2. */
#include "chunk_reader.h"

#include "db_statement.h"
#include "fail.h"

#include <string.h>

np_status np_chunk_reader_init(np_chunk_reader *reader, sqlite3 *db, uint64_t columns,
                               np_error *err)
{
    *reader = (np_chunk_reader){.db = db};
    np_columns_init(&reader->columns);
    np_status status = np_columns_reserve(&reader->columns, columns, err);
    if (!status)
        status = np_db_prepare(db,
                               "SELECT width, low, high, base, data, id FROM chunk_column "
                               "WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
                               &reader->column, err);
    return status;
}

void np_chunk_reader_done(np_chunk_reader *reader)
{
    sqlite3_finalize(reader->column);
    reader->column = NULL;
    np_columns_done(&reader->columns);
}

np_status np_chunk_heads(sqlite3 *db, int64_t after_chunk, sqlite3_stmt **out, np_error *err)
{
    const np_status status = np_db_prepare(
        db, "SELECT id, first_id, last_id, rows, version FROM chunk WHERE id > ?1 ORDER BY id", out,
        err);
    if (!status)
        sqlite3_bind_int64(*out, 1, after_chunk);
    return status;
}

static np_status fail_damaged(int64_t chunk_id, int column, np_error *err)
{
    return np_fail(err, NP_E_INPUT,
                   "column chunk %lld is damaged at column %d: make chunks anew with 'netphase "
                   "info --rebuild'",
                   (long long)chunk_id, column);
}

np_status np_chunk_head_step(sqlite3 *db, sqlite3_stmt *heads, int64_t behind_id,
                             np_chunk_head *out, np_error *err)
{
    *out = (np_chunk_head){0};
    const int rc = sqlite3_step(heads);
    if (rc == SQLITE_DONE)
        return NP_OK;
    if (rc != SQLITE_ROW)
        return np_db_fail(err, db, rc, 0, "a column chunk cannot be read");
    const int64_t rows = sqlite3_column_int64(heads, 3);
    const np_chunk_head head = {.id = sqlite3_column_int64(heads, 0),
                                .first_id = sqlite3_column_int64(heads, 1),
                                .last_id = sqlite3_column_int64(heads, 2),
                                .rows = (uint32_t)rows};
    if (sqlite3_column_int(heads, 4) != NP_CHUNK_VERSION)
        return NP_OK; /* made by a newer netphase: its rows say the same */
    if (rows < 1 || rows > NP_CHUNK_ROWS || head.first_id <= behind_id ||
        head.last_id < head.first_id || head.id < 1 || head.id > INT64_MAX / 64 - 1)
        return fail_damaged(head.id, NP_COLUMN_ID, err);
    *out = head;
    return NP_OK;
}

void np_chunk_reader_begin(np_chunk_reader *reader, const np_chunk_head *head)
{
    reader->head = *head;
    reader->columns.rows = head->rows;
    reader->columns.loaded = reader->columns.ranged = reader->columns.empty = 0;
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
static void fill(np_chunk_reader *reader, int column, int64_t value)
{
    if ((reader->constant & NP_COLUMN_BIT(column)) && reader->constants[column] == value)
        return;
    for (uint32_t i = 0; i < NP_CHUNK_ROWS; i++)
        reader->columns.value[column][i] = value;
    reader->constant |= NP_COLUMN_BIT(column);
    reader->constants[column] = value;
}

/* The ids of a chunk without holes are not stored. */
static np_status count_ids(np_chunk_reader *reader, int64_t chunk_id, bool with_values,
                           np_error *err)
{
    np_columns *columns = &reader->columns;
    if ((uint64_t)reader->head.last_id - (uint64_t)reader->head.first_id != columns->rows - 1)
        return fail_damaged(chunk_id, NP_COLUMN_ID, err);
    columns->low[NP_COLUMN_ID] = reader->head.first_id;
    columns->high[NP_COLUMN_ID] = reader->head.last_id;
    columns->ranged |= NP_COLUMN_BIT(NP_COLUMN_ID);
    columns->empty &= ~NP_COLUMN_BIT(NP_COLUMN_ID);
    for (uint32_t i = 0; with_values && i < columns->rows; i++)
        columns->value[NP_COLUMN_ID][i] = reader->head.first_id + i;
    return NP_OK;
}

static np_status take_values(np_chunk_reader *reader, int64_t chunk_id, int column, np_error *err)
{
    const int width = sqlite3_column_int(reader->column, 0);
    const int64_t base = sqlite3_column_int64(reader->column, 3);
    if (width == 0) {
        fill(reader, column, base);
        return NP_OK;
    }
    const uint8_t *data = sqlite3_column_blob(reader->column, 4);
    const int64_t bytes = sqlite3_column_bytes(reader->column, 4);
    const int bit = np_chunk_present_bit((np_chunk_column)column);
    const uint32_t rows = reader->columns.rows;
    if ((width != 1 && width != 2 && width != 4 && width != 8) || bytes % width ||
        bytes / width > rows || (bit < 0 && bytes / width != rows))
        return fail_damaged(chunk_id, column, err);
    if (!data && bytes)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a column chunk");
    int64_t *value = reader->columns.value[column];
    const uint32_t count = (uint32_t)(bytes / width);
    reader->constant &= ~NP_COLUMN_BIT(column);
    decode(data, width, (uint64_t)base, count, value);
    if (count < rows && !spread(value, count, reader->columns.value[NP_COLUMN_PRESENT], bit, rows))
        return fail_damaged(chunk_id, column, err);
    return NP_OK;
}

static void take_range(np_chunk_reader *reader, int column)
{
    np_columns *columns = &reader->columns;
    const uint64_t bit = NP_COLUMN_BIT(column);
    const bool empty = sqlite3_column_type(reader->column, 1) == SQLITE_NULL;
    columns->low[column] = sqlite3_column_int64(reader->column, 1);
    columns->high[column] = sqlite3_column_int64(reader->column, 2);
    columns->ranged |= bit;
    columns->empty = empty ? columns->empty | bit : columns->empty & ~bit;
}

np_status np_chunk_reader_load(np_chunk_reader *reader, uint64_t mask, bool with_values,
                               np_error *err)
{
    const int64_t chunk_id = reader->head.id;
    np_status status = NP_OK;
    uint64_t missing = mask;
    int rc = SQLITE_DONE;
    if (!mask)
        return NP_OK;
    sqlite3_bind_int64(reader->column, 1, chunk_id * 64 + __builtin_ctzll(mask));
    sqlite3_bind_int64(reader->column, 2, chunk_id * 64 + 63 - __builtin_clzll(mask));
    while (!status && missing && (rc = sqlite3_step(reader->column)) == SQLITE_ROW) {
        const int c = (int)(sqlite3_column_int64(reader->column, 5) - chunk_id * 64);
        if (!(mask & NP_COLUMN_BIT(c)))
            continue;
        missing &= ~NP_COLUMN_BIT(c);
        take_range(reader, c);
        if (with_values)
            status = take_values(reader, chunk_id, c, err);
    }
    if (!status && rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = np_db_fail(err, reader->db, rc, 0, "a column chunk cannot be read");
    sqlite3_reset(reader->column);
    if (!status && (missing & NP_COLUMN_BIT(NP_COLUMN_ID))) {
        missing &= ~NP_COLUMN_BIT(NP_COLUMN_ID);
        reader->constant &= ~NP_COLUMN_BIT(NP_COLUMN_ID);
        status = count_ids(reader, chunk_id, with_values, err);
    }
    if (!status && missing)
        status = fail_damaged(chunk_id, __builtin_ctzll(missing), err);
    if (with_values)
        reader->columns.loaded |= mask;
    return status;
}
