/* What the options of a context change in the contract: the bounded pool, the profile, the cache
 * validator, deferred callbacks, early ends, origins that speak HTTP/1.0. Against an engine that
 * does what the test says. Each name begins with the rule of docs/contract.md it holds. */
#include "request_fixture.h"
#include <stdio.h>

static np_context *context_with(np_context_options options)
{
    np_error err = {0};
    np_context *context;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    return context;
}

#define OPTIONS(...)                                                                               \
    ((np_context_options){                                                                         \
        .size = sizeof(np_context_options), .connection_lease_timeout_ns = -1, __VA_ARGS__})

static np_request *make(np_context *context, const char *method)
{
    np_request *request = request_make(context);
    cr_assert_eq(np_request_set_method(request, method, NULL), NP_OK);
    return request;
}

static np_status begin_stream(np_request *request, np_async **async, np_error *err)
{
    *err = (np_error){0};
    return np_request_begin_get_request_stream(request, NULL, NULL, async, err);
}

static np_status begin_response(np_request *request, np_async **async, np_error *err)
{
    *err = (np_error){0};
    return np_request_begin_get_response(request, NULL, NULL, async, err);
}

/* --- BS-11, GR-11 --- */

struct blocked_pool {
    np_context *context; /* NULL: made by exhaust() */
    size_t first;        /* transfer that is the next one */
    np_request *request[3];
    np_async *async[3];
    struct calls calls[3];
};

static void block(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->count++;
    wait_true(&calls->go);
}

/* Two threads that are held in a callback each, and a third callback that waits for one. */
static void exhaust(struct blocked_pool *pool)
{
    if (!pool->context)
        pool->context = context_with(OPTIONS(.pool_threads = 2, .pool_queue_limit = 1));
    for (int i = 0; i < 3; i++) {
        pool->request[i] = request_make(pool->context);
        pool->calls[i] = calls_make(pool->request[i]);
        pool->async[i] = begin(pool->request[i], block, &pool->calls[i]);
        fake_header(pool->first + (size_t)i, 200, -1, NULL, 0);
        if (i < 2)
            wait_until(&pool->calls[i].count, 1);
    }
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (np_callback_pool_queued(pool->context->pool) < 1) {
        cr_assert_lt(np_now(), until);
        sched_yield();
    }
}

static void let_go(struct blocked_pool *pool)
{
    for (int i = 0; i < 3; i++)
        pool->calls[i].go = true;
    wait_until(&pool->calls[2].count, 1);
    for (int i = 0; i < 3; i++) {
        np_async_release(pool->async[i]);
        np_request_release(pool->request[i]);
    }
    np_context_free(pool->context);
}

