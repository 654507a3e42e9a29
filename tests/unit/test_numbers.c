/* Clock, random numbers, histogram. */
#include "clock.h"
#include "histogram.h"
#include "random.h"

#include <criterion/criterion.h>
#include <string.h>

Test(clock, pair_is_of_one_instant)
{
    const uint64_t before = np_now();
    const int64_t wall_before = np_now_unix();
    uint64_t mono;
    int64_t wall;

    np_clock_pair(&mono, &wall);

    cr_assert_geq(mono, before);
    cr_assert_leq(mono, np_now());
    cr_assert_gt(wall_before, INT64_C(1600000000) * NP_NS_PER_S);
    cr_assert_gt(wall, INT64_C(1600000000) * NP_NS_PER_S);
}

Test(random, same_seed_is_the_same_sequence)
{
    np_random a, b, c;
    np_random_seed(&a, 7);
    np_random_seed(&b, 7);
    np_random_seed(&c, 8);

    size_t differ = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t value = np_random_next(&a);
        cr_assert_eq(value, np_random_next(&b));
        differ += value != np_random_next(&c);
    }
    cr_assert_eq(differ, 100);
}

Test(random, generator_is_the_published_one)
{
    /* From the state {1, 2, 3, 4} the authors' reference program gives these. */
    np_random r = {
        {1, 2, 3, 4}
    };

    cr_assert_eq(np_random_next(&r), UINT64_C(11520));
    cr_assert_eq(np_random_next(&r), UINT64_C(0));
    cr_assert_eq(np_random_next(&r), UINT64_C(1509978240));
    cr_assert_eq(np_random_next(&r), UINT64_C(1215971899390074240));
}

Test(random, below_stays_below_and_reaches_everything)
{
    np_random r;
    np_random_seed(&r, 1);
    size_t hits[10] = {0};
    for (int i = 0; i < 10000; i++) {
        const uint64_t value = np_random_below(&r, 10);
        cr_assert_lt(value, 10);
        hits[value]++;
    }
    for (int i = 0; i < 10; i++)
        cr_assert(hits[i] > 800 && hits[i] < 1200, "%d: %zu", i, hits[i]);
    cr_assert_eq(np_random_below(&r, 1), 0);
}

Test(random, uuids_have_their_form_and_differ)
{
    char a[37], b[37];
    np_random_uuid(a);
    np_random_uuid(b);

    cr_assert_eq(strlen(a), 36);
    cr_assert_eq(a[14], '4');
    cr_assert(strchr("89ab", a[19]));
    cr_assert_eq(a[8], '-');
    cr_assert_eq(a[13], '-');
    cr_assert_eq(a[18], '-');
    cr_assert_eq(a[23], '-');
    cr_assert_eq(strspn(a, "0123456789abcdef-"), 36);
    cr_assert_str_neq(a, b);
}

Test(histogram, empty_has_no_quantiles)
{
    np_histogram h;
    np_histogram_init(&h);

    cr_assert_eq(np_histogram_quantile(&h, 0.5), 0);
}

Test(histogram, quantiles_are_right_to_a_bucket)
{
    static np_histogram h;
    np_histogram_init(&h);
    for (int64_t i = 1; i <= 100000; i++)
        np_histogram_record(&h, i * 1000);

    for (int percent = 0; percent <= 100; percent++) {
        const double exact = percent == 0 ? 1000.0 : percent * 1000 * 1000.0;
        const double got = (double)np_histogram_quantile(&h, percent / 100.0);
        cr_assert(got >= exact * 0.9999 && got <= exact * (1 + 1.0 / 32) + 1, "p%d: %f, exactly %f",
                  percent, got, exact);
    }
    cr_assert_eq(np_histogram_quantile(&h, 1), 100000000);
    cr_assert_eq(np_histogram_quantile(&h, 7), 100000000);
    cr_assert_eq(np_histogram_quantile(&h, 0.0 / 0.0), 1000);
    cr_assert_eq(h.count, 100000);
}

Test(histogram, every_value_has_a_bucket_that_holds_it)
{
    static np_histogram h;
    for (int bit = 0; bit < 63; bit++) {
        for (int64_t step = -1; step <= 1; step++) {
            const int64_t value = (INT64_C(1) << bit) + step;
            np_histogram_init(&h);
            np_histogram_record(&h, value);
            np_histogram_record(&h, INT64_MAX); /* so that max_ns does not hide the edge */
            const int64_t edge = np_histogram_quantile(&h, 0.5);
            cr_assert_geq(edge, value);
            cr_assert_leq(edge - value, value / 32);
        }
    }
    np_histogram_init(&h);
    np_histogram_record(&h, -5);
    np_histogram_record(&h, INT64_MIN);
    cr_assert_eq(h.min_ns, 0);
    cr_assert_eq(np_histogram_quantile(&h, 1), 0);
}
