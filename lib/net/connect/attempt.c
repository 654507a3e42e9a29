/* One attempt of the race. Floor 2; loop thread only. */
#include "attempt.h"

#include "clock.h"
#include "tcp_sample.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct np_attempt {
    np_loop *loop;
    np_attempt_spec spec;
    int fd;
    np_loop_watch *watch;
    uint32_t span;
    uint64_t call_ns, called_ns; /* around connect() */
    np_stamp connected;
    np_attempt_fn fn;
    void *user;
};

static np_span_outcome outcome_of(int error_number)
{
    switch (error_number) {
    case 0:
        return NP_SPAN_OK;
    case ECONNREFUSED:
        return NP_SPAN_REFUSED;
    case ETIMEDOUT:
        return NP_SPAN_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ENETDOWN:
    case EHOSTDOWN:
        return NP_SPAN_UNREACHABLE;
    default:
        return NP_SPAN_FAILED;
    }
}

static bool is_traced(const np_attempt *attempt)
{
    return attempt->spec.seat.producer && attempt->spec.seat.request != 0;
}

static void span_begin(np_attempt *attempt, uint64_t now_ns)
{
    const np_span_seat *seat = &attempt->spec.seat;
    char name[NP_ADDRESS_TEXT];
    if (!is_traced(attempt))
        return;
    attempt->span = np_emit_span_begin(seat->producer, now_ns, seat->request, seat->connection,
                                       NP_PHASE_CONNECT, NP_SPAN_ATTEMPT, seat->parent,
                                       np_address_text(&attempt->spec.address, name));
}

static void span_end(np_attempt *attempt, uint64_t now_ns, np_span_outcome outcome,
                     const char *detail)
{
    np_emit_span_end(attempt->spec.seat.producer, now_ns, attempt->spec.seat.request, attempt->span,
                     outcome, detail);
    attempt->span = 0;
}

static void span_end_error(np_attempt *attempt, uint64_t now_ns, int error_number)
{
    char detail[64] = "";
    const char *name = error_number ? strerrorname_np(error_number) : NULL;
    if (name)
        (void)snprintf(detail, sizeof detail, "{\"errno\":\"%s\"}", name);
    else if (error_number)
        (void)snprintf(detail, sizeof detail, "{\"errno\":\"%d\"}", error_number);
    span_end(attempt, now_ns, outcome_of(error_number), detail[0] ? detail : NULL);
}

/* -1: errno says why. */
static int open_socket(const np_address *address)
{
    const int fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    const int on = 1;
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* without it only slower */
    return fd;
}

static int call_connect(const np_attempt *attempt, int fd)
{
    const np_address *address = &attempt->spec.address;
    const socklen_t size = np_address_size(address);
    return attempt->spec.connect ? attempt->spec.connect(fd, &address->any, size)
                                 : connect(fd, &address->any, size);
}

/* The result of the connect() that is under way, without calling it again. */
static int connect_result(int fd, unsigned ready)
{
    int error_number = 0;
    socklen_t size = sizeof error_number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
        return errno;
    if (error_number != 0 || !(ready & NP_LOOP_ERROR))
        return error_number;
    np_address peer; /* an error was signalled, and somebody has read it: is it connected? */
    size = sizeof peer;
    return getpeername(fd, &peer.any, &size) == 0 ? 0 : ENOTCONN;
}

/*
 * When the SYN-ACK came. TCP's only sample of the round trip so far is that of the SYN, in us, and
 * the SYN was sent inside connect(): the answer came between the call plus the round trip and the
 * return plus the round trip. Where in between: 400 connects each were watched by a capture. The
 * SYN leaves when 70 % of the call are over; but where the peer is on the same machine the kernel
 * runs it, and takes its answer, before connect() returns, and a fifth to a third of what is left
 * beside the round trip lies before the answer. A SYN that was sent twice gives no such sample.
 */
static void find_connected(np_attempt *attempt, int fd, bool at_once, uint64_t now_ns)
{
    const np_span_seat *seat = &attempt->spec.seat;
    np_tcp_reading tcp;
    attempt->connected = (np_stamp){.ns = now_ns, .source = NP_SOURCE_SYSCALL};
    if (!attempt->spec.ask_kernel || !is_traced(attempt) || !np_kernel_tcp(fd, &tcp))
        return;
    np_tcp_sample_emit(seat->producer, seat->request, seat->connection, NP_PHASE_CONNECT, now_ns,
                       &tcp);
    const uint64_t round_ns = (uint64_t)tcp.rtt_us * NP_NS_PER_US;
    const uint64_t first_ns = attempt->call_ns + round_ns;
    const uint64_t last_ns = at_once ? attempt->called_ns : attempt->called_ns + round_ns;
    if (tcp.rtt_us == 0 || tcp.retransmits > 0 || first_ns > last_ns)
        return;
    const uint64_t quarter_ns = (last_ns - first_ns) / 4;
    const uint64_t at_ns = first_ns + (at_once ? quarter_ns : 3 * quarter_ns);
    if (at_ns > now_ns)
        return;
    attempt->connected = (np_stamp){.ns = at_ns,
                                    .source = NP_SOURCE_KERNEL,
                                    .uncertainty = np_uncertainty(3 * quarter_ns + NP_NS_PER_US)};
}

