/* Transfers that are ended from outside: by their owner, or because their time is over. Floor 2;
 * loop thread only. */
#include "transfer_abort.h"

#include "connection.h"
#include "easy.h"
#include "transfer_end.h"
#include "transfer_error.h"
#include "transfer_route.h"
#include "tunnel.h"

#include "fail.h"

#include <stdio.h>

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
    const np_close_reason reason = np_transfer_close_reason(&failure);
    np_route_leave(transfer, now_ns);
    np_connection *connection = transfer->connection;
    np_easy *easy = transfer->easy;
    if (easy)
        np_transfer_count_wire(transfer);
    np_transfer_trace_end(transfer, &failure, now_ns);
    np_list_remove(&transfer->in_queue);
    if (transfer->is_awaiting) /* else it may have no service point: its proxy is being decided */
        transfer->point->awaiting_count--;
    if (easy && easy->transfer == transfer) {
        np_transfer_tear_out(transfer, reason, now_ns);
    } else {
        if (easy)
            np_easy_rest(easy);
        transfer->easy = NULL;
        if (connection && transfer->upload.held)
            np_transfer_give_up_connection(transfer, reason, now_ns);
        else if (connection)
            leave_opening(transfer, reason, now_ns);
    }
    np_transfer_end(transfer, &failure);
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

/* Is it the proxy that is waited for, and no name of the origin? */
static bool waits_for_proxy(const np_transfer *transfer)
{
    const np_tunnel *tunnel = transfer->connection ? transfer->connection->tunnel : NULL;
    return transfer->stage == NP_STAGE_SETUP && tunnel && !tunnel->lookup &&
           tunnel->stage < NP_TUNNEL_STANDS;
}

void np_transfer_timed_out(np_transfer *transfer, const char *limit)
{
    np_error cause;
    (void)np_fail_web(&cause, NP_WEB_TIMEOUT, NULL, 0, NULL, "%s while %s", limit,
                      np_transfer_activity(transfer));
    if (waits_for_proxy(transfer))
        (void)np_wrap(&cause, "proxy %s", transfer->connection->tunnel->proxy->text);
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
    if (!np_route_fail_over(transfer, &cause, now_ns))
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
    np_transfer_timed_out(transfer, limit);
}
