/*
 * Texts to lists of proxies. Floor 2; pure, any thread.
 *
 * Two grammars. A proxy URL is what curl takes for -x and in http_proxy; somebody typed it, so a
 * mistake in it is refused, with words. An answer ("PROXY h:p; DIRECT") comes from a script that
 * nobody here can mend; what makes no sense in it is left out and noted, as the browsers do.
 *
 * A list is one block: the struct, its entries, their texts.
 */
#include "proxy_decide.h"

#include "fail.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    HOST_MAX = 253,       /* RFC 1035 section 2.3.4, as text without the last dot */
    SECRET_MAX = 1024,    /* bytes of a user name or a password, decoded */
    URL_MAX = 4096,       /* bytes of a proxy URL */
    PORT_CURL = 1080,     /* what curl takes for a proxy URL without a port … */
    PORT_CURL_HTTPS = 443 /* … that begins with https:// */
};

/* A piece of a text. */
struct piece {
    const char *at;
    size_t length;
};

/* An entry while it is being read: what np_proxy_entry points at lies here. */
struct draft {
    np_proxy_entry entry;
    char host[HOST_MAX + 2]; /* and a last dot */
    char user[SECRET_MAX + 1], password[SECRET_MAX + 1];
};

static const struct scheme {
    const char *name;
    np_proxy_kind kind;
} schemes[] = {
    {"http",    NP_PROXY_HTTP   },
    {"https",   NP_PROXY_HTTPS  },
    {"socks",   NP_PROXY_SOCKS4 },
    {"socks4",  NP_PROXY_SOCKS4 },
    {"socks4a", NP_PROXY_SOCKS4A},
    {"socks5",  NP_PROXY_SOCKS5 },
    {"socks5h", NP_PROXY_SOCKS5H},
};

static const struct keyword {
    const char *name;
    np_proxy_kind kind;
    uint16_t port; /* where none is given */
    const char *oddity;
} keywords[] = {
  /* clang-format off */
    {"DIRECT", NP_PROXY_DIRECT,  0,    NULL},
    {"PROXY",  NP_PROXY_HTTP,    80,   NULL},
    {"HTTP",   NP_PROXY_HTTP,    80,   "HTTP is taken as PROXY: not every browser does"},
    {"HTTPS",  NP_PROXY_HTTPS,   443,  NULL},
    {"SOCKS",  NP_PROXY_SOCKS4,  1080, "SOCKS is taken as SOCKS4: some browsers take it as SOCKS5"},
    {"SOCKS4", NP_PROXY_SOCKS4,  1080, NULL},
    {"SOCKS5", NP_PROXY_SOCKS5H, 1080, NULL},
  /* clang-format on */
};

static const char *const kind_names[] = {
    [NP_PROXY_DIRECT] = "direct",   [NP_PROXY_HTTP] = "http",       [NP_PROXY_HTTPS] = "https",
    [NP_PROXY_SOCKS4] = "socks4",   [NP_PROXY_SOCKS4A] = "socks4a", [NP_PROXY_SOCKS5] = "socks5",
    [NP_PROXY_SOCKS5H] = "socks5h",
};

const char *np_proxy_kind_name(np_proxy_kind kind)
{
    return kind_names[kind];
}

/* --- lists --- */

