/*
 * The list of requests: a line each, with a bar that says what its time went on, and two lines of
 * words about the one under the cursor.
 *
 * Columns are a table. Where the screen is narrow they go by rank, the highest first; what is left
 * over is shared out among those that can use it. Durations stand with their points below each
 * other, all in milliseconds, so that the eye compares magnitudes.
 */
#include "action.h"
#include "app.h"
#include "output.h"
#include "reason.h"
#include "request_label.h"
#include "share_bar.h"
#include "views.h"
#include "words.h"
#include <inttypes.h>
#include <string.h>

enum column_id {
    COLUMN_STARTED,
    COLUMN_REQUEST,
    COLUMN_STATUS,
    COLUMN_PROTOCOL,
    COLUMN_SORTED, /* what it is sorted by, where no other column shows it */
    COLUMN_SETUP,
    COLUMN_TOTAL,
    COLUMN_BAR,
    COLUMN_NOTE,
    COLUMNS
};

#define DURATION_LEAST_NS 10000

enum { CURSOR_CELLS = 2, GAP = 2, DURATION_PART = 3 /* ".12" */, TELLING_SHARE = 200 };

struct column {
    const char *heading;
    int order; /* a click on the heading sorts by it; -1: by nothing */
    int least, most;
    int weight; /* of what is left over */
    int rank;   /* 0: always there */
    bool is_right;
    int from; /* columns a screen needs to have it */
};

/* clang-format off */
static const struct column columns[COLUMNS] = {
    [COLUMN_STARTED]  = {"started",       ORDER_ID,     12, 12,  0, 5, false, 0},
    [COLUMN_REQUEST]  = {"request",       -1,           14, 90, 45, 0, false, 0},
    [COLUMN_STATUS]   = {"status",        ORDER_STATUS,  6, 6,   0, 4, true,  0},
    [COLUMN_PROTOCOL] = {"proto",         -1,            5, 5,   0, 6, false, 0},
    [COLUMN_SORTED]   = {"",              -1,           10, 10,  0, 1, true,  0},
    [COLUMN_SETUP]    = {"setup ms",      ORDER_SETUP,  10, 10,  0, 3, true,  0},
    [COLUMN_TOTAL]    = {"total ms",      ORDER_TOTAL,  10, 10,  0, 1, true,  0},
    [COLUMN_BAR]      = {"where it went", -1,            8, 42, 35, 2, false, 0},
    [COLUMN_NOTE]     = {"",              -1,           14, 44, 20, 7, false, 116},
};
/* clang-format on */

struct columns {
    int x[COLUMNS], width[COLUMNS]; /* width 0: it is not there */
};

/* ------------------------------------------------------------------------------------------ widths */

static bool is_shown_anyway(int order)
{
    return order == ORDER_ID || order == ORDER_STATUS || order == ORDER_SETUP ||
           order == ORDER_TOTAL;
}

static bool is_wanted(const struct app *app, int i, int worst_rank, int room)
{
    if (i == COLUMN_SORTED && is_shown_anyway(app->list.order.by))
        return false;
    return columns[i].rank <= worst_rank && room >= columns[i].from;
}

static bool fits(const struct app *app, int worst_rank, int room, int *left)
{
    int needed = CURSOR_CELLS - GAP;
    for (int i = 0; i < COLUMNS; i++)
        if (is_wanted(app, i, worst_rank, room))
            needed += GAP + columns[i].least;
    *left = room - needed;
    return needed <= room;
}

static struct columns share_out(const struct app *app, int room)
{
    struct columns shared = {0};
    int worst = 7;
    int left = 0;
    while (worst > 0 && !fits(app, worst, room, &left))
        worst--;
    const int whole = left > 0 ? left : 0;
    const bool has_note = is_wanted(app, COLUMN_NOTE, worst, room);
    int x = CURSOR_CELLS;
    for (int i = 0; i < COLUMNS; i++) {
        if (!is_wanted(app, i, worst, room))
            continue;
        int more = whole * columns[i].weight / (has_note ? 100 : 80);
        more =
            more < columns[i].most - columns[i].least ? more : columns[i].most - columns[i].least;
        shared.x[i] = x;
        shared.width[i] = columns[i].least + more;
        x += shared.width[i] + GAP;
    }
    return shared;
}

