/* HTTP/2 through the public interface with a real trace: the rows are those of the server's log. */
#include "nginx.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 150 };

static struct nginx nginx;
static np_testdir folder;
static np_trace *trace;
static np_context *context;

static bool set_up(const struct nginx_options *server, int64_t lease_ns)
{
    np_error err = {0};
    if (!nginx_start(&nginx, server)) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    testdir_make(&folder);
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = trace;
    options.ca_file = nginx.ca_file;
    options.connection_limit = 2;
    options.connection_lease_timeout_ns = lease_ns;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    return true;
}

/* Lines of the access log that tell of an answer with status 200. */
static int lines_of_log(void)
{
    char path[256], line[512];
    snprintf(path, sizeof path, "%s/access.log", nginx.folder);
    FILE *in = fopen(path, "r");
    int count = 0;
    while (in && fgets(line, sizeof line, in))
        count += strstr(line, " 200 ") != NULL;
    if (in)
        fclose(in);
    return count;
}

static int tear_down(void)
{
    np_error err = {0};
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    const int lines = lines_of_log();
    nginx_stop(&nginx);
    return lines;
}

static void read_to_the_end(np_response *response)
{
    np_stream *stream;
    char bytes[256];
    size_t got = 1, all = 0;
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
    while (got > 0 && np_stream_read(stream, bytes, sizeof bytes, &got, NULL) == NP_OK)
        all += got;
    cr_assert_eq(all, 59);
    np_stream_release(stream);
}

static void fetch_all(int count, int version)
{
    np_request *requests[COUNT];
    np_async *asyncs[COUNT];
    char url[96];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/small", nginx.h2_port);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(np_request_create(context, url, &requests[i], NULL), NP_OK);
        cr_assert_eq(np_request_set_protocol_version(requests[i], version, NULL), NP_OK);
        cr_assert_eq(np_request_begin_get_response(requests[i], NULL, NULL, &asyncs[i], NULL),
                     NP_OK);
    }
    for (int i = 0; i < count; i++) {
        np_error err = {0};
        np_response *response;
        cr_assert_eq(np_request_end_get_response(requests[i], asyncs[i], &response, &err), NP_OK,
                     "%s (%s)", err.text, err.cause);
        cr_assert_eq(np_response_protocol(response), version);
        read_to_the_end(response);
        np_response_release(response);
        np_async_release(asyncs[i]);
        np_request_release(requests[i]);
    }
}

static int64_t number(const char *sql)
{
    return query_int(testdir_path(&folder, "a.db"), sql);
}

Test(http2_trace, rows_are_those_of_the_access_log)
{
    if (!set_up(&(struct nginx_options){.http = "http2_max_concurrent_streams 16;",
                                        .locations = "access_log access.log;"},
                -1))
        return;
    fetch_all(COUNT, 20);
    const int lines = tear_down();

    cr_expect_eq(number("SELECT count(*) FROM requests WHERE outcome = 'ok' AND protocol = 'h2'"),
                 COUNT);
    cr_expect_eq(lines, COUNT);
    cr_expect_eq(number("SELECT count(*) FROM problems"), 0);
    cr_expect_leq(number("SELECT count(*) FROM connections WHERE protocol = 'h2'"), 16);
    cr_expect_gt(number("SELECT count(*) FROM spans WHERE kind = 'wait_for_connection' AND phase = "
                        "'queue' AND connection_id IS NOT NULL"),
                 0);
    /* whoever waited for a slot waited for a connection that held one */
    cr_expect_eq(number("SELECT count(*) FROM spans WHERE kind = 'wait_for_slot' AND connection_id "
                        "IS NULL"),
                 0);
    /* at most one set-up each: whoever comes later has no phase of it */
    cr_expect_leq(number("SELECT count(*) FROM requests WHERE tls_ns IS NOT NULL"),
                  number("SELECT count(*) FROM connections"));
    testdir_remove(&folder);
}

Test(http2_trace, a_lease_of_zero_closes_after_each_request)
{
    if (!set_up(&(struct nginx_options){.locations = "access_log access.log;"}, 0))
        return;
    for (int i = 0; i < 3; i++)
        fetch_all(1, i == 1 ? 11 : 20);
    tear_down();

    cr_expect_eq(number("SELECT count(*) FROM connections WHERE close_reason = 'not to be kept'"),
                 3);
    cr_expect_eq(number("SELECT count(*) FROM problems"), 0);
    testdir_remove(&folder);
}
