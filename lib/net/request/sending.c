/* The request stream between who writes and the loop. Floor 2. */
#include "sending.h"
#include "clock.h"
#include "ending.h"
#include "fail.h"
#include "message.h"

#define STOPPING_STATUS 300 /* WS-8: from here on the body is not wanted any more */

/* --- writing --- */

uint64_t np_sending_owed_locked(const np_request *request)
{
    if (request->write_mode != NP_WRITE_LENGTH || request->send_closed ||
        request->outgoing.discarded)
        return 0;
    return (uint64_t)request->content_length - request->outgoing.written;
}

/* Why nothing can be written any more; NP_OK: it can. */
static np_status refusal_locked(const np_request *request, np_error *err)
{
    const np_status status = np_block_refuse_disposed(request, err);
    if (status)
        return status;
    if (request->state == NP_REQUEST_ABORTED)
        return np_block_refuse_aborted(request, err);
    if (request->state == NP_REQUEST_FAILED) {
        if (err)
            *err = request->failure;
        return request->failure.status;
    }
    if (request->send_closed)
        return np_fail_web(err, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL,
                           "the request stream was closed");
    return NP_OK;
}

np_status np_sending_may_write_locked(const np_request *request, size_t length, np_error *err)
{
    const np_status status = refusal_locked(request, err);
    if (status)
        return status;
    if (request->writing)
        return np_fail(err, NP_E_NOT_SUPPORTED,
                       "another write of this stream is under way: one at a time");
    const bool bounded = request->write_mode == NP_WRITE_LENGTH;
    const uint64_t left = (uint64_t)request->content_length - request->outgoing.written;
    if (bounded && length > left)
        return np_fail(err, NP_E_PROTOCOL_VIOLATION,
                       "%zu bytes written where %llu of the %lld announced are left", length,
                       (unsigned long long)left, (long long)request->content_length);
    return NP_OK;
}

/* Lock held. Appends what there is room for. false: no memory. */
static bool append_locked(np_request *request, const unsigned char **data, size_t *left)
{
    const size_t now = np_outgoing_room(&request->outgoing, *left);
    if (now == 0)
        return true;
    if (!np_outgoing_append(&request->outgoing, &request->context->bodies, *data, now))
        return false;
    *data += now;
    *left -= now;
    if (request->send_paused) {
        request->send_paused = false;
        np_message_ask_locked(request, NP_WANT_SEND);
    }
    return true;
}

/* Lock held, released while waiting. */
static np_status write_locked(np_request *request, const unsigned char *data, size_t length,
                              np_error *err)
{
    const uint64_t until_ns = np_limit_ns(np_now(), request->read_write_timeout_ms);
    for (size_t left = length;;) {
        if (!append_locked(request, &data, &left))
            return np_fail(err, NP_E_NO_MEMORY, "no memory for the request's body");
        if (left == 0)
            return NP_OK;
        const bool in_time = np_condition_wait(&request->changed, &request->lock, until_ns);
        const np_status status = refusal_locked(request, err);
        if (status)
            return status;
        if (!in_time && np_outgoing_room(&request->outgoing, left) == 0)
            return np_fail_web(err, NP_WEB_TIMEOUT, NULL, 0, NULL,
                               "the connection took %zu of %zu bytes within %lld ms", length - left,
                               length, (long long)request->read_write_timeout_ms);
    }
}

np_status np_sending_write(np_request *request, const void *data, size_t length, np_error *err)
{
    np_error own;
    np_error *told = err ? err : &own;
    bool broken = false;
    pthread_mutex_lock(&request->lock);
    np_status status = np_sending_may_write_locked(request, length, told);
    if (!status && length > 0) {
        request->writing = true;
        status = write_locked(request, data, length, told);
        request->writing = false;
        /* A request that has failed says so itself, with a time-out of its own too. */
        broken = !refusal_locked(request, NULL) &&
                 (status == NP_E_NO_MEMORY ||
                  (status == NP_E_WEB && told->web_status == NP_WEB_TIMEOUT));
    }
    pthread_mutex_unlock(&request->lock);
    if (broken) /* a part of it may be on its way: the stream is dead (WS-10) */
        np_ending_abort(request, status == NP_E_WEB ? NP_WEB_TIMEOUT : NP_WEB_REQUEST_CANCELED);
    return status;
}

