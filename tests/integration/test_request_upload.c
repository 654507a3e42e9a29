/* Request streams against real servers on loopback: nginx, and one that does what its script says.
 * Each name begins with the rule of docs/contract.md it holds. */
#include "clock.h"
#include "nginx.h"
#include "scripted_server.h"

#include <criterion/criterion.h>
#include <netphase/request.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OK_2     "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
#define CONTINUE "HTTP/1.1 100 Continue\\r\\n\\r\\n"

static struct scripted_server *server;
static struct nginx nginx;
static np_context *context;

static void open_context(void)
{
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
}

static void serve(const char *script)
{
    char why[256];
    server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    open_context();
}

static void take_down(void)
{
    np_context_free(context);
    scripted_server_stop(server);
}

static np_request *request_to(uint16_t port, const char *method, const char *path)
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

static np_request *post(void)
{
    return request_to(scripted_server_port(server), "POST", "/up");
}

static np_async *begin_stream(np_request *request)
{
    np_async *async;
    np_error err = {0};
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), NP_OK,
                 "%s", err.text);
    return async;
}

static np_stream *open_stream(np_request *request)
{
    np_stream *stream;
    np_error err = {0};
    np_async *async = begin_stream(request);
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK, "%s (%s)",
                 err.text, err.cause);
    np_async_release(async);
    return stream;
}

static void write_text(np_stream *stream, const char *text)
{
    np_error err = {0};
    cr_assert_eq(np_stream_write(stream, text, strlen(text), &err), NP_OK, "%s", err.text);
}

static void close_stream(np_stream *stream)
{
    np_error err = {0};
    cr_assert_eq(np_stream_close(stream, &err), NP_OK, "%s", err.text);
    np_stream_release(stream);
}

static np_status get_response(np_request *request, np_response **response, np_error *err)
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
static void must_be_answered(np_request *request)
{
    np_response *response;
    np_error err = {0};
    cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s (%s)", err.text, err.cause);
    cr_assert_eq(np_response_status(response), 200);
    np_response_release(response);
    np_request_release(request);
}

static void must_be_web(np_status status, const np_error *err, np_web_status web_status)
{
    cr_assert_eq(status, NP_E_WEB, "%s: %s", np_status_name(status), err->text);
    cr_assert_eq(err->web_status, web_status, "%s: %s", np_web_status_name(err->web_status),
                 err->text);
}

static void wait_for_heads(unsigned heads)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (scripted_server_heads(server) < heads) {
        cr_assert_lt(np_now(), until, "no request came");
        sched_yield();
    }
}

static bool was_heard(const char *text)
{
    char *heard = scripted_server_heard(server, NULL);
    const bool found = strstr(heard, text) != NULL;
    free(heard);
    return found;
}

static void must_be_heard(const char *text)
{
    char *heard = scripted_server_heard(server, NULL);
    cr_assert_not_null(strstr(heard, text), "no '%s' in: %s", text, heard);
    free(heard);
}

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

/* The stream is handed out, takes what is written, and the response comes with its status. */
static void must_be_refused(np_request *request, size_t to_write, int status)
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

/* --- back-pressure --- */

#define MANY (16u * 1024 * 1024)

static size_t resident_bytes(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    unsigned long pages = 0, resident = 0;
    if (in && fscanf(in, "%lu %lu", &pages, &resident) != 2)
        resident = 0;
    if (in)
        fclose(in);
    return resident * 4096;
}

Test(request_upload, bh_3_a_large_body_needs_constant_memory)
{
    static char bytes[40000];
    char script[128];
    snprintf(script, sizeof script, "head; sip %u; send \"" OK_2 "\"", MANY);
    serve(script);
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, MANY, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    np_stream *stream = open_stream(request);

    size_t before = 0, most = 0;
    for (size_t written = 0; written < MANY;) {
        const size_t n = MANY - written < sizeof bytes ? MANY - written : sizeof bytes;
        memset(bytes, (int)(written >> 16), n);
        cr_assert_eq(np_stream_write(stream, bytes, n, NULL), NP_OK);
        written += n;
        const size_t now = resident_bytes();
        if (before == 0 && written > 2 * 1024 * 1024)
            before = now;
        most = now > most ? now : most;
    }
    close_stream(stream);
    must_be_answered(request);
    cr_assert_lt(most, before + 4 * 1024 * 1024, "grew from %zu to %zu bytes", before, most);
    take_down();
}

