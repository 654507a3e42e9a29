/*
 * The race of RFC 8305 as a pure state machine: answers, failures and the clock go in, "connect to
 * this", "wait until" and "lost" come out. Floor 2; no I/O, no clock, no memory of its own.
 *
 * np_race_answer puts addresses in, sorted by RFC 6724 and the families in turn; np_race_failed lets
 * the next one start at once; np_race_next says CONNECT to an address, WAIT, or LOST.
 *
 * It begins at once when AAAA brought addresses or both families have answered; when A came alone,
 * after the resolution delay. One more attempt each attempt delay, or as soon as one fails.
 * Addresses that come later are sorted in among those not tried yet.
 */
#ifndef NP_NET_RACE_H
#define NP_NET_RACE_H

#include "address.h"

#define NP_RACE_CANDIDATES 32 /* of one dial; more are not tried */

typedef enum np_race_action {
    NP_RACE_CONNECT, /* start an attempt to *out now */
    NP_RACE_WAIT,    /* for an answer, the end of an attempt, or until *deadline_ns (UINT64_MAX: no
                        timer needed) */
    NP_RACE_LOST     /* every address was tried and has failed, and no answer is to come */
} np_race_action;

typedef struct np_race {
    int64_t resolution_delay_ns, attempt_delay_ns;
    bool (*source)(const np_address *destination, np_address *source);
    np_address
        address[NP_RACE_CANDIDATES]; /* [0, tried) were tried; the rest, in its order, will be */
    size_t tried, count;
    size_t running;              /* attempts */
    bool pending_v4, pending_v6; /* an answer may still come */
    bool begun;
    int last_family;   /* of the last attempt; AF_UNSPEC: none yet */
    uint64_t begin_ns; /* end of the resolution delay; UINT64_MAX: not running */
    uint64_t next_ns;  /* when the next attempt may start */
} np_race;

/* `source` finds source addresses (np_address_source); tests give another. Answers are awaited from
 * the families named. */
void np_race_init(np_race *race, int64_t resolution_delay_ns, int64_t attempt_delay_ns,
                  bool expect_v4, bool expect_v6,
                  bool (*source)(const np_address *destination, np_address *source));
/* A family has answered, addresses[count] with ports; 0: it has none. Addresses known already are
 * left out. */
void np_race_answer(np_race *race, uint64_t now_ns, int family, const np_address *addresses,
                    size_t count);
/* One running attempt has failed. */
void np_race_failed(np_race *race, uint64_t now_ns);
/* What to do now; call it until it answers WAIT or LOST. CONNECT counts the attempt as running. */
np_race_action np_race_next(np_race *race, uint64_t now_ns, np_address *out, uint64_t *deadline_ns);

#endif
