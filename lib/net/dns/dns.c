/*
 * Names to addresses. Floor 2; loop thread only.
 *
 * An ask is one request's interest in a name; a lookup is the work on the wire, shared by asks. A
 * lookup goes through the candidates of the search list: for each, A and AAAA are asked at once and
 * each ends on its own; only when both have ended without an address does it step on. So a silent
 * AAAA never holds up an A, and a server that wrongly says NXDOMAIN to AAAA does no harm.
 */
#include "dns.h"

#include "clock.h"
#include "fail.h"
#include "helper_program.h"
#include "hosts.h"
#include "nsswitch.h"
#include "system_resolver.h"
#include "text_file.h"
#include "textbuf.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILIES = 2 }; /* index 0: A, 1: AAAA */

typedef struct lookup lookup;

struct np_dns {
    np_loop *loop;
    np_producer *producer;
    np_family family;
    np_resolver resolver;
    char *dns_servers, *hosts_path, *resolv_path, *nsswitch_path, *system_program;
    np_text_file hosts_file, resolv_file, nsswitch_file;
    np_nsswitch nsswitch;
    bool asks_system; /* as the options and nsswitch.conf say */
    int64_t system_timeout_ns;
    np_system_resolver *system; /* NULL: not used so far */
    np_hosts *hosts;
    np_resolv_conf conf;
    size_t next_server; /* rotate */
    np_dns_cache *cache;
    np_dns_channels *channels;
    lookup *lookups;
};

struct np_dns_ask {
    np_dns *dns;
    lookup *lookup; /* NULL: answered without one, or it is over */
    np_dns_ask *next, **link;
    np_dns_state state;
    const char *source; /* for the span */
    np_span_seat seat;
    uint32_t span; /* `lookup`; 0: ended, or not kept */
    np_dns_fn fn;
    void *user;
};

struct lookup {
    np_dns *dns;
    char name[NP_DNS_NAME_SIZE]; /* lower case; a trailing dot is kept: it switches the search list
                                    off */
    bool cold;
    np_resolv_conf conf; /* as it was at the start: queries borrow it */
    size_t first_server;
    size_t candidate;
    np_dns_query *query[FAMILIES]; /* NULL: has ended, or is not asked for */
    np_system_query *system;       /* in their place; NULL: as above */
    np_dns_reply reply[FAMILIES];  /* to the present candidate */
    np_dns_reply failure;          /* the most telling one of all candidates so far */
    np_dns_state state;
    np_dns_ask *asks;   /* in order; the first one owns the query spans */
    np_dns_ask *cursor; /* the next one to be told */
    bool is_telling;    /* inside a callback of an ask: not to be freed */
    lookup *next, **link;
};

static const int families[FAMILIES] = {AF_INET, AF_INET6};

static bool wants(const np_dns *dns, size_t family)
{
    return dns->family == NP_FAMILY_ANY || (dns->family == NP_FAMILY_IPV6) == (family == 1);
}

/* --- the span of an ask --- */

static void ask_span_begin(np_dns_ask *ask, const char *name, uint64_t now_ns)
{
    if (ask->seat.request == 0)
        return;
    ask->span = np_emit_span_begin(ask->dns->producer, now_ns, ask->seat.request,
                                   ask->seat.connection, NP_PHASE_DNS, NP_SPAN_LOOKUP, 0, name);
}

static np_span_outcome ask_outcome(const np_dns_ask *ask)
{
    if (ask->state.count > 0)
        return NP_SPAN_OK;
    if (!ask->state.done_v4 || !ask->state.done_v6)
        return NP_SPAN_ABANDONED;
    static const np_span_outcome outcomes[] = {
        [NP_DNS_OK] = NP_SPAN_FAILED,         [NP_DNS_NODATA] = NP_SPAN_NODATA,
        [NP_DNS_NXDOMAIN] = NP_SPAN_NXDOMAIN, [NP_DNS_TIMEOUT] = NP_SPAN_TIMEOUT,
        [NP_DNS_REFUSED] = NP_SPAN_REFUSED,   [NP_DNS_FAILED] = NP_SPAN_FAILED};
    return outcomes[ask->state.outcome];
}

