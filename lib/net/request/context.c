/*
 * A context: makes loop, dialer, engine and callback pool, and takes them down in the one order
 * that loses nothing. Floor 2.
 *
 * Shut-down (AR-12), on the thread that frees: no new requests -> every request is aborted,
 * callbacks run -> the loop's last task frees engine and dialer -> the loop's thread is joined ->
 * the pool runs what is queued and is joined -> the ring goes back to the trace.
 */
#include "context.h"
#include "clock.h"
#include "fail.h"
#include "proxy_decide.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_LIMIT_DEFAULT 65536u
#define LOW_WATER_DEFAULT   2u

/* --- references and requests --- */

void np_context_release(np_context *context)
{
    /* acquire and release: the last one frees what all the others used */
    if (atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    np_callback_pool_free(context->pool);
    np_body_store_done(&context->bodies);
    np_auth_cache_done(&context->auth_cache); /* the loop has been joined */
    np_old_origins_done(&context->old_origins);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

bool np_context_link_request(np_context *context, np_context_link *link)
{
    pthread_mutex_lock(&context->lock);
    const bool accepted = !np_context_is_disposed(context);
    if (accepted) {
        link->next = &context->requests;
        link->previous = context->requests.previous;
        link->linked = true;
        link->previous->next = link;
        context->requests.previous = link;
    }
    pthread_mutex_unlock(&context->lock);
    return accepted;
}

/* With the lock held. */
static void unlink_locked(np_context_link *link)
{
    if (!link->linked)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->linked = false;
}

void np_context_unlink_request(np_context *context, np_context_link *link)
{
    pthread_mutex_lock(&context->lock);
    unlink_locked(link);
    pthread_mutex_unlock(&context->lock);
}

/* The next request that shut-down has not seen, with a reference; NULL: none. */
static np_context_link *take_request(np_context *context)
{
    np_context_link *found = NULL;
    pthread_mutex_lock(&context->lock);
    while (!found && context->requests.next != &context->requests) {
        np_context_link *link = context->requests.next;
        unlink_locked(link);
        if (link->hold(link))
            found = link;
    }
    pthread_mutex_unlock(&context->lock);
    return found;
}

/* --- the loop --- */

/* Counts itself first and looks then; close_loop does it the other way round. With both
 * sequentially consistent either the poster sees that the loop is closed, or close_loop sees the
 * poster. */
bool np_context_post(np_context *context, np_loop_task *task)
{
    atomic_fetch_add_explicit(&context->posters, 1, memory_order_seq_cst);
    const bool open = atomic_load_explicit(&context->loop_open, memory_order_seq_cst);
    if (open)
        np_loop_post(context->loop, task);
    atomic_fetch_sub_explicit(&context->posters, 1, memory_order_release); /* close_loop acquires */
    return open;
}

/* From here on nothing comes to the loop from outside. A post takes a microsecond and never waits.
 */
static void close_loop(np_context *context)
{
    atomic_store_explicit(&context->loop_open, false, memory_order_seq_cst);
    while (atomic_load_explicit(&context->posters, memory_order_seq_cst) > 0)
        sched_yield();
}

static void finish_all(np_loop_task *task)
{
    np_context *context = (np_context *)((char *)task - offsetof(np_context, finish_task));
    np_pool_job *job = context->finished;
    context->finished = NULL;
    context->finished_end = &context->finished;
    while (job) {
        np_pool_job *next = job->next;
        np_async_finish((np_async *)((char *)job - offsetof(np_async, job)));
        job = next;
    }
}

void np_context_finish_later(np_context *context, np_async *async)
{
    if (!async)
        return;
    if (!context->finished) {
        context->finish_task.run = finish_all;
        np_loop_post(context->loop, &context->finish_task); /* we are on the loop: it costs no
                                                               wake-up and is always taken */
    }
    async->job.next = NULL;
    *context->finished_end = &async->job;
    context->finished_end = &async->job.next;
}

static void free_engine(np_loop_task *task)
{
    np_context *context = (np_context *)((char *)task - offsetof(np_context, last_task));
    if (context->engine)
        np_engine_free(context->engine);
    np_dialer_free(context->dialer);
    np_proxy_resolver_free(context->proxies);
    context->engine = NULL;
    context->proxies = NULL;
    context->dialer = NULL;
}

/* --- making one --- */

/* PEM, as OpenSSL reads it; what stands around the certificates does not matter. */
static bool begins_certificate(const char *line)
{
    static const char *const words[] = {"-----BEGIN CERTIFICATE-----",
                                        "-----BEGIN X509 CERTIFICATE-----",
                                        "-----BEGIN TRUSTED CERTIFICATE-----"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(line, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* Without a certificate in it every request would fail, and each as late as in its handshake. */
static np_status check_file(const char *path, np_error *err)
{
    char line[128];
    if (!path)
        return NP_OK;
    FILE *in = fopen(path, "re");
    if (!in)
        return np_fail_os(err, NP_E_INPUT, errno, "the certificate file %s cannot be read", path);
    bool found = false;
    while (!found && fgets(line, sizeof line, in))
        found = begins_certificate(line);
    const int error_number = ferror(in) ? errno : 0;
    (void)fclose(in);
    if (error_number)
        return np_fail_os(err, NP_E_INPUT, error_number, "the certificate file %s cannot be read",
                          path);
    return found ? NP_OK
                 : np_fail(err, NP_E_INPUT,
                           "%s has no certificate: expected one or more in PEM, each behind "
                           "-----BEGIN CERTIFICATE-----",
                           path);
}

static np_status check_options(const np_context_options *o, np_error *err)
{
    if (o->pool_threads > NP_POOL_THREADS_MAX)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "%u pool threads: expected 1 to %d",
                       o->pool_threads, NP_POOL_THREADS_MAX);
    if (o->connection_lease_timeout_ns < -1 || o->max_idle_time_ns < -1)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "%s is below -1: expected a number of nanoseconds, or -1 for no limit",
                       o->connection_lease_timeout_ns < -1 ? "connection_lease_timeout_ns"
                                                           : "max_idle_time_ns");
    if (o->connect_timeout_ns < 0)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "connect_timeout_ns is negative: expected a number of nanoseconds, or 0 for "
                       "the default");
    if (o->family != NP_FAMILY_ANY && o->family != NP_FAMILY_IPV4 && o->family != NP_FAMILY_IPV6)
        return np_fail(err, NP_E_ARGUMENT, "%d is no address family: expected one of np_family",
                       (int)o->family);
    if (o->proxy_timeout_ns < 0 || o->proxy_connect_timeout_ns < 0)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "%s is negative: expected a number of nanoseconds, or 0 for the default",
                       o->proxy_timeout_ns < 0 ? "proxy_timeout_ns" : "proxy_connect_timeout_ns");
    if (o->proxy_bypass && strlen(o->proxy_bypass) > NP_NO_PROXY_MAX)
        return np_fail(err, NP_E_ARGUMENT,
                       "the list of hosts without a proxy is %zu bytes long: expected at most %d",
                       strlen(o->proxy_bypass), NP_NO_PROXY_MAX);
    if (o->proxy_sources != NP_PROXY_FROM_DEFAULT && o->proxy_sources != NP_PROXY_FROM_NOWHERE &&
        o->proxy_sources != NP_PROXY_FROM_ENVIRONMENT)
        return np_fail(err, NP_E_ARGUMENT,
                       "%d is no set of proxy sources: expected np_proxy_sources",
                       (int)o->proxy_sources);
    if (o->resolver != NP_RESOLVER_AUTOMATIC && o->resolver != NP_RESOLVER_OWN &&
        o->resolver != NP_RESOLVER_SYSTEM)
        return np_fail(err, NP_E_ARGUMENT, "%d is no resolver: expected one of np_resolver",
                       (int)o->resolver);
    const np_tls_version versions[] = {o->tls_minimum, o->tls_maximum};
    for (size_t i = 0; i < 2; i++)
        if (versions[i] != NP_TLS_DEFAULT && versions[i] != NP_TLS_1_2 && versions[i] != NP_TLS_1_3)
            return np_fail(err, NP_E_ARGUMENT,
                           "%d is no TLS version: expected one of np_tls_version",
                           (int)versions[i]);
    if (o->tls_maximum != NP_TLS_DEFAULT && o->tls_minimum > o->tls_maximum)
        return np_fail(err, NP_E_ARGUMENT, "tls_minimum is newer than tls_maximum");
    if (o->profile != NP_PROFILE_FULL && o->profile != NP_PROFILE_COMPACT)
        return np_fail(err, NP_E_ARGUMENT, "%d is no profile: expected one of np_profile",
                       (int)o->profile);
    if (o->kernel_times < NP_KERNEL_TIMES_AUTO || o->kernel_times > NP_KERNEL_TIMES_NEVER)
        return np_fail(err, NP_E_ARGUMENT, "kernel_times is %d: expected one of np_kernel_times",
                       (int)o->kernel_times);
    if ((o->resolve_count > 0 && !o->resolve) || (o->connect_to_count > 0 && !o->connect_to))
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL",
                       o->resolve_count > 0 && !o->resolve ? "resolve" : "connect_to");
    const np_status status = check_file(o->ca_file, err);
    return status ? status : check_file(o->proxy_ca_file, err);
}

