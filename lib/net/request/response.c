/* Responses as callers see them: status, header fields, the way to the body. Floor 2; any thread.
 */
#include "fail.h"
#include "reading.h"

int np_response_status(const np_response *response)
{
    return response ? response->status : 0;
}

int np_response_protocol(const np_response *response)
{
    return response ? response->protocol : 0;
}

int64_t np_response_content_length(const np_response *response)
{
    return response ? response->content_length : -1;
}

const char *np_response_uri(const np_response *response)
{
    return response ? response->uri : NULL;
}

const char *np_response_method(const np_response *response)
{
    return response ? response->method : NULL;
}

const char *np_response_header(const np_response *response, const char *name)
{
    const np_header_line *line =
        response && name ? np_header_find(response->headers, response->header_count, name) : NULL;
    return line ? line->value : NULL;
}

np_status np_response_stream(np_response *response, np_stream **out, np_error *err)
{
    if (out)
        *out = NULL;
    if (!response || !out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", response ? "out" : "response");
    np_request *request = response->request;
    pthread_mutex_lock(&request->lock);
    np_status status = np_block_refusal_locked(request, err);
    if (request->response_closed)
        status = np_fail(err, NP_E_OBJECT_DISPOSED, "the response was closed");
    if (!status) {
        np_request_hold(request);
        request->stream.handles++;
        *out = &request->stream;
    }
    pthread_mutex_unlock(&request->lock);
    return status;
}

void np_response_close(np_response *response)
{
    if (!response)
        return;
    np_request *request = response->request;
    pthread_mutex_lock(&request->lock);
    np_async *read = np_reading_close_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
}

void np_response_release(np_response *response)
{
    if (!response)
        return;
    np_request *request = response->request;
    np_async *read = NULL;
    pthread_mutex_lock(&request->lock);
    request->response.handles--;
    if (request->response.handles == 0 && request->stream.handles == 0)
        read = np_reading_close_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
    np_request_drop(request);
}