static void ask_span_end(np_dns_ask *ask, uint64_t now_ns)
{
    if (ask->span == 0)
        return;
    np_textbuf detail;
    char text[NP_ADDRESS_TEXT];
    np_textbuf_init(&detail, 8192);
    np_textbuf_print(&detail, "{\"source\":\"%s\",\"addresses\":[", ask->source);
    for (size_t i = 0; i < ask->state.count; i++)
        np_textbuf_print(&detail, "%s\"%s\"", i ? "," : "",
                         np_address_host_text(&ask->state.address[i], text));
    np_textbuf_puts(&detail, "]}");
    np_emit_span_end(ask->dns->producer, now_ns, ask->seat.request, ask->span, ask_outcome(ask),
                     detail.failed ? NULL : detail.text);
    np_textbuf_done(&detail);
    ask->span = 0;
}

/* --- lookups and their asks --- */

static void lookup_unlink(lookup *l)
{
    if (!l->link)
        return;
    *l->link = l->next;
    if (l->next)
        l->next->link = l->link;
    l->link = NULL;
}

static void lookup_free(lookup *l, uint64_t now_ns)
{
    for (size_t f = 0; f < FAMILIES; f++)
        if (l->query[f])
            np_dns_query_cancel(l->query[f], now_ns);
    if (l->system)
        np_system_query_cancel(l->system);
    lookup_unlink(l);
    free(l);
}

static bool lookup_is_over(const lookup *l)
{
    return l->state.done_v4 && l->state.done_v6;
}

/* Nobody waits; with addresses found it goes on for the cache. */
static bool lookup_is_idle(const lookup *l)
{
    return !l->asks && (l->cold || l->system || l->state.count == 0);
}

static np_span_seat query_seat(const lookup *l)
{
    const np_dns_ask *owner = l->asks;
    if (!owner || owner->span == 0)
        return (np_span_seat){0};
    np_span_seat seat = owner->seat;
    seat.parent = owner->span;
    return seat;
}

static void ask_attach(np_dns_ask *ask, lookup *l)
{
    np_dns_ask **link = &l->asks;
    while (*link)
        link = &(*link)->next;
    ask->lookup = l;
    ask->link = link;
    *link = ask;
}

static void ask_detach(np_dns_ask *ask)
{
    lookup *l = ask->lookup;
    if (l->cursor == ask)
        l->cursor = ask->next;
    *ask->link = ask->next;
    if (ask->next)
        ask->next->link = ask->link;
    ask->next = NULL;
    ask->lookup = NULL;
}

/* Tells every ask what is known; frees the lookup when it is over. A callback may end any ask: the
 * cursor steps over it. */
static void lookup_tell(lookup *l, uint64_t now_ns)
{
    const bool over = lookup_is_over(l);
    if (over)
        lookup_unlink(l);
    l->is_telling = true;
    for (l->cursor = l->asks; l->cursor;) {
        np_dns_ask *ask = l->cursor;
        l->cursor = ask->next;
        ask->state = l->state;
        if (over) {
            ask_detach(ask);
            ask_span_end(ask, now_ns);
        }
        ask->fn(now_ns, ask->user);
    }
    l->is_telling = false;
    if (over || lookup_is_idle(l))
        lookup_free(l, now_ns);
}

/* --- failures --- */

static void servers_text(const np_resolv_conf *conf, char out[128])
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < conf->server_count && length < 100; i++) {
        char text[NP_ADDRESS_TEXT];
        np_address_text(&conf->server[i], text);
        length += (size_t)snprintf(out + length, 128 - length, "%s%s", i ? ", " : "", text);
    }
}

static const char *what_is_missing(np_family family)
{
    if (family == NP_FAMILY_ANY)
        return "address";
    return family == NP_FAMILY_IPV4 ? "IPv4 address" : "IPv6 address";
}

