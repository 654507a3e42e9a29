/* Which part of the screen is whose, as a function of its size. Pure. */
#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H

#include "cells.h"

enum { LAYOUT_COLUMNS_LEAST = 40, LAYOUT_ROWS_LEAST = 10 };

struct layout {
    bool is_too_small; /* then there is only one line that says so */
    struct rect title; /* the first line */
    struct rect view;  /* what the view draws in */
    struct rect facts; /* about the row under the cursor: a rule and two lines; no rows where there
                          is no room */
    struct rect bar;   /* the last line: keys, messages, what one types */
};

/* has_facts: the view has something to say about the row under the cursor. */
struct layout layout_for(int columns, int rows, bool has_facts);

#endif
