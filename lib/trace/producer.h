/*
 * How a context gets its ring, and how events are made. Floor 1.
 *
 * net and store do not know each other; they meet here. An np_trace (store floor) begins with an
 * np_trace_port; a context asks the port for a producer and gives it back at its end. "Not traced"
 * is producer == NULL.
 *
 * The emit functions stamp nothing: the caller took now_ns once and hands it on. They are inline;
 * with a NULL producer they are one predicted branch. Producer thread only.
 */
#ifndef NP_TRACE_PRODUCER_H
#define NP_TRACE_PRODUCER_H

#include "redact.h"
#include "ring.h"
#include <netphase/trace.h>

typedef struct np_producer {
    np_ring *ring;
    np_detail detail;
    const np_redaction *redaction; /* borrowed from the trace */
    uint32_t last_request;         /* numbers given out */
    uint32_t last_connection;
    uint32_t last_span;
} np_producer;

/* An instant and how well it is known. */
typedef struct np_stamp {
    uint64_t ns; /* CLOCK_MONOTONIC */
    uint8_t source;      /* np_source */
    uint8_t uncertainty; /* right to within 4^uncertainty ns; 0: as is usual for the source */
} np_stamp;

/* First member of struct np_trace. */
typedef struct np_trace_port {
    np_status (*attach)(np_trace *trace, np_producer **out, np_error *err); /* any thread */
    void (*detach)(np_trace *trace, np_producer *producer); /* after the last event; any thread */
} np_trace_port;

static inline np_status np_producer_attach(np_trace *trace, np_producer **out, np_error *err)
{
    return ((np_trace_port *)trace)->attach(trace, out, err);
}
static inline void np_producer_detach(np_trace *trace, np_producer *producer)
{
    ((np_trace_port *)trace)->detach(trace, producer);
}

static inline void np_emit(np_producer *p, const np_event *event)
{
    if (__builtin_expect(p != NULL, 0))
        (void)np_ring_push(p->ring, event); /* a full ring has counted it */
}

static inline void np_emit_phase_begin(np_producer *p, uint64_t now_ns, uint32_t request,
                                       np_phase phase, np_source source)
{
    if (p)
        (void)np_ring_push(p->ring, &(np_event){.time_ns = now_ns,
                                                .request = request,
                                                .type = NP_EVENT_PHASE_BEGIN,
                                                .source = (uint8_t)source,
                                                .word = {(uint64_t)phase}});
}

static inline void np_emit_phase_end(np_producer *p, uint64_t now_ns, uint32_t request,
                                     np_phase phase, np_source source)
{
    if (p)
        (void)np_ring_push(p->ring, &(np_event){.time_ns = now_ns,
                                                .request = request,
                                                .type = NP_EVENT_PHASE_END,
                                                .source = (uint8_t)source,
                                                .word = {(uint64_t)phase}});
}

/* The same two with all that is known of the instant; `type` is PHASE_BEGIN or PHASE_END. */
static inline void np_emit_phase_stamp(np_producer *p, np_event_type type, np_stamp stamp,
                                       uint32_t request, np_phase phase)
{
    if (p)
        (void)np_ring_push(p->ring, &(np_event){.time_ns = stamp.ns,
                                                .request = request,
                                                .type = (uint16_t)type,
                                                .source = stamp.source,
                                                .uncertainty = stamp.uncertainty,
                                                .word = {(uint64_t)phase}});
}

/* Begins a span and returns its number, 0 when spans are not kept (detail phases) or not traced.
 * `parent` 0: none. */
uint32_t np_emit_span_begin(np_producer *p, uint64_t now_ns, uint32_t request, uint32_t connection,
                            np_phase phase, np_span_kind kind, uint32_t parent, const char *name);
/* Ends it; span 0 does nothing. `detail` is a JSON object or NULL. */
void np_emit_span_end(np_producer *p, uint64_t now_ns, uint32_t request, uint32_t span,
                      np_span_outcome outcome, const char *detail);
/* The same for a span that stands for several pieces of time: held_ns is their sum, 1 … its
 * duration. */
void np_emit_span_end_held(np_producer *p, uint64_t now_ns, uint32_t request, uint32_t span,
                           np_span_outcome outcome, const char *detail, int64_t held_ns);

static inline np_text_ref np_producer_word(np_producer *p, const char *text, size_t length)
{
    return p ? np_ring_word(p->ring, text, length) : 0;
}

#endif
