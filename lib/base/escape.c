/*
 * Making text from outside harmless for the place where it goes. Floor 0; pure, any thread.
 *
 * Every place is a function from one character (or one byte that is no UTF-8) to the few bytes that
 * stand for it. The loop around it counts what the whole needs and writes whole pieces only, so a
 * cut never splits a character or an escape.
 */
#include "textbuf.h"

#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 16 /* the longest piece is \u{10ffff} */

typedef size_t piece_fn(char piece[PIECE_BYTES], const char *text, size_t used, uint32_t c);

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

uint32_t np_utf8_decode(const char *text, size_t length, size_t *used)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000}; /* of a form of n bytes */
    const unsigned char first = (unsigned char)text[0];
    *used = 1;
    if (first < 0x80)
        return first;

    const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes > length)
        return NP_UTF8_INVALID;
    uint32_t c = first & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        if (!is_continuation(text[i]))
            return NP_UTF8_INVALID;
        c = c << 6 | ((unsigned char)text[i] & 0x3fu);
    }
    if (c < smallest[bytes] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return NP_UTF8_INVALID;
    *used = bytes;
    return c;
}

size_t np_utf8_cut(const char *text, size_t length, size_t max)
{
    const size_t end = length < max ? length : max;
    /* The last character begins at most four bytes before the end; it is kept if all of it is
     * there. */
    for (size_t back = 1; back <= 4 && back <= end; back++) {
        const unsigned char c = (unsigned char)text[end - back];
        if (is_continuation((char)c))
            continue;
        const size_t bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return bytes > back ? end - back : end;
    }
    return end;
}

bool np_code_point_is_unsafe(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00,   0x1f  },
        {0x7f,   0x9f  },
        {0x61c,  0x61c }, /* Arabic letter mark */
        {0x200e, 0x200f},
        {0x2028, 0x202e},
        {0x2066, 0x2069},
    };
    if (c >= 0x20 && c < 0x7f)
        return false;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

static size_t keep(char piece[PIECE_BYTES], const char *text, size_t used)
{
    memcpy(piece, text, used);
    return used;
}

static size_t replacement(char piece[PIECE_BYTES])
{
    return keep(piece, "\xef\xbf\xbd", 3); /* U+FFFD */
}

static size_t terminal_piece(char piece[PIECE_BYTES], const char *text, size_t used, uint32_t c)
{
    if (c == NP_UTF8_INVALID)
        return (size_t)snprintf(piece, PIECE_BYTES, "\\x%02x", (unsigned char)text[0]);
    if (!np_code_point_is_unsafe(c))
        return keep(piece, text, used);
    return (size_t)snprintf(piece, PIECE_BYTES, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
}

static size_t json_piece(char piece[PIECE_BYTES], const char *text, size_t used, uint32_t c)
{
    static const char short_forms[][2] = {
        {'\b', 'b' },
        {'\f', 'f' },
        {'\n', 'n' },
        {'\r', 'r' },
        {'\t', 't' },
        {'"',  '"' },
        {'\\', '\\'}
    };
    if (c == NP_UTF8_INVALID)
        return replacement(piece);
    for (size_t i = 0; i < sizeof short_forms / sizeof short_forms[0]; i++) {
        if (c == (unsigned char)short_forms[i][0]) {
            piece[0] = '\\';
            piece[1] = short_forms[i][1];
            return 2;
        }
    }
    /* More than JSON asks for: the value is the same, and the line can be printed. */
    if (np_code_point_is_unsafe(c))
        return (size_t)snprintf(piece, PIECE_BYTES, "\\u%04x", c);
    return keep(piece, text, used);
}

static size_t csv_piece(char piece[PIECE_BYTES], const char *text, size_t used, uint32_t c)
{
    if (c == '"')
        return keep(piece, "\"\"", 2);
    if (c == '\t' || c == '\r' || c == '\n')
        return keep(piece, text, used);
    /* RFC 4180 knows no escapes, and its text has no other control characters. What turns the
     * direction of writing would show another text than there is. */
    if (c == NP_UTF8_INVALID || np_code_point_is_unsafe(c))
        return replacement(piece);
    return keep(piece, text, used);
}

static size_t markdown_piece(char piece[PIECE_BYTES], const char *text, size_t used, uint32_t c)
{
    if (c < 0x80 && c != 0 && strchr("|`*_<>[]&\\", (int)c)) {
        piece[0] = '\\';
        piece[1] = (char)c;
        return 2;
    }
    return terminal_piece(piece, text, used, c);
}

static piece_fn *const piece_functions[] = {
    [NP_ESCAPE_TERMINAL] = terminal_piece,
    [NP_ESCAPE_JSON] = json_piece,
    [NP_ESCAPE_CSV] = csv_piece,
    [NP_ESCAPE_MARKDOWN] = markdown_piece,
};

/* Where the bytes go: `room` is how many of them may be written. */
struct sink {
    char *out;
    size_t room;
    size_t written;
    size_t needed;
    bool cut; /* a piece did not fit: nothing after it is written either */
};

static void put(struct sink *sink, const char *piece, size_t length)
{
    sink->needed += length;
    if (sink->cut || sink->written + length > sink->room) {
        sink->cut = true;
        return;
    }
    memcpy(sink->out + sink->written, piece, length);
    sink->written += length;
}

static bool csv_is_formula(const char *text, size_t length)
{
    return length > 0 && text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
}

static bool csv_needs_quotes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '"' || text[i] == ',' || text[i] == '\r' || text[i] == '\n')
            return true;
    return length > 0 && (text[0] == ' ' || text[length - 1] == ' ');
}

size_t np_escape_text(np_escape kind, const char *text, size_t length, char *out, size_t size)
{
    piece_fn *const make_piece = piece_functions[kind];
    const bool quoted = kind == NP_ESCAPE_CSV && csv_needs_quotes(text, length);
    struct sink sink = {.out = out, .room = size > 0 ? size - 1 : 0};

    if (quoted) {
        sink.cut = sink.room < 2;
        put(&sink, "\"", 1);
        if (!sink.cut)
            sink.room--; /* a field that is cut is closed all the same */
    }
    if (kind == NP_ESCAPE_CSV && csv_is_formula(text, length))
        put(&sink, "'", 1);
    for (size_t at = 0; at < length;) {
        char piece[PIECE_BYTES];
        size_t used;
        const uint32_t c = np_utf8_decode(text + at, length - at, &used);
        put(&sink, piece, make_piece(piece, text + at, used, c));
        at += used;
    }
    if (quoted) {
        sink.needed++;
        if (sink.written > 0)
            out[sink.written++] = '"';
    }
    if (size > 0)
        out[sink.written] = '\0';
    return sink.needed;
}
