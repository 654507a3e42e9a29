#include "trace_maker.h"

#include "chunk.h"

#include <criterion/criterion.h>
#include <netphase/store.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static np_store *opened(const char *path)
{
    np_store *store = NULL;
    np_error err = {0};
    cr_assert_eq(np_store_open(path, NULL, &store, &err), NP_OK, "%s", err.text);
    return store;
}

static np_page *page_of(np_store *store, np_page_query query)
{
    np_page *page = NULL;
    np_error err = {0};
    query.size = sizeof query;
    cr_assert_eq(np_store_page(store, &query, &page, &err), NP_OK, "%s", err.text);
    return page;
}

/* A trace of one request with the spans in `sql`; closed. */
static const char *one_request(const char *name, const char *sql)
{
    static char path[256];
    snprintf(path, sizeof path, "%s", trace_path(name));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 3, .rows = 1});
    trace_exec(db, sql);
    sqlite3_close(db);
    return path;
}

static np_request_detail *detail_of(np_store *store, int64_t id)
{
    np_request_detail *detail = NULL;
    np_error err = {0};
    cr_assert_eq(np_store_request(store, id, &detail, &err), NP_OK, "%s", err.text);
    return detail;
}

Test(reader, what_is_no_trace_is_said_to_be_none)
{
    np_store *store = NULL;
    np_error err = {0};

    cr_assert_eq(np_store_open("/nonexistent/trace.db", NULL, &store, &err), NP_E_INPUT);
    cr_assert_null(store);
    cr_assert_eq(np_store_open(NP_SOURCE_DIR "/CMakeLists.txt", NULL, &store, &err), NP_E_INPUT);
    cr_assert_eq(np_store_open(NULL, NULL, &store, &err), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_store_rebuild("/nonexistent/trace.db", NULL, &err), NP_E_INPUT);
    cr_assert_eq(access("/nonexistent/trace.db", F_OK), -1);
}

