/*
 * Begin, end and get of the two operations of a request: its stream and its response. Floor 2; any
 * thread.
 *
 * Whether a call is allowed is asked of life_cycle.c and write_mode.c; what it sets going is in
 * exchange.c. The two operations differ in what they check, in what they hand out, and in whether
 * they start the request: a `struct step`. The rest, from the hold around a call that may release
 * its own request (AR-6) to the time limit of the synchronous form, is the same code.
 */
#include "clock.h"
#include "decompression.h"
#include "ending.h"
#include "exchange.h"
#include "fail.h"
#include "operation.h"
#include "rejected.h"
#include "sending.h"
#include "textbuf.h"
#include <netphase/request.h>
#include <string.h>

/* How a call was made. */
struct call {
    np_calling_family family;
    np_async_fn fn;
    void *state;
    uint64_t entry_ns;
};

struct handle {
    np_stream *stream; /* one of the two */
    np_response *response;
};

struct step {
    np_async_kind kind;
    const char *begin_name, *get_name; /* of the calls, in the trace */
    /* Lock held. May it begin? A refused call leaves everything as it was (ER-2). */
    np_status (*check)(np_request *request, np_calling_family family, np_error *err);
    /* Lock held. The state and what goes out, once it is sure that the call is accepted. */
    void (*enter)(np_request *request, const struct call *call);
    bool (*is_obtained)(np_request_state state); /* GR-16 */
    np_async *(*operation)(np_request *request);
    struct handle (*hand_out)(np_request *request); /* lock held; one more reference */
};

/* --- what both check --- */

static np_write_setup write_setup(const np_request *request)
{
    return (np_write_setup){.method = request->method,
                            .content_length = request->content_length,
                            .send_chunked = request->send_chunked,
                            .buffering = request->buffering,
                            .keep_alive = request->keep_alive,
                            .has_coding = request->transfer_encoding != NULL,
                            .http_1_0 = request->http_1_0};
}

/* Before a setup is checked, so that it is the same one when the call is accepted. */
static void look_up_origin(np_request *request)
{
    request->http_1_0 = request->protocol_version == 10 ||
                        np_old_origins_has(&request->context->old_origins, &request->url);
}

static np_status refuse_failed(const np_request *request, np_error *err)
{
    if (err)
        *err = request->failure;
    return request->failure.status;
}

/* BS-10, GR-10: asked last. */
static np_status check_family(const np_request *request, np_calling_family family, np_error *err)
{
    if (request->family == NP_CALLING_NONE || request->family == family)
        return NP_OK;
    return np_fail(err, NP_E_INVALID_OPERATION,
                   "the synchronous and the asynchronous calls cannot be mixed on one request");
}

/* --- the request stream --- */

/* BS-13 */
static bool misses_empty_stream(const np_request *request)
{
    return request->context->profile == NP_PROFILE_COMPACT && request->content_length == 0 &&
           !request->stream_was_taken;
}

/* Lock held: BS-0 … BS-10, in their order. */
static np_status check_stream(np_request *request, np_calling_family family, np_error *err)
{
    np_status status = np_block_refuse_disposed(request, err);
    if (status)
        return status;
    if (request->state == NP_REQUEST_ABORTED)
        return np_block_refuse_aborted(request, err);
    if (request->state == NP_REQUEST_CREATED)
        look_up_origin(request);
    const np_write_setup setup = write_setup(request);
    status = np_write_check_stream(&setup, err);
    if (status)
        return status;
    const np_life_answer answer = np_life_ask(request->state, NP_CALL_BEGIN_STREAM);
    if (answer == NP_ANSWER_FAILED)
        return refuse_failed(request, err);
    if (answer == NP_ANSWER_SUBMITTED && misses_empty_stream(request))
        return np_fail(err, NP_E_OBJECT_DISPOSED,
                       "the request stream of length 0 was not obtained and closed");
    status = np_life_refuse(answer, err);
    return status ? status : check_family(request, family, err);
}

/* For the engine 0 is its own limit; no header is as short as a byte. */
static uint64_t header_limit_bytes(int64_t kib)
{
    if (kib < 0 || kib > INT64_MAX / 1024)
        return UINT64_MAX;
    return kib > 0 ? (uint64_t)kib * 1024 : 1;
}

