/*
 * netphase proxy: which proxies a request to a URL would go through, and who decided so.
 *
 * The library decides as for a request, with nothing remembered; each source that was considered is
 * shown with its verdict. No request is sent, and no proxy is connected to.
 */
#include "verb_proxy.h"
#include "json.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "proxy_options.h"
#include "table.h"
#include <netphase/text.h>
#include <stdlib.h>
#include <string.h>

enum proxy_format { PROXY_TABLE, PROXY_JSON };

struct proxy_verb_args {
    int format;
    struct proxy_args proxy;
};

static const struct proxy_verb_args defaults = {.proxy.timeout_ns = PROXY_TIMEOUT_NS};
static const char *const format_words[] = {"table", "json", NULL};

/* clang-format off */
static const struct verb_option option_table[] = {
    PROXY_OPTION_ROWS(struct proxy_verb_args, proxy),
    {.section = "The output"},
    {.name = "format", .letter = 'f', .type = OPTION_WORD, .argument = "FORMAT", .words = format_words, .fallback = "table",
     .help = "table or json", OPTION_FIELD(struct proxy_verb_args, format)},
    {0},
};
/* clang-format on */

/* --- json --- */

static const char *outcome_of(const np_proxy_step *step)
{
    static const char *const outcomes[] = {"ok", "nodata", "skipped",
                                           "failed"}; /* as the spans of a request have it */
    return outcomes[step->verdict];
}

static void text_where_set(struct json *json, const char *key, const char *value)
{
    if (value && *value)
        json_text(json, key, value);
}

static void step_json(struct json *json, const np_proxy_step *step)
{
    json_open(json, NULL, '{', true);
    json_text(json, "phase", np_phase_name(NP_PHASE_PROXY));
    json_text(json, "kind", "source");
    json_text(json, "name", step->source);
    json_int(json, "start_ns", step->start_ns);
    json_int(json, "duration_ns", step->duration_ns);
    json_text(json, "outcome", outcome_of(step));
    json_open(json, "detail", '{', true);
    json_text(json, "verdict", np_proxy_verdict_name(step->verdict));
    text_where_set(json, "reason", step->reason);
    text_where_set(json, "value", step->value);
    text_where_set(json, "variable", step->variable);
    text_where_set(json, "no_proxy", step->matched);
    if (step->matched_beyond_curl)
        json_bool(json, "beyond_curl", true);
    json_close(json, '}');
    json_close(json, '}');
}

static void explanation_json(struct json *json, const np_proxy_explanation *explanation)
{
    json_open(json, NULL, '{', false);
    json_text(json, "url", explanation->url);
    json_text(json, "source", explanation->source);
    json_open(json, "proxies", '[', true);
    for (size_t i = 0; i < explanation->proxy_count; i++)
        json_text(json, NULL, explanation->proxies[i]);
    json_close(json, ']');
    json_text(json, "error", explanation->error.status ? explanation->error.text : NULL);
    json_int(json, "duration_ns", explanation->duration_ns);
    json_open(json, "spans", '[', false);
    for (size_t i = 0; i < explanation->step_count; i++)
        step_json(json, &explanation->steps[i]);
    json_close(json, ']');
    json_close(json, '}');
}

/* --- table --- */

static void headline(struct text *out, const struct look *look,
                     const np_proxy_explanation *explanation)
{
    look_begin(look, out, ROLE_HEADING);
    text_outside(out, explanation->url, look->ascii);
    look_end(look, out, ROLE_HEADING);
    text_puts(out, "  ");
    if (explanation->error.status) {
        look_puts(look, out, ROLE_BAD, "no decision: a request fails");
    } else {
        for (size_t i = 0; i < explanation->proxy_count; i++) {
            text_puts(out, i ? ", then " : "");
            text_outside(out, explanation->proxies[i], look->ascii);
        }
    }
    text_char(out, '\n');
}

static void outside_cell(struct table *table, const struct look *look, const char *string)
{
    struct text cell = {0};
    text_outside(&cell, string, look->ascii);
    table_cell(table, text_string(&cell));
    text_done(&cell);
}

/* "http_proxy: http://p:3128", or the entry of no_proxy that matched. */
static void what_cell(struct table *table, const struct look *look, const np_proxy_step *step)
{
    struct text what = {0};
    if (step->variable)
        text_print(&what, "%s: ", step->variable);
    text_puts(&what, step->matched[0] ? step->matched : step->value);
    outside_cell(table, look, step->variable || what.length > 0 ? text_string(&what) : "");
    text_done(&what);
}

