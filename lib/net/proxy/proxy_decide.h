/*
 * The parts of the proxy decision that are functions of what they are given: no_proxy, the
 * environment, what a program asks for, the proxies that failed lately. Floor 2; pure, any thread.
 */
#ifndef NP_NET_PROXY_DECIDE_H
#define NP_NET_PROXY_DECIDE_H

#include "proxy.h"
#include "textbuf.h"

#include <netinet/in.h>

/* --- no_proxy --- */

enum { NP_NO_PROXY_MAX = 2 * 1024 * 1024 /* bytes of a list of hosts */ };

/* Which entry of a list matched. */
typedef struct np_no_proxy_match {
    const char *entry; /* into the list; entry[length] */
    size_t length;
    bool beyond_curl;     /* an IPv6 prefix: curl 7.88 would not have matched it */
    bool space_separated; /* blanks without commas between entries: curl calls that deprecated */
} np_no_proxy_match;

/*
 * Does curl's no_proxy list say that `host` (lower case, no brackets) is to be reached directly?
 *
 * curl 7.88's rules: "*" alone is everything; a name, dots at its ends aside, is itself and all
 * names below it; an IPv4 host is compared with addresses and ADDRESS/BITS; an IPv6 host with
 * texts, as a name. Beyond curl: ADDRESS/BITS for IPv6.
 */
bool np_no_proxy_matches(const char *list, const char *host, np_no_proxy_match *out);

/* "localhost", "*.localhost", 127.0.0.0/8, ::1 and the latter as IPv4-mapped. */
bool np_proxy_host_is_loopback(const char *host);

/* --- the environment --- */

typedef struct np_proxy_environment np_proxy_environment;

/* How a variable is read: getenv, or a test's table. NULL: not set. */
typedef const char *(*np_environment_fn)(const char *name, void *user);

/* A copy of the variables that matter. NULL: no memory. */
np_proxy_environment *np_proxy_environment_create(np_environment_fn get, void *user);
np_proxy_environment *np_proxy_environment_read(void);             /* of this process, by getenv */
void np_proxy_environment_free(np_proxy_environment *environment); /* NULL allowed */
/* Is any variable set that may name a proxy, HTTP_PROXY included? False for NULL. */
bool np_proxy_environment_is_set(const np_proxy_environment *environment);

/* --- what one source says --- */

typedef struct np_proxy_trial {
    const char *source; /* static: "request", "context", "environment", "direct" */
    np_proxy_verdict verdict;
    const char *variable; /* static: the variable that decided; NULL: none */
    char reason[200];     /* "" where the verdict says it all */
    char value[512];      /* what the source said, without credentials; "" */
    char matched[256];    /* the no_proxy entry that matched; "" */
    bool beyond_curl;     /* … and curl would not have matched it */
    bool timed_out;
    uint64_t start_ns, end_ns;
} np_proxy_trial;

enum { NP_PROXY_TRIALS = 4 }; /* request, context, environment, direct */

typedef struct np_proxy_trials {
    uint64_t start_ns, end_ns;
    size_t count;
    np_proxy_trial trial[NP_PROXY_TRIALS];
} np_proxy_trials;

typedef enum np_proxy_answer {
    NP_PROXY_ANSWERED, /* *list is the answer */
    NP_PROXY_NEXT,     /* nothing: the next source */
    NP_PROXY_CALL,     /* the callback has to be asked */
    NP_PROXY_REFUSED   /* an error that ends the request: in *err */
} np_proxy_answer;

/* `bypass`: instead of the environment's no_proxy; NULL: that one. */
np_proxy_answer np_proxy_environment_decide(const np_proxy_environment *environment,
                                            const char *bypass, const np_proxy_question *question,
                                            np_proxy_trial *trial, np_proxy_list **list,
                                            np_error *err);

/* What is known without asking the callback. */
np_proxy_answer np_proxy_settings_decide(const np_proxy_settings *settings,
                                         const np_proxy_question *question, np_proxy_trial *trial,
                                         np_proxy_list **list, np_error *err);
/* What the callback said: `status`, `failure` where that is no NP_OK, and `answer`. */
np_proxy_answer np_proxy_settings_answered(const np_proxy_settings *settings, np_status status,
                                           const np_error *failure, const char *answer,
                                           np_proxy_trial *trial, np_proxy_list **list,
                                           np_error *err);

/* The trial as the detail of a span: a JSON object, "" when there is no memory; freed by the caller
 * with np_textbuf_done. `is_shared`: the work is another request's. */
void np_proxy_trial_detail(const np_proxy_trial *trial, bool is_shared, np_textbuf *out);

/* Entries as "http://a:1; direct". */
void np_proxy_list_text(const np_proxy_list *list, char *out, size_t size);

/* --- what a program asks for --- */

struct np_proxy_settings {
    np_proxy_settings *self; /* NULL: static, lives for ever */
    _Atomic uint32_t references;
    bool is_direct;
    bool bypass_on_local;
    np_proxy_error_policy on_error;
    np_proxy_list *list; /* NULL: none */
    char *bypass;        /* NULL: none */
    np_proxy_callback callback;
    void *user;
    char *own_domain;     /* ".example": this machine's, for bypass_on_local; NULL: none */
    struct in6_addr *own; /* own[own_count]: this machine's addresses, IPv4 mapped */
    size_t own_count;
    np_proxy_note note; /* what was odd about the texts */
};

/* --- proxies that failed lately --- */

enum { NP_PROXY_BAD_ENTRIES = 256 };
#define NP_PROXY_BAD_NS (INT64_C(300) * 1000000000) /* 5 min */

typedef struct np_proxy_bad np_proxy_bad;

np_proxy_bad *np_proxy_bad_create(void);   /* NULL: no memory */
void np_proxy_bad_free(np_proxy_bad *bad); /* NULL allowed */
/* It failed at now_ns and is bad for 5 minutes from then. DIRECT is never bad. Beyond
 * NP_PROXY_BAD_ENTRIES proxies the one that is good again first makes room. */
void np_proxy_bad_mark(np_proxy_bad *bad, const np_proxy_entry *entry, uint64_t now_ns);
void np_proxy_bad_clear(np_proxy_bad *bad, const np_proxy_entry *entry); /* it works */
void np_proxy_bad_clear_all(np_proxy_bad *bad);
bool np_proxy_bad_is(const np_proxy_bad *bad, const np_proxy_entry *entry, uint64_t now_ns);
/* The list with the bad ones behind the good ones, each part in its order. A reference of the
 * caller's: to `list` itself where nothing changes, and where there is no memory. */
np_proxy_list *np_proxy_bad_order(const np_proxy_bad *bad, np_proxy_list *list, uint64_t now_ns);

#endif
