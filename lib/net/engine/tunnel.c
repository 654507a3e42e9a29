/*
 * The way through a proxy, while a connection is being set up. Floor 2; loop thread only.
 *
 * Where the boundaries come from, one clock reading each:
 * - tunnel begins where TCP stands (the stamp of connect's end).
 * - TLS to the proxy: OpenSSL's info callback. libcurl makes one SSL_CTX for the proxy and, later,
 *   another for the origin, both through the same callback: the first one of a connection to an
 *   https proxy is the proxy's.
 * - CONNECT: libcurl's debug callback. HEADER_OUT that begins with CONNECT begins a round, the
 * empty line of the answer ends it; that of a 2xx is the end of tunnel and the begin of tls, one
 * stamp. A body of a 407 lies between two rounds.
 * - TLS inside TLS: one record of the proxy's may hold several of the origin's. libcurl 7.88 reads
 *   what a transfer wants and waits for the socket, which has nothing more; over HTTP/2 the others
 *   would wait for ever. np_tunnels_flush looks at what is left.
 * - SOCKS has no event of its own: libcurl's next step (the origin's SSL_CTX, or PREREQ) follows in
 *   the same call that read the last reply.
 */
#include "tunnel.h"

#include "origin_lookup.h"
#include "transfer_trace.h"
#include "tunnel_auth.h"

#include "textbuf.h"

#include <ctype.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* As for the origin: shorter than this, the trusted certificates came out of libcurl's cache. */
#define CA_LOAD_VISIBLE_NS (500 * NP_NS_PER_US)

static np_producer *producer_of(const np_tunnel *tunnel)
{
    return tunnel->request ? tunnel->connection->engine->producer : NULL;
}

static uint64_t stamp(const np_tunnel *tunnel)
{
    return np_engine_stamp(tunnel->connection->engine);
}

static uint32_t begin_span(const np_tunnel *tunnel, uint64_t now_ns, np_phase phase,
                           np_span_kind kind, const char *name)
{
    return np_emit_span_begin(producer_of(tunnel), now_ns, tunnel->request,
                              tunnel->connection->number, phase, kind, 0, name);
}

static void end_span(const np_tunnel *tunnel, uint64_t now_ns, uint32_t *span,
                     np_span_outcome outcome, const char *detail)
{
    np_emit_span_end(producer_of(tunnel), now_ns, tunnel->request, *span, outcome, detail);
    *span = 0;
}

bool np_tunnel_has_phase(const np_service_point *point)
{
    return point->proxy && (point->tls || point->proxy->kind != NP_PROXY_HTTP);
}

static bool is_socks(const np_proxy_entry *proxy)
{
    return proxy->kind >= NP_PROXY_SOCKS4;
}

bool np_tunnel_is_forwarding(const np_service_point *point)
{
    return point->proxy && !point->tls && !is_socks(point->proxy);
}

bool np_tunnel_is_asking(const np_tunnel *tunnel)
{
    return tunnel && tunnel->stage > NP_TUNNEL_TCP && tunnel->stage < NP_TUNNEL_STANDS;
}

/* --- the try --- */

static void end_try(np_tunnel *tunnel, uint64_t now_ns, np_span_outcome outcome,
                    const np_error *failure, int64_t bad_ns)
{
    if (!tunnel->try_span)
        return;
    np_textbuf detail;
    np_textbuf_init(&detail, 1024);
    np_textbuf_print(&detail, "{\"index\":%zu,\"of\":%zu", tunnel->index, tunnel->count);
    if (failure) {
        bool first = false;
        np_textbuf_json_text(&detail, &first, "error", failure->text, strlen(failure->text));
    }
    if (bad_ns > 0)
        np_textbuf_print(&detail, ",\"bad_for_ns\":%lld", (long long)bad_ns);
    np_textbuf_puts(&detail, "}");
    end_span(tunnel, now_ns, &tunnel->try_span, outcome, detail.text);
    np_textbuf_done(&detail);
}

static np_span_outcome outcome_of(const np_error *failure)
{
    if (failure->web_status == NP_WEB_TIMEOUT)
        return NP_SPAN_TIMEOUT;
    if (failure->web_status == NP_WEB_REQUEST_CANCELED)
        return NP_SPAN_ABANDONED;
    return NP_SPAN_FAILED;
}

