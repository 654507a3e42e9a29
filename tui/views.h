/* The views there are; views.c has the table. */
#ifndef TUI_VIEWS_H
#define TUI_VIEWS_H

#include "view.h"

extern const struct view view_requests;
extern const struct view view_waterfall;
extern const struct view view_detail;
extern const struct view view_summary;
extern const struct view view_help;

#endif
