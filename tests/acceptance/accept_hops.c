/* Section 8.2, redirects, authentication and retries (RS). */
#include "acceptance.h"
#include "digest_server.h"
#include "folder.h"
#include "test_ca.h"
#include <stdio.h>

#define REDIRECT(status, to) SEND(status, "Location: " to "\\r\\nContent-Length: 0\\r\\n", "")
#define ASK_BASIC                                                                                  \
    SEND("401 Unauthorized",                                                                       \
         "WWW-Authenticate: Basic realm=\\\"r\\\"\\r\\nContent-Length: 0\\r\\n", "")
#define ADA_LOVELACE "Authorization: Basic YWRhOmxvdmVsYWNl\r\n" /* ada:lovelace */

/* ------------------------------------------------------------------------ RS-0: which verb, which body */

struct hop {
    const char *method;
    const char *body;
    const char *method_after;
    bool replayed;
};

static void expect_hop(int status, const struct hop *hop)
{
    char script[512], line[32];
    bool has_body = hop->body[0] != '\0';
    snprintf(
        script, sizeof script,
        "head; %ssend \"HTTP/1.1 %d Go\\r\\nLocation: /next\\r\\nContent-Length: 0\\r\\n\\r\\n\"; "
        "head; %s" HELLO_REPLY,
        has_body ? "body 3; " : "", status, hop->replayed ? "body 3; " : "");
    struct world w = world_open(script);
    np_request *r = ask_for(&w, hop->method, "/first");
    without_expect(r);
    if (has_body) {
        np_stream *s = open_stream(r);
        put(s, hop->body);
        finish(s);
    }
    np_response *response = get_response(r);
    cr_assert_str_eq(np_response_method(response), hop->method_after, "%d %s", status, hop->method);
    cr_assert_str_eq(np_response_uri(response), url_of(&w, "/next"));
    cr_assert_str_eq(np_request_address(r), url_of(&w, "/next"));
    snprintf(line, sizeof line, "%s /next HTTP/1.1\r\n", hop->method_after);
    cr_assert(heard(&w, line), "%d %s", status, hop->method);
    cr_assert_eq(times_heard(&w, "\r\n\r\nabc"), (has_body ? 1u : 0u) + hop->replayed);
    np_response_release(response);
    world_close(&w);
}

Test(rs_0, after_301_and_302_a_post_becomes_a_get_and_the_rest_stays)
{
    static const struct hop hops[] = {
        {"POST",   "abc", "GET",    false},
        {"POST",   "",    "GET",    false},
        {"GET",    "",    "GET",    false},
        {"HEAD",   "",    "HEAD",   false},
        {"PUT",    "abc", "PUT",    true },
        {"PATCH",  "abc", "PATCH",  true },
        {"DELETE", "",    "DELETE", false}
    };
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        expect_hop(301, &hops[i]);
        expect_hop(302, &hops[i]);
    }
}

Test(rs_0, after_300_and_303_what_has_a_body_becomes_a_get)
{
    static const struct hop hops[] = {
        {"POST", "abc", "GET",  false},
        {"GET",  "",    "GET",  false},
        {"HEAD", "",    "HEAD", false},
        {"PUT",  "abc", "GET",  false}
    };
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        expect_hop(300, &hops[i]);
        expect_hop(303, &hops[i]);
    }
}

Test(rs_0, after_303_every_verb_but_head_becomes_a_get)
{
    expect_hop(303, &(struct hop){"DELETE", "", "GET", false});
    expect_hop(303, &(struct hop){"PUT", "", "GET", false});
    expect_hop(303, &(struct hop){"OPTIONS", "", "GET", false});
}

Test(rs_0, after_307_and_308_the_verb_and_the_body_stay)
{
    static const struct hop hops[] = {
        {"POST", "abc", "POST", true },
        {"POST", "",    "POST", false},
        {"GET",  "",    "GET",  false},
        {"HEAD", "",    "HEAD", false},
        {"PUT",  "abc", "PUT",  true }
    };
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        expect_hop(307, &hops[i]);
        expect_hop(308, &hops[i]);
    }
}

