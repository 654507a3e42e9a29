/* The request stream against an engine that does what the test says: what is refused when, and what
 * becomes of every operation. Each name begins with the rule of docs/contract.md it holds. */
#include "request_fixture.h"

static np_context *context;

static np_request *make(const char *method)
{
    context = context ? context : context_make();
    np_request *request = request_make(context);
    cr_assert_eq(np_request_set_method(request, method, NULL), NP_OK);
    return request;
}

static np_request *make_chunked(void)
{
    np_request *request = make("POST");
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    return request;
}

static np_request *make_long(int64_t length)
{
    np_request *request = make("PUT");
    cr_assert_eq(np_request_set_content_length(request, length, NULL), NP_OK);
    return request;
}

static np_async *begin_stream(np_request *request)
{
    np_error err = {0};
    np_async *async;
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), NP_OK,
                 "%s", err.text);
    return async;
}

static np_stream *end_stream(np_request *request, np_async *async)
{
    np_error err = {0};
    np_stream *stream;
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK, "%s",
                 err.text);
    np_async_release(async);
    return stream;
}

/* Of the first transfer of the process. */
static np_stream *open_stream(np_request *request)
{
    np_async *async = begin_stream(request);
    fake_ready(0);
    return end_stream(request, async);
}

static void refuse_stream(np_request *request, np_status status, const char *words)
{
    np_error err = {0};
    np_async *async = (np_async *)&err;
    const np_request_state before = np_request_get_state(request);
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err), status,
                 "%s", err.text);
    cr_assert_null(async, "ER-4");
    cr_assert_not_null(strstr(err.text, words), "'%s' has no '%s'", err.text, words);
    cr_assert_eq(np_request_get_state(request), before, "ER-2");
}

static void refuse_response(np_request *request, np_status status, const char *words)
{
    np_error err = {0};
    np_async *async = (np_async *)&err;
    const np_request_state before = np_request_get_state(request);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &err), status, "%s",
                 err.text);
    cr_assert_null(async, "ER-4");
    cr_assert_not_null(strstr(err.text, words), "'%s' has no '%s'", err.text, words);
    cr_assert_eq(np_request_get_state(request), before, "ER-2");
}

static void end_all(np_request *request, np_stream *stream)
{
    np_stream_release(stream);
    np_request_release(request);
    np_context_free(context);
}

/* --- BS --- */

Test(request_body, bs_0_null_is_named)
{
    np_error err = {0};
    np_async *async;
    np_stream *stream;
    np_request *request = make("POST");
    cr_assert_eq(np_request_begin_get_request_stream(NULL, NULL, NULL, &async, &err),
                 NP_E_ARGUMENT_NULL);
    cr_assert_not_null(strstr(err.text, "request"));
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, NULL, &err),
                 NP_E_ARGUMENT_NULL);
    cr_assert_not_null(strstr(err.text, "out"));
    cr_assert_eq(np_request_get_request_stream(request, NULL, &err), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_get_request_stream(NULL, &stream, &err), NP_E_ARGUMENT_NULL);
    np_context_free(context);
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, &err),
                 NP_E_OBJECT_DISPOSED);
    np_request_release(request);
}

Test(request_body, bs_1_after_abort_it_is_canceled)
{
    np_request *request = make("GET");
    np_request_abort(request);
    refuse_stream(request, NP_E_WEB, "aborted"); /* before the verb is looked at */
    end_all(request, NULL);
}

Test(request_body, bs_2_a_verb_without_a_body_can_be_changed_and_tried_again)
{
    np_request *request = make("get");
    refuse_stream(request, NP_E_PROTOCOL_VIOLATION, "GET cannot carry a body");
    cr_assert_eq(np_request_set_method(request, "POST", NULL), NP_OK);
    np_async_release(begin_stream(request));
    end_all(request, NULL);
}

Test(request_body, bs_3_chunked_needs_http_1_1)
{
    np_request *request = make_chunked();
    cr_assert_eq(np_request_set_protocol_version(request, 10, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    refuse_stream(request, NP_E_PROTOCOL_VIOLATION, "HTTP/1.1");
    refuse_response(request, NP_E_PROTOCOL_VIOLATION, "HTTP/1.1"); /* GR-6 */
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, true, NULL), NP_OK);
    np_async_release(begin_stream(request));
    cr_assert(fake_wait(0, FAKE_STARTED).hold, "it is gathered instead");
    end_all(request, NULL);
}

