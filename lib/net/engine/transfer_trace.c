/*
 * Events of transfers and connections. Floor 2; loop thread only.
 *
 * A warm request makes nine: begin, end of queue, use, send, wait, receive, end of receive, caller,
 * end. Its texts are words of the ring's dictionary; method, origin and the last target are looked
 * up once a service point, so that no text is copied on that way.
 */
#include "transfer_trace.h"

#include "upload_facts.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

static np_text_ref word(np_producer *producer, const char *text)
{
    return np_producer_word(producer, text, strlen(text));
}

static np_text_ref origin_ref(np_service_point *point)
{
    if (!point->origin_ref)
        point->origin_ref = word(point->engine->producer, point->origin);
    return point->origin_ref;
}

/* The target as stored, redacted. A word of the dictionary is kept for the next request: the same
 * target comes again and again. */
static np_text_ref target_ref(np_service_point *point, const char *target)
{
    np_producer *producer = point->engine->producer;
    if (point->path_ref && strcmp(point->path, target) == 0)
        return point->path_ref;
    np_textbuf text;
    np_textbuf_init(&text, NP_RING_TEXT_MAX);
    np_redact_path(producer->redaction, target, strlen(target), &text);
    np_text_ref ref = np_producer_word(producer, text.text, text.length);
    np_textbuf_done(&text);
    const size_t length = strlen(target);
    point->path_ref = 0;
    if (np_text_ref_is_word(ref) && length < sizeof point->path) {
        memcpy(point->path, target, length + 1);
        point->path_ref = ref;
    }
    return ref;
}

static np_text_ref method_ref(np_service_point *point, const char *method)
{
    if (point->method_ref && strcmp(point->method, method) == 0)
        return point->method_ref;
    const np_text_ref ref = word(point->engine->producer, method);
    const size_t length = strlen(method);
    point->method_ref = 0;
    if (np_text_ref_is_word(ref) && length < sizeof point->method) {
        memcpy(point->method, method, length + 1);
        point->method_ref = ref;
    }
    return ref;
}

void np_trace_request_begin(np_transfer *transfer, uint64_t begin_ns, np_source source)
{
    np_engine *engine = transfer->engine;
    np_producer *producer = engine->producer;
    transfer->header_event = 0;
    if (!producer) {
        transfer->number = ++engine->last_number;
        return;
    }
    transfer->number = ++producer->last_request;
    const uint64_t hop = (uint64_t)transfer->hop_of | (uint64_t)(transfer->hop & 0xffff) << 32 |
                         (uint64_t)transfer->hop_reason << 48;
    np_emit(producer, &(np_event){
                          .time_ns = begin_ns,
                          .request = transfer->number,
                          .type = NP_EVENT_REQUEST_BEGIN,
                          .source = (uint8_t)source,
                          .word = {method_ref(transfer->point, transfer->spec.method),
                                   origin_ref(transfer->point),
                                   target_ref(transfer->point, transfer->spec.target), hop, 0}
    });
    np_trace_proxy(transfer, begin_ns); /* of a later hop; the first does not know its own yet */
}

void np_trace_proxy(const np_transfer *transfer, uint64_t now_ns)
{
    np_producer *producer = transfer->engine->producer;
    const np_proxy_list *list = transfer->route.list;
    if (!producer || !list)
        return;
    const np_proxy_entry *proxy = transfer->point->proxy;
    np_emit(producer, &(np_event){
                          .time_ns = now_ns,
                          .request = transfer->number,
                          .type = NP_EVENT_PROXY,
                          .source = NP_SOURCE_CALL,
                          .word = {list->source, proxy ? word(producer, proxy->text) : 0}
    });
}

static int layer_number(const char *layer)
{
    static const char *const names[] = {[NP_LAYER_CURL] = "curl",
                                        [NP_LAYER_DNS] = "dns",
                                        [NP_LAYER_OS] = "os",
                                        [NP_LAYER_TLS] = "tls"};
    for (int i = 0; layer && i < (int)(sizeof names / sizeof names[0]); i++) {
        if (names[i] && strcmp(names[i], layer) == 0)
            return i;
    }
    return NP_LAYER_OURS;
}

