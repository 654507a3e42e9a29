/*
 * Rows of finished requests, their spans and headers, connections, `running`, counters. Floor 2.
 * See writer.h.
 *
 * The cost of a warm request is one row of `request`, so nothing else is done for it: its texts are
 * words of the ring whose ids are remembered, and its row waits for others to go in with
 * (pending.h). What only some requests have is a row of `request_more`, written at once: its id is
 * known.
 *
 * Spans of a request are consecutive rows and know its id, so both ids are known before either row
 * is written: inside a write transaction no one else gives out ids.
 */
#include "writer.h"

#include "db.h"
#include "fail.h"
#include "feed.h"
#include "pending.h"
#include "sources.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define NP_HOT_COLUMNS(X) /* `request`, in the order of the table, where the id comes last */                                      \
    X(run_id) X(process_id) X(number) X(start_ns) X(total_ns) X(outcome) X(purpose) X(method_id) X(origin_id) X(path_id)     \
    X(route_id) X(status) X(protocol) X(connection_id) X(connection_use) X(queue_ns) X(send_ns) X(wait_ns) X(receive_ns) X(gap_ns) \
    X(send_at_ns) X(caller_blocked_ns) X(late_ns) X(received_bytes) X(flags)
#define NP_MORE_COLUMNS(X) /* `request_more` */                                                                                    \
    X(hop_of) X(hop) X(hop_reason) X(proxy_id) X(proxy_source) X(proxy_ns) X(dns_ns) X(connect_ns) X(tunnel_ns) X(tls_ns)          \
    X(proxy_at_ns) X(dns_at_ns) X(connect_at_ns) X(tunnel_at_ns) X(tls_at_ns) X(wait_at_ns) X(receive_at_ns)                       \
    X(send_application_ns) X(receive_application_ns) X(sent_bytes) X(dns_queries) X(connect_attempts) X(web_status) X(error_code)  \
    X(error_id) X(first_span) X(span_count)

enum request_column {
#define NP_ENUM(name) C_##name,
    NP_HOT_COLUMNS(NP_ENUM)
    C_HOT, /* how many `request` has; those of request_more follow */
    C_before_more = C_HOT - 1,
    NP_MORE_COLUMNS(NP_ENUM)
#undef NP_ENUM
    C_COUNT
};

#define NP_PENDING_TABLE "netphase_pending"

static const char *const statements[] = {
#define NP_NAME(name) #name ","
#define NP_MARK(name) "?,"
#define S_REQUEST 0
    "INSERT INTO request (" NP_HOT_COLUMNS(NP_NAME) "sources) SELECT * FROM " NP_PENDING_TABLE,
#define S_SPAN 1
    "INSERT INTO span (request_id, connection_id, run_id, parent_id, phase, kind, outcome, start_ns, duration_ns, name_id, detail)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
#define S_SPAN_END 2
    "UPDATE span SET outcome = ?2, duration_ns = ?3, detail = ?4 WHERE id = ?1",
#define S_HEADER 3
    "INSERT OR REPLACE INTO header (request_id, direction, ordinal, name_id, value) VALUES (?1, ?2, ?3, ?4, ?5)",
#define S_CONNECTION 4
    "INSERT INTO connection (run_id, process_id, number, opened_ns, ready_ns, closed_ns, dns_ns, connect_ns, tunnel_ns, tls_ns, remote, local,"
    " protocol, tls_version, tls_cipher, alpn, tls_resumed, early_data, certificate, requests, sent_bytes, received_bytes, close_reason,"
    " origin_id, proxy_id, new_because, unlike_id)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
#define S_CONNECTION_CHANGE 5 /* the same numbers; 24 is the row */
    "UPDATE connection SET ready_ns = coalesce(?5, ready_ns), closed_ns = coalesce(?6, closed_ns), dns_ns = coalesce(?7, dns_ns),"
    " connect_ns = coalesce(?8, connect_ns), tunnel_ns = coalesce(?9, tunnel_ns), tls_ns = coalesce(?10, tls_ns), remote = coalesce(?11, remote),"
    " local = coalesce(?12, local), protocol = coalesce(?13, protocol), tls_version = coalesce(?14, tls_version),"
    " tls_cipher = coalesce(?15, tls_cipher), alpn = coalesce(?16, alpn), tls_resumed = coalesce(?17, tls_resumed),"
    " early_data = coalesce(?18, early_data), certificate = coalesce(?19, certificate), requests = max(?20, requests),"
    " sent_bytes = coalesce(?21, sent_bytes), received_bytes = coalesce(?22, received_bytes), close_reason = coalesce(?23, close_reason)"
    " WHERE id = ?24",
#define S_RUNNING 6
    "INSERT OR REPLACE INTO running (process_id, number, run_id, start_ns, seen_ns, phase, method, url, hop_of, connection_id, events)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
#define S_RUNNING_END 7
    "DELETE FROM running WHERE process_id = ?1 AND number = ?2",
#define S_RING 8
    "UPDATE ring SET consumed = ?2, dropped = ?3, closed = ?4 WHERE id = ?1",
#define S_RUN 9
    "UPDATE run SET requests = requests + ?2, failed = failed + ?3, dropped = dropped + ?4 WHERE id = ?1",
#define S_CLOCK 10
    "INSERT OR IGNORE INTO clock (run_id, mono_ns, unix_ns) VALUES (?1, ?2, ?3)",
#define S_IDS 11
    "SELECT (SELECT coalesce(max(id), 0) FROM request), (SELECT coalesce(max(id), 0) FROM span)",
#define S_HOP 12
    "SELECT id FROM request WHERE process_id = ?1 AND number = ?2 ORDER BY id DESC LIMIT 1",
#define S_BEGIN 13
    "BEGIN IMMEDIATE",
#define S_COMMIT 14
    "COMMIT",
#define S_ROLLBACK 15
    "ROLLBACK",
#define S_MORE 16
    "INSERT INTO request_more (" NP_MORE_COLUMNS(NP_NAME) "error_layer, id) VALUES (" NP_MORE_COLUMNS(NP_MARK) "?, ?)",
#define S_WIRE 17
    "INSERT OR REPLACE INTO wire (request_id, ordinal, direction, part, at_ns, length, kept, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
#define S_TCP 18
    "INSERT OR REPLACE INTO tcp_sample (request_id, at_ns, boundary, rtt_us, min_rtt_us, retransmits, unacked, unsent_bytes, window,"
    " delivery_rate, busy_us, receiver_limited_us, buffer_limited_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
#define S_COUNT 19
#undef NP_NAME
#undef NP_MARK
};
/* clang-format on */
_Static_assert(sizeof statements / sizeof statements[0] == S_COUNT, "a number for each statement");

