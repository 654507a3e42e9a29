/* See life_cycle_walk.h. The hash table has open addressing. */
#include "life_cycle_walk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1 << 18, FOUND_MAX = SLOTS / 2 };

void life_table_read(struct life_table *table)
{
    memset(table, 0, sizeof *table);
    for (int state = 0; state < NP_REQUEST_STATES; state++) {
        for (int call = 0; call < NP_LIFE_CALLS; call++)
            table->answer[state][call] =
                (uint8_t)np_life_ask((np_request_state)state, (np_life_call)call);
        for (int event = 0; event < NP_LIFE_EVENTS; event++)
            table->next[state][event] =
                (uint8_t)np_life_next((np_request_state)state, (np_life_event)event);
    }
}

struct model model_start(unsigned setup)
{
    struct model start;
    memset(&start, 0, sizeof start); /* equal values have equal bytes */
    start.setup = setup & 7;
    return start;
}

static uint64_t key_of(const struct model *m)
{
    uint64_t key = 0;
    _Static_assert(sizeof *m <= sizeof key, "a situation fits into a word");
    memcpy(&key, m, sizeof *m);
    return key;
}

struct model exploration_model(const struct exploration *e, uint32_t index)
{
    struct model m;
    memcpy(&m, &e->found[index].key, sizeof m);
    return m;
}

void exploration_init(struct exploration *e)
{
    *e = (struct exploration){.found = malloc(FOUND_MAX * sizeof *e->found),
                              .slot = calloc(SLOTS, sizeof *e->slot)};
    if (!e->found || !e->slot)
        abort();
}

void exploration_done(struct exploration *e)
{
    free(e->found);
    free(e->slot);
}

uint32_t exploration_add(struct exploration *e, const struct model *m, uint32_t from,
                         uint8_t action)
{
    const uint64_t key = key_of(m);
    uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 40) % SLOTS;
    while (e->slot[at] && e->found[e->slot[at] - 1].key != key)
        at = (at + 1) % SLOTS;
    if (e->slot[at])
        return e->slot[at] - 1;
    if (e->count == FOUND_MAX)
        abort(); /* more situations than there is room for */
    e->found[e->count] = (struct found){key, from, action};
    e->slot[at] = ++e->count;
    return e->count - 1;
}

void exploration_print_path(const struct exploration *e, uint32_t index)
{
    const struct found *found = &e->found[index];
    if (found->from == index)
        return;
    exploration_print_path(e, found->from);
    fprintf(stderr, "  %s\n", model_action_names[found->action]);
}