static void must_be_dead_of_exhaustion(np_request *request)
{
    np_error err;
    np_async *async;
    np_response *response;
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_ABORTED);
    assert_web(begin_stream(request, &async, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_null(async, "ER-4");
    cr_assert_str_eq(err.cause, "not enough free pool threads");
    assert_web(begin_response(request, &async, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_str_eq(err.cause, "not enough free pool threads");
    assert_web(np_request_get_response(request, &response, &err), &err, NP_WEB_REQUEST_CANCELED);
}

Test(request_context, bs_11_an_exhausted_pool_refuses_the_stream_and_ends_the_request)
{
    struct blocked_pool pool = {0};
    np_error err;
    np_async *async;
    exhaust(&pool);
    np_request *get = make(pool.context, "GET"), *post = make(pool.context, "POST");

    cr_assert_eq(begin_stream(get, &async, &err), NP_E_PROTOCOL_VIOLATION, "BS-2 comes first");
    cr_assert_eq(np_request_get_state(get), NP_REQUEST_CREATED);
    cr_assert_eq(begin_stream(post, &async, &err), NP_E_INVALID_OPERATION, "%s", err.text);
    cr_assert_str_eq(err.text, "not enough free pool threads");
    cr_assert_null(async);
    must_be_dead_of_exhaustion(post);

    np_request_release(get);
    np_request_release(post);
    let_go(&pool);
}

Test(request_context, gr_11_an_exhausted_pool_refuses_the_response_and_ends_the_request)
{
    struct blocked_pool pool = {0};
    np_error err;
    np_async *async;
    exhaust(&pool);
    np_request *request = request_make(pool.context);
    cr_assert_eq(begin_response(request, &async, &err), NP_E_INVALID_OPERATION, "%s", err.text);
    cr_assert_null(async);
    must_be_dead_of_exhaustion(request);
    np_request_release(request);
    let_go(&pool);
}

Test(request_context, gr_11_a_request_that_is_under_way_needs_no_free_thread)
{
    struct blocked_pool pool = {
        .context = context_with(OPTIONS(.pool_threads = 2, .pool_queue_limit = 1)), .first = 1};
    np_error err;
    np_async *stream_async, *async;
    np_request *post = make(pool.context, "POST");
    cr_assert_eq(begin_stream(post, &stream_async, &err), NP_OK, "%s", err.text);
    fake_ready(0);
    exhaust(&pool);
    cr_assert_eq(begin_response(post, &async, &err), NP_OK, "%s", err.text);
    np_async_release(stream_async);
    np_async_release(async);
    np_request_release(post);
    let_go(&pool);
}

Test(request_context, gr_11_the_synchronous_calls_need_no_thread)
{
    struct blocked_pool pool = {0};
    exhaust(&pool);
    struct calls calls = calls_make(request_make(pool.context));
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, get_in_thread, &calls), 0);
    fake_header(3, 200, 0, NULL, 0);
    fake_done(3, NULL);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(calls.status, NP_OK, "%s", calls.err.text);
    np_response_release(calls.response);
    np_request_release(calls.request);
    let_go(&pool);
}

/* --- BS-12 --- */

struct validator {
    _Atomic int asked;
    _Atomic bool is_cached;
    _Atomic bool on_own_thread;
    pthread_t maker;
};

static bool validate(const np_request *request, void *user)
{
    struct validator *validator = user;
    cr_assert_not_null(np_request_uri(request));
    (void)np_request_get_state(request); /* no lock is held (SM-4) */
    validator->on_own_thread = pthread_equal(validator->maker, pthread_self()) != 0;
    validator->asked++;
    return validator->is_cached;
}

Test(request_context, bs_12_a_cached_answer_is_refused_inside_the_call)
{
    struct validator validator = {.is_cached = true, .maker = pthread_self()};
    np_context *context =
        context_with(OPTIONS(.cache_validator = validate, .cache_user = &validator));
    np_error err, again;
    np_async *async;
    np_request *get = make(context, "GET"), *post = make(context, "POST");

    cr_assert_eq(begin_stream(get, &async, &err), NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(validator.asked, 0, "a call that is refused anyway asks nobody");
    cr_assert_eq(begin_stream(post, &async, &err), NP_E_NOT_SUPPORTED, "%s", err.text);
    cr_assert_null(async);
    cr_assert_not_null(strstr(err.text, "cached answer"));
    cr_assert(validator.on_own_thread);
    cr_assert_eq(np_request_get_state(post), NP_REQUEST_FAILED);
    cr_assert_eq(begin_response(post, &async, &again), NP_E_NOT_SUPPORTED, "ER-3");
    cr_assert_str_eq(again.text, err.text);
    cr_assert_eq(validator.asked, 1);
    cr_assert_eq(fake_started(), 0, "nothing was sent");
    np_request_release(get);
    np_request_release(post);
    np_context_free(context);
}

Test(request_context, bs_12_off_the_thread_the_refusal_comes_out_of_end)
{
    struct validator validator = {.is_cached = true, .maker = pthread_self()};
    np_context *context =
        context_with(OPTIONS(.cache_validator = validate, .cache_user = &validator,
                             .cache_validator_on_pool = true));
    np_error err;
    np_async *async;
    np_stream *stream;
    np_request *post = make(context, "POST");
    cr_assert_eq(begin_stream(post, &async, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_end_get_request_stream(post, async, &stream, &err), NP_E_NOT_SUPPORTED);
    cr_assert_not_null(strstr(err.text, "cached answer"), "%s", err.text);
    cr_assert_not(validator.on_own_thread);
    cr_assert_eq(np_request_get_state(post), NP_REQUEST_FAILED);
    cr_assert_eq(fake_started(), 0, "nothing was sent");
    np_async_release(async);
    np_request_release(post);
    np_context_free(context);
}

Test(request_context,
     bs_12_what_is_not_cached_is_sent_and_a_request_without_a_body_is_not_asked_about)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct validator validator = {.maker = pthread_self()};
        np_context *context =
            context_with(OPTIONS(.cache_validator = validate, .cache_user = &validator,
                                 .cache_validator_on_pool = on_pool != 0));
        np_error err;
        np_async *async;
        np_stream *stream;
        np_request *post = make(context, "POST"), *get = make(context, "GET");
        cr_assert_eq(begin_stream(post, &async, &err), NP_OK, "%s", err.text);
        fake_ready((size_t)on_pool * 2);
        cr_assert_eq(np_request_end_get_request_stream(post, async, &stream, &err), NP_OK);
        np_async_release(async);
        async = begin(get, NULL, NULL);
        (void)fake_wait((size_t)on_pool * 2 + 1, FAKE_STARTED);
        cr_assert_eq(validator.asked, 1);
        np_async_release(async);
        np_stream_release(stream);
        np_request_release(get);
        np_request_release(post);
        np_context_free(context);
    }
}

/* --- BS-13 --- */

static np_status ask_late(np_profile profile, int64_t length)
{
    np_context *context = context_with(OPTIONS(.profile = profile));
    np_request *request = make(context, "POST");
    np_error err;
    np_async *async, *late;
    if (length >= 0)
        cr_assert_eq(np_request_set_content_length(request, length, NULL), NP_OK);
    cr_assert_eq(begin_response(request, &async, &err), NP_OK, "%s", err.text);
    const np_status status = begin_stream(request, &late, &err);
    cr_assert_null(late);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_RESPONSE_PENDING, "unchanged");
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
    return status;
}

