/*
 * np_proxy: what a program asks for. Floor 2; immutable once made, any thread.
 *
 * The public functions take it const, since nothing about it ever changes but the count of its
 * references; that is reached through `self`, which is NULL in the static one that says "direct".
 */
#include "proxy_decide.h"

#include "fail.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const np_proxy_settings direct = {.is_direct = true};

const np_proxy *np_proxy_direct(void)
{
    return &direct;
}

const np_proxy *np_proxy_retain(const np_proxy *proxy)
{
    if (proxy && proxy->self) /* relaxed: the caller has or borrows a reference */
        atomic_fetch_add_explicit(&proxy->self->references, 1, memory_order_relaxed);
    return proxy;
}

static void settings_free(np_proxy_settings *settings)
{
    np_proxy_list_release(settings->list);
    free(settings->bypass);
    free(settings->own_domain);
    free(settings->own);
    free(settings);
}

void np_proxy_release(const np_proxy *proxy)
{
    np_proxy_settings *const self = proxy ? proxy->self : NULL;
    /* acquire and release: the last one frees what the others read */
    if (self && atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) == 1)
        settings_free(self);
}

const char *np_proxy_warning(const np_proxy *proxy)
{
    return proxy->note.text;
}

/* --- this machine --- */

static void mapped(struct in6_addr *out, const struct in_addr *v4)
{
    memset(out, 0, sizeof *out);
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, v4, 4);
}

/* false: no memory. A machine that does not tell its addresses has none. */
static bool find_own_addresses(np_proxy_settings *settings)
{
    struct ifaddrs *all = NULL;
    size_t count = 0;
    if (getifaddrs(&all) != 0)
        return true;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next)
        count++;
    settings->own = calloc(count + 1, sizeof *settings->own);
    for (const struct ifaddrs *i = all; i && settings->own; i = i->ifa_next) {
        struct in6_addr *const out = &settings->own[settings->own_count];
        if (!i->ifa_addr)
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            mapped(out, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr);
        else if (i->ifa_addr->sa_family == AF_INET6)
            *out = ((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;
        else
            continue;
        settings->own_count++;
    }
    freeifaddrs(all);
    return settings->own != NULL;
}

static bool find_own_domain(np_proxy_settings *settings)
{
    char name[HOST_NAME_MAX + 1];
    if (gethostname(name, sizeof name) != 0)
        return true;
    name[HOST_NAME_MAX] = '\0';
    const char *domain = strchr(name, '.');
    if (!domain || !domain[1])
        return true;
    settings->own_domain = strdup(domain);
    return settings->own_domain != NULL;
}

static bool is_own_address(const np_proxy_settings *settings, const struct in6_addr *address)
{
    for (size_t i = 0; i < settings->own_count; i++)
        if (memcmp(&settings->own[i], address, sizeof *address) == 0)
            return true;
    return false;
}

static bool is_local(const np_proxy_settings *settings, const char *host)
{
    struct in6_addr address;
    struct in_addr v4;
    if (np_proxy_host_is_loopback(host))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        mapped(&address, &v4);
        return is_own_address(settings, &address);
    }
    if (inet_pton(AF_INET6, host, &address) == 1)
        return is_own_address(settings, &address);
    if (!strchr(host, '.'))
        return true;
    const size_t length = strlen(host);
    const size_t own = settings->own_domain ? strlen(settings->own_domain) : 0;
    return own > 0 && length > own && strcasecmp(host + length - own, settings->own_domain) == 0;
}

/* --- making one --- */

static np_status check(const np_proxy_options *o, np_error *err)
{
    if (!o->proxies && !o->callback)
        return np_fail(err, NP_E_ARGUMENT_NULL, "proxies and callback are both NULL");
    if (o->bypass && strlen(o->bypass) > NP_NO_PROXY_MAX)
        return np_fail(err, NP_E_ARGUMENT,
                       "the list of hosts without a proxy is %zu bytes long: expected at most %d",
                       strlen(o->bypass), NP_NO_PROXY_MAX);
    if (o->on_error < NP_PROXY_ERROR_DIRECT || o->on_error > NP_PROXY_ERROR_NEXT_SOURCE)
        return np_fail(err, NP_E_ARGUMENT,
                       "%d is no error policy: expected one of np_proxy_error_policy",
                       (int)o->on_error);
    return NP_OK;
}

static np_status fill(np_proxy_settings *settings, const np_proxy_options *o, np_error *err)
{
    settings->self = settings;
    atomic_init(&settings->references, 1);
    settings->callback = o->callback;
    settings->user = o->user;
    settings->on_error = o->on_error;
    settings->bypass_on_local = o->bypass_on_local;
    if (o->proxies) {
        const np_status status = np_proxy_list_parse(o->proxies, NP_PROXY_BY_EXPLICIT,
                                                     &settings->list, &settings->note, err);
        if (status)
            return status;
    }
    if (o->bypass)
        settings->bypass = strdup(o->bypass);
    if ((o->bypass && !settings->bypass) ||
        (o->bypass_on_local && (!find_own_addresses(settings) || !find_own_domain(settings))))
        return np_fail(err, NP_E_NO_MEMORY, "no memory for proxy settings");
    return NP_OK;
}

