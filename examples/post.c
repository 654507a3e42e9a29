/*
 * Asks for a line and posts it, step by step in callbacks:
 *
 *   post http://127.0.0.1:8080/guestbook
 *
 *   main           begins the request stream, and waits for `done`; it could do other things
 *   on_stream      the server can be written to: asks for the line, writes it, begins the response
 *   on_response    the answer's header is there: prints its body
 *
 * Each callback runs once, on a thread of the context, and may wait: that holds up nobody else.
 * Whatever goes wrong on the way comes out of an end call, and ends the program.
 */
#include <netphase/netphase.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

struct post {
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

static void on_response(np_async *async)
{
    struct post *post = np_async_state(async);
    np_response *response;
    if (np_request_end_get_response(post->request, async, &response, &post->error) == NP_OK)
        (void)print_body(response, &post->error); /* the error has it */
    np_response_release(response);
    sem_post(&post->done);
}

/* The length is known when the stream is closed: until then what is written is only gathered. */
static np_status write_line(np_stream *stream, np_error *error)
{
    char line[1000];
    printf("What shall be posted? ");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    const np_status status = np_stream_write(stream, line, strlen(line), error);
    return status ? status : np_stream_close(stream, error);
}

static void on_stream(np_async *async)
{
    struct post *post = np_async_state(async);
    np_stream *stream;
    np_async *next = NULL;
    np_status status =
        np_request_end_get_request_stream(post->request, async, &stream, &post->error);
    if (!status)
        status = write_line(stream, &post->error);
    np_stream_release(stream);
    if (!status)
        status =
            np_request_begin_get_response(post->request, on_response, post, &next, &post->error);
    np_async_release(next); /* on_response gets a result of its own */
    if (status)
        sem_post(&post->done); /* there will be no on_response */
}

int main(int argc, char **argv)
{
    struct post post = {0};
    np_context *context;
    np_async *async = NULL;
    sem_init(&post.done, 0, 0);
    np_status status = np_context_create(NULL, &context, &post.error);
    if (!status)
        status = np_request_create(context, argc == 2 ? argv[1] : "", &post.request, &post.error);
    if (!status)
        status = np_request_set_method(post.request, "POST", &post.error);
    if (!status)
        status = np_request_set_content_type(post.request, "text/plain", &post.error);
    if (!status)
        status = np_request_begin_get_request_stream(post.request, on_stream, &post, &async,
                                                     &post.error);
    if (!status)
        sem_wait(&post.done);
    np_async_release(async);
    np_request_release(post.request);
    np_context_free(context);
    if (post.error.status)
        fprintf(stderr, "post: %s\n", post.error.text);
    return post.error.status ? 1 : 0;
}
