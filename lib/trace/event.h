/*
 * What an event is: 64 bytes, fixed, without pointers. Floor 1.
 *
 * A producer stamps and pushes; nothing else happens on its thread. Texts are references into the
 * ring's own memory (ring.h). What the five words mean is said per type in the table below and
 * nowhere else.
 *
 * A request is known by the producer's number (1 … 2^32-1, counted up per ring, never reused), a
 * connection and a span likewise. The events of one request come in the order in which the producer
 * learned of them; their times may go back by a little (a stamp taken on the caller's thread, a
 * kernel stamp): phases.c clamps, never reorders.
 */
#ifndef NP_TRACE_EVENT_H
#define NP_TRACE_EVENT_H

#include <assert.h>
#include <netphase/phase.h>
#include <stdint.h>

/* Where a stamp came from; stored. */
typedef enum np_source {
    NP_SOURCE_NONE = 0,
    NP_SOURCE_CALL = 1,     /* entry of one of our own functions */
    NP_SOURCE_SYSCALL = 2,  /* right at our own system call */
    NP_SOURCE_KERNEL = 3,   /* the kernel's own stamp */
    NP_SOURCE_CALLBACK = 4, /* a callback of libcurl, OpenSSL, c-ares */
    NP_SOURCE_INFO = 5,
    NP_SOURCE_TEXT = 6,
    NP_SOURCE_IMPORT = 7
} np_source;

/* A reference to a text in the ring: 0 is "none". Made and read by ring.h only. */
typedef uint64_t np_text_ref;

/* X(NAME, comment). The numbers are stored (in `detail`, in `running`, in left-over rings): only
   append. "text" is an np_text_ref. Packed fields are listed from the lowest bit. */
/* clang-format off */
#define NP_EVENTS(X)                                                                                                  \
    X(NONE, "an empty slot")                                                                                          \
    X(CLOCK, "w0 Unix ns at time_ns")                                                                                 \
    X(REQUEST_BEGIN, "the call. w0 method text, w1 origin text 'scheme://host:port', w2 path-and-query text (redacted), "\
                     "w3 hop_of number:32 hop:16 hop_reason:8 purpose:8, w4 proxy_source:8")                          \
    X(PHASE_BEGIN, "w0 phase. Ends the phase that is open at the same instant, where one is")                         \
    X(PHASE_END, "w0 phase. Ignored unless that phase is open. connection is set on the end of queue when it is known")\
    X(CONNECTION_USE, "this request uses `connection`: w0 use (1: it caused the set-up; n: the n-th request on it)")  \
    X(SPAN_BEGIN, "w0 phase:8 kind:8 pad:16 parent span:32, w1 name text")                                            \
    X(SPAN_END, "w0 outcome, w1 detail text (a JSON object, or none), w2 ns of it that count (0: all of it)")           \
    X(HEADER, "w0 direction:8 ordinal:24, w1 name text, w2 value text (redacted)")                                    \
    X(CALLER, "w0 ns for which the begin call held its thread")                                                       \
    X(REQUEST_END, "w0 outcome:8 web_status:8 layer:8 protocol:8 status:16, w1 error_code:32 (signed) flags:32, "     \
                   "w2 received bytes, w3 sent bytes, w4 error text. Ends the open phase; for outcome ok the total ends" \
                   " at the end of receive where that was seen")                                                      \
    X(CONNECTION_OPEN, "w0 origin text, w1 new_because:8 pad:24 unlike number:32, w2 proxy text; request: the one that caused it") \
    X(CONNECTION_PEER, "TCP stands: w0 remote text 'addr:port', w1 local text")                                       \
    X(CONNECTION_TLS, "handshake done: w0 version text, w1 cipher text, w2 alpn text, w3 resumed:8 early_data:8, w4 certificate text (JSON)") \
    X(CONNECTION_READY, "the first request may be sent: w0 protocol")                                                 \
    X(CONNECTION_CLOSE, "w0 requests, w1 sent bytes, w2 received bytes, w3 reason text. Without READY before: set-up failed") \
    X(PROXY, "this request goes through: w0 proxy_source:8, w1 proxy text (none: direct). The last one counts")    \
    X(WIRE, "a piece of what went over the connection: w0 direction:8 (0 sent, 1 received) part:8 (0 header, 1 body, 2 those that " \
            "are only counted) ordinal:48, w1 its length, w2 bytes of it that are kept (part 2: how many pieces), w3 data text") \
    X(LATE, "w0 ns for which the kernel had data of this request and our loop had not looked: added to what is known")  \
    X(TCP, "what TCP says at time_ns: w0 phase that ended or goes on:8 pad:24 rtt us:32, w1 smallest rtt us:32 retransmits:32, "\
           "w2 unacked segments:32 unsent bytes:32, w3 window:32 delivery rate in 1,000 bytes a second:32, "            \
           "w4 busy ms:24 of it held up by the receiver ms:20, by our own buffer ms:20 (each at most all ones)")

/* clang-format on */

