/*
 * libcurl has finished a transfer: it is complete, has failed, or begins again. Floor 2; loop
 * thread only, libcurl not on the stack.
 *
 * RS-5: a connection that was used before and is lost before a byte of the answer came. Nothing had
 * been sent yet: the same hop goes back to the queue and gets a new connection. Otherwise the hop
 * ends as failed and the request goes on as a hop of its own, once.
 */
#include "transfer_finish.h"

#include "connection.h"
#include "curl_events.h"
#include "easy.h"
#include "multi.h"
#include "round.h"
#include "transfer_end.h"
#include "transfer_error.h"
#include "transfer_route.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "tunnel_error.h"
#include "upload.h"

#include "fail.h"

#include <string.h>

enum { RETRIES_MAX = 8 };

static bool is_lost_code(CURLcode code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_SEND_FAIL_REWIND; /* it was lost, and libcurl wanted to begin again */
}

static bool wanted_socket(const np_transfer *transfer, CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT && transfer->no_socket;
}

/* The server refused the stream without having looked at it: libcurl would send it again on a
 * connection of its own. */
static bool is_refused(const np_transfer *transfer, CURLcode code)
{
    return wanted_socket(transfer, code) && transfer->prereq_seen &&
           transfer->connection->protocol == 20 && transfer->connection->fd >= 0;
}

static bool is_idempotent(const char *method) /* RFC 9110 section 9.2.2 */
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(method, names[i]) == 0)
            return true;
    }
    return false;
}

/*
 * RS-5: may it go on with a new connection? Once; over HTTP/2 more often: a server that goes away
 * (GOAWAY) loses whatever was under way, and libcurl 7.88 does not tell which of these streams it
 * has not looked at.
 */
static bool may_retry(np_transfer *transfer, CURLcode code)
{
    if (transfer->answered || transfer->abort_pending)
        return false;
    if (wanted_socket(transfer, code) && !transfer->prereq_seen)
        return transfer->reused; /* nothing was sent */
    const bool refused = is_refused(transfer, code);
    const bool lost = is_lost_code(code) || wanted_socket(transfer, code);
    if (!refused && !(transfer->reused && lost))
        return false;
    if (transfer->retries > 0 &&
        (transfer->connection->protocol != 20 || transfer->retries >= RETRIES_MAX ||
         (!refused && !is_idempotent(transfer->spec.method))))
        return false;
    return np_upload_may_retry(transfer);
}

/* libcurl knows that the connection takes no more streams, and nothing was sent. */
static bool is_full(const np_transfer *transfer, CURLcode code)
{
    const np_connection *connection = transfer->connection;
    return wanted_socket(transfer, code) && !transfer->prereq_seen && !transfer->abort_pending &&
           connection->protocol == 20 && connection->fd >= 0 && connection->stream_count > 1;
}

/* Does this end what others have on the connection, too? */
static bool breaks_connection(const np_transfer *transfer, CURLcode code)
{
    return is_lost_code(code) || code == CURLE_HTTP2 || wanted_socket(transfer, code) ||
           transfer->connection->fd < 0;
}

static void reset_for_retry(np_transfer *transfer)
{
    transfer->stage = NP_STAGE_QUEUE;
    transfer->left_connect = transfer->dns_cached = false;
    transfer->reused = transfer->no_socket = transfer->prereq_seen = false;
    transfer->send_end_ns = transfer->last_ns = 0;
    transfer->send_begin_ns = transfer->wait_begin_ns = transfer->receive_begin_ns = 0;
    transfer->late_ns = transfer->late_count = 0;
    transfer->status = transfer->protocol = 0;
    transfer->to_do = 0;
    np_list_remove(&transfer->in_resumed);
    np_upload_reset(transfer);
    np_list_push_front(&transfer->point->waiting, &transfer->in_queue);
    np_service_point_changed(transfer->point);
}

/* The request goes on as a hop of its own that begins where this one ends. */
static void begin_retry_hop(np_transfer *transfer, CURLcode code, uint64_t now_ns)
{
    np_error failure;
    (void)np_fail_web(&failure, NP_WEB_KEEP_ALIVE_FAILURE, "curl", code, transfer->easy->error,
                      transfer->connection->protocol != 20
                          ? "the server closed the connection it had kept open; sent again on a "
                            "new one"
                      : is_refused(transfer, code)
                          ? "the server refused the stream; sent again on another connection"
                          : "the server closed the shared connection; sent again on another one");
    np_transfer_trace_end(transfer, &failure, now_ns);
    if (transfer->hop_of == 0)
        transfer->hop_of = transfer->number;
    transfer->hop++;
    transfer->hop_reason = NP_HOP_RETRY;
    np_trace_request_begin(transfer, now_ns, NP_SOURCE_CALL);
}

/* Of an HTTP/2 connection many are lost at once: they need not all have one of their own. */
static void choose_another(np_transfer *transfer)
{
    if (transfer->connection->protocol == 20) {
        transfer->newer_than = transfer->connection->number;
    } else {
        transfer->must_be_new = true;
        transfer->new_because = NP_NEW_DEAD_ON_REUSE;
    }
}

/* What is known of the server's limit: so many at once were too many by the refused ones. */
static void note_refusal(np_connection *connection)
{
    connection->refused_count++;
    const uint32_t taken = connection->stream_peak > connection->refused_count
                               ? connection->stream_peak - connection->refused_count
                               : 1;
    if (taken < connection->point->stream_limit)
        connection->point->stream_limit = taken;
    np_connection_doom(connection, NP_CLOSE_GOING_AWAY);
}

/* A server that goes away after so many requests does it again: more of them at once would be
 * lost again. Where it turns out to serve many, the caution is dropped step by step. */
