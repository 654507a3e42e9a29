/*
 * What the files of the engine share: the engine, service points, connections, easy handles,
 * transfers. Floor 2; loop thread only.
 *
 *   engine ──► service points (scheme, host, port, proxy, group)
 *                ├─ connections: a libcurl share of one each, used by one transfer at a time
 *                │    (HTTP/1.x) or by several (HTTP/2: one a stream)
 *                ├─ queue of transfers
 *                └─ easy handles at rest (last in, first out: TLS sessions live in them on
 *                     libcurl 7.88)
 *
 * - Nothing but the socket call-backs changes while libcurl is on the stack (engine->inside_curl):
 * what is to be closed, removed or started waits in a list until the turn's end. So no function of
 * libcurl is ever called from inside one of its callbacks.
 * - A connection's socket is ours until OPENSOCKET took it (handed_over), then libcurl's until
 * CLOSESOCKET.
 */
#ifndef NP_NET_ENGINE_TYPES_H
#define NP_NET_ENGINE_TYPES_H

#include "field_lines.h"
#include "list.h"
#include "transfer.h"

#include "clock.h"

#include <curl/curl.h>

typedef struct np_service_point np_service_point;
typedef struct np_connection np_connection;
typedef struct np_easy np_easy;
typedef struct np_tunnel np_tunnel;

enum { POINT_BUCKETS = 256, POINTS_KEPT = 256 /* beyond them, those that nothing uses go */ };

struct np_engine {
    np_loop *loop;
    np_dialer *dialer;
    np_producer *producer;     /* NULL: not traced; then no clock is read for boundaries either */
    np_engine_options options; /* its texts are copies */
    int stamping;              /* keeps the kernel stamping packets; -1: nothing is asked */
    CURLM *multi;
    int inside_curl;           /* > 0: libcurl is on the stack */
    uint64_t curl_deadline_ns; /* when libcurl wants to be called; 1: at once; 0: never */
    uint64_t curl_timer_ns;    /* what curl_timer is armed for; 0: not armed */
    np_loop_timer *curl_timer;

    np_connection **by_fd; /* by_fd[fd_count]: whose socket a descriptor is */
    size_t fd_count;
    np_service_point *points[POINT_BUCKETS];
    np_link points_by_use; /* all of them, the one asked for longest ago first */
    size_t point_count;
    np_link changed;                             /* service points whose queue is to be looked at */
    size_t transfer_count;                       /* that have not ended */
    uint32_t connection_count, connecting_count; /* of all service points */
    np_link starving; /* service points where somebody waits for a descriptor */
    np_loop_timer *starving_timer;
    uint64_t refused_until_ns; /* no descriptor is to be had until then */
    np_link resumed;           /* transfers that go on at the turn's end */
    np_link retired;           /* easy handles that wait for being taken out of the multi handle */
    np_transfer *free_transfers;
    np_link nested;         /* tunnels in which TLS runs inside TLS: tunnel.c */
    np_link proxy_memories; /* what proxies have asked for: tunnel_auth.c */
    np_loop_task again;     /* a turn's end that did not get through */
    bool again_posted;
    uint32_t last_number, last_connection; /* given out while nothing is traced */
};

/* What makes two requests use the same connections. */
typedef struct np_pool_key {
    const char *scheme, *host;
    uint16_t port;
    const char *proxy; /* kind, user, password, host, port (transfer_route.c); NULL: direct */
    const np_proxy_entry *via; /* the proxy; not compared, `proxy` says all of it */
    np_proxy_list *via_list;   /* where `via` is in */
    const char *group;         /* connection group; NULL: the common one */
} np_pool_key;

