/* netphase info: what a trace holds, whether it is whole; --rebuild makes its derived parts anew.
 */
#include "verb_info.h"
#include "json.h"
#include "message.h"
#include "open_trace.h"
#include "output.h"
#include "table.h"
#include <inttypes.h>
#include <string.h>

enum info_format { INFO_TABLE, INFO_JSON };

static const char *const format_words[] = {"table", "json", NULL};

struct info_args {
    bool quick, rebuild;
    int format;
};

/* clang-format off */
static const struct verb_option options[] = {
    {.name = "quick", .type = OPTION_FLAG, .help = "do not check whether the file is whole: that reads all of it", OPTION_FIELD(struct info_args, quick)},
    {.name = "rebuild", .type = OPTION_FLAG, .help = "first make the derived parts (column chunks) anew from the rows", OPTION_FIELD(struct info_args, rebuild)},
    {.name = "format", .letter = 'f', .type = OPTION_WORD, .argument = "FORMAT", .words = format_words, .fallback = "table", .help = "table or json",
     OPTION_FIELD(struct info_args, format)},
    {0},
};
/* clang-format on */

/* ---------------------------------------------------------------------------------------------------
 * table */

static void put_fact(const struct look *look, struct text *out, const char *name, const char *value,
                     int role)
{
    struct text padded = {0};
    text_left(&padded, name, 13);
    look_puts(look, out, ROLE_QUIET, text_string(&padded));
    look_puts(look, out, role, value);
    text_char(out, '\n');
    text_done(&padded);
}

static void put_count(const struct look *look, struct text *out, const char *name, uint64_t count,
                      bool is_bad)
{
    struct text value = {0};
    text_thousands(&value, count);
    put_fact(look, out, name, text_string(&value), is_bad && count > 0 ? ROLE_BAD : ROLE_PLAIN);
    text_done(&value);
}

static void put_time_span(const np_store_info *info, const struct look *look, struct text *out)
{
    struct text value = {0};
    if (info->first_ns == 0) {
        text_puts(&value, look->ascii ? "-" : "–");
    } else {
        time_people(&value, info->first_ns, true, 3);
        text_puts(&value, look->ascii ? " ... " : " … ");
        time_people(&value, info->last_ns, true, 3);
        text_puts(&value, " UTC");
    }
    put_fact(look, out, "time", text_string(&value), ROLE_PLAIN);
    text_done(&value);
}

static void put_requests(const np_store_info *info, const struct look *look, struct text *out)
{
    struct text value = {0};
    text_thousands(&value, info->requests);
    if (info->failed > 0) {
        text_puts(&value, ", ");
        text_thousands(&value, info->failed);
        text_puts(&value, " failed");
    }
    put_fact(look, out, "requests", text_string(&value), ROLE_PLAIN);
    text_done(&value);
}

static void put_checks(const np_store_info *info, const struct look *look, struct text *out)
{
    bool is_whole = strcmp(info->integrity, "ok") == 0;
    struct text value = {0};
    text_outside(&value, info->integrity, look->ascii);
    put_fact(look, out, "integrity", text_string(&value), is_whole ? ROLE_PLAIN : ROLE_BAD);
    text_clear(&value);
    if (info->problems == 0) {
        text_puts(&value, "none");
    } else {
        text_thousands(&value, info->problems);
        text_puts(&value, ", the first: ");
        text_outside(&value, info->first_problem, look->ascii);
    }
    put_fact(look, out, "problems", text_string(&value),
             info->problems > 0 ? ROLE_BAD : ROLE_PLAIN);
    text_done(&value);
}

static void cell_number(struct table *table, uint64_t number)
{
    struct text cell = {0};
    text_thousands(&cell, number);
    table_cell(table, text_string(&cell));
    text_done(&cell);
}

static void cell_outside(struct table *table, const char *value, bool ascii)
{
    struct text cell = {0};
    text_outside(&cell, value, ascii);
    table_cell(table, text_string(&cell));
    text_done(&cell);
}

