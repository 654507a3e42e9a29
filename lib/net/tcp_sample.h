/*
 * Readings of TCP in the trace (NP_EVENT_TCP). Floor 2; loop thread only.
 *
 * One costs a system call and a row, so they are taken where they explain something: when a
 * connection stands, when a body has been sent, when a phase took NP_TCP_SLOW_NS, and when a
 * request failed. A phase that is slow again and again is asked about once in NP_TCP_AGAIN_NS a
 * connection: the counters only grow, so nothing is lost in between.
 */
#ifndef NP_NET_TCP_SAMPLE_H
#define NP_NET_TCP_SAMPLE_H

#include "kernel_time.h"
#include "producer.h"

#define NP_TCP_SLOW_NS  (5 * (uint64_t)1000000)
#define NP_TCP_AGAIN_NS (100 * (uint64_t)1000000)

typedef struct np_connection np_connection;

/* `phase`: the one that ended, or that goes on. Nothing when not traced or request is 0. */
void np_tcp_sample_emit(np_producer *producer, uint32_t request, uint32_t connection,
                        np_phase phase, uint64_t now_ns, const np_tcp_reading *reading);
/* Asks and tells, unless the kernel is not to be asked. */
void np_tcp_sample_take(np_connection *connection, uint32_t request, np_phase phase,
                        uint64_t now_ns);
/* The same for a phase that began at begin_ns (0: not known), where that was long ago. */
void np_tcp_sample_slow(np_connection *connection, uint32_t request, np_phase phase,
                        uint64_t begin_ns, uint64_t now_ns);

#endif
