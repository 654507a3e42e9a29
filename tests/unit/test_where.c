#include "trace_maker.h"

#include "view_column.h"
#include "where.h"

#include <criterion/criterion.h>
#include <netphase/store.h>
#include <stdio.h>
#include <string.h>

static np_filter *parsed(const char *text)
{
    np_filter *filter = NULL;
    np_error err = {0};
    cr_assert_eq(np_filter_parse(text, &filter, NULL, &err), NP_OK, "%s: %s", text, err.text);
    return filter;
}

static const char *normal(const char *text)
{
    static char out[4096];
    np_filter *filter = parsed(text);
    np_filter_text(filter, out, sizeof out);
    np_filter_free(filter);
    return out;
}

Test(where, normal_forms)
{
    static const struct {
        const char *text, *normal;
    } cases[] = {
        {"status=500",                                                                               "status = 500"                                },
        {"STATUS == 500",                                                                            "status = 500"                                },
        {"status != 500 or status<>1",                                                               "status <> 500 or status <> 1"                },
        {"host = 'api.example' and (setup_ns > 50ms or status >= 500) and not url like '%/health%'",
         "host = 'api.example' and (setup_ns > 50ms or status >= 500) and not url like "
         "'%/health%'"                                                                                                                             },
        {"a_ns",                                                                                     NULL                                          },
        {"((status = 1))",                                                                           "status = 1"                                  },
        {"status = 1 or status = 2 and status = 3",                                                  "status = 1 or status = 2 and status = 3"     },
        {"(status = 1 or status = 2) and status = 3",                                                "(status = 1 or status = 2) and status = 3"   },
        {"status = 1 and (status = 2 and status = 3)",
         "status = 1 and (status = 2 and status = 3)"                                                                                              },
        {"not (failed and reused)",                                                                  "not (failed = true and reused = true)"       },
        {"not not failed",                                                                           "not not failed = true"                       },
        {"failed = 1 and tls_resumed = false",                                                       "failed = true and tls_resumed = false"       },
        {"method in ('GET','PO''ST')",                                                               "method in ('GET', 'PO''ST')"                 },
        {"method not in ('GET')",                                                                    "not method in ('GET')"                       },
        {"status between 400 and 499 and failed",                                                    "status between 400 and 499 and failed = true"},
        {"dns_ns not between 1ms and 1.5s",                                                          "not dns_ns between 1ms and 1500ms"           },
        {"proxy is null",                                                                            "proxy is null"                               },
        {"proxy is not null",                                                                        "not proxy is null"                           },
        {"label.commit-id = 'x'",                                                                    "label.commit-id = 'x'"                       },
        {"LABEL.Job like 'n%'",                                                                      "label.Job like 'n%'"                         },
        {"total_ns > 1500000",                                                                       "total_ns > 1500us"                           },
        {"total_ns >= 0",                                                                            "total_ns >= 0"                               },
        {"total_ns > 2h",                                                                            "total_ns > 2h"                               },
        {"hop_of = -5",                                                                              "hop_of = -5"                                 },
        {" \t\nstatus\n=\n1 ",                                                                       "status = 1"                                  },
        {"path = ''",                                                                                "path = ''"                                   },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].normal)
            cr_assert_str_eq(normal(cases[i].text), cases[i].normal, "%s", cases[i].text);
}

