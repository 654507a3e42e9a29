/*
 * Cuts the events of one request into phases that never overlap, are never negative and add up to
 * the total exactly. Floor 1; pure: no clock, no memory, no I/O. The same rules for every mode;
 * `NP_PHASE_RULES` is stored in meta 'phases'.
 *
 * The cut is a fold. A cursor stands at the instant up to which time has been given to a phase; one
 * phase is open, or none (then time goes to `gap`). Every event moves the cursor to max(cursor,
 * event time) and gives the piece in between to what was open; an event that lies before the cursor
 * is clamped to it and sets NP_FLAG_CLAMPED. queue opens at REQUEST_BEGIN. An end of a phase that
 * is not open is ignored. receive that begins while send is open sets NP_FLAG_EARLY_RESPONSE. After
 * the end nothing counts. For outcome ok the total ends where receive ended; otherwise at
 * REQUEST_END (the time between is not the network's). Only REQUEST_BEGIN, PHASE_BEGIN, PHASE_END
 * of the open phase and REQUEST_END count as events here; the others cut nothing and move nothing.
 * A total longer than INT64_MAX ns ends there (NP_FLAG_CLAMPED).
 */
#ifndef NP_TRACE_PHASES_H
#define NP_TRACE_PHASES_H

#include "event.h"
#include <stdbool.h>

#define NP_PHASE_RULES 1
#define NP_CUT_PIECES  24 /* pieces beyond these are summed, not listed */
#define NP_CUT_NONE    0xff

typedef struct np_cut_piece {
    uint8_t phase;
    uint64_t start_ns; /* CLOCK_MONOTONIC */
    int64_t duration_ns;
} np_cut_piece;

typedef struct np_cut {
    uint64_t start_ns;                   /* REQUEST_BEGIN; CLOCK_MONOTONIC */
    uint64_t cursor_ns;                  /* after the end: where the total ends */
    uint64_t receive_end_ns;             /* 0: not seen */
    int64_t duration_ns[NP_PHASE_COUNT]; /* gap is the last */
    int64_t at_ns[NP_PHASE_COUNT];       /* first begin since start_ns; only where present */
    uint8_t source[NP_PHASE_COUNT]; /* high half np_source, low half uncertainty, of the end of the
                                       last piece */
    uint16_t present;               /* bit a phase; gap's bit is set when it is > 0 */
    uint8_t open;                   /* phase, or NP_CUT_NONE */
    bool begun, ended;
    uint32_t flags; /* NP_FLAG_CLAMPED, NP_FLAG_EARLY_RESPONSE */
    uint8_t piece_count;
    np_cut_piece piece[NP_CUT_PIECES];
} np_cut;

void np_cut_init(np_cut *cut);
void np_cut_add(
    np_cut *cut,
    const np_event *event); /* any event of that request, in ring order; others are ignored */
void np_cut_close(
    np_cut *cut, uint64_t end_ns); /* for a request whose end never came; no-op after REQUEST_END */
int64_t np_cut_total(const np_cut *cut); /* after the end: the sum of duration_ns, exactly */

#endif