Test(request_body, bs_4_without_buffering_the_end_must_be_known)
{
    np_request *request = make("PATCH");
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    refuse_stream(request, NP_E_PROTOCOL_VIOLATION, "needs a length");
    cr_assert_eq(np_request_set_keep_alive(request, false, NULL), NP_OK);
    np_async_release(begin_stream(request));
    const fake_seen seen = fake_wait(0, FAKE_STARTED);
    cr_assert_eq(seen.body_form, NP_BODY_FORM_CHUNKED);
    cr_assert(seen.close_after);
    cr_assert_not_null(strstr(seen.headers, "Connection: close\n"));
    end_all(request, NULL);
}

Test(request_body, bs_6_after_a_failure_it_is_that_failure)
{
    np_error err = {0};
    np_stream *stream;
    np_request *request = make_chunked();
    np_async *async = begin_stream(request);
    fake_done(0, &refused);
    assert_web(np_request_end_get_request_stream(request, async, &stream, &err), &err,
               NP_WEB_CONNECT_FAILURE); /* ES-5 */
    cr_assert_null(stream);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_FAILED);
    refuse_stream(request, NP_E_WEB, refused.text);
    refuse_response(request, NP_E_WEB, refused.text);
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, bs_7_one_at_a_time)
{
    np_request *request = make_chunked();
    np_async *async = begin_stream(request);
    refuse_stream(request, NP_E_INVALID_OPERATION, "still in progress");
    fake_ready(0);
    np_stream *stream = end_stream(request, async);
    refuse_stream(request, NP_E_INVALID_OPERATION, "already obtained"); /* BS-8 */
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    refuse_stream(request, NP_E_INVALID_OPERATION, "already obtained");
    end_all(request, stream);
}

Test(request_body, bs_9_not_after_the_response_was_begun)
{
    np_request *request = make("POST");
    np_async *async = begin(request, NULL, NULL);
    refuse_stream(request, NP_E_INVALID_OPERATION, "already submitted");
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, bs_10_the_two_families_are_not_mixed)
{
    np_error err = {0};
    np_response *response;
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_request_get_response(request, &response, &err), NP_E_INVALID_OPERATION);
    cr_assert_not_null(strstr(err.text, "mixed"));
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_OPEN, "SM-3: nothing changed");
    end_all(request, stream);
}

