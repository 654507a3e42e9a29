/* Section 6.1, abort (AB), and the time-outs that end a request. */
#include "acceptance.h"

Test(ab_1, null_and_a_second_abort_are_fine_in_every_state)
{
    struct world w = world_open(TAKES(0));
    np_request *created = ask(&w, "GET"), *closed = ask(&w, "GET"), *failed = ask_nobody(&w, "GET"),
               *open = ask(&w, "POST"), *ready = ask(&w, "GET");
    np_request_abort(NULL);
    np_response_release(get_response(closed));
    failure_of(failed);
    np_stream *s = open_stream(open);
    np_response *response = get_response(ready);
    np_request *const all[] = {created, closed, failed, open, ready};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        np_request_abort(all[i]);
        np_request_abort(all[i]);
        cr_assert_eq(np_request_get_state(all[i]), NP_REQUEST_ABORTED);
    }
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(ab_1, a_synchronous_timeout_aborts_with_timeout)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    np_response *response = (np_response *)&w;
    OK(np_request_set_timeout(r, 20, e));
    WEB(np_request_get_response(r, &response, e), NP_WEB_TIMEOUT);
    cr_assert_null(response);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    np_request_abort(r);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    world_close(&w);
}

/* BS-1 and GR-1 say canceled for what begins afterwards, whoever aborted. */
Test(ab_1, what_begins_after_a_synchronous_timeout_is_canceled)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_response *response;
    np_async *async;
    np_stream *s;
    OK(np_request_set_timeout(r, 1, e));
    WEB(np_request_get_response(r, &response, e), NP_WEB_TIMEOUT);
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    WEB(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    WEB(np_request_get_request_stream(r, &s, e), NP_WEB_REQUEST_CANCELED);
    world_close(&w);
}

Test(ab_1, a_timeout_of_zero_is_one_tick_and_no_endless_wait)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    np_response *response;
    OK(np_request_set_timeout(r, 0, e));
    WEB(np_request_get_response(r, &response, e), NP_WEB_TIMEOUT);
    world_close(&w);
}

Test(ab_1, the_timeout_is_for_stream_and_response_together)
{
    struct world w = world_open("head; body 1; hang");
    np_request *r = ask(&w, "POST");
    np_stream *s;
    np_response *response;
    OK(np_request_set_timeout(r, 500, e));
    OK(np_request_get_request_stream(r, &s, e));
    put(s, "a");
    finish(s);
    WEB(np_request_get_response(r, &response, e), NP_WEB_TIMEOUT);
    world_close(&w);
}

Test(ab_1, the_synchronous_stream_has_the_timeout_too)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_stream *s = (np_stream *)&w;
    OK(np_request_set_timeout(r, 20, e));
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    WEB(np_request_get_request_stream(r, &s, e), NP_WEB_TIMEOUT);
    cr_assert_null(s);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    world_close(&w);
}

Test(ab_1, the_timeout_is_not_for_the_asynchronous_family)
{
    struct world w = world_open("head; wait; " HELLO_REPLY);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_timeout(r, 1, e));
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, 40), 1);
    scripted_server_go(w.server);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(ab_1, the_asynchronous_timeout_ends_the_operation)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_async_timeout(r, 20, e));
    np_error error = failure_of(r);
    cr_assert_eq(error.status, NP_E_WEB);
    cr_assert_eq(error.web_status, NP_WEB_TIMEOUT, "%s", error.text);
    cr_assert_not(np_request_have_response(r));
    world_close(&w);
}

Test(ab_1, the_asynchronous_timeout_is_for_the_request_stream_too)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_async_timeout(r, 20, e));
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    np_error error = stream_failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_TIMEOUT, "%s", error.text);
    world_close(&w);
}

/* ------------------------------------------------------------------------------ AB-2, AB-3: callbacks */

