/*
 * Streams as callers see them: reading a response's, writing a request's, closing both (RB and WS
 * of docs/contract.md). Floor 2; any thread.
 *
 * What a written stream does is in sending.c; here its calls are told from those of the other kind.
 */
#include "clock.h"
#include "ending.h"
#include "fail.h"
#include "operation.h"
#include "reading.h"
#include "sending.h"
#include <stdlib.h>

static np_status refuse_read(np_error *err)
{
    return np_fail(err, NP_E_NOT_SUPPORTED, "a request stream is written, it cannot be read");
}

static np_status refuse_write(np_error *err)
{
    return np_fail(err, NP_E_NOT_SUPPORTED, "a response stream is read, it cannot be written");
}

/* Lock held. NP_OK: a read may begin. */
static np_status may_read(const np_request *request, np_error *err)
{
    const np_status status = np_block_refusal_locked(request, err);
    if (!status && request->reading)
        return np_fail(err, NP_E_NOT_SUPPORTED,
                       "another read of this stream is under way: one at a time");
    return status;
}

static np_status check_arguments(const void *stream, const void *buffer, size_t capacity,
                                 const void *out, const char *out_name, np_error *err)
{
    const char *name = !stream                   ? "stream"
                       : !out                    ? out_name
                       : !buffer && capacity > 0 ? "buffer"
                                                 : NULL;
    if (name)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", name);
    if (capacity > PTRDIFF_MAX) /* a negative number on its way through a size_t, mostly */
        return np_fail(err, NP_E_ARGUMENT_RANGE, "%zu bytes: no buffer is so large", capacity);
    return NP_OK;
}

/* Lock held (released while waiting). false: the time is over and nothing has come. */
static bool wait_for_bytes(np_request *request, uint64_t until_ns)
{
    while (request->body.length == 0 && !request->body_ended &&
           !np_block_refusal_locked(request, NULL))
        if (!np_condition_wait(&request->changed, &request->lock, until_ns))
            return request->body.length > 0 || request->body_ended;
    return true;
}

/* Lock held. Bytes, the end, or why there is neither; what came before a failure is handed out
 * before it. */
static np_status take(np_request *request, void *buffer, size_t capacity, size_t *got,
                      np_error *err)
{
    const np_status status = np_block_refusal_locked(request, err);
    if (status)
        return status;
    *got = np_reading_take_locked(request, buffer, capacity);
    if (*got > 0 || !request->body_failure.status)
        return NP_OK;
    if (err)
        *err = request->body_failure;
    return request->body_failure.status;
}

np_status np_stream_read(np_stream *stream, void *buffer, size_t capacity, size_t *got,
                         np_error *err)
{
    if (got)
        *got = 0;
    np_status status = check_arguments(stream, buffer, capacity, got, "got", err);
    if (status)
        return status;
    if (stream->is_request)
        return refuse_read(err);
    np_request *request = stream->request;
    bool in_time = true;
    pthread_mutex_lock(&request->lock);
    status = may_read(request, err);
    if (!status && capacity > 0) {
        request->reading = true;
        in_time = wait_for_bytes(
            request,
            request->body.length ? 0 : np_limit_ns(np_now(), request->read_write_timeout_ms));
        request->reading = false;
        status = in_time ? take(request, buffer, capacity, got, err) : NP_OK;
    }
    pthread_mutex_unlock(&request->lock);
    if (in_time)
        return status;
    np_ending_abort(request, NP_WEB_TIMEOUT);
    return np_fail_web(err, NP_WEB_TIMEOUT, NULL, 0, NULL,
                       "no byte of the body came within %lld ms",
                       (long long)request->read_write_timeout_ms);
}

np_status np_stream_begin_read(np_stream *stream, void *buffer, size_t capacity, np_async_fn fn,
                               void *state, np_async **out, np_error *err)
{
    if (out)
        *out = NULL;
    np_status status = check_arguments(stream, buffer, capacity, out, "out", err);
    if (status)
        return status;
    if (stream->is_request)
        return refuse_read(err);
    np_request *request = stream->request;
    np_async *async = malloc(sizeof *async);
    if (!async)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a read");

    np_async *finished = NULL;
    pthread_mutex_lock(&request->lock);
    status = may_read(request, err);
    if (!status) {
        const np_async_setup setup = np_operation_setup(request, NP_ASYNC_READ, fn, state, 2);
        np_async_init(async, &setup);
        np_request_hold(request);
        *out = async;
        finished = np_reading_begin_locked(request, async, buffer, capacity);
    }
    pthread_mutex_unlock(&request->lock);
    if (status)
        free(async);
    np_async_finish(finished);
    return status;
}

