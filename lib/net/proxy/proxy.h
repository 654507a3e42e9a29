/*
 * Which proxies a request goes through: lists, where they come from, and who is asked. Floor 2.
 *
 *   proxy_list.c         texts -> lists: a curl proxy URL, the answer of a script ("PROXY h:p;
 * DIRECT") proxy_rules.c        no_proxy: does it match this host (pure) proxy_environment.c
 * http_proxy and friends: a copy, and what it says of a URL (pure) proxy_settings.c     np_proxy of
 * the public header: what a program asks for proxy_bad.c          proxies that failed lately go
 * behind the others (pure, told the time) proxy_decide.c       the sources in order, each with its
 * verdict (pure) proxy_resolver.c     the loop's side: cache, callbacks on the pool, the phase and
 * its spans
 *
 * A list is immutable once made and shared by reference count, so any thread may read it. The
 * resolver belongs to the loop thread.
 */
#ifndef NP_NET_PROXY_H
#define NP_NET_PROXY_H

#include "callback_pool.h"
#include "loop.h"
#include "producer.h"
#include <netphase/proxy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- lists --- */

typedef enum np_proxy_kind {
    NP_PROXY_DIRECT,
    NP_PROXY_HTTP,
    NP_PROXY_HTTPS, /* TLS to the proxy */
    NP_PROXY_SOCKS4,
    NP_PROXY_SOCKS4A,
    NP_PROXY_SOCKS5, /* the origin's name is looked up by us */
    NP_PROXY_SOCKS5H /* … by the proxy */
} np_proxy_kind;

/* Stored codes: domain 'proxy_source' of the schema. */
typedef enum np_proxy_origin {
    NP_PROXY_BY_NONE = 0,
    NP_PROXY_BY_EXPLICIT = 1, /* a program's np_proxy, the command line */
    NP_PROXY_BY_CONFIG = 2,
    NP_PROXY_BY_ENVIRONMENT = 3,
    NP_PROXY_BY_SYSTEM = 4,
    NP_PROXY_BY_PAC = 5,
    NP_PROXY_BY_WPAD = 6
} np_proxy_origin;

typedef struct np_proxy_entry {
    np_proxy_kind kind;
    const char *host;            /* no brackets, lower case; "" for DIRECT */
    uint16_t port;               /* 0 for DIRECT */
    const char *user, *password; /* decoded; NULL: none */
    const char *text; /* "http://host:port", without credentials: what the trace shows, and the key
                         of the bad-proxy cache; "direct" for DIRECT */
} np_proxy_entry;

typedef struct np_proxy_list {
    _Atomic uint32_t references;
    uint8_t source; /* np_proxy_origin */
    size_t count;   /* at least 1 */
    np_proxy_entry entry[];
} np_proxy_list;

enum {
    NP_PROXY_ENTRIES_MAX = 64,
    NP_PROXY_RESULT_MAX = 16 * 1024 /* bytes of the answer of a script or a callback */
};

/* What was odd about a text, for people and the trace. */
typedef struct np_proxy_note {
    unsigned count; /* oddities; the first one's text: */
    char text[200];
} np_proxy_note;

/* Makes a list of copies; entries' `text` is made here. NULL: no memory. Released with
 * np_proxy_list_release. */
np_proxy_list *np_proxy_list_create(np_proxy_origin source, const np_proxy_entry *entries,
                                    size_t count);
/* A list may be const where it is shared: it is immutable but for its count. NULL allowed, and
 * returned. Any thread. */
np_proxy_list *np_proxy_list_retain(np_proxy_list *list);
void np_proxy_list_release(np_proxy_list *list);
/* Does it say nothing but DIRECT? True for NULL. */
bool np_proxy_list_is_direct(const np_proxy_list *list);
/* The name of a kind as in a proxy URL: "http", "socks5h", "direct". */
const char *np_proxy_kind_name(np_proxy_kind kind);

/* A proxy URL as curl has it, [scheme://][user:password@]host[:port]: no scheme is http, no port is
   1080, 443 for https (a note says so). NP_E_ARGUMENT tells what was found and what is expected,
   without the credentials. */
np_status np_proxy_list_parse_url(const char *text, np_proxy_origin source, np_proxy_list **out,
                                  np_proxy_note *note, np_error *err);
/* Several, in order, separated by ';': each a proxy URL or an entry as below. Strict: the first one
 * that is malformed refuses the whole text. */