static np_status fail_name(np_error *err, int code, const char *cause, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static np_status fail_name(np_error *err, int code, const char *cause, const char *format, ...)
{
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return np_fail_web(err, NP_WEB_NAME_RESOLUTION_FAILURE, "dns", code, cause, "%s", text);
}

static void fail_unreachable(np_error *err, const np_dns_reply *reply, const char *server)
{
    const char *cause = reply->error_number ? strerror(reply->error_number) : NULL;
    if (reply->error_number == EMFILE || reply->error_number == ENFILE) /* no fault of the server */
        (void)fail_name(err, 0, NULL, "no socket to ask DNS server %s: %s", server, cause);
    else
        (void)fail_name(err, 0, cause, "no connection to DNS server %s", server);
}

static void describe_failure(const lookup *l, np_error *err)
{
    const np_dns_reply *reply = &l->failure;
    char server[NP_ADDRESS_TEXT];
    char rcode[16];
    char cause[NP_ADDRESS_TEXT + 32];
    char servers[128];
    int length = (int)strlen(l->name);
    length -= l->name[length - 1] == '.'; /* not empty: normalise() has seen to it */
    np_address_text(&reply->server, server);
    np_dns_rcode_text(reply->rcode, rcode);
    (void)snprintf(cause, sizeof cause, "%s from %s", rcode, server);
    switch (reply->outcome) {
    case NP_DNS_NXDOMAIN:
        (void)fail_name(err, reply->rcode, cause, "unknown host %.*s", length, l->name);
        return;
    case NP_DNS_OK: /* not a failure */
    case NP_DNS_NODATA:
        (void)fail_name(err, reply->rcode, cause, "host %.*s has no %s", length, l->name,
                        what_is_missing(l->dns->family));
        return;
    case NP_DNS_TIMEOUT:
        servers_text(&l->conf, servers);
        (void)fail_name(err, 0, NULL, "no answer from DNS server%s %s",
                        l->conf.server_count > 1 ? "s" : "", servers);
        return;
    case NP_DNS_REFUSED:
    case NP_DNS_FAILED:
        if (reply->rcode <= 0 && reply->error_number != 0)
            fail_unreachable(err, reply, server);
        else if (reply->rcode > 0)
            (void)fail_name(err, reply->rcode, cause, "DNS server %s answers %s for %.*s", server,
                            rcode, length, l->name);
        else
            (void)fail_name(err, 0, NULL, "DNS server %s gives no usable answer for %.*s", server,
                            length, l->name);
        return;
    }
}

/* How much a reply says about the name: passing trouble before "no address", that before "does not
 * exist". */
static int weight(np_dns_outcome outcome)
{
    static const int weights[] = {[NP_DNS_OK] = 0,      [NP_DNS_NXDOMAIN] = 1, [NP_DNS_NODATA] = 2,
                                  [NP_DNS_TIMEOUT] = 3, [NP_DNS_REFUSED] = 4,  [NP_DNS_FAILED] = 5};
    return weights[outcome];
}

/* What both replies say together of the present candidate: "does not exist" holds for every type
 * (RFC 8020). */
static const np_dns_reply *candidate_failure(const lookup *l)
{
    const np_dns_reply *found = NULL;
    for (size_t f = 0; f < FAMILIES; f++) {
        if (!wants(l->dns, f))
            continue;
        if (l->reply[f].outcome == NP_DNS_NXDOMAIN)
            return &l->reply[f];
        if (!found || weight(l->reply[f].outcome) > weight(found->outcome))
            found = &l->reply[f];
    }
    return found;
}

/* --- the wire --- */

static void on_reply(lookup *l, size_t f, const np_dns_reply *reply, uint64_t now_ns);

static void on_reply_v4(const np_dns_reply *reply, uint64_t now_ns, void *user)
{
    on_reply(user, 0, reply, now_ns);
}

static void on_reply_v6(const np_dns_reply *reply, uint64_t now_ns, void *user)
{
    on_reply(user, 1, reply, now_ns);
}

/* false: no candidate left, or no memory. */
static bool ask_candidate(lookup *l, uint64_t now_ns)
{
    char name[NP_DNS_NAME_SIZE];
    if (!np_resolv_conf_candidate(&l->conf, l->name, l->candidate, name))
        return false;
    const np_span_seat seat = query_seat(l);
    bool asked = false;
    for (size_t f = 0; f < FAMILIES; f++) {
        if (!wants(l->dns, f))
            continue;
        l->query[f] =
            np_dns_query_start(l->dns->channels, &l->conf, l->first_server, name, families[f],
                               &seat, now_ns, f == 0 ? on_reply_v4 : on_reply_v6, l);
        asked |= l->query[f] != NULL;
    }
    return asked;
}

static bool next_candidate(lookup *l, uint64_t now_ns)
{
    const np_dns_reply *failure = candidate_failure(l);
    if (weight(failure->outcome) > weight(l->failure.outcome))
        l->failure = *failure;
    /* With no server in reach the next name would only take as long again. */
    if (failure->outcome == NP_DNS_TIMEOUT || failure->outcome == NP_DNS_REFUSED)
        return false;
    l->candidate++;
    return ask_candidate(l, now_ns);
}

static void find_in_hosts(np_dns *dns, const char *name, np_dns_state *state);

/* With "dns files" the hosts file has the last word. */
static bool hosts_help(lookup *l)
{
    if (!l->dns->nsswitch.files_last)
        return false;
    char bare[NP_DNS_NAME_SIZE];
    const size_t length = strlen(l->name);
    memcpy(bare, l->name, length + 1);
    if (bare[length - 1] == '.')
        bare[length - 1] = '\0';
    find_in_hosts(l->dns, bare, &l->state);
    if (l->state.count > 0 && l->asks)
        l->asks->source = "hosts";
    return l->state.count > 0;
}

static void lookup_fail(lookup *l, uint64_t now_ns)
{
    if (hosts_help(l))
        return;
    l->state.outcome = l->failure.outcome;
    l->state.no_descriptor = l->failure.error_number == EMFILE || l->failure.error_number == ENFILE;
    describe_failure(l, &l->state.error);
    const bool is_negative =
        l->failure.outcome == NP_DNS_NXDOMAIN || l->failure.outcome == NP_DNS_NODATA;
    if (is_negative && !l->cold)
        np_dns_cache_store_error(l->dns->cache, l->name, &l->state.error, now_ns);
}

static void take_reply(lookup *l, size_t f, const np_dns_reply *reply, uint64_t now_ns)
{
    memcpy(&l->state.address[l->state.count], reply->address,
           reply->count * sizeof reply->address[0]);
    l->state.count += reply->count;
    l->state.from_wire = true;
    if (!l->cold)
        np_dns_cache_store(l->dns->cache, l->name, families[f], reply->address, reply->count,
                           reply->ttl_s, now_ns);
}

static void on_reply(lookup *l, size_t f, const np_dns_reply *reply, uint64_t now_ns)
{
    l->query[f] = NULL;
    l->reply[f] = *reply;
    if (reply->outcome == NP_DNS_OK)
        take_reply(l, f, reply, now_ns);
    const bool both = !l->query[0] && !l->query[1];
    if (both && l->state.count == 0 && next_candidate(l, now_ns))
        return;
    if (both && l->state.count == 0)
        lookup_fail(l, now_ns);
    if (both)
        l->state.done_v4 = l->state.done_v6 = true;
    else if (reply->outcome == NP_DNS_OK)
        *(f == 0 ? &l->state.done_v4 : &l->state.done_v6) = true;
    if (both || reply->outcome == NP_DNS_OK)
        lookup_tell(l, now_ns);
}

/* --- the system's resolver --- */

static void describe_system_failure(const lookup *l, const np_system_reply *reply, np_error *err)
{
    int length = (int)strlen(l->name);
    length -= l->name[length - 1] == '.';
    const char *cause = reply->code ? gai_strerror(reply->code) : NULL;
    switch (reply->outcome) {
    case NP_DNS_NXDOMAIN:
        (void)fail_name(err, reply->code, cause, "unknown host %.*s", length, l->name);
        return;
    case NP_DNS_OK: /* not a failure */
    case NP_DNS_NODATA:
        (void)fail_name(err, reply->code, cause, "host %.*s has no %s", length, l->name,
                        what_is_missing(l->dns->family));
        return;
    case NP_DNS_TIMEOUT:
    case NP_DNS_REFUSED:
    case NP_DNS_FAILED:
        if (reply->words[0])
            (void)fail_name(err, reply->code, cause, "%s", reply->words);
        else
            (void)fail_name(err, reply->code, cause, "the system resolver fails for %.*s", length,
                            l->name);
        return;
    }
}

static void on_system_reply(const np_system_reply *reply, uint64_t now_ns, void *user)
{
    lookup *l = user;
    l->system = NULL;
    memcpy(l->state.address, reply->address, reply->count * sizeof reply->address[0]);
    l->state.count = reply->count;
    l->state.from_wire = true;
    l->state.outcome = reply->outcome;
    l->state.done_v4 = l->state.done_v6 = true;
    if (reply->count == 0)
        describe_system_failure(l, reply, &l->state.error);
    lookup_tell(l, now_ns);
}

static bool ask_system(lookup *l, uint64_t now_ns)
{
    static const int wanted[] = {
        [NP_FAMILY_ANY] = AF_UNSPEC, [NP_FAMILY_IPV4] = AF_INET, [NP_FAMILY_IPV6] = AF_INET6};
    np_dns *dns = l->dns;
    const np_system_resolver_options options = {.program = dns->system_program,
                                                .timeout_ns = dns->system_timeout_ns};
    if (!dns->system)
        dns->system = np_system_resolver_create(dns->loop, &options);
    if (dns->system)
        l->system = np_system_query_start(dns->system, l->name, wanted[dns->family], now_ns,
                                          on_system_reply, l);
    return l->system != NULL;
}

static bool lookup_start(np_dns *dns, np_dns_ask *ask, const char *name, bool cold, uint64_t now_ns)
{
    lookup *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    l->dns = dns;
    l->cold = cold;
    l->conf = dns->conf;
    (void)snprintf(l->name, sizeof l->name, "%s", name);
    if (dns->conf.rotate)
        l->first_server = dns->next_server++ % dns->conf.server_count;
    l->state.done_v4 = !wants(dns, 0);
    l->state.done_v6 = !wants(dns, 1);
    ask_attach(ask, l);
    ask->state = l->state;
    if (!(dns->asks_system ? ask_system(l, now_ns) : ask_candidate(l, now_ns))) {
        ask_detach(ask);
        lookup_free(l, now_ns);
        return false;
    }
    l->next = dns->lookups;
    l->link = &dns->lookups;
    if (l->next)
        l->next->link = &l->next;
    dns->lookups = l;
    return true;
}

static lookup *lookup_find(const np_dns *dns, const char *name)
{
    lookup *l = dns->lookups;
    while (l && (l->cold || strcmp(l->name, name) != 0))
        l = l->next;
    return l;
}

/* --- what is known without a packet --- */

/* The program that asks the system: found once. */
static bool find_system_program(np_dns *dns)
{
    char path[PATH_MAX];
    if (!dns->system_program && np_helper_find("netphase-resolve", path))
        dns->system_program = strdup(path);
    return dns->system_program != NULL;
}

/* Of our own accord only where the program for it is there. */
static bool wants_system(np_dns *dns)
{
    if (dns->resolver != NP_RESOLVER_AUTOMATIC)
        return dns->resolver == NP_RESOLVER_SYSTEM;
    return dns->nsswitch.needs_system && !dns->dns_servers && find_system_program(dns);
}

static void reload(np_dns *dns)
{
    char *text;
    size_t length;
    if (np_text_file_changed(&dns->hosts_file, &text, &length)) {
        np_hosts_free(dns->hosts);
        dns->hosts = text ? np_hosts_parse(text, length) : NULL;
        free(text);
    }
    if (np_text_file_changed(&dns->resolv_file, &text, &length)) {
        np_resolv_conf_parse(text, length, &dns->conf);
        free(text);
        if (dns->dns_servers)
            (void)np_dns_servers_parse(dns->dns_servers, &dns->conf,
                                       NULL); /* checked by np_dns_create */
        np_dns_cache_clear(dns->cache);
    }
    if (np_text_file_changed(&dns->nsswitch_file, &text, &length)) {
        np_nsswitch_parse(text, length, &dns->nsswitch);
        free(text);
        dns->asks_system = wants_system(dns);
        np_dns_cache_clear(dns->cache);
    }
}

static void state_add(np_dns *dns, np_dns_state *state, const np_address *addresses, size_t count)
{
    for (size_t i = 0; i < count && state->count < sizeof state->address / sizeof state->address[0];
         i++)
        if (wants(dns, addresses[i].any.sa_family == AF_INET6))
            state->address[state->count++] = addresses[i];
}

/* localhost and *.localhost; `name` without a trailing dot. */
static bool is_localhost(const char *name)
{
    const size_t length = strlen(name);
    const size_t own = strlen("localhost");
    return length >= own && strcmp(name + length - own, "localhost") == 0 &&
           (length == own || name[length - own - 1] == '.');
}

static void find_localhost(np_dns *dns, np_dns_state *state)
{
    np_address both[FAMILIES] = {
        {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}},
        {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}}};
    state_add(dns, state, both, FAMILIES);
}

