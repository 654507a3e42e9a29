/*
 * What never gets into an event. Floor 1; pure, any thread.
 *
 * The rule where a text is ambiguous: rather lose something harmless than keep something secret. So
 * a query is cut at '&' only (a password may contain ';'), a scheme of Authorization stays only
 * where it is a known one, and a name with "token" in it is one.
 */
#include "redact.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const np_redaction defaults;

static bool is_word_of(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    const size_t end_length = strlen(end);
    return length >= end_length && strncasecmp(text + length - end_length, end, end_length) == 0;
}

static bool is_one_of(const char *text, size_t length, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_word_of(text, length, words[i]))
            return true;
    return false;
}

/* Bytes of text[length] before the first of `stops`. */
static size_t span_until(const char *text, size_t length, const char *stops)
{
    size_t i = 0;
    while (i < length && (text[i] == '\0' || !strchr(stops, text[i])))
        i++;
    return i;
}

/* --- names that were asked for --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character at *at and how many bytes stand for it ("%6b" is a 'k'). */
static char decoded(const char *text, size_t length, size_t at, size_t *bytes)
{
    const bool escaped = text[at] == '%' && length - at >= 3 && hex_digit(text[at + 1]) >= 0 &&
                         hex_digit(text[at + 2]) >= 0;
    *bytes = escaped ? 3 : 1;
    return escaped ? (char)(hex_digit(text[at + 1]) << 4 | hex_digit(text[at + 2])) : text[at];
}

static bool is_same_name(const char *text, size_t length, const char *name)
{
    size_t at = 0;
    size_t bytes;
    for (; at < length && *name; at += bytes, name++) {
        const char c = decoded(text, length, at, &bytes);
        if (strncasecmp(&c, name, 1) != 0)
            return false;
    }
    return at == length && !*name;
}

/* Was this name given, to be redacted whatever else is kept? */
static bool is_named(const np_redaction *rules, const char *name, size_t length)
{
    for (size_t i = 0; i < rules->name_count; i++)
        if (is_same_name(name, length, rules->names[i]))
            return true;
    return false;
}

static bool keeps_queries(const np_redaction *rules)
{
    return rules->keep_query_values || rules->keep_all;
}

/* --- URLs --- */

/* Bytes of NAME in NAME=VALUE; *sign: bytes of the '=' behind it, 0 where there is none. */
static size_t pair_name(const char *pair, size_t length, size_t *sign)
{
    size_t name = 0;
    *sign = 0;
    for (; name < length; name++) {
        *sign = pair[name] == '='                                               ? 1
                : length - name >= 3 && strncasecmp(pair + name, "%3d", 3) == 0 ? 3
                                                                                : 0;
        if (*sign)
            break;
    }
    return name;
}

/* Is one of the names given the name of this pair, or of one behind a ';' in it? */
static bool holds_named(const np_redaction *rules, const char *pair, size_t length)
{
    for (size_t at = 0; at <= length;) {
        const size_t piece = span_until(pair + at, length - at, ";");
        size_t sign;
        if (is_named(rules, pair + at, pair_name(pair + at, piece, &sign)))
            return true;
        at += piece + 1;
    }
    return false;
}

/* NAME=VALUE becomes NAME=*; an encoded '=' is one too, a decoder further on may see it so. */
static void redact_pair(const np_redaction *rules, const char *pair, size_t length, np_textbuf *out)
{
    size_t sign;
    const size_t name = pair_name(pair, length, &sign);
    if (keeps_queries(rules) && !holds_named(rules, pair, length)) {
        np_textbuf_add(out, pair, length);
        return;
    }
    np_textbuf_add(out, pair, name + (name < length ? sign : 0));
    if (name < length)
        np_textbuf_puts(out, "*");
}

static void redact_pairs(const np_redaction *rules, const char *text, size_t length, char separator,
                         np_textbuf *out)
{
    const char stops[2] = {separator, '\0'};
    for (size_t at = 0;;) {
        const size_t pair = span_until(text + at, length - at, stops);
        redact_pair(rules, text + at, pair, out);
        at += pair;
        if (at >= length)
            return;
        np_textbuf_add(out, stops, 1);
        at++;
    }
}

