/*
 * Does the library do what the model of its life cycle does? From every situation that
 * property_life_cycle walks through, each action is done with the library itself, on an engine that
 * does as it is told, and everything that the model has is compared: the answer of the call, the
 * state, what is pending, what called back, what is closed, which handles are held.
 *
 * Left out is what one thread cannot do with one request: synchronous calls that wait (the model
 * has them, stress_operations does them), an end call that waits, an abort that the loop has not
 * heard of yet. So an operation is ended when it is complete, and after an abort the transfer's end
 * comes next.
 *
 * Every transition is done once. A walk begins with the shortest way to a situation that has one
 * left, and goes on from there as long as there are more.
 */
#include "life_cycle_walk.h"
#include "request_fixture.h"

#include "fail.h"
#include <stdio.h>

enum { BODY_BYTES = 70000 /* does not fit beside what waits already */ };

static np_context *context;
static size_t transfers; /* started so far */

/* The step under way, for who reads of a difference. */
static struct {
    const struct exploration *e;
    uint32_t from;
    enum model_action action;
} now;

/* --- the graph: what of the model can be done --- */

static bool is_left_out(const struct model *before, enum model_action action)
{
    return action == CALL_TIME_IS_OVER || action == LOOP_STARTS ||
           (before->aborted && action >= LOOP_READY);
}

/* As model_apply; what follows by itself is done as well. */
static bool do_in_model(struct model *m, enum model_action action, struct life_table *table,
                        struct model_step *step)
{
    struct model_step more;
    const struct model before = *m;
    if (is_left_out(&before, action) || !model_apply(m, action, table, step))
        return false;
    if ((action == CALL_GET_STREAM || action == CALL_GET_RESPONSE) && step->accepted)
        return false;
    if (m->transfer == TRANSFER_POSTED)
        (void)model_apply(m, LOOP_STARTS, table, &more);
    if (m->aborted && m->transfer == TRANSFER_RUNS)
        (void)model_apply(m, LOOP_FAILS, table, &more);
    return true;
}

/* --- one request of the library --- */

struct real {
    np_request *request; /* its memory: with a reference of our own */
    np_stream *sending, *receiving;
    np_response *answer;
    np_async *stream, *response, *io; /* io: of the last read or write, released at once */
    size_t transfer;
    bool has_transfer;
    struct calls stream_calls, response_calls, write_calls, read_calls;
    int stream_wanted, response_wanted, write_wanted, read_wanted;
    char byte;
};

static char body[BODY_BYTES];

static void real_start(struct real *real, unsigned setup)
{
    *real = (struct real){.request = request_make(context)};
    np_request_hold(real->request);
    real->stream_calls = calls_make(real->request);
    real->response_calls = real->write_calls = real->read_calls = real->stream_calls;
    (void)np_request_set_timeout(real->request, 1000, NULL);
    if (setup != SETUP_GET)
        cr_assert_eq(np_request_set_method(real->request, "POST", NULL), NP_OK);
    if (setup == SETUP_EMPTY || setup == SETUP_LENGTH)
        cr_assert_eq(np_request_set_content_length(real->request,
                                                   setup == SETUP_LENGTH ? BODY_BYTES : 0, NULL),
                     NP_OK);
    if (setup == SETUP_CHUNKED)
        cr_assert_eq(np_request_set_send_chunked(real->request, true, NULL), NP_OK);
}

/* What a walk leaves is given up; everything that was begun must have called back by then. */
static void real_stop(struct real *real, const struct model *m)
{
    np_error failure;
    (void)np_fail_web(&failure, NP_WEB_RECEIVE_FAILURE, NULL, 0, NULL, "made to fail");
    np_stream_release(real->receiving);
    np_stream_release(real->sending);
    np_response_release(real->answer);
    np_async_release(real->stream);
    np_async_release(real->response);
    if (!m->released)
        np_request_release(real->request);
    if (real->has_transfer && !(fake_look(real->transfer).flags & FAKE_DONE))
        fake_done(real->transfer, &failure);
    wait_until(&real->stream_calls.count, m->stream != OPERATION_NONE);
    wait_until(&real->response_calls.count, m->response != OPERATION_NONE);
    wait_until(&real->write_calls.count, real->write_wanted + (int)m->writing);
    wait_until(&real->read_calls.count, real->read_wanted + (int)m->reading);
    cr_assert_eq(real->stream_calls.count, m->stream != OPERATION_NONE);
    cr_assert_eq(real->response_calls.count, m->response != OPERATION_NONE);
    np_request_drop(real->request);
}

