/* Pieces of what went over a connection; see wire_view.h. */
#include "wire_view.h"
#include "output.h"
#include <inttypes.h>

enum { LINE_BYTES = 16, PIECES_MOST = 100 /* further ones are counted, not drawn */ };
enum { PART_HEADER, PART_BODY, PART_LEFT_OUT };

static const char *part_word(int part)
{
    static const char *const words[] = {"header", "body", "left_out"};
    return part >= 0 && part <= PART_LEFT_OUT ? words[part] : "unknown";
}

static void put_bytes(struct text *out, uint64_t bytes)
{
    text_thousands(out, bytes);
    text_puts(out, bytes == 1 ? " byte" : " bytes");
}

/* "→ 12.3 ms  header, 78 bytes, redacted", "← 13.0 ms  body, 1,024 of 16,384 bytes" */
static void put_head(const np_wire_piece *piece, const struct look *look, struct text *out)
{
    static const char *const arrows[2][2] = {
        {"→", "←"},
        {"->",  "<-" }
    };
    struct text line = {0};
    const enum unit unit = unit_for(piece->start_ns);
    text_print(&line, "%s ", arrows[look->ascii][piece->direction == 1]);
    duration_in(&line, piece->start_ns, unit);
    text_print(&line, " %s  %s, ", unit_name(unit, look->ascii), part_word(piece->part));
    if (piece->kept < piece->length) {
        text_thousands(&line, piece->kept);
        text_puts(&line, " of ");
    }
    put_bytes(&line, piece->length);
    text_puts(&line, piece->part == PART_HEADER ? ", as redacted" : "");
    look_puts(look, out, ROLE_HEADING, text_string(&line));
    text_char(out, '\n');
    text_done(&line);
}

/* "  0010  48 54 54 50 …  HTTP" */
static void put_line(const np_wire_piece *piece, size_t at, struct text *out)
{
    const size_t left = piece->data_length - at;
    const size_t count = left < LINE_BYTES ? left : LINE_BYTES;
    text_print(out, "  %04zx  ", at);
    for (size_t i = 0; i < LINE_BYTES; i++) {
        if (i < count)
            text_print(out, "%02x ", piece->data[at + i]);
        else
            text_puts(out, "   ");
        text_puts(out, i == LINE_BYTES / 2 - 1 ? " " : "");
    }
    text_char(out, ' ');
    for (size_t i = 0; i < count; i++) {
        const unsigned char c = piece->data[at + i];
        text_char(out, c >= 0x20 && c < 0x7f ? (char)c : '.');
    }
    text_char(out, '\n');
}

static void put_piece(const np_wire_piece *piece, const struct look *look, struct text *out)
{
    text_char(out, '\n');
    if (piece->part == PART_LEFT_OUT) {
        text_print(out, "and %" PRIu64 " more pieces of ", piece->kept);
        put_bytes(out, piece->length);
        text_puts(out, " together, which were not kept\n");
        return;
    }
    put_head(piece, look, out);
    for (size_t at = 0; at < piece->data_length; at += LINE_BYTES)
        put_line(piece, at, out);
}

void wire_write(const np_request_detail *request, const struct look *look, struct text *out)
{
    for (size_t i = 0; i < request->wire_count && i < PIECES_MOST; i++)
        put_piece(&request->wire[i], look, out);
    if (request->wire_count > PIECES_MOST)
        text_print(out, "\n... and %zu more pieces (--format json has them all)\n",
                   request->wire_count - PIECES_MOST);
}

void wire_json(struct json *json, const np_request_detail *request)
{
    if (request->wire_count == 0)
        return;
    json_open(json, "wire", '[', false);
    for (size_t i = 0; i < request->wire_count; i++) {
        const np_wire_piece *piece = &request->wire[i];
        struct text hex = {0};
        for (size_t at = 0; at < piece->data_length; at++)
            text_print(&hex, "%02x", piece->data[at]);
        json_open(json, NULL, '{', true);
        json_text(json, "direction", piece->direction == 1 ? "received" : "sent");
        json_text(json, "part", part_word(piece->part));
        if (piece->part == PART_LEFT_OUT) {
            json_count(json, "pieces", piece->kept);
            json_count(json, "bytes", piece->length);
        } else {
            json_int(json, "start_ns", piece->start_ns);
            json_count(json, "bytes", piece->length);
            json_count(json, "kept_bytes", piece->kept);
            json_text(json, "data_hex", text_string(&hex));
        }
        json_close(json, '}');
        text_done(&hex);
    }
    json_close(json, ']');
}
