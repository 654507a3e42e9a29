/* See life_cycle_model.h. Each part says which function of lib/net/request it stands for. */
#include "life_cycle_model.h"

const char *const model_action_names[MODEL_ACTIONS] = {
    [CALL_CONFIGURE] = "configure",
    [CALL_BEGIN_STREAM] = "begin stream",
    [CALL_GET_STREAM] = "get stream",
    [CALL_END_STREAM] = "end stream",
    [END_STREAM_RETURNS] = "(end stream returns)",
    [CALL_DROP_STREAM_RESULT] = "release the stream's result",
    [CALL_BEGIN_RESPONSE] = "begin response",
    [CALL_GET_RESPONSE] = "get response",
    [CALL_END_RESPONSE] = "end response",
    [END_RESPONSE_RETURNS] = "(end response returns)",
    [CALL_DROP_RESPONSE_RESULT] = "release the response's result",
    [CALL_TIME_IS_OVER] = "(the time is over)",
    [CALL_WRITE_FITS] = "write",
    [CALL_WRITE_WAITS] = "write, no room",
    [CALL_CLOSE_SENDING] = "close the request stream",
    [CALL_RELEASE_SENDING] = "release the request stream",
    [CALL_FAILED_RESPONSE] = "take the response of a failure",
    [CALL_OPEN_RECEIVING] = "open the response stream",
    [CALL_READ] = "read",
    [CALL_CLOSE_RESPONSE] = "close the response",
    [CALL_RELEASE_RESPONSE] = "release the response",
    [CALL_RELEASE_RECEIVING] = "release the response stream",
    [CALL_ABORT] = "abort",
    [CALL_RELEASE_REQUEST] = "release the request",
    [LOOP_STARTS] = "loop: starts",
    [LOOP_READY] = "loop: ready",
    [LOOP_HEADER_GOOD] = "loop: header",
    [LOOP_HEADER_BAD] = "loop: header with an error status",
    [LOOP_TAKES] = "loop: takes",
    [LOOP_BYTES] = "loop: bytes",
    [LOOP_ENDS] = "loop: ends",
    [LOOP_FAILS] = "loop: fails",
};

/* What one step works on. */
struct walk {
    struct model *m;
    struct life_table *table;
    struct model_step *step;
};

static void broken(const struct walk *w, const char *what)
{
    if (!w->step->broken)
        w->step->broken = what;
}

/* --- the table under test --- */

static void move(const struct walk *w, np_life_event event)
{
    const np_request_state from = (np_request_state)w->m->state;
    w->table->next_asked[from][event] = true;
    w->m->state = w->table->next[from][event] & 15;
}

static np_life_answer ask(const struct walk *w, np_life_call call)
{
    const np_life_answer answer = (np_life_answer)w->table->answer[w->m->state][call];
    w->table->answer_asked[w->m->state][call] = true;
    w->step->asked = true;
    w->step->call = call;
    w->step->answer = answer;
    return answer;
}

/* --- what the code asks the state about: request_block.h --- */

static bool is_under_way(const struct model *m)
{
    return m->state >= NP_REQUEST_STREAM_PENDING && m->state <= NP_REQUEST_RESPONSE_PENDING;
}

static bool response_is_pending(const struct model *m)
{
    return m->state == NP_REQUEST_RESPONSE_PENDING;
}

static bool stream_is_pending(const struct model *m)
{
    return m->stream == OPERATION_PENDING;
}

/* --- completing: each operation once --- */

static void close_sending(const struct walk *w);
static void close_unreachable(const struct walk *w);

/* A call that waits for the operation has its reference too. */
static bool response_result_is_gone(const struct model *m)
{
    const bool in_use = m->response_claimed && !m->response_served;
    return m->response_dropped && m->response >= OPERATION_OK && !in_use;
}

/* operation.c: the last reference of a result is gone. */
static void stream_result_gone(const struct walk *w)
{
    if (!w->m->stream_claimed && !w->m->sending)
        close_sending(w);
}

static void complete_stream(const struct walk *w, bool good)
{
    if (w->m->stream != OPERATION_PENDING)
        broken(w, "the stream's operation is completed when it is not pending");
    w->m->stream = good ? OPERATION_OK : OPERATION_FAILED;
    w->step->stream_completed = true;
}

static void complete_response(const struct walk *w, bool good)
{
    if (w->m->response != OPERATION_PENDING)
        broken(w, "the response's operation is completed when it is not pending");
    w->m->response = good ? OPERATION_OK : OPERATION_FAILED;
    w->step->response_completed = true;
}

