/* The way through real proxies: phases, spans, connections, ends from outside, bodies. */
#include "dns_server.h"
#include "scripted_server.h"
#include "trace_query.h"
#include "tunnel_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN "https://origin.test:4443/"
#define PLAIN  "http://origin.test:8080/"

/* --- the table --- */

struct row {
    const char *name;
    struct proxy_options server;
    np_proxy_kind kind;
    bool tls;   /* the origin's */
    bool fresh; /* no keep-alive */
    /* expected */
    int rows, rounds; /* rows of two requests; CONNECT requests */
    int socks, handshakes;
    bool tunnel;
    const char
        *logged; /* word of the proxy's log, one line each row or tunnel; NULL: no such log */
    int log_lines;
};

static const struct row rows[] = {
    {"http http",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTP,    false,
     false, 2,
     0, 0,
     0, false,
     "TCP_MISS/200",  2},
    {"http http fresh",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTP,    false,
     true,  2,
     0, 0,
     0, false,
     "TCP_MISS/200",  2},
    {"http https",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTP,    true,
     false, 2,
     1, 0,
     0, true,
     "CONNECT",       1},
    {"http https fresh",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTP,    true,
     true,  2,
     2, 0,
     0, true,
     "CONNECT",       2},
    {"https http",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTPS,   false,
     false, 2,
     0, 0,
     1, true,
     "TCP_MISS/200",  2},
    {"https http fresh",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTPS,   false,
     true,  2,
     0, 0,
     2, true,
     "TCP_MISS/200",  2},
    {"https https",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTPS,   true,
     false, 2,
     1, 0,
     1, true,
     "CONNECT",       1},
    {"https https fresh",
     {.kind = PROXY_SQUID},
     NP_PROXY_HTTPS,   true,
     true,  2,
     2, 0,
     2, true,
     "CONNECT",       2},
    {"basic http",
     {.kind = PROXY_SQUID, .auth = PROXY_BASIC},
     NP_PROXY_HTTP,    false,
     false, 3,
     0, 0,
     0, false,
     "TCP_MISS/200",  2},
    {"basic http fresh",
     {.kind = PROXY_SQUID, .auth = PROXY_BASIC},
     NP_PROXY_HTTP,    false,
     true,  3,
     0, 0,
     0, false,
     "TCP_MISS/200",  2},
    {"basic https",
     {.kind = PROXY_SQUID, .auth = PROXY_BASIC},
     NP_PROXY_HTTP,    true,
     false, 2,
     2, 0,
     0, true,
     "CONNECT",       2},
    {"basic https fresh",
     {.kind = PROXY_SQUID, .auth = PROXY_BASIC},
     NP_PROXY_HTTP,    true,
     true,  2,
     3, 0,
     0, true,
     "CONNECT",       3},
    {"basic, https, https",
     {.kind = PROXY_SQUID, .auth = PROXY_BASIC},
     NP_PROXY_HTTPS,   true,
     false, 2,
     2, 0,
     1, true,
     "CONNECT",       2},
    {"digest http",
     {.kind = PROXY_SQUID, .auth = PROXY_DIGEST},
     NP_PROXY_HTTP,    false,
     false, 3,
     0, 0,
     0, false,
     "TCP_MISS/200",  2},
    {"digest https",
     {.kind = PROXY_SQUID, .auth = PROXY_DIGEST},
     NP_PROXY_HTTP,    true,
     false, 2,
     2, 0,
     0, true,
     "CONNECT",       2},
    {"digest https fresh",
     {.kind = PROXY_SQUID, .auth = PROXY_DIGEST},
     NP_PROXY_HTTP,    true,
     true,  2,
     3, 0,
     0, true,
     "CONNECT",       3},
    {"digest, https, http",
     {.kind = PROXY_SQUID, .auth = PROXY_DIGEST},
     NP_PROXY_HTTPS,   false,
     false, 3,
     0, 0,
     1, true,
     "TCP_MISS/200",  2},
    {"tinyproxy http",
     {.kind = PROXY_TINYPROXY},
     NP_PROXY_HTTP,    false,
     false, 2,
     0, 0,
     0, false,
     "Request (file", 2},
    {"tinyproxy https",
     {.kind = PROXY_TINYPROXY},
     NP_PROXY_HTTP,    true,
     false, 2,
     1, 0,
     0, true,
     "CONNECT",       0},
    {"closing 407, http",
     {.kind = PROXY_TINYPROXY, .auth = PROXY_BASIC},
     NP_PROXY_HTTP,    false,
     false, 3,
     0, 0,
     0, false,
     "Request (file", 3},
    {"closing 407, https",
     {.kind = PROXY_TINYPROXY, .auth = PROXY_BASIC},
     NP_PROXY_HTTP,    true,
     false, 2,
     2, 0,
     0, true,
     NULL,            0},
    {"socks5 http",
     {.kind = PROXY_MICROSOCKS},
     NP_PROXY_SOCKS5,  false,
     false, 2,
     0, 1,
     0, true,
     NULL,            0},
    {"socks5 https fresh",
     {.kind = PROXY_MICROSOCKS},
     NP_PROXY_SOCKS5,  true,
     true,  2,
     0, 2,
     0, true,
     NULL,            0},
    {"socks5h http",
     {.kind = PROXY_MICROSOCKS},
     NP_PROXY_SOCKS5H, false,
     false, 2,
     0, 1,
     0, true,
     NULL,            0},
    {"socks5h https, user",
     {.kind = PROXY_MICROSOCKS, .auth = PROXY_BASIC},
     NP_PROXY_SOCKS5H, true,
     false, 2,
     0, 1,
     0, true,
     NULL,            0},
    {"socks5 http, user",
     {.kind = PROXY_MICROSOCKS, .auth = PROXY_BASIC},
     NP_PROXY_SOCKS5,  false,
     false, 2,
     0, 1,
     0, true,
     NULL,            0},
    {"socks4 http",
     {.kind = PROXY_DANTE},
     NP_PROXY_SOCKS4,  false,
     false, 2,
     0, 1,
     0, true,
     NULL,            0},
    {"socks4 https fresh",
     {.kind = PROXY_DANTE},
     NP_PROXY_SOCKS4,  true,
     true,  2,
     0, 2,
     0, true,
     NULL,            0},
    {"dante socks5 https",
     {.kind = PROXY_DANTE},
     NP_PROXY_SOCKS5,  true,
     false, 2,
     0, 1,
     0, true,
     NULL,            0},
};

