/*
 * Building column chunks; see chunk.h. Floor 2. One thread a connection.
 *
 * A chunk is a pure function of its 4,096 rows and their connections (tls_resumed is settled before
 * the first request on a connection can end), and where chunks begin is a pure function of the ids:
 * whoever makes them gets the same bytes.
 */
#include "chunk.h"

#include "columns.h"
#include "db.h"
#include "fail.h"
#include "request_sql.h"
#include "textbuf.h"

#include <netphase/phase.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------ builder */

struct builder {
    sqlite3 *db;
    sqlite3_stmt *rows;   /* ?1: after this id */
    sqlite3_stmt *chunk;  /* INSERT */
    sqlite3_stmt *column; /* INSERT */
    np_columns columns;
    uint8_t data[NP_CHUNK_ROWS * 8];
};

static void builder_free(struct builder *b)
{
    if (!b)
        return;
    sqlite3_finalize(b->rows);
    sqlite3_finalize(b->chunk);
    sqlite3_finalize(b->column);
    np_columns_done(&b->columns);
    free(b);
}

/* What only a chunk made from rows of the file needs: the SELECT, and columns to read into. */
static np_status prepare_reading(struct builder *b, np_error *err)
{
    np_textbuf sql;
    np_textbuf_init(&sql, 8192);
    np_textbuf_puts(&sql, "SELECT ");
    np_columns_select(NP_COLUMNS_ALL, &sql);
    np_textbuf_print(&sql, " FROM " NP_SQL_REQUEST " WHERE r.id > ?1 ORDER BY r.id LIMIT %d", NP_CHUNK_ROWS);
    np_status status = sql.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                                  : np_db_prepare(b->db, sql.text, &b->rows, err);
    np_textbuf_done(&sql);
    return status ? status : np_columns_reserve(&b->columns, NP_COLUMNS_ALL, err);
}

static np_status builder_create(sqlite3 *db, struct builder **out, np_error *err)
{
    struct builder *b = malloc(sizeof *b); /* `data` is written before it is read */
    if (!b)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a chunk");
    b->db = db;
    b->rows = b->chunk = b->column = NULL;
    np_columns_init(&b->columns);
    np_status status = np_db_prepare(
        db, "INSERT INTO chunk (id, first_id, last_id, rows, version) VALUES (?1, ?2, ?3, ?4, ?5)",
        &b->chunk, err);
    if (!status)
        status = np_db_prepare(db,
                               "INSERT INTO chunk_column (id, width, low, high, base, data) VALUES "
                               "(?1, ?2, ?3, ?4, ?5, ?6)",
                               &b->column, err);
    if (status) {
        builder_free(b);
        return status;
    }
    *out = b;
    return NP_OK;
}

static np_status read_rows(struct builder *b, int64_t after_id, np_error *err)
{
    b->columns.rows = 0;
    sqlite3_bind_int64(b->rows, 1, after_id);
    int rc;
    while ((rc = sqlite3_step(b->rows)) == SQLITE_ROW && b->columns.rows < NP_CHUNK_ROWS)
        np_columns_step(&b->columns, NP_COLUMNS_ALL, b->rows);
    sqlite3_reset(b->rows);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        return np_db_fail(err, b->db, rc, 1, "rows cannot be read into a chunk");
    np_columns_measure(&b->columns);
    return NP_OK;
}

/* Bytes a value for numbers up to `range`. */
static int width_for(uint64_t range)
{
    if (range == 0)
        return 0;
    if (range <= UINT8_MAX)
        return 1;
    if (range <= UINT16_MAX)
        return 2;
    return range <= UINT32_MAX ? 4 : 8;
}

/* With a constant `width` this is one store a value. Where some are NULL every value is stored all
 * the same, and only those that are there move `out` on: the buffer has room for all at their full
 * width. */
static inline __attribute__((always_inline)) int encode_width(struct builder *b, int column,
                                                              size_t width)
{
    const int bit = np_chunk_present_bit((np_chunk_column)column);
    const int64_t *value = b->columns.value[column];
    const uint64_t low = (uint64_t)b->columns.low[column];
    const bool is_full = b->columns.full & NP_COLUMN_BIT(column);
    uint8_t *out = b->data;
    for (uint32_t i = 0; is_full && i < b->columns.rows; i++, out += width) {
        const uint64_t little_endian = htole64((uint64_t)value[i] - low);
        memcpy(out, &little_endian, width);
    }
    for (uint32_t i = 0; !is_full && i < b->columns.rows; i++) {
        const uint64_t little_endian = htole64((uint64_t)value[i] - low);
        memcpy(out, &little_endian, width);
        out += np_columns_has(&b->columns, bit, i) ? width : 0;
    }
    return (int)(out - b->data);
}

/* Writes value - low of the values that are there as little-endian numbers of `width` bytes;
 * returns the bytes. */
static int encode(struct builder *b, int column, int width)
{
    switch (width) {
    case 0:
        return 0;
    case 1:
        return encode_width(b, column, 1);
    case 2:
        return encode_width(b, column, 2);
    case 4:
        return encode_width(b, column, 4);
    default:
        return encode_width(b, column, 8);
    }
}

