/* A bounded string builder, and small text helpers. Floor 0; one thread at a time.
   It grows up to `max` bytes; reaching that sets `failed` and keeps what fits, so callers check
   once at the end. */
#ifndef NP_BASE_TEXTBUF_H
#define NP_BASE_TEXTBUF_H

#include <netphase/text.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct np_textbuf {
    char *text; /* text[length], NUL-terminated; "" when empty */
    size_t length;
    size_t capacity;
    size_t max;
    bool failed; /* the maximum was reached, or no memory */
} np_textbuf;

void np_textbuf_init(np_textbuf *b, size_t max);
void np_textbuf_done(np_textbuf *b);
void np_textbuf_clear(np_textbuf *b);
void np_textbuf_add(np_textbuf *b, const char *text, size_t length);
void np_textbuf_puts(np_textbuf *b, const char *text);
void np_textbuf_print(np_textbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void np_textbuf_escape(np_textbuf *b, np_escape kind, const char *text, size_t length);
/* "KEY":"VALUE" pieces of a JSON object; `first` is the caller's flag, true before the first
 * member. A NULL value is null. */
void np_textbuf_json_text(np_textbuf *b, bool *first, const char *key, const char *value,
                          size_t length);
void np_textbuf_json_int(np_textbuf *b, bool *first, const char *key, int64_t value);

/* UTF-8, one character at a time: its code point and in *used its bytes; NP_UTF8_INVALID and 1 for
   a byte that begins no well-formed character (surrogates, overlong forms and what lies above
   U+10FFFF are not). length > 0. */
#define NP_UTF8_INVALID 0xffffffffu
uint32_t np_utf8_decode(const char *text, size_t length, size_t *used);
/* The most bytes of text[length], at most `max`, that do not end inside a character. */
size_t np_utf8_cut(const char *text, size_t length, size_t max);
/* What must not reach a terminal as it is: C0, DEL, C1, bidi marks, embeddings, overrides and
 * isolates, line and paragraph separators. */
bool np_code_point_is_unsafe(uint32_t code_point);

/* The nearest of words[count] by edit distance, or NULL when none is near enough to suggest
 * (distance > a third of the length + 1). */
const char *np_nearest_word(const char *word, const char *const *words, size_t count);

#endif
