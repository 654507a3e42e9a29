/* One request as JSON (netphase.request/1); see request_json.h. */
#include "request_json.h"
#include "call_view.h"
#include "header_view.h"
#include "json.h"
#include "output.h"
#include "wire_view.h"

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

/* -1 is "not known" or "did not happen". */
static void optional_int(struct json *json, const char *key, int64_t value)
{
    if (value < 0)
        json_null(json, key);
    else
        json_int(json, key, value);
}

static void row_json(struct json *json, const np_row *row)
{
    struct text started = {0};
    time_rfc3339(&started, row->start_ns, 9);
    json_open(json, "request", '{', false);
    json_int(json, "id", row->id);
    json_int(json, "run", row->run_id);
    json_text(json, "started", text_string(&started));
    json_text(json, "method", row->method);
    json_text(json, "url", row->url);
    if (row->status > 0)
        json_int(json, "status", row->status);
    else
        json_null(json, "status");
    json_text(json, "protocol", text_or_null(row->protocol));
    json_text(json, "remote", text_or_null(row->remote));
    json_bool(json, "reused", row->reused);
    json_text(json, "connection_state", text_or_null(row->connection_state));
    json_text(json, "proxy", text_or_null(row->proxy));
    json_text(json, "tls_version", text_or_null(row->tls_version));
    json_text(json, "outcome", row->outcome);
    json_text(json, "error", row->failed ? row->error : NULL);
    if (row->failed) {
        json_text(json, "error_layer", text_or_null(row->error_layer));
        json_int(json, "error_code", row->error_code);
        json_text(json, "web_status", np_web_status_name((np_web_status)row->web_status));
    }
    json_int(json, "hop", row->hop);
    if (row->hop_of > 0)
        json_int(json, "hop_of", row->hop_of);
    if (row->hop > 0)
        json_text(json, "hop_reason", row->hop_reason);
    json_int(json, "setup_ns", row->setup_ns);
    json_int(json, "total_ns", row->total_ns);
    optional_int(json, "caller_blocked_ns", row->caller_blocked_ns);
    optional_int(json, "send_application_ns", row->send_application_ns);
    optional_int(json, "receive_application_ns", row->receive_application_ns);
    optional_int(json, "late_ns", row->late_ns);
    optional_int(json, "sent_bytes", row->sent_bytes);
    optional_int(json, "received_bytes", row->received_bytes);
    json_close(json, '}');
    text_done(&started);
}

static void phases_json(struct json *json, const np_request_detail *request)
{
    /* the codes of `source` in the trace */
    static const char *const sources[] = {NULL,       "call", "syscall", "kernel",
                                          "callback", "info", "text",    "import"};
    const np_row *row = &request->row;
    json_open(json, "phases", '[', false);
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++) {
        int64_t duration_ns = row->phase_ns[phase];
        bool is_present = duration_ns >= 0 && (phase != NP_PHASE_GAP || duration_ns > 0);
        json_open(json, NULL, '{', true);
        json_text(json, "phase", np_phase_name((np_phase)phase));
        if (phase == NP_PHASE_QUEUE && is_present)
            json_int(json, "start_ns", 0);
        else
            optional_int(json, "start_ns", row->phase_at_ns[phase]);
        json_int(json, "duration_ns", is_present ? duration_ns : 0);
        json_bool(json, "present", is_present);
        const uint8_t source = request->boundary_source[phase];
        if (is_present && source > 0 && source < sizeof sources / sizeof sources[0])
            json_text(json, "end_source", sources[source]);
        if (is_present && request->boundary_uncertainty_ns[phase] > 1)
            json_int(json, "end_within_ns", request->boundary_uncertainty_ns[phase]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void tcp_json(struct json *json, const np_request_detail *request)
{
    json_open(json, "tcp", '[', false);
    for (size_t i = 0; i < request->tcp_count; i++) {
        const np_tcp_sample *tcp = &request->tcp[i];
        json_open(json, NULL, '{', true);
        json_int(json, "at_ns", tcp->at_ns);
        json_text(json, "phase", np_phase_name(tcp->phase));
        json_int(json, "rtt_us", tcp->rtt_us);
        json_int(json, "min_rtt_us", tcp->min_rtt_us);
        json_int(json, "retransmits", tcp->retransmits);
        json_int(json, "unacked", tcp->unacked);
        json_int(json, "unsent_bytes", tcp->unsent_bytes);
        json_int(json, "window", tcp->window);
        json_int(json, "delivery_rate", tcp->delivery_rate);
        json_int(json, "busy_us", tcp->busy_us);
        json_int(json, "receiver_limited_us", tcp->receiver_limited_us);
        json_int(json, "buffer_limited_us", tcp->buffer_limited_us);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void spans_json(struct json *json, const np_request_detail *request)
{
    json_open(json, "spans", '[', false);
    for (size_t i = 0; i < request->span_count; i++) {
        const np_span *span = &request->spans[i];
        json_open(json, NULL, '{', true);
        json_int(json, "id", span->id);
        if (span->parent_id > 0)
            json_int(json, "parent", span->parent_id);
        json_text(json, "phase", np_phase_name(span->phase));
        json_text(json, "kind", span->kind);
        json_text(json, "name", span->name);
        json_int(json, "start_ns", span->start_ns);
        optional_int(json, "duration_ns", span->duration_ns);
        json_text(json, "outcome", span->outcome);
        if (span->detail[0])
            json_raw(json, "detail", span->detail);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void connection_json(struct json *json, const np_connection_info *connection)
{
    if (!connection)
        return;
    json_open(json, "connection", '{', false);
    json_int(json, "id", connection->id);
    json_text(json, "remote", text_or_null(connection->remote));
    json_text(json, "local", text_or_null(connection->local));
    json_text(json, "new_because", text_or_null(connection->new_because));
    json_text(json, "tls_version", text_or_null(connection->tls_version));
    json_text(json, "tls_cipher", text_or_null(connection->tls_cipher));
    json_text(json, "alpn", text_or_null(connection->alpn));
    if (connection->tls_resumed >= 0)
        json_bool(json, "tls_resumed", connection->tls_resumed == 1);
    else
        json_null(json, "tls_resumed");
    json_text(json, "close_reason", text_or_null(connection->close_reason));
    json_count(json, "requests", connection->requests);
    json_close(json, '}');
}

void request_json(const np_request_detail *request, const np_page *call, struct text *out)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{', false);
    json_text(&json, "schema", "netphase.request/1");
    row_json(&json, &request->row);
    if (call)
        call_json(&json, call);
    phases_json(&json, request);
    spans_json(&json, request);
    tcp_json(&json, request);
    connection_json(&json, request->connection);
    header_json(&json, request);
    wire_json(&json, request);
    json_close(&json, '}');
    json_end(&json);
}
