/*
 * A model of one request: everything that its life cycle depends on, in few enough values that all
 * orders of calls and of events can be walked through. For property_life_cycle.
 *
 * The state of the request itself is not modelled: it is what the table under test says. Around it
 * the model does what lib/net/request does around life_cycle.c: who is pending, who waits, what the
 * response and the streams have, which handles are held. A body has at most one byte, which is
 * written and read in one piece; how much fits into a buffer is not modelled, only whether it fits.
 */
#ifndef NP_TESTS_LIFE_CYCLE_MODEL_H
#define NP_TESTS_LIFE_CYCLE_MODEL_H

#include "life_cycle.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both tables of life_cycle.c, and which of their entries were asked. */
struct life_table {
    uint8_t answer[NP_REQUEST_STATES][NP_LIFE_CALLS];
    uint8_t next[NP_REQUEST_STATES][NP_LIFE_EVENTS];
    bool answer_asked[NP_REQUEST_STATES][NP_LIFE_CALLS];
    bool next_asked[NP_REQUEST_STATES][NP_LIFE_EVENTS];
};

/* What was set before the start. */
enum model_setup {
    SETUP_GET,
    SETUP_GATHERED, /* POST, neither a length nor chunked */
    SETUP_EMPTY,    /* a length of 0 */
    SETUP_LENGTH,   /* a length of 1 */
    SETUP_CHUNKED,
    SETUPS
};

enum { OPERATION_NONE, OPERATION_PENDING, OPERATION_OK, OPERATION_FAILED };
enum { TRANSFER_NONE, TRANSFER_POSTED, TRANSFER_RUNS, TRANSFER_GONE };

/* One value of the whole; equal values have equal bytes. */
struct model {
    unsigned state : 4;
    unsigned setup : 3;
    unsigned family : 2; /* 0 none, 1 asynchronous, 2 synchronous */
    /* the two operations: their phase; an end call has claimed it; that call has returned; the
     * caller's reference is gone */
    unsigned stream : 2, stream_claimed : 1, stream_served : 1, stream_dropped : 1;
    unsigned response : 2, response_claimed : 1, response_served : 1, response_dropped : 1;
    unsigned writing : 1, reading : 1; /* such an operation is pending */
    unsigned written : 1;              /* the byte of SETUP_LENGTH */
    unsigned send_closed : 1, discarded : 1;
    unsigned has_response : 1, header_waits : 1, header_good : 1, response_closed : 1;
    unsigned bytes : 1, body_ended : 1; /* of the response */
    unsigned transfer : 2, ready : 1;   /* ready() was called */
    unsigned aborted : 1, failed : 1;   /* history: was that ever so */
    /* handles */
    unsigned released : 1, sending : 1, answer : 1, receiving : 1;
};

enum model_action {
    CALL_CONFIGURE,
    CALL_BEGIN_STREAM,
    CALL_GET_STREAM,
    CALL_END_STREAM, /* claims it */
    END_STREAM_RETURNS,
    CALL_DROP_STREAM_RESULT,
    CALL_BEGIN_RESPONSE,
    CALL_GET_RESPONSE,
    CALL_END_RESPONSE,
    END_RESPONSE_RETURNS,
    CALL_DROP_RESPONSE_RESULT,
    CALL_TIME_IS_OVER, /* of a synchronous call that waits */
    CALL_WRITE_FITS,
    CALL_WRITE_WAITS,
    CALL_CLOSE_SENDING,
    CALL_RELEASE_SENDING,
    CALL_FAILED_RESPONSE, /* np_request_response */
    CALL_OPEN_RECEIVING,
    CALL_READ,
    CALL_CLOSE_RESPONSE,
    CALL_RELEASE_RESPONSE,
    CALL_RELEASE_RECEIVING,
    CALL_ABORT,
    CALL_RELEASE_REQUEST,
    LOOP_STARTS,
    LOOP_READY,
    LOOP_HEADER_GOOD,
    LOOP_HEADER_BAD, /* a status that is a failure */
    LOOP_TAKES,      /* the body's bytes: there is room again */
    LOOP_BYTES,      /* of the response */
    LOOP_ENDS,       /* the transfer, well */
    LOOP_FAILS,
    MODEL_ACTIONS
};

extern const char *const model_action_names[MODEL_ACTIONS];

/* What an action did beside leading to the next value. */
struct model_step {
    const char *broken; /* an invariant that does not hold: what is wrong; NULL: all hold */
    bool misled;        /* the state was not what has happened, for a moment within the step */
    bool asked;         /* a begin or configure call: its answer */
    np_life_call call;
    np_life_answer answer;
    bool accepted; /* that call went through, the checks around the table included */
    /* operations that this step completed, each at most once */
    bool stream_completed, response_completed, write_completed, read_completed;
};

/* false: the action cannot happen here. */
bool model_apply(struct model *model, enum model_action action, struct life_table *table,
                 struct model_step *step);

/* What the rules say, from what has happened and not from the state. */
np_request_state model_meaning(const struct model *model);
np_life_answer model_rule(const struct model *model, np_life_call call);

/* Nothing comes any more: neither from the loop nor out of a call that waits. */
bool model_at_rest(const struct model *model);

#endif
