/*
 * The proxy decision on the loop: the sources in order, what is remembered, callbacks on the pool.
 * Floor 2; loop thread only, but for run_callback.
 *
 *   ask ─► remembered? ─► flight (one a key, shared by its waiters) ─► source ─► source ─► end
 *                                                                        │ callback
 *                                                          pool thread ◄─┴─► task on the loop
 *
 * - A flight goes through its sources; each is a trial, and a span in the trace of every waiter.
 *   It ends inside np_proxy_ask where no callback has to be asked, and nothing of it is left then.
 * - One call a np_proxy at a time: a callback need not cope with several threads, and one that
 *   hangs takes one thread of the pool and no more. While a call is overdue, whoever asks the same
 *   np_proxy is refused at once; when it returns after all, its answer is remembered.
 * - A call is shared by the loop and the thread that runs it: two references. What the thread
 *   touches (question, answer) nobody else touches until it has posted.
 */
#include "proxy_cache.h"
#include "proxy_decide.h"

#include "clock.h"
#include "fail.h"
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_NS (INT64_C(10) * NP_NS_PER_S)
#define SLOW_NS            ((uint64_t)NP_NS_PER_S) /* PX-4 */

enum { SOURCES = 3 };

typedef struct flight flight;

/* A call of a callback. */
typedef struct call {
    np_pool_job job;
    np_loop_task task;
    _Atomic uint32_t references;
    _Atomic bool is_unwanted;    /* the resolver is gone */
    np_proxy_resolver *resolver; /* the loop's; NULL: it is gone */
    np_link in_resolver;
    flight *flight; /* who waits for it; NULL: nobody any more */
    bool is_overdue;
    uint64_t start_ns;
    unsigned generation;
    np_proxy_key key; /* with a reference to its settings */
    bool (*post)(np_loop_task *task, void *user);
    void *post_user;
    /* the thread's until it has posted */
    np_status status;
    np_error error;
    char answer[NP_PROXY_RESULT_MAX + 2];
} call;

struct np_proxy_resolver {
    np_loop *loop;
    np_producer *producer;
    const np_proxy_settings *settings;
    bool from_environment;
    np_proxy_environment *environment;
    char *bypass;
    int64_t timeout_ns;
    bool (*run)(np_pool_job *job, void *user);
    bool (*post)(np_loop_task *task, void *user);
    void *user;
    np_proxy_cache *cache;
    np_proxy_bad *bad;
    unsigned generation; /* counts refreshes */
    np_link waiting;     /* flights that wait for a callback */
    np_link queued;      /* flights that wait for their turn with a callback */
    np_link calls;
    np_proxy_lookup *spare; /* tells that there is no memory */
};

struct np_proxy_lookup {
    np_proxy_resolver *resolver;
    flight *flight; /* NULL: it only waits to be told `error` */
    np_link in_flight;
    uint32_t request;
    uint32_t span, slow_span;
    bool is_shared;
    bool is_cancelled;
    np_proxy_trials *trials;
    np_proxy_fn fn;
    void *user;
    np_loop_task task;
    np_error error;
};

struct flight {
    np_proxy_resolver *resolver;
    np_proxy_key key; /* with a reference to its settings */
    bool is_cold;     /* shared with nobody, and not remembered */
    bool is_starting; /* inside np_proxy_ask: nobody is called */
    bool is_over;     /* answered: `list`, `error` */
    bool is_expired;  /* its time is over: no further callback */
    bool is_slow;
    bool has_failed; /* a source did: the answer is not to be remembered */
    np_link in_waiting, in_queued;
    np_link waiters;
    const np_proxy_settings *source[SOURCES]; /* NULL: the environment */
    size_t source_count, at;
    np_proxy_trials trials;
    call *call;
    np_loop_timer *timer;
    uint64_t deadline_ns;
    np_proxy_list *list;
    np_error error;
};

/* --- spans --- */

static np_span_outcome outcome_of(const np_proxy_trial *trial)
{
    static const np_span_outcome outcomes[] = {[NP_PROXY_USED] = NP_SPAN_OK,
                                               [NP_PROXY_EMPTY] = NP_SPAN_NODATA,
                                               [NP_PROXY_SKIPPED] = NP_SPAN_SKIPPED,
                                               [NP_PROXY_ERROR] = NP_SPAN_FAILED};
    return trial->timed_out ? NP_SPAN_TIMEOUT : outcomes[trial->verdict];
}

