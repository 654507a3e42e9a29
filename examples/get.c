/* Gets one URL with a callback and prints the body:  get http://127.0.0.1:8080/ */
#include <netphase/netphase.h>
#include <semaphore.h>
#include <stdio.h>

struct get {
    np_request *request;
    np_error error; /* status NP_OK: all went well */
    sem_t done;
};

static np_status print_body(np_response *response, np_error *error)
{
    char bytes[4096];
    size_t got = 0;
    np_stream *stream;
    np_status status = np_response_stream(response, &stream, error);
    while (!status && !(status = np_stream_read(stream, bytes, sizeof bytes, &got, error)) &&
           got > 0)
        fwrite(bytes, 1, got, stdout);
    np_stream_release(stream);
    return status;
}

/* Once, on a thread of the context, as soon as the header is there. Blocking here is fine. */
static void on_response(np_async *async)
{
    struct get *get = np_async_state(async);
    np_response *response;
    if (np_request_end_get_response(get->request, async, &response, &get->error) == NP_OK)
        print_body(response, &get->error);
    np_response_release(response);
    sem_post(&get->done);
}

int main(int argc, char **argv)
{
    struct get get = {0};
    np_context *context;
    np_async *async = NULL;
    sem_init(&get.done, 0, 0);
    np_status status = np_context_create(NULL, &context, &get.error);
    if (!status)
        status = np_request_create(context, argc == 2 ? argv[1] : "", &get.request, &get.error);
    if (!status)
        status = np_request_begin_get_response(get.request, on_response, &get, &async, &get.error);
    if (!status)
        sem_wait(
            &get.done); /* begin returned long before; this thread could have done other things */
    np_async_release(async);
    np_request_release(get.request);
    np_context_free(context);
    if (get.error.status)
        fprintf(stderr, "get: %s\n", get.error.text);
    return get.error.status ? 1 : 0;
}