Test(rs_0, a_chunked_body_that_was_kept_is_sent_again)
{
    struct world w =
        world_open("head; chunks; " REDIRECT("307 Go", "/next") "head; chunks; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_send_chunked(r, true, e));
    np_stream *s = open_stream(r);
    put(s, "ab");
    put(s, "cd");
    finish(s);
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "\r\n0\r\n\r\n"), 2);
    world_close(&w);
}

/* ------------------------------------------------------------------------- RS-1: nothing was kept */

static np_request *ask_unbuffered(struct world *w, const char *method)
{
    np_request *r = ask(w, method);
    OK(np_request_set_content_length(r, 3, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    return r;
}

static void expect_needs_buffering(np_request *r, int status)
{
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    cr_assert(strstr(error.text, "buffer"), "%s", error.text);
    np_response *response = np_request_response(r);
    cr_assert_eq(np_response_status(response), status);
    np_response_release(response);
}

Test(rs_1, without_a_copy_a_body_is_not_sent_again)
{
    struct world w = world_open("head; body 3; " REDIRECT("307 Go", "/next"));
    np_request *r = ask_unbuffered(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_needs_buffering(r, 307);
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}

Test(rs_1, without_a_copy_a_challenge_is_not_answered)
{
    struct world w = world_open("head; body 3; " ASK_BASIC);
    np_request *r = ask_unbuffered(&w, "PUT");
    without_expect(r);
    OK(np_request_set_credentials(r, "ada", "lovelace", e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_needs_buffering(r, 401);
    world_close(&w);
}

Test(rs_1, a_redirect_that_drops_the_body_needs_no_copy)
{
    struct world w = world_open("head; body 3; " REDIRECT("302 Go", "/next") "head; " HELLO_REPLY);
    np_request *r = ask_unbuffered(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "GET /next HTTP/1.1\r\n"));
    world_close(&w);
}

Test(rs_1, an_empty_body_needs_no_copy)
{
    struct world w = world_open("head; " REDIRECT("307 Go", "/next") "head; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_content_length(r, 0, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    finish(open_stream(r));
    expect_hello(r);
    cr_assert(heard(&w, "POST /next HTTP/1.1\r\n"));
    world_close(&w);
}

Test(rs_1, a_redirect_in_place_of_100_waits_for_the_body_and_is_followed_then)
{
    struct world w =
        world_open("head; " REDIRECT("302 Go", "/next") "head; " HELLO_REPLY "\n---\n" HELLO);
    np_request *r = ask_unbuffered(&w, "POST");
    OK(np_request_set_continue_timeout(r, -1, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "GET /next HTTP/1.1\r\n"));
    cr_assert_not(heard(&w, "abc"));
    world_close(&w);
}

Test(rs_1, a_redirect_in_place_of_100_takes_a_body_that_is_kept_along)
{
    struct world w = world_open("head; " REDIRECT("307 Go", "/next") "\n---\nhead; " CONTINUE
                                                                     "body 3; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_content_length(r, 3, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "POST /next HTTP/1.1\r\n"));
    cr_assert_eq(times_heard(&w, "abc"), 1);
    world_close(&w);
}

/* ---------------------------------------------------------------------- RS-2: where it does not lead */

static void expect_stopped(const char *script, int status, unsigned heads)
{
    struct world w = world_open(script);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_maximum_automatic_redirections(r, 2, e));
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    np_response *response = np_request_response(r);
    cr_assert(response, "no response is attached");
    cr_assert_eq(np_response_status(response), status);
    np_response_release(response);
    cr_assert_eq(scripted_server_heads(w.server), heads);
    world_close(&w);
}

Test(rs_2, one_redirect_too_many_ends_it_with_the_last_one_attached)
{
    expect_stopped("head; " REDIRECT("302 Go", "/") "again", 302, 3);
}

Test(rs_2, as_many_redirects_as_are_allowed_are_followed)
{
    struct world w =
        world_open("head; " REDIRECT("302 Go", "/a") "head; " REDIRECT("302 Go", "/b") HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_maximum_automatic_redirections(r, 2, e));
    expect_hello(r);
    world_close(&w);
}

Test(rs_2, a_redirect_without_a_location_is_an_error)
{
    expect_stopped("head; " SEND("302 Go", "Content-Length: 0\\r\\n", ""), 302, 1);
}

Test(rs_2, a_redirect_to_another_scheme_or_to_nonsense_is_an_error)
{
    expect_stopped("head; " REDIRECT("302 Go", "ftp://127.0.0.1/"), 302, 1);
    expect_stopped("head; " REDIRECT("301 Go", "file:///etc/passwd"), 301, 1);
    expect_stopped("head; " REDIRECT("302 Go", "http://127.0.0.1:99999/"), 302, 1);
}

Test(rs_2, a_location_is_taken_relative_to_where_it_was_said)
{
    static const char *const locations[][2] = {
        {"c",       "/a/c"    },
        {"../d",    "/d"      },
        {"?q=1",    "/a/b?q=1"},
        {"/e?f",    "/e?f"    },
        {"./",      "/a/"     },
        {"g#h",     "/a/g"    },
        {"/i/../j", "/j"      }
    };
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        char script[256];
        snprintf(script, sizeof script,
                 "head; send \"HTTP/1.1 302 Go\\r\\nLocation: %s\\r\\nContent-Length: "
                 "0\\r\\n\\r\\n\"; " HELLO,
                 locations[i][0]);
        struct world w = world_open(script);
        np_response *response = get_response(ask_for(&w, "GET", "/a/b?x"));
        const char *fragment = strchr(np_response_uri(response), '#');
        cr_assert(!fragment || i == 5);
        cr_assert(strncmp(np_response_uri(response), url_of(&w, locations[i][1]),
                          strlen(url_of(&w, locations[i][1]))) == 0,
                  "%s: %s", locations[i][0], np_response_uri(response));
        np_response_release(response);
        world_close(&w);
    }
}

/* --------------------------------------------------------------------------- RS-3: what goes along */

Test(rs_3, authorization_does_not_go_along)
{
    struct world w = world_open("head; " REDIRECT("302 Go", "/next") HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_header_set(r, "Authorization", "Bearer secret", e));
    OK(np_request_header_set(r, "X-Mine", "kept", e));
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "Bearer secret"), 1);
    cr_assert_eq(times_heard(&w, "X-Mine: kept"), 2);
    world_close(&w);
}

Test(rs_3, the_fields_of_a_body_go_with_the_body)
{
    struct world w = world_open("head; body 3; " REDIRECT("303 Go", "/next") HELLO);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_type(r, "text/plain", e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "Content-Type: text/plain"), 1);
    cr_assert_eq(times_heard(&w, "Content-Length"), 1);
    world_close(&w);
}

Test(rs_3, the_fields_of_a_body_stay_with_the_body)
{
    struct world w =
        world_open("head; body 3; " REDIRECT("307 Go", "/next") "head; body 3; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_type(r, "text/plain", e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "Content-Type: text/plain"), 2);
    cr_assert_eq(times_heard(&w, "Content-Length: 3"), 2);
    world_close(&w);
}

Test(rs_3, a_host_of_ones_own_stays_on_the_same_host_and_goes_on_another)
{
    struct world other = world_open(HELLO);
    char script[256];
    snprintf(
        script, sizeof script,
        "head; " REDIRECT("302 Go", "/next") "head; send \"HTTP/1.1 302 Go\\r\\nLocation: %s\\r\\n"
                                             "Content-Length: 0\\r\\n\\r\\n\"",
        url_of(&other, "/"));
    struct world w = world_open(script);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_host(r, "mine.test", e));
    OK(np_request_set_referer(r, "http://from.test/", e));
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "Host: mine.test\r\n"), 2);
    cr_assert_eq(times_heard(&other, "Host: mine.test\r\n"), 0);
    cr_assert_eq(times_heard(&other, "Host: 127.0.0.1:"), 1);
    cr_assert_eq(times_heard(&other, "Referer: http://from.test/\r\n"), 1);
    cr_assert_str_eq(np_request_address(r), url_of(&other, "/"));
    cr_assert_str_eq(np_request_uri(r), url_of(&w, "/"));
    world_close(&w);
    world_close(&other);
}

