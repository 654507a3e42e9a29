/* See http_request.h. */
#include "http_request.h"

#include <string.h>
#include <strings.h>

enum { CHUNK_LINE_LIMIT = 4096 };

struct slice {
    const char *at;
    size_t length;
};

/* What the header fields said, before it is judged as a whole. */
struct fields {
    bool has_host;
    bool has_length;
    uint64_t length;
    bool has_encoding;
    bool says_close;
    bool says_keep_alive;
};

static bool is_token_character(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!is_token_character((unsigned char)text.at[i]))
            return false;
    return text.length > 0;
}

static bool equals(struct slice text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

static struct slice trim(struct slice text)
{
    while (text.length > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = (struct slice){text.at + 1, text.length - 1};
    while (text.length > 0 && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

/* Takes the next line off `rest`, without its CR LF (or LF alone: RFC 9112, 2.2). False: no whole
 * line is there. */
static bool take_line(struct slice *rest, struct slice *line)
{
    const char *end = rest->length > 0 ? memchr(rest->at, '\n', rest->length) : NULL;
    if (!end)
        return false;
    size_t length = (size_t)(end - rest->at);
    *line = (struct slice){rest->at, length > 0 && end[-1] == '\r' ? length - 1 : length};
    *rest = (struct slice){end + 1, rest->length - length - 1};
    return true;
}

static bool take_word(struct slice *rest, struct slice *word)
{
    const char *blank = memchr(rest->at, ' ', rest->length);
    if (!blank)
        return false;
    *word = (struct slice){rest->at, (size_t)(blank - rest->at)};
    *rest = (struct slice){blank + 1, rest->length - word->length - 1};
    return true;
}

/* Returns 0 or the status to refuse with. */
static int read_request_line(struct slice line, struct http_request *request)
{
    struct slice method;
    struct slice target;
    if (!take_word(&line, &method) || !take_word(&line, &target) || !is_token(method) ||
        target.length == 0)
        return 400;
    if (method.length >= sizeof request->method)
        return 501;
    if (target.length >= sizeof request->target)
        return 414;
    for (size_t i = 0; i < target.length; i++)
        if (target.at[i] <= ' ' || target.at[i] == 0x7f)
            return 400;
    if (line.length != 8 || memcmp(line.at, "HTTP/", 5) != 0 || line.at[6] != '.')
        return 400;
    if (line.at[5] != '1' || (line.at[7] != '0' && line.at[7] != '1'))
        return 505;
    memcpy(request->method, method.at, method.length);
    request->method[method.length] = '\0';
    memcpy(request->target, target.at, target.length);
    request->target[target.length] = '\0';
    request->minor_version = line.at[7] - '0';
    return 0;
}

static bool read_decimal(struct slice text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.length == 0 || text.length > 18)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    *out = value;
    return true;
}

static void read_connection(struct slice value, struct fields *fields)
{
    while (value.length > 0) {
        const char *comma = memchr(value.at, ',', value.length);
        size_t length = comma ? (size_t)(comma - value.at) : value.length;
        struct slice word = trim((struct slice){value.at, length});
        fields->says_close |= equals(word, "close");
        fields->says_keep_alive |= equals(word, "keep-alive");
        size_t taken = comma ? length + 1 : length;
        value = (struct slice){value.at + taken, value.length - taken};
    }
}

/* Returns 0 or the status to refuse with. */
static int read_field(struct slice line, struct http_request *request, struct fields *fields)
{
    const char *colon = memchr(line.at, ':', line.length);
    if (!colon)
        return 400;
    struct slice name = {line.at, (size_t)(colon - line.at)};
    if (!is_token(name)) /* a blank before the colon or at the start (obs-fold) too */
        return 400;
    struct slice value = trim((struct slice){colon + 1, line.length - name.length - 1});
    for (size_t i = 0; i < value.length; i++)
        if (value.at[i] == '\0' || value.at[i] == '\r')
            return 400;
    if (equals(name, "host")) {
        if (fields->has_host)
            return 400;
        fields->has_host = true;
    } else if (equals(name, "content-length")) {
        uint64_t length;
        if (!read_decimal(value, &length) || (fields->has_length && fields->length != length))
            return 400;
        fields->has_length = true;
        fields->length = length;
    } else if (equals(name, "transfer-encoding")) {
        if (fields->has_encoding || !equals(value, "chunked"))
            return 501;
        fields->has_encoding = true;
    } else if (equals(name, "connection")) {
        read_connection(value, fields);
    } else if (equals(name, "expect")) {
        if (!equals(value, "100-continue"))
            return 417;
        request->expects_continue = true;
    }
    return 0;
}

/* Judges the fields together. Returns 0 or the status to refuse with. */
static int settle(struct http_request *request, const struct fields *fields)
{
    /* Both lengths at once is how requests are smuggled (RFC 9112, 6.1); no client of ours sends
     * that. */
    if (fields->has_encoding && (fields->has_length || request->minor_version == 0))
        return 400;
    if (request->minor_version == 1 && !fields->has_host)
        return 400;
    request->is_chunked = fields->has_encoding;
    request->content_bytes = fields->has_length ? fields->length : 0;
    request->keep_alive =
        !fields->says_close && (request->minor_version == 1 || fields->says_keep_alive);
    if (request->minor_version == 0 || (!request->is_chunked && request->content_bytes == 0))
        request->expects_continue = false;
    return 0;
}

enum http_result http_request_parse(const char *bytes, size_t length, struct http_request *request,
                                    size_t *used, int *status)
{
    memset(request, 0, sizeof *request);
    *used = 0;
    *status = 0;
    struct slice rest = {bytes, length < HTTP_HEAD_LIMIT ? length : HTTP_HEAD_LIMIT};
    struct slice line = {0};
    struct fields fields = {0};
    bool is_whole;
    /* Blank lines before a request are passed over (RFC 9112, 2.2). */
    do {
        is_whole = take_line(&rest, &line);
    } while (is_whole && line.length == 0);
    if (is_whole)
        *status = read_request_line(line, request);
    while (is_whole && *status == 0) {
        is_whole = take_line(&rest, &line);
        if (!is_whole)
            break;
        if (line.length == 0) {
            *status = settle(request, &fields);
            *used = (size_t)(rest.at - bytes);
            return *status ? HTTP_BAD : HTTP_DONE;
        }
        *status = read_field(line, request, &fields);
    }
    if (*status == 0 && length >= HTTP_HEAD_LIMIT)
        *status = 431;
    return *status ? HTTP_BAD : HTTP_MORE;
}

enum body_state {
    BODY_PLAIN,      /* `left` bytes */
    CHUNK_SIZE,      /* digits of a chunk's size; left counts up */
    CHUNK_EXTENSION, /* until the end of that line */
    CHUNK_DATA,      /* `left` bytes */
    CHUNK_END,       /* CR LF behind the data */
    TRAILER,         /* lines until a blank one */
    BODY_END
};

void http_body_init(struct http_body *body, const struct http_request *request)
{
    *body = (struct http_body){.is_chunked = request->is_chunked,
                               .state = request->is_chunked ? CHUNK_SIZE : BODY_PLAIN,
                               .left = request->content_bytes};
    if (body->is_chunked)
        body->left = 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The line with a chunk's size is over. */
static bool end_chunk_line(struct http_body *body)
{
    if (body->line_bytes == 0)
        return false;
    body->state = body->left > 0 ? CHUNK_DATA : TRAILER;
    body->line_bytes = 0;
    return true;
}

static bool take_size(struct http_body *body, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (body->line_bytes++ >= 15)
            return false;
        body->left = body->left << 4 | (uint64_t)digit;
        return true;
    }
    if (c == '\n')
        return end_chunk_line(body);
    if (body->line_bytes == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
        return false;
    body->state = CHUNK_EXTENSION;
    return true;
}

/* One byte of the framing between chunks. */
static bool take_framing(struct http_body *body, char c)
{
    switch ((enum body_state)body->state) {
    case CHUNK_SIZE:
        return take_size(body, c);
    case CHUNK_EXTENSION:
        return c == '\n' ? end_chunk_line(body) : body->line_bytes++ < CHUNK_LINE_LIMIT;
    case CHUNK_END:
        if (c == '\r')
            return body->line_bytes++ == 0;
        body->line_bytes = 0;
        body->state = CHUNK_SIZE;
        return c == '\n';
    case TRAILER:
        if (c == '\r')
            return true;
        if (c != '\n')
            return body->line_bytes++ < CHUNK_LINE_LIMIT;
        if (body->line_bytes == 0)
            body->state = BODY_END;
        body->line_bytes = 0;
        return true;
    case BODY_PLAIN:
    case CHUNK_DATA:
    case BODY_END:
        break;
    }
    return false;
}

enum http_result http_body_consume(struct http_body *body, const char *bytes, size_t length,
                                   size_t *used)
{
    *used = 0;
    for (;;) {
        if (body->state == BODY_PLAIN || body->state == CHUNK_DATA) {
            size_t taken = body->left < length - *used ? (size_t)body->left : length - *used;
            body->left -= taken;
            *used += taken;
            if (body->left == 0)
                body->state = body->state == CHUNK_DATA ? CHUNK_END : BODY_END;
        }
        if (body->state == BODY_END)
            return HTTP_DONE;
        if (*used == length)
            return HTTP_MORE;
        if (!take_framing(body, bytes[(*used)++]))
            return HTTP_BAD;
    }
}
