/* The request contract against an engine that does what the test says: the response stream,
 * properties. */
#include "request_fixture.h"

/* --- RB: the response stream --- */

Test(request_stream, rb_1_reads_end_with_zero)
{
    char buffer[64];
    struct opened o = open_response();
    fake_body(0, "hello ", 6);
    fake_body(0, "world", 5);
    fake_done(0, NULL);

    size_t total = 0;
    for (size_t got; (got = read_some(o.stream, buffer + total, 4)) > 0;)
        total += got;

    cr_assert_eq(total, 11);
    cr_assert_eq(memcmp(buffer, "hello world", 11), 0);
    cr_assert_eq(read_some(o.stream, buffer, 0), 0);
    close_all(&o);
}

Test(request_stream, rb_2_one_read_at_a_time)
{
    np_error err = {0};
    char buffer[8], second[8];
    size_t got;
    np_async *read, *other;
    struct opened o = open_response();
    cr_assert_eq(np_stream_begin_read(o.stream, buffer, sizeof buffer, NULL, NULL, &read, NULL),
                 NP_OK);

    cr_assert_eq(np_stream_read(o.stream, second, sizeof second, &got, &err), NP_E_NOT_SUPPORTED);
    cr_assert_eq(np_stream_begin_read(o.stream, second, sizeof second, NULL, NULL, &other, &err),
                 NP_E_NOT_SUPPORTED);

    fake_body(0, "abc", 3);
    cr_assert_eq(np_stream_end_read(o.stream, read, &got, &err), NP_OK,
                 "the first one is not disturbed");
    cr_assert_eq(got, 3);
    np_async_release(read);
    close_all(&o);
}

Test(request_stream, rb_3_after_close_a_read_says_connection_closed)
{
    np_error err = {0};
    char buffer[8];
    size_t got;
    np_stream *stream;
    struct opened o = open_response();
    fake_body(0, "abc", 3);

    cr_assert_eq(np_stream_close(o.stream, &err), NP_OK);

    assert_web(np_stream_read(o.stream, buffer, sizeof buffer, &got, &err), &err,
               NP_WEB_CONNECTION_CLOSED);
    cr_assert_eq(np_response_stream(o.response, &stream, &err), NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_stream_close(o.stream, &err), NP_OK, "twice is fine");
    cr_assert_eq(np_request_get_state(o.request), NP_REQUEST_CLOSED);
    close_all(&o);
}

Test(request_stream, rb_3_close_ends_a_pending_read)
{
    np_error err = {0};
    char buffer[8];
    size_t got;
    np_async *read;
    struct opened o = open_response();
    cr_assert_eq(np_stream_begin_read(o.stream, buffer, sizeof buffer, NULL, NULL, &read, NULL),
                 NP_OK);

    np_response_close(o.response);

    assert_web(np_stream_end_read(o.stream, read, &got, &err), &err, NP_WEB_CONNECTION_CLOSED);
    np_async_release(read);
    close_all(&o);
}

Test(request_stream, rb_4_a_read_over_its_time_ends_the_request)
{
    np_error err = {0};
    char buffer[8];
    size_t got;
    struct opened o = open_response();
    o.request->read_write_timeout_ms = 1;

    assert_web(np_stream_read(o.stream, buffer, sizeof buffer, &got, &err), &err, NP_WEB_TIMEOUT);

    cr_assert_eq(fake_wait(0, FAKE_ABORTED).cause, NP_WEB_TIMEOUT);
    close_all(&o);
}

Test(request_stream, rb_5_a_body_cut_short_gives_its_bytes_first)
{
    np_error err = {0};
    char buffer[8];
    size_t got;
    const np_error cut = {.status = NP_E_WEB,
                          .web_status = NP_WEB_CONNECTION_CLOSED,
                          .layer = "curl",
                          .code = 18,
                          .text = "3 of 9 bytes came"};
    struct opened o = open_response();
    fake_body(0, "abc", 3);
    fake_done(0, &cut);

    cr_assert_eq(read_some(o.stream, buffer, sizeof buffer), 3);
    for (int i = 0; i < 2; i++)
        assert_web(np_stream_read(o.stream, buffer, sizeof buffer, &got, &err), &err,
                   NP_WEB_CONNECTION_CLOSED);

    cr_assert_str_eq(err.text, cut.text);
    close_all(&o);
}

Test(request_stream, rb_6_closing_early_drains_64_kib_or_500_ms)
{
    struct opened o = open_response();

    np_response_close(o.response);

    const fake_seen seen = fake_wait(0, FAKE_DRAINING);
    cr_assert_eq(seen.drain_max_bytes, 65536);
    cr_assert_leq(seen.drain_ns, 500 * NP_NS_PER_MS);
    cr_assert_gt(seen.drain_ns, 0);
    cr_assert_eq(seen.aborts, 0);
    fake_done(0, NULL);
    close_all(&o);
}

