/* Section 5, begin and end get response (GR), and the synchronous forms (GR-16). */
#include "acceptance.h"
#include <stdio.h>

#define GATED_HELLO "head; wait; " HELLO_REPLY

static void expect_no_response(np_request *r, np_status class)
{
    np_async *async = (np_async *)&r;
    np_request_state before = np_request_get_state(r);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), class);
    cr_assert_null(async);
    cr_assert_eq(np_request_get_state(r), before, "a refused call changed the state");
}

Test(gr_0, null_arguments_are_named)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = (np_async *)&w;
    np_response *response = (np_response *)&w;
    REFUSED_SAYING(np_request_begin_get_response(NULL, NULL, NULL, &async, e), NP_E_ARGUMENT_NULL,
                   "request");
    cr_assert_null(async);
    REFUSED_SAYING(np_request_begin_get_response(r, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL,
                   "out");
    REFUSED(np_request_get_response(NULL, &response, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(response);
    REFUSED(np_request_get_response(r, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_get_request_stream(r, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_get_request_stream(NULL, NULL, e), NP_E_ARGUMENT_NULL);
    expect_hello(r);
    world_close(&w);
}

Test(gr_1, after_abort_there_is_no_response)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async;
    OK(np_request_set_content_length(r, 5, e)); /* GR-5 would apply: abort comes first */
    np_request_abort(r);
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(scripted_server_connections(w.server), 0);
    world_close(&w);
}

Test(gr_3, bytes_that_are_owed_are_written_before_the_response)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask(&w, "POST");
    np_async *async;
    without_expect(r);
    OK(np_request_set_content_length(r, 5, e));
    np_stream *s = open_stream(r);
    REFUSED_SAYING(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION,
                   "written");
    put(s, "abc");
    expect_no_response(r, NP_E_PROTOCOL_VIOLATION);
    put(s, "de");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "abcde"));
    world_close(&w);
}

Test(gr_3b, a_complete_body_is_closed_by_asking_for_the_response)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 5, e));
    np_stream *s = open_stream(r);
    put(s, "abcde");
    expect_hello(r);
    WEB(np_stream_write(s, "x", 1, e), NP_WEB_CONNECTION_CLOSED);
    finish(s);
    world_close(&w);
}

Test(gr_3b, a_gathered_body_is_closed_by_asking_for_the_response)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s = open_stream(r);
    put(s, "abcde");
    expect_hello(r);
    WEB(np_stream_write(s, "x", 1, e), NP_WEB_CONNECTION_CLOSED);
    finish(s);
    world_close(&w);
}

Test(gr_3b, a_chunked_body_is_closed_by_asking_for_the_response)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_send_chunked(r, true, e));
    np_stream *s = open_stream(r);
    put(s, "abcde");
    expect_hello(r);
    finish(s);
    cr_assert(heard(&w, "5\r\nabcde\r\n0\r\n\r\n"));
    world_close(&w);
}

Test(gr_3b, an_unwritten_body_of_no_bytes_is_closed_by_asking_for_the_response)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_content_length(r, 0, e));
    np_stream *s = open_stream(r);
    expect_hello(r);
    finish(s);
    world_close(&w);
}

Test(gr_4, while_the_stream_is_pending_there_is_no_response)
{
    struct world w = world_open("head; wait; " CONTINUE "body 5; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    np_async *async = begin_stream(r), *none;
    np_stream *s;
    REFUSED_SAYING(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_PROTOCOL_VIOLATION,
                   "stream");
    expect_no_response(r, NP_E_PROTOCOL_VIOLATION);
    scripted_server_go(w.server);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(gr_4, with_a_length_of_zero_the_response_may_be_begun_before_the_stream_is_there)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.connection_limit = 1;
    struct world w = world_open_with("head; wait; " HELLO_REPLY "head; " HELLO_REPLY, &options);
    np_request *first = ask(&w, "GET"), *r = ask(&w, "POST");
    np_async *holder = begin_response(first);
    UNTIL(scripted_server_heads(w.server) == 1);
    OK(np_request_set_content_length(r, 0, e));
    np_async *stream = begin_stream(r), *response = begin_response(r);
    np_stream *s;
    cr_assert_not(np_async_is_completed(stream));
    scripted_server_go(w.server);
    np_response_release(end_response(first, holder));
    np_response *answer = end_response(r, response);
    cr_assert_eq(np_response_status(answer), 200);
    OK(np_request_end_get_request_stream(r, stream, &s, e));
    finish(s);
    np_async_release(stream);
    np_response_release(answer);
    world_close(&w);
}

Test(gr_4, a_stream_that_is_there_and_was_not_taken_counts_as_open)
{
    struct world w = world_open(TAKES(0));
    np_request *owing = ask(&w, "POST"), *free_of_debt = ask(&w, "POST");
    without_expect(owing);
    OK(np_request_set_content_length(owing, 3, e));
    np_async *async = begin_stream(owing);
    cr_assert_eq(np_async_wait(async, -1), 0);
    expect_no_response(owing, NP_E_PROTOCOL_VIOLATION);
    np_request_abort(owing);
    np_async_release(async);
    async = begin_stream(free_of_debt);
    cr_assert_eq(np_async_wait(async, -1), 0);
    expect_hello(free_of_debt);
    np_async_release(async);
    world_close(&w);
}

Test(gr_5, a_verb_without_a_body_has_neither_length_nor_chunks)
{
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "get"};
    struct world w = world_open(HELLO);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        np_request *length = ask(&w, methods[i]), *chunked = ask(&w, methods[i]);
        OK(np_request_set_content_length(length, 1, e));
        expect_no_response(length, NP_E_PROTOCOL_VIOLATION);
        OK(np_request_set_send_chunked(chunked, true, e));
        expect_no_response(chunked, NP_E_PROTOCOL_VIOLATION);
    }
    world_close(&w);
}

