/*
 * Real proxies for tests: tinyproxy, squid, microsocks, dante, each one process on a free port of
 * 127.0.0.1 in a temporary folder of its own, as any user.
 *
 *   struct proxy_server proxy;
 *   if (!proxy_server_start(&proxy, &(struct proxy_options){.kind = PROXY_SQUID, .auth =
 * PROXY_DIGEST})) skip(proxy.why);
 *   ... 127.0.0.1:<proxy.port>, https proxy: <proxy.tls_port>, trusted by <proxy.ca_file> ...
 *   proxy_server_stop(&proxy);
 *
 * Found in PATH, /usr/sbin, or build/tools (where tools/setup --tests unpacks those whose packages
 * would start a service). User and password are PROXY_USER and PROXY_PASSWORD. It dies with the
 * process that started it.
 */
#ifndef NP_TESTS_PROXY_SERVER_H
#define NP_TESTS_PROXY_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROXY_USER     "ada"
#define PROXY_PASSWORD "lovelace-1815"

enum proxy_server_kind { PROXY_TINYPROXY, PROXY_SQUID, PROXY_MICROSOCKS, PROXY_DANTE };
enum proxy_server_auth { PROXY_OPEN, PROXY_BASIC, PROXY_DIGEST /* squid alone */ };

struct proxy_options {
    enum proxy_server_kind kind;
    enum proxy_server_auth auth;
    const char *more; /* lines of its configuration (squid: before "http_access allow"), or NULL */
};

struct proxy_server {
    enum proxy_server_kind kind;
    pid_t pid; /* of its supervisor */
    int alive; /* closed by our death, whatever it is: then the proxy is stopped */
    uint16_t port;
    uint16_t tls_port; /* squid: TLS to the proxy; else 0 */
    char folder[128];
    char ca_file[160]; /* the authority that signed its certificate (squid) */
    char why[256];     /* why it does not run */
};

bool proxy_server_start(struct proxy_server *proxy, const struct proxy_options *options);
void proxy_server_stop(struct proxy_server *proxy); /* also removes the folder */
/* How many requests its log tells of so far whose line has `words`; waits until there are `least`
 * (10 s), because logs are written late. Squid and tinyproxy. */
int proxy_server_logged(const struct proxy_server *proxy, const char *words, int least);

#endif
