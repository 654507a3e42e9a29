/*
 * The queue of a service point. Floor 2; loop thread only, libcurl not on the stack.
 *
 *   arriving ──► idle connection that fits, most recently used first ──────► launched
 *      │    ├──► HTTP/2 connection in use with room: one more stream ─────────►    ▲
 *      │    ├──► awaiting: a set-up that may turn out to be HTTP/2 ── its ALPN ────┤
 *      │    └──► room for one more: opening ──its own, when it stands──────────────┤
 *      └───────► waiting (first come, first served) ───────────────────────────────┤
 *                                       opening, when another one becomes idle ────┘ its own
 *                                       connect goes on alone and comes to rest
 *
 * The order of the choices is dispatch_rules.c. A request that must have a connection of its own
 * (fresh, cold, after RS-5) takes no other; at the limit it closes the one that has been idle
 * longest.
 *
 * Nobody opens a second connection while the first one's ALPN may make it unnecessary. As soon as
 * the protocol of an origin is known to be HTTP/1.1 nobody waits for it any more; where it is known
 * to be HTTP/2, as many wait for a set-up as it will have streams. When a set-up fails those who
 * waited for it all open their own: a server that does not answer is waited for twice, not once a
 * request.
 */
#include "dispatch.h"

#include "connection.h"
#include "descriptors.h"
#include "dispatch_rules.h"
#include "easy.h"
#include "service_point.h"
#include "transfer_abort.h"
#include "transfer_end.h"
#include "transfer_launch.h"
#include "transfer_route.h"
#include "transfer_trace.h"
#include "tunnel_error.h"

#include <stdio.h>

static np_transfer *first_of(np_link *list)
{
    return np_list_empty(list) ? NULL : np_item(list->next, np_transfer, in_queue);
}

/* --- waiting --- */

static void end_wait_span(np_transfer *transfer, uint64_t now_ns)
{
    if (!transfer->wait_span)
        return;
    np_emit_span_end(transfer->engine->producer, now_ns, transfer->number, transfer->wait_span,
                     NP_SPAN_OK, NULL);
    transfer->wait_span = 0;
}

static void begin_wait_span(np_transfer *transfer, np_span_kind kind, uint32_t connection,
                            const char *name)
{
    np_producer *producer = transfer->engine->producer;
    if (!producer || (transfer->wait_span && transfer->wait_kind == kind))
        return;
    const uint64_t now_ns = np_now();
    end_wait_span(transfer, now_ns);
    transfer->wait_kind = kind;
    transfer->wait_span = np_emit_span_begin(producer, now_ns, transfer->number, connection,
                                             NP_PHASE_QUEUE, kind, 0, name);
}

static bool has_slot_span(const np_transfer *transfer)
{
    return transfer->wait_span && transfer->wait_kind == NP_SPAN_WAIT_FOR_SLOT;
}

/* Who holds what is waited for: the connection that has been there longest stands for all. */
static uint32_t number_of_oldest(const np_service_point *point)
{
    return np_list_empty(&point->connections)
               ? 0
               : np_item(point->connections.next, np_connection, in_point)->number;
}

static void begin_slot_span(const np_service_point *point, np_transfer *transfer)
{
    char name[64];
    if (np_descriptors_are_awaited(point))
        (void)snprintf(name, sizeof name, "no file descriptor free for another connection");
    else
        (void)snprintf(name, sizeof name, "%u of %u connections in use", point->connection_count,
                       point->limit);
    begin_wait_span(transfer, NP_SPAN_WAIT_FOR_SLOT, number_of_oldest(point), name);
}

/* Those that came to the front of the queue and not from behind have none yet. */
static void begin_slot_spans_in_front(np_service_point *point)
{
    for (np_link *link = point->waiting.next; link != &point->waiting; link = link->next) {
        np_transfer *transfer = np_item(link, np_transfer, in_queue);
        if (has_slot_span(transfer))
            return;
        begin_slot_span(point, transfer);
    }
}

static void wait_for_slot(np_service_point *point, np_transfer *transfer)
{
    np_list_remove(&transfer->in_queue);
    np_list_push_back(&point->waiting, &transfer->in_queue);
    if (point->engine->producer)
        begin_slot_span(point, transfer);
}

static uint32_t number_of_setup(const np_service_point *point)
{
    const np_link *all = &point->connections;
    for (np_link *link = all->next; link != all; link = link->next) {
        const np_connection *connection = np_item(link, np_connection, in_point);
        if (connection->expected)
            return connection->number;
    }
    return 0;
}

static void await_protocol(np_service_point *point, np_transfer *transfer)
{
    np_list_remove(&transfer->in_queue);
    np_list_push_back(&point->awaiting, &transfer->in_queue);
    point->awaiting_count++;
    transfer->is_awaiting = true;
    begin_wait_span(transfer, NP_SPAN_WAIT_FOR_CONNECTION, number_of_setup(point),
                    point->protocol == 20 ? "an HTTP/2 connection is being set up"
                                          : "the protocol of a new connection is not known yet");
}