static void fill_spec(np_request *request, const struct call *call)
{
    const bool is_async = call->family == NP_CALLING_ASYNC;
    const uint64_t entry_ns = call->entry_ns;
    request->until_ns = is_async ? 0 : np_limit_ns(entry_ns, request->timeout_ms);
    request->spec = (np_transfer_spec){
        .method = request->method,
        .url = request->url.text,
        .scheme = request->url.scheme,
        .host = request->url.host,
        .port = request->url.port,
        .target = request->url.target,
        .host_header = request->host_header,
        .headers = request->fields.lines,
        .header_count = request->fields.count,
        .reuse = request->reuse,
        .begin_ns = entry_ns,
        .deadline_ns = is_async ? np_limit_ns(entry_ns, request->async_timeout_ms) : 0,
        .caller_blocked_ns = &request->caller_blocked_ns,
        .version = request->protocol_version,
        .group = request->group_name,
        .decode = request->follow.decompression != 0,
        .proxy = request->proxy,
        .close_after = !request->keep_alive,
        .expect = request->expect,
        .header_limit_bytes = header_limit_bytes(request->header_limit_kib),
    };
}

static void enter_stream(np_request *request, const struct call *call)
{
    const np_write_setup setup = write_setup(request);
    request->stream_begun = true;
    request->write_mode = np_write_mode_of(&setup);
    request->outgoing.kept = request->buffering;
    request->outgoing.unbounded = request->write_mode == NP_WRITE_BUFFER;
    request->outgoing.one_by_one = request->write_mode == NP_WRITE_CHUNKED;
    request->state = np_life_next(request->state, NP_LIFE_STREAM_BEGUN);
    fill_spec(request, call);
    np_sending_describe(request, &request->spec);
}

static bool stream_is_obtained(np_request_state state)
{
    return state == NP_REQUEST_STREAM_OPEN || state == NP_REQUEST_STREAM_CLOSED;
}

static np_async *stream_operation(np_request *request)
{
    return &request->stream_operation;
}

static struct handle hand_out_stream(np_request *request)
{
    return (struct handle){.stream = np_block_request_stream_locked(request)};
}

static const struct step stream_step = {
    NP_ASYNC_STREAM, "begin_get_request_stream", "get_request_stream", check_stream,
    enter_stream,    stream_is_obtained,         stream_operation,     hand_out_stream};

/* --- the response --- */

/* Lock held: GR-3 for a stream that is open, GR-5 to GR-7 where there never was one. */
static np_status may_leave_body(const np_request *request, np_error *err)
{
    if (!request->stream_begun) {
        const np_write_setup setup = write_setup(request);
        return np_write_check_response(&setup, err);
    }
    const uint64_t owed = np_sending_owed_locked(request);
    if (owed > 0)
        return np_fail(err, NP_E_PROTOCOL_VIOLATION,
                       "%llu of the %lld announced bytes of the body are not written yet",
                       (unsigned long long)owed, (long long)request->content_length);
    if (request->writing)
        return np_fail(err, NP_E_PROTOCOL_VIOLATION, "a write of the body is still under way");
    return NP_OK;
}

/* Lock held: GR-0 … GR-10, in their order. */
static np_status check_response(np_request *request, np_calling_family family, np_error *err)
{
    np_status status = np_block_refuse_disposed(request, err);
    if (status)
        return status;
    if (request->state == NP_REQUEST_ABORTED)
        return np_block_refuse_aborted(request, err);
    if (request->state == NP_REQUEST_CREATED)
        look_up_origin(request);
    np_life_answer answer = np_life_ask(request->state, NP_CALL_BEGIN_RESPONSE);
    if (answer == NP_ANSWER_FAILED)
        return refuse_failed(request, err);
    if (answer == NP_ANSWER_STREAM_FIRST && request->write_mode == NP_WRITE_LENGTH &&
        request->content_length == 0) /* GR-4: there is nothing to wait for */
        answer = NP_ANSWER_ACCEPT;
    if (answer == NP_ANSWER_ACCEPT)
        status = may_leave_body(request, err);
    if (!status && (answer == NP_ANSWER_ACCEPT || answer == NP_ANSWER_OBTAINED))
        status = check_family(request, family, err);
    return status ? status : np_life_refuse(answer, err);
}

static void enter_response(np_request *request, const struct call *call)
{
    request->stream_was_taken = request->stream_begun && request->stream_operation.ended;
    if (request->stream_begun)
        np_sending_finish_locked(request); /* GR-3b */
    else
        fill_spec(request, call);
    request->state = np_life_next(request->state, NP_LIFE_RESPONSE_BEGUN);
}

