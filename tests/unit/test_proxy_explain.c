/* The public side of the proxy decision: a context, its environment, explanations, set_proxy. */
#include "request_fixture.h"

#include <netphase/proxy.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

static np_context *context_with(const np_context_options *options)
{
    np_error err = {0};
    np_context *context = NULL;
    cr_assert_eq(np_context_create(options, &context, &err), NP_OK, "%s", err.text);
    return context;
}

static void set_environment(const char *http_proxy, const char *no_proxy)
{
    static const char *const others[] = {"https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                                         "all_proxy",   "ALL_PROXY",  "NO_PROXY"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        (void)unsetenv(others[i]);
    (void)setenv("http_proxy", http_proxy, 1);
    (void)setenv("no_proxy", no_proxy, 1);
}

static void expect(np_context *context, const char *url, const char *proxy, const char *source,
                   const char *steps)
{
    np_error err = {0};
    np_proxy_explanation *e = NULL;
    char found[200] = "";
    cr_assert_eq(np_proxy_explain(context, url, &e, &err), NP_OK, "%s", err.text);
    for (size_t i = 0; i < e->step_count; i++) {
        (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s/%s", i ? " " : "",
                       e->steps[i].source, np_proxy_verdict_name(e->steps[i].verdict));
        cr_expect_geq(e->steps[i].duration_ns, 0);
    }
    cr_expect_str_eq(found, steps, "%s: %s", url, found);
    cr_expect_str_eq(e->source, source);
    if (proxy) {
        cr_assert_geq(e->proxy_count, 1);
        cr_expect_str_eq(e->proxies[0], proxy);
    } else {
        cr_expect_eq(e->proxy_count, 0);
        cr_expect_neq(e->error.status, NP_OK);
    }
    np_proxy_explanation_free(e);
}

Test(proxy_explain, the_environment_is_that_of_the_creation_until_a_refresh)
{
    np_error err = {0};
    set_environment("http://u:secret@p.test:1", "x.test");
    np_context *context = context_with(NULL);
    set_environment("q.test:2", "");
    expect(context, "http://u.test/a?b", "http://p.test:1", "environment", "environment/used");
    expect(context, "http://x.test/", "direct", "environment", "environment/used");
    expect(context, "https://u.test/", "direct", "none", "environment/empty direct/used");
    expect(context, "http://localhost/", "direct", "none", "environment/skipped direct/used");
    cr_assert_eq(np_context_refresh_proxy(context, &err), NP_OK, "%s", err.text);
    expect(context, "http://x.test/", "http://q.test:2", "environment", "environment/used");
    np_context_free(context);
}

Test(proxy_explain, sources_and_bypasses_are_options_of_the_context)
{
    set_environment("p.test:1", "x.test");
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy_sources = NP_PROXY_FROM_NOWHERE;
    np_context *context = context_with(&options);
    expect(context, "http://u.test/", "direct", "none", "environment/skipped direct/used");
    np_context_free(context);

    options.proxy_sources = NP_PROXY_FROM_ENVIRONMENT;
    options.proxy_bypass = "u.test";
    context = context_with(&options);
    expect(context, "http://u.test/", "direct", "environment", "environment/used");
    expect(context, "http://x.test/", "http://p.test:1", "environment", "environment/used");
    np_context_free(context);

    options.proxy_bypass = NULL;
    options.proxy = np_proxy_direct();
    context = context_with(&options);
    expect(context, "http://u.test/", "direct", "explicit", "context/used");
    np_context_free(context);
}

Test(proxy_explain, mistakes_are_refused)
{
    np_error err = {0};
    np_context *context = NULL;
    np_proxy_explanation *e = (np_proxy_explanation *)1;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy_timeout_ns = -1;
    cr_expect_eq(np_context_create(&options, &context, &err), NP_E_ARGUMENT_RANGE);
    options.proxy_timeout_ns = 0;
    options.proxy_connect_timeout_ns = -1;
    cr_expect_eq(np_context_create(&options, &context, &err), NP_E_ARGUMENT_RANGE);
    options.proxy_connect_timeout_ns = 0;
    options.proxy_sources = (np_proxy_sources)77;
    cr_expect_eq(np_context_create(&options, &context, &err), NP_E_ARGUMENT);

    set_environment("quic://p.test:1", "");
    context = context_with(NULL);
    expect(context, "http://u.test/", NULL, "none", "environment/error");
    cr_expect_eq(np_proxy_explain(context, "ftp://u.test/", &e, &err), NP_E_NOT_SUPPORTED);
    cr_expect_null(e);
    cr_expect_eq(np_proxy_explain(context, "http://", &e, &err), NP_E_ARGUMENT);
    cr_expect_eq(np_proxy_explain(NULL, "http://u.test/", &e, &err), NP_E_ARGUMENT_NULL);
    cr_expect_eq(np_proxy_explain(context, NULL, &e, &err), NP_E_ARGUMENT_NULL);
    cr_expect_eq(np_proxy_explain(context, "http://u.test/", NULL, &err), NP_E_ARGUMENT_NULL);
    cr_expect_eq(np_context_refresh_proxy(NULL, &err), NP_E_ARGUMENT_NULL);
    np_proxy_explanation_free(NULL);
    np_context_free(context);
}

Test(proxy_explain, set_proxy_is_for_requests_that_have_not_begun)
{
    np_error err = {0};
    np_async *async = NULL;
    set_environment("p.test:1", "");
    np_context *context = context_make();
    np_request *request = request_make(context);
    cr_expect_eq(np_request_set_proxy(NULL, NULL, &err), NP_E_ARGUMENT_NULL);
    cr_expect_eq(np_request_set_proxy(request, NULL, &err), NP_OK);
    cr_expect_eq(np_request_set_proxy(request, np_proxy_direct(), &err), NP_OK);
    cr_assert_eq(np_request_begin_get_response(request, NULL, NULL, &async, &err), NP_OK);
    cr_expect_eq(np_request_set_proxy(request, NULL, &err), NP_E_INVALID_OPERATION);
    np_request_abort(request);
    np_async_release(async);
    np_request_release(request);
    np_context_free(context);
}

struct hanging {
    sem_t entered, go;
};

static np_status hang(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                      np_error *err)
{
    struct hanging *hanging = user;
    (void)query, (void)answer, (void)capacity, (void)err;
    sem_post(&hanging->entered);
    while (sem_wait(&hanging->go) != 0)
        ;
    return NP_OK;
}

Test(proxy_explain, a_callback_that_hangs_is_waited_for_until_the_bound)
{
    struct hanging hanging;
    np_proxy *proxy = NULL;
    np_proxy_options wanted = NP_PROXY_OPTIONS_INIT;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    sem_init(&hanging.entered, 0, 0);
    sem_init(&hanging.go, 0, 0);
    set_environment("p.test:1", "");
    wanted.callback = hang;
    wanted.user = &hanging;
    wanted.on_error = NP_PROXY_ERROR_FAIL;
    cr_assert_eq(np_proxy_create(&wanted, &proxy, NULL), NP_OK);
    options.proxy = proxy;
    options.proxy_timeout_ns = 30 * NP_NS_PER_MS;
    np_context *context = context_with(&options);
    np_proxy_release(proxy);
    expect(context, "http://u.test/", NULL, "none", "context/error");
    expect(context, "http://u.test/", NULL, "none", "context/error");
    sem_post(&hanging.go);
    np_context_free(context);
}
