/* The body of a response between the loop and who reads it. Floor 2. */
#include "reading.h"
#include "fail.h"
#include "message.h"

np_async *np_reading_complete_locked(np_request *request, size_t bytes, const np_error *failure)
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

size_t np_reading_take_locked(np_request *request, void *buffer, size_t capacity)
{
    const size_t got = np_body_read(&request->body, &request->context->bodies, buffer, capacity);
    if (request->paused && request->body.length <= NP_BODY_LOW) {
        request->paused = false;
        np_message_ask_locked(request, NP_WANT_RESUME);
    }
    return got;
}

np_async *np_reading_serve_locked(np_request *request)
{
    if (!request->read) {
        if (request->reading)
            pthread_cond_broadcast(&request->changed);
        return NULL;
    }
    if (request->body.length > 0)
        return np_reading_complete_locked(
            request, np_reading_take_locked(request, request->read_buffer, request->read_capacity),
            NULL);
    if (request->body_ended)
        return np_reading_complete_locked(
            request, 0, request->body_failure.status ? &request->body_failure : NULL);
    return NULL;
}

np_async *np_reading_begin_locked(np_request *request, np_async *async, void *buffer,
                                  size_t capacity)
{
    request->reading = true;
    request->read = async;
    request->read_buffer = buffer;
    request->read_capacity = capacity;
    return capacity > 0 ? np_reading_serve_locked(request)
                        : np_reading_complete_locked(request, 0, NULL);
}

np_async *np_reading_close_locked(np_request *request)
{
    np_error closed;
    if (request->response_closed || !request->has_response)
        return NULL;
    request->response_closed = true;
    request->state = np_life_next(request->state, NP_LIFE_RESPONSE_CLOSED);
    np_body_clear(&request->body, &request->context->bodies);
    np_message_ask_locked(request, NP_WANT_DRAIN);
    pthread_cond_broadcast(&request->changed);
    (void)np_fail_web(&closed, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL, "the response was closed");
    return np_reading_complete_locked(request, 0, &closed);
}

/*
 * The response can still be taken by an end call while the operation has a reference (AR-9), and,
 * when it came with a failure that was ended, by np_request_response while the request's handle is
 * there.
 */
np_async *np_reading_close_unreachable_locked(np_request *request)
{
    const bool failed = request->operation.error.status != NP_OK;
    if (request->response.handles > 0 || request->stream.handles > 0 || !request->operation_dropped)
        return NULL;
    if (!request->released && failed && request->operation.ended)
        return NULL;
    return np_reading_close_locked(request);
}
