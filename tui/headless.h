/*
 * An app without a terminal and without a thread: keys in, text out. Every question is answered at
 * once. This is what --dump is, and what the tests of screens drive.
 */
#ifndef TUI_HEADLESS_H
#define TUI_HEADLESS_H

#include "app.h"
#include "source.h"

struct headless {
    struct app app;
    struct source *source;
    struct cells cells;
};

/* store: moved. */
void headless_open(struct headless *headless, np_store *store, const struct app_options *options);
void headless_close(struct headless *headless);
/* Names of keys separated by blanks: "j j Enter". Text for a prompt goes in quotes: "f 'status =
 * 200' Enter" has a quote of its own doubled. False: a name is none. */
bool headless_keys(struct headless *headless, const char *keys);
void headless_send(struct headless *headless, const struct msg *msg);
void headless_resize(struct headless *headless, int columns, int rows);
/* The frame as text, or as letters of roles. */
void headless_text(struct headless *headless, struct text *out);
void headless_roles(struct headless *headless, struct text *out);

#endif
