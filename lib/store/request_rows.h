/*
 * Rows of `request` and `request_more`, and what the column chunks get of them. Floor 2. One
 * thread, one connection.
 *
 * The cost of a warm request is one row of `request`, so nothing else is done for it: its texts are
 * words of the ring whose ids are remembered, and its row waits for others to go in with
 * (pending.h). What only some requests have is a row of `request_more`, written at once: its id is
 * known, since inside a write transaction no one else gives out ids.
 */
#ifndef NP_STORE_REQUEST_ROWS_H
#define NP_STORE_REQUEST_ROWS_H

#include "connection_rows.h"
#include "feed.h"
#include "pending.h"

#define NP_REQUEST_ROW_COLUMNS 52 /* of both tables, without sources, error_layer and id */

typedef struct np_request_rows {
    sqlite3 *db;                     /* borrowed */
    np_texts *texts;                 /* borrowed */
    np_connection_rows *connections; /* borrowed */
    sqlite3_stmt *statement[3];
    int64_t next; /* the id that the next row gets */
    np_feed feed;
    np_pending pending;                    /* rows of `request` that are not written yet */
    int64_t value[NP_REQUEST_ROW_COLUMNS]; /* of the row at hand … */
    uint64_t present;                      /* … bit a column: it is not NULL */
    const char *layer;                     /* request_more.error_layer; NULL: none */
    uint64_t present_bit[NP_COLUMNS];      /* of a chunk's columns; 0: one that is never NULL */
    uint64_t last_hot, last_hot_present;   /* see present_of_hot */
} np_request_rows;

/* Where the spans of a request are. */
typedef struct np_span_range {
    int64_t first, count; /* count 0: it has none */
} np_span_range;

/* `rows` must stay where it is. */
np_status np_request_rows_init(np_request_rows *rows, sqlite3 *db, np_connection_rows *connections,
                               np_error *err);
void np_request_rows_done(np_request_rows *rows); /* also one that is only half there */

/* A write transaction has begun in which the first row gets the id `next`. */
np_status np_request_rows_begin(np_request_rows *rows, int64_t next, np_error *err);
/* Takes the row of a request, which gets the id rows->next, and writes what cannot wait. */
np_status np_request_rows_write(np_request_rows *rows, np_assembly *assembly,
                                np_seen_request *request, np_span_range spans, np_error *err);
/* Writes the rows that wait; they get the ids they were promised. */
np_status np_request_rows_flush(np_request_rows *rows, np_error *err);
/* Right before COMMIT: makes the column chunks that are due. */
np_status np_request_rows_commit(np_request_rows *rows, np_error *err);
void np_request_rows_rolled_back(np_request_rows *rows);

#endif
