/*
 * Redirects, authentication and compressed bodies against real servers: nginx, one that verifies
 * Digest, and one that does what a script says. What the servers have seen, what the caller gets
 * and what stands in the trace must be one. Each name begins with the rule of docs/contract.md it
 * holds.
 */
#include "clock.h"
#include "digest_server.h"
#include "nginx.h"
#include "scripted_server.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nginx nginx;
static bool has_nginx;
static np_testdir folder;
static np_trace *trace;
static np_context *context;

static void set_up(void)
{
    np_error err = {0};
    char resolve[64];
    const char *const resolves[] = {resolve};
    testdir_make(&folder);
    np_trace_options trace_options = NP_TRACE_OPTIONS_INIT;
    trace_options.detail_plus_1 = NP_DETAIL_HEADERS + 1;
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), &trace_options, &trace, &err), NP_OK,
                 "%s", err.text);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = trace;
    if (has_nginx) {
        snprintf(resolve, sizeof resolve, "origin.test:%u:127.0.0.1", nginx.https_port);
        options.ca_file = nginx.ca_file;
        options.resolve = resolves;
        options.resolve_count = 1;
    }
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
}

/* false: there is no nginx, and the test is over. It logs every request in "access.log". */
static bool set_up_nginx(const char *http, const char *locations)
{
    char all_http[1024], all_locations[4096];
    snprintf(all_http, sizeof all_http, "log_format hops '$status $request_method $uri'; %s",
             http ? http : "");
    snprintf(all_locations, sizeof all_locations, "access_log access.log hops; %s", locations);
    const struct nginx_options options = {.http = all_http, .locations = all_locations};
    if (!nginx_start(&nginx, &options)) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    has_nginx = true;
    set_up();
    return true;
}

/* The text of one query. */
static const char *sql(const char *query)
{
    static char text[4096];
    return query_text(testdir_path(&folder, "a.db"), query, text, sizeof text);
}

/* Closes context and trace; the queries come after it. */
static void finish(void)
{
    np_error err = {0};
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    cr_expect_str_eq(sql("SELECT group_concat(problem) FROM problems"), "");
    /* every call's hops follow one another without a gap or an overlap */
    cr_expect_str_eq(sql("SELECT count(*) FROM calls WHERE total_ns <> hops_total_ns"), "0");
    cr_expect_str_eq(sql("SELECT count(*) FROM requests a JOIN requests b ON b.hop = a.hop + 1 AND "
                         "coalesce(b.hop_of, b.id) = coalesce(a.hop_of, a.id) JOIN request x ON "
                         "x.id = a.id JOIN request y ON y.id = b.id WHERE x.start_ns + x.total_ns "
                         "<> y.start_ns"),
                     "0");
}

static void take_down(void)
{
    testdir_remove(&folder);
    if (has_nginx)
        nginx_stop(&nginx);
}

#define HOPS                                                                                       \
    "SELECT group_concat(hop || ' ' || hop_reason || ' ' || coalesce(status, '-') || ' ' || "      \
    "outcome, ', ') FROM (SELECT * FROM requests ORDER BY id)"

/* nginx writes a line when it has answered: the last one may still be on its way. */
static void expect_log(const char *wanted)
{
    static char text[65536];
    char path[256];
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    snprintf(path, sizeof path, "%s/access.log", nginx.folder);
    do {
        FILE *in = fopen(path, "r");
        const size_t length = in ? fread(text, 1, sizeof text - 1, in) : 0;
        if (in)
            fclose(in);
        text[length] = '\0';
        sched_yield();
    } while (strlen(text) < strlen(wanted) && np_now() < until);
    cr_expect_str_eq(text, wanted, "nginx has seen:\n%s", text);
}

static np_request *request_to(const char *scheme_and_host, uint16_t port, const char *path)
{
    char url[512];
    np_error err = {0};
    np_request *request;
    snprintf(url, sizeof url, "%s:%u%s", scheme_and_host, port, path);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    return request;
}

static np_request *local(uint16_t port, const char *path)
{
    return request_to("http://127.0.0.1", port, path);
}

struct got {
    np_status status;
    np_error err;
    int http_status;
    char uri[512], method[16];
    char encoding[64]; /* "-": no such field */
    int64_t content_length;
    size_t length;
    char body[32768];
};

