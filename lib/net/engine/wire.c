/*
 * Pieces of what went over a connection; see wire.h. Floor 2; loop thread only.
 *
 * libcurl tells the header of a request in one piece (or several, where the socket took no more)
 * and that of a response line by line; here the lines become one piece again, which takes its place
 * and its time from the first of them.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { SENT = 0, RECEIVED = 1 };
enum { HEADER = 0, BODY = 1, LEFT_OUT = 2 };
enum { LINE_MOST = 512 * 1024 }; /* above every limit for a header */

struct np_wire {
    uint32_t count;      /* pieces that are events */
    uint32_t left_out;   /* those that are not any more … */
    uint64_t left_bytes; /* … and their bytes */
    np_wire_block sent, received;
    np_textbuf header; /* of the response, as stored, so far */
    uint64_t header_ns, header_bytes;
};

static bool ensure(np_transfer *transfer)
{
    if (transfer->wire)
        return true;
    transfer->wire = calloc(1, sizeof *transfer->wire);
    if (transfer->wire)
        np_textbuf_init(&transfer->wire->header, LINE_MOST);
    return transfer->wire != NULL;
}

/* --- redaction --- */

static void redact_request_line(const np_redaction *rules, const char *line, size_t length,
                                np_textbuf *out)
{
    const char *target = memchr(line, ' ', length);
    const size_t method = target ? (size_t)(target - line) + 1 : length;
    const char *version = memrchr(line + method, ' ', length - method);
    const size_t end = version ? (size_t)(version - line) : length;
    np_textbuf_add(out, line, method);
    np_redact_url(rules, line + method, end - method, out);
    np_textbuf_add(out, line + end, length - end);
}

static void redact_field_line(const np_redaction *rules, const char *line, size_t length,
                              np_textbuf *out)
{
    char name[256];
    const char *colon = memchr(line, ':', length);
    const size_t name_length = colon ? (size_t)(colon - line) : 0;
    if (length == 0 || (length > 5 && memcmp(line, "HTTP/", 5) == 0)) {
        np_textbuf_add(out, line, length);
        return;
    }
    if (line[0] == ' ' || line[0] == '\t' || !colon || name_length >= sizeof name) {
        np_textbuf_puts(out, "*"); /* goes on with the line before, or is none that we know */
        return;
    }
    size_t value = name_length + 1;
    while (value < length && (line[value] == ' ' || line[value] == '\t'))
        value++;
    size_t bare = name_length;
    while (bare > 0 && (line[bare - 1] == ' ' || line[bare - 1] == '\t'))
        bare--;
    memcpy(name, line, bare);
    name[bare] = '\0';
    np_textbuf_add(out, line, value);
    np_redact_header(rules, name, line + value, length - value, out);
}

void np_wire_redact(const np_redaction *rules, np_wire_block *block, bool is_request,
                    const char *data, size_t length, np_textbuf *out)
{
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(data + at, '\n', length - at);
        const size_t behind = newline ? (size_t)(newline - data) + 1 : length;
        size_t end = newline ? behind - 1 : length;
        if (end > at && newline && data[end - 1] == '\r')
            end--;
        if (block->is_cut || !newline) /* of half a line nobody knows what the rest makes of it */
            np_textbuf_puts(out, end > at ? "*" : "");
        else if (is_request && !block->is_inside)
            redact_request_line(rules, data + at, end - at, out);
        else
            redact_field_line(rules, data + at, end - at, out);
        np_textbuf_add(out, data + end, behind - end);
        block->is_inside = end > at || block->is_cut; /* the empty line ends the block */
        block->is_cut = !newline;
        at = behind;
    }
}

/* --- pieces --- */

