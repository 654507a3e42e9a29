/* What chunks decode to is what the rows say, column by column, for random traces with every
 * extreme. */
#include "trace_maker.h"

#include "chunk.h"
#include "scan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The columns once more, written down apart from chunk.c. */
static const char row_sql[] =
    "SELECT q.id, NULL, q.run_id, q.start_ns, q.total_ns, q.queue_ns, q.proxy_ns, q.dns_ns, "
    "q.connect_ns, q.tunnel_ns, q.tls_ns, q.send_ns, q.wait_ns, q.receive_ns, q.gap_ns, "
    "q.caller_blocked_ns, q.send_application_ns, q.receive_application_ns, q.late_ns, r.method_id, "
    "r.origin_id, r.route_id, r.path_id, q.status, r.protocol, q.connection_id, q.connection_use, "
    "(SELECT proxy_id FROM request_more m WHERE m.id = r.id), r.outcome, r.purpose, q.hop_of, "
    "q.sent_bytes, q.received_bytes, q.dns_queries, q.connect_attempts, q.flags, q.web_status, "
    "q.tls_resumed FROM requests q JOIN request r ON r.id = q.id ORDER BY q.id";

static uint64_t seed_of_this_run(void)
{
    const char *given = getenv("NP_SEED");
    return given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
}

static void compare_row(const np_columns *columns, uint32_t row, sqlite3_stmt *s, uint64_t seed)
{
    for (int c = 0; c < NP_COLUMNS; c++) {
        if (c == NP_COLUMN_PRESENT)
            continue;
        const bool has = np_columns_has(columns, np_chunk_present_bit((np_chunk_column)c), row);
        cr_assert_eq(has, sqlite3_column_type(s, c) != SQLITE_NULL,
                     "seed %llu: column %d of id %lld", (unsigned long long)seed, c,
                     sqlite3_column_int64(s, 0));
        if (has)
            cr_assert_eq(columns->value[c][row], sqlite3_column_int64(s, c),
                         "seed %llu: column %d of id %lld: %lld, not %lld",
                         (unsigned long long)seed, c, sqlite3_column_int64(s, 0),
                         (long long)columns->value[c][row], sqlite3_column_int64(s, c));
        if (has)
            cr_assert(!(columns->empty & NP_COLUMN_BIT(c)) &&
                      columns->value[c][row] >= columns->low[c] &&
                      columns->value[c][row] <= columns->high[c]);
    }
}

static void scan_is_rows(sqlite3 *db, bool no_chunks, uint64_t seed)
{
    sqlite3_stmt *s;
    np_scan *scan;
    cr_assert_eq(sqlite3_prepare_v2(db, row_sql, -1, &s, NULL), SQLITE_OK);
    cr_assert_eq(np_scan_open(db,
                              &(np_scan_options){.columns = NP_COLUMNS_ALL, .no_chunks = no_chunks},
                              &scan, NULL),
                 NP_OK);
    const np_columns *columns;
    const uint16_t *rows;
    uint32_t count;
    do {
        cr_assert_eq(np_scan_next(scan, &columns, &rows, &count, NULL), NP_OK);
        for (uint32_t i = 0; i < count; i++) {
            cr_assert_eq(sqlite3_step(s), SQLITE_ROW, "seed %llu: more rows than there are",
                         (unsigned long long)seed);
            compare_row(columns, rows[i], s, seed);
        }
    } while (count);
    cr_assert_eq(sqlite3_step(s), SQLITE_DONE, "seed %llu: rows are missing",
                 (unsigned long long)seed);
    sqlite3_finalize(s);
    np_scan_close(scan);
}

/* Values at every edge between widths, in every nullable column. */
static void add_extremes(sqlite3 *db)
{
    static const char *const extremes[] = {"0",          "1",          "255",
                                           "256",        "65535",      "65536",
                                           "4294967295", "4294967296", "9223372036854775807",
                                           "NULL"};
    static const struct {
        const char *table, *name;
    } columns[] = {
        {"request",      "queue_ns"      },
        {"request_more", "tls_ns"        },
        {"request",      "status"        },
        {"request_more", "web_status"    },
        {"request_more", "hop_of"        },
        {"request",      "connection_use"},
        {"request",      "late_ns"       },
        {"request_more", "sent_bytes"    },
        {"request",      "gap_ns"        },
    };
    char sql[256];
    trace_exec(db, TRACE_MORE_FOR_ALL);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
            snprintf(sql, sizeof sql,
                     "UPDATE OR IGNORE %s SET %s = coalesce(%s, CASE '%s' WHEN 'gap_ns' THEN "
                     "0 END) WHERE id %% 97 = %zu",
                     columns[c].table, columns[c].name, extremes[i], columns[c].name, c * 10 + i);
            trace_exec(db, sql);
        }
}

