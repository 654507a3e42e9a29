/*
 * Bodies of gigabytes in constant memory, and who was slow: the network or the program. One case a
 * line of a table; the memory is what the process itself has (RssAnon), looked at all the time.
 *
 * Who was slow is slow on purpose, in a few long pauses whose length is known: a busy machine makes
 * everything slower, but it does not turn seconds of one into seconds of the other. What is judged
 * is that at least half of a pause is told as whose it was.
 *
 *   large_bodies [MEBIBYTES [WORDS]]     only the cases whose name has these words
 */
#include "clock.h"
#include "nginx.h"
#include "scripted_server.h"
#include "testdir.h"

#include <fcntl.h>
#include <netphase/netphase.h>
#include <stdbool.h>
#include <time.h>

enum { PIECE = 64 * 1024, MEMORY_LIMIT_KB = 40 * 1024 };
enum { PAUSES = 4, PAUSE_MS = 1000 }; /* of the program */
enum { SERVER_SLEEP_MS = PAUSES * PAUSE_MS, LONG_CALL_MS = 50 };

static uint64_t body_bytes;
static const char *only = "";
static np_testdir folder;

/* One request. */
struct wanted {
    const char *url, *ca_file;
    int version; /* 0: HTTP/1.1 */
    bool up;     /* a PUT of body_bytes; otherwise a GET of as many */
    bool pauses; /* the program looks at something else, PAUSES times on the way */
};

