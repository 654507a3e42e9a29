/* Rows of `request` and `request_more`; see request_rows.h. Floor 2. */
#include "request_rows.h"

#include "db.h"
#include "fail.h"
#include "row_statement.h"
#include "sources.h"
#include "words.h"

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
/* clang-format on */
_Static_assert((int)C_COUNT == NP_REQUEST_ROW_COLUMNS, "a place for each column");

#define NP_PENDING_TABLE "netphase_pending"

enum { INSERT, MORE, HOP, STATEMENTS };

/* clang-format off */
#define NP_NAME(name) #name ","
#define NP_MARK(name) "?,"
static const char *const statements[STATEMENTS] = {
    [INSERT] =
        "INSERT INTO request (" NP_HOT_COLUMNS(NP_NAME) "sources) SELECT * FROM " NP_PENDING_TABLE,
    [MORE] =
        "INSERT INTO request_more (" NP_MORE_COLUMNS(NP_NAME) "error_layer, id) VALUES (" NP_MORE_COLUMNS(NP_MARK) "?, ?)",
    [HOP] =
        "SELECT id FROM request WHERE process_id = ?1 AND number = ?2 ORDER BY id DESC LIMIT 1",
};
#undef NP_NAME
#undef NP_MARK
/* clang-format on */

_Static_assert(sizeof statements / sizeof statements[0] ==
                   sizeof((np_request_rows *)0)->statement / sizeof(sqlite3_stmt *),
               "a place for each statement");

#define BIT(column) (UINT64_C(1) << (column))
_Static_assert(C_COUNT <= 64 && (int)C_HOT < (int)NP_PENDING_COLUMNS, "a bit a column");

static void set(np_request_rows *rows, enum request_column column, int64_t value)
{
    rows->value[column] = value;
    rows->present |= BIT(column);
}

static void begin_row(np_request_rows *rows)
{
    rows->present = 0;
    rows->layer = NULL;
}

static void set_if(np_request_rows *rows, enum request_column column, bool present, int64_t value)
{
    rows->value[column] = value;
    rows->present |= (uint64_t)present << column;
}

/* For a value of request_more that counts as 0 without its row. */
static void set_unless_0(np_request_rows *rows, enum request_column column, int64_t value)
{
    set_if(rows, column, value != 0, value);
}

static bool is_set(const np_request_rows *rows, enum request_column column)
{
    return rows->present >> column & 1;
}

/* Is there anything to say in request_more? */
static bool has_more(const np_request_rows *rows)
{
    return rows->present >> C_HOT || rows->layer;
}

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

static void set_setup_phases(np_request_rows *rows, const np_cut *cut)
{
    for (int phase = NP_PHASE_PROXY; phase <= NP_PHASE_TLS; phase++) {
        if (!is_present(cut, phase))
            continue;
        const int column = phase - NP_PHASE_PROXY;
        set(rows, (enum request_column)(C_proxy_ns + column), cut->duration_ns[phase]);
        set(rows, (enum request_column)(C_proxy_at_ns + column), cut->at_ns[phase]);
    }
}

/* Where wait and receive begin is told only where it is not where the phase before them ends. */
static void set_begins(np_request_rows *rows, const np_cut *cut)
{
    const bool has_send = is_present(cut, NP_PHASE_SEND), has_wait = is_present(cut, NP_PHASE_WAIT);
    const int64_t wait_at_ns = cut->at_ns[NP_PHASE_WAIT];
    const int64_t receive_at_ns = cut->at_ns[NP_PHASE_RECEIVE];
    set_if(rows, C_send_at_ns, has_send, cut->at_ns[NP_PHASE_SEND]);
    if (has_wait &&
        !(has_send && wait_at_ns == cut->at_ns[NP_PHASE_SEND] + cut->duration_ns[NP_PHASE_SEND]))
        set(rows, C_wait_at_ns, wait_at_ns);
    if (is_present(cut, NP_PHASE_RECEIVE) &&
        !(has_wait && receive_at_ns == wait_at_ns + cut->duration_ns[NP_PHASE_WAIT]))
        set(rows, C_receive_at_ns, receive_at_ns);
}

