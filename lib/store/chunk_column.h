/* The columns of a chunk: their numbers, which of them may be NULL, and what they are in rows.
 * Floor 2; constant data, any thread. Numbers are stored and never change. */
#ifndef NP_STORE_CHUNK_COLUMN_H
#define NP_STORE_CHUNK_COLUMN_H

#include <stdint.h>

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

#define NP_COLUMN_BIT(column) (UINT64_C(1) << (column))
#define NP_COLUMNS_ALL        (NP_COLUMN_BIT(NP_COLUMNS) - 1)

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

/* The column as an SQL expression over NP_SQL_REQUEST; NULL for NP_COLUMN_PRESENT, which is made
 * from the others. */
const char *np_chunk_sql(np_chunk_column column);

/* `mask` and what is needed to tell NULL in it. */
uint64_t np_columns_with_present(uint64_t mask);

#endif
