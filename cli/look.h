/*
 * How a stream is drawn on: width, characters, colours. Decided once a program start, for stdout
 * and stderr apart; everything that draws takes it as a parameter, so tests choose their own.
 * Colours are asked for by role, never by number.
 */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "text.h"
#include <netphase/phase.h>
#include <stdbool.h>

struct look {
    bool is_terminal;
    bool ascii;  /* true: no character beyond ASCII */
    int colors;  /* 0, 8 or 256 */
    int columns; /* of the terminal; 80 where there is none */
    bool roles; /* true: not colours but roles are written, for whoever draws them later (LOOK_ROLE)
                 */
};

/* How a role is written into a text then; it ends as colours do, with "\033[0m". Like those it
 * takes no cells, and text from outside cannot contain it. */
#define LOOK_ROLE "\033[1000;%dm"

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum role {
    ROLE_PLAIN,
    ROLE_HEADING, /* bold */
    ROLE_QUIET,   /* what is there to be looked up, not read */
    ROLE_BAD,     /* failed, dropped; always with a word or a mark too */
    ROLE_SUM,     /* setup and total */
    ROLE_PHASE    /* + np_phase */
};

/* Looks at file descriptor `fd`, the locale (setlocale was called), NO_COLOR, TERM, COLUMNS. */
struct look look_at(int fd, enum color_when when, bool ascii);

void look_begin(const struct look *look, struct text *text, int role);
void look_end(const struct look *look, struct text *text, int role);
/* The string in its role. */
void look_puts(const struct look *look, struct text *text, int role, const char *string);

/*
 * A bar from `from` to `to`, in eighths of a cell, on a line of `cells` cells; both clamped to it.
 * Where the line has no eighths (ASCII) the letter is drawn in every cell that the bar touches. A
 * bar that is not empty is never drawn as nothing. Returns the cells written, blanks in front
 * included.
 */
int look_bar(const struct look *look, struct text *text, int role, char letter, int from_eighths,
             int to_eighths, int cells);

#endif
