/* Transfers whose time is over; np_transfer_abort is in transfer.h. Floor 2; loop thread only. */
#ifndef NP_NET_TRANSFER_ABORT_H
#define NP_NET_TRANSFER_ABORT_H

#include "engine_types.h"

/* connect_timeout is over before its connection was ready. */
void np_transfer_setup_timed_out(np_transfer *transfer, uint64_t now_ns);
/* "LIMIT while WHAT IT WAS DOING" */
void np_transfer_timed_out(np_transfer *transfer, const char *limit);

#endif
