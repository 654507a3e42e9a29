/*
 * Bodies of gigabytes in constant memory, and who was slow: the network or the program. One case a
 * line; the memory is what the process itself has (RssAnon), looked at all the time.
 *
 *   large_bodies [GIBIBYTES]
 */
#include "clock.h"
#include "nginx.h"
#include "testdir.h"

#include <fcntl.h>
#include <netphase/netphase.h>
#include <stdbool.h>
#include <time.h>

enum { PIECE = 64 * 1024, MEMORY_LIMIT_KB = 40 * 1024 };

static uint64_t body_bytes;
static np_testdir folder;

struct found {
    int64_t receive_ns, application_ns, total_ns;
    uint64_t bytes;
    long memory_kb; /* the most there was */
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
static void look_at(uint64_t piece_ns)
{
    struct timespec left = {(time_t)(piece_ns / NP_NS_PER_S), (long)(piece_ns % NP_NS_PER_S)};
    if (piece_ns)
        nanosleep(&left, NULL);
}

static void read_all(np_stream *stream, uint64_t piece_ns, struct found *found)
{
    static char bytes[PIECE];
    size_t got = 1;
    np_error err = {0};
    for (unsigned i = 0; got > 0; i++) {
        check(np_stream_read(stream, bytes, sizeof bytes, &got, &err) == NP_OK, err.text);
        found->bytes += got;
        look_at(piece_ns);
        if (i % 256 == 0) {
            const long kb = memory_now_kb();
            found->memory_kb = kb > found->memory_kb ? kb : found->memory_kb;
        }
    }
}

static void read_row(const char *path, struct found *found)
{
    np_store *store;
    np_page *page;
    np_page_query query = NP_PAGE_QUERY_INIT;
    np_error err = {0};
    check(np_store_open(path, NULL, &store, &err) == NP_OK, err.text);
    check(np_store_page(store, &query, &page, &err) == NP_OK && page->count == 1, "one row");
    found->receive_ns = page->rows[0].phase_ns[NP_PHASE_RECEIVE];
    found->application_ns = page->rows[0].receive_application_ns;
    found->total_ns = page->rows[0].total_ns;
    check(page->rows[0].received_bytes == (int64_t)body_bytes, "the row knows the body's length");
    np_page_free(page);
    np_store_close(store);
}

static struct found download(const char *url, const char *ca_file, uint64_t piece_ns)
{
    static unsigned number;
    char name[32];
    struct found found = {0};
    np_trace *trace;
    np_context *context;
    np_request *request;
    np_response *response;
    np_stream *stream;
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    snprintf(name, sizeof name, "%u.db", number++);
    const char *path = testdir_path(&folder, name);
    check(np_trace_open(path, NULL, &trace, &err) == NP_OK, err.text);
    options.trace = trace;
    options.ca_file = ca_file;
    check(np_context_create(&options, &context, &err) == NP_OK, err.text);
    check(np_request_create(context, url, &request, &err) == NP_OK, err.text);
    check(np_request_get_response(request, &response, &err) == NP_OK, err.text);
    check(np_response_stream(response, &stream, &err) == NP_OK, err.text);
    read_all(stream, piece_ns, &found);
    np_stream_release(stream);
    np_response_release(response);
    np_request_release(request);
    np_context_free(context);
    check(np_trace_close(trace, 0, &err) == NP_OK, err.text);
    read_row(path, &found);
    return found;
}

static double seconds(int64_t ns)
{
    return (double)ns / (double)NP_NS_PER_S;
}

static struct found show(const char *what, struct found found)
{
    printf("%-28s %6.0f MiB in %6.2f s: receive %6.2f s, of it %6.2f s waiting for the program; "
           "memory %ld kB\n",
           what, (double)found.bytes / (1 << 20), seconds(found.total_ns),
           seconds(found.receive_ns), seconds(found.application_ns), found.memory_kb);
    fflush(stdout);
    check(found.bytes == body_bytes, "the body came whole");
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

static void run_downloads(const struct nginx *nginx)
{
    char plain[64], tls[64], paced[64];
    snprintf(plain, sizeof plain, "http://127.0.0.1:%u/large", nginx->http_port);
    snprintf(tls, sizeof tls, "https://127.0.0.1:%u/large", nginx->https_port);
    snprintf(paced, sizeof paced, "http://127.0.0.1:%u/paced/large", nginx->http_port);

    (void)download(plain, NULL, 0); /* the file is in memory from here on */
    const struct found fast = show("down, nobody slow", download(plain, NULL, 0));
    show("down over TLS, nobody slow", download(tls, nginx->ca_file, 0));

    /* As long again as the fast one took, spread over the pieces. */
    const uint64_t pause_ns = (uint64_t)fast.total_ns * PIECE / body_bytes + 100 * NP_NS_PER_US;
    const struct found slow_program = show("down, slow program", download(plain, NULL, pause_ns));
    check(slow_program.application_ns > slow_program.receive_ns / 2,
          "a slow program's time is the application's");

    const struct found slow_server = show("down, slow server", download(paced, NULL, 0));
    check(slow_server.application_ns < slow_server.receive_ns / 10,
          "a slow server's time is not the application's");
}

int main(int count, char **arguments)
{
    struct nginx nginx;
    char locations[256];
    body_bytes = (uint64_t)(count > 1 ? atoi(arguments[1]) : 2) << 30;
    snprintf(locations, sizeof locations, "location /paced/ { alias www/; limit_rate %llu; }",
             (unsigned long long)(body_bytes / 10)); /* bytes a second */
    if (!nginx_start(&nginx, &(struct nginx_options){.locations = locations})) {
        printf("SKIPPED: %s\n", nginx.why);
        return 77;
    }
    testdir_make(&folder);
    check(make_large_file(&nginx), "no large file");
    run_downloads(&nginx);
    nginx_stop(&nginx);
    testdir_remove(&folder);
    return 0;
}
