/*
 * Requests as callers see them: making and configuring one, begin, end, abort, release. Floor 2;
 * any thread.
 *
 * Whether a call is allowed is asked of life_cycle.c; what it sets going is in exchange.c.
 */
#include "request.h"
#include "clock.h"
#include "fail.h"
#include "sending.h"
#include <netphase/request.h>
#include <stdlib.h>
#include <string.h>

#define METHOD_MAX                    64
#define TIMEOUT_DEFAULT_MS            100000
#define READ_WRITE_TIMEOUT_DEFAULT_MS 300000
#define CONTINUE_TIMEOUT_DEFAULT_MS   350

/* --- making one --- */

np_status np_request_create(np_context *context, const char *url, np_request **out, np_error *err)
{
    if (!out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "out is NULL");
    *out = NULL;
    if (!context || !url)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", context ? "url" : "context");
    np_request *request = calloc(1, sizeof *request);
    if (!request)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a request");
    np_status status = np_url_parse(url, &request->url, err);
    if (status)
        goto fail;

    atomic_init(&request->references, 1);
    atomic_init(&request->caller_blocked_ns, -1);
    request->context = context;
    request->method = "GET";
    request->protocol_version = 11;
    request->async_timeout_ms = -1;
    request->timeout_ms = TIMEOUT_DEFAULT_MS;
    request->read_write_timeout_ms = READ_WRITE_TIMEOUT_DEFAULT_MS;
    request->content_length = -1;
    request->continue_timeout_ms = CONTINUE_TIMEOUT_DEFAULT_MS;
    request->buffering = request->keep_alive = request->expect_continue = true;
    request->response.request = request;
    request->stream.request = request->request_stream.request = request;
    request->request_stream.is_request = true;
    np_follow_init(request);
    pthread_mutex_init(&request->lock, NULL);
    np_condition_init(&request->changed);
    if (!np_context_link_request(context, &request->link)) {
        status = np_fail(err, NP_E_OBJECT_DISPOSED, "the context is being freed");
        goto fail_linked;
    }
    np_context_retain(context);
    *out = request;
    return NP_OK;

fail_linked:
    pthread_cond_destroy(&request->changed);
    pthread_mutex_destroy(&request->lock);
    np_url_done(&request->url);
fail:
    free(request);
    return status;
}

/* AR-11: whoever lets go of a request that is under way gives it up. */
void np_request_release(np_request *request)
{
    if (!request)
        return;
    pthread_mutex_lock(&request->lock);
    request->released = true;
    const bool under_way = request->state >= NP_REQUEST_STREAM_PENDING &&
                           request->state <= NP_REQUEST_RESPONSE_PENDING;
    np_async *read = np_exchange_close_unreachable_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
    if (under_way)
        np_exchange_abort(request, NP_WEB_REQUEST_CANCELED);
    np_request_drop(request);
}

/* --- configuration --- */

/* NP_OK: the lock is held, and the request may be changed. SM-1 comes before every check of a
 * value. */
np_status np_request_change_begin(np_request *request, np_error *err)
{
    if (!request)
        return np_fail(err, NP_E_ARGUMENT_NULL, "request is NULL");
    pthread_mutex_lock(&request->lock);
    const np_status status = np_life_refuse(np_life_ask(request->state, NP_CALL_CONFIGURE), err);
    if (status)
        pthread_mutex_unlock(&request->lock);
    return status;
}

np_status np_request_change_end(np_request *request, np_status status)
{
    pthread_mutex_unlock(&request->lock);
    return status;
}

static np_status set_method(np_request *request, const char *method, np_error *err)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "CONNECT", "MKCOL"};
    if (!method)
        return np_fail(err, NP_E_ARGUMENT_NULL, "method is NULL");
    if (strlen(method) > METHOD_MAX || !np_is_token(method, strlen(method)))
        return np_fail(err, NP_E_ARGUMENT,
                       "\"%.40s\" is no method: expected a word of up to %d letters, digits and "
                       "!#$%%&'*+-.^_`|~",
                       method, METHOD_MAX);
    const char *canonical = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known && !canonical; i++)
        if (strcasecmp(method, known[i]) == 0)
            canonical = known[i];
    char *copy = canonical ? NULL : strdup(method);
    if (!canonical && !copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a method");
    free(request->method_copy);
    request->method_copy = copy;
    request->method = canonical ? canonical : copy;
    return NP_OK;
}

