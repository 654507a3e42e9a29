/*
 * Requests that are aborted at every stage: in the queue, in the lookup, while they connect, in the
 * handshake, while they wait, in the body, and too late. Holds: each calls back once and is one row
 * of the trace; at the end no descriptor is open that was not open before. Under valgrind or a
 * sanitizer: no byte is lost.
 *
 *   stress_abort [REQUESTS [SEED]]
 */
#include "clock.h"
#include "dns_server.h"
#include "nginx.h"
#include "random.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "testdir.h"
#include "trace_query.h"

#include <dirent.h>
#include <netphase/netphase.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8, DEFAULT_REQUESTS = 2000, LONG_REQUESTS = 10000, LONGEST_LIFE_US = 3000 };

/* Where a request of this kind is when its time is over; those that get there are aborted there. */
enum stage {
    IN_LOOKUP,
    IN_CONNECT,
    IN_HANDSHAKE,
    IN_WAIT,
    IN_BODY,
    ANYWHERE,
    ANYWHERE_TLS,
    STAGES
};

static const char *const stage_names[STAGES] = {"lookup", "connect", "handshake", "wait",
                                                "body",   "any",     "any, TLS"};

static char urls[STAGES][96];
static np_context *context;
static uint32_t request_count;
static _Atomic uint32_t next_request, callbacks, accepted, done[STAGES];
static uint64_t seed;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_abort: %s (seed %llu)\n", what, (unsigned long long)seed);
    abort();
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    check(folder != NULL, "/proc/self/fd cannot be read");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* --- one request --- */

static void count_callback(np_async *async)
{
    (void)async;
    atomic_fetch_add(&callbacks, 1);
}

static void read_body(np_request *request, np_async *async)
{
    char bytes[512];
    size_t got = 1;
    np_response *response;
    np_stream *stream;
    if (np_request_end_get_response(request, async, &response, NULL) != NP_OK)
        return;
    if (np_response_stream(response, &stream, NULL) == NP_OK) {
        while (got > 0 && np_stream_read(stream, bytes, sizeof bytes, &got, NULL) == NP_OK) {
        }
        np_stream_release(stream);
    }
    np_response_release(response);
}

static void run_one(np_random *random)
{
    const int stage = (int)np_random_below(random, STAGES);
    const unsigned life_us = (unsigned)np_random_below(random, LONGEST_LIFE_US);
    const bool aborts = stage < ANYWHERE || np_random_below(random, 2);
    const bool abandons = np_random_below(random, 4) == 0; /* the release is the abort (AR-11) */
    np_request *request;
    np_async *async;
    np_error err = {0};
    check(np_request_create(context, urls[stage], &request, &err) == NP_OK, err.text);
    if (np_random_below(random, 3) == 0)
        (void)np_request_set_reuse(request, NP_REUSE_COLD, NULL);
    check(np_request_begin_get_response(request, count_callback, NULL, &async, &err) == NP_OK,
          err.text);
    atomic_fetch_add(&accepted, 1);
    if (aborts) {
        usleep(life_us);
        if (!abandons)
            np_request_abort(request);
    } else {
        read_body(request, async);
    }
    np_async_release(async);
    np_request_release(request);
    atomic_fetch_add(&done[stage], 1);
}

static void *run_many(void *argument)
{
    np_random random;
    np_random_seed(&random, seed + (uintptr_t)argument);
    while (atomic_fetch_add(&next_request, 1) < request_count)
        run_one(&random);
    return NULL;
}

/* --- all of them --- */

static void run_threads(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, run_many, (void *)(i + 1)) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void run_context(const char *path, const struct nginx *nginx, struct dns_server *dns)
{
    np_trace *trace;
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    check(np_trace_open(path, NULL, &trace, &err) == NP_OK, err.text);
    options.trace = trace;
    options.connection_limit = 3; /* so that some wait in the queue */
    options.dns_servers = dns_server_address(dns);
    options.ca_file = nginx->ca_file;
    check(np_context_create(&options, &context, &err) == NP_OK, err.text);
    run_threads();
    np_context_free(context);
    check(np_trace_close(trace, 0, &err) == NP_OK, err.text);
}

