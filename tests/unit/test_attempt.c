/* One connect attempt; and the property of Linux on which the hand-over to libcurl 7.88 stands. */
#include "attempt.h"
#include "clock.h"
#include "dial_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static np_address address_of(int listener)
{
    np_address address;
    socklen_t size = sizeof address;
    getsockname(listener, &address.any, &size);
    return address;
}

/* Should this ever fail, the kernel or the sandbox differs, and libcurl 7.88 cannot be given
 * connected sockets. */
Test(attempt, the_second_connect_answers_0_and_the_third_eisconn)
{
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    const np_address address = address_of(listener);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error_number = -1;
    socklen_t size = sizeof error_number;

    cr_assert_eq(connect(fd, &address.any, sizeof address.v4), -1);
    cr_assert_eq(errno, EINPROGRESS);
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    cr_assert_eq(poll(&poll_fd, 1, 20000), 1);
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size), 0);
    cr_assert_eq(error_number, 0);

    cr_assert_eq(connect(fd, &address.any, sizeof address.v4), 0);
    cr_assert_eq(connect(fd, &address.any, sizeof address.v4), -1);
    cr_assert_eq(errno, EISCONN);
    close(fd);
    close(listener);
}

static int connects;
static int zeros; /* how many of them answer 0 at once */

/* A connect that has finished before it returns: the socket is connected in blocking mode. */
static int eager_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (connects++ >= zeros)
        return connect(fd, address, size);
    const int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    const int rc = connect(fd, address, size);
    (void)fcntl(fd, F_SETFL, flags);
    return rc;
}

struct
try {
    np_loop *loop;
    np_attempt_spec spec;
    np_attempt *attempt;
    np_attempt_status status;
    int fd, error_number;
    np_stamp since;
    uint64_t before_ns, after_ns; /* around np_attempt_start */
    bool is_called;
    np_loop_task task;
    sem_t done;
};

static void on_end(np_attempt *attempt, int error_number, int fd, uint64_t now_ns, void *user)
{
    struct try *t = user;
    (void)attempt;
    (void)now_ns;
    t->is_called = true;
    t->error_number = error_number;
    t->fd = fd;
    sem_post(&t->done);
}

static void run_start(np_loop_task *task)
{
    struct try *t = (struct try *)(void *)((char *)task - offsetof(struct try, task));
    np_attempt_outcome outcome;
    t->before_ns = np_now();
    t->status = np_attempt_start(t->loop, &t->spec, on_end, t, &t->attempt, &outcome);
    t->after_ns = np_now();
    if (t->status == NP_ATTEMPT_RUNNING)
        return;
    t->fd = outcome.fd;
    t->error_number = outcome.error_number;
    t->since = outcome.since;
    sem_post(&t->done);
}

static void run_try(struct try *t, const np_address *address)
{
    np_error err;
    sem_init(&t->done, 0, 0);
    t->fd = -1;
    t->spec.address = *address;
    t->task.run = run_start;
    cr_assert_eq(np_loop_create(&t->loop, &err), NP_OK);
    np_loop_post(t->loop, &t->task);
    cr_assert_eq(np_loop_start(t->loop, &err), NP_OK);
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    cr_assert_eq(sem_timedwait(&t->done, &deadline), 0);
    np_loop_stop(t->loop);
    np_loop_free(t->loop);
}

static int second_connect(int fd, const np_address *address)
{
    return connect(fd, &address->any, np_address_size(address)) == 0 ? 0 : errno;
}

Test(attempt, a_socket_that_connects_at_once_is_replaced)
{
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    const np_address address = address_of(listener);
    const int before = count_descriptors();
    struct try t = {.spec.connect = eager_connect};
    zeros = 1;

    run_try(&t, &address);

    cr_assert_neq(t.status, NP_ATTEMPT_UNCONNECTED);
    cr_assert_eq(connects, 2);
    cr_assert_eq(t.error_number, 0);
    cr_assert_eq(second_connect(t.fd, &address), 0);
    close(t.fd);
    cr_assert_eq(count_descriptors(), before);
    close(listener);
}

