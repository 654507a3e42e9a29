/* Fewer file descriptors than connections wanted: requests wait, and none is lost. Run with limits
 * as `ulimit -n` sets them; the server runs under its own. */
#include "dns_server.h"
#include "engine_rig.h"
#include "engine_types.h"
#include "nginx.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct nginx nginx;
static struct rig rig;

static void limit_descriptors(unsigned count)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = count;
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &files), 0));
}

/* nginx keeps the limit it was started with. */
static bool set_up(np_engine_options options, const char *const *rules, size_t rule_count)
{
    limit_descriptors(4096);
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        printf("SKIPPED: %s\n", nginx.why);
        cr_assert_null(getenv("CI"), "%s", nginx.why);
        return false;
    }
    options.ca_file = nginx.ca_file;
    cr_assert(rig_open(&rig, &options, rules, rule_count, true));
    return true;
}

static void tear_down(void)
{
    rig_close(&rig);
    nginx_stop(&nginx);
}

/* Each file says which one it is, so that no answer can be taken for another's. */
enum { BODY_BYTES = 40 };

static void make_files(int count)
{
    for (int i = 0; i < count; i++) {
        char name[16], body[BODY_BYTES + 1];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(body, sizeof body, "%0*d", BODY_BYTES, i);
        cr_assert(nginx_add_file(&nginx, name, body, BODY_BYTES));
    }
}

static struct rig_request *make_requests(int count, const char *scheme, unsigned port, int version)
{
    struct rig_request *requests = calloc((size_t)count, sizeof *requests);
    for (int i = 0; i < count; i++) {
        char *url = malloc(64);
        snprintf(url, 64, "%s://127.0.0.1:%u/f%d", scheme, port, i);
        requests[i].url = url;
        requests[i].version = version;
    }
    return requests;
}

static void must_all_be_right(const struct rig_request *requests, int count)
{
    for (int i = 0; i < count; i++) {
        char expected[BODY_BYTES + 1];
        snprintf(expected, sizeof expected, "%0*d", BODY_BYTES, i);
        cr_assert(eq(int, requests[i].failure.status, NP_OK), "%d: %s (%s)", i,
                  requests[i].failure.text, requests[i].failure.cause);
        cr_assert(eq(int, requests[i].status, 200));
        cr_assert(eq(ulong, requests[i].body_bytes, BODY_BYTES));
        cr_assert(eq(int, memcmp(requests[i].body, expected, BODY_BYTES), 0), "%d got %.40s", i,
                  requests[i].body);
    }
}

static void free_requests(struct rig_request *requests, int count)
{
    for (int i = 0; i < count; i++)
        free((char *)(uintptr_t)requests[i].url);
    free(requests);
}

static void run_with(unsigned descriptors, int count, bool tls, int version)
{
    if (!set_up((np_engine_options){0}, NULL, 0))
        return;
    make_files(count);
    struct rig_request *requests = make_requests(count, tls ? "https" : "http",
                                                 version == 20 ? nginx.h2_port
                                                 : tls         ? nginx.https_port
                                                               : nginx.http_port,
                                                 version);
    limit_descriptors(descriptors);

    cr_assert(rig_run(&rig, requests, (size_t)count));

    must_all_be_right(requests, count);
    cr_assert(le(int, rig_open_fds(), (int)descriptors));
    free_requests(requests, count);
    tear_down();
}

Test(descriptors, two_hundred_at_once_with_64)
{
    run_with(64, 200, false, 11);
}

Test(descriptors, a_thousand_at_once_with_256)
{
    run_with(256, 1000, false, 11);
}

Test(descriptors, over_tls_the_certificates_can_still_be_read)
{
    run_with(64, 100, true, 11);
}

Test(descriptors, a_thousand_streams_at_once_need_few)
{
    run_with(64, 1000, true, 20);
}

Test(descriptors, a_wait_is_queue_and_says_for_what)
{
    enum { COUNT = 200 };
    if (!set_up((np_engine_options){0}, NULL, 0))
        return;
    make_files(COUNT);
    struct rig_request *requests = make_requests(COUNT, "http", nginx.http_port, 11);
    limit_descriptors(64);

    cr_assert(rig_run(&rig, requests, COUNT));

    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int waits = 0;
    for (size_t i = 0; i < count; i++) {
        char name[96];
        if (events[i].type != NP_EVENT_SPAN_BEGIN ||
            (events[i].word[0] >> 8 & 0xff) != NP_SPAN_WAIT_FOR_SLOT)
            continue;
        rig_text(&rig, events[i].word[1], name, sizeof name);
        waits += strcmp(name, "no file descriptor free for another connection") == 0;
        cr_assert(eq(int, (int)(events[i].word[0] & 0xff), NP_PHASE_QUEUE));
    }
    cr_assert(waits > 0);
    free(events);
    free_requests(requests, COUNT);
    tear_down();
}

