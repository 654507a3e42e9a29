/*
 * The functions of transfer.h and of the dialer, without a network: what a transfer does is told by
 * the test. For programs that link the request layer's own files and not the real engine.
 *
 * A transfer is known by its index, 0 for the first one that was started in this process. Functions
 * that make one report something do so on the loop, and return when that has been done. They stop
 * the program where a request breaks a rule of transfer.h.
 */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include "transfer.h"

enum {
    FAKE_STARTED = 1,
    FAKE_PAUSED = 2, /* body() answered false, and no resume came yet */
    FAKE_DRAINING = 4,
    FAKE_ABORTED = 8,
    FAKE_DONE = 16,
    FAKE_RELEASED = 32 /* np_transfer_release_body was called */
};

typedef struct fake_seen {
    unsigned flags;
    unsigned resumes, drains, aborts;
    np_web_status cause; /* of the abort */
    uint64_t drain_max_bytes;
    int64_t drain_ns; /* from then until the deadline */
    char method[65], url[512], host[256], host_header[256];
    char headers[512]; /* "name: value\n"… */
    uint16_t port;
    uint32_t hop, hop_of;
    uint8_t hop_reason;
    uint64_t begin_ns;
    bool decode;
    np_reuse reuse;
    int version;
    char group[64];
    int64_t deadline_after_begin_ns;          /* 0: none */
    const _Atomic int64_t *caller_blocked_ns; /* as long as the request lives */
    np_body_form body_form;
    int64_t body_length;
    bool hold, expect_continue, close_after;
    int64_t continue_timeout_ns;
    unsigned upload_resumes;
    int64_t released; /* what np_transfer_release_body said; -1: it was not called */
} fake_seen;

fake_seen fake_look(size_t index);
/* Waits until all of `flags` are set; stops the program after 20 s. */
fake_seen fake_wait(size_t index, unsigned flags);
size_t fake_started(void);

void fake_header(size_t index, int status, int64_t content_length, const np_header_line *lines,
                 size_t count);
/* false: paused; the bytes come again by themselves after a resume. */
bool fake_body(size_t index, const void *data, size_t length);
void fake_done(size_t index, const np_error *failure);
/* The body may be given. */
void fake_ready(size_t index);
/* Asks for up to `capacity` bytes of the request's body, as upload() answers. */
ptrdiff_t fake_take(size_t index, void *out, size_t capacity);
bool fake_rewind(size_t index);
/* 100 Continue came. */
void fake_continue(size_t index);
/* Header, body and end in one turn of the loop. */
void fake_answer(size_t index, int status, const char *body);
/* The next np_transfer_start answers NULL. */
void fake_refuse_start(void);
/* The next np_dialer_create or np_engine_create fails. */
void fake_refuse_create(void);
/* Runs a function on the loop of transfer `index` and waits for it. */
void fake_on_loop(size_t index, void (*fn)(void *user), void *user);

/* From now on every transfer answers by itself, at random: header, pieces of body, end or failure,
 * now and then late. Nothing is kept. */
void fake_automatic(uint64_t seed);

#endif
