/*
 * An engine on its own loop thread for tests: requests are handed over as plain structs, run
 * together, and come back filled in. What the engine traced is read out of the ring and cut into
 * phases.
 */
#ifndef NP_TESTS_ENGINE_RIG_H
#define NP_TESTS_ENGINE_RIG_H

#include "phases.h"
#include "transfer.h"

#include <pthread.h>

enum { RIG_BODY_MAX = 4096, RIG_EVENTS_MAX = 65536 };

struct rig {
    np_loop *loop;
    np_dialer *dialer;
    np_engine *engine;
    np_producer producer;
    bool traced;
    char ring_path[128];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

struct rig_request {
    /* in */
    const char *url;    /* http(s)://host:port/path */
    const char *method; /* NULL: GET */
    np_reuse reuse;
    const np_header_line *headers;
    size_t header_count;
    int64_t timeout_ns;   /* 0: none */
    int version;          /* 0: 11 */
    const char *group;    /* of connections; NULL: the common one */
    bool pause_once;      /* body() answers false the first time */
    bool abort_in_header; /* np_transfer_abort from inside header() */
    bool abort_in_body;
    struct rig_request *abort_other; /* aborted from inside header() */
    bool drain_in_header;
    uint64_t drain_bytes;
    np_proxy_list *proxy_list; /* NULL: direct */
    const char *send;          /* a body; NULL: none */
    bool has_copy;             /* it can be sent again */
    int again;                 /* started anew from done() so often */
    /* out */
    bool done, header_seen;
    int status, protocol;
    int64_t content_length;
    uint64_t body_bytes;
    size_t sent_bytes; /* of `send`, given to the engine since the last rewind */
    char body[RIG_BODY_MAX];
    char location[256]; /* value of the Location field */
    np_error failure;   /* status NP_OK: complete */
    uint32_t number, first_number;
    int completed; /* with `again`: how often it was complete */
    /* inner */
    struct rig *rig;
    np_transfer *transfer;
    char scheme[8], host[128];
    uint16_t port;
    bool paused;
};

extern const char *rig_dns_servers; /* for the rigs opened from now on; NULL: the system's */

bool rig_open(struct rig *rig, const np_engine_options *options, const char *const *resolve,
              size_t resolve_count, bool traced);
/* The same into the ring of a trace: np_producer_attach it before, detach it after rig_close. What
 * reads events here does not work then: the collector has them. */
bool rig_open_into(struct rig *rig, const np_engine_options *options, const char *const *resolve,
                   size_t resolve_count, np_producer *producer);
void rig_close(struct rig *rig); /* aborts what still runs */

void rig_start(struct rig *rig, struct rig_request *requests,
               size_t count); /* starts all of them in one turn */
bool rig_wait(struct rig *rig, struct rig_request *requests,
              size_t count); /* until all are done; false after 20 s */
bool rig_run(struct rig *rig, struct rig_request *requests, size_t count); /* both */
void rig_abort(struct rig *rig, struct rig_request *request, np_web_status web_status);
void rig_call(struct rig *rig, void (*fn)(struct rig *rig, void *user),
              void *user); /* on the loop; waits */
/* Until an event of this type is in the ring (of this request, 0: any); false after 20 s. */
bool rig_wait_event(struct rig *rig, np_event_type type, uint64_t word0, uint32_t request);

size_t rig_events(struct rig *rig, np_event *out, size_t max); /* all so far; while nothing runs */
np_cut rig_cut(struct rig *rig, uint32_t number);
/* The first event of a type of a request (0: any); false: none. */
bool rig_find(struct rig *rig, np_event_type type, uint32_t request, np_event *out);
void rig_text(struct rig *rig, np_text_ref ref, char *out, size_t size);
int rig_open_fds(void);

#endif
