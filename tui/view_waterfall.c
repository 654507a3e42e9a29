/*
 * The requests of the list on one clock, and below them the connections that they used. The list,
 * its window and its cursor are those of the view of requests.
 *
 * The clock is fitted to what is on the screen until one pans or zooms; then it stands still.
 */
#include "action.h"
#include "app.h"
#include "output.h"
#include "request_label.h"
#include "share_bar.h"
#include "views.h"
#include "waterfall.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    CURSOR_CELLS = 2,
    LABEL_LEAST = 14,
    LABEL_MOST = 40,
    CONNECTIONS_FROM = 14, /* lines a view needs to have room for connections … */
    CONNECTIONS_LEAST = 4, /* … which take a third of it, this many at least, heading included */
    CONNECTIONS_MOST = 14,
    TICK_CELLS = 10
};

#define SECOND_NS      INT64_C(1000000000)
#define CLOCK_LEAST_NS 1e3
#define CLOCK_MOST_NS  1e18

struct clock {
    int64_t from_ns, to_ns; /* Unix ns; to > from */
    int x, columns;         /* where it is drawn */
};

/* ------------------------------------------------------------------------------------------- clock */

static int64_t end_of(const np_row *row)
{
    int64_t end_ns;
    return __builtin_add_overflow(row->start_ns, row->total_ns, &end_ns) ? INT64_MAX : end_ns;
}

/* From the first start to the last end of what is on the screen. */
static void fit_clock(const struct app *app, int64_t *from_ns, int64_t *to_ns)
{
    *from_ns = INT64_MAX;
    *to_ns = INT64_MIN;
    for (int line = 0; line < app->list.height; line++) {
        const np_row *row = list_on_line(&app->list, line);
        if (!row)
            break;
        *from_ns = row->start_ns < *from_ns ? row->start_ns : *from_ns;
        *to_ns = end_of(row) > *to_ns ? end_of(row) : *to_ns;
    }
    if (*to_ns <= *from_ns)
        *to_ns = *from_ns < INT64_MAX - SECOND_NS ? *from_ns + SECOND_NS : INT64_MAX;
}

static int label_cells(int columns)
{
    const int cells = columns * 3 / 10;
    return cells < LABEL_LEAST ? LABEL_LEAST : cells > LABEL_MOST ? LABEL_MOST : cells;
}

static struct clock clock_of(const struct app *app, struct rect where)
{
    struct clock clock = {.from_ns = app->waterfall.from_ns, .to_ns = app->waterfall.to_ns};
    if (app->waterfall.is_fitted)
        fit_clock(app, &clock.from_ns, &clock.to_ns);
    clock.x = CURSOR_CELLS + label_cells(where.columns) + 1;
    clock.columns = where.columns - clock.x - 1;
    return clock;
}

/* Cells from the left, as a fraction; outside of 0 … columns where it is off the screen. */
static double cell_at(const struct clock *clock, int64_t at_ns)
{
    return ((double)at_ns - (double)clock->from_ns) /
           ((double)clock->to_ns - (double)clock->from_ns) * clock->columns;
}

/* ------------------------------------------------------------------------------------------- axis */

/* Digits of the second so that ticks differ. */
static int digits_for(int64_t tick_ns)
{
    int digits = 0;
    for (int64_t unit = SECOND_NS; unit > tick_ns && digits < 9; unit /= 10)
        digits++;
    return digits;
}

/* The last part of a time of day that tells ticks apart: "04:29" or "29.118". */
static void put_tick(struct text *out, int64_t at_ns, int64_t tick_ns)
{
    struct text whole = {0};
    time_people(&whole, at_ns, false, digits_for(tick_ns));
    const char *text = text_string(&whole);
    const size_t skip = tick_ns >= 60 * SECOND_NS ? 0 : tick_ns >= SECOND_NS ? 3 : 6;
    text_puts(out, strlen(text) > skip ? text + skip : text);
    text_done(&whole);
}

