/* The header fields that were typed; see field_options.h. */
#include "field_options.h"
#include "memory.h"
#include "message.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct sender_header form = {"Content-Type", "application/x-www-form-urlencoded"};

/* "Name: value" into its two parts, in place. False: there is no name. */
static bool split(char *text, struct sender_header *field)
{
    char *colon = strchr(text, ':');
    if (!colon || colon == text)
        return false;
    *colon = '\0';
    field->name = text;
    field->value = colon[1] ? colon + 1 + strspn(colon + 1, " \t") : NULL;
    return true;
}

static bool is_value(const struct sender_header *field, const char *value)
{
    return field->value && strcasecmp(field->value, value) == 0;
}

/* Fields that say how, not what: taken out of the list. *known: it is one. */
static int take_manner(struct field_options *options, const struct call *call,
                       const struct sender_header *field, bool *known)
{
    *known = true;
    if (strcasecmp(field->name, "Content-Length") == 0)
        return message_usage(call, "found --header 'Content-Length', expected none: the body of "
                                   "--data or --upload is counted");
    if (strcasecmp(field->name, "Transfer-Encoding") == 0) {
        options->is_chunked = true;
        return is_value(field, "chunked") ? EXIT_DONE
                                          : message_usage(call, "found --header "
                                                                "'Transfer-Encoding', expected "
                                                                "chunked as its value");
    }
    if (strcasecmp(field->name, "Expect") == 0) {
        options->expect = field->value ? EXPECT_ALWAYS : EXPECT_NEVER;
        return !field->value || is_value(field, "100-continue")
                   ? EXIT_DONE
                   : message_usage(call, "found --header 'Expect', expected 100-continue or "
                                         "nothing as its value");
    }
    if (strcasecmp(field->name, "Connection") == 0) {
        options->close = is_value(field, "close");
        return options->close || is_value(field, "keep-alive")
                   ? EXIT_DONE
                   : message_usage(call, "found --header 'Connection', expected close or "
                                         "keep-alive as its value");
    }
    *known = false;
    return EXIT_DONE;
}

int field_options_take(struct field_options *options, const struct call *call,
                       const struct option_list *list, bool is_form)
{
    size_t bytes = 0;
    bool has_type = false;
    for (size_t i = 0; i < list->count; i++)
        bytes += strlen(list->items[i]) + 1;
    options->fields = xcalloc(list->count + 1, sizeof *options->fields);
    options->texts = xcalloc(bytes + 1, 1);
    char *at = options->texts;
    for (size_t i = 0; i < list->count; i++) {
        struct sender_header *field = &options->fields[options->count];
        const size_t length = strlen(list->items[i]) + 1;
        bool is_manner;
        memcpy(at, list->items[i], length);
        if (!split(at, field))
            return message_usage(call, "found --header '%s', expected 'NAME: VALUE'",
                                 list->items[i]);
        const int exit_status = take_manner(options, call, field, &is_manner);
        if (exit_status)
            return exit_status;
        has_type |= strcasecmp(field->name, form.name) == 0;
        options->count += !is_manner;
        at += length;
    }
    if (is_form && !has_type)
        options->fields[options->count++] = form;
    return EXIT_DONE;
}

void field_options_done(struct field_options *options)
{
    free(options->fields);
    free(options->texts);
}
