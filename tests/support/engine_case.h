/*
 * What the tests of the engine share: nginx or a scripted server, an engine, URLs of both, and what
 * is asked of requests and events. One of each a test; Criterion gives each a process.
 */
#ifndef NP_TESTS_ENGINE_CASE_H
#define NP_TESTS_ENGINE_CASE_H

#include "engine_rig.h"
#include "engine_types.h"
#include "nginx.h"
#include "raw_server.h"

#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

extern struct nginx nginx;
extern struct raw_server raw;
extern struct rig rig;

/* With nginx: origin.test and other.test are 127.0.0.1. false: it is missing, and the test is over.
 */
bool set_up(const struct nginx_options *server, np_engine_options options);
void tear_down(void);
/* With a scripted server, which is origin.test. */
void set_up_raw(const struct raw_script *scripts, int count, np_engine_options options);
void tear_down_raw(void);

const char *make_url(const char *scheme, const char *host, unsigned port, const char *path);
const char *http(const char *path); /* of nginx at origin.test */
const char *https(const char *path);
const char *raw_url(void);

void run_one(struct rig_request *request);
void must_be_complete(const struct rig_request *request);
void must_fail(const struct rig_request *request, np_web_status web_status, const char *words);

int count_events(np_event_type type);
int count_spans(np_span_kind kind, uint32_t request); /* 0: of any */
int use_of(uint32_t request);                         /* which use of its connection it was */
bool is_present(const np_cut *cut, np_phase phase);
void must_add_up(const np_cut *cut);

#endif
