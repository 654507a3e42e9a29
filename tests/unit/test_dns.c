/* Names to addresses: against a scripted server, and against dnsmasq where it is installed. Spans
 * are read out of the ring. */
#include "clock.h"
#include "dial_rig.h"
#include "dns.h"
#include "dns_server.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASKS = 8 };

struct rig;

struct one_ask {
    struct rig *rig;
    const char *name;
    bool cold;
    bool end_at_news; /* end it as soon as something is known */
    np_dns_ask *ask;
    np_dns_state state; /* at its end */
    bool known_at_start;
    int news;
};

/* All asks of a batch are started in one task; `done` is posted when the last one is answered. */
struct rig {
    np_loop_task task; /* first */
    np_loop *loop;
    np_dns *dns;
    np_dns_options options;
    struct recording recording;
    char folder[64], hosts[96], resolv[96];
    struct one_ask asks[ASKS];
    size_t first, count; /* of the batch */
    size_t left;
    uint32_t requests;
    sem_t done;
};

static struct recorded_span spans[64];

static void end_ask(struct one_ask *a, uint64_t now_ns)
{
    a->state = *np_dns_ask_state(a->ask);
    np_dns_ask_end(a->ask, now_ns);
    a->ask = NULL;
    if (--a->rig->left == 0)
        sem_post(&a->rig->done);
}

static void on_news(uint64_t now_ns, void *user)
{
    struct one_ask *a = user;
    const np_dns_state *state = np_dns_ask_state(a->ask);
    a->news++;
    if (a->end_at_news || (state->done_v4 && state->done_v6))
        end_ask(a, now_ns);
}

static void run_batch(np_loop_task *task)
{
    struct rig *rig = (struct rig *)task;
    /* With the last end the next batch may be filled in. */
    const size_t first = rig->first, end = rig->first + rig->count;
    for (size_t i = first; i < end; i++) {
        struct one_ask *a = &rig->asks[i];
        a->ask =
            np_dns_ask_start(rig->dns, a->name, (uint32_t)i + 1, 0, a->cold, np_now(), on_news, a);
        const np_dns_state *state = np_dns_ask_state(a->ask);
        a->known_at_start = state->done_v4 && state->done_v6;
    }
    for (size_t i = first; i < end; i++)
        if (rig->asks[i].ask && rig->asks[i].known_at_start)
            end_ask(&rig->asks[i], np_now());
}

static void rig_open(struct rig *rig, np_dns_options options)
{
    np_error err;
    memset(rig, 0, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/netphase-dns-XXXXXX");
    cr_assert(mkdtemp(rig->folder));
    snprintf(rig->hosts, sizeof rig->hosts, "%s/hosts", rig->folder);
    snprintf(rig->resolv, sizeof rig->resolv, "%s/resolv.conf", rig->folder);
    rig_write(rig->hosts, "");
    rig_write(rig->resolv, "options timeout:1 attempts:1\n");
    rig->options = options;
    rig->options.hosts_file = rig->hosts;
    rig->options.resolv_conf = rig->resolv;
    rig->options.nsswitch_conf = "/nonexistent";
    sem_init(&rig->done, 0, 0);
    recording_init(&rig->recording);
    cr_assert_eq(np_loop_create(&rig->loop, &err), NP_OK);
    cr_assert_eq(np_dns_create(rig->loop, &rig->options, &rig->recording.producer, &rig->dns, &err),
                 NP_OK, "%s", err.text);
    cr_assert_eq(np_loop_start(rig->loop, &err), NP_OK);
}

static void ask_batch(struct rig *rig, size_t count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    rig->count = rig->left = count;
    for (size_t i = rig->first; i < rig->first + count; i++)
        rig->asks[i].rig = rig;
    rig->task.run = run_batch;
    np_loop_post(rig->loop, &rig->task);
    cr_assert_eq(sem_timedwait(&rig->done, &deadline), 0, "no answer within 30 s");
    rig->first += count;
}

/* One name; what is known of it. */
static const np_dns_state *ask(struct rig *rig, const char *name)
{
    rig->asks[rig->first].name = name;
    ask_batch(rig, 1);
    return &rig->asks[rig->first - 1].state;
}

static const np_dns_state *ask_cold(struct rig *rig, const char *name)
{
    rig->asks[rig->first].cold = true;
    return ask(rig, name);
}

struct free_task {
    np_loop_task task; /* first */
    struct rig *rig;
};

static void run_free(np_loop_task *task)
{
    np_dns_free(((struct free_task *)task)->rig->dns);
}

static void rig_close(struct rig *rig)
{
    struct free_task task = {.task.run = run_free, .rig = rig};
    np_loop_post(rig->loop, &task.task);
    np_loop_stop(rig->loop);
    np_loop_free(rig->loop);
    recording_read(&rig->recording);
    recording_done(&rig->recording);
    unlink(rig->hosts);
    unlink(rig->resolv);
    rmdir(rig->folder);
    sem_destroy(&rig->done);
}

/* Before rig_close: texts are in the ring. */
static size_t spans_of(struct rig *rig, int kind)
{
    recording_read(&rig->recording);
    return recording_spans(&rig->recording, kind, spans, 64);
}

/* "127.0.0.1 ::1" */
static const char *addresses_of(const np_dns_state *state)
{
    static char out[1024];
    char text[NP_ADDRESS_TEXT];
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < state->count; i++)
        length += (size_t)snprintf(out + length, sizeof out - length, "%s%s", i ? " " : "",
                                   np_address_host_text(&state->address[i], text));
    return out;
}

