/* Rows by another order than that of ids; see order.h. Floor 2. */
#include "order.h"

#include "fail.h"

#include <string.h>

static const np_entry first_of_all = {INT64_MIN, INT64_MIN};

enum { TRIES_MAX = 12 }; /* passes in search of a rank; two or three find nearly every one */

np_status np_order_init(np_order *order, np_list_rows *rows, uint32_t side, np_error *err)
{
    memset(order, 0, sizeof *order);
    order->rows = rows;
    return np_window_init(&order->window, side)
               ? NP_OK
               : np_fail(err, NP_E_NO_MEMORY, "no memory for a list");
}

void np_order_done(np_order *order)
{
    np_window_done(&order->window);
    np_key_histogram_done(&order->histogram);
}

void np_order_forget(np_order *order)
{
    order->has_window = order->is_surveyed = false;
}

/* ------------------------------------------------------------------------------------------------------------ a pass */

/* The smallest value there may be: of the ranges of chunks, and of the rows behind them. */
static np_status begin_survey(np_order *order, np_error *err)
{
    np_list_rows *rows = order->rows;
    const bool descending = rows->sort.descending;
    int64_t base = INT64_MAX;
    for (size_t i = 0; i < rows->matches.count; i++) {
        np_status status = np_list_rows_range(rows, i, err);
        if (!status)
            status = np_list_rows_pulse(rows, 0, err);
        if (status)
            return status;
        /* of a column that may be NULL the range says only that: what there is lies at 0 or above
         */
        const np_match_chunk *chunk = &rows->matches.chunks[i];
        const int64_t low = descending ? ~chunk->high : chunk->low;
        const int64_t value = low == INT64_MIN ? 0 : low;
        base = value < base ? value : base;
    }
    for (size_t i = 0; i < rows->tail_count; i++) {
        const int64_t value = descending ? ~rows->tail[i].key : rows->tail[i].key;
        if (value != INT64_MIN && value < base)
            base = value;
    }
    np_key_histogram_done(&order->histogram);
    return np_key_histogram_init(&order->histogram, descending, base)
               ? NP_OK
               : np_fail(err, NP_E_NO_MEMORY, "no memory for a list");
}

static void offer(np_order *order, np_entry entry, bool with_survey)
{
    np_window_offer(&order->window, entry);
    if (with_survey)
        np_key_histogram_add(&order->histogram, entry.key);
}

static void offer_chunk(np_order *order, const np_match_chunk *chunk, bool with_survey)
{
    const int64_t *id = order->rows->reader.columns.value[NP_COLUMN_ID];
    const int64_t *key = order->rows->keys;
    if (chunk->state == NP_MATCH_ALL) {
        for (uint32_t row = 0; row < chunk->head.rows; row++)
            offer(order, (np_entry){key[row], id[row]}, with_survey);
        return;
    }
    for (int word = 0; word < NP_MATCH_WORDS; word++)
        for (uint64_t left = chunk->bits[word]; left; left &= left - 1) {
            const int row = word * 64 + __builtin_ctzll(left);
            offer(order, (np_entry){key[row], id[row]}, with_survey);
        }
}

/* What needs no look: nothing of it would be kept, and how many it is is known. */
static bool leave_out(np_order *order, const np_match_chunk *chunk)
{
    if (chunk->state == NP_MATCH_UNKNOWN || !chunk->has_range ||
        !np_window_refuses(&order->window, chunk->low, chunk->high))
        return false;
    np_window_leave_out(&order->window, chunk->low, chunk->count);
    return true;
}

static np_status pass(np_order *order, np_entry centre, np_error *err)
{
    np_list_rows *rows = order->rows;
    const bool with_survey = !order->is_surveyed;
    order->has_window = false;
    np_status status = with_survey ? begin_survey(order, err) : NP_OK;
    np_window_begin(&order->window, centre);
    for (size_t i = 0; i < rows->matches.count && !status; i++) {
        const np_match_chunk *chunk = &rows->matches.chunks[i];
        status = np_list_rows_pulse(rows, (double)i / (double)rows->matches.count, err);
        if (status || (!with_survey && leave_out(order, chunk)))
            continue;
        status = np_list_rows_keys(rows, i, err);
        if (!status && chunk->state != NP_MATCH_NONE)
            offer_chunk(order, chunk, with_survey);
    }
    if (status)
        return status;
    for (size_t i = 0; i < rows->tail_count; i++)
        offer(order, rows->tail[i], with_survey);
    np_window_settle(&order->window);
    order->first_rank = order->window.rank - order->window.middle;
    order->has_window = order->is_surveyed = true;
    return NP_OK;
}

