/*
 * Many dials at once, cancelled at random instants, over a DNS that is slow, silent, wrong or
 * quick: everything ends exactly once, no descriptor stays open, and no span. The seed is printed
 * on failure.
 */
#include "address.h"
#include "clock.h"
#include "dial.h"
#include "dns_server.h"
#include "random.h"
#include "recording.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIALS = 300, NAMES = 7 };

struct run;

struct one {
    struct run *run;
    char host[32];
    np_dial *dial;
    np_loop_timer *cancel;
    bool is_done;
    int ends;
};

struct run {
    np_loop_task task; /* first */
    np_loop *loop;
    np_dialer *dialer;
    np_random random;
    uint16_t port;
    struct one ones[DIALS];
    int left;
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool is_over;
};

static const struct dns_rule rules[] = {
    {.name = "quick.lab",       .type = DNS_A, .addresses = "127.0.0.1", .ttl_s = 1},
    {.name = "quick.lab", .type = DNS_AAAA},
    {.name = "slow.lab",                         .type = DNS_A, .addresses = "127.0.0.1", .ttl_s = 1, .delay_ms = 7},
    {.name = "slow.lab",         .type = DNS_AAAA, .addresses = "::1", .ttl_s = 1, .delay_ms = 15},
    {.name = "silent.lab",        .drop = true},
    {.name = "half.lab",
     .type = DNS_A,
     .addresses = "127.0.0.2,127.0.0.1",
     .ttl_s = 1,
     .delay_ms = 3},
    {.name = "half.lab",            .type = DNS_AAAA, .drop = true},
    {.name = "wrong.lab",        .rcode = 2},
    {.name = "tcp.lab",
     .type = DNS_A,
     .addresses = "127.0.0.1",
     .ttl_s = 1,
     .truncate = true,
     .delay_ms = 2},
    {.name = "tcp.lab",           .type = DNS_AAAA, .truncate = true},
    {0     }
};
static const char *const names[NAMES] = {"quick.lab", "slow.lab", "silent.lab", "half.lab",
                                         "wrong.lab", "tcp.lab",  "127.0.0.1"};

static void end_one(struct one *o)
{
    struct run *run = o->run;
    o->ends++;
    o->is_done = true;
    np_loop_timer_cancel(o->cancel);
    o->cancel = NULL;
    if (--run->left > 0)
        return;
    pthread_mutex_lock(&run->mutex);
    run->is_over = true;
    pthread_cond_signal(&run->over);
    pthread_mutex_unlock(&run->mutex);
}

static void on_done(const np_dial_result *result, void *user)
{
    if (result->fd >= 0)
        close(result->fd);
    end_one(user);
}

static void on_cancel(uint64_t now_ns, void *user)
{
    struct one *o = user;
    np_dial_cancel(o->dial, now_ns);
    end_one(o);
}

static void start_all(np_loop_task *task)
{
    struct run *run = (struct run *)task;
    const uint64_t now_ns = np_loop_now(run->loop);
    for (int i = 0; i < DIALS; i++) {
        struct one *o = &run->ones[i];
        o->run = run;
        const np_dial_target target = {.host = names[np_random_below(&run->random, NAMES)],
                                       .port = run->port,
                                       .request = (uint32_t)i + 1,
                                       .cold = np_random_below(&run->random, 2) == 0};
        o->cancel = np_loop_timer_start(
            run->loop, now_ns + np_random_below(&run->random, 80 * NP_NS_PER_MS), on_cancel, o);
        o->dial = np_dial_start(run->dialer, &target, now_ns, on_done, o);
    }
}

static void free_dialer(np_loop_task *task)
{
    np_dialer_free(((struct run *)task)->dialer);
}

static int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int open_spans(const struct recording *recording)
{
    static struct recorded_span spans[RECORDED_EVENTS];
    const size_t count = recording_spans(recording, -1, spans, RECORDED_EVENTS);
    int open = 0;
    for (size_t i = 0; i < count; i++)
        open += spans[i].outcome < 0;
    return open;
}

static void run_to_the_end(struct run *run)
{
    np_loop_post(run->loop, &run->task);
    pthread_mutex_lock(&run->mutex);
    while (!run->is_over)
        pthread_cond_wait(&run->over, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
    run->task.run = free_dialer;
    np_loop_post(run->loop, &run->task);
    np_loop_stop(run->loop);
}

static int stress(uint64_t seed, const char *server, uint16_t port)
{
    static struct recording recording;
    static struct run run;
    np_error err;
    memset(&run, 0, sizeof run);
    recording_init(&recording);
    np_random_seed(&run.random, seed);
    pthread_mutex_init(&run.mutex, NULL);
    pthread_cond_init(&run.over, NULL);
    run.task.run = start_all;
    run.port = port;
    run.left = DIALS;
    const np_dialer_options options = {
        .dns_servers = server, .hosts_file = "/dev/null", .resolv_conf = "/dev/null"};
    if (np_loop_create(&run.loop, &err) != NP_OK ||
        np_dialer_create(run.loop, &options, &recording.producer, &run.dialer, &err) != NP_OK ||
        np_loop_start(run.loop, &err) != NP_OK)
        abort();
    run_to_the_end(&run);
    np_loop_free(run.loop);
    recording_read(&recording);
    int wrong = open_spans(&recording);
    for (int i = 0; i < DIALS; i++)
        wrong += run.ones[i].ends != 1;
    recording_done(&recording);
    return wrong;
}

static int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

int main(void)
{
    uint16_t port;
    const int listener = listen_on_loopback(&port);
    struct dns_server *server = dns_server_start(rules);
    int before = 0;
    int failed = 0;
    for (uint64_t seed = 1; seed <= 6 && !failed; seed++) {
        const int wrong = stress(seed, dns_server_address(server), port);
        const int descriptors = count_descriptors();
        if (before == 0)
            before = descriptors; /* libuv keeps a pair from the first loop on */
        if (wrong != 0 || descriptors != before) {
            fprintf(stderr,
                    "stress_dial: seed %llu: %d dials or spans did not end once, %d descriptors, "
                    "%d before\n",
                    (unsigned long long)seed, wrong, descriptors, before);
            failed = 1;
        }
    }
    dns_server_stop(server);
    close(listener);
    return failed;
}