void np_tunnel_failed(np_tunnel *tunnel, const np_error *failure, int64_t bad_ns, uint64_t now_ns)
{
    const np_span_outcome outcome = outcome_of(failure);
    end_span(tunnel, now_ns, &tunnel->round_span, outcome, NULL);
    end_span(tunnel, now_ns, &tunnel->handshake_span, outcome, NULL);
    end_try(tunnel, now_ns, outcome, failure, bad_ns);
}

static void on_timeout(uint64_t now_ns, void *user)
{
    np_tunnel *tunnel = user;
    np_connection *connection = tunnel->connection;
    np_loop_timer_cancel(tunnel->timer);
    tunnel->timer = NULL;
    tunnel->timed_out = true;
    connection->handler->timed_out(connection, now_ns);
}

/* The proxy has done what it is asked itself; from here on it is the origin that takes its time. */
static void stop_timer(np_tunnel *tunnel)
{
    np_loop_timer_cancel(tunnel->timer);
    tunnel->timer = NULL;
}

static np_loop_timer *start_timer(np_tunnel *tunnel, uint64_t now_ns)
{
    const np_engine *engine = tunnel->connection->engine;
    return np_loop_timer_start(engine->loop,
                               now_ns + (uint64_t)engine->options.proxy_connect_timeout_ns,
                               on_timeout, tunnel);
}

static void dial_proxy(np_tunnel *tunnel, uint64_t now_ns)
{
    np_connection *connection = tunnel->connection;
    const np_dial_target target = {.host = tunnel->proxy->host,
                                   .port = tunnel->proxy->port,
                                   .request = tunnel->request,
                                   .connection = connection->number,
                                   .cold = tunnel->cold,
                                   .is_proxy = true};
    connection->dial =
        np_dial_start(connection->engine->dialer, &target, now_ns, tunnel->dialed, connection);
}

static void on_origin(const np_address *address, const np_error *error, uint64_t now_ns, void *user)
{
    np_tunnel *tunnel = user;
    tunnel->lookup = NULL;
    if (address) {
        tunnel->origin = *address;
        dial_proxy(tunnel, now_ns);
        if (tunnel->connection->dial)
            return;
    }
    np_dial_result result = {.fd = -1, .error = *error};
    if (address)
        result.error = (np_error){.status = NP_E_NO_MEMORY, .text = "no memory for a connection"};
    tunnel->origin_failed = true;
    tunnel->dialed(&result, tunnel->connection);
}

/* SOCKS4 and SOCKS5 are told an address, not a name. */
static bool begin_dial(np_tunnel *tunnel, uint64_t now_ns)
{
    np_connection *connection = tunnel->connection;
    const np_service_point *point = connection->point;
    const bool is_v4 = tunnel->proxy->kind == NP_PROXY_SOCKS4;
    if (point->host_is_literal || (!is_v4 && tunnel->proxy->kind != NP_PROXY_SOCKS5)) {
        dial_proxy(tunnel, now_ns);
        return connection->dial != NULL;
    }
    const np_dial_target target = {.host = point->key.host,
                                   .port = point->key.port,
                                   .request = tunnel->request,
                                   .connection = connection->number,
                                   .cold = tunnel->cold};
    tunnel->lookup = np_origin_lookup_start(connection->engine->loop, connection->engine->dialer,
                                            &target, is_v4, now_ns, on_origin, tunnel);
    return tunnel->lookup != NULL;
}

bool np_tunnel_open(np_connection *connection, const np_transfer *transfer, uint64_t now_ns,
                    np_dial_fn dialed)
{
    np_tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (!tunnel)
        return false;
    connection->tunnel = tunnel;
    tunnel->connection = connection;
    tunnel->proxy = connection->point->proxy;
    tunnel->request = transfer->number;
    tunnel->index = transfer->route.index;
    tunnel->count = transfer->route.list ? transfer->route.list->count : 1;
    tunnel->cold = transfer->spec.reuse == NP_REUSE_COLD;
    tunnel->dialed = dialed;
    tunnel->try_span =
        begin_span(tunnel, now_ns, NP_PHASE_CONNECT, NP_SPAN_PROXY_TRY, tunnel->proxy->text);
    tunnel->timer = start_timer(tunnel, now_ns);
    return tunnel->timer && begin_dial(tunnel, now_ns);
}

