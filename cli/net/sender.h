/*
 * Sends a workload through one context: begins requests, reads and throws away their bodies, begins
 * the next. The callbacks of the library's pool do the work; one mutex guards the workload and the
 * counters.
 */
#ifndef CLI_NET_SENDER_H
#define CLI_NET_SENDER_H

#include "body.h"
#include "url_list.h"
#include "workload.h"
#include <netphase/netphase.h>

struct sender_header {
    const char *name, *value;
};

enum sender_expect { EXPECT_WHEN_LARGE /* as curl: above 1 MiB */, EXPECT_ALWAYS, EXPECT_NEVER };

struct sender_options {
    np_context *context;                 /* borrowed */
    const char *const *urls;             /* urls[workload.url_count], borrowed */
    const struct url_login *logins;      /* logins[workload.url_count], borrowed */
    const char *method;                  /* borrowed */
    const struct sender_header *headers; /* headers[header_count], borrowed */
    size_t header_count;
    np_reuse reuse;
    bool follow;             /* redirects */
    bool compressed;         /* ask for a compressed body */
    bool close;              /* no connection is kept */
    const struct body *body; /* borrowed */
    bool is_chunked;         /* send it in chunks although its length is known */
    enum sender_expect expect;
    int version;        /* 10, 11, 20 */
    int64_t timeout_ms; /* -1: none */
    struct workload workload;
};

struct sender_counts {
    uint64_t started, finished;
    uint64_t
        failed; /* no complete response, or a final status of 400 or more: what --fail asks about */
    double share;   /* 0 … 1 */
    bool done;      /* nothing is on its way and nothing will start */
    int body_error; /* errno of a body that could not be read; 0: none */
};

struct sender;

/* Tries to make and configure one request a URL, so that a wrong URL or header is refused before
 * anything is sent; *wrong is the URL with which that failed. */
np_status sender_check(const struct sender_options *options, size_t *wrong, np_error *err);

/* Begins; NULL: no memory. The caller drives it with sender_wait until `done`. */
struct sender *sender_start(const struct sender_options *options);
/* Waits until something is due, at most until `until_ns` (CLOCK_MONOTONIC), begins what is due and
 * fills `counts`. */
void sender_wait(struct sender *sender, uint64_t until_ns, struct sender_counts *counts);
/* No more starts; with `abort` what is on its way is aborted as well. */
void sender_stop(struct sender *sender, bool abort);
void sender_free(struct sender *sender); /* after `done` */

#endif
