/* Which proxy of a list is used, and what it is told of the origin: a name or an address. */
#include "dns_server.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "trace_query.h"
#include "tunnel_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "http://origin.test:8080/"

/* --- the next one --- */

Test(tunnel_choice, proxies_that_are_not_there_are_passed_over_until_one_is)
{
    static const struct dns_rule none[] = {{0}};
    struct raw_blackhole hole;
    char text[512];
    if (!start_servers(&(struct proxy_options){.kind = PROXY_SQUID}))
        return;
    struct dns_server *dns = dns_server_start(none);
    rig_dns_servers = dns_server_address(dns);
    const bool has_hole = raw_blackhole_open(&hole);
    open_trace((np_engine_options){.proxy_connect_timeout_ns = 1500 * (int64_t)NP_NS_PER_MS});
    const struct given given[] = {
        {NP_PROXY_HTTP,    "127.0.0.1",    raw_free_port(),                        NULL, NULL},
        {NP_PROXY_HTTP,    "nowhere.test", 3128,                                   NULL, NULL},
        {NP_PROXY_SOCKS5H, "127.0.0.1",    has_hole ? hole.port : raw_free_port(), NULL, NULL},
        {NP_PROXY_HTTPS,   "127.0.0.1",    nginx.http_port,                        NULL, NULL},
        {NP_PROXY_HTTP,    "localhost",    proxy.port,                             NULL, NULL},
    };
    np_proxy_list *list = make_list(given, 5);
    struct rig_request request = {.url = make_url("https", "localhost", nginx.https_port, "/small"),
                                  .proxy_list = list};

    must_run(&request, "failover");

    const char *path = close_trace();
    expect_count(path, "failover", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "failover", "rows", "SELECT count(*) FROM requests", 1);
    query_text(path,
               "SELECT group_concat(outcome || json_extract(detail, '$.index')) FROM (SELECT * "
               "FROM spans WHERE kind = 'proxy_try' ORDER BY id)",
               text, sizeof text);
    cr_expect_str_eq(text, has_hole ? "failed0,failed1,timeout2,failed3,ok4"
                                    : "failed0,failed1,failed2,failed3,ok4");
    expect_count(path, "failover", "causes",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_try' AND json_extract(detail, "
                 "'$.error') LIKE 'proxy %'",
                 4);
    query_text(path, "SELECT proxy || ' ' || proxy_source FROM requests", text, sizeof text);
    cr_expect(strstr(text, "http://localhost:") && strstr(text, "explicit"), "%s", text);
    expect_count(path, "failover", "connections", "SELECT count(*) FROM connection", 5);
    expect_count(path, "failover", "pieces of connect",
                 "SELECT count(*) FROM spans WHERE kind = 'piece' AND phase = 'connect'", 4);
    np_proxy_list_release(list);
    if (has_hole)
        raw_blackhole_close(&hole);
    dns_server_stop(dns);
    testdir_remove(&folder);
    stop_servers();
}

Test(tunnel_choice, direct_behind_a_proxy_that_hangs_up_is_a_way_too)
{
    char why[200], text[128];
    if (!start_servers(&(struct proxy_options){.kind = PROXY_TINYPROXY}))
        return;
    struct scripted_server *server = scripted_server_start("head", why, sizeof why);
    open_trace((np_engine_options){0});
    const struct given given[] = {
        {NP_PROXY_HTTP,   "127.0.0.1", scripted_server_port(server), NULL, NULL},
        {NP_PROXY_DIRECT, "",          0,                            NULL, NULL}
    };
    np_proxy_list *list = make_list(given, 2);
    struct rig_request request = {.url = make_url("https", "localhost", nginx.https_port, "/small"),
                                  .proxy_list = list};

    must_run(&request, "direct");

    const char *path = close_trace();
    expect_count(path, "direct", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "direct", "tries", "SELECT count(*) FROM spans WHERE kind = 'proxy_try'", 1);
    query_text(path, "SELECT coalesce(proxy, 'none') || ' ' || proxy_source FROM requests", text,
               sizeof text);
    cr_expect_str_eq(text, "none explicit");
    np_proxy_list_release(list);
    scripted_server_stop(server);
    testdir_remove(&folder);
    stop_servers();
}