static void find_in_hosts(np_dns *dns, const char *name, np_dns_state *state)
{
    np_address found[2 * NP_DNS_ADDRESSES];
    state_add(dns, state, found, np_hosts_find(dns->hosts, name, found, 2 * NP_DNS_ADDRESSES));
}

static bool find_in_cache(np_dns *dns, const char *name, uint64_t now_ns, np_dns_state *state)
{
    np_dns_cached cached;
    if (!np_dns_cache_find(dns->cache, name, now_ns, &cached))
        return false;
    state->cached = true;
    state_add(dns, state, cached.address, cached.count);
    if (cached.count == 0) {
        state->error = cached.error;
        state->outcome = cached.error.code == 0 ? NP_DNS_NODATA : NP_DNS_NXDOMAIN;
    }
    return true;
}

/* Lower case into out[]; what is not a host name is refused here: c-ares would take a backslash for
 * an escape. */
static bool normalise(const char *name, char out[NP_DNS_NAME_SIZE])
{
    const size_t length = strlen(name);
    size_t label = 0;
    if (length == 0 || length > NP_DNS_NAME_SIZE - 2)
        return false;
    for (size_t i = 0; i < length; i++) {
        const char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 'a' - 'A') : name[i];
        const bool is_plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (c == '.' ? label == 0 : !is_plain || label == 63)
            return false;
        label = c == '.' ? 0 : label + 1;
        out[i] = c;
    }
    out[length] = '\0';
    return length <= 253 || out[length - 1] == '.';
}

