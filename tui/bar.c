/* The first line, the last line and what lies over the view; see bar.h. */
#include "bar.h"
#include "key.h"
#include "output.h"
#include <inttypes.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------ title */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void put_title(const struct app *app, struct text *out)
{
    look_puts(&app->look, out, ROLE_TITLE, "netphase");
    text_puts(out, "  ");
    text_outside(out, file_name(app->file), app->look.ascii);
    if (app->view != VIEW_REQUESTS) {
        text_puts(out, app->glyphs->separator);
        text_puts(out, view_of(app->view)->name);
    }
    if (app->filter) {
        text_puts(out, "  ");
        look_begin(&app->look, out, ROLE_LIVE);
        text_outside(out, app->filter, app->look.ascii);
        look_end(&app->look, out, ROLE_LIVE);
    }
}

void bar_draw_title(const struct app *app, struct cells *cells)
{
    const struct rect where = app->layout.title;
    struct text left = {0};
    struct text right = {0};
    put_title(app, &left);
    if (view_of(app->view)->status)
        view_of(app->view)->status(app, &right);
    int room = where.columns - 2 - text_width(text_string(&right)) - (right.length > 0 ? 2 : 0);
    if (room < 12) {
        room = where.columns - 2;
        text_clear(&right);
    }
    cells_put_cut(cells, where, 1, 0, ROLE_PLAIN, room, text_string(&left), app->look.ascii);
    cells_put_right(cells, where, where.columns - 1, 0, ROLE_PLAIN, text_string(&right));
    text_done(&left);
    text_done(&right);
}

/* ------------------------------------------------------------------------------------------- keys */

/* "↑↓ move", "Enter detail" */
static void put_item(const struct app *app, const struct action *action, struct text *out)
{
    const char *at = action->keys;
    look_begin(&app->look, out, ROLE_KEY);
    if (action == &actions[ACTION_DOWN])
        text_puts(out, app->glyphs->arrows_vertical);
    else if (action == &actions[ACTION_LEFT] || action == &actions[ACTION_PHASE_RIGHT])
        text_puts(out, app->glyphs->arrows_sideways);
    else
        key_put(key_next(&at), out);
    look_end(&app->look, out, ROLE_KEY);
    text_char(out, ' ');
    text_puts(out, action->bar);
}

static bool is_on_bar(const struct app *app, const struct action *action, int worst_rank)
{
    return action->bar[0] && action->views & 1u << app->view && action->rank <= worst_rank;
}

static int width_with(const struct app *app, int worst_rank)
{
    int width = 1;
    for (int i = 0; i < ACTION_COUNT; i++) {
        struct text item = {0};
        if (!is_on_bar(app, &actions[i], worst_rank))
            continue;
        put_item(app, &actions[i], &item);
        width += text_width(text_string(&item)) + 2;
        text_done(&item);
    }
    return width;
}

/* Items of a higher rank are left out until the rest fits; help stays longest after moving. */
static int worst_rank_for(const struct app *app, int room)
{
    int worst = 100;
    while (worst > 1 && width_with(app, worst) > room)
        worst--;
    return worst;
}

/* ------------------------------------------------------------------------------------------ place */

static void put_place(const struct app *app, struct text *out)
{
    const struct list *list = &app->list;
    const np_row *row = list_selected(list);
    const bool is_list = view_of(app->view)->has_facts || app->view == VIEW_WATERFALL;
    if (!is_list || !row)
        return;
    const bool is_first = list->at_start && list->selected == 0;
    const bool is_last = list->at_end && list->selected == list_count(list) - 1;
    if (list->at_start && list->at_end && list_count(list) <= list->height)
        text_puts(out, "all");
    else if (is_first)
        text_puts(out, "top");
    else if (is_last)
        text_puts(out, "end");
    else if (list_rank(list) >= 0 && list->total > 1)
        text_print(out, "%.0f %%", 100.0 * (double)list_rank(list) / (double)(list->total - 1));
}

static void draw_keys(const struct app *app, struct cells *cells, struct rect where)
{
    struct text place = {0};
    put_place(app, &place);
    const int room = where.columns - text_width(text_string(&place)) - 2;
    const int worst = worst_rank_for(app, room);
    int x = 1;
    for (int i = 0; i < ACTION_COUNT; i++) {
        struct text item = {0};
        if (!is_on_bar(app, &actions[i], worst))
            continue;
        put_item(app, &actions[i], &item);
        x += cells_put(cells, where, x, 0, ROLE_PLAIN, text_string(&item)) + 2;
        text_done(&item);
    }
    cells_put_right(cells, where, where.columns - 1, 0, ROLE_QUIET, text_string(&place));
    text_done(&place);
}

enum action_id bar_action_at(const struct app *app, int x)
{
    struct text place = {0};
    put_place(app, &place);
    const int room = app->layout.bar.columns - text_width(text_string(&place)) - 2;
    const int worst = worst_rank_for(app, room);
    int from = 1;
    text_done(&place);
    for (int i = 0; i < ACTION_COUNT; i++) {
        struct text item = {0};
        if (!is_on_bar(app, &actions[i], worst))
            continue;
        put_item(app, &actions[i], &item);
        const int behind = from + text_width(text_string(&item));
        text_done(&item);
        if (x >= from && x < behind)
            return (enum action_id)i;
        from = behind + 2;
    }
    return ACTION_NONE;
}

