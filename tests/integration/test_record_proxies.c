/*
 * `netphase record` through proxies that fail, and what `netphase show` makes of it: for every kind
 * of proxy and every failure one row, its class, and a cause with a name.
 */
#include "dns_server.h"
#include "proxy_failures.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "test_ca.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *const schemes[] = {"direct",  "http",   "https",  "socks4",
                                      "socks4a", "socks5", "socks5h"};

static np_testdir folder;

static void set_up(void)
{
    testdir_make(&folder);
    unsetenv("NETPHASE_TRACE");
    unsetenv("NETPHASE_DNS_SERVER");
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("COLUMNS", "400", 1);
}

static void tear_down(void)
{
    testdir_remove(&folder);
}

TestSuite(record_proxies, .init = set_up, .fini = tear_down);

/* Runs `netphase ARGUMENTS`; what it wrote, both streams, until the next call. */
static const char *run(int expected_status, const char *format, ...)
{
    static char text[65536];
    char arguments[1024], command[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "'%s' %s 2>&1", NP_PROGRAM, arguments);
    FILE *in = popen(command, "r");
    cr_assert_not_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    const int status = pclose(in);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == expected_status, "%s: %d\n%s", arguments,
              status, text);
    return text;
}

static void must_have(const char *text, const char *part, const char *what)
{
    cr_expect(strstr(text, part) != NULL, "%s: no '%s' in:\n%s", what, part, text);
}

/* The last request of the trace, as people see it and as SQL does. */
static void must_show(const char *path, const char *what, np_web_status web_status,
                      const char *words)
{
    const char *const class_name = np_web_status_name(web_status);
    char text[600];
    const char *shown = run(0, "show %s", path);
    must_have(shown, class_name, what);
    must_have(shown, words, what);
    query_text(path, "SELECT error FROM requests ORDER BY id DESC LIMIT 1", text, sizeof text);
    must_have(text, words, what);
    if (!strstr(words, "to origin.test")) /* the way stood */
        must_have(text, "proxy ", what);
    cr_expect_eq(query_int(path, "SELECT web_status FROM requests ORDER BY id DESC LIMIT 1"),
                 web_status, "%s", what);
    cr_expect_eq(query_int(path, "SELECT count(*) FROM problems"), 0, "%s", what);
}

/* --- once it is connected --- */

static void fail_by_script(const struct proxy_failure *f, np_proxy_kind kind, const char *ca)
{
    char script[1024], why[200], what[200];
    const bool tls = kind == NP_PROXY_HTTPS && f->kind == NP_PROXY_HTTP;
    const char *path = testdir_path(&folder, "a.db");
    snprintf(what, sizeof what, "%s proxy: %s", schemes[kind], f->name);
    snprintf(script, sizeof script, "%s%s%s%s", tls ? "tls " : "", tls ? ca : "", tls ? "; " : "",
             f->script);
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s: %s", what, why);

    const char *told =
        run(1, "record --fail -o %s --proxy-cacert %s/ca.pem -x '%s://%s127.0.0.1:%u' %s", path, ca,
            schemes[kind], f->user ? "user:secret@" : "", scripted_server_port(server), f->url);
    if (f->web_status == NP_WEB_SUCCESS)
        must_have(run(0, "show %s", path), "407", what);
    else
        must_have(told, "1 failed", what);
    if (f->web_status != NP_WEB_SUCCESS)
        must_show(path, what, f->web_status, f->words);
    scripted_server_stop(server);
}

static const char *make_ca(void)
{
    static char ca[512];
    snprintf(ca, sizeof ca, "%s", folder.path);
    cr_assert(test_ca_make(ca, "DNS:localhost,IP:127.0.0.1"));
    return ca;
}

Test(record_proxies, every_failure_is_a_row_with_a_named_cause)
{
    const char *ca = make_ca();
    const char *only = getenv("ONLY");
    for (size_t i = 0; i < sizeof proxy_failures / sizeof proxy_failures[0]; i++) {
        const struct proxy_failure *f = &proxy_failures[i];
        if (only && !strstr(f->name, only))
            continue;
        fail_by_script(f, f->kind, ca);
        if (f->kind == NP_PROXY_HTTP && f->url == proxy_failures[0].url)
            fail_by_script(f, NP_PROXY_HTTPS, ca); /* the same behind TLS */
    }
}

/* --- before that --- */

/* Of every kind of proxy at this place; text: as it is said of all of them. */
static void all_kinds_fail(const char *place, const char *options, np_web_status web_status,
                           const char *words)
{
    const char *path = testdir_path(&folder, "b.db");
    for (int kind = NP_PROXY_HTTP; kind <= NP_PROXY_SOCKS5H; kind++) {
        char what[200], expected[300];
        snprintf(what, sizeof what, "%s proxy: %s", schemes[kind], words);
        snprintf(expected, sizeof expected, "proxy %s://%s", schemes[kind], place);
        run(1, "record --fail -o %s %s -x '%s://%s' http://192.0.2.1:8080/", path, options,
            schemes[kind], place);
        must_show(path, what, web_status, words);
        must_have(run(0, "show %s", path), expected, what);
    }
}

Test(record_proxies, a_name_that_nobody_knows)
{
    static const struct dns_rule none[] = {{0}};
    char options[100];
    struct dns_server *dns = dns_server_start(none);
    snprintf(options, sizeof options, "--dns-server %s", dns_server_address(dns));
    all_kinds_fail("proxy.nowhere.test:3128", options, NP_WEB_PROXY_NAME_RESOLUTION_FAILURE,
                   "unknown host proxy.nowhere.test: NXDOMAIN");
    dns_server_stop(dns);
}

