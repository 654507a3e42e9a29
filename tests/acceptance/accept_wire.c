/* Section 7, the properties, as the server sees them; the connections of a service point. */
#include "acceptance.h"

Test(wire, a_plain_get_says_no_more_than_it_has_to)
{
    struct world w = world_open(HELLO);
    expect_hello(ask_for(&w, "GET", "/a/b?c=d#e"));
    cr_assert(heard(&w, "GET /a/b?c=d HTTP/1.1\r\n"));
    cr_assert(heard(&w, "Host: 127.0.0.1:"));
    static const char *const none[] = {"Accept",    "User-Agent",    "Expect", "Content-",
                                       "Transfer-", "Authorization", "Cookie", "Range",
                                       "Referer",   "\r\nDate",      "TE:"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        cr_assert_not(heard(&w, none[i]), "%s", none[i]);
    world_close(&w);
}

Test(wire, http_1_0_is_spoken_where_it_is_asked_for)
{
    struct world w = world_open("head; " HELLO_REPLY);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_protocol_version(r, 10, e));
    expect_hello(r);
    cr_assert(heard(&w, "GET / HTTP/1.0\r\n"));
    world_close(&w);
}

Test(wire, the_connection_is_kept_for_the_next_request)
{
    struct world w = world_open(HELLO);
    for (int i = 0; i < 4; i++)
        expect_hello(ask(&w, i % 2 ? "POST" : "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    cr_assert_not(heard(&w, "Connection: close"));
    world_close(&w);
}

Test(wire, without_keep_alive_it_is_closed_and_said_so)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_keep_alive(r, false, e));
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "Connection: close\r\n"), 1);
    scripted_server_wait(w.server);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(wire, a_server_that_says_close_is_believed)
{
    struct world w = world_open("head; " SEND(
        "200 OK", "Connection: close\\r\\nContent-Length: 5\\r\\n", "hello") "hang\n---\n" HELLO);
    expect_hello(ask(&w, "GET"));
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(cn_3, each_connection_group_has_connections_of_its_own)
{
    static const char *const groups[] = {NULL, "one", "two", "one", "", "two"};
    struct world w = world_open(HELLO);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        np_request *r = ask(&w, "GET");
        OK(np_request_set_connection_group_name(r, groups[i], e));
        expect_hello(r);
    }
    cr_assert_eq(scripted_server_connections(w.server), 3);
    world_close(&w);
}

Test(wire, a_fresh_request_takes_a_connection_of_its_own)
{
    struct world w = world_open(HELLO);
    expect_hello(ask(&w, "GET"));
    np_request *fresh = ask(&w, "GET"), *cold = ask(&w, "GET");
    OK(np_request_set_reuse(fresh, NP_REUSE_FRESH, e));
    OK(np_request_set_reuse(cold, NP_REUSE_COLD, e));
    expect_hello(fresh);
    expect_hello(cold);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 3);
    world_close(&w);
}

/* gzip of "hello" */
#define GZIP                                                                                       \
    "\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x02\\x03\\xcb\\x48\\xcd\\xc9\\xc9\\x07\\x00"        \
    "\\x86\\xa6\\x10\\x36\\x05\\x00\\x00\\x00"
#define GZIP_REPLY SEND("200 OK", "Content-Encoding: gzip\\r\\nContent-Length: 25\\r\\n", GZIP)

Test(wire, a_compressed_body_is_decompressed_and_its_fields_go)
{
    struct world w = world_open("head; " GZIP_REPLY);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_automatic_decompression(r, NP_DECOMPRESS_GZIP, e));
    np_response *response = get_response(r);
    cr_assert_null(np_response_header(response, "Content-Encoding"));
    cr_assert_null(np_response_header(response, "Content-Length"));
    cr_assert_eq(np_response_content_length(response), -1);
    cr_assert_str_eq(body_of(response), "hello");
    cr_assert(heard(&w, "Accept-Encoding: gzip\r\n"));
    np_response_release(response);
    world_close(&w);
}

