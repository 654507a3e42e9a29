/* Rows of `span`; see span_rows.h. Floor 2. */
#include "span_rows.h"

#include "fail.h"
#include "row_statement.h"
#include "words.h"

#include <string.h>

enum { INSERT, END, STATEMENTS };

/* clang-format off */
static const char *const statements[STATEMENTS] = {
    [INSERT] =
        "INSERT INTO span (request_id, connection_id, run_id, parent_id, phase, kind, outcome, start_ns, duration_ns, name_id, detail)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [END] =
        "UPDATE span SET outcome = ?2, duration_ns = ?3, detail = ?4 WHERE id = ?1",
};
/* clang-format on */

_Static_assert(sizeof statements / sizeof statements[0] ==
                   sizeof((np_span_rows *)0)->statement / sizeof(sqlite3_stmt *),
               "a place for each statement");

np_status np_span_rows_init(np_span_rows *rows, sqlite3 *db, np_connection_rows *connections,
                            np_error *err)
{
    *rows = (np_span_rows){.db = db, .texts = connections->texts, .connections = connections};
    return np_statements_prepare(db, statements, STATEMENTS, rows->statement, err);
}

void np_span_rows_done(np_span_rows *rows)
{
    np_statements_finalize(rows->statement, STATEMENTS);
}

typedef struct span_place {
    int64_t request_row; /* 0: belongs to no request */
    int64_t parent_row;  /* 0: none */
    int64_t *row;        /* [out] */
} span_place;

static np_status write_span(np_span_rows *rows, np_assembly *assembly, const np_seen_span *span,
                            span_place place, np_error *err)
{
    sqlite3_stmt *s = rows->statement[INSERT];
    int64_t name;
    np_seen_connection *connection = np_map_get(&assembly->connections, span->connection);
    np_status status = np_connection_rows_need(rows->connections, assembly, connection, err);
    if (!status)
        status = np_words_text(rows->texts, assembly, span->name, &name, err);
    if (status)
        return status;
    np_bind_or_null(s, 1, place.request_row != 0, place.request_row);
    np_bind_or_null(s, 2, connection != NULL, connection ? connection->row_id : 0);
    np_bind_int(s, 3, assembly->run_id);
    np_bind_or_null(s, 4, place.parent_row != 0, place.parent_row);
    np_bind_int(s, 5, span->phase);
    np_bind_int(s, 6, span->kind);
    np_bind_int(s, 7, span->outcome);
    np_bind_int(s, 8, np_assembly_unix(assembly, span->start_ns));
    np_bind_or_null(s, 9, span->ended, (int64_t)(span->end_ns - span->start_ns));
    np_bind_int(s, 10, name);
    np_bind_held(s, 11, assembly, span->detail);
    status = np_statement_run(rows->db, rows->statement[INSERT], err);
    *place.row = sqlite3_last_insert_rowid(rows->db);
    if (!status && *place.row != rows->next)
        return np_fail(err, NP_E_INPUT, "the ids of spans in the trace are used up or damaged");
    rows->next++;
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
static np_status write_pieces(np_span_rows *rows, np_assembly *assembly,
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
        np_status status = np_texts_id(rows->texts, phase, length, &name, err);
        if (status)
            return status;
        sqlite3_stmt *s = rows->statement[INSERT];
        np_bind_int(s, 1, row);
        np_bind_or_null(s, 2, false, 0);
        np_bind_int(s, 3, assembly->run_id);
        np_bind_or_null(s, 4, false, 0);
        np_bind_int(s, 5, piece->phase);
        np_bind_int(s, 6, NP_SPAN_PIECE);
        np_bind_int(s, 7, NP_SPAN_OK);
        np_bind_int(s, 8, np_assembly_unix(assembly, piece->start_ns));
        np_bind_int(s, 9, piece->duration_ns);
        np_bind_int(s, 10, name);
        np_bind_or_null(s, 11, false, 0);
        status = np_statement_run(rows->db, rows->statement[INSERT], err);
        written = sqlite3_last_insert_rowid(rows->db);
        if (!status && written != rows->next)
            status =
                np_fail(err, NP_E_INPUT, "the ids of spans in the trace are used up or damaged");
        if (status)
            return status;
        rows->next++;
    }
    return NP_OK;
}

np_status np_span_rows_write(np_span_rows *rows, np_assembly *assembly,
                             const np_seen_request *request, int64_t row, np_error *err)
{
    const int64_t first = rows->next;
    for (const np_seen_span *span = request->first_span; span; span = span->next) {
        int64_t written;
        const np_status status =
            write_span(rows, assembly, span,
                       (span_place){row, parent_row(request, span, first), &written}, err);
        if (status)
            return status;
    }
    return assembly->detail == NP_DETAIL_PHASES ? NP_OK
                                                : write_pieces(rows, assembly, request, row, err);
}

np_status np_span_rows_orphan(np_span_rows *rows, np_assembly *assembly, np_seen_orphan *orphan,
                              np_error *err)
{
    if (!orphan->row_id) {
        const np_seen_orphan *parent = np_map_get(&assembly->orphans, orphan->span.parent);
        return write_span(rows, assembly, &orphan->span,
                          (span_place){0, parent ? parent->row_id : 0, &orphan->row_id}, err);
    }
    sqlite3_stmt *s = rows->statement[END];
    np_bind_int(s, 1, orphan->row_id);
    np_bind_int(s, 2, orphan->span.outcome);
    np_bind_or_null(s, 3, orphan->span.ended,
                    (int64_t)(orphan->span.end_ns - orphan->span.start_ns));
    np_bind_held(s, 4, assembly, orphan->span.detail);
    return np_statement_run(rows->db, rows->statement[END], err);
}
