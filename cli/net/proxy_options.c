/*
 * --proxy and what belongs to it, as curl has it: --proxy '' is no proxy, and no_proxy holds for
 * --proxy too unless --noproxy is given.
 */
#include "proxy_options.h"
#include <stdlib.h>

const char *const proxy_source_words[] = {"env", NULL};

static const char *no_proxy_variable(void)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

np_status proxy_options_apply(const struct proxy_args *args, np_context_options *options,
                              np_proxy **proxy, np_error *err)
{
    *proxy = NULL;
    options->proxy_timeout_ns = args->timeout_ns;
    options->proxy_bypass = args->no_proxy;
    options->proxy_sources = args->no_detection ? NP_PROXY_FROM_NOWHERE : NP_PROXY_FROM_ENVIRONMENT;
    if (!args->proxy)
        return NP_OK;
    if (!*args->proxy) {
        options->proxy = np_proxy_direct();
        return NP_OK;
    }
    np_proxy_options wanted = NP_PROXY_OPTIONS_INIT;
    wanted.proxies = args->proxy;
    wanted.bypass = args->no_proxy;
    if (!wanted.bypass && !args->no_detection)
        wanted.bypass = no_proxy_variable();
    const np_status status = np_proxy_create(&wanted, proxy, err);
    options->proxy = *proxy;
    return status;
}
