/*
 * Opening a trace for reading, and pages of requests by key; see <netphase/store.h>. Floor 2. One
 * thread a store; np_store_interrupt from any.
 *
 * Pages read the tables, not the views, and address rows by id, so that any page costs the same
 * anywhere. What a file from someone else may say is bounded here: the length of texts, the bytes
 * of a page, numbers that do not fit.
 */
#include "reader.h"

#include "chunk.h"
#include "db.h"
#include "fail.h"
#include "request_sql.h"
#include "recover.h"
#include "textbuf.h"
#include "view_column.h"
#include "where.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_ROWS_DEFAULT 60
#define PAGE_ROWS_MAX     4096
#define PAGE_BYTES_MAX                                                                             \
    ((size_t)64 << 20) /* a page of monstrous texts ends early, and says that more follows */

/* ------------------------------------------------------------------------------------------------------------- values */

int64_t np_add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

int64_t np_subtract_saturated(int64_t a, int64_t b)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return difference;
}

void np_options_copy(void *to, size_t own_size, const void *from, size_t size)
{
    if (from)
        memcpy(to, from, size < own_size ? size : own_size);
}

/* How many of the first `length` bytes to keep so that no character of UTF-8 is cut. */
static size_t cut_at_character(const char *text, size_t length)
{
    if (length <= NP_TEXT_MAX)
        return length;
    length = NP_TEXT_MAX;
    for (int i = 0; i < 3 && length && ((unsigned char)text[length] & 0xc0) == 0x80; i++)
        length--;
    return length;
}

const char *np_row_text(np_row_reader *reader, int column)
{
    if (sqlite3_column_type(reader->statement, column) == SQLITE_NULL)
        return "";
    const char *text = (const char *)sqlite3_column_text(reader->statement, column);
    const size_t length =
        text ? cut_at_character(text, (size_t)sqlite3_column_bytes(reader->statement, column)) : 0;
    const char *copy = text ? np_arena_copy(reader->arena, text, length) : NULL;
    reader->bytes += length;
    reader->no_memory |= !copy;
    return copy ? copy : "";
}

int64_t np_row_int(const np_row_reader *reader, int column, int64_t none)
{
    return sqlite3_column_type(reader->statement, column) == SQLITE_NULL
               ? none
               : sqlite3_column_int64(reader->statement, column);
}

