/* Windows on lines of text, and what actions move; see scroll.h. */
#include "scroll.h"

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

void scroll_fit(struct scroll *scroll, int count, int height, bool has_cursor)
{
    scroll->count = count;
    scroll->height = height < 1 ? 1 : height;
    scroll->at = clamp(scroll->at, 0, count > 0 ? count - 1 : 0);
    if (has_cursor)
        scroll->top = clamp(scroll->top, scroll->at - scroll->height + 1, scroll->at);
    scroll->top = clamp(scroll->top, 0, count > scroll->height ? count - scroll->height : 0);
}

/* By how many lines; false: it moves nothing. */
static bool lines_of(enum action_id action, int height, int *lines)
{
    const int page = height > 2 ? height - 1 : 1;
    switch (action) {
    case ACTION_UP:
        *lines = -1;
        return true;
    case ACTION_DOWN:
        *lines = 1;
        return true;
    case ACTION_PAGE_UP:
        *lines = -page;
        return true;
    case ACTION_PAGE_DOWN:
        *lines = page;
        return true;
    case ACTION_HALF_UP:
        *lines = -(height / 2 > 0 ? height / 2 : 1);
        return true;
    case ACTION_HALF_DOWN:
        *lines = height / 2 > 0 ? height / 2 : 1;
        return true;
    default:
        return false;
    }
}

bool scroll_act(struct scroll *scroll, enum action_id action, bool has_cursor)
{
    int *moved = has_cursor ? &scroll->at : &scroll->top;
    int lines;
    if (action == ACTION_HOME)
        *moved = 0;
    else if (action == ACTION_END)
        *moved = scroll->count;
    else if (lines_of(action, scroll->height, &lines))
        *moved += lines;
    else
        return false;
    scroll_fit(scroll, scroll->count, scroll->height, has_cursor);
    return true;
}

bool list_act(struct list *list, enum action_id action)
{
    int lines;
    if (action == ACTION_HOME)
        list_home(list);
    else if (action == ACTION_END)
        list_end(list);
    else if (lines_of(action, list->height, &lines))
        list_move(list, lines);
    else
        return false;
    return true;
}
