/* Filling an np_error. Program netphase-lab. */
#ifndef LAB_FAIL_H
#define LAB_FAIL_H

#include <netphase/status.h>

/* Fills `err` (may be NULL) with one line for people and returns `status`. */
np_status lab_fail(np_error *err, np_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with errno (`code`) and its text as the cause. */
np_status lab_fail_os(np_error *err, np_status status, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, with the oldest error of OpenSSL's queue as the cause; empties the queue. */
np_status lab_fail_tls(np_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
