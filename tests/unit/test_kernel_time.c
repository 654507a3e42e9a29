#include "kernel_time.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void connected_pair(int *client, int *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    *client = socket(AF_INET, SOCK_STREAM, 0);
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

Test(kernel_time, arrivals_lie_between_send_and_look_and_nothing_is_taken)
{
    int client, server;
    char got[16];
    uint64_t queued;
    const int anchor = np_kernel_time_open();
    connected_pair(&client, &server);
    if (anchor < 0 || !np_kernel_time_enable(client)) {
        printf("SKIPPED: this kernel stamps no packets\n");
        return;
    }
    cr_expect_eq(np_kernel_time_of(client, NP_KERNEL_FIRST_BYTE, &queued), 0);
    cr_expect_eq(queued, 0);
    uint64_t stamp_ns = 0, before_ns = 0;
    /* The kernel begins to stamp a little later, when one of its threads gets to it. */
    for (const uint64_t end_ns = np_now() + 10 * NP_NS_PER_S; stamp_ns == 0 && np_now() < end_ns;) {
        before_ns = np_now();
        cr_assert_eq(send(server, "0123456789", 10, 0), 10);
        wait_for_bytes(client, 10);
        stamp_ns = np_kernel_time_of(client, NP_KERNEL_LAST_BYTE, &queued);
        cr_assert_eq(recv(client, got, sizeof got, 0), 10, "it is still there");
    }
    cr_expect_eq(queued, 10);
    if (stamp_ns == 0) /* seen where other programs turn stamps on and off: then others tell */
        printf("no packet was stamped within 2 s\n");
    else
        cr_expect_geq(stamp_ns + NP_NS_PER_US, before_ns);
    cr_expect_leq(stamp_ns, np_now());
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
