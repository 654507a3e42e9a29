/* Any page of a list is that part of all rows in its order, whatever the order, the filter, the
 * place and the size of the window; also while the trace grows. Against a plain sort of all rows.
 */
#include "trace_maker.h"

#include "chunk.h"
#include "random.h"
#include "request_list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 2 * NP_CHUNK_ROWS + 700, STEPS = 60 };

struct entry {
    int64_t key, id;
    bool is_null;
};

/* All rows of a list in its order, the plain way. */
struct all {
    struct entry *entries;
    size_t count;
};

struct question {
    const char *sort;
    bool descending;
    const char *where; /* of the list */
    int64_t run_id;
};

static uint64_t seed;

static bool sorts_down;

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order =
        x->is_null || y->is_null ? y->is_null - x->is_null : (x->key > y->key) - (x->key < y->key);
    if (sorts_down)
        order = -order;
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static struct all read_all(const char *path, const struct question *q)
{
    struct all all = {0};
    sqlite3 *db;
    sqlite3_stmt *s;
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT id, %s FROM requests WHERE (%lld = 0 OR run_id = %lld) AND (%s)", q->sort,
             (long long)q->run_id, (long long)q->run_id, q->where ? q->where : "1");
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    while (sqlite3_step(s) == SQLITE_ROW) {
        all.entries = realloc(all.entries, (all.count + 1) * sizeof *all.entries);
        all.entries[all.count++] =
            (struct entry){.id = sqlite3_column_int64(s, 0),
                           .key = sqlite3_column_int64(s, 1),
                           .is_null = sqlite3_column_type(s, 1) == SQLITE_NULL};
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    sorts_down = q->descending;
    if (all.count)
        qsort(all.entries, all.count, sizeof *all.entries, by_key);
    return all;
}

