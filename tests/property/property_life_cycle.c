/*
 * The life cycle of a request, checked exhaustively: every order of calls and of the loop's events,
 * until no new situation comes up.
 *
 * What is walked through is the product of the shipped tables (np_life_ask and np_life_next, asked
 * for every entry, so there is no copy that could differ) and life_cycle_model.c, a model of what
 * lies around them: two operations, a write and a read, their results and handles, the transfer.
 * In every situation holds:
 *
 *   1. the state is what has happened (section "States" of docs/contract.md), so that ABORTED and
 *      what else is final stays;
 *   2. a call is answered as the rules say, BS-1 to BS-9 and GR-1 to GR-9 in their order: none is
 *      accepted where it has to be refused, and none refused where it has to be accepted;
 *   3. no operation is completed twice, and none that was not begun;
 *   4. nothing is pending after an abort (AB-2);
 *   5. where nothing more comes, every operation that was accepted is complete; and from
 *      everywhere such a place is reached by the loop's events alone, whatever callers do or do
 * not.
 *
 * That a test of this kind can fail is shown on the tables themselves: each entry that any order
 * asks for is replaced by every other value, and each of these some 430 wrong tables is found.
 * Those that lose or double a callback are found by 3 to 5 alone, too.
 *
 * What it proves: no order of calls and events brings the life cycle into a wrong state, as long as
 * the code around the tables does what the model does; that it does so is shown transition by
 * transition by property_life_cycle_library.c. What it does not prove: anything about threads (the
 * lock makes each step one; stress_operations runs those), about the engine below transfer.h, about
 * redirects and authentication, which the life cycle does not see, and about sizes: a body has one
 * byte here.
 */
#include "life_cycle_walk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the invariants --- */

enum { CHECK_STATE = 1, CHECK_ANSWERS = 2, CHECK_COMPLETIONS = 4, CHECK_ALL = 7 };

static const char *judge(const struct model *before, const struct model *after,
                         const struct model_step *step, unsigned checks)
{
    if (checks & CHECK_COMPLETIONS) {
        const bool pending = after->stream == OPERATION_PENDING ||
                             after->response == OPERATION_PENDING || after->writing;
        if (step->broken)
            return step->broken;
        if (model_at_rest(after) && pending)
            return "nothing more comes, and an operation that was accepted is not complete";
        if (after->transfer == TRANSFER_GONE && after->reading)
            return "nothing more comes, and a read is not complete";
    }
    if ((checks & CHECK_ANSWERS) && step->asked && step->answer != model_rule(before, step->call))
        return "a call is not answered as the rules say";
    if ((checks & CHECK_STATE) && (step->misled || after->state != model_meaning(after)))
        return "the state is not what has happened";
    return NULL;
}

/* NULL: everything holds everywhere. Otherwise what does not, and *path the way there when `tell`.
 */
static const char *explore(struct exploration *e, struct life_table *table, unsigned checks,
                           bool tell)
{
    for (unsigned setup = 0; setup < SETUPS; setup++) {
        const struct model start = model_start(setup);
        (void)exploration_add(e, &start, e->count, 0);
    }
    for (uint32_t i = 0; i < e->count; i++) {
        const struct model before = exploration_model(e, i);
        for (int action = 0; action < MODEL_ACTIONS; action++) {
            struct model after = before;
            struct model_step step;
            if (!model_apply(&after, (enum model_action)action, table, &step))
                continue;
            e->steps++;
            const char *wrong = judge(&before, &after, &step, checks);
            if (wrong && tell) {
                exploration_print_path(e, i);
                fprintf(stderr, "  %s: %s\n", model_action_names[action], wrong);
            }
            if (wrong)
                return wrong;
            (void)exploration_add(e, &after, i, (uint8_t)action);
        }
    }
    return NULL;
}

