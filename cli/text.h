/*
 * A text that grows, and what a terminal makes of text: its width in cells, cutting, padding,
 * wrapping. Everything the programs print is first built in one of these; output.c writes it. One
 * thread.
 *
 * Widths are those of character.h.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* NUL-terminated; NULL while empty */
    size_t length, capacity;
};

void text_done(struct text *text); /* empty again; may be used further */
void text_clear(struct text *text);
const char *text_string(const struct text *text); /* never NULL */

void text_add(struct text *text, const char *data, size_t length);
void text_puts(struct text *text, const char *string);
void text_char(struct text *text, char c);
void text_repeat(struct text *text, const char *string, int times);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_print_v(struct text *text, const char *format, va_list arguments);

/* Text from outside, made harmless for a terminal; `ascii`: characters beyond ASCII become \u{N}
 * too. */
void text_outside(struct text *text, const char *string, bool ascii);
/* Our own text for a terminal that takes ASCII alone: an ellipsis becomes three points, a dash a
 * hyphen, anything else \\u{N}. */
void text_to_ascii(struct text *text);

/* Cells a NUL-terminated UTF-8 string takes; sequences that set colours take none. */
int text_width(const char *string);
/* Adds at most `cells` cells of a string; what is longer ends in an ellipsis (`…`, or `~` in
 * ASCII). Returns the cells used. */
int text_cut(struct text *text, const char *string, int cells, bool ascii);
/* Adds a string filled up with blanks to `cells` (never cut): behind it, or in front of it. */
void text_left(struct text *text, const char *string, int cells);
void text_right(struct text *text, const char *string, int cells);
/* A blank at which no line is broken; text_wrap makes it an ordinary one. */
#define TEXT_TIE '\x01'
/* Makes ties of the blanks behind text->data[from]: a number and its unit stay together. */
void text_tie(struct text *text, size_t from);

/* Adds words wrapped at `columns`; the first line goes on where the line stands (`column` cells are
 * used), further ones start at `indent`. */
void text_wrap(struct text *text, const char *words, int column, int indent, int columns);

/* 1,204 */
void text_thousands(struct text *text, unsigned long long number);

/* The nearest of words[count] by edit distance, or NULL when none is near enough to suggest. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
