/*
 * Helper processes that ask the system's resolver. Floor 2; loop thread only.
 *
 * A query is first in `waiting`, then with a worker; its one timer is its limit, or, once it is
 * known that no process can be had, the way to tell so from outside of the call that asked.
 * A worker answers what it was asked and nothing else: whatever else comes out of its socket costs
 * it its life.
 */
#include "system_resolver.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORKERS = 8,
    WORKERS_MOST = 64,
    TIMEOUT_S = 30,
    TRIES = 2,           /* processes a lookup may lose */
    GONE_MOST = 64,      /* killed processes that have not been reaped */
    LEAST_CHILD_FD = 10, /* above those that the helper gets */
    REAP_MS = 5000 /* the end of the resolver waits for killed processes; they need microseconds */
};

extern char **environ;

typedef struct worker {
    np_system_resolver *resolver;
    pid_t pid;
    int pidfd; /* -1: a kernel without */
    int fd;
    np_loop_watch *watch;
    np_system_query *query; /* NULL: idle */
    struct worker *next;
} worker;

struct np_system_query {
    np_system_resolver *resolver;
    char name[NP_RESOLVE_NAME_SIZE];
    int family;
    uint32_t number;
    unsigned tries;
    uint64_t limit_ns;
    np_loop_timer *timer;
    worker *worker;                /* NULL: waiting */
    np_system_query *next, **link; /* of `waiting`; link NULL: not there */
    bool is_hopeless;              /* `reply` is there; the timer brings it */
    np_system_reply reply;
    np_system_query_fn fn;
    void *user;
};

/* A killed process; its entry in the process table goes when somebody looks. */
typedef struct gone {
    pid_t pid;
    int pidfd;
} gone;

struct np_system_resolver {
    np_loop *loop;
    char *program;
    int64_t timeout_ns;
    size_t most;
    worker *workers;
    size_t worker_count;
    np_system_query *waiting, **waiting_end;
    uint32_t last_number;
    gone gone[GONE_MOST];
    size_t gone_count;
};

/* --- processes --- */

/* True: it has ended and is reaped, or somebody else has reaped it. */
static bool reap(const gone *process)
{
    siginfo_t about = {0};
    const int rc = process->pidfd >= 0
                       ? waitid(P_PIDFD, (id_t)process->pidfd, &about, WEXITED | WNOHANG)
                       : waitid(P_PID, (id_t)process->pid, &about, WEXITED | WNOHANG);
    if (rc == 0 && about.si_pid == 0)
        return false;
    if (process->pidfd >= 0)
        close(process->pidfd);
    return true;
}

static void reap_gone(np_system_resolver *resolver)
{
    for (size_t i = 0; i < resolver->gone_count;) {
        if (reap(&resolver->gone[i]))
            resolver->gone[i] = resolver->gone[--resolver->gone_count];
        else
            i++;
    }
}

static void kill_process(np_system_resolver *resolver, const worker *w)
{
    const gone process = {.pid = w->pid, .pidfd = w->pidfd};
    if (w->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0); /* it may have ended */
    else
        (void)kill(w->pid, SIGKILL);
    reap_gone(resolver);
    if (reap(&process))
        return;
    if (resolver->gone_count < GONE_MOST)
        resolver->gone[resolver->gone_count++] = process;
    else if (process.pidfd >= 0)
        close(process.pidfd); /* it stays in the process table until the program ends */
}

/* Takes the worker out and ends its process; its query stays as it is. */
static void worker_end(worker *w)
{
    np_system_resolver *resolver = w->resolver;
    worker **link = &resolver->workers;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    resolver->worker_count--;
    np_loop_watch_stop(w->watch);
    close(w->fd);
    kill_process(resolver, w);
    free(w);
}

static int start_process(const char *program, int child_fd, pid_t *pid)
{
    char *const arguments[] = {(char *)(uintptr_t) "netphase-resolve", NULL}; /* only read */
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    /* Signals as in a fresh program; of our descriptors it gets its socket alone. */
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    rc = posix_spawn_file_actions_adddup2(&actions, child_fd, NP_RESOLVE_FD);
    for (int fd = 0; !rc && fd < NP_RESOLVE_FD; fd++)
        rc = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, NP_RESOLVE_FD + 1);
    if (!rc)
        rc = posix_spawn(pid, program, &actions, &attributes, arguments, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Our end of a new pair in *ours; 0 or an errno. */
static int start_worker_process(const char *program, int *ours, pid_t *pid)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return errno;
    const int child = fcntl(pair[1], F_DUPFD_CLOEXEC, LEAST_CHILD_FD);
    int rc = child < 0 || fcntl(pair[0], F_SETFL, O_NONBLOCK) ? errno : 0;
    if (!rc)
        rc = start_process(program, child, pid);
    if (child >= 0)
        close(child);
    close(pair[1]);
    if (rc)
        close(pair[0]);
    *ours = pair[0];
    return rc;
}

