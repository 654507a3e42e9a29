/* Exact figures of many durations; see quantile.h. Floor 3. */
#include "quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MANY      8192 /* fewer values are selected among directly */
#define QUANTILES 4

static const unsigned per_thousand[QUANTILES] = {500, 900, 950, 990};

void np_values_done(np_values *values)
{
    free(values->small);
    free(values->large);
    memset(values, 0, sizeof *values);
}

static void *grown(void *list, size_t *capacity, size_t needed, size_t size)
{
    size_t wider = *capacity ? *capacity + *capacity / 2 : 8;
    if (wider < needed)
        wider = needed;
    void *more = realloc(list, wider * size);
    if (more)
        *capacity = wider;
    return more;
}

bool np_values_reserve_small(np_values *values, size_t more)
{
    if (values->small_count + more <= values->small_capacity)
        return true;
    uint32_t *small =
        grown(values->small, &values->small_capacity, values->small_count + more, sizeof *small);
    if (small)
        values->small = small;
    return small != NULL;
}

bool np_values_push(np_values *values, int64_t value)
{
    if (value <= UINT32_MAX) {
        if (!np_values_reserve_small(values, 1))
            return false;
        values->small[values->small_count++] = value < 0 ? 0 : (uint32_t)value;
        return true;
    }
    if (values->large_count == values->large_capacity) {
        int64_t *large =
            grown(values->large, &values->large_capacity, values->large_count + 1, sizeof *large);
        if (!large)
            return false;
        values->large = large;
    }
    values->large[values->large_count++] = value;
    return true;
}

np_sum np_values_sum(const np_values *values)
{
    uint64_t small = 0; /* 2^32 values below 2^32 fit */
    for (size_t i = 0; i < values->small_count; i++)
        small += values->small[i];
    np_sum sum = small;
    for (size_t i = 0; i < values->large_count; i++)
        sum += (np_sum)values->large[i];
    return sum;
}

/* ----------------------------------------------------------------------------------------------------------- selection */

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void swap(int64_t *a, int64_t *b)
{
    const int64_t t = *a;
    *a = *b;
    *b = t;
}

static int64_t median_of_three(int64_t a, int64_t b, int64_t c)
{
    if (a > b)
        swap(&a, &b);
    return c <= a ? a : c >= b ? b : c;
}

/* The value at place k of v[0 … n) in order; reorders v. After too many bad pivots it sorts: no
 * input makes it quadratic. */
static int64_t select_place(int64_t *v, size_t n, size_t k)
{
    size_t low = 0;
    size_t high = n - 1;
    for (int rounds = 0; low < high; rounds++) {
        if (rounds > 64 || high - low < 16) {
            qsort(v + low, high - low + 1, sizeof *v, by_value);
            break;
        }
        const int64_t pivot = median_of_three(v[low], v[low + (high - low) / 2], v[high]);
        size_t i = low;
        size_t j = high;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&v[i++], &v[j--]);
        }
        /* v[low … j] <= pivot <= v[j + 1 … high] */
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[k];
}

/* ------------------------------------------------------------------------------------------------------------- buckets */

/* The upper bits of a float are a log-linear scale: 64 steps a power of two. Rounding to a float
 * keeps the order. */
#define BUCKETS ((32 + 1) * 64 + 2)

static inline uint32_t bucket_of(uint32_t value)
{
    const float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return value ? (bits >> 17) - (127u << 6) + 1 : 0;
}

struct wanted {
    size_t rank[QUANTILES]; /* place in order, from 0 */
    uint32_t bucket[QUANTILES];
    size_t before[QUANTILES];    /* values in buckets below it */
    uint8_t slot[BUCKETS];       /* 0: not wanted; else 1 + number of the taken list */
    size_t begin[QUANTILES + 1]; /* taken lists lie behind each other */
    int lists;
};

static void find_buckets(const uint32_t *count, struct wanted *w, int quantiles)
{
    size_t before = 0;
    uint32_t bucket = 0;
    memset(w->slot, 0, sizeof w->slot);
    w->lists = 0;
    w->begin[0] = 0;
    for (int q = 0; q < quantiles; q++) { /* ranks grow */
        while (before + count[bucket] <= w->rank[q])
            before += count[bucket++];
        w->bucket[q] = bucket;
        w->before[q] = before;
        if (w->slot[bucket])
            continue;
        w->slot[bucket] = (uint8_t)++w->lists;
        w->begin[w->lists] = w->begin[w->lists - 1] + count[bucket];
    }
}

static void take(const np_values *values, const struct wanted *w, int64_t *taken)
{
    size_t end[QUANTILES + 1];
    memcpy(end, w->begin, sizeof end);
    for (size_t i = 0; i < values->small_count; i++) {
        const uint8_t slot = w->slot[bucket_of(values->small[i])];
        if (slot)
            taken[end[slot - 1]++] = values->small[i];
    }
}

/* The values at rank[0 … quantiles) among the small ones, ranks growing. */
static bool select_many(const np_values *values, struct wanted *w, int quantiles, int64_t *out)
{
    uint32_t count[BUCKETS] = {0};
    for (size_t i = 0; i < values->small_count; i++)
        count[bucket_of(values->small[i])]++;
    find_buckets(count, w, quantiles);
    int64_t *taken = malloc(w->begin[w->lists] * sizeof *taken);
    if (!taken)
        return false;
    take(values, w, taken);
    for (int q = 0; q < quantiles; q++) {
        const int list = w->slot[w->bucket[q]] - 1;
        out[q] = select_place(taken + w->begin[list], w->begin[list + 1] - w->begin[list],
                              w->rank[q] - w->before[q]);
    }
    free(taken);
    return true;
}

