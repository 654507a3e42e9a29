/*
 * What a list is sorted by: one number a row, out of column chunks or out of a row. Floor 2; pure.
 *
 * Keys are compared as they are, smallest first: a descending order has every bit of them turned
 * round. NULL is INT64_MIN before that, smaller than all else.
 */
#ifndef NP_STORE_SORT_KEY_H
#define NP_STORE_SORT_KEY_H

#include "columns.h"
#include "view_column.h"

typedef struct np_sort_key {
    const np_view_column *column;
    bool descending;
} np_sort_key;

/* A row's place in the order: by key, then by id. */
typedef struct np_entry {
    int64_t key, id;
} np_entry;

static inline bool np_entry_is_before(np_entry a, np_entry b)
{
    return a.key < b.key || (a.key == b.key && a.id < b.id);
}

/* `name` NULL: id. NP_E_ARGUMENT for what chunks hold no number of. */
np_status np_sort_key_find(const char *name, bool descending, np_sort_key *out, np_error *err);

bool np_sort_key_is_id(const np_sort_key *sort);

static inline int64_t np_sort_key_of(const np_sort_key *sort, bool is_null, int64_t value)
{
    const int64_t key = is_null ? INT64_MIN : value;
    return sort->descending ? ~key : key;
}

/* The bounds of the keys of a chunk of which the ranges of np_view_column_needs are loaded. */
void np_sort_key_range(const np_sort_key *sort, const np_columns *columns, int64_t *low,
                       int64_t *high);

/* out[columns->rows]: the keys, of loaded columns. */
void np_sort_key_fill(const np_sort_key *sort, const np_columns *columns, int64_t *out);

#endif