static void check_trace(const char *path, const struct row *row)
{
    char text[256];
    const int set_ups =
        (int)query_int(path, "SELECT count(*) FROM connection WHERE ready_ns IS NOT NULL");
    expect_count(path, row->name, "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, row->name, "rows", "SELECT count(*) FROM requests", row->rows);
    expect_count(path, row->name, "hops for the proxy",
                 "SELECT count(*) FROM requests WHERE hop_reason = 'proxy_auth'", row->rows - 2);
    expect_count(path, row->name, "requests of 407 that were answered",
                 "SELECT count(*) FROM requests WHERE status = 407 AND outcome = 'ok'",
                 row->rows - 2);
    expect_count(path, row->name, "rows that name the proxy",
                 "SELECT count(*) FROM requests WHERE proxy LIKE '%://localhost:%' AND "
                 "proxy_source = 'explicit'",
                 row->rows);
    expect_count(path, row->name, "rounds",
                 "SELECT count(*) FROM spans WHERE kind = 'connect_request' AND name LIKE "
                 "'CONNECT localhost:%'",
                 row->rounds);
    expect_count(path, row->name, "rounds without a status",
                 "SELECT count(*) FROM spans WHERE kind = 'connect_request' AND detail IS NULL", 0);
    expect_count(path, row->name, "SOCKS dialogues",
                 "SELECT count(*) FROM spans WHERE kind = 'socks' AND outcome = 'ok'", row->socks);
    expect_count(path, row->name, "handshakes with the proxy",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_handshake' AND outcome = 'ok'",
                 row->handshakes);
    expect_count(path, row->name, "set-ups with a tunnel",
                 "SELECT count(*) FROM connection WHERE tunnel_ns IS NOT NULL AND ready_ns IS NOT "
                 "NULL",
                 row->tunnel ? set_ups : 0);
    expect_count(path, row->name, "handshakes with the origin",
                 "SELECT count(*) FROM spans WHERE kind = 'handshake' AND outcome = 'ok'",
                 row->tls ? set_ups : 0);
    expect_count(path, row->name, "open or failed tries",
                 "SELECT count(*) FROM spans WHERE kind = 'proxy_try' AND (outcome <> 'ok' OR "
                 "duration_ns IS NULL)",
                 strstr(row->name, "closing 407, https") ? 1 : 0);
    expect_count(path, row->name, "gaps between tunnel and tls",
                 "SELECT count(*) FROM phases a JOIN phases b ON b.request_id = a.request_id AND "
                 "b.phase = 'tls' WHERE a.phase = 'tunnel' AND a.present AND b.present AND "
                 "a.start_ns + a.duration_ns <> b.start_ns AND NOT EXISTS (SELECT 1 FROM spans s "
                 "WHERE s.request_id = a.request_id AND s.kind = 'piece')",
                 0);
    expect_count(path, row->name, "texts with the password",
                 "SELECT (SELECT count(*) FROM text WHERE value LIKE '%" PROXY_PASSWORD
                 "%') + (SELECT count(*) FROM span WHERE detail LIKE '%" PROXY_PASSWORD "%')",
                 0);
    cr_expect_str_eq(
        query_text(path, "SELECT group_concat(DISTINCT protocol) FROM requests WHERE status = 200",
                   text, sizeof text),
        "http/1.1", "%s: %s", row->name, text);
}

static void run_row(const struct row *row)
{
    if (!start_servers(&row->server))
        return;
    open_trace((np_engine_options){0});
    const uint16_t port = row->kind == NP_PROXY_HTTPS ? proxy.tls_port : proxy.port;
    np_proxy_list *list = make_one(row->kind, "localhost", port, row->server.auth != PROXY_OPEN);
    for (int i = 0; i < 2; i++) {
        struct rig_request request = {.url = make_url(row->tls ? "https" : "http", "localhost",
                                                      row->tls ? nginx.https_port : nginx.http_port,
                                                      "/small"),
                                      .reuse = row->fresh ? NP_REUSE_FRESH : NP_REUSE_ANY,
                                      .proxy_list = list};
        must_run(&request, row->name);
    }
    check_trace(close_trace(), row);
    if (row->logged && row->log_lines)
        cr_expect_eq(proxy_server_logged(&proxy, row->logged, row->log_lines), row->log_lines,
                     "%s: the proxy's log", row->name);
    np_proxy_list_release(list);
    testdir_remove(&folder);
    stop_servers();
}

Test(tunnel, every_way_through_a_proxy_is_traced_as_it_went)
{
    const char *only = getenv("ONLY");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!only || strstr(rows[i].name, only))
            run_row(&rows[i]);
}

