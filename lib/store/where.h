/*
 * Filters inside the library: a checked tree over the columns of the view `requests`, compiled to
 * SQL with bound parameters and to an evaluator over column chunks. The public half is in
 * <netphase/store.h>. Floor 2.
 *
 *   text → where_parse.c → tree (where_tree.h) → where_sql.c:  "(r.setup…)" with ?N, for rows
 *                                              → where_eval.c: a byte a row, for chunks; whole
 * chunks are skipped by low and high
 *
 * Both follow SQL's three values: what is NULL is neither true nor false, and only true selects a
 * row.
 */
#ifndef NP_STORE_WHERE_H
#define NP_STORE_WHERE_H

#include "columns.h"
#include "textbuf.h"

#include <netphase/store.h>

/* Appends the filter as an expression over NP_SQL_REQUEST in parentheses, its parameters numbered from
 * `first`. Returns how many. */
int np_filter_sql(const np_filter *filter, int first, np_textbuf *sql);

/* Binds the parameters of np_filter_sql; the filter must outlive the statement's use. */
np_status np_filter_bind(const np_filter *filter, sqlite3_stmt *statement, int first,
                         np_error *err);

/* Whether every column in it is held by chunks, and which chunk columns it needs (bit a column). */
bool np_filter_is_columnar(const np_filter *filter);
uint64_t np_filter_needs(const np_filter *filter);

/* Evaluates a columnar filter; holds statements and what texts were found to be. One thread. */
typedef struct np_filter_run np_filter_run;
np_status np_filter_run_create(const np_filter *filter, sqlite3 *db, np_filter_run **out,
                               np_error *err);
void np_filter_run_free(np_filter_run *run);

/* false: by low and high of `columns` no row of it can match. */
bool np_filter_may_match(const np_filter *filter, const np_columns *columns);

enum { NP_FALSE = 0, NP_NULL = 1, NP_TRUE = 2 }; /* and = min, or = max, not = 2 - x */

/* result[columns->rows]: NP_FALSE, NP_NULL or NP_TRUE. */
np_status np_filter_evaluate(np_filter_run *run, const np_columns *columns, uint8_t *result,
                             np_error *err);

#endif