static void span_begin(np_proxy_lookup *lookup, const char *name, uint64_t now_ns)
{
    if (lookup->request == 0)
        return;
    lookup->span = np_emit_span_begin(lookup->resolver->producer, now_ns, lookup->request, 0,
                                      NP_PHASE_PROXY, NP_SPAN_PROXY_SOURCE, 0, name);
}

static void span_end(np_proxy_lookup *lookup, const np_proxy_trial *trial)
{
    np_textbuf detail;
    if (lookup->span == 0)
        return;
    np_proxy_trial_detail(trial, lookup->is_shared, &detail);
    np_emit_span_end(lookup->resolver->producer, trial->end_ns, lookup->request, lookup->span,
                     outcome_of(trial), detail.failed ? NULL : detail.text);
    np_textbuf_done(&detail);
    lookup->span = 0;
}

static void slow_span_end(np_proxy_lookup *lookup, const flight *f, uint64_t now_ns)
{
    char detail[64];
    if (lookup->slow_span == 0)
        return;
    const size_t last = f->trials.count > 0 ? f->trials.count - 1 : 0;
    (void)snprintf(detail, sizeof detail, "{\"step\":\"%s\"}", f->trials.trial[last].source);
    np_emit_span_end(lookup->resolver->producer, now_ns, lookup->request, lookup->slow_span,
                     NP_SPAN_OK, detail);
    lookup->slow_span = 0;
}

/* The decision of a lookup begins, at the first source or in the middle of one that runs. */
static void trace_begin(np_proxy_lookup *lookup, uint64_t now_ns)
{
    if (lookup->request)
        np_emit_phase_begin(lookup->resolver->producer, now_ns, lookup->request, NP_PHASE_PROXY,
                            NP_SOURCE_CALL);
}

/* With an answer the request goes on to wait for its connection; without one its end is next, and
 * ends the phase. */
static void trace_end(np_proxy_lookup *lookup, const flight *f, uint64_t now_ns)
{
    slow_span_end(lookup, f, now_ns);
    if (lookup->request && !f->error.status)
        np_emit_phase_begin(lookup->resolver->producer, now_ns, lookup->request, NP_PHASE_QUEUE,
                            NP_SOURCE_CALL);
}

/* --- calls --- */

