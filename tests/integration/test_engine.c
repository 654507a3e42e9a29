/* The engine against a real nginx, and against servers that misbehave on purpose. */
#include "engine_rig.h"
#include "engine_types.h"
#include "nginx.h"
#include "raw_server.h"
#include "test_ca.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct nginx nginx;
static struct raw_server raw;
static struct rig rig;
static char rule[4][64];
static const char *rules[4] = {rule[0], rule[1], rule[2], rule[3]};

/* With nginx: origin.test and other.test are 127.0.0.1. */
static bool set_up(const struct nginx_options *server, np_engine_options options)
{
    if (!nginx_start(&nginx, server)) {
        printf("SKIPPED: %s\n", nginx.why);
        return false;
    }
    if (!options.ca_file)
        options.ca_file = nginx.ca_file;
    for (int i = 0; i < 4; i++)
        snprintf(rule[i], sizeof rule[i], "%s.test:%u:127.0.0.1", i % 2 ? "other" : "origin",
                 i / 2 ? nginx.https_port : nginx.http_port);
    cr_assert(rig_open(&rig, &options, rules, 4, true));
    return true;
}

static void tear_down(void)
{
    rig_close(&rig);
    nginx_stop(&nginx);
}

/* With a scripted server. */
static void set_up_raw(const struct raw_script *scripts, int count, np_engine_options options)
{
    cr_assert(raw_server_start(&raw, scripts, count));
    snprintf(rule[0], sizeof rule[0], "origin.test:%u:127.0.0.1", raw.port);
    cr_assert(rig_open(&rig, &options, rules, 1, true));
}

static void tear_down_raw(void)
{
    rig_close(&rig);
    raw_server_stop(&raw);
}

static const char *make_url(const char *scheme, const char *host, unsigned port, const char *path)
{
    static char text[16][256];
    static int next;
    char *out = text[next++ % 16];
    snprintf(out, 256, "%s://%s:%u%s", scheme, host, port, path);
    return out;
}

static const char *http(const char *path)
{
    return make_url("http", "origin.test", nginx.http_port, path);
}

static const char *https(const char *path)
{
    return make_url("https", "origin.test", nginx.https_port, path);
}

static const char *raw_url(void)
{
    return make_url("http", "origin.test", raw.port, "/");
}

static void run_one(struct rig_request *request)
{
    cr_assert(rig_run(&rig, request, 1));
}

static void must_be_complete(const struct rig_request *request)
{
    cr_assert(eq(int, request->failure.status, NP_OK), "%s (%s)", request->failure.text,
              request->failure.cause);
    cr_assert(eq(int, request->status, 200));
}

static void must_fail(const struct rig_request *request, np_web_status web_status,
                      const char *words)
{
    cr_assert(eq(int, request->failure.status, NP_E_WEB));
    cr_assert(eq(int, request->failure.web_status, web_status), "%s (%s)", request->failure.text,
              request->failure.cause);
    cr_assert(strstr(request->failure.text, words) != NULL, "'%s' has no '%s'",
              request->failure.text, words);
}

static int count_events(np_event_type type)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += events[i].type == type;
    free(events);
    return found;
}

static int count_spans(np_span_kind kind, uint32_t request)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += events[i].type == NP_EVENT_SPAN_BEGIN && (events[i].word[0] >> 8 & 0xff) == kind &&
                 (request == 0 || events[i].request == request);
    free(events);
    return found;
}

/* Why the connection was opened that this request caused; -1: it caused none. */
static int because_of(uint32_t request)
{
    np_event event;
    return rig_find(&rig, NP_EVENT_CONNECTION_OPEN, request, &event) ? (int)(event.word[1] & 0xff)
                                                                     : -1;
}

static int use_of(uint32_t request)
{
    np_event event;
    return rig_find(&rig, NP_EVENT_CONNECTION_USE, request, &event) ? (int)event.word[0] : 0;
}

static bool is_present(const np_cut *cut, np_phase phase)
{
    return (cut->present & 1u << phase) != 0;
}

static void must_add_up(const np_cut *cut)
{
    int64_t sum = 0;
    for (int i = 0; i < NP_PHASE_COUNT; i++)
        sum += cut->duration_ns[i];
    cr_assert(cut->ended);
    cr_assert(eq(i64, sum, np_cut_total(cut)));
    cr_assert(eq(int, cut->flags &NP_FLAG_CLAMPED, 0));
}

