/* Statements of an open connection, and what their failures are called. Floor 2. One thread a
 * connection. */
#ifndef NP_STORE_DB_STATEMENT_H
#define NP_STORE_DB_STATEMENT_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdint.h>

/* np_error from the connection's last failure: BUSY, FULL, READONLY, IOERR (write), CANTOPEN ->
   NP_E_OUTPUT where `writing`; CORRUPT, NOTADB and read errors
   -> NP_E_INPUT; INTERRUPT -> NP_E_CANCELED; NOMEM -> NP_E_NO_MEMORY. layer "sqlite", code the
   extended result code. */
np_status np_db_fail(np_error *err, sqlite3 *db, int rc, int writing, const char *what);
/* NP_E_INPUT for a file that is damaged, with what saves the rest of it; `path` "": not known. */
np_status np_db_fail_damaged(np_error *err, const char *path, int code, const char *cause);

np_status np_db_exec(sqlite3 *db, const char *sql, np_error *err);
np_status np_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, np_error *err);
/* One integer of one row; `none` when there is no row or it is NULL. */
np_status np_db_int(sqlite3 *db, const char *sql, int64_t none, int64_t *out, np_error *err);

#endif
