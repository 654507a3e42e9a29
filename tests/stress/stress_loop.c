/*
 * Hammers the loop from many threads: posts, timers and watches on the loop, start and stop in
 * turn. Under the thread sanitizer this shows that a task's memory is handed over properly, both
 * ways; without it, that nothing is lost or runs twice.
 */
#include "clock.h"
#include "loop.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 6, TASKS = 3000, ROUNDS = 5 };

struct job {
    np_loop_task task;
    struct state *state;
    int payload; /* written by the posting thread, read on the loop */
};

struct state {
    np_loop *loop;
    long sum; /* loop thread only */
    long runs;
    long timers;
    long hooks;
    int pair[2];
    np_loop_watch *watch;
    long echoed;
    struct job jobs[THREADS][TASKS];
};

static void on_timer(uint64_t now_ns, void *user)
{
    struct state *s = user;
    (void)now_ns;
    s->timers++;
}

static void run_job(np_loop_task *task)
{
    struct job *job = (struct job *)task;
    struct state *s = job->state;
    s->sum += job->payload;
    s->runs++;
    np_loop_timer *timer = np_loop_timer_start(
        s->loop, np_loop_now(s->loop) + (uint64_t)(job->payload % 3) * 300000u, on_timer, s);
    if (job->payload % 2)
        np_loop_timer_cancel(timer);
    if (job->payload % 100 == 0)
        (void)!write(s->pair[1], "x", 1);
}

static void on_ready(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    struct state *s = user;
    (void)now_ns;
    char bytes[64];
    if (ready & NP_LOOP_READ) {
        const ssize_t n = read(fd, bytes, sizeof bytes);
        s->echoed += n > 0 ? n : 0;
    }
    np_loop_watch_change(s->watch, s->echoed % 2 ? NP_LOOP_READ : NP_LOOP_READ | NP_LOOP_WRITE);
    if (ready == NP_LOOP_WRITE)
        np_loop_watch_change(s->watch, NP_LOOP_READ);
}

static void on_turn_end(uint64_t now_ns, void *user)
{
    struct state *s = user;
    (void)now_ns;
    s->hooks++;
}

static void *post_all(void *argument)
{
    struct job *jobs = argument;
    for (int i = 0; i < TASKS; i++) {
        jobs[i].payload = i;
        np_loop_post(jobs[i].state->loop, &jobs[i].task);
    }
    return NULL;
}

static int run_round(struct state *s)
{
    np_error err;
    if (np_loop_create(&s->loop, &err) != NP_OK ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s->pair) != 0)
        return 1;
    s->sum = s->runs = s->timers = s->hooks = s->echoed = 0;
    s->watch = np_loop_watch_start(s->loop, s->pair[0], NP_LOOP_READ, on_ready, s);
    np_loop_set_turn_end(s->loop, on_turn_end, s);
    if (np_loop_start(s->loop, &err) != NP_OK)
        return 1;

    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < TASKS; k++)
            s->jobs[i][k] = (struct job){.task.run = run_job, .state = s};
        pthread_create(&thread[i], NULL, post_all, s->jobs[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    np_loop_stop(s->loop); /* at once: everything posted must have run all the same */
    np_loop_free(s->loop);
    close(s->pair[0]);
    close(s->pair[1]);

    const long expected = (long)THREADS * TASKS * (TASKS - 1) / 2;
    if (s->runs != (long)THREADS * TASKS || s->sum != expected || s->hooks == 0) {
        fprintf(stderr,
                "stress_loop: %ld runs, sum %ld, %ld hooks; expected %d, %ld, more than 0\n",
                s->runs, s->sum, s->hooks, THREADS * TASKS, expected);
        return 1;
    }
    return 0;
}

int main(void)
{
    struct state *s = calloc(1, sizeof *s);
    int failed = s == NULL;
    for (int i = 0; i < ROUNDS && !failed; i++)
        failed = run_round(s);
    free(s);
    return failed;
}