Test(wire, without_decompression_a_body_is_handed_out_as_it_came)
{
    struct world w = world_open("head; " GZIP_REPLY);
    np_response *response = get_response(ask(&w, "GET"));
    cr_assert_str_eq(np_response_header(response, "Content-Encoding"), "gzip");
    cr_assert_eq(np_response_content_length(response), 25);
    cr_assert_eq(memcmp(body_of(response), "\x1f\x8b", 2), 0);
    cr_assert_not(heard(&w, "Accept-Encoding"));
    np_response_release(response);
    world_close(&w);
}

Test(wire, an_accept_encoding_of_ones_own_is_added_to)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *has = ask(&w, "GET");
    OK(np_request_header_set(r, "Accept-Encoding", "identity", e));
    OK(np_request_set_automatic_decompression(r, NP_DECOMPRESS_GZIP, e));
    expect_hello(r);
    cr_assert(heard(&w, "Accept-Encoding: identity, gzip\r\n"));
    OK(np_request_header_set(has, "Accept-Encoding", "gzip;q=0.5", e));
    OK(np_request_set_automatic_decompression(has, NP_DECOMPRESS_GZIP, e));
    expect_hello(has);
    cr_assert(heard(&w, "Accept-Encoding: gzip;q=0.5\r\n"));
    world_close(&w);
}

Test(gr_15, a_response_that_is_buffered_completes_with_its_body)
{
    struct world w = world_open(
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhel\"; wait; send \"lo\"");
    np_request *r = ask(&w, "GET");
    OK(np_request_set_allow_read_stream_buffering(r, true, e));
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, 30), 1);
    scripted_server_go(w.server);
    np_response *response = end_response(r, async);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}

Test(gr_15, a_buffered_body_that_breaks_off_fails_the_operation)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhello\"");
    np_request *r = ask(&w, "GET");
    OK(np_request_set_allow_read_stream_buffering(r, true, e));
    cr_assert_eq(failure_of(r).web_status, NP_WEB_CONNECTION_CLOSED);
    world_close(&w);
}

Test(gr_14, the_body_of_an_error_is_cut_at_its_limit)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 404 Not Found\\r\\nContent-Length: 3000\\r\\n\\r\\n\"; "
                   "repeat 3000 \"x\"; again");
    static const int64_t limits_kib[] = {0, 1, 2, -1, 64};
    static const size_t lengths[] = {0, 1024, 2048, 3000, 3000};
    for (int i = 0; i < 5; i++) {
        np_request *r = ask(&w, "GET");
        OK(np_request_set_maximum_error_response_length(r, limits_kib[i], e));
        failure_of(r);
        np_response *response = np_request_response(r);
        cr_assert_eq(strlen(body_of(response)), lengths[i]);
        np_response_release(response);
    }
    world_close(&w);
}

/* --------------------------------------------------------------------------------- service points */

static struct world world_open_limited(const char *script, uint32_t limit, int64_t lease_ns,
                                       int64_t idle_ns)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = limit;
    options.connection_lease_timeout_ns = lease_ns;
    options.max_idle_time_ns = idle_ns;
    return world_open_with(script, &options);
}

Test(cn_1, to_loopback_there_is_no_limit_at_first)
{
    struct world w = world_open("head; wait; " HELLO_REPLY);
    np_request *r[5];
    np_async *async[5];
    for (int i = 0; i < 5; i++) {
        r[i] = ask(&w, "GET");
        async[i] = begin_response(r[i]);
    }
    UNTIL(scripted_server_heads(w.server) == 5);
    for (int i = 0; i < 5; i++)
        scripted_server_go(w.server);
    for (int i = 0; i < 5; i++)
        np_response_release(end_response(r[i], async[i]));
    world_close(&w);
}

