/*
 * A server that says exactly what a test wants, and misbehaves on purpose. Each connection follows
 * a script: for every request head that arrives it sends the next reply, and after the last one it
 * does what `end` says.
 */
#ifndef NP_TESTS_RAW_SERVER_H
#define NP_TESTS_RAW_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum raw_end {
    RAW_CLOSE,            /* right after the last reply */
    RAW_CLOSE_ON_REQUEST, /* when another request head has arrived, without a byte */
    RAW_RESET_ON_REQUEST,
    RAW_HANG, /* reads on and says nothing */
    RAW_FLOOD, /* sends chunks of one byte as long as they are taken */
    RAW_DEAF  /* does not even read: for scripts without a reply */
};

struct raw_script {
    const char *reply[4]; /* up to the first NULL */
    enum raw_end end;
};

enum { RAW_CONNECTIONS = 64 };

struct raw_server {
    uint16_t port;
    int fd;
    const struct raw_script *scripts; /* the last one serves all further connections */
    int script_count;
    pthread_t acceptor;
    pthread_mutex_t mutex;
    int connection_fd[RAW_CONNECTIONS];
    pthread_t connection_thread[RAW_CONNECTIONS];
    int connection_count;
};

bool raw_server_start(struct raw_server *server, const struct raw_script *scripts,
                      int script_count);
void raw_server_stop(struct raw_server *server);

/* A port on which a connect neither succeeds nor fails: the queue of its listener is full. */
struct raw_blackhole {
    uint16_t port;
    int fd, filler[8];
};
bool raw_blackhole_open(struct raw_blackhole *hole);
/* The same in two steps: a listener of which one connection can be accepted first. */
bool raw_blackhole_listen(struct raw_blackhole *hole);
bool raw_blackhole_fill(struct raw_blackhole *hole);
void raw_blackhole_close(struct raw_blackhole *hole);
/* A port on which nobody listens. */
uint16_t raw_free_port(void);

#endif
