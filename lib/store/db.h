/* The one seam to SQLite's opening: paths, pragmas, schema versions, errors. Floor 2. One thread a
 * connection. */
#ifndef NP_STORE_DB_H
#define NP_STORE_DB_H

#include "db_statement.h"

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdint.h>

#define NP_APPLICATION_ID 1313887314 /* 'NPTR' */

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

#endif
