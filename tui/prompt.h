/* One line that a person types: moving, deleting, history, completion. Pure. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include "text.h"

enum { PROMPT_HISTORY = 50, PROMPT_BYTES = 4096 };

/* What a prompt has held before; one for each kind of prompt. */
struct history {
    char *lines[PROMPT_HISTORY]; /* lines[count], the newest last; owned */
    int count;
};

void history_add(struct history *history, const char *line);
void history_done(struct history *history);

struct prompt {
    bool is_open;
    int kind;          /* its owner's */
    const char *label; /* borrowed: "filter: " */
    struct text line;
    size_t cursor; /* byte */
    struct history *history;
    int history_at;           /* count: the line that is being typed */
    char *typed;              /* that line while one looks at older ones; owned */
    const char *const *words; /* what Tab completes from, ends with NULL; NULL: nothing */
};

enum prompt_result { PROMPT_GOES_ON, PROMPT_DONE, PROMPT_LEFT };

void prompt_open(struct prompt *prompt, int kind, const char *label, const char *line,
                 struct history *history, const char *const *words);
void prompt_close(struct prompt *prompt);
/* DONE: Enter; the line is put into the history. */
enum prompt_result prompt_key(struct prompt *prompt, int key);
/* The words that begin with what stands before the cursor, separated by blanks. */
void prompt_completions(const struct prompt *prompt, struct text *out);

#endif