/* --- HTTP/2 --- */

Test(tunnel, http2_requests_share_a_tunnel)
{
    enum { AT_ONCE = 10 };
    if (!start_servers(&(struct proxy_options){.kind = PROXY_SQUID}))
        return;
    open_trace((np_engine_options){0});
    np_proxy_list *list = make_one(NP_PROXY_HTTPS, "localhost", proxy.tls_port, false);
    struct rig_request requests[AT_ONCE];
    memset(requests, 0, sizeof requests);
    for (int i = 0; i < AT_ONCE; i++) {
        requests[i].url = make_url("https", "localhost", nginx.h2_port, "/small");
        requests[i].version = 20;
        requests[i].proxy_list = list;
    }

    cr_assert(rig_run(&rig, requests, AT_ONCE));

    for (int i = 0; i < AT_ONCE; i++) {
        must_be_complete(&requests[i], "h2");
        cr_expect_eq(requests[i].protocol, 20);
    }
    const char *path = close_trace();
    expect_count(path, "h2", "problems", "SELECT count(*) FROM problems", 0);
    expect_count(path, "h2", "rows that name the proxy",
                 "SELECT count(*) FROM requests WHERE protocol = 'h2' AND proxy LIKE 'https://%'",
                 AT_ONCE);
    expect_count(path, "h2", "connections", "SELECT count(*) FROM connection", 1);
    expect_count(path, "h2", "rounds", "SELECT count(*) FROM spans WHERE kind = 'connect_request'",
                 1);
    expect_count(path, "h2", "rows with a tunnel",
                 "SELECT count(*) FROM requests WHERE tunnel_ns IS NOT NULL", 1);
    np_proxy_list_release(list);
    testdir_remove(&folder);
    stop_servers();
}

/* --- ends from outside --- */

static int count_events(np_event_type type)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += events[i].type == type;
    free(events);
    return found;
}