Test(request_stream, rb_6_the_last_release_closes)
{
    struct opened o = open_response();
    np_stream_release(o.stream);
    (void)fake_wait(0, FAKE_DRAINING);
    fake_done(0, NULL);
    np_response_release(o.response);
    np_request_release(o.request);
    np_context_free(o.context);
}

Test(request_stream, rb_6_a_complete_response_is_closed_without_the_loop)
{
    struct opened o = open_response();
    fake_body(0, "abc", 3);
    fake_done(0, NULL);

    np_response_close(o.response);

    close_all(&o);
    cr_assert_eq(fake_look(0).drains, 0);
}

Test(request_stream, rb_7_a_response_without_body_has_an_empty_stream)
{
    char buffer[8];
    struct opened o = open_response();
    fake_done(0, NULL);

    cr_assert_eq(read_some(o.stream, buffer, sizeof buffer), 0);

    close_all(&o);
}

Test(request_stream,
     rb_8_a_reader_that_does_not_read_stops_the_transfer_and_one_that_does_lets_it_go_on)
{
    enum { PIECE = 16384 };
    static char piece[PIECE], buffer[PIECE];
    struct opened o = open_response();
    for (int i = 0; i < 4; i++) {
        memset(piece, 'a' + i, PIECE);
        cr_assert(fake_body(0, piece, PIECE));
    }
    memset(piece, 'e', PIECE);
    cr_assert_not(fake_body(0, piece, PIECE), "64 KiB are held, no more");
    cr_assert_eq(fake_look(0).resumes, 0);

    size_t total = 0;
    for (int i = 0; i < 5; i++) {
        size_t n = 0;
        while (n < PIECE)
            n += read_some(o.stream, buffer + n, PIECE - n);
        total += n;
        cr_assert_eq(buffer[0], 'a' + i);
        cr_assert_eq(buffer[PIECE - 1], 'a' + i);
    }

    cr_assert_eq(total, 5 * PIECE);
    cr_assert_eq(fake_look(0).resumes, 1, "one message for the whole of it");
    fake_done(0, NULL);
    close_all(&o);
}

Test(request_stream, rb_8_a_resume_that_comes_late_does_no_harm)
{
    static char piece[40000], buffer[65536];
    const np_error reset = {
        .status = NP_E_WEB, .web_status = NP_WEB_RECEIVE_FAILURE, .text = "reset"};
    struct opened o = open_response();
    cr_assert(fake_body(0, piece, sizeof piece));
    cr_assert_not(fake_body(0, piece, sizeof piece));
    fake_done(0, &reset); /* the transfer dies while it is paused */

    size_t total = 0, got = 0;
    while (np_stream_read(o.stream, buffer, sizeof buffer, &got, NULL) == NP_OK)
        total += got;

    cr_assert_eq(total, sizeof piece);
    close_all(&o);
    cr_assert_eq(fake_look(0).resumes, 0);
}

