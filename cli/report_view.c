/* A report as a table, JSON, CSV and Markdown. */
#include "report_view.h"
#include "json.h"
#include "output.h"
#include "table.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
#define PHASE_ROW(NAME, text, letter_) \
    {.name = text, .role = ROLE_PHASE + NP_PHASE_##NAME, .letter = letter_, .offset = offsetof(np_report_group, phases) + NP_PHASE_##NAME * sizeof(np_figures)}

const struct report_row report_rows[REPORT_ROWS] = {
    PHASE_ROW(QUEUE, "queue", 'q'),
    PHASE_ROW(PROXY, "proxy", 'p'),
    PHASE_ROW(DNS, "dns", 'd'),
    PHASE_ROW(CONNECT, "connect", 'c'),
    PHASE_ROW(TUNNEL, "tunnel", 'x'),
    PHASE_ROW(TLS, "tls", 't'),
    {.name = "setup", .role = ROLE_SUM, .letter = '=', .is_sum = true, .offset = offsetof(np_report_group, setup)},
    PHASE_ROW(SEND, "send", 's'),
    PHASE_ROW(WAIT, "wait", 'w'),
    PHASE_ROW(RECEIVE, "receive", 'r'),
    PHASE_ROW(GAP, "gap", '.'),
    {.name = "total", .role = ROLE_SUM, .letter = '=', .is_sum = true, .offset = offsetof(np_report_group, total)},
    {.name = "caller_blocked", .role = ROLE_QUIET, .letter = 'b', .is_sum = true, .offset = offsetof(np_report_group, caller_blocked)},
};
/* clang-format on */

const np_figures *report_figures(const np_report_group *group, const struct report_row *row)
{
    return (const np_figures *)(const void *)((const char *)group + row->offset);
}

/* ---------------------------------------------------------------------------------------- names of
 * groups */

struct state_words {
    const char *state, *words;
};

static const struct state_words connection_states[] = {
    {"new",         "new connections"             },
    {"resumed-tls", "new connections, TLS resumed"},
    {"reused",      "reused connections"          },
};

static const char *connection_words(const char *state)
{
    if (!state)
        return "no connection";
    for (size_t i = 0; i < sizeof connection_states / sizeof connection_states[0]; i++)
        if (strcmp(state, connection_states[i].state) == 0)
            return connection_states[i].words;
    return state;
}

/* Columns whose value alone does not say what it is. */
static bool needs_name(const char *column)
{
    static const char *const columns[] = {"status",  "run",    "proxy",   "reused",
                                          "outcome", "minute", "protocol"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (strcmp(column, columns[i]) == 0)
            return true;
    return strncmp(column, "label.", 6) == 0;
}

/* What an absent value means. */
static const char *absent_words(const char *column)
{
    return strcmp(column, "proxy") == 0 || strcmp(column, "status") == 0 ? "none" : "not known";
}

static const char *separator(bool ascii)
{
    return ascii ? " | " : " · ";
}

void report_group_name(const np_report *report, const np_report_group *group, bool ascii,
                       struct text *out)
{
    size_t start = out->length;
    for (size_t i = 0; i < report->by_count; i++) {
        const char *column = report->by[i];
        const char *value = group->by[i];
        if (out->length > start)
            text_puts(out, separator(ascii));
        if (strcmp(column, "connection_state") == 0) {
            text_outside(out, connection_words(value), ascii);
            continue;
        }
        if (needs_name(column) || !value) {
            text_outside(out, strncmp(column, "label.", 6) == 0 ? column + 6 : column, ascii);
            text_char(out, ' ');
        }
        text_outside(out, value ? value : absent_words(column), ascii);
    }
    if (report->by_count == 0)
        text_puts(out, "all requests");
}

/* The same between parts of a text that is wrapped: it stays at the end of its line. */
static const char *wrapped_separator(bool ascii)
{
    return ascii ? "\x01| " : "\x01· ";
}

static void put_requests(struct text *out, uint64_t requests, uint64_t failed)
{
    text_thousands(out, requests);
    text_puts(out, requests == 1 ? " request" : " requests");
    if (failed > 0) {
        text_puts(out, ", ");
        text_thousands(out, failed);
        text_puts(out, " failed");
    }
}

/* ---------------------------------------------------------------------------------------------------
 * head */

/* "label commit=4be1c09"; nothing where there are none. */
static void put_labels(struct text *out, const char *labels, bool ascii)
{
    struct json_member member;
    while (json_member_next(&labels, &member)) {
        text_puts(out, wrapped_separator(ascii));
        size_t from = out->length;
        text_outside(out, member.key, ascii);
        text_char(out, '=');
        text_outside(out, member.value, ascii);
        text_tie(out, from);
    }
}

static void put_span_of_time(struct text *out, const np_report *report, bool ascii)
{
    if (report->from_ns == 0)
        return;
    text_puts(out, wrapped_separator(ascii));
    size_t from = out->length;
    time_people(out, report->from_ns, true, 0);
    text_puts(out, ascii ? " ... " : " … ");
    struct text from_day = {0};
    struct text to_day = {0};
    time_people(&from_day, report->from_ns, true, 0);
    time_people(&to_day, report->to_ns, true, 0);
    bool same_day =
        strncmp(text_string(&from_day), text_string(&to_day), strlen("2026-11-23")) == 0;
    time_people(out, report->to_ns, !same_day, 0);
    text_puts(out, " UTC");
    text_tie(out, from);
    text_done(&from_day);
    text_done(&to_day);
}

/* File, runs, span of time, requests, labels: one line, wrapped where it must be. */
static void put_head(const np_report *report, int64_t run_id, const struct look *look,
                     struct text *out)
{
    struct text head = {0};
    text_outside(&head, report->file, look->ascii);
    text_puts(&head, wrapped_separator(look->ascii));
    if (run_id > 0)
        text_print(&head, "run %" PRId64, run_id);
    else
        text_print(&head, report->runs == 1 ? "%" PRIu64 " run" : "%" PRIu64 " runs", report->runs);
    put_span_of_time(&head, report, look->ascii);
    text_puts(&head, wrapped_separator(look->ascii));
    size_t from = head.length;
    put_requests(&head, report->requests, report->failed);
    text_tie(&head, from);
    put_labels(&head, report->labels, look->ascii);
    text_wrap(out, text_string(&head), 0, 2, look->columns);
    text_char(out, '\n');
    text_done(&head);
    if (report->dropped > 0) {
        struct text lost = {0};
        text_thousands(&lost, report->dropped);
        text_puts(&lost, report->dropped == 1 ? " event was lost" : " events were lost");
        text_puts(&lost, " while recording: some requests are missing below or lack parts");
        look_puts(look, out, ROLE_BAD, text_string(&lost));
        text_char(out, '\n');
        text_done(&lost);
    }
}

/* ------------------------------------------------------------------------------------------------- verdict */

static double sum_of(const np_report *report, size_t offset)
{
    struct report_row row = {.offset = offset};
    double sum = 0;
    for (size_t i = 0; i < report->group_count; i++)
        sum += (double)report_figures(&report->groups[i], &row)->sum_ns;
    return sum;
}

struct ranked {
    np_phase phase;
    double sum_ns;
};

/* The two phases from first to last with the largest sums. */
static void two_largest(const np_report *report, np_phase first, np_phase last,
                        struct ranked out[2])
{
    out[0] = out[1] = (struct ranked){first, 0};
    for (int phase = (int)first; phase <= (int)last; phase++) {
        struct ranked this = {
            (np_phase)phase,
            sum_of(report, offsetof(np_report_group, phases) + (size_t)phase * sizeof(np_figures))};
        if (this.sum_ns > out[0].sum_ns) {
            out[1] = out[0];
            out[0] = this;
        } else if (this.sum_ns > out[1].sum_ns) {
            out[1] = this;
        }
    }
}

static void put_part(struct text *out, const struct ranked *part, double whole_ns)
{
    text_print(out, "%s (%.0f %%)", np_phase_name(part->phase), part->sum_ns / whole_ns * 100);
}

static void put_verdict(const np_report *report, struct text *out)
{
    double total_ns = sum_of(report, offsetof(np_report_group, total));
    double setup_ns = sum_of(report, offsetof(np_report_group, setup));
    if (total_ns <= 0 || report->groups_left_out > 0)
        return;
    struct ranked largest[2];
    double percent = setup_ns / total_ns * 100;
    text_print(out,
               percent >= 9.95 ? "Set-up took %.0f %% of the time"
                               : "Set-up took %.1f %% of the time",
               percent);
    if (setup_ns > 0) {
        two_largest(report, NP_PHASE_QUEUE, NP_PHASE_TLS, largest);
        text_puts(out, ", mostly ");
        put_part(out, &largest[0], setup_ns);
        if (largest[1].sum_ns * 5 >= setup_ns) { /* a second one is named from a fifth on */
            text_puts(out, " and ");
            put_part(out, &largest[1], setup_ns);
        }
    }
    if (percent < 50) {
        two_largest(report, NP_PHASE_SEND, NP_PHASE_GAP, largest);
        text_puts(out, "; the rest is mostly ");
        put_part(out, &largest[0], total_ns - setup_ns);
    }
}

/* ---------------------------------------------------------------------------------------------------
 * table */

/* The figures that are columns, in order; those with `least` more are shown from that width on. */
static const struct {
    const char *heading;
    size_t offset;
    bool is_real;
    int least;
} columns[] = {
    {"min",    offsetof(np_figures, min_ns),    false, 0  },
    {"mean",   offsetof(np_figures, mean_ns),   true,  132},
    {"stddev", offsetof(np_figures, stddev_ns), true,  132},
    {"p50",    offsetof(np_figures, p50_ns),    false, 0  },
    {"p90",    offsetof(np_figures, p90_ns),    false, 110},
    {"p95",    offsetof(np_figures, p95_ns),    false, 0  },
    {"p99",    offsetof(np_figures, p99_ns),    false, 0  },
    {"max",    offsetof(np_figures, max_ns),    false, 0  },
};

enum {
    COLUMNS = sizeof columns / sizeof columns[0],
    BAR_LEAST = 10,
    BAR_MOST = 48,
    NAME_LINES_MOST = 4 /* a group's name that is longer is cut */
};

static int64_t figure(const np_figures *figures, size_t column)
{
    const char *field = (const char *)figures + columns[column].offset;
    if (columns[column].is_real)
        return (int64_t)(*(const double *)(const void *)field + 0.5);
    return *(const int64_t *)(const void *)field;
}

static void add_figures(struct table *table, const struct look *look, const np_figures *figures,
                        enum unit unit)
{
    struct text cell = {0};
    if (figures->count > 0)
        text_print(&cell, "%" PRIu64, figures->count);
    table_cell(table, figures->count > 0 ? text_string(&cell) : look->ascii ? "-" : "–");
    for (size_t i = 0; i < COLUMNS; i++) {
        if (look->columns < columns[i].least)
            continue;
        text_clear(&cell);
        if (figures->count > 0)
            duration_in(&cell, figure(figures, i), unit);
        table_cell(table, text_string(&cell));
    }
    text_done(&cell);
}

/* "████████ 22 %"; sums are drawn lightly, the total not at all. */
static void add_share(struct table *table, const struct look *look, const struct report_row *row,
                      const np_figures *figures, int bar_cells)
{
    struct text cell = {0};
    int eighths = (int)(figures->share * bar_cells * 8 + 0.5);
    if (figures->count == 0 || row->offset == offsetof(np_report_group, total)) {
        table_cell(table, "");
        return;
    }
    if (row->is_sum) {
        look_begin(look, &cell, ROLE_QUIET);
        int cells = figures->sum_ns > 0 && eighths == 0 ? 1 : (eighths + 7) / 8;
        text_repeat(&cell, look->ascii ? ":" : "·", cells);
        look_end(look, &cell, ROLE_QUIET);
    } else if (figures->sum_ns > 0) {
        look_bar(look, &cell, row->role, row->letter, 0, eighths, bar_cells);
    }
    double percent = figures->share * 100;
    text_puts(&cell, figures->sum_ns > 0 ? " " : "");
    if (percent > 0 && percent < 0.05)
        text_puts(&cell, "<0.1 %");
    else
        text_print(&cell, percent >= 9.95 || percent == 0 ? "%.0f %%" : "%.1f %%", percent);
    table_cell(table, text_string(&cell));
    text_done(&cell);
}

/* A row stands in every group's table as soon as it happened in one of them: then a dash says "not
 * here". */
static bool is_shown(const np_report *report, const struct report_row *row)
{
    if (row->offset == offsetof(np_report_group, caller_blocked))
        return false; /* not a part of the total: it has its own line */
    for (size_t i = 0; i < report->group_count; i++)
        if (report_figures(&report->groups[i], row)->count > 0)
            return true;
    return false;
}

static void add_columns(struct table *table, const struct look *look, enum unit unit)
{
    table_column(table, "phase", ALIGN_LEFT, 2);
    table_column(table, "n", ALIGN_RIGHT, 2);
    for (size_t i = 0; i < COLUMNS; i++)
        if (look->columns >= columns[i].least)
            table_column(table, columns[i].heading, ALIGN_POINT, 2);
    table_column(table, unit_name(unit, look->ascii), ALIGN_LEFT, 1);
}

static void fill_table(struct table *table, const np_report *report, const np_report_group *group,
                       enum unit unit, const struct look *look, int bar_cells)
{
    for (size_t i = 0; i < REPORT_ROWS; i++) {
        const struct report_row *row = &report_rows[i];
        if (!is_shown(report, row))
            continue;
        const np_figures *figures = report_figures(group, row);
        struct text name = {0};
        look_puts(look, &name, row->is_sum ? row->role : ROLE_PLAIN, row->name);
        table_cell(table, text_string(&name));
        add_figures(table, look, figures, unit);
        table_cell(table, ""); /* the unit has the heading */
        if (bar_cells > 0)
            add_share(table, look, row, figures, bar_cells);
        text_done(&name);
    }
}

static void put_group_table(const np_report *report, const np_report_group *group,
                            const struct look *look, struct text *out)
{
    enum unit unit = unit_for(group->total.p50_ns);
    struct table measured = {0};
    add_columns(&measured, look, unit);
    fill_table(&measured, report, group, unit, look, 0);
    int room =
        look->columns - table_width(&measured, 0, measured.column_count) - 2 - 7 /* " <0.1 %" */;
    int bar_cells = room < BAR_LEAST ? BAR_LEAST : room > BAR_MOST ? BAR_MOST : room;
    table_done(&measured);

    struct table table = {0};
    add_columns(&table, look, unit);
    table_column(&table, "share of total", ALIGN_LEFT, 2);
    fill_table(&table, report, group, unit, look, bar_cells);
    table_write(&table, look, out);
    table_done(&table);
}

static void put_group(const np_report *report, const np_report_group *group,
                      const struct look *look, struct text *out)
{
    struct text name = {0};
    struct text cut = {0};
    report_group_name(report, group, look->ascii, &name);
    text_cut(&cut, text_string(&name), NAME_LINES_MOST * look->columns, look->ascii);
    text_char(out, '\n');
    look_puts(look, out, ROLE_HEADING, text_string(&cut));
    text_done(&cut);
    text_puts(out, separator(look->ascii));
    put_requests(out, group->requests, 0);
    if (group->failed > 0) {
        struct text failed = {0};
        text_thousands(&failed, group->failed);
        text_puts(&failed, " failed");
        text_puts(out, ", ");
        look_puts(look, out, ROLE_BAD, text_string(&failed));
        text_done(&failed);
    }
    text_char(out, '\n');
    put_group_table(report, group, look, out);
    if (group->caller_blocked.count > 0) {
        enum unit unit = unit_for(group->caller_blocked.max_ns);
        struct text line = {0};
        text_puts(&line, "  the caller was held p50 ");
        duration_in(&line, group->caller_blocked.p50_ns, unit);
        text_puts(&line, ", max ");
        duration_in(&line, group->caller_blocked.max_ns, unit);
        text_print(&line, " %s", unit_name(unit, look->ascii));
        look_puts(look, out, ROLE_QUIET, text_string(&line));
        text_char(out, '\n');
        text_done(&line);
    }
    text_done(&name);
}

void report_verdict(const np_report *report, int width, struct text *out)
{
    struct text verdict = {0};
    put_verdict(report, &verdict);
    for (size_t i = 1; i < verdict.length; i++)
        if (verdict.data[i] == '%' && verdict.data[i - 1] == ' ')
            verdict.data[i - 1] = TEXT_TIE; /* a number and its unit stay together */
    if (verdict.length > 0) {
        text_wrap(out, text_string(&verdict), 0, 0, width);
        text_char(out, '\n');
    }
    text_done(&verdict);
}

void report_table(const np_report *report, int64_t run_id, const struct look *look,
                  struct text *out)
{
    put_head(report, run_id, look, out);
    report_verdict(report, look->columns, out);
    if (report->group_count == 0)
        text_puts(out, "\nno requests match\n");
    for (size_t i = 0; i < report->group_count; i++)
        put_group(report, &report->groups[i], look, out);
    if (report->groups_left_out > 0)
        text_print(out, "\n%" PRIu64 " more %s left out by --top\n", report->groups_left_out,
                   report->groups_left_out == 1 ? "group was" : "groups were");
}

/* ----------------------------------------------------------------------------------------------------
 * JSON */

static int64_t whole(double value)
{
    return (int64_t)(value + 0.5);
}

static void figures_json(struct json *json, const char *key, const np_figures *figures)
{
    if (figures->count == 0)
        return;
    json_open(json, key, '{', true);
    json_count(json, "count", figures->count);
    json_int(json, "sum_ns", figures->sum_ns);
    json_real(json, "share", figures->share, 6);
    json_int(json, "min_ns", figures->min_ns);
    json_int(json, "mean_ns", whole(figures->mean_ns));
    json_int(json, "stddev_ns", whole(figures->stddev_ns));
    json_int(json, "p50_ns", figures->p50_ns);
    json_int(json, "p90_ns", figures->p90_ns);
    json_int(json, "p95_ns", figures->p95_ns);
    json_int(json, "p99_ns", figures->p99_ns);
    json_int(json, "max_ns", figures->max_ns);
    json_close(json, '}');
}

static void time_json(struct json *json, const char *key, int64_t unix_ns)
{
    struct text time = {0};
    if (unix_ns != 0)
        time_rfc3339(&time, unix_ns, 9);
    json_text(json, key, unix_ns != 0 ? text_string(&time) : NULL);
    text_done(&time);
}

static void group_json(struct json *json, const np_report *report, const np_report_group *group)
{
    json_open(json, NULL, '{', false);
    json_open(json, "by", '{', true);
    for (size_t i = 0; i < report->by_count; i++)
        json_text(json, report->by[i], group->by[i]);
    json_close(json, '}');
    json_count(json, "requests", group->requests);
    json_count(json, "failed", group->failed);
    json_count(json, "reused", group->reused);
    json_open(json, "phases", '{', false);
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
        figures_json(json, np_phase_name((np_phase)phase), &group->phases[phase]);
    json_close(json, '}');
    figures_json(json, "setup", &group->setup);
    figures_json(json, "total", &group->total);
    figures_json(json, "caller_blocked", &group->caller_blocked);
    json_close(json, '}');
}

void report_json(const np_report *report, struct text *out)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{', false);
    json_text(&json, "schema", "netphase.report/1");
    json_open(&json, "trace", '{', false);
    json_text(&json, "file", report->file);
    json_count(&json, "runs", report->runs);
    json_count(&json, "requests", report->requests);
    json_count(&json, "failed", report->failed);
    json_count(&json, "dropped_events", report->dropped);
    time_json(&json, "from", report->from_ns);
    time_json(&json, "to", report->to_ns);
    json_raw(&json, "labels", report->labels && report->labels[0] ? report->labels : "{}");
    json_close(&json, '}');
    json_open(&json, "groups", '[', false);
    for (size_t i = 0; i < report->group_count; i++)
        group_json(&json, report, &report->groups[i]);
    json_close(&json, ']');
    json_count(&json, "groups_left_out", report->groups_left_out);
    json_close(&json, '}');
    json_end(&json);
}

/* -----------------------------------------------------------------------------------------------------
 * CSV */

static void figures_csv(struct text *out, bool *first, const np_figures *figures)
{
    const int64_t values[] = {figures->min_ns, whole(figures->mean_ns), whole(figures->stddev_ns),
                              figures->p50_ns, figures->p90_ns,         figures->p95_ns,
                              figures->p99_ns, figures->max_ns};
    csv_int(out, first, (int64_t)figures->count);
    if (figures->count == 0) {
        text_puts(out, ",,,,,,,,,,"); /* what did not happen is empty, not 0 */
        return;
    }
    csv_int(out, first, figures->sum_ns);
    text_print(out, ",%.6f", figures->share);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        csv_int(out, first, values[i]);
}

void report_csv(const np_report *report, struct text *out)
{
    bool first = true;
    for (size_t i = 0; i < report->by_count; i++)
        csv_text(out, &first, report->by[i]);
    text_puts(out, first ? "" : ",");
    text_puts(out, "group_requests,group_failed,group_reused,phase,count,sum_ns,share,min_ns,mean_"
                   "ns,stddev_ns,p50_ns,p90_ns,p95_ns,p99_ns,max_ns");
    csv_end(out, &first);
    for (size_t i = 0; i < report->group_count; i++) {
        const np_report_group *group = &report->groups[i];
        for (size_t r = 0; r < REPORT_ROWS; r++) {
            for (size_t c = 0; c < report->by_count; c++)
                csv_text(out, &first, group->by[c]);
            csv_int(out, &first, (int64_t)group->requests);
            csv_int(out, &first, (int64_t)group->failed);
            csv_int(out, &first, (int64_t)group->reused);
            csv_text(out, &first, report_rows[r].name);
            figures_csv(out, &first, report_figures(group, &report_rows[r]));
            csv_end(out, &first);
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * Markdown */

static void group_markdown(const np_report *report, const np_report_group *group, struct text *out)
{
    enum unit unit = unit_for(group->total.p50_ns);
    struct text name = {0};
    report_group_name(report, group, false, &name);
    text_puts(out, "\n### ");
    markdown_text(out, text_string(&name));
    text_puts(out, " · ");
    put_requests(out, group->requests, group->failed);
    text_print(out,
               "\n\n| phase | n | min %1$s | p50 %1$s | p95 %1$s | p99 %1$s | max %1$s | share "
               "|\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
               unit_name(unit, false));
    for (size_t i = 0; i < REPORT_ROWS; i++) {
        const struct report_row *row = &report_rows[i];
        const np_figures *figures = report_figures(group, row);
        if (!is_shown(report, row))
            continue;
        text_print(out, row->is_sum ? "| **%s** |" : "| %s |", row->name);
        if (figures->count == 0) {
            text_puts(out, " – | – | – | – | – | – | – |\n");
            continue;
        }
        const int64_t values[] = {figures->min_ns, figures->p50_ns, figures->p95_ns,
                                  figures->p99_ns, figures->max_ns};
        text_print(out, " %" PRIu64 " |", figures->count);
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            text_char(out, ' ');
            duration_in(out, values[v], unit);
            text_puts(out, " |");
        }
        text_print(out, " %.1f %% |\n", figures->share * 100);
    }
    text_done(&name);
}

void report_markdown(const np_report *report, int64_t run_id, struct text *out)
{
    struct look wide = {.columns = 10000};
    struct text head = {0};
    put_head(report, run_id, &wide, &head);
    if (head.length > 0)
        head.data[--head.length] = '\0'; /* its line end */
    text_puts(out, "## ");
    markdown_text(out, text_string(&head));
    text_puts(out, "\n\n");
    report_verdict(report, 10000, out);
    if (report->group_count == 0)
        text_puts(out, "\nno requests match\n");
    for (size_t i = 0; i < report->group_count; i++)
        group_markdown(report, &report->groups[i], out);
    if (report->groups_left_out > 0)
        text_print(out, "\n%" PRIu64 " more groups were left out.\n", report->groups_left_out);
    text_done(&head);
}
