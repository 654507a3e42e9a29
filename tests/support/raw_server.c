#include "raw_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct seat {
    struct raw_server *server;
    const struct raw_script *script;
    int fd;
};

static int listen_on(uint16_t *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0 || listen(fd, backlog) != 0)
        return -1;
    *port = ntohs(address.sin_port);
    return fd;
}

/* Reads up to the end of one request head; false: the client is gone. */
static bool read_head(int fd)
{
    char last[4] = "";
    char c;
    while (recv(fd, &c, 1, 0) == 1) {
        memmove(last, last + 1, 3);
        last[3] = c;
        if (memcmp(last, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static void wait_for_client_to_go(int fd)
{
    char trash[512];
    while (recv(fd, trash, sizeof trash, 0) > 0) {
    }
}

static void flood(int fd)
{
    char chunks[6 * 1000 + 1];
    for (size_t i = 0; i < 1000; i++)
        memcpy(chunks + 6 * i, "1\r\na\r\n", 7);
    while (send(fd, chunks, sizeof chunks - 1, MSG_NOSIGNAL) > 0) {
    }
}

static void *serve(void *argument)
{
    struct seat *seat = argument;
    const int fd = seat->fd;
    bool good = true;
    for (int i = 0; good && i < 4 && seat->script->reply[i]; i++) {
        const char *reply = seat->script->reply[i];
        good =
            read_head(fd) && send(fd, reply, strlen(reply), MSG_NOSIGNAL) == (ssize_t)strlen(reply);
    }
    const enum raw_end end = seat->script->end;
    if (good && (end == RAW_CLOSE_ON_REQUEST || end == RAW_RESET_ON_REQUEST))
        good = read_head(fd);
    if (good && end == RAW_RESET_ON_REQUEST)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    if (good && end == RAW_HANG)
        wait_for_client_to_go(fd);
    if (good && end == RAW_FLOOD)
        flood(fd);
    if (good && end == RAW_DEAF) {
        struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
        (void)poll(&gone, 1, 60000);
    }
    pthread_mutex_lock(&seat->server->mutex);
    for (int i = 0; i < seat->server->connection_count; i++) {
        if (seat->server->connection_fd[i] == fd)
            seat->server->connection_fd[i] = -1;
    }
    close(fd);
    pthread_mutex_unlock(&seat->server->mutex);
    free(seat);
    return NULL;
}

static void *accept_all(void *argument)
{
    struct raw_server *server = argument;
    for (int i = 0; i < RAW_CONNECTIONS; i++) {
        const int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break;
        struct seat *seat = malloc(sizeof *seat);
        const int which = i < server->script_count ? i : server->script_count - 1;
        *seat = (struct seat){server, &server->scripts[which], fd};
        pthread_mutex_lock(&server->mutex);
        server->connection_fd[i] = fd;
        server->connection_count = i + 1;
        pthread_create(&server->connection_thread[i], NULL, serve, seat);
        pthread_mutex_unlock(&server->mutex);
    }
    return NULL;
}

bool raw_server_start(struct raw_server *server, const struct raw_script *scripts, int script_count)
{
    memset(server, 0, sizeof *server);
    pthread_mutex_init(&server->mutex, NULL);
    server->scripts = scripts;
    server->script_count = script_count;
    server->fd = listen_on(&server->port, 64);
    return server->fd >= 0 && pthread_create(&server->acceptor, NULL, accept_all, server) == 0;
}

void raw_server_stop(struct raw_server *server)
{
    (void)shutdown(server->fd, SHUT_RDWR); /* ends accept */
    pthread_join(server->acceptor, NULL);
    close(server->fd);
    pthread_mutex_lock(&server->mutex);
    for (int i = 0; i < server->connection_count; i++) {
        if (server->connection_fd[i] >= 0)
            (void)shutdown(server->connection_fd[i], SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->mutex);
    for (int i = 0; i < server->connection_count; i++)
        pthread_join(server->connection_thread[i], NULL);
    pthread_mutex_destroy(&server->mutex);
}

bool raw_blackhole_listen(struct raw_blackhole *hole)
{
    hole->fd = listen_on(&hole->port, 0);
    for (int i = 0; i < 8; i++)
        hole->filler[i] = -1;
    return hole->fd >= 0;
}

bool raw_blackhole_fill(struct raw_blackhole *hole)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(hole->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 8; i++) {
        hole->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(hole->filler[i], (const struct sockaddr *)&address, sizeof address);
    }
    /* The last one must still be on its way. */
    struct pollfd last = {.fd = hole->filler[7], .events = POLLOUT};
    return poll(&last, 1, 50) == 0;
}

bool raw_blackhole_open(struct raw_blackhole *hole)
{
    return raw_blackhole_listen(hole) && raw_blackhole_fill(hole);
}

void raw_blackhole_close(struct raw_blackhole *hole)
{
    for (int i = 0; i < 8; i++) {
        if (hole->filler[i] >= 0)
            close(hole->filler[i]);
    }
    close(hole->fd);
}

uint16_t raw_free_port(void)
{
    uint16_t port = 0;
    close(listen_on(&port, 1));
    return port;
}