static bool detail_has(const struct recorded_span *span, const char *piece)
{
    return strstr(span->detail, piece) != NULL;
}

/* --- the wire --- */

Test(dns, both_families_come_together)
{
    const struct dns_rule rules[] = {
        {.name = "both.lab",                  .type = DNS_A, .addresses = "192.0.2.1,192.0.2.2", .ttl_s = 60},
        {.name = "both.lab",
         .type = DNS_AAAA,
         .addresses = "2001:db8::1",
         .ttl_s = 60,
         .delay_ms = 20},
        {0                                  }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    const np_dns_state *state = ask(&rig, "Both.Lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1 192.0.2.2 2001:db8::1");
    cr_assert(state->from_wire);
    cr_assert_eq(rig.asks[0].news, 2, "the first family is told before the second has answered");
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, a_cname_is_followed)
{
    const struct dns_rule rules[] = {
        {.name = "www.lab",
         .type = DNS_A,
         .cname = "real.lab",
         .addresses = "192.0.2.7",
         .ttl_s = 60},
        {.name = "www.lab", .type = DNS_AAAA, .cname = "real.lab"},
        {0        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    const np_dns_state *state = ask(&rig, "www.lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.7");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[1].outcome, NP_SPAN_NODATA);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, an_answer_with_another_id_is_ignored)
{
    const struct dns_rule rules[] = {
        {.name = "real.lab",
         .type = DNS_A,
         .addresses = "192.0.2.1",
         .ttl_s = 60,
         .wrong_id = true,
         .delay_ms = 20},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});

    const np_dns_state *state = ask(&rig, "real.lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, a_truncated_answer_is_asked_for_by_tcp_in_a_span_of_its_own)
{
    const struct dns_rule rules[] = {
        {.name = "big.lab",         .type = DNS_A, .addresses = "192.0.2.1", .ttl_s = 60, .truncate = true},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});

    const np_dns_state *state = ask(&rig, "big.lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert(detail_has(&spans[0], "\"transport\":\"udp\"") &&
                  detail_has(&spans[0], "\"truncated\":true"),
              "%s", spans[0].detail);
    cr_assert(detail_has(&spans[1], "\"transport\":\"tcp\"") && detail_has(&spans[1], "192.0.2.1"),
              "%s", spans[1].detail);
    cr_assert_eq(spans[0].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[1].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[0].end_ns, spans[1].begin_ns);
    cr_assert_str_eq(spans[0].name, spans[1].name);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, after_servfail_the_next_server_is_asked)
{
    const struct dns_rule bad[] = {
        {.name = "origin.lab", .rcode = 2},
        {0                   }
    };
    const struct dns_rule good[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60},
        {0        }
    };
    struct dns_server *first = dns_server_start(bad);
    struct dns_server *second = dns_server_start(good);
    struct rig rig;
    char servers[128];
    snprintf(servers, sizeof servers, "%s,%s", dns_server_address(first),
             dns_server_address(second));
    rig_open(&rig, (np_dns_options){.dns_servers = servers, .family = NP_FAMILY_IPV4});

    const np_dns_state *state = ask(&rig, "origin.lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[0].outcome, NP_SPAN_FAILED);
    cr_assert(detail_has(&spans[0], "\"rcode\":\"SERVFAIL\""), "%s", spans[0].detail);
    cr_assert(detail_has(&spans[1], "\"attempt\":2") &&
                  detail_has(&spans[1], dns_server_address(second)),
              "%s", spans[1].detail);
    rig_close(&rig);
    dns_server_stop(first);
    dns_server_stop(second);
}

Test(dns, a_server_that_is_not_there_is_left_at_once)
{
    const struct dns_rule good[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60},
        {0        }
    };
    struct dns_server *second = dns_server_start(good);
    struct rig rig;
    char servers[128];
    snprintf(servers, sizeof servers, "127.0.0.1:%u,%s", closed_port(), dns_server_address(second));
    rig_open(&rig, (np_dns_options){.dns_servers = servers, .family = NP_FAMILY_IPV4});
    rig_write(rig.resolv, "options timeout:20 attempts:1\n");

    const np_dns_state *state = ask(&rig, "origin.lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[0].outcome, NP_SPAN_REFUSED);
    cr_assert(detail_has(&spans[0], "\"errno\":\"ECONNREFUSED\""), "%s", spans[0].detail);
    rig_close(&rig);
    dns_server_stop(second);
}

Test(dns, a_lost_packet_is_repeated_after_the_time_out_of_resolv_conf)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .drop = true, .times = 1},
        {.name = "origin.lab",          .addresses = "192.0.2.1", .ttl_s = 60},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});
    rig_write(rig.resolv, "options timeout:1 attempts:2\n");

    const np_dns_state *state = ask(&rig, "origin.lab");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[0].outcome, NP_SPAN_TIMEOUT);
    cr_assert_geq(spans[0].end_ns - spans[0].begin_ns, (uint64_t)NP_NS_PER_S - NP_NS_PER_MS);
    cr_assert_eq(spans[1].outcome, NP_SPAN_OK);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, use_vc_asks_by_tcp_from_the_start)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60},
        {0        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});
    rig_write(rig.resolv, "options use-vc timeout:1 attempts:1\n");

    cr_assert_str_eq(addresses_of(ask(&rig, "origin.lab")), "192.0.2.1");

    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 1);
    cr_assert(detail_has(&spans[0], "\"transport\":\"tcp\""), "%s", spans[0].detail);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, rotate_begins_with_another_server_each_time)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60},
        {0        }
    };
    struct dns_server *first = dns_server_start(rules);
    struct dns_server *second = dns_server_start(rules);
    struct rig rig;
    char servers[128];
    snprintf(servers, sizeof servers, "%s,%s", dns_server_address(first),
             dns_server_address(second));
    rig_open(&rig, (np_dns_options){.dns_servers = servers, .family = NP_FAMILY_IPV4});
    rig_write(rig.resolv, "options rotate timeout:1 attempts:1\n");

    ask_cold(&rig, "origin.lab");
    ask_cold(&rig, "origin.lab");

    cr_assert_eq(dns_server_count(first), 1);
    cr_assert_eq(dns_server_count(second), 1);
    rig_close(&rig);
    dns_server_stop(first);
    dns_server_stop(second);
}

