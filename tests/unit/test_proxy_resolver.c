/*
 * Decisions on a loop: what is answered at once and what is waited for, callbacks one at a time,
 * those that fail, hang or are left, and what the trace says of all of it.
 */
#include "proxy_decide.h"

#include "../support/recording.h"
#include "clock.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ASKS = 16, WAIT_S = 20 };

struct rig;

struct ask {
    np_loop_task task;
    struct rig *rig;
    const char *host;
    const np_proxy *settings;
    bool cold;
    np_proxy_lookup *lookup;
    bool at_once; /* answered inside np_proxy_ask */
    bool is_done;
    np_proxy_list *list;
    np_error error;
};

struct rig {
    np_loop *loop;
    np_callback_pool *pool;
    np_proxy_resolver *resolver;
    struct recording recording;
    sem_t done; /* an ask has its answer, or a call on the loop is over */
    struct ask asks[ASKS];
    size_t count;
    pthread_mutex_t lock;
    bool is_closed; /* under the lock: nothing is posted to a loop that has ended */
};

static void wait_for(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    cr_assert_eq(sem_timedwait(semaphore, &until), 0, "waited for %d s", WAIT_S);
}

static bool run(np_pool_job *job, void *user)
{
    return np_callback_pool_push(((struct rig *)user)->pool, job);
}

static bool post(np_loop_task *task, void *user)
{
    struct rig *rig = user;
    pthread_mutex_lock(&rig->lock);
    const bool is_open = !rig->is_closed;
    if (is_open)
        np_loop_post(rig->loop, task);
    pthread_mutex_unlock(&rig->lock);
    return is_open;
}

struct table {
    const char *const *pairs;
};

static const char *get(const char *name, void *user)
{
    for (const char *const *p = user; *p; p += 2)
        if (strcmp(p[0], name) == 0)
            return p[1];
    return NULL;
}

static void rig_init(struct rig *rig, const np_proxy *settings, const char *const *variables,
                     int64_t timeout_ns)
{
    np_error err = {0};
    memset(rig, 0, sizeof *rig);
    sem_init(&rig->done, 0, 0);
    pthread_mutex_init(&rig->lock, NULL);
    recording_init(&rig->recording);
    cr_assert_eq(np_loop_create(&rig->loop, &err), NP_OK);
    cr_assert_eq(np_callback_pool_create(2, &rig->pool, &err), NP_OK);
    const np_proxy_resolver_options options = {
        .settings = settings,
        .from_environment = variables != NULL,
        .environment =
            variables ? np_proxy_environment_create(get, (void *)(uintptr_t)variables) : NULL,
        .timeout_ns = timeout_ns,
        .run = run,
        .post = post,
        .user = rig};
    cr_assert_eq(np_proxy_resolver_create(rig->loop, &rig->recording.producer, &options,
                                          &rig->resolver, &err),
                 NP_OK);
    cr_assert_eq(np_loop_start(rig->loop, &err), NP_OK);
}

static void answered(np_proxy_list *list, const np_error *error, void *user)
{
    struct ask *ask = user;
    ask->lookup = NULL;
    ask->list = list;
    if (error)
        ask->error = *error;
    ask->is_done = true;
    sem_post(&ask->rig->done);
}

static void begin(np_loop_task *task)
{
    struct ask *ask = (struct ask *)task;
    struct rig *rig = ask->rig;
    const np_proxy_question question = {.scheme = "http",
                                        .host = ask->host,
                                        .port = 80,
                                        .request = (uint32_t)(ask - rig->asks) + 1,
                                        .cold = ask->cold,
                                        .settings = ask->settings};
    np_proxy_list *list = (np_proxy_list *)1;
    np_proxy_lookup *lookup =
        np_proxy_ask(rig->resolver, &question, np_now(), &list, answered, ask);
    if (lookup) {
        cr_assert_null(list);
        cr_assert_not(ask->is_done, "told from inside np_proxy_ask");
        ask->lookup = lookup;
        return;
    }
    ask->at_once = true;
    answered(list, NULL, ask);
}

