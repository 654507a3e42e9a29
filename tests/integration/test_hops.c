/*
 * Redirects and authentication against real servers: nginx, one that verifies Digest, and one that
 * does what a script says. What the servers have seen, what the caller gets and what stands in the
 * trace must be one. Each name begins with the rule of docs/contract.md it holds.
 */
#include "digest_server.h"
#include "hop_rig.h"

/* --- redirects --- */

Test(hops, rs_0_a_chain_is_followed_on_one_connection_and_is_a_row_a_hop)
{
    if (!set_up_nginx(NULL, "location = /1 { return 301 /2; } location = /2 { return 302 3; }"
                            "location = /3 { return 303 /x/../4; } location = /4 { return 307 /5; }"
                            "location = /5 { return 308 /small; }"))
        return;
    const struct got *got = fetch(local(nginx.http_port, "/1"));

    cr_expect_eq(got->status, NP_OK, "%s", got->err.text);
    cr_expect_eq(got->http_status, 200);
    cr_expect_eq(got->length, 59);
    cr_expect(strstr(got->uri, "/small"), "%s", got->uri);
    expect_log("301 GET /1\n302 GET /2\n303 GET /3\n307 GET /4\n308 GET /5\n200 GET /small\n");
    finish();
    cr_expect_str_eq(sql(HOPS), "0 first 301 ok, 1 redirect 302 ok, 2 redirect 303 ok, 3 redirect "
                                "307 ok, 4 redirect 308 ok, 5 redirect 200 ok");
    cr_expect_str_eq(sql("SELECT count(DISTINCT hop_of) || ' ' || count(*) FROM requests WHERE "
                         "hop_of IS NOT NULL"),
                     "1 5");
    cr_expect_str_eq(sql("SELECT count(*) FROM connections"), "1");
    cr_expect_str_eq(sql("SELECT hops FROM calls"), "6");
    cr_expect_str_eq(sql("SELECT count(*) FROM requests WHERE caller_blocked_ns IS NOT NULL AND "
                         "hop > 0"),
                     "0");
    take_down();
}

Test(hops, rs_0_the_method_changes_as_the_table_says)
{
    if (!set_up_nginx(NULL, "location = /301 { return 301 /end; } location = /302 { return 302 "
                            "/end; } location = /303 { return 303 /end; } location = /307 { return "
                            "307 /end; } location = /end { return 200 ok; }"))
        return;
    static const struct {
        const char *method, *path, *last;
    } cases[] = {
        {"POST", "/301", "GET"},      {"POST", "/302", "GET"}, {"POST", "/307", "POST"},
        {"DELETE", "/302", "DELETE"}, {"PUT", "/303", "GET"},  {"HEAD", "/303", "HEAD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_request *request = local(nginx.http_port, cases[i].path);
        with_method(request, cases[i].method);
        const struct got *got = fetch(request);
        cr_expect_eq(got->http_status, 200, "%s %s", cases[i].method, cases[i].path);
        cr_expect_str_eq(got->method, cases[i].last, "%s %s", cases[i].method, cases[i].path);
    }
    expect_log("301 POST /301\n200 GET /end\n302 POST /302\n200 GET /end\n307 POST /307\n200 POST "
               "/end\n302 DELETE /302\n200 DELETE /end\n303 PUT /303\n200 GET /end\n303 HEAD "
               "/303\n200 HEAD /end\n");
    finish();
    cr_expect_str_eq(sql("SELECT group_concat(method, ' ') FROM (SELECT method FROM requests WHERE "
                         "hop = 1 ORDER BY id)"),
                     "GET GET POST DELETE GET HEAD");
    take_down();
}

Test(hops, rs_2_a_loop_ends_after_fifty_redirects)
{
    if (!set_up_nginx(NULL, "location = /loop { return 302 /loop; }"))
        return;
    const struct got *got = fetch(local(nginx.http_port, "/loop"));

    cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR);
    cr_expect(strstr(got->err.text, "more than 50 redirects"), "%s", got->err.text);
    cr_expect_eq(got->http_status, 302);
    cr_expect_gt(got->length, 0, "the last redirect can be read");
    finish();
    cr_expect_str_eq(sql("SELECT count(*) || ' ' || max(hop) FROM requests"), "51 50");
    cr_expect_str_eq(sql("SELECT hops FROM calls"), "51");
    take_down();
}