Test(gr_5, a_get_with_a_length_of_zero_is_fine)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_content_length(r, 0, e));
    expect_hello(r);
    world_close(&w);
}

Test(gr_5, after_the_mistake_was_mended_the_request_goes_out)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "HEAD");
    OK(np_request_set_send_chunked(r, true, e));
    expect_no_response(r, NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_send_chunked(r, false, e));
    np_response_release(get_response(r));
    world_close(&w);
}

Test(gr_6, unbuffered_post_and_put_need_a_length_or_chunks_others_do_not)
{
    struct world w = world_open(HELLO);
    np_request *post = ask(&w, "POST"), *put_ = ask(&w, "PUT"), *other = ask(&w, "DELETE");
    OK(np_request_set_allow_write_stream_buffering(post, false, e));
    OK(np_request_set_allow_write_stream_buffering(put_, false, e));
    OK(np_request_set_allow_write_stream_buffering(other, false, e));
    expect_no_response(post, NP_E_PROTOCOL_VIOLATION);
    expect_no_response(put_, NP_E_PROTOCOL_VIOLATION);
    expect_hello(other);
    world_close(&w);
}

Test(gr_6, unbuffered_chunks_need_http_1_1_here_too)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    OK(np_request_set_protocol_version(r, 10, e));
    expect_no_response(r, NP_E_PROTOCOL_VIOLATION);
    world_close(&w);
}

Test(gr_7, an_announced_body_has_to_be_obtained_first)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH"};
    struct world w = world_open(TAKES(1));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        np_request *length = ask(&w, methods[i]), *chunked = ask(&w, methods[i]);
        np_async *async;
        OK(np_request_set_content_length(length, 1, e));
        REFUSED_SAYING(np_request_begin_get_response(length, NULL, NULL, &async, e),
                       NP_E_PROTOCOL_VIOLATION, "body");
        OK(np_request_set_send_chunked(chunked, true, e));
        expect_no_response(chunked, NP_E_PROTOCOL_VIOLATION);
    }
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 1, e));
    expect_no_response(r, NP_E_PROTOCOL_VIOLATION);
    np_stream *s = open_stream(r); /* and then it goes */
    put(s, "a");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(gr_8, a_second_begin_is_refused_and_the_first_goes_on)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r), *none;
    REFUSED_SAYING(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_INVALID_OPERATION,
                   "pending");
    expect_no_response(r, NP_E_INVALID_OPERATION);
    scripted_server_go(w.server);
    np_response_release(end_response(r, async));
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}

Test(gr_9, a_response_is_obtained_once)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    np_async *none;
    REFUSED_SAYING(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_INVALID_OPERATION,
                   "obtained");
    expect_no_response(r, NP_E_INVALID_OPERATION);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    expect_no_response(r, NP_E_INVALID_OPERATION);
    world_close(&w);
}

Test(gr_9, a_response_that_is_there_and_was_not_taken_is_not_begun_again)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, -1), 0);
    expect_no_response(r, NP_E_INVALID_OPERATION);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(gr_10, the_synchronous_family_does_not_go_on_asynchronously)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *other = ask(&w, "GET");
    np_response *response = (np_response *)&w;
    OK(np_request_get_response(r, &response, e));
    expect_no_response(r, NP_E_INVALID_OPERATION);
    np_response_release(response);
    np_response_release(get_response(other));
    REFUSED(np_request_get_response(other, &response, e), NP_E_INVALID_OPERATION);
    cr_assert_null(response);
    world_close(&w);
}

