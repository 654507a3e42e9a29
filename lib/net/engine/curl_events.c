/*
 * The only reader of libcurl's callbacks. Floor 2; loop thread only, always with libcurl on the
 * stack.
 *
 * A handler call is made from here. The transfer may be ended from inside it: then the callback
 * answers with an error and the turn's end does the rest. easy->transfer is NULL once the transfer
 * is gone and the handle only waits for being taken out.
 */
#include "curl_events.h"

#include "boundary.h"
#include "connection.h"
#include "look.h"
#include "round.h"
#include "tls_events.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "upload.h"
#include "wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* --- response header --- */

/* One limit for all that is no body: informational responses, the header, trailers. libcurl keeps
 * every such line for as long as the hop lasts, and counts the trailers not at all. */
static bool count_line(np_transfer *transfer, size_t length)
{
    transfer->header_bytes += length;
    transfer->header_too_long = transfer->header_bytes > np_transfer_header_limit(transfer);
    return !transfer->header_too_long;
}

/* libcurl takes off every coding it knows; where it does, the announced length is that of other
 * bytes than body() gets, and the last of these is known by the end only. */
static void find_decoding(np_transfer *transfer)
{
    size_t count;
    const np_header_line *lines = np_field_lines_get(&transfer->header, &count);
    for (size_t i = 0; i < count && !transfer->decoding; i++)
        transfer->decoding = strcasecmp(lines[i].name, "Content-Encoding") == 0 &&
                             strcasecmp(lines[i].value, "identity") != 0 && lines[i].value[0];
    if (transfer->decoding)
        transfer->content_length = transfer->expected_bytes = -1;
}

/* How long the body is (RFC 9112 section 6.3). */
static void find_body_length(np_transfer *transfer)
{
    transfer->content_length = transfer->header.content_length;
    const bool none = strcmp(transfer->spec.method, "HEAD") == 0 || transfer->status == 204 ||
                      transfer->status == 304;
    if (none)
        transfer->expected_bytes = 0;
    else if (transfer->header.has_transfer_encoding)
        transfer->expected_bytes = -1;
    else
        transfer->expected_bytes = transfer->content_length;
    if (transfer->spec.decode && transfer->expected_bytes != 0)
        find_decoding(transfer);
}

/* --- handler calls --- */

static bool is_over(const np_transfer *transfer)
{
    return transfer->abort_pending || transfer->drained_over;
}

static void call_header(np_transfer *transfer)
{
    if (!transfer->handler.header)
        return;
    transfer->in_handler++;
    transfer->handler.header(transfer, transfer->user);
    transfer->in_handler--;
}

static bool call_body(np_transfer *transfer, const void *data, size_t length)
{
    transfer->in_handler++;
    const bool taken = transfer->handler.body(transfer, data, length, transfer->user);
    transfer->in_handler--;
    return taken;
}

/* --- before the request, and what is told in between --- */