static bool response_is_obtained(np_request_state state)
{
    return state == NP_REQUEST_RESPONSE_READY || state == NP_REQUEST_CLOSED;
}

static np_async *response_operation(np_request *request)
{
    return &request->operation;
}

static struct handle hand_out_response(np_request *request)
{
    return (struct handle){.response = np_block_response_locked(request)};
}

static const struct step response_step = {
    NP_ASYNC_RESPONSE, "begin_get_response", "get_response",     check_response,
    enter_response,    response_is_obtained, response_operation, hand_out_response};

/* --- begin, end and get --- */

/* GR-12: these two say that their body is empty, and any other where its length was set to 0. */
static np_status say_empty_body(np_request *request, np_error *err)
{
    const bool always = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    const bool is_said = request->content_length == 0 && !np_write_has_no_body(request->method);
    if (!always && !is_said)
        return NP_OK;
    return np_header_list_set(&request->fields, "Content-Length", "0", 1, err);
}

/* `first` is one of the fields already, or not; either way it ends in `last`. */
static np_status say_last(np_request *request, const char *name, const char *first,
                          const char *last, np_error *err)
{
    np_textbuf text;
    np_textbuf_init(&text, NP_HEADER_VALUE_MAX + 64);
    np_textbuf_print(&text, "%s%s%s", first ? first : "", first ? ", " : "", last);
    const np_status status =
        text.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a header field")
                    : np_header_list_set(&request->fields, name, text.text, text.length, err);
    np_textbuf_done(&text);
    return status;
}

/* Lock held. What the fields say of a request that starts now. */
static np_status prepare_fields(np_request *request, np_async_kind kind, np_error *err)
{
    np_status status = kind == NP_ASYNC_RESPONSE ? say_empty_body(request, err) : NP_OK;
    if (!status)
        status = np_decompression_ask(&request->fields, request->follow.decompression, err);
    if (!status && !request->keep_alive)
        status = say_last(request, "Connection", np_request_connection(request), "close", err);
    if (!status && kind == NP_ASYNC_STREAM && request->transfer_encoding)
        status = say_last(request, "Transfer-Encoding", request->transfer_encoding, "chunked", err);
    return status;
}

/* BS-11, GR-11. Lock held. Of all refused calls the only one that ends the request. */
static np_status check_pool(np_request *request, const struct call *call, np_error *err)
{
    np_context *context = request->context;
    if (call->family != NP_CALLING_ASYNC ||
        !np_callback_pool_is_exhausted(context->pool, context->pool_low_water,
                                       context->pool_queue_limit))
        return NP_OK;
    request->state = np_life_next(request->state, NP_LIFE_ABORTED);
    request->abort_cause = NP_WEB_REQUEST_CANCELED;
    request->pool_exhausted = true;
    return np_fail(err, NP_E_INVALID_OPERATION, "%s", np_block_pool_is_exhausted);
}

/* Lock held. The operation gets two references: ours until the callback has returned, and the
 * caller's. *starts: start() is next; otherwise the request is under way. */
static np_status submit(np_request *request, const struct step *step, const struct call *call,
                        bool *starts, np_error *err)
{
    *starts = request->state == NP_REQUEST_CREATED;
    np_status status = step->check(request, call->family, err);
    if (!status && *starts)
        status = check_pool(request, call, err);
    if (!status && *starts)
        status = prepare_fields(request, step->kind, err);
    if (status)
        return status;
    const np_async_setup setup = np_operation_setup(request, step->kind, call->fn, call->state, 2);
    np_async_init(step->operation(request), &setup);
    np_request_hold(request);
    request->family = call->family;
    step->enter(request, call);
    return NP_OK;
}

/* --- the cache validator (BS-12) --- */

static np_status refuse_cached(np_error *err)
{
    return np_fail(err, NP_E_NOT_SUPPORTED,
                   "a cached answer is not allowed for a request with a body");
}

/* Inside the call, and without the lock: a hook is the program's own code. NP_OK: submit() is next,
 * which checks again. */
