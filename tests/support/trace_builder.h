/*
 * Makes traces with chosen requests for tests, through the real way of every event: producer, ring,
 * collector, rows.
 *
 *     struct trace_builder *builder = trace_builder_open(path, NULL);
 *     trace_builder_add(builder, &(struct built_request){.path = "/items/1", .status = 200,
 *                           .phase_ns = {[NP_PHASE_QUEUE] = 1000, [NP_PHASE_DNS] = 2000000,
 * [NP_PHASE_WAIT] = 500000, [NP_PHASE_RECEIVE] = 1000}}); trace_builder_close(builder);
 *
 * Time is the builder's own: it begins at the real clock and moves by what the requests last, so
 * durations are exact to the nanosecond. A failure of the library stops the test with its text. One
 * thread. Link np_store and compile trace_builder.c into the test.
 */
#ifndef TRACE_BUILDER_H
#define TRACE_BUILDER_H

#include "producer.h"
#include <stdint.h>

struct built_span {
    np_phase phase;
    np_span_kind kind;
    const char *name;
    int64_t after_ns;    /* its begin since the request's */
    int64_t duration_ns; /* -1: it is never ended */
    np_span_outcome outcome;
    const char *detail; /* JSON or NULL */
};

struct built_header {
    int direction; /* 0 request, 1 response */
    const char *name, *value;
};

/* Everything that is 0 or NULL has a default. */
struct built_request {
    const char *method;               /* "GET" */
    const char *origin;               /* "http://127.0.0.1:8080" */
    const char *path;                 /* "/" */
    int status;                       /* 0: none came */
    int outcome;                      /* NP_OUTCOME_… */
    int protocol;                     /* NP_PROTOCOL_HTTP_1_1 */
    int64_t phase_ns[NP_PHASE_COUNT]; /* 0: absent; 1 ns and more: present. They follow one another
                                         in the order of np_phase; gap comes last */
    bool fresh;   /* on a new connection; else on the last one of its origin, where there is one */
    bool resumed; /* the new connection's TLS session */
    bool unfinished;   /* REQUEST_END is not sent */
    int64_t caller_ns; /* 0: 1,500 */
    uint32_t hop_of;   /* number of hop 0 */
    int hop, hop_reason, purpose;
    uint32_t flags;
    int web_status, layer, error_code;
    const char *error;
    int64_t received_bytes, sent_bytes;
    int64_t pause_ns;               /* between the request before and this one */
    const struct built_span *spans; /* spans[span_count] */
    size_t span_count;
    const struct built_header *headers; /* headers[header_count] */
    size_t header_count;
};

struct trace_builder;

struct trace_builder *trace_builder_open(const char *path, const np_trace_options *options);
np_trace *trace_builder_trace(struct trace_builder *builder);
np_producer *trace_builder_producer(struct trace_builder *builder); /* for events of one's own */
uint64_t trace_builder_now(const struct trace_builder *builder); /* its clock, CLOCK_MONOTONIC ns */

/* Pushes one request; returns its number. Waits for the collector where the ring would overflow. */
uint32_t trace_builder_add(struct trace_builder *builder, const struct built_request *request);
/* Ends a request that was added unfinished, after more receive_ns of receive. */
void trace_builder_end(struct trace_builder *builder, uint32_t number, int64_t receive_ns);

void trace_builder_flush(
    struct trace_builder *builder); /* all that was added is in the file (finished ones as rows) */
void trace_builder_close(
    struct trace_builder *builder); /* exit status 0; a failure stops the test */

#endif
