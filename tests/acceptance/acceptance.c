#include "acceptance.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

bool is_ok(np_status status, const np_error *error, char why[static 512])
{
    if (status != NP_OK)
        snprintf(why, 512, "%s (%s): %s; %s", np_status_name(status),
                 np_web_status_name(error->web_status), error->text, error->cause);
    else if (error->status != NP_OK || error->text[0])
        snprintf(why, 512, "succeeded and wrote into its np_error: %s", error->text);
    return !why[0];
}

static const char *what_is_wrong(np_status status, const np_error *error)
{
    size_t length = strnlen(error->text, sizeof error->text);
    if (error->status != status)
        return "the np_error has another status";
    if (length == 0 || length == sizeof error->text)
        return "there is no text";
    if (strpbrk(error->text, "\r\n") || error->text[length - 1] == '.')
        return "the text is no plain line";
    if ((status == NP_E_WEB) != (error->web_status != NP_WEB_SUCCESS))
        return "the web status does not fit the class";
    return NULL;
}

bool is_failure(np_status status, const np_error *error, np_status status_wanted,
                np_web_status web_wanted, const char *word_wanted, char why[static 512])
{
    const char *wrong = NULL;
    if (status != status_wanted)
        wrong = np_status_name(status_wanted);
    else if (error->web_status != web_wanted)
        wrong = np_web_status_name(web_wanted);
    else if (word_wanted && !strcasestr(error->text, word_wanted))
        wrong = word_wanted;
    if (wrong)
        snprintf(why, 512, "wanted %s; is %s (%s): %s; %s", wrong, np_status_name(status),
                 np_web_status_name(error->web_status), error->text, error->cause);
    else if ((wrong = what_is_wrong(status, error)))
        snprintf(why, 512, "%s: \"%s\"", wrong, error->text);
    return !why[0];
}

void pause_1_ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ------------------------------------------------------------------------------------- the world */

struct world world_open_with(const char *script, const np_context_options *options)
{
    struct world world = {0};
    char why[256] = "";
    world.server = scripted_server_start(script, why, sizeof why);
    cr_assert(world.server, "%s", why);
    OK(np_context_create(options, &world.context, e));
    return world;
}

struct world world_open(const char *script)
{
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct(); /* whatever the environment says */
    return world_open_with(script, &options);
}

void world_close(struct world *world)
{
    for (size_t i = 0; i < world->request_count; i++)
        np_request_release(world->request[i]);
    np_context_free(world->context);
    scripted_server_stop(world->server);
    *world = (struct world){0};
}

const char *url_of(const struct world *world, const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", scripted_server_port(world->server), path);
    return url;
}

np_request *ask_url(struct world *world, const char *method, const char *url)
{
    np_request *request = NULL;
    cr_assert_lt(world->request_count, 16);
    OK(np_request_create(world->context, url, &request, e));
    OK(np_request_set_method(request, method, e));
    world->request[world->request_count++] = request;
    return request;
}

np_request *ask_for(struct world *world, const char *method, const char *path)
{
    return ask_url(world, method, url_of(world, path));
}

np_request *ask(struct world *world, const char *method)
{
    return ask_for(world, method, "/");
}

np_request *ask_nobody(struct world *world, const char *method)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char url[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    /* It stays bound and never listens: nobody else can get the port meanwhile. */
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    return ask_url(world, method, url);
}

unsigned times_heard(const struct world *world, const char *text)
{
    char *all = scripted_server_heard(world->server, NULL);
    unsigned count = 0;
    for (const char *at = all; at && (at = strstr(at, text)); at += strlen(text))
        count++;
    free(all);
    return count;
}

bool heard(const struct world *world, const char *text)
{
    return times_heard(world, text) > 0;
}

/* -------------------------------------------------------------------------------- the life cycle */

np_async *begin_stream(np_request *request)
{
    np_async *async = NULL;
    OK(np_request_begin_get_request_stream(request, NULL, NULL, &async, e));
    cr_assert(async);
    return async;
}

np_async *begin_response(np_request *request)
{
    np_async *async = NULL;
    OK(np_request_begin_get_response(request, NULL, NULL, &async, e));
    cr_assert(async);
    return async;
}

np_stream *open_stream(np_request *request)
{
    np_async *async = begin_stream(request);
    np_stream *stream = NULL;
    OK(np_request_end_get_request_stream(request, async, &stream, e));
    np_async_release(async);
    cr_assert(stream);
    return stream;
}

np_response *end_response(np_request *request, np_async *async)
{
    np_response *response = NULL;
    OK(np_request_end_get_response(request, async, &response, e));
    np_async_release(async);
    cr_assert(response);
    return response;
}

np_response *get_response(np_request *request)
{
    return end_response(request, begin_response(request));
}

void put(np_stream *stream, const char *text)
{
    OK(np_stream_write(stream, text, strlen(text), e));
}

void finish(np_stream *stream)
{
    OK(np_stream_close(stream, e));
    np_stream_release(stream);
}

const char *body_of(np_response *response)
{
    static char body[65536];
    np_stream *stream = NULL;
    size_t length = 0, got = 1;
    OK(np_response_stream(response, &stream, e));
    while (got > 0 && length < sizeof body - 1) {
        OK(np_stream_read(stream, body + length, sizeof body - 1 - length, &got, e));
        length += got;
    }
    body[length] = '\0';
    np_stream_release(stream);
    return body;
}

void expect_hello(np_request *request)
{
    np_response *response = get_response(request);
    cr_assert_eq(np_response_status(response), 200);
    cr_assert_str_eq(body_of(response), "hello");
    np_response_release(response);
}

void without_expect(np_request *request)
{
    OK(np_request_set_expect_continue(request, false, e));
}

np_error failure_of(np_request *request)
{
    np_async *async = begin_response(request);
    np_response *response = (np_response *)&async;
    np_error error = {0};
    np_status status = np_request_end_get_response(request, async, &response, &error);
    cr_assert(status != NP_OK && error.status == status, "it was to fail");
    cr_assert_null(response, "a failed end call leaves a response");
    np_async_release(async);
    return error;
}

np_error stream_failure_of(np_request *request)
{
    np_async *async = begin_stream(request);
    np_stream *stream = (np_stream *)&async;
    np_error error = {0};
    np_status status = np_request_end_get_request_stream(request, async, &stream, &error);
    cr_assert(status != NP_OK && error.status == status, "it was to fail");
    cr_assert_null(stream, "a failed end call leaves a stream");
    np_async_release(async);
    return error;
}

np_error async_failure(np_async *async)
{
    cr_assert_eq(np_async_wait(async, -1), 0);
    const np_error *error = np_async_error(async);
    cr_assert(error, "it was to fail");
    return *error;
}

/* ------------------------------------------------------------------------------------- callbacks */

void count_call(np_async *async)
{
    struct calls *calls = np_async_state(async);
    calls->thread = pthread_self();
    calls->was_complete = np_async_is_completed(async);
    calls->async = async;
    atomic_fetch_add(&calls->entered, 1);
    if (calls->then)
        calls->then(async, calls);
    atomic_fetch_add(&calls->count, 1);
}
