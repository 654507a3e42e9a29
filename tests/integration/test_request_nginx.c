/* The request contract against real servers on loopback: nginx, and one that misbehaves. Each name
 * begins with the rule of docs/contract.md it holds. */
#include "clock.h"
#include "nginx.h"
#include "raw_server.h"
#include "test_ca.h"

#include <criterion/criterion.h>
#include <netphase/request.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct nginx nginx;
static np_context *context;

/* false: there is no nginx, and the test is over. */
static bool set_up(const char *locations, uint32_t connection_limit)
{
    if (!nginx_start(&nginx, &(struct nginx_options){.locations = locations})) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    char resolve[64];
    snprintf(resolve, sizeof resolve, "origin.test:%u:127.0.0.1", nginx.https_port);
    const char *const resolves[] = {resolve};
    options.ca_file = nginx.ca_file;
    options.resolve = resolves;
    options.resolve_count = 1;
    options.connection_limit = connection_limit;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    return true;
}

static void take_down(void)
{
    np_context_free(context);
    nginx_stop(&nginx);
}

static np_request *request_for(uint16_t port, const char *path)
{
    char url[256];
    np_request *request;
    np_error err = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    return request;
}

static np_async *begin(np_request *request, np_async_fn fn, void *state)
{
    np_async *async;
    np_error err = {0};
    cr_assert_eq(np_request_begin_get_response(request, fn, state, &async, &err), NP_OK, "%s",
                 err.text);
    return async;
}

static np_response *get(np_request *request)
{
    np_response *response;
    np_error err = {0};
    np_async *async = begin(request, NULL, NULL);
    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_OK, "%s",
                 err.text);
    np_async_release(async);
    return response;
}

static np_status read_all(np_response *response, size_t *total, uint32_t *sum, np_error *err)
{
    static unsigned char bytes[20000];
    np_stream *stream;
    size_t got = 0;
    *total = 0;
    *sum = 0;
    np_status status = np_response_stream(response, &stream, err);
    while (!status && !(status = np_stream_read(stream, bytes, sizeof bytes, &got, err)) &&
           got > 0) {
        for (size_t i = 0; i < got; i++)
            *sum = *sum * 31 + bytes[i];
        *total += got;
    }
    np_stream_release(stream);
    return status;
}

static void wait_until(_Atomic int *count, int wanted)
{
    const uint64_t until = np_now() + 60 * NP_NS_PER_S;
    while (*count < wanted) {
        cr_assert_lt(np_now(), until, "waited in vain: %d of %d", *count, wanted);
        sched_yield();
    }
}

Test(request_nginx, rb_1_a_small_file_comes_whole)
{
    size_t total;
    uint32_t sum;
    if (!set_up(NULL, 0))
        return;
    np_request *request = request_for(nginx.http_port, "/small");

    np_response *response = get(request);

    cr_assert_eq(np_response_status(response), 200);
    cr_assert_eq(np_response_content_length(response), 59);
    cr_assert_eq(np_response_protocol(response), 11);
    cr_assert(strstr(np_response_header(response, "server"), "nginx"));
    cr_assert_eq(read_all(response, &total, &sum, NULL), NP_OK);
    cr_assert_eq(total, 59);
    np_response_release(response);
    np_request_release(request);
    take_down();
}

Test(request_nginx, rb_1_https_is_trusted_by_the_file_given)
{
    char url[128];
    size_t total;
    uint32_t sum;
    np_request *request;
    if (!set_up(NULL, 0))
        return;
    snprintf(url, sizeof url, "https://origin.test:%u/small", nginx.https_port);
    cr_assert_eq(np_request_create(context, url, &request, NULL), NP_OK);

    np_response *response = get(request);

    cr_assert_eq(read_all(response, &total, &sum, NULL), NP_OK);
    cr_assert_eq(total, 59);
    np_response_release(response);
    np_request_release(request);
    take_down();
}