static void set_phases(np_request_rows *rows, const np_cut *cut)
{
    const uint32_t setup = (1u << (NP_PHASE_TLS + 1)) - (1u << NP_PHASE_PROXY);
    set_if(rows, C_queue_ns, is_present(cut, NP_PHASE_QUEUE), cut->duration_ns[NP_PHASE_QUEUE]);
    if (cut->present & setup)
        set_setup_phases(rows, cut);
    for (int phase = NP_PHASE_SEND; phase <= NP_PHASE_RECEIVE; phase++)
        set_if(rows, (enum request_column)(C_send_ns + phase - NP_PHASE_SEND),
               is_present(cut, phase), cut->duration_ns[phase]);
    set(rows, C_gap_ns, cut->duration_ns[NP_PHASE_GAP]);
    set_begins(rows, cut);
}

/* What the spans say; where they were not kept nobody counted. */
static void set_parts_of_phases(np_request_rows *rows, const np_assembly *assembly,
                                const np_seen_request *request)
{
    const uint32_t waits = 1u << NP_PHASE_WAIT | 1u << NP_PHASE_RECEIVE;
    const bool known = assembly->detail != NP_DETAIL_PHASES;
    const bool waited = known && (request->cut.present & waits);
    if (request->late_told)
        set(rows, C_late_ns, (int64_t)request->late_ns);
    else
        set_if(rows, C_late_ns, waited,
               waited ? sum_of_spans(request, NP_SPAN_LATENESS, waits) : 0);
    if (!known || !request->first_span)
        return;
    if (is_present(&request->cut, NP_PHASE_SEND))
        set_unless_0(rows, C_send_application_ns,
                     sum_of_spans(request, NP_SPAN_APPLICATION, 1u << NP_PHASE_SEND));
    if (is_present(&request->cut, NP_PHASE_RECEIVE))
        set_unless_0(rows, C_receive_application_ns,
                     sum_of_spans(request, NP_SPAN_APPLICATION, 1u << NP_PHASE_RECEIVE));
    set_unless_0(rows, C_dns_queries, request->query_count);
    set_unless_0(rows, C_connect_attempts, request->attempt_count);
}

