/* netphase show: one request, as a waterfall or as JSON. */
#include "verb_show.h"
#include "call_view.h"
#include "header_view.h"
#include "json.h"
#include "message.h"
#include "open_trace.h"
#include "output.h"
#include "waterfall.h"
#include "wire_view.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOPS_DRAWN = 12 };

enum show_format { SHOW_TABLE, SHOW_JSON };

static const char *const format_words[] = {"table", "json", NULL};

struct show_args {
    int format;
};

/* clang-format off */
static const struct verb_option options[] = {
    {.name = "format", .letter = 'f', .type = OPTION_WORD, .argument = "FORMAT", .words = format_words, .fallback = "table",
     .help = "table (the waterfall) or json", OPTION_FIELD(struct show_args, format)},
    {0},
};
/* clang-format on */

/* ---------------------------------------------------------------------------------------------------
 * JSON */

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

static void request_json(struct json *json, const np_row *row)
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

void show_json(const np_request_detail *request, const np_page *call, struct text *out)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{', false);
    json_text(&json, "schema", "netphase.request/1");
    request_json(&json, &request->row);
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

/* ----------------------------------------------------------------------------------------------------
 * verb */

static bool is_number(const char *text)
{
    return text[0] && text[strspn(text, "0123456789")] == '\0';
}

/* Operands are [TRACE] [REQUEST]; a lone number is a request, unless a file has that name. */
static void take_operands(const struct call *call, const char **path, const char **request)
{
    bool is_lone_number = call->operand_count == 1 && is_number(call->operands[0]) &&
                          access(call->operands[0], F_OK) != 0;
    *path = trace_path(call, is_lone_number ? 1 : 0);
    *request = is_lone_number             ? call->operands[0]
               : call->operand_count == 2 ? call->operands[1]
                                          : NULL;
}

static bool parse_id(const char *text, int64_t *out)
{
    *out = 0;
    if (!text)
        return true;
    text += text[0] == '#';
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return is_number(text) && errno == 0 && *out > 0;
}

static void draw_one(const np_request_detail *request, const struct look *look, struct text *out)
{
    waterfall_write(request, look, out);
    header_write(request, look, out);
    wire_write(request, look, out);
}

/* All hops of the call one after another; those of a long one are listed, and the one that was
 * asked for is drawn. */
static np_status draw(np_store *store, const np_request_detail *asked, const np_page *hops,
                      const struct look *look, struct text *out, np_error *err)
{
    const size_t count = hops ? hops->count : 0;
    if (count > 1)
        call_write(hops, look, out);
    if (count < 2 || count > HOPS_DRAWN) {
        draw_one(asked, look, out);
        return NP_OK;
    }
    for (size_t i = 0; i < count; i++) {
        np_request_detail *hop;
        const np_status status = np_store_request(store, hops->rows[i].id, &hop, err);
        if (status)
            return status;
        if (i > 0)
            text_char(out, '\n');
        draw_one(hop, look, out);
        np_request_detail_free(hop);
    }
    return NP_OK;
}

static int show_run(struct call *call)
{
    const struct show_args *args = call->args;
    const char *path;
    const char *request_text;
    int64_t id;
    take_operands(call, &path, &request_text);
    if (!parse_id(request_text, &id))
        return message_usage(call, "REQUEST: found '%s', expected the number of a request",
                             request_text);

    np_store *store = NULL;
    np_request_detail *request = NULL;
    np_page *hops = NULL;
    struct text out = {0};
    np_error err = {0};
    int status = open_trace(call, path, &store);
    if (status)
        return status;
    if (np_store_request(store, id, &request, &err)) {
        status = message_failure(call, &err);
        goto done;
    }
    if ((call_may_go_on(&request->row) && np_store_call(store, request->row.id, &hops, &err)) ||
        (args->format == SHOW_TABLE && draw(store, request, hops, &call->out, &out, &err))) {
        status = message_failure(call, &err);
        goto done;
    }
    if (args->format == SHOW_JSON)
        show_json(request, hops, &out);
    status = output_write(call, &out);

done:
    np_page_free(hops);
    np_request_detail_free(request);
    np_store_close(store);
    return status;
}

const struct verb verb_show = {
    .name = "show",
    .summary = "one request as a waterfall; without REQUEST, the last one",
    .operands = "[TRACE] [REQUEST]",
    .description =
        "Each phase is a bar on one clock, from the call to the last byte; what "
        "happened inside a phase (lookups, attempts, "
        "handshakes) stands below it. Phases never overlap and add up to the total; "
        "spans may overlap. A request that was redirected, authenticated or sent again is "
        "shown with all its hops.",
    .examples = "netphase show\tthe last request of netphase.db\n"
                "netphase show slow.db 118\trequest 118 of another trace\n"
                "netphase show --format json 118\tthe same for programs\n",
    .options = options,
    .args_size = sizeof(struct show_args),
    .operands_most = 2,
    .run = show_run,
};
