/*
 * Rows that wait to be written together. Floor 2; one thread a connection.
 *
 * An INSERT of one row costs SQLite as much for beginning and ending the statement as for the row.
 * So rows are collected here and go in by one `INSERT INTO … SELECT … FROM NAME`, where NAME is a
 * virtual table that is nothing but this memory. Who collects must write them before COMMIT, and
 * before anything reads the table; a rollback drops them (np_pending_clear).
 */
#ifndef NP_STORE_PENDING_H
#define NP_STORE_PENDING_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NP_PENDING_ROWS = 256, NP_PENDING_COLUMNS = 32, NP_PENDING_BLOB = 16 };

/* Column i of a row: value[i]; the last column of the table is the blob. */
typedef struct np_pending_row {
    int64_t value[NP_PENDING_COLUMNS];
    uint32_t nulls; /* bit a column: it is NULL */
    uint8_t blob_length;
    uint8_t blob[NP_PENDING_BLOB]; /* blob_length 0: NULL */
} np_pending_row;

typedef struct np_pending {
    int columns; /* integers; the blob comes behind them */
    size_t count;
    np_pending_row rows[NP_PENDING_ROWS];
} np_pending;

/* Makes the table `name` of `columns` integers c0, c1 … and a blob c<columns> known to a
 * connection. `pending` must outlive the connection's use of it. */
np_status np_pending_declare(sqlite3 *db, const char *name, np_pending *pending, int columns,
                             np_error *err);

/* The table is unknown again; statements that read it must have been finalised. */
void np_pending_retract(sqlite3 *db, const char *name);

/* The row to fill in next; it counts from `count++` on. */
static inline np_pending_row *np_pending_next(np_pending *pending)
{
    return &pending->rows[pending->count];
}

static inline bool np_pending_is_full(const np_pending *pending)
{
    return pending->count == NP_PENDING_ROWS;
}

static inline void np_pending_clear(np_pending *pending)
{
    pending->count = 0;
}

#endif