/* --- the ordinary way --- */

Test(engine, http_get_brings_status_header_and_body)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request request = {.url = http("/small")};

    run_one(&request);

    must_be_complete(&request);
    cr_assert(eq(int, request.protocol, 11));
    cr_assert(eq(long, request.content_length, 59));
    cr_assert(eq(ulong, request.body_bytes, 59));
    cr_assert(strncmp(request.body, "netphase shows", 14) == 0);
    tear_down();
}

Test(engine, phases_of_a_new_and_a_reused_connection_add_up)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request first = {.url = https("/small")}, second = {.url = https("/small")};

    run_one(&first);
    run_one(&second);

    const np_cut one = rig_cut(&rig, first.number), two = rig_cut(&rig, second.number);
    must_add_up(&one);
    must_add_up(&two);
    cr_assert(is_present(&one, NP_PHASE_QUEUE) && is_present(&one, NP_PHASE_CONNECT) &&
              is_present(&one, NP_PHASE_TLS));
    cr_assert(eq(int, two.present &(1u << NP_PHASE_CONNECT | 1u << NP_PHASE_TLS), 0));
    for (int phase = NP_PHASE_SEND; phase <= NP_PHASE_RECEIVE; phase++)
        cr_assert(is_present(&one, (np_phase)phase) && is_present(&two, (np_phase)phase));
    cr_assert(eq(int, use_of(first.number), 1));
    cr_assert(eq(int, use_of(second.number), 2));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    cr_assert(eq(int, because_of(first.number), NP_NEW_FIRST));
    cr_assert(eq(int, count_spans(NP_SPAN_HANDSHAKE, first.number), 1));
    tear_down();
}

static void check_tls_version(np_tls_version version, const char *name)
{
    if (!set_up(&(struct nginx_options){0},
                (np_engine_options){.tls_minimum = version, .tls_maximum = version}))
        return;
    struct rig_request request = {.url = https("/small")};

    run_one(&request);

    must_be_complete(&request);
    np_event event;
    char text[512];
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_TLS, request.number, &event));
    rig_text(&rig, event.word[0], text, sizeof text);
    cr_assert(eq(str, text, (char *)(uintptr_t)name));
    rig_text(&rig, event.word[2], text, sizeof text);
    cr_assert(eq(str, text, "http/1.1"));
    rig_text(&rig, event.word[4], text, sizeof text);
    cr_assert(strstr(text, "netphase test server") && strstr(text, "netphase test CA"), "%s", text);
    tear_down();
}

Test(engine, tls_1_2_is_told)
{
    check_tls_version(NP_TLS_1_2, "TLSv1.2");
}

Test(engine, tls_1_3_is_told)
{
    check_tls_version(NP_TLS_1_3, "TLSv1.3");
}

Test(engine, idle_tls_connection_with_tickets_lives_on)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.tls_minimum = NP_TLS_1_3}))
        return;
    struct rig_request first = {.url = https("/small"), .again = 20};

    run_one(&first);

    cr_assert(eq(int, first.completed, 21));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    tear_down();
}

static bool was_resumed(uint32_t request)
{
    np_event event;
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_TLS, request, &event));
    return (event.word[3] & 0xff) != 0;
}

Test(engine, fresh_resumes_tls_and_cold_does_not)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.tls_maximum = NP_TLS_1_2}))
        return;
    struct rig_request first = {.url = https("/small")},
                       fresh = {.url = https("/small"), .reuse = NP_REUSE_FRESH},
                       cold = {.url = https("/small"), .reuse = NP_REUSE_COLD};

    run_one(&first);
    run_one(&fresh);
    run_one(&cold);

    must_be_complete(&fresh);
    must_be_complete(&cold);
    cr_assert(was_resumed(first.number) == false);
    cr_assert(was_resumed(fresh.number));
    cr_assert(was_resumed(cold.number) == false);
    cr_assert(eq(int, because_of(fresh.number), NP_NEW_FORCED));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_CLOSE),
                 2)); /* fresh and cold; the first one waits */
    tear_down();
}