/* ---------------------------------------------------------------------------------------- headings */

static void put_heading(const struct app *app, int i, int width, struct text *out)
{
    const int by = app->list.order.by;
    const bool is_sorted = i == COLUMN_SORTED || (columns[i].order >= 0 && columns[i].order == by);
    const bool is_bytes = by == ORDER_SENT || by == ORDER_RECEIVED;
    if (i == COLUMN_SORTED) {
        /* as much of a long name as there is room for beside the unit and the mark */
        text_cut(out, by == ORDER_CALLER_BLOCKED ? "caller" : order_name(by), 7, app->look.ascii);
        text_puts(out, is_bytes ? "" : " ms");
    } else {
        const bool is_narrow = i == COLUMN_BAR && width < (int)strlen(columns[i].heading);
        text_puts(out, is_narrow ? "phases" : columns[i].heading);
    }
    if (is_sorted && !(by == ORDER_ID && !app->list.order.is_descending)) {
        text_char(out, ' ');
        text_puts(out, app->list.order.is_descending ? app->glyphs->down : app->glyphs->up);
    }
}

static void draw_headings(const struct app *app, struct cells *cells, struct rect where,
                          const struct columns *shared)
{
    for (int i = 0; i < COLUMNS; i++) {
        struct text heading = {0};
        if (shared->width[i] == 0)
            continue;
        put_heading(app, i, shared->width[i], &heading);
        const bool is_sorted = i == COLUMN_SORTED || columns[i].order == app->list.order.by;
        const int role = is_sorted ? ROLE_SORTED : ROLE_QUIET;
        const struct rect cell = {where.x + shared->x[i], where.y, shared->width[i] + 1, 1};
        if (columns[i].is_right)
            cells_put_right(cells, cell, shared->width[i], 0, role, text_string(&heading));
        else
            cells_put_cut(cells, cell, 0, 0, role, shared->width[i], text_string(&heading),
                          app->look.ascii);
        text_done(&heading);
    }
}

/* -------------------------------------------------------------------------------------------- rows */

/* The point stands DURATION_PART cells before the end of the column. */
static void draw_number(struct cells *cells, struct rect cell, int role, const char *number)
{
    const char *point = strchr(number, '.');
    const int part = point ? text_width(point) : 0;
    cells_put_right(cells, cell, cell.columns - 1 - DURATION_PART + part, 0, role, number);
}

static void draw_duration(const struct app *app, struct cells *cells, struct rect cell, int role,
                          int64_t duration_ns)
{
    struct text number = {0};
    if (duration_ns < 0)
        text_puts(&number, app->glyphs->dash);
    else if (duration_ns > 0 && duration_ns < DURATION_LEAST_NS)
        text_puts(&number, "0.01"); /* what happened is never shown as nothing */
    else
        duration_in(&number, duration_ns, UNIT_MS);
    draw_number(cells, cell, role, text_string(&number));
    text_done(&number);
}

static void draw_sorted(const struct app *app, struct cells *cells, struct rect cell,
                        const np_row *row)
{
    const int by = app->list.order.by;
    const int64_t key = order_value(row, by);
    struct text size = {0};
    const int role = by >= ORDER_PHASE ? ROLE_PHASE + by - ORDER_PHASE : ROLE_PLAIN;
    if (by != ORDER_SENT && by != ORDER_RECEIVED) {
        draw_duration(app, cells, cell, role, key);
        return;
    }
    if (key < 0)
        text_puts(&size, app->glyphs->dash);
    else
        size_people(&size, key);
    cells_put_right(cells, cell, cell.columns - 1, 0, ROLE_PLAIN, text_string(&size));
    text_done(&size);
}

static void draw_request(const struct app *app, struct cells *cells, struct rect cell,
                         const np_row *row)
{
    struct text label = {0};
    request_label(row, cell.columns - 1, &app->look, &label);
    cells_put_cut(cells, cell, 0, 0, ROLE_PLAIN, cell.columns - 1, text_string(&label),
                  app->look.ascii);
    text_done(&label);
}

