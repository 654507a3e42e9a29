/*
 * The way through a proxy, while a connection is being set up. Floor 2; loop thread only.
 *
 *   dial the proxy ─► TLS to it (https) ─► CONNECT, round by round, or SOCKS ─► the way stands ─►
 * TLS to the origin phases: dns, connect    └──────────────── phase tunnel ────────────────┘ phase
 * tls
 *
 * A connection through a proxy has an np_tunnel from its opening to its closing; one that goes
 * straight to its origin has none, and every function takes NULL for it. libcurl does the talking;
 * this module says what of it happened when, and remembers what an error message needs.
 */
#ifndef NP_NET_TUNNEL_H
#define NP_NET_TUNNEL_H

#include "address.h"
#include "engine_types.h"

typedef enum np_tunnel_stage {
    NP_TUNNEL_TCP,       /* lookups and connect */
    NP_TUNNEL_PROXY_TLS, /* handshake with the proxy */
    NP_TUNNEL_CONNECT,   /* asking for the way */
    NP_TUNNEL_SOCKS,
    NP_TUNNEL_STANDS /* the way to the origin, or to the proxy that forwards */
} np_tunnel_stage;

struct np_tunnel {
    np_connection *connection;
    const np_proxy_entry *proxy; /* of the service point */
    np_tunnel_stage stage;
    uint32_t request;    /* whose set-up it is, in the trace; 0: nobody's any more */
    size_t index, count; /* which entry of the request's list it is */
    uint32_t try_span, handshake_span, round_span;
    np_loop_timer *timer;            /* the proxy's own part of the set-up takes too long */
    struct np_origin_lookup *lookup; /* the origin's address, before the dial */
    np_address origin;               /* what SOCKS4 and SOCKS5 are told; family 0: nothing */
    np_dial_fn dialed;               /* the connection's */
    bool cold;
    bool origin_failed;        /* the origin's name was not resolved: not the proxy's fault */
    bool timed_out;            /* `timer` fired */
    uint64_t proxy_context_ns; /* when libcurl made its TLS context; 0: not yet */
    bool proxy_tls_begun, proxy_tls_done;
    np_link in_nested;  /* engine->nested, from the end of that handshake on */
    void *proxy_ssl;    /* the SSL of it; libcurl's, good as long as the socket is open */
    int buffered_bytes; /* that were left in it after libcurl had looked */
    bool answered;      /* a byte of an answer to CONNECT has come */
    uint32_t rounds;    /* of CONNECT, begun */
    bool is_complete;   /* the whole header of a final one */
    int status;         /* of the last answer to CONNECT; 0: none */
    unsigned offered;   /* schemes (NP_PROXY_AUTH_…) that its 407 offered */
    long verify_result; /* X509_V_*, when the handshake with the proxy ended badly */
};

/* Is there anything to be done with the proxy between connect and TLS to the origin? */
bool np_tunnel_has_phase(const np_service_point *point);

/* Does the proxy itself send the requests, and nothing goes through it? */
bool np_tunnel_is_forwarding(const np_service_point *point);
/* Is what the way waits for the proxy's to say? */
bool np_tunnel_is_asking(const np_tunnel *tunnel);

/* Begins the try: its span, its time limit, and the dial, which tells `dialed` with the connection.
 * false: no memory. */
bool np_tunnel_open(np_connection *connection, const np_transfer *transfer, uint64_t now_ns,
                    np_dial_fn dialed);
/* Nobody waits for the set-up any more. */
void np_tunnel_disown(np_tunnel *tunnel, uint64_t now_ns);
/* TCP stands, and nobody uses it. */
void np_tunnel_rest(np_tunnel *tunnel);
/* TCP stands and libcurl is about to get the socket, for this request: phase tunnel begins, where
 * there is one. */
void np_tunnel_begin(np_tunnel *tunnel, uint32_t request, uint64_t now_ns, np_source source);
/* libcurl's debug callback. */
void np_tunnel_debug(np_tunnel *tunnel, curl_infotype type, const char *data, size_t length);
/* SSL_CTX_FUNCTION; true: it is the context for the proxy, and has been taken care of. */
bool np_tunnel_ssl_context(np_tunnel *tunnel, void *ssl_ctx);
/* The request is about to be sent: the way stands. */
void np_tunnel_ready(np_tunnel *tunnel, uint64_t now_ns);
/* The try has failed with this error: ends its span. bad_ns: for how long the proxy is avoided; 0:
 * it is not. */
void np_tunnel_failed(np_tunnel *tunnel, const np_error *failure, int64_t bad_ns, uint64_t now_ns);
/* The connection is closed; what is open ends. Frees. */
void np_tunnel_free(np_tunnel *tunnel, uint64_t now_ns, np_span_outcome outcome);

/* TLS to a proxy has taken bytes off the socket that libcurl has not asked for: makes it ask. At a
 * turn's end; true: it did. */
bool np_tunnels_flush(np_engine *engine);

#endif
