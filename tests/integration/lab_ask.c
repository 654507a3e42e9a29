/*
 * Asks the lab's DNS server through c-ares, a reader of DNS that is not ours.
 *
 *   lab_ask [--tcp] [--edns] [--garbage] NAME A|AAAA
 *
 * prints "ok ADDRESS ttl SECONDS" or what c-ares says. --garbage sends nonsense first: the server
 * has to live on.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int wanted_type;

static void print_a(const unsigned char *answer, int length)
{
    struct ares_addrttl addresses[8];
    int count = 8;
    if (ares_parse_a_reply(answer, length, NULL, addresses, &count) != ARES_SUCCESS)
        count = 0;
    for (int i = 0; i < count; i++)
        printf(" %s ttl %d", inet_ntoa(addresses[i].ipaddr), addresses[i].ttl);
}

static void on_answer(void *user, int status, int timeouts, unsigned char *answer, int length)
{
    (void)user;
    (void)timeouts;
    printf("%s", status == ARES_SUCCESS ? "ok" : ares_strerror(status));
    if (status == ARES_SUCCESS && wanted_type == 1)
        print_a(answer, length);
    printf("\n");
}

static void send_garbage(const char *server)
{
    char address[64] = "";
    unsigned port = 0;
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (sscanf(server, "%63[0-9.]:%u", address, &port) != 2)
        return;
    to.sin_port = htons((uint16_t)port);
    (void)inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned char bytes[600];
    unsigned state = 1;
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)((state = state * 1103515245U + 12345U) >> 16);
        if (round % 2)
            memcpy(bytes, "\1\2\1\0\0\1\0\0\0\0\0\0", 12);
        (void)!sendto(fd, bytes, (size_t)round % sizeof bytes, 0, (struct sockaddr *)&to,
                      sizeof to);
    }
    close(fd);
}

static void run(ares_channel channel)
{
    for (;;) {
        fd_set read_fds, write_fds;
        struct timeval limit;
        FD_ZERO(&read_fds);
        FD_ZERO(&write_fds);
        int count = ares_fds(channel, &read_fds, &write_fds);
        if (count == 0)
            return;
        (void)select(count, &read_fds, &write_fds, NULL, ares_timeout(channel, NULL, &limit));
        ares_process(channel, &read_fds, &write_fds);
    }
}

int main(int argc, char **argv)
{
    const char *server = getenv("NETPHASE_DNS_SERVER");
    struct ares_options options = {.timeout = 300,
                                   .tries = 3,
                                   .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
                                            ARES_FLAG_NOCHECKRESP};
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--tcp") == 0)
            options.flags |= ARES_FLAG_USEVC;
        else if (strcmp(argv[at], "--edns") == 0)
            options.flags |= ARES_FLAG_EDNS;
        else if (server)
            send_garbage(server);
    }
    ares_channel channel;
    if (!server || argc - at != 2 || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS) != ARES_SUCCESS ||
        ares_set_servers_ports_csv(channel, server) != ARES_SUCCESS) {
        (void)fprintf(stderr,
                      "lab_ask [--tcp] [--edns] [--garbage] NAME A|AAAA, in netphase lab\n");
        return 2;
    }
    wanted_type = strcmp(argv[at + 1], "AAAA") == 0 ? 28 : 1;
    ares_query(channel, argv[at], 1, wanted_type, on_answer, NULL);
    run(channel);
    ares_destroy(channel);
    ares_library_cleanup();
    return 0;
}
