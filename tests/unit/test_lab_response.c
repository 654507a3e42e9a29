/* What the lab's origin answers, and when the bytes of it may leave. */
#include "pacing.h"
#include "response.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct response plan(const char *method, const char *target)
{
    struct http_request request = {.minor_version = 1, .keep_alive = true};
    struct response response;
    (void)snprintf(request.method, sizeof request.method, "%s", method);
    (void)snprintf(request.target, sizeof request.target, "%s", target);
    response_plan(&request, &response);
    return response;
}

Test(lab_response, paths_are_what_the_table_says)
{
    static const struct {
        const char *target;
        int status;
        uint64_t body_bytes; /* 0: whatever */
    } cases[] = {
        {"/",                        200, 0         },
        {"*",                        200, 0         },
        {"/?q=1",                    200, 0         },
        {"http://origin.lab",        200, 0         },
        {"http://o/bytes/12",        200, 12        },
        {"/bytes/0",                 200, 0         },
        {"/bytes/9999999999",        200, 9999999999},
        {"/bytes/12?x",              200, 12        },
        {"/bytes",                   404, 0         },
        {"/bytes/",                  404, 0         },
        {"/bytes/1x",                404, 0         },
        {"/bytes/99999999999999999", 404, 0         },
        {"/drip/4/10",               200, 400       },
        {"/drip/4",                  404, 0         },
        {"/hdrgap/5",                200, 0         },
        {"/early",                   200, 0         },
        {"/redirect",                302, 0         },
        {"/redirect/3",              302, 0         },
        {"/redirect/0",              404, 0         },
        {"/status/503",              503, 0         },
        {"/status/204",              204, 0         },
        {"/status/100",              404, 0         },
        {"/bytesx/1",                404, 0         },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct response response = plan("GET", cases[i].target);
        cr_expect_eq(response.status, cases[i].status, "%s: %d", cases[i].target, response.status);
        if (cases[i].body_bytes)
            cr_expect_eq(response.body_bytes, cases[i].body_bytes, "%s", cases[i].target);
        cr_expect(response.head_bytes > 0 && response.head_bytes < RESPONSE_HEAD_SIZE, "%s",
                  cases[i].target);
        cr_expect(strncmp(response.head + response.head_bytes - 4, "\r\n\r\n", 4) == 0, "%s",
                  cases[i].target);
    }
}

Test(lab_response, head_has_the_length_but_no_body)
{
    struct response response = plan("HEAD", "/bytes/12");

    cr_assert_eq(response.body_bytes, 0);
    cr_assert(strstr(response.head, "Content-Length: 12\r\n"));
}

Test(lab_response, redirects_count_down)
{
    cr_assert(strstr(plan("GET", "/redirect/3").head, "Location: /redirect/2\r\n"));
    cr_assert(strstr(plan("GET", "/redirect/1").head, "Location: /\r\n"));
}

Test(lab_pacing, a_body_at_a_rate_takes_its_bytes_by_the_rate)
{
    static const struct {
        uint64_t bytes;
        uint64_t rate;
    } cases[] = {
        {1,        1        },
        {1000,     10       },
        {100000,   50000    },
        {1 << 20,  1 << 20  },
        {12345678, 1234567  },
        {1U << 30, 100000000}
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pacing pacing = {
            .start_ns = 1000, .total_bytes = cases[i].bytes, .rate = cases[i].rate};
        uint64_t sent = 0;
        uint64_t last_ns = 0;
        while (sent < pacing.total_bytes) {
            uint64_t due_ns;
            uint64_t end = pacing_next(&pacing, sent, &due_ns);
            bool is_good = end > sent && end <= pacing.total_bytes && due_ns >= last_ns;
            if (!is_good)
                cr_assert_fail("case %zu at %llu", i, (unsigned long long)sent);
            sent = end;
            last_ns = due_ns;
        }
        double expected_ns = 1000 + (double)cases[i].bytes * 1e9 / (double)cases[i].rate;
        cr_expect(last_ns <= expected_ns + 1 && last_ns >= expected_ns - 1, "case %zu: %llu", i,
                  (unsigned long long)last_ns);
        cr_expect_eq(pacing_end_ns(&pacing), last_ns, "case %zu", i);
    }
}

Test(lab_pacing, parts_keep_their_times)
{
    struct pacing pacing = {
        .start_ns = 7, .total_bytes = 300, .part_bytes = 100, .part_gap_ns = 50};
    uint64_t due_ns;

    cr_assert_eq(pacing_next(&pacing, 0, &due_ns), 100);
    cr_assert_eq(due_ns, 7);
    cr_assert_eq(pacing_next(&pacing, 100, &due_ns), 200);
    cr_assert_eq(due_ns, 57);
    cr_assert_eq(pacing_next(&pacing, 250, &due_ns), 300);
    cr_assert_eq(due_ns, 107);
}

Test(lab_pacing, without_a_rate_all_is_due_at_once)
{
    struct pacing pacing = {.start_ns = 7, .total_bytes = UINT64_C(1) << 40};
    uint64_t due_ns;

    cr_assert_eq(pacing_next(&pacing, 0, &due_ns), PACING_LARGEST_PIECE);
    cr_assert_eq(due_ns, 7);
}

Test(lab_pacing, an_absurd_length_does_not_overflow)
{
    struct pacing pacing = {
        .start_ns = UINT64_C(1) << 60, .total_bytes = UINT64_C(1) << 50, .rate = 1};

    cr_assert_gt(pacing_end_ns(&pacing), pacing.start_ns);
}
