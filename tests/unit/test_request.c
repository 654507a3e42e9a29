/* The request contract against an engine that does what the test says: errors, states, begin and
 * end. Each name begins with the rule of docs/contract.md it holds. */
#include "request_fixture.h"

/* --- ER: errors --- */

Test(request, er_1_network_failures_come_out_of_end)
{
    np_error err = {0};
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    np_response *response;

    fake_done(0, &refused);
    const np_status status = np_request_end_get_response(request, async, &response, &err);

    assert_web(status, &err, NP_WEB_CONNECT_FAILURE);
    cr_assert_str_eq(err.text, refused.text);
    cr_assert_eq(err.code, 111);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_FAILED);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, er_1_usage_errors_come_out_of_the_call_and_never_call_back)
{
    np_error err = {0};
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, NULL, NULL), *second;

    cr_assert_eq(np_request_begin_get_response(request, count_call, &calls, &second, &err),
                 NP_E_INVALID_OPERATION);

    cr_assert_null(second);
    fake_answer(0, 200, "x");
    cr_assert_eq(np_async_wait(async, 20000), 0);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(calls.count, 0);
}

Test(request, er_2_a_refused_begin_changes_nothing)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async;

    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, NULL, NULL),
                 NP_E_ARGUMENT_NULL);

    cr_assert_eq(np_request_get_state(request), NP_REQUEST_CREATED);
    cr_assert_eq(np_request_set_method(request, "HEAD", NULL), NP_OK);
    async = begin(request, NULL, NULL);
    fake_answer(0, 200, "");
    np_response_release(end(request, async));
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, er_3_a_failure_is_sticky)
{
    np_error err = {0};
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL), *second;
    np_response *response;
    fake_done(0, &refused);
    cr_assert_eq(np_async_wait(async, 20000), 0);

    for (int i = 0; i < 2; i++) {
        memset(&err, 0, sizeof err);
        assert_web(np_request_begin_get_response(request, NULL, NULL, &second, &err), &err,
                   NP_WEB_CONNECT_FAILURE);
        cr_assert_str_eq(err.text, refused.text);
        assert_web(np_request_get_response(request, &response, &err), &err, NP_WEB_CONNECT_FAILURE);
    }

    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, er_4_outputs_are_null_after_a_failure)
{
    np_async *async = (np_async *)1;
    np_response *response = (np_response *)1;
    np_request *request = (np_request *)1;
    np_stream *stream = (np_stream *)1;
    np_context *context = context_make();
    size_t got = 1;

    cr_assert(np_request_create(context, "nonsense", &request, NULL));
    cr_assert(np_request_begin_get_response(NULL, NULL, NULL, &async, NULL));
    cr_assert(np_request_end_get_response(NULL, NULL, &response, NULL));
    cr_assert(np_response_stream(NULL, &stream, NULL));
    cr_assert(np_stream_read(NULL, NULL, 0, &got, NULL));

    cr_assert_null(request);
    cr_assert_null(async);
    cr_assert_null(response);
    cr_assert_null(stream);
    cr_assert_eq(got, 0);
    np_context_free(context);
}

/* --- SM: the state machine --- */

