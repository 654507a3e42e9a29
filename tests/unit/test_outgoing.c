/* The bytes of a request's body between who writes them and the loop. */
#include "outgoing.h"
#include "random.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static np_body_store store;

static void fill(unsigned char *bytes, size_t length, uint64_t from)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)((from + i) * 2654435761u >> 11);
}

static bool append(np_outgoing *out, size_t length)
{
    unsigned char *bytes = malloc(length + 1);
    fill(bytes, length, out->written);
    const bool good = np_outgoing_append(out, &store, bytes, length);
    free(bytes);
    return good;
}

/* Takes at most `capacity` bytes and checks that they are the next ones. */
static size_t take(np_outgoing *out, size_t capacity)
{
    unsigned char *bytes = malloc(capacity + 1), *expected = malloc(capacity + 1);
    const uint64_t from = out->taken;
    const size_t got = np_outgoing_take(out, &store, bytes, capacity);
    fill(expected, got, from);
    cr_assert_eq(memcmp(bytes, expected, got), 0, "at byte %llu", (unsigned long long)from);
    cr_assert_eq(out->taken, from + got);
    free(bytes);
    free(expected);
    return got;
}

Test(outgoing, bh_3_at_most_64_kib_wait_and_nothing_stays)
{
    np_body_store_init(&store);
    np_outgoing out = {0};
    for (int i = 0; i < 1000; i++) {
        const size_t room = np_outgoing_room(&out, 100000);
        cr_assert_leq(out.written - out.taken + room, NP_OUTGOING_LIMIT);
        cr_assert(append(&out, room));
        cr_assert_eq(np_outgoing_room(&out, 1), 0);
        size_t chunks = 0;
        for (const np_body_chunk *chunk = out.first; chunk; chunk = chunk->next)
            chunks++;
        cr_assert_leq(chunks, NP_OUTGOING_LIMIT / NP_BODY_CHUNK + 1);
        cr_assert_gt(take(&out, 30000), 0);
    }
    cr_assert_not(np_outgoing_rewind(&out), "what was taken is gone");
    np_outgoing_clear(&out, &store);
    np_body_store_done(&store);
}

Test(outgoing, ws_13_one_take_hands_out_one_append)
{
    np_body_store_init(&store);
    np_outgoing out = {.one_by_one = true};
    static const size_t lengths[] = {1, 5, 16383, 1, 40000, 3};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        cr_assert(append(&out, lengths[i]));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        cr_assert_eq(take(&out, 65536), lengths[i]);
    cr_assert_eq(take(&out, 65536), 0);

    cr_assert(append(&out, 100));
    cr_assert_eq(take(&out, 60), 60, "a take that is too small gets the rest the next time");
    cr_assert_eq(take(&out, 60), 40);
    np_outgoing_clear(&out, &store);
    np_body_store_done(&store);
}

Test(outgoing, ws_13_an_append_that_is_a_chunk_waits_for_room_for_all_of_it)
{
    np_body_store_init(&store);
    np_outgoing out = {.one_by_one = true};
    cr_assert_eq(np_outgoing_room(&out, NP_OUTGOING_LIMIT - NP_OUTGOING_MARK),
                 NP_OUTGOING_LIMIT - NP_OUTGOING_MARK);
    cr_assert(append(&out, 40000));
    cr_assert_eq(np_outgoing_room(&out, 30000), 0);
    cr_assert_eq(np_outgoing_room(&out, 20000), 20000);
    cr_assert_gt(np_outgoing_room(&out, 1000000), 0, "it would never fit: in pieces");
    np_outgoing_clear(&out, &store);
    np_body_store_done(&store);
}

Test(outgoing, bh_2_a_kept_copy_can_be_played_again_until_it_is_dropped)
{
    np_body_store_init(&store);
    np_outgoing out = {.kept = true, .one_by_one = true};
    cr_assert(append(&out, 20000));
    cr_assert(append(&out, 20000));
    cr_assert_eq(take(&out, 65536), 20000);
    cr_assert_eq(take(&out, 100), 100);
    cr_assert(np_outgoing_rewind(&out));
    cr_assert_eq(take(&out, 65536), 20000);
    cr_assert_eq(take(&out, 65536), 20000);
    cr_assert_eq(take(&out, 65536), 0);
    cr_assert(append(&out, 7));
    cr_assert_eq(take(&out, 65536), 7);

    np_outgoing_drop_copy(&out, &store);
    cr_assert_eq(out.first, out.at, "only what is not taken is left");
    cr_assert_not(np_outgoing_rewind(&out));
    np_outgoing_clear(&out, &store);
    np_body_store_done(&store);
}

Test(outgoing, ws_8_what_nobody_takes_is_counted_and_kept_for_the_copy_alone)
{
    np_body_store_init(&store);
    np_outgoing out = {0}, kept = {.kept = true};
    cr_assert(append(&out, 1000));
    np_outgoing_discard(&out, &store);
    cr_assert_eq(np_outgoing_room(&out, 1000000), 1000000);
    cr_assert(append(&out, 1000000));
    cr_assert_eq(out.written, 1001000);
    cr_assert_null(out.first);

    cr_assert(append(&kept, 1000));
    np_outgoing_discard(&kept, &store);
    cr_assert_eq(np_outgoing_room(&kept, 100000), 100000, "nobody waits for it");
    cr_assert(append(&kept, 100000));
    cr_assert(np_outgoing_rewind(&kept));
    cr_assert_eq(take(&kept, 200000), 101000);
    np_outgoing_clear(&kept, &store);
    np_body_store_done(&store);
}

Test(outgoing, any_sequence_hands_out_what_was_appended)
{
    const uint64_t seed = 20261125;
    np_random random;
    np_random_seed(&random, seed);
    np_body_store_init(&store);
    for (int round = 0; round < 200; round++) {
        np_outgoing out = {.one_by_one = np_random_below(&random, 2),
                           .kept = np_random_below(&random, 2),
                           .unbounded = np_random_below(&random, 4) == 0};
        for (int step = 0; step < 200; step++) {
            const size_t wanted = 1 + np_random_below(&random, 30000);
            switch (np_random_below(&random, 5)) {
            case 0:
            case 1: {
                const size_t room = np_outgoing_room(&out, wanted);
                cr_assert_leq(room, wanted);
                if (room > 0)
                    cr_assert(append(&out, room), "seed %llu", (unsigned long long)seed);
                break;
            }
            case 2:
            case 3:
                (void)take(&out, wanted);
                break;
            default:
                if (out.kept && np_random_below(&random, 8) == 0)
                    cr_assert(np_outgoing_rewind(&out));
                break;
            }
        }
        while (take(&out, 70000) > 0)
            ;
        cr_assert_eq(out.taken, out.written);
        np_outgoing_clear(&out, &store);
    }
    np_body_store_done(&store);
}
