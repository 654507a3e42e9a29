/* What the list can be sorted by. Pure. */
#ifndef TUI_ORDER_H
#define TUI_ORDER_H

#include <netphase/store.h>

enum order_by {
    ORDER_ID, /* as they were completed */
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

/* The words a person types and sees: "setup". */
const char *order_name(int by);
/* The column of the view `requests`: "setup_ns". */
const char *order_column(int by);
/* The order of that name, its beginning, or its column; -1: none. */
int order_find(const char *name);
/* What is shown in its column; -1: the row does not have it. */
int64_t order_value(const np_row *row, int by);

#endif
