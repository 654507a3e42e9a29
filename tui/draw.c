/* A whole frame; see app.h. */
#include "app.h"
#include "bar.h"

static void draw_too_small(const struct app *app, struct cells *cells)
{
    struct text words = {0};
    text_print(&words, "%d%s%d is too small: netphase needs %d%s%d", app->columns,
               app->glyphs->times, app->rows, LAYOUT_COLUMNS_LEAST, app->glyphs->times,
               LAYOUT_ROWS_LEAST);
    cells_put_cut(cells, app->layout.bar, 0, 0, ROLE_PLAIN, app->columns, text_string(&words),
                  app->look.ascii);
    text_done(&words);
}

void app_draw(const struct app *app, struct cells *cells)
{
    const struct view *view = view_of(app->view);
    cells_clear(cells);
    if (app->layout.is_too_small) {
        draw_too_small(app, cells);
        return;
    }
    bar_draw_title(app, cells);
    view->draw(app, cells, app->layout.view);
    if (view->facts && app->layout.facts.rows > 0)
        view->facts(app, cells, app->layout.facts);
    bar_draw_overlay(app, cells);
    bar_draw(app, cells);
}
