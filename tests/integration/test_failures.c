/*
 * Every way in which a request can fail, from the call to the row: its outcome, its web status, a
 * cause with a name, and the phases it came through. The servers are scripted ones.
 */
#include "dns_server.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "test_ca.h"
#include "testdir.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static np_testdir folder;
static np_trace *trace;
static np_context *context;

/* What the test is about to see. */
struct expected {
    np_web_status web_status;
    const char *outcome;
    const char *words;  /* in the row's error */
    const char *phases; /* those that are there, in their order; NULL: as it comes */
    int status;         /* 0: none came */
    size_t rows;        /* hops of the request; 0: one */
};

static void set_up(const np_context_options *wanted)
{
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    if (wanted)
        options = *wanted;
    testdir_make(&folder);
    cr_assert_eq(np_trace_open(testdir_path(&folder, "a.db"), NULL, &trace, &err), NP_OK, "%s",
                 err.text);
    options.trace = trace;
    cr_assert_eq(np_context_create(&options, &context, &err), NP_OK, "%s", err.text);
}

/* What is asked for. */
struct question {
    const char *url;
    int64_t limit_ms;    /* 0: none */
    uint64_t body_bytes; /* 0: a GET */
    bool expects;        /* 100-continue */
    int version;         /* 0: HTTP/1.1 */
};

/* Writes a body of zeros; false: it went wrong, as the request will say. */
static bool write_body(np_stream *stream, uint64_t left)
{
    static const char zeros[64 * 1024];
    np_status status = NP_OK;
    while (!status && left > 0) {
        const size_t length = left < sizeof zeros ? (size_t)left : sizeof zeros;
        status = np_stream_write(stream, zeros, length, NULL);
        left -= length;
    }
    return !status;
}

/* NP_OK: the body was sent, and the response may be asked for. */
static np_status send_body(np_request *request, const struct question *question, np_error *err)
{
    np_async *async;
    np_stream *stream;
    cr_assert_eq(np_request_set_method(request, "POST", NULL), NP_OK);
    cr_assert_eq(np_request_set_content_length(request, (int64_t)question->body_bytes, NULL),
                 NP_OK);
    cr_assert_eq(np_request_set_allow_write_stream_buffering(request, question->expects, NULL),
                 NP_OK);
    cr_assert_eq(np_request_set_expect_continue(request, question->expects, NULL), NP_OK);
    cr_assert_eq(np_request_begin_get_request_stream(request, NULL, NULL, &async, err), NP_OK, "%s",
                 err->text);
    np_status status = np_request_end_get_request_stream(request, async, &stream, err);
    np_async_release(async);
    if (status)
        return status;
    const bool written = write_body(stream, question->body_bytes);
    if (written)
        status = np_stream_close(stream, NULL);
    np_stream_release(stream);
    return status;
}

static void read_body(np_response *response, np_error *err)
{
    np_stream *stream;
    char bytes[4096];
    size_t got = 1;
    cr_assert_eq(np_response_stream(response, &stream, NULL), NP_OK);
    while (got > 0 && np_stream_read(stream, bytes, sizeof bytes, &got, err) == NP_OK) {
    }
    np_stream_release(stream);
}

/* The whole of a request. The failure, wherever it came out. */
static np_error ask(const struct question *question)
{
    np_error err = {0};
    np_request *request;
    np_async *async;
    np_response *response = NULL;
    cr_assert_eq(np_request_create(context, question->url, &request, &err), NP_OK, "%s: %s",
                 question->url, err.text);
    if (question->version)
        cr_assert_eq(np_request_set_protocol_version(request, question->version, &err), NP_OK);
    if (question->limit_ms)
        cr_assert_eq(np_request_set_async_timeout(request, question->limit_ms, &err), NP_OK);
    np_status status = question->body_bytes ? send_body(request, question, &err) : NP_OK;
    if (!status)
        status = np_request_begin_get_response(request, NULL, NULL, &async, &err);
    if (!status) {
        status = np_request_end_get_response(request, async, &response, &err);
        if (status)
            response = np_async_response(async);
        np_async_release(async);
    }
    if (response)
        read_body(response, status ? NULL : &err);
    np_response_release(response);
    np_request_release(request);
    return err;
}

