/* The rounds that follow a 407 of a forwarding proxy. Floor 2; loop thread only. */
#include "round.h"

#include "transfer_trace.h"
#include "tunnel.h"
#include "tunnel_auth.h"
#include "upload.h"

#include <string.h>
#include <strings.h>

enum {
    ROUNDS_MAX = 3 /* asked, and the challenge went stale meanwhile: more is a proxy in a loop */
};

static bool has_credentials(const np_transfer *transfer)
{
    return transfer->point->proxy && transfer->point->proxy->user;
}

static unsigned offered_by(np_transfer *transfer)
{
    size_t count;
    unsigned offered = 0;
    const np_header_line *lines = np_field_lines_get(&transfer->header, &count);
    for (size_t i = 0; i < count; i++)
        if (lines[i].name_length == 18 && strncasecmp(lines[i].name, "proxy-authenticate", 18) == 0)
            offered |= np_proxy_auth_offered(lines[i].value, lines[i].value_length);
    return offered;
}

bool np_round_may_follow(const np_transfer *transfer)
{
    return transfer->status == 407 && has_credentials(transfer) && !transfer->point->tls &&
           transfer->point->proxy->kind <= NP_PROXY_HTTPS && transfer->route.rounds < ROUNDS_MAX;
}

bool np_transfer_may_answer_proxy(const np_transfer *transfer)
{
    return transfer->status == 407 && has_credentials(transfer) && transfer->route.rounds == 0;
}

void np_round_next_hop(np_transfer *transfer, uint64_t now_ns)
{
    np_producer *producer = transfer->engine->producer;
    np_proxy_auth_learn(transfer->point, offered_by(transfer));
    np_upload_end(transfer, now_ns);
    np_trace_pauses_end(transfer, NP_PHASE_RECEIVE, now_ns);
    np_emit_phase_end(producer, now_ns, transfer->number, NP_PHASE_RECEIVE, NP_SOURCE_CALLBACK);
    np_trace_request_end(transfer, now_ns, NP_OUTCOME_OK, NULL);
    if (transfer->hop_of == 0)
        transfer->hop_of = transfer->number;
    transfer->hop++;
    transfer->hop_reason = NP_HOP_PROXY_AUTH;
    transfer->route.is_held = false;
    transfer->route.rounds++;
    transfer->answered = transfer->header_done = false;
    transfer->status = transfer->protocol = 0;
    transfer->content_length = transfer->expected_bytes = -1;
    transfer->received_bytes = 0;
    transfer->send_end_ns = transfer->last_ns = 0;
    transfer->wait_begin_ns = transfer->receive_begin_ns = 0;
    transfer->late_ns = transfer->late_count = 0;
    transfer->header_bytes = 0;
    np_field_lines_reset(&transfer->header);
    np_trace_request_begin(transfer, now_ns, NP_SOURCE_CALL);
}

bool np_round_begin(np_transfer *transfer, uint64_t now_ns)
{
    if (!transfer->route.is_held)
        return false;
    np_round_next_hop(transfer, now_ns);
    np_trace_queue_end(transfer, now_ns);
    np_upload_reset(transfer);
    transfer->reused = true;
    transfer->connection->uses++;
    return true;
}

/* It closes after its 407: either it says so, then libcurl asks for a socket, or it does not, then
 * the next CONNECT is answered by nothing. */
static bool closes_after_connect(const np_transfer *transfer, CURLcode code)
{
    const np_tunnel *tunnel = transfer->connection ? transfer->connection->tunnel : NULL;
    if (!tunnel || tunnel->stage != NP_TUNNEL_CONNECT)
        return false;
    if (code == CURLE_COULDNT_CONNECT && transfer->no_socket)
        return tunnel->is_complete && tunnel->status == 407;
    const bool is_lost =
        code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
    return is_lost && tunnel->rounds > 1 && !tunnel->answered;
}

bool np_round_was_refused(const np_transfer *transfer, CURLcode code)
{
    return transfer->route.is_held && ((code == CURLE_COULDNT_CONNECT && transfer->no_socket) ||
                                       code == CURLE_SEND_FAIL_REWIND);
}

bool np_round_wants_connection(np_transfer *transfer, CURLcode code)
{
    if (transfer->route.was_again || !has_credentials(transfer))
        return false;
    transfer->route.was_again =
        (np_round_was_refused(transfer, code) && np_upload_may_retry(transfer)) ||
        closes_after_connect(transfer, code);
    return transfer->route.was_again;
}
