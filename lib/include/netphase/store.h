/**
 * Reading a trace: open, filter, page through rows, one request with everything it has.
 *
 * A store may be read while programs record into it. Every function reads from one snapshot a call.
 * A store is used by one thread at a time; np_store_interrupt alone may be called from another one.
 */
#ifndef NETPHASE_STORE_H
#define NETPHASE_STORE_H

#include <netphase/phase.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct np_store np_store;
typedef struct np_filter np_filter;

typedef struct np_store_options {
    size_t size;      /* sizeof(np_store_options); set by the initialiser */
    bool no_recovery; /* true: left-over rings are not brought in (they are where file and folder
                         can be written) */
    bool checked;     /* true: PRAGMA quick_check before anything is read */
} np_store_options;
#define NP_STORE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(np_store_options)                                                           \
    }

/**
 * Opens a trace for reading.
 *
 * @param options  NULL: all defaults
 * @param out      [out] owned: close with np_store_close
 * @return NP_E_INPUT: no such file, not a trace, a newer schema, damaged (`err` says which, and
 * what to do)
 *
 * The file is hostile until proven otherwise: trusted_schema off, defensive mode on, lengths
 * checked.
 */
NP_API np_status np_store_open(const char *path, const np_store_options *options, np_store **out,
                               np_error *err);
/** Closes a store; NULL is allowed. Filters and results made from it must have been freed. */
NP_API void np_store_close(np_store *store);
/** Makes the call that runs in another thread end with NP_E_CANCELED. No call running: nothing
 * happens. Any thread. */
NP_API void np_store_interrupt(np_store *store);

/** Returns the version of the SQLite that reads and writes traces, "3.40.1"; static text. Any
 * thread. */
NP_API const char *np_sqlite_version(void);

/* ------------------------------------------------------------------------------------------------------- info */

typedef struct np_run_info {
    int64_t id;
    const char *uuid, *state, *mode, *tool, *command, *labels /* JSON object */,
        *environment /* JSON object */;
    int64_t started_ns, ended_ns /* Unix ns; ended 0: still recording, or never closed */;
    int exit_status; /* -1: not known */
    uint64_t requests, failed, dropped;
} np_run_info;

typedef struct np_store_info {
    const char *path;
    int64_t file_bytes, page_size;
    int schema_version;
    uint64_t requests, failed, connections, spans, chunks,
        dropped;               /* requests are counted, not taken from the runs' counters */
    uint64_t unfinished;       /* rows of `running` */
    int64_t first_ns, last_ns; /* Unix ns of the first start and the last end; 0 when empty */
    const np_run_info *runs;   /* runs[run_count], by id */
    size_t run_count;
    uint64_t problems;         /* rows of the view `problems`; 0 unless checked */
    const char *first_problem; /* text, "" */
    const char *integrity;     /* "ok", or SQLite's first line; "" unless checked */
} np_store_info;

/**
 * Says what a trace holds.
 *
 * @param check  true: also integrity_check and the view `problems` (may take long)
 * @param out    [out] owned: free with np_store_info_free
 */
NP_API np_status np_store_info_get(np_store *store, bool check, np_store_info **out, np_error *err);
NP_API void np_store_info_free(np_store_info *info);

/**
 * Makes the derived parts (column chunks) anew from the rows.
 *
 * @return NP_E_OUTPUT when the file cannot be written
 */
NP_API np_status np_store_rebuild(const char *path, uint64_t *chunk_count, np_error *err);

/* ----------------------------------------------------------------------------------------------------- filters */

/** Where a --where expression is wrong: text[offset … offset + length), and the nearest right word
 * or "". */
typedef struct np_filter_mistake {
    size_t offset, length;
    char suggestion[64];
} np_filter_mistake;

/**
 * Parses a filter over the columns of the view `requests`, and label.KEY.
 *
 *     host = 'api.example' and (setup_ns > 50ms or status >= 500) and not url like '%/health%'
 *
 * A boolean column may stand alone (`failed`). A mistake is also: a text without quotes, a duration
 * for a column that does not end in _ns, a fraction. At most 256 conditions, 4,096 values, patterns
 * of 4,096 bytes, `not` and ( 64 deep.
 *
 * Operators = == != <> < <= > >= like, in (…), between … and … (also: not like, not in, not
 * between), is null, is not null, and, or, not; literals: 'text', numbers, durations with a unit,
 * true, false. Parsed and bound, never pasted into SQL.
 *
 * @param text     NUL-terminated, up to 16 KiB
 * @param out      [out] owned: free with np_filter_free
 * @param mistake  [out] filled on NP_E_ARGUMENT; may be NULL
 * @return NP_E_ARGUMENT, with one line in `err`
 *
 * Any thread.
 */
NP_API np_status np_filter_parse(const char *text, np_filter **out, np_filter_mistake *mistake,
                                 np_error *err);
NP_API void np_filter_free(np_filter *filter);
/** Prints the parsed filter in its normal form; returns the bytes it needs, like snprintf. */
NP_API size_t np_filter_text(const np_filter *filter, char *out, size_t size);

/* -------------------------------------------------------------------------------------------------------- rows */

/**
 * One request (one hop) as the view `requests` shows it. -1 in a `_ns`: the phase did not happen.
 * Texts are never NULL ("" where the view has NULL) and at most 65,536 bytes long. What is negative
 * in a damaged file counts as 0.
 */