struct np_writer {
    sqlite3 *db;
    np_texts *texts;
    sqlite3_stmt *statement[S_COUNT];
    int64_t next_request, next_span; /* ids that the next rows get, in this transaction */
    np_feed feed;
    np_pending pending;               /* rows of `request` that are not written yet */
    int64_t value[C_COUNT];           /* of the row at hand … */
    uint64_t present;                 /* … bit a column: it is not NULL */
    const char *layer;                /* request_more.error_layer; NULL: none */
    uint64_t present_bit[NP_COLUMNS]; /* of np_columns; 0: a column that is never NULL */
    uint64_t last_hot, last_hot_present; /* see present_of_hot */
};

/* ---------------------------------------------------------------------------------------------------------- life time */

np_status np_writer_create(sqlite3 *db, np_writer **out, np_error *err)
{
    *out = NULL;
    np_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return np_fail(err, NP_E_NO_MEMORY, "no memory to write a trace");
    writer->db = db;
    np_status status = np_texts_create(db, &writer->texts, err);
    if (!status)
        status = np_feed_init(&writer->feed, db, err);
    for (int c = 0; c < NP_COLUMNS; c++)
        if (np_chunk_present_bit((np_chunk_column)c) >= 0)
            writer->present_bit[c] = UINT64_C(1) << np_chunk_present_bit((np_chunk_column)c);
    if (!status)
        status = np_pending_declare(db, NP_PENDING_TABLE, &writer->pending, C_HOT, err);
    for (int i = 0; i < S_COUNT && !status; i++)
        status = np_db_prepare(db, statements[i], &writer->statement[i], err);
    if (status) {
        np_writer_free(writer);
        return status;
    }
    *out = writer;
    return NP_OK;
}

void np_writer_free(np_writer *writer)
{
    if (!writer)
        return;
    for (int i = 0; i < S_COUNT; i++)
        (void)sqlite3_finalize(writer->statement[i]); /* repeats the failure of the last step */
    np_pending_retract(writer->db, NP_PENDING_TABLE);
    np_feed_done(&writer->feed);
    np_texts_free(writer->texts);
    free(writer);
}

/* ------------------------------------------------------------------------------------------------------------ binding */

/* A failed bind (no memory) leaves NULL, which the sums of `problems` would show in `request` and
 * NOT NULL refuses elsewhere; SQLite fails the step then as well. */
static void bind_int(sqlite3_stmt *statement, int parameter, int64_t value)
{
    (void)sqlite3_bind_int64(statement, parameter, value);
}

static void bind_or_null(sqlite3_stmt *statement, int parameter, bool present, int64_t value)
{
    if (present)
        (void)sqlite3_bind_int64(statement, parameter, value);
    else
        (void)sqlite3_bind_null(statement, parameter);
}

static void bind_held(sqlite3_stmt *statement, int parameter, const np_assembly *assembly,
                      np_held held)
{
    size_t length;
    const char *text = np_held_text(assembly, held, &length);
    if (length)
        (void)sqlite3_bind_text(statement, parameter, text, (int)length,
                                SQLITE_STATIC); /* it is stepped before the ring moves */
    else
        (void)sqlite3_bind_null(statement, parameter);
}

static np_status run_statement(np_writer *writer, int which, np_error *err)
{
    sqlite3_stmt *statement = writer->statement[which];
    const int rc = sqlite3_step(statement);
    const np_status status = rc == SQLITE_DONE || rc == SQLITE_ROW
                                 ? NP_OK
                                 : np_db_fail(err, writer->db, rc, 1, "a row cannot be written");
    (void)sqlite3_reset(statement); /* repeats the failure of the step */
    return status;
}

#define BIT(column) (UINT64_C(1) << (column))
_Static_assert(C_COUNT <= 64 && (int)C_HOT < (int)NP_PENDING_COLUMNS, "a bit a column");

static void set(np_writer *writer, enum request_column column, int64_t value)
{
    writer->value[column] = value;
    writer->present |= BIT(column);
}

static void begin_row(np_writer *writer)
{
    writer->present = 0;
    writer->layer = NULL;
}

static void set_if(np_writer *writer, enum request_column column, bool present, int64_t value)
{
    writer->value[column] = value;
    writer->present |= (uint64_t)present << column;
}

/* For a value of request_more that counts as 0 without its row. */
static void set_unless_0(np_writer *writer, enum request_column column, int64_t value)
{
    set_if(writer, column, value != 0, value);
}

static bool is_set(const np_writer *writer, enum request_column column)
{
    return writer->present >> column & 1;
}

/* Is there anything to say in request_more? */
static bool has_more(const np_writer *writer)
{
    return writer->present >> C_HOT || writer->layer;
}

/* -------------------------------------------------------------------------------------------------------- connections */

static int64_t unix_of(const np_assembly *assembly, uint64_t mono_ns)
{
    /* wraps for hostile values, as unsigned numbers may */
    return (int64_t)(mono_ns + (uint64_t)assembly->unix_minus_mono);
}

static int64_t connection_row(const np_assembly *assembly, uint32_t number)
{
    const np_seen_connection *connection = np_map_get(&assembly->connections, number);
    return connection ? connection->row_id : 0;
}

static np_status bind_new_connection(np_writer *writer, np_assembly *assembly,
                                     np_seen_connection *connection, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_CONNECTION];
    int64_t origin = 0;
    np_status status = np_words_origin(writer->texts, assembly, connection->origin, &origin, err);
    size_t length;
    (void)np_held_text(assembly, connection->proxy, &length);
    if (!status && length)
        status =
            np_words_text(writer->texts, assembly, connection->proxy, &connection->proxy_id, err);
    const int64_t unlike = connection_row(assembly, connection->unlike);
    bind_int(s, 1, assembly->run_id);
    bind_int(s, 2, assembly->process_id);
    bind_int(s, 3, connection->number);
    bind_int(s, 4, unix_of(assembly, connection->opened_ns));
    bind_int(s, 24, origin);
    bind_or_null(s, 25, connection->proxy_id != 0, connection->proxy_id);
    bind_int(s, 26, connection->new_because);
    bind_or_null(s, 27, unlike != 0, unlike);
    return status;
}

