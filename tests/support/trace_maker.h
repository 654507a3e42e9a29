/*
 * Makes traces with direct SQL, without the collector: for tests of the reading side and for
 * benchmarks. Everything follows from the seed. Failures end the program with a message.
 */
#ifndef TRACE_MAKER_H
#define TRACE_MAKER_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct trace_shape {
    uint64_t seed;
    uint64_t rows;
    uint32_t origins;          /* 0: 5 */
    uint32_t paths;            /* 0: 40 */
    uint32_t runs;             /* 0: 1 */
    uint32_t new_per_thousand; /* requests on new connections; 0: 300 */
    bool is_wild; /* ids with holes, NULL anywhere, values up to INT64_MAX, text ids twice for one
                     value */
};

/* A new trace at `path` (an older file there is removed), open for writing, without chunks. Close
 * with sqlite3_close. */
sqlite3 *trace_make(const char *path, const struct trace_shape *shape);

/* An empty trace with the schema alone. */
sqlite3 *trace_make_empty(const char *path);

void trace_exec(sqlite3 *db, const char *sql);
int64_t trace_int(sqlite3 *db, const char *sql);

/* A path in a folder of this process's own that goes away with it; static buffer. */
const char *trace_path(const char *name);

/* Gives every request its row in request_more: then an UPDATE finds it. */
#define TRACE_MORE_FOR_ALL "INSERT OR IGNORE INTO request_more (id) SELECT id FROM request;"

#endif