/* --- the actions --- */

static void must_be(const char *what, bool holds, bool expected)
{
    cr_assert_eq(holds, expected, "%s: %s in the library", what, holds ? "so" : "not so");
}

static void begin_in_library(struct real *real, bool stream, const struct model_step *step)
{
    np_async *async = NULL;
    np_error err = {0};
    const np_status status =
        stream ? np_request_begin_get_request_stream(real->request, count_call, &real->stream_calls,
                                                     &async, &err)
               : np_request_begin_get_response(real->request, count_call, &real->response_calls,
                                               &async, &err);
    must_be("the call is accepted", status == NP_OK, step->accepted);
    if (step->asked && !step->accepted && step->answer != NP_ANSWER_ACCEPT &&
        step->answer != NP_ANSWER_FAILED)
        cr_assert_eq(status, np_life_refuse(step->answer, NULL), "%s", err.text);
    if (status)
        return;
    *(stream ? &real->stream : &real->response) = async;
    if (!real->has_transfer) {
        real->has_transfer = true;
        real->transfer = transfers++;
        (void)fake_wait(real->transfer, FAKE_STARTED);
    }
}

/* Asks for the body's bytes until the write that waits has got rid of all of its own. */
static void take_all(struct real *real, int calls_wanted)
{
    static char trash[16384];
    while (real->write_calls.count < calls_wanted) {
        const ptrdiff_t got = fake_take(real->transfer, trash, sizeof trash);
        if (got <= 0)
            break;
    }
    wait_until(&real->write_calls.count, calls_wanted);
}

static void write_in_library(struct real *real, const struct model *before, bool fits)
{
    np_async *async = NULL;
    np_error err = {0};
    const size_t length = before->setup == SETUP_GATHERED ? 1 : sizeof body;
    const np_status status = np_stream_begin_write(real->sending, body, length, count_call,
                                                   &real->write_calls, &async, &err);
    cr_assert_eq(status, NP_OK, "%s", err.text);
    np_async_release(async);
    if (fits && before->transfer == TRANSFER_RUNS && !before->discarded &&
        before->setup != SETUP_GATHERED)
        take_all(real, real->write_wanted + 1);
}

static void read_in_library(struct real *real)
{
    np_async *async = NULL;
    np_error err = {0};
    cr_assert_eq(np_stream_begin_read(real->receiving, &real->byte, 1, count_call,
                                      &real->read_calls, &async, &err),
                 NP_OK, "%s", err.text);
    np_async_release(async);
}

/* The second reference of the same handle is given back: the model has one. */
static void keep_response(struct real *real, np_response *response)
{
    if (real->answer)
        np_response_release(response);
    else
        real->answer = response;
}

static void open_in_library(struct real *real)
{
    np_stream *stream;
    cr_assert_eq(np_response_stream(real->answer, &stream, NULL), NP_OK);
    if (real->receiving)
        np_stream_release(stream);
    else
        real->receiving = stream;
}

static void call_library(struct real *real, enum model_action action, const struct model *before,
                         const struct model_step *step)
{
    np_stream *stream;
    np_response *response;
    np_async *async;
    switch (action) {
    case CALL_CONFIGURE:
        must_be("a setting is accepted", np_request_set_accept(real->request, "a", NULL) == NP_OK,
                step->accepted);
        break;
    case CALL_BEGIN_STREAM:
    case CALL_BEGIN_RESPONSE:
        begin_in_library(real, action == CALL_BEGIN_STREAM, step);
        break;
    case CALL_GET_STREAM:
        must_be("get stream", np_request_get_request_stream(real->request, &stream, NULL) == NP_OK,
                false);
        break;
    case CALL_GET_RESPONSE:
        must_be("get response", np_request_get_response(real->request, &response, NULL) == NP_OK,
                false);
        break;
    case END_STREAM_RETURNS:
        (void)np_request_end_get_request_stream(real->request, real->stream, &real->sending, NULL);
        break;
    case END_RESPONSE_RETURNS:
        (void)np_request_end_get_response(real->request, real->response, &response, NULL);
        if (response)
            keep_response(real, response);
        break;
    case CALL_DROP_STREAM_RESULT:
        async = real->stream;
        real->stream = NULL;
        np_async_release(async);
        break;
    case CALL_DROP_RESPONSE_RESULT:
        async = real->response;
        real->response = NULL;
        np_async_release(async);
        break;
    case CALL_WRITE_FITS:
    case CALL_WRITE_WAITS:
        write_in_library(real, before, action == CALL_WRITE_FITS);
        break;
    case CALL_CLOSE_SENDING:
        (void)np_stream_close(real->sending, NULL); /* what it answers is in the state */
        break;
    case CALL_RELEASE_SENDING:
        np_stream_release(real->sending);
        real->sending = NULL;
        break;
    case CALL_FAILED_RESPONSE:
        response = np_request_response(real->request);
        cr_assert_not_null(response);
        keep_response(real, response);
        break;
    case CALL_OPEN_RECEIVING:
        open_in_library(real);
        break;
    case CALL_READ:
        read_in_library(real);
        break;
    case CALL_CLOSE_RESPONSE:
        if (real->answer)
            np_response_close(real->answer);
        else
            (void)np_stream_close(real->receiving, NULL);
        break;
    case CALL_RELEASE_RESPONSE:
        np_response_release(real->answer);
        real->answer = NULL;
        break;
    case CALL_RELEASE_RECEIVING:
        np_stream_release(real->receiving);
        real->receiving = NULL;
        break;
    case CALL_ABORT:
        np_request_abort(real->request);
        break;
    case CALL_RELEASE_REQUEST:
        np_request_release(real->request);
        break;
    default: /* a claim: the call is made when it can return */
        break;
    }
}