int np_row_small(const np_row_reader *reader, int column, int none)
{
    const int64_t value = np_row_int(reader, column, none);
    return value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

int64_t np_row_duration(const np_row_reader *reader, int column)
{
    const int64_t value = np_row_int(reader, column, -1);
    return value < 0 && sqlite3_column_type(reader->statement, column) != SQLITE_NULL ? 0 : value;
}

/* ---------------------------------------------------------------------------------------------------------------- row */

/* The list of a row's SELECT; np_row_read takes the values in this order. */
static const char numbers_sql[] =
    "r.id, r.run_id, r.start_ns, r.total_ns, r.queue_ns, m.proxy_ns, m.dns_ns, m.connect_ns, "
    "m.tunnel_ns, m.tls_ns, r.send_ns, r.wait_ns, r.receive_ns, r.gap_ns, "
    "CASE WHEN r.queue_ns IS NOT NULL THEN 0 END, m.proxy_at_ns, m.dns_at_ns, m.connect_at_ns, "
    "m.tunnel_at_ns, m.tls_at_ns, r.send_at_ns, " NP_SQL_WAIT_AT ", " NP_SQL_RECEIVE_AT ", "
    "r.caller_blocked_ns, " NP_SQL_SEND_APPLICATION ", " NP_SQL_RECEIVE_APPLICATION ", "
    "r.late_ns, m.hop_of, r.connection_id, r.connection_use, " NP_SQL_SENT_BYTES ", "
    "r.received_bytes, " NP_SQL_HOP ", r.status, " NP_SQL_DNS_QUERIES ", " NP_SQL_CONNECT_ATTEMPTS
    ", m.web_status, m.error_code, r.flags, r.outcome";

static const struct {
    const char *column;
    size_t offset;
} texts[] = {
    {"method",           offsetof(np_row, method)          },
    {"url",              offsetof(np_row, url)             },
    {"origin",           offsetof(np_row, origin)          },
    {"host",             offsetof(np_row, host)            },
    {"path",             offsetof(np_row, path)            },
    {"route",            offsetof(np_row, route)           },
    {"outcome",          offsetof(np_row, outcome)         },
    {"error",            offsetof(np_row, error)           },
    {"error_layer",      offsetof(np_row, error_layer)     },
    {"protocol",         offsetof(np_row, protocol)        },
    {"connection_state", offsetof(np_row, connection_state)},
    {"remote",           offsetof(np_row, remote)          },
    {"tls_version",      offsetof(np_row, tls_version)     },
    {"proxy",            offsetof(np_row, proxy)           },
    {"hop_reason",       offsetof(np_row, hop_reason)      },
};

np_status np_row_select(const char *end, sqlite3 *db, sqlite3_stmt **out, np_error *err)
{
    np_textbuf sql;
    np_textbuf_init(&sql, 1u << 20);
    np_textbuf_print(&sql, "SELECT %s", numbers_sql);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        np_textbuf_print(&sql, ", %s",
                         np_view_column_find(texts[i].column, strlen(texts[i].column))->sql);
    np_textbuf_print(&sql, " FROM " NP_SQL_REQUEST " %s", end);
    const np_status status = sql.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                                        : np_db_prepare(db, sql.text, out, err);
    np_textbuf_done(&sql);
    return status;
}

static void read_phases(const np_row_reader *reader, int *at, np_row *row)
{
    for (int p = 0; p < NP_PHASE_COUNT; p++)
        row->phase_ns[p] = np_row_duration(reader, (*at)++);
    for (int p = 0; p < NP_PHASE_GAP; p++) {
        const int64_t begin = np_row_duration(reader, (*at)++);
        row->phase_at_ns[p] = row->phase_ns[p] < 0 ? -1 : begin;
    }
    row->phase_at_ns[NP_PHASE_GAP] = -1;
    for (int p = NP_PHASE_QUEUE; p <= NP_PHASE_TLS; p++)
        if (row->phase_ns[p] > 0)
            row->setup_ns = np_add_saturated(row->setup_ns, row->phase_ns[p]);
}

void np_row_read(np_row_reader *reader, np_row *row)
{
    int at = 0;
    memset(row, 0, sizeof *row);
    row->id = np_row_int(reader, at++, 0);
    row->run_id = np_row_int(reader, at++, 0);
    row->start_ns = np_row_int(reader, at++, 0);
    row->total_ns = np_row_duration(reader, at++);
    read_phases(reader, &at, row);
    row->caller_blocked_ns = np_row_duration(reader, at++);
    row->send_application_ns = np_row_duration(reader, at++);
    row->receive_application_ns = np_row_duration(reader, at++);
    row->late_ns = np_row_duration(reader, at++);
    row->hop_of = np_row_int(reader, at++, 0);
    row->connection_id = np_row_int(reader, at++, 0);
    row->connection_use = np_row_int(reader, at++, 0);
    row->sent_bytes = np_row_duration(reader, at++);
    row->received_bytes = np_row_duration(reader, at++);
    row->hop = np_row_small(reader, at++, 0);
    row->status = np_row_small(reader, at++, 0);
    row->dns_queries = np_row_small(reader, at++, 0);
    row->connect_attempts = np_row_small(reader, at++, 0);
    row->web_status = np_row_small(reader, at++, 0);
    row->error_code = np_row_small(reader, at++, 0);
    row->flags = (uint32_t)np_row_int(reader, at++, 0);
    row->failed = np_row_int(reader, at++, 0) != 0;
    row->reused = row->connection_use > 1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *(const char **)((char *)row + texts[i].offset) = np_row_text(reader, at++);
}

/* ------------------------------------------------------------------------------------------------------- open and close */

/* A file that only we can make shorter may be mapped: a mapping of a file that someone cuts is
 * SIGBUS. */
static void map_where_safe(np_store *store)
{
    struct stat info;
    if (stat(store->path, &info) != 0 || info.st_uid != geteuid() ||
        (info.st_mode & (S_IWGRP | S_IWOTH)))
        return;
    char sql[64];
    (void)sqlite3_snprintf(sizeof sql, sql, "PRAGMA mmap_size = %lld",
                           (long long)info.st_size + (64 << 20));
    (void)np_db_exec(store->db, sql, NULL); /* only speed is lost */
}

static np_status quick_check(np_store *store, np_error *err)
{
    sqlite3_stmt *check;
    np_status status = np_db_prepare(store->db, "PRAGMA quick_check(1)", &check, err);
    if (status)
        return status;
    const int rc = sqlite3_step(check);
    const char *says = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(check, 0) : NULL;
    if (rc != SQLITE_ROW)
        status = np_db_fail(err, store->db, rc, 0, "it cannot be checked");
    else if (!says || strcmp(says, "ok") != 0)
        status = np_db_fail_damaged(err, store->path, SQLITE_CORRUPT, says);
    (void)sqlite3_finalize(check); /* repeats the failure of the step */
    return status;
}

np_status np_store_open(const char *path, const np_store_options *options, np_store **out,
                        np_error *err)
{
    *out = NULL;
    np_store_options chosen = NP_STORE_OPTIONS_INIT;
    np_options_copy(&chosen, sizeof chosen, options, options ? options->size : 0);
    if (!path)
        return np_fail(err, NP_E_ARGUMENT_NULL, "a trace needs a file name");
    np_store *store = calloc(1, sizeof *store);
    if (!store)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a store");
    atomic_init(&store->canceled, false);
    store->path = strdup(path);
    np_status status = store->path ? NP_OK : np_fail(err, NP_E_NO_MEMORY, "no memory for a store");
    if (!status)
        status = np_db_open(path, NP_DB_READ, 0, &store->db, err);
    if (!status && !chosen.no_recovery)
        status = np_recover_for_reading(path, store->db, NULL, err);
    if (!status)
        map_where_safe(store);
    if (!status && chosen.checked)
        status = quick_check(store, err);
    if (status) {
        np_store_close(store);
        return status;
    }
    *out = store;
    return NP_OK;
}

void np_store_close(np_store *store)
{
    if (!store)
        return;
    sqlite3_finalize(store->page[0]);
    sqlite3_finalize(store->page[1]);
    sqlite3_finalize(store->request);
    np_db_close(store->db);
    free(store->path);
    free(store);
}

void np_store_interrupt(np_store *store)
{
    atomic_store_explicit(&store->canceled, true,
                          memory_order_relaxed); /* a flag alone: nothing is handed over with it */
    sqlite3_interrupt(store->db);
}

np_status np_store_begin(np_store *store, np_error *err)
{
    atomic_store_explicit(
        &store->canceled, false,
        memory_order_relaxed); /* what came before this call was for another one */
    return np_db_exec(store->db, "BEGIN", err);
}

/* An interrupt can hit the COMMIT itself; it must not leave the snapshot open, or no later call
 * could take another one. */
void np_store_end(np_store *store)
{
    enum { TRIES = 1000 }; /* each costs somebody another interrupt */
    int rc = SQLITE_INTERRUPT;
    for (int i = 0; i < TRIES && rc == SQLITE_INTERRUPT && !sqlite3_get_autocommit(store->db); i++)
        rc = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL); /* nothing was written */
}

