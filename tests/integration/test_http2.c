/* HTTP/2 against a real nginx: who shares which connection, what each waits for, and what is left
 * in the trace. */
#include "engine_rig.h"
#include "engine_types.h"
#include "nginx.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct nginx nginx;
static struct rig rig;
static char rule[2][64];
static const char *rules[2] = {rule[0], rule[1]};

static bool set_up(const struct nginx_options *server, np_engine_options options)
{
    if (!nginx_start(&nginx, server)) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    options.ca_file = nginx.ca_file;
    snprintf(rule[0], sizeof rule[0], "origin.test:%u:127.0.0.1", nginx.h2_port);
    snprintf(rule[1], sizeof rule[1], "origin.test:%u:127.0.0.1", nginx.https_port);
    cr_assert(rig_open(&rig, &options, rules, 2, true));
    return true;
}

static void tear_down(void)
{
    rig_close(&rig);
    nginx_stop(&nginx);
}

static const char *url_of(unsigned port, const char *path)
{
    static char text[512][96];
    static int next;
    char *out = text[next++ % 512];
    snprintf(out, sizeof text[0], "https://origin.test:%u%s", port, path);
    return out;
}

static struct rig_request *make_many(size_t count, const char *path)
{
    struct rig_request *requests = calloc(count, sizeof *requests);
    cr_assert_not_null(requests);
    for (size_t i = 0; i < count; i++) {
        requests[i].url = url_of(nginx.h2_port, path);
        requests[i].version = 20;
    }
    return requests;
}

static void must_be_complete(const struct rig_request *request)
{
    cr_assert(eq(int, request->failure.status, NP_OK), "%s (%s)", request->failure.text,
              request->failure.cause);
    cr_assert(eq(int, request->status, 200));
    cr_assert(eq(int, request->protocol, 20));
    cr_assert(eq(ulong, request->body_bytes, 59));
    cr_assert(strncmp(request->body, "netphase shows", 14) == 0);
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

static int count_spans(np_span_kind kind)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += events[i].type == NP_EVENT_SPAN_BEGIN && (events[i].word[0] >> 8 & 0xff) == kind;
    free(events);
    return found;
}

/* Why the last connection was opened. */
static int last_because(void)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int because = -1;
    for (size_t i = 0; i < count; i++)
        if (events[i].type == NP_EVENT_CONNECTION_OPEN)
            because = (int)(events[i].word[1] & 0xff);
    free(events);
    return because;
}

static bool closed_for(const char *reason)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        char text[96];
        if (events[i].type != NP_EVENT_CONNECTION_CLOSE)
            continue;
        rig_text(&rig, events[i].word[3], text, sizeof text);
        found = strcmp(text, reason) == 0;
    }
    free(events);
    return found;
}

static void must_add_up(const struct rig_request *request)
{
    const np_cut cut = rig_cut(&rig, request->number);
    int64_t sum = 0;
    for (int i = 0; i < NP_PHASE_COUNT; i++)
        sum += cut.duration_ns[i];
    cr_assert(cut.ended);
    cr_assert(eq(i64, sum, np_cut_total(&cut)));
    cr_assert(eq(int, cut.flags &NP_FLAG_CLAMPED, 0));
    for (int phase = NP_PHASE_SEND; phase <= NP_PHASE_RECEIVE; phase++)
        cr_assert(cut.present >> phase & 1, "no phase %d", phase);
}

Test(http2, one_request_and_the_next_on_its_connection)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request *requests = make_many(2, "/small");

    cr_assert(rig_run(&rig, &requests[0], 1));
    cr_assert(rig_run(&rig, &requests[1], 1));

    for (int i = 0; i < 2; i++) {
        must_be_complete(&requests[i]);
        must_add_up(&requests[i]);
    }
    np_event ready, use;
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_READY, 0, &ready));
    cr_assert(eq(int, (int)ready.word[0], NP_PROTOCOL_H2));
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_USE, requests[1].number, &use));
    cr_assert(eq(int, (int)use.word[0], 2));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    free(requests);
    tear_down();
}

Test(http2, many_at_once_wait_for_the_protocol_and_share_one_connection)
{
    enum { COUNT = 50 };
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request *requests = make_many(COUNT, "/small");

    cr_assert(rig_run(&rig, requests, COUNT));

    for (int i = 0; i < COUNT; i++) {
        must_be_complete(&requests[i]);
        must_add_up(&requests[i]);
    }
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    cr_assert(eq(int, count_spans(NP_SPAN_WAIT_FOR_CONNECTION), COUNT - 1));
    const np_cut waited = rig_cut(&rig, requests[COUNT - 1].number);
    cr_assert(waited.duration_ns[NP_PHASE_QUEUE] > 0);
    cr_assert(eq(int, waited.present >> NP_PHASE_TLS & 1, 0));
    free(requests);
    tear_down();
}

/* --- the server's limit of streams --- */

static int sum_of_requests_on_connections(void)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += events[i].type == NP_EVENT_CONNECTION_USE;
    free(events);
    return sum;
}