static void bind_connection(sqlite3_stmt *s, const np_assembly *assembly,
                            const np_seen_connection *connection)
{
    bind_or_null(s, 5, connection->ready_ns != 0, unix_of(assembly, connection->ready_ns));
    bind_or_null(s, 6, connection->closed_ns != 0, unix_of(assembly, connection->closed_ns));
    for (int i = 0; i < NP_SETUP_PHASES; i++)
        bind_or_null(s, 7 + i, connection->setup_ns[i] >= 0, connection->setup_ns[i]);
    bind_held(s, 11, assembly, connection->remote);
    bind_held(s, 12, assembly, connection->local);
    bind_or_null(s, 13, connection->protocol != NP_PROTOCOL_UNKNOWN, connection->protocol);
    bind_held(s, 14, assembly, connection->tls_version);
    bind_held(s, 15, assembly, connection->cipher);
    bind_held(s, 16, assembly, connection->alpn);
    bind_or_null(s, 17, connection->resumed >= 0, connection->resumed);
    bind_or_null(s, 18, connection->early_data >= 0, connection->early_data);
    bind_held(s, 19, assembly, connection->certificate);
    bind_int(s, 20, (int64_t)connection->requests);
    bind_or_null(s, 21, connection->sent_bytes >= 0, connection->sent_bytes);
    bind_or_null(s, 22, connection->received_bytes >= 0, connection->received_bytes);
    bind_held(s, 23, assembly, connection->reason);
}

static np_status write_connection(np_writer *writer, np_assembly *assembly,
                                  np_seen_connection *connection, np_error *err)
{
    if (connection->owner) /* its set-up phases so far; the rest comes when the request ends */
        np_connection_attribute(connection, connection->owner);
    if (connection->row_id) {
        bind_connection(writer->statement[S_CONNECTION_CHANGE], assembly, connection);
        bind_int(writer->statement[S_CONNECTION_CHANGE], 24, connection->row_id);
        return run_statement(writer, S_CONNECTION_CHANGE, err);
    }
    np_status status = bind_new_connection(writer, assembly, connection, err);
    if (status)
        return status;
    bind_connection(writer->statement[S_CONNECTION], assembly, connection);
    status = run_statement(writer, S_CONNECTION, err);
    if (!status)
        connection->row_id = sqlite3_last_insert_rowid(writer->db);
    return status;
}

/* A row that something written now refers to, also while the set-up goes on. */
static np_status need_connection(np_writer *writer, np_assembly *assembly,
                                 np_seen_connection *connection, np_error *err)
{
    if (!connection || connection->row_id)
        return NP_OK;
    np_assembly_ready_connection(assembly, connection);
    return write_connection(writer, assembly, connection, err);
}

/* -------------------------------------------------------------------------------------------------------------- spans */

typedef struct span_place {
    int64_t request_row; /* 0: belongs to no request */
    int64_t parent_row;  /* 0: none */
    int64_t *row;        /* [out] */
} span_place;

static np_status write_span(np_writer *writer, np_assembly *assembly, const np_seen_span *span,
                            span_place place, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_SPAN];
    int64_t name;
    np_seen_connection *connection = np_map_get(&assembly->connections, span->connection);
    np_status status = need_connection(writer, assembly, connection, err);
    if (!status)
        status = np_words_text(writer->texts, assembly, span->name, &name, err);
    if (status)
        return status;
    bind_or_null(s, 1, place.request_row != 0, place.request_row);
    bind_or_null(s, 2, connection != NULL, connection ? connection->row_id : 0);
    bind_int(s, 3, assembly->run_id);
    bind_or_null(s, 4, place.parent_row != 0, place.parent_row);
    bind_int(s, 5, span->phase);
    bind_int(s, 6, span->kind);
    bind_int(s, 7, span->outcome);
    bind_int(s, 8, unix_of(assembly, span->start_ns));
    bind_or_null(s, 9, span->ended, (int64_t)(span->end_ns - span->start_ns));
    bind_int(s, 10, name);
    bind_held(s, 11, assembly, span->detail);
    status = run_statement(writer, S_SPAN, err);
    *place.row = sqlite3_last_insert_rowid(writer->db);
    if (!status && *place.row != writer->next_span)
        return np_fail(err, NP_E_INPUT, "the ids of spans in the trace are used up or damaged");
    writer->next_span++;
    return status;
}

static int64_t parent_row(const np_seen_request *request, const np_seen_span *child,
                          int64_t first_row)
{
    int64_t row = first_row;
    for (const np_seen_span *span = request->first_span; child->parent && span;
         span = span->next, row++)
        if (span->number == child->parent)
            return row;
    return 0;
}

/* Has any phase more than one? */
static bool has_pieces(const np_cut *cut)
{
    return cut->piece_count > __builtin_popcount(cut->present);
}

/* Phases in several pieces: one span a piece, named after the phase. */
static np_status write_pieces(np_writer *writer, np_assembly *assembly,
                              const np_seen_request *request, int64_t row, np_error *err)
{
    const np_cut *cut = &request->cut;
    uint8_t pieces[NP_PHASE_COUNT] = {0};
    if (!has_pieces(cut))
        return NP_OK;
    for (int i = 0; i < cut->piece_count; i++)
        pieces[cut->piece[i].phase % NP_PHASE_COUNT]++;
    for (int i = 0; i < cut->piece_count; i++) {
        const np_cut_piece *piece = &cut->piece[i];
        if (pieces[piece->phase % NP_PHASE_COUNT] < 2 || piece->phase == NP_PHASE_GAP)
            continue;
        const char *phase = np_phase_name((np_phase)piece->phase);
        const size_t length = strlen(phase);
        int64_t name, written;
        np_status status = np_texts_id(writer->texts, phase, length, &name, err);
        if (status)
            return status;
        sqlite3_stmt *s = writer->statement[S_SPAN];
        bind_int(s, 1, row);
        bind_or_null(s, 2, false, 0);
        bind_int(s, 3, assembly->run_id);
        bind_or_null(s, 4, false, 0);
        bind_int(s, 5, piece->phase);
        bind_int(s, 6, NP_SPAN_PIECE);
        bind_int(s, 7, NP_SPAN_OK);
        bind_int(s, 8, unix_of(assembly, piece->start_ns));
        bind_int(s, 9, piece->duration_ns);
        bind_int(s, 10, name);
        bind_or_null(s, 11, false, 0);
        status = run_statement(writer, S_SPAN, err);
        written = sqlite3_last_insert_rowid(writer->db);
        if (!status && written != writer->next_span)
            status =
                np_fail(err, NP_E_INPUT, "the ids of spans in the trace are used up or damaged");
        if (status)
            return status;
        writer->next_span++;
    }
    return NP_OK;
}

