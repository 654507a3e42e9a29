/*
 * The inside of a context: its threads, its engine, its requests. Floor 2.
 *
 * A request holds a reference, so the struct outlives np_context_free; what the struct owns (loop,
 * engine, pool) does not. Therefore everything that reaches for the loop from outside goes through
 * np_context_post, which says no once the loop is going.
 *
 * Order of locks: a request's, then the context's or the pool's or the body store's; never one of
 * these with another.
 */
#ifndef NP_NET_CONTEXT_H
#define NP_NET_CONTEXT_H

#include "async.h"
#include "auth_cache.h"
#include "body.h"
#include "callback_pool.h"
#include "old_origins.h"
#include "transfer.h"
#include <netphase/context.h>

/* How a request hangs in its context's list; guarded by the context's lock. What a context does
 * with one it is told here, since it stands below. */
typedef struct np_context_link {
    struct np_context_link *next, *previous;
    bool linked;
    /* A reference for the context, with its lock held; false: the request is on its way out. */
    bool (*hold)(struct np_context_link *link);
    /* Ends it and drops that reference, without the lock. */
    void (*abort)(struct np_context_link *link);
} np_context_link;

struct np_context {
    _Atomic uint32_t references;
    _Atomic bool disposed; /* np_context_free has begun */

    pthread_mutex_t lock;     /* guards the list of requests */
    np_context_link requests; /* the ring's head */

    /* the way to the loop: no lock, since a poster may lose its processor to the thread it wakes */
    _Atomic bool loop_open;
    _Atomic uint32_t posters; /* threads inside np_context_post */
    np_loop_task last_task;   /* frees the engine on the loop */

    np_loop *loop;
    np_dialer *dialer;
    np_engine *engine;
    np_proxy_resolver *proxies;
    np_callback_pool *pool;
    np_trace *trace; /* NULL: not traced */
    np_producer *producer;
    np_body_store bodies;

    /* loop thread only: results completed in this turn, handed to the pool at its end */
    np_pool_job *finished, **finished_end;
    np_loop_task finish_task;

    np_auth_cache auth_cache; /* loop thread only */
    np_old_origins old_origins;

    /* of the options; read-only */
    uint32_t pool_queue_limit, pool_low_water;
    bool abort_defers_callbacks, lenient_eof, cache_validator_on_pool;
    np_profile profile;
    np_cache_validator_fn cache_validator;
    void *cache_user;
};

static inline void np_context_retain(np_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1,
                              memory_order_relaxed); /* the caller has or borrows one */
}
void np_context_release(np_context *context);

static inline bool np_context_is_disposed(const np_context *context)
{
    return atomic_load_explicit(&context->disposed,
                                memory_order_acquire); /* pairs with np_context_free */
}

/* hold and abort are set already. false: the context is being freed and refuses the request. */
bool np_context_link_request(np_context *context, np_context_link *link);
void np_context_unlink_request(np_context *context, np_context_link *link);

/* false: the loop is going; the task will not run. */
bool np_context_post(np_context *context, np_loop_task *task);

/* Loop thread: np_async_finish at the end of this turn, so that what a turn brings (a header, then
 * a body) costs one wake-up. */
void np_context_finish_later(np_context *context, np_async *async);

#endif