np_status np_order_survey(np_order *order, np_error *err)
{
    return order->is_surveyed ? NP_OK : pass(order, first_of_all, err);
}

/* ------------------------------------------------------------------------------------------------------------- places */

static uint32_t place_of(const np_window *window, np_entry entry)
{
    uint32_t low = 0, high = window->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (np_entry_is_before(window->sorted[middle], entry))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

np_status np_order_go(np_order *order, np_entry entry, uint32_t before, uint32_t behind,
                      uint32_t *at, np_error *err)
{
    const np_window *window = &order->window;
    if (order->has_window) {
        *at = place_of(window, entry);
        if ((*at >= before && *at > 0) || !window->before.is_cut)
            if ((window->count - *at >= behind && *at < window->count) || !window->behind.is_cut)
                return NP_OK;
    }
    const np_status status = pass(order, entry, err);
    *at = window->middle;
    return status;
}

static bool holds(const np_order *order, uint64_t rank)
{
    return order->has_window && rank >= order->first_rank &&
           rank < order->first_rank + order->window.count;
}

/* Part of the way from a to b: by keys where they differ, otherwise by ids. */
static np_entry between(np_entry a, np_entry b, double part)
{
    if (a.key == b.key) {
        const double way = ((double)b.id - (double)a.id) * part;
        return (np_entry){a.key, a.id + (int64_t)way};
    }
    const double way = ((double)b.key - (double)a.key) * part;
    if (way >= (double)INT64_MAX) /* from one end of all numbers to the other */
        return (np_entry){a.key / 2 + b.key / 2, INT64_MIN};
    const int64_t key = a.key + (int64_t)way;
    return key > b.key ? b : (np_entry){key, INT64_MIN};
}

np_status np_order_go_to_rank(np_order *order, uint64_t rank, uint32_t behind, uint32_t *at,
                              np_error *err)
{
    np_status status = np_order_survey(order, err);
    if (status)
        return status;
    const np_key_range range = np_key_histogram_find(&order->histogram, rank);
    np_entry low = {range.low, 0}, high = {range.high, order->rows->seen_id};
    uint64_t low_rank = range.rank, high_rank = range.rank + range.count;
    for (int tries = 0; !holds(order, rank) && tries < TRIES_MAX; tries++) {
        if (rank < low_rank || rank >= high_rank)
            break;
        const double way = (double)(rank - low_rank) / (double)(high_rank - low_rank);
        status = pass(order, between(low, high, tries % 3 == 2 ? 0.5 : way), err);
        if (status)
            return status;
        const np_window *window = &order->window;
        if (rank < order->first_rank) {
            high = window->sorted[0];
            high_rank = order->first_rank;
        } else if (window->count) {
            low = window->sorted[window->count - 1];
            low_rank = order->first_rank + window->count - 1;
        }
    }
    const uint32_t count = order->window.count;
    const uint64_t place = rank > order->first_rank ? rank - order->first_rank : 0;
    if (count == 0)
        return np_order_go(order, first_of_all, 0, behind, at, err);
    return np_order_go(order, order->window.sorted[place < count ? place : count - 1], 0, behind,
                       at, err);
}

/* ---------------------------------------------------------------------------------------------------------------- new */

/* The window stays as large as it may be: the farther end lets go. */
static void put(np_order *order, uint32_t at, np_entry entry)
{
    np_window *window = &order->window;
    if (window->count == 2 * window->side) {
        if (at < window->count / 2) {
            window->behind.is_cut = true;
        } else {
            memmove(window->sorted, window->sorted + 1, (window->count - 1) * sizeof entry);
            window->before.is_cut = true;
            order->first_rank++;
            at--;
        }
        window->count--;
    }
    memmove(window->sorted + at + 1, window->sorted + at, (window->count - at) * sizeof entry);
    window->sorted[at] = entry;
    window->count++;
}

void np_order_add(np_order *order, np_entry entry)
{
    if (order->is_surveyed)
        np_key_histogram_add(&order->histogram, entry.key);
    if (!order->has_window)
        return;
    const uint32_t at = place_of(&order->window, entry);
    if (at == 0 && order->window.before.is_cut)
        order->first_rank++;
    else if (at < order->window.count || !order->window.behind.is_cut)
        put(order, at, entry);
}