static np_status write_spans(np_writer *writer, np_assembly *assembly,
                             const np_seen_request *request, int64_t row, np_error *err)
{
    const int64_t first = writer->next_span;
    for (const np_seen_span *span = request->first_span; span; span = span->next) {
        int64_t written;
        const np_status status =
            write_span(writer, assembly, span,
                       (span_place){row, parent_row(request, span, first), &written}, err);
        if (status)
            return status;
    }
    return assembly->detail == NP_DETAIL_PHASES ? NP_OK
                                                : write_pieces(writer, assembly, request, row, err);
}

static np_status write_piece(np_writer *writer, const np_assembly *assembly,
                             const np_seen_header *piece, int64_t row, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_WIRE];
    size_t length;
    const char *data = np_held_text(assembly, piece->value, &length);
    bind_int(s, 1, row);
    bind_int(s, 2, piece->ordinal);
    bind_int(s, 3, piece->direction);
    bind_int(s, 4, piece->part);
    bind_int(s, 5, unix_of(assembly, piece->at_ns));
    bind_int(s, 6, (int64_t)piece->length);
    bind_int(s, 7, (int64_t)piece->kept);
    (void)sqlite3_bind_blob(s, 8, data, (int)length, SQLITE_STATIC); /* as the texts above */
    return run_statement(writer, S_WIRE, err);
}

static np_status write_tcp(np_writer *writer, const np_seen_request *request, int64_t row,
                           np_error *err)
{
    enum { US_A_MS = 1000, BYTES_A_RATE = 1000 };
    sqlite3_stmt *s = writer->statement[S_TCP];
    for (const np_seen_tcp *tcp = request->tcp; tcp; tcp = tcp->next) {
        const uint64_t *w = tcp->word;
        const int64_t values[] = {(int64_t)(w[0] & 0xff),
                                  (int64_t)(w[0] >> 32),
                                  (int64_t)(w[1] & UINT32_MAX),
                                  (int64_t)(w[1] >> 32),
                                  (int64_t)(w[2] & UINT32_MAX),
                                  (int64_t)(w[2] >> 32),
                                  (int64_t)(w[3] & UINT32_MAX),
                                  (int64_t)(w[3] >> 32) * BYTES_A_RATE,
                                  (int64_t)(w[4] & 0xffffff) * US_A_MS,
                                  (int64_t)(w[4] >> 24 & 0xfffff) * US_A_MS,
                                  (int64_t)(w[4] >> 44) * US_A_MS};
        bind_int(s, 1, row);
        bind_int(s, 2, (int64_t)(tcp->time_ns - request->cut.start_ns));
        for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++)
            bind_int(s, 3 + i, values[i]);
        const np_status status = run_statement(writer, S_TCP, err);
        if (status)
            return status;
    }
    return NP_OK;
}

static np_status write_headers(np_writer *writer, np_assembly *assembly,
                               const np_seen_request *request, int64_t row, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_HEADER];
    for (const np_seen_header *header = request->first_header; header; header = header->next) {
        int64_t name;
        size_t length;
        if (header->is_wire) {
            const np_status written = write_piece(writer, assembly, header, row, err);
            if (written)
                return written;
            continue;
        }
        const char *value = np_held_text(assembly, header->value, &length);
        np_status status = np_words_text(writer->texts, assembly, header->name, &name, err);
        if (status)
            return status;
        bind_int(s, 1, row);
        bind_int(s, 2, header->direction);
        bind_int(s, 3, header->ordinal);
        bind_int(s, 4, name);
        (void)sqlite3_bind_text(s, 5, value, (int)length, SQLITE_STATIC);
        status = run_statement(writer, S_HEADER, err);
        if (status)
            return status;
    }
    return NP_OK;
}

static np_status write_orphan(np_writer *writer, np_assembly *assembly, np_seen_orphan *orphan,
                              np_error *err)
{
    if (!orphan->row_id) {
        const np_seen_orphan *parent = np_map_get(&assembly->orphans, orphan->span.parent);
        return write_span(writer, assembly, &orphan->span,
                          (span_place){0, parent ? parent->row_id : 0, &orphan->row_id}, err);
    }
    sqlite3_stmt *s = writer->statement[S_SPAN_END];
    bind_int(s, 1, orphan->row_id);
    bind_int(s, 2, orphan->span.outcome);
    bind_or_null(s, 3, orphan->span.ended, (int64_t)(orphan->span.end_ns - orphan->span.start_ns));
    bind_held(s, 4, assembly, orphan->span.detail);
    return run_statement(writer, S_SPAN_END, err);
}

/* ----------------------------------------------------------------------------------------------------------- requests */

/* Time of spans of one kind inside a phase: what the application or our own loop took of it. */
/* How long a span held: never more than it lasted, whatever the event said. */
static uint64_t held_of(const np_seen_span *span)
{
    const uint64_t lasted_ns = span->end_ns - span->start_ns;
    return span->held_ns && span->held_ns < lasted_ns ? span->held_ns : lasted_ns;
}

static int64_t sum_of_spans(const np_seen_request *request, uint8_t kind, uint32_t phases)
{
    int64_t sum = 0;
    for (const np_seen_span *span = request->first_span; span; span = span->next)
        if (span->kind == kind && span->ended && span->phase < NP_PHASE_COUNT &&
            (phases >> span->phase & 1))
            sum += (int64_t)held_of(span);
    return sum;
}

static bool is_present(const np_cut *cut, int phase)
{
    return cut->present >> phase & 1;
}

static void set_setup_phases(np_writer *writer, const np_cut *cut)
{
    for (int phase = NP_PHASE_PROXY; phase <= NP_PHASE_TLS; phase++) {
        if (!is_present(cut, phase))
            continue;
        const int column = phase - NP_PHASE_PROXY;
        set(writer, (enum request_column)(C_proxy_ns + column), cut->duration_ns[phase]);
        set(writer, (enum request_column)(C_proxy_at_ns + column), cut->at_ns[phase]);
    }
}

