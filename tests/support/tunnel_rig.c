#include "tunnel_rig.h"

#include "trace_query.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nginx nginx;
struct proxy_server proxy;
struct rig rig;
np_testdir folder;
static np_trace *trace;
static np_producer *producer;

/* --- lists of proxies --- */

np_proxy_list *make_list(const struct given *given, size_t count)
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

np_proxy_list *make_one(np_proxy_kind kind, const char *host, uint16_t port, bool user)
{
    const struct given given = {kind, host, port, user ? PROXY_USER : NULL,
                                user ? PROXY_PASSWORD : NULL};
    return make_list(&given, 1);
}

const char *make_url(const char *scheme, const char *host, unsigned port, const char *path)
{
    static char text[16][256];
    static int next;
    char *out = text[next++ % 16];
    snprintf(out, 256, "%s://%s:%u%s", scheme, host, port, path);
    return out;
}

/* --- a trace of what real proxies did --- */

void join_files(const char *to, const char *a, const char *b)
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

bool start_servers(const struct proxy_options *options)
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

void open_trace(np_engine_options options)
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

const char *close_trace(void)
{
    np_error err = {0};
    rig_close(&rig);
    np_producer_detach(trace, producer);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    return testdir_path(&folder, "a.db");
}

void stop_servers(void)
{
    proxy_server_stop(&proxy);
    nginx_stop(&nginx);
}

void must_be_complete(const struct rig_request *request, const char *name)
{
    cr_assert_eq(request->failure.status, NP_OK, "%s: %s (%s)", name, request->failure.text,
                 request->failure.cause);
    cr_assert_eq(request->status, 200, "%s: %d", name, request->status);
    cr_assert_eq(request->body_bytes, 59, "%s", name);
}

void must_run(struct rig_request *request, const char *name)
{
    cr_assert(rig_run(&rig, request, 1), "%s: not done", name);
    must_be_complete(request, name);
}
void open_trace_alone(np_engine_options options)
{
    np_error err = {0};
    testdir_make(&folder);
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    cr_assert_eq(np_producer_attach(trace, &producer, &err), NP_OK, "%s", err.text);
    cr_assert(rig_open_into(&rig, &options, NULL, 0, producer));
}
/* --- what must be --- */

void check_failure(const struct rig_request *request, const char *name, np_web_status web_status,
                   const char *words)
{
    if (web_status == NP_WEB_SUCCESS) { /* the 407 is the answer */
        cr_expect_eq(request->failure.status, NP_OK, "%s: %s", name, request->failure.text);
        cr_expect_eq(request->status, 407, "%s: %d", name, request->status);
        return;
    }
    cr_expect_eq(request->failure.web_status, web_status, "%s: %s: %s (%s)", name,
                 np_web_status_name(request->failure.web_status), request->failure.text,
                 request->failure.cause);
    cr_expect(strstr(request->failure.text, words) != NULL, "%s: '%s' (%s) has no '%s'", name,
              request->failure.text, request->failure.cause, words);
}

void must_fail(struct rig_request *request, const char *name, np_web_status web_status,
               const char *words)
{
    cr_assert(rig_run(&rig, request, 1), "%s: not done", name);
    check_failure(request, name, web_status, words);
}

void expect_count(const char *path, const char *name, const char *what, const char *sql,
                  int64_t expected)
{
    const int64_t found = query_int(path, sql);
    cr_expect_eq(found, expected, "%s: %s: %lld, expected %lld", name, what, (long long)found,
                 (long long)expected);
}