static np_status validate_here(np_request *request, const struct step *step,
                               const struct call *call, np_error *err)
{
    const np_context *context = request->context;
    if (step->kind != NP_ASYNC_STREAM || !context->cache_validator ||
        context->cache_validator_on_pool)
        return NP_OK;
    pthread_mutex_lock(&request->lock);
    const bool is_asked = request->state == NP_REQUEST_CREATED;
    np_status status = is_asked ? step->check(request, call->family, err) : NP_OK;
    pthread_mutex_unlock(&request->lock);
    if (status || !is_asked || !context->cache_validator(request, context->cache_user))
        return status;

    np_error refusal;
    np_completed nothing = {0};
    status = refuse_cached(&refusal);
    pthread_mutex_lock(&request->lock);
    const bool is_still_asked = request->state == NP_REQUEST_CREATED;
    if (is_still_asked) {
        request->state = np_life_next(request->state, NP_LIFE_STREAM_BEGUN);
        np_ending_fail_locked(request, &refusal, &nothing);
    }
    pthread_mutex_unlock(&request->lock);
    if (is_still_asked && err)
        *err = refusal;
    return is_still_asked ? status : NP_OK;
}

static void validate(np_pool_job *job)
{
    np_request *request = (np_request *)((char *)job - offsetof(np_request, validate_job));
    const np_context *context = request->context;
    np_error refusal;
    np_completed completed = {0};
    if (np_request_get_state(request) == NP_REQUEST_ABORTED ||
        !context->cache_validator(request, context->cache_user)) {
        np_exchange_start(request);
        np_request_drop(request);
        return;
    }
    (void)refuse_cached(&refusal);
    pthread_mutex_lock(&request->lock);
    if (request->state != NP_REQUEST_ABORTED)
        np_ending_fail_locked(request, &refusal, &completed);
    request->transfer_gone = true;
    pthread_mutex_unlock(&request->lock);
    np_async_finish(completed.stream);
    np_async_finish(completed.operation);
    np_request_drop(request);
}

/* --- starting --- */

static bool is_validated_on_pool(const np_request *request)
{
    const np_context *context = request->context;
    return request->stream_begun && context->cache_validator && context->cache_validator_on_pool;
}

/* Sends it on its way. */
static void start(np_request *request)
{
    if (is_validated_on_pool(request)) {
        np_request_hold(request); /* the job's */
        request->validate_job.run = validate;
        if (np_callback_pool_push(request->context->pool, &request->validate_job))
            return;
        np_request_drop(request);
    }
    np_exchange_start(request);
}

/* For how long the caller has been held, all its calls together. relaxed: the loop reads one
 * number, at the end of the request, and nothing that it would stand for. */
static int64_t note_blocked(np_request *request, const struct call *call, int64_t noted_ns)
{
    const int64_t held_ns = (int64_t)(np_now() - call->entry_ns);
    atomic_fetch_add_explicit(&request->caller_blocked_ns, held_ns - noted_ns,
                              memory_order_relaxed);
    return held_ns;
}

/* After submit(), without the lock. */
static void go(np_request *request, const struct call *call, bool starts)
{
    int64_t noted_ns = 0;
    if (starts) { /* from here on it may end at any time, with what is noted */
        atomic_store_explicit(&request->caller_blocked_ns, 0, memory_order_relaxed);
        noted_ns = note_blocked(request, call, 0);
        start(request);
    }
    (void)note_blocked(request, call, noted_ns);
}

/* A refused call: its caller is told, and the trace. */
static void refuse(np_request *request, const char *name, const struct call *call,
                   const np_error *refusal, np_error *err)
{
    np_rejected_note(request, name, call->entry_ns, refusal);
    if (err)
        *err = *refusal;
}

