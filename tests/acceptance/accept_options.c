/* What the options of a context change of the contract: BS-11, BS-12, BS-13, AB-3, RB-5, GR-11. */
#include "acceptance.h"
#include <stdio.h>

static np_context_options options_init(void)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    return options;
}

/* ------------------------------------------------------------- BS-11: no thread for the callback */

static void wait_for_next(np_async *async, struct calls *calls)
{
    (void)async;
    while (atomic_load(&calls->next->count) == 0)
        pause_1_ms();
}

/* A pool of one thread, held by a callback, with one more callback waiting: it is full. */
struct full_pool {
    struct world w;
    struct calls go_on, held, queued;
    np_async *async[2];
};

static np_status begin_either(np_request *r, bool stream, np_async **async, np_error *e)
{
    return stream ? np_request_begin_get_request_stream(r, NULL, NULL, async, e)
                  : np_request_begin_get_response(r, NULL, NULL, async, e);
}

static void full_pool_open(struct full_pool *pool)
{
    np_context_options options = options_init();
    options.pool_threads = 1;
    options.pool_queue_limit = 1;
    *pool = (struct full_pool){.held = {.then = wait_for_next}};
    pool->held.next = &pool->go_on;
    pool->w = world_open_with(HELLO, &options);
    OK(np_request_begin_get_response(ask(&pool->w, "GET"), count_call, &pool->held, &pool->async[0],
                                     e));
    UNTIL(atomic_load(&pool->held.entered) == 1); /* it runs, and holds the thread */
    OK(np_request_begin_get_response(ask(&pool->w, "GET"), count_call, &pool->queued,
                                     &pool->async[1], e));
    cr_assert_eq(np_async_wait(pool->async[1], -1), 0);
}

static void full_pool_close(struct full_pool *pool)
{
    atomic_store(&pool->go_on.count, 1);
    UNTIL(atomic_load(&pool->queued.count) == 1);
    for (int i = 0; i < 2; i++)
        np_async_release(pool->async[i]);
    world_close(&pool->w);
}

/* The callback is queued a moment after its result has completed: one begin may still get in. */
static np_request *ask_until_refused(struct full_pool *pool, bool stream, np_error *error)
{
    for (int i = 0; i < 10; i++) {
        np_request *r = ask(&pool->w, "POST");
        np_async *async = (np_async *)pool;
        *error = (np_error){0};
        if (begin_either(r, stream, &async, error)) {
            cr_assert_null(async);
            return r;
        }
        np_request_abort(r);
        np_async_release(async);
        for (int ms = 0; ms < 1 << i; ms++)
            pause_1_ms();
    }
    cr_assert_fail("the pool is full and takes more");
    return NULL;
}

static void expect_refused(bool stream)
{
    struct full_pool pool;
    np_error error, later = {0};
    np_async *async;
    full_pool_open(&pool);
    np_request *r = ask_until_refused(&pool, stream, &error);
    cr_assert_eq(error.status, NP_E_INVALID_OPERATION);
    cr_assert(strstr(error.text, "threads"), "%s", error.text);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_ABORTED);
    cr_assert_eq(np_request_begin_get_response(r, NULL, NULL, &async, &later), NP_E_WEB);
    cr_assert_eq(later.web_status, NP_WEB_REQUEST_CANCELED);
    cr_assert(strstr(later.cause, "threads"), "the cause is not told: %s; %s", later.text,
              later.cause);
    full_pool_close(&pool);
}

Test(bs_11, a_full_pool_refuses_a_stream_and_that_aborts_the_request)
{
    expect_refused(true);
}

Test(gr_11, a_full_pool_refuses_a_response_and_that_aborts_the_request)
{
    expect_refused(false);
}

Test(bs_11, what_is_wrong_with_the_request_is_told_first)
{
    struct full_pool pool;
    np_error error;
    np_async *async;
    full_pool_open(&pool);
    ask_until_refused(&pool, true, &error);
    np_request *r = ask(&pool.w, "GET");
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    full_pool_close(&pool);
}

Test(bs_11, once_there_is_room_again_requests_are_taken)
{
    struct full_pool pool;
    np_error error;
    full_pool_open(&pool);
    ask_until_refused(&pool, false, &error);
    atomic_store(&pool.go_on.count, 1);
    UNTIL(atomic_load(&pool.queued.count) == 1);
    expect_hello(ask(&pool.w, "GET"));
    full_pool_close(&pool);
}

/* ------------------------------------------------------------------------- BS-12: a cached answer */

struct cache {
    atomic_int asked;
    atomic_bool hold; /* the answer waits */
    bool has_it;
    const np_request *request;
    pthread_t thread;
};

static bool ask_cache(const np_request *request, void *user)
{
    struct cache *cache = user;
    cache->request = request;
    cache->thread = pthread_self();
    atomic_fetch_add(&cache->asked, 1);
    while (atomic_load(&cache->hold))
        pause_1_ms();
    return cache->has_it;
}