static void emit_caller(np_transfer *transfer, uint64_t now_ns)
{
    const _Atomic int64_t *blocked = transfer->spec.caller_blocked_ns;
    if (!blocked || transfer->hop != 0)
        return;
    /* pairs with the caller's store when its begin call returns */
    const int64_t ns =
        atomic_load_explicit((_Atomic int64_t *)(uintptr_t)blocked, memory_order_acquire);
    if (ns >= 0)
        np_emit(transfer->engine->producer, &(np_event){.time_ns = now_ns,
                                                        .request = transfer->number,
                                                        .type = NP_EVENT_CALLER,
                                                        .source = NP_SOURCE_CALL,
                                                        .word = {(uint64_t)ns}});
}

/* One line: what went wrong, and what the layer below said where that is not in it already. */
static np_text_ref failure_ref(np_producer *producer, const np_error *failure)
{
    char line[sizeof failure->text + sizeof failure->cause + 2];
    const bool told = !failure->cause[0] || strstr(failure->text, failure->cause);
    const int length = snprintf(line, sizeof line, "%s%s%s", failure->text, told ? "" : ": ",
                                told ? "" : failure->cause);
    return np_ring_text(producer->ring, line, (size_t)length);
}

void np_trace_request_end(np_transfer *transfer, uint64_t now_ns, int outcome,
                          const np_error *failure)
{
    np_producer *producer = transfer->engine->producer;
    if (!producer)
        return;
    emit_caller(transfer, now_ns);
    np_wire_end(transfer);
    uint64_t packed =
        (uint64_t)outcome | (uint64_t)transfer->protocol << 24 | (uint64_t)transfer->status << 32;
    uint64_t code = 0;
    np_text_ref text = 0;
    if (failure) {
        packed |= (uint64_t)(failure->web_status & 0xff) << 8 |
                  (uint64_t)layer_number(failure->layer) << 16;
        code = (uint32_t)failure->code;
        text = failure_ref(producer, failure);
    }
    uint64_t flags = 0;
    if (failure && failure != transfer->refusal && transfer->header_done &&
        transfer->expected_bytes != 0)
        flags |= NP_FLAG_BODY_TRUNCATED;
    if (transfer->left_connect)
        flags |= NP_FLAG_CONNECT_LEFT;
    if (transfer->dns_cached)
        flags |= NP_FLAG_DNS_CACHED;
    if (transfer->upload.unsent_at_end)
        flags |= NP_FLAG_SEND_IN_WAIT;
    np_emit(producer, &(np_event){
                          .time_ns = now_ns,
                          .request = transfer->number,
                          .connection = transfer->connection ? transfer->connection->number : 0,
                          .type = NP_EVENT_REQUEST_END,
                          .source = NP_SOURCE_CALL,
                          .word = {packed, code | flags << 32, transfer->received_bytes,
                                   np_upload_sent_bytes(transfer), text}
    });
}

void np_trace_queue_end(np_transfer *transfer, uint64_t now_ns)
{
    np_emit(transfer->engine->producer,
            &(np_event){.time_ns = now_ns,
                        .request = transfer->number,
                        .connection = transfer->connection ? transfer->connection->number : 0,
                        .type = NP_EVENT_PHASE_END,
                        .source = NP_SOURCE_CALL,
                        .word = {NP_PHASE_QUEUE}});
}

static np_pauses *pauses_of(np_transfer *transfer, np_phase phase)
{
    return phase == NP_PHASE_SEND ? &transfer->send_pauses : &transfer->receive_pauses;
}

/* The last span, which later pauses share, stays open until the phase ends. */
static bool shares_span(const np_pauses *pauses)
{
    return pauses->count > NP_APPLICATION_SPANS;
}

void np_trace_pause(np_transfer *transfer, np_phase phase, uint64_t now_ns)
{
    np_producer *producer = transfer->engine->producer;
    np_pauses *pauses = pauses_of(transfer, phase);
    if (!producer || pauses->began_ns)
        return;
    pauses->began_ns = now_ns;
    pauses->count++;
    if (!pauses->span)
        pauses->span = np_emit_span_begin(
            producer, now_ns, transfer->number, transfer->connection->number, phase,
            NP_SPAN_APPLICATION, 0, phase == NP_PHASE_SEND ? "body not given" : "body not taken");
}

