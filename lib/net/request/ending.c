/* How what is pending ends. Floor 2. */
#include "ending.h"
#include "message.h"
#include "reading.h"

np_async *np_ending_write_locked(np_request *request, const np_error *failure)
{
    np_async *write = request->write;
    if (!write)
        return NULL;
    request->write = NULL;
    request->writing = false;
    np_async_complete(write, failure);
    return write;
}

void np_ending_fail_pending_locked(np_request *request, const np_error *failure, np_completed *out)
{
    if (np_block_stream_is_pending(request)) {
        out->stream = &request->stream_operation;
        np_async_complete(out->stream, failure);
    }
    if (np_block_response_is_pending(request)) {
        out->operation = &request->operation;
        np_async_complete(out->operation, failure);
    }
    out->write = np_ending_write_locked(request, failure);
}

void np_ending_fail_locked(np_request *request, const np_error *failure, np_completed *out)
{
    request->failure = *failure;
    np_ending_fail_pending_locked(request, failure, out);
    request->state = np_life_next(request->state, NP_LIFE_FAILED);
    pthread_cond_broadcast(&request->changed); /* a synchronous write */
}

void np_ending_abort(np_request *request, np_web_status cause)
{
    np_error error;
    np_completed completed = {0};
    np_block_abort_error(cause, &error);

    np_request_hold(request); /* a callback may release every handle there is */
    pthread_mutex_lock(&request->lock);
    if (request->state == NP_REQUEST_ABORTED) { /* AB-1: the first cause stays */
        pthread_mutex_unlock(&request->lock);
        np_request_drop(request);
        return;
    }
    const bool was_submitted = request->state != NP_REQUEST_CREATED;
    np_ending_fail_pending_locked(request, &error, &completed);
    request->state = np_life_next(request->state, NP_LIFE_ABORTED);
    request->abort_cause = cause;
    completed.read = np_reading_complete_locked(request, 0, &error);
    np_body_clear(&request->body, &request->context->bodies);
    request->lost_bytes = np_outgoing_holds_bytes(&request->outgoing);
    np_outgoing_drop_copy(&request->outgoing, &request->context->bodies);
    np_outgoing_discard(&request->outgoing, &request->context->bodies);
    if (was_submitted)
        np_message_ask_locked(request, NP_WANT_ABORT);
    pthread_cond_broadcast(&request->changed);
    pthread_mutex_unlock(&request->lock);

    void (*const finish)(np_async * async) = request->context->abort_defers_callbacks
                                                 ? np_async_finish
                                                 : np_async_finish_here; /* AB-3 */
    finish(completed.stream);
    finish(completed.operation);
    finish(completed.read);
    finish(completed.write);
    np_request_drop(request);
}
