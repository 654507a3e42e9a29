/* The tabs of one request as lines of text; see detail_text.h. */
#include "detail_text.h"
#include "call_view.h"
#include "header_view.h"
#include "json.h"
#include "output.h"
#include "request_json.h"
#include "table.h"
#include "waterfall.h"
#include "wire_view.h"
#include "words.h"
#include <inttypes.h>
#include <string.h>

enum { LABEL_CELLS = 16, SPANS_MOST = 2000, DEPTH_MOST = 12 };

const char *const detail_tab_names[] = {"phases",     "spans", "hops", "headers",
                                        "connection", "raw",   NULL};

static void put_quiet(const struct look *look, struct text *out, const char *words)
{
    look_puts(look, out, ROLE_QUIET, words);
    text_char(out, '\n');
}

static void put_duration(struct text *out, int64_t duration_ns, bool ascii)
{
    const enum unit unit = unit_for(duration_ns);
    duration_in(out, duration_ns, unit);
    text_print(out, " %s", unit_name(unit, ascii));
}

/* ------------------------------------------------------------------------------------------- spans */

static int depth_of(const np_request_detail *request, const np_span *span)
{
    int depth = 0;
    for (int64_t parent = span->parent_id; parent != 0 && depth < DEPTH_MOST; depth++) {
        const np_span *found = NULL;
        for (size_t i = 0; i < request->span_count && !found; i++)
            if (request->spans[i].id == parent)
                found = &request->spans[i];
        if (!found)
            break;
        parent = found->parent_id;
    }
    return depth;
}

static const np_span *parent_of(const np_request_detail *request, const np_span *span)
{
    for (size_t i = 0; span->parent_id != 0 && i < request->span_count; i++)
        if (request->spans[i].id == span->parent_id)
            return &request->spans[i];
    return NULL;
}

static void add_span(struct table *table, const np_request_detail *request, const np_span *span,
                     enum unit unit, const struct look *look)
{
    struct text cell = {0};
    struct text words = {0};
    look_puts(look, &cell, ROLE_PHASE + (int)span->phase, np_phase_name(span->phase));
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    duration_in(&cell, span->start_ns, unit);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    if (span->duration_ns < 0)
        text_puts(&cell, "open");
    else
        duration_in(&cell, span->duration_ns, unit);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    text_repeat(&cell, "  ", depth_of(request, span));
    text_outside(&cell, span->kind, look->ascii);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    words_span(&words, span, parent_of(request, span), look->ascii);
    table_cell(table, text_string(&words));
    text_done(&words);
    text_done(&cell);
}

static void write_spans(const np_request_detail *request, const struct look *look, struct text *out)
{
    const enum unit unit = unit_for(request->row.total_ns);
    struct table table = {0};
    struct text heading = {0};
    if (request->span_count == 0) {
        put_quiet(look, out,
                  "no spans: nothing was set up for this request, or only phases were recorded");
        return;
    }
    table_column(&table, "phase", ALIGN_LEFT, 0);
    text_print(&heading, "at %s", unit_name(unit, look->ascii));
    table_column(&table, text_string(&heading), ALIGN_POINT, 2);
    table_column(&table, "took", ALIGN_POINT, 2);
    table_column(&table, "span", ALIGN_LEFT, 2);
    table_column(&table, "what", ALIGN_LEFT, 2);
    const size_t count = request->span_count < SPANS_MOST ? request->span_count : SPANS_MOST;
    for (size_t i = 0; i < count; i++)
        add_span(&table, request, &request->spans[i], unit, look);
    table_write(&table, look, out);
    table_done(&table);
    text_done(&heading);
    if (count < request->span_count)
        text_print(out, "and %zu more\n", request->span_count - count);
}

/* -------------------------------------------------------------------------------------------- hops */

static void write_hops(const np_request_detail *request, const np_page *call,
                       const struct look *look, struct text *out)
{
    if (call) {
        call_write(call, look, out);
        put_quiet(look, out, "each hop is a request of its own in the list");
        return;
    }
    put_quiet(look, out,
              request->row.failed ? "one hop, which failed: it led to no other"
                                  : "one hop: no redirect, no authentication, no second try");
}

/* ----------------------------------------------------------------------------------------- headers */

static void write_headers(const np_request_detail *request, const struct look *look,
                          struct text *out)
{
    if (request->header_count == 0)
        put_quiet(look, out, "no headers were kept; 'netphase record --detail headers' keeps them");
    else
        header_write(request, look, out);
}

/* -------------------------------------------------------------------------------------- connection */

static void put_fact(const struct look *look, struct text *out, const char *label,
                     const char *value)
{
    struct text name = {0};
    if (!value[0])
        return;
    text_left(&name, label, LABEL_CELLS);
    look_puts(look, out, ROLE_QUIET, text_string(&name));
    struct text safe = {0};
    text_outside(&safe, value, look->ascii);
    text_wrap(out, text_string(&safe), LABEL_CELLS, LABEL_CELLS, look->columns);
    text_char(out, '\n');
    text_done(&safe);
    text_done(&name);
}

