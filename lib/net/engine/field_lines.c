/* The field lines of a response; see field_lines.h. Floor 2. */
#include "field_lines.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void np_field_lines_reset(np_field_lines *header)
{
    header->length = 0;
    header->raw_count = 0;
    header->content_length = -1;
    header->has_content_length = false;
    header->has_transfer_encoding = false;
    header->parsed = false;
    header->count = 0;
}

void np_field_lines_done(np_field_lines *header)
{
    free(header->text);
    free(header->lines);
    memset(header, 0, sizeof *header);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool reserve_text(np_field_lines *header, size_t more)
{
    const size_t needed = header->length + more;
    if (needed <= header->capacity)
        return true;
    size_t capacity = header->capacity ? header->capacity : 512;
    while (capacity < needed)
        capacity *= 2;
    char *text = realloc(header->text, capacity);
    if (!text)
        return false;
    header->text = text;
    header->capacity = capacity;
    return true;
}

/* A length as the field says it: digits between blanks; -1 for anything else. */
static int64_t parse_length(const char *value, const char *end)
{
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    if (value == end || end - value > 18)
        return -1;
    int64_t length = 0;
    for (; value < end; value++) {
        if (*value < '0' || *value > '9')
            return -1;
        length = 10 * length + (*value - '0');
    }
    return length;
}

/* The first letter and the place of the colon rule out nearly every other field. */
static bool is_field(const char *line, size_t length, const char *name, size_t name_length)
{
    return length > name_length && (line[0] | 0x20) == name[0] && line[name_length] == ':' &&
           strncasecmp(line, name, name_length) == 0;
}

static void look_at_body_length(np_field_lines *header, const char *line, size_t length)
{
    static const char content_length[] = "content-length";
    static const char transfer_encoding[] = "transfer-encoding";
    if (!header->has_content_length &&
        is_field(line, length, content_length, sizeof content_length - 1)) {
        header->has_content_length = true;
        header->content_length = parse_length(line + sizeof content_length, line + length);
    } else if (is_field(line, length, transfer_encoding, sizeof transfer_encoding - 1)) {
        header->has_transfer_encoding = true;
    }
}

bool np_field_lines_add(np_field_lines *header, const char *line, size_t length)
{
    const bool folded = length > 0 && (line[0] == ' ' || line[0] == '\t');
    if (folded && header->raw_count == 0)
        return false;
    if (!reserve_text(header, length + 1)) /* and a line end, should it have none */
        return false;
    memcpy(header->text + header->length, line, length);
    header->length += length;
    if (length == 0 || line[length - 1] != '\n')
        header->text[header->length++] = '\n';
    header->raw_count++;
    if (!folded)
        look_at_body_length(header, line, length);
    return true;
}

/* --- taking apart --- */

static char *trimmed_end(char *from, char *end)
{
    while (end > from && is_blank(end[-1]))
        end--;
    return end;
}

static char *skip_blanks(char *from, const char *end)
{
    while (from < end && is_blank(*from))
        from++;
    return from;
}

/* The lines that go on with this value, put behind it with one blank each. Returns its new end;
 * *next is the line behind them. */
static char *join_folded(char *value_end, char **next, char *text_end)
{
    while (*next < text_end && (**next == ' ' || **next == '\t')) {
        char *line_end = memchr(*next, '\n', (size_t)(text_end - *next));
        char *from = skip_blanks(*next, line_end);
        char *to = trimmed_end(from, line_end);
        *value_end++ = ' '; /* never beyond `from`: the line end and a blank lie between */
        memmove(value_end, from, (size_t)(to - from));
        value_end += to - from;
        *next = line_end + 1;
    }
    return value_end;
}

static void parse(np_field_lines *header)
{
    char *const text_end = header->text + header->length;
    char *line = header->text;
    while (line < text_end) {
        char *line_end = memchr(line, '\n', (size_t)(text_end - line));
        char *next = line_end + 1;
        char *colon = memchr(line, ':', (size_t)(line_end - line));
        if (colon) {
            char *value = skip_blanks(colon + 1, line_end);
            char *end = join_folded(trimmed_end(value, line_end), &next, text_end);
            *colon = 0;
            *end = 0;
            header->lines[header->count++] =
                (np_header_line){line, value, (size_t)(colon - line), (size_t)(end - value)};
        }
        line = next;
    }
}

const np_header_line *np_field_lines_get(np_field_lines *header, size_t *count)
{
    if (!header->parsed && header->raw_count > 0) {
        if (header->room < header->raw_count) {
            np_header_line *lines =
                reallocarray(header->lines, header->raw_count, sizeof *header->lines);
            if (!lines) {
                *count = 0;
                return NULL;
            }
            header->lines = lines;
            header->room = header->raw_count;
        }
        parse(header);
        header->parsed = true;
    }
    *count = header->count;
    return header->count > 0 ? header->lines : NULL;
}
