/* Request streams against servers that do not read, go away or are real: back-pressure, connections
 * that die, abort, nginx, HTTP/2. Each name begins with the rule of docs/contract.md it holds. */
#include "nginx.h"
#include "upload_rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

static struct nginx nginx;

/* --- back-pressure --- */

#define MANY (16u * 1024 * 1024)

static size_t resident_bytes(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    unsigned long pages = 0, resident = 0;
    if (in && fscanf(in, "%lu %lu", &pages, &resident) != 2)
        resident = 0;
    if (in)
        fclose(in);
    return resident * 4096;
}

Test(upload_pressure, bh_3_a_large_body_needs_constant_memory)
{
    static char bytes[40000];
    char script[128];
    snprintf(script, sizeof script, "head; sip %u; send \"" OK_2 "\"", MANY);
    serve(script);
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, MANY, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    np_stream *stream = open_stream(request);

    size_t before = 0, most = 0;
    for (size_t written = 0; written < MANY;) {
        const size_t n = MANY - written < sizeof bytes ? MANY - written : sizeof bytes;
        memset(bytes, (int)(written >> 16), n);
        cr_assert_eq(np_stream_write(stream, bytes, n, NULL), NP_OK);
        written += n;
        const size_t now = resident_bytes();
        if (before == 0 && written > 2 * 1024 * 1024)
            before = now;
        most = now > most ? now : most;
    }
    close_stream(stream);
    must_be_answered(request);
    cr_assert_lt(most, before + 4 * 1024 * 1024, "grew from %zu to %zu bytes", before, most);
    take_down();
}

Test(upload_pressure, bh_3_an_asynchronous_write_waits_until_all_was_taken)
{
    char *bytes = malloc(MANY);
    char script[128];
    np_async *write;
    np_error err = {0};
    snprintf(script, sizeof script, "head; wait; body %u; send \"" OK_2 "\"", MANY);
    serve(script);
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, MANY, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    memset(bytes, 'b', MANY);

    cr_assert_eq(np_stream_begin_write(stream, bytes, MANY, NULL, NULL, &write, &err), NP_OK);
    cr_assert_eq(np_async_wait(write, 30), 1, "nobody reads");
    cr_assert_eq(np_stream_write(stream, "x", 1, &err), NP_E_NOT_SUPPORTED, "WS-5");
    scripted_server_go(server);
    cr_assert_eq(np_stream_end_write(stream, write, &err), NP_OK, "%s", err.text);
    np_async_release(write);
    close_stream(stream);
    must_be_answered(request);
    free(bytes);
    take_down();
}

/* --- RS-5: a kept connection that turns out dead --- */

static void use_once(void)
{
    must_be_answered(request_to(scripted_server_port(server), "GET", "/first"));
}

Test(upload_pressure, rs_5_a_kept_body_is_sent_again_on_a_new_connection)
{
    serve("head; send \"" OK_2 "\"; head\n---\nhead; chunks; send \"" OK_2 "\"");
    use_once();
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello ");
    write_text(stream, "again");
    close_stream(stream);
    must_be_answered(request);
    cr_assert_eq(scripted_server_connections(server), 2);
    must_be_heard("\r\n\r\n6\r\nhello \r\n5\r\nagain\r\n0\r\n\r\n");
    take_down();
}

Test(upload_pressure, rs_5_without_a_copy_it_is_a_keep_alive_failure)
{
    np_error err = {0};
    np_response *response;
    serve("head; send \"" OK_2 "\"; head; body 5; reset\n---\nhead; chunks; send \"" OK_2 "\"");
    use_once();
    np_request *request = post();
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, false, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    write_text(stream, "hello");
    (void)np_stream_close(stream, NULL); /* it may have failed by now */
    must_be_web(get_response(request, &response, &err), &err, NP_WEB_KEEP_ALIVE_FAILURE);
    cr_assert_eq(scripted_server_connections(server), 1);
    np_stream_release(stream);
    np_request_release(request);
    take_down();
}

Test(upload_pressure, rs_5_a_connection_that_dies_while_the_body_is_gathered_is_not_noticed)
{
    serve("head; send \"" OK_2 "\"; wait\n---\nhead; body 5; send \"" OK_2 "\"");
    use_once();
    np_request *request = post();
    np_stream *stream = open_stream(request);
    cr_assert_eq(scripted_server_connections(server), 1, "the kept one is held");
    scripted_server_go(server);
    write_text(stream, "hello");
    (void)sched_yield();
    close_stream(stream);
    must_be_answered(request);
    cr_assert_eq(scripted_server_connections(server), 2);
    take_down();
}

/* --- abort --- */

