/* Where two rules forbid a call: which one is told (the order of sections 3, 4 and 5). */
#include "acceptance.h"

static np_async *none;

Test(order, a_stream_that_needs_buffering_comes_before_its_transfer_encoding)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_transfer_encoding(r, "gzip", e));
    OK(np_request_set_send_chunked(r, false, e));                 /* BS-5 */
    OK(np_request_set_allow_write_stream_buffering(r, false, e)); /* BS-4 */
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &none, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_keep_alive(r, false, e));
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &none, e), NP_E_INVALID_OPERATION);
    world_close(&w);
}

Test(order, a_transfer_encoding_comes_before_a_body_that_was_not_obtained)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_transfer_encoding(r, "gzip", e));
    OK(np_request_set_send_chunked(r, false, e));
    OK(np_request_set_content_length(r, 5, e)); /* GR-7 */
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_INVALID_OPERATION);
    OK(np_request_set_transfer_encoding(r, NULL, e));
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_PROTOCOL_VIOLATION);
    world_close(&w);
}

Test(order, a_verb_without_a_body_comes_before_its_transfer_encoding)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_transfer_encoding(r, "gzip", e));
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_PROTOCOL_VIOLATION);
    OK(np_request_set_send_chunked(r, false, e));
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &none, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_INVALID_OPERATION);
    world_close(&w);
}

Test(order, a_pending_stream_comes_before_the_family)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_response *response;
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    np_async *async = begin_stream(r);
    REFUSED(np_request_get_response(r, &response, e),
            NP_E_PROTOCOL_VIOLATION); /* GR-4, not GR-10 */
    np_async_release(async);
    world_close(&w);
}

Test(order, bytes_that_are_owed_come_before_the_family)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST");
    np_response *response;
    without_expect(r);
    OK(np_request_set_content_length(r, 5, e));
    np_stream *s = open_stream(r);
    REFUSED(np_request_get_response(r, &response, e),
            NP_E_PROTOCOL_VIOLATION); /* GR-3, not GR-10 */
    np_request_abort(r);
    np_stream_release(s);
    world_close(&w);
}

Test(order, a_failure_and_an_abort_come_before_the_family)
{
    struct world w = world_open(SILENT);
    np_request *failed = ask_nobody(&w, "POST"), *aborted = ask(&w, "POST");
    np_response *response;
    np_stream *s;
    failure_of(failed);
    WEB(np_request_get_response(failed, &response, e), NP_WEB_CONNECT_FAILURE);
    WEB(np_request_get_request_stream(failed, &s, e), NP_WEB_CONNECT_FAILURE);
    np_async *async = begin_response(aborted);
    np_request_abort(aborted);
    WEB(np_request_get_response(aborted, &response, e), NP_WEB_REQUEST_CANCELED);
    WEB(np_request_get_request_stream(aborted, &s, e), NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    world_close(&w);
}

Test(order, an_error_status_sticks_as_any_failure_does)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 4\\r\\n", "none"));
    np_request *r = ask(&w, "POST");
    np_error first = failure_of(r), later = {0};
    cr_assert_eq(np_request_begin_get_response(r, NULL, NULL, &none, &later), NP_E_WEB);
    cr_assert_eq(later.web_status, NP_WEB_PROTOCOL_ERROR);
    cr_assert_str_eq(later.text, first.text);
    REFUSED_AS(np_request_begin_get_request_stream(r, NULL, NULL, &none, e),
               NP_E_INVALID_OPERATION);
    world_close(&w);
}

Test(order, a_foreign_result_is_told_before_one_that_was_ended)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *other = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_response *response, *nothing;
    OK(np_request_end_get_response(r, async, &response, e));
    REFUSED(np_request_end_get_response(other, async, &nothing, e), NP_E_ARGUMENT);
    REFUSED(np_request_end_get_response(r, async, &nothing, e), NP_E_INVALID_OPERATION);
    np_async_release(async);
    np_response_release(response);
    world_close(&w);
}

Test(order, a_foreign_result_is_told_without_waiting_for_it)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "GET"), *other = ask(&w, "GET");
    np_async *async = begin_response(r);
    np_response *response;
    np_stream *s;
    REFUSED(np_request_end_get_response(other, async, &response, e), NP_E_ARGUMENT);
    REFUSED(np_request_end_get_request_stream(r, async, &s, e), NP_E_ARGUMENT);
    cr_assert_not(np_async_is_completed(async));
    np_async_release(async);
    world_close(&w);
}

Test(order, null_arguments_come_before_abort_and_failure)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_request_abort(r);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_get_response(r, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_get_request_stream(r, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_end_get_response(r, NULL, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_set_method(NULL, NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_close(NULL, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_stream_flush(NULL, e), NP_E_ARGUMENT_NULL);
    world_close(&w);
}

Test(order, a_null_buffer_comes_before_a_closed_and_an_aborted_stream)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    np_stream *s = open_stream(r);
    OK(np_stream_close(s, e));
    REFUSED(np_stream_write(s, NULL, 1, e), NP_E_ARGUMENT_NULL);
    np_request_abort(r);
    REFUSED(np_stream_write(s, NULL, 1, e), NP_E_ARGUMENT_NULL);
    np_stream_release(s);
    world_close(&w);
}

Test(order, an_abort_comes_before_a_closed_stream_and_before_too_much)
{
    struct world w = world_open(SILENT);
    np_request *r = ask(&w, "POST"), *closed = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 2, e));
    np_stream *s = open_stream(r), *s2 = open_stream(closed);
    np_request_abort(r);
    WEB(np_stream_write(s, "abc", 3, e), NP_WEB_REQUEST_CANCELED); /* WS-4, not WS-6 */
    OK(np_stream_close(s2, e));
    np_request_abort(closed);
    WEB(np_stream_write(s2, "abc", 3, e), NP_WEB_REQUEST_CANCELED); /* WS-4, not WS-3 */
    np_stream_release(s);
    np_stream_release(s2);
    world_close(&w);
}

Test(order, a_closed_stream_comes_before_too_much)
{
    struct world w = world_open(TAKES(2));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_content_length(r, 2, e));
    np_stream *s = open_stream(r);
    put(s, "ab");
    OK(np_stream_close(s, e));
    WEB(np_stream_write(s, "abc", 3, e), NP_WEB_CONNECTION_CLOSED);
    expect_hello(r);
    np_stream_release(s);
    world_close(&w);
}

Test(order, the_started_check_of_a_setter_comes_before_a_wrong_value)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    np_response_release(get_response(r));
    REFUSED(np_request_set_content_length(r, -7, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_transfer_encoding(r, "chunked", e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_connection(r, "close", e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_expect(r, "100-continue", e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_date(r, -7, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_add_range(r, "", -7, -8, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_maximum_response_headers_length(r, -7, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_maximum_error_response_length(r, -7, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_allow_read_stream_buffering(r, true, e), NP_E_INVALID_OPERATION);
    REFUSED(np_request_set_continue_callback(r, NULL, NULL, e), NP_E_INVALID_OPERATION);
    world_close(&w);
}