/* --- failures in words --- */

Test(dns, a_silent_server_is_named)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .drop = true},
        {0                   }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    char expected[128];
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    const np_dns_state *state = ask(&rig, "origin.lab");

    snprintf(expected, sizeof expected, "no answer from DNS server %s", dns_server_address(server));
    cr_assert_str_eq(state->error.text, expected);
    cr_assert_eq(state->error.web_status, NP_WEB_NAME_RESOLUTION_FAILURE);
    cr_assert_eq(dns_server_count(server), 2, "timeout x attempts, for A and AAAA");
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, failures_say_what_the_server_said)
{
    const struct dns_rule rules[] = {
        {.name = "empty.lab" },
        {.name = "broken.lab", .rcode = 2},
        {.name = "secret.lab",                    .rcode = 5},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    char expected[128];
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    cr_assert_str_eq(ask(&rig, "empty.lab")->error.text, "host empty.lab has no address");
    snprintf(expected, sizeof expected, "DNS server %s answers SERVFAIL for broken.lab",
             dns_server_address(server));
    cr_assert_str_eq(ask(&rig, "broken.lab")->error.text, expected);
    cr_assert_eq(rig.asks[1].state.error.code, 2);
    snprintf(expected, sizeof expected, "DNS server %s answers REFUSED for secret.lab",
             dns_server_address(server));
    cr_assert_str_eq(ask(&rig, "secret.lab")->error.text, expected);
    cr_assert_str_eq(ask(&rig, "a..b")->error.text, "'a..b' is not a host name");
    cr_assert_str_eq(ask(&rig, "a b")->error.text, "'a b' is not a host name");
    cr_assert_str_eq(ask(&rig, "")->error.text, "'' is not a host name");
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, no_server_there_is_said)
{
    struct rig rig;
    char server[32];
    char expected[128];
    snprintf(server, sizeof server, "127.0.0.1:%u", closed_port());
    rig_open(&rig, (np_dns_options){.dns_servers = server});

    const np_dns_state *state = ask(&rig, "origin.lab");

    snprintf(expected, sizeof expected, "no connection to DNS server %s", server);
    cr_assert_str_eq(state->error.text, expected);
    cr_assert_str_eq(state->error.cause, "Connection refused");
    rig_close(&rig);
}

/* --- search list --- */

Test(dns, the_search_list_is_gone_through_in_order)
{
    const struct dns_rule rules[] = {
        {.name = "web.two.lab",     .type = DNS_A, .addresses = "192.0.2.1", .ttl_s = 60},
        {.name = "web.two.lab", .type = DNS_AAAA},
        {0                        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});
    rig_write(rig.resolv, "search one.lab two.lab\noptions timeout:1 attempts:1\n");

    const np_dns_state *state = ask(&rig, "web");

    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 4);
    cr_assert_str_eq(spans[0].name, "A web.one.lab");
    cr_assert_eq(spans[0].outcome, NP_SPAN_NXDOMAIN);
    cr_assert_str_eq(spans[2].name, "A web.two.lab");
    cr_assert_eq(dns_server_count_of(server, "web", DNS_ANY), 0);
    cr_assert_str_eq(ask(&rig, "web.")->error.text, "unknown host web");
    cr_assert_eq(dns_server_count_of(server, "web", DNS_ANY), 2,
                 "a trailing dot switches the search list off");
    rig_close(&rig);
    dns_server_stop(server);
}

