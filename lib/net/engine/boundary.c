/*
 * The boundaries of a request that libcurl has. Floor 2; loop thread only, with libcurl on the
 * stack.
 *
 * Where the boundaries of an HTTP/1.1 request come from; one clock reading each, none when nothing
 * is traced:
 * - send begins at PREREQ, right before libcurl writes the request.
 * - send ends at the return of the step that wrote it. On a connection that was used before libcurl
 *   then begins to wait for input and says so by the socket callback. On a new one it may have
 *   waited for input already: there the first progress callback after PREREQ tells. (HDR_OUT needs
 *   VERBOSE, which formats text for every request, and progress callbacks cost a dozen calls: both
 *   only where nothing else will do. On 400 kept connections' requests each over TCP and TLS the
 *   stamp lay 3 to 4 us behind HDR_OUT's at p50, 7 to 9 us at p99.) A request too long for one
 * write is watched by HDR_OUT and DATA_OUT, and the last one counts; with a body upload.c counts.
 * - receive begins at the status line of the final response; a 1xx before it is a span of wait.
 * - receive ends at the body callback that brings the last announced byte; at the empty line where
 *   there is no body; without a length at the last callback of any kind, the one that lets go of
 * the socket included.
 */
#include "boundary.h"

#include "connection_sample.h"
#include "kernel_time.h"
#include "look.h"
#include "upload_facts.h"

static void begin_wait_at(np_transfer *transfer, np_stamp stamp)
{
    transfer->stage = NP_STAGE_WAIT;
    transfer->wait_begin_ns = stamp.ns;
    np_connection_sample_slow(transfer->connection, transfer->number, NP_PHASE_SEND,
                              transfer->send_begin_ns, stamp.ns);
    np_emit_phase_stamp(transfer->engine->producer, NP_EVENT_PHASE_BEGIN, stamp, transfer->number,
                        NP_PHASE_WAIT);
}

void np_boundary_begin_wait(np_transfer *transfer, uint64_t now_ns)
{
    begin_wait_at(transfer, (np_stamp){.ns = now_ns, .source = NP_SOURCE_CALLBACK});
}

/* libcurl has not seen a response yet. What waits to be read may be one, or a ticket: when it has
   been read we know, and whether the request was out before write() returned. */
void np_boundary_end_send(np_transfer *transfer)
{
    if (transfer->send_end_ns && np_look_has_more(transfer->connection))
        return;
    np_boundary_begin_wait(transfer, transfer->send_end_ns ? transfer->send_end_ns
                                                           : np_engine_stamp(transfer->engine));
}

void np_boundary_step(np_transfer *transfer, int wanted)
{
    if (transfer->stage == NP_STAGE_SEND && wanted == CURL_POLL_IN && !transfer->easy->many_writes)
        np_boundary_end_send(transfer);
    else if (wanted == CURL_POLL_REMOVE && transfer->header_done && transfer->expected_bytes < 0)
        transfer->last_ns = np_engine_stamp(transfer->engine);
}

void np_boundary_give_up(np_transfer *transfer)
{
    if (transfer->stage == NP_STAGE_SEND && transfer->send_end_ns &&
        transfer->spec.body_form == NP_BODY_FORM_NONE)
        np_boundary_begin_wait(transfer, transfer->send_end_ns);
}

/* libcurl looks for the answer before it returns. */
void np_boundary_request_out(np_transfer *transfer)
{
    transfer->send_end_ns = np_engine_stamp(transfer->engine);
    np_look_inside(transfer->connection, transfer->send_begin_ns, transfer->send_end_ns);
}

/* The response has begun at `first`, and the end of send was not told: the request was out by then
   at the latest, even where write() returned later (on a local network it runs the peer). */
static void end_send_before(np_transfer *transfer, np_stamp first, uint64_t now_ns)
{
    const uint64_t end_ns = transfer->send_end_ns ? transfer->send_end_ns : now_ns;
    if (first.source == NP_SOURCE_KERNEL && first.ns < end_ns)
        begin_wait_at(transfer, (np_stamp){.ns = first.ns,
                                           .source = NP_SOURCE_KERNEL,
                                           .uncertainty =
                                               np_uncertainty(first.ns - transfer->send_begin_ns)});
    else
        np_boundary_begin_wait(transfer, end_ns);
}

void np_boundary_begin_receive(np_transfer *transfer, uint64_t now_ns)
{
    const np_stamp first = np_look_first_byte(transfer, now_ns);
    if (transfer->stage == NP_STAGE_SEND && np_upload_is_out(transfer))
        end_send_before(transfer, first, now_ns);
    transfer->stage = NP_STAGE_RECEIVE;
    transfer->last_ns = now_ns;
    np_connection_sample_slow(transfer->connection, transfer->number, NP_PHASE_WAIT,
                              transfer->wait_begin_ns, now_ns);
    transfer->receive_begin_ns = first.ns;
    np_emit_phase_stamp(transfer->engine->producer, NP_EVENT_PHASE_BEGIN, first, transfer->number,
                        NP_PHASE_RECEIVE);
}
