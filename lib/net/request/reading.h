/* The body of a response between the loop and who reads it, and closing the response. Floor 2; lock
 * held. */
#ifndef NP_NET_READING_H
#define NP_NET_READING_H

#include "request_block.h"

/* Up to `capacity` bytes; lets a paused transfer go on once there is room. */
size_t np_reading_take_locked(np_request *request, void *buffer, size_t capacity);

/* Starts an asynchronous read; one that completes at once is returned for np_async_finish. */
np_async *np_reading_begin_locked(np_request *request, np_async *async, void *buffer,
                                  size_t capacity);
/* Bytes or the end have come: serves the reader. A read that this completes is returned. */
np_async *np_reading_serve_locked(np_request *request);
/* Completes the pending read, where there is one, and returns it. */
np_async *np_reading_complete_locked(np_request *request, size_t bytes, const np_error *failure);

/* Closes response and stream; a read that was pending is completed and returned for
 * np_async_finish. */
np_async *np_reading_close_locked(np_request *request);
/* The same when nobody can reach the response any more. */
np_async *np_reading_close_unreachable_locked(np_request *request);

#endif