static void run_past_the_limit(const char *http, size_t count, uint32_t connections)
{
    if (!set_up(&(struct nginx_options){.http = http},
                (np_engine_options){.connection_limit = connections}))
        return;
    struct rig_request *requests = make_many(count, "/small");

    cr_assert(rig_run(&rig, requests, count));

    for (size_t i = 0; i < count; i++) {
        must_be_complete(&requests[i]);
        must_add_up(&requests[i]);
    }
    cr_assert(sum_of_requests_on_connections() >= (int)count);
    free(requests);
    tear_down();
}

Test(http2, more_streams_than_the_server_takes_wait_in_the_queue)
{
    run_past_the_limit("", 300, 1);
}

Test(http2, a_low_limit_is_learned_and_nobody_is_lost)
{
    run_past_the_limit("http2_max_concurrent_streams 4;", 100, 2);
}

Test(http2, a_limit_of_one_stream_works)
{
    run_past_the_limit("http2_max_concurrent_streams 1;", 20, 1);
}

Test(http2, without_a_limit_of_connections_a_low_limit_of_streams_opens_more)
{
    run_past_the_limit("http2_max_concurrent_streams 4;", 60, 0);
}

/* --- connections that end --- */

Test(http2, going_away_after_a_few_requests_loses_nobody)
{
    enum { COUNT = 60 };
    if (!set_up(&(struct nginx_options){.locations = "keepalive_requests 7;"},
                (np_engine_options){.connection_limit = 2}))
        return;
    struct rig_request *requests = make_many(COUNT, "/small");
    for (int i = 0; i < COUNT; i++)
        requests[i].again = 2;

    cr_assert(rig_run(&rig, requests, COUNT));

    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, requests[i].failure.status, NP_OK), "%s (%s)", requests[i].failure.text,
                  requests[i].failure.cause);
        cr_assert(eq(int, requests[i].completed, 3));
    }
    free(requests);
    tear_down();
}

Test(http2, a_reload_of_the_server_loses_nobody)
{
    enum { COUNT = 20 };
    if (!set_up(&(struct nginx_options){.reloads = true}, (np_engine_options){0}))
        return;
    struct rig_request *requests = make_many(COUNT, "/small");
    struct rig_request *later = make_many(COUNT, "/small");

    cr_assert(rig_run(&rig, requests, COUNT));
    kill(nginx.pid, SIGHUP);
    cr_assert(rig_wait_event(&rig, NP_EVENT_CONNECTION_CLOSE, COUNT, 0));
    cr_assert(rig_run(&rig, later, COUNT));

    for (int i = 0; i < COUNT; i++) {
        must_be_complete(&requests[i]);
        must_be_complete(&later[i]);
    }
    cr_assert(closed_for("closed by peer"));
    cr_assert(eq(int, last_because(), NP_NEW_PEER_CLOSED));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 2));
    free(requests);
    free(later);
    tear_down();
}

/* --- one of several ends early --- */

static void add_large_file(size_t size)
{
    char *bytes = calloc(1, size);
    cr_assert(bytes && nginx_add_file(&nginx, "large", bytes, size));
    free(bytes);
}

Test(http2, an_aborted_stream_leaves_the_others_alone)
{
    enum { COUNT = 12 };
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    add_large_file(1000000);
    struct rig_request *requests = make_many(COUNT, "/large");
    struct rig_request *after = make_many(1, "/small");
    requests[3].abort_in_body = true;
    requests[5].abort_in_header = true;
    requests[6].abort_other = &requests[7];
    requests[8].drain_in_header = true;
    requests[8].drain_bytes = 10;

    cr_assert(rig_run(&rig, requests, COUNT));
    cr_assert(rig_run(&rig, after, 1));

    for (int i = 0; i < COUNT; i++) {
        const bool given_up = i == 3 || i == 5 || i == 8;
        if (i == 7)
            continue; /* it may have been complete before */
        cr_assert(eq(int, requests[i].failure.web_status,
                     given_up ? NP_WEB_REQUEST_CANCELED : NP_WEB_SUCCESS),
                  "%d: %s", i, requests[i].failure.text);
        if (!given_up)
            cr_assert(eq(ulong, requests[i].body_bytes, 1000000));
    }
    must_be_complete(after);
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    free(requests);
    free(after);
    tear_down();
}

Test(http2, a_paused_stream_does_not_hold_the_others)
{
    enum { COUNT = 4 };
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    add_large_file(3000000);
    struct rig_request *requests = make_many(COUNT, "/large");
    requests[0].pause_once = true;

    rig_start(&rig, requests, COUNT);
    cr_assert(rig_wait(&rig, requests + 1, COUNT - 1));
    cr_assert(rig_wait(&rig, requests, 1));

    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, requests[i].failure.status, NP_OK), "%s", requests[i].failure.text);
        cr_assert(eq(ulong, requests[i].body_bytes, 3000000));
    }
    free(requests);
    tear_down();
}