Test(request_nginx, rb_8_eight_mebibytes_come_whole_through_64_kib)
{
    enum { SIZE = 8 << 20 };
    unsigned char *bytes = malloc(SIZE);
    uint32_t expected = 0, sum;
    size_t total;
    np_error err = {0};
    if (!set_up(NULL, 0)) {
        free(bytes);
        return;
    }
    for (uint32_t i = 0, x = 1; i < SIZE; i++, x = x * 1664525 + 1013904223) {
        bytes[i] = (unsigned char)(x >> 24);
        expected = expected * 31 + bytes[i];
    }
    cr_assert(nginx_add_file(&nginx, "large", bytes, SIZE));
    np_request *request = request_for(nginx.http_port, "/large");

    np_response *response = get(request);
    const np_status status = read_all(response, &total, &sum, &err);

    cr_assert_eq(status, NP_OK, "%s", err.text);
    cr_assert_eq(total, SIZE);
    cr_assert_eq(sum, expected);
    np_response_release(response);
    np_request_release(request);
    take_down();
    free(bytes);
}

Test(request_nginx, gr_14_a_404_has_a_body_that_can_be_read)
{
    size_t total;
    uint32_t sum;
    np_error err = {0};
    np_response *response;
    if (!set_up(NULL, 0))
        return;
    np_request *request = request_for(nginx.http_port, "/none");
    np_async *async = begin(request, NULL, NULL);

    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_E_WEB);

    cr_assert_eq(err.web_status, NP_WEB_PROTOCOL_ERROR);
    response = np_async_response(async);
    cr_assert_eq(np_response_status(response), 404);
    cr_assert_eq(read_all(response, &total, &sum, &err), NP_OK, "%s", err.text);
    cr_assert_gt(total, 0);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    take_down();
}

Test(request_nginx, gr_14_a_redirect_is_the_final_answer_when_it_is_not_to_be_followed)
{
    if (!set_up("location /moved { return 301 /small; }", 0))
        return;
    np_request *request = request_for(nginx.http_port, "/moved");
    cr_assert_eq(np_request_set_allow_auto_redirect(request, false, NULL), NP_OK);

    np_response *response = get(request);

    cr_assert_eq(np_response_status(response), 301);
    cr_assert(strstr(np_response_header(response, "Location"), "/small"));
    np_response_release(response);
    np_request_release(request);
    take_down();
}

Test(request_nginx, rb_7_head_and_204_have_empty_streams)
{
    size_t total;
    uint32_t sum;
    if (!set_up("location /nothing { return 204; }", 0))
        return;
    np_request *head = request_for(nginx.http_port, "/small");
    np_request *nothing = request_for(nginx.http_port, "/nothing");
    cr_assert_eq(np_request_set_method(head, "head", NULL), NP_OK);

    np_response *first = get(head), *second = get(nothing);

    cr_assert_eq(np_response_content_length(first), 59);
    cr_assert_eq(read_all(first, &total, &sum, NULL), NP_OK);
    cr_assert_eq(total, 0);
    cr_assert_eq(np_response_status(second), 204);
    cr_assert_eq(read_all(second, &total, &sum, NULL), NP_OK);
    cr_assert_eq(total, 0);
    np_response_release(first);
    np_response_release(second);
    np_request_release(head);
    np_request_release(nothing);
    take_down();
}

Test(request_nginx, gr_12_a_post_without_body_is_answered)
{
    if (!set_up("location /post { return 200 \"$request_method $http_content_length\"; }", 0))
        return;
    size_t total;
    uint32_t sum;
    np_request *request = request_for(nginx.http_port, "/post");
    cr_assert_eq(np_request_set_method(request, "POST", NULL), NP_OK);

    np_response *response = get(request);

    cr_assert_eq(np_response_status(response), 200);
    cr_assert_eq(read_all(response, &total, &sum, NULL), NP_OK);
    cr_assert_eq(total, strlen("POST 0"));
    np_response_release(response);
    np_request_release(request);
    take_down();
}

Test(request_nginx, gr_16_the_synchronous_form_gives_a_response)
{
    np_error err = {0};
    np_response *response;
    if (!set_up(NULL, 0))
        return;
    np_request *request = request_for(nginx.http_port, "/small");

    cr_assert_eq(np_request_get_response(request, &response, &err), NP_OK, "%s", err.text);

    cr_assert_eq(np_response_status(response), 200);
    np_response_release(response);
    np_request_release(request);
    take_down();
}

struct tally {
    _Atomic int callbacks, succeeded, canceled;
};

struct one {
    struct tally *tally;
    np_request *request;
};

static void count_one(np_async *async)
{
    struct one *one = np_async_state(async);
    np_error err = {0};
    np_response *response;
    if (np_request_end_get_response(one->request, async, &response, &err) == NP_OK)
        one->tally->succeeded++;
    else if (err.web_status == NP_WEB_REQUEST_CANCELED || err.status == NP_E_OBJECT_DISPOSED)
        one->tally->canceled++; /* the second: complete, but asked for when its context was gone */
    np_response_release(response);
    one->tally->callbacks++;
}