np_status np_request_set_method(np_request *request, const char *method, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    return status ? status : np_request_change_end(request, set_method(request, method, err));
}

const char *np_request_method(const np_request *request)
{
    return request ? request->method : NULL;
}

np_status np_request_set_reuse(np_request *request, np_reuse reuse, np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (reuse != NP_REUSE_ANY && reuse != NP_REUSE_FRESH && reuse != NP_REUSE_COLD)
        status = np_fail(err, NP_E_ARGUMENT, "%d is no way of reuse: expected one of np_reuse",
                         (int)reuse);
    else
        request->reuse = reuse;
    return np_request_change_end(request, status);
}

np_status np_request_set_proxy(np_request *request, const np_proxy *proxy, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    np_proxy_release(request->proxy);
    request->proxy = np_proxy_retain(proxy ? proxy : np_proxy_direct());
    return np_request_change_end(request, NP_OK);
}

np_status np_request_set_protocol_version(np_request *request, int version, np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (version != 10 && version != 11 && version != 20)
        status = np_fail(err, NP_E_ARGUMENT,
                         "%d is no protocol version: expected 10, 11 or 20 for HTTP/1.0, 1.1 or 2",
                         version);
    else
        request->protocol_version = version;
    return np_request_change_end(request, status);
}

static np_status set_group_name(np_request *request, const char *name, np_error *err)
{
    char *copy = name && *name ? strdup(name) : NULL;
    if (name && *name && !copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the name of a connection group");
    free(request->group_name);
    request->group_name = copy;
    return NP_OK;
}

np_status np_request_set_connection_group_name(np_request *request, const char *name, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    return status ? status : np_request_change_end(request, set_group_name(request, name, err));
}

np_status np_request_set_limit(np_request *request, int64_t *limit_ms, int64_t timeout_ms,
                               np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (timeout_ms < -1)
        status = np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a timeout of %lld ms: expected -1 for none, or 0 and more",
                         (long long)timeout_ms);
    else
        *limit_ms = timeout_ms;
    return np_request_change_end(request, status);
}

np_status np_request_set_async_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_request_set_limit(request, request ? &request->async_timeout_ms : NULL, timeout_ms,
                                err);
}

np_status np_request_set_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_request_set_limit(request, request ? &request->timeout_ms : NULL, timeout_ms, err);
}

static np_status set_field(np_request *request, const char *name, const char *value, np_error *err)
{
    size_t length;
    const np_status status = np_header_check_value(name, &value, &length, err);
    return status ? status : np_header_list_set(&request->fields, name, value, length, err);
}

np_status np_request_header_set(np_request *request, const char *name, const char *value,
                                np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    status =
        name ? np_header_check_name(name, err) : np_fail(err, NP_E_ARGUMENT_NULL, "name is NULL");
    if (!status && value)
        status = set_field(request, name, value, err);
    else if (!status)
        np_header_list_remove(&request->fields, name);
    return np_request_change_end(request, status);
}

/* A field that has a property of its own: NULL and what is blank clear it. */
static np_status set_property(np_request *request, const char *name, const char *value,
                              np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (value && value[strspn(value, " \t")])
        status = set_field(request, name, value, err);
    else
        np_header_list_remove(&request->fields, name);
    return np_request_change_end(request, status);
}

np_status np_request_set_accept(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Accept", value, err);
}

np_status np_request_set_user_agent(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "User-Agent", value, err);
}

np_status np_request_set_referer(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Referer", value, err);
}

np_status np_request_set_content_type(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Content-Type", value, err);
}

