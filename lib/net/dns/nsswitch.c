/* The `hosts:` line of nsswitch.conf; see nsswitch.h. Floor 2; pure. As in glibc the last such line
 * counts. */
#include "nsswitch.h"

#include "text_file.h"

#include <string.h>

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(at, word, length) == 0;
}

/* Bytes of an action at `at`, "[NOTFOUND=return]", blanks inside allowed; it may be unclosed. */
static size_t action_length(const char *at, const char *end)
{
    const char *closing = memchr(at, ']', (size_t)(end - at));
    return (size_t)((closing ? closing + 1 : end) - at);
}

/* The services behind "hosts:". */
static void parse_services(const char *at, const char *end, np_nsswitch *out)
{
    bool has_dns = false;
    bool has_action_after_dns = false;
    bool is_first = true;
    size_t length;
    *out = (np_nsswitch){0};
    while ((length = np_text_word(&at, end, false)) > 0) {
        const char *bracket = memchr(at, '[', length);
        if (bracket == at) {
            length = action_length(at, end);
            if (has_dns)
                has_action_after_dns = true;
            else
                out->needs_system = true;
        } else {
            length = bracket ? (size_t)(bracket - at) : length;
            const bool is_files = is_word(at, length, "files");
            if (is_word(at, length, "dns"))
                has_dns = true;
            else if (is_files && has_dns && !out->files_first) {
                out->files_last = true;
                out->needs_system |= has_action_after_dns;
            } else if (is_files && is_first)
                out->files_first = true;
            else if (!has_dns)
                out->needs_system = true;
            is_first = false;
        }
        at += length;
    }
    out->needs_system |= !has_dns;
}

void np_nsswitch_parse(const char *text, size_t length, np_nsswitch *out)
{
    static const char key[] = "hosts:";
    const char *end = text ? text + length : NULL;
    *out = (np_nsswitch){.files_first = true};
    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline ? newline : end;
        const size_t word = np_text_word(&at, line_end, false);
        if (word >= sizeof key - 1 && memcmp(at, key, sizeof key - 1) == 0)
            parse_services(at + sizeof key - 1, line_end, out);
        at = newline ? newline + 1 : end;
    }
}