static struct ask *start(struct rig *rig, const char *host, const np_proxy *settings, bool cold)
{
    struct ask *ask = &rig->asks[rig->count++];
    *ask = (struct ask){
        .task.run = begin, .rig = rig, .host = host, .settings = settings, .cold = cold};
    np_loop_post(rig->loop, &ask->task);
    return ask;
}

static struct ask *ask(struct rig *rig, const char *host, const np_proxy *settings, bool cold)
{
    struct ask *started = start(rig, host, settings, cold);
    wait_for(&rig->done);
    cr_assert(started->is_done);
    return started;
}

struct order {
    np_loop_task task;
    struct rig *rig;
    void (*fn)(struct rig *rig, void *user);
    void *user;
};

static void obey(np_loop_task *task)
{
    struct order *order = (struct order *)task;
    order->fn(order->rig, order->user);
    sem_post(&order->rig->done);
}

static void on_loop(struct rig *rig, void (*fn)(struct rig *rig, void *user), void *user)
{
    struct order order = {.task.run = obey, .rig = rig, .fn = fn, .user = user};
    np_loop_post(rig->loop, &order.task);
    wait_for(&rig->done);
}

static void cancel(struct rig *rig, void *user)
{
    struct ask *asked = user;
    (void)rig;
    np_proxy_lookup_cancel(asked->lookup, np_now());
    asked->lookup = NULL;
}

static void free_resolver(struct rig *rig, void *user)
{
    (void)user;
    np_proxy_resolver_free(rig->resolver);
}

static void rig_end(struct rig *rig)
{
    on_loop(rig, free_resolver, NULL);
    pthread_mutex_lock(&rig->lock);
    rig->is_closed = true;
    pthread_mutex_unlock(&rig->lock);
    np_loop_stop(rig->loop);
    np_callback_pool_stop(rig->pool);
    np_loop_free(rig->loop);
    np_callback_pool_free(rig->pool);
    for (size_t i = 0; i < rig->count; i++)
        np_proxy_list_release(rig->asks[i].list);
    recording_read(&rig->recording);
}

static const char *list_text(const struct ask *asked)
{
    static char text[512];
    if (!asked->list)
        return "none";
    np_proxy_list_text(asked->list, text, sizeof text);
    return text;
}

static void expect_phases(struct rig *rig, const struct ask *asked, const char *expected)
{
    char phases[200];
    const uint32_t request = (uint32_t)(asked - rig->asks) + 1;
    cr_expect_str_eq(recording_phases(&rig->recording, request, phases, sizeof phases), expected,
                     "%s: %s", asked->host, phases);
}

/* The spans of kind `source` of an ask: "name/verdict name/verdict". */
static void expect_sources(struct rig *rig, const struct ask *asked, const char *expected)
{
    static struct recorded_span spans[64];
    char text[400] = "";
    const uint32_t request = (uint32_t)(asked - rig->asks) + 1;
    const size_t count = recording_spans(&rig->recording, NP_SPAN_PROXY_SOURCE, spans, 64);
    for (size_t i = 0; i < count; i++) {
        char verdict[32] = "?";
        if (spans[i].request != request)
            continue;
        cr_expect_geq(spans[i].end_ns, spans[i].begin_ns);
        cr_expect_eq(spans[i].phase, NP_PHASE_PROXY);
        (void)sscanf(spans[i].detail, "{\"verdict\":\"%31[a-z]", verdict);
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s/%s", *text ? " " : "",
                       spans[i].name, verdict);
    }
    cr_expect_str_eq(text, expected, "%s: %s", asked->host, text);
}

/* --- without callbacks --- */

static const char *const variables[] = {"http_proxy", "http://u:secret@p:1", "no_proxy",
                                        "direct.test", NULL};

