/*
 * Where the time goes: groups of requests above, below them what each phase of the group under the
 * cursor cost, and the histogram of one phase. All figures are those of a report; nothing is
 * counted here.
 */
#include "action.h"
#include "app.h"
#include "output.h"
#include "report_view.h"
#include "share_bar.h"
#include "summary.h"
#include "views.h"
#include <inttypes.h>
#include <math.h>
#include <netphase/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CURSOR_CELLS = 2,
    GROUPS_LEAST = 2,
    NAME_LEAST = 24,
    NUMBER_CELLS = 8,
    COUNT_CELLS = 8,
    TABLE_CELLS = 66, /* of the table of phases, with its bars */
    TABLE_LEAST = 48,
    HISTOGRAM_CELLS = 34, /* at least, to stand beside it */
    HISTOGRAM_ROWS = 9,   /* below it, rather than beside, where there are so many */
    HISTOGRAM_LEAST = 4,  /* at least, to stand below it */
    GROUPS_WANTED = 4,    /* before there is room for a histogram */
    BINS_MOST = REPORT_BINS
};

/* --------------------------------------------------------------------------------------- groupings */

static void group_by(struct app *app, int step)
{
    const int count = summary_groupings(app);
    app->summary.grouping = (app->summary.grouping + step + count) % count;
    app->summary.is_asked = false;
    app->summary.groups.at = app->summary.groups.top = 0;
}

static const np_report_group *group_at(const struct app *app, int index)
{
    const np_report *report = app->summary.report;
    return report && index >= 0 && (size_t)index < report->group_count ? &report->groups[index]
                                                                       : NULL;
}

/* ------------------------------------------------------------------------------------------ layout */

struct parts {
    struct rect groups;    /* heading and rows */
    struct rect rule;      /* the name of the group */
    struct rect table;     /* of phases; heading and rows */
    struct rect histogram; /* no rows: there is no room */
};

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Rows of the table that have something to say. */
static int phase_rows(const np_report_group *group)
{
    int rows = 0;
    for (int i = 0; group && i < REPORT_ROWS; i++)
        rows += report_figures(group, &report_rows[i])->count > 0;
    return rows;
}

static struct parts part(const struct app *app, struct rect where)
{
    struct parts parts = {0};
    const np_report_group *group = group_at(app, app->summary.groups.at);
    const int count = app->summary.report ? (int)app->summary.report->group_count : 1;
    const int table = 1 + larger(phase_rows(group), 1);
    const int rest = where.rows - 2 - table; /* heading and rule taken off */
    const int least = smaller(larger(count, 1), GROUPS_WANTED);
    const bool is_below = rest - least > HISTOGRAM_ROWS;
    const bool is_beside = !is_below && where.columns >= TABLE_LEAST + HISTOGRAM_CELLS + 4;
    const bool has_less = !is_below && !is_beside && rest - least > HISTOGRAM_LEAST;
    const int histogram = is_below ? HISTOGRAM_ROWS + 1 : has_less ? HISTOGRAM_LEAST + 1 : 0;
    const int groups =
        smaller(larger(count, 1), larger(rest - histogram, larger(where.rows / 5, GROUPS_LEAST)));
    parts.groups = (struct rect){where.x, where.y, where.columns, 1 + groups};
    parts.rule = (struct rect){where.x, where.y + 1 + groups, where.columns, 1};
    const int below = where.rows - 2 - groups;
    const int y = parts.rule.y + 1;
    const int columns = is_beside ? smaller(where.columns - HISTOGRAM_CELLS - 4,
                                            larger(TABLE_CELLS, where.columns * 6 / 10))
                                  : where.columns;
    parts.table = (struct rect){where.x, y, columns, is_below || has_less ? table : below};
    if (is_beside)
        parts.histogram =
            (struct rect){where.x + columns + 3, y, where.columns - columns - 4, below};
    else if (is_below || has_less)
        parts.histogram = (struct rect){where.x + CURSOR_CELLS, y + table + 1,
                                        where.columns - CURSOR_CELLS - 1, below - table - 1};
    return parts;
}

/* ------------------------------------------------------------------------------------------ groups */

struct group_column {
    const char *heading;
    int width, rank; /* the higher the rank the sooner it goes */
};

