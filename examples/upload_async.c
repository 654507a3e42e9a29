/*
 * Uploads standard input as upload.c does, without a thread that waits: each piece is read when the
 * connection has taken the one before.
 *
 *   upload_async http://127.0.0.1:8080/file < FILE
 *
 *   on_stream ─► write_next ─► on_written ─► write_next ─► … end of the input ─► on_response
 *
 * A write completes when all of it was taken, and at most 64 KiB wait for the connection. So a
 * server that reads slowly slows down the reading of the input, and at no time there is more in
 * memory than one piece and those 64 KiB, however long the input is.
 */
#include <netphase/netphase.h>
#include <semaphore.h>
#include <stdio.h>

struct upload {
    np_request *request;
    np_stream *stream;
    char piece[32768]; /* must not change until its write has completed */
    int status;        /* of the server's answer */
    np_error error;
    sem_t done;
};

static void write_next(struct upload *upload);

static void on_response(np_async *async)
{
    struct upload *upload = np_async_state(async);
    np_response *response;
    if (np_request_end_get_response(upload->request, async, &response, &upload->error) == NP_OK)
        upload->status = np_response_status(response);
    np_response_release(response);
    sem_post(&upload->done);
}

static void on_written(np_async *async)
{
    struct upload *upload = np_async_state(async);
    if (np_stream_end_write(upload->stream, async, &upload->error) == NP_OK)
        write_next(upload);
    else
        sem_post(&upload->done);
}

/* One piece, or the end. Callbacks never come from inside a begin call, so this does not nest. */
static void write_next(struct upload *upload)
{
    np_async *async = NULL;
    np_status status;
    const size_t got = fread(upload->piece, 1, sizeof upload->piece, stdin);
    if (got > 0) {
        status = np_stream_begin_write(upload->stream, upload->piece, got, on_written, upload,
                                       &async, &upload->error);
    } else {
        status = np_stream_close(upload->stream, &upload->error); /* the body is complete */
        if (!status)
            status = np_request_begin_get_response(upload->request, on_response, upload, &async,
                                                   &upload->error);
    }
    np_async_release(async);
    if (status)
        sem_post(&upload->done);
}

static void on_stream(np_async *async)
{
    struct upload *upload = np_async_state(async);
    if (np_request_end_get_request_stream(upload->request, async, &upload->stream,
                                          &upload->error) == NP_OK)
        write_next(upload);
    else
        sem_post(&upload->done);
}

static np_status configure(np_request *request, np_error *error)
{
    np_status status = np_request_set_method(request, "PUT", error);
    if (!status) /* the length of the input is not known */
        status = np_request_set_send_chunked(request, true, error);
    if (!status) /* no copy is kept: it can be of any size, and not be sent a second time */
        status = np_request_set_allow_write_stream_buffering(request, false, error);
    return status;
}

int main(int argc, char **argv)
{
    static struct upload upload;
    np_context *context;
    np_async *async = NULL;
    sem_init(&upload.done, 0, 0);
    np_status status = np_context_create(NULL, &context, &upload.error);
    if (!status)
        status =
            np_request_create(context, argc == 2 ? argv[1] : "", &upload.request, &upload.error);
    if (!status)
        status = configure(upload.request, &upload.error);
    if (!status)
        status = np_request_begin_get_request_stream(upload.request, on_stream, &upload, &async,
                                                     &upload.error);
    if (!status)
        sem_wait(&upload.done);
    np_async_release(async);
    np_stream_release(upload.stream);
    np_request_release(upload.request);
    np_context_free(context);
    if (upload.error.status)
        fprintf(stderr, "upload_async: %s\n", upload.error.text);
    else
        printf("%d\n", upload.status);
    return upload.error.status ? 1 : 0;
}