Test(request_upload, bh_3_an_asynchronous_write_waits_until_all_was_taken)
{
    char *bytes = malloc(MANY);
    char script[128];
    np_async *write;
    np_error err = {0};
    snprintf(script, sizeof script, "head; wait; body %u; send \"" OK_2 "\"", MANY);
    serve(script);
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, MANY, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    memset(bytes, 'b', MANY);

    cr_assert_eq(np_stream_begin_write(stream, bytes, MANY, NULL, NULL, &write, &err), NP_OK);
    cr_assert_eq(np_async_wait(write, 30), 1, "nobody reads");
    cr_assert_eq(np_stream_write(stream, "x", 1, &err), NP_E_NOT_SUPPORTED, "WS-5");
    scripted_server_go(server);
    cr_assert_eq(np_stream_end_write(stream, write, &err), NP_OK, "%s", err.text);
    np_async_release(write);
    close_stream(stream);
    must_be_answered(request);
    free(bytes);
    take_down();
}

/* --- RS-5: a kept connection that turns out dead --- */

static void use_once(void)
{
    must_be_answered(request_to(scripted_server_port(server), "GET", "/first"));
}

Test(request_upload, rs_5_a_kept_body_is_sent_again_on_a_new_connection)
{
    serve("head; send \"" OK_2 "\"; head\n---\nhead; chunks; send \"" OK_2 "\"");
    use_once();
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello ");
    write_text(stream, "again");
    close_stream(stream);
    must_be_answered(request);
    cr_assert_eq(scripted_server_connections(server), 2);
    must_be_heard("\r\n\r\n6\r\nhello \r\n5\r\nagain\r\n0\r\n\r\n");
    take_down();
}

Test(request_upload, rs_5_without_a_copy_it_is_a_keep_alive_failure)
{
    np_error err = {0};
    np_response *response;
    serve("head; send \"" OK_2 "\"; head; body 5; reset\n---\nhead; chunks; send \"" OK_2 "\"");
    use_once();
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    (void)np_stream_close(stream, NULL); /* it may have failed by now */
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_KEEP_ALIVE_FAILURE);
    cr_assert_eq(scripted_server_connections(server), 1);
    np_stream_release(stream);
    np_request_release(request);
    take_down();
}

Test(request_upload, rs_5_a_connection_that_dies_while_the_body_is_gathered_is_not_noticed)
{
    serve("head; send \"" OK_2 "\"; wait\n---\nhead; body 5; send \"" OK_2 "\"");
    use_once();
    np_request *request = post();
    np_stream *stream = open_stream(request);
    cr_assert_eq(scripted_server_connections(server), 1, "the kept one is held");
    scripted_server_go(server);
    write_text(stream, "hello");
    (void)sched_yield();
    close_stream(stream);
    must_be_answered(request);
    cr_assert_eq(scripted_server_connections(server), 2);
    take_down();
}

/* --- abort --- */

Test(request_upload, ab_2_abort_ends_a_write_that_waits)
{
    np_error err = {0};
    np_async *write;
    char *bytes = calloc(1, MANY);
    serve("head; deaf");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, MANY, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_begin_write(stream, bytes, MANY, NULL, NULL, &write, &err), NP_OK);

    np_request_abort(request);

    must_be_web(np_stream_end_write(stream, write, &err), &err, NP_WEB_REQUEST_CANCELED);
    must_be_web(np_stream_write(stream, "x", 1, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK);
    np_async_release(write);
    np_stream_release(stream);
    np_request_release(request);
    free(bytes);
    take_down();
}

