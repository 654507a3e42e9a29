/*
 * What an operation is while it runs and when it has ended: np_async. Floor 2; any thread.
 *
 * A result is part of something longer-lived (its home): the home's lock guards it, the home's
 * condition announces it, and `drop` gives the home's memory back once the last reference is gone.
 * References: those of the caller, and one of ours from begin until the callback has returned
 * (AR-9).
 *
 *   np_async_init      -> pending
 *   np_async_complete  -> completed            lock held, once
 *   np_async_finish    -> callback, our reference is dropped     no lock held
 */
#ifndef NP_NET_ASYNC_H
#define NP_NET_ASYNC_H

#include "callback_pool.h"
#include <netphase/request.h>
#include <pthread.h>
#include <stdatomic.h>

typedef enum np_async_kind {
    NP_ASYNC_RESPONSE,
    NP_ASYNC_READ,
    NP_ASYNC_STREAM,
    NP_ASYNC_WRITE
} np_async_kind;

struct np_async {
    _Atomic uint32_t references;
    _Atomic bool completed; /* set with the lock held, never back (AR-2) */
    bool ended;             /* an end call has claimed it (ES-7); guarded by the lock */
    np_async_kind kind;
    int eventfd;    /* -1 until asked for; guarded by the lock */
    np_async_fn fn; /* NULL: no callback */
    void *state;
    size_t bytes;   /* a read: how many; set before `completed` */
    np_error error; /* status NP_OK: success; set before `completed` */
    np_request *home;
    pthread_mutex_t *lock;
    pthread_cond_t *changed;
    np_callback_pool *pool;
    void (*drop)(np_async *async); /* after the last reference; frees or recycles it */
    np_pool_job job;
};

typedef struct np_async_setup {
    np_async_kind kind;
    np_request *home;
    pthread_mutex_t *lock;
    pthread_cond_t *changed;
    np_callback_pool *pool;
    void (*drop)(np_async *async);
    np_async_fn fn;
    void *state;
    uint32_t references; /* ours, and the caller's where one is handed out */
} np_async_setup;

void np_async_init(np_async *async, const np_async_setup *setup);

/* Lock held; once. failure NULL: success. The caller then calls np_async_finish without the lock.
 */
void np_async_complete(np_async *async, const np_error *failure);
/* Hands the callback to the pool, or drops our reference where there is none. NULL allowed. */
void np_async_finish(np_async *async);
/* As np_async_finish, but the callback runs here, before it returns (AB-3); nested too deeply it
 * goes to the pool (AR-10). */
void np_async_finish_here(np_async *async);

static inline bool np_async_is_done(const np_async *async)
{
    return atomic_load_explicit(
        &async->completed,
        memory_order_acquire); /* pairs with np_async_complete: error and bytes are set */
}

/* Lock held (released while waiting). until_ns: CLOCK_MONOTONIC, 0: for ever. false: the time is
 * over. */
bool np_async_wait_locked(np_async *async, uint64_t until_ns);
/* The same for any condition variable made by np_condition_init. */
void np_condition_init(pthread_cond_t *condition);
bool np_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ns);

/* CLOCK_MONOTONIC at which a limit given in ms is over; -1: never (0), 0 counts as 1 ms. */
uint64_t np_limit_ns(uint64_t now_ns, int64_t limit_ms);

#endif
