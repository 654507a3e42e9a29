/*
 * Filling in an np_error, and the names of statuses. Floor 0; any thread.
 *
 * The text of an error goes to terminals and logs as it is, and often quotes what came from
 * outside. So it is made harmless here, once: whatever could move a cursor, turn the direction of
 * writing or is no UTF-8 becomes '?'.
 */
#include "fail.h"

#include "textbuf.h"

#include <stdio.h>
#include <string.h>

/* Words in front of 160 bytes of text, quoted names included; longer ones are cut anyway. */
#define WORK_BYTES 640

static const struct {
    np_status status;
    np_status parent; /* NP_OK: none above it */
    const char *name;
} statuses[] = {
    {NP_OK,                   NP_OK,                  "ok"                },
    {NP_E_ARGUMENT,           NP_OK,                  "argument"          },
    {NP_E_ARGUMENT_NULL,      NP_E_ARGUMENT,          "argument null"     },
    {NP_E_ARGUMENT_RANGE,     NP_E_ARGUMENT,          "argument range"    },
    {NP_E_INVALID_OPERATION,  NP_OK,                  "invalid operation" },
    {NP_E_PROTOCOL_VIOLATION, NP_E_INVALID_OPERATION, "protocol violation"},
    {NP_E_WEB,                NP_E_INVALID_OPERATION, "web"               },
    {NP_E_OBJECT_DISPOSED,    NP_E_INVALID_OPERATION, "object disposed"   },
    {NP_E_NOT_SUPPORTED,      NP_OK,                  "not supported"     },
    {NP_E_IO,                 NP_OK,                  "io"                },
    {NP_E_NO_MEMORY,          NP_OK,                  "no memory"         },
    {NP_E_CANCELED,           NP_OK,                  "canceled"          },
    {NP_E_INPUT,              NP_OK,                  "input"             },
    {NP_E_OUTPUT,             NP_OK,                  "output"            },
};
#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])

static const char *const web_status_names[] = {
    [NP_WEB_SUCCESS] = "success",
    [NP_WEB_NAME_RESOLUTION_FAILURE] = "name resolution failure",
    [NP_WEB_CONNECT_FAILURE] = "connect failure",
    [NP_WEB_RECEIVE_FAILURE] = "receive failure",
    [NP_WEB_SEND_FAILURE] = "send failure",
    [NP_WEB_PIPELINE_FAILURE] = "pipeline failure",
    [NP_WEB_REQUEST_CANCELED] = "request canceled",
    [NP_WEB_PROTOCOL_ERROR] = "protocol error",
    [NP_WEB_CONNECTION_CLOSED] = "connection closed",
    [NP_WEB_TRUST_FAILURE] = "trust failure",
    [NP_WEB_SECURE_CHANNEL_FAILURE] = "secure channel failure",
    [NP_WEB_SERVER_PROTOCOL_VIOLATION] = "server protocol violation",
    [NP_WEB_KEEP_ALIVE_FAILURE] = "keep alive failure",
    [NP_WEB_PENDING] = "pending",
    [NP_WEB_TIMEOUT] = "timeout",
    [NP_WEB_PROXY_NAME_RESOLUTION_FAILURE] = "proxy name resolution failure",
    [NP_WEB_UNKNOWN_ERROR] = "unknown error",
    [NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED] = "message length limit exceeded",
    [NP_WEB_CACHE_ENTRY_NOT_FOUND] = "cache entry not found",
    [NP_WEB_REQUEST_PROHIBITED_BY_CACHE_POLICY] = "request prohibited by cache policy",
    [NP_WEB_REQUEST_PROHIBITED_BY_PROXY] = "request prohibited by proxy",
};
#define WEB_STATUS_COUNT (sizeof web_status_names / sizeof web_status_names[0])

bool np_status_is_a(np_status status, np_status class_)
{
    if (status == class_)
        return true;
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].status == status)
            return statuses[i].parent != NP_OK && statuses[i].parent == class_;
    return false;
}

const char *np_status_name(np_status status)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "unknown status";
}

const char *np_web_status_name(np_web_status web_status)
{
    return (unsigned)web_status < WEB_STATUS_COUNT ? web_status_names[web_status]
                                                   : "unknown web status";
}

/* Copies as many whole characters as fit, with '?' for everything a terminal should not see. */
static void copy_clean(char *out, size_t size, const char *text)
{
    const size_t length = strlen(text);
    size_t at = 0;
    size_t end = 0;

    while (at < length) {
        size_t used;
        const uint32_t c = np_utf8_decode(text + at, length - at, &used);
        const bool safe = c != NP_UTF8_INVALID && !np_code_point_is_unsafe(c);
        const size_t need = safe ? used : 1;
        if (end + need > size - 1)
            break;
        if (safe)
            memcpy(out + end, text + at, used);
        else
            out[end] = '?';
        end += need;
        at += used;
    }
    out[end] = '\0';
}

/* Works in memory of its own, so that the arguments may point into `err`. */
static np_status fill(np_error *err, np_status status, np_web_status web_status, const char *layer,
                      int code, const char *cause, const char *format, va_list arguments)
{
    if (!err)
        return status;

    char text[WORK_BYTES];
    char clean_cause[sizeof err->cause];
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    copy_clean(clean_cause, sizeof clean_cause, cause ? cause : "");

    memset(err, 0, sizeof *err);
    err->status = status;
    err->web_status = web_status;
    err->layer = layer;
    err->code = code;
    copy_clean(err->text, sizeof err->text, text);
    memcpy(err->cause, clean_cause, sizeof clean_cause);
    return status;
}

np_status np_fail_v(np_error *err, np_status status, const char *format, va_list arguments)
{
    return fill(err, status, NP_WEB_SUCCESS, NULL, 0, NULL, format, arguments);
}

np_status np_fail(np_error *err, np_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, status, NP_WEB_SUCCESS, NULL, 0, NULL, format, arguments);
    va_end(arguments);
    return status;
}

np_status np_fail_layer(np_error *err, np_status status, const char *layer, int code,
                        const char *cause, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, status, NP_WEB_SUCCESS, layer, code, cause, format, arguments);
    va_end(arguments);
    return status;
}

np_status np_fail_os(np_error *err, np_status status, int errno_value, const char *format, ...)
{
    char room[128];
    const char *cause = strerror_r(errno_value, room, sizeof room); /* GNU: may not use `room` */

    va_list arguments;
    va_start(arguments, format);
    fill(err, status, NP_WEB_SUCCESS, "os", errno_value, cause, format, arguments);
    va_end(arguments);
    return status;
}

np_status np_fail_web(np_error *err, np_web_status web_status, const char *layer, int code,
                      const char *cause, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, NP_E_WEB, web_status, layer, code, cause, format, arguments);
    va_end(arguments);
    return NP_E_WEB;
}

np_status np_wrap(np_error *err, const char *format, ...)
{
    if (!err)
        return NP_OK; /* the caller holds the status; there is no text to add to */

    char words[sizeof err->text];
    char text[WORK_BYTES];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(words, sizeof words, format, arguments) < 0)
        words[0] = '\0';
    va_end(arguments);

    snprintf(text, sizeof text, "%s: %s", words, err->text);
    copy_clean(err->text, sizeof err->text, text);
    return err->status;
}
