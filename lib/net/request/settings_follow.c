/* The properties of a request that say how its answers are followed, and what compressed answers
 * take. Floor 2; any thread. */
#include "decompression.h"
#include "fail.h"
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(np_request, follow.field)

np_status np_request_set_allow_auto_redirect(np_request *request, bool follow, np_error *err)
{
    return np_settings_set_flag(request, AT(auto_redirect), follow, err);
}

bool np_request_allow_auto_redirect(const np_request *request)
{
    return np_settings_flag(request, AT(auto_redirect));
}

np_status np_request_set_maximum_automatic_redirections(np_request *request, int64_t count,
                                                        np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (count < 1 || count > UINT32_MAX)
        status = np_fail(err, NP_E_ARGUMENT_RANGE, "a maximum of %lld redirects: expected 1 to %u",
                         (long long)count, UINT32_MAX);
    else
        request->follow.redirects_maximum = (uint32_t)count;
    return np_settings_change_end(request, status);
}

int64_t np_request_maximum_automatic_redirections(const np_request *request)
{
    return request ? (int64_t)request->follow.redirects_maximum : -1;
}

np_status np_request_set_allow_downgrade(np_request *request, bool allow, np_error *err)
{
    return np_settings_set_flag(request, AT(allow_downgrade), allow, err);
}

bool np_request_allow_downgrade(const np_request *request)
{
    return np_settings_flag(request, AT(allow_downgrade));
}

np_status np_request_set_pre_authenticate(np_request *request, bool pre_authenticate, np_error *err)
{
    return np_settings_set_flag(request, AT(pre_authenticate), pre_authenticate, err);
}

bool np_request_pre_authenticate(const np_request *request)
{
    return np_settings_flag(request, AT(pre_authenticate));
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
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    return np_settings_change_end(request, set_credentials(&request->follow, user, password, err));
}

const char *np_request_credentials_user(const np_request *request)
{
    return request ? request->follow.user : NULL;
}

/* --- compressed responses --- */

np_status np_request_set_automatic_decompression(np_request *request, uint32_t flags, np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (flags == NP_DECOMPRESS_ANY)
        flags = np_engine_decoders();
    status = np_decompression_check(flags, err);
    if (!status)
        request->follow.decompression = flags;
    return np_settings_change_end(request, status);
}

uint32_t np_request_automatic_decompression(const np_request *request)
{
    return request ? request->follow.decompression : NP_DECOMPRESS_NONE;
}