void np_trace_resume(np_transfer *transfer, np_phase phase, uint64_t now_ns)
{
    np_pauses *pauses = pauses_of(transfer, phase);
    if (!pauses->began_ns)
        return;
    if (shares_span(pauses)) {
        pauses->summed_ns += (int64_t)(now_ns - pauses->began_ns);
    } else {
        np_emit_span_end(transfer->engine->producer, now_ns, transfer->number, pauses->span,
                         NP_SPAN_OK, NULL);
        pauses->span = 0;
    }
    pauses->began_ns = 0;
}

void np_trace_pauses_end(np_transfer *transfer, np_phase phase, uint64_t now_ns)
{
    np_producer *producer = transfer->engine->producer;
    np_pauses *pauses = pauses_of(transfer, phase);
    if (pauses->count == 0)
        return;
    const bool paused = pauses->began_ns != 0;
    const np_span_outcome outcome = paused ? NP_SPAN_ABANDONED : NP_SPAN_OK;
    if (pauses->span == 0) {
        /* resumed, or the ring was full */
    } else if (shares_span(pauses)) {
        char detail[64];
        np_trace_resume(transfer, phase, now_ns);
        (void)snprintf(detail, sizeof detail, "{\"pauses\":%u,\"held_ns\":%lld}",
                       pauses->count - NP_APPLICATION_SPANS, (long long)pauses->summed_ns);
        np_emit_span_end_held(producer, now_ns, transfer->number, pauses->span, outcome, detail,
                              pauses->summed_ns);
    } else {
        np_emit_span_end(producer, now_ns, transfer->number, pauses->span, outcome, NULL);
    }
    memset(pauses, 0, sizeof *pauses);
}

void np_trace_connection_use(np_transfer *transfer, uint64_t now_ns)
{
    np_emit(transfer->engine->producer, &(np_event){.time_ns = now_ns,
                                                    .request = transfer->number,
                                                    .connection = transfer->connection->number,
                                                    .type = NP_EVENT_CONNECTION_USE,
                                                    .source = NP_SOURCE_CALLBACK,
                                                    .word = {transfer->connection->uses}});
}