/* Where wait and receive begin is told only where it is not where the phase before them ends. */
static void set_begins(np_writer *writer, const np_cut *cut)
{
    const bool has_send = is_present(cut, NP_PHASE_SEND), has_wait = is_present(cut, NP_PHASE_WAIT);
    const int64_t wait_at_ns = cut->at_ns[NP_PHASE_WAIT];
    const int64_t receive_at_ns = cut->at_ns[NP_PHASE_RECEIVE];
    set_if(writer, C_send_at_ns, has_send, cut->at_ns[NP_PHASE_SEND]);
    if (has_wait &&
        !(has_send && wait_at_ns == cut->at_ns[NP_PHASE_SEND] + cut->duration_ns[NP_PHASE_SEND]))
        set(writer, C_wait_at_ns, wait_at_ns);
    if (is_present(cut, NP_PHASE_RECEIVE) &&
        !(has_wait && receive_at_ns == wait_at_ns + cut->duration_ns[NP_PHASE_WAIT]))
        set(writer, C_receive_at_ns, receive_at_ns);
}

static void set_phases(np_writer *writer, const np_cut *cut)
{
    const uint32_t setup = (1u << (NP_PHASE_TLS + 1)) - (1u << NP_PHASE_PROXY);
    set_if(writer, C_queue_ns, is_present(cut, NP_PHASE_QUEUE), cut->duration_ns[NP_PHASE_QUEUE]);
    if (cut->present & setup)
        set_setup_phases(writer, cut);
    for (int phase = NP_PHASE_SEND; phase <= NP_PHASE_RECEIVE; phase++)
        set_if(writer, (enum request_column)(C_send_ns + phase - NP_PHASE_SEND),
               is_present(cut, phase), cut->duration_ns[phase]);
    set(writer, C_gap_ns, cut->duration_ns[NP_PHASE_GAP]);
    set_begins(writer, cut);
}

/* What the spans say; where they were not kept nobody counted. */
static void set_parts_of_phases(np_writer *writer, const np_assembly *assembly,
                                const np_seen_request *request)
{
    const uint32_t waits = 1u << NP_PHASE_WAIT | 1u << NP_PHASE_RECEIVE;
    const bool known = assembly->detail != NP_DETAIL_PHASES;
    const bool waited = known && (request->cut.present & waits);
    if (request->late_told)
        set(writer, C_late_ns, (int64_t)request->late_ns);
    else
        set_if(writer, C_late_ns, waited,
               waited ? sum_of_spans(request, NP_SPAN_LATENESS, waits) : 0);
    if (!known || !request->first_span)
        return;
    if (is_present(&request->cut, NP_PHASE_SEND))
        set_unless_0(writer, C_send_application_ns,
                     sum_of_spans(request, NP_SPAN_APPLICATION, 1u << NP_PHASE_SEND));
    if (is_present(&request->cut, NP_PHASE_RECEIVE))
        set_unless_0(writer, C_receive_application_ns,
                     sum_of_spans(request, NP_SPAN_APPLICATION, 1u << NP_PHASE_RECEIVE));
    set_unless_0(writer, C_dns_queries, request->query_count);
    set_unless_0(writer, C_connect_attempts, request->attempt_count);
}

/* A row that waits has no sources until it is told some. */
static void set_sources(np_writer *writer, const np_cut *cut)
{
    np_pending_row *row = np_pending_next(&writer->pending);
    const uint32_t boundaries = cut->present & ((1u << NP_SOURCE_BYTES) - 1);
    bool usual = true;
    for (uint32_t left = boundaries; left; left &= left - 1) {
        const int phase = __builtin_ctz(left);
        usual = usual && cut->source[phase] == np_usual_source(0, phase);
    }
    row->blob_length = 0;
    if (usual)
        return;
    row->blob_length = NP_SOURCE_BYTES;
    for (int phase = 0; phase < NP_SOURCE_BYTES; phase++)
        row->blob[phase] = boundaries >> phase & 1 ? cut->source[phase] : 0;
}

static const char *layer_name(uint8_t layer)
{
    static const char *const names[] = {[NP_LAYER_CURL] = "curl",
                                        [NP_LAYER_DNS] = "dns",
                                        [NP_LAYER_OS] = "os",
                                        [NP_LAYER_TLS] = "tls"};
    return layer < sizeof names / sizeof names[0] ? names[layer] : NULL;
}

static np_status set_error(np_writer *writer, np_assembly *assembly, const np_seen_request *request,
                           np_error *err)
{
    size_t length;
    if (request->outcome == NP_OUTCOME_OK)
        return NP_OK;
    (void)np_held_text(assembly, request->error, &length);
    if (length) {
        int64_t error_id;
        const np_status status =
            np_words_text(writer->texts, assembly, request->error, &error_id, err);
        if (status)
            return status;
        set(writer, C_error_id, error_id);
    }
    if (request->ended) {
        set(writer, C_web_status, request->web_status);
        set(writer, C_error_code, request->error_code);
    }
    writer->layer = layer_name(request->layer);
    return NP_OK;
}

static np_status set_texts(np_writer *writer, np_assembly *assembly, const np_seen_request *request,
                           np_error *err)
{
    int64_t method, origin, path, route;
    np_status status = np_words_text(writer->texts, assembly, request->method, &method, err);
    if (!status)
        status = np_words_origin(writer->texts, assembly, request->origin, &origin, err);
    if (!status)
        status = np_words_path(writer->texts, assembly, request->path, &path, &route, err);
    if (status)
        return status;
    set(writer, C_method_id, method);
    set(writer, C_origin_id, origin);
    set(writer, C_path_id, path);
    set(writer, C_route_id, route);
    return NP_OK;
}

static np_status set_connection(np_writer *writer, np_assembly *assembly,
                                const np_seen_request *request, np_error *err)
{
    np_seen_connection *connection = request->connection;
    const bool ready =
        connection && (connection->ready_ns || (connection->written && connection->setup_ended));
    if (ready) {
        const np_status status = need_connection(writer, assembly, connection, err);
        if (status)
            return status;
    }
    set_if(writer, C_connection_id, ready, ready ? connection->row_id : 0);
    set_if(writer, C_connection_use, ready && request->connection_use != 0,
           request->connection_use);
    int64_t proxy = 0;
    if (request->proxy_seen) {
        size_t length;
        (void)np_held_text(assembly, request->proxy, &length);
        const np_status status =
            length == 0 ? NP_OK
                        : np_words_text(writer->texts, assembly, request->proxy, &proxy, err);
        if (status)
            return status;
    } else if (ready) {
        proxy = connection->proxy_id;
    }
    set_unless_0(writer, C_proxy_id, proxy);
    set_unless_0(writer, C_proxy_source, request->proxy_source);
    return NP_OK;
}