Test(request_body, sm_1_settings_change_before_the_start_only)
{
    np_request *request = make_chunked();
    cr_assert_eq(np_request_set_content_length(request, -1, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_set_continue_timeout(request, -2, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_set_read_write_timeout(request, 0, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_set_read_write_timeout(request, -1, NULL), NP_OK);
    np_async *async = begin_stream(request);
    cr_assert_eq(np_request_set_content_length(request, -1, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, true, NULL),
                 NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_keep_alive(request, true, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_expect_continue(request, true, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_continue_timeout(request, -2, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_read_write_timeout(request, 0, NULL), NP_E_INVALID_OPERATION);
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, gate_what_is_expected_reaches_the_engine)
{
    np_request *request = make_long(5);
    np_async_release(begin_stream(request));
    fake_seen seen = fake_wait(0, FAKE_STARTED);
    cr_assert(seen.expect_continue);
    cr_assert_eq(seen.continue_timeout_ns, 350 * NP_NS_PER_MS);
    cr_assert_eq(seen.body_length, 5);
    cr_assert_not(seen.hold);
    cr_assert_null(strstr(seen.headers, "Content-Length"), "the engine says it");
    np_request_release(request);

    request = make_chunked();
    cr_assert_eq(np_request_set_protocol_version(request, 10, NULL), NP_OK);
    cr_assert_eq(np_request_set_continue_timeout(request, -1, NULL), NP_OK);
    np_async_release(begin_stream(request));
    seen = fake_wait(1, FAKE_STARTED);
    cr_assert_not(seen.expect_continue, "HTTP/1.0 knows no 100");
    cr_assert_eq(seen.continue_timeout_ns, -1);
    end_all(request, NULL);
}

/* --- ES --- */

Test(request_body, es_1_2_3_end_takes_its_own_result_once)
{
    np_error err = {0};
    np_stream *stream;
    np_response *response;
    np_request *request = make_chunked(), *other = make_chunked();
    np_async *async = begin_stream(request), *foreign = begin_stream(other);
    fake_ready(0);
    fake_ready(1);
    cr_assert_eq(np_request_end_get_request_stream(request, NULL, &stream, &err),
                 NP_E_ARGUMENT_NULL);
    cr_assert_not_null(strstr(err.text, "async"));
    cr_assert_eq(np_request_end_get_request_stream(request, foreign, &stream, &err), NP_E_ARGUMENT);
    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_E_ARGUMENT,
                 "ES-2: another kind");
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK);
    np_stream_release(stream);
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err),
                 NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_end_get_request_stream(other, foreign, &stream, &err), NP_OK,
                 "it was not used up");
    np_stream_release(stream);
    np_async_release(async);
    np_async_release(foreign);
    np_request_release(other);
    end_all(request, NULL);
}

static void *ready_soon(void *user)
{
    (void)user;
    fake_ready(0);
    return NULL;
}

Test(request_body, es_4_end_waits_until_it_is_complete)
{
    pthread_t thread;
    np_request *request = make_chunked();
    np_async *async = begin_stream(request);
    cr_assert_eq(np_async_wait(async, 0), 1);
    pthread_create(&thread, NULL, ready_soon, NULL);
    np_stream *stream = end_stream(request, async);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_OPEN); /* ES-6 */
    pthread_join(thread, NULL);
    end_all(request, stream);
}

static void *end_in_thread(void *argument)
{
    struct calls *calls = argument;
    np_stream *stream;
    calls->status = np_request_end_get_request_stream(
        calls->request, (np_async *)(void *)calls->response, &stream, &calls->err);
    np_stream_release(stream);
    return NULL;
}

Test(request_body, es_5_a_failure_comes_out_of_end_which_counts)
{
    np_error err = {0};
    np_stream *stream = (np_stream *)&err;
    np_request *request = make("POST");
    np_async *async = begin_stream(request);
    fake_done(0, &refused);
    assert_web(np_request_end_get_request_stream(request, async, &stream, &err), &err,
               NP_WEB_CONNECT_FAILURE);
    cr_assert_null(stream, "ER-4");
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_FAILED);
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err),
                 NP_E_INVALID_OPERATION, "ES-3");
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, bs_5_a_transfer_encoding_needs_chunked)
{
    np_request *request = make_chunked();
    cr_assert_eq(np_request_set_transfer_encoding(request, "gzip", NULL), NP_OK);
    cr_assert_eq(np_request_set_send_chunked(request, false, NULL), NP_OK);
    refuse_stream(request, NP_E_INVALID_OPERATION, "transfer encoding");
    refuse_response(request, NP_E_INVALID_OPERATION, "transfer encoding"); /* GR-6 */
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    refuse_stream(request, NP_E_PROTOCOL_VIOLATION, "length"); /* BS-4 comes first */
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_not_null(strstr(fake_look(0).headers, "Transfer-Encoding: gzip, chunked\n"));
    end_all(request, stream);
}

