/* What the list can be sorted by; see order.h. */
#include "order.h"
#include <string.h>

static const char *const names[ORDER_PHASE] = {
    [ORDER_ID] = "started",        [ORDER_STATUS] = "status",
    [ORDER_SETUP] = "setup",       [ORDER_TOTAL] = "total",
    [ORDER_CALLER_BLOCKED] = "caller_blocked", [ORDER_SENT] = "sent",
    [ORDER_RECEIVED] = "received",
};

const char *order_name(int by)
{
    return by >= ORDER_PHASE ? np_phase_name((np_phase)(by - ORDER_PHASE)) : names[by];
}

int order_find(const char *name)
{
    const size_t length = strlen(name);
    int found = -1;
    if (length == 0)
        return -1;
    for (int by = 0; by < ORDERS; by++) {
        const char *known = order_name(by);
        const size_t known_length = strlen(known);
        if (strcmp(known, name) == 0 ||
            (strncmp(known, name, known_length) == 0 && strcmp(name + known_length, "_ns") == 0))
            return by;
        if (found < 0 && strncmp(known, name, length) == 0)
            found = by;
    }
    return found;
}

int64_t order_key(const np_row *row, int by)
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

struct position order_position(const np_row *row, struct order order)
{
    return (struct position){order_key(row, order.by), row->id};
}

int order_compare(struct position a, struct position b, struct order order)
{
    const bool a_lacks = a.key < 0;
    const bool b_lacks = b.key < 0;
    if (a_lacks != b_lacks)
        return a_lacks ? 1 : -1;
    if (a.key != b.key)
        return (a.key < b.key) != order.is_descending ? -1 : 1;
    if (a.id != b.id)
        return (a.id < b.id) != order.is_descending ? -1 : 1;
    return 0;
}
