/* Request streams against a server that does what its script says: what goes over the wire, the
 * wait for 100 Continue, answers that come early, bodies of later hops. Each name begins with the
 * rule of docs/contract.md it holds. */
#include "upload_rig.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- the three modes on the wire --- */

Test(request_upload, ws_14_a_gathered_body_gets_its_length_at_the_close)
{
    serve("head; body 11; send \"" OK_2 "\"");
    np_request *request = post();

    np_stream *stream = open_stream(request);
    write_text(stream, "hello ");
    write_text(stream, "world");
    cr_assert_eq(scripted_server_heads(server), 0, "nothing is sent before the close");
    close_stream(stream);
    must_be_answered(request);

    must_be_heard("Content-Length: 11\r\n");
    must_be_heard("\r\n\r\nhello world");
    cr_assert_not(was_heard("Expect:"));
    cr_assert_not(was_heard("Content-Type:"));
    take_down();
}

Test(request_upload, bh_1_with_a_length_each_write_goes_out_at_once)
{
    serve("head; body 6; wait; body 5; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, 11, NULL), NP_OK);

    np_stream *stream = open_stream(request);
    write_text(stream, "hello ");
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (!was_heard("hello "))
        cr_assert_lt(np_now(), until);
    scripted_server_go(server);
    write_text(stream, "world");
    close_stream(stream);
    must_be_answered(request);

    must_be_heard("Content-Length: 11\r\n");
    take_down();
}

Test(request_upload, ws_13_each_write_is_a_chunk_and_close_sends_the_last_one)
{
    serve("head; chunks; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);

    np_stream *stream = open_stream(request);
    for (const char *word = "abcde"; *word; word++)
        cr_assert_eq(np_stream_write(stream, word, 1, NULL), NP_OK);
    cr_assert_eq(np_stream_write(stream, "", 0, NULL), NP_OK, "WS-7: no chunk of its own");
    write_text(stream, "0123456789");
    close_stream(stream);
    must_be_answered(request);

    must_be_heard("Transfer-Encoding: chunked\r\n");
    must_be_heard(
        "\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\na\r\n0123456789\r\n0\r\n\r\n");
    cr_assert_not(was_heard("Content-Length:"));
    take_down();
}

Test(request_upload, ws_16_an_empty_body_has_its_stream)
{
    np_error err = {0};
    serve("head; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, 0, NULL), NP_OK);

    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "x", 1, &err), NP_E_PROTOCOL_VIOLATION, "WS-6");
    close_stream(stream);
    must_be_answered(request);

    must_be_heard("Content-Length: 0\r\n");
    take_down();
}

Test(request_upload, gr_12_a_post_without_a_stream_says_that_it_is_empty)
{
    serve("head; send \"" OK_2 "\"");
    must_be_answered(post());
    must_be_heard("Content-Length: 0\r\n");
    take_down();
}

Test(request_upload, wm_a_handle_goes_from_bodies_to_none_and_back)
{
    serve("head; body 2; send \"" OK_2 "\"; head; send \"" OK_2 "\"; head; chunks; send \"" OK_2
          "\"; head; body 3; send \"" OK_2 "\"");
    np_request *request = request_to(scripted_server_port(server), "PUT", "/1");
    np_stream *stream = open_stream(request);
    write_text(stream, "ab");
    close_stream(stream);
    must_be_answered(request);
    must_be_answered(request_to(scripted_server_port(server), "GET", "/2"));
    request = request_to(scripted_server_port(server), "PATCH", "/3");
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    stream = open_stream(request);
    write_text(stream, "cd");
    close_stream(stream);
    must_be_answered(request);
    request = request_to(scripted_server_port(server), "DELETE", "/4");
    stream = open_stream(request);
    write_text(stream, "efg");
    close_stream(stream);
    must_be_answered(request);

    must_be_heard("PUT /1 HTTP/1.1\r\n");
    must_be_heard("\r\n\r\nabGET /2 HTTP/1.1\r\n");
    must_be_heard("\r\n\r\nPATCH /3 HTTP/1.1\r\n");
    must_be_heard("\r\n\r\n2\r\ncd\r\n0\r\n\r\nDELETE /4 HTTP/1.1\r\n");
    must_be_heard("\r\n\r\nefg");
    cr_assert_eq(scripted_server_connections(server), 1, "one connection carried all four");
    take_down();
}

Test(request_upload, wm_without_keep_alive_the_connection_is_closed)
{
    serve("head; chunks; send \"" OK_2 "\"; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    cr_assert_eq(np_request_set_keep_alive(request, false, NULL), NP_OK);

    np_stream *stream = open_stream(request); /* neither a length nor chunked nor buffering */
    write_text(stream, "abc");
    close_stream(stream);
    must_be_answered(request);

    must_be_heard("Connection: close\r\n");
    must_be_heard("\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    take_down();
}

/* --- 100-continue --- */

static np_request *expecting_post(int64_t continue_timeout_ms)
{
    np_request *request = post();
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, continue_timeout_ms, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    return request;
}

static void finish_hello(np_request *request, np_async *async)
{
    np_stream *stream;
    np_error err = {0};
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK, "%s",
                 err.text);
    np_async_release(async);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
}

Test(request_upload, gate_100_lets_the_body_go)
{
    serve("head; wait; send \"" CONTINUE "\"; body 5; send \"" OK_2 "\"");
    np_request *request = expecting_post(-1);

    np_async *async = begin_stream(request);
    wait_for_heads(1);
    cr_assert_eq(np_async_wait(async, 50), 1, "nothing before the server has said it");
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_PENDING);
    scripted_server_go(server);
    finish_hello(request, async);

    must_be_heard("Expect: 100-continue\r\n");
    take_down();
}

Test(request_upload, gate_a_silent_server_gets_the_body_after_the_time)
{
    serve("head; body 5; send \"" OK_2 "\"");
    np_request *request = expecting_post(120);

    const uint64_t begun_ns = np_now();
    np_async *async = begin_stream(request);
    cr_assert_eq(np_async_wait(async, 20000), 0);
    cr_assert_geq(np_now() - begun_ns, 119 * NP_NS_PER_MS);
    finish_hello(request, async);
    take_down();
}

Test(request_upload, gate_a_late_100_does_no_harm)
{
    serve("head; body 5; send \"" CONTINUE CONTINUE OK_2 "\"");
    np_request *request = expecting_post(1);
    finish_hello(request, begin_stream(request));
    take_down();
}

Test(request_upload, gate_a_time_of_zero_does_not_wait)
{
    serve("head; body 5; send \"" OK_2 "\"");
    np_request *request = expecting_post(0);
    finish_hello(request, begin_stream(request));
    must_be_heard("Expect: 100-continue\r\n");
    take_down();
}

Test(request_upload, gate_a_gathered_body_waits_for_100_too)
{
    serve("head; send \"" CONTINUE "\"; body 5; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
    must_be_heard("Expect: 100-continue\r\n");
    take_down();
}

Test(request_upload, ws_8_a_final_status_instead_of_100_means_no_body)
{
    serve("head; send \"HTTP/1.1 413 Too Large\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 8 * 1024 * 1024, NULL), NP_OK);
    must_be_refused(request, 8 * 1024 * 1024, 413);
    size_t length;
    char *heard = scripted_server_heard(server, &length);
    cr_assert_str_eq(heard + length - 4, "\r\n\r\n", "no byte of the body was sent");
    free(heard);
    take_down();
}

Test(request_upload, ws_8_after_a_final_status_the_rest_is_dropped)
{
    serve(
        "head; body 4096; send \"HTTP/1.1 500 Broken\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    must_be_refused(request, 8 * 1024 * 1024, 500);
    take_down();
}

Test(request_upload, ws_8_a_status_that_comes_while_nothing_is_written_ends_the_transfer)
{
    char bytes[8];
    size_t got;
    np_stream *body;
    np_error err = {0};
    serve("head; body 10; send \"HTTP/1.1 404 No\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (!np_request_have_response(request))
        cr_assert_lt(np_now(), until, "GR-15: known before it was asked for");
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_OPEN);

    np_response *response;
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_PROTOCOL_ERROR);
    response = np_request_response(request);
    cr_assert_eq(np_response_stream(response, &body, NULL), NP_OK);
    cr_assert_eq(np_stream_read(body, bytes, sizeof bytes, &got, NULL), NP_OK);
    cr_assert_eq(got, 2);
    cr_assert_eq(np_stream_read(body, bytes, sizeof bytes, &got, NULL), NP_OK);
    cr_assert_eq(got, 0, "it ends although the body of the request did not");
    np_stream_release(body);
    np_response_release(response);
    np_stream_release(stream);
    np_request_release(request);
    take_down();
}

Test(request_upload, ws_8_an_early_200_lets_the_body_go_on)
{
    serve("head; send \"" OK_2 "\"; body 5; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (!np_request_have_response(request))
        cr_assert_lt(np_now(), until);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
    while (!was_heard("hello"))
        cr_assert_lt(np_now(), until);
    take_down();
}

/* Writes until it fails. */
static np_status write_until_it_fails(np_stream *stream, np_error *err)
{
    static const char bytes[65536];
    np_status status = NP_OK;
    for (int i = 0; i < 4096 && !status; i++)
        status = np_stream_write(stream, bytes, sizeof bytes, err);
    return status;
}

Test(request_upload, ws_9_a_lost_connection_fails_the_write_and_every_later_one)
{
    np_error err = {0}, again = {0};
    np_async *async;
    serve("head; body 100; reset");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);

    must_be_web(write_until_it_fails(stream, &err), &err, NP_WEB_SEND_FAILURE);
    must_be_web(np_stream_write(stream, "x", 1, &again), &again, NP_WEB_SEND_FAILURE);
    cr_assert_str_eq(again.text, err.text, "ER-3");
    must_be_web(np_request_begin_get_response(request, NULL, NULL, &async, &again), &again,
                NP_WEB_SEND_FAILURE);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_FAILED);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK);
    np_stream_release(stream);
    np_request_release(request);
    take_down();
}

Test(request_upload, ws_10_a_write_that_takes_too_long_is_a_timeout)
{
    np_error err = {0};
    serve("head; deaf");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    cr_assert_eq(np_request_set_read_write_timeout(request, 50, NULL), NP_OK);
    np_stream *stream = open_stream(request);

    must_be_web(write_until_it_fails(stream, &err), &err, NP_WEB_TIMEOUT);
    must_be_web(np_stream_write(stream, "x", 1, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    np_stream_release(stream);
    np_request_release(request);
    take_down();
}

Test(request_upload, ws_12_a_close_with_bytes_owed_aborts)
{
    np_error err = {0};
    np_async *async;
    serve("head; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hell");

    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &err),
                 NP_E_PROTOCOL_VIOLATION, "GR-3: nothing changes");
    must_be_web(np_stream_close(stream, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_str_eq(err.cause, "not all bytes written");
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK, "WS-15");
    np_stream_release(stream);
    np_request_release(request);
    take_down();
}

/* --- 417 --- */

Test(request_upload, gate_417_is_never_repeated_by_itself)
{
    np_error err = {0};
    np_response *response;
    serve("head; send \"HTTP/1.1 417 No\\r\\nContent-Length: 0\\r\\n\\r\\n\"; hang");
    np_request *request = expecting_post(-1);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    close_stream(stream);
    (void)get_response(request, &response, &err);
    char *heard = scripted_server_heard(server, NULL);
    const char *first = strstr(heard, "Expect:");
    cr_assert_not_null(first);
    cr_assert_null(strstr(first + 1, "Expect:"), "libcurl would send the same again: %s", heard);
    free(heard);
    np_response_release(response);
    np_request_release(request);
    take_down();
}

/* --- RS: the body of a later hop --- */

#define TO_NEXT(status)                                                                            \
    "HTTP/1.1 " #status " Go\\r\\nLocation: /next\\r\\nContent-Length: 0\\r\\n\\r\\n"

Test(request_upload, rs_a_redirect_takes_the_body_along)
{
    static const struct {
        bool chunked;
        int64_t length;
        const char *script;
    } modes[] = {
        {false, -1, "head; body 5; send \"" TO_NEXT(307) "\"; head; body 5; send \"" OK_2 "\""},
        {false, 5,  "head; body 5; send \"" TO_NEXT(308) "\"; head; body 5; send \"" OK_2 "\""},
        {true,  -1, "head; chunks; send \"" TO_NEXT(307) "\"; head; chunks; send \"" OK_2 "\""},
    };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        serve(modes[i].script);
        np_request *request = post();
        cr_assert_eq(np_request_set_send_chunked(request, modes[i].chunked, NULL), NP_OK);
        if (modes[i].length >= 0)
            cr_assert_eq(np_request_set_content_length(request, modes[i].length, NULL), NP_OK);
        np_stream *stream = open_stream(request);
        write_text(stream, "hello");
        close_stream(stream);
        must_be_answered(request);
        must_be_heard("POST /next HTTP/1.1\r\n");
        cr_assert_eq(scripted_server_heads(server), 2);
        take_down();
    }
}

Test(request_upload, rs_303_drops_the_body)
{
    serve("head; body 5; send \"" TO_NEXT(303) "\"; head; send \"" OK_2 "\"");
    np_request *request = post();
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
    must_be_heard("\r\n\r\nhelloGET /next HTTP/1.1\r\n");
    take_down();
}

Test(request_upload, rs_1_without_a_copy_the_redirect_is_the_answer)
{
    np_error err = {0};
    np_response *response;
    serve("head; body 5; send \"" TO_NEXT(307) "\"; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_PROTOCOL_ERROR);
    cr_assert_not_null(strstr(err.text, "was not buffered"), "%s", err.text);
    response = np_request_response(request);
    cr_assert_eq(np_response_status(response), 307);
    np_response_release(response);
    np_request_release(request);
    take_down();
}

Test(request_upload, rs_a_redirect_that_comes_early_gets_what_is_written_later)
{
    serve("head; send \"" TO_NEXT(307) "\"; body 5\n---\nhead; chunks; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    wait_for_heads(2);
    write_text(stream, "hello ");
    write_text(stream, "there");
    close_stream(stream);
    must_be_answered(request);
    must_be_heard("6\r\nhello \r\n5\r\nthere\r\n0\r\n\r\n");
    take_down();
}