Test(engine, verbs_and_fields_are_sent_as_given)
{
    if (!set_up(
            &(struct nginx_options){
                .locations = "location /echo { return 301 "
                             "/$request_method,$http_accept,$http_x_one,$http_user_agent,; }"},
            (np_engine_options){0}))
        return;
    const np_header_line fields[] = {
        {"X-One",         "first",          5,  5 },
        {"Authorization", "Basic c2VjcmV0", 13, 14}
    };
    struct rig_request plain = {.url = http("/echo"), .headers = fields, .header_count = 2};
    struct rig_request other = {.url = http("/echo"), .method = "REPORT"};
    struct rig_request head = {.url = http("/small"), .method = "HEAD"};

    run_one(&plain);
    run_one(&other);
    run_one(&head);

    cr_assert(strstr(plain.location, "/GET,,first,,") != NULL, "%s", plain.location);
    cr_assert(strstr(other.location, "/REPORT,,,,") != NULL, "%s", other.location);
    must_be_complete(&head);
    cr_assert(eq(long, head.content_length, 59));
    cr_assert(eq(ulong, head.body_bytes, 0));
    const np_cut cut = rig_cut(&rig, head.number);
    must_add_up(&cut);
    tear_down();
}

Test(engine, header_fields_are_recorded_redacted)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    const np_header_line fields[] = {
        {"Authorization", "Basic c2VjcmV0", 13, 14}
    };
    struct rig_request request = {.url = http("/small"), .headers = fields, .header_count = 1};

    run_one(&request);

    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int sent = 0, received = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i].type != NP_EVENT_HEADER)
            continue;
        char value[256];
        rig_text(&rig, events[i].word[2], value, sizeof value);
        cr_assert(strstr(value, "c2VjcmV0") == NULL, "%s", value);
        if ((events[i].word[0] & 0xff) == 0)
            cr_assert(eq(ulong, events[i].word[0] >> 8, (unsigned long)sent++));
        else
            cr_assert(eq(ulong, events[i].word[0] >> 8, (unsigned long)received++));
    }
    free(events);
    cr_assert(eq(int, sent, 2)); /* Host, Authorization */
    cr_assert(gt(int, received, 3));
    tear_down();
}

/* --- connections --- */

Test(engine, requests_beyond_the_limit_wait_in_the_queue)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.connection_limit = 1}))
        return;
    struct rig_request requests[4];
    for (int i = 0; i < 4; i++)
        requests[i] = (struct rig_request){.url = http("/small")};

    cr_assert(rig_run(&rig, requests, 4));

    for (int i = 0; i < 4; i++) {
        must_be_complete(&requests[i]);
        const np_cut cut = rig_cut(&rig, requests[i].number);
        must_add_up(&cut);
        cr_assert(eq(int, count_spans(NP_SPAN_WAIT_FOR_SLOT, requests[i].number), i > 0));
        cr_assert(eq(int, use_of(requests[i].number), i + 1));
    }
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    tear_down();
}

Test(engine, limit_is_two_and_none_for_loopback)
{
    if (!set_up(&(struct nginx_options){.locations =
                                            "location /slow { limit_rate 200; alias www/small; }"},
                (np_engine_options){0}))
        return;
    struct rig_request requests[12];
    for (int i = 0; i < 6; i++)
        requests[i] = (struct rig_request){.url = http("/small")};
    for (int i = 6; i < 12; i++)
        requests[i] =
            (struct rig_request){.url = make_url("http", "127.0.0.1", nginx.http_port, "/small")};

    cr_assert(rig_run(&rig, requests, 12));

    int named = 0, literal = 0;
    for (int i = 0; i < 12; i++) {
        must_be_complete(&requests[i]);
        *(i < 6 ? &named : &literal) += because_of(requests[i].number) >= 0;
    }
    cr_assert(eq(int, named, 2));
    cr_assert(eq(int, literal, 6));
    cr_assert(eq(int, because_of(requests[1].number), NP_NEW_ALL_BUSY));
    tear_down();
}

