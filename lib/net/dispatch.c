/*
 * The queue of a service point. Floor 2; loop thread only, libcurl not on the stack.
 *
 *   arriving ──► idle connection, most recently used first ──────────────► launched
 *      │    └──► room for one more: opening ──its own, when it stands──────►    ▲
 *      └───────► waiting (first come, first served) ───────────────────────────┤
 *                                       opening, when another one becomes idle ─┘ its own connect
 * goes on alone and comes to rest
 *
 * A request that must have a connection of its own (fresh, cold, after RS-5) takes no idle one; at
 * the limit it closes the one that has been idle longest. An HTTP/2 connection with room for
 * another stream, and a set-up whose ALPN is not known yet, would come between the first two lines.
 */
#include "dispatch.h"

#include "connection.h"
#include "easy.h"
#include "transfer_run.h"
#include "transfer_trace.h"
#include "tunnel.h"

#include <stdio.h>

static np_transfer *first_of(np_link *list)
{
    return np_list_empty(list) ? NULL : np_item(list->next, np_transfer, in_queue);
}

static void end_slot_span(np_transfer *transfer, uint64_t now_ns)
{
    if (!transfer->slot_span)
        return;
    np_emit_span_end(transfer->engine->producer, now_ns, transfer->number, transfer->slot_span,
                     NP_SPAN_OK, NULL);
    transfer->slot_span = 0;
}

static void wait_for_slot(np_service_point *point, np_transfer *transfer)
{
    np_list_remove(&transfer->in_queue);
    np_list_push_back(&point->waiting, &transfer->in_queue);
    np_producer *producer = point->engine->producer;
    if (!producer)
        return;
    char name[64];
    (void)snprintf(name, sizeof name, "%u of %u connections in use", point->connection_count,
                   point->limit);
    transfer->slot_span = np_emit_span_begin(producer, np_now(), transfer->number, 0,
                                             NP_PHASE_QUEUE, NP_SPAN_WAIT_FOR_SLOT, 0, name);
}

static void grant_idle(np_service_point *point, np_transfer *transfer)
{
    const uint64_t now_ns = np_engine_stamp(point->engine);
    np_connection *connection = np_item(point->idle.next, np_connection, in_idle);
    np_list_remove(&transfer->in_queue);
    end_slot_span(transfer, now_ns);
    np_connection_reserve(connection, transfer);
    transfer->connection = connection;
    np_trace_queue_end(transfer, now_ns);
    np_transfer_launch(transfer, connection, now_ns);
}

/* --- opening --- */

static void on_connected(np_connection *connection, const np_dial_result *result, uint64_t now_ns)
{
    np_transfer *transfer = connection->transfer;
    if (result->error.status == NP_OK && !transfer) {
        np_connection_rest(connection, now_ns);
        return;
    }
    if (transfer) {
        np_list_remove(&transfer->in_queue);
        transfer->dns_cached = result->dns_cached;
    }
    if (result->error.status == NP_OK) {
        np_transfer_launch(transfer, connection, result->connected_ns);
        return;
    }
    np_error failure = result->error;
    np_tunnel_explain_dial(connection->tunnel, &failure);
    if (transfer && np_transfer_fail_over(transfer, &failure, now_ns))
        return;
    connection->transfer = NULL;
    np_connection_close(connection, NP_CLOSE_CONNECT, now_ns);
    if (!transfer)
        return;
    transfer->connection = NULL;
    if (transfer->easy)
        np_easy_rest(transfer->easy);
    transfer->easy = NULL;
    np_transfer_fail(transfer, &failure, np_now());
}

static void on_setup_timed_out(np_connection *connection, uint64_t now_ns)
{
    if (connection->transfer)
        np_transfer_setup_timed_out(connection->transfer, now_ns);
    else
        np_connection_close(connection, NP_CLOSE_TIMEOUT, now_ns);
}

static const np_connection_handler opened = {.connected = on_connected,
                                             .timed_out = on_setup_timed_out};

static np_new_because find_reason(const np_service_point *point, const np_transfer *transfer)
{
    if (transfer->new_because != NP_NEW_UNKNOWN)
        return transfer->new_because;
    if (transfer->must_be_new)
        return NP_NEW_FORCED;
    if (point->connection_count > 0)
        return NP_NEW_ALL_BUSY;
    return point->last_loss != NP_NEW_UNKNOWN ? point->last_loss : NP_NEW_FIRST;
}

static void open_for(np_service_point *point, np_transfer *transfer)
{
    const uint64_t now_ns = np_now();
    const np_new_because because = find_reason(point, transfer);
    const uint32_t unlike =
        np_list_empty(&point->idle) ? 0 : np_item(point->idle.next, np_connection, in_idle)->number;
    np_list_remove(&transfer->in_queue);
    end_slot_span(transfer, now_ns);
    np_trace_queue_end(transfer, now_ns);
    transfer->stage = NP_STAGE_SETUP;
    np_error failure;
    transfer->connection = np_connection_open(transfer, because, unlike, now_ns, &opened, &failure);
    if (!transfer->connection) {
        np_transfer_fail(transfer, &failure, np_now());
        return;
    }
    np_list_push_back(&point->opening, &transfer->in_queue);
    /* Made while the network works; where it cannot be made, launching says so. */
    if (!transfer->easy)
        transfer->easy = np_easy_take(point);
}

static void evict_one(np_service_point *point)
{
    np_connection *oldest = np_item(point->idle.previous, np_connection, in_idle);
    np_connection_close(oldest, NP_CLOSE_EVICTED, np_loop_now(point->engine->loop));
}

/* false: there is nothing for it now. */
static bool serve(np_service_point *point, np_transfer *transfer)
{
    const bool some_idle = !np_list_empty(&point->idle);
    if (some_idle && !transfer->must_be_new) {
        grant_idle(point, transfer);
        return true;
    }
    if (point->connection_count >= point->limit) {
        if (!some_idle)
            return false;
        evict_one(point);
    }
    open_for(point, transfer);
    return true;
}

/* The first transfer whose own connect is under way and that would take another connection. */
static np_transfer *find_opening(const np_service_point *point)
{
    for (np_link *link = point->opening.next; link != &point->opening; link = link->next) {
        np_transfer *transfer = np_item(link, np_transfer, in_queue);
        if (!transfer->must_be_new)
            return transfer;
    }
    return NULL;
}

static void serve_opening(np_service_point *point)
{
    np_transfer *transfer;
    while (!np_list_empty(&point->idle) && (transfer = find_opening(point))) {
        np_connection *own = transfer->connection;
        transfer->connection = NULL;
        transfer->left_connect = true;
        np_connection_disown(own, np_now());
        grant_idle(point, transfer);
    }
}

static void dispatch_point(np_service_point *point)
{
    np_transfer *transfer;
    while ((transfer = first_of(&point->waiting)) && serve(point, transfer)) {
    }
    while ((transfer = first_of(&point->arriving))) {
        if (!np_list_empty(&point->waiting) || !serve(point, transfer))
            wait_for_slot(point, transfer);
    }
    serve_opening(point);
}

bool np_dispatch(np_engine *engine)
{
    np_link *link;
    bool any = false;
    while ((link = np_list_pop_front(&engine->changed))) {
        dispatch_point(np_item(link, np_service_point, changed));
        any = true;
    }
    return any;
}