Test(hops, rs_2_from_https_to_http_only_when_allowed)
{
    char locations[256];
    if (!set_up_nginx(NULL, "location = /down { return 302 http://127.0.0.1:$arg_p/small; }"))
        return;
    snprintf(locations, sizeof locations, "/down?p=%u", nginx.http_port);
    const struct got *got = fetch(request_to("https://origin.test", nginx.https_port, locations));
    cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR);
    cr_expect(strstr(got->err.text, "https to http"), "%s", got->err.text);
    cr_expect_eq(got->http_status, 302);

    np_request *request = request_to("https://origin.test", nginx.https_port, locations);
    cr_assert_eq(np_request_set_allow_downgrade(request, true, NULL), NP_OK);
    got = fetch(request);
    cr_expect_eq(got->http_status, 200, "%s", got->err.text);
    cr_expect_eq(got->length, 59);
    expect_log("302 GET /down\n302 GET /down\n200 GET /small\n");
    finish();
    take_down();
}

Test(hops, rs_3_another_origin_gets_a_connection_of_its_own_and_none_of_the_secrets)
{
    char path[64];
    if (!set_up_nginx(NULL, "location = /up { return 302 https://origin.test:$arg_p/seen; }"
                            "location = /seen { return 200 \"$http_authorization|$http_cookie|"
                            "$http_x_own|$http_host\"; }"))
        return;
    snprintf(path, sizeof path, "/up?p=%u", nginx.https_port);
    np_request *request = local(nginx.http_port, path);
    cr_assert_eq(np_request_header_set(request, "Authorization", "Bearer hidden", NULL), NP_OK);
    cr_assert_eq(np_request_header_set(request, "Cookie", "a=hidden", NULL), NP_OK);
    cr_assert_eq(np_request_header_set(request, "X-Own", "kept", NULL), NP_OK);
    cr_assert_eq(np_request_set_host(request, "own.test", NULL), NP_OK);
    const struct got *got = fetch(request);

    char wanted[128];
    snprintf(wanted, sizeof wanted, "||kept|origin.test:%u", nginx.https_port);
    cr_expect_str_eq(got->body, wanted);
    finish();
    cr_expect_str_eq(sql("SELECT group_concat(connection_state, ' ') FROM (SELECT * FROM requests "
                         "ORDER BY id)"),
                     "new new");
    cr_expect_str_eq(sql("SELECT count(*) FROM requests WHERE hop = 1 AND tls_ns > 0"), "1");
    cr_expect_not(trace_holds("hidden"));
    take_down();
}

/* --- servers that do what a script says --- */

Test(hops, rb_6_a_long_body_of_a_redirect_costs_its_connection_and_nothing_else)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 302 Found\\r\\nLocation: /there\\r\\nContent-Length: "
               "1000000\\r\\n\\r\\n\"; repeat 200000 \"12345\"; hang\n---\n"
               "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang");
    set_up();
    const struct got *got = fetch(local(scripted_server_port(server), "/"));

    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 302 ok, 1 redirect 200 ok");
    cr_expect_str_eq(sql("SELECT count(*) FROM connections"), "2");
    take_down();
}

Test(hops, rb_6_a_body_that_never_ends_is_waited_for_half_a_second)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 302 Found\\r\\nLocation: /there\\r\\nContent-Length: "
               "10\\r\\n\\r\\n12345\"; hang\n---\n"
               "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang");
    set_up();
    const struct got *got = fetch(local(scripted_server_port(server), "/"));

    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 302 ok, 1 redirect 200 ok");
    cr_expect_str_eq(sql("SELECT total_ns >= 500000000 FROM requests WHERE hop = 0"), "1");
    take_down();
}