/* ----------------------------------------------------------------------------------------- prompt */

/* Two lines: what is typed, and below it what can be, or what is wrong. */
static void draw_prompt(const struct app *app, struct cells *cells, struct rect bar)
{
    const struct prompt *prompt = &app->prompt;
    const struct rect where = {bar.x, bar.y - 1, bar.columns, 2};
    const int label = text_width(prompt->label);
    struct text before = {0};
    struct text hint = {0};
    for (int y = 0; y < 2; y++)
        cells_fill(cells, where, 0, y, where.columns, ROLE_PLAIN, " ");
    text_add(&before, text_string(&prompt->line), prompt->cursor);
    const int cursor = text_width(text_string(&before));
    const int room = where.columns - label - 2;
    const int shift = cursor > room ? cursor - room : 0;
    const struct rect line = {where.x + 1 + label, where.y, room + 1, 1};
    cells_put(cells, where, 1, 0, ROLE_KEY, prompt->label);
    cells_put(cells, line, -shift, 0, ROLE_PROMPT, text_string(&prompt->line));
    cells->cursor_x = line.x + cursor - shift;
    cells->cursor_y = where.y;

    if (app->mistake.length > 0) {
        const struct rect below = {line.x, where.y + 1, line.columns, 1};
        const int used =
            cells_put(cells, below, -shift, 0, ROLE_BAD, text_string(&app->mistake)) - shift;
        if (strchr(text_string(&app->mistake), '?') == NULL)
            cells_put_cut(cells, below, used + 1, 0, ROLE_BAD, below.columns - used - 1,
                          text_string(&app->message), app->look.ascii);
    } else if (app->message.length > 0) {
        cells_put_cut(cells, where, 1, 1, ROLE_BAD, where.columns - 2, text_string(&app->message),
                      app->look.ascii);
    } else {
        prompt_completions(prompt, &hint);
        if (prompt->kind == ACTION_GO)
            text_puts(&hint, "12:04:29   2026-11-23T12:04:29Z   10m ago: 10m   50%   #118");
        else if (prompt->kind == ACTION_SEARCH)
            text_puts(&hint, "in URL, method, status, proxy, address, error");
        cells_put_cut(cells, where, 1, 1, ROLE_QUIET, where.columns - 2, text_string(&hint),
                      app->look.ascii);
    }
    text_done(&before);
    text_done(&hint);
}

static bool runs_long(const struct app *app)
{
    return app->searching != 0 || app->per_thousand > 0 || app->working & (1u << ASK_REPORT);
}

static void draw_progress(const struct app *app, struct cells *cells, struct rect where)
{
    struct text words = {0};
    text_puts(&words, "reading the trace");
    if (app->per_thousand > 0)
        text_print(&words, ", %d %%", app->per_thousand / 10);
    text_puts(&words, "; Esc ends it");
    cells_put_cut(cells, where, 1, 0, ROLE_LIVE, where.columns - 2, text_string(&words),
                  app->look.ascii);
    text_done(&words);
}

void bar_draw(const struct app *app, struct cells *cells)
{
    const struct rect where = app->layout.bar;
    if (app->prompt.is_open) {
        draw_prompt(app, cells, where);
        return;
    }
    if (app->message.length > 0)
        cells_put_cut(cells, where, 1, 0, app->message_is_bad ? ROLE_BAD : ROLE_HEADING,
                      where.columns - 2, text_string(&app->message), app->look.ascii);
    else if (runs_long(app))
        draw_progress(app, cells, where);
    else
        draw_keys(app, cells, where);
}

/* ---------------------------------------------------------------------------------------- overlay */

void bar_draw_overlay(const struct app *app, struct cells *cells)
{
    const struct rect view = app->layout.view;
    struct text wrapped = {0};
    if (app->overlay.length == 0)
        return;
    const int width = view.columns - 6;
    text_wrap(&wrapped, text_string(&app->overlay), 0, 0, width);
    int rows = 1;
    for (const char *at = text_string(&wrapped); *at; at++)
        rows += *at == '\n';
    const int most = view.rows - 4 > 1 ? view.rows - 4 : 1;
    rows = rows < most ? rows : most;
    const struct rect box = {view.x, view.y + (view.rows - rows - 3) / 2, view.columns, rows + 3};
    for (int y = 0; y < box.rows; y++)
        cells_fill(cells, box, 0, y, box.columns, ROLE_PLAIN, " ");
    cells_fill(cells, box, 1, 0, box.columns - 2, ROLE_RULE, app->glyphs->rule);
    cells_put(cells, box, 2, 0, ROLE_HEADING, " copied ");
    cells_fill(cells, box, 1, box.rows - 1, box.columns - 2, ROLE_RULE, app->glyphs->rule);
    const char *at = text_string(&wrapped);
    for (int y = 1; y <= rows; y++) {
        struct text line = {0};
        const size_t length = strcspn(at, "\n");
        text_add(&line, at, length);
        cells_put(cells, box, 2, y, ROLE_PLAIN, text_string(&line));
        at += length + (at[length] == '\n');
        text_done(&line);
    }
    cells_put(cells, box, 2, box.rows - 2, ROLE_QUIET, "any key closes this");
    text_done(&wrapped);
}
