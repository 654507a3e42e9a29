/* A loop, a dialer on it and a recording. */
#include "dial_rig.h"

#include "address.h"
#include "clock.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rig_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

void rig_init(struct dial_rig *rig, np_dialer_options options)
{
    np_error err;
    memset(rig, 0, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/netphase-rig-XXXXXX");
    if (!mkdtemp(rig->folder))
        abort();
    snprintf(rig->hosts, sizeof rig->hosts, "%s/hosts", rig->folder);
    snprintf(rig->resolv, sizeof rig->resolv, "%s/resolv.conf", rig->folder);
    rig_write(rig->hosts, "");
    rig_write(rig->resolv, "options timeout:1 attempts:1\n");
    if (!options.hosts_file)
        options.hosts_file = rig->hosts;
    if (!options.resolv_conf)
        options.resolv_conf = rig->resolv;
    if (!options.nsswitch_conf)
        options.nsswitch_conf = "/nonexistent"; /* files, then dns */
    recording_init(&rig->recording);
    sem_init(&rig->done, 0, 0);
    cr_assert_eq(np_loop_create(&rig->loop, &err), NP_OK);
    cr_assert_eq(
        np_dialer_create(rig->loop, &options, &rig->recording.producer, &rig->dialer, &err), NP_OK,
        "%s", err.text);
    cr_assert_eq(np_loop_start(rig->loop, &err), NP_OK);
}

static void on_done(const np_dial_result *result, void *user)
{
    struct rig_dial *d = user;
    d->result = *result;
    d->called_inside = d->in_start;
    d->is_done = true;
    sem_post(&d->rig->done);
}

static void run_start(np_loop_task *task)
{
    struct rig_dial *d = (struct rig_dial *)task;
    d->in_start = true;
    d->dial = np_dial_start(d->rig->dialer, &d->target, np_now(), on_done, d);
    d->in_start = false;
}

size_t rig_start(struct dial_rig *rig, const char *host, uint16_t port, bool cold)
{
    const size_t index = rig->count++;
    struct rig_dial *d = &rig->dials[index];
    *d = (struct rig_dial){
        .task.run = run_start,
        .rig = rig,
        .target = {.host = host,
                   .port = port,
                   .request = (uint32_t)index + 1,
                   .connection = 7,
                   .cold = cold}
    };
    np_loop_post(rig->loop, &d->task);
    return index;
}

void rig_wait(struct dial_rig *rig, int dones)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    for (; dones > 0; dones--)
        cr_assert_eq(sem_timedwait(&rig->done, &deadline), 0, "a dial did not end within 30 s");
}

const np_dial_result *rig_dial(struct dial_rig *rig, const char *host, uint16_t port)
{
    const size_t index = rig_start(rig, host, port, false);
    rig_wait(rig, 1);
    cr_assert_not(rig->dials[index].called_inside);
    return &rig->dials[index].result;
}

struct call {
    np_loop_task task; /* first */
    void (*fn)(void *user);
    void *user;
    sem_t done;
};

static void run_call(np_loop_task *task)
{
    struct call *call = (struct call *)task;
    call->fn(call->user);
    sem_post(&call->done);
}

void rig_call(struct dial_rig *rig, void (*fn)(void *user), void *user)
{
    struct call call = {.task.run = run_call, .fn = fn, .user = user};
    sem_init(&call.done, 0, 0);
    np_loop_post(rig->loop, &call.task);
    while (sem_wait(&call.done) != 0)
        continue;
    sem_destroy(&call.done);
}

static void cancel(void *user)
{
    struct rig_dial *d = user;
    if (!d->is_done)
        np_dial_cancel(d->dial, np_now());
}

void rig_cancel(struct dial_rig *rig, size_t index)
{
    rig_call(rig, cancel, &rig->dials[index]);
}

static void free_dialer(void *user)
{
    np_dialer_free(user);
}

void rig_end(struct dial_rig *rig)
{
    rig_call(rig, free_dialer, rig->dialer);
    np_loop_stop(rig->loop);
    np_loop_free(rig->loop);
    recording_read(&rig->recording);
    for (size_t i = 0; i < rig->count; i++)
        if (rig->dials[i].is_done && rig->dials[i].result.fd >= 0)
            close(rig->dials[i].result.fd);
}

void rig_done(struct dial_rig *rig)
{
    recording_done(&rig->recording);
    unlink(rig->hosts);
    unlink(rig->resolv);
    rmdir(rig->folder);
    sem_destroy(&rig->done);
}

int listener_open(const char *text, uint16_t *port)
{
    np_address address;
    const int on = 1;
    cr_assert(np_address_parse(text, strlen(text), &address));
    np_address_set_port(&address, *port);
    socklen_t size = np_address_size(&address);
    const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &address.any, size) != 0 || listen(fd, 16) != 0) {
        close(fd);
        return -1;
    }
    getsockname(fd, &address.any, &size);
    *port = np_address_port(&address);
    return fd;
}

void listener_fill(int listener, int filler[4])
{
    np_address address;
    socklen_t size = sizeof address;
    getsockname(listener, &address.any, &size);
    (void)listen(listener, 0); /* from here on room for one */
    for (int i = 0; i < 4; i++) {
        filler[i] = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(filler[i], &address.any, size);
        struct pollfd fd = {.fd = filler[i], .events = POLLOUT};
        (void)poll(&fd, 1,
                   i == 0 ? 2000
                          : 20); /* the first one gets in; the backlog is full once one does not */
    }
}

uint16_t closed_port(void)
{
    uint16_t port = 0;
    const int fd = listener_open("127.0.0.1", &port);
    close(fd);
    return port;
}

/* libuv opens a pair of its own with the first loop of a process, and keeps it. */
static void warm_up(void)
{
    np_loop *loop;
    if (np_loop_create(&loop, NULL) == NP_OK)
        np_loop_free(loop);
}

int count_descriptors(void)
{
    warm_up();
    DIR *folder = opendir("/proc/self/fd");
    int count = -1; /* the folder's own */
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}