Test(request_upload, ab_5_abort_of_a_held_body_gives_its_connection_back)
{
    serve("head; body 2; send \"" OK_2 "\"");
    np_request *request = post();
    np_stream *stream = open_stream(request);
    np_request_abort(request);
    np_stream_release(stream);
    np_request_release(request);
    np_context_free(context); /* nothing hangs on it */
    open_context();
    take_down();
}

/* --- nginx --- */

static bool set_up_nginx(void)
{
    static const char locations[] =
        "client_max_body_size 64m; location /dav/ { dav_methods PUT; create_full_put_path on; "
        "client_body_temp_path tmp; } location /gone { return 410; } location /small_only { "
        "client_max_body_size 1k; dav_methods "
        "PUT; }";
    if (!nginx_start(&nginx, &(struct nginx_options){.locations = locations})) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    char resolve[2][64];
    snprintf(resolve[0], sizeof resolve[0], "origin.test:%u:127.0.0.1", nginx.https_port);
    snprintf(resolve[1], sizeof resolve[1], "origin.test:%u:127.0.0.1", nginx.h2_port);
    const char *const resolves[] = {resolve[0], resolve[1]};
    options.ca_file = nginx.ca_file;
    options.resolve = resolves;
    options.resolve_count = 2;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    return true;
}

static void take_down_nginx(void)
{
    np_context_free(context);
    nginx_stop(&nginx);
}

static void must_be_stored(const char *name, const char *bytes, size_t length)
{
    char path[320];
    snprintf(path, sizeof path, "%s/www/dav/%s", nginx.folder, name);
    FILE *in = fopen(path, "r");
    cr_assert_not_null(in, "%s", path);
    char *stored = malloc(length + 1);
    cr_assert_eq(fread(stored, 1, length + 1, in), length);
    cr_assert_eq(memcmp(stored, bytes, length), 0);
    free(stored);
    fclose(in);
}

enum { PUT_GATHERED, PUT_LENGTH, PUT_CHUNKED };

static void put_to_nginx(const char *scheme, const char *host, uint16_t port, int mode, bool expect)
{
    enum { LENGTH = 3 * 1024 * 1024 + 17 };
    char url[128];
    np_request *request;
    np_error err = {0};
    char *bytes = malloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    snprintf(url, sizeof url, "%s://%s:%u/dav/%s-%d-%d", scheme, host, port, scheme, mode, expect);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_set_method(request, "PUT", NULL), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, expect, NULL), NP_OK);
    if (mode == PUT_LENGTH)
        cr_assert_eq(np_request_set_content_length(request, LENGTH, NULL), NP_OK);
    cr_assert_eq(np_request_set_send_chunked(request, mode == PUT_CHUNKED, NULL), NP_OK);

    np_stream *stream = open_stream(request);
    size_t n = 1;
    for (size_t at = 0; at < LENGTH; at += n, n = n * 3 % 100003 + 1) {
        n = n < LENGTH - at ? n : LENGTH - at;
        cr_assert_eq(np_stream_write(stream, bytes + at, n, &err), NP_OK, "%s", err.text);
    }
    close_stream(stream);
    np_response *response;
    cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s (%s)", err.text, err.cause);
    cr_assert_eq(np_response_status(response), 201);
    np_response_release(response);
    np_request_release(request);
    must_be_stored(strstr(url, "/dav/") + 5, bytes, LENGTH);
    free(bytes);
}

Test(request_upload, bh_1_nginx_stores_what_was_written_in_every_mode)
{
    if (!set_up_nginx())
        return;
    for (int mode = PUT_GATHERED; mode <= PUT_CHUNKED; mode++)
        for (int expect = 0; expect < 2; expect++)
            put_to_nginx("http", "127.0.0.1", nginx.http_port, mode, expect);
    take_down_nginx();
}

Test(request_upload, bh_1_nginx_stores_it_over_tls_too)
{
    if (!set_up_nginx())
        return;
    for (int mode = PUT_GATHERED; mode <= PUT_CHUNKED; mode++)
        for (int expect = 0; expect < 2; expect++)
            put_to_nginx("https", "origin.test", nginx.https_port, mode, expect);
    take_down_nginx();
}

