/* Section 1, the error model (ER), and section 2, the state machine (SM). */
#include "acceptance.h"

Test(er, classes_stand_below_each_other_as_the_table_says)
{
    static const struct {
        np_status status, class;
    } above[] = {
        {NP_E_ARGUMENT_NULL,      NP_E_ARGUMENT         },
        {NP_E_ARGUMENT_RANGE,     NP_E_ARGUMENT         },
        {NP_E_PROTOCOL_VIOLATION, NP_E_INVALID_OPERATION},
        {NP_E_WEB,                NP_E_INVALID_OPERATION},
        {NP_E_OBJECT_DISPOSED,    NP_E_INVALID_OPERATION}
    };
    for (int status = NP_E_OUTPUT; status <= NP_OK; status++)
        for (int class = NP_E_OUTPUT; class <= NP_OK; class ++) {
            bool is = status == class;
            for (size_t i = 0; i < sizeof above / sizeof *above; i++)
                is |= (int)above[i].status == status && (int)above[i].class == class;
            cr_assert_eq(np_status_is_a((np_status)status, (np_status) class), is, "%d is a %d",
                         status, class);
        }
}

Test(er, every_status_has_a_name_of_its_own)
{
    for (int status = NP_E_OUTPUT; status <= NP_OK; status++) {
        cr_assert(np_status_name((np_status)status)[0]);
        for (int other = status + 1; other <= NP_OK; other++)
            cr_assert_str_neq(np_status_name((np_status)status), np_status_name((np_status)other));
    }
    cr_assert(np_status_name((np_status)-1000));
}

Test(er, every_web_status_has_a_name_of_its_own)
{
    for (int status = 0; status <= NP_WEB_REQUEST_PROHIBITED_BY_PROXY; status++) {
        cr_assert(np_web_status_name((np_web_status)status)[0]);
        for (int other = 0; other < status; other++)
            cr_assert_str_neq(np_web_status_name((np_web_status)status),
                              np_web_status_name((np_web_status)other));
    }
    cr_assert(np_web_status_name((np_web_status)1000));
}

Test(er_1, a_usage_error_is_returned_by_the_call_that_broke_the_rule)
{
    struct world w = world_open(HELLO);
    np_async *async = (np_async *)&w;
    REFUSED(np_request_begin_get_request_stream(ask(&w, "GET"), NULL, NULL, &async, e),
            NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(scripted_server_connections(w.server), 0);
    world_close(&w);
}

Test(er_1, a_failed_connect_comes_out_of_end_and_not_of_begin)
{
    struct world w = world_open(HELLO);
    np_error error = failure_of(ask_nobody(&w, "GET"));
    cr_assert_eq(error.status, NP_E_WEB);
    cr_assert_eq(error.web_status, NP_WEB_CONNECT_FAILURE, "%s", error.text);
    world_close(&w);
}

Test(er_1, a_failed_connect_comes_out_of_end_of_the_request_stream_also_where_it_is_gathered)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "POST");
    np_error error = stream_failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_CONNECT_FAILURE, "%s", error.text);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_FAILED);
    world_close(&w);
}

Test(er_1, the_failure_of_a_result_is_shown_without_ending_it)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "GET");
    np_async *async = begin_response(r);
    np_error shown = async_failure(async), again = async_failure(async);
    np_response *response;
    cr_assert_str_eq(shown.text, again.text);
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_CONNECT_FAILURE);
    np_async_release(async);
    world_close(&w);
}

Test(er_1, a_result_shows_no_failure_while_it_is_pending_or_when_it_went_well)
{
    struct world w = world_open("head; wait; " HELLO_REPLY);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    cr_assert_null(np_async_error(async));
    cr_assert_null(np_async_response(async));
    scripted_server_go(w.server);
    cr_assert_eq(np_async_wait(async, -1), 0);
    cr_assert_null(np_async_error(async));
    cr_assert_null(np_async_response(async));
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(er_1, the_response_of_a_failure_is_taken_from_the_result_and_from_the_request)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 4\\r\\n", "gone"));
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_error error = async_failure(async);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR);
    np_response *one = np_async_response(async), *two = np_request_response(r);
    cr_assert(one && one == two);
    cr_assert_eq(np_response_status(one), 404);
    cr_assert_str_eq(body_of(two), "gone");
    np_response_release(one);
    np_response_release(two);
    np_async_release(async);
    world_close(&w);
}

