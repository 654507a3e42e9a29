/*
 * Request streams under random use from many threads: writers, readers and aborts at the same time,
 * against servers that take everything, refuse early, break off, or read nothing. Holds: every
 * operation that was accepted calls back exactly once, writes and closes end, the context can be
 * freed at any moment, and nothing is touched after it was freed (run it under the sanitizers).
 *
 *   stress_upload [SEED [ROUNDS]]
 */
#include "clock.h"
#include "random.h"
#include "scripted_server.h"
#include <netphase/request.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 6, USES = 24, LENGTH = 200000, SERVERS = 6 };

#define OK "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"

static const char *const scripts[SERVERS] = {
    "head; chunks; send \"" OK "\"; again",
    "head; body 200000; send \"" OK "\"; again",
    "head; send \"HTTP/1.1 100 Continue\\r\\n\\r\\n\"; body 200000; send \"" OK "\"; again",
    "head; body 1000; send \"HTTP/1.1 413 No\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; hang",
    "head; body 5000; reset",
    "head; deaf",
};

static struct scripted_server *servers[SERVERS];
static np_context *context;
static uint64_t seed;
static _Atomic size_t accepted, called_back, answered;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_upload: %s (seed %llu)\n", what, (unsigned long long)seed);
    abort();
}

static void on_done(np_async *async)
{
    check(np_async_is_completed(async), "a callback before completion");
    called_back++;
}

/* What a second thread does to the request of the first one. */
struct rival {
    np_request *request;
    np_stream *stream; /* a handle of its own is not needed: the first one waits */
    uint64_t dice;
};

static void *interfere(void *argument)
{
    const struct rival *rival = argument;
    static const char bytes[3000];
    if (rival->dice % 4 == 0)
        usleep((useconds_t)(rival->dice >> 8) % 3000);
    switch (rival->dice % 5) {
    case 0:
        np_request_abort(rival->request);
        break;
    case 1:
        (void)np_stream_close(rival->stream, NULL); /* anything may be the answer */
        break;
    case 2:
        (void)np_stream_write(rival->stream, bytes, sizeof bytes, NULL);
        break;
    default:
        (void)np_request_get_state(rival->request);
        (void)np_request_have_response(rival->request);
        break;
    }
    return NULL;
}

static np_status write_once(np_stream *stream, const char *bytes, size_t n, bool is_async)
{
    np_async *write;
    if (!is_async)
        return np_stream_write(stream, bytes, n, NULL);
    np_status status = np_stream_begin_write(stream, bytes, n, on_done, NULL, &write, NULL);
    if (status)
        return status;
    accepted++;
    status = np_stream_end_write(stream, write, NULL);
    np_async_release(write);
    return status;
}

static void write_all(np_stream *stream, np_random *random)
{
    static const char bytes[50000];
    np_status status = NP_OK;
    for (size_t left = LENGTH; left > 0 && !status;) {
        size_t n = 1 + np_random_below(random, sizeof bytes);
        n = n < left ? n : left;
        status = write_once(stream, bytes, n, np_random_below(random, 2));
        left -= n;
    }
}

static void read_all(np_response *response)
{
    char bytes[100];
    size_t got = 1;
    np_stream *stream = NULL;
    if (response && np_response_stream(response, &stream, NULL) == NP_OK)
        while (got > 0 && np_stream_read(stream, bytes, sizeof bytes, &got, NULL) == NP_OK)
            ;
    np_stream_release(stream);
}

static void get_response(np_request *request)
{
    np_async *async;
    np_response *response = NULL;
    if (np_request_begin_get_response(request, on_done, NULL, &async, NULL) != NP_OK)
        return;
    accepted++;
    if (np_request_end_get_response(request, async, &response, NULL) == NP_OK)
        answered++;
    read_all(response);
    np_response_release(response);
    np_async_release(async);
}

static void write_and_get(np_request *request, np_stream *stream, np_random *random)
{
    pthread_t thread;
    struct rival rival = {request, stream, np_random_next(random)};
    const bool has_rival = np_random_below(random, 2);
    if (has_rival)
        check(pthread_create(&thread, NULL, interfere, &rival) == 0, "no thread");
    write_all(stream, random);
    if (np_random_below(random, 2))
        (void)np_stream_close(stream, NULL); /* a stream that failed says so */
    if (np_random_below(random, 8) > 0)
        get_response(request);
    if (has_rival)
        pthread_join(thread, NULL);
}

