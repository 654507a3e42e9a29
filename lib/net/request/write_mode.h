/*
 * How the body of a request goes out, and which settings go together: BS-2 to BS-5, GR-5 to GR-7,
 * and the table of write modes of docs/contract.md. Floor 2; pure, any thread.
 */
#ifndef NP_NET_WRITE_MODE_H
#define NP_NET_WRITE_MODE_H

#include <netphase/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum np_write_mode {
    NP_WRITE_NONE,   /* no body */
    NP_WRITE_BUFFER, /* gathered until it is closed, then a length and all of it */
    NP_WRITE_LENGTH,
    NP_WRITE_CHUNKED
} np_write_mode;

typedef struct np_write_setup {
    const char *method;
    int64_t content_length; /* -1: not set */
    bool send_chunked, buffering, keep_alive;
    bool has_coding; /* a transfer coding besides chunked */
    bool http_1_0;   /* asked for, or all that the server is known to speak */
} np_write_setup;

/* GET, HEAD, CONNECT, in capitals. */
bool np_write_has_no_body(const char *method);
/* Of a request whose stream is asked for; NONE: nothing to say, since a check refuses it. */
np_write_mode np_write_mode_of(const np_write_setup *setup);

/* May the request stream be asked for (BS-2 … BS-5)? */
np_status np_write_check_stream(const np_write_setup *setup, np_error *err);
/* May the response be asked for without a stream (GR-5, GR-6, GR-7)? */
np_status np_write_check_response(const np_write_setup *setup, np_error *err);

#endif