/* Writes what was collected; its rows get the ids they were promised. */
static np_status flush_pending(np_writer *writer, np_error *err)
{
    if (!writer->pending.count)
        return NP_OK;
    const np_status status = run_statement(writer, S_REQUEST, err);
    np_pending_clear(&writer->pending);
    if (!status && sqlite3_last_insert_rowid(writer->db) != writer->next_request - 1)
        return np_fail(err, NP_E_INPUT, "the ids of requests in the trace are used up or damaged");
    return status;
}

static np_status hop_row(np_writer *writer, const np_assembly *assembly,
                         const np_seen_request *request, int64_t *row, np_error *err)
{
    *row = request->hop_row  ? request->hop_row
           : request->hop_of ? np_assembly_hop_row(assembly, request->hop_of)
                             : 0;
    if (*row || !request->hop_of)
        return NP_OK;
    /* After a restart, or when very many ended in between. */
    np_status status = flush_pending(writer, err);
    if (status)
        return status;
    sqlite3_stmt *s = writer->statement[S_HOP];
    bind_int(s, 1, assembly->process_id);
    bind_int(s, 2, request->hop_of);
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *row = sqlite3_column_int64(s, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = np_db_fail(err, writer->db, rc, 1, "a hop cannot be found");
    (void)sqlite3_reset(s);
    return status;
}

static void set_rest(np_writer *writer, const np_assembly *assembly, const np_seen_request *request)
{
    const np_cut *cut = &request->cut;
    set(writer, C_run_id, assembly->run_id);
    set(writer, C_process_id, assembly->process_id);
    set(writer, C_number, request->number);
    set(writer, C_start_ns, unix_of(assembly, cut->start_ns));
    set(writer, C_total_ns, np_cut_total(cut));
    set_unless_0(writer, C_hop, request->hop);
    set_unless_0(writer, C_hop_reason, request->hop_reason);
    set(writer, C_purpose, request->purpose);
    set(writer, C_outcome, request->outcome);
    set_if(writer, C_status, request->status != 0, request->status);
    set_if(writer, C_protocol, request->protocol != 0, request->protocol);
    set_if(writer, C_caller_blocked_ns, request->caller_ns >= 0, request->caller_ns);
    set_if(writer, C_received_bytes, request->received_bytes >= 0, request->received_bytes);
    if (request->sent_bytes != (request->received_bytes >= 0 ? 0 : -1))
        set(writer, C_sent_bytes, request->sent_bytes);
    const uint32_t lost = request->packed.failed ? NP_FLAG_EVENTS_LOST : 0;
    const uint32_t counted = assembly->detail != NP_DETAIL_PHASES ? NP_FLAG_COUNTED : 0;
    set(writer, C_flags, request->flags | cut->flags | lost | counted);
}

/* What is 0, not NULL, without a row in request_more: the expressions of request_sql.h. */
static uint64_t present_without_row(const np_writer *writer)
{
    uint64_t present = 0;
    if (writer->value[C_flags] & NP_FLAG_COUNTED) {
        present |= writer->present_bit[NP_COLUMN_DNS_QUERIES];
        present |= writer->present_bit[NP_COLUMN_CONNECT_ATTEMPTS];
        if (is_set(writer, C_send_ns))
            present |= writer->present_bit[NP_COLUMN_SEND_APPLICATION];
        if (is_set(writer, C_receive_ns))
            present |= writer->present_bit[NP_COLUMN_RECEIVE_APPLICATION];
    }
    if (is_set(writer, C_received_bytes))
        present |= writer->present_bit[NP_COLUMN_SENT_BYTES];
    return present;
}

/* clang-format off */
struct place {
    uint8_t to, from;
};
static const struct place hot_places[] = {
    {NP_COLUMN_RUN, C_run_id}, {NP_COLUMN_START, C_start_ns}, {NP_COLUMN_TOTAL, C_total_ns},
    {NP_COLUMN_QUEUE, C_queue_ns}, {NP_COLUMN_SEND, C_send_ns}, {NP_COLUMN_WAIT, C_wait_ns}, {NP_COLUMN_RECEIVE, C_receive_ns},
    {NP_COLUMN_GAP, C_gap_ns}, {NP_COLUMN_CALLER_BLOCKED, C_caller_blocked_ns}, {NP_COLUMN_LATE, C_late_ns}, {NP_COLUMN_METHOD, C_method_id},
    {NP_COLUMN_ORIGIN, C_origin_id}, {NP_COLUMN_ROUTE, C_route_id}, {NP_COLUMN_PATH, C_path_id}, {NP_COLUMN_STATUS, C_status},
    {NP_COLUMN_PROTOCOL, C_protocol}, {NP_COLUMN_CONNECTION, C_connection_id}, {NP_COLUMN_CONNECTION_USE, C_connection_use},
    {NP_COLUMN_OUTCOME, C_outcome}, {NP_COLUMN_PURPOSE, C_purpose}, {NP_COLUMN_RECEIVED_BYTES, C_received_bytes}, {NP_COLUMN_FLAGS, C_flags},
};
static const struct place more_places[] = {
    {NP_COLUMN_PROXY, C_proxy_ns}, {NP_COLUMN_DNS, C_dns_ns}, {NP_COLUMN_CONNECT, C_connect_ns}, {NP_COLUMN_TUNNEL, C_tunnel_ns},
    {NP_COLUMN_TLS, C_tls_ns}, {NP_COLUMN_SEND_APPLICATION, C_send_application_ns}, {NP_COLUMN_RECEIVE_APPLICATION, C_receive_application_ns},
    {NP_COLUMN_PROXY_TEXT, C_proxy_id}, {NP_COLUMN_HOP_OF, C_hop_of}, {NP_COLUMN_SENT_BYTES, C_sent_bytes}, {NP_COLUMN_DNS_QUERIES, C_dns_queries},
    {NP_COLUMN_CONNECT_ATTEMPTS, C_connect_attempts}, {NP_COLUMN_WEB_STATUS, C_web_status},
};
/* clang-format on */
enum {
    HOT_PLACES = sizeof hot_places / sizeof hot_places[0],
    MORE_PLACES = sizeof more_places / sizeof more_places[0]
};
_Static_assert(HOT_PLACES + MORE_PLACES == NP_COLUMNS - 3,
               "all but id, present and tls_resumed");

/* The bits of what is set of `request`, as a chunk has them: the same for most rows in a row. */
static uint64_t present_of_hot(np_writer *writer)
{
    const uint64_t hot = writer->present & (BIT(C_HOT) - 1);
    if (hot == writer->last_hot)
        return writer->last_hot_present;
    writer->last_hot = hot;
    writer->last_hot_present = 0;
    for (size_t i = 0; i < HOT_PLACES; i++)
        if (hot >> hot_places[i].from & 1)
            writer->last_hot_present |= writer->present_bit[hot_places[i].to];
    return writer->last_hot_present;
}

/* The columns of a chunk that a row of request_more has something for. */
static uint64_t feed_more(np_writer *writer, uint32_t at)
{
    uint64_t present = 0;
    for (size_t i = 0; i < MORE_PLACES; i++) {
        const struct place place = more_places[i];
        if (!is_set(writer, (enum request_column)place.from))
            continue;
        writer->feed.columns.value[place.to][at] = writer->value[place.from];
        present |= writer->present_bit[place.to];
    }
    return present;
}

/* The row as the column chunk wants it: what was set, and what its connection knows. A column that
 * may be NULL means nothing where its bit is not set, so it is not cleared. */
static np_status feed_row(np_writer *writer, const np_seen_request *request, int64_t row,
                          np_error *err)
{
    static const uint8_t zeros[] = {NP_COLUMN_SEND_APPLICATION, NP_COLUMN_RECEIVE_APPLICATION,
                                    NP_COLUMN_SENT_BYTES, NP_COLUMN_DNS_QUERIES,
                                    NP_COLUMN_CONNECT_ATTEMPTS};
    np_columns *columns = &writer->feed.columns;
    const uint32_t at = np_feed_row(&writer->feed, row);
    uint64_t present = present_without_row(writer);
    for (size_t i = 0; i < sizeof zeros; i++)
        columns->value[zeros[i]][at] = 0;
    for (size_t i = 0; i < HOT_PLACES; i++)
        columns->value[hot_places[i].to][at] = writer->value[hot_places[i].from];
    present |= present_of_hot(writer);
    if (has_more(writer))
        present |= feed_more(writer, at);
    if (is_set(writer, C_sent_bytes) && writer->value[C_sent_bytes] < 0) {
        columns->value[NP_COLUMN_SENT_BYTES][at] = 0;
        present &= ~writer->present_bit[NP_COLUMN_SENT_BYTES];
    }
    const np_seen_connection *connection =
        is_set(writer, C_connection_id) ? request->connection : NULL;
    if (connection && connection->resumed >= 0) {
        columns->value[NP_COLUMN_TLS_RESUMED][at] = connection->resumed;
        present |= writer->present_bit[NP_COLUMN_TLS_RESUMED];
    }
    columns->value[NP_COLUMN_PRESENT][at] = (int64_t)present;
    return np_feed_filled(&writer->feed, err);
}

static np_status forget_running(np_writer *writer, const np_assembly *assembly,
                                const np_seen_request *request, np_error *err)
{
    bind_int(writer->statement[S_RUNNING_END], 1, assembly->process_id);
    bind_int(writer->statement[S_RUNNING_END], 2, request->number);
    return run_statement(writer, S_RUNNING_END, err);
}

/* The row of `request`, which is in writer->value; its id is next_request - 1. */
static np_status collect(np_writer *writer, np_error *err)
{
    np_pending_row *row = np_pending_next(&writer->pending);
    memcpy(row->value, writer->value, C_HOT * sizeof *row->value);
    row->nulls = ~(uint32_t)writer->present;
    writer->pending.count++;
    /* A chunk may be made from the rows in the file. */
    if (np_pending_is_full(&writer->pending) || np_feed_fills_with_next(&writer->feed))
        return flush_pending(writer, err);
    return NP_OK;
}

static np_status write_more(np_writer *writer, int64_t row, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_MORE];
    for (int column = C_HOT; column < C_COUNT; column++)
        bind_or_null(s, column - C_HOT + 1, is_set(writer, (enum request_column)column),
                     writer->value[column]);
    const int layer = C_COUNT - C_HOT + 1;
    if (writer->layer)
        (void)sqlite3_bind_text(s, layer, writer->layer, -1, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(s, layer);
    bind_int(s, layer + 1, row);
    return run_statement(writer, S_MORE, err);
}

/* The spans first: the row says where they are. */
static np_status write_request(np_writer *writer, np_assembly *assembly, np_seen_request *request,
                               np_error *err)
{
    const int64_t row = writer->next_request;
    const int64_t first_span = writer->next_span;
    int64_t hop;
    begin_row(writer);
    np_status status = set_texts(writer, assembly, request, err);
    if (!status)
        status = set_connection(writer, assembly, request, err);
    if (!status)
        status = set_error(writer, assembly, request, err);
    if (!status)
        status = hop_row(writer, assembly, request, &hop, err);
    if (!status && (request->first_span || has_pieces(&request->cut)))
        status = write_spans(writer, assembly, request, row, err);
    if (!status && request->tcp)
        status = write_tcp(writer, request, row, err);
    if (!status && request->first_header)
        status = write_headers(writer, assembly, request, row, err);
    if (!status && request->spilled)
        status = forget_running(writer, assembly, request, err);
    if (status)
        return status;
    set_rest(writer, assembly, request);
    set_phases(writer, &request->cut);
    set_parts_of_phases(writer, assembly, request);
    set_sources(writer, &request->cut);
    set_unless_0(writer, C_hop_of, hop);
    if (writer->next_span > first_span) {
        set(writer, C_first_span, first_span);
        set(writer, C_span_count, writer->next_span - first_span);
    }
    if (has_more(writer))
        status = write_more(writer, row, err);
    if (status)
        return status;
    request->row_id = row;
    writer->next_request++;
    np_assembly_set_hop_row(assembly, request->number, row);
    status = collect(writer, err);
    return status ? status : feed_row(writer, request, row, err);
}

/* ------------------------------------------------------------------------------------------------------------ running */

static np_status write_running(np_writer *writer, np_assembly *assembly, np_seen_request *request,
                               uint64_t read, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_RUNNING];
    np_textbuf url, blob;
    np_textbuf_init(&url, 2 * NP_RING_TEXT_MAX);
    np_textbuf_init(&blob, request->packed.max + 8);
    size_t length;
    const char *text = np_held_text(assembly, request->origin, &length);
    np_textbuf_add(&url, text, length);
    text = np_held_text(assembly, request->path, &length);
    np_textbuf_add(&url, text, length);
    char position[8];
    for (int i = 0; i < 8; i++)
        position[i] = (char)(read >> 8 * i);
    np_textbuf_add(&blob, position, sizeof position);
    np_textbuf_add(&blob, request->packed.text, request->packed.length);

    np_status status = need_connection(writer, assembly, request->connection, err);
    if (!status) {
        bind_int(s, 1, assembly->process_id);
        bind_int(s, 2, request->number);
        bind_int(s, 3, assembly->run_id);
        bind_int(s, 4, unix_of(assembly, request->cut.start_ns));
        bind_int(s, 5,
                 unix_of(assembly, assembly->newest_ns > request->cut.start_ns
                                       ? assembly->newest_ns
                                       : request->cut.start_ns));
        bind_int(s, 6, request->cut.open == NP_CUT_NONE ? NP_PHASE_GAP : request->cut.open);
        bind_held(s, 7, assembly, request->method);
        (void)sqlite3_bind_text(s, 8, url.text, (int)url.length, SQLITE_STATIC);
        bind_or_null(s, 9, request->hop_of != 0, request->hop_of);
        bind_or_null(s, 10, request->connection != NULL,
                     request->connection ? request->connection->row_id : 0);
        (void)sqlite3_bind_blob(s, 11, blob.text, (int)blob.length, SQLITE_STATIC);
        status = run_statement(writer, S_RUNNING, err);
        (void)sqlite3_clear_bindings(s); /* they point into what goes now */
    }
    np_textbuf_done(&url);
    np_textbuf_done(&blob);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- transactions */

/* Ids of a damaged or hostile file may be anything; one transaction never adds 2^32 rows. */
#define NP_LAST_ID (INT64_MAX - UINT32_MAX)

static int64_t next_id(int64_t last)
{
    return last < INT64_MAX ? last + 1 : last;
}

np_status np_writer_begin(np_writer *writer, np_error *err)
{
    np_status status = run_statement(writer, S_BEGIN, err);
    if (status)
        return status;
    sqlite3_stmt *s = writer->statement[S_IDS];
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        writer->next_request = next_id(sqlite3_column_int64(s, 0));
        writer->next_span = next_id(sqlite3_column_int64(s, 1));
    } else {
        status = np_db_fail(err, writer->db, rc, 1, "the last ids cannot be read");
    }
    (void)sqlite3_reset(s);
    if (!status && (writer->next_request < 1 || writer->next_request > NP_LAST_ID))
        status =
            np_fail(err, NP_E_INPUT, "the ids of requests in the trace are used up or damaged");
    return status ? status : np_feed_begin(&writer->feed, writer->next_request, err);
}