static np_request *make(int which, np_random *random)
{
    char url[64];
    np_request *request;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", scripted_server_port(servers[which]));
    check(np_request_create(context, url, &request, NULL) == NP_OK, "no request");
    check(np_request_set_method(request, "POST", NULL) == NP_OK, "no method");
    const bool chunked = which == 0 || (which > 2 && np_random_below(random, 2));
    (void)np_request_set_send_chunked(request, chunked, NULL);
    if (!chunked && np_random_below(random, 2))
        (void)np_request_set_content_length(request, LENGTH, NULL);
    else if (chunked && np_random_below(random, 2))
        (void)np_request_set_allow_write_stream_buffering(request, false, NULL);
    (void)np_request_set_expect_continue(request, which == 2, NULL);
    (void)np_request_set_read_write_timeout(request, 200, NULL);
    /* A body that a rival has cut short leaves its server waiting: nothing waits for ever. The
     * first server answers whatever comes. */
    const uint64_t limit_ms = which == 5 || np_random_below(random, 8) == 0 ? 60 : 400;
    if (which > 0)
        (void)np_request_set_async_timeout(request, 1 + (int64_t)np_random_below(random, limit_ms),
                                           NULL);
    return request;
}

/* A request whose stream was begun, until it is ended and used up. */
struct use {
    np_request *request;
    np_async *begun; /* NULL: it was refused */
};

static struct use begin_use(int server, np_random *random)
{
    struct use use = {.request = make(server, random)};
    if (np_request_begin_get_request_stream(use.request, on_done, NULL, &use.begun, NULL) != NP_OK)
        return use;
    accepted++;
    if (np_random_below(random, 16) == 0)
        np_request_abort(use.request);
    return use;
}

/* Waits for the stream. NULL: there is none, or nobody takes it. */
static np_stream *take_stream(struct use use, np_random *random)
{
    np_stream *stream = NULL;
    if (!use.begun)
        return NULL;
    if (np_random_below(random, 16) > 0)
        (void)np_request_end_get_request_stream(use.request, use.begun, &stream, NULL);
    np_async_release(use.begun);
    return stream;
}

static void end_use(struct use use, np_random *random)
{
    np_stream *stream = take_stream(use, random);
    if (stream)
        write_and_get(use.request, stream, random);
    if (np_random_below(random, 2)) {
        np_request_release(use.request);
        np_stream_release(stream);
    } else {
        np_stream_release(stream);
        np_request_release(use.request);
    }
}

static pthread_barrier_t barrier;

static void *work(void *argument)
{
    np_random random;
    np_random_seed(&random, seed + (uintptr_t)argument);
    for (int i = 0; i < USES; i++)
        end_use(begin_use((int)np_random_below(&random, SERVERS), &random), &random);
    /* One with a time limit: it keeps a connection that another thread may wait for. */
    const struct use last = begin_use(1 + (int)np_random_below(&random, SERVERS - 1), &random);
    pthread_barrier_wait(&barrier); /* from here on the context is being freed */
    end_use(last, &random);
    return NULL;
}

static void round_of_uploads(void)
{
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    pthread_t threads[THREADS];
    accepted = called_back = 0;
    options.connection_limit = 3;
    check(np_context_create(&options, &context, &err) == NP_OK, err.text);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, work, (void *)i) == 0, "no thread");
    pthread_barrier_wait(&barrier);
    np_context_free(context);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    check(accepted == called_back, "an operation did not call back once");
}

int main(int argc, char **argv)
{
    char why[256];
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)np_now_unix();
    const int rounds = argc > 2 ? atoi(argv[2]) : 2;
    alarm(280); /* a hang is a failure */
    for (int i = 0; i < SERVERS; i++) {
        servers[i] = scripted_server_start(scripts[i], why, sizeof why);
        check(servers[i] != NULL, why);
    }
    for (int i = 0; i < rounds; i++, seed += THREADS)
        round_of_uploads();
    for (int i = 0; i < SERVERS; i++)
        scripted_server_stop(servers[i]);
    check(answered > 0, "no request was answered");
    printf("%d rounds, %zu answers, every operation called back once\n", rounds, (size_t)answered);
    return 0;
}