Test(attempt, when_that_one_does_too_the_caller_gets_one_that_is_not_connected)
{
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    const np_address address = address_of(listener);
    const int before = count_descriptors();
    struct try t = {.spec.connect = eager_connect};
    zeros = 2;

    run_try(&t, &address);

    np_address peer;
    socklen_t size = sizeof peer;
    cr_assert_eq(t.status, NP_ATTEMPT_UNCONNECTED);
    cr_assert_not(t.is_called);
    cr_assert_eq(getpeername(t.fd, &peer.any, &size), -1);
    cr_assert_eq(second_connect(t.fd, &address), EINPROGRESS);
    close(t.fd);
    cr_assert_eq(count_descriptors(), before);
    close(listener);
}

/* A connect of the kernel's own speed, but the answer is there when it returns. */
static int patient_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const int rc = connect(fd, address, size);
    const int error_number = errno;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    (void)poll(&poll_fd, 1, 20000);
    errno = error_number;
    return rc;
}

Test(attempt, an_answer_that_is_there_when_connect_returns_is_told_at_once)
{
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    const np_address address = address_of(listener);
    struct try t = {.spec.connect = patient_connect};

    run_try(&t, &address);

    cr_assert_eq(t.status, NP_ATTEMPT_CONNECTED);
    cr_assert_not(t.is_called);
    cr_assert_eq(t.error_number, 0);
    cr_assert_geq(t.since.ns, t.before_ns);
    cr_assert_leq(t.since.ns, t.after_ns);
    cr_assert_eq(second_connect(t.fd, &address), 0, "nobody has asked for it again");
    close(t.fd);
    close(listener);

    struct try refused = {.spec.connect = patient_connect};
    run_try(&refused, &address);
    cr_assert_eq(refused.status, NP_ATTEMPT_FAILED);
    cr_assert_not(refused.is_called);
    cr_assert_eq(refused.error_number, ECONNREFUSED);
    cr_assert_eq(refused.fd, -1);
}

static int full_listener;

/* The SYN finds the listener's queue full, and the one sent again a second later does not. */
static int late_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const int rc = connect(fd, address, size);
    const int error_number = errno;
    (void)listen(full_listener, 16);
    errno = error_number;
    return rc;
}

Test(attempt, an_answer_that_comes_later_is_told_by_the_loop)
{
    uint16_t port = 0;
    full_listener = listener_open("127.0.0.1", &port);
    const np_address address = address_of(full_listener);
    struct try t = {.spec.connect = late_connect};
    int fillers[8];
    size_t count = 0;
    cr_assert_eq(listen(full_listener, 0), 0);
    for (int is_taken = 1; is_taken == 1; count++) {
        cr_assert_lt(count, sizeof fillers / sizeof fillers[0]);
        fillers[count] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[count], &address.any, sizeof address.v4);
        struct pollfd poll_fd = {.fd = fillers[count], .events = POLLOUT};
        is_taken = poll(&poll_fd, 1, 200);
    }

    run_try(&t, &address);

    cr_assert_eq(t.status, NP_ATTEMPT_RUNNING);
    cr_assert(t.is_called);
    cr_assert_eq(t.error_number, 0);
    cr_assert_eq(second_connect(t.fd, &address), 0);
    for (size_t i = 0; i < count; i++)
        close(fillers[i]);
    close(t.fd);
    close(full_listener);
}

Test(attempt, a_refusal_closes_the_socket)
{
    np_address address;
    const int before = count_descriptors();
    struct try t = {0};
    cr_assert(np_address_parse("127.0.0.1", 9, &address));
    np_address_set_port(&address, closed_port());

    run_try(&t, &address);

    cr_assert_eq(t.error_number, ECONNREFUSED);
    cr_assert_eq(t.fd, -1);
    cr_assert_eq(count_descriptors(), before);
}
