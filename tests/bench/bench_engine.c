/*
 * Requests a second and CPU a request of the engine against two bare libcurl clients, all on one
 * thread: curl_multi_perform with curl_multi_poll, and curl_multi_socket_action on epoll.
 * Keep-alive GET of 59 bytes from an nginx on another core; N at once, each started anew when it is
 * done.
 *
 * The same over HTTP/2: there a bare client adds its handles once the first has shown the protocol,
 * since libcurl would open a connection for each of them, and shares one connection.
 *
 * Every run is a forked child, pinned; the runs of a round follow each other in turn, and a figure
 * is the median of the rounds' ratios. The better bare client is chosen in each round. Then: what
 * tracing costs, and how much of a request is `gap`.
 */
#include "bench.h"
#include "clock.h"
#include "nginx.h"
#include "phases.h"
#include "transfer.h"

#include <curl/curl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 7, MOST_AT_ONCE = 1000, RING_SLOTS = 65536 };

typedef enum variant { PERFORM_POLL, SOCKET_EPOLL, OURS, OURS_TRACED, VARIANTS } variant;

struct job {
    variant variant;
    int at_once;
    int requests; /* measured; half as many warm up */
    uint16_t port;
    bool wants_gap;
    bool h2;
};

struct figures {
    bool good;
    double per_second;
    double cpu_us; /* a request */
    double gap_p99_us, total_p50_us, gap_p50_us;
};

/* --- counting, the same for all --- */

struct count {
    int started, done, warm_up, total;
    uint64_t wall_ns, cpu_ns;
};

static void count_init(struct count *count, const struct job *job)
{
    *count =
        (struct count){.warm_up = job->requests / 2, .total = job->requests / 2 + job->requests};
}

/* One more is complete. */
static void count_done(struct count *count)
{
    count->done++;
    if (count->done == count->warm_up) {
        count->wall_ns = bench_now_ns();
        count->cpu_ns = bench_thread_cpu_ns();
    } else if (count->done == count->total) {
        count->wall_ns = bench_now_ns() - count->wall_ns;
        count->cpu_ns = bench_thread_cpu_ns() - count->cpu_ns;
    }
}

static void count_result(const struct count *count, struct figures *out)
{
    const double requests = count->total - count->warm_up;
    out->good = count->done >= count->total;
    out->per_second = requests / ((double)count->wall_ns / 1e9);
    out->cpu_us = (double)count->cpu_ns / 1e3 / requests;
}

/* --- the two bare clients --- */

static size_t discard(char *data, size_t size, size_t n, void *user)
{
    (void)data, (void)user;
    return size * n;
}

static CURL *make_handle(const struct job *job)
{
    char url[64];
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/small", job->h2 ? "https" : "http",
                   job->port);
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION,
                     job->h2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(handle, CURLOPT_PIPEWAIT, (long)job->h2);
    return handle;
}

/* Starts anew what is done. false: something failed. */
static bool collect(CURLM *multi, struct count *count)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        CURL *handle = message->easy_handle;
        if (message->data.result != CURLE_OK)
            return false;
        count_done(count);
        curl_multi_remove_handle(multi, handle);
        if (count->started < count->total) {
            count->started++;
            curl_multi_add_handle(multi, handle);
        }
    }
    return true;
}

static void run_perform(const struct job *job, struct figures *out)
{
    struct count count;
    count_init(&count, job);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2L * MOST_AT_ONCE);
    for (int i = 0; i < job->at_once; i++) {
        count.started++;
        curl_multi_add_handle(multi, make_handle(job));
    }
    int running;
    while (count.done < count.total) {
        curl_multi_perform(multi, &running);
        if (!collect(multi, &count))
            return;
        if (count.done < count.total)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    count_result(&count, out);
}

struct epoll_client {
    int epoll;
    long wait_ms;
};

static int on_timer(CURLM *multi, long wait_ms, void *user)
{
    (void)multi;
    ((struct epoll_client *)user)->wait_ms = wait_ms;
    return 0;
}

