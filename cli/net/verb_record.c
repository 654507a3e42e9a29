/*
 * netphase record: sends requests and traces them.
 *
 * The verb reads its options into one structure, turns them into a trace, a context and a sender,
 * drives the sender in steps of a tick, and sums up from the trace itself: what is printed at the
 * end is what is in the file.
 */
#include "verb_record.h"
#include "body.h"
#include "field_options.h"
#include "follower.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "progress.h"
#include "proxy_options.h"
#include "sender.h"
#include "summary.h"
#include "text.h"
#include "url_list.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 100, TICK_ANNOUNCING_MS = 10 };
#define DURATION_MOST_NS (INT64_C(30) * 86400 * 1000000000) /* 30 days */

struct record_args {
    const char *urls_file;
    int64_t requests;
    int64_t concurrency;
    int64_t duration_ns;
    double rate;
    int reuse;          /* np_reuse */
    const char *method; /* NULL: by the body */
    struct option_list headers;
    struct option_list data;
    const char *upload;
    bool chunked;
    bool compressed;
    int version; /* 10, 11, 20 */
    const char *login;
    const char *ca_file;
    bool insecure;
    const char *proxy_cacert;
    bool proxy_insecure;
    bool follow;
    int tls_minimum; /* np_tls_version */
    int family;      /* np_family */
    struct option_list resolve;
    struct option_list connect_to;
    const char *dns_servers;
    int resolver; /* np_resolver */
    int64_t timeout_ns;
    int64_t connect_timeout_ns;
    struct proxy_args proxy;
    struct option_pairs labels;
    int detail; /* np_detail */
    struct option_list redact;
    bool no_redaction;
    bool fail;
    int64_t progress_fd; /* -1: none */
    const char *output;
};

static const struct record_args defaults = {
    .requests = 1,
    .concurrency = 1,
    .version = 20,
    .timeout_ns = INT64_C(100000000000),
    .connect_timeout_ns = INT64_C(30000000000),
    .proxy.timeout_ns = PROXY_TIMEOUT_NS,
    .detail = NP_DETAIL_SPANS,
    .progress_fd = -1,
};

static const char *const resolver_words[] = {"automatic", "c-ares", "system", NULL};
static const char *const detail_words[] = {"phases", "spans", "headers", "wire", NULL};

