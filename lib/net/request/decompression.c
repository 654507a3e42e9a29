/* Compressed responses. Floor 2. */
#include "decompression.h"
#include "fail.h"
#include "textbuf.h"
#include <string.h>

static const struct coding {
    uint32_t flag;
    const char *name;
} codings[] = {
    {NP_DECOMPRESS_GZIP,    "gzip"   },
    {NP_DECOMPRESS_DEFLATE, "deflate"},
    {NP_DECOMPRESS_BROTLI,  "br"     },
    {NP_DECOMPRESS_ZSTD,    "zstd"   },
};

np_status np_decompression_check(uint32_t flags, np_error *err)
{
    uint32_t known = 0;
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        known |= codings[i].flag;
    const uint32_t bad = flags & ~(known & np_engine_decoders());
    if (!bad)
        return NP_OK;
    return np_fail(err, NP_E_ARGUMENT,
                   bad & ~known ? "0x%x is no kind of decompression: expected a set of "
                                  "NP_DECOMPRESS_*"
                                : "this libcurl cannot do the decompression 0x%x",
                   bad);
}

/* Is the coding among the elements of the field, with or without a weight? */
static bool lists_coding(const char *field, const char *name)
{
    const size_t length = strlen(name);
    while (*field) {
        field += strspn(field, " \t,");
        const size_t word = strcspn(field, " \t,;");
        if (word == length && strncasecmp(field, name, length) == 0)
            return true;
        field += strcspn(field, ",");
    }
    return false;
}

np_status np_decompression_ask(np_header_list *fields, uint32_t flags, np_error *err)
{
    if (!flags)
        return NP_OK;
    const np_header_line *given = np_header_find(fields->lines, fields->count, "Accept-Encoding");
    np_textbuf text;
    np_textbuf_init(&text, NP_HEADER_VALUE_MAX + 64);
    np_textbuf_puts(&text, given ? given->value : "");
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if ((flags & codings[i].flag) && !lists_coding(text.text, codings[i].name))
            np_textbuf_print(&text, "%s%s", text.length > 0 ? ", " : "", codings[i].name);
    const np_status status =
        text.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a header field")
                    : np_header_list_set(fields, "Accept-Encoding", text.text, text.length, err);
    np_textbuf_done(&text);
    return status;
}

size_t np_decompression_hide(np_header_line *lines, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(lines[i].name, "Content-Encoding") != 0 &&
            strcasecmp(lines[i].name, "Content-Length") != 0)
            lines[kept++] = lines[i];
    return kept;
}
