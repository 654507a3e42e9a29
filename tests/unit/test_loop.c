/* The event loop: tasks, timers, watches, the turn-end hook. Everything observed on the loop's
 * thread is handed over by np_loop_stop's join. */
#include <criterion/criterion.h>

#include "clock.h"
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_STEPS = 64 };

/* A script: functions that run on the loop in turn, a record of what happened, and a way to wait
 * for its end. */
struct fixture {
    np_loop_task task; /* first */
    np_loop *loop;
    void (*body)(struct fixture *f);
    sem_t done;
    char record[MAX_STEPS + 1];
    size_t length;
    int fd[2];
    int pipe_end;
    np_loop_watch *watch, *other;
    np_loop_timer *timer[8];
    uint64_t due_ns, fired_ns;
    unsigned ready;
    int calls;
};

static void note(struct fixture *f, char what)
{
    if (f->length < MAX_STEPS)
        f->record[f->length++] = what;
}

static void finish(struct fixture *f)
{
    sem_post(&f->done);
}

static void wait_done(struct fixture *f)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    cr_assert_eq(sem_timedwait(&f->done, &deadline), 0,
                 "the loop did not get there in 20 s, so far: '%s'", f->record);
}

static void run_body(np_loop_task *task)
{
    struct fixture *f = (struct fixture *)task;
    f->body(f);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    np_error err;
    cr_assert_eq(np_loop_create(&f->loop, &err), NP_OK);
    sem_init(&f->done, 0, 0);
    f->fd[0] = f->fd[1] = -1;
}

static void fixture_done(struct fixture *f)
{
    np_loop_stop(f->loop);
    np_loop_free(f->loop);
    for (int i = 0; i < 2; i++)
        if (f->fd[i] >= 0)
            close(f->fd[i]);
    sem_destroy(&f->done);
}

static void run_on_loop(struct fixture *f, void (*body)(struct fixture *f))
{
    f->task.run = run_body;
    f->body = body;
    np_error err;
    np_loop_post(f->loop, &f->task);
    cr_assert_eq(np_loop_start(f->loop, &err), NP_OK);
    wait_done(f);
}

static void make_pair(struct fixture *f)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, f->fd), 0);
}

/* --- tasks --- */

struct numbered {
    np_loop_task task;
    struct fixture *f;
    char name;
    bool last;
};

static void run_numbered(np_loop_task *task)
{
    struct numbered *n = (struct numbered *)task;
    note(n->f, n->name);
    if (n->last)
        finish(n->f);
}

Test(loop, posted_tasks_run_in_order)
{
    struct fixture f;
    fixture_init(&f);
    struct numbered n[8];
    for (int i = 0; i < 8; i++)
        n[i] = (struct numbered){
            .task.run = run_numbered, .f = &f, .name = (char)('a' + i), .last = i == 7};

    for (int i = 0; i < 4; i++)
        np_loop_post(f.loop, &n[i].task);
    np_error err;
    cr_assert_eq(np_loop_start(f.loop, &err), NP_OK);
    for (int i = 4; i < 8; i++)
        np_loop_post(f.loop, &n[i].task);
    wait_done(&f);

    cr_assert_str_eq(f.record, "abcdefgh");
    fixture_done(&f);
}

Test(loop, stop_runs_what_was_posted)
{
    struct fixture f;
    fixture_init(&f);
    struct numbered n[3];
    for (int i = 0; i < 3; i++)
        n[i] = (struct numbered){.task.run = run_numbered, .f = &f, .name = (char)('a' + i)};
    np_error err;
    cr_assert_eq(np_loop_start(f.loop, &err), NP_OK);

    for (int i = 0; i < 3; i++)
        np_loop_post(f.loop, &n[i].task);
    np_loop_stop(f.loop);

    cr_assert_str_eq(f.record, "abc");
    fixture_done(&f);
}

static void body_is_current(struct fixture *f)
{
    f->calls = np_loop_is_current(f->loop);
    finish(f);
}

Test(loop, knows_its_own_thread)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_is_current);

    cr_assert_eq(f.calls, 1);
    cr_assert_not(np_loop_is_current(f.loop));
    fixture_done(&f);
}

/* --- timers --- */

static void on_timer_finish(uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    f->fired_ns = now_ns;
    np_loop_timer_cancel(f->timer[0]);
    finish(f);
}

