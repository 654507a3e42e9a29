/* What is closed, released or aborted while something of it is still under way. */
#include "acceptance.h"
#include "raw_server.h"
#include <stdio.h>

#define HEADER_ONLY "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n\"; hang"

static np_stream *stream_of(np_response *response)
{
    np_stream *s = NULL;
    OK(np_response_stream(response, &s, e));
    return s;
}

Test(lifetime, closing_a_stream_ends_the_read_that_is_under_way)
{
    struct world w = world_open(HEADER_ONLY);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    struct calls calls = {0};
    np_async *async;
    char text[8];
    size_t got = 7;
    OK(np_stream_begin_read(s, text, 8, count_call, &calls, &async, e));
    OK(np_stream_close(s, e));
    UNTIL(atomic_load(&calls.count) == 1);
    REFUSED_AS(np_stream_end_read(s, async, &got, e), NP_E_WEB);
    cr_assert_eq(got, 0);
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(lifetime, closing_a_response_ends_the_read_that_is_under_way)
{
    struct world w = world_open(HEADER_ONLY);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    struct calls calls = {0};
    np_async *async;
    char text[8];
    OK(np_stream_begin_read(s, text, 8, count_call, &calls, &async, e));
    np_response_close(response);
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_eq(async_failure(async).status, NP_E_WEB);
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(lifetime, a_request_released_with_an_open_request_stream_is_aborted)
{
    struct world w = world_open("head; deaf");
    static char bytes[8 << 20];
    struct calls calls = {0};
    np_request *r;
    np_async *async;
    OK(np_request_create(w.context, url_of(&w, "/"), &r, e));
    OK(np_request_set_method(r, "PUT", e));
    without_expect(r);
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    np_stream *s = open_stream(r);
    OK(np_stream_begin_write(s, bytes, sizeof bytes, count_call, &calls, &async, e));
    np_request_release(r);
    UNTIL(atomic_load(&calls.count) == 1);
    WEB(np_stream_end_write(s, async, e), NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    np_stream_release(s);
    world_close(&w);
}

Test(lifetime, a_result_outlives_its_request_and_its_context)
{
    struct world w = world_open(SILENT);
    np_request *r;
    int state;
    np_async *async;
    OK(np_request_create(w.context, url_of(&w, "/"), &r, e));
    OK(np_request_begin_get_response(r, NULL, &state, &async, e));
    np_request_release(r);
    world_close(&w);
    cr_assert(np_async_is_completed(async));
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert_eq(np_async_state(async), &state);
    cr_assert_eq(np_async_error(async)->web_status, NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
}

Test(lifetime, an_end_call_after_the_context_fails_and_does_not_wait)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_response *response = (np_response *)&w;
    np_context_free(w.context);
    w.context = NULL;
    REFUSED_AS(np_request_end_get_response(r, async, &response, e), NP_E_INVALID_OPERATION);
    cr_assert_null(response);
    np_async_release(async);
    world_close(&w);
}

static void free_context_inside(np_async *async, struct calls *calls)
{
    (void)async;
    np_context_free(calls->world->context);
}

Test(lifetime, the_context_may_be_freed_inside_a_callback_and_once_more_outside)
{
    struct world w = world_open(HELLO);
    struct calls calls = {.world = &w, .then = free_context_inside};
    np_request *r = ask(&w, "GET"), *late;
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    REFUSED(np_request_create(w.context, "http://127.0.0.1/", &late, e), NP_E_OBJECT_DISPOSED);
    cr_assert_null(late);
    np_async_release(async);
    world_close(&w);
}

static void wait_for_world(np_async *async, struct calls *calls)
{
    (void)async;
    while (atomic_load(&calls->next->count) == 0)
        pause_1_ms();
}

Test(lifetime, with_one_thread_for_callbacks_a_callback_that_waits_holds_up_callbacks_alone)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.pool_threads = 1;
    struct world w = world_open_with(HELLO, &options);
    struct calls done = {0}, held = {.then = wait_for_world, .next = &done}, queued = {0};
    np_request *one = ask(&w, "GET"), *two = ask(&w, "GET");
    np_async *first, *second;
    OK(np_request_begin_get_response(one, count_call, &held, &first, e));
    OK(np_request_begin_get_response(two, count_call, &queued, &second, e));
    np_response_release(end_response(two, second)); /* done, though its callback has to wait */
    np_response_release(end_response(one, first));
    atomic_store(&done.count, 1);
    UNTIL(atomic_load(&queued.count) == 1);
    world_close(&w);
}

Test(lifetime, a_stream_released_twice_retained_stays)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "POST");
    np_stream *one, *two;
    np_response *response;
    without_expect(r);
    OK(np_request_get_request_stream(r, &one, e));
    OK(np_request_get_request_stream(r, &two, e));
    np_stream_release(one);
    put(two, "abc"); /* releasing one of two references closed nothing */
    np_stream_release(two);
    np_stream_release(NULL);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_CLOSED);
    OK(np_request_get_response(r, &response, e));
    np_response_release(response);
    world_close(&w);
}

