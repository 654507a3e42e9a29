/* Spans: numbers are given out here, so that a begin and its end find each other. Floor 1; producer
 * thread only. */
#include "producer.h"

#include <string.h>

uint32_t np_emit_span_begin(np_producer *p, uint64_t now_ns, uint32_t request, uint32_t connection,
                            np_phase phase, np_span_kind kind, uint32_t parent, const char *name)
{
    if (!p || p->detail < NP_DETAIL_SPANS)
        return 0;
    p->last_span++;
    if (p->last_span == 0) /* 0 is "none", also after 2^32 spans */
        p->last_span = 1;
    const np_event event = {
        .time_ns = now_ns,
        .request = request,
        .connection = connection,
        .span = p->last_span,
        .type = NP_EVENT_SPAN_BEGIN,
        .source = NP_SOURCE_CALL,
        .word = {(uint64_t)phase | (uint64_t)kind << 8 | (uint64_t)parent << 32,
                 name ? np_ring_word(p->ring, name, strlen(name)) : 0},
    };
    /* A span whose begin was lost (and counted) gets no end either. */
    return np_ring_push(p->ring, &event) ? p->last_span : 0;
}

void np_emit_span_end(np_producer *p, uint64_t now_ns, uint32_t request, uint32_t span,
                      np_span_outcome outcome, const char *detail)
{
    np_emit_span_end_held(p, now_ns, request, span, outcome, detail, 0);
}

void np_emit_span_end_held(np_producer *p, uint64_t now_ns, uint32_t request, uint32_t span,
                           np_span_outcome outcome, const char *detail, int64_t held_ns)
{
    if (!p || span == 0)
        return;
    const np_event event = {
        .time_ns = now_ns,
        .request = request,
        .span = span,
        .type = NP_EVENT_SPAN_END,
        .source = NP_SOURCE_CALL,
        .word = {(uint64_t)outcome, detail ? np_ring_text(p->ring, detail, strlen(detail)) : 0,
                 (uint64_t)held_ns},
    };
    (void)np_ring_push(p->ring, &event); /* a full ring has counted it */
}
