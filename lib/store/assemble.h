/*
 * Events of one ring to requests, connections and spans in memory. Floor 2; one thread at a time;
 * no SQL.
 *
 * An np_assembly holds what is under way and what is ready to be written. Nothing that is ready is
 * given back before np_assembly_committed: a transaction that is rolled back can be written again
 * from the same memory. Texts stay where they are, in the ring, as long as their events are not
 * released; a request that outlives its events (it was spilled) gets copies.
 *
 *   ring position ->   tail ...... pin ............ read
 *                                  the oldest event that something unfinished still needs; the tail
 * may move up to it
 *
 * What is unfinished pins the ring: requests, connections whose set-up goes on, spans that belong
 * to no request. What pins too long is spilled: written as it is (`running`, a row of `connection`
 * or `span`) in the transaction that moves the tail.
 */
#ifndef NP_STORE_ASSEMBLE_H
#define NP_STORE_ASSEMBLE_H

#include "map.h"
#include "pack.h"
#include "phases.h"
#include "ring.h"
#include "slab.h"
#include <netphase/trace.h>

#define NP_SETUP_PHASES                                                                            \
    4 /* dns connect tunnel tls: what a connection's set-up is made of; they follow one another in \
         np_phase */
#define NP_HOP_SLOTS                                                                               \
    65536u /* requests that ended lately whose row ids are remembered for later hops */
#define NP_CLOCKS 16

/* A text of an event: a reference into the ring while `own` is NULL. */
typedef struct np_owned_text {
    uint32_t length;
    char text[];
} np_owned_text;
typedef struct np_held {
    np_text_ref ref;
    np_owned_text *own; /* malloc'd */
} np_held;

typedef enum np_pin_kind { NP_PIN_REQUEST, NP_PIN_CONNECTION, NP_PIN_ORPHAN } np_pin_kind;

/* First member of what can pin the ring; in a list by position. */
typedef struct np_pin {
    struct np_pin *previous, *next; /* NULL: pins nothing now */
    uint64_t position;
    uint64_t time_ns;
    np_pin_kind kind;
    bool spilling; /* in the transaction that is being written */
} np_pin;

typedef struct np_seen_span {
    struct np_seen_span *next;
    uint32_t number, parent, connection;
    uint8_t phase, kind, outcome;
    bool ended;
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    uint64_t held_ns;          /* the part of it that counts; 0: all of it */
    np_held name, detail;
} np_seen_span;

/* A span that belongs to no request that is under way. */
typedef struct np_seen_orphan {
    np_pin pin;
    np_seen_span span;
    struct np_seen_orphan *next_ready;
    bool ready, written; /* written: its row is committed, without an end so far */
    int64_t row_id;
} np_seen_orphan;

/* A header field, or a piece of the wire: then `value` is its data. */
typedef struct np_seen_header {
    struct np_seen_header *next;
    bool is_wire;
    uint8_t direction, part;
    uint32_t ordinal;
    uint64_t at_ns; /* of a piece; CLOCK_MONOTONIC */
    uint64_t length, kept;
    np_held name, value;
} np_seen_header;

/* A reading of TCP, as in the event. */
typedef struct np_seen_tcp {
    struct np_seen_tcp *next;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint64_t word[5];
} np_seen_tcp;

struct np_seen_request;

typedef struct np_seen_connection {
    np_pin pin;
    uint32_t number;
    uint32_t users;                /* requests that point here */
    struct np_seen_request *owner; /* the request that causes the set-up, while both go on */
    struct np_seen_connection *next_ready;
    bool ready; /* in the list of what is to be written */
    bool setup_ended, closed, written /* its row is committed */;
    uint8_t new_because, protocol;
    int8_t resumed, early_data; /* -1: no TLS was seen */
    uint32_t unlike;
    uint64_t opened_ns, ready_ns, closed_ns; /* CLOCK_MONOTONIC; 0: not seen */
    uint64_t requests;
    int64_t sent_bytes, received_bytes; /* -1: not known */
    int64_t setup_ns[NP_SETUP_PHASES];  /* -1: did not happen */
    np_held origin, proxy, remote, local, tls_version, cipher, alpn, certificate, reason;
    int64_t row_id, proxy_id; /* 0: none */
} np_seen_connection;

typedef struct np_seen_request {
    np_pin pin;
    struct np_seen_request *next; /* in the list of those that ended */
    struct np_seen_request *next_hop;
    uint32_t number;
    uint32_t hop_of; /* the producer's number of hop 0 */
    int64_t hop_row; /* its row, once it is committed; 0: not known yet */
    uint16_t hop;
    uint8_t hop_reason, purpose, proxy_source;
    bool spilled; /* `running` has a row of it */
    bool ended;   /* REQUEST_END was seen */
    np_held method, origin, path, error;
    np_held proxy;                  /* of the last PROXY event */
    bool proxy_seen;                /* there was one */
    np_seen_connection *connection; /* that it uses */
    np_seen_connection *setup;      /* that it causes, last one */
    uint32_t connection_use;
    int64_t attributed_ns[NP_SETUP_PHASES]; /* of its cut, to connections whose set-up ended */
    int64_t caller_ns;                      /* -1: not known */
    uint8_t outcome, web_status, layer, protocol;
    uint16_t status;
    int32_t error_code;
    uint32_t flags;
    int64_t received_bytes, sent_bytes; /* -1: not known */
    np_seen_span *first_span, *last_span;
    uint32_t span_count, query_count, attempt_count;
    np_seen_header *first_header, *last_header;
    np_seen_tcp *tcp; /* the latest first */
    bool late_told;   /* by events; otherwise its spans say it */
    uint64_t late_ns;
    np_cut cut;
    int64_t row_id;          /* in the transaction that is being written */
    uint64_t included;       /* recovery: its events before this position are in it already */
    np_textbuf packed;       /* of a spilled one: its events so far */
    size_t packed_committed; /* bytes of it that `running` has */
    uint64_t packed_last_ns, packed_last_committed_ns;
} np_seen_request;

