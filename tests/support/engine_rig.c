#include "engine_rig.h"

#include "clock.h"
#include "fail.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_S = 20 };

const char *rig_dns_servers;

static void on_header(np_transfer *transfer, void *user);
static bool on_body(np_transfer *transfer, const void *data, size_t length, void *user);
static void on_done(np_transfer *transfer, const np_error *failure, void *user);
static ptrdiff_t on_upload(np_transfer *transfer, void *out, size_t capacity, void *user);
static bool on_rewind(np_transfer *transfer, void *user);
static const np_transfer_handler handler = {.header = on_header,
                                            .body = on_body,
                                            .done = on_done,
                                            .upload = on_upload,
                                            .rewind = on_rewind};

static void parse(struct rig_request *request)
{
    const char *p = strstr(request->url, "://");
    (void)snprintf(request->scheme, sizeof request->scheme, "%.*s", (int)(p - request->url),
                   request->url);
    p += 3;
    const char *host_end = *p == '[' ? strchr(p, ']') : p + strcspn(p, ":/");
    if (*p == '[')
        p++;
    (void)snprintf(request->host, sizeof request->host, "%.*s", (int)(host_end - p), p);
    const char *colon = strchr(host_end, ':');
    request->port = (uint16_t)(colon ? atoi(colon + 1) : 80);
}

static void begin(struct rig_request *request)
{
    const char *path = strchr(strstr(request->url, "://") + 3, '/');
    const uint64_t now_ns = np_now();
    const np_transfer_spec spec = {
        .method = request->method ? request->method : "GET",
        .url = request->url,
        .scheme = request->scheme,
        .host = request->host,
        .port = request->port,
        .target = path ? path : "/",
        .headers = request->headers,
        .header_count = request->header_count,
        .reuse = request->reuse,
        .version = request->version,
        .group = request->group,
        .begin_ns = now_ns,
        .proxy_list = request->proxy_list,
        .body_form = request->send ? NP_BODY_FORM_LENGTH : NP_BODY_FORM_NONE,
        .body_length = request->send ? (int64_t)strlen(request->send) : 0,
        .deadline_ns = request->timeout_ns ? now_ns + (uint64_t)request->timeout_ns : 0};
    request->transfer = np_transfer_start(request->rig->engine, &spec, &handler, request);
    request->number = request->first_number = np_transfer_number(request->transfer);
}

static void cancel(np_transfer *transfer)
{
    np_error cause;
    (void)np_fail_web(&cause, NP_WEB_REQUEST_CANCELED, NULL, 0, NULL, "aborted by the test");
    np_transfer_abort(transfer, &cause);
}

static void on_header(np_transfer *transfer, void *user)
{
    struct rig_request *request = user;
    request->header_seen = true;
    request->status = np_transfer_status(transfer);
    request->protocol = np_transfer_protocol(transfer);
    request->content_length = np_transfer_content_length(transfer);
    size_t count;
    const np_header_line *lines = np_transfer_headers(transfer, &count);
    for (size_t i = 0; i < count; i++) {
        if (lines[i].name_length == 8 && strncasecmp(lines[i].name, "location", 8) == 0)
            (void)snprintf(request->location, sizeof request->location, "%.*s",
                           (int)lines[i].value_length, lines[i].value);
    }
    if (request->abort_other && request->abort_other->transfer)
        cancel(request->abort_other->transfer);
    if (request->abort_in_header)
        cancel(transfer);
    if (request->drain_in_header)
        np_transfer_drain(transfer, request->drain_bytes, 0);
}

static bool on_body(np_transfer *transfer, const void *data, size_t length, void *user)
{
    struct rig_request *request = user;
    if (request->pause_once && !request->paused) {
        pthread_mutex_lock(&request->rig->mutex);
        request->paused = true;
        pthread_cond_broadcast(&request->rig->changed);
        pthread_mutex_unlock(&request->rig->mutex);
        return false;
    }
    if (request->abort_in_body)
        cancel(transfer);
    if (request->body_bytes < RIG_BODY_MAX - 1) {
        const size_t room = RIG_BODY_MAX - 1 - request->body_bytes;
        memcpy(request->body + request->body_bytes, data, length < room ? length : room);
    }
    request->body_bytes += length;
    return true;
}