/* Ends a socket whose poll says `ready`; at_once: right behind connect(). */
static int settle(np_attempt *attempt, int fd, unsigned ready, bool at_once, uint64_t now_ns)
{
    const int error_number = connect_result(fd, ready);
    if (error_number == 0)
        find_connected(attempt, fd, at_once, now_ns);
    span_end_error(attempt, error_number == 0 ? attempt->connected.ns : now_ns, error_number);
    if (error_number != 0)
        close(fd);
    return error_number;
}

static void on_ready(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    np_attempt *attempt = user;
    const int error_number = settle(attempt, fd, ready, false, now_ns);
    np_loop_watch_stop(attempt->watch);
    const np_attempt_fn fn = attempt->fn;
    void *owner = attempt->user;
    fn(attempt, error_number, error_number ? -1 : fd, now_ns, owner);
    free(attempt);
}

static np_attempt_status fail_at_once(np_attempt *attempt, int failure, np_attempt_outcome *outcome)
{
    span_end_error(attempt, np_now(), failure);
    if (attempt->fd >= 0)
        close(attempt->fd);
    free(attempt);
    outcome->error_number = failure;
    return NP_ATTEMPT_FAILED;
}

/* What poll says of a socket whose connect() has just returned; 0: it goes on. */
static unsigned ready_at_once(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    if (poll(&poll_fd, 1, 0) != 1)
        return 0;
    const bool failed = poll_fd.revents & (POLLERR | POLLHUP | POLLNVAL);
    return NP_LOOP_WRITE | (failed ? (unsigned)NP_LOOP_ERROR : 0);
}

static np_attempt_status settle_at_once(np_attempt *attempt, unsigned ready,
                                        np_attempt_outcome *outcome)
{
    const uint64_t now_ns = np_now();
    outcome->error_number = settle(attempt, attempt->fd, ready, true, now_ns);
    if (outcome->error_number == 0) {
        outcome->fd = attempt->fd;
        outcome->since = attempt->connected;
    }
    free(attempt);
    return outcome->error_number ? NP_ATTEMPT_FAILED : NP_ATTEMPT_CONNECTED;
}

static np_attempt_status hand_over_unconnected(np_attempt *attempt, np_attempt_outcome *outcome)
{
    outcome->fd = open_socket(&attempt->spec.address);
    if (outcome->fd < 0)
        return fail_at_once(attempt, errno, outcome);
    span_end(attempt, np_now(), NP_SPAN_OK, "{\"source\":\"curl\"}");
    free(attempt);
    return NP_ATTEMPT_UNCONNECTED;
}

/* Makes the socket and calls connect() on it: 0, or errno. */
static int connect_once(np_attempt *attempt, bool is_first)
{
    attempt->fd = open_socket(&attempt->spec.address);
    const int open_error = attempt->fd < 0 ? errno : 0;
    const uint64_t now_ns = np_now();
    if (is_first && attempt->spec.begins_phase && open_error == 0 && is_traced(attempt))
        np_emit_phase_begin(attempt->spec.seat.producer, now_ns, attempt->spec.seat.request,
                            NP_PHASE_CONNECT, NP_SOURCE_SYSCALL);
    if (is_first)
        span_begin(attempt, now_ns);
    if (open_error != 0)
        return open_error;
    attempt->call_ns = is_traced(attempt) ? np_now() : now_ns;
    const int failure = call_connect(attempt, attempt->fd) == 0 ? 0 : errno;
    attempt->called_ns = is_traced(attempt) ? np_now() : now_ns;
    return failure;
}

np_attempt_status np_attempt_start(np_loop *loop, const np_attempt_spec *spec, np_attempt_fn fn,
                                   void *user, np_attempt **out, np_attempt_outcome *outcome)
{
    *out = NULL;
    *outcome = (np_attempt_outcome){.error_number = ENOMEM, .fd = -1};
    np_attempt *attempt = calloc(1, sizeof *attempt);
    if (!attempt)
        return NP_ATTEMPT_FAILED;
    outcome->error_number = 0;
    *attempt = (np_attempt){.loop = loop, .spec = *spec, .fd = -1, .fn = fn, .user = user};
    int rc = connect_once(attempt, true);
    if (rc == 0) {
        close(attempt->fd);
        rc = connect_once(attempt, false);
    }
    if (rc == 0) {
        close(attempt->fd);
        attempt->fd = -1;
        return hand_over_unconnected(attempt, outcome);
    }
    if (rc != EINPROGRESS)
        return fail_at_once(attempt, rc, outcome);
    const unsigned ready = ready_at_once(attempt->fd);
    if (ready)
        return settle_at_once(attempt, ready, outcome);
    attempt->watch = np_loop_watch_start(loop, attempt->fd, NP_LOOP_WRITE, on_ready, attempt);
    if (!attempt->watch)
        return fail_at_once(attempt, ENOMEM, outcome);
    *out = attempt;
    return NP_ATTEMPT_RUNNING;
}

void np_attempt_cancel(np_attempt *attempt, uint64_t now_ns)
{
    span_end(attempt, now_ns, NP_SPAN_ABANDONED, NULL);
    np_loop_watch_stop(attempt->watch);
    close(attempt->fd);
    free(attempt);
}

void np_attempt_disown(np_attempt *attempt, uint64_t now_ns)
{
    span_end(attempt, now_ns, NP_SPAN_ABANDONED, NULL);
    attempt->spec.seat.request = 0;
}

np_stamp np_attempt_connected(const np_attempt *attempt)
{
    return attempt->connected;
}

const np_address *np_attempt_address(const np_attempt *attempt)
{
    return &attempt->spec.address;
}
