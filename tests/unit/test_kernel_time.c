#include "kernel_time.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void connected_pair(int *client, int *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    const int room = 1 << 20; /* as much of it as is allowed */
    (void)setsockopt(*client, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    cr_assert_eq(connect(*client, (struct sockaddr *)&address, size), 0);
    *server = accept(listener, NULL, NULL);
    close(listener);
}

static void wait_for_bytes(int fd, uint64_t expected)
{
    uint64_t queued = 0;
    for (const uint64_t end_ns = np_now() + 10 * NP_NS_PER_S;
         queued < expected && np_now() < end_ns;)
        (void)np_kernel_time_of(fd, NP_KERNEL_FIRST_BYTE, &queued);
    cr_assert_eq(queued, expected);
}

Test(kernel_time, uncertainty_is_the_smallest_power_of_four_that_is_enough)
{
    cr_expect_eq(np_uncertainty(0), 0);
    cr_expect_eq(np_uncertainty(1), 0);
    for (unsigned u = 1; u < 31; u++) {
        const uint64_t power = UINT64_C(1) << 2 * u;
        cr_expect_eq(np_uncertainty(power), u);
        cr_expect_eq(np_uncertainty(power - 1), u, "%u", u);
        cr_expect_eq(np_uncertainty(power + 1), u + 1);
    }
}

/* The kernel begins to stamp a little later, when one of its threads gets to it: ten bytes again
   and again until they carry a stamp, which is returned. They stay in the queue. */
static uint64_t stamp_of_ten_bytes(int client, int server, np_kernel_byte which,
                                   uint64_t *before_ns)
{
    char got[16];
    uint64_t stamp_ns = 0, queued;
    for (const uint64_t end_ns = np_now() + 30 * NP_NS_PER_S; np_now() < end_ns;) {
        *before_ns = np_now();
        cr_assert_eq(send(server, "0123456789", 10, 0), 10);
        wait_for_bytes(client, 10);
        stamp_ns = np_kernel_time_of(client, which, &queued);
        cr_assert_eq(queued, 10);
        if (stamp_ns)
            break;
        cr_assert_eq(recv(client, got, sizeof got, 0), 10);
    }
    return stamp_ns;
}

/* Both stamps of one packet, and nothing is taken. false: this kernel stamps no packets. */
static bool look_at_arrivals(void)
{
    int client, server;
    char got[16];
    uint64_t queued, before_ns;
    const int anchor = np_kernel_time_open();
    connected_pair(&client, &server);
    if (anchor < 0 || !np_kernel_time_enable(client))
        return false;
    cr_expect_eq(np_kernel_time_of(client, NP_KERNEL_FIRST_BYTE, &queued), 0);
    cr_expect_eq(queued, 0);
    const uint64_t first_ns = stamp_of_ten_bytes(client, server, NP_KERNEL_FIRST_BYTE, &before_ns);
    cr_expect_geq(first_ns + NP_NS_PER_US, before_ns);
    cr_expect_leq(first_ns, np_now());
    const uint64_t last_ns = np_kernel_time_of(client, NP_KERNEL_LAST_BYTE, &queued);
    cr_expect_geq(last_ns + NP_NS_PER_US, first_ns, "the same packet's");
    cr_expect_leq(last_ns, first_ns + NP_NS_PER_US);
    cr_expect_eq(queued, 10);
    cr_expect_eq(recv(client, got, sizeof got, 0), 10, "it is still there");
    cr_expect_eq(memcmp(got, "0123456789", 10), 0);
    close(client);
    close(server);
    close(anchor);
    return true;
}

Test(kernel_time, arrivals_lie_between_send_and_look_and_nothing_is_taken)
{
    if (!look_at_arrivals())
        printf("SKIPPED: this kernel stamps no packets\n");
}

static void *look_from_thread(void *user)
{
    (void)user;
    (void)look_at_arrivals();
    return NULL;
}

/* A process's own stack lies there in one of eight runs (address randomisation). */
Test(kernel_time, arrivals_are_told_to_a_stack_at_the_top_of_the_address_space)
{
    enum { STACK_BYTES = 512 * 1024, BELOW_TOP = 64 * 1024 };
    pthread_attr_t attributes;
    pthread_t thread;
    const uintptr_t top = (UINT64_C(1) << 47) - 4096; /* of x86-64; elsewhere any place will do */
    void *stack = mmap((void *)(top - BELOW_TOP - STACK_BYTES), STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    cr_assert_neq(stack, MAP_FAILED);
    cr_assert_eq(pthread_attr_init(&attributes), 0);
    cr_assert_eq(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, look_from_thread, NULL), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    munmap(stack, STACK_BYTES);
}

/* More than one part of what a peek is made of. */
Test(kernel_time, the_last_of_many_bytes_has_a_stamp_of_its_own)
{
    enum { PIECE = 50000, PIECES = 3 };
    static char bytes[PIECE];
    int client, server;
    uint64_t before_ns = 0, queued;
    const int anchor = np_kernel_time_open();
    connected_pair(&client, &server);
    if (anchor < 0 || !np_kernel_time_enable(client)) {
        printf("SKIPPED: this kernel stamps no packets\n");
        return;
    }
    const uint64_t first_ns = stamp_of_ten_bytes(client, server, NP_KERNEL_FIRST_BYTE, &before_ns);
    for (int i = 0; i < PIECES; i++) {
        before_ns = np_now();
        cr_assert_eq(send(server, bytes, PIECE, 0), PIECE);
        wait_for_bytes(client, 10 + (uint64_t)(i + 1) * PIECE);
    }
    const uint64_t last_ns = np_kernel_time_of(client, NP_KERNEL_LAST_BYTE, &queued);
    cr_expect_eq(queued, 10 + PIECES * PIECE);
    cr_expect_gt(last_ns, first_ns);
    cr_expect_geq(last_ns + NP_NS_PER_US, before_ns, "the last piece was sent later");
    cr_expect_leq(last_ns, np_now());
    close(client);
    close(server);
    close(anchor);
}

Test(kernel_time, a_look_leaves_a_reset_for_whoever_reads)
{
    int client, server;
    uint64_t queued;
    char byte;
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    connected_pair(&client, &server);
    (void)np_kernel_time_enable(client);
    cr_assert_eq(setsockopt(server, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(server); /* a reset */
    cr_expect_eq(np_kernel_time_of(client, NP_KERNEL_FIRST_BYTE, &queued), 0);
    cr_expect_eq(np_kernel_time_of(client, NP_KERNEL_LAST_BYTE, &queued), 0);
    cr_expect_eq(recv(client, &byte, 1, 0), -1);
    cr_expect_eq(errno, ECONNRESET);
    close(client);
}
