/* The race of RFC 8305 with a clock of our own. */
#include "clock.h"
#include "race.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MS(n) ((uint64_t)(n)*NP_NS_PER_MS)

/* Every address has a route, and the source equals it. */
static bool source(const np_address *destination, np_address *out)
{
    *out = *destination;
    return true;
}

static bool no_v6(const np_address *destination, np_address *out)
{
    *out = *destination;
    return destination->any.sa_family == AF_INET;
}

static void begin(np_race *race, bool v4, bool v6)
{
    np_race_init(race, 50 * NP_NS_PER_MS, 250 * NP_NS_PER_MS, v4, v6, source);
}

static void answer(np_race *race, uint64_t now_ns, int family, const char *list)
{
    np_address addresses[16];
    char copy[512];
    char *rest = copy;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *text; *list && (text = strsep(&rest, " ")) != NULL; count++) {
        cr_assert(np_address_parse(text, strlen(text), &addresses[count]), "%s", text);
        np_address_set_port(&addresses[count], 443);
    }
    np_race_answer(race, now_ns, family, addresses, count);
}

/* What happens now: "1.1.1.1 2.2.2.2 wait 300" (ms), "wait" without a timer, "lost". */
static const char *run(np_race *race, uint64_t now_ns)
{
    static char out[1024];
    char text[NP_ADDRESS_TEXT];
    np_address address;
    uint64_t deadline_ns;
    out[0] = '\0';
    for (;;) {
        const np_race_action action = np_race_next(race, now_ns, &address, &deadline_ns);
        const size_t length = strlen(out);
        if (action == NP_RACE_CONNECT) {
            snprintf(out + length, sizeof out - length, "%s ",
                     np_address_host_text(&address, text));
            continue;
        }
        if (action == NP_RACE_LOST)
            snprintf(out + length, sizeof out - length, "lost");
        else if (deadline_ns == UINT64_MAX)
            snprintf(out + length, sizeof out - length, "wait");
        else
            snprintf(out + length, sizeof out - length, "wait %llu",
                     (unsigned long long)(deadline_ns / NP_NS_PER_MS));
        return out;
    }
}

Test(race, a_alone_waits_for_the_resolution_delay)
{
    np_race race;
    begin(&race, true, true);

    cr_assert_str_eq(run(&race, MS(1000)), "wait");
    answer(&race, MS(1010), AF_INET, "192.0.2.1");
    cr_assert_str_eq(run(&race, MS(1010)), "wait 1060");
    cr_assert_str_eq(run(&race, MS(1059)), "wait 1060");
    cr_assert_str_eq(run(&race, MS(1060)), "192.0.2.1 wait");
}

Test(race, aaaa_first_starts_at_once)
{
    np_race race;
    begin(&race, true, true);

    answer(&race, MS(1010), AF_INET6, "2001:db8::1");

    cr_assert_str_eq(run(&race, MS(1010)), "2001:db8::1 wait");
}

Test(race, both_there_start_at_once_with_the_families_in_turn)
{
    np_race race;
    begin(&race, true, true);

    answer(&race, MS(1010), AF_INET, "192.0.2.1 192.0.2.2");
    cr_assert_str_eq(run(&race, MS(1010)), "wait 1060");
    answer(&race, MS(1020), AF_INET6, "2001:db8::1 2001:db8::2");

    cr_assert_str_eq(run(&race, MS(1020)), "2001:db8::1 wait 1270");
    cr_assert_str_eq(run(&race, MS(1270)), "192.0.2.1 wait 1520");
    cr_assert_str_eq(run(&race, MS(1520)), "2001:db8::2 wait 1770");
    cr_assert_str_eq(run(&race, MS(1770)), "192.0.2.2 wait");
}

Test(race, no_aaaa_means_no_delay)
{
    np_race race;
    begin(&race, true, true);

    answer(&race, MS(1000), AF_INET, "192.0.2.1");
    answer(&race, MS(1001), AF_INET6, "");

    cr_assert_str_eq(run(&race, MS(1001)), "192.0.2.1 wait");
}

Test(race, one_family_alone_does_not_wait_for_the_other)
{
    np_race race;
    begin(&race, true, false);

    answer(&race, MS(1000), AF_INET, "192.0.2.1");

    cr_assert_str_eq(run(&race, MS(1000)), "192.0.2.1 wait");
}

Test(race, a_failure_starts_the_next_at_once_and_the_last_one_loses)
{
    np_race race;
    begin(&race, true, false);

    answer(&race, MS(1000), AF_INET, "192.0.2.1 192.0.2.2");
    cr_assert_str_eq(run(&race, MS(1000)), "192.0.2.1 wait 1250");
    np_race_failed(&race, MS(1003));
    cr_assert_str_eq(run(&race, MS(1003)), "192.0.2.2 wait");
    np_race_failed(&race, MS(1004));
    cr_assert_str_eq(run(&race, MS(1004)), "lost");
}

Test(race, it_is_not_lost_while_an_answer_may_come)
{
    np_race race;
    begin(&race, true, true);

    answer(&race, MS(1000), AF_INET6, "2001:db8::1");
    cr_assert_str_eq(run(&race, MS(1000)), "2001:db8::1 wait");
    np_race_failed(&race, MS(1001));
    cr_assert_str_eq(run(&race, MS(1001)), "wait");
    answer(&race, MS(1500), AF_INET, "192.0.2.1");
    cr_assert_str_eq(run(&race, MS(1500)), "192.0.2.1 wait");
    np_race_failed(&race, MS(1501));
    cr_assert_str_eq(run(&race, MS(1501)), "lost");
}

Test(race, late_addresses_join_with_the_family_that_was_not_tried_last)
{
    np_race race;
    begin(&race, true, true);

    answer(&race, MS(1000), AF_INET, "192.0.2.1 192.0.2.2");
    cr_assert_str_eq(run(&race, MS(1050)), "192.0.2.1 wait 1300");
    answer(&race, MS(1100), AF_INET6, "2001:db8::1");
    cr_assert_str_eq(run(&race, MS(1100)), "wait 1300");
    cr_assert_str_eq(run(&race, MS(1300)), "2001:db8::1 wait 1550");
    cr_assert_str_eq(run(&race, MS(1550)), "192.0.2.2 wait");
}

Test(race, a_family_without_a_route_goes_last)
{
    np_race race;
    np_race_init(&race, 50 * NP_NS_PER_MS, 250 * NP_NS_PER_MS, true, true, no_v6);

    answer(&race, MS(1000), AF_INET6, "2001:db8::1 2001:db8::2");
    answer(&race, MS(1000), AF_INET, "192.0.2.1 192.0.2.2");

    cr_assert_str_eq(run(&race, MS(1000)), "192.0.2.1 wait 1250");
    cr_assert_str_eq(run(&race, MS(1250)), "192.0.2.2 wait 1500");
}

Test(race, nothing_found_is_lost)
{
    np_race race;
    begin(&race, true, true);

    answer(&race, MS(1000), AF_INET, "");
    cr_assert_str_eq(run(&race, MS(1000)), "wait");
    answer(&race, MS(1001), AF_INET6, "");
    cr_assert_str_eq(run(&race, MS(1001)), "lost");
}

Test(race, the_same_address_twice_is_tried_once)
{
    np_race race;
    begin(&race, true, false);

    answer(&race, MS(1000), AF_INET, "192.0.2.1 192.0.2.1");

    cr_assert_str_eq(run(&race, MS(1000)), "192.0.2.1 wait");
}
