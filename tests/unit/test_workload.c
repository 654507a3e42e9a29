/* What `record` sends and when. */
#include "workload.h"
#include <criterion/criterion.h>

static struct workload begun(struct workload w)
{
    workload_begin(&w, 1000);
    return w;
}

Test(workload, closed_loop_keeps_as_many_on_their_way_as_told)
{
    struct workload w = begun((struct workload){.url_count = 1, .per_url = 3, .concurrency = 2});
    size_t url;
    uint64_t at_ns;

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_WAIT);
    cr_assert_eq(at_ns, UINT64_MAX);
    workload_finished(&w);
    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    workload_finished(&w);
    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_END);
}

Test(workload, urls_take_turns_and_each_gets_its_number)
{
    struct workload w = begun((struct workload){.url_count = 3, .per_url = 2, .concurrency = 100});
    unsigned seen[3] = {0};
    size_t url;
    uint64_t at_ns;

    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
        cr_assert_eq(url, i % 3);
        seen[url]++;
    }

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_END);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(seen[i], 2);
}

Test(workload, open_loop_starts_on_schedule_whatever_is_on_its_way)
{
    struct workload w =
        begun((struct workload){.url_count = 1, .per_url = 1000000, .concurrency = 1, .rate = 3});
    size_t url;
    uint64_t at_ns;

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_WAIT);
    cr_assert_eq(at_ns, 1000 + 333333333);
    /* late by far: everything that is due starts at once, none is left out */
    int started = 0;
    while (workload_next(&w, 1000 + 10 * UINT64_C(1000000000), &url, &at_ns) == WORKLOAD_START)
        started++;
    cr_assert_eq(started, 30);
}

Test(workload, schedule_does_not_drift)
{
    struct workload w =
        begun((struct workload){.url_count = 1, .per_url = 1000000, .concurrency = 1, .rate = 7});
    size_t url;
    uint64_t at_ns = 1000;

    for (int i = 0; i < 70000; i++) {
        cr_assert_eq(workload_next(&w, at_ns, &url, &at_ns), WORKLOAD_START);
        cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_WAIT);
    }

    cr_assert_eq(at_ns, 1000 + 10000 * UINT64_C(1000000000));
}

Test(workload, duration_ends_starts_and_ignores_the_number)
{
    struct workload w =
        begun((struct workload){.url_count = 1, .per_url = 1, .concurrency = 5, .duration_ns = 50});
    size_t url;
    uint64_t at_ns;

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    cr_assert_eq(workload_next(&w, 1049, &url, &at_ns), WORKLOAD_START);
    cr_assert_eq(workload_next(&w, 1050, &url, &at_ns), WORKLOAD_END);
}

Test(workload, open_loop_with_a_duration_waits_for_no_start_behind_its_end)
{
    struct workload w = begun((struct workload){
        .url_count = 1, .concurrency = 1, .rate = 1, .duration_ns = INT64_C(500000000)});
    size_t url;
    uint64_t at_ns;

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    cr_assert_eq(workload_next(&w, 1001, &url, &at_ns), WORKLOAD_END);
}

Test(workload, stop_ends_it)
{
    struct workload w = begun((struct workload){.url_count = 1, .per_url = 10, .concurrency = 5});
    size_t url;
    uint64_t at_ns;

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_START);
    workload_stop(&w);

    cr_assert_eq(workload_next(&w, 1000, &url, &at_ns), WORKLOAD_END);
}