static int on_prereq(void *user, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    if (!transfer || !transfer->connection)
        return CURL_PREREQFUNC_ABORT;
    np_connection *connection = transfer->connection;
    const uint64_t now_ns = np_engine_stamp(transfer->engine);
    if (transfer->prereq_seen && !np_round_begin(transfer, now_ns)) { /* nobody asked for it */
        transfer->upload.second_round = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (connection->local_port != local_port) {
        transfer->failure = (np_error){.status = NP_E_WEB, .web_status = NP_WEB_UNKNOWN_ERROR};
        (void)snprintf(
            transfer->failure.text, sizeof transfer->failure.text,
            "libcurl took the connection from port %d, not the one from port %u it was given",
            local_port, connection->local_port);
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->prereq_seen = true;
    transfer->stage = NP_STAGE_SEND;
    transfer->send_begin_ns = now_ns;
    connection->state = NP_CONNECTION_BUSY;
    connection->requests++;
    if (!connection->ready)
        np_connection_ready(connection, now_ns);
    np_trace_connection_use(transfer, now_ns);
    if (!transfer->upload.send_open)
        np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_SEND,
                            NP_SOURCE_CALLBACK);
    np_trace_request_fields(transfer, now_ns);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    if (!transfer)
        return 0;
    if (transfer->stage == NP_STAGE_SEND && !easy->many_writes)
        np_boundary_end_send(transfer);
    else if (transfer->header_done && transfer->expected_bytes < 0)
        transfer->last_ns = np_engine_stamp(transfer->engine);
    return 0;
}

static void wrote_piece(np_transfer *transfer, curl_infotype type, size_t length)
{
    if (transfer->spec.body_form != NP_BODY_FORM_NONE)
        np_upload_wrote(transfer, type, length);
    else
        transfer->send_end_ns = np_engine_stamp(transfer->engine);
}

/* Only set where each write counts: easy.c, set_verbose. */
static int on_debug(CURL *handle, curl_infotype type, char *data, size_t length, void *user)
{
    (void)handle;
    const np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    if (!transfer)
        return 0;
    np_wire_take(transfer, type, data, length);
    if (transfer->connection && (type == CURLINFO_SSL_DATA_OUT || type == CURLINFO_SSL_DATA_IN))
        np_tls_events_message(transfer->connection, data, length, type == CURLINFO_SSL_DATA_OUT);
    if (transfer->connection && !transfer->connection->ready)
        np_tunnel_debug(transfer->connection->tunnel, type, data, length);
    else if (type != CURLINFO_HEADER_OUT && type != CURLINFO_DATA_OUT)
        return 0;
    else if (easy->many_writes)
        wrote_piece(transfer, type, length);
    else if (transfer->stage == NP_STAGE_SEND && transfer->connection)
        np_boundary_request_out(transfer);
    return 0;
}

/* --- header and body --- */

static bool begin_response(np_transfer *transfer, const char *line, size_t length)
{
    const char *end = line + length;
    const char *p = line + 5; /* behind "HTTP/" */
    int major = 0, minor = 0, status = 0;
    while (p < end && isdigit((unsigned char)*p) && major < 100)
        major = 10 * major + (*p++ - '0');
    if (p < end && *p == '.')
        p++;
    while (p < end && isdigit((unsigned char)*p) && minor < 10)
        minor = 10 * minor + (*p++ - '0');
    while (p < end && *p == ' ')
        p++;
    while (p < end && isdigit((unsigned char)*p) && status < 1000)
        status = 10 * status + (*p++ - '0');
    if (status < 100 || status > 999)
        return false;
    transfer->answered = true;
    transfer->status = status;
    transfer->protocol = major == 1 ? 10 + (minor > 0) : 10 * major;
    np_field_lines_reset(&transfer->header);
    if (status < 200)
        return true;
    const uint64_t now_ns = np_engine_stamp(transfer->engine);
    if (!np_upload_is_out(transfer)) /* send ends here, and there is no wait */
        np_upload_answered(transfer, now_ns);
    np_boundary_begin_receive(transfer, now_ns);
    return true;
}

static void trace_lines(np_transfer *transfer, uint64_t now_ns, int direction)
{
    const np_producer *producer = transfer->engine->producer;
    if (!producer || producer->detail < NP_DETAIL_HEADERS)
        return;
    size_t count;
    const np_header_line *lines = np_field_lines_get(&transfer->header, &count);
    for (size_t i = 0; i < count; i++)
        np_trace_field(transfer, now_ns, direction, &lines[i]);
}

static void end_informational(np_transfer *transfer)
{
    const uint64_t now_ns = np_engine_stamp(transfer->engine);
    if (!np_upload_informed(transfer, transfer->status, now_ns)) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d", transfer->status);
        const uint32_t span = np_emit_span_begin(
            transfer->engine->producer, now_ns, transfer->number, transfer->connection->number,
            np_upload_is_out(transfer) ? NP_PHASE_WAIT : NP_PHASE_SEND, NP_SPAN_INFORMATIONAL, 0,
            name);
        np_emit_span_end(transfer->engine->producer, now_ns, transfer->number, span, NP_SPAN_OK,
                         NULL);
    }
    trace_lines(transfer, now_ns, NP_FIELD_INFORMATIONAL);
    transfer->status = 0;
}

static bool end_header(np_transfer *transfer)
{
    if (transfer->status < 200) {
        end_informational(transfer);
        return !is_over(transfer);
    }
    find_body_length(transfer);
    transfer->header_done = true;
    if (transfer->expected_bytes == 0)
        transfer->last_ns = np_engine_stamp(transfer->engine);
    trace_lines(transfer, transfer->last_ns, NP_FIELD_RESPONSE);
    np_upload_header_done(transfer);
    transfer->route.is_held = np_round_may_follow(transfer);
    if (!is_over(transfer) && !transfer->route.is_held)
        call_header(transfer);
    return !is_over(transfer);
}

static bool take_trailer(np_transfer *transfer, const char *line, size_t length)
{
    np_trace_field_line(transfer, np_engine_stamp(transfer->engine), NP_FIELD_TRAILER, line,
                        length);
    return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    const size_t length = size * count;
    if (!transfer)
        return 0;
    bool good;
    if (!count_line(transfer, length))
        good = false;
    else if (transfer->header_done)
        good = take_trailer(transfer, data, length);
    else if (length > 5 && memcmp(data, "HTTP/", 5) == 0)
        good = begin_response(transfer, data, length);
    else if (length == 0 || data[0] == '\r' || data[0] == '\n')
        good = end_header(transfer);
    else
        good = np_field_lines_add(&transfer->header, data, length);
    return good && easy->transfer ? length : 0;
}

