/*
 * One request with its spans, headers and connection; see <netphase/store.h>. Floor 2. One thread a
 * store.
 *
 * The order of spans is made here, whatever a file says about parents: a forest is walked from its
 * roots, siblings by start; what is then left hangs in circles, and each circle is cut at its
 * earliest span.
 */
#include "reader.h"

#include "db.h"
#include "fail.h"
#include "request_sql.h"

#include <stdlib.h>
#include <string.h>

#define SPANS_MAX        10000
#define WIRE_MAX         1025 /* pieces; more is not ours */
#define WIRE_BYTES_MAX   65536
#define HEADERS_MAX      10000
#define TCP_SAMPLES_MAX  1000
#define DETAIL_BYTES_MAX ((size_t)64 << 20) /* texts beyond it are left out */
#define NOBODY           SIZE_MAX

struct detail {
    np_request_detail detail;
    np_arena *arena;
};

void np_request_detail_free(np_request_detail *detail)
{
    if (detail)
        np_arena_free(((struct detail *)detail)->arena);
}

static np_status fail_memory(np_error *err)
{
    return np_fail(err, NP_E_NO_MEMORY, "no memory for a request");
}

/* Runs `sql` with up to three numbers bound. */
static np_status prepare(np_store *store, const char *sql, const int64_t *values, int count,
                         np_row_reader *reader, np_error *err)
{
    const np_status status = np_db_prepare(store->db, sql, &reader->statement, err);
    for (int i = 0; i < count && !status; i++)
        sqlite3_bind_int64(reader->statement, i + 1, values[i]);
    return status;
}

static np_status finish(np_store *store, int rc, np_row_reader *reader, np_error *err)
{
    np_status status = NP_OK;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = np_db_fail(err, store->db, rc, 0, "a request cannot be read");
    else if (reader->no_memory)
        status = fail_memory(err);
    (void)sqlite3_finalize(reader->statement); /* repeats the failure of the step */
    reader->statement = NULL;
    return status;
}

/* --------------------------------------------------------------------------------------------------------------- spans */

struct node {
    size_t parent, first_child, last_child, next; /* places in the sorted spans; NOBODY */
    bool is_out;
};

