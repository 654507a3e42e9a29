/**
 * Which proxy a request goes through, and why.
 *
 * An np_proxy says what a program wants: proxies in order, the hosts that are to be reached
 * directly, or a function that is asked. It is immutable once made, and any number of requests and
 * contexts may use it at once.
 *
 * Who decides, first answer wins: the request's own np_proxy (np_request_set_proxy), that of its
 * context (np_context_options.proxy), the environment (http_proxy and friends, as curl reads them;
 * np_context_options.proxy_sources), and last: no proxy. Loopback hosts are reached directly unless
 * an np_proxy says otherwise. Nothing of it happens on the thread that begins a request.
 */
#ifndef NETPHASE_PROXY_H
#define NETPHASE_PROXY_H

#include <netphase/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct np_context;

typedef struct np_proxy_settings np_proxy;

/** What a request does when its proxy decision fails (a callback that fails, or takes too long). */
typedef enum np_proxy_error_policy {
    NP_PROXY_ERROR_DIRECT = 0, /* `proxies` where they are given, else no proxy, as browsers do */
    NP_PROXY_ERROR_FAIL = 1,   /* the request fails */
    NP_PROXY_ERROR_NEXT_SOURCE = 2 /* the context's np_proxy, then the environment */
} np_proxy_error_policy;

/** Where a context looks for proxies by itself; a set of bits. */
typedef enum np_proxy_sources {
    NP_PROXY_FROM_DEFAULT = 0,    /* the environment */
    NP_PROXY_FROM_NOWHERE = 1,    /* only what np_proxy objects say */
    NP_PROXY_FROM_ENVIRONMENT = 2 /* http_proxy, https_proxy, all_proxy, no_proxy */
} np_proxy_sources;

/** What a callback is asked. All texts are borrowed for the call. */
typedef struct np_proxy_query {
    size_t size;      /* sizeof(np_proxy_query) of the library */
    const char *url;  /* "https://host:port/": no path, no credentials */
    const char *host; /* lower case, no brackets */
    const char *scheme;
    uint16_t port;
} np_proxy_query;

/**
 * Decides for an origin. The answer is kept for it until np_context_refresh_proxy.
 *
 * @param answer  [out] answer[capacity]: "PROXY host:port; SOCKS5 host:port; DIRECT" in the order
 * to try, as proxy scripts answer; left "": no opinion, the next source is asked
 * @param user    np_proxy_options.user
 * @return NP_OK, or what failed (`err` is shown): the error policy decides. NP_E_WEB with
 * REQUEST_PROHIBITED_BY_PROXY always fails the request
 *
 * Runs on a pool thread of the context, one call a context and np_proxy at a time. It may block
 * that thread; the requests wait for at most np_context_options.proxy_timeout_ns. A call that never
 * returns also holds up np_context_free.
 */
typedef np_status (*np_proxy_callback)(const np_proxy_query *query, char *answer, size_t capacity,
                                       void *user, np_error *err);

typedef struct np_proxy_options {
    size_t size; /* sizeof(np_proxy_options); set by the initialiser */
    /* copied; what to go through, in the order to try, separated by ';': proxy URLs as curl has
       them
       ([http|https|socks4|socks4a|socks5|socks5h://][user:password@]host[:port]) or "PROXY h:p",
       "DIRECT" and so on. NULL: none; with a callback they stand in where it fails */
    const char *proxies;
    /* copied; hosts that are reached directly, as curl's no_proxy, and ADDRESS/BITS for IPv6 too.
       NULL: none */
    const char *bypass;
    /* names without a dot or in this machine's domain, loopback, this machine's own addresses are
       reached directly too */
    bool bypass_on_local;
    np_proxy_callback callback; /* NULL: none */
    void *user;                 /* borrowed as long as anything may use the np_proxy */
    np_proxy_error_policy on_error;
} np_proxy_options;
#define NP_PROXY_OPTIONS_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(np_proxy_options)                                                           \
    }

/**
 * Makes an np_proxy.
 *
 * @param options  not NULL; proxies or a callback must be there
 * @param out      [out] owned: release with np_proxy_release
 * @return NP_E_ARGUMENT for a malformed proxy or a list of hosts beyond 2 MiB, NP_E_ARGUMENT_NULL,
 * NP_E_NO_MEMORY
 *
 * Any thread.
 */