Test(gr_12, post_and_put_without_a_stream_say_that_their_body_is_empty)
{
    struct world w = world_open(HELLO);
    expect_hello(ask(&w, "POST"));
    cr_assert_eq(times_heard(&w, "Content-Length: 0\r\n"), 1);
    expect_hello(ask(&w, "PUT"));
    cr_assert_eq(times_heard(&w, "Content-Length: 0\r\n"), 2);
    cr_assert_not(heard(&w, "Expect"));
    world_close(&w);
}

Test(gr_12, other_verbs_without_a_stream_say_nothing_of_a_body)
{
    struct world w = world_open(HELLO);
    expect_hello(ask(&w, "GET"));
    expect_hello(ask(&w, "DELETE"));
    cr_assert_not(heard(&w, "Content-Length"));
    cr_assert_not(heard(&w, "Transfer-Encoding"));
    world_close(&w);
}

/* -------------------------------------------------------------------------- GR-13: as ES-1 to ES-8 */

Test(gr_13, end_refuses_null_foreign_and_other_results_and_leaves_them_good)
{
    struct world w = world_open(TAKES(2) "\n---\n" HELLO);
    np_request *r = ask(&w, "POST"), *other = ask(&w, "GET");
    without_expect(r);
    np_response *response = (np_response *)&w;
    np_stream *s;
    REFUSED_SAYING(np_request_end_get_response(r, NULL, &response, e), NP_E_ARGUMENT_NULL, "async");
    cr_assert_null(response);
    np_async *stream = begin_stream(r);
    REFUSED(np_request_end_get_response(r, stream, &response, e), NP_E_ARGUMENT);
    OK(np_request_end_get_request_stream(r, stream, &s, e));
    np_async_release(stream);
    put(s, "ab");
    finish(s);
    np_async *async = begin_response(r);
    REFUSED(np_request_end_get_response(other, async, &response, e), NP_E_ARGUMENT);
    REFUSED(np_request_end_get_response(NULL, async, &response, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_end_get_response(r, async, NULL, e), NP_E_ARGUMENT_NULL);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(gr_13, end_is_called_once_whatever_came_of_it)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *failing = ask_nobody(&w, "GET");
    np_response *response, *none = (np_response *)&w;
    np_async *async = begin_response(r);
    OK(np_request_end_get_response(r, async, &response, e));
    REFUSED_SAYING(np_request_end_get_response(r, async, &none, e), NP_E_INVALID_OPERATION, "once");
    cr_assert_null(none);
    np_async_release(async);
    np_response_release(response);
    async = begin_response(failing);
    WEB(np_request_end_get_response(failing, async, &none, e), NP_WEB_CONNECT_FAILURE);
    REFUSED(np_request_end_get_response(failing, async, &none, e), NP_E_INVALID_OPERATION);
    np_async_release(async);
    world_close(&w);
}

struct ender {
    np_request *request;
    np_async *async;
    np_response *response;
    np_status status;
};

static void *end_it(void *argument)
{
    struct ender *ender = argument;
    ender->status =
        np_request_end_get_response(ender->request, ender->async, &ender->response, NULL);
    return NULL;
}

Test(gr_13, end_waits_and_of_racing_calls_one_gets_the_response)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    struct ender ender[4];
    pthread_t thread[4];
    int good = 0;
    for (int i = 0; i < 4; i++) {
        ender[i] = (struct ender){.request = r, .async = async};
        cr_assert_eq(pthread_create(&thread[i], NULL, end_it, &ender[i]), 0);
    }
    UNTIL(scripted_server_heads(w.server) == 1);
    scripted_server_go(w.server);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        good += ender[i].status == NP_OK;
        cr_assert(ender[i].status == NP_OK || ender[i].status == NP_E_INVALID_OPERATION);
        np_response_release(ender[i].response);
    }
    cr_assert_eq(good, 1);
    np_async_release(async);
    world_close(&w);
}

Test(gr_13, an_abort_between_success_and_end_wins)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = (np_response *)&w;
    np_async *async = begin_response(r);
    cr_assert_eq(np_async_wait(async, -1), 0);
    np_request_abort(r);
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_null(response);
    np_async_release(async);
    world_close(&w);
}

/* ----------------------------------------------------------------------------------- GR-14, GR-15 */