/* Begins, ends, reads all, and releases the request. */
static const struct got *fetch(np_request *request)
{
    static struct got got;
    np_async *async;
    np_response *response;
    np_stream *stream = NULL;
    memset(&got, 0, sizeof got);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &got.err), NP_OK, "%s",
                 got.err.text);
    got.status = np_request_end_get_response(request, async, &response, &got.err);
    if (!response)
        response = np_async_response(async);
    if (response) {
        const char *encoding = np_response_header(response, "Content-Encoding");
        got.http_status = np_response_status(response);
        got.content_length = np_response_content_length(response);
        snprintf(got.uri, sizeof got.uri, "%s", np_response_uri(response));
        snprintf(got.method, sizeof got.method, "%s", np_response_method(response));
        snprintf(got.encoding, sizeof got.encoding, "%s", encoding ? encoding : "-");
        cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
        size_t n = 1;
        np_error failure = {0};
        while (n > 0 && got.length < sizeof got.body - 1 &&
               np_stream_read(stream, got.body + got.length, sizeof got.body - 1 - got.length, &n,
                              &failure) == NP_OK)
            got.length += n;
        if (failure.status && !got.status) {
            got.status = failure.status;
            got.err = failure;
        }
    }
    np_stream_release(stream);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    return &got;
}

static void with_method(np_request *request, const char *method)
{
    cr_assert_eq(np_request_set_method(request, method, NULL), NP_OK);
}

static void with_credentials(np_request *request, const char *user, const char *password)
{
    cr_assert_eq(np_request_set_credentials(request, user, password, NULL), NP_OK);
}

/* Is the text anywhere in the files of the trace? */
static bool trace_holds(const char *text)
{
    static const char *const names[] = {"a.db", "a.db-wal"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        FILE *in = fopen(testdir_path(&folder, names[i]), "rb");
        if (!in)
            continue;
        static char bytes[4 << 20];
        const size_t length = fread(bytes, 1, sizeof bytes, in);
        fclose(in);
        found = found || memmem(bytes, length, text, strlen(text)) != NULL;
    }
    return found;
}

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

static struct scripted_server *script(const char *text)
{
    char why[256];
    struct scripted_server *server = scripted_server_start(text, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    return server;
}

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
    cr_expect_str_eq(sql(HOPS), "0 first 302 aborted, 1 redirect 200 ok");
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
    cr_expect_str_eq(sql(HOPS), "0 first 302 aborted, 1 redirect 200 ok");
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

/* --- bodies --- */

enum body_mode { BUFFERED, WITH_LENGTH, IN_CHUNKS };

/* A request with a body of five bytes, "12345", sent by the synchronous calls; releases the
 * request. copied: a copy of the body is kept. */
static const struct got *post(np_request *request, const char *method, enum body_mode mode,
                              bool copied)
{
    static struct got got;
    np_stream *stream, *body = NULL;
    np_response *response = NULL;
    memset(&got, 0, sizeof got);
    with_method(request, method);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, copied, NULL), NP_OK);
    if (mode == WITH_LENGTH)
        cr_assert_eq(np_request_set_content_length(request, 5, NULL), NP_OK);
    if (mode == IN_CHUNKS)
        cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_get_request_stream(request, &stream, &got.err), NP_OK, "%s",
                 got.err.text);
    cr_assert_eq(np_stream_write(stream, "12", 2, &got.err), NP_OK, "%s", got.err.text);
    cr_assert_eq(np_stream_write(stream, "345", 3, &got.err), NP_OK, "%s", got.err.text);
    cr_assert_eq(np_stream_close(stream, &got.err), NP_OK, "%s", got.err.text);
    got.status = np_request_get_response(request, &response, &got.err);
    if (!response)
        response = np_request_response(request);
    if (response) {
        got.http_status = np_response_status(response);
        snprintf(got.method, sizeof got.method, "%s", np_response_method(response));
        cr_assert_eq(np_response_stream(response, &body, NULL), NP_OK);
        size_t n = 1;
        while (n > 0 && np_stream_read(body, got.body + got.length,
                                       sizeof got.body - 1 - got.length, &n, NULL) == NP_OK)
            got.length += n;
    }
    np_stream_release(body);
    np_stream_release(stream);
    np_response_release(response);
    np_request_release(request);
    return &got;
}

#define FOUND(status)                                                                              \
    "send \"HTTP/1.1 " status " X\\r\\nLocation: /end\\r\\nContent-Length: 0\\r\\n\\r\\n\"; "
#define OK "send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang"

