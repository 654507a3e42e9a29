/* Addresses as text and as sockaddr; the order of RFC 6724. Floor 2. */
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCOPE_LINK_LOCAL = 2, SCOPE_SITE_LOCAL = 5, SCOPE_GLOBAL = 14 };

/* --- text --- */

bool np_port_parse(const char *text, size_t length, uint16_t *out)
{
    uint32_t port = 0;
    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

static bool parse_v4(const char *text, np_address *out)
{
    /* inet_aton takes trailing blanks and more; only what looks like a number in each part is a
     * literal. */
    if (text[strspn(text, "0123456789abcdefABCDEFxX.")] != '\0' || text[0] < '0' || text[0] > '9')
        return false;
    memset(out, 0, sizeof *out);
    out->v4.sin_family = AF_INET;
    return inet_aton(text, &out->v4.sin_addr) == 1;
}

static bool parse_zone(const char *zone, uint32_t *out)
{
    if (zone[strspn(zone, "0123456789")] == '\0' && zone[0] != '\0' && strlen(zone) < 10) {
        *out = (uint32_t)strtoul(zone, NULL, 10);
        return true;
    }
    *out = if_nametoindex(zone);
    return *out != 0;
}

static bool parse_v6(char *text, np_address *out)
{
    memset(out, 0, sizeof *out);
    out->v6.sin6_family = AF_INET6;
    char *zone = strchr(text, '%');
    if (zone) {
        *zone++ = '\0';
        if (!parse_zone(zone, &out->v6.sin6_scope_id))
            return false;
    }
    return inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1;
}

bool np_address_parse(const char *text, size_t length, np_address *out)
{
    char copy[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE + 2];
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
        if (!memchr(text, ':', length))
            return false;
    }
    if (length == 0 || length >= sizeof copy || memchr(text, '\0', length))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return strchr(copy, ':') ? parse_v6(copy, out) : parse_v4(copy, out);
}

bool np_address_parse_port(const char *text, size_t length, uint16_t default_port, np_address *out)
{
    uint16_t port = default_port;
    const char *colon = memrchr(text, ':', length);
    const bool is_bare_v6 = colon && text[0] != '[' && memchr(text, ':', (size_t)(colon - text));
    const bool has_port =
        colon && !is_bare_v6 && (text[0] != '[' || (colon > text && colon[-1] == ']'));
    if (has_port) {
        const size_t host_length = (size_t)(colon - text);
        if (!np_port_parse(colon + 1, length - host_length - 1, &port))
            return false;
        length = host_length;
    }
    if (!np_address_parse(text, length, out))
        return false;
    np_address_set_port(out, port);
    return true;
}

socklen_t np_address_size(const np_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t np_address_port(const np_address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void np_address_set_port(np_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

bool np_address_equal(const np_address *a, const np_address *b)
{
    if (a->any.sa_family != b->any.sa_family || np_address_port(a) != np_address_port(b))
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

const char *np_address_host_text(const np_address *address, char out[NP_ADDRESS_TEXT])
{
    if (address->any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, out, NP_ADDRESS_TEXT); /* there is room */
        return out;
    }
    (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, out, INET6_ADDRSTRLEN);
    if (address->v6.sin6_scope_id != 0)
        (void)snprintf(out + strlen(out), 12, "%%%u", address->v6.sin6_scope_id);
    return out;
}

const char *np_address_text(const np_address *address, char out[NP_ADDRESS_TEXT])
{
    char host[NP_ADDRESS_TEXT];
    np_address_host_text(address, host);
    const bool is_v6 = address->any.sa_family == AF_INET6;
    (void)snprintf(out, NP_ADDRESS_TEXT, is_v6 ? "[%.55s]:%u" : "%.55s:%u", host,
                   (unsigned)np_address_port(address));
    return out;
}

/* --- RFC 6724 --- */

bool np_address_source(const np_address *destination, np_address *source)
{
    const int fd = socket(destination->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    np_address to = *destination;
    if (np_address_port(&to) == 0)
        np_address_set_port(&to, 53); /* any will do: nothing is sent */
    socklen_t size = sizeof *source;
    const bool found = connect(fd, &to.any, np_address_size(&to)) == 0 &&
                       getsockname(fd, &source->any, &size) == 0;
    close(fd);
    return found;
}

/* Section 2.1: the default policy table. */
static const struct policy {
    uint8_t prefix[16];
    uint8_t bits;
    uint8_t precedence;
    uint8_t label;
} policies[] = {
  /* clang-format off */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50, 0},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},        96, 35, 4},
    {{0},                                               96, 1, 3},
    {{0x20, 0x01, 0, 0},                                32, 5, 5},
    {{0x20, 0x02},                                      16, 30, 2},
    {{0x3f, 0xfe},                                      16, 1, 12},
    {{0xfe, 0xc0},                                      10, 1, 11},
    {{0xfc},                                             7, 3, 13},
    {{0},                                                0, 40, 1},
  /* clang-format on */
};

static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned bits = 0;
    while (bits < max && ((a[bits / 8] ^ b[bits / 8]) & (0x80 >> bits % 8)) == 0)
        bits++;
    return bits;
}

