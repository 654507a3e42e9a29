/**
 * The phases a request's time is cut into. They never overlap, and together they are the total,
 * exactly.
 *
 * One table gives the enum, the name, the letter and the meaning; the schema's table `code` says
 * the same and a test compares the two. The numbers are stored in traces and never change.
 */
#ifndef NETPHASE_PHASE_H
#define NETPHASE_PHASE_H

#include <netphase/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, name, letter, meaning) */
#define NP_PHASES(X)                                                                               \
    X(QUEUE, "queue", 'q', "the call until the request may start")                                 \
    X(PROXY, "proxy", 'p', "which proxies to use: environment, WPAD, PAC")                         \
    X(DNS, "dns", 'd', "name resolution of the peer to connect to")                                \
    X(CONNECT, "connect", 'c', "first SYN until TCP is connected")                                 \
    X(TUNNEL, "tunnel", 'x', "TLS to an HTTPS proxy, then CONNECT or SOCKS")                       \
    X(TLS, "tls", 't', "the way to the origin stands until the handshake is done")                 \
    X(SEND, "send", 's', "first byte of the request until its last")                               \
    X(WAIT, "wait", 'w', "last request byte until the first response byte")                        \
    X(RECEIVE, "receive", 'r', "first response byte until the last")                               \
    X(GAP, "gap", '.', "what lies between two phases and could not be attributed")

typedef enum np_phase {
#define NP_PHASE_ENUM(NAME, name, letter, meaning) NP_PHASE_##NAME,
    NP_PHASES(NP_PHASE_ENUM)
#undef NP_PHASE_ENUM
} np_phase;

#define NP_PHASE_COUNT 10

/** Returns the name of a phase ("dns"); static text, "?" for a number that is none. Any thread. */
NP_API const char *np_phase_name(np_phase phase);

/** Returns the letter of a phase ('d'), '?' for a number that is none. Any thread. */
NP_API char np_phase_letter(np_phase phase);

/** Returns one line on what a phase is; static text, "" for a number that is none. Any thread. */
NP_API const char *np_phase_meaning(np_phase phase);

#ifdef __cplusplus
}
#endif
#endif