/* A row that waits has no sources until it is told some. */
static void set_sources(np_request_rows *rows, const np_cut *cut)
{
    np_pending_row *row = np_pending_next(&rows->pending);
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

static np_status set_error(np_request_rows *rows, np_assembly *assembly,
                           const np_seen_request *request, np_error *err)
{
    size_t length;
    if (request->outcome == NP_OUTCOME_OK)
        return NP_OK;
    (void)np_held_text(assembly, request->error, &length);
    if (length) {
        int64_t error_id;
        const np_status status =
            np_words_text(rows->texts, assembly, request->error, &error_id, err);
        if (status)
            return status;
        set(rows, C_error_id, error_id);
    }
    if (request->ended) {
        set(rows, C_web_status, request->web_status);
        set(rows, C_error_code, request->error_code);
    }
    rows->layer = layer_name(request->layer);
    return NP_OK;
}

static np_status set_texts(np_request_rows *rows, np_assembly *assembly,
                           const np_seen_request *request, np_error *err)
{
    int64_t method, origin, path, route;
    np_status status = np_words_text(rows->texts, assembly, request->method, &method, err);
    if (!status)
        status = np_words_origin(rows->texts, assembly, request->origin, &origin, err);
    if (!status)
        status = np_words_path(rows->texts, assembly, request->path, &path, &route, err);
    if (status)
        return status;
    set(rows, C_method_id, method);
    set(rows, C_origin_id, origin);
    set(rows, C_path_id, path);
    set(rows, C_route_id, route);
    return NP_OK;
}

static np_status set_connection(np_request_rows *rows, np_assembly *assembly,
                                const np_seen_request *request, np_error *err)
{
    np_seen_connection *connection = request->connection;
    const bool ready =
        connection && (connection->ready_ns || (connection->written && connection->setup_ended));
    if (ready) {
        const np_status status =
            np_connection_rows_need(rows->connections, assembly, connection, err);
        if (status)
            return status;
    }
    set_if(rows, C_connection_id, ready, ready ? connection->row_id : 0);
    set_if(rows, C_connection_use, ready && request->connection_use != 0, request->connection_use);
    int64_t proxy = 0;
    if (request->proxy_seen) {
        size_t length;
        (void)np_held_text(assembly, request->proxy, &length);
        const np_status status =
            length == 0 ? NP_OK : np_words_text(rows->texts, assembly, request->proxy, &proxy, err);
        if (status)
            return status;
    } else if (ready) {
        proxy = connection->proxy_id;
    }
    set_unless_0(rows, C_proxy_id, proxy);
    set_unless_0(rows, C_proxy_source, request->proxy_source);
    return NP_OK;
}

/* Writes what was collected; its rows get the ids they were promised. */
np_status np_request_rows_flush(np_request_rows *rows, np_error *err)
{
    if (!rows->pending.count)
        return NP_OK;
    const np_status status = np_statement_run(rows->db, rows->statement[INSERT], err);
    np_pending_clear(&rows->pending);
    if (!status && sqlite3_last_insert_rowid(rows->db) != rows->next - 1)
        return np_fail(err, NP_E_INPUT, "the ids of requests in the trace are used up or damaged");
    return status;
}

static np_status hop_row(np_request_rows *rows, const np_assembly *assembly,
                         const np_seen_request *request, int64_t *row, np_error *err)
{
    *row = request->hop_row  ? request->hop_row
           : request->hop_of ? np_assembly_hop_row(assembly, request->hop_of)
                             : 0;
    if (*row || !request->hop_of)
        return NP_OK;
    /* After a restart, or when very many ended in between. */
    np_status status = np_request_rows_flush(rows, err);
    if (status)
        return status;
    sqlite3_stmt *s = rows->statement[HOP];
    np_bind_int(s, 1, assembly->process_id);
    np_bind_int(s, 2, request->hop_of);
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *row = sqlite3_column_int64(s, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = np_db_fail(err, rows->db, rc, 1, "a hop cannot be found");
    (void)sqlite3_reset(s);
    return status;
}

static void set_rest(np_request_rows *rows, const np_assembly *assembly,
                     const np_seen_request *request)
{
    const np_cut *cut = &request->cut;
    set(rows, C_run_id, assembly->run_id);
    set(rows, C_process_id, assembly->process_id);
    set(rows, C_number, request->number);
    set(rows, C_start_ns, np_assembly_unix(assembly, cut->start_ns));
    set(rows, C_total_ns, np_cut_total(cut));
    set_unless_0(rows, C_hop, request->hop);
    set_unless_0(rows, C_hop_reason, request->hop_reason);
    set(rows, C_purpose, request->purpose);
    set(rows, C_outcome, request->outcome);
    set_if(rows, C_status, request->status != 0, request->status);
    set_if(rows, C_protocol, request->protocol != 0, request->protocol);
    set_if(rows, C_caller_blocked_ns, request->caller_ns >= 0, request->caller_ns);
    set_if(rows, C_received_bytes, request->received_bytes >= 0, request->received_bytes);
    if (request->sent_bytes != (request->received_bytes >= 0 ? 0 : -1))
        set(rows, C_sent_bytes, request->sent_bytes);
    const uint32_t lost = request->packed.failed ? NP_FLAG_EVENTS_LOST : 0;
    const uint32_t counted = assembly->detail != NP_DETAIL_PHASES ? NP_FLAG_COUNTED : 0;
    set(rows, C_flags, request->flags | cut->flags | lost | counted);
}

/* What is 0, not NULL, without a row in request_more: the expressions of request_sql.h. */
static uint64_t present_without_row(const np_request_rows *rows)
{
    uint64_t present = 0;
    if (rows->value[C_flags] & NP_FLAG_COUNTED) {
        present |= rows->present_bit[NP_COLUMN_DNS_QUERIES];
        present |= rows->present_bit[NP_COLUMN_CONNECT_ATTEMPTS];
        if (is_set(rows, C_send_ns))
            present |= rows->present_bit[NP_COLUMN_SEND_APPLICATION];
        if (is_set(rows, C_receive_ns))
            present |= rows->present_bit[NP_COLUMN_RECEIVE_APPLICATION];
    }
    if (is_set(rows, C_received_bytes))
        present |= rows->present_bit[NP_COLUMN_SENT_BYTES];
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
_Static_assert(HOT_PLACES + MORE_PLACES == NP_COLUMNS - 3, "all but id, present and tls_resumed");

/* The bits of what is set of `request`, as a chunk has them: the same for most rows in a row. */
static uint64_t present_of_hot(np_request_rows *rows)
{
    const uint64_t hot = rows->present & (BIT(C_HOT) - 1);
    if (hot == rows->last_hot)
        return rows->last_hot_present;
    rows->last_hot = hot;
    rows->last_hot_present = 0;
    for (size_t i = 0; i < HOT_PLACES; i++)
        if (hot >> hot_places[i].from & 1)
            rows->last_hot_present |= rows->present_bit[hot_places[i].to];
    return rows->last_hot_present;
}

/* The columns of a chunk that a row of request_more has something for. */
static uint64_t feed_more(np_request_rows *rows, uint32_t at)
{
    uint64_t present = 0;
    for (size_t i = 0; i < MORE_PLACES; i++) {
        const struct place place = more_places[i];
        if (!is_set(rows, (enum request_column)place.from))
            continue;
        rows->feed.columns.value[place.to][at] = rows->value[place.from];
        present |= rows->present_bit[place.to];
    }
    return present;
}

/* The row as the column chunk wants it: what was set, and what its connection knows. A column that
 * may be NULL means nothing where its bit is not set, so it is not cleared. */
static np_status feed_row(np_request_rows *rows, const np_seen_request *request, int64_t row,
                          np_error *err)
{
    static const uint8_t zeros[] = {NP_COLUMN_SEND_APPLICATION, NP_COLUMN_RECEIVE_APPLICATION,
                                    NP_COLUMN_SENT_BYTES, NP_COLUMN_DNS_QUERIES,
                                    NP_COLUMN_CONNECT_ATTEMPTS};
    np_columns *columns = &rows->feed.columns;
    const uint32_t at = np_feed_row(&rows->feed, row);
    uint64_t present = present_without_row(rows);
    for (size_t i = 0; i < sizeof zeros; i++)
        columns->value[zeros[i]][at] = 0;
    for (size_t i = 0; i < HOT_PLACES; i++)
        columns->value[hot_places[i].to][at] = rows->value[hot_places[i].from];
    present |= present_of_hot(rows);
    if (has_more(rows))
        present |= feed_more(rows, at);
    if (is_set(rows, C_sent_bytes) && rows->value[C_sent_bytes] < 0) {
        columns->value[NP_COLUMN_SENT_BYTES][at] = 0;
        present &= ~rows->present_bit[NP_COLUMN_SENT_BYTES];
    }
    const np_seen_connection *connection =
        is_set(rows, C_connection_id) ? request->connection : NULL;
    if (connection && connection->resumed >= 0) {
        columns->value[NP_COLUMN_TLS_RESUMED][at] = connection->resumed;
        present |= rows->present_bit[NP_COLUMN_TLS_RESUMED];
    }
    columns->value[NP_COLUMN_PRESENT][at] = (int64_t)present;
    return np_feed_filled(&rows->feed, err);
}

/* The row of `request`, which is in rows->value; its id is next_request - 1. */
static np_status collect(np_request_rows *rows, np_error *err)
{
    np_pending_row *row = np_pending_next(&rows->pending);
    memcpy(row->value, rows->value, C_HOT * sizeof *row->value);
    row->nulls = ~(uint32_t)rows->present;
    rows->pending.count++;
    /* A chunk may be made from the rows in the file. */
    if (np_pending_is_full(&rows->pending) || np_feed_fills_with_next(&rows->feed))
        return np_request_rows_flush(rows, err);
    return NP_OK;
}

static np_status write_more(np_request_rows *rows, int64_t row, np_error *err)
{
    sqlite3_stmt *s = rows->statement[MORE];
    for (int column = C_HOT; column < C_COUNT; column++)
        np_bind_or_null(s, column - C_HOT + 1, is_set(rows, (enum request_column)column),
                        rows->value[column]);
    const int layer = C_COUNT - C_HOT + 1;
    if (rows->layer)
        (void)sqlite3_bind_text(s, layer, rows->layer, -1, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(s, layer);
    np_bind_int(s, layer + 1, row);
    return np_statement_run(rows->db, rows->statement[MORE], err);
}

/* ---------------------------------------------------------------------------------------------------------- life time */

np_status np_request_rows_init(np_request_rows *rows, sqlite3 *db, np_connection_rows *connections,
                               np_error *err)
{
    rows->db = db;
    rows->texts = connections->texts;
    rows->connections = connections;
    for (int c = 0; c < NP_COLUMNS; c++)
        if (np_chunk_present_bit((np_chunk_column)c) >= 0)
            rows->present_bit[c] = UINT64_C(1) << np_chunk_present_bit((np_chunk_column)c);
    np_status status = np_feed_init(&rows->feed, db, err);
    if (!status)
        status = np_pending_declare(db, NP_PENDING_TABLE, &rows->pending, C_HOT, err);
    return status ? status
                  : np_statements_prepare(db, statements, STATEMENTS, rows->statement, err);
}

void np_request_rows_done(np_request_rows *rows)
{
    np_statements_finalize(rows->statement, STATEMENTS);
    if (rows->db)
        np_pending_retract(rows->db, NP_PENDING_TABLE);
    np_feed_done(&rows->feed);
}

np_status np_request_rows_begin(np_request_rows *rows, int64_t next, np_error *err)
{
    rows->next = next;
    return np_feed_begin(&rows->feed, next, err);
}

np_status np_request_rows_commit(np_request_rows *rows, np_error *err)
{
    return np_feed_commit(&rows->feed, err);
}

void np_request_rows_rolled_back(np_request_rows *rows)
{
    np_pending_clear(&rows->pending);
    np_feed_rolled_back(&rows->feed);
}

/* -------------------------------------------------------------------------------------------------------------- a row */

np_status np_request_rows_write(np_request_rows *rows, np_assembly *assembly,
                                np_seen_request *request, np_span_range spans, np_error *err)
{
    const int64_t row = rows->next;
    int64_t hop;
    begin_row(rows);
    np_status status = set_texts(rows, assembly, request, err);
    if (!status)
        status = set_connection(rows, assembly, request, err);
    if (!status)
        status = set_error(rows, assembly, request, err);
    if (!status)
        status = hop_row(rows, assembly, request, &hop, err);
    if (status)
        return status;
    set_rest(rows, assembly, request);
    set_phases(rows, &request->cut);
    set_parts_of_phases(rows, assembly, request);
    set_sources(rows, &request->cut);
    set_unless_0(rows, C_hop_of, hop);
    if (spans.count) {
        set(rows, C_first_span, spans.first);
        set(rows, C_span_count, spans.count);
    }
    if (has_more(rows))
        status = write_more(rows, row, err);
    if (status)
        return status;
    request->row_id = row;
    rows->next++;
    np_assembly_set_hop_row(assembly, request->number, row);
    status = collect(rows, err);
    return status ? status : feed_row(rows, request, row, err);
}
