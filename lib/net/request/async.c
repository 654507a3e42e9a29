/* Asynchronous results. Floor 2; any thread. */
#include "async.h"
#include "clock.h"
#include "fail.h"
#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NESTED_MAX 32 /* callbacks of aborts inside callbacks of aborts on one stack */

void np_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool np_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ns)
{
    if (until_ns == 0) {
        pthread_cond_wait(condition, lock);
        return true;
    }
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NP_NS_PER_S),
                                   .tv_nsec = (long)(until_ns % NP_NS_PER_S)};
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

uint64_t np_limit_ns(uint64_t now_ns, int64_t limit_ms)
{
    const uint64_t forever_ms = (UINT64_MAX - now_ns) / NP_NS_PER_MS;
    if (limit_ms < 0 || (uint64_t)limit_ms >= forever_ms)
        return 0;
    return now_ns + (uint64_t)(limit_ms ? limit_ms : 1) * NP_NS_PER_MS;
}

void np_async_init(np_async *async, const np_async_setup *setup)
{
    *async = (np_async){
        .kind = setup->kind,
        .eventfd = -1,
        .fn = setup->fn,
        .state = setup->state,
        .home = setup->home,
        .lock = setup->lock,
        .changed = setup->changed,
        .pool = setup->pool,
        .drop = setup->drop,
    };
    atomic_init(&async->references, setup->references);
    atomic_init(&async->completed, false);
}

static void announce(const np_async *async)
{
    const uint64_t one = 1;
    if (async->eventfd >= 0)
        (void)!write(async->eventfd, &one,
                     sizeof one); /* it stays readable; a full counter would be readable as well */
}

void np_async_complete(np_async *async, const np_error *failure)
{
    assert(!np_async_is_done(async));
    if (failure)
        async->error = *failure;
    atomic_store_explicit(&async->completed, true,
                          memory_order_release); /* pairs with np_async_is_done */
    announce(async);
    pthread_cond_broadcast(async->changed);
}

static void run_callback(np_pool_job *job)
{
    np_async *async = (np_async *)((char *)job - offsetof(np_async, job));
    async->fn(async);
    np_async_release(async);
}

void np_async_finish(np_async *async)
{
    if (!async)
        return;
    if (!async->fn) {
        np_async_release(async);
        return;
    }
    async->job.run = run_callback;
    if (!np_callback_pool_push(async->pool, &async->job))
        run_callback(
            &async->job); /* the context is going and its threads are gone: still exactly once */
}

void np_async_finish_here(np_async *async)
{
    static _Thread_local unsigned nested;
    if (!async)
        return;
    if (!async->fn || nested >= NESTED_MAX) {
        np_async_finish(async);
        return;
    }
    nested++;
    run_callback(&async->job);
    nested--;
}

bool np_async_wait_locked(np_async *async, uint64_t until_ns)
{
    while (!np_async_is_done(async))
        if (!np_condition_wait(async->changed, async->lock, until_ns))
            return np_async_is_done(async);
    return true;
}

/* ---------------------------------------------------------------------------------------------------- public */

void *np_async_state(const np_async *async)
{
    return async ? async->state : NULL;
}

bool np_async_is_completed(const np_async *async)
{
    return async && np_async_is_done(async);
}

bool np_async_completed_synchronously(const np_async *async)
{
    (void)async; /* AR-3: one answer for all of them */
    return false;
}

int np_async_wait(np_async *async, int64_t timeout_ms)
{
    if (!async || np_async_is_done(async))
        return 0;
    if (timeout_ms == 0)
        return 1;
    const uint64_t until_ns = np_limit_ns(np_now(), timeout_ms);
    pthread_mutex_lock(async->lock);
    const bool done = np_async_wait_locked(async, until_ns);
    pthread_mutex_unlock(async->lock);
    return done ? 0 : 1;
}

int np_async_eventfd(np_async *async)
{
    if (!async)
        return -1;
    pthread_mutex_lock(async->lock);
    if (async->eventfd < 0) {
        async->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (np_async_is_done(async))
            announce(async);
    }
    const int fd = async->eventfd;
    pthread_mutex_unlock(async->lock);
    return fd;
}

const np_error *np_async_error(const np_async *async)
{
    return async && np_async_is_done(async) && async->error.status ? &async->error : NULL;
}

np_async *np_async_retain(np_async *async)
{
    if (async)
        atomic_fetch_add_explicit(&async->references, 1,
                                  memory_order_relaxed); /* the caller has one already */
    return async;
}

void np_async_release(np_async *async)
{
    /* acquire and release: whoever drops the last one sees what all others did with the result */
    if (!async || atomic_fetch_sub_explicit(&async->references, 1, memory_order_acq_rel) != 1)
        return;
    if (async->eventfd >= 0)
        close(async->eventfd);
    async->eventfd = -1;
    async->drop(async);
}
