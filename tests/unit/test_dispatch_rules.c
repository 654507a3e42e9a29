/* What a request that needs a connection gets: every combination of what there may be. */
#include "dispatch_rules.h"

#include <criterion/criterion.h>

static np_dispatch_view view_of(unsigned bits)
{
    return (np_dispatch_view){.must_be_new = bits & 1,
                              .has_fitting = bits & 2,
                              .has_idle = (bits & 2) || (bits & 4),
                              .has_room = bits & 8,
                              .may_share = bits & 16,
                              .connection_count = bits & 32 ? 2 : 1,
                              .limit = 2,
                              .has_descriptor = bits & 64,
                              .may_free_one = bits & 128};
}

enum { COMBINATIONS = 256 };

Test(dispatch_rules, an_idle_one_comes_first_then_a_stream_then_waiting_for_a_protocol)
{
    for (unsigned bits = 0; bits < COMBINATIONS; bits++) {
        const np_dispatch_view view = view_of(bits);
        const np_dispatch_choice choice = np_dispatch_choose(&view);
        if (view.must_be_new)
            continue;
        if (view.has_fitting)
            cr_assert_eq(choice, NP_DISPATCH_IDLE, "%#x", bits);
        else if (view.has_room)
            cr_assert_eq(choice, NP_DISPATCH_STREAM, "%#x", bits);
        else if (view.may_share)
            cr_assert_eq(choice, NP_DISPATCH_AWAIT, "%#x", bits);
        else
            cr_assert_gt(choice, NP_DISPATCH_AWAIT, "%#x", bits);
    }
}

Test(dispatch_rules, one_of_its_own_takes_nothing_that_others_use)
{
    for (unsigned bits = 1; bits < COMBINATIONS; bits += 2) {
        const np_dispatch_view view = view_of(bits);
        cr_assert_gt(np_dispatch_choose(&view), NP_DISPATCH_AWAIT, "%#x", bits);
    }
}

Test(dispatch_rules, the_limit_is_never_passed)
{
    for (unsigned bits = 0; bits < COMBINATIONS; bits++) {
        const np_dispatch_view view = view_of(bits);
        const np_dispatch_choice choice = np_dispatch_choose(&view);
        if (view.connection_count < view.limit)
            continue;
        cr_assert(choice != NP_DISPATCH_OPEN && choice != NP_DISPATCH_FREE, "%#x", bits);
        if (choice == NP_DISPATCH_REPLACE)
            cr_assert(view.has_idle, "%#x: nothing to replace", bits);
        if (choice == NP_DISPATCH_WAIT)
            cr_assert_not(view.has_idle, "%#x: waits though one is idle", bits);
    }
}

Test(dispatch_rules, without_a_descriptor_nothing_is_opened)
{
    for (unsigned bits = 0; bits < COMBINATIONS; bits++) {
        const np_dispatch_view view = view_of(bits);
        const np_dispatch_choice choice = np_dispatch_choose(&view);
        if (!view.has_descriptor)
            cr_assert_neq(choice, NP_DISPATCH_OPEN, "%#x", bits);
        if (choice == NP_DISPATCH_NO_DESCRIPTOR)
            cr_assert(!view.has_idle && !view.may_free_one, "%#x: one could be freed", bits);
        if (choice == NP_DISPATCH_FREE)
            cr_assert(view.may_free_one, "%#x", bits);
    }
}
