/*
 * Between the caller's threads and the loop: starting a transfer, what the engine reports of it,
 * and how everything ends. Floor 2.
 *
 * The four functions of the handler and the two tasks run on the loop; everything else on any
 * thread. No callback of a caller, no wait and no call of the engine happens with a request's lock
 * held (SM-4).
 */
#include "exchange.h"
#include "decompression.h"
#include "ending.h"
#include "fail.h"
#include "follow.h"
#include "message.h"
#include "reading.h"
#include "sending.h"
#include <stdlib.h>

/* --- the engine's reports --- */

/* GR-14: a 3xx is what the caller wants to see when it does not want it followed. */
static bool counts_as_success(const np_request *request, int status)
{
    return status >= 200 && status <= (request->follow.auto_redirect ? 299 : 399);
}

/* Copies what the engine knows of the header; false: no memory. */
static bool copy_header(np_transfer *transfer, np_response *out)
{
    const np_header_line *lines = np_transfer_headers(transfer, &out->header_count);
    out->headers = np_header_copy(lines, out->header_count);
    if (out->headers && np_transfer_decodes(transfer))
        out->header_count = np_decompression_hide(out->headers, out->header_count);
    out->status = np_transfer_status(transfer);
    out->protocol = np_transfer_protocol(transfer);
    out->content_length = np_transfer_content_length(transfer);
    return out->headers != NULL;
}

/* Lock held. Is the response, whose header has come, whole enough to be handed out? */
static bool may_be_handed_out(const np_request *request)
{
    return request->header_waits && (!request->read_buffering || request->body_ended);
}

/* Lock held. The response goes to the operation that asks for it. */
static np_async *complete_response_locked(np_request *request)
{
    np_error failure = request->refusal;
    const int status = request->response.status;
    bool success = !failure.status && counts_as_success(request, status);
    if (success && request->read_buffering && request->body_failure.status) {
        failure = request->body_failure;
        success = false;
    }
    request->state = np_life_next(request->state, success ? NP_LIFE_HEADER : NP_LIFE_FAILED);
    if (!success && !failure.status)
        (void)np_fail_web(&failure, NP_WEB_PROTOCOL_ERROR, NULL, status, NULL,
                          "the server answered with status %d", status);
    if (!success)
        request->failure = failure;
    request->header_waits = false;
    np_async_complete(&request->operation, success ? NULL : &failure);
    return &request->operation;
}

np_async *np_exchange_early_header_locked(np_request *request)
{
    return may_be_handed_out(request) ? complete_response_locked(request) : NULL;
}

/* Lock held. The operation completes where it is pending and its response may be handed out. */
static np_async *answer_locked(np_request *request)
{
    return np_block_response_is_pending(request) && may_be_handed_out(request)
               ? complete_response_locked(request)
               : NULL;
}

static uint64_t kib_to_bytes(int64_t kib)
{
    return kib > INT64_MAX / 1024 ? UINT64_MAX : (uint64_t)kib * 1024;
}

/* A response may come while the body is still being written: then it waits to be asked for. */
static np_async *accept_header_locked(np_request *request, const np_response *header,
                                      const np_error *refusal)
{
    np_response *response = &request->response;
    response->headers = header->headers;
    response->header_count = header->header_count;
    response->status = header->status;
    response->protocol = header->protocol;
    response->content_length = header->content_length;
    response->uri = request->follow.url->text;
    response->method = request->follow.method;
    request->refusal = *refusal;
    request->has_response = request->header_waits = true;
    request->body.unbounded = request->read_buffering;
    request->body_limited =
        request->error_limit_kib >= 0 && !counts_as_success(request, header->status);
    request->body_left = request->body_limited ? kib_to_bytes(request->error_limit_kib) : 0;
    return answer_locked(request);
}