Test(hops, rs_2_a_body_cut_short_does_not_stop_a_redirect)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 301 Moved\\r\\nLocation: /there\\r\\nContent-Length: "
               "10\\r\\n\\r\\n12345\"\n---\n"
               "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang");
    set_up();
    const struct got *got = fetch(local(scripted_server_port(server), "/"));

    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 301 failed, 1 redirect 200 ok");
    take_down();
}

Test(hops, rs_5_a_connection_lost_between_two_hops_is_one_hop_more)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 302 Found\\r\\nLocation: /there\\r\\nContent-Length: "
               "0\\r\\n\\r\\n\"; head\n---\n"
               "head; send \"HTTP/1.1 302 Found\\r\\nLocation: /end\\r\\nContent-Length: "
               "0\\r\\n\\r\\n\"; head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: "
               "2\\r\\n\\r\\nok\"; hang");
    set_up();
    const struct got *got = fetch(local(scripted_server_port(server), "/"));

    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 302 ok, 1 redirect - failed, 2 retry 302 ok, 3 redirect "
                                "200 ok");
    cr_expect_str_eq(sql("SELECT count(DISTINCT hop_of) FROM requests WHERE hop > 0"), "1");
    take_down();
}

Test(hops, rs_2_odd_locations_are_protocol_errors_or_found)
{
    static const struct {
        const char *location, *result; /* the last path, or words of the error */
    } cases[] = {
        {"Location: \\t /a/./b/../c \\t", "/a/c"},
        {"Location: two words", "/two%20words"},
        {"Location: gr\\xc3\\xbc\\xc3\\x9fe", "/gr%C3%BC%C3%9Fe"},
        {"Location:", "/"},
        {"X-Location: /x", "no Location"},
        {"Location: gopher://127.0.0.1/", "gopher"},
        {"Location: http://user:secret@127.0.0.1/", "user name"},
        {"Location: http://127.1/", "IPv4"},
        {"Location: /%zz", "hex digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "head; send \"HTTP/1.1 302 Found\\r\\n%s\\r\\nContent-Length: 0\\r\\n\\r\\n\"; "
                 "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang",
                 cases[i].location);
        struct scripted_server *server = script(text);
        set_up();
        const struct got *got = fetch(local(scripted_server_port(server), "/start"));
        if (got->status) {
            cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR);
            cr_expect(strstr(got->err.text, cases[i].result), "%s: %s", cases[i].location,
                      got->err.text);
            cr_expect_null(strstr(got->err.text, "secret"));
        } else {
            const char *path = strchr(got->uri + 7, '/');
            const bool same = strcmp(cases[i].location, "Location:") == 0;
            cr_expect_str_eq(path, same ? "/start" : cases[i].result, "%s: %s", cases[i].location,
                             got->uri);
        }
        finish();
        scripted_server_stop(server);
        take_down();
    }
}

Test(hops, er_2_a_refused_call_is_a_row_of_its_own_and_no_request)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang");
    set_up();
    np_request *request = local(scripted_server_port(server), "/x?secret=1");
    np_async *async;
    np_stream *stream;
    np_error err = {0};
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err),
                 NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_request_get_request_stream(request, &stream, NULL), NP_E_PROTOCOL_VIOLATION);
    const struct got *got = fetch(request);
    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 200 ok");
    cr_expect_str_eq(sql("SELECT group_concat(name || ' ' || outcome, ', ') FROM (SELECT * FROM "
                         "spans WHERE kind = 'rejected_call' ORDER BY unix_ns)"),
                     "begin_get_request_stream refused, get_request_stream refused");
    cr_expect_str_eq(sql("SELECT count(*) FROM spans WHERE kind = 'rejected_call' AND request_id IS "
                         "NULL AND json_extract(detail, '$.status') = 'protocol violation' AND "
                         "json_extract(detail, '$.error') LIKE 'GET cannot carry%'"),
                     "2");
    cr_expect_not(trace_holds("secret=1"), "no query");
    take_down();
}

