/*
 * no_proxy: which hosts are reached directly. Floor 2; pure.
 *
 * The list is one that other programs read too, so it means here what it means to curl, its
 * oddities included: a port in an entry never matches, "10.0.0.0/0" is one address, bits are read
 * as atoi does, an IPv6 host is compared as if it were a name. What curl does not have is told
 * apart.
 */
#include "proxy_decide.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ADDRESS_MAX = 127 /* bytes of an entry that may be an address */ };

struct host {
    const char *name; /* name[length]: without a last dot, unless it is an address */
    size_t length;
    bool is_v4, is_v6;
    struct in_addr v4;
    struct in6_addr v6;
};

static struct host read_host(const char *name)
{
    struct host host = {.name = name, .length = strlen(name)};
    host.is_v4 = inet_pton(AF_INET, name, &host.v4) == 1;
    host.is_v6 = !host.is_v4 && inet_pton(AF_INET6, name, &host.v6) == 1;
    if (!host.is_v4 && host.length > 0 && name[host.length - 1] == '.')
        host.length--;
    return host;
}

/* The same name, or one below it. */
static bool matches_name(const struct host *host, const char *entry, size_t length)
{
    if (length > 0 && entry[length - 1] == '.')
        length--;
    if (length > 0 && entry[0] == '.') {
        entry++;
        length--;
    }
    if (length == 0 || length > host->length)
        return false;
    const char *tail = host->name + host->length - length;
    return (tail == host->name || tail[-1] == '.') && strncasecmp(entry, tail, length) == 0;
}

/* "ADDRESS" or "ADDRESS/BITS" into address[] and what follows the '/'; NULL: there is none. */
static bool split_prefix(const char *entry, size_t length, char address[ADDRESS_MAX + 1],
                         const char **bits)
{
    if (length > ADDRESS_MAX)
        return false;
    memcpy(address, entry, length);
    address[length] = '\0';
    char *slash = strchr(address, '/');
    *bits = slash ? slash + 1 : NULL;
    if (slash)
        *slash = '\0';
    return true;
}

static bool matches_v4(const struct host *host, const char *entry, size_t length)
{
    char address[ADDRESS_MAX + 1];
    const char *text;
    struct in_addr network;
    if (!split_prefix(entry, length, address, &text) || inet_pton(AF_INET, address, &network) != 1)
        return false;
    const unsigned bits = text ? (unsigned)(int)strtol(text, NULL, 10) : 0;
    if (bits > 32)
        return false;
    const uint32_t mask = bits == 0 ? UINT32_MAX : UINT32_MAX << (32 - bits); /* 0: all of it */
    return ((ntohl(host->v4.s_addr) ^ ntohl(network.s_addr)) & mask) == 0;
}

/* Ours: the bits are digits and nothing else, and 0 is every address. */
static bool matches_v6_prefix(const struct host *host, const char *entry, size_t length)
{
    char address[ADDRESS_MAX + 1];
    const char *text;
    struct in6_addr network;
    if (!split_prefix(entry, length, address, &text) || !text || *text == '\0' ||
        strlen(text) > 3 || text[strspn(text, "0123456789")] != '\0' ||
        inet_pton(AF_INET6, address, &network) != 1)
        return false;
    const long bits = strtol(text, NULL, 10);
    if (bits > 128)
        return false;
    for (long i = 0; i < bits; i++)
        if ((host->v6.s6_addr[i / 8] ^ network.s6_addr[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

static bool matches(const struct host *host, const char *entry, size_t length,
                    np_no_proxy_match *out)
{
    bool found = host->is_v4 ? matches_v4(host, entry, length) : matches_name(host, entry, length);
    if (!found && host->is_v6) {
        found = matches_v6_prefix(host, entry, length);
        out->beyond_curl = found;
    }
    return found;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool np_no_proxy_matches(const char *list, const char *name, np_no_proxy_match *out)
{
    *out = (np_no_proxy_match){0};
    if (!list || name[0] == '\0')
        return false;
    if (strcmp(list, "*") == 0) {
        *out = (np_no_proxy_match){.entry = list, .length = 1};
        return true;
    }
    const struct host host = read_host(name);
    bool wants_comma = false;
    for (const char *at = list; *at;) {
        if (is_blank(*at) || *at == ',') {
            wants_comma &= *at != ',';
            at++;
            continue;
        }
        out->space_separated |= wants_comma;
        const size_t length = strcspn(at, ", \t");
        if (matches(&host, at, length, out)) {
            out->entry = at;
            out->length = length;
            return true;
        }
        at += length;
        wants_comma = true;
    }
    return false;
}

bool np_proxy_host_is_loopback(const char *name)
{
    static const char localhost[] = "localhost";
    const struct host host = read_host(name);
    if (host.is_v4)
        return ntohl(host.v4.s_addr) >> 24 == 127;
    if (host.is_v6)
        return IN6_IS_ADDR_LOOPBACK(&host.v6) ||
               (IN6_IS_ADDR_V4MAPPED(&host.v6) && host.v6.s6_addr[12] == 127);
    return matches_name(&host, localhost, sizeof localhost - 1);
}
