/*
 * The body of a request on its way into libcurl: when it may be given, back-pressure, 100-continue,
 * and what happens when the response does not wait for it. Floor 2; loop thread only.
 *
 *   hold:   connection there ─► ready ─► np_transfer_release_body ─► libcurl gets the request
 *   else:   libcurl has it, header written, 100 or time-out ─► libcurl asks for the body ─► ready
 *
 * - libcurl is always told UPLOAD with the verb as CUSTOMREQUEST; for a body without a length it
 *   writes Transfer-Encoding: chunked by itself on HTTP/1.1, and nothing on HTTP/2. Expect is set
 * or emptied by us (easy.c): libcurl has a rule of its own.
 * - libcurl reads ahead of the socket, so "the last byte was written" is counted: bytes given, with
 *   the frame of chunks, against the bytes that DATA_OUT reports. While the rest of a long header
 *   goes out, libcurl reports it as DATA_OUT too: what comes before it first asks is not the body.
 * - A final response before the last byte ends the phase send (flag early_response). At 300 and
 *   above libcurl stops asking, but a paused read would keep it from ending: so it is let go on.
 *   Below 300 the body goes on. Over HTTP/2 libcurl 7.88 does not ask any more once a window is
 * used up and the server has ended its stream, and never ends: there the transfer is ended from
 * here when the response is complete, or at 300 and above silent for a second.
 * - libcurl never sends a body a second time: SEEKFUNCTION refuses once a byte was given. A dead
 * connection is RS-5 (transfer_finish.c, which asks rewind()), and the second round after 417 is
 * refused at PREREQ: the response 417 is complete then, for whoever sends it again without Expect.
 */
#include "upload.h"

#include "boundary.h"
#include "connection.h"
#include "connection_sample.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "turn_end.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define QUIET_NS              NP_NS_PER_S
#define CONTINUE_FOREVER_MS   ((long)INT32_MAX)
#define CONTINUE_STATUS       100
#define EXPECTATION_FAILED    417
#define FIRST_STOPPING_STATUS 300 /* libcurl sends no more of the body */

/* --- options --- */

static long continue_timeout_ms(const np_transfer_spec *spec)
{
    if (spec->continue_timeout_ns < 0)
        return CONTINUE_FOREVER_MS;
    const int64_t ms = (spec->continue_timeout_ns + NP_NS_PER_MS - 1) / NP_NS_PER_MS;
    return ms < CONTINUE_FOREVER_MS ? (long)ms : CONTINUE_FOREVER_MS;
}

CURLcode np_upload_prepare(np_easy *easy, const np_transfer_spec *spec)
{
    if (spec->body_form == NP_BODY_FORM_NONE)
        return CURLE_OK;
    CURL *h = easy->handle;
    const bool has_length = spec->body_form == NP_BODY_FORM_LENGTH;
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc ? rc : curl_easy_setopt(h, option, value)
    if (!easy->upload) {
        SET(CURLOPT_CUSTOMREQUEST, spec->method); /* GET and HEAD too: UPLOAD makes it PUT */
        SET(CURLOPT_UPLOAD, 1L);
        easy->upload = true;
    }
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)(has_length ? spec->body_length : -1));
    SET(CURLOPT_EXPECT_100_TIMEOUT_MS, continue_timeout_ms(spec));
#undef SET
    return rc;
}

/* --- ready --- */

/* Inside a callback of libcurl. */
static void tell_ready(np_transfer *transfer)
{
    np_upload *upload = &transfer->upload;
    if (upload->told_ready)
        return;
    upload->told_ready = true;
    if (!transfer->handler.ready)
        return;
    transfer->in_handler++;
    transfer->handler.ready(transfer, transfer->user);
    transfer->in_handler--;
}

static void end_continue_wait(np_transfer *transfer, np_span_outcome outcome, uint64_t now_ns)
{
    np_upload *upload = &transfer->upload;
    if (!upload->waits_for_continue)
        return;
    upload->waits_for_continue = false;
    np_emit_span_end(transfer->engine->producer, now_ns, transfer->number, upload->continue_span,
                     outcome, NULL);
    upload->continue_span = 0;
}

