/* What is inside np_store, for the modules that read through it (detail.c, info.c, report.c).
 * Floor 2. */
#ifndef NP_STORE_READER_H
#define NP_STORE_READER_H

#include "arena.h"

#include <netphase/store.h>

#include <sqlite3.h>
#include <stdatomic.h>

struct np_store {
    sqlite3 *db;
    char *path;
    atomic_bool canceled;  /* set by np_store_interrupt, cleared where a call begins */
    sqlite3_stmt *page[2]; /* pages without a filter: upwards, downwards */
    sqlite3_stmt *request; /* one row by id */
};

/* A call begins and ends: one read transaction, one snapshot. np_store_end copes with a call that
 * never began. */
np_status np_store_begin(np_store *store, np_error *err);
void np_store_end(np_store *store);

/* Copies min(size, own size) bytes of a public options struct over defaults; `from` NULL: leaves
 * them. */
void np_options_copy(void *to, size_t own_size, const void *from, size_t size);

/* Texts out of a statement into an arena: cut at NP_TEXT_MAX bytes at a character, never NULL,
 * `bytes` counts them. */
#define NP_TEXT_MAX 65536
typedef struct np_row_reader {
    sqlite3_stmt *statement;
    np_arena *arena;
    size_t bytes;
    bool no_memory;
} np_row_reader;

const char *np_row_text(np_row_reader *reader, int column); /* "" for NULL */
int64_t np_row_int(const np_row_reader *reader, int column, int64_t none);
int np_row_small(const np_row_reader *reader, int column, int none); /* cut to what an int holds */
int64_t np_row_duration(const np_row_reader *reader,
                        int column); /* -1 for NULL; negative in a damaged file: 0 */

/* Reads the row on which a statement of np_row_select stands. */
void np_row_read(np_row_reader *reader, np_row *row);
np_status np_row_select(const char *end, sqlite3 *db, sqlite3_stmt **out,
                        np_error *err); /* "SELECT list FROM request r " end */

int64_t np_add_saturated(int64_t a, int64_t b);
int64_t np_subtract_saturated(int64_t a, int64_t b);

#endif