static bool run_on_pool(np_pool_job *job, void *user)
{
    return np_callback_pool_push(((np_context *)user)->pool, job);
}

static bool post_to_loop(np_loop_task *task, void *user)
{
    return np_context_post(user, task);
}

static np_status make_proxies(np_context *context, const np_context_options *o, np_error *err)
{
    np_proxy_resolver_options options = {
        .settings = o->proxy,
        .from_environment = o->proxy_sources != NP_PROXY_FROM_NOWHERE,
        .bypass = o->proxy_bypass,
        .timeout_ns = o->proxy_timeout_ns,
        .run = run_on_pool,
        .post = post_to_loop,
        .user = context,
    };
    if (options.from_environment) {
        options.environment = np_proxy_environment_read();
        if (!options.environment)
            return np_fail(err, NP_E_NO_MEMORY, "no memory for the environment");
    }
    return np_proxy_resolver_create(context->loop, context->producer, &options, &context->proxies,
                                    err);
}

static np_status make_engine(np_context *context, const np_context_options *o, np_error *err)
{
    const np_dialer_options dialer = {
        .family = o->family,
        .dns_servers = o->dns_servers,
        .resolve = o->resolve,
        .resolve_count = o->resolve_count,
        .connect_to = o->connect_to,
        .connect_to_count = o->connect_to_count,
        .resolver = o->resolver,
        .kernel_times = o->kernel_times,
    };
    np_status status = make_proxies(context, o, err);
    if (status)
        return status;
    const np_engine_options engine = {
        .proxies = context->proxies,
        .proxy_connect_timeout_ns = o->proxy_connect_timeout_ns,
        .proxy_ca_file = o->proxy_ca_file,
        .proxy_insecure = o->proxy_insecure,
        .connection_limit = o->connection_limit,
        .connect_timeout_ns = o->connect_timeout_ns,
        .max_idle_time_ns = o->max_idle_time_ns,
        .connection_lease_ns = o->connection_lease_timeout_ns < 0 ? 0
                               : o->connection_lease_timeout_ns == 0
                                   ? -1
                                   : o->connection_lease_timeout_ns,
        .ca_file = o->ca_file,
        .ca_path = o->ca_path,
        .insecure = o->insecure,
        .tls_minimum = o->tls_minimum,
        .tls_maximum = o->tls_maximum,
        .kernel_times = o->kernel_times,
    };
    status = np_dialer_create(context->loop, &dialer, context->producer, &context->dialer, err);
    if (status)
        return status;
    return np_engine_create(context->loop, context->dialer, context->producer, &engine,
                            &context->engine, err);
}

