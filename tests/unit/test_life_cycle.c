/* The tables of the life cycle: every state, every call, every event. */
#include "life_cycle.h"
#include <criterion/criterion.h>

Test(life_cycle, every_call_has_its_answer_in_every_state)
{
    static const struct {
        np_request_state state;
        np_status configure, begin_stream, begin_response; /* NP_E_CANCELED: the stored failure */
    } cases[] = {
        {NP_REQUEST_CREATED,          NP_OK,                  NP_OK,                  NP_OK                 },
        {NP_REQUEST_STREAM_PENDING,   NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION,
         NP_E_PROTOCOL_VIOLATION                                                                            },
        {NP_REQUEST_STREAM_OPEN,      NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION, NP_OK                 },
        {NP_REQUEST_STREAM_CLOSED,    NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION, NP_OK                 },
        {NP_REQUEST_RESPONSE_PENDING, NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION,
         NP_E_INVALID_OPERATION                                                                             },
        {NP_REQUEST_RESPONSE_READY,   NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION,
         NP_E_INVALID_OPERATION                                                                             },
        {NP_REQUEST_CLOSED,           NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION, NP_E_INVALID_OPERATION},
        {NP_REQUEST_FAILED,           NP_E_INVALID_OPERATION, NP_E_CANCELED,          NP_E_CANCELED         },
        {NP_REQUEST_ABORTED,          NP_E_INVALID_OPERATION, NP_E_WEB,               NP_E_WEB              },
    };
    cr_assert_eq(sizeof cases / sizeof *cases, NP_REQUEST_STATES);
    for (size_t i = 0; i < NP_REQUEST_STATES; i++) {
        const np_status expected[NP_LIFE_CALLS] = {cases[i].configure, cases[i].begin_stream,
                                                   cases[i].begin_response};
        for (int call = 0; call < NP_LIFE_CALLS; call++) {
            np_error err = {0};
            const np_life_answer answer = np_life_ask(cases[i].state, (np_life_call)call);
            if (answer == NP_ANSWER_FAILED) {
                cr_assert_eq(expected[call], NP_E_CANCELED, "state %zu call %d", i, call);
                continue;
            }
            cr_assert_eq(np_life_refuse(answer, &err), expected[call], "state %zu call %d: %s", i,
                         call, err.text);
            cr_assert_eq(err.text[0] != '\0', expected[call] != NP_OK,
                         "state %zu call %d has its text", i, call);
        }
    }
}

Test(life_cycle, a_get_goes_its_way)
{
    np_request_state state = NP_REQUEST_CREATED;
    state = np_life_next(state, NP_LIFE_RESPONSE_BEGUN);
    cr_assert_eq(state, NP_REQUEST_RESPONSE_PENDING);
    state = np_life_next(state, NP_LIFE_HEADER);
    cr_assert_eq(state, NP_REQUEST_RESPONSE_READY);
    state = np_life_next(state, NP_LIFE_RESPONSE_CLOSED);
    cr_assert_eq(state, NP_REQUEST_CLOSED);
}

Test(life_cycle, a_request_with_a_body_goes_its_way)
{
    np_request_state state = NP_REQUEST_CREATED;
    state = np_life_next(state, NP_LIFE_STREAM_BEGUN);
    cr_assert_eq(state, NP_REQUEST_STREAM_PENDING);
    cr_assert_eq(np_life_next(state, NP_LIFE_RESPONSE_BEGUN), NP_REQUEST_RESPONSE_PENDING,
                 "GR-4: where there is no byte to write");
    state = np_life_next(state, NP_LIFE_STREAM_READY);
    cr_assert_eq(state, NP_REQUEST_STREAM_OPEN);
    cr_assert_eq(np_life_next(state, NP_LIFE_RESPONSE_BEGUN), NP_REQUEST_RESPONSE_PENDING,
                 "GR-3b: closed by itself");
    state = np_life_next(state, NP_LIFE_STREAM_CLOSED);
    cr_assert_eq(state, NP_REQUEST_STREAM_CLOSED);
    cr_assert_eq(np_life_next(state, NP_LIFE_RESPONSE_BEGUN), NP_REQUEST_RESPONSE_PENDING);
}

Test(life_cycle, abort_overrides_every_state_and_nothing_leaves_it)
{
    for (int state = 0; state < NP_REQUEST_STATES; state++)
        cr_assert_eq(np_life_next((np_request_state)state, NP_LIFE_ABORTED), NP_REQUEST_ABORTED);
    for (int event = 0; event < NP_LIFE_EVENTS; event++)
        cr_assert_eq(np_life_next(NP_REQUEST_ABORTED, (np_life_event)event), NP_REQUEST_ABORTED);
}

Test(life_cycle, a_failure_ends_what_is_pending_and_nothing_else)
{
    static const np_request_state after[NP_REQUEST_STATES] = {
        NP_REQUEST_CREATED, NP_REQUEST_FAILED, NP_REQUEST_FAILED,
        NP_REQUEST_FAILED,  NP_REQUEST_FAILED, NP_REQUEST_RESPONSE_READY,
        NP_REQUEST_CLOSED,  NP_REQUEST_FAILED, NP_REQUEST_ABORTED,
    };
    for (int state = 0; state < NP_REQUEST_STATES; state++)
        cr_assert_eq(np_life_next((np_request_state)state, NP_LIFE_FAILED), after[state],
                     "from state %d", state);
}
