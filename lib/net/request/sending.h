/*
 * The request stream between who writes and the loop. Floor 2.
 *
 *   begin ─► STREAM_PENDING ──ready()──► STREAM_OPEN ──close, or the response is asked for──►
 * closed │ write ─► outgoing ─► upload() on the loop └ no room: the write waits until upload() made
 * some
 *
 * upload() that finds nothing says so (`send_paused`), and the next write or the close posts one
 * message. A final response of 300 and above, or the end of the transfer, is the end of taking:
 * what is written then is dropped, and kept for a replay where there is a copy (WS-8).
 *
 * Lock held where the name says so; everything else takes it.
 */
#ifndef NP_NET_SENDING_H
#define NP_NET_SENDING_H

#include "request_block.h"

/* --- callers' threads --- */

/* Lock held. NP_OK: `length` bytes may be written now (WS-3 … WS-6). */
np_status np_sending_may_write_locked(const np_request *request, size_t length, np_error *err);
/* Writes all of it, and waits where there is no room. */
np_status np_sending_write(np_request *request, const void *data, size_t length, np_error *err);
/* Lock held. Starts an asynchronous write; one that completes at once is returned for
 * np_async_finish. */
np_async *np_sending_begin_locked(np_request *request, np_async *async, const void *data,
                                  size_t length);
/* WS-12 to WS-15. */
np_status np_sending_close(np_request *request, np_error *err);
/* Lock held. Bytes of the announced length that were not written and are wanted (GR-3). */
uint64_t np_sending_owed_locked(const np_request *request);
/* Lock held. Nothing more will be written. */
void np_sending_finish_locked(np_request *request);

/* --- the loop --- */

/* Those of a transfer's handler. */
void np_sending_on_ready(np_transfer *transfer, void *user);
ptrdiff_t np_sending_on_upload(np_transfer *transfer, void *out, size_t capacity, void *user);
bool np_sending_on_rewind(np_transfer *transfer, void *user);

/* Lock held. A final response is there: its status; or 0: the transfer is over. The write that this
 * completes is returned. */
np_async *np_sending_answered_locked(np_request *request, int status);

/* Can a later hop have the same body (RS-1)? */
bool np_sending_can_replay(np_request *request);
/* Was the stream of a body that is not copied not handed out yet (RS-1)? */
bool np_sending_must_wait(np_request *request);
/* Between two hops: the next one has no body, and what is still written is dropped; or it has the
 * same one, from its first byte, and the caller may still be writing it. */
void np_sending_next_hop(np_request *request, bool drops_body);
/* How *spec says that the body comes, for a first hop. */
void np_sending_describe(const np_request *request, np_transfer_spec *spec);

#endif
