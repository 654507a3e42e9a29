/*
 * Bodies of gigabytes in constant memory, and who was slow: the network or the program. One case a
 * line; the memory is what the process itself has (RssAnon), looked at all the time.
 *
 *   large_bodies [GIBIBYTES]
 */
#include "clock.h"
#include "nginx.h"
#include "scripted_server.h"
#include "testdir.h"

#include <fcntl.h>
#include <netphase/netphase.h>
#include <stdbool.h>
#include <time.h>

enum { PIECE = 64 * 1024, MEMORY_LIMIT_KB = 40 * 1024, SLEEP_MS = 5000 };

static uint64_t body_bytes;
static np_testdir folder;

/* One request. */
struct wanted {
    const char *url, *ca_file;
    int version;       /* 0: HTTP/1.1 */
    bool up;           /* a PUT of body_bytes; otherwise a GET of as many */
    uint64_t pause_ns; /* of the program, after each piece */
};

struct found {
    int64_t phase_ns, application_ns, total_ns; /* the phase: send or receive */
    uint64_t bytes;
    long memory_kb; /* the most there was */
    int protocol;
};

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "large_bodies: %s\n", what);
    exit(1);
}

static long memory_now_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "RssAnon: %ld", &kb) == 1)
            break;
    if (in)
        fclose(in);
    return kb;
}

/* --- one case --- */

/* The program is slow: it looks at each piece for so long. */
static void sleep_for(uint64_t pause_ns)
{
    struct timespec left = {(time_t)(pause_ns / NP_NS_PER_S), (long)(pause_ns % NP_NS_PER_S)};
    if (pause_ns)
        nanosleep(&left, NULL);
}

static void watch_memory(struct found *found)
{
    static unsigned calls;
    if (calls++ % 256)
        return;
    const long kb = memory_now_kb();
    found->memory_kb = kb > found->memory_kb ? kb : found->memory_kb;
}

static void read_all(np_stream *stream, const struct wanted *wanted, struct found *found)
{
    static char bytes[PIECE];
    size_t got = 1;
    np_error err = {0};
    while (got > 0) {
        check(np_stream_read(stream, bytes, sizeof bytes, &got, &err) == NP_OK, err.text);
        found->bytes += wanted->up ? 0 : got;
        sleep_for(wanted->up ? 0 : wanted->pause_ns);
        watch_memory(found);
    }
}

static void write_all(np_request *request, const struct wanted *wanted, struct found *found)
{
    static const char bytes[PIECE];
    np_stream *stream;
    np_error err = {0};
    check(np_request_set_method(request, "PUT", &err) == NP_OK, err.text);
    check(np_request_set_content_length(request, (int64_t)body_bytes, &err) == NP_OK, err.text);
    check(np_request_set_allow_write_stream_buffering(request, false, &err) == NP_OK, err.text);
    check(np_request_set_expect_continue(request, false, &err) == NP_OK, err.text);
    check(np_request_get_request_stream(request, &stream, &err) == NP_OK, err.text);
    while (found->bytes < body_bytes) {
        check(np_stream_write(stream, bytes, sizeof bytes, &err) == NP_OK, err.text);
        found->bytes += sizeof bytes;
        sleep_for(wanted->pause_ns);
        watch_memory(found);
    }
    check(np_stream_close(stream, &err) == NP_OK, err.text);
    np_stream_release(stream);
}

static void read_row(const char *path, const struct wanted *wanted, struct found *found)
{
    np_store *store;
    np_page *page;
    np_page_query query = NP_PAGE_QUERY_INIT;
    np_error err = {0};
    check(np_store_open(path, NULL, &store, &err) == NP_OK, err.text);
    check(np_store_page(store, &query, &page, &err) == NP_OK && page->count == 1, "one row");
    const np_row *row = &page->rows[0];
    found->phase_ns = row->phase_ns[wanted->up ? NP_PHASE_SEND : NP_PHASE_RECEIVE];
    found->application_ns = wanted->up ? row->send_application_ns : row->receive_application_ns;
    found->total_ns = row->total_ns;
    check((wanted->up ? row->sent_bytes : row->received_bytes) == (int64_t)body_bytes,
          "the row knows the body's length");
    np_page_free(page);
    np_store_close(store);
}