Test(request, sm_1_nothing_can_be_changed_after_the_start)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);

    cr_assert_eq(np_request_set_method(request, "", NULL), NP_E_INVALID_OPERATION,
                 "the started check comes before the value's");
    cr_assert_eq(np_request_set_reuse(request, NP_REUSE_COLD, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_protocol_version(request, 7, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_connection_group_name(request, "g", NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_timeout(request, -7, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_async_timeout(request, 7, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_header_set(request, "X-A", "1", NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_accept(request, "*/*", NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_user_agent(request, "x", NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_referer(request, "x", NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_content_type(request, "x", NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_set_host(request, "x", NULL), NP_E_INVALID_OPERATION);

    cr_assert_str_eq(np_request_method(request), "GET");
    fake_answer(0, 200, "");
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, sm_2_a_request_is_used_once)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL), *second;
    fake_answer(0, 200, "x");
    np_response *response = end(request, async);
    np_response_close(response);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_CLOSED);

    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &second, NULL),
                 NP_E_INVALID_OPERATION);

    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, sm_3_the_families_are_not_mixed)
{
    np_error err = {0};
    np_context *context = context_make();
    np_request *request = request_make(context), *other = request_make(context);
    np_response *response;
    np_async *async = begin(request, NULL, NULL), *second;

    cr_assert_eq(np_request_get_response(request, &response, &err), NP_E_INVALID_OPERATION,
                 "while it is pending");
    fake_answer(0, 200, "x");
    response = end(request, async);
    np_response *refused_response;
    cr_assert_eq(np_request_get_response(request, &refused_response, &err), NP_E_INVALID_OPERATION,
                 "GR-10: and afterwards");
    cr_assert(strstr(err.text, "mixed"), "%s", err.text);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_RESPONSE_READY);

    struct calls calls = calls_make(other);
    pthread_t thread;
    pthread_create(&thread, NULL, get_in_thread, &calls);
    fake_answer(1, 200, "x");
    pthread_join(thread, NULL);
    cr_assert_eq(calls.status, NP_OK);
    cr_assert_eq(np_request_begin_get_response(other, NULL, NULL, &second, &err),
                 NP_E_INVALID_OPERATION);

    np_response_release(calls.response);
    np_response_release(response);
    np_async_release(async);
    np_request_release(other);
    np_request_release(request);
    np_context_free(context);
}

static void take_lock_of_other_thread(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->was_completed = pthread_mutex_trylock(&calls->request->lock) == 0;
    if (calls->was_completed)
        pthread_mutex_unlock(&calls->request->lock);
    calls->count++;
}

Test(request, sm_4_callbacks_run_without_the_lock)
{
    np_context *context = context_make();
    np_request *request = request_make(context), *aborted = request_make(context);
    struct calls calls = calls_make(request), abort_calls = calls_make(aborted);

    np_async *async = begin(request, take_lock_of_other_thread, &calls);
    np_async *second = begin(aborted, take_lock_of_other_thread, &abort_calls);
    np_request_abort(aborted);
    fake_answer(0, 200, "x");
    wait_until(&calls.count, 1);

    cr_assert(calls.was_completed);
    cr_assert(abort_calls.was_completed);
    np_async_release(async);
    np_async_release(second);
    np_request_release(request);
    np_request_release(aborted);
    np_context_free(context);
}

/* --- GR: begin and end get response --- */

Test(request, gr_0_null_is_named)
{
    np_error err = {0};
    np_async *async;
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);

    cr_assert_eq(np_request_begin_get_response(NULL, NULL, NULL, &async, &err), NP_E_ARGUMENT_NULL);
    cr_assert_str_eq(err.text, "request is NULL");
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, NULL, &err),
                 NP_E_ARGUMENT_NULL);
    cr_assert_str_eq(err.text, "out is NULL");
    cr_assert_eq(np_request_get_response(NULL, &response, &err), NP_E_ARGUMENT_NULL);

    np_request_release(request);
    np_context_free(context);
}

Test(request, gr_0_a_freed_context_is_disposed)
{
    np_error err = {0};
    np_async *async;
    np_response *response;
    struct opened o = open_response();
    np_request *fresh = request_make(o.context);
    char buffer[8];
    size_t got;
    np_stream *stream;

    np_context_free(o.context);

    cr_assert_eq(np_request_begin_get_response(fresh, NULL, NULL, &async, &err),
                 NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_request_get_response(fresh, &response, &err), NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_stream_read(o.stream, buffer, sizeof buffer, &got, &err), NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_stream_begin_read(o.stream, buffer, sizeof buffer, NULL, NULL, &async, &err),
                 NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_response_stream(o.response, &stream, &err), NP_E_OBJECT_DISPOSED);
    cr_assert_eq(np_response_status(o.response), 200, "what was copied stays");
    np_request_abort(fresh);
    np_response_close(o.response);
    np_request_release(fresh);
    np_stream_release(o.stream);
    np_response_release(o.response);
    np_request_release(o.request);
}

