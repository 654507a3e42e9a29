/*
 * The rows of an order nearest to a place in it, out of any number that come in any order: up to
 * `side` on each side. Floor 2; pure.
 *
 *     np_window_begin(centre) … np_window_offer (each row once) … np_window_settle
 *
 * A side that has twice as many as it may keep throws away the farther half, and from then on what
 * lies beyond the farthest is refused by one comparison: that is where the time of a pass goes.
 */
#ifndef NP_STORE_WINDOW_H
#define NP_STORE_WINDOW_H

#include "random.h"
#include "sort_key.h"

#define NP_WINDOW_SIDE 16384u /* what lists take */

typedef struct np_window_side {
    np_entry *rows; /* rows[2 * side] */
    uint32_t count;
    bool is_cut;    /* there are more than `rows` holds */
    np_entry limit; /* what lies at it or beyond is not wanted */
} np_window_side;

typedef struct np_window {
    uint32_t side;
    np_entry centre;
    uint64_t rank;                 /* offered rows before the centre, kept or not */
    np_window_side before, behind; /* the centre itself is behind */
    np_entry *sorted;       /* sorted[count], when settled: all rows there are from the first to
                               the last of them */
    uint32_t count, middle; /* sorted[middle]: the first at or behind the centre */
    np_random random;       /* of pivots: no file can know them */
} np_window;

bool np_window_init(np_window *window, uint32_t side); /* false: no memory; np_window_done copes */
void np_window_done(np_window *window);

void np_window_begin(np_window *window, np_entry centre);
void np_window_shrink(np_window *window, np_window_side *side); /* of np_window_offer */
void np_window_settle(np_window *window);

static inline void np_window_keep(np_window *window, np_window_side *side, np_entry entry)
{
    side->rows[side->count++] = entry;
    if (side->count == 2 * window->side)
        np_window_shrink(window, side);
}

static inline void np_window_offer(np_window *window, np_entry entry)
{
    if (np_entry_is_before(entry, window->centre)) {
        window->rank++;
        if (np_entry_is_before(window->before.limit, entry))
            np_window_keep(window, &window->before, entry);
        else
            window->before.is_cut = true;
    } else if (np_entry_is_before(entry, window->behind.limit)) {
        np_window_keep(window, &window->behind, entry);
    } else {
        window->behind.is_cut = true;
    }
}

/* Rows with keys from low to high of which none would be kept; `count` of them may be left out. */
static inline bool np_window_refuses(const np_window *window, int64_t low, int64_t high)
{
    return low > window->behind.limit.key || high < window->before.limit.key;
}

static inline void np_window_leave_out(np_window *window, int64_t low, uint64_t count)
{
    if (!count)
        return;
    if (low > window->behind.limit.key) {
        window->behind.is_cut = true;
    } else {
        window->before.is_cut = true;
        window->rank += count;
    }
}

#endif