static void on_header(np_transfer *transfer, void *user)
{
    np_request *request = user;
    np_async *finished = NULL, *written = NULL;
    np_response header = {0};
    np_error refusal;
    np_old_origins_note(&request->context->old_origins, request->follow.url,
                        np_transfer_protocol(transfer));
    if (np_follow_header(request, transfer, &refusal))
        return;
    if (!copy_header(transfer, &header)) {
        np_error failure;
        (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory for the response's header");
        np_transfer_abort(transfer, &failure); /* done() completes the operation */
        return;
    }
    pthread_mutex_lock(&request->lock);
    const bool accepted = np_block_is_under_way(request);
    if (accepted) {
        finished = accept_header_locked(request, &header, &refusal);
        written = np_sending_answered_locked(request, header.status);
    }
    pthread_mutex_unlock(&request->lock);
    if (!accepted)
        free(header.headers); /* aborted meanwhile */
    else if (request->refusal.status)
        np_transfer_refuse(transfer, &request->refusal);
    np_context_finish_later(request->context, finished);
    np_context_finish_later(request->context, written);
}

/* Lock held. What of `length` bytes is within the limit of an error response (GR-14). */
static size_t within_limit(const np_request *request, size_t length)
{
    return request->body_limited && length > request->body_left ? (size_t)request->body_left
                                                                : length;
}

/* Lock held. Takes bytes of the body, and marks its end where the limit is reached. */
static np_body_answer take_body_locked(np_request *request, const void *data, size_t length)
{
    const size_t wanted = within_limit(request, length);
    const np_body_answer answer =
        wanted > 0 ? np_body_append(&request->body, &request->context->bodies, data, wanted)
                   : NP_BODY_TAKEN;
    if (answer != NP_BODY_TAKEN)
        return answer;
    request->body_left -= request->body_limited ? wanted : 0;
    request->body_cut = wanted < length;
    request->body_ended |= request->body_cut;
    return NP_BODY_TAKEN;
}

static bool on_body(np_transfer *transfer, const void *data, size_t length, void *user)
{
    np_request *request = user;
    np_async *read = NULL, *answered = NULL;
    np_body_answer answer = NP_BODY_TAKEN;
    pthread_mutex_lock(&request->lock);
    const bool wanted = !request->response_closed && request->state != NP_REQUEST_ABORTED;
    if (wanted) /* else nobody will read it, and the loop has a message on its way */
        answer = take_body_locked(request, data, length);
    request->paused = answer == NP_BODY_FULL;
    if (answer == NP_BODY_TAKEN && wanted)
        read = np_reading_serve_locked(request);
    if (request->body_cut)
        answered = answer_locked(request);
    const bool cut = request->body_cut;
    pthread_mutex_unlock(&request->lock);

    if (answer == NP_BODY_NO_MEMORY) {
        np_error failure;
        (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory for the response's body");
        np_transfer_abort(transfer, &failure);
    } else if (cut) {
        np_transfer_settle(transfer);
        np_message_drain(request, transfer);
    }
    np_context_finish_later(request->context, read);
    np_context_finish_later(request->context, answered);
    return answer != NP_BODY_FULL;
}

static void finish_later(np_request *request, const np_completed *completed)
{
    np_context_finish_later(request->context, completed->stream);
    np_context_finish_later(request->context, completed->operation);
    np_context_finish_later(request->context, completed->read);
    np_context_finish_later(request->context, completed->write);
}

/* Is this how a length or a last chunk is missed, and is that to be no failure (RB-5)? */
static bool is_forgiven(const np_request *request, const np_error *failure)
{
    return request->context->lenient_eof && failure->status == NP_E_WEB &&
           failure->web_status == NP_WEB_CONNECTION_CLOSED;
}

static void end_transfer(np_request *request, const np_error *failure)
{
    np_error nothing_came;
    np_completed completed = {0};
    pthread_mutex_lock(&request->lock);
    request->transfer = NULL;
    request->transfer_gone = true;
    request->body_ended = true;
    if (np_block_is_under_way(request) && !request->has_response) {
        if (!failure)
            (void)np_fail_web(&nothing_came, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL,
                              "the connection ended without a response");
        np_ending_fail_locked(request, failure ? failure : &nothing_came, &completed);
    } else if (failure && !request->body_cut && !is_forgiven(request, failure)) {
        request->body_failure = *failure;
    }
    completed.operation = completed.operation ? completed.operation : answer_locked(request);
    completed.read = np_reading_serve_locked(request);
    np_async *written = np_sending_answered_locked(request, 0); /* nobody takes any more */
    completed.write = completed.write ? completed.write : written;
    pthread_mutex_unlock(&request->lock);
    finish_later(request, &completed);
    np_request_drop(request); /* the loop's */
}

static void start_hop(np_request *request);

/* RS-1: the caller is still writing what nobody takes any more; the next hop starts when it has
 * closed the stream. */
static void wait_for_body(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    request->transfer = NULL;
    const bool waits = !request->send_closed && request->state != NP_REQUEST_ABORTED;
    request->go_on = waits ? start_hop : NULL;
    pthread_mutex_unlock(&request->lock);
    if (!waits)
        start_hop(request);
}

static void on_done(np_transfer *transfer, const np_error *failure, void *user)
{
    np_request *request = user;
    np_error broken;
    switch (np_follow_done(request, transfer, failure, &broken)) {
    case NP_FOLLOW_NEXT:
        start_hop(request);
        break;
    case NP_FOLLOW_WAIT:
        wait_for_body(request);
        break;
    case NP_FOLLOW_FAIL:
        end_transfer(request, &broken);
        break;
    case NP_FOLLOW_END:
        end_transfer(request, failure);
        break;
    }
}

/* --- 100 Continue --- */

static void tell_continue(np_pool_job *job)
{
    np_request *request = (np_request *)((char *)job - offsetof(np_request, continue_job));
    for (bool more = true; more;) {
        request->continue_fn(request, 100, request->continue_user);
        pthread_mutex_lock(&request->lock);
        more = --request->continues > 0;
        pthread_mutex_unlock(&request->lock);
    }
    np_request_drop(request);
}

static void on_continued(np_transfer *transfer, void *user)
{
    (void)transfer;
    np_request *request = user;
    if (!request->continue_fn)
        return;
    pthread_mutex_lock(&request->lock);
    const bool is_told_already =
        request->continues++ > 0; /* the job under way tells this one too */
    pthread_mutex_unlock(&request->lock);
    if (is_told_already)
        return;
    np_request_hold(request);
    request->continue_job.run = tell_continue;
    if (!np_callback_pool_push(request->context->pool, &request->continue_job))
        np_request_drop(request); /* the context is gone: nobody is there to be told */
}

static const np_transfer_handler handler = {.header = on_header,
                                            .body = on_body,
                                            .done = on_done,
                                            .ready = np_sending_on_ready,
                                            .upload = np_sending_on_upload,
                                            .rewind = np_sending_on_rewind,
                                            .continued = on_continued};

/* --- start --- */

static void start_hop(np_request *request)
{
    np_transfer *transfer =
        np_transfer_start(request->context->engine, &request->spec, &handler, request);
    if (!transfer) {
        np_error failure;
        (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory to start the request");
        end_transfer(request, &failure);
        return;
    }
    request->transfer = transfer;
    if (request->spec.hop == 0)
        request->follow.first_number = np_transfer_number(transfer);
    np_message_obey(
        request); /* an abort may have come before: then it is in the trace as one that was aborted
                   */
}

static void start_arrived(np_loop_task *task)
{
    np_request *request = (np_request *)((char *)task - offsetof(np_request, start_task));
    np_follow_prepare(request);
    start_hop(request);
}

void np_exchange_start(np_request *request)
{
    np_request_hold(request); /* the loop's, until done() */
    request->start_task.run = start_arrived;
    if (np_context_post(request->context, &request->start_task))
        return;
    /* the context is being freed: its abort has completed the operation, or will */
    pthread_mutex_lock(&request->lock);
    request->transfer_gone = true;
    pthread_mutex_unlock(&request->lock);
    np_request_drop(request);
}