Test(upload_pressure, ab_2_abort_ends_a_write_that_waits)
{
    np_error err = {0};
    np_async *write;
    char *bytes = calloc(1, MANY);
    serve("head; deaf");
    np_request *request = post();
    cr_assert_eq(np_request_set_content_length(request, MANY, NULL), NP_OK);
    np_stream *stream = open_stream(request);
    cr_assert_eq(np_stream_begin_write(stream, bytes, MANY, NULL, NULL, &write, &err), NP_OK);

    np_request_abort(request);

    must_be_web(np_stream_end_write(stream, write, &err), &err, NP_WEB_REQUEST_CANCELED);
    must_be_web(np_stream_write(stream, "x", 1, &err), &err, NP_WEB_REQUEST_CANCELED);
    cr_assert_eq(np_stream_close(stream, &err), NP_OK);
    np_async_release(write);
    np_stream_release(stream);
    np_request_release(request);
    free(bytes);
    take_down();
}

Test(upload_pressure, ab_5_abort_of_a_held_body_gives_its_connection_back)
{
    serve("head; body 2; send \"" OK_2 "\"");
    np_request *request = post();
    np_stream *stream = open_stream(request);
    np_request_abort(request);
    np_stream_release(stream);
    np_request_release(request);
    np_context_free(context); /* nothing hangs on it */
    open_context();
    take_down();
}

/* --- nginx --- */

static bool set_up_nginx(void)
{
    static const char locations[] =
        "client_max_body_size 64m; location /dav/ { dav_methods PUT; create_full_put_path on; "
        "client_body_temp_path tmp; } location /gone { return 410; } location /small_only { "
        "client_max_body_size 1k; dav_methods "
        "PUT; }";
    if (!nginx_start(&nginx, &(struct nginx_options){.locations = locations})) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    char resolve[2][64];
    snprintf(resolve[0], sizeof resolve[0], "origin.test:%u:127.0.0.1", nginx.https_port);
    snprintf(resolve[1], sizeof resolve[1], "origin.test:%u:127.0.0.1", nginx.h2_port);
    const char *const resolves[] = {resolve[0], resolve[1]};
    options.ca_file = nginx.ca_file;
    options.resolve = resolves;
    options.resolve_count = 2;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
    return true;
}

static void take_down_nginx(void)
{
    np_context_free(context);
    nginx_stop(&nginx);
}

static void must_be_stored(const char *name, const char *bytes, size_t length)
{
    char path[320];
    snprintf(path, sizeof path, "%s/www/dav/%s", nginx.folder, name);
    FILE *in = fopen(path, "r");
    cr_assert_not_null(in, "%s", path);
    char *stored = malloc(length + 1);
    cr_assert_eq(fread(stored, 1, length + 1, in), length);
    cr_assert_eq(memcmp(stored, bytes, length), 0);
    free(stored);
    fclose(in);
}

enum { PUT_GATHERED, PUT_LENGTH, PUT_CHUNKED };

static void put_to_nginx(const char *scheme, const char *host, uint16_t port, int mode, bool expect)
{
    enum { LENGTH = 3 * 1024 * 1024 + 17 };
    char url[128];
    np_request *request;
    np_error err = {0};
    char *bytes = malloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    snprintf(url, sizeof url, "%s://%s:%u/dav/%s-%d-%d", scheme, host, port, scheme, mode, expect);
    cr_assert_eq(np_request_create(context, url, &request, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_request_set_method(request, "PUT", NULL), NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, expect, NULL), NP_OK);
    if (mode == PUT_LENGTH)
        cr_assert_eq(np_request_set_content_length(request, LENGTH, NULL), NP_OK);
    cr_assert_eq(np_request_set_send_chunked(request, mode == PUT_CHUNKED, NULL), NP_OK);

    np_stream *stream = open_stream(request);
    size_t n = 1;
    for (size_t at = 0; at < LENGTH; at += n, n = n * 3 % 100003 + 1) {
        n = n < LENGTH - at ? n : LENGTH - at;
        cr_assert_eq(np_stream_write(stream, bytes + at, n, &err), NP_OK, "%s", err.text);
    }
    close_stream(stream);
    np_response *response;
    cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s (%s)", err.text, err.cause);
    cr_assert_eq(np_response_status(response), 201);
    np_response_release(response);
    np_request_release(request);
    must_be_stored(strstr(url, "/dav/") + 5, bytes, LENGTH);
    free(bytes);
}

Test(upload_pressure, bh_1_nginx_stores_what_was_written_in_every_mode)
{
    if (!set_up_nginx())
        return;
    for (int mode = PUT_GATHERED; mode <= PUT_CHUNKED; mode++)
        for (int expect = 0; expect < 2; expect++)
            put_to_nginx("http", "127.0.0.1", nginx.http_port, mode, expect);
    take_down_nginx();
}

