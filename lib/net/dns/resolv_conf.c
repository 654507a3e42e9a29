/* What /etc/resolv.conf says. Floor 2; pure. */
#include "resolv_conf.h"

#include "clock.h"
#include "fail.h"
#include "text_file.h"

#include <string.h>

enum { FILE_SERVERS = 3, NDOTS_MAX = 15, TIMEOUT_MAX_S = 30, ATTEMPTS_MAX = 5 };

static bool word_is(const char *word, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(word, name, length) == 0;
}

/* "NAME:NUMBER", cut to max. */
static bool number_option(const char *word, size_t length, const char *name, unsigned max,
                          unsigned *out)
{
    const size_t name_length = strlen(name);
    if (length <= name_length || memcmp(word, name, name_length) != 0)
        return false;
    unsigned value = 0;
    for (size_t i = name_length; i < length; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word[i] - '0');
        if (value > max)
            value = max;
    }
    *out = value;
    return true;
}

static void parse_options(np_resolv_conf *conf, const char *at, const char *end)
{
    size_t length;
    for (; (length = np_text_word(&at, end, true)) > 0; at += length) {
        unsigned value;
        if (number_option(at, length, "ndots:", NDOTS_MAX, &value))
            conf->ndots = value;
        else if (number_option(at, length, "timeout:", TIMEOUT_MAX_S, &value))
            conf->timeout_ns = (value ? value : 1) * NP_NS_PER_S;
        else if (number_option(at, length, "attempts:", ATTEMPTS_MAX, &value))
            conf->attempts = value ? value : 1;
        else if (word_is(at, length, "rotate"))
            conf->rotate = true;
        else if (word_is(at, length, "use-vc"))
            conf->use_tcp = true;
    }
}

static void parse_search(np_resolv_conf *conf, const char *at, const char *end)
{
    size_t length;
    conf->domain_count = 0;
    for (; (length = np_text_word(&at, end, true)) > 0 && conf->domain_count < NP_DNS_DOMAINS;
         at += length) {
        size_t kept = length;
        while (kept > 0 && at[kept - 1] == '.')
            kept--;
        if (kept == 0 || kept >= NP_DNS_NAME_SIZE)
            continue;
        memcpy(conf->domain[conf->domain_count], at, kept);
        conf->domain[conf->domain_count++][kept] = '\0';
    }
}

static void parse_server(np_resolv_conf *conf, const char *at, const char *end)
{
    const size_t length = np_text_word(&at, end, true);
    np_address server;
    if (conf->server_count == FILE_SERVERS || !np_address_parse(at, length, &server))
        return;
    np_address_set_port(&server, NP_DNS_PORT);
    conf->server[conf->server_count++] = server;
}

static void parse_line(np_resolv_conf *conf, const char *at, const char *end)
{
    const size_t length = np_text_word(&at, end, true);
    const char *rest = at + length;
    if (word_is(at, length, "nameserver"))
        parse_server(conf, rest, end);
    else if (word_is(at, length, "search") || word_is(at, length, "domain"))
        parse_search(conf, rest, end);
    else if (word_is(at, length, "options"))
        parse_options(conf, rest, end);
}

void np_resolv_conf_parse(const char *text, size_t length, np_resolv_conf *out)
{
    memset(out, 0, sizeof *out);
    out->ndots = 1;
    out->timeout_ns = 5 * NP_NS_PER_S;
    out->attempts = 2;
    const char *end = text ? text + length : text;
    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        parse_line(out, at, newline ? newline : end);
        at = newline ? newline + 1 : end;
    }
    if (out->server_count == 0) {
        out->server_count = 1;
        out->server[0].v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                                 .sin_port = htons(NP_DNS_PORT),
                                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    }
}

np_status np_dns_servers_parse(const char *text, np_resolv_conf *conf, np_error *err)
{
    np_address server[NP_DNS_SERVERS];
    size_t count = 0;
    for (const char *at = text;; at++) {
        const size_t length = strcspn(at, ",");
        if (count == NP_DNS_SERVERS)
            return np_fail(err, NP_E_ARGUMENT, "more than %d DNS servers in '%s'", NP_DNS_SERVERS,
                           text);
        if (!np_address_parse_port(at, length, NP_DNS_PORT, &server[count]))
            return np_fail(err, NP_E_ARGUMENT,
                           "DNS server '%.*s' is not ADDR or ADDR:PORT (IPv6 in brackets)",
                           (int)length, at);
        count++;
        at += length;
        if (*at == '\0')
            break;
    }
    memcpy(conf->server, server, count * sizeof server[0]);
    conf->server_count = count;
    return NP_OK;
}

static size_t count_dots(const char *name)
{
    size_t dots = 0;
    for (; *name; name++)
        dots += *name == '.';
    return dots;
}

bool np_resolv_conf_candidate(const np_resolv_conf *conf, const char *name, size_t n,
                              char out[NP_DNS_NAME_SIZE])
{
    const size_t length = strlen(name);
    const bool is_absolute = length > 0 && name[length - 1] == '.';
    const bool as_is_first = is_absolute || count_dots(name) >= conf->ndots;
    const size_t domains = is_absolute ? 0 : conf->domain_count;
    size_t at = 0;
    if (as_is_first && at++ == n)
        goto as_is;
    for (size_t i = 0; i < domains; i++) {
        if (length + 1 + strlen(conf->domain[i]) > NP_DNS_NAME_SIZE - 3)
            continue;
        if (at++ == n) {
            memcpy(out, name, length);
            out[length] = '.';
            memcpy(out + length + 1, conf->domain[i], strlen(conf->domain[i]) + 1);
            return true;
        }
    }
    if (as_is_first || at != n)
        return false;
as_is:
    memcpy(out, name, length + 1);
    if (is_absolute)
        out[length - 1] = '\0';
    return true;
}
