/*
 * Proxy decisions from many threads: callbacks that are quick, slow, failing or over their bound on
 * a real pool, askers that leave, refreshes, and an end in the middle of it all. Every ask ends
 * exactly once: answered, told that the context is gone, or left. Under the thread sanitizer this
 * shows that questions and answers are handed over properly.
 */
#include "clock.h"
#include "proxy_decide.h"
#include "random.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, ASKS = 1500, HOSTS = 12, PROXIES = 4, ROUNDS = 3 };

struct state;

struct ask {
    np_loop_task task;
    struct state *state;
    unsigned choice; /* random bits of the posting thread */
    np_proxy_lookup *lookup;
    int ends;
};

struct state {
    np_loop *loop;
    np_callback_pool *pool;
    np_proxy_resolver *resolver;
    const np_proxy *proxies[PROXIES];
    pthread_mutex_t lock;
    bool is_closed; /* under the lock: nothing is posted to a loop that has ended */
    uint64_t seed;
    struct ask asks[THREADS][ASKS];
    struct ask *last[8]; /* loop only: some that may still wait */
    long answered, failed, left;
};

static void check(bool holds, const struct state *s, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)s->seed, what);
    exit(1);
}

static bool run(np_pool_job *job, void *user)
{
    return np_callback_pool_push(((struct state *)user)->pool, job);
}

static bool post(np_loop_task *task, void *user)
{
    struct state *s = user;
    pthread_mutex_lock(&s->lock);
    const bool is_open = !s->is_closed;
    if (is_open)
        np_loop_post(s->loop, task);
    pthread_mutex_unlock(&s->lock);
    return is_open;
}

/* A busy proxy script; `user` says how busy. */
static np_status callback(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                          np_error *err)
{
    const long busy_us = (long)(intptr_t)user;
    const struct timespec busy = {.tv_nsec = busy_us * 1000};
    if (busy_us > 0)
        (void)nanosleep(&busy, NULL);
    if (query->host[1] == '3') {
        err->status = NP_E_IO;
        (void)snprintf(err->text, sizeof err->text, "host 3 is not wanted");
        return NP_E_IO;
    }
    (void)snprintf(answer, capacity, "PROXY %s:1; DIRECT", query->host);
    return NP_OK;
}

static const char *get(const char *name, void *user)
{
    (void)user;
    return strcmp(name, "http_proxy") == 0 ? "p.test:1" : NULL;
}

static void ended(np_proxy_list *list, const np_error *error, void *user)
{
    struct ask *ask = user;
    struct state *s = ask->state;
    ask->lookup = NULL;
    ask->ends++;
    s->answered += !error;
    s->failed += error != NULL;
    if (list && ask->choice % 7 == 0)
        np_proxy_failed(s->resolver, &list->entry[0], np_loop_now(s->loop));
    np_proxy_list_release(list);
}

static void leave(struct ask *ask)
{
    if (!ask || !ask->lookup)
        return;
    np_proxy_lookup_cancel(ask->lookup, np_loop_now(ask->state->loop));
    ask->lookup = NULL;
    ask->ends++;
    ask->state->left++;
}

static void begin(np_loop_task *task)
{
    struct ask *ask = (struct ask *)task;
    struct state *s = ask->state;
    char host[16];
    (void)snprintf(host, sizeof host, "h%u.test", ask->choice % HOSTS);
    const np_proxy_question question = {.scheme = "http",
                                        .host = host,
                                        .port = 80,
                                        .cold = ask->choice / 64 % 8 == 0,
                                        .settings = s->proxies[ask->choice / 512 % PROXIES]};
    np_proxy_list *list;
    ask->lookup = np_proxy_ask(s->resolver, &question, np_loop_now(s->loop), &list, ended, ask);
    if (!ask->lookup)
        ended(list, NULL, ask);
    const unsigned place = ask->choice / 4096 % 8;
    if (ask->choice / 65536 % 3 == 0)
        leave(s->last[place]);
    s->last[place] = ask;
    if (ask->choice / 262144 % 200 == 0)
        np_proxy_resolver_refresh(s->resolver, np_proxy_environment_create(get, NULL));
}

