/*
 * One attempt of the race: a socket, one non-blocking connect(), and what came of it. Floor 2; loop
 * thread only.
 *
 * connect() is called exactly once on a socket that succeeds; the result is learned from poll and
 * SO_ERROR. The first poll is made right behind connect(): on a local network the answer is there
 * before connect() returns, and a turn of the loop would only be time that nobody accounts for. The
 * kernel then answers 0 to the next connect() on it, and EISCONN to those after: libcurl 7.88 makes
 * that next one itself, and fails on EISCONN. (tests/unit/test_attempt.c pins the property.) A
 * socket whose connect() answers 0 at once would break that, so it is closed and another one tried;
 * when that does the same, the caller gets a third one, not connected, and libcurl has to connect
 * it.
 */
#ifndef NP_NET_ATTEMPT_H
#define NP_NET_ATTEMPT_H

#include "address.h"
#include "dns_query.h"

typedef struct np_attempt np_attempt;

typedef struct np_attempt_spec {
    np_address address;
    np_span_seat seat;
    bool ask_kernel;   /* when it was connected; a reading of TCP goes into the trace */
    bool begins_phase; /* this is the first of its dial: `connect` begins right before its connect()
                        */
    int (*connect)(int fd, const struct sockaddr *address,
                   socklen_t size); /* NULL: connect(2); tests give another */
} np_attempt_spec;

/* error_number 0: connected, `fd` is owned by the callee. Otherwise the socket is closed. The
 * attempt is gone when this returns. */
typedef void (*np_attempt_fn)(np_attempt *attempt, int error_number, int fd, uint64_t now_ns,
                              void *user);

/* From inside `fn`, connected: since when, right to within its uncertainty. */
np_stamp np_attempt_connected(const np_attempt *attempt);

typedef enum np_attempt_status {
    NP_ATTEMPT_RUNNING,
    NP_ATTEMPT_CONNECTED,  /* connect() answered EINPROGRESS, and the answer was there already */
    NP_ATTEMPT_FAILED,     /* at once */
    NP_ATTEMPT_UNCONNECTED /* connect() answered 0 at once, twice: `fd` is a fresh socket that is
                              not connected */
} np_attempt_status;

/* What came at once. */
typedef struct np_attempt_outcome {
    int error_number; /* NP_ATTEMPT_FAILED; else 0 */
    int fd;           /* owned by the caller; -1: none */
    np_stamp since;   /* NP_ATTEMPT_CONNECTED: as np_attempt_connected */
} np_attempt_outcome;

/* Only when it is NP_ATTEMPT_RUNNING there is an attempt, and `fn` will be called. */
np_attempt_status np_attempt_start(np_loop *loop, const np_attempt_spec *spec, np_attempt_fn fn,
                                   void *user, np_attempt **out, np_attempt_outcome *outcome);
/* Before `fn`: closes the socket, its span ends as abandoned. */
void np_attempt_cancel(np_attempt *attempt, uint64_t now_ns);
/* The request goes on without it: its span ends as abandoned, the attempt goes on. */
void np_attempt_disown(np_attempt *attempt, uint64_t now_ns);
const np_address *np_attempt_address(const np_attempt *attempt);

#endif
