#include "trace_maker.h"

#include "chunk.h"
#include "quantile.h"

#include <criterion/criterion.h>
#include <netphase/report.h>
#include <stdio.h>
#include <string.h>

static char path[256];

static np_store *store_of(const struct trace_shape *shape, const char *sql)
{
    snprintf(path, sizeof path, "%s", trace_path("report.db"));
    sqlite3 *db = trace_make(path, shape);
    trace_exec(db, sql);
    cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    sqlite3_close(db);
    np_store *store = NULL;
    np_error err = {0};
    cr_assert_eq(np_store_open(path, NULL, &store, &err), NP_OK, "%s", err.text);
    return store;
}

static np_report *report_of(np_store *store, np_report_options options)
{
    np_report *report = NULL;
    np_error err = {0};
    options.size = sizeof options;
    cr_assert_eq(np_report_create(store, &options, &report, &err), NP_OK, "%s", err.text);
    return report;
}

Test(report, groups_by_origin_method_and_connection_state_unless_told_otherwise)
{
    np_store *store = store_of(&(struct trace_shape){.seed = 1, .rows = 500}, "");

    np_report *report = report_of(store, (np_report_options){0});

    cr_assert_eq(report->by_count, 3);
    cr_assert_str_eq(report->by[0], "origin");
    cr_assert_str_eq(report->by[2], "connection_state");
    cr_assert_str_eq(report->file, path);
    cr_assert_eq(report->requests, 500);
    cr_assert_eq(report->groups_left_out, 0);
    np_report_free(report);
    np_store_close(store);
}

Test(report, absent_phases_are_not_counted_and_gap_always_is)
{
    np_store *store = store_of(&(struct trace_shape){.seed = 1, .rows = 100}, TRACE_MORE_FOR_ALL
                               "UPDATE request_more SET dns_ns = CASE WHEN id <= 10 THEN 0 END, "
                               "proxy_ns = NULL; UPDATE request SET gap_ns = 0");

    np_report *report = report_of(store, (np_report_options){.by = "none"});

    cr_assert_eq(report->group_count, 1);
    cr_assert_eq(report->by_count, 0);
    cr_assert_eq(report->groups[0].phases[NP_PHASE_DNS].count, 10);
    cr_assert_eq(report->groups[0].phases[NP_PHASE_PROXY].count, 0);
    cr_assert_eq(report->groups[0].phases[NP_PHASE_GAP].count, 100);
    cr_assert_eq(report->groups[0].setup.count, 100);
    cr_assert_eq(report->groups[0].total.count, 100);
    np_report_free(report);
    np_store_close(store);
}

Test(report, an_empty_trace_gives_an_empty_report)
{
    snprintf(path, sizeof path, "%s", trace_path("empty.db"));
    sqlite3_close(trace_make_empty(path));
    np_store *store;
    cr_assert_eq(np_store_open(path, NULL, &store, NULL), NP_OK);

    np_report *report = report_of(store, (np_report_options){0});

    cr_assert_eq(report->group_count, 0);
    cr_assert_eq(report->requests + report->runs, 0);
    cr_assert_eq(report->from_ns, 0);
    cr_assert_eq(report->to_ns, 0);
    cr_assert_str_eq(report->labels, "{}");
    np_report_free(report);
    np_store_close(store);
}

Test(report, labels_are_those_that_all_runs_share)
{
    np_store *store = store_of(&(struct trace_shape){.seed = 1, .rows = 90, .runs = 3},
                               "UPDATE run SET dropped = id * 10");

    np_report *all = report_of(store, (np_report_options){0});
    np_report *one = report_of(store, (np_report_options){.run_id = 1});
    np_report *none = report_of(store, (np_report_options){.run_id = 99});

    cr_assert_eq(all->runs, 3);
    cr_assert_eq(all->dropped, 60);
    cr_assert_str_eq(all->labels, "{\"job\":\"nightly\"}");
    cr_assert_eq(one->runs, 1);
    cr_assert_eq(one->dropped, 10);
    cr_assert_eq(one->requests, 30);
    cr_assert(strstr(one->labels, "\"commit\":\"c0\""), "%s", one->labels);
    cr_assert_eq(none->requests + none->runs, 0);
    np_report_free(all);
    np_report_free(one);
    np_report_free(none);
    np_store_close(store);
}