static void body_timer(struct fixture *f)
{
    f->due_ns = np_loop_now(f->loop) + 3 * NP_NS_PER_MS + 1;
    f->timer[0] = np_loop_timer_start(f->loop, f->due_ns, on_timer_finish, f);
}

Test(loop, a_timer_is_never_early)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_timer);

    cr_assert_geq(f.fired_ns, f.due_ns);
    fixture_done(&f);
}

static void on_timer_note(uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)now_ns;
    note(f, (char)('a' + f->calls++));
}

static void on_timer_1(uint64_t now_ns, void *user)
{
    (void)now_ns;
    note(user, '1');
}

static void on_timer_2(uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)now_ns;
    note(f, '2');
    np_loop_timer_cancel(f->timer[2]); /* of a timer due at the same instant */
}

static void on_timer_last(uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)now_ns;
    note(f, '4');
    for (int i = 0; i < 4; i++)
        if (i != 2)
            np_loop_timer_cancel(f->timer[i]);
    finish(f);
}

static void body_timer_order(struct fixture *f)
{
    const uint64_t now_ns = np_loop_now(f->loop);
    f->timer[3] = np_loop_timer_start(f->loop, now_ns + 2 * NP_NS_PER_MS, on_timer_last, f);
    f->timer[0] = np_loop_timer_start(f->loop, now_ns + NP_NS_PER_MS, on_timer_1, f);
    f->timer[1] = np_loop_timer_start(f->loop, now_ns + NP_NS_PER_MS, on_timer_2, f);
    f->timer[2] = np_loop_timer_start(f->loop, now_ns + NP_NS_PER_MS, on_timer_note, f);
}

Test(loop, timers_fire_in_order_and_a_cancelled_one_never)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_timer_order);

    cr_assert_str_eq(f.record, "124");
    fixture_done(&f);
}

static void on_timer_again(uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    np_loop_timer_cancel(f->timer[0]);
    if (++f->calls == 1000) {
        finish(f);
        return;
    }
    f->timer[0] = np_loop_timer_start(f->loop, now_ns, on_timer_again, f); /* due at once */
}

static void body_timer_again(struct fixture *f)
{
    f->timer[0] = np_loop_timer_start(f->loop, 0, on_timer_again, f);
}

Test(loop, timers_that_are_due_at_once_do_not_starve_the_loop)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_timer_again);

    cr_assert_eq(f.calls, 1000);
    fixture_done(&f);
}

/* Many timers with random times, half of them cancelled: the rest fires, in the order of the times.
 */
enum { MANY = 2000 };
struct many {
    struct fixture f;
    np_loop_timer *timer[MANY];
    uint64_t at_ns[MANY], last_ns;
    int fired, expected, disorder;
};

struct one_of_many {
    struct many *m;
    int index;
};

static struct one_of_many one[MANY];

static void on_one(uint64_t now_ns, void *user)
{
    struct one_of_many *o = user;
    struct many *m = o->m;
    if (m->at_ns[o->index] < m->last_ns || now_ns < m->at_ns[o->index])
        m->disorder++;
    m->last_ns = m->at_ns[o->index];
    np_loop_timer_cancel(m->timer[o->index]);
    if (++m->fired == m->expected)
        finish(&m->f);
}

static void body_many(struct fixture *f)
{
    struct many *m = (struct many *)f;
    unsigned seed = 20260101;
    for (int i = 0; i < MANY; i++) {
        one[i] = (struct one_of_many){m, i};
        m->at_ns[i] = np_loop_now(f->loop) + (uint64_t)(rand_r(&seed) % 20000000);
        m->timer[i] = np_loop_timer_start(f->loop, m->at_ns[i], on_one, &one[i]);
    }
    for (int i = 0; i < MANY; i += 2)
        np_loop_timer_cancel(m->timer[i]);
    m->expected = MANY / 2;
}

Test(loop, many_timers_keep_their_order)
{
    struct many m = {0};
    fixture_init(&m.f);

    run_on_loop(&m.f, body_many);

    cr_assert_eq(m.fired, MANY / 2);
    cr_assert_eq(m.disorder, 0);
    fixture_done(&m.f);
}

/* --- watches --- */

