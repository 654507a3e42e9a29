/* See sockets.h. A port is tried first as it is known; where that is not allowed or taken, any free
 * one is. */
#include "sockets.h"

#include "fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESS_TRIES = 50, WELL_KNOWN_TRIES = 10, DNS_PORT = 53, HTTP_PORT = 80, HTTPS_PORT = 443 };

void sockets_init(struct sockets *sockets)
{
    *sockets = (struct sockets){
        .dns_udp_fd = -1, .dns_tcp_fd = -1, .https_fd = -1, .http_fd = -1, .refused_fd = {-1, -1}
    };
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void sockets_close(struct sockets *sockets)
{
    close_one(&sockets->dns_udp_fd);
    close_one(&sockets->dns_tcp_fd);
    close_one(&sockets->https_fd);
    close_one(&sockets->http_fd);
    close_one(&sockets->refused_fd[0]);
    close_one(&sockets->refused_fd[1]);
}

/* Binds a socket of `type`; *port 0 means any, and is then filled in. Returns it or -1 with errno.
 */
static int bind_socket(int type, struct in_addr address, uint16_t *port)
{
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* A lab before us may have left connections in TIME_WAIT on this address. UDP must not be
     * shared. */
    int on = type == SOCK_STREAM;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr = address};
    socklen_t length = sizeof name;
    if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &length) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    *port = ntohs(name.sin_port);
    return fd;
}

static int listen_socket(struct in_addr address, uint16_t *port)
{
    int fd = bind_socket(SOCK_STREAM, address, port);
    if (fd >= 0 && listen(fd, 1024) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

/* The well-known port, or any. */
static int listen_somewhere(struct in_addr address, uint16_t known, bool known_only, uint16_t *port)
{
    *port = known;
    int fd = listen_socket(address, port);
    if (fd >= 0 || (known_only && errno == EADDRINUSE))
        return fd;
    *port = 0;
    return listen_socket(address, port);
}

static bool open_dns_on(struct sockets *sockets, uint16_t port)
{
    sockets->dns_port = port;
    sockets->dns_udp_fd = bind_socket(SOCK_DGRAM, sockets->address, &sockets->dns_port);
    if (sockets->dns_udp_fd < 0)
        return false;
    sockets->dns_tcp_fd = listen_socket(sockets->address, &sockets->dns_port);
    if (sockets->dns_tcp_fd >= 0)
        return true;
    int code = errno;
    close_one(&sockets->dns_udp_fd);
    errno = code;
    return false;
}

static bool open_dns(struct sockets *sockets, bool known_only)
{
    if (open_dns_on(sockets, DNS_PORT))
        return true;
    return !(known_only && errno == EADDRINUSE) && open_dns_on(sockets, 0);
}

/* Binds all on the chosen address. False: something is taken there; errno says why. */
static bool open_all(struct sockets *sockets, bool known_only)
{
    if (!open_dns(sockets, known_only))
        return false;
    sockets->https_fd =
        listen_somewhere(sockets->address, HTTPS_PORT, known_only, &sockets->https_port);
    sockets->http_fd =
        listen_somewhere(sockets->address, HTTP_PORT, known_only, &sockets->http_port);
    sockets->refused_fd[0] = bind_socket(SOCK_STREAM, sockets->refused, &sockets->https_port);
    sockets->refused_fd[1] = bind_socket(SOCK_STREAM, sockets->refused, &sockets->http_port);
    return sockets->https_fd >= 0 && sockets->http_fd >= 0 && sockets->refused_fd[0] >= 0 &&
           sockets->refused_fd[1] >= 0;
}

/* 127.x.y.z with x ≥ 1: the machine's own services live in 127.0.0.0/16 (127.0.0.53, 127.0.1.1). z
 * leaves room for the address behind it. */
static struct in_addr random_address(void)
{
    uint8_t bytes[3] = {0};
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        bytes[1] =
            (uint8_t)getpid(); /* early at boot; the next one differs, and binding checks it */
    uint32_t address = UINT32_C(127) << 24 | (1U + bytes[0] % 254U) << 16 |
                       (uint32_t)bytes[1] << 8 | (1U + bytes[2] % 252U);
    return (struct in_addr){.s_addr = htonl(address)};
}

np_status sockets_open(struct sockets *out, np_error *err)
{
    int code = 0;
    for (int try = 0; try < ADDRESS_TRIES; try++) {
        sockets_init(out);
        out->address = random_address();
        out->refused.s_addr = htonl(ntohl(out->address.s_addr) + 1);
        /* A server that listens on all addresses takes a well-known port everywhere: then a free
         * one has to do. */
        if (open_all(out, try < WELL_KNOWN_TRIES))
            return NP_OK;
        code = errno;
        sockets_close(out);
    }
    return lab_fail_os(err, NP_E_IO, code, "no address on loopback is free for the lab");
}
