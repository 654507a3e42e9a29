/*
 * What a connection costs in memory: the engine against a bare libcurl client (a handle a request,
 * one multi handle), plain and over TLS. A server that sends the head of its response and a part of
 * the body keeps all connections of a client in use at once; then the client's RssAnon, less what
 * it was before the first, is shared out among them. And: what the processor has to do for a
 * request against `curl --parallel`, each a process of its own with all that it starts and loads.
 *
 * Every run is a forked child; the runs of a round follow each other in turn.
 */
#include "bench.h"
#include "engine_rig.h"
#include "nginx.h"
#include "scripted_server.h"
#include "test_ca.h"
#include "testdir.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 7, CONNECTIONS = 200, REQUESTS = 10000, AT_ONCE = 100 };

static char url[96]; /* of the server that is measured against */

static void set_url(const char *scheme, uint16_t port, const char *path)
{
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, port, path);
}

/* Of this process, in bytes; 0: not known. */
static double anonymous_memory(void)
{
    char line[128];
    double kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtod(line + 8, NULL);
    if (status)
        (void)fclose(status);
    return kib * 1024;
}

/* --- a bare client --- */

static int answered; /* of its requests */

static size_t on_curl_body(char *data, size_t size, size_t n, void *user)
{
    (void)data, (void)user;
    answered++;
    return size * n;
}

static CURL *make_handle(void)
{
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_curl_body);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    return handle;
}