static void on_read_note(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)now_ns;
    char byte;
    f->ready |= ready;
    if (ready & NP_LOOP_READ && read(fd, &byte, 1) == 1)
        note(f, byte);
    if (f->length == 3) {
        np_loop_watch_stop(f->watch);
        finish(f);
    }
}

static void body_read(struct fixture *f)
{
    f->watch = np_loop_watch_start(f->loop, f->fd[0], NP_LOOP_READ, on_read_note, f);
    if (write(f->fd[1], "xyz", 3) != 3)
        finish(f);
}

Test(loop, a_watch_is_level_triggered_and_stops_in_its_own_callback)
{
    struct fixture f;
    fixture_init(&f);
    make_pair(&f);

    run_on_loop(&f, body_read);

    cr_assert_str_eq(f.record, "xyz");
    cr_assert_eq(f.ready, NP_LOOP_READ);
    fixture_done(&f);
}

static void on_interest(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)fd;
    (void)now_ns;
    if (ready == NP_LOOP_WRITE && f->calls == 0) {
        note(f, 'w');
        f->calls = 1;
        np_loop_watch_change(f->watch, NP_LOOP_READ);
        (void)!write(f->fd[1], "x", 1);
    } else if (ready == NP_LOOP_READ && f->calls == 1) {
        note(f, 'r');
        f->calls = 2;
        np_loop_watch_change(f->watch, 0);
        close(f->fd[1]); /* readable for ever, but only the end is told */
        f->fd[1] = -1;
    } else if (ready == NP_LOOP_ERROR && f->calls == 2) {
        note(f, 'e');
        f->calls = 3;
        f->timer[0] = np_loop_timer_start(f->loop, now_ns + 5 * NP_NS_PER_MS, on_timer_finish, f);
    } else {
        note(f, '?');
    }
}

static void body_interest(struct fixture *f)
{
    f->watch = np_loop_watch_start(f->loop, f->fd[0], NP_LOOP_WRITE, on_interest, f);
}

Test(loop, interest_changes_and_without_interest_the_end_is_told_once)
{
    struct fixture f;
    fixture_init(&f);
    make_pair(&f);

    run_on_loop(&f, body_interest);

    cr_assert_str_eq(f.record, "wre");
    fixture_done(&f);
}

static void on_error(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)now_ns;
    note(f, ready & NP_LOOP_ERROR ? 'e' : '-');
    f->ready = ready;
    if (f->length < 3)
        return; /* not read yet: it comes again */
    int error = 0;
    socklen_t size = sizeof error;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    f->calls = error;
    np_loop_watch_stop(f->watch);
    finish(f);
}

/* A descriptor with a pending error: a connected UDP socket whose peer answered "port unreachable".
 */
static void body_error(struct fixture *f)
{
    f->fd[0] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int closed = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof to;
    (void)bind(closed, (struct sockaddr *)&to, size);
    (void)getsockname(closed, (struct sockaddr *)&to, &size);
    (void)connect(f->fd[0], (struct sockaddr *)&to, sizeof to);
    close(closed);
    (void)send(f->fd[0], "x", 1, 0);
    f->watch = np_loop_watch_start(f->loop, f->fd[0], NP_LOOP_READ, on_error, f);
}

Test(loop, an_error_comes_with_the_interest_until_it_is_read)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_error);

    cr_assert_str_eq(f.record, "eee");
    cr_assert_eq(f.ready, NP_LOOP_ERROR | NP_LOOP_READ);
    cr_assert_eq(f.calls, ECONNREFUSED);
    fixture_done(&f);
}

/* Two descriptors are ready in one turn; the handler of the first closes the second and opens
 * another under the same number. */
static void on_stale(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    (void)fd;
    (void)ready;
    (void)now_ns;
    note(user, '!');
}

static void on_reuse(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)ready;
    const int other = fd == f->fd[0] ? 1 : 0;
    const int victim = f->fd[other];
    np_loop_watch_stop(f->watch);
    np_loop_watch_stop(f->other);
    close(victim);
    int fresh[2];
    if (pipe2(fresh, O_NONBLOCK | O_CLOEXEC) != 0)
        return;
    f->fd[other] = fresh[0];
    f->pipe_end = fresh[1]; /* open and silent: the new descriptor is not readable */
    note(f, fresh[0] == victim ? '=' : '/');
    note(f, np_loop_watch_start(f->loop, fresh[0], NP_LOOP_READ, on_stale, f) ? '+' : '-');
    f->timer[0] = np_loop_timer_start(f->loop, now_ns + 5 * NP_NS_PER_MS, on_timer_finish, f);
}

