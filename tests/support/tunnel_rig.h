/*
 * What the tests of ways through proxies share: lists of proxies, the servers at both ends, a trace
 * of what went on, and what is asked of it. One of each a test; Criterion gives each a process.
 */
#ifndef NP_TESTS_TUNNEL_RIG_H
#define NP_TESTS_TUNNEL_RIG_H

#include "engine_rig.h"
#include "engine_types.h"
#include "nginx.h"
#include "proxy_server.h"
#include "testdir.h"

#include <netphase/trace.h>

extern struct nginx nginx;
extern struct proxy_server proxy;
extern struct rig rig;
extern np_testdir folder;

/* An entry of a list. */
struct given {
    np_proxy_kind kind;
    const char *host;
    uint16_t port;
    const char *user, *password;
};

np_proxy_list *make_list(const struct given *given, size_t count);
/* Of one entry; user: with PROXY_USER and PROXY_PASSWORD. */
np_proxy_list *make_one(np_proxy_kind kind, const char *host, uint16_t port, bool user);
const char *make_url(const char *scheme, const char *host, unsigned port, const char *path);

/* nginx and a proxy; false: a program is missing, and the test is over. */
bool start_servers(const struct proxy_options *options);
void stop_servers(void);

/* A folder, a trace in it and an engine that writes there. The first trusts both servers, whose
 * certificates must be there; the second nobody but whom its options name. */
void open_trace(np_engine_options options);
void open_trace_alone(np_engine_options options);
/* Closes everything but the servers and the folder. The trace's file. */
const char *close_trace(void);

/* Writes two files (NULL: none) one behind the other. */
void join_files(const char *to, const char *a, const char *b);

/* The small file of nginx came, whole. */
void must_be_complete(const struct rig_request *request, const char *name);
void must_run(struct rig_request *request, const char *name);
/* The request ended with this failure; NP_WEB_SUCCESS: with the proxy's 407 as its answer. */
void check_failure(const struct rig_request *request, const char *name, np_web_status web_status,
                   const char *words);
void must_fail(struct rig_request *request, const char *name, np_web_status web_status,
               const char *words);
/* A number in the trace. */
void expect_count(const char *path, const char *name, const char *what, const char *sql,
                  int64_t expected);

#endif
