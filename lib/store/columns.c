/* Columns in memory; see columns.h. Floor 2. */
#include "columns.h"

#include "fail.h"
#include "view_column.h"

#include <stdlib.h>
#include <string.h>

void np_columns_init(np_columns *columns)
{
    memset(columns, 0, sizeof *columns);
}

void np_columns_done(np_columns *columns)
{
    for (int c = 0; c < NP_COLUMNS; c++)
        free(columns->value[c]);
    np_columns_init(columns);
}

np_status np_columns_reserve(np_columns *columns, uint64_t mask, np_error *err)
{
    for (int c = 0; c < NP_COLUMNS; c++) {
        if (!(mask & NP_COLUMN_BIT(c)) || columns->value[c])
            continue;
        columns->value[c] = calloc(NP_CHUNK_ROWS, sizeof *columns->value[c]);
        if (!columns->value[c])
            return np_fail(err, NP_E_NO_MEMORY, "no memory for a column of %d values",
                           NP_CHUNK_ROWS);
    }
    return NP_OK;
}

/* Whether a column is in the SELECT for `mask`: asked for, or needed for the word of present bits.
 */
static bool is_selected(uint64_t mask, int column)
{
    if (column == NP_COLUMN_PRESENT)
        return false;
    if (mask & NP_COLUMN_BIT(column))
        return true;
    return (mask & NP_COLUMN_BIT(NP_COLUMN_PRESENT)) &&
           np_chunk_present_bit((np_chunk_column)column) >= 0;
}

void np_columns_select(uint64_t mask, np_textbuf *sql)
{
    const char *comma = "";
    for (int c = 0; c < NP_COLUMNS; c++) {
        if (!is_selected(mask, c))
            continue;
        np_textbuf_print(sql, "%s%s", comma, np_chunk_sql((np_chunk_column)c));
        comma = ", ";
    }
}

void np_columns_step(np_columns *columns, uint64_t mask, sqlite3_stmt *statement)
{
    const uint32_t row = columns->rows++;
    uint64_t present = 0;
    int place = 0;
    for (int c = 0; c < NP_COLUMNS; c++) {
        if (!is_selected(mask, c))
            continue;
        const int bit = np_chunk_present_bit((np_chunk_column)c);
        const int at = place++;
        if (bit >= 0 && sqlite3_column_type(statement, at) != SQLITE_NULL)
            present |= UINT64_C(1) << bit;
        if (mask & NP_COLUMN_BIT(c))
            columns->value[c][row] = sqlite3_column_int64(statement, at); /* NULL reads as 0 */
    }
    if (mask & NP_COLUMN_BIT(NP_COLUMN_PRESENT))
        columns->value[NP_COLUMN_PRESENT][row] = (int64_t)present;
    columns->loaded = mask;
    columns->ranged = 0;
}

/* The bits of NP_COLUMN_PRESENT that any row has, and that all have. */
static void measure_present(const np_columns *columns, uint64_t *any, uint64_t *all)
{
    *any = 0;
    *all = UINT64_MAX;
    if (!(columns->loaded & NP_COLUMN_BIT(NP_COLUMN_PRESENT)))
        return;
    const int64_t *present = columns->value[NP_COLUMN_PRESENT];
    for (uint32_t i = 0; i < columns->rows; i++) {
        *any |= (uint64_t)present[i];
        *all &= (uint64_t)present[i];
    }
}

static void measure_full(np_columns *columns, int column)
{
    const int64_t *value = columns->value[column];
    int64_t low = value[0];
    int64_t high = value[0];
    for (uint32_t i = 1; i < columns->rows; i++) {
        low = value[i] < low ? value[i] : low;
        high = value[i] > high ? value[i] : high;
    }
    columns->low[column] = low;
    columns->high[column] = high;
}

static void measure_sparse(np_columns *columns, int column, int bit)
{
    const int64_t *value = columns->value[column];
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    for (uint32_t i = 0; i < columns->rows; i++) {
        if (!np_columns_has(columns, bit, i))
            continue;
        low = value[i] < low ? value[i] : low;
        high = value[i] > high ? value[i] : high;
    }
    columns->low[column] = low;
    columns->high[column] = high;
}

void np_columns_measure(np_columns *columns)
{
    uint64_t any, all;
    measure_present(columns, &any, &all);
    columns->full = 0;
    for (int c = 0; c < NP_COLUMNS; c++) {
        if (!(columns->loaded & NP_COLUMN_BIT(c)))
            continue;
        const int bit = np_chunk_present_bit((np_chunk_column)c);
        columns->ranged |= NP_COLUMN_BIT(c);
        columns->empty &= ~NP_COLUMN_BIT(c);
        if (!columns->rows || (bit >= 0 && !(any >> bit & 1))) {
            columns->empty |= NP_COLUMN_BIT(c);
            columns->low[c] = columns->high[c] = 0;
        } else if (bit < 0 || (all >> bit & 1)) {
            columns->full |= NP_COLUMN_BIT(c);
            measure_full(columns, c);
        } else {
            measure_sparse(columns, c, bit);
        }
    }
}

int np_columns_state(const np_columns *columns, uint32_t row)
{
    const bool has_use =
        np_columns_has(columns, np_chunk_present_bit(NP_COLUMN_CONNECTION_USE), row);
    const int64_t use = has_use ? columns->value[NP_COLUMN_CONNECTION_USE][row] : 0;
    if (use > 1)
        return NP_STATE_REUSED;
    if (np_columns_has(columns, np_chunk_present_bit(NP_COLUMN_TLS_RESUMED), row) &&
        columns->value[NP_COLUMN_TLS_RESUMED][row])
        return NP_STATE_RESUMED;
    return use == 1 ? NP_STATE_NEW : NP_STATE_NONE;
}