enum group_column_id {
    GROUP_COUNT,
    GROUP_FAILED,
    GROUP_SETUP_P50,
    GROUP_SETUP_P95,
    GROUP_TOTAL_P50,
    GROUP_TOTAL_P95,
    GROUP_SHARES,
    GROUP_COLUMNS
};

static const struct group_column group_columns[GROUP_COLUMNS] = {
    [GROUP_COUNT] = {"n",             COUNT_CELLS,      0},
    [GROUP_FAILED] = {"failed",        7,                3},
    [GROUP_SETUP_P50] = {"setup p50",     NUMBER_CELLS + 2, 4},
    [GROUP_SETUP_P95] = {"p95",           NUMBER_CELLS,     2},
    [GROUP_TOTAL_P50] = {"total p50",     NUMBER_CELLS + 2, 5},
    [GROUP_TOTAL_P95] = {"p95",           NUMBER_CELLS,     1},
    [GROUP_SHARES] = {"where it goes", 20,               6},
};

static int worst_group_rank(int columns)
{
    for (int worst = 6; worst > 0; worst--) {
        int needed = CURSOR_CELLS + NAME_LEAST;
        for (int i = 0; i < GROUP_COLUMNS; i++)
            if (group_columns[i].rank <= worst)
                needed += group_columns[i].width + 1;
        if (needed <= columns)
            return worst;
    }
    return 0;
}

/* One unit for all durations of the groups, from the slowest of them. */
static enum unit unit_of_groups(const struct app *app)
{
    int64_t largest_ns = 0;
    for (int i = 0; group_at(app, i); i++)
        if (group_at(app, i)->total.p95_ns > largest_ns)
            largest_ns = group_at(app, i)->total.p95_ns;
    return unit_for(largest_ns);
}

static bool ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* "https://api.example": without the port that goes without saying. */
static void put_origin(struct text *out, const char *origin, bool ascii)
{
    const bool is_usual = (strncmp(origin, "https:", 6) == 0 && ends_in(origin, ":443")) ||
                          (strncmp(origin, "http:", 5) == 0 && ends_in(origin, ":80"));
    struct text shown = {0};
    text_add(&shown, origin, strlen(origin) - (is_usual ? strlen(strrchr(origin, ':')) : 0));
    text_outside(out, text_string(&shown), ascii);
    text_done(&shown);
}

/* As report_group_name, in fewer cells: what the heading says already is not repeated. */
static void put_group_name(const struct app *app, const np_report_group *group, struct text *out)
{
    const np_report *report = app->summary.report;
    for (size_t i = 0; i < report->by_count; i++) {
        const char *value = group->by[i];
        const bool is_state = strcmp(report->by[i], "connection_state") == 0;
        text_puts(out, i > 0 ? app->glyphs->separator : "");
        if (!value)
            text_puts(out, is_state ? "no connection" : "none");
        else if (strcmp(report->by[i], "origin") == 0)
            put_origin(out, value, app->look.ascii);
        else if (is_state && strcmp(value, "resumed-tls") == 0)
            text_puts(out, "TLS resumed");
        else
            text_outside(out, value, app->look.ascii);
    }
}

static void put_group_cell(const struct app *app, const np_report_group *group, int column,
                           enum unit unit, struct text *out)
{
    switch (column) {
    case GROUP_COUNT:
        text_thousands(out, group->requests);
        break;
    case GROUP_FAILED:
        if (group->failed > 0)
            text_thousands(out, group->failed);
        else
            text_puts(out, app->glyphs->dash);
        break;
    case GROUP_SETUP_P50:
        duration_in(out, group->setup.p50_ns, unit);
        break;
    case GROUP_SETUP_P95:
        duration_in(out, group->setup.p95_ns, unit);
        break;
    case GROUP_TOTAL_P50:
        duration_in(out, group->total.p50_ns, unit);
        break;
    case GROUP_TOTAL_P95:
        duration_in(out, group->total.p95_ns, unit);
        break;
    default:
        break;
    }
}

