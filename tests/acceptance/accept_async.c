/* Section 9: asynchronous results, threads, re-entrancy (AR). */
#include "acceptance.h"
#include <poll.h>
#include <unistd.h>

#define GATED_HELLO "head; wait; " HELLO_REPLY

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLIN;
}

Test(ar_1, the_state_is_the_pointer_that_was_given)
{
    struct world w = world_open(TAKES(1));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_async *async;
    np_stream *s;
    int state;
    OK(np_request_begin_get_request_stream(r, NULL, &state, &async, e));
    cr_assert_eq(np_async_state(async), &state);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    cr_assert_eq(np_async_state(async), &state);
    np_async_release(async);
    OK(np_stream_begin_write(s, "a", 1, NULL, &w, &async, e));
    cr_assert_eq(np_async_state(async), &w);
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    finish(s);
    OK(np_request_begin_get_response(r, NULL, NULL, &async, e));
    cr_assert_null(np_async_state(async));
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(ar_2, completion_does_not_go_back)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_response *response;
    UNTIL(scripted_server_heads(w.server) == 1);
    cr_assert_not(np_async_is_completed(async));
    scripted_server_go(w.server);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert(np_async_is_completed(async));
    OK(np_request_end_get_response(r, async, &response, e));
    cr_assert(np_async_is_completed(async));
    np_response_release(response);
    np_request_abort(r);
    cr_assert(np_async_is_completed(async));
    np_async_release(async);
    world_close(&w);
}

Test(ar_2, it_is_complete_when_the_callback_runs)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls = {0};
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert(calls.was_complete);
    cr_assert_eq(calls.async, async);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(ar_3, nothing_completes_synchronously)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST"), *failing = ask_nobody(&w, "GET");
    np_async *async = begin_stream(r);
    np_stream *s;
    cr_assert_not(np_async_completed_synchronously(async));
    OK(np_request_end_get_request_stream(r, async, &s, e));
    cr_assert_not(np_async_completed_synchronously(async));
    np_async_release(async);
    finish(s);
    async = begin_response(r);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert_not(np_async_completed_synchronously(async));
    np_response_release(end_response(r, async));
    async = begin_response(failing);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert_not(np_async_completed_synchronously(async));
    np_async_release(async);
    world_close(&w);
}

static void hold_until_next(np_async *async, struct calls *calls)
{
    (void)async;
    while (atomic_load(&calls->next->count) == 0)
        pause_1_ms();
}

Test(ar_3, begin_returns_before_a_callback_that_waits_for_it)
{
    struct world w = world_open(HELLO);
    struct calls returned = {0}, calls = {.then = hold_until_next, .next = &returned};
    np_request *r = ask(&w, "GET");
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    atomic_store(&returned.count,
                 1); /* were the callback inside of begin, it would wait for ever */
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_not(pthread_equal(calls.thread, pthread_self()));
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(ar_4, wait_tells_a_timeout_from_completion)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, 0), 1);
    cr_assert_eq(np_async_wait(async, 10), 1);
    scripted_server_go(w.server);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert_eq(np_async_wait(async, 0), 0);
    cr_assert_eq(np_async_wait(async, 10), 0);
    np_response_release(end_response(r, async));
    world_close(&w);
}

static void *wait_for_it(void *async)
{
    return np_async_wait(async, -1) == 0 ? async : NULL;
}

Test(ar_4, many_threads_wait_for_one_result)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, wait_for_it, async), 0);
    UNTIL(scripted_server_heads(w.server) == 1);
    scripted_server_go(w.server);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(thread[i], &result);
        cr_assert_eq(result, async);
    }
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(ar_4, the_eventfd_becomes_readable_and_stays_so)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_response *response;
    int fd = np_async_eventfd(async);
    cr_assert_geq(fd, 0);
    cr_assert_eq(np_async_eventfd(async), fd);
    cr_assert_not(is_readable(fd));
    scripted_server_go(w.server);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&poll_fd, 1, 20000), 1);
    cr_assert(np_async_is_completed(async));
    OK(np_request_end_get_response(r, async, &response, e));
    cr_assert(is_readable(fd));
    np_async_release(async);
    np_response_release(response);
    world_close(&w);
}

