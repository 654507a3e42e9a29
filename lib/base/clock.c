/* Wall time, and the pair that ties our stamps to it. Floor 0; any thread. */
#include "clock.h"

#define PAIR_TRIES 5

int64_t np_now_unix(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * NP_NS_PER_S + t.tv_nsec;
}

void np_clock_pair(uint64_t *mono_ns, int64_t *unix_ns)
{
    /* A thread can lose its processor between two reads; of a few tries the narrowest is the one
     * that did not. */
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < PAIR_TRIES; i++) {
        const uint64_t before = np_now();
        const int64_t wall = np_now_unix();
        const uint64_t width = np_now() - before;
        if (width < narrowest) {
            narrowest = width;
            *mono_ns = before + width / 2;
            *unix_ns = wall;
        }
    }
}
