/*
 * A transfer: one hop of a request, from the queue of its service point to the call of done().
 * Floor 2; loop thread only.
 *
 *   start ─► QUEUE ─► SETUP (its own connect, TLS) ─► SEND ─► WAIT ─► RECEIVE ─► end
 *              └────── launch on an idle connection ───┘
 *
 * It ends in one place, end_transfer, whichever way it came: a message of libcurl, a failure before
 * libcurl had it, an abort, a deadline. What libcurl still holds then is taken out at once, or,
 * when libcurl is on the stack, at the turn's end (engine->retired).
 *
 * RS-5: a connection that was used before and is lost before a byte of the answer came. Nothing had
 * been sent yet: the same hop goes back to the queue and gets a new connection. Otherwise the hop
 * ends as failed and the request goes on as a hop of its own, once.
 */
#include "transfer_run.h"

#include "connection.h"
#include "curl_events.h"
#include "easy.h"
#include "multi.h"
#include "round.h"
#include "service_point.h"
#include "tls_events.h"
#include "connection_sample.h"
#include "transfer_error.h"
#include "transfer_route.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "upload.h"

#include "fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRIES_MAX = 8 };

/* --- memory --- */

/* Everything but the buffers is as new; they are kept from one use to the next. */
static np_transfer *transfer_take(np_engine *engine)
{
    np_transfer *transfer = engine->free_transfers;
    if (!transfer)
        return calloc(1, sizeof *transfer);
    engine->free_transfers = transfer->next_free;
    const np_field_lines kept = transfer->header;
    memset(transfer, 0, sizeof *transfer);
    transfer->header = kept;
    np_field_lines_reset(&transfer->header);
    return transfer;
}

static void transfer_give_back(np_transfer *transfer)
{
    np_engine *engine = transfer->engine;
    transfer->next_free = engine->free_transfers;
    engine->free_transfers = transfer;
}

void np_transfers_free_kept(np_engine *engine)
{
    while (engine->free_transfers) {
        np_transfer *transfer = engine->free_transfers;
        engine->free_transfers = transfer->next_free;
        np_field_lines_done(&transfer->header);
        free(transfer);
    }
}

/* --- the end --- */

static int outcome_of(const np_error *failure)
{
    if (!failure)
        return NP_OUTCOME_OK;
    switch (failure->web_status) {
    case NP_WEB_TIMEOUT:
        return NP_OUTCOME_TIMEOUT;
    case NP_WEB_REQUEST_CANCELED:
        return NP_OUTCOME_ABORTED;
    default:
        return NP_OUTCOME_FAILED;
    }
}

/* While their request is still there: nobody would know whose they are later. */
static void end_setup_spans(np_connection *connection, const np_error *failure, uint64_t now_ns)
{
    np_tls_events_give_up(connection, now_ns,
                          failure->web_status == NP_WEB_TIMEOUT ? NP_SPAN_TIMEOUT : NP_SPAN_FAILED);
    if (connection->tunnel)
        np_tunnel_failed(connection->tunnel, failure, 0, now_ns);
}

/* What TCP says about a body that took its time, and about what went wrong. */
static void trace_slow(const np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    static const np_phase phases[] = {[NP_STAGE_SETUP] = NP_PHASE_TLS,
                                      [NP_STAGE_SEND] = NP_PHASE_SEND,
                                      [NP_STAGE_WAIT] = NP_PHASE_WAIT,
                                      [NP_STAGE_RECEIVE] = NP_PHASE_RECEIVE};
    np_connection *connection = transfer->connection;
    if (!connection || transfer->stage == NP_STAGE_QUEUE)
        return;
    if (failure)
        np_connection_sample(connection, transfer->number, phases[transfer->stage], now_ns);
    else
        np_connection_sample_slow(connection, transfer->number, NP_PHASE_RECEIVE,
                           transfer->receive_begin_ns, now_ns);
}

