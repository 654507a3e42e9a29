/* Proxies that misbehave on purpose: every failure has a row, and a cause with a name. */
#include "dns_server.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "trace_query.h"
#include "tunnel_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- proxies that fail --- */

#define ORIGIN "https://origin.test:4443/"
#define PLAIN  "http://origin.test:8080/"
#define ASKED                                                                                      \
    "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Basic "                                 \
    "realm=\\\"x\\\"\\r\\nContent-Length: 0\\r\\n\\r\\n\""
/* after the greeting and the request of SOCKS5 for origin.test */
#define SOCKS(CODE)                                                                                \
    "body 3; send \"\\x05\\x00\"; body 18; send \"\\x05" CODE "\\x00\\x01\\0\\0\\0\\0\\0\\0\"; "   \
    "hang"

struct failure {
    const char *name;
    np_proxy_kind kind;
    bool user;
    const char *url;
    const char *script;
    np_web_status web_status;
    const char *words;
    bool next; /* the next entry is tried */
    int rounds;
};

static const struct failure failures[] = {
    {"407 without credentials",          NP_PROXY_HTTP,    false, ORIGIN, ASKED "; hang",                                      NP_WEB_PROTOCOL_ERROR,
     "answered 407 to CONNECT origin.test:4443: it asks for a user name",                                                                                                                                         false, 1},
    {"407 for ever",                     NP_PROXY_HTTP,    true,  ORIGIN, ASKED "; again",                                     NP_WEB_PROTOCOL_ERROR,
     "it does not take the user name and password",                                                                                                                                                               false, 2},
    {"407 for ever, closing",            NP_PROXY_HTTP,    true,  ORIGIN,
     "head; send \"HTTP/1.0 407 No\\r\\nProxy-Authenticate: Basic realm=x\\r\\n\\r\\n\"",                                      NP_WEB_PROTOCOL_ERROR,              "it does not take the user name and password", false, 3},
    {"407 for ever, closing as it says", NP_PROXY_HTTP,    true,  ORIGIN,
     "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Basic realm=x\\r\\nConnection: "
     "close\\r\\n\\r\\n\"",                                                                                                    NP_WEB_PROTOCOL_ERROR,              "it does not take the user name and password", false, 2},
    {"407 of an unknown kind",           NP_PROXY_HTTP,    true,  ORIGIN,
     "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Riddle a=b\\r\\nContent-Length: "
     "0\\r\\n\\r\\n\"; hang",                                                                                                  NP_WEB_PROTOCOL_ERROR,              "authentication that is not known",            false, 1},
    {"403",                              NP_PROXY_HTTP,    false, ORIGIN,
     "head; send \"HTTP/1.1 403 No\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; hang",                                              NP_WEB_REQUEST_PROHIBITED_BY_PROXY,
     "answered 403 to CONNECT origin.test:4443: it does not allow this destination",                                                                                                                              false, 1},
    {"502",                              NP_PROXY_HTTP,    false, ORIGIN, "head; send \"HTTP/1.1 502 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE,                                                                                                                                       "answered 502",                                false, 1},
    {"504",                              NP_PROXY_HTTP,    false, ORIGIN, "head; send \"HTTP/1.1 504 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE,                                                                                                                                       "did not answer it in time",                   false, 1},
    {"500",                              NP_PROXY_HTTP,    false, ORIGIN, "head; send \"HTTP/1.1 500 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE,                                                                                                                                       "answered 500",                                false, 1},
    {"closed",                           NP_PROXY_HTTP,    false, ORIGIN, "head",                                              NP_WEB_CONNECTION_CLOSED,
     "without an answer to CONNECT",                                                                                                                                                                              true,  1},
    {"reset",                            NP_PROXY_HTTP,    false, ORIGIN, "head; reset",                                       NP_WEB_CONNECTION_CLOSED,
     "without an answer to CONNECT",                                                                                                                                                                              true,  1},
    {"broken off",                       NP_PROXY_HTTP,    false, ORIGIN, "head; send \"HTTP/1.1 200 OK\\r\\nVia: \"",
     NP_WEB_SERVER_PROTOCOL_VIOLATION,                                                                                                                             "broke off",                                   false, 1},
    {"garbage",                          NP_PROXY_HTTP,    false, ORIGIN, "head; send \"\\x16\\x03\\x01 what?\\r\\n\\r\\n\"",
     NP_WEB_SERVER_PROTOCOL_VIOLATION,                                                                                                                             "not HTTP",                                    false, 1},
    {"closed in the tunnel",             NP_PROXY_HTTP,    false, ORIGIN,
     "head; send \"HTTP/1.1 200 OK\\r\\n\\r\\n\"; first",                                                                      NP_WEB_SECURE_CHANNEL_FAILURE,
     "no TLS connection to origin.test",                                                                                                                                                                          false, 1},
    {"no TLS",                           NP_PROXY_HTTPS,   false, ORIGIN, "first; send \"HTTP/1.1 400 No\\r\\n\\r\\n\"; hang",
     NP_WEB_SECURE_CHANNEL_FAILURE,                                                                                                                                "no TLS connection to it",                     true,  0},
    {"TLS closed",                       NP_PROXY_HTTPS,   false, ORIGIN, "first",                                             NP_WEB_SECURE_CHANNEL_FAILURE,
     "no TLS connection to it",                                                                                                                                                                                   true,  0},
    {"plain 407 without credentials",    NP_PROXY_HTTP,    false, PLAIN,  ASKED "; hang",                                      NP_WEB_SUCCESS,
     NULL,                                                                                                                                                                                                        false, 0},
    {"plain 407 for ever",               NP_PROXY_HTTP,    true,  PLAIN,  ASKED "; again",                                     NP_WEB_SUCCESS,                     NULL,                                          false,
     0                                                                                                                                                                                                                    },
    {"plain closed",                     NP_PROXY_HTTP,    false, PLAIN,  "head",                                              NP_WEB_CONNECTION_CLOSED,
     "closed by the server",                                                                                                                                                                                      false, 0},
    {"socks closed",                     NP_PROXY_SOCKS5H, false, PLAIN,  "body 3",                                            NP_WEB_CONNECTION_CLOSED,
     "in the SOCKS dialogue",                                                                                                                                                                                     true,  0},
    {"socks general failure",            NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x01"),
     NP_WEB_CONNECT_FAILURE,                                                                                                                                       "has failed",                                  true,  0},
    {"socks not allowed",                NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x02"),
     NP_WEB_REQUEST_PROHIBITED_BY_PROXY,                                                                                                                           "does not allow",                              false, 0},
    {"socks network unreachable",        NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x03"),
     NP_WEB_CONNECT_FAILURE,                                                                                                                                       "network unreachable",                         false, 0},
    {"socks host unreachable",           NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x04"),
     NP_WEB_CONNECT_FAILURE,                                                                                                                                       "server unreachable",                          false, 0},
    {"socks refused",                    NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x05"),                                      NP_WEB_CONNECT_FAILURE,
     "was refused by the server",                                                                                                                                                                                 false, 0},
    {"socks ttl",                        NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x06"),                                      NP_WEB_CONNECT_FAILURE,
     "no answer from the server",                                                                                                                                                                                 false, 0},
    {"socks command",                    NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x07"),                                      NP_WEB_CONNECT_FAILURE,
     "command CONNECT",                                                                                                                                                                                           false, 0},
    {"socks address type",               NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x08"),                                      NP_WEB_CONNECT_FAILURE,
     "kind of address",                                                                                                                                                                                           false, 0},
    {"socks unknown code",               NP_PROXY_SOCKS5H, false, PLAIN,  SOCKS("\\x42"),                                      NP_WEB_CONNECT_FAILURE,
     "not known",                                                                                                                                                                                                 false, 0},
    {"socks wants a password",           NP_PROXY_SOCKS5H, false, PLAIN,  "body 3; send \"\\x05\\xff\"; hang",
     NP_WEB_PROTOCOL_ERROR,                                                                                                                                        "takes none of our ways",                      false, 0},
    {"socks password refused",           NP_PROXY_SOCKS5H, true,  PLAIN,
     "body 4; send \"\\x05\\x02\"; body 12; send \"\\x01\\x01\"; hang",                                                        NP_WEB_PROTOCOL_ERROR,
     "does not take the user name",                                                                                                                                                                               false, 0},
    {"socks garbage",                    NP_PROXY_SOCKS5H, false, PLAIN,  "body 3; send \"HT\"; hang",
     NP_WEB_SERVER_PROTOCOL_VIOLATION,                                                                                                                             "SOCKS",                                       false, 0},
    {"socks4 rejected",                  NP_PROXY_SOCKS4A, false, PLAIN,
     "body 21; send \"\\0\\x5b\\0\\0\\0\\0\\0\\0\"; hang",                                                                     NP_WEB_CONNECT_FAILURE,
     "rejected the request",                                                                                                                                                                                      true,  0},
};

static void run_failure(const struct failure *f)
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
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (!only || strstr(failures[i].name, only))
            run_failure(&failures[i]);
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