static void draw_axis(const struct clock *clock, struct cells *cells, struct rect where)
{
    const int64_t span_ns = clock->to_ns - clock->from_ns;
    const int64_t tick_ns = waterfall_tick_ns(span_ns, clock->columns, TICK_CELLS);
    int64_t at_ns = clock->from_ns / tick_ns * tick_ns;
    int free_from = 0;
    for (int i = 0; i < clock->columns && at_ns <= clock->to_ns; i++) {
        struct text label = {0};
        const int cell = (int)cell_at(clock, at_ns);
        put_tick(&label, at_ns, tick_ns);
        const int width = text_width(text_string(&label));
        if (at_ns >= clock->from_ns && cell >= free_from && cell + width <= clock->columns) {
            cells_put(cells, where, clock->x + cell, 0, ROLE_QUIET, text_string(&label));
            free_from = cell + width + 1;
        }
        text_done(&label);
        if (__builtin_add_overflow(at_ns, tick_ns, &at_ns))
            break;
    }
}

/* ------------------------------------------------------------------------------------------- bars */

/* Which phase has most of a cell; -1: none is in it. */
static int phase_in(const np_row *row, const struct clock *clock, int cell)
{
    double most = 0;
    int found = -1;
    for (int phase = 0; phase < NP_PHASE_GAP; phase++) {
        if (row->phase_ns[phase] < 0)
            continue;
        const int64_t at_ns = row->phase_at_ns[phase] > 0 ? row->phase_at_ns[phase] : 0;
        const double from = cell_at(clock, row->start_ns + at_ns);
        const double to = cell_at(clock, row->start_ns + at_ns + row->phase_ns[phase]);
        const double shared = (to < cell + 1 ? to : cell + 1) - (from > cell ? from : cell);
        if (shared > most) {
            most = shared;
            found = phase;
        }
    }
    return found;
}

/* What a cell of a bar shows: the whole of it, or as much as the bar has there. */
static const char *part_glyph(const struct app *app, double from, double to, int cell,
                              np_phase phase, char letter[2])
{
    const bool is_last = to < cell + 1;
    const bool is_first = from > cell;
    if (app->look.ascii || app->look.colors == 0)
        return share_glyph(app, phase, letter);
    if (is_first && from - cell >= 0.5)
        return "▐";
    if (is_last && !is_first) {
        const int eighths = (int)((to - cell) * 8 + 0.5);
        return app->glyphs->eighths[eighths < 1 ? 1 : eighths > 8 ? 8 : eighths];
    }
    return share_glyph(app, phase, letter);
}

static void draw_after(const struct app *app, struct cells *cells, struct rect where, int y,
                       const struct clock *clock, int cell, const np_row *row)
{
    struct text note = {0};
    const enum unit unit = row->total_ns < 1000000 ? UNIT_US : UNIT_MS;
    if (row->failed)
        text_print(&note, "%s ", app->glyphs->failed);
    duration_in(&note, row->total_ns, unit);
    text_print(&note, " %s", unit_name(unit, app->look.ascii));
    const int width = text_width(text_string(&note));
    if (cell + 1 + width <= clock->columns)
        cells_put(cells, where, clock->x + cell + 1, y, row->failed ? ROLE_BAD : ROLE_QUIET,
                  text_string(&note));
    else if (row->failed)
        cells_put(cells, where, clock->x + clock->columns, y, ROLE_BAD, app->glyphs->failed);
    text_done(&note);
}