Test(request_stream, rb_9_an_asynchronous_read_gives_what_has_come)
{
    char buffer[8];
    size_t got;
    np_async *read;
    struct opened o = open_response();
    struct calls calls = calls_make(o.request);
    cr_assert_eq(
        np_stream_begin_read(o.stream, buffer, sizeof buffer, count_call, &calls, &read, NULL),
        NP_OK);
    cr_assert_not(np_async_is_completed(read));

    fake_body(0, "abc", 3);
    wait_until(&calls.count, 1);

    cr_assert_eq(np_stream_end_read(o.stream, read, &got, NULL), NP_OK);
    cr_assert_eq(got, 3);
    cr_assert_eq(np_stream_end_read(o.stream, read, &got, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(got, 0);
    np_async_release(read);
    close_all(&o);
}

/* --- properties, and what begin hands to the engine --- */

Test(request_stream, properties_reach_the_engine)
{
    np_context *context = context_make();
    np_request *request;
    cr_assert_eq(np_request_create(context, "HTTPS://User-Host.Test:8443?q=1#frag", &request, NULL),
                 NP_OK);
    cr_assert_eq(np_request_set_method(request, "get", NULL), NP_OK);
    cr_assert_str_eq(np_request_method(request), "GET");
    cr_assert_eq(np_request_set_method(request, "purge", NULL), NP_OK);
    cr_assert_eq(np_request_set_reuse(request, NP_REUSE_COLD, NULL), NP_OK);
    cr_assert_eq(np_request_set_protocol_version(request, 20, NULL), NP_OK);
    cr_assert_eq(np_request_set_connection_group_name(request, "first", NULL), NP_OK);
    cr_assert_eq(np_request_set_connection_group_name(request, "uploads", NULL), NP_OK);
    cr_assert_eq(np_request_set_async_timeout(request, 250, NULL), NP_OK);
    cr_assert_eq(np_request_set_host(request, "other.test:81", NULL), NP_OK);
    cr_assert_eq(np_request_set_accept(request, " text/html ", NULL), NP_OK);
    cr_assert_eq(np_request_set_user_agent(request, "ua/1", NULL), NP_OK);
    cr_assert_eq(np_request_set_referer(request, "http://r/", NULL), NP_OK);
    cr_assert_eq(np_request_set_referer(request, "", NULL), NP_OK);
    cr_assert_eq(np_request_header_set(request, "X-A", "1", NULL), NP_OK);
    cr_assert_eq(np_request_header_set(request, "x-a", "2", NULL), NP_OK);
    cr_assert_eq(np_request_header_set(request, "X-B", "3", NULL), NP_OK);
    cr_assert_eq(np_request_header_set(request, "X-b", NULL, NULL), NP_OK);

    np_async *async = begin(request, NULL, NULL);
    const fake_seen seen = fake_wait(0, FAKE_STARTED);

    cr_assert_str_eq(seen.method, "purge");
    cr_assert_str_eq(seen.url, "https://user-host.test:8443/?q=1");
    cr_assert_str_eq(seen.host, "user-host.test");
    cr_assert_str_eq(seen.host_header, "other.test:81");
    cr_assert_str_eq(seen.headers, "Accept: text/html\nUser-Agent: ua/1\nx-a: 2\n");
    cr_assert_eq(seen.port, 8443);
    cr_assert_eq(seen.reuse, NP_REUSE_COLD);
    cr_assert_eq(seen.version, 20);
    cr_assert_str_eq(seen.group, "uploads");
    cr_assert_eq(seen.deadline_after_begin_ns, 250 * NP_NS_PER_MS);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_stream, properties_refuse_what_is_wrong)
{
    np_context *context = context_make();
    np_request *request = request_make(context);

    cr_assert_eq(np_request_set_method(request, NULL, NULL), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_set_method(request, "", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_method(request, "G T", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_reuse(request, (np_reuse)9, NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_protocol_version(request, 12, NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_timeout(request, -2, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_set_async_timeout(request, -2, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_set_host(request, NULL, NULL), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_set_host(request, "a/b", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_host(request, "a:65536", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_host(request, "", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_header_set(request, NULL, "1", NULL), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_header_set(request, "host", "1", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_header_set(request, "a b", "1", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_header_set(request, "X-A", "1\r\nX-B: 2", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_accept(request, "a\nb", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_accept(NULL, "a", NULL), NP_E_ARGUMENT_NULL);

    np_request_release(request);
    np_context_free(context);
}

Test(request_stream, begin_tells_the_engine_how_long_it_held_its_caller)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);

    const int64_t blocked_ns = atomic_load(fake_wait(0, FAKE_STARTED).caller_blocked_ns);

    cr_assert_geq(blocked_ns, 0, "begin has returned");
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_stream, a_start_without_memory_fails_the_operation)
{
    np_error err = {0};
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    fake_refuse_start();

    np_async *async = begin(request, NULL, NULL);

    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_E_NO_MEMORY);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request_stream, a_context_that_cannot_be_made_leaves_nothing)
{
    np_error err = {0};
    np_context *context = (np_context *)1;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    fake_refuse_create();
    cr_assert_eq(np_context_create(&options, &context, &err), NP_E_ARGUMENT);
    cr_assert_null(context);

    options.pool_threads = 65;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_E_ARGUMENT_RANGE);
    options.pool_threads = 0;
    options.ca_file = "/nonexistent/ca.pem";
    cr_assert_eq(np_context_create(&options, &context, &err), NP_E_INPUT);
    cr_assert(strstr(err.text, "/nonexistent/ca.pem"), "%s", err.text);
    options.ca_file = NULL;
    options.tls_minimum = NP_TLS_1_3;
    options.tls_maximum = NP_TLS_1_2;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_E_ARGUMENT);
    cr_assert_eq(np_context_create(&options, NULL, &err), NP_E_ARGUMENT_NULL);
}

Test(request_stream, looking_at_nothing_is_harmless)
{
    cr_assert_not(np_request_have_response(NULL));
    cr_assert_null(np_request_response(NULL));
    cr_assert_null(np_request_method(NULL));
    cr_assert_null(np_async_error(NULL));
    cr_assert_null(np_async_response(NULL));
    cr_assert_null(np_response_header(NULL, "a"));
    np_response_close(NULL);
    np_response_release(NULL);
    np_stream_release(NULL);
    cr_assert_eq(np_stream_close(NULL, NULL), NP_E_ARGUMENT_NULL);
}
