/* Where send ends, and where wait and receive begin. Floor 2; loop thread only, with libcurl on the
 * stack. */
#ifndef NP_NET_BOUNDARY_H
#define NP_NET_BOUNDARY_H

#include "engine_types.h"

/* The last byte of the request was written. */
void np_boundary_begin_wait(np_transfer *transfer, uint64_t now_ns);
/* The same, found out by a step of libcurl that came behind it. */
void np_boundary_end_send(np_transfer *transfer);
/* HDR_OUT of a request that is one write. libcurl looks for the answer before it returns. */
void np_boundary_request_out(np_transfer *transfer);
/* From the socket call-back, after the step of libcurl that changed what it waits for
 * (CURL_POLL_*). */
void np_boundary_step(np_transfer *transfer, int wanted);
/* The status line of the final response is there; send ends here at the latest. */
void np_boundary_begin_receive(np_transfer *transfer, uint64_t now_ns);
/* The transfer ends, and nothing was answered: what is known of the end of send is told. */
void np_boundary_give_up(np_transfer *transfer);

#endif