Test(reader, any_page_size_walks_the_same_rows_both_ways)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("pages.db"));
    sqlite3 *db =
        trace_make(path, &(struct trace_shape){.seed = 5, .rows = 700, .is_wild = true, .runs = 2});
    np_store *store = opened(path);
    static const uint32_t limits[] = {1, 7, 60, 699, 4096};
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            sqlite3_stmt *s;
            sqlite3_prepare_v2(db,
                               backwards ? "SELECT id, url, setup_ns FROM requests ORDER BY id DESC"
                                         : "SELECT id, url, setup_ns FROM requests ORDER BY id",
                               -1, &s, NULL);
            int64_t after = 0;
            bool at_end = false;
            while (!at_end) {
                np_page *page = page_of(
                    store,
                    (np_page_query){.after_id = after, .backwards = backwards, .limit = limits[l]});
                cr_assert(page->count > 0 && page->count <= limits[l]);
                for (size_t i = 0; i < page->count; i++) {
                    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
                    cr_assert_eq(page->rows[i].id, sqlite3_column_int64(s, 0));
                    cr_assert_str_eq(page->rows[i].url, (const char *)sqlite3_column_text(s, 1));
                    cr_assert_eq(page->rows[i].setup_ns, sqlite3_column_int64(s, 2));
                }
                after = page->rows[page->count - 1].id;
                at_end = page->at_end;
                np_page_free(page);
            }
            cr_assert_eq(sqlite3_step(s), SQLITE_DONE);
            sqlite3_finalize(s);
        }
    }
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, pages_obey_filter_run_and_limit)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("filter.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 6, .rows = 500, .runs = 2});
    np_store *store = opened(path);
    np_filter *filter;
    cr_assert_eq(np_filter_parse("label.commit = 'c0' and method = 'GET' and not failed", &filter,
                                 NULL, NULL),
                 NP_OK);
    const int64_t wanted = trace_int(
        db, "SELECT count(*) FROM requests WHERE run_id = 1 AND method = 'GET' AND NOT failed");

    np_page *page = page_of(store, (np_page_query){.limit = 4096, .filter = filter});
    np_page *other = page_of(store, (np_page_query){.limit = 4096, .filter = filter, .run_id = 2});
    np_page *short_page = page_of(store, (np_page_query){0});

    cr_assert(wanted > 100);
    cr_assert_eq((int64_t)page->count, wanted);
    cr_assert(page->at_end);
    cr_assert_eq(other->count, 0);
    cr_assert_eq(short_page->count, 60);
    cr_assert_not(short_page->at_end);
    np_page *none;
    cr_assert_eq(np_store_page(store,
                               &(np_page_query){.size = sizeof(np_page_query), .limit = 4097},
                               &none, NULL),
                 NP_E_ARGUMENT_RANGE);
    np_page_free(page);
    np_page_free(other);
    np_page_free(short_page);
    np_filter_free(filter);
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, a_call_is_all_its_hops_in_their_order)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("call.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 8, .rows = 300});
    trace_exec(db, TRACE_MORE_FOR_ALL
               "UPDATE request_more SET hop_of = 100, hop = 1, hop_reason = 1 WHERE id = 105;"
               "UPDATE request_more SET hop_of = 100, hop = 2, hop_reason = 2 WHERE id = 103;"
               "UPDATE request_more SET hop_of = 101, hop = 1, hop_reason = 4 WHERE id = 104;");
    np_store *store = opened(path);
    static const int64_t any[] = {100, 103, 105};
    for (size_t i = 0; i < 3; i++) {
        np_page *call;
        np_error err = {0};
        cr_assert_eq(np_store_call(store, any[i], &call, &err), NP_OK, "%s", err.text);
        cr_assert_eq(call->count, 3);
        cr_assert(call->at_end);
        cr_expect_eq(call->rows[0].id, 100);
        cr_expect_eq(call->rows[1].id, 105);
        cr_expect_eq(call->rows[2].id, 103);
        cr_expect_str_eq(call->rows[0].hop_reason, "first");
        cr_expect_str_eq(call->rows[1].hop_reason, "redirect");
        cr_expect_str_eq(call->rows[2].hop_reason, "auth");
        np_page_free(call);
    }
    np_page *alone, *none;
    cr_assert_eq(np_store_call(store, 7, &alone, NULL), NP_OK);
    cr_assert_eq(np_store_call(store, 7000, &none, NULL), NP_OK);

    cr_assert_eq(alone->count, 1);
    cr_assert_eq(alone->rows[0].id, 7);
    cr_assert_eq(none->count, 0);
    np_page_free(alone);
    np_page_free(none);
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, absent_phases_are_not_zero)
{
    np_store *store = opened(one_request(
        "absent.db", TRACE_MORE_FOR_ALL
        "UPDATE request_more SET dns_ns = NULL, tls_ns = 0, tls_at_ns = 5, connect_ns = -7, "
        "connect_at_ns = 3; UPDATE request SET late_ns = NULL, status = NULL"));

    np_request_detail *d = detail_of(store, 1);

    cr_assert_eq(d->row.phase_ns[NP_PHASE_DNS], -1);
    cr_assert_eq(d->row.phase_at_ns[NP_PHASE_DNS], -1);
    cr_assert_eq(d->row.phase_ns[NP_PHASE_TLS], 0);
    cr_assert_eq(d->row.phase_at_ns[NP_PHASE_TLS], 5);
    cr_assert_eq(d->row.phase_ns[NP_PHASE_CONNECT], 0, "negative in a damaged file");
    cr_assert_eq(d->row.phase_at_ns[NP_PHASE_GAP], -1);
    cr_assert_eq(d->row.late_ns, -1);
    cr_assert_eq(d->row.status, 0);
    np_request_detail_free(d);
    np_store_close(store);
}