static void complete_write(const struct walk *w)
{
    w->step->write_completed = w->m->writing;
    w->m->writing = 0;
}

static void complete_read(const struct walk *w)
{
    w->step->read_completed = w->m->reading;
    w->m->reading = 0;
}

/* What runs after the lock was given back: our reference of what was completed goes. */
static void finish(const struct walk *w)
{
    if (w->step->stream_completed && w->m->stream_dropped)
        stream_result_gone(w);
    if (w->step->response_completed && w->m->response_dropped)
        close_unreachable(w);
}

/* --- ending.c --- */

static void fail_pending(const struct walk *w)
{
    if (stream_is_pending(w->m))
        complete_stream(w, false);
    if (response_is_pending(w->m))
        complete_response(w, false);
    complete_write(w);
}

static void abort_all(const struct walk *w)
{
    struct model *m = w->m;
    if (m->state == NP_REQUEST_ABORTED)
        return;
    fail_pending(w);
    move(w, NP_LIFE_ABORTED);
    m->aborted = 1;
    complete_read(w);
    m->bytes = 0;
    m->discarded = 1;
    if (m->stream == OPERATION_PENDING || m->response == OPERATION_PENDING || m->writing ||
        m->reading)
        broken(w, "AB-2: something is pending after an abort");
}

/* --- reading.c --- */

static void close_answer(const struct walk *w)
{
    struct model *m = w->m;
    if (m->response_closed || !m->has_response)
        return;
    m->response_closed = 1;
    move(w, NP_LIFE_RESPONSE_CLOSED);
    m->bytes = 0;
    complete_read(w);
}

static void close_unreachable(const struct walk *w)
{
    const struct model *m = w->m;
    if (m->answer || m->receiving || !response_result_is_gone(m))
        return;
    if (!m->released && m->response == OPERATION_FAILED && m->response_claimed)
        return;
    close_answer(w);
}

static void serve_reader(const struct walk *w)
{
    if (!w->m->reading || (!w->m->bytes && !w->m->body_ended))
        return;
    w->m->bytes = 0;
    complete_read(w);
}

/* --- sending.c --- */

static bool owes(const struct model *m)
{
    return m->setup == SETUP_LENGTH && !m->send_closed && !m->discarded && !m->written;
}

static void finish_sending(const struct walk *w)
{
    if (w->m->send_closed)
        return;
    w->m->send_closed = 1;
    move(w, NP_LIFE_STREAM_CLOSED);
    /* begin response closes first and then moves on: nobody else sees what is between */
    w->step->misled = w->m->state != model_meaning(w->m);
}

static void close_sending(const struct walk *w)
{
    struct model *m = w->m;
    const bool over =
        m->send_closed || m->state == NP_REQUEST_ABORTED || m->state == NP_REQUEST_FAILED;
    if (over)
        m->send_closed = 1;
    else if (owes(m) || m->writing)
        abort_all(w);
    else
        finish_sending(w);
}

static void serve_writer(const struct walk *w)
{
    if (!w->m->writing)
        return;
    if (w->m->setup == SETUP_LENGTH)
        w->m->written = 1;
    complete_write(w);
}

/* np_sending_answered_locked */
static void answered(const struct walk *w, bool stops)
{
    if (w->m->stream == OPERATION_NONE || !stops)
        return;
    w->m->discarded = 1;
    serve_writer(w);
}

/* The checks of np_stream_write and np_stream_begin_write that the state has a say in. */
static bool may_write(const struct model *m)
{
    const bool refused =
        m->state == NP_REQUEST_ABORTED || m->state == NP_REQUEST_FAILED || m->send_closed;
    const bool has_room = m->setup != SETUP_EMPTY && (m->setup != SETUP_LENGTH || !m->written);
    return m->sending && !refused && !m->writing && has_room;
}

/* --- exchange.c --- */

static void hand_over_header(const struct walk *w)
{
    struct model *m = w->m;
    move(w, m->header_good ? NP_LIFE_HEADER : NP_LIFE_FAILED);
    m->failed = m->failed || !m->header_good;
    m->header_waits = 0;
    complete_response(w, m->header_good);
}

static void on_header(const struct walk *w, bool good)
{
    struct model *m = w->m;
    if (!is_under_way(m))
        return;
    m->has_response = m->header_waits = 1;
    m->header_good = good;
    if (response_is_pending(m))
        hand_over_header(w);
    answered(w, !good);
}

