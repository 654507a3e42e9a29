/* Receive stamps and TCP_INFO. Floor 2; any thread. See kernel_time.h. */
#include "kernel_time.h"

#include "clock.h"

#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* not netinet's: its tcp_info ends where the interesting part begins */
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool enable_stamps(int fd)
{
    const int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) == 0;
}

int np_kernel_time_open(void)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !enable_stamps(fd)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool np_kernel_time_enable(int fd)
{
    return enable_stamps(fd);
}

enum { CLOCK_TRIES = 8, CLOCK_CLOSE_NS = 500 };

/* Wall time less CLOCK_MONOTONIC, now. The thread may be put to sleep between the two readings: the
 * pair whose readings lie closest together counts. */
static int64_t wall_offset(void)
{
    int64_t offset_ns = 0;
    uint64_t closest_ns = UINT64_MAX;
    for (int i = 0; i < CLOCK_TRIES && closest_ns > CLOCK_CLOSE_NS; i++) {
        const uint64_t before_ns = np_now();
        const int64_t wall_ns = np_now_unix();
        const uint64_t between_ns = np_now() - before_ns;
        if (between_ns >= closest_ns)
            continue;
        closest_ns = between_ns;
        offset_ns = wall_ns - (int64_t)(before_ns + between_ns / 2);
    }
    return offset_ns;
}

/* The stamp is wall time; the offset is read now, as close to the stamp as we get. A stamp of the
 * future means that the wall clock was set in between: then there is none. */
static uint64_t to_monotonic(const struct timespec *stamp)
{
    const int64_t wall_ns = (int64_t)stamp->tv_sec * NP_NS_PER_S + (int64_t)stamp->tv_nsec;
    const int64_t stamp_ns = wall_ns - wall_offset();
    return stamp_ns <= 0 || (uint64_t)stamp_ns > np_now() ? 0 : (uint64_t)stamp_ns;
}

/* Where the bytes of a peek would go that are cut off instead. The kernel writes nothing there, but
   it checks, and so do the tools that watch a program's memory, that there is room for them all. */
enum { NOWHERE_BYTES = 65536, NOWHERE_PARTS = 64 };
static char nowhere[NOWHERE_BYTES];

/* So many bytes, in parts that lie all in one place; 0: more than fit. */
static size_t fill_parts(struct iovec *parts, size_t bytes)
{
    size_t count = 0;
    for (; bytes > 0 && count < NOWHERE_PARTS; count++) {
        const size_t length = bytes < NOWHERE_BYTES ? bytes : NOWHERE_BYTES;
        parts[count] = (struct iovec){.iov_base = nowhere, .iov_len = length};
        bytes -= length;
    }
    return bytes == 0 ? count : 0;
}

uint64_t np_kernel_time_of(int fd, np_kernel_byte which, uint64_t *queued)
{
    const bool to_last = which == NP_KERNEL_LAST_BYTE;
    /* On an empty queue recvmsg would take the socket's error, a reset, away from libcurl. */
    int bytes = 0;
    if (ioctl(fd, SIOCINQ, &bytes) != 0 || bytes <= 0)
        bytes = 0;
    if (queued)
        *queued = (uint64_t)bytes;
    if (bytes == 0)
        return 0;
    /* Cut off at once instead of copied (MSG_TRUNC), a TCP socket's queue can be walked to its end:
       the stamp is that of the last packet touched. */
    char byte;
    struct iovec parts[NOWHERE_PARTS];
    parts[0] = (struct iovec){.iov_base = &byte, .iov_len = 1};
    const size_t part_count = to_last ? fill_parts(parts, (size_t)bytes) : 1;
    union {
        char bytes[CMSG_SPACE(3 * sizeof(struct timespec))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = part_count,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    /* Not by the wrapper: the address sanitizer's takes the bytes cut off for bytes written. */
    if (part_count == 0 || syscall(SYS_recvmsg, fd, &message,
                                   MSG_PEEK | MSG_DONTWAIT | (to_last ? MSG_TRUNC : 0)) <= 0)
        return 0;
    uint64_t stamp_ns = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SO_TIMESTAMPING &&
            head->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(head), sizeof stamp);
            if (stamp.tv_sec)
                stamp_ns = to_monotonic(&stamp);
        }
    }
    return stamp_ns;
}

bool np_kernel_tcp(int fd, np_tcp_reading *out)
{
    struct tcp_info info = {0}; /* an older kernel fills less of it */
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false;
    *out = (np_tcp_reading){.rtt_us = info.tcpi_rtt,
                            .min_rtt_us = info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt,
                            .retransmits = info.tcpi_total_retrans,
                            .unacked = info.tcpi_unacked,
                            .unsent_bytes = info.tcpi_notsent_bytes,
                            .window = info.tcpi_snd_wnd,
                            .busy_us = info.tcpi_busy_time,
                            .receiver_limited_us = info.tcpi_rwnd_limited,
                            .buffer_limited_us = info.tcpi_sndbuf_limited,
                            .delivery_rate = info.tcpi_delivery_rate};
    return true;
}

uint8_t np_uncertainty(uint64_t ns)
{
    if (ns <= 1)
        return 0;
    const unsigned bits = 64 - (unsigned)__builtin_clzll(ns - 1); /* 2^bits >= ns */
    return (uint8_t)((bits + 1) / 2);
}
