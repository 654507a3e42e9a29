/* The way through real proxies, and through ones that misbehave on purpose. */
#include "dns_server.h"
#include "engine_rig.h"
#include "engine_types.h"
#include "nginx.h"
#include "proxy_server.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/trace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nginx nginx;
static struct proxy_server proxy;
static struct rig rig;
static np_testdir folder;
static np_trace *trace;
static np_producer *producer;

/* --- lists of proxies --- */

struct given {
    np_proxy_kind kind;
    const char *host;
    uint16_t port;
    const char *user, *password;
};

static np_proxy_list *make_list(const struct given *given, size_t count)
{
    static const char *const schemes[] = {"direct",  "http",   "https",  "socks4",
                                          "socks4a", "socks5", "socks5h"};
    static char texts[16][64];
    static size_t used;
    np_proxy_list *list = calloc(1, sizeof *list + count * sizeof list->entry[0]);
    list->references = 1;
    list->source = 1;
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        char *text = texts[used++ % 16];
        snprintf(text, sizeof texts[0], "%s://%s:%u", schemes[given[i].kind], given[i].host,
                 given[i].port);
        list->entry[i] = (np_proxy_entry){given[i].kind, given[i].host,     given[i].port,
                                          given[i].user, given[i].password, text};
    }
    return list;
}

static np_proxy_list *make_one(np_proxy_kind kind, const char *host, uint16_t port, bool user)
{
    const struct given given = {kind, host, port, user ? PROXY_USER : NULL,
                                user ? PROXY_PASSWORD : NULL};
    return make_list(&given, 1);
}

static const char *make_url(const char *scheme, const char *host, unsigned port, const char *path)
{
    static char text[16][256];
    static int next;
    char *out = text[next++ % 16];
    snprintf(out, 256, "%s://%s:%u%s", scheme, host, port, path);
    return out;
}

/* --- a trace of what real proxies did --- */

static void join_files(const char *to, const char *a, const char *b)
{
    FILE *out = fopen(to, "w");
    const char *const names[] = {a, b};
    for (int i = 0; i < 2; i++) {
        FILE *in = names[i] ? fopen(names[i], "r") : NULL;
        for (int c; in && (c = getc(in)) != EOF;)
            putc(c, out);
        if (in)
            fclose(in);
    }
    cr_assert_eq(fclose(out), 0);
}

/* false: a program is missing, and the test is over. */
static bool start_servers(const struct proxy_options *options)
{
    const bool good =
        nginx_start(&nginx, &(struct nginx_options){.http = "keepalive_timeout 60s;"});
    if (good && proxy_server_start(&proxy, options))
        return true;
    printf("SKIPPED: %s\n", good ? proxy.why : nginx.why);
    if (good)
        nginx_stop(&nginx);
    return false;
}

static void open_trace(np_engine_options options)
{
    np_error err = {0};
    static char ca_file[512];
    testdir_make(&folder);
    snprintf(ca_file, sizeof ca_file, "%s", testdir_path(&folder, "both.pem"));
    join_files(ca_file, nginx.ca_file, proxy.tls_port ? proxy.ca_file : NULL);
    options.ca_file = ca_file;
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    cr_assert_eq(np_producer_attach(trace, &producer, &err), NP_OK, "%s", err.text);
    cr_assert(rig_open_into(&rig, &options, NULL, 0, producer));
}

/* Closes everything but the servers and the folder. */
static const char *close_trace(void)
{
    np_error err = {0};
    rig_close(&rig);
    np_producer_detach(trace, producer);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    return testdir_path(&folder, "a.db");
}

static void stop_servers(void)
{
    proxy_server_stop(&proxy);
    nginx_stop(&nginx);
}

static void must_be_complete(const struct rig_request *request, const char *name)
{
    cr_assert_eq(request->failure.status, NP_OK, "%s: %s (%s)", name, request->failure.text,
                 request->failure.cause);
    cr_assert_eq(request->status, 200, "%s: %d", name, request->status);
    cr_assert_eq(request->body_bytes, 59, "%s", name);
}

static void must_run(struct rig_request *request, const char *name)
{
    cr_assert(rig_run(&rig, request, 1), "%s: not done", name);
    must_be_complete(request, name);
}

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

static void expect_count(const char *path, const char *name, const char *what, const char *sql,
                         int64_t expected)
{
    const int64_t found = query_int(path, sql);
    cr_expect_eq(found, expected, "%s: %s: %lld, expected %lld", name, what, (long long)found,
                 (long long)expected);
}

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

static void check_failure(const struct failure *f, const struct rig_request *request)
{
    if (f->web_status == NP_WEB_SUCCESS) { /* the 407 is the answer */
        cr_expect_eq(request->failure.status, NP_OK, "%s: %s", f->name, request->failure.text);
        cr_expect_eq(request->status, 407, "%s: %d", f->name, request->status);
        return;
    }
    cr_expect_eq(request->failure.web_status, f->web_status, "%s: %s: %s (%s)", f->name,
                 np_web_status_name(request->failure.web_status), request->failure.text,
                 request->failure.cause);
    cr_expect(strstr(request->failure.text, f->words) != NULL, "%s: '%s' (%s) has no '%s'", f->name,
              request->failure.text, request->failure.cause, f->words);
}

static void open_trace_alone(np_engine_options options)
{
    np_error err = {0};
    testdir_make(&folder);
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    cr_assert_eq(np_producer_attach(trace, &producer, &err), NP_OK, "%s", err.text);
    cr_assert(rig_open_into(&rig, &options, NULL, 0, producer));
}

/* Of a request that must end with this failure. */
static void must_fail(struct rig_request *request, const char *name, np_web_status web_status,
                      const char *words)
{
    cr_assert(rig_run(&rig, request, 1), "%s: not done", name);
    check_failure(&(struct failure){.name = name, .web_status = web_status, .words = words},
                  request);
}

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

    check_failure(f, &request);
    if (!f->next)
        check_failure(f, &again);
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

Test(tunnel, every_failure_of_a_proxy_has_its_cause)
{
    const char *only = getenv("ONLY");
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (!only || strstr(failures[i].name, only))
            run_failure(&failures[i]);
}

Test(tunnel, a_proxy_that_says_nothing_is_given_up_when_the_time_is_over)
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

Test(tunnel, the_name_of_a_proxy_that_nobody_knows_is_told_as_the_proxys)
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

Test(tunnel, socks4_and_socks5_are_told_the_origins_own_address)
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

/* --- the next one --- */

Test(tunnel, proxies_that_are_not_there_are_passed_over_until_one_is)
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

Test(tunnel, direct_behind_a_proxy_that_hangs_up_is_a_way_too)
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

Test(tunnel, what_the_origin_does_wrong_is_not_the_proxys_fault)
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

Test(tunnel, certificates_of_a_proxy_are_checked_apart_from_those_of_the_origin)
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

Test(tunnel, a_name_goes_to_a_socks4a_proxy_as_it_is)
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
