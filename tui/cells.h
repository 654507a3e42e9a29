/*
 * The picture of a frame: a rectangle of cells, each a character with its combining marks, a width
 * and a role, never a colour. Views draw into it, term.c sends it to the terminal, tests read it as
 * text and as letters of roles. Pure; one thread.
 *
 * Text is given as UTF-8; sequences of LOOK_ROLE change the role (text from outside cannot hold
 * them). Everything is clipped to its rectangle; half of a wide character is never left: what is
 * overwritten in part becomes a blank.
 */
#ifndef TUI_CELLS_H
#define TUI_CELLS_H

#include "text.h"
#include "theme.h"
#include <stdint.h>

enum { CELL_CHARACTERS = 4 }; /* the character and what combines with it; more is left out */

struct cell {
    uint32_t characters[CELL_CHARACTERS]; /* ends with 0 where there are fewer */
    uint8_t width;                        /* 1, 2; 0: the right half of the one before */
    uint8_t role;
    bool is_selected;
};

struct rect {
    int x, y, columns, rows;
};

struct cells {
    int columns, rows;
    struct cell *at;        /* at[rows * columns] */
    int cursor_x, cursor_y; /* where one types; -1: nowhere */
};

void cells_init(struct cells *cells, int columns, int rows);
void cells_done(struct cells *cells);
/* All blank, no cursor. */
void cells_clear(struct cells *cells);

/* Puts a string at (x, y) of `where`, from which nothing leaves; a line end or control character is
 * left out. Returns the cells it takes, also where they were clipped. */
int cells_put(struct cells *cells, struct rect where, int x, int y, int role, const char *string);
/* The same, at most `width` cells: what is longer ends in an ellipsis. */
int cells_put_cut(struct cells *cells, struct rect where, int x, int y, int role, int width,
                  const char *string, bool ascii);
/* Ends at column x (exclusive). */
void cells_put_right(struct cells *cells, struct rect where, int x, int y, int role,
                     const char *string);
/* Every cell of a line of `where` from x on becomes this one-cell character. */
void cells_fill(struct cells *cells, struct rect where, int x, int y, int width, int role,
                const char *glyph);
/* The line of the cursor. */
void cells_select(struct cells *cells, struct rect where, int y);

/* A line a row, blanks at line ends taken off. */
void cells_text(const struct cells *cells, struct text *out);
/* A letter of theme_letter a cell; blanks of role PLAIN are blanks. */
void cells_roles(const struct cells *cells, struct text *out);

#endif
