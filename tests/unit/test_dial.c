/* From a host and a port to a connected socket: a scripted DNS server, real sockets on loopback,
 * and what the trace says of it. */
#include "attempt.h"
#include "clock.h"
#include "dial_rig.h"
#include "dns_server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct recorded_span spans[64];

static size_t spans_of(struct dial_rig *rig, int kind)
{
    return recording_spans(&rig->recording, kind, spans, 64);
}

static void assert_phases(struct dial_rig *rig, uint32_t request, const char *expected)
{
    char text[128];
    cr_assert_str_eq(recording_phases(&rig->recording, request, text, sizeof text), expected);
}

Test(dial, a_literal_needs_no_lookup)
{
    struct dial_rig rig;
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    const int before = count_descriptors();
    rig_init(&rig, (np_dialer_options){0});

    const np_dial_result *result = rig_dial(&rig, "127.0.0.1", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    char remote[64];
    snprintf(remote, sizeof remote, "127.0.0.1:%u", port);
    cr_assert_str_eq(result->remote, remote);
    cr_assert_eq(strncmp(result->local, "127.0.0.1:", 10), 0);
    rig_end(&rig);
    assert_phases(&rig, 1, "connect");
    cr_assert_eq(spans_of(&rig, -1), 1);
    cr_assert_eq(spans[0].kind, NP_SPAN_ATTEMPT);
    cr_assert_str_eq(spans[0].name, remote);
    cr_assert_eq(spans[0].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[0].end_ns, rig.dials[0].result.connected_ns);
    cr_assert_eq(recording_phase_at(&rig.recording, 1, NP_PHASE_CONNECT, NP_EVENT_PHASE_BEGIN),
                 spans[0].begin_ns);
    cr_assert_eq(recording_phase_at(&rig.recording, 1, NP_PHASE_CONNECT, NP_EVENT_PHASE_END),
                 spans[0].end_ns);
    rig_done(&rig);
    cr_assert_eq(count_descriptors(), before);
    close(listener);
}

Test(dial, the_socket_is_as_libcurl_needs_it)
{
    struct dial_rig rig;
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    rig_init(&rig, (np_dialer_options){0});

    const np_dial_result *result = rig_dial(&rig, "127.0.0.1", port);

    int on = 0;
    socklen_t size = sizeof on;
    cr_assert_eq(getsockopt(result->fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    cr_assert_neq(on, 0);
    const struct sockaddr *peer = (const struct sockaddr *)&result->peer;
    cr_assert_eq(connect(result->fd, peer, sizeof(struct sockaddr_in)), 0,
                 "libcurl 7.88 connects a second time and must get 0");
    rig_end(&rig);
    rig_done(&rig);
    close(listener);
}

Test(dial, a_name_is_looked_up_and_the_spans_say_how)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",
         .type = DNS_A,
         .addresses = "127.0.0.1",
         .ttl_s = 60,
         .delay_ms = 15},
        {.name = "origin.lab", .type = DNS_AAAA, .delay_ms = 15},
        {0          }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server)});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    cr_assert_not(result->dns_cached);
    rig_end(&rig);
    assert_phases(&rig, 1, "dns connect");
    cr_assert_eq(spans_of(&rig, NP_SPAN_LOOKUP), 1);
    cr_assert_str_eq(spans[0].name, "origin.lab");
    cr_assert_str_eq(spans[0].detail, "{\"source\":\"dns\",\"addresses\":[\"127.0.0.1\"]}");
    const uint32_t lookup = spans[0].number;
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    char expected[256];
    cr_assert_str_eq(spans[0].name, "A origin.lab");
    cr_assert_eq(spans[0].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[0].parent, lookup);
    cr_assert_geq(spans[0].end_ns - spans[0].begin_ns, 15u * NP_NS_PER_MS - NP_NS_PER_MS);
    snprintf(expected, sizeof expected,
             "{\"server\":\"%s\",\"transport\":\"udp\",\"attempt\":1,\"rcode\":\"NOERROR\",\"ttl_"
             "s\":60,\"addresses\":[\"127.0.0.1\"],"
             "\"answered_bytes\":44}",
             dns_server_address(server));
    cr_assert_str_eq(spans[0].detail, expected);
    cr_assert_str_eq(spans[1].name, "AAAA origin.lab");
    cr_assert_eq(spans[1].outcome, NP_SPAN_NODATA);
    rig_done(&rig);
    dns_server_stop(server);
    close(listener);
}

