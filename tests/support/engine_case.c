#include "engine_case.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nginx nginx;
struct raw_server raw;
struct rig rig;
static char rule[4][64];
static const char *rules[4] = {rule[0], rule[1], rule[2], rule[3]};

bool set_up(const struct nginx_options *server, np_engine_options options)
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

void tear_down(void)
{
    rig_close(&rig);
    nginx_stop(&nginx);
}

void set_up_raw(const struct raw_script *scripts, int count, np_engine_options options)
{
    cr_assert(raw_server_start(&raw, scripts, count));
    snprintf(rule[0], sizeof rule[0], "origin.test:%u:127.0.0.1", raw.port);
    cr_assert(rig_open(&rig, &options, rules, 1, true));
}

void tear_down_raw(void)
{
    rig_close(&rig);
    raw_server_stop(&raw);
}

const char *make_url(const char *scheme, const char *host, unsigned port, const char *path)
{
    static char text[16][256];
    static int next;
    char *out = text[next++ % 16];
    snprintf(out, 256, "%s://%s:%u%s", scheme, host, port, path);
    return out;
}

const char *http(const char *path)
{
    return make_url("http", "origin.test", nginx.http_port, path);
}

const char *https(const char *path)
{
    return make_url("https", "origin.test", nginx.https_port, path);
}

const char *raw_url(void)
{
    return make_url("http", "origin.test", raw.port, "/");
}

void run_one(struct rig_request *request)
{
    cr_assert(rig_run(&rig, request, 1));
}

void must_be_complete(const struct rig_request *request)
{
    cr_assert(eq(int, request->failure.status, NP_OK), "%s (%s)", request->failure.text,
              request->failure.cause);
    cr_assert(eq(int, request->status, 200));
}

void must_fail(const struct rig_request *request, np_web_status web_status, const char *words)
{
    cr_assert(eq(int, request->failure.status, NP_E_WEB));
    cr_assert(eq(int, request->failure.web_status, web_status), "%s (%s)", request->failure.text,
              request->failure.cause);
    cr_assert(strstr(request->failure.text, words) != NULL, "'%s' has no '%s'",
              request->failure.text, words);
}

int count_events(np_event_type type)
{
    np_event *events = malloc(RIG_EVENTS_MAX * sizeof *events);
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found += events[i].type == type;
    free(events);
    return found;
}

int count_spans(np_span_kind kind, uint32_t request)
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

int use_of(uint32_t request)
{
    np_event event;
    return rig_find(&rig, NP_EVENT_CONNECTION_USE, request, &event) ? (int)event.word[0] : 0;
}

bool is_present(const np_cut *cut, np_phase phase)
{
    return (cut->present & 1u << phase) != 0;
}

void must_add_up(const np_cut *cut)
{
    int64_t sum = 0;
    for (int i = 0; i < NP_PHASE_COUNT; i++)
        sum += cut->duration_ns[i];
    cr_assert(cut->ended);
    cr_assert(eq(i64, sum, np_cut_total(cut)));
    cr_assert(eq(int, cut->flags &NP_FLAG_CLAMPED, 0));
}
