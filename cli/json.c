/* JSON written and read. */
#include "json.h"
#include "memory.h"
#include <inttypes.h>
#include <netphase/text.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------
 * writer */

static void put_string(struct text *out, const char *value)
{
    size_t length = strlen(value);
    size_t size = 6 * length + 3;
    char *safe = xcalloc(size, 1);
    np_escape_text(NP_ESCAPE_JSON, value, length, safe, size);
    text_char(out, '"');
    text_puts(out, safe);
    text_char(out, '"');
    free(safe);
}

static bool is_inline(const struct json *json)
{
    return json->inline_from > 0 && json->depth >= json->inline_from;
}

static void begin_item(struct json *json, const char *key)
{
    if (json->depth > 0) {
        if (json->has_items[json->depth])
            text_char(json->out, ',');
        json->has_items[json->depth] = true;
        if (!is_inline(json)) {
            text_char(json->out, '\n');
            text_repeat(json->out, "  ", json->depth);
        } else if (text_string(json->out)[json->out->length - 1] == ',') {
            text_char(json->out, ' ');
        }
    }
    if (key) {
        put_string(json->out, key);
        text_puts(json->out, ": ");
    }
}

void json_open(struct json *json, const char *key, char kind, bool one_line)
{
    begin_item(json, key);
    text_char(json->out, kind);
    json->depth++;
    json->has_items[json->depth] = false;
    if (one_line && !is_inline(json))
        json->inline_from = json->depth;
}

void json_close(struct json *json, char kind)
{
    bool was_inline = is_inline(json);
    if (json->inline_from == json->depth)
        json->inline_from = 0;
    bool had_items = json->has_items[json->depth];
    json->depth--;
    if (had_items && !was_inline) {
        text_char(json->out, '\n');
        text_repeat(json->out, "  ", json->depth);
    }
    text_char(json->out, kind);
}

void json_text(struct json *json, const char *key, const char *value)
{
    if (!value) {
        json_null(json, key);
        return;
    }
    begin_item(json, key);
    put_string(json->out, value);
}

void json_int(struct json *json, const char *key, int64_t value)
{
    begin_item(json, key);
    text_print(json->out, "%" PRId64, value);
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    begin_item(json, key);
    text_print(json->out, "%" PRIu64, value);
}