Test(proxy_resolver, the_environment_answers_at_once_and_once)
{
    static struct rig rig;
    rig_init(&rig, NULL, variables, 0);
    struct ask *first = ask(&rig, "h.test", NULL, false);
    struct ask *again = ask(&rig, "h.test", NULL, false);
    struct ask *bypassed = ask(&rig, "direct.test", NULL, false);
    struct ask *cold = ask(&rig, "h.test", NULL, true);
    struct ask *loopback = ask(&rig, "127.0.0.1", NULL, false);
    struct ask *direct = ask(&rig, "h.test", np_proxy_direct(), false);
    for (size_t i = 0; i < rig.count; i++)
        cr_expect(rig.asks[i].at_once);
    cr_expect_str_eq(list_text(first), "http://p:1");
    cr_expect_str_eq(first->list->entry[0].password, "secret");
    cr_expect_eq(again->list, first->list);
    cr_expect_str_eq(list_text(bypassed), "direct");
    cr_expect_str_eq(list_text(cold), "http://p:1");
    cr_expect_str_eq(list_text(loopback), "none");
    cr_expect_str_eq(list_text(direct), "none");
    rig_end(&rig);
    expect_phases(&rig, first, "proxy queue!");
    expect_phases(&rig, again, "");
    expect_phases(&rig, bypassed, "proxy queue!");
    expect_phases(&rig, cold, "proxy queue!");
    expect_phases(&rig, loopback, "");
    expect_phases(&rig, direct, "");
    expect_sources(&rig, first, "environment/used");
    expect_sources(&rig, bypassed, "environment/used");
    static struct recorded_span spans[16];
    const size_t count = recording_spans(&rig.recording, -1, spans, 16);
    for (size_t i = 0; i < count; i++)
        cr_expect_null(strstr(spans[i].detail, "secret"));
    recording_done(&rig.recording);
}

Test(proxy_resolver, without_a_variable_nothing_is_computed)
{
    static const char *const nothing[] = {"no_proxy", "x", NULL};
    static struct rig rig;
    rig_init(&rig, NULL, nothing, 0);
    struct ask *asked = ask(&rig, "h.test", NULL, false);
    cr_expect_str_eq(list_text(asked), "none");
    rig_end(&rig);
    expect_phases(&rig, asked, "");
    recording_done(&rig.recording);
}

Test(proxy_resolver, a_malformed_variable_fails_the_request_later)
{
    static const char *const broken[] = {"http_proxy", "ftp://p:1", NULL};
    static struct rig rig;
    rig_init(&rig, NULL, broken, 0);
    struct ask *asked = ask(&rig, "h.test", NULL, false);
    cr_expect_not(asked->at_once);
    cr_expect_eq(asked->error.status, NP_E_WEB);
    cr_expect_not_null(strstr(asked->error.text, "http_proxy"));
    rig_end(&rig);
    expect_phases(&rig, asked, "proxy!");
    expect_sources(&rig, asked, "environment/error");
    recording_done(&rig.recording);
}

static np_proxy *proxy_of(const char *proxies, np_proxy_callback callback, void *user,
                          np_proxy_error_policy policy)
{
    np_error err = {0};
    np_proxy *proxy = NULL;
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    options.proxies = proxies;
    options.callback = callback;
    options.user = user;
    options.on_error = policy;
    cr_assert_eq(np_proxy_create(&options, &proxy, &err), NP_OK, "%s", err.text);
    return proxy;
}

Test(proxy_resolver, the_request_comes_before_the_context_and_that_before_the_environment)
{
    static struct rig rig;
    np_proxy *own = proxy_of("own:1", NULL, NULL, 0);
    np_proxy *general = proxy_of("general:2; DIRECT", NULL, NULL, 0);
    rig_init(&rig, general, variables, 0);
    np_proxy_release(general);
    struct ask *with_own = ask(&rig, "h.test", own, false);
    struct ask *without = ask(&rig, "h.test", NULL, false);
    struct ask *loopback = ask(&rig, "localhost", NULL, false);
    cr_expect_str_eq(list_text(with_own), "http://own:1");
    cr_expect_str_eq(list_text(without), "http://general:2; direct");
    cr_expect_str_eq(list_text(loopback), "http://general:2; direct");
    np_proxy_release(own);
    rig_end(&rig);
    expect_sources(&rig, with_own, "request/used");
    expect_sources(&rig, without, "context/used");
    recording_done(&rig.recording);
}

static void mark_bad(struct rig *rig, void *user)
{
    np_proxy_failed(rig->resolver, user, np_now());
}

static void mark_good(struct rig *rig, void *user)
{
    np_proxy_worked(rig->resolver, user);
}

static void refresh(struct rig *rig, void *user)
{
    np_proxy_resolver_refresh(rig->resolver, np_proxy_environment_create(get, user));
}

