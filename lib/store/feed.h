/*
 * The rows behind the last chunk, kept in memory by the one who wrote them. Floor 2; one thread.
 *
 * Making a chunk by reading 4,096 rows back costs as much as writing them. A writer that was alone
 * since the last chunk need not: it has the values. Wherever that does not hold (another writer's
 * row lies in between, the writer has just started, a transaction was rolled back) the rows are
 * read, as np_chunk_advance does; the bytes are the same.
 */
#ifndef NP_STORE_FEED_H
#define NP_STORE_FEED_H

#include "columns.h"

typedef struct np_feed {
    sqlite3 *db;
    np_columns columns; /* rows with consecutive ids, the last ones written */
    bool aligned; /* the first of them, or the next row to come, is the one behind the last chunk */
    uint32_t rows_at_begin; /* of the transaction */
    bool chunked;           /* in it a chunk was made */
    int64_t rows_behind;    /* as np_chunk_after_rows wants it, while not aligned */
    int64_t added;          /* rows of the transaction */
} np_feed;

np_status np_feed_init(np_feed *feed, sqlite3 *db, np_error *err);
void np_feed_done(np_feed *feed);

np_status
np_feed_begin(np_feed *feed, int64_t next_id,
              np_error *err); /* a write transaction has begun; next_id: of the next row */

/* Room for one more row: its place in columns.value[…]; the caller fills every column. */
uint32_t np_feed_row(np_feed *feed, int64_t id);
/* The next row is the last one of a chunk. */
static inline bool np_feed_fills_with_next(const np_feed *feed)
{
    return feed->columns.rows >= NP_CHUNK_ROWS - 1;
}
np_status np_feed_filled(np_feed *feed,
                         np_error *err); /* makes a chunk when it is the last row of one */

np_status np_feed_commit(np_feed *feed, np_error *err); /* right before COMMIT */
void np_feed_rolled_back(np_feed *feed);

#endif
