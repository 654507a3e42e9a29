/* The threads that run callbacks. */
#include "callback_pool.h"

#include "clock.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct job {
    np_pool_job job; /* first */
    np_callback_pool *pool;
    _Atomic int *ran;
    _Atomic int *gate; /* waits until it is > 0; NULL: does not wait */
    int again;         /* how often it pushes itself once more */
};

static void wait_for(_Atomic int *value, int wanted)
{
    const uint64_t until = np_now() + 20 * NP_NS_PER_S;
    while (*value < wanted) {
        cr_assert_lt(np_now(), until, "waited in vain");
        sched_yield();
    }
}

static void run(np_pool_job *base)
{
    struct job *job = (struct job *)base;
    cr_assert(np_callback_pool_is_current(job->pool));
    if (job->gate) {
        (*job->ran)++;
        wait_for(job->gate, 1);
        return;
    }
    const bool again = job->again-- > 0;
    if (again)
        cr_assert(np_callback_pool_push(job->pool, base));
    else
        (*job->ran)++;
}

static np_callback_pool *pool_make(uint32_t threads)
{
    np_callback_pool *pool;
    cr_assert_eq(np_callback_pool_create(threads, &pool, NULL), NP_OK);
    return pool;
}

Test(callback_pool, every_job_runs_once)
{
    enum { COUNT = 5000 };
    np_callback_pool *pool = pool_make(4);
    _Atomic int ran = 0;
    struct job *jobs = calloc(COUNT, sizeof *jobs);
    for (int i = 0; i < COUNT; i++) {
        jobs[i] = (struct job){.job.run = run, .pool = pool, .ran = &ran};
        cr_assert(np_callback_pool_push(pool, &jobs[i].job));
    }

    np_callback_pool_stop(pool);

    cr_assert_eq(ran, COUNT, "stop runs what is queued");
    cr_assert_eq(np_callback_pool_queued(pool), 0);
    np_callback_pool_free(pool);
    free(jobs);
}

Test(callback_pool, jobs_that_block_do_not_hold_up_idle_threads)
{
    np_callback_pool *pool = pool_make(4);
    _Atomic int ran = 0, gate = 0;
    struct job jobs[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.job.run = run, .pool = pool, .ran = &ran, .gate = &gate};
        cr_assert(np_callback_pool_push(
            pool, &jobs[i].job)); /* one batch: the first wake-up brings the others */
    }

    wait_for(&ran, 4);

    gate = 1;
    np_callback_pool_stop(pool);
    np_callback_pool_free(pool);
}

Test(callback_pool, more_jobs_than_threads_are_queued_and_counted)
{
    np_callback_pool *pool = pool_make(1);
    _Atomic int blocked = 0, gate = 0, ran = 0;
    struct job blocker = {.job.run = run, .pool = pool, .ran = &blocked, .gate = &gate};
    struct job jobs[3];
    cr_assert(np_callback_pool_push(pool, &blocker.job));
    wait_for(&blocked, 1);
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){.job.run = run, .pool = pool, .ran = &ran};
        cr_assert(np_callback_pool_push(pool, &jobs[i].job));
    }

    cr_assert_eq(np_callback_pool_queued(pool), 3);

    gate = 1;
    wait_for(&ran, 3);
    np_callback_pool_stop(pool);
    np_callback_pool_free(pool);
}

Test(callback_pool, a_job_may_push_itself_again_also_while_the_pool_stops)
{
    np_callback_pool *pool = pool_make(2);
    _Atomic int ran = 0;
    struct job job = {.job.run = run, .pool = pool, .ran = &ran, .again = 1000};
    cr_assert(np_callback_pool_push(pool, &job.job));

    np_callback_pool_stop(pool);

    cr_assert_eq(ran, 1);
    np_callback_pool_free(pool);
}

Test(callback_pool, a_stopped_pool_takes_no_job)
{
    np_callback_pool *pool = pool_make(1);
    np_pool_job job = {0};
    np_callback_pool_stop(pool);

    cr_assert_not(np_callback_pool_push(pool, &job));
    cr_assert_not(np_callback_pool_is_current(pool));

    np_callback_pool_free(pool);
    np_callback_pool_free(NULL);
}
