/*
 * What np_request_begin_get_response costs its caller while the resolver never answers: processor
 * time of the calling thread, and wall time against the least any hand-over to another thread
 * takes, a lock and a write to an eventfd that the thread waits for. Interleaved rounds; in each
 * the 99.9th percentile.
 */
#include "bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netphase/request.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 15, CALLS = 2000, HOSTS = 20 };

struct cost {
    uint64_t cpu_ns[CALLS], wall_ns[CALLS];
};

/* A name server that takes questions and says nothing. */
static int silent_server(char *out, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        perror("bench_begin");
        exit(1);
    }
    snprintf(out, size, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

/* Between two calls, so that the other thread sleeps again and each call has to wake it. */
static void rest(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double at_us(uint64_t *values, double p)
{
    qsort(values, CALLS, sizeof *values, compare);
    return (double)values[(size_t)(p * (CALLS - 1))] / 1000;
}

/* --- begin --- */

static void measure_begin(np_context *context, struct cost *cost)
{
    static np_request *requests[CALLS];
    static np_async *results[CALLS];
    for (int i = 0; i < CALLS; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://host%d.test/", i % HOSTS);
        if (np_request_create(context, url, &requests[i], NULL) != NP_OK)
            exit(1);
    }
    for (int i = 0; i < CALLS; i++) {
        rest();
        const uint64_t cpu = bench_thread_cpu_ns(), wall = bench_now_ns();
        const np_status status =
            np_request_begin_get_response(requests[i], NULL, NULL, &results[i], NULL);
        cost->wall_ns[i] = bench_now_ns() - wall;
        cost->cpu_ns[i] = bench_thread_cpu_ns() - cpu;
        if (status != NP_OK)
            exit(1);
    }
    for (int i = 0; i < CALLS; i++) {
        np_request_release(requests[i]); /* an abort */
        np_async_release(results[i]);
    }
}

/* --- lock and wake-up --- */

struct bare {
    pthread_mutex_t lock;
    int fd;
    int posted; /* -1: the end */
};

static void *bare_thread(void *argument)
{
    struct bare *bare = argument;
    for (int posted = 0; posted >= 0;) {
        uint64_t count;
        if (read(bare->fd, &count, sizeof count) < 0 && errno != EINTR)
            break;
        pthread_mutex_lock(&bare->lock);
        posted = bare->posted;
        pthread_mutex_unlock(&bare->lock);
    }
    return NULL;
}

static void bare_post(struct bare *bare, int value)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&bare->lock);
    bare->posted = value;
    pthread_mutex_unlock(&bare->lock);
    if (write(bare->fd, &one, sizeof one) < 0)
        exit(1);
}

static void measure_bare(struct cost *cost)
{
    struct bare bare = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = eventfd(0, EFD_CLOEXEC)};
    pthread_t thread;
    if (pthread_create(&thread, NULL, bare_thread, &bare) != 0)
        exit(1);
    for (int i = 0; i < CALLS; i++) {
        rest();
        const uint64_t cpu = bench_thread_cpu_ns(), wall = bench_now_ns();
        bare_post(&bare, i);
        cost->wall_ns[i] = bench_now_ns() - wall;
        cost->cpu_ns[i] = bench_thread_cpu_ns() - cpu;
    }
    bare_post(&bare, -1);
    pthread_join(thread, NULL);
    close(bare.fd);
}

int main(void)
{
    static bench_series cpu_us, cpu_ratio, wall_ratio;
    static struct cost begin, bare;
    char server[32];
    np_error err = {0};
    np_context *context;
    const int fd = silent_server(server, sizeof server);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.dns_servers = server;
    if (np_context_create(&options, &context, &err) != NP_OK) {
        fprintf(stderr, "bench_begin: %s\n", err.text);
        return 1;
    }
    for (int i = 0; i < ROUNDS; i++) {
        measure_begin(context, &begin);
        measure_bare(&bare);
        bench_add(&cpu_us, at_us(begin.cpu_ns, 0.999));
        bench_add(&cpu_ratio, at_us(begin.cpu_ns, 0.5) / at_us(bare.cpu_ns, 0.5));
        bench_add(&wall_ratio, at_us(begin.wall_ns, 0.999) / at_us(bare.wall_ns, 0.999));
    }
    np_context_free(context);
    close(fd);
    const int cpu_ok =
        bench_line("begin: own CPU, p99.9, resolver silent", BENCH_AT_MOST, 50, &cpu_us, "us");
    (void)bench_line("begin: own CPU, p50 / lock + eventfd", BENCH_NO_GOAL, 0, &cpu_ratio, "x");
    const int wall_ok =
        bench_line("begin: wall p99.9 / lock + eventfd", BENCH_AT_MOST, 1.5, &wall_ratio, "x");
    return cpu_ok && wall_ok ? 0 : 1;
}