Test(hops, rs_1_a_body_is_sent_again_from_its_copy)
{
    static const char *const takes[] = {
        [BUFFERED] = "body 5; ", [WITH_LENGTH] = "body 5; ", [IN_CHUNKS] = "chunks; "};
    for (int mode = BUFFERED; mode <= IN_CHUNKS; mode++) {
        char text[512];
        snprintf(text, sizeof text, "head; %s" FOUND("307") "head; %s" OK, takes[mode],
                 takes[mode]);
        struct scripted_server *server = script(text);
        set_up();
        np_request *request = local(scripted_server_port(server), "/");
        cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
        const struct got *got = post(request, "POST", (enum body_mode)mode, true);
        cr_expect_str_eq(got->body, "ok", "mode %d: %s", mode, got->err.text);
        cr_expect_str_eq(got->method, "POST");
        finish();
        scripted_server_stop(server);
        cr_expect_str_eq(sql(HOPS), "0 first 307 ok, 1 redirect 200 ok");
        cr_expect_str_eq(sql("SELECT group_concat(sent_bytes, ' ') FROM (SELECT * FROM requests "
                             "ORDER BY id)"),
                         "5 5", "mode %d", mode);
        take_down();
    }
}

Test(hops, rs_1_a_body_without_a_copy_cannot_be_sent_again)
{
    for (int mode = WITH_LENGTH; mode <= IN_CHUNKS; mode++) {
        char text[512];
        snprintf(text, sizeof text, "head; %s" FOUND("307") OK,
                 mode == IN_CHUNKS ? "chunks; " : "body 5; ");
        struct scripted_server *server = script(text);
        set_up();
        np_request *request = local(scripted_server_port(server), "/");
        cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
        const struct got *got = post(request, "POST", (enum body_mode)mode, false);
        cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", got->err.text);
        cr_expect(strstr(got->err.text, "not buffered"), "%s", got->err.text);
        cr_expect_eq(got->http_status, 307);
        finish();
        scripted_server_stop(server);
        cr_expect_str_eq(sql(HOPS), "0 first 307 failed");
        take_down();
    }
}

Test(hops, rs_1_a_redirect_that_drops_the_body_needs_no_copy)
{
    struct scripted_server *server = script("head; body 5; " FOUND("302") "head; " OK);
    set_up();
    np_request *request = local(scripted_server_port(server), "/");
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    const struct got *got = post(request, "POST", WITH_LENGTH, false);
    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    cr_expect_str_eq(got->method, "GET");
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql("SELECT group_concat(method || sent_bytes, ' ') FROM (SELECT * FROM "
                         "requests ORDER BY id)"),
                     "POST5 GET0");
    take_down();
}

Test(hops, rs_1_a_redirect_before_the_body_sends_it_to_the_next_hop_alone)
{
    /* The answer comes instead of 100 Continue: nothing was taken, so no copy is needed. */
    struct scripted_server *server =
        script("head; " FOUND("308") "hang\n---\nhead; send \"HTTP/1.1 100 Continue\\r\\n\\r\\n\"; "
                                     "body 5; " OK);
    set_up();
    np_request *request = local(scripted_server_port(server), "/");
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    const struct got *got = post(request, "PUT", WITH_LENGTH, false);
    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    cr_expect_str_eq(got->method, "PUT");
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(
        sql("SELECT group_concat(status || ' ' || sent_bytes, ', ') FROM (SELECT * FROM "
            "requests ORDER BY id)"),
        "308 0, 200 5");
    take_down();
}

#define NO_EXPECT "send \"HTTP/1.1 417 No\\r\\nContent-Length: 0\\r\\n\\r\\n\"; "

Test(hops, expect_that_a_server_does_not_know_is_left_out_once)
{
    for (int mode = BUFFERED; mode <= IN_CHUNKS; mode++)
        for (int copied = mode == BUFFERED; copied < 2; copied++) {
            char text[512];
            snprintf(text, sizeof text, "head; " NO_EXPECT "hang\n---\nhead; %s" OK,
                     mode == IN_CHUNKS ? "chunks; " : "body 5; ");
            struct scripted_server *server = script(text);
            set_up();
            np_request *request = local(scripted_server_port(server), "/");
            cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
            const struct got *got = post(request, "PUT", (enum body_mode)mode, copied);
            cr_expect_str_eq(got->body, "ok", "mode %d, %d: %s", mode, copied, got->err.text);
            cr_expect_eq(scripted_server_heads(server), 2, "mode %d", mode);
            finish();
            scripted_server_stop(server);
            cr_expect_str_eq(sql(HOPS), "0 first 417 ok, 1 expect_failed 200 ok", "mode %d: %s",
                             mode, sql(HOPS));
            cr_expect_str_eq(sql("SELECT group_concat(r.hop) FROM header JOIN requests r ON r.id = "
                                 "request_id WHERE direction = 0 AND value = '100-continue'"),
                             "0");
            take_down();
        }
}

