/* A bounded string builder, and small text helpers. Floor 0; one thread at a time.
   After the first failure nothing more is added: a text with a hole in it would be worse than a
   short one. */
#include "textbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST   (size_t)64
#define WORD_BYTES 64 /* words to compare are names of options, columns and verbs */

static char empty[1]; /* what `text` points to before the first byte; never written */

void np_textbuf_init(np_textbuf *b, size_t max)
{
    memset(b, 0, sizeof *b);
    b->text = empty;
    b->max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4;
}

void np_textbuf_done(np_textbuf *b)
{
    if (b->capacity > 0)
        free(b->text);
    np_textbuf_init(b, b->max);
}

void np_textbuf_clear(np_textbuf *b)
{
    b->length = 0;
    b->failed = false;
    if (b->capacity > 0)
        b->text[0] = '\0';
}

/* Makes room for up to `more` bytes and a NUL; returns how many of them fit. */
static size_t reserve(np_textbuf *b, size_t more)
{
    if (b->failed)
        return 0;
    size_t fits = b->max - b->length;
    if (more <= fits)
        fits = more;
    else
        b->failed = true;

    const size_t need = b->length + fits + 1;
    if (need > b->capacity) {
        size_t capacity = b->capacity > SMALLEST / 2 ? b->capacity * 2 : SMALLEST;
        if (capacity < need)
            capacity = need;
        if (capacity > b->max + 1)
            capacity = b->max + 1;
        char *const text = realloc(b->capacity > 0 ? b->text : NULL, capacity);
        if (!text) {
            b->failed = true;
            return 0;
        }
        if (b->capacity == 0)
            text[0] = '\0';
        b->text = text;
        b->capacity = capacity;
    }
    return fits;
}

void np_textbuf_add(np_textbuf *b, const char *text, size_t length)
{
    size_t fits = reserve(b, length);
    if (fits == 0)
        return;
    if (fits < length)
        fits = np_utf8_cut(text, length, fits);
    memcpy(b->text + b->length, text, fits);
    b->length += fits;
    b->text[b->length] = '\0';
}

void np_textbuf_puts(np_textbuf *b, const char *text)
{
    np_textbuf_add(b, text, strlen(text));
}

void np_textbuf_print(np_textbuf *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) {
        b->failed = true;
    } else if (length > 0) {
        const size_t fits = reserve(b, (size_t)length);
        if (fits > 0) {
            vsnprintf(b->text + b->length, fits + 1, format, again);
            b->length +=
                fits < (size_t)length ? np_utf8_cut(b->text + b->length, fits, fits) : fits;
            b->text[b->length] = '\0';
        }
    }
    va_end(again);
    va_end(arguments);
}

void np_textbuf_escape(np_textbuf *b, np_escape kind, const char *text, size_t length)
{
    const size_t need = np_escape_text(kind, text, length, NULL, 0);
    const size_t fits = reserve(b, need);
    if (fits == 0)
        return;
    np_escape_text(kind, text, length, b->text + b->length, fits + 1);
    b->length +=
        strlen(b->text + b->length); /* shorter than `fits` when it was cut at a character */
}

static void add_key(np_textbuf *b, bool *first, const char *key)
{
    np_textbuf_puts(b, *first ? "\"" : ",\"");
    *first = false;
    np_textbuf_escape(b, NP_ESCAPE_JSON, key, strlen(key));
    np_textbuf_puts(b, "\":");
}

void np_textbuf_json_text(np_textbuf *b, bool *first, const char *key, const char *value,
                          size_t length)
{
    add_key(b, first, key);
    if (!value) {
        np_textbuf_puts(b, "null");
        return;
    }
    np_textbuf_puts(b, "\"");
    np_textbuf_escape(b, NP_ESCAPE_JSON, value, length);
    np_textbuf_puts(b, "\"");
}

void np_textbuf_json_int(np_textbuf *b, bool *first, const char *key, int64_t value)
{
    add_key(b, first, key);
    np_textbuf_print(b, "%lld", (long long)value);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance with swaps of neighbours (optimal string alignment): three rows are all it looks
 * back. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][WORD_BYTES + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *const spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_length];
}

const char *np_nearest_word(const char *word, const char *const *words, size_t count)
{
    const size_t length = strlen(word);
    if (length > WORD_BYTES)
        return NULL;

    const char *nearest = NULL;
    size_t nearest_distance = length / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        const size_t other = strlen(words[i]);
        if (other > WORD_BYTES)
            continue;
        const size_t distance = edit_distance(word, length, words[i], other);
        if (nearest ? distance < nearest_distance : distance <= nearest_distance) {
            nearest = words[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}
