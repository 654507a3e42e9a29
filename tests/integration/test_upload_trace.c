/* What the trace says of a body on its way out: the phase send and its parts, and the bytes. */
#include "clock.h"
#include "scripted_server.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <sched.h>

#define OK_2 "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"

static struct scripted_server *server;
static np_testdir folder;
static np_trace *trace;
static np_context *context;
static char path[512];

static void set_up(const char *script)
{
    char why[256];
    np_error err = {0};
    server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    testdir_make(&folder);
    snprintf(path, sizeof path, "%s", testdir_path(&folder, "a.db"));
    np_trace_options options = NP_TRACE_OPTIONS_INIT;
    options.detail_plus_1 = NP_DETAIL_HEADERS + 1;
    cr_assert_eq(np_trace_open(path, &options, &trace, &err), NP_OK, "%s", err.text);
    np_context_options net = NP_CONTEXT_OPTIONS_INIT;
    net.trace = trace;
    cr_assert_eq(np_context_create(&net, &context, &err), NP_OK, "%s", err.text);
}

/* Everything is in the file. */
static void record(void)
{
    np_error err = {0};
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    scripted_server_stop(server);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests WHERE queue_ns + "
                                 "coalesce(proxy_ns, 0) + coalesce(dns_ns, 0) + "
                                 "coalesce(connect_ns, 0) + coalesce(tunnel_ns, 0) + "
                                 "coalesce(tls_ns, 0) + coalesce(send_ns, 0) + "
                                 "coalesce(wait_ns, 0) + coalesce(receive_ns, 0) + gap_ns "
                                 "<> total_ns"),
                 0, "the phases are the total");
}

static void clean(void)
{
    testdir_remove(&folder);
}

static int64_t number(const char *column)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT %s FROM requests ORDER BY id DESC LIMIT 1", column);
    return query_int(path, sql);
}

static int64_t spans(const char *where)
{
    char sql[512];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM spans WHERE %s", where);
    return query_int(path, sql);
}

/* Readings of TCP in a phase (those of schema v1). */
static int64_t readings(np_phase phase)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM tcp_sample WHERE boundary = %d", (int)phase);
    return query_int(path, sql);
}

static np_request *post(void)
{
    char url[128];
    np_request *request;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/up", scripted_server_port(server));
    cr_assert_eq(np_request_create(context, url, &request, NULL), NP_OK);
    cr_assert_eq(np_request_set_method(request, "POST", NULL), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    return request;
}

static np_stream *open_stream(np_request *request)
{
    np_error err = {0};
    np_async *async;
    np_stream *stream;
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), NP_OK);
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK, "%s",
                 err.text);
    np_async_release(async);
    return stream;
}

/* Closes the stream, takes the response, and releases everything. */
static np_status finish(np_request *request, np_stream *stream)
{
    np_error err = {0};
    np_async *async;
    np_response *response = NULL;
    (void)np_stream_close(stream, NULL);
    np_status status = np_request_begin_get_response(request, NULL, NULL, &async, &err);
    if (!status) {
        status = np_request_end_get_response(request, async, &response, &err);
        np_async_release(async);
    }
    np_response_release(response);
    np_stream_release(stream);
    np_request_release(request);
    return status;
}

static void pass_ms(int64_t ms)
{
    const uint64_t until = np_now() + (uint64_t)(ms * NP_NS_PER_MS);
    while (np_now() < until)
        sched_yield();
}

Test(upload_trace, a_gathered_body_is_in_send_from_the_stream_on)
{
    set_up("head; body 5; send \"" OK_2 "\"");
    np_request *request = post();
    np_stream *stream = open_stream(request);
    pass_ms(30);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    cr_assert_eq(finish(request, stream), NP_OK);
    record();

    cr_expect_eq(number("sent_bytes"), 5);
    cr_expect_geq(number("send_application_ns"), 30 * NP_NS_PER_MS);
    cr_expect_geq(number("send_ns"), number("send_application_ns"));
    cr_expect_eq(number("flags & 3"), 0);
    cr_expect_eq(spans("kind = 'application' AND phase = 'send'"), 1);
    cr_expect_eq(spans("kind = 'piece'"), 0, "over plain TCP it is one piece");
    cr_expect_eq(query_int(path, "SELECT sent_bytes FROM connections"), 5);
    cr_expect_eq(readings(NP_PHASE_CONNECT), 1, "the connection is new");
    cr_expect_eq(readings(NP_PHASE_SEND), 1, "the body is out");
    cr_expect_eq(query_int(path, "SELECT count(*) FROM header h JOIN text n ON n.id = h.name_id "
                                 "WHERE n.value = 'Content-Length' AND "
                                 "h.value = '5'"),
                 1);
    clean();
}