Test(engine, connection_closed_by_the_peer_while_idle_is_seen_at_once)
{
    static const struct raw_script scripts[] = {
        {{OK_2}, RAW_CLOSE},
        {{OK_2}, RAW_HANG }
    };
    set_up_raw(scripts, 2, (np_engine_options){0});
    struct rig_request first = {.url = raw_url()}, second = {.url = raw_url()};

    run_one(&first);
    cr_assert(rig_wait_event(&rig, NP_EVENT_CONNECTION_CLOSE, 1, 0));
    run_one(&second);

    must_be_complete(&second);
    cr_assert(eq(int, because_of(second.number), NP_NEW_PEER_CLOSED));
    cr_assert(eq(int, use_of(second.number), 1));
    np_event event;
    char text[128];
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_CLOSE, 0, &event));
    rig_text(&rig, event.word[3], text, sizeof text);
    cr_assert(eq(str, text, "closed by peer"));
    tear_down_raw();
}

static void check_dead_on_reuse(enum raw_end end)
{
    struct raw_script scripts[] = {
        {{OK_2},       end     },
        {{OK_2, OK_2}, RAW_HANG}
    };
    set_up_raw(scripts, 2, (np_engine_options){0});
    struct rig_request first = {.url = raw_url()}, second = {.url = raw_url()};

    run_one(&first);
    run_one(&second);

    must_be_complete(&second);
    cr_assert(ne(u32, second.number, second.first_number));
    cr_assert(eq(int, because_of(second.number), NP_NEW_DEAD_ON_REUSE));
    np_event lost, again, begun;
    cr_assert(rig_find(&rig, NP_EVENT_REQUEST_END, second.first_number, &lost));
    cr_assert(rig_find(&rig, NP_EVENT_REQUEST_BEGIN, second.first_number, &begun));
    cr_assert(rig_find(&rig, NP_EVENT_REQUEST_BEGIN, second.number, &again));
    cr_assert(eq(ulong, lost.word[0] & 0xff, NP_OUTCOME_FAILED));
    cr_assert(eq(ulong, lost.word[0] >> 8 & 0xff, NP_WEB_KEEP_ALIVE_FAILURE));
    cr_assert(eq(ulong, again.time_ns, lost.time_ns));
    cr_assert(eq(ulong, again.word[3] & 0xffffffff, second.first_number));
    cr_assert(eq(ulong, again.word[3] >> 32 & 0xffff, 1));
    cr_assert(eq(ulong, again.word[3] >> 48 & 0xff, NP_HOP_RETRY));
    cr_assert(eq(int, use_of(second.first_number), 2));
    const np_cut one = rig_cut(&rig, second.first_number), two = rig_cut(&rig, second.number);
    must_add_up(&one);
    must_add_up(&two);
    tear_down_raw();
}

Test(engine, request_lost_with_a_kept_connection_is_sent_again_once)
{
    check_dead_on_reuse(RAW_CLOSE_ON_REQUEST);
}

Test(engine, request_reset_with_a_kept_connection_is_sent_again_once)
{
    check_dead_on_reuse(RAW_RESET_ON_REQUEST);
}

Test(engine, request_lost_on_a_new_connection_is_not_sent_again)
{
    static const struct raw_script scripts[] = {
        {{NULL}, RAW_CLOSE_ON_REQUEST}
    };
    set_up_raw(scripts, 1, (np_engine_options){0});
    struct rig_request request = {.url = raw_url()};

    run_one(&request);

    must_fail(&request, NP_WEB_CONNECTION_CLOSED, "waiting for the response");
    cr_assert(eq(u32, request.number, request.first_number));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    tear_down_raw();
}

Test(engine, connection_idle_for_too_long_is_closed)
{
    if (!set_up(&(struct nginx_options){0},
                (np_engine_options){.max_idle_time_ns = 20 * NP_NS_PER_MS}))
        return;
    struct rig_request first = {.url = http("/small")}, second = {.url = http("/small")};

    run_one(&first);
    cr_assert(rig_wait_event(&rig, NP_EVENT_CONNECTION_CLOSE, 1, 0));
    run_one(&second);

    must_be_complete(&second);
    cr_assert(eq(int, because_of(second.number), NP_NEW_TOO_OLD));
    tear_down();
}

