/*
 * Circumstances in which np_request_begin_get_response is called, one bad for each thing that it
 * must not wait for, and the call itself with a clock around it. For bench_begin and its test.
 */
#ifndef NP_TESTS_BEGIN_RIG_H
#define NP_TESTS_BEGIN_RIG_H

#include <netphase/netphase.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum begin_condition {
    BEGIN_IDLE,       /* a server that answers; one request at a time */
    BEGIN_CROWD,      /* 1,000 requests are under way, and no connection is free */
    BEGIN_SILENT_DNS, /* the name server takes questions and says nothing */
    BEGIN_NO_CONNECT, /* the address never answers a connect */
    BEGIN_SLOW_PROXY, /* the callback that decides on the proxy sleeps all the time */
    BEGIN_CONDITIONS
};

extern const char *const begin_condition_names[BEGIN_CONDITIONS];

struct begin_rig;

/* Makes a context whose trace is written to `path`. Aborts where the machine cannot do it. */
struct begin_rig *begin_rig_start(enum begin_condition condition, const char *path);
/* One call: for how long this thread was in it, by the clock and by its processor time. Then the
 * request is over: answered where the condition has a server, otherwise aborted. */
void begin_rig_call(struct begin_rig *rig, uint64_t *wall_ns, uint64_t *cpu_ns);
void begin_rig_stop(struct begin_rig *rig);

/* After the stop: what the trace has as `caller_blocked` of those calls, in their order;
 * out_ns[count], -1 where it does not know. How many requests the trace has of them. */
size_t begin_rig_blocked(const char *path, int64_t *out_ns, size_t count);

#endif
