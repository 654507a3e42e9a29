/*
 * A request, its response and its stream: one block of memory, three handles. Floor 2.
 *
 *   np_request ─┬─ configuration        set before the start, read-only after it
 *               ├─ life, operation      under `lock`
 *               ├─ response, stream     handles into the same block; may be kept for longer
 *               ├─ body                 filled by the loop, emptied by the reader, under `lock`
 *               └─ transfer             the loop's alone
 *
 * `references` keep the memory: one for the request handle, one for each response and stream
 * handle, one for each living np_async, one for the loop from the start until the transfer is done,
 * one for each message under way to the loop. So a message that comes late finds a request without
 * a transfer, and does nothing.
 *
 * What works on a block stands in layers, each of which knows those before it alone:
 *
 *   message   what the loop is to do: bits under the lock, and one task
 *   reading   the body of the response, and closing it
 *   ending    how everything that is pending ends: a failure, an abort
 *   sending   the body of the request
 *   follow    what comes after an answer that is not the final one
 *   operation what an asynchronous result of each kind is, and its end call
 *   exchange  starting transfers, and what the engine reports of them
 *
 * and on top of them the public faces: request.c, settings.c, settings_follow.c, begin.c,
 * response.c, stream.c.
 */
#ifndef NP_NET_REQUEST_BLOCK_H
#define NP_NET_REQUEST_BLOCK_H

#include "async.h"
#include "body.h"
#include "context.h"
#include "follow_state.h"
#include "header_list.h"
#include "life_cycle.h"
#include "outgoing.h"
#include "url.h"
#include "write_mode.h"

typedef enum np_calling_family {
    NP_CALLING_NONE,
    NP_CALLING_ASYNC,
    NP_CALLING_SYNC
} np_calling_family; /* SM-3 */

enum {
    NP_WANT_RESUME = 1,
    NP_WANT_DRAIN = 2,
    NP_WANT_ABORT = 4,
    NP_WANT_SEND = 8,    /* there are bytes of the request's body, or its end */
    NP_WANT_RELEASE = 16 /* a gathered body is complete */
};

struct np_response {
    np_request *request; /* the block it is part of */
    uint32_t handles;    /* held by callers; guarded by the lock */
    int status;          /* from here on written once, before the operation completes */
    int protocol;
    int64_t content_length;
    const char *uri, *method; /* of the hop that answered */
    np_header_line *headers;  /* headers[header_count], one block */
    size_t header_count;
};

struct np_stream {
    np_request *request;
    bool is_request;  /* it is written */
    uint32_t handles; /* guarded by the lock */
};

struct np_request {
    _Atomic uint32_t references;
    np_context *context; /* a reference */
    np_context_link link;
    pthread_mutex_t lock;
    pthread_cond_t
        changed; /* an operation completed, bytes came, the body ended, the request was aborted */

    /* configuration: changes in CREATED only */
    np_url url;
    const char *method; /* static, or method_copy */
    char *method_copy;
    char *host_header; /* NULL: from the URL */
    np_header_list fields;
    np_reuse reuse;
    const np_proxy *proxy;                     /* a reference; NULL: the context's default */
    int64_t async_timeout_ms;                  /* -1: none */
    int64_t timeout_ms;                        /* of the synchronous family; -1: none */
    int64_t read_write_timeout_ms;             /* of one synchronous read; -1: none */
    int protocol_version;                      /* 10, 11, 20 */
    char *group_name;                          /* of connections; NULL: the common group */
    int64_t content_length;                    /* of the request's body; -1: not set */
    int64_t continue_timeout_ms;               /* -1: for ever */
    int64_t header_limit_kib, error_limit_kib; /* of the response; -1: none */
    int64_t date_s, modified_since_s;          /* as they were set; NP_TIME_NONE: they were not */
    char *transfer_encoding;                   /* besides chunked; NULL: none */
    char *expect;                              /* besides 100-continue; NULL: nothing */
    char *url_host; /* what Host says without host_header; NULL until somebody asks */
    bool send_chunked, buffering, read_buffering, keep_alive, expect_continue;
    np_continue_fn continue_fn; /* NULL: none */
    void *continue_user;

