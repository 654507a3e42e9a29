/* What the properties of a request do on the wire and to its answers, against a server that does
 * what its script says. Each name begins with the property, or the rule of docs/contract.md. */
#include "upload_rig.h"

#include <pthread.h>
#include <stdatomic.h>

/* Header, all of the body (up to size - 1 bytes), and the end. */
static size_t read_all(np_response *response, char *out, size_t size)
{
    np_stream *stream;
    size_t length = 0;
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
    for (size_t n = 1; n > 0 && length < size; length += n) {
        np_error err = {0};
        cr_assert_eq(np_stream_read(stream, out + length, size - length, &n, &err), NP_OK, "%s",
                     err.text);
    }
    np_stream_release(stream);
    return length;
}

static np_request *get(void)
{
    return request_to(scripted_server_port(server), "GET", "/x");
}

/* --- what is sent --- */

Test(request_wire, transfer_encoding_is_sent_before_chunked)
{
    serve("head; chunks; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_transfer_encoding(request, "gzip", NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
    must_be_heard("Transfer-Encoding: gzip, chunked\r\n");
    must_be_heard("5\r\nhello\r\n0\r\n\r\n");
    cr_assert_not(was_heard("Content-Length"));
    take_down();
}

Test(request_wire, connection_and_expect_stand_beside_what_the_library_says)
{
    serve("head; send \"" CONTINUE "\"; body 5; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_connection(request, "X-Hop", NULL), NP_OK);
    cr_assert_eq(np_request_set_keep_alive(request, false, NULL), NP_OK);
    cr_assert_eq(np_request_set_expect(request, "x-thing", NULL), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
    must_be_heard("Connection: X-Hop, close\r\n");
    must_be_heard("Expect: x-thing, 100-continue\r\n");
    take_down();
}

Test(request_wire, gr_12_a_length_of_0_is_said_by_any_verb_that_can_have_a_body)
{
    serve("head; send \"" OK_2 "\"; head; send \"" OK_2 "\"; head; send \"" OK_2 "\"; hang");
    np_request *request = request_to(scripted_server_port(server), "PATCH", "/a");
    cr_assert_eq(np_request_set_content_length(request, 0, NULL), NP_OK);
    must_be_answered(request);
    must_be_heard("Content-Length: 0\r\n");
    must_be_answered(request_to(scripted_server_port(server), "PATCH", "/b"));
    request = get();
    cr_assert_eq(np_request_set_content_length(request, 0, NULL), NP_OK);
    must_be_answered(request);
    char *heard = scripted_server_heard(server, NULL);
    cr_assert_null(strstr(strstr(heard, "PATCH /b"), "Content-Length"), "%s", heard);
    free(heard);
    take_down();
}

Test(request_wire, times_and_ranges_are_sent)
{
    serve("head; send \"" OK_2 "\"");
    np_request *request = get();
    cr_assert_eq(np_request_set_if_modified_since(request, 784111777, NULL), NP_OK);
    cr_assert_eq(np_request_add_range(request, "bytes", 0, 9, NULL), NP_OK);
    cr_assert_eq(np_request_add_range_from(request, "bytes", -5, NULL), NP_OK);
    must_be_answered(request);
    must_be_heard("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    must_be_heard("Range: bytes=0-9,-5\r\n");
    take_down();
}

/* --- 100 Continue --- */

static atomic_int continues, last_status;

static void count_continue(np_request *request, int status, void *user)
{
    last_status = request == *(np_request **)user ? status : -1;
    continues++;
}

static void wait_for_continues(int count)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (continues < count) {
        cr_assert_lt(np_now(), until, "%d of %d", continues, count);
        sched_yield();
    }
}

Test(request_wire, gate_every_100_calls_the_continue_callback)
{
    serve("head; send \"" CONTINUE "\"; send \"" CONTINUE "\"; body 5; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_continue_callback(request, count_continue, &request, NULL), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    wait_for_continues(2);
    cr_assert_eq(last_status, 100);
    write_text(stream, "hello");
    close_stream(stream);
    must_be_answered(request);
    cr_assert_eq(continues, 2);
    take_down();
}

/* --- the header of the answer --- */

static void must_fail(np_request *request, np_web_status web_status)
{
    np_response *response;
    np_error err = {0};
    must_be_web(get_response(request, &response, &err), &err, web_status);
    cr_assert_null(response);
    np_request_release(request);
}

#define LONG_HEADER                                                                                \
    "head; send \"HTTP/1.1 200 OK\\r\\nX: \"; repeat 3000 \"x\"; send "                            \
    "\"\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang\n---\n"

Test(request_wire, maximum_response_headers_length_bounds_the_header)
{
    serve(LONG_HEADER LONG_HEADER LONG_HEADER LONG_HEADER "hang");
    static const int64_t good[] = {64, 4, -1};
    for (size_t i = 0; i < 3; i++) {
        np_request *request = get();
        cr_assert_eq(np_request_set_maximum_response_headers_length(request, good[i], NULL), NP_OK);
        cr_assert_eq(np_request_set_reuse(request, NP_REUSE_FRESH, NULL), NP_OK);
        must_be_answered(request);
    }
    np_request *request = get();
    cr_assert_eq(np_request_set_maximum_response_headers_length(request, 2, NULL), NP_OK);
    must_fail(request, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED);
    take_down();
}

Test(request_wire, maximum_response_headers_length_of_0_takes_no_response)
{
    serve("head; send \"" OK_2 "\"");
    np_request *request = get();
    cr_assert_eq(np_request_set_maximum_response_headers_length(request, 0, NULL), NP_OK);
    must_fail(request, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED);
    take_down();
}

/* --- the body of the answer --- */

#define NOT_FOUND "HTTP/1.1 404 No\\r\\nContent-Length: 200000\\r\\n\\r\\n"

Test(request_wire, gr_14_the_body_of_an_error_response_ends_at_its_limit)
{
    static const struct {
        int64_t kib;
        size_t bytes;
    } limits[] = {
        {64,   65536 },
        {1,    1024  },
        {0,    0     },
        {-1,   200000},
        {4096, 200000},
    };
    static char body[300000];
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        serve("head; send \"" NOT_FOUND "\"; repeat 40000 \"12345\"; hang");
        np_request *request = get();
        np_response *response;
        np_error err = {0};
        cr_assert_eq(np_request_set_maximum_error_response_length(request, limits[i].kib, NULL),
                     NP_OK);
        must_be_web(get_response(request, &response, &err), &err, NP_WEB_PROTOCOL_ERROR);
        response = np_request_response(request);
        cr_assert_eq(read_all(response, body, sizeof body), limits[i].bytes, "%lld KiB",
                     (long long)limits[i].kib);
        cr_assert_eq(np_response_content_length(response), 200000);
        np_response_release(response);
        np_request_release(request);
        take_down();
    }
}

Test(request_wire, gr_14_the_limit_is_none_of_a_success)
{
    static char body[300000];
    serve("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 200000\\r\\n\\r\\n\"; repeat 40000 "
          "\"12345\"; hang");
    np_request *request = get();
    np_response *response;
    np_error err = {0};
    cr_assert_eq(np_request_set_maximum_error_response_length(request, 1, NULL), NP_OK);
    cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s", err.text);
    cr_assert_eq(read_all(response, body, sizeof body), 200000);
    np_response_release(response);
    np_request_release(request);
    take_down();
}

Test(request_wire, allow_read_stream_buffering_completes_when_all_of_the_body_is_there)
{
    static char body[300000];
    serve("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 200000\\r\\n\\r\\n\"; repeat 39999 "
          "\"12345\"; wait; send \"12345\"; hang");
    np_request *request = get();
    np_response *response;
    np_async *async;
    np_error err = {0};
    cr_assert_eq(np_request_set_allow_read_stream_buffering(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &err), NP_OK);
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (!np_request_have_response(request)) { /* GR-15: the header is there */
        cr_assert_lt(np_now(), until);
        sched_yield();
    }
    cr_assert_eq(np_async_wait(async, 30), 1, "the last bytes are not");
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_RESPONSE_PENDING);
    scripted_server_go(server);
    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_OK, "%s",
                 err.text);
    np_async_release(async);
    scripted_server_stop(server); /* what is read comes from memory */
    cr_assert_eq(read_all(response, body, sizeof body), 200000);
    np_response_release(response);
    np_request_release(request);
    np_context_free(context);
}

Test(request_wire, allow_read_stream_buffering_fails_where_the_body_breaks_off)
{
    serve("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\n12345\"");
    np_request *request = get();
    cr_assert_eq(np_request_set_allow_read_stream_buffering(request, true, NULL), NP_OK);
    np_response *response;
    np_error err = {0}, again = {0};
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_CONNECTION_CLOSED);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_FAILED);
    must_be_web(get_response(request, &response, &again), &again, NP_WEB_CONNECTION_CLOSED);
    cr_assert_str_eq(again.text, err.text, "ER-3");
    np_request_release(request);
    take_down();
}

Test(request_wire, allow_read_stream_buffering_gives_an_error_response_with_its_whole_body)
{
    char body[64];
    serve("head; send \"HTTP/1.1 500 No\\r\\nContent-Length: 10\\r\\n\\r\\n12345\"; sleep 20; send "
          "\"67890\"; hang");
    np_request *request = get();
    cr_assert_eq(np_request_set_allow_read_stream_buffering(request, true, NULL), NP_OK);
    np_response *response;
    np_error err = {0};
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_PROTOCOL_ERROR);
    response = np_request_response(request);
    cr_assert_eq(read_all(response, body, sizeof body), 10);
    np_response_release(response);
    np_request_release(request);
    take_down();
}