static void run_request(np_context *context, const struct wanted *wanted, struct found *found)
{
    np_request *request;
    np_response *response;
    np_stream *stream;
    np_error err = {0};
    check(np_request_create(context, wanted->url, &request, &err) == NP_OK, err.text);
    check(np_request_set_timeout(request, -1, &err) == NP_OK, err.text);
    if (wanted->version)
        check(np_request_set_protocol_version(request, wanted->version, &err) == NP_OK, err.text);
    if (wanted->up)
        write_all(request, wanted, found);
    check(np_request_get_response(request, &response, &err) == NP_OK, err.text);
    found->protocol = np_response_protocol(response);
    check(np_response_stream(response, &stream, &err) == NP_OK, err.text);
    read_all(stream, wanted, found);
    np_stream_release(stream);
    np_response_release(response);
    np_request_release(request);
}

static struct found run(const struct wanted *wanted)
{
    static unsigned number;
    char name[32];
    struct found found = {0};
    np_trace *trace;
    np_context *context;
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    snprintf(name, sizeof name, "%u.db", number++);
    const char *path = testdir_path(&folder, name);
    check(np_trace_open(path, NULL, &trace, &err) == NP_OK, err.text);
    options.trace = trace;
    options.ca_file = wanted->ca_file;
    check(np_context_create(&options, &context, &err) == NP_OK, err.text);
    run_request(context, wanted, &found);
    np_context_free(context);
    check(np_trace_close(trace, 0, &err) == NP_OK, err.text);
    read_row(path, wanted, &found);
    check(found.protocol == (wanted->version ? wanted->version : 11),
          "the protocol is that asked for");
    return found;
}

static double seconds(int64_t ns)
{
    return (double)ns / (double)NP_NS_PER_S;
}

static struct found show(const char *what, const struct wanted *wanted)
{
    const struct found found = run(wanted);
    printf("%-26s %5.0f MiB in %6.2f s: %s %6.2f s, of it %6.2f s the program's; memory %ld kB\n",
           what, (double)found.bytes / (1 << 20), seconds(found.total_ns),
           wanted->up ? "send   " : "receive", seconds(found.phase_ns),
           seconds(found.application_ns), found.memory_kb);
    fflush(stdout);
    check(found.bytes == body_bytes, "the body went whole");
    check(found.memory_kb < MEMORY_LIMIT_KB, "memory is constant");
    return found;
}

/* --- all of them --- */

static bool make_large_file(const struct nginx *nginx)
{
    char path[256];
    snprintf(path, sizeof path, "%s/www/large", nginx->folder);
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    const bool made = fd >= 0 && ftruncate(fd, (off_t)body_bytes) == 0; /* holes take no room */
    close(fd);
    return made;
}

static void program_was_slow(const struct found *found)
{
    check(found->application_ns > found->phase_ns / 2, "a slow program's time is the program's");
}

/* What the server slept is the network's. */
static void server_was_slow(const struct found *found)
{
    check(found->application_ns < found->phase_ns - (int64_t)SLEEP_MS * NP_NS_PER_MS * 9 / 10,
          "a slow server's time is not the program's");
}

/* Twice as long again as one without pauses took, spread over the pieces. */
static uint64_t pause_for(const struct found *fast)
{
    return 2 * (uint64_t)fast->total_ns * PIECE / body_bytes;
}