Test(ar_4, an_eventfd_that_is_asked_for_after_completion_is_readable)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *aborted = ask(&w, "GET");
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert(is_readable(np_async_eventfd(async)));
    np_response_release(end_response(r, async));
    async = begin_response(aborted);
    int fd = np_async_eventfd(async);
    np_request_abort(aborted);
    cr_assert(is_readable(fd));
    np_async_release(async);
    world_close(&w);
}

static void look_at_handle(np_async *async, struct calls *calls)
{
    calls->result =
        np_async_wait(async, 0) == 0 && is_readable(np_async_eventfd(async)) ? async : NULL;
}

Test(ar_4, the_handle_is_set_inside_the_callback)
{
    struct world w = world_open(GATED_HELLO);
    struct calls calls = {.then = look_at_handle};
    np_request *r = ask(&w, "GET");
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    np_async_eventfd(async);
    scripted_server_go(w.server);
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_eq(calls.result, async);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(ar_5, the_callback_runs_once_on_another_thread)
{
    struct world w = world_open(TAKES(1));
    struct calls of_stream = {0}, of_write = {0}, of_response = {0}, of_read = {0};
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_async *async;
    np_stream *s;
    char text[8];
    size_t got;
    OK(np_request_begin_get_request_stream(r, count_call, &of_stream, &async, e));
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    OK(np_stream_begin_write(s, "a", 1, count_call, &of_write, &async, e));
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    finish(s);
    OK(np_request_begin_get_response(r, count_call, &of_response, &async, e));
    np_response *response = end_response(r, async);
    OK(np_response_stream(response, &s, e));
    OK(np_stream_begin_read(s, text, 8, count_call, &of_read, &async, e));
    OK(np_stream_end_read(s, async, &got, e));
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w); /* waits for callbacks that are still to run */
    struct calls *const all[] = {&of_stream, &of_write, &of_response, &of_read};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(atomic_load(&all[i]->count), 1);
        cr_assert_not(pthread_equal(all[i]->thread, pthread_self()));
    }
}

Test(ar_5, a_callback_that_waits_does_not_hold_up_the_network)
{
    struct world w = world_open(HELLO);
    struct calls second = {0}, first = {.then = hold_until_next, .next = &second};
    np_request *one = ask(&w, "GET"), *two = ask(&w, "GET");
    np_async *held, *async;
    OK(np_request_begin_get_response(one, count_call, &first, &held, e));
    OK(np_request_begin_get_response(two, count_call, &second, &async, e));
    UNTIL(atomic_load(&first.count) == 1);
    np_response_release(end_response(one, held));
    np_response_release(end_response(two, async));
    world_close(&w);
}

Test(ar_5, a_failure_calls_back_once_too)
{
    struct world w = world_open(HELLO);
    struct calls calls = {0};
    np_request *r = ask_nobody(&w, "GET");
    np_async *async;
    np_response *response;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_CONNECT_FAILURE);
    UNTIL(atomic_load(&calls.count) == 1);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(ar_5, a_begin_that_was_refused_does_not_call_back)
{
    struct world w = world_open(HELLO);
    struct calls calls = {0};
    np_async *async;
    REFUSED(np_request_begin_get_request_stream(ask(&w, "GET"), count_call, &calls, &async, e),
            NP_E_PROTOCOL_VIOLATION);
    np_request *aborted = ask(&w, "GET");
    np_request_abort(aborted);
    WEB(np_request_begin_get_response(aborted, count_call, &calls, &async, e),
        NP_WEB_REQUEST_CANCELED);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 0);
}

/* ------------------------------------------------------------------------- AR-7: inside the callback */

static void end_response_inside(np_async *async, struct calls *calls)
{
    np_response *response;
    np_error error = {0};
    calls->status = np_request_end_get_response(calls->request, async, &response, &error);
    calls->result = response;
}

Test(ar_7, end_works_inside_the_callback)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls = {.request = r, .then = end_response_inside};
    np_async *async;
    np_response *again;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_eq(calls.status, NP_OK);
    cr_assert_str_eq(body_of(calls.result), "hello");
    REFUSED(np_request_end_get_response(r, async, &again, e), NP_E_INVALID_OPERATION);
    np_async_release(async);
    np_response_release(calls.result);
    world_close(&w);
}

