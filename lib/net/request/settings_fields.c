/*
 * The header fields of a request: those that are set as they are, and those that are properties.
 * Floor 2; any thread.
 *
 * Host and Expect are no fields of the list: the engine writes the first from the URL where nothing
 * was set, and adds 100-continue to the second.
 */
#include "fail.h"
#include "settings.h"
#include "textbuf.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- as they are --- */

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

const char *np_request_header(const np_request *request, const char *name)
{
    const np_header_line *line =
        request && name ? np_header_find(request->fields.lines, request->fields.count, name) : NULL;
    return line ? line->value : NULL;
}

/* --- properties that are one field --- */

static bool is_blank(const char *value)
{
    return !value || !value[strspn(value, " \t")];
}

/* With the lock held. NULL and what is blank clear it. */
static np_status change_property(np_request *request, const char *name, const char *value,
                                 np_error *err)
{
    if (!is_blank(value))
        return set_field(request, name, value, err);
    np_header_list_remove(&request->fields, name);
    return NP_OK;
}

static np_status set_property(np_request *request, const char *name, const char *value,
                              np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status
                  : np_settings_change_end(request, change_property(request, name, value, err));
}

np_status np_request_set_accept(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Accept", value, err);
}

const char *np_request_accept(const np_request *request)
{
    return np_request_header(request, "Accept");
}

np_status np_request_set_user_agent(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "User-Agent", value, err);
}

const char *np_request_user_agent(const np_request *request)
{
    return np_request_header(request, "User-Agent");
}

np_status np_request_set_referer(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Referer", value, err);
}

const char *np_request_referer(const np_request *request)
{
    return np_request_header(request, "Referer");
}

np_status np_request_set_content_type(np_request *request, const char *value, np_error *err)
{
    return set_property(request, "Content-Type", value, err);
}

const char *np_request_content_type(const np_request *request)
{
    return np_request_header(request, "Content-Type");
}

/* --- lists of words, some of which the library writes itself --- */

static np_status check_words(const char *name, const char *value, const char *const *reserved,
                             np_error *err)
{
    for (; *reserved; reserved++)
        if (np_header_has_token(value, strlen(value), *reserved))
            return np_fail(err, NP_E_ARGUMENT,
                           "%s may not contain %s: the library writes it itself", name, *reserved);
    return NP_OK;
}

np_status np_request_set_connection(np_request *request, const char *value, np_error *err)
{
    static const char *const reserved[] = {"keep-alive", "close", NULL};
    np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    if (!is_blank(value))
        status = check_words("Connection", value, reserved, err);
    if (!status)
        status = change_property(request, "Connection", value, err);
    return np_settings_change_end(request, status);
}

const char *np_request_connection(const np_request *request)
{
    return np_request_header(request, "Connection");
}

static np_status set_expect(np_request *request, const char *value, np_error *err)
{
    static const char *const reserved[] = {"100-continue", NULL};
    size_t length = 0;
    if (!is_blank(value)) {
        np_status status = np_header_check_value("Expect", &value, &length, err);
        if (!status)
            status = check_words("Expect", value, reserved, err);
        if (status)
            return status;
    }
    return np_settings_set_text(&request->expect, value, length, err);
}

np_status np_request_set_expect(np_request *request, const char *value, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status : np_settings_change_end(request, set_expect(request, value, err));
}

const char *np_request_expect(const np_request *request)
{
    return request ? request->expect : NULL;
}

/* --- Host --- */

static np_status set_host(np_request *request, const char *value, np_error *err)
{
    if (!value)
        return np_fail(err, NP_E_ARGUMENT_NULL, "value is NULL");
    const np_status status = np_url_check_host(value, err);
    return status ? status : np_settings_set_text(&request->host_header, value, strlen(value), err);
}

np_status np_request_set_host(np_request *request, const char *value, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    return status ? status : np_settings_change_end(request, set_host(request, value, err));
}

const char *np_request_host(const np_request *request)
{
    np_request *block = np_block_of(request);
    if (!block)
        return NULL;
    pthread_mutex_lock(&block->lock);
    if (!block->host_header && !block->url_host) {
        const char *host = strstr(block->url.text, "://") + 3;
        block->url_host = strndup(host, strcspn(host, "/?"));
    }
    const char *shown = block->host_header ? block->host_header : block->url_host;
    pthread_mutex_unlock(&block->lock);
    return shown;
}