static ptrdiff_t on_upload(np_transfer *transfer, void *out, size_t capacity, void *user)
{
    (void)transfer;
    struct rig_request *request = user;
    const size_t left = strlen(request->send) - request->sent_bytes;
    const size_t length = left < capacity ? left : capacity;
    memcpy(out, request->send + request->sent_bytes, length);
    request->sent_bytes += length;
    return (ptrdiff_t)length;
}

static bool on_rewind(np_transfer *transfer, void *user)
{
    (void)transfer;
    struct rig_request *request = user;
    request->sent_bytes = 0;
    return request->has_copy;
}

static void on_done(np_transfer *transfer, const np_error *failure, void *user)
{
    struct rig_request *request = user;
    struct rig *rig = request->rig;
    request->number = np_transfer_number(transfer);
    request->transfer = NULL;
    if (failure)
        request->failure = *failure;
    else
        request->completed++;
    if (!failure && request->again > 0) {
        request->again--;
        begin(request);
        return;
    }
    pthread_mutex_lock(&rig->mutex);
    request->done = true;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

/* --- calls on the loop --- */

struct call {
    np_loop_task task;
    struct rig *rig;
    void (*fn)(struct rig *rig, void *user);
    void *user;
    bool ran;
};

static void run_call(np_loop_task *task)
{
    struct call *call = (struct call *)task;
    call->fn(call->rig, call->user);
    pthread_mutex_lock(&call->rig->mutex);
    call->ran = true;
    pthread_cond_broadcast(&call->rig->changed);
    pthread_mutex_unlock(&call->rig->mutex);
}

void rig_call(struct rig *rig, void (*fn)(struct rig *rig, void *user), void *user)
{
    struct call call = {.task.run = run_call, .rig = rig, .fn = fn, .user = user};
    np_loop_post(rig->loop, &call.task);
    pthread_mutex_lock(&rig->mutex);
    while (!call.ran)
        pthread_cond_wait(&rig->changed, &rig->mutex);
    pthread_mutex_unlock(&rig->mutex);
}

struct batch {
    struct rig_request *requests;
    size_t count;
};

static void start_batch(struct rig *rig, void *user)
{
    const struct batch *batch = user;
    for (size_t i = 0; i < batch->count; i++) {
        struct rig_request *request = &batch->requests[i];
        request->rig = rig;
        parse(request);
        begin(request);
    }
}

void rig_start(struct rig *rig, struct rig_request *requests, size_t count)
{
    rig_call(rig, start_batch, &(struct batch){requests, count});
}

static struct timespec deadline(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += WAIT_S;
    return at;
}

static void resume(struct rig *rig, void *user)
{
    (void)rig;
    struct rig_request *request = user;
    if (request->transfer)
        np_transfer_resume(request->transfer);
}

bool rig_wait(struct rig *rig, struct rig_request *requests, size_t count)
{
    const struct timespec at = deadline();
    for (size_t i = 0; i < count; i++) {
        struct rig_request *request = &requests[i];
        pthread_mutex_lock(&rig->mutex);
        int rc = 0;
        while (!request->done && rc == 0 && !(request->pause_once && request->paused))
            rc = pthread_cond_timedwait(&rig->changed, &rig->mutex, &at);
        const bool done = request->done;
        pthread_mutex_unlock(&rig->mutex);
        if (!done && rc != 0)
            return false;
        if (!done) {
            rig_call(rig, resume, request);
            request->pause_once = false;
            i--;
        }
    }
    return true;
}

bool rig_run(struct rig *rig, struct rig_request *requests, size_t count)
{
    rig_start(rig, requests, count);
    return rig_wait(rig, requests, count);
}

struct abort_call {
    struct rig_request *request;
    np_web_status web_status;
};

static void abort_one(struct rig *rig, void *user)
{
    (void)rig;
    const struct abort_call *call = user;
    if (!call->request->transfer)
        return;
    np_error cause;
    (void)np_fail_web(&cause, call->web_status, NULL, 0, NULL, "aborted by the test");
    np_transfer_abort(call->request->transfer, &cause);
}

void rig_abort(struct rig *rig, struct rig_request *request, np_web_status web_status)
{
    rig_call(rig, abort_one, &(struct abort_call){request, web_status});
}

/* --- events --- */

size_t rig_events(struct rig *rig, np_event *out, size_t max)
{
    return np_ring_read(rig->producer.ring, np_ring_tail(rig->producer.ring), out, max);
}

bool rig_find(struct rig *rig, np_event_type type, uint32_t request, np_event *out)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(rig, events, RIG_EVENTS_MAX);
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        if (events[i].type == type && (request == 0 || events[i].request == request)) {
            *out = events[i];
            found = true;
        }
    }
    free(events);
    return found;
}

