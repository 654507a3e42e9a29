/* Section 6.2, the request stream (WS), and 8.1, how bodies are sent (BH). */
#include "acceptance.h"

enum body { GATHERED, LENGTH_5, CHUNKED };

/* A POST whose body is sent in one of the three ways; unbuffered where that is possible. */
static np_request *ask_body(struct world *w, enum body body, bool buffered)
{
    np_request *r = ask(w, "POST");
    without_expect(r);
    if (body == LENGTH_5)
        OK(np_request_set_content_length(r, 5, e));
    if (body == CHUNKED)
        OK(np_request_set_send_chunked(r, true, e));
    if (body != GATHERED)
        OK(np_request_set_allow_write_stream_buffering(r, buffered, e));
    return r;
}

static const char *script_of(enum body body)
{
    return body == CHUNKED ? TAKES_CHUNKS : TAKES(5);
}

Test(ws_1, a_null_buffer_is_refused_unless_nothing_is_written)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, GATHERED, true);
    np_stream *s = open_stream(r);
    np_async *async = (np_async *)&w;
    REFUSED_SAYING(np_stream_write(s, NULL, 1, e), NP_E_ARGUMENT_NULL, "buffer");
    REFUSED(np_stream_begin_write(s, NULL, 1, NULL, NULL, &async, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(async);
    REFUSED(np_stream_begin_write(s, "a", 1, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_write(NULL, "a", 1, e), NP_E_ARGUMENT_NULL);
    OK(np_stream_write(s, NULL, 0, e));
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(ws_1, a_size_that_no_buffer_has_is_out_of_range)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, GATHERED, true);
    np_stream *s = open_stream(r);
    np_async *async = (np_async *)&w;
    REFUSED(np_stream_write(s, "a", SIZE_MAX, e), NP_E_ARGUMENT_RANGE);
    REFUSED(np_stream_begin_write(s, "a", SIZE_MAX, NULL, NULL, &async, e), NP_E_ARGUMENT_RANGE);
    cr_assert_null(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(ws_2, a_request_stream_is_not_read)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, GATHERED, true);
    np_stream *s = open_stream(r);
    np_async *async = (np_async *)&w;
    char text[4];
    size_t got = 7;
    REFUSED(np_stream_read(s, text, 4, &got, e), NP_E_NOT_SUPPORTED);
    cr_assert_eq(got, 0);
    REFUSED(np_stream_begin_read(s, text, 4, NULL, NULL, &async, e), NP_E_NOT_SUPPORTED);
    cr_assert_null(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(ws_3, nothing_is_written_after_close)
{
    for (enum body body = GATHERED; body <= CHUNKED; body++) {
        struct world w = world_open(script_of(body));
        np_request *r = ask_body(&w, body, true);
        np_stream *s = open_stream(r);
        np_async *async = (np_async *)&w;
        put(s, "abcde");
        OK(np_stream_close(s, e));
        WEB(np_stream_write(s, "x", 1, e), NP_WEB_CONNECTION_CLOSED);
        WEB(np_stream_begin_write(s, "x", 1, NULL, NULL, &async, e), NP_WEB_CONNECTION_CLOSED);
        cr_assert_null(async);
        cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_CLOSED);
        expect_hello(r);
        np_stream_release(s);
        world_close(&w);
    }
}

Test(ws_5, a_second_write_is_refused_while_the_first_is_under_way)
{
    static char bytes[8 << 20];
    struct world w = world_open("head; wait; chunks; " HELLO_REPLY);
    np_request *r = ask_body(&w, CHUNKED, false);
    np_stream *s = open_stream(r);
    struct calls calls = {0};
    np_async *async, *second = (np_async *)&w;
    OK(np_stream_begin_write(s, bytes, sizeof bytes, count_call, &calls, &async, e));
    REFUSED(np_stream_write(s, "x", 1, e), NP_E_NOT_SUPPORTED);
    REFUSED(np_stream_begin_write(s, "x", 1, NULL, NULL, &second, e), NP_E_NOT_SUPPORTED);
    cr_assert_null(second);
    cr_assert_not(np_async_is_completed(async));
    scripted_server_go(w.server);
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    put(s, "x"); /* and now it is free again */
    finish(s);
    expect_hello(r);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(ws_6, too_much_is_refused_whole_and_the_rest_still_fits)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(r);
    np_async *async = (np_async *)&w;
    REFUSED(np_stream_write(s, "UVWXYZ", 6, e), NP_E_PROTOCOL_VIOLATION);
    put(s, "abc");
    REFUSED(np_stream_write(s, "XYZ", 3, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_stream_begin_write(s, "XYZ", 3, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    cr_assert_null(async);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_OPEN);
    put(s, "de");
    REFUSED(np_stream_write(s, "X", 1, e), NP_E_PROTOCOL_VIOLATION);
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "\r\n\r\nabcde"));
    cr_assert_not(heard(&w, "X"));
    world_close(&w);
}

Test(ws_6, a_length_is_not_checked_where_the_body_is_chunked)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask_body(&w, CHUNKED, true);
    OK(np_request_set_content_length(r, 2, e));
    np_stream *s = open_stream(r);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    cr_assert_not(heard(&w, "Content-Length"));
    cr_assert(heard(&w, "5\r\nabcde\r\n"));
    world_close(&w);
}

Test(ws_7, nothing_is_written_by_a_write_of_nothing)
{
    for (enum body body = GATHERED; body <= CHUNKED; body++) {
        struct world w = world_open(script_of(body));
        np_request *r = ask_body(&w, body, true);
        np_stream *s = open_stream(r);
        np_async *async;
        put(s, "");
        put(s, "abcde");
        put(s, "");
        OK(np_stream_begin_write(s, "", 0, NULL, NULL, &async, e));
        OK(np_stream_end_write(s, async, e));
        np_async_release(async);
        finish(s);
        expect_hello(r);
        cr_assert_eq(times_heard(&w, "\r\n0\r\n"), body == CHUNKED);
        world_close(&w);
    }
}

Test(ws_8, after_a_final_status_writes_succeed_and_are_dropped)
{
    struct world w = world_open(
        "head; send \"HTTP/1.1 413 Too Large\\r\\nContent-Length: 3\\r\\n\\r\\nbig\"; hang");
    static char bytes[65536];
    np_request *r = ask(&w, "POST");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    OK(np_request_set_continue_timeout(r, -1, e)); /* so that the status is there before the body */
    np_stream *s = open_stream(r);
    for (int i = 0; i < 64; i++)
        OK(np_stream_write(s, bytes, sizeof bytes, e));
    finish(s);
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    np_response *response = np_request_response(r);
    cr_assert_eq(np_response_status(response), 413);
    cr_assert_str_eq(body_of(response), "big");
    np_response_release(response);
    world_close(&w);
}

Test(ws_9, a_connection_that_is_lost_fails_the_writes_and_sticks)
{
    struct world w = world_open("head; wait; reset");
    static char bytes[65536];
    np_request *r = ask_body(&w, CHUNKED, false);
    np_stream *s = open_stream(r);
    scripted_server_go(w.server);
    np_error first = {0}, later = {0};
    np_status status = NP_OK;
    for (int i = 0; i < 20000 && !status; i++)
        status = np_stream_write(s, bytes, sizeof bytes, &first);
    cr_assert_eq(status, NP_E_WEB);
    cr_assert_eq(first.web_status, NP_WEB_SEND_FAILURE, "%s; %s", first.text, first.cause);
    cr_assert_eq(np_stream_write(s, bytes, 1, &later), NP_E_WEB);
    cr_assert_eq(later.web_status, first.web_status);
    cr_assert_str_eq(later.text, first.text);
    np_async *async;
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_SEND_FAILURE);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_FAILED);
    OK(np_stream_close(s, e));
    np_stream_release(s);
    world_close(&w);
}