/* clang-format off */
static const struct verb_option option_table[] = {
    {.section = "How many, and when"},
    {.name = "requests",    .letter = 'n', .type = OPTION_INT,  .argument = "N", .low = 1, .high = INT64_C(1000000000),
     .help = "requests to each URL", .fallback = "1", OPTION_FIELD(struct record_args, requests)},
    {.name = "concurrency", .letter = 'c', .type = OPTION_INT,  .argument = "N", .low = 1, .high = 10000,
     .help = "how many at once; also the limit of connections to one host", .fallback = "1", OPTION_FIELD(struct record_args, concurrency)},
    {.name = "duration",    .letter = 'D', .type = OPTION_DURATION, .argument = "TIME", .low = 1000000, .high = DURATION_MOST_NS,
     .help = "keep sending for that long instead of --requests", OPTION_FIELD(struct record_args, duration_ns)},
    {.name = "rate",        .type = OPTION_REAL, .argument = "N", .high = 1000000,
     .help = "N requests a second, started on schedule: a late response delays no later start", OPTION_FIELD(struct record_args, rate)},
    {.name = "fresh",       .type = OPTION_CHOICE, .value = NP_REUSE_FRESH,
     .help = "a new connection for every request", OPTION_FIELD(struct record_args, reuse)},
    {.name = "cold",        .type = OPTION_CHOICE, .value = NP_REUSE_COLD,
     .help = "the same, and nothing remembered of names and TLS sessions", .fallback = "keep-alive", OPTION_FIELD(struct record_args, reuse)},

    {.section = "The request"},
    {.name = "urls",        .type = OPTION_TEXT, .argument = "FILE",
     .help = "read URLs from there, one a line ('#' begins a comment line); - is standard input", OPTION_FIELD(struct record_args, urls_file)},
    {.name = "method",      .letter = 'X', .type = OPTION_TEXT, .argument = "METHOD",
     .help = "method to send", .fallback = "GET; POST with --data, PUT with --upload", OPTION_FIELD(struct record_args, method)},
    {.name = "header",      .letter = 'H', .type = OPTION_LIST, .argument = "'NAME: VALUE'",
     .help = "a header field; repeatable", OPTION_FIELD(struct record_args, headers)},
    {.name = "data",        .letter = 'd', .type = OPTION_LIST, .argument = "TEXT|@FILE",
     .help = "send this as the body, as a form does; repeatable, joined by '&'; @- is standard input", OPTION_FIELD(struct record_args, data)},
    {.name = "upload",      .letter = 'T', .type = OPTION_TEXT, .argument = "FILE",
     .help = "send this file as the body; - is standard input, once and in chunks", OPTION_FIELD(struct record_args, upload)},
    {.name = "chunked",     .type = OPTION_FLAG,
     .help = "send the body in chunks although its length is known", OPTION_FIELD(struct record_args, chunked)},
    {.name = "compressed",  .type = OPTION_FLAG,
     .help = "ask for a compressed response: gzip, deflate, and br and zstd where libcurl has them", OPTION_FIELD(struct record_args, compressed)},
    {.name = "user",        .letter = 'u', .type = OPTION_TEXT, .argument = "USER:PASSWORD",
     .help = "answer a Basic or Digest challenge; not stored", OPTION_FIELD(struct record_args, login)},
    {.name = "http1.0",     .type = OPTION_CHOICE, .value = 10,
     .help = "HTTP/1.0", OPTION_FIELD(struct record_args, version)},
    {.name = "http1.1",     .type = OPTION_CHOICE, .value = 11,
     .help = "HTTP/1.1", OPTION_FIELD(struct record_args, version)},
    {.name = "http2",       .type = OPTION_CHOICE, .value = 20,
     .help = "HTTP/2 over TLS where the server has it, else HTTP/1.1", .fallback = "this", OPTION_FIELD(struct record_args, version)},
    {.name = "location",    .letter = 'L', .type = OPTION_FLAG,
     .help = "follow redirects; each hop is a row of its own", OPTION_FIELD(struct record_args, follow)},
    {.name = "timeout",     .type = OPTION_DURATION, .argument = "TIME", .low = 1000000, .high = DURATION_MOST_NS,
     .help = "limit of a whole request", .fallback = "100s", OPTION_FIELD(struct record_args, timeout_ns)},

    {.section = "The way there"},
    {.name = "cacert",      .type = OPTION_TEXT, .argument = "FILE",
     .help = "certificate authorities to trust, PEM", .fallback = "$CURL_CA_BUNDLE, $SSL_CERT_FILE, the system's", OPTION_FIELD(struct record_args, ca_file)},
    {.name = "insecure",    .letter = 'k', .type = OPTION_FLAG,
     .help = "take any certificate", OPTION_FIELD(struct record_args, insecure)},
    {.name = "proxy-cacert", .type = OPTION_TEXT, .argument = "FILE",
     .help = "trust the certificates in this file for https proxies", .fallback = "as --cacert", OPTION_FIELD(struct record_args, proxy_cacert)},
    {.name = "proxy-insecure", .type = OPTION_FLAG,
     .help = "take any certificate of an https proxy", OPTION_FIELD(struct record_args, proxy_insecure)},
    {.name = "tlsv1.2",     .type = OPTION_CHOICE, .value = NP_TLS_1_2,
     .help = "TLS 1.2 or newer", OPTION_FIELD(struct record_args, tls_minimum)},
    {.name = "tlsv1.3",     .type = OPTION_CHOICE, .value = NP_TLS_1_3,
     .help = "TLS 1.3 or newer", .fallback = "what the TLS library offers", OPTION_FIELD(struct record_args, tls_minimum)},
    {.name = "ipv4",        .letter = '4', .type = OPTION_CHOICE, .value = NP_FAMILY_IPV4,
     .help = "IPv4 only", OPTION_FIELD(struct record_args, family)},
    {.name = "ipv6",        .letter = '6', .type = OPTION_CHOICE, .value = NP_FAMILY_IPV6,
     .help = "IPv6 only", OPTION_FIELD(struct record_args, family)},
    {.name = "resolve",     .type = OPTION_LIST, .argument = "HOST:PORT:ADDR",
     .help = "take this address without a lookup; repeatable", OPTION_FIELD(struct record_args, resolve)},
    {.name = "connect-to",  .type = OPTION_LIST, .argument = "HOST:PORT:HOST2:PORT2",
     .help = "connect to HOST2:PORT2 instead of HOST:PORT; repeatable", .fallback = "$NETPHASE_CONNECT_TO", OPTION_FIELD(struct record_args, connect_to)},
    {.name = "dns-server",  .type = OPTION_TEXT, .argument = "ADDR[:PORT]",
     .help = "ask this DNS server; several separated by commas", .fallback = "$NETPHASE_DNS_SERVER, resolv.conf", OPTION_FIELD(struct record_args, dns_servers)},
    {.name = "resolver",    .type = OPTION_WORD, .argument = "WHO", .words = resolver_words,
     .help = "who looks names up: c-ares (every query is seen) or system (getaddrinfo, in processes of its own)",
     .fallback = "c-ares, unless nsswitch.conf lists more than files and dns before dns", OPTION_FIELD(struct record_args, resolver)},
    {.name = "connect-timeout", .type = OPTION_DURATION, .argument = "TIME", .low = 1000000, .high = DURATION_MOST_NS,
     .help = "limit from the first lookup until the connection is ready", .fallback = "30s", OPTION_FIELD(struct record_args, connect_timeout_ns)},

    PROXY_OPTION_ROWS(struct record_args, proxy),

    {.section = "The trace"},
    {.name = "output",      .letter = 'o', .type = OPTION_TEXT, .argument = "FILE",
     .help = "the trace to write; a new run is appended to one that is there", .fallback = "$NETPHASE_TRACE, netphase.db", OPTION_FIELD(struct record_args, output)},
    {.name = "label",       .type = OPTION_PAIRS, .argument = "KEY=VALUE",
     .help = "a label on this run, usable as a filter later; repeatable", OPTION_FIELD(struct record_args, labels)},
    {.name = "detail",      .type = OPTION_WORD, .argument = "LEVEL", .words = detail_words,
     .help = "how much to keep: phases, spans, headers (redacted) or wire (and up to 1 KiB of each read and write, bodies too)", .fallback = "spans", OPTION_FIELD(struct record_args, detail)},
    {.name = "redact",      .type = OPTION_LIST, .argument = "NAME",
     .help = "never store the values of this header field and query parameter; repeatable",
     .fallback = "credentials, cookies, tokens, and all query values", OPTION_FIELD(struct record_args, redact)},
    {.name = "no-redact",   .type = OPTION_FLAG,
     .help = "store header and query values as they are, but for those of --redact", OPTION_FIELD(struct record_args, no_redaction)},
    {.name = "progress-fd", .type = OPTION_INT, .argument = "N", .low = 0, .high = 1023,
     .help = "write a line 'ID STATUS TOTAL_NS' there for every request that is safely in the trace", OPTION_FIELD(struct record_args, progress_fd)},
    {.name = "fail",        .type = OPTION_FLAG,
     .help = "exit 1 when a request fails or ends with a status of 400 or more", OPTION_FIELD(struct record_args, fail)},
    {0},
};
/* clang-format on */

