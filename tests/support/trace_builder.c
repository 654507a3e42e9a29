/* Traces for tests; see trace_builder.h. */
#include "trace_builder.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ORIGINS 64
#define EVENTS_BETWEEN_FLUSHES                                                                     \
    500 /* a request has some 20 to 60 events, the smallest ring 1,024                             \
         */

struct known_origin {
    char origin[256];
    uint32_t connection;
    uint64_t uses;
};

struct trace_builder {
    np_trace *trace;
    np_producer *producer;
    uint64_t now_ns;
    size_t events; /* since the last flush */
    struct known_origin origins[MOST_ORIGINS];
    size_t origin_count;
};

static void stop_on(np_status status, const np_error *err, const char *what)
{
    if (!status)
        return;
    (void)fprintf(stderr, "trace builder: %s: %s (%s)\n", what, err->text, err->cause);
    abort();
}

struct trace_builder *trace_builder_open(const char *path, const np_trace_options *options)
{
    struct trace_builder *builder = calloc(1, sizeof *builder);
    np_error err = {0};
    if (!builder)
        abort();
    stop_on(np_trace_open(path, options, &builder->trace, &err), &err, "open");
    stop_on(np_producer_attach(builder->trace, &builder->producer, &err), &err, "attach");
    builder->now_ns = np_now();
    return builder;
}

np_trace *trace_builder_trace(struct trace_builder *builder)
{
    return builder->trace;
}

np_producer *trace_builder_producer(struct trace_builder *builder)
{
    return builder->producer;
}

uint64_t trace_builder_now(const struct trace_builder *builder)
{
    return builder->now_ns;
}

static void push(struct trace_builder *builder, const np_event *event)
{
    np_emit(builder->producer, event);
    builder->events++;
}

static np_text_ref word(struct trace_builder *builder, const char *text)
{
    return text ? np_producer_word(builder->producer, text, strlen(text)) : 0;
}

static np_text_ref text(struct trace_builder *builder, const char *value)
{
    return value ? np_ring_text(builder->producer->ring, value, strlen(value)) : 0;
}

static struct known_origin *origin_of(struct trace_builder *builder, const char *origin)
{
    for (size_t i = 0; i < builder->origin_count; i++)
        if (strcmp(builder->origins[i].origin, origin) == 0)
            return &builder->origins[i];
    if (builder->origin_count == MOST_ORIGINS)
        abort();
    struct known_origin *known = &builder->origins[builder->origin_count++];
    (void)snprintf(known->origin, sizeof known->origin, "%s", origin);
    return known;
}

static void phase(struct trace_builder *builder, uint32_t number, np_phase which, int64_t ns)
{
    if (ns <= 0)
        return;
    if (which == NP_PHASE_GAP) {
        builder->now_ns += (uint64_t)ns;
        return;
    }
    if (which != NP_PHASE_QUEUE)
        push(builder, &(np_event){.time_ns = builder->now_ns,
                                  .request = number,
                                  .type = NP_EVENT_PHASE_BEGIN,
                                  .source = NP_SOURCE_CALLBACK,
                                  .word = {which}});
    builder->now_ns += (uint64_t)ns;
    push(builder, &(np_event){.time_ns = builder->now_ns,
                              .request = number,
                              .type = NP_EVENT_PHASE_END,
                              .source = NP_SOURCE_CALLBACK,
                              .word = {which}});
}

static uint32_t open_connection(struct trace_builder *builder, const struct built_request *request,
                                const char *origin, uint32_t number, bool first)
{
    const uint32_t connection = ++builder->producer->last_connection;
    const uint64_t because = first ? NP_NEW_FIRST : NP_NEW_FORCED;
    push(builder, &(np_event){
                      .time_ns = builder->now_ns,
                      .request = number,
                      .connection = connection,
                      .type = NP_EVENT_CONNECTION_OPEN,
                      .word = {word(builder, origin), because, 0}
    });
    (void)request;
    return connection;
}

static void connection_ready(struct trace_builder *builder, const struct built_request *request,
                             uint32_t number, uint32_t connection)
{
    push(builder, &(np_event){
                      .time_ns = builder->now_ns,
                      .request = number,
                      .connection = connection,
                      .type = NP_EVENT_CONNECTION_PEER,
                      .word = {word(builder, "127.0.0.1:8080"), text(builder, "127.0.0.1:40000")}
    });
    if (request->phase_ns[NP_PHASE_TLS])
        push(builder,
             &(np_event){
                 .time_ns = builder->now_ns,
                 .request = number,
                 .connection = connection,
                 .type = NP_EVENT_CONNECTION_TLS,
                 .word = {word(builder, "TLSv1.3"), word(builder, "TLS_AES_256_GCM_SHA384"),
                          word(builder, "http/1.1"), request->resumed, 0}
        });
    push(builder, &(np_event){.time_ns = builder->now_ns,
                              .request = number,
                              .connection = connection,
                              .type = NP_EVENT_CONNECTION_READY,
                              .word = {request->protocol ? (uint64_t)request->protocol
                                                         : NP_PROTOCOL_HTTP_1_1}});
}

