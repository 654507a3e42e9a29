/*
 * The engine: one hop of a request on a connection of ours. Floor 2; loop thread only.
 *
 * engine.c holds the one curl multi handle, the service points with their queues and connections
 * (connection.c: a libcurl share of one each, engine state machine), and the easy handles;
 * curl_events.c is the only reader of libcurl's callbacks and timings. Above it stands the request
 * contract (request.c …); below it dial.c and loop.c. Events of a request from REQUEST_BEGIN to
 * REQUEST_END are emitted here and in dial.c. What is declared here is done in the modules on top
 * of the others: transfer_run.c (its first lines say where a transfer goes), transfer_abort.c,
 * upload.c, easy.c and engine.c.
 */
#ifndef NP_NET_TRANSFER_H
#define NP_NET_TRANSFER_H

#include "dial.h"
#include "loop.h"
#include "producer.h"
#include "proxy.h"
#include <netphase/request.h>
#include <stdatomic.h>

typedef struct np_engine np_engine;
typedef struct np_transfer np_transfer;

typedef struct np_engine_options {
    uint32_t connection_limit;  /* a service point; 0: 2, unlimited to loopback */
    int64_t connect_timeout_ns; /* 0: 30 s */
    int64_t max_idle_time_ns;   /* 0: 100 s; < 0: none */
    const char *ca_file, *ca_path;
    bool insecure;
    np_tls_version tls_minimum, tls_maximum;
    uint32_t header_limit_bytes;      /* 0: 64 KiB */
    int64_t proxy_connect_timeout_ns; /* TCP and TLS to one proxy; 0: 5 s */
    const char *proxy_ca_file;        /* trusted for https proxies; NULL: ca_file */
    bool proxy_insecure;              /* any certificate of an https proxy will do */
    np_proxy_resolver *proxies;       /* who decides on proxies; NULL: all requests go direct */
    int64_t connection_lease_ns;      /* a connection takes no request after it; 0: none; < 0:
                                         closed after each request */
    np_kernel_times kernel_times;
} np_engine_options;

np_status np_engine_create(np_loop *loop, np_dialer *dialer, np_producer *producer,
                           const np_engine_options *options, np_engine **out, np_error *err);
void np_engine_free(
    np_engine *engine); /* every transfer must have ended or been aborted; closes the connections */

typedef struct np_header_line {
    const char *name, *value; /* borrowed */
    size_t name_length, value_length;
} np_header_line;

/* How the body of the request is told from what follows it. */
typedef enum np_body_form {
    NP_BODY_FORM_NONE,    /* there is none, not even an empty one */
    NP_BODY_FORM_LENGTH,  /* body_length bytes */
    NP_BODY_FORM_CHUNKED, /* HTTP/1.1: a chunk for each answer of upload(); HTTP/2: until its end */
} np_body_form;

/* What one hop is made of. Everything is borrowed until `done` was called. */
typedef struct np_transfer_spec {
    const char *method;
    const char *url;           /* absolute, without fragment and user info */
    const char *scheme, *host; /* host without brackets, lower case */
    uint16_t port;
    const char *target;            /* path and query, at least "/" */
    const char *host_header;       /* NULL: from the URL */
    const np_header_line *headers; /* request fields, Accept and User-Agent included where set */
    size_t header_count;
    np_reuse reuse;
    uint64_t begin_ns;    /* entry of the begin call: where `queue` begins */
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none. Over: Web/TIMEOUT, outcome timeout */
    const _Atomic int64_t
        *caller_blocked_ns; /* written by the calling thread when begin returns; -1 until then */
    uint32_t hop, hop_of;   /* 0 for a first hop; hop_of: request number of hop 0 */
    uint8_t hop_reason;
    int version; /* 0 and 11: HTTP/1.1; 10; 20: HTTP/2 where TLS and ALPN agree, else 1.1 */
    const char
        *group; /* connection group: a pool of connections of its own; NULL: the common one */
    np_body_form body_form;
    int64_t body_length;  /* LENGTH: bytes; with `hold` it comes with np_transfer_release_body */
    bool hold;            /* LENGTH: ready when a connection is there, and nothing is sent before
                             np_transfer_release_body */
    bool expect_continue; /* Expect: 100-continue, where there is a body of more than 0 bytes */
    int64_t
        continue_timeout_ns; /* the body is held back for as long; 0: not at all; -1: for ever */
    const np_proxy_settings *proxy; /* what the request asks for; NULL: the default of `proxies` */
    np_proxy_list *proxy_list; /* the way is known: these, and nobody is asked; NULL: it is not */
    bool decode; /* the body is handed out without its Content-Encoding; Accept-Encoding is among
                    the fields */
    bool close_after;   /* the connection is not kept */
    const char *expect; /* of Expect, besides 100-continue; NULL: nothing */
    uint64_t
        header_limit_bytes; /* of the response's header and all that is no body; 0: the engine's */
} np_transfer_spec;