/* ------------------------------------------------------------------------------------------------------ set-up */

/* Everything a run holds, released in reverse order by run_done. */
struct run {
    struct call *call;
    const struct record_args *args;
    const char *path;
    struct url_list urls;
    struct field_options fields;
    struct body body;
    const char **connect_to;
    size_t connect_to_count;
    char *connect_to_text;
    np_trace *trace;
    np_context *context;
    struct sender *sender;
    struct follower *follower;
    struct progress progress;
    int64_t run_id;
    bool is_elsewhere; /* the trace was deleted or moved meanwhile */
    struct sender_counts counts;
};

/* --connect-to, else the entries of $NETPHASE_CONNECT_TO (separated by commas or blanks). */
static void take_connect_to(struct run *run)
{
    const struct option_list *list = &run->args->connect_to;
    const char *environment = getenv("NETPHASE_CONNECT_TO");
    if (list->count > 0 || !environment) {
        run->connect_to = list->items;
        run->connect_to_count = list->count;
        return;
    }
    run->connect_to_text = xstrndup(environment, strlen(environment));
    char *rest = run->connect_to_text;
    const char *entry;
    while ((entry = strsep(&rest, ", \t"))) {
        if (!*entry)
            continue;
        run->connect_to =
            xrealloc(run->connect_to, run->connect_to_count + 1, sizeof *run->connect_to);
        run->connect_to[run->connect_to_count++] = entry;
    }
}