static void trace_end(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    np_producer *producer = transfer->engine->producer;
    transfer->end_ns = !failure && transfer->last_ns ? transfer->last_ns : now_ns;
    if (!producer)
        return;
    np_emit_span_end(producer, now_ns, transfer->number, transfer->wait_span, NP_SPAN_ABANDONED,
                     NULL);
    transfer->wait_span = 0;
    np_upload_end(transfer, now_ns);
    np_trace_pauses_end(transfer, NP_PHASE_RECEIVE, now_ns);
    if (failure && transfer->connection && !transfer->connection->ready)
        end_setup_spans(transfer->connection, failure, now_ns);
    np_curl_events_give_up(transfer);
    trace_slow(transfer, failure, now_ns);
    if (transfer->late_ns)
        np_emit(producer, &(np_event){.time_ns = now_ns,
                                      .request = transfer->number,
                                      .type = NP_EVENT_LATE,
                                      .source = NP_SOURCE_KERNEL,
                                      .word = {transfer->late_ns}});
    if (!failure) {
        const np_stamp last = np_look_last_byte(transfer);
        np_emit_phase_stamp(producer, NP_EVENT_PHASE_END, last, transfer->number, NP_PHASE_RECEIVE);
        transfer->end_ns = last.ns ? last.ns : now_ns;
    }
    const np_error *told = failure ? failure : transfer->refusal;
    np_trace_request_end(transfer, failure ? now_ns : transfer->end_ns, outcome_of(told), told);
}

/* The one way out. The transfer must have let go of its handle and its connection, whose number is
 * still wanted in the trace. */
static void end_transfer(np_transfer *transfer, const np_error *failure)
{
    transfer->ended = true;
    transfer->connection = NULL;
    np_list_remove(&transfer->in_queue);
    np_list_remove(&transfer->in_resumed);
    transfer->engine->transfer_count--;
    np_loop_timer_cancel(transfer->deadline_timer);
    np_loop_timer_cancel(transfer->drain_timer);
    np_loop_timer_cancel(transfer->upload.quiet_timer);
    np_route_end(transfer);
    transfer->handler.done(transfer, failure, transfer->user);
    transfer_give_back(transfer);
}

void np_transfer_fail(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    trace_end(transfer, failure, now_ns);
    end_transfer(transfer, failure);
}

/* --- what becomes of the handle and the connection --- */

/* Is the connection good for others when this request has been given up? Of HTTP/2 only the stream
 * ends; anything else would read what was meant for us. */
static bool ends_alone(const np_connection *connection)
{
    return connection->ready && connection->protocol == 20;
}

static void leave_connection(np_transfer *transfer, uint64_t now_ns)
{
    np_connection *connection = transfer->connection;
    transfer->connection = NULL;
    np_connection_leave(connection, transfer, now_ns);
}

/* What a decoder was given; body() has counted what it gave. */
static void count_wire_bytes(np_transfer *transfer)
{
    curl_off_t bytes = 0;
    if (transfer->decoding &&
        curl_easy_getinfo(transfer->easy->handle, CURLINFO_SIZE_DOWNLOAD_T, &bytes) == CURLE_OK)
        transfer->received_bytes = (uint64_t)bytes;
}

