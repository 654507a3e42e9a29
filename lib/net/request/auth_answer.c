/* See auth_answer.h. Floor 2. */
#include "auth_answer.h"

#include "fail.h"
#include "random.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct np_digest_algorithm {
    const char *name;
    const EVP_MD *(*digest)(void);
    int rank; /* the higher, the rather */
};

static const np_digest_algorithm algorithms[] = {
    {"MD5",         EVP_md5,        1},
    {"SHA-256",     EVP_sha256,     2},
    {"SHA-512-256", EVP_sha512_256, 3},
};

enum { HEX_SIZE = 2 * EVP_MAX_MD_SIZE + 1, CNONCE_BYTES = 16 };

/* --- choosing --- */

/* "SHA-256-sess" and "SHA-256"; no name is MD5. NULL: not known. */
static const np_digest_algorithm *find_algorithm(const char *name, bool *session)
{
    static const char suffix[] = "-sess";
    const char *text = name ? name : "MD5";
    const size_t length = strlen(text);
    const size_t tail = sizeof suffix - 1;
    *session = length > tail && strcasecmp(text + length - tail, suffix) == 0;
    const size_t stem = *session ? length - tail : length;
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strlen(algorithms[i].name) == stem && strncasecmp(algorithms[i].name, text, stem) == 0)
            return &algorithms[i];
    return NULL;
}

/* Is `word` in a list with commas? */
static bool lists(const char *list, const char *word)
{
    while (*list) {
        list += strspn(list, " \t,");
        const size_t length = strcspn(list, " \t,");
        if (length == strlen(word) && strncasecmp(list, word, length) == 0)
            return true;
        list += length;
    }
    return false;
}

/* false: a Digest that cannot be answered. The texts stay those of the challenge. */
static bool read_digest(const np_challenge *challenge, np_auth *out)
{
    const char *qop = np_challenge_parameter_of(challenge, "qop");
    const char *stale = np_challenge_parameter_of(challenge, "stale");
    const char *user_hash = np_challenge_parameter_of(challenge, "userhash");
    *out = (np_auth){.scheme = NP_AUTH_DIGEST,
                     .realm = np_challenge_parameter_of(challenge, "realm"),
                     .nonce = np_challenge_parameter_of(challenge, "nonce"),
                     .opaque = np_challenge_parameter_of(challenge, "opaque"),
                     .algorithm_name = np_challenge_parameter_of(challenge, "algorithm"),
                     .has_qop = qop != NULL,
                     .stale = stale && strcasecmp(stale, "true") == 0,
                     .hashes_user = user_hash && strcasecmp(user_hash, "true") == 0};
    out->algorithm = find_algorithm(out->algorithm_name, &out->session);
    if (!out->realm || !out->nonce || !out->algorithm)
        return false;
    /* auth-int alone would need the hash of a body that may not be there yet. */
    return qop ? lists(qop, "auth") : !out->session;
}

static int rank_of(const np_auth *auth)
{
    return (int)auth->scheme * 8 + (auth->algorithm ? auth->algorithm->rank : 0);
}

/* The kept texts get a block of their own. */
static bool keep_texts(np_auth *auth)
{
    const char **texts[] = {&auth->realm, &auth->nonce, &auth->opaque, &auth->algorithm_name};
    size_t size = 1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    auth->texts = malloc(size);
    if (!auth->texts)
        return false;
    char *at = auth->texts;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!*texts[i])
            continue;
        const size_t length = strlen(*texts[i]) + 1;
        memcpy(at, *texts[i], length);
        *texts[i] = at;
        at += length;
    }
    return true;
}

static bool read_challenge(const np_challenge *challenge, np_auth *out)
{
    *out = (np_auth){.scheme = np_challenge_scheme(challenge)};
    switch (out->scheme) {
    case NP_AUTH_BASIC:
        return true;
    case NP_AUTH_DIGEST:
        return read_digest(challenge, out);
    default:
        return false;
    }
}

/* false: no memory. */
static bool choose_in(const char *value, np_auth *best)
{
    char *const copy = strdup(value);
    if (!copy)
        return false;
    char *at = copy;
    np_challenge challenge;
    bool good = true;
    while (good && np_challenge_next(&at, &challenge)) {
        np_auth auth;
        if (!read_challenge(&challenge, &auth) || rank_of(&auth) <= rank_of(best))
            continue;
        good = keep_texts(&auth);
        np_auth_done(best);
        if (good)
            *best = auth;
    }
    free(copy);
    return good;
}

np_status np_auth_choose(const np_header_line *fields, size_t count, const char *field_name,
                         np_auth *out, np_error *err)
{
    *out = (np_auth){0};
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(fields[i].name, field_name) != 0)
            continue;
        if (!choose_in(fields[i].value, out)) {
            np_auth_done(out);
            return np_fail(err, NP_E_NO_MEMORY, "no memory for a challenge");
        }
    }
    return NP_OK;
}

void np_auth_done(np_auth *auth)
{
    free(auth->texts);
    *auth = (np_auth){0};
}

/* --- answering --- */

