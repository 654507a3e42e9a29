/*
 * What goes to stderr: one line "netphase VERB: …", then lines that are indented. Every text is
 * made harmless for a terminal here, as a whole, so callers put names and URLs in as they are.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "verb.h"
#include <netphase/status.h>

void message_error(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An indented line below an error. */
void message_hint(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An error-like line for what is not fatal; also with -q. */
void message_warning(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A note; silent with -q. */
void message_note(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Wrong usage: the line, then "try 'netphase help VERB'"; returns EXIT_USAGE. */
int message_usage(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What the library said; returns the exit status of its class. */
int message_failure(const struct call *call, const np_error *err);
/* The exit status of a class. */
int exit_of(np_status status);

/* `text` with carets under text[offset … offset + length) and a word behind them; long texts are
 * cut around the place. */
void message_caret(const struct call *call, const char *text, size_t offset, size_t length,
                   const char *word);

#endif