static void draw_group_row(const struct app *app, struct cells *cells, struct rect where, int y,
                           const np_report_group *group, enum unit unit)
{
    const int worst = worst_group_rank(where.columns);
    int end = where.columns - 1;
    for (int i = GROUP_COLUMNS - 1; i >= 0; i--) {
        struct text cell = {0};
        const int width = group_columns[i].width;
        if (group_columns[i].rank > worst)
            continue;
        if (i == GROUP_SHARES) {
            int64_t sums[NP_PHASE_COUNT];
            for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
                sums[phase] = group->phases[phase].sum_ns;
            cells_put(cells, where, end - width, y, ROLE_RULE, app->glyphs->frame_from);
            share_bar_draw(app, cells, where, end - width + 1, y, width - 2, sums);
            cells_put(cells, where, end - 1, y, ROLE_RULE, app->glyphs->frame_to);
        } else {
            put_group_cell(app, group, i, unit, &cell);
            const bool is_bad = i == GROUP_FAILED && group->failed > 0;
            cells_put_right(cells, where, end, y, is_bad ? ROLE_BAD : ROLE_PLAIN,
                            text_string(&cell));
        }
        end -= width + 1;
        text_done(&cell);
    }
    struct text name = {0};
    put_group_name(app, group, &name);
    cells_put_cut(cells, where, CURSOR_CELLS, y, ROLE_PLAIN, end - CURSOR_CELLS, text_string(&name),
                  app->look.ascii);
    text_done(&name);
}

static void draw_group_heading(const struct app *app, struct cells *cells, struct rect where,
                               enum unit unit)
{
    const int worst = worst_group_rank(where.columns);
    struct text name = {0};
    int end = where.columns - 1;
    for (int i = GROUP_COLUMNS - 1; i >= 0; i--) {
        if (group_columns[i].rank > worst)
            continue;
        if (i == GROUP_SHARES)
            cells_put(cells, where, end - group_columns[i].width, 0, ROLE_QUIET,
                      group_columns[i].heading);
        else
            cells_put_right(cells, where, end, 0, ROLE_QUIET, group_columns[i].heading);
        end -= group_columns[i].width + 1;
    }
    text_outside(&name, summary_grouping(app), app->look.ascii);
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == ',' || name.data[i] == '_')
            name.data[i] = ' ';
    text_print(&name, ", in %s", unit_name(unit, app->look.ascii));
    cells_put_cut(cells, where, CURSOR_CELLS, 0, ROLE_SORTED, end - CURSOR_CELLS,
                  text_string(&name), app->look.ascii);
    text_done(&name);
}

static void draw_groups(const struct app *app, struct cells *cells, struct rect where)
{
    const struct scroll *groups = &app->summary.groups;
    const enum unit unit = unit_of_groups(app);
    draw_group_heading(app, cells, where, unit);
    for (int line = 0; line < where.rows - 1; line++) {
        const np_report_group *group = group_at(app, groups->top + line);
        if (!group)
            break;
        draw_group_row(app, cells, where, line + 1, group, unit);
        if (groups->top + line == groups->at) {
            cells_put(cells, where, 0, line + 1, ROLE_KEY, app->glyphs->cursor);
            cells_select(cells, where, line + 1);
        }
    }
}

static void draw_rule(const struct app *app, struct cells *cells, struct rect where,
                      const np_report_group *group)
{
    struct text name = {0};
    struct text uses = {0};
    text_char(&name, ' ');
    report_group_name(app->summary.report, group, app->look.ascii, &name);
    text_char(&name, ' ');
    text_char(&uses, ' ');
    text_thousands(&uses, group->requests - group->reused);
    text_puts(&uses, " not reused");
    text_puts(&uses, app->glyphs->separator);
    text_thousands(&uses, group->reused);
    text_puts(&uses, " on reused connections ");
    cells_fill(cells, where, 1, 0, where.columns - 2, ROLE_RULE, app->glyphs->rule);
    const int room = where.columns - 6;
    const int used =
        cells_put_cut(cells, where, 2, 0, ROLE_HEADING, room, text_string(&name), app->look.ascii);
    if (used + text_width(text_string(&uses)) + 4 <= room)
        cells_put_right(cells, where, where.columns - 2, 0, ROLE_QUIET, text_string(&uses));
    text_done(&name);
    text_done(&uses);
}

/* ----------------------------------------------------------------------------------- table of phases */

static const struct {
    const char *heading;
    size_t offset;
    int rank;
} figure_columns[] = {
    {"p50", offsetof(np_figures, p50_ns), 0},
    {"p90", offsetof(np_figures, p90_ns), 3},
    {"p95", offsetof(np_figures, p95_ns), 0},
    {"p99", offsetof(np_figures, p99_ns), 1},
    {"max", offsetof(np_figures, max_ns), 2},
};