struct found {
    int64_t phase_ns, application_ns, total_ns; /* the phase: send or receive */
    int64_t paused_ns;                          /* what the program's pauses really took */
    int64_t waited_ns; /* in long calls into the library: for the network, not for the program */
    uint64_t bytes;
    long memory_kb; /* the most there was */
    unsigned pauses;
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

/* One of the program's pauses, spread evenly over the body. */
static void pause_at(uint64_t bytes, const struct wanted *wanted, struct found *found)
{
    const uint64_t part = body_bytes / (PAUSES + 1);
    const struct timespec pause = {PAUSE_MS / 1000, PAUSE_MS % 1000 * (long)NP_NS_PER_MS};
    if (!wanted->pauses || found->pauses == PAUSES || bytes < part * (found->pauses + 1))
        return;
    const uint64_t before_ns = np_now();
    nanosleep(&pause, NULL);
    found->paused_ns += (int64_t)(np_now() - before_ns);
    found->pauses++;
}

static void watch_memory(struct found *found)
{
    static unsigned calls;
    if (calls++ % 256)
        return;
    const long kb = memory_now_kb();
    found->memory_kb = kb > found->memory_kb ? kb : found->memory_kb;
}

static void note_call(uint64_t began_ns, struct found *found)
{
    const int64_t took_ns = (int64_t)(np_now() - began_ns);
    found->waited_ns += took_ns >= LONG_CALL_MS * NP_NS_PER_MS ? took_ns : 0;
}

static void read_all(np_stream *stream, const struct wanted *wanted, struct found *found)
{
    static char bytes[PIECE];
    size_t got = 1;
    np_error err = {0};
    while (got > 0) {
        const uint64_t began_ns = np_now();
        check(np_stream_read(stream, bytes, sizeof bytes, &got, &err) == NP_OK, err.text);
        note_call(began_ns, found);
        found->bytes += wanted->up ? 0 : got;
        if (!wanted->up)
            pause_at(found->bytes, wanted, found);
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
        const uint64_t began_ns = np_now();
        check(np_stream_write(stream, bytes, sizeof bytes, &err) == NP_OK, err.text);
        note_call(began_ns, found);
        found->bytes += sizeof bytes;
        pause_at(found->bytes, wanted, found);
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

static void print_heading(void)
{
    printf("| %llu MiB | total s | phase s | the program's s | most memory kB |\n"
           "| --- | --- | --- | --- | --- |\n",
           (unsigned long long)(body_bytes >> 20));
}

/* false: nobody asked for it. */
static bool show(const char *what, const struct wanted *wanted, struct found *out)
{
    if (!strstr(what, only))
        return false;
    const struct found found = run(wanted);
    printf("| %s | %.2f | %.2f | %.2f | %ld |\n", what, seconds(found.total_ns),
           seconds(found.phase_ns), seconds(found.application_ns), found.memory_kb);
    fflush(stdout);
    check(found.bytes == body_bytes, "the body went whole");
    check(found.memory_kb < MEMORY_LIMIT_KB, "memory is constant");
    *out = found;
    return true;
}

static void show_fast(const char *what, const struct wanted *wanted)
{
    struct found found;
    (void)show(what, wanted, &found);
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

static void show_slow_program(const char *what, struct wanted wanted)
{
    wanted.pauses = true;
    struct found found;
    if (!show(what, &wanted, &found))
        return;
    check(found.pauses == PAUSES, "the program paused");
    check(found.application_ns > found.paused_ns / 2, "a slow program's time is the program's");
}

/* What the server slept is the network's: the program waited for it in calls that took long. */
static void show_slow_server(const char *what, const struct wanted *wanted)
{
    struct found found;
    if (!show(what, wanted, &found))
        return;
    check(found.waited_ns > (int64_t)SERVER_SLEEP_MS * NP_NS_PER_MS / 2,
          "the program waited for the server");
    check(found.application_ns < found.total_ns - found.waited_ns / 2,
          "a slow server's time is not the program's");
}

struct urls {
    char plain[64], tls[64], h2[64], slow[64], h2_slow[64];
    const char *ca_file;
};

static void run_downloads(const struct urls *urls)
{
    const struct wanted plain = {.url = urls->plain};
    const struct wanted h2 = {.url = urls->h2, .ca_file = urls->ca_file, .version = 20};
    const struct wanted h2_slow = {.url = urls->h2_slow, .ca_file = urls->ca_file, .version = 20};
    (void)run(&plain); /* the file is in memory from here on */
    show_fast("down, HTTP/1.1", &plain);
    show_fast("down, HTTP/1.1 and TLS",
              &(struct wanted){.url = urls->tls, .ca_file = urls->ca_file});
    show_fast("down, HTTP/2", &h2);
    show_slow_program("down, HTTP/1.1, slow program", plain);
    show_slow_program("down, HTTP/2, slow program", h2);
    show_slow_server("down, HTTP/1.1, slow server", &(struct wanted){.url = urls->slow});
    show_slow_server("down, HTTP/2, slow server", &h2_slow);
}

static void run_uploads(const struct urls *urls)
{
    const struct wanted plain = {.url = urls->plain, .up = true};
    const struct wanted h2 = {.url = urls->h2, .ca_file = urls->ca_file, .version = 20, .up = true};
    const struct wanted h2_slow = {
        .url = urls->h2_slow, .ca_file = urls->ca_file, .version = 20, .up = true};
    show_fast("up, HTTP/1.1", &plain);
    show_fast("up, HTTP/2", &h2);
    show_slow_program("up, HTTP/1.1, slow program", plain);
    show_slow_program("up, HTTP/2, slow program", h2);
    show_slow_server("up, HTTP/1.1, slow server", &(struct wanted){.url = urls->slow, .up = true});
    show_slow_server("up, HTTP/2, slow server", &h2_slow);
}

static struct scripted_server *start(const char *script)
{
    char why[200];
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    check(server != NULL, why);
    return server;
}

/* A server that takes half of a body of body_bytes, and the rest after a while. */
static struct scripted_server *start_sink(unsigned sleep_ms)
{
    char script[256];
    snprintf(script, sizeof script,
             "head; body %llu; sleep %u; body %llu; send \"HTTP/1.1 200 OK\\r\\nContent-Length: "
             "0\\r\\n\\r\\n\"; "
             "again",
             (unsigned long long)body_bytes / 2, sleep_ms, (unsigned long long)body_bytes / 2);
    return start(script);
}

/* A server that gives one, the first piece at once and the others after a while. */
static struct scripted_server *start_source(unsigned sleep_ms)
{
    static char script[PIECE + 256];
    const int length =
        snprintf(script, sizeof script,
                 "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: %llu\\r\\n\\r\\n\"; "
                 "repeat %d \"x\"; sleep %u; repeat %llu \"",
                 (unsigned long long)body_bytes, PIECE, sleep_ms,
                 (unsigned long long)(body_bytes / PIECE - 1));
    memset(script + length, 'x', PIECE);
    memcpy(script + length + PIECE, "\"", 2);
    return start(script);
}

static void name_urls(const struct nginx *nginx, uint16_t plain, uint16_t slow, bool up,
                      struct urls *urls)
{
    const char *path = up ? "sink/" : "large";
    const char *slow_path = up ? "slow-sink/" : "slow-source/";
    snprintf(urls->plain, sizeof urls->plain, "http://127.0.0.1:%u/%s", plain, up ? "" : path);
    snprintf(urls->tls, sizeof urls->tls, "https://127.0.0.1:%u/%s", nginx->https_port, path);
    snprintf(urls->h2, sizeof urls->h2, "https://127.0.0.1:%u/%s", nginx->h2_port, path);
    snprintf(urls->slow, sizeof urls->slow, "http://127.0.0.1:%u/", slow);
    snprintf(urls->h2_slow, sizeof urls->h2_slow, "https://127.0.0.1:%u/%s", nginx->h2_port,
             slow_path);
    urls->ca_file = nginx->ca_file;
}

/* nginx speaks HTTP/2 for the scripted servers, and keeps nothing of a body. */
static void write_locations(char *out, size_t size, const uint16_t port[3])
{
    static const char *const names[] = {"sink", "slow-sink", "slow-source"};
    size_t length = (size_t)snprintf(out, size,
                                     "client_max_body_size 0; proxy_http_version 1.1;"
                                     " proxy_request_buffering off;"
                                     " proxy_buffering off;");
    for (int i = 0; i < 3; i++)
        length += (size_t)snprintf(out + length, size - length,
                                   " location /%s/ { proxy_pass http://127.0.0.1:%u/; }", names[i],
                                   port[i]);
}

int main(int count, char **arguments)
{
    struct nginx nginx;
    struct urls down, up;
    char locations[600];
    body_bytes = (uint64_t)(count > 1 ? atoi(arguments[1]) : 2048) << 20;
    only = count > 2 ? arguments[2] : only;
    struct scripted_server *sink = start_sink(0);
    struct scripted_server *sleeper = start_sink(SERVER_SLEEP_MS);
    struct scripted_server *source = start_source(SERVER_SLEEP_MS);
    const uint16_t ports[] = {scripted_server_port(sink), scripted_server_port(sleeper),
                              scripted_server_port(source)};
    write_locations(locations, sizeof locations, ports);
    if (!nginx_start(&nginx, &(struct nginx_options){.locations = locations})) {
        printf("SKIPPED: %s\n", nginx.why);
        return 77;
    }
    testdir_make(&folder);
    check(make_large_file(&nginx), "no large file");
    name_urls(&nginx, nginx.http_port, ports[2], false, &down);
    name_urls(&nginx, ports[0], ports[1], true, &up);
    print_heading();
    run_downloads(&down);
    run_uploads(&up);
    nginx_stop(&nginx);
    scripted_server_stop(sink);
    scripted_server_stop(sleeper);
    scripted_server_stop(source);
    testdir_remove(&folder);
    return 0;
}
