/* The bytes of a response between the loop and the reader. */
#include "body.h"

#include "random.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(body, holds_64_kib_and_one_piece_at_least)
{
    static unsigned char bytes[3 * NP_BODY_LIMIT], out[3 * NP_BODY_LIMIT];
    np_body_store store;
    np_body body = {0};
    np_body_store_init(&store);

    cr_assert_eq(np_body_append(&body, &store, bytes, NP_BODY_LIMIT - 1), NP_BODY_TAKEN);
    cr_assert_eq(np_body_append(&body, &store, bytes, 2), NP_BODY_FULL);
    cr_assert_eq(np_body_append(&body, &store, bytes, 1), NP_BODY_TAKEN);
    cr_assert_eq(np_body_read(&body, &store, out, sizeof out), NP_BODY_LIMIT);
    cr_assert_eq(np_body_append(&body, &store, bytes, sizeof bytes), NP_BODY_TAKEN,
                 "an empty body takes a piece of any size");
    cr_assert_eq(np_body_append(&body, &store, bytes, 1), NP_BODY_FULL);

    np_body_clear(&body, &store);
    cr_assert_eq(body.length, 0);
    np_body_store_done(&store);
}

Test(body, a_small_one_needs_no_chunk)
{
    char out[64];
    np_body_store store;
    np_body body = {0};
    np_body_store_init(&store);

    cr_assert_eq(np_body_append(&body, &store, "0123456789", 10), NP_BODY_TAKEN);

    cr_assert_null(body.first);
    cr_assert_eq(np_body_read(&body, &store, out, sizeof out), 10);
    cr_assert_eq(memcmp(out, "0123456789", 10), 0);
    np_body_store_done(&store);
}

Test(body, gives_the_bytes_in_the_order_in_which_they_came)
{
    enum { TOTAL = 2000000, LARGEST = 40000 };
    const uint64_t seed = 20260101;
    np_random random;
    np_random_seed(&random, seed);
    unsigned char *bytes = malloc(TOTAL), *out = malloc(TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        bytes[i] = (unsigned char)np_random_next(&random);
    np_body_store store;
    np_body body = {0};
    np_body_store_init(&store);

    size_t in = 0, got = 0;
    while (got < TOTAL) {
        size_t n = 1 + np_random_below(&random, np_random_below(&random, 3) ? 700 : LARGEST);
        n = n < TOTAL - in ? n : TOTAL - in;
        if (n > 0 && np_body_append(&body, &store, bytes + in, n) == NP_BODY_TAKEN)
            in += n;
        if (np_random_below(&random, 2) == 0)
            got += np_body_read(&body, &store, out + got, 1 + np_random_below(&random, LARGEST));
        cr_assert_eq(body.length, in - got, "seed %llu", (unsigned long long)seed);
    }

    cr_assert_eq(memcmp(bytes, out, TOTAL), 0, "seed %llu", (unsigned long long)seed);
    cr_assert_null(body.first);
    np_body_store_done(&store);
    free(bytes);
    free(out);
}