Test(life_cycle_model, every_order_of_calls_and_events_keeps_every_rule)
{
    struct exploration e;
    struct life_table table;
    exploration_init(&e);
    life_table_read(&table);

    const char *wrong = explore(&e, &table, CHECK_ALL, true);

    cr_assert_null(wrong, "%s", wrong);
    fprintf(stderr, "%u situations, %lu steps: every rule holds\n", e.count, e.steps);
    cr_assert_gt(e.count, 10000, "the walk has come to all of it");
    exploration_done(&e);
}

/* 5: a situation with something pending gets to rest by the loop's events and by returns alone. */
Test(life_cycle_model, everything_ends_when_only_the_loop_goes_on)
{
    static const uint8_t own[] = {LOOP_STARTS, LOOP_FAILS, END_STREAM_RETURNS,
                                  END_RESPONSE_RETURNS};
    struct exploration e;
    struct life_table table;
    exploration_init(&e);
    life_table_read(&table);
    cr_assert_null(explore(&e, &table, CHECK_ALL, true));

    for (uint32_t i = 0; i < e.count; i++) {
        struct model m = exploration_model(&e, i);
        struct model_step step;
        for (size_t k = 0; k < sizeof own; k++)
            (void)model_apply(&m, (enum model_action)own[k], &table, &step);
        if (!model_at_rest(&m) || m.writing || m.reading)
            exploration_print_path(&e, i);
        cr_assert(model_at_rest(&m) && !m.writing && !m.reading, "it does not come to rest");
    }
    exploration_done(&e);
}

/* --- wrong tables --- */

struct harvest {
    unsigned tables, found;
};

static void try_wrong(struct life_table *wrong, const char *what, int state, int column, int value,
                      struct harvest *harvest)
{
    struct exploration e;
    exploration_init(&e);
    const bool found = explore(&e, wrong, CHECK_ALL, false) != NULL;
    exploration_done(&e);
    cr_expect(found, "%s [%d][%d] = %d is not found", what, state, column, value);
    harvest->tables++;
    harvest->found += found;
}

static bool is_found_by_completions(struct life_table *wrong)
{
    struct exploration e;
    exploration_init(&e);
    const bool found = explore(&e, wrong, CHECK_COMPLETIONS, false) != NULL;
    exploration_done(&e);
    return found;
}

/* Every entry that is asked on any way, with every other value that it could have. */
Test(life_cycle_model, every_wrong_entry_that_can_be_reached_is_found)
{
    struct exploration e;
    struct life_table shipped;
    struct harvest answers = {0}, moves = {0};
    unsigned by_completions = 0;
    exploration_init(&e);
    life_table_read(&shipped);
    cr_assert_null(explore(&e, &shipped, CHECK_ALL, true));
    exploration_done(&e);

    for (int state = 0; state < NP_REQUEST_STATES; state++) {
        for (int call = 0; call < NP_LIFE_CALLS; call++)
            for (int value = 0; value <= NP_ANSWER_ABORTED; value++) {
                struct life_table wrong = shipped;
                wrong.answer[state][call] = (uint8_t)value;
                if (shipped.answer_asked[state][call] && value != shipped.answer[state][call])
                    try_wrong(&wrong, "answer", state, call, value, &answers);
            }
        for (int event = 0; event < NP_LIFE_EVENTS; event++)
            for (int value = 0; value < NP_REQUEST_STATES; value++) {
                struct life_table wrong = shipped;
                wrong.next[state][event] = (uint8_t)value;
                if (!shipped.next_asked[state][event] || value == shipped.next[state][event])
                    continue;
                try_wrong(&wrong, "next", state, event, value, &moves);
                by_completions += is_found_by_completions(&wrong);
            }
    }

    fprintf(stderr,
            "%u of %u wrong answers and %u of %u wrong moves are found, %u of the moves by lost or "
            "doubled completions alone\n",
            answers.found, answers.tables, moves.found, moves.tables, by_completions);
    cr_assert_gt(answers.tables, 150);
    cr_assert_gt(moves.tables, 150);
    cr_assert_gt(by_completions, 50, "a lost callback is found as such");
}