Test(ws_10, a_write_that_takes_too_long_ends_in_timeout_and_the_stream_is_dead)
{
    struct world w = world_open("head; deaf");
    static char bytes[8 << 20];
    np_request *r = ask_body(&w, CHUNKED, false);
    OK(np_request_set_read_write_timeout(r, 30, e));
    np_stream *s = open_stream(r);
    WEB(np_stream_write(s, bytes, sizeof bytes, e), NP_WEB_TIMEOUT);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    REFUSED_AS(np_stream_write(s, bytes, 1, e), NP_E_WEB);
    finish(s);
    world_close(&w);
}

Test(ws_10, the_limit_of_a_write_is_not_for_asynchronous_ones)
{
    struct world w = world_open("head; wait; chunks; " HELLO_REPLY);
    static char bytes[8 << 20];
    np_request *r = ask_body(&w, CHUNKED, false);
    OK(np_request_set_read_write_timeout(r, 1, e));
    np_stream *s = open_stream(r);
    np_async *async;
    OK(np_stream_begin_write(s, bytes, sizeof bytes, NULL, NULL, &async, e));
    cr_assert_eq(np_async_wait(async, 40), 1);
    scripted_server_go(w.server);
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    finish(s);
    np_response_release(get_response(r));
    world_close(&w);
}