Test(http2, a_stream_that_runs_into_its_deadline_leaves_the_connection)
{
    if (!set_up(&(struct nginx_options){.locations = "location /slow { limit_rate 1; }"},
                (np_engine_options){0}))
        return;
    char path[320];
    snprintf(path, sizeof path, "%s/www/slow", nginx.folder);
    cr_assert(eq(int, symlink("small", path), 0));
    struct rig_request *slow = make_many(1, "/slow"), *after = make_many(1, "/small");
    slow->timeout_ns = 200000000;

    cr_assert(rig_run(&rig, slow, 1));
    cr_assert(rig_run(&rig, after, 1));

    cr_assert(eq(int, slow->failure.web_status, NP_WEB_TIMEOUT));
    must_be_complete(after);
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 1));
    free(slow);
    free(after);
    tear_down();
}

/* --- who fits which connection --- */

Test(http2, a_request_for_http_1_1_does_not_take_an_http_2_connection)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.connection_limit = 3}))
        return;
    struct rig_request *requests = make_many(4, "/small");
    requests[1].version = 11;
    requests[3].version = 10;

    for (int i = 0; i < 4; i++)
        cr_assert(rig_run(&rig, &requests[i], 1));

    for (int i = 0; i < 4; i++)
        cr_assert(eq(int, requests[i].status, 200));
    cr_assert(eq(int, requests[1].protocol, 11));
    cr_assert(eq(int, requests[2].protocol, 20));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 2));
    np_event open;
    cr_assert(rig_find(&rig, NP_EVENT_CONNECTION_OPEN, requests[1].number, &open));
    cr_assert(eq(int, (int)(open.word[1] & 0xff), NP_NEW_OPTIONS_DIFFER));
    cr_assert(open.word[1] >> 32 != 0, "the connection that did not fit is named");
    free(requests);
    tear_down();
}

Test(http2, a_server_without_http_2_is_known_and_used_over_http_1_1)
{
    enum { COUNT = 12 };
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.connection_limit = 4}))
        return;
    struct rig_request *requests = make_many(COUNT, "/small");
    for (int i = 0; i < COUNT; i++)
        requests[i].url = url_of(nginx.https_port, "/small");

    cr_assert(rig_run(&rig, requests, COUNT));

    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, requests[i].status, 200), "%s", requests[i].failure.text);
        cr_assert(eq(int, requests[i].protocol, 11));
    }
    cr_assert(count_events(NP_EVENT_CONNECTION_OPEN) <= 4);
    cr_assert(eq(int, count_spans(NP_SPAN_WAIT_FOR_CONNECTION), COUNT - 1));
    cr_assert(count_spans(NP_SPAN_WAIT_FOR_SLOT) > 0);
    free(requests);
    tear_down();
}

Test(http2, a_group_has_connections_of_its_own)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request *requests = make_many(3, "/small");
    requests[1].group = requests[2].group = "uploads";

    for (int i = 0; i < 3; i++) {
        cr_assert(rig_run(&rig, &requests[i], 1));
        must_be_complete(&requests[i]);
    }

    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), 2));
    cr_assert(eq(int, last_because(), NP_NEW_GROUP_DIFFERS));
    free(requests);
    tear_down();
}

Test(http2, fresh_requests_have_a_connection_each)
{
    enum { COUNT = 5 };
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){0}))
        return;
    struct rig_request *requests = make_many(COUNT, "/small");
    for (int i = 0; i < COUNT; i++)
        requests[i].reuse = NP_REUSE_FRESH;

    cr_assert(rig_run(&rig, requests, COUNT));

    for (int i = 0; i < COUNT; i++)
        must_be_complete(&requests[i]);
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_OPEN), COUNT));
    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_CLOSE), COUNT));
    free(requests);
    tear_down();
}

/* --- leases --- */

Test(http2, a_lease_of_one_request_closes_after_each)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.connection_lease_ns = -1}))
        return;
    struct rig_request *requests = make_many(2, "/small");
    requests[1].version = 11;

    for (int i = 0; i < 2; i++) {
        cr_assert(rig_run(&rig, &requests[i], 1));
        cr_assert(eq(int, requests[i].status, 200));
    }

    cr_assert(eq(int, count_events(NP_EVENT_CONNECTION_CLOSE), 2));
    cr_assert(closed_for("not to be kept"));
    free(requests);
    tear_down();
}

Test(http2, a_connection_whose_lease_is_over_takes_no_more)
{
    if (!set_up(&(struct nginx_options){0}, (np_engine_options){.connection_lease_ns = 50000000}))
        return;
    struct rig_request *requests = make_many(2, "/small");

    cr_assert(rig_run(&rig, &requests[0], 1));
    cr_assert(rig_wait_event(&rig, NP_EVENT_CONNECTION_CLOSE, 1, 0));
    cr_assert(rig_run(&rig, &requests[1], 1));

    must_be_complete(&requests[0]);
    must_be_complete(&requests[1]);
    cr_assert(closed_for("lease over"));
    cr_assert(eq(int, last_because(), NP_NEW_LEASE_OVER));
    free(requests);
    tear_down();
}