static void on_worker(int fd, unsigned ready, uint64_t now_ns, void *user);

/* NULL: *error says why. */
static worker *worker_start(np_system_resolver *resolver, int *error)
{
    worker *w = calloc(1, sizeof *w);
    *error = ENOMEM;
    if (!w)
        return NULL;
    w->resolver = resolver;
    *error = start_worker_process(resolver->program, &w->fd, &w->pid);
    if (*error) {
        free(w);
        return NULL;
    }
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    w->next = resolver->workers;
    resolver->workers = w;
    resolver->worker_count++;
    w->watch = np_loop_watch_start(resolver->loop, w->fd, NP_LOOP_READ, on_worker, w);
    if (!w->watch) {
        *error = ENOMEM;
        worker_end(w);
        return NULL;
    }
    return w;
}

/* --- queries --- */

static void enqueue(np_system_query *query, bool first)
{
    np_system_resolver *resolver = query->resolver;
    query->worker = NULL;
    query->link = first ? &resolver->waiting : resolver->waiting_end;
    query->next = first ? resolver->waiting : NULL;
    *query->link = query;
    if (query->next)
        query->next->link = &query->next;
    else
        resolver->waiting_end = &query->next;
}

static void dequeue(np_system_query *query)
{
    if (!query->link)
        return;
    *query->link = query->next;
    if (query->next)
        query->next->link = query->link;
    else
        query->resolver->waiting_end = query->link;
    query->link = NULL;
}

static void query_free(np_system_query *query)
{
    dequeue(query);
    np_loop_timer_cancel(query->timer);
    free(query);
}

/* Tells and frees it; it is in no list any more when `fn` runs. */
static void query_finish(np_system_query *query, const np_system_reply *reply, uint64_t now_ns)
{
    dequeue(query);
    query->fn(reply, now_ns, query->user);
    query_free(query);
}

static void on_timer(uint64_t now_ns, void *user);

/* The reply comes with the next turn of the loop. */
static void query_give_up(np_system_query *query, const char *words, int error)
{
    dequeue(query);
    query->is_hopeless = true;
    query->reply.outcome = NP_DNS_FAILED;
    (void)snprintf(query->reply.words, sizeof query->reply.words, "%s%s%s", words,
                   error ? ": " : "", error ? strerror(error) : "");
    np_loop_timer *timer = np_loop_timer_start(query->resolver->loop, 0, on_timer, query);
    if (timer) { /* else the limit brings it */
        np_loop_timer_cancel(query->timer);
        query->timer = timer;
    }
}

static bool ask(worker *w, np_system_query *query)
{
    np_resolve_question question = {
        .magic = NP_RESOLVE_MAGIC, .number = query->number, .family = query->family};
    memcpy(question.name, query->name, sizeof question.name);
    if (send(w->fd, &question, sizeof question, MSG_NOSIGNAL) != (ssize_t)sizeof question)
        return false;
    dequeue(query);
    w->query = query;
    query->worker = w;
    query->tries++;
    return true;
}

static worker *idle_worker(const np_system_resolver *resolver)
{
    worker *w = resolver->workers;
    while (w && w->query)
        w = w->next;
    return w;
}

/* Gives processes what waits, in order. */
static void dispatch(np_system_resolver *resolver)
{
    while (resolver->waiting) {
        np_system_query *query = resolver->waiting;
        worker *w = idle_worker(resolver);
        const bool is_new = !w;
        int error = 0;
        if (is_new && resolver->worker_count == resolver->most)
            return;
        if (is_new)
            w = worker_start(resolver, &error);
        if (!w || (query->tries >= TRIES && is_new)) {
            query_give_up(query, "the system resolver's process cannot be started", error);
        } else if (!ask(w, query)) { /* it has ended meanwhile: another one */
            query->tries += is_new;
            worker_end(w);
        }
    }
}

/* The process is of no use any more: its lookup goes to another one, once. */
static void worker_lost(worker *w, const char *words)
{
    np_system_query *query = w->query;
    np_system_resolver *resolver = w->resolver;
    worker_end(w);
    if (query) {
        query->worker = NULL;
        if (query->tries < TRIES)
            enqueue(query, true);
        else
            query_give_up(query, words, 0);
    }
    dispatch(resolver);
}

static void on_timer(uint64_t now_ns, void *user)
{
    np_system_query *query = user;
    np_system_resolver *resolver = query->resolver;
    if (query->is_hopeless) {
        query_finish(query, &query->reply, now_ns);
        return;
    }
    if (query->worker)
        worker_end(query->worker);
    query->worker = NULL;
    char limit[32];
    np_system_reply reply = {.outcome = NP_DNS_TIMEOUT};
    (void)snprintf(reply.words, sizeof reply.words, "no answer from the system resolver within %s",
                   np_duration_text(resolver->timeout_ns, limit, sizeof limit));
    query_finish(query, &reply, now_ns);
    dispatch(resolver);
}

/* --- answers --- */

