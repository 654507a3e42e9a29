/* The field lines of a response. */
#include "field_lines.h"

#include <criterion/criterion.h>
#include <string.h>

static np_field_lines made(const char *const *lines)
{
    np_field_lines header = {0};
    np_field_lines_reset(&header);
    for (; *lines; lines++)
        cr_assert(np_field_lines_add(&header, *lines, strlen(*lines)));
    return header;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void is_line(const np_header_line *line, const char *name, const char *value)
{
    cr_assert_str_eq(line->name, name);
    cr_assert_str_eq(line->value, value);
    cr_assert_eq(line->name_length, strlen(name));
    cr_assert_eq(line->value_length, strlen(value));
}

Test(field_lines, fields_come_in_order_without_blanks)
{
    np_field_lines header =
        made(LINES("Server: nginx\r\n", "X-Empty:\r\n", "x:  two  words\t\r\n", "a:b:c\n"));
    size_t count;

    const np_header_line *lines = np_field_lines_get(&header, &count);

    cr_assert_eq(count, 4);
    is_line(&lines[0], "Server", "nginx");
    is_line(&lines[1], "X-Empty", "");
    is_line(&lines[2], "x", "two  words");
    is_line(&lines[3], "a", "b:c");
    np_field_lines_done(&header);
}

Test(field_lines, folded_lines_go_on_behind_one_blank)
{
    np_field_lines header =
        made(LINES("A: one  \r\n", "   two\r\n", "\tthree \r\n", "B: x\r\n", "C:\r\n", " y\r\n"));
    size_t count;

    const np_header_line *lines = np_field_lines_get(&header, &count);

    cr_assert_eq(count, 3);
    is_line(&lines[0], "A", "one two three");
    is_line(&lines[1], "B", "x");
    is_line(&lines[2], "C", " y");
    np_field_lines_done(&header);
}

Test(field_lines, a_first_line_that_goes_on_from_nothing_is_refused)
{
    np_field_lines header = {0};
    np_field_lines_reset(&header);

    cr_assert_not(np_field_lines_add(&header, " x: y\r\n", 7));

    np_field_lines_done(&header);
}

Test(field_lines, lines_without_a_colon_are_no_fields)
{
    np_field_lines header = made(LINES("nonsense\r\n", "A: 1\r\n"));
    size_t count;

    const np_header_line *lines = np_field_lines_get(&header, &count);

    cr_assert_eq(count, 1);
    is_line(&lines[0], "A", "1");
    np_field_lines_done(&header);
}

Test(field_lines, the_first_content_length_counts_and_must_be_a_number)
{
    static const struct {
        const char *line;
        int64_t length;
    } cases[] = {
        {"Content-Length: 59\r\n",                  59                },
        {"CONTENT-LENGTH:0\r\n",                    0                 },
        {"content-length:  7 \r\n",                 7                 },
        {"Content-Length: -1\r\n",                  -1                },
        {"Content-Length: 1,2\r\n",                 -1                },
        {"Content-Length:\r\n",                     -1                },
        {"Content-Length: 123456789012345678\r\n",  123456789012345678},
        {"Content-Length: 1234567890123456789\r\n", -1                },
        {"Content-Lengthy: 5\r\n",                  -1                },
        {"Content-Length : 5\r\n",                  -1                },
        {"Connection: close\r\n",                   -1                },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_field_lines header = made(LINES(cases[i].line, "Content-Length: 1000\r\n"));
        const bool is_first = strncasecmp(cases[i].line, "content-length:", 15) == 0;
        cr_assert_eq(header.content_length, is_first ? cases[i].length : 1000, "%s", cases[i].line);
        np_field_lines_done(&header);
    }
}

Test(field_lines, transfer_encoding_is_seen)
{
    np_field_lines with = made(LINES("Server: x\r\n", "transfer-encoding: chunked\r\n"));
    np_field_lines without = made(LINES("TE: trailers\r\n", "Trailer: x\r\n"));

    cr_assert(with.has_transfer_encoding);
    cr_assert_not(without.has_transfer_encoding);
    np_field_lines_done(&with);
    np_field_lines_done(&without);
}

Test(field_lines, memory_is_used_again_after_reset)
{
    np_field_lines header = made(LINES("A: 1\r\n", "B: 2\r\n", "Content-Length: 3\r\n"));
    size_t count;
    cr_assert_not_null(np_field_lines_get(&header, &count));

    np_field_lines_reset(&header);
    cr_assert_null(np_field_lines_get(&header, &count));
    cr_assert_eq(count, 0);
    cr_assert_eq(header.content_length, -1);
    cr_assert(np_field_lines_add(&header, "C: 4", 4));

    const np_header_line *lines = np_field_lines_get(&header, &count);
    cr_assert_eq(count, 1);
    is_line(&lines[0], "C", "4");
    np_field_lines_done(&header);
}
