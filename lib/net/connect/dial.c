/*
 * From a host and a port to a connected socket. Floor 2; loop thread only.
 *
 *   target ─► --connect-to ─► literal? --resolve? ────────────────────► race ─► attempts ─► done
 *                                  └─ no: phase dns, dns.c ── answers ──┘ ▲         │
 *                                                                        └ failed ──┘
 *
 * step() is the only place that decides: every event (an answer, the end of an attempt, the timer)
 * comes down to telling the race and calling it. `dns` ends with the event that let the race begin;
 * `connect` begins right before the first connect() and ends with the first socket that is
 * connected. A literal and an address given by --resolve need no lookup: `dns` is absent, without a
 * span. localhost, the hosts file and the cache are lookups.
 */
#include "dial.h"

#include "attempt.h"
#include "clock.h"
#include "dial_rules.h"
#include "dns.h"
#include "fail.h"
#include "race.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RESOLUTION_DELAY_MS = 50, ATTEMPT_DELAY_MS = 250 };

struct np_dialer {
    np_loop *loop;
    np_producer *producer;
    np_family family;
    bool ask_kernel;
    int64_t resolution_delay_ns, attempt_delay_ns;
    np_dial_rules *rules;
    np_dns *dns;
    np_dial *dials;
};

typedef enum dial_phase { PHASE_NONE, PHASE_DNS, PHASE_CONNECT } dial_phase;

struct np_dial {
    np_dialer *dialer;
    np_dial *next, **link;
    char *host; /* after --connect-to */
    uint16_t port;
    uint32_t request, connection;
    np_dns_ask *ask;     /* NULL: a literal, or given by --resolve */
    bool fed_v4, fed_v6; /* the race has the family's answer */
    np_race race;
    np_attempt *attempts[NP_RACE_CANDIDATES];
    size_t attempt_count;
    bool has_attempted;   /* the first connect() was made: `connect` has begun */
    np_loop_timer *timer; /* of the race, or for a result that must not be told yet */
    dial_phase phase;
    bool is_starting; /* inside np_dial_start: `done` has to wait */
    bool is_over;     /* `result` stands */
    int worst_rank;   /* of result.error, to keep the most telling failure */
    int error_number;
    char tried[160]; /* "127.0.0.1:443 Connection refused, …" */
    np_dial_result result;
    np_dial_fn done;
    void *user;
};

/* --- phases --- */

static np_producer *producer_of(const np_dial *dial)
{
    return dial->request ? dial->dialer->producer : NULL;
}

static void end_phase_at(np_dial *dial, np_stamp stamp)
{
    if (dial->phase != PHASE_NONE)
        np_emit_phase_stamp(producer_of(dial), NP_EVENT_PHASE_END, stamp, dial->request,
                            dial->phase == PHASE_DNS ? NP_PHASE_DNS : NP_PHASE_CONNECT);
    dial->phase = PHASE_NONE;
}

static void end_phase(np_dial *dial, uint64_t now_ns, np_source source)
{
    end_phase_at(dial, (np_stamp){.ns = now_ns, .source = (uint8_t)source});
}

/* An answer is stamped at the system call that brought it; what was known here, when we found it.
 */
static np_source lookup_source(const np_dial *dial)
{
    return dial->ask && np_dns_ask_state(dial->ask)->from_wire ? NP_SOURCE_SYSCALL : NP_SOURCE_CALL;
}

/* --- the end --- */

static void dial_unlink(np_dial *dial)
{
    *dial->link = dial->next;
    if (dial->next)
        dial->next->link = dial->link;
}

static void release(np_dial *dial, uint64_t now_ns)
{
    while (dial->attempt_count > 0)
        np_attempt_cancel(dial->attempts[--dial->attempt_count], now_ns);
    if (dial->ask)
        np_dns_ask_end(dial->ask, now_ns);
    dial->ask = NULL;
    np_loop_timer_cancel(dial->timer);
    dial->timer = NULL;
}