Test(cn_1, beyond_the_limit_requests_wait_in_order)
{
    struct world w = world_open_limited("head; wait; " HELLO_REPLY "again", 2, -1, 0);
    np_request *r[4];
    np_async *async[4];
    for (int i = 0; i < 4; i++) {
        r[i] = ask(&w, "GET");
        async[i] = begin_response(r[i]);
    }
    UNTIL(scripted_server_heads(w.server) == 2);
    cr_assert_eq(np_async_wait(async[2], 20), 1);
    for (int i = 0; i < 4; i++)
        scripted_server_go(w.server);
    for (int i = 0; i < 4; i++)
        np_response_release(end_response(r[i], async[i]));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(cn_3, each_group_has_a_limit_of_its_own)
{
    struct world w = world_open_limited("head; wait; " HELLO_REPLY, 1, -1, 0);
    np_request *one = ask(&w, "GET"), *two = ask(&w, "GET");
    OK(np_request_set_connection_group_name(two, "two", e));
    np_async *first = begin_response(one), *second = begin_response(two);
    UNTIL(scripted_server_heads(w.server) == 2);
    scripted_server_go(w.server);
    scripted_server_go(w.server);
    np_response_release(end_response(one, first));
    np_response_release(end_response(two, second));
    world_close(&w);
}

Test(cn_4, a_lease_of_zero_closes_after_each_request)
{
    struct world w = world_open_limited(HELLO, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 3);
    world_close(&w);
}

Test(cn_4, an_idle_connection_is_closed_when_its_time_is_over)
{
    struct world w = world_open_limited(HELLO, 0, -1, 20 * 1000000LL);
    expect_hello(ask(&w, "GET"));
    scripted_server_wait(w.server); /* until the client has gone */
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(cn_1, a_place_is_free_again_after_a_failure_a_close_and_an_abort)
{
    struct world w = world_open_limited(
        "head; " SEND("404 No", "Content-Length: 0\\r\\n", "") "head\n---\n"
                                                               "head; hang\n---\n" HELLO,
        1, -1, 0);
    failure_of(ask(&w, "GET"));
    np_request *aborted = ask(&w, "GET");
    np_async *async = begin_response(aborted);
    UNTIL(scripted_server_heads(w.server) == 3); /* the kept connection died: sent again */
    np_request_abort(aborted);
    np_async_release(async);
    np_response *response = get_response(ask(&w, "GET"));
    np_response_close(response);
    np_response_release(response);
    expect_hello(ask(&w, "GET"));
    world_close(&w);
}

Test(wire, a_query_without_a_path_gets_one)
{
    struct world w = world_open(HELLO);
    expect_hello(ask_for(&w, "GET", "?x=1"));
    cr_assert(heard(&w, "GET /?x=1 HTTP/1.1\r\n"));
    expect_hello(ask_for(&w, "GET", ""));
    cr_assert(heard(&w, "GET / HTTP/1.1\r\n"));
    world_close(&w);
}

Test(wire, close_joins_the_words_of_connection)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_connection(r, "X-Hop", e));
    OK(np_request_set_keep_alive(r, false, e));
    expect_hello(r);
    cr_assert(heard(&w, "Connection: X-Hop, close\r\n"));
    cr_assert_eq(times_heard(&w, "Connection:"), 1);
    world_close(&w);
}

Test(wire, through_a_proxy_the_whole_url_is_asked_for)
{
    struct world w = world_open(HELLO);
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    np_proxy *proxy;
    options.proxies = url_of(&w, "");
    OK(np_proxy_create(&options, &proxy, e));
    np_request *r = ask_url(&w, "GET", "http://origin.test/a?b");
    OK(np_request_set_proxy(r, proxy, e));
    expect_hello(r);
    cr_assert(heard(&w, "GET http://origin.test/a?b HTTP/1.1\r\n"));
    cr_assert(heard(&w, "Host: origin.test\r\n"));
    np_proxy_release(proxy);
    world_close(&w);
}
