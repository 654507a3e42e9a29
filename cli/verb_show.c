/* netphase show: one request, as a waterfall or as JSON. */
#include "verb_show.h"
#include "call_view.h"
#include "header_view.h"
#include "message.h"
#include "open_trace.h"
#include "output.h"
#include "request_json.h"
#include "waterfall.h"
#include "wire_view.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOPS_DRAWN = 12 };

enum show_format { SHOW_TABLE, SHOW_JSON };

static const char *const format_words[] = {"table", "json", NULL};

struct show_args {
    int format;
};

/* clang-format off */
static const struct verb_option options[] = {
    {.name = "format", .letter = 'f', .type = OPTION_WORD, .argument = "FORMAT", .words = format_words, .fallback = "table",
     .help = "table (the waterfall) or json", OPTION_FIELD(struct show_args, format)},
    {0},
};
/* clang-format on */

static bool is_number(const char *text)
{
    return text[0] && text[strspn(text, "0123456789")] == '\0';
}

/* Operands are [TRACE] [REQUEST]; a lone number is a request, unless a file has that name. */
static void take_operands(const struct call *call, const char **path, const char **request)
{
    bool is_lone_number = call->operand_count == 1 && is_number(call->operands[0]) &&
                          access(call->operands[0], F_OK) != 0;
    *path = trace_operand(call, is_lone_number ? 1 : 0);
    *request = is_lone_number             ? call->operands[0]
               : call->operand_count == 2 ? call->operands[1]
                                          : NULL;
}

static bool parse_id(const char *text, int64_t *out)
{
    *out = 0;
    if (!text)
        return true;
    text += text[0] == '#';
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return is_number(text) && errno == 0 && *out > 0;
}

static void draw_one(const np_request_detail *request, const struct look *look, struct text *out)
{
    waterfall_write(request, look, out);
    header_write(request, look, out);
    wire_write(request, look, out);
}

/* All hops of the call one after another; those of a long one are listed, and the one that was
 * asked for is drawn. */
static np_status draw(np_store *store, const np_request_detail *asked, const np_page *hops,
                      const struct look *look, struct text *out, np_error *err)
{
    const size_t count = hops ? hops->count : 0;
    if (count > 1)
        call_write(hops, look, out);
    if (count < 2 || count > HOPS_DRAWN) {
        draw_one(asked, look, out);
        return NP_OK;
    }
    for (size_t i = 0; i < count; i++) {
        np_request_detail *hop;
        const np_status status = np_store_request(store, hops->rows[i].id, &hop, err);
        if (status)
            return status;
        if (i > 0)
            text_char(out, '\n');
        draw_one(hop, look, out);
        np_request_detail_free(hop);
    }
    return NP_OK;
}

static int show_run(struct call *call)
{
    const struct show_args *args = call->args;
    const char *path;
    const char *request_text;
    int64_t id;
    take_operands(call, &path, &request_text);
    if (!parse_id(request_text, &id))
        return message_usage(call, "REQUEST: found '%s', expected the number of a request",
                             request_text);

    np_store *store = NULL;
    np_request_detail *request = NULL;
    np_page *hops = NULL;
    struct text out = {0};
    np_error err = {0};
    int status = open_trace(call, path, &store);
    if (status)
        return status;
    if (np_store_request(store, id, &request, &err)) {
        status = message_failure(call, &err);
        goto done;
    }
    if ((call_may_go_on(&request->row) && np_store_call(store, request->row.id, &hops, &err)) ||
        (args->format == SHOW_TABLE && draw(store, request, hops, &call->out, &out, &err))) {
        status = message_failure(call, &err);
        goto done;
    }
    if (args->format == SHOW_JSON)
        request_json(request, hops, &out);
    status = output_write(call, &out);

done:
    np_page_free(hops);
    np_request_detail_free(request);
    np_store_close(store);
    return status;
}

const struct verb verb_show = {
    .name = "show",
    .summary = "one request as a waterfall; without REQUEST, the last one",
    .operands = "[TRACE] [REQUEST]",
    .description =
        "Each phase is a bar on one clock, from the call to the last byte; what "
        "happened inside a phase (lookups, attempts, "
        "handshakes) stands below it. Phases never overlap and add up to the total; "
        "spans may overlap. A request that was redirected, authenticated or sent again is "
        "shown with all its hops.",
    .examples = "netphase show\tthe last request of netphase.db\n"
                "netphase show slow.db 118\trequest 118 of another trace\n"
                "netphase show --format json 118\tthe same for programs\n",
    .options = options,
    .args_size = sizeof(struct show_args),
    .operands_most = 2,
    .run = show_run,
};