Test(upload_pressure, bh_1_nginx_stores_it_over_tls_too)
{
    if (!set_up_nginx())
        return;
    for (int mode = PUT_GATHERED; mode <= PUT_CHUNKED; mode++)
        for (int expect = 0; expect < 2; expect++)
            put_to_nginx("https", "origin.test", nginx.https_port, mode, expect);
    take_down_nginx();
}

Test(upload_pressure, ws_8_nginx_refuses_a_body_that_is_too_long)
{
    if (!set_up_nginx())
        return;
    for (int expect = 0; expect < 2; expect++) {
        np_request *request = request_to(nginx.http_port, "PUT", "/small_only");
        cr_assert_eq(np_request_set_expect_continue(request, expect, NULL), NP_OK);
        cr_assert_eq(np_request_set_content_length(request, 409600, NULL), NP_OK);
        must_be_refused(request, 409600, 413);
    }
    take_down_nginx();
}

/* --- HTTP/2 --- */

static np_request *h2_request(const char *method, const char *path)
{
    char url[128];
    np_request *request;
    snprintf(url, sizeof url, "https://origin.test:%u%s", nginx.h2_port, path);
    cr_assert_eq(np_request_create(context, url, &request, NULL), NP_OK);
    cr_assert_eq(np_request_set_method(request, method, NULL), NP_OK);
    cr_assert_eq(np_request_set_protocol_version(request, 20, NULL), NP_OK);
    return request;
}

Test(upload_pressure, bh_1_nginx_stores_it_over_http_2)
{
    enum { LENGTH = 700001 };
    static char bytes[LENGTH];
    np_error err = {0};
    np_response *response;
    if (!set_up_nginx())
        return;
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    for (int mode = PUT_GATHERED; mode <= PUT_CHUNKED; mode++) {
        char path[32];
        snprintf(path, sizeof path, "/dav/h2-%d", mode);
        np_request *request = h2_request("PUT", path);
        if (mode == PUT_LENGTH)
            cr_assert_eq(np_request_set_content_length(request, LENGTH, NULL), NP_OK);
        cr_assert_eq(np_request_set_send_chunked(request, mode == PUT_CHUNKED, NULL), NP_OK);
        np_stream *stream = open_stream(request);
        for (size_t at = 0; at < LENGTH; at += 100000)
            cr_assert_eq(np_stream_write(stream, bytes + at,
                                         LENGTH - at < 100000 ? LENGTH - at : 100000, &err),
                         NP_OK, "%s", err.text);
        close_stream(stream);
        cr_assert_eq(get_response(request, &response, &err), NP_OK, "%s (%s)", err.text, err.cause);
        cr_assert_eq(np_response_status(response), 201);
        cr_assert_eq(np_response_protocol(response), 20);
        np_response_release(response);
        np_request_release(request);
        must_be_stored(path + 5, bytes, LENGTH);
    }
    take_down_nginx();
}

Test(upload_pressure, ws_8_over_http_2_a_response_that_does_not_wait_ends_the_request)
{
    static const char *const paths[] = {"/small_only", "/gone"};
    static const int statuses[] = {413, 410};
    if (!set_up_nginx())
        return;
    for (int i = 0; i < 2; i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            np_request *request = h2_request("PUT", paths[i]);
            cr_assert_eq(np_request_set_send_chunked(request, chunked, NULL), NP_OK);
            if (!chunked)
                cr_assert_eq(np_request_set_content_length(request, 4096000, NULL), NP_OK);
            must_be_refused(request, 4096000, statuses[i]);
        }
    }
    take_down_nginx();
}

/* --- the example --- */

Test(upload_pressure, the_example_uploads_its_input_or_says_what_went_wrong)
{
    char command[512], out[512];
    static const char input[] = "hello from a pipe\n";
    if (!set_up_nginx())
        return;
    for (int good = 1; good >= 0; good--) {
        snprintf(command, sizeof command,
                 "printf 'hello from a pipe\\n' | '%s' %s:%u/dav/piped 2>&1", NP_EXAMPLE_UPLOAD,
                 good ? "http://127.0.0.1" : "gopher://127.0.0.1", nginx.http_port);
        FILE *pipe = popen(command, "r");
        cr_assert_not_null(pipe);
        out[fread(out, 1, sizeof out - 1, pipe)] = 0;
        const int status = pclose(pipe);
        cr_assert_eq(status == 0, good == 1, "%s", out);
        cr_assert_not_null(strstr(out, good ? "201\n" : "gopher"), "%s", out);
    }
    must_be_stored("piped", input, sizeof input - 1);
    take_down_nginx();
}
