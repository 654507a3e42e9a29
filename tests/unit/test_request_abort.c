/* The request contract against an engine that does what the test says: abort, results, threads. */
#include "request_fixture.h"

#include <poll.h>

/* --- AB: abort --- */

Test(request_abort, ab_1_abort_is_legal_anywhere_and_the_first_cause_stays)
{
    np_error err = {0};
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_request_set_timeout(request, 1, NULL);
    assert_web(np_request_get_response(request, &response, &err), &err, NP_WEB_TIMEOUT);

    np_request_abort(request);
    np_request_abort(request);
    np_request_abort(NULL);

    cr_assert_eq(request->operation.error.web_status, NP_WEB_TIMEOUT);
    const fake_seen seen = fake_wait(0, FAKE_DONE);
    cr_assert_eq(seen.aborts, 1);
    cr_assert_eq(seen.cause, NP_WEB_TIMEOUT);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ab_2_abort_completes_what_is_outstanding_once)
{
    np_error err = {0};
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);
    (void)fake_wait(0, FAKE_STARTED);

    np_request_abort(request);

    cr_assert_eq(calls.count, 1);
    assert_web(np_request_end_get_response(request, async, &response, &err), &err,
               NP_WEB_REQUEST_CANCELED);
    (void)fake_wait(0, FAKE_DONE);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(calls.count, 1);
}

Test(request_abort, ab_2_abort_completes_a_pending_read)
{
    np_error err = {0};
    char buffer[8];
    size_t got;
    np_async *read;
    struct opened o = open_response();
    struct calls calls = calls_make(o.request);
    cr_assert_eq(
        np_stream_begin_read(o.stream, buffer, sizeof buffer, count_call, &calls, &read, NULL),
        NP_OK);

    np_request_abort(o.request);

    cr_assert_eq(calls.count, 1);
    cr_assert(calls.on_own_thread);
    assert_web(np_stream_end_read(o.stream, read, &got, &err), &err, NP_WEB_REQUEST_CANCELED);
    np_async_release(read);
    close_all(&o);
}

Test(request_abort, ab_2_a_callback_that_completion_has_claimed_is_not_called_again)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);
    fake_answer(0, 200, "x");
    cr_assert_eq(np_async_wait(async, 20000), 0);

    np_request_abort(request);

    np_async_release(async);
    np_request_release(request);
    np_context_free(context); /* joins the pool */
    cr_assert_eq(calls.count, 1);
    cr_assert_not(calls.on_own_thread);
}

Test(request_abort, ab_3_callbacks_of_an_abort_run_on_the_aborting_thread)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);

    np_request_abort(request);

    cr_assert_eq(calls.count, 1, "before abort returned");
    cr_assert(calls.on_own_thread);
    cr_assert(calls.was_completed);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ab_4_an_abort_before_the_start_is_remembered)
{
    np_error err = {0};
    np_async *async;
    np_context *context = context_make();
    np_request *request = request_make(context);

    np_request_abort(request);
    assert_web(np_request_begin_get_response(request, NULL, NULL, &async, &err), &err,
               NP_WEB_REQUEST_CANCELED);

    cr_assert_str_eq(err.cause, "");
    cr_assert_null(np_request_response(request));
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(fake_started(), 0);
}

Test(request_abort, ab_5_abort_drops_the_connection_and_never_drains)
{
    struct opened o = open_response();

    np_request_abort(o.request);

    const fake_seen seen = fake_wait(0, FAKE_ABORTED | FAKE_DONE);
    cr_assert_eq(seen.drains, 0);
    close_all(&o);
}

