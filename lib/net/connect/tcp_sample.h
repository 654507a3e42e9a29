/*
 * One reading of TCP in the trace (NP_EVENT_TCP). Floor 2; loop thread only. When one is taken:
 * connection_sample.h.
 */
#ifndef NP_NET_TCP_SAMPLE_H
#define NP_NET_TCP_SAMPLE_H

#include "kernel_time.h"
#include "producer.h"

/* `phase`: the one that ended, or that goes on. Nothing when not traced or request is 0. */
void np_tcp_sample_emit(np_producer *producer, uint32_t request, uint32_t connection,
                        np_phase phase, uint64_t now_ns, const np_tcp_reading *reading);

#endif