typedef enum np_event_type {
#define NP_EVENT_ENUM(NAME, comment) NP_EVENT_##NAME,
    NP_EVENTS(NP_EVENT_ENUM)
#undef NP_EVENT_ENUM
        NP_EVENT_TYPES
} np_event_type;

typedef struct np_event {
    uint64_t time_ns;    /* CLOCK_MONOTONIC */
    uint32_t request;    /* 0: belongs to no request */
    uint32_t connection; /* 0: none */
    uint32_t span;       /* 0: none */
    uint16_t type;       /* np_event_type */
    uint8_t source;      /* np_source */
    uint8_t uncertainty; /* the stamp is right to within 4^uncertainty ns */
    uint64_t word[5];
} np_event;
static_assert(sizeof(np_event) == 64, "an event is one cache line");

/* Stored codes that events carry (schema table `code`). */
enum {
    NP_OUTCOME_OK,
    NP_OUTCOME_FAILED,
    NP_OUTCOME_ABORTED,
    NP_OUTCOME_TIMEOUT,
    NP_OUTCOME_INTERRUPTED
};
enum {
    NP_HOP_FIRST,
    NP_HOP_REDIRECT,
    NP_HOP_AUTH,
    NP_HOP_PROXY_AUTH,
    NP_HOP_RETRY,
    NP_HOP_EXPECT_FAILED
};
enum {
    NP_PROTOCOL_UNKNOWN = 0,
    NP_PROTOCOL_HTTP_0_9 = 9,
    NP_PROTOCOL_HTTP_1_0 = 10,
    NP_PROTOCOL_HTTP_1_1 = 11,
    NP_PROTOCOL_H2 = 20,
    NP_PROTOCOL_H3 = 30
};
typedef enum np_span_kind {
    NP_SPAN_PIECE,
    NP_SPAN_QUERY,
    NP_SPAN_LOOKUP,
    NP_SPAN_ATTEMPT,
    NP_SPAN_HANDSHAKE,
    NP_SPAN_PROXY_HANDSHAKE,
    NP_SPAN_CONNECT_REQUEST,
    NP_SPAN_SOCKS,
    NP_SPAN_PROXY_SOURCE,
    NP_SPAN_PAC_FETCH,
    NP_SPAN_PAC_EVAL,
    NP_SPAN_PAC_CALL,
    NP_SPAN_WPAD_PROBE,
    NP_SPAN_WAIT_FOR_CONNECTION,
    NP_SPAN_WAIT_FOR_SLOT,
    NP_SPAN_CONTINUE_WAIT,
    NP_SPAN_APPLICATION,
    NP_SPAN_LATENESS,
    NP_SPAN_CA_LOAD,
    NP_SPAN_VERIFY,
    NP_SPAN_INFORMATIONAL,
    NP_SPAN_CALLBACK,
    NP_SPAN_PROXY_TRY,
    NP_SPAN_REJECTED_CALL /* belongs to no request */
} np_span_kind;
typedef enum np_span_outcome {
    NP_SPAN_OK,
    NP_SPAN_FAILED,
    NP_SPAN_TIMEOUT,
    NP_SPAN_ABANDONED,
    NP_SPAN_NODATA,
    NP_SPAN_NXDOMAIN,
    NP_SPAN_REFUSED,
    NP_SPAN_UNREACHABLE,
    NP_SPAN_SKIPPED,
    NP_SPAN_UNFINISHED
} np_span_outcome;
typedef enum np_new_because {
    NP_NEW_UNKNOWN,
    NP_NEW_FIRST,
    NP_NEW_FORCED,
    NP_NEW_ALL_BUSY,
    NP_NEW_PEER_CLOSED,
    NP_NEW_DEAD_ON_REUSE,
    NP_NEW_TOO_OLD,
    NP_NEW_OPTIONS_DIFFER,
    NP_NEW_PROXY_DIFFERS,
    NP_NEW_EVICTED,
    NP_NEW_LEASE_OVER,
    NP_NEW_GROUP_DIFFERS
} np_new_because;
enum {
    NP_LAYER_OURS,
    NP_LAYER_CURL,
    NP_LAYER_DNS,
    NP_LAYER_OS,
    NP_LAYER_TLS
};     /* np_error.layer as a number: NULL "curl" "dns" "os" "tls" */
enum { /* request.flags */
       NP_FLAG_EARLY_RESPONSE = 1,
       NP_FLAG_SEND_IN_WAIT = 2,
       NP_FLAG_SUMMED_HOPS = 4,
       NP_FLAG_TUNNEL_IN_TLS = 8,
       NP_FLAG_PRECONNECT = 16,
       NP_FLAG_EVENTS_LOST = 32,
       NP_FLAG_DNS_CACHED = 64,
       NP_FLAG_BODY_TRUNCATED = 128,
       NP_FLAG_INCONSISTENT_IMPORT = 256,
       NP_FLAG_CLAMPED = 512,
       NP_FLAG_CONNECT_LEFT = 1024, /* its own connect was under way when another connection became
                                       idle, and it took that one */
       NP_FLAG_COUNTED = 2048 /* spans were kept: what is counted from them and not told is 0 */
};

#endif