Test(proxy_resolver, bad_proxies_go_behind_and_a_refresh_forgets)
{
    static const char *const others[] = {"http_proxy", "other:9", NULL};
    static struct rig rig;
    np_proxy *own = proxy_of("a:1; b:2", NULL, NULL, 0);
    rig_init(&rig, NULL, variables, 0);
    struct ask *first = ask(&rig, "h.test", own, false);
    cr_expect_str_eq(list_text(first), "http://a:1; http://b:2");
    on_loop(&rig, mark_bad, &first->list->entry[0]);
    cr_expect_str_eq(list_text(ask(&rig, "h.test", own, false)), "http://b:2; http://a:1");
    on_loop(&rig, mark_good, &first->list->entry[0]);
    cr_expect_str_eq(list_text(ask(&rig, "h.test", own, false)), "http://a:1; http://b:2");
    cr_expect_str_eq(list_text(ask(&rig, "h.test", NULL, false)), "http://p:1");
    on_loop(&rig, mark_bad, &first->list->entry[0]);
    on_loop(&rig, refresh, (void *)(uintptr_t)others);
    cr_expect_str_eq(list_text(ask(&rig, "h.test", own, false)), "http://a:1; http://b:2");
    cr_expect_str_eq(list_text(ask(&rig, "h.test", NULL, false)), "http://other:9");
    np_proxy_release(own);
    rig_end(&rig);
    recording_done(&rig.recording);
}

Test(proxy_resolver, more_origins_than_are_remembered_are_no_harm)
{
    static struct rig rig;
    static char hosts[3000][24];
    rig_init(&rig, NULL, variables, 0);
    for (size_t i = 0; i < 3000; i++) {
        (void)snprintf(hosts[i], sizeof hosts[i], "h%zu.test", i);
        struct ask *asked = ask(&rig, hosts[i], NULL, false);
        cr_assert_str_eq(list_text(asked), "http://p:1");
        np_proxy_list_release(asked->list);
        rig.count = 0;
    }
    rig_end(&rig);
    recording_done(&rig.recording);
}

/* --- with callbacks --- */

struct script {
    const char *answer;
    np_status status;
    np_web_status web;
    _Atomic int calls;
    _Atomic int inside, most_inside;
    bool holds; /* waits for `go` before it answers */
    sem_t entered, go;
};

static np_status callback(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                          np_error *err)
{
    struct script *script = user;
    const int inside = ++script->inside;
    if (inside > script->most_inside)
        script->most_inside = inside;
    script->calls++;
    cr_assert_str_eq(query->scheme, "http");
    cr_assert_not_null(strstr(query->url, query->host));
    if (script->holds) {
        sem_post(&script->entered);
        while (sem_wait(&script->go) != 0)
            ;
    }
    (void)snprintf(answer, capacity, "%s", script->answer);
    if (script->status) {
        err->status = script->status;
        err->web_status = script->web;
        (void)snprintf(err->text, sizeof err->text, "the script is ill");
    }
    script->inside--;
    return script->status;
}

static void script_init(struct script *script, const char *answer, bool holds)
{
    memset(script, 0, sizeof *script);
    script->answer = answer;
    script->holds = holds;
    sem_init(&script->entered, 0, 0);
    sem_init(&script->go, 0, 0);
}

Test(proxy_resolver, a_callback_is_asked_off_the_loop_and_its_answer_is_kept)
{
    static struct rig rig;
    struct script script;
    script_init(&script, "PROXY s:1; DIRECT", false);
    np_proxy *proxy = proxy_of(NULL, callback, &script, 0);
    rig_init(&rig, proxy, NULL, 0);
    struct ask *first = ask(&rig, "h.test", NULL, false);
    struct ask *again = ask(&rig, "h.test", NULL, false);
    cr_expect_not(first->at_once);
    cr_expect(again->at_once);
    cr_expect_str_eq(list_text(first), "http://s:1; direct");
    cr_expect_eq(again->list, first->list);
    cr_expect_eq(script.calls, 1);
    np_proxy_release(proxy);
    rig_end(&rig);
    expect_phases(&rig, first, "proxy queue!");
    expect_phases(&rig, again, "");
    expect_sources(&rig, first, "context/used");
    recording_done(&rig.recording);
}