Test(hops, a_server_that_says_417_for_ever_is_asked_twice)
{
    struct scripted_server *server = script("head; " NO_EXPECT "again");
    set_up();
    np_request *request = local(scripted_server_port(server), "/");
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    const struct got *got = post(request, "PUT", WITH_LENGTH, true);
    cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", got->err.text);
    cr_expect_eq(got->http_status, 417);
    cr_expect_eq(scripted_server_heads(server), 2);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 417 ok, 1 expect_failed 417 failed");
    take_down();
}

Test(hops, rs_4_a_body_is_sent_again_to_a_server_that_asks_for_digest)
{
    struct digest_server *server =
        digest_server_start(&(struct digest_options){.algorithm = "SHA-256"});
    cr_assert_not_null(server);
    set_up();
    np_request *request = local(digest_server_port(server), "/x");
    with_credentials(request, "Mufasa", "Circle of Life");
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    const struct got *got = post(request, "POST", WITH_LENGTH, true);
    const struct digest_counts counts = digest_server_counts(server);
    cr_expect_str_eq(got->body, "welcome", "%s %s", got->err.text, counts.why);
    finish();
    digest_server_stop(server);
    cr_expect_eq(counts.accepted, 1);
    cr_expect_eq(counts.body_bytes, 10);
    cr_expect_str_eq(sql(HOPS), "0 first 401 ok, 1 auth 200 ok");
    take_down();
}

/* --- compressed bodies --- */

#define WORDS 2000 /* "netphase " so often */
#define GZIP                                                                                       \
    "\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x02\\x03\\xed\\xc6\\xb1\\x09\\x00\\x30\\x08\\x00\\" \
    "xb0"                                                                                          \
    "\\x57\\x7c\\xad\\x83\\xd0\\x49\\x0a\\xfa\\x3f\\xde\\x51\\x48\\xa6\\x54\\xce\\xbb\\xa7\\x33\\" \
    "x4a"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\" \
    "x44"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x7e\\xce\\x02\\" \
    "x46"                                                                                          \
    "\\x1a\\xe2\\x93\\x50\\x46\\x00\\x00"
#define DEFLATE                                                                                    \
    "\\x78\\xda\\xed\\xc6\\xb1\\x09\\x00\\x30\\x08\\x00\\xb0\\x57\\x7c\\xad\\x83\\xd0\\x49\\x0a\\" \
    "xfa"                                                                                          \
    "\\x3f\\xde\\x51\\x48\\xa6\\x54\\xce\\xbb\\xa7\\x33\\x4a\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\" \
    "x44"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\" \
    "x44"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x7e\\xce\\x02\\x30\\xd8\\x1b\\x16"

static void expect_words(const struct got *got)
{
    cr_expect_eq(got->status, NP_OK, "%s", got->err.text);
    cr_expect_eq(got->length, WORDS * 9);
    for (size_t i = 0; i + 9 <= got->length; i += 9)
        cr_assert_eq(memcmp(got->body + i, "netphase ", 9), 0, "at %zu", i);
}

static np_request *decompressing(uint16_t port, uint32_t flags)
{
    np_error err = {0};
    np_request *request = local(port, "/");
    cr_assert_eq(np_request_set_automatic_decompression(request, flags, &err), NP_OK, "%s",
                 err.text);
    return request;
}

Test(hops, decompression_hands_out_the_text_and_counts_the_wire)
{
    static const struct {
        const char *fields, *body;
        const char *wire_bytes;
    } cases[] = {
        {"Content-Encoding: gzip\\r\\nContent-Length: 83", GZIP, "83"},
        {"Content-Encoding: X-GZIP\\r\\nContent-Length: 83", GZIP, "83"},
        {"Content-Encoding: deflate\\r\\nContent-Length: 71", DEFLATE, "71"},
        {"Content-Encoding: gzip\\r\\nTransfer-Encoding: chunked",
         "53\\r\\n" GZIP "\\r\\n0\\r\\n\\r\\n", "83"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, "head; send \"HTTP/1.1 200 OK\\r\\n%s\\r\\n\\r\\n%s\"; again",
                 cases[i].fields, cases[i].body);
        struct scripted_server *server = script(text);
        set_up();
        for (int n = 0; n < 2; n++) { /* on a new connection, and on the same again */
            const struct got *got = fetch(decompressing(
                scripted_server_port(server), NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE));
            expect_words(got);
            cr_expect_str_eq(got->encoding, "-");
            cr_expect_eq(got->content_length, -1);
        }
        finish();
        scripted_server_stop(server);
        cr_expect_str_eq(sql("SELECT group_concat(DISTINCT received_bytes) FROM requests"),
                         cases[i].wire_bytes, "case %zu", i);
        cr_expect_str_eq(sql("SELECT group_concat(DISTINCT connection_state) FROM requests"),
                         "new,reused");
        cr_expect_str_eq(sql("SELECT sum(received_bytes) FROM connections"),
                         i == 2 ? "142" : "166");
        take_down();
    }
}