Test(dial, a_silent_aaaa_costs_the_resolution_delay_only)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",      .type = DNS_A, .addresses = "127.0.0.1", .ttl_s = 60},
        {.name = "origin.lab", .type = DNS_AAAA, .drop = true},
        {0                        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    const int before = count_descriptors();
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server)});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    rig_end(&rig);
    assert_phases(&rig, 1, "dns connect");
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    const uint64_t answered_ns = spans[0].end_ns;
    cr_assert_eq(spans[0].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[1].outcome, NP_SPAN_ABANDONED);
    cr_assert_geq(recording_phase_at(&rig.recording, 1, NP_PHASE_CONNECT, NP_EVENT_PHASE_BEGIN) -
                      answered_ns,
                  50u * NP_NS_PER_MS);
    cr_assert_eq(spans_of(&rig, NP_SPAN_LOOKUP), 1);
    cr_assert_eq(spans[0].outcome, NP_SPAN_OK);
    rig_done(&rig);
    cr_assert_eq(count_descriptors(), before);
    dns_server_stop(server);
    close(listener);
}

Test(dial, an_unknown_host_is_named)
{
    const struct dns_rule rules[] = {{0}};
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server)});

    const np_dial_result *result = rig_dial(&rig, "nx.lab", 80);

    cr_assert_eq(result->error.status, NP_E_WEB);
    cr_assert_eq(result->error.web_status, NP_WEB_NAME_RESOLUTION_FAILURE);
    cr_assert_str_eq(result->error.layer, "dns");
    cr_assert_eq(result->error.code, 3);
    cr_assert_str_eq(result->error.text, "unknown host nx.lab");
    cr_assert_eq(result->fd, -1);
    rig_end(&rig);
    assert_phases(&rig, 1, "dns");
    cr_assert_eq(spans_of(&rig, NP_SPAN_LOOKUP), 1);
    cr_assert_eq(spans[0].outcome, NP_SPAN_NXDOMAIN);
    rig_done(&rig);
    dns_server_stop(server);
}

Test(dial, a_refused_address_gives_way_to_the_next_at_once)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",                .type = DNS_A, .addresses = "127.0.0.2,127.0.0.1", .ttl_s = 60},
        {.name = "origin.lab", .type = DNS_AAAA},
        {0                                  }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server),
                                       .attempt_delay_ns = 20 * NP_NS_PER_S});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    rig_end(&rig);
    cr_assert_eq(spans_of(&rig, NP_SPAN_ATTEMPT), 2);
    cr_assert_eq(spans[0].outcome, NP_SPAN_REFUSED);
    cr_assert_str_eq(spans[0].detail, "{\"errno\":\"ECONNREFUSED\"}");
    cr_assert_eq(spans[1].outcome, NP_SPAN_OK);
    rig_done(&rig);
    dns_server_stop(server);
    close(listener);
}

Test(dial, a_silent_address_loses_the_race_and_is_abandoned)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",                .type = DNS_A, .addresses = "127.0.0.2,127.0.0.1", .ttl_s = 60},
        {.name = "origin.lab", .type = DNS_AAAA},
        {0                                  }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    int filler[4];
    const int silent = listener_open("127.0.0.2", &port);
    const int listener = listener_open("127.0.0.1", &port);
    listener_fill(silent, filler);
    const int before = count_descriptors();
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server)});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    cr_assert_eq(strncmp(result->remote, "127.0.0.1:", 10), 0);
    rig_end(&rig);
    cr_assert_eq(spans_of(&rig, NP_SPAN_ATTEMPT), 2);
    cr_assert_eq(spans[0].outcome, NP_SPAN_ABANDONED);
    cr_assert_eq(spans[1].outcome, NP_SPAN_OK);
    cr_assert_eq(spans[0].end_ns, spans[1].end_ns);
    /* The delay runs from the decision to begin, which is where dns ends. */
    const uint64_t decided_ns =
        recording_phase_at(&rig.recording, 1, NP_PHASE_DNS, NP_EVENT_PHASE_END);
    cr_assert_geq(spans[1].begin_ns - decided_ns, 250u * NP_NS_PER_MS);
    rig_done(&rig);
    cr_assert_eq(count_descriptors(), before);
    dns_server_stop(server);
    for (int i = 0; i < 4; i++)
        close(filler[i]);
    close(silent);
    close(listener);
}

Test(dial, when_all_fail_the_error_lists_what_was_tried)
{
    struct dial_rig rig;
    char resolve[64];
    const uint16_t port = closed_port();
    snprintf(resolve, sizeof resolve, "origin.lab:%u:127.0.0.1,127.0.0.2", port);
    rig_init(&rig,
             (np_dialer_options){.resolve = (const char *const[]){resolve}, .resolve_count = 1});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);

    char text[128];
    cr_assert_eq(result->error.web_status, NP_WEB_CONNECT_FAILURE);
    cr_assert_str_eq(result->error.layer, "os");
    cr_assert_eq(result->error.code, ECONNREFUSED);
    snprintf(text, sizeof text, "cannot connect to origin.lab port %u", port);
    cr_assert_str_eq(result->error.text, text);
    snprintf(text, sizeof text, "127.0.0.1:%u Connection refused, 127.0.0.2:%u Connection refused",
             port, port);
    cr_assert_str_eq(result->error.cause, text);
    cr_assert_not(result->timed_out);
    rig_end(&rig);
    assert_phases(&rig, 1, "connect");
    rig_done(&rig);
}