static int insert_column(struct builder *b, int64_t chunk_id, int column)
{
    const bool empty = b->columns.empty & NP_COLUMN_BIT(column);
    const int64_t low = b->columns.low[column];
    const int64_t high = b->columns.high[column];
    const int width = empty ? 0 : width_for((uint64_t)high - (uint64_t)low);
    const int bytes = encode(b, column, width);

    sqlite3_bind_int64(b->column, 1, chunk_id * 64 + column);
    sqlite3_bind_int(b->column, 2, width);
    if (empty) {
        sqlite3_bind_null(b->column, 3);
        sqlite3_bind_null(b->column, 4);
    } else {
        sqlite3_bind_int64(b->column, 3, low);
        sqlite3_bind_int64(b->column, 4, high);
    }
    sqlite3_bind_int64(b->column, 5, low);
    sqlite3_bind_blob(b->column, 6, b->data, bytes, SQLITE_STATIC);
    const int rc = sqlite3_step(b->column);
    sqlite3_reset(b->column);
    return rc;
}

static np_status insert_chunk(struct builder *b, int64_t chunk_id, np_error *err)
{
    const int64_t first = b->columns.value[NP_COLUMN_ID][0];
    const int64_t last = b->columns.value[NP_COLUMN_ID][b->columns.rows - 1];
    const bool is_dense = (uint64_t)last - (uint64_t)first == b->columns.rows - 1;
    sqlite3_bind_int64(b->chunk, 1, chunk_id);
    sqlite3_bind_int64(b->chunk, 2, first);
    sqlite3_bind_int64(b->chunk, 3, last);
    sqlite3_bind_int64(b->chunk, 4, b->columns.rows);
    sqlite3_bind_int(b->chunk, 5, NP_CHUNK_VERSION);
    int rc = sqlite3_step(b->chunk);
    sqlite3_reset(b->chunk);
    for (int c = 0; rc == SQLITE_DONE && c < NP_COLUMNS; c++)
        if (c != NP_COLUMN_ID || !is_dense)
            rc = insert_column(b, chunk_id, c);
    return rc == SQLITE_DONE ? NP_OK : np_db_fail(err, b->db, rc, 1, "a chunk cannot be written");
}

/* ------------------------------------------------------------------------------------------------------------ callers */

static np_status last_chunk(sqlite3 *db, int64_t *chunk_id, int64_t *last_id, np_error *err)
{
    np_status status = np_db_int(db, "SELECT max(id) FROM chunk", 0, chunk_id, err);
    if (!status)
        status =
            np_db_int(db, "SELECT last_id FROM chunk ORDER BY id DESC LIMIT 1", 0, last_id, err);
    return status;
}

static np_status count_behind(sqlite3 *db, int64_t *rows, np_error *err)
{
    return np_db_int(db,
                     "SELECT count(*) FROM request WHERE id > coalesce((SELECT last_id FROM chunk "
                     "ORDER BY id DESC LIMIT 1), 0)",
                     0, rows, err);
}

np_status np_chunk_advance(sqlite3 *db, uint64_t *made, np_error *err)
{
    if (made)
        *made = 0;
    int64_t chunk_id = 0;
    int64_t last_id = 0;
    struct builder *b = NULL;
    np_status status = last_chunk(db, &chunk_id, &last_id, err);
    if (!status)
        status = builder_create(db, &b, err);
    if (!status)
        status = prepare_reading(b, err);
    while (!status) {
        status = read_rows(b, last_id, err);
        if (status || b->columns.rows < NP_CHUNK_ROWS)
            break;
        status = insert_chunk(b, ++chunk_id, err);
        last_id = b->columns.value[NP_COLUMN_ID][NP_CHUNK_ROWS - 1];
        if (!status && made)
            (*made)++;
    }
    builder_free(b);
    return status;
}

np_status np_chunk_after_rows(sqlite3 *db, int64_t added, int64_t *rows_behind, np_error *err)
{
    /* The running count knows only our own rows; another writer's are found when ours alone are
     * enough for a chunk. */
    np_status status = NP_OK;
    if (*rows_behind < 0)
        status = count_behind(db, rows_behind, err);
    else
        *rows_behind += added;
    if (status || *rows_behind < NP_CHUNK_ROWS)
        return status;
    status = np_chunk_advance(db, NULL, err);
    return status ? status : count_behind(db, rows_behind, err);
}

np_status np_chunk_rebuild(sqlite3 *db, uint64_t *made, np_error *err)
{
    if (made)
        *made = 0;
    np_status status = np_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status)
        return status;
    status = np_db_exec(db, "DELETE FROM chunk_column; DELETE FROM chunk;", err);
    if (!status)
        status = np_chunk_advance(db, made, err);
    if (!status)
        status = np_db_exec(db, "COMMIT", err);
    if (status) {
        if (made)
            *made = 0;
        if (!sqlite3_get_autocommit(db))
            (void)np_db_exec(db, "ROLLBACK", NULL); /* the first failure is the one to tell */
    }
    return status;
}

np_status np_chunk_last_id(sqlite3 *db, int64_t *last_id, np_error *err)
{
    return np_db_int(db, "SELECT last_id FROM chunk ORDER BY id DESC LIMIT 1", 0, last_id, err);
}

np_status np_chunk_from_columns(sqlite3 *db, np_columns *columns, np_error *err)
{
    int64_t chunk_id = 0;
    int64_t last_id = 0;
    struct builder *b = NULL;
    np_status status = last_chunk(db, &chunk_id, &last_id, err);
    if (!status)
        status = builder_create(db, &b, err);
    if (status)
        return status;
    const np_columns own = b->columns;
    columns->loaded = NP_COLUMNS_ALL;
    np_columns_measure(columns);
    b->columns = *columns; /* lent for the time of the call */
    status = insert_chunk(b, chunk_id + 1, err);
    b->columns = own;
    builder_free(b);
    return status;
}