Test(upload_trace, what_the_program_holds_up_is_a_part_of_send)
{
    set_up("head; chunks; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    for (int i = 0; i < 3; i++) {
        pass_ms(10);
        cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    }
    cr_assert_eq(finish(request, stream), NP_OK);
    record();

    cr_expect_eq(number("sent_bytes"), 15, "without the frame of chunks");
    cr_expect_eq(readings(NP_PHASE_SEND), 1);
    cr_expect_geq(number("send_application_ns"), 20 * NP_NS_PER_MS);
    cr_expect_geq(number("send_ns"), number("send_application_ns"));
    cr_expect_geq(spans("kind = 'application' AND phase = 'send'"), 2);
    clean();
}

Test(upload_trace, many_pauses_share_one_span)
{
    set_up("head; chunks; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    for (int i = 0; i < 200; i++) {
        pass_ms(1);
        cr_assert_eq(np_stream_write(stream, "x", 1, NULL), NP_OK);
    }
    cr_assert_eq(finish(request, stream), NP_OK);
    record();

    cr_expect_leq(spans("kind = 'application'"), 33);
    cr_expect_geq(number("send_application_ns"), 100 * NP_NS_PER_MS);
    cr_expect_geq(number("send_ns"), number("send_application_ns"));
    clean();
}

Test(upload_trace, the_wait_for_100_is_a_span_of_send)
{
    set_up(
        "head; sleep 150; send \"HTTP/1.1 100 Continue\\r\\n\\r\\n\"; body 5; sleep 150; send \"" OK_2
        "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    cr_assert_eq(finish(request, stream), NP_OK);
    record();

    /* What the server sleeps begins when it has read, and the span when the program has seen that it
     * has written: that may be later, on a busy machine. */
    cr_expect_eq(spans("kind = 'continue_wait' AND phase = 'send' AND outcome = 'ok'"), 1);
    cr_expect_geq(query_int(path, "SELECT duration_ns FROM spans WHERE kind = 'continue_wait'"),
                  50 * NP_NS_PER_MS);
    cr_expect_geq(number("wait_ns"), 50 * NP_NS_PER_MS, "the server's own time is in wait");
    cr_expect_eq(readings(NP_PHASE_SEND), 1);
    cr_expect_eq(readings(NP_PHASE_WAIT), 1, "it was slow");
    cr_expect_eq(query_int(path, "SELECT count(*) FROM header h JOIN text n ON n.id = h.name_id "
                                 "WHERE n.value = 'Expect'"),
                 1);
    clean();
}

Test(upload_trace, a_silent_server_times_the_wait_out)
{
    set_up("head; body 5; send \"" OK_2 "\"");
    np_request *request = post();
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, 20, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    cr_assert_eq(finish(request, stream), NP_OK);
    record();

    cr_expect_eq(spans("kind = 'continue_wait' AND outcome = 'timeout'"), 1);
    clean();
}

Test(upload_trace, an_early_response_is_said)
{
    set_up("head; body 10; send \"HTTP/1.1 404 No\\r\\nContent-Length: 0\\r\\n\\r\\n\"; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (!np_request_have_response(request))
        cr_assert_lt(np_now(), until);
    cr_assert_eq(finish(request, stream), NP_E_WEB);
    record();

    cr_expect_eq(number("flags & 1"), 1);
    cr_expect_eq(readings(NP_PHASE_SEND), 1,
                 "the body has come to its end, if not to its last byte");
    cr_expect_eq(number("wait_ns"), -999, "absent");
    cr_expect_eq(number("sent_bytes"), 5);
    cr_expect_eq(number("status"), 404);
    clean();
}

Test(upload_trace, bytes_that_the_kernel_still_holds_are_said)
{
    enum { LENGTH = 8 * 1024 * 1024 };
    char *bytes = calloc(1, LENGTH);
    char script[96];
    snprintf(script, sizeof script, "head; sip %d; send \"" OK_2 "\"", LENGTH);
    set_up(script);
    np_request *request = post();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, bytes, LENGTH, NULL), NP_OK);
    cr_assert_eq(finish(request, stream), NP_OK);
    record();

    cr_expect_eq(number("sent_bytes"), LENGTH);
    cr_expect_eq(number("flags & 3"), 2, "the reader is slower than the writer");
    cr_expect_eq(readings(NP_PHASE_SEND), 1);
    cr_expect_gt(
        query_int(path, "SELECT unsent_bytes + unacked FROM tcp_sample WHERE boundary = 6"), 0,
        "that is what it tells");
    free(bytes);
    clean();
}

Test(upload_trace, an_aborted_body_says_what_it_waited_for)
{
    set_up("head; hang");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, 100, NULL), NP_OK);
    cr_assert_eq(np_request_set_async_timeout(request, 100, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (np_request_get_state(request) != NP_REQUEST_FAILED)
        cr_assert_lt(np_now(), until);
    np_stream_release(stream);
    np_request_release(request);
    record();

    char text[256];
    query_text(path, "SELECT error FROM requests", text, sizeof text);
    cr_expect_not_null(strstr(text, "waiting for the program to give the body"), "%s", text);
    cr_expect_eq(number("sent_bytes"), 5);
    cr_expect_eq(query_int(path, "SELECT count(*) FROM requests WHERE outcome = 'timeout'"), 1);
    clean();
}