struct np_service_point {
    np_engine *engine;
    np_service_point *next_in_bucket;
    np_link in_engine; /* engine->points_by_use */
    uint32_t hash;
    np_pool_key key; /* its texts are ours */
    bool tls, host_is_literal;
    bool proxy_is_literal;
    const np_proxy_entry *proxy; /* NULL: direct; in proxy_list, to which we have a reference */
    np_proxy_list *proxy_list;
    char *origin;              /* "https://host:443" */
    uint32_t limit;            /* connections; UINT32_MAX: none */
    uint32_t connection_count; /* in every state */
    np_link connections;       /* all of them */
    np_link idle;              /* most recently used first */
    np_link arriving;          /* transfers nobody has looked at */
    np_link waiting;           /* transfers that wait for a connection, first come first */
    np_link awaiting;          /* transfers that wait for the protocol of a set-up */
    uint32_t awaiting_count;
    np_link shared;           /* HTTP/2 connections in use that take one more stream */
    uint32_t setup_count;     /* connections being set up that offer HTTP/2 and may be shared */
    int protocol;             /* that ALPN chose where HTTP/2 was offered: 11, 20; 0: not known */
    bool setup_lost;          /* the last set-up failed: nobody waits for the next one */
    bool setup_changed;       /* awaiting transfers are to be looked at again */
    uint32_t stream_limit;    /* that a new HTTP/2 connection starts with */
    uint32_t careful_limit;   /* the same, after one was closed with requests on it */
    np_link opening;          /* transfers whose own connect is under way */
    np_link changed;          /* in engine->changed */
    np_link in_starving;      /* in engine->starving */
    np_easy *free_easies;     /* last in, first out */
    np_new_because last_loss; /* why the last connection that could have been kept is gone; UNKNOWN:
                                 there was none */
    np_text_ref origin_ref;   /* words of the ring, made once */
    np_text_ref path_ref;
    char path[256]; /* the target path_ref stands for; "" when none */
    np_text_ref method_ref;
    char method[16]; /* the same for the last method */
};

/* The last look at a connection (look.h). */
typedef struct np_look {
    uint64_t looked_ns;         /* when we found it readable; 0: libcurl reads on its own account */
    uint64_t before_ns;         /* the look before this one, at which none of this was there */
    uint64_t asleep_ns;         /* the loop was about to sleep; where it slept */
    uint64_t peeked_ns;         /* the kernel had been asked */
    uint64_t first_ns, last_ns; /* arrival of the first and of the last byte that waited; 0: not
                                   asked, or no stamp */
    uint64_t queued;            /* bytes that waited */
    uint64_t taken;             /* bytes of the response that we had before */
    uint64_t late_ns;           /* that is told apart; 0: none */
    bool slept;                 /* the loop slept when the first of it came */
    bool by_poll;   /* first_ns is no stamp: the loop's poll said then that something is there */
    np_phase setup; /* NP_PHASE_TUNNEL, NP_PHASE_TLS: the connection was being set up; else neither
                     */
} np_look;

typedef enum np_connection_state {
    NP_CONNECTION_CONNECTING,  /* the dialer works */
    NP_CONNECTION_RESERVED,    /* TCP stands and a transfer is about to take it */
    NP_CONNECTION_HANDSHAKING, /* libcurl has it, nothing was sent yet */
    NP_CONNECTION_BUSY,
    NP_CONNECTION_IDLE
} np_connection_state;

typedef enum np_close_reason {
    NP_CLOSE_CONNECT,
    NP_CLOSE_IDLE_PEER,
    NP_CLOSE_STRAY_DATA,
    NP_CLOSE_SERVER,
    NP_CLOSE_TOO_OLD,
    NP_CLOSE_EVICTED,
    NP_CLOSE_FORCED,
    NP_CLOSE_ABORTED,
    NP_CLOSE_FAILED,
    NP_CLOSE_DEAD_ON_REUSE,
    NP_CLOSE_TIMEOUT,
    NP_CLOSE_SHUTDOWN,
    NP_CLOSE_LEASE_OVER,
    NP_CLOSE_GOING_AWAY,
    NP_CLOSE_NO_DESCRIPTOR
} np_close_reason;

/* Who opened a connection is told, on the loop and never from inside np_connection_open: the dialer
   has finished (on failure the connection is then to be closed); connect_timeout is over before the
   connection was ready. */
typedef struct np_connection_handler {
    void (*connected)(np_connection *connection, const np_dial_result *result, uint64_t now_ns);
    void (*timed_out)(np_connection *connection, uint64_t now_ns);
} np_connection_handler;

