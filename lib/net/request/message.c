/* What the loop is to do for a request. Floor 2. */
#include "message.h"
#include "clock.h"

#define DRAIN_BYTES (64u * 1024)
#define DRAIN_NS    (500 * (uint64_t)NP_NS_PER_MS)

void np_message_drain(np_request *request, np_transfer *transfer)
{
    np_transfer_drain(transfer, DRAIN_BYTES, np_loop_now(request->context->loop) + DRAIN_NS);
}

void np_message_obey(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    const unsigned wanted = request->transfer ? request->wanted : 0;
    if (request->transfer)
        request->wanted = 0;
    const int64_t body_length = (int64_t)request->outgoing.written;
    np_error cause;
    np_block_abort_error(request->abort_cause, &cause);
    pthread_mutex_unlock(&request->lock);

    if (wanted & NP_WANT_ABORT) {
        np_transfer_abort(request->transfer, &cause);
        return;
    }
    if (wanted & NP_WANT_RELEASE)
        np_transfer_release_body(request->transfer, body_length);
    if (wanted & NP_WANT_SEND)
        np_transfer_resume_upload(request->transfer);
    if (wanted & NP_WANT_DRAIN)
        np_message_drain(request, request->transfer);
    else if (wanted & NP_WANT_RESUME)
        np_transfer_resume(request->transfer);
}

static void message_arrived(np_loop_task *task)
{
    np_request *request = (np_request *)((char *)task - offsetof(np_request, message_task));
    pthread_mutex_lock(&request->lock);
    request->message_posted = false;
    const bool goes_on = request->send_closed || request->state == NP_REQUEST_ABORTED;
    void (*const go_on)(np_request *) = goes_on ? request->go_on : NULL;
    if (go_on)
        request->go_on = NULL;
    pthread_mutex_unlock(&request->lock);
    if (go_on)
        go_on(request);       /* it looks at what is wanted itself */
    np_message_obey(request); /* before the start there is no transfer: start_arrived looks again */
    np_request_drop(request);
}

void np_message_ask_locked(np_request *request, unsigned want)
{
    if (request->transfer_gone)
        return;
    request->wanted |= want;
    if (request->message_posted)
        return;
    np_request_hold(request);
    request->message_task.run = message_arrived;
    request->message_posted = np_context_post(request->context, &request->message_task);
    if (!request->message_posted) /* the loop is going, and the engine with it; ours is not the last
                                     reference */
        atomic_fetch_sub_explicit(&request->references, 1, memory_order_relaxed);
}
