/*
 * Properties of what hops are made of, over random and damaged input.
 *
 * References: the result is what a plain second implementation gives (a stack of segments), has no
 * dot segment left, and stands for itself. Challenges: a list that was written comes back as it
 * was; whatever bytes come, the reader ends, every text lies inside the input, and an answer is one
 * line without control characters.
 */
#include "auth_answer.h"
#include "byte_mutation.h"
#include "random.h"
#include "url_resolve.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CASES = 20000, WANTED_SIZE = 1200 };

static uint64_t seed_from(const char *variable)
{
    const char *given = getenv(variable);
    return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

/* --- references --- */

static void random_path(np_random *r, char *out, size_t size, bool rooted)
{
    static const char *const segments[] = {"", ".", "..", "a", "b.c", "...", "x;y", ".h", "d%2E"};
    size_t n = 0;
    out[0] = '\0';
    if (rooted)
        n += (size_t)snprintf(out + n, size - n, "/");
    for (uint64_t left = np_random_below(r, 7); left > 0; left--)
        n += (size_t)snprintf(out + n, size - n, "%s%s", segments[np_random_below(r, 9)],
                              left > 1 ? "/" : "");
}

/* Section 5.2.4 as a stack: what a reader of the RFC would write first. */
static void plain_dots(const char *path, char *out)
{
    const char *stack[64];
    size_t length[64], depth = 0;
    bool open = false; /* the last segment was a dot: the path ends with '/' */
    const char *at = path + 1;
    for (;;) {
        const size_t n = strcspn(at, "/");
        open = false;
        if ((n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.')) {
            depth -= n == 2 && depth > 0;
            open = true;
        } else {
            stack[depth] = at;
            length[depth++] = n;
        }
        if (!at[n])
            break;
        at += n + 1;
    }
    size_t written = 0;
    out[written++] = '/';
    for (size_t i = 0; i < depth; i++) {
        memcpy(out + written, stack[i], length[i]);
        written += length[i];
        if (i + 1 < depth || open)
            out[written++] = '/';
    }
    out[written] = '\0';
}

/* Section 5.2.2 for a reference that is a path and perhaps a query. */
static void plain_resolve(const char *base_path, const char *base_query, const char *path,
                          const char *query, char *out)
{
    char merged[512], dots[512];
    if (!path[0]) {
        snprintf(out, WANTED_SIZE, "http://h%s%s", base_path, query[0] ? query : base_query);
        return;
    }
    const int kept = path[0] == '/' ? 0 : (int)(strrchr(base_path, '/') - base_path) + 1;
    snprintf(merged, sizeof merged, "%.*s%s", kept, base_path, path);
    plain_dots(merged, dots);
    snprintf(out, WANTED_SIZE, "http://h%s%s", dots, query);
}

static bool has_dot_segment(const char *target)
{
    const size_t length = strcspn(target, "?");
    for (size_t i = 0; i < length;) {
        const char *segment = target + i + 1;
        const size_t n = strcspn(segment, "/?");
        if ((n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.'))
            return true;
        i += n + 1;
    }
    return false;
}

Test(hops_property, a_reference_gives_what_a_plain_implementation_gives)
{
    const uint64_t seed = seed_from("NP_HOPS_SEED");
    np_random r;
    np_random_seed(&r, seed);
    for (int i = 0; i < CASES; i++) {
        char base_path[256], path[256], base_text[600], reference[600], wanted[WANTED_SIZE];
        const char *const base_query = np_random_below(&r, 2) ? "?bq=/../x" : "";
        const char *const query = np_random_below(&r, 3) ? "" : "?q=/./y";
        random_path(&r, base_path, sizeof base_path, true);
        random_path(&r, path, sizeof path, np_random_below(&r, 2));
        if (strncmp(path, "//", 2) == 0) /* that is an authority */
            continue;
        snprintf(base_text, sizeof base_text, "http://h%s%s", base_path, base_query);
        snprintf(reference, sizeof reference, "%s%s", path, query);
        plain_resolve(base_path, base_query, path, query, wanted);
        np_url base, url, again;
        np_error err = {0};
        cr_assert_eq(np_url_parse(base_text, &base, &err), NP_OK, "seed %lu: %s: %s",
                     (unsigned long)seed, base_text, err.text);
        cr_assert_eq(np_url_resolve(&base, reference, strlen(reference), &url, &err), NP_OK,
                     "seed %lu: %s + %s: %s", (unsigned long)seed, base_text, reference, err.text);

        cr_assert_str_eq(url.text, wanted, "seed %lu: %s + %s gives %s, expected %s",
                         (unsigned long)seed, base_text, reference, url.text, wanted);
        if (path[0])
            cr_assert_not(has_dot_segment(url.target), "seed %lu: %s", (unsigned long)seed,
                          url.text);
        cr_assert_eq(np_url_resolve(&base, url.text, strlen(url.text), &again, NULL), NP_OK);
        if (path[0])
            cr_assert_str_eq(again.text, url.text, "seed %lu", (unsigned long)seed);
        np_url_done(&again);
        np_url_done(&url);
        np_url_done(&base);
    }
}

Test(hops_property, no_bytes_in_a_location_get_through_as_a_bad_url)
{
    static const char *const starts[] = {"/a/../b?c#d", "//host:80/x", "http://[::1]:8/y", "..",
                                         "https://h/\xc3\xa4 b"};
    struct mutation m = mutation_start("NP_HOPS_SEED");
    np_url base;
    cr_assert_eq(np_url_parse("https://base.test:8443/p/q?r", &base, NULL), NP_OK);
    for (int i = 0; i < CASES; i++) {
        uint8_t bytes[128];
        const char *start = starts[mutation_next(&m) % 5];
        size_t length = strlen(start);
        memcpy(bytes, start, length);
        length = mutate(&m, bytes, length, sizeof bytes);
        np_url url, again;
        if (np_url_resolve(&base, (const char *)bytes, length, &url, NULL))
            continue;
        for (const char *c = url.text; *c; c++)
            cr_assert(*c > ' ' && *c < 0x7f && *c != '#', "seed %lu: %s", (unsigned long)m.seed,
                      url.text);
        cr_assert_eq(np_url_parse(url.text, &again, NULL), NP_OK, "seed %lu: %s",
                     (unsigned long)m.seed, url.text);
        cr_assert_str_eq(again.text, url.text);
        np_url_done(&again);
        np_url_done(&url);
    }
    np_url_done(&base);
}

/* --- challenges --- */

static void put_value(np_random *r, const char *value, char *out, size_t size)
{
    const bool needs_quotes = !value[0] || strpbrk(value, " ,\"\\=;");
    if (!needs_quotes && np_random_below(r, 2)) {
        snprintf(out, size, "%s", value);
        return;
    }
    size_t n = 0;
    out[n++] = '"';
    for (; *value; value++) {
        if (*value == '"' || *value == '\\' || np_random_below(r, 8) == 0)
            out[n++] = '\\';
        out[n++] = *value;
    }
    out[n++] = '"';
    out[n] = '\0';
}

Test(hops_property, challenges_come_back_as_they_were_written)
{
    static const char *const schemes[] = {"Basic", "Digest", "Negotiate", "X-Own"};
    static const char *const names[] = {"realm", "nonce", "qop", "opaque", "title"};
    static const char *const values[] = {"a", "", "a b", "x, y", "q\"q", "b\\s", "k=v", "Basic"};
    static const char *const gaps[] = {", ", ",", " , ", ",\t,"};
    const uint64_t seed = seed_from("NP_HOPS_SEED");
    np_random r;
    np_random_seed(&r, seed);
    for (int i = 0; i < CASES; i++) {
        char text[2048], wanted[2048], got[2048], value[64];
        size_t n = 0, w = 0, g = 0;
        text[0] = wanted[0] = got[0] = '\0';
        const uint64_t count = 1 + np_random_below(&r, 4);
        for (uint64_t c = 0; c < count; c++) {
            const char *scheme = schemes[np_random_below(&r, 4)];
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s",
                                  c ? gaps[np_random_below(&r, 4)] : "", scheme);
            w += (size_t)snprintf(wanted + w, sizeof wanted - w, "%s|", scheme);
            const uint64_t parameters = np_random_below(&r, 4);
            for (uint64_t p = 0; p < parameters; p++) {
                const char *name = names[np_random_below(&r, 5)];
                const char *plain = values[np_random_below(&r, 8)];
                put_value(&r, plain, value, sizeof value);
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s=%s",
                                      p ? gaps[np_random_below(&r, 4)] : " ", name, value);
                w += (size_t)snprintf(wanted + w, sizeof wanted - w, "%s=%s|", name, plain);
            }
        }
        char copy[2048];
        memcpy(copy, text, sizeof copy);
        char *at = copy;
        np_challenge c;
        while (np_challenge_next(&at, &c)) {
            g += (size_t)snprintf(got + g, sizeof got - g, "%s|", c.scheme_name);
            for (size_t p = 0; p < c.parameter_count; p++)
                g += (size_t)snprintf(got + g, sizeof got - g, "%s=%s|", c.parameters[p].name,
                                      c.parameters[p].value);
        }
        cr_assert_str_eq(got, wanted, "seed %lu: %s\ngives    %s\nexpected %s", (unsigned long)seed,
                         text, got, wanted);
    }
}

static void assert_inside(const char *text, const char *from, const char *to, uint64_t seed)
{
    cr_assert(text >= from && text + strlen(text) <= to, "seed %lu", (unsigned long)seed);
}

Test(hops_property, hostile_challenges_are_read_to_their_end_and_answered_in_one_line)
{
    static const char *const starts[] = {
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256, opaque=\"o\"",
        "Basic realm=\"a \\\"b\\\" c\", Digest realm=\"x\", nonce=\"1\", userhash=true",
        "Negotiate YII==, NTLM, Basic realm=x,,,",
        "Digest nonce=\"n\\\"\", realm=\"\", stale=true"};
    static const np_auth_question question = {"user", "pass word", "GET", "/p?q", NULL};
    struct mutation m = mutation_start("NP_HOPS_SEED");
    for (int i = 0; i < CASES; i++) {
        const char *start = starts[mutation_next(&m) % 4];
        char *bytes = malloc(257); /* apart, so that the address sanitizer sees a step too far */
        size_t length = strlen(start);
        memcpy(bytes, start, length);
        length = mutate(&m, (uint8_t *)bytes, length, 256);
        for (size_t b = 0; b < length; b++) /* libcurl ends a line at these */
            if (bytes[b] == '\r' || bytes[b] == '\n')
                bytes[b] = ' ';
        bytes[length] = '\0';
        const np_header_line line = {"WWW-Authenticate", bytes, 16, strlen(bytes)};
        np_auth auth;
        cr_assert_eq(np_auth_choose(&line, 1, "WWW-Authenticate", &auth, NULL), NP_OK);
        if (auth.scheme != NP_AUTH_NONE) {
            np_textbuf text;
            np_textbuf_init(&text, 65536);
            cr_assert_eq(np_auth_answer(&auth, &question, &text, NULL), NP_OK);
            cr_assert_null(strpbrk(text.text, "\r\n"), "seed %lu", (unsigned long)m.seed);
            cr_assert_null(strstr(text.text, "pass word"), "seed %lu", (unsigned long)m.seed);
            np_textbuf_done(&text);
        }
        np_auth_done(&auth);

        char *at = bytes;
        np_challenge c;
        size_t count = 0;
        while (np_challenge_next(&at, &c)) {
            cr_assert_leq(++count, 256, "seed %lu", (unsigned long)m.seed);
            assert_inside(c.scheme_name, bytes, bytes + length, m.seed);
            if (c.token68)
                assert_inside(c.token68, bytes, bytes + length, m.seed);
            for (size_t p = 0; p < c.parameter_count; p++) {
                assert_inside(c.parameters[p].name, bytes, bytes + length, m.seed);
                assert_inside(c.parameters[p].value, bytes, bytes + length, m.seed);
            }
        }
        free(bytes);
    }
}