/* -------------------------------------------------------------------------------- RS-4: challenges */

static void expect_unauthorized(np_request *r, int status)
{
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    np_response *response = np_request_response(r);
    cr_assert_eq(np_response_status(response), status);
    np_response_release(response);
}

Test(rs_4, without_credentials_a_challenge_is_the_answer)
{
    struct world w = world_open("head; " ASK_BASIC "again");
    expect_unauthorized(ask(&w, "GET"), 401);
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}

Test(rs_4, a_challenge_of_another_scheme_is_the_answer)
{
    struct world w = world_open(
        "head; " SEND("401 Unauthorized", "WWW-Authenticate: Unheard\\r\\nContent-Length: 0\\r\\n",
                      "") "head; " SEND("401 Unauthorized", "Content-Length: 0\\r\\n", ""));
    for (int i = 0; i < 2; i++) {
        np_request *r = ask(&w, "GET");
        OK(np_request_set_credentials(r, "ada", "lovelace", e));
        expect_unauthorized(r, 401);
    }
    cr_assert_eq(scripted_server_heads(w.server), 2);
    world_close(&w);
}

Test(rs_4, basic_is_answered_once_it_is_asked_for_and_not_before)
{
    struct world w = world_open("head; " ASK_BASIC HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_credentials(r, "ada", "lovelace", e));
    expect_hello(r);
    cr_assert_eq(times_heard(&w, ADA_LOVELACE), 1);
    cr_assert_eq(scripted_server_heads(w.server), 2);
    world_close(&w);
}

