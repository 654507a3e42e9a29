/*
 * A real nginx for tests and benches: one process, on free ports of 127.0.0.1, in a temporary
 * folder of its own, as any user.
 *
 *   struct nginx nginx;
 *   if (!nginx_start(&nginx, &(struct nginx_options){.locations = "location /gone { return 404;
 * }"})) skip(nginx.why);
 *   ... http://127.0.0.1:<nginx.http_port>/small, https://origin.test:<nginx.https_port>/small,
 * trusted by nginx.ca_file ... nginx_stop(&nginx);
 *
 * FOLDER/www holds the files served: "small" (59 bytes) is there, more by nginx_add_file. It dies
 * with the process that started it.
 */
#ifndef NP_TESTS_NGINX_H
#define NP_TESTS_NGINX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nginx_options {
    const char *http;      /* directives of the http block ("keepalive_timeout 1s;"), or NULL */
    const char *locations; /* directives of all servers, or NULL */
    bool reloads;      /* SIGHUP to `pid` starts new workers and lets the old ones finish */
    const char *names; /* of the certificate; NULL: DNS:origin.test,DNS:localhost,IP:127.0.0.1 */
};

struct nginx {
    pid_t pid;
    uint16_t http_port, https_port, h2_port /* TLS, HTTP/2 by ALPN */;
    char folder[128];
    char ca_file[160]; /* the authority that signed the server's certificate */
    char why[256];     /* why it does not run */
};

bool nginx_start(struct nginx *nginx,
                 const struct nginx_options *options); /* false: `why` says it */
void nginx_stop(struct nginx *nginx);                  /* also removes the folder */
bool nginx_add_file(const struct nginx *nginx, const char *name, const void *data, size_t size);

#endif