/* How long a run took; a dash while it is recording. */
static void cell_length(struct table *table, const np_run_info *run, bool ascii)
{
    struct text cell = {0};
    if (run->ended_ns > run->started_ns) {
        duration_in(&cell, run->ended_ns - run->started_ns, UNIT_S);
        text_puts(&cell, " s");
    } else {
        text_puts(&cell, ascii ? "-" : "–");
    }
    table_cell(table, text_string(&cell));
    text_done(&cell);
}

static void cell_labels(struct table *table, const char *labels, bool ascii)
{
    struct text cell = {0};
    struct json_member member;
    while (json_member_next(&labels, &member)) {
        if (cell.length > 0)
            text_char(&cell, ' ');
        text_outside(&cell, member.key, ascii);
        text_char(&cell, '=');
        text_outside(&cell, member.value, ascii);
    }
    table_cell(table, text_string(&cell));
    text_done(&cell);
}

static void put_runs(const np_store_info *info, const struct look *look, struct text *out)
{
    static const struct {
        const char *heading;
        enum align align;
    } columns[] = {
        {"run",           ALIGN_RIGHT},
        {"started (UTC)", ALIGN_LEFT },
        {"took",          ALIGN_POINT},
        {"state",         ALIGN_LEFT },
        {"mode",          ALIGN_LEFT },
        {"requests",      ALIGN_RIGHT},
        {"failed",        ALIGN_RIGHT},
        {"lost",          ALIGN_RIGHT},
        {"tool",          ALIGN_LEFT },
        {"labels",        ALIGN_LEFT }
    };
    struct table table = {0};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        table_column(&table, columns[i].heading, columns[i].align, i == 0 ? 0 : 2);
    for (size_t i = 0; i < info->run_count; i++) {
        const np_run_info *run = &info->runs[i];
        struct text cell = {0};
        text_print(&cell, "%" PRId64, run->id);
        table_cell(&table, text_string(&cell));
        text_clear(&cell);
        time_people(&cell, run->started_ns, true, 0);
        table_cell(&table, text_string(&cell));
        cell_length(&table, run, look->ascii);
        cell_outside(&table, run->state, look->ascii);
        cell_outside(&table, run->mode, look->ascii);
        cell_number(&table, run->requests);
        cell_number(&table, run->failed);
        cell_number(&table, run->dropped);
        cell_outside(&table, run->tool, look->ascii);
        cell_labels(&table, run->labels, look->ascii);
        text_done(&cell);
    }
    table_write(&table, look, out);
    table_done(&table);
}

void info_table(const np_store_info *info, bool is_checked, const struct look *look,
                struct text *out)
{
    struct text path = {0};
    struct text size = {0};
    text_outside(&path, info->path, look->ascii);
    size_people(&size, info->file_bytes);
    look_puts(look, out, ROLE_HEADING, text_string(&path));
    text_print(out, "  %s, schema %d\n\n", text_string(&size), info->schema_version);
    put_time_span(info, look, out);
    put_requests(info, look, out);
    put_count(look, out, "unfinished", info->unfinished, false);
    put_count(look, out, "connections", info->connections, false);
    put_count(look, out, "spans", info->spans, false);
    put_count(look, out, "chunks", info->chunks, false);
    put_count(look, out, "lost events", info->dropped, true);
    if (is_checked)
        put_checks(info, look, out);
    text_char(out, '\n');
    if (info->run_count > 0)
        put_runs(info, look, out);
    else
        text_puts(out, "no runs\n");
    text_done(&path);
    text_done(&size);
}

/* ----------------------------------------------------------------------------------------------------
 * JSON */

static void time_json(struct json *json, const char *key, int64_t unix_ns)
{
    struct text time = {0};
    if (unix_ns != 0)
        time_rfc3339(&time, unix_ns, 9);
    json_text(json, key, unix_ns != 0 ? text_string(&time) : NULL);
    text_done(&time);
}