Test(hops, rb_10_a_response_that_is_not_closed_keeps_its_place)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\no\"; wait; send "
               "\"k\"; head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang");
    connection_limit = 1;
    set_up();
    np_request *first = local(scripted_server_port(server), "/first");
    np_request *second = local(scripted_server_port(server), "/second");
    np_async *async[2];
    np_response *response[2];
    np_error err = {0};
    cr_assert_eq(np_request_begin_get_response(first, NULL, NULL, &async[0], &err), NP_OK);
    cr_assert_eq(np_request_end_get_response(first, async[0], &response[0], &err), NP_OK);
    cr_assert_eq(np_request_begin_get_response(second, NULL, NULL, &async[1], &err), NP_OK);
    cr_assert_eq(np_async_wait(async[1], 60), 1, "it waits for the place of the first");
    scripted_server_go(server);
    np_response_close(response[0]);
    cr_assert_eq(np_request_end_get_response(second, async[1], &response[1], &err), NP_OK, "%s",
                 err.text);
    cr_expect_eq(np_response_status(response[1]), 200);
    for (int i = 0; i < 2; i++) {
        np_async_release(async[i]);
        np_response_release(response[i]);
    }
    np_request_release(first);
    np_request_release(second);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql("SELECT count(*) FROM connections"), "1");
    cr_expect_str_eq(sql("SELECT queue_ns >= 50000000 FROM requests WHERE path LIKE '%second%'"),
                     "1", "and that is in its queue");
    take_down();
}

/* --- authentication --- */

/* "open sesame", by openssl passwd -apr1 -salt netphase */
#define NGINX_PASSWORD "$apr1$netphase$LapTv4BD7kS9OCj2zqvSy0"

static void write_password(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/users", nginx.folder);
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    fputs("Aladdin:" NGINX_PASSWORD "\n", out);
    fclose(out);
}

Test(hops, rs_4_basic_is_challenged_once_and_answered)
{
    if (!set_up_nginx(NULL, "location /in { auth_basic \"netphase, tests\"; auth_basic_user_file "
                            "users; try_files /small =404; }"))
        return;
    write_password();
    np_request *request = local(nginx.http_port, "/in/1");
    with_credentials(request, "Aladdin", "open sesame");
    const struct got *got = fetch(request);
    cr_expect_eq(got->http_status, 200, "%s", got->err.text);
    cr_expect_eq(got->length, 59);

    request = local(nginx.http_port, "/in/2");
    with_credentials(request, "Aladdin", "close sesame");
    got = fetch(request);
    cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR);
    cr_expect_eq(got->http_status, 401);
    cr_expect_gt(got->length, 0, "the 401 can be read");

    got = fetch(local(nginx.http_port, "/in/3"));
    cr_expect_eq(got->http_status, 401);

    expect_log("401 GET /in/1\n200 GET /small\n401 GET /in/2\n401 GET /in/2\n401 GET /in/3\n");
    finish();
    cr_expect_str_eq(sql(HOPS), "0 first 401 ok, 1 auth 200 ok, 0 first 401 ok, 1 auth 401 failed, 0 "
                                "first 401 ok");
    cr_expect_str_eq(sql("SELECT count(*) FROM connections"), "1");
    cr_expect_not(trace_holds("QWxhZGRpbjpvcGVuIHNlc2FtZQ"), "the answer is in the trace");
    cr_expect_not(trace_holds("sesame"));
    cr_expect_not(trace_holds("Aladdin"));
    take_down();
}

