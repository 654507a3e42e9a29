/*
 * Gets one URL many times at once, from one thread, and says how that went:
 *
 *   many http://127.0.0.1:8080/ 500
 *
 * Begin does not wait, so all requests are under way after a few milliseconds. To a host of the
 * network two connections are opened (np_context_options.connection_limit), and the others wait for
 * their turn in the library; to 127.0.0.1 there is no limit unless one is set, as here.
 */
#include <netphase/netphase.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct many {
    atomic_size_t pending, good, failed;
    atomic_ullong bytes;
    sem_t done;
};

struct one {
    struct many *many;
    np_request *request;
};

static np_status count_body(struct many *many, np_response *response)
{
    char bytes[16384];
    size_t got = 0;
    np_stream *stream;
    np_status status = np_response_stream(response, &stream, NULL);
    while (!status && !(status = np_stream_read(stream, bytes, sizeof bytes, &got, NULL)) &&
           got > 0)
        many->bytes += got;
    np_stream_release(stream);
    return status;
}

/* Several run at the same time, on different threads: what they share is atomic. */
static void on_response(np_async *async)
{
    struct one *one = np_async_state(async);
    struct many *many = one->many;
    np_response *response;
    np_status status = np_request_end_get_response(one->request, async, &response, NULL);
    if (!status)
        status = count_body(many, response);
    if (status)
        many->failed++;
    else
        many->good++;
    np_response_release(response);
    np_request_release(one->request); /* fine here: nobody needs it any more */
    free(one);
    if (--many->pending == 0)
        sem_post(&many->done);
}

static np_status begin_one(np_context *context, const char *url, struct many *many, np_error *error)
{
    np_async *async = NULL;
    struct one *one = calloc(1, sizeof *one);
    if (!one)
        abort();
    one->many = many;
    many->pending++;
    np_status status = np_request_create(context, url, &one->request, error);
    if (!status)
        status = np_request_begin_get_response(one->request, on_response, one, &async, error);
    np_async_release(async);
    if (status) { /* then there is no callback */
        np_request_release(one->request);
        free(one);
        many->pending--;
    }
    return status;
}

int main(int argc, char **argv)
{
    static struct many many;
    np_error error = {0};
    np_context *context;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    const long count = argc == 3 ? atol(argv[2]) : 0;
    if (count < 1) {
        fprintf(stderr, "many: expected a URL and how many times to get it\n");
        return 2;
    }
    options.connection_limit = 16;
    sem_init(&many.done, 0, 0);
    many.pending = 1; /* ours, so that it is not 0 before all were begun */
    np_status status = np_context_create(&options, &context, &error);
    for (long i = 0; i < count && !status; i++)
        status = begin_one(context, argv[1], &many, &error);
    if (--many.pending > 0)
        sem_wait(&many.done);
    np_context_free(context);
    printf("%zu good, %zu failed, %llu bytes\n", (size_t)many.good, (size_t)many.failed,
           (unsigned long long)many.bytes);
    if (status)
        fprintf(stderr, "many: %s\n", error.text);
    return status || many.failed ? 1 : 0;
}