Test(request, gr_1_an_aborted_request_begins_nothing)
{
    np_error err = {0};
    np_async *async;
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_request_abort(request);

    assert_web(np_request_begin_get_response(request, NULL, NULL, &async, &err), &err,
               NP_WEB_REQUEST_CANCELED);
    assert_web(np_request_get_response(request, &response, &err), &err, NP_WEB_REQUEST_CANCELED);

    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(fake_started(), 0);
}

Test(request, gr_2_the_stored_failure_answers_begin)
{
    np_error err = {0};
    np_async *second;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    np_error failure = {.status = NP_E_WEB,
                        .web_status = NP_WEB_NAME_RESOLUTION_FAILURE,
                        .layer = "dns",
                        .code = 3,
                        .text = "example.test does not exist"};
    fake_done(0, &failure);
    cr_assert_eq(np_async_wait(async, 20000), 0);

    assert_web(np_request_begin_get_response(request, NULL, NULL, &second, &err), &err,
               NP_WEB_NAME_RESOLUTION_FAILURE);

    cr_assert_eq(memcmp(&err, &failure, sizeof err), 0);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, gr_8_a_second_begin_leaves_the_first_alone)
{
    np_error err = {0};
    np_async *second;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);

    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &second, &err),
                 NP_E_INVALID_OPERATION);
    cr_assert(strstr(err.text, "pending"), "%s", err.text);

    fake_answer(0, 204, "");
    np_response *response = end(request, async);
    cr_assert_eq(np_response_status(response), 204);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, gr_9_a_response_is_obtained_once)
{
    np_error err = {0};
    np_async *second;
    struct opened o = open_response();

    cr_assert_eq(np_request_begin_get_response(o.request, NULL, NULL, &second, &err),
                 NP_E_INVALID_OPERATION);
    cr_assert(strstr(err.text, "obtained"), "%s", err.text);

    close_all(&o);
}

Test(request, gr_12_post_and_put_without_a_body_say_so)
{
    np_context *context = context_make();
    np_request *post = request_make(context), *patch = request_make(context);
    np_request_set_method(post, "post", NULL);
    np_request_set_method(patch, "PATCH", NULL);

    np_async *a = begin(post, NULL, NULL);
    np_async *b = begin(patch, NULL, NULL);

    cr_assert_str_eq(fake_wait(0, FAKE_STARTED).headers, "Content-Length: 0\n");
    cr_assert_str_eq(fake_wait(1, FAKE_STARTED).headers, "");
    np_async_release(a);
    np_async_release(b);
    np_request_release(post);
    np_request_release(patch);
    np_context_free(context);
}

Test(request, gr_13_end_checks_its_result)
{
    np_error err = {0};
    np_response *response;
    np_async *read;
    char buffer[8];
    struct opened o = open_response();
    np_request *other = request_make(o.context);
    np_async *foreign = begin(other, NULL, NULL);
    fake_answer(1, 200, "x");
    cr_assert_eq(np_stream_begin_read(o.stream, buffer, sizeof buffer, NULL, NULL, &read, NULL),
                 NP_OK);

    cr_assert_eq(np_request_end_get_response(o.request, NULL, &response, &err), NP_E_ARGUMENT_NULL,
                 "ES-1");
    cr_assert_str_eq(err.text, "async is NULL");
    cr_assert_eq(np_request_end_get_response(o.request, foreign, &response, &err), NP_E_ARGUMENT,
                 "ES-2: another request");
    cr_assert_eq(np_request_end_get_response(o.request, read, &response, &err), NP_E_ARGUMENT,
                 "ES-2: another kind");

    np_response_release(end(other, foreign)); /* it was not marked as ended */
    np_async_release(read);
    np_async_release(foreign);
    np_request_release(other);
    close_all(&o);
}

