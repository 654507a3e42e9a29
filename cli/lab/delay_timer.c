/* See delay_timer.h. The heap holds pointers; each delay knows its place, so that disarming needs
 * no search. */
#include "delay_timer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_NS = 60 * 1000,
    FIRED_A_ROUND = 64 /* then the loop looks at its sockets, however many deadlines are due */
};

struct delay_timer {
    uv_poll_t poll; /* first member: the handle is the timer */
    int fd;
    uint64_t set_ns; /* what the descriptor is set to; 0: not set */
    uint64_t spin_ns;
    struct delay **heap; /* heap[count], the earliest first */
    size_t count;
    size_t capacity;
};

uint64_t delay_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void put(struct delay_timer *timer, size_t index, struct delay *delay)
{
    timer->heap[index] = delay;
    delay->place = index + 1;
}

static void sift_up(struct delay_timer *timer, size_t index, struct delay *delay)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timer->heap[parent]->due_ns <= delay->due_ns)
            break;
        put(timer, index, timer->heap[parent]);
        index = parent;
    }
    put(timer, index, delay);
}

static void sift_down(struct delay_timer *timer, size_t index, struct delay *delay)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timer->count)
            break;
        if (child + 1 < timer->count && timer->heap[child + 1]->due_ns < timer->heap[child]->due_ns)
            child++;
        if (delay->due_ns <= timer->heap[child]->due_ns)
            break;
        put(timer, index, timer->heap[child]);
        index = child;
    }
    put(timer, index, delay);
}

static void take_out(struct delay_timer *timer, struct delay *delay)
{
    size_t index = delay->place - 1;
    delay->place = 0;
    struct delay *last = timer->heap[--timer->count];
    if (last == delay)
        return;
    if (index > 0 && last->due_ns < timer->heap[(index - 1) / 2]->due_ns)
        sift_up(timer, index, last);
    else
        sift_down(timer, index, last);
}

/* Sets the descriptor for the earliest deadline, less the time that is spun. */
static void set_descriptor(struct delay_timer *timer)
{
    uint64_t due_ns = 0;
    if (timer->count > 0) {
        due_ns = timer->heap[0]->due_ns;
        due_ns = due_ns > timer->spin_ns ? due_ns - timer->spin_ns : 1;
    }
    if (due_ns == timer->set_ns)
        return;
    timer->set_ns = due_ns;
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due_ns / 1000000000U),
                     .tv_nsec = (long)(due_ns % 1000000000U)}
    };
    (void)timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when,
                          NULL); /* fails only for bad arguments */
}

static void on_due(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct delay_timer *timer = (struct delay_timer *)poll;
    uint64_t expirations;
    (void)!read(timer->fd, &expirations, sizeof expirations); /* only to make it unreadable */
    timer->set_ns = 0;

    for (int fired = 0; fired < FIRED_A_ROUND && timer->count > 0; fired++) {
        struct delay *delay = timer->heap[0];
        uint64_t now_ns = delay_clock_ns();
        if (delay->due_ns > now_ns + timer->spin_ns)
            break;
        while (now_ns < delay->due_ns)
            now_ns = delay_clock_ns();
        take_out(timer, delay);
        delay->fire(delay);
    }
    set_descriptor(timer);
}

struct delay_timer *delay_timer_open(uv_loop_t *loop)
{
    struct delay_timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return NULL;
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer->fd < 0)
        goto fail;
    /* With one core a spin only keeps the client from running. */
    timer->spin_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_NS : 0;
    if (uv_poll_init(loop, &timer->poll, timer->fd) != 0) {
        close(timer->fd);
        errno = ENOMEM;
        goto fail;
    }
    uv_poll_start(&timer->poll, UV_READABLE, on_due);
    return timer;

fail:
    free(timer);
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct delay_timer *timer = (struct delay_timer *)handle;
    close(timer->fd);
    free(timer->heap);
    free(timer);
}

void delay_timer_close(struct delay_timer *timer)
{
    if (!timer)
        return;
    for (size_t i = 0; i < timer->count; i++)
        timer->heap[i]->place = 0;
    timer->count = 0;
    uv_close((uv_handle_t *)&timer->poll, on_closed);
}

bool delay_arm(struct delay_timer *timer, struct delay *delay, uint64_t due_ns)
{
    if (delay->place)
        take_out(timer, delay);
    if (timer->count == timer->capacity) {
        size_t capacity = timer->capacity ? 2 * timer->capacity : 64;
        struct delay **heap = realloc(timer->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        timer->heap = heap;
        timer->capacity = capacity;
    }
    delay->due_ns = due_ns;
    sift_up(timer, timer->count++, delay);
    set_descriptor(timer);
    return true;
}

void delay_disarm(struct delay_timer *timer, struct delay *delay)
{
    if (!delay->place)
        return;
    take_out(timer, delay);
    set_descriptor(timer);
}
