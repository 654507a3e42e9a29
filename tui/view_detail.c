/* One request with everything there is about it, in tabs. What the tabs say is in detail_text.c. */
#include "action.h"
#include "app.h"
#include "detail_text.h"
#include "views.h"
#include <inttypes.h>
#include <string.h>

enum { HEAD_ROWS = 2 /* the tabs and a blank line */, MARGIN = 1 };

static int line_count(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* Lines that are longer than the window go on below; those with roles are made for its width. */
static void wrap_lines(struct text *text, int columns)
{
    struct text wrapped = {0};
    for (const char *at = text_string(text); *at;) {
        const size_t length = strcspn(at, "\n");
        struct text line = {0};
        text_add(&line, at, length);
        if (text_width(text_string(&line)) > columns && !strchr(text_string(&line), '\033')) {
            const int indent = (int)strspn(text_string(&line), " ");
            text_repeat(&wrapped, " ", indent);
            text_wrap(&wrapped, text_string(&line) + indent, indent, indent + 4, columns);
        } else {
            text_puts(&wrapped, text_string(&line));
        }
        text_char(&wrapped, '\n');
        text_done(&line);
        at += length + (at[length] == '\n');
    }
    text_done(text);
    *text = wrapped;
}

static void make_text(struct app *app)
{
    struct detail_state *detail = &app->detail;
    const np_request_detail *request = app_detail(app);
    struct look look = app->look;
    look.columns = app->columns - 2 * MARGIN;
    if (detail->made_of == request && detail->made_tab == detail->tab &&
        detail->made_columns == look.columns)
        return;
    text_clear(&detail->text);
    if (request)
        detail_write((int)detail->tab, request, detail->call, &look, &detail->text);
    if (detail->tab == TAB_HEADERS || detail->tab == TAB_RAW)
        wrap_lines(&detail->text, look.columns);
    detail->made_of = request;
    detail->made_tab = detail->tab;
    detail->made_columns = look.columns;
}

static void detail_fit(struct app *app)
{
    make_text(app);
    scroll_fit(&app->detail.scroll, line_count(text_string(&app->detail.text)),
               app->layout.view.rows - HEAD_ROWS, false);
}

static void draw_tabs(const struct app *app, struct cells *cells, struct rect where)
{
    int x = MARGIN;
    for (int i = 0; i < TABS; i++) {
        struct text name = {0};
        const bool is_shown = i == (int)app->detail.tab;
        text_print(&name, " %s ", detail_tab_names[i]);
        x += cells_put(cells, where, x, 0, is_shown ? ROLE_TAB : ROLE_QUIET, text_string(&name));
        text_done(&name);
    }
}

/* What is above and below, at the right edge. */
static void draw_more(const struct app *app, struct cells *cells, struct rect where)
{
    const struct scroll *scroll = &app->detail.scroll;
    const int below = scroll->count - scroll->top - scroll->height;
    struct text more = {0};
    if (below > 0 || scroll->top > 0)
        text_print(&more, "%d-%d of %d", scroll->top + 1,
                   below > 0 ? scroll->top + scroll->height : scroll->count, scroll->count);
    if (where.columns >= 70)
        cells_put_right(cells, where, where.columns - MARGIN, 0, ROLE_QUIET, text_string(&more));
    text_done(&more);
}

static void draw_lines(const struct app *app, struct cells *cells, struct rect where)
{
    const struct scroll *scroll = &app->detail.scroll;
    const char *at = text_string(&app->detail.text);
    for (int line = 0; *at && line < scroll->top + scroll->height; line++) {
        const size_t length = strcspn(at, "\n");
        if (line >= scroll->top) {
            struct text one = {0};
            text_add(&one, at, length);
            cells_put_cut(cells, where, MARGIN, HEAD_ROWS + line - scroll->top, ROLE_PLAIN,
                          where.columns - 2 * MARGIN, text_string(&one), app->look.ascii);
            text_done(&one);
        }
        at += length + (at[length] == '\n');
    }
}

static void detail_draw(const struct app *app, struct cells *cells, struct rect where)
{
    draw_tabs(app, cells, where);
    draw_more(app, cells, where);
    if (app_detail(app))
        draw_lines(app, cells, where);
    else
        cells_put(cells, where, MARGIN, HEAD_ROWS, ROLE_QUIET,
                  list_count(&app->list) > 0 || !app->list.has_answer ? "reading the request"
                                                                      : "no request to show");
}

static void detail_status(const struct app *app, struct text *out)
{
    const np_row *row = list_selected(&app->list);
    if (row)
        text_print(out, "request %" PRId64, row->id);
}

static void show_tab(struct app *app, int tab)
{
    app->detail.tab = (enum detail_tab)((tab + TABS) % TABS);
    app->detail.scroll.top = 0;
}

static bool click(struct app *app, const struct msg *msg)
{
    int x = MARGIN;
    if (msg->y != app->layout.view.y)
        return false;
    for (int i = 0; i < TABS; i++) {
        x += (int)strlen(detail_tab_names[i]) + 2;
        if (msg->x < x) {
            show_tab(app, i);
            return true;
        }
    }
    return false;
}

static bool detail_update(struct app *app, const struct msg *msg)
{
    if (msg->kind == MSG_MOUSE)
        return click(app, msg);
    switch ((enum action_id)msg->action) {
    case ACTION_TAB_NEXT:
        show_tab(app, (int)app->detail.tab + 1);
        return true;
    case ACTION_TAB_BACK:
        show_tab(app, (int)app->detail.tab - 1);
        return true;
    case ACTION_NEWER:
        list_move(&app->list, 1);
        return true;
    case ACTION_OLDER:
        list_move(&app->list, -1);
        return true;
    default:
        return scroll_act(&app->detail.scroll, (enum action_id)msg->action, false);
    }
}

const struct view view_detail = {
    .name = "detail",
    .about = "one request: its phases and spans, hops, headers, connection",
    .fit = detail_fit,
    .update = detail_update,
    .draw = detail_draw,
    .status = detail_status,
};
