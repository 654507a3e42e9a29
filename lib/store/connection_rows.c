/* Rows of `connection`; see connection_rows.h. Floor 2. */
#include "connection_rows.h"

#include "row_statement.h"
#include "words.h"

enum { INSERT, CHANGE, STATEMENTS };

/* clang-format off */
static const char *const statements[STATEMENTS] = {
    [INSERT] =
        "INSERT INTO connection (run_id, process_id, number, opened_ns, ready_ns, closed_ns, dns_ns, connect_ns, tunnel_ns, tls_ns, remote, local,"
        " protocol, tls_version, tls_cipher, alpn, tls_resumed, early_data, certificate, requests, sent_bytes, received_bytes, close_reason,"
        " origin_id, proxy_id, new_because, unlike_id)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
    [CHANGE] = /* the same numbers; 24 is the row */
        "UPDATE connection SET ready_ns = coalesce(?5, ready_ns), closed_ns = coalesce(?6, closed_ns), dns_ns = coalesce(?7, dns_ns),"
        " connect_ns = coalesce(?8, connect_ns), tunnel_ns = coalesce(?9, tunnel_ns), tls_ns = coalesce(?10, tls_ns), remote = coalesce(?11, remote),"
        " local = coalesce(?12, local), protocol = coalesce(?13, protocol), tls_version = coalesce(?14, tls_version),"
        " tls_cipher = coalesce(?15, tls_cipher), alpn = coalesce(?16, alpn), tls_resumed = coalesce(?17, tls_resumed),"
        " early_data = coalesce(?18, early_data), certificate = coalesce(?19, certificate), requests = max(?20, requests),"
        " sent_bytes = coalesce(?21, sent_bytes), received_bytes = coalesce(?22, received_bytes), close_reason = coalesce(?23, close_reason)"
        " WHERE id = ?24",
};
/* clang-format on */

_Static_assert(sizeof statements / sizeof statements[0] ==
                   sizeof((np_connection_rows *)0)->statement / sizeof(sqlite3_stmt *),
               "a place for each statement");

np_status np_connection_rows_init(np_connection_rows *rows, sqlite3 *db, np_texts *texts,
                                  np_error *err)
{
    *rows = (np_connection_rows){.db = db, .texts = texts};
    return np_statements_prepare(db, statements, STATEMENTS, rows->statement, err);
}

void np_connection_rows_done(np_connection_rows *rows)
{
    np_statements_finalize(rows->statement, STATEMENTS);
}

static int64_t connection_row(const np_assembly *assembly, uint32_t number)
{
    const np_seen_connection *connection = np_map_get(&assembly->connections, number);
    return connection ? connection->row_id : 0;
}

static np_status bind_new_connection(np_connection_rows *rows, np_assembly *assembly,
                                     np_seen_connection *connection, np_error *err)
{
    sqlite3_stmt *s = rows->statement[INSERT];
    int64_t origin = 0;
    np_status status = np_words_origin(rows->texts, assembly, connection->origin, &origin, err);
    size_t length;
    (void)np_held_text(assembly, connection->proxy, &length);
    if (!status && length)
        status =
            np_words_text(rows->texts, assembly, connection->proxy, &connection->proxy_id, err);
    const int64_t unlike = connection_row(assembly, connection->unlike);
    np_bind_int(s, 1, assembly->run_id);
    np_bind_int(s, 2, assembly->process_id);
    np_bind_int(s, 3, connection->number);
    np_bind_int(s, 4, np_assembly_unix(assembly, connection->opened_ns));
    np_bind_int(s, 24, origin);
    np_bind_or_null(s, 25, connection->proxy_id != 0, connection->proxy_id);
    np_bind_int(s, 26, connection->new_because);
    np_bind_or_null(s, 27, unlike != 0, unlike);
    return status;
}

static void bind_connection(sqlite3_stmt *s, const np_assembly *assembly,
                            const np_seen_connection *connection)
{
    np_bind_or_null(s, 5, connection->ready_ns != 0,
                    np_assembly_unix(assembly, connection->ready_ns));
    np_bind_or_null(s, 6, connection->closed_ns != 0,
                    np_assembly_unix(assembly, connection->closed_ns));
    for (int i = 0; i < NP_SETUP_PHASES; i++)
        np_bind_or_null(s, 7 + i, connection->setup_ns[i] >= 0, connection->setup_ns[i]);
    np_bind_held(s, 11, assembly, connection->remote);
    np_bind_held(s, 12, assembly, connection->local);
    np_bind_or_null(s, 13, connection->protocol != NP_PROTOCOL_UNKNOWN, connection->protocol);
    np_bind_held(s, 14, assembly, connection->tls_version);
    np_bind_held(s, 15, assembly, connection->cipher);
    np_bind_held(s, 16, assembly, connection->alpn);
    np_bind_or_null(s, 17, connection->resumed >= 0, connection->resumed);
    np_bind_or_null(s, 18, connection->early_data >= 0, connection->early_data);
    np_bind_held(s, 19, assembly, connection->certificate);
    np_bind_int(s, 20, (int64_t)connection->requests);
    np_bind_or_null(s, 21, connection->sent_bytes >= 0, connection->sent_bytes);
    np_bind_or_null(s, 22, connection->received_bytes >= 0, connection->received_bytes);
    np_bind_held(s, 23, assembly, connection->reason);
}

np_status np_connection_rows_write(np_connection_rows *rows, np_assembly *assembly,
                                   np_seen_connection *connection, np_error *err)
{
    if (connection->owner) /* its set-up phases so far; the rest comes when the request ends */
        np_connection_attribute(connection, connection->owner);
    if (connection->row_id) {
        bind_connection(rows->statement[CHANGE], assembly, connection);
        np_bind_int(rows->statement[CHANGE], 24, connection->row_id);
        return np_statement_run(rows->db, rows->statement[CHANGE], err);
    }
    np_status status = bind_new_connection(rows, assembly, connection, err);
    if (status)
        return status;
    bind_connection(rows->statement[INSERT], assembly, connection);
    status = np_statement_run(rows->db, rows->statement[INSERT], err);
    if (!status)
        connection->row_id = sqlite3_last_insert_rowid(rows->db);
    return status;
}

np_status np_connection_rows_need(np_connection_rows *rows, np_assembly *assembly,
                                  np_seen_connection *connection, np_error *err)
{
    if (!connection || connection->row_id)
        return NP_OK;
    np_assembly_ready_connection(assembly, connection);
    return np_connection_rows_write(rows, assembly, connection, err);
}
