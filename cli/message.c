/* What goes to stderr. Each message is written in one call, so lines of several programs do not
 * mix. */
#include "message.h"
#include <stdio.h>
#include <string.h>

static const char indent[] = "          ";

static void write_text(struct text *text)
{
    (void)fwrite(text->data, 1, text->length,
                 stderr); /* there is nowhere left to tell of a failure */
    text_done(text);
}

/* PREFIX, the text made harmless, a line end. */
static void write_line(const struct call *call, const char *prefix, const char *format,
                       va_list arguments)
{
    struct text raw = {0};
    struct text line = {0};
    text_print_v(&raw, format, arguments);
    text_puts(&line, prefix);
    text_outside(&line, text_string(&raw), call->err.ascii);
    text_char(&line, '\n');
    write_text(&line);
    text_done(&raw);
}

static void write_prefixed(const struct call *call, const char *format, va_list arguments)
{
    struct text prefix = {0};
    text_print(&prefix,
               call->verb ? "netphase %s: " : "netphase: ", call->verb ? call->verb->name : "");
    write_line(call, text_string(&prefix), format, arguments);
    text_done(&prefix);
}

void message_error(const struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_prefixed(call, format, arguments);
    va_end(arguments);
}

void message_warning(const struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_prefixed(call, format, arguments);
    va_end(arguments);
}

void message_hint(const struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(call, indent, format, arguments);
    va_end(arguments);
}

void message_note(const struct call *call, const char *format, ...)
{
    if (call->common.quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line(call, "", format, arguments);
    va_end(arguments);
}

static void hint_help(const struct call *call)
{
    if (call->verb && strcmp(call->verb->name, "help") != 0)
        message_hint(call, "try 'netphase help %s'", call->verb->name);
    else
        message_hint(call, "try 'netphase help'");
}

int message_usage(const struct call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_prefixed(call, format, arguments);
    va_end(arguments);
    hint_help(call);
    return EXIT_USAGE;
}

int exit_of(np_status status)
{
    if (np_status_is_a(status, NP_E_ARGUMENT) || status == NP_E_NOT_SUPPORTED)
        return EXIT_USAGE;
    switch (status) {
    case NP_OK:
        return EXIT_DONE;
    case NP_E_OUTPUT:
        return EXIT_UNWRITABLE;
    case NP_E_CANCELED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_UNREADABLE;
    }
}

int message_failure(const struct call *call, const np_error *err)
{
    int status = exit_of(err->status);
    if (err->cause[0])
        message_error(call, "%s (%s)", err->text, err->cause);
    else
        message_error(call, "%s", err->text);
    if (status == EXIT_USAGE)
        hint_help(call);
    return status;
}

enum { CARET_BEFORE = 48, CARET_AFTER = 24 };

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* A part of the text, made harmless; returns the cells it takes. */
static int put_part(const struct call *call, struct text *line, const char *from, size_t length)
{
    struct text part = {0};
    struct text safe = {0};
    text_add(&part, from, length);
    text_outside(&safe, text_string(&part), call->err.ascii);
    int cells = text_width(text_string(&safe));
    text_puts(line, text_string(&safe));
    text_done(&part);
    text_done(&safe);
    return cells;
}

void message_caret(const struct call *call, const char *text, size_t offset, size_t length,
                   const char *word)
{
    size_t total = strlen(text);
    offset = offset < total ? offset : total;
    length = length < total - offset ? length : total - offset;
    size_t first = offset > CARET_BEFORE ? offset - CARET_BEFORE : 0;
    size_t behind = total - offset - length > CARET_AFTER ? offset + length + CARET_AFTER : total;
    while (first < offset && continues_character(text[first]))
        first++;
    while (behind < total && continues_character(text[behind]))
        behind++;

    struct text line = {0};
    text_puts(&line, indent);
    int before = 0;
    if (first > 0) {
        text_puts(&line, "... ");
        before += 4;
    }
    before += put_part(call, &line, text + first, offset - first);
    int cells = put_part(call, &line, text + offset, length);
    put_part(call, &line, text + offset + length, behind - offset - length);
    text_puts(&line, behind < total ? " ...\n" : "\n");

    text_puts(&line, indent);
    text_repeat(&line, " ", before);
    text_char(&line, '^');
    text_repeat(&line, "~", cells - 1);
    if (word && *word) {
        text_char(&line, ' ');
        text_outside(&line, word, call->err.ascii);
    }
    text_char(&line, '\n');
    write_text(&line);
}