Test(request_abort, ab_6_after_an_abort_reading_is_canceled_and_closing_is_fine)
{
    np_error err = {0};
    char buffer[8] = "";
    size_t got;
    np_async *read;
    struct opened o = open_response();
    fake_body(0, "abcdef", 6);
    cr_assert_eq(read_some(o.stream, buffer, 3), 3);

    np_request_abort(o.request);

    assert_web(np_stream_read(o.stream, buffer, sizeof buffer, &got, &err), &err,
               NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(got, 0);
    cr_assert_eq(memcmp(buffer, "abc", 3), 0, "what was copied stays");
    assert_web(np_stream_begin_read(o.stream, buffer, sizeof buffer, NULL, NULL, &read, &err), &err,
               NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(np_stream_close(o.stream, &err), NP_OK);
    cr_assert_eq(np_response_status(o.response), 200);
    close_all(&o);
}

static void *read_in_thread(void *argument)
{
    struct calls *calls = argument;
    char buffer[8];
    size_t got;
    np_stream *stream = &calls->request->stream;
    calls->count++;
    calls->status = np_stream_read(stream, buffer, sizeof buffer, &got, &calls->err);
    return NULL;
}

static void wait_reading(np_request *request)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    for (bool reading = false; !reading;) {
        pthread_mutex_lock(&request->lock);
        reading = request->reading;
        pthread_mutex_unlock(&request->lock);
        cr_assert_lt(np_now(), until);
        sched_yield();
    }
}

Test(request_abort, ab_6_an_abort_wakes_a_blocked_read)
{
    struct opened o = open_response();
    struct calls calls = calls_make(o.request);
    pthread_t thread;
    pthread_create(&thread, NULL, read_in_thread, &calls);
    wait_reading(o.request);

    np_request_abort(o.request);

    pthread_join(thread, NULL);
    assert_web(calls.status, &calls.err, NP_WEB_REQUEST_CANCELED);
    close_all(&o);
}

Test(request_abort, ab_7_a_callback_just_returns)
{
    /* There is nothing a callback could report: its type returns void. What it leaves undone is
     * cleaned up. */
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);
    np_async_release(async);

    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    cr_assert_neq(np_request_get_state(request), NP_REQUEST_ABORTED);
    np_request_release(request);
    np_context_free(context);
}

/* --- AR: results and threads --- */

Test(request_abort, ar_1_the_state_is_the_pointer_given)
{
    int something;
    np_context *context = context_make();
    np_request *request = request_make(context);

    np_async *async = begin(request, NULL, &something);

    cr_assert_eq(np_async_state(async), &something);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ar_2_completed_comes_before_the_callback_and_stays)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);
    cr_assert_not(np_async_is_completed(async));
    cr_assert_null(np_async_error(async));

    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    cr_assert(calls.was_completed);
    np_response_release(end(request, async));
    cr_assert(np_async_is_completed(async));
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ar_3_nothing_completes_synchronously)
{
    char buffer[8];
    np_async *read;
    struct opened o = open_response();
    struct calls calls = calls_make(o.request);
    fake_body(0, "abc", 3);

    cr_assert_eq(
        np_stream_begin_read(o.stream, buffer, sizeof buffer, count_call, &calls, &read, NULL),
        NP_OK);
    wait_until(&calls.count, 1);

    cr_assert_not(np_async_completed_synchronously(read));
    cr_assert_not(calls.on_own_thread);
    np_async_release(read);
    close_all(&o);
}

Test(request_abort, ar_4_waiting_by_time_and_by_descriptor)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    cr_assert_eq(np_async_wait(async, 0), 1);
    cr_assert_eq(np_async_wait(async, 1), 1);
    const int fd = np_async_eventfd(async);
    cr_assert_geq(fd, 0);
    cr_assert_eq(np_async_eventfd(async), fd);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, 0), 0);

    fake_answer(0, 200, "x");

    cr_assert_eq(poll(&ready, 1, 20000), 1);
    cr_assert_eq(poll(&ready, 1, 0), 1, "it stays readable");
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert_eq(np_async_wait(async, 0), 0);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ar_4_a_descriptor_asked_for_late_is_readable)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_answer(0, 200, "x");
    cr_assert_eq(np_async_wait(async, 20000), 0);

    struct pollfd ready = {.fd = np_async_eventfd(async), .events = POLLIN};

    cr_assert_eq(poll(&ready, 1, 0), 1);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

static void note_thread(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->was_completed = np_callback_pool_is_current(calls->request->context->pool);
    calls->count++;
}

Test(request_abort, ar_5_callbacks_run_once_on_a_pool_thread)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, note_thread, &calls);

    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    cr_assert(calls.was_completed);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(calls.count, 1);
}

Test(request_abort, ar_5_a_turn_with_header_and_body_calls_back_once_and_the_body_is_there)
{
    char buffer[8];
    np_stream *stream;
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);

    fake_answer(0, 200, "abc");
    wait_until(&calls.count, 1);
    np_response *response = end(request, async);
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);

    cr_assert_eq(request->body.length, 3);
    cr_assert(request->body_ended);
    cr_assert_eq(read_some(stream, buffer, sizeof buffer), 3);
    cr_assert_eq(read_some(stream, buffer, sizeof buffer), 0);
    np_stream_release(stream);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(calls.count, 1);
}

static void release_request_inside(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->status =
        np_request_end_get_response(calls->request, async, &calls->response, &calls->err);
    np_request_release(calls->request);
    np_response_release(calls->response);
    calls->count++;
}