static bool select_few(const np_values *values, const struct wanted *w, int quantiles, int64_t *out)
{
    int64_t *copy = malloc(values->small_count * sizeof *copy);
    if (!copy)
        return false;
    for (size_t i = 0; i < values->small_count; i++)
        copy[i] = values->small[i];
    for (int q = 0; q < quantiles; q++)
        out[q] = select_place(copy, values->small_count, w->rank[q]);
    free(copy);
    return true;
}

static bool select_large(const np_values *values, const size_t *rank, int quantiles, int64_t *out)
{
    int64_t *copy = malloc(values->large_count * sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, values->large, values->large_count * sizeof *copy);
    for (int q = 0; q < quantiles; q++)
        out[q] = select_place(copy, values->large_count, rank[q] - values->small_count);
    free(copy);
    return true;
}

static bool quantiles(const np_values *values, size_t n, int64_t out[QUANTILES])
{
    struct wanted w;
    int small = 0;
    for (int q = 0; q < QUANTILES; q++) {
        w.rank[q] = (size_t)(((uint64_t)n * per_thousand[q] + 999) / 1000) - 1;
        small += w.rank[q] < values->small_count;
    }
    if (small && !(values->small_count < MANY ? select_few(values, &w, small, out)
                                              : select_many(values, &w, small, out)))
        return false;
    return small == QUANTILES ||
           select_large(values, w.rank + small, QUANTILES - small, out + small);
}

/* ------------------------------------------------------------------------------------------------------------- figures */

static void extremes(const np_values *values, np_figures *out)
{
    uint32_t low = UINT32_MAX;
    uint32_t high = 0;
    for (size_t i = 0; i < values->small_count; i++) {
        low = values->small[i] < low ? values->small[i] : low;
        high = values->small[i] > high ? values->small[i] : high;
    }
    out->min_ns = values->small_count ? low : values->large[0];
    out->max_ns = values->small_count ? high : values->large[0];
    for (size_t i = 0; i < values->large_count; i++) {
        if (values->large[i] < out->min_ns)
            out->min_ns = values->large[i];
        if (values->large[i] > out->max_ns)
            out->max_ns = values->large[i];
    }
}

static inline double square(double value, double mean)
{
    return (value - mean) * (value - mean);
}

/* The mean is known, so the squares are of small differences and nothing is lost. Four sums, since
   one would wait for each addition. */
static double standard_deviation(const np_values *values, size_t n, double mean)
{
    double a = 0, b = 0, c = 0, d = 0;
    if (n < 2)
        return 0;
    const uint32_t *v = values->small;
    size_t i = 0;
    for (; i + 4 <= values->small_count; i += 4) {
        a += square(v[i], mean);
        b += square(v[i + 1], mean);
        c += square(v[i + 2], mean);
        d += square(v[i + 3], mean);
    }
    for (; i < values->small_count; i++)
        a += square(v[i], mean);
    for (i = 0; i < values->large_count; i++)
        b += square((double)values->large[i], mean);
    return sqrt((a + b + (c + d)) / (double)(n - 1));
}

bool np_values_figures(const np_values *values, np_sum whole, np_figures *out)
{
    memset(out, 0, sizeof *out);
    const size_t n = values->small_count + values->large_count;
    if (!n)
        return true;
    int64_t q[QUANTILES];
    if (!quantiles(values, n, q))
        return false;
    const np_sum sum = np_values_sum(values);
    extremes(values, out);
    out->count = n;
    out->sum_ns = sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
    out->share = whole ? (double)sum / (double)whole : 0;
    out->p50_ns = q[0];
    out->p90_ns = q[1];
    out->p95_ns = q[2];
    out->p99_ns = q[3];
    out->mean_ns = (double)((long double)sum / (long double)n);
    out->stddev_ns = standard_deviation(values, n, out->mean_ns);
    return true;
}

/* --------------------------------------------------------------------------------------------- bins */

/* How many edges a value has reached: edges[count] ascend, and so the answer is its bin. */
static uint32_t bin_of(const int64_t *edges, uint32_t count, int64_t value)
{
    uint32_t low = 0;
    uint32_t high = count - 1; /* what is behind the last edge is in the last bin too */
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (value >= edges[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void np_values_bins(const np_values *values, int64_t low, int64_t high, uint32_t count,
                    uint64_t *bins)
{
    int64_t edges[NP_BINS_MAX]; /* where a bin ends */
    const double first = low > 1 ? (double)low : 1;
    const double factor = (high > 1 ? (double)high : 1) / first;
    for (uint32_t i = 0; i < count; i++) {
        const double edge = ceil(first * pow(factor, (double)(i + 1) / count));
        edges[i] = edge < (double)INT64_MAX ? (int64_t)edge : INT64_MAX;
    }
    memset(bins, 0, count * sizeof *bins);
    for (size_t i = 0; i < values->small_count; i++)
        bins[bin_of(edges, count, values->small[i])]++;
    for (size_t i = 0; i < values->large_count; i++)
        bins[bin_of(edges, count, values->large[i])]++;
}
