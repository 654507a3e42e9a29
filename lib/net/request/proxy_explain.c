/*
 * The decision with its reasons, and the environment read again: the public functions of proxy.h
 * that need a context. Floor 2; any thread but the loop's and the pool's.
 *
 * The decision is made on the loop, as for a request; the caller waits for it.
 */
#include "context.h"

#include "clock.h"
#include "fail.h"
#include "proxy_decide.h"
#include "url.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- explaining --- */

struct inquiry {
    np_loop_task task;
    np_context *context;
    const np_url *url;
    np_proxy_trials trials;
    np_proxy_list *list;
    np_error error;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
};

static void decided(np_proxy_list *list, const np_error *error, void *user)
{
    struct inquiry *inquiry = user;
    pthread_mutex_lock(&inquiry->lock);
    inquiry->list = list;
    if (error)
        inquiry->error = *error;
    inquiry->is_done = true;
    pthread_cond_signal(&inquiry->changed);
    pthread_mutex_unlock(&inquiry->lock);
}

static void inquire(np_loop_task *task)
{
    struct inquiry *inquiry = (struct inquiry *)((char *)task - offsetof(struct inquiry, task));
    np_proxy_list *list = NULL;
    const np_proxy_question question = {.scheme = inquiry->url->scheme,
                                        .host = inquiry->url->host,
                                        .port = inquiry->url->port,
                                        .trials = &inquiry->trials};
    if (!np_proxy_ask(inquiry->context->proxies, &question, np_loop_now(inquiry->context->loop),
                      &list, decided, inquiry))
        decided(list, NULL, inquiry);
}

/* An explanation, its arrays and their texts in one arena-like block. */
struct block {
    np_proxy_explanation explanation;
    np_proxy_step step[NP_PROXY_TRIALS];
    np_proxy_trial trial[NP_PROXY_TRIALS];
    np_proxy_list *list;
    char *url;
    const char *proxy[];
};

static void fill_step(np_proxy_step *step, const np_proxy_trial *trial, uint64_t start_ns)
{
    *step = (np_proxy_step){
        .source = trial->source,
        .verdict = trial->verdict,
        .variable = trial->variable,
        .reason = trial->reason,
        .value = trial->value,
        .matched = trial->matched,
        .matched_beyond_curl = trial->beyond_curl,
        .start_ns = (int64_t)(trial->start_ns - start_ns),
        .duration_ns = (int64_t)(trial->end_ns - trial->start_ns),
    };
}

static const char *origin_name(const np_proxy_list *list)
{
    static const char *const names[] = {"none",   "explicit", "config", "environment",
                                        "system", "pac",      "wpad"}; /* code 'proxy_source' */
    return list && list->source < sizeof names / sizeof *names ? names[list->source] : names[0];
}

/* NULL: no memory. Takes the list over. */
static struct block *make_block(struct inquiry *inquiry)
{
    const np_proxy_trials *trials = &inquiry->trials;
    const size_t proxies = inquiry->error.status ? 0 : inquiry->list ? inquiry->list->count : 1;
    struct block *block = calloc(1, sizeof *block + proxies * sizeof block->proxy[0]);
    if (!block)
        return NULL;
    block->url =
        strndup(inquiry->url->text, (size_t)(inquiry->url->target - inquiry->url->text) + 1);
    if (!block->url) {
        free(block);
        return NULL;
    }
    memcpy(block->trial, trials->trial, sizeof block->trial);
    for (size_t i = 0; i < trials->count; i++)
        fill_step(&block->step[i], &block->trial[i], trials->start_ns);
    for (size_t i = 0; i < proxies; i++)
        block->proxy[i] = inquiry->list ? inquiry->list->entry[i].text : "direct";
    block->explanation = (np_proxy_explanation){
        .url = block->url,
        .source = origin_name(inquiry->list),
        .proxies = block->proxy,
        .proxy_count = proxies,
        .steps = block->step,
        .step_count = trials->count,
        .duration_ns = (int64_t)(trials->end_ns - trials->start_ns),
        .error = inquiry->error,
    };
    block->list = inquiry->list;
    inquiry->list = NULL;
    return block;
}

static np_status ask_the_loop(struct inquiry *inquiry, np_error *err)
{
    inquiry->task.run = inquire;
    if (!np_context_post(inquiry->context, &inquiry->task))
        return np_fail(err, NP_E_OBJECT_DISPOSED, "the context was freed");
    pthread_mutex_lock(&inquiry->lock);
    while (!inquiry->is_done)
        pthread_cond_wait(&inquiry->changed, &inquiry->lock);
    pthread_mutex_unlock(&inquiry->lock);
    return NP_OK;
}

np_status np_proxy_explain(np_context *context, const char *url, np_proxy_explanation **out,
                           np_error *err)
{
    np_url parsed;
    if (!out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "out is NULL");
    *out = NULL;
    if (!context || !url)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%s is NULL", context ? "url" : "context");
    if (np_loop_is_current(context->loop) || np_callback_pool_is_current(context->pool))
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "a thread of the context cannot wait for its proxy decision");
    np_status status = np_url_parse(url, &parsed, err);
    if (status)
        return status;
    struct inquiry inquiry = {.context = context, .url = &parsed};
    pthread_mutex_init(&inquiry.lock, NULL);
    pthread_cond_init(&inquiry.changed, NULL);
    status = ask_the_loop(&inquiry, err);
    if (!status) {
        struct block *block = make_block(&inquiry);
        if (block)
            *out = &block->explanation;
        else
            status = np_fail(err, NP_E_NO_MEMORY, "no memory for an explanation");
    }
    np_proxy_list_release(inquiry.list);
    pthread_cond_destroy(&inquiry.changed);
    pthread_mutex_destroy(&inquiry.lock);
    np_url_done(&parsed);
    return status;
}

void np_proxy_explanation_free(np_proxy_explanation *explanation)
{
    struct block *block = (struct block *)explanation; /* its first member */
    if (!block)
        return;
    np_proxy_list_release(block->list);
    free(block->url);
    free(block);
}

/* --- reading the environment again --- */

struct refresh {
    np_loop_task task;
    np_context *context;
    np_proxy_environment *environment;
};

static void refresh_arrived(np_loop_task *task)
{
    struct refresh *refresh = (struct refresh *)((char *)task - offsetof(struct refresh, task));
    np_proxy_resolver_refresh(refresh->context->proxies, refresh->environment);
    free(refresh);
}

np_status np_context_refresh_proxy(np_context *context, np_error *err)
{
    if (!context)
        return np_fail(err, NP_E_ARGUMENT_NULL, "context is NULL");
    struct refresh *refresh = calloc(1, sizeof *refresh);
    np_proxy_environment *environment = np_proxy_environment_read();
    if (!refresh || !environment) {
        free(refresh);
        np_proxy_environment_free(environment);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the environment");
    }
    *refresh = (struct refresh){
        .task.run = refresh_arrived, .context = context, .environment = environment};
    if (np_context_post(context, &refresh->task))
        return NP_OK;
    np_proxy_environment_free(environment);
    free(refresh);
    return np_fail(err, NP_E_OBJECT_DISPOSED, "the context was freed");
}
