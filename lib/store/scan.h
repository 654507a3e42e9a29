/*
 * One pass over the requests of a trace, up to 4,096 at a time as columns: out of the chunks, then
 * out of the rows behind the last one. Floor 2. One thread; inside the caller's read transaction,
 * so that both belong to one snapshot.
 *
 * A filter is evaluated on the columns of chunks (whole chunks are skipped by low and high) and by
 * SQL on rows; one that asks for columns which chunks do not hold makes the scan step rows alone.
 * Requests of netphase itself (purpose <> 0) never come.
 */
#ifndef NP_STORE_SCAN_H
#define NP_STORE_SCAN_H

#include "columns.h"

#include <netphase/store.h>

#include <stdatomic.h>

typedef struct np_scan np_scan;

typedef struct np_scan_options {
    uint64_t columns;            /* bit a np_chunk_column: what the caller will read */
    const np_filter *filter;     /* borrowed until np_scan_close; NULL: none */
    int64_t run_id;              /* 0: every run */
    int64_t since_ns, until_ns;  /* started at or after, and before; Unix ns; 0: all */
    bool no_chunks;              /* true: rows alone */
    int64_t after_id;            /* with no_chunks: only rows with larger ids */
    const atomic_bool *canceled; /* borrowed; looked at between batches; NULL: never */
} np_scan_options;

np_status np_scan_open(sqlite3 *db, const np_scan_options *options, np_scan **out, np_error *err);
void np_scan_close(np_scan *scan); /* NULL allowed */

/* The next batch: rows[*count] are the places in `columns` that match, in order of id; *count 0:
   the end. Both are borrowed until the next call. Statuses: NP_E_INPUT for a damaged chunk,
   NP_E_CANCELED. */
np_status np_scan_next(np_scan *scan, const np_columns **columns, const uint16_t **rows,
                       uint32_t *count, np_error *err);

#endif