static np_error fetch_url(const char *url)
{
    return ask(&(struct question){.url = url});
}

static void phases_of(const np_row *row, char *out, size_t size)
{
    static const char *const names[] = {"queue", "proxy", "dns",  "connect", "tunnel",
                                        "tls",   "send",  "wait", "receive"};
    size_t length = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (row->phase_ns[i] >= 0 && length < size)
            length +=
                (size_t)snprintf(out + length, size - length, "%s%s", length ? " " : "", names[i]);
}

static void must_add_up(const np_row *row)
{
    int64_t sum_ns = 0;
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
        sum_ns += row->phase_ns[phase] > 0 ? row->phase_ns[phase] : 0;
    cr_expect_eq(sum_ns, row->total_ns);
}

static void must_be(const np_row *row, const struct expected *expected, const char *what)
{
    char phases[128];
    phases_of(row, phases, sizeof phases);
    cr_expect_str_eq(row->outcome, expected->outcome, "%s: %s (%s)", what, row->outcome,
                     row->error);
    cr_expect_eq(row->web_status, expected->web_status, "%s: %s (%s)", what,
                 np_web_status_name((np_web_status)row->web_status), row->error);
    cr_expect(strstr(row->error, expected->words) != NULL, "%s: %s", what, row->error);
    if (expected->phases)
        cr_expect_str_eq(phases, expected->phases, "%s: %s", what, phases);
    cr_expect_eq(row->status, expected->status, "%s: status %d", what, row->status);
    must_add_up(row);
}

/* Closes everything; the last row of the trace must be the one expected, and be what the caller was
 * told too. */
static void take_down(const np_error *told, const struct expected *expected, const char *what)
{
    np_error err = {0};
    np_store *store;
    np_page *page;
    np_page_query query = NP_PAGE_QUERY_INIT;
    const char *path = testdir_path(&folder, "a.db");
    np_context_free(context);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK, "%s", err.text);
    cr_expect_eq(told->status, NP_E_WEB, "%s: the caller was told", what);
    cr_expect_eq(told->web_status, expected->web_status, "%s: the caller was told %s (%s)", what,
                 np_web_status_name(told->web_status), told->text);
    cr_expect_eq(query_int(path, "select count(*) from problems"), 0, "%s", what);
    cr_assert_eq(np_store_open(path, NULL, &store, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_store_page(store, &query, &page, &err), NP_OK, "%s", err.text);
    cr_assert_eq(page->count, expected->rows ? expected->rows : 1, "%s: %zu rows", what,
                 page->count);
    must_be(&page->rows[page->count - 1], expected, what);
    np_page_free(page);
    np_store_close(store);
    testdir_remove(&folder);
}

/* --- before a connection stands --- */

Test(failures, unknown_host)
{
    static const struct dns_rule rules[] = {{0}};
    struct dns_server *server = dns_server_start(rules);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.dns_servers = dns_server_address(server);
    set_up(&options);

    const np_error told = fetch_url("http://nowhere.test/");

    take_down(&told,
              &(struct expected){NP_WEB_NAME_RESOLUTION_FAILURE, "failed", "nowhere.test",
                                 "queue dns", 0, 0},
              "unknown host");
    dns_server_stop(server);
}

Test(failures, silent_dns_server)
{
    static const struct dns_rule rules[] = {
        {.name = "quiet.test", .drop = true},
        {0                   }
    };
    struct dns_server *server = dns_server_start(rules);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.dns_servers = dns_server_address(server);
    options.connect_timeout_ns = 300 * 1000000LL;
    set_up(&options);

    const np_error told = fetch_url("http://quiet.test/");

    take_down(
        &told,
        &(struct expected){NP_WEB_TIMEOUT, "timeout", "looking up the name", "queue dns", 0, 0},
        "silent DNS server");
    dns_server_stop(server);
}