enum { FIGURE_COLUMNS = sizeof figure_columns / sizeof figure_columns[0], PHASE_NAME_CELLS = 9 };

static int worst_figure_rank(int columns)
{
    for (int worst = 3; worst > 0; worst--) {
        int needed = CURSOR_CELLS + PHASE_NAME_CELLS + COUNT_CELLS + 12;
        for (int i = 0; i < FIGURE_COLUMNS; i++)
            if (figure_columns[i].rank <= worst)
                needed += NUMBER_CELLS;
        if (needed <= columns)
            return worst;
    }
    return 0;
}

static void draw_share(const struct app *app, struct cells *cells, struct rect where, int x, int y,
                       const struct report_row *row, const np_figures *figures)
{
    struct text share = {0};
    const double percent = figures->share * 100;
    const int room = where.columns - x - 9;
    if (row->offset == offsetof(np_report_group, total) || room < 0)
        return;
    if (percent > 0 && percent < 0.5)
        text_puts(&share, "<1 %");
    else
        text_print(&share, "%.0f %%", percent);
    cells_put_right(cells, where, x + 7, y, ROLE_QUIET, text_string(&share));
    struct text bar = {0};
    const int eighths = (int)(figures->share * room * 8 + 0.5);
    const int role = row->is_sum ? ROLE_QUIET : row->role;
    struct look look = app->look;
    look.ascii = look.ascii || look.colors == 0; /* letters, where no colour tells phases apart */
    if (figures->sum_ns > 0 && eighths > 0)
        (void)look_bar(&look, &bar, role, row->letter, 0, eighths, room); /* its width is clipped */
    cells_put(cells, where, x + 9, y, ROLE_PLAIN, text_string(&bar));
    text_done(&bar);
    text_done(&share);
}

static void draw_phase_row(const struct app *app, struct cells *cells, struct rect where, int y,
                           const struct report_row *row, const np_figures *figures, enum unit unit)
{
    const int worst = worst_figure_rank(where.columns);
    int end = CURSOR_CELLS + PHASE_NAME_CELLS;
    struct text cell = {0};
    struct text name = {0};
    text_puts(&name, strcmp(row->name, "caller_blocked") == 0 ? "caller" : row->name);
    cells_put(cells, where, CURSOR_CELLS, y, row->role, text_string(&name));
    text_done(&name);
    text_thousands(&cell, figures->count);
    end += COUNT_CELLS;
    cells_put_right(cells, where, end, y, ROLE_QUIET, text_string(&cell));
    for (int i = 0; i < FIGURE_COLUMNS; i++) {
        if (figure_columns[i].rank > worst)
            continue;
        const char *field = (const char *)figures + figure_columns[i].offset;
        text_clear(&cell);
        duration_in(&cell, *(const int64_t *)(const void *)field, unit);
        end += NUMBER_CELLS;
        cells_put_right(cells, where, end, y, row->is_sum ? ROLE_SUM : ROLE_PLAIN,
                        text_string(&cell));
    }
    draw_share(app, cells, where, end, y, row, figures);
    text_done(&cell);
}

static void draw_table_heading(const struct app *app, struct cells *cells, struct rect where,
                               enum unit unit)
{
    const int worst = worst_figure_rank(where.columns);
    struct text phase = {0};
    int end = CURSOR_CELLS + PHASE_NAME_CELLS + COUNT_CELLS;
    text_print(&phase, "in %s", unit_name(unit, app->look.ascii));
    cells_put(cells, where, CURSOR_CELLS, 0, ROLE_QUIET, text_string(&phase));
    text_done(&phase);
    cells_put_right(cells, where, end, 0, ROLE_QUIET, "n");
    for (int i = 0; i < FIGURE_COLUMNS; i++) {
        if (figure_columns[i].rank > worst)
            continue;
        end += NUMBER_CELLS;
        cells_put_right(cells, where, end, 0, ROLE_QUIET, figure_columns[i].heading);
    }
    if (where.columns - end >= 9)
        cells_put(cells, where, end + 3, 0, ROLE_QUIET,
                  where.columns - end >= 22 ? "share of the total" : "share");
}

