/*
 * http_proxy and friends, read as curl reads them. Floor 2; pure but for np_proxy_environment_read.
 *
 * SCHEME_proxy first, in capitals second (not for http: a CGI program finds a request's field
 * `Proxy:` there), then all_proxy and ALL_PROXY. A variable that is empty counts as not set. They
 * are copied once: a program may change its environment at any time, and only its own threads know
 * when that is safe to read.
 */
#include "proxy_decide.h"

#include "fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum variable {
    HTTP_LOWER,
    HTTP_UPPER, /* never used; said to be ignored */
    HTTPS_LOWER,
    HTTPS_UPPER,
    ALL_LOWER,
    ALL_UPPER,
    NO_LOWER,
    NO_UPPER,
    VARIABLES,
    NONE = VARIABLES
};

static const char *const names[VARIABLES] = {
    [HTTP_LOWER] = "http_proxy",   [HTTP_UPPER] = "HTTP_PROXY", [HTTPS_LOWER] = "https_proxy",
    [HTTPS_UPPER] = "HTTPS_PROXY", [ALL_LOWER] = "all_proxy",   [ALL_UPPER] = "ALL_PROXY",
    [NO_LOWER] = "no_proxy",       [NO_UPPER] = "NO_PROXY",
};

/* In the order to look at, up to NONE. */
static const enum variable http_order[] = {HTTP_LOWER, ALL_LOWER, ALL_UPPER, NONE};
static const enum variable https_order[] = {HTTPS_LOWER, HTTPS_UPPER, ALL_LOWER, ALL_UPPER, NONE};
static const enum variable no_order[] = {NO_LOWER, NO_UPPER, NONE};

struct np_proxy_environment {
    char *value[VARIABLES]; /* NULL: not set, or empty */
};

np_proxy_environment *np_proxy_environment_create(np_environment_fn get, void *user)
{
    np_proxy_environment *environment = calloc(1, sizeof *environment);
    for (int i = 0; environment && i < VARIABLES; i++) {
        const char *value = get(names[i], user);
        if (!value || !*value)
            continue;
        environment->value[i] = strdup(value);
        if (!environment->value[i]) {
            np_proxy_environment_free(environment);
            environment = NULL;
        }
    }
    return environment;
}

static const char *get_variable(const char *name, void *user)
{
    (void)user;
    return getenv(name);
}

np_proxy_environment *np_proxy_environment_read(void)
{
    return np_proxy_environment_create(get_variable, NULL);
}

void np_proxy_environment_free(np_proxy_environment *environment)
{
    for (int i = 0; environment && i < VARIABLES; i++)
        free(environment->value[i]);
    free(environment);
}

bool np_proxy_environment_is_set(const np_proxy_environment *environment)
{
    for (int i = 0; environment && i < NO_LOWER; i++)
        if (environment->value[i])
            return true;
    return false;
}

static enum variable find(const np_proxy_environment *environment, const enum variable *order)
{
    while (*order != NONE && !environment->value[*order])
        order++;
    return *order;
}

static void say_empty(const np_proxy_environment *environment, bool is_https, np_proxy_trial *trial)
{
    trial->verdict = NP_PROXY_EMPTY;
    if (is_https)
        (void)snprintf(trial->reason, sizeof trial->reason,
                       "none of https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY is set");
    else if (environment && environment->value[HTTP_UPPER])
        (void)snprintf(trial->reason, sizeof trial->reason,
                       "HTTP_PROXY in capitals is not read, since a CGI program finds a request's "
                       "own field there: set http_proxy");
    else
        (void)snprintf(trial->reason, sizeof trial->reason,
                       "none of http_proxy, all_proxy, ALL_PROXY is set");
}

static np_proxy_answer say_bypassed(const np_no_proxy_match *match, const char *variable,
                                    np_proxy_trial *trial, np_proxy_list **list, np_error *err)
{
    const np_proxy_entry direct = {.kind = NP_PROXY_DIRECT, .host = ""};
    trial->verdict = NP_PROXY_USED;
    trial->variable = variable;
    trial->beyond_curl = match->beyond_curl;
    (void)snprintf(trial->value, sizeof trial->value, "direct");
    (void)snprintf(trial->matched, sizeof trial->matched, "%.*s",
                   (int)(match->length < 255 ? match->length : 255), match->entry);
    (void)snprintf(trial->reason, sizeof trial->reason, "%s has an entry for the host%s",
                   variable ? variable : "the given list",
                   match->beyond_curl ? "; curl 7.88 does not match IPv6 prefixes" : "");
    *list = np_proxy_list_create(NP_PROXY_BY_ENVIRONMENT, &direct, 1);
    if (*list)
        return NP_PROXY_ANSWERED;
    (void)np_fail(err, NP_E_NO_MEMORY, "no memory for a list of proxies");
    return NP_PROXY_REFUSED;
}

static np_proxy_answer say_value(const char *name, const char *value, bool has_blanks,
                                 np_proxy_trial *trial, np_proxy_list **list, np_error *err)
{
    np_proxy_note note = {0};
    np_error why = {0};
    trial->variable = name;
    if (np_proxy_list_parse_url(value, NP_PROXY_BY_ENVIRONMENT, list, &note, &why)) {
        trial->verdict = NP_PROXY_ERROR;
        (void)snprintf(trial->reason, sizeof trial->reason, "%s", why.text);
        if (why.status == NP_E_NO_MEMORY)
            (void)np_fail(err, why.status, "%s", why.text);
        else
            (void)np_fail_web(err, NP_WEB_CONNECT_FAILURE, NULL, 0, NULL, "%s: %s", name, why.text);
        return NP_PROXY_REFUSED;
    }
    trial->verdict = NP_PROXY_USED;
    np_proxy_list_text(*list, trial->value, sizeof trial->value);
    if (note.count > 0)
        (void)snprintf(trial->reason, sizeof trial->reason, "%s", note.text);
    else if (has_blanks)
        (void)snprintf(trial->reason, sizeof trial->reason,
                       "no_proxy has entries without a comma between them: curl calls that "
                       "deprecated");
    return NP_PROXY_ANSWERED;
}

np_proxy_answer np_proxy_environment_decide(const np_proxy_environment *environment,
                                            const char *bypass, const np_proxy_question *question,
                                            np_proxy_trial *trial, np_proxy_list **list,
                                            np_error *err)
{
    const bool is_https = strcmp(question->scheme, "https") == 0;
    np_no_proxy_match match;
    *list = NULL;
    trial->source = "environment";
    const enum variable found =
        environment ? find(environment, is_https ? https_order : http_order) : NONE;
    if (found == NONE) {
        say_empty(environment, is_https, trial);
        return NP_PROXY_NEXT;
    }
    const enum variable no = bypass ? NONE : find(environment, no_order);
    if (no != NONE)
        bypass = environment->value[no];
    if (np_no_proxy_matches(bypass, question->host, &match))
        return say_bypassed(&match, no == NONE ? NULL : names[no], trial, list, err);
    return say_value(names[found], environment->value[found], match.space_separated, trial, list,
                     err);
}
