/*
 * The cut of a request into phases; the rules are in phases.h. Floor 1; pure.
 *
 * All time goes through advance(): it alone moves the cursor, and what it moves it by it gives to
 * exactly one phase. So the sum is the total and nothing overlaps, whatever the events say. The
 * total is kept below 2^63 ns by ending time there (292 years), so that no sum can overflow, with
 * stamps of any value.
 */
#include "phases.h"

#include <stddef.h>
#include <string.h>

static void list_piece(np_cut *cut, uint8_t phase, uint64_t start_ns, int64_t duration_ns)
{
    if (cut->piece_count < NP_CUT_PIECES)
        cut->piece[cut->piece_count++] =
            (np_cut_piece){.phase = phase, .start_ns = start_ns, .duration_ns = duration_ns};
}

static void note_present(np_cut *cut, uint8_t phase)
{
    if (cut->present >> phase & 1)
        return;
    cut->present |= (uint16_t)(1u << phase);
    cut->at_ns[phase] = (int64_t)(cut->cursor_ns - cut->start_ns);
}

/* The instant as far as the cursor may go to it: never back, never more than INT64_MAX from the
 * start. */
static uint64_t clamp_time(np_cut *cut, uint64_t time_ns)
{
    const uint64_t last =
        cut->start_ns > UINT64_MAX - INT64_MAX ? UINT64_MAX : cut->start_ns + INT64_MAX;
    if (time_ns >= cut->cursor_ns && time_ns <= last)
        return time_ns;
    cut->flags |= NP_FLAG_CLAMPED;
    return time_ns < cut->cursor_ns ? cut->cursor_ns : last;
}

/* Gives the time up to `time_ns` to what is open, and closes that. */
static void advance(np_cut *cut, uint64_t time_ns, uint8_t source)
{
    const uint64_t to = clamp_time(cut, time_ns);
    const int64_t duration = (int64_t)(to - cut->cursor_ns);

    if (cut->open == NP_CUT_NONE) {
        if (duration > 0) {
            note_present(cut, NP_PHASE_GAP);
            cut->duration_ns[NP_PHASE_GAP] += duration;
            cut->source[NP_PHASE_GAP] = source;
            list_piece(cut, NP_PHASE_GAP, cut->cursor_ns, duration);
        }
    } else {
        cut->duration_ns[cut->open] += duration;
        cut->source[cut->open] = source;
        list_piece(cut, cut->open, cut->cursor_ns, duration);
    }
    cut->cursor_ns = to;
    if (cut->open == NP_PHASE_RECEIVE)
        cut->receive_end_ns = to;
    cut->open = NP_CUT_NONE;
}

static void open_phase(np_cut *cut, uint8_t phase)
{
    cut->open = phase;
    note_present(cut, phase);
}

static uint8_t source_of(const np_event *event)
{
    const unsigned source = event->source < 15 ? event->source : 15;
    const unsigned uncertainty = event->uncertainty < 15 ? event->uncertainty : 15;
    return (uint8_t)(source << 4 | uncertainty);
}

static void end_request(np_cut *cut, const np_event *event)
{
    /* The answer was complete when receive ended; that we were told later is nobody's time. */
    const bool complete = (event->word[0] & 0xff) == NP_OUTCOME_OK && cut->receive_end_ns != 0 &&
                          cut->open == NP_CUT_NONE;
    if (!complete)
        advance(cut, event->time_ns, source_of(event));
    cut->ended = true;
}

void np_cut_init(np_cut *cut)
{
    memset(cut, 0, offsetof(np_cut, piece)); /* pieces are written before they are counted */
    cut->open = NP_CUT_NONE;
}

void np_cut_add(np_cut *cut, const np_event *event)
{
    if (cut->ended)
        return;
    if (!cut->begun) {
        if (event->type != NP_EVENT_REQUEST_BEGIN)
            return;
        cut->begun = true;
        cut->start_ns = cut->cursor_ns = event->time_ns;
        open_phase(cut, NP_PHASE_QUEUE);
        return;
    }

    const uint64_t phase = event->word[0];
    switch (event->type) {
    case NP_EVENT_PHASE_BEGIN:
        if (phase >= NP_PHASE_GAP)
            return; /* gap is what is left over, it cannot be begun */
        if (phase == NP_PHASE_RECEIVE && cut->open == NP_PHASE_SEND)
            cut->flags |= NP_FLAG_EARLY_RESPONSE;
        advance(cut, event->time_ns, source_of(event));
        open_phase(cut, (uint8_t)phase);
        break;
    case NP_EVENT_PHASE_END:
        if (phase < NP_PHASE_GAP && phase == cut->open)
            advance(cut, event->time_ns, source_of(event));
        break;
    case NP_EVENT_REQUEST_END:
        end_request(cut, event);
        break;
    default: /* spans, headers, connections: they tell about the time, they do not cut it */
        break;
    }
}

void np_cut_close(np_cut *cut, uint64_t end_ns)
{
    if (cut->ended)
        return;
    if (cut->begun)
        advance(cut, end_ns, 0);
    cut->ended = true;
}

int64_t np_cut_total(const np_cut *cut)
{
    int64_t total = 0;
    for (int i = 0; i < NP_PHASE_COUNT; i++)
        total += cut->duration_ns[i];
    return total;
}