static bool take_address(const np_resolve_address *from, int family, np_address *to)
{
    memset(to, 0, sizeof *to);
    if (from->version == 4 && family != AF_INET6) {
        to->v4.sin_family = AF_INET;
        memcpy(&to->v4.sin_addr, from->bytes, 4);
        return true;
    }
    if (from->version == 6 && family != AF_INET) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_scope_id = from->scope;
        memcpy(&to->v6.sin6_addr, from->bytes, 16);
        return true;
    }
    return false;
}

static np_dns_outcome outcome_of(int code)
{
    switch (code) {
    case 0:
        return NP_DNS_OK;
    case EAI_NONAME:
        return NP_DNS_NXDOMAIN;
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return NP_DNS_NODATA;
    default:
        return NP_DNS_FAILED;
    }
}

/* What a process said, believed in nothing. false: it is no answer to this query. */
static bool read_answer(const np_resolve_answer *answer, size_t length,
                        const np_system_query *query, np_system_reply *reply)
{
    const size_t head = offsetof(np_resolve_answer, address);
    memset(reply, 0, sizeof *reply);
    if (length < head || answer->magic != NP_RESOLVE_MAGIC || answer->number != query->number ||
        answer->count > NP_RESOLVE_ADDRESSES ||
        length != head + answer->count * sizeof answer->address[0] ||
        (answer->code == 0) != (answer->count > 0))
        return false;
    for (size_t i = 0; i < answer->count; i++)
        if (!take_address(&answer->address[i], query->family, &reply->address[reply->count++]))
            return false;
    reply->outcome = outcome_of(answer->code);
    reply->code = answer->code;
    if (answer->code == EAI_SYSTEM)
        (void)snprintf(reply->words, sizeof reply->words, "%s", strerror(answer->error_number));
    return true;
}

static void on_worker(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    worker *w = user;
    np_resolve_answer answer;
    np_system_reply reply;
    (void)ready;
    const ssize_t got = recv(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        worker_lost(w, "the system resolver's process has ended without an answer");
        return;
    }
    np_system_query *query = w->query;
    if (!query || (size_t)got > sizeof answer ||
        !read_answer(&answer, (size_t)got, query, &reply)) {
        worker_lost(w, "the system resolver's process gave an answer that cannot be understood");
        return;
    }
    np_system_resolver *resolver = w->resolver;
    w->query = NULL;
    query->worker = NULL;
    dispatch(resolver);
    query_finish(query, &reply, now_ns);
}

/* --- from outside --- */

np_system_query *np_system_query_start(np_system_resolver *resolver, const char *name, int family,
                                       uint64_t now_ns, np_system_query_fn fn, void *user)
{
    np_system_query *query = calloc(1, sizeof *query);
    if (!query)
        return NULL;
    query->resolver = resolver;
    (void)snprintf(query->name, sizeof query->name, "%s", name);
    query->family = family;
    query->number = ++resolver->last_number;
    query->fn = fn;
    query->user = user;
    query->timer = np_loop_timer_start(resolver->loop, now_ns + (uint64_t)resolver->timeout_ns,
                                       on_timer, query);
    if (!query->timer) {
        free(query);
        return NULL;
    }
    enqueue(query, false);
    dispatch(resolver);
    return query;
}

void np_system_query_cancel(np_system_query *query)
{
    np_system_resolver *resolver = query->resolver;
    if (query->worker)
        worker_end(query->worker); /* getaddrinfo cannot be called off */
    query_free(query);
    dispatch(resolver);
}

np_system_resolver *np_system_resolver_create(np_loop *loop,
                                              const np_system_resolver_options *options)
{
    np_system_resolver *resolver = calloc(1, sizeof *resolver);
    char *program = strdup(options->program);
    if (!resolver || !program) {
        free(resolver);
        free(program);
        return NULL;
    }
    resolver->loop = loop;
    resolver->program = program;
    resolver->timeout_ns =
        options->timeout_ns ? options->timeout_ns : TIMEOUT_S * (int64_t)NP_NS_PER_S;
    resolver->most = options->workers ? options->workers : WORKERS;
    if (resolver->most > WORKERS_MOST)
        resolver->most = WORKERS_MOST;
    resolver->waiting_end = &resolver->waiting;
    return resolver;
}

void np_system_resolver_free(np_system_resolver *resolver)
{
    if (!resolver)
        return;
    while (resolver->workers)
        worker_end(resolver->workers);
    /* A pidfd is readable a moment before its process can be waited for: so by looking again. */
    const uint64_t until_ns = np_now() + REAP_MS * (uint64_t)NP_NS_PER_MS;
    for (reap_gone(resolver); resolver->gone_count > 0 && np_now() < until_ns; reap_gone(resolver))
        (void)poll(NULL, 0, 1);
    for (size_t i = 0; i < resolver->gone_count; i++)
        if (resolver->gone[i].pidfd >= 0)
            close(resolver->gone[i].pidfd);
    free(resolver->program);
    free(resolver);
}
