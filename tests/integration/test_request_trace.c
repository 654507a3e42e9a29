/* Requests against nginx with a real trace: what the contract leaves in the file. */
#include "nginx.h"
#include "raw_server.h"
#include "testdir.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nginx nginx;
static np_testdir folder;
static np_trace *trace;
static np_context *context;

/* false: there is no nginx, and the test is over. */
static bool set_up(void)
{
    np_error err = {0};
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    testdir_make(&folder);
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = trace;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    return true;
}

/* Closes everything, and opens what was recorded. */
static np_store *take_down(void)
{
    np_error err = {0};
    np_store *store;
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    nginx_stop(&nginx);
    cr_assert_eq(np_store_open(testdir_path(&folder, "a.db"), NULL, &store, &err), NP_OK, "%s",
                 err.text);
    return store;
}

static np_page *all_rows(np_store *store)
{
    np_error err = {0};
    np_page *page;
    np_page_query query = NP_PAGE_QUERY_INIT;
    query.limit = 4096;
    cr_assert_eq(np_store_page(store, &query, &page, &err), NP_OK, "%s", err.text);
    return page;
}

static np_request *request_for(uint16_t port, const char *path)
{
    char url[256];
    np_request *request;
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    cr_assert_eq(np_request_create(context, url, &request, NULL), NP_OK);
    return request;
}

/* Begins, ends, reads and releases; returns what end said. */
static np_status fetch(uint16_t port, const char *path, bool abort_at_once)
{
    np_async *async;
    np_response *response;
    np_request *request = request_for(port, path);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, NULL), NP_OK);
    if (abort_at_once)
        np_request_abort(request);
    const np_status status = np_request_end_get_response(request, async, &response, NULL);
    np_stream *stream = NULL;
    char bytes[100];
    size_t got = 1;
    if (response && np_response_stream(response, &stream, NULL) == NP_OK)
        while (got > 0 && np_stream_read(stream, bytes, sizeof bytes, &got, NULL) == NP_OK)
            ;
    np_stream_release(stream);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    return status;
}

Test(request_trace, every_accepted_begin_is_a_row)
{
    enum { COUNT = 40 };
    size_t known = 0;
    if (!set_up())
        return;
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(fetch(nginx.http_port, "/small", false), NP_OK);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(fetch(nginx.http_port, "/small", true), NP_E_WEB);
    cr_assert_eq(fetch(nginx.http_port, "/none", false), NP_E_WEB);
    cr_assert_eq(fetch(raw_free_port(), "/", false), NP_E_WEB);
    np_request *refused = request_for(nginx.http_port, "/small");
    np_async *async;
    np_request_abort(refused);
    cr_assert_eq(np_request_begin_get_response(refused, NULL, NULL, &async, NULL), NP_E_WEB);
    np_request_release(refused);

    np_store *store = take_down();
    np_page *page = all_rows(store);

    cr_assert_eq(page->count, 2 * COUNT + 2);
    for (size_t i = 0; i < page->count; i++) {
        const np_row *row = &page->rows[i];
        int64_t sum_ns = 0;
        for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
            sum_ns += row->phase_ns[phase] > 0 ? row->phase_ns[phase] : 0;
        cr_expect_eq(sum_ns, row->total_ns, "row %zu", i);
        cr_expect_geq(row->caller_blocked_ns, -1, "row %zu", i);
        known += row->caller_blocked_ns >= 0;
    }
    cr_assert_gt(known, 0, "begin's own time is in the trace");
    np_page_free(page);
    np_store_close(store);
    testdir_remove(&folder);
}

Test(request_trace, outcomes_are_those_of_the_operations)
{
    static const struct raw_script silent = {.end = RAW_HANG};
    struct raw_server server;
    if (!set_up())
        return;
    cr_assert(raw_server_start(&server, &silent, 1));
    cr_assert_eq(fetch(nginx.http_port, "/small", false), NP_OK);
    cr_assert_eq(fetch(nginx.http_port, "/none", false), NP_E_WEB);
    cr_assert_eq(fetch(raw_free_port(), "/", false), NP_E_WEB);
    cr_assert_eq(fetch(server.port, "/", true), NP_E_WEB);

    np_store *store = take_down();
    raw_server_stop(&server);
    np_page *page = all_rows(store);

    cr_assert_eq(page->count, 4);
    cr_expect_str_eq(page->rows[0].outcome, "ok");
    cr_expect_eq(page->rows[0].status, 200);
    cr_expect_str_eq(page->rows[1].outcome, "ok", "a 404 is a whole exchange");
    cr_expect_eq(page->rows[1].status, 404);
    cr_expect_str_eq(page->rows[2].outcome, "failed");
    cr_expect_eq(page->rows[2].web_status, NP_WEB_CONNECT_FAILURE);
    cr_expect_str_eq(page->rows[3].outcome, "aborted");
    np_page_free(page);
    np_store_close(store);
    testdir_remove(&folder);
}

Test(request_trace, a_response_closed_early_is_no_failure_when_little_is_left)
{
    if (!set_up())
        return;
    np_async *async;
    np_response *response;
    np_request *request = request_for(nginx.http_port, "/small");
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, NULL), NP_OK);
    cr_assert_eq(np_request_end_get_response(request, async, &response, NULL), NP_OK);
    np_response_close(response);
    cr_assert_eq(fetch(nginx.http_port, "/small", false), NP_OK);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);

    np_store *store = take_down();
    np_page *page = all_rows(store);

    cr_assert_eq(page->count, 2);
    for (size_t i = 0; i < 2; i++)
        cr_expect_str_eq(page->rows[i].outcome, "ok");
    np_page_free(page);
    np_store_close(store);
    testdir_remove(&folder);
}
