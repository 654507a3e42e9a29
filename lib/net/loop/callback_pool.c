/* The threads that run the caller's callbacks: a queue, a condition, a count of idle and of woken
 * threads. Floor 2. */
#include "callback_pool.h"
#include "fail.h"
#include <pthread.h>
#include <stdlib.h>

struct np_callback_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    np_pool_job *first, *last;
    size_t queued;
    uint32_t idle; /* threads that wait on `work`, the woken ones included */
    bool waking;   /* one of them was signalled and has not run yet */
    bool stopping; /* threads leave when the queue is empty */
    bool stopped;  /* all have left: nobody would run a job */
    uint32_t thread_count;
    pthread_t threads[];
};

/* With the lock held. */
static void wake_one(np_callback_pool *pool)
{
    if (pool->first && pool->idle > 0 && !pool->waking) {
        pool->waking = true;
        pthread_cond_signal(&pool->work);
    }
}

/* With the lock held. NULL: the pool is stopping and nothing is queued. */
static np_pool_job *take(np_callback_pool *pool)
{
    while (!pool->first && !pool->stopping) {
        pool->idle++;
        pthread_cond_wait(&pool->work, &pool->lock);
        pool->idle--;
        pool->waking = false;
    }
    np_pool_job *job = pool->first;
    if (!job)
        return NULL;
    pool->first = job->next;
    if (!pool->first)
        pool->last = NULL;
    pool->queued--;
    wake_one(pool);
    return job;
}

static void *work(void *argument)
{
    np_callback_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (np_pool_job *job; (job = take(pool)) != NULL;) {
        pthread_mutex_unlock(&pool->lock);
        job->run(job); /* the job's memory is gone from here on */
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

np_status np_callback_pool_create(uint32_t threads, np_callback_pool **out, np_error *err)
{
    *out = NULL;
    np_callback_pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);
    if (!pool)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the callback pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (uint32_t i = 0; i < threads; i++) {
        int failure = pthread_create(&pool->threads[i], NULL, work, pool);
        if (failure) {
            np_callback_pool_stop(pool);
            np_callback_pool_free(pool);
            return np_fail_os(err, NP_E_NO_MEMORY, failure,
                              "callback thread %u of %u could not be started", i + 1, threads);
        }
        pool->thread_count++;
    }
    *out = pool;
    return NP_OK;
}

bool np_callback_pool_push(np_callback_pool *pool, np_pool_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    const bool taken = !pool->stopped;
    if (taken) {
        if (pool->last)
            pool->last->next = job;
        else
            pool->first = job;
        pool->last = job;
        pool->queued++;
        wake_one(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

/* What a thread pushed after its last look at the queue is taken by the others; what comes after
 * the last join is run here. */
void np_callback_pool_stop(np_callback_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);

    pthread_mutex_lock(&pool->lock);
    for (np_pool_job *job; (job = take(pool)) != NULL;) {
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
    }
    pool->stopped = true;
    pthread_mutex_unlock(&pool->lock);
}

void np_callback_pool_free(np_callback_pool *pool)
{
    if (!pool)
        return;
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

bool np_callback_pool_is_current(const np_callback_pool *pool)
{
    const pthread_t self = pthread_self();
    for (uint32_t i = 0; i < pool->thread_count; i++)
        if (pthread_equal(pool->threads[i], self))
            return true;
    return false;
}

bool np_callback_pool_is_exhausted(np_callback_pool *pool, uint32_t low_water, size_t limit)
{
    pthread_mutex_lock(&pool->lock);
    const bool exhausted = pool->queued >= limit && pool->idle < low_water;
    pthread_mutex_unlock(&pool->lock);
    return exhausted;
}

size_t np_callback_pool_queued(np_callback_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const size_t queued = pool->queued;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}