Test(request_body, es_7_of_two_racing_ends_one_wins)
{
    pthread_t thread[2];
    struct calls calls[2];
    np_request *request = make("POST");
    np_async *async = begin_stream(request);
    for (int i = 0; i < 2; i++) {
        calls[i] = calls_make(request);
        calls[i].response = (np_response *)(void *)async;
        pthread_create(&thread[i], NULL, end_in_thread, &calls[i]);
    }
    fake_ready(0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    const int first = calls[0].status == NP_OK ? 0 : 1;
    cr_assert_eq(calls[first].status, NP_OK);
    cr_assert_eq(calls[1 - first].status, NP_E_INVALID_OPERATION);
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, es_8_abort_between_completion_and_end_wins)
{
    np_error err = {0};
    np_stream *stream;
    np_request *request = make_chunked();
    np_async *async = begin_stream(request);
    fake_ready(0);
    np_request_abort(request);
    assert_web(np_request_end_get_request_stream(request, async, &stream, &err), &err,
               NP_WEB_REQUEST_CANCELED);
    cr_assert_null(stream);
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, ab_2_abort_ends_the_pending_stream_operation_once)
{
    struct calls calls = calls_make(NULL);
    np_async *async;
    np_request *request = make_chunked();
    cr_assert_eq(np_request_begin_get_request_stream(request, count_call, &calls, &async, NULL),
                 NP_OK);
    np_request_abort(request);
    cr_assert_eq(calls.count, 1, "AB-3: before abort returns");
    cr_assert(calls.on_own_thread);
    cr_assert_eq(np_async_error(async)->web_status, NP_WEB_REQUEST_CANCELED);
    fake_wait(0, FAKE_ABORTED | FAKE_DONE);
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, ar_5_ready_calls_back_on_a_thread_of_the_pool)
{
    struct calls calls = calls_make(NULL);
    np_async *async;
    np_request *request = make_chunked();
    cr_assert_eq(np_request_begin_get_request_stream(request, count_call, &calls, &async, NULL),
                 NP_OK);
    fake_ready(0);
    wait_until(&calls.count, 1);
    cr_assert(calls.was_completed);
    cr_assert_not(calls.on_own_thread);
    np_async_release(async);
    end_all(request, NULL);
    cr_assert_eq(calls.count, 1);
}

Test(request_body, ar_9_a_stream_that_nobody_took_is_closed)
{
    np_request *request = make("POST");
    np_async *async = begin_stream(request);
    fake_ready(0);
    np_async_release(async);
    cr_assert_eq(fake_wait(0, FAKE_RELEASED).released, 0);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_CLOSED);
    end_all(request, NULL);
}

Test(request_body, ar_11_a_released_request_ends_its_stream_too)
{
    np_error err = {0};
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    np_request_release(request);
    assert_web(np_stream_write(stream, "x", 1, &err), &err, NP_WEB_REQUEST_CANCELED);
    fake_wait(0, FAKE_DONE);
    np_stream_release(stream);
    np_context_free(context);
}

/* --- GR --- */

Test(request_body, gr_3_announced_bytes_come_first)
{
    np_request *request = make_long(5);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hell", 4, NULL), NP_OK);
    refuse_response(request, NP_E_PROTOCOL_VIOLATION, "1 of the 5 announced bytes");
    cr_assert_eq(np_stream_write(stream, "o", 1, NULL), NP_OK, "the rest may be written");
    np_async *async = begin(request, NULL, NULL); /* GR-3b: closed by itself */
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_RESPONSE_PENDING);
    fake_answer(0, 200, "");
    np_response_release(end(request, async));
    np_async_release(async);
    end_all(request, stream); /* WS-17: closed after the response */
}

Test(request_body, gr_3b_a_gathered_body_is_closed_and_sent)
{
    np_request *request = make("POST");
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    np_async *async = begin(request, NULL, NULL);
    cr_assert_eq(fake_wait(0, FAKE_RELEASED).released, 5);
    fake_answer(0, 200, "");
    np_response_release(end(request, async));
    np_async_release(async);
    end_all(request, stream);
}

Test(request_body, gr_4_the_stream_comes_first)
{
    np_request *request = make_chunked();
    np_async *async = begin_stream(request);
    refuse_response(request, NP_E_PROTOCOL_VIOLATION, "obtain the request stream first");
    fake_ready(0);
    np_async *response = begin(request, NULL, NULL); /* completed, not ended: as an open one */
    fake_answer(0, 200, "");
    np_response_release(end(request, response));
    np_async_release(response);
    np_async_release(async);
    end_all(request, NULL);
}

Test(request_body, gr_4_a_body_of_no_byte_needs_not_be_waited_for)
{
    np_request *request = make_long(0);
    np_async *async = begin_stream(request);
    np_async *response = begin(request, NULL, NULL);
    fake_ready(0);
    np_stream *stream = end_stream(request, async);
    fake_answer(0, 200, "");
    np_response_release(end(request, response));
    np_async_release(response);
    end_all(request, stream);
}

Test(request_body, gr_5_a_verb_without_a_body_announces_none)
{
    np_request *request = make("GET");
    cr_assert_eq(np_request_set_content_length(request, 0, NULL), NP_OK);
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    refuse_response(request, NP_E_PROTOCOL_VIOLATION, "GET cannot carry a body");
    cr_assert_eq(np_request_set_send_chunked(request, false, NULL), NP_OK);
    np_async_release(begin(request, NULL, NULL)); /* a length of 0 is fine */
    end_all(request, NULL);
}

