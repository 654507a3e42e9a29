/*
 * The whole of the Begin/End contract under random use: eight threads do a million operations on a
 * few requests that they share, against servers that answer, answer early, redirect, ask who it is,
 * stall, break off and never answer, some of them by way of a proxy that is decided late. Every
 * handle is released at a random moment, also while the others are in use, and each round's context
 * is freed with operations under way.
 *
 * Holds:
 *   - every begin that was accepted calls back exactly once, one that was refused never;
 *   - of the end calls of one operation exactly one gets its result; a call that fails says why and
 *     leaves its output NULL (ER-4), and its status is one that the header has for it;
 *   - nobody waits for ever: in every other round the operations with a time limit have to complete
 *     before anything is aborted, and all others when the last handle of their request has gone. A
 *     thread that hangs in one call is found by a watchdog, which prints what everyone waits for;
 *   - what was recorded (a round of four is) has no problem and nothing unfinished;
 *   - at the end no descriptor is open that was not open before.
 * Under a sanitizer or valgrind: nothing is touched after it was freed, no byte is lost, no race.
 *
 *   stress_operations [OPERATIONS [SEED [SLOWNESS]]]
 *
 * A seed repeats what each thread decides, not how the threads take turns.
 */
#include "clock.h"
#include "operations_use.h"
#include "operations_watch.h"
#include "random.h"
#include "testdir.h"
#include "trace_query.h"

#include <dirent.h>
#include <netphase/netphase.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 8,
    SLOTS = 12,
    DEFAULT_OPERATIONS = 4000,
    LONG_OPERATIONS = 1000000,
    ROUND_OPERATIONS = 5000,
    LIFE = 25,       /* calls of a request, about, before another one takes its place */
    SHORT_MS = 20,   /* of what has a limit: up to this, */
    LIMIT_MS = 150,  /* or from there to this */
    FREED_FROM = 18, /* of 20 parts of a round: then the context is freed */
};

static const char *const kind_names[KINDS] = {"the request stream", "the response", "a write",
                                              "a read"};

static struct {
    struct use *_Atomic uses;
    _Atomic unsigned use_count;
    unsigned calls_wanted;
    /* who makes a request holds it shared; who frees the context, alone */
    pthread_rwlock_t closing;
    bool closed;
    np_context *context;
    np_proxy *proxy;
    _Atomic unsigned decisions;
    np_trace *trace; /* NULL: this round is not recorded */
    const char *path;
} current_round = {.closing = PTHREAD_RWLOCK_INITIALIZER};

static struct {
    pthread_mutex_t lock;
    struct use *use;
} slots[SLOTS];

static uint64_t seed;
static int64_t slowness = 1; /* of valgrind: what the limits are multiplied by */

/* --- making and giving up a request --- */

/* Decides late, or not at all; often enough that it has to be asked again. */
static np_status decide(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                        np_error *err)
{
    const unsigned n = atomic_fetch_add(&current_round.decisions, 1);
    const struct timespec late = {.tv_nsec = (long)(n % 5) * 5000000};
    (void)user;
    (void)nanosleep(&late, NULL);
    if (n % 4 == 0)
        (void)np_context_refresh_proxy(current_round.context, NULL); /* refused while it is freed */
    if (n % 7 == 0) {
        *err = (np_error){.status = NP_E_INPUT, .text = "nobody knows a way"};
        return NP_E_INPUT;
    }
    snprintf(answer, capacity, n % 3 ? "DIRECT" : "PROXY 127.0.0.1:%u", query->port);
    return NP_OK;
}

static void configure_body(struct use *use, np_request *request, np_random *random)
{
    static const char *const methods[] = {"POST", "POST", "PUT", "PATCH"};
    (void)np_request_set_method(request, methods[np_random_below(random, 4)], NULL);
    const uint64_t form = np_random_below(random, 3);
    if (form == 0)
        (void)np_request_set_send_chunked(request, true, NULL);
    else if (form == 1)
        (void)np_request_set_content_length(request, BODY_BYTES, NULL);
    if (np_random_below(random, form < 2 ? 2 : 32) == 0)
        (void)np_request_set_allow_write_stream_buffering(request, false, NULL);
    (void)np_request_set_expect_continue(request, np_random_below(random, 3) == 0, NULL);
    (void)np_request_set_continue_timeout(request, (int64_t)np_random_below(random, 10), NULL);
    use->has_body = true;
}