void np_tunnel_disown(np_tunnel *tunnel, uint64_t now_ns)
{
    if (!tunnel)
        return;
    end_try(tunnel, now_ns, NP_SPAN_ABANDONED, NULL, 0);
    if (tunnel->lookup)
        np_origin_lookup_disown(tunnel->lookup, now_ns);
    tunnel->request = 0;
}

void np_tunnel_rest(np_tunnel *tunnel)
{
    if (tunnel)
        stop_timer(tunnel);
}

void np_tunnel_free(np_tunnel *tunnel, uint64_t now_ns, np_span_outcome outcome)
{
    if (!tunnel)
        return;
    end_span(tunnel, now_ns, &tunnel->round_span, outcome, NULL);
    end_span(tunnel, now_ns, &tunnel->handshake_span, outcome, NULL);
    end_try(tunnel, now_ns, outcome, NULL, 0);
    np_list_remove(&tunnel->in_nested);
    np_origin_lookup_cancel(tunnel->lookup, now_ns);
    np_loop_timer_cancel(tunnel->timer);
    free(tunnel);
}

/* --- the way --- */

static void stand(np_tunnel *tunnel, uint64_t now_ns)
{
    np_connection *connection = tunnel->connection;
    if (tunnel->stage == NP_TUNNEL_STANDS)
        return;
    stop_timer(tunnel);
    end_span(tunnel, now_ns, &tunnel->round_span, NP_SPAN_OK, NULL);
    end_try(tunnel, now_ns, NP_SPAN_OK, NULL, 0);
    tunnel->stage = NP_TUNNEL_STANDS;
    if (connection->engine->options.proxies)
        np_proxy_worked(connection->engine->options.proxies, tunnel->proxy);
    if (!tunnel->request || !np_tunnel_has_phase(connection->point))
        return;
    np_emit_phase_end(producer_of(tunnel), now_ns, tunnel->request, NP_PHASE_TUNNEL,
                      NP_SOURCE_CALLBACK);
    if (!connection->point->tls)
        return;
    np_emit_phase_begin(producer_of(tunnel), now_ns, tunnel->request, NP_PHASE_TLS,
                        NP_SOURCE_CALLBACK);
    connection->handed_over_ns = now_ns; /* from here the loading of certificates is measured */
}

void np_tunnel_begin(np_tunnel *tunnel, uint32_t request, uint64_t now_ns, np_source source)
{
    if (!tunnel)
        return;
    tunnel->request = request;
    if (!np_tunnel_has_phase(tunnel->connection->point)) {
        stand(tunnel, now_ns);
        return;
    }
    np_emit_phase_begin(producer_of(tunnel), now_ns, request, NP_PHASE_TUNNEL, source);
    if (tunnel->proxy->kind == NP_PROXY_HTTPS) {
        tunnel->stage = NP_TUNNEL_PROXY_TLS;
        if (!tunnel->timer) /* it had come to rest after its connect */
            tunnel->timer = start_timer(tunnel, now_ns);
        return;
    }
    stop_timer(tunnel);
    tunnel->stage = is_socks(tunnel->proxy) ? NP_TUNNEL_SOCKS : NP_TUNNEL_CONNECT;
    if (is_socks(tunnel->proxy))
        tunnel->round_span =
            begin_span(tunnel, now_ns, NP_PHASE_TUNNEL, NP_SPAN_SOCKS, tunnel->proxy->text);
}

void np_tunnel_ready(np_tunnel *tunnel, uint64_t now_ns)
{
    if (tunnel)
        stand(tunnel, now_ns);
}

/* --- CONNECT --- */

/* A line between us and the proxy, where header fields are kept. */
static void trace_line(const np_tunnel *tunnel, uint64_t now_ns, int direction, const char *line,
                       size_t length)
{
    np_transfer *transfer = tunnel->connection->transfer;
    if (transfer && transfer->number == tunnel->request)
        np_trace_field_line(transfer, now_ns, direction, line, length);
}

