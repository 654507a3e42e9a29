/*
 * Prepared statements of the modules that write rows: making, binding, running. Floor 2. One
 * thread, one connection.
 *
 * A failed bind (no memory) leaves NULL, which the sums of `problems` would show in `request` and
 * NOT NULL refuses elsewhere; SQLite fails the step then as well. So binding returns nothing.
 */
#ifndef NP_STORE_ROW_STATEMENT_H
#define NP_STORE_ROW_STATEMENT_H

#include "assemble.h"

#include <netphase/status.h>
#include <sqlite3.h>

/* Prepares sql[0 … count) into out[]; what is made so far stays for np_statements_finalize. */
np_status np_statements_prepare(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **out,
                                np_error *err);
void np_statements_finalize(sqlite3_stmt **statements, int count); /* NULL among them allowed */

static inline void np_bind_int(sqlite3_stmt *statement, int parameter, int64_t value)
{
    (void)sqlite3_bind_int64(statement, parameter, value);
}

static inline void np_bind_or_null(sqlite3_stmt *statement, int parameter, bool present,
                                   int64_t value)
{
    if (present)
        (void)sqlite3_bind_int64(statement, parameter, value);
    else
        (void)sqlite3_bind_null(statement, parameter);
}

/* A text of an event, NULL where it is empty. It must be stepped before the ring moves. */
void np_bind_held(sqlite3_stmt *statement, int parameter, const np_assembly *assembly,
                  np_held held);

/* Steps a statement that answers nothing, once, and resets it. */
np_status np_statement_run(sqlite3 *db, sqlite3_stmt *statement, np_error *err);

#endif
