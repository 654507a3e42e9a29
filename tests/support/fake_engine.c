/* An engine and a dialer without a network. */
#include "fake_engine.h"

#include "clock.h"
#include "fail.h"
#include "random.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_S 20
#define FAKES  65536 /* transfers that a scripted test may start */

struct np_engine {
    np_loop *loop;
    size_t running;
};

struct np_dialer {
    int unused;
};

struct np_transfer {
    np_engine *engine;
    const np_transfer_handler *handler;
    void *user;
    fake_seen seen;
    int status;
    int64_t content_length;
    const np_header_line *lines;
    size_t line_count;
    bool inside;   /* one of its handler's functions runs */
    bool to_abort; /* asked for inside */
    np_error cause;
    char *held; /* bytes that were not taken */
    size_t held_length;

    bool automatic;
    np_loop_task step;
    bool stepping; /* the task or its timer is under way */
    bool stalled;  /* paused, and nothing is under way */
    np_loop_timer *timer;
    unsigned pieces_left;
    bool will_fail;
};

static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards everything static, and each transfer's `seen` */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static np_transfer *transfers[FAKES];
static size_t transfer_count;
static bool refuse_start, refuse_create;
static bool automatic;
static np_random randomness;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fake engine: %s\n", what);
    abort();
}

static void mark(np_transfer *t, unsigned set, unsigned clear)
{
    pthread_mutex_lock(&lock);
    t->seen.flags = (t->seen.flags | set) & ~clear;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static uint64_t dice(uint64_t limit)
{
    pthread_mutex_lock(&lock);
    const uint64_t n = np_random_below(&randomness, limit);
    pthread_mutex_unlock(&lock);
    return n;
}

/* --- what a transfer does; on the loop --- */

static void forget(np_transfer *t)
{
    if (t->automatic && !t->stepping && (t->seen.flags & FAKE_DONE)) {
        free(t->held);
        free(t);
    }
}

static void finish(np_transfer *t, const np_error *failure)
{
    check(!(t->seen.flags & FAKE_DONE), "done twice");
    t->engine->running--;
    mark(t, FAKE_DONE, 0);
    t->handler->done(t, failure, t->user);
    if (t->timer) {
        np_loop_timer_cancel(t->timer);
        t->timer = NULL;
        t->stepping = false;
    }
}

static void leave(np_transfer *t)
{
    t->inside = false;
    if (t->to_abort)
        finish(t, &t->cause);
}

static void report_header(np_transfer *t, int status, int64_t content_length)
{
    if (t->seen.flags & FAKE_DONE)
        return;
    t->status = status;
    t->content_length = content_length;
    t->inside = true;
    t->handler->header(t, t->user);
    leave(t);
}

static bool report_body(np_transfer *t, const void *data, size_t length)
{
    if (t->seen.flags & (FAKE_DONE | FAKE_DRAINING))
        return true;
    check(!(t->seen.flags & FAKE_PAUSED), "a test sends bytes to a paused transfer");
    t->inside = true;
    const bool taken = t->handler->body(t, data, length, t->user);
    if (!taken) {
        char *copy = malloc(length);
        memcpy(copy, data, length);
        free(t->held);
        t->held = copy;
        t->held_length = length;
        mark(t, FAKE_PAUSED, 0);
    }
    leave(t);
    return taken;
}

/* --- the functions of transfer.h and dial.h --- */

np_status np_dialer_create(np_loop *loop, const np_dialer_options *options, np_producer *producer,
                           np_dialer **out, np_error *err)
{
    (void)loop;
    (void)options;
    (void)producer;
    if (refuse_create) {
        refuse_create = false;
        return np_fail(err, NP_E_ARGUMENT, "resolve entry 1 is malformed");
    }
    *out = calloc(1, sizeof **out);
    return NP_OK;
}

void np_dialer_free(np_dialer *dialer)
{
    free(dialer);
}

np_status np_engine_create(np_loop *loop, np_dialer *dialer, np_producer *producer,
                           const np_engine_options *options, np_engine **out, np_error *err)
{
    (void)dialer;
    (void)producer;
    (void)options;
    (void)err;
    *out = calloc(1, sizeof **out);
    (*out)->loop = loop;
    return NP_OK;
}

void np_engine_free(np_engine *engine)
{
    check(engine->running == 0, "the engine is freed while transfers run");
    free(engine);
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static void note_spec(fake_seen *seen, const np_transfer_spec *spec)
{
    copy_text(seen->method, sizeof seen->method, spec->method);
    copy_text(seen->url, sizeof seen->url, spec->url);
    copy_text(seen->host, sizeof seen->host, spec->host);
    copy_text(seen->host_header, sizeof seen->host_header, spec->host_header);
    size_t used = 0;
    for (size_t i = 0; i < spec->header_count && used < sizeof seen->headers; i++)
        used += (size_t)snprintf(seen->headers + used, sizeof seen->headers - used, "%s: %s\n",
                                 spec->headers[i].name, spec->headers[i].value);
    seen->port = spec->port;
    seen->hop = spec->hop;
    seen->hop_of = spec->hop_of;
    seen->hop_reason = spec->hop_reason;
    seen->begin_ns = spec->begin_ns;
    seen->decode = spec->decode;
    seen->reuse = spec->reuse;
    seen->version = spec->version;
    copy_text(seen->group, sizeof seen->group, spec->group);
    seen->deadline_after_begin_ns =
        spec->deadline_ns ? (int64_t)(spec->deadline_ns - spec->begin_ns) : 0;
    seen->caller_blocked_ns = spec->caller_blocked_ns;
    seen->body_form = spec->body_form;
    seen->body_length = spec->body_length;
    seen->hold = spec->hold;
    seen->expect_continue = spec->expect_continue;
    seen->continue_timeout_ns = spec->continue_timeout_ns;
    seen->close_after = spec->close_after;
    seen->released = -1;
}

static void go_on(np_transfer *t);

np_transfer *np_transfer_start(np_engine *engine, const np_transfer_spec *spec,
                               const np_transfer_handler *handler, void *user)
{
    check(np_loop_is_current(engine->loop), "np_transfer_start off the loop");
    if (refuse_start) {
        refuse_start = false;
        return NULL;
    }
    np_transfer *t = calloc(1, sizeof *t);
    t->engine = engine;
    t->handler = handler;
    t->user = user;
    engine->running++;
    note_spec(&t->seen, spec);
    pthread_mutex_lock(&lock);
    t->automatic = automatic;
    if (!automatic) {
        check(transfer_count < FAKES, "too many transfers");
        transfers[transfer_count++] = t;
    }
    pthread_mutex_unlock(&lock);
    mark(t, FAKE_STARTED, 0);
    if (t->automatic)
        go_on(t);
    return t;
}

void np_transfer_abort(np_transfer *t, const np_error *cause)
{
    check(np_loop_is_current(t->engine->loop), "np_transfer_abort off the loop");
    check(!(t->seen.flags & FAKE_DONE), "np_transfer_abort after done");
    pthread_mutex_lock(&lock);
    t->seen.aborts++;
    t->seen.cause = cause->web_status;
    pthread_mutex_unlock(&lock);
    mark(t, FAKE_ABORTED, 0);
    t->cause = *cause;
    if (t->inside) {
        t->to_abort = true;
        return;
    }
    finish(t, &t->cause);
    forget(t);
}

void np_transfer_resume(np_transfer *t)
{
    check(np_loop_is_current(t->engine->loop), "np_transfer_resume off the loop");
    check(!(t->seen.flags & FAKE_DONE), "np_transfer_resume after done");
    check(t->seen.flags & FAKE_PAUSED, "np_transfer_resume of a transfer that is not paused");
    pthread_mutex_lock(&lock);
    t->seen.resumes++;
    pthread_mutex_unlock(&lock);
    mark(t, 0, FAKE_PAUSED);
    char *held = t->held;
    const size_t length = t->held_length;
    t->held = NULL;
    (void)report_body(t, held, length); /* not taken: held again */
    free(held);
    if (t->automatic && t->stalled)
        go_on(t);
}

void np_transfer_refuse(np_transfer *transfer, const np_error *why)
{
    (void)transfer; /* only the trace hears of it */
    (void)why;
}

void np_transfer_settle(np_transfer *transfer)
{
    (void)transfer; /* likewise */
}

bool np_transfer_may_answer_proxy(const np_transfer *transfer)
{
    (void)transfer; /* it knows no proxies */
    return false;
}

void np_transfer_drain(np_transfer *t, uint64_t max_bytes, uint64_t deadline_ns)
{
    check(np_loop_is_current(t->engine->loop), "np_transfer_drain off the loop");
    check(!(t->seen.flags & FAKE_DONE), "np_transfer_drain after done");
    pthread_mutex_lock(&lock);
    t->seen.drains++;
    t->seen.drain_max_bytes = max_bytes;
    t->seen.drain_ns = (int64_t)(deadline_ns - np_loop_now(t->engine->loop));
    pthread_mutex_unlock(&lock);
    mark(t, FAKE_DRAINING, FAKE_PAUSED);
    if (t->automatic && t->stalled)
        go_on(t);
}

void np_transfer_resume_upload(np_transfer *t)
{
    check(np_loop_is_current(t->engine->loop), "np_transfer_resume_upload off the loop");
    check(!(t->seen.flags & FAKE_DONE), "np_transfer_resume_upload after done");
    pthread_mutex_lock(&lock);
    t->seen.upload_resumes++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void np_transfer_release_body(np_transfer *t, int64_t length)
{
    check(np_loop_is_current(t->engine->loop), "np_transfer_release_body off the loop");
    check(!(t->seen.flags & FAKE_DONE), "np_transfer_release_body after done");
    pthread_mutex_lock(&lock);
    t->seen.released = length;
    pthread_mutex_unlock(&lock);
    mark(t, FAKE_RELEASED, 0);
}

uint32_t np_transfer_number(const np_transfer *t)
{
    (void)t;
    return 1;
}

uint32_t np_transfer_hop(const np_transfer *t)
{
    return t->seen.hop;
}

uint64_t np_transfer_end_ns(const np_transfer *t)
{
    return np_loop_now(t->engine->loop);
}

bool np_transfer_decodes(const np_transfer *t)
{
    (void)t;
    return false;
}

uint32_t np_engine_decoders(void)
{
    return NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE;
}

int np_transfer_status(const np_transfer *t)
{
    return t->status;
}

int np_transfer_protocol(const np_transfer *t)
{
    (void)t;
    return 11;
}

int64_t np_transfer_content_length(const np_transfer *t)
{
    return t->content_length;
}

const np_header_line *np_transfer_headers(np_transfer *t, size_t *count)
{
    *count = t->line_count;
    return t->lines;
}

/* --- told by a test --- */

struct told {
    np_loop_task task; /* first */
    void (*fn)(void *user);
    void *user;
    bool ran;
};

static void run_told(np_loop_task *task)
{
    struct told *told = (struct told *)task;
    told->fn(told->user);
    pthread_mutex_lock(&lock);
    told->ran = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_locked(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    check(pthread_cond_timedwait(&changed, &lock, &until) == 0, "waited in vain");
}

void fake_on_loop(size_t index, void (*fn)(void *user), void *user)
{
    (void)fake_wait(index, FAKE_STARTED);
    struct told told = {.task = {.run = run_told}, .fn = fn, .user = user};
    np_loop_post(transfers[index]->engine->loop, &told.task);
    pthread_mutex_lock(&lock);
    while (!told.ran)
        wait_locked();
    pthread_mutex_unlock(&lock);
}

size_t fake_started(void)
{
    pthread_mutex_lock(&lock);
    const size_t count = transfer_count;
    pthread_mutex_unlock(&lock);
    return count;
}

fake_seen fake_wait(size_t index, unsigned flags)
{
    pthread_mutex_lock(&lock);
    while (index >= transfer_count || (transfers[index]->seen.flags & flags) != flags)
        wait_locked();
    const fake_seen seen = transfers[index]->seen;
    pthread_mutex_unlock(&lock);
    return seen;
}

fake_seen fake_look(size_t index)
{
    return fake_wait(index, 0);
}

struct report {
    np_transfer *transfer;
    int status;
    int64_t content_length;
    const np_header_line *lines;
    size_t count;
    const void *data;
    size_t length;
    const np_error *failure;
    bool taken;
};

static void tell_header(void *user)
{
    struct report *r = user;
    r->transfer->lines = r->lines;
    r->transfer->line_count = r->count;
    report_header(r->transfer, r->status, r->content_length);
}

static void tell_body(void *user)
{
    struct report *r = user;
    r->taken = report_body(r->transfer, r->data, r->length);
}

static void tell_done(void *user)
{
    struct report *r = user;
    if (!(r->transfer->seen.flags & FAKE_DONE))
        finish(r->transfer, r->failure);
}

static void tell_answer(void *user)
{
    struct report *r = user;
    tell_header(r);
    if (r->length > 0)
        tell_body(r);
    tell_done(r);
}

static struct report report_for(size_t index)
{
    (void)fake_wait(index, FAKE_STARTED);
    return (struct report){.transfer = transfers[index]};
}

void fake_header(size_t index, int status, int64_t content_length, const np_header_line *lines,
                 size_t count)
{
    struct report r = report_for(index);
    r.status = status;
    r.content_length = content_length;
    r.lines = lines;
    r.count = count;
    fake_on_loop(index, tell_header, &r);
}

bool fake_body(size_t index, const void *data, size_t length)
{
    struct report r = report_for(index);
    r.data = data;
    r.length = length;
    fake_on_loop(index, tell_body, &r);
    return r.taken;
}

void fake_done(size_t index, const np_error *failure)
{
    struct report r = report_for(index);
    r.failure = failure;
    fake_on_loop(index, tell_done, &r);
}

void fake_answer(size_t index, int status, const char *body)
{
    struct report r = report_for(index);
    r.status = status;
    r.data = body;
    r.length = strlen(body);
    r.content_length = (int64_t)r.length;
    fake_on_loop(index, tell_answer, &r);
}

static void tell_ready(void *user)
{
    struct report *r = user;
    r->transfer->handler->ready(r->transfer, r->transfer->user);
}

void fake_ready(size_t index)
{
    struct report r = report_for(index);
    fake_on_loop(index, tell_ready, &r);
}

struct taking {
    np_transfer *transfer;
    void *out;
    size_t capacity;
    ptrdiff_t got;
};

static void ask_for_bytes(void *user)
{
    struct taking *taking = user;
    np_transfer *t = taking->transfer;
    taking->got = t->handler->upload(t, taking->out, taking->capacity, t->user);
}

ptrdiff_t fake_take(size_t index, void *out, size_t capacity)
{
    (void)fake_wait(index, FAKE_STARTED);
    struct taking taking = {transfers[index], out, capacity, 0};
    fake_on_loop(index, ask_for_bytes, &taking);
    return taking.got;
}

static void ask_to_rewind(void *user)
{
    struct report *r = user;
    r->taken = r->transfer->handler->rewind(r->transfer, r->transfer->user);
}

bool fake_rewind(size_t index)
{
    struct report r = report_for(index);
    fake_on_loop(index, ask_to_rewind, &r);
    return r.taken;
}

static void say_continue(void *user)
{
    struct report *r = user;
    if (r->transfer->handler->continued)
        r->transfer->handler->continued(r->transfer, r->transfer->user);
}

void fake_continue(size_t index)
{
    struct report r = report_for(index);
    fake_on_loop(index, say_continue, &r);
}

void fake_refuse_start(void)
{
    refuse_start = true;
}

void fake_refuse_create(void)
{
    refuse_create = true;
}

/* --- by itself --- */

static void step_by_timer(uint64_t now_ns, void *user);
static void step_by_task(np_loop_task *task);

/* The next step: at once, or up to 2 ms later. */
static void go_on(np_transfer *t)
{
    t->stalled = false;
    if (t->stepping)
        return;
    t->stepping = true;
    t->step.run = step_by_task;
    if (dice(8) == 0)
        t->timer = np_loop_timer_start(t->engine->loop,
                                       np_loop_now(t->engine->loop) + dice(2 * NP_NS_PER_MS),
                                       step_by_timer, t);
    else
        np_loop_post(t->engine->loop, &t->step);
}

static void step_failure(np_transfer *t)
{
    np_error failure;
    (void)np_fail_web(&failure, t->status ? NP_WEB_CONNECTION_CLOSED : NP_WEB_CONNECT_FAILURE, "os",
                      111, "refused", "made to fail");
    finish(t, &failure);
}

/* Now and then an answer that leads to another hop. */
static void report_some_header(np_transfer *t)
{
    static const np_header_line location = {"Location", "/next?hop", 8, 9};
    static const np_header_line challenge = {"WWW-Authenticate",
                                             "Digest realm=\"r\", nonce=\"n\", qop=auth", 16, 37};
    switch (dice(8)) {
    case 0:
        t->lines = &location;
        t->line_count = 1;
        report_header(t, dice(2) == 0 ? 302 : 307, -1);
        break;
    case 1:
        t->lines = &challenge;
        t->line_count = 1;
        report_header(t, 401, -1);
        break;
    case 2:
        report_header(t, 404, -1);
        break;
    default:
        report_header(t, 200, -1);
        break;
    }
}

static void step(np_transfer *t)
{
    static const char piece[16384] = {'x'};
    if (t->status == 0) {
        t->pieces_left = (unsigned)dice(12);
        t->will_fail = dice(6) == 0;
        if (t->will_fail && dice(2) == 0)
            step_failure(t);
        else
            report_some_header(t);
    } else if (t->seen.flags & FAKE_PAUSED) {
        t->stalled = true;
    } else if (t->pieces_left > 0) {
        t->pieces_left--;
        (void)report_body(t, piece, 1 + dice(sizeof piece));
    } else if (t->will_fail) {
        step_failure(t);
    } else {
        finish(t, NULL);
    }
    if (!(t->seen.flags & FAKE_DONE) && !t->stalled)
        go_on(t);
}

static void step_now(np_transfer *t)
{
    t->stepping = false;
    if (!(t->seen.flags & FAKE_DONE))
        step(t);
    forget(t);
}

static void step_by_timer(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_transfer *t = user;
    np_loop_timer_cancel(t->timer);
    t->timer = NULL;
    step_now(t);
}

static void step_by_task(np_loop_task *task)
{
    step_now((np_transfer *)((char *)task - offsetof(np_transfer, step)));
}

void fake_automatic(uint64_t seed)
{
    pthread_mutex_lock(&lock);
    automatic = true;
    np_random_seed(&randomness, seed);
    pthread_mutex_unlock(&lock);
}