Test(tunnel_choice, what_the_origin_does_wrong_is_not_the_proxys_fault)
{
    if (!start_servers(&(struct proxy_options){.kind = PROXY_SQUID}))
        return;
    open_trace_alone((np_engine_options){0}); /* trusts nobody */
    const struct given given[] = {
        {NP_PROXY_HTTP,   "localhost", proxy.port, NULL, NULL},
        {NP_PROXY_DIRECT, "",          0,          NULL, NULL}
    };
    np_proxy_list *list = make_list(given, 2);
    struct rig_request request = {.url = make_url("https", "localhost", nginx.https_port, "/small"),
                                  .proxy_list = list};

    must_fail(&request, "origin", NP_WEB_TRUST_FAILURE, "certificate of localhost is not trusted");

    const char *path = close_trace();
    expect_count(path, "origin", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "origin", "tries that worked",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_try' AND outcome = 'ok'", 1);
    expect_count(path, "origin", "connections", "SELECT count(*) FROM connection", 1);
    np_proxy_list_release(list);
    testdir_remove(&folder);
    stop_servers();
}

/* --- addresses and names --- */

Test(tunnel_choice, socks4_and_socks5_are_told_the_origins_own_address)
{
    static const struct dns_rule rules[] = {
        {.name = "origin.test",      .type = DNS_A, .addresses = "192.0.2.77", .ttl_s = 60},
        {.name = "six.test", .type = DNS_AAAA, .addresses = "2001:db8::77", .ttl_s = 60},
        {.name = "six.test",                          .type = DNS_A, .ttl_s = 60},
        {0         }
    };
    /* Only who sends the address gets on: SOCKS5 with ATYP 1 and 4 bytes, with ATYP 4 and 16. */
    static const char script[] =
        "body 3; send \"\\x05\\x00\"; body 10; send "
        "\"\\x05\\x00\\x00\\x01\\0\\0\\0\\0\\0\\0\"; head; send "
        "\"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang\n---\n"
        "body 3; send \"\\x05\\x00\"; body 22; send "
        "\"\\x05\\x00\\x00\\x01\\0\\0\\0\\0\\0\\0\"; head; send "
        "\"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang\n---\n"
        "body 9; send \"\\0\\x5a\\0\\0\\0\\0\\0\\0\"; head; send "
        "\"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang";
    static const struct {
        np_proxy_kind kind;
        const char *url;
    } cases[] = {
        {NP_PROXY_SOCKS5, "http://origin.test:8080/"},
        {NP_PROXY_SOCKS5, "http://six.test:8080/"   },
        {NP_PROXY_SOCKS4, "http://origin.test:8080/"},
    };
    char why[200];
    struct dns_server *dns = dns_server_start(rules);
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert(server, "%s", why);
    rig_dns_servers = dns_server_address(dns);
    open_trace_alone((np_engine_options){0});

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_proxy_list *list =
            make_one(cases[i].kind, "127.0.0.1", scripted_server_port(server), false);
        struct rig_request request = {
            .url = cases[i].url, .proxy_list = list, .reuse = NP_REUSE_FRESH};
        cr_assert(rig_run(&rig, &request, 1));
        cr_expect_eq(request.failure.status, NP_OK, "%s: %s (%s)", cases[i].url,
                     request.failure.text, request.failure.cause);
        cr_expect_eq(request.status, 200);
        np_proxy_list_release(list);
    }
    np_proxy_list *list = make_one(NP_PROXY_SOCKS4, "127.0.0.1", scripted_server_port(server), 0);
    struct rig_request six = {.url = "http://six.test:8080/", .proxy_list = list};
    must_fail(&six, "SOCKS4 and IPv6", NP_WEB_NAME_RESOLUTION_FAILURE, "no IPv4 address");
    np_proxy_list_release(list);
    list = make_one(NP_PROXY_SOCKS5, "127.0.0.1", scripted_server_port(server), 0);
    struct rig_request unknown = {.url = "http://unknown.test:8080/", .proxy_list = list};
    must_fail(&unknown, "unknown origin", NP_WEB_NAME_RESOLUTION_FAILURE, "unknown.test");
    np_proxy_list_release(list);

    const char *path = close_trace();
    expect_count(path, "addresses", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "addresses", "lookups", "SELECT count(*) FROM spans WHERE kind = 'lookup'",
                 5);
    expect_count(path, "addresses", "rows with a phase dns",
                 "SELECT count(*) FROM requests WHERE dns_ns IS NOT NULL", 5);
    scripted_server_stop(server);
    dns_server_stop(dns);
    testdir_remove(&folder);
}

Test(tunnel_choice, a_name_goes_to_a_socks4a_proxy_as_it_is)
{
    /* 8 bytes, no user, "origin.test" and its NUL */
    static const char script[] =
        "body 21; send \"\\0\\x5a\\0\\0\\0\\0\\0\\0\"; head; send \"HTTP/1.1 200 "
        "OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; hang";
    char why[200];
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert(server, "%s", why);
    open_trace_alone((np_engine_options){0});
    np_proxy_list *list =
        make_one(NP_PROXY_SOCKS4A, "127.0.0.1", scripted_server_port(server), false);
    struct rig_request request = {.url = PLAIN, .proxy_list = list};

    cr_assert(rig_run(&rig, &request, 1));

    cr_expect_eq(request.status, 200, "%s (%s)", request.failure.text, request.failure.cause);
    expect_count(close_trace(), "socks4a", "lookups",
                 "SELECT count(*) FROM spans WHERE kind = 'lookup'", 0);
    np_proxy_list_release(list);
    scripted_server_stop(server);
    testdir_remove(&folder);
}
