/* A log-linear histogram of durations: 32 sub-buckets a power of two, at most 1/32 wide. Floor 0;
 * one thread at a time. For live views. */
#ifndef NP_BASE_HISTOGRAM_H
#define NP_BASE_HISTOGRAM_H

#include <stdint.h>

#define NP_HISTOGRAM_BUCKETS 2048

typedef struct np_histogram {
    uint64_t count;
    int64_t min_ns, max_ns;
    uint64_t bucket[NP_HISTOGRAM_BUCKETS];
} np_histogram;

void np_histogram_init(np_histogram *h);
void np_histogram_record(np_histogram *h, int64_t duration_ns); /* negative counts as 0 */
int64_t
np_histogram_quantile(const np_histogram *h,
                      double p); /* upper edge of the bucket, at most max_ns; 0 when empty */

#endif
