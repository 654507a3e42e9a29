/* The first line, the last line and what lies over the view. Pure functions of the app. */
#ifndef TUI_BAR_H
#define TUI_BAR_H

#include "model.h"

void bar_draw(const struct app *app, struct cells *cells);
void bar_draw_title(const struct app *app, struct cells *cells);
void bar_draw_overlay(const struct app *app, struct cells *cells);
/* What a click on the last line means. */
enum action_id bar_action_at(const struct app *app, int x);

#endif