static void put_instant(const struct look *look, struct text *out, const char *label,
                        int64_t unix_ns)
{
    struct text when = {0};
    if (unix_ns > 0) {
        time_people(&when, unix_ns, true, 6);
        text_puts(&when, " UTC");
    }
    put_fact(look, out, label, text_string(&when));
    text_done(&when);
}

static void put_tls(const struct look *look, struct text *out, const np_connection_info *connection)
{
    struct text tls = {0};
    text_puts(&tls, connection->tls_version);
    if (tls.length > 0)
        text_print(&tls, ", %s%s%s", connection->tls_cipher, connection->tls_cipher[0] ? ", " : "",
                   connection->tls_resumed == 1 ? "session resumed" : "full handshake");
    put_fact(look, out, "tls", text_string(&tls));
    text_done(&tls);
    put_fact(look, out, "alpn", connection->alpn);
    const char *at = connection->certificate;
    struct json_member member;
    while (json_member_next(&at, &member)) {
        struct text label = {0};
        text_print(&label, "cert %s", member.key);
        struct text safe = {0};
        text_outside(&safe, text_string(&label), look->ascii);
        struct text cut = {0};
        text_cut(&cut, text_string(&safe), LABEL_CELLS - 1, look->ascii);
        put_fact(look, out, text_string(&cut), member.value);
        text_done(&cut);
        text_done(&safe);
        text_done(&label);
    }
}

static void put_tcp(const np_request_detail *request, const struct look *look, struct text *out)
{
    struct table table = {0};
    if (request->tcp_count == 0)
        return;
    static const char *const headings[] = {"tcp at the end of", "rtt us",  "at best",
                                           "sent again",        "unacked", "unsent"};
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        table_column(&table, headings[i], i == 0 ? ALIGN_LEFT : ALIGN_RIGHT, i == 0 ? 0 : 2);
    for (size_t i = 0; i < request->tcp_count; i++) {
        const np_tcp_sample *tcp = &request->tcp[i];
        const int64_t numbers[] = {tcp->rtt_us, tcp->min_rtt_us, tcp->retransmits, tcp->unacked,
                                   tcp->unsent_bytes};
        table_cell(&table, np_phase_name(tcp->phase));
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
            struct text cell = {0};
            text_print(&cell, "%" PRId64, numbers[n]);
            table_cell(&table, text_string(&cell));
            text_done(&cell);
        }
    }
    text_char(out, '\n');
    table_write(&table, look, out);
    table_done(&table);
}

static void write_connection(const np_request_detail *request, const struct look *look,
                             struct text *out)
{
    const np_connection_info *connection = request->connection;
    struct text text = {0};
    if (!connection) {
        put_quiet(look, out, "no connection was ready");
        return;
    }
    text_print(&text, "#%" PRId64 ", this is its request %" PRId64 " of %" PRIu64, connection->id,
               request->row.connection_use, connection->requests);
    put_fact(look, out, "connection", text_string(&text));
    put_fact(look, out, "to", connection->origin);
    put_fact(look, out, "through", request->row.proxy);
    put_fact(look, out, "remote", connection->remote);
    put_fact(look, out, "local", connection->local);
    put_fact(look, out, "protocol", connection->protocol);
    put_fact(look, out, "new because", words_new_because(connection->new_because));
    put_instant(look, out, "opened", connection->opened_ns);
    text_clear(&text);
    if (connection->ready_ns > connection->opened_ns)
        put_duration(&text, connection->ready_ns - connection->opened_ns, look->ascii);
    put_fact(look, out, "set up in", text_string(&text));
    put_tls(look, out, connection);
    put_instant(look, out, "closed", connection->closed_ns);
    put_fact(look, out, "closed because", connection->close_reason);
    put_tcp(request, look, out);
    text_done(&text);
}

/* --------------------------------------------------------------------------------------------- all */

static void write_raw(const np_request_detail *request, const np_page *call,
                      const struct look *look, struct text *out)
{
    struct text json = {0};
    wire_write(request, look, out);
    request_json(request, call, &json);
    /* JSON leaves characters alone that a terminal must not get */
    for (const char *at = text_string(&json); *at;) {
        const size_t length = strcspn(at, "\n");
        struct text line = {0};
        text_add(&line, at, length);
        text_outside(out, text_string(&line), look->ascii);
        text_char(out, '\n');
        text_done(&line);
        at += length + (at[length] == '\n');
    }
    text_done(&json);
}

void detail_write(int tab, const np_request_detail *request, const np_page *call,
                  const struct look *look, struct text *out)
{
    switch (tab) {
    case 0:
        waterfall_write(request, look, out);
        break;
    case 1:
        write_spans(request, look, out);
        break;
    case 2:
        write_hops(request, call, look, out);
        break;
    case 3:
        write_headers(request, look, out);
        break;
    case 4:
        write_connection(request, look, out);
        break;
    default:
        write_raw(request, call, look, out);
    }
}