static void draw_status(const struct app *app, struct cells *cells, struct rect cell,
                        const np_row *row)
{
    struct text status = {0};
    const bool is_bad = row->failed || row->status >= 400;
    if (row->failed)
        text_print(&status, "%s ", app->glyphs->failed);
    if (row->status > 0)
        text_print(&status, "%d", row->status);
    else
        text_puts(&status, app->glyphs->dash);
    cells_put_right(cells, cell, cell.columns - 1, 0, is_bad ? ROLE_BAD : ROLE_PLAIN,
                    text_string(&status));
    text_done(&status);
}

static void draw_bar(const struct app *app, struct cells *cells, struct rect cell,
                     const np_row *row)
{
    const int width = cell.columns - 1;
    cells_put(cells, cell, 0, 0, ROLE_RULE, app->glyphs->frame_from);
    share_bar_draw(app, cells, cell, 1, 0, width - 2, row->phase_ns);
    cells_put(cells, cell, width - 1, 0, ROLE_RULE, app->glyphs->frame_to);
}

/* A word or two on what is special about it. */
static void draw_note(const struct app *app, struct cells *cells, struct rect cell,
                      const np_row *row)
{
    struct text note = {0};
    if (row->failed)
        text_outside(&note, row->error[0] ? row->error : row->outcome, app->look.ascii);
    else if (row->hop > 0)
        text_print(&note, "%s, hop %d of #%" PRId64, words_hop_reason(row->hop_reason), row->hop,
                   row->hop_of);
    else if (row->reused)
        text_puts(&note, "reused");
    else if (strcmp(row->connection_state, "resumed-tls") == 0)
        text_puts(&note, "TLS resumed");
    cells_put_cut(cells, cell, 0, 0, row->failed ? ROLE_BAD : ROLE_QUIET, cell.columns - 1,
                  text_string(&note), app->look.ascii);
    text_done(&note);
}

static void draw_started(const struct app *app, struct cells *cells, struct rect cell,
                         const np_row *row)
{
    struct text started = {0};
    (void)app; /* the same in every look */
    time_people(&started, row->start_ns, false, 3);
    cells_put(cells, cell, 0, 0, ROLE_QUIET, text_string(&started));
    text_done(&started);
}

static void draw_protocol(const struct app *app, struct cells *cells, struct rect cell,
                          const np_row *row)
{
    struct text protocol = {0};
    const bool is_http_1 = strncmp(row->protocol, "http/", 5) == 0; /* h1.1, as h2 and h3 are */
    text_puts(&protocol, is_http_1 ? "h" : "");
    text_outside(&protocol, row->protocol + (is_http_1 ? 5 : 0), app->look.ascii);
    cells_put_cut(cells, cell, 0, 0, ROLE_QUIET, cell.columns - 1,
                  protocol.length > 0 ? text_string(&protocol) : app->glyphs->dash,
                  app->look.ascii);
    text_done(&protocol);
}

static void draw_row(const struct app *app, struct cells *cells, struct rect where, int y,
                     const struct columns *shared, const np_row *row)
{
    for (int i = 0; i < COLUMNS; i++) {
        /* one cell more than the column has: numbers are put at its end */
        const struct rect cell = {where.x + shared->x[i], where.y + y, shared->width[i] + 1, 1};
        if (shared->width[i] == 0)
            continue;
        switch ((enum column_id)i) {
        case COLUMN_STARTED:
            draw_started(app, cells, cell, row);
            break;
        case COLUMN_REQUEST:
            draw_request(app, cells, cell, row);
            break;
        case COLUMN_STATUS:
            draw_status(app, cells, cell, row);
            break;
        case COLUMN_PROTOCOL:
            draw_protocol(app, cells, cell, row);
            break;
        case COLUMN_SORTED:
            draw_sorted(app, cells, cell, row);
            break;
        case COLUMN_SETUP:
            draw_duration(app, cells, cell, ROLE_PLAIN, row->setup_ns);
            break;
        case COLUMN_TOTAL:
            draw_duration(app, cells, cell, ROLE_SUM, row->total_ns);
            break;
        case COLUMN_BAR:
            draw_bar(app, cells, cell, row);
            break;
        case COLUMN_NOTE:
            draw_note(app, cells, cell, row);
            break;
        case COLUMNS:
            break;
        }
    }
}

