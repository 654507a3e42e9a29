/* Opening a trace for a verb, and its --where. */
#include "open_trace.h"
#include "message.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int open_trace(const struct call *call, const char *path, np_store **out)
{
    *out = NULL;
    if (strcmp(path, "-") == 0) {
        message_error(call, "a trace cannot be read from standard input");
        message_hint(call, "save it to a file and name that");
        return EXIT_UNREADABLE;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        message_error(call, "no trace here: %s does not exist", path);
        message_hint(call, "record one with 'netphase record URL', or name a file");
        return EXIT_UNREADABLE;
    }
    np_error err = {0};
    if (np_store_open(path, NULL, out, &err)) {
        message_failure(call, &err);
        return EXIT_UNREADABLE;
    }
    return EXIT_DONE;
}

int open_filter(const struct call *call, const char *expression, np_filter **out)
{
    *out = NULL;
    if (!expression)
        return EXIT_DONE;
    np_error err = {0};
    np_filter_mistake mistake = {0};
    if (np_filter_parse(expression, out, &mistake, &err) == NP_OK)
        return EXIT_DONE;
    if (err.status != NP_E_ARGUMENT)
        return message_failure(call, &err);
    char hint[96] = "";
    if (mistake.suggestion[0])
        (void)snprintf(hint, sizeof hint, "did you mean '%s'?", mistake.suggestion);
    message_error(call, "%s in --where", err.text);
    message_caret(call, expression, mistake.offset, mistake.length, hint);
    return EXIT_USAGE;
}