static void dial_free(np_dial *dial)
{
    dial_unlink(dial);
    free(dial->host);
    free(dial);
}

static void tell(np_dial *dial)
{
    np_loop_timer_cancel(dial->timer);
    const np_dial_result result = dial->result;
    const np_dial_fn done = dial->done;
    void *user = dial->user;
    dial_free(dial);
    done(&result, user);
}

static void on_timer(uint64_t now_ns, void *user);

/* `result` stands: everything else is let go, and the caller hears of it, now or as soon as its own
 * call has returned. */
static void finish(np_dial *dial, uint64_t now_ns, np_source source)
{
    dial->is_over = true;
    end_phase(dial, now_ns, source);
    dial->result.dns_cached = dial->ask && np_dns_ask_state(dial->ask)->cached;
    release(dial, now_ns);
    if (!dial->is_starting)
        tell(dial);
}

static void fail_lookup(np_dial *dial, uint64_t now_ns)
{
    dial->result.error = np_dns_ask_state(dial->ask)->error;
    dial->result.timed_out = false;
    dial->result.no_descriptor = np_dns_ask_state(dial->ask)->no_descriptor;
    finish(dial, now_ns, lookup_source(dial));
}

/* --- attempts --- */

/* How much a failure tells: what is wrong here, then what a host said, then silence, then no way
 * there. */
static int rank(int error_number)
{
    switch (error_number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return 5;
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return 1;
    case EHOSTUNREACH:
        return 2;
    case ETIMEDOUT:
        return 3;
    default:
        return 4;
    }
}

static void note_failure(np_dial *dial, const np_address *address, int error_number)
{
    char text[NP_ADDRESS_TEXT];
    const size_t length = strlen(dial->tried);
    (void)snprintf(dial->tried + length, sizeof dial->tried - length, "%s%s %s", length ? ", " : "",
                   np_address_text(address, text), strerror(error_number));
    if (rank(error_number) >= dial->worst_rank) {
        dial->worst_rank = rank(error_number);
        dial->error_number = error_number;
    }
}

static void fail_connect(np_dial *dial, uint64_t now_ns)
{
    const int error_number = dial->error_number;
    np_error *err = &dial->result.error;
    dial->result.timed_out = error_number == ETIMEDOUT;
    dial->result.no_descriptor = error_number == EMFILE || error_number == ENFILE;
    if (rank(error_number) == 5)
        (void)np_fail_web(err, NP_WEB_CONNECT_FAILURE, "os", error_number, dial->tried,
                          "no socket for a connection to %s port %u: %s", dial->host,
                          (unsigned)dial->port, strerror(error_number));
    else
        (void)np_fail_web(err, NP_WEB_CONNECT_FAILURE, "os", error_number, dial->tried,
                          "cannot connect to %s port %u", dial->host, (unsigned)dial->port);
    finish(dial, now_ns, NP_SOURCE_SYSCALL);
}

static void connected(np_dial *dial, const np_address *peer, int fd, np_stamp since,
                      uint64_t now_ns)
{
    np_dial_result *result = &dial->result;
    np_address local;
    socklen_t size = sizeof local;
    result->error = (np_error){.status = NP_OK};
    result->fd = fd;
    result->connected_ns = since.ns;
    result->connected_source = since.source;
    result->connected_uncertainty = since.uncertainty;
    result->looked_ns = now_ns;
    memcpy(&result->peer, peer, np_address_size(peer));
    np_address_text(peer, result->remote);
    if (!result->second_connect && getsockname(fd, &local.any, &size) == 0)
        np_address_text(&local, result->local);
    end_phase_at(dial, since);
    finish(dial, since.ns, (np_source)since.source); /* the others lost at that moment */
}

static void step(np_dial *dial, uint64_t now_ns);

