/* What to send and when; see workload.h. */
#include "workload.h"

void workload_begin(struct workload *w, uint64_t now_ns)
{
    w->start_ns = now_ns;
    w->started = 0;
    w->finished = 0;
    w->stopped = false;
}

static bool nothing_left(const struct workload *w, uint64_t now_ns)
{
    if (w->stopped)
        return true;
    if (w->duration_ns > 0)
        return now_ns >= w->start_ns + (uint64_t)w->duration_ns;
    return w->started >= w->per_url * w->url_count;
}

/* The i-th start of the schedule: computed from i, so that rounding does not add up. */
static uint64_t scheduled_at(const struct workload *w, uint64_t i)
{
    return w->start_ns + (uint64_t)((double)i * 1e9 / w->rate);
}

enum workload_answer workload_next(struct workload *w, uint64_t now_ns, size_t *url,
                                   uint64_t *at_ns)
{
    *at_ns = UINT64_MAX;
    if (nothing_left(w, now_ns))
        return WORKLOAD_END;
    if (w->rate > 0) {
        const uint64_t due_ns = scheduled_at(w, w->started);
        if (w->duration_ns > 0 && due_ns >= w->start_ns + (uint64_t)w->duration_ns)
            return WORKLOAD_END;
        if (now_ns < due_ns) {
            *at_ns = due_ns;
            return WORKLOAD_WAIT;
        }
    } else if (w->started - w->finished >= w->concurrency) {
        return WORKLOAD_WAIT;
    }
    *url = (size_t)(w->started % w->url_count);
    w->started++;
    return WORKLOAD_START;
}

void workload_finished(struct workload *w)
{
    w->finished++;
}

void workload_stop(struct workload *w)
{
    w->stopped = true;
}
