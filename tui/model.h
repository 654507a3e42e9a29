/*
 * The state of the terminal UI: data alone. Who changes it says app.h; views and the bar read it.
 */
#ifndef TUI_MODEL_H
#define TUI_MODEL_H

#include "action.h"
#include "cells.h"
#include "glyphs.h"
#include "layout.h"
#include "list.h"
#include "look.h"
#include "prompt.h"
#include "scroll.h"

enum detail_tab { TAB_PHASES, TAB_SPANS, TAB_HOPS, TAB_HEADERS, TAB_CONNECTION, TAB_RAW, TABS };

struct detail_state {
    np_request_detail *request; /* of the row under the cursor, when it has come; owned */
    np_page *call;              /* all its hops, where there are several; owned */
    int64_t asked_id;           /* whose detail is on its way, or failed to come; 0: none */
    enum detail_tab tab;
    struct text text;    /* the tab's lines … */
    const void *made_of; /* … and the request, tab and width that they were made of */
    enum detail_tab made_tab;
    int made_columns;
    struct scroll scroll;
};

struct summary_state {
    np_report *report; /* owned; NULL: not yet */
    int grouping;      /* index into the groupings; see view_summary.c */
    int row;           /* of report_rows: whose histogram is shown */
    bool is_asked;
    struct scroll groups;
    char labels[8][72]; /* labels[label_count]: "label.commit", what else can be grouped by */
    int label_count;
};

struct waterfall_state {
    bool is_fitted; /* the clock shows all that is listed; else from … to */
    int64_t from_ns, to_ns;
};

struct wishes {
    bool quit, suspend, redraw, cancel;
    struct text copy; /* for the clipboard, where it is not empty */
};

enum { OUTBOX = 8, TRAIL = 8 };

struct app {
    struct look look; /* colours, ASCII, columns; `roles` is set */
    const struct glyphs *glyphs;
    char *file; /* the trace, for people; owned */
    int columns, rows;
    struct layout layout;
    enum view_id view;
    enum view_id trail[TRAIL]; /* trail[trail_count]: where one came from */
    int trail_count;

    struct list list;
    char *filter;            /* normal form, NULL: none; owned */
    char *needle;            /* what was searched for last; owned */
    np_store_info *info;     /* owned; NULL: not yet */
    int64_t new_count;       /* rows that came and that one has not been shown */
    bool is_info_old;        /* more has come since `info` was asked for … */
    uint64_t more_than_info; /* … so many rows, where no filter is on */
    int per_thousand;        /* how far what takes long has come; 0: nothing does */

    bool is_following, is_frozen;
    bool may_follow; /* until the first key */
    int idle_ticks;  /* ticks since something changed */
    int ticks_to_refresh, ticks_to_info;

    struct detail_state detail;
    struct summary_state summary;
    struct waterfall_state waterfall;
    struct scroll help;
    struct text overlay; /* shown over everything until a key is pressed */

    struct prompt prompt;
    struct history filter_history, search_history, go_history, sort_history;
    struct text message; /* on the bar until the next key */
    bool message_is_bad;
    struct text mistake; /* the second line of a message: carets below it */

    uint32_t next_number;
    uint32_t given_up;  /* kinds that failed and are not asked again by themselves, a bit a kind */
    uint32_t searching; /* number of the search that runs; 0: none */
    uint32_t working;   /* questions that may take long and have no answer yet, a bit a kind */
    struct question outbox[OUTBOX]; /* outbox[outbox_count] */
    int outbox_count;
    struct wishes wishes;
};

#endif
