/*
 * The one line that moves while something long runs, on stderr, and only where that is a terminal:
 *
 *      134/200 ━━━━━━━━━━━━━━━━━━╸            67 %   41 req/s   p50 setup 212 ms   failed 1   3 s
 * left
 *
 * progress_line is a pure function from figures to that line; the rest writes it, at most ten times
 * a second, and erases it. One thread.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "look.h"
#include <stdint.h>

struct progress_figures {
    uint64_t done, failed;
    uint64_t expected; /* 0: not known (--duration): then the time is what is measured, see below */
    int64_t elapsed_ns;
    int64_t planned_ns;   /* --duration; 0: until `expected` are done */
    int64_t setup_p50_ns; /* -1: not known yet */
};

struct progress {
    struct look look; /* of stderr */
    bool is_on;       /* false: every call is a no-op */
    bool is_shown;
    int64_t shown_ns; /* clock of the last line */
};

/* The line, without line end and never wider than look->columns - 1. Parts are left out from the
 * right where it is narrow. */
void progress_line(const struct look *look, const struct progress_figures *figures,
                   struct text *out);

/* `is_wanted`: false with -q. */
void progress_init(struct progress *progress, const struct look *look, bool is_wanted);
/* Draws when the last line is older than a tenth of a second. now_ns: any clock that does not go
 * back. */
void progress_show(struct progress *progress, const struct progress_figures *figures,
                   int64_t now_ns);
/* Takes the line away: before anything else is written to stderr, and at the end. */
void progress_erase(struct progress *progress);

#endif