Test(request_abort, ar_6_the_result_is_valid_when_begin_returns_after_its_callback)
{
    np_context *context = context_make();
    for (int i = 0; i < 200; i++) {
        np_request *request = request_make(context);
        struct calls calls = calls_make(request);
        np_async *async = begin(request, release_request_inside, &calls);
        if (i == 0)
            (void)fake_wait(0, FAKE_STARTED);
        fake_answer((size_t)i, 200, "x");
        wait_until(&calls.count, 1);
        cr_assert(np_async_is_completed(async));
        np_async_release(async);
    }
    np_context_free(context);
}

struct chain {
    np_context *context;
    _Atomic int left;
    _Atomic int ended;
    uintptr_t lowest, highest; /* addresses of a local variable of the callback */
    pthread_t thread;
};

static void next_request_inside(np_async *async)
{
    struct calls *calls = np_async_state(async);
    np_async *other = NULL;
    calls->status =
        np_request_end_get_response(calls->request, async, &calls->response, &calls->err);
    np_request *next = request_make(calls->request->context);
    cr_assert_eq(np_request_begin_get_response(next, NULL, NULL, &other, NULL), NP_OK);
    np_request_abort(next);
    np_async_release(other);
    np_request_release(next);
    np_response_close(calls->response);
    np_request_release(calls->request);
    calls->count++;
}

Test(request_abort, ar_7_end_begin_abort_close_and_release_work_inside_a_callback)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, next_request_inside, &calls);

    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    cr_assert_eq(calls.status, NP_OK);
    np_response_release(calls.response);
    np_async_release(async);
    np_context_free(context);
}

static void stay_inside(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->count++;
    wait_true(&calls->go);
    calls->finished = true;
}

Test(request_abort, ar_8_end_works_elsewhere_while_the_callback_runs)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, stay_inside, &calls);
    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    np_response *response = end(request, async);

    cr_assert_not(calls.finished);
    calls.go = true;
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
    cr_assert(calls.finished);
}

Test(request_abort, ar_9_a_result_released_without_end_drops_its_response)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_header(0, 200, -1, NULL, 0);
    cr_assert_eq(np_async_wait(async, 20000), 0);

    np_async_release(async);

    const fake_seen seen = fake_wait(0, FAKE_DRAINING);
    cr_assert_eq(seen.aborts, 0);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_CLOSED);
    fake_done(0, NULL);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ar_9_a_result_outlives_its_request)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_done(0, &refused);
    cr_assert_eq(np_async_wait(async, 20000), 0);
    cr_assert_eq(np_async_retain(async), async);
    np_async_release(async);

    np_request_release(request);

    cr_assert_str_eq(np_async_error(async)->text, refused.text);
    np_async_release(async);
    np_async_release(NULL);
    np_context_free(context);
}

static void abort_next(np_async *async)
{
    struct chain *chain = np_async_state(async);
    const uintptr_t here = (uintptr_t)&chain;
    if (pthread_equal(chain->thread, pthread_self())) {
        chain->lowest = here < chain->lowest ? here : chain->lowest;
        chain->highest = here > chain->highest ? here : chain->highest;
    }
    if (--chain->left > 0) {
        np_async *other = NULL;
        np_request *next = request_make(chain->context);
        cr_assert_eq(np_request_begin_get_response(next, abort_next, chain, &other, NULL), NP_OK);
        np_request_abort(next);
        np_async_release(other);
        np_request_release(next);
    }
    chain->ended++;
}

Test(request_abort, ar_10_a_chain_of_aborts_in_callbacks_does_not_grow_the_stack)
{
    np_context *context = context_make();
    struct chain chain = {
        .context = context, .left = 2000, .lowest = UINTPTR_MAX, .thread = pthread_self()};
    np_request *request = request_make(context);
    np_async *async = begin(request, abort_next, &chain);

    np_request_abort(request);
    wait_until(&chain.ended, 2000);

    cr_assert_lt(chain.highest - chain.lowest, 256 * 1024);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

static void read_on(np_async *async)
{
    struct chain *chain = np_async_state(async);
    np_request *request = async->home;
    static char buffer[1];
    size_t got;
    const uintptr_t here = (uintptr_t)&chain;
    chain->lowest = here < chain->lowest ? here : chain->lowest;
    chain->highest = here > chain->highest ? here : chain->highest;
    cr_assert_eq(np_stream_end_read(&request->stream, async, &got, NULL), NP_OK);
    np_async *next = NULL;
    if (got == 1) {
        cr_assert_eq(np_stream_begin_read(&request->stream, buffer, 1, read_on, chain, &next, NULL),
                     NP_OK);
        np_async_release(next);
    } else {
        chain->ended++;
    }
}

Test(request_abort, ar_10_a_chain_of_immediate_reads_does_not_grow_the_stack)
{
    static char bytes[5000], buffer[1];
    np_async *read;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.pool_threads = 1; /* so that all callbacks share one stack */
    np_context *context;
    cr_assert_eq(np_context_create(&options, &context, NULL), NP_OK);
    struct opened o = open_response_in(context);
    struct chain chain = {.context = o.context, .lowest = UINTPTR_MAX};
    fake_body(0, bytes, sizeof bytes);
    fake_done(0, NULL);

    cr_assert_eq(np_stream_begin_read(o.stream, buffer, 1, read_on, &chain, &read, NULL), NP_OK);
    wait_until(&chain.ended, 1);

    cr_assert_lt(chain.highest - chain.lowest, 64 * 1024);
    np_async_release(read);
    close_all(&o);
}

Test(request_abort, ar_11_releasing_a_pending_request_aborts_it_and_calls_back)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);
    (void)fake_wait(0, FAKE_STARTED);

    np_request_release(request);

    cr_assert_eq(calls.count, 1);
    cr_assert_eq(np_async_error(async)->web_status, NP_WEB_REQUEST_CANCELED);
    (void)fake_wait(0, FAKE_ABORTED | FAKE_DONE);
    np_async_release(async);
    np_request_release(NULL);
    np_context_free(context);
}

