/* The rows of calls that were refused. Floor 2. */
#include "rejected.h"
#include "clock.h"
#include "textbuf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 4096

/* Events are the loop's to emit: the call leaves a note to it. */
struct note {
    np_loop_task task;
    np_context *context; /* it stands as long as its loop runs tasks */
    uint64_t begun_ns, refused_ns;
    const char *call;
    np_textbuf detail;
};

static void emit(np_loop_task *task)
{
    struct note *note = (struct note *)((char *)task - offsetof(struct note, task));
    np_producer *producer = note->context->producer;
    const uint32_t span = np_emit_span_begin(producer, note->begun_ns, 0, 0, NP_PHASE_QUEUE,
                                             NP_SPAN_REJECTED_CALL, 0, note->call);
    np_emit_span_end(producer, note->refused_ns, 0, span, NP_SPAN_REFUSED, note->detail.text);
    np_textbuf_done(&note->detail);
    free(note);
}

static void describe(np_textbuf *out, const np_request *request, const np_error *error)
{
    char origin[320];
    bool first = true;
    (void)snprintf(origin, sizeof origin, "%s://%s:%u", request->url.scheme, request->url.host,
                   request->url.port);
    const char *status = np_status_name(error->status);
    const char *web = error->web_status ? np_web_status_name(error->web_status) : NULL;
    np_textbuf_puts(out, "{");
    np_textbuf_json_text(out, &first, "status", status, strlen(status));
    if (web)
        np_textbuf_json_text(out, &first, "web_status", web, strlen(web));
    np_textbuf_json_text(out, &first, "error", error->text, strlen(error->text));
    np_textbuf_json_text(out, &first, "origin", origin, strlen(origin));
    np_textbuf_puts(out, "}");
}

void np_rejected_note(np_request *request, const char *call, uint64_t begun_ns,
                      const np_error *error)
{
    np_context *context = request->context;
    if (!context->trace || np_context_is_disposed(context))
        return;
    struct note *note = calloc(1, sizeof *note);
    if (!note)
        return;
    note->task.run = emit;
    note->context = context;
    note->begun_ns = begun_ns;
    note->refused_ns = np_now();
    note->call = call;
    np_textbuf_init(&note->detail, DETAIL_MAX);
    describe(&note->detail, request, error);
    if (!note->detail.failed && np_context_post(context, &note->task))
        return;
    np_textbuf_done(&note->detail);
    free(note);
}
