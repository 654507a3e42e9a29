/*
 * References against a base. Floor 2; pure.
 *
 * The result is put together as text and then read by np_url_parse, so a URL that came from a
 * server is as strict as one that a caller gave. One thing is repaired on the way: bytes that
 * servers send in Location although they may stand in no URL (blanks, letters beyond ASCII, the
 * signs "<>\^`{|}) are percent-encoded, as browsers do; in a host they stay an error.
 */
#include "url_resolve.h"

#include "fail.h"
#include "textbuf.h"

#include <string.h>

struct span {
    const char *at;
    size_t length;
};

/* RFC 3986 section 3, without the fragment. */
struct reference {
    struct span scheme, authority, path, query;
    bool has_scheme, has_authority, has_query;
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme_byte(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/* Bytes of `text` before the first one of `stops`. */
static size_t length_until(struct span text, const char *stops)
{
    size_t i = 0;
    while (i < text.length && !strchr(stops, text.at[i]))
        i++;
    return i;
}

static struct span take(struct span *rest, size_t length)
{
    const struct span taken = {rest->at, length};
    rest->at += length;
    rest->length -= length;
    return taken;
}

static void split_scheme(struct span *rest, struct reference *out)
{
    size_t i = 0;
    while (i < rest->length && is_scheme_byte(rest->at[i]))
        i++;
    if (i == 0 || i == rest->length || rest->at[i] != ':' || !is_alpha(rest->at[0]))
        return;
    out->has_scheme = true;
    out->scheme = take(rest, i);
    (void)take(rest, 1);
}

static struct reference split(struct span rest)
{
    struct reference out = {0};
    rest.length = length_until(rest, "#");
    split_scheme(&rest, &out);
    if (rest.length >= 2 && rest.at[0] == '/' && rest.at[1] == '/') {
        (void)take(&rest, 2);
        out.has_authority = true;
        out.authority = take(&rest, length_until(rest, "/?"));
    }
    out.path = take(&rest, length_until(rest, "?"));
    if (rest.length > 0) {
        out.has_query = true;
        out.query = (struct span){rest.at + 1, rest.length - 1};
    }
    return out;
}

/* --- paths --- */

/* The length of a leading "." or ".." segment with the '/' behind it, if that is what `text` begins
 * with; 0: it is another one. */
static size_t dot_segment(struct span text, bool *goes_up)
{
    const size_t name = length_until(text, "/");
    *goes_up = name == 2;
    if ((name != 1 && name != 2) || text.at[0] != '.' || (name == 2 && text.at[1] != '.'))
        return 0;
    return name < text.length ? name + 1 : name;
}

/* RFC 3986 section 5.2.4 for a path that begins with '/': in place, segment by segment. Returns the
 * new length. */
static size_t remove_dot_segments(char *path, size_t length)
{
    struct span rest = {path + 1, length - 1};
    size_t written = 1; /* path[written - 1] is the '/' before what comes next */
    while (rest.length > 0) {
        bool goes_up;
        const size_t dots = dot_segment(rest, &goes_up);
        if (dots > 0) {
            (void)take(&rest, dots);
            while (goes_up && written > 1 && path[--written - 1] != '/') {
            }
            continue;
        }
        const size_t name = length_until(rest, "/");
        const struct span segment = take(&rest, name < rest.length ? name + 1 : name);
        memmove(path + written, segment.at, segment.length);
        written += segment.length;
    }
    return written;
}

static void put(np_textbuf *out, struct span text)
{
    np_textbuf_add(out, text.at, text.length);
}

static void put_path(np_textbuf *out, const struct reference *r, struct span base_path)
{
    const size_t from = out->length;
    if (r->has_scheme || r->has_authority || (r->path.length > 0 && r->path.at[0] == '/')) {
        put(out, r->path);
    } else if (r->path.length == 0) { /* the base's own, as it is */
        put(out, base_path);
        return;
    } else { /* section 5.2.3; the base always has an authority and a path that begins with '/' */
        while (base_path.at[base_path.length - 1] != '/')
            base_path.length--;
        put(out, base_path);
        put(out, r->path);
    }
    if (out->length > from && out->text[from] == '/') {
        out->length = from + remove_dot_segments(out->text + from, out->length - from);
        out->text[out->length] = '\0';
    }
}

/* --- the whole --- */

static bool is_repaired(unsigned char c)
{
    return c == ' ' || c >= 0x80 || (c && strchr("\"<>\\^`{|}", c));
}

static void put_encoded(np_textbuf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (is_repaired((unsigned char)text[i]))
            np_textbuf_print(out, "%%%02X", (unsigned char)text[i]);
        else
            np_textbuf_add(out, text + i, 1);
    }
}

static void put_target(np_textbuf *out, const np_url *base, const struct reference *r)
{
    const size_t target = (size_t)(base->target - base->text);
    const struct span base_path = {base->target, strcspn(base->target, "?")};
    if (r->has_scheme)
        put(out, r->scheme);
    else
        np_textbuf_puts(out, base->scheme);
    np_textbuf_puts(out, ":");
    if (r->has_authority) {
        np_textbuf_puts(out, "//");
        put(out, r->authority);
    } else if (!r->has_scheme) {
        const size_t scheme = strlen(base->scheme) + 1;
        np_textbuf_add(out, base->text + scheme, target - scheme);
    }
    put_path(out, r, base_path);
    const bool takes_query =
        !r->has_scheme && !r->has_authority && r->path.length == 0 && !r->has_query;
    if (takes_query) {
        np_textbuf_puts(out, base->target + base_path.length);
    } else if (r->has_query) {
        np_textbuf_puts(out, "?");
        put(out, r->query);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

np_status np_url_resolve(const np_url *base, const char *reference, size_t length, np_url *out,
                         np_error *err)
{
    *out = (np_url){0};
    while (length > 0 && is_blank(reference[0]))
        reference++, length--;
    while (length > 0 && is_blank(reference[length - 1]))
        length--;
    if (length > NP_URL_MAX || memchr(reference, '\0', length))
        return np_fail(err, NP_E_ARGUMENT, "the reference %s",
                       length > NP_URL_MAX ? "is longer than 65536 bytes" : "has a NUL");

    np_textbuf encoded, text;
    np_textbuf_init(&encoded, 3 * NP_URL_MAX + 1);
    np_textbuf_init(&text, 5 * NP_URL_MAX);
    put_encoded(&encoded, reference, length);
    const struct reference r = split((struct span){encoded.text, encoded.length});
    put_target(&text, base, &r);
    np_status status;
    if (encoded.failed || text.failed)
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for a URL");
    else
        status = np_url_parse(text.text, out, err);
    np_textbuf_done(&text);
    np_textbuf_done(&encoded);
    return status;
}

bool np_url_same_origin(const np_url *a, const np_url *b)
{
    return a->port == b->port && strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0;
}
