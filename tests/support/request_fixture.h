/* What the tests of the request contract share: a context on the fake engine, requests, callbacks
 * that count. */
#ifndef REQUEST_FIXTURE_H
#define REQUEST_FIXTURE_H

#include "clock.h"
#include "fake_engine.h"
#include "request_block.h"
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static inline np_context *context_make(void)
{
    np_error err = {0};
    np_context *context;
    cr_assert_eq(np_context_create(NULL, &context, &err), NP_OK, "%s", err.text);
    return context;
}

static inline np_request *request_make(np_context *context)
{
    np_error err = {0};
    np_request *request;
    cr_assert_eq(np_request_create(context, "http://example.test/a?b=c", &request, &err), NP_OK,
                 "%s", err.text);
    return request;
}

struct calls {
    _Atomic int count;
    _Atomic bool was_completed;
    _Atomic bool on_own_thread; /* ran on the thread that made this struct */
    pthread_t maker;
    np_request *request;
    _Atomic bool go;
    np_status status;
    np_error err;
    np_response *response;
    _Atomic bool finished; /* the callback is about to return */
};

static inline struct calls calls_make(np_request *request)
{
    return (struct calls){.maker = pthread_self(), .request = request};
}

static inline void count_call(np_async *async)
{
    struct calls *calls = np_async_state(async);
    if (!calls) /* a callback always gets its result, and its state with it */
        abort();
    calls->was_completed = np_async_is_completed(async);
    calls->on_own_thread = pthread_equal(calls->maker, pthread_self()) != 0;
    calls->count++;
}

static inline void wait_until(_Atomic int *count, int wanted)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (*count < wanted) {
        cr_assert_lt(np_now(), until, "waited in vain: %d of %d", *count, wanted);
        sched_yield();
    }
}

static inline void wait_true(_Atomic bool *flag)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (!*flag) {
        cr_assert_lt(np_now(), until, "waited in vain");
        sched_yield();
    }
}

static inline np_async *begin(np_request *request, np_async_fn fn, void *state)
{
    np_error err = {0};
    np_async *async;
    cr_assert_eq(np_request_begin_get_response(request, fn, state, &async, &err), NP_OK, "%s",
                 err.text);
    cr_assert_not_null(async);
    return async;
}

static inline np_response *end(np_request *request, np_async *async)
{
    np_error err = {0};
    np_response *response;
    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_OK, "%s",
                 err.text);
    return response;
}

/* A request whose response was handed out; its transfer has sent the header and goes on. */
struct opened {
    np_context *context;
    np_request *request;
    np_response *response;
    np_stream *stream;
};

static inline struct opened open_response_in(np_context *context)
{
    struct opened o;
    o.context = context;
    o.request = request_make(o.context);
    np_async *async = begin(o.request, NULL, NULL);
    fake_header(0, 200, -1, NULL, 0);
    o.response = end(o.request, async);
    np_async_release(async);
    cr_assert_eq(np_response_stream(o.response, &o.stream, NULL), NP_OK);
    return o;
}

static inline struct opened open_response(void)
{
    return open_response_in(context_make());
}

static inline void close_all(struct opened *o)
{
    np_stream_release(o->stream);
    np_response_release(o->response);
    np_request_release(o->request);
    np_context_free(o->context);
}

static inline size_t read_some(np_stream *stream, char *buffer, size_t capacity)
{
    size_t got;
    np_error err = {0};
    cr_assert_eq(np_stream_read(stream, buffer, capacity, &got, &err), NP_OK, "%s", err.text);
    return got;
}

static inline void assert_web(np_status status, const np_error *err, np_web_status web_status)
{
    cr_assert_eq(status, NP_E_WEB, "%s", np_status_name(status));
    cr_assert_eq(err->status, NP_E_WEB);
    cr_assert_eq(err->web_status, web_status, "%s", np_web_status_name(err->web_status));
    cr_assert(err->text[0]);
}

static const np_error refused = {.status = NP_E_WEB,
                                 .web_status = NP_WEB_CONNECT_FAILURE,
                                 .layer = "os",
                                 .code = 111,
                                 .text = "127.0.0.1:1 refused",
                                 .cause = "refused"};

static inline void *get_in_thread(void *argument)
{
    struct calls *calls = argument;
    calls->status = np_request_get_response(calls->request, &calls->response, &calls->err);
    calls->finished = true;
    return NULL;
}

#endif