Test(chunk, columns_are_the_rows)
{
    const uint64_t seed = seed_of_this_run();
    for (uint64_t i = 0; i < 4; i++) {
        const bool is_wild = i % 2 == 0;
        sqlite3 *db = trace_make(
            trace_path("chunk.db"),
            &(struct trace_shape){
                .seed = seed + i, .rows = 2 * NP_CHUNK_ROWS + 300, .is_wild = is_wild, .runs = 3});
        if (is_wild)
            add_extremes(db);
        uint64_t made = 0;
        cr_assert_eq(np_chunk_advance(db, &made, NULL), NP_OK);
        cr_assert_eq(made, 2);

        scan_is_rows(db, false, seed + i);
        scan_is_rows(db, true, seed + i);
        cr_assert_eq(np_chunk_rebuild(db, NULL, NULL), NP_OK);
        scan_is_rows(db, false, seed + i);
        sqlite3_close(db);
    }
}

Test(chunk, each_width_is_used)
{
    sqlite3 *db =
        trace_make(trace_path("width.db"),
                   &(struct trace_shape){.seed = 1, .rows = NP_CHUNK_ROWS, .is_wild = true});
    add_extremes(db);
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    cr_assert_eq(trace_int(db, "SELECT count(DISTINCT width) FROM chunk_column"), 5);
    sqlite3_close(db);
}

/* A damaged chunk is said to be, and nothing else happens. */
Test(chunk, damage_is_found)
{
    static const char *const damages[] = {
        "UPDATE chunk_column SET width = 3 WHERE id = 64 + 3",
        "UPDATE chunk_column SET width = 1 WHERE id = 64 + 3",
        "UPDATE chunk_column SET width = -1 WHERE id = 64 + 3",
        "UPDATE chunk_column SET data = x'00' WHERE id = 64 + 3",
        "DELETE FROM chunk_column WHERE id = 64 + 3",
        "UPDATE chunk SET rows = 5000",
        "UPDATE chunk SET rows = 0",
        "UPDATE chunk SET rows = -1",
        "UPDATE chunk SET rows = 4095",
        "UPDATE chunk SET last_id = 1",
        "UPDATE chunk SET first_id = -5",
        "UPDATE chunk SET id = 9223372036854775807",
        "INSERT INTO chunk VALUES (2, 4000, 5000, 1001, 1)",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        sqlite3 *db = trace_make(trace_path("damage.db"),
                                 &(struct trace_shape){.seed = 2, .rows = NP_CHUNK_ROWS + 5});
        cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
        trace_exec(db, damages[i]);
        np_scan *scan;
        cr_assert_eq(np_scan_open(db, &(np_scan_options){.columns = NP_COLUMNS_ALL}, &scan, NULL),
                     NP_OK);
        const np_columns *columns;
        const uint16_t *rows;
        uint32_t count;
        np_error err = {0};
        np_status status;
        do
            status = np_scan_next(scan, &columns, &rows, &count, &err);
        while (!status && count);
        cr_assert_eq(status, NP_E_INPUT, "%s: %d", damages[i], status);
        cr_assert(strstr(err.text, "rebuild"), "%s", err.text);
        np_scan_close(scan);
        sqlite3_close(db);
    }
}

Test(chunk, chunks_of_a_newer_netphase_are_left_alone)
{
    sqlite3 *db = trace_make(trace_path("newer.db"),
                             &(struct trace_shape){.seed = 3, .rows = 2 * NP_CHUNK_ROWS + 5});
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    trace_exec(db, "UPDATE chunk SET version = 2 WHERE id = 2; UPDATE chunk_column SET data = x'' "
                   "WHERE id >= 128");
    scan_is_rows(db, false, 3);
    sqlite3_close(db);
}