static np_status start(np_context *context, const np_context_options *o, np_error *err)
{
    np_status status = NP_OK;
    if (o->trace)
        status = np_producer_attach(o->trace, &context->producer, err);
    if (status)
        return status;
    context->trace = o->trace;
    status = np_loop_create(&context->loop, err);
    if (status)
        return status;
    status = make_engine(context, o, err);
    if (status)
        return status;
    status = np_callback_pool_create(o->pool_threads ? o->pool_threads : NP_POOL_THREADS_DEFAULT,
                                     &context->pool, err);
    if (status)
        return status;
    status = np_loop_start(context->loop, err);
    atomic_store_explicit(&context->loop_open, status == NP_OK, memory_order_seq_cst);
    return status;
}

/* Everything the struct owns but itself and the pool's memory; copes with a context that is only
 * half there. */
static void stop(np_context *context)
{
    const bool running = atomic_load_explicit(&context->loop_open, memory_order_relaxed); /* ours */
    close_loop(context);
    context->last_task.run = free_engine;
    if (running)
        np_loop_post(context->loop, &context->last_task);

    if (running)
        np_loop_stop(context->loop);
    else
        free_engine(&context->last_task);
    np_loop_free(context->loop);
    context->loop = NULL;
    if (context->pool)
        np_callback_pool_stop(context->pool);
    if (context->producer)
        np_producer_detach(context->trace, context->producer);
    context->producer = NULL;
}