struct np_connection {
    np_engine *engine;
    np_service_point *point;
    uint32_t number; /* in the trace */
    np_connection_state state;
    CURLSH *share;
    int fd; /* -1: none, or closed */
    bool handed_over, second_connect, ready, tls_begun, tls_done;
    bool single_use; /* closed after its first request */
    bool doomed;     /* takes no more requests, and is closed for `doom` when the last has left */
    np_close_reason doom;
    bool offers_h2; /* to the server, by ALPN */
    bool expected;  /* counted in point->setup_count */
    int protocol;   /* 11, 20; 0: not known yet */
    uint16_t local_port;
    np_loop_watch *watch;
    np_dial *dial;
    np_tunnel *tunnel; /* NULL: direct */
    const np_connection_handler *handler;
    np_link transfers;     /* who uses it, or waits for it to be connected */
    np_transfer *transfer; /* the first of them: over HTTP/1.x the only one; NULL: nobody */
    /* Handles of ours in the multi handle, those included that their transfers have left. */
    uint32_t stream_count, stream_limit;
    uint32_t stream_peak, refused_count; /* streams at once so far; refused by the server */
    uint32_t served_count;               /* complete responses */
    bool broken;                         /* what one request brought down, others lost */
    np_link in_point, in_idle, in_shared;
    np_link easies;             /* handles whose share is ours */
    np_loop_timer *setup_timer; /* connect_timeout */
    np_loop_timer *idle_timer;  /* looks at idle_since_ns when it fires */
    uint64_t idle_since_ns;
    uint64_t requests;
    uint64_t sent_bytes, received_bytes; /* bodies only, what was cut short included */
    uint32_t uses;                       /* what the next use is called, less 1 */
    uint64_t connected_ns;               /* end of connect */
    uint8_t connected_source, connected_uncertainty;
    bool stamped; /* the kernel can be asked when bytes came */
    np_look look;
    uint64_t sampled_ns, slow_sampled_ns; /* TCP was last asked, and because a phase was slow; 0:
                                             never */
    struct sockaddr_storage peer;
    /* TLS, while it is being set up */
    uint64_t handed_over_ns, hello_ns;
    uint64_t flight_ns;          /* right before our Finished was written */
    bool has_spoken, spoke_last; /* our Finished is out; it is the last message */
    uint32_t handshake_span;
    long verify_result; /* X509_V_*, when the handshake ended badly */
};

struct np_easy {
    CURL *handle;
    np_service_point *point;
    np_easy *next_free;
    np_transfer *transfer;     /* whose it is; NULL: at rest, or retired */
    np_connection *connection; /* whose share it points at */
    np_link in_connection, in_retired;
    bool in_multi;
    bool cold, verbose, progress; /* options as set */
    bool many_writes;             /* the request may not be out with one write */
    bool upload;                  /* CURLOPT_UPLOAD, as set */
    long proxy_auth;              /* as set; 0: never */
    bool decode;                  /* CURLOPT_ACCEPT_ENCODING, as set */
    int method_kind;              /* as set */
    long version;                 /* as set: CURL_HTTP_VERSION_*; 0: none */
    char method[32];              /* as set, for a method of its own kind */
    char *url;                    /* as set; url[url_capacity] */
    size_t url_capacity;
    CURLU *parts; /* of `url`, as set; NULL: never */
    /* The request fields as set: list[] are nodes in our own memory whose texts lie in header_text.
     */
    char *header_text;
    size_t header_length, header_capacity;
    struct curl_slist *list;
    size_t list_capacity;
    struct curl_slist *resolve;
    char error[CURL_ERROR_SIZE];
};

typedef enum np_stage {
    NP_STAGE_QUEUE,
    NP_STAGE_SETUP, /* dns, connect, tls */
    NP_STAGE_SEND,
    NP_STAGE_WAIT,
    NP_STAGE_RECEIVE,
    NP_STAGE_PROXY /* before QUEUE: which way it takes is being found out */
} np_stage;

/* Pauses in which the program gave or took no data, of one direction. */
typedef struct np_pauses {
    uint32_t span, count; /* the open one; pauses so far */
    uint64_t began_ns;    /* the pause that is on; 0: none */
    int64_t summed_ns;    /* over the pauses that share the last span */
} np_pauses;

/* The request's body on its way out (upload.c). */
typedef struct np_upload {
    bool told_ready;
    bool header_out;               /* the request's header was written, or a part of it */
    bool asked;                    /* libcurl has asked for the body */
    bool all_given, sent;          /* libcurl has the last byte; it was written */
    bool paused;                   /* upload() answered NP_UPLOAD_PAUSE */
    bool held, released;           /* waits for np_transfer_release_body; that has come */
    bool send_open;                /* the phase `send` has begun, while it was held */
    bool second_round;             /* libcurl wanted to send it again by itself */
    bool unsent_at_end;            /* NP_FLAG_SEND_IN_WAIT */
    uint64_t given_bytes;          /* of the body, to libcurl */
    uint64_t wire_given, wire_out; /* the same with the frame of chunks; what was written of that */
    uint32_t continue_span;
    bool waits_for_continue;
    np_loop_timer *quiet_timer;
    uint64_t active_ns; /* the last sign of life after a final response, by the loop's clock */
} np_upload;