bool rig_wait_event(struct rig *rig, np_event_type type, uint64_t word0, uint32_t request)
{
    const uint64_t until_ns = np_now() + (uint64_t)WAIT_S * 1000000000u;
    uint64_t at = np_ring_tail(rig->producer.ring);
    while (np_now() < until_ns) {
        np_event event;
        if (np_ring_read(rig->producer.ring, at, &event, 1) == 0) {
            const struct timespec pause = {.tv_nsec = 200000};
            (void)nanosleep(&pause, NULL);
            continue;
        }
        at++;
        if (event.type == type && event.word[0] == word0 &&
            (request == 0 || event.request == request))
            return true;
    }
    return false;
}

np_cut rig_cut(struct rig *rig, uint32_t number)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(rig, events, RIG_EVENTS_MAX);
    np_cut cut;
    np_cut_init(&cut);
    for (size_t i = 0; i < count; i++) {
        if (events[i].request == number)
            np_cut_add(&cut, &events[i]);
    }
    free(events);
    return cut;
}

void rig_text(struct rig *rig, np_text_ref ref, char *out, size_t size)
{
    size_t length;
    const char *text = np_ring_get(rig->producer.ring, ref, &length);
    (void)snprintf(out, size, "%.*s", (int)length, text);
}

/* --- life --- */

static bool start_engine(struct rig *rig, const np_engine_options *options,
                         const char *const *resolve, size_t resolve_count, np_producer *producer)
{
    np_error err;
    const np_dialer_options dialer = {.resolve = resolve,
                                      .resolve_count = resolve_count,
                                      .dns_servers = rig_dns_servers,
                                      .kernel_times = options->kernel_times};
    if (np_loop_create(&rig->loop, &err) != NP_OK ||
        np_dialer_create(rig->loop, &dialer, producer, &rig->dialer, &err) != NP_OK ||
        np_engine_create(rig->loop, rig->dialer, producer, options, &rig->engine, &err) != NP_OK ||
        np_loop_start(rig->loop, &err) != NP_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return false;
    }
    return true;
}

bool rig_open(struct rig *rig, const np_engine_options *options, const char *const *resolve,
              size_t resolve_count, bool traced)
{
    static const np_redaction redaction = {0};
    np_error err;
    memset(rig, 0, sizeof *rig);
    pthread_mutex_init(&rig->mutex, NULL);
    pthread_cond_init(&rig->changed, NULL);
    rig->traced = traced;
    if (traced) {
        (void)snprintf(rig->ring_path, sizeof rig->ring_path, "/tmp/netphase-rig-%d-XXXXXX",
                       (int)getpid());
        const int fd = mkstemp(rig->ring_path);
        if (fd < 0)
            return false;
        close(fd);
        unlink(rig->ring_path);
        if (np_ring_create(rig->ring_path, &(np_ring_options){.slot_count = 65536},
                           &rig->producer.ring, &err) != NP_OK) {
            (void)fprintf(stderr, "%s\n", err.text);
            return false;
        }
        rig->producer.detail = NP_DETAIL_HEADERS;
        rig->producer.redaction = &redaction;
    }
    return start_engine(rig, options, resolve, resolve_count, traced ? &rig->producer : NULL);
}

bool rig_open_into(struct rig *rig, const np_engine_options *options, const char *const *resolve,
                   size_t resolve_count, np_producer *producer)
{
    memset(rig, 0, sizeof *rig);
    pthread_mutex_init(&rig->mutex, NULL);
    pthread_cond_init(&rig->changed, NULL);
    return start_engine(rig, options, resolve, resolve_count, producer);
}

static void free_engine(struct rig *rig, void *user)
{
    (void)user;
    np_engine_free(rig->engine);
    np_dialer_free(rig->dialer);
}

void rig_close(struct rig *rig)
{
    rig_call(rig, free_engine, NULL);
    np_loop_stop(rig->loop);
    np_loop_free(rig->loop);
    if (rig->traced) {
        np_ring_unlink(rig->producer.ring);
        np_ring_close(rig->producer.ring);
    }
    pthread_cond_destroy(&rig->changed);
    pthread_mutex_destroy(&rig->mutex);
}

int rig_open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}
