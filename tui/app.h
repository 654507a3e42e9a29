/*
 * The model of the terminal UI and how it changes: app_update takes a message and changes the
 * state; what it wants from outside (rows, a clipboard, the end) it leaves in `outbox` and `wishes`
 * for whoever drives it. No terminal, no database, no clock in here, so tests drive it as they like.
 * One thread.
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "action.h"
#include "cells.h"
#include "glyphs.h"
#include "layout.h"
#include "list.h"
#include "look.h"
#include "prompt.h"

/* Lines of text that are looked at through a window: details, help, groups. */
struct scroll {
    int top;    /* first line that is shown */
    int count;  /* lines there are */
    int height; /* of the window */
    int at;     /* the line of the cursor, where there is one */
};

enum detail_tab { TAB_PHASES, TAB_SPANS, TAB_HOPS, TAB_HEADERS, TAB_CONNECTION, TAB_RAW, TABS };

struct detail_state {
    np_request_detail *request; /* of the row under the cursor, when it has come; owned */
    np_page *call;              /* all its hops, where there are several; owned */
    int64_t asked_id;           /* whose detail is on its way, or failed to come; 0: none */
    enum detail_tab tab;
    struct text text;           /* the tab's lines … */
    const void *made_of;        /* … and the request, tab and width that they were made of */
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
    char *filter; /* normal form, NULL: none; owned */
    char *needle; /* what was searched for last; owned */
    np_store_info *info; /* owned; NULL: not yet */
    int64_t first_id, last_id; /* 0: not known yet, or no request */
    int64_t seen_id;           /* the last id that the list can have had */
    int64_t info_id;           /* the last id when `info` was asked for */

    bool is_following, is_frozen;
    bool may_follow; /* until the first key */
    int idle_ticks;  /* ticks since something changed */
    int ticks_to_edges, ticks_to_info;

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
    uint32_t searching;  /* number of the search that runs; 0: none */
    uint32_t working;    /* questions that may take long and have no answer yet, a bit a kind */
    struct question outbox[OUTBOX]; /* outbox[outbox_count] */
    int outbox_count;
    struct wishes wishes;
};

struct app_options {
    const char *file;
    struct look look;
    int columns, rows;
    enum view_id view;
    const char *filter; /* checked already; NULL: none */
    bool is_following;
    bool may_follow; /* begins to follow by itself where the trace is being recorded */
};

void app_init(struct app *app, const struct app_options *options);
void app_done(struct app *app);
void app_update(struct app *app, const struct msg *msg);
/* The next question, the caller's from then on; false: none. */
bool app_take_question(struct app *app, struct question *out);
/* After how long without a message it wants MSG_TICK; -1: never. */
int app_tick_ms(const struct app *app);
/* Draws the whole picture; cells have the app's size. */
void app_draw(const struct app *app, struct cells *cells);

/* -------------------------------------------------------------------------------------- for views */

void app_show(struct app *app, enum view_id view); /* remembers where one came from */
void app_back(struct app *app);
/* printf; on the bar until the next key. */
void app_say(struct app *app, bool is_bad, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes what *question points at; numbers it and puts it into the outbox. Returns the number. */
uint32_t app_ask(struct app *app, struct question *question);
/* A new filter (NULL: none), checked already; the list begins anew. */
void app_filter(struct app *app, const char *filter);
/* Opens the prompt that an action asks for. */
void app_prompt(struct app *app, enum action_id action);
/* What was typed at the prompt: done. */
void app_typed(struct app *app, enum action_id action, const char *line);
/* Completion of the filter: names of columns, operators. */
const char *const *app_filter_words(void);
const char *const *app_order_words(void);

/* Moves by an action (up, page down, home …); false: it is none of these. */
bool scroll_act(struct scroll *scroll, enum action_id action, bool has_cursor);
void scroll_fit(struct scroll *scroll, int count, int height, bool has_cursor);
bool list_act(struct list *list, enum action_id action);

/* The detail of the row under the cursor; NULL: it has not come yet. */
const np_request_detail *app_detail(const struct app *app);

#endif