static void draw_nothing(const struct app *app, struct cells *cells, struct rect where)
{
    const char *words = !app->list.has_answer ? "reading the trace"
                        : app->filter         ? "no request matches; Esc takes the filter off"
                                              : "no request in this trace yet";
    cells_put_cut(cells, where, CURSOR_CELLS, 2, ROLE_QUIET, where.columns - CURSOR_CELLS, words,
                  app->look.ascii);
}

static void requests_draw(const struct app *app, struct cells *cells, struct rect where)
{
    const struct columns shared = share_out(app, where.columns);
    draw_headings(app, cells, where, &shared);
    if (list_count(&app->list) == 0) {
        draw_nothing(app, cells, where);
        return;
    }
    for (int line = 0; line < app->list.height; line++) {
        const np_row *row = list_on_line(&app->list, line);
        if (!row)
            break;
        draw_row(app, cells, where, line + 1, &shared, row);
        if (app->list.top + line == app->list.selected) {
            cells_put(cells, where, 0, line + 1, ROLE_KEY, app->glyphs->cursor);
            cells_select(cells, where, line + 1);
        }
    }
}

/* ------------------------------------------------------------------------------------------- facts */

/* "#118  proxy 202 · connect 20 · wait 112 ms": phases that are worth a word. */
static void put_phases(const struct app *app, const np_row *row, struct text *out)
{
    const enum unit unit = unit_for(row->total_ns);
    text_print(out, "#%" PRId64 "  ", row->id);
    bool is_first = true;
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++) {
        if (row->phase_ns[phase] < 0 || row->phase_ns[phase] < row->total_ns / TELLING_SHARE)
            continue;
        text_puts(out, is_first ? "" : app->glyphs->separator);
        look_puts(&app->look, out, ROLE_PHASE + phase, np_phase_name((np_phase)phase));
        text_char(out, ' ');
        duration_in(out, row->phase_ns[phase], unit);
        is_first = false;
    }
    text_print(out, " %s", unit_name(unit, app->look.ascii));
}

static void requests_facts(const struct app *app, struct cells *cells, struct rect where)
{
    const np_row *row = list_selected(&app->list);
    const np_request_detail *request = app_detail(app);
    struct text phases = {0};
    struct text reason = {0};
    cells_fill(cells, where, 1, 0, where.columns - 2, ROLE_RULE, app->glyphs->rule);
    if (!row)
        return;
    put_phases(app, row, &phases);
    if (request)
        reason_write(request, app->look.ascii, &reason);
    cells_put_cut(cells, where, 2, 1, ROLE_PLAIN, where.columns - 3, text_string(&phases),
                  app->look.ascii);
    cells_put_cut(cells, where, 2, 2, row->failed ? ROLE_BAD : ROLE_PLAIN, where.columns - 3,
                  text_string(&reason), app->look.ascii);
    text_done(&phases);
    text_done(&reason);
}

/* ------------------------------------------------------------------------------------------ status */

static void put_count(const struct app *app, struct text *out)
{
    const np_store_info *info = app->info;
    if (!info)
        return;
    text_thousands(out, info->requests + app->more_than_info);
    text_puts(out, info->requests + app->more_than_info == 1 ? " request" : " requests");
    if (info->failed > 0) {
        text_puts(out, app->glyphs->separator);
        look_begin(&app->look, out, ROLE_BAD);
        text_thousands(out, info->failed);
        text_puts(out, " failed");
        look_end(&app->look, out, ROLE_BAD);
    }
    if (info->dropped > 0) {
        text_puts(out, app->glyphs->separator);
        look_begin(&app->look, out, ROLE_BAD);
        text_thousands(out, info->dropped);
        text_puts(out, " events lost");
        look_end(&app->look, out, ROLE_BAD);
    }
    if (info->unfinished > 0) {
        text_puts(out, app->glyphs->separator);
        text_thousands(out, info->unfinished);
        text_puts(out, " in flight");
    }
    if (app->new_count > 0) {
        text_puts(out, "  ");
        look_begin(&app->look, out, ROLE_LIVE);
        text_puts(out, app->glyphs->down);
        text_char(out, ' ');
        text_thousands(out, (unsigned long long)app->new_count);
        text_puts(out, " new");
        look_end(&app->look, out, ROLE_LIVE);
    }
}

