/* The engine against a real nginx: phases, fields, and which connection a request gets. */
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

/* Why the connection was opened that this request caused; -1: it caused none. */
static int because_of(uint32_t request)
{
    np_event event;
    return rig_find(&rig, NP_EVENT_CONNECTION_OPEN, request, &event) ? (int)(event.word[1] & 0xff)
                                                                     : -1;
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
    static char rule[64];
    const char *const any_host = rule;
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        printf("SKIPPED: %s\n", nginx.why);
        return;
    }
    snprintf(rule, sizeof rule, "*:%u:127.0.0.1", nginx.http_port);
    cr_assert(rig_open(&rig, &(np_engine_options){0}, &any_host, 1, true));
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
