/* See begin_rig.h. */
#include "begin_rig.h"
#include "raw_server.h"
#include "scripted_server.h"

#include <arpa/inet.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 1000, HOSTS = 20 };

const char *const begin_condition_names[BEGIN_CONDITIONS] = {
    [BEGIN_IDLE] = "idle",
    [BEGIN_CROWD] = "1,000 requests under way",
    [BEGIN_SILENT_DNS] = "silent name server",
    [BEGIN_NO_CONNECT] = "address never answers",
    [BEGIN_SLOW_PROXY] = "proxy callback sleeps",
};

struct begin_rig {
    enum begin_condition condition;
    np_trace *trace;
    np_context *context;
    unsigned calls;
    uint16_t port;
    /* what the conditions need of these */
    struct scripted_server *server;
    struct raw_blackhole hole;
    int fd; /* a name server, or a listener; -1: none */
    int accepted[CROWD];
    np_request *crowd[CROWD];
    np_async *crowd_results[CROWD];
    const np_proxy *proxy;
    sem_t wake; /* the callback of the proxy */
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "begin: %s\n", what);
    abort();
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- the conditions --- */

static int open_socket(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    need(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &size) == 0,
         "no socket on 127.0.0.1");
    *port = ntohs(address.sin_port);
    return fd;
}

static void url_of(const struct begin_rig *rig, const char *path, char *out, size_t size)
{
    const bool by_name = rig->condition == BEGIN_SILENT_DNS || rig->condition == BEGIN_SLOW_PROXY;
    if (by_name)
        snprintf(out, size, "http://host%u.test/%s", rig->calls % HOSTS, path);
    else
        snprintf(out, size, "http://127.0.0.1:%u/%s", rig->port, path);
}

static void begin(const struct begin_rig *rig, const char *path, np_request **request)
{
    char url[64];
    np_error err = {0};
    url_of(rig, path, url, sizeof url);
    need(np_request_create(rig->context, url, request, &err) == NP_OK, err.text);
}

/* It is not to be asked at all before everybody is under way. */
static void gather_crowd(struct begin_rig *rig)
{
    for (int i = 0; i < CROWD; i++) {
        begin(rig, "crowd", &rig->crowd[i]);
        need(np_request_begin_get_response(rig->crowd[i], NULL, NULL, &rig->crowd_results[i],
                                           NULL) == NP_OK,
             "begin is refused");
    }
    for (int i = 0; i < CROWD; i++) {
        rig->accepted[i] = accept(rig->fd, NULL, NULL);
        need(rig->accepted[i] >= 0, "a connection does not come");
    }
}

static void allow_descriptors(rlim_t wanted)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted)
        limit.rlim_cur =
            limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted ? limit.rlim_max : wanted;
    need(setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted,
         "too few descriptors are allowed for 1,000 connections (ulimit -n)");
}

static np_status sleep_on(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                          np_error *err)
{
    struct begin_rig *rig = user;
    (void)query;
    (void)err;
    while (sem_wait(&rig->wake) != 0) {
    }
    sem_post(&rig->wake); /* whoever is asked next does not sleep any more */
    snprintf(answer, capacity, "DIRECT");
    return NP_OK;
}

static void make_proxy(struct begin_rig *rig, np_context_options *options)
{
    np_proxy *proxy;
    np_proxy_options own = NP_PROXY_OPTIONS_INIT;
    own.callback = sleep_on;
    own.user = rig;
    sem_init(&rig->wake, 0, 0);
    need(np_proxy_create(&own, &proxy, NULL) == NP_OK, "no proxy");
    rig->proxy = options->proxy = proxy;
    options->proxy_timeout_ns = INT64_C(3600000000000);
}