static void draw_table(const struct app *app, struct cells *cells, struct rect where,
                       const np_report_group *group)
{
    const enum unit unit = unit_for(group->total.p95_ns);
    int y = 1;
    draw_table_heading(app, cells, where, unit);
    for (int i = 0; i < REPORT_ROWS && y < where.rows; i++) {
        const np_figures *figures = report_figures(group, &report_rows[i]);
        if (figures->count == 0)
            continue;
        if (i == app->summary.row)
            cells_put(cells, where, 0, y, ROLE_KEY, app->glyphs->onwards);
        draw_phase_row(app, cells, where, y, &report_rows[i], figures, unit);
        y++;
    }
}

/* --------------------------------------------------------------------------------------- histogram */

/* Where a step of the histogram begins; as np_figures says. */
static double edge(const np_figures *figures, int bins, int i)
{
    const double low = figures->min_ns > 1 ? (double)figures->min_ns : 1;
    const double factor = (double)figures->max_ns / low;
    return factor <= 1 ? low : low * pow(factor, (double)i / bins);
}

static void draw_histogram_head(const struct app *app, struct cells *cells, struct rect where,
                                const struct report_row *row, const np_figures *figures)
{
    struct text head = {0};
    text_print(&head, "%s of ", row->name);
    text_thousands(&head, figures->count);
    text_puts(&head, figures->count == 1 ? " request" : " requests");
    cells_put_cut(cells, where, 0, 0, ROLE_HEADING, where.columns, text_string(&head),
                  app->look.ascii);
    text_done(&head);
}

/* Steps are taken together until they are as many as there are lines. */
static void draw_histogram(const struct app *app, struct cells *cells, struct rect where,
                           const np_report_group *group)
{
    enum { LABEL = 11, COUNT = 10 };
    const struct report_row *row = &report_rows[app->summary.row];
    const np_figures *figures = report_figures(group, row);
    draw_histogram_head(app, cells, where, row, figures);
    if (!figures->bins || where.rows < 3)
        return;
    const bool is_one = figures->min_ns == figures->max_ns;
    int together = 1;
    while (BINS_MOST / together > where.rows - 1)
        together++;
    const int lines = is_one ? 1 : (BINS_MOST + together - 1) / together;
    uint64_t counts[BINS_MOST] = {0};
    uint64_t most = 1;
    for (int i = 0; i < BINS_MOST; i++)
        counts[is_one ? 0 : i / together] += figures->bins[i];
    for (int i = 0; i < lines; i++)
        most = counts[i] > most ? counts[i] : most;
    const int bar = where.columns - LABEL - COUNT - 1;
    for (int i = 0; i < lines && i < where.rows - 1; i++) {
        char duration[32];
        struct text text = {0};
        struct look look = app->look;
        look.ascii = look.ascii || (look.colors == 0 && row->letter != '=');
        (void)np_duration_text((int64_t)edge(figures, BINS_MOST, i * together), duration,
                               sizeof duration);
        cells_put_right(cells, where, LABEL - 1, i + 1, ROLE_QUIET, duration);
        cells_put(cells, where, LABEL, i + 1, ROLE_RULE, app->glyphs->frame_from);
        if (counts[i] > 0) {
            const int eighths = (int)((double)counts[i] / (double)most * bar * 8);
            const int used =
                look_bar(&look, &text, row->role, row->letter, 0, eighths > 0 ? eighths : 1, bar);
            text_char(&text, ' ');
            text_thousands(&text, counts[i]);
            (void)used; /* what is behind the bar follows it */
        }
        cells_put(cells, where, LABEL + 1, i + 1, ROLE_PLAIN, text_string(&text));
        text_done(&text);
    }
}

/* -------------------------------------------------------------------------------------------- view */

static void summary_draw(const struct app *app, struct cells *cells, struct rect where)
{
    const struct parts parts = part(app, where);
    const np_report_group *group = group_at(app, app->summary.groups.at);
    if (!app->summary.report) {
        cells_put(cells, where, CURSOR_CELLS, 1, ROLE_QUIET, "adding up");
        return;
    }
    draw_groups(app, cells, parts.groups);
    if (!group) {
        cells_put(cells, where, CURSOR_CELLS, 2, ROLE_QUIET,
                  app->filter ? "no request matches the filter" : "no request in this trace yet");
        return;
    }
    draw_rule(app, cells, parts.rule, group);
    draw_table(app, cells, parts.table, group);
    if (parts.histogram.rows > 0)
        draw_histogram(app, cells, parts.histogram, group);
}