static int by_start(const void *a, const void *b)
{
    const np_span *x = a;
    const np_span *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

struct place {
    int64_t id;
    size_t at;
};

static int by_id(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static void link_nodes(const np_span *spans, size_t count, struct node *nodes, struct place *places)
{
    for (size_t i = 0; i < count; i++) {
        nodes[i] = (struct node){NOBODY, NOBODY, NOBODY, NOBODY, false};
        places[i] = (struct place){spans[i].id, i};
    }
    qsort(places, count, sizeof *places, by_id);
    for (size_t i = 0; i < count; i++) {
        const struct place wanted = {spans[i].parent_id, 0};
        const struct place *found =
            spans[i].parent_id ? bsearch(&wanted, places, count, sizeof *places, by_id) : NULL;
        if (!found || found->at == i)
            continue;
        struct node *parent = &nodes[found->at];
        nodes[i].parent = found->at;
        if (parent->last_child == NOBODY)
            parent->first_child = i;
        else
            nodes[parent->last_child].next = i;
        parent->last_child = i;
    }
}

/* The first of a node and its later siblings that is not out yet. */
static size_t waiting(const struct node *nodes, size_t at)
{
    while (at != NOBODY && nodes[at].is_out)
        at = nodes[at].next;
    return at;
}

/* Puts a root and all below it behind out[*used], a parent before its children. A way up is the way
   down that led here, so it ends at the root in circles too. */
static void walk(size_t root, const np_span *spans, struct node *nodes, np_span *out, size_t *used)
{
    size_t at = root;
    for (;;) {
        if (!nodes[at].is_out) {
            nodes[at].is_out = true;
            out[(*used)++] = spans[at];
        }
        size_t next = waiting(nodes, nodes[at].first_child);
        while (next == NOBODY && at != root) {
            next = waiting(nodes, nodes[at].next);
            at = nodes[at].parent;
        }
        if (next == NOBODY)
            return;
        at = next;
    }
}

static np_status order(np_span *spans, size_t count, np_arena *arena, np_span **out, np_error *err)
{
    struct node *nodes = calloc(count, sizeof *nodes);
    struct place *places = calloc(count, sizeof *places);
    *out = np_arena_alloc(arena, count * sizeof **out);
    size_t used = 0;
    const bool has_memory = nodes && places && *out;
    if (has_memory) {
        qsort(spans, count, sizeof *spans, by_start);
        link_nodes(spans, count, nodes, places);
        for (size_t i = 0; i < count; i++) {
            if (nodes[i].parent != NOBODY)
                continue;
            spans[i].parent_id = 0; /* it has none here */
            walk(i, spans, nodes, *out, &used);
        }
        for (size_t i = 0; i < count && used < count; i++) { /* circles */
            if (nodes[i].is_out)
                continue;
            spans[i].parent_id = 0;
            walk(i, spans, nodes, *out, &used);
        }
    }
    free(nodes);
    free(places);
    return has_memory ? NP_OK : fail_memory(err);
}

static const char span_sql[] =
    "SELECT s.id, s.parent_id, s.start_ns, s.duration_ns, s.phase, (SELECT name FROM code WHERE "
    "domain = 'span' AND code = s.kind), "
    "(SELECT value FROM text WHERE id = s.name_id), (SELECT name FROM code WHERE domain = "
    "'span_outcome' AND code = s.outcome), s.detail "
    "FROM span s WHERE s.id >= ?1 AND s.id < ?2 AND s.request_id = ?3 ORDER BY s.id";

static void read_span(np_row_reader *reader, int64_t start_ns, np_span *span)
{
    const int64_t phase = np_row_int(reader, 4, NP_PHASE_GAP);
    *span = (np_span){
        .id = np_row_int(reader, 0, 0),
        .parent_id = np_row_int(reader, 1, 0),
        .start_ns = np_subtract_saturated(np_row_int(reader, 2, 0), start_ns),
        .duration_ns = np_row_duration(reader, 3),
        .phase = phase >= 0 && phase < NP_PHASE_COUNT ? (np_phase)phase : NP_PHASE_GAP,
        .kind = np_row_text(reader, 5),
        .name = np_row_text(reader, 6),
        .outcome = np_row_text(reader, 7),
        .detail = reader->bytes < DETAIL_BYTES_MAX ? np_row_text(reader, 8) : "",
    };
}

static np_status read_spans(np_store *store, int64_t first, int64_t count, struct detail *d,
                            np_row_reader *reader, np_error *err)
{
    if (count <= 0)
        return NP_OK;
    if (count > SPANS_MAX)
        count = SPANS_MAX;
    np_span *spans = calloc((size_t)count, sizeof *spans);
    if (!spans)
        return fail_memory(err);
    const int64_t values[] = {first, np_add_saturated(first, count), d->detail.row.id};
    size_t used = 0;
    np_status status = prepare(store, span_sql, values, 3, reader, err);
    if (!status) {
        int rc;
        while ((rc = sqlite3_step(reader->statement)) == SQLITE_ROW && used < (size_t)count)
            read_span(reader, d->detail.row.start_ns, &spans[used++]);
        status = finish(store, rc, reader, err);
    }
    np_span *ordered = NULL;
    if (!status && used)
        status = order(spans, used, d->arena, &ordered, err);
    d->detail.spans = ordered;
    d->detail.span_count = ordered ? used : 0;
    free(spans);
    return status;
}

/* -------------------------------------------------------------------------------------------------- headers, connection */

static np_status read_headers(np_store *store, struct detail *d, np_row_reader *reader,
                              np_error *err)
{
    size_t capacity = 0;
    np_header *headers = NULL;
    np_status status = prepare(
        store,
        "SELECT h.direction, (SELECT value FROM text WHERE id = h.name_id), h.value FROM header h "
        "WHERE h.request_id = ?1 ORDER BY h.direction, h.ordinal",
        &d->detail.row.id, 1, reader, err);
    if (status)
        return status;
    int rc;
    while ((rc = sqlite3_step(reader->statement)) == SQLITE_ROW &&
           d->detail.header_count < HEADERS_MAX && reader->bytes < DETAIL_BYTES_MAX) {
        if (d->detail.header_count == capacity) {
            const size_t wider = capacity ? capacity * 2 : 32;
            np_header *more = np_arena_alloc(d->arena, wider * sizeof *more);
            if (!more) {
                reader->no_memory = true;
                break;
            }
            if (headers)
                memcpy(more, headers, capacity * sizeof *more);
            d->detail.headers = headers = more;
            capacity = wider;
        }
        headers[d->detail.header_count++] =
            (np_header){np_row_small(reader, 0, 0), np_row_text(reader, 1), np_row_text(reader, 2)};
    }
    return finish(store, rc, reader, err);
}

/* --------------------------------------------------------------------------------------------------------------- TCP */

static const char tcp_sql[] =
    "SELECT at_ns, boundary, rtt_us, min_rtt_us, retransmits, unacked, unsent_bytes, window, "
    "delivery_rate, busy_us, receiver_limited_us, buffer_limited_us FROM tcp_sample "
    "WHERE request_id = ?1 ORDER BY at_ns LIMIT ?2";

static void read_sample(np_row_reader *reader, np_tcp_sample *sample)
{
    int64_t *const values[] = {
        &sample->rtt_us,           &sample->min_rtt_us,   &sample->retransmits,
        &sample->unacked,          &sample->unsent_bytes, &sample->window,
        &sample->delivery_rate,    &sample->busy_us,      &sample->receiver_limited_us,
        &sample->buffer_limited_us};
    sample->at_ns = sqlite3_column_int64(reader->statement, 0);
    sample->phase = (np_phase)np_row_small(reader, 1, NP_PHASE_GAP);
    for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++) {
        const int64_t value = sqlite3_column_int64(reader->statement, 2 + i);
        *values[i] = value > 0 ? value : 0;
    }
}

static np_status read_tcp(np_store *store, struct detail *d, np_row_reader *reader, np_error *err)
{
    const int64_t values[] = {d->detail.row.id, TCP_SAMPLES_MAX};
    np_status status = prepare(store, tcp_sql, values, 2, reader, err);
    if (status)
        return status;
    np_tcp_sample *samples = NULL;
    int rc;
    while ((rc = sqlite3_step(reader->statement)) == SQLITE_ROW) {
        if (!samples)
            samples = np_arena_alloc(d->arena, TCP_SAMPLES_MAX * sizeof *samples);
        if (!samples) {
            reader->no_memory = true;
            break;
        }
        read_sample(reader, &samples[d->detail.tcp_count++]);
    }
    d->detail.tcp = samples;
    return finish(store, rc, reader, err);
}

static const char wire_sql[] =
    "SELECT direction, part, at_ns, length, kept, data FROM wire WHERE request_id = ?1 "
    "ORDER BY ordinal LIMIT ?2";

static bool read_piece(np_row_reader *reader, struct detail *d, np_wire_piece *piece)
{
    const int bytes = sqlite3_column_bytes(reader->statement, 5);
    const size_t length = bytes > 0 && bytes < WIRE_BYTES_MAX ? (size_t)bytes : 0;
    unsigned char *data = np_arena_alloc(d->arena, length + 1);
    if (!data)
        return false;
    if (length)
        memcpy(data, sqlite3_column_blob(reader->statement, 5), length);
    const int64_t whole = np_row_int(reader, 3, 0);
    const int64_t kept = np_row_int(reader, 4, 0);
    *piece = (np_wire_piece){
        .direction = np_row_int(reader, 0, 0) == 0 ? 0 : 1,
        .part = np_row_small(reader, 1, 0),
        .start_ns = np_subtract_saturated(np_row_int(reader, 2, 0), d->detail.row.start_ns),
        .length = whole > 0 ? (uint64_t)whole : 0,
        .kept = kept > 0 ? (uint64_t)kept : 0,
        .data = data,
        .data_length = length,
    };
    return true;
}

static np_status read_wire(np_store *store, struct detail *d, np_row_reader *reader, np_error *err)
{
    const int64_t values[] = {d->detail.row.id, WIRE_MAX};
    np_wire_piece *pieces = NULL;
    np_status status = prepare(store, wire_sql, values, 2, reader, err);
    if (status)
        return status;
    int rc;
    size_t capacity = 0;
    while ((rc = sqlite3_step(reader->statement)) == SQLITE_ROW) {
        if (d->detail.wire_count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            np_wire_piece *more = np_arena_alloc(d->arena, capacity * sizeof *more);
            if (more && pieces)
                memcpy(more, pieces, d->detail.wire_count * sizeof *more);
            d->detail.wire = pieces = more;
        }
        if (!pieces || !read_piece(reader, d, &pieces[d->detail.wire_count])) {
            d->detail.wire_count = 0;
            reader->no_memory = true;
            break;
        }
        d->detail.wire_count++;
    }
    return finish(store, rc, reader, err);
}

static const char connection_sql[] =
    "SELECT c.id, c.opened_ns, c.ready_ns, c.closed_ns, (SELECT scheme || '://' || host || ':' || "
    "port FROM origin WHERE id = c.origin_id), "
    "c.remote, c.local, (SELECT name FROM code WHERE domain = 'protocol' AND code = c.protocol), "
    "(SELECT name FROM code WHERE domain = 'new_because' AND code = c.new_because), c.tls_version, "
    "c.tls_cipher, c.alpn, c.close_reason, "
    "c.certificate, c.tls_resumed, c.requests FROM connection c WHERE c.id = ?1";

static np_status read_connection(np_store *store, struct detail *d, np_row_reader *reader,
                                 np_error *err)
{
    if (!d->detail.row.connection_id)
        return NP_OK;
    np_connection_info *info = np_arena_alloc(d->arena, sizeof *info);
    if (!info)
        return fail_memory(err);
    const np_status status =
        prepare(store, connection_sql, &d->detail.row.connection_id, 1, reader, err);
    if (status)
        return status;
    const int rc = sqlite3_step(reader->statement);
    if (rc == SQLITE_ROW) {
        const int64_t requests = np_row_int(reader, 15, 0);
        *info = (np_connection_info){
            .id = np_row_int(reader, 0, 0),
            .opened_ns = np_row_int(reader, 1, 0),
            .ready_ns = np_row_int(reader, 2, 0),
            .closed_ns = np_row_int(reader, 3, 0),
            .origin = np_row_text(reader, 4),
            .remote = np_row_text(reader, 5),
            .local = np_row_text(reader, 6),
            .protocol = np_row_text(reader, 7),
            .new_because = np_row_text(reader, 8),
            .tls_version = np_row_text(reader, 9),
            .tls_cipher = np_row_text(reader, 10),
            .alpn = np_row_text(reader, 11),
            .close_reason = np_row_text(reader, 12),
            .certificate = np_row_text(reader, 13),
            .tls_resumed = np_row_int(reader, 14, -1) < 0 ? -1 : np_row_int(reader, 14, 0) != 0,
            .requests = requests > 0 ? (uint64_t)requests : 0,
        };
        d->detail.connection = info;
    }
    return finish(store, rc, reader, err);
}

/* ------------------------------------------------------------------------------------------------------------- request */

/* first_span, span_count, and the sources of the boundaries: high half the source, low half u for
 * 4^u ns. */
static np_status read_boundaries(np_store *store, struct detail *d, int64_t *first_span,
                                 int64_t *span_count, np_row_reader *reader, np_error *err)
{
    np_status status = prepare(store,
                               "SELECT m.first_span, m.span_count, r.sources FROM " NP_SQL_REQUEST
                               " WHERE r.id = ?1",
                               &d->detail.row.id, 1, reader, err);
    if (status)
        return status;
    const int rc = sqlite3_step(reader->statement);
    if (rc == SQLITE_ROW) {
        *first_span = np_row_int(reader, 0, 0);
        *span_count = np_row_int(reader, 1, 0);
        const uint8_t *sources = sqlite3_column_blob(reader->statement, 2);
        const int length = sqlite3_column_bytes(reader->statement, 2);
        for (int i = 0; sources && i < length && i < NP_PHASE_COUNT; i++) {
            d->detail.boundary_source[i] = sources[i] >> 4;
            d->detail.boundary_uncertainty_ns[i] =
                sources[i] ? INT64_C(1) << 2 * (sources[i] & 15) : 0;
        }
    }
    return finish(store, rc, reader, err);
}

static np_status fail_no_such(np_store *store, int64_t id, np_error *err)
{
    int64_t first = 0;
    int64_t last = 0;
    np_status status = np_db_int(store->db, "SELECT min(id) FROM request", 0, &first, err);
    if (!status)
        status = np_db_int(store->db, "SELECT max(id) FROM request", 0, &last, err);
    if (status)
        return status;
    if (!last)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "%s has no requests yet", store->path);
    return np_fail(err, NP_E_ARGUMENT_RANGE, "there is no request %lld: ids go from %lld to %lld",
                   (long long)id, (long long)first, (long long)last);
}