Test(request_body, gr_7_an_announced_body_needs_its_stream)
{
    np_request *request = make_long(5);
    refuse_response(request, NP_E_PROTOCOL_VIOLATION, "obtain the request stream first");
    np_async_release(begin_stream(request));
    end_all(request, NULL);
}

Test(request_body, gr_15_a_response_that_comes_early_waits_to_be_asked_for)
{
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    fake_answer(0, 200, "early");
    cr_assert(np_request_have_response(request));
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_STREAM_OPEN);
    struct calls calls = calls_make(NULL);
    np_async *async = begin(request, count_call, &calls);
    wait_until(&calls.count, 1);
    np_response *response = end(request, async);
    cr_assert_eq(np_response_status(response), 200);
    np_response_release(response);
    np_async_release(async);
    end_all(request, stream);
}

static void *ready_and_answer(void *user)
{
    (void)user;
    fake_ready(0);
    fake_wait(0, FAKE_RELEASED);
    fake_answer(0, 200, "ok");
    return NULL;
}

Test(request_body, gr_16_the_synchronous_form_gives_the_same_stream_again)
{
    np_error err = {0};
    np_stream *stream, *again;
    np_response *response;
    pthread_t thread;
    np_request *request = make("POST");
    pthread_create(&thread, NULL, ready_and_answer, NULL);
    cr_assert_eq(np_request_get_request_stream(request, &stream, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_get_request_stream(request, &again, &err), NP_OK, "%s", err.text);
    cr_assert_eq(stream, again);
    np_stream_release(again);
    cr_assert_eq(np_stream_write(stream, "abc", 3, &err), NP_OK);
    cr_assert_eq(np_request_get_response(request, &response, &err), NP_OK, "%s", err.text);
    pthread_join(thread, NULL);
    np_response_release(response);
    end_all(request, stream);
}

Test(request_body, gr_16_over_its_time_it_aborts)
{
    np_error err = {0};
    np_stream *stream;
    np_request *request = make("POST");
    cr_assert_eq(np_request_set_timeout(request, 20, NULL), NP_OK);
    assert_web(np_request_get_request_stream(request, &stream, &err), &err, NP_WEB_TIMEOUT);
    cr_assert_null(stream);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    end_all(request, NULL);
}

/* --- WS --- */

Test(request_body, ws_1_null_is_named)
{
    np_error err = {0};
    np_async *async;
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, NULL, 1, &err), NP_E_ARGUMENT_NULL);
    cr_assert_not_null(strstr(err.text, "buffer"));
    cr_assert_eq(np_stream_write(NULL, "x", 1, &err), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_stream_begin_write(stream, "x", 1, NULL, NULL, NULL, &err), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_stream_begin_write(stream, NULL, 1, NULL, NULL, &async, &err),
                 NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_stream_end_write(stream, NULL, &err), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_stream_write(stream, NULL, 0, &err), NP_OK, "WS-7");
    cr_assert_eq(np_stream_flush(stream, &err), NP_OK, "WS-11");
    end_all(request, stream);
}

Test(request_body, ws_2_each_stream_has_one_direction)
{
    np_error err = {0};
    char byte;
    size_t got;
    np_async *async;
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request), *body;
    cr_assert_eq(np_stream_read(stream, &byte, 1, &got, &err), NP_E_NOT_SUPPORTED);
    cr_assert_eq(np_stream_begin_read(stream, &byte, 1, NULL, NULL, &async, &err),
                 NP_E_NOT_SUPPORTED);
    np_async *operation = begin(request, NULL, NULL);
    fake_answer(0, 200, "");
    np_response *response = end(request, operation);
    cr_assert_eq(np_response_stream(response, &body, NULL), NP_OK);
    cr_assert_eq(np_stream_write(body, "x", 1, &err), NP_E_NOT_SUPPORTED);
    cr_assert_eq(np_stream_begin_write(body, "x", 1, NULL, NULL, &async, &err), NP_E_NOT_SUPPORTED);
    np_stream_release(body);
    np_response_release(response);
    np_async_release(operation);
    end_all(request, stream);
}