static void judge(const char *path)
{
    check(callbacks == accepted, "every request calls back once");
    check(query_int(path, "SELECT count(*) FROM requests WHERE hop = 0") == accepted,
          "every request is a row");
    check(query_int(path, "SELECT count(*) FROM problems") == 0, "the view problems is empty");
    check(query_int(path, "SELECT count(*) FROM unfinished") == 0, "nothing is left unfinished");
    printf("%u requests (", (unsigned)accepted);
    for (int stage = 0; stage < STAGES; stage++)
        printf("%s%s %u", stage ? ", " : "", stage_names[stage], (unsigned)done[stage]);
    printf("), %lld aborted: no descriptor is left (seed %llu)\n",
           (long long)query_int(path, "SELECT count(*) FROM requests WHERE outcome = 'aborted'"),
           (unsigned long long)seed);
}

int main(int count, char **arguments)
{
    static const struct dns_rule rules[] = {
        {.name = "quiet.test", .drop = true},
        {0                   }
    };
    struct nginx nginx;
    struct raw_blackhole hole;
    np_testdir folder;
    char why[200];
    request_count = count > 1                      ? (uint32_t)strtoul(arguments[1], NULL, 10)
                    : getenv("NETPHASE_TEST_LONG") ? LONG_REQUESTS
                                                   : DEFAULT_REQUESTS;
    seed = count > 2 ? strtoull(arguments[2], NULL, 10) : np_now();
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        printf("SKIPPED: %s\n", nginx.why);
        return 77;
    }
    struct dns_server *dns = dns_server_start(rules);
    struct scripted_server *deaf = scripted_server_start("deaf", why, sizeof why);
    struct scripted_server *silent = scripted_server_start("head; hang", why, sizeof why);
    struct scripted_server *slow = scripted_server_start(
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 100000\\r\\n\\r\\n\"; trickle 1 \""
        "0123456789012345678901234567890123456789012345678901234567890123456789\"; hang",
        why, sizeof why);
    check(dns && deaf && silent && slow && raw_blackhole_open(&hole), "the servers start");
    snprintf(urls[IN_LOOKUP], sizeof *urls, "http://quiet.test/");
    snprintf(urls[IN_CONNECT], sizeof *urls, "http://127.0.0.1:%u/", hole.port);
    snprintf(urls[IN_HANDSHAKE], sizeof *urls, "https://127.0.0.1:%u/", scripted_server_port(deaf));
    snprintf(urls[IN_WAIT], sizeof *urls, "http://127.0.0.1:%u/", scripted_server_port(silent));
    snprintf(urls[IN_BODY], sizeof *urls, "http://127.0.0.1:%u/", scripted_server_port(slow));
    snprintf(urls[ANYWHERE], sizeof *urls, "http://127.0.0.1:%u/small", nginx.http_port);
    snprintf(urls[ANYWHERE_TLS], sizeof *urls, "https://127.0.0.1:%u/small", nginx.https_port);
    testdir_make(&folder);
    const char *path = testdir_path(&folder, "a.db");

    /* The first one opens what a process keeps: OpenSSL's and glibc's own descriptors. */
    const uint32_t wanted = request_count;
    request_count = 20;
    run_context(testdir_path(&folder, "first.db"), &nginx, dns);
    request_count = wanted;
    next_request = callbacks = accepted = 0;
    memset(done, 0, sizeof done);
    scripted_server_wait(deaf);
    scripted_server_wait(silent);
    scripted_server_wait(slow);
    const int before = open_descriptors();
    run_context(path, &nginx, dns);
    scripted_server_wait(deaf);
    scripted_server_wait(silent);
    scripted_server_wait(slow);
    const int after = open_descriptors();
    if (after != before)
        fprintf(stderr, "%d descriptors before, %d after\n", before, after);
    check(after == before, "no descriptor is left");
    judge(path);

    scripted_server_stop(deaf);
    scripted_server_stop(silent);
    scripted_server_stop(slow);
    raw_blackhole_close(&hole);
    dns_server_stop(dns);
    nginx_stop(&nginx);
    testdir_remove(&folder);
    return 0;
}