/* Fills in the state when no packet is needed, and says where it came from. */
static const char *find_locally(np_dns *dns, const char *name, bool cold, uint64_t now_ns,
                                np_dns_state *state)
{
    char bare[NP_DNS_NAME_SIZE];
    (void)snprintf(bare, sizeof bare, "%s", name);
    const size_t length = strlen(bare);
    if (bare[length - 1] == '.')
        bare[length - 1] = '\0';
    if (is_localhost(bare)) {
        find_localhost(dns, state);
        return "localhost";
    }
    /* Who asks for the system's resolver gets all of it; it reads the hosts file as well. */
    if (dns->nsswitch.files_first && dns->resolver != NP_RESOLVER_SYSTEM)
        find_in_hosts(dns, bare, state);
    if (state->count > 0)
        return "hosts";
    if (cold || !find_in_cache(dns, name, now_ns, state))
        return NULL;
    return state->count > 0 || !dns->nsswitch.files_last ? "cache" : NULL;
}

/* --- asks --- */

static void ask_begin(np_dns_ask *ask, const char *given, bool cold, uint64_t now_ns)
{
    np_dns *dns = ask->dns;
    np_dns_state *state = &ask->state;
    char name[NP_DNS_NAME_SIZE];
    ask->source = "none";
    if (!normalise(given, name)) {
        state->outcome = NP_DNS_FAILED;
        (void)fail_name(&state->error, 0, NULL, "'%.100s' is not a host name", given);
    } else {
        reload(dns);
        const char *source = find_locally(dns, name, cold, now_ns, state);
        lookup *running = source || cold ? NULL : lookup_find(dns, name);
        if (running) {
            ask->source = "shared";
            ask_attach(ask, running);
            *state = running->state;
            return;
        }
        ask->source = source ? source : dns->asks_system ? "nss" : "dns";
        if (!source && lookup_start(dns, ask, name, cold, now_ns))
            return;
        if (!source)
            (void)np_fail(&state->error, NP_E_NO_MEMORY, "no memory for a name lookup");
    }
    state->done_v4 = state->done_v6 = true;
    if (ask->span)
        ask_span_end(ask, np_now());
}