Test(request, gr_13_end_succeeds_once)
{
    np_error err = {0};
    np_response *second;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_answer(0, 200, "x");
    np_response *response = end(request, async);

    cr_assert_eq(np_request_end_get_response(request, async, &second, &err), NP_E_INVALID_OPERATION,
                 "ES-3");
    cr_assert_null(second);

    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

static void *end_in_thread(void *argument)
{
    struct calls *calls = argument;
    np_async *async = &calls->request->operation;
    calls->count++;
    calls->status =
        np_request_end_get_response(calls->request, async, &calls->response, &calls->err);
    return NULL;
}

Test(request, gr_13_end_waits_and_one_of_two_wins)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    struct calls calls[2] = {calls_make(request), calls_make(request)};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, end_in_thread, &calls[i]);
    for (int i = 0; i < 2; i++)
        wait_until(&calls[i].count, 1);

    fake_answer(0, 200, "x");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);

    const int winner = calls[0].status == NP_OK ? 0 : 1;
    cr_assert_eq(calls[winner].status, NP_OK);
    cr_assert_eq(calls[1 - winner].status, NP_E_INVALID_OPERATION, "ES-7");
    np_response_release(calls[winner].response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, gr_13_abort_between_completion_and_end_cancels)
{
    np_error err = {0};
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_answer(0, 200, "x");
    cr_assert_eq(np_async_wait(async, 20000), 0);

    np_request_abort(request);

    assert_web(np_request_end_get_response(request, async, &response, &err), &err,
               NP_WEB_REQUEST_CANCELED); /* ES-8 */
    cr_assert_null(response);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

Test(request, gr_14_statuses_that_succeed)
{
    static const int statuses[] = {200, 204, 299, 301, 304, 399};
    np_context *context = context_make();
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        np_request *request = request_make(context);
        cr_assert_eq(np_request_set_allow_auto_redirect(request, statuses[i] < 300, NULL), NP_OK);
        np_async *async = begin(request, NULL, NULL);
        fake_answer(i, statuses[i], "");
        np_response *response = end(request, async);
        cr_assert_eq(np_response_status(response), statuses[i]);
        np_response_release(response);
        np_async_release(async);
        np_request_release(request);
    }
    np_context_free(context);
}

Test(request, gr_14_an_error_status_fails_with_a_readable_response)
{
    static const int statuses[] = {304, 305, 306, 399, 400, 404, 503, 999};
    static const np_header_line lines[] = {
        {"X-Why", "gone", 5, 4}
    };
    np_context *context = context_make();
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        np_error err = {0};
        char buffer[16];
        np_stream *stream;
        np_response *response;
        np_request *request = request_make(context);
        np_async *async = begin(request, NULL, NULL);
        fake_header(i, statuses[i], 4, lines, 1);
        fake_body(i, "oops", 4);
        fake_done(i, NULL);

        assert_web(np_request_end_get_response(request, async, &response, &err), &err,
                   NP_WEB_PROTOCOL_ERROR);
        cr_assert_eq(err.code, statuses[i]);
        cr_assert_null(response);
        response = np_async_response(async);
        np_response *same = np_request_response(request);
        cr_assert_eq(same, response);
        cr_assert_eq(np_response_status(response), statuses[i]);
        cr_assert_str_eq(np_response_header(response, "x-why"), "gone");
        cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
        cr_assert_eq(read_some(stream, buffer, sizeof buffer), 4);
        cr_assert_eq(memcmp(buffer, "oops", 4), 0);
        cr_assert_eq(np_async_error(async)->web_status, NP_WEB_PROTOCOL_ERROR);

        np_stream_release(stream);
        np_response_release(same);
        np_response_release(response);
        np_async_release(async);
        np_request_release(request);
    }
    np_context_free(context);
}

