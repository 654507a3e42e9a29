/*
 * A report is what one computes by hand: rows out of the view by plain SQL, sorted, counted off. The two share no code.
 * With chunks, without, and after a rebuild it is exactly the same.
 */
#include "trace_maker.h"

#include "chunk.h"
#include "random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <netphase/report.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIGURES = 13 };
static const char *const figure_columns[FIGURES] = {"queue_ns", "proxy_ns", "dns_ns",     "connect_ns", "tunnel_ns", "tls_ns",           "send_ns",
                                                    "wait_ns",  "receive_ns", "gap_ns", "setup_ns",   "total_ns",  "caller_blocked_ns"};

struct hand_row {
    char key[256];
    bool has[FIGURES];
    int64_t value[FIGURES];
    int64_t start;
    bool failed, reused;
};

static uint64_t seed_of_this_run(void)
{
    const char *given = getenv("NP_SEED");
    return given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
}

/* The SQL of a column to group by. */
static const char *by_sql(const char *name)
{
    static char label[256];
    if (!strcmp(name, "run"))
        return "run_id";
    if (!strcmp(name, "reused"))
        return "CASE reused WHEN 1 THEN 'true' WHEN 0 THEN 'false' END";
    if (!strcmp(name, "minute"))
        return "strftime('%Y-%m-%dT%H:%M:00Z', start_ns / 1000000000, 'unixepoch')";
    if (strncmp(name, "label.", 6) != 0)
        return name;
    snprintf(label, sizeof label, "(SELECT value FROM label l WHERE l.run_id = requests.run_id AND l.key = '%s')", name + 6);
    return label;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct hand_row *)a)->key, ((const struct hand_row *)b)->key);
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static struct hand_row *rows_by_hand(sqlite3 *db, const char *const *by, size_t by_count, const char *where, size_t *count)
{
    sqlite3_str *sql = sqlite3_str_new(db);
    sqlite3_str_appendall(sql, "SELECT ''");
    for (size_t i = 0; i < by_count; i++)
        sqlite3_str_appendf(sql, " || coalesce(%s, '(NULL)') || '|'", by_sql(by[i]));
    for (int f = 0; f < FIGURES; f++)
        sqlite3_str_appendf(sql, ", %s", figure_columns[f]);
    sqlite3_str_appendf(sql, ", failed, reused, start_ns FROM requests WHERE %s", where);
    char *text = sqlite3_str_finish(sql);
    sqlite3_stmt *s;
    cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK, "%s: %s", text, sqlite3_errmsg(db));
    sqlite3_free(text);
    struct hand_row *rows = calloc(20000, sizeof *rows);
    *count = 0;
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct hand_row *r = &rows[(*count)++];
        snprintf(r->key, sizeof r->key, "%s", (const char *)sqlite3_column_text(s, 0));
        for (int f = 0; f < FIGURES; f++) {
            r->has[f] = sqlite3_column_type(s, 1 + f) != SQLITE_NULL;
            r->value[f] = sqlite3_column_int64(s, 1 + f);
        }
        r->failed = sqlite3_column_int(s, 1 + FIGURES);
        r->reused = sqlite3_column_int(s, 2 + FIGURES);
        r->start = sqlite3_column_int64(s, 3 + FIGURES);
    }
    sqlite3_finalize(s);
    qsort(rows, *count, sizeof *rows, by_key);
    return rows;
}

static int64_t nearest_rank(const int64_t *sorted, size_t n, unsigned per_thousand)
{
    size_t k = 1;
    while (k * 1000 < (size_t)per_thousand * n)
        k++;
    return sorted[k - 1];
}

static bool is_near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * (fabs(a) + fabs(b)) + 1e-9;
}

static void compare_figures(const np_figures *f, const struct hand_row *rows, size_t n, int figure, const char *what)
{
    int64_t *sorted = calloc(n + 1, sizeof *sorted);
    size_t count = 0;
    long double sum = 0, whole = 0;
    for (size_t i = 0; i < n; i++) {
        whole += rows[i].value[11];
        if (!rows[i].has[figure])
            continue;
        sorted[count++] = rows[i].value[figure];
        sum += rows[i].value[figure];
    }
    cr_assert_eq(f->count, count, "%s %s: %llu, not %zu", what, figure_columns[figure], (unsigned long long)f->count, count);
    if (count) {
        qsort(sorted, count, sizeof *sorted, by_number);
        const long double mean = sum / count;
        long double squares = 0;
        for (size_t i = 0; i < count; i++)
            squares += (sorted[i] - mean) * (sorted[i] - mean);
        cr_assert_eq(f->min_ns, sorted[0], "%s %s", what, figure_columns[figure]);
        cr_assert_eq(f->max_ns, sorted[count - 1], "%s %s", what, figure_columns[figure]);
        cr_assert_eq(f->p50_ns, nearest_rank(sorted, count, 500), "%s %s", what, figure_columns[figure]);
        cr_assert_eq(f->p90_ns, nearest_rank(sorted, count, 900), "%s %s", what, figure_columns[figure]);
        cr_assert_eq(f->p95_ns, nearest_rank(sorted, count, 950), "%s %s", what, figure_columns[figure]);
        cr_assert_eq(f->p99_ns, nearest_rank(sorted, count, 990), "%s %s", what, figure_columns[figure]);
        cr_assert_eq(f->sum_ns, sum > 9223372036854775807.0L ? INT64_MAX : (int64_t)sum, "%s %s", what, figure_columns[figure]);
        cr_assert(is_near(f->mean_ns, (double)mean, 1e-12), "%s %s", what, figure_columns[figure]);
        cr_assert(is_near(f->stddev_ns, count > 1 ? (double)sqrtl(squares / (count - 1)) : 0, 1e-9), "%s %s", what, figure_columns[figure]);
        cr_assert(is_near(f->share, whole > 0 ? (double)(sum / whole) : 0, 1e-12), "%s %s", what, figure_columns[figure]);
    } else {
        cr_assert(f->sum_ns == 0 && f->p99_ns == 0 && f->max_ns == 0 && f->mean_ns == 0, "%s", what);
    }
    free(sorted);
}

