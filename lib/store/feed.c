/* Chunks from rows that are still in memory. Floor 2. See feed.h. */
#include "feed.h"

#include "chunk.h"

#include <string.h>

np_status np_feed_init(np_feed *feed, sqlite3 *db, np_error *err)
{
    *feed = (np_feed){.db = db, .rows_behind = -1};
    np_columns_init(&feed->columns);
    return np_columns_reserve(&feed->columns, NP_COLUMNS_ALL, err);
}

void np_feed_done(np_feed *feed)
{
    np_columns_done(&feed->columns);
}

static int64_t last_fed(const np_feed *feed)
{
    return feed->columns.rows ? feed->columns.value[NP_COLUMN_ID][feed->columns.rows - 1] : 0;
}

static void forget(np_feed *feed)
{
    feed->columns.rows = 0;
    feed->aligned = false;
    feed->rows_behind = -1;
}

/* Drops the rows that lie in a chunk; what is left must begin right behind it. */
static np_status align(np_feed *feed, int64_t next_id, np_error *err)
{
    int64_t last_id;
    const np_status status = np_chunk_last_id(feed->db, &last_id, err);
    if (status)
        return status;
    np_columns *columns = &feed->columns;
    uint32_t drop = 0;
    while (drop < columns->rows && columns->value[NP_COLUMN_ID][drop] <= last_id)
        drop++;
    for (int c = 0; drop && c < NP_COLUMNS; c++)
        memmove(columns->value[c], columns->value[c] + drop,
                (columns->rows - drop) * sizeof *columns->value[c]);
    columns->rows -= drop;
    const int64_t first = columns->rows ? columns->value[NP_COLUMN_ID][0] : next_id;
    feed->aligned = first == last_id + 1;
    return NP_OK;
}

np_status np_feed_begin(np_feed *feed, int64_t next_id, np_error *err)
{
    if (feed->columns.rows && last_fed(feed) + 1 != next_id)
        forget(feed);
    feed->chunked = false;
    feed->added = 0;
    np_status status = NP_OK;
    if (!feed->columns.rows)
        status = align(feed, next_id, err);
    feed->rows_at_begin = feed->columns.rows;
    return status;
}

uint32_t np_feed_row(np_feed *feed, int64_t id)
{
    const uint32_t row = feed->columns.rows++;
    feed->columns.value[NP_COLUMN_ID][row] = id;
    feed->added++;
    return row;
}

/* Another program may have made the chunk, or all of them anew: the file decides. */
static np_status make_chunk(np_feed *feed, np_error *err)
{
    const int64_t next_id = last_fed(feed) + 1;
    feed->chunked = true;
    np_status status = align(feed, next_id, err);
    if (status || feed->columns.rows < NP_CHUNK_ROWS)
        return status;
    if (feed->aligned) {
        status = np_chunk_from_columns(feed->db, &feed->columns, err);
        feed->columns.rows = 0;
        return status;
    }
    status = np_chunk_advance(feed->db, NULL, err);
    if (!status)
        status = align(feed, next_id, err);
    if (!status && !feed->aligned)
        forget(feed);
    return status;
}

np_status np_feed_filled(np_feed *feed, np_error *err)
{
    return feed->columns.rows < NP_CHUNK_ROWS ? NP_OK : make_chunk(feed, err);
}

np_status np_feed_commit(np_feed *feed, np_error *err)
{
    if (feed->aligned) { /* then all rows behind the last chunk are here, and they are too few */
        feed->rows_behind = -1;
        return NP_OK;
    }
    const int64_t before = feed->rows_behind;
    np_status status = np_chunk_after_rows(feed->db, feed->added, &feed->rows_behind, err);
    if (status || (before >= 0 && feed->rows_behind >= before))
        return status;
    feed->chunked = true;
    return align(feed, last_fed(feed) + 1, err);
}

void np_feed_rolled_back(np_feed *feed)
{
    feed->columns.rows = feed->rows_at_begin;
    feed->rows_behind = -1;
    if (feed->chunked)
        forget(feed);
}