static void drop_connection(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
{
    np_connection_doom(transfer->connection, reason);
    leave_connection(transfer, now_ns);
}

/* What the request did is over, whatever became of its answer. */
static void give_up_connection(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
{
    if (transfer->connection->fd < 0 || !ends_alone(transfer->connection))
        np_connection_doom(transfer->connection, reason);
    leave_connection(transfer, now_ns);
}

/* Of a transfer that libcurl has: takes the handle out and closes the connection, now or at the
 * turn's end. */
static void tear_out(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
{
    np_engine *engine = transfer->engine;
    np_easy *easy = transfer->easy;
    np_connection *connection = transfer->connection;
    transfer->easy = NULL;
    easy->transfer = NULL;
    if (engine->inside_curl) {
        if (!ends_alone(connection))
            np_connection_doom(connection, reason);
        np_connection_detach(connection, transfer);
        transfer->connection = NULL;
        np_list_push_back(&engine->retired, &easy->in_retired);
        return;
    }
    np_multi_remove(engine, easy);
    np_easy_rest(easy);
    give_up_connection(transfer, reason, now_ns);
}

bool np_transfers_retire(np_engine *engine)
{
    np_link *link;
    bool any = false;
    while ((link = np_list_pop_front(&engine->retired))) {
        np_easy *easy = np_item(link, np_easy, in_retired);
        np_connection *connection = easy->connection;
        any = true;
        np_multi_remove(engine, easy);
        np_easy_rest(easy);
        np_connection_left(connection, np_loop_now(engine->loop));
    }
    return any;
}

/* --- libcurl has finished --- */

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
    trace_end(transfer, &failure, now_ns);
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
    leave_connection(transfer, now_ns);
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
    drop_connection(transfer, NP_CLOSE_DEAD_ON_REUSE, now_ns);
    reset_for_retry(transfer);
}

static np_close_reason close_reason_of(const np_error *failure)
{
    switch (outcome_of(failure)) {
    case NP_OUTCOME_TIMEOUT:
        return NP_CLOSE_TIMEOUT;
    case NP_OUTCOME_ABORTED:
        return NP_CLOSE_ABORTED;
    default:
        return NP_CLOSE_FAILED;
    }
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
    drop_connection(transfer, NP_CLOSE_SERVER, now_ns);
    reset_for_retry(transfer);
    transfer->new_because = NP_NEW_PEER_CLOSED;
}

/* --- the next proxy --- */

bool np_transfer_fail_over(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    if (!np_route_may_go_on(transfer, failure, now_ns))
        return false;
    np_easy *easy = transfer->easy;
    const np_close_reason reason = transfer->connection->state == NP_CONNECTION_CONNECTING
                                       ? NP_CLOSE_CONNECT
                                       : close_reason_of(failure);
    np_list_remove(&transfer->in_queue);
    if (easy && easy->transfer == transfer) {
        tear_out(transfer, reason, now_ns);
    } else {
        if (easy)
            np_easy_rest(easy);
        transfer->easy = NULL;
        drop_connection(transfer, reason, now_ns);
    }
    transfer->no_socket = false;
    np_route_go_on(transfer, now_ns);
    return true;
}

static void finish(np_transfer *transfer, CURLcode code)
{
    np_engine *engine = transfer->engine;
    np_easy *easy = transfer->easy;
    count_wire_bytes(transfer);
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
        trace_end(transfer, NULL, now_ns);
        transfer->easy = NULL;
        np_easy_rest(easy);
        note_served(transfer->connection);
        if (transfer->spec.close_after)
            np_connection_doom(transfer->connection, NP_CLOSE_FORCED);
        leave_connection(transfer, now_ns);
        end_transfer(transfer, NULL);
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
        if (!np_tunnel_explain(transfer, code, &failure, &proxy_fault))
            np_transfer_explain(transfer, code, &failure);
        if (proxy_fault && np_transfer_fail_over(transfer, &failure, now_ns))
            return;
    }
    trace_end(transfer, &failure, now_ns);
    transfer->easy = NULL;
    np_easy_rest(easy);
    if (breaks_connection(transfer, code)) {
        transfer->connection->broken |= code == CURLE_HTTP2;
        drop_connection(transfer, close_reason_of(&failure), now_ns);
    } else {
        give_up_connection(transfer, close_reason_of(&failure), now_ns);
    }
    end_transfer(transfer, &failure);
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
            finish(easy->transfer, message->data.result);
        any = true;
    }
    return any;
}

/* --- launching --- */

static np_source stamp_source(const np_connection *connection, uint64_t now_ns)
{
    return connection->connected_ns == now_ns ? (np_source)connection->connected_source
                                              : NP_SOURCE_CALL;
}

static void begin_tls(np_transfer *transfer, uint64_t now_ns)
{
    const np_connection *connection = transfer->connection;
    transfer->upload.send_open = false;
    np_stamp stamp = {.ns = now_ns, .source = (uint8_t)stamp_source(connection, now_ns)};
    if (connection->connected_ns == now_ns)
        stamp.uncertainty = connection->connected_uncertainty;
    np_emit_phase_stamp(transfer->engine->producer, NP_EVENT_PHASE_BEGIN, stamp, transfer->number,
                        NP_PHASE_TLS);
}