static void on_done(const struct walk *w)
{
    struct model *m = w->m;
    m->transfer = TRANSFER_GONE;
    m->body_ended = 1;
    if (is_under_way(m) && !m->has_response) {
        m->failed = 1;
        fail_pending(w);
        move(w, NP_LIFE_FAILED);
    }
    serve_reader(w);
    answered(w, true);
}

/* --- begin.c --- */

enum { FAMILY_NONE, FAMILY_ASYNC, FAMILY_SYNC };

static bool is_other_family(const struct model *m, unsigned family)
{
    return m->family != FAMILY_NONE && m->family != family;
}

static bool submit_stream(const struct walk *w, unsigned family)
{
    struct model *m = w->m;
    if (m->state != NP_REQUEST_ABORTED && m->setup == SETUP_GET) /* BS-2, before the state */
        return false;
    if (ask(w, NP_CALL_BEGIN_STREAM) != NP_ANSWER_ACCEPT || is_other_family(m, family))
        return false;
    m->stream = OPERATION_PENDING;
    m->family = family & 3;
    m->transfer = TRANSFER_POSTED;
    move(w, NP_LIFE_STREAM_BEGUN);
    return true;
}

/* GR-3, GR-5 to GR-7 */
static bool may_leave_body(const struct model *m)
{
    if (m->stream == OPERATION_NONE)
        return m->setup != SETUP_LENGTH && m->setup != SETUP_CHUNKED;
    return !owes(m) && !m->writing;
}

static bool submit_response(const struct walk *w, unsigned family)
{
    struct model *m = w->m;
    np_life_answer answer = ask(w, NP_CALL_BEGIN_RESPONSE);
    if (answer == NP_ANSWER_STREAM_FIRST && m->setup == SETUP_EMPTY) /* GR-4 */
        answer = NP_ANSWER_ACCEPT;
    if (answer != NP_ANSWER_ACCEPT || !may_leave_body(m) || is_other_family(m, family))
        return false;
    if (m->stream == OPERATION_NONE)
        m->transfer = TRANSFER_POSTED;
    else
        finish_sending(w);
    m->response = OPERATION_PENDING;
    m->family = family & 3;
    move(w, NP_LIFE_RESPONSE_BEGUN);
    if (m->header_waits)
        hand_over_header(w);
    return true;
}

/* A synchronous form claims what it begins, and nobody else gets its result. */
static bool get_stream(const struct walk *w)
{
    struct model *m = w->m;
    if (submit_stream(w, FAMILY_SYNC)) {
        m->stream_claimed = m->stream_dropped = 1;
        return true;
    }
    const bool obtained =
        m->state == NP_REQUEST_STREAM_OPEN || m->state == NP_REQUEST_STREAM_CLOSED;
    if (obtained && m->family == FAMILY_SYNC) /* GR-16 */
        m->sending = 1;
    return false;
}

static bool get_response(const struct walk *w)
{
    struct model *m = w->m;
    if (submit_response(w, FAMILY_SYNC)) {
        m->response_claimed = m->response_dropped = 1;
        return true;
    }
    const bool obtained = m->state == NP_REQUEST_RESPONSE_READY || m->state == NP_REQUEST_CLOSED;
    if (obtained && m->family == FAMILY_SYNC)
        m->answer = 1;
    return false;
}

static bool somebody_waits(const struct model *m)
{
    return (m->stream_claimed && !m->stream_served) || (m->response_claimed && !m->response_served);
}

/* --- every action --- */

/* Calls that need the request's handle. */
static bool apply_request_call(const struct walk *w, enum model_action action)
{
    struct model *m = w->m;
    switch (action) {
    case CALL_CONFIGURE:
        w->step->accepted = ask(w, NP_CALL_CONFIGURE) == NP_ANSWER_ACCEPT;
        return true;
    case CALL_BEGIN_STREAM:
        w->step->accepted = submit_stream(w, FAMILY_ASYNC);
        return true;
    case CALL_GET_STREAM:
        w->step->accepted = get_stream(w);
        return true;
    case CALL_BEGIN_RESPONSE:
        w->step->accepted = submit_response(w, FAMILY_ASYNC);
        return true;
    case CALL_GET_RESPONSE:
        w->step->accepted = get_response(w);
        return true;
    case CALL_END_STREAM:
        if (m->stream == OPERATION_NONE || m->stream_claimed || m->stream_dropped)
            return false;
        m->stream_claimed = 1;
        return true;
    case CALL_END_RESPONSE:
        if (m->response == OPERATION_NONE || m->response_claimed || m->response_dropped)
            return false;
        m->response_claimed = 1;
        return true;
    case CALL_FAILED_RESPONSE:
        if (!m->has_response || m->response != OPERATION_FAILED)
            return false;
        m->answer = 1;
        return true;
    case CALL_ABORT:
        abort_all(w);
        return true;
    case CALL_RELEASE_REQUEST: {
        if (somebody_waits(m)) /* inside a call of this handle */
            return false;
        m->released = 1;
        const bool under_way = is_under_way(m);
        close_unreachable(w);
        if (under_way)
            abort_all(w);
        return true;
    }
    default:
        return false;
    }
}