Test(gr_14, every_2xx_is_a_success)
{
    static const char *const replies[] = {
        "head; " SEND("201 Created", "Content-Length: 0\\r\\n", ""),
        "head; " SEND("204 No Content", "", ""),
        "head; " SEND("206 Partial Content", "Content-Length: 1\\r\\n", "x"),
        "head; " SEND("299 Odd", "Content-Length: 0\\r\\n", "")};
    static const int statuses[] = {201, 204, 206, 299};
    for (int i = 0; i < 4; i++) {
        struct world w = world_open(replies[i]);
        np_response *response = get_response(ask(&w, "GET"));
        cr_assert_eq(np_response_status(response), statuses[i]);
        np_response_release(response);
        world_close(&w);
    }
}

Test(gr_14, a_3xx_is_a_success_when_redirects_are_not_followed)
{
    static const char *const replies[] = {
        "head; " SEND("302 Found", "Location: /x\\r\\nContent-Length: 2\\r\\n", "go"),
        "head; " SEND("304 Not Modified", "", ""),
        "head; " SEND("399 Odd", "Content-Length: 0\\r\\n", "")};
    static const int statuses[] = {302, 304, 399};
    for (int i = 0; i < 3; i++) {
        struct world w = world_open(replies[i]);
        np_request *r = ask(&w, "GET");
        OK(np_request_set_allow_auto_redirect(r, false, e));
        np_response *response = get_response(r);
        cr_assert_eq(np_response_status(response), statuses[i]);
        cr_assert_str_eq(body_of(response), i == 0 ? "go" : "");
        np_response_release(response);
        world_close(&w);
    }
}

static void expect_protocol_error(np_request *r, int status, const char *body)
{
    np_error error = failure_of(r);
    cr_assert_eq(error.status, NP_E_WEB);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    char number[8];
    snprintf(number, sizeof number, "%d", status);
    cr_assert(strstr(error.text, number), "the status is not in the text: %s", error.text);
    np_response *response = np_request_response(r);
    cr_assert(response, "there is no response");
    cr_assert_eq(np_response_status(response), status);
    cr_assert_str_eq(body_of(response), body);
    cr_assert(np_request_have_response(r));
    np_response_release(response);
}

Test(gr_14, errors_of_client_and_server_have_a_readable_response)
{
    struct world w = world_open("head; " SEND(
        "404 Not Found", "X-Why: gone\\r\\nContent-Length: 4\\r\\n",
        "none") "head; " SEND("500 Internal Server Error", "Transfer-Encoding: chunked\\r\\n",
                              "3\\r\\nbad\\r\\n0\\r\\n\\r\\n") "head; " SEND("999 Odd",
                                                                             "Content-Length: "
                                                                             "0\\r\\n",
                                                                             ""));
    expect_protocol_error(ask(&w, "GET"), 404, "none");
    expect_protocol_error(ask(&w, "GET"), 500, "bad");
    expect_protocol_error(ask(&w, "POST"), 999, "");
    cr_assert_eq(scripted_server_connections(w.server), 1);
    world_close(&w);
}

Test(gr_14, the_response_of_a_failure_tells_its_fields_address_and_method)
{
    struct world w =
        world_open("head; " SEND("410 Gone", "X-Why: old\\r\\nContent-Length: 3\\r\\n", "bye"));
    np_request *r = ask_for(&w, "DELETE", "/a?b=c");
    failure_of(r);
    np_response *response = np_request_response(r);
    cr_assert_str_eq(np_response_header(response, "x-why"), "old");
    cr_assert_eq(np_response_content_length(response), 3);
    cr_assert_str_eq(np_response_uri(response), url_of(&w, "/a?b=c"));
    cr_assert_str_eq(np_response_method(response), "DELETE");
    np_response_release(response);
    world_close(&w);
}

Test(gr_14, not_modified_is_an_error_while_redirects_are_followed)
{
    struct world w = world_open("head; " SEND("304 Not Modified", "ETag: x\\r\\n", ""));
    expect_protocol_error(ask(&w, "GET"), 304, "");
    world_close(&w);
}

Test(gr_15, there_is_a_response_once_the_header_was_accepted_and_none_after_a_failed_connect)
{
    struct world w = world_open(GATED_HELLO);
    np_request *r = ask(&w, "GET"), *failing = ask_nobody(&w, "GET");
    cr_assert_not(np_request_have_response(r));
    np_async *async = begin_response(r);
    UNTIL(scripted_server_heads(w.server) == 1);
    cr_assert_not(np_request_have_response(r));
    scripted_server_go(w.server);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert(np_request_have_response(r));
    np_response_release(end_response(r, async));
    cr_assert(np_request_have_response(r));
    failure_of(failing);
    cr_assert_not(np_request_have_response(failing));
    cr_assert_null(np_request_response(failing));
    world_close(&w);
}