/* --- without a packet --- */

Test(dns, localhost_is_answered_here)
{
    const struct dns_rule rules[] = {
        {.name = "localhost", .addresses = "192.0.2.1"},
        {0                  }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    cr_assert_str_eq(addresses_of(ask(&rig, "localhost")), "127.0.0.1 ::1");
    cr_assert_str_eq(addresses_of(ask(&rig, "app.LocalHost.")), "127.0.0.1 ::1");

    cr_assert(rig.asks[0].known_at_start);
    cr_assert_eq(dns_server_count(server), 0);
    cr_assert_eq(spans_of(&rig, NP_SPAN_LOOKUP), 2);
    cr_assert(detail_has(&spans[0], "\"source\":\"localhost\""), "%s", spans[0].detail);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, the_hosts_file_goes_first_and_is_read_again)
{
    const struct dns_rule rules[] = {
        {.name = "box.lab", .addresses = "192.0.2.1", .ttl_s = 60},
        {0     }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});
    rig_write(rig.hosts, "192.0.2.50 box.lab box\n2001:db8::50 six.lab\n");

    cr_assert_str_eq(addresses_of(ask(&rig, "BOX")), "192.0.2.50");
    cr_assert_str_eq(addresses_of(ask(&rig, "box.lab")), "192.0.2.50");
    cr_assert_eq(dns_server_count(server), 0);
    rig_write(rig.hosts, "192.0.2.51 box.lab another-name\n");
    cr_assert_str_eq(addresses_of(ask(&rig, "box.lab")), "192.0.2.51");
    unlink(rig.hosts);
    cr_assert_str_eq(addresses_of(ask(&rig, "box.lab")), "192.0.2.1");
    rig_close(&rig);
    dns_server_stop(server);
}