/* They came before anybody who waits for a slot now. */
static void look_at_awaiting_again(np_service_point *point)
{
    while (!np_list_empty(&point->awaiting)) {
        np_link *link = point->awaiting.previous;
        np_item(link, np_transfer, in_queue)->is_awaiting = false;
        np_list_remove(link);
        np_list_push_front(&point->waiting, link);
    }
    point->awaiting_count = 0;
}

/* --- taking a connection that is there --- */

static void grant(np_transfer *transfer, np_connection *connection)
{
    const uint64_t now_ns = np_engine_stamp(transfer->engine);
    np_list_remove(&transfer->in_queue);
    end_wait_span(transfer, now_ns);
    if (connection->state == NP_CONNECTION_IDLE)
        np_connection_reserve(connection, transfer);
    else
        np_connection_share(connection, transfer);
    transfer->connection = connection;
    np_trace_queue_end(transfer, now_ns);
    np_transfer_launch(transfer, connection, now_ns);
}

/* Would libcurl and the request take this one? */
static bool fits(const np_transfer *transfer, const np_connection *connection)
{
    if (connection->number <= transfer->newer_than)
        return false;
    if (!connection->handed_over)
        return true; /* nothing was offered yet */
    if (!transfer->wants_h2)
        return connection->protocol != 20;
    return connection->offers_h2 || connection->point->protocol == 11;
}

/* The most recently used idle connection that fits; those whose lease is over are closed. */
static np_connection *find_idle(np_service_point *point, const np_transfer *transfer)
{
    const uint64_t now_ns = np_loop_now(point->engine->loop);
    np_link *link = point->idle.next;
    while (link != &point->idle) {
        np_connection *connection = np_item(link, np_connection, in_idle);
        link = link->next;
        if (np_connection_is_over(connection, now_ns))
            np_connection_close(connection, NP_CLOSE_LEASE_OVER, now_ns);
        else if (fits(transfer, connection))
            return connection;
    }
    return NULL;
}

static np_connection *find_room(np_service_point *point, const np_transfer *transfer)
{
    const uint64_t now_ns = np_loop_now(point->engine->loop);
    np_link *link = transfer->wants_h2 ? point->shared.next : &point->shared;
    while (link != &point->shared) {
        np_connection *connection = np_item(link, np_connection, in_shared);
        link = link->next;
        if (np_connection_is_over(connection, now_ns))
            np_connection_doom(connection, NP_CLOSE_LEASE_OVER);
        else if (fits(transfer, connection))
            return connection;
    }
    return NULL;
}

static bool may_share_a_setup(const np_service_point *point, const np_transfer *transfer)
{
    if (!transfer->wants_h2 || point->setup_count == 0 || point->setup_lost)
        return false;
    if (point->protocol == 20) /* each has a request of its own, too */
        return point->awaiting_count < point->setup_count * (point->stream_limit - 1);
    return point->protocol == 0;
}

/* --- opening --- */

/* There was no descriptor after all: it is the next one to get one. */
static void wait_for_descriptor(np_transfer *transfer, np_connection *connection, uint64_t now_ns)
{
    np_service_point *point = transfer->point;
    np_descriptors_refused(point->engine);
    transfer->connection = NULL;
    transfer->stage = NP_STAGE_QUEUE;
    transfer->dns_cached = false;
    np_emit_phase_begin(point->engine->producer, np_now(), transfer->number, NP_PHASE_QUEUE,
                        NP_SOURCE_CALL);
    np_connection_detach(connection, transfer);
    np_connection_close(connection, NP_CLOSE_NO_DESCRIPTOR, now_ns);
    np_list_push_front(&point->waiting, &transfer->in_queue);
    np_descriptors_await(point);
}

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
    if (transfer && result->no_descriptor && !np_descriptors_give_up(transfer, 1)) {
        wait_for_descriptor(transfer, connection, now_ns);
        return;
    }
    np_error failure = result->error;
    np_tunnel_explain_dial(connection->tunnel, &failure);
    if (transfer && np_route_fail_over(transfer, &failure, now_ns))
        return;
    if (transfer)
        np_connection_detach(connection, transfer);
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