static void emit(np_transfer *transfer, uint64_t now_ns, int direction, int part, uint64_t length,
                 uint64_t kept, const char *data, size_t data_length)
{
    np_producer *producer = transfer->engine->producer;
    const uint64_t ordinal = transfer->wire->count++;
    np_emit(producer, &(np_event){
                          .time_ns = now_ns,
                          .request = transfer->number,
                          .connection = transfer->connection ? transfer->connection->number : 0,
                          .type = NP_EVENT_WIRE,
                          .source = NP_SOURCE_CALLBACK,
                          .word = {(uint64_t)direction | (uint64_t)part << 8 | ordinal << 16,
                                   length, kept, np_ring_text(producer->ring, data, data_length)}
    });
}

/* `data` is what is stored of a piece of `length` bytes on the wire. */
static void put(np_transfer *transfer, uint64_t now_ns, int direction, int part, uint64_t length,
                const char *data, size_t data_length)
{
    struct np_wire *wire = transfer->wire;
    if (wire->count >= NP_WIRE_MOST) {
        wire->left_out++;
        wire->left_bytes += length;
        return;
    }
    const bool is_whole = data_length <= NP_WIRE_KEPT;
    const size_t kept = is_whole ? data_length : NP_WIRE_KEPT;
    /* redaction changes lengths: a header that is stored to its end is all there */
    emit(transfer, now_ns, direction, part, length, is_whole ? length : kept, data, kept);
}

static void put_response_header(np_transfer *transfer)
{
    struct np_wire *wire = transfer->wire;
    if (wire->header_bytes == 0)
        return;
    put(transfer, wire->header_ns, RECEIVED, HEADER, wire->header_bytes, wire->header.text,
        wire->header.length);
    np_textbuf_clear(&wire->header);
    wire->header_bytes = 0;
}

static void take_response_line(np_transfer *transfer, const char *data, size_t length)
{
    struct np_wire *wire = transfer->wire;
    if (wire->header_bytes == 0)
        wire->header_ns = np_now();
    wire->header_bytes += length;
    if (wire->header.length <= NP_WIRE_KEPT)
        np_wire_redact(transfer->engine->producer->redaction, &wire->received, false, data, length,
                       &wire->header);
    if (length > 0 && (data[0] == '\r' || data[0] == '\n'))
        put_response_header(transfer);
}

static void take_request_header(np_transfer *transfer, const char *data, size_t length)
{
    np_textbuf text;
    np_textbuf_init(&text, LINE_MOST);
    np_wire_redact(transfer->engine->producer->redaction, &transfer->wire->sent, true, data, length,
                   &text);
    put(transfer, np_now(), SENT, HEADER, length, text.text, text.length);
    np_textbuf_done(&text);
}

void np_wire_take(np_transfer *transfer, curl_infotype type, const char *data, size_t length)
{
    if (!np_wire_is_kept(transfer->engine) || length == 0)
        return;
    const bool is_ours = type == CURLINFO_HEADER_OUT || type == CURLINFO_HEADER_IN ||
                         type == CURLINFO_DATA_OUT || type == CURLINFO_DATA_IN;
    if (!is_ours || !ensure(transfer))
        return;
    if (type == CURLINFO_HEADER_IN) {
        take_response_line(transfer, data, length);
        return;
    }
    if (type == CURLINFO_HEADER_OUT) {
        take_request_header(transfer, data, length);
        return;
    }
    if (type == CURLINFO_DATA_IN)
        put_response_header(transfer); /* without its empty line: an odd peer */
    put(transfer, np_now(), type == CURLINFO_DATA_OUT ? SENT : RECEIVED, BODY, length, data,
        length);
}

void np_wire_end(np_transfer *transfer)
{
    struct np_wire *wire = transfer->wire;
    if (!wire)
        return;
    put_response_header(transfer);
    if (wire->left_out > 0)
        emit(transfer, np_now(), RECEIVED, LEFT_OUT, wire->left_bytes, wire->left_out, "", 0);
    np_textbuf_done(&wire->header);
    free(wire);
    transfer->wire = NULL;
}
