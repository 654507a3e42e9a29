/**
 * What went wrong: one status for programs to decide on, one np_error for people to read.
 *
 * Every function that can fail returns an np_status: 0 is NP_OK, failures are negative. Most also
 * take an optional np_error, owned by the caller, as their last parameter; NULL is allowed
 * everywhere. A function that succeeds leaves the np_error as it was.
 */
#ifndef NETPHASE_STATUS_H
#define NETPHASE_STATUS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NP_API
#define NP_API __attribute__((visibility("default")))
#endif

typedef enum np_status {
    NP_OK = 0,
    NP_E_ARGUMENT = -1,
    NP_E_ARGUMENT_NULL = -2,      /* is an ARGUMENT */
    NP_E_ARGUMENT_RANGE = -3,     /* is an ARGUMENT */
    NP_E_INVALID_OPERATION = -4,  /* not in this state */
    NP_E_PROTOCOL_VIOLATION = -5, /* is an INVALID_OPERATION */
    NP_E_WEB = -6,                /* is an INVALID_OPERATION; np_error.web_status says which */
    NP_E_OBJECT_DISPOSED = -7,    /* is an INVALID_OPERATION */
    NP_E_NOT_SUPPORTED = -8,
    NP_E_IO = -9,
    NP_E_NO_MEMORY = -10,
    NP_E_CANCELED = -11, /* a progress callback said stop */
    NP_E_INPUT = -12,    /* a trace or file that cannot be read */
    NP_E_OUTPUT = -13    /* a trace or file that cannot be written */
} np_status;

/** Which network failure an NP_E_WEB is. The values are stored in traces and never renumbered. */
typedef enum np_web_status {
    NP_WEB_SUCCESS = 0,
    NP_WEB_NAME_RESOLUTION_FAILURE = 1,
    NP_WEB_CONNECT_FAILURE = 2,
    NP_WEB_RECEIVE_FAILURE = 3,
    NP_WEB_SEND_FAILURE = 4,
    NP_WEB_PIPELINE_FAILURE = 5,
    NP_WEB_REQUEST_CANCELED = 6,
    NP_WEB_PROTOCOL_ERROR = 7,
    NP_WEB_CONNECTION_CLOSED = 8,
    NP_WEB_TRUST_FAILURE = 9,
    NP_WEB_SECURE_CHANNEL_FAILURE = 10,
    NP_WEB_SERVER_PROTOCOL_VIOLATION = 11,
    NP_WEB_KEEP_ALIVE_FAILURE = 12,
    NP_WEB_PENDING = 13,
    NP_WEB_TIMEOUT = 14,
    NP_WEB_PROXY_NAME_RESOLUTION_FAILURE = 15,
    NP_WEB_UNKNOWN_ERROR = 16,
    NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED = 17,
    NP_WEB_CACHE_ENTRY_NOT_FOUND = 18,
    NP_WEB_REQUEST_PROHIBITED_BY_CACHE_POLICY = 19,
    NP_WEB_REQUEST_PROHIBITED_BY_PROXY = 20
} np_web_status;

typedef struct np_error {
    np_status status;         /* the class: what a program can decide on */
    np_web_status web_status; /* which network failure, for NP_E_WEB; else 0 */
    const char *layer;        /* static: "curl", "sqlite", "dns", "os"; NULL: ours */
    int code;                 /* that layer's own code, 0 if none */
    char text[160];           /* one line for people: no newline, no full stop */
    char cause[160];          /* what the layer below said, or "" */
} np_error;

/**
 * Tells whether a status is of a class, directly or by inheritance.
 *
 * @param status  any status
 * @param class_  the class asked for, for example NP_E_INVALID_OPERATION
 * @return true when they are equal or `class_` stands above `status` in the table of np_status
 *
 * Any thread.
 */
NP_API bool np_status_is_a(np_status status, np_status class_);

/** Returns the name of a status, for example "invalid operation"; static text, never NULL. Any
 * thread. */
NP_API const char *np_status_name(np_status status);

/** Returns the name of a web status, for example "name resolution failure"; static text, never
 * NULL. Any thread. */
NP_API const char *np_web_status_name(np_web_status web_status);

#ifdef __cplusplus
}
#endif
#endif