/* The whole of a POST inside of the callback of its stream. */
static void post_inside(np_async *async, struct calls *calls)
{
    np_stream *stream = NULL;
    np_async *next = NULL;
    np_status status = np_request_end_get_request_stream(calls->request, async, &stream, NULL);
    status = status ? status : np_stream_write(stream, "abc", 3, NULL);
    status = status ? status : np_stream_close(stream, NULL);
    np_stream_release(stream);
    status = status ? status
                    : np_request_begin_get_response(calls->request, count_call, calls->next, &next,
                                                    NULL);
    np_async_release(next);
    calls->status = status;
}

Test(ar_7, a_whole_post_runs_in_callbacks)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "POST");
    struct calls response = {.request = r, .then = end_response_inside},
                 stream = {.request = r, .then = post_inside, .next = &response};
    np_async *async;
    without_expect(r);
    OK(np_request_set_content_length(r, 3, e));
    OK(np_request_begin_get_request_stream(r, count_call, &stream, &async, e));
    np_async_release(async);
    UNTIL(atomic_load(&response.count) == 1);
    cr_assert_eq(stream.status, NP_OK);
    cr_assert_eq(response.status, NP_OK);
    cr_assert_str_eq(body_of(response.result), "hello");
    np_response_release(response.result);
    world_close(&w);
}

static void release_inside(np_async *async, struct calls *calls)
{
    (void)async;
    np_request_release(calls->request);
}

Test(ar_6, the_result_is_good_when_begin_returns_though_the_callback_released_the_request)
{
    struct world w = world_open(HELLO);
    np_request *r;
    np_async *async;
    OK(np_request_create(w.context, url_of(&w, "/"), &r, e));
    struct calls calls = {.request = r, .then = release_inside};
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert(np_async_is_completed(async));
    np_async_release(async);
    world_close(&w);
}

Test(ar_8, while_the_callback_ends_another_thread_may_try_and_one_succeeds)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls = {.request = r, .then = end_response_inside};
    np_async *async;
    np_response *response;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    scripted_server_go(w.server);
    np_status status = np_request_end_get_response(r, async, &response, NULL);
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_neq(status == NP_OK, calls.status == NP_OK);
    cr_assert(status == NP_OK || status == NP_E_INVALID_OPERATION);
    np_response_release(response);
    np_response_release(calls.result);
    np_async_release(async);
    world_close(&w);
}

/* --------------------------------------------------------------------------- AR-9, AR-11: lifetimes */

Test(ar_9, a_result_may_be_dropped_at_once_and_still_calls_back)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls = {0};
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    np_async_release(async);
    scripted_server_go(w.server);
    UNTIL(atomic_load(&calls.count) == 1);
    world_close(&w);
}

Test(ar_9, references_are_counted)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_retain(async), async);
    np_async_release(async);
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_response_release(end_response(r, async));
    np_async_release(NULL);
    world_close(&w);
}

Test(ar_9, a_response_that_nobody_ends_gives_its_connection_back)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with(HELLO, &options);
    np_async *async = begin_response(ask(&w, "GET"));
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_async_release(async);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(ar_9, a_stream_that_nobody_ends_gives_its_connection_back)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with("head; hang\n---\n" HELLO, &options);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 3, e));
    np_async *async = begin_stream(r);
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_async_release(async); /* as WS-12: bytes are owed, so the request is aborted */
    UNTIL(np_request_get_state(r) == NP_REQUEST_ABORTED);
    expect_hello(ask(&w, "GET"));
    world_close(&w);
}

Test(ar_9, a_failed_result_may_be_dropped)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 4\\r\\n", "none"));
    np_async *async = begin_response(ask(&w, "GET"));
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_async_release(async);
    async = begin_response(ask_nobody(&w, "GET"));
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_async_release(async);
    world_close(&w);
}

Test(ar_11, releasing_a_request_with_a_pending_operation_aborts_it)
{
    struct world w = world_open(SILENT);
    struct calls calls = {0};
    np_request *r;
    np_async *async;
    OK(np_request_create(w.context, url_of(&w, "/"), &r, e));
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    np_request_release(r);
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_eq(async_failure(async).web_status, NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    np_request_release(NULL);
    world_close(&w);
}

Test(ar_11, a_response_and_its_stream_outlive_their_request)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n\"; "
                   "wait; send \"hello\"; again");
    np_request *r;
    OK(np_request_create(w.context, url_of(&w, "/"), &r, e));
    np_response *response = get_response(r);
    np_request_release(r);
    scripted_server_go(w.server);
    cr_assert_str_eq(body_of(response), "hello");
    cr_assert_str_eq(np_response_method(response), "GET");
    np_response_release(response);
    world_close(&w);
}