Test(request_context, bs_13_the_compact_profile_wants_the_empty_stream_first)
{
    cr_assert_eq(ask_late(NP_PROFILE_FULL, 0), NP_E_INVALID_OPERATION, "BS-9");
    cr_assert_eq(ask_late(NP_PROFILE_COMPACT, -1), NP_E_INVALID_OPERATION, "BS-9");
    cr_assert_eq(ask_late(NP_PROFILE_COMPACT, 0), NP_E_OBJECT_DISPOSED);
}

Test(request_context, bs_13_not_where_that_stream_was_obtained_and_closed)
{
    np_context *context = context_with(OPTIONS(.profile = NP_PROFILE_COMPACT));
    np_request *request = make(context, "POST");
    np_error err;
    np_async *async, *late;
    np_stream *stream;
    cr_assert_eq(np_request_set_content_length(request, 0, NULL), NP_OK);
    cr_assert_eq(begin_stream(request, &async, &err), NP_OK, "%s", err.text);
    fake_ready(0);
    cr_assert_eq(np_request_end_get_request_stream(request, async, &stream, &err), NP_OK);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK);
    np_async_release(async);
    cr_assert_eq(begin_response(request, &async, &err), NP_OK);
    cr_assert_eq(begin_stream(request, &late, &err), NP_E_INVALID_OPERATION, "%s", err.text);
    np_async_release(async);
    np_stream_release(stream);
    np_request_release(request);
    np_context_free(context);
}

/* --- AB-3 --- */

