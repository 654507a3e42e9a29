/*
 * The field lines of a response: kept as they came, taken apart when someone asks. Floor 2; one
 * thread; no I/O.
 *
 * Most responses of a traced run are never asked for their fields, so a line costs one copy; only
 * the two fields that say how long the body is are looked at on the way. The memory is kept from
 * one response to the next.
 */
#ifndef NP_NET_FIELD_LINES_H
#define NP_NET_FIELD_LINES_H

#include "transfer.h"

typedef struct np_field_lines {
    /* the lines one behind the other, with their line ends until they are taken apart */
    char *text;
    size_t length, capacity;
    size_t raw_count;       /* lines, folded ones included */
    int64_t content_length; /* of the first Content-Length; -1: none, or no number */
    bool has_content_length, has_transfer_encoding;
    bool parsed;
    np_header_line *lines; /* lines[count], once parsed */
    size_t count, room;
} np_field_lines;

void np_field_lines_reset(np_field_lines *header); /* to no line; the memory is kept */
void np_field_lines_done(np_field_lines *header);

/* Adds one line as it came, without the empty one. false: no memory, or the first line goes on from
 * one before it (it begins with a blank: RFC 9112 section 5.2). */
bool np_field_lines_add(np_field_lines *header, const char *line, size_t length);

/* The fields, in order, NUL-terminated too; a folded line goes on behind one blank. Borrowed until
 * the next add or reset. NULL: no memory, or none (count 0). */
const np_header_line *np_field_lines_get(np_field_lines *header, size_t *count);

#endif