/* An end call that has claimed its operation comes back (np_operation_end_locked). */
static bool apply_return(const struct walk *w, enum model_action action)
{
    struct model *m = w->m;
    if (action == END_STREAM_RETURNS) {
        if (!m->stream_claimed || m->stream_served || m->stream < OPERATION_OK)
            return false;
        m->stream_served = 1;
        if (m->stream == OPERATION_OK && m->state != NP_REQUEST_ABORTED) /* ES-8 */
            m->sending = 1;
        return true;
    }
    if (!m->response_claimed || m->response_served || m->response < OPERATION_OK)
        return false;
    m->response_served = 1;
    if (m->response == OPERATION_OK && m->state != NP_REQUEST_ABORTED)
        m->answer = 1;
    if (m->family == FAMILY_SYNC) /* its own reference of the result goes now */
        close_unreachable(w);
    return true;
}

static bool apply_drop(const struct walk *w, enum model_action action)
{
    struct model *m = w->m;
    if (action == CALL_DROP_STREAM_RESULT) {
        if (m->stream == OPERATION_NONE || m->stream_dropped ||
            (m->stream_claimed && !m->stream_served))
            return false;
        m->stream_dropped = 1;
        if (m->stream >= OPERATION_OK)
            stream_result_gone(w);
        return true;
    }
    if (m->response == OPERATION_NONE || m->response_dropped ||
        (m->response_claimed && !m->response_served))
        return false;
    m->response_dropped = 1;
    close_unreachable(w);
    return true;
}

static bool apply_write(const struct walk *w, bool fits)
{
    struct model *m = w->m;
    const bool always_fits = m->setup == SETUP_GATHERED || m->discarded;
    if (!may_write(m) || (!fits && always_fits))
        return false;
    m->writing = 1;
    if (fits)
        serve_writer(w);
    return true;
}

static bool apply_stream_call(const struct walk *w, enum model_action action)
{
    struct model *m = w->m;
    switch (action) {
    case CALL_WRITE_FITS:
    case CALL_WRITE_WAITS:
        return apply_write(w, action == CALL_WRITE_FITS);
    case CALL_CLOSE_SENDING:
        if (!m->sending)
            return false;
        close_sending(w);
        return true;
    case CALL_RELEASE_SENDING:
        if (!m->sending)
            return false;
        m->sending = 0;
        close_sending(w);
        return true;
    case CALL_OPEN_RECEIVING:
        if (!m->answer || m->response_closed || m->state == NP_REQUEST_ABORTED)
            return false;
        m->receiving = 1;
        return true;
    case CALL_READ:
        if (!m->receiving || m->response_closed || m->reading || m->state == NP_REQUEST_ABORTED)
            return false;
        m->reading = 1;
        serve_reader(w);
        return true;
    case CALL_CLOSE_RESPONSE:
        if (!m->answer && !m->receiving)
            return false;
        close_answer(w);
        return true;
    case CALL_RELEASE_RESPONSE:
        if (!m->answer)
            return false;
        m->answer = 0;
        if (!m->receiving)
            close_answer(w);
        return true;
    default: /* CALL_RELEASE_RECEIVING */
        if (!m->receiving)
            return false;
        m->receiving = 0;
        close_answer(w);
        return true;
    }
}