static void configure(struct use *use, np_request *request, np_random *random)
{
    static const int versions[] = {10, 11, 11, 11, 20};
    const bool is_short = np_random_below(random, 4) == 0;
    const int64_t limit_ms =
        slowness * (int64_t)(is_short ? 1 + np_random_below(random, SHORT_MS)
                                      : SHORT_MS + np_random_below(random, LIMIT_MS - SHORT_MS));
    if (np_random_below(random, 2))
        configure_body(use, request, random);
    use->is_synchronous = np_random_below(random, 4) == 0;
    use->has_limit = use->is_synchronous || np_random_below(random, 4) > 0;
    (void)np_request_set_timeout(request, limit_ms, NULL);
    (void)np_request_set_read_write_timeout(request, limit_ms, NULL);
    if (use->has_limit)
        (void)np_request_set_async_timeout(request, limit_ms, NULL);
    (void)np_request_set_protocol_version(request, versions[np_random_below(random, 5)], NULL);
    if (np_random_below(random, 2)) {
        (void)np_request_set_credentials(request, "user", "password", NULL);
        (void)np_request_set_pre_authenticate(request, np_random_below(random, 2), NULL);
    }
    (void)np_request_set_maximum_automatic_redirections(request, 3, NULL);
    (void)np_request_set_allow_auto_redirect(request, np_random_below(random, 8) > 0, NULL);
    (void)np_request_set_keep_alive(request, np_random_below(random, 8) > 0, NULL);
    if (np_random_below(random, 16) == 0)
        (void)np_request_set_reuse(request, NP_REUSE_COLD, NULL);
    if (np_random_below(random, 4) == 0)
        (void)np_request_set_proxy(request, current_round.proxy, NULL);
}

/* NULL: the context is being freed. */
static struct use *make(np_random *random)
{
    char url[128];
    np_request *request;
    np_error err = {0};
    pthread_rwlock_rdlock(&current_round.closing);
    const struct target *target = target_choose(random);
    target_url(target, url, sizeof url);
    const bool open = !current_round.closed;
    if (open)
        check(np_request_create(current_round.context, url, &request, &err) == NP_OK, err.text, 0);
    pthread_rwlock_unlock(&current_round.closing);
    if (!open)
        return NULL;
    struct use *use = calloc(1, sizeof *use);
    check(use != NULL, "no memory", 0);
    use->number = atomic_fetch_add(&current_round.use_count, 1) + 1;
    use->target = target;
    pthread_mutex_init(&use->lock, NULL);
    for (int i = 0; i < OPERATIONS; i++)
        use->operations[i].use = use;
    configure(use, request, random);
    use->handles[REQUEST].thing = request;
    use->next = atomic_load(&current_round.uses);
    while (!atomic_compare_exchange_weak(&current_round.uses, &use->next, use))
        ;
    return use;
}

/* --- the threads --- */

static struct use *look_into(int slot)
{
    pthread_mutex_lock(&slots[slot].lock);
    struct use *use = slots[slot].use;
    pthread_mutex_unlock(&slots[slot].lock);
    return use; /* it stays until the round was judged */
}

static struct use *replace(int slot, struct use *use)
{
    pthread_mutex_lock(&slots[slot].lock);
    struct use *old = slots[slot].use;
    slots[slot].use = use;
    pthread_mutex_unlock(&slots[slot].lock);
    return old;
}

static void *work(void *argument)
{
    np_random random;
    np_random_seed(&random, *(const uint64_t *)argument);
    while (act_counts()->calls < current_round.calls_wanted) {
        const int slot = (int)np_random_below(&random, SLOTS);
        struct use *use = look_into(slot);
        if (use && np_random_below(&random, LIFE) > 0) {
            act(use, &random);
            continue;
        }
        use = make(&random);
        struct use *old = use ? replace(slot, use) : NULL;
        if (old && np_random_below(&random, 16) > 0) /* else its handles stay to the end */
            use_drop_all(old, &random);
        act_counts()->calls++;
    }
    return NULL;
}

