/*
 * Column chunks: 4,096 finished requests as columns, a pure function of their rows. Floor 2.
 *
 * Whoever commits next after 4,096 rows lie behind the last chunk turns them into columns, in its
 * own transaction (np_chunk_advance); `info --rebuild` drops all and does the same
 * (np_chunk_rebuild). Readers take the chunks and step the rows behind the last one. Numbers of
 * columns are stored and never change.
 */
#ifndef NP_STORE_CHUNK_H
#define NP_STORE_CHUNK_H

#include "chunk_column.h"

#include <netphase/status.h>
#include <sqlite3.h>

struct np_columns;

/* Inside the caller's write transaction: makes every full chunk there is to make. `made` may be
 * NULL. */
np_status np_chunk_advance(sqlite3 *db, uint64_t *made, np_error *err);

/* As np_chunk_advance, but costs nothing when it is called at each commit: `rows_behind` is the
   caller's running count of rows behind the last chunk (start with -1: it is counted), updated
   here. `added`: rows of this transaction. Another writer may have chunked in between: checked
   inside. */
np_status np_chunk_after_rows(sqlite3 *db, int64_t added, int64_t *rows_behind, np_error *err);

/* Drops all chunks and makes them anew, in a transaction of its own. */
np_status np_chunk_rebuild(sqlite3 *db, uint64_t *made, np_error *err);

/* Id of the last row in a chunk; 0: there is no chunk. */
np_status np_chunk_last_id(sqlite3 *db, int64_t *last_id, np_error *err);

/* The same chunk as np_chunk_advance would make, from rows that the caller wrote and still has: all
   NP_CHUNK_ROWS of them, every column, the first one being the row behind the last chunk (np_feed
   checks that). */
np_status np_chunk_from_columns(sqlite3 *db, struct np_columns *columns, np_error *err);

#endif
