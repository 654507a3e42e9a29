/*
 * Rows of `header`, `wire` and `tcp_sample`: what a request has at more than the usual detail.
 * Floor 2. One thread, one connection.
 */
#ifndef NP_STORE_HEADER_ROWS_H
#define NP_STORE_HEADER_ROWS_H

#include "assemble.h"
#include "texts.h"

#include <sqlite3.h>

typedef struct np_header_rows {
    sqlite3 *db;     /* borrowed */
    np_texts *texts; /* borrowed */
    sqlite3_stmt *statement[3];
} np_header_rows;

np_status np_header_rows_init(np_header_rows *rows, sqlite3 *db, np_texts *texts, np_error *err);
void np_header_rows_done(np_header_rows *rows);

/* Writes header fields, pieces of the wire and readings of TCP of a request whose row is `row`. */
np_status np_header_rows_write(np_header_rows *rows, np_assembly *assembly,
                               const np_seen_request *request, int64_t row, np_error *err);

#endif
