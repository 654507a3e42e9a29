/* How keys are spread; see key_histogram.h. Floor 2. */
#include "key_histogram.h"

#include <stdlib.h>

enum { STEPS_BITS = 10, STEPS = 1 << STEPS_BITS, BUCKETS = (64 - STEPS_BITS + 1) * STEPS };

static uint32_t bucket_of(uint64_t offset)
{
    if (offset < STEPS)
        return (uint32_t)offset;
    const int shift = 63 - __builtin_clzll(offset) - STEPS_BITS;
    return (uint32_t)(shift + 1) * STEPS + (uint32_t)(offset >> shift) - STEPS;
}

static uint64_t begin_of(uint32_t bucket)
{
    if (bucket < STEPS)
        return bucket;
    return (uint64_t)(bucket % STEPS + STEPS) << (bucket / STEPS - 1);
}

bool np_key_histogram_init(np_key_histogram *histogram, bool descending, int64_t base)
{
    *histogram = (np_key_histogram){.descending = descending, .base = base};
    histogram->bucket = calloc(BUCKETS, sizeof *histogram->bucket);
    return histogram->bucket;
}

void np_key_histogram_done(np_key_histogram *histogram)
{
    free(histogram->bucket);
    *histogram = (np_key_histogram){0};
}

void np_key_histogram_add(np_key_histogram *histogram, int64_t key)
{
    const int64_t value = histogram->descending ? ~key : key;
    histogram->total++;
    if (value == INT64_MIN)
        histogram->nulls++;
    else if (value <= histogram->base)
        histogram->bucket[0]++;
    else
        histogram->bucket[bucket_of((uint64_t)value - (uint64_t)histogram->base)]++;
}

static np_key_range range_of(const np_key_histogram *histogram, int64_t low, int64_t high,
                             uint64_t rank, uint64_t count)
{
    return histogram->descending ? (np_key_range){~high, ~low, rank, count}
                                 : (np_key_range){low, high, rank, count};
}

/* What lies in a bucket: values from base + begin to the value before the next one's begin. */
static np_key_range range_of_bucket(const np_key_histogram *histogram, uint32_t bucket,
                                    uint64_t rank)
{
    const uint64_t room = (uint64_t)INT64_MAX - (uint64_t)histogram->base;
    const uint64_t begin = begin_of(bucket);
    const uint64_t last = bucket + 1 < BUCKETS ? begin_of(bucket + 1) - 1 : UINT64_MAX;
    const int64_t low = bucket
                            ? (int64_t)((uint64_t)histogram->base + (begin < room ? begin : room))
                            : INT64_MIN + 1;
    const int64_t high = (int64_t)((uint64_t)histogram->base + (last < room ? last : room));
    return range_of(histogram, low, high, rank, histogram->bucket[bucket]);
}

np_key_range np_key_histogram_find(const np_key_histogram *histogram, uint64_t rank)
{
    const uint64_t present = histogram->total - histogram->nulls;
    uint64_t before = 0;
    if (histogram->descending ? rank >= present : rank < histogram->nulls)
        return range_of(histogram, INT64_MIN, INT64_MIN, histogram->descending ? present : 0,
                        histogram->nulls);
    if (!histogram->descending)
        before = histogram->nulls;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        const uint32_t bucket = histogram->descending ? BUCKETS - 1 - i : i;
        if (rank < before + histogram->bucket[bucket])
            return range_of_bucket(histogram, bucket, before);
        before += histogram->bucket[bucket];
    }
    return range_of(histogram, INT64_MIN, INT64_MAX, 0, histogram->total); /* not below total */
}
