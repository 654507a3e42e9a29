/* The asynchronous results of a request. Floor 2. */
#include "operation.h"
#include "fail.h"
#include "reading.h"
#include "sending.h"
#include <stdlib.h>

/* --- after the last reference --- */

static void operation_dropped(np_async *async)
{
    np_request *request = async->home;
    pthread_mutex_lock(&request->lock);
    request->operation_dropped = true;
    np_async *read = np_reading_close_unreachable_locked(request);
    pthread_mutex_unlock(&request->lock);
    np_async_finish(read);
    np_request_drop(request);
}

/* AR-9: a stream that nobody took is closed. */
static void stream_operation_dropped(np_async *async)
{
    np_request *request = async->home;
    pthread_mutex_lock(&request->lock);
    const bool unreachable = !async->ended && request->request_stream.handles == 0;
    pthread_mutex_unlock(&request->lock);
    if (unreachable)
        (void)np_sending_close(request, NULL); /* nobody is there to be told */
    np_request_drop(request);
}

/* Of a read or a write. */
static void read_dropped(np_async *async)
{
    np_request *request = async->home;
    free(async);
    np_request_drop(request);
}

static void (*const drops[])(np_async *async) = {[NP_ASYNC_RESPONSE] = operation_dropped,
                                                 [NP_ASYNC_STREAM] = stream_operation_dropped,
                                                 [NP_ASYNC_READ] = read_dropped,
                                                 [NP_ASYNC_WRITE] = read_dropped};

np_async_setup np_operation_setup(np_request *request, np_async_kind kind, np_async_fn fn,
                                  void *state, uint32_t references)
{
    return (np_async_setup){
        .kind = kind,
        .home = request,
        .lock = &request->lock,
        .changed = &request->changed,
        .pool = request->context->pool,
        .drop = drops[kind],
        .fn = fn,
        .state = state,
        .references = references,
    };
}

np_status np_operation_end_locked(np_request *request, np_async *async, np_async_kind kind,
                                  np_error *err)
{
    if (async->home != request || async->kind != kind)
        return np_fail(err, NP_E_ARGUMENT,
                       "the result does not come from the begin call of this object");
    if (async->ended)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "end was already called for this result: once per operation");
    async->ended = true;
    (void)np_async_wait_locked(async, 0);
    if (async->error.status) {
        if (err)
            *err = async->error;
        return async->error.status;
    }
    const np_status disposed = np_block_refuse_disposed(request, err);
    if (disposed)
        return disposed;
    if (request->state == NP_REQUEST_ABORTED) /* ES-8: after the result, before this call */
        return np_block_refuse_aborted(request, err);
    return NP_OK;
}