NP_API np_status np_proxy_create(const np_proxy_options *options, np_proxy **out, np_error *err);

/** Returns the np_proxy that says: no proxy at all. Static; releasing it does nothing. Any thread.
 */
NP_API const np_proxy *np_proxy_direct(void);

/** Takes another reference and returns `proxy`. NULL is allowed. Any thread. */
NP_API const np_proxy *np_proxy_retain(const np_proxy *proxy);
/** Drops a reference; requests and contexts hold their own. NULL is allowed. Any thread. */
NP_API void np_proxy_release(const np_proxy *proxy);
/** Returns what was odd about the texts of np_proxy_options ("the proxy p has no port: 1080 is
 * taken"), or "". Borrowed until release. Any thread. */
NP_API const char *np_proxy_warning(const np_proxy *proxy);

/* -------------------------------------------------------------------------------------------- explaining */

typedef enum np_proxy_verdict {
    NP_PROXY_USED = 0,
    NP_PROXY_EMPTY = 1,   /* it has nothing to say about this URL */
    NP_PROXY_SKIPPED = 2, /* it was not asked; the reason says why */
    NP_PROXY_ERROR = 3    /* it failed */
} np_proxy_verdict;

/** One source that was considered. Texts are never NULL unless it is said. */
typedef struct np_proxy_step {
    const char *source; /* "context", "environment", "direct" */
    np_proxy_verdict verdict;
    const char *variable;     /* the environment variable that decided; NULL: none */
    const char *reason;       /* one line, or "" */
    const char *value;        /* what it said, without credentials, or "" */
    const char *matched;      /* the no_proxy entry that matched, or "" */
    bool matched_beyond_curl; /* an IPv6 prefix, which curl 7.88 does not match */
    int64_t start_ns;         /* from the start of the decision */
    int64_t duration_ns;
} np_proxy_step;

/** A decision with its reasons. */
typedef struct np_proxy_explanation {
    const char *url;    /* "https://host:port/" */
    const char *source; /* who decided: "none", "explicit", "environment" … (code 'proxy_source') */
    /* proxies[proxy_count], in the order to try: "http://host:port", "direct"; without credentials
     */
    const char *const *proxies;
    size_t proxy_count;         /* at least 1, 0 when the decision failed */
    const np_proxy_step *steps; /* steps[step_count], in order */
    size_t step_count;
    int64_t duration_ns;
    np_error error; /* status NP_OK: decided; otherwise a request to this URL fails with it */
} np_proxy_explanation;

/**
 * Decides as for a request to `url` and says why. Nothing that was decided before is used.
 *
 * @param context  its np_proxy, its sources, its limits
 * @param url      absolute http or https
 * @param out      [out] owned: free with np_proxy_explanation_free
 * @return NP_E_ARGUMENT, NP_E_NOT_SUPPORTED for a URL that no request could have,
 * NP_E_OBJECT_DISPOSED, NP_E_NO_MEMORY. A decision that fails is no failure of this call: see
 * `error`
 *
 * Waits for the decision (at most about np_context_options.proxy_timeout_ns a source). Any thread
 * but the context's own: NP_E_INVALID_OPERATION.
 */
NP_API np_status np_proxy_explain(struct np_context *context, const char *url,
                                  np_proxy_explanation **out, np_error *err);
/** Frees an explanation. NULL is allowed. */
NP_API void np_proxy_explanation_free(np_proxy_explanation *explanation);
/** Returns the name of a verdict: "used", "empty", "skipped", "error"; static, "?" for others. */
NP_API const char *np_proxy_verdict_name(np_proxy_verdict verdict);

/**
 * Reads the environment again and forgets what was decided, and which proxies failed lately.
 *
 * @return NP_E_OBJECT_DISPOSED when the context is being freed, NP_E_NO_MEMORY
 *
 * The environment is read on the calling thread; it holds for requests that begin from then on. Any
 * thread that may call getenv.
 */
NP_API np_status np_context_refresh_proxy(struct np_context *context, np_error *err);

#ifdef __cplusplus
}
#endif
#endif