void json_real(struct json *json, const char *key, double value, int digits)
{
    begin_item(json, key);
    if (value - value != 0.0) /* infinite or not a number: JSON has neither */
        text_puts(json->out, "null");
    else
        text_print(json->out, "%.*f", digits, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin_item(json, key);
    text_puts(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    begin_item(json, key);
    text_puts(json->out, "null");
}

void json_raw(struct json *json, const char *key, const char *value)
{
    if (!json_valid(value, strlen(value))) {
        json_text(json, key, value);
        return;
    }
    begin_item(json, key);
    text_puts(json->out, value);
}

void json_end(struct json *json)
{
    text_char(json->out, '\n');
}

/* ---------------------------------------------------------------------------------------------------
 * reader */

/* Each of these takes the place where something begins and returns the place behind it; NULL: it is
 * not there. */
static const char *value_end(const char *at, const char *end, int depth);

static const char *blank_end(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *escape_end(const char *at, const char *end)
{
    if (at >= end || *at == '\0')
        return NULL;
    if (*at != 'u')
        return strchr("\"\\/bfnrt", *at) ? at + 1 : NULL;
    if (end - at < 5)
        return NULL;
    for (int i = 1; i <= 4; i++)
        if (!is_hex(at[i]))
            return NULL;
    return at + 5;
}

static const char *string_end(const char *at, const char *end)
{
    if (at >= end || *at != '"')
        return NULL;
    at++;
    while (at < end && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        at = *at == '\\' ? escape_end(at + 1, end) : at + 1;
        if (!at)
            return NULL;
    }
    return at < end ? at + 1 : NULL;
}

static const char *digits_end(const char *at, const char *end)
{
    const char *first = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > first ? at : NULL;
}

static const char *number_end(const char *at, const char *end)
{
    if (at < end && *at == '-')
        at++;
    const char *whole = digits_end(at, end);
    if (!whole || (*at == '0' && whole > at + 1))
        return NULL;
    at = whole;
    if (at < end && *at == '.')
        at = digits_end(at + 1, end);
    if (at && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = digits_end(at, end);
    }
    return at;
}

static const char *word_end(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

static const char *member_end(const char *at, const char *end, int depth)
{
    at = string_end(at, end);
    if (!at)
        return NULL;
    at = blank_end(at, end);
    if (at >= end || *at != ':')
        return NULL;
    return value_end(at + 1, end, depth);
}

static const char *container_end(const char *at, const char *end, int depth)
{
    bool is_object = *at == '{';
    char closing = is_object ? '}' : ']';
    at = blank_end(at + 1, end);
    if (at < end && *at == closing)
        return at + 1;
    for (;;) {
        at = is_object ? member_end(blank_end(at, end), end, depth) : value_end(at, end, depth);
        if (!at)
            return NULL;
        at = blank_end(at, end);
        if (at < end && *at == closing)
            return at + 1;
        if (at >= end || *at != ',')
            return NULL;
        at++;
    }
}

static const char *value_end(const char *at, const char *end, int depth)
{
    at = blank_end(at, end);
    if (at >= end || depth >= 16)
        return NULL;
    switch (*at) {
    case '{':
    case '[':
        return container_end(at, end, depth + 1);
    case '"':
        return string_end(at, end);
    case 't':
        return word_end(at, end, "true");
    case 'f':
        return word_end(at, end, "false");
    case 'n':
        return word_end(at, end, "null");
    default:
        return number_end(at, end);
    }
}

bool json_valid(const char *text, size_t length)
{
    const char *end = text + length;
    const char *behind = value_end(text, end, 0);
    return behind && blank_end(behind, end) == end;
}

/* A code unit of four hex digits as UTF-8; surrogates, which need a partner, become '?'. Returns
 * the bytes. */
static size_t put_code_unit(const char *hex, char out[4])
{
    unsigned c = 0;
    for (int i = 0; i < 4; i++)
        c = c << 4 | (unsigned)(hex[i] <= '9' ? hex[i] - '0' : (hex[i] | 0x20) - 'a' + 10);
    if (c < 0x80) {
        out[0] = (char)(c ? c : '?');
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c >= 0xd800 && c < 0xe000) {
        out[0] = '?';
        return 1;
    }
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
}

/* The inside of a checked string, escapes undone, cut to fit. */
static void copy_string(const char *at, const char *end, char *out, size_t size)
{
    static const char plain[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    size_t length = 0;
    while (at < end && length + 4 < size) {
        if (*at != '\\') {
            out[length++] = *at++;
        } else if (at[1] == 'u') {
            length += put_code_unit(at + 2, out + length);
            at += 6;
        } else {
            out[length++] = meaning[strchr(plain, at[1]) - plain];
            at += 2;
        }
    }
    while (at < end && length > 0 &&
           ((unsigned char)*at & 0xc0) == 0x80) { /* cut inside a character: take it off */
        at--;
        length--;
    }
    out[length] = '\0';
}

bool json_member_next(const char **at, struct json_member *member)
{
    const char *end = *at + strlen(*at);
    const char *key = blank_end(*at, end);
    if (key >= end || (*key != '{' && *key != ','))
        return false;
    key = blank_end(key + 1, end);
    const char *key_end = string_end(key, end);
    if (!key_end)
        return false;
    const char *value = blank_end(key_end, end);
    if (value >= end || *value != ':')
        return false;
    value = blank_end(value + 1, end);
    const char *behind = value_end(value, end, 0);
    if (!behind)
        return false;

    copy_string(key + 1, key_end - 1, member->key, sizeof member->key);
    char kind = *value;
    member->kind = kind == '"'                  ? 's'
                   : kind == '{' || kind == '[' ? kind
                   : kind == 'n'                ? '0'
                   : kind == 't' || kind == 'f' ? 'b'
                                                : 'n';
    if (kind == '"') {
        copy_string(value + 1, behind - 1, member->value, sizeof member->value);
    } else {
        size_t length = (size_t)(behind - value);
        length = length < sizeof member->value ? length : sizeof member->value - 1;
        memcpy(member->value, value, length);
        member->value[length] = '\0';
    }
    *at = behind;
    return true;
}