/* What the engine may report, as transfer.h has it: ready before the header, the end after it. */
static bool apply_loop(const struct walk *w, enum model_action action)
{
    struct model *m = w->m;
    const bool has_body = m->stream != OPERATION_NONE;
    if (action == LOOP_STARTS) {
        if (m->transfer != TRANSFER_POSTED)
            return false;
        m->transfer = TRANSFER_RUNS;
        return true;
    }
    if (m->transfer != TRANSFER_RUNS)
        return false;
    switch (action) {
    case LOOP_READY:
        if (!has_body || m->ready)
            return false;
        m->ready = 1;
        if (stream_is_pending(m)) {
            move(w, NP_LIFE_STREAM_READY);
            complete_stream(w, true);
        }
        return true;
    case LOOP_HEADER_GOOD:
    case LOOP_HEADER_BAD:
        if ((has_body && !m->ready) || m->has_response)
            return false;
        on_header(w, action == LOOP_HEADER_GOOD);
        return true;
    case LOOP_TAKES:
        if (!m->writing || !m->ready)
            return false;
        serve_writer(w);
        return true;
    case LOOP_BYTES:
        if (!m->has_response || m->bytes || m->response_closed || m->state == NP_REQUEST_ABORTED)
            return false;
        m->bytes = 1;
        serve_reader(w);
        return true;
    case LOOP_ENDS:
        if (!m->has_response)
            return false;
        on_done(w);
        return true;
    default: /* LOOP_FAILS, for whatever reason: an abort is one */
        on_done(w);
        return true;
    }
}

static bool dispatch(const struct walk *w, enum model_action action)
{
    struct model *m = w->m;
    switch (action) {
    case END_STREAM_RETURNS:
    case END_RESPONSE_RETURNS:
        return apply_return(w, action);
    case CALL_DROP_STREAM_RESULT:
    case CALL_DROP_RESPONSE_RESULT:
        return apply_drop(w, action);
    case CALL_TIME_IS_OVER:
        if (m->family != FAMILY_SYNC || !somebody_waits(m) ||
            (m->stream != OPERATION_PENDING && m->response != OPERATION_PENDING))
            return false;
        abort_all(w);
        return true;
    default:
        break;
    }
    if (action >= LOOP_STARTS)
        return apply_loop(w, action);
    if (action >= CALL_WRITE_FITS && action <= CALL_RELEASE_RECEIVING &&
        action != CALL_FAILED_RESPONSE)
        return apply_stream_call(w, action);
    return !m->released && apply_request_call(w, action);
}

bool model_apply(struct model *model, enum model_action action, struct life_table *table,
                 struct model_step *step)
{
    const struct walk w = {model, table, step};
    *step = (struct model_step){0};
    if (!dispatch(&w, action))
        return false;
    finish(&w);
    return true;
}

/* --- what the rules say --- */

np_request_state model_meaning(const struct model *m)
{
    if (m->aborted)
        return NP_REQUEST_ABORTED;
    if (m->failed)
        return NP_REQUEST_FAILED;
    if (m->response == OPERATION_OK)
        return m->response_closed ? NP_REQUEST_CLOSED : NP_REQUEST_RESPONSE_READY;
    if (m->response == OPERATION_PENDING)
        return NP_REQUEST_RESPONSE_PENDING;
    if (m->stream == OPERATION_OK)
        return m->send_closed ? NP_REQUEST_STREAM_CLOSED : NP_REQUEST_STREAM_OPEN;
    return m->stream == OPERATION_PENDING ? NP_REQUEST_STREAM_PENDING : NP_REQUEST_CREATED;
}

/* BS-1 to BS-9, GR-1 to GR-9 and SM-1, in the order in which they are asked. */
np_life_answer model_rule(const struct model *m, np_life_call call)
{
    const bool stream_begun = m->stream != OPERATION_NONE;
    const bool response_begun = m->response != OPERATION_NONE;
    if (call == NP_CALL_CONFIGURE)
        return m->aborted || stream_begun || response_begun ? NP_ANSWER_STARTED : NP_ANSWER_ACCEPT;
    if (m->aborted)
        return NP_ANSWER_ABORTED; /* BS-1, GR-1 */
    if (m->failed)
        return NP_ANSWER_FAILED; /* BS-6, GR-2 */
    if (call == NP_CALL_BEGIN_STREAM) {
        if (response_begun)
            return NP_ANSWER_SUBMITTED; /* BS-9 */
        if (m->stream == OPERATION_PENDING)
            return NP_ANSWER_STREAM_PENDING;                                /* BS-7 */
        return stream_begun ? NP_ANSWER_STREAM_OBTAINED : NP_ANSWER_ACCEPT; /* BS-8 */
    }
    if (m->response == OPERATION_PENDING)
        return NP_ANSWER_PENDING; /* GR-8 */
    if (response_begun)
        return NP_ANSWER_OBTAINED;                                                     /* GR-9 */
    return m->stream == OPERATION_PENDING ? NP_ANSWER_STREAM_FIRST : NP_ANSWER_ACCEPT; /* GR-4 */
}

bool model_at_rest(const struct model *m)
{
    return (m->transfer == TRANSFER_NONE || m->transfer == TRANSFER_GONE) && !somebody_waits(m);
}
