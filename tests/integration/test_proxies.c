/* Requests that go through proxies, as a program asks for them: decision, failover and memory
 * together, against real servers. */
#include "nginx.h"
#include "proxy_server.h"
#include "raw_server.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nginx nginx;
static struct proxy_server proxy;
static np_testdir folder;
static np_trace *trace;
static np_context *context;
static char rules[2][64];

/* false: a program is missing, and the test is over. `dead_first`: before it in the list stands a
 * proxy that is not there. */
static bool set_up(const struct proxy_options *server, bool dead_first)
{
    static const char *const resolve[] = {rules[0], rules[1]};
    const bool has_nginx = nginx_start(&nginx, &(struct nginx_options){0});
    if (!has_nginx || !proxy_server_start(&proxy, server)) {
        printf("SKIPPED: %s\n", has_nginx ? proxy.why : nginx.why);
        if (has_nginx)
            nginx_stop(&nginx);
        return false;
    }
    char list[256], dead[64] = "";
    if (dead_first)
        snprintf(dead, sizeof dead, "http://127.0.0.1:%u; ", raw_free_port());
    snprintf(list, sizeof list, "%shttp://127.0.0.1:%u", dead, proxy.port);
    for (int i = 0; i < 2; i++)
        snprintf(rules[i], sizeof rules[0], "origin.test:%u:127.0.0.1",
                 i ? nginx.https_port : nginx.http_port);
    np_error err = {0};
    np_proxy *wanted;
    np_proxy_options of_proxy = NP_PROXY_OPTIONS_INIT;
    of_proxy.proxies = list;
    cr_assert_eq(np_proxy_create(&of_proxy, &wanted, &err), NP_OK, "%s", err.text);
    testdir_make(&folder);
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = trace;
    options.proxy = wanted;
    options.ca_file = nginx.ca_file;
    options.resolve = resolve;
    options.resolve_count = 2;
    options.proxy_connect_timeout_ns = 700 * INT64_C(1000000);
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    np_proxy_release(wanted);
    return true;
}

static const char *take_down(void)
{
    np_error err = {0};
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    proxy_server_stop(&proxy);
    nginx_stop(&nginx);
    return testdir_path(&folder, "a.db");
}

static np_request *request_to(const char *scheme, const char *path)
{
    char url[128];
    np_error err = {0};
    np_request *request;
    snprintf(url, sizeof url, "%s://origin.test:%u%s", scheme,
             strcmp(scheme, "https") == 0 ? nginx.https_port : nginx.http_port, path);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    return request;
}

static void expect_count(const char *path, const char *what, const char *sql, int64_t expected)
{
    const int64_t found = query_int(path, sql);
    cr_expect_eq(found, expected, "%s: %lld, expected %lld", what, (long long)found,
                 (long long)expected);
}

Test(proxies, one_that_failed_is_tried_last_from_then_on)
{
    char text[256];
    if (!set_up(&(struct proxy_options){.kind = PROXY_SQUID}, true))
        return;
    for (int i = 0; i < 3; i++) {
        np_error err = {0};
        np_response *response = NULL;
        np_request *request = request_to("https", "/small");
        cr_assert_eq(np_request_set_reuse(request, NP_REUSE_FRESH, &err), NP_OK);
        cr_expect_eq(np_request_get_response(request, &response, &err), NP_OK, "%s (%s)", err.text,
                     err.cause);
        np_response_release(response);
        np_request_release(request);
    }

    const char *path = take_down();

    expect_count(path, "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "rows that were answered",
                 "SELECT count(*) FROM requests WHERE status = 200", 3);
    query_text(path,
               "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM spans WHERE kind = "
               "'proxy_try' GROUP BY request_id ORDER BY request_id)",
               text, sizeof text);
    cr_expect_str_eq(text, "2,1,1");
    expect_count(path, "proxies that were marked",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_try' AND json_extract(detail, "
                 "'$.bad_for_ns') = 300000000000",
                 1);
    testdir_remove(&folder);
}

/* A stream that is gathered first is handed out when the proxy is connected; how long the program
 * then takes is not the proxy's time. */