Test(request_upload, ws_8_nginx_refuses_a_body_that_is_too_long)
{
    if (!set_up_nginx())
        return;
    for (int expect = 0; expect < 2; expect++) {
        np_request *request = request_to(nginx.http_port, "PUT", "/small_only");
        cr_assert_eq(np_request_set_expect_continue(request, expect, NULL), NP_OK);
        cr_assert_eq(np_request_set_content_length(request, 409600, NULL), NP_OK);
        must_be_refused(request, 409600, 413);
    }
    take_down_nginx();
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

/* --- HTTP/2 --- */

static np_request *h2_request(const char *method, const char *path)
{
    char url[128];
    np_request *request;
    snprintf(url, sizeof url, "https://origin.test:%u%s", nginx.h2_port, path);
    cr_assert_eq(np_request_create(context, url, &request, NULL), NP_OK);
    cr_assert_eq(np_request_set_method(request, method, NULL), NP_OK);
    cr_assert_eq(np_request_set_protocol_version(request, 20, NULL), NP_OK);
    return request;
}

Test(request_upload, bh_1_nginx_stores_it_over_http_2)
{
    enum { LENGTH = 700001 };
    static char bytes[LENGTH];
    np_error err = {0};
    np_response *response;
    if (!set_up_nginx())
        return;
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    for (int mode = PUT_GATHERED; mode <= PUT_CHUNKED; mode++) {
        char path[32];
        snprintf(path, sizeof path, "/dav/h2-%d", mode);
        np_request *request = h2_request("PUT", path);
        if (mode == PUT_LENGTH)
            cr_assert_eq(np_request_set_content_length(request, LENGTH, NULL), NP_OK);
        cr_assert_eq(np_request_set_send_chunked(request, mode == PUT_CHUNKED, NULL), NP_OK);
        np_stream *stream = open_stream(request);
        for (size_t at = 0; at < LENGTH; at += 100000)
            cr_assert_eq(np_stream_write(stream, bytes + at,
                                         LENGTH - at < 100000 ? LENGTH - at : 100000, &err),
                         NP_OK, "%s", err.text);
        close_stream(stream);
        cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s (%s)", err.text, err.cause);
        cr_assert_eq(np_response_status(response), 201);
        cr_assert_eq(np_response_protocol(response), 20);
        np_response_release(response);
        np_request_release(request);
        must_be_stored(path + 5, bytes, LENGTH);
    }
    take_down_nginx();
}

Test(request_upload, ws_8_over_http_2_a_response_that_does_not_wait_ends_the_request)
{
    static const char *const paths[] = {"/small_only", "/gone"};
    static const int statuses[] = {413, 410};
    if (!set_up_nginx())
        return;
    for (int i = 0; i < 2; i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            np_request *request = h2_request("PUT", paths[i]);
            cr_assert_eq(np_request_set_send_chunked(request, chunked, NULL), NP_OK);
            if (!chunked)
                cr_assert_eq(np_request_set_content_length(request, 4096000, NULL), NP_OK);
            must_be_refused(request, 4096000, statuses[i]);
        }
    }
    take_down_nginx();
}

/* --- the example --- */

Test(request_upload, the_example_uploads_its_input_or_says_what_went_wrong)
{
    char command[512], out[512];
    static const char input[] = "hello from a pipe\n";
    if (!set_up_nginx())
        return;
    for (int good = 1; good >= 0; good--) {
        snprintf(command, sizeof command,
                 "printf 'hello from a pipe\\n' | '%s' %s:%u/dav/piped 2>&1", NP_EXAMPLE_UPLOAD,
                 good ? "http://127.0.0.1" : "gopher://127.0.0.1", nginx.http_port);
        FILE *pipe = popen(command, "r");
        cr_assert_not_null(pipe);
        out[fread(out, 1, sizeof out - 1, pipe)] = 0;
        const int status = pclose(pipe);
        cr_assert_eq(status == 0, good == 1, "%s", out);
        cr_assert_not_null(strstr(out, good ? "201\n" : "gopher"), "%s", out);
    }
    must_be_stored("piped", input, sizeof input - 1);
    take_down_nginx();
}