Test(hops, decompression_touches_nothing_it_was_not_asked_for)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 200 OK\\r\\nContent-Encoding: "
               "gzip\\r\\nContent-Length: 83\\r\\n\\r\\n" GZIP "\"; again");
    set_up();
    for (int n = 0; n < 3; n++) { /* the second one leaves the handle as it was */
        const struct got *got =
            fetch(decompressing(scripted_server_port(server), n == 1 ? NP_DECOMPRESS_GZIP : 0));
        cr_expect_eq(got->length, n == 1 ? WORDS * 9 : 83, "request %d", n);
        cr_expect_str_eq(got->encoding, n == 1 ? "-" : "gzip");
        cr_expect_eq(got->content_length, n == 1 ? -1 : 83);
    }
    np_request *head = decompressing(scripted_server_port(server), NP_DECOMPRESS_GZIP);
    cr_assert_eq(np_request_set_reuse(head, NP_REUSE_FRESH, NULL), NP_OK);
    with_method(head, "HEAD");
    const struct got *got = fetch(head);
    cr_expect_str_eq(got->encoding, "gzip", "there is no body that was decoded");
    cr_expect_eq(got->content_length, 83);
    finish();
    scripted_server_stop(server);
    take_down();
}

Test(hops, decompression_of_what_is_broken_or_unknown_is_the_servers_fault)
{
    static const char *const replies[] = {
        "Content-Encoding: gzip\\r\\nContent-Length: 5\\r\\n\\r\\nplain",
        "Content-Encoding: middle-out\\r\\nContent-Length: 5\\r\\n\\r\\nplain",
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        char text[512];
        snprintf(text, sizeof text, "head; send \"HTTP/1.1 200 OK\\r\\n%s\"; hang", replies[i]);
        struct scripted_server *server = script(text);
        set_up();
        const struct got *got =
            fetch(decompressing(scripted_server_port(server), NP_DECOMPRESS_GZIP));
        cr_expect_eq(got->err.web_status, NP_WEB_SERVER_PROTOCOL_VIOLATION, "%s", got->err.text);
        cr_expect(strstr(got->err.text, "coding"), "%s", got->err.text);
        finish();
        scripted_server_stop(server);
        take_down();
    }
}

Test(hops, decompression_ends_receive_at_the_last_byte_of_the_wire)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 200 OK\\r\\nContent-Encoding: gzip\\r\\nContent-Length: "
               "83\\r\\n\\r\\n\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x02\\x03\"; sleep 60; "
               "send \""
               "\\xed\\xc6\\xb1\\x09\\x00\\x30\\x08\\x00\\xb0"
               "\\x57\\x7c\\xad\\x83\\xd0\\x49\\x0a\\xfa\\x3f\\xde\\x51\\x48\\xa6\\x54\\xce\\xbb\\x"
               "a7\\x33\\x4a"
               "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x"
               "44\\x44\\x44"
               "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x7e\\x"
               "ce\\x02\\x46"
               "\\x1a\\xe2\\x93\\x50\\x46\\x00\"; sleep 60; send \"\\x00\"; hang");
    set_up();
    expect_words(fetch(decompressing(scripted_server_port(server), NP_DECOMPRESS_GZIP)));
    finish();
    scripted_server_stop(server);
    /* The text is out 60 ms before the trailer's last byte. */
    cr_expect_str_eq(sql("SELECT receive_ns >= 118000000 FROM requests"), "1", "%s",
                     sql("SELECT receive_ns FROM requests"));
    take_down();
}

Test(hops, decompression_of_what_nginx_compresses)
{
    if (!set_up_nginx("gzip on; gzip_types text/plain; gzip_min_length 1;", ""))
        return;
    char *text = malloc(WORDS * 9);
    for (size_t i = 0; i < WORDS; i++)
        memcpy(text + 9 * i, "netphase ", 9);
    cr_assert(nginx_add_file(&nginx, "words", text, WORDS * 9));
    free(text);
    np_request *request = local(nginx.http_port, "/words");
    cr_assert_eq(np_request_set_automatic_decompression(request, NP_DECOMPRESS_GZIP, NULL), NP_OK);

    expect_words(fetch(request));

    finish();
    cr_expect_str_eq(sql("SELECT received_bytes > 20 AND received_bytes < 2000 FROM requests"), "1",
                     "%s", sql("SELECT received_bytes FROM requests"));
    take_down();
}
