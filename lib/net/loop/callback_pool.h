/*
 * The threads that run the caller's callbacks. Floor 2; any thread may push.
 *
 * The queue takes whatever comes, since a completion must not get lost; who wants to begin
 * something new asks whether the pool is exhausted. It is never run by the thread that pushes, so a
 * chain of operations that complete at once does not grow a stack (AR-10). A pusher wakes at most
 * one thread, and none while a wake-up is under way: a woken thread wakes the next one itself,
 * before its job, when more is queued. So a batch costs the loop one wake-up, and yet a job that
 * blocks holds up nobody while a thread is idle.
 */
#ifndef NP_NET_CALLBACK_POOL_H
#define NP_NET_CALLBACK_POOL_H

#include <netphase/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NP_POOL_THREADS_DEFAULT 4
#define NP_POOL_THREADS_MAX     64

typedef struct np_callback_pool np_callback_pool;

/* A job is part of the thing it works on and must stay valid until it ran. */
typedef struct np_pool_job {
    struct np_pool_job *next;
    void (*run)(struct np_pool_job *job);
} np_pool_job;

/* threads: 1 … NP_POOL_THREADS_MAX. */
np_status np_callback_pool_create(uint32_t threads, np_callback_pool **out, np_error *err);

/* false: the pool has been stopped and did not take the job. Never waits for a job. */
bool np_callback_pool_push(np_callback_pool *pool, np_pool_job *job);

/* Runs what is queued, and what that pushes, then joins the threads. Not from one of them. */
void np_callback_pool_stop(np_callback_pool *pool);
void np_callback_pool_free(np_callback_pool *pool); /* after stop; NULL allowed */

bool np_callback_pool_is_current(const np_callback_pool *pool); /* are we on one of its threads? */
/* Are fewer than `low_water` threads free, and `limit` jobs or more waiting for one? */
bool np_callback_pool_is_exhausted(np_callback_pool *pool, uint32_t low_water, size_t limit);
size_t np_callback_pool_queued(np_callback_pool *pool); /* jobs that no thread has taken yet */

#endif