static void on_attempt(np_attempt *attempt, int error_number, int fd, uint64_t now_ns, void *user)
{
    np_dial *dial = user;
    size_t i = 0;
    while (dial->attempts[i] != attempt)
        i++;
    dial->attempts[i] = dial->attempts[--dial->attempt_count];
    if (error_number == 0) {
        connected(dial, np_attempt_address(attempt), fd, np_attempt_connected(attempt), now_ns);
        return;
    }
    note_failure(dial, np_attempt_address(attempt), error_number);
    np_race_failed(&dial->race, now_ns);
    step(dial, now_ns);
}

/* false: the dial is over. */
static bool start_attempt(np_dial *dial, const np_address *address, uint64_t now_ns)
{
    if (dial->phase == PHASE_DNS)
        end_phase(dial, now_ns, lookup_source(dial));
    const np_attempt_spec spec = {
        .address = *address,
        .seat = {.producer = producer_of(dial),
                 .request = dial->request,
                 .connection = dial->connection},
        .ask_kernel = dial->dialer->ask_kernel,
        .begins_phase = dial->phase == PHASE_NONE && !dial->has_attempted
    };
    np_attempt_outcome outcome;
    np_attempt *attempt = NULL;
    const np_attempt_status status =
        np_attempt_start(dial->dialer->loop, &spec, on_attempt, dial, &attempt, &outcome);
    if (rank(outcome.error_number) != 5 || status != NP_ATTEMPT_FAILED) {
        dial->has_attempted = true;
        dial->phase = PHASE_CONNECT;
    }
    switch (status) {
    case NP_ATTEMPT_RUNNING:
        dial->attempts[dial->attempt_count++] = attempt;
        return true;
    case NP_ATTEMPT_FAILED:
        note_failure(dial, address, outcome.error_number);
        np_race_failed(&dial->race, now_ns);
        return true;
    case NP_ATTEMPT_CONNECTED:
        connected(dial, address, outcome.fd, outcome.since, np_now());
        return false;
    case NP_ATTEMPT_UNCONNECTED:
        dial->result.second_connect = true;
        now_ns = np_now();
        connected(dial, address, outcome.fd, (np_stamp){.ns = now_ns, .source = NP_SOURCE_SYSCALL},
                  now_ns);
        return false;
    }
    return true;
}

/* --- the race --- */

static void feed(np_dial *dial, uint64_t now_ns, int family, const np_address *addresses,
                 size_t count)
{
    np_address own[2 * NP_DNS_ADDRESSES];
    size_t own_count = 0;
    for (size_t i = 0; i < count && own_count < sizeof own / sizeof own[0]; i++) {
        if (addresses[i].any.sa_family != family)
            continue;
        own[own_count] = addresses[i];
        np_address_set_port(&own[own_count++], dial->port);
    }
    np_race_answer(&dial->race, now_ns, family, own, own_count);
}

/* Both at once when both are there: AAAA first, so that the race does not take the A for alone. */
static void feed_answers(np_dial *dial, uint64_t now_ns)
{
    if (!dial->ask)
        return;
    const np_dns_state *state = np_dns_ask_state(dial->ask);
    if (state->done_v6 && !dial->fed_v6) {
        dial->fed_v6 = true;
        feed(dial, now_ns, AF_INET6, state->address, state->count);
    }
    if (state->done_v4 && !dial->fed_v4) {
        dial->fed_v4 = true;
        feed(dial, now_ns, AF_INET, state->address, state->count);
    }
}

static bool lookup_has_failed(const np_dial *dial)
{
    if (!dial->ask)
        return false;
    const np_dns_state *state = np_dns_ask_state(dial->ask);
    return state->done_v4 && state->done_v6 && state->count == 0;
}

static void arm_timer(np_dial *dial, uint64_t at_ns)
{
    np_loop_timer_cancel(dial->timer);
    dial->timer =
        at_ns == UINT64_MAX ? NULL : np_loop_timer_start(dial->dialer->loop, at_ns, on_timer, dial);
}

