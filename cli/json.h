/*
 * JSON: a writer that keeps commas and indentation, and a reader for the small objects that traces
 * hold (labels, details of spans). What a trace holds may be anything: it is checked before it is
 * put into a document as it is.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "text.h"
#include <stdint.h>

enum { JSON_DEPTH = 16 };

/* A JSON document being written. Members and elements are separated and indented here; `inline`
 * parts stay on one line. */
struct json {
    struct text *out;
    int depth;
    int inline_from; /* depth from which everything is on one line; 0: nowhere yet */
    bool has_items[JSON_DEPTH];
};

/* key NULL: an element of an array, or the document itself. kind: '{' or '['. */
void json_open(struct json *json, const char *key, char kind, bool is_inline);
void json_close(struct json *json, char kind);
void json_text(struct json *json, const char *key, const char *value); /* NULL: null */
void json_int(struct json *json, const char *key, int64_t value);
void json_count(struct json *json, const char *key, uint64_t value);
void json_real(struct json *json, const char *key, double value, int digits);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* A value that is JSON already (labels, details of a trace); it is put in as text where it is not.
 */
void json_raw(struct json *json, const char *key, const char *value);
void json_end(struct json *json); /* the line end behind the document */

/* Tells whether text[length] is one JSON value of at most 16 levels. */
bool json_valid(const char *text, size_t length);

/* One member of an object; the value as it stands in the text, for strings without its quotes and
 * with escapes undone. */
struct json_member {
    char key[64];
    char value[512];
    char kind; /* 's' string, 'n' number, 'b' true or false, '0' null, '{' or '[' (value: as it
                  stands) */
};

/*
 * Reads the next member of an object. `at`: the object's text at first, then where the last call
 * left it. False at the end, and where the text is no object. Long keys and values are cut at a
 * character.
 */
bool json_member_next(const char **at, struct json_member *member);

#endif
