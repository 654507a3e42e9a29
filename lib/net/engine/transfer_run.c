/*
 * A transfer: one hop of a request, from the queue of its service point to the call of done().
 * Floor 2; loop thread only.
 *
 *   start ─► QUEUE ─► SETUP (its own connect, TLS) ─► SEND ─► WAIT ─► RECEIVE ─► end
 *              └────── launch on an idle connection ───┘
 *
 * Here is what its owner calls, and what it asked for and had to wait for the turn's end. The
 * queue is transfer_route.c and dispatch.c; then transfer_launch.c, libcurl's callbacks
 * (curl_events.c), transfer_finish.c or transfer_abort.c, and transfer_end.c.
 */
#include "transfer_run.h"

#include "multi.h"
#include "service_point.h"
#include "transfer_abort.h"
#include "transfer_end.h"
#include "transfer_finish.h"
#include "transfer_launch.h"
#include "transfer_route.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "turn_end.h"

#include "fail.h"

static void on_deadline(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_transfer_timed_out(user, "timed out");
}

static void on_drain_deadline(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_transfer *transfer = user;
    np_error cause;
    (void)np_fail_web(&cause, NP_WEB_REQUEST_CANCELED, NULL, 0, NULL,
                      "the rest of the response did not come in time");
    transfer->drain_expired = true;
    np_transfer_abort(transfer, &cause);
}

np_transfer *np_transfer_start(np_engine *engine, const np_transfer_spec *spec,
                               const np_transfer_handler *handler, void *user)
{
    const np_pool_key key = np_route_key(spec);
    np_service_point *point = np_service_point_get(engine, &key);
    np_transfer *transfer = point ? np_transfer_take(engine) : NULL;
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
            np_transfer_give_back(transfer);
            return NULL;
        }
    }
    np_trace_request_begin(transfer, spec->begin_ns, NP_SOURCE_CALL);
    if (!np_route_begin(transfer)) {
        np_loop_timer_cancel(transfer->deadline_timer);
        np_transfer_give_back(transfer);
        return NULL;
    }
    engine->transfer_count++;
    if (!np_loop_is_current(engine->loop))
        np_turn_end_wake(engine);
    return transfer;
}

void np_transfer_resume(np_transfer *transfer)
{
    if (!transfer->ended && transfer->paused)
        np_turn_end_go_on(transfer, NP_GO_RECEIVE);
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
        np_transfer_launch_held(transfer);
        return;
    }
    if (to_do & NP_GO_COMPLETE) {
        np_transfer_finish(transfer, CURLE_OK);
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
        np_transfer_finish(transfer, rc);
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

void np_transfer_settle(np_transfer *transfer)
{
    transfer->settled = true;
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