static void draw_bar(const struct app *app, struct cells *cells, struct rect where, int y,
                     const struct clock *clock, const np_row *row)
{
    const double from = cell_at(clock, row->start_ns);
    const double to = cell_at(clock, end_of(row));
    const bool is_before = to < 0;
    const bool is_behind = from >= clock->columns;
    if (is_before || is_behind) {
        cells_put(cells, where, is_before ? clock->x : clock->x + clock->columns - 1, y, ROLE_QUIET,
                  is_before ? app->glyphs->backwards : app->glyphs->onwards);
        return;
    }
    const int first = from > 0 ? (int)from : 0;
    const int last = to < clock->columns ? (int)to : clock->columns - 1;
    int behind = first;
    for (int cell = first; cell <= last; cell++) {
        char letter[2];
        int phase = phase_in(row, clock, cell);
        if (cell > first && to <= cell)
            break; /* it ends where this cell begins */
        phase = phase < 0 ? NP_PHASE_GAP : phase;
        cells_put(cells, where, clock->x + cell, y, ROLE_PHASE + phase,
                  part_glyph(app, from, to, cell, (np_phase)phase, letter));
        behind = cell + 1;
    }
    if (from < 0)
        cells_put(cells, where, clock->x, y, ROLE_QUIET, app->glyphs->backwards);
    if (to > clock->columns)
        cells_put(cells, where, clock->x + clock->columns - 1, y, ROLE_QUIET, app->glyphs->onwards);
    else
        draw_after(app, cells, where, y, clock, behind, row);
}

static void draw_label(const struct app *app, struct cells *cells, struct rect where, int y,
                       const np_row *row)
{
    struct text label = {0};
    const int width = label_cells(where.columns);
    request_label(row, width, &app->look, &label);
    cells_put_cut(cells, where, CURSOR_CELLS, y, row->failed ? ROLE_BAD : ROLE_PLAIN, width,
                  text_string(&label), app->look.ascii);
    text_done(&label);
}

/* ------------------------------------------------------------------------------------ connections */

static int connection_rows(int rows)
{
    if (rows < CONNECTIONS_FROM)
        return 0;
    const int third = rows / 3;
    return third < CONNECTIONS_LEAST  ? CONNECTIONS_LEAST
           : third > CONNECTIONS_MOST ? CONNECTIONS_MOST
                                      : third;
}

/* From the first to the last phase that sets a connection up. */
static bool setup_of(const np_row *row, int64_t *from_ns, int64_t *to_ns)
{
    *from_ns = INT64_MAX;
    *to_ns = 0;
    for (int phase = NP_PHASE_DNS; phase <= NP_PHASE_TLS; phase++) {
        const int64_t at_ns = row->phase_at_ns[phase];
        if (row->phase_ns[phase] < 0 || at_ns < 0)
            continue;
        *from_ns = at_ns < *from_ns ? at_ns : *from_ns;
        *to_ns = at_ns + row->phase_ns[phase] > *to_ns ? at_ns + row->phase_ns[phase] : *to_ns;
    }
    return *from_ns < INT64_MAX;
}

/* A line from one instant to another, as far as it is on the screen. */
static void draw_line(struct cells *cells, struct rect where, int y, const struct clock *clock,
                      int64_t from_ns, int64_t to_ns, int role, const char *glyph)
{
    double from = cell_at(clock, from_ns);
    double to = cell_at(clock, to_ns);
    if (to < 0 || from >= clock->columns)
        return;
    const int first = from > 0 ? (int)from : 0;
    int behind = to < clock->columns ? (int)ceil(to) : clock->columns;
    behind = behind > first ? behind : first + 1;
    cells_fill(cells, where, clock->x + first, y, behind - first, role, glyph);
}

