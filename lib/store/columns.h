/*
 * Up to 4,096 requests as columns of int64_t in memory: what chunks decode to and what rows are
 * stepped into. Floor 2. One thread.
 */
#ifndef NP_STORE_COLUMNS_H
#define NP_STORE_COLUMNS_H

#include "chunk_column.h"
#include "textbuf.h"

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdbool.h>

typedef struct np_columns {
    uint32_t rows;   /* 0 … NP_CHUNK_ROWS */
    uint64_t loaded; /* bit a column: value[] holds `rows` values */
    uint64_t
        ranged;     /* bit a column: low and high are known; they bound the values that are there */
    uint64_t empty; /* bit a column: every value is NULL */
    uint64_t full;  /* bit a column: no value is NULL; set by np_columns_measure */
    int64_t low[NP_COLUMNS];
    int64_t high[NP_COLUMNS];
    int64_t
        *value[NP_COLUMNS]; /* value[column][row]; meaningless where the present bit is 0; owned */
} np_columns;

void np_columns_init(np_columns *columns);
void np_columns_done(np_columns *columns);

/* Gives every column of `mask` (bit a column) room for NP_CHUNK_ROWS values. */
np_status np_columns_reserve(np_columns *columns, uint64_t mask, np_error *err);

/* Appends the list of a SELECT over NP_SQL_REQUEST that np_columns_step reads: the columns of `mask`,
   and where NP_COLUMN_PRESENT is in it, every column that may be NULL. */
void np_columns_select(uint64_t mask, np_textbuf *sql);

/* Appends the row on which `statement` stands; `mask` as in np_columns_select. */
void np_columns_step(np_columns *columns, uint64_t mask, sqlite3_stmt *statement);

/* Sets low, high, empty and full of every loaded column from its values. */
void np_columns_measure(np_columns *columns);

static inline bool np_columns_has(const np_columns *columns, int present_bit, uint32_t row)
{
    return present_bit < 0 || ((uint64_t)columns->value[NP_COLUMN_PRESENT][row] >> present_bit & 1);
}

/* The code of connection_state (view_column.h) of a row; CONNECTION_USE, TLS_RESUMED and PRESENT
 * must be loaded. */
int np_columns_state(const np_columns *columns, uint32_t row);

#endif