Test(request_nginx, ar_5_a_thousand_requests_call_back_once_each)
{
    enum { COUNT = 1000 };
    static struct one ones[COUNT];
    struct tally tally = {0};
    if (!set_up(NULL, 8))
        return;

    for (int i = 0; i < COUNT; i++) {
        ones[i] = (struct one){&tally, request_for(nginx.http_port, "/small")};
        np_async_release(begin(ones[i].request, count_one, &ones[i]));
    }
    wait_until(&tally.callbacks, COUNT);

    for (int i = 0; i < COUNT; i++)
        np_request_release(ones[i].request);
    take_down();
    cr_assert_eq(tally.callbacks, COUNT);
    cr_assert_eq(tally.succeeded, COUNT);
}

Test(request_nginx, ab_5_an_aborted_request_gives_its_place_to_the_next)
{
    struct raw_server server;
    static const struct raw_script silent = {.end = RAW_HANG};
    if (!set_up(NULL, 1))
        return;
    cr_assert(raw_server_start(&server, &silent, 1));
    struct tally tally = {0};
    struct one ones[3];
    np_async *results[3];
    for (int i = 0; i < 3; i++) {
        ones[i] = (struct one){&tally, request_for(server.port, "/")};
        results[i] = begin(ones[i].request, count_one, &ones[i]);
    }

    for (int i = 0; i < 3; i++) {
        np_request_abort(
            ones[i].request); /* the first has the connection, the others wait for it */
        cr_assert_eq(tally.callbacks, i + 1, "before abort returns");
    }

    cr_assert_eq(tally.canceled, 3);
    for (int i = 0; i < 3; i++) {
        np_async_release(results[i]);
        np_request_release(ones[i].request);
    }
    take_down();
    raw_server_stop(&server);
}

Test(request_nginx, rb_5_a_body_cut_short_gives_its_bytes_first)
{
    static const struct raw_script script = {
        .reply = {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"}, .end = RAW_CLOSE};
    struct raw_server server;
    size_t total;
    uint32_t sum;
    np_error err = {0};
    if (!set_up(NULL, 0))
        return;
    cr_assert(raw_server_start(&server, &script, 1));
    np_request *request = request_for(server.port, "/");
    np_response *response = get(request);

    const np_status status = read_all(response, &total, &sum, &err);

    cr_assert_eq(status, NP_E_WEB);
    cr_assert_eq(err.web_status, NP_WEB_CONNECTION_CLOSED, "%s", err.text);
    cr_assert_eq(total, 10);
    np_response_release(response);
    np_request_release(request);
    take_down();
    raw_server_stop(&server);
}

Test(request_nginx, er_1_a_refused_connect_comes_out_of_end)
{
    np_error err = {0};
    np_response *response;
    if (!set_up(NULL, 0))
        return;
    np_request *request = request_for(raw_free_port(), "/");
    np_async *async = begin(request, NULL, NULL);

    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_E_WEB);

    cr_assert_eq(err.web_status, NP_WEB_CONNECT_FAILURE, "%s", err.text);
    cr_assert_eq(np_request_get_state(request), NP_REQUEST_FAILED);
    np_async_release(async);
    np_request_release(request);
    take_down();
}

Test(request_nginx, an_asynchronous_timeout_is_a_failure_of_the_request)
{
    static const struct raw_script silent = {.end = RAW_HANG};
    struct raw_server server;
    np_error err = {0};
    np_response *response;
    if (!set_up(NULL, 0))
        return;
    cr_assert(raw_server_start(&server, &silent, 1));
    np_request *request = request_for(server.port, "/");
    cr_assert_eq(np_request_set_async_timeout(request, 20, NULL), NP_OK);
    np_async *async = begin(request, NULL, NULL);

    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_E_WEB);

    cr_assert_eq(err.web_status, NP_WEB_TIMEOUT, "%s", err.text);
    np_async_release(async);
    np_request_release(request);
    take_down();
    raw_server_stop(&server);
}

/* A body that comes as fast as it is read must not keep the loop from its timers. The time-out is
 * 250 ms; a loop that libcurl holds comes to it after seconds. */
