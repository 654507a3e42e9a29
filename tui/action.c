/* What one can do; see action.h. */
#include "action.h"
#include "key.h"

const struct action actions[ACTION_COUNT] = {
#define ACTION_ROW(ID, name_, help_, keys_, views_, bar_, rank_)                                   \
    [ACTION_##ID] = {name_, help_, keys_, views_, bar_, rank_},
    ACTIONS(ACTION_ROW)
#undef ACTION_ROW
};

enum action_id action_of(enum view_id view, int key)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        if (!(actions[i].views & 1u << view))
            continue;
        int bound;
        for (const char *at = actions[i].keys; (bound = key_next(&at)) != 0;)
            if (bound == key)
                return (enum action_id)i;
    }
    return ACTION_NONE;
}