static void keep_options(np_context *context, const np_context_options *o)
{
    context->pool_queue_limit = o->pool_queue_limit ? o->pool_queue_limit : QUEUE_LIMIT_DEFAULT;
    context->pool_low_water = o->pool_low_water ? o->pool_low_water : LOW_WATER_DEFAULT;
    context->abort_defers_callbacks = o->abort_defers_callbacks;
    context->lenient_eof = o->lenient_eof;
    context->profile = o->profile;
    context->cache_validator = o->cache_validator;
    context->cache_user = o->cache_user;
    context->cache_validator_on_pool = o->cache_validator_on_pool;
}

np_status np_context_create(const np_context_options *options, np_context **out, np_error *err)
{
    if (!out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "out is NULL");
    *out = NULL;
    np_context_options o = NP_CONTEXT_OPTIONS_INIT;
    if (options)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    np_status status = check_options(&o, err);
    if (status)
        return status;

    np_context *context = calloc(1, sizeof *context);
    if (!context)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a context");
    atomic_init(&context->references, 1);
    pthread_mutex_init(&context->lock, NULL);
    np_body_store_init(&context->bodies);
    np_old_origins_init(&context->old_origins);
    keep_options(context, &o);
    context->requests.next = context->requests.previous = &context->requests;
    context->finished_end = &context->finished;

    status = start(context, &o, err);
    if (status) {
        stop(context);
        np_context_release(context);
        return status;
    }
    *out = context;
    return NP_OK;
}

void np_context_free(np_context *context)
{
    if (!context)
        return;
    pthread_mutex_lock(&context->lock);
    atomic_store_explicit(&context->disposed, true,
                          memory_order_release); /* pairs with np_context_is_disposed */
    pthread_mutex_unlock(&context->lock);
    for (np_context_link *link; (link = take_request(context)) != NULL;)
        link->abort(link);
    if (np_callback_pool_is_current(context->pool) || np_loop_is_current(context->loop))
        return; /* a thread cannot join itself: everything is aborted, and another thread has to
                   call again */
    stop(context);
    np_context_release(context);
}
