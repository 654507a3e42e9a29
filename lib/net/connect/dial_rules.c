/* The rules of --resolve and --connect-to. Floor 2; pure. */
#include "dial_rules.h"

#include "fail.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct resolve_rule {
    char *host; /* "*": every name */
    uint16_t port;
    np_address address[NP_RULE_ADDRESSES]; /* address[count], 1 … */
    size_t count;
} resolve_rule;

typedef struct connect_rule {
    char *host;       /* NULL: any */
    uint16_t port;    /* 0: any */
    char *to_host;    /* NULL: as it was */
    uint16_t to_port; /* 0: as it was */
} connect_rule;

struct np_dial_rules {
    resolve_rule *resolve;
    size_t resolve_count;
    connect_rule *connect_to;
    size_t connect_to_count;
};

/* A host up to its colon; an IPv6 literal stands in brackets, which go. NULL: malformed. */
static const char *host_end(const char *text, const char **begin, size_t *length)
{
    const char *end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
    if (!end)
        return NULL;
    *begin = *text == '[' ? text + 1 : text;
    *length = (size_t)(end - *begin);
    if (*text == '[')
        end++;
    return *end == ':' || *end == '\0' ? end : NULL;
}

static bool parse_addresses(const char *text, resolve_rule *rule)
{
    for (;; text++) {
        const size_t length = strcspn(text, ",");
        if (rule->count == NP_RULE_ADDRESSES ||
            !np_address_parse(text, length, &rule->address[rule->count]))
            return false;
        rule->count++;
        text += length;
        if (*text == '\0')
            return true;
    }
}

static np_status parse_resolve(const char *entry, resolve_rule *rule, np_error *err)
{
    const char *host;
    size_t length = 0;
    const char *port = host_end(entry, &host, &length);
    const char *addresses = port && *port == ':' ? strchr(port + 1, ':') : NULL;
    if (!addresses || length == 0 ||
        !np_port_parse(port + 1, (size_t)(addresses - port) - 1, &rule->port) ||
        !parse_addresses(addresses + 1, rule))
        return np_fail(err, NP_E_ARGUMENT,
                       "'%.80s' is not HOST:PORT:ADDR[,ADDR…] (up to %d addresses)", entry,
                       NP_RULE_ADDRESSES);
    rule->host = strndup(host, length);
    return rule->host ? NP_OK : np_fail(err, NP_E_NO_MEMORY, "no memory for '%.80s'", entry);
}

/* A port or nothing (0), which ends at `end`. */
static bool parse_optional_port(const char *text, const char *end, uint16_t *out)
{
    *out = 0;
    return text == end || np_port_parse(text, (size_t)(end - text), out);
}

static np_status parse_connect_to(const char *entry, connect_rule *rule, np_error *err)
{
    const char *host;
    const char *to_host;
    size_t length = 0;
    size_t to_length = 0;
    const char *port = host_end(entry, &host, &length);
    const char *port_end = port && *port == ':' ? strchr(port + 1, ':') : NULL;
    const char *to_port = port_end ? host_end(port_end + 1, &to_host, &to_length) : NULL;
    if (!to_port || *to_port != ':' || !parse_optional_port(port + 1, port_end, &rule->port) ||
        !parse_optional_port(to_port + 1, to_port + strlen(to_port), &rule->to_port))
        return np_fail(err, NP_E_ARGUMENT,
                       "'%.80s' is not HOST:PORT:HOST2:PORT2 (each may be empty, IPv6 in brackets)",
                       entry);
    rule->host = length ? strndup(host, length) : NULL;
    rule->to_host = to_length ? strndup(to_host, to_length) : NULL;
    if ((length && !rule->host) || (to_length && !rule->to_host))
        return np_fail(err, NP_E_NO_MEMORY, "no memory for '%.80s'", entry);
    return NP_OK;
}

np_status np_dial_rules_create(const np_dialer_options *options, np_dial_rules **out, np_error *err)
{
    *out = NULL;
    np_dial_rules *rules = calloc(1, sizeof *rules);
    if (!rules)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for connect rules");
    np_status status = NP_OK;
    rules->resolve = calloc(options->resolve_count + 1, sizeof *rules->resolve);
    rules->connect_to = calloc(options->connect_to_count + 1, sizeof *rules->connect_to);
    if (!rules->resolve || !rules->connect_to) {
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for connect rules");
        goto fail;
    }
    while (rules->resolve_count < options->resolve_count && !status) {
        const size_t i = rules->resolve_count++;
        status = parse_resolve(options->resolve[i], &rules->resolve[i], err);
    }
    while (rules->connect_to_count < options->connect_to_count && !status) {
        const size_t i = rules->connect_to_count++;
        status = parse_connect_to(options->connect_to[i], &rules->connect_to[i], err);
    }
    if (status)
        goto fail;
    *out = rules;
    return NP_OK;

fail:
    np_dial_rules_free(rules);
    return status;
}

void np_dial_rules_free(np_dial_rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->resolve_count; i++)
        free(rules->resolve[i].host);
    for (size_t i = 0; i < rules->connect_to_count; i++) {
        free(rules->connect_to[i].host);
        free(rules->connect_to[i].to_host);
    }
    free(rules->resolve);
    free(rules->connect_to);
    free(rules);
}

void np_dial_rules_connect_to(const np_dial_rules *rules, const char **host, uint16_t *port)
{
    for (size_t i = 0; i < rules->connect_to_count; i++) {
        const connect_rule *rule = &rules->connect_to[i];
        if ((rule->host && strcasecmp(rule->host, *host) != 0) ||
            (rule->port && rule->port != *port))
            continue;
        if (rule->to_host)
            *host = rule->to_host;
        if (rule->to_port)
            *port = rule->to_port;
        return;
    }
}

size_t np_dial_rules_resolve(const np_dial_rules *rules, const char *host, uint16_t port,
                             const np_address **out)
{
    for (size_t i = 0; i < rules->resolve_count; i++) {
        const resolve_rule *rule = &rules->resolve[i];
        if (rule->port == port &&
            (strcmp(rule->host, "*") == 0 || strcasecmp(rule->host, host) == 0)) {
            *out = rule->address;
            return rule->count;
        }
    }
    return 0;
}