struct poster {
    struct state *state;
    unsigned index;
    pthread_t thread;
};

static void *post_asks(void *argument)
{
    const struct poster *poster = argument;
    struct state *s = poster->state;
    np_random random;
    np_random_seed(&random, s->seed + poster->index);
    for (int i = 0; i < ASKS; i++) {
        struct ask *ask = &s->asks[poster->index][i];
        *ask = (struct ask){
            .task.run = begin, .state = s, .choice = (unsigned)np_random_below(&random, 1u << 31)};
        np_loop_post(s->loop, &ask->task);
        if (i % 50 == 0)
            sched_yield();
    }
    return NULL;
}

struct ending {
    np_loop_task task;
    struct state *state;
};

static void end(np_loop_task *task)
{
    struct state *s = ((struct ending *)task)->state;
    np_proxy_resolver_free(s->resolver);
}

static void make_proxies(struct state *s)
{
    static const long busy_us[PROXIES - 1] = {0, 300, 8000};
    for (int i = 0; i < PROXIES - 1; i++) {
        np_proxy *proxy = NULL;
        np_proxy_options options = NP_PROXY_OPTIONS_INIT;
        options.callback = callback;
        options.user = (void *)(intptr_t)busy_us[i];
        options.on_error = (np_proxy_error_policy)i;
        check(np_proxy_create(&options, &proxy, NULL) == NP_OK, s, "no proxy");
        s->proxies[i] = proxy;
    }
    s->proxies[PROXIES - 1] = NULL;
}

static void one_round(struct state *s)
{
    struct poster posters[THREADS];
    struct ending ending = {.task.run = end, .state = s};
    memset(s->asks, 0, sizeof s->asks);
    memset(s->last, 0, sizeof s->last);
    s->answered = s->failed = s->left = 0;
    s->is_closed = false;
    make_proxies(s);
    const np_proxy_resolver_options options = {.from_environment = true,
                                               .environment =
                                                   np_proxy_environment_create(get, NULL),
                                               .timeout_ns = 5 * NP_NS_PER_MS,
                                               .run = run,
                                               .post = post,
                                               .user = s};
    check(np_loop_create(&s->loop, NULL) == NP_OK && !np_callback_pool_create(3, &s->pool, NULL) &&
              !np_proxy_resolver_create(s->loop, NULL, &options, &s->resolver, NULL) &&
              np_loop_start(s->loop, NULL) == NP_OK,
          s, "cannot start");
    for (unsigned i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.state = s, .index = i};
        check(pthread_create(&posters[i].thread, NULL, post_asks, &posters[i]) == 0, s, "thread");
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(posters[i].thread, NULL);
    pthread_mutex_lock(&s->lock);
    s->is_closed = true;
    pthread_mutex_unlock(&s->lock);
    np_loop_post(s->loop, &ending.task); /* behind all asks, before many answers */
    np_loop_stop(s->loop);
    np_callback_pool_stop(s->pool);
    np_loop_free(s->loop);
    np_callback_pool_free(s->pool);
    for (int i = 0; i < PROXIES; i++)
        np_proxy_release(s->proxies[i]);
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < ASKS; i++)
            check(s->asks[t][i].ends == 1, s, "an ask did not end exactly once");
    check(s->answered + s->failed + s->left == THREADS * ASKS, s, "the sum is wrong");
    check(s->answered > 0 && s->failed > 0 && s->left > 0, s, "one of the ends never happened");
}

int main(void)
{
    static struct state s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const char *given = getenv("NP_SEED");
    s.seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    for (int round = 0; round < ROUNDS; round++) {
        one_round(&s);
        printf("seed %llu: %ld answered, %ld failed, %ld left\n", (unsigned long long)s.seed,
               s.answered, s.failed, s.left);
        s.seed++;
    }
    return 0;
}
