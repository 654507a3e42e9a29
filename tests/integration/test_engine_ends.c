/* How requests end before their time: failures, time limits, aborts; and bodies not taken. */
#include "engine_case.h"
#include "test_ca.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- failures --- */

Test(engine_ends, refused_connect_is_a_connect_failure)
{
    np_engine_options options = {0};
    cr_assert(rig_open(&rig, &options, NULL, 0, true));
    struct rig_request request = {.url = make_url("http", "127.0.0.1", raw_free_port(), "/")};

    run_one(&request);

    cr_assert(eq(int, request.failure.web_status, NP_WEB_CONNECT_FAILURE), "%s",
              request.failure.text);
    const np_cut cut = rig_cut(&rig, request.number);
    must_add_up(&cut);
    rig_close(&rig);
}

Test(engine_ends, untrusted_certificate_is_a_trust_failure)
{
    char folder[] = "/tmp/netphase-ca-XXXXXX", file[64];
    cr_assert(mkdtemp(folder) && test_ca_make(folder, "DNS:origin.test"));
    snprintf(file, sizeof file, "%s/ca.pem", folder);
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.ca_file = file}))
        return;
    struct rig_request request = {.url = https("/small")};

    run_one(&request);

    must_fail(&request, NP_WEB_TRUST_FAILURE, "certificate of origin.test is not trusted");
    const np_cut cut = rig_cut(&rig, request.number);
    must_add_up(&cut);
    tear_down();
    static const char *const files[] = {"ca.pem", "cert.pem", "key.pem"};
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, files[i]);
        unlink(file);
    }
    rmdir(folder);
}

Test(engine_ends, certificate_for_another_name_is_a_trust_failure)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request request = {.url =
                                      make_url("https", "other.test", nginx.https_port, "/small")};

    run_one(&request);

    must_fail(&request, NP_WEB_TRUST_FAILURE, "for another name");
    tear_down();
}

Test(engine_ends, insecure_takes_any_certificate)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.insecure = true}))
        return;
    struct rig_request request = {.url =
                                      make_url("https", "other.test", nginx.https_port, "/small")};

    run_one(&request);

    must_be_complete(&request);
    tear_down();
}

Test(engine_ends, plain_answer_to_a_tls_hello_is_a_secure_channel_failure)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request request = {.url =
                                      make_url("https", "origin.test", nginx.http_port, "/small")};

    run_one(&request);

    must_fail(&request, NP_WEB_SECURE_CHANNEL_FAILURE, "origin.test");
    tear_down();
}

static const struct bad_answer {
    const char *answer;
    enum raw_end end;
    np_web_status web_status;
    const char *words;
    bool header_seen;
} bad_answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",           RAW_CLOSE, NP_WEB_CONNECTION_CLOSED,
     "5 of 100 bytes",                                                                                                                       true },
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", RAW_CLOSE,
     NP_WEB_CONNECTION_CLOSED,                                                                                     "receiving the response", true },
    {"HTTP/1.1 200 OK\r\nContent-Len",                                RAW_CLOSE, NP_WEB_CONNECTION_CLOSED,         "closed",                 false},
    {"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",                              RAW_CLOSE, NP_WEB_SERVER_PROTOCOL_VIOLATION, "malformed",
     false                                                                                                                                        },
    {"nonsense\r\n\r\n",                                              RAW_CLOSE, NP_WEB_SERVER_PROTOCOL_VIOLATION, "not HTTP",               false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",   RAW_HANG,
     NP_WEB_RECEIVE_FAILURE,                                                                                       "receiving",              true },
};

Test(engine_ends, bad_answers_are_told_apart)
{
    for (size_t i = 0; i < sizeof bad_answers / sizeof bad_answers[0]; i++) {
        const struct bad_answer *bad = &bad_answers[i];
        const struct raw_script script = {{bad->answer}, bad->end};
        set_up_raw(&script, 1, (np_engine_options){0});
        struct rig_request request = {.url = raw_url()};

        run_one(&request);

        cr_expect(eq(int, request.failure.web_status, bad->web_status), "answer %zu: %s (%s)", i,
                  request.failure.text, request.failure.cause);
        cr_expect(strstr(request.failure.text, bad->words) != NULL, "answer %zu: %s", i,
                  request.failure.text);
        cr_expect(eq(int, request.header_seen, bad->header_seen), "answer %zu", i);
        const np_cut cut = rig_cut(&rig, request.number);
        must_add_up(&cut);
        tear_down_raw();
    }
}

