/*
 * Between the caller's threads and the loop: starting a transfer, what the engine reports of it,
 * and how everything ends. Floor 2.
 *
 * The four functions of the handler and the two tasks run on the loop; everything else on any
 * thread. No callback of a caller, no wait and no call of the engine happens with a request's lock
 * held (SM-4).
 */
#include "clock.h"
#include "fail.h"
#include "sending.h"
#include <assert.h>
#include <stdlib.h>

#define DRAIN_BYTES (64u * 1024)
#define DRAIN_NS    (500 * (uint64_t)NP_NS_PER_MS)

/* --- memory --- */

static void free_block(np_request *request)
{
    np_context *context = request->context;
    assert(!request->transfer && !request->reading && !request->writing);
    np_context_unlink_request(context, &request->link);
    np_body_clear(&request->body, &context->bodies);
    np_outgoing_clear(&request->outgoing, &context->bodies);
    free(request->response.headers);
    np_follow_release(request);
    np_header_list_done(&request->fields);
    free(request->host_header);
    free(request->group_name);
    free(request->method_copy);
    np_proxy_release(request->proxy);
    np_url_done(&request->url);
    pthread_cond_destroy(&request->changed);
    pthread_mutex_destroy(&request->lock);
    free(request);
    np_context_release(context);
}

void np_request_drop(np_request *request)
{
    /* acquire and release: the last one frees what all the others used */
    if (atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) == 1)
        free_block(request);
}

/* --- what callers are told --- */

/* The error of an operation that an abort ended. */
static void abort_error(np_web_status cause, np_error *out)
{
    if (cause == NP_WEB_TIMEOUT)
        (void)np_fail_web(out, cause, NULL, 0, NULL,
                          "the time allowed is over and the request was aborted");
    else
        (void)np_fail_web(out, cause, NULL, 0, NULL, "the request was aborted");
}

static np_status refuse_disposed(np_error *err)
{
    return np_fail(err, NP_E_OBJECT_DISPOSED, "the context of this request was freed");
}

np_status np_exchange_refusal_locked(const np_request *request, np_error *err)
{
    if (np_context_is_disposed(request->context))
        return refuse_disposed(err);
    if (request->state == NP_REQUEST_ABORTED)
        return np_life_refuse(NP_ANSWER_ABORTED, err);
    if (request->response_closed)
        return np_fail_web(err, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL, "the response was closed");
    return NP_OK;
}

/* --- operations --- */

static void operation_dropped(np_async *async)
{
    np_request *request = async->home;
    pthread_mutex_lock(&request->lock);
    request->operation_dropped = true;
    np_async *read = np_exchange_close_unreachable_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
    np_request_drop(request);
}

/* AR-9: a stream that nobody took is closed. */
static void stream_operation_dropped(np_async *async)
{
    np_request *request = async->home;
    pthread_mutex_lock(&request->lock);
    const bool unreachable = !async->ended && request->request_stream.handles == 0;
    pthread_mutex_unlock(&request->lock);
    if (unreachable)
        (void)np_sending_close(request, NULL); /* nobody is there to be told */
    np_request_drop(request);
}

/* Of a read or a write. */
static void read_dropped(np_async *async)
{
    np_request *request = async->home;
    free(async);
    np_request_drop(request);
}

static void (*const drops[])(np_async *async) = {[NP_ASYNC_RESPONSE] = operation_dropped,
                                                 [NP_ASYNC_STREAM] = stream_operation_dropped,
                                                 [NP_ASYNC_READ] = read_dropped,
                                                 [NP_ASYNC_WRITE] = read_dropped};

np_async_setup np_exchange_operation(np_request *request, np_async_kind kind, np_async_fn fn,
                                     void *state, uint32_t references)
{
    return (np_async_setup){
        .kind = kind,
        .home = request,
        .lock = &request->lock,
        .changed = &request->changed,
        .pool = request->context->pool,
        .drop = drops[kind],
        .fn = fn,
        .state = state,
        .references = references,
    };
}

static bool operation_is_pending(const np_request *request)
{
    return request->state == NP_REQUEST_RESPONSE_PENDING;
}

static bool stream_is_pending(const np_request *request)
{
    return request->stream_begun && !np_async_is_done(&request->stream_operation);
}

/* Begun, and its response was not handed to the caller's operation yet. */
static bool is_under_way(const np_request *request)
{
    return request->state >= NP_REQUEST_STREAM_PENDING &&
           request->state <= NP_REQUEST_RESPONSE_PENDING;
}