Test(engine, request_for_a_new_connection_closes_the_oldest_idle_one_at_the_limit)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.connection_limit = 1}))
        return;
    struct rig_request first = {.url = http("/small")},
                       fresh = {.url = http("/small"), .reuse = NP_REUSE_FRESH};

    run_one(&first);
    run_one(&fresh);

    must_be_complete(&fresh);
    np_event event;
    char text[128];
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_CLOSE, 0, &event));
    rig_text(&rig, event.word[3], text, sizeof text);
    cr_assert(eq(str, text, "made room for another one"));
    tear_down();
}

/* Reads one request head and answers it. */
static void answer_one(int fd)
{
    char head[4096];
    size_t length = 0;
    while (length < sizeof head - 1) {
        const ssize_t got = recv(fd, head + length, sizeof head - 1 - length, 0);
        cr_assert(got > 0);
        length += (size_t)got;
        head[length] = 0;
        if (strstr(head, "\r\n\r\n"))
            break;
    }
    cr_assert(send(fd, OK_2, strlen(OK_2), MSG_NOSIGNAL) == (ssize_t)strlen(OK_2));
}

Test(engine, waiting_request_takes_what_becomes_idle_while_its_own_connect_goes_on)
{
    struct raw_blackhole hole;
    cr_assert(raw_blackhole_listen(&hole));
    np_engine_options options = {0};
    cr_assert(rig_open(&rig, &options, NULL, 0, true));
    struct rig_request first = {.url = make_url("http", "127.0.0.1", hole.port, "/")},
                       second = {.url = first.url};
    rig_start(&rig, &first, 1);
    const int fd = accept(hole.fd, NULL, NULL);
    cr_assert(fd >= 0);
    if (!raw_blackhole_fill(&hole)) {
        printf("SKIPPED: a full listener is not full here\n");
        answer_one(fd);
        cr_assert(rig_wait(&rig, &first, 1));
    } else {
        rig_start(&rig, &second, 1);
        cr_assert(rig_wait_event(&rig, NP_EVENT_PHASE_BEGIN, NP_PHASE_CONNECT, second.number));
        answer_one(fd);
        answer_one(fd);
        cr_assert(rig_wait(&rig, &first, 1) && rig_wait(&rig, &second, 1));

        must_be_complete(&second);
        cr_assert(eq(int, use_of(second.number), 2));
        cr_assert(eq(int, because_of(second.number), NP_NEW_ALL_BUSY));
        cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_CLOSE), 0));
        const np_cut cut = rig_cut(&rig, second.number);
        must_add_up(&cut);
        np_event end;
        cr_assert(rig_find(&rig, NP_EVENT_REQUEST_END, second.number, &end));
        cr_assert(ne(ulong, end.word[1] >> 32 & NP_FLAG_CONNECT_LEFT, 0));
    }
    rig_close(&rig);
    close(fd);
    raw_blackhole_close(&hole);
}

static void break_port(struct rig *r, void *user)
{
    (void)user;
    for (int i = 0; i < POINT_BUCKETS; i++) {
        if (r->engine->points[i])
            np_item(r->engine->points[i]->idle.next, np_connection, in_idle)->local_port++;
    }
}

Test(engine, connection_that_is_not_ours_is_refused_before_anything_is_sent)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request first = {.url = http("/small")}, second = {.url = http("/small")};
    run_one(&first);
    rig_call(&rig, break_port, NULL);

    run_one(&second);

    must_fail(&second, NP_WEB_UNKNOWN_ERROR, "port");
    tear_down();
}

static void count_points(struct rig *r, void *user)
{
    *(size_t *)user = r->engine->point_count;
}

Test(engine, hosts_nobody_asks_for_any_more_are_forgotten)
{
    enum { HOSTS = POINTS_KEPT + 100 };
    static struct rig_request requests[HOSTS];
    static char url[HOSTS][64];
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        printf("SKIPPED: %s\n", nginx.why);
        return;
    }
    snprintf(rule[0], sizeof rule[0], "*:%u:127.0.0.1", nginx.http_port);
    cr_assert(rig_open(&rig, &(np_engine_options){0}, rules, 1, true));
    for (int i = 0; i < HOSTS; i++) {
        snprintf(url[i], sizeof url[i], "http://host%d.test:%u/small", i, nginx.http_port);
        requests[i] = (struct rig_request){.url = url[i], .reuse = NP_REUSE_FRESH};
        run_one(&requests[i]);
        must_be_complete(&requests[i]);
    }
    size_t count = 0;
    rig_call(&rig, count_points, &count);
    cr_assert(le(ulong, count, POINTS_KEPT + 1));
    struct rig_request again = {.url = url[0]};
    run_one(&again);
    must_be_complete(&again);
    cr_assert(eq(int, because_of(again.number), NP_NEW_FIRST));
    tear_down();
}

