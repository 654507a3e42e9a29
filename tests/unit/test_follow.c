/* Redirects and authentication on an engine that answers what the test says. Each name begins with
 * the rule of docs/contract.md it holds. */
#include "event.h"
#include "fail.h"
#include "request_fixture.h"

#include <stdarg.h>
#include <stdio.h>

struct talk {
    np_context *context;
    np_request *request;
    np_async *async;
};

static np_request *request_to(np_context *context, const char *url)
{
    np_error err = {0};
    np_request *request;
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    return request;
}

static struct talk talk_make(const char *url)
{
    struct talk t = {.context = context_make()};
    t.request = request_to(t.context, url);
    return t;
}

static void talk_begin(struct talk *t)
{
    t->async = begin(t->request, NULL, NULL);
}

static void talk_done(struct talk *t)
{
    np_async_release(t->async);
    np_request_release(t->request);
    np_context_free(t->context);
}

/* A whole answer with one field, or none. */
static void answer_with(size_t index, int status, const char *name, const char *value)
{
    const np_header_line line = {name, value, name ? strlen(name) : 0, value ? strlen(value) : 0};
    fake_header(index, status, 0, &line, name != NULL);
    fake_done(index, NULL);
}

static void redirect(size_t index, int status, const char *location)
{
    answer_with(index, status, "Location", location);
}

static void challenge(size_t index, const char *value)
{
    answer_with(index, 401, "WWW-Authenticate", value);
}

/* Ends as a failure with this status attached; the text is handed out. */
static np_error expect_refused(struct talk *t, int status)
{
    np_error err = {0};
    np_response *response;
    assert_web(np_request_end_get_response(t->request, t->async, &response, &err), &err,
               NP_WEB_PROTOCOL_ERROR);
    response = np_async_response(t->async);
    cr_assert_not_null(response);
    cr_assert_eq(np_response_status(response), status);
    cr_assert_eq(err.code, status);
    np_response_release(response);
    return err;
}

static bool sends(const fake_seen *seen, const char *line)
{
    return strstr(seen->headers, line) != NULL;
}

Test(follow, rs_0_a_redirect_is_another_hop_that_begins_where_the_first_ended)
{
    struct talk t = talk_make("http://example.test/a/b?c");
    talk_begin(&t);
    const fake_seen first = fake_wait(0, FAKE_STARTED);
    redirect(0, 302, "../d?e#f");
    const fake_seen second = fake_wait(1, FAKE_STARTED);
    fake_answer(1, 200, "there");

    np_response *response = end(t.request, t.async);

    cr_assert_str_eq(second.url, "http://example.test/d?e");
    cr_assert_eq(first.hop, 0);
    cr_assert_eq(second.hop, 1);
    cr_assert_eq(second.hop_of, 1);
    cr_assert_eq(second.hop_reason, NP_HOP_REDIRECT);
    cr_assert_gt(second.begin_ns, first.begin_ns);
    cr_assert_eq(np_response_status(response), 200);
    cr_assert_str_eq(np_response_uri(response), "http://example.test/d?e");
    cr_assert_str_eq(np_request_address(t.request), "http://example.test/d?e");
    np_response_release(response);
    talk_done(&t);
}

