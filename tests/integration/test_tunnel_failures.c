/* Proxies that misbehave on purpose: every failure has a row, and a cause with a name. */
#include "dns_server.h"
#include "proxy_failures.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "trace_query.h"
#include "tunnel_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run_failure(const struct proxy_failure *f)
{
    char why[200];
    struct scripted_server *server = scripted_server_start(f->script, why, sizeof why);
    cr_assert(server, "%s: %s", f->name, why);
    open_trace_alone((np_engine_options){0});
    const uint16_t closed = raw_free_port();
    const struct given given[] = {
        {f->kind,       "127.0.0.1", scripted_server_port(server), f->user ? PROXY_USER : NULL,
         f->user ? "secret" : NULL                                                                  },
        {NP_PROXY_HTTP, "127.0.0.1", closed,                       NULL,                        NULL}
    };
    np_proxy_list *one = make_list(given, 1), *two = make_list(given, 2);
    struct rig_request request = {.url = f->url, .proxy_list = one},
                       again = {.url = f->url, .proxy_list = two, .reuse = NP_REUSE_FRESH};

    cr_assert(rig_run(&rig, &request, 1), "%s", f->name);
    cr_assert(rig_run(&rig, &again, 1), "%s", f->name);

    check_failure(&request, f->name, f->web_status, f->words);
    if (!f->next)
        check_failure(&again, f->name, f->web_status, f->words);
    else
        cr_expect(strstr(again.failure.text, "cannot connect") != NULL, "%s: %s", f->name,
                  again.failure.text);
    const char *path = close_trace();
    expect_count(path, f->name, "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, f->name, "open spans",
                 "SELECT count(*) FROM spans WHERE duration_ns IS NULL", 0);
    expect_count(path, f->name, "rounds of the first",
                 "SELECT count(*) FROM spans WHERE kind = 'connect_request' AND request_id = 1",
                 f->rounds);
    expect_count(path, f->name, "tries of the last",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_try' AND request_id = (SELECT "
                 "max(id) FROM request) AND name LIKE '%:%'",
                 f->next ? 2 : 1);
    expect_count(path, f->name, "texts with the password",
                 "SELECT (SELECT count(*) FROM text WHERE value LIKE '%secret%') + (SELECT "
                 "count(*) FROM span WHERE detail LIKE '%secret%')",
                 0);
    np_proxy_list_release(one);
    np_proxy_list_release(two);
    scripted_server_stop(server);
    testdir_remove(&folder);
}

Test(tunnel_failures, every_failure_of_a_proxy_has_its_cause)
{
    const char *only = getenv("ONLY");
    for (size_t i = 0; i < sizeof proxy_failures / sizeof proxy_failures[0]; i++)
        if (!only || strstr(proxy_failures[i].name, only))
            run_failure(&proxy_failures[i]);
}

Test(tunnel_failures, a_proxy_that_says_nothing_is_given_up_when_the_time_is_over)
{
    static const struct {
        np_proxy_kind kind;
        const char *url, *words;
        bool own_limit; /* the proxy's own part, not the whole set-up */
    } cases[] = {
        {NP_PROXY_HTTP,    ORIGIN, "timed out while waiting for the proxy's answer to CONNECT", false},
        {NP_PROXY_SOCKS5H, PLAIN,  "timed out while waiting for the SOCKS proxy",               false},
        {NP_PROXY_HTTPS,   PLAIN,  "timed out while setting up TLS to the proxy",               true },
    };
    char why[200];
    struct scripted_server *server = scripted_server_start("deaf", why, sizeof why);
    cr_assert(server, "%s", why);
    open_trace_alone((np_engine_options){.connect_timeout_ns = 1500 * (int64_t)NP_NS_PER_MS,
                                         .proxy_connect_timeout_ns = 700 * (int64_t)NP_NS_PER_MS});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_proxy_list *list =
            make_one(cases[i].kind, "127.0.0.1", scripted_server_port(server), false);
        struct rig_request request = {.url = cases[i].url, .proxy_list = list};

        must_fail(&request, cases[i].words, NP_WEB_TIMEOUT, cases[i].words);

        cr_expect_eq(strstr(request.failure.text, "within 0.7 s") != NULL, cases[i].own_limit, "%s",
                     request.failure.text);
        np_proxy_list_release(list);
    }
    const char *path = close_trace();
    expect_count(path, "silent", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "silent", "spans that were timed out",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_try' AND outcome = 'timeout' AND "
                 "duration_ns >= 600000000",
                 3);
    expect_count(path, "silent", "rounds and dialogues that were timed out",
                 "SELECT count(*) FROM spans WHERE kind IN ('connect_request', 'socks', "
                 "'proxy_handshake') AND outcome = 'timeout'",
                 3);
    scripted_server_stop(server);
    testdir_remove(&folder);
}

Test(tunnel_failures, the_name_of_a_proxy_that_nobody_knows_is_told_as_the_proxys)
{
    static const struct dns_rule none[] = {{0}};
    struct dns_server *dns = dns_server_start(none);
    rig_dns_servers = dns_server_address(dns);
    open_trace_alone((np_engine_options){0});
    np_proxy_list *list = make_one(NP_PROXY_HTTP, "proxy.nowhere.test", 3128, false);
    struct rig_request request = {.url = PLAIN, .proxy_list = list};

    must_fail(&request, "unknown", NP_WEB_PROXY_NAME_RESOLUTION_FAILURE,
              "proxy http://proxy.nowhere.test:3128: ");

    const char *path = close_trace();
    expect_count(path, "unknown", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "unknown", "lookups of the origin",
                 "SELECT count(*) FROM spans WHERE name LIKE '%origin.test%'", 0);
    np_proxy_list_release(list);
    dns_server_stop(dns);
    testdir_remove(&folder);
}

Test(tunnel_failures, certificates_of_a_proxy_are_checked_apart_from_those_of_the_origin)
{
    static const struct {
        const char *name, *host, *words;
        bool trusts, insecure_proxy, insecure_origin;
    } cases[] = {
        {"untrusted",        "localhost",           "its certificate is not trusted",      false, false, false},
        {"-k is not for it", "localhost",           "its certificate is not trusted",      false, false, true },
        {"another name",     "elsewhere.localhost", "its certificate is for another name", true,  false,
         false                                                                                                },
        {"any will do",      "elsewhere.localhost", NULL,                                  true,  true,  false},
    };
    if (!start_servers(&(struct proxy_options){.kind = PROXY_SQUID}))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char ca[512];
        testdir_make(&folder);
        snprintf(ca, sizeof ca, "%s", testdir_path(&folder, "both.pem"));
        join_files(ca, nginx.ca_file, proxy.ca_file);
        testdir_remove(&folder);
        np_engine_options options = {.insecure = cases[i].insecure_origin,
                                     .proxy_insecure = cases[i].insecure_proxy,
                                     .ca_file = nginx.ca_file,
                                     .proxy_ca_file = cases[i].trusts ? proxy.ca_file : NULL};
        open_trace_alone(options);
        np_proxy_list *list = make_one(NP_PROXY_HTTPS, cases[i].host, proxy.tls_port, false);
        struct rig_request request = {
            .url = make_url("https", "localhost", nginx.https_port, "/small"), .proxy_list = list};
        if (cases[i].words)
            must_fail(&request, cases[i].name, NP_WEB_TRUST_FAILURE, cases[i].words);
        else
            must_run(&request, cases[i].name);
        expect_count(close_trace(), cases[i].name, "problems", "SELECT count(*) FROM problems", 0);
        np_proxy_list_release(list);
        testdir_remove(&folder);
    }
    stop_servers();
}
