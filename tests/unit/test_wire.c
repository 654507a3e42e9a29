/* Header blocks as they are stored: line by line, in whatever pieces they come. */
#include "wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const np_redaction usual;

/* In pieces of `step` bytes, each in memory of its own: the address sanitizer watches. */
static const char *redacted(bool is_request, const char *text, size_t step)
{
    static char out[4096];
    np_wire_block block = {0};
    np_textbuf stored;
    np_textbuf_init(&stored, sizeof out - 1);
    const size_t length = strlen(text);
    for (size_t at = 0; at < length; at += step) {
        const size_t n = length - at < step ? length - at : step;
        char *piece = malloc(n);
        memcpy(piece, text + at, n);
        np_wire_redact(&usual, &block, is_request, piece, n, &stored);
        free(piece);
    }
    memcpy(out, stored.text, stored.length + 1);
    np_textbuf_done(&stored);
    return out;
}

static const char request[] =
    "POST /a?token=secret1 HTTP/1.1\r\nHost: a.example\r\n"
    "Authorization: Basic secret2\r\nCookie: sid=secret3; b=secret4\r\n"
    "X-Api-Key : secret5\r\nReferer: http://u:secret6@a/?q=secret7\r\n\r\n";

Test(wire, a_request_loses_its_secrets_and_nothing_else)
{
    cr_assert_str_eq(redacted(true, request, 1000),
                     "POST /a?token=* HTTP/1.1\r\nHost: a.example\r\n"
                     "Authorization: Basic *\r\nCookie: sid=*; b=*\r\n"
                     "X-Api-Key : *\r\nReferer: http://a/?q=*\r\n\r\n");
    cr_assert_str_eq(redacted(true, "GET http://u:secret@a/?x=secret HTTP/1.1\r\n\r\n", 1000),
                     "GET http://a/?x=* HTTP/1.1\r\n\r\n");
    cr_assert_str_eq(redacted(true, "CONNECT a.example:443 HTTP/1.1\r\n", 1000),
                     "CONNECT a.example:443 HTTP/1.1\r\n");
}

Test(wire, a_response_too)
{
    cr_assert_str_eq(redacted(false,
                              "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: sid=secret; Path=/\r\n"
                              "Set-Cookie:\r\n secret\r\nLocation: /?code=secret\r\n\r\n",
                              1000),
                     "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: sid=*; Path=/\r\n"
                     "Set-Cookie:\r\n*\r\nLocation: /?code=*\r\n\r\n");
    cr_assert_str_eq(redacted(false, "no header at all secret\r\n", 1000), "*\r\n");
}

Test(wire, a_second_block_begins_behind_the_empty_line)
{
    cr_assert_str_eq(redacted(true, "GET /?a=1 HTTP/1.1\r\n\r\nGET /?b=2 HTTP/1.1\r\n\r\n", 1000),
                     "GET /?a=* HTTP/1.1\r\n\r\nGET /?b=* HTTP/1.1\r\n\r\n");
}

Test(wire, no_cut_lets_a_secret_through)
{
    for (size_t step = 1; step < sizeof request; step++) {
        const char *stored = redacted(true, request, step);
        cr_assert_not(strstr(stored, "secret"), "in pieces of %zu: %s", step, stored);
    }
}
