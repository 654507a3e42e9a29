/*
 * netphase record: sends requests and traces them.
 *
 * The verb reads its options into one structure, turns them into a trace, a context and a sender,
 * drives the sender in steps of a tick, and sums up from the trace itself: what is printed at the
 * end is what is in the file.
 */
#include "verb_record.h"
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
    int reuse; /* np_reuse */
    const char *method;
    struct option_list headers;
    const char *ca_file;
    bool insecure;
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
    .method = "GET",
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
     .help = "method to send, without a body", .fallback = "GET", OPTION_FIELD(struct record_args, method)},
    {.name = "header",      .letter = 'H', .type = OPTION_LIST, .argument = "'NAME: VALUE'",
     .help = "a header field; repeatable", OPTION_FIELD(struct record_args, headers)},
    {.name = "location",    .letter = 'L', .type = OPTION_FLAG,
     .help = "follow redirects; each hop is a row of its own", OPTION_FIELD(struct record_args, follow)},
    {.name = "timeout",     .type = OPTION_DURATION, .argument = "TIME", .low = 1000000, .high = DURATION_MOST_NS,
     .help = "limit of a whole request", .fallback = "100s", OPTION_FIELD(struct record_args, timeout_ns)},

    {.section = "The way there"},
    {.name = "cacert",      .type = OPTION_TEXT, .argument = "FILE",
     .help = "certificate authorities to trust, PEM", .fallback = "$CURL_CA_BUNDLE, $SSL_CERT_FILE, the system's", OPTION_FIELD(struct record_args, ca_file)},
    {.name = "insecure",    .letter = 'k', .type = OPTION_FLAG,
     .help = "take any certificate", OPTION_FIELD(struct record_args, insecure)},
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
    struct sender_header *headers;
    char *texts; /* the copies that headers point into */
    const char **connect_to;
    size_t connect_to_count;
    char *connect_to_text;
    np_trace *trace;
    np_context *context;
    struct sender *sender;
    struct follower *follower;
    struct progress progress;
    int64_t run_id;
    struct sender_counts counts;
};

/* "Name: value" into its two parts, in place. False: there is no name. */
static bool split_header(char *text, struct sender_header *header)
{
    char *colon = strchr(text, ':');
    if (!colon || colon == text)
        return false;
    *colon = '\0';
    header->name = text;
    header->value = colon[1] ? colon + 1 + strspn(colon + 1, " \t") : NULL;
    return true;
}

static int take_headers(struct run *run)
{
    const struct option_list *list = &run->args->headers;
    size_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += strlen(list->items[i]) + 1;
    run->headers = xcalloc(list->count + 1, sizeof *run->headers);
    run->texts = xcalloc(bytes + 1, 1);
    char *at = run->texts;
    for (size_t i = 0; i < list->count; i++) {
        const size_t length = strlen(list->items[i]) + 1;
        memcpy(at, list->items[i], length);
        if (!split_header(at, &run->headers[i]))
            return message_usage(run->call, "found --header '%s', expected 'NAME: VALUE'",
                                 list->items[i]);
        at += length;
    }
    return EXIT_DONE;
}

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

static struct sender_options sender_options(const struct run *run, np_context *context)
{
    const struct record_args *args = run->args;
    return (struct sender_options){
        .context = context,
        .urls = (const char *const *)run->urls.urls,
        .method = args->method,
        .headers = run->headers,
        .header_count = args->headers.count,
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
        .expected =
            args->duration_ns > 0 ? 0 : (uint64_t)args->requests * run->urls.count,
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
    np_error close_error = {0};
    sender_free(run->sender);
    run->sender = NULL;
    np_context_free(run->context);
    run->context = NULL;
    const np_status flushed = np_trace_flush(run->trace, &close_error);
    if (!flushed)
        step_follower(run);
    const np_status closed = np_trace_close(run->trace, exit_status, flushed ? NULL : &close_error);
    run->trace = NULL;
    if (flushed || closed)
        *err = close_error;
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
    free(run->headers);
    free(run->texts);
    url_list_done(&run->urls);
}

static int exit_status_of(const struct run *run)
{
    if (interrupted)
        return EXIT_INTERRUPTED;
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
    const np_status finished = finish(run, exit_status_of(run), status ? &(np_error){0} : &err);
    if (status || finished) {
        message_error(run->call, "%s", err.text);
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
        exit_status = url_list_take(&run->urls, run->call, run->args->urls_file);
    if (!exit_status)
        exit_status = take_headers(run);
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
    if (interrupted && !exit_status)
        message_note(run->call, "interrupted: what was sent until then is in the trace");

    const int printed =
        summary_print(run->call, run->path, run->run_id, &run->counts, run->args->fail);
    if (exit_status)
        return exit_status;
    return exit_status_of(run) ? exit_status_of(run) : printed;
}

static int record_run(struct call *call)
{
    const struct record_args *args = call->args;
    struct run run = {.call = call, .args = args, .path = trace_path_or(args->output)};
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
                   "Redirects are not followed: a 3xx is the final status.",
    .examples = "netphase record https://example.org/\tone request\n"
                "netphase record -n 200 -c 8 https://example.org/\t200 requests, 8 at once\n"
                "netphase record -n 20 --cold https://example.org/\tevery one with its own lookup "
                "and handshake\n"
                "netphase record -D 30s --rate 50 https://example.org/\tan open loop\n",
    .options = option_table,
    .args_size = sizeof(struct record_args),
    .defaults = &defaults,
    .operands_most = -1,
    .run = record_run,
};
