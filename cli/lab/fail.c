/* See fail.h. */
#include "fail.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(np_error *err, np_status status, const char *format, va_list arguments)
{
    if (!err)
        return;
    *err = (np_error){.status = status};
    (void)vsnprintf(err->text, sizeof err->text, format, arguments); /* a long text is cut */
}

np_status lab_fail(np_error *err, np_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, status, format, arguments);
    va_end(arguments);
    return status;
}

np_status lab_fail_os(np_error *err, np_status status, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, status, format, arguments);
    va_end(arguments);
    if (err) {
        err->layer = "os";
        err->code = code;
        (void)snprintf(err->cause, sizeof err->cause, "%s", strerror(code));
    }
    return status;
}

np_status lab_fail_tls(np_error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, NP_E_IO, format, arguments);
    va_end(arguments);
    unsigned long code = ERR_get_error();
    if (err && code != 0) {
        err->layer = "openssl";
        err->code = (int)ERR_GET_REASON(code);
        ERR_error_string_n(code, err->cause, sizeof err->cause);
    }
    ERR_clear_error();
    return NP_E_IO;
}
