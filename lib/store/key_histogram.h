/*
 * How the values that a list is sorted by are spread: what finds the place of "64 %". Floor 2;
 * pure.
 *
 * Buckets are 0.1 % wide above the smallest value (1,024 a power of two), so that one of them holds
 * few enough rows for a window (window.h) unless many are equal. NULL has a bucket of its own.
 */
#ifndef NP_STORE_KEY_HISTOGRAM_H
#define NP_STORE_KEY_HISTOGRAM_H

#include "sort_key.h"

typedef struct np_key_histogram {
    bool descending;
    int64_t base;     /* the smallest value there is; smaller ones count as it */
    uint64_t nulls;   /* rows without a value */
    uint64_t total;   /* rows, these included */
    uint32_t *bucket; /* owned */
} np_key_histogram;

/* A range of an order: the rows of it have ranks from `rank` to `rank + count - 1`. */
typedef struct np_key_range {
    int64_t low, high; /* keys */
    uint64_t rank, count;
} np_key_range;

bool np_key_histogram_init(np_key_histogram *histogram, bool descending, int64_t base); /* false: no
                                                                                           memory */
void np_key_histogram_done(np_key_histogram *histogram);

void np_key_histogram_add(np_key_histogram *histogram, int64_t key);

/* The range that holds the row of a rank below `total`. */
np_key_range np_key_histogram_find(const np_key_histogram *histogram, uint64_t rank);

#endif
