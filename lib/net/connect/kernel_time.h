/*
 * What the kernel knows about a connection: when bytes arrived, and what TCP has measured. Floor 2;
 * any thread; only this file knows SO_TIMESTAMPING and TCP_INFO.
 *
 * Receive stamps are made in software, as a packet leaves the driver. Segments that the kernel has
 * merged carry the stamp of the last of them, so a stamp is an upper bound of the arrival of the
 * first byte behind it. Send stamps (SOF_TIMESTAMPING_TX_*) are never asked for: they come by the
 * socket's error queue and would wake the poll.
 */
#ifndef NP_NET_KERNEL_TIME_H
#define NP_NET_KERNEL_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A socket that does nothing but keep the kernel stamping packets: switching that on and off with
   each connection would patch the kernel's code each time. -1: there is no stamping; else closed
   by the caller. */
int np_kernel_time_open(void);

/* Arrivals on this TCP socket can be asked for from now on. false: they cannot. */
bool np_kernel_time_enable(int fd);

/* Looks at what is queued, without taking it: the arrival (CLOCK_MONOTONIC) of the first byte, or
   of the last one. 0: nothing is queued, or it carries no stamp. `queued` (NULL allowed): bytes
   that wait. */
typedef enum np_kernel_byte { NP_KERNEL_FIRST_BYTE, NP_KERNEL_LAST_BYTE } np_kernel_byte;
uint64_t np_kernel_time_of(int fd, np_kernel_byte which, uint64_t *queued);

/* A reading of TCP_INFO; what this kernel does not tell is 0. */
typedef struct np_tcp_reading {
    uint32_t rtt_us, min_rtt_us; /* smoothed; smallest */
    uint32_t retransmits;        /* segments, since the connection began */
    uint32_t unacked;            /* segments on their way */
    uint32_t unsent_bytes;
    uint32_t window;                                 /* what the peer is ready to take, bytes */
    uint64_t busy_us;                                /* with something to send … */
    uint64_t receiver_limited_us, buffer_limited_us; /* … of which waiting for room there, here */
    uint64_t delivery_rate;                          /* bytes a second */
} np_tcp_reading;
bool np_kernel_tcp(int fd, np_tcp_reading *out);

/* The smallest u with 4^u >= ns: how an event tells its uncertainty. */
uint8_t np_uncertainty(uint64_t ns);

#endif
