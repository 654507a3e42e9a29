/* The DNS cache, with a clock of our own. */
#include "clock.h"
#include "dns_cache.h"
#include "fail.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define S(n) ((uint64_t)(n)*NP_NS_PER_S)

static np_dns_cached found;

static np_address parse(const char *text)
{
    np_address address;
    cr_assert(np_address_parse(text, strlen(text), &address));
    return address;
}

static void store(np_dns_cache *cache, const char *name, const char *text, uint32_t ttl_s,
                  uint64_t now_ns)
{
    const np_address address = parse(text);
    np_dns_cache_store(cache, name, address.any.sa_family, &address, 1, ttl_s, now_ns);
}

static bool finds(np_dns_cache *cache, const char *name, uint64_t now_ns)
{
    return np_dns_cache_find(cache, name, now_ns, &found);
}

Test(dns_cache, an_answer_lives_as_long_as_its_ttl_within_limits)
{
    static const struct {
        uint32_t ttl_s, lives_s;
    } cases[] = {
        {0,          1   },
        {1,          1   },
        {60,         60  },
        {3600,       3600},
        {86400,      3600},
        {UINT32_MAX, 3600}
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_dns_cache *cache = np_dns_cache_create();
        store(cache, "a.lab", "192.0.2.1", cases[i].ttl_s, S(100));
        cr_expect(finds(cache, "a.lab", S(100) + S(cases[i].lives_s) - 1), "row %zu", i);
        cr_expect_not(finds(cache, "a.lab", S(100) + S(cases[i].lives_s)), "row %zu", i);
        np_dns_cache_free(cache);
    }
}

Test(dns_cache, a_name_is_asked_again_as_soon_as_one_family_has_expired)
{
    np_dns_cache *cache = np_dns_cache_create();
    store(cache, "a.lab", "2001:db8::1", 10, S(100));
    store(cache, "a.lab", "192.0.2.1", 60, S(100));

    cr_assert(finds(cache, "a.lab", S(109)));
    cr_assert_eq(found.count, 2);
    cr_assert_eq(found.address[0].any.sa_family, AF_INET);
    cr_assert_not(finds(cache, "a.lab", S(111)));
    store(cache, "a.lab", "192.0.2.1", 60, S(111));
    store(cache, "a.lab", "2001:db8::1", 10, S(111));
    cr_assert(finds(cache, "a.lab", S(112)));
    cr_assert_eq(found.count, 2);
    cr_assert_not(finds(cache, "b.lab", S(111)));
    np_dns_cache_free(cache);
}

/* Only answers with addresses are stored: nothing overwrites the family that is no more. */
Test(dns_cache, a_family_that_a_name_has_lost_does_not_keep_it_out)
{
    np_dns_cache *cache = np_dns_cache_create();
    store(cache, "a.lab", "192.0.2.1", 60, S(100));
    store(cache, "a.lab", "2001:db8::1", 10, S(100));
    cr_assert_not(finds(cache, "a.lab", S(111)));

    store(cache, "a.lab", "192.0.2.1", 60, S(111));

    cr_assert(finds(cache, "a.lab", S(112)));
    cr_assert_eq(found.count, 1);
    np_dns_cache_free(cache);
}

Test(dns_cache, a_name_that_is_no_more_is_known_as_such_after_its_addresses_expired)
{
    np_dns_cache *cache = np_dns_cache_create();
    np_error error;
    (void)np_fail_web(&error, NP_WEB_NAME_RESOLUTION_FAILURE, "dns", 3, NULL, "unknown host a.lab");
    store(cache, "a.lab", "192.0.2.1", 60, S(100));
    cr_assert_not(finds(cache, "a.lab", S(161)));

    np_dns_cache_store_error(cache, "a.lab", &error, S(161));

    cr_assert(finds(cache, "a.lab", S(162)));
    cr_assert_eq(found.count, 0);
    cr_assert_eq(found.error.code, 3);
    np_dns_cache_free(cache);
}

Test(dns_cache, a_failure_is_kept_for_five_seconds_and_gives_way_to_an_answer)
{
    np_dns_cache *cache = np_dns_cache_create();
    np_error error;
    (void)np_fail_web(&error, NP_WEB_NAME_RESOLUTION_FAILURE, "dns", 3, NULL, "unknown host a.lab");
    np_dns_cache_store_error(cache, "a.lab", &error, S(100));

    cr_assert(finds(cache, "a.lab", S(105) - 1));
    cr_assert_eq(found.count, 0);
    cr_assert_str_eq(found.error.text, "unknown host a.lab");
    cr_assert_not(finds(cache, "a.lab", S(105)));
    np_dns_cache_store_error(cache, "a.lab", &error, S(110));
    store(cache, "a.lab", "192.0.2.1", 1, S(110));
    cr_assert(finds(cache, "a.lab", S(110)));
    cr_assert_eq(found.count, 1);
    cr_assert_not(finds(cache, "a.lab", S(112)));
    np_dns_cache_free(cache);
}

Test(dns_cache, the_one_that_expires_first_makes_room)
{
    np_dns_cache *cache = np_dns_cache_create();
    char name[32];
    for (int i = 0; i < NP_DNS_CACHE_ENTRIES; i++) {
        snprintf(name, sizeof name, "n%d.lab", i);
        store(cache, name, "192.0.2.1", i == 500 ? 5 : 60, S(100));
    }

    store(cache, "new.lab", "192.0.2.1", 60, S(100));

    cr_assert(finds(cache, "new.lab", S(101)));
    cr_assert_not(finds(cache, "n500.lab", S(101)));
    cr_assert(finds(cache, "n0.lab", S(101)));
    cr_assert(finds(cache, "n1023.lab", S(101)));
    np_dns_cache_clear(cache);
    cr_assert_not(finds(cache, "new.lab", S(101)));
    np_dns_cache_free(cache);
}