np_dns_ask *np_dns_ask_start(np_dns *dns, const char *name, uint32_t request, uint32_t connection,
                             bool cold, uint64_t now_ns, np_dns_fn fn, void *user)
{
    np_dns_ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    ask->dns = dns;
    ask->fn = fn;
    ask->user = user;
    ask->seat =
        (np_span_seat){.producer = dns->producer, .request = request, .connection = connection};
    ask_span_begin(ask, name, now_ns);
    ask_begin(ask, name, cold, now_ns);
    return ask;
}

const np_dns_state *np_dns_ask_state(const np_dns_ask *ask)
{
    return &ask->state;
}

/* The query spans go to the ask that is now the first, or to nobody. */
static void reseat_queries(lookup *l, uint64_t now_ns)
{
    const np_span_seat seat = query_seat(l);
    for (size_t f = 0; f < FAMILIES; f++)
        if (l->query[f])
            np_dns_query_reseat(l->query[f], &seat, now_ns);
}

void np_dns_ask_end(np_dns_ask *ask, uint64_t now_ns)
{
    lookup *l = ask->lookup;
    if (l) {
        const bool owned = l->asks == ask;
        ask_detach(ask);
        if (!l->is_telling && lookup_is_idle(l))
            lookup_free(l, now_ns); /* ends the query spans as abandoned */
        else if (owned)
            reseat_queries(l, now_ns);
    }
    ask_span_end(ask, now_ns);
    free(ask);
}

