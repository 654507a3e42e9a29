/* What the list can be sorted by. Pure. */
#ifndef TUI_ORDER_H
#define TUI_ORDER_H

#include <netphase/store.h>

enum order_by {
    ORDER_ID, /* as they were completed; needs no sorting */
    ORDER_STATUS,
    ORDER_SETUP,
    ORDER_TOTAL,
    ORDER_CALLER_BLOCKED,
    ORDER_SENT,
    ORDER_RECEIVED,
    ORDER_PHASE, /* + np_phase */
    ORDERS = ORDER_PHASE + NP_PHASE_COUNT
};

struct order {
    int by; /* enum order_by */
    bool is_descending;
};

/* A place in an order: a row stands there, or would. */
struct position {
    int64_t key; /* order_key(); id where it is sorted by id */
    int64_t id;
};

/* The words a person types and sees: "setup". */
const char *order_name(int by);
/* The order of that name, its beginning, or a column of `requests` that is one; -1: none. */
int order_find(const char *name);
/* What does not have it (a phase that did not happen) has -1. */
int64_t order_key(const np_row *row, int by);
struct position order_position(const np_row *row, struct order order);
/* < 0: a is shown above b. Rows that lack the value come last both ways. */
int order_compare(struct position a, struct position b, struct order order);

#endif
