/*
 * What to send and when: which URL comes next, how many may be on their way, on which schedule.
 * Pure: it is told the time.
 *
 * Without a rate the loop is closed: a request starts when one of `concurrency` places is free.
 * With a rate it is open: starts lie on a schedule (start of the run + i / rate), and a late
 * response delays no later start; then `concurrency` bounds connections, not starts.
 */
#ifndef CLI_NET_WORKLOAD_H
#define CLI_NET_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct workload {
    size_t url_count;     /* 1 … */
    uint64_t per_url;     /* requests to each URL; ignored with a duration */
    uint32_t concurrency; /* 1 … */
    int64_t duration_ns;  /* 0: none */
    double rate;          /* starts a second; 0: closed loop */

    uint64_t start_ns; /* set by workload_begin */
    uint64_t started;  /* requests begun so far */
    uint64_t finished;
    bool stopped; /* no more starts */
};

enum workload_answer {
    WORKLOAD_START, /* begin one now, to *url; it counts as started */
    WORKLOAD_WAIT,  /* nothing now; look again at *at_ns (UINT64_MAX: when one has finished) */
    WORKLOAD_END    /* nothing will start any more */
};

void workload_begin(struct workload *w, uint64_t now_ns);
enum workload_answer workload_next(struct workload *w, uint64_t now_ns, size_t *url,
                                   uint64_t *at_ns);
void workload_finished(struct workload *w);
void workload_stop(struct workload *w);

#endif
