/*
 * A log-linear histogram of durations. Floor 0; one thread at a time.
 *
 * Below 32 ns each value has a bucket; above, each power of two [2^e, 2^(e+1)) is cut into 32 equal
 * ones, so a bucket is at most 1/32 of its lower edge wide. Bucket (e - 4) * 32 + the five bits
 * below the leading one; e is 5 … 62: 1,888 are in use.
 */
#include "histogram.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define SUB_BITS 5
#define SUBS     (1 << SUB_BITS)

static_assert((62 - SUB_BITS + 2) * SUBS <= NP_HISTOGRAM_BUCKETS, "every int64_t has a bucket");

static size_t bucket_of(int64_t value)
{
    if (value < SUBS)
        return (size_t)value;
    const int exponent = 63 - __builtin_clzll((unsigned long long)value);
    const int64_t sub = (value >> (exponent - SUB_BITS)) & (SUBS - 1);
    return (size_t)(exponent - SUB_BITS + 1) * SUBS + (size_t)sub;
}

static int64_t upper_edge(size_t bucket)
{
    if (bucket < SUBS)
        return (int64_t)bucket;
    const int shift = (int)(bucket / SUBS) - 1;
    const uint64_t next = (uint64_t)(SUBS + bucket % SUBS + 1) << shift;
    return (int64_t)(next - 1);
}

void np_histogram_init(np_histogram *h)
{
    memset(h, 0, sizeof *h);
}

void np_histogram_record(np_histogram *h, int64_t duration_ns)
{
    const int64_t value = duration_ns > 0 ? duration_ns : 0;
    if (h->count == 0 || value < h->min_ns)
        h->min_ns = value;
    if (value > h->max_ns)
        h->max_ns = value;
    h->count++;
    h->bucket[bucket_of(value)]++;
}

int64_t np_histogram_quantile(const np_histogram *h, double p)
{
    if (h->count == 0)
        return 0;
    if (!(p > 0)) /* also what is no number */
        return h->min_ns;

    /* Nearest rank: the smallest value with at least p of all values at or below it. */
    const double wanted = p < 1 ? ceil(p * (double)h->count) : (double)h->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < NP_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if ((double)seen >= wanted && h->bucket[i] > 0) {
            const int64_t edge = upper_edge(i);
            return edge < h->max_ns ? edge : h->max_ns;
        }
    }
    return h->max_ns;
}