void np_redact_path(const np_redaction *rules, const char *path, size_t length, np_textbuf *out)
{
    length = span_until(path, length, "#");
    rules = rules ? rules : &defaults;
    if (keeps_queries(rules) && rules->name_count == 0) {
        np_textbuf_add(out, path, length);
        return;
    }
    /* "/cart;jsessionid=…": parameters of a path segment are values as well. */
    const size_t end = span_until(path, length, "?");
    for (size_t at = 0; at < end;) {
        const size_t plain = span_until(path + at, end - at, ";");
        np_textbuf_add(out, path + at, plain);
        at += plain;
        const size_t parameters = span_until(path + at, end - at, "/");
        if (parameters > 0)
            redact_pairs(rules, path + at, parameters, ';', out);
        at += parameters;
    }
    if (end < length) {
        np_textbuf_puts(out, "?");
        redact_pairs(rules, path + end + 1, length - end - 1, '&', out);
    }
}

/* Bytes of a scheme with its "://", or of a leading "//"; 0 when there is neither. */
static size_t scheme_length(const char *url, size_t length)
{
    size_t i = 0;
    while (i < length &&
           (url[i] == '+' || url[i] == '-' || url[i] == '.' || (url[i] >= '0' && url[i] <= '9') ||
            ((url[i] | 0x20) >= 'a' && (url[i] | 0x20) <= 'z')))
        i++;
    if (i > 0 && length - i >= 3 && memcmp(url + i, "://", 3) == 0)
        return i + 3;
    return length >= 2 && memcmp(url, "//", 2) == 0 ? 2 : 0;
}

/* "host", "host:80", "[::1]:80"; a ':' with anything but digits behind it is not followed by a
 * port. */
static bool has_strange_port(const char *authority, size_t length)
{
    size_t at = length > 0 && authority[0] == '[' ? span_until(authority, length, "]") : 0;
    at += span_until(authority + at, length - at, ":");
    for (at++; at < length; at++)
        if (authority[at] < '0' || authority[at] > '9')
            return true;
    return false;
}

/* Bytes of "user:password@" at the start of what follows the scheme. */
static size_t user_info_length(const char *rest, size_t length)
{
    size_t authority = span_until(rest, length, "/?#");
    /* "user:pa/ss@host": a password that should have been escaped is still a password. */
    if (!memchr(rest, '@', authority) && has_strange_port(rest, authority))
        authority = length;
    const char *const at = authority > 0 ? memrchr(rest, '@', authority) : NULL;
    return at ? (size_t)(at - rest) + 1 : 0;
}

void np_redact_url(const np_redaction *rules, const char *url, size_t length, np_textbuf *out)
{
    const size_t scheme = scheme_length(url, length);
    np_textbuf_add(out, url, scheme);
    url += scheme;
    length -= scheme;
    /* Without a scheme it may still be "user:password@host", unless it begins as a path does. */
    const bool is_path =
        scheme == 0 && length > 0 && strchr("/?#.", url[0]) != NULL && url[0] != '\0';
    const size_t user = length == 0 || is_path ? 0 : user_info_length(url, length);
    np_redact_path(rules, url + user, length - user, out);
}

/* --- header fields --- */

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*length)--;
    }
    while (*length > 0 && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        (*length)--;
}

/* "Basic dXNlcjpwYXNz" → "Basic *". What stands before the first space of an unknown scheme may be
 * the secret itself. */
static void redact_credentials(const char *value, size_t length, np_textbuf *out)
{
    static const char *const schemes[] = {
        "Basic",
        "Digest",
        "Bearer",
        "Negotiate",
        "NTLM",
        "Kerberos",
        "HOBA",
        "Mutual",
        "SCRAM-SHA-1",
        "DPoP",
        "GNAP",
        "PrivateToken",
        "vapid",
        "OAuth",
        "Token",
        "Hawk",
        "AWS4-HMAC-SHA256",
        "SCRAM-SHA-256",
        "AWS",
        "ApiKey",
        "Signature",
        "SharedKey",
        "GoogleLogin",
    };
    trim(&value, &length);
    const size_t scheme = span_until(value, length, " \t");
    if (!is_one_of(value, scheme, schemes, COUNT(schemes))) {
        np_textbuf_puts(out, length > 0 ? "*" : "");
        return;
    }
    np_textbuf_add(out, value, scheme);
    if (scheme < length)
        np_textbuf_puts(out, " *");
}

