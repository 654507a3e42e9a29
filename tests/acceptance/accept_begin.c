/* Section 3, begin get request stream (BS), and section 4, its end (ES). */
#include "acceptance.h"

/* A stream operation that stays pending until the server is told to go on: it waits for 100. */
#define GATED "head; wait; " CONTINUE "body 5; " HELLO_REPLY

static np_request *ask_gated(struct world *w)
{
    np_request *r = ask(w, "POST");
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    return r;
}

static void expect_no_stream(np_request *r, np_status class)
{
    np_async *async = (np_async *)&r;
    np_request_state before = np_request_get_state(r);
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), class);
    cr_assert_null(async);
    cr_assert_eq(np_request_get_state(r), before, "a refused call changed the state");
}

Test(bs_0, a_null_request_and_a_null_out_are_named)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_async *async = (np_async *)&w;
    REFUSED_SAYING(np_request_begin_get_request_stream(NULL, NULL, NULL, &async, e),
                   NP_E_ARGUMENT_NULL, "request");
    cr_assert_null(async);
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL,
                   "out");
    REFUSED(np_request_begin_get_request_stream(NULL, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    world_close(&w);
}

Test(bs_0, null_arguments_come_before_everything_else)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_request_abort(r);
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL);
    world_close(&w);
}

Test(bs_0, after_its_context_a_request_is_disposed)
{
    struct world w = world_open(HELLO);
    np_request *get = ask(&w, "GET"), *post = ask(&w, "POST");
    np_context_free(w.context);
    w.context = NULL;
    np_async *async = (np_async *)&w;
    np_stream *s = (np_stream *)&w;
    np_response *response = (np_response *)&w;
    REFUSED(np_request_begin_get_request_stream(post, NULL, NULL, &async, e), NP_E_OBJECT_DISPOSED);
    cr_assert_null(async);
    REFUSED(np_request_begin_get_response(get, NULL, NULL, &async, e), NP_E_OBJECT_DISPOSED);
    REFUSED(np_request_get_request_stream(post, &s, e), NP_E_OBJECT_DISPOSED);
    REFUSED(np_request_get_response(get, &response, e), NP_E_OBJECT_DISPOSED);
    cr_assert(!s && !response);
    world_close(&w);
}

Test(bs_1, an_aborted_request_is_canceled_with_no_cause_and_no_response)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_async *async = (np_async *)&w;
    np_error error = {0};
    np_request_abort(r);
    cr_assert_eq(np_request_begin_get_request_stream(r, NULL, NULL, &async, &error), NP_E_WEB);
    cr_assert_eq(error.web_status, NP_WEB_REQUEST_CANCELED);
    cr_assert(strstr(error.text, "abort") || strstr(error.text, "cancel"), "%s", error.text);
    cr_assert_str_empty(error.cause);
    cr_assert_null(async);
    cr_assert_null(np_request_response(r));
    cr_assert_not(np_request_have_response(r));
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    world_close(&w);
}

Test(bs_1, abort_wins_over_a_verb_without_a_body)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async;
    np_request_abort(r);
    WEB(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    world_close(&w);
}

Test(bs_2, get_head_and_connect_carry_no_body_whatever_their_case)
{
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "get", "Head", "cOnNeCt"};
    struct world w = world_open(HELLO);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        np_request *r = ask(&w, methods[i]);
        np_async *async;
        REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &async, e),
                       NP_E_PROTOCOL_VIOLATION, "body");
        expect_no_stream(r, NP_E_PROTOCOL_VIOLATION);
    }
    world_close(&w);
}

Test(bs_2, the_verb_is_looked_at_before_the_settings_and_the_state)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    expect_no_stream(r, NP_E_PROTOCOL_VIOLATION);
    np_async_release(async);
    world_close(&w);
}

Test(bs_2, a_verb_of_ones_own_can_carry_a_body)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "getx");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "ab");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "getx / HTTP/1.1\r\n"));
    world_close(&w);
}

Test(bs_3, chunked_without_buffering_needs_http_1_1)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_async *async;
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    OK(np_request_set_protocol_version(r, 10, e));
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &async, e),
                   NP_E_PROTOCOL_VIOLATION, "1.1");
    expect_no_stream(r, NP_E_PROTOCOL_VIOLATION);
    world_close(&w);
}

Test(bs_3, with_buffering_chunked_to_http_1_0_is_gathered)
{
    struct world w = world_open(TAKES(4));
    np_request *r = ask(&w, "POST");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_protocol_version(r, 10, e));
    np_stream *s = open_stream(r);
    put(s, "ab");
    put(s, "cd");
    cr_assert_eq(scripted_server_heads(w.server), 0);
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "POST / HTTP/1.0\r\n"));
    cr_assert(heard(&w, "Content-Length: 4\r\n"));
    cr_assert_not(heard(&w, "chunked"));
    world_close(&w);
}