Test(ws_11, flush_does_nothing_in_any_state)
{
    for (enum body body = GATHERED; body <= CHUNKED; body++) {
        struct world w = world_open(script_of(body));
        np_request *r = ask_body(&w, body, true);
        np_stream *s = open_stream(r);
        OK(np_stream_flush(s, e));
        put(s, "abcde");
        OK(np_stream_flush(s, e));
        if (body == GATHERED)
            cr_assert_eq(scripted_server_heads(w.server), 0);
        OK(np_stream_close(s, e));
        OK(np_stream_flush(s, e));
        expect_hello(r);
        np_stream_release(s);
        world_close(&w);
    }
}

static void expect_close_canceled(bool write_some)
{
    struct world w = world_open("head; hang");
    np_request *r = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(r);
    np_error error = {0};
    np_async *async;
    if (write_some)
        put(s, "abc");
    cr_assert_eq(np_stream_close(s, &error), NP_E_WEB);
    cr_assert_eq(error.web_status, NP_WEB_REQUEST_CANCELED, "%s", error.text);
    cr_assert(strstr(error.cause, "written") || strstr(error.text, "written"), "%s; %s", error.text,
              error.cause);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    OK(np_stream_close(s, e));
    np_stream_release(s);
    scripted_server_wait(w.server); /* the connection was closed */
    world_close(&w);
}

Test(ws_12, closing_while_bytes_are_owed_aborts_the_request)
{
    expect_close_canceled(true);
    expect_close_canceled(false);
}

Test(ws_12, releasing_a_stream_that_owes_bytes_aborts_the_request)
{
    struct world w = world_open("head; hang");
    np_request *r = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(r);
    put(s, "abc");
    np_stream_release(s);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    world_close(&w);
}

Test(ws_12, closing_while_a_write_is_under_way_aborts_the_request)
{
    struct world w = world_open("head; deaf");
    static char bytes[8 << 20];
    np_request *r = ask_body(&w, CHUNKED, false);
    np_stream *s = open_stream(r);
    struct calls calls = {0};
    np_async *async;
    OK(np_stream_begin_write(s, bytes, sizeof bytes, count_call, &calls, &async, e));
    WEB(np_stream_close(s, e), NP_WEB_REQUEST_CANCELED);
    UNTIL(atomic_load(&calls.count) == 1);
    WEB(np_stream_end_write(s, async, e), NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    np_stream_release(s);
    world_close(&w);
}

Test(ws_13, each_write_is_a_chunk_as_soon_as_it_is_written_and_close_is_the_last_one)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask_body(&w, CHUNKED, true);
    np_stream *s = open_stream(r);
    put(s, "abc");
    UNTIL(heard(&w, "3\r\nabc\r\n"));
    put(s, "de");
    UNTIL(heard(&w, "2\r\nde\r\n"));
    cr_assert_not(heard(&w, "\r\n0\r\n"));
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "\r\n0\r\n\r\n"));
    cr_assert(heard(&w, "Transfer-Encoding: chunked\r\n"));
    cr_assert_not(heard(&w, "Content-Length"));
    world_close(&w);
}

