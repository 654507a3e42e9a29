/* How a transfer ends, and what becomes of its handle and its connection. Floor 2; loop thread
 * only. */
#ifndef NP_NET_TRANSFER_END_H
#define NP_NET_TRANSFER_END_H

#include "engine_types.h"

/* A new one, all zero but for the buffers of an earlier one. NULL: no memory. */
np_transfer *np_transfer_take(np_engine *engine);
void np_transfer_give_back(np_transfer *transfer);
/* Frees the memory kept for the next ones. */
void np_transfers_free_kept(np_engine *engine);

/* In the trace its hop ends, while its connection is still known. failure NULL: complete. */
void np_transfer_trace_end(np_transfer *transfer, const np_error *failure, uint64_t now_ns);
/* The one way out, behind that: tells done(). It must have let go of its handle and its connection,
 * whose number is still wanted in the trace. */
void np_transfer_end(np_transfer *transfer, const np_error *failure);
/* Both, of one that is not in the multi handle; its connection is the caller's to close. */
void np_transfer_fail(np_transfer *transfer, const np_error *failure, uint64_t now_ns);

/* Lets go of the connection, which libcurl is done with: it is good for others; it is closed for
 * `reason`; it is closed unless other streams go on. */
void np_transfer_leave_connection(np_transfer *transfer, uint64_t now_ns);
void np_transfer_drop_connection(np_transfer *transfer, np_close_reason reason, uint64_t now_ns);
void np_transfer_give_up_connection(np_transfer *transfer, np_close_reason reason, uint64_t now_ns);
/* Of a transfer that libcurl has: takes the handle out and gives the connection up, now or at the
 * turn's end. */
void np_transfer_tear_out(np_transfer *transfer, np_close_reason reason, uint64_t now_ns);
/* Takes out what was ended while libcurl was on the stack; true: there was one. */
bool np_transfers_retire(np_engine *engine);

/* What came over the wire where a decoder took it; before the handle is given away. */
void np_transfer_count_wire(np_transfer *transfer);
/* Why the connection of a transfer that failed so is closed. */
np_close_reason np_transfer_close_reason(const np_error *failure);

#endif