/* A final answer begins: its status, written as HTTP/2 does, tells the rounds apart. */
static void trace_status(const np_tunnel *tunnel, uint64_t now_ns)
{
    char line[24];
    np_transfer *transfer = tunnel->connection->transfer;
    const int length = snprintf(line, sizeof line, "%d", tunnel->status);
    if (transfer && transfer->number == tunnel->request)
        np_trace_field(transfer, now_ns, NP_FIELD_FROM_PROXY,
                       &(np_header_line){":status", line, 7, (size_t)length});
}

/* The block of a CONNECT, behind its first line. */
static void trace_block(const np_tunnel *tunnel, uint64_t now_ns, const char *data, size_t length)
{
    const char *end = data + length;
    const char *line = data;
    const char *line_end;
    while ((line_end = memchr(line, '\n', (size_t)(end - line)))) {
        if (line > data)
            trace_line(tunnel, now_ns, NP_FIELD_TO_PROXY, line, (size_t)(line_end - line));
        line = line_end + 1;
    }
}

static void begin_round(np_tunnel *tunnel, const char *data, size_t length)
{
    const char *line_end = memchr(data, '\r', length);
    char name[300];
    size_t name_length = line_end ? (size_t)(line_end - data) : length;
    if (name_length > 9 && line_end) /* " HTTP/1.1" */
        name_length -= 9;
    if (name_length >= sizeof name)
        name_length = sizeof name - 1;
    memcpy(name, data, name_length);
    name[name_length] = 0;
    const uint64_t now_ns = stamp(tunnel);
    end_span(tunnel, now_ns, &tunnel->round_span, NP_SPAN_ABANDONED, NULL);
    tunnel->rounds++;
    tunnel->status = 0;
    tunnel->answered = tunnel->is_complete = false;
    tunnel->offered = 0;
    tunnel->round_span = begin_span(tunnel, now_ns, NP_PHASE_TUNNEL, NP_SPAN_CONNECT_REQUEST, name);
    trace_block(tunnel, now_ns, data, length);
}

static void end_round(np_tunnel *tunnel)
{
    const uint64_t now_ns = stamp(tunnel);
    const bool good = tunnel->status / 100 == 2;
    char detail[32];
    if (tunnel->status < 200)
        return; /* a 1xx: the answer is still to come */
    tunnel->is_complete = true;
    (void)snprintf(detail, sizeof detail, "{\"status\":%d}", tunnel->status);
    end_span(tunnel, now_ns, &tunnel->round_span, good ? NP_SPAN_OK : NP_SPAN_FAILED, detail);
    if (tunnel->status == 407)
        np_proxy_auth_learn(tunnel->connection->point, tunnel->offered);
    if (good)
        stand(tunnel, now_ns);
}

static int status_of(const char *line, size_t length)
{
    const char *p = memchr(line, ' ', length);
    const char *end = line + length;
    int status = 0;
    while (p && p < end && *p == ' ')
        p++;
    for (int i = 0; p && p < end && i < 3 && isdigit((unsigned char)*p); i++)
        status = 10 * status + (*p++ - '0');
    return status;
}

static void take_line(np_tunnel *tunnel, const char *line, size_t length)
{
    static const char field[] = "proxy-authenticate:";
    const size_t field_length = sizeof field - 1;
    tunnel->answered = true;
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0) {
        tunnel->status = status_of(line, length);
        trace_status(tunnel, stamp(tunnel));
        return;
    }
    if (length == 0 || line[0] == '\r' || line[0] == '\n') {
        end_round(tunnel);
        return;
    }
    trace_line(tunnel, stamp(tunnel), NP_FIELD_FROM_PROXY, line, length);
    if (length > field_length && strncasecmp(line, field, field_length) == 0)
        tunnel->offered |= np_proxy_auth_offered(line + field_length, length - field_length);
}

void np_tunnel_debug(np_tunnel *tunnel, curl_infotype type, const char *data, size_t length)
{
    if (!tunnel || (tunnel->stage != NP_TUNNEL_CONNECT && tunnel->stage != NP_TUNNEL_PROXY_TLS))
        return;
    if (type == CURLINFO_HEADER_OUT && length > 8 && memcmp(data, "CONNECT ", 8) == 0) {
        tunnel->stage = NP_TUNNEL_CONNECT; /* libcurl was content with the proxy's certificate */
        begin_round(tunnel, data, length);
    } else if (type == CURLINFO_HEADER_IN && tunnel->stage == NP_TUNNEL_CONNECT) {
        take_line(tunnel, data, length);
    }
}