/* --- a round --- */

static void describe_uses(void)
{
    for (const struct use *use = atomic_load(&current_round.uses); use; use = use->next) {
        if (act_missing_callbacks(use) == 0)
            continue;
        fprintf(stderr, "  request %u to a server that \"%s\" (%s, %s%s) waits for:", use->number,
                use->target->name, use->is_synchronous ? "synchronous" : "asynchronous",
                use->has_limit ? "with a limit" : "no limit", use->has_body ? ", a body" : "");
        for (int i = 0; i < OPERATIONS; i++)
            if (use->operations[i].accepted && use->operations[i].callbacks == 0)
                fprintf(stderr, " %s;", kind_names[use->operations[i].kind]);
        fprintf(stderr, " handles:");
        for (int i = 0; i < HANDLES; i++)
            if (use->handles[i].thing)
                fprintf(stderr, " %d%s%s", i, use->handles[i].dropped ? " dropped" : "",
                        use->handles[i].borrowers ? " borrowed" : "");
        fprintf(stderr, "\n");
    }
}

/* Nothing is aborted: what has a limit completes by itself, everything else because nobody holds
 * its request any more. */
static void come_to_rest(np_random *random)
{
    for (struct use *use = atomic_load(&current_round.uses); use; use = use->next)
        if (!use->has_limit || use->is_synchronous)
            use_drop_all(use, random);
    for (struct use *use = atomic_load(&current_round.uses); use; use = use->next)
        act_wait_for_callbacks(use);
}

static void free_context(void)
{
    struct doing doing;
    pthread_rwlock_wrlock(&current_round.closing);
    current_round.closed = true;
    pthread_rwlock_unlock(&current_round.closing);
    doing_begin(&doing, "np_context_free", 0);
    np_context_free(current_round.context);
    doing_end(&doing);
}

static void judge_use(const struct use *use)
{
    for (int i = 0; i < OPERATIONS; i++) {
        const struct operation *operation = &use->operations[i];
        check(operation->callbacks == (operation->accepted ? 1 : 0),
              operation->accepted ? "an accepted begin did not call back exactly once"
                                  : "a refused begin called back",
              use->number);
        check(operation->ends == 0 || operation->results == 1,
              "the end calls of an operation did not get exactly one result", use->number);
    }
    for (int i = 0; i < HANDLES; i++)
        check(!use->handles[i].thing || (use->handles[i].dropped && !use->handles[i].borrowers),
              "a handle was not given back", use->number);
}

static void free_use(struct use *use)
{
    for (int i = 0; i < OPERATIONS; i++)
        free(use->operations[i].buffer);
    pthread_mutex_destroy(&use->lock);
    free(use);
}

static void judge(np_random *random)
{
    struct use *uses = atomic_load(&current_round.uses);
    for (struct use *use = uses; use; use = use->next)
        use_drop_all(use, random);
    for (struct use *use = uses; use; use = use->next)
        judge_use(use);
    atomic_store(&current_round.uses, NULL);
    for (struct use *use = uses, *next; use; use = next) {
        next = use->next;
        free_use(use);
    }
}

/* What was recorded adds up, whatever happened to the requests (TR-1). */
static void judge_trace(void)
{
    np_error err = {0};
    if (!current_round.trace)
        return;
    check(np_trace_close(current_round.trace, 0, &err) == NP_OK, err.text, 0);
    const int64_t problems = query_int(current_round.path, "SELECT count(*) FROM problems");
    if (problems > 0) {
        char text[400];
        const char *what =
            query_text(current_round.path, "SELECT * FROM problems", text, sizeof text);
        fprintf(stderr, "%lld problems in the trace, the first: %s\n", (long long)problems, what);
    }
    check(problems == 0, "the trace has problems", 0);
    check(query_int(current_round.path, "SELECT count(*) FROM unfinished") == 0,
          "a request was left unfinished in the trace", 0);
    check(unlink(current_round.path) == 0, "the trace cannot be removed", 0);
}