static void refuse_write(np_stream *stream, np_web_status web_status)
{
    np_error err = {0};
    np_async *async = (np_async *)&err;
    assert_web(np_stream_write(stream, "x", 1, &err), &err, web_status);
    assert_web(np_stream_begin_write(stream, "x", 1, NULL, NULL, &async, &err), &err, web_status);
    cr_assert_null(async, "ER-4");
}

Test(request_body, ws_3_after_close_a_write_says_connection_closed)
{
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    refuse_write(stream, NP_WEB_CONNECTION_CLOSED);
    end_all(request, stream);
}

Test(request_body, ws_4_after_abort_a_write_says_request_canceled)
{
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    np_request_abort(request);
    refuse_write(stream, NP_WEB_REQUEST_CANCELED);
    end_all(request, stream);
}

Test(request_body, ws_7_a_write_of_nothing_makes_no_chunk)
{
    char taken[8];
    np_error err = {0};
    np_async *async;
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "", 0, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_stream_write(stream, NULL, 0, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_stream_begin_write(stream, NULL, 0, NULL, NULL, &async, &err), NP_OK);
    cr_assert(np_async_is_completed(async));
    cr_assert_eq(np_stream_end_write(stream, async, &err), NP_OK);
    np_async_release(async);
    cr_assert_eq(fake_take(0, taken, sizeof taken), NP_UPLOAD_PAUSE);
    end_all(request, stream);
}

Test(request_body, ws_11_a_flush_does_nothing)
{
    char taken[8];
    np_request *request = make("POST");
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_flush(stream, NULL), NP_OK);
    cr_assert_eq(np_stream_write(stream, "abc", 3, NULL), NP_OK);
    cr_assert_eq(np_stream_flush(stream, NULL), NP_OK);
    cr_assert_eq(fake_look(0).flags & FAKE_RELEASED, 0, "it does not force the header out");
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    cr_assert_eq(np_stream_flush(stream, NULL), NP_OK, "after the close too");
    cr_assert_eq(fake_take(0, taken, sizeof taken), 3);
    cr_assert_eq(np_stream_flush(NULL, NULL), NP_E_ARGUMENT_NULL);
    np_request_abort(request);
    cr_assert_eq(np_stream_flush(stream, NULL), NP_OK, "nothing of it was lost");
    end_all(request, stream);
}

Test(request_body, ab_6_a_flush_of_what_an_abort_has_lost_says_so)
{
    np_error err = {0};
    np_request *request = make("POST");
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "abc", 3, NULL), NP_OK);
    np_request_abort(request);
    assert_web(np_stream_flush(stream, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK, "closing is fine");
    end_all(request, stream);
}

Test(request_body, ws_15_closing_again_or_after_an_abort_is_fine)
{
    np_request *request = make_long(5);
    np_stream *stream = open_stream(request);
    np_request_abort(request);
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK, "with bytes owed too");
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    end_all(request, stream);
}

Test(request_body, ws_17_closing_after_the_response_was_read_is_fine)
{
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    np_async *async = begin(request, NULL, NULL);
    fake_header(0, 200, 0, NULL, 0);
    fake_done(0, NULL);
    np_response *response = end(request, async);
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    np_async_release(async);
    np_response_release(response);
    end_all(request, stream);
}

Test(request_body, ws_5_one_write_at_a_time)
{
    static char bytes[100000], taken[65536];
    np_error err = {0};
    np_async *write, *other;
    np_request *request = make_long(200000);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_begin_write(stream, bytes, sizeof bytes, NULL, NULL, &write, &err),
                 NP_OK);
    cr_assert_not(np_async_is_completed(write), "64 KiB of it were taken");
    cr_assert_eq(np_stream_write(stream, "x", 1, &err), NP_E_NOT_SUPPORTED);
    cr_assert_eq(np_stream_begin_write(stream, "x", 1, NULL, NULL, &other, &err),
                 NP_E_NOT_SUPPORTED);
    cr_assert_eq(fake_take(0, taken, sizeof taken), (ptrdiff_t)sizeof taken);
    cr_assert_eq(np_stream_end_write(stream, write, &err), NP_OK, "the first one is unaffected");
    cr_assert_eq(np_stream_end_write(stream, write, &err), NP_E_INVALID_OPERATION);
    np_async_release(write);
    np_request_abort(request);
    end_all(request, stream);
}

