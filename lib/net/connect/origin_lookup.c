/* One address of a name for SOCKS proxies. Floor 2; loop thread only. */
#include "origin_lookup.h"

#include "clock.h"
#include "dial_rules.h"
#include "dns.h"
#include "fail.h"

#include <stdlib.h>
#include <string.h>

struct np_origin_lookup {
    np_loop *loop;
    np_producer *producer;
    char *host;
    uint16_t port;
    uint32_t request; /* 0: nobody's */
    bool only_v4;
    bool is_starting, has_phase;
    np_dns_ask *ask;
    np_loop_timer *timer; /* tells what is known already */
    bool is_over;
    np_address address; /* family 0: none */
    np_error error;
    np_origin_lookup_fn fn;
    void *user;
};

static void end_phase(np_origin_lookup *lookup, uint64_t now_ns)
{
    const bool from_wire = lookup->ask && np_dns_ask_state(lookup->ask)->from_wire;
    if (lookup->has_phase && lookup->request)
        np_emit_phase_end(lookup->producer, now_ns, lookup->request, NP_PHASE_DNS,
                          from_wire ? NP_SOURCE_SYSCALL : NP_SOURCE_CALL);
    lookup->has_phase = false;
}

static void lookup_free(np_origin_lookup *lookup, uint64_t now_ns)
{
    end_phase(lookup, now_ns);
    if (lookup->ask)
        np_dns_ask_end(lookup->ask, now_ns);
    np_loop_timer_cancel(lookup->timer);
    free(lookup->host);
    free(lookup);
}

static void tell(np_origin_lookup *lookup, uint64_t now_ns)
{
    const np_address address = lookup->address;
    const np_error error = lookup->error;
    const np_origin_lookup_fn fn = lookup->fn;
    void *user = lookup->user;
    lookup_free(lookup, now_ns);
    fn(address.any.sa_family ? &address : NULL, &error, now_ns, user);
}

static void on_timer(uint64_t now_ns, void *user)
{
    tell(user, now_ns);
}

static void finish(np_origin_lookup *lookup, uint64_t now_ns)
{
    lookup->is_over = true;
    end_phase(lookup, now_ns);
    if (!lookup->is_starting)
        tell(lookup, now_ns);
}

static bool take(np_origin_lookup *lookup, const np_address *addresses, size_t count, int family)
{
    for (size_t i = 0; i < count; i++) {
        if (addresses[i].any.sa_family != family)
            continue;
        lookup->address = addresses[i];
        np_address_set_port(&lookup->address, lookup->port);
        return true;
    }
    return false;
}

static bool take_best(np_origin_lookup *lookup, const np_address *addresses, size_t count)
{
    return take(lookup, addresses, count, AF_INET) ||
           (!lookup->only_v4 && take(lookup, addresses, count, AF_INET6));
}

static void fail_without_v4(np_origin_lookup *lookup)
{
    (void)np_fail_web(&lookup->error, NP_WEB_NAME_RESOLUTION_FAILURE, NULL, 0, NULL,
                      "%s has no IPv4 address, and SOCKS4 carries no other", lookup->host);
}

static void look(np_origin_lookup *lookup, uint64_t now_ns)
{
    const np_dns_state *state = np_dns_ask_state(lookup->ask);
    if (!state->done_v4)
        return;
    if (take(lookup, state->address, state->count, AF_INET)) {
        finish(lookup, now_ns);
        return;
    }
    if (!state->done_v6 && !lookup->only_v4)
        return;
    if (!take_best(lookup, state->address, state->count)) {
        if (state->count == 0 && state->done_v6)
            lookup->error = state->error;
        else
            fail_without_v4(lookup);
    }
    finish(lookup, now_ns);
}

static void on_answer(uint64_t now_ns, void *user)
{
    np_origin_lookup *lookup = user;
    if (!lookup->is_over)
        look(lookup, now_ns);
}

static void begin(np_origin_lookup *lookup, np_dialer *dialer, const np_dial_target *target,
                  uint64_t now_ns)
{
    const np_address *given = NULL;
    const size_t count =
        np_dial_rules_resolve(np_dialer_rules(dialer), target->host, target->port, &given);
    if (count > 0) {
        if (!take_best(lookup, given, count))
            fail_without_v4(lookup);
        finish(lookup, now_ns);
        return;
    }
    lookup->has_phase = true;
    np_emit_phase_begin(lookup->producer, now_ns, lookup->request, NP_PHASE_DNS, NP_SOURCE_CALL);
    lookup->ask = np_dns_ask_start(np_dialer_dns(dialer), target->host,
                                   lookup->producer ? target->request : 0, target->connection,
                                   target->cold, now_ns, on_answer, lookup);
    if (lookup->ask) {
        look(lookup, np_now());
        return;
    }
    (void)np_fail(&lookup->error, NP_E_NO_MEMORY, "no memory for a name lookup");
    finish(lookup, np_now());
}

np_origin_lookup *np_origin_lookup_start(np_loop *loop, np_dialer *dialer,
                                         const np_dial_target *target, bool only_v4,
                                         uint64_t now_ns, np_origin_lookup_fn fn, void *user)
{
    np_origin_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return NULL;
    lookup->loop = loop;
    lookup->producer = target->request ? np_dialer_producer(dialer) : NULL;
    lookup->host = strdup(target->host);
    lookup->port = target->port;
    lookup->request = target->request;
    lookup->only_v4 = only_v4;
    lookup->fn = fn;
    lookup->user = user;
    lookup->is_starting = true;
    if (lookup->host)
        begin(lookup, dialer, target, now_ns);
    lookup->is_starting = false;
    if (lookup->is_over)
        lookup->timer = np_loop_timer_start(loop, now_ns, on_timer, lookup); /* due at once */
    if (!lookup->host || (lookup->is_over && !lookup->timer)) {
        lookup_free(lookup, now_ns);
        return NULL;
    }
    return lookup;
}

void np_origin_lookup_disown(np_origin_lookup *lookup, uint64_t now_ns)
{
    if (lookup->ask)
        np_dns_ask_disown(lookup->ask, now_ns);
    end_phase(lookup, now_ns);
    lookup->request = 0;
}

void np_origin_lookup_cancel(np_origin_lookup *lookup, uint64_t now_ns)
{
    if (lookup)
        lookup_free(lookup, now_ns);
}