Test(ws_13, a_chunked_body_without_a_write_is_empty)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask_body(&w, CHUNKED, true);
    finish(open_stream(r));
    expect_hello(r);
    cr_assert(heard(&w, "\r\n\r\n0\r\n\r\n"));
    world_close(&w);
}

Test(ws_14, closing_a_gathered_body_gives_it_its_length_and_sends_it)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, GATHERED, true);
    np_stream *s = open_stream(r);
    put(s, "ab");
    put(s, "cde");
    cr_assert_eq(scripted_server_heads(w.server), 0);
    finish(s);
    UNTIL(heard(&w, "abcde")); /* before the response is asked for */
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 5\r\n"));
    world_close(&w);
}

Test(ws_14, an_empty_gathered_body_has_a_length_of_zero)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_body(&w, GATHERED, true);
    finish(open_stream(r));
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 0\r\n"));
    world_close(&w);
}

Test(ws_15, closing_twice_has_no_effect)
{
    for (enum body body = GATHERED; body <= CHUNKED; body++) {
        struct world w = world_open(script_of(body));
        np_request *r = ask_body(&w, body, true);
        np_stream *s = open_stream(r);
        put(s, "abcde");
        OK(np_stream_close(s, e));
        OK(np_stream_close(s, e));
        expect_hello(r);
        OK(np_stream_close(s, e));
        np_stream_release(s);
        cr_assert_eq(scripted_server_heads(w.server), 1);
        world_close(&w);
    }
}

Test(ws_16, with_a_length_of_zero_the_stream_takes_nothing)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_content_length(r, 0, e));
    np_stream *s = open_stream(r);
    REFUSED(np_stream_write(s, "a", 1, e), NP_E_PROTOCOL_VIOLATION);
    put(s, "");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 0\r\n"));
    cr_assert_not(heard(&w, "Expect"));
    world_close(&w);
}

Test(ws_17, closing_after_the_response_was_read_is_fine)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(r);
    put(s, "abcde");
    expect_hello(r);
    finish(s);
    world_close(&w);
}

Test(ws, an_asynchronous_write_has_a_result_of_its_own_kind)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, GATHERED, true), *other = ask_body(&w, GATHERED, true);
    np_stream *s = open_stream(r), *s2 = open_stream(other);
    np_async *async;
    OK(np_stream_begin_write(s, "abcde", 5, NULL, NULL, &async, e));
    REFUSED(np_stream_end_write(s2, async, e), NP_E_ARGUMENT);
    REFUSED(np_stream_end_write(s, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_end_write(NULL, async, e), NP_E_ARGUMENT_NULL);
    OK(np_stream_end_write(s, async, e));
    REFUSED(np_stream_end_write(s, async, e), NP_E_INVALID_OPERATION);
    np_async_release(async);
    finish(s);
    expect_hello(r);
    np_stream_release(s2);
    world_close(&w);
}

