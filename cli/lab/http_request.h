/*
 * HTTP/1.x requests: bytes to a request (RFC 9112). Pure functions; hostile bytes are expected.
 * Program netphase-lab.
 */
#ifndef LAB_HTTP_REQUEST_H
#define LAB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_LIMIT = 32 * 1024, HTTP_METHOD_SIZE = 24, HTTP_TARGET_SIZE = 2048 };

struct http_request {
    char method[HTTP_METHOD_SIZE];
    char target[HTTP_TARGET_SIZE]; /* as sent: visible ASCII, no blanks */
    int minor_version;             /* of HTTP/1 */
    bool keep_alive;
    bool expects_continue;
    bool is_chunked;
    uint64_t content_bytes; /* of a body that is not chunked; 0: none */
};

enum http_result {
    HTTP_MORE, /* it is not complete yet */
    HTTP_DONE,
    HTTP_BAD
};

/*
 * Reads the head of a request from the beginning of what was received so far.
 *
 * bytes    bytes[length]
 * request  [out] valid when DONE
 * used     [out] when DONE: bytes of the head, with the blank line
 * status   [out] when BAD: the HTTP status to refuse it with (400, 414, 417, 431, 501, 505)
 */
enum http_result http_request_parse(const char *bytes, size_t length, struct http_request *request,
                                    size_t *used, int *status);

/* The way through a request's body, which is only passed over. */
struct http_body {
    bool is_chunked;
    int state;           /* private */
    uint64_t left;       /* of the body or chunk */
    unsigned line_bytes; /* of the line of a chunk or trailer so far */
};

/* Prepares to pass over the body of `request`. */
void http_body_init(struct http_body *body, const struct http_request *request);

/*
 * Passes over body bytes.
 *
 * used  [out] bytes[0 … used) belong to the body; less than `length` only when DONE or BAD
 * returns DONE at the end of the body (at once when there is none)
 */
enum http_result http_body_consume(struct http_body *body, const char *bytes, size_t length,
                                   size_t *used);

#endif
