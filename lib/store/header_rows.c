/* Header fields, wire and TCP; see header_rows.h. Floor 2. */
#include "header_rows.h"

#include "row_statement.h"
#include "words.h"

enum { HEADER, WIRE, TCP, STATEMENTS };

/* clang-format off */
static const char *const statements[STATEMENTS] = {
    [HEADER] =
        "INSERT OR REPLACE INTO header (request_id, direction, ordinal, name_id, value) VALUES (?1, ?2, ?3, ?4, ?5)",
    [WIRE] =
        "INSERT OR REPLACE INTO wire (request_id, ordinal, direction, part, at_ns, length, kept, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [TCP] =
        "INSERT OR REPLACE INTO tcp_sample (request_id, at_ns, boundary, rtt_us, min_rtt_us, retransmits, unacked, unsent_bytes, window,"
        " delivery_rate, busy_us, receiver_limited_us, buffer_limited_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
};
/* clang-format on */

_Static_assert(sizeof statements / sizeof statements[0] ==
                   sizeof((np_header_rows *)0)->statement / sizeof(sqlite3_stmt *),
               "a place for each statement");

np_status np_header_rows_init(np_header_rows *rows, sqlite3 *db, np_texts *texts, np_error *err)
{
    *rows = (np_header_rows){.db = db, .texts = texts};
    return np_statements_prepare(db, statements, STATEMENTS, rows->statement, err);
}

void np_header_rows_done(np_header_rows *rows)
{
    np_statements_finalize(rows->statement, STATEMENTS);
}

static np_status write_piece(np_header_rows *rows, const np_assembly *assembly,
                             const np_seen_header *piece, int64_t row, np_error *err)
{
    sqlite3_stmt *s = rows->statement[WIRE];
    size_t length;
    const char *data = np_held_text(assembly, piece->value, &length);
    np_bind_int(s, 1, row);
    np_bind_int(s, 2, piece->ordinal);
    np_bind_int(s, 3, piece->direction);
    np_bind_int(s, 4, piece->part);
    np_bind_int(s, 5, np_assembly_unix(assembly, piece->at_ns));
    np_bind_int(s, 6, (int64_t)piece->length);
    np_bind_int(s, 7, (int64_t)piece->kept);
    (void)sqlite3_bind_blob(s, 8, data, (int)length, SQLITE_STATIC); /* as the texts above */
    return np_statement_run(rows->db, rows->statement[WIRE], err);
}

static np_status write_tcp(np_header_rows *rows, const np_seen_request *request, int64_t row,
                           np_error *err)
{
    enum { US_A_MS = 1000, BYTES_A_RATE = 1000 };
    sqlite3_stmt *s = rows->statement[TCP];
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
        np_bind_int(s, 1, row);
        np_bind_int(s, 2, (int64_t)(tcp->time_ns - request->cut.start_ns));
        for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++)
            np_bind_int(s, 3 + i, values[i]);
        const np_status status = np_statement_run(rows->db, rows->statement[TCP], err);
        if (status)
            return status;
    }
    return NP_OK;
}

static np_status write_headers(np_header_rows *rows, np_assembly *assembly,
                               const np_seen_request *request, int64_t row, np_error *err)
{
    sqlite3_stmt *s = rows->statement[HEADER];
    for (const np_seen_header *header = request->first_header; header; header = header->next) {
        int64_t name;
        size_t length;
        if (header->is_wire) {
            const np_status written = write_piece(rows, assembly, header, row, err);
            if (written)
                return written;
            continue;
        }
        const char *value = np_held_text(assembly, header->value, &length);
        np_status status = np_words_text(rows->texts, assembly, header->name, &name, err);
        if (status)
            return status;
        np_bind_int(s, 1, row);
        np_bind_int(s, 2, header->direction);
        np_bind_int(s, 3, header->ordinal);
        np_bind_int(s, 4, name);
        (void)sqlite3_bind_text(s, 5, value, (int)length, SQLITE_STATIC);
        status = np_statement_run(rows->db, rows->statement[HEADER], err);
        if (status)
            return status;
    }
    return NP_OK;
}

np_status np_header_rows_write(np_header_rows *rows, np_assembly *assembly,
                               const np_seen_request *request, int64_t row, np_error *err)
{
    const np_status status = request->tcp ? write_tcp(rows, request, row, err) : NP_OK;
    return status || !request->first_header ? status
                                            : write_headers(rows, assembly, request, row, err);
}