static void step(np_dial *dial, uint64_t now_ns)
{
    feed_answers(dial, now_ns);
    if (lookup_has_failed(dial)) {
        fail_lookup(dial, now_ns);
        return;
    }
    for (;;) {
        np_address address;
        uint64_t deadline_ns;
        switch (np_race_next(&dial->race, now_ns, &address, &deadline_ns)) {
        case NP_RACE_CONNECT:
            if (!start_attempt(dial, &address, now_ns))
                return;
            break;
        case NP_RACE_WAIT:
            arm_timer(dial, deadline_ns);
            return;
        case NP_RACE_LOST:
            fail_connect(dial, dial->is_starting ? np_now() : now_ns);
            return;
        }
    }
}

static void on_timer(uint64_t now_ns, void *user)
{
    np_dial *dial = user;
    if (dial->is_over) {
        dial->result.looked_ns = now_ns;
        tell(dial);
        return;
    }
    np_loop_timer_cancel(dial->timer);
    dial->timer = NULL;
    step(dial, now_ns);
}

static void on_answer(uint64_t now_ns, void *user)
{
    step(user, now_ns);
}

/* --- start --- */

static bool wants(const np_dialer *dialer, int family)
{
    return dialer->family == NP_FAMILY_ANY ||
           (dialer->family == NP_FAMILY_IPV6) == (family == AF_INET6);
}

/* Addresses that are given: a literal, or what --resolve says. */
static void begin_given(np_dial *dial, const np_address *addresses, size_t count, uint64_t now_ns)
{
    const np_dialer *dialer = dial->dialer;
    np_address usable[NP_RULE_ADDRESSES];
    size_t usable_count = 0;
    for (size_t i = 0; i < count; i++)
        if (wants(dialer, addresses[i].any.sa_family))
            usable[usable_count++] = addresses[i];
    if (usable_count == 0) {
        (void)np_fail_web(&dial->result.error, NP_WEB_NAME_RESOLUTION_FAILURE, NULL, 0, NULL,
                          "no IPv%d address for %s, and no other is wanted", (int)dialer->family,
                          dial->host);
        finish(dial, now_ns, NP_SOURCE_CALL);
        return;
    }
    feed(dial, now_ns, AF_INET6, usable, usable_count);
    feed(dial, now_ns, AF_INET, usable, usable_count);
    step(dial, now_ns);
}

static void begin_lookup(np_dial *dial, bool cold, uint64_t now_ns)
{
    dial->phase = PHASE_DNS;
    np_emit_phase_begin(producer_of(dial), now_ns, dial->request, NP_PHASE_DNS, NP_SOURCE_CALL);
    dial->ask =
        np_dns_ask_start(dial->dialer->dns, dial->host, producer_of(dial) ? dial->request : 0,
                         dial->connection, cold, now_ns, on_answer, dial);
    if (!dial->ask) {
        (void)np_fail(&dial->result.error, NP_E_NO_MEMORY, "no memory for a name lookup");
        finish(dial, np_now(), NP_SOURCE_CALL);
        return;
    }
    step(dial, np_now());
}

static void begin(np_dial *dial, bool cold, uint64_t now_ns)
{
    const np_address *given = NULL;
    np_address literal;
    size_t count = np_dial_rules_resolve(dial->dialer->rules, dial->host, dial->port, &given);
    if (count == 0 && np_address_parse(dial->host, strlen(dial->host), &literal)) {
        given = &literal;
        count = 1;
    }
    if (count > 0)
        begin_given(dial, given, count, now_ns);
    else
        begin_lookup(dial, cold, now_ns);
}