Test(failures, refused)
{
    char url[64];
    set_up(NULL);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", raw_free_port());

    const np_error told = fetch_url(url);

    take_down(&told,
              &(struct expected){NP_WEB_CONNECT_FAILURE, "failed", "Connection refused",
                                 "queue connect", 0, 0},
              "refused");
}

Test(failures, unreachable)
{
    set_up(NULL);

    const np_error told = fetch_url("http://255.255.255.255:81/"); /* no packet leaves */

    take_down(&told,
              &(struct expected){NP_WEB_CONNECT_FAILURE, "failed", "Network is unreachable",
                                 "queue connect", 0, 0},
              "unreachable");
}

Test(failures, connect_time_out)
{
    struct raw_blackhole hole;
    char url[64];
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.connect_timeout_ns = 200 * 1000000LL;
    cr_assert(raw_blackhole_open(&hole));
    set_up(&options);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", hole.port);

    const np_error told = fetch_url(url);

    take_down(&told,
              &(struct expected){NP_WEB_TIMEOUT, "timeout", "not connected within 0.2 s",
                                 "queue connect", 0, 0},
              "connect time-out");
    raw_blackhole_close(&hole);
}

/* --- TLS --- */

static void remove_ca(const char *ca)
{
    static const char *const files[] = {"ca.pem", "cert.pem", "key.pem"};
    char file[160];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", ca, files[i]);
        (void)remove(file);
    }
    (void)remove(ca);
}

/* A request to https://origin.test at a server that shakes hands with this certificate. */
static void fail_at_certificate(const char *names, long last_day, bool trusted,
                                const struct expected *expected, const char *what)
{
    char ca[] = "/tmp/netphase-ca-XXXXXX", ca_file[64], script[160], url[64], why[200];
    const char *resolve[] = {"origin.test:*:127.0.0.1"};
    char entry[64];
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    cr_assert(mkdtemp(ca) && test_ca_make_until(ca, names, last_day));
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", ca);
    (void)snprintf(script, sizeof script, "tls %s; head; send \"HTTP/1.1 204 None\\r\\n\\r\\n\"",
                   ca);
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    (void)snprintf(entry, sizeof entry, "origin.test:%u:127.0.0.1", scripted_server_port(server));
    (void)snprintf(url, sizeof url, "https://origin.test:%u/", scripted_server_port(server));
    resolve[0] = entry;
    options.ca_file = trusted ? ca_file : NULL;
    options.resolve = resolve;
    options.resolve_count = 1;
    set_up(&options);

    const np_error told = fetch_url(url);

    take_down(&told, expected, what);
    scripted_server_stop(server);
    remove_ca(ca);
}

Test(failures, untrusted_certificate)
{
    fail_at_certificate("DNS:origin.test", 30, false,
                        &(struct expected){NP_WEB_TRUST_FAILURE, "failed", "not trusted",
                                           "queue connect tls", 0, 0},
                        "untrusted certificate");
}

Test(failures, certificate_for_another_host)
{
    fail_at_certificate("DNS:other.test", 30, true,
                        &(struct expected){NP_WEB_TRUST_FAILURE, "failed", "for another name",
                                           "queue connect tls", 0, 0},
                        "wrong host name");
}

Test(failures, expired_certificate)
{
    fail_at_certificate(
        "DNS:origin.test", -1, true,
        &(struct expected){NP_WEB_TRUST_FAILURE, "failed", "expired", "queue connect tls", 0, 0},
        "expired certificate");
}

/* --- what a scripted server does --- */