static np_status store_clocks(np_writer *writer, const np_assembly *assembly, np_error *err)
{
    np_status status = NP_OK;
    for (size_t i = 0; i < assembly->clock_count && !status; i++) {
        bind_int(writer->statement[S_CLOCK], 1, assembly->run_id);
        bind_int(writer->statement[S_CLOCK], 2, (int64_t)assembly->clocks[i].mono_ns);
        bind_int(writer->statement[S_CLOCK], 3, assembly->clocks[i].unix_ns);
        status = run_statement(writer, S_CLOCK, err);
    }
    return status;
}

np_status np_writer_store(np_writer *writer, np_assembly *assembly, uint64_t read,
                          np_written *written, np_error *err)
{
    np_status status = store_clocks(writer, assembly, err);
    for (np_seen_connection *c = assembly->ready_connections; c && !status; c = c->next_ready)
        status = write_connection(writer, assembly, c, err);
    for (np_seen_request *request = assembly->first_ended; request && !status;
         request = request->next) {
        status = write_request(writer, assembly, request, err);
        written->requests += request->purpose == 0;
        written->failed += request->purpose == 0 && request->outcome != NP_OUTCOME_OK;
    }
    for (np_seen_orphan *orphan = assembly->ready_orphans; orphan && !status;
         orphan = orphan->next_ready)
        status = write_orphan(writer, assembly, orphan, err);
    for (np_pin *pin = assembly->pins.next; pin != &assembly->pins && !status; pin = pin->next)
        if (pin->spilling && pin->kind == NP_PIN_REQUEST)
            status = write_running(writer, assembly, (np_seen_request *)pin, read, err);
    return status ? status : flush_pending(writer, err);
}