static struct world world_open_cached(struct cache *cache, bool on_pool)
{
    np_context_options options = options_init();
    options.cache_validator = ask_cache;
    options.cache_user = cache;
    options.cache_validator_on_pool = on_pool;
    return world_open_with(TAKES(3), &options);
}

Test(bs_12, a_body_that_a_cache_would_answer_is_refused_by_begin)
{
    struct cache cache = {.has_it = true};
    struct world w = world_open_cached(&cache, false);
    np_request *r = ask(&w, "POST");
    np_async *async = (np_async *)&w;
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &async, e),
                   NP_E_NOT_SUPPORTED, "cache");
    cr_assert_null(async);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_FAILED);
    cr_assert_eq(atomic_load(&cache.asked), 1);
    cr_assert_eq(cache.request, r);
    cr_assert(pthread_equal(cache.thread, pthread_self()));
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_NOT_SUPPORTED);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_NOT_SUPPORTED);
    cr_assert_eq(atomic_load(&cache.asked), 1);
    cr_assert_eq(scripted_server_connections(w.server), 0);
    world_close(&w);
}

Test(bs_12, asked_on_the_pool_its_refusal_comes_out_of_end)
{
    struct cache cache = {.has_it = true};
    struct world w = world_open_cached(&cache, true);
    np_request *r = ask(&w, "POST");
    struct calls calls = {0};
    np_async *async, *none;
    np_stream *s = (np_stream *)&w;
    OK(np_request_begin_get_request_stream(r, count_call, &calls, &async, e));
    REFUSED(np_request_end_get_request_stream(r, async, &s, e), NP_E_NOT_SUPPORTED);
    cr_assert_null(s);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_FAILED);
    cr_assert_not(pthread_equal(cache.thread, pthread_self()));
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &none, e), NP_E_NOT_SUPPORTED);
    UNTIL(atomic_load(&calls.count) == 1);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

Test(bs_12, what_is_not_cached_is_sent)
{
    for (int on_pool = 0; on_pool < 2; on_pool++) {
        struct cache cache = {0};
        struct world w = world_open_cached(&cache, on_pool);
        np_request *r = ask(&w, "POST");
        without_expect(r);
        np_stream *s = open_stream(r);
        put(s, "abc");
        finish(s);
        expect_hello(r);
        cr_assert_eq(atomic_load(&cache.asked), 1);
        world_close(&w);
    }
}

Test(bs_12, nobody_is_asked_where_there_is_no_body_or_the_call_is_refused)
{
    struct cache cache = {.has_it = true};
    struct world w = world_open_cached(&cache, false);
    np_request *r = ask(&w, "GET");
    np_async *async;
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    np_request_abort(r);
    WEB(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_WEB_REQUEST_CANCELED);
    async = begin_response(ask(&w, "GET"));
    np_async_release(async);
    cr_assert_eq(atomic_load(&cache.asked), 0);
    world_close(&w);
}

Test(bs_12, an_abort_while_the_cache_is_asked_is_an_abort)
{
    struct cache cache = {.hold = true};
    struct world w = world_open_cached(&cache, true);
    np_request *r = ask(&w, "POST");
    struct calls calls = {0};
    np_async *async;
    OK(np_request_begin_get_request_stream(r, count_call, &calls, &async, e));
    UNTIL(atomic_load(&cache.asked) == 1);
    np_request_abort(r);
    cr_assert_eq(atomic_load(&calls.count), 1);
    atomic_store(&cache.hold, false);
    cr_assert_eq(async_failure(async).web_status, NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

/* --------------------------------------------------------------------- BS-13: the compact profile */

static np_request *ask_empty(struct world *w)
{
    np_request *r = ask(w, "POST");
    OK(np_request_set_content_length(r, 0, e));
    return r;
}

Test(bs_13, in_the_compact_profile_a_stream_of_no_byte_has_to_be_obtained_before_the_response)
{
    np_context_options options = options_init();
    options.profile = NP_PROFILE_COMPACT;
    struct world w = world_open_with("head; wait; " HELLO_REPLY, &options);
    np_request *r = ask_empty(&w);
    np_async *async = begin_response(r), *none = (np_async *)&w;
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &none, e), NP_E_OBJECT_DISPOSED);
    cr_assert_null(none);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_RESPONSE_PENDING);
    scripted_server_go(w.server);
    np_response_release(end_response(r, async));
    world_close(&w);
}

Test(bs_13, obtained_and_closed_it_goes_out)
{
    np_context_options options = options_init();
    options.profile = NP_PROFILE_COMPACT;
    struct world w = world_open_with(HELLO, &options);
    np_request *r = ask_empty(&w);
    np_async *none;
    finish(open_stream(r));
    expect_hello(r);
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &none, e), NP_E_INVALID_OPERATION);
    world_close(&w);
}