Test(where, mistakes_have_a_place_and_a_word)
{
    static const struct {
        const char *text;
        size_t offset, length;
        const char *suggestion;
        const char *says;
    } cases[] = {
        {"setup_time > 50ms",              0,  10, "setup_ns", "unknown column 'setup_time'"                         },
        {"status >= 500 and hots = 'x'",   18, 4,  "host",     "unknown column 'hots'"                               },
        {"zzzzzzzzzzzz = 1",               0,  12, "",         "unknown column"                                      },
        {"",                               0,  0,  "",         "the expression ends where a column was expected"     },
        {"status",                         6,  0,  "",         "operator"                                            },
        {"status =",                       8,  0,  "",         "ends where a whole number was expected"              },
        {"status = 50ms",                  9,  4,  "",         "'status' compares with a whole number, not with 50ms"},
        {"status = 'x'",                   9,  3,  "",         "a whole number"                                      },
        {"status = 1.5",                   9,  3,  "",         "neither a whole number nor a duration"               },
        {"setup_ns > 5 parsecs",           13, 7,  "",
         "found 'parsecs' where and, or or the end was expected"                                                     },
        {"setup_ns > 5parsecs",            11, 8,  "",         "neither a whole number nor a duration"               },
        {"setup_ns > 'x'",                 11, 3,  "",         "a duration such as 50ms"                             },
        {"host = api",                     7,  3,  "'api'",    "a 'text'"                                            },
        {"host = 5",                       7,  1,  "",         "a 'text'"                                            },
        {"host = 'api",                    7,  4,  "",         "no closing '"                                        },
        {"host = \"api\"",                 7,  1,  "",         "single quotes"                                       },
        {"failed = maybe",                 9,  5,  "",         "true or false"                                       },
        {"failed = 2",                     9,  1,  "",         "true or false"                                       },
        {"(status = 1",                    11, 0,  "",         "ends where and, or or )"                             },
        {"status = 1)",                    10, 1,  "",         "found ')'"                                           },
        {"status = 1 status = 2",          11, 6,  "",         "found 'status'"                                      },
        {"status in ()",                   11, 1,  "",         "found ')'"                                           },
        {"status in (1 2)",                13, 1,  "",         ") or ,"                                              },
        {"status like '5%'",               7,  4,  "",         "like is for texts"                                   },
        {"status between 1 or 2",          17, 2,  "",         "found 'or' where and was expected"                   },
        {"status is 5",                    10, 1,  "",         "null or not null"                                    },
        {"status not = 5",                 11, 1,  "",         "like, in or between"                                 },
        {"and = 5",                        0,  3,  "",         "found 'and' where a column was expected"             },
        {"status = 99999999999999999999",  9,  20, "",         "too large"                                           },
        {"total_ns > 9999999999h",         11, 11, "",         "too long"                                            },
        {"status = 1; DROP TABLE request", 10, 1,  "",         "found ';'"                                           },
        {"status ∧ 1",                   7,  3,  "",         "means nothing here"                                  },
        {"label. = 'x'",                   0,  6,  "",         "label.KEY"                                           },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_filter *filter = NULL;
        np_filter_mistake mistake;
        np_error err = {0};
        memset(&mistake, 'x', sizeof mistake);

        cr_assert_eq(np_filter_parse(cases[i].text, &filter, &mistake, &err), NP_E_ARGUMENT, "%s",
                     cases[i].text);

        cr_assert_null(filter);
        cr_assert_eq(mistake.offset, cases[i].offset, "%s: offset %zu", cases[i].text,
                     mistake.offset);
        cr_assert_eq(mistake.length, cases[i].length, "%s: length %zu", cases[i].text,
                     mistake.length);
        cr_assert_str_eq(mistake.suggestion, cases[i].suggestion, "%s", cases[i].text);
        cr_assert(strstr(err.text, cases[i].says), "%s: %s", cases[i].text, err.text);
        cr_assert_eq(np_filter_parse(cases[i].text, &filter, NULL, NULL), NP_E_ARGUMENT);
    }
}

static np_status parse_repeated(const char *begin, const char *piece, int count, const char *end)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_str_appendall(text, begin);
    for (int i = 0; i < count; i++)
        sqlite3_str_appendall(text, piece);
    sqlite3_str_appendall(text, end);
    char *finished = sqlite3_str_finish(text);
    np_filter *filter;
    np_filter_mistake mistake;
    const np_status status = np_filter_parse(finished, &filter, &mistake, NULL);
    np_filter_free(filter);
    sqlite3_free(finished);
    return status;
}

Test(where, sizes_are_bounded)
{
    cr_assert_eq(parse_repeated("status = 1", " ", 16384 - 10, ""), NP_OK);
    cr_assert_eq(parse_repeated("status = 1", " ", 16384, ""), NP_E_ARGUMENT);
    cr_assert_eq(parse_repeated("", "(", 16000, ""), NP_E_ARGUMENT);
    cr_assert_eq(parse_repeated("", "not ", 4000, "failed"), NP_E_ARGUMENT);
    cr_assert_eq(parse_repeated("", "not ", 63, "failed"), NP_OK);
    cr_assert_eq(parse_repeated("failed", " or failed", 255, ""), NP_OK);
    cr_assert_eq(parse_repeated("failed", " or failed", 256, ""), NP_E_ARGUMENT);
    cr_assert_eq(parse_repeated("status in (1", ",1", 4095, ")"), NP_OK);
    cr_assert_eq(parse_repeated("status in (1", ",1", 4096, ")"), NP_E_ARGUMENT);
    cr_assert_eq(parse_repeated("host like '", "x", 4096, "'"), NP_OK);
    cr_assert_eq(parse_repeated("host like '", "x", 4097, "'"), NP_E_ARGUMENT);
}

Test(where, text_is_cut_like_snprintf)
{
    np_filter *filter = parsed("status = 500");
    char out[8];

    cr_assert_eq(np_filter_text(filter, out, sizeof out), strlen("status = 500"));

    cr_assert_str_eq(out, "status ");
    cr_assert_eq(np_filter_text(filter, NULL, 0), strlen("status = 500"));
    np_filter_free(filter);
}

