/* Changing a request before its start: itself, its limits, how its body goes out. Floor 2; any
 * thread. Each property stands once as a setter and a getter; what is the same in all of them is at
 * the top. */
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

np_status np_settings_set_flag(np_request *request, size_t place, bool value, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    *(bool *)((char *)request + place) = value;
    return np_settings_change_end(request, NP_OK);
}

bool np_settings_flag(const np_request *request, size_t place)
{
    np_request *block = np_block_of(request);
    if (!block)
        return false;
    pthread_mutex_lock(&block->lock);
    const bool value = *(const bool *)((const char *)request + place);
    pthread_mutex_unlock(&block->lock);
    return value;
}

np_status np_settings_set_number(np_request *request, const np_number_rule *rule, int64_t value,
                                 np_error *err)
{
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (value < rule->minimum || (value == 0 && !rule->takes_zero))
        status = np_fail(err, NP_E_ARGUMENT_RANGE, rule->refusal, (long long)value);
    else
        *(int64_t *)(void *)((char *)request + rule->place) = value;
    return np_settings_change_end(request, status);
}

int64_t np_settings_number(const np_request *request, size_t place)
{
    np_request *block = np_block_of(request);
    if (!block)
        return -1;
    pthread_mutex_lock(&block->lock);
    const int64_t value = *(const int64_t *)(const void *)((const char *)request + place);
    pthread_mutex_unlock(&block->lock);
    return value;
}

np_status np_settings_set_text(char **text, const char *value, size_t length, np_error *err)
{
    char *copy = length > 0 ? strndup(value, length) : NULL;
    if (length > 0 && !copy)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a property of a request");
    free(*text);
    *text = copy;
    return NP_OK;
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

const char *np_request_method(const np_request *request)
{
    return request ? request->method : NULL;
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

np_reuse np_request_reuse(const np_request *request)
{
    return request ? request->reuse : NP_REUSE_ANY;
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

int np_request_protocol_version(const np_request *request)
{
    return request ? request->protocol_version : 0;
}

np_status np_request_set_connection_group_name(np_request *request, const char *name, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status
                  : np_settings_change_end(request,
                                           np_settings_set_text(&request->group_name, name,
                                                                name ? strlen(name) : 0, err));
}

const char *np_request_connection_group_name(const np_request *request)
{
    return request ? request->group_name : NULL;
}

/* --- limits --- */

#define AT(field) offsetof(np_request, field)

static const np_number_rule async_timeout = {
    AT(async_timeout_ms), -1, true, "a timeout of %lld ms: expected -1 for none, or 0 and more"};
static const np_number_rule timeout = {AT(timeout_ms), -1, true,
                                       "a timeout of %lld ms: expected -1 for none, or 0 and more"};
static const np_number_rule read_write_timeout = {
    AT(read_write_timeout_ms), -1, false,
    "a timeout of %lld ms: expected -1 for none, or 1 and more"};
static const np_number_rule continue_timeout = {
    AT(continue_timeout_ms), -1, true,
    "a time of %lld ms for 100 Continue: expected -1 for ever, or 0 and more"};
static const np_number_rule response_headers = {
    AT(header_limit_kib), -1, true,
    "a header of at most %lld KiB: expected -1 for no limit, or 0 and more"};
static const np_number_rule error_response = {
    AT(error_limit_kib), -1, true,
    "an error response of at most %lld KiB: expected -1 for no limit, or 0 and more"};
static const np_number_rule length_rule = {
    AT(content_length), 0, true,
    "a content length of %lld: expected 0 or more, and it cannot be unset"};

np_status np_request_set_async_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_settings_set_number(request, &async_timeout, timeout_ms, err);
}

int64_t np_request_async_timeout(const np_request *request)
{
    return np_settings_number(request, async_timeout.place);
}

np_status np_request_set_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_settings_set_number(request, &timeout, timeout_ms, err);
}

int64_t np_request_timeout(const np_request *request)
{
    return np_settings_number(request, timeout.place);
}

np_status np_request_set_read_write_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_settings_set_number(request, &read_write_timeout, timeout_ms, err);
}