static size_t pause_transfer(np_transfer *transfer)
{
    transfer->paused = true;
    if (transfer->engine->producer)
        np_trace_pause(transfer, NP_PHASE_RECEIVE, np_now());
    return CURL_WRITEFUNC_PAUSE;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    const size_t length = size * count;
    if (!transfer)
        return 0;
    if (transfer->route.is_held)
        np_curl_events_give_header(transfer); /* libcurl shows the body: no round follows */
    if (is_over(transfer))
        return 0;
    const uint64_t received = transfer->received_bytes + length;
    if (transfer->expected_bytes < 0 || received >= (uint64_t)transfer->expected_bytes)
        transfer->last_ns = np_engine_stamp(transfer->engine);
    np_look_ahead(transfer, length);
    if (!transfer->draining && transfer->handler.body && !call_body(transfer, data, length) &&
        !transfer->draining)
        return transfer->abort_pending ? 0 : pause_transfer(transfer);
    transfer->received_bytes = received;
    np_upload_received(transfer);
    if (transfer->draining) {
        transfer->drained_over = length > transfer->drain_left_bytes;
        transfer->drain_left_bytes -= transfer->drained_over ? 0 : length;
    }
    return is_over(transfer) ? 0 : length;
}

void np_curl_events_give_header(np_transfer *transfer)
{
    transfer->route.is_held = false;
    call_header(transfer);
}

/* --- sockets and TLS --- */

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    np_connection *connection = transfer ? transfer->connection : NULL;
    if (!connection || connection->handed_over || connection->fd < 0) {
        if (transfer)
            transfer->no_socket = true;
        return CURL_SOCKET_BAD;
    }
    connection->handed_over = true;
    connection->handed_over_ns = np_engine_stamp(connection->engine);
    /* What libcurl was told by CURLOPT_RESOLVE may be any address; this is the one we are connected
       to. Behind `addr` there is room for every family: libcurl puts its own storage there. */
    const size_t length = connection->peer.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
    address->family = connection->peer.ss_family;
    address->addrlen = (unsigned)length;
    memcpy((char *)address + offsetof(struct curl_sockaddr, addr), &connection->peer, length);
    return connection->fd;
}

static int on_socket_option(void *user, curl_socket_t fd, curlsocktype purpose)
{
    (void)fd;
    (void)purpose;
    const np_easy *easy = user;
    const np_connection *connection = easy->transfer ? easy->transfer->connection : NULL;
    return connection && connection->second_connect ? CURL_SOCKOPT_OK
                                                    : CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* The number may come back within microseconds: out of the table first. */
static int on_close_socket(void *user, curl_socket_t fd)
{
    np_engine *engine = user;
    np_connection *connection = (size_t)fd < engine->fd_count ? engine->by_fd[fd] : NULL;
    if (connection) {
        np_loop_watch_stop(connection->watch);
        connection->watch = NULL;
        connection->fd = -1;
        engine->by_fd[fd] = NULL;
    }
    return close(fd);
}

/* Every name was resolved by us; libcurl may only turn literals into addresses. */
static int on_resolver_start(void *state, void *reserved, void *user)
{
    (void)state;
    (void)reserved;
    const np_easy *easy = user;
    return easy->point->host_is_literal || easy->point->proxy_is_literal ? 0 : 1;
}

static CURLcode on_ssl_context(CURL *handle, void *ssl_ctx, void *user)
{
    (void)handle;
    const np_easy *easy = user;
    np_connection *connection = easy->transfer ? easy->transfer->connection : NULL;
    if (connection && !np_tunnel_ssl_context(connection->tunnel, ssl_ctx))
        np_tls_events_attach(ssl_ctx, connection);
    return CURLE_OK;
}

bool np_curl_events_install(np_easy *easy)
{
    CURL *h = easy->handle;
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc ? rc : curl_easy_setopt(h, option, value)
    SET(CURLOPT_PRIVATE, easy);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, easy);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, easy);
    SET(CURLOPT_PREREQFUNCTION, on_prereq);
    SET(CURLOPT_PREREQDATA, easy);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, easy);
    SET(CURLOPT_DEBUGFUNCTION, on_debug);
    SET(CURLOPT_DEBUGDATA, easy);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, easy);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket_option);
    SET(CURLOPT_SOCKOPTDATA, easy);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, easy->point->engine);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolver_start);
    SET(CURLOPT_RESOLVER_START_DATA, easy);
    if (easy->point->tls || (easy->point->proxy && easy->point->proxy->kind == NP_PROXY_HTTPS)) {
        SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
        SET(CURLOPT_SSL_CTX_DATA, easy);
    }
#undef SET
    return rc == CURLE_OK && np_upload_install(easy);
}