Test(proxies, a_body_may_be_gathered_for_longer_than_a_proxy_has_to_connect)
{
    np_error err = {0};
    if (!set_up(&(struct proxy_options){.kind = PROXY_SQUID}, false))
        return;
    np_request *request = request_to("https", "/small");
    np_stream *stream = NULL;
    np_response *response = NULL;
    cr_assert_eq(np_request_set_method(request, "POST", &err), NP_OK);
    cr_assert_eq(np_request_get_request_stream(request, &stream, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_stream_write(stream, "abc", 3, &err), NP_OK);

    (void)poll(NULL, 0,
               1500); /* more than twice the limit: nothing tells that a timer did not fire */

    cr_assert_eq(np_stream_close(stream, &err), NP_OK);
    cr_expect_eq(np_request_get_response(request, &response, &err), NP_E_WEB);
    cr_expect_eq(err.web_status, NP_WEB_PROTOCOL_ERROR, "%s (%s)", err.text, err.cause); /* 405 */
    np_stream_release(stream);
    np_response_release(response);
    np_request_release(request);

    const char *path = take_down();

    expect_count(path, "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "rows",
                 "SELECT count(*) FROM requests WHERE status = 405 AND tunnel_ns IS NOT NULL AND "
                 "tls_ns IS NOT NULL AND send_ns > 1400000000",
                 1);
    testdir_remove(&folder);
}

Test(proxies, the_answer_of_a_forwarding_proxy_without_credentials_is_the_response)
{
    np_error err = {0};
    if (!set_up(&(struct proxy_options){.kind = PROXY_TINYPROXY, .auth = PROXY_BASIC}, false))
        return;
    np_request *plain = request_to("http", "/small"), *tunnelled = request_to("https", "/small");
    np_response *response = NULL;

    cr_expect_eq(np_request_get_response(plain, &response, &err), NP_E_WEB);
    cr_expect_eq(err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", err.text);
    response = np_request_response(plain);
    cr_assert_not_null(response, "RS-4: with the response");
    cr_expect_eq(np_response_status(response), 407);
    np_response_release(response);
    cr_expect_eq(np_request_get_response(tunnelled, &response, &err), NP_E_WEB);
    cr_expect_eq(err.web_status, NP_WEB_PROTOCOL_ERROR, "%s", err.text);
    cr_expect(strstr(err.text, "it asks for a user name and a password") != NULL, "%s", err.text);
    cr_expect_null(response, "the proxy's answer to CONNECT is not the origin's");
    np_request_release(plain);
    np_request_release(tunnelled);

    expect_count(take_down(), "problems", "SELECT count(*) FROM problems", 0);
    testdir_remove(&folder);
}

/* --- giving up --- */

/* Decides when it is told to. */
static np_status decide_late(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                             np_error *err)
{
    (void)query;
    (void)err;
    while (sem_wait(user) != 0) {
    }
    snprintf(answer, capacity, "DIRECT");
    return NP_OK;
}

/* PX-3, AB-5: the first one waits for the callback, the second for the first, the third has a time
 * limit. None of them has a way to its server yet. */
Test(proxies, who_gives_up_while_the_proxy_is_decided_leaves_at_once)
{
    sem_t decided;
    np_proxy *wanted;
    np_error err = {0};
    np_request *requests[3];
    np_async *results[3];
    np_proxy_options of_proxy = NP_PROXY_OPTIONS_INIT;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    sem_init(&decided, 0, 0);
    of_proxy.callback = decide_late;
    of_proxy.user = &decided;
    cr_assert_eq(np_proxy_create(&of_proxy, &wanted, &err), NP_OK, "%s", err.text);
    testdir_make(&folder);
    const char *path = testdir_path(&folder, "a.db");
    cr_assert_eq(np_trace_open(path, NULL, &trace, &err), NP_OK, "%s", err.text);
    options.trace = trace;
    options.proxy = wanted;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(np_request_create(context, "http://origin.test/", &requests[i], &err), NP_OK);
        cr_assert_eq(np_request_set_async_timeout(requests[i], i == 2 ? 20 : -1, &err), NP_OK);
        cr_assert_eq(np_request_begin_get_response(requests[i], NULL, NULL, &results[i], &err),
                     NP_OK, "%s", err.text);
    }
    np_request_abort(requests[0]);
    np_request_abort(requests[1]);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(np_async_wait(results[i], 20000), 0, "request %d", i);
        cr_expect_eq(np_async_error(results[i])->web_status,
                     i == 2 ? NP_WEB_TIMEOUT : NP_WEB_REQUEST_CANCELED);
        np_async_release(results[i]);
        np_request_release(requests[i]);
    }
    sem_post(&decided);
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    np_proxy_release(wanted);

    expect_count(path, "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "aborted", "SELECT count(*) FROM requests WHERE outcome = 'aborted'", 2);
    expect_count(path, "too late", "SELECT count(*) FROM requests WHERE outcome = 'timeout'", 1);
    testdir_remove(&folder);
}