Test(engine_ends, header_over_the_limit_is_refused)
{
    static char answer[80000];
    int length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1000; i++)
        length += snprintf(answer + length, sizeof answer - (size_t)length,
                           "X-Filler-%04d: %050d\r\n", i, 0);
    snprintf(answer + length, sizeof answer - (size_t)length, "\r\n");
    const struct raw_script script = {{answer}, RAW_HANG};
    set_up_raw(&script, 1, (np_engine_options){0});
    struct rig_request request = {.url = raw_url()};

    run_one(&request);

    must_fail(&request, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED, "65536");
    tear_down_raw();
}

Test(engine_ends, one_line_over_the_limit_is_told_as_such)
{
    static char answer[200000];
    const int length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nX-Long: ");
    memset(answer + length, 'x', sizeof answer - (size_t)length - 5);
    memcpy(answer + sizeof answer - 5, "\r\n\r\n", 5);
    const struct raw_script script = {{answer}, RAW_HANG};
    set_up_raw(&script, 1, (np_engine_options){0});
    struct rig_request request = {.url = raw_url()};

    run_one(&request);

    must_fail(&request, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED, "too long");
    tear_down_raw();
}

/* Lines that come after the header, or before it, count as well: nothing a server says without end
 * is kept without end. */
static void must_be_too_long(const char *begin, const char *line, const char *end)
{
    static char answer[120000];
    int length = snprintf(answer, sizeof answer, "%s", begin);
    for (int i = 0; length < 100000; i++)
        length += snprintf(answer + length, sizeof answer - (size_t)length, line, i);
    snprintf(answer + length, sizeof answer - (size_t)length, "%s", end);
    const struct raw_script script = {{answer}, RAW_HANG};
    set_up_raw(&script, 1, (np_engine_options){0});
    struct rig_request request = {.url = raw_url()};

    run_one(&request);

    must_fail(&request, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED, "65536");
    tear_down_raw();
}

Test(engine_ends, trailers_over_the_limit_are_refused)
{
    must_be_too_long("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
                     "X-Filler: %060d\r\n", "\r\n");
}

Test(engine_ends, informational_responses_over_the_limit_are_refused)
{
    must_be_too_long("", "HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n", OK_2);
}

static const struct odd_answer {
    const char *answer;
    int status;
    uint64_t body_bytes;
} odd_answers[] = {
    {"HTTP/1.1 204 No Content\r\n\r\n",                                                              204, 0},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",                                      304, 0},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",                                          404, 0},
    {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nno!",
     401,                                                                                                 3},
    {"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 4\r\n\r\ngone",      302,
     4                                                                                                     },
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: "
     "X\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",                                       200, 5},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_2,             200, 2},
    {"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 1\r\n\r\n1",                           200, 1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",                                                200, 1},
};

Test(engine_ends, odd_answers_are_final_statuses)
{
    for (size_t i = 0; i < sizeof odd_answers / sizeof odd_answers[0]; i++) {
        const struct odd_answer *odd = &odd_answers[i];
        const struct raw_script script = {{odd->answer}, RAW_HANG};
        set_up_raw(&script, 1, (np_engine_options){0});
        struct rig_request request = {.url = raw_url()};

        run_one(&request);

        cr_expect(eq(int, request.failure.status, NP_OK), "answer %zu: %s (%s)", i,
                  request.failure.text, request.failure.cause);
        cr_expect(eq(int, request.status, odd->status), "answer %zu", i);
        cr_expect(eq(ulong, request.body_bytes, odd->body_bytes), "answer %zu", i);
        const np_cut cut = rig_cut(&rig, request.number);
        must_add_up(&cut);
        cr_expect(is_present(&cut, NP_PHASE_RECEIVE), "answer %zu", i);
        tear_down_raw();
    }
}

Test(engine_ends, body_without_length_ends_with_the_connection)
{
    static const struct raw_script script = {{"HTTP/1.1 200 OK\r\n\r\nuntil the end"}, RAW_CLOSE};
    set_up_raw(&script, 1, (np_engine_options){0});
    struct rig_request request = {.url = raw_url()};

    run_one(&request);

    must_be_complete(&request);
    cr_assert(eq(ulong, request.body_bytes, 13));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_CLOSE), 1));
    tear_down_raw();
}

/* --- time limits --- */

Test(engine_ends, deadline_while_waiting_is_a_timeout)
{
    static const struct raw_script script = {{NULL}, RAW_HANG};
    set_up_raw(&script, 1, (np_engine_options){0});
    struct rig_request request = {.url = raw_url(), .timeout_ns = 30 * NP_NS_PER_MS};

    run_one(&request);

    must_fail(&request, NP_WEB_TIMEOUT, "waiting for the response");
    np_event event;
    cr_assert(rig_find(&rig, NP_EVENT_REQUEST_END, request.number, &event));
    cr_assert(eq(ulong, event.word[0] & 0xff, NP_OUTCOME_TIMEOUT));
    tear_down_raw();
}