/* Why a connection has to be opened, and which one did not do. */
static np_new_because find_reason(np_service_point *point, const np_transfer *transfer,
                                  uint32_t *unlike)
{
    np_connection *other = NULL;
    if (!np_list_empty(&point->idle))
        other = np_item(point->idle.next, np_connection, in_idle);
    else if (!np_list_empty(&point->shared) && !transfer->wants_h2)
        other = np_item(point->shared.next, np_connection, in_shared);
    *unlike = other ? other->number : 0;
    if (transfer->new_because != NP_NEW_UNKNOWN)
        return transfer->new_because;
    if (transfer->must_be_new)
        return NP_NEW_FORCED;
    if (transfer->newer_than)
        return NP_NEW_DEAD_ON_REUSE;
    if (other)
        return NP_NEW_OPTIONS_DIFFER;
    if (point->connection_count > 0)
        return NP_NEW_ALL_BUSY;
    if (point->last_loss != NP_NEW_UNKNOWN)
        return point->last_loss;
    other = np_service_point_idle_of_other_group(point);
    *unlike = other ? other->number : 0;
    return other ? NP_NEW_GROUP_DIFFERS : NP_NEW_FIRST;
}

static void open_for(np_service_point *point, np_transfer *transfer)
{
    const uint64_t now_ns = np_now();
    uint32_t unlike;
    const np_new_because because = find_reason(point, transfer, &unlike);
    np_list_remove(&transfer->in_queue);
    end_wait_span(transfer, now_ns);
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

static np_connection *oldest_idle(const np_service_point *point)
{
    return np_item(point->idle.previous, np_connection, in_idle);
}

static void evict(np_connection *connection)
{
    np_connection_close(connection, NP_CLOSE_EVICTED, np_loop_now(connection->engine->loop));
}

static np_dispatch_view look(np_service_point *point, np_transfer *transfer, np_connection *idle,
                             np_connection *room)
{
    np_dispatch_view view = {.must_be_new = transfer->must_be_new,
                             .has_fitting = idle != NULL,
                             .has_idle = !np_list_empty(&point->idle),
                             .has_room = room != NULL,
                             .may_share = may_share_a_setup(point, transfer),
                             .connection_count = point->connection_count,
                             .limit = point->limit,
                             .has_descriptor = true};
    if (np_dispatch_choose(&view) != NP_DISPATCH_OPEN)
        return view;
    view.has_descriptor =
        np_descriptors_suffice(point->engine) || np_descriptors_give_up(transfer, 0);
    view.may_free_one = !view.has_descriptor && np_descriptors_idle(point->engine);
    return view;
}

/* false: it has to wait, for a slot or a descriptor. */
static bool serve(np_service_point *point, np_transfer *transfer)
{
    np_connection *idle = transfer->must_be_new ? NULL : find_idle(point, transfer);
    np_connection *room = transfer->must_be_new || idle ? NULL : find_room(point, transfer);
    const np_dispatch_view view = look(point, transfer, idle, room);
    switch (np_dispatch_choose(&view)) {
    case NP_DISPATCH_IDLE:
        grant(transfer, idle);
        return true;
    case NP_DISPATCH_STREAM:
        grant(transfer, room);
        return true;
    case NP_DISPATCH_AWAIT:
        await_protocol(point, transfer);
        return true;
    case NP_DISPATCH_REPLACE:
        evict(oldest_idle(point));
        open_for(point, transfer);
        return true;
    case NP_DISPATCH_OPEN:
        open_for(point, transfer);
        return true;
    case NP_DISPATCH_FREE:
        evict(np_descriptors_idle(point->engine));
        return serve(point, transfer);
    case NP_DISPATCH_NO_DESCRIPTOR:
        np_descriptors_await(point);
        return false;
    case NP_DISPATCH_WAIT:
        break;
    }
    return false;
}

/* The first transfer whose own connect is under way and that would take this one. */
static np_transfer *find_opening(const np_service_point *point, const np_connection *connection)
{
    for (np_link *link = point->opening.next; link != &point->opening; link = link->next) {
        np_transfer *transfer = np_item(link, np_transfer, in_queue);
        if (!transfer->must_be_new && fits(transfer, connection))
            return transfer;
    }
    return NULL;
}

static void serve_opening(np_service_point *point)
{
    np_transfer *transfer;
    while (!np_list_empty(&point->idle)) {
        np_connection *connection = np_item(point->idle.next, np_connection, in_idle);
        if (!(transfer = find_opening(point, connection)))
            return;
        np_connection *own = transfer->connection;
        transfer->connection = NULL;
        transfer->left_connect = true;
        np_connection_disown(own, np_now());
        grant(transfer, connection);
    }
}

static void dispatch_point(np_service_point *point)
{
    np_transfer *transfer;
    if (point->setup_changed || !np_list_empty(&point->idle) || !np_list_empty(&point->shared))
        look_at_awaiting_again(point);
    point->setup_changed = false;
    while ((transfer = first_of(&point->waiting)) && serve(point, transfer)) {
    }
    while ((transfer = first_of(&point->arriving))) {
        if (!np_list_empty(&point->waiting) || !serve(point, transfer))
            wait_for_slot(point, transfer);
    }
    serve_opening(point);
    if (point->engine->producer)
        begin_slot_spans_in_front(point);
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