static void add_spans(struct trace_builder *builder, const struct built_request *request,
                      uint32_t number, uint64_t start_ns)
{
    for (size_t i = 0; i < request->span_count; i++) {
        const struct built_span *span = &request->spans[i];
        const uint64_t at = start_ns + (uint64_t)span->after_ns;
        const uint32_t id = np_emit_span_begin(builder->producer, at, number, 0, span->phase,
                                               span->kind, 0, span->name);
        if (span->duration_ns >= 0)
            np_emit_span_end(builder->producer, at + (uint64_t)span->duration_ns, number, id,
                             span->outcome, span->detail);
        builder->events += 2;
    }
}

static void add_headers(struct trace_builder *builder, const struct built_request *request,
                        uint32_t number)
{
    for (size_t i = 0; i < request->header_count; i++)
        push(builder, &(np_event){
                          .time_ns = builder->now_ns,
                          .request = number,
                          .type = NP_EVENT_HEADER,
                          .word = {(uint64_t)request->headers[i].direction | (uint64_t)i << 8,
                                   word(builder, request->headers[i].name),
                                   text(builder, request->headers[i].value)}
        });
}

static void end(struct trace_builder *builder, const struct built_request *request, uint32_t number)
{
    const uint64_t protocol =
        request->protocol ? (uint64_t)request->protocol : NP_PROTOCOL_HTTP_1_1;
    push(builder, &(np_event){
                      .time_ns = builder->now_ns,
                      .request = number,
                      .type = NP_EVENT_REQUEST_END,
                      .source = NP_SOURCE_CALLBACK,
                      .word = {(uint64_t)request->outcome | (uint64_t)request->web_status << 8 |
                                   (uint64_t)request->layer << 16 | protocol << 24 |
                                   (uint64_t)request->status << 32,
                               (uint32_t)request->error_code | (uint64_t)request->flags << 32,
                               (uint64_t)request->received_bytes, (uint64_t)request->sent_bytes,
                               text(builder, request->error)}
    });
}

static void begin(struct trace_builder *builder, const struct built_request *request,
                  const char *origin, uint32_t number)
{
    push(builder,
         &(np_event){
             .time_ns = builder->now_ns,
             .request = number,
             .type = NP_EVENT_REQUEST_BEGIN,
             .source = NP_SOURCE_CALL,
             .word = {word(builder, request->method ? request->method : "GET"),
                      word(builder, origin), word(builder, request->path ? request->path : "/"),
                      (uint64_t)request->hop_of | (uint64_t)request->hop << 32 |
                          (uint64_t)request->hop_reason << 48 | (uint64_t)request->purpose << 56,
                      0}
    });
    push(builder,
         &(np_event){.time_ns = builder->now_ns,
                     .request = number,
                     .type = NP_EVENT_CALLER,
                     .word = {(uint64_t)(request->caller_ns ? request->caller_ns : 1500)}});
}

uint32_t trace_builder_add(struct trace_builder *builder, const struct built_request *request)
{
    if (builder->events > EVENTS_BETWEEN_FLUSHES)
        trace_builder_flush(builder);
    const char *origin = request->origin ? request->origin : "http://127.0.0.1:8080";
    struct known_origin *known = origin_of(builder, origin);
    const bool fresh = request->fresh || known->connection == 0;
    const uint32_t number = ++builder->producer->last_request;
    builder->now_ns += (uint64_t)request->pause_ns;
    const uint64_t start_ns = builder->now_ns;

    begin(builder, request, origin, number);
    phase(builder, number, NP_PHASE_QUEUE, request->phase_ns[NP_PHASE_QUEUE]);
    phase(builder, number, NP_PHASE_PROXY, request->phase_ns[NP_PHASE_PROXY]);
    if (fresh) {
        known->connection = open_connection(builder, request, origin, number, known->uses == 0);
        known->uses = 0;
    }
    for (int i = NP_PHASE_DNS; i <= NP_PHASE_TLS; i++)
        phase(builder, number, (np_phase)i, request->phase_ns[i]);
    if (fresh)
        connection_ready(builder, request, number, known->connection);
    push(builder, &(np_event){.time_ns = builder->now_ns,
                              .request = number,
                              .connection = known->connection,
                              .type = NP_EVENT_CONNECTION_USE,
                              .word = {++known->uses}});
    add_spans(builder, request, number, start_ns);
    add_headers(builder, request, number);
    for (int i = NP_PHASE_SEND; i <= NP_PHASE_RECEIVE; i++)
        phase(builder, number, (np_phase)i, request->phase_ns[i]);
    phase(builder, number, NP_PHASE_GAP, request->phase_ns[NP_PHASE_GAP]);
    if (!request->unfinished)
        end(builder, request, number);
    return number;
}

void trace_builder_end(struct trace_builder *builder, uint32_t number, int64_t receive_ns)
{
    phase(builder, number, NP_PHASE_RECEIVE, receive_ns);
    end(builder, &(struct built_request){.status = 200}, number);
}

void trace_builder_flush(struct trace_builder *builder)
{
    np_error err = {0};
    stop_on(np_trace_flush(builder->trace, &err), &err, "flush");
    builder->events = 0;
}

void trace_builder_close(struct trace_builder *builder)
{
    np_error err = {0};
    np_producer_detach(builder->trace, builder->producer);
    stop_on(np_trace_close(builder->trace, 0, &err), &err, "close");
    free(builder);
}