Test(request, gr_14_the_response_of_a_failure_stays_after_the_result_is_released)
{
    np_error err = {0};
    char buffer[16];
    np_stream *stream;
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    np_async *async = begin(request, NULL, NULL);
    fake_answer(0, 404, "oops");
    assert_web(np_request_end_get_response(request, async, &response, &err), &err,
               NP_WEB_PROTOCOL_ERROR);
    np_async_release(async);

    response = np_request_response(request);

    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
    cr_assert_eq(read_some(stream, buffer, sizeof buffer), 4);
    np_stream_release(stream);
    np_response_release(response);
    np_request_release(request);
    np_context_free(context);
}

Test(request, gr_15_have_response_means_a_header_came)
{
    np_context *context = context_make();
    np_request *error_status = request_make(context), *failed = request_make(context);
    np_async *a = begin(error_status, NULL, NULL);
    np_async *b = begin(failed, NULL, NULL);
    cr_assert_not(np_request_have_response(error_status));

    fake_header(0, 500, 0, NULL, 0);
    fake_done(1, &refused);
    cr_assert_eq(np_async_wait(a, 20000), 0);
    cr_assert_eq(np_async_wait(b, 20000), 0);

    cr_assert(np_request_have_response(error_status));
    cr_assert_not(np_request_have_response(failed));
    cr_assert_null(np_request_response(failed));
    np_async_release(a);
    np_async_release(b);
    np_request_release(error_status);
    np_request_release(failed);
    np_context_free(context);
}

Test(request, gr_16_the_synchronous_form_gives_the_same_response_again)
{
    np_context *context = context_make();
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_response *again;
    pthread_t thread;
    pthread_create(&thread, NULL, get_in_thread, &calls);
    fake_answer(0, 200, "x");
    pthread_join(thread, NULL);
    cr_assert_eq(calls.status, NP_OK, "%s", calls.err.text);

    cr_assert_eq(np_request_get_response(request, &again, NULL), NP_OK);

    cr_assert_eq(again, calls.response);
    np_response_release(again);
    np_response_release(calls.response);
    np_request_release(request);
    np_context_free(context);
    cr_assert_eq(fake_started(), 1);
}

Test(request, gr_16_over_its_time_the_synchronous_form_aborts)
{
    np_error err = {0};
    np_response *response;
    np_context *context = context_make();
    np_request *request = request_make(context);
    cr_assert_eq(np_request_set_timeout(request, 0, NULL), NP_OK); /* counts as 1 ms */

    assert_web(np_request_get_response(request, &response, &err), &err, NP_WEB_TIMEOUT);

    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    cr_assert_eq(fake_wait(0, FAKE_ABORTED).cause, NP_WEB_TIMEOUT);
    assert_web(np_request_get_response(request, &response, &err), &err,
               NP_WEB_REQUEST_CANCELED); /* GR-1 */
    np_request_release(request);
    np_context_free(context);
}

static void get_inside(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->status = np_request_get_response(calls->request, &calls->response, &calls->err);
    calls->count++;
}

Test(request, gr_16_the_synchronous_form_works_in_a_callback)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.pool_threads = 1;
    np_context *context;
    cr_assert_eq(np_context_create(&options, &context, NULL), NP_OK);
    np_request *outer = request_make(context), *inner = request_make(context);
    struct calls calls = calls_make(inner);
    np_async *async = begin(outer, get_inside, &calls);

    fake_answer(0, 200, "x");
    fake_answer(1, 200, "y");
    wait_until(&calls.count, 1);

    cr_assert_eq(calls.status, NP_OK, "%s", calls.err.text);
    np_response_release(calls.response);
    np_async_release(async);
    np_request_release(outer);
    np_request_release(inner);
    np_context_free(context);
}
