/* Changing a request before its start. Floor 2; any thread. */
#include "settings.h"
#include "fail.h"
#include <stdlib.h>
#include <string.h>

#define METHOD_MAX 64

/* NP_OK: the lock is held, and the request may be changed. SM-1 comes before every check of a
 * value. */
np_status np_settings_change_begin(np_request *request, np_error *err)
{
    if (!request)
        return np_fail(err, NP_E_ARGUMENT_NULL, "request is NULL");
    pthread_mutex_lock(&request->lock);
    const np_status status = np_life_refuse(np_life_ask(request->state, NP_CALL_CONFIGURE), err);
    if (status)
        pthread_mutex_unlock(&request->lock);
    return status;
}

np_status np_settings_change_end(np_request *request, np_status status)
{
    pthread_mutex_unlock(&request->lock);
    return status;
}

/* --- the request as a whole --- */

static np_status set_method(np_request *request, const char *method, np_error *err)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "CONNECT", "MKCOL"};
    if (!method)
        return np_fail(err, NP_E_ARGUMENT_NULL, "method is NULL");
    if (strlen(method) > METHOD_MAX || !np_is_token(method, strlen(method)))
        return np_fail(err, NP_E_ARGUMENT,
                       "\"%.40s\" is no method: expected a word of up to %d letters, digits and "
                       "!#$%%&'*+-.^_`|~",
                       method, METHOD_MAX);
    const char *canonical = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known && !canonical; i++)
        if (strcasecmp(method, known[i]) == 0)
            canonical = known[i];
    char *copy = canonical ? NULL : strdup(method);
    if (!canonical && !copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a method");
    free(request->method_copy);
    request->method_copy = copy;
    request->method = canonical ? canonical : copy;
    return NP_OK;
}

np_status np_request_set_method(np_request *request, const char *method, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status : np_settings_change_end(request, set_method(request, method, err));
}

np_status np_request_set_reuse(np_request *request, np_reuse reuse, np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (reuse != NP_REUSE_ANY && reuse != NP_REUSE_FRESH && reuse != NP_REUSE_COLD)
        status = np_fail(err, NP_E_ARGUMENT, "%d is no way of reuse: expected one of np_reuse",
                         (int)reuse);
    else
        request->reuse = reuse;
    return np_settings_change_end(request, status);
}

np_status np_request_set_proxy(np_request *request, const np_proxy *proxy, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    np_proxy_release(request->proxy);
    request->proxy = np_proxy_retain(proxy ? proxy : np_proxy_direct());
    return np_settings_change_end(request, NP_OK);
}

np_status np_request_set_protocol_version(np_request *request, int version, np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (version != 10 && version != 11 && version != 20)
        status = np_fail(err, NP_E_ARGUMENT,
                         "%d is no protocol version: expected 10, 11 or 20 for HTTP/1.0, 1.1 or 2",
                         version);
    else
        request->protocol_version = version;
    return np_settings_change_end(request, status);
}

static np_status set_group_name(np_request *request, const char *name, np_error *err)
{
    char *copy = name && *name ? strdup(name) : NULL;
    if (name && *name && !copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the name of a connection group");
    free(request->group_name);
    request->group_name = copy;
    return NP_OK;
}

np_status np_request_set_connection_group_name(np_request *request, const char *name, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status : np_settings_change_end(request, set_group_name(request, name, err));
}

static np_status set_limit(np_request *request, int64_t *limit_ms, int64_t timeout_ms,
                           np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (timeout_ms < -1)
        status = np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a timeout of %lld ms: expected -1 for none, or 0 and more",
                         (long long)timeout_ms);
    else
        *limit_ms = timeout_ms;
    return np_settings_change_end(request, status);
}

np_status np_request_set_async_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return set_limit(request, request ? &request->async_timeout_ms : NULL, timeout_ms, err);
}

np_status np_request_set_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return set_limit(request, request ? &request->timeout_ms : NULL, timeout_ms, err);
}

np_status np_request_set_read_write_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (timeout_ms < -1 || timeout_ms == 0)
        status = np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a timeout of %lld ms: expected -1 for none, or 1 and more",
                         (long long)timeout_ms);
    else
        request->read_write_timeout_ms = timeout_ms;
    return np_settings_change_end(request, status);
}

/* --- header fields --- */

static np_status set_field(np_request *request, const char *name, const char *value, np_error *err)
{
    size_t length;
    const np_status status = np_header_check_value(name, &value, &length, err);
    return status ? status : np_header_list_set(&request->fields, name, value, length, err);
}

np_status np_request_header_set(np_request *request, const char *name, const char *value,
                                np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    status =
        name ? np_header_check_name(name, err) : np_fail(err, NP_E_ARGUMENT_NULL, "name is NULL");
    if (!status && value)
        status = set_field(request, name, value, err);
    else if (!status)
        np_header_list_remove(&request->fields, name);
    return np_settings_change_end(request, status);
}

/* A field that has a property of its own: NULL and what is blank clear it. */
static np_status set_property(np_request *request, const char *name, const char *value,
                              np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (value && value[strspn(value, " \t")])
        status = set_field(request, name, value, err);
    else
        np_header_list_remove(&request->fields, name);
    return np_settings_change_end(request, status);
}

np_status np_request_set_accept(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Accept", value, err);
}

np_status np_request_set_user_agent(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "User-Agent", value, err);
}

np_status np_request_set_referer(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Referer", value, err);
}

np_status np_request_set_content_type(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Content-Type", value, err);
}

static np_status set_host(np_request *request, const char *value, np_error *err)
{
    if (!value)
        return np_fail(err, NP_E_ARGUMENT_NULL, "value is NULL");
    const np_status status = np_url_check_host(value, err);
    if (status)
        return status;
    char *copy = strdup(value);
    if (!copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a host");
    free(request->host_header);
    request->host_header = copy;
    return NP_OK;
}

np_status np_request_set_host(np_request *request, const char *value, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status : np_settings_change_end(request, set_host(request, value, err));
}

/* --- the body --- */

np_status np_request_set_content_length(np_request *request, int64_t length, np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (length < 0)
        status = np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a content length of %lld: expected 0 or more, and it cannot be unset",
                         (long long)length);
    else
        request->content_length = length;
    return np_settings_change_end(request, status);
}

static np_status set_flag(np_request *request, bool *flag, bool value, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    *flag = value;
    return np_settings_change_end(request, NP_OK);
}

np_status np_request_set_send_chunked(np_request *request, bool value, np_error *err)
{
    return set_flag(request, request ? &request->send_chunked : NULL, value, err);
}

np_status np_request_set_allow_write_stream_buffering(np_request *request, bool value,
                                                      np_error *err)
{
    return set_flag(request, request ? &request->buffering : NULL, value, err);
}

np_status np_request_set_keep_alive(np_request *request, bool value, np_error *err)
{
    return set_flag(request, request ? &request->keep_alive : NULL, value, err);
}

np_status np_request_set_expect_continue(np_request *request, bool value, np_error *err)
{
    return set_flag(request, request ? &request->expect_continue : NULL, value, err);
}

np_status np_request_set_continue_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return set_limit(request, request ? &request->continue_timeout_ms : NULL, timeout_ms, err);
}