Test(dial, no_descriptor_left_is_said_plainly)
{
    struct dial_rig rig;
    rig_init(&rig, (np_dialer_options){0});
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)count_descriptors(); /* all numbers below are taken */
    setrlimit(RLIMIT_NOFILE, &limit);

    const size_t index = rig_start(&rig, "127.0.0.1", 80, false);
    rig_wait(&rig, 1);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);

    const np_dial_result *result = &rig.dials[index].result;
    cr_assert_eq(result->error.code, EMFILE);
    cr_assert(result->no_descriptor);
    cr_assert_str_eq(result->error.text,
                     "no socket for a connection to 127.0.0.1 port 80: Too many open files");
    rig_end(&rig);
    assert_phases(&rig, 1, "");
    rig_done(&rig);
}

Test(dial, connect_to_and_resolve_lead_elsewhere)
{
    struct dial_rig rig;
    uint16_t port = 0;
    char connect_to[64];
    char resolve[64];
    const int listener = listener_open("127.0.0.1", &port);
    snprintf(connect_to, sizeof connect_to, "origin.lab:443:other.lab:%u", port);
    snprintf(resolve, sizeof resolve, "other.lab:%u:127.0.0.1", port);
    rig_init(&rig, (np_dialer_options){.connect_to = (const char *const[]){connect_to},
                                       .connect_to_count = 1,
                                       .resolve = (const char *const[]){resolve},
                                       .resolve_count = 1});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", 443);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    rig_end(&rig);
    assert_phases(&rig, 1, "connect");
    rig_done(&rig);
    close(listener);
}

Test(dial, a_malformed_entry_is_named)
{
    const struct {
        np_dialer_options options;
        const char *text;
    } cases[] = {
        {{.resolve = (const char *const[]){"a:80"}, .resolve_count = 1},
         "'a:80' is not HOST:PORT:ADDR[,ADDR…] (up to 16 addresses)"                                                                           },
        {{.resolve = (const char *const[]){"a:0:127.0.0.1"}, .resolve_count = 1},
         "'a:0:127.0.0.1' is not HOST:PORT:ADDR[,ADDR…] (up to 16 addresses)"                                                                  },
        {{.resolve = (const char *const[]){"a:80:b"}, .resolve_count = 1},
         "'a:80:b' is not HOST:PORT:ADDR[,ADDR…] (up to 16 addresses)"                                                                         },
        {{.connect_to = (const char *const[]){"a:b"}, .connect_to_count = 1},
         "'a:b' is not HOST:PORT:HOST2:PORT2 (each may be empty, IPv6 in brackets)"                                                              },
        {{.connect_to = (const char *const[]){"a:1:b:99999"}, .connect_to_count = 1},
         "'a:1:b:99999' is not HOST:PORT:HOST2:PORT2 (each may be empty, IPv6 in brackets)"                                                      },
        {{.dns_servers = "127.0.0.1,nonsense"},
         "DNS server 'nonsense' is not ADDR or ADDR:PORT (IPv6 in brackets)"                                                                     },
        {{.dns_servers = ""},                                                         "DNS server '' is not ADDR or ADDR:PORT (IPv6 in brackets)"},
    };
    np_error err;
    np_loop *loop;
    cr_assert_eq(np_loop_create(&loop, &err), NP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_dialer *dialer;
        cr_expect_eq(np_dialer_create(loop, &cases[i].options, NULL, &dialer, &err), NP_E_ARGUMENT,
                     "row %zu", i);
        cr_expect_str_eq(err.text, cases[i].text);
        cr_expect_null(dialer);
    }
    np_loop_free(loop);
}

