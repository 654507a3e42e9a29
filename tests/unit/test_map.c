/* Numbers to pointers: what is put is found, what is removed is not, and nobody can make it slow.
 */
#include "map.h"

#include <criterion/criterion.h>

static uint32_t longest_way(const np_map *map)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i <= map->mask; i++) {
        const uint32_t number = map->slots[i].number;
        const uint32_t way = number ? (i - np_map_home(map, number)) & map->mask : 0;
        longest = way > longest ? way : longest;
    }
    return longest;
}

Test(map, numbers_that_want_one_slot_of_a_plain_table_are_spread)
{
    static const uint32_t steps[] = {1, 256, 65536, 1u << 18};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        np_map map = {0};
        const uint32_t count = steps[s] > 65536 ? 8000 : 20000;
        for (uint32_t i = 1; i <= count; i++)
            cr_assert(np_map_put(&map, i * steps[s], &map));
        /* A slot for each of them in a row would be a way of `count`. */
        cr_assert_lt(longest_way(&map), count / 8, "step %u, secret %llx", steps[s],
                     (unsigned long long)map.secret);
        np_map_done(&map);
    }
}

Test(map, two_maps_do_not_share_their_secret)
{
    np_map a = {0}, b = {0};
    cr_assert(np_map_put(&a, 1, &a) && np_map_put(&b, 1, &b));
    cr_assert(a.secret & 1);
    cr_assert_neq(a.secret, b.secret);
    np_map_done(&a);
    np_map_done(&b);
}

Test(map, what_is_put_is_found_until_it_is_removed)
{
    enum { COUNT = 5000 };
    static int values[COUNT + 1];
    np_map map = {0};
    for (uint32_t i = 1; i <= COUNT; i++)
        cr_assert(np_map_put(&map, i * 3, &values[i]));
    for (uint32_t i = 1; i <= COUNT; i += 2)
        np_map_remove(&map, i * 3);
    np_map_remove(&map, 2); /* was never put */
    for (uint32_t i = 1; i <= COUNT; i++) {
        cr_assert_eq(np_map_get(&map, i * 3), i % 2 ? NULL : &values[i], "secret %llx",
                     (unsigned long long)map.secret);
        cr_assert_null(np_map_get(&map, i * 3 + 1));
    }
    cr_assert_eq(map.count, COUNT / 2);
    np_map_done(&map);
}
