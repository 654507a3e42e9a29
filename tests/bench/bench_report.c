/*
 * How long an exact report takes: out of column chunks, against stepping rows.
 *
 *     bench_report [ROWS [FILE]]     1,000,000 rows at first; FILE is kept and used again when it
 * has as many rows
 *
 * 2 % of the requests are on new connections, 1,000 paths, 5 origins. Warm: each way runs once
 * before it is timed.
 */
#include "bench.h"
#include "chunk.h"
#include "trace_maker.h"

#include <netphase/report.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 5 };

static void stop(const char *what, const np_error *err)
{
    fprintf(stderr, "bench_report: %s: %s\n", what, err->text);
    exit(1);
}

static bool has_rows(const char *path, uint64_t rows)
{
    if (access(path, R_OK) != 0)
        return false;
    sqlite3 *db;
    bool has = sqlite3_open(path, &db) == SQLITE_OK &&
               (uint64_t)trace_int(db, "SELECT max(id) FROM request") == rows;
    sqlite3_close(db);
    return has;
}

static void make_trace(const char *path, uint64_t rows)
{
    np_error err = {0};
    const uint64_t begin = bench_thread_cpu_ns();
    sqlite3 *db = trace_make(
        path,
        &(struct trace_shape){.seed = 1, .rows = rows, .paths = 1000, .new_per_thousand = 20});
    const uint64_t made = bench_thread_cpu_ns();
    if (np_chunk_rebuild(db, NULL, &err))
        stop("chunks", &err);
    const uint64_t chunked = bench_thread_cpu_ns();
    trace_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    printf("made %llu rows in %.1f s, chunks in %.0f ns a row (%.1f bytes a row), file %.1f bytes "
           "a row\n",
           (unsigned long long)rows, (double)(made - begin) / 1e9,
           (double)(chunked - made) / (double)rows,
           (double)trace_int(db, "SELECT sum(length(data)) FROM chunk_column") / (double)rows,
           (double)trace_int(
               db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size") /
               (double)rows);
    sqlite3_close(db);
}

static double report_seconds(np_store *store, const np_report_options *options, uint64_t *requests)
{
    np_error err = {0};
    np_report *report;
    const uint64_t begin = bench_thread_cpu_ns();
    if (np_report_create(store, options, &report, &err))
        stop("report", &err);
    const uint64_t end = bench_thread_cpu_ns();
    *requests = report->requests;
    np_report_free(report);
    return (double)(end - begin) / 1e9;
}

static int compare(np_store *store, const char *name, np_report_options options,
                   const np_filter *filter, double goal_s, uint64_t *requests)
{
    bench_series chunks = {0}, ratio = {0};
    char line[96];
    options.filter = filter;
    (void)report_seconds(store, &options, requests);
    for (int i = 0; i < ROUNDS; i++) {
        options.no_chunks = false;
        const double fast = report_seconds(store, &options, requests);
        bench_add(&chunks, fast);
        if (i % 2)
            continue; /* rows take long */
        options.no_chunks = true;
        bench_add(&ratio, report_seconds(store, &options, requests) / fast);
    }
    snprintf(line, sizeof line, "report: %s", name);
    int ok = bench_line(line, goal_s > 0 ? BENCH_AT_MOST : BENCH_NO_GOAL, goal_s, &chunks, "s");
    snprintf(line, sizeof line, "report: %s, rows / chunks", name);
    return bench_line(line, BENCH_NO_GOAL, 0, &ratio, "x") && ok;
}

static np_filter *parsed(const char *text)
{
    np_filter *filter;
    np_error err = {0};
    if (np_filter_parse(text, &filter, NULL, &err))
        stop(text, &err);
    return filter;
}

int main(int argc, char **argv)
{
    const uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (rows < 1000 || rows > 10000000) {
        fprintf(stderr, "usage: bench_report [ROWS [FILE]], 1000 to 10000000 rows\n");
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s", argc > 2 ? argv[2] : trace_path("report.db"));
    if (!has_rows(path, rows))
        make_trace(path, rows);

    np_store *store;
    np_error err = {0};
    if (np_store_open(path, NULL, &store, &err))
        stop(path, &err);
    const double goal_s = 1.0 * (double)rows / 1e7; /* exact, 10 million: 1 s */
    uint64_t requests = 0;
    np_filter *slow = parsed("total_ns > 1s and status >= 500");
    np_filter *path_filter = parsed("url like '%/items/7%' and host = 'host0.example'");
    int ok = compare(store, "default groups", (np_report_options)NP_REPORT_OPTIONS_INIT, NULL,
                     goal_s, &requests);
    ok &= requests > rows / 2;
    np_report_options one = NP_REPORT_OPTIONS_INIT;
    one.by = "none";
    ok &= compare(store, "one group", one, NULL, goal_s, &requests);
    one.by = "route";
    ok &= compare(store, "by route", one, NULL, 0, &requests);
    one.by = "path";
    ok &= compare(store, "by path (1,000 groups)", one, NULL, 0, &requests);
    ok &= compare(store, "where total and status", (np_report_options)NP_REPORT_OPTIONS_INIT, slow,
                  0, &requests);
    ok &= compare(store, "where url and host", (np_report_options)NP_REPORT_OPTIONS_INIT,
                  path_filter, 0, &requests);
    np_filter_free(slow);
    np_filter_free(path_filter);
    np_store_close(store);
    return ok ? 0 : 1;
}