static void note_loss(np_connection *connection)
{
    connection->point->careful_limit = connection->served_count > 0 ? connection->served_count : 1;
}

static void note_served(np_connection *connection)
{
    np_service_point *point = connection->point;
    connection->served_count++;
    if (connection->served_count >= 4 * point->careful_limit &&
        point->careful_limit < point->stream_limit) {
        point->careful_limit *= 2;
        if (2 * connection->stream_limit <= point->stream_limit)
            np_connection_limit_streams(connection, 2 * connection->stream_limit);
    }
}

/* Back to the front of the queue. */
static void try_later(np_transfer *transfer, uint64_t now_ns)
{
    np_connection_limit_streams(transfer->connection, transfer->connection->stream_count - 1);
    np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_QUEUE,
                        NP_SOURCE_CALL);
    np_easy_rest(transfer->easy);
    transfer->easy = NULL;
    np_transfer_leave_connection(transfer, now_ns);
    reset_for_retry(transfer);
}

static void retry(np_transfer *transfer, CURLcode code, uint64_t now_ns)
{
    if (is_refused(transfer, code))
        note_refusal(transfer->connection);
    else if (transfer->connection->protocol == 20 && transfer->prereq_seen)
        note_loss(transfer->connection);
    transfer->retries += transfer->prereq_seen;
    if (transfer->prereq_seen)
        begin_retry_hop(transfer, code, now_ns);
    else
        np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_QUEUE,
                            NP_SOURCE_CALL);
    np_easy_rest(transfer->easy);
    transfer->easy = NULL;
    choose_another(transfer);
    np_transfer_drop_connection(transfer, NP_CLOSE_DEAD_ON_REUSE, now_ns);
    reset_for_retry(transfer);
}

/* A proxy that closes after its 407: the same again on another connection, with credentials. The
 * handle stays with the transfer, because the challenge is in it. */
static void answer_on_new_connection(np_transfer *transfer, uint64_t now_ns)
{
    transfer->easy->transfer = NULL;
    if (transfer->route.is_held)
        np_round_next_hop(transfer, now_ns);
    else
        np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_QUEUE,
                            NP_SOURCE_CALL);
    np_transfer_drop_connection(transfer, NP_CLOSE_SERVER, now_ns);
    reset_for_retry(transfer);
    transfer->new_because = NP_NEW_PEER_CLOSED;
}

void np_transfer_finish(np_transfer *transfer, CURLcode code)
{
    np_engine *engine = transfer->engine;
    np_easy *easy = transfer->easy;
    np_transfer_count_wire(transfer);
    np_multi_remove(engine, easy);
    if (!transfer->failure.status && np_round_wants_connection(transfer, code)) {
        answer_on_new_connection(transfer, np_now());
        return;
    }
    if (np_upload_forgives(transfer, code))
        code = CURLE_OK;
    if (np_round_was_refused(transfer, code)) { /* the 407 is the answer; its body is lost */
        transfer->connection->single_use = true;
        code = CURLE_OK;
    }
    if (code == CURLE_OK && !transfer->header_done)
        code = CURLE_GOT_NOTHING; /* libcurl is content with a header that breaks off */
    if (code == CURLE_OK && transfer->route.is_held)
        np_curl_events_give_header(transfer); /* libcurl leaves it at that 407 */
    if (code == CURLE_OK && !transfer->failure.status) {
        const uint64_t now_ns = np_loop_now(engine->loop);
        np_transfer_trace_end(transfer, NULL, now_ns);
        transfer->easy = NULL;
        np_easy_rest(easy);
        note_served(transfer->connection);
        if (transfer->spec.close_after)
            np_connection_doom(transfer->connection, NP_CLOSE_FORCED);
        np_transfer_leave_connection(transfer, now_ns);
        np_transfer_end(transfer, NULL);
        return;
    }
    const uint64_t now_ns = np_now();
    if (!transfer->failure.status && is_full(transfer, code)) {
        try_later(transfer, now_ns);
        return;
    }
    if (!transfer->failure.status && may_retry(transfer, code)) {
        retry(transfer, code, now_ns);
        return;
    }
    np_error failure = transfer->failure;
    if (transfer->drained_over && !failure.status)
        (void)np_fail_web(&failure, NP_WEB_REQUEST_CANCELED, NULL, 0, NULL,
                          "the rest of the response was too long to be waited for");
    else if (!failure.status) {
        bool proxy_fault = false;
        if (!np_tunnel_explain(transfer, code, &failure, &proxy_fault)) {
            np_transfer_explain(transfer, code, &failure);
            if (np_tunnel_is_forwarding(transfer->point)) /* it is the server we speak to */
                (void)np_wrap(&failure, "proxy %s", transfer->point->proxy->text);
        }
        if (proxy_fault && np_route_fail_over(transfer, &failure, now_ns))
            return;
    }
    np_transfer_trace_end(transfer, &failure, now_ns);
    transfer->easy = NULL;
    np_easy_rest(easy);
    if (breaks_connection(transfer, code)) {
        transfer->connection->broken |= code == CURLE_HTTP2;
        np_transfer_drop_connection(transfer, np_transfer_close_reason(&failure), now_ns);
    } else {
        np_transfer_give_up_connection(transfer, np_transfer_close_reason(&failure), now_ns);
    }
    np_transfer_end(transfer, &failure);
}

bool np_transfers_collect(np_engine *engine)
{
    bool any = false;
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(engine->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *private = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private); /* cannot fail */
        np_easy *easy = (np_easy *)private;
        if (easy->transfer)
            np_transfer_finish(easy->transfer, message->data.result);
        any = true;
    }
    return any;
}