Test(hops, rs_4_pre_authenticate_spares_the_challenge)
{
    if (!set_up_nginx(NULL, "location /in { auth_basic x; auth_basic_user_file users; try_files "
                            "/small =404; }"))
        return;
    write_password();
    for (int i = 0; i < 3; i++) {
        np_request *request = local(nginx.http_port, "/in/x");
        with_credentials(request, "Aladdin", "open sesame");
        cr_assert_eq(np_request_set_pre_authenticate(request, true, NULL), NP_OK);
        cr_expect_eq(fetch(request)->http_status, 200);
    }
    expect_log("401 GET /in/x\n200 GET /small\n200 GET /small\n200 GET /small\n");
    finish();
    cr_expect_str_eq(sql(HOPS), "0 first 401 ok, 1 auth 200 ok, 0 first 200 ok, 0 first 200 ok");
    take_down();
}

/* Sends `count` requests; the server's counts. */
static struct digest_counts ask_digest(const struct digest_options *options, const char *password,
                                       bool pre_authenticate, int count, int wanted)
{
    struct digest_server *server = digest_server_start(options);
    cr_assert_not_null(server);
    set_up();
    for (int i = 0; i < count; i++) {
        np_request *request = local(digest_server_port(server), "/a/b?c=d,e");
        with_credentials(request, "Mufasa", password);
        cr_assert_eq(np_request_set_pre_authenticate(request, pre_authenticate, NULL), NP_OK);
        const struct got *got = fetch(request);
        const struct digest_counts so_far = digest_server_counts(server);
        cr_expect_eq(got->http_status, wanted, "%d: %s (%s)", i, so_far.why, got->err.text);
        if (wanted == 200)
            cr_expect_str_eq(got->body, "welcome");
    }
    const struct digest_counts counts = digest_server_counts(server);
    finish();
    digest_server_stop(server);
    cr_expect_not(trace_holds("Circle of Life"));
    cr_expect_not(trace_holds("response=\\\""));
    return counts;
}

Test(hops, rs_4_digest_of_every_kind_holds_before_a_server_that_verifies)
{
    static const struct digest_options kinds[] = {
        {0},
        {.algorithm = "MD5"},
        {.algorithm = "SHA-256"},
        {.algorithm = "SHA-512-256"},
        {.algorithm = "MD5-sess"},
        {.algorithm = "SHA-256-sess", .hashes_user = true},
        {.without_qop = true},
        {.algorithm = "SHA-256", .offers_basic = true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct digest_counts counts = ask_digest(&kinds[i], "Circle of Life", false, 2, 200);
        cr_expect_eq(counts.requests, 4, "kind %zu", i);
        cr_expect_eq(counts.challenged, 2, "no extra round");
        cr_expect_eq(counts.accepted, 2);
        cr_expect_eq(counts.refused, 0, "kind %zu: %s", i, counts.why);
        cr_expect_eq(counts.connections, 1);
        cr_expect_str_eq(sql(HOPS), "0 first 401 ok, 1 auth 200 ok, 0 first 401 ok, 1 auth 200 ok");
        take_down();
    }
}

Test(hops, rs_4_a_wrong_password_for_digest_is_refused_once)
{
    const struct digest_counts counts =
        ask_digest(&(struct digest_options){.algorithm = "SHA-256"}, "wrong", false, 1, 401);
    cr_expect_eq(counts.requests, 2);
    cr_expect_eq(counts.refused, 1);
    cr_expect_str_eq(sql(HOPS), "0 first 401 ok, 1 auth 401 failed");
    take_down();
}

Test(hops, rs_4_a_nonce_is_used_again_until_it_is_stale)
{
    const struct digest_counts counts =
        ask_digest(&(struct digest_options){.algorithm = "SHA-256", .nonce_uses = 3},
                   "Circle of Life", true, 7, 200);
    cr_expect_eq(counts.accepted, 7);
    cr_expect_eq(counts.challenged, 1);
    cr_expect_eq(counts.stale, 2);
    cr_expect_eq(counts.refused, 0, "%s", counts.why);
    cr_expect_str_eq(sql("SELECT count(*) FROM requests"), "10");
    cr_expect_str_eq(sql("SELECT count(*) FROM calls WHERE hops = 2"), "3");
    take_down();
}
