/* What the tests of request streams against real servers share: a context, a scripted server,
 * requests whose steps must succeed. */
#ifndef NP_TESTS_UPLOAD_RIG_H
#define NP_TESTS_UPLOAD_RIG_H

#include "clock.h"
#include "scripted_server.h"

#include <criterion/criterion.h>
#include <netphase/request.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK_2     "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
#define CONTINUE "HTTP/1.1 100 Continue\\r\\n\\r\\n"

static struct scripted_server *server __attribute__((unused));
static np_context *context;

static inline void open_context(void)
{
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
}

static inline void serve(const char *script)
{
    char why[256];
    server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    open_context();
}

static inline void take_down(void)
{
    np_context_free(context);
    scripted_server_stop(server);
}

static inline np_request *request_to(uint16_t port, const char *method, const char *path)
{
    char url[128];
    np_request *request;
    np_error err = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_set_method(request, method, &err), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, false, &err), NP_OK);
    return request;
}

static inline np_request *post(void)
{
    return request_to(scripted_server_port(server), "POST", "/up");
}

static inline np_async *begin_stream(np_request *request)
{
    np_async *async;
    np_error err = {0};
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), NP_OK,
                 "%s", err.text);
    return async;
}

static inline np_stream *open_stream(np_request *request)
{
    np_stream *stream;
    np_error err = {0};
    np_async *async = begin_stream(request);
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK, "%s (%s)",
                 err.text, err.cause);
    np_async_release(async);
    return stream;
}

static inline void write_text(np_stream *stream, const char *text)
{
    np_error err = {0};
    cr_assert_eq(np_stream_write(stream, text, strlen(text), &err), NP_OK, "%s", err.text);
}

static inline void close_stream(np_stream *stream)
{
    np_error err = {0};
    cr_assert_eq(np_stream_close(stream, &err), NP_OK, "%s", err.text);
    np_stream_release(stream);
}

static inline np_status get_response(np_request *request, np_response **response, np_error *err)
{
    np_async *async;
    *response = NULL;
    np_status status = np_request_begin_get_response(request, NULL, NULL, &async, err);
    if (status)
        return status;
    status = np_request_end_get_response(request, async, response, err);
    np_async_release(async);
    return status;
}

/* The response is 200; everything is released. */
static inline void must_be_answered(np_request *request)
{
    np_response *response;
    np_error err = {0};
    cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s (%s)", err.text, err.cause);
    cr_assert_eq(np_response_status(response), 200);
    np_response_release(response);
    np_request_release(request);
}

static inline void must_be_web(np_status status, const np_error *err, np_web_status web_status)
{
    cr_assert_eq(status, NP_E_WEB, "%s: %s", np_status_name(status), err->text);
    cr_assert_eq(err->web_status, web_status, "%s: %s", np_web_status_name(err->web_status),
                 err->text);
}

static inline void wait_for_heads(unsigned heads)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (scripted_server_heads(server) < heads) {
        cr_assert_lt(np_now(), until, "no request came");
        sched_yield();
    }
}

static inline bool was_heard(const char *text)
{
    char *heard = scripted_server_heard(server, NULL);
    const bool found = strstr(heard, text) != NULL;
    free(heard);
    return found;
}

static inline void must_be_heard(const char *text)
{
    char *heard = scripted_server_heard(server, NULL);
    cr_assert_not_null(strstr(heard, text), "no '%s' in: %s", text, heard);
    free(heard);
}

/* The stream is handed out, takes what is written, and the response comes with its status. */
static inline void must_be_refused(np_request *request, size_t to_write, int status)
{
    static const char bytes[4096];
    np_response *response;
    np_error err = {0};
    np_stream *stream = open_stream(request);
    for (size_t left = to_write; left > 0; left -= sizeof bytes)
        cr_assert_eq(np_stream_write(stream, bytes, sizeof bytes, &err), NP_OK, "%s", err.text);
    close_stream(stream);
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_PROTOCOL_ERROR);
    response = np_request_response(request);
    cr_assert_eq(np_response_status(response), status);
    np_response_release(response);
    np_request_release(request);
}

#endif
