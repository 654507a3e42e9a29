/*
 * Column chunks back to columns: the heads of all chunks in order, then of one chunk the ranges and
 * values of the columns that are asked for. Floor 2. One thread; inside the caller's read
 * transaction. A chunk may come from anywhere: what does not fit is NP_E_INPUT, which says how to
 * make chunks anew.
 */
#ifndef NP_STORE_CHUNK_READER_H
#define NP_STORE_CHUNK_READER_H

#include "columns.h"

typedef struct np_chunk_head {
    int64_t id; /* 0: there is none */
    int64_t first_id, last_id;
    uint32_t rows; /* 1 … NP_CHUNK_ROWS */
} np_chunk_head;

typedef struct np_chunk_reader {
    sqlite3 *db;
    sqlite3_stmt *column; /* ?1 … ?2: chunk * 64 + column */
    np_chunk_head head;   /* of the chunk at hand */
    np_columns columns;
    uint64_t constant; /* bit a column: value[] is filled with constants[column] */
    int64_t constants[NP_COLUMNS];
} np_chunk_reader;

/* `columns` (bit a column): what will be loaded. */
np_status np_chunk_reader_init(np_chunk_reader *reader, sqlite3 *db, uint64_t columns,
                               np_error *err);
void np_chunk_reader_done(
    np_chunk_reader *reader); /* also one that is only half there, or zeroed */

/* The statement whose rows are the heads of the chunks behind `after_chunk` (0: all); owned:
 * sqlite3_finalize. */
np_status np_chunk_heads(sqlite3 *db, int64_t after_chunk, sqlite3_stmt **out, np_error *err);

/* Steps to the next head. `behind_id`: its rows must have larger ids. out->id 0: no more, or the
 * next one is of a newer version, which counts as none. */
np_status np_chunk_head_step(sqlite3 *db, sqlite3_stmt *heads, int64_t behind_id,
                             np_chunk_head *out, np_error *err);

/* Another chunk: nothing of it is loaded yet. */
void np_chunk_reader_begin(np_chunk_reader *reader, const np_chunk_head *head);

/* Reads the columns of `mask`: their ranges, and with_values also what is in them. They lie behind
 * each other, so that one search finds them all: a search costs more than a step over a column that
 * nobody asked for. NP_COLUMN_PRESENT goes with every column that may be NULL. */
np_status np_chunk_reader_load(np_chunk_reader *reader, uint64_t mask, bool with_values,
                               np_error *err);

#endif