Test(bs_4, without_buffering_every_verb_with_a_body_needs_a_length_or_chunks)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "MKCOL"};
    struct world w = world_open(HELLO);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        np_request *r = ask(&w, methods[i]);
        np_async *async;
        OK(np_request_set_allow_write_stream_buffering(r, false, e));
        REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &async, e),
                       NP_E_PROTOCOL_VIOLATION, "length");
        expect_no_stream(r, NP_E_PROTOCOL_VIOLATION);
    }
    world_close(&w);
}

Test(bs_4, without_keep_alive_an_unknown_length_is_allowed_and_sent_in_chunks)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    OK(np_request_set_keep_alive(r, false, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Connection: close\r\n"));
    cr_assert(heard(&w, "Transfer-Encoding: chunked\r\n"));
    cr_assert_not(heard(&w, "Content-Length"));
    world_close(&w);
}

Test(bs_4, without_keep_alive_an_unknown_length_is_gathered_for_http_1_0)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "POST");
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    OK(np_request_set_keep_alive(r, false, e));
    OK(np_request_set_protocol_version(r, 10, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 3\r\n"));
    world_close(&w);
}

Test(bs_4, a_length_of_zero_is_a_length)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    OK(np_request_set_content_length(r, 0, e));
    finish(open_stream(r));
    expect_hello(r);
    world_close(&w);
}

Test(bs_6, after_a_failure_it_is_given_again)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "POST");
    np_async *async = (np_async *)&w;
    stream_failure_of(r);
    WEB(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_WEB_CONNECT_FAILURE);
    cr_assert_null(async);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_FAILED);
    world_close(&w);
}

Test(bs_7, a_second_begin_is_refused_while_the_first_is_pending_and_does_not_harm_it)
{
    struct world w = world_open(GATED);
    np_request *r = ask_gated(&w);
    np_async *async = begin_stream(r), *second;
    np_stream *s;
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &second, e),
                   NP_E_INVALID_OPERATION, "progress");
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    scripted_server_go(w.server);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(bs_8, a_stream_is_obtained_once)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    np_async *async;
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &async, e),
                   NP_E_INVALID_OPERATION, "obtained");
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    put(s, "ab");
    finish(s);
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    expect_hello(r);
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    world_close(&w);
}

Test(bs_8, a_completed_operation_that_was_not_ended_counts_too)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_async *async = begin_stream(r);
    np_stream *s;
    cr_assert_eq(np_async_wait(async, -1), 0);
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "ab");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(bs_9, after_the_response_was_begun_there_is_no_stream)
{
    struct world w = world_open("head; wait; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    np_async *async = begin_response(r), *second;
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &second, e),
                   NP_E_INVALID_OPERATION, "submitted");
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    scripted_server_go(w.server);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(bs_10, the_synchronous_stream_is_not_begun_again_asynchronously)
{
    struct world w = world_open(TAKES(1));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s;
    np_response *response;
    OK(np_request_get_request_stream(r, &s, e));
    expect_no_stream(r, NP_E_INVALID_OPERATION);
    put(s, "a");
    finish(s);
    OK(np_request_get_response(r, &response, e));
    np_response_release(response);
    world_close(&w);
}

Test(bs, a_gathered_stream_is_ready_when_the_connection_stands_and_nothing_was_sent)
{
    struct world w = world_open("first; head; body 3; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    UNTIL(scripted_server_connections(w.server) == 1);
    put(s, "abc");
    size_t length = 1;
    free(scripted_server_heard(w.server, &length));
    cr_assert_eq(length, 0);
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(bs, a_gathered_stream_holds_its_connection)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with("head; body 2; " HELLO_REPLY "head; " HELLO_REPLY, &options);
    np_request *r = ask(&w, "POST"), *later = ask(&w, "GET");
    without_expect(r);
    np_stream *s = open_stream(r);
    np_async *async = begin_response(later);
    cr_assert_eq(np_async_wait(async, 30), 1, "it went past the limit");
    put(s, "ab");
    finish(s);
    expect_hello(r);
    np_response_release(end_response(later, async));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(bs, a_stream_with_a_length_is_ready_when_the_header_was_sent)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 2, e));
    np_stream *s = open_stream(r);
    UNTIL(scripted_server_heads(w.server) == 1);
    put(s, "ab");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(bs, a_chunked_stream_is_ready_when_the_header_was_sent)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_send_chunked(r, true, e));
    np_stream *s = open_stream(r);
    UNTIL(scripted_server_heads(w.server) == 1);
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(bs, a_final_status_instead_of_100_makes_the_stream_ready)
{
    struct world w = world_open("head; " SEND("403 Forbidden", "Content-Length: 2\\r\\n", "no"));
    np_request *r = ask_gated(&w);
    np_stream *s = open_stream(r);
    put(s, "abcde");
    finish(s);
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR);
    np_response *response = np_request_response(r);
    cr_assert_eq(np_response_status(response), 403);
    np_response_release(response);
    cr_assert_not(heard(&w, "abcde"));
    world_close(&w);
}

Test(bs, begin_sets_the_state_and_waits_for_nothing)
{
    struct world w = world_open(GATED);
    np_request *r = ask_gated(&w);
    np_async *async = begin_stream(r);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_PENDING);
    cr_assert_not(np_async_is_completed(async));
    np_async_release(async);
    world_close(&w);
}