Test(reader, a_request_comes_with_all_it_has)
{
    np_store *store = opened(one_request(
        "all.db",
        "INSERT INTO span (id, request_id, run_id, parent_id, phase, kind, start_ns, duration_ns, "
        "name_id, detail) SELECT 10, 1, 1, NULL, 2, 2, start_ns + 50, 30, 1, NULL FROM request;"
        "INSERT INTO span (id, request_id, run_id, parent_id, phase, kind, start_ns, duration_ns, "
        "name_id, detail) SELECT 11, 1, 1, 10, 2, 1, start_ns + 60, NULL, 2, '{\"ttl_s\":5}' FROM "
        "request;"
        "INSERT INTO span (id, request_id, run_id, parent_id, phase, kind, start_ns, duration_ns, "
        "name_id) SELECT 12, 1, 1, NULL, 0, 13, start_ns, 40, 1 FROM request;"
        "INSERT INTO span (id, request_id, run_id, parent_id, phase, kind, start_ns, duration_ns, "
        "name_id) SELECT 13, 77, 1, NULL, 0, 13, start_ns, 40, 1 FROM request;" TRACE_MORE_FOR_ALL
        "UPDATE request_more SET first_span = 10, span_count = 4;"
        "UPDATE request SET sources = x'23404F', connection_id = 1, connection_use = 1;"
        "INSERT INTO header VALUES (1, 1, 0, 2, 'b'), (1, 0, 1, 1, 'a1'), (1, 0, 0, 1, 'a0');"));

    np_request_detail *d = detail_of(store, 0);

    cr_assert_eq(d->row.id, 1);
    cr_assert_eq(d->span_count, 3);
    cr_assert_eq(d->spans[0].id, 12);
    cr_assert_str_eq(d->spans[0].kind, "wait_for_connection");
    cr_assert_eq(d->spans[1].id, 10);
    cr_assert_eq(d->spans[1].start_ns, 50);
    cr_assert_eq(d->spans[1].duration_ns, 30);
    cr_assert_str_eq(d->spans[1].detail, "");
    cr_assert_eq(d->spans[2].id, 11);
    cr_assert_eq(d->spans[2].parent_id, 10);
    cr_assert_eq(d->spans[2].duration_ns, -1);
    cr_assert_str_eq(d->spans[2].detail, "{\"ttl_s\":5}");
    cr_assert_eq(d->boundary_source[0], 2);
    cr_assert_eq(d->boundary_uncertainty_ns[0], 64);
    cr_assert_eq(d->boundary_source[1], 4);
    cr_assert_eq(d->boundary_uncertainty_ns[1], 1);
    cr_assert_eq(d->boundary_uncertainty_ns[2], 1 << 30);
    cr_assert_eq(d->boundary_uncertainty_ns[3], 0);
    cr_assert_eq(d->header_count, 3);
    cr_assert_str_eq(d->headers[0].value, "a0");
    cr_assert_str_eq(d->headers[2].value, "b");
    cr_assert_not_null(d->connection);
    cr_assert_str_eq(d->connection->new_because, "first");
    np_request_detail_free(d);
    np_store_close(store);
}

Test(reader, a_request_that_is_not_there_names_those_that_are)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("no.db"));
    sqlite3_close(trace_make(path, &(struct trace_shape){.seed = 1, .rows = 20}));
    np_store *store = opened(path);
    np_request_detail *d;
    np_error err = {0};

    cr_assert_eq(np_store_request(store, 21, &d, &err), NP_E_ARGUMENT_RANGE);

    cr_assert_null(d);
    cr_assert(strstr(err.text, "from 1 to 20"), "%s", err.text);
    np_store_close(store);
    snprintf(path, sizeof path, "%s", trace_path("empty.db"));
    sqlite3_close(trace_make_empty(path));
    store = opened(path);
    cr_assert_eq(np_store_request(store, 0, &d, &err), NP_E_ARGUMENT_RANGE);
    cr_assert(strstr(err.text, "no requests"), "%s", err.text);
    np_page *page = page_of(store, (np_page_query){0});
    cr_assert(page->count == 0 && page->at_end);
    np_page_free(page);
    np_store_close(store);
}