/* --- cache and sharing --- */

Test(dns, the_cache_answers_until_it_is_told_otherwise)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",      .type = DNS_A, .addresses = "192.0.2.1", .ttl_s = 3000},
        {.name = "origin.lab", .type = DNS_AAAA},
        {0                        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    ask(&rig, "origin.lab");
    const np_dns_state *state = ask(&rig, "ORIGIN.lab");
    cr_assert(state->cached);
    cr_assert_str_eq(addresses_of(state), "192.0.2.1");
    cr_assert_eq(dns_server_count(server), 2);
    cr_assert_not(ask_cold(&rig, "origin.lab")->cached);
    cr_assert_eq(dns_server_count(server), 4, "a cold request does not look into it");
    cr_assert_str_eq(ask(&rig, "nx.lab")->error.text, "unknown host nx.lab");
    const np_dns_state *negative = ask(&rig, "nx.lab");
    cr_assert(negative->cached);
    cr_assert_str_eq(negative->error.text, "unknown host nx.lab");
    cr_assert_eq(dns_server_count_of(server, "nx.lab", DNS_ANY), 2);
    rig_write(rig.resolv, "options timeout:2 attempts:1\n# changed\n");
    cr_assert_not(ask(&rig, "origin.lab")->cached, "another resolv.conf empties it");
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, a_cold_lookup_does_not_fill_the_cache)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60},
        {0        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});

    ask_cold(&rig, "origin.lab");
    cr_assert_not(ask(&rig, "origin.lab")->cached);

    cr_assert_eq(dns_server_count(server), 2);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, those_who_ask_at_once_share_one_query)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60, .delay_ms = 20},
        {0        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});

    for (int i = 0; i < 3; i++)
        rig.asks[i].name = "origin.lab";
    rig.asks[3] = (struct one_ask){.name = "origin.lab", .cold = true};
    ask_batch(&rig, 4);

    for (int i = 0; i < 4; i++)
        cr_assert_str_eq(addresses_of(&rig.asks[i].state), "192.0.2.1");
    cr_assert_eq(dns_server_count(server), 2, "one for three, one for the cold one");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[0].request, 1);
    cr_assert_eq(spans[1].request, 4);
    cr_assert_eq(spans_of(&rig, NP_SPAN_LOOKUP), 4);
    cr_assert(detail_has(&spans[0], "\"source\":\"dns\""), "%s", spans[0].detail);
    cr_assert(detail_has(&spans[1], "\"source\":\"shared\""), "%s", spans[1].detail);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(spans[i].outcome, NP_SPAN_OK);
    rig_close(&rig);
    dns_server_stop(server);
}

struct leave_task {
    np_loop_task task; /* first */
    struct one_ask *ask;
};

static void run_leave(np_loop_task *task)
{
    end_ask(((struct leave_task *)task)->ask, np_now());
}

static void run_batch_and_leave(np_loop_task *task)
{
    struct rig *rig = (struct rig *)task;
    run_batch(task);
    static struct leave_task leave;
    leave = (struct leave_task){.task.run = run_leave, .ask = &rig->asks[0]};
    np_loop_post(rig->loop, &leave.task);
}