typedef struct np_clock_reading {
    uint64_t mono_ns;
    int64_t unix_ns;
} np_clock_reading;

typedef struct np_hop_slot {
    uint32_t number;
    int64_t row_id;
} np_hop_slot;

/* A reference to a word and the rows it stands for; kept by the writer. */
typedef struct np_word_ids {
    np_text_ref ref; /* 0: empty */
    int64_t text_id, route_id, origin_id;
} np_word_ids;

typedef struct np_assembly {
    np_ring *ring; /* borrowed; NULL: a ring that is gone, texts come with the events */
    int64_t run_id, process_id;
    int64_t unix_minus_mono;
    np_detail detail;

    np_map requests, connections, orphans;
    np_slab request_slab, connection_slab, orphan_slab, span_slab, header_slab, tcp_slab;
    np_pin pins;           /* the list's own link */
    np_seen_request *last; /* of the event before */

    np_seen_request *first_ended, *last_ended;
    size_t ended_count;
    np_seen_connection *ready_connections;
    np_seen_orphan *ready_orphans, *last_ready_orphan;
    np_seen_request *hops; /* unfinished ones whose hop 0 has no known row */
    np_clock_reading clocks[NP_CLOCKS];
    size_t clock_count;
    np_hop_slot *hop_rows; /* hop_rows[NP_HOP_SLOTS] by number */

    uint64_t event_count;
    uint64_t newest_ns; /* the latest time of any event */
    uint64_t lost;      /* events for which there was no memory */

    np_map *stored; /* recovery: numbers of requests that are rows already; NULL: none */

    np_word_ids *words; /* words[word_mask + 1] */
    uint32_t word_mask, word_count, word_epoch;
    uint64_t word_secret; /* odd */
} np_assembly;

/* The texts of an event that comes from packed bytes. */
typedef struct np_inline_texts {
    const char *const *text;
    const size_t *length;
} np_inline_texts;

np_assembly *np_assembly_create(np_ring *ring, int64_t run_id, int64_t process_id,
                                int64_t unix_minus_mono, np_detail detail);
void np_assembly_free(np_assembly *assembly); /* NULL allowed */

static inline bool np_event_is_of_connection(const np_event *event)
{
    return event->type >= NP_EVENT_CONNECTION_OPEN && event->type <= NP_EVENT_CONNECTION_CLOSE;
}

/* Unix ns of a CLOCK_MONOTONIC time; wraps for hostile values, as unsigned numbers may. */
static inline int64_t np_assembly_unix(const np_assembly *assembly, uint64_t mono_ns)
{
    return (int64_t)(mono_ns + (uint64_t)assembly->unix_minus_mono);
}

/* The text of a held one; "" where there is none. Valid as long as its event is not released. */
const char *np_held_text(const np_assembly *assembly, np_held held, size_t *length);
/* The text in a word of an event: a reference, or a copy of what came with it. */
np_held np_held_take(const np_event *event, int word, const np_inline_texts *texts);
void np_held_drop(np_held *held);
/* Before the event goes, its text becomes our own. Words stay in the ring for ever. */
void np_held_keep(const np_assembly *assembly, np_held *held);

/* What is not finished holds the ring from `position` on. */
void np_pin_put(np_assembly *assembly, np_pin *pin, uint64_t position, uint64_t time_ns);
void np_pin_remove(np_pin *pin); /* nothing happens where it pins nothing */

/* Up to where the tail may move when everything that is ready has been written: `read` or the
 * oldest pin. */
uint64_t np_assembly_pin(const np_assembly *assembly, uint64_t read);

/* Is there anything to write? */
bool np_assembly_is_ready(const np_assembly *assembly);

/* A span without a request is to be written (again) in this transaction. */
void np_assembly_ready_orphan(np_assembly *assembly, np_seen_orphan *orphan);
/* A connection is to be written (again) in this transaction. */
void np_assembly_ready_connection(np_assembly *assembly, np_seen_connection *connection);
/* What its causing request has spent on it so far is taken over. */
void np_connection_attribute(np_seen_connection *connection, np_seen_request *request);

/* A connection whose row exists already; recovery. NULL: no memory. */
np_seen_connection *np_assembly_known_connection(np_assembly *assembly, uint32_t number,
                                                 int64_t row_id, int64_t proxy_id);

int64_t np_assembly_hop_row(const np_assembly *assembly, uint32_t number); /* 0: not known */
void np_assembly_set_hop_row(np_assembly *assembly, uint32_t number, int64_t row_id);
/* Later hops that are under way learn the row of their hop 0 before it is forgotten. */
void np_assembly_resolve_hops(np_assembly *assembly);
void np_assembly_forget_hop(np_assembly *assembly, const np_seen_request *request);

/* Give back what nothing needs any more. A request is not in the map by then. */
void np_assembly_free_connection(np_assembly *assembly, np_seen_connection *connection);
void np_assembly_free_orphan(np_assembly *assembly, np_seen_orphan *orphan);
void np_assembly_free_request(np_assembly *assembly, np_seen_request *request);
/* One user less; NULL allowed. */
void np_assembly_leave_connection(np_assembly *assembly, np_seen_connection *connection);
void np_connection_drop_texts(np_seen_connection *connection);

#endif