static void make_context(struct begin_rig *rig)
{
    char why[200], dns[32] = "";
    uint16_t dns_port = 0;
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.trace = rig->trace;
    options.connect_timeout_ns = INT64_C(3600000000000);
    options.proxy_sources = NP_PROXY_FROM_NOWHERE;
    if (rig->condition == BEGIN_IDLE) {
        rig->server = scripted_server_start(
            "head; send \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"; again", why, sizeof why);
        need(rig->server != NULL, why);
        rig->port = scripted_server_port(rig->server);
    } else if (rig->condition == BEGIN_NO_CONNECT) {
        need(raw_blackhole_open(&rig->hole), "no address that never answers");
        rig->port = rig->hole.port;
    } else if (rig->condition == BEGIN_CROWD) {
        allow_descriptors(2 * CROWD + 200);
        rig->fd = open_socket(SOCK_STREAM, &rig->port);
        need(listen(rig->fd, CROWD) == 0, "cannot listen");
        options.connection_limit = CROWD;
    } else {
        rig->fd = open_socket(SOCK_DGRAM, &dns_port);
        snprintf(dns, sizeof dns, "127.0.0.1:%u", dns_port);
        options.dns_servers = dns;
    }
    if (rig->condition == BEGIN_SLOW_PROXY)
        make_proxy(rig, &options);
    need(np_context_create(&options, &rig->context, &err) == NP_OK, err.text);
}

struct begin_rig *begin_rig_start(enum begin_condition condition, const char *path)
{
    np_error err = {0};
    struct begin_rig *rig = calloc(1, sizeof *rig);
    need(rig != NULL, "no memory");
    rig->condition = condition;
    rig->fd = -1;
    need(np_trace_open(path, NULL, &rig->trace, &err) == NP_OK, err.text);
    make_context(rig);
    if (condition == BEGIN_CROWD)
        gather_crowd(rig);
    return rig;
}

/* --- the call --- */

/* The connection is free again when the body has been read. */
static void take_answer(np_request *request, np_async *async)
{
    np_response *response;
    np_error err = {0};
    need(np_request_end_get_response(request, async, &response, &err) == NP_OK, err.text);
    np_response_release(response);
}

void begin_rig_call(struct begin_rig *rig, uint64_t *wall_ns, uint64_t *cpu_ns)
{
    np_request *request;
    np_async *async;
    begin(rig, "", &request);
    rig->calls++;
    /* so that the loop sleeps again, and has to be woken */
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);

    const uint64_t cpu = read_clock(CLOCK_THREAD_CPUTIME_ID), wall = read_clock(CLOCK_MONOTONIC);
    const np_status status = np_request_begin_get_response(request, NULL, NULL, &async, NULL);
    *wall_ns = read_clock(CLOCK_MONOTONIC) - wall;
    *cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;

    need(status == NP_OK, "begin is refused");
    if (rig->condition == BEGIN_IDLE)
        take_answer(request, async);
    np_request_release(request); /* an abort where it is under way */
    np_async_release(async);
}

void begin_rig_stop(struct begin_rig *rig)
{
    if (rig->proxy)
        sem_post(&rig->wake);
    np_context_free(rig->context);
    for (int i = 0; i < CROWD && rig->crowd[i]; i++) {
        np_request_release(rig->crowd[i]);
        np_async_release(rig->crowd_results[i]);
        close(rig->accepted[i]);
    }
    need(np_trace_close(rig->trace, 0, NULL) == NP_OK, "the trace cannot be closed");
    np_proxy_release(rig->proxy);
    if (rig->server)
        scripted_server_stop(rig->server);
    if (rig->condition == BEGIN_NO_CONNECT)
        raw_blackhole_close(&rig->hole);
    if (rig->fd >= 0)
        close(rig->fd);
    free(rig);
}

/* --- what the trace has --- */

size_t begin_rig_blocked(const char *path, int64_t *out_ns, size_t count)
{
    sqlite3 *db;
    sqlite3_stmt *rows;
    size_t n = 0;
    need(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
             sqlite3_prepare_v2(db,
                                "SELECT caller_blocked_ns FROM requests WHERE path = '/' AND hop = "
                                "0 ORDER BY start_ns",
                                -1, &rows, NULL) == SQLITE_OK,
         "the trace cannot be read");
    for (; sqlite3_step(rows) == SQLITE_ROW; n++)
        if (n < count)
            out_ns[n] =
                sqlite3_column_type(rows, 0) == SQLITE_NULL ? -1 : sqlite3_column_int64(rows, 0);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    return n;
}
