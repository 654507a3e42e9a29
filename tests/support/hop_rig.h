/* What the tests of hops share: a context with a trace, requests that are fetched whole, questions
 * to the trace after they ended. */
#ifndef NP_TESTS_HOP_RIG_H
#define NP_TESTS_HOP_RIG_H

#include "clock.h"
#include "nginx.h"
#include "scripted_server.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nginx nginx;
static bool has_nginx;
static np_testdir folder;
static np_trace *trace;
static np_context *context;
static uint32_t connection_limit; /* of the context; 0: the usual one */

static inline void set_up(void)
{
    np_error err = {0};
    char resolve[64];
    const char *const resolves[] = {resolve};
    testdir_make(&folder);
    np_trace_options trace_options = NP_TRACE_OPTIONS_INIT;
    trace_options.detail_plus_1 = NP_DETAIL_HEADERS + 1;
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), &trace_options, &trace, &err), NP_OK,
                 "%s", err.text);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = trace;
    options.connection_limit = connection_limit;
    if (has_nginx) {
        snprintf(resolve, sizeof resolve, "origin.test:%u:127.0.0.1", nginx.https_port);
        options.ca_file = nginx.ca_file;
        options.resolve = resolves;
        options.resolve_count = 1;
    }
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
}

/* false: there is no nginx, and the test is over. It logs every request in "access.log". */
static inline bool set_up_nginx(const char *http, const char *locations)
{
    char all_http[1024], all_locations[4096];
    snprintf(all_http, sizeof all_http, "log_format hops '$status $request_method $uri'; %s",
             http ? http : "");
    snprintf(all_locations, sizeof all_locations, "access_log access.log hops; %s", locations);
    const struct nginx_options options = {.http = all_http, .locations = all_locations};
    if (!nginx_start(&nginx, &options)) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    has_nginx = true;
    set_up();
    return true;
}

/* The text of one query. */
static inline const char *sql(const char *query)
{
    static char text[4096];
    return query_text(testdir_path(&folder, "a.db"), query, text, sizeof text);
}

/* Closes context and trace; the queries come after it. */
static inline void finish(void)
{
    np_error err = {0};
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    cr_expect_str_eq(sql("SELECT group_concat(problem) FROM problems"), "");
    /* every call's hops follow one another without a gap or an overlap */
    cr_expect_str_eq(sql("SELECT count(*) FROM calls WHERE total_ns <> hops_total_ns"), "0");
    cr_expect_str_eq(sql("SELECT count(*) FROM requests a JOIN requests b ON b.hop = a.hop + 1 AND "
                         "coalesce(b.hop_of, b.id) = coalesce(a.hop_of, a.id) JOIN request x ON "
                         "x.id = a.id JOIN request y ON y.id = b.id WHERE x.start_ns + x.total_ns "
                         "<> y.start_ns"),
                     "0");
}

static inline void take_down(void)
{
    testdir_remove(&folder);
    if (has_nginx)
        nginx_stop(&nginx);
}

#define HOPS                                                                                       \
    "SELECT group_concat(hop || ' ' || hop_reason || ' ' || coalesce(status, '-') || ' ' || "      \
    "outcome, ', ') FROM (SELECT * FROM requests ORDER BY id)"

/* nginx writes a line when it has answered: the last one may still be on its way. */
static inline void expect_log(const char *wanted)
{
    static char text[65536];
    char path[256];
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    snprintf(path, sizeof path, "%s/access.log", nginx.folder);
    do {
        FILE *in = fopen(path, "r");
        const size_t length = in ? fread(text, 1, sizeof text - 1, in) : 0;
        if (in)
            fclose(in);
        text[length] = '\0';
        sched_yield();
    } while (strlen(text) < strlen(wanted) && np_now() < until);
    cr_expect_str_eq(text, wanted, "nginx has seen:\n%s", text);
}

static inline np_request *request_to(const char *scheme_and_host, uint16_t port, const char *path)
{
    char url[512];
    np_error err = {0};
    np_request *request;
    snprintf(url, sizeof url, "%s:%u%s", scheme_and_host, port, path);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    return request;
}

static inline np_request *local(uint16_t port, const char *path)
{
    return request_to("http://127.0.0.1", port, path);
}

struct got {
    np_status status;
    np_error err;
    int http_status;
    char uri[512], method[16];
    char encoding[64]; /* "-": no such field */
    int64_t content_length;
    size_t length;
    char body[32768];
};

/* Begins, ends, reads all, and releases the request. */
static inline const struct got *fetch(np_request *request)
{
    static struct got got;
    np_async *async;
    np_response *response;
    np_stream *stream = NULL;
    memset(&got, 0, sizeof got);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &got.err), NP_OK, "%s",
                 got.err.text);
    got.status = np_request_end_get_response(request, async, &response, &got.err);
    if (!response)
        response = np_async_response(async);
    if (response) {
        const char *encoding = np_response_header(response, "Content-Encoding");
        got.http_status = np_response_status(response);
        got.content_length = np_response_content_length(response);
        snprintf(got.uri, sizeof got.uri, "%s", np_response_uri(response));
        snprintf(got.method, sizeof got.method, "%s", np_response_method(response));
        snprintf(got.encoding, sizeof got.encoding, "%s", encoding ? encoding : "-");
        cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
        size_t n = 1;
        np_error failure = {0};
        while (n > 0 && got.length < sizeof got.body - 1 &&
               np_stream_read(stream, got.body + got.length, sizeof got.body - 1 - got.length, &n,
                              &failure) == NP_OK)
            got.length += n;
        if (failure.status && !got.status) {
            got.status = failure.status;
            got.err = failure;
        }
    }
    np_stream_release(stream);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    return &got;
}

static inline void with_method(np_request *request, const char *method)
{
    cr_assert_eq(np_request_set_method(request, method, NULL), NP_OK);
}

static inline void with_credentials(np_request *request, const char *user, const char *password)
{
    cr_assert_eq(np_request_set_credentials(request, user, password, NULL), NP_OK);
}

/* Is the text anywhere in the files of the trace? */
static inline bool trace_holds(const char *text)
{
    static const char *const names[] = {"a.db", "a.db-wal"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        FILE *in = fopen(testdir_path(&folder, names[i]), "rb");
        if (!in)
            continue;
        static char bytes[4 << 20];
        const size_t length = fread(bytes, 1, sizeof bytes, in);
        fclose(in);
        found = found || memmem(bytes, length, text, strlen(text)) != NULL;
    }
    return found;
}

static inline struct scripted_server *script(const char *text)
{
    char why[256];
    struct scripted_server *server = scripted_server_start(text, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    return server;
}

#endif