static void tell_library(struct real *real, enum model_action action)
{
    np_error failure;
    switch (action) {
    case LOOP_READY:
        fake_ready(real->transfer);
        break;
    case LOOP_HEADER_GOOD:
    case LOOP_HEADER_BAD:
        fake_header(real->transfer, action == LOOP_HEADER_GOOD ? 200 : 404, -1, NULL, 0);
        break;
    case LOOP_TAKES:
        take_all(real, real->write_wanted + 1);
        break;
    case LOOP_BYTES:
        (void)fake_body(real->transfer, "x", 1);
        break;
    case LOOP_ENDS:
        fake_done(real->transfer, NULL);
        break;
    default:
        (void)np_fail_web(&failure, NP_WEB_RECEIVE_FAILURE, NULL, 0, NULL, "made to fail");
        fake_done(real->transfer, &failure);
        break;
    }
}

/* --- the comparison --- */

static const char *difference(const struct real *real, const struct model *m)
{
    np_request *r = real->request;
    const char *what = NULL;
    const struct {
        const char *name;
        bool real, model;
    } facts[] = {
        {"there is a response",          r->has_response,               m->has_response   },
        {"the response waits",           r->header_waits,               m->header_waits   },
        {"the response is closed",       r->response_closed,            m->response_closed},
        {"the body is closed",           r->send_closed,                m->send_closed    },
        {"what is written is dropped",   r->outgoing.discarded,         m->discarded      },
        {"a write is pending",           r->writing,                    m->writing        },
        {"a read is pending",            r->reading,                    m->reading        },
        {"the answer's body has ended",  r->body_ended,                 m->body_ended     },
        {"there are bytes to read",      r->body.length > 0,            m->bytes          },
        {"the request stream is held",   r->request_stream.handles > 0, m->sending        },
        {"the response is held",         r->response.handles > 0,       m->answer         },
        {"the response stream is held",  r->stream.handles > 0,         m->receiving      },
        {"the request's handle is gone", r->released,                   m->released       },
    };
    if (r->state != (np_request_state)m->state)
        what = "the state";
    for (size_t i = 0; i < sizeof facts / sizeof facts[0] && !what; i++)
        if (facts[i].real != facts[i].model)
            what = facts[i].name;
    return what;
}

/* The last reference of a result goes after its callback, on another thread: so it may take a
 * moment until the library is where the model is. */
static void must_agree(struct real *real, const struct model *m)
{
    const uint64_t until_ns = np_now() + 20 * NP_NS_PER_S;
    const char *what;
    do {
        pthread_mutex_lock(&real->request->lock);
        what = difference(real, m);
        pthread_mutex_unlock(&real->request->lock);
        if (what)
            sched_yield();
    } while (what && np_now() < until_ns);
    if (what) {
        fprintf(stderr, "the shortest way to where it happens:\n");
        exploration_print_path(now.e, now.from);
        fprintf(stderr, "  %s\n", model_action_names[now.action]);
    }
    cr_assert_null(what, "model and library differ: %s (states %d and %d)", what, (int)m->state,
                   (int)real->request->state);
    wait_until(&real->stream_calls.count, m->stream >= OPERATION_OK);
    wait_until(&real->response_calls.count, m->response >= OPERATION_OK);
    wait_until(&real->write_calls.count, real->write_wanted);
    wait_until(&real->read_calls.count, real->read_wanted);
    cr_assert_eq(real->stream_calls.count, m->stream >= OPERATION_OK, "the stream's callback");
    cr_assert_eq(real->response_calls.count, m->response >= OPERATION_OK, "the response's");
    cr_assert_eq(real->write_calls.count, real->write_wanted, "that of the writes");
    cr_assert_eq(real->read_calls.count, real->read_wanted, "that of the reads");
}