Test(request_nginx, a_timeout_comes_while_the_body_floods)
{
    static const struct raw_script script = {
        .reply = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}, .end = RAW_FLOOD};
    static char buffer[1 << 20];
    struct raw_server server;
    np_error err = {0};
    np_response *response;
    np_stream *stream;
    np_status status;
    size_t got;
    if (!set_up(NULL, 0))
        return;
    cr_assert(raw_server_start(&server, &script, 1));
    np_request *request = request_for(server.port, "/");
    cr_assert_eq(np_request_set_async_timeout(request, 250, NULL), NP_OK);
    const uint64_t start_ns = np_now();
    np_async *async = begin(request, NULL, NULL);
    cr_assert_eq(np_request_end_get_response(request, async, &response, &err), NP_OK, "%s",
                 err.text);
    cr_assert_eq(np_response_stream(response, &stream, &err), NP_OK);

    while ((status = np_stream_read(stream, buffer, sizeof buffer, &got, &err)) == NP_OK &&
           np_now() - start_ns < 20 * UINT64_C(1000000000)) {
    }

    const double seconds = (double)(np_now() - start_ns) / 1e9;
    cr_assert_eq(status, NP_E_WEB, "no time-out in %.1f s", seconds);
    cr_assert_eq(err.web_status, NP_WEB_TIMEOUT, "%s", err.text);
    cr_assert(seconds < 15, "the time-out of 0.25 s came after %.1f s", seconds);
    np_stream_release(stream);
    np_response_release(response);
    np_async_release(async);
    np_request_release(request);
    take_down();
    raw_server_stop(&server);
}

Test(request_nginx, rb_6_a_response_closed_early_does_not_block_the_next)
{
    enum { SIZE = 4 << 20 };
    char *bytes = calloc(1, SIZE);
    if (!set_up(NULL, 1)) {
        free(bytes);
        return;
    }
    cr_assert(nginx_add_file(&nginx, "large", bytes, SIZE));
    for (int i = 0; i < 5; i++) {
        np_request *large = request_for(nginx.http_port, "/large");
        np_request *small = request_for(nginx.http_port, "/small");
        np_response *response = get(large);
        np_async *async = begin(small, NULL, NULL);

        np_response_close(response); /* more than 64 KiB are left: the connection is dropped */

        cr_assert_eq(np_async_wait(async, 60000), 0);
        cr_assert_null(np_async_error(async));
        np_async_release(async);
        np_response_release(response);
        np_request_release(large);
        np_request_release(small);
    }
    take_down();
    free(bytes);
}

Test(request_nginx, ar_12_the_context_is_freed_while_requests_run)
{
    enum { COUNT = 200 };
    static struct one ones[COUNT];
    struct tally tally = {0};
    if (!set_up(NULL, 4))
        return;
    for (int i = 0; i < COUNT; i++) {
        ones[i] = (struct one){&tally, request_for(nginx.http_port, "/small")};
        np_async_release(begin(ones[i].request, count_one, &ones[i]));
    }

    np_context_free(context);

    cr_assert_eq(tally.callbacks, COUNT);
    cr_assert_eq(tally.succeeded + tally.canceled, COUNT);
    for (int i = 0; i < COUNT; i++)
        np_request_release(ones[i].request);
    nginx_stop(&nginx);
}

/* Runs the program of examples/get.c and returns what it printed. */
static int run_example(const char *url, char *out, size_t size)
{
    char command[512];
    snprintf(command, sizeof command, "%s '%s' 2>&1", NP_EXAMPLE_GET, url);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    const size_t length = fread(out, 1, size - 1, pipe);
    out[length] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

Test(request_nginx, the_example_prints_a_body_or_what_went_wrong)
{
    char url[128], out[1024];
    if (!set_up(NULL, 0))
        return;
    cr_assert(nginx_add_file(&nginx, "hello", "hello, world\n", 13));

    snprintf(url, sizeof url, "http://127.0.0.1:%u/hello", nginx.http_port);
    cr_assert_eq(run_example(url, out, sizeof out), 0, "%s", out);
    cr_assert_str_eq(out, "hello, world\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/none", nginx.http_port);
    cr_assert_eq(run_example(url, out, sizeof out), 1);
    cr_assert_str_eq(out, "get: the server answered with status 404\n");
    cr_assert_eq(run_example("gopher://x/", out, sizeof out), 1);
    cr_assert(strstr(out, "gopher"), "%s", out);
    take_down();
}
