/* Section 6.3: the response and its stream (RB). */
#include "acceptance.h"

#define HEADER(fields) "send \"HTTP/1.1 200 OK\\r\\n" fields "\\r\\n\"; "

static np_stream *stream_of(np_response *response)
{
    np_stream *s = NULL;
    OK(np_response_stream(response, &s, e));
    return s;
}

Test(rb_1, the_end_of_the_body_is_zero_bytes_every_time)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    char text[8] = "";
    size_t length = 0, got;
    do {
        OK(np_stream_read(s, text + length, sizeof text - length, &got, e));
        length += got;
    } while (got > 0);
    cr_assert_str_eq(text, "hello");
    for (int i = 0; i < 3; i++) {
        OK(np_stream_read(s, text, sizeof text, &got, e));
        cr_assert_eq(got, 0);
    }
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_9, a_small_buffer_takes_the_body_piece_by_piece)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    char text[8] = "";
    size_t got;
    for (int i = 0; i < 5; i++) {
        OK(np_stream_read(s, text + i, 1, &got, e));
        cr_assert_eq(got, 1);
    }
    cr_assert_str_eq(text, "hello");
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_9, a_read_hands_out_what_is_there)
{
    struct world w =
        world_open("head; " HEADER("Content-Length: 5\\r\\n") "send \"he\"; wait; send \"llo\"");
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    char text[8] = "";
    size_t got, length = 0;
    while (length < 2) {
        OK(np_stream_read(s, text + length, 8 - length, &got, e));
        length += got;
    }
    cr_assert_eq(length, 2);
    scripted_server_go(w.server);
    while (length < 5) {
        OK(np_stream_read(s, text + length, 8 - length, &got, e));
        length += got;
    }
    cr_assert_str_eq(text, "hello");
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_1, null_arguments_are_refused)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response), *other = s;
    np_async *async = (np_async *)&w;
    char text[8];
    size_t got = 7;
    REFUSED(np_stream_read(s, NULL, 8, &got, e), NP_E_ARGUMENT_NULL);
    cr_assert_eq(got, 0);
    REFUSED(np_stream_read(s, text, 8, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_read(NULL, text, 8, &got, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_begin_read(s, NULL, 8, NULL, NULL, &async, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(async);
    REFUSED(np_stream_begin_read(s, text, 8, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_end_read(s, NULL, &got, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_response_stream(response, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_response_stream(NULL, &other, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(other);
    cr_assert_str_eq(body_of(response), "hello");
    np_stream_release(s);
    np_response_close(response);
    np_response_release(response);
    world_close(&w);
}

Test(rb_1, a_read_of_nothing_is_no_end)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    char text[8];
    size_t got = 7;
    OK(np_stream_read(s, text, 0, &got, e));
    cr_assert_eq(got, 0);
    cr_assert_str_eq(body_of(response), "hello");
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_2, a_response_stream_is_not_written_and_flush_does_nothing)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    np_async *async = (np_async *)&w;
    REFUSED(np_stream_write(s, "a", 1, e), NP_E_NOT_SUPPORTED);
    REFUSED(np_stream_begin_write(s, "a", 1, NULL, NULL, &async, e), NP_E_NOT_SUPPORTED);
    cr_assert_null(async);
    OK(np_stream_flush(s, e));
    cr_assert_str_eq(body_of(response), "hello");
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_6, there_is_one_stream_a_response)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *one = stream_of(response), *two = stream_of(response);
    cr_assert_eq(one, two);
    np_stream_release(one);
    cr_assert_str_eq(body_of(response), "hello");
    np_stream_release(two);
    np_response_release(response);
    world_close(&w);
}

Test(rb_3, after_close_reads_say_that_it_is_closed)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response), *none;
    char text[8];
    size_t got;
    OK(np_stream_close(s, e));
    OK(np_stream_close(s, e));
    WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_CONNECTION_CLOSED);
    REFUSED(np_response_stream(response, &none, e), NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_response_status(response), 200);
    cr_assert_str_eq(np_response_header(response, "content-LENGTH"), "5");
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_6, closing_the_response_closes_its_stream)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    np_stream *s = stream_of(response);
    char text[8];
    size_t got;
    np_response_close(response);
    np_response_close(response);
    WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_CONNECTION_CLOSED);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    OK(np_stream_close(s, e));
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_6, closing_the_stream_closes_the_response)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    np_stream *s = stream_of(response);
    OK(np_stream_close(s, e));
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    np_response_close(response);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_6, a_stream_keeps_its_response_open)
{
    struct world w = world_open("head; " HEADER("Content-Length: 5\\r\\n") "wait; send \"hello\"");
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    char text[8] = "";
    size_t got, length = 0;
    np_response_release(response);
    scripted_server_go(w.server);
    do {
        OK(np_stream_read(s, text + length, 8 - length, &got, e));
        length += got;
    } while (got > 0);
    cr_assert_str_eq(text, "hello");
    np_stream_release(s);
    world_close(&w);
}