int64_t np_request_read_write_timeout(const np_request *request)
{
    return np_settings_number(request, read_write_timeout.place);
}

np_status np_request_set_continue_timeout(np_request *request, int64_t timeout_ms, np_error *err)
{
    return np_settings_set_number(request, &continue_timeout, timeout_ms, err);
}

int64_t np_request_continue_timeout(const np_request *request)
{
    return np_settings_number(request, continue_timeout.place);
}

np_status np_request_set_maximum_response_headers_length(np_request *request, int64_t kib,
                                                         np_error *err)
{
    return np_settings_set_number(request, &response_headers, kib, err);
}

int64_t np_request_maximum_response_headers_length(const np_request *request)
{
    return np_settings_number(request, response_headers.place);
}

np_status np_request_set_maximum_error_response_length(np_request *request, int64_t kib,
                                                       np_error *err)
{
    return np_settings_set_number(request, &error_response, kib, err);
}

int64_t np_request_maximum_error_response_length(const np_request *request)
{
    return np_settings_number(request, error_response.place);
}

/* --- the bodies --- */

np_status np_request_set_content_length(np_request *request, int64_t length, np_error *err)
{
    return np_settings_set_number(request, &length_rule, length, err);
}

int64_t np_request_content_length(const np_request *request)
{
    return np_settings_number(request, length_rule.place);
}

np_status np_request_set_send_chunked(np_request *request, bool value, np_error *err)
{
    return np_settings_set_flag(request, AT(send_chunked), value, err);
}

bool np_request_send_chunked(const np_request *request)
{
    return np_settings_flag(request, AT(send_chunked));
}

np_status np_request_set_allow_write_stream_buffering(np_request *request, bool value,
                                                      np_error *err)
{
    return np_settings_set_flag(request, AT(buffering), value, err);
}

bool np_request_allow_write_stream_buffering(const np_request *request)
{
    return np_settings_flag(request, AT(buffering));
}

np_status np_request_set_allow_read_stream_buffering(np_request *request, bool value, np_error *err)
{
    return np_settings_set_flag(request, AT(read_buffering), value, err);
}

bool np_request_allow_read_stream_buffering(const np_request *request)
{
    return np_settings_flag(request, AT(read_buffering));
}

np_status np_request_set_keep_alive(np_request *request, bool value, np_error *err)
{
    return np_settings_set_flag(request, AT(keep_alive), value, err);
}

bool np_request_keep_alive(const np_request *request)
{
    return np_settings_flag(request, AT(keep_alive));
}

np_status np_request_set_expect_continue(np_request *request, bool value, np_error *err)
{
    return np_settings_set_flag(request, AT(expect_continue), value, err);
}

bool np_request_expect_continue(const np_request *request)
{
    return np_settings_flag(request, AT(expect_continue));
}

np_status np_request_set_continue_callback(np_request *request, np_continue_fn fn, void *user,
                                           np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    request->continue_fn = fn;
    request->continue_user = user;
    return np_settings_change_end(request, NP_OK);
}

static np_status set_transfer_encoding(np_request *request, const char *value, np_error *err)
{
    size_t length = 0;
    if (value) {
        const np_status status = np_header_check_value("Transfer-Encoding", &value, &length, err);
        if (status)
            return status;
    }
    if (length > 0 && !np_header_is_token_list(value, length))
        return np_fail(err, NP_E_ARGUMENT,
                       "\"%.40s\" is no transfer encoding: expected names such as gzip, with "
                       "commas between them",
                       value);
    if (length > 0 && np_header_has_token(value, length, "chunked"))
        return np_fail(err, NP_E_ARGUMENT,
                       "chunked is not set as a transfer encoding: send_chunked says so");
    if (length > 0 && !request->send_chunked)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "a transfer encoding needs a body that is sent chunked: set send_chunked "
                       "first");
    return np_settings_set_text(&request->transfer_encoding, value, length, err);
}

np_status np_request_set_transfer_encoding(np_request *request, const char *value, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status
                  : np_settings_change_end(request, set_transfer_encoding(request, value, err));
}

const char *np_request_transfer_encoding(const np_request *request)
{
    return request ? request->transfer_encoding : NULL;
}
