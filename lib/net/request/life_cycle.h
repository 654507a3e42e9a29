/*
 * The life of a request as two tables: which call is answered how in which state, and which event
 * leads where. Floor 2; pure.
 *
 * docs/contract.md has the same tables for people. What a call needs beyond the state (which family
 * was used first, whether the context still stands) is asked by begin.c around them.
 */
#ifndef NP_NET_LIFE_CYCLE_H
#define NP_NET_LIFE_CYCLE_H

#include <netphase/request.h>

#define NP_REQUEST_STATES 9

/* Calls that a state accepts or refuses. BEGIN_STREAM has its column so that the tables are whole;
 * the request stream fills it. */
typedef enum np_life_call {
    NP_CALL_CONFIGURE,
    NP_CALL_BEGIN_STREAM,
    NP_CALL_BEGIN_RESPONSE,
    NP_LIFE_CALLS
} np_life_call;

typedef enum np_life_answer {
    NP_ANSWER_ACCEPT,
    NP_ANSWER_STARTED,         /* SM-1: too late to change anything */
    NP_ANSWER_STREAM_PENDING,  /* BS-7 */
    NP_ANSWER_STREAM_OBTAINED, /* BS-8 */
    NP_ANSWER_SUBMITTED,       /* BS-9 */
    NP_ANSWER_STREAM_FIRST,    /* GR-4 */
    NP_ANSWER_PENDING,         /* GR-8 */
    NP_ANSWER_OBTAINED,        /* GR-9 */
    NP_ANSWER_FAILED,          /* GR-2, ER-3: the stored failure is the answer */
    NP_ANSWER_ABORTED          /* GR-1, AB-4 */
} np_life_answer;

typedef enum np_life_event {
    NP_LIFE_STREAM_BEGUN,
    NP_LIFE_STREAM_READY,
    NP_LIFE_STREAM_CLOSED,
    NP_LIFE_RESPONSE_BEGUN,
    NP_LIFE_HEADER, /* the final response header, with a status that counts as success */
    NP_LIFE_RESPONSE_CLOSED,
    NP_LIFE_FAILED, /* a network failure before the header, or a response with an error status */
    NP_LIFE_ABORTED,
    NP_LIFE_EVENTS
} np_life_event;

np_life_answer np_life_ask(np_request_state state, np_life_call call);
/* The status and text of an answer; NP_OK for ACCEPT. FAILED has none: the caller has the stored
 * failure. */
np_status np_life_refuse(np_life_answer answer, np_error *err);
/* The state after an event; the same state where the event changes nothing. */
np_request_state np_life_next(np_request_state state, np_life_event event);

#endif
