/*
 * A look: the loop found a connection's descriptor readable and is about to let libcurl read. Floor
 * 2; loop thread only.
 *
 * Before libcurl takes the bytes, the kernel is asked when they came. That costs a system call, one
 * or two us, so by default (np_context_options.kernel_times) it is done only where it tells
 * something: while a connection is set up and serves its first request, and whenever the loop may
 * be late, that is when it was busy with other things for NP_LATE_VISIBLE_NS before this look.
 *
 * The kernel begins to stamp packets when one of its threads gets to it: up to 0.2 s after the
 * first program has asked for it on this machine. What came before carries no stamp. Then what is
 * known is that it was there when the loop's poll returned, and that it was not at the poll before,
 * or, where the loop slept, that it woke it up: source `syscall`.
 *
 * Lateness: bytes were there and we had not looked. From NP_LATE_VISIBLE_NS on it is a span of its
 * own and part of request.late_ns; below that it is the time in which a thread wakes up, and
 * nobody's: the timers of the loop are no finer, and nothing but a faster machine would change it.
 */
#ifndef NP_NET_LOOK_H
#define NP_NET_LOOK_H

#include "engine_types.h"

#define NP_LATE_VISIBLE_NS NP_NS_PER_MS
#define NP_LATE_SPANS      4 /* a request; what is more is in late_ns alone */

/* Will the kernel be asked, whether we are late or not? */
bool np_look_is_wanted(const np_connection *connection);

/* Around the call of libcurl. */
void np_look_begin(np_connection *connection, uint64_t now_ns);
void np_look_end(np_connection *connection);
/* From inside it. Something has been written, and libcurl reads before it returns: at before_ns the
   answer was not there. */
void np_look_inside(np_connection *connection, uint64_t before_ns, uint64_t now_ns);
/* A TLS record that was no response has been taken out: what is next? */
void np_look_again(np_connection *connection);
/* Was there something to read when we last asked, that has not been handed over? */
bool np_look_has_more(const np_connection *connection);
/* `length` bytes of a body are being handed over, and libcurl may read on: what is left? */
void np_look_ahead(np_transfer *transfer, size_t length);

/* Where the first byte of a response came, known by the callback at now_ns to be of this look. */
np_stamp np_look_first_byte(np_transfer *transfer, uint64_t now_ns);
/* Where the last byte came, known by the last callback (transfer->last_ns). */
np_stamp np_look_last_byte(const np_transfer *transfer);
/* Where a handshake ended whose last message was the peer's, known by the callback at now_ns. */
np_stamp np_look_peer_finished(const np_connection *connection, uint64_t now_ns);

#endif