Test(proxy_resolver, one_call_serves_all_who_wait_and_who_leaves_leaves_at_once)
{
    static struct rig rig;
    struct script script;
    script_init(&script, "PROXY s:1", true);
    np_proxy *proxy = proxy_of(NULL, callback, &script, 0);
    rig_init(&rig, proxy, NULL, 0);
    struct ask *first = start(&rig, "h.test", NULL, false);
    wait_for(&script.entered);
    struct ask *second = start(&rig, "h.test", NULL, false);
    struct ask *third = start(&rig, "h.test", NULL, false);
    struct ask *other = start(&rig, "other.test", NULL, false);
    on_loop(&rig, cancel, first);
    on_loop(&rig, cancel, third);
    cr_expect_eq(script.calls, 1, "the other origin has to wait for its turn");
    sem_post(&script.go);
    wait_for(&rig.done);
    cr_expect(second->is_done);
    wait_for(&script.entered);
    sem_post(&script.go);
    wait_for(&rig.done);
    cr_expect(other->is_done);
    cr_expect_not(first->is_done);
    cr_expect_not(third->is_done);
    cr_expect_str_eq(list_text(second), "http://s:1");
    cr_expect_eq(script.calls, 2);
    cr_expect_eq(script.most_inside, 1);
    np_proxy_release(proxy);
    rig_end(&rig);
    expect_phases(&rig, first, "proxy!");
    expect_phases(&rig, second, "proxy queue!");
    expect_sources(&rig, first, "context/?");
    expect_sources(&rig, second, "context/used");
    recording_done(&rig.recording);
}

Test(proxy_resolver, what_nobody_waited_for_is_remembered)
{
    static struct rig rig;
    struct script script;
    script_init(&script, "PROXY s:1", true);
    np_proxy *proxy = proxy_of(NULL, callback, &script, 0);
    rig_init(&rig, proxy, NULL, 0);
    struct ask *first = start(&rig, "h.test", NULL, false);
    wait_for(&script.entered);
    on_loop(&rig, cancel, first);
    sem_post(&script.go);
    struct ask *later = NULL;
    const uint64_t until_ns = np_now() + WAIT_S * (uint64_t)NP_NS_PER_S;
    do { /* the answer is under way to the loop; until it is there one has to get in line */
        np_proxy_list_release(later ? later->list : NULL);
        rig.count = 1;
        sem_post(&script.go);
        later = ask(&rig, "h.test", NULL, false);
    } while (!later->at_once && np_now() < until_ns);
    cr_expect(later->at_once);
    cr_expect_str_eq(list_text(later), "http://s:1");
    np_proxy_release(proxy);
    rig_end(&rig);
    recording_done(&rig.recording);
}

