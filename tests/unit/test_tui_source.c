/* Answers out of a store, against SQL on the same trace. */
#include "source.h"
#include "trace_maker.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct source *source;
static sqlite3 *db;
static struct answer answer;
static const struct order by_id = {.by = ORDER_ID};
static const struct order by_total = {.by = ORDER_TOTAL, .is_descending = true};

static void open_source(void)
{
    const struct trace_shape shape = {.seed = 9, .rows = 6000};
    char path[256];
    np_store *store;
    snprintf(path, sizeof path, "%s", trace_path("source.db"));
    db = trace_make(path, &shape);
    cr_assert_eq(np_store_open(path, NULL, &store, NULL), NP_OK);
    source = source_create(store, NULL, NULL);
}

static void close_source(void)
{
    answer_done(&answer);
    source_free(source);
    sqlite3_close(db);
}

static np_status ask(struct question question)
{
    answer_done(&answer);
    question.number = 7;
    question.filter = question.filter ? strdup(question.filter) : NULL;
    question.needle = question.needle ? strdup(question.needle) : NULL;
    question.by = question.by ? strdup(question.by) : NULL;
    source_answer(source, &question, &answer);
    cr_assert_eq(answer.number, 7);
    cr_assert_eq(answer.ask, question.ask);
    question_done(&question);
    return answer.status;
}

TestSuite(source, .init = open_source, .fini = close_source);

Test(source, a_page_has_the_rows_that_sql_finds)
{
    cr_assert_eq(ask((struct question){.ask = ASK_ROWS, .order = by_total, .limit = 50}), NP_OK);
    cr_assert_eq(answer.rows->count, 50);
    cr_expect(answer.rows->at_start);
    cr_expect_eq(answer.rows->at[0].total_ns, trace_int(db, "SELECT max(total_ns) FROM requests"));
    const int64_t fiftieth =
        trace_int(db, "SELECT total_ns FROM requests ORDER BY total_ns DESC, id LIMIT 1 OFFSET 49");
    cr_expect_eq(answer.rows->at[49].total_ns, fiftieth);
}

Test(source, a_filter_is_used_and_given_up)
{
    char *filter = "status >= 400";
    cr_assert_eq(ask((struct question){.ask = ASK_COUNT, .order = by_id, .filter = filter}), NP_OK);
    cr_expect_eq((int64_t)answer.count,
                 trace_int(db, "SELECT count(*) FROM requests WHERE status >= 400"));
    cr_assert_eq(ask((struct question){.ask = ASK_COUNT, .order = by_id}), NP_OK);
    cr_expect_eq((int64_t)answer.count, trace_int(db, "SELECT count(*) FROM requests"));
}

Test(source, a_filter_that_is_none_is_told)
{
    char *filter = "nonsense > 1";
    cr_expect_eq(ask((struct question){.ask = ASK_ROWS, .filter = filter, .limit = 5}),
                 NP_E_ARGUMENT);
    cr_expect_neq(answer.error.text[0], '\0');
    cr_expect_eq(ask((struct question){.ask = ASK_ROWS, .limit = 5}), NP_OK);
}

Test(source, a_search_finds_the_next_and_the_one_before)
{
    char *needle = "/items/17";
    char sql[256];
    cr_assert_eq(ask((struct question){.ask = ASK_SEARCH,
                                       .order = by_id,
                                       .place = NP_LIST_BEHIND,
                                       .id = 3000,
                                       .needle = needle}),
                 NP_OK);
    snprintf(sql, sizeof sql, "SELECT min(id) FROM requests WHERE id > 3000 AND url LIKE '%%%s%%'",
             needle);
    cr_expect_eq(answer.id, trace_int(db, sql));
    cr_assert_eq(ask((struct question){.ask = ASK_SEARCH,
                                       .order = by_id,
                                       .place = NP_LIST_BEFORE,
                                       .id = 3000,
                                       .needle = needle}),
                 NP_OK);
    snprintf(sql, sizeof sql, "SELECT max(id) FROM requests WHERE id < 3000 AND url LIKE '%%%s%%'",
             needle);
    cr_expect_eq(answer.id, trace_int(db, sql));
    needle = "there is no such text";
    cr_assert_eq(
        ask((struct question){
            .ask = ASK_SEARCH, .order = by_id, .place = NP_LIST_BEHIND, .id = 1, .needle = needle}),
        NP_OK);
    cr_expect_eq(answer.id, 0);
}

