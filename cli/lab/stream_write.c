/* See stream_write.h. */
#include "stream_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct waiting_write {
    uv_write_t write; /* first member */
    stream_drained_fn drained;
    char bytes[];
};

static void on_written(uv_write_t *write, int status)
{
    struct waiting_write *waiting = (struct waiting_write *)write;
    uv_stream_t *stream = write->handle;
    stream_drained_fn drained = waiting->drained;
    free(waiting);
    if (!drained || uv_is_closing((uv_handle_t *)stream))
        return;
    if (status < 0 || uv_stream_get_write_queue_size(stream) == 0)
        drained(stream, status);
}

int stream_write(uv_stream_t *stream, const void *bytes, size_t length, stream_drained_fn drained)
{
    const char *from = bytes;
    if (length == 0)
        return 0;
    if (uv_stream_get_write_queue_size(stream) == 0) {
        /* libuv takes a non-const buffer, but only reads it. */
        char *readable = (char *)(uintptr_t)from;
        uv_buf_t now = uv_buf_init(readable, (unsigned)length);
        int sent = uv_try_write(stream, &now, 1);
        if (sent < 0 && sent != UV_EAGAIN)
            return sent;
        if (sent > 0) {
            from += sent;
            length -= (size_t)sent;
        }
        if (length == 0)
            return 0;
    }
    struct waiting_write *waiting = malloc(sizeof *waiting + length);
    if (!waiting)
        return UV_ENOMEM;
    waiting->drained = drained;
    memcpy(waiting->bytes, from, length);
    uv_buf_t rest = uv_buf_init(waiting->bytes, (unsigned)length);
    int code = uv_write(&waiting->write, stream, &rest, 1, on_written);
    if (code != 0)
        free(waiting);
    return code;
}