static np_status read_row(np_store *store, int64_t id, struct detail *d, np_row_reader *reader,
                          np_error *err)
{
    np_status status = NP_OK;
    if (!id)
        status = np_db_int(store->db,
                           "SELECT id FROM request WHERE purpose = 0 ORDER BY id DESC LIMIT 1", 0,
                           &id, err);
    if (!status && !store->request)
        status = np_row_select("WHERE r.id = ?1", store->db, &store->request, err);
    if (status)
        return status;
    reader->statement = store->request;
    sqlite3_bind_int64(store->request, 1, id);
    const int rc = sqlite3_step(store->request);
    if (rc == SQLITE_ROW)
        np_row_read(reader, &d->detail.row);
    sqlite3_reset(store->request);
    reader->statement = NULL;
    if (rc == SQLITE_DONE)
        return fail_no_such(store, id, err);
    if (rc != SQLITE_ROW)
        return np_db_fail(err, store->db, rc, 0, "a request cannot be read");
    return reader->no_memory ? fail_memory(err) : NP_OK;
}

static np_status read_all(np_store *store, int64_t id, struct detail *d, np_error *err)
{
    np_row_reader reader = {.arena = d->arena};
    int64_t first_span = 0;
    int64_t span_count = 0;
    np_status status = read_row(store, id, d, &reader, err);
    if (!status)
        status = read_boundaries(store, d, &first_span, &span_count, &reader, err);
    if (!status)
        status = read_spans(store, first_span, span_count, d, &reader, err);
    if (!status)
        status = read_headers(store, d, &reader, err);
    if (!status)
        status = read_connection(store, d, &reader, err);
    if (!status)
        status = read_wire(store, d, &reader, err);
    if (!status)
        status = read_tcp(store, d, &reader, err);
    return status;
}

np_status np_store_request(np_store *store, int64_t id, np_request_detail **out, np_error *err)
{
    *out = NULL;
    np_arena *arena = np_arena_create();
    struct detail *d = arena ? np_arena_alloc(arena, sizeof *d) : NULL;
    if (!d) {
        np_arena_free(arena);
        return fail_memory(err);
    }
    d->arena = arena;
    np_status status = np_store_begin(store, err);
    if (!status)
        status = read_all(store, id, d, err);
    np_store_end(store);
    if (status) {
        np_arena_free(arena);
        return status;
    }
    *out = &d->detail;
    return NP_OK;
}