/* Lock held. Completes the pending read, where there is one, and returns it. */
static np_async *complete_read_locked(np_request *request, size_t bytes, const np_error *failure)
{
    np_async *read = request->read;
    if (!read)
        return NULL;
    request->read = NULL;
    request->reading = false;
    read->bytes = bytes;
    np_async_complete(read, failure);
    return read;
}

np_status np_exchange_end_locked(np_request *request, np_async *async, np_async_kind kind,
                                 np_error *err)
{
    if (async->home != request || async->kind != kind)
        return np_fail(err, NP_E_ARGUMENT,
                       "the result does not come from the begin call of this object");
    if (async->ended)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "end was already called for this result: once per operation");
    async->ended = true;
    (void)np_async_wait_locked(async, 0);
    if (async->error.status) {
        if (err)
            *err = async->error;
        return async->error.status;
    }
    if (np_context_is_disposed(request->context))
        return refuse_disposed(err);
    if (request->state == NP_REQUEST_ABORTED) /* ES-8: after the result, before this call */
        return np_life_refuse(NP_ANSWER_ABORTED, err);
    return NP_OK;
}

np_response *np_exchange_response_locked(np_request *request)
{
    np_request_hold(request);
    request->response.handles++;
    return &request->response;
}

/* --- messages to the loop --- */

/* On the loop: does what is wanted of a running transfer. */
static void obey(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    const unsigned wanted = request->transfer ? request->wanted : 0;
    if (request->transfer)
        request->wanted = 0;
    const int64_t body_length = (int64_t)request->outgoing.written;
    np_error cause;
    abort_error(request->abort_cause, &cause);
    pthread_mutex_unlock(&request->lock);

    if (wanted & NP_WANT_ABORT) {
        np_transfer_abort(request->transfer, &cause);
        return;
    }
    if (wanted & NP_WANT_RELEASE)
        np_transfer_release_body(request->transfer, body_length);
    if (wanted & NP_WANT_SEND)
        np_transfer_resume_upload(request->transfer);
    if (wanted & NP_WANT_DRAIN)
        np_transfer_drain(request->transfer, DRAIN_BYTES,
                          np_loop_now(request->context->loop) + DRAIN_NS);
    else if (wanted & NP_WANT_RESUME)
        np_transfer_resume(request->transfer);
}

static void message_arrived(np_loop_task *task)
{
    np_request *request = (np_request *)((char *)task - offsetof(np_request, message_task));
    pthread_mutex_lock(&request->lock);
    request->message_posted = false;
    pthread_mutex_unlock(&request->lock);
    obey(request); /* before the start there is no transfer: start_arrived looks again */
    np_request_drop(request);
}

void np_exchange_ask_locked(np_request *request, unsigned want)
{
    if (request->transfer_gone)
        return;
    request->wanted |= want;
    if (request->message_posted)
        return;
    np_request_hold(request);
    request->message_task.run = message_arrived;
    request->message_posted = np_context_post(request->context, &request->message_task);
    if (!request->message_posted) /* the loop is going, and the engine with it; ours is not the last
                                     reference */
        atomic_fetch_sub_explicit(&request->references, 1, memory_order_relaxed);
}

/* --- reading --- */

size_t np_exchange_take_locked(np_request *request, void *buffer, size_t capacity)
{
    const size_t got = np_body_read(&request->body, &request->context->bodies, buffer, capacity);
    if (request->paused && request->body.length <= NP_BODY_LOW) {
        request->paused = false;
        np_exchange_ask_locked(request, NP_WANT_RESUME);
    }
    return got;
}

/* Lock held, on the loop. Bytes or the end have come: serves the reader. */
static np_async *serve_reader_locked(np_request *request)
{
    if (!request->read) {
        if (request->reading)
            pthread_cond_broadcast(&request->changed);
        return NULL;
    }
    if (request->body.length > 0)
        return complete_read_locked(
            request, np_exchange_take_locked(request, request->read_buffer, request->read_capacity),
            NULL);
    if (request->body_ended)
        return complete_read_locked(request, 0,
                                    request->body_failure.status ? &request->body_failure : NULL);
    return NULL;
}