/* Idle connections to others are closed for whoever has none. */
Test(descriptors, many_hosts_share_what_there_is)
{
    enum { COUNT = 120 };
    static char rule[COUNT][64];
    static const char *rules[COUNT];
    limit_descriptors(4096);
    for (int i = 0; i < COUNT; i++)
        rules[i] = rule[i];
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        printf("SKIPPED: %s\n", nginx.why);
        return;
    }
    for (int i = 0; i < COUNT; i++)
        snprintf(rule[i], sizeof rule[i], "h%d.test:%u:127.0.0.1", i, nginx.http_port);
    cr_assert(rig_open(&rig, &(np_engine_options){0}, rules, COUNT, true));
    make_files(COUNT);
    struct rig_request *requests = calloc(COUNT, sizeof *requests);
    for (int i = 0; i < COUNT; i++) {
        char *url = malloc(64);
        snprintf(url, 64, "http://h%d.test:%u/f%d", i, nginx.http_port, i);
        requests[i].url = url;
    }
    limit_descriptors(64);

    cr_assert(rig_run(&rig, requests, COUNT));

    must_all_be_right(requests, COUNT);
    free_requests(requests, COUNT);
    tear_down();
}

/* Nothing of ours could become free: the rest of the program has them all. */
static int take_all(int *taken, int max)
{
    int count = 0;
    while (count < max && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    return count;
}

Test(descriptors, one_that_somebody_else_gives_back_is_enough)
{
    static int taken[64];
    if (!set_up((np_engine_options){0}, NULL, 0))
        return;
    make_files(1);
    struct rig_request *request = make_requests(1, "http", nginx.http_port, 11);
    limit_descriptors(64);
    const int count = take_all(taken, 64);

    rig_start(&rig, request, 1);
    cr_assert(rig_wait_event(&rig, NP_EVENT_SPAN_BEGIN,
                             (uint64_t)NP_PHASE_QUEUE | (uint64_t)NP_SPAN_WAIT_FOR_SLOT << 8, 0));
    for (int i = 0; i < count; i++)
        close(taken[i]);
    cr_assert(rig_wait(&rig, request, 1));

    must_all_be_right(request, 1);
    free_requests(request, 1);
    tear_down();
}

Test(descriptors, a_program_without_any_is_told_after_the_time_of_a_connect)
{
    static int taken[64];
    if (!set_up((np_engine_options){.connect_timeout_ns = 200000000}, NULL, 0))
        return;
    make_files(1);
    struct rig_request *request = make_requests(1, "http", nginx.http_port, 11);
    limit_descriptors(64);
    const int count = take_all(taken, 64);

    cr_assert(rig_run(&rig, request, 1));
    for (int i = 0; i < count; i++)
        close(taken[i]);

    cr_assert(eq(int, request->failure.web_status, NP_WEB_CONNECT_FAILURE));
    cr_assert(strstr(request->failure.text, "Too many open files") != NULL, "%s",
              request->failure.text);
    free_requests(request, 1);
    tear_down();
}

/* --- a lookup needs one too --- */

static const struct dns_rule origin_rules[] = {
    {.name = "origin.test",     .type = DNS_A, .addresses = "127.0.0.1", .ttl_s = 60},
    {.name = "origin.test", .type = DNS_AAAA, .ttl_s = 60},
    {0                        }
};

static struct rig_request name_request(void)
{
    static char url[64];
    snprintf(url, sizeof url, "http://origin.test:%u/f0", nginx.http_port);
    return (struct rig_request){.url = url};
}

Test(descriptors, a_lookup_without_one_waits_and_says_for_what)
{
    static int taken[64];
    struct dns_server *dns = dns_server_start(origin_rules);
    rig_dns_servers = dns_server_address(dns);
    if (!set_up((np_engine_options){0}, NULL, 0))
        return;
    make_files(1);
    struct rig_request request = name_request();
    limit_descriptors(64);
    const int count = take_all(taken, 64);

    rig_start(&rig, &request, 1);
    cr_assert(rig_wait_event(&rig, NP_EVENT_SPAN_BEGIN,
                             (uint64_t)NP_PHASE_QUEUE | (uint64_t)NP_SPAN_WAIT_FOR_SLOT << 8, 0));
    cr_assert(eq(int, dns_server_count(dns), 0));
    for (int i = 0; i < count; i++)
        close(taken[i]);
    cr_assert(rig_wait(&rig, &request, 1));

    must_all_be_right(&request, 1);
    cr_assert(gt(int, dns_server_count_of(dns, "origin.test", DNS_A), 0));
    tear_down();
    dns_server_stop(dns);
}

Test(descriptors, a_lookup_that_never_gets_one_is_told_so)
{
    static int taken[64];
    struct dns_server *dns = dns_server_start(origin_rules);
    rig_dns_servers = dns_server_address(dns);
    if (!set_up((np_engine_options){.connect_timeout_ns = 200000000}, NULL, 0))
        return;
    make_files(1);
    struct rig_request request = name_request();
    limit_descriptors(64);
    const int count = take_all(taken, 64);

    cr_assert(rig_run(&rig, &request, 1));
    for (int i = 0; i < count; i++)
        close(taken[i]);

    cr_assert(eq(int, request.failure.status, NP_E_WEB));
    cr_assert(strstr(request.failure.text, "Too many open files") != NULL, "%s",
              request.failure.text);
    tear_down();
    dns_server_stop(dns);
}