Test(engine_ends, deadline_in_the_queue_is_a_timeout)
{
    static const struct raw_script script = {{NULL}, RAW_HANG};
    set_up_raw(&script, 1, (np_engine_options){.connection_limit = 1});
    struct rig_request requests[2] = {
        {.url = raw_url()                },
        { .url = raw_url(), .timeout_ns = 30 * NP_NS_PER_MS}
    };

    rig_start(&rig, requests, 2);
    cr_assert(rig_wait(&rig, &requests[1], 1));

    must_fail(&requests[1], NP_WEB_TIMEOUT, "waiting for a connection");
    rig_abort(&rig, &requests[0], NP_WEB_REQUEST_CANCELED);
    cr_assert(rig_wait(&rig, requests, 2));
    tear_down_raw();
}

Test(engine_ends, connect_timeout_says_which_step_took_too_long)
{
    struct raw_blackhole hole;
    if (!raw_blackhole_open(&hole)) {
        printf("SKIPPED: a full listener is not full here\n");
        raw_blackhole_close(&hole);
        return;
    }
    static const struct raw_script script = {{NULL}, RAW_DEAF};
    set_up_raw(&script, 1, (np_engine_options){.connect_timeout_ns = 40 * NP_NS_PER_MS});
    struct rig_request requests[2] = {{.url = make_url("http", "127.0.0.1", hole.port, "/")},
                                      {.url = make_url("https", "origin.test", raw.port, "/")}};

    cr_assert(rig_run(&rig, requests, 2));

    must_fail(&requests[0], NP_WEB_TIMEOUT, "while connecting");
    must_fail(&requests[1], NP_WEB_TIMEOUT, "while setting up TLS");
    tear_down_raw();
    raw_blackhole_close(&hole);
}

/* --- abort --- */

static void must_be_aborted(struct rig_request *request, np_phase last)
{
    must_fail(request, NP_WEB_REQUEST_CANCELED, "aborted by the test");
    np_event event;
    cr_assert(rig_find(&rig, NP_EVENT_REQUEST_END, request->number, &event));
    cr_assert(eq(ulong, event.word[0] & 0xff, NP_OUTCOME_ABORTED));
    const np_cut cut = rig_cut(&rig, request->number);
    must_add_up(&cut);
    cr_assert(is_present(&cut, last));
}

Test(engine_ends, abort_at_every_stage_leaves_no_descriptor)
{
    struct raw_blackhole hole;
    const bool has_hole = raw_blackhole_open(&hole);
    static const struct raw_script script = {{NULL}, RAW_HANG};
    set_up_raw(&script, 1, (np_engine_options){.connection_limit = 1});
    struct rig_request warm_up = {.url = raw_url(), .timeout_ns = 1};
    run_one(&warm_up);
    const int before = rig_open_fds(); /* with the server's end of the warm-up, perhaps */
    struct rig_request waiting = {.url = raw_url()}, queued = {.url = raw_url()},
                       handshaking = {.url = make_url("https", "origin.test", raw.port, "/")},
                       connecting = {.url = make_url("http", "127.0.0.1", hole.port, "/")};
    rig_start(&rig, &waiting, 1);
    cr_assert(rig_wait_event(&rig, NP_EVENT_PHASE_BEGIN, NP_PHASE_WAIT, waiting.number));

    rig_start(&rig, &queued, 1);
    rig_abort(&rig, &queued, NP_WEB_REQUEST_CANCELED);
    must_be_aborted(&queued, NP_PHASE_QUEUE);

    rig_start(&rig, &handshaking, 1);
    cr_assert(rig_wait_event(&rig, NP_EVENT_PHASE_BEGIN, NP_PHASE_TLS, handshaking.number));
    rig_abort(&rig, &handshaking, NP_WEB_REQUEST_CANCELED);
    must_be_aborted(&handshaking, NP_PHASE_TLS);

    if (has_hole) {
        rig_start(&rig, &connecting, 1);
        cr_assert(rig_wait_event(&rig, NP_EVENT_PHASE_BEGIN, NP_PHASE_CONNECT, connecting.number));
        rig_abort(&rig, &connecting, NP_WEB_REQUEST_CANCELED);
        must_be_aborted(&connecting, NP_PHASE_CONNECT);
    }
    rig_abort(&rig, &waiting, NP_WEB_REQUEST_CANCELED);
    must_be_aborted(&waiting, NP_PHASE_WAIT);

    /* The scripted server runs in this process: its end of the two connections goes as soon as its
     * threads see it. */
    const uint64_t until_ns = np_now() + 20u * (uint64_t)NP_NS_PER_S;
    while (rig_open_fds() > before && np_now() < until_ns)
        usleep(1000);
    cr_assert(le(int, rig_open_fds(), before));
    cr_assert(
        eq(int, count_events(NP_EVENT_CONNECTION_OPEN), count_events(NP_EVENT_CONNECTION_CLOSE)));
    tear_down_raw();
    raw_blackhole_close(&hole);
}

