/* Rows in an order other than that of ids; see sorted.h. */
#include "sorted.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { SCAN_ROWS = 4096 };

void sorted_done(struct sorted *sorted)
{
    free(sorted->at);
    free(sorted->filter);
    *sorted = (struct sorted){0};
}

static bool is_for(const struct sorted *sorted, struct order order, const char *filter)
{
    const char *made_for = sorted->filter ? sorted->filter : "";
    return sorted->is_made && sorted->order.by == order.by &&
           sorted->order.is_descending == order.is_descending &&
           strcmp(made_for, filter ? filter : "") == 0;
}

static int compare(const void *a, const void *b, void *order)
{
    return order_compare(*(const struct position *)a, *(const struct position *)b,
                         *(const struct order *)order);
}

static void add_page(struct sorted *sorted, const np_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (sorted->count == sorted->capacity) {
            sorted->capacity = sorted->capacity ? 2 * sorted->capacity : 1024;
            sorted->at = xrealloc(sorted->at, sorted->capacity, sizeof *sorted->at);
        }
        sorted->at[sorted->count++] = order_position(&page->rows[i], sorted->order);
        sorted->last_id = page->rows[i].id;
    }
}

/* What was added is merged in from behind. */
static void merge(struct sorted *sorted, size_t old)
{
    struct position *added = NULL;
    size_t left = sorted->count - old;
    if (left == 0)
        return;
    qsort_r(sorted->at + old, left, sizeof *sorted->at, compare, &sorted->order);
    added = xcalloc(left, sizeof *added);
    memcpy(added, sorted->at + old, left * sizeof *added);
    for (size_t to = sorted->count; left > 0; to--) {
        const bool takes_old =
            old > 0 && order_compare(sorted->at[old - 1], added[left - 1], sorted->order) > 0;
        sorted->at[to - 1] = takes_old ? sorted->at[--old] : added[--left];
    }
    free(added);
}

np_status sorted_update(struct sorted *sorted, np_store *store, struct order order,
                        const char *filter_text, const np_filter *filter, const atomic_bool *stop,
                        np_error *err)
{
    if (!is_for(sorted, order, filter_text)) {
        sorted_done(sorted);
        sorted->order = order;
        sorted->filter = filter_text ? xstrndup(filter_text, strlen(filter_text)) : NULL;
        sorted->is_made = true;
    }
    const size_t old = sorted->count;
    np_page_query query = NP_PAGE_QUERY_INIT;
    query.limit = SCAN_ROWS;
    query.filter = filter;
    np_status status = NP_OK;
    bool at_end = false;
    while (!at_end && !status) {
        np_page *page;
        query.after_id = sorted->last_id;
        status = np_store_page(store, &query, &page, err);
        if (status)
            break;
        add_page(sorted, page);
        at_end = page->at_end;
        np_page_free(page);
        if (!at_end && atomic_load_explicit(stop, memory_order_relaxed)) { /* a flag alone */
            status = NP_E_CANCELED;
            if (err)
                *err = (np_error){.status = status, .text = "stopped"};
        }
    }
    merge(sorted, old);
    return status;
}

/* How many rows stand above a position. */
static size_t rows_above(const struct sorted *sorted, struct position position, bool with_itself)
{
    size_t low = 0;
    size_t high = sorted->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = order_compare(sorted->at[middle], position, sorted->order);
        if (order < 0 || (with_itself && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t sorted_page(const struct sorted *sorted, const struct question *question, int64_t *ids,
                   bool *at_end)
{
    size_t from = 0;
    size_t to = sorted->count;
    if (question->is_backwards) {
        if (question->has_position)
            to = rows_above(sorted, question->position, false);
        from = to > question->limit ? to - question->limit : 0;
        *at_end = from == 0;
    } else {
        if (question->has_position)
            from = rows_above(sorted, question->position, true);
        to = sorted->count - from > question->limit ? from + question->limit : sorted->count;
        *at_end = to == sorted->count;
    }
    for (size_t i = from; i < to; i++)
        ids[i - from] = sorted->at[i].id;
    return to - from;
}
