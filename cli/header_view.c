/* Header fields of a request; see header_view.h. */
#include "header_view.h"
#include "output.h"

enum { VALUE_LINES_MOST = 4 }; /* a value that is longer is cut */

/* In the order in which they are drawn: as they went over the connection. */
static const struct side {
    int direction; /* np_header */
    bool is_received;
    const char *code, *words;
} sides[] = {
    {4, false, "to_proxy",      "to the proxy"       },
    {5, true,  "from_proxy",    "from the proxy"     },
    {0, false, "request",       "request"            },
    {2, true,  "informational", "before the response"},
    {1, true,  "response",      "response"           },
    {3, true,  "trailer",       "behind the body"    },
};

static const struct side *side_of(int direction)
{
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        if (sides[i].direction == direction)
            return &sides[i];
    return NULL;
}

static void put_heading(const struct side *side, const struct look *look, struct text *out)
{
    static const char *const arrows[2][2] = {
        {"→", "←"},
        {"->",  "<-" }
    };
    struct text line = {0};
    text_print(&line, "%s %s", arrows[look->ascii][side->is_received], side->words);
    text_char(out, '\n');
    look_puts(look, out, ROLE_HEADING, text_string(&line));
    text_char(out, '\n');
    text_done(&line);
}

static void put_field(const np_header *header, const struct look *look, struct text *out)
{
    struct text line = {0};
    text_puts(&line, "  ");
    text_outside(&line, header->name, look->ascii);
    text_puts(&line, ": ");
    text_outside(&line, header->value, look->ascii);
    text_cut(out, text_string(&line), VALUE_LINES_MOST * look->columns, look->ascii);
    text_char(out, '\n');
    text_done(&line);
}

void header_write(const np_request_detail *request, const struct look *look, struct text *out)
{
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        bool is_first = true;
        for (size_t j = 0; j < request->header_count; j++) {
            if (request->headers[j].direction != sides[i].direction)
                continue;
            if (is_first)
                put_heading(&sides[i], look, out);
            is_first = false;
            put_field(&request->headers[j], look, out);
        }
    }
}

void header_json(struct json *json, const np_request_detail *request)
{
    if (request->header_count == 0)
        return;
    json_open(json, "headers", '[', false);
    for (size_t i = 0; i < request->header_count; i++) {
        const np_header *header = &request->headers[i];
        const struct side *side = side_of(header->direction);
        json_open(json, NULL, '{', true);
        json_text(json, "direction", side ? side->code : "unknown");
        json_text(json, "name", header->name);
        json_text(json, "value", header->value);
        json_close(json, '}');
    }
    json_close(json, ']');
}
