/*
 * Column chunks: 4,096 finished requests as columns, a pure function of their rows. Floor 2.
 *
 * Whoever commits next after 4,096 rows lie behind the last chunk turns them into columns, in its
 * own transaction (np_chunk_advance); `info --rebuild` drops all and does the same
 * (np_chunk_rebuild). Readers take the chunks and step the rows behind the last one. Numbers of
 * columns are stored and never change.
 */
#ifndef NP_STORE_CHUNK_H
#define NP_STORE_CHUNK_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct np_columns;

#define NP_CHUNK_ROWS 4096

typedef enum np_chunk_column {
    NP_COLUMN_ID,
    NP_COLUMN_PRESENT,
    NP_COLUMN_RUN,
    NP_COLUMN_START,
    NP_COLUMN_TOTAL,
    NP_COLUMN_QUEUE,
    NP_COLUMN_PROXY,
    NP_COLUMN_DNS,
    NP_COLUMN_CONNECT,
    NP_COLUMN_TUNNEL,
    NP_COLUMN_TLS,
    NP_COLUMN_SEND,
    NP_COLUMN_WAIT,
    NP_COLUMN_RECEIVE,
    NP_COLUMN_GAP,
    NP_COLUMN_CALLER_BLOCKED,
    NP_COLUMN_SEND_APPLICATION,
    NP_COLUMN_RECEIVE_APPLICATION,
    NP_COLUMN_LATE,
    NP_COLUMN_METHOD,
    NP_COLUMN_ORIGIN,
    NP_COLUMN_ROUTE,
    NP_COLUMN_PATH,
    NP_COLUMN_STATUS,
    NP_COLUMN_PROTOCOL,
    NP_COLUMN_CONNECTION,
    NP_COLUMN_CONNECTION_USE,
    NP_COLUMN_PROXY_TEXT,
    NP_COLUMN_OUTCOME,
    NP_COLUMN_PURPOSE,
    NP_COLUMN_HOP_OF,
    NP_COLUMN_SENT_BYTES,
    NP_COLUMN_RECEIVED_BYTES,
    NP_COLUMN_DNS_QUERIES,
    NP_COLUMN_CONNECT_ATTEMPTS,
    NP_COLUMN_FLAGS,
    NP_COLUMN_WEB_STATUS,
    NP_COLUMN_TLS_RESUMED,
    NP_COLUMNS
} np_chunk_column;

/*
 * NULL: a row's value of NP_COLUMN_PRESENT has a bit for each column that may be NULL, phases first
 * (bit = np_phase, gap's is always set), then the others in the order of the table in chunk.c: what
 * changes from row to row lies low, so that the word stays narrow. A column holds only the values
 * that are there, in the order of rows; without NP_COLUMN_PRESENT it cannot be read unless it is
 * full. `id` has a row in chunk_column only when ids are missing in between; else it is first_id +
 * place.
 */
#define NP_CHUNK_VERSION 1

/* The bit of NP_COLUMN_PRESENT for a column, or -1: it always has a value. */
int np_chunk_present_bit(np_chunk_column column);

/* The column as an SQL expression over NP_SQL_REQUEST; NULL for NP_COLUMN_PRESENT, which is made from
 * the others. */
const char *np_chunk_sql(np_chunk_column column);

/* Inside the caller's write transaction: makes every full chunk there is to make. `made` may be
 * NULL. */
np_status np_chunk_advance(sqlite3 *db, uint64_t *made, np_error *err);

/* As np_chunk_advance, but costs nothing when it is called at each commit: `rows_behind` is the
   caller's running count of rows behind the last chunk (start with -1: it is counted), updated
   here. `added`: rows of this transaction. Another writer may have chunked in between: checked
   inside. */
np_status np_chunk_after_rows(sqlite3 *db, int64_t added, int64_t *rows_behind, np_error *err);

/* Drops all chunks and makes them anew, in a transaction of its own. */
np_status np_chunk_rebuild(sqlite3 *db, uint64_t *made, np_error *err);

/* Id of the last row in a chunk; 0: there is no chunk. */
np_status np_chunk_last_id(sqlite3 *db, int64_t *last_id, np_error *err);

/* The same chunk as np_chunk_advance would make, from rows that the caller wrote and still has: all
   NP_CHUNK_ROWS of them, every column, the first one being the row behind the last chunk (np_feed
   checks that). */
np_status np_chunk_from_columns(sqlite3 *db, struct np_columns *columns, np_error *err);

#endif
