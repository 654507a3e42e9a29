/* The life of a request as two tables. Floor 2; pure. */
#include "life_cycle.h"
#include "fail.h"
#include <assert.h>

/* clang-format off: it does not align designated rows */
/* answers[state][call] */
static const uint8_t answers[NP_REQUEST_STATES][NP_LIFE_CALLS] = {
  /*                              configure          begin stream               begin response */
    [NP_REQUEST_CREATED] = {NP_ANSWER_ACCEPT,  NP_ANSWER_ACCEPT,          NP_ANSWER_ACCEPT  },
    [NP_REQUEST_STREAM_PENDING] = {NP_ANSWER_STARTED, NP_ANSWER_STREAM_PENDING,
                            NP_ANSWER_STREAM_FIRST                                          },
    [NP_REQUEST_STREAM_OPEN] = {NP_ANSWER_STARTED, NP_ANSWER_STREAM_OBTAINED, NP_ANSWER_ACCEPT  },
    [NP_REQUEST_STREAM_CLOSED] = {NP_ANSWER_STARTED, NP_ANSWER_STREAM_OBTAINED, NP_ANSWER_ACCEPT  },
    [NP_REQUEST_RESPONSE_PENDING] = {NP_ANSWER_STARTED, NP_ANSWER_SUBMITTED,       NP_ANSWER_PENDING },
    [NP_REQUEST_RESPONSE_READY] = {NP_ANSWER_STARTED, NP_ANSWER_SUBMITTED,       NP_ANSWER_OBTAINED},
    [NP_REQUEST_CLOSED] = {NP_ANSWER_STARTED, NP_ANSWER_SUBMITTED,       NP_ANSWER_OBTAINED},
    [NP_REQUEST_FAILED] = {NP_ANSWER_STARTED, NP_ANSWER_FAILED,          NP_ANSWER_FAILED  },
    [NP_REQUEST_ABORTED] = {NP_ANSWER_STARTED, NP_ANSWER_ABORTED,         NP_ANSWER_ABORTED },
};

static const struct {
    np_status status;
    const char *text;
} refusals[] = {
    [NP_ANSWER_ACCEPT] = {NP_OK,                   ""                                            },
    [NP_ANSWER_STARTED] = {NP_E_INVALID_OPERATION,  "a request cannot change after it was started"},
    [NP_ANSWER_STREAM_PENDING] = {NP_E_INVALID_OPERATION,
                          "a previous begin call is still in progress"                           },
    [NP_ANSWER_STREAM_OBTAINED] = {NP_E_INVALID_OPERATION,
                          "the request stream was already obtained"                              },
    [NP_ANSWER_SUBMITTED] = {NP_E_INVALID_OPERATION,  "the request was already submitted"           },
    [NP_ANSWER_STREAM_FIRST] = {NP_E_PROTOCOL_VIOLATION,
                          "the request needs its body: obtain the request stream first"          },
    [NP_ANSWER_PENDING] = {NP_E_INVALID_OPERATION,  "the response is already pending"             },
    [NP_ANSWER_OBTAINED] = {NP_E_INVALID_OPERATION,  "the response was already obtained"           },
};
/* clang-format on */

/* A move of the request stream and of the response; what is not listed changes nothing. FAILED and
 * ABORTED are below. */
static const struct {
    uint8_t from, event, to;
} moves[] = {
    {NP_REQUEST_CREATED,          NP_LIFE_STREAM_BEGUN,    NP_REQUEST_STREAM_PENDING  },
    {NP_REQUEST_CREATED,          NP_LIFE_RESPONSE_BEGUN,  NP_REQUEST_RESPONSE_PENDING},
    {NP_REQUEST_STREAM_PENDING,   NP_LIFE_STREAM_READY,    NP_REQUEST_STREAM_OPEN     },
    {NP_REQUEST_STREAM_PENDING,   NP_LIFE_RESPONSE_BEGUN,
     NP_REQUEST_RESPONSE_PENDING                                                      }, /* GR-4: no byte to write */
    {NP_REQUEST_STREAM_OPEN,      NP_LIFE_STREAM_CLOSED,   NP_REQUEST_STREAM_CLOSED   },
    {NP_REQUEST_STREAM_OPEN,      NP_LIFE_RESPONSE_BEGUN,  NP_REQUEST_RESPONSE_PENDING},
    {NP_REQUEST_STREAM_CLOSED,    NP_LIFE_RESPONSE_BEGUN,  NP_REQUEST_RESPONSE_PENDING},
    {NP_REQUEST_RESPONSE_PENDING, NP_LIFE_HEADER,          NP_REQUEST_RESPONSE_READY  },
    {NP_REQUEST_RESPONSE_READY,   NP_LIFE_RESPONSE_CLOSED, NP_REQUEST_CLOSED          },
};

np_life_answer np_life_ask(np_request_state state, np_life_call call)
{
    return (np_life_answer)answers[state][call];
}

np_status np_life_refuse(np_life_answer answer, np_error *err)
{
    if (answer == NP_ANSWER_ACCEPT)
        return NP_OK;
    if (answer == NP_ANSWER_ABORTED)
        return np_fail_web(err, NP_WEB_REQUEST_CANCELED, NULL, 0, NULL, "the request was aborted");
    assert(answer != NP_ANSWER_FAILED);
    return np_fail(err, refusals[answer].status, "%s", refusals[answer].text);
}

np_request_state np_life_next(np_request_state state, np_life_event event)
{
    if (event == NP_LIFE_ABORTED)
        return NP_REQUEST_ABORTED; /* overrides every other state */
    if (event == NP_LIFE_FAILED)   /* once a response was handed out, its body has the failure */
        return state >= NP_REQUEST_RESPONSE_READY || state == NP_REQUEST_CREATED
                   ? state
                   : NP_REQUEST_FAILED;
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (moves[i].from == state && moves[i].event == event)
            return (np_request_state)moves[i].to;
    return state;
}
