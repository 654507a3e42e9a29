/*
 * The lab's origin: HTTP/1.1 over TLS and in the clear, as slow as told.
 *
 * It knows nothing of where it runs: it is given listening sockets and a TLS context. The paths are
 * in response.h. Program netphase-lab; runs on one loop, one thread.
 */
#ifndef LAB_SERVE_ORIGIN_H
#define LAB_SERVE_ORIGIN_H

#include "delay_timer.h"

#include <openssl/ssl.h>
#include <stdint.h>
#include <uv.h>

struct origin_config {
    int https_fd;              /* bound and listening; moved */
    int http_fd;               /* the same, without TLS */
    SSL_CTX *tls;              /* of tls_context_create; borrowed until the server has stopped */
    int64_t accept_delay_ns;   /* from the accepted connection to the first look at it */
    int64_t tls_delay_ns;      /* from the ClientHello to the answer to it */
    int64_t ttfb_ns;           /* from the end of a request to the first byte of its answer */
    int64_t continue_delay_ns; /* from a head with Expect to "100 Continue"; negative: never */
    uint64_t rate;             /* bytes of a body a second; 0: no limit */
};

struct origin_server;

/* Starts answering. Returns 0 or a negative libuv code; the sockets are closed in that case too. */
int origin_server_start(uv_loop_t *loop, struct delay_timer *timer,
                        const struct origin_config *config, struct origin_server **out);

/* Closes everything; memory is released while the loop runs on until nothing is left. NULL is
 * allowed. */
void origin_server_stop(struct origin_server *server);

#endif
