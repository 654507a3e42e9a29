/* Sends a workload through one context; see sender.h. */
#include "sender.h"
#include "text.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BODY_BYTES   16384 /* read at a time, and thrown away */
#define UPLOAD_BYTES 65532 /* written at a time: one chunk of a chunked body */
/* Of up to this many bytes the library keeps a copy, to send them again after a redirect or a
 * challenge; longer ones need constant memory and can be sent once. */
#define REPLAY_BYTES (1024 * 1024)
#define EXPECT_BYTES (1024 * 1024)

struct sender {
    struct sender_options options;
    pthread_mutex_t lock; /* guards what follows; never held while the library is called */
    pthread_cond_t changed;
    struct workload workload;
    uint64_t failed;
    int body_error;
    _Atomic bool is_stopping; /* whoever waits for a body's data gives up */
    uint32_t busy;   /* threads that are still ending a flight and will touch this struct again */
    bool is_pumping; /* one thread at a time begins requests: no recursion when one fails at once */
    struct flight *flights; /* those on their way, so that they can be aborted */
    struct flight *spare;   /* used ones, to be used again */
};

/* One request on its way. */
struct flight {
    struct sender *sender;
    struct flight *next, **link;
    np_request *request;
    np_response *response;
    np_stream *stream;
    np_stream *sink;       /* the request's body goes there; NULL: no body, or it is complete */
    int64_t sent;          /* of the body */
    unsigned char *upload; /* upload[UPLOAD_BYTES], kept with the flight; NULL: not needed so far */
    bool is_error_status;
    bool is_being_aborted; /* sender_stop uses the request: the last of the two releases it */
    bool has_ended;
    unsigned char discard[BODY_BYTES]; /* where the body goes; nobody reads it */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pump(struct sender *sender);
static void read_on(struct flight *flight);

/* What the schedule says without taking a start out of it. */
static enum workload_answer peek(const struct sender *sender, uint64_t now, uint64_t *at_ns)
{
    struct workload copy = sender->workload;
    size_t url;
    return workload_next(&copy, now, &url, at_ns);
}

/* With the lock held: nothing will start, nothing is on its way, and no thread will touch us again.
 */
static bool is_done(const struct sender *sender, uint64_t now)
{
    uint64_t at_ns;
    return sender->workload.started == sender->workload.finished && sender->busy == 0 &&
           !sender->is_pumping && peek(sender, now, &at_ns) == WORKLOAD_END;
}

/* ------------------------------------------------------------------------- one request */

static np_status set_header(np_request *request, const struct sender_header *header, np_error *err)
{
    static const struct {
        const char *name;
        np_status (*set)(np_request *request, const char *value, np_error *err);
    } properties[] = {
        {"accept",       np_request_set_accept      },
        {"content-type", np_request_set_content_type},
        {"host",         np_request_set_host        },
        {"referer",      np_request_set_referer     },
        {"user-agent",   np_request_set_user_agent  },
    };
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (strcasecmp(properties[i].name, header->name) == 0)
            return properties[i].set(request, header->value, err);
    return np_request_header_set(request, header->name, header->value, err);
}

/* Which of several URLs is wrong. */
static void name_url(const char *url, np_error *err)
{
    enum { URL_SHOWN = 60 };
    struct text named = {0};
    text_print(&named, "'%.*s%s': %s", URL_SHOWN, url, strlen(url) > URL_SHOWN ? "..." : "",
               err->text);
    const size_t most = sizeof err->text - 1;
    const size_t length = named.length < most ? named.length : most;
    memcpy(err->text, text_string(&named), length);
    err->text[length] = '\0';
    text_done(&named);
}

static np_status set_body(np_request *request, const struct sender_options *options, np_error *err)
{
    const struct body *body = options->body;
    const bool is_chunked = options->is_chunked || body->length < 0;
    const bool is_large = body->length < 0 || body->length > EXPECT_BYTES;
    const bool expects =
        options->expect == EXPECT_ALWAYS || (options->expect == EXPECT_WHEN_LARGE && is_large);
    if (body->kind == BODY_NONE)
        return NP_OK;
    np_status status = is_chunked ? np_request_set_send_chunked(request, true, err)
                                  : np_request_set_content_length(request, body->length, err);
    if (!status)
        status = np_request_set_allow_write_stream_buffering(
            request, body->length >= 0 && body->length <= REPLAY_BYTES, err);
    if (!status)
        status = np_request_set_expect_continue(request, expects, err);
    return status ? status : np_request_set_continue_timeout(request, 1000, err); /* as curl */
}

static np_status set_manner(np_request *request, const struct sender_options *options,
                            const struct url_login *login, np_error *err)
{
    np_status status = np_request_set_protocol_version(request, options->version, err);
    if (!status && login->user)
        status = np_request_set_credentials(request, login->user, login->password, err);
    if (!status && options->compressed)
        status = np_request_set_automatic_decompression(request, NP_DECOMPRESS_ANY, err);
    if (!status && options->close)
        status = np_request_set_keep_alive(request, false, err);
    return status ? status : set_body(request, options, err);
}

static np_status make_request(const struct sender_options *options, size_t url, np_request **out,
                              np_error *err)
{
    np_request *request = NULL;
    np_status status = np_request_create(options->context, options->urls[url], &request, err);
    if (status == NP_E_ARGUMENT)
        name_url(options->urls[url], err);
    if (!status)
        status = np_request_set_method(request, options->method, err);
    if (!status)
        status = np_request_set_reuse(request, options->reuse, err);
    if (!status)
        status = np_request_set_allow_auto_redirect(request, options->follow, err);
    if (!status)
        status = np_request_set_async_timeout(request, options->timeout_ms, err);
    if (!status)
        status = set_manner(request, options, &options->logins[url], err);
    for (size_t i = 0; !status && i < options->header_count; i++)
        status = set_header(request, &options->headers[i], err);
    if (status) {
        np_request_release(request);
        request = NULL;
    }
    *out = request;
    return status;
}

np_status sender_check(const struct sender_options *options, size_t *wrong, np_error *err)
{
    for (size_t i = 0; i < options->workload.url_count; i++) {
        np_request *request;
        np_status status = make_request(options, i, &request, err);
        *wrong = i;
        if (status)
            return status;
        np_request_release(request);
    }
    return NP_OK;
}

static void join_list(struct flight *flight)
{
    struct sender *sender = flight->sender;
    flight->next = sender->flights;
    flight->link = &sender->flights;
    if (flight->next)
        flight->next->link = &flight->next;
    sender->flights = flight;
}

static void leave_list(struct flight *flight)
{
    if (!flight->link)
        return;
    *flight->link = flight->next;
    if (flight->next)
        flight->next->link = flight->link;
    flight->link = NULL;
}

/* A flight to use: a spare one or a new one; NULL: no memory. */
static struct flight *flight_take(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    struct flight *flight = sender->spare;
    if (flight)
        sender->spare = flight->next;
    pthread_mutex_unlock(&sender->lock);
    const bool is_used = flight != NULL;
    if (!flight)
        flight = malloc(sizeof *flight);
    if (!flight)
        return NULL;
    unsigned char *upload = is_used ? flight->upload : NULL;
    memset(flight, 0, offsetof(struct flight, discard));
    flight->upload = upload;
    return flight;
}

static void flight_free(struct flight *flight)
{
    if (flight)
        free(flight->upload);
    free(flight);
}

static void flight_give_back(struct flight *flight)
{
    struct sender *sender = flight->sender;
    np_request_release(flight->request);
    pthread_mutex_lock(&sender->lock);
    flight->next = sender->spare;
    sender->spare = flight;
    pthread_mutex_unlock(&sender->lock);
}

static void flight_end(struct flight *flight, bool failed)
{
    struct sender *sender = flight->sender;
    np_stream_release(flight->stream);
    np_stream_release(flight->sink);
    np_response_release(flight->response);

    pthread_mutex_lock(&sender->lock);
    leave_list(flight);
    workload_finished(&sender->workload);
    if (failed || flight->is_error_status)
        sender->failed++;
    flight->has_ended = true;
    sender->busy++;
    const bool is_last = !flight->is_being_aborted;
    pthread_mutex_unlock(&sender->lock);

    if (is_last)
        flight_give_back(flight);
    pump(sender);

    /* The thread in sender_wait is woken at the end only: a wake-up a request would cost more than
     * the request. */
    pthread_mutex_lock(&sender->lock);
    sender->busy--;
    if (is_done(sender, now_ns()))
        pthread_cond_signal(&sender->changed);
    pthread_mutex_unlock(&sender->lock);
}

static void on_read(np_async *async)
{
    struct flight *flight = np_async_state(async);
    size_t got = 0;
    const np_status status = np_stream_end_read(flight->stream, async, &got, NULL);
    np_async_release(async);
    if (status || got == 0)
        flight_end(flight, status != NP_OK);
    else
        read_on(flight);
}

static void read_on(struct flight *flight)
{
    np_async *async;
    /* The callback drops the reference: it may have run before this returns, and `flight` be gone.
     */
    if (np_stream_begin_read(flight->stream, flight->discard, BODY_BYTES, on_read, flight, &async,
                             NULL))
        flight_end(flight, true);
}

static void on_response(np_async *async)
{
    struct flight *flight = np_async_state(async);
    np_status status = np_request_end_get_response(flight->request, async, &flight->response, NULL);
    if (status == NP_E_WEB) {
        flight->response =
            np_async_response(async); /* a status of 400 or more has a body to read as well */
        flight->is_error_status = flight->response != NULL;
        if (flight->response)
            status = NP_OK;
    }
    np_async_release(async);
    if (!status)
        status = np_response_stream(flight->response, &flight->stream, NULL);
    if (status)
        flight_end(flight, true);
    else
        read_on(flight);
}

/* ----------------------------------------------------------------------- a request with a body */

static void ask_for_response(struct flight *flight)
{
    np_async *async;
    if (np_request_begin_get_response(flight->request, on_response, flight, &async, NULL))
        flight_end(flight, true);
}

/* The body cannot be read: what was sent of it is not worth finishing. */
static void give_up_body(struct flight *flight, int error)
{
    struct sender *sender = flight->sender;
    pthread_mutex_lock(&sender->lock);
    if (error != ECANCELED && !sender->body_error)
        sender->body_error = error;
    pthread_mutex_unlock(&sender->lock);
    np_request_abort(flight->request);
    flight_end(flight, true);
}

static void on_write(np_async *async);

/* The next piece of the body, where it lies or read into the flight's own memory. -1: errno. */
static ssize_t next_piece(struct flight *flight, const void **piece)
{
    const struct body *body = flight->sender->options.body;
    if (body->kind == BODY_MEMORY) {
        const int64_t left = body->length - flight->sent;
        *piece = body->data + flight->sent;
        flight->sent = body->length;
        return (ssize_t)left;
    }
    if (!flight->upload)
        flight->upload = malloc(UPLOAD_BYTES);
    if (!flight->upload) {
        errno = ENOMEM;
        return -1;
    }
    *piece = flight->upload;
    return body_read(body, &flight->sent, flight->upload, UPLOAD_BYTES,
                     &flight->sender->is_stopping);
}

static void write_on(struct flight *flight)
{
    const void *piece;
    np_async *async;
    const ssize_t length = next_piece(flight, &piece);
    if (length < 0) {
        give_up_body(flight, errno);
    } else if (length > 0) {
        if (np_stream_begin_write(flight->sink, piece, (size_t)length, on_write, flight, &async,
                                  NULL))
            flight_end(flight, true);
    } else if (np_stream_close(flight->sink, NULL)) {
        flight_end(flight, true);
    } else {
        np_stream_release(flight->sink);
        flight->sink = NULL;
        ask_for_response(flight);
    }
}

static void on_write(np_async *async)
{
    struct flight *flight = np_async_state(async);
    const np_status status = np_stream_end_write(flight->sink, async, NULL);
    np_async_release(async);
    if (status)
        flight_end(flight, true);
    else
        write_on(flight);
}

static void on_sink(np_async *async)
{
    struct flight *flight = np_async_state(async);
    const np_status status =
        np_request_end_get_request_stream(flight->request, async, &flight->sink, NULL);
    np_async_release(async);
    if (status)
        flight_end(flight, true);
    else
        write_on(flight);
}

static void begin(struct flight *flight)
{
    np_async *async;
    if (flight->sender->options.body->kind == BODY_NONE)
        ask_for_response(flight);
    else if (np_request_begin_get_request_stream(flight->request, on_sink, flight, &async, NULL))
        flight_end(flight, true);
}

static void launch(struct sender *sender, size_t url)
{
    struct flight *flight = flight_take(sender);
    if (!flight || make_request(&sender->options, url, &flight->request, NULL)) {
        flight_free(flight);
        pthread_mutex_lock(&sender->lock);
        workload_finished(&sender->workload);
        sender->failed++;
        pthread_mutex_unlock(&sender->lock);
        return;
    }
    flight->sender = sender;

    pthread_mutex_lock(&sender->lock);
    join_list(flight);
    pthread_mutex_unlock(&sender->lock);

    begin(flight);
}

/* Begins everything that is due. Called by whoever made room; a second caller leaves the work to
 * the first. */
static void pump(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    if (!sender->is_pumping) {
        size_t url = 0;
        uint64_t at_ns;
        sender->is_pumping = true;
        while (workload_next(&sender->workload, now_ns(), &url, &at_ns) == WORKLOAD_START) {
            pthread_mutex_unlock(&sender->lock);
            launch(sender, url);
            pthread_mutex_lock(&sender->lock);
        }
        sender->is_pumping = false;
    }
    pthread_mutex_unlock(&sender->lock);
}

/* --------------------------------------------------------------------------------------------------
 * the whole */

struct sender *sender_start(const struct sender_options *options)
{
    struct sender *sender = calloc(1, sizeof *sender);
    pthread_condattr_t attributes;
    if (!sender)
        return NULL;
    sender->options = *options;
    sender->workload = options->workload;
    pthread_mutex_init(&sender->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    workload_begin(&sender->workload, now_ns());
    return sender;
}

static void fill_counts(const struct sender *sender, uint64_t now, struct sender_counts *counts)
{
    const struct workload *w = &sender->workload;
    *counts = (struct sender_counts){
        .started = w->started,
        .finished = w->finished,
        .failed = sender->failed,
        .body_error = sender->body_error,
        .done = is_done(sender, now),
    };
}

void sender_wait(struct sender *sender, uint64_t until_ns, struct sender_counts *counts)
{
    pump(sender);
    pthread_mutex_lock(&sender->lock);
    for (;;) {
        const uint64_t now = now_ns();
        uint64_t at_ns;
        const enum workload_answer answer = peek(sender, now, &at_ns);
        fill_counts(sender, now, counts);
        if (counts->done || now >= until_ns)
            break;
        if (answer == WORKLOAD_START) {
            pthread_mutex_unlock(&sender->lock);
            pump(sender);
            pthread_mutex_lock(&sender->lock);
            continue;
        }
        const uint64_t wake_ns = at_ns < until_ns ? at_ns : until_ns;
        const struct timespec wake = {.tv_sec = (time_t)(wake_ns / 1000000000u),
                                      .tv_nsec = (long)(wake_ns % 1000000000u)};
        pthread_cond_timedwait(&sender->changed, &sender->lock, &wake);
    }
    pthread_mutex_unlock(&sender->lock);
}

void sender_stop(struct sender *sender, bool abort_running)
{
    atomic_store_explicit(&sender->is_stopping, true, memory_order_relaxed); /* only a flag */
    pthread_mutex_lock(&sender->lock);
    workload_stop(&sender->workload);
    while (abort_running && sender->flights) {
        /* The abort runs the flight's callback on this thread, and another thread may be ending it
         * just now. */
        struct flight *flight = sender->flights;
        leave_list(flight);
        flight->is_being_aborted = true;
        pthread_mutex_unlock(&sender->lock);
        np_request_abort(flight->request);
        pthread_mutex_lock(&sender->lock);
        flight->is_being_aborted = false;
        if (flight->has_ended) {
            pthread_mutex_unlock(&sender->lock);
            flight_give_back(flight);
            pthread_mutex_lock(&sender->lock);
        }
    }
    pthread_mutex_unlock(&sender->lock);
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    while (sender->spare) {
        struct flight *flight = sender->spare;
        sender->spare = flight->next;
        flight_free(flight);
    }
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}
