/* The situations that a walk through the life cycle has found so far, each once, and the way to
 * each. For property_life_cycle and property_life_cycle_library. */
#ifndef NP_TESTS_LIFE_CYCLE_WALK_H
#define NP_TESTS_LIFE_CYCLE_WALK_H

#include "life_cycle_model.h"

/* The tables as they are shipped: asked for every entry. */
void life_table_read(struct life_table *table);

struct found {
    uint64_t key;
    uint32_t from; /* index of the situation it was reached from; its own: a start */
    uint8_t action;
};

struct exploration {
    struct found *found; /* found[count], in the order in which they came up */
    uint32_t count;
    uint32_t *slot; /* a hash table of indices + 1 */
    unsigned long steps;
};

void exploration_init(struct exploration *e);
void exploration_done(struct exploration *e);
/* Adds what is new; the index. */
uint32_t exploration_add(struct exploration *e, const struct model *m, uint32_t from,
                         uint8_t action);
struct model exploration_model(const struct exploration *e, uint32_t index);
/* The actions that lead there, a line each, on stderr. */
void exploration_print_path(const struct exploration *e, uint32_t index);

/* The start with these settings. */
struct model model_start(unsigned setup);

#endif