static void requests_status(const struct app *app, struct text *out)
{
    put_count(app, out);
    if (!app->is_following && !app->is_frozen)
        return;
    text_puts(out, "  ");
    look_begin(&app->look, out, ROLE_LIVE);
    text_puts(out, app->is_frozen ? "frozen" : app->glyphs->dot);
    text_puts(out, app->is_frozen ? "" : " following");
    look_end(&app->look, out, ROLE_LIVE);
}

/* ----------------------------------------------------------------------------------------- updates */

static void sort_by(struct app *app, int by)
{
    const struct order now = app->list.order;
    const bool is_same = now.by == by;
    list_restart(&app->list, (struct order){by, is_same ? !now.is_descending : by != ORDER_ID});
}

/* < and >: through all that one can sort by, as the phases stand. */
static void sort_beside(struct app *app, int step)
{
    static const int orders[] = {ORDER_ID,
                                 ORDER_STATUS,
                                 ORDER_SETUP,
                                 ORDER_TOTAL,
                                 ORDER_PHASE + NP_PHASE_QUEUE,
                                 ORDER_PHASE + NP_PHASE_PROXY,
                                 ORDER_PHASE + NP_PHASE_DNS,
                                 ORDER_PHASE + NP_PHASE_CONNECT,
                                 ORDER_PHASE + NP_PHASE_TUNNEL,
                                 ORDER_PHASE + NP_PHASE_TLS,
                                 ORDER_PHASE + NP_PHASE_SEND,
                                 ORDER_PHASE + NP_PHASE_WAIT,
                                 ORDER_PHASE + NP_PHASE_RECEIVE,
                                 ORDER_PHASE + NP_PHASE_GAP,
                                 ORDER_RECEIVED,
                                 ORDER_SENT,
                                 ORDER_CALLER_BLOCKED};
    const int count = (int)(sizeof orders / sizeof orders[0]);
    int at = 0;
    while (at < count - 1 && orders[at] != app->list.order.by)
        at++;
    const int by = orders[(at + step + count) % count];
    list_restart(&app->list, (struct order){by, by != ORDER_ID});
}

static bool click_heading(struct app *app, int x)
{
    const struct columns shared = share_out(app, app->layout.view.columns);
    for (int i = 0; i < COLUMNS; i++) {
        if (shared.width[i] == 0 || x < shared.x[i] || x >= shared.x[i] + shared.width[i])
            continue;
        if (columns[i].order >= 0)
            sort_by(app, columns[i].order);
        else if (i == COLUMN_SORTED)
            sort_by(app, app->list.order.by);
        return true;
    }
    return false;
}

static bool click(struct app *app, const struct msg *msg)
{
    const int line = msg->y - app->layout.view.y - 1;
    if (line == -1)
        return click_heading(app, msg->x);
    if (!list_on_line(&app->list, line))
        return false;
    list_select_line(&app->list, line);
    if (msg->button == MOUSE_DOUBLE)
        app_show(app, VIEW_DETAIL);
    return true;
}

static bool requests_update(struct app *app, const struct msg *msg)
{
    if (msg->kind == MSG_MOUSE)
        return click(app, msg);
    switch ((enum action_id)msg->action) {
    case ACTION_SORT_LEFT:
        sort_beside(app, -1);
        return true;
    case ACTION_SORT_RIGHT:
        sort_beside(app, 1);
        return true;
    case ACTION_REVERSE:
        sort_by(app, app->list.order.by);
        return true;
    default:
        return list_act(&app->list, (enum action_id)msg->action);
    }
}

static void requests_fit(struct app *app)
{
    list_resize(&app->list, app->layout.view.rows - 1);
}

const struct view view_requests = {
    .name = "requests",
    .about = "every request on a line, with a bar of what its time went on",
    .has_facts = true,
    .fit = requests_fit,
    .update = requests_update,
    .draw = requests_draw,
    .facts = requests_facts,
    .status = requests_status,
};