static void nothing(void *unused)
{
    (void)unused;
}

static void do_in_library(struct real *real, enum model_action action, const struct model *before,
                          const struct model *after, const struct model_step *step)
{
    if (action >= LOOP_READY)
        tell_library(real, action);
    else
        call_library(real, action, before, step);
    const bool wrote = action == CALL_WRITE_FITS || action == CALL_WRITE_WAITS;
    real->write_wanted += (before->writing || wrote) && !after->writing;
    real->read_wanted += (before->reading || action == CALL_READ) && !after->reading;
    if (after->aborted && real->has_transfer) { /* what follows by itself */
        (void)fake_wait(real->transfer, FAKE_DONE);
        fake_on_loop(real->transfer, nothing, NULL); /* done() has come back */
    }
    must_agree(real, after);
}

/* --- walking --- */

struct graph {
    struct exploration e;
    struct life_table table;
    uint32_t *left; /* left[index]: actions not done yet, a bit each */
};

static void explore(struct graph *g)
{
    exploration_init(&g->e);
    life_table_read(&g->table);
    for (unsigned setup = 0; setup < SETUPS; setup++) {
        const struct model start = model_start(setup);
        (void)exploration_add(&g->e, &start, g->e.count, 0);
    }
    for (uint32_t i = 0; i < g->e.count; i++)
        for (int action = 0; action < MODEL_ACTIONS; action++) {
            struct model m = exploration_model(&g->e, i);
            struct model_step step;
            if (do_in_model(&m, (enum model_action)action, &g->table, &step))
                (void)exploration_add(&g->e, &m, i, (uint8_t)action);
        }
    g->left = calloc(g->e.count, sizeof *g->left);
    for (uint32_t i = 0; i < g->e.count; i++)
        for (int action = 0; action < MODEL_ACTIONS; action++) {
            struct model m = exploration_model(&g->e, i);
            struct model_step step;
            if (do_in_model(&m, (enum model_action)action, &g->table, &step)) {
                g->left[i] |= 1u << action;
                g->e.steps++;
            }
        }
}

/* One step of both; the new index. */
static uint32_t step_on(struct graph *g, struct real *real, uint32_t at, enum model_action action)
{
    const struct model before = exploration_model(&g->e, at);
    struct model after = before;
    struct model_step step;
    if (!do_in_model(&after, action, &g->table, &step))
        abort();
    g->left[at] &= ~(1u << action);
    now.e = &g->e;
    now.from = at;
    now.action = action;
    do_in_library(real, action, &before, &after, &step);
    return exploration_add(&g->e, &after, at, (uint8_t)action);
}

static uint32_t go_to(struct graph *g, struct real *real, uint32_t index)
{
    const struct found found = g->e.found[index];
    if (found.from == index) {
        real_start(real, exploration_model(&g->e, index).setup);
        return index;
    }
    return step_on(g, real, go_to(g, real, found.from), (enum model_action)found.action);
}

/* From `index` on as long as something is left; the steps that were done. */
static unsigned walk(struct graph *g, uint32_t index)
{
    struct real real;
    unsigned steps = 0;
    uint32_t at = go_to(g, &real, index);
    for (; g->left[at]; steps++)
        at = step_on(g, &real, at, (enum model_action)__builtin_ctz(g->left[at]));
    const struct model last = exploration_model(&g->e, at);
    real_stop(&real, &last);
    return steps;
}

Test(life_cycle_library, the_library_does_what_the_model_does_from_every_situation)
{
    struct graph g = {0};
    unsigned walks = 0, steps = 0;
    context = context_make();
    explore(&g);

    for (uint32_t i = 0; i < g.e.count; i++)
        while (g.left[i]) {
            steps += walk(&g, i);
            walks++;
        }

    fprintf(stderr, "%u situations, %lu transitions, done in %u walks of the library\n", g.e.count,
            g.e.steps, walks);
    cr_assert_geq(steps + walks, g.e.steps);
    np_context_free(context);
    free(g.left);
    exploration_done(&g.e);
}