/* Idle from its first to its last use on the screen; what lies over that is drawn behind. */
static void draw_life(const struct app *app, struct cells *cells, struct rect where, int y,
                      const struct clock *clock, int64_t id)
{
    int64_t first_ns = INT64_MAX;
    int64_t last_ns = INT64_MIN;
    for (int pass = 0; pass < 3; pass++) {
        if (pass == 1 && first_ns < last_ns)
            draw_line(cells, where, y, clock, first_ns, last_ns, ROLE_QUIET, app->glyphs->idle);
        for (int line = 0; line < app->list.height; line++) {
            const np_row *row = list_on_line(&app->list, line);
            int64_t from_ns, to_ns;
            if (!row || row->connection_id != id)
                continue;
            const int64_t send_ns = row->phase_at_ns[NP_PHASE_SEND];
            const int64_t used_ns = row->start_ns + (send_ns > 0 ? send_ns : 0);
            if (pass == 0) {
                first_ns = used_ns < first_ns ? used_ns : first_ns;
                last_ns = end_of(row) > last_ns ? end_of(row) : last_ns;
            } else if (pass == 1) {
                draw_line(cells, where, y, clock, used_ns, end_of(row), ROLE_HEADING,
                          app->glyphs->busy);
            } else if (row->connection_use == 1 && setup_of(row, &from_ns, &to_ns)) {
                draw_line(cells, where, y, clock, row->start_ns + from_ns, row->start_ns + to_ns,
                          ROLE_PHASE + NP_PHASE_CONNECT, app->glyphs->middle);
                draw_line(cells, where, y, clock, row->start_ns + from_ns, row->start_ns + from_ns,
                          ROLE_PHASE + NP_PHASE_CONNECT, app->glyphs->from);
            }
        }
    }
}

static bool is_drawn_before(const struct app *app, int line, int64_t id)
{
    for (int i = 0; i < line; i++)
        if (list_on_line(&app->list, i)->connection_id == id)
            return true;
    return false;
}

static void draw_connection(const struct app *app, struct cells *cells, struct rect where, int y,
                            const struct clock *clock, const np_row *row)
{
    struct text label = {0};
    const np_row *selected = list_selected(&app->list);
    text_print(&label, "#%" PRId64 " ", row->connection_id);
    text_outside(&label, row->host, app->look.ascii);
    if (row->remote[0]) {
        text_char(&label, ' ');
        text_outside(&label, row->remote, app->look.ascii);
    }
    const bool is_its = selected && selected->connection_id == row->connection_id;
    cells_put_cut(cells, where, CURSOR_CELLS, y, is_its ? ROLE_HEADING : ROLE_QUIET,
                  label_cells(where.columns), text_string(&label), app->look.ascii);
    draw_life(app, cells, where, y, clock, row->connection_id);
    text_done(&label);
}

static void draw_connections(const struct app *app, struct cells *cells, struct rect where,
                             const struct clock *clock)
{
    int y = 1;
    int left_out = 0;
    cells_fill(cells, where, 1, 0, where.columns - 2, ROLE_RULE, app->glyphs->rule);
    cells_put(cells, where, 2, 0, ROLE_QUIET, " connections ");
    for (int line = 0; line < app->list.height; line++) {
        const np_row *row = list_on_line(&app->list, line);
        if (!row)
            break;
        if (row->connection_id == 0 || is_drawn_before(app, line, row->connection_id))
            continue;
        if (y < where.rows)
            draw_connection(app, cells, where, y++, clock, row);
        else
            left_out++;
    }
    if (left_out > 0) {
        struct text more = {0};
        text_print(&more, " %d more ", left_out);
        cells_put_right(cells, where, where.columns - 2, 0, ROLE_QUIET, text_string(&more));
        text_done(&more);
    }
}

/* ------------------------------------------------------------------------------------------- view */

static void waterfall_draw(const struct app *app, struct cells *cells, struct rect where)
{
    const struct clock clock = clock_of(app, where);
    const int below = connection_rows(where.rows);
    if (list_count(&app->list) == 0) {
        cells_put(cells, where, CURSOR_CELLS, 2, ROLE_QUIET,
                  app->list.has_answer ? "no request to show" : "reading the trace");
        return;
    }
    cells_put(cells, where, CURSOR_CELLS, 0, ROLE_QUIET, "request");
    draw_axis(&clock, cells, where);
    for (int line = 0; line < app->list.height; line++) {
        const np_row *row = list_on_line(&app->list, line);
        if (!row)
            break;
        draw_label(app, cells, where, line + 1, row);
        draw_bar(app, cells, where, line + 1, &clock, row);
        if (app->list.top + line == app->list.selected) {
            cells_put(cells, where, 0, line + 1, ROLE_KEY, app->glyphs->cursor);
            cells_select(cells, where, line + 1);
        }
    }
    if (below > 0)
        draw_connections(app, cells,
                         (struct rect){where.x, where.y + where.rows - below, where.columns, below},
                         &clock);
}