Test(lifetime, releasing_a_gathered_stream_completes_its_body)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abc");
    np_stream_release(s);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_CLOSED);
    expect_hello(r);
    world_close(&w);
}

Test(lifetime, the_response_of_a_success_is_not_given_out_as_one_of_a_failure)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    cr_assert_null(np_request_response(r));
    np_response_release(response);
    world_close(&w);
}

/* ------------------------------------------------------------------------------------- time-outs */

Test(timeout, a_connect_that_hangs_ends_with_the_synchronous_timeout)
{
    struct raw_blackhole hole;
    char url[64];
    cr_assert(raw_blackhole_open(&hole));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", hole.port);
    struct world w = world_open(HELLO);
    np_request *r = ask_url(&w, "POST", url);
    np_stream *s;
    OK(np_request_set_timeout(r, 20, e));
    WEB(np_request_get_request_stream(r, &s, e), NP_WEB_TIMEOUT);
    np_request *pending = ask_url(&w, "POST", url);
    np_async *async = begin_stream(pending);
    cr_assert_eq(np_async_wait(async, 10), 1);
    np_request_abort(pending);
    cr_assert_eq(async_failure(async).web_status, NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    world_close(&w);
    raw_blackhole_close(&hole);
}

Test(timeout, the_synchronous_timeout_is_not_for_the_body)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n\"; "
                   "wait; send \"hello\"");
    np_request *r = ask(&w, "GET");
    np_response *response;
    np_async *async;
    char text[8];
    size_t got;
    OK(np_request_set_timeout(r, 3000, e));
    OK(np_request_get_response(r, &response, e));
    np_stream *s = stream_of(response);
    OK(np_stream_begin_read(s, text, 8, NULL, NULL, &async, e));
    cr_assert_eq(np_async_wait(async, 30), 1);
    scripted_server_go(w.server);
    OK(np_stream_end_read(s, async, &got, e));
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(timeout, the_asynchronous_timeout_is_for_the_body_too)
{
    struct world w = world_open(HEADER_ONLY);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_async_timeout(r, 300, e));
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, -1), 0);
    if (np_async_error(async)) { /* a machine that needed 300 ms for the header */
        cr_assert_eq(np_async_error(async)->web_status, NP_WEB_TIMEOUT);
        np_async_release(async);
    } else {
        np_response *response = end_response(r, async);
        np_stream *s = stream_of(response);
        char text[8];
        size_t got;
        WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_TIMEOUT);
        np_stream_release(s);
        np_response_release(response);
    }
    world_close(&w);
}

Test(timeout, an_endless_timeout_is_endless)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response;
    OK(np_request_set_timeout(r, -1, e));
    OK(np_request_set_async_timeout(r, -1, e));
    OK(np_request_set_read_write_timeout(r, -1, e));
    OK(np_request_get_response(r, &response, e));
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}
