/* Writing to a libuv stream without keeping the bytes. Program netphase-lab. */
#ifndef LAB_STREAM_WRITE_H
#define LAB_STREAM_WRITE_H

#include <stddef.h>
#include <uv.h>

/* Called on the loop's thread when nothing is left to send, or when sending broke (`code` is
 * negative then). */
typedef void (*stream_drained_fn)(uv_stream_t *stream, int code);

/*
 * Sends bytes[length], at once as far as the socket takes them; the rest is copied. Order is kept.
 *
 * drained  NULL, or called once the copy was sent and no other is left; never called when all was
 * sent at once, nor after the stream was closed returns 0 or a negative libuv code: nothing will
 * come of the rest then
 */
int stream_write(uv_stream_t *stream, const void *bytes, size_t length, stream_drained_fn drained);

#endif