static void run_downloads(const struct nginx *nginx, uint16_t sleeper)
{
    char plain[64], tls[64], h2[64], slow[64];
    snprintf(plain, sizeof plain, "http://127.0.0.1:%u/large", nginx->http_port);
    snprintf(tls, sizeof tls, "https://127.0.0.1:%u/large", nginx->https_port);
    snprintf(h2, sizeof h2, "https://127.0.0.1:%u/large", nginx->h2_port);
    snprintf(slow, sizeof slow, "http://127.0.0.1:%u/", sleeper);
    const char *ca = nginx->ca_file;

    (void)run(&(struct wanted){.url = plain}); /* the file is in memory from here on */
    const struct found fast = show("down", &(struct wanted){.url = plain});
    show("down, TLS", &(struct wanted){.url = tls, .ca_file = ca});
    const struct found h2_fast =
        show("down, h2", &(struct wanted){.url = h2, .ca_file = ca, .version = 20});
    struct found found =
        show("down, slow program", &(struct wanted){.url = plain, .pause_ns = pause_for(&fast)});
    program_was_slow(&found);
    found = show(
        "down, h2, slow program",
        &(struct wanted){.url = h2, .ca_file = ca, .version = 20, .pause_ns = pause_for(&h2_fast)});
    program_was_slow(&found);
    found = show("down, slow server", &(struct wanted){.url = slow});
    server_was_slow(&found);
}

static void run_uploads(const struct nginx *nginx, uint16_t sink, uint16_t sleeper)
{
    char plain[64], h2[64], slow[64];
    snprintf(plain, sizeof plain, "http://127.0.0.1:%u/", sink);
    snprintf(h2, sizeof h2, "https://127.0.0.1:%u/sink/", nginx->h2_port);
    snprintf(slow, sizeof slow, "http://127.0.0.1:%u/", sleeper);
    const char *ca = nginx->ca_file;

    const struct found fast = show("up", &(struct wanted){.url = plain, .up = true});
    const struct found h2_fast =
        show("up, h2", &(struct wanted){.url = h2, .ca_file = ca, .version = 20, .up = true});
    struct found found =
        show("up, slow program",
             &(struct wanted){.url = plain, .up = true, .pause_ns = pause_for(&fast)});
    program_was_slow(&found);
    found = show(
        "up, h2, slow program",
        &(struct wanted){
            .url = h2, .ca_file = ca, .version = 20, .up = true, .pause_ns = pause_for(&h2_fast)});
    program_was_slow(&found);
    found = show("up, slow server", &(struct wanted){.url = slow, .up = true});
    server_was_slow(&found);
}

static struct scripted_server *start(const char *script)
{
    char why[200];
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    check(server != NULL, why);
    return server;
}

/* A server that takes a body of body_bytes, after a while. */
static struct scripted_server *start_sink(unsigned sleep_ms)
{
    char script[256];
    snprintf(
        script, sizeof script,
        "head; sleep %u; body %llu; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n\"; "
        "again",
        sleep_ms, (unsigned long long)body_bytes);
    return start(script);
}

/* A server that gives one, after a while. */
static struct scripted_server *start_source(unsigned sleep_ms)
{
    static char script[PIECE + 256];
    const int length = snprintf(
        script, sizeof script,
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: %llu\\r\\n\\r\\n\"; sleep %u; "
        "repeat %llu \"",
        (unsigned long long)body_bytes, sleep_ms, (unsigned long long)(body_bytes / PIECE));
    memset(script + length, 'x', PIECE);
    memcpy(script + length + PIECE, "\"", 2);
    return start(script);
}

int main(int count, char **arguments)
{
    struct nginx nginx;
    char locations[400];
    body_bytes = (uint64_t)(count > 1 ? atoi(arguments[1]) : 2) << 30;
    struct scripted_server *sink = start_sink(0);
    struct scripted_server *sleeper = start_sink(SLEEP_MS);
    struct scripted_server *source = start_source(SLEEP_MS);
    snprintf(locations, sizeof locations,
             "client_max_body_size 0; location /sink/ { proxy_pass http://127.0.0.1:%u/;"
             " proxy_request_buffering off; proxy_http_version 1.1; }",
             scripted_server_port(sink));
    if (!nginx_start(&nginx, &(struct nginx_options){.locations = locations})) {
        printf("SKIPPED: %s\n", nginx.why);
        return 77;
    }
    testdir_make(&folder);
    check(make_large_file(&nginx), "no large file");
    run_downloads(&nginx, scripted_server_port(source));
    run_uploads(&nginx, scripted_server_port(sink), scripted_server_port(sleeper));
    nginx_stop(&nginx);
    scripted_server_stop(sink);
    scripted_server_stop(sleeper);
    scripted_server_stop(source);
    testdir_remove(&folder);
    return 0;
}
