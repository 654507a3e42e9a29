/* Keys of a list's order; see sort_key.h. Floor 2. */
#include "sort_key.h"

#include "fail.h"
#include "textbuf.h"

#include <string.h>

static bool is_sortable(const np_view_column *column)
{
    return column->from == NP_FROM_VALUE || column->from == NP_FROM_SETUP ||
           column->from == NP_FROM_FAILED || column->from == NP_FROM_REUSED;
}

np_status np_sort_key_find(const char *name, bool descending, np_sort_key *out, np_error *err)
{
    if (!name)
        name = "id";
    *out = (np_sort_key){np_view_column_find(name, strlen(name)), descending};
    if (out->column && is_sortable(out->column))
        return NP_OK;
    if (out->column)
        return np_fail(err, NP_E_ARGUMENT,
                       "a list cannot be sorted by '%.64s': only by numbers "
                       "that column chunks hold, such as total_ns",
                       name);
    const char *names[NP_VIEW_COLUMNS];
    size_t count = 0;
    for (size_t i = 0; i < NP_VIEW_COLUMNS; i++)
        if (is_sortable(&np_view_columns[i]))
            names[count++] = np_view_columns[i].name;
    const char *nearest = np_nearest_word(name, names, count);
    return nearest
               ? np_fail(err, NP_E_ARGUMENT, "no column '%.64s': did you mean '%s'?", name, nearest)
               : np_fail(err, NP_E_ARGUMENT,
                         "no column '%.64s'; a list can be sorted by id, "
                         "total_ns, setup_ns and the other numbers of the view requests",
                         name);
}

bool np_sort_key_is_id(const np_sort_key *sort)
{
    return sort->column->from == NP_FROM_VALUE && sort->column->key[0] == NP_COLUMN_ID;
}

/* ------------------------------------------------------------------------------------------------------------- ranges */

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static void setup_range(const np_columns *columns, int64_t *low, int64_t *high)
{
    *low = *high = 0;
    for (int c = NP_COLUMN_QUEUE; c <= NP_COLUMN_TLS; c++) {
        if (columns->empty & NP_COLUMN_BIT(c))
            continue;
        if (columns->low[c] <
            0) /* of a damaged file: where a phase is absent its low is not there */
            *low = add_saturated(*low, columns->low[c]);
        if (columns->high[c] > 0)
            *high = add_saturated(*high, columns->high[c]);
    }
}

void np_sort_key_range(const np_sort_key *sort, const np_columns *columns, int64_t *low,
                       int64_t *high)
{
    const int column = sort->column->key[0];
    *low = columns->low[column];
    *high = columns->high[column];
    switch (sort->column->from) {
    case NP_FROM_SETUP:
        setup_range(columns, low, high);
        break;
    case NP_FROM_FAILED:
    case NP_FROM_REUSED:
        *low = INT64_MIN;
        *high = 1;
        break;
    default:
        if (np_chunk_present_bit((np_chunk_column)column) >= 0)
            *low = INT64_MIN;
        if (columns->empty & NP_COLUMN_BIT(column))
            *high = INT64_MIN;
        break;
    }
    if (sort->descending) {
        const int64_t turned = ~*low;
        *low = ~*high;
        *high = turned;
    }
}

/* ------------------------------------------------------------------------------------------------------------- values */

static void fill_setup(const np_columns *columns, int64_t *out)
{
    memset(out, 0, columns->rows * sizeof *out);
    for (int c = NP_COLUMN_QUEUE; c <= NP_COLUMN_TLS; c++) {
        const int bit = np_chunk_present_bit((np_chunk_column)c);
        if (columns->empty & columns->ranged & NP_COLUMN_BIT(c))
            continue;
        for (uint32_t i = 0; i < columns->rows; i++)
            if (np_columns_has(columns, bit, i))
                out[i] = add_saturated(out[i], columns->value[c][i]);
    }
}

static void fill_values(const np_columns *columns, int column, int64_t *out)
{
    const int bit = np_chunk_present_bit((np_chunk_column)column);
    const int64_t *value = columns->value[column];
    if (bit < 0) {
        memcpy(out, value, columns->rows * sizeof *out);
        return;
    }
    for (uint32_t i = 0; i < columns->rows; i++)
        out[i] = np_columns_has(columns, bit, i) ? value[i] : INT64_MIN;
}

void np_sort_key_fill(const np_sort_key *sort, const np_columns *columns, int64_t *out)
{
    const np_view_from from = sort->column->from;
    if (from == NP_FROM_SETUP)
        fill_setup(columns, out);
    else
        fill_values(columns, sort->column->key[0], out);
    for (uint32_t i = 0; from == NP_FROM_FAILED && i < columns->rows; i++)
        out[i] = out[i] != 0;
    for (uint32_t i = 0; from == NP_FROM_REUSED && i < columns->rows; i++)
        out[i] = out[i] == INT64_MIN ? INT64_MIN : out[i] > 1;
    for (uint32_t i = 0; sort->descending && i < columns->rows; i++)
        out[i] = ~out[i];
}