Test(rs_4, a_body_that_is_kept_is_sent_again_with_the_answer)
{
    struct world w = world_open("head; body 3; " ASK_BASIC TAKES(3));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_credentials(r, "ada", "lovelace", e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert_eq(times_heard(&w, "\r\n\r\nabc"), 2);
    cr_assert_eq(times_heard(&w, ADA_LOVELACE), 1);
    world_close(&w);
}

Test(rs_4, wrong_credentials_are_tried_once)
{
    struct world w = world_open("head; " ASK_BASIC "again");
    np_request *r = ask(&w, "GET");
    OK(np_request_set_credentials(r, "ada", "wrong", e));
    expect_unauthorized(r, 401);
    cr_assert_eq(scripted_server_heads(w.server), 2);
    world_close(&w);
}

Test(rs_4, a_407_from_an_origin_is_an_error_with_its_response)
{
    struct world w = world_open("head; " SEND(
        "407 Proxy", "Proxy-Authenticate: Basic realm=\\\"p\\\"\\r\\nContent-Length: 0\\r\\n",
        "") "again");
    np_request *r = ask(&w, "GET");
    expect_unauthorized(r, 407);
    world_close(&w);
}

static void expect_digest(const struct digest_options *options, const char *method)
{
    struct digest_server *server = digest_server_start(options);
    char url[64];
    cr_assert(server);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/dir/a", digest_server_port(server));
    struct world w = world_open(HELLO);
    np_request *r = ask_url(&w, method, url);
    OK(np_request_set_credentials(r, "Mufasa", "Circle of Life", e));
    if (strcmp(method, "GET") != 0) {
        without_expect(r);
        np_stream *s = open_stream(r);
        put(s, "abc");
        finish(s);
    }
    np_response *response = get_response(r);
    struct digest_counts counts = digest_server_counts(server);
    cr_assert_str_eq(body_of(response), "welcome");
    cr_assert_eq(counts.accepted, 1, "%s", counts.why);
    cr_assert_eq(counts.challenged, 1);
    np_response_release(response);
    world_close(&w);
    digest_server_stop(server);
}

Test(rs_4, digest_is_answered_whatever_its_algorithm)
{
    expect_digest(&(struct digest_options){0}, "GET");
    expect_digest(&(struct digest_options){.algorithm = "SHA-256"}, "GET");
    expect_digest(&(struct digest_options){.algorithm = "MD5-sess"}, "GET");
    expect_digest(&(struct digest_options){.without_qop = true}, "GET");
    expect_digest(&(struct digest_options){.algorithm = "MD5", .offers_basic = true}, "POST");
}

Test(rs_4, with_pre_authenticate_the_first_is_challenged_and_the_next_is_not)
{
    struct world w = world_open("head; " ASK_BASIC "head; " HELLO_REPLY "head; " HELLO_REPLY
                                "head; " HELLO_REPLY);
    for (int i = 0; i < 3; i++) {
        np_request *r = ask_for(&w, "GET", i == 1 ? "/dir/b" : "/dir/a");
        OK(np_request_set_credentials(r, "ada", "lovelace", e));
        OK(np_request_set_pre_authenticate(r, true, e));
        expect_hello(r);
    }
    cr_assert_eq(times_heard(&w, ADA_LOVELACE), 3);
    cr_assert_eq(scripted_server_heads(w.server), 4);
    world_close(&w);
}

Test(rs_4, without_pre_authenticate_every_request_is_challenged)
{
    struct world w =
        world_open("head; " ASK_BASIC "head; " HELLO_REPLY "head; " ASK_BASIC "head; " HELLO_REPLY);
    for (int i = 0; i < 2; i++) {
        np_request *r = ask(&w, "GET");
        OK(np_request_set_credentials(r, "ada", "lovelace", e));
        expect_hello(r);
    }
    cr_assert_eq(times_heard(&w, ADA_LOVELACE), 2);
    world_close(&w);
}

Test(rs_4, credentials_do_not_go_to_another_origin)
{
    struct world other = world_open("head; " ASK_BASIC "again");
    char script[256];
    snprintf(script, sizeof script,
             "head; send \"HTTP/1.1 302 Go\\r\\nLocation: %s\\r\\nContent-Length: 0\\r\\n\\r\\n\"; "
             "again",
             url_of(&other, "/"));
    struct world w = world_open(script);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_credentials(r, "ada", "lovelace", e));
    expect_unauthorized(r, 401);
    cr_assert_not(heard(&other, "Authorization"));
    world_close(&w);
    world_close(&other);
}

