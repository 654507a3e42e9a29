/* The body of a request on later hops: redirects, challenges, 417. Each name begins with the rule
 * of docs/contract.md it holds. */
#include "digest_server.h"
#include "hop_rig.h"

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

Test(hop_bodies, rs_1_a_body_is_sent_again_from_its_copy)
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

Test(hop_bodies, rs_1_a_body_without_a_copy_cannot_be_sent_again)
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

Test(hop_bodies, rs_1_a_redirect_that_drops_the_body_needs_no_copy)
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

Test(hop_bodies, rs_1_a_redirect_before_the_body_sends_it_to_the_next_hop_alone)
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

Test(hop_bodies, expect_that_a_server_does_not_know_is_left_out_once)
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

Test(hop_bodies, a_server_that_says_417_for_ever_is_asked_twice)
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

Test(hop_bodies, rs_4_a_body_is_sent_again_to_a_server_that_asks_for_digest)
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

/* --- 407: the proxy asks --- */

#define ASKS_FOR                                                                                   \
    "send \"HTTP/1.1 407 Who\\r\\nProxy-Authenticate: Basic realm=x\\r\\nContent-Length: "         \
    "0\\r\\n\\r\\n\"; "

/* A request to a server that nobody looks up, since the scripted server is the proxy to it. */
static np_request *through(struct scripted_server *server, const char *user)
{
    char proxies[96];
    np_proxy *proxy;
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    snprintf(proxies, sizeof proxies, "http://%s127.0.0.1:%u", user, scripted_server_port(server));
    options.proxies = proxies;
    cr_assert_eq(np_proxy_create(&options, &proxy, NULL), NP_OK);
    np_request *request = request_to("http://nobody.test", 80, "/x");
    cr_assert_eq(np_request_set_proxy(request, proxy, NULL), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    np_proxy_release(proxy);
    return request;
}

Test(hop_bodies, rs_4_a_body_is_sent_again_to_a_proxy_that_asks)
{
    static const char *const takes[] = {
        [BUFFERED] = "body 5; ", [WITH_LENGTH] = "body 5; ", [IN_CHUNKS] = "chunks; "};
    static const char *const bodies[] = {[BUFFERED] = "\r\n\r\n12345",
                                         [WITH_LENGTH] = "\r\n\r\n12345",
                                         [IN_CHUNKS] = "\r\n\r\n2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"};
    for (int mode = BUFFERED; mode <= IN_CHUNKS; mode++) {
        char text[512];
        snprintf(text, sizeof text, "head; %s" ASKS_FOR "hang\n---\nhead; %s" OK, takes[mode],
                 takes[mode]); /* libcurl gives the body once a connection */
        struct scripted_server *server = script(text);
        set_up();
        const struct got *got =
            post(through(server, "ann:secret@"), "POST", (enum body_mode)mode, true);
        cr_expect_str_eq(got->body, "ok", "mode %d: %s", mode, got->err.text);
        finish();
        char *heard = scripted_server_heard(server, NULL);
        const char *first = strstr(heard, bodies[mode]);
        cr_assert_not_null(first, "%s", heard);
        cr_expect_not_null(strstr(first + 1, bodies[mode]), "byte for byte the same: %s", heard);
        cr_expect_not_null(strstr(first, "Proxy-Authorization: Basic "), "%s", heard);
        free(heard);
        scripted_server_stop(server);
        cr_expect_str_eq(sql(HOPS), "0 first 407 ok, 1 proxy_auth 200 ok");
        take_down();
    }
}

Test(hop_bodies, rs_1_without_a_copy_the_407_of_a_proxy_is_the_answer)
{
    for (int mode = WITH_LENGTH; mode <= IN_CHUNKS; mode++) {
        char text[512];
        snprintf(text, sizeof text, "head; %s" ASKS_FOR OK,
                 mode == IN_CHUNKS ? "chunks; " : "body 5; ");
        struct scripted_server *server = script(text);
        set_up();
        const struct got *got =
            post(through(server, "ann:secret@"), "POST", (enum body_mode)mode, false);
        cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", got->err.text);
        cr_expect(strstr(got->err.text, "not buffered"), "mode %d: %s", mode, got->err.text);
        cr_expect_eq(got->http_status, 407);
        cr_expect_eq(scripted_server_heads(server), 1);
        finish();
        scripted_server_stop(server);
        cr_expect_str_eq(sql(HOPS), "0 first 407 failed");
        take_down();
    }
}

Test(hop_bodies, rs_4_a_407_that_cannot_be_answered_is_the_answer)
{
    static const char *const users[] = {"", "ann:wrong@"};
    for (size_t i = 0; i < 2; i++) {
        struct scripted_server *server = script("head; body 5; " ASKS_FOR "hang");
        set_up();
        const struct got *got = post(through(server, users[i]), "POST", WITH_LENGTH, true);
        cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", got->err.text);
        cr_expect_null(strstr(got->err.text, "not buffered"), "%s", got->err.text);
        cr_expect_eq(got->http_status, 407);
        finish();
        scripted_server_stop(server);
        take_down();
    }
}

/* --- 401 --- */

#define ASKS                                                                                       \
    "send \"HTTP/1.1 401 Who\\r\\nWWW-Authenticate: Basic realm=x\\r\\nContent-Length: "           \
    "0\\r\\n\\r\\n\"; "

Test(hop_bodies, rs_4_a_body_is_sent_again_to_a_server_that_asks)
{
    struct scripted_server *server = script("head; body 5; " ASKS "head; body 5; " OK);
    set_up();
    np_request *request = local(scripted_server_port(server), "/x");
    with_credentials(request, "ann", "secret");
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    const struct got *got = post(request, "PUT", BUFFERED, true);
    cr_expect_str_eq(got->body, "ok", "%s", got->err.text);
    finish();
    char *heard = scripted_server_heard(server, NULL);
    const char *first = strstr(heard, "\r\n\r\n12345");
    cr_assert(first && strstr(first + 1, "\r\n\r\n12345"), "%s", heard);
    free(heard);
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 401 ok, 1 auth 200 ok");
    take_down();
}

Test(hop_bodies, rs_1_without_a_copy_the_401_is_the_answer)
{
    struct scripted_server *server = script("head; body 5; " ASKS "hang");
    set_up();
    np_request *request = local(scripted_server_port(server), "/x");
    with_credentials(request, "ann", "secret");
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    const struct got *got = post(request, "PUT", WITH_LENGTH, false);
    cr_expect_eq(got->err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", got->err.text);
    cr_expect(strstr(got->err.text, "not buffered"), "%s", got->err.text);
    cr_expect_eq(got->http_status, 401);
    finish();
    scripted_server_stop(server);
    take_down();
}

/* --- RS-1: an answer before the stream was handed out --- */

Test(hop_bodies, rs_1_a_redirect_that_drops_the_body_waits_for_the_end_of_the_upload)
{
    struct scripted_server *server = script("head; " FOUND("303") "hang\n---\nhead; " OK);
    set_up();
    np_request *request = local(scripted_server_port(server), "/");
    np_async *async;
    np_stream *stream;
    np_response *response;
    np_error err = {0};
    with_method(request, "POST");
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, 200000, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), NP_OK);
    cr_assert_eq(np_async_wait(async, 20000), 0);
    /* the rest of the 303 is there when its hop has a row; until then nothing may follow */
    static char bytes[100000];
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK, "%s",
                 err.text);
    np_async_release(async);
    cr_assert_eq(np_stream_write(stream, bytes, sizeof bytes, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_OPEN);
    cr_assert_not(np_request_have_response(request));
    cr_assert_eq(scripted_server_heads(server), 1, "the caller is still writing");
    cr_assert_eq(np_stream_write(stream, bytes, sizeof bytes, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &err), NP_OK, "%s",
                 err.text);
    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_OK, "%s",
                 err.text);
    cr_expect_eq(np_response_status(response), 200);
    cr_expect_str_eq(np_response_method(response), "GET");
    np_async_release(async);
    np_stream_release(stream);
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
    for (size_t n = 1; n > 0;)
        cr_assert_eq(np_stream_read(stream, bytes, sizeof bytes, &n, &err), NP_OK, "%s", err.text);
    np_stream_release(stream);
    np_response_release(response);
    np_request_release(request);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql(HOPS), "0 first 303 ok, 1 redirect 200 ok");
    take_down();
}

