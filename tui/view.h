/*
 * A view is data: a name, what it does with actions and messages, how it draws. Adding one is a
 * file with a `const struct view` and its row in views.c; keys, help and dumps follow from the
 * rows.
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "cells.h"
#include "msg.h"
#include <stdbool.h>

struct app;

/* The order of the table. The views behind HELP have their seats; there is nothing in them yet. */
enum view_id {
    VIEW_REQUESTS,
    VIEW_WATERFALL,
    VIEW_DETAIL,
    VIEW_SUMMARY,
    VIEW_HELP,
    VIEW_COMPARE,
    VIEW_HEAT,
    VIEW_LOOKUPS,
    VIEWS
};

struct view {
    const char *name;  /* for --dump and the title */
    const char *about; /* one line for the help */
    bool has_facts;    /* it has two lines to say about the row under the cursor */
    /* Its parts get their sizes: when it comes into sight, and when the screen or what it shows has
     * changed. */
    void (*fit)(struct app *app);
    /* true: handled here; else the app does what it does everywhere. */
    bool (*update)(struct app *app, const struct msg *msg);
    void (*draw)(const struct app *app, struct cells *cells, struct rect where);
    void (*facts)(const struct app *app, struct cells *cells, struct rect where); /* NULL: none */
    void (*status)(const struct app *app, struct text *out); /* right end of the title */
};

/* NULL for a seat. */
const struct view *view_of(enum view_id id);
/* By name; VIEWS where there is none. */
enum view_id view_find(const char *name);

#endif