/* --- times --- */

#define LAST_TIME_S 253402300799 /* the end of the year 9999: four digits */

/* RFC 9110 section 5.6.7, whatever the locale is. */
static void print_time(char *out, size_t size, int64_t time_s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const time_t seconds = (time_t)time_s;
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(out, size, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
                   tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                   tm.tm_sec);
}

static np_status change_time(np_request *request, const char *name, int64_t time_s, int64_t *kept,
                             np_error *err)
{
    char text[64];
    if (time_s != NP_TIME_NONE && (time_s < 0 || time_s > LAST_TIME_S))
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "%s at %lld s: expected Unix seconds up to the year 9999, or NP_TIME_NONE",
                       name, (long long)time_s);
    if (time_s != NP_TIME_NONE)
        print_time(text, sizeof text, time_s);
    const np_status status =
        change_property(request, name, time_s == NP_TIME_NONE ? NULL : text, err);
    if (!status)
        *kept = time_s;
    return status;
}

static np_status set_time(np_request *request, const char *name, size_t place, int64_t time_s,
                          np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    int64_t *kept = (int64_t *)(void *)((char *)request + place);
    return np_settings_change_end(request, change_time(request, name, time_s, kept, err));
}

np_status np_request_set_date(np_request *request, int64_t time_s, np_error *err)
{
    return set_time(request, "Date", offsetof(np_request, date_s), time_s, err);
}

int64_t np_request_date(const np_request *request)
{
    return request ? np_settings_number(request, offsetof(np_request, date_s)) : NP_TIME_NONE;
}

np_status np_request_set_if_modified_since(np_request *request, int64_t time_s, np_error *err)
{
    return set_time(request, "If-Modified-Since", offsetof(np_request, modified_since_s), time_s,
                    err);
}

int64_t np_request_if_modified_since(const np_request *request)
{
    return request ? np_settings_number(request, offsetof(np_request, modified_since_s))
                   : NP_TIME_NONE;
}

/* --- Range --- */

/* With the lock held. `range` is what comes behind "unit=". */
static np_status append_range(np_request *request, const char *unit, const char *range,
                              np_error *err)
{
    const size_t length = strlen(unit);
    if (!np_is_token(unit, length))
        return np_fail(err, NP_E_ARGUMENT,
                       "\"%.40s\" is no unit of a range: expected a word such as bytes", unit);
    const char *before = np_request_header(request, "Range");
    const bool is_other =
        before && (strncasecmp(before, unit, length) != 0 || before[length] != '=');
    if (is_other)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "a range in %.40s cannot be added to \"%.60s\": it has another unit", unit,
                       before);
    np_textbuf text;
    np_textbuf_init(&text, NP_HEADER_VALUE_MAX);
    np_textbuf_print(&text, "%s%c%s", before ? before : unit, before ? ',' : '=', range);
    const np_status status =
        text.failed ? np_fail(err, NP_E_ARGUMENT_RANGE, "more ranges than a header field takes")
                    : np_header_list_set(&request->fields, "Range", text.text, text.length, err);
    np_textbuf_done(&text);
    return status;
}

static np_status add_range(np_request *request, const char *unit, const char *range, np_error *err)
{
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    return np_settings_change_end(request, unit ? append_range(request, unit, range, err)
                                                : np_fail(err, NP_E_ARGUMENT_NULL, "unit is NULL"));
}

np_status np_request_add_range(np_request *request, const char *unit, int64_t from, int64_t to,
                               np_error *err)
{
    char range[64];
    (void)snprintf(range, sizeof range, "%lld-%lld", (long long)from, (long long)to);
    const bool is_good = from >= 0 && to >= from;
    if (is_good || !unit || !request)
        return add_range(request, unit, range, err);
    const np_status status = np_settings_change_begin(request, err);
    if (status)
        return status;
    return np_settings_change_end(
        request, np_fail(err, NP_E_ARGUMENT_RANGE,
                         "a range from %lld to %lld: expected 0 or more, and the larger one last",
                         (long long)from, (long long)to));
}

np_status np_request_add_range_from(np_request *request, const char *unit, int64_t from,
                                    np_error *err)
{
    char range[64];
    (void)snprintf(range, sizeof range, from < 0 ? "%lld" : "%lld-", (long long)from);
    return add_range(request, unit, range, err);
}
