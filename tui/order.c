/* What the list can be sorted by; see order.h. */
#include "order.h"
#include <string.h>

/* clang-format off */
static const struct {
    const char *name, *column;
} orders[ORDERS] = {
    [ORDER_ID] = {"started", "id"},
    [ORDER_STATUS] = {"status", "status"},
    [ORDER_SETUP] = {"setup", "setup_ns"},
    [ORDER_TOTAL] = {"total", "total_ns"},
    [ORDER_CALLER_BLOCKED] = {"caller_blocked", "caller_blocked_ns"},
    [ORDER_SENT] = {"sent", "sent_bytes"},
    [ORDER_RECEIVED] = {"received", "received_bytes"},
#define PHASE_ORDER(NAME, name, letter, meaning) [ORDER_PHASE + NP_PHASE_##NAME] = {name, name "_ns"},
    NP_PHASES(PHASE_ORDER)
#undef PHASE_ORDER
};
/* clang-format on */

const char *order_name(int by)
{
    return orders[by].name;
}

const char *order_column(int by)
{
    return orders[by].column;
}

int order_find(const char *name)
{
    const size_t length = strlen(name);
    int found = -1;
    if (length == 0)
        return -1;
    for (int by = 0; by < ORDERS; by++) {
        if (strcmp(orders[by].name, name) == 0 || strcmp(orders[by].column, name) == 0)
            return by;
        if (found < 0 && strncmp(orders[by].name, name, length) == 0)
            found = by;
    }
    return found;
}

int64_t order_value(const np_row *row, int by)
{
    switch (by) {
    case ORDER_ID:
        return row->id;
    case ORDER_STATUS:
        return row->status > 0 ? row->status : -1;
    case ORDER_SETUP:
        return row->setup_ns;
    case ORDER_TOTAL:
        return row->total_ns;
    case ORDER_CALLER_BLOCKED:
        return row->caller_blocked_ns;
    case ORDER_SENT:
        return row->sent_bytes;
    case ORDER_RECEIVED:
        return row->received_bytes;
    default:
        return row->phase_ns[by - ORDER_PHASE];
    }
}