typedef struct np_row {
    int64_t id, run_id, start_ns /* Unix ns */, total_ns, setup_ns;
    int64_t phase_ns[NP_PHASE_COUNT];    /* durations; -1: absent */
    int64_t phase_at_ns[NP_PHASE_COUNT]; /* begin since start_ns; -1: absent (and for gap) */
    int64_t caller_blocked_ns, send_application_ns, receive_application_ns,
        late_ns; /* -1: not known */
    int64_t hop_of /* 0: is hop 0 */, connection_id /* 0: none */, connection_use;
    int64_t sent_bytes, received_bytes; /* -1: not known */
    int hop, status /* 0: none came */, dns_queries, connect_attempts, web_status, error_code;
    uint32_t flags;
    bool failed, reused;
    const char *method, *url, *origin, *host, *path, *route, *outcome, *error, *error_layer,
        *protocol, *connection_state, *remote, *tls_version, *proxy;
    /* why this hop was made: "first", "redirect", "auth", "proxy_auth", "retry", "expect_failed" */
    const char *hop_reason;
} np_row;

typedef struct np_page {
    const np_row *rows; /* rows[count], in the order asked for */
    size_t count;
    bool at_end; /* no row follows in this direction */
} np_page;

typedef struct np_page_query {
    size_t size; /* sizeof(np_page_query); set by the initialiser */
    int64_t
        after_id; /* the page begins behind this id; 0: at the very beginning (or end, backwards) */
    bool backwards;          /* descending ids */
    uint32_t limit;          /* 1 … 4,096; 0: 60 */
    int64_t run_id;          /* 0: every run */
    const np_filter *filter; /* borrowed for the call; NULL: none */
} np_page_query;
#define NP_PAGE_QUERY_INIT                                                                         \
    {                                                                                              \
        .size = sizeof(np_page_query)                                                              \
    }

/**
 * Reads a page of requests by key.
 *
 * @param out  [out] owned: free with np_page_free; rows and texts live as long as it
 * @return NP_E_INPUT when the file is damaged, NP_E_CANCELED after np_store_interrupt
 */
NP_API np_status np_store_page(np_store *store, const np_page_query *query, np_page **out,
                               np_error *err);
NP_API void np_page_free(np_page *page);

/**
 * Reads all hops of one call: redirects, authentication and retries are requests of their own.
 *
 * @param id   the row id of any of them
 * @param out  [out] owned: free with np_page_free; in the order of the hops, at most 4,096, of which
 * the first is the one the caller began (unless the file is damaged); empty when there is no such id
 * @return as np_store_page
 */
NP_API np_status np_store_call(np_store *store, int64_t id, np_page **out, np_error *err);

typedef struct np_span {
    int64_t id, parent_id /* 0: none */;
    int64_t start_ns;    /* since the request's start */
    int64_t duration_ns; /* -1: no end was seen */
    np_phase phase;
    const char *kind, *name, *outcome;
    const char *detail; /* JSON object or "" */
} np_span;

typedef struct np_header {
    int direction; /* 0 request, 1 response, 2 informational, 3 trailer; of CONNECT: 4 to the proxy,
                      5 from it */
    const char *name, *value;
} np_header;

/** A piece of what went over the connection, where it was kept (NP_DETAIL_WIRE). */
typedef struct np_wire_piece {
    int direction;    /* 0 sent, 1 received */
    int part;         /* 0 header block (redacted), 1 body, 2: pieces that are only counted */
    int64_t start_ns; /* since the request's start */
    uint64_t length;  /* bytes of the whole */
    uint64_t kept;    /* bytes of it that `data` stands for; part 2: how many pieces */
    const unsigned char *data; /* data[data_length] */
    size_t data_length;        /* 0 … 1,024 */
} np_wire_piece;

typedef struct np_connection_info {
    int64_t id, opened_ns, ready_ns, closed_ns; /* Unix ns; 0: not yet, never */
    const char *origin, *remote, *local, *protocol, *new_because, *tls_version, *tls_cipher, *alpn,
        *close_reason, *certificate;
    int tls_resumed; /* 0, 1; -1: no TLS */
    uint64_t requests;
} np_connection_info;

/** What TCP said about the connection. Sums count from the connection's begin. */
typedef struct np_tcp_sample {
    int64_t at_ns;  /* since the request's start */
    np_phase phase; /* that ended then, or went on */
    int64_t rtt_us, min_rtt_us;
    int64_t retransmits;   /* segments */
    int64_t unacked;       /* segments on their way */
    int64_t unsent_bytes;
    int64_t window;        /* bytes the peer was ready to take */
    int64_t delivery_rate; /* bytes a second */
    int64_t busy_us, receiver_limited_us, buffer_limited_us;
} np_tcp_sample;

/** One request with everything that belongs to it. */
typedef struct np_request_detail {
    np_row row;
    uint8_t boundary_source[NP_PHASE_COUNT]; /* `source` codes of the end of each phase */
    int64_t boundary_uncertainty_ns[NP_PHASE_COUNT];
    const np_span *spans; /* spans[span_count]: siblings in order of start, each followed by its
                             children. At most 10,000; a parent that is not among them is left out
                             (parent_id 0), circles in a damaged file are cut */
    size_t span_count;
    const np_header *headers;
    size_t header_count;
    const np_connection_info *connection; /* NULL: none was ever ready */
    const np_wire_piece *wire;            /* wire[wire_count], in order */
    size_t wire_count;
    const np_tcp_sample *tcp; /* tcp[tcp_count], in order of time; at most 1,000 */
    size_t tcp_count;
} np_request_detail;

/**
 * Reads one request.
 *
 * @param id   a row id; 0: the last request of the trace
 * @param out  [out] owned: free with np_request_detail_free
 * @return NP_E_ARGUMENT_RANGE when there is no such request (`err` names the ids there are)
 */
NP_API np_status np_store_request(np_store *store, int64_t id, np_request_detail **out,
                                  np_error *err);
NP_API void np_request_detail_free(np_request_detail *detail);

#ifdef __cplusplus
}
#endif
#endif