static double bare_memory(void)
{
    int running = 1;
    curl_global_init(CURL_GLOBAL_ALL);
    CURLM *multi = curl_multi_init();
    const double before = anonymous_memory();
    for (int i = 0; i < CONNECTIONS; i++)
        curl_multi_add_handle(multi, make_handle());
    while (running > 0 && answered < CONNECTIONS) {
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    return answered == CONNECTIONS ? (anonymous_memory() - before) / CONNECTIONS : 0;
}

/* --- ours --- */

static struct rig_request requests[CONNECTIONS];

static void count_answered(struct rig *rig, void *user)
{
    (void)rig;
    int *count = user;
    *count = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        *count += requests[i].body_bytes > 0;
}

static double our_memory(void)
{
    struct rig rig;
    const np_engine_options options = {.insecure = true};
    int count = 0;
    memset(requests, 1, sizeof requests); /* the rig's records are not the engine's memory */
    memset(requests, 0, sizeof requests);
    if (!rig_open(&rig, &options, NULL, 0, false))
        return 0;
    const double before = anonymous_memory();
    for (int i = 0; i < CONNECTIONS; i++)
        requests[i].url = url;
    rig_start(&rig, requests, CONNECTIONS);
    const uint64_t until_ns = bench_now_ns() + UINT64_C(20000000000);
    while (count < CONNECTIONS && bench_now_ns() < until_ns)
        rig_call(&rig, count_answered, &count);
    return count == CONNECTIONS ? (anonymous_memory() - before) / CONNECTIONS : 0;
}

/* --- processor time of a whole process --- */

static double children_cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double run_curl(void)
{
    char urls[128], most[16];
    (void)snprintf(urls, sizeof urls, "%s?[1-%d]", url, REQUESTS);
    (void)snprintf(most, sizeof most, "%d", AT_ONCE);
    const int out = open("/dev/null", O_WRONLY);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        return 0;
    execlp("curl", "curl", "-q", "--silent", "--noproxy", "*", "--parallel", "--parallel-max", most,
           "--output", "/dev/null", urls, (char *)NULL);
    _exit(127);
}

static double run_engine(void)
{
    struct rig rig;
    const np_engine_options options = {0};
    if (!rig_open(&rig, &options, NULL, 0, false))
        return 0;
    for (int i = 0; i < AT_ONCE; i++)
        requests[i] = (struct rig_request){.url = url, .again = REQUESTS / AT_ONCE - 1};
    if (!rig_run(&rig, requests, AT_ONCE))
        return 0;
    for (int i = 0; i < AT_ONCE; i++)
        if (requests[i].failure.status)
            return 0;
    return 1;
}

/* --- rounds --- */

/* The figure that `measure` gives in a process of its own; 0: it failed. */
static double in_child(double (*measure)(void))
{
    double figure = 0;
    int ends[2];
    if (pipe(ends) != 0)
        return 0;
    const pid_t pid = fork();
    if (pid == 0) {
        figure = measure();
        (void)!write(ends[1], &figure, sizeof figure);
        _exit(figure > 0 ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &figure, sizeof figure) != (ssize_t)sizeof figure)
        figure = 0; /* curl says nothing */
    close(ends[0]);
    int status = 1;
    (void)waitpid(pid, &status, 0);
    if (figure == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        figure = 1;
    return figure;
}

static int compare_memory(const char *name, double goal)
{
    static bench_series ratio, ours_kib, bare_kib;
    ratio.count = ours_kib.count = bare_kib.count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const bool bare_first = round % 2;
        double bare = bare_first ? in_child(bare_memory) : 0;
        const double ours = in_child(our_memory);
        bare = bare_first ? bare : in_child(bare_memory);
        if (bare <= 0 || ours <= 0)
            continue;
        bench_add(&ratio, ours / bare);
        bench_add(&ours_kib, ours / 1024);
        bench_add(&bare_kib, bare / 1024);
    }
    char line[96];
    (void)snprintf(line, sizeof line, "memory a connection, %s, / bare", name);
    const int held = bench_line(line, BENCH_AT_MOST, goal, &ratio, "x");
    (void)snprintf(line, sizeof line, "memory a connection, %s, ours", name);
    (void)bench_line(line, BENCH_NO_GOAL, 0, &ours_kib, "KiB");
    (void)snprintf(line, sizeof line, "memory a connection, %s, bare", name);
    (void)bench_line(line, BENCH_NO_GOAL, 0, &bare_kib, "KiB");
    return held;
}

static double child_cpu_us(double (*run)(void))
{
    const double before = children_cpu_us();
    const bool good = in_child(run) > 0;
    return good ? (children_cpu_us() - before) / REQUESTS : 0;
}

static int compare_cpu(uint16_t port)
{
    static bench_series ratio, ours_us, curl_us;
    set_url("http", port, "/small");
    for (int round = 0; round < ROUNDS; round++) {
        const bool curl_first = round % 2;
        double tool = curl_first ? child_cpu_us(run_curl) : 0;
        const double ours = child_cpu_us(run_engine);
        tool = curl_first ? tool : child_cpu_us(run_curl);
        if (tool <= 0 || ours <= 0)
            continue;
        bench_add(&ratio, ours / tool);
        bench_add(&ours_us, ours);
        bench_add(&curl_us, tool);
    }
    const int held = bench_line("CPU a request, 100 at once, / curl --parallel", BENCH_AT_MOST,
                                0.55, &ratio, "x");
    (void)bench_line("CPU a request, 100 at once, ours", BENCH_NO_GOAL, 0, &ours_us, "us");
    (void)bench_line("CPU a request, 100 at once, curl --parallel", BENCH_NO_GOAL, 0, &curl_us,
                     "us");
    return held;
}

static struct scripted_server *serve(const char *prefix)
{
    char script[256], why[256];
    (void)snprintf(
        script, sizeof script,
        "%shead; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nhello\"; hang", prefix);
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    if (!server)
        (void)fprintf(stderr, "bench_memory: %s\n", why);
    return server;
}

static double (*profiled)(void); /* measured once, in this process */

static int memory_against(const char *scheme, const char *prefix, double goal)
{
    struct scripted_server *server = serve(prefix);
    if (!server)
        return 0;
    set_url(scheme, scripted_server_port(server), "/");
    int held = 1;
    if (profiled)
        (void)printf("%s: %.1f KiB\n", scheme, profiled() / 1024);
    else
        held = compare_memory(scheme, goal);
    scripted_server_stop(server);
    return held;
}

/* For a profiler of memory: bench_memory ours|bare */
int main(int argc, char **argv)
{
    struct nginx nginx;
    np_testdir dir;
    char tls[sizeof dir.path + 8];
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (argc > 1)
        profiled = strcmp(argv[1], "bare") == 0 ? bare_memory : our_memory;
    testdir_make(&dir);
    (void)snprintf(tls, sizeof tls, "tls %s; ", dir.path);
    int held = memory_against("http", "", 1.6);
    if (test_ca_make(dir.path, "IP:127.0.0.1"))
        held &= memory_against("https", tls, 1.2);
    testdir_remove(&dir);
    if (profiled)
        return 0;
    if (nginx_start(&nginx, &(struct nginx_options){0})) {
        held &= compare_cpu(nginx.http_port);
        nginx_stop(&nginx);
    } else {
        (void)printf("SKIPPED: %s\n", nginx.why);
    }
    return held ? 0 : 1;
}