Test(engine, thousand_requests_at_once_are_all_answered)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    enum { COUNT = 1000 };
    struct rig_request *requests = calloc(COUNT, sizeof *requests);
    for (int i = 0; i < COUNT; i++)
        requests[i] = (struct rig_request){
            .url = make_url("http", "127.0.0.1", nginx.http_port, "/small"), .again = 2};
    const char *same = make_url("http", "127.0.0.1", nginx.http_port, "/small");
    for (int i = 0; i < COUNT; i++)
        requests[i].url = same;

    cr_assert(rig_run(&rig, requests, COUNT));

    for (int i = 0; i < COUNT; i++) {
        must_be_complete(&requests[i]);
        cr_assert(eq(int, requests[i].completed, 3));
    }
    cr_assert(le(int, count_events(NP_EVENT_CONNECTION_OPEN), COUNT));
    free(requests);
    tear_down();
}

/* --- failures --- */

Test(engine, refused_connect_is_a_connect_failure)
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

Test(engine, untrusted_certificate_is_a_trust_failure)
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

Test(engine, certificate_for_another_name_is_a_trust_failure)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request request = {.url =
                                      make_url("https", "other.test", nginx.https_port, "/small")};

    run_one(&request);

    must_fail(&request, NP_WEB_TRUST_FAILURE, "for another name");
    tear_down();
}

Test(engine, insecure_takes_any_certificate)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.insecure = true}))
        return;
    struct rig_request request = {.url =
                                      make_url("https", "other.test", nginx.https_port, "/small")};

    run_one(&request);

    must_be_complete(&request);
    tear_down();
}

Test(engine, plain_answer_to_a_tls_hello_is_a_secure_channel_failure)
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
     "5 of 100 bytes",                                                                                                               true },
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", RAW_CLOSE,
     NP_WEB_CONNECTION_CLOSED,                                                                                     "receiving the response", true },
    {"HTTP/1.1 200 OK\r\nContent-Len",                                RAW_CLOSE, NP_WEB_CONNECTION_CLOSED,         "closed",                 false},
    {"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",                              RAW_CLOSE, NP_WEB_SERVER_PROTOCOL_VIOLATION, "malformed",
     false                                                                                                                                        },
    {"nonsense\r\n\r\n",                                              RAW_CLOSE, NP_WEB_SERVER_PROTOCOL_VIOLATION, "not HTTP",               false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",   RAW_HANG,
     NP_WEB_RECEIVE_FAILURE,                                                                                       "receiving",              true },
};

Test(engine, bad_answers_are_told_apart)
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

Test(engine, header_over_the_limit_is_refused)
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

Test(engine, one_line_over_the_limit_is_told_as_such)
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

Test(engine, trailers_over_the_limit_are_refused)
{
    must_be_too_long("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
                     "X-Filler: %060d\r\n", "\r\n");
}

Test(engine, informational_responses_over_the_limit_are_refused)
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

Test(engine, odd_answers_are_final_statuses)
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

Test(engine, body_without_length_ends_with_the_connection)
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

Test(engine, deadline_while_waiting_is_a_timeout)
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

Test(engine, deadline_in_the_queue_is_a_timeout)
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

Test(engine, connect_timeout_says_which_step_took_too_long)
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

Test(engine, abort_at_every_stage_leaves_no_descriptor)
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

Test(engine, abort_in_the_middle_of_the_body_closes_the_connection)
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

Test(engine, one_request_can_abort_another_from_inside_its_call)
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

Test(engine, body_not_taken_comes_again_after_resume)
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
Test(engine, abort_from_inside_the_body_that_a_resume_brings_ends_the_request)
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

Test(engine, drained_response_keeps_its_connection_unless_it_is_too_long)
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

Test(engine, accept_is_sent_once_as_given)
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