/* "kind://host:port" into out, or only its length. */
static size_t entry_text(const np_proxy_entry *entry, char *out, size_t size)
{
    int length;
    if (entry->kind == NP_PROXY_DIRECT)
        length = snprintf(out, size, "direct");
    else
        length = snprintf(out, size, strchr(entry->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
                          np_proxy_kind_name(entry->kind), entry->host, (unsigned)entry->port);
    return (size_t)length; /* cannot fail: no wide characters */
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *put_text(char **end, const char *text)
{
    if (!text)
        return NULL;
    const size_t size = strlen(text) + 1;
    char *at = *end;
    memcpy(at, text, size);
    *end += size;
    return at;
}

np_proxy_list *np_proxy_list_create(np_proxy_origin source, const np_proxy_entry *entries,
                                    size_t count)
{
    size_t size = sizeof(np_proxy_list) + count * sizeof(np_proxy_entry);
    for (size_t i = 0; i < count; i++)
        size += text_size(entries[i].host) + text_size(entries[i].user) +
                text_size(entries[i].password) + entry_text(&entries[i], NULL, 0) + 1;
    np_proxy_list *list = malloc(size);
    if (!list)
        return NULL;
    atomic_init(&list->references, 1);
    list->source = (uint8_t)source;
    list->count = count;
    char *end = (char *)&list->entry[count];
    for (size_t i = 0; i < count; i++) {
        np_proxy_entry *entry = &list->entry[i];
        *entry = entries[i];
        entry->host = put_text(&end, entries[i].host);
        entry->user = put_text(&end, entries[i].user);
        entry->password = put_text(&end, entries[i].password);
        entry->text = end;
        end += entry_text(entry, end, (size_t)((char *)list + size - end)) + 1;
    }
    return list;
}

np_proxy_list *np_proxy_list_retain(np_proxy_list *list)
{
    if (list) /* relaxed: the caller has or borrows a reference */
        atomic_fetch_add_explicit(&list->references, 1, memory_order_relaxed);
    return list;
}

void np_proxy_list_release(np_proxy_list *list)
{
    /* acquire and release: the last one frees what the others read */
    if (list && atomic_fetch_sub_explicit(&list->references, 1, memory_order_acq_rel) == 1)
        free(list);
}

bool np_proxy_list_is_direct(const np_proxy_list *list)
{
    for (size_t i = 0; list && i < list->count; i++)
        if (list->entry[i].kind != NP_PROXY_DIRECT)
            return false;
    return true;
}

/* --- small readers --- */

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct piece trim(struct piece p)
{
    while (p.length > 0 && is_blank(p.at[0]))
        p = (struct piece){p.at + 1, p.length - 1};
    while (p.length > 0 && is_blank(p.at[p.length - 1]))
        p.length--;
    return p;
}

/* For "%.*s" in a message: as much as a line can take. */
static int shown(struct piece p)
{
    return (int)(p.length < 80 ? p.length : 80);
}

static void note_oddity(np_proxy_note *note, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note_oddity(np_proxy_note *note, const char *format, ...)
{
    if (!note || note->count++ > 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(note->text, sizeof note->text, format, arguments);
    va_end(arguments);
    for (char *c = note->text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

/* --- host and port --- */

static bool read_ipv6(struct piece literal, char out[HOST_MAX + 2])
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (literal.length >= sizeof text || memchr(literal.at, '\0', literal.length))
        return false;
    memcpy(text, literal.at, literal.length);
    text[literal.length] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 &&
           inet_ntop(AF_INET6, &address, out, HOST_MAX + 2);
}

/* A host whose last label is a number must be a whole IPv4 address: one library would read "127.1"
 * as an address, another as a name. */
static bool is_broken_ipv4(const char *host)
{
    struct in_addr address;
    const char *label = strrchr(host, '.');
    label = label ? label + 1 : host;
    const bool numeric = *label && strspn(label, "0123456789") == strlen(label);
    return numeric && inet_pton(AF_INET, host, &address) != 1;
}

static bool read_name(struct piece name, char out[HOST_MAX + 2])
{
    size_t label = 0;
    if (name.length == 0 || name.length > HOST_MAX + 1)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        const char c = name.at[i];
        if (c == '.' ? label == 0
                     : !(is_alpha(c) || is_digit(c) || c == '-' || c == '_') || label == 63)
            return false;
        label = c == '.' ? 0 : label + 1;
        out[i] = lower(c);
    }
    out[name.length] = '\0';
    return (name.length <= HOST_MAX || label == 0) && !is_broken_ipv4(out);
}

static bool read_port(struct piece text, uint16_t *out)
{
    uint32_t port = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!is_digit(text.at[i]))
            return false;
        if (port <= UINT16_MAX)
            port = port * 10 + (uint32_t)(text.at[i] - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

/* host, host:port, [address], [address]:port. Port 0: none is given. On failure `wrong` says what
 * is. */
static bool read_host_port(struct piece text, struct draft *draft, const char **wrong)
{
    struct piece host = text;
    struct piece port = {NULL, 0};
    const char *colon = memchr(text.at, ':', text.length);
    draft->entry.host = draft->host;
    draft->entry.port = 0;
    if (text.length > 0 && text.at[0] == '[') {
        const char *end = memchr(text.at, ']', text.length);
        *wrong = "no IPv6 address between '[' and ']'";
        if (!end)
            return false;
        host = (struct piece){text.at + 1, (size_t)(end - text.at) - 1};
        if (!read_ipv6(host, draft->host))
            return false;
        *wrong = "something else than ':' and a port after ']'";
        colon = end + 1 < text.at + text.length ? end + 1 : NULL;
        if (colon && *colon != ':')
            return false;
    } else {
        if (colon)
            host.length = (size_t)(colon - text.at);
        *wrong = "no host name or address";
        if (!read_name(host, draft->host))
            return false;
    }
    if (!colon)
        return true;
    port = (struct piece){colon + 1, text.length - (size_t)(colon + 1 - text.at)};
    *wrong = memchr(port.at, ':', port.length) ? "more than one ':': an IPv6 address needs brackets"
                                               : "no port of 1 to 65535 after ':'";
    return read_port(port, &draft->entry.port);
}

/* --- a proxy URL --- */

/* Percent-decoded into out; false: too long, a broken escape, or a control character. */
static bool read_secret(struct piece text, char out[SECRET_MAX + 1])
{
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int c = (unsigned char)text.at[i];
        if (c == '%') {
            const int high = i + 1 < text.length ? hex_value(text.at[i + 1]) : -1;
            const int low = i + 2 < text.length ? hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c < ' ' || c == 0x7f || length == SECRET_MAX)
            return false;
        out[length++] = (char)c;
    }
    out[length] = '\0';
    return true;
}

/* user[:password] */
static np_status read_user(struct piece text, struct draft *draft, np_error *err)
{
    const char *colon = memchr(text.at, ':', text.length);
    const size_t user_length = colon ? (size_t)(colon - text.at) : text.length;
    const struct piece user = {text.at, user_length};
    const struct piece password = {colon ? colon + 1 : text.at,
                                   colon ? text.length - user_length - 1 : 0};
    if (!read_secret(user, draft->user) || !read_secret(password, draft->password))
        return np_fail(err, NP_E_ARGUMENT,
                       "the proxy has a user name or password that cannot be read: expected at "
                       "most %d bytes each, '%%' written as %%25 and no control character",
                       SECRET_MAX);
    draft->entry.user = draft->user;
    draft->entry.password = colon ? draft->password : "";
    return NP_OK;
}

static np_status read_scheme(struct piece *rest, struct draft *draft, np_error *err)
{
    const char *found = memmem(rest->at, rest->length, "://", 3);
    const struct piece name = {rest->at, found ? (size_t)(found - rest->at) : 0};
    draft->entry.kind = NP_PROXY_HTTP;
    if (!found || memchr(name.at, '@', name.length) || memchr(name.at, '/', name.length))
        return NP_OK; /* no scheme: the "://" belongs to what follows, which will be refused */
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == name.length &&
            strncasecmp(schemes[i].name, name.at, name.length) == 0) {
            draft->entry.kind = schemes[i].kind;
            *rest = (struct piece){found + 3, rest->length - name.length - 3};
            return NP_OK;
        }
    return np_fail(err, NP_E_ARGUMENT,
                   "the proxy scheme %.*s is not known: expected http, https, socks4, socks4a, "
                   "socks5 or socks5h",
                   (int)(name.length < 30 ? name.length : 30), name.at);
}

/* A path, a query or a fragment says nothing about a proxy. curl ignores it, and so do we. */
static void cut_path(struct piece *rest, np_proxy_note *note)
{
    size_t length = 0;
    while (length < rest->length && rest->at[length] != '/' && rest->at[length] != '?' &&
           rest->at[length] != '#')
        length++;
    if (rest->length > length + 1 || (rest->length > length && rest->at[length] != '/'))
        note_oddity(note, "what follows the host of the proxy is ignored");
    rest->length = length;
}

static void default_port(struct draft *draft, np_proxy_note *note)
{
    np_proxy_entry *entry = &draft->entry;
    if (entry->port)
        return;
    entry->port = entry->kind == NP_PROXY_HTTPS ? PORT_CURL_HTTPS : PORT_CURL;
    note_oddity(note, "the proxy %s has no port: %u is taken, as curl does", entry->host,
                (unsigned)entry->port);
}

static np_status read_url(struct piece text, struct draft *draft, np_proxy_note *note,
                          np_error *err)
{
    const char *wrong;
    struct piece rest = trim(text);
    *draft = (struct draft){0};
    if (rest.length == 0)
        return np_fail(err, NP_E_ARGUMENT,
                       "the proxy is empty: expected [scheme://][user:password@]host[:port]");
    if (rest.length > URL_MAX)
        return np_fail(err, NP_E_ARGUMENT, "the proxy is %zu bytes long: expected at most %d",
                       rest.length, URL_MAX);
    np_status status = read_scheme(&rest, draft, err);
    if (status)
        return status;
    const char *at = memrchr(rest.at, '@', rest.length);
    if (at) {
        const struct piece user = {rest.at, (size_t)(at - rest.at)};
        if (memchr(user.at, '@', user.length))
            return np_fail(err, NP_E_ARGUMENT,
                           "the proxy has more than one '@': write the one in the user name or "
                           "password as %%40");
        status = read_user(user, draft, err);
        if (status)
            return status;
        rest = (struct piece){at + 1, rest.length - user.length - 1};
    }
    cut_path(&rest, note);
    if (!read_host_port(rest, draft, &wrong))
        return np_fail(err, NP_E_ARGUMENT, "the proxy '%.*s' has %s: expected host[:port]",
                       shown(rest), rest.at, wrong);
    default_port(draft, note);
    return NP_OK;
}

static np_status make_list(np_proxy_origin source, const np_proxy_entry *entries, size_t count,
                           np_proxy_list **out, np_error *err)
{
    *out = np_proxy_list_create(source, entries, count);
    return *out ? NP_OK : np_fail(err, NP_E_NO_MEMORY, "no memory for a list of proxies");
}

np_status np_proxy_list_parse_url(const char *text, np_proxy_origin source, np_proxy_list **out,
                                  np_proxy_note *note, np_error *err)
{
    struct draft draft;
    *out = NULL;
    const np_status status = read_url((struct piece){text, strlen(text)}, &draft, note, err);
    return status ? status : make_list(source, &draft.entry, 1, out, err);
}

/* --- entries of an answer --- */

/* NULL: the text does not begin with one. `rest` gets what follows, without blanks. */
static const struct keyword *read_keyword(struct piece text, struct piece *rest)
{
    size_t length = 0;
    while (length < text.length && !is_blank(text.at[length]))
        length++;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strlen(keywords[i].name) == length &&
            strncasecmp(keywords[i].name, text.at, length) == 0) {
            *rest = trim((struct piece){text.at + length, text.length - length});
            return &keywords[i];
        }
    return NULL;
}

static bool read_entry(struct piece text, struct draft *draft, np_proxy_note *note,
                       const char **wrong)
{
    struct piece rest;
    const struct keyword *keyword = read_keyword(text, &rest);
    *draft = (struct draft){0};
    *wrong = "no known keyword at its start";
    if (!keyword)
        return false;
    draft->entry.kind = keyword->kind;
    draft->entry.host = draft->host;
    if (keyword->kind == NP_PROXY_DIRECT) {
        *wrong = "something after DIRECT";
        return rest.length == 0;
    }
    if (!read_host_port(rest, draft, wrong))
        return false;
    if (keyword->oddity)
        note_oddity(note, "%s", keyword->oddity);
    if (!draft->entry.port)
        draft->entry.port = keyword->port;
    return true;
}

/* --- texts of several --- */

/* The next piece up to ';', trimmed; false at the end. */
static bool next_piece(struct piece *rest, struct piece *out)
{
    while (rest->length > 0) {
        const char *end = memchr(rest->at, ';', rest->length);
        const size_t length = end ? (size_t)(end - rest->at) : rest->length;
        const size_t used = length + (end ? 1 : 0);
        *out = trim((struct piece){rest->at, length});
        *rest = (struct piece){rest->at + used, rest->length - used};
        if (out->length > 0)
            return true;
    }
    return false;
}

/* Drafts and the entries that point into them. */
struct drafts {
    size_t count;
    np_proxy_entry *entry; /* entry[NP_PROXY_ENTRIES_MAX] */
    struct draft *draft;
};

static bool drafts_init(struct drafts *drafts, size_t capacity)
{
    drafts->count = 0;
    drafts->entry = malloc(capacity * sizeof *drafts->entry);
    drafts->draft = malloc(capacity * sizeof *drafts->draft);
    return drafts->entry && drafts->draft;
}

static void drafts_done(struct drafts *drafts)
{
    free(drafts->entry);
    free(drafts->draft);
}

static size_t count_pieces(const char *text, size_t length)
{
    size_t count = 1;
    for (size_t i = 0; i < length; i++)
        count += text[i] == ';';
    return count < NP_PROXY_ENTRIES_MAX ? count : NP_PROXY_ENTRIES_MAX;
}

static np_status read_strictly(struct piece rest, struct drafts *drafts, np_proxy_note *note,
                               np_error *err)
{
    struct piece piece, rest_of_entry = {0};
    const char *wrong;
    while (next_piece(&rest, &piece)) {
        if (drafts->count == NP_PROXY_ENTRIES_MAX)
            return np_fail(err, NP_E_ARGUMENT, "more than %d proxies in a list",
                           NP_PROXY_ENTRIES_MAX);
        struct draft *draft = &drafts->draft[drafts->count];
        const struct keyword *keyword = read_keyword(piece, &rest_of_entry);
        if (keyword && (rest_of_entry.length > 0 || keyword->kind == NP_PROXY_DIRECT)) {
            if (!read_entry(piece, draft, note, &wrong))
                return np_fail(err, NP_E_ARGUMENT, "the proxy '%.*s' has %s", shown(piece),
                               piece.at, wrong);
        } else {
            const np_status status = read_url(piece, draft, note, err);
            if (status)
                return status;
        }
        drafts->entry[drafts->count++] = draft->entry;
    }
    if (drafts->count == 0)
        return np_fail(err, NP_E_ARGUMENT,
                       "the proxy is empty: expected [scheme://][user:password@]host[:port]");
    return NP_OK;
}

np_status np_proxy_list_parse(const char *text, np_proxy_origin source, np_proxy_list **out,
                              np_proxy_note *note, np_error *err)
{
    const size_t length = strlen(text);
    struct drafts drafts = {0};
    *out = NULL;
    if (length > NP_PROXY_RESULT_MAX)
        return np_fail(err, NP_E_ARGUMENT, "the proxies are %zu bytes long: expected at most %d",
                       length, NP_PROXY_RESULT_MAX);
    np_status status = NP_OK;
    if (!drafts_init(&drafts, count_pieces(text, length)))
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for a list of proxies");
    if (!status)
        status = read_strictly((struct piece){text, length}, &drafts, note, err);
    if (!status)
        status = make_list(source, drafts.entry, drafts.count, out, err);
    drafts_done(&drafts);
    return status;
}

static void read_leniently(struct piece rest, struct drafts *drafts, np_proxy_note *note)
{
    struct piece piece;
    const char *wrong;
    bool any = false;
    while (next_piece(&rest, &piece)) {
        any = true;
        struct draft *draft = &drafts->draft[drafts->count];
        if (drafts->count == NP_PROXY_ENTRIES_MAX)
            note_oddity(note, "what follows %d entries is left out", NP_PROXY_ENTRIES_MAX);
        else if (!read_entry(piece, draft, note, &wrong))
            note_oddity(note, "'%.*s' is left out: it has %s", shown(piece), piece.at, wrong);
        else
            drafts->entry[drafts->count++] = draft->entry;
    }
    if (drafts->count > 0)
        return;
    if (any)
        note_oddity(note, "nothing usable in the answer");
    drafts->entry[drafts->count++] = (np_proxy_entry){.kind = NP_PROXY_DIRECT, .host = ""};
}

np_status np_proxy_list_parse_result(const char *text, size_t length, np_proxy_origin source,
                                     np_proxy_list **out, np_proxy_note *note, np_error *err)
{
    struct drafts drafts = {0};
    *out = NULL;
    if (length > NP_PROXY_RESULT_MAX)
        return np_fail(err, NP_E_ARGUMENT, "the answer is %zu bytes long: expected at most %d",
                       length, NP_PROXY_RESULT_MAX);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80 || text[i] == '\0')
            return np_fail(err, NP_E_ARGUMENT, "the answer has the byte 0x%02x: expected ASCII",
                           (unsigned char)text[i]);
    np_status status = NP_OK;
    if (drafts_init(&drafts, count_pieces(text, length))) {
        read_leniently((struct piece){text, length}, &drafts, note);
        status = make_list(source, drafts.entry, drafts.count, out, err);
    } else {
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for a list of proxies");
    }
    drafts_done(&drafts);
    return status;
}

/* --- in words --- */

void np_proxy_list_text(const np_proxy_list *list, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list->count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", i ? "; " : "",
                                   list->entry[i].text);
}

const char *np_proxy_verdict_name(np_proxy_verdict verdict)
{
    static const char *const verdicts[] = {"used", "empty", "skipped", "error"};
    return verdict < sizeof verdicts / sizeof *verdicts ? verdicts[verdict] : "?";
}

static void member(np_textbuf *out, bool *first, const char *key, const char *value)
{
    if (value && *value)
        np_textbuf_json_text(out, first, key, value, strlen(value));
}

void np_proxy_trial_detail(const np_proxy_trial *trial, bool is_shared, np_textbuf *out)
{
    bool first = true;
    np_textbuf_init(out, 8192);
    np_textbuf_puts(out, "{");
    member(out, &first, "verdict", np_proxy_verdict_name(trial->verdict));
    member(out, &first, "reason", trial->reason);
    member(out, &first, "value", trial->value);
    member(out, &first, "variable", trial->variable);
    member(out, &first, "no_proxy", trial->matched);
    if (trial->beyond_curl)
        np_textbuf_puts(out, ",\"beyond_curl\":true");
    if (is_shared)
        np_textbuf_puts(out, ",\"shared\":true");
    np_textbuf_puts(out, "}");
}
