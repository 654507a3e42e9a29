/*
 * The rows of a list in another order than that of ids. Floor 2. One thread; inside the caller's
 * read transaction.
 *
 * A pass over all rows keeps those around one place (window.h) and their rank; pages near by are
 * answered from there. The first pass also counts how the keys are spread (key_histogram.h), which
 * is what finds "64 %", and the bounds of each chunk's keys, by which later passes leave chunks
 * out.
 */
#ifndef NP_STORE_ORDER_H
#define NP_STORE_ORDER_H

#include "key_histogram.h"
#include "list_rows.h"
#include "window.h"

typedef struct np_order {
    np_list_rows *rows; /* borrowed */
    np_window window;
    bool has_window;     /* it holds what the list shows */
    bool is_surveyed;    /* the histogram does, too */
    uint64_t first_rank; /* of window.sorted[0] */
    np_key_histogram histogram;
} np_order;

np_status np_order_init(np_order *order, np_list_rows *rows, uint32_t side, np_error *err);
void np_order_done(np_order *order); /* also one that is only half there, or zeroed */

/* Makes the window hold `before` rows before the place of an entry and `behind` rows from it on, as
 * far as there are so many. `at`: the place in window.sorted of the first row that does not come
 * before the entry. */
np_status np_order_go(np_order *order, np_entry entry, uint32_t before, uint32_t behind,
                      uint32_t *at, np_error *err);

/* Likewise with a rank below histogram.total; `at` is its row, or where passes do not find that,
 * one near by. */
np_status np_order_go_to_rank(np_order *order, uint64_t rank, uint32_t behind, uint32_t *at,
                              np_error *err);

/* Counts, where that was not done. */
np_status np_order_survey(np_order *order, np_error *err);

void np_order_add(np_order *order, np_entry entry); /* a row that came in */
void np_order_forget(np_order *order);              /* window and histogram are void */

#endif
