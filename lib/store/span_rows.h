/*
 * Rows of `span`. Floor 2. One thread, one connection.
 *
 * Spans of a request are consecutive rows: the row of the request says where they are. Inside a
 * write transaction no one else gives out ids, so they are known before they are written.
 */
#ifndef NP_STORE_SPAN_ROWS_H
#define NP_STORE_SPAN_ROWS_H

#include "connection_rows.h"

typedef struct np_span_rows {
    sqlite3 *db;                     /* borrowed */
    np_texts *texts;                 /* borrowed */
    np_connection_rows *connections; /* borrowed */
    sqlite3_stmt *statement[2];
    int64_t next; /* the id that the next row gets; set when a transaction begins */
} np_span_rows;

np_status np_span_rows_init(np_span_rows *rows, sqlite3 *db, np_connection_rows *connections,
                            np_error *err);
void np_span_rows_done(np_span_rows *rows);

/* Writes the spans of a request whose row is `row`; phases in several pieces become spans too,
 * where the detail is more than phases. */
np_status np_span_rows_write(np_span_rows *rows, np_assembly *assembly,
                             const np_seen_request *request, int64_t row, np_error *err);

/* Writes a span that belongs to no request, or its end. */
np_status np_span_rows_orphan(np_span_rows *rows, np_assembly *assembly, np_seen_orphan *orphan,
                              np_error *err);

#endif
