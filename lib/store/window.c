/* The rows around a place; see window.h. Floor 2. */
#include "window.h"

#include <stdlib.h>
#include <string.h>

static const np_entry first_of_all = {INT64_MIN, INT64_MIN}, last_of_all = {INT64_MAX, INT64_MAX};

bool np_window_init(np_window *window, uint32_t side)
{
    *window = (np_window){.side = side};
    uint64_t seed;
    np_random_bytes(&seed, sizeof seed);
    np_random_seed(&window->random, seed);
    window->before.rows = malloc(2 * (size_t)side * sizeof(np_entry));
    window->behind.rows = malloc(2 * (size_t)side * sizeof(np_entry));
    window->sorted = malloc(2 * (size_t)side * sizeof(np_entry));
    return window->before.rows && window->behind.rows && window->sorted;
}

void np_window_done(np_window *window)
{
    free(window->before.rows);
    free(window->behind.rows);
    free(window->sorted);
    *window = (np_window){0};
}

void np_window_begin(np_window *window, np_entry centre)
{
    window->centre = centre;
    window->rank = 0;
    window->count = window->middle = 0;
    window->before.count = window->behind.count = 0;
    window->before.is_cut = window->behind.is_cut = false;
    window->before.limit = first_of_all;
    window->behind.limit = last_of_all;
}

/* ---------------------------------------------------------------------------------------------------------- selection */

static void swap(np_entry *a, np_entry *b)
{
    const np_entry kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves the `wanted` smallest of rows[count] to the front: quickselect with random pivots. */
static void select_smallest(np_random *random, np_entry *rows, uint32_t count, uint32_t wanted)
{
    uint32_t low = 0, high = count; /* what is in question: rows[low … high) */
    while (high - low > 1) {
        const np_entry pivot = rows[low + np_random_below(random, high - low)];
        uint32_t below = low;
        for (uint32_t i = low; i < high; i++)
            if (np_entry_is_before(rows[i], pivot))
                swap(&rows[i], &rows[below++]);
        uint32_t upto = below; /* rows that equal the pivot: a damaged file may have several */
        for (uint32_t i = below; i < high; i++)
            if (!np_entry_is_before(pivot, rows[i]))
                swap(&rows[i], &rows[upto++]);
        if (wanted < below)
            high = below;
        else if (wanted <= upto)
            return;
        else
            low = upto;
    }
}

/* Keys and ids turned round put the largest first. */
static void turn(np_entry *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (np_entry){~rows[i].key, ~rows[i].id};
}

static np_entry largest(const np_entry *rows, uint32_t count)
{
    np_entry found = rows[0];
    for (uint32_t i = 1; i < count; i++)
        if (np_entry_is_before(found, rows[i]))
            found = rows[i];
    return found;
}

void np_window_shrink(np_window *window, np_window_side *side)
{
    if (side->count <= window->side)
        return;
    const bool nearest_is_largest = side == &window->before;
    if (nearest_is_largest)
        turn(side->rows, side->count);
    select_smallest(&window->random, side->rows, side->count, window->side);
    side->count = window->side;
    side->is_cut = true;
    side->limit = largest(side->rows, side->count);
    if (nearest_is_largest) {
        turn(side->rows, side->count);
        turn(&side->limit, 1);
    }
}

/* ------------------------------------------------------------------------------------------------------------- settle */

static int by_order(const void *a, const void *b)
{
    const np_entry x = *(const np_entry *)a, y = *(const np_entry *)b;
    return np_entry_is_before(y, x) - np_entry_is_before(x, y);
}

void np_window_settle(np_window *window)
{
    np_window_shrink(window, &window->before);
    np_window_shrink(window, &window->behind);
    window->middle = window->before.count;
    window->count = window->before.count + window->behind.count;
    memcpy(window->sorted, window->before.rows, window->before.count * sizeof(np_entry));
    memcpy(window->sorted + window->middle, window->behind.rows,
           window->behind.count * sizeof(np_entry));
    qsort(window->sorted, window->middle, sizeof(np_entry), by_order);
    qsort(window->sorted + window->middle, window->behind.count, sizeof(np_entry), by_order);
}