Test(bs_13, otherwise_it_is_an_invalid_operation)
{
    np_context_options options = options_init();
    options.profile = NP_PROFILE_COMPACT;
    struct world w = world_open(HELLO), compact = world_open_with(HELLO, &options);
    np_request *full = ask_empty(&w), *without_length = ask(&compact, "POST");
    np_async *none;
    expect_hello(full);
    REFUSED(np_request_begin_get_request_stream(full, NULL, NULL, &none, e),
            NP_E_INVALID_OPERATION);
    expect_hello(without_length);
    REFUSED(np_request_begin_get_request_stream(without_length, NULL, NULL, &none, e),
            NP_E_INVALID_OPERATION);
    world_close(&w);
    world_close(&compact);
}

/* ------------------------------------------------------------------- AB-3: callbacks that wait */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void take_mutex(np_async *async, struct calls *calls)
{
    (void)async;
    (void)calls;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
}

Test(ab_3, deferred_callbacks_run_on_the_pool_and_may_take_a_lock_that_the_aborting_thread_holds)
{
    np_context_options options = options_init();
    options.abort_defers_callbacks = true;
    struct world w = world_open_with(SILENT, &options);
    np_request *r = ask(&w, "GET");
    struct calls calls = {.then = take_mutex};
    np_async *async;
    np_response *response;
    OK(np_request_begin_get_response(r, count_call, &calls, &async, e));
    pthread_mutex_lock(&mutex);
    np_request_abort(r);
    cr_assert_eq(atomic_load(&calls.count), 0);
    cr_assert(np_async_is_completed(async));
    WEB(np_request_end_get_response(r, async, &response, e), NP_WEB_REQUEST_CANCELED);
    pthread_mutex_unlock(&mutex);
    UNTIL(atomic_load(&calls.count) == 1);
    cr_assert_not(pthread_equal(calls.thread, pthread_self()));
    np_async_release(async);
    world_close(&w);
    cr_assert_eq(atomic_load(&calls.count), 1);
}

/* ----------------------------------------------------------- a body that ends early, leniently */

static void expect_lenient(const char *fields, const char *sent, const char *body)
{
    char script[512];
    np_context_options options = options_init();
    options.lenient_eof = true;
    snprintf(script, sizeof script, "head; send \"HTTP/1.1 200 OK\\r\\n%s\\r\\n%s\"", fields, sent);
    struct world w = world_open_with(script, &options);
    np_response *response = get_response(ask(&w, "GET"));
    cr_assert_str_eq(body_of(response), body);
    np_response_release(response);
    world_close(&w);
}

Test(rb_5, where_it_is_lenient_a_body_that_ends_early_has_ended)
{
    expect_lenient("Content-Length: 9\\r\\n", "hello", "hello");
    expect_lenient("Transfer-Encoding: chunked\\r\\n", "5\\r\\nhello\\r\\n", "hello");
}

Test(rb_5, where_it_is_lenient_a_reset_is_a_failure_all_the_same)
{
    np_context_options options = options_init();
    options.lenient_eof = true;
    struct world w = world_open_with(
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\n\"; wait; reset", &options);
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s;
    char text[8];
    size_t got;
    OK(np_response_stream(response, &s, e));
    scripted_server_go(w.server);
    WEB(np_stream_read(s, text, 8, &got, e), NP_WEB_RECEIVE_FAILURE);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

/* ---------------------------------------------------- BS-3: an origin that is known to be old */

#define OLD_REPLY "send \"HTTP/1.0 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello\""

Test(bs_3, chunked_without_buffering_is_refused_where_the_origin_spoke_http_1_0)
{
    struct world w = world_open("head; " OLD_REPLY);
    expect_hello(ask(&w, "GET"));
    np_request *r = ask(&w, "POST");
    np_async *async;
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    REFUSED(np_request_begin_get_request_stream(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_PROTOCOL_VIOLATION);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    world_close(&w);
}

Test(bs_3, chunked_with_buffering_is_gathered_where_the_origin_spoke_http_1_0)
{
    struct world w = world_open("head; " OLD_REPLY "\n---\nhead; body 4; " OLD_REPLY);
    expect_hello(ask(&w, "GET"));
    np_request *r = ask(&w, "POST");
    OK(np_request_set_send_chunked(r, true, e));
    np_stream *s = open_stream(r);
    put(s, "ab");
    put(s, "cd");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Content-Length: 4\r\n"));
    cr_assert_not(heard(&w, "chunked"));
    world_close(&w);
}

Test(bs_3, an_old_origin_says_nothing_of_another_one)
{
    struct world old = world_open("head; " OLD_REPLY), w = world_open(TAKES_CHUNKS);
    expect_hello(ask_url(&w, "GET", url_of(&old, "/")));
    np_request *r = ask(&w, "POST");
    without_expect(r);
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_allow_write_stream_buffering(r, false, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    world_close(&w);
    world_close(&old);
}