/* Parents in circles, parents that are not there, spans that are their own parents: each comes
 * once, behind its parent. */
Test(reader, any_parents_give_an_order)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("parents.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 3, .rows = 1});
    np_store *store = opened(path);
    uint64_t x = 12345;
    for (int round = 0; round < 60; round++) {
        trace_exec(db, "DELETE FROM span;" TRACE_MORE_FOR_ALL
                       "UPDATE request_more SET first_span = 1, span_count = 40");
        for (int i = 1; i <= 40; i++) {
            char sql[256];
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            snprintf(sql, sizeof sql,
                     "INSERT INTO span (id, request_id, run_id, parent_id, phase, kind, start_ns, "
                     "name_id) VALUES (%d, 1, 1, %d, 99, 99, %d, 999)",
                     i, (int)(x >> 33) % 44 - 1, (int)(x >> 40) % 50);
            trace_exec(db, sql);
        }
        np_request_detail *d = detail_of(store, 1);
        cr_assert_eq(d->span_count, 40, "round %d", round);
        uint64_t seen = 0;
        for (size_t i = 0; i < 40; i++) {
            const np_span *span = &d->spans[i];
            cr_assert_not(seen >> span->id & 1, "round %d: twice", round);
            cr_assert(span->parent_id == 0 || (seen >> span->parent_id & 1),
                      "round %d: before its parent", round);
            seen |= UINT64_C(1) << span->id;
            cr_assert(span->phase >= 0 && span->phase < NP_PHASE_COUNT);
        }
        np_request_detail_free(d);
    }
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, nonsense_is_bounded)
{
    static const char *const damages[] = {
        TRACE_MORE_FOR_ALL "UPDATE request_more SET first_span = 9223372036854775807, span_count = "
                           "9223372036854775807",
        TRACE_MORE_FOR_ALL "UPDATE request_more SET first_span = -5, span_count = -9",
        "DELETE FROM request_more",
        "UPDATE request SET send_at_ns = 9223372036854775807, send_ns = 9223372036854775807",
        "UPDATE request SET start_ns = -9223372036854775807 - 1, total_ns = 9223372036854775807",
        TRACE_MORE_FOR_ALL "UPDATE request SET queue_ns = 9223372036854775807; UPDATE request_more "
                           "SET tls_ns = 9223372036854775807, dns_ns = -9223372036854775807",
        TRACE_MORE_FOR_ALL "UPDATE request SET status = 9223372036854775807, flags = -1; UPDATE "
                           "request_more SET hop = -9223372036854775807",
        "UPDATE request SET method_id = 4711, origin_id = -1, path_id = 0, route_id = "
        "9223372036854775807, outcome = 77, protocol = -3",
        "UPDATE request SET sources = zeroblob(100000)",
        "UPDATE request SET sources = x''",
        "UPDATE text SET value = printf('%.*c', 3000000, 'x')",
        "UPDATE text SET value = cast(x'ff00fe41' AS TEXT)",
        "INSERT INTO header SELECT 1, 0, value, 1, printf('%.*c', 60000, 'y') FROM (WITH RECURSIVE "
        "n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 2000) SELECT value FROM n)",
        "UPDATE connection SET tls_resumed = 99, requests = -4, opened_ns = -1",
        "DELETE FROM connection; DELETE FROM text; DELETE FROM origin; DELETE FROM code; DELETE "
        "FROM run",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        np_store *store = opened(one_request("nonsense.db", damages[i]));
        np_request_detail *d = detail_of(store, 1);
        cr_assert(strlen(d->row.url) <= 65536 && strlen(d->row.method) <= 65536, "%s", damages[i]);
        for (int p = 0; p < NP_PHASE_COUNT; p++)
            cr_assert(d->row.phase_ns[p] >= -1 && d->row.setup_ns >= 0, "%s", damages[i]);
        np_request_detail_free(d);
        np_page_free(page_of(store, (np_page_query){0}));
        np_store_info *info;
        cr_assert_eq(np_store_info_get(store, true, &info, NULL), NP_OK, "%s", damages[i]);
        np_store_info_free(info);
        np_store_close(store);
    }
}

