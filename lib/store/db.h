/* The one seam to SQLite's opening: paths, pragmas, schema versions, errors. Floor 2. One thread a
 * connection. */
#ifndef NP_STORE_DB_H
#define NP_STORE_DB_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdint.h>

#define NP_APPLICATION_ID 1313887314 /* 'NPTR' */
#define NP_SCHEMA_VERSION 1

typedef enum np_db_mode {
    NP_DB_READ, /* an existing trace, hostile until checked: trusted_schema off, defensive,
                   cell_size_check, lengths limited */
    NP_DB_WRITE /* made where there is none (0600, WAL, page size 16384, the schema in one
                   transaction); busy time-out lock_wait */
} np_db_mode;

/* NP_E_INPUT: no such file, not a trace, newer schema, damaged; NP_E_OUTPUT: cannot be made or
   written, locked past the wait. Texts follow screens.md: what was found, what was expected, what
   to do. */
np_status np_db_open(const char *path, np_db_mode mode, int64_t lock_wait_ns, sqlite3 **out,
                     np_error *err);
void np_db_close(sqlite3 *db); /* NULL allowed */

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