Test(proxy_resolver, what_a_failure_means_is_said_by_the_policy)
{
    static const struct {
        np_proxy_error_policy policy;
        const char *proxies;
        np_web_status web;
        const char *list, *sources;
    } cases[] = {
        {NP_PROXY_ERROR_DIRECT,      NULL,       0,                                  "direct",          "context/error"                 },
        {NP_PROXY_ERROR_DIRECT,      "static:7", 0,                                  "http://static:7", "context/error"                 },
        {NP_PROXY_ERROR_FAIL,        NULL,       0,                                  NULL,              "context/error"                 },
        {NP_PROXY_ERROR_NEXT_SOURCE, NULL,       0,                                  "http://p:1",      "context/error environment/used"},
        {NP_PROXY_ERROR_DIRECT,      NULL,       NP_WEB_REQUEST_PROHIBITED_BY_PROXY, NULL,              "context/error"                 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct rig rig;
        struct script script;
        script_init(&script, "", false);
        script.status = cases[i].web ? NP_E_WEB : NP_E_IO;
        script.web = cases[i].web;
        np_proxy *proxy = proxy_of(cases[i].proxies, callback, &script, cases[i].policy);
        rig_init(&rig, proxy, variables, 0);
        struct ask *asked = ask(&rig, "h.test", NULL, false);
        cr_expect_eq(asked->error.status == NP_OK, cases[i].list != NULL, "case %zu", i);
        if (cases[i].list)
            cr_expect_str_eq(list_text(asked), cases[i].list, "case %zu", i);
        else
            cr_expect_not_null(strstr(asked->error.text, "the script is ill"));
        if (cases[i].web)
            cr_expect_eq(asked->error.web_status, cases[i].web);
        (void)ask(&rig, "h.test", NULL, false);
        cr_expect_eq(script.calls, 2, "a failure is not remembered");
        np_proxy_release(proxy);
        rig_end(&rig);
        expect_sources(&rig, asked, cases[i].sources);
        recording_done(&rig.recording);
    }
}

Test(proxy_resolver, no_opinion_goes_to_the_next_source)
{
    static struct rig rig;
    struct script silent;
    struct script odd;
    script_init(&silent, " ; ", false);
    script_init(&odd, "QUIC x:1", false);
    np_proxy *proxy = proxy_of(NULL, callback, &silent, 0);
    np_proxy *own = proxy_of(NULL, callback, &odd, 0);
    rig_init(&rig, proxy, variables, 0);
    struct ask *asked = ask(&rig, "h.test", NULL, false);
    struct ask *unusable = ask(&rig, "h.test", own, false);
    cr_expect_str_eq(list_text(asked), "http://p:1");
    cr_expect_str_eq(list_text(unusable), "direct");
    np_proxy_release(proxy);
    np_proxy_release(own);
    rig_end(&rig);
    expect_sources(&rig, asked, "context/empty environment/used");
    expect_sources(&rig, unusable, "request/used");
    recording_done(&rig.recording);
}

Test(proxy_resolver, a_callback_that_hangs_costs_its_bound_once)
{
    static struct rig rig;
    struct script script;
    script_init(&script, "PROXY s:1", true);
    np_proxy *proxy = proxy_of(NULL, callback, &script, NP_PROXY_ERROR_NEXT_SOURCE);
    rig_init(&rig, proxy, variables, 50 * NP_NS_PER_MS);
    struct ask *first = start(&rig, "h.test", NULL, false);
    wait_for(&script.entered);
    struct ask *queued = start(&rig, "other.test", NULL, false);
    wait_for(&rig.done);
    wait_for(&rig.done);
    cr_expect(first->is_done && queued->is_done);
    struct ask *refused = ask(&rig, "third.test", NULL, false);
    cr_expect(refused->at_once, "the callback is overdue: nobody waits for it again");
    cr_expect_str_eq(list_text(first), "http://p:1");
    cr_expect_str_eq(list_text(queued), "http://p:1");
    cr_expect_str_eq(list_text(refused), "http://p:1");
    cr_expect_eq(script.calls, 1);
    sem_post(&script.go);
    np_proxy_release(proxy);
    rig_end(&rig);
    expect_sources(&rig, first, "context/error environment/used");
    expect_phases(&rig, first, "proxy queue!");
    static struct recorded_span spans[16];
    const size_t count = recording_spans(&rig.recording, NP_SPAN_PROXY_SOURCE, spans, 16);
    cr_assert_gt(count, 0);
    cr_expect_eq(spans[0].outcome, NP_SPAN_TIMEOUT);
    cr_expect_geq(spans[0].end_ns - spans[0].begin_ns, 49 * (uint64_t)NP_NS_PER_MS);
    recording_done(&rig.recording);
}

Test(proxy_resolver, who_still_waits_at_the_end_is_told)
{
    static struct rig rig;
    struct script script;
    script_init(&script, "PROXY s:1", true);
    np_proxy *proxy = proxy_of(NULL, callback, &script, 0);
    rig_init(&rig, proxy, NULL, 0);
    struct ask *waiting = start(&rig, "h.test", NULL, false);
    wait_for(&script.entered);
    struct ask *queued = start(&rig, "other.test", NULL, true);
    on_loop(&rig, free_resolver, NULL);
    wait_for(&rig.done);
    wait_for(&rig.done);
    cr_expect_eq(waiting->error.status, NP_E_OBJECT_DISPOSED);
    cr_expect_eq(queued->error.status, NP_E_OBJECT_DISPOSED);
    rig.resolver = NULL;
    sem_post(&script.go);
    np_proxy_release(proxy);
    rig_end(&rig);
    recording_done(&rig.recording);
}