Test(source, a_time_is_found_where_requests_started_then)
{
    const int64_t time_ns = trace_int(db, "SELECT start_ns FROM requests WHERE id = 2345");
    cr_assert_eq(ask((struct question){.ask = ASK_TIME, .time_ns = time_ns}), NP_OK);
    cr_expect_geq(answer.id, 2345 - 20, "starts follow ids nearly");
    cr_expect_leq(answer.id, 2345 + 20);
    cr_assert_eq(ask((struct question){.ask = ASK_TIME, .time_ns = 1}), NP_OK);
    cr_expect_eq(answer.id, 1);
    cr_assert_eq(ask((struct question){.ask = ASK_TIME, .time_ns = INT64_MAX}), NP_OK);
    cr_expect_eq(answer.id, trace_int(db, "SELECT max(id) FROM requests"));
}

Test(source, what_was_recorded_meanwhile_is_counted)
{
    cr_assert_eq(ask((struct question){.ask = ASK_ROWS, .order = by_id, .limit = 5}), NP_OK);
    cr_assert_eq(ask((struct question){.ask = ASK_REFRESH, .order = by_id}), NP_OK);
    cr_expect_eq(answer.count, 0);
    trace_exec(db,
               "INSERT INTO request (run_id, process_id, number, start_ns, total_ns, outcome, "
               "purpose, method_id, origin_id, path_id, route_id, gap_ns, flags) SELECT run_id, "
               "process_id, number + 9000, start_ns, 1, 0, 0, method_id, origin_id, path_id, "
               "route_id, 1, 0 FROM request ORDER BY id LIMIT 3");
    cr_assert_eq(ask((struct question){.ask = ASK_REFRESH, .order = by_id}), NP_OK);
    cr_expect_eq(answer.count, 3);
}

Test(source, a_report_has_bins_that_hold_every_value)
{
    char *by = "host";
    cr_assert_eq(ask((struct question){.ask = ASK_REPORT, .by = by, .limit = 100}), NP_OK);
    cr_assert_gt(answer.report->group_count, 0);
    for (size_t i = 0; i < answer.report->group_count; i++) {
        const np_figures *figures = &answer.report->groups[i].total;
        uint64_t sum = 0;
        for (int bin = 0; bin < REPORT_BINS; bin++)
            sum += figures->bins[bin];
        cr_expect_eq(sum, figures->count);
        cr_expect_gt(figures->bins[0], 0, "the least value is in the first step");
        cr_expect_gt(figures->bins[REPORT_BINS - 1], 0, "the greatest one in the last");
    }
}

Test(source, there_are_not_too_many_bins)
{
    np_report_options options = NP_REPORT_OPTIONS_INIT;
    np_report *report;
    np_store *store;
    options.bins = 65;
    cr_assert_eq(np_store_open(trace_path("source.db"), NULL, &store, NULL), NP_OK);
    cr_expect_eq(np_report_create(store, &options, &report, NULL), NP_E_ARGUMENT_RANGE);
    np_store_close(store);
}

Test(source, a_request_that_is_not_there_is_told)
{
    cr_expect_eq(ask((struct question){.ask = ASK_DETAIL, .id = 999999}), NP_E_ARGUMENT_RANGE);
    cr_expect_eq(ask((struct question){.ask = ASK_DETAIL, .id = 17}), NP_OK);
    cr_expect_eq(answer.detail->row.id, 17);
}