Test(rb_2, a_second_read_is_refused_while_the_first_is_under_way)
{
    struct world w = world_open("head; " HEADER("Content-Length: 5\\r\\n") "wait; send \"hello\"");
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    np_async *async, *second = (np_async *)&w;
    char text[8] = "", other[8];
    size_t got = 7;
    OK(np_stream_begin_read(s, text, 8, NULL, NULL, &async, e));
    REFUSED(np_stream_read(s, other, 8, &got, e), NP_E_NOT_SUPPORTED);
    cr_assert_eq(got, 0);
    REFUSED(np_stream_begin_read(s, other, 8, NULL, NULL, &second, e), NP_E_NOT_SUPPORTED);
    cr_assert_null(second);
    scripted_server_go(w.server);
    OK(np_stream_end_read(s, async, &got, e));
    cr_assert(got > 0 && memcmp(text, "hello", got) == 0);
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_9, the_result_of_a_read_is_ended_once_by_its_own_call)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *other = ask(&w, "GET");
    np_response *response = get_response(r), *second = get_response(other), *none;
    np_stream *s = stream_of(response), *s2 = stream_of(second);
    np_async *async;
    char text[8];
    size_t got = 7;
    OK(np_stream_begin_read(s, text, 8, NULL, NULL, &async, e));
    REFUSED(np_stream_end_read(s2, async, &got, e), NP_E_ARGUMENT);
    cr_assert_eq(got, 0);
    REFUSED(np_request_end_get_response(r, async, &none, e), NP_E_ARGUMENT);
    OK(np_stream_end_read(s, async, &got, e));
    REFUSED(np_stream_end_read(s, async, &got, e), NP_E_INVALID_OPERATION);
    np_async_release(async);
    np_stream_release(s);
    np_stream_release(s2);
    np_response_release(response);
    np_response_release(second);
    world_close(&w);
}

Test(rb_4, a_read_that_takes_too_long_ends_in_timeout)
{
    struct world w = world_open("head; " HEADER("Content-Length: 5\\r\\n") "hang");
    np_request *r = ask(&w, "GET");
    OK(np_request_set_read_write_timeout(r, 20, e));
    np_response *response = get_response(r);
    np_stream *s = stream_of(response);
    char text[8];
    size_t got = 7;
    WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_TIMEOUT);
    cr_assert_eq(got, 0);
    REFUSED_AS(np_stream_read(s, text, 8, &got, e), NP_E_WEB);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_4, the_limit_of_a_read_is_not_for_asynchronous_ones)
{
    struct world w = world_open("head; " HEADER("Content-Length: 5\\r\\n") "wait; send \"hello\"");
    np_request *r = ask(&w, "GET");
    OK(np_request_set_read_write_timeout(r, 1, e));
    np_response *response = get_response(r);
    np_stream *s = stream_of(response);
    np_async *async;
    char text[8];
    size_t got;
    OK(np_stream_begin_read(s, text, 8, NULL, NULL, &async, e));
    cr_assert_eq(np_async_wait(async, 40), 1);
    scripted_server_go(w.server);
    OK(np_stream_end_read(s, async, &got, e));
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

/* What came is handed out first, then the failure, and again. */
static void expect_cut_short(const char *script, const char *before)
{
    struct world w = world_open(script);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    char text[64] = "";
    size_t got, length = 0;
    while (length < strlen(before)) {
        OK(np_stream_read(s, text + length, sizeof text - 1 - length, &got, e));
        cr_assert_neq(got, 0, "the body ended well");
        length += got;
    }
    cr_assert_str_eq(text, before);
    WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_CONNECTION_CLOSED);
    WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_CONNECTION_CLOSED);
    OK(np_stream_close(s, e));
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(rb_5, a_body_shorter_than_its_length_is_handed_out_and_then_fails)
{
    expect_cut_short("head; " HEADER("Content-Length: 9\\r\\n") "send \"hello\"", "hello");
}

Test(rb_5, a_chunked_body_without_its_end_is_handed_out_and_then_fails)
{
    expect_cut_short(
        "head; " HEADER("Transfer-Encoding: chunked\\r\\n") "send \"5\\r\\nhello\\r\\n\"", "hello");
    expect_cut_short("head; " HEADER("Transfer-Encoding: chunked\\r\\n") "send \"9\\r\\nhel\"",
                     "hel");
}