static np_status set_host(np_request *request, const char *value, np_error *err)
{
    if (!value)
        return np_fail(err, NP_E_ARGUMENT_NULL, "value is NULL");
    const np_status status = np_url_check_host(value, err);
    if (status)
        return status;
    char *copy = strdup(value);
    if (!copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a host");
    free(request->host_header);
    request->host_header = copy;
    return NP_OK;
}

np_status np_request_set_host(np_request *request, const char *value, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    return status ? status : np_request_change_end(request, set_host(request, value, err));
}

/* --- begin and end --- */

np_write_setup np_request_write_setup(const np_request *request)
{
    return (np_write_setup){.method = request->method,
                            .content_length = request->content_length,
                            .send_chunked = request->send_chunked,
                            .buffering = request->buffering,
                            .keep_alive = request->keep_alive,
                            .http_1_0 = request->protocol_version == 10};
}

np_status np_request_say_close(np_request *request, np_error *err)
{
    return request->keep_alive
               ? NP_OK
               : np_header_list_set(&request->fields, "Connection", "close", 5, err);
}

/* GR-12: these two say that their body is empty, others say nothing. */
static np_status say_empty_body(np_request *request, np_error *err)
{
    if (strcmp(request->method, "POST") != 0 && strcmp(request->method, "PUT") != 0)
        return NP_OK;
    return np_header_list_set(&request->fields, "Content-Length", "0", 1, err);
}

void np_request_fill_spec(np_request *request, uint64_t entry_ns)
{
    const bool is_async = request->family == NP_CALLING_ASYNC;
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
    };
}

