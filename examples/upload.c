/*
 * Uploads standard input, without knowing its length and without holding it in memory:
 *
 *   upload http://127.0.0.1:8080/file < FILE
 *
 * Each write is a chunk of the wire. Where the server reads slowly, np_stream_write waits: so at no
 * time is there more in memory than one buffer and the 64 KiB on their way.
 */
#include <netphase/netphase.h>
#include <stdio.h>

static np_status send_input(np_stream *stream, np_error *error)
{
    static char bytes[32768];
    size_t got;
    np_status status = NP_OK;
    while (!status && (got = fread(bytes, 1, sizeof bytes, stdin)) > 0)
        status = np_stream_write(stream, bytes, got, error);
    return status;
}

/* The synchronous calls: each waits for what the asynchronous ones would call back for. */
static np_status upload(np_request *request, np_response **response, np_error *error)
{
    np_stream *stream = NULL;
    np_status status = np_request_get_request_stream(request, &stream, error);
    if (!status)
        status = send_input(stream, error);
    if (!status)
        status = np_stream_close(stream, error); /* the body is complete */
    np_stream_release(stream);
    return status ? status : np_request_get_response(request, response, error);
}

int main(int argc, char **argv)
{
    np_error error = {0};
    np_context *context;
    np_request *request = NULL;
    np_response *response = NULL;
    np_status status = np_context_create(NULL, &context, &error);
    if (!status)
        status = np_request_create(context, argc == 2 ? argv[1] : "", &request, &error);
    if (!status)
        status = np_request_set_method(request, "PUT", &error);
    if (!status)
        status = np_request_set_send_chunked(request, true, &error);
    if (!status) /* nothing is kept: it can be of any size, and not be sent a second time */
        status = np_request_set_allow_write_stream_buffering(request, false, &error);
    if (!status)
        status = np_request_set_timeout(request, -1, &error);
    if (!status)
        status = upload(request, &response, &error);
    if (!status)
        printf("%d\n", np_response_status(response));
    np_response_release(response);
    np_request_release(request);
    np_context_free(context);
    if (status)
        fprintf(stderr, "upload: %s\n", error.text);
    return status ? 1 : 0;
}
