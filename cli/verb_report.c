/* netphase report: where the time went, by group and phase. */
#include "verb_report.h"
#include "message.h"
#include "open_trace.h"
#include "output.h"
#include "report_view.h"
#include <netphase/report.h>

enum report_format { REPORT_TABLE, REPORT_JSON, REPORT_CSV, REPORT_MARKDOWN };

static const char *const format_words[] = {"table", "json", "csv", "markdown", NULL};

struct report_args {
    const char *by, *where, *sort;
    int64_t since_ns, until_ns, run_id, top;
    int format;
};

/* clang-format off */
static const struct verb_option options[] = {
    {.name = "by", .letter = 'b', .type = OPTION_TEXT, .argument = "COLUMN[,…]", .fallback = "origin,method,connection_state",
     .help = "group by these: origin, host, url, path, route, method, status, label.KEY, run, proxy, protocol, reused, connection_state, outcome, "
             "minute; or none", OPTION_FIELD(struct report_args, by)},
    {.name = "where", .letter = 'w', .type = OPTION_TEXT, .argument = "EXPR",
     .help = "only requests that match, such as \"host = 'api.example' and setup_ns > 50ms\"", OPTION_FIELD(struct report_args, where)},
    {.name = "since", .type = OPTION_CUSTOM, .parse = time_option, .argument = "TIME",
     .help = "only requests that started then or later: 2026-11-23T12:04:26Z, or an age such as 10m", OPTION_FIELD(struct report_args, since_ns)},
    {.name = "until", .type = OPTION_CUSTOM, .parse = time_option, .argument = "TIME", .help = "only requests that started before",
     OPTION_FIELD(struct report_args, until_ns)},
    {.name = "run", .letter = 'r', .type = OPTION_INT, .low = 1, .high = INT64_MAX, .argument = "ID", .fallback = "all",
     .help = "only this run; 'netphase info' lists them", OPTION_FIELD(struct report_args, run_id)},
    {.name = "top", .letter = 'n', .type = OPTION_INT, .low = 0, .high = 1000000, .argument = "N", .fallback = "all", .help = "only the first N groups",
     OPTION_FIELD(struct report_args, top)},
    {.name = "sort", .letter = 's', .type = OPTION_TEXT, .argument = "ORDER", .fallback = "share",
     .help = "share, count, failed, p50, p90, p95, p99, max or mean (of total), setup (its p95), or name", OPTION_FIELD(struct report_args, sort)},
    {.name = "format", .letter = 'f', .type = OPTION_WORD, .argument = "FORMAT", .words = format_words, .fallback = "table",
     .help = "table, json, csv or markdown", OPTION_FIELD(struct report_args, format)},
    {0},
};
/* clang-format on */

static int write_report(const struct call *call, const np_report *report)
{
    const struct report_args *args = call->args;
    struct text out = {0};
    switch (args->format) {
    case REPORT_JSON:
        report_json(report, &out);
        break;
    case REPORT_CSV:
        report_csv(report, &out);
        break;
    case REPORT_MARKDOWN:
        report_markdown(report, args->run_id, &out);
        break;
    default:
        report_table(report, args->run_id, &call->out, &out);
    }
    if (report->dropped > 0 && (args->format == REPORT_JSON || args->format == REPORT_CSV))
        message_note(
            call, "%llu events were lost while recording: some requests are missing or lack parts",
            (unsigned long long)report->dropped);
    return output_write(call, &out);
}

/* A report over nothing because its run is not there is a mistake, not an answer. */
static int check_run(const struct call *call, np_store *store, const np_report *report)
{
    const struct report_args *args = call->args;
    np_store_info *info = NULL;
    np_error err = {0};
    if (args->run_id == 0 || report->requests > 0)
        return EXIT_DONE;
    if (np_store_info_get(store, false, &info, &err))
        return message_failure(call, &err);
    bool is_there = false;
    for (size_t i = 0; i < info->run_count; i++)
        is_there = is_there || info->runs[i].id == args->run_id;
    np_store_info_free(info);
    if (is_there)
        return EXIT_DONE;
    return message_usage(call, "there is no run %lld here; 'netphase info' lists them",
                         (long long)args->run_id);
}

static int report_run(struct call *call)
{
    const struct report_args *args = call->args;
    np_store *store = NULL;
    np_filter *filter = NULL;
    np_report *report = NULL;
    np_error err = {0};
    int status = open_filter(call, args->where, &filter);
    if (status)
        return status;
    status = open_trace(call, trace_operand(call, 0), &store);
    if (status)
        goto done;

    np_report_options how = NP_REPORT_OPTIONS_INIT;
    how.by = args->by;
    how.filter = filter;
    how.since_ns = args->since_ns;
    how.until_ns = args->until_ns;
    how.run_id = args->run_id;
    how.top = (uint32_t)args->top;
    how.sort = args->sort;
    if (np_report_create(store, &how, &report, &err))
        status = message_failure(call, &err);
    else
        status = check_run(call, store, report);
    if (status == EXIT_DONE)
        status = write_report(call, report);

done:
    np_report_free(report);
    np_store_close(store);
    np_filter_free(filter);
    return status;
}

const struct verb verb_report = {
    .name = "report",
    .summary = "where the time went, aggregated",
    .operands = "[TRACE]",
    .description = "Every group of requests has a table: one row a phase with the number of "
                   "requests in which it happened, quantiles, and its share of the "
                   "summed total. A dash means that a phase did not happen. New, resumed and "
                   "reused connections are groups of their own.",
    .examples = "netphase report\twhere the time of netphase.db went\n"
                "netphase report --by host --sort p95 --top 5\tthe five slowest hosts\n"
                "netphase report --where 'setup_ns > 50ms and status >= 500' --since 10m\tonly "
                "what was slow and failed lately\n"
                "netphase report --format json | jq '.groups[0].setup.p95_ns'\tfor programs\n",
    .options = options,
    .args_size = sizeof(struct report_args),
    .operands_most = 1,
    .run = report_run,
};