Test(dns, the_query_passes_to_the_next_asker_when_the_first_leaves)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab", .addresses = "192.0.2.1", .ttl_s = 60, .delay_ms = 40},
        {0        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig,
             (np_dns_options){.dns_servers = dns_server_address(server), .family = NP_FAMILY_IPV4});

    rig.count = rig.left = 2;
    for (int i = 0; i < 2; i++)
        rig.asks[i] = (struct one_ask){.rig = &rig, .name = "origin.lab"};
    rig.task.run = run_batch_and_leave;
    np_loop_post(rig.loop, &rig.task);
    while (sem_wait(&rig.done) != 0)
        continue;

    cr_assert_str_eq(addresses_of(&rig.asks[1].state), "192.0.2.1");
    cr_assert_eq(dns_server_count(server), 1);
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[0].request, 1);
    cr_assert_eq(spans[0].outcome, NP_SPAN_ABANDONED);
    cr_assert_eq(spans[1].request, 2);
    cr_assert_eq(spans[1].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[0].end_ns, spans[1].begin_ns);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(dns, what_comes_after_the_asker_has_left_joins_the_cache)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",      .type = DNS_A, .addresses = "192.0.2.1", .ttl_s = 60},
        {.name = "origin.lab",
         .type = DNS_AAAA,
         .addresses = "2001:db8::1",
         .ttl_s = 60,
         .delay_ms = 60},
        {0                        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});

    rig.asks[0].end_at_news = true;
    cr_assert_str_eq(addresses_of(ask(&rig, "origin.lab")), "192.0.2.1");
    const uint64_t deadline_ns = np_now() + 20 * (uint64_t)NP_NS_PER_S;
    const np_dns_state *state = ask(&rig, "origin.lab");
    while (state->count < 2 && np_now() < deadline_ns) {
        usleep(5000);
        rig.first = 1;
        rig.asks[1] = (struct one_ask){0};
        state = ask(&rig, "origin.lab");
    }

    cr_assert(state->cached);
    cr_assert_str_eq(addresses_of(state), "192.0.2.1 2001:db8::1");
    cr_assert_eq(dns_server_count(server), 2);
    rig_close(&rig);
    dns_server_stop(server);
}

/* --- the real thing --- */

static pid_t start_dnsmasq(uint16_t port)
{
    char port_option[32];
    snprintf(port_option, sizeof port_option, "--port=%u", port);
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/usr/sbin/dnsmasq", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv",
              "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1", port_option,
              "--host-record=real.lab,192.0.2.9,2001:db8::9", "--cname=alias.lab,real.lab",
              "--local=/lab/", "--local-ttl=30", "--user=", "--log-facility=/dev/null",
              (char *)NULL);
        _exit(127);
    }
    return pid;
}

Test(dns, dnsmasq_is_understood)
{
    if (access("/usr/sbin/dnsmasq", X_OK) != 0)
        cr_skip_test("dnsmasq is not installed");
    const uint16_t port = closed_port();
    const pid_t pid = start_dnsmasq(port);
    struct rig rig;
    char server[32];
    snprintf(server, sizeof server, "127.0.0.1:%u", port);
    rig_open(&rig, (np_dns_options){.dns_servers = server});

    const uint64_t deadline_ns = np_now() + 20 * (uint64_t)NP_NS_PER_S;
    const np_dns_state *state = ask(&rig, "alias.lab");
    while (state->count == 0 && np_now() < deadline_ns) { /* until it listens */
        usleep(20000);
        rig.first = 0;
        rig.asks[0] = (struct one_ask){0};
        state = ask(&rig, "alias.lab");
    }

    cr_assert(strstr(addresses_of(state), "192.0.2.9"));
    cr_assert(strstr(addresses_of(state), "2001:db8::9"));
    cr_assert_str_eq(ask(&rig, "nx.lab")->error.text, "unknown host nx.lab");
    rig_close(&rig);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}