/* The page must be `all` from `from` on; with a count that is known, rank and total too. */
static void is_part(const np_list_page *page, const struct all *all, size_t from, size_t count,
                    const struct question *q, const char *what)
{
    cr_assert_eq(page->count, count, "seed %llu: %s by %s where %s from %zu: %zu rows, not %zu",
                 (unsigned long long)seed, what, q->sort, q->where, from, page->count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(page->rows[i].id, all->entries[from + i].id,
                     "seed %llu: %s by %s%s where %s from %zu: row %zu is %lld, not %lld",
                     (unsigned long long)seed, what, q->sort, q->descending ? " down" : "",
                     q->where, from, i, (long long)page->rows[i].id,
                     (long long)all->entries[from + i].id);
    cr_assert_eq(page->at_start, from == 0, "seed %llu: %s by %s from %zu: at_start",
                 (unsigned long long)seed, what, q->sort, from);
    cr_assert_eq(page->at_end, from + count == all->count, "seed %llu: %s by %s from %zu: at_end",
                 (unsigned long long)seed, what, q->sort, from);
    if (page->total >= 0)
        cr_assert_eq(page->total, (int64_t)all->count);
    if (page->rank >= 0 && count)
        cr_assert_eq(page->rank, (int64_t)from, "seed %llu: %s by %s: rank %lld, not %zu",
                     (unsigned long long)seed, what, q->sort, (long long)page->rank, from);
}

static np_list_page *read_page(np_list *list, np_list_query query)
{
    np_error err = {0};
    np_list_page *page = NULL;
    query.size = sizeof query;
    cr_assert_eq(np_list_read(list, &query, &page, &err), NP_OK, "seed %llu: %s",
                 (unsigned long long)seed, err.text);
    return page;
}

static size_t less(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void read_at(np_list *list, const struct all *all, np_random *random,
                    const struct question *q)
{
    const uint32_t limit = 1 + (uint32_t)np_random_below(random, 40);
    const double fraction = (double)np_random_below(random, 1001) / 1000;
    np_list_page *page =
        read_page(list, (np_list_query){.place = NP_LIST_AT, .fraction = fraction, .limit = limit});
    const size_t last = all->count > limit ? all->count - limit : 0;
    const size_t wanted = less((size_t)(fraction * (double)all->count), last);
    /* found exactly, or its rank says where */
    cr_assert_geq(page->rank, 0);
    const size_t from = all->count ? (size_t)page->rank : 0;
    is_part(page, all, from, less(limit, all->count - from), q, "at");
    const size_t off = from > wanted ? from - wanted : wanted - from;
    cr_assert_leq(off, all->count / 10, "seed %llu: %.3f of %zu by %s is %zu, not %zu",
                  (unsigned long long)seed, fraction, all->count, q->sort, from, wanted);
    np_list_page_free(page);
}

static void read_near(np_list *list, const struct all *all, size_t place, np_random *random,
                      const struct question *q)
{
    const uint32_t limit = 1 + (uint32_t)np_random_below(random, 40);
    const int64_t id = all->entries[place].id;
    np_list_page *page =
        read_page(list, (np_list_query){.place = NP_LIST_BEHIND, .id = id, .limit = limit});
    is_part(page, all, place + 1, less(limit, all->count - place - 1), q, "behind");
    np_list_page_free(page);
    page = read_page(list, (np_list_query){.place = NP_LIST_FROM, .id = id, .limit = limit});
    is_part(page, all, place, less(limit, all->count - place), q, "from");
    np_list_page_free(page);
    page = read_page(list, (np_list_query){.place = NP_LIST_BEFORE, .id = id, .limit = limit});
    is_part(page, all, place - less(limit, place), less(limit, place), q, "before");
    np_list_page_free(page);
}

static void read_ends(np_list *list, const struct all *all, const struct question *q)
{
    np_list_page *page = read_page(list, (np_list_query){.place = NP_LIST_FIRST, .limit = 30});
    is_part(page, all, 0, less(30, all->count), q, "first");
    np_list_page_free(page);
    page = read_page(list, (np_list_query){.place = NP_LIST_LAST, .limit = 30});
    is_part(page, all, all->count - less(30, all->count), less(30, all->count), q, "last");
    np_list_page_free(page);
}

static void walk(np_list *list, const struct all *all, np_random *random, const struct question *q)
{
    size_t place = all->count ? (size_t)np_random_below(random, all->count) : 0;
    read_ends(list, all, q);
    for (int step = 0; step < STEPS && all->count; step++) {
        if (step == STEPS / 2) {
            uint64_t total;
            cr_assert_eq(np_list_count(list, &total, NULL), NP_OK);
            cr_assert_eq(total, all->count);
        }
        if (np_random_below(random, 5) == 0) {
            read_at(list, all, random, q);
            place = (size_t)np_random_below(random, all->count);
        }
        read_near(list, all, place, random, q);
        /* mostly near by, as one who scrolls */
        const int64_t next = (int64_t)place + (int64_t)np_random_below(random, 81) - 40;
        place = next < 0 ? 0 : less((size_t)next, all->count - 1);
    }
}

static const char *const sorts[] = {
    "id",     "total_ns", "setup_ns",       "dns_ns",    "start_ns", "status",
    "failed", "reused",   "received_bytes", "tunnel_ns", "wait_ns",  "connection_use"};
static const char *const wheres[] = {NULL,
                                     NULL,
                                     "total_ns > 100000000",
                                     "status >= 500",
                                     "url LIKE '%items/3%'",
                                     "id = 17 OR id > 8000",
                                     "error IS NOT NULL", /* rows alone know */
                                     "status = 99"};

static struct question any_question(np_random *random)
{
    return (struct question){
        .sort = sorts[np_random_below(random, sizeof sorts / sizeof *sorts)],
        .descending = np_random_below(random, 2),
        .where = wheres[np_random_below(random, sizeof wheres / sizeof *wheres)],
        .run_id = np_random_below(random, 4) == 0,
    };
}

static np_list *open_list(np_store *store, const struct question *q, np_filter **filter,
                          np_random *random)
{
    np_error err = {0};
    np_list *list;
    *filter = NULL;
    if (q->where)
        cr_assert_eq(np_filter_parse(q->where, filter, NULL, &err), NP_OK, "%s", err.text);
    const np_list_options options = {.size = sizeof options,
                                     .sort = q->sort,
                                     .descending = q->descending,
                                     .filter = *filter,
                                     .run_id = q->run_id};
    const uint32_t side =
        np_random_below(random, 3) ? 50 + (uint32_t)np_random_below(random, 900) : 16384;
    cr_assert_eq(np_list_open_with(store, &options, side, &list, &err), NP_OK, "%s", err.text);
    return list;
}

Test(list, a_page_is_a_part_of_all_rows, .init = NULL)
{
    const char *given = getenv("NP_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    np_random random;
    np_random_seed(&random, seed);
    for (int round = 0; round < 4; round++) {
        char path[256];
        snprintf(path, sizeof path, "%s", trace_path("list.db"));
        sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = seed + (uint64_t)round,
                                                             .rows = ROWS,
                                                             .runs = 2,
                                                             .is_wild = round % 2 == 0});
        if (round != 3) /* one trace without chunks */
            cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
        sqlite3_close(db);
        np_store *store;
        cr_assert_eq(np_store_open(path, NULL, &store, NULL), NP_OK);
        for (int i = 0; i < 6; i++) {
            const struct question q = any_question(&random);
            np_filter *filter;
            np_list *list = open_list(store, &q, &filter, &random);
            const struct all all = read_all(path, &q);
            walk(list, &all, &random, &q);
            np_list_close(list);
            np_filter_free(filter);
            free(all.entries);
        }
        np_store_close(store);
    }
}

/* Rows come in while someone looks: nothing changes until the list is refreshed, and then it is as
 * if it had been opened anew. */
Test(list, a_refresh_takes_in_what_is_new)
{
    const char *given = getenv("NP_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    np_random random;
    np_random_seed(&random, seed + 1);
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("grows.db"));
    sqlite3 *db = trace_make(path, &(struct trace_shape){.seed = seed, .rows = ROWS, .runs = 2});
    trace_exec(db, "CREATE TABLE later AS SELECT * FROM request WHERE id > 2000;"
                   "DELETE FROM request WHERE id > 2000");
    np_store *store;
    cr_assert_eq(np_store_open(path, NULL, &store, NULL), NP_OK);
    struct question q[4];
    np_filter *filter[4];
    np_list *list[4];
    for (int i = 0; i < 4; i++) {
        q[i] = any_question(&random);
        q[i].sort = i == 0 ? "id" : q[i].sort;
        list[i] = open_list(store, &q[i], &filter[i], &random);
    }
    for (int64_t upto = 2000; upto < ROWS;) {
        struct all old[4];
        for (int i = 0; i < 4; i++) {
            old[i] = read_all(path, &q[i]);
            if (np_random_below(&random, 2))
                walk(list[i], &old[i], &random, &q[i]);
        }
        upto += 1 + (int64_t)np_random_below(&random, np_random_below(&random, 3) ? 800 : 6000);
        char sql[200];
        snprintf(sql, sizeof sql,
                 "INSERT OR IGNORE INTO request SELECT * FROM later WHERE id <= %lld",
                 (long long)upto);
        trace_exec(db, sql);
        cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
        for (int i = 0; i < 4; i++) {
            read_ends(list[i], &old[i], &q[i]);
            uint64_t added;
            const struct all now = read_all(path, &q[i]);
            cr_assert_eq(np_list_refresh(list[i], &added, NULL), NP_OK);
            cr_assert_eq(added, now.count - old[i].count, "seed %llu: %llu came in, not %zu",
                         (unsigned long long)seed, (unsigned long long)added,
                         now.count - old[i].count);
            read_ends(list[i], &now, &q[i]);
            walk(list[i], &now, &random, &q[i]);
            free(now.entries);
            free(old[i].entries);
        }
    }
    for (int i = 0; i < 4; i++) {
        np_list_close(list[i]);
        np_filter_free(filter[i]);
    }
    np_store_close(store);
    sqlite3_close(db);
}

static bool stop_at_once(double done, void *user)
{
    ++*(int *)user;
    cr_assert(done >= 0 && done <= 1);
    return false;
}

Test(list, what_cannot_be_is_refused)
{
    char path[256];
    snprintf(path, sizeof path, "%s", trace_path("refused.db"));
    sqlite3_close(trace_make(path, &(struct trace_shape){.seed = 1, .rows = 100}));
    np_store *store;
    np_list *list;
    np_list_page *page;
    np_error err = {0};
    cr_assert_eq(np_store_open(path, NULL, &store, NULL), NP_OK);
    np_list_options options = NP_LIST_OPTIONS_INIT;
    options.sort = "totl_ns";
    cr_assert_eq(np_list_open(store, &options, &list, &err), NP_E_ARGUMENT);
    cr_assert(strstr(err.text, "total_ns"), "%s", err.text);
    cr_assert_null(list);
    options.sort = "url";
    cr_assert_eq(np_list_open(store, &options, &list, &err), NP_E_ARGUMENT);
    int calls = 0;
    options.sort = "total_ns";
    options.progress = stop_at_once;
    options.user = &calls;
    cr_assert_eq(np_list_open(store, &options, &list, &err), NP_OK);
    cr_assert_eq(np_list_read(list,
                              &(np_list_query){
                                  .size = sizeof(np_list_query), .place = NP_LIST_FROM, .id = 4000},
                              &page, &err),
                 NP_E_ARGUMENT_RANGE);
    cr_assert(strstr(err.text, "no request 4000"), "%s", err.text);
    cr_assert_eq(
        np_list_read(
            list,
            &(np_list_query){.size = sizeof(np_list_query), .place = NP_LIST_AT, .fraction = 1.5},
            &page, &err),
        NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_list_read(list, &(np_list_query){.size = sizeof(np_list_query), .limit = 5000},
                              &page, &err),
                 NP_E_ARGUMENT_RANGE);
    cr_assert_null(page);
    np_list_close(list);
    np_store_close(store);
}