np_status np_stream_end_read(np_stream *stream, np_async *async, size_t *got, np_error *err)
{
    if (got)
        *got = 0;
    if (!stream || !async || !got)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL",
                       !stream  ? "stream"
                       : !async ? "async"
                                : "got");
    np_request *request = stream->request;
    pthread_mutex_lock(&request->lock);
    const np_status status = np_operation_end_locked(request, async, NP_ASYNC_READ, err);
    if (!status)
        *got = async->bytes;
    pthread_mutex_unlock(&request->lock);
    return status;
}

np_status np_stream_close(np_stream *stream, np_error *err)
{
    if (!stream)
        return np_fail(err, NP_E_ARGUMENT_NULL, "stream is NULL");
    if (stream->is_request)
        return np_sending_close(stream->request, err);
    np_response_close(&stream->request->response);
    return NP_OK;
}

/* --- writing --- */

np_status np_stream_write(np_stream *stream, const void *buffer, size_t length, np_error *err)
{
    const np_status status = check_arguments(stream, buffer, length, stream, "stream", err);
    if (status)
        return status;
    return stream->is_request ? np_sending_write(stream->request, buffer, length, err)
                              : refuse_write(err);
}

np_status np_stream_begin_write(np_stream *stream, const void *buffer, size_t length,
                                np_async_fn fn, void *state, np_async **out, np_error *err)
{
    if (out)
        *out = NULL;
    np_status status = check_arguments(stream, buffer, length, out, "out", err);
    if (status)
        return status;
    if (!stream->is_request)
        return refuse_write(err);
    np_request *request = stream->request;
    np_async *async = malloc(sizeof *async);
    if (!async)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a write");

    np_async *finished = NULL;
    pthread_mutex_lock(&request->lock);
    status = np_sending_may_write_locked(request, length, err);
    if (!status) {
        const np_async_setup setup = np_operation_setup(request, NP_ASYNC_WRITE, fn, state, 2);
        np_async_init(async, &setup);
        np_request_hold(request);
        *out = async;
        finished = np_sending_begin_locked(request, async, buffer, length);
    }
    pthread_mutex_unlock(&request->lock);
    if (status)
        free(async);
    np_async_finish(finished);
    return status;
}

np_status np_stream_end_write(np_stream *stream, np_async *async, np_error *err)
{
    if (!stream || !async)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", !stream ? "stream" : "async");
    np_request *request = stream->request;
    pthread_mutex_lock(&request->lock);
    const np_status status = np_operation_end_locked(request, async, NP_ASYNC_WRITE, err);
    pthread_mutex_unlock(&request->lock);
    return status;
}

/* WS-11; but AB-6 where an abort has lost what was written. */
np_status np_stream_flush(np_stream *stream, np_error *err)
{
    if (!stream)
        return np_fail(err, NP_E_ARGUMENT_NULL, "stream is NULL");
    np_request *request = stream->request;
    pthread_mutex_lock(&request->lock);
    const bool is_lost = stream->is_request && request->lost_bytes;
    const np_status status = is_lost ? np_block_refuse_aborted(request, err) : NP_OK;
    pthread_mutex_unlock(&request->lock);
    return status;
}

/* --- the last handle --- */

/* false: another one is there. */
static bool request_stream_drop(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    const bool last = --request->request_stream.handles == 0;
    pthread_mutex_unlock(&request->lock);
    return last;
}

void np_stream_release(np_stream *stream)
{
    if (!stream)
        return;
    np_request *request = stream->request;
    np_async *read = NULL;
    if (stream->is_request) {
        if (request_stream_drop(request))
            (void)np_sending_close(request, NULL); /* nobody is there to be told */
        np_request_drop(request);
        return;
    }
    pthread_mutex_lock(&request->lock);
    if (--request->stream.handles == 0)
        read = np_reading_close_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
    np_request_drop(request);
}