Test(report, mistakes_are_named_with_the_nearest_right_word)
{
    static const struct {
        np_report_options options;
        np_status status;
        const char *says;
    } cases[] = {
        {{.by = "orign"},                                        NP_E_ARGUMENT,       "did you mean 'origin'"},
        {{.by = "origin,metod"},                                 NP_E_ARGUMENT,       "did you mean 'method'"},
        {{.by = "qqqqqqqq"},                                     NP_E_ARGUMENT,       "there are origin"     },
        {{.by = ""},                                             NP_E_ARGUMENT,       "no grouping by ''"    },
        {{.by = "origin,"},                                      NP_E_ARGUMENT,       "no grouping by ''"    },
        {{.by = "label."},                                       NP_E_ARGUMENT,       "label"                },
        {{.by = "host,host,host,host,host,host,host,host,host"}, NP_E_ARGUMENT,       "more than 8"          },
        {{.sort = "p98"},                                        NP_E_ARGUMENT,       "did you mean"         },
        {{.sort = "wwwwwwww"},                                   NP_E_ARGUMENT,       "there are share"      },
        {{.since_ns = -1},                                       NP_E_ARGUMENT_RANGE, "1970"                 },
    };
    np_store *store = store_of(&(struct trace_shape){.seed = 1, .rows = 10}, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_report *report;
        np_error err = {0};
        np_report_options options = cases[i].options;
        options.size = sizeof options;
        cr_assert_eq(np_report_create(store, &options, &report, &err), cases[i].status, "case %zu",
                     i);
        cr_assert_null(report);
        cr_assert(strstr(err.text, cases[i].says), "case %zu: %s", i, err.text);
    }
    np_store_close(store);
}

static double key_of(const np_report_group *g, const char *sort)
{
    if (!strcmp(sort, "count"))
        return (double)g->requests;
    if (!strcmp(sort, "failed"))
        return (double)g->failed;
    if (!strcmp(sort, "setup"))
        return (double)g->setup.p95_ns;
    const struct {
        const char *name;
        double value;
    } keys[] = {
        {"share", (double)g->total.sum_ns},
        {"p50",   (double)g->total.p50_ns},
        {"p90",   (double)g->total.p90_ns},
        {"p95",   (double)g->total.p95_ns},
        {"p99",   (double)g->total.p99_ns},
        {"max",   (double)g->total.max_ns},
        {"mean",  g->total.mean_ns       }
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(sort, keys[i].name))
            return keys[i].value;
    return 0;
}

Test(report, groups_come_in_the_order_asked_for)
{
    static const char *const sorts[] = {"share", "count", "failed", "p50",   "p90", "p95",
                                        "p99",   "max",   "mean",   "setup", "name"};
    np_store *store = store_of(&(struct trace_shape){.seed = 1, .rows = 3000}, "");
    for (size_t s = 0; s < sizeof sorts / sizeof *sorts; s++) {
        np_report *all = report_of(store, (np_report_options){.by = "path", .sort = sorts[s]});
        np_report *top =
            report_of(store, (np_report_options){.by = "path", .sort = sorts[s], .top = 5});
        cr_assert_eq(all->group_count, 40);
        for (size_t i = 1; i < all->group_count; i++) {
            const double before = key_of(&all->groups[i - 1], sorts[s]),
                         after = key_of(&all->groups[i], sorts[s]);
            cr_assert(before > after || (before == after && strcmp(all->groups[i - 1].by[0],
                                                                   all->groups[i].by[0]) < 0),
                      "by %s, group %zu", sorts[s], i);
        }
        cr_assert_eq(top->group_count, 5);
        cr_assert_eq(top->groups_left_out, 35);
        for (size_t i = 0; i < 5; i++)
            cr_assert_str_eq(top->groups[i].by[0], all->groups[i].by[0]);
        np_report_free(all);
        np_report_free(top);
    }
    np_store_close(store);
}