/* With the lock held: GR-3 for a stream that is open, GR-5 to GR-7 where there never was one. */
static np_status may_leave_body(const np_request *request, np_error *err)
{
    if (!request->stream_begun) {
        const np_write_setup setup = np_request_write_setup(request);
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

/* With the lock held: GR-0 … GR-10, in their order. A refused call leaves everything as it was
 * (ER-2). */
static np_status may_submit(const np_request *request, np_calling_family family, np_error *err)
{
    if (np_context_is_disposed(request->context))
        return np_fail(err, NP_E_OBJECT_DISPOSED, "the context of this request was freed");
    np_life_answer answer = np_life_ask(request->state, NP_CALL_BEGIN_RESPONSE);
    if (answer == NP_ANSWER_FAILED) {
        if (err)
            *err = request->failure;
        return request->failure.status;
    }
    if (answer == NP_ANSWER_STREAM_FIRST && request->write_mode == NP_WRITE_LENGTH &&
        request->content_length == 0) /* GR-4: there is nothing to wait for */
        answer = NP_ANSWER_ACCEPT;
    if (answer == NP_ANSWER_ACCEPT) {
        const np_status status = may_leave_body(request, err);
        if (status)
            return status;
    }
    const bool is_other_family = request->family != NP_CALLING_NONE && request->family != family;
    if (is_other_family && (answer == NP_ANSWER_ACCEPT || answer == NP_ANSWER_OBTAINED))
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "the synchronous and the asynchronous calls cannot be mixed on one request");
    return np_life_refuse(answer, err);
}

/* With the lock held: takes the request to RESPONSE_PENDING. From CREATED np_exchange_start is next
   (*starts); otherwise it is under way, and an open stream is closed (GR-3b). The operation gets
   two references: ours until the callback has returned, and the caller's. */
static np_status submit(np_request *request, np_calling_family family, np_async_fn fn, void *state,
                        uint64_t entry_ns, bool *starts, np_error *err)
{
    np_status status = may_submit(request, family, err);
    *starts = !request->stream_begun;
    if (!status && *starts)
        status = say_empty_body(request, err);
    if (!status && *starts)
        status = np_decompression_ask(request, err);
    if (!status && *starts)
        status = np_request_say_close(request, err);
    if (status)
        return status;
    const np_async_setup setup = np_exchange_operation(request, NP_ASYNC_RESPONSE, fn, state, 2);
    np_async_init(&request->operation, &setup);
    np_request_hold(request);
    request->family = family;
    if (*starts)
        np_request_fill_spec(request, entry_ns);
    else
        np_sending_finish_locked(request);
    request->state = np_life_next(request->state, NP_LIFE_RESPONSE_BEGUN);
    return NP_OK;
}

/* Sends it on its way, and notes for how long the caller was held. */
void np_request_send_off(np_request *request, uint64_t entry_ns)
{
    np_exchange_start(request);
    /* relaxed: the loop reads one number, at the end of the request, and nothing that it would
     * stand for */
    atomic_store_explicit(&request->caller_blocked_ns, (int64_t)(np_now() - entry_ns),
                          memory_order_relaxed);
}

np_status np_request_begin_get_response(np_request *request, np_async_fn fn, void *state,
                                        np_async **out, np_error *err)
{
    const uint64_t entry_ns = np_now();
    if (out)
        *out = NULL;
    if (!request || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", request ? "out" : "request");

    np_request_hold(
        request); /* AR-6, AR-7: the callback may come before we return, and release the request */
    bool starts;
    pthread_mutex_lock(&request->lock);
    const np_status status = submit(request, NP_CALLING_ASYNC, fn, state, entry_ns, &starts, err);
    np_async *finished = status ? NULL : np_exchange_early_header_locked(request);
    pthread_mutex_unlock(&request->lock);
    if (!status)
        *out = &request->operation;
    if (!status && starts)
        np_request_send_off(request, entry_ns);
    np_async_finish(finished);
    np_request_drop(request);
    return status;
}

np_status np_request_end_get_response(np_request *request, np_async *async, np_response **out,
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
    const np_status status = np_exchange_end_locked(request, async, NP_ASYNC_RESPONSE, err);
    if (!status)
        *out = np_exchange_response_locked(request);
    pthread_mutex_unlock(&request->lock);
    return status;
}

/* Waits for the operation that this call submitted; over its time it aborts the request. */
static np_status await_response(np_request *request, np_response **out, np_error *err)
{
    pthread_mutex_lock(&request->lock);
    const bool done = np_async_wait_locked(&request->operation, request->until_ns);
    pthread_mutex_unlock(&request->lock);
    if (!done)
        np_exchange_abort(request, NP_WEB_TIMEOUT);
    return np_request_end_get_response(request, &request->operation, out, err);
}

np_status np_request_get_response(np_request *request, np_response **out, np_error *err)
{
    const uint64_t entry_ns = np_now();
    if (out)
        *out = NULL;
    if (!request || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", request ? "out" : "request");

    np_request_hold(request);
    pthread_mutex_lock(&request->lock);
    bool starts;
    np_status status = submit(request, NP_CALLING_SYNC, NULL, NULL, entry_ns, &starts, err);
    const bool submitted = status == NP_OK;
    np_async *finished = submitted ? np_exchange_early_header_locked(request) : NULL;
    const bool obtained =
        request->state == NP_REQUEST_RESPONSE_READY || request->state == NP_REQUEST_CLOSED;
    if (!submitted && obtained && request->family == NP_CALLING_SYNC &&
        !np_context_is_disposed(request->context)) {
        *out = np_exchange_response_locked(request); /* GR-16 */
        status = NP_OK;
    }
    pthread_mutex_unlock(&request->lock);
    if (submitted) {
        if (starts)
            np_request_send_off(request, entry_ns);
        np_async_finish(finished);
        status = await_response(request, out, err);
        np_async_release(&request->operation);
    }
    np_request_drop(request);
    return status;
}

void np_request_abort(np_request *request)
{
    if (request)
        np_exchange_abort(request, NP_WEB_REQUEST_CANCELED);
}

/* --- looking --- */

bool np_request_have_response(const np_request *request)
{
    if (!request)
        return false;
    np_request *block =
        request->response.request; /* not const: the lock is no part of what the caller sees */
    pthread_mutex_lock(&block->lock);
    const bool has_response = block->has_response;
    pthread_mutex_unlock(&block->lock);
    return has_response;
}

np_request_state np_request_get_state(const np_request *request)
{
    if (!request)
        return NP_REQUEST_CREATED;
    np_request *block = request->response.request;
    pthread_mutex_lock(&block->lock);
    const np_request_state state = block->state;
    pthread_mutex_unlock(&block->lock);
    return state;
}

np_response *np_request_response(np_request *request)
{
    if (!request)
        return NULL;
    pthread_mutex_lock(&request->lock);
    const bool failed = request->has_response && request->operation.error.status;
    np_response *response = failed ? np_exchange_response_locked(request) : NULL;
    pthread_mutex_unlock(&request->lock);
    return response;
}

np_response *np_async_response(const np_async *async)
{
    return async && async->kind == NP_ASYNC_RESPONSE && np_async_is_done(async)
               ? np_request_response(async->home)
               : NULL;
}
