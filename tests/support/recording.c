/* A ring and its producer for tests. */
#include "recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void recording_init(struct recording *r)
{
    np_error err;
    memset(r, 0, sizeof *r);
    snprintf(r->path, sizeof r->path, "/tmp/netphase-test-XXXXXX");
    const int fd = mkstemp(r->path); /* a name of our own */
    if (fd < 0)
        abort();
    close(fd);
    unlink(r->path);
    if (np_ring_create(r->path, &(np_ring_options){.slot_count = RECORDED_EVENTS}, &r->ring,
                       &err) != NP_OK) {
        fprintf(stderr, "recording: %s\n", err.text);
        abort();
    }
    r->producer = (np_producer){.ring = r->ring, .detail = NP_DETAIL_SPANS};
}

void recording_done(struct recording *r)
{
    np_ring_unlink(r->ring);
    np_ring_close(r->ring);
}

void recording_read(struct recording *r)
{
    r->count = np_ring_read(r->ring, np_ring_tail(r->ring), r->events, RECORDED_EVENTS);
}

static void copy_text(const struct recording *r, np_text_ref ref, char *out, size_t size)
{
    size_t length = 0;
    const char *text = np_ring_get(r->ring, ref, &length);
    snprintf(out, size, "%.*s", (int)length, text);
}

static struct recorded_span *find_span(struct recorded_span *spans, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (spans[i].number == number)
            return &spans[i];
    return NULL;
}

static void take_begin(const struct recording *r, const np_event *e, struct recorded_span *span)
{
    *span = (struct recorded_span){.number = e->span,
                                   .request = e->request,
                                   .begin_ns = e->time_ns,
                                   .phase = (int)(e->word[0] & 0xff),
                                   .kind = (int)(e->word[0] >> 8 & 0xff),
                                   .parent = (uint32_t)(e->word[0] >> 32),
                                   .outcome = -1};
    copy_text(r, e->word[1], span->name, sizeof span->name);
}

size_t recording_spans(const struct recording *r, int kind, struct recorded_span *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        const np_event *e = &r->events[i];
        const int its_kind = (int)(e->word[0] >> 8 & 0xff);
        if (e->type == NP_EVENT_SPAN_BEGIN && count < max && (kind < 0 || its_kind == kind)) {
            take_begin(r, e, &out[count++]);
        } else if (e->type == NP_EVENT_SPAN_END) {
            struct recorded_span *span = find_span(out, count, e->span);
            if (!span)
                continue;
            span->end_ns = e->time_ns;
            span->outcome = (int)e->word[0];
            copy_text(r, e->word[1], span->detail, sizeof span->detail);
        }
    }
    return count;
}

const char *recording_phases(const struct recording *r, uint32_t request, char *out, size_t size)
{
    size_t length = 0;
    int open = -1;
    out[0] = '\0';
    for (size_t i = 0; i < r->count; i++) {
        const np_event *e = &r->events[i];
        if (e->request != request)
            continue;
        if (e->type == NP_EVENT_PHASE_BEGIN) {
            open = (int)e->word[0];
            length += (size_t)snprintf(out + length, size - length, "%s%s", length ? " " : "",
                                       np_phase_name((np_phase)open));
        } else if (e->type == NP_EVENT_PHASE_END && (int)e->word[0] == open) {
            open = -1;
        }
    }
    if (open >= 0)
        snprintf(out + length, size - length, "!");
    return out;
}

uint64_t recording_phase_at(const struct recording *r, uint32_t request, np_phase phase, int type)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->events[i].request == request && r->events[i].type == type &&
            r->events[i].word[0] == (uint64_t)phase)
            return r->events[i].time_ns;
    return 0;
}
