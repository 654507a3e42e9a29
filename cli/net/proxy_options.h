/* --proxy and what belongs to it: the same options of every verb that decides on proxies. */
#ifndef CLI_NET_PROXY_OPTIONS_H
#define CLI_NET_PROXY_OPTIONS_H

#include "verb.h"
#include <netphase/context.h>

/* A part of a verb's arguments. */
struct proxy_args {
    const char *proxy;    /* NULL: not given */
    const char *no_proxy; /* NULL: not given */
    bool no_detection;
    int source; /* index among proxy_source_words */
    int64_t timeout_ns;
};

#define PROXY_TIMEOUT_NS INT64_C(10000000000)

extern const char *const proxy_source_words[];

/* The rows of a verb's option table; TYPE has a struct proxy_args MEMBER. */
/* clang-format off */
#define PROXY_OPTION_ROWS(TYPE, MEMBER) \
    {.section = "The proxy"}, \
    {.name = "proxy",   .letter = 'x', .type = OPTION_TEXT, .argument = "[SCHEME://][USER:PASS@]HOST[:PORT]", \
     .help = "go through it, whatever the environment says; several in the order to try, separated by ';'; direct is none. " \
             "http, https, socks4, socks4a, socks5, socks5h", .fallback = "http_proxy, https_proxy, all_proxy", OPTION_FIELD(TYPE, MEMBER.proxy)}, \
    {.name = "noproxy", .type = OPTION_TEXT, .argument = "LIST", \
     .help = "reach these hosts directly: names with all below them, addresses, ADDRESS/BITS, separated by commas; * is all", \
     .fallback = "no_proxy", OPTION_FIELD(TYPE, MEMBER.no_proxy)}, \
    {.name = "no-proxy-detect", .type = OPTION_FLAG, \
     .help = "do not look for proxies: only --proxy and --noproxy count", OPTION_FIELD(TYPE, MEMBER.no_detection)}, \
    {.name = "proxy-source", .type = OPTION_WORD, .argument = "WHERE", .words = proxy_source_words, \
     .help = "where to look for proxies: env, the variables that curl reads", .fallback = "env", OPTION_FIELD(TYPE, MEMBER.source)}, \
    {.name = "proxy-timeout", .type = OPTION_DURATION, .argument = "TIME", .low = 1000000, .high = INT64_C(3600000000000), \
     .help = "limit of a whole proxy decision", .fallback = "10s", OPTION_FIELD(TYPE, MEMBER.timeout_ns)}
/* clang-format on */

/*
 * Puts them into a context's options; *proxy is to be released with np_proxy_release once the
 * context is made (NULL: there is none). NP_E_ARGUMENT for a mistake in --proxy or --noproxy.
 */
np_status proxy_options_apply(const struct proxy_args *args, np_context_options *options,
                              np_proxy **proxy, np_error *err);

#endif
