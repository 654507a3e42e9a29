/*
 * The loop of a context on libuv 1.44. Floor 2; its own thread.
 *
 * One turn:   epoll_wait -> watch callbacks -> [closed watches are freed] -> turn():
 *             { due timers, posted tasks, the turn-end hook } until nothing new came up ->
 * epoll_wait
 *
 * turn() is libuv's prepare phase, the last thing before the wait, so the hook sees everything that
 * happened in a turn and whatever it brings up itself (a task, a timer that is due) runs before the
 * loop sleeps. uv_async only wakes: it runs no task itself.
 *
 * - Timers live in a heap of ours with nanoseconds; one uv_timer stands for the earliest of them.
 * What it wakes looks at the real clock, so a timer is never early, and at most about a millisecond
 * late. A cancelled timer leaves the uv_timer as it is: one idle wake-up.
 * - A watch is a uv_poll_t for its whole life; uv_poll_start costs two epoll_ctl, hence only when
 * the interest really changes. libuv stops a handle on POLLERR and says UV_EBADF: we start it
 * again, so that it is level-triggered like everything else.
 * - uv_close takes the fd out of libuv's table and out of the batch of events at hand at once, so
 * the number may be used anew in the same turn; the memory is returned by libuv at the end of the
 * turn and kept for the next watch.
 */
#include "loop.h"

#include "clock.h"
#include "fail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum {
    TIMERS_A_BLOCK = 64,
    SPARE_WATCHES = 64, /* kept for reuse */
    ROUNDS_A_TURN = 16, /* then descriptors get their turn, without sleeping */
    HEAP_INITIAL = 64
};
#define NOT_IN_HEAP SIZE_MAX

struct np_loop_timer {
    uint64_t at_ns;
    uint64_t sequence; /* equal times fire in the order in which they were started */
    size_t position;   /* in the heap, or NOT_IN_HEAP */
    np_loop_timer_fn fn;
    void *user;
    np_loop *loop;
    np_loop_timer *next_free;
};

typedef struct timer_block {
    struct timer_block *next;
    np_loop_timer timer[TIMERS_A_BLOCK];
} timer_block;

struct np_loop_watch {
    uv_poll_t poll; /* first */
    np_loop *loop;
    int fd;
    unsigned interest;
    bool armed;   /* libuv is watching */
    bool stopped; /* the owner let go */
    np_loop_watch_fn fn;
    void *user;
    np_loop_watch *next, **link; /* list of living watches; `next` also of the spare ones */
};

struct np_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_idle_t busy; /* active: the next wait does not sleep */
    uv_timer_t alarm;
    uint64_t alarm_ns; /* the timer of ours it is armed for; 0: not armed */
    pthread_t thread;
    bool started;

    uint64_t now_ns;
    bool notes_looks;
    uint64_t before_ns, asleep_ns, woke_ns; /* the look before; it went to sleep; first stamp of the
                                               turn, 0: none yet */
    bool dirty;     /* something ran since the last turn-end hook */
    bool is_woken;  /* by the first task of a list, or to end */
    bool is_ending; /* `stopping`, as it was when the tasks were last taken */
    void (*turn_end)(uint64_t now_ns, void *user);
    void *turn_end_user;

    np_loop_timer **heap; /* heap[heap_count], earliest first */
    size_t heap_count, heap_capacity;
    uint64_t timer_sequence;
    timer_block *timer_blocks;
    np_loop_timer *free_timers;

    np_loop_watch *watches, *spare_watches;
    size_t spare_count;

    pthread_mutex_t mutex; /* guards what follows; nothing is called while it is held */
    np_loop_task *first_task, **last_link;
    bool stopping;
};

/* Which loop's thread this is. */
static _Thread_local const np_loop *current_loop;

/* --- tasks --- */

void np_loop_post(np_loop *loop, np_loop_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&loop->mutex);
    const bool was_empty = !loop->first_task;
    *loop->last_link = task;
    loop->last_link = &task->next;
    pthread_mutex_unlock(&loop->mutex);
    /* On the loop itself turn() comes before the next sleep anyway. */
    if (np_loop_is_current(loop))
        loop->is_woken = true;
    else if (was_empty)
        (void)uv_async_send(&loop->wake); /* fails only for a handle that is closing */
}

