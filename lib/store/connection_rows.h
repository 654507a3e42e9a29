/*
 * Rows of `connection`: written when a set-up has ended, or earlier where something else refers to
 * it, and changed when there is more to say. Floor 2. One thread, one connection.
 */
#ifndef NP_STORE_CONNECTION_ROWS_H
#define NP_STORE_CONNECTION_ROWS_H

#include "assemble.h"
#include "texts.h"

#include <sqlite3.h>

typedef struct np_connection_rows {
    sqlite3 *db;     /* borrowed */
    np_texts *texts; /* borrowed */
    sqlite3_stmt *statement[2];
} np_connection_rows;

np_status np_connection_rows_init(np_connection_rows *rows, sqlite3 *db, np_texts *texts,
                                  np_error *err);
void np_connection_rows_done(np_connection_rows *rows); /* also one that is only half there */

/* Writes what is known of a connection: a new row, or changes to the one it has. */
np_status np_connection_rows_write(np_connection_rows *rows, np_assembly *assembly,
                                   np_seen_connection *connection, np_error *err);

/* Makes sure of a row that something written now refers to, also while the set-up goes on.
 * `connection` NULL: nothing to do. */
np_status np_connection_rows_need(np_connection_rows *rows, np_assembly *assembly,
                                  np_seen_connection *connection, np_error *err);

#endif