static np_status begin(np_request *request, const struct step *step, const struct call *call,
                       np_async **out, np_error *err)
{
    if (out)
        *out = NULL;
    if (!request || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", request ? "out" : "request");

    np_request_hold(
        request); /* AR-6, AR-7: the callback may come before we return, and release the request */
    np_async *finished = NULL;
    np_error refusal;
    bool starts;
    np_status status = validate_here(request, step, call, &refusal);
    pthread_mutex_lock(&request->lock);
    if (!status)
        status = submit(request, step, call, &starts, &refusal);
    if (!status)
        finished = np_exchange_early_header_locked(request);
    pthread_mutex_unlock(&request->lock);
    if (!status) {
        *out = step->operation(request);
        go(request, call, starts);
    } else {
        refuse(request, step->begin_name, call, &refusal, err);
    }
    np_async_finish(finished);
    np_request_drop(request);
    return status;
}

static np_status end(np_request *request, const struct step *step, np_async *async,
                     struct handle *out, np_error *err)
{
    pthread_mutex_lock(&request->lock);
    const np_status status = np_operation_end_locked(request, async, step->kind, err);
    if (!status)
        *out = step->hand_out(request);
    pthread_mutex_unlock(&request->lock);
    return status;
}

/* Waits for the operation that this call submitted; over its time it aborts the request. */
static np_status await(np_request *request, const struct step *step, struct handle *out,
                       np_error *err)
{
    np_async *operation = step->operation(request);
    pthread_mutex_lock(&request->lock);
    const bool done = np_async_wait_locked(operation, request->until_ns);
    pthread_mutex_unlock(&request->lock);
    if (!done)
        np_ending_abort(request, NP_WEB_TIMEOUT);
    const np_status status = end(request, step, operation, out, err);
    np_async_release(operation);
    return status;
}

static np_status get(np_request *request, const struct step *step, struct handle *out,
                     np_error *err)
{
    const struct call call = {.family = NP_CALLING_SYNC, .entry_ns = np_now()};
    np_error refusal; /* of what is no refusal when the handle is there already (GR-16) */
    np_request_hold(request);
    np_async *finished = NULL;
    bool starts;
    np_status status = validate_here(request, step, &call, &refusal);
    pthread_mutex_lock(&request->lock);
    if (!status)
        status = submit(request, step, &call, &starts, &refusal);
    const bool submitted = status == NP_OK;
    if (submitted)
        finished = np_exchange_early_header_locked(request);
    const bool again = !submitted && step->is_obtained(request->state) &&
                       request->family == NP_CALLING_SYNC &&
                       !np_context_is_disposed(request->context);
    if (again) { /* GR-16 */
        *out = step->hand_out(request);
        status = NP_OK;
    }
    pthread_mutex_unlock(&request->lock);
    if (!submitted && status)
        refuse(request, step->get_name, &call, &refusal, err);
    if (submitted) {
        go(request, &call, starts);
        np_async_finish(finished);
        status = await(request, step, out, err);
    }
    np_request_drop(request);
    return status;
}

/* The name of the argument that is NULL; NULL: none is. */
static const char *missing(const void *request, const void *async, const void *out)
{
    return !request ? "request" : !async ? "async" : !out ? "out" : NULL;
}

/* --- public --- */

np_status np_request_begin_get_request_stream(np_request *request, np_async_fn fn, void *state,
                                              np_async **out, np_error *err)
{
    const struct call call = {NP_CALLING_ASYNC, fn, state, np_now()};
    return begin(request, &stream_step, &call, out, err);
}

np_status np_request_end_get_request_stream(np_request *request, np_async *async, np_stream **out,
                                            np_error *err)
{
    struct handle handle = {0};
    if (out)
        *out = NULL;
    const char *name = missing(request, async, out);
    if (name)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", name);
    const np_status status = end(request, &stream_step, async, &handle, err);
    *out = handle.stream;
    return status;
}

np_status np_request_get_request_stream(np_request *request, np_stream **out, np_error *err)
{
    struct handle handle = {0};
    if (out)
        *out = NULL;
    const char *name = missing(request, request, out);
    if (name)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", name);
    const np_status status = get(request, &stream_step, &handle, err);
    *out = handle.stream;
    return status;
}

np_status np_request_begin_get_response(np_request *request, np_async_fn fn, void *state,
                                        np_async **out, np_error *err)
{
    const struct call call = {NP_CALLING_ASYNC, fn, state, np_now()};
    return begin(request, &response_step, &call, out, err);
}

np_status np_request_end_get_response(np_request *request, np_async *async, np_response **out,
                                      np_error *err)
{
    struct handle handle = {0};
    if (out)
        *out = NULL;
    const char *name = missing(request, async, out);
    if (name)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", name);
    const np_status status = end(request, &response_step, async, &handle, err);
    *out = handle.response;
    return status;
}

np_status np_request_get_response(np_request *request, np_response **out, np_error *err)
{
    struct handle handle = {0};
    if (out)
        *out = NULL;
    const char *name = missing(request, request, out);
    if (name)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", name);
    const np_status status = get(request, &response_step, &handle, err);
    *out = handle.response;
    return status;
}