Test(hop_bodies, rs_1_an_abort_while_it_waits_ends_it)
{
    struct scripted_server *server = script("head; " FOUND("303") "hang\n---\nhead; " OK);
    set_up();
    np_request *request = local(scripted_server_port(server), "/");
    np_async *async;
    np_error err = {0};
    with_method(request, "POST");
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), NP_OK);
    cr_assert_eq(np_async_wait(async, 20000), 0);
    np_request_abort(request);
    np_async_release(async);
    np_request_release(request);
    finish();
    scripted_server_stop(server);
    cr_expect_eq(strncmp(sql(HOPS), "0 first 303 ", 12), 0, "%s", sql(HOPS));
    take_down();
}

/* --- the caller --- */

Test(hop_bodies, what_begin_held_its_caller_is_in_the_trace_of_every_request)
{
    struct scripted_server *server = script("head; body 5; " OK "\n---\nhead; " OK);
    set_up();
    np_request *request = local(scripted_server_port(server), "/");
    cr_assert_eq(np_request_set_expect_continue(request, false, NULL), NP_OK);
    (void)post(request, "POST", BUFFERED, true);
    request = local(scripted_server_port(server), "/");
    cr_assert_eq(np_request_set_reuse(request, NP_REUSE_FRESH, NULL), NP_OK);
    (void)fetch(request);
    finish();
    scripted_server_stop(server);
    cr_expect_str_eq(sql("SELECT count(*) FROM requests WHERE caller_blocked_ns > 0"), "2");
    take_down();
}