/* A realm is worth keeping; what Negotiate and NTLM send is a token both ways. */
static void redact_challenge(const char *value, size_t length, np_textbuf *out)
{
    static const char *const token_schemes[] = {"Negotiate", "NTLM", "Kerberos"};
    while (length > 0) { /* a list of challenges; a comma inside one splits it here, and it is put
                            together again */
        const size_t piece = span_until(value, length, ",");
        const char *challenge = value;
        size_t challenge_length = piece;
        trim(&challenge, &challenge_length);
        const size_t scheme = span_until(challenge, challenge_length, " \t");
        if (is_one_of(challenge, scheme, token_schemes, COUNT(token_schemes))) {
            np_textbuf_add(out, challenge, scheme);
            np_textbuf_puts(out, scheme < challenge_length ? " *" : "");
        } else {
            np_textbuf_add(out, challenge, challenge_length);
        }
        value += piece;
        length -= piece;
        if (length > 0) {
            np_textbuf_puts(out, ", ");
            value++;
            length--;
        }
    }
}

static void redact_cookie_pair(const char *pair, size_t length, np_textbuf *out)
{
    const size_t name = span_until(pair, length, "=");
    if (name < length)
        np_textbuf_add(out, pair, name + 1);
    np_textbuf_puts(out, length > 0 ? "*" : ""); /* without a name all of it is the value */
}

/* Attributes of Set-Cookie stay, unless a value has a '=' in it: then a second cookie may hang on
 * it ("Expires=Wed, 09 …, sid=…"). */
static void redact_cookie_attribute(const char *pair, size_t length, np_textbuf *out)
{
    static const char *const attributes[] = {"Expires",  "Max-Age",     "Domain",
                                             "Path",     "SameSite",    "Secure",
                                             "HttpOnly", "Partitioned", "Priority"};
    const size_t name = span_until(pair, length, "=");
    const bool known = is_one_of(pair, name, attributes, COUNT(attributes));
    if (known && (name == length || !memchr(pair + name + 1, '=', length - name - 1)))
        np_textbuf_add(out, pair, length);
    else
        redact_cookie_pair(pair, length, out);
}

static void redact_cookies(const char *value, size_t length, bool is_set, np_textbuf *out)
{
    for (size_t at = 0, number = 0; at < length; number++) {
        const char *pair = value + at;
        size_t pair_length = span_until(pair, length - at, ";");
        at += pair_length + 1;
        trim(&pair, &pair_length);
        if (number > 0)
            np_textbuf_puts(out, "; ");
        if (is_set && number > 0)
            redact_cookie_attribute(pair, pair_length, out);
        else
            redact_cookie_pair(pair, pair_length, out);
    }
}

/* <URL>; rel=next, <URL> … and "5; url=URL": the URLs in them. */
static void redact_link(const np_redaction *rules, const char *value, size_t length,
                        np_textbuf *out)
{
    for (size_t at = 0; at < length;) {
        const size_t before = span_until(value + at, length - at, "<");
        np_textbuf_add(out, value + at, before);
        at += before;
        if (at == length)
            return;
        np_textbuf_puts(out, "<");
        at++;
        const size_t url = span_until(value + at, length - at, ">");
        np_redact_url(rules, value + at, url, out);
        at += url;
    }
}

static void redact_refresh(const np_redaction *rules, const char *value, size_t length,
                           np_textbuf *out)
{
    size_t at = span_until(value, length, "=");
    at += at < length ? 1 : 0;
    while (at < length && strchr(" \t'\"", value[at]) && value[at] != '\0')
        at++;
    np_textbuf_add(out, value, at);
    np_redact_url(rules, value + at, length - at, out);
}

