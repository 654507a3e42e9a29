/* A request as a command line for a shell; see command_line.h. */
#include "command_line.h"
#include <string.h>
#include <strings.h>

static bool is_plain(const char *word)
{
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_./:@%+=,") == strlen(word);
}

static bool has_control(const char *word)
{
    for (; *word; word++)
        if ((unsigned char)*word < ' ' || *word == 0x7f)
            return true;
    return false;
}

/* As one word of a POSIX shell; with control characters as one of bash and others: $'…'. */
static void put_word(struct text *out, const char *word)
{
    const bool is_escaped = has_control(word);
    if (out->length > 0)
        text_char(out, ' ');
    if (is_plain(word)) {
        text_puts(out, word);
        return;
    }
    text_puts(out, is_escaped ? "$'" : "'");
    for (; *word; word++) {
        const unsigned char c = (unsigned char)*word;
        if (is_escaped && (c < ' ' || c == 0x7f))
            text_print(out, "\\x%02x", c);
        else if (is_escaped && (c == '\'' || c == '\\'))
            text_print(out, "\\%c", c);
        else if (c == '\'')
            text_puts(out, "'\\''");
        else
            text_char(out, (char)c);
    }
    text_char(out, '\'');
}

static void put_option(struct text *out, const char *option, const char *value)
{
    put_word(out, option);
    put_word(out, value);
}

/* What the programs make themselves, and what was not kept. */
static bool is_left_out(const np_header *header)
{
    static const char *const made[] = {
        "host", "content-length", "connection", "accept-encoding", "transfer-encoding", "expect"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        if (strcasecmp(header->name, made[i]) == 0)
            return true;
    return header->name[0] == ':';
}

static void put_request(const np_request_detail *request, struct text *out)
{
    const np_row *row = &request->row;
    if (strcmp(row->method, "GET") != 0)
        put_option(out, "-X", row->method);
    for (size_t i = 0; i < request->header_count; i++) {
        const np_header *header = &request->headers[i];
        struct text line = {0};
        if (header->direction != 0 || is_left_out(header))
            continue;
        text_print(&line, "%s: %s", header->name, header->value);
        put_option(out, "-H", text_string(&line));
        text_done(&line);
    }
    if (row->proxy[0] && strcmp(row->proxy, "direct") != 0 && strcasecmp(row->proxy, "DIRECT") != 0)
        put_option(out, "--proxy", row->proxy);
}

static void put_protocol(const np_row *row, struct text *out)
{
    if (strcmp(row->protocol, "h2") == 0)
        put_word(out, "--http2");
    else if (strcmp(row->protocol, "http/1.1") == 0)
        put_word(out, "--http1.1");
}

void command_line_curl(const np_request_detail *request, struct text *out)
{
    text_puts(out, "curl");
    put_protocol(&request->row, out);
    put_request(request, out);
    put_word(out, request->row.url);
}

void command_line_record(const np_request_detail *request, struct text *out)
{
    text_puts(out, "netphase record");
    put_protocol(&request->row, out);
    put_request(request, out);
    put_word(out, request->row.url);
}
