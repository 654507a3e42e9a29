/* The table of views. */
#include "views.h"
#include <string.h>

static const struct view *const views[VIEWS] = {
    [VIEW_REQUESTS] = &view_requests, [VIEW_WATERFALL] = &view_waterfall,
    [VIEW_DETAIL] = &view_detail,     [VIEW_SUMMARY] = &view_summary,
    [VIEW_HELP] = &view_help,
};

const struct view *view_of(enum view_id id)
{
    return id < VIEWS ? views[id] : NULL;
}

enum view_id view_find(const char *name)
{
    for (int id = 0; id < VIEWS; id++)
        if (views[id] && strcmp(views[id]->name, name) == 0)
            return (enum view_id)id;
    return VIEWS;
}
