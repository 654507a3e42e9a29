/*
 * Absolute http and https URLs. Floor 2; pure.
 *
 * Stricter than libcurl's own parser on purpose: what is recorded, looked up and sent must be one
 * and the same, so nothing is guessed, repaired or re-encoded. Taken beyond RFC 3986: '[' and ']'
 * in the path and the query, which servers and browsers use unencoded.
 */
#include "url.h"
#include "fail.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX  253 /* RFC 1035 section 2.3.4, as text without the last dot */
#define LABEL_MAX 63

/* A piece of the text. */
struct piece {
    const char *at;
    size_t length;
};

struct authority {
    char host[HOST_MAX + 2]; /* and a last dot */
    bool is_ipv6;
    uint16_t port; /* 0: none given */
};

static const struct {
    const char *name;
    uint16_t port;
} schemes[] = {
    {"http",  80 },
    {"https", 443}
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Bytes that may stand nowhere in a URL, and '%' that begins no escape. */
static np_status check_bytes(const char *text, size_t length, np_error *err)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == 0x7f)
            return np_fail(err, NP_E_ARGUMENT,
                           "the URL has a %s at byte %zu: write it percent-encoded",
                           c == ' ' ? "space" : "control character", i + 1);
        if (c >= 0x80)
            return np_fail(err, NP_E_ARGUMENT,
                           "the URL has the byte 0x%02x at byte %zu: write it percent-encoded, a "
                           "host name in its xn-- form",
                           c, i + 1);
        if (strchr("\"<>\\^`{|}", c))
            return np_fail(err, NP_E_ARGUMENT,
                           "the URL has '%c' at byte %zu: write it percent-encoded", c, i + 1);
        if (c == '%' && !(i + 2 < length && is_hex(text[i + 1]) && is_hex(text[i + 2])))
            return np_fail(err, NP_E_ARGUMENT,
                           "the URL has a '%%' without two hex digits at byte %zu: write %%25 for "
                           "the sign itself",
                           i + 1);
    }
    return NP_OK;
}

/* The scheme before "://"; `rest` gets what follows. */
static np_status read_scheme(const char *text, size_t *index, const char **rest, np_error *err)
{
    size_t length = 0;
    while (is_alpha(text[length]) ||
           (length > 0 && (is_digit(text[length]) || strchr("+-.", text[length]) != NULL) &&
            text[length]))
        length++;
    /* "localhost:8080" reads as a scheme, and is meant as a host */
    if (length == 0 || text[length] != ':' || is_digit(text[length + 1]))
        return np_fail(err, NP_E_ARGUMENT,
                       "the URL has no scheme: expected http:// or https:// at its start");
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == length && strncasecmp(text, schemes[i].name, length) == 0) {
            if (strncmp(text + length, "://", 3) != 0)
                return np_fail(err, NP_E_ARGUMENT, "the URL has no \"//\" after \"%s:\"",
                               schemes[i].name);
            *index = i;
            *rest = text + length + 3;
            return NP_OK;
        }
    return np_fail(err, NP_E_NOT_SUPPORTED,
                   "the scheme %.*s is not supported: expected http or https",
                   (int)(length < 40 ? length : 40), text);
}

static np_status read_ipv6(struct piece literal, struct authority *out, np_error *err)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (memchr(literal.at, '%', literal.length))
        return np_fail(err, NP_E_ARGUMENT, "the URL has a zone in its IPv6 address: not accepted");
    if (literal.length >= sizeof text)
        return np_fail(err, NP_E_ARGUMENT, "the URL has no IPv6 address between its brackets");
    memcpy(text, literal.at, literal.length);
    text[literal.length] = '\0';
    if (inet_pton(AF_INET6, text, &address) != 1)
        return np_fail(err, NP_E_ARGUMENT, "the URL has [%s], which is no IPv6 address", text);
    (void)inet_ntop(AF_INET6, &address, out->host,
                    sizeof out->host); /* it has room for every address */
    out->is_ipv6 = true;
    return NP_OK;
}

/* A host whose last label is a number must be a whole IPv4 address: libcurl would read "127.1" as
 * one, a resolver would not. */
static bool ends_in_number(const char *host)
{
    const char *label = strrchr(host, '.');
    label = label ? label + 1 : host;
    return *label && strspn(label, "0123456789") == strlen(label);
}

static np_status read_name(struct piece name, struct authority *out, np_error *err)
{
    size_t label = 0;
    const size_t whole =
        name.length > 0 && name.at[name.length - 1] == '.' ? name.length - 1 : name.length;
    if (name.length == 0)
        return np_fail(err, NP_E_ARGUMENT, "the URL has no host");
    if (whole > HOST_MAX)
        return np_fail(err, NP_E_ARGUMENT, "the URL has a host of %zu bytes: at most %d", whole,
                       HOST_MAX);
    for (size_t i = 0; i < whole; i++) {
        const char c = name.at[i];
        if (!is_alpha(c) && !is_digit(c) && !strchr("-._", c))
            return np_fail(
                err, NP_E_ARGUMENT,
                "the URL has '%c' in its host: expected letters, digits, '-', '_' and '.'", c);
        if (c == '.' && label == 0)
            break;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return np_fail(err, NP_E_ARGUMENT,
                           "the URL has a host with a label longer than %d bytes", LABEL_MAX);
        out->host[i] = lower(c);
    }
    if (label == 0)
        return np_fail(err, NP_E_ARGUMENT, "the URL has a host with an empty label");
    memcpy(out->host + whole, ".", name.length - whole);
    out->host[name.length] = '\0';

    struct in_addr address;
    if (ends_in_number(out->host) && inet_pton(AF_INET, out->host, &address) != 1)
        return np_fail(
            err, NP_E_ARGUMENT,
            "the URL has the host %.60s: expected four numbers of 0 to 255 in an IPv4 address",
            out->host);
    return NP_OK;
}