/* Is this the name of something secret? Asked of header fields, options and variables alike: parts
 * between '-', '_' and '.' decide. */
static bool is_secret_name(const char *name, size_t length)
{
    static const char *const parts[] = {
        "auth", "authorization", "credential", "credentials", "session", "sessionid", "sid",
        "jwt",  "csrf",          "xsrf",       "passphrase",  "cookie",  "assertion", "pwd"};
    static const char *const ends[] = {"token",  "tokens", "secret",  "secrets",  "password",
                                       "passwd", "apikey", "authkey", "accesskey"};
    static const char *const harmless_keys[] = {"sec-websocket-key", "idempotency-key",
                                                "surrogate-key", "key", "proxy-key"};

    size_t last = 0;
    for (size_t at = 0; at <= length;) {
        const size_t part = span_until(name + at, length - at, "-_.");
        if (is_one_of(name + at, part, parts, COUNT(parts)))
            return true;
        for (size_t i = 0; i < COUNT(ends); i++)
            if (ends_with(name + at, part, ends[i]))
                return true;
        last = at;
        at += part + 1;
    }
    return is_word_of(name + last, length - last, "key") &&
           !is_one_of(name, length, harmless_keys, COUNT(harmless_keys));
}

typedef enum header_kind {
    HEADER_OTHER,
    HEADER_SECRET,
    HEADER_CREDENTIALS,
    HEADER_CHALLENGE,
    HEADER_COOKIE,
    HEADER_SET_COOKIE,
    HEADER_URL,
    HEADER_LINK,
    HEADER_REFRESH
} header_kind;

static const struct {
    const char *name;
    header_kind kind;
} headers[] = {
    {"Authorization",             HEADER_CREDENTIALS},
    {"Proxy-Authorization",       HEADER_CREDENTIALS},
    {"Authentication-Info",       HEADER_SECRET     },
    {"Proxy-Authentication-Info", HEADER_SECRET     },
    {"WWW-Authenticate",          HEADER_CHALLENGE  },
    {"Proxy-Authenticate",        HEADER_CHALLENGE  },
    {"Cookie",                    HEADER_COOKIE     },
    {"Cookie2",                   HEADER_COOKIE     },
    {"Set-Cookie",                HEADER_SET_COOKIE },
    {"Set-Cookie2",               HEADER_SET_COOKIE },
    {"Location",                  HEADER_URL        },
    {"Content-Location",          HEADER_URL        },
    {"Referer",                   HEADER_URL        },
    {"Destination",               HEADER_URL        },
    {"SourceMap",                 HEADER_URL        },
    {"X-Original-URL",            HEADER_URL        },
    {"X-Rewrite-URL",             HEADER_URL        },
    {":path",                     HEADER_URL        },
    {"Link",                      HEADER_LINK       },
    {"Refresh",                   HEADER_REFRESH    },
};

static header_kind header_kind_of(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(headers); i++)
        if (is_word_of(name, length, headers[i].name))
            return headers[i].kind;
    return is_secret_name(name, length) ? HEADER_SECRET : HEADER_OTHER;
}

/* With everything kept, what holds a URL still loses the user info in it. */
static header_kind kept_kind(header_kind kind)
{
    return kind == HEADER_URL || kind == HEADER_LINK || kind == HEADER_REFRESH ? kind
                                                                               : HEADER_OTHER;
}

static void redact_field(const np_redaction *rules, const char *name, size_t name_length,
                         const char *value, size_t length, np_textbuf *out)
{
    header_kind kind = header_kind_of(name, name_length);
    if (is_named(rules, name, name_length))
        kind = HEADER_SECRET;
    else if (rules->keep_all)
        kind = kept_kind(kind);
    switch (kind) {
    case HEADER_OTHER:
        np_textbuf_add(out, value, length);
        break;
    case HEADER_SECRET:
        np_textbuf_puts(out, length > 0 ? "*" : "");
        break;
    case HEADER_CREDENTIALS:
        redact_credentials(value, length, out);
        break;
    case HEADER_CHALLENGE:
        redact_challenge(value, length, out);
        break;
    case HEADER_COOKIE:
    case HEADER_SET_COOKIE:
        redact_cookies(value, length, kind == HEADER_SET_COOKIE, out);
        break;
    case HEADER_URL:
        np_redact_url(rules, value, length, out);
        break;
    case HEADER_LINK:
        redact_link(rules, value, length, out);
        break;
    case HEADER_REFRESH:
        redact_refresh(rules, value, length, out);
        break;
    }
}

