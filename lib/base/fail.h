/* Filling in an np_error. Floor 0; any thread. */
#ifndef NP_BASE_FAIL_H
#define NP_BASE_FAIL_H

#include <netphase/status.h>
#include <stdarg.h>

/* Sets every field of `err` (NULL allowed) and returns `status`: `return np_fail(err, NP_E_INPUT,
   "%s is not a trace", path);`. The text is cut at a UTF-8 boundary, control characters in it are
   replaced by '?'. */
np_status np_fail(np_error *err, np_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
np_status np_fail_v(np_error *err, np_status status, const char *format, va_list arguments);

/* The same for a failure of a layer below: its static name, its code and its own words (may be
 * NULL). */
np_status np_fail_layer(np_error *err, np_status status, const char *layer, int code,
                        const char *cause, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* layer "os", code errno_value, cause strerror. */
np_status np_fail_os(np_error *err, np_status status, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* NP_E_WEB with a web status. */
np_status np_fail_web(np_error *err, np_web_status web_status, const char *layer, int code,
                      const char *cause, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Puts words in front of the text that is there ("WORDS: TEXT"), once; returns err->status. */
np_status np_wrap(np_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