/* --------------------------------------------------------------------------------------------------------------- pages */

/* The page, and what it lives in. */
struct page {
    np_page page;
    np_arena *arena;
};

void np_page_free(np_page *page)
{
    if (page)
        np_arena_free(((struct page *)page)->arena);
}

static np_status page_statement(np_store *store, const np_page_query *query, sqlite3_stmt **out,
                                np_error *err)
{
    if (!query->filter && store->page[query->backwards]) {
        *out = store->page[query->backwards];
        return NP_OK;
    }
    np_textbuf end;
    np_textbuf_init(&end, 1u << 20);
    np_textbuf_print(&end, "WHERE r.id %s ?1 AND r.purpose = 0 AND (?2 = 0 OR r.run_id = ?2) AND ",
                     query->backwards ? "<" : ">");
    (void)np_filter_sql(query->filter, 4, &end);
    np_textbuf_print(&end, " ORDER BY r.id %s LIMIT ?3", query->backwards ? "DESC" : "ASC");
    np_status status = end.failed ? np_fail(err, NP_E_NO_MEMORY, "no memory for a statement")
                                  : np_row_select(end.text, store->db, out, err);
    np_textbuf_done(&end);
    if (!status && query->filter)
        status = np_filter_bind(query->filter, *out, 4, err);
    else if (!status)
        store->page[query->backwards] = *out;
    return status;
}

