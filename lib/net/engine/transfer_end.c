/*
 * The end of a transfer. Floor 2; loop thread only.
 *
 * It ends in one place, np_transfer_end, whichever way it came: a message of libcurl, a failure
 * before libcurl had it, an abort, a deadline. What libcurl still holds then is taken out at once,
 * or, when libcurl is on the stack, at the turn's end (engine->retired).
 */
#include "transfer_end.h"

#include "boundary.h"
#include "connection.h"
#include "connection_sample.h"
#include "easy.h"
#include "look.h"
#include "multi.h"
#include "tls_events.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "upload.h"
#include "upload_facts.h"

#include <stdlib.h>
#include <string.h>

/* --- memory --- */

/* Everything but the buffers is as new; they are kept from one use to the next. */
np_transfer *np_transfer_take(np_engine *engine)
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

void np_transfer_give_back(np_transfer *transfer)
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

/* Did it end because nobody waited for the rest of its answer, and was what is wanted of it there:
 * all of the answer, or its header where nobody asks for more? */
static bool has_served(const np_transfer *transfer)
{
    const bool was_drained = transfer->drained_over || transfer->drain_expired;
    return transfer->header_done && was_drained &&
           (transfer->settled || np_upload_answer_is_whole(transfer));
}

void np_transfer_trace_end(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
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
    np_boundary_give_up(transfer);
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
    const np_error *told = failure && !has_served(transfer) ? failure : transfer->refusal;
    np_trace_request_end(transfer, failure ? now_ns : transfer->end_ns, outcome_of(told), told);
}

/* The one way out. The transfer must have let go of its handle and its connection, whose number is
 * still wanted in the trace. */
void np_transfer_end(np_transfer *transfer, const np_error *failure)
{
    transfer->ended = true;
    transfer->connection = NULL;
    np_list_remove(&transfer->in_queue);
    np_list_remove(&transfer->in_resumed);
    transfer->engine->transfer_count--;
    np_loop_timer_cancel(transfer->deadline_timer);
    np_loop_timer_cancel(transfer->drain_timer);
    np_loop_timer_cancel(transfer->upload.quiet_timer);
    np_proxy_list_release(transfer->route.list);
    transfer->route.list = NULL;
    transfer->handler.done(transfer, failure, transfer->user);
    np_transfer_give_back(transfer);
}

void np_transfer_fail(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    np_transfer_trace_end(transfer, failure, now_ns);
    np_transfer_end(transfer, failure);
}

/* --- what becomes of the handle and the connection --- */

/* Is the connection good for others when this request has been given up? Of HTTP/2 only the stream
 * ends; anything else would read what was meant for us. */
static bool ends_alone(const np_connection *connection)
{
    return connection->ready && connection->protocol == 20;
}

void np_transfer_leave_connection(np_transfer *transfer, uint64_t now_ns)
{
    np_connection *connection = transfer->connection;
    transfer->connection = NULL;
    np_connection_leave(connection, transfer, now_ns);
}

/* What a decoder was given; body() has counted what it gave. */
void np_transfer_count_wire(np_transfer *transfer)
{
    curl_off_t bytes = 0;
    if (transfer->decoding &&
        curl_easy_getinfo(transfer->easy->handle, CURLINFO_SIZE_DOWNLOAD_T, &bytes) == CURLE_OK)
        transfer->received_bytes = (uint64_t)bytes;
}

void np_transfer_drop_connection(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
{
    np_connection_doom(transfer->connection, reason);
    np_transfer_leave_connection(transfer, now_ns);
}

/* What the request did is over, whatever became of its answer. */
void np_transfer_give_up_connection(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
{
    if (transfer->connection->fd < 0 || !ends_alone(transfer->connection))
        np_connection_doom(transfer->connection, reason);
    np_transfer_leave_connection(transfer, now_ns);
}

/* Of a transfer that libcurl has: takes the handle out and closes the connection, now or at the
 * turn's end. */
void np_transfer_tear_out(np_transfer *transfer, np_close_reason reason, uint64_t now_ns)
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
    np_transfer_give_up_connection(transfer, reason, now_ns);
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

np_close_reason np_transfer_close_reason(const np_error *failure)
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