np_status np_proxy_list_parse(const char *text, np_proxy_origin source, np_proxy_list **out,
                              np_proxy_note *note, np_error *err);
/* The answer of a script or a callback: "PROXY h:p; SOCKS5 h:p; DIRECT" (HTTP, HTTPS, SOCKS,
   SOCKS4 too). Lenient, as browsers are: malformed entries are left out and noted; nothing usable
   is DIRECT. NP_E_ARGUMENT only for an answer that is too long or not ASCII. */
np_status np_proxy_list_parse_result(const char *text, size_t length, np_proxy_origin source,
                                     np_proxy_list **out, np_proxy_note *note, np_error *err);

/* --- what a request asks for: np_proxy of the public header; immutable once made --- */

typedef struct np_proxy_settings np_proxy_settings;

/* --- the resolver: loop thread only --- */

typedef struct np_proxy_resolver np_proxy_resolver;
typedef struct np_proxy_lookup np_proxy_lookup;

typedef struct np_proxy_resolver_options {
    const np_proxy_settings *settings; /* the context's default; NULL: none */
    bool from_environment;
    struct np_proxy_environment *environment; /* moved; NULL: nothing is set */
    const char *bypass;                       /* copied; instead of the environment's no_proxy */
    int64_t timeout_ns;                       /* of a whole decision; 0: 10 s */
    /* Runs a job on a thread that may block, and a task on the loop; false: not any more. From any
     * thread. Not asked for unless there is a callback. */
    bool (*run)(np_pool_job *job, void *user);
    bool (*post)(np_loop_task *task, void *user);
    void *user;
} np_proxy_resolver_options;

/* On success or failure `environment` is gone. */
np_status np_proxy_resolver_create(np_loop *loop, np_producer *producer,
                                   const np_proxy_resolver_options *options,
                                   np_proxy_resolver **out, np_error *err);
/* Who still waits is told that the context is gone. NULL allowed. */
void np_proxy_resolver_free(np_proxy_resolver *resolver);
/* Forgets what was decided and which proxies are bad; `environment` (moved, NULL allowed) holds
 * from now on. */
void np_proxy_resolver_refresh(np_proxy_resolver *resolver,
                               struct np_proxy_environment *environment);

typedef struct np_proxy_question {
    const char *scheme, *host; /* host without brackets, lower case */
    uint16_t port;
    uint32_t request;                  /* its number in the trace; 0: nothing is traced */
    bool cold;                         /* what was decided before is not used */
    const np_proxy_settings *settings; /* the request's; NULL: the context's default */
    struct np_proxy_trials *trials;    /* [out] filled before the answer; NULL: not wanted */
} np_proxy_question;

/* The answer, once, on the loop, never from inside np_proxy_ask. `list`: a reference of the
   callee's, NULL is direct. error NULL: an answer; otherwise the request must not be sent. The
   lookup is gone when it returns. */
typedef void (*np_proxy_fn)(np_proxy_list *list, const np_error *error, void *user);

/*
 * Asks which proxies to try, in order. The question is borrowed for the call.
 *
 * Where nothing has to be waited for (explicit lists, environment, cached) the answer is in *out (a
 * reference of the caller's; NULL is direct) and NULL is returned. Otherwise *out is NULL and `fn`
 * comes later; errors come that way too.
 *
 * The trace: with something to compute the phase `proxy` begins at now_ns, gets its spans, and is
 * ended by a new piece of the phase `queue`, in which the request then is when this returns or when
 * `fn` is called. With nothing to compute (cached, a direct request, no source at all) nothing is
 * emitted. When it is cancelled the spans and the phase end.
 */
np_proxy_lookup *np_proxy_ask(np_proxy_resolver *resolver, const np_proxy_question *question,
                              uint64_t now_ns, np_proxy_list **out, np_proxy_fn fn, void *user);
/* Before `fn`: leaves at once (PX-3); what others wait for goes on. */
void np_proxy_lookup_cancel(np_proxy_lookup *lookup, uint64_t now_ns);

/* How an entry of a list did (section "failover"): it could not be reached, or stood. A bad proxy
   is put behind the good ones for 5 minutes; DIRECT is never bad. */
void np_proxy_failed(np_proxy_resolver *resolver, const np_proxy_entry *entry, uint64_t now_ns);
void np_proxy_worked(np_proxy_resolver *resolver, const np_proxy_entry *entry);

#endif
