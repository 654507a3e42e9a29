/*
 * What a role looks like: colours and attributes for 256, 8 and no colours. Data and one pure
 * function; term.c makes curses attributes of it, a dump writes the role's letter.
 */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include "look.h"

/* The roles of look.h, and then: */
enum tui_role {
    ROLE_TITLE = ROLE_PHASE + NP_PHASE_COUNT, /* the first line */
    ROLE_KEY,                                 /* the name of a key */
    ROLE_RULE,                                /* lines between parts */
    ROLE_SORTED,                              /* the heading that the list is sorted by */
    ROLE_LIVE,                                /* following, new rows */
    ROLE_MATCH,                               /* what was searched for */
    ROLE_PROMPT,                              /* what one types */
    ROLE_TAB,                                 /* the tab that is shown */
    ROLES
};

enum { STYLE_BOLD = 1, STYLE_REVERSE = 2, STYLE_UNDERLINE = 4, STYLE_DIM = 8 };

struct style {
    short color;    /* of the palette; -1: the terminal's own */
    short behind;   /* the background; -1: the terminal's own */
    unsigned flags; /* STYLE_… */
};

/* colors: 0, 8 or 256; others count as the next smaller of these. is_selected: on the line of the
 * cursor. */
struct style theme_style(int colors, int role, bool is_selected);
/* One letter a role, for dumps; no two are the same. */
char theme_letter(int role);

#endif