static void run_json(struct json *json, const np_run_info *run)
{
    json_open(json, NULL, '{', false);
    json_int(json, "id", run->id);
    json_text(json, "uuid", run->uuid);
    time_json(json, "started", run->started_ns);
    time_json(json, "ended", run->ended_ns);
    json_text(json, "state", run->state);
    json_text(json, "mode", run->mode);
    json_text(json, "tool", run->tool);
    json_text(json, "command", run->command[0] ? run->command : NULL);
    if (run->exit_status >= 0)
        json_int(json, "exit_status", run->exit_status);
    else
        json_null(json, "exit_status");
    json_count(json, "requests", run->requests);
    json_count(json, "failed", run->failed);
    json_count(json, "dropped_events", run->dropped);
    json_raw(json, "labels", run->labels[0] ? run->labels : "{}");
    json_raw(json, "environment", run->environment[0] ? run->environment : "{}");
    json_close(json, '}');
}

void info_json(const np_store_info *info, bool is_checked, struct text *out)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{', false);
    json_text(&json, "schema", "netphase.info/1");
    json_open(&json, "trace", '{', false);
    json_text(&json, "file", info->path);
    json_int(&json, "file_bytes", info->file_bytes);
    json_int(&json, "schema_version", info->schema_version);
    time_json(&json, "from", info->first_ns);
    time_json(&json, "to", info->last_ns);
    json_count(&json, "requests", info->requests);
    json_count(&json, "failed", info->failed);
    json_count(&json, "unfinished", info->unfinished);
    json_count(&json, "connections", info->connections);
    json_count(&json, "spans", info->spans);
    json_count(&json, "chunks", info->chunks);
    json_count(&json, "dropped_events", info->dropped);
    if (is_checked) {
        json_text(&json, "integrity", info->integrity);
        json_count(&json, "problems", info->problems);
        json_text(&json, "first_problem", info->problems > 0 ? info->first_problem : NULL);
    }
    json_close(&json, '}');
    json_open(&json, "runs", '[', false);
    for (size_t i = 0; i < info->run_count; i++)
        run_json(&json, &info->runs[i]);
    json_close(&json, ']');
    json_close(&json, '}');
    json_end(&json);
}

/* ----------------------------------------------------------------------------------------------------
 * verb */

static int rebuild(const struct call *call, const char *path)
{
    np_error err = {0};
    uint64_t chunks = 0;
    if (np_store_rebuild(path, &chunks, &err))
        return message_failure(call, &err);
    message_note(call, chunks == 1 ? "%llu chunk was made anew" : "%llu chunks were made anew",
                 (unsigned long long)chunks);
    return EXIT_DONE;
}

static int write_info(const struct call *call, const np_store_info *info)
{
    const struct info_args *args = call->args;
    struct text out = {0};
    if (args->format == INFO_JSON)
        info_json(info, !args->quick, &out);
    else
        info_table(info, !args->quick, &call->out, &out);
    int status = output_write(call, &out);
    bool is_whole = args->quick || (info->problems == 0 && strcmp(info->integrity, "ok") == 0);
    if (status || is_whole)
        return status;
    message_error(call, "%s is damaged", info->path);
    return EXIT_UNREADABLE;
}

static int info_run(struct call *call)
{
    const struct info_args *args = call->args;
    const char *path = trace_operand(call, 0);
    np_store *store = NULL;
    np_store_info *info = NULL;
    np_error err = {0};
    int status = open_trace(call, path, &store);
    if (status)
        return status;
    if (args->rebuild) {
        np_store_close(store);
        store = NULL;
        status = rebuild(call, path);
        if (status == EXIT_DONE)
            status = open_trace(call, path, &store);
        if (status)
            return status;
    }
    if (np_store_info_get(store, !args->quick, &info, &err))
        status = message_failure(call, &err);
    else
        status = write_info(call, info);
    np_store_info_free(info);
    np_store_close(store);
    return status;
}

const struct verb verb_info = {
    .name = "info",
    .summary = "what a trace holds, and whether it is whole",
    .operands = "[TRACE]",
    .description = "Exits with 4 when the file is damaged or its rows contradict each other.",
    .examples = "netphase info\truns, counts, span of time, size, integrity of netphase.db\n"
                "netphase info --rebuild big.db\tmake the column chunks anew, then tell\n",
    .options = options,
    .args_size = sizeof(struct info_args),
    .operands_most = 1,
    .run = info_run,
};