void np_redact_header(const np_redaction *rules, const char *name, const char *value, size_t length,
                      np_textbuf *out)
{
    redact_field(rules ? rules : &defaults, name, strlen(name), value, length, out);
}

/* --- words of a command line --- */

typedef enum option_kind {
    OPTION_NONE, /* no option whose value we know */
    OPTION_FLAG, /* an option without a value */
    OPTION_SECRET,
    OPTION_HEADER,
    OPTION_COOKIE,
    OPTION_BODY, /* "@file" stays, anything else goes */
    OPTION_URL,
    OPTION_PROXIES
} option_kind;

static const struct {
    char letter; /* 0: only long */
    const char *name;
    option_kind kind;
} options[] = {
    {'u', "user",           OPTION_SECRET },
    {'U', "proxy-user",     OPTION_SECRET },
    {0,   "oauth2-bearer",  OPTION_SECRET },
    {0,   "pass",           OPTION_SECRET },
    {0,   "proxy-pass",     OPTION_SECRET },
    {0,   "tlsuser",        OPTION_SECRET },
    {0,   "proxy-tlsuser",  OPTION_SECRET },
    {0,   "tlspassword",    OPTION_SECRET },
    {0,   "login-options",  OPTION_SECRET },
    {'H', "header",         OPTION_HEADER },
    {0,   "proxy-header",   OPTION_HEADER },
    {'b', "cookie",         OPTION_COOKIE },
    {'d', "data",           OPTION_BODY   },
    {0,   "data-raw",       OPTION_BODY   },
    {0,   "data-ascii",     OPTION_BODY   },
    {0,   "data-binary",    OPTION_BODY   },
    {0,   "data-urlencode", OPTION_BODY   },
    {0,   "url-query",      OPTION_BODY   },
    {0,   "json",           OPTION_BODY   },
    {'F', "form",           OPTION_BODY   },
    {0,   "form-string",    OPTION_BODY   },
    {0,   "url",            OPTION_URL    },
    {'x', "proxy",          OPTION_PROXIES},
    {0,   "preproxy",       OPTION_URL    },
    {0,   "doh-url",        OPTION_URL    },
    {'e', "referer",        OPTION_URL    },
};

/* "--use" is --user, where a program lets its options be shortened: what may be the name of a
 * secret counts as one. */
static bool may_be_secret(const char *name, size_t length)
{
    for (size_t i = 0; length > 0 && i < COUNT(options); i++)
        if (options[i].kind == OPTION_SECRET && length < strlen(options[i].name) &&
            strncasecmp(name, options[i].name, length) == 0)
            return true;
    return is_secret_name(name, length);
}

static option_kind long_option(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(options); i++)
        if (is_word_of(name, length, options[i].name))
            return options[i].kind;
    if (may_be_secret(name, length))
        return OPTION_SECRET;
    for (size_t i = 0; length > 0 && i < COUNT(options); i++)
        if (strncasecmp(name, options[i].name, length) == 0)
            return options[i].kind;
    return OPTION_NONE;
}

/* "-sSu" or "-vuUSER:PASS": letters of curl that take no value may stand before one that does. */
static option_kind short_option(const char *letters, const char **value)
{
    for (; *letters; letters++) {
        for (size_t i = 0; i < COUNT(options); i++) {
            if (options[i].letter && options[i].letter == *letters) {
                *value = letters[1] ? letters + 1 : NULL;
                return options[i].kind;
            }
        }
        if (!strchr("#0123456:BGIJLMNORSVZafgijklnpqsv", *letters))
            return OPTION_NONE;
    }
    return OPTION_FLAG;
}