static void start_round(unsigned wanted, const char *path, np_random *random)
{
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    current_round.calls_wanted = wanted;
    current_round.use_count = act_counts()->calls = 0;
    current_round.closed = false;
    targets_start();
    current_round.path = path;
    current_round.trace = NULL;
    if (np_random_below(random, 4) == 0)
        check(np_trace_open(path, NULL, &current_round.trace, &err) == NP_OK, err.text, 0);
    options.trace = current_round.trace;
    options.connection_limit = 1 + (uint32_t)np_random_below(random, 6);
    options.pool_threads = 1 + (uint32_t)np_random_below(random, 4);
    options.dns_servers = targets_dns();
    np_proxy_options proxy = NP_PROXY_OPTIONS_INIT;
    proxy.callback = decide;
    proxy.on_error = np_random_below(random, 2) ? NP_PROXY_ERROR_FAIL : NP_PROXY_ERROR_DIRECT;
    check(np_proxy_create(&proxy, &current_round.proxy, &err) == NP_OK, err.text, 0);
    options.insecure = true; /* the certificate is of an authority of our own */
    check(np_context_create(&options, &current_round.context, &err) == NP_OK, err.text, 0);
}

/* is_quiet: everything comes to rest before the context is freed; otherwise that happens while the
 * threads work. */
static void run_round(unsigned wanted, bool is_quiet, const char *path, np_random *random)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    start_round(wanted, path, random);
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = np_random_next(random);
        check(pthread_create(&threads[i], NULL, work, &seeds[i]) == 0, "no thread", 0);
    }
    while (!is_quiet && act_counts()->calls < wanted / 20 * FREED_FROM)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (!is_quiet)
        free_context();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        (void)replace(i, NULL);
    if (is_quiet) {
        come_to_rest(random);
        free_context();
    }
    judge(random);
    np_proxy_release(current_round.proxy);
    judge_trace();
    targets_stop();
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    check(folder != NULL, "/proc/self/fd cannot be read", 0);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

int main(int count, char **arguments)
{
    const unsigned wanted = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10)
                            : getenv("NETPHASE_TEST_LONG") ? LONG_OPERATIONS
                                                           : DEFAULT_OPERATIONS;
    seed = count > 2 ? strtoull(arguments[2], NULL, 10) : np_now();
    slowness = count > 3 ? atoi(arguments[3]) : 1;
    const unsigned rounds = wanted / ROUND_OPERATIONS > 4 ? wanted / ROUND_OPERATIONS : 4;
    np_random random;
    np_testdir folder;
    testdir_make(&folder);
    const char *path = testdir_path(&folder, "a.db");
    np_random_seed(&random, seed);
    for (int i = 0; i < SLOTS; i++)
        pthread_mutex_init(&slots[i].lock, NULL);
    watch_start(seed, describe_uses);
    /* opens what a process keeps: OpenSSL's and glibc's descriptors */
    run_round(200, true, path, &random);
    const int before = open_descriptors();
    for (unsigned i = 0; i < rounds; i++)
        run_round(wanted / rounds, i % 2, path, &random);
    const int after = open_descriptors();
    if (after != before)
        fprintf(stderr, "%d descriptors before, %d after\n", before, after);
    check(after == before, "a descriptor is left", 0);
    watch_stop();
    targets_remove();
    testdir_remove(&folder);
    printf("%u operations in %u rounds, begun / ended well:", wanted, rounds);
    for (int i = 0; i < KINDS; i++)
        printf(" %s %lu / %lu%s", kind_names[i], act_counts()->begun[i], act_counts()->succeeded[i],
               i < KINDS - 1 ? "," : "");
    printf(" (seed %llu)\n", (unsigned long long)seed);
    (void)fflush(stdout);
    check(act_counts()->succeeded[STREAM] + act_counts()->succeeded[RESPONSE] > 0,
          "nothing ever ended well", 0);
    return 0;
}