Test(request_abort, ar_11_a_response_that_was_handed_out_outlives_its_request)
{
    char buffer[8];
    static const np_header_line lines[] = {
        {"Server", "fake", 6, 4}
    };
    np_stream *stream;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_header(0, 200, 3, lines, 1);
    np_response *response = end(request, async);
    np_async_release(async);

    np_request_release(request);
    fake_body(0, "abc", 3);
    fake_done(0, NULL);

    cr_assert_str_eq(np_response_header(response, "SERVER"), "fake");
    cr_assert_str_eq(np_response_uri(response), "http://example.test/a?b=c");
    cr_assert_str_eq(np_response_method(response), "GET");
    cr_assert_eq(np_response_content_length(response), 3);
    cr_assert_eq(np_response_protocol(response), 11);
    cr_assert_null(np_response_header(response, "Via"));
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
    cr_assert_eq(read_some(stream, buffer, sizeof buffer), 3);
    np_response_release(response);
    cr_assert_eq(read_some(stream, buffer, sizeof buffer), 0, "a stream keeps its response open");
    np_stream_release(stream);
    np_context_free(context);
}

Test(request_abort, ar_12_freeing_the_context_aborts_everything_and_calls_back)
{
    enum { COUNT = 50 };
    np_context *context = context_make();
    np_request *requests[COUNT];
    np_async *results[COUNT];
    struct calls calls = calls_make(NULL);
    for (int i = 0; i < COUNT; i++) {
        requests[i] = request_make(context);
        results[i] = begin(requests[i], count_call, &calls);
    }
    fake_header(3, 200, -1, NULL, 0);

    np_context_free(context);

    cr_assert_eq(calls.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(np_request_get_state(requests[i]), NP_REQUEST_ABORTED);
        cr_assert(np_async_is_completed(results[i]));
        np_async_release(results[i]);
        np_request_release(requests[i]);
    }
}

static void free_context_inside(np_async *async)
{
    struct calls *calls = np_async_state(async);
    np_context_free(calls->request->context);
    calls->count++;
}

Test(request_abort, ar_12_freeing_inside_a_callback_aborts_and_leaves_the_rest_to_a_second_call)
{
    np_error err = {0};
    np_request *late;
    np_context *context = context_make();
    np_request *request = request_make(context), *other = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, free_context_inside, &calls);
    np_async *pending = begin(other, NULL, NULL);

    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    cr_assert_eq(np_request_get_state(other), NP_REQUEST_ABORTED);
    cr_assert_eq(np_request_create(context, "http://example.test/", &late, &err),
                 NP_E_OBJECT_DISPOSED);
    np_async_release(pending);
    np_async_release(async);
    np_request_release(other);
    np_request_release(request);
    np_context_free(context);
}

Test(request_abort, ar_12_a_context_is_freed_without_requests)
{
    np_context_free(context_make());
    np_context_free(NULL);
}

Test(request_abort, ar_13_requests_are_independent)
{
    np_error err = {0};
    np_response *response;
    np_context *context = context_make();
    np_request *first = request_make(context), *second = request_make(context);
    np_async *a = begin(first, NULL, NULL);
    np_async *b = begin(second, NULL, NULL);

    np_request_abort(first);
    fake_answer(1, 200, "x");

    np_response_release(end(second, b));
    assert_web(np_request_end_get_response(first, a, &response, &err), &err,
               NP_WEB_REQUEST_CANCELED);
    np_async_release(a);
    np_async_release(b);
    np_request_release(first);
    np_request_release(second);
    np_context_free(context);
}
