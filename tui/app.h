/*
 * The model of the terminal UI and how it changes: app_update takes a message and changes the
 * state; what it wants from outside (rows, a clipboard, the end) it leaves in `outbox` and `wishes`
 * for whoever drives it. No terminal, no database, no clock in here, so tests drive it as they
 * like. One thread.
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "model.h"

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

/* The detail of the row under the cursor; NULL: it has not come yet. */
const np_request_detail *app_detail(const struct app *app);

#endif