static np_loop_task *take_tasks(np_loop *loop)
{
    loop->is_woken = false;
    pthread_mutex_lock(&loop->mutex);
    np_loop_task *first = loop->first_task;
    loop->first_task = NULL;
    loop->last_link = &loop->first_task;
    loop->is_ending = loop->stopping;
    pthread_mutex_unlock(&loop->mutex);
    return first;
}

/* Whoever puts a task into an empty list wakes the loop: without that there is nothing to look for,
 * and no lock to take. */
static void run_tasks(np_loop *loop)
{
    if (!loop->is_woken)
        return;
    for (np_loop_task *task = take_tasks(loop); task;) {
        np_loop_task *next = task->next; /* the task may be gone once it ran */
        loop->now_ns = np_now();
        loop->dirty = true;
        task->run(task);
        task = next;
    }
}

/* --- timers --- */

static bool fires_before(const np_loop_timer *a, const np_loop_timer *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static void heap_put(np_loop *loop, size_t position, np_loop_timer *timer)
{
    loop->heap[position] = timer;
    timer->position = position;
}

static void heap_up(np_loop *loop, size_t position, np_loop_timer *timer)
{
    while (position > 0 && fires_before(timer, loop->heap[(position - 1) / 2])) {
        heap_put(loop, position, loop->heap[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    heap_put(loop, position, timer);
}

static void heap_down(np_loop *loop, size_t position, np_loop_timer *timer)
{
    for (;;) {
        size_t child = 2 * position + 1;
        if (child >= loop->heap_count)
            break;
        if (child + 1 < loop->heap_count && fires_before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!fires_before(loop->heap[child], timer))
            break;
        heap_put(loop, position, loop->heap[child]);
        position = child;
    }
    heap_put(loop, position, timer);
}

static void heap_remove(np_loop *loop, np_loop_timer *timer)
{
    const size_t position = timer->position;
    np_loop_timer *last = loop->heap[--loop->heap_count];
    timer->position = NOT_IN_HEAP;
    if (last == timer)
        return;
    if (position > 0 && fires_before(last, loop->heap[(position - 1) / 2]))
        heap_up(loop, position, last);
    else
        heap_down(loop, position, last);
}

static bool heap_reserve(np_loop *loop)
{
    if (loop->heap_count < loop->heap_capacity)
        return true;
    const size_t capacity = loop->heap_capacity ? 2 * loop->heap_capacity : HEAP_INITIAL;
    np_loop_timer **heap = realloc(loop->heap, capacity * sizeof *heap);
    if (!heap)
        return false;
    loop->heap = heap;
    loop->heap_capacity = capacity;
    return true;
}

static np_loop_timer *timer_take(np_loop *loop)
{
    if (!loop->free_timers) {
        timer_block *block = calloc(1, sizeof *block);
        if (!block)
            return NULL;
        block->next = loop->timer_blocks;
        loop->timer_blocks = block;
        for (size_t i = TIMERS_A_BLOCK; i-- > 0;) {
            block->timer[i].next_free = loop->free_timers;
            loop->free_timers = &block->timer[i];
        }
    }
    np_loop_timer *timer = loop->free_timers;
    loop->free_timers = timer->next_free;
    return timer;
}

np_loop_timer *np_loop_timer_start(np_loop *loop, uint64_t at_ns, np_loop_timer_fn fn, void *user)
{
    if (!heap_reserve(loop))
        return NULL;
    np_loop_timer *timer = timer_take(loop);
    if (!timer)
        return NULL;
    *timer = (np_loop_timer){
        .at_ns = at_ns, .sequence = loop->timer_sequence++, .fn = fn, .user = user, .loop = loop};
    heap_up(loop, loop->heap_count++, timer);
    return timer;
}

void np_loop_timer_cancel(np_loop_timer *timer)
{
    if (!timer)
        return;
    np_loop *loop = timer->loop;
    assert(timer->fn); /* cancelled twice */
    if (timer->position != NOT_IN_HEAP)
        heap_remove(loop, timer);
    timer->fn = NULL;
    timer->next_free = loop->free_timers;
    loop->free_timers = timer;
}

static void run_timers(np_loop *loop)
{
    if (loop->heap_count == 0)
        return;
    /* The clock is read only when libuv's timer has fired, or the last reading says so already. */
    if (loop->alarm_ns != 0 && loop->heap[0]->at_ns > loop->now_ns)
        return;
    loop->now_ns = np_now();
    /* No more than there are now: a timer that starts another one which is due must not hold the
     * loop for ever. */
    for (size_t left = loop->heap_count; left > 0 && loop->heap_count > 0; left--) {
        np_loop_timer *timer = loop->heap[0];
        if (timer->at_ns > loop->now_ns)
            return;
        heap_remove(loop, timer);
        loop->dirty = true;
        timer->fn(loop->now_ns, timer->user);
        loop->now_ns = np_now();
    }
}

static void on_alarm(uv_timer_t *alarm)
{
    np_loop *loop = alarm->data;
    loop->alarm_ns = 0; /* turn() follows and looks at the heap */
}

/* Arms libuv's timer for the earliest of ours, in whole milliseconds from now on, rounded up. It
   reckons from a clock cut to milliseconds and may wake us a little early: then on_alarm finds
   nothing due and this arms it anew. */
static void arm_alarm(np_loop *loop)
{
    if (loop->heap_count == 0)
        return;
    const uint64_t at_ns = loop->heap[0]->at_ns;
    if (loop->alarm_ns != 0 && loop->alarm_ns <= at_ns)
        return;
    const uint64_t now_ns = np_now();
    const uint64_t left_ns = at_ns > now_ns ? at_ns - now_ns : 0;
    const uint64_t left_ms = left_ns / NP_NS_PER_MS + (left_ns % NP_NS_PER_MS != 0);
    (void)uv_timer_start(&loop->alarm, on_alarm, left_ms, 0); /* fails only without a callback */
    loop->alarm_ns = at_ns ? at_ns : 1;
}

/* --- watches --- */

static void on_ready(uv_poll_t *poll, int status, int events);

/* Brings libuv in line with the interest. With no interest it still tells the end of the
 * connection. */
static bool watch_arm(np_loop_watch *watch)
{
    int events = 0;
    if (watch->interest & NP_LOOP_READ)
        events |= UV_READABLE;
    if (watch->interest & NP_LOOP_WRITE)
        events |= UV_WRITABLE;
    if (events == 0)
        events = UV_DISCONNECT;
    watch->armed = uv_poll_start(&watch->poll, events, on_ready) == 0;
    return watch->armed;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    np_loop_watch *watch = (np_loop_watch *)poll;
    np_loop *loop = watch->loop;
    unsigned ready = 0;
    if (events & UV_READABLE)
        ready |= NP_LOOP_READ;
    if (events & UV_WRITABLE)
        ready |= NP_LOOP_WRITE;
    if (status < 0) {
        ready = NP_LOOP_ERROR | watch->interest;
        watch->armed = false;
    } else if (watch->interest == 0) {
        /* Level-triggered, and nobody is going to read: once is enough. */
        ready = NP_LOOP_ERROR;
        (void)uv_poll_stop(poll);
        watch->armed = false;
    }
    loop->now_ns = np_now();
    if (loop->woke_ns == 0)
        loop->woke_ns = loop->now_ns;
    loop->dirty = true;
    watch->fn(watch->fd, ready, loop->now_ns, watch->user);
    if (!watch->stopped && !watch->armed && watch->interest != 0)
        (void)watch_arm(watch); /* cannot fail: the descriptor is in libuv's table already */
}

static void watch_unlink(np_loop_watch *watch)
{
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
}

static void on_watch_closed(uv_handle_t *handle)
{
    np_loop_watch *watch = (np_loop_watch *)handle;
    np_loop *loop = watch->loop;
    if (loop->spare_count == SPARE_WATCHES) {
        free(watch);
        return;
    }
    watch->next = loop->spare_watches;
    loop->spare_watches = watch;
    loop->spare_count++;
}

static np_loop_watch *watch_take(np_loop *loop)
{
    np_loop_watch *watch = loop->spare_watches;
    if (!watch)
        return malloc(sizeof *watch);
    loop->spare_watches = watch->next;
    loop->spare_count--;
    return watch;
}

np_loop_watch *np_loop_watch_start(np_loop *loop, int fd, unsigned interest, np_loop_watch_fn fn,
                                   void *user)
{
    np_loop_watch *watch = watch_take(loop);
    if (!watch)
        return NULL;
    *watch = (np_loop_watch){.loop = loop,
                             .fd = fd,
                             .interest = interest & (NP_LOOP_READ | NP_LOOP_WRITE),
                             .fn = fn,
                             .user = user};
    if (uv_poll_init(&loop->uv, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->next = loop->watches;
    watch->link = &loop->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    loop->watches = watch;
    if (!watch_arm(watch)) {
        np_loop_watch_stop(watch);
        return NULL;
    }
    return watch;
}

void np_loop_watch_change(np_loop_watch *watch, unsigned interest)
{
    interest &= NP_LOOP_READ | NP_LOOP_WRITE;
    if (watch->interest == interest)
        return;
    watch->interest = interest;
    (void)watch_arm(watch); /* cannot fail: one watch a descriptor */
}

void np_loop_watch_handler(np_loop_watch *watch, np_loop_watch_fn fn, void *user)
{
    watch->fn = fn;
    watch->user = user;
}

void np_loop_watch_stop(np_loop_watch *watch)
{
    if (!watch)
        return;
    assert(!watch->stopped);
    watch->stopped = true;
    watch->armed = false;
    watch_unlink(watch);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

/* --- the turn --- */

static void on_wake(uv_async_t *wake)
{
    np_loop *loop = wake->data;
    loop->is_woken = true; /* turn() follows and takes the tasks */
}

static void on_busy(uv_idle_t *busy)
{
    (void)busy; /* being active is all it does */
}

static void turn(uv_prepare_t *prepare)
{
    np_loop *loop = prepare->data;
    if (loop->notes_looks && loop->woke_ns == 0)
        loop->woke_ns = np_now(); /* nothing was ready */
    bool more = true;
    bool ran = false;
    for (int round = 0; more && round < ROUNDS_A_TURN; round++) {
        run_timers(loop);
        run_tasks(loop);
        if (loop->dirty) {
            loop->dirty = false;
            ran = true;
            if (loop->turn_end)
                loop->turn_end(loop->now_ns, loop->turn_end_user);
        }
        more = loop->is_woken || loop->dirty ||
               (loop->heap_count > 0 && loop->heap[0]->at_ns <= loop->now_ns);
    }
    if (loop->is_ending && !more) {
        uv_stop(&loop->uv);
        return;
    }
    /* libuv reckons the wait from its own reading, which is as old as what has just run is long. */
    if (ran)
        uv_update_time(&loop->uv);
    arm_alarm(loop);
    if (more)
        (void)uv_idle_start(&loop->busy, on_busy);
    else
        (void)uv_idle_stop(&loop->busy);
    if (loop->notes_looks) {
        loop->before_ns = loop->woke_ns;
        loop->asleep_ns = np_now();
    }
    loop->woke_ns = 0;
}

static void *loop_main(void *argument)
{
    np_loop *loop = argument;
    current_loop = loop;
    loop->now_ns = np_now();
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* ends by uv_stop only: `wake` keeps it alive */
    current_loop = NULL;
    return NULL;
}

uint64_t np_loop_now(const np_loop *loop)
{
    return loop->now_ns;
}

void np_loop_note_looks(np_loop *loop)
{
    loop->notes_looks = true;
}

/* Going through epoll_wait takes a microsecond or two when something is ready. */
#define SLEPT_NS (20 * (uint64_t)NP_NS_PER_US)

np_loop_look np_loop_last_look(const np_loop *loop)
{
    const bool slept = loop->woke_ns > loop->asleep_ns + SLEPT_NS;
    return (np_loop_look){
        .before_ns = loop->before_ns,
        .asleep_ns = loop->asleep_ns,
        .woke_ns = loop->woke_ns,
        .slept = slept,
    };
}

bool np_loop_is_current(const np_loop *loop)
{
    return current_loop == loop;
}

void np_loop_set_turn_end(np_loop *loop, void (*fn)(uint64_t now_ns, void *user), void *user)
{
    loop->turn_end = fn;
    loop->turn_end_user = user;
}

/* --- life --- */

/* The first loop of a process makes libuv open a pipe, and abort the program where that fails. */
static int find_descriptors(void)
{
    int fd[4] = {-1, -1, -1, -1}; /* the pipe, the epoll descriptor and one to spare */
    int problem = 0;
    if (pipe2(fd, O_CLOEXEC) != 0 || pipe2(fd + 2, O_CLOEXEC) != 0)
        problem = errno;
    for (int i = 0; i < 4; i++)
        if (fd[i] >= 0)
            (void)close(fd[i]);
    return problem;
}

np_status np_loop_create(np_loop **out, np_error *err)
{
    *out = NULL;
    const int problem = find_descriptors();
    if (problem)
        return np_fail_os(err, NP_E_IO, problem, "cannot make an event loop");
    np_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for an event loop");
    int rc = uv_loop_init(&loop->uv);
    if (rc != 0) {
        free(loop);
        return np_fail_layer(err, NP_E_IO, "os", -rc, uv_strerror(rc), "cannot make an event loop");
    }
    rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc != 0) {
        (void)uv_loop_close(&loop->uv); /* holds no handle yet */
        free(loop);
        return np_fail_layer(err, NP_E_IO, "os", -rc, uv_strerror(rc),
                             "cannot make the wake-up of an event loop");
    }
    /* These cannot fail: they only fill in their handles. */
    (void)uv_prepare_init(&loop->uv, &loop->prepare);
    (void)uv_idle_init(&loop->uv, &loop->busy);
    (void)uv_timer_init(&loop->uv, &loop->alarm);
    loop->prepare.data = loop;
    loop->alarm.data = loop;
    loop->wake.data = loop;
    (void)uv_prepare_start(&loop->prepare, turn);
    pthread_mutex_init(&loop->mutex, NULL);
    loop->last_link = &loop->first_task;
    loop->now_ns = np_now();
    *out = loop;
    return NP_OK;
}

np_status np_loop_start(np_loop *loop, np_error *err)
{
    /* Signals belong to the program's own threads; what this thread does wrong itself, and
     * profiling, stay. */
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    sigset_t others, before;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        sigdelset(&others, kept[i]);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    const int rc = pthread_create(&loop->thread, NULL, loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return np_fail_os(err, NP_E_IO, rc, "cannot start the thread of an event loop");
    loop->started = true;
    (void)pthread_setname_np(loop->thread, "np-loop"); /* for people only */
    return NP_OK;
}

void np_loop_stop(np_loop *loop)
{
    if (!loop->started)
        return;
    assert(!np_loop_is_current(loop));
    pthread_mutex_lock(&loop->mutex);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->mutex);
    (void)uv_async_send(&loop->wake);
    (void)pthread_join(loop->thread, NULL);
    loop->started = false;
}

static void free_watches(np_loop_watch *watch)
{
    while (watch) {
        np_loop_watch *next = watch->next;
        free(watch);
        watch = next;
    }
}

void np_loop_free(np_loop *loop)
{
    if (!loop)
        return;
    assert(!loop->started);
    while (loop->watches)
        np_loop_watch_stop(loop->watches);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* until everything has closed */
    const int rc = uv_loop_close(&loop->uv);
    assert(rc == 0);
    (void)rc; /* only the assertion looks at it */
    free_watches(loop->spare_watches);
    while (loop->timer_blocks) {
        timer_block *next = loop->timer_blocks->next;
        free(loop->timer_blocks);
        loop->timer_blocks = next;
    }
    free(loop->heap);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}
