/*
 * Requests as callers see them: making one, aborting and releasing it, looking at it. Floor 2; any
 * thread.
 */
#include "ending.h"
#include "fail.h"
#include "reading.h"
#include <netphase/request.h>

/* The context goes (AR-12). */
static void abort_for_context(np_context_link *link)
{
    np_request *request = np_block_of_link(link);
    np_ending_abort(request, NP_WEB_REQUEST_CANCELED);
    np_request_drop(request);
}

np_status np_request_create(np_context *context, const char *url, np_request **out, np_error *err)
{
    if (!out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "out is NULL");
    *out = NULL;
    if (!context || !url)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", context ? "url" : "context");
    np_url parsed;
    np_status status = np_url_parse(url, &parsed, err);
    if (status)
        return status;
    status = np_block_create(context, &parsed, abort_for_context, out, err);
    if (status)
        np_url_done(&parsed);
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
    np_async *read = np_reading_close_unreachable_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
    if (under_way)
        np_ending_abort(request, NP_WEB_REQUEST_CANCELED);
    np_request_drop(request);
}

void np_request_abort(np_request *request)
{
    if (request)
        np_ending_abort(request, NP_WEB_REQUEST_CANCELED);
}

/* --- looking --- */

const char *np_request_uri(const np_request *request)
{
    return request ? request->url.text : NULL;
}

const char *np_request_address(const np_request *request)
{
    if (!request)
        return NULL;
    np_request *block =
        request->response.request; /* not const: the lock is no part of what the caller sees */
    pthread_mutex_lock(&block->lock);
    const char *address = block->follow.url->text;
    pthread_mutex_unlock(&block->lock);
    return address;
}

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
    np_response *response = failed ? np_block_response_locked(request) : NULL;
    pthread_mutex_unlock(&request->lock);
    return response;
}

np_response *np_async_response(const np_async *async)
{
    return async && async->kind == NP_ASYNC_RESPONSE && np_async_is_done(async)
               ? np_request_response(async->home)
               : NULL;
}