static np_status page_fill(np_store *store, sqlite3_stmt *statement, const np_page_query *query,
                           struct page *page, np_error *err)
{
    np_row *rows = np_arena_alloc(page->arena, query->limit * sizeof *rows);
    np_row_reader reader = {.statement = statement, .arena = page->arena};
    if (!rows)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    page->page.rows = rows;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (page->page.count == query->limit || reader.bytes > PAGE_BYTES_MAX)
            return NP_OK;
        np_row_read(&reader, &rows[page->page.count++]);
        if (reader.no_memory)
            return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    }
    page->page.at_end = true;
    return rc == SQLITE_DONE ? NP_OK
                             : np_db_fail(err, store->db, rc, 0, "a request cannot be read");
}

static np_status page_read(np_store *store, const np_page_query *query, struct page *page,
                           np_error *err)
{
    sqlite3_stmt *statement = NULL;
    np_status status = page_statement(store, query, &statement, err);
    if (!status) {
        sqlite3_bind_int64(statement, 1,
                           query->after_id || !query->backwards ? query->after_id : INT64_MAX);
        sqlite3_bind_int64(statement, 2, query->run_id);
        sqlite3_bind_int64(statement, 3,
                           (int64_t)query->limit + 1); /* one more, to know whether it is there */
        status = page_fill(store, statement, query, page, err);
    }
    if (query->filter)
        sqlite3_finalize(statement);
    else
        sqlite3_reset(statement);
    return status;
}

np_status np_store_page(np_store *store, const np_page_query *query, np_page **out, np_error *err)
{
    *out = NULL;
    np_page_query chosen = NP_PAGE_QUERY_INIT;
    np_options_copy(&chosen, sizeof chosen, query, query ? query->size : 0);
    if (chosen.limit > PAGE_ROWS_MAX)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "a page of %u rows was asked for; it may have 1 to %d", chosen.limit,
                       PAGE_ROWS_MAX);
    if (!chosen.limit)
        chosen.limit = PAGE_ROWS_DEFAULT;
    np_arena *arena = np_arena_create();
    struct page *page = arena ? np_arena_alloc(arena, sizeof *page) : NULL;
    if (!page) {
        np_arena_free(arena);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    }
    page->arena = arena;
    np_status status = np_store_begin(store, err);
    if (!status)
        status = page_read(store, &chosen, page, err);
    np_store_end(store);
    if (status) {
        np_arena_free(arena);
        return status;
    }
    *out = &page->page;
    return NP_OK;
}

/* The hops of one call: the first one and those that name it. Later hops are stored behind it. */
static const char call_sql[] =
    "WHERE r.id IN (WITH c(first) AS (SELECT coalesce((SELECT hop_of FROM request_more WHERE id = "
    "?1), ?1)) SELECT first FROM c UNION ALL SELECT later.id FROM c, request_more AS later WHERE "
    "later.hop_of = c.first AND later.id > c.first) ORDER BY " NP_SQL_HOP ", r.id LIMIT ?2";

static np_status call_read(np_store *store, int64_t id, struct page *page, np_error *err)
{
    const np_page_query query = {.limit = PAGE_ROWS_MAX};
    sqlite3_stmt *statement = NULL;
    np_status status = np_row_select(call_sql, store->db, &statement, err);
    if (!status) {
        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_int64(statement, 2, PAGE_ROWS_MAX + 1);
        status = page_fill(store, statement, &query, page, err);
    }
    sqlite3_finalize(statement);
    return status;
}

np_status np_store_call(np_store *store, int64_t id, np_page **out, np_error *err)
{
    *out = NULL;
    np_arena *arena = np_arena_create();
    struct page *page = arena ? np_arena_alloc(arena, sizeof *page) : NULL;
    if (!page) {
        np_arena_free(arena);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    }
    page->arena = arena;
    np_status status = np_store_begin(store, err);
    if (!status)
        status = call_read(store, id, page, err);
    np_store_end(store);
    if (status) {
        np_arena_free(arena);
        return status;
    }
    *out = &page->page;
    return NP_OK;
}

/* ------------------------------------------------------------------------------------------------------------- rebuild */

np_status np_store_rebuild(const char *path, uint64_t *chunk_count, np_error *err)
{
    sqlite3 *db = NULL;
    if (chunk_count)
        *chunk_count = 0;
    np_status status = np_db_open(path, NP_DB_READ, 0, &db,
                                  err); /* writing would make a file where there is none */
    np_db_close(db);
    db = NULL;
    if (!status)
        status = np_db_open(path, NP_DB_WRITE, 0, &db, err);
    if (!status)
        status = np_chunk_rebuild(db, chunk_count, err);
    np_db_close(db);
    return status;
}