Test(er_2, a_refused_begin_changes_nothing_and_can_be_mended_and_repeated)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "GET");
    without_expect(r);
    np_async *async;
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    OK(np_request_set_method(r, "POST", e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(er_2, the_write_mode_of_a_refused_begin_is_forgotten)
{
    struct world w = world_open(TAKES(3));
    np_request *r = ask(&w, "POST");
    np_async *async;
    without_expect(r);
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_content_length(r, 3, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 3\r\n"));
    world_close(&w);
}

Test(er_2, a_refused_get_response_leaves_the_family_open)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response;
    np_async *async;
    OK(np_request_set_content_length(r, 4, e));
    REFUSED(np_request_get_response(r, &response, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_content_length(r, 0, e));
    expect_hello(r);
    world_close(&w);
}

Test(er_3, a_failure_sticks_with_its_class_status_and_text)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "POST");
    np_error first = failure_of(r), later = {0};
    np_async *async = (np_async *)&w;
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_FAILED);
    for (int i = 0; i < 4; i++) {
        np_status status = i % 2
                               ? np_request_begin_get_response(r, NULL, NULL, &async, &later)
                               : np_request_begin_get_request_stream(r, NULL, NULL, &async, &later);
        cr_assert_null(async);
        cr_assert_eq(status, first.status);
        cr_assert_eq(later.web_status, first.web_status);
        cr_assert_str_eq(later.text, first.text);
    }
    world_close(&w);
}

Test(er_3, a_verb_without_a_body_is_told_so_after_a_failure_too)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "GET");
    np_async *async;
    failure_of(r);
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_CONNECT_FAILURE);
    world_close(&w);
}

Test(er_3, a_failure_of_the_request_stream_sticks_for_the_response)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "PUT");
    np_async *async;
    stream_failure_of(r);
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_CONNECT_FAILURE);
    world_close(&w);
}

Test(er_3, the_synchronous_family_repeats_its_failure)
{
    struct world w = world_open(HELLO);
    np_request *r = ask_nobody(&w, "GET");
    np_response *response = (np_response *)&w;
    for (int i = 0; i < 3; i++) {
        WEB(np_request_get_response(r, &response, e), NP_WEB_CONNECT_FAILURE);
        cr_assert_null(response);
    }
    world_close(&w);
}