/* dotnet's name for it: the response callback is called before Abort returns. */
Test(ab_3, the_callback_of_the_response_runs_here_before_abort_returns)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    struct calls calls = {0};
    np_async *async;
    np_response *response;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    np_request_abort(r);
    cr_assert_eq(atomic_load(&calls.count), 1);
    cr_assert(pthread_equal(calls.thread, pthread_self()));
    cr_assert(calls.was_complete);
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_REQUEST_CANCELED);
    np_request_abort(r);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(ab_3, the_callback_of_the_request_stream_runs_here_before_abort_returns)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    struct calls calls = {0};
    np_async *async;
    np_stream *s;
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    OK(np_request_begin_get_request_stream(r, count_call, &calls, &async, e));
    np_request_abort(r);
    cr_assert_eq(atomic_load(&calls.count), 1);
    cr_assert(pthread_equal(calls.thread, pthread_self()));
    WEB(np_request_end_get_request_stream(r, async, &s, e), NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(ab_3, the_callbacks_of_a_read_and_of_a_write_run_here_before_abort_returns)
{
    struct world w =
        world_open("head; deaf\n---\nhead; "
                   "send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n\"; hang");
    static char bytes[8 << 20];
    np_request *writing = ask(&w, "PUT"), *reading = ask(&w, "GET");
    struct calls written = {0}, read = {0};
    np_async *write_async, *read_async;
    char text[4];
    size_t got = 7;
    without_expect(writing);
    OK(np_request_set_send_chunked(writing, true, e));
    OK(np_request_set_allow_write_stream_buffering(writing, false, e));
    np_stream *out = open_stream(writing), *in;
    OK(np_stream_begin_write(out, bytes, sizeof bytes, count_call, &written, &write_async, e));
    np_request_abort(writing);
    cr_assert_eq(atomic_load(&written.count), 1);
    cr_assert(pthread_equal(written.thread, pthread_self()));
    WEB(np_stream_end_write(out, write_async, e), NP_WEB_REQUEST_CANCELED);
    np_response *response = get_response(reading);
    OK(np_response_stream(response, &in, e));
    OK(np_stream_begin_read(in, text, 4, count_call, &read, &read_async, e));
    np_request_abort(reading);
    cr_assert_eq(atomic_load(&read.count), 1);
    cr_assert(pthread_equal(read.thread, pthread_self()));
    WEB(np_stream_end_read(in, read_async, &got, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(got, 0);
    np_async_release(write_async);
    np_async_release(read_async);
    np_stream_release(out);
    np_stream_release(in);
    np_response_release(response);
    world_close(&w);
}

Test(ab_2, stream_and_response_that_are_both_pending_both_end)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with(SILENT, &options);
    np_request *holder = ask(&w, "GET"), *r = ask(&w, "POST");
    np_async *held = begin_response(holder), *stream, *response;
    struct calls of_stream = {0}, of_response = {0};
    OK(np_request_set_content_length(r, 0, e));
    OK(np_request_begin_get_request_stream(r, count_call, &of_stream, &stream, e));
    OK(np_request_begin_get_response(r, count_call, &of_response, &response, e));
    np_request_abort(r);
    cr_assert_eq(atomic_load(&of_stream.count), 1);
    cr_assert_eq(atomic_load(&of_response.count), 1);
    cr_assert_eq(async_failure(stream).web_status, NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(async_failure(response).web_status, NP_WEB_REQUEST_CANCELED);
    np_async_release(stream);
    np_async_release(response);
    np_async_release(held);
    world_close(&w);
}

Test(ab_2, a_callback_that_ran_is_not_called_again)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls = {0};
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    np_request_abort(r);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

static void abort_inside(np_async *async, struct calls *calls)
{
    (void)async;
    np_request_abort(calls->request);
}

Test(ab_1, abort_is_legal_inside_the_callback_of_its_own_request)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    struct calls calls = {.request = r, .then = abort_inside};
    np_async *async;
    np_response *response;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    world_close(&w);
}

Test(ab_1, abort_inside_the_callback_that_an_abort_runs_is_fine)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    struct calls calls = {.request = r, .then = abort_inside};
    np_async *async;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    np_request_abort(r);
    cr_assert_eq(atomic_load(&calls.count), 1);
    np_async_release(async);
    world_close(&w);
}

static void *abort_it(void *request)
{
    np_request_abort(request);
    return NULL;
}

Test(ab_1, aborts_from_many_threads_call_back_once)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    struct calls calls = {0};
    np_async *async;
    pthread_t thread[4];
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, abort_it, r), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    UNTIL(atomic_load(&calls.count) == 1);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(ab_1, an_end_call_that_waits_is_woken_by_an_abort_from_another_thread)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_response *response;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, abort_it, r), 0);
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_REQUEST_CANCELED);
    pthread_join(thread, NULL);
    np_async_release(async);
    world_close(&w);
}

struct getter {
    np_request *request;
    np_status status;
    np_error error;
};

static void *get_it(void *argument)
{
    struct getter *getter = argument;
    np_response *response;
    getter->status = np_request_get_response(getter->request, &response, &getter->error);
    np_response_release(response);
    return NULL;
}

Test(ab_1, a_synchronous_call_that_waits_is_woken_by_an_abort)
{
    struct world w = world_open(SILENT);
    struct getter getter = {.request = ask(&w, "GET")};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, get_it, &getter), 0);
    UNTIL(scripted_server_heads(w.server) == 1);
    np_request_abort(getter.request);
    pthread_join(thread, NULL);
    cr_assert_eq(getter.status, NP_E_WEB);
    cr_assert_eq(getter.error.web_status, NP_WEB_REQUEST_CANCELED);
    world_close(&w);
}

/* ------------------------------------------------------------------------------------ AB-4 to AB-6 */

