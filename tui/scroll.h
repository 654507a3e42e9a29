/* Windows on lines of text, and what actions move. Pure. */
#ifndef TUI_SCROLL_H
#define TUI_SCROLL_H

#include "action.h"
#include "list.h"

/* Lines that are looked at through a window: details, help, groups. */
struct scroll {
    int top;    /* first line that is shown */
    int count;  /* lines there are */
    int height; /* of the window */
    int at;     /* the line of the cursor, where there is one */
};

/* Moves by an action (up, page down, home …); false: it is none of these. has_cursor: a line is
 * selected, and the window goes with it. */
bool scroll_act(struct scroll *scroll, enum action_id action, bool has_cursor);
void scroll_fit(struct scroll *scroll, int count, int height, bool has_cursor);
bool list_act(struct list *list, enum action_id action);

#endif