/* clang-format off: one failure, one paragraph */
static const struct scripted_failure {
    const char *what, *scheme, *script;
    struct question question; /* its url is the server's */
    struct expected expected;
    unsigned connections; /* 0: one */
} scripted[] = {
    {"handshake cut",
     "https", "first; shut; hang",
     {0},
     {NP_WEB_SECURE_CHANNEL_FAILURE, "failed", "closed", "queue connect tls", 0, 0},
     0},
    {"handshake reset",
     "https", "first; reset",
     {0},
     {NP_WEB_SECURE_CHANNEL_FAILURE, "failed", "reset", "queue connect tls", 0, 0},
     0},
    {"no TLS at all",
     "https", "first; send \"HTTP/1.1 400 Bad Request\\r\\n\\r\\n\"",
     {0},
     {NP_WEB_SECURE_CHANNEL_FAILURE, "failed", "TLS", "queue connect tls", 0, 0},
     0},
    {"closed instead of an answer",
     "http",  "head",
     {0},
     {NP_WEB_CONNECTION_CLOSED, "failed", "waiting for the response", "queue connect send wait", 0,
      0},
     0},
    {"reset instead of an answer",
     "http",  "head; reset",
     {0},
     {NP_WEB_RECEIVE_FAILURE, "failed", "waiting for the response", "queue connect send wait", 0,
      0},
     0},
    {"reset while reading",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n12345\"; sleep 30; reset",
     {0},
     {NP_WEB_RECEIVE_FAILURE, "failed", "receiving the response", "queue connect send wait receive",
      200, 0},
     0},
    {"truncated body",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n12345\"",
     {0},
     {NP_WEB_CONNECTION_CLOSED, "failed", "5 of 100 bytes", "queue connect send wait receive", 200,
      0},
     0},
    {"truncated chunks",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhel\"",
     {0},
     {NP_WEB_CONNECTION_CLOSED, "failed", "receiving the response",
      "queue connect send wait receive", 200, 0},
     0},
    {"truncated header",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\nContent-Le\"",
     {0},
     {NP_WEB_CONNECTION_CLOSED, "failed", "closed", "queue connect send wait receive", 200, 0},
     0},
    {"time limit without an answer",
     "http",  "head; hang",
     {.limit_ms = 150},
     {NP_WEB_TIMEOUT, "timeout", "waiting for the response", "queue connect send wait", 0, 0},
     0},
    {"time limit in the body",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n12345\"; hang",
     {.limit_ms = 150},
     {NP_WEB_TIMEOUT, "timeout", "receiving the response", "queue connect send wait receive", 200,
      0},
     0},
    {"not HTTP",
     "http",  "head; send \"nonsense\\r\\n\\r\\n\"",
     {0},
     {NP_WEB_SERVER_PROTOCOL_VIOLATION, "failed", "not HTTP", "queue connect send wait", 0, 0},
     0},
    {"malformed field",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\n A: b\\r\\n\\r\\n\"",
     {0},
     {NP_WEB_SERVER_PROTOCOL_VIOLATION, "failed", "malformed", "queue connect send wait receive",
      200, 0},
     0},
    {"header over the limit",
     "http",  "head; send \"HTTP/1.1 200 OK\\r\\n\"; flood \"X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\r\\n\"",
     {0},
     {NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED, "failed", "longer than",
      "queue connect send wait receive", 200, 0},
     0},
    {"reset while sending",
     "http",  "head; body 1000; reset",
     {.body_bytes = 64 << 20},
     {NP_WEB_SEND_FAILURE, "failed", "reset while sending the body", "queue connect send", 0, 0},
     0},
    {"stalled upload",
     "http",  "head; deaf",
     {.body_bytes = 64 << 20, .limit_ms = 2000}, /* time enough to fill what lies between them */
     {NP_WEB_TIMEOUT, "timeout", "sending the body", "queue connect send", 0, 0},
     0},
    {"too many redirects",
     "http",  "head; send \"HTTP/1.1 302 Found\\r\\nLocation: /\\r\\nContent-Length: 0\\r\\n\\r\\n\"; again",
     {0},
     {NP_WEB_PROTOCOL_ERROR, "failed", "more than 50 redirects", "queue send wait receive", 302,
      51},
     0},
    {"a redirect to nowhere",
     "http",  "head; send \"HTTP/1.1 302 Found\\r\\nContent-Length: 0\\r\\n\\r\\n\"",
     {0},
     {NP_WEB_PROTOCOL_ERROR, "failed", "no Location", "queue connect send wait receive", 302, 0},
     0},
    {"417 for ever",
     "http",  "head; send \"HTTP/1.1 417 Expectation Failed\\r\\nContent-Length: 0\\r\\n\\r\\n\"; again",
     {.body_bytes = 10, .expects = true},
     {NP_WEB_PROTOCOL_ERROR, "failed", "417", NULL, 417, 2},
     2},
};
/* clang-format on */