Test(engine_ends, abort_in_the_middle_of_the_body_closes_the_connection)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    static char big[1 << 20];
    cr_assert(nginx_add_file(&nginx, "big", big, sizeof big));
    struct rig_request request = {.url = http("/big"), .abort_in_body = true},
                       in_header = {.url = http("/big"), .abort_in_header = true},
                       next = {.url = http("/small")};

    run_one(&request);
    run_one(&in_header);
    run_one(&next);

    must_be_aborted(&request, NP_PHASE_RECEIVE);
    must_be_aborted(&in_header, NP_PHASE_RECEIVE);
    must_be_complete(&next);
    cr_assert(eq(int, use_of(next.number), 1));
    tear_down();
}

Test(engine_ends, one_request_can_abort_another_from_inside_its_call)
{
    static const struct raw_script scripts[] = {
        {{NULL}, RAW_HANG},
        {{OK_2}, RAW_HANG}
    };
    set_up_raw(scripts, 2, (np_engine_options){0});
    struct rig_request victim = {.url = raw_url()},
                       other = {.url = raw_url(), .abort_other = &victim};
    rig_start(&rig, &victim, 1);
    cr_assert(rig_wait_event(&rig, NP_EVENT_PHASE_BEGIN, NP_PHASE_WAIT, victim.number));

    run_one(&other);
    cr_assert(rig_wait(&rig, &victim, 1));

    must_be_complete(&other);
    must_be_aborted(&victim, NP_PHASE_WAIT);
    tear_down_raw();
}

/* --- pause and drain --- */

Test(engine_ends, body_not_taken_comes_again_after_resume)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    static char big[1 << 20];
    cr_assert(nginx_add_file(&nginx, "big", big, sizeof big));
    struct rig_request requests[2] = {
        {.url = http("/big"),  .pause_once = true},
        {.url = https("/big"), .pause_once = true}
    };

    cr_assert(rig_run(&rig, requests, 2));

    for (int i = 0; i < 2; i++) {
        must_be_complete(&requests[i]);
        cr_assert(eq(ulong, requests[i].body_bytes, sizeof big));
        cr_assert(eq(int, count_spans(NP_SPAN_APPLICATION, requests[i].number), 1));
        const np_cut cut = rig_cut(&rig, requests[i].number);
        must_add_up(&cut);
    }
    tear_down();
}

/* The bytes that were held back are handed over from inside the call that resumes. */
Test(engine_ends, abort_from_inside_the_body_that_a_resume_brings_ends_the_request)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    static char big[1 << 20];
    cr_assert(nginx_add_file(&nginx, "big", big, sizeof big));
    struct rig_request request = {.url = http("/big"), .pause_once = true, .abort_in_body = true},
                       next = {.url = http("/small")};

    run_one(&request);
    run_one(&next);

    must_fail(&request, NP_WEB_REQUEST_CANCELED, "");
    must_be_complete(&next);
    tear_down();
}

Test(engine_ends, drained_response_keeps_its_connection_unless_it_is_too_long)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    static char big[1 << 20];
    cr_assert(nginx_add_file(&nginx, "big", big, sizeof big));
    struct rig_request all = {.url = http("/big"), .drain_in_header = true, .drain_bytes = 2 << 20},
                       too_long = {
                           .url = http("/big"), .drain_in_header = true, .drain_bytes = 1000};

    run_one(&all);
    run_one(&too_long);

    must_be_complete(&all);
    cr_assert(eq(ulong, all.body_bytes, 0));
    cr_assert(eq(int, use_of(too_long.number), 2));
    must_fail(&too_long, NP_WEB_REQUEST_CANCELED, "too long");
    tear_down();
}

Test(engine_ends, accept_is_sent_once_as_given)
{
    if (!set_up(
            &(struct nginx_options){.locations = "location /echo { return 301 /[$http_accept]; }"},
            (np_engine_options){0}))
        return;
    static const struct {
        np_header_line field;
        const char *seen;
    } cases[] = {
        {{"Accept", "*/*", 6, 3},       "/[*/*]"      },
        {{"Accept", "text/html", 6, 9}, "/[text/html]"},
        {{"X-Other", "1", 7, 1},        "/[]"         },
        {{"accept", "*/*", 6, 3},       "/[*/*]"      },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig_request request = {
            .url = http("/echo"), .headers = &cases[i].field, .header_count = 1};

        run_one(&request);

        cr_assert(strstr(request.location, cases[i].seen) != NULL, "case %zu: %s", i,
                  request.location);
    }
    tear_down();
}