/* ------------------------------------------------------------------- RS-5: a kept connection is dead */

Test(rs_5, a_get_on_a_kept_connection_that_dies_is_sent_again_on_a_new_one)
{
    struct world w = world_open("head; " HELLO_REPLY "head\n---\n" HELLO);
    expect_hello(ask(&w, "GET"));
    expect_hello(ask_for(&w, "GET", "/again"));
    cr_assert_eq(scripted_server_connections(w.server), 2);
    cr_assert_eq(times_heard(&w, "GET /again"), 2);
    world_close(&w);
}

Test(rs_5, a_body_that_is_kept_is_sent_again_too)
{
    struct world w = world_open("head; " HELLO_REPLY "head; body 3\n---\n" TAKES(3));
    expect_hello(ask(&w, "GET"));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(rs_5, a_body_of_which_nothing_was_kept_is_a_keep_alive_failure)
{
    struct world w = world_open("head; " HELLO_REPLY "head; body 3\n---\n" TAKES(3));
    expect_hello(ask(&w, "GET"));
    np_request *r = ask_unbuffered(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_KEEP_ALIVE_FAILURE, "%s (%s)", error.text,
                 np_web_status_name(error.web_status));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(rs_5, a_retry_happens_once)
{
    struct world w = world_open("head; " HELLO_REPLY "head\n---\nhead");
    expect_hello(ask(&w, "GET"));
    np_error error = failure_of(ask(&w, "GET"));
    cr_assert_eq(error.web_status, NP_WEB_CONNECTION_CLOSED, "%s", error.text);
    cr_assert_eq(scripted_server_connections(w.server), 2);
    world_close(&w);
}

Test(rs_5, a_new_connection_that_dies_is_not_tried_again)
{
    struct world w = world_open("head");
    np_error error = failure_of(ask(&w, "GET"));
    cr_assert_eq(error.web_status, NP_WEB_CONNECTION_CLOSED, "%s", error.text);
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(rs_2, a_3xx_that_is_no_redirect_is_an_error)
{
    expect_stopped("head; " REDIRECT("305 Use Proxy", "/next"), 305, 1);
    expect_stopped("head; " REDIRECT("306 Odd", "/next"), 306, 1);
    expect_stopped("head; " REDIRECT("399 Odd", "/next"), 399, 1);
}

Test(rs_2, the_body_of_a_redirect_does_not_cost_the_connection)
{
    struct world w = world_open("head; " SEND(
        "302 Go", "Location: /next\\r\\nContent-Length: 5\\r\\n", "there") "head; " HELLO_REPLY);
    expect_hello(ask(&w, "GET"));
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(rs_4, with_pre_authenticate_another_folder_is_challenged)
{
    struct world w = world_open("head; " ASK_BASIC "head; " HELLO_REPLY "again");
    static const char *const paths[] = {"/dir/a", "/other/a"};
    for (int i = 0; i < 2; i++) {
        np_request *r = ask_for(&w, "GET", paths[i]);
        OK(np_request_set_credentials(r, "ada", "lovelace", e));
        OK(np_request_set_pre_authenticate(r, true, e));
        expect_hello(r);
    }
    cr_assert_eq(scripted_server_heads(w.server), 4);
    world_close(&w);
}

/* A TLS server that redirects to `url`. */
static struct world world_open_redirecting_tls(const char *folder, const char *url)
{
    char script[512], ca_file[256];
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    cr_assert(test_ca_make(folder, "IP:127.0.0.1"));
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    snprintf(script, sizeof script,
             "tls %s; head; send \"HTTP/1.1 302 Go\\r\\nLocation: %s\\r\\nConnection: close\\r\\n"
             "Content-Length: 0\\r\\n\\r\\n\"",
             folder, url);
    options.proxy = np_proxy_direct();
    options.ca_file = ca_file;
    return world_open_with(script, &options);
}

Test(rs_2, from_https_to_http_it_goes_only_where_that_is_allowed_and_without_the_referer)
{
    char folder[128], url[64];
    struct world plain = world_open(HELLO);
    folder_make(folder, sizeof folder);
    struct world w = world_open_redirecting_tls(folder, url_of(&plain, "/"));
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", scripted_server_port(w.server));
    np_request *r = ask_url(&w, "GET", url), *allowed = ask_url(&w, "GET", url);
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    np_response *response = np_request_response(r);
    cr_assert_eq(np_response_status(response), 302);
    np_response_release(response);
    cr_assert_eq(scripted_server_connections(plain.server), 0);
    OK(np_request_set_allow_downgrade(allowed, true, e));
    OK(np_request_set_referer(allowed, "https://secret.test/", e)); /* RS-3 */
    expect_hello(allowed);
    cr_assert_not(heard(&plain, "Referer"));
    cr_assert(heard(&w, "Referer: https://secret.test/\r\n"));
    world_close(&w);
    world_close(&plain);
    folder_remove(folder);
}

Test(rs_4, credentials_stay_good_for_their_origin_after_a_redirect_within_it)
{
    struct world w =
        world_open("head; " REDIRECT("302 Go", "/next") "head; " ASK_BASIC "head; " HELLO_REPLY);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_credentials(r, "ada", "lovelace", e));
    expect_hello(r);
    cr_assert_eq(times_heard(&w, ADA_LOVELACE), 1);
    cr_assert_eq(times_heard(&w, "GET /next"), 2);
    world_close(&w);
}

#define ASK_PROXY_BASIC                                                                            \
    SEND("407 Proxy Authentication Required",                                                      \
         "Proxy-Authenticate: Basic realm=\\\"p\\\"\\r\\nContent-Length: 0\\r\\n", "")

static np_request *ask_by_proxy(struct world *w, const char *user_info, const char *method)
{
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    np_proxy *proxy;
    char url[128];
    snprintf(url, sizeof url, "http://%s127.0.0.1:%u", user_info, scripted_server_port(w->server));
    options.proxies = url;
    OK(np_proxy_create(&options, &proxy, e));
    np_request *r = ask_url(w, method, "http://origin.test/");
    OK(np_request_set_proxy(r, proxy, e));
    np_proxy_release(proxy); /* the request holds it */
    return r;
}

Test(rs_4, a_407_of_a_proxy_is_answered_and_a_body_that_is_kept_is_sent_again)
{
    struct world w = world_open("head; body 3; " ASK_PROXY_BASIC TAKES(3) "\n---\n" TAKES(
        3)); /* on the same connection or another */
    np_request *r = ask_by_proxy(&w, "ada:lovelace@", "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Proxy-" ADA_LOVELACE));
    cr_assert_eq(times_heard(&w, "\r\n\r\nabc"), 2);
    world_close(&w);
}

Test(rs_4, a_407_of_a_proxy_without_credentials_is_an_error_with_its_response)
{
    struct world w = world_open("head; " ASK_PROXY_BASIC "again");
    expect_unauthorized(ask_by_proxy(&w, "", "GET"), 407);
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}