/* ---------------------------------------------------------------------------- GR-16, synchronously */

Test(gr_16, the_synchronous_forms_give_the_same_handles_every_time)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s, *s2;
    np_response *one, *two;
    OK(np_request_get_request_stream(r, &s, e));
    OK(np_request_get_request_stream(r, &s2, e));
    cr_assert_eq(s, s2);
    put(s2, "ab");
    finish(s);
    np_stream_release(s2);
    OK(np_request_get_response(r, &one, e));
    OK(np_request_get_response(r, &two, e));
    cr_assert_eq(one, two);
    cr_assert_str_eq(body_of(two), "hello");
    np_response_release(one);
    np_response_release(two);
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}

Test(gr_16, the_synchronous_forms_check_the_same)
{
    struct world w = world_open(HELLO);
    np_stream *s = (np_stream *)&w;
    np_response *response = (np_response *)&w;
    np_request *get = ask(&w, "GET"), *post = ask(&w, "POST"), *length = ask(&w, "POST"),
               *aborted = ask(&w, "GET");
    REFUSED(np_request_get_request_stream(get, &s, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_allow_write_stream_buffering(post, false, e));
    REFUSED(np_request_get_request_stream(post, &s, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_request_get_response(post, &response, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_content_length(length, 1, e));
    REFUSED(np_request_get_response(length, &response, e), NP_E_PROTOCOL_VIOLATION);
    np_request_abort(aborted);
    WEB(np_request_get_response(aborted, &response, e), NP_WEB_REQUEST_CANCELED);
    cr_assert(!s && !response);
    world_close(&w);
}

Test(gr_16, an_open_stream_that_owes_bytes_holds_up_the_synchronous_response_too)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "PUT");
    np_stream *s;
    np_response *response;
    without_expect(r);
    OK(np_request_set_content_length(r, 3, e));
    OK(np_request_get_request_stream(r, &s, e));
    put(s, "ab");
    REFUSED(np_request_get_response(r, &response, e), NP_E_PROTOCOL_VIOLATION);
    put(s, "c");
    OK(np_request_get_response(r, &response, e));
    np_response_release(response);
    finish(s);
    world_close(&w);
}

Test(gr_16, an_error_status_is_returned_directly_with_its_response)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 4\\r\\n", "none"));
    np_request *r = ask(&w, "GET");
    np_response *response = (np_response *)&w;
    WEB(np_request_get_response(r, &response, e), NP_WEB_PROTOCOL_ERROR);
    cr_assert_null(response);
    response = np_request_response(r);
    cr_assert_str_eq(body_of(response), "none");
    np_response_release(response);
    WEB(np_request_get_response(r, &response, e), NP_WEB_PROTOCOL_ERROR);
    world_close(&w);
}

Test(gr_16, without_a_stream_the_second_synchronous_stream_is_not_given_after_the_response)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_response *response;
    np_stream *s = (np_stream *)&w;
    OK(np_request_get_response(r, &response, e));
    REFUSED(np_request_get_request_stream(r, &s, e), NP_E_INVALID_OPERATION);
    cr_assert_null(s);
    np_response_release(response);
    world_close(&w);
}

struct getter {
    np_request *request;
    np_response *response;
    np_status status;
};

static void *get_it(void *argument)
{
    struct getter *getter = argument;
    getter->status = np_request_get_response(getter->request, &getter->response, NULL);
    return NULL;
}

Test(gr_16, while_one_thread_waits_for_the_response_another_is_refused)
{
    struct world w = world_open(GATED_HELLO);
    struct getter getter = {.request = ask(&w, "GET")};
    np_response *response;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, get_it, &getter), 0);
    UNTIL(scripted_server_heads(w.server) == 1);
    REFUSED(np_request_get_response(getter.request, &response, e), NP_E_INVALID_OPERATION);
    scripted_server_go(w.server);
    pthread_join(thread, NULL);
    cr_assert_eq(getter.status, NP_OK);
    OK(np_request_get_response(getter.request, &response, e));
    cr_assert_eq(response, getter.response);
    np_response_release(response);
    np_response_release(response);
    world_close(&w);
}

Test(gr_14, an_error_without_a_body_has_an_empty_one)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 4\\r\\n", ""));
    expect_protocol_error(ask(&w, "HEAD"), 404, "");
    world_close(&w);
}
