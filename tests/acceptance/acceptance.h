/*
 * What the acceptance cases share: a scripted server, a context and requests to it, and checks of
 * what a call answers.
 *
 * The cases are written as a program outside of this project would be: against <netphase/…> and the
 * libraries alone. Each names the rule of docs/contract.md it is about.
 *
 *   struct world w = world_open(HELLO);
 *   np_request *r = ask(&w, "POST");
 *   REFUSED(np_request_set_content_length(r, -1, e), NP_E_ARGUMENT_RANGE);
 *   OK(np_request_set_content_length(r, 5, e));
 *   world_close(&w);
 *
 * `e` in the call of a check is an np_error of the check.
 */
#ifndef NP_ACCEPTANCE_H
#define NP_ACCEPTANCE_H

#include "scripted_server.h"
#include <criterion/criterion.h>
#include <netphase/netphase.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- pieces of scripts: see scripted_server.h ---- */
#define SEND(status, fields, body) "send \"HTTP/1.1 " status "\\r\\n" fields "\\r\\n" body "\"; "
#define HELLO_REPLY                SEND("200 OK", "Content-Length: 5\\r\\n", "hello")
#define EMPTY_REPLY                SEND("200 OK", "Content-Length: 0\\r\\n", "")
#define CONTINUE                   "send \"HTTP/1.1 100 Continue\\r\\n\\r\\n\"; "
/* Answers every request that has no body with "hello". */
#define HELLO                      "head; " HELLO_REPLY "again"
/* Says nothing, whatever comes. */
#define SILENT                     "head; hang"
/* Takes a body of N bytes and answers "hello". */
#define TAKES(n)                   "head; body " #n "; " HELLO_REPLY "again"
/* Takes a chunked body and answers "hello". */
#define TAKES_CHUNKS               "head; chunks; " HELLO_REPLY "again"

/* ---- checks ---- */
bool is_ok(np_status status, const np_error *error, char why[static 512]);
bool is_failure(np_status status, const np_error *error, np_status status_wanted,
                np_web_status web_wanted, const char *word_wanted, char why[static 512]);

#define CHECK_(call, held)                                                                         \
    do {                                                                                           \
        np_error error_ = {0};                                                                     \
        np_error *e = &error_;                                                                     \
        char why_[512] = "";                                                                       \
        np_status status_ = (call);                                                                \
        cr_assert(held, "%s: %s", #call, why_);                                                    \
    } while (0)
/* It succeeds, and leaves the np_error alone. */
#define OK(call)             CHECK_(call, is_ok(status_, e, why_))
/* It fails with exactly this class, and says why in one line. */
#define REFUSED(call, class) CHECK_(call, is_failure(status_, e, class, NP_WEB_SUCCESS, NULL, why_))
/* … with this word in its text, whatever the case. */
#define REFUSED_SAYING(call, class, word)                                                          \
    CHECK_(call, is_failure(status_, e, class, NP_WEB_SUCCESS, word, why_))
/* It fails with NP_E_WEB and this web status. */
#define WEB(call, web) CHECK_(call, is_failure(status_, e, NP_E_WEB, web, NULL, why_))
/* It fails with this class or one that stands below it. */
#define REFUSED_AS(call, class)                                                                    \
    do {                                                                                           \
        np_error error_ = {0};                                                                     \
        np_error *e = &error_;                                                                     \
        np_status status_ = (call);                                                                \
        cr_assert(np_status_is_a(status_, class), "%s: %s, %s", #call, np_status_name(status_),    \
                  e->text);                                                                        \
    } while (0)

/* Waits for what other threads or the server do; a deadline that only a broken program meets. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int left_ = 20000;                                                                         \
        while (!(condition) && left_-- > 0)                                                        \
            pause_1_ms();                                                                          \
        cr_assert(condition, "20 s and still not: %s", #condition);                                \
    } while (0)
void pause_1_ms(void);

/* ---- the world of a case ---- */
struct world {
    struct scripted_server *server;
    np_context *context;
    np_request *request[16];
    size_t request_count;
};

struct world world_open(const char *script);
struct world world_open_with(const char *script, const np_context_options *options);
void world_close(struct world *world); /* releases the requests, stops the rest */
const char *url_of(const struct world *world, const char *path); /* valid until the next call */
np_request *ask(struct world *world, const char *method);        /* for /, released by the world */
np_request *ask_for(struct world *world, const char *method, const char *path);
np_request *ask_url(struct world *world, const char *method, const char *url);
np_request *ask_nobody(struct world *world, const char *method);   /* a port where nobody listens */
unsigned times_heard(const struct world *world, const char *text); /* by the server so far */
bool heard(const struct world *world, const char *text);

/* ---- the life cycle in one call each; all of it must succeed ---- */
np_async *begin_stream(np_request *request); /* owned */
np_async *begin_response(np_request *request);
np_stream *open_stream(np_request *request); /* begin, end */
np_response *get_response(np_request *request);
np_response *end_response(np_request *request, np_async *async); /* drops `async` */
void put(np_stream *stream, const char *text);
void finish(np_stream *stream);                  /* close and release */
const char *body_of(np_response *response);      /* read to its end; valid until the next call */
void expect_hello(np_request *request);          /* response 200 "hello", released */
void without_expect(np_request *request);        /* no 100-continue */
np_error failure_of(np_request *request);        /* begin succeeds, end fails: with this */
np_error stream_failure_of(np_request *request); /* likewise of the request stream */
np_error async_failure(np_async *async);         /* waits; np_async_error */

/* ---- callbacks that are counted ---- */
struct calls {
    atomic_int entered, count; /* how often it was called, how often it has returned */
    pthread_t thread;          /* that ran the latest */
    bool was_complete;         /* np_async_is_completed inside */
    np_async *async;           /* borrowed, for comparing */
    np_request *request;       /* for `then` */
    void (*then)(np_async *, struct calls *); /* runs inside; NULL: nothing */
    np_status status;                         /* what `then` found */
    np_web_status web;
    void *result;
    struct calls *next;
    struct world *world;
};
void count_call(np_async *async); /* the np_async_fn; its state is a struct calls */

#endif