static const char *first_set(const char *given, const char *const *variables)
{
    if (given)
        return given;
    for (; *variables; variables++) {
        const char *value = getenv(*variables);
        if (value && *value)
            return value;
    }
    return NULL;
}

static np_status open_trace(struct run *run, np_error *err)
{
    const struct record_args *args = run->args;
    np_trace_options options = NP_TRACE_OPTIONS_INIT;
    options.tool = "netphase " NP_VERSION;
    options.arguments = run->call->words;
    options.argument_count = run->call->word_count;
    options.labels = args->labels.items;
    options.label_count = args->labels.count;
    options.detail_plus_1 = (uint32_t)args->detail + 1;
    options.redact = args->redact.items;
    options.redact_count = args->redact.count;
    options.no_redaction = args->no_redaction;
    np_status status = np_trace_open(run->path, &options, &run->trace, err);
    if (status)
        return status;
    np_trace_counters counters = NP_TRACE_COUNTERS_INIT;
    np_trace_counters_get(run->trace, &counters);
    run->run_id = counters.run_id;
    if (counters.recovered > 0)
        message_note(run->call, "%llu requests of a program that was killed were brought in",
                     (unsigned long long)counters.recovered);
    return NP_OK;
}

/* `trace`: NULL for one that only looks at what was typed. */
static np_status open_context(const struct run *run, np_trace *trace, np_context **out,
                              np_error *err)
{
    static const char *const ca_variables[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE", NULL};
    static const char *const path_variables[] = {"SSL_CERT_DIR", NULL};
    static const char *const dns_variables[] = {"NETPHASE_DNS_SERVER", NULL};
    const struct record_args *args = run->args;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = trace;
    options.connection_limit = (uint32_t)args->concurrency;
    options.connect_timeout_ns = args->connect_timeout_ns;
    options.ca_file = first_set(args->ca_file, ca_variables);
    options.ca_path = args->ca_file ? NULL : first_set(NULL, path_variables);
    options.insecure = args->insecure;
    options.proxy_ca_file = args->proxy_cacert;
    options.proxy_insecure = args->proxy_insecure;
    options.tls_minimum = (np_tls_version)args->tls_minimum;
    options.family = (np_family)args->family;
    options.resolver = (np_resolver)args->resolver;
    options.dns_servers = options.resolver == NP_RESOLVER_SYSTEM /* a default holds no longer */
                              ? args->dns_servers
                              : first_set(args->dns_servers, dns_variables);
    options.resolve = args->resolve.items;
    options.resolve_count = args->resolve.count;
    options.connect_to = run->connect_to;
    options.connect_to_count = run->connect_to_count;
    np_proxy *proxy = NULL;
    np_status status = proxy_options_apply(&args->proxy, &options, &proxy, err);
    if (!status)
        status = np_context_create(&options, out, err);
    np_proxy_release(proxy);
    return status;
}

static const char *method_of(const struct run *run)
{
    if (run->args->method)
        return run->args->method;
    return run->args->upload ? "PUT" : run->body.kind != BODY_NONE ? "POST" : "GET";
}

static struct sender_options sender_options(const struct run *run, np_context *context)
{
    const struct record_args *args = run->args;
    return (struct sender_options){
        .context = context,
        .urls = (const char *const *)run->urls.urls,
        .logins = run->urls.logins,
        .method = method_of(run),
        .headers = run->fields.fields,
        .header_count = run->fields.count,
        .body = &run->body,
        .is_chunked = args->chunked || run->fields.is_chunked,
        .expect = run->fields.expect,
        .close = run->fields.close,
        .compressed = args->compressed,
        .version = args->version,
        .reuse = (np_reuse)args->reuse,
        .follow = args->follow,
        .timeout_ms = (args->timeout_ns + 999999) / 1000000,
        .workload =
            {
                       .url_count = run->urls.count,
                       .per_url = (uint64_t)args->requests,
                       .concurrency = (uint32_t)args->concurrency,
                       .duration_ns = args->duration_ns,
                       .rate = args->rate,
                       },
    };
}

/* Where the mistake is goes before what it is. */
static void put_before(const char *place, np_error *err)
{
    struct text whole = {0};
    text_print(&whole, "%.100s%s", place, err->text);
    const size_t most = sizeof err->text - 1;
    const size_t length = whole.length < most ? whole.length : most;
    memcpy(err->text, text_string(&whole), length);
    err->text[length] = '\0';
    text_done(&whole);
}

/* Whether everything that was typed can be sent, before a trace is made or gets a run. */
static int check_requests(const struct run *run)
{
    np_error err = {0};
    np_context *context = NULL;
    size_t wrong = 0;
    char place[256] = "";
    np_status status = open_context(run, NULL, &context, &err);
    if (!status) {
        const struct sender_options options = sender_options(run, context);
        status = sender_check(&options, &wrong, &err);
        if (status)
            url_list_place(&run->urls, wrong, place, sizeof place);
    }
    np_context_free(context);
    if (status)
        put_before(place, &err);
    return status ? message_failure(run->call, &err) : EXIT_DONE;
}

/* What shows how far the run is reads the trace: only where someone looks. */
static np_status open_follower(struct run *run, np_error *err)
{
    progress_init(&run->progress, &run->call->err, !run->call->common.quiet);
    if (run->args->progress_fd < 0 && !run->progress.is_on)
        return NP_OK;
    run->follower = follower_open(run->path, run->run_id, (int)run->args->progress_fd, err);
    if (!run->follower)
        return err->status ? err->status : NP_E_NO_MEMORY;
    return NP_OK;
}

/* ------------------------------------------------------------------------------------------------------ sending */

static volatile sig_atomic_t interrupted; /* signal handlers can reach nothing else */

static void on_signal(int number)
{
    interrupted = number;
}

/* The first signal ends the run in order; a second one ends the program. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void show_progress(struct run *run, uint64_t start_ns)
{
    if (!run->progress.is_on)
        return;
    const struct record_args *args = run->args;
    const uint64_t now = now_ns();
    const struct progress_figures figures = {
        .done = run->counts.finished,
        .failed = run->counts.failed,
        .expected = args->duration_ns > 0 ? 0 : (uint64_t)args->requests * run->urls.count,
        .elapsed_ns = (int64_t)(now - start_ns),
        .planned_ns = args->duration_ns,
        .setup_p50_ns = follower_setup_p50(run->follower),
    };
    progress_show(&run->progress, &figures, (int64_t)now);
}

static void step_follower(struct run *run)
{
    if (run->follower && !follower_step(run->follower))
        message_warning(run->call, "descriptor %d of --progress-fd cannot be written: %s",
                        (int)run->args->progress_fd, strerror(errno));
}

/* Sends until everything is done, a signal came, or the trace cannot be written any more. */
static np_status drive(struct run *run, np_error *err)
{
    const uint64_t start_ns = now_ns();
    const uint64_t tick_ns =
        (run->args->progress_fd >= 0 ? TICK_ANNOUNCING_MS : TICK_MS) * UINT64_C(1000000);
    np_status status = NP_OK;
    bool stopping = false;
    do {
        sender_wait(run->sender, now_ns() + tick_ns, &run->counts);
        step_follower(run);
        show_progress(run, start_ns);
        if (!status)
            status = np_trace_health(run->trace, err);
        if ((interrupted || status) && !stopping) {
            sender_stop(run->sender, true);
            stopping = true;
        }
    } while (!run->counts.done);
    progress_erase(&run->progress);
    return status;
}

/* Closes what records, so that everything is in the file. */
static np_status finish(struct run *run, int exit_status, np_error *err)
{
    np_error flush_error = {0}, close_error = {0};
    sender_free(run->sender);
    run->sender = NULL;
    np_context_free(run->context);
    run->context = NULL;
    const np_status flushed = np_trace_flush(run->trace, &flush_error);
    if (!flushed)
        step_follower(run);
    const np_status closed = np_trace_close(run->trace, exit_status, &close_error);
    run->trace = NULL;
    if (flushed || closed)
        *err = closed ? close_error : flush_error;
    return flushed ? flushed : closed;
}

static void run_done(struct run *run)
{
    progress_erase(&run->progress);
    follower_close(run->follower);
    sender_free(run->sender);
    np_context_free(run->context);
    (void)np_trace_close(run->trace, -1,
                         NULL); /* only on a way out that has told its own failure */
    if (run->connect_to_text)
        free(run->connect_to);
    free(run->connect_to_text);
    field_options_done(&run->fields);
    body_done(&run->body);
    url_list_done(&run->urls);
}

static int exit_status_of(const struct run *run)
{
    if (interrupted)
        return EXIT_INTERRUPTED;
    if (run->counts.body_error)
        return EXIT_UNREADABLE;
    return run->args->fail && run->counts.failed > 0 ? EXIT_GATE : EXIT_DONE;
}

/* Sends and stores; what is printed about it comes from the trace afterwards. */
static int send_and_store(struct run *run)
{
    np_error err = {0};
    const struct sender_options options = sender_options(run, run->context);
    run->sender = sender_start(&options);
    if (!run->sender)
        return message_failure(
            run->call, &(np_error){.status = NP_E_NO_MEMORY, .text = "no memory to send requests"});

    np_status status = drive(run, &err);
    /* What closing says is the later word: where a deleted trace was kept. */
    const np_status finished = finish(run, exit_status_of(run), &err);
    if (status || finished) {
        message_error(run->call, "%s", err.text);
        run->is_elsewhere = err.code == ESTALE; /* the line above says where */
        if (!run->is_elsewhere)
            message_hint(run->call, "what was stored before is in %s", run->path);
        return exit_of(status ? status : finished);
    }
    return EXIT_DONE;
}

static int check_output(const struct run *run)
{
    if (strcmp(run->path, "-") != 0)
        return EXIT_DONE;
    return message_usage(run->call, "a trace cannot be written to standard output; name a file");
}

static int check_progress_fd(const struct run *run)
{
    const int fd = (int)run->args->progress_fd;
    if (fd < 0 || fcntl(fd, F_GETFD) >= 0)
        return EXIT_DONE;
    return message_usage(
        run->call,
        "descriptor %d of --progress-fd is not open; expected one that the caller opened", fd);
}

static bool is_method(const struct run *run, const char *method)
{
    return strcasecmp(method_of(run), method) == 0;
}

/* Whether what was typed makes one request. */
static int check_body(const struct run *run)
{
    const struct record_args *args = run->args;
    const struct body *body = &run->body;
    const bool is_chunked = args->chunked || run->fields.is_chunked || body->length < 0;
    if (body->kind == BODY_NONE) {
        if (args->chunked || run->fields.is_chunked)
            return message_usage(run->call,
                                 "nothing to send in chunks, expected --data or --upload");
        return EXIT_DONE;
    }
    if (is_method(run, "GET") || is_method(run, "HEAD") || is_method(run, "CONNECT"))
        return message_usage(run->call,
                             "a %s has no body, expected another --method or no --data and "
                             "--upload",
                             method_of(run));
    if (is_chunked && args->version == 10)
        return message_usage(run->call, "HTTP/1.0 has no chunks, expected a body whose length is "
                                        "known and no --chunked");
    if (body->kind == BODY_STREAM &&
        (run->urls.count > 1 || args->requests > 1 || args->duration_ns > 0))
        return message_usage(run->call, "%s can be sent once, expected one URL and one request",
                             body->name);
    return EXIT_DONE;
}

static struct body_options body_options(const struct run *run)
{
    return (struct body_options){.data = &run->args->data, .upload = run->args->upload};
}

/* Standard input can be read for one thing. */
static int check_input(const struct run *run)
{
    const struct body_options body = body_options(run);
    bool reads_urls = run->args->urls_file && strcmp(run->args->urls_file, "-") == 0;
    for (int i = 0; i < run->call->operand_count; i++)
        reads_urls |= strcmp(run->call->operands[i], "-") == 0;
    if (reads_urls && body_reads_input(&body))
        return message_usage(run->call, "standard input is read for URLs already, expected the "
                                        "body from elsewhere");
    return EXIT_DONE;
}

/* Out of what `ps` shows, as curl does; the words lie in the memory that the system gave us. */
static void hide(const char *word)
{
    if (word)
        memset((char *)(uintptr_t)word, '*', strlen(word));
}

/* What a request is made of: who asks, header fields, body. */
static int take_request(struct run *run)
{
    const struct record_args *args = run->args;
    const struct body_options body = body_options(run);
    int exit_status = url_list_take_logins(&run->urls, run->call, args->login);
    hide(args->login);
    if (!exit_status)
        exit_status =
            field_options_take(&run->fields, run->call, &args->headers, args->data.count > 0);
    if (!exit_status)
        exit_status = body_take(&run->body, run->call, &body);
    if (!exit_status)
        exit_status = check_body(run);
    for (size_t i = 0; !exit_status && i < run->urls.count; i++) {
        char *url = body_url(&run->body, run->urls.urls[i]);
        free(run->urls.urls[i]);
        run->urls.urls[i] = url;
    }
    return exit_status;
}

static int check_redact(const struct run *run)
{
    const struct option_list *names = &run->args->redact;
    for (size_t i = 0; i < names->count; i++)
        if (!names->items[i][0] || strpbrk(names->items[i], ":=&"))
            return message_usage(run->call,
                                 "found --redact '%s', expected the name of a header field or a "
                                 "query parameter",
                                 names->items[i]);
    return EXIT_DONE;
}

static int record(struct run *run)
{
    np_error err = {0};
    int exit_status = check_redact(run);
    if (!exit_status)
        exit_status = check_input(run);
    if (!exit_status)
        exit_status = url_list_take(&run->urls, run->call, run->args->urls_file);
    if (!exit_status)
        exit_status = take_request(run);
    if (!exit_status)
        exit_status = check_output(run);
    if (!exit_status)
        exit_status = check_progress_fd(run);
    take_connect_to(run);
    if (!exit_status)
        exit_status = check_requests(run);
    if (exit_status)
        return exit_status;

    if (open_trace(run, &err) || open_context(run, run->trace, &run->context, &err) ||
        open_follower(run, &err))
        return message_failure(run->call, &err);
    exit_status = send_and_store(run);
    if (exit_status == EXIT_UNREADABLE)
        return exit_status;
    if (run->counts.body_error)
        message_error(run->call, "%s cannot be read: %s", run->body.name,
                      run->counts.body_error == ENODATA ? "it has become shorter while it was sent"
                                                        : strerror(run->counts.body_error));
    if (interrupted && !exit_status)
        message_note(run->call, "interrupted: what was sent until then is in the trace");

    if (run->is_elsewhere)
        return exit_status;
    const int printed =
        summary_print(run->call, run->path, run->run_id, &run->counts, run->args->fail);
    if (exit_status)
        return exit_status;
    return exit_status_of(run) ? exit_status_of(run) : printed;
}

static int record_run(struct call *call)
{
    const struct record_args *args = call->args;
    struct run run = {
        .call = call, .args = args, .path = trace_path_or(args->output), .body.fd = -1};
    catch_signals();
    const int exit_status = record(&run);
    run_done(&run);
    return exit_status;
}

const struct verb verb_record = {
    .name = "record",
    .summary = "sends requests and traces them",
    .operands = "URL…",
    .description = "Sends requests to each URL in turn and records where their time went; - reads "
                   "URLs from standard input. Writing "
                   "to a trace that is there appends a new run. "
                   "Redirects are not followed without -L: a 3xx is the final status.",
    .examples = "netphase record https://example.org/\tone request\n"
                "netphase record -n 200 -c 8 https://example.org/\t200 requests, 8 at once\n"
                "netphase record -n 20 --cold https://example.org/\tevery one with its own lookup "
                "and handshake\n"
                "netphase record -D 30s --rate 50 https://example.org/\tan open loop\n"
                "netphase record -d name=value https://example.org/form\ta form\n"
                "netphase record -T big.iso https://example.org/upload/\ta file, in constant "
                "memory\n",
    .options = option_table,
    .args_size = sizeof(struct record_args),
    .defaults = &defaults,
    .operands_most = -1,
    .run = record_run,
};