Test(ar_12, freeing_the_context_aborts_everything_and_runs_the_callbacks)
{
    struct world w = world_open(SILENT);
    struct calls calls[3] = {0};
    np_async *async[3];
    for (int i = 0; i < 3; i++)
        OK(np_request_begin_get_response(ask(&w, "GET"), count_call, &calls[i], &async[i], e));
    np_context_free(w.context);
    w.context = NULL;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(atomic_load(&calls[i].count), 1);
        cr_assert_eq(async_failure(async[i]).web_status, NP_WEB_REQUEST_CANCELED);
        np_async_release(async[i]);
    }
    world_close(&w);
}

Test(ar_12, handles_outlive_the_context_and_say_that_it_is_gone)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n\"; hang");
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    np_stream *s;
    char text[8];
    size_t got = 7;
    OK(np_response_stream(response, &s, e));
    np_context_free(w.context);
    w.context = NULL;
    REFUSED(np_stream_read(s, text, 8, &got, e), NP_E_OBJECT_DISPOSED);
    cr_assert_eq(got, 0);
    cr_assert_eq(np_response_status(response), 200);
    OK(np_stream_close(s, e));
    np_stream_release(s);
    np_response_release(response);
    np_context_free(NULL);
    world_close(&w);
}

/* ------------------------------------------------------------------------------------ AR-10, AR-13 */

enum { CHAIN = 400 };

/* Begins the next read inside the callback of the one before: each completes at once. */
static void read_next(np_async *async)
{
    struct calls *calls = np_async_state(async);
    static char byte;
    np_async *next = NULL;
    size_t got = 0;
    calls->status = np_stream_end_read(calls->result, async, &got, NULL);
    if (calls->status || got == 0 ||
        np_stream_begin_read(calls->result, &byte, 1, read_next, calls, &next, NULL))
        calls->was_complete = true;
    np_async_release(next);
    atomic_fetch_add(&calls->count, 1);
}

Test(ar_10, a_chain_of_reads_that_complete_at_once_runs_to_its_end)
{
    struct world w = world_open(
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 400\\r\\n\\r\\n\"; repeat 400 \"x\"");
    np_response *response = get_response(ask(&w, "GET"));
    struct calls calls = {0};
    np_stream *s;
    np_async *async;
    char byte;
    OK(np_response_stream(response, &s, e));
    calls.result = s;
    OK(np_stream_begin_read(s, &byte, 1, read_next, &calls, &async, e));
    np_async_release(async);
    UNTIL(atomic_load(&calls.count) == CHAIN + 1);
    cr_assert_eq(calls.status, NP_OK);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(ar_13, an_abort_of_one_request_does_not_touch_another)
{
    struct world w = world_open(GATED_HELLO);
    np_request *one = ask(&w, "GET"), *two = ask(&w, "GET");
    np_async *first = begin_response(one), *second = begin_response(two);
    UNTIL(scripted_server_heads(w.server) == 2);
    np_request_abort(one);
    scripted_server_go(w.server);
    scripted_server_go(w.server);
    np_response_release(end_response(two, second));
    np_async_release(first);
    world_close(&w);
}

static void *begin_it(void *argument)
{
    struct calls *calls = argument;
    np_async *async;
    calls->status = np_request_begin_get_response(calls->request, NULL, NULL, &async, NULL);
    calls->result = async;
    return NULL;
}

Test(ar_13, of_racing_begin_calls_one_is_accepted)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls[4];
    pthread_t thread[4];
    np_async *accepted = NULL;
    for (int i = 0; i < 4; i++) {
        calls[i] = (struct calls){.request = r};
        cr_assert_eq(pthread_create(&thread[i], NULL, begin_it, &calls[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        cr_assert(calls[i].status == NP_OK || calls[i].status == NP_E_INVALID_OPERATION);
        cr_assert(calls[i].status != NP_OK || !accepted);
        accepted = calls[i].status == NP_OK ? calls[i].result : accepted;
    }
    cr_assert(accepted);
    np_response_release(end_response(r, accepted));
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}