Test(ws, the_result_of_the_stream_does_not_end_a_write)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, GATHERED, true);
    np_async *async = begin_stream(r);
    np_stream *s;
    OK(np_request_end_get_request_stream(r, async, &s, e));
    REFUSED(np_stream_end_write(s, async, e), NP_E_ARGUMENT);
    np_async_release(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

/* -------------------------------------------------------------------------------------------- BH */

Test(bh_1, buffering_does_not_hold_back_a_body_with_a_length_or_in_chunks)
{
    struct world w = world_open("head; body 5; " HELLO_REPLY "head; chunks; " HELLO_REPLY);
    np_request *length = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(length);
    put(s, "abc");
    UNTIL(heard(&w, "abc"));
    put(s, "de");
    finish(s);
    expect_hello(length);
    np_request *chunked = ask_body(&w, CHUNKED, true);
    s = open_stream(chunked);
    put(s, "fgh");
    UNTIL(heard(&w, "fgh"));
    finish(s);
    expect_hello(chunked);
    world_close(&w);
}

Test(bh_3, without_buffering_a_write_waits_for_the_connection)
{
    static char bytes[8 << 20];
    struct world w = world_open("head; wait; chunks; " HELLO_REPLY);
    np_request *r = ask_body(&w, CHUNKED, false);
    np_stream *s = open_stream(r);
    np_async *async;
    memset(bytes, 'x', sizeof bytes);
    OK(np_stream_begin_write(s, bytes, sizeof bytes, NULL, NULL, &async, e));
    cr_assert_eq(np_async_wait(async, 20), 1);
    scripted_server_go(w.server);
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(bh, chunked_wins_over_a_length)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask_body(&w, LENGTH_5, true);
    OK(np_request_set_send_chunked(r, true, e));
    np_stream *s = open_stream(r);
    put(s, "abcdefgh");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Transfer-Encoding: chunked\r\n"));
    cr_assert_not(heard(&w, "Content-Length"));
    world_close(&w);
}

Test(bh, a_body_with_a_length_goes_out_as_it_is_written)
{
    struct world w = world_open("head; body 131072; " HELLO_REPLY);
    static char bytes[131072];
    np_request *r = ask(&w, "PUT");
    without_expect(r);
    memset(bytes, 'x', sizeof bytes);
    OK(np_request_set_content_length(r, sizeof bytes, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    np_stream *s = open_stream(r);
    for (size_t at = 0; at < sizeof bytes; at += 8192)
        OK(np_stream_write(s, bytes + at, 8192, e));
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 131072\r\n"));
    world_close(&w);
}

Test(bh, a_verb_without_a_body_has_none_on_the_wire)
{
    struct world w = world_open(HELLO);
    expect_hello(ask(&w, "GET"));
    cr_assert_not(heard(&w, "Content-"));
    cr_assert_not(heard(&w, "Transfer-"));
    world_close(&w);
}

Test(bh, a_large_gathered_body_arrives_whole)
{
    struct world w = world_open("head; body 300000; " HELLO_REPLY);
    static char bytes[300000];
    np_request *r = ask(&w, "POST");
    without_expect(r);
    memset(bytes, 'x', sizeof bytes);
    np_stream *s = open_stream(r);
    for (size_t at = 0; at < sizeof bytes; at += 1000)
        OK(np_stream_write(s, bytes + at, 1000, e));
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 300000\r\n"));
    world_close(&w);
}

Test(ws_8, a_server_that_refuses_and_shuts_its_side_does_not_fail_the_writes)
{
    struct world w = world_open("head; send \"HTTP/1.1 413 Too Large\\r\\nConnection: close\\r\\n"
                                "Content-Length: 3\\r\\n\\r\\nbig\"; shut; hang");
    static char bytes[1 << 20];
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 64 * (int64_t)sizeof bytes, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    np_stream *s = open_stream(r);
    for (int i = 0; i < 64; i++)
        OK(np_stream_write(s, bytes, sizeof bytes, e));
    finish(s);
    cr_assert_eq(failure_of(r).web_status, NP_WEB_PROTOCOL_ERROR);
    np_response *response = np_request_response(r);
    cr_assert_eq(np_response_status(response), 413);
    np_response_release(response);
    world_close(&w);
}

Test(ws_8, after_an_early_success_the_body_is_sent_all_the_same)
{
    struct world w = world_open("head; " HELLO_REPLY "body 5");
    np_request *r = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(r);
    put(s, "abc");
    put(s, "de");
    finish(s);
    expect_hello(r);
    UNTIL(heard(&w, "abcde"));
    world_close(&w);
}

static void *abort_it(void *request)
{
    np_request_abort(request);
    return NULL;
}

Test(ws_4, a_write_that_waits_is_woken_by_abort)
{
    struct world w = world_open("head; deaf");
    static char bytes[8 << 20];
    np_request *r = ask_body(&w, CHUNKED, false);
    np_stream *s = open_stream(r);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, abort_it, r), 0);
    WEB(np_stream_write(s, bytes, sizeof bytes, e), NP_WEB_REQUEST_CANCELED);
    pthread_join(thread, NULL);
    finish(s);
    world_close(&w);
}

Test(ws_7, an_asynchronous_write_of_nothing_calls_back_once)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_body(&w, LENGTH_5, true);
    np_stream *s = open_stream(r);
    struct calls calls = {0};
    np_async *async;
    OK(np_stream_begin_write(s, NULL, 0, count_call, &calls, &async, e));
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_not(np_async_completed_synchronously(async));
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}