Test(er_4, every_out_pointer_is_null_after_a_failure)
{
    struct world w = world_open(HELLO);
    void *const junk = &w;
    np_request *created = junk, *r = ask(&w, "GET");
    np_async *async = junk;
    np_stream *stream = junk;
    np_response *response = junk;
    np_context *context = junk;
    REFUSED(np_request_create(w.context, "no url", &created, e), NP_E_ARGUMENT);
    cr_assert_null(created);
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    cr_assert_null(async);
    REFUSED(np_request_get_request_stream(r, &stream, e), NP_E_PROTOCOL_VIOLATION);
    cr_assert_null(stream);
    stream = junk;
    REFUSED(np_request_end_get_request_stream(r, NULL, &stream, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(stream);
    REFUSED(np_request_end_get_response(r, NULL, &response, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(response);
    np_request_abort(r);
    response = junk, async = junk;
    WEB(np_request_get_response(r, &response, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_null(response);
    WEB(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    cr_assert_null(async);
    const char *resolve[] = {"nothing"};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.resolve = resolve, options.resolve_count = 1;
    REFUSED(np_context_create(&options, &context, e), NP_E_ARGUMENT);
    cr_assert_null(context);
    world_close(&w);
}

Test(er_4, the_outputs_of_stream_calls_are_cleared_too)
{
    struct world w = world_open(HELLO);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *stream, *second = (np_stream *)&w;
    np_async *async = (np_async *)&w;
    char byte[1];
    size_t got = 7;
    OK(np_response_stream(response, &stream, e));
    OK(np_stream_close(stream, e));
    WEB(np_stream_read(stream, byte, 1, &got, e), NP_WEB_CONNECTION_CLOSED);
    cr_assert_eq(got, 0);
    WEB(np_stream_begin_read(stream, byte, 1, NULL, NULL, &async, e), NP_WEB_CONNECTION_CLOSED);
    cr_assert_null(async);
    REFUSED(np_response_stream(response, &second, e), NP_E_OBJECT_DISPOSED);
    cr_assert_null(second);
    np_stream_release(stream);
    np_response_release(response);
    world_close(&w);
}

Test(er, the_error_may_be_left_out_everywhere)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *none;
    np_async *async;
    np_response *response;
    np_stream *stream;
    cr_assert_eq(np_request_create(w.context, "x", &none, NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_content_length(r, -2, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_begin_get_request_stream(r, NULL, NULL, &async, NULL),
                 NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_request_end_get_response(r, NULL, &response, NULL), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_get_request_stream(r, &stream, NULL), NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_request_get_response(ask_nobody(&w, "GET"), &response, NULL), NP_E_WEB);
    world_close(&w);
}

/* -------------------------------------------------------------------------------------------- SM */

Test(sm, a_get_goes_from_created_over_ready_to_closed)
{
    struct world w = world_open("head; wait; " HELLO_REPLY);
    np_request *r = ask(&w, "GET");
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    np_async *async = begin_response(r);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_RESPONSE_PENDING);
    scripted_server_go(w.server);
    np_response *response = end_response(r, async);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_RESPONSE_READY);
    np_response_close(response);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    np_response_release(response);
    world_close(&w);
}

Test(sm, a_post_goes_through_all_states)
{
    struct world w = world_open("head; wait; " CONTINUE "body 2; wait; " HELLO_REPLY);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_content_length(r, 2, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    np_async *async = begin_stream(r);
    np_stream *s;
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_PENDING);
    scripted_server_go(w.server);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_OPEN);
    put(s, "ab");
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_OPEN);
    OK(np_stream_close(s, e));
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_CLOSED);
    async = begin_response(r);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_RESPONSE_PENDING);
    scripted_server_go(w.server);
    np_response *response = end_response(r, async);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_RESPONSE_READY);
    np_response_release(response);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    np_stream_release(s);
    world_close(&w);
}

Test(sm, a_response_body_read_to_its_end_still_waits_for_close)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response *response = get_response(r);
    cr_assert_str_eq(body_of(response), "hello");
    cr_assert_eq(np_response_status(response), 200);
    np_response_close(response);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    np_response_release(response);
    world_close(&w);
}