/* IPv4 as a mapped address, as section 2.1 wants it. */
static void as_v6(const np_address *address, uint8_t out[16])
{
    if (address->any.sa_family == AF_INET6) {
        memcpy(out, &address->v6.sin6_addr, 16);
        return;
    }
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, &address->v4.sin_addr, 4);
}

static const struct policy *policy_of(const np_address *address)
{
    uint8_t bytes[16];
    as_v6(address, bytes);
    const struct policy *policy =
        policies; /* longest prefix first; the last one matches everything */
    while (common_bits(bytes, policy->prefix, policy->bits) < policy->bits)
        policy++;
    return policy;
}

static int scope_of(const np_address *address)
{
    uint8_t b[16];
    as_v6(address, b);
    if (address->any.sa_family == AF_INET)
        return b[12] == 127 || (b[12] == 169 && b[13] == 254) ? SCOPE_LINK_LOCAL : SCOPE_GLOBAL;
    if (b[0] == 0xff)
        return b[1] & 0x0f;
    if ((b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr))
        return SCOPE_LINK_LOCAL;
    return b[0] == 0xfe && (b[1] & 0xc0) == 0xc0 ? SCOPE_SITE_LOCAL : SCOPE_GLOBAL;
}

static int prefer(bool a, bool b)
{
    return (int)b - (int)a; /* negative: a comes first */
}

/* Rule 9: only within IPv6, and only the network part, so that the order a DNS server chose for its
 * hosts is kept. */
static unsigned source_prefix(const np_candidate *c)
{
    return common_bits((const uint8_t *)&c->address.v6.sin6_addr,
                       (const uint8_t *)&c->source.v6.sin6_addr, 64);
}

static int compare(const np_candidate *a, const np_candidate *b)
{
    int order = prefer(a->reachable, b->reachable); /* rule 1 */
    if (order != 0 || !a->reachable)
        return order;
    const int scope_a = scope_of(&a->address);
    const int scope_b = scope_of(&b->address);
    order = prefer(scope_a == scope_of(&a->source), scope_b == scope_of(&b->source)); /* rule 2 */
    if (order != 0)
        return order;
    const struct policy *policy_a = policy_of(&a->address);
    const struct policy *policy_b = policy_of(&b->address);
    order = prefer(policy_a->label == policy_of(&a->source)->label,
                   policy_b->label == policy_of(&b->source)->label); /* rule 5 */
    if (order != 0)
        return order;
    if (policy_a->precedence != policy_b->precedence) /* rule 6 */
        return policy_a->precedence > policy_b->precedence ? -1 : 1;
    if (scope_a != scope_b) /* rule 8 */
        return scope_a < scope_b ? -1 : 1;
    if (a->address.any.sa_family == AF_INET6 && b->address.any.sa_family == AF_INET6)
        return (int)source_prefix(b) - (int)source_prefix(a); /* rule 9 */
    return 0;
}

void np_candidates_sort(np_candidate *candidates, size_t count)
{
    for (size_t i = 1; i < count; i++) { /* insertion: short lists, and stable */
        const np_candidate moved = candidates[i];
        size_t k = i;
        for (; k > 0 && compare(&moved, &candidates[k - 1]) < 0; k--)
            candidates[k] = candidates[k - 1];
        candidates[k] = moved;
    }
}

void np_candidates_interleave(np_candidate *candidates, size_t count, int first_family)
{
    size_t reachable = 0;
    while (reachable < count && candidates[reachable].reachable)
        reachable++;
    int wanted = first_family;
    for (size_t i = 0; i < reachable; i++) {
        if (wanted == AF_UNSPEC)
            wanted = candidates[i].address.any.sa_family;
        size_t k = i;
        while (k < reachable && candidates[k].address.any.sa_family != wanted)
            k++;
        if (k == reachable) /* only the other family is left */
            k = i;
        const np_candidate found = candidates[k];
        memmove(&candidates[i + 1], &candidates[i], (k - i) * sizeof *candidates);
        candidates[i] = found;
        wanted = found.address.any.sa_family == AF_INET6 ? AF_INET : AF_INET6;
    }
}