Test(request_context, ab_3_callbacks_of_an_abort_go_to_the_pool_where_that_is_asked_for)
{
    np_context *context = context_with(OPTIONS(.abort_defers_callbacks = true));
    np_request *request = request_make(context);
    struct calls calls = calls_make(request);
    np_async *async = begin(request, count_call, &calls);
    np_request_abort(request);
    wait_until(&calls.count, 1);
    cr_assert_not(calls.on_own_thread);
    cr_assert(np_async_is_completed(async), "completed before abort returned");
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

/* --- RB-5 --- */

static np_error cut = {.status = NP_E_WEB,
                       .web_status = NP_WEB_CONNECTION_CLOSED,
                       .text = "closed after 3 of 10 bytes"};
static np_error reset = {.status = NP_E_WEB, .web_status = NP_WEB_RECEIVE_FAILURE, .text = "reset"};

Test(request_context, rb_5_an_early_end_is_an_end_where_that_is_asked_for)
{
    char text[16];
    struct opened o = open_response_in(context_with(OPTIONS(.lenient_eof = true)));
    (void)fake_body(0, "abc", 3);
    fake_done(0, &cut);
    cr_assert_eq(read_some(o.stream, text, sizeof text), 3);
    cr_assert_eq(read_some(o.stream, text, sizeof text), 0);
    cr_assert_eq(read_some(o.stream, text, sizeof text), 0);
    close_all(&o);
}

Test(request_context, rb_5_a_reset_is_a_failure_there_too)
{
    char text[16];
    size_t got;
    np_error err = {0};
    struct opened o = open_response_in(context_with(OPTIONS(.lenient_eof = true)));
    fake_done(0, &reset);
    assert_web(np_stream_read(o.stream, text, sizeof text, &got, &err), &err,
               NP_WEB_RECEIVE_FAILURE);
    close_all(&o);
}

/* --- BS-3 --- */

Test(request_context, bs_3_an_origin_that_speaks_http_1_0_is_remembered)
{
    np_url url, other;
    np_old_origins origins;
    cr_assert_eq(np_url_parse("http://a.test/x", &url, NULL), NP_OK);
    cr_assert_eq(np_url_parse("http://a.test:81/x", &other, NULL), NP_OK);
    np_old_origins_init(&origins);
    cr_assert_not(np_old_origins_has(&origins, &url));
    np_old_origins_note(&origins, &url, 11);
    cr_assert_not(np_old_origins_has(&origins, &url));
    np_old_origins_note(&origins, &url, 10);
    np_old_origins_note(&origins, &url, 10);
    cr_assert(np_old_origins_has(&origins, &url));
    cr_assert_not(np_old_origins_has(&origins, &other), "another port is another origin");
    np_old_origins_note(&origins, &url, 20);
    cr_assert_not(np_old_origins_has(&origins, &url), "it has learned");
    np_old_origins_note(&origins, &url, 10);
    for (int port = 1; port <= (int)NP_OLD_ORIGINS; port++) {
        char text[64];
        np_url one;
        snprintf(text, sizeof text, "https://b.test:%d/", port);
        cr_assert_eq(np_url_parse(text, &one, NULL), NP_OK);
        np_old_origins_note(&origins, &one, 10);
        cr_assert(np_old_origins_has(&origins, &one));
        np_url_done(&one);
    }
    cr_assert_not(np_old_origins_has(&origins, &url), "the first one went");
    np_old_origins_done(&origins);
    np_url_done(&url);
    np_url_done(&other);
}

/* --- options --- */

Test(request_context, options_refuse_what_is_wrong)
{
    np_context *context = (np_context *)&cut;
    np_error err = {0};
    cr_assert_eq(np_context_create(&OPTIONS(.profile = (np_profile)7), &context, &err),
                 NP_E_ARGUMENT);
    cr_assert_null(context, "ER-4");
    cr_assert_not_null(strstr(err.text, "profile"));
}