/* -------------------------------------------------------------------------------------------- ES */

Test(es_1, a_null_result_is_named_and_a_null_out_is_refused)
{
    struct world w = world_open(TAKES(1));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_async *async = begin_stream(r);
    np_stream *s = (np_stream *)&w;
    REFUSED_SAYING(np_request_end_get_request_stream(r, NULL, &s, e), NP_E_ARGUMENT_NULL, "async");
    cr_assert_null(s);
    REFUSED(np_request_end_get_request_stream(NULL, async, &s, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_end_get_request_stream(r, async, NULL, e), NP_E_ARGUMENT_NULL);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "a");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(es_2, the_result_of_another_request_is_refused_and_stays_good)
{
    struct world w = world_open(TAKES(1));
    np_request *r = ask(&w, "POST"), *other = ask(&w, "POST");
    without_expect(r);
    np_async *async = begin_stream(r);
    np_stream *s = (np_stream *)&w;
    REFUSED(np_request_end_get_request_stream(other, async, &s, e), NP_E_ARGUMENT);
    cr_assert_null(s);
    cr_assert_eq(np_request_get_state(other), NP_REQUEST_CREATED);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "a");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(es_2, the_result_of_a_response_is_refused_and_stays_good)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_async *async = begin_response(r);
    np_stream *s = (np_stream *)&w;
    REFUSED(np_request_end_get_request_stream(r, async, &s, e), NP_E_ARGUMENT);
    cr_assert_null(s);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(es_2, the_result_of_a_write_is_refused_and_stays_good)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r), *none = (np_stream *)&w;
    np_async *async;
    OK(np_stream_begin_write(s, "ab", 2, NULL, NULL, &async, e));
    REFUSED(np_request_end_get_request_stream(r, async, &none, e), NP_E_ARGUMENT);
    cr_assert_null(none);
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(es_3, end_is_called_once_after_success)
{
    struct world w = world_open(TAKES(1));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_async *async = begin_stream(r);
    np_stream *s, *again = (np_stream *)&w;
    OK(np_request_end_get_request_stream(r, async, &s, e));
    REFUSED_SAYING(np_request_end_get_request_stream(r, async, &again, e), NP_E_INVALID_OPERATION,
                   "once");
    cr_assert_null(again);
    np_async_release(async);
    put(s, "a");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(es_3, end_is_called_once_after_a_failure)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "POST");
    np_async *async = begin_stream(r);
    np_stream *s;
    WEB(np_request_end_get_request_stream(r, async, &s, e), NP_WEB_CONNECT_FAILURE);
    REFUSED(np_request_end_get_request_stream(r, async, &s, e), NP_E_INVALID_OPERATION);
    np_async_release(async);
    world_close(&w);
}

struct ender {
    np_request *request;
    np_async *async;
    np_stream *stream;
    np_status status;
    atomic_bool done;
};

static void *end_it(void *argument)
{
    struct ender *ender = argument;
    ender->status =
        np_request_end_get_request_stream(ender->request, ender->async, &ender->stream, NULL);
    atomic_store(&ender->done, true);
    return NULL;
}

Test(es_4, end_waits_for_the_operation)
{
    struct world w = world_open(GATED);
    np_request *r = ask_gated(&w);
    struct ender ender = {.request = r, .async = begin_stream(r)};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, end_it, &ender), 0);
    UNTIL(scripted_server_heads(w.server) == 1);
    cr_assert_not(atomic_load(&ender.done));
    scripted_server_go(w.server);
    pthread_join(thread, NULL);
    cr_assert_eq(ender.status, NP_OK);
    np_async_release(ender.async);
    put(ender.stream, "abcde");
    finish(ender.stream);
    expect_hello(r);
    world_close(&w);
}

Test(es_6, the_stream_is_open_after_end)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_stream *s = open_stream(r);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_OPEN);
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(es_7, of_racing_end_calls_one_gets_the_stream)
{
    struct world w = world_open(GATED);
    np_request *r = ask_gated(&w);
    np_async *async = begin_stream(r);
    struct ender ender[4];
    pthread_t thread[4];
    int good = 0;
    for (int i = 0; i < 4; i++) {
        ender[i] = (struct ender){.request = r, .async = async};
        cr_assert_eq(pthread_create(&thread[i], NULL, end_it, &ender[i]), 0);
    }
    scripted_server_go(w.server);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        good += ender[i].status == NP_OK;
        cr_assert(ender[i].status == NP_OK || ender[i].status == NP_E_INVALID_OPERATION);
        cr_assert_eq(ender[i].stream != NULL, ender[i].status == NP_OK);
        np_stream_release(ender[i].stream);
    }
    cr_assert_eq(good, 1);
    np_async_release(async);
    world_close(&w);
}

Test(es_8, an_abort_between_success_and_end_wins)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_async *async = begin_stream(r);
    np_stream *s = (np_stream *)&w;
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_request_abort(r);
    WEB(np_request_end_get_request_stream(r, async, &s, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_null(s);
    np_async_release(async);
    world_close(&w);
}