bool np_upload_informed(np_transfer *transfer, int status, uint64_t now_ns)
{
    np_upload *upload = &transfer->upload;
    if (status != CONTINUE_STATUS || transfer->spec.body_form == NP_BODY_FORM_NONE)
        return false;
    const bool was_awaited = upload->waits_for_continue;
    end_continue_wait(transfer, NP_SPAN_OK, now_ns);
    if (transfer->handler.continued) {
        transfer->in_handler++;
        transfer->handler.continued(transfer, transfer->user);
        transfer->in_handler--;
    }
    return was_awaited;
}

/* --- hold --- */

bool np_upload_hold(np_transfer *transfer, np_connection *connection, uint64_t now_ns)
{
    np_upload *upload = &transfer->upload;
    if (!transfer->spec.hold || upload->released)
        return false;
    np_producer *producer = transfer->engine->producer;
    transfer->connection = connection;
    /* How long the program takes is no matter of connect_timeout. */
    np_loop_timer_cancel(connection->setup_timer);
    connection->setup_timer = NULL;
    np_tunnel_rest(connection->tunnel);
    np_connection_offer(connection, connection->offers_h2,
                        false); /* nobody waits for its protocol */
    transfer->stage = NP_STAGE_SEND;
    upload->held = upload->told_ready = upload->send_open = true;
    np_emit_phase_begin(producer, now_ns, transfer->number, NP_PHASE_SEND, NP_SOURCE_CALL);
    np_trace_pause(transfer, NP_PHASE_SEND, now_ns);
    if (transfer->handler.ready) /* libcurl is not on the stack: it may be ended from inside */
        transfer->handler.ready(transfer, transfer->user);
    return true;
}

void np_upload_settle(np_transfer *transfer, const np_connection *connection)
{
    const bool may_be_h2 = transfer->spec.version == NP_PROTOCOL_H2 && transfer->point->tls &&
                           !(connection->ready && connection->protocol < NP_PROTOCOL_H2);
    if (may_be_h2)
        transfer->spec.expect_continue = false;
}

np_connection *np_upload_let_go(np_transfer *transfer, uint64_t now_ns)
{
    np_upload *upload = &transfer->upload;
    np_connection *connection = transfer->connection;
    upload->held = false;
    np_trace_pauses_end(transfer, NP_PHASE_SEND, now_ns);
    if (connection)
        np_connection_renew(connection); /* connect_timeout again, where it is to be set up */
    return connection;
}

void np_transfer_release_body(np_transfer *transfer, int64_t length)
{
    np_upload *upload = &transfer->upload;
    if (transfer->ended || upload->released)
        return;
    upload->released = true;
    transfer->spec.body_length = length;
    if (upload->held)
        np_turn_end_go_on(transfer, NP_GO_RELEASE);
}

/* --- giving --- */

/* What one piece of `length` bytes is on the wire; the frames of HTTP/2 are not counted. */
static uint64_t wire_length(const np_transfer *transfer, size_t length)
{
    if (transfer->spec.body_form != NP_BODY_FORM_CHUNKED ||
        transfer->connection->protocol >= NP_PROTOCOL_H2)
        return length;
    char frame[24];
    return length + (uint64_t)snprintf(frame, sizeof frame, "%zx\r\n\r\n", length);
}

/* How far the body has come is known to TCP alone: what was written may wait here for room there.
 */
static void sample_end(const np_transfer *transfer, uint64_t now_ns)
{
    if (transfer->upload.given_bytes > 0)
        np_connection_sample(transfer->connection, transfer->number, NP_PHASE_SEND, now_ns);
}

static void note_sent(np_transfer *transfer)
{
    np_upload *upload = &transfer->upload;
    if (!upload->all_given || upload->sent || upload->wire_out < upload->wire_given)
        return;
    upload->sent = true;
    if (transfer->stage != NP_STAGE_SEND)
        return;
    const uint64_t now_ns = np_engine_stamp(transfer->engine);
    sample_end(transfer, now_ns);
    int unsent = 0;
    upload->unsent_at_end = now_ns != 0 && transfer->connection->fd >= 0 &&
                            ioctl(transfer->connection->fd, SIOCOUTQNSD, &unsent) == 0 &&
                            unsent > 0;
    np_trace_pauses_end(transfer, NP_PHASE_SEND, now_ns);
    np_boundary_begin_wait(transfer, now_ns);
}