Test(rb_1, a_body_up_to_the_end_of_the_connection_ends_well)
{
    struct world w = world_open("head; " HEADER("Connection: close\\r\\n") "send \"hello\"");
    np_response *response = get_response(ask(&w, "GET"));
    cr_assert_eq(np_response_content_length(response), -1);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}

Test(rb_1, a_chunked_body_is_handed_out_without_its_frames)
{
    struct world w = world_open("head; " HEADER(
        "Transfer-Encoding: chunked\\r\\n") "send \"2\\r\\nhe\\r\\n3;x=y\\r\\nllo\\r\\n0\\r\\nX-T: "
                                            "1\\r\\n\\r\\n\"; again");
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    cr_assert_eq(np_response_content_length(response), -1);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(rb_7, head_204_and_304_have_an_empty_stream)
{
    struct world w = world_open("head; " HEADER("Content-Length: 5\\r\\n") "head; " SEND(
        "204 No Content", "", "") "head; " SEND("304 Not Modified", "Content-Length: 9\\r\\n", ""));
    np_response *response = get_response(ask(&w, "HEAD"));
    cr_assert_eq(np_response_content_length(response), 5);
    cr_assert_str_eq(np_response_method(response), "HEAD");
    cr_assert_str_eq(body_of(response), "");
    np_response_release(response);
    response = get_response(ask(&w, "GET"));
    cr_assert_str_eq(body_of(response), "");
    np_response_release(response);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_allow_auto_redirect(r, false, e));
    response = get_response(r);
    cr_assert_str_eq(body_of(response), "");
    np_response_release(response);
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(rb_7, a_1xx_is_no_response)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 102 Processing\\r\\n\\r\\nHTTP/1.1 103 Early "
                   "Hints\\r\\nLink: <x>\\r\\n\\r\\n\"; " HELLO_REPLY);
    np_response *response = get_response(ask(&w, "GET"));
    cr_assert_eq(np_response_status(response), 200);
    cr_assert_null(np_response_header(response, "Link"));
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}

Test(rb_6, closing_before_the_end_of_a_small_body_keeps_the_connection)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_response_close(response);
    np_response_release(response);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(rb_6, closing_before_the_end_of_a_large_body_drops_the_connection)
{
    struct world w =
        world_open("head; " HEADER("Content-Length: 100000000\\r\\n") "flood \"x\"\n---\n" HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_response_close(response);
    np_response_release(response);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(rb_10, a_response_that_is_not_closed_keeps_its_place)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with(
        "head; " HEADER("Content-Length: 5\\r\\n") "wait; send \"hello\"; head; " HELLO_REPLY,
        &options);
    np_response *response = get_response(ask(&w, "GET"));
    np_request *later = ask(&w, "GET");
    np_async *async = begin_response(later);
    cr_assert_eq(np_async_wait(async, 30), 1);
    scripted_server_go(w.server);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    np_response_release(end_response(later, async));
    world_close(&w);
}

Test(response, a_response_tells_its_header)
{
    struct world w = world_open("head; " SEND(
        "200 Fine", "X-A: one\\r\\nx-a: two\\r\\nX-Empty:\\r\\nContent-Length: 0\\r\\n", ""));
    np_response *response = get_response(ask_for(&w, "GET", "/p?q=1#part"));
    cr_assert_str_eq(np_response_header(response, "X-A"), "one");
    cr_assert_str_eq(np_response_header(response, "x-empty"), "");
    cr_assert_null(np_response_header(response, "X-None"));
    cr_assert_eq(np_response_content_length(response), 0);
    cr_assert_str_eq(np_response_uri(response), url_of(&w, "/p?q=1"));
    cr_assert_str_eq(np_response_method(response), "GET");
    cr_assert_eq(np_response_protocol(response), 11);
    np_response_release(response);
    np_response_release(NULL);
    world_close(&w);
}

Test(response, a_response_by_http_1_0_says_so)
{
    struct world w = world_open("head; send \"HTTP/1.0 200 OK\\r\\n\\r\\nhello\"");
    np_response *response = get_response(ask(&w, "GET"));
    cr_assert_eq(np_response_protocol(response), 10);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}

Test(rb_9, an_asynchronous_read_of_nothing_completes)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s = stream_of(response);
    np_async *async;
    char text[1];
    size_t got = 7;
    OK(np_stream_begin_read(s, text, 0, NULL, NULL, &async, e));
    OK(np_stream_end_read(s, async, &got, e));
    cr_assert_eq(got, 0);
    np_async_release(async);
    cr_assert_str_eq(body_of(response), "hello");
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(response, a_status_line_without_words_is_fine)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200\\r\\nContent-Length: 5\\r\\n\\r\\nhello\"");
    expect_hello(ask(&w, "GET"));
    world_close(&w);
}