np_async *np_exchange_read_locked(np_request *request, np_async *async, void *buffer,
                                  size_t capacity)
{
    request->reading = true;
    request->read = async;
    request->read_buffer = buffer;
    request->read_capacity = capacity;
    return capacity > 0 ? serve_reader_locked(request) : complete_read_locked(request, 0, NULL);
}

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
    return operation_is_pending(request) ? complete_response_locked(request) : NULL;
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
    const bool accepted = is_under_way(request);
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
        finished = serve_reader_locked(request);
    pthread_mutex_unlock(&request->lock);

    if (answer == NP_BODY_NO_MEMORY) {
        np_error failure;
        (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory for the response's body");
        np_transfer_abort(transfer, &failure);
    }
    np_context_finish_later(request->context, finished);
    return answer != NP_BODY_FULL;
}

/* What an event completes, at most. */
typedef struct np_completed {
    np_async *stream, *operation, *read, *write;
} np_completed;

static void finish_later(np_request *request, const np_completed *completed)
{
    np_context_finish_later(request->context, completed->stream);
    np_context_finish_later(request->context, completed->operation);
    np_context_finish_later(request->context, completed->read);
    np_context_finish_later(request->context, completed->write);
}

/* Lock held. What is pending fails. */
static void fail_pending_locked(np_request *request, const np_error *failure, np_completed *out)
{
    if (stream_is_pending(request)) {
        out->stream = &request->stream_operation;
        np_async_complete(out->stream, failure);
    }
    if (operation_is_pending(request)) {
        out->operation = &request->operation;
        np_async_complete(out->operation, failure);
    }
    out->write = np_sending_end_write_locked(request, failure);
}

/* Lock held. No header has come: what is pending fails, and the request with it (ER-3). */
static void fail_request_locked(np_request *request, const np_error *failure, np_completed *out)
{
    request->failure = *failure;
    fail_pending_locked(request, failure, out);
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
    if (is_under_way(request) && !request->has_response) {
        if (!failure)
            (void)np_fail_web(&nothing_came, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL,
                              "the connection ended without a response");
        fail_request_locked(request, failure ? failure : &nothing_came, &completed);
    } else if (failure) {
        request->body_failure = *failure;
    }
    completed.read = serve_reader_locked(request);
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
    obey(request); /* an abort may have come before: then it is in the trace as one that was aborted
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

/* --- ends --- */

void np_exchange_abort(np_request *request, np_web_status cause)
{
    np_error error;
    np_completed completed = {0};
    abort_error(cause, &error);

    np_request_hold(request); /* a callback may release every handle there is */
    pthread_mutex_lock(&request->lock);
    if (request->state == NP_REQUEST_ABORTED) { /* AB-1: the first cause stays */
        pthread_mutex_unlock(&request->lock);
        np_request_drop(request);
        return;
    }
    const bool was_submitted = request->state != NP_REQUEST_CREATED;
    fail_pending_locked(request, &error, &completed);
    request->state = np_life_next(request->state, NP_LIFE_ABORTED);
    request->abort_cause = cause;
    completed.read = complete_read_locked(request, 0, &error);
    np_body_clear(&request->body, &request->context->bodies);
    np_outgoing_drop_copy(&request->outgoing, &request->context->bodies);
    np_outgoing_discard(&request->outgoing, &request->context->bodies);
    if (was_submitted)
        np_exchange_ask_locked(request, NP_WANT_ABORT);
    pthread_cond_broadcast(&request->changed);
    pthread_mutex_unlock(&request->lock);

    np_async_finish_here(completed.stream);
    np_async_finish_here(completed.operation);
    np_async_finish_here(completed.read);
    np_async_finish_here(completed.write);
    np_request_drop(request);
}

np_async *np_exchange_close_locked(np_request *request)
{
    np_error closed;
    if (request->response_closed || !request->has_response)
        return NULL;
    request->response_closed = true;
    request->state = np_life_next(request->state, NP_LIFE_RESPONSE_CLOSED);
    np_body_clear(&request->body, &request->context->bodies);
    np_exchange_ask_locked(request, NP_WANT_DRAIN);
    pthread_cond_broadcast(&request->changed);
    (void)np_fail_web(&closed, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL, "the response was closed");
    return complete_read_locked(request, 0, &closed);
}

/*
 * The response can still be taken by an end call while the operation has a reference (AR-9), and,
 * when it came with a failure that was ended, by np_request_response while the request's handle is
 * there.
 */
np_async *np_exchange_close_unreachable_locked(np_request *request)
{
    const bool failed = request->operation.error.status != NP_OK;
    if (request->response.handles > 0 || request->stream.handles > 0 || !request->operation_dropped)
        return NULL;
    if (!request->released && failed && request->operation.ended)
        return NULL;
    return np_exchange_close_locked(request);
}