static void begin_tunnel(np_transfer *transfer, uint64_t now_ns)
{
    const np_connection *connection = transfer->connection;
    if (np_tunnel_has_phase(transfer->point))
        transfer->upload.send_open = false;
    np_tunnel_begin(connection->tunnel, transfer->number, now_ns, stamp_source(connection, now_ns));
}

void np_transfer_launch(np_transfer *transfer, np_connection *connection, uint64_t now_ns)
{
    np_engine *engine = transfer->engine;
    if (np_upload_hold(transfer, connection, now_ns))
        return;
    np_upload_settle(transfer, connection);
    transfer->connection = connection;
    connection->uses++;
    transfer->reused = connection->ready;
    transfer->stage = NP_STAGE_SETUP;
    connection->state = connection->ready ? NP_CONNECTION_BUSY : NP_CONNECTION_HANDSHAKING;
    if (!connection->handed_over)
        np_connection_offer(connection, transfer->wants_h2, transfer->wants_h2);
    if (connection->tunnel && !connection->handed_over)
        begin_tunnel(transfer, now_ns);
    else if (transfer->point->tls && !connection->handed_over)
        begin_tls(transfer, now_ns);
    if (!transfer->easy)
        transfer->easy = np_easy_take(transfer->point);
    np_easy *easy = transfer->easy;
    CURLcode rc = easy ? np_easy_prepare(easy, &transfer->spec, connection) : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK) {
        easy->transfer = transfer;
        rc = np_multi_add(engine, easy) == CURLM_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    }
    if (rc == CURLE_OK)
        return;
    np_error failure;
    np_transfer_explain(transfer, rc, &failure);
    const uint64_t failed_ns = np_now();
    if (easy)
        np_easy_rest(easy);
    transfer->easy = NULL;
    trace_end(transfer, &failure, failed_ns);
    give_up_connection(transfer, NP_CLOSE_FAILED, failed_ns);
    end_transfer(transfer, &failure);
}

/* The body of a held transfer is complete. Its connection may have been lost meanwhile: then it is
 * the next one to get another. */
static void launch_held(np_transfer *transfer)
{
    const uint64_t now_ns = np_now();
    np_connection *connection = np_upload_let_go(transfer, now_ns);
    if (connection) {
        np_transfer_launch(transfer, connection, now_ns);
        return;
    }
    transfer->stage = NP_STAGE_QUEUE;
    transfer->upload.send_open = false;
    np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_QUEUE,
                        NP_SOURCE_CALL);
    np_list_push_front(&transfer->point->waiting, &transfer->in_queue);
    np_service_point_changed(transfer->point);
}

/* --- ending from outside --- */