void np_dns_ask_disown(np_dns_ask *ask, uint64_t now_ns)
{
    lookup *l = ask->lookup;
    ask_span_end(ask, now_ns);
    ask->seat.request = 0;
    if (l && l->asks == ask)
        reseat_queries(l, now_ns);
}

/* --- life --- */

static bool copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

np_status np_dns_create(np_loop *loop, const np_dns_options *options, np_producer *producer,
                        np_dns **out, np_error *err)
{
    *out = NULL;
    np_resolv_conf scratch;
    if (options->dns_servers && np_dns_servers_parse(options->dns_servers, &scratch, err) != NP_OK)
        return NP_E_ARGUMENT;
    if (options->dns_servers && options->resolver == NP_RESOLVER_SYSTEM)
        return np_fail(err, NP_E_ARGUMENT,
                       "DNS servers are asked by our own resolver: expected them or the system's");
    np_dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the name resolver");
    dns->loop = loop;
    dns->producer = producer;
    dns->family = options->family;
    dns->resolver = options->resolver;
    dns->system_timeout_ns = options->system_timeout_ns;
    dns->cache = np_dns_cache_create();
    dns->channels = np_dns_channels_create(loop);
    if (!dns->cache || !dns->channels || !copy_text(&dns->dns_servers, options->dns_servers) ||
        !copy_text(&dns->hosts_path, options->hosts_file ? options->hosts_file : "/etc/hosts") ||
        !copy_text(&dns->resolv_path,
                   options->resolv_conf ? options->resolv_conf : "/etc/resolv.conf") ||
        !copy_text(&dns->nsswitch_path,
                   options->nsswitch_conf ? options->nsswitch_conf : "/etc/nsswitch.conf") ||
        !copy_text(&dns->system_program, options->system_program)) {
        np_dns_free(dns);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the name resolver");
    }
    if (options->resolver == NP_RESOLVER_SYSTEM && !find_system_program(dns)) {
        np_dns_free(dns);
        return np_fail(err, NP_E_INPUT,
                       "netphase-resolve, which asks the system's resolver, is not there");
    }
    np_text_file_init(&dns->hosts_file, dns->hosts_path);
    np_text_file_init(&dns->resolv_file, dns->resolv_path);
    np_text_file_init(&dns->nsswitch_file, dns->nsswitch_path);
    *out = dns;
    return NP_OK;
}

void np_dns_free(np_dns *dns)
{
    if (!dns)
        return;
    while (dns->lookups)
        lookup_free(dns->lookups, np_loop_now(dns->loop));
    np_system_resolver_free(dns->system);
    np_dns_channels_free(dns->channels);
    np_dns_cache_free(dns->cache);
    np_hosts_free(dns->hosts);
    free(dns->dns_servers);
    free(dns->hosts_path);
    free(dns->resolv_path);
    free(dns->nsswitch_path);
    free(dns->system_program);
    free(dns);
}
