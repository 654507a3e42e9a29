/* One clock. Floor 0; any thread. Read once per callback and handed on as now_ns. Tests replace it.
 */
#ifndef NP_BASE_CLOCK_H
#define NP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NP_NS_PER_US 1000
#define NP_NS_PER_MS 1000000
#define NP_NS_PER_S  INT64_C(1000000000)

/* CLOCK_MONOTONIC, ns. Inline: it is nine tenths of an event's cost. */
static inline uint64_t np_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CLOCK_REALTIME, Unix ns. */
int64_t np_now_unix(void);

/* Both at the same instant, to within the time of one clock read: Unix time of the middle of two
 * monotonic reads. */
void np_clock_pair(uint64_t *mono_ns, int64_t *unix_ns);

#endif