static void key_of(const np_report *report, const np_report_group *g, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < report->by_count; i++)
        at += (size_t)snprintf(out + at, size - at, "%s|", g->by[i] ? g->by[i] : "(NULL)");
}

static void compare_group(const np_report *report, const np_report_group *g, const struct hand_row *rows, size_t count, const char *what)
{
    struct hand_row wanted;
    key_of(report, g, wanted.key, sizeof wanted.key);
    const struct hand_row *found = bsearch(&wanted, rows, count, sizeof *rows, by_key);
    cr_assert(found, "%s: no group %s", what, wanted.key);
    while (found > rows && !strcmp(found[-1].key, wanted.key))
        found--;
    size_t n = 0;
    uint64_t failed = 0, reused = 0;
    for (; found + n < rows + count && !strcmp(found[n].key, wanted.key); n++) {
        failed += found[n].failed;
        reused += found[n].reused;
    }
    cr_assert_eq(g->requests, n, "%s %s: %llu requests, not %zu", what, wanted.key, (unsigned long long)g->requests, n);
    cr_assert_eq(g->failed, failed, "%s %s", what, wanted.key);
    cr_assert_eq(g->reused, reused, "%s %s", what, wanted.key);
    for (int p = 0; p < NP_PHASE_COUNT; p++)
        compare_figures(&g->phases[p], found, n, p, what);
    compare_figures(&g->setup, found, n, 10, what);
    compare_figures(&g->total, found, n, 11, what);
    compare_figures(&g->caller_blocked, found, n, 12, what);
}

static size_t count_groups(const struct hand_row *rows, size_t count)
{
    size_t groups = 0;
    for (size_t i = 0; i < count; i++)
        groups += i == 0 || strcmp(rows[i - 1].key, rows[i].key) != 0;
    return groups;
}

static void compare_head(const np_report *report, const struct hand_row *rows, size_t count, const char *what)
{
    uint64_t failed = 0;
    int64_t from = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        failed += rows[i].failed;
        from = rows[i].start < from ? rows[i].start : from;
    }
    cr_assert_eq(report->requests, count, "%s", what);
    cr_assert_eq(report->failed, failed, "%s", what);
    cr_assert_eq(report->from_ns, count ? from : 0, "%s", what);
    cr_assert_eq(report->group_count, count_groups(rows, count), "%s", what);
}

/* Byte for byte, doubles too. */
static void same_report(const np_report *a, const np_report *b, const char *what)
{
    cr_assert_eq(a->group_count, b->group_count, "%s", what);
    cr_assert_eq(a->to_ns, b->to_ns, "%s", what);
    for (size_t i = 0; i < a->group_count; i++) {
        char x[256], y[256];
        key_of(a, &a->groups[i], x, sizeof x);
        key_of(b, &b->groups[i], y, sizeof y);
        cr_assert_str_eq(x, y, "%s", what);
        np_report_group g = a->groups[i], h = b->groups[i];
        g.by = h.by = NULL;
        cr_assert_eq(memcmp(&g, &h, sizeof g), 0, "%s: group %s differs", what, x);
    }
}

static np_report *report_of(const char *path, const np_report_options *options, const char *what)
{
    np_store *store;
    np_report *report;
    np_error err = {0};
    cr_assert_eq(np_store_open(path, NULL, &store, &err), NP_OK, "%s: %s", what, err.text);
    cr_assert_eq(np_report_create(store, options, &report, &err), NP_OK, "%s: %s", what, err.text);
    np_store_close(store);
    return report;
}

