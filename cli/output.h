/*
 * What goes to stdout: one text, written at the end; and what CSV, Markdown, times, sizes and
 * durations look like in it.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "verb.h"
#include <stdint.h>

/*
 * Writes a text to stdout and frees it. Returns EXIT_DONE, or EXIT_UNWRITABLE after saying why (a
 * reader that went away, EPIPE, is not worth a word).
 */
int output_write(const struct call *call, struct text *text);

/* ------------------------------------------------------------------------------------------- CSV,
 * Markdown */

/* A cell of a CSV row, with the comma in front where it is not the first; text is quoted and made
 * harmless for spreadsheets. */
void csv_text(struct text *out, bool *first, const char *value);
void csv_int(struct text *out, bool *first, int64_t value);
void csv_end(struct text *out, bool *first);
void markdown_text(struct text *out, const char *value);

/* ----------------------------------------------------------------------------------------------
 * times, sizes */

/* 2026-11-23T12:04:26.118Z: RFC 3339 in UTC, `digits` of the second (0 … 9). */
void time_rfc3339(struct text *out, int64_t unix_ns, int digits);
/* The same for people: "2026-11-23 12:04:26", local date and time are not used: traces travel. */
void time_people(struct text *out, int64_t unix_ns, bool with_date, int digits);
/* "1.3 kB": decimal units, two or three figures. */
void size_people(struct text *out, int64_t bytes);

/* An option's time: RFC 3339, or an age ("10m"). For OPTION_CUSTOM; the field is int64_t, Unix ns.
 */
bool time_option(const char *text, void *field, char *message, size_t size);

/* ------------------------------------------------------------------------------------------------
 * durations */

enum unit { UNIT_NS, UNIT_US, UNIT_MS, UNIT_S };

/* The unit a column of durations is shown in, from a typical one of the larger values. */
enum unit unit_for(int64_t typical_ns);
const char *unit_name(enum unit unit, bool ascii);
/* A duration in that unit, about three figures, no unit behind it: "0.05", "41.2", "5004"; "0" is
 * nothing but 0. */
void duration_in(struct text *out, int64_t duration_ns, enum unit unit);

#endif