Test(record_proxies, a_port_on_which_nobody_listens)
{
    char place[64];
    snprintf(place, sizeof place, "127.0.0.1:%u", raw_free_port());
    all_kinds_fail(place, "", NP_WEB_CONNECT_FAILURE, "Connection refused");
}

Test(record_proxies, a_connect_that_is_not_answered)
{
    struct raw_blackhole hole;
    char place[64];
    cr_assert(raw_blackhole_open(&hole));
    snprintf(place, sizeof place, "127.0.0.1:%u", hole.port);
    all_kinds_fail(place, "--connect-timeout 200ms", NP_WEB_TIMEOUT, "not connected within 0.2 s");
    raw_blackhole_close(&hole);
}

Test(record_proxies, silence_once_it_is_connected)
{
    static const struct {
        np_proxy_kind kind;
        const char *url, *words;
    } cases[] = {
        {NP_PROXY_HTTP,    "https://192.0.2.1/", "waiting for the proxy's answer to CONNECT"},
        {NP_PROXY_HTTPS,   "http://192.0.2.1/",  "setting up TLS to the proxy"              },
        {NP_PROXY_SOCKS4,  "http://192.0.2.1/",  "waiting for the SOCKS proxy"              },
        {NP_PROXY_SOCKS4A, "http://192.0.2.1/",  "waiting for the SOCKS proxy"              },
        {NP_PROXY_SOCKS5,  "http://192.0.2.1/",  "waiting for the SOCKS proxy"              },
        {NP_PROXY_SOCKS5H, "http://192.0.2.1/",  "waiting for the SOCKS proxy"              },
    };
    char why[200];
    const char *path = testdir_path(&folder, "c.db");
    struct scripted_server *server = scripted_server_start("deaf", why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[100];
        const char *scheme = schemes[cases[i].kind];
        run(1, "record --fail -o %s --connect-timeout 400ms -x %s://127.0.0.1:%u %s", path, scheme,
            scripted_server_port(server), cases[i].url);
        must_show(path, scheme, NP_WEB_TIMEOUT, cases[i].words);
        snprintf(expected, sizeof expected, "proxy %s://127.0.0.1:%u", scheme,
                 scripted_server_port(server));
        must_have(run(0, "show %s", path), expected, scheme);
    }
    scripted_server_stop(server);
}

Test(record_proxies, a_certificate_that_nobody_trusts_or_for_another_name)
{
    char script[300], why[200];
    const char *ca = make_ca();
    const char *path = testdir_path(&folder, "d.db");
    snprintf(script, sizeof script, "tls %s; head", ca);
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    const unsigned port = scripted_server_port(server);

    run(1, "record --fail -o %s -x https://localhost:%u http://192.0.2.1/", path, port);
    must_show(path, "untrusted", NP_WEB_TRUST_FAILURE, "its certificate is not trusted");
    run(1,
        "record --fail -o %s --proxy-cacert %s/ca.pem -x https://other.localhost:%u "
        "http://192.0.2.1/",
        path, ca, port);
    must_show(path, "another name", NP_WEB_TRUST_FAILURE, "its certificate is for another name");
    scripted_server_stop(server);
}

/* --- header fields --- */

Test(record_proxies, fields_of_connect_are_kept_and_shown_without_the_password)
{
    static const char script[] =
        "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Basic realm=\\\"x y\\\"\\r\\n"
        "Content-Length: 0\\r\\n\\r\\n\"; head; send \"HTTP/1.1 403 No\\r\\nX-Why: because\\r\\n"
        "Set-Cookie: a=geheim\\r\\nContent-Length: 0\\r\\n\\r\\n\"; hang";
    char why[200], text[400];
    const char *path = testdir_path(&folder, "e.db");
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);

    run(1, "record --fail --detail headers -o %s -x http://user:geheim@127.0.0.1:%u %s", path,
        scripted_server_port(server), "https://origin.test:4443/");

    cr_expect_str_eq(query_text(path,
                                "SELECT group_concat(t.value || '=' || h.value, '; ') FROM (SELECT "
                                "* FROM header WHERE direction = 4 ORDER BY ordinal) h JOIN text t "
                                "ON t.id = h.name_id WHERE t.value <> 'Proxy-Connection'",
                                text, sizeof text),
                     "Host=origin.test:4443; Host=origin.test:4443; Proxy-Authorization=Basic *",
                     "%s", text);
    query_text(path,
               "SELECT group_concat(t.value || '=' || h.value, '; ') FROM (SELECT * FROM header "
               "WHERE direction = 5 ORDER BY ordinal) h JOIN text t ON t.id = h.name_id",
               text, sizeof text);
    must_have(text, "Proxy-Authenticate=Basic realm=", "the first answer");
    must_have(text, "X-Why=because", "the second answer");
    cr_expect(!strstr(text, "geheim"), "%s", text);
    const char *shown = run(0, "show %s", path);
    must_have(shown, "Proxy-Authorization: Basic *", "show");
    must_have(shown, "X-Why: because", "show");
    must_have(run(0, "show --format json %s", path), "\"direction\": \"from_proxy\"", "JSON");
    scripted_server_stop(server);
}