Test(where, columns_are_those_of_the_view)
{
    sqlite3 *db = trace_make_empty(trace_path("columns.db"));
    sqlite3_stmt *s;
    cr_assert_eq(
        sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_info('requests')", -1, &s, NULL),
        SQLITE_OK);
    int i = 0;
    for (; sqlite3_step(s) == SQLITE_ROW; i++)
        cr_assert_str_eq((const char *)sqlite3_column_text(s, 0), np_view_columns[i].name);
    cr_assert_eq(i, NP_VIEW_COLUMNS);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

Test(where, our_expressions_say_what_the_view_says)
{
    sqlite3 *db =
        trace_make(trace_path("view.db"),
                   &(struct trace_shape){.seed = 11, .rows = 2000, .is_wild = true, .runs = 3});
    for (int i = 0; i < NP_VIEW_COLUMNS; i++) {
        char sql[2048];
        snprintf(sql, sizeof sql,
                 "SELECT count(*), count(q.%s), count(*) FILTER (WHERE q.%s IS NOT %s) FROM "
                 "requests q JOIN request r ON r.id = q.id LEFT JOIN request_more m ON m.id = r.id",
                 np_view_columns[i].name, np_view_columns[i].name, np_view_columns[i].sql);
        sqlite3_stmt *s;
        cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s",
                     sqlite3_errmsg(db));
        cr_assert_eq(sqlite3_step(s), SQLITE_ROW, "%s: %s", np_view_columns[i].name,
                     sqlite3_errmsg(db));
        cr_assert(sqlite3_column_int(s, 0) > 1500);
        cr_assert(sqlite3_column_int(s, 1) > 0, "%s is always NULL", np_view_columns[i].name);
        cr_assert_eq(sqlite3_column_int(s, 2), 0, "%s differs", np_view_columns[i].name);
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
}

Test(where, values_are_bound_and_not_pasted)
{
    np_filter *filter =
        parsed("host = 'x'' OR 1=1 --' and label.job in ('a', 'b') and setup_ns > 50ms");
    np_textbuf sql;
    np_textbuf_init(&sql, 65536);

    const int parameters = np_filter_sql(filter, 3, &sql);

    cr_assert_eq(parameters, 5);
    cr_assert_null(strstr(sql.text, "1=1"));
    cr_assert_null(strstr(sql.text, "50"));
    cr_assert_not_null(strstr(sql.text, "?7"));
    cr_assert_null(strstr(sql.text, "?8"));
    np_textbuf_done(&sql);
    np_filter_free(filter);
}

Test(where, what_chunks_do_not_hold_is_known)
{
    static const struct {
        const char *text;
        bool is_columnar;
    } cases[] = {
        {"status = 1 and host = 'x' and label.a = 'b' and url like 'x' and connection_state = "
         "'new'",            true },
        {"status = 1 or error = 'x'", false},
        {"not started like '2026%'",  false},
        {"hop = 1",                   false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_filter *filter = parsed(cases[i].text);
        cr_assert_eq(np_filter_is_columnar(filter), cases[i].is_columnar, "%s", cases[i].text);
        np_filter_free(filter);
    }
}

Test(where, chunks_are_skipped_by_their_ranges)
{
    static const struct {
        const char *text;
        bool may_match;
    } cases[] = {
        {"status >= 500",              false},
        {"status > 403",               true },
        {"status = 404",               true },
        {"status = 405",               false},
        {"status <> 200",              true },
        {"not status <= 404",          false},
        {"status between 405 and 499", false},
        {"status between 300 and 499", true },
        {"status in (1, 2, 999)",      false},
        {"status in (1, 300)",         true },
        {"dns_ns > 0",                 false},
        {"not dns_ns > 0",             false},
        {"dns_ns is null",             true },
        {"status > 999 or failed",     true },
        {"status > 999 and failed",    false},
        {"total_ns > 1s",              true },
        {"reused",                     false},
        {"not reused",                 true },
    };
    np_columns columns;
    np_columns_init(&columns);
    columns.ranged = columns.empty = 0;
#define RANGE(column, a, b)                                                                        \
    (columns.ranged |= NP_COLUMN_BIT(column), columns.low[column] = (a), columns.high[column] = (b))
    RANGE(NP_COLUMN_STATUS, 200, 404);
    RANGE(NP_COLUMN_OUTCOME, 0, 3);
    RANGE(NP_COLUMN_CONNECTION_USE, 1, 1);
    RANGE(NP_COLUMN_DNS, 0, 0);
    columns.empty = NP_COLUMN_BIT(NP_COLUMN_DNS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_filter *filter = parsed(cases[i].text);
        cr_assert_eq(np_filter_may_match(filter, &columns), cases[i].may_match, "%s",
                     cases[i].text);
        np_filter_free(filter);
    }
}
