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

/* Lock held. The response goes to the operation that asks for it. */
static np_async *complete_response_locked(np_request *request)
{
    np_error failure = request->refusal;
    const int status = request->response.status;
    const bool success = !failure.status && counts_as_success(request, status);
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
    return request->header_waits ? complete_response_locked(request) : NULL;
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
    return np_block_response_is_pending(request) ? complete_response_locked(request) : NULL;
}

static void on_header(np_transfer *transfer, void *user)
{
    np_request *request = user;
    np_async *finished = NULL, *written = NULL;
    np_response header = {0};
    np_error refusal;
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

static bool on_body(np_transfer *transfer, const void *data, size_t length, void *user)
{
    np_request *request = user;
    np_async *finished = NULL;
    np_body_answer answer = NP_BODY_TAKEN;
    pthread_mutex_lock(&request->lock);
    const bool wanted = !request->response_closed && request->state != NP_REQUEST_ABORTED;
    if (wanted) /* else nobody will read it, and the loop has a message on its way */
        answer = np_body_append(&request->body, &request->context->bodies, data, length);
    request->paused = answer == NP_BODY_FULL;
    if (answer == NP_BODY_TAKEN && wanted)
        finished = np_reading_serve_locked(request);
    pthread_mutex_unlock(&request->lock);

    if (answer == NP_BODY_NO_MEMORY) {
        np_error failure;
        (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory for the response's body");
        np_transfer_abort(transfer, &failure);
    }
    np_context_finish_later(request->context, finished);
    return answer != NP_BODY_FULL;
}

static void finish_later(np_request *request, const np_completed *completed)
{
    np_context_finish_later(request->context, completed->stream);
    np_context_finish_later(request->context, completed->operation);
    np_context_finish_later(request->context, completed->read);
    np_context_finish_later(request->context, completed->write);
}

/* Lock held. No header has come: what is pending fails, and the request with it (ER-3). */
static void fail_request_locked(np_request *request, const np_error *failure, np_completed *out)
{
    request->failure = *failure;
    np_ending_fail_pending_locked(request, failure, out);
    request->state = np_life_next(request->state, NP_LIFE_FAILED);
    pthread_cond_broadcast(&request->changed); /* a synchronous write */
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
        fail_request_locked(request, failure ? failure : &nothing_came, &completed);
    } else if (failure) {
        request->body_failure = *failure;
    }
    completed.read = np_reading_serve_locked(request);
    np_async *written = np_sending_answered_locked(request, 0); /* nobody takes any more */
    completed.write = completed.write ? completed.write : written;
    pthread_mutex_unlock(&request->lock);
    finish_later(request, &completed);
    np_request_drop(request); /* the loop's */
}

static void start_hop(np_request *request);

static void on_done(np_transfer *transfer, const np_error *failure, void *user)
{
    np_request *request = user;
    np_error broken;
    switch (np_follow_done(request, transfer, failure, &broken)) {
    case NP_FOLLOW_NEXT:
        start_hop(request);
        break;
    case NP_FOLLOW_FAIL:
        end_transfer(request, &broken);
        break;
    case NP_FOLLOW_END:
        end_transfer(request, failure);
        break;
    }
}

static const np_transfer_handler handler = {.header = on_header,
                                            .body = on_body,
                                            .done = on_done,
                                            .ready = np_sending_on_ready,
                                            .upload = np_sending_on_upload,
                                            .rewind = np_sending_on_rewind};

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
