/**
 * The library's state: one loop thread, a pool of callback threads, the connections, the DNS cache.
 *
 * Make one and keep it. Requests hold their context: np_context_free aborts what is still running,
 * runs the callbacks, joins the threads; request, response and stream handles that a caller still
 * holds stay valid until released and answer NP_E_OBJECT_DISPOSED.
 */
#ifndef NETPHASE_CONTEXT_H
#define NETPHASE_CONTEXT_H

#include <netphase/proxy.h>
#include <netphase/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct np_context np_context;
struct np_request;

typedef enum np_family { NP_FAMILY_ANY = 0, NP_FAMILY_IPV4 = 4, NP_FAMILY_IPV6 = 6 } np_family;

/** Who turns names into addresses. */
typedef enum np_resolver {
    /* our own resolver, each query a span; the system's where /etc/nsswitch.conf lists more than
     * files and dns before `dns`, no dns_servers are given and its helper program is there */
    NP_RESOLVER_AUTOMATIC = 0,
    NP_RESOLVER_OWN = 1,   /* hosts file and DNS in the order of nsswitch.conf, nothing else */
    NP_RESOLVER_SYSTEM = 2 /* getaddrinfo, in helper processes: one opaque span a lookup */
} np_resolver;

typedef enum np_tls_version { NP_TLS_DEFAULT = 0, NP_TLS_1_2 = 12, NP_TLS_1_3 = 13 } np_tls_version;

/** Where the boundaries of phases come from (docs/accuracy.md). Without a trace nothing is asked.
 */
typedef enum np_kernel_times {
    NP_KERNEL_TIMES_AUTO = 0, /* the kernel's stamps while a connection is set up and for its first
                                 request, later whenever the loop may be 1 ms late or more */
    NP_KERNEL_TIMES_ALWAYS = 1, /* for every request: one or two system calls each */
    NP_KERNEL_TIMES_NEVER = 2
} np_kernel_times;

/** Which of the two families of rules holds where they differ (docs/contract.md, BS-13). */
typedef enum np_profile {
    NP_PROFILE_FULL = 0,
    NP_PROFILE_COMPACT = 1 /* a request stream of length 0 has to be obtained and closed */
} np_profile;

/**
 * Says whether a request that has a body would be answered from a cache: then it is refused with
 * NP_E_NOT_SUPPORTED (BS-12). The library has no cache of its own; this is for a program that keeps
 * one.
 *
 * @param request  borrowed for the call; its properties may be looked at, nothing may be begun
 * @param user     as given with the function
 * @return true: a cached answer would be used, and the request fails; false: it is sent
 *
 * Once for each request stream that is begun, on the calling thread or on a pool thread (see
 * np_context_options), with no lock held. From several threads at once.
 */
typedef bool (*np_cache_validator_fn)(const struct np_request *request, void *user);

typedef struct np_context_options {
    size_t size;     /* sizeof(np_context_options); set by the initialiser */
    np_trace *trace; /* borrowed for the context's life; NULL: not traced */

    uint32_t connection_limit;  /* connections a service point (scheme, host, port); 0: 2, unlimited
                                   to loopback */
    uint32_t pool_threads;      /* callback threads; 0: 4; 1 … 64 */
    int64_t connect_timeout_ns; /* from the first lookup until connected and TLS done; 0: 30 s */
    int64_t max_idle_time_ns;   /* an idle connection is closed after it; 0: 100 s; -1: never */

    /* copied; PEM; NULL: libcurl's built-in file. The environment is not read */
    const char *ca_file;
    const char *ca_path;        /* copied; a folder of hashed certificates; NULL: none */
    bool insecure;              /* true: any certificate is taken */
    np_tls_version tls_minimum; /* oldest TLS version to offer */
    np_tls_version tls_maximum; /* newest TLS version to offer */

    np_family family;        /* which addresses to use */
    const char *dns_servers; /* copied; "ADDR[:PORT],…", IPv6 in brackets; NULL: those of
                                resolv.conf. The environment is not read */
    /* resolve[resolve_count], copied; "HOST:PORT:ADDR[,ADDR…]" as curl's --resolve */
    const char *const *resolve;
    size_t resolve_count;
    /* connect_to[connect_to_count], copied; "HOST:PORT:HOST2:PORT2" as curl's --connect-to */
    const char *const *connect_to;
    size_t connect_to_count;
    np_resolver resolver;

    const np_proxy *proxy; /* kept; for requests that set none; NULL: see proxy_sources */
    /* where to look when no np_proxy answers; read when the context is made and by
     * np_context_refresh_proxy, never when a request begins */
    np_proxy_sources proxy_sources;
    const char *proxy_bypass; /* copied; instead of the environment's no_proxy; "": no host; NULL:
                                 the environment's */
    int64_t proxy_timeout_ns; /* of a whole proxy decision; 0: 10 s */
    int64_t proxy_connect_timeout_ns; /* until one proxy is connected, then the next is tried; 0: 5
                                         s */
    np_kernel_times kernel_times;     /* of what is traced */
    const char *proxy_ca_file;        /* copied; trusted for https proxies; NULL: as ca_file */
    bool proxy_insecure;              /* any certificate of an https proxy will do */

    /* a connection takes no request after it, and is closed when the last one is done. -1: for ever
     * (the initialiser's value); 0: closed after each request */
    int64_t connection_lease_timeout_ns;

    /* callbacks that may wait for a thread; 0: 65,536. While as many do, and fewer threads than
     * pool_low_water (0: 2) are free, asynchronous begins of new requests are refused (BS-11) */
    uint32_t pool_queue_limit;
    uint32_t pool_low_water;
    bool abort_defers_callbacks; /* callbacks of what an abort completes run on the pool, like all
                                    others, and not before it returns (AB-3) */
    bool lenient_eof; /* a body that the server ends too early has ended: no failure (RB-5) */
    np_profile profile;
    np_cache_validator_fn cache_validator; /* NULL: none */
    void *cache_user;
    bool cache_validator_on_pool; /* true: asked on a pool thread, and its refusal comes out of the
                                     end call; false: inside the begin call, which returns it */
} np_context_options;
#define NP_CONTEXT_OPTIONS_INIT                                                                    \
    {                                                                                              \
        .size = sizeof(np_context_options), .connection_lease_timeout_ns = -1                      \
    }

/**
 * Makes a context and starts its threads.
 *
 * @param options  NULL: all defaults; fields beyond options->size count as the initialiser has them
 * @param out      [out] owned: free with np_context_free
 * @return NP_E_ARGUMENT for a malformed address, resolve or connect_to entry (named in `err`) and
 * for dns_servers with the system's resolver, NP_E_INPUT when ca_file cannot be read or the helper
 * program of the system's resolver cannot be found, NP_E_OUTPUT when the trace's ring cannot be
 * made (disk full), NP_E_NO_MEMORY
 *
 * Any thread.
 */
NP_API np_status np_context_create(const np_context_options *options, np_context **out,
                                   np_error *err);

/**
 * Aborts every request, runs their callbacks, closes all connections and joins the threads (AR-12).
 *
 * @param context  NULL is allowed
 *
 * Any thread but one of the context's own: from inside a callback it aborts and refuses what is
 * new, but joins nothing and has to be called again elsewhere. Callbacks of requests that are
 * pending run on the calling thread (AB-3).
 */
NP_API void np_context_free(np_context *context);

#ifdef __cplusplus
}
#endif
#endif