static void call_drop(call *c)
{
    /* acquire and release: the last one frees what the other wrote */
    if (atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
        return;
    np_proxy_release(c->key.settings);
    free(c);
}

/* On a thread of the pool. */
static void run_callback(np_pool_job *job)
{
    call *c = np_item(job, call, job);
    char url[NP_PROXY_HOST_SIZE + sizeof "https://[]:65535/"];
    const char *scheme = c->key.is_https ? "https" : "http";
    (void)snprintf(url, sizeof url, strchr(c->key.host, ':') ? "%s://[%s]:%u/" : "%s://%s:%u/",
                   scheme, c->key.host, (unsigned)c->key.port);
    const np_proxy_query query = {.size = sizeof query,
                                  .url = url,
                                  .host = c->key.host,
                                  .scheme = scheme,
                                  .port = c->key.port};
    if (!atomic_load_explicit(&c->is_unwanted, memory_order_relaxed)) /* only saves the work */
        c->status = c->key.settings->callback(&query, c->answer, sizeof c->answer - 1,
                                              c->key.settings->user, &c->error);
    c->answer[sizeof c->answer - 1] = '\0';
    c->error.text[sizeof c->error.text - 1] = c->error.cause[sizeof c->error.cause - 1] = '\0';
    if (!c->post(&c->task, c->post_user))
        call_drop(c); /* the loop is going, and drops its own */
}

static void call_returned(np_loop_task *task);

static call *find_call(const np_proxy_resolver *resolver, const np_proxy_settings *settings)
{
    for (np_link *l = resolver->calls.next; l != &resolver->calls; l = l->next)
        if (np_item(l, call, in_resolver)->key.settings == settings)
            return np_item(l, call, in_resolver);
    return NULL;
}

/* false: it cannot be asked; in *err. */
static bool call_start(flight *f, const np_proxy_settings *settings, np_error *err)
{
    np_proxy_resolver *resolver = f->resolver;
    call *c = calloc(1, sizeof *c);
    if (!c) {
        (void)np_fail(err, NP_E_NO_MEMORY, "no memory to ask the proxy callback");
        return false;
    }
    atomic_init(&c->references, 2);
    c->job.run = run_callback;
    c->task.run = call_returned;
    c->resolver = resolver;
    c->flight = f;
    c->start_ns = np_loop_now(resolver->loop);
    c->generation = resolver->generation;
    c->key = f->key;
    c->key.settings = np_proxy_retain(settings);
    c->post = resolver->post;
    c->post_user = resolver->user;
    np_list_push_back(&resolver->calls, &c->in_resolver);
    f->call = c;
    if (resolver->run && resolver->run(&c->job, resolver->user))
        return true;
    np_list_remove(&c->in_resolver);
    f->call = NULL;
    call_drop(c);
    call_drop(c);
    (void)np_fail(err, NP_E_OBJECT_DISPOSED, "no thread is left to ask the proxy callback");
    return false;
}

/* --- flights --- */

static void flight_free(flight *f)
{
    np_list_remove(&f->in_waiting);
    np_list_remove(&f->in_queued);
    np_loop_timer_cancel(f->timer);
    if (f->call)
        f->call->flight = NULL; /* its answer will be remembered */
    np_proxy_release(f->key.settings);
    np_proxy_list_release(f->list);
    free(f);
}

static np_proxy_trial *current_trial(flight *f)
{
    return &f->trials.trial[f->trials.count];
}

static void trial_begin(flight *f, const char *name)
{
    np_proxy_trial *trial = current_trial(f);
    *trial = (np_proxy_trial){.source = name, .start_ns = np_now()};
    for (np_link *l = f->waiters.next; l != &f->waiters; l = l->next)
        span_begin(np_item(l, np_proxy_lookup, in_flight), name, trial->start_ns);
}

static void trial_end(flight *f)
{
    np_proxy_trial *trial = current_trial(f);
    trial->end_ns = np_now();
    f->has_failed |= trial->verdict == NP_PROXY_ERROR;
    for (np_link *l = f->waiters.next; l != &f->waiters; l = l->next)
        span_end(np_item(l, np_proxy_lookup, in_flight), trial);
    f->trials.count++;
}

/* Tells the waiters and frees the flight; not while np_proxy_ask is still at it. */
static void tell(flight *f)
{
    np_link *link;
    np_list_remove(&f->in_waiting);
    while ((link = np_list_pop_front(&f->waiters))) {
        np_proxy_lookup *lookup = np_item(link, np_proxy_lookup, in_flight);
        if (lookup->trials)
            *lookup->trials = f->trials;
        lookup->fn(np_proxy_bad_order(f->resolver->bad, f->list, f->trials.end_ns),
                   f->error.status ? &f->error : NULL, lookup->user);
        free(lookup);
    }
    flight_free(f);
}

static void flight_end(flight *f)
{
    np_proxy_resolver *resolver = f->resolver;
    f->is_over = true;
    f->trials.end_ns = f->trials.trial[f->trials.count - 1].end_ns;
    if (!f->is_cold && !f->has_failed)
        np_proxy_cache_store(resolver->cache, &f->key, f->list);
    for (np_link *l = f->waiters.next; l != &f->waiters; l = l->next)
        trace_end(np_item(l, np_proxy_lookup, in_flight), f, f->trials.end_ns);
    if (!f->is_starting)
        tell(f);
}

static const char *source_name(const flight *f)
{
    const np_proxy_settings *settings = f->source[f->at];
    if (!settings)
        return "environment";
    return settings == f->resolver->settings ? "context" : "request";
}

/* Loopback under the system's own sources: PX-6. */
static bool skip_environment(const flight *f, np_proxy_trial *trial)
{
    const char *why = NULL;
    if (!f->resolver->from_environment)
        why = "it was switched off";
    else if (np_proxy_host_is_loopback(f->key.host))
        why = "loopback is reached directly unless a proxy is given explicitly";
    if (!why)
        return false;
    trial->verdict = NP_PROXY_SKIPPED;
    (void)snprintf(trial->reason, sizeof trial->reason, "%s", why);
    return true;
}

/* Asks the callback of this source, or gets in line. CALL: an answer will come. */
static np_proxy_answer call_or_queue(flight *f, const np_proxy_settings *settings)
{
    np_proxy_resolver *resolver = f->resolver;
    np_proxy_trial *trial = current_trial(f);
    const call *running = find_call(resolver, settings);
    np_error why = {0};
    if (f->is_expired) {
        trial->timed_out = true;
        (void)np_fail_web(&why, NP_WEB_TIMEOUT, NULL, 0, NULL,
                          "the time for the proxy decision is over");
    } else if (running && running->is_overdue) {
        trial->timed_out = true;
        (void)np_fail_web(
            &why, NP_WEB_TIMEOUT, NULL, 0, NULL, "the proxy callback has not come back for %.3g s",
            (double)(np_loop_now(resolver->loop) - running->start_ns) / (double)NP_NS_PER_S);
    } else if (running) {
        np_list_push_back(&resolver->queued, &f->in_queued);
        return NP_PROXY_CALL;
    } else if (call_start(f, settings, &why)) {
        return NP_PROXY_CALL;
    }
    return np_proxy_settings_answered(settings, why.status, &why, "", trial, &f->list, &f->error);
}

static np_proxy_answer try_source(flight *f)
{
    const np_proxy_settings *settings = f->source[f->at];
    np_proxy_resolver *resolver = f->resolver;
    np_proxy_trial *trial = current_trial(f);
    const np_proxy_question question = {
        .scheme = f->key.is_https ? "https" : "http", .host = f->key.host, .port = f->key.port};
    if (settings) {
        const np_proxy_answer answer =
            np_proxy_settings_decide(settings, &question, trial, &f->list, &f->error);
        return answer == NP_PROXY_CALL ? call_or_queue(f, settings) : answer;
    }
    if (skip_environment(f, trial))
        return NP_PROXY_NEXT;
    return np_proxy_environment_decide(resolver->environment, resolver->bypass, &question, trial,
                                       &f->list, &f->error);
}

/* From source to source until one answers, or has to be waited for. */
static void flight_advance(flight *f)
{
    for (; f->at < f->source_count; f->at++) {
        trial_begin(f, source_name(f));
        const np_proxy_answer answer = try_source(f);
        if (answer == NP_PROXY_CALL)
            return;
        trial_end(f);
        if (answer != NP_PROXY_NEXT) {
            flight_end(f);
            return;
        }
    }
    trial_begin(f, "direct");
    np_proxy_trial *trial = current_trial(f);
    trial->verdict = NP_PROXY_USED;
    (void)snprintf(trial->value, sizeof trial->value, "direct");
    (void)snprintf(trial->reason, sizeof trial->reason, "no source names a proxy");
    trial_end(f);
    flight_end(f);
}

/* The callback that the flight waits for has answered, or is not waited for any more. */
static void flight_answered(flight *f, np_status status, const np_error *failure,
                            const char *answer)
{
    const np_proxy_answer what = np_proxy_settings_answered(
        f->source[f->at], status, failure, answer, current_trial(f), &f->list, &f->error);
    trial_end(f);
    if (what == NP_PROXY_NEXT) {
        f->at++;
        flight_advance(f);
    } else {
        flight_end(f);
    }
}

/* The next flight in line for this np_proxy. */
static void serve_queue(np_proxy_resolver *resolver, const np_proxy_settings *settings)
{
    for (np_link *l = resolver->queued.next; l != &resolver->queued; l = l->next) {
        flight *f = np_item(l, flight, in_queued);
        np_error why = {0};
        if (f->source[f->at] != settings)
            continue;
        np_list_remove(&f->in_queued);
        if (!call_start(f, settings, &why))
            flight_answered(f, why.status, &why, "");
        return;
    }
}

/* Nobody waited for the answer: the next one who asks has it. */
static void remember_late(call *c)
{
    np_proxy_resolver *resolver = c->resolver;
    np_proxy_trial trial = {0};
    np_proxy_list *list = NULL;
    np_error ignored;
    if (c->status || c->generation != resolver->generation)
        return;
    const np_proxy_answer answer = np_proxy_settings_answered(c->key.settings, NP_OK, &c->error,
                                                              c->answer, &trial, &list, &ignored);
    if (answer == NP_PROXY_ANSWERED && trial.verdict == NP_PROXY_USED)
        np_proxy_cache_store(resolver->cache, &c->key, list);
    np_proxy_list_release(list);
}

static void call_returned(np_loop_task *task)
{
    call *c = np_item(task, call, task);
    np_proxy_resolver *resolver = c->resolver;
    if (resolver) {
        const np_proxy_settings *settings = np_proxy_retain(c->key.settings);
        flight *f = c->flight;
        np_list_remove(&c->in_resolver);
        c->flight = NULL;
        if (f) {
            f->call = NULL;
            flight_answered(f, c->status, &c->error, c->answer);
        } else {
            remember_late(c);
        }
        serve_queue(resolver, settings);
        np_proxy_release(settings);
        call_drop(c);
    }
    call_drop(c);
}

/* --- time --- */

static void on_timer(uint64_t now_ns, void *user);

/* f->timer NULL: no memory. */
static void arm(flight *f, uint64_t at_ns)
{
    np_loop_timer_cancel(f->timer);
    f->timer = np_loop_timer_start(f->resolver->loop, at_ns, on_timer, f);
}

static void tell_slow(flight *f, uint64_t now_ns)
{
    f->is_slow = true;
    for (np_link *l = f->waiters.next; l != &f->waiters; l = l->next) {
        np_proxy_lookup *lookup = np_item(l, np_proxy_lookup, in_flight);
        if (lookup->request)
            lookup->slow_span =
                np_emit_span_begin(lookup->resolver->producer, now_ns, lookup->request, 0,
                                   NP_PHASE_PROXY, NP_SPAN_PIECE, 0, "proxy.detect.slow");
    }
}

static void expire(flight *f)
{
    np_error why;
    (void)np_fail_web(&why, NP_WEB_TIMEOUT, NULL, 0, NULL,
                      f->call ? "the proxy callback gave no answer within %.3g s"
                              : "the proxy callback had no time within %.3g s",
                      (double)f->resolver->timeout_ns / (double)NP_NS_PER_S);
    f->is_expired = true;
    current_trial(f)->timed_out = true;
    np_list_remove(&f->in_queued);
    if (f->call) {
        f->call->is_overdue = true;
        f->call->flight = NULL;
        f->call = NULL;
    }
    flight_answered(f, why.status, &why, "");
}

static void on_timer(uint64_t now_ns, void *user)
{
    flight *f = user;
    if (now_ns >= f->deadline_ns) {
        expire(f);
        return;
    }
    tell_slow(f, now_ns);
    arm(f, f->deadline_ns);
    if (!f->timer)
        expire(f); /* no memory for its bound */
}

/* --- asking --- */

static void refuse(np_loop_task *task)
{
    np_proxy_lookup *lookup = np_item(task, np_proxy_lookup, task);
    if (!lookup->is_cancelled)
        lookup->fn(NULL, &lookup->error, lookup->user);
    free(lookup);
}

/* `fn` will be told so. */
static np_proxy_lookup *refuse_later(np_proxy_lookup *lookup, const np_error *error)
{
    lookup->flight = NULL;
    lookup->error = *error;
    lookup->task.run = refuse;
    np_loop_post(lookup->resolver->loop, &lookup->task);
    return lookup;
}

static np_proxy_lookup *refuse_for_memory(np_proxy_resolver *resolver, np_proxy_fn fn, void *user)
{
    np_error error;
    np_proxy_lookup *lookup = resolver->spare;
    if (!lookup)
        lookup = calloc(1, sizeof *lookup);
    resolver->spare = NULL;
    if (!lookup)
        return NULL; /* for the second time: there is no way left to say it */
    (void)np_fail(&error, NP_E_NO_MEMORY, "no memory for a proxy decision");
    *lookup = (np_proxy_lookup){.resolver = resolver, .fn = fn, .user = user};
    return refuse_later(lookup, &error);
}

static const np_proxy_settings *first_settings(const np_proxy_resolver *resolver,
                                               const np_proxy_question *question)
{
    return question->settings ? question->settings : resolver->settings;
}

/* Nothing to compute: no proxy, and nothing to tell about it. */
static bool is_trivially_direct(const np_proxy_resolver *resolver,
                                const np_proxy_question *question)
{
    const np_proxy_settings *first = first_settings(resolver, question);
    if (question->trials)
        return false;
    if (first)
        return first->is_direct;
    return !resolver->from_environment || !np_proxy_environment_is_set(resolver->environment) ||
           np_proxy_host_is_loopback(question->host);
}

static flight *find_flight(np_proxy_resolver *resolver, const np_proxy_key *key)
{
    for (np_link *l = resolver->waiting.next; l != &resolver->waiting; l = l->next)
        if (!np_item(l, flight, in_waiting)->is_cold &&
            np_proxy_key_equal(&np_item(l, flight, in_waiting)->key, key))
            return np_item(l, flight, in_waiting);
    return NULL;
}

static flight *flight_create(np_proxy_resolver *resolver, const np_proxy_question *question,
                             const np_proxy_key *key, uint64_t now_ns)
{
    flight *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->resolver = resolver;
    f->key = *key;
    (void)np_proxy_retain(key->settings);
    f->is_cold = question->cold || question->trials;
    np_list_init(&f->waiters);
    if (question->settings && question->settings != resolver->settings)
        f->source[f->source_count++] = question->settings;
    if (resolver->settings)
        f->source[f->source_count++] = resolver->settings;
    f->source[f->source_count++] = NULL;
    f->trials.start_ns = now_ns;
    f->deadline_ns = now_ns + (uint64_t)resolver->timeout_ns;
    return f;
}

static np_proxy_lookup *lookup_create(np_proxy_resolver *resolver,
                                      const np_proxy_question *question, np_proxy_fn fn, void *user)
{
    np_proxy_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return NULL;
    lookup->resolver = resolver;
    lookup->request = resolver->producer ? question->request : 0;
    lookup->trials = question->trials;
    lookup->fn = fn;
    lookup->user = user;
    return lookup;
}

static void join(flight *f, np_proxy_lookup *lookup, uint64_t now_ns)
{
    lookup->flight = f;
    lookup->is_shared = !np_list_empty(&f->waiters);
    np_list_push_back(&f->waiters, &lookup->in_flight);
    trace_begin(lookup, now_ns);
    if (lookup->is_shared)
        span_begin(lookup, current_trial(f)->source, now_ns);
}

/* The flight has to wait for a callback. false: no memory for its bound, so it must not. */
static bool wait_for_callback(flight *f)
{
    const uint64_t slow_ns = f->trials.start_ns + SLOW_NS;
    f->is_starting = false;
    arm(f, slow_ns < f->deadline_ns ? slow_ns : f->deadline_ns);
    if (f->timer)
        np_list_push_back(&f->resolver->waiting, &f->in_waiting);
    return f->timer != NULL;
}

/* The flight ended inside np_proxy_ask. */
static np_proxy_lookup *take_answer(flight *f, np_proxy_lookup *lookup, np_proxy_list **out)
{
    np_list_remove(&lookup->in_flight);
    if (lookup->trials)
        *lookup->trials = f->trials;
    if (f->error.status) {
        (void)refuse_later(lookup, &f->error);
    } else {
        *out = np_proxy_bad_order(f->resolver->bad, f->list, f->trials.end_ns);
        free(lookup);
        lookup = NULL;
    }
    flight_free(f);
    return lookup;
}

np_proxy_lookup *np_proxy_ask(np_proxy_resolver *resolver, const np_proxy_question *question,
                              uint64_t now_ns, np_proxy_list **out, np_proxy_fn fn, void *user)
{
    np_proxy_key key;
    np_proxy_list *known;
    *out = NULL;
    if (is_trivially_direct(resolver, question))
        return NULL;
    if (!np_proxy_key_init(&key, first_settings(resolver, question), question))
        return NULL; /* no such host can exist: what follows will say so */
    const bool is_alone = question->cold || question->trials;
    if (!is_alone && np_proxy_cache_find(resolver->cache, &key, &known)) {
        *out = np_proxy_bad_order(resolver->bad, known, now_ns);
        return NULL;
    }
    np_proxy_lookup *lookup = lookup_create(resolver, question, fn, user);
    flight *f = !lookup || is_alone ? NULL : find_flight(resolver, &key);
    if (f) {
        join(f, lookup, now_ns);
        return lookup;
    }
    f = lookup ? flight_create(resolver, question, &key, now_ns) : NULL;
    if (!f) {
        free(lookup);
        return refuse_for_memory(resolver, fn, user);
    }
    join(f, lookup, now_ns);
    f->is_starting = true;
    flight_advance(f);
    if (f->is_over)
        return take_answer(f, lookup, out);
    if (wait_for_callback(f))
        return lookup;
    (void)np_fail(&f->error, NP_E_NO_MEMORY, "no memory for a proxy decision");
    return take_answer(f, lookup, out);
}

void np_proxy_lookup_cancel(np_proxy_lookup *lookup, uint64_t now_ns)
{
    flight *f = lookup->flight;
    if (!f) {
        lookup->is_cancelled = true; /* its task frees it */
        return;
    }
    np_list_remove(&lookup->in_flight);
    slow_span_end(lookup, f, now_ns);
    np_emit_span_end(lookup->resolver->producer, now_ns, lookup->request, lookup->span,
                     NP_SPAN_ABANDONED, NULL);
    free(lookup);
    if (!f->is_over && np_list_empty(&f->waiters))
        flight_free(f);
}

void np_proxy_failed(np_proxy_resolver *resolver, const np_proxy_entry *entry, uint64_t now_ns)
{
    np_proxy_bad_mark(resolver->bad, entry, now_ns);
}

void np_proxy_worked(np_proxy_resolver *resolver, const np_proxy_entry *entry)
{
    np_proxy_bad_clear(resolver->bad, entry);
}

/* --- life --- */

void np_proxy_resolver_refresh(np_proxy_resolver *resolver, np_proxy_environment *environment)
{
    np_proxy_environment_free(resolver->environment);
    resolver->environment = environment;
    np_proxy_cache_clear(resolver->cache);
    np_proxy_bad_clear_all(resolver->bad);
    resolver->generation++;
}

np_status np_proxy_resolver_create(np_loop *loop, np_producer *producer,
                                   const np_proxy_resolver_options *options,
                                   np_proxy_resolver **out, np_error *err)
{
    *out = NULL;
    np_proxy_resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        np_proxy_environment_free(options->environment);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the proxy decision");
    }
    resolver->loop = loop;
    resolver->producer = producer;
    resolver->settings = np_proxy_retain(options->settings);
    resolver->from_environment = options->from_environment;
    resolver->environment = options->environment;
    resolver->timeout_ns = options->timeout_ns > 0 ? options->timeout_ns : DEFAULT_TIMEOUT_NS;
    resolver->run = options->run;
    resolver->post = options->post;
    resolver->user = options->user;
    np_list_init(&resolver->waiting);
    np_list_init(&resolver->queued);
    np_list_init(&resolver->calls);
    resolver->cache = np_proxy_cache_create();
    resolver->bad = np_proxy_bad_create();
    resolver->spare = calloc(1, sizeof *resolver->spare);
    if (options->bypass)
        resolver->bypass = strdup(options->bypass);
    if (!resolver->cache || !resolver->bad || !resolver->spare ||
        (options->bypass && !resolver->bypass)) {
        np_proxy_resolver_free(resolver);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the proxy decision");
    }
    *out = resolver;
    return NP_OK;
}

void np_proxy_resolver_free(np_proxy_resolver *resolver)
{
    np_link *link;
    if (!resolver)
        return;
    while (!np_list_empty(&resolver->waiting)) {
        flight *f = np_item(resolver->waiting.next, flight, in_waiting);
        (void)np_fail(&f->error, NP_E_OBJECT_DISPOSED, "the context was freed");
        tell(f);
    }
    while ((link = np_list_pop_front(&resolver->calls))) {
        call *c = np_item(link, call, in_resolver);
        c->resolver = NULL;
        atomic_store_explicit(&c->is_unwanted, true, memory_order_relaxed);
        call_drop(c);
    }
    np_proxy_cache_free(resolver->cache);
    np_proxy_bad_free(resolver->bad);
    np_proxy_environment_free(resolver->environment);
    np_proxy_release(resolver->settings);
    free(resolver->bypass);
    free(resolver->spare);
    free(resolver);
}
