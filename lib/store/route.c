/* Routes: paths with the parts that differ from request to request taken out. Floor 2; pure. See
 * route.h. */
#include "route.h"

#include <stdbool.h>
#include <string.h>

#define NP_LONG_HEX 16 /* a shorter hex word may well be a word: "cafe", "decade" */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool all(const char *text, size_t length, bool (*is)(char))
{
    for (size_t i = 0; i < length; i++)
        if (!is(text[i]))
            return false;
    return length > 0;
}

/* 8-4-4-4-12 hex digits */
static bool is_uuid(const char *text, size_t length)
{
    if (length != 36)
        return false;
    for (size_t i = 0; i < length; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i]))
            return false;
    }
    return true;
}

static bool is_variable(const char *segment, size_t length)
{
    return all(segment, length, is_digit) ||
           (length >= NP_LONG_HEX && all(segment, length, is_hex)) || is_uuid(segment, length);
}

static size_t put(char *out, size_t at, size_t size, const char *text, size_t length)
{
    if (length > size - at)
        length = size - at;
    memcpy(out + at, text, length);
    return at + length;
}

size_t np_route(const char *path, size_t length, char *out, size_t size)
{
    size_t end = 0;
    while (end < length && path[end] != '?' && path[end] != '#')
        end++;

    size_t written = 0;
    for (size_t at = 0; at < end;) {
        size_t stop = at;
        while (stop < end && path[stop] != '/')
            stop++;
        if (is_variable(path + at, stop - at))
            written = put(out, written, size, "{}", 2);
        else
            written = put(out, written, size, path + at, stop - at);
        if (stop < end)
            written = put(out, written, size, "/", 1);
        at = stop + 1;
    }
    return written;
}
