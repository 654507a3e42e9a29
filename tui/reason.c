/* Why a request took as long as it did; see reason.h. */
#include "reason.h"
#include "output.h"
#include "words.h"
#include <netphase/text.h>
#include <string.h>

/* What goes before the duration. */
static const char *const sentences[NP_PHASE_COUNT] = {
    [NP_PHASE_QUEUE] = "waited for a connection or a place:",
    [NP_PHASE_PROXY] = "finding the proxy took",
    [NP_PHASE_DNS] = "resolving the name took",
    [NP_PHASE_CONNECT] = "connecting took",
    [NP_PHASE_TUNNEL] = "the way through the proxy took",
    [NP_PHASE_TLS] = "the TLS handshake took",
    [NP_PHASE_SEND] = "sending the request took",
    [NP_PHASE_WAIT] = "the server needed",
    [NP_PHASE_RECEIVE] = "receiving the body took",
    [NP_PHASE_GAP] = "not attributed to any phase:",
};

static np_phase largest_phase(const np_row *row)
{
    int largest = 0;
    for (int phase = 1; phase < NP_PHASE_COUNT; phase++)
        if (row->phase_ns[phase] > row->phase_ns[largest])
            largest = phase;
    return (np_phase)largest;
}

static bool is_telling(const np_span *span, np_phase phase)
{
    return span->phase == phase && span->duration_ns > 0 && strcmp(span->kind, "piece") != 0;
}

/* The longest span of a phase under a parent; NULL: there is none. */
static const np_span *longest(const np_request_detail *request, np_phase phase, int64_t parent_id)
{
    const np_span *found = NULL;
    for (size_t i = 0; i < request->span_count; i++) {
        const np_span *span = &request->spans[i];
        if (is_telling(span, phase) && span->parent_id == parent_id &&
            (!found || span->duration_ns > found->duration_ns))
            found = span;
    }
    return found;
}

/* Down from the longest span of the phase as long as one child is nearly all of it. */
static const np_span *telling_span(const np_request_detail *request, np_phase phase,
                                   const np_span **parent)
{
    const np_span *span = longest(request, phase, 0);
    *parent = NULL;
    for (int depth = 0; span && depth < 8; depth++) {
        const np_span *child = longest(request, phase, span->id);
        if (!child || child->duration_ns < span->duration_ns / 2)
            break;
        *parent = span;
        span = child;
    }
    return span;
}

static void put_span(const np_request_detail *request, np_phase phase, bool ascii, struct text *out)
{
    const np_span *parent;
    const np_span *span = telling_span(request, phase, &parent);
    if (!span || span->duration_ns < request->row.phase_ns[phase] / 4)
        return;
    char duration[32];
    text_puts(out, ascii ? " - " : " – ");
    text_outside(out, span->kind, ascii);
    text_char(out, ' ');
    struct text words = {0};
    words_span(&words, span, NULL, ascii);
    text_puts(out, text_string(&words));
    text_done(&words);
    text_print(out, ", %s", np_duration_text(span->duration_ns, duration, sizeof duration));
}

static void put_phase(const np_request_detail *request, np_phase phase, bool ascii,
                      struct text *out)
{
    const np_row *row = &request->row;
    char duration[32];
    text_print(out, "%s %s", sentences[phase],
               np_duration_text(row->phase_ns[phase], duration, sizeof duration));
    if (row->total_ns > 0)
        text_print(out, ", %.0f %% of it",
                   100.0 * (double)row->phase_ns[phase] / (double)row->total_ns);
    put_span(request, phase, ascii, out);
}

void reason_write(const np_request_detail *request, bool ascii, struct text *out)
{
    const np_row *row = &request->row;
    const np_phase phase = largest_phase(row);
    if (row->failed) {
        words_failure(out, row, ascii);
        if (row->phase_ns[phase] > 0)
            text_puts(out, "; ");
    }
    if (row->phase_ns[phase] > 0)
        put_phase(request, phase, ascii, out);
    if (row->reused && !row->failed)
        text_puts(out, "; the connection was there already");
}
