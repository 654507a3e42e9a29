/*
 * Rows in an order other than that of ids: the keys of all rows that match, sorted, in memory (16
 * bytes a row), extended when rows are added. The seam where a store that pages by sort key itself
 * takes over: source.c calls these two functions and no others. One thread.
 */
#ifndef TUI_SORTED_H
#define TUI_SORTED_H

#include "msg.h"
#include <stdatomic.h>

struct sorted {
    struct order order;
    char *filter;       /* owned; what it was made for */
    struct position *at; /* at[count], sorted; owned */
    size_t count, capacity;
    int64_t last_id;    /* rows up to it are in */
    bool is_made;
};

void sorted_done(struct sorted *sorted);
/* Brings it up to date for an order and a filter. stop: checked now and then. */
np_status sorted_update(struct sorted *sorted, np_store *store, struct order order,
                        const char *filter_text, const np_filter *filter, const atomic_bool *stop,
                        np_error *err);
/* The rows of a page: ids[limit], in the order of the list; returns how many, and whether that is
 * all there are in this direction. */
size_t sorted_page(const struct sorted *sorted, const struct question *question, int64_t *ids,
                   bool *at_end);

#endif