np_dial *np_dial_start(np_dialer *dialer, const np_dial_target *target, uint64_t now_ns,
                       np_dial_fn done, void *user)
{
    np_dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    const char *host = target->host;
    uint16_t port = target->port;
    if (!target->is_proxy)
        np_dial_rules_connect_to(dialer->rules, &host, &port);
    dial->host = strdup(host);
    if (!dial->host) {
        free(dial);
        return NULL;
    }
    dial->dialer = dialer;
    dial->port = port;
    dial->request = target->request;
    dial->connection = target->connection;
    dial->result.fd = -1;
    dial->done = done;
    dial->user = user;
    dial->next = dialer->dials;
    dial->link = &dialer->dials;
    if (dial->next)
        dial->next->link = &dial->next;
    dialer->dials = dial;
    np_race_init(&dial->race, dialer->resolution_delay_ns, dialer->attempt_delay_ns,
                 wants(dialer, AF_INET), wants(dialer, AF_INET6), np_address_source);
    dial->is_starting = true;
    begin(dial, target->cold, now_ns);
    dial->is_starting = false;
    if (dial->is_over)
        arm_timer(dial, now_ns); /* due at once */
    return dial;
}

void np_dial_cancel(np_dial *dial, uint64_t now_ns)
{
    release(dial, now_ns);
    end_phase(dial, now_ns, NP_SOURCE_CALL);
    if (dial->result.fd >= 0)
        close(dial->result.fd);
    dial_free(dial);
}

bool np_dial_is_looking_up(const np_dial *dial)
{
    return dial->phase == PHASE_DNS;
}

void np_dial_disown(np_dial *dial, uint64_t now_ns)
{
    for (size_t i = 0; i < dial->attempt_count; i++)
        np_attempt_disown(dial->attempts[i], now_ns);
    if (dial->ask)
        np_dns_ask_disown(dial->ask, now_ns);
    end_phase(dial, now_ns, NP_SOURCE_CALL);
    dial->request = 0;
}

/* --- life --- */

np_status np_dialer_create(np_loop *loop, const np_dialer_options *options, np_producer *producer,
                           np_dialer **out, np_error *err)
{
    *out = NULL;
    np_dialer *dialer = calloc(1, sizeof *dialer);
    if (!dialer)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a dialer");
    dialer->loop = loop;
    dialer->producer = producer;
    dialer->family = options->family;
    dialer->ask_kernel = producer && options->kernel_times != NP_KERNEL_TIMES_NEVER;
    dialer->resolution_delay_ns = options->resolution_delay_ns
                                      ? options->resolution_delay_ns
                                      : RESOLUTION_DELAY_MS * (int64_t)NP_NS_PER_MS;
    dialer->attempt_delay_ns = options->attempt_delay_ns ? options->attempt_delay_ns
                                                         : ATTEMPT_DELAY_MS * (int64_t)NP_NS_PER_MS;
    np_status status = np_dial_rules_create(options, &dialer->rules, err);
    if (status)
        goto fail;
    const np_dns_options dns_options = {.family = options->family,
                                        .dns_servers = options->dns_servers,
                                        .hosts_file = options->hosts_file,
                                        .resolv_conf = options->resolv_conf,
                                        .resolver = options->resolver,
                                        .nsswitch_conf = options->nsswitch_conf,
                                        .system_program = options->system_program,
                                        .system_timeout_ns = options->system_timeout_ns};
    status = np_dns_create(loop, &dns_options, producer, &dialer->dns, err);
    if (status)
        goto fail;
    *out = dialer;
    return NP_OK;

fail:
    np_dialer_free(dialer);
    return status;
}

np_dns *np_dialer_dns(const np_dialer *dialer)
{
    return dialer->dns;
}

const np_dial_rules *np_dialer_rules(const np_dialer *dialer)
{
    return dialer->rules;
}

np_producer *np_dialer_producer(const np_dialer *dialer)
{
    return dialer->producer;
}

void np_dialer_free(np_dialer *dialer)
{
    if (!dialer)
        return;
    while (dialer->dials)
        np_dial_cancel(dialer->dials, np_loop_now(dialer->loop));
    np_dns_free(dialer->dns);
    np_dial_rules_free(dialer->rules);
    free(dialer);
}