/* What option a word is; *value is what hangs on it, or NULL when the value is the next word. */
static option_kind option_of(const char *word, const char **value)
{
    *value = NULL;
    if (word[0] != '-' || word[1] == '\0')
        return OPTION_NONE;
    if (word[1] != '-')
        return short_option(word + 1, value);
    const char *const sign = strchr(word, '=');
    if (sign)
        *value = sign + 1;
    return long_option(word + 2, sign ? (size_t)(sign - word) - 2 : strlen(word) - 2);
}

static void redact_header_line(const np_redaction *rules, const char *line, np_textbuf *out)
{
    const size_t name = strcspn(line, ":");
    if (line[name] == '\0') { /* "@file", "Name;" */
        np_textbuf_puts(out, line);
        return;
    }
    const char *value = line + name + 1;
    value += strspn(value, " \t");
    np_textbuf_add(out, line, (size_t)(value - line));

    const char *key = line;
    size_t key_length = name;
    trim(&key, &key_length);
    redact_field(rules, key, key_length, value, strlen(value), out);
}

/* A word by itself: a URL, NAME=VALUE, or anything else. */
static void redact_plain(const np_redaction *rules, const char *word, np_textbuf *out)
{
    const size_t length = strlen(word);
    const size_t name =
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (name > 0 && word[name] == '=') {
        np_textbuf_add(out, word, name + 1);
        if (is_secret_name(word, name) || is_named(rules, word, name))
            np_textbuf_puts(out, "*");
        else
            redact_plain(rules, word + name + 1, out);
        return;
    }
    const bool is_url = strstr(word, "://") || (strpbrk(word, "@?") && word[0] != '@');
    if (is_url)
        np_redact_url(rules, word, length, out);
    else
        np_textbuf_add(out, word, length);
}

/* URLs separated by ';'. Where a ';' may be part of a password, what stands before it is hidden
 * too. */
static void redact_proxies(const np_redaction *rules, const char *value, np_textbuf *out)
{
    const char *const last_user = strrchr(value, '@');
    for (const char *at = value;;) {
        const size_t length = strcspn(at, ";");
        if (last_user && at + length < last_user && !memchr(at, '@', length))
            np_textbuf_puts(out, "*");
        else
            np_redact_url(rules, at, length, out);
        at += length;
        if (*at == '\0')
            return;
        np_textbuf_puts(out, ";");
        at++;
    }
}

static void redact_value(const np_redaction *rules, option_kind kind, const char *value,
                         np_textbuf *out)
{
    switch (kind) {
    case OPTION_SECRET:
        np_textbuf_puts(out, "*");
        break;
    case OPTION_HEADER:
        redact_header_line(rules, value, out);
        break;
    case OPTION_COOKIE: /* without a '=' it names a file */
        if (strchr(value, '='))
            redact_cookies(value, strlen(value), false, out);
        else
            np_textbuf_puts(out, value);
        break;
    case OPTION_BODY:
        np_textbuf_puts(out, value[0] == '@' ? value : "*");
        break;
    case OPTION_URL:
        np_redact_url(rules, value, strlen(value), out);
        break;
    case OPTION_PROXIES:
        redact_proxies(rules, value, out);
        break;
    case OPTION_NONE:
    case OPTION_FLAG:
        redact_plain(rules, value, out);
        break;
    }
}

void np_redact_argument(const np_redaction *rules, const char *previous, const char *argument,
                        np_textbuf *out)
{
    rules = rules ? rules : &defaults;
    const char *value = NULL;
    const option_kind before = previous ? option_of(previous, &value) : OPTION_NONE;
    const bool is_value = !value && before != OPTION_NONE && before != OPTION_FLAG;
    if (is_value) {
        redact_value(rules, before, argument, out);
        return;
    }

    const option_kind kind = option_of(argument, &value);
    if (value) {
        np_textbuf_add(out, argument, (size_t)(value - argument));
        redact_value(rules, kind, value, out);
    } else {
        redact_plain(rules, argument, out);
    }
}