/* upload() has nothing to give now: it is called again after np_transfer_resume_upload. */
#define NP_UPLOAD_PAUSE ((ptrdiff_t)-1)

typedef struct np_transfer_handler {
    /* The final response header is complete (once; not on transport failure). Status and fields by
     * np_transfer_* below. */
    void (*header)(np_transfer *transfer, void *user);
    /* Body bytes. true: all taken. false: nothing taken, the transfer pauses until
     * np_transfer_resume, then they come again. */
    bool (*body)(np_transfer *transfer, const void *data, size_t length, void *user);
    /* The last call. failure NULL: complete. The transfer is gone when this returns. */
    void (*done)(np_transfer *transfer, const np_error *failure, void *user);

    /* The four of a body; NULL allowed where the spec has none. */

    /* The body may be given, once: a connection is there (hold); the request's header was sent and
       the server or the time let the body go; or a final response came instead, then before
       header(). */
    void (*ready)(np_transfer *transfer, void *user);
    /* Up to `capacity` bytes for the wire (of LENGTH never more than are left): how many, 0 for the
       end of a CHUNKED body, or NP_UPLOAD_PAUSE. Not called before ready(). */
    ptrdiff_t (*upload)(np_transfer *transfer, void *out, size_t capacity, void *user);
    /* Everything upload() gave is wanted again, from its first byte. false: it is gone. */
    bool (*rewind)(np_transfer *transfer, void *user);
    /* 100 Continue came. */
    void (*continued)(np_transfer *transfer, void *user);
} np_transfer_handler;

/* Starts a hop: into the queue of its service point. Handler calls never come from inside this.
 * NULL: no memory. */
np_transfer *np_transfer_start(np_engine *engine, const np_transfer_spec *spec,
                               const np_transfer_handler *handler, void *user);
/* Ends it now with `cause` (web status REQUEST_CANCELED or TIMEOUT): `done` is called before this
   returns, unless we are inside one of its handler calls: then right after that returns. The
   connection is closed, not pooled. */
void np_transfer_abort(np_transfer *transfer, const np_error *cause);
/* Goes on after body() answered false. */
void np_transfer_resume(np_transfer *transfer);
/* The reader is gone: what comes is thrown away, up to max_bytes and until deadline_ns, to keep the
   connection; then it is dropped. The outcome stays ok when the body ended, and is `aborted`
   otherwise. body() is not called again. */
void np_transfer_drain(np_transfer *transfer, uint64_t max_bytes, uint64_t deadline_ns);

/* Goes on after upload() answered NP_UPLOAD_PAUSE; nothing happens when it did not. */
void np_transfer_resume_upload(np_transfer *transfer);
/* Of a spec with `hold`, after ready(): the body has `length` bytes, now the request is sent. */
void np_transfer_release_body(np_transfer *transfer, int64_t length);

/* Whoever started it has looked at its final header and will not go on from there: with `why`,
   borrowed until `done` was called, the trace calls the hop failed, although the response is whole.
 */
void np_transfer_refuse(np_transfer *transfer, const np_error *why);
/* The answer has served its purpose with its header: a rest of its body that is too long or too
   late to be drained costs the connection, and the trace calls the hop ok. */
void np_transfer_settle(np_transfer *transfer);

uint32_t np_transfer_number(
    const np_transfer *transfer); /* the request number in the trace; a new one when RS-5 sends it
                                     again, so take hop_of of later hops right after the start */
uint32_t np_transfer_hop(const np_transfer *transfer); /* spec.hop, or one more when RS-5 has sent
                                                          it again: a later hop is this + 1 */
/* In done(): where this hop ends in the trace, and so where a later one begins. */
uint64_t np_transfer_end_ns(const np_transfer *transfer);
/* In header(), of a 407: is there an answer to it that was not given? Then libcurl could not send
 * the body again. */
bool np_transfer_may_answer_proxy(const np_transfer *transfer);
int np_transfer_status(const np_transfer *transfer);             /* 0 before the header */
int np_transfer_protocol(const np_transfer *transfer);           /* 10, 11, 20 */
int64_t np_transfer_content_length(const np_transfer *transfer); /* -1: not known */
/* After the header: does body() get something else than what came over the wire? The length is not
 * known then. */
bool np_transfer_decodes(const np_transfer *transfer);
/* The content codings libcurl takes off, NP_DECOMPRESS_*. Any thread. */
uint32_t np_engine_decoders(void);
/* The final response's fields, in order, borrowed until done() returns. */
const np_header_line *np_transfer_headers(np_transfer *transfer, size_t *count);

#endif
