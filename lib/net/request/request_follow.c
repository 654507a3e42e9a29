/* The properties of a request that say how its answers are followed, and what compressed answers
 * take. Floor 2; any thread. */
#include "fail.h"
#include "request.h"

#include <stdlib.h>
#include <string.h>

np_status np_request_set_allow_auto_redirect(np_request *request, bool follow, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    request->follow.auto_redirect = follow;
    return np_request_change_end(request, NP_OK);
}

np_status np_request_set_maximum_automatic_redirections(np_request *request, int64_t count,
                                                        np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    if (count < 1 || count > UINT32_MAX)
        status = np_fail(err, NP_E_ARGUMENT_RANGE, "a maximum of %lld redirects: expected 1 to %u",
                         (long long)count, UINT32_MAX);
    else
        request->follow.redirects_maximum = (uint32_t)count;
    return np_request_change_end(request, status);
}

np_status np_request_set_allow_downgrade(np_request *request, bool allow, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    request->follow.allow_downgrade = allow;
    return np_request_change_end(request, NP_OK);
}

np_status np_request_set_pre_authenticate(np_request *request, bool pre_authenticate, np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    request->follow.pre_authenticate = pre_authenticate;
    return np_request_change_end(request, NP_OK);
}

/* --- credentials --- */

/* The text never says what was found: it may be a password. */
static np_status check_secret(const char *what, const char *text, bool takes_colon, np_error *err)
{
    for (size_t i = 0; text[i]; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f)
            return np_fail(err, NP_E_ARGUMENT, "the %s has a control character at byte %zu", what,
                           i + 1);
        if (c == ':' && !takes_colon)
            return np_fail(err, NP_E_ARGUMENT, "the %s has a ':' at byte %zu: it would end there",
                           what, i + 1);
    }
    return NP_OK;
}

static void forget(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static np_status set_credentials(np_follow *follow, const char *user, const char *password,
                                 np_error *err)
{
    const char *secret = password ? password : "";
    np_status status = user ? check_secret("user name", user, false, err) : NP_OK;
    if (!status)
        status = check_secret("password", secret, true, err);
    if (status)
        return status;
    char *user_copy = user ? strdup(user) : NULL;
    char *password_copy = user ? strdup(secret) : NULL;
    if (user && (!user_copy || !password_copy)) {
        forget(&user_copy);
        forget(&password_copy);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for credentials");
    }
    forget(&follow->user);
    forget(&follow->password);
    follow->user = user_copy;
    follow->password = password_copy;
    return NP_OK;
}

np_status np_request_set_credentials(np_request *request, const char *user, const char *password,
                                     np_error *err)
{
    const np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    return np_request_change_end(request, set_credentials(&request->follow, user, password, err));
}

/* --- compressed responses --- */

static const struct coding {
    uint32_t flag;
    const char *name;
} codings[] = {
    {NP_DECOMPRESS_GZIP,    "gzip"   },
    {NP_DECOMPRESS_DEFLATE, "deflate"},
    {NP_DECOMPRESS_BROTLI,  "br"     },
    {NP_DECOMPRESS_ZSTD,    "zstd"   },
};

np_status np_request_set_automatic_decompression(np_request *request, uint32_t flags, np_error *err)
{
    np_status status = np_request_change_begin(request, err);
    if (status)
        return status;
    uint32_t known = 0;
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        known |= codings[i].flag;
    const uint32_t bad = flags & ~(known & np_engine_decoders());
    if (bad)
        status = np_fail(err, NP_E_ARGUMENT,
                         bad & ~known ? "0x%x is no kind of decompression: expected a set of "
                                        "NP_DECOMPRESS_*"
                                      : "this libcurl cannot do the decompression 0x%x",
                         bad);
    else
        request->follow.decompression = flags;
    return np_request_change_end(request, status);
}

/* Is the coding among the elements of the field, with or without a weight? */
static bool lists_coding(const char *field, const char *name)
{
    const size_t length = strlen(name);
    while (*field) {
        field += strspn(field, " \t,");
        const size_t word = strcspn(field, " \t,;");
        if (word == length && strncasecmp(field, name, length) == 0)
            return true;
        field += strcspn(field, ",");
    }
    return false;
}

np_status np_decompression_ask(np_request *request, np_error *err)
{
    if (!request->follow.decompression)
        return NP_OK;
    const np_header_line *given =
        np_header_find(request->fields.lines, request->fields.count, "Accept-Encoding");
    np_textbuf text;
    np_textbuf_init(&text, NP_HEADER_VALUE_MAX + 64);
    np_textbuf_puts(&text, given ? given->value : "");
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if ((request->follow.decompression & codings[i].flag) &&
            !lists_coding(text.text, codings[i].name))
            np_textbuf_print(&text, "%s%s", text.length > 0 ? ", " : "", codings[i].name);
    const np_status status =
        text.failed
            ? np_fail(err, NP_E_NO_MEMORY, "no memory for a header field")
            : np_header_list_set(&request->fields, "Accept-Encoding", text.text, text.length, err);
    np_textbuf_done(&text);
    return status;
}

size_t np_decompression_hide(np_header_line *lines, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(lines[i].name, "Content-Encoding") != 0 &&
            strcasecmp(lines[i].name, "Content-Length") != 0)
            lines[kept++] = lines[i];
    return kept;
}

/* --- looking --- */

const char *np_request_address(const np_request *request)
{
    if (!request)
        return NULL;
    np_request *block =
        request->response.request; /* not const: the lock is no part of what the caller sees */
    pthread_mutex_lock(&block->lock);
    const char *address = block->follow.url->text;
    pthread_mutex_unlock(&block->lock);
    return address;
}