np_status np_proxy_create(const np_proxy_options *options, np_proxy **out, np_error *err)
{
    np_proxy_options o = {0};
    if (!out)
        return np_fail(err, NP_E_ARGUMENT_NULL, "out is NULL");
    *out = NULL;
    if (!options)
        return np_fail(err, NP_E_ARGUMENT_NULL, "options is NULL");
    memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    np_status status = check(&o, err);
    if (status)
        return status;
    np_proxy_settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for proxy settings");
    status = fill(settings, &o, err);
    if (status) {
        settings_free(settings);
        return status;
    }
    *out = settings;
    return NP_OK;
}

/* --- deciding --- */

static np_proxy_answer use(np_proxy_list *list, np_proxy_trial *trial, np_proxy_list **out)
{
    trial->verdict = NP_PROXY_USED;
    np_proxy_list_text(list, trial->value, sizeof trial->value);
    *out = list;
    return NP_PROXY_ANSWERED;
}

static np_proxy_answer use_direct(np_proxy_trial *trial, np_proxy_list **out, np_error *err)
{
    const np_proxy_entry entry = {.kind = NP_PROXY_DIRECT, .host = ""};
    np_proxy_list *list = np_proxy_list_create(NP_PROXY_BY_EXPLICIT, &entry, 1);
    if (list)
        return use(list, trial, out);
    (void)np_fail(err, NP_E_NO_MEMORY, "no memory for a list of proxies");
    return NP_PROXY_REFUSED;
}

np_proxy_answer np_proxy_settings_decide(const np_proxy_settings *settings,
                                         const np_proxy_question *question, np_proxy_trial *trial,
                                         np_proxy_list **list, np_error *err)
{
    np_no_proxy_match match;
    *list = NULL;
    if (settings->is_direct)
        return use_direct(trial, list, err);
    if (np_no_proxy_matches(settings->bypass, question->host, &match)) {
        trial->beyond_curl = match.beyond_curl;
        (void)snprintf(trial->matched, sizeof trial->matched, "%.*s",
                       (int)(match.length < 255 ? match.length : 255), match.entry);
        (void)snprintf(trial->reason, sizeof trial->reason,
                       "the list of hosts without a proxy has an entry for the host%s",
                       match.beyond_curl ? "; curl 7.88 does not match IPv6 prefixes" : "");
        return use_direct(trial, list, err);
    }
    if (settings->bypass_on_local && is_local(settings, question->host)) {
        (void)snprintf(trial->reason, sizeof trial->reason, "the host is local");
        return use_direct(trial, list, err);
    }
    if (settings->callback)
        return NP_PROXY_CALL;
    if (settings->note.count > 0)
        (void)snprintf(trial->reason, sizeof trial->reason, "%s", settings->note.text);
    return use(np_proxy_list_retain(settings->list), trial, list);
}

/* The callback did not answer: what the policy makes of it. */
static np_proxy_answer apply_policy(const np_proxy_settings *settings, const np_error *why,
                                    np_proxy_trial *trial, np_proxy_list **list, np_error *err)
{
    const bool is_forbidden =
        why->status == NP_E_WEB && why->web_status == NP_WEB_REQUEST_PROHIBITED_BY_PROXY;
    trial->verdict = NP_PROXY_ERROR;
    (void)snprintf(trial->reason, sizeof trial->reason, "%s", why->text);
    if (settings->on_error == NP_PROXY_ERROR_FAIL || is_forbidden) {
        const np_web_status web = is_forbidden       ? NP_WEB_REQUEST_PROHIBITED_BY_PROXY
                                  : trial->timed_out ? NP_WEB_TIMEOUT
                                                     : NP_WEB_CONNECT_FAILURE;
        (void)np_fail_web(err, web, why->layer, why->code, why->cause, "proxy decision: %s",
                          why->text);
        return NP_PROXY_REFUSED;
    }
    if (settings->on_error == NP_PROXY_ERROR_NEXT_SOURCE)
        return NP_PROXY_NEXT;
    if (settings->list) {
        *list = np_proxy_list_retain(settings->list);
        np_proxy_list_text(*list, trial->value, sizeof trial->value);
        return NP_PROXY_ANSWERED;
    }
    const np_proxy_verdict verdict = trial->verdict;
    const np_proxy_answer answer = use_direct(trial, list, err);
    trial->verdict = verdict;
    return answer;
}

np_proxy_answer np_proxy_settings_answered(const np_proxy_settings *settings, np_status status,
                                           const np_error *failure, const char *answer,
                                           np_proxy_trial *trial, np_proxy_list **list,
                                           np_error *err)
{
    np_proxy_note note = {0};
    np_error why = {0};
    *list = NULL;
    if (status) {
        why = *failure;
        why.status = status;
        if (!why.text[0])
            (void)np_fail(&why, status, "the proxy callback failed: %s", np_status_name(status));
        return apply_policy(settings, &why, trial, list, err);
    }
    if (answer[strspn(answer, " \t\r\n;")] == '\0') {
        trial->verdict = NP_PROXY_EMPTY;
        (void)snprintf(trial->reason, sizeof trial->reason, "the proxy callback has no opinion");
        return NP_PROXY_NEXT;
    }
    np_proxy_list *made = NULL;
    if (np_proxy_list_parse_result(answer, strlen(answer), NP_PROXY_BY_EXPLICIT, &made, &note,
                                   &why))
        return apply_policy(settings, &why, trial, list, err);
    (void)snprintf(trial->reason, sizeof trial->reason, "%s", note.text);
    return use(made, trial, list);
}
