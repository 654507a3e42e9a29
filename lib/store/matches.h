/*
 * Which rows of each column chunk a list shows: found once a chunk, kept as a bit a row. Floor 2.
 * One thread; inside the caller's read transaction.
 *
 * A chunk never changes, so neither do its bits; what a filter looks up elsewhere (a connection's
 * address) is settled before the first request on it can end. Requests of netphase itself
 * (purpose <> 0) never match.
 */
#ifndef NP_STORE_MATCHES_H
#define NP_STORE_MATCHES_H

#include "chunk_reader.h"
#include "where.h"

enum { NP_MATCH_WORDS = NP_CHUNK_ROWS / 64 };

typedef enum np_match_state {
    NP_MATCH_UNKNOWN,
    NP_MATCH_NONE,
    NP_MATCH_ALL,
    NP_MATCH_SOME /* bits[] says which */
} np_match_state;

typedef struct np_match_chunk {
    np_chunk_head head;
    np_match_state state;
    bool has_range;    /* of the keys of the list's order; set by its owner */
    uint32_t count;    /* of rows that match, once the state is known */
    int64_t low, high; /* … that range */
    uint64_t *bits;    /* bits[NP_MATCH_WORDS]; owned */
} np_match_chunk;

typedef struct np_matches {
    sqlite3 *db;             /* borrowed */
    const np_filter *filter; /* borrowed; NULL: none */
    int64_t run_id;          /* 0: every run */
    np_filter_run *run;      /* NULL: no filter, or one that only SQL can answer */
    sqlite3_stmt *rows;      /* … which is this: ids that match in ?1 … ?2 */
    uint64_t decides;        /* the columns to load for it */
    np_match_chunk *chunks;  /* chunks[count], in order */
    size_t count, room;
    size_t known; /* how many have a known state */
} np_matches;

np_status np_matches_init(np_matches *matches, sqlite3 *db, const np_filter *filter, int64_t run_id,
                          np_error *err);
void np_matches_done(np_matches *matches); /* also one that is only half there, or zeroed */

/* Appends the chunks that were made since. */
np_status np_matches_refresh(np_matches *matches, np_error *err);

/* Makes the state of a chunk known. `reader` is at it, and has np_matches_columns. */
np_status np_matches_find(np_matches *matches, np_match_chunk *chunk, np_chunk_reader *reader,
                          np_error *err);
uint64_t np_matches_columns(const np_matches *matches); /* bit a column */

static inline bool np_match_has(const np_match_chunk *chunk, uint32_t row)
{
    return chunk->state == NP_MATCH_ALL ||
           (chunk->state == NP_MATCH_SOME && (chunk->bits[row / 64] >> row % 64 & 1));
}

#endif