Test(reader, info_says_what_is_there)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("info.db"));
    sqlite3 *db =
        trace_make(path, &(struct trace_shape){.seed = 8, .rows = NP_CHUNK_ROWS + 40, .runs = 3});
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    trace_exec(
        db, "UPDATE request SET purpose = 1 WHERE id = 5; UPDATE run SET requests = (SELECT "
            "count(*) FROM requests q WHERE q.run_id = run.id);"
            "DELETE FROM chunk; DELETE FROM chunk_column; UPDATE request_more SET hop_of = NULL, "
            "connect_ns = NULL, tunnel_ns = NULL, tls_ns = NULL");
    trace_exec(
        db,
        "UPDATE request SET total_ns = gap_ns + coalesce(queue_ns,0) + coalesce(send_ns,0) + "
        "coalesce(wait_ns,0) + coalesce(receive_ns,0) + coalesce((SELECT coalesce(proxy_ns,0) + "
        "coalesce(dns_ns,0) FROM request_more m WHERE m.id = request.id), 0)");
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    np_store *store = opened(path);
    np_store_info *info;

    cr_assert_eq(np_store_info_get(store, true, &info, NULL), NP_OK);

    cr_assert_eq(info->requests, NP_CHUNK_ROWS + 39);
    cr_assert_eq((int64_t)info->failed,
                 trace_int(db, "SELECT count(*) FROM requests WHERE failed"));
    cr_assert_eq(info->first_ns, trace_int(db, "SELECT min(start_ns) FROM requests"));
    cr_assert_eq(info->last_ns, trace_int(db, "SELECT max(start_ns + total_ns) FROM requests"));
    cr_assert_eq(info->run_count, 3);
    cr_assert_eq(info->chunks, 1);
    cr_assert_eq(info->dropped, 0 + 1 + 2);
    cr_assert_eq(info->schema_version, 1);
    cr_assert_str_eq(info->integrity, "ok");
    cr_assert_eq(info->problems, 0, "%s", info->first_problem);
    cr_assert_str_eq(info->runs[0].labels, "{\"commit\":\"c0\",\"job\":\"nightly\"}");
    cr_assert_eq(info->runs[0].exit_status, -1);
    np_store_info_free(info);

    trace_exec(
        db,
        "UPDATE request SET gap_ns = gap_ns + 1 WHERE id = 77; UPDATE chunk_column SET width = 3");
    cr_assert_eq(np_store_info_get(store, true, &info, NULL), NP_OK);
    cr_assert_eq(info->requests, NP_CHUNK_ROWS + 39, "rows are counted where chunks are damaged");
    cr_assert_eq(info->problems, 1);
    cr_assert_str_eq(info->first_problem, "phases do not add up: 77");
    np_store_info_free(info);
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, problems_are_those_of_the_view)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("problems.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 9, .rows = 800, .is_wild = true});
    np_store *store = opened(path);
    np_store_info *info;

    cr_assert_eq(np_store_info_get(store, true, &info, NULL), NP_OK);

    cr_assert_eq((int64_t)info->problems, trace_int(db, "SELECT count(*) FROM problems"));
    cr_assert(info->problems > 0);
    np_store_info_free(info);
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, a_missing_value_is_a_problem)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("missing.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 3, .rows = 20});
    cr_assert_eq(trace_int(db, "SELECT count(*) FROM problems"), 0);
    cr_assert_eq(sqlite3_exec(db,
                              "UPDATE request SET total_ns = NULL WHERE id = 4;"
                              "UPDATE request SET path_id = NULL WHERE id = 5",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    np_store *store = opened(path);
    np_store_info *info;

    cr_assert_eq(np_store_info_get(store, true, &info, NULL), NP_OK);

    cr_assert_eq(info->problems, 2);
    cr_assert_str_eq(info->first_problem, "a value is missing: 4");
    cr_assert_eq(trace_int(db, "SELECT count(*) FROM problems"), 2);
    np_store_info_free(info);
    np_store_close(store);
    sqlite3_close(db);
}

Test(reader, a_rebuild_makes_chunks)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("make.db"));
    sqlite3_close(trace_make(path, &(struct trace_shape){.seed = 8, .rows = 2 * NP_CHUNK_ROWS}));
    uint64_t chunks = 0;

    cr_assert_eq(np_store_rebuild(path, &chunks, NULL), NP_OK);

    cr_assert_eq(chunks, 2);
}