Test(follow, rs_0_the_method_follows_the_table_and_the_response_shows_it)
{
    static const struct {
        int status;
        const char *method, *next;
    } rows[] = {
        {301, "POST",   "GET" },
        {302, "PUT",    "PUT" },
        {303, "DELETE", "GET" },
        {303, "HEAD",   "HEAD"},
        {307, "POST",   "POST"},
        {308, "PUT",    "PUT" },
        {300, "GET",    "GET" },
        {300, "PUT",    "GET" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct talk t = talk_make("http://example.test/");
        cr_assert_eq(np_request_set_method(t.request, rows[i].method, NULL), NP_OK);
        talk_begin(&t);
        redirect(2 * i, rows[i].status, "/next");
        const fake_seen seen = fake_wait(2 * i + 1, FAKE_STARTED);
        fake_answer(2 * i + 1, 200, "");
        np_response *response = end(t.request, t.async);

        cr_expect_str_eq(seen.method, rows[i].next, "%d %s", rows[i].status, rows[i].method);
        cr_expect_str_eq(np_response_method(response), rows[i].next);
        cr_expect_str_eq(np_request_method(t.request), rows[i].method);
        const bool says_length =
            strcmp(rows[i].next, "POST") == 0 || strcmp(rows[i].next, "PUT") == 0;
        cr_expect_eq(sends(&seen, "Content-Length: 0"), says_length, "%d %s", rows[i].status,
                     rows[i].method);
        np_response_release(response);
        talk_done(&t);
    }
}

Test(follow, rs_1_an_empty_body_is_sent_again)
{
    struct talk t = talk_make("http://example.test/");
    cr_assert_eq(np_request_set_method(t.request, "PUT", NULL), NP_OK);
    cr_assert_eq(np_request_set_content_type(t.request, "text/plain", NULL), NP_OK);
    talk_begin(&t);
    redirect(0, 307, "/x");
    const fake_seen seen = fake_wait(1, FAKE_STARTED);
    cr_assert(sends(&seen, "Content-Length: 0"));
    cr_assert(sends(&seen, "Content-Type: text/plain"));
    fake_answer(1, 200, "");
    np_response_release(end(t.request, t.async));
    talk_done(&t);
}

Test(follow, rs_2_one_redirect_too_many_is_refused_with_the_last_one_attached)
{
    struct talk t = talk_make("http://example.test/0");
    cr_assert_eq(np_request_set_maximum_automatic_redirections(t.request, 3, NULL), NP_OK);
    talk_begin(&t);
    for (size_t i = 0; i < 3; i++)
        redirect(i, 302, "/again");
    redirect(3, 301, "/again");

    const np_error err = expect_refused(&t, 301);

    cr_assert(strstr(err.text, "more than 3 redirects"), "%s", err.text);
    cr_assert_eq(fake_started(), 4);
    talk_done(&t);
}

Test(follow, rs_2_fifty_redirects_are_followed_unless_told_otherwise)
{
    struct talk t = talk_make("http://example.test/");
    talk_begin(&t);
    for (size_t i = 0; i < 51; i++)
        redirect(i, 302, "/");
    const np_error err = expect_refused(&t, 302);
    cr_assert(strstr(err.text, "more than 50 redirects"), "%s", err.text);
    cr_assert_eq(fake_started(), 51);
    talk_done(&t);
}

Test(follow, rs_2_a_location_that_cannot_be_followed_is_a_protocol_error)
{
    static const struct {
        const char *location, *why;
    } cases[] = {
        {NULL,                             "no Location"      },
        {"ftp://example.test/",            "scheme ftp"       },
        {"http://",                        "no host"          },
        {"//someone:secret@example.test/", "user name"        },
        {"/a\001b",                        "control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk t = talk_make("http://example.test/");
        talk_begin(&t);
        if (cases[i].location)
            redirect(i, 302, cases[i].location);
        else
            answer_with(i, 302, NULL, NULL);
        const np_error err = expect_refused(&t, 302);
        cr_expect(strstr(err.text, cases[i].why), "%s", err.text);
        cr_expect_null(strstr(err.text, "secret"));
        cr_expect_eq(fake_started(), i + 1);
        talk_done(&t);
    }
}

Test(follow, rs_2_https_to_http_needs_allow_downgrade)
{
    for (size_t i = 0; i < 2; i++) {
        struct talk t = talk_make("https://example.test/");
        cr_assert_eq(np_request_set_allow_downgrade(t.request, i == 1, NULL), NP_OK);
        talk_begin(&t);
        const size_t index = i; /* the first one starts one transfer only */
        redirect(index, 302, "http://example.test/");
        if (i == 0) {
            const np_error err = expect_refused(&t, 302);
            cr_assert(strstr(err.text, "https to http"), "%s", err.text);
        } else {
            fake_answer(index + 1, 200, "");
            np_response *response = end(t.request, t.async);
            cr_assert_str_eq(np_response_uri(response), "http://example.test/");
            np_response_release(response);
        }
        talk_done(&t);
    }
}

Test(follow, rs_2_a_redirect_is_the_answer_when_it_is_not_to_be_followed)
{
    struct talk t = talk_make("http://example.test/");
    cr_assert_eq(np_request_set_allow_auto_redirect(t.request, false, NULL), NP_OK);
    talk_begin(&t);
    redirect(0, 302, "/next");
    np_response *response = end(t.request, t.async);
    cr_assert_eq(np_response_status(response), 302);
    cr_assert_eq(fake_started(), 1);
    np_response_release(response);
    talk_done(&t);
}

Test(follow, rs_3_what_is_for_one_origin_does_not_go_to_another)
{
    static const struct {
        const char *from, *to;
        bool cookie, referer, host;
    } cases[] = {
        {"http://a.test/",     "/x",                true,  true,  true },
        {"http://a.test/",     "http://b.test/",    false, true,  false},
        {"http://a.test/",     "http://a.test:81/", false, true,  false},
        {"https://a.test/",    "/x",                true,  false, true },
        {"https://a.test/",    "https://b.test/",   false, false, false},
        {"http://a.test:443/", "https://a.test/",   false, true,  true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk t = talk_make(cases[i].from);
        cr_assert_eq(np_request_header_set(t.request, "Authorization", "Bearer x", NULL), NP_OK);
        cr_assert_eq(np_request_header_set(t.request, "Proxy-Authorization", "y", NULL), NP_OK);
        cr_assert_eq(np_request_header_set(t.request, "Cookie", "a=b", NULL), NP_OK);
        cr_assert_eq(np_request_header_set(t.request, "X-Own", "kept", NULL), NP_OK);
        cr_assert_eq(np_request_set_referer(t.request, "http://c.test/", NULL), NP_OK);
        cr_assert_eq(np_request_set_host(t.request, "own.test", NULL), NP_OK);
        talk_begin(&t);
        const fake_seen first = fake_wait(2 * i, FAKE_STARTED);
        redirect(2 * i, 302, cases[i].to);
        const fake_seen seen = fake_wait(2 * i + 1, FAKE_STARTED);
        fake_answer(2 * i + 1, 200, "");
        np_response_release(end(t.request, t.async));

        cr_expect(sends(&first, "Authorization: Bearer x"));
        cr_expect_not(sends(&seen, "Authorization"), "case %zu", i);
        cr_expect(sends(&seen, "X-Own: kept"));
        cr_expect_eq(sends(&seen, "Cookie"), cases[i].cookie, "case %zu", i);
        cr_expect_eq(sends(&seen, "Referer"), cases[i].referer, "case %zu", i);
        cr_expect_str_eq(seen.host_header, cases[i].host ? "own.test" : "", "case %zu", i);
        talk_done(&t);
    }
}

static void set_credentials(struct talk *t)
{
    np_error err = {0};
    cr_assert_eq(np_request_set_credentials(t->request, "Aladdin", "open sesame", &err), NP_OK,
                 "%s", err.text);
}

#define ALADDIN "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="

Test(follow, rs_3_credentials_are_for_the_origin_of_the_request_alone)
{
    struct talk t = talk_make("http://a.test/");
    set_credentials(&t);
    talk_begin(&t);
    redirect(0, 302, "http://b.test/");
    challenge(1, "Basic realm=\"x\"");

    const np_error err = expect_refused(&t, 401);

    cr_assert(strstr(err.text, "401"));
    cr_assert_eq(fake_started(), 2);
    talk_done(&t);
}

Test(follow, rs_3_an_answer_is_dropped_on_a_redirect_and_given_again_when_asked)
{
    struct talk t = talk_make("http://a.test/");
    set_credentials(&t);
    talk_begin(&t);
    challenge(0, "Basic realm=\"x\"");
    redirect(1, 302, "/next");
    const fake_seen third = fake_wait(2, FAKE_STARTED);
    challenge(2, "Basic realm=\"x\"");
    const fake_seen fourth = fake_wait(3, FAKE_STARTED);
    fake_answer(3, 200, "");
    np_response_release(end(t.request, t.async));

    cr_assert_not(sends(&third, "Authorization"));
    cr_assert(sends(&fourth, ALADDIN));
    cr_assert_eq(fourth.hop, 3);
    talk_done(&t);
}

Test(follow, rs_4_basic_is_answered_by_a_hop_of_its_own)
{
    struct talk t = talk_make("http://a.test/");
    set_credentials(&t);
    talk_begin(&t);
    const fake_seen first = fake_wait(0, FAKE_STARTED);
    challenge(0, "Basic realm=\"x\"");
    const fake_seen second = fake_wait(1, FAKE_STARTED);
    fake_answer(1, 200, "");
    np_response_release(end(t.request, t.async));

    cr_assert_not(sends(&first, "Authorization"));
    cr_assert(sends(&second, ALADDIN), "%s", second.headers);
    cr_assert_eq(second.hop_reason, NP_HOP_AUTH);
    cr_assert_eq(second.hop, 1);
    cr_assert_str_eq(second.url, first.url);
    talk_done(&t);
}

Test(follow, rs_4_credentials_that_are_refused_are_sent_once)
{
    struct talk t = talk_make("http://a.test/");
    set_credentials(&t);
    talk_begin(&t);
    challenge(0, "Basic realm=\"x\"");
    challenge(1, "Basic realm=\"x\"");
    const np_error err = expect_refused(&t, 401);
    cr_assert(strstr(err.text, "refused the credentials"), "%s", err.text);
    cr_assert_eq(fake_started(), 2);
    talk_done(&t);
}

Test(follow, rs_4_a_stale_nonce_is_replaced_once_and_a_refusal_is_final)
{
    static const struct {
        const char *second, *third;
        size_t hops;
    } cases[] = {
        {"Digest realm=\"r\", nonce=\"2\", qop=auth, stale=true", NULL, 3},
        {"Digest realm=\"r\", nonce=\"2\", qop=auth",             NULL, 2},
        {"Digest realm=\"r\", nonce=\"2\", qop=auth, stale=true",
         "Digest realm=\"r\", nonce=\"3\", qop=auth, stale=true",       3},
    };
    size_t index = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk t = talk_make("http://a.test/");
        set_credentials(&t);
        talk_begin(&t);
        challenge(index, "Digest realm=\"r\", nonce=\"1\", qop=auth");
        fake_seen seen = fake_wait(index + 1, FAKE_STARTED);
        cr_assert(sends(&seen, "nonce=\"1\""), "%s", seen.headers);
        challenge(index + 1, cases[i].second);
        if (cases[i].hops == 3) {
            seen = fake_wait(index + 2, FAKE_STARTED);
            cr_assert(sends(&seen, "nonce=\"2\""));
        }
        if (cases[i].third)
            challenge(index + 2, cases[i].third);
        if (cases[i].hops == 2 || cases[i].third) {
            (void)expect_refused(&t, 401);
        } else {
            fake_answer(index + 2, 200, "");
            np_response_release(end(t.request, t.async));
        }
        index += cases[i].hops;
        cr_assert_eq(fake_started(), index);
        talk_done(&t);
    }
}

Test(follow, rs_4_a_401_that_cannot_be_answered_is_a_protocol_error)
{
    static const struct {
        bool credentials;
        const char *challenge, *why;
    } cases[] = {
        {false, "Basic realm=\"x\"",  "status 401"              },
        {true,  "Bearer realm=\"x\"", "expected Basic or Digest"},
        {true,  "\"garbage",          "expected Basic or Digest"},
        {true,  "",                   "expected Basic or Digest"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk t = talk_make("http://a.test/");
        if (cases[i].credentials)
            set_credentials(&t);
        talk_begin(&t);
        challenge(i, cases[i].challenge);
        const np_error err = expect_refused(&t, 401);
        cr_expect(strstr(err.text, cases[i].why), "%s", err.text);
        talk_done(&t);
    }
}

/* One request in the same context; returns the index behind its last hop. */
static size_t ask_again(np_context *context, const char *url, const char *password, size_t index,
                        bool wants_challenge)
{
    np_request *request = request_to(context, url);
    cr_assert_eq(np_request_set_credentials(request, "u", password, NULL), NP_OK);
    cr_assert_eq(np_request_set_pre_authenticate(request, true, NULL), NP_OK);
    np_async *async = begin(request, NULL, NULL);
    const fake_seen seen = fake_wait(index, FAKE_STARTED);
    cr_expect_neq(sends(&seen, "Authorization: Digest"), wants_challenge, "%s %s", url, password);
    if (wants_challenge)
        challenge(index++, "Digest realm=\"r\", nonce=\"n\", qop=auth");
    fake_answer(index++, 200, "");
    np_response_release(end(request, async));
    np_async_release(async);
    np_request_release(request);
    return index;
}

Test(follow, rs_4_pre_authenticate_answers_up_front_below_the_same_folder)
{
    np_context *context = context_make();
    size_t index = ask_again(context, "http://a.test/x/one", "p", 0, true);
    index = ask_again(context, "http://a.test/x/two", "p", index, false);
    index = ask_again(context, "http://a.test/x/y/three?q", "p", index, false);
    fake_seen seen = fake_look(index - 1);
    cr_expect(sends(&seen, "nc=00000003"), "%s", seen.headers);
    index = ask_again(context, "http://a.test/other", "p", index, true);
    index = ask_again(context, "http://b.test/x/one", "p", index, true);
    index = ask_again(context, "https://a.test/x/one", "p", index, true);
    (void)ask_again(context, "http://a.test/x/one", "another", index, true);
    np_context_free(context);
}

Test(follow, rs_4_an_early_answer_that_is_refused_is_forgotten)
{
    np_context *context = context_make();
    struct talk t = {.context = context};
    for (size_t i = 0; i < 3; i++) {
        t.request = request_to(context, "http://a.test/x");
        set_credentials(&t);
        cr_assert_eq(np_request_set_pre_authenticate(t.request, true, NULL), NP_OK);
        talk_begin(&t);
        const size_t index = i == 0 ? 0 : i + 1;
        const fake_seen seen = fake_wait(index, FAKE_STARTED);
        cr_expect_eq(sends(&seen, ALADDIN), i == 1, "request %zu", i);
        challenge(index, "Basic realm=\"x\"");
        if (i == 0) {
            fake_answer(1, 200, "");
            np_response_release(end(t.request, t.async));
        } else if (i == 1) {
            (void)expect_refused(&t, 401);
        } else {
            fake_answer(index + 1, 200, "");
            np_response_release(end(t.request, t.async));
        }
        np_async_release(t.async);
        np_request_release(t.request);
    }
    np_context_free(context);
}

Test(follow, rb_6_the_body_of_a_followed_answer_is_drained_and_never_handed_out)
{
    struct talk t = talk_make("http://a.test/");
    static const np_header_line line = {"Location", "/next", 8, 5};
    talk_begin(&t);
    fake_header(0, 302, 100, &line, 1);
    const fake_seen seen = fake_wait(0, FAKE_DRAINING);
    fake_body(0, "not for you", 11);
    fake_done(0, &refused); /* what becomes of such a body does not matter */
    fake_answer(1, 200, "for you");
    np_response *response = end(t.request, t.async);
    np_stream *stream;
    char bytes[32];
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);

    cr_assert_eq(seen.drain_max_bytes, 64 * 1024);
    cr_assert_eq(read_some(stream, bytes, sizeof bytes), 7);
    cr_assert_eq(memcmp(bytes, "for you", 7), 0);
    np_stream_release(stream);
    np_response_release(response);
    talk_done(&t);
}

Test(follow, ab_2_an_abort_between_header_and_end_stops_the_chain)
{
    struct talk t = talk_make("http://a.test/");
    static const np_header_line line = {"Location", "/next", 8, 5};
    np_error err = {0};
    np_response *response;
    talk_begin(&t);
    fake_header(0, 302, 100, &line, 1);
    np_request_abort(t.request);
    (void)fake_wait(0, FAKE_DONE);

    assert_web(np_request_end_get_response(t.request, t.async, &response, &err), &err,
               NP_WEB_REQUEST_CANCELED);

    cr_assert_eq(fake_started(), 1);
    talk_done(&t);
}

Test(follow, ab_2_an_abort_during_a_later_hop_ends_that_hop)
{
    struct talk t = talk_make("http://a.test/");
    np_error err = {0};
    np_response *response;
    talk_begin(&t);
    redirect(0, 302, "/next");
    (void)fake_wait(1, FAKE_STARTED);
    np_request_abort(t.request);
    const fake_seen seen = fake_wait(1, FAKE_DONE);

    assert_web(np_request_end_get_response(t.request, t.async, &response, &err), &err,
               NP_WEB_REQUEST_CANCELED);

    cr_assert(seen.flags & FAKE_ABORTED);
    talk_done(&t);
}

Test(follow, the_time_limit_of_the_whole_holds_for_every_hop)
{
    struct talk t = talk_make("http://a.test/");
    cr_assert_eq(np_request_set_async_timeout(t.request, 5000, NULL), NP_OK);
    talk_begin(&t);
    const fake_seen first = fake_wait(0, FAKE_STARTED);
    redirect(0, 302, "/next");
    const fake_seen second = fake_wait(1, FAKE_STARTED);
    cr_assert_eq(first.begin_ns + (uint64_t)first.deadline_after_begin_ns,
                 second.begin_ns + (uint64_t)second.deadline_after_begin_ns);
    np_error late;
    static const np_header_line line = {"Location", "/more", 8, 5};
    fake_header(1, 302, 5, &line, 1);
    (void)np_fail_web(&late, NP_WEB_TIMEOUT, NULL, 0, NULL, "timed out");
    fake_done(1, &late);
    np_error err = {0};
    np_response *response;

    assert_web(np_request_end_get_response(t.request, t.async, &response, &err), &err,
               NP_WEB_TIMEOUT);

    cr_assert_eq(fake_started(), 2);
    talk_done(&t);
}

Test(follow, a_later_hop_that_fails_fails_the_request)
{
    struct talk t = talk_make("http://a.test/");
    np_error err = {0};
    np_response *response;
    talk_begin(&t);
    redirect(0, 302, "/next");
    fake_done(1, &refused);
    assert_web(np_request_end_get_response(t.request, t.async, &response, &err), &err,
               NP_WEB_CONNECT_FAILURE);
    cr_assert_null(np_async_response(t.async));
    talk_done(&t);
}

Test(follow, a_hop_that_cannot_be_started_fails_the_request)
{
    struct talk t = talk_make("http://a.test/");
    np_error err = {0};
    np_response *response;
    static const np_header_line line = {"Location", "/next", 8, 5};
    talk_begin(&t);
    fake_header(0, 302, 0, &line, 1);
    fake_refuse_start();
    fake_done(0, NULL);
    cr_assert_eq(np_request_end_get_response(t.request, t.async, &response, &err), NP_E_NO_MEMORY);
    talk_done(&t);
}

Test(follow, sm_1_the_properties_are_checked_and_locked)
{
    struct talk t = talk_make("http://a.test/");
    np_request *r = t.request;
    cr_expect_eq(np_request_set_maximum_automatic_redirections(r, 0, NULL), NP_E_ARGUMENT_RANGE);
    cr_expect_eq(np_request_set_maximum_automatic_redirections(r, -1, NULL), NP_E_ARGUMENT_RANGE);
    cr_expect_eq(np_request_set_maximum_automatic_redirections(r, 1, NULL), NP_OK);
    np_error err = {0};
    cr_expect_eq(np_request_set_credentials(r, "a:b", "c", &err), NP_E_ARGUMENT);
    cr_expect_eq(np_request_set_credentials(r, "a", "c\nsecret", &err), NP_E_ARGUMENT);
    cr_expect_null(strstr(err.text, "secret"), "%s", err.text);
    cr_expect_eq(np_request_set_credentials(r, "a", NULL, NULL), NP_OK);
    cr_expect_eq(np_request_set_credentials(r, NULL, NULL, NULL), NP_OK);
    cr_expect_eq(np_request_set_automatic_decompression(r, 32, NULL), NP_E_ARGUMENT);
    cr_expect_eq(np_request_set_automatic_decompression(r, NP_DECOMPRESS_ZSTD, NULL), NP_E_ARGUMENT,
                 "this engine has none");
    cr_expect_eq(np_request_set_automatic_decompression(r, NP_DECOMPRESS_GZIP, NULL), NP_OK);
    cr_expect_eq(np_request_set_allow_downgrade(NULL, true, NULL), NP_E_ARGUMENT_NULL);
    cr_expect_null(np_request_address(NULL));
    talk_begin(&t);
    cr_expect_eq(np_request_set_allow_auto_redirect(r, true, NULL), NP_E_INVALID_OPERATION);
    cr_expect_eq(np_request_set_maximum_automatic_redirections(r, 0, NULL), NP_E_INVALID_OPERATION);
    cr_expect_eq(np_request_set_allow_downgrade(r, true, NULL), NP_E_INVALID_OPERATION);
    cr_expect_eq(np_request_set_credentials(r, "a", "b", NULL), NP_E_INVALID_OPERATION);
    cr_expect_eq(np_request_set_pre_authenticate(r, true, NULL), NP_E_INVALID_OPERATION);
    cr_expect_eq(np_request_set_automatic_decompression(r, 1, NULL), NP_E_INVALID_OPERATION);
    fake_answer(0, 200, "");
    np_response_release(end(r, t.async));
    talk_done(&t);
}

Test(follow, accept_encoding_says_what_is_decompressed_once)
{
    static const struct {
        uint32_t flags;
        const char *given, *wanted;
    } cases[] = {
        {NP_DECOMPRESS_GZIP,                         NULL,         "Accept-Encoding: gzip\n"         },
        {NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE, NULL,         "Accept-Encoding: gzip, deflate\n"},
        {NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE, "GZIP;q=0.5",
         "Accept-Encoding: GZIP;q=0.5, deflate\n"                                                    },
        {NP_DECOMPRESS_GZIP,                         "x-gzip",     "Accept-Encoding: x-gzip, gzip\n" },
        {NP_DECOMPRESS_NONE,                         "br",         "Accept-Encoding: br\n"           },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk t = talk_make("http://a.test/");
        cr_assert_eq(np_request_set_automatic_decompression(t.request, cases[i].flags, NULL),
                     NP_OK);
        if (cases[i].given)
            cr_assert_eq(np_request_header_set(t.request, "Accept-Encoding", cases[i].given, NULL),
                         NP_OK);
        talk_begin(&t);
        const fake_seen seen = fake_wait(i, FAKE_STARTED);
        fake_answer(i, 200, "");
        np_response_release(end(t.request, t.async));
        cr_expect(sends(&seen, cases[i].wanted), "%s", seen.headers);
        cr_expect_eq(seen.decode, cases[i].flags != 0);
        talk_done(&t);
    }
}
