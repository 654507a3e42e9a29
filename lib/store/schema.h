/* The schema of a trace: made on a new file, brought forward on an old one. Floor 2. The texts are
 * schema/NNNN_*.sql and schema/views.sql, built in. */
#ifndef NP_STORE_SCHEMA_H
#define NP_STORE_SCHEMA_H

#include <netphase/status.h>
#include <sqlite3.h>

#define NP_SCHEMA_VERSION 1

/* Makes the schema where the file has none (WAL, page size, everything in one transaction), also
   when another program is just doing the same. A file that has tables of any kind is left as it is.
   Waits up to wait_ms for other programs: NP_E_OUTPUT. */
np_status np_schema_make(sqlite3 *db, int wait_ms, np_error *err);

/* Runs the migrations that the file lacks, and makes the documented views anew when their text is
 * not this library's. */
np_status np_schema_upgrade(sqlite3 *db, np_error *err);

#endif