struct interruption {
    np_store *store;
    unsigned pause_us;
    atomic_bool done;
};

static void *interrupt(void *user)
{
    struct interruption *i = user;
    while (!atomic_load(&i->done)) {
        np_store_interrupt(i->store);
        if (i->pause_us)
            usleep(i->pause_us);
    }
    return NULL;
}

Test(reader, an_interrupted_call_says_so_and_the_next_one_works, .timeout = 60)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("interrupt.db"));
    sqlite3_close(trace_make(path, &(struct trace_shape){.seed = 8, .rows = 30000}));
    struct interruption i = {.store = opened(path), .pause_us = 1000};
    np_filter *filter;
    cr_assert_eq(
        np_filter_parse("started like '%never%' or error like '%nothing%'", &filter, NULL, NULL),
        NP_OK);
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt, &i);
    np_page *page;
    np_page_query query = NP_PAGE_QUERY_INIT;
    query.filter = filter;

    np_status status = NP_OK;
    while (status == NP_OK) { /* a call may be through before the thread runs at all */
        status = np_store_page(i.store, &query, &page, NULL);
        if (!status)
            np_page_free(page);
    }
    atomic_store(&i.done, true);
    pthread_join(thread, NULL);

    cr_assert_eq(status, NP_E_CANCELED);
    cr_assert_eq(np_store_page(i.store, &query, &page, NULL), NP_OK);
    np_page_free(page);
    np_filter_free(filter);
    np_store_close(i.store);
}

/* They hit the end of a snapshot as well. */
Test(reader, interrupts_at_every_moment_leave_a_store_that_works, .timeout = 60)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("interrupts.db"));
    sqlite3_close(trace_make(path, &(struct trace_shape){.seed = 8, .rows = 10}));
    struct interruption i = {.store = opened(path)};
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt, &i);
    np_page_query query = NP_PAGE_QUERY_INIT;
    int canceled = 0;
    for (int n = 0; n < 20000 || canceled == 0; n++) {
        np_page *page;
        np_error err = {0};
        const np_status status = np_store_page(i.store, &query, &page, &err);
        cr_assert(status == NP_OK || status == NP_E_CANCELED, "%s (%s)", err.text, err.cause);
        canceled += status == NP_E_CANCELED;
        if (!status)
            np_page_free(page);
    }
    atomic_store(&i.done, true);
    pthread_join(thread, NULL);
    np_page_free(page_of(i.store, query));
    np_store_close(i.store);
}

Test(reader, damage_in_the_file_is_input)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("bytes.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = 8, .rows = 3000});
    trace_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
    FILE *file = fopen(path, "r+");
    for (long page = 4; page < 20; page++) {
        fseek(file, page * 16384, SEEK_SET);
        for (int i = 0; i < 2000; i++)
            fputc(0xa5, file);
    }
    fclose(file);
    np_store *store = NULL;
    const np_store_options checked = {.size = sizeof checked, .checked = true};

    cr_assert_eq(np_store_open(path, &checked, &store, NULL), NP_E_INPUT);

    cr_assert_null(store);
    if (np_store_open(path, NULL, &store, NULL) == NP_OK) {
        np_page *page = NULL;
        np_page_query query = NP_PAGE_QUERY_INIT;
        query.limit = 4096;
        const np_status status = np_store_page(store, &query, &page, NULL);
        cr_assert(status == NP_E_INPUT || status == NP_OK);
        np_page_free(page);
        np_store_close(store);
    }
}