static int on_socket(CURL *handle, curl_socket_t fd, int what, void *user, void *known)
{
    (void)handle;
    const struct epoll_client *client = user;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(client->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(client->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
        epoll_ctl(client->epoll, EPOLL_CTL_MOD, fd, &event);
    return 0;
}

static void run_epoll(const struct job *job, struct figures *out)
{
    struct count count;
    struct epoll_client client = {epoll_create1(0), -1};
    count_init(&count, job);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2L * MOST_AT_ONCE);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &client);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &client);
    for (int i = 0; i < job->at_once; i++) {
        count.started++;
        curl_multi_add_handle(multi, make_handle(job));
    }
    int running;
    while (count.done < count.total) {
        while (client.wait_ms == 0) {
            client.wait_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        if (!collect(multi, &count))
            return;
        if (client.wait_ms == 0)
            continue;
        struct epoll_event ready[64];
        const int n = count.done < count.total
                          ? epoll_wait(client.epoll, ready, 64,
                                       client.wait_ms > 0 ? (int)client.wait_ms : 1000)
                          : 0;
        if (n == 0 && client.wait_ms > 0) {
            client.wait_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        for (int i = 0; i < n; i++) {
            const int events = (ready[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                               (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                               (ready[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi, ready[i].data.fd, events, &running);
        }
    }
    count_result(&count, out);
}

/* --- ours --- */

struct ours {
    np_loop_task task; /* first */
    const struct job *job;
    struct figures *out;
    struct count count;
    np_loop *loop;
    np_dialer *dialer;
    np_engine *engine;
    np_producer producer;
    np_transfer_spec spec;
    int running;
    int ended[2]; /* a pipe: the loop is done */
};

static bool on_body(np_transfer *transfer, const void *data, size_t length, void *user)
{
    (void)transfer, (void)data, (void)length, (void)user;
    return true;
}

static void on_done(np_transfer *transfer, const np_error *failure, void *user);
static const np_transfer_handler handler = {.body = on_body, .done = on_done};

static void start_one(struct ours *ours)
{
    ours->count.started++;
    ours->running++;
    ours->spec.begin_ns = ours->job->variant == OURS_TRACED ? bench_now_ns() : 0;
    (void)np_transfer_start(ours->engine, &ours->spec, &handler, ours);
}

static void on_done(np_transfer *transfer, const np_error *failure, void *user)
{
    (void)transfer;
    struct ours *ours = user;
    ours->running--;
    if (failure) {
        (void)fprintf(stderr, "bench_engine: %s (%s)\n", failure->text, failure->cause);
        exit(1);
    }
    count_done(&ours->count);
    /* What a collector does on its own core: gives the ring back. */
    if (ours->producer.ring && !ours->job->wants_gap && ours->count.done % 1024 == 0)
        np_ring_release(ours->producer.ring, np_ring_head(ours->producer.ring));
    if (ours->count.started < ours->count.total)
        start_one(ours);
    else if (ours->running == 0)
        (void)!write(ours->ended[1], "", 1);
}

static void start_all(np_loop_task *task)
{
    struct ours *ours = (struct ours *)task;
    for (int i = 0; i < ours->job->at_once; i++)
        start_one(ours);
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The share of `gap` in the requests on connections that were there. */
static void measure_gap(np_ring *ring, int requests, struct figures *out)
{
    int64_t *gap = calloc((size_t)requests + 1, sizeof *gap),
            *total = calloc((size_t)requests + 1, sizeof *total);
    np_cut *cuts = calloc((size_t)requests + 2, sizeof *cuts);
    for (int i = 0; i < requests + 2; i++)
        np_cut_init(&cuts[i]);
    np_event event;
    for (uint64_t at = np_ring_tail(ring); np_ring_read(ring, at, &event, 1) == 1; at++) {
        if (event.request > 0 && event.request <= (uint32_t)requests)
            np_cut_add(&cuts[event.request], &event);
    }
    size_t count = 0;
    for (int i = 1; i <= requests; i++) {
        if (!cuts[i].ended || cuts[i].present & 1u << NP_PHASE_CONNECT)
            continue;
        gap[count] = cuts[i].duration_ns[NP_PHASE_GAP];
        total[count++] = np_cut_total(&cuts[i]);
    }
    qsort(gap, count, sizeof *gap, by_value);
    qsort(total, count, sizeof *total, by_value);
    if (count) {
        out->gap_p50_us = (double)gap[count / 2] / 1e3;
        out->gap_p99_us = (double)gap[count * 99 / 100] / 1e3;
        out->total_p50_us = (double)total[count / 2] / 1e3;
    }
    free(cuts);
    free(gap);
    free(total);
}

static bool open_ring(struct ours *ours)
{
    static const np_redaction redaction = {0};
    char path[64];
    np_error err;
    (void)snprintf(path, sizeof path, "/tmp/netphase-bench-ring-%d", (int)getpid());
    const np_ring_options options = {.slot_count =
                                         ours->job->wants_gap ? 4 * RING_SLOTS : RING_SLOTS};
    if (np_ring_create(path, &options, &ours->producer.ring, &err) != NP_OK) {
        (void)fprintf(stderr, "bench_engine: %s\n", err.text);
        return false;
    }
    np_ring_unlink(ours->producer.ring);
    ours->producer.detail = NP_DETAIL_SPANS;
    ours->producer.redaction = &redaction;
    return true;
}

static void run_ours(const struct job *job, struct figures *out)
{
    static struct ours ours;
    np_error err = {.status = NP_OK};
    char url[64];
    const np_header_line accept = {"Accept", "*/*", 6, 3};
    const np_dialer_options dialer_options = {0};
    const np_engine_options engine_options = {.insecure = true};
    const char *scheme = job->h2 ? "https" : "http";
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/small", scheme, job->port);
    ours.task.run = start_all;
    ours.job = job;
    count_init(&ours.count, job);
    ours.spec = (np_transfer_spec){.method = "GET",
                                   .url = url,
                                   .scheme = scheme,
                                   .version = job->h2 ? 20 : 11,
                                   .host = "127.0.0.1",
                                   .port = job->port,
                                   .target = "/small",
                                   .headers = &accept,
                                   .header_count = 1};
    if (job->variant == OURS_TRACED && !open_ring(&ours))
        return;
    np_producer *producer = ours.producer.ring ? &ours.producer : NULL;
    if (pipe(ours.ended) != 0 || np_loop_create(&ours.loop, &err) != NP_OK ||
        np_dialer_create(ours.loop, &dialer_options, producer, &ours.dialer, &err) != NP_OK ||
        np_engine_create(ours.loop, ours.dialer, producer, &engine_options, &ours.engine, &err) !=
            NP_OK ||
        np_loop_start(ours.loop, &err) != NP_OK) {
        (void)fprintf(stderr, "bench_engine: %s\n", err.text);
        return;
    }
    np_loop_post(ours.loop, &ours.task);
    char byte;
    (void)!read(ours.ended[0], &byte, 1);
    np_loop_stop(ours.loop);
    count_result(&ours.count, out);
    if (job->wants_gap)
        measure_gap(ours.producer.ring, ours.count.total, out);
    np_engine_free(ours.engine);
    np_dialer_free(ours.dialer);
    np_loop_free(ours.loop);
}

/* --- rounds --- */

static void (*const runs[])(const struct job *, struct figures *) = {run_perform, run_epoll,
                                                                     run_ours, run_ours};

static void pin(pid_t pid, int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    (void)sched_setaffinity(pid, sizeof set, &set); /* with one processor nothing is pinned */
}

static struct figures run(const struct job *job)
{
    struct figures figures = {0};
    int ends[2];
    if (pipe(ends) != 0)
        return figures;
    const pid_t pid = fork();
    if (pid == 0) {
        pin(0, 0);
        runs[job->variant](job, &figures);
        (void)!write(ends[1], &figures, sizeof figures);
        _exit(0);
    }
    close(ends[1]);
    if (read(ends[0], &figures, sizeof figures) != (ssize_t)sizeof figures)
        figures.good = false;
    close(ends[0]);
    (void)waitpid(pid, NULL, 0);
    return figures;
}

static int compare(uint16_t port, bool h2, int at_once, double goal)
{
    static bench_series per_second, cpu, tracing;
    per_second.count = cpu.count = tracing.count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct figures got[VARIANTS];
        bool good = true;
        for (int i = 0; i < VARIANTS; i++) {
            const variant v = (variant)((i + round) % VARIANTS);
            const struct job job = {.variant = v,
                                    .at_once = at_once,
                                    .requests = at_once == 1 ? 2000 : 10000,
                                    .port = port,
                                    .h2 = h2};
            got[v] = run(&job);
            good = good && got[v].good;
        }
        if (!good)
            continue;
        const double best = got[PERFORM_POLL].per_second > got[SOCKET_EPOLL].per_second
                                ? got[PERFORM_POLL].per_second
                                : got[SOCKET_EPOLL].per_second;
        const double cheapest = got[PERFORM_POLL].cpu_us < got[SOCKET_EPOLL].cpu_us
                                    ? got[PERFORM_POLL].cpu_us
                                    : got[SOCKET_EPOLL].cpu_us;
        bench_add(&per_second, got[OURS].per_second / best);
        bench_add(&cpu, got[OURS].cpu_us / cheapest);
        bench_add(&tracing, got[OURS_TRACED].cpu_us / got[OURS].cpu_us);
        if (getenv("NETPHASE_BENCH_VERBOSE"))
            printf(
                "  %s%4d at once: perform %.0f/s %.1f us, epoll %.0f/s %.1f us, ours %.0f/s %.1f "
                "us, traced %.0f/s %.1f us\n",
                h2 ? "h2 " : "", at_once, got[0].per_second, got[0].cpu_us, got[1].per_second,
                got[1].cpu_us, got[2].per_second, got[2].cpu_us, got[3].per_second, got[3].cpu_us);
    }
    char name[80];
    (void)snprintf(name, sizeof name, "engine: %srequests/s, %d at once, / bare", h2 ? "h2 " : "",
                   at_once);
    /* One at a time, requests a second measure how fast the machine wakes a thread. */
    const bool by_cpu = at_once == 1;
    int held = bench_line(name, by_cpu ? BENCH_NO_GOAL : BENCH_AT_LEAST, goal, &per_second, "x");
    (void)snprintf(name, sizeof name, "engine: %sCPU a request, %d at once, / bare",
                   h2 ? "h2 " : "", at_once);
    held &= bench_line(name, by_cpu ? BENCH_AT_MOST : BENCH_NO_GOAL, 1 / goal, &cpu, "x");
    (void)snprintf(name, sizeof name, "engine: %sCPU traced / not, %d at once", h2 ? "h2 " : "",
                   at_once);
    held &= bench_line(name, BENCH_AT_MOST, 1.03, &tracing, "x");
    return held;
}

static int show_gap(uint16_t port, int at_once)
{
    static bench_series p99, p50;
    p99.count = p50.count = 0;
    double limit_us = 50;
    for (int round = 0; round < ROUNDS; round++) {
        const struct job job = {.variant = OURS_TRACED,
                                .at_once = at_once,
                                .requests = 4000,
                                .port = port,
                                .wants_gap = true};
        const struct figures got = run(&job);
        if (!got.good)
            continue;
        bench_add(&p99, got.gap_p99_us);
        bench_add(&p50, got.gap_p50_us);
        if (got.total_p50_us * 0.005 > limit_us)
            limit_us = got.total_p50_us * 0.005;
    }
    char name[80];
    (void)snprintf(name, sizeof name, "engine: gap p50, reused, %d at once", at_once);
    (void)bench_line(name, BENCH_NO_GOAL, 0, &p50, "us");
    (void)snprintf(name, sizeof name, "engine: gap p99, reused, %d at once", at_once);
    return bench_line(name, BENCH_AT_MOST, limit_us, &p99, "us");
}

/* The server has the client's processor, and only while the client sleeps: no answer is at hand
 * when it looks, as behind a network. */
static void put_behind(pid_t server)
{
    const struct sched_param parameter = {.sched_priority = 0};
    pin(0, 0);
    pin(server, 0);
    (void)sched_setscheduler(server, SCHED_BATCH, &parameter); /* needs no right */
}

/* One run in this process, for a profiler: bench_engine VARIANT AT_ONCE REQUESTS [h2] (0 perform, 1
 * epoll, 2 ours, 3 traced, 4 traced and gap looked at). A slowed client finds every answer at hand;
 * with NETPHASE_BENCH_BEHIND it finds none. */
static int run_single(uint16_t port, char **argv)
{
    const long which = strtol(argv[1], NULL, 10);
    const struct job job = {.variant = which > OURS_TRACED ? OURS_TRACED : (variant)which,
                            .at_once = (int)strtol(argv[2], NULL, 10),
                            .requests = (int)strtol(argv[3], NULL, 10),
                            .port = port,
                            .h2 = argv[4] != NULL,
                            .wants_gap = which > OURS_TRACED};
    struct figures figures = {0};
    runs[job.variant](&job, &figures);
    printf("%.0f/s, %.2f us CPU, gap %.1f us p50, %.1f us p99, total %.1f us p50\n",
           figures.per_second, figures.cpu_us, figures.gap_p50_us, figures.gap_p99_us,
           figures.total_p50_us);
    return figures.good ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct nginx nginx;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        (void)printf("SKIPPED: %s\n", nginx.why);
        return 0;
    }
    pin(nginx.pid, 1);
    if (argc >= 4) {
        if (getenv("NETPHASE_BENCH_BEHIND"))
            put_behind(nginx.pid);
        const int status = run_single(argv[4] ? nginx.h2_port : nginx.http_port, argv);
        nginx_stop(&nginx);
        return status;
    }
    int held = 1;
    held &= compare(nginx.http_port, false, 1, 0.95);
    held &= compare(nginx.http_port, false, 10, 0.95);
    held &= compare(nginx.http_port, false, 100, 0.95);
    held &= compare(nginx.http_port, false, 1000, 1.5);
    held &= compare(nginx.h2_port, true, 10, 0.95);
    held &= compare(nginx.h2_port, true, 100, 0.95);
    held &= show_gap(nginx.http_port, 1);
    held &= show_gap(nginx.http_port, 100);
    nginx_stop(&nginx);
    return held ? 0 : 1;
}