/* What np_transfers_resume has to do, bits. */
enum { NP_GO_RECEIVE = 1, NP_GO_SEND = 2, NP_GO_RELEASE = 4, NP_GO_COMPLETE = 8 };

struct np_transfer {
    np_engine *engine;
    np_service_point *point;
    np_transfer *next_free;
    np_link in_queue; /* of the service point */
    np_link in_connection;
    bool is_awaiting; /* it is in point->awaiting */
    np_link in_resumed;
    unsigned to_do; /* NP_GO_*, while in_resumed */
    np_transfer_spec spec;
    np_transfer_handler handler;
    void *user;
    uint32_t number, hop, hop_of;
    uint8_t hop_reason;

    np_stage stage;
    np_connection *connection; /* the one it uses, or whose connect it waits for */
    np_easy *easy;
    bool wants_h2;              /* HTTP/2 is to be offered */
    bool must_be_new;           /* only a connection that was opened for it will do */
    uint64_t starving_since_ns; /* it wants a descriptor; 0: it does not */
    uint32_t newer_than;        /* only a connection with a higher number will do */
    uint8_t retries;            /* RS-5 */
    bool reused;                /* the connection had been used before */
    bool no_socket;             /* libcurl asked for a socket and none was prepared */
    bool prereq_seen;
    bool answered; /* a response byte has come, of a 1xx too */
    bool decoding; /* body() gets what libcurl makes of the body */
    bool header_done, paused, draining, drained_over, header_too_long;
    bool drain_expired, settled; /* np_transfer_settle */
    bool abort_pending, ended;
    bool left_connect;       /* NP_FLAG_CONNECT_LEFT */
    bool dns_cached;         /* NP_FLAG_DNS_CACHED: its own lookup was answered from the cache */
    int in_handler;          /* > 0: one of its handler calls is on the stack */
    np_error failure;        /* why it was ended by us; status NP_OK: it was not */
    const np_error *refusal; /* np_transfer_refuse; NULL: none */
    np_new_because
        new_because; /* what to say when a connection has to be opened; UNKNOWN: find out */

    uint64_t send_begin_ns, wait_begin_ns, receive_begin_ns;
    uint64_t touched_ns; /* the look that brought something of its response */
    uint32_t late_count;
    uint64_t late_ns;     /* of wait and receive: data was there and the loop had not looked */
    uint64_t send_end_ns; /* only for a request that is sent in several pieces */
    uint64_t last_ns;     /* the last response byte so far */
    uint64_t end_ns;      /* where the hop ended in the trace */
    np_loop_timer *deadline_timer, *drain_timer;
    uint64_t drain_left_bytes;
    uint32_t wait_span; /* for a connection or a slot */
    np_span_kind wait_kind;
    np_pauses receive_pauses, send_pauses;
    np_upload upload;
    struct {
        np_proxy_list *list;     /* NULL: direct; ours */
        np_proxy_lookup *lookup; /* it waits for its list */
        size_t index;            /* of the entry it is at */
        bool is_held;            /* a 407 whose header() waits for what libcurl does about it */
        bool was_again;          /* a second connection was made to answer a 407 */
        uint32_t rounds;         /* that followed a 407 */
    } route;

    int status, protocol;
    int64_t content_length; /* -1: not known */
    int64_t expected_bytes; /* of the body; -1: not known */
    uint64_t received_bytes;
    uint32_t header_event; /* ordinal of the next one */
    size_t header_bytes;   /* of everything that is no body, as it came */
    np_field_lines header;
    struct np_wire *wire; /* wire.c: while its pieces are kept */
};

/* A stamp for a boundary: nothing is read when nothing is traced. */
static inline uint64_t np_engine_stamp(const np_engine *engine)
{
    return engine->producer ? np_now() : 0;
}

/* The queue of this service point is to be looked at before the loop sleeps. */
static inline uint64_t np_transfer_header_limit(const np_transfer *transfer)
{
    return transfer->spec.header_limit_bytes ? transfer->spec.header_limit_bytes
                                             : transfer->engine->options.header_limit_bytes;
}

static inline void np_service_point_changed(np_service_point *point)
{
    if (!np_link_used(&point->changed))
        np_list_push_back(&point->engine->changed, &point->changed);
}

#endif
