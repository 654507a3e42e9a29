/* The race of RFC 8305, without its sockets. Floor 2; pure. */
#include "race.h"

void np_race_init(np_race *race, int64_t resolution_delay_ns, int64_t attempt_delay_ns,
                  bool expect_v4, bool expect_v6,
                  bool (*source)(const np_address *destination, np_address *source))
{
    *race = (np_race){.resolution_delay_ns = resolution_delay_ns,
                      .attempt_delay_ns = attempt_delay_ns,
                      .source = source,
                      .pending_v4 = expect_v4,
                      .pending_v6 = expect_v6,
                      .last_family = AF_UNSPEC,
                      .begin_ns = UINT64_MAX};
}

static bool has_untried(const np_race *race)
{
    return race->tried < race->count;
}

static bool is_known(const np_race *race, const np_address *address)
{
    for (size_t i = 0; i < race->count; i++)
        if (np_address_equal(&race->address[i], address))
            return true;
    return false;
}

/* Sources are asked for only when there is something to order. */
static void sort_untried(np_race *race)
{
    np_candidate candidates[NP_RACE_CANDIDATES];
    np_address *untried = &race->address[race->tried];
    const size_t count = race->count - race->tried;
    if (count < 2)
        return;
    for (size_t i = 0; i < count; i++) {
        candidates[i].address = untried[i];
        candidates[i].reachable = race->source(&untried[i], &candidates[i].source);
    }
    np_candidates_sort(candidates, count);
    int first_family = AF_UNSPEC;
    if (race->last_family != AF_UNSPEC)
        first_family = race->last_family == AF_INET ? AF_INET6 : AF_INET;
    np_candidates_interleave(candidates, count, first_family);
    for (size_t i = 0; i < count; i++)
        untried[i] = candidates[i].address;
}

void np_race_answer(np_race *race, uint64_t now_ns, int family, const np_address *addresses,
                    size_t count)
{
    if (family == AF_INET6)
        race->pending_v6 = false;
    else
        race->pending_v4 = false;
    for (size_t i = 0; i < count && race->count < NP_RACE_CANDIDATES; i++)
        if (!is_known(race, &addresses[i]))
            race->address[race->count++] = addresses[i];
    sort_untried(race);
    if (family == AF_INET && has_untried(race) && race->begin_ns == UINT64_MAX)
        race->begin_ns = now_ns + (uint64_t)race->resolution_delay_ns;
}

void np_race_failed(np_race *race, uint64_t now_ns)
{
    race->running--;
    race->next_ns = now_ns;
}

static bool may_begin(const np_race *race, uint64_t now_ns)
{
    if (!has_untried(race))
        return false;
    return !race->pending_v6 || now_ns >= race->begin_ns;
}

np_race_action np_race_next(np_race *race, uint64_t now_ns, np_address *out, uint64_t *deadline_ns)
{
    *deadline_ns = UINT64_MAX;
    if (!race->begun && may_begin(race, now_ns)) {
        race->begun = true;
        race->next_ns = now_ns;
    }
    if (!has_untried(race)) {
        const bool over = race->running == 0 && !race->pending_v4 && !race->pending_v6;
        return over ? NP_RACE_LOST : NP_RACE_WAIT;
    }
    if (!race->begun || now_ns < race->next_ns) {
        *deadline_ns = race->begun ? race->next_ns : race->begin_ns;
        return NP_RACE_WAIT;
    }
    *out = race->address[race->tried++];
    race->last_family = out->any.sa_family;
    race->running++;
    race->next_ns = now_ns + (uint64_t)race->attempt_delay_ns;
    return NP_RACE_CONNECT;
}