Test(request_body, ws_6_more_than_announced_is_refused_whole)
{
    np_error err = {0};
    char taken[16];
    np_async *write;
    np_request *request = make_long(5);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "abc", 3, &err), NP_OK);
    cr_assert_eq(np_stream_write(stream, "def", 3, &err), NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_stream_begin_write(stream, "def", 3, NULL, NULL, &write, &err),
                 NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(fake_take(0, taken, sizeof taken), 3, "no byte of it is sent");
    cr_assert_eq(np_stream_write(stream, "de", 2, &err), NP_OK, "still open, the count unchanged");
    cr_assert_eq(np_stream_close(stream, &err), NP_OK);
    end_all(request, stream);
}

Test(request_body, ws_6_a_length_does_not_bind_a_chunked_body)
{
    np_request *request = make_chunked();
    cr_assert_eq(np_request_set_content_length(request, 1, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "abc", 3, NULL), NP_OK);
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    end_all(request, stream);
}

Test(request_body, ws_8_after_a_final_status_writes_are_dropped)
{
    static char bytes[300000];
    char taken[16];
    np_async *write;
    np_request *request = make_long(1000000);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_begin_write(stream, bytes, sizeof bytes, NULL, NULL, &write, NULL),
                 NP_OK);
    fake_header(0, 413, 0, NULL, 0);
    cr_assert_eq(np_stream_end_write(stream, write, NULL), NP_OK, "the one that waited too");
    cr_assert_eq(np_stream_write(stream, bytes, sizeof bytes, NULL), NP_OK);
    cr_assert_eq(fake_take(0, taken, sizeof taken), NP_UPLOAD_PAUSE);
    fake_done(0, &refused);
    cr_assert_eq(np_stream_write(stream, bytes, sizeof bytes, NULL), NP_OK,
                 "the connection may be lost then");
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK, "nobody wants the rest");
    np_async_release(write);
    end_all(request, stream);
}

Test(request_body, ws_12_a_close_with_bytes_owed_cancels)
{
    np_error err = {0};
    np_request *request = make_long(5);
    np_stream *stream = open_stream(request);
    assert_web(np_stream_close(stream, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_str_eq(err.cause, "not all bytes written");
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    fake_wait(0, FAKE_ABORTED | FAKE_DONE);
    end_all(request, stream);
}

Test(request_body, ws_12_the_last_release_is_a_close)
{
    np_request *request = make_long(5);
    np_stream *stream = open_stream(request);
    np_stream_release(stream);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    end_all(request, NULL);
}

Test(request_body, bh_3_a_paused_engine_is_woken_once_and_only_when_it_paused)
{
    char taken[16];
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "ab", 2, NULL), NP_OK);
    cr_assert_eq(fake_look(0).upload_resumes, 0, "it did not ask yet");
    cr_assert_eq(fake_take(0, taken, sizeof taken), 2);
    cr_assert_eq(fake_take(0, taken, sizeof taken), NP_UPLOAD_PAUSE);
    cr_assert_eq(np_stream_write(stream, "c", 1, NULL), NP_OK);
    cr_assert_eq(np_stream_write(stream, "d", 1, NULL), NP_OK);
    cr_assert_eq(fake_take(0, taken, sizeof taken), 1, "one write is one chunk");
    cr_assert_eq(fake_take(0, taken, sizeof taken), 1);
    cr_assert_eq(fake_look(0).upload_resumes, 1);
    cr_assert_eq(fake_take(0, taken, sizeof taken), NP_UPLOAD_PAUSE);
    cr_assert_eq(np_stream_close(stream, NULL), NP_OK);
    cr_assert_eq(fake_take(0, taken, sizeof taken), 0, "WS-13");
    end_all(request, stream);
}

Test(request_body, bh_2_the_copy_is_played_again_until_the_response_is_accepted)
{
    char taken[16];
    np_request *request = make_chunked();
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_write(stream, "hello", 5, NULL), NP_OK);
    cr_assert_eq(fake_take(0, taken, 3), 3);
    cr_assert(fake_rewind(0));
    cr_assert_eq(fake_take(0, taken, sizeof taken), 5);
    cr_assert_eq(memcmp(taken, "hello", 5), 0);
    fake_header(0, 200, 0, NULL, 0);
    cr_assert_not(fake_rewind(0));
    end_all(request, stream);
}
