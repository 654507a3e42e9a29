/* What is drawn with beyond letters: one set for UTF-8, one for ASCII. Constant data. */
#ifndef TUI_GLYPHS_H
#define TUI_GLYPHS_H

#include <stdbool.h>

struct glyphs {
    const char *cursor;                /* in front of the line one is on */
    const char *rule;                  /* a horizontal line */
    const char *frame_from, *frame_to; /* around a bar */
    const char *bar;                   /* a full cell of a bar */
    const char *failed;                /* always with a word or a status too */
    const char *dash;                  /* "did not happen" */
    const char *dot;                   /* following */
    const char *down, *up;             /* sorted so; more rows there */
    const char *separator;             /* between facts */
    const char *from, *middle, *to;    /* ├─┤ */
    const char *busy, *idle;           /* of a connection */
    const char *tick;                  /* of an axis */
    const char *onwards;               /* a bar goes on outside */
    const char *backwards;
    const char *eighths[9]; /* left eighths of a cell: [0] blank … [8] full */
    const char *heights[9]; /* lower eighths */
    const char *arrows_vertical, *arrows_sideways;
    const char *times; /* "3 × 4" */
    const char *thumb; /* of the scroll bar */
};

const struct glyphs *glyphs_for(bool ascii);

#endif