/* Its own connect is under way: somebody else may want it. */
static void leave_opening(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
{
    np_connection *connection = transfer->connection;
    const np_service_point *point = transfer->point;
    const bool wanted = !np_list_empty(&point->waiting) || !np_list_empty(&point->awaiting) ||
                        !np_list_empty(&point->arriving);
    transfer->connection = NULL;
    if (wanted && !connection->single_use && reason == NP_CLOSE_ABORTED) {
        np_connection_disown(connection, now_ns);
        return;
    }
    np_connection_detach(connection, transfer);
    np_connection_close(connection, reason, now_ns);
}

static void end_now(np_transfer *transfer, const np_error *cause)
{
    const np_error failure = *cause; /* `cause` may be ours */
    const uint64_t now_ns = np_now();
    const np_close_reason reason = close_reason_of(&failure);
    np_route_leave(transfer, now_ns);
    np_connection *connection = transfer->connection;
    np_easy *easy = transfer->easy;
    if (easy)
        count_wire_bytes(transfer);
    trace_end(transfer, &failure, now_ns);
    np_list_remove(&transfer->in_queue);
    transfer->point->awaiting_count -= transfer->is_awaiting ? 1 : 0;
    if (easy && easy->transfer == transfer) {
        tear_out(transfer, reason, now_ns);
    } else {
        if (easy)
            np_easy_rest(easy);
        transfer->easy = NULL;
        if (connection && transfer->upload.held)
            give_up_connection(transfer, reason, now_ns);
        else if (connection)
            leave_opening(transfer, reason, now_ns);
    }
    end_transfer(transfer, &failure);
}

void np_transfer_abort(np_transfer *transfer, const np_error *cause)
{
    if (transfer->ended || transfer->abort_pending)
        return;
    if (transfer->in_handler == 0) {
        end_now(transfer, cause);
        return;
    }
    transfer->failure = *cause;
    transfer->abort_pending = true; /* the callback we are in answers with an error */
}

static void fail_with_timeout(np_transfer *transfer, const char *limit)
{
    np_error cause;
    (void)np_fail_web(&cause, NP_WEB_TIMEOUT, NULL, 0, NULL, "%s while %s", limit,
                      np_transfer_activity(transfer));
    np_transfer_abort(transfer, &cause);
}

/* The time that a proxy has for itself is over; false: it is that of the whole set-up. */
static bool fail_proxy_timeout(np_transfer *transfer, uint64_t now_ns)
{
    const np_tunnel *tunnel = transfer->connection ? transfer->connection->tunnel : NULL;
    if (!tunnel || !tunnel->timed_out)
        return false;
    np_error cause;
    (void)np_fail_web(
        &cause, NP_WEB_TIMEOUT, NULL, 0, NULL,
        "proxy %s: no connection within %.3g s: timed out while %s", tunnel->proxy->text,
        (double)transfer->engine->options.proxy_connect_timeout_ns / (double)NP_NS_PER_S,
        np_transfer_activity(transfer));
    if (!np_transfer_fail_over(transfer, &cause, now_ns))
        np_transfer_abort(transfer, &cause);
    return true;
}

void np_transfer_setup_timed_out(np_transfer *transfer, uint64_t now_ns)
{
    if (fail_proxy_timeout(transfer, now_ns))
        return;
    char limit[64];
    (void)snprintf(limit, sizeof limit, "not connected within %.3g s: timed out",
                   (double)transfer->engine->options.connect_timeout_ns / (double)NP_NS_PER_S);
    fail_with_timeout(transfer, limit);
}

static void on_deadline(uint64_t now_ns, void *user)
{
    (void)now_ns;
    fail_with_timeout(user, "timed out");
}

static void on_drain_deadline(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_error cause;
    (void)np_fail_web(&cause, NP_WEB_REQUEST_CANCELED, NULL, 0, NULL,
                      "the rest of the response did not come in time");
    np_transfer_abort(user, &cause);
}

/* --- the interface --- */

np_transfer *np_transfer_start(np_engine *engine, const np_transfer_spec *spec,
                               const np_transfer_handler *handler, void *user)
{
    const np_pool_key key = np_route_key(spec);
    np_service_point *point = np_service_point_get(engine, &key);
    np_transfer *transfer = point ? transfer_take(engine) : NULL;
    if (!transfer)
        return NULL;
    transfer->engine = engine;
    transfer->point = point;
    transfer->spec = *spec;
    transfer->handler = *handler;
    transfer->user = user;
    transfer->hop = spec->hop;
    transfer->hop_of = spec->hop_of;
    transfer->hop_reason = spec->hop_reason;
    transfer->wants_h2 = point->tls && spec->version == 20;
    transfer->must_be_new = spec->reuse != NP_REUSE_ANY;
    transfer->content_length = transfer->expected_bytes = -1;
    if (spec->deadline_ns) {
        transfer->deadline_timer =
            np_loop_timer_start(engine->loop, spec->deadline_ns, on_deadline, transfer);
        if (!transfer->deadline_timer) {
            transfer_give_back(transfer);
            return NULL;
        }
    }
    np_trace_request_begin(transfer, spec->begin_ns, NP_SOURCE_CALL);
    if (!np_route_begin(transfer)) {
        np_loop_timer_cancel(transfer->deadline_timer);
        transfer_give_back(transfer);
        return NULL;
    }
    engine->transfer_count++;
    if (!np_loop_is_current(engine->loop))
        np_multi_wake(engine);
    return transfer;
}

void np_transfer_go_on(np_transfer *transfer, unsigned to_do)
{
    transfer->to_do |= to_do;
    if (np_link_used(&transfer->in_resumed))
        return;
    np_list_push_back(&transfer->engine->resumed, &transfer->in_resumed);
    if (!np_loop_is_current(transfer->engine->loop))
        np_multi_wake(transfer->engine);
}

void np_transfer_resume(np_transfer *transfer)
{
    if (!transfer->ended && transfer->paused)
        np_transfer_go_on(transfer, NP_GO_RECEIVE);
}

static void end_pauses(np_transfer *transfer, unsigned to_do)
{
    const uint64_t now_ns = np_engine_stamp(transfer->engine);
    if (to_do & NP_GO_RECEIVE && transfer->paused) {
        transfer->paused = false;
        np_trace_resume(transfer, NP_PHASE_RECEIVE, now_ns);
    }
    if (to_do & NP_GO_SEND && transfer->upload.paused) {
        transfer->upload.paused = false;
        np_trace_resume(transfer, NP_PHASE_SEND, now_ns);
    }
}

static void resume_one(np_transfer *transfer)
{
    np_engine *engine = transfer->engine;
    const np_easy *easy = transfer->easy;
    const unsigned to_do = transfer->to_do;
    transfer->to_do = 0;
    if (to_do & NP_GO_RELEASE) {
        launch_held(transfer);
        return;
    }
    if (to_do & NP_GO_COMPLETE) {
        finish(transfer, CURLE_OK);
        return;
    }
    end_pauses(transfer, to_do);
    if (transfer->connection && transfer->connection->tunnel)
        transfer->connection->tunnel->buffered_bytes = 0; /* it is wanted again */
    engine->inside_curl++;
    /* The held bytes are handed over inside: what goes wrong with them is the answer of this call,
     * no message follows. */
    const CURLcode rc =
        curl_easy_pause(easy->handle, (transfer->paused ? CURLPAUSE_RECV : 0) |
                                          (transfer->upload.paused ? CURLPAUSE_SEND : 0));
    engine->inside_curl--;
    if (rc != CURLE_OK)
        finish(transfer, rc);
    np_multi_drive(engine);
}

bool np_transfers_resume(np_engine *engine)
{
    /* Only those that are in the list now: one that pauses again and is resumed from inside must
     * let the loop turn. */
    np_link now;
    np_list_init(&now);
    np_link *link;
    while ((link = np_list_pop_front(&engine->resumed)))
        np_list_push_back(&now, link);
    const bool any = !np_list_empty(&now);
    while ((link = np_list_pop_front(&now)))
        resume_one(np_item(link, np_transfer, in_resumed));
    return any;
}

void np_transfer_drain(np_transfer *transfer, uint64_t max_bytes, uint64_t deadline_ns)
{
    if (transfer->ended || transfer->draining)
        return;
    transfer->draining = true;
    transfer->drain_left_bytes = max_bytes;
    if (deadline_ns)
        transfer->drain_timer =
            np_loop_timer_start(transfer->engine->loop, deadline_ns, on_drain_deadline, transfer);
    np_transfer_resume(transfer);
}

void np_transfer_refuse(np_transfer *transfer, const np_error *why)
{
    transfer->refusal = why;
}

uint32_t np_transfer_number(const np_transfer *transfer)
{
    return transfer->number;
}

uint32_t np_transfer_hop(const np_transfer *transfer)
{
    return transfer->hop;
}

uint64_t np_transfer_end_ns(const np_transfer *transfer)
{
    return transfer->end_ns;
}

bool np_transfer_decodes(const np_transfer *transfer)
{
    return transfer->decoding;
}

int np_transfer_status(const np_transfer *transfer)
{
    return transfer->header_done ? transfer->status : 0;
}

int np_transfer_protocol(const np_transfer *transfer)
{
    return transfer->protocol;
}

int64_t np_transfer_content_length(const np_transfer *transfer)
{
    return transfer->content_length;
}

const np_header_line *np_transfer_headers(np_transfer *transfer, size_t *count)
{
    *count = 0;
    return transfer->header_done ? np_field_lines_get(&transfer->header, count) : NULL;
}
