/*
 * Exact figures of many durations. Floor 3; one thread at a time.
 *
 * Values are kept in the order of their coming, 4 bytes each below 2^32 ns (4.29 s) and 8 bytes
 * above: what is above is also greater, so ranks go through the small ones first. A quantile is
 * found with one pass that counts log-linear buckets, one that takes the values of the wanted
 * buckets, and a selection among those few.
 */
#ifndef NP_ANALYZE_QUANTILE_H
#define NP_ANALYZE_QUANTILE_H

#include <netphase/report.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 np_sum;

typedef struct np_values {
    uint32_t *small; /* small[small_count] */
    size_t small_count, small_capacity;
    int64_t *large; /* large[large_count]: values of 2^32 and more */
    size_t large_count, large_capacity;
} np_values;

void np_values_done(np_values *values);

/* Room for `more` values of any size; false: no memory. */
bool np_values_reserve_small(np_values *values, size_t more);
bool np_values_push(np_values *values, int64_t value); /* negative counts as 0 */

/* The sum alone. */
np_sum np_values_sum(const np_values *values);

/* All figures; `whole` is what share is of. false: no memory.
   Source of the quantiles: nearest rank, definition 1 of Hyndman and Fan, The American Statistician
   50(4), 1996. */
bool np_values_figures(const np_values *values, np_sum whole, np_figures *out);

enum { NP_BINS_MAX = 64 };
/* Counts values into bins[count], 1 … NP_BINS_MAX, as np_figures says; low and high are the least
 * and the greatest of them. */
void np_values_bins(const np_values *values, int64_t low, int64_t high, uint32_t count,
                    uint64_t *bins);

#endif