Test(ab_4, an_abort_before_the_start_is_stored_for_every_call)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_async *async;
    np_stream *s;
    np_response *response;
    np_request_abort(r);
    for (int i = 0; i < 2; i++) {
        WEB(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
        WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
        WEB(np_request_get_request_stream(r, &s, e), NP_WEB_REQUEST_CANCELED);
        WEB(np_request_get_response(r, &response, e), NP_WEB_REQUEST_CANCELED);
    }
    cr_assert_null(np_request_response(r));
    cr_assert_eq(scripted_server_connections(w.server), 0);
    world_close(&w);
}

Test(ab_5, the_connection_of_an_aborted_request_is_not_used_again)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhello\"; "
                   "hang\n---\n" HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r); /* its body is not there yet */
    np_request_abort(r);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    np_response_release(response);
    world_close(&w);
}

Test(ab_5, an_aborted_request_gives_its_place_to_the_next_one)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with("head; hang\n---\n" HELLO, &options);
    np_request *holder = ask(&w, "GET"), *waiting = ask(&w, "GET"), *last = ask(&w, "GET");
    np_async *held = begin_response(holder);
    UNTIL(scripted_server_heads(w.server) == 1);
    np_async *queued = begin_response(waiting), *async = begin_response(last);
    np_request_abort(waiting); /* leaves the queue */
    cr_assert_eq(async_failure(queued).web_status, NP_WEB_REQUEST_CANCELED);
    np_request_abort(holder); /* leaves the place */
    np_response *response = end_response(last, async);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    np_async_release(held);
    np_async_release(queued);
    world_close(&w);
}

Test(ab_6, after_abort_every_call_on_the_request_stream_is_canceled_but_close)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_stream *s = open_stream(r);
    np_async *async = (np_async *)&w;
    put(s, "ab");
    np_request_abort(r);
    WEB(np_stream_write(s, "c", 1, e), NP_WEB_REQUEST_CANCELED);
    WEB(np_stream_begin_write(s, "c", 1, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_null(async);
    OK(np_stream_close(s, e));
    OK(np_stream_close(s, e));
    WEB(np_stream_write(s, "c", 1, e), NP_WEB_REQUEST_CANCELED);
    np_stream_release(s);
    world_close(&w);
}

Test(ab_6, closing_a_stream_that_owes_bytes_is_fine_after_abort)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 5, e));
    np_stream *s = open_stream(r);
    put(s, "ab");
    np_request_abort(r);
    finish(s);
    world_close(&w);
}

Test(ab_6, after_abort_the_response_cannot_be_read_and_what_was_read_stays)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhello\"; hang");
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    np_stream *s;
    np_async *async = (np_async *)&w;
    char text[16] = "";
    size_t got;
    OK(np_response_stream(response, &s, e));
    OK(np_stream_read(s, text, 5, &got, e));
    np_request_abort(r);
    cr_assert(got > 0 && memcmp(text, "hello", got) == 0);
    WEB(np_stream_read(s, text, 5, &got, e), NP_WEB_REQUEST_CANCELED);
    WEB(np_stream_begin_read(s, text, 5, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_null(async);
    cr_assert_eq(np_response_status(response), 200);
    OK(np_stream_close(s, e));
    np_stream_release(s);
    np_response_close(response);
    np_response_release(response);
    world_close(&w);
}

Test(ab_6, a_read_that_waits_is_woken_by_abort)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n\"; hang");
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    np_stream *s;
    pthread_t thread;
    char text[16];
    size_t got;
    OK(np_response_stream(response, &s, e));
    cr_assert_eq(pthread_create(&thread, NULL, abort_it, r), 0);
    WEB(np_stream_read(s, text, sizeof text, &got, e), NP_WEB_REQUEST_CANCELED);
    pthread_join(thread, NULL);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(ab_6, an_error_response_is_dead_after_abort_and_still_tells_its_status)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 4\\r\\n", "none"));
    np_request *r = ask(&w, "GET");
    failure_of(r);
    np_response *response = np_request_response(r);
    np_request_abort(r);
    cr_assert_eq(np_response_status(response), 404);
    np_response_release(response);
    world_close(&w);
}

Test(ab_6, a_flush_after_abort_says_so_where_something_had_not_gone_out)
{
    struct world w = world_open(SILENT);
    np_request *written = ask(&w, "POST"), *empty = ask(&w, "POST");
    np_stream *s = open_stream(written), *s2 = open_stream(empty);
    put(s, "ab");
    np_request_abort(written);
    np_request_abort(empty);
    WEB(np_stream_flush(s, e), NP_WEB_REQUEST_CANCELED);
    OK(np_stream_flush(s2, e));
    finish(s);
    finish(s2);
    world_close(&w);
}

static void leave_everything(np_async *async, struct calls *calls)
{
    (void)async, (void)calls;
}

Test(ab_7, a_callback_that_does_nothing_does_no_harm)
{
    struct world w = world_open(HELLO);
    struct calls calls = {.then = leave_everything};
    np_async *async;
    OK(np_request_begin_get_response(ask(&w, "GET"), count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    np_async_release(async);
    expect_hello(ask(&w, "GET"));
    world_close(&w);
}