void np_trace_field(np_transfer *transfer, uint64_t now_ns, int direction,
                    const np_header_line *line)
{
    np_producer *producer = transfer->engine->producer;
    if (!producer || producer->detail < NP_DETAIL_HEADERS)
        return;
    char name[256];
    const size_t length = line->name_length < sizeof name ? line->name_length : sizeof name - 1;
    memcpy(name, line->name, length);
    name[length] = 0;
    np_textbuf value;
    np_textbuf_init(&value, NP_RING_TEXT_MAX);
    np_redact_header(producer->redaction, name, line->value, line->value_length, &value);
    const uint64_t ordinal = transfer->header_event++;
    np_emit(producer, &(np_event){
                          .time_ns = now_ns,
                          .request = transfer->number,
                          .type = NP_EVENT_HEADER,
                          .source = NP_SOURCE_CALLBACK,
                          .word = {(uint64_t)direction | ordinal << 8,
                                   np_ring_word(producer->ring, name, length),
                                   np_ring_text(producer->ring, value.text, value.length)}
    });
    np_textbuf_done(&value);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void np_trace_field_line(np_transfer *transfer, uint64_t now_ns, int direction, const char *line,
                         size_t length)
{
    const char *colon = memchr(line, ':', length);
    const char *end = line + length;
    if (!colon)
        return;
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    np_trace_field(transfer, now_ns, direction,
                   &(np_header_line){line, value, (size_t)(colon - line), (size_t)(end - value)});
}

/* The fields that libcurl writes for a body. */
static void trace_body_fields(np_transfer *transfer, uint64_t now_ns)
{
    const np_transfer_spec *spec = &transfer->spec;
    if (spec->body_form == NP_BODY_FORM_NONE)
        return;
    char length[24];
    (void)snprintf(length, sizeof length, "%lld", (long long)spec->body_length);
    const np_header_line fields[] = {
        {"Content-Length",    length,         14, strlen(length)},
        {"Transfer-Encoding", "chunked",      17, 7             },
        {"Expect",            "100-continue", 6,  12            },
    };
    np_trace_field(transfer, now_ns, NP_FIELD_REQUEST,
                   &fields[spec->body_form == NP_BODY_FORM_CHUNKED]);
    if (*np_upload_expect(spec))
        np_trace_field(transfer, now_ns, NP_FIELD_REQUEST, &fields[2]);
}

void np_trace_request_fields(np_transfer *transfer, uint64_t now_ns)
{
    np_producer *producer = transfer->engine->producer;
    if (!producer || producer->detail < NP_DETAIL_HEADERS)
        return;
    transfer->header_event = 0;
    const np_transfer_spec *spec = &transfer->spec;
    np_textbuf host;
    np_textbuf_init(&host, NP_RING_TEXT_MAX);
    if (spec->host_header) {
        np_textbuf_puts(&host, spec->host_header);
    } else {
        const bool standard = spec->port == (transfer->point->tls ? 443 : 80);
        np_textbuf_print(&host, strchr(spec->host, ':') ? "[%s]" : "%s", spec->host);
        if (!standard)
            np_textbuf_print(&host, ":%u", spec->port);
    }
    np_trace_field(transfer, now_ns, NP_FIELD_REQUEST,
                   &(np_header_line){"Host", host.text, 4, host.length});
    np_textbuf_done(&host);
    for (size_t i = 0; i < spec->header_count; i++)
        np_trace_field(transfer, now_ns, NP_FIELD_REQUEST, &spec->headers[i]);
    trace_body_fields(transfer, now_ns);
    transfer->header_event = 0;
}

/* --- connections --- */

void np_trace_connection_open(np_connection *connection, const np_transfer *cause,
                              np_new_because because, uint32_t unlike, uint64_t now_ns)
{
    np_engine *engine = connection->engine;
    np_producer *producer = engine->producer;
    if (!producer) {
        connection->number = ++engine->last_connection;
        return;
    }
    connection->number = ++producer->last_connection;
    const char *proxy = connection->point->proxy ? connection->point->proxy->text : NULL;
    np_emit(producer,
            &(np_event){
                .time_ns = now_ns,
                .request = cause->number,
                .connection = connection->number,
                .type = NP_EVENT_CONNECTION_OPEN,
                .source = NP_SOURCE_CALL,
                .word = {origin_ref(connection->point), (uint64_t)because | (uint64_t)unlike << 32,
                         proxy ? word(producer, proxy) : 0}
    });
}

void np_trace_connection_peer(const np_connection *connection, const np_dial_result *result)
{
    np_producer *producer = connection->engine->producer;
    if (!producer)
        return;
    np_emit(producer,
            &(np_event){
                .time_ns = result->connected_ns,
                .request = connection->transfer ? connection->transfer->number : 0,
                .connection = connection->number,
                .type = NP_EVENT_CONNECTION_PEER,
                .source = result->connected_source,
                .uncertainty = result->connected_uncertainty,
                .word = {word(producer, result->remote),
                         np_ring_text(producer->ring, result->local, strlen(result->local))}
    });
}

void np_trace_connection_ready(const np_connection *connection, uint64_t now_ns)
{
    np_emit(connection->engine->producer,
            &(np_event){.time_ns = now_ns,
                        .request = connection->transfer ? connection->transfer->number : 0,
                        .connection = connection->number,
                        .type = NP_EVENT_CONNECTION_READY,
                        .source = NP_SOURCE_CALLBACK,
                        .word = {(uint64_t)connection->protocol}});
}

void np_trace_connection_close(const np_connection *connection, uint64_t now_ns, const char *reason)
{
    np_producer *producer = connection->engine->producer;
    if (!producer)
        return;
    /* The two sums are bytes of bodies, as they are in REQUEST_END. */
    np_emit(producer, &(np_event){
                          .time_ns = now_ns,
                          .connection = connection->number,
                          .type = NP_EVENT_CONNECTION_CLOSE,
                          .source = NP_SOURCE_CALL,
                          .word = {connection->requests, connection->sent_bytes,
                                   connection->received_bytes, word(producer, reason)}
    });
}