np_status np_writer_ring(np_writer *writer, int64_t ring_id, uint64_t consumed, uint64_t dropped,
                         bool closed, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_RING];
    bind_int(s, 1, ring_id);
    bind_int(s, 2, (int64_t)consumed);
    bind_int(s, 3, (int64_t)dropped);
    bind_int(s, 4, closed);
    return run_statement(writer, S_RING, err);
}

np_status np_writer_run(np_writer *writer, int64_t run_id, const np_written *written,
                        uint64_t dropped, np_error *err)
{
    sqlite3_stmt *s = writer->statement[S_RUN];
    bind_int(s, 1, run_id);
    bind_int(s, 2, (int64_t)written->requests);
    bind_int(s, 3, (int64_t)written->failed);
    bind_int(s, 4, (int64_t)dropped);
    return run_statement(writer, S_RUN, err);
}

np_status np_writer_commit(np_writer *writer, np_error *err)
{
    np_status status = np_feed_commit(&writer->feed, err);
    if (!status)
        status = run_statement(writer, S_COMMIT, err);
    return status;
}

void np_writer_rollback(np_writer *writer)
{
    (void)run_statement(writer, S_ROLLBACK,
                        NULL); /* SQLite may have rolled back by itself: then this one is refused */
    np_pending_clear(&writer->pending);
    np_texts_forget(writer->texts);
    np_feed_rolled_back(&writer->feed);
}
