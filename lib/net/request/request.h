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
 * The loop learns what is wanted (abort, drain, resume) from bits under the lock and one task that
 * is posted when there is none under way.
 *
 * A redirect or an authentication is another transfer of the same request: follow.c says so to
 * exchange.c when one ends.
 *
 * request.c is the public face; exchange.c is what happens between the caller's threads and the
 * loop; response.c and stream.c are the public faces of the two other handles.
 */
#ifndef NP_NET_REQUEST_H
#define NP_NET_REQUEST_H

#include "async.h"
#include "body.h"
#include "context.h"
#include "follow.h"
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
    const np_proxy *proxy; /* a reference; NULL: the context's default */
    int64_t async_timeout_ms;      /* -1: none */
    int64_t timeout_ms;            /* of the synchronous family; -1: none */
    int64_t read_write_timeout_ms; /* of one synchronous read; -1: none */
    int protocol_version;          /* 10, 11, 20 */
    char *group_name;              /* of connections; NULL: the common group */
    int64_t content_length;        /* of the request's body; -1: not set */
    int64_t continue_timeout_ms;   /* -1: for ever */
    bool send_chunked, buffering, keep_alive, expect_continue;

    /* guarded by the lock */
    np_request_state state;
    np_calling_family family;
    bool released;     /* the request handle is gone */
    bool has_response; /* GR-15 */
    bool response_closed;
    bool operation_dropped;    /* its last reference is gone: nobody can end it any more */
    np_web_status abort_cause; /* 0: not aborted */
    np_async operation;        /* get response */
    np_body body;
    bool body_ended;       /* no byte will come */
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
    _Atomic int64_t caller_blocked_ns; /* -1 until the begin call has posted */

    np_response response;
    np_stream stream;
    np_stream request_stream;

    np_follow follow;
};

/* --- request.c --- */

/* NP_OK: the lock is held, and the request may be changed (SM-1); np_request_change_end is next. */
np_status np_request_change_begin(np_request *request, np_error *err);
np_status np_request_change_end(np_request *request, np_status status); /* returns `status` */

/* A limit in ms: -1 for none, 0 and more. */
np_status np_request_set_limit(np_request *request, int64_t *limit_ms, int64_t timeout_ms,
                               np_error *err);
np_write_setup np_request_write_setup(const np_request *request);
/* Lock held. Connection: close, where the connection is not to be kept. */
np_status np_request_say_close(np_request *request, np_error *err);
/* The spec of the first hop, without its body. */
void np_request_fill_spec(np_request *request, uint64_t entry_ns);
/* Posts it, and notes for how long the caller was held. */
void np_request_send_off(np_request *request, uint64_t entry_ns);

/* --- exchange.c --- */
static inline void np_request_hold(np_request *request)
{
    atomic_fetch_add_explicit(&request->references, 1,
                              memory_order_relaxed); /* the caller has one already */
}
void np_request_drop(
    np_request *request); /* one reference; the last one frees the block. No lock held */

np_async_setup np_exchange_operation(np_request *request, np_async_kind kind, np_async_fn fn,
                                     void *state, uint32_t references);

/* Lock held. Tells the loop what is wanted: NP_WANT_*. */
void np_exchange_ask_locked(np_request *request, unsigned want);

/* Posts the transfer whose `spec` is filled in; takes a reference. */
void np_exchange_start(np_request *request);

/* Ends everything with `cause`, REQUEST_CANCELED or TIMEOUT; callbacks run here, before it returns
 * (AB-3). Not with the lock held. */
void np_exchange_abort(np_request *request, np_web_status cause);

/* Lock held. Closes response and stream; a read that was pending is completed and returned for
 * np_async_finish. */
np_async *np_exchange_close_locked(np_request *request);
/* Lock held. The same when nobody can reach the response any more. */
np_async *np_exchange_close_unreachable_locked(np_request *request);

/* Lock held. Up to `capacity` bytes; lets a paused transfer go on once there is room. */
size_t np_exchange_take_locked(np_request *request, void *buffer, size_t capacity);

/* Lock held. Starts an asynchronous read; one that completes at once is returned for
 * np_async_finish. */
np_async *np_exchange_read_locked(np_request *request, np_async *async, void *buffer,
                                  size_t capacity);

/* Lock held. Why a caller gets nothing more: disposed, aborted, closed; NP_OK: none of these. */
np_status np_exchange_refusal_locked(const np_request *request, np_error *err);

/* Lock held. What an end call does for every kind (ES-1 … ES-8): checks, claims, waits, and gives
   the operation's failure. NP_OK: the caller may hand out the result. */
np_status np_exchange_end_locked(np_request *request, np_async *async, np_async_kind kind,
                                 np_error *err);

/* Lock held. The response has been asked for, and is there already: completes the operation, and
 * returns it for np_async_finish; NULL: it is not there. */
np_async *np_exchange_early_header_locked(np_request *request);

/* Lock held. Another handle of the response. */
np_response *np_exchange_response_locked(np_request *request);

#endif