static void body_reuse(struct fixture *f)
{
    f->watch = np_loop_watch_start(f->loop, f->fd[0], NP_LOOP_WRITE, on_reuse, f);
    f->other = np_loop_watch_start(f->loop, f->fd[1], NP_LOOP_WRITE, on_reuse, f);
}

Test(loop, a_reused_descriptor_number_does_not_get_old_events)
{
    struct fixture f;
    fixture_init(&f);
    make_pair(&f);

    run_on_loop(&f, body_reuse);

    cr_assert_str_eq(f.record, "=+");
    fixture_done(&f);
    close(f.pipe_end);
}

static void body_refused(struct fixture *f)
{
    f->fd[0] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    f->calls = np_loop_watch_start(f->loop, f->fd[0], NP_LOOP_READ, on_stale, f) == NULL;
    finish(f);
}

Test(loop, a_descriptor_that_cannot_be_watched_is_refused)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_refused);

    cr_assert_eq(f.calls, 1);
    fixture_done(&f);
}

static void on_handed_over(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    struct fixture *f = *(struct fixture **)user;
    (void)fd;
    (void)ready;
    (void)now_ns;
    note(f, '2');
    np_loop_watch_stop(f->watch);
    finish(f);
}

static void on_before_hand_over(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    static struct fixture *owner;
    struct fixture *f = user;
    (void)fd;
    (void)ready;
    (void)now_ns;
    note(f, '1');
    owner = f;
    np_loop_watch_handler(f->watch, on_handed_over, &owner);
}

static void body_hand_over(struct fixture *f)
{
    f->watch = np_loop_watch_start(f->loop, f->fd[0], NP_LOOP_WRITE, on_before_hand_over, f);
}

Test(loop, a_watch_can_be_handed_to_another_owner)
{
    struct fixture f;
    fixture_init(&f);
    make_pair(&f);

    run_on_loop(&f, body_hand_over);

    cr_assert_str_eq(f.record, "12");
    fixture_done(&f);
}

/* --- the turn-end hook --- */

static struct numbered hook_task;

static void on_turn_end(uint64_t now_ns, void *user)
{
    struct fixture *f = user;
    (void)now_ns;
    note(f, 'h');
    if (f->calls++ == 0)
        np_loop_post(f->loop,
                     &hook_task.task); /* runs before the loop sleeps, and the hook comes again */
    else if (f->calls == 2)
        f->timer[0] = np_loop_timer_start(f->loop, 0, on_timer_finish, f);
}

static void body_hook(struct fixture *f)
{
    note(f, 't');
    hook_task = (struct numbered){.task.run = run_numbered, .f = f, .name = 'p'};
    np_loop_set_turn_end(f->loop, on_turn_end, f);
}

Test(loop, the_hook_comes_after_tasks_and_what_it_brings_up_runs_before_sleeping)
{
    struct fixture f;
    fixture_init(&f);

    run_on_loop(&f, body_hook);
    np_loop_stop(f.loop);

    cr_assert_str_eq(f.record, "thphh");
    fixture_done(&f);
}

/* In a process of its own: libuv opens what all loops share with the first one. 0: made; 1:
 * refused. */
static int create_with(rlim_t descriptors)
{
    const pid_t child = fork();
    if (child == 0) {
        const int next = dup(0);
        const struct rlimit limit = {(rlim_t)next + descriptors, (rlim_t)next + descriptors};
        close(next);
        np_loop *loop;
        np_error err = {0};
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(3);
        const np_status status = np_loop_create(&loop, &err);
        _exit(status == NP_OK ? 0 : status == NP_E_IO && err.text[0] ? 1 : 2);
    }
    int how = 0;
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFEXITED(how), "with %d descriptors: signal %d", (int)descriptors, WTERMSIG(how));
    return WEXITSTATUS(how);
}

Test(loop, without_descriptors_there_is_an_error_and_no_abort)
{
    cr_assert_eq(create_with(0), 1);
    for (rlim_t descriptors = 1; descriptors < 16; descriptors++)
        cr_assert_leq(create_with(descriptors), 1, "with %d descriptors", (int)descriptors);
    cr_assert_eq(create_with(16), 0);
}