/* Lock held. There may be room: serves the writer. */
static np_async *serve_writer_locked(np_request *request)
{
    np_error failure;
    if (!request->write) {
        if (request->writing)
            pthread_cond_broadcast(&request->changed);
        return NULL;
    }
    if (!append_locked(request, &request->write_data, &request->write_left)) {
        (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory for the request's body");
        np_message_ask_locked(request, NP_WANT_ABORT);
        return np_ending_write_locked(request, &failure);
    }
    return request->write_left == 0 ? np_ending_write_locked(request, NULL) : NULL;
}

np_async *np_sending_begin_locked(np_request *request, np_async *async, const void *data,
                                  size_t length)
{
    request->writing = true;
    request->write = async;
    request->write_data = data;
    request->write_left = length;
    return length > 0 ? serve_writer_locked(request) : np_ending_write_locked(request, NULL);
}

/* --- closing --- */

void np_sending_finish_locked(np_request *request)
{
    if (request->send_closed)
        return;
    request->send_closed = true;
    request->state = np_life_next(request->state, NP_LIFE_STREAM_CLOSED);
    if (request->go_on) {
        np_message_ask_locked(request, NP_WANT_SEND);
    } else if (request->write_mode == NP_WRITE_BUFFER) {
        np_message_ask_locked(request, NP_WANT_RELEASE);
    } else if (request->send_paused) {
        request->send_paused = false;
        np_message_ask_locked(request, NP_WANT_SEND);
    }
}

np_status np_sending_close(np_request *request, np_error *err)
{
    pthread_mutex_lock(&request->lock);
    const bool over = request->send_closed || request->state == NP_REQUEST_ABORTED ||
                      request->state == NP_REQUEST_FAILED;
    const uint64_t owed = over ? 0 : np_sending_owed_locked(request);
    const bool cut = !over && (owed > 0 || request->writing);
    if (over)
        request->send_closed = true;
    else if (!cut)
        np_sending_finish_locked(request);
    pthread_mutex_unlock(&request->lock);
    if (!cut)
        return NP_OK;
    np_ending_abort(request, NP_WEB_REQUEST_CANCELED);
    return np_fail_web(err, NP_WEB_REQUEST_CANCELED, NULL, 0, "not all bytes written",
                       owed > 0 ? "closed with %llu bytes of the announced length not written"
                                : "closed while a write was under way",
                       (unsigned long long)owed);
}

/* --- the loop --- */

void np_sending_on_ready(np_transfer *transfer, void *user)
{
    (void)transfer;
    np_request *request = user;
    np_async *finished = NULL;
    pthread_mutex_lock(&request->lock);
    if (request->stream_begun && !np_async_is_done(&request->stream_operation)) {
        request->state = np_life_next(request->state, NP_LIFE_STREAM_READY);
        finished = &request->stream_operation;
        np_async_complete(finished, NULL);
    }
    pthread_mutex_unlock(&request->lock);
    np_context_finish_later(request->context, finished);
}

ptrdiff_t np_sending_on_upload(np_transfer *transfer, void *out, size_t capacity, void *user)
{
    (void)transfer;
    np_request *request = user;
    pthread_mutex_lock(&request->lock);
    const size_t got =
        np_outgoing_take(&request->outgoing, &request->context->bodies, out, capacity);
    const bool ended = got == 0 && request->send_closed;
    request->send_paused = got == 0 && !ended;
    np_async *finished = got > 0 ? serve_writer_locked(request) : NULL;
    pthread_mutex_unlock(&request->lock);
    np_context_finish_later(request->context, finished);
    if (got > 0)
        return (ptrdiff_t)got;
    return ended ? 0 : NP_UPLOAD_PAUSE;
}

bool np_sending_on_rewind(np_transfer *transfer, void *user)
{
    (void)transfer;
    np_request *request = user;
    pthread_mutex_lock(&request->lock);
    const bool good = np_outgoing_rewind(&request->outgoing);
    request->send_paused = false;
    pthread_mutex_unlock(&request->lock);
    return good;
}

np_async *np_sending_answered_locked(np_request *request, int status)
{
    if (!request->stream_begun)
        return NULL;
    np_outgoing_drop_copy(&request->outgoing, &request->context->bodies); /* BH-2 */
    if (status != 0 && status < STOPPING_STATUS)
        return NULL;
    np_outgoing_discard(&request->outgoing, &request->context->bodies);
    request->send_paused = false;
    return serve_writer_locked(request);
}

void np_sending_describe(const np_request *request, np_transfer_spec *spec)
{
    static const np_body_form forms[] = {[NP_WRITE_NONE] = NP_BODY_FORM_NONE,
                                         [NP_WRITE_BUFFER] = NP_BODY_FORM_LENGTH,
                                         [NP_WRITE_LENGTH] = NP_BODY_FORM_LENGTH,
                                         [NP_WRITE_CHUNKED] = NP_BODY_FORM_CHUNKED};
    spec->body_form = forms[request->write_mode];
    spec->body_length = request->write_mode == NP_WRITE_LENGTH ? request->content_length : 0;
    spec->hold = request->write_mode == NP_WRITE_BUFFER;
    spec->expect_continue = request->expect_continue && request->protocol_version != 10;
    spec->continue_timeout_ns =
        request->continue_timeout_ms < 0 ? -1 : request->continue_timeout_ms * NP_NS_PER_MS;
}

bool np_sending_must_wait(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    const bool waits = request->stream_begun && !request->buffering && !request->send_closed &&
                       !request->stream_operation.ended;
    pthread_mutex_unlock(&request->lock);
    return waits;
}

bool np_sending_can_replay(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    const bool good = !request->stream_begun || request->outgoing.kept ||
                      (request->outgoing.taken == 0 && !request->outgoing.discarded);
    pthread_mutex_unlock(&request->lock);
    return good;
}

/* Lock held. */
static void replay_locked(np_request *request)
{
    np_transfer_spec *spec = &request->spec;
    (void)np_outgoing_rewind(&request->outgoing); /* np_sending_can_replay was asked */
    request->send_paused = false;
    np_sending_describe(request, spec);
    if (spec->hold) { /* it was complete when the first hop was sent */
        spec->hold = false;
        spec->body_length = (int64_t)request->outgoing.written;
    }
}

void np_sending_next_hop(np_request *request, bool drops_body)
{
    np_async *written = NULL;
    pthread_mutex_lock(&request->lock);
    if (drops_body) {
        request->spec.body_form = NP_BODY_FORM_NONE;
        request->spec.hold = false;
        written = np_sending_answered_locked(request, 0);
    } else if (request->stream_begun) {
        replay_locked(request);
    }
    pthread_mutex_unlock(&request->lock);
    np_context_finish_later(request->context, written);
}