/* --- TLS to the proxy --- */

static int context_index;
static pthread_once_t context_index_once = PTHREAD_ONCE_INIT;

static void make_context_index(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static void on_proxy_hello(np_tunnel *tunnel)
{
    const uint64_t now_ns = stamp(tunnel);
    tunnel->proxy_tls_begun = true;
    if (tunnel->proxy_context_ns && now_ns - tunnel->proxy_context_ns >= CA_LOAD_VISIBLE_NS) {
        uint32_t span = begin_span(tunnel, tunnel->proxy_context_ns, NP_PHASE_TUNNEL,
                                   NP_SPAN_CA_LOAD, "trusted certificates");
        end_span(tunnel, now_ns, &span, NP_SPAN_OK, NULL);
    }
    tunnel->handshake_span =
        begin_span(tunnel, now_ns, NP_PHASE_TUNNEL, NP_SPAN_PROXY_HANDSHAKE, tunnel->proxy->host);
}

static void on_proxy_done(np_tunnel *tunnel, SSL *ssl)
{
    const uint64_t now_ns = stamp(tunnel);
    char detail[96];
    tunnel->proxy_tls_done = true;
    tunnel->proxy_ssl = ssl;
    if (tunnel->connection->point->tls)
        np_list_push_back(&tunnel->connection->engine->nested, &tunnel->in_nested);
    (void)snprintf(detail, sizeof detail, "{\"version\":\"%s\",\"resumed\":%s}",
                   SSL_get_version(ssl), SSL_session_reused(ssl) ? "true" : "false");
    end_span(tunnel, now_ns, &tunnel->handshake_span, NP_SPAN_OK, detail);
    stop_timer(tunnel);
    if (!tunnel->connection->point->tls && tunnel->request)
        np_emit_phase_end(producer_of(tunnel), now_ns, tunnel->request, NP_PHASE_TUNNEL,
                          NP_SOURCE_CALLBACK);
}

static void on_info(const SSL *ssl, int where, int result)
{
    const bool lost = (where & SSL_CB_CONNECT_EXIT) == SSL_CB_CONNECT_EXIT && result <= 0;
    np_tunnel *tunnel = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
    if (!tunnel || tunnel->proxy_tls_done)
        return;
    if (lost)
        tunnel->verify_result = SSL_get_verify_result(ssl);
    else if ((where & SSL_CB_HANDSHAKE_START) && !tunnel->proxy_tls_begun)
        on_proxy_hello(tunnel);
    else if ((where & SSL_CB_HANDSHAKE_DONE) && tunnel->proxy_tls_begun)
        on_proxy_done(tunnel, (SSL *)(uintptr_t)ssl); /* OpenSSL's readers want it without const */
}

bool np_tunnel_ssl_context(np_tunnel *tunnel, void *ssl_ctx)
{
    if (!tunnel)
        return false;
    if (tunnel->stage != NP_TUNNEL_PROXY_TLS || tunnel->proxy_context_ns) {
        stand(tunnel, stamp(tunnel)); /* the origin's: what SOCKS had to do is done */
        return false;
    }
    tunnel->proxy_context_ns = np_now();
    (void)pthread_once(&context_index_once, make_context_index);
    if (SSL_CTX_set_ex_data(ssl_ctx, context_index, tunnel) == 1)
        SSL_CTX_set_info_callback(ssl_ctx, on_info);
    return true;
}

bool np_tunnels_flush(np_engine *engine)
{
    bool any = false;
    np_link *link = engine->nested.next;
    while (link != &engine->nested) {
        np_tunnel *tunnel = np_item(link, np_tunnel, in_nested);
        const np_connection *connection = tunnel->connection;
        link = link->next;
        const int left = connection->fd >= 0 ? SSL_pending(tunnel->proxy_ssl) : 0;
        const bool has_news = left > 0 && left != tunnel->buffered_bytes;
        tunnel->buffered_bytes = left; /* the same again: nobody wants it now */
        if (!has_news || connection->state == NP_CONNECTION_IDLE)
            continue;
        int running;
        engine->inside_curl++;
        (void)curl_multi_socket_action(engine->multi, connection->fd, CURL_CSELECT_IN, &running);
        engine->inside_curl--;
        any = true;
    }
    return any;
}