static const char *const groupings[][4] = {
    {"origin", "method", "connection_state"}, {"none"}, {"host"}, {"url"}, {"path"}, {"route"}, {"method", "status"}, {"status"},
    {"label.commit"}, {"label.nothing", "run"}, {"run"}, {"proxy"}, {"protocol", "outcome"}, {"reused"}, {"connection_state"},
    {"outcome"}, {"minute"}, {"path", "label.job", "reused", "minute"},
};
static const struct {
    const char *ours, *sql;
} filters[] = {
    {NULL, "1"},
    {"setup_ns > 50ms", "setup_ns > 50000000"},
    {"status >= 400 or failed", "status >= 400 OR failed"},
    {"url like '%items/1%' and not reused", "url LIKE '%items/1%' AND NOT reused"},
    {"label.commit = 'c1'", "(SELECT value FROM label l WHERE l.run_id = requests.run_id AND l.key = 'commit') = 'c1'"},
    {"error is not null", "error IS NOT NULL"},
    {"status = 12345", "0"},
};

static void one_case(sqlite3 *db, const char *path, np_random *random, uint64_t seed)
{
    const size_t by = (size_t)np_random_below(random, sizeof groupings / sizeof *groupings);
    const size_t f = (size_t)np_random_below(random, sizeof filters / sizeof *filters);
    const bool narrow = np_random_below(random, 4) == 0;
    char by_text[128] = "", where[512], what[1024];
    size_t by_count = 0;
    for (; by_count < 4 && groupings[by][by_count]; by_count++)
        snprintf(by_text + strlen(by_text), sizeof by_text - strlen(by_text), "%s%s", by_count ? ", " : "", groupings[by][by_count]);
    if (!strcmp(by_text, "none"))
        by_count = 0;
    np_report_options options = NP_REPORT_OPTIONS_INIT;
    options.by = by_text;
    const int64_t low = trace_int(db, "SELECT min(start_ns) FROM requests"), high = trace_int(db, "SELECT max(start_ns) FROM requests");
    snprintf(where, sizeof where, "(%s)", filters[f].sql);
    if (narrow) {
        options.since_ns = low + (int64_t)np_random_below(random, (uint64_t)(high - low));
        options.until_ns = options.since_ns + (int64_t)np_random_below(random, (uint64_t)(high - low));
        options.run_id = (int64_t)np_random_below(random, 4);
        snprintf(where + strlen(where), sizeof where - strlen(where), " AND start_ns >= %lld AND start_ns < %lld AND (%lld = 0 OR run_id = %lld)",
                 (long long)options.since_ns, (long long)options.until_ns, (long long)options.run_id, (long long)options.run_id);
    }
    snprintf(what, sizeof what, "seed %llu, by %s where %s", (unsigned long long)seed, by_text, where);
    np_filter *filter = NULL;
    if (filters[f].ours)
        cr_assert_eq(np_filter_parse(filters[f].ours, &filter, NULL, NULL), NP_OK);
    options.filter = filter;

    np_report *report = report_of(path, &options, what);
    options.no_chunks = true;
    np_report *stepped = report_of(path, &options, what);

    size_t count;
    struct hand_row *rows = rows_by_hand(db, groupings[by], by_count, where, &count);
    compare_head(report, rows, count, what);
    for (size_t i = 0; i < report->group_count; i++)
        compare_group(report, &report->groups[i], rows, count, what);
    same_report(report, stepped, what);
    free(rows);
    np_report_free(report);
    np_report_free(stepped);
    np_filter_free(filter);
}

static void cases_on(bool is_wild, uint64_t rows, int cases)
{
    const uint64_t seed = seed_of_this_run();
    const char *path = trace_path(is_wild ? "wild.db" : "tame.db");
    np_random random;
    np_random_seed(&random, seed);
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = seed, .rows = rows, .is_wild = is_wild, .runs = 3});
    for (int i = 0; i < cases; i++) {
        if (i == cases / 4)
            cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
        if (i == cases / 2)
            cr_assert_eq(np_chunk_rebuild(db, NULL, NULL), NP_OK);
        one_case(db, path, &random, seed);
    }
    sqlite3_close(db);
}

Test(report, is_what_one_computes_by_hand)
{
    cases_on(false, 2 * NP_CHUNK_ROWS + 1000, 60);
}

Test(report, is_what_one_computes_by_hand_in_a_wild_trace)
{
    cases_on(true, NP_CHUNK_ROWS + 1500, 60);
}

/* Enough values for the way with buckets. */
Test(report, quantiles_of_many_values_are_exact)
{
    const uint64_t seed = seed_of_this_run();
    const char *path = trace_path("many.db");
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = seed, .rows = 19000, .is_wild = true});
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    np_report_options options = NP_REPORT_OPTIONS_INIT;
    options.by = "none";

    np_report *report = report_of(path, &options, what);

    size_t count;
    struct hand_row *rows = rows_by_hand(db, NULL, 0, "1", &count);
    cr_assert_eq(report->group_count, 1);
    cr_assert(report->groups[0].total.count > 16000);
    compare_group(report, &report->groups[0], rows, count, what);
    free(rows);
    np_report_free(report);
    sqlite3_close(db);
}