static void waterfall_status(const struct app *app, struct text *out)
{
    const struct clock clock = clock_of(app, app->layout.view);
    if (list_count(&app->list) == 0)
        return;
    const int digits = digits_for(waterfall_tick_ns(clock.to_ns - clock.from_ns, 10, 1));
    time_people(out, clock.from_ns, false, digits);
    text_puts(out, app->look.ascii ? " ... " : " … ");
    time_people(out, clock.to_ns, false, digits);
    if (!app->waterfall.is_fitted)
        text_puts(out, "  0 fits");
}

static void fix_clock(struct app *app)
{
    if (app->waterfall.is_fitted)
        fit_clock(app, &app->waterfall.from_ns, &app->waterfall.to_ns);
    app->waterfall.is_fitted = false;
}

static void pan(struct app *app, int direction)
{
    fix_clock(app);
    const int64_t span_ns = app->waterfall.to_ns - app->waterfall.from_ns;
    const int64_t step_ns = direction * (span_ns / 5 > 0 ? span_ns / 5 : 1);
    int64_t from_ns, to_ns;
    if (__builtin_add_overflow(app->waterfall.from_ns, step_ns, &from_ns) ||
        __builtin_add_overflow(app->waterfall.to_ns, step_ns, &to_ns) || from_ns < 0)
        return;
    app->waterfall.from_ns = from_ns;
    app->waterfall.to_ns = to_ns;
}

/* Around the start of the request under the cursor where that is on the screen, else the middle. */
static void zoom(struct app *app, double factor)
{
    fix_clock(app);
    const np_row *row = list_selected(&app->list);
    const int64_t from_ns = app->waterfall.from_ns;
    const int64_t to_ns = app->waterfall.to_ns;
    const bool has_start = row && row->start_ns >= from_ns && row->start_ns <= to_ns;
    const int64_t around_ns = has_start ? row->start_ns : from_ns + (to_ns - from_ns) / 2;
    const double before = (double)(around_ns - from_ns) * factor;
    const double behind = (double)(to_ns - around_ns) * factor;
    if (before + behind < CLOCK_LEAST_NS || before + behind > CLOCK_MOST_NS ||
        before > (double)around_ns)
        return;
    app->waterfall.from_ns = around_ns - (int64_t)before;
    app->waterfall.to_ns = around_ns + (int64_t)behind;
}

static bool waterfall_update(struct app *app, const struct msg *msg)
{
    if (msg->kind == MSG_MOUSE) {
        const int line = msg->y - app->layout.view.y - 1;
        if (!list_on_line(&app->list, line))
            return false;
        list_select_line(&app->list, line);
        if (msg->button == MOUSE_DOUBLE)
            app_show(app, VIEW_DETAIL);
        return true;
    }
    switch ((enum action_id)msg->action) {
    case ACTION_LEFT:
        pan(app, -1);
        return true;
    case ACTION_RIGHT:
        pan(app, 1);
        return true;
    case ACTION_ZOOM_IN:
        zoom(app, 0.5);
        return true;
    case ACTION_ZOOM_OUT:
        zoom(app, 2);
        return true;
    case ACTION_ZOOM_FIT:
        app->waterfall.is_fitted = true;
        return true;
    default:
        return list_act(&app->list, (enum action_id)msg->action);
    }
}

static void waterfall_fit(struct app *app)
{
    const int rows = app->layout.view.rows;
    list_resize(&app->list, rows - 1 - connection_rows(rows));
}

const struct view view_waterfall = {
    .name = "waterfall",
    .about = "the same requests on one clock, and the connections they used",
    .fit = waterfall_fit,
    .update = waterfall_update,
    .draw = waterfall_draw,
    .status = waterfall_status,
};