Test(tunnel, an_abort_in_the_tunnel_leaves_no_descriptor_and_no_open_span)
{
    static const struct dns_rule rules[] = {
        {.name = "origin.test", .drop = true},
        {0                    }
    };
    static const struct {
        np_proxy_kind kind;
        const char *url;
        np_phase phase;
    } cases[] = {
        {NP_PROXY_HTTP,    ORIGIN, NP_PHASE_TUNNEL},
        {NP_PROXY_HTTPS,   PLAIN,  NP_PHASE_TUNNEL},
        {NP_PROXY_SOCKS5H, ORIGIN, NP_PHASE_TUNNEL},
        {NP_PROXY_SOCKS4A, PLAIN,  NP_PHASE_TUNNEL},
        {NP_PROXY_SOCKS5,  PLAIN,  NP_PHASE_DNS   },
    };
    char why[200];
    struct scripted_server *server = scripted_server_start("hang", why, sizeof why);
    struct dns_server *dns = dns_server_start(rules);
    cr_assert(server, "%s", why);
    rig_dns_servers = dns_server_address(dns);
    cr_assert(rig_open(&rig, &(np_engine_options){0}, NULL, 0, true));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_proxy_list *list =
            make_one(cases[i].kind, "127.0.0.1", scripted_server_port(server), false);
        struct rig_request request = {.url = cases[i].url, .proxy_list = list};

        rig_start(&rig, &request, 1);
        cr_assert(rig_wait_event(&rig, NP_EVENT_PHASE_BEGIN, cases[i].phase, request.first_number));
        rig_abort(&rig, &request, NP_WEB_REQUEST_CANCELED);

        cr_assert(rig_wait(&rig, &request, 1));
        cr_expect_eq(request.failure.web_status, NP_WEB_REQUEST_CANCELED);
        np_cut cut = rig_cut(&rig, request.first_number);
        cr_expect(cut.ended && cut.present >> cases[i].phase & 1);
        np_proxy_list_release(list);
    }
    cr_expect_eq(count_events(NP_EVENT_CONNECTION_OPEN), count_events(NP_EVENT_CONNECTION_CLOSE));
    cr_expect_eq(count_events(NP_EVENT_SPAN_BEGIN), count_events(NP_EVENT_SPAN_END));
    rig_close(&rig);
    scripted_server_stop(server);
    dns_server_stop(dns);
}

/* --- bodies --- */

#define BODY_TAKEN "head; body 18; "
#define SAID_407                                                                                   \
    "send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Basic realm=x\\r\\nContent-Length: 0\\r\\n"
#define SAID_200 "head; body 18; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n\"; hang"

Test(tunnel, a_body_meets_a_407_and_goes_out_once_more_where_there_is_a_copy)
{
    static const struct {
        const char *name, *script;
        bool has_copy;
        int status, rows;
    } cases[] = {
        {"kept, copy",       BODY_TAKEN SAID_407 "\\r\\n\"; " SAID_200 "\n---\n" SAID_200,          true,  200, 2},
        {"kept, no copy",    BODY_TAKEN SAID_407 "\\r\\n\"; " SAID_200 "\n---\n" SAID_200,          false, 407,
         1                                                                                                       },
        {"closing, copy",    BODY_TAKEN SAID_407 "Connection: close\\r\\n\\r\\n\"\n---\n" SAID_200,
         true,                                                                                             200, 2},
        {"closing, no copy", BODY_TAKEN SAID_407 "Connection: close\\r\\n\\r\\n\"\n---\n" SAID_200,
         false,                                                                                            407, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[200];
        struct scripted_server *server = scripted_server_start(cases[i].script, why, sizeof why);
        cr_assert(server, "%s", why);
        open_trace_alone((np_engine_options){0});
        np_proxy_list *list =
            make_one(NP_PROXY_HTTP, "127.0.0.1", scripted_server_port(server), true);
        struct rig_request request = {.url = PLAIN,
                                      .method = "POST",
                                      .send = "what is to be sent",
                                      .has_copy = cases[i].has_copy,
                                      .proxy_list = list};

        cr_assert(rig_run(&rig, &request, 1), "%s", cases[i].name);

        cr_expect_eq(request.failure.status, NP_OK, "%s: %s (%s)", cases[i].name,
                     request.failure.text, request.failure.cause);
        cr_expect_eq(request.status, cases[i].status, "%s: %d", cases[i].name, request.status);
        const char *path = close_trace();
        expect_count(path, cases[i].name, "problems", "SELECT count(*) FROM problems", 0);
        expect_count(path, cases[i].name, "rows", "SELECT count(*) FROM requests", cases[i].rows);
        expect_count(path, cases[i].name, "hops for the proxy",
                     "SELECT count(*) FROM requests WHERE hop_reason = 'proxy_auth' AND hop = 1",
                     cases[i].rows - 1);
        expect_count(path, cases[i].name, "hops that sent the body",
                     "SELECT count(*) FROM requests WHERE sent_bytes = 18", cases[i].rows);
        np_proxy_list_release(list);
        scripted_server_stop(server);
        testdir_remove(&folder);
    }
}