/* As upload(), and libcurl's answers to what it may say. */
static size_t give(np_transfer *transfer, char *out, size_t capacity)
{
    np_upload *upload = &transfer->upload;
    transfer->in_handler++;
    const ptrdiff_t got = transfer->handler.upload(transfer, out, capacity, transfer->user);
    transfer->in_handler--;
    if (transfer->abort_pending)
        return CURL_READFUNC_ABORT;
    if (got == NP_UPLOAD_PAUSE) {
        upload->paused = true;
        if (transfer->stage == NP_STAGE_SEND)
            np_trace_pause(transfer, NP_PHASE_SEND, np_engine_stamp(transfer->engine));
        return CURL_READFUNC_PAUSE;
    }
    upload->given_bytes += (uint64_t)got;
    upload->wire_given += wire_length(transfer, (size_t)got);
    return (size_t)got;
}

static size_t on_read(char *out, size_t size, size_t count, void *user)
{
    np_easy *easy = user;
    np_transfer *transfer = easy->transfer;
    if (!transfer || transfer->abort_pending)
        return CURL_READFUNC_ABORT;
    np_upload *upload = &transfer->upload;
    const np_transfer_spec *spec = &transfer->spec;
    upload->asked = true;
    end_continue_wait(transfer, NP_SPAN_TIMEOUT, np_engine_stamp(transfer->engine));
    if (!upload->header_out) { /* libcurl of a later make asks first: the pause makes it write the
                                  header, and then np_upload_wrote lets it go on */
        upload->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    tell_ready(transfer);
    if (transfer->abort_pending)
        return CURL_READFUNC_ABORT;

    size_t capacity = size * count;
    const bool has_length = spec->body_form == NP_BODY_FORM_LENGTH;
    const uint64_t left = has_length ? (uint64_t)spec->body_length - upload->given_bytes : 0;
    if (has_length && left < capacity)
        capacity = (size_t)left;
    const size_t got = capacity > 0 ? give(transfer, out, capacity) : 0;
    if (got == CURL_READFUNC_ABORT || got == CURL_READFUNC_PAUSE)
        return got;
    upload->active_ns = np_loop_now(transfer->engine->loop);
    upload->all_given = has_length ? upload->given_bytes == (uint64_t)spec->body_length : got == 0;
    note_sent(transfer);
    return got;
}

/* A handle whose last transfer was to be sent again wants to seek at the start of the next one too.
 */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    (void)origin;
    const np_easy *easy = user;
    const bool at_start = offset == 0 && easy->transfer && easy->transfer->upload.given_bytes == 0;
    return at_start ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

void np_transfer_resume_upload(np_transfer *transfer)
{
    if (!transfer->ended && transfer->upload.paused)
        np_turn_end_go_on(transfer, NP_GO_SEND);
}

/* --- what libcurl reports --- */

static void note_header_out(np_transfer *transfer)
{
    np_upload *upload = &transfer->upload;
    const np_transfer_spec *spec = &transfer->spec;
    if (upload->header_out)
        return;
    upload->header_out = true;
    if (*np_upload_expect(spec)) {
        const uint64_t now_ns = np_engine_stamp(transfer->engine);
        upload->waits_for_continue = true;
        upload->continue_span = np_emit_span_begin(
            transfer->engine->producer, now_ns, transfer->number, transfer->connection->number,
            NP_PHASE_SEND, NP_SPAN_CONTINUE_WAIT, 0, "100-continue");
    }
    if (spec->body_form == NP_BODY_FORM_LENGTH && spec->body_length == 0) {
        upload->all_given = true; /* libcurl will not ask */
        tell_ready(transfer);
        note_sent(transfer);
    } else if (upload->paused) { /* it had asked too early */
        np_turn_end_go_on(transfer, NP_GO_SEND);
    }
}

void np_upload_wrote(np_transfer *transfer, curl_infotype type, size_t length)
{
    np_upload *upload = &transfer->upload;
    if (type == CURLINFO_HEADER_OUT)
        note_header_out(transfer);
    else if (upload->asked)
        upload->wire_out += length;
    note_sent(transfer);
}

/* --- a response that does not wait for the end of the body --- */

static bool is_stopped(const np_transfer *transfer)
{
    return !np_upload_is_out(transfer) && transfer->status >= FIRST_STOPPING_STATUS;
}

static void on_quiet(uint64_t now_ns, void *user)
{
    np_transfer *transfer = user;
    np_upload *upload = &transfer->upload;
    np_loop_timer_cancel(upload->quiet_timer);
    upload->quiet_timer = NULL;
    if (np_upload_is_out(transfer))
        return;
    const uint64_t over_ns = upload->active_ns + QUIET_NS;
    if (over_ns <= now_ns && !transfer->paused)
        np_turn_end_go_on(transfer, NP_GO_COMPLETE);
    else
        upload->quiet_timer =
            np_loop_timer_start(transfer->engine->loop,
                                over_ns > now_ns ? over_ns : now_ns + QUIET_NS, on_quiet, transfer);
}

void np_upload_received(np_transfer *transfer)
{
    np_upload *upload = &transfer->upload;
    if (np_upload_is_out(transfer) || transfer->protocol < NP_PROTOCOL_H2)
        return;
    upload->active_ns = np_loop_now(transfer->engine->loop);
    if (np_upload_answer_is_whole(transfer))
        np_turn_end_go_on(transfer, NP_GO_COMPLETE);
}

void np_upload_answered(np_transfer *transfer, uint64_t now_ns)
{
    end_continue_wait(transfer, NP_SPAN_FAILED, now_ns);
    if (transfer->stage != NP_STAGE_SEND)
        return;
    np_trace_pauses_end(transfer, NP_PHASE_SEND, now_ns);
    sample_end(transfer, now_ns);
}

void np_upload_header_done(np_transfer *transfer)
{
    np_upload *upload = &transfer->upload;
    if (np_upload_is_out(transfer))
        return;
    tell_ready(transfer);
    if (is_stopped(transfer) && upload->paused)
        np_turn_end_go_on(transfer, NP_GO_SEND);
    if (is_stopped(transfer) && transfer->protocol >= NP_PROTOCOL_H2) {
        upload->active_ns = np_loop_now(transfer->engine->loop);
        upload->quiet_timer = np_loop_timer_start(transfer->engine->loop,
                                                  upload->active_ns + QUIET_NS, on_quiet, transfer);
    }
    np_upload_received(transfer);
}

/* --- ends --- */

bool np_upload_may_retry(np_transfer *transfer)
{
    if (transfer->upload.given_bytes == 0)
        return true;
    return transfer->handler.rewind && transfer->handler.rewind(transfer, transfer->user);
}

void np_upload_reset(np_transfer *transfer)
{
    const np_upload *upload = &transfer->upload;
    transfer->upload = (np_upload){.told_ready = upload->told_ready, .released = upload->released};
}

/* Over HTTP/2 the server has ended its stream without an error, the response with it, and takes no
   more of the body (RFC 9113 section 8.1). libcurl finds out when it sends on, and has nothing else
   to complain of: a stream that was reset with an error it tells in words. */
static bool server_is_done(const np_transfer *transfer, CURLcode code)
{
    return code == CURLE_HTTP2_STREAM && transfer->protocol >= NP_PROTOCOL_H2 &&
           !np_upload_is_out(transfer) && transfer->easy && !transfer->easy->error[0] &&
           (transfer->expected_bytes < 0 || np_upload_answer_is_whole(transfer));
}

bool np_upload_forgives(const np_transfer *transfer, CURLcode code)
{
    if (transfer->spec.body_form == NP_BODY_FORM_NONE || !transfer->header_done)
        return false;
    if (transfer->status == EXPECTATION_FAILED &&
        (transfer->upload.second_round || transfer->no_socket))
        return true;
    return server_is_done(transfer, code) ||
           (code == CURLE_SEND_ERROR && np_upload_answer_is_whole(transfer));
}

void np_upload_end(np_transfer *transfer, uint64_t now_ns)
{
    end_continue_wait(transfer, NP_SPAN_ABANDONED, now_ns);
    np_trace_pauses_end(transfer, NP_PHASE_SEND, now_ns);
    np_loop_timer_cancel(transfer->upload.quiet_timer);
    transfer->upload.quiet_timer = NULL;
}

const char *np_upload_activity(const np_transfer *transfer)
{
    const np_upload *upload = &transfer->upload;
    if (transfer->stage != NP_STAGE_SEND || np_upload_is_out(transfer))
        return NULL;
    if (upload->held || upload->paused)
        return "waiting for the program to give the body";
    if (upload->waits_for_continue)
        return "waiting for 100 Continue";
    return upload->asked ? "sending the body" : NULL;
}

bool np_upload_install(np_easy *easy)
{
    CURL *h = easy->handle;
    CURLcode rc = curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_READDATA, easy);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, on_seek);
    return (rc ? rc : curl_easy_setopt(h, CURLOPT_SEEKDATA, easy)) == CURLE_OK;
}
