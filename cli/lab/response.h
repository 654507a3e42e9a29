/*
 * What the origin answers to a request: head, body, and how the two are spread over time. A pure
 * function of the request. Program netphase-lab.
 *
 *   /                a small page
 *   /bytes/N         N bytes
 *   /drip/PARTS/MS   PARTS parts of 100 bytes, the first with the head, one every MS milliseconds
 *   /hdrgap/MS       half of the head, the rest MS later
 *   /early           103 at once, the page after the think time
 *   /redirect        302 to /
 *   /redirect/N      N hops of that kind
 *   /reset           the connection is reset instead of an answer
 *   /status/N        an answer with status N, 200 … 599
 */
#ifndef LAB_RESPONSE_H
#define LAB_RESPONSE_H

#include "http_request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONSE_HEAD_SIZE = 512, RESPONSE_PART_BYTES = 100 };

struct response {
    int status;
    char head[RESPONSE_HEAD_SIZE]; /* head[head_bytes] */
    size_t head_bytes;
    size_t head_first; /* 1 … head_bytes: what is sent first, the rest head_gap_ns later */
    uint64_t head_gap_ns;
    const char *text;    /* the body as static text, NULL: filler */
    uint64_t body_bytes; /* sent; 0 for HEAD */
    uint64_t part_bytes; /* not 0: the body goes in parts of this size, part_gap_ns apart */
    uint64_t part_gap_ns;
    bool is_early; /* 103 goes ahead */
    bool is_reset; /* nothing is answered */
    bool closes;   /* the connection ends with it */
};

/* Plans the answer to a request. */
void response_plan(const struct http_request *request, struct response *response);

/* The length of the page at "/". */
uint64_t response_page_bytes(void);

/* Plans the answer to bytes that are no request we take: `status` 400 … 505, then the connection
 * ends. */
void response_refuse(int status, struct response *response);

#endif
