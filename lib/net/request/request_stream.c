/*
 * The request stream as callers get it: its settings, begin, end, and the synchronous form. Floor
 * 2; any thread.
 *
 * What settings go together is asked of write_mode.c, what a state allows of life_cycle.c; the
 * bytes go through sending.c, and the stream's own calls are in stream.c.
 */
#include "clock.h"
#include "fail.h"
#include "sending.h"

/* --- settings --- */

np_status np_request_set_content_length(np_request *request, int64_t length, np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (length < 0)
        status = np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a content length of %lld: expected 0 or more, and it cannot be unset",
                         (long long)length);
    else
        request->content_length = length;
    return np_request_change_end(request, status);
}

static np_status set_flag(np_request *request, bool *flag, bool value, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    *flag = value;
    return np_request_change_end(request, NP_OK);
}

np_status np_request_set_send_chunked(np_request *request, bool value, np_error *err)
{
    return set_flag(request, request ? &request->send_chunked : NULL, value, err);
}

np_status np_request_set_allow_write_stream_buffering(np_request *request, bool value,
                                                      np_error *err)
{
    return set_flag(request, request ? &request->buffering : NULL, value, err);
}

np_status np_request_set_keep_alive(np_request *request, bool value, np_error *err)
{
    return set_flag(request, request ? &request->keep_alive : NULL, value, err);
}

np_status np_request_set_expect_continue(np_request *request, bool value, np_error *err)
{
    return set_flag(request, request ? &request->expect_continue : NULL, value, err);
}

np_status np_request_set_continue_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_request_set_limit(request, request ? &request->continue_timeout_ms : NULL, timeout_ms,
                                err);
}

np_status np_request_set_read_write_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (timeout_ms < -1 || timeout_ms == 0)
        status = np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a timeout of %lld ms: expected -1 for none, or 1 and more",
                         (long long)timeout_ms);
    else
        request->read_write_timeout_ms = timeout_ms;
    return np_request_change_end(request, status);
}

/* --- begin and end --- */

/* With the lock held: BS-0 … BS-10, in their order. */
static np_status may_begin(const np_request *request, np_calling_family family, np_error *err)
{
    if (np_context_is_disposed(request->context))
        return np_fail(err, NP_E_OBJECT_DISPOSED, "the context of this request was freed");
    if (request->state == NP_REQUEST_ABORTED)
        return np_life_refuse(NP_ANSWER_ABORTED, err);
    const np_write_setup setup = np_request_write_setup(request);
    const np_status status = np_write_check_stream(&setup, err);
    if (status)
        return status;
    const np_life_answer answer = np_life_ask(request->state, NP_CALL_BEGIN_STREAM);
    if (answer == NP_ANSWER_FAILED) {
        if (err)
            *err = request->failure;
        return request->failure.status;
    }
    if (answer == NP_ANSWER_ACCEPT && request->family != NP_CALLING_NONE &&
        request->family != family)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "the synchronous and the asynchronous calls cannot be mixed on one request");
    return np_life_refuse(answer, err);
}

/* With the lock held: takes the request from CREATED to STREAM_PENDING; np_request_send_off is
 * next. The operation gets two references: ours until the callback has returned, and the caller's.
 */
static np_status submit(np_request *request, np_calling_family family, np_async_fn fn, void *state,
                        uint64_t entry_ns, np_error *err)
{
    np_status status = may_begin(request, family, err);
    if (!status)
        status = np_decompression_ask(request, err);
    if (!status)
        status = np_request_say_close(request, err);
    if (status)
        return status;
    const np_async_setup setup = np_exchange_operation(request, NP_ASYNC_STREAM, fn, state, 2);
    np_async_init(&request->stream_operation, &setup);
    np_request_hold(request);
    const np_write_setup body = np_request_write_setup(request);
    request->stream_begun = true;
    request->write_mode = np_write_mode_of(&body);
    request->outgoing.kept = request->buffering;
    request->outgoing.unbounded = request->write_mode == NP_WRITE_BUFFER;
    request->outgoing.one_by_one = request->write_mode == NP_WRITE_CHUNKED;
    request->family = family;
    request->state = np_life_next(request->state, NP_LIFE_STREAM_BEGUN);
    np_request_fill_spec(request, entry_ns);
    np_sending_describe(request, &request->spec);
    return NP_OK;
}

np_status np_request_begin_get_request_stream(np_request *request, np_async_fn fn, void *state,
                                              np_async **out, np_error *err)
{
    const uint64_t entry_ns = np_now();
    if (out)
        *out = NULL;
    if (!request || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", request ? "out" : "request");

    np_request_hold(request); /* AR-6, AR-7 */
    pthread_mutex_lock(&request->lock);
    const np_status status = submit(request, NP_CALLING_ASYNC, fn, state, entry_ns, err);
    pthread_mutex_unlock(&request->lock);
    if (!status) {
        *out = &request->stream_operation;
        np_request_send_off(request, entry_ns);
    }
    np_request_drop(request);
    return status;
}

/* With the lock held: another handle. */
static np_stream *handle_locked(np_request *request)
{
    np_request_hold(request);
    request->request_stream.handles++;
    return &request->request_stream;
}

np_status np_request_end_get_request_stream(np_request *request, np_async *async, np_stream **out,
                                            np_error *err)
{
    if (out)
        *out = NULL;
    if (!request || !async || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL",
                       !request ? "request"
                       : !async ? "async"
                                : "out");
    pthread_mutex_lock(&request->lock);
    const np_status status = np_exchange_end_locked(request, async, NP_ASYNC_STREAM, err);
    if (!status)
        *out = handle_locked(request);
    pthread_mutex_unlock(&request->lock);
    return status;
}

/* Waits for the operation that this call submitted; over its time it aborts the request. */
static np_status await_stream(np_request *request, np_stream **out, np_error *err)
{
    pthread_mutex_lock(&request->lock);
    const bool done = np_async_wait_locked(&request->stream_operation, request->until_ns);
    pthread_mutex_unlock(&request->lock);
    if (!done)
        np_exchange_abort(request, NP_WEB_TIMEOUT);
    return np_request_end_get_request_stream(request, &request->stream_operation, out, err);
}

np_status np_request_get_request_stream(np_request *request, np_stream **out, np_error *err)
{
    const uint64_t entry_ns = np_now();
    if (out)
        *out = NULL;
    if (!request || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", request ? "out" : "request");

    np_request_hold(request);
    pthread_mutex_lock(&request->lock);
    np_status status = submit(request, NP_CALLING_SYNC, NULL, NULL, entry_ns, err);
    const bool submitted = status == NP_OK;
    const bool obtained =
        request->state == NP_REQUEST_STREAM_OPEN || request->state == NP_REQUEST_STREAM_CLOSED;
    if (!submitted && obtained && request->family == NP_CALLING_SYNC &&
        !np_context_is_disposed(request->context)) {
        *out = handle_locked(request); /* GR-16 */
        status = NP_OK;
    }
    pthread_mutex_unlock(&request->lock);
    if (submitted) {
        np_request_send_off(request, entry_ns);
        status = await_stream(request, out, err);
        np_async_release(&request->stream_operation);
    }
    np_request_drop(request);
    return status;
}
