/* A request, its response and its stream: making and freeing the block, and what is asked of it.
 * Floor 2. */
#include "request_block.h"
#include "fail.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_DEFAULT_MS            100000
#define READ_WRITE_TIMEOUT_DEFAULT_MS 300000
#define CONTINUE_TIMEOUT_DEFAULT_MS   350
#define HEADER_LIMIT_DEFAULT_KIB      64
#define ERROR_LIMIT_DEFAULT_KIB       64

const char np_block_pool_is_exhausted[] = "not enough free pool threads";

/* --- memory --- */

static void set_defaults(np_request *request)
{
    request->method = "GET";
    request->protocol_version = 11;
    request->async_timeout_ms = -1;
    request->timeout_ms = TIMEOUT_DEFAULT_MS;
    request->read_write_timeout_ms = READ_WRITE_TIMEOUT_DEFAULT_MS;
    request->content_length = -1;
    request->continue_timeout_ms = CONTINUE_TIMEOUT_DEFAULT_MS;
    request->header_limit_kib = HEADER_LIMIT_DEFAULT_KIB;
    request->error_limit_kib = ERROR_LIMIT_DEFAULT_KIB;
    request->date_s = request->modified_since_s = NP_TIME_NONE;
    request->buffering = request->keep_alive = request->expect_continue = true;
    np_follow_state_init(&request->follow, &request->url, request->method);
}

/* Unless the block is already on its way out: then whoever dropped the last reference waits for the
 * context's lock to unlink it. */
static bool hold_living(np_context_link *link)
{
    np_request *request = np_block_of_link(link);
    uint32_t n = atomic_load_explicit(&request->references, memory_order_relaxed);
    while (n > 0)
        if (atomic_compare_exchange_weak_explicit(&request->references, &n, n + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true; /* relaxed: the context's lock orders us with the rest of the block */
    return false;
}

np_status np_block_create(np_context *context, const np_url *url,
                          void (*abort)(np_context_link *link), np_request **out, np_error *err)
{
    np_request *request = calloc(1, sizeof *request);
    if (!request)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a request");
    atomic_init(&request->references, 1);
    atomic_init(&request->caller_blocked_ns, -1);
    request->context = context;
    request->url = *url;
    set_defaults(request);
    request->response.request = request;
    request->stream.request = request->request_stream.request = request;
    request->request_stream.is_request = true;
    pthread_mutex_init(&request->lock, NULL);
    np_condition_init(&request->changed);
    request->link = (np_context_link){.hold = hold_living, .abort = abort};
    if (!np_context_link_request(context, &request->link)) {
        pthread_cond_destroy(&request->changed);
        pthread_mutex_destroy(&request->lock);
        free(request);
        return np_fail(err, NP_E_OBJECT_DISPOSED, "the context is being freed");
    }
    np_context_retain(context);
    *out = request;
    return NP_OK;
}

static void free_block(np_request *request)
{
    np_context *context = request->context;
    assert(!request->transfer && !request->reading && !request->writing);
    np_context_unlink_request(context, &request->link);
    np_body_clear(&request->body, &context->bodies);
    np_outgoing_clear(&request->outgoing, &context->bodies);
    free(request->response.headers);
    np_follow_drop_authorization(&request->fields);
    np_follow_state_done(&request->follow);
    np_header_list_done(&request->fields);
    free(request->transfer_encoding);
    free(request->expect);
    free(request->url_host);
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

/* --- looking --- */

/* The error of an operation that an abort ended. */
void np_block_abort_error(np_web_status cause, np_error *out)
{
    if (cause == NP_WEB_TIMEOUT)
        (void)np_fail_web(out, cause, NULL, 0, NULL,
                          "the time allowed is over and the request was aborted");
    else
        (void)np_fail_web(out, cause, NULL, 0, NULL, "the request was aborted");
}

np_status np_block_refuse_disposed(const np_request *request, np_error *err)
{
    if (!np_context_is_disposed(request->context))
        return NP_OK;
    return np_fail(err, NP_E_OBJECT_DISPOSED, "the context of this request was freed");
}

np_status np_block_refuse_aborted(const np_request *request, np_error *err)
{
    const np_status status = np_life_refuse(NP_ANSWER_ABORTED, err);
    if (err && request->pool_exhausted)
        (void)snprintf(err->cause, sizeof err->cause, "%s", np_block_pool_is_exhausted);
    return status;
}

np_status np_block_refusal_locked(const np_request *request, np_error *err)
{
    const np_status status = np_block_refuse_disposed(request, err);
    if (status)
        return status;
    if (request->state == NP_REQUEST_ABORTED)
        return np_block_refuse_aborted(request, err);
    if (request->response_closed)
        return np_fail_web(err, NP_WEB_CONNECTION_CLOSED, NULL, 0, NULL, "the response was closed");
    return NP_OK;
}

np_response *np_block_response_locked(np_request *request)
{
    np_request_hold(request);
    request->response.handles++;
    return &request->response;
}

np_stream *np_block_request_stream_locked(np_request *request)
{
    np_request_hold(request);
    request->request_stream.handles++;
    return &request->request_stream;
}
