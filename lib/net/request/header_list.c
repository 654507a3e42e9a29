/* Header fields of requests and responses. Floor 2. */
#include "header_list.h"
#include "fail.h"
#include <stdlib.h>
#include <string.h>

/* Fields that the request's own properties and libcurl write; setting them raw would contradict
 * those. */
static const char *const restricted[] = {
    "Accept",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "Expect",
    "Host",
    "If-Modified-Since",
    "Proxy-Connection",
    "Range",
    "Referer",
    "Transfer-Encoding",
    "User-Agent",
};

void np_header_list_done(np_header_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->blocks[i]);
    free(list->blocks);
    free(list->lines);
    *list = (np_header_list){0};
}

static size_t find(const np_header_line *lines, size_t count, const char *name)
{
    const size_t length = strlen(name);
    size_t i = 0;
    while (i < count &&
           !(lines[i].name_length == length && strncasecmp(lines[i].name, name, length) == 0))
        i++;
    return i;
}

const np_header_line *np_header_find(const np_header_line *lines, size_t count, const char *name)
{
    const size_t i = find(lines, count, name);
    return i < count ? &lines[i] : NULL;
}

static bool reserve(np_header_list *list)
{
    if (list->count < list->capacity)
        return true;
    const size_t capacity = list->capacity ? list->capacity * 2 : 4;
    np_header_line *lines = reallocarray(list->lines, capacity, sizeof *lines);
    if (lines)
        list->lines = lines;
    char **blocks = reallocarray(list->blocks, capacity, sizeof *blocks);
    if (blocks)
        list->blocks = blocks;
    if (lines && blocks)
        list->capacity = capacity;
    return lines && blocks;
}

np_status np_header_list_set(np_header_list *list, const char *name, const char *value,
                             size_t value_length, np_error *err)
{
    const size_t name_length = strlen(name);
    char *block = malloc(name_length + value_length + 2); /* "name\0value\0" */
    if (!block || !reserve(list)) {
        free(block);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a header field");
    }
    memcpy(block, name, name_length + 1);
    memcpy(block + name_length + 1, value, value_length);
    block[name_length + 1 + value_length] = '\0';

    const size_t i = find(list->lines, list->count, name);
    if (i < list->count)
        free(list->blocks[i]);
    else
        list->count++;
    list->blocks[i] = block;
    list->lines[i] = (np_header_line){block, block + name_length + 1, name_length, value_length};
    return NP_OK;
}

void np_header_list_remove(np_header_list *list, const char *name)
{
    const size_t i = find(list->lines, list->count, name);
    if (i == list->count)
        return;
    free(list->blocks[i]);
    list->count--;
    memmove(&list->lines[i], &list->lines[i + 1], (list->count - i) * sizeof *list->lines);
    memmove(&list->blocks[i], &list->blocks[i + 1], (list->count - i) * sizeof *list->blocks);
}

np_status np_header_list_copy(const np_header_list *list, np_header_list *out, np_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const np_header_line *line = &list->lines[i];
        const np_status status =
            np_header_list_set(out, line->name, line->value, line->value_length, err);
        if (status) {
            np_header_list_done(out);
            return status;
        }
    }
    return NP_OK;
}

np_header_line *np_header_copy(const np_header_line *lines, size_t count)
{
    size_t size = count * sizeof *lines;
    for (size_t i = 0; i < count; i++)
        size += lines[i].name_length + lines[i].value_length + 2;
    np_header_line *copy = malloc(size ? size : 1);
    if (!copy)
        return NULL;

    char *text = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i] = (np_header_line){text, text + lines[i].name_length + 1, lines[i].name_length,
                                   lines[i].value_length};
        memcpy(text, lines[i].name, lines[i].name_length);
        text += lines[i].name_length;
        *text++ = '\0';
        memcpy(text, lines[i].value, lines[i].value_length);
        text += lines[i].value_length;
        *text++ = '\0';
    }
    return copy;
}

bool np_is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        const bool is_alnum =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && !(c != '\0' && strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return length > 0;
}

/* The next element of a list, without the blanks around it; false: there is none. Moves *at on. */
static bool next_element(const char **at, const char *end, const char **word, size_t *length)
{
    const char *p = *at;
    if (p >= end)
        return false;
    const char *comma = memchr(p, ',', (size_t)(end - p));
    const char *stop = comma ? comma : end;
    *at = comma ? comma + 1 : end;
    while (p < stop && (*p == ' ' || *p == '\t'))
        p++;
    while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    *word = p;
    *length = (size_t)(stop - p);
    return true;
}

bool np_header_is_token_list(const char *value, size_t length)
{
    const char *word;
    size_t n;
    bool any = false;
    for (const char *at = value; next_element(&at, value + length, &word, &n); any = true)
        if (!np_is_token(word, n))
            return false;
    return any && value[length - 1] != ',';
}

bool np_header_has_token(const char *value, size_t length, const char *token)
{
    const char *word;
    size_t n;
    for (const char *at = value; next_element(&at, value + length, &word, &n);)
        if (n == strlen(token) && strncasecmp(word, token, n) == 0)
            return true;
    return false;
}

np_status np_header_check_name(const char *name, np_error *err)
{
    if (!np_is_token(name, strlen(name)))
        return np_fail(err, NP_E_ARGUMENT,
                       "\"%.60s\" is no header name: expected letters, digits and !#$%%&'*+-.^_`|~",
                       name);
    for (size_t i = 0; i < sizeof restricted / sizeof *restricted; i++)
        if (strcasecmp(name, restricted[i]) == 0)
            return np_fail(err, NP_E_ARGUMENT,
                           "the field %s is set by a property of the request, not as a raw field",
                           restricted[i]);
    return NP_OK;
}

np_status np_header_check_value(const char *name, const char **value, size_t *length, np_error *err)
{
    const char *text = *value + strspn(*value, " \t");
    size_t n = strlen(text);
    if (n > NP_HEADER_VALUE_MAX)
        return np_fail(err, NP_E_ARGUMENT, "the value of %.60s is longer than %u bytes", name,
                       NP_HEADER_VALUE_MAX);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return np_fail(err, NP_E_ARGUMENT,
                           "the value of %.60s has the control character 0x%02x at byte %zu", name,
                           c, i + 1);
    }
    *value = text;
    *length = n;
    return NP_OK;
}