Test(sm, abort_overrides_every_state)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *failed = ask_nobody(&w, "GET");
    np_response_release(get_response(r));
    np_request_abort(r);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    failure_of(failed);
    cr_assert_eq(np_request_get_state(failed), NP_REQUEST_FAILED);
    np_request_abort(failed);
    cr_assert_eq(np_request_get_state(failed), NP_REQUEST_ABORTED);
    np_async *async;
    WEB(np_request_begin_get_response(failed, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    world_close(&w);
}

/* Whether every setter refuses with a class that stands below `class`. Good values, then bad ones:
 * whether it was started is asked first. */
static void expect_setters_refused(np_request *r)
{
    REFUSED_AS(np_request_set_method(r, "PUT", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_method(r, "no token", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_reuse(r, NP_REUSE_FRESH, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_proxy(r, NULL, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_protocol_version(r, 11, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_protocol_version(r, 99, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_connection_group_name(r, "a", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_async_timeout(r, 5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_async_timeout(r, -5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_timeout(r, 5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_timeout(r, -5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_header_set(r, "X-A", "b", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_header_set(r, "Host", "b", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_header_set(r, "X-A", NULL, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_accept(r, "a/b", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_user_agent(r, "a\n", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_referer(r, "http://a/", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_content_type(r, "a/b", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_host(r, "a/b", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_allow_auto_redirect(r, false, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_maximum_automatic_redirections(r, 0, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_allow_downgrade(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_credentials(r, "a", "b", e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_pre_authenticate(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_automatic_decompression(r, 1u << 30, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_content_length(r, 5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_content_length(r, -5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_send_chunked(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_allow_write_stream_buffering(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_keep_alive(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_expect_continue(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_continue_timeout(r, 5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_continue_timeout(r, -5, e), NP_E_INVALID_OPERATION);
    REFUSED_AS(np_request_set_read_write_timeout(r, 0, e), NP_E_INVALID_OPERATION);
}

Test(sm_1, no_setter_is_taken_while_the_response_is_pending)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET");
    np_async *async = begin_response(r);
    expect_setters_refused(r);
    cr_assert_str_eq(np_request_method(r), "GET");
    REFUSED_SAYING(np_request_set_method(r, "PUT", e), NP_E_INVALID_OPERATION, "start");
    np_async_release(async);
    world_close(&w);
}

Test(sm_1, no_setter_is_taken_while_the_stream_is_open)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_stream *s = open_stream(r);
    expect_setters_refused(r);
    np_stream_release(s);
    world_close(&w);
}

Test(sm_1, no_setter_is_taken_after_the_end)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *failed = ask_nobody(&w, "GET");
    np_response_release(get_response(r));
    expect_setters_refused(r);
    failure_of(failed);
    expect_setters_refused(failed);
    world_close(&w);
}

Test(sm_1, no_setter_is_taken_after_an_abort_before_the_start)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_request_abort(r);
    expect_setters_refused(r);
    world_close(&w);
}

Test(sm_2, a_request_has_one_response_and_is_not_used_again)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_async *async;
    np_response *response = get_response(r);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_INVALID_OPERATION);
    np_response_release(response);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CLOSED);
    cr_assert_eq(scripted_server_heads(w.server), 1);
    world_close(&w);
}

Test(sm_3, what_began_asynchronously_does_not_go_on_synchronously)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_response *response = (np_response *)&w;
    np_stream *s = open_stream(r), *again = (np_stream *)&w;
    REFUSED_SAYING(np_request_get_response(r, &response, e), NP_E_INVALID_OPERATION, "sync");
    cr_assert_null(response);
    REFUSED(np_request_get_request_stream(r, &again, e), NP_E_INVALID_OPERATION);
    cr_assert_null(again);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_OPEN);
    put(s, "ab");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(sm_3, what_began_synchronously_does_not_go_on_asynchronously)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s;
    np_async *async;
    np_response *response;
    OK(np_request_get_request_stream(r, &s, e));
    put(s, "ab");
    REFUSED_SAYING(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_INVALID_OPERATION,
                   "sync");
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_OPEN);
    finish(s);
    OK(np_request_get_response(r, &response, e));
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}

Test(sm_3, a_refused_begin_does_not_choose_a_family)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_async *async;
    np_response *response;
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_get_response(r, &response, e));
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
    world_close(&w);
}

Test(sm_3, streams_are_read_and_written_either_way_in_either_family)
{
    struct world w = world_open(TAKES(4));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    np_stream *s;
    np_async *async;
    np_response *response;
    char text[8] = "";
    size_t got;
    OK(np_request_get_request_stream(r, &s, e));
    OK(np_stream_begin_write(s, "ab", 2, NULL, NULL, &async, e));
    OK(np_stream_end_write(s, async, e));
    np_async_release(async);
    put(s, "cd");
    finish(s);
    OK(np_request_get_response(r, &response, e));
    OK(np_response_stream(response, &s, e));
    OK(np_stream_begin_read(s, text, 5, NULL, NULL, &async, e));
    OK(np_stream_end_read(s, async, &got, e));
    cr_assert_eq(got, 5);
    cr_assert_str_eq(text, "hello");
    np_async_release(async);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}
