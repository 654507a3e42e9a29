/*
 * What went over a connection, piece by piece, for `--detail wire`. Floor 2; loop thread only.
 *
 * A piece is what libcurl read or wrote at a time, behind TLS and before decompression: a header
 * block or a part of a body, up to NP_WIRE_KEPT bytes of it. Header blocks are redacted line by
 * line before they become an event; bodies are kept as they are. Of HTTP/2 libcurl shows header
 * blocks as text, not as frames. After NP_WIRE_MOST pieces of a hop the rest is only counted.
 */
#ifndef NP_NET_WIRE_H
#define NP_NET_WIRE_H

#include "engine_types.h"

enum { NP_WIRE_KEPT = 1024, NP_WIRE_MOST = 1024 };

static inline bool np_wire_is_kept(const np_engine *engine)
{
    return engine->producer && engine->producer->detail >= NP_DETAIL_WIRE;
}

/* From libcurl's debug callback, for every kind. */
void np_wire_take(np_transfer *transfer, curl_infotype type, const char *data, size_t length);
/* Before the hop's last event: what is not complete comes out, and the memory goes. */
void np_wire_end(np_transfer *transfer);

/* A header block as it is stored. `block` says where in one `data` begins and is brought forward;
 * `is_request`: the first line is a request line. Pure. */
typedef struct np_wire_block {
    bool is_inside; /* the first line has been seen */
    bool is_cut;    /* `data` begins in the middle of a line */
} np_wire_block;
void np_wire_redact(const np_redaction *rules, np_wire_block *block, bool is_request,
                    const char *data, size_t length, np_textbuf *out);

#endif