static np_status read_port(struct piece text, uint16_t *out, np_error *err)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!is_digit(text.at[i]))
            return np_fail(err, NP_E_ARGUMENT,
                           "the URL has '%c' in its port: expected a number of 1 to 65535",
                           text.at[i]);
        if (port <= UINT16_MAX)
            port = port * 10 + (uint32_t)(text.at[i] - '0');
    }
    if (text.length > 0 && (port == 0 || port > UINT16_MAX))
        return np_fail(err, NP_E_ARGUMENT, "the URL has the port %.*s: expected 1 to 65535",
                       (int)(text.length < 20 ? text.length : 20), text.at);
    *out = (uint16_t)port;
    return NP_OK;
}

/* host, host:port, [address], [address]:port */
static np_status read_authority(struct piece text, struct authority *out, np_error *err)
{
    *out = (struct authority){0};
    if (memchr(text.at, '@', text.length))
        return np_fail(
            err, NP_E_ARGUMENT,
            "the URL has a user name or password: not accepted, set the Authorization field");

    struct piece host = text, rest = {text.at + text.length, 0};
    np_status status;
    if (text.length > 0 && text.at[0] == '[') {
        const char *end = memchr(text.at, ']', text.length);
        if (!end)
            return np_fail(err, NP_E_ARGUMENT, "the URL has a '[' without its ']'");
        host = (struct piece){text.at + 1, (size_t)(end - text.at) - 1};
        rest = (struct piece){end + 1, text.length - host.length - 2};
        status = read_ipv6(host, out, err);
    } else {
        const char *colon = memchr(text.at, ':', text.length);
        if (colon) {
            host.length = (size_t)(colon - text.at);
            rest = (struct piece){colon, text.length - host.length};
        }
        status = read_name(host, out, err);
    }
    if (status || rest.length == 0)
        return status;
    if (rest.at[0] != ':')
        return np_fail(err, NP_E_ARGUMENT,
                       "the URL has '%c' after its ']': expected ':' and a port", rest.at[0]);
    return read_port((struct piece){rest.at + 1, rest.length - 1}, &out->port, err);
}

/* Lays text, host and their NULs out in one block. */
static np_status compose(size_t scheme, const struct authority *authority, struct piece target,
                         np_url *out, np_error *err)
{
    const uint16_t port = authority->port ? authority->port : schemes[scheme].port;
    const bool rooted = target.length > 0 && target.at[0] == '/';
    char port_text[8] = "";
    if (port != schemes[scheme].port)
        snprintf(port_text, sizeof port_text, ":%u", port);

    const size_t host_length = strlen(authority->host);
    const size_t size =
        strlen("https://[]:65535/") + host_length + target.length + 1 + host_length + 1;
    char *text = malloc(size);
    if (!text)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a URL");
    const int before =
        snprintf(text, size, "%s://%s%s%s%s", schemes[scheme].name, authority->is_ipv6 ? "[" : "",
                 authority->host, authority->is_ipv6 ? "]" : "", port_text);
    char *end = text + before;
    const char *target_text = end;
    if (!rooted)
        *end++ = '/';
    memcpy(end, target.at, target.length);
    end += target.length;
    *end++ = '\0';
    memcpy(end, authority->host, host_length + 1);
    *out = (np_url){.text = text,
                    .scheme = schemes[scheme].name,
                    .host = end,
                    .target = target_text,
                    .port = port};
    return NP_OK;
}

np_status np_url_parse(const char *text, np_url *out, np_error *err)
{
    *out = (np_url){0};
    const size_t length = strlen(text);
    if (length > NP_URL_MAX)
        return np_fail(err, NP_E_ARGUMENT, "the URL is longer than %u bytes", NP_URL_MAX);
    if (length == 0)
        return np_fail(err, NP_E_ARGUMENT,
                       "the URL is empty: expected http:// or https:// and a host");
    np_status status = check_bytes(text, length, err);
    if (status)
        return status;

    size_t scheme = 0;
    const char *rest = text;
    status = read_scheme(text, &scheme, &rest, err);
    if (status)
        return status;

    struct authority authority;
    const struct piece host = {rest, strcspn(rest, "/?#")};
    status = read_authority(host, &authority, err);
    if (status)
        return status;
    const char *target = rest + host.length;
    return compose(scheme, &authority, (struct piece){target, strcspn(target, "#")}, out, err);
}

void np_url_done(np_url *url)
{
    free(url->text);
    *url = (np_url){0};
}

np_status np_url_check_host(const char *text, np_error *err)
{
    struct authority authority;
    np_error inner;
    const size_t length = strlen(text);
    if (length > HOST_MAX + 8 || strpbrk(text, "/?#") || check_bytes(text, length, &inner) ||
        read_authority((struct piece){text, length}, &authority, &inner))
        return np_fail(
            err, NP_E_ARGUMENT,
            "%.80s is no host: expected a name or an address, and a port after ':' where needed",
            text);
    return NP_OK;
}
