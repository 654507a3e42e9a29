/*
 * The rows of a list, wherever they are: in column chunks, and behind the last one. Floor 2. One
 * thread; inside the caller's read transaction.
 *
 * A list stands still at `seen_id` until it is refreshed. What lies behind the last chunk is held
 * as entries; when a chunk is made of them they are found there.
 */
#ifndef NP_STORE_LIST_ROWS_H
#define NP_STORE_LIST_ROWS_H

#include "matches.h"
#include "sort_key.h"

#include <netphase/list.h>
#include <stdatomic.h>

typedef struct np_list_rows {
    sqlite3 *db; /* borrowed */
    np_sort_key sort;
    np_matches matches;
    np_chunk_reader reader;
    int64_t keys[NP_CHUNK_ROWS]; /* of the chunk at hand, by np_list_rows_keys */
    uint64_t key_columns;        /* what they are made of */

    sqlite3_stmt *behind; /* id and key of rows with ids > ?1 */
    sqlite3_stmt *key;    /* key of the row ?1 */
    np_entry *tail;       /* tail[tail_count]: the rows behind the last chunk that match, by id */
    size_t tail_count, tail_room;
    int64_t seen_id; /* rows with larger ids are not in the list yet */

    const atomic_bool *canceled; /* borrowed */
    np_list_progress progress;   /* NULL: none */
    void *user;
    uint64_t told_ns; /* when it was called last */
    double told;      /* … with what */
} np_list_rows;

/* Borrows what is in `options` and `canceled` until np_list_rows_done. */
np_status np_list_rows_init(np_list_rows *rows, sqlite3 *db, const np_list_options *options,
                            const atomic_bool *canceled, np_error *err);
void np_list_rows_done(np_list_rows *rows); /* also one that is only half there, or zeroed */

/* Each row that came in by a refresh. */
typedef void (*np_list_rows_added)(np_entry entry, void *user);

/* Takes in what is new. `added` NULL: chunks that were made since are not looked at. */
np_status np_list_rows_refresh(np_list_rows *rows, np_list_rows_added added, void *user,
                               np_error *err);

/* Finds which rows of chunk i match; then also their keys, and ids (reader.columns). */
np_status np_list_rows_match(np_list_rows *rows, size_t i, np_error *err);
np_status np_list_rows_ids(np_list_rows *rows, size_t i, np_error *err);
np_status np_list_rows_keys(np_list_rows *rows, size_t i, np_error *err);
/* The bounds of the keys of chunk i, in matches.chunks[i]. */
np_status np_list_rows_range(np_list_rows *rows, size_t i, np_error *err);

/* The entry of any request of the trace. NP_E_ARGUMENT_RANGE: there is none of that id. */
np_status np_list_rows_entry(np_list_rows *rows, int64_t id, np_entry *out, np_error *err);

/* A call begins; and, now and then while it lasts: was it interrupted? tells how far it is. */
void np_list_rows_begin(np_list_rows *rows);
np_status np_list_rows_pulse(np_list_rows *rows, double done, np_error *err);

#endif
