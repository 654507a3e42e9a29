/* A text that grows; widths, cutting, padding, wrapping; the nearest word. */
#include "text.h"
#include "character.h"
#include "memory.h"
#include <netphase/text.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_done(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->data)
        text->data[0] = '\0';
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

static void text_reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity)
        return;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    text->data = xrealloc(text->data, capacity, 1);
    text->capacity = capacity;
}

void text_add(struct text *text, const char *data, size_t length)
{
    text_reserve(text, length);
    if (length)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_char(struct text *text, char c)
{
    text_add(text, &c, 1);
}

void text_repeat(struct text *text, const char *string, int times)
{
    for (int i = 0; i < times; i++)
        text_puts(text, string);
}

void text_print_v(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return;
    text_reserve(text, (size_t)length);
    (void)vsnprintf(text->data + text->length, (size_t)length + 1, format,
                    arguments); /* measured above */
    text->length += (size_t)length;
}

void text_print(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_print_v(text, format, arguments);
    va_end(arguments);
}

/* Behind a colour sequence ("\033[…m") that begins here; NULL: none does. */
static const char *behind_colour(const char *at)
{
    if (at[0] != '\033' || at[1] != '[')
        return NULL;
    const char *end = at + 2 + strspn(at + 2, "0123456789;");
    return *end == 'm' ? end + 1 : NULL;
}

int text_width(const char *string)
{
    int cells = 0;
    for (const char *at = string; *at;) {
        const char *behind = behind_colour(at);
        if (behind)
            at = behind;
        else
            cells += character_cells(character_next(&at));
    }
    return cells;
}

int text_cut(struct text *text, const char *string, int cells, bool ascii)
{
    if (cells <= 0)
        return 0;
    int width = text_width(string);
    if (width <= cells) {
        text_puts(text, string);
        return width;
    }
    int used = 0;
    const char *at = string;
    while (*at) {
        const char *behind = behind_colour(at);
        const char *next = behind ? behind : at;
        int wide = behind ? 0 : character_cells(character_next(&next));
        if (used + wide > cells - 1)
            break;
        text_add(text, at, (size_t)(next - at));
        used += wide;
        at = next;
    }
    text_puts(text, ascii ? "~" : "…");
    return used + 1;
}

void text_left(struct text *text, const char *string, int cells)
{
    text_puts(text, string);
    text_repeat(text, " ", cells - text_width(string));
}

void text_right(struct text *text, const char *string, int cells)
{
    text_repeat(text, " ", cells - text_width(string));
    text_puts(text, string);
}

struct wrapping {
    struct text *text;
    int column, indent, columns;
    bool line_is_empty;
};

static void break_line(struct wrapping *w)
{
    text_char(w->text, '\n');
    text_repeat(w->text, " ", w->indent);
    w->column = w->indent;
    w->line_is_empty = true;
}

/* A word; one that is wider than a whole line is broken where the line ends. */
static void put_word(struct wrapping *w, const char *word, size_t length)
{
    const char *end = word + length;
    while (word < end) {
        const char *next = word;
        uint32_t c = character_next(&next);
        int cells = character_cells(c);
        if (w->column + cells > w->columns && w->column > w->indent)
            break_line(w);
        text_add(w->text, c == TEXT_TIE ? " " : word, (size_t)(next - word));
        w->column += cells;
        w->line_is_empty = false;
        word = next;
    }
}

void text_wrap(struct text *text, const char *words, int column, int indent, int columns)
{
    struct wrapping w = {text, column, indent, columns, true};
    for (const char *at = words; *at;) {
        size_t length = strcspn(at, " \n");
        char *word = xstrndup(at, length);
        int width = text_width(word);
        free(word);
        if (!w.line_is_empty && w.column + 1 + width > columns)
            break_line(&w);
        if (!w.line_is_empty) {
            text_char(text, ' ');
            w.column++;
        }
        put_word(&w, at, length);
        at += length;
        if (*at == '\n')
            break_line(&w);
        at += *at != '\0';
        at += strspn(at, " ");
    }
}

void text_tie(struct text *text, size_t from)
{
    for (size_t i = from; i < text->length; i++)
        if (text->data[i] == ' ')
            text->data[i] = TEXT_TIE;
}

/* What stands for a character beyond ASCII. */
static void put_ascii(struct text *text, uint32_t c)
{
    if (c < 0x80)
        text_char(text, (char)c);
    else if (c == 0x2026)
        text_puts(text, "...");
    else if (c == 0x2013)
        text_char(text, '-');
    else
        text_print(text, "\\u{%x}", c);
}

void text_to_ascii(struct text *text)
{
    struct text plain = {0};
    for (const char *at = text_string(text); *at;)
        put_ascii(&plain, character_next(&at));
    text_done(text);
    *text = plain;
}

void text_outside(struct text *text, const char *string, bool ascii)
{
    size_t length = strlen(string);
    size_t size = 6 * length + 3;
    char *safe = xcalloc(size, 1);
    np_escape_text(NP_ESCAPE_TERMINAL, string, length, safe, size);
    for (const char *at = safe; ascii && *at;)
        put_ascii(text, character_next(&at));
    if (!ascii)
        text_puts(text, safe);
    free(safe);
}

void text_thousands(struct text *text, unsigned long long number)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", number);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text_char(text, ',');
        text_char(text, digits[i]);
    }
}

/* ---------------------------------------------------------------------------------------- nearest
 * word */

enum { WORD_MAX = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swapped neighbours (optimal string alignment). */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t before[WORD_MAX + 1] = {0};
    size_t above[WORD_MAX + 1];
    size_t row[WORD_MAX + 1] = {0};
    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        memcpy(before, above, sizeof before);
        memcpy(above, row, sizeof above);
    }
    return above[b_length];
}

const char *nearest_word(const char *word, const char *const *words, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > WORD_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t nearest_distance = length / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(words[i]);
        if (other > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, length, words[i], other);
        bool is_start = length >= 3 && strncmp(word, words[i], length) == 0;
        if (is_start)
            distance = 1;
        if (distance < nearest_distance && distance < smaller(length, other)) {
            nearest = words[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}