static void fail_by_script(const struct scripted_failure *failure)
{
    char url[64], why[200];
    struct scripted_server *server = scripted_server_start(failure->script, why, sizeof why);
    struct question question = failure->question;
    cr_assert_not_null(server, "%s: %s", failure->what, why);
    set_up(NULL);
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/", failure->scheme,
                   scripted_server_port(server));
    question.url = url;

    const np_error told = ask(&question);

    take_down(&told, &failure->expected, failure->what);
    cr_expect_eq(scripted_server_connections(server),
                 failure->connections ? failure->connections : 1, "%s: nothing is sent twice",
                 failure->what);
    scripted_server_stop(server);
}

Test(failures, what_a_server_does_is_named)
{
    const char *only = getenv("NP_FAILURE");
    for (size_t i = 0; i < sizeof scripted / sizeof scripted[0]; i++)
        if (!only || strcmp(only, scripted[i].what) == 0)
            fail_by_script(&scripted[i]);
}

/* --- a connection that others used, or use --- */

Test(failures, a_kept_connection_that_is_lost_with_a_body_that_cannot_be_sent_again)
{
    char url[64], why[200];
    struct scripted_server *server = scripted_server_start(
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n\"; head; body 1000; reset",
        why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    set_up(NULL);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", scripted_server_port(server));
    cr_assert_eq(fetch_url(url).status, NP_OK);

    const np_error told = ask(&(struct question){.url = url, .body_bytes = 64 << 20});

    take_down(&told,
              &(struct expected){NP_WEB_KEEP_ALIVE_FAILURE, "failed", "while sending the body",
                                 "queue send", 0, 2},
              "keep-alive");
    cr_expect_eq(scripted_server_connections(server), 1, "nothing is sent twice");
    scripted_server_stop(server);
}

/* One stream of a connection that others could use as well. */
Test(failures, a_stream_that_the_server_resets)
{
    static const char settings[] = "\\0\\0\\0\\x04\\0\\0\\0\\0\\0";
    static const char internal_error[] = /* RST_STREAM of stream 1 */
        "\\0\\0\\x04\\x03\\0\\0\\0\\0\\x01\\0\\0\\0\\x02";
    char ca[] = "/tmp/netphase-ca-XXXXXX", ca_file[64], script[300], url[64], why[200];
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    cr_assert(mkdtemp(ca) && test_ca_make(ca, "DNS:localhost,IP:127.0.0.1"));
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", ca);
    (void)snprintf(script, sizeof script, "h2 %s; send \"%s\"; streams 1; send \"%s\"; hang", ca,
                   settings, internal_error);
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/", scripted_server_port(server));
    options.ca_file = ca_file;
    set_up(&options);

    const np_error told = ask(&(struct question){.url = url, .version = 20, .limit_ms = 20000});

    take_down(&told,
              &(struct expected){NP_WEB_PIPELINE_FAILURE, "failed",
                                 "stream reset by the server while", NULL, 0, 0},
              "reset stream");
    scripted_server_stop(server);
    remove_ca(ca);
}
