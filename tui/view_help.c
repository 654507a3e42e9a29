/* Keys of every view and what the letters and colours of phases mean; made from the tables. */
#include "action.h"
#include "app.h"
#include "key.h"
#include "views.h"
#include <string.h>

enum { KEYS_CELLS = 18, MARGIN = 2 };

static void put_keys(const struct look *look, const char *keys, struct text *out)
{
    struct text names = {0};
    int key;
    for (const char *at = keys; (key = key_next(&at)) != 0;) {
        text_puts(&names, names.length > 0 ? " " : "");
        key_put(key, &names);
    }
    struct text padded = {0};
    text_left(&padded, text_string(&names), KEYS_CELLS);
    look_puts(look, out, ROLE_KEY, text_string(&padded));
    text_done(&names);
    text_done(&padded);
}

static void put_actions(const struct look *look, unsigned views, unsigned not_in, struct text *out)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        const struct action *action = &actions[i];
        if ((action->views & views) != views || (not_in && (action->views & not_in) == not_in))
            continue;
        text_puts(out, "  ");
        put_keys(look, action->keys, out);
        text_puts(out, action->help);
        text_char(out, '\n');
    }
}

static enum view_id view_before(const struct app *app)
{
    return app->trail_count > 0 ? app->trail[app->trail_count - 1] : VIEW_REQUESTS;
}

static void put_view(const struct app *app, enum view_id id, struct text *out)
{
    const struct view *view = view_of(id);
    look_puts(&app->look, out, ROLE_HEADING, view->name);
    text_puts(out, "  ");
    look_puts(&app->look, out, ROLE_QUIET, view->about);
    text_char(out, '\n');
    put_actions(&app->look, 1u << id, IN_ALL, out);
    text_char(out, '\n');
}

static void put_phases(const struct app *app, struct text *out)
{
    look_puts(&app->look, out, ROLE_HEADING, "phases");
    text_puts(out, "  ");
    look_puts(&app->look, out, ROLE_QUIET, "together they are the total, exactly");
    text_char(out, '\n');
    for (int i = 0; i < NP_PHASE_COUNT; i++) {
        const np_phase phase = (np_phase)i;
        struct text name = {0};
        text_puts(out, "  ");
        text_print(&name, "%c %s%s%s", np_phase_letter(phase), app->glyphs->bar, app->glyphs->bar,
                   app->glyphs->bar);
        look_puts(&app->look, out, ROLE_PHASE + i, text_string(&name));
        text_clear(&name);
        text_left(&name, np_phase_name(phase), KEYS_CELLS - 7);
        text_print(out, "  %s", text_string(&name));
        text_puts(out, np_phase_meaning(phase));
        text_char(out, '\n');
        text_done(&name);
    }
    text_char(out, '\n');
}

/* First the keys of the view one came from, then those of all, then the others. */
static void write_help(const struct app *app, struct text *out)
{
    const enum view_id first = view_before(app);
    put_view(app, first == VIEW_HELP ? VIEW_REQUESTS : first, out);
    look_puts(&app->look, out, ROLE_HEADING, "everywhere");
    text_char(out, '\n');
    put_actions(&app->look, IN_ALL, 0, out);
    text_char(out, '\n');
    put_phases(app, out);
    for (int id = 0; id < VIEWS; id++)
        if (view_of((enum view_id)id) && id != (int)first && id != VIEW_HELP)
            put_view(app, (enum view_id)id, out);
    look_puts(&app->look, out, ROLE_HEADING, "mouse");
    text_puts(out,
              "\n  a click selects, a second one opens, the wheel scrolls; headings sort, tabs "
              "and the last line act\n");
}

static int line_count(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void help_fit(struct app *app)
{
    struct text help = {0};
    write_help(app, &help);
    scroll_fit(&app->help, line_count(text_string(&help)), app->layout.view.rows, false);
    text_done(&help);
}

static void help_draw(const struct app *app, struct cells *cells, struct rect where)
{
    struct text help = {0};
    write_help(app, &help);
    const char *at = text_string(&help);
    for (int line = 0; *at && line < app->help.top + where.rows; line++) {
        const size_t length = strcspn(at, "\n");
        struct text one = {0};
        text_add(&one, at, length);
        if (line >= app->help.top)
            cells_put_cut(cells, where, MARGIN, line - app->help.top, ROLE_PLAIN,
                          where.columns - MARGIN - 1, text_string(&one), app->look.ascii);
        at += length + (at[length] == '\n');
        text_done(&one);
    }
    text_done(&help);
}

static bool help_update(struct app *app, const struct msg *msg)
{
    return msg->kind == MSG_ACTION && scroll_act(&app->help, (enum action_id)msg->action, false);
}

const struct view view_help = {
    .name = "help",
    .about = "this page",
    .fit = help_fit,
    .update = help_update,
    .draw = help_draw,
};