Test(report, nonsense_in_rows_is_counted_as_zero)
{
    np_store *store =
        store_of(&(struct trace_shape){.seed = 1, .rows = NP_CHUNK_ROWS + 10}, TRACE_MORE_FOR_ALL
                 "UPDATE request SET queue_ns = -5, total_ns = -9223372036854775807, "
                 "start_ns = 9223372036854775807 WHERE id % 2;"
                 "UPDATE request_more SET dns_ns = -1 WHERE id % 2;"
                 "UPDATE request SET queue_ns = 9223372036854775807, "
                 "start_ns = -9223372036854775807 WHERE id % 2 = 0;"
                 "UPDATE request_more SET tls_ns = 9223372036854775807 WHERE id % 2 = 0;"
                 "UPDATE request SET method_id = -77, origin_id = 9223372036854775807, path_id = "
                 "0, run_id = -1 WHERE id % 3 = 0");

    np_report *report = report_of(store, (np_report_options){.by = "none"});
    np_report *by_minute = report_of(store, (np_report_options){.by = "minute,url,run,method"});

    cr_assert_eq(report->groups[0].total.min_ns, 0);
    cr_assert_eq(report->groups[0].phases[NP_PHASE_QUEUE].min_ns, 0);
    cr_assert_eq(report->groups[0].phases[NP_PHASE_QUEUE].sum_ns, INT64_MAX);
    cr_assert_eq(report->groups[0].setup.max_ns, INT64_MAX);
    cr_assert_eq(report->requests, NP_CHUNK_ROWS + 10);
    cr_assert(by_minute->group_count > 1);
    np_report_free(report);
    np_report_free(by_minute);
    np_store_close(store);
}

Test(report, damaged_chunks_are_input)
{
    np_store *store = store_of(&(struct trace_shape){.seed = 1, .rows = NP_CHUNK_ROWS}, "");
    sqlite3 *db;
    np_report *report;
    np_error err = {0};
    sqlite3_open(path, &db);
    trace_exec(db, "UPDATE chunk_column SET data = x'00' WHERE width > 0");
    sqlite3_close(db);

    cr_assert_eq(np_report_create(store, NULL, &report, &err), NP_E_INPUT);

    cr_assert(strstr(err.text, "rebuild"), "%s", err.text);
    np_store_close(store);
}

Test(quantile, known_answers)
{
    np_values values = {0};
    np_figures f;
    for (int i = 1; i <= 200; i++)
        cr_assert(np_values_push(&values, i * INT64_C(1000)));

    cr_assert(np_values_figures(&values, 40200000, &f));

    cr_assert_eq(f.count, 200);
    cr_assert_eq(f.p50_ns, 100000);
    cr_assert_eq(f.p90_ns, 180000);
    cr_assert_eq(f.p95_ns, 190000);
    cr_assert_eq(f.p99_ns, 198000);
    cr_assert_eq(f.sum_ns, 20100000);
    cr_assert_float_eq(f.share, 0.5, 1e-12);
    cr_assert_float_eq(f.mean_ns, 100500, 1e-9);
    cr_assert_float_eq(f.stddev_ns, 57879.184513951, 1e-6);
    np_values_done(&values);
}

Test(quantile, values_on_both_sides_of_four_seconds)
{
    np_values values = {0};
    np_figures f;
    for (int i = 0; i < 10; i++)
        cr_assert(np_values_push(&values, i < 9 ? i : INT64_MAX));

    cr_assert(np_values_figures(&values, 1, &f));

    cr_assert_eq(f.p50_ns, 4);
    cr_assert_eq(f.p90_ns, 8);
    cr_assert_eq(f.p95_ns, INT64_MAX);
    cr_assert_eq(f.max_ns, INT64_MAX);
    cr_assert_eq(f.min_ns, 0);
    np_values_done(&values);
}

Test(quantile, many_equal_values_take_no_time)
{
    np_values values = {0};
    np_figures f;
    for (int i = 0; i < 300000; i++)
        cr_assert(np_values_push(&values, i % 1000 ? 70000 : 4294967295));

    cr_assert(np_values_figures(&values, 1, &f));

    cr_assert_eq(f.p99_ns, 70000);
    cr_assert_eq(f.max_ns, 4294967295);
    np_values_done(&values);
}
