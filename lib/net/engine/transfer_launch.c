/* A transfer and its connection go into libcurl. Floor 2; loop thread only, libcurl not on the
 * stack. */
#include "transfer_launch.h"

#include "connection.h"
#include "easy.h"
#include "multi.h"
#include "transfer_end.h"
#include "transfer_error.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "upload.h"

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
    np_transfer_trace_end(transfer, &failure, failed_ns);
    np_transfer_give_up_connection(transfer, NP_CLOSE_FAILED, failed_ns);
    np_transfer_end(transfer, &failure);
}

void np_transfer_launch_held(np_transfer *transfer)
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