    /* guarded by the lock */
    np_request_state state;
    np_calling_family family;
    bool released;     /* the request handle is gone */
    bool has_response; /* GR-15 */
    bool response_closed;
    bool operation_dropped;    /* its last reference is gone: nobody can end it any more */
    np_web_status abort_cause; /* 0: not aborted */
    bool pool_exhausted;       /* and this is why (BS-11) */
    bool lost_bytes;           /* bytes of the body had not gone out when it was aborted (AB-6) */
    bool http_1_0;             /* asked for, or all that the origin is known to speak */
    bool stream_was_taken;     /* when the response was asked for (BS-13) */
    np_async operation;        /* get response */
    np_body body;
    bool body_ended;   /* no byte will come */
    bool body_cut;     /* error_limit_kib was reached: what follows is not wanted */
    bool body_limited; /* an error response: at most body_left bytes more */
    uint64_t body_left;
    np_error body_failure; /* why, when it was not the end of the body */
    bool reading;          /* a read is under way */
    np_async *read;        /* … this one, with its buffer; NULL: a synchronous one */
    void *read_buffer;
    size_t read_capacity;
    np_error failure;  /* what ended it (ER-3) */
    bool header_waits; /* the response came before it was asked for */
    np_error refusal;  /* why that is one that should have been followed; status NP_OK: it is not */
    uint64_t until_ns; /* the synchronous family's limit, from its first call on; 0: none */

    /* the request stream (sending.c) */
    np_write_mode write_mode;
    bool stream_begun;
    np_async stream_operation; /* get request stream */
    np_outgoing outgoing;
    bool send_closed; /* nothing more will be written */
    bool send_paused; /* upload() found nothing and no message was sent */
    bool writing;     /* a write is under way */
    np_async *write;  /* … this one, with what is left of it; NULL: a synchronous one */
    const unsigned char *write_data;
    size_t write_left;

    bool paused;         /* body() answered false and no resume was sent */
    bool transfer_gone;  /* done() was called, or it never started */
    unsigned wanted;     /* NP_WANT_*: for the loop */
    bool message_posted; /* it will come and look */

    /* the loop's */
    np_transfer *transfer;
    np_transfer_spec spec;
    np_loop_task start_task, message_task;
    /* The next hop waits until the body is closed, or the request aborted (RS-1); guarded by the
     * lock. NULL: nothing waits. */
    void (*go_on)(np_request *request);
    np_pool_job validate_job;
    np_pool_job continue_job;
    uint32_t continues; /* 100 Continue that came and were not told yet; guarded by the lock */
    _Atomic int64_t caller_blocked_ns; /* -1 until the begin call has posted */

    np_response response;
    np_stream stream;
    np_stream request_stream;

    np_follow follow;
};

/* --- memory --- */

/* What `url` holds is the block's when it succeeds. abort: that of np_context_link. NP_E_NO_MEMORY;
 * NP_E_OBJECT_DISPOSED: the context is being freed. */
np_status np_block_create(np_context *context, const np_url *url,
                          void (*abort)(np_context_link *link), np_request **out, np_error *err);

static inline np_request *np_block_of_link(np_context_link *link)
{
    return (np_request *)((char *)link - offsetof(np_request, link));
}

static inline void np_request_hold(np_request *request)
{
    atomic_fetch_add_explicit(&request->references, 1,
                              memory_order_relaxed); /* the caller has one already */
}
/* One reference; the last one frees the block. No lock held. */
void np_request_drop(np_request *request);

/* The block of a handle that a caller may only look at: its lock is no part of what it sees. NULL
 * for NULL. */
static inline np_request *np_block_of(const np_request *request)
{
    return request ? request->response.request : NULL;
}

/* --- looking; lock held --- */

static inline bool np_block_response_is_pending(const np_request *request)
{
    return request->state == NP_REQUEST_RESPONSE_PENDING;
}

static inline bool np_block_stream_is_pending(const np_request *request)
{
    return request->stream_begun && !np_async_is_done(&request->stream_operation);
}

/* Begun, and its response was not handed to the caller's operation yet. */
static inline bool np_block_is_under_way(const np_request *request)
{
    return request->state >= NP_REQUEST_STREAM_PENDING &&
           request->state <= NP_REQUEST_RESPONSE_PENDING;
}

extern const char np_block_pool_is_exhausted[]; /* BS-11, in words */
np_status np_block_refuse_disposed(const np_request *request, np_error *err);
/* After an abort: request canceled; by an exhausted pool, with that as its cause. */
np_status np_block_refuse_aborted(const np_request *request, np_error *err);
/* Why a caller gets nothing more: disposed, aborted, closed; NP_OK: none of these. */
np_status np_block_refusal_locked(const np_request *request, np_error *err);
/* The error of an operation that an abort with this cause ended. */
void np_block_abort_error(np_web_status cause, np_error *out);

/* Another handle. */
np_response *np_block_response_locked(np_request *request);
np_stream *np_block_request_stream_locked(np_request *request);

#endif