static void steps_table(struct text *out, const struct look *look,
                        const np_proxy_explanation *explanation)
{
    struct table table = {0};
    char duration[32];
    table_column(&table, "SOURCE", ALIGN_LEFT, 2);
    table_column(&table, "VERDICT", ALIGN_LEFT, 2);
    table_column(&table, "TIME", ALIGN_RIGHT, 2);
    table_column(&table, "SAYS", ALIGN_LEFT, 2);
    table_column(&table, "BECAUSE", ALIGN_LEFT, 2);
    for (size_t i = 0; i < explanation->step_count; i++) {
        const np_proxy_step *step = &explanation->steps[i];
        table_cell(&table, step->source);
        table_cell(&table, np_proxy_verdict_name(step->verdict));
        table_cell(&table, np_duration_text(step->duration_ns, duration, sizeof duration));
        what_cell(&table, look, step);
        outside_cell(&table, look, step->reason);
    }
    table_write(&table, look, out);
    table_done(&table);
}

/* --- the verb --- */

static int explain_one(struct call *call, np_context *context, const char *url, struct text *out,
                       struct json *json)
{
    const struct proxy_verb_args *args = call->args;
    np_error err = {0};
    np_proxy_explanation *explanation = NULL;
    int exit_status = EXIT_DONE;
    if (np_proxy_explain(context, url, &explanation, &err) != NP_OK)
        return message_failure(call, &err);
    if (args->format == PROXY_JSON) {
        explanation_json(json, explanation);
    } else {
        if (out->length > 0)
            text_char(out, '\n');
        headline(out, &call->out, explanation);
        steps_table(out, &call->out, explanation);
    }
    if (explanation->error.status) {
        message_error(call, "%s: %s", explanation->url, explanation->error.text);
        exit_status = EXIT_USAGE;
    }
    np_proxy_explanation_free(explanation);
    return exit_status;
}

/* All of them; the worst that happened is the exit status. */
static int explain_all(struct call *call, np_context *context)
{
    const struct proxy_verb_args *args = call->args;
    struct text out = {0};
    struct json json = {.out = &out};
    int exit_status = EXIT_DONE;
    if (args->format == PROXY_JSON) {
        json_open(&json, NULL, '{', false);
        json_text(&json, "schema", "netphase.proxy/1");
        json_open(&json, "decisions", '[', false);
    }
    for (int i = 0; i < call->operand_count; i++) {
        const int one = explain_one(call, context, call->operands[i], &out, &json);
        exit_status = one > exit_status ? one : exit_status;
    }
    if (args->format == PROXY_JSON) {
        json_close(&json, ']');
        json_close(&json, '}');
        json_end(&json);
    }
    const int written = output_write(call, &out);
    return written ? written : exit_status;
}

static int proxy_run(struct call *call)
{
    const struct proxy_verb_args *args = call->args;
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    np_context *context = NULL;
    np_proxy *proxy = NULL;
    np_error err = {0};
    options.pool_threads = 1;
    int exit_status;
    if (proxy_options_apply(&args->proxy, &options, &proxy, &err) ||
        np_context_create(&options, &context, &err))
        return message_failure(call, &err);
    exit_status = explain_all(call, context);
    np_context_free(context);
    np_proxy_release(proxy);
    return exit_status;
}

const struct verb verb_proxy = {
    .name = "proxy",
    .summary = "which proxies a URL is reached through, and who decided so",
    .operands = "URL…",
    .description = "Decides as a request to each URL would, and shows every source that was "
                   "considered: the options (context), the environment, and last direct. Nothing "
                   "is sent. Loopback hosts are reached directly unless --proxy is given.",
    .examples = "netphase proxy https://example.org/\twhat the environment says\n"
                "netphase proxy --proxy 'a:3128; b:3128' --noproxy example.org "
                "http://example.org/\twhat these options say\n"
                "netphase proxy --format json https://example.org/\tthe same for programs\n",
    .options = option_table,
    .args_size = sizeof(struct proxy_verb_args),
    .defaults = &defaults,
    .operands_least = 1,
    .operands_most = -1,
    .run = proxy_run,
};