static void summary_status(const struct app *app, struct text *out)
{
    const np_report *report = app->summary.report;
    if (!report)
        return;
    text_thousands(out, report->requests);
    text_puts(out, report->requests == 1 ? " request" : " requests");
    text_puts(out, app->glyphs->separator);
    text_thousands(out, report->group_count + report->groups_left_out);
    text_puts(out, report->group_count == 1 ? " group" : " groups");
}

static void summary_fit(struct app *app)
{
    const int count = app->summary.report ? (int)app->summary.report->group_count : 0;
    const struct parts parts = part(app, app->layout.view);
    scroll_fit(&app->summary.groups, count, parts.groups.rows - 1, true);
}

/* ------------------------------------------------------------------------------------ drilling down */

static void put_text_literal(struct text *out, const char *value)
{
    text_char(out, '\'');
    for (; *value; value++) {
        if (*value == '\'')
            text_char(out, '\'');
        text_char(out, *value);
    }
    text_char(out, '\'');
}

/* The condition that a group's value of a column makes. */
static void put_condition(struct text *out, const char *column, const char *value)
{
    const bool is_run = strcmp(column, "run") == 0;
    const bool is_number = is_run || strcmp(column, "status") == 0;
    const char *name = is_run ? "run_id" : column;
    if (!value)
        text_print(out, "%s is null", name);
    else if (is_number)
        text_print(out, "%s = %s", name, value);
    else if (strcmp(column, "reused") == 0)
        text_print(out, "reused = %s", value);
    else {
        text_print(out, "%s = ", name);
        put_text_literal(out, value);
    }
}

static void drill(struct app *app)
{
    const np_report *report = app->summary.report;
    const np_report_group *group = group_at(app, app->summary.groups.at);
    struct text filter = {0};
    if (!group)
        return;
    if (app->filter)
        text_print(&filter, "(%s)", app->filter);
    for (size_t i = 0; i < report->by_count; i++) {
        text_puts(&filter, filter.length > 0 ? " and " : "");
        put_condition(&filter, report->by[i], group->by[i]);
    }
    np_filter *parsed = NULL;
    np_error err = {0};
    if (np_filter_parse(text_string(&filter), &parsed, NULL, &err)) {
        app_say(app, true, "%s", err.text);
    } else {
        app_filter(app, text_string(&filter));
        app_show(app, VIEW_REQUESTS);
    }
    np_filter_free(parsed);
    text_done(&filter);
}

/* ----------------------------------------------------------------------------------------- updates */

static void move_phase(struct app *app, int step)
{
    const np_report_group *group = group_at(app, app->summary.groups.at);
    for (int i = 0; group && i < REPORT_ROWS; i++) {
        app->summary.row = (app->summary.row + step + REPORT_ROWS) % REPORT_ROWS;
        if (report_figures(group, &report_rows[app->summary.row])->count > 0)
            return;
    }
}

static bool click(struct app *app, const struct msg *msg)
{
    const struct parts parts = part(app, app->layout.view);
    const int line = msg->y - parts.groups.y - 1;
    if (line < 0 || line >= parts.groups.rows - 1 || !group_at(app, app->summary.groups.top + line))
        return false;
    app->summary.groups.at = app->summary.groups.top + line;
    if (msg->button == MOUSE_DOUBLE)
        drill(app);
    return true;
}

static bool summary_update(struct app *app, const struct msg *msg)
{
    if (msg->kind == MSG_MOUSE)
        return click(app, msg);
    switch ((enum action_id)msg->action) {
    case ACTION_GROUP_NEXT:
        group_by(app, 1);
        return true;
    case ACTION_GROUP_BACK:
        group_by(app, -1);
        return true;
    case ACTION_PHASE_RIGHT:
        move_phase(app, 1);
        return true;
    case ACTION_PHASE_LEFT:
        move_phase(app, -1);
        return true;
    case ACTION_DRILL:
        drill(app);
        return true;
    default:
        return scroll_act(&app->summary.groups, (enum action_id)msg->action, true);
    }
}

const struct view view_summary = {
    .name = "summary",
    .about = "where the time goes, by group and phase, with a histogram",
    .fit = summary_fit,
    .update = summary_update,
    .draw = summary_draw,
    .status = summary_status,
};
