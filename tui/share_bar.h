/* A bar that says what a request's time went on: every cell belongs to the phase that has most of
 * it. Pure. */
#ifndef TUI_SHARE_BAR_H
#define TUI_SHARE_BAR_H

#include "model.h"

/* What stands in a cell of a phase's bar: its letter, or with colours a block. */
const char *share_glyph(const struct app *app, np_phase phase, char letter[2]);
void share_bar_draw(const struct app *app, struct cells *cells, struct rect where, int x, int y,
                    int width, const int64_t phase_ns[NP_PHASE_COUNT]);

#endif
