/*
 * Properties of the race under random answers, failures and a random clock: every address is tried
 * exactly once; two attempts are at least the attempt delay apart unless one failed in between;
 * nothing starts before an answer, nor within the resolution delay with A alone; while the race
 * waits without a timer something is still to come; it is lost exactly when everything has failed
 * and every family has answered.
 */
#include "clock.h"
#include "race.h"
#include "random.h"

#include <criterion/criterion.h>
#include <string.h>

enum { CASES = 5000, MAX_ADDRESSES = 6 };

struct trial {
    np_race race;
    np_random random;
    uint64_t now_ns;
    uint64_t answer_ns[2]; /* when a family answers; index 1: IPv6 */
    size_t size[2];
    bool answered[2];
    size_t running, tried, failed;
    uint64_t last_ns;  /* of the last attempt; 0: none */
    bool failed_since; /* an attempt failed since the last one began */
    uint8_t tries[2][MAX_ADDRESSES];
};

static bool source(const np_address *destination, np_address *out)
{
    *out = *destination;
    return true;
}

static np_address address_of(int family, size_t index)
{
    np_address address;
    memset(&address, 0, sizeof address);
    if (family == AF_INET6) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_addr.s6_addr[0] = 0x20;
        address.v6.sin6_addr.s6_addr[15] = (uint8_t)(index + 1);
    } else {
        address.v4.sin_family = AF_INET;
        address.v4.sin_addr.s_addr = htonl(0xc0000201u + (uint32_t)index);
    }
    np_address_set_port(&address, 443);
    return address;
}

static void give_answer(struct trial *t, size_t f)
{
    np_address addresses[MAX_ADDRESSES];
    const int family = f ? AF_INET6 : AF_INET;
    for (size_t i = 0; i < t->size[f]; i++)
        addresses[i] = address_of(family, i);
    np_race_answer(&t->race, t->now_ns, family, addresses, t->size[f]);
    t->answered[f] = true;
}

static const char *check_attempt(struct trial *t, const np_address *address)
{
    const size_t f = address->any.sa_family == AF_INET6;
    const size_t index = f ? address->v6.sin6_addr.s6_addr[15] - 1u
                           : ntohl(address->v4.sin_addr.s_addr) - 0xc0000201u;
    if (!t->answered[f] || index >= t->size[f] || t->tries[f][index]++)
        return "an address that is unknown or was tried before";
    if (t->last_ns && !t->failed_since && t->now_ns - t->last_ns < 250u * NP_NS_PER_MS)
        return "two attempts too close to each other";
    if (!t->last_ns && !t->answered[1] && t->now_ns < t->answer_ns[0] + 50u * NP_NS_PER_MS)
        return "begun within the resolution delay with A alone";
    t->last_ns = t->now_ns;
    t->failed_since = false;
    t->running++;
    t->tried++;
    return NULL;
}

static const char *check_lost(const struct trial *t)
{
    if (!t->answered[0] || !t->answered[1] || t->running || t->failed != t->size[0] + t->size[1])
        return "lost too early";
    return NULL;
}

/* The next thing that happens: the timer, an answer, or the failure of an attempt. */
static const char *advance(struct trial *t, uint64_t deadline_ns)
{
    uint64_t next_ns = deadline_ns;
    int answers = -1;
    for (int f = 0; f < 2; f++) {
        if (!t->answered[f] && t->answer_ns[f] < next_ns) {
            next_ns = t->answer_ns[f];
            answers = f;
        }
    }
    const uint64_t failure_ns = t->now_ns + np_random_below(&t->random, 400) * NP_NS_PER_MS;
    if (t->running && failure_ns < next_ns) {
        t->now_ns = failure_ns;
        t->running--;
        t->failed++;
        t->failed_since = true;
        np_race_failed(&t->race, t->now_ns);
        return NULL;
    }
    if (next_ns == UINT64_MAX)
        return "it waits, and nothing is to come";
    t->now_ns = next_ns;
    if (answers >= 0)
        give_answer(t, (size_t)answers);
    return NULL;
}

static const char *run_trial(uint64_t seed)
{
    struct trial t = {.now_ns = 1000 * (uint64_t)NP_NS_PER_MS};
    np_random_seed(&t.random, seed);
    np_race_init(&t.race, 50 * NP_NS_PER_MS, 250 * NP_NS_PER_MS, true, true, source);
    for (int f = 0; f < 2; f++) {
        t.answer_ns[f] = t.now_ns + np_random_below(&t.random, 500) * NP_NS_PER_MS;
        t.size[f] = (size_t)np_random_below(&t.random, MAX_ADDRESSES + 1);
    }
    for (int steps = 0; steps < 1000; steps++) {
        np_address address;
        uint64_t deadline_ns;
        const char *wrong = NULL;
        switch (np_race_next(&t.race, t.now_ns, &address, &deadline_ns)) {
        case NP_RACE_CONNECT:
            wrong = check_attempt(&t, &address);
            break;
        case NP_RACE_WAIT:
            if (deadline_ns <= t.now_ns)
                return "it waits for what is over";
            wrong = advance(&t, deadline_ns);
            break;
        case NP_RACE_LOST:
            return check_lost(&t);
        }
        if (wrong)
            return wrong;
    }
    return "it does not end";
}

Test(race, keeps_its_promises_under_random_answers)
{
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        const char *wrong = run_trial(seed);
        cr_assert_null(wrong, "seed %llu: %s", (unsigned long long)seed, wrong);
    }
}
