/*
 * When a connection's TCP is read into the trace (tcp_sample.h). Floor 2; loop thread only.
 *
 * A reading costs a system call and a row, so they are taken where they explain something: when a
 * connection stands, when a body has been sent or is not wanted to its end, when a phase took
 * NP_TCP_SLOW_NS, and when a request failed. Where phases are slow again and again, that is asked
 * about once in NP_TCP_AGAIN_NS a connection: the counters only grow, so nothing is lost in
 * between.
 */
#ifndef NP_NET_CONNECTION_SAMPLE_H
#define NP_NET_CONNECTION_SAMPLE_H

#include "engine_types.h"

#define NP_TCP_SLOW_NS  (5 * (uint64_t)1000000)
#define NP_TCP_AGAIN_NS (100 * (uint64_t)1000000)

/* Asks and tells, unless the kernel is not to be asked. `phase`: the one that ended, or goes on. */
void np_connection_sample(np_connection *connection, uint32_t request, np_phase phase,
                          uint64_t now_ns);
/* The same for a phase that began at begin_ns (0: not known), where that was long ago. */
void np_connection_sample_slow(np_connection *connection, uint32_t request, np_phase phase,
                               uint64_t begin_ns, uint64_t now_ns);

#endif