/* The hash, in hex, of pieces with a ':' between them; the last one is NULL. */
static bool hash(const np_digest_algorithm *algorithm, char hex[HEX_SIZE], ...)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, algorithm->digest(), NULL) == 1;
    va_list pieces;
    va_start(pieces, hex);
    const char *piece = va_arg(pieces, const char *);
    for (bool first = true; good && piece; first = false) {
        good = (first || EVP_DigestUpdate(context, ":", 1) == 1) &&
               EVP_DigestUpdate(context, piece, strlen(piece)) == 1;
        piece = va_arg(pieces, const char *);
    }
    va_end(pieces);
    good = good && EVP_DigestFinal_ex(context, bytes, &size) == 1;
    EVP_MD_CTX_free(context);
    for (unsigned i = 0; i < size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    hex[2 * size] = '\0';
    return good;
}

static void put_quoted(np_textbuf *out, const char *name, const char *value)
{
    np_textbuf_print(out, ", %s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            np_textbuf_puts(out, "\\");
        np_textbuf_add(out, value, 1);
    }
    np_textbuf_puts(out, "\"");
}

struct response {
    char hex[HEX_SIZE], user[HEX_SIZE], count[9];
    const char *cnonce;
};

/* RFC 7616 section 3.4. */
static bool compute(const np_auth *auth, const np_auth_question *question, struct response *out)
{
    const np_digest_algorithm *algorithm = auth->algorithm;
    char secret[HEX_SIZE], request[HEX_SIZE];
    bool good = hash(algorithm, secret, question->user, auth->realm, question->password, NULL) &&
                hash(algorithm, request, question->method, question->target, NULL) &&
                hash(algorithm, out->user, question->user, auth->realm, NULL);
    if (good && auth->session) {
        char base[HEX_SIZE];
        memcpy(base, secret, sizeof base);
        good = hash(algorithm, secret, base, auth->nonce, out->cnonce, NULL);
        explicit_bzero(base, sizeof base);
    }
    if (good && auth->has_qop)
        good = hash(algorithm, out->hex, secret, auth->nonce, out->count, out->cnonce, "auth",
                    request, NULL);
    else if (good)
        good = hash(algorithm, out->hex, secret, auth->nonce, request, NULL);
    explicit_bzero(secret, sizeof secret);
    return good;
}

static void put_digest(const np_auth *auth, const np_auth_question *question,
                       const struct response *response, np_textbuf *out)
{
    np_textbuf_puts(out, "Digest ");
    np_textbuf_print(out, "response=\"%s\"", response->hex);
    put_quoted(out, "username", auth->hashes_user ? response->user : question->user);
    put_quoted(out, "realm", auth->realm);
    put_quoted(out, "nonce", auth->nonce);
    put_quoted(out, "uri", question->target);
    if (auth->algorithm_name)
        np_textbuf_print(out, ", algorithm=%s%s", auth->algorithm->name,
                         auth->session ? "-sess" : "");
    if (auth->has_qop) {
        np_textbuf_print(out, ", qop=auth, nc=%s", response->count);
        put_quoted(out, "cnonce", response->cnonce);
    }
    if (auth->opaque)
        put_quoted(out, "opaque", auth->opaque);
    if (auth->hashes_user)
        np_textbuf_puts(out, ", userhash=true");
}

static np_status answer_digest(np_auth *auth, const np_auth_question *question, np_textbuf *out,
                               np_error *err)
{
    struct response response;
    char cnonce[2 * CNONCE_BYTES + 1];
    unsigned char bytes[CNONCE_BYTES];
    np_random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(cnonce + 2 * i, 3, "%02x", bytes[i]);
    response.cnonce = question->cnonce ? question->cnonce : cnonce;
    auth->count++;
    (void)snprintf(response.count, sizeof response.count, "%08x", auth->count);
    if (!compute(auth, question, &response))
        return np_fail(err, NP_E_NOT_SUPPORTED, "no hash %s for Digest", auth->algorithm->name);
    put_digest(auth, question, &response, out);
    return NP_OK;
}

static void answer_basic(const np_auth_question *question, np_textbuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *const texts[] = {question->user, ":", question->password};
    uint32_t bits = 0;
    unsigned held = 0, written = 0;
    np_textbuf_puts(out, "Basic ");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (const char *at = texts[i]; *at; at++) {
            bits = bits << 8 | (unsigned char)*at;
            for (held += 8; held >= 6; written++) {
                held -= 6;
                np_textbuf_add(out, &digits[bits >> held & 63], 1);
            }
        }
    }
    if (held > 0) {
        np_textbuf_add(out, &digits[bits << (6 - held) & 63], 1);
        written++;
    }
    while (written++ % 4 != 0)
        np_textbuf_puts(out, "=");
}

np_status np_auth_answer(np_auth *auth, const np_auth_question *question, np_textbuf *out,
                         np_error *err)
{
    if (auth->scheme == NP_AUTH_DIGEST) {
        const np_status status = answer_digest(auth, question, out, err);
        if (status)
            return status;
    } else {
        answer_basic(question, out);
    }
    return out->failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for an Authorization field")
                       : NP_OK;
}