Test(dial, a_cancelled_dial_closes_everything_and_ends_its_spans)
{
    const struct dns_rule rules[] = {
        {.name = "slow.lab", .drop = true},
        {.name = "silent.lab",                  .type = DNS_A, .addresses = "127.0.0.2"},
        {.name = "silent.lab",.type = DNS_AAAA},
        {0                 }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    int filler[4];
    const int silent = listener_open("127.0.0.2", &port);
    listener_fill(silent, filler);
    const int before = count_descriptors();
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server)});

    const size_t in_dns = rig_start(&rig, "slow.lab", port, false);
    const size_t in_connect = rig_start(&rig, "silent.lab", port, false);
    const uint64_t deadline_ns = np_now() + 20 * (uint64_t)NP_NS_PER_S;
    while (dns_server_count_of(server, "silent.lab", DNS_ANY) < 2 && np_now() < deadline_ns)
        usleep(1000);
    struct recorded_span *attempt = NULL;
    while (!attempt && np_now() < deadline_ns) { /* the producer's thread goes on pushing: reading
                                                    what is there is what a collector does */
        recording_read(&rig.recording);
        attempt = spans_of(&rig, NP_SPAN_ATTEMPT) > 0 ? &spans[0] : NULL;
    }
    cr_assert(attempt);
    rig_cancel(&rig, in_dns);
    rig_cancel(&rig, in_connect);
    rig_end(&rig);

    assert_phases(&rig, 1, "dns");
    assert_phases(&rig, 2, "dns connect");
    const size_t count = spans_of(&rig, -1);
    for (size_t i = 0; i < count; i++)
        cr_expect_neq(spans[i].outcome, -1, "span %s is open", spans[i].name);
    cr_assert_eq(spans_of(&rig, NP_SPAN_ATTEMPT), 1);
    cr_assert_eq(spans[0].outcome, NP_SPAN_ABANDONED);
    rig_done(&rig);
    cr_assert_eq(count_descriptors(), before);
    dns_server_stop(server);
    for (int i = 0; i < 4; i++)
        close(filler[i]);
    close(silent);
}

Test(dial, freeing_the_dialer_cancels_what_runs)
{
    const struct dns_rule rules[] = {
        {.name = "slow.lab", .drop = true},
        {0                 }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    const int before = count_descriptors();
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server)});

    rig_start(&rig, "slow.lab", 80, false);
    rig_start(&rig, "slow.lab", 80, false);
    rig_start(&rig, "127.0.0.1", closed_port(), false);
    rig_end(&rig);

    const size_t count = spans_of(&rig, -1);
    for (size_t i = 0; i < count; i++)
        cr_expect_neq(spans[i].outcome, -1, "span %s is open", spans[i].name);
    rig_done(&rig);
    cr_assert_eq(count_descriptors(), before);
    dns_server_stop(server);
}

Test(dial, a_family_that_is_not_wanted_is_not_asked_for)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",      .type = DNS_A, .addresses = "127.0.0.1", .ttl_s = 60},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    const int listener = listener_open("127.0.0.1", &port);
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server),
                                       .family = NP_FAMILY_IPV4});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);
    const np_dial_result *literal = rig_dial(&rig, "::1", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    cr_assert_eq(dns_server_count_of(server, "origin.lab", DNS_AAAA), 0);
    cr_assert_eq(literal->error.web_status, NP_WEB_NAME_RESOLUTION_FAILURE);
    cr_assert_str_eq(literal->error.text, "no IPv4 address for ::1, and no other is wanted");
    rig_end(&rig);
    rig_done(&rig);
    dns_server_stop(server);
    close(listener);
}

Test(dial, a_late_aaaa_joins_the_race)
{
    const struct dns_rule rules[] = {
        {.name = "origin.lab",      .type = DNS_A, .addresses = "127.0.0.2", .ttl_s = 60},
        {.name = "origin.lab", .type = DNS_AAAA, .addresses = "::1", .ttl_s = 60, .delay_ms = 400},
        {0                        }
    };
    struct dns_server *server = dns_server_start(rules);
    struct dial_rig rig;
    uint16_t port = 0;
    int filler[4];
    const int silent = listener_open("127.0.0.2", &port);
    const int listener = listener_open("::1", &port);
    if (listener < 0)
        cr_skip_test("no IPv6 on loopback here");
    listener_fill(silent, filler);
    rig_init(&rig, (np_dialer_options){.dns_servers = dns_server_address(server),
                                       .resolution_delay_ns = NP_NS_PER_MS});

    const np_dial_result *result = rig_dial(&rig, "origin.lab", port);

    cr_assert_eq(result->error.status, NP_OK, "%s", result->error.text);
    cr_assert_eq(strncmp(result->remote, "[::1]:", 6), 0);
    rig_end(&rig);
    cr_assert_eq(spans_of(&rig, NP_SPAN_QUERY), 2);
    cr_assert_eq(spans[1].outcome, NP_SPAN_OK);
    cr_assert_gt(spans[1].end_ns,
                 recording_phase_at(&rig.recording, 1, NP_PHASE_CONNECT, NP_EVENT_PHASE_BEGIN));
    rig_done(&rig);
    dns_server_stop(server);
    for (int i = 0; i < 4; i++)
        close(filler[i]);
    close(silent);
    close(listener);
}
