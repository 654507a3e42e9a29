/*
 * netphase as users run it: exit statuses, messages, and what stands on stdout. Every test works in
 * a folder of its own with a trace that is made from schema/ and tests/data/small_trace.sql by
 * SQLite alone.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/netphase-cli-XXXXXX";

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    char *text = calloc(1, 1);
    size_t used = 0;
    char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof block, file)) > 0) {
        text = realloc(text, used + got + 1);
        memcpy(text + used, block, got);
        used += got;
    }
    text[used] = '\0';
    fclose(file);
    if (length)
        *length = used;
    return text;
}

static void load(sqlite3 *db, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", NP_SOURCE_DIR, name);
    char *sql = read_file(path, NULL);
    char *message = NULL;
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "%s: %s", name, message);
    free(sql);
}

static void make_trace(const char *path)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    load(db, "schema/0001_trace.sql");
    load(db, "schema/views.sql");
    load(db, "tests/data/small_trace.sql");
    sqlite3_close(db);
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    make_trace("t.db");
    unsetenv("NETPHASE_TRACE");
    unsetenv("NO_COLOR");
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TERM", "xterm-256color", 1);
    unsetenv("COLUMNS");
}

static void tear_down(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(programs, .init = set_up, .fini = tear_down);

struct outcome {
    int status;
    char *out, *told; /* stdout, stderr */
};

/* Runs `netphase ARGUMENTS` by the shell. */
static struct outcome run(const char *format, ...)
{
    char arguments[1024];
    char command[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "{ '%s' %s; } > out.txt 2> told.txt", NP_PROGRAM, arguments);
    int status = system(command);
    cr_assert(WIFEXITED(status), "%s", command);
    return (struct outcome){WEXITSTATUS(status), read_file("out.txt", NULL),
                            read_file("told.txt", NULL)};
}

static void done(struct outcome *o)
{
    free(o->out);
    free(o->told);
}

/* The call ends with `status`, stderr has `told`, and stdout is empty. */
static void fails(const char *arguments, int status, const char *told)
{
    struct outcome o = run("%s", arguments);
    cr_expect_eq(o.status, status, "%s: %d, %s", arguments, o.status, o.told);
    cr_expect_not_null(strstr(o.told, told), "%s told: %s", arguments, o.told);
    cr_expect_str_empty(o.out, "%s: %s", arguments, o.out);
    done(&o);
}

/* SQLite's own judgement on a document. */
static char *json_ask(const char *document, const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_prepare_v2(
            db, "SELECT CASE WHEN json_valid(?1) THEN coalesce(json_extract(?1, ?2), 'null') END",
            -1, &statement, NULL),
        SQLITE_OK);
    sqlite3_bind_text(statement, 1, document, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 2, path, -1, SQLITE_TRANSIENT);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW, "%s", sqlite3_errmsg(db));
    const unsigned char *value = sqlite3_column_text(statement, 0);
    cr_assert_not_null(value, "no valid JSON: %s", document);
    char *copy = strdup((const char *)value);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return copy;
}

static void json_is(const char *document, const char *path, const char *expected)
{
    char *value = json_ask(document, path);
    cr_expect_str_eq(value, expected, "%s: found %s, expected %s", path, value, expected);
    free(value);
}

/* -------------------------------------------------------------------------------------------- wrong usage */

Test(programs, wrong_usage_exits_with_2_and_says_what_to_do)
{
    static const struct {
        const char *arguments, *told;
    } cases[] = {
        {"",                         "Usage: netphase VERB"                                                                   },
        {"reprot",                   "netphase: unknown verb 'reprot'; did you mean 'report'?\n          try "
                   "'netphase help'\n"                                                                      },
        {"--versoin",                "unknown option '--versoin'; did you mean '--version'?"                                  },
        {"https://api.example/",     "to record it: netphase record https://api.example/"                                     },
        {"report --frmat json t.db", "netphase report: unknown option '--frmat'; did you mean "
                                     "'--format'?\n          try 'netphase help report'\n"},
        {"report t.db extra",        "netphase report: one argument too many: 'extra', expected [TRACE]"                      },
        {"report --format xml t.db",
         "--format: found 'xml', expected table, json, csv or markdown"                                                       },
        {"report --top -1 t.db",     "--top: found '-1'"                                                                      },
        {"report --since soon t.db", "--since: found 'soon', expected a time such as"                                         },
        {"report --by colour t.db",  "colour"                                                                                 },
        {"report --sort size t.db",  "size"                                                                                   },
        {"show t.db first",          "REQUEST: found 'first', expected the number of a request"                               },
        {"report --run 99 t.db",     "there is no run 99 here; 'netphase info' lists them"                                    },
        {"show t.db 4000",           "4000"                                                                                   },
        {"help nothing",             "unknown verb 'nothing'"                                                                 },
        {"info --rebiuld t.db",      "did you mean '--rebuild'?"                                                              },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fails(cases[i].arguments, 2, cases[i].told);
}

Test(programs, a_mistake_in_where_has_a_caret_below_it)
{
    fails("report --where 'setup_nz > 50ms' t.db", 2,
          "netphase report: unknown column 'setup_nz' in --where\n"
          "          setup_nz > 50ms\n"
          "          ^~~~~~~~ did you mean 'setup_ns'?\n");
    fails("report --where \"host = 'a' and\" t.db", 2,
          "          host = 'a' and\n                        ^");
}

Test(programs, a_program_that_is_missing_is_named)
{
    setenv("NETPHASE_EXEC_PATH", folder, 1);
    fails("record http://127.0.0.1:1/", 2,
          "netphase record: the program netphase-net is not there");
    fails("lab", 2, "netphase lab: the program netphase-lab is not there");
    fails("help record", 2, "the program netphase-net is not there");
}

/* ----------------------------------------------------------------------------------------------- no input */

Test(programs, a_missing_trace_exits_with_4_and_says_how_to_make_one)
{
    static const char *const verbs[] = {"report", "show", "info"};
    for (size_t i = 0; i < 3; i++) {
        char arguments[64];
        snprintf(arguments, sizeof arguments, "%s none.db", verbs[i]);
        fails(arguments, 4,
              "no trace here: none.db does not exist\n          record one with 'netphase record "
              "URL', or name a file\n");
    }
    fails("report", 4, "netphase.db does not exist");
    fails("report -", 4, "a trace cannot be read from standard input");
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void alter(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_OK, "%s", message);
    sqlite3_close(db);
}

Test(programs, what_is_no_trace_or_a_newer_one_exits_with_4)
{
    write_file("text.db", "this is no database, but it is long enough to be looked at", 58);
    fails("report text.db", 4, "text.db");
    write_file("empty.db", "", 0);
    fails("report empty.db", 4, "empty.db");
    cr_assert_eq(mkdir("folder.db", 0700), 0);
    fails("report folder.db", 4, "folder.db");
    alter("other.db", "CREATE TABLE t (a); PRAGMA user_version = 7;");
    fails("info other.db", 4, "other.db");
    make_trace("newer.db");
    alter("newer.db", "PRAGMA user_version = 99;");
    fails("report newer.db", 4, "99");
}

Test(programs, a_truncated_trace_exits_with_4_and_does_not_crash)
{
    size_t length;
    char *bytes = read_file("t.db", &length);
    for (size_t part = 1; part < 8; part++) {
        write_file("cut.db", bytes, length * part / 8);
        static const char *const verbs[] = {"report", "show", "info"};
        for (size_t i = 0; i < 3; i++) {
            struct outcome o = run("%s cut.db", verbs[i]);
            cr_expect(o.status == 0 || o.status == 4, "%s at %zu/8: %d %s", verbs[i], part,
                      o.status, o.told);
            cr_expect(i != 2 || o.status == 4, "info finds the damage at %zu/8: %d %s", part,
                      o.status, o.told);
            cr_expect(o.status == 0 || strncmp(o.told, "netphase ", 9) == 0, "%s", o.told);
            done(&o);
        }
    }
    free(bytes);
}

Test(programs, rows_that_contradict_each_other_are_told_by_info)
{
    alter("t.db", "UPDATE request SET total_ns = total_ns + 1 WHERE id = 3");
    struct outcome o = run("info t.db");
    cr_expect_eq(o.status, 4);
    cr_expect_not_null(strstr(o.out, "phases do not add up"), "%s", o.out);
    cr_expect_not_null(strstr(o.told, "t.db is damaged"), "%s", o.told);
    done(&o);
    o = run("info --quick t.db");
    cr_expect_eq(o.status, 0, "%s", o.told);
    done(&o);
}

/* ---------------------------------------------------------------------------------------------- no output */

Test(programs, a_full_output_exits_with_5)
{
    if (access("/dev/full", W_OK) != 0)
        cr_skip_test("no /dev/full here");
    static const char *const calls[] = {"report t.db",
                                        "show t.db",
                                        "info t.db",
                                        "help",
                                        "help report",
                                        "--version",
                                        "report --format json t.db"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct outcome o = run("%s > /dev/full", calls[i]);
        cr_expect_eq(o.status, 5, "%s: %d", calls[i], o.status);
        cr_expect_not_null(
            strstr(o.told, "standard output cannot be written (No space left on device)"), "%s",
            o.told);
        done(&o);
    }
}

/* The reader's end is closed before netphase starts: the write meets EPIPE for certain. */
Test(programs, a_reader_that_went_away_exits_with_5_quietly)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    close(ends[0]);
    cr_assert_eq(dup2(ends[1], 9), 9); /* a number of one digit is all that sh takes */
    struct outcome o = run("report t.db >&9");
    cr_expect_eq(o.status, 5, "%d", o.status);
    cr_expect_str_empty(o.told, "%s", o.told);
    done(&o);
    close(ends[1]);
    close(9);
}

/* ------------------------------------------------------------------------------------------------- results */

Test(programs, version_and_help_are_on_stdout)
{
    struct outcome o = run("--version");
    cr_expect_eq(o.status, 0);
    cr_expect_eq(strncmp(o.out, "netphase 0.", 11), 0, "%s", o.out);
    cr_expect_not_null(strstr(o.out, "SQLite 3."), "%s", o.out);
    done(&o);
    static const char *const calls[] = {"help",      "--help",    "help report", "report --help",
                                        "help show", "help info", "show -h"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        o = run("%s", calls[i]);
        cr_expect_eq(o.status, 0, "%s", calls[i]);
        cr_expect_not_null(strstr(o.out, "Usage: netphase"), "%s", o.out);
        cr_expect_str_empty(o.told);
        done(&o);
    }
}

Test(programs, report_keeps_connection_states_apart)
{
    struct outcome o = run("report t.db");
    cr_expect_eq(o.status, 0, "%s", o.told);
    cr_expect_str_empty(o.told, "%s", o.told);
    cr_expect_not_null(
        strstr(o.out, "https://api.example:443 · GET · new connections · 4 requests"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "new connections, TLS resumed · 2 requests"), "%s", o.out);
    cr_expect_not_null(
        strstr(o.out, "https://api.example:443 · GET · reused connections · 24 requests"), "%s",
        o.out);
    cr_expect_not_null(strstr(o.out, "no connection · 1 request, 1 failed"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "branch=main"), "%s", o.out);
    cr_expect_null(strchr(o.out, '\033'));
    done(&o);
}

Test(programs, report_json_has_exact_figures)
{
    struct outcome o = run("report --format json --by none t.db");
    cr_assert_eq(o.status, 0, "%s", o.told);
    json_is(o.out, "$.schema", "netphase.report/1");
    json_is(o.out, "$.trace.requests", "40");
    json_is(o.out, "$.trace.failed", "1");
    json_is(o.out, "$.trace.runs", "2");
    json_is(o.out, "$.trace.labels.branch", "main");
    json_is(o.out, "$.trace.from", "2026-11-23T12:04:26.100000000Z");
    json_is(o.out, "$.groups[0].requests", "40");
    json_is(o.out, "$.groups[0].phases.tls.count", "6");
    json_is(o.out, "$.groups[0].phases.tls.sum_ns", "240000000");
    json_is(o.out, "$.groups[0].phases.tls.p50_ns", "50000000");
    json_is(o.out, "$.groups[0].phases.receive.count", "39");
    json_is(o.out, "$.groups[0].phases.proxy", "null");
    json_is(o.out, "$.groups[0].total.max_ns", "30002100000");
    done(&o);
}

Test(programs, report_takes_filters_runs_times_and_orders)
{
    struct outcome o = run("report --format json --by none --run 1 t.db");
    json_is(o.out, "$.groups[0].requests", "20");
    json_is(o.out, "$.trace.labels.commit", "91ab0e2");
    done(&o);
    o = run(
        "report --format json --by status --where \"host = 'api.example' and status >= 500\" t.db");
    json_is(o.out, "$.groups[0].by.status", "503");
    json_is(o.out, "$.groups[0].requests", "2");
    json_is(o.out, "$.groups[1]", "null");
    done(&o);
    o = run("report --format json --by none --since 2026-11-23T12:04:28.1Z --until "
            "2026-11-23T12:04:29Z t.db");
    json_is(o.out, "$.groups[0].requests", "9");
    done(&o);
    o = run("report --format json --by label.commit,host --sort name --top 1 t.db");
    json_is(o.out, "$.groups[0].by.\"label.commit\"", "4be1c09");
    json_is(o.out, "$.groups_left_out", "3");
    done(&o);
    o = run("report --where 'total_ns > 1h' t.db");
    cr_expect_eq(o.status, 0);
    cr_expect_not_null(strstr(o.out, "no requests match"), "%s", o.out);
    done(&o);
}

Test(programs, every_format_goes_to_stdout_whole)
{
    struct outcome o = run("report --format csv t.db");
    cr_expect_eq(o.status, 0);
    cr_expect_eq(strncmp(o.out, "origin,method,connection_state,group_requests", 45), 0, "%s",
                 o.out);
    cr_expect_not_null(strstr(o.out, "\r\n"));
    done(&o);
    o = run("report --format markdown t.db");
    cr_expect_eq(o.status, 0);
    cr_expect_eq(strncmp(o.out, "## ", 3), 0, "%s", o.out);
    done(&o);
    o = run("info --format json t.db");
    json_is(o.out, "$.schema", "netphase.info/1");
    json_is(o.out, "$.trace.requests", "40");
    json_is(o.out, "$.trace.integrity", "ok");
    json_is(o.out, "$.trace.problems", "0");
    json_is(o.out, "$.runs[1].labels.commit", "4be1c09");
    done(&o);
}

Test(programs, show_draws_one_request_and_the_last_one_by_itself)
{
    setenv("COLUMNS", "120", 1);
    struct outcome o = run("show t.db 1");
    cr_expect_eq(o.status, 0, "%s", o.told);
    cr_expect_not_null(strstr(o.out, "#1  GET https://api.example/v1/items  →  200  h2  1.3 kB"),
                       "%s", o.out);
    cr_expect_not_null(strstr(o.out, "AAAA 192.0.2.53:53 nodata"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "first to this origin"), "%s", o.out);
    done(&o);
    o = run("show t.db");
    cr_expect_not_null(strstr(o.out, "#40  "), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "✗ timeout"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "no answer from 192.0.2.9:443 (os 110)"), "%s", o.out);
    done(&o);
    setenv("NETPHASE_TRACE", "t.db", 1);
    o = run("show 2");
    cr_expect_eq(o.status, 0, "%s", o.told);
    cr_expect_not_null(strstr(o.out, "reused connection 1, request 2 on it"), "%s", o.out);
    done(&o);
}

Test(programs, show_json_keeps_absent_phases_apart_from_zero)
{
    struct outcome o = run("show --format json t.db 2");
    json_is(o.out, "$.schema", "netphase.request/1");
    json_is(o.out, "$.request.id", "2");
    json_is(o.out, "$.request.reused", "1");
    json_is(o.out, "$.phases[2].phase", "dns");
    json_is(o.out, "$.phases[2].present", "0");
    json_is(o.out, "$.phases[2].duration_ns", "0");
    json_is(o.out, "$.phases[7].present", "1");
    json_is(o.out, "$.phases[7].duration_ns", "62000000");
    json_is(o.out, "$.spans[0]", "null");
    done(&o);
    o = run("show --format json t.db 1");
    json_is(o.out, "$.spans[1].detail.ttl_s", "60");
    json_is(o.out, "$.spans[1].phase", "dns");
    done(&o);
}

Test(programs, hostile_texts_of_a_trace_never_reach_the_terminal)
{
    alter("t.db", "UPDATE text SET value = '/' || char(27) || '[2J' || char(8238) || '\"' || "
                  "char(10) WHERE id = 2;"
                  "UPDATE run SET tool = char(27) || 'c' WHERE id = 1;"
                  "UPDATE label SET value = char(7) WHERE run_id = 1 AND key = 'commit'");
    static const char *const calls[] = {"report --by url t.db", "show t.db 1", "info t.db",
                                        "report --format markdown --by path t.db"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct outcome o = run("%s", calls[i]);
        cr_expect_eq(o.status, 0, "%s: %s", calls[i], o.told);
        cr_expect_null(strpbrk(o.out, "\033\007"), "%s", calls[i]);
        cr_expect_null(strstr(o.out, "\u202e"), "%s", calls[i]);
        done(&o);
    }
    struct outcome o = run("show --format json t.db 1");
    char *url = json_ask(o.out, "$.request.url");
    cr_expect_not_null(strstr(url, "\033[2J"), "%s", url);
    free(url);
    done(&o);
}

Test(programs, ascii_and_colour_follow_locale_and_options)
{
    struct outcome o = run("report --ascii t.db");
    for (const char *at = o.out; *at; at++)
        cr_expect_lt((unsigned char)*at, 0x80);
    done(&o);
    setenv("LC_ALL", "C", 1);
    static const char *const calls[] = {"help report", "help", "info t.db",
                                        "report t.db --format table"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        o = run("%s", calls[i]);
        for (const char *at = o.out; *at; at++)
            cr_expect_lt((unsigned char)*at, 0x80, "%s", calls[i]);
        done(&o);
    }
    o = run("show t.db 1");
    for (const char *at = o.out; *at; at++)
        cr_expect_lt((unsigned char)*at, 0x80);
    done(&o);
    setenv("NO_COLOR", "1", 1);
    o = run("report --color always t.db");
    cr_expect_not_null(strstr(o.out, "\033["));
    done(&o);
    o = run("report t.db");
    cr_expect_null(strchr(o.out, '\033'));
    done(&o);
}

Test(programs, info_rebuilds_what_is_derived)
{
    alter("t.db", "INSERT INTO chunk VALUES (1, 1, 3, 3, 1)");
    struct outcome o = run("info --rebuild t.db");
    cr_expect_eq(o.status, 0, "%s", o.told);
    cr_expect_not_null(strstr(o.told, "made anew"), "%s", o.told);
    done(&o);
    o = run("info -q --rebuild t.db");
    cr_expect_str_empty(o.told, "%s", o.told);
    done(&o);
    o = run("report --format json --by none t.db");
    json_is(o.out, "$.groups[0].requests", "40");
    done(&o);
}

/* ------------------------------------------------------------------------------------- record's beginnings and ends */

/* A trace gets a run only when something can be sent. */
Test(programs, record_looks_at_everything_before_it_opens_the_trace)
{
    static const struct {
        const char *arguments;
        int status;
        const char *told;
    } calls[] = {
        {"record -o new.db http://127.0.0.1:1/ example",              2, "'example': the URL has no scheme"    },
        {"record -o new.db -H 'X: 1' -H nothing http://127.0.0.1:1/", 2, "expected 'NAME: VALUE'"              },
        {"record -o new.db -H 'a b: 1' http://127.0.0.1:1/",          2, "is no header name"                   },
        {"record -o new.db --resolve x http://127.0.0.1:1/",          2, "is not HOST:PORT:ADDR"               },
        {"record -o new.db --dns-server x http://127.0.0.1:1/",       2, "is not ADDR or ADDR:PORT"            },
        {"record -o new.db --progress-fd 9 http://127.0.0.1:1/ 9>&-", 2, "descriptor 9"                        },
        {"record -o new.db --cacert none.pem https://127.0.0.1:1/",   4, "none.pem cannot be read"             },
        {"record -o - http://127.0.0.1:1/",                           2, "cannot be written to standard output"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fails(calls[i].arguments, calls[i].status, calls[i].told);
        cr_expect_neq(access("new.db", F_OK), 0, "%s made a trace", calls[i].arguments);
    }
    cr_expect_neq(access("-", F_OK), 0);
}

Test(programs, record_ends_with_the_verdict_of_report_and_commands_to_paste)
{
    struct outcome o = run("record -q -n 3 -o \"it's a trace.db\" http://127.0.0.1:1/");
    cr_expect_eq(o.status, 0, "%s", o.told);
    cr_expect_not_null(strstr(o.out, "3 requests, 3 failed"), "%s", o.out);
    cr_expect_not_null(strstr(o.out, "last failure: #3: cannot connect to 127.0.0.1 port 1"), "%s",
                       o.out);
    cr_expect_not_null(strstr(o.out, "netphase report 'it'\\''s a trace.db' · "), "%s", o.out);
    char *verdict = strstr(o.out, "Set-up took ");
    cr_assert_not_null(verdict, "%s", o.out);
    *strchr(verdict, '\n') = '\0';
    struct outcome report = run("report 'it'\\''s a trace.db'");
    cr_expect_eq(report.status, 0, "%s", report.told);
    cr_expect_not_null(strstr(report.out, verdict), "%s is not in %s", verdict, report.out);
    done(&report);
    done(&o);
    o = run("record --fail -o f.db http://127.0.0.1:1/");
    cr_expect_eq(o.status, 1, "%d", o.status);
    cr_expect_not_null(strstr(o.told, "1 of 1 requests failed"), "%s", o.told);
    done(&o);
}

/* ------------------------------------------------------------------------------------- locked, read-only */

Test(programs, a_locked_trace_is_waited_for_and_then_exits_with_5)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open("t.db", &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    fails("info --rebuild t.db", 5, "t.db is locked by another program: try again");
    struct outcome o = run("report t.db"); /* readers do not wait for a writer */
    cr_expect_eq(o.status, 0, "%s", o.told);
    done(&o);
    sqlite3_close(db);
}

/* Whether programs can be run as a user who may write nothing here. */
static bool can_be_nobody(void)
{
    char command[1024];
    snprintf(command, sizeof command,
             "setpriv --reuid 65534 --regid 65534 --clear-groups '%s' --version > /dev/null 2>&1",
             NP_PROGRAM);
    return geteuid() == 0 && system(command) == 0 && chmod(".", 0755) == 0;
}

static struct outcome run_as_nobody(const char *arguments)
{
    char command[2048];
    snprintf(
        command, sizeof command,
        "{ setpriv --reuid 65534 --regid 65534 --clear-groups '%s' %s; } > out.txt 2> told.txt",
        NP_PROGRAM, arguments);
    const int status = system(command);
    cr_assert(WIFEXITED(status), "%s", command);
    return (struct outcome){WEXITSTATUS(status), read_file("out.txt", NULL),
                            read_file("told.txt", NULL)};
}

static void fails_as_nobody(const char *arguments, int status, const char *told)
{
    struct outcome o = run_as_nobody(arguments);
    cr_expect_eq(o.status, status, "%s: %d, %s", arguments, o.status, o.told);
    cr_expect_not_null(strstr(o.told, told), "%s told: %s", arguments, o.told);
    done(&o);
}

Test(programs, a_trace_where_one_may_not_write_is_read_or_refused_clearly)
{
    if (!can_be_nobody())
        cr_skip_test("needs root and setpriv");
    cr_assert_eq(chmod("t.db", 0644), 0);
    static const char *const readers[] = {"report t.db", "show t.db 1", "info t.db"};
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        struct outcome o = run_as_nobody(readers[i]);
        cr_expect_eq(o.status, 0, "%s: %s", readers[i], o.told);
        cr_expect_not_null(strstr(o.out, i == 2 ? "integrity    ok" : "api.example"), "%s: %s",
                           readers[i], o.out);
        done(&o);
    }
    fails_as_nobody("info --rebuild t.db", 5, "t.db cannot be written");
    fails_as_nobody("record -o t.db http://127.0.0.1:1/", 5, "t.db cannot be written");
    fails_as_nobody("record -o new.db http://127.0.0.1:1/", 5, "new.db cannot be made");

    /* A log that was not brought in, as after a crash: what it holds must not be passed over. */
    sqlite3 *db;
    cr_assert_eq(sqlite3_open("t.db", &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_exec(
            db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE more (a)",
            NULL, NULL, NULL),
        SQLITE_OK);
    cr_assert_eq(system("mkdir left && cp t.db t.db-wal left && chmod 644 left/*"), 0);
    sqlite3_close(db);
    fails_as_nobody("report left/t.db", 4, "copy it and its -wal to another");

    cr_assert_eq(chmod("t.db", 0600), 0);
    fails_as_nobody("report t.db", 4, "t.db cannot be read (Permission denied)");
}

/* ------------------------------------------------------------------------------------- texts from outside */

/* Not UTF-8, control characters, a text that turns the line around, and a megabyte of it. */
Test(programs, hostile_texts_change_nothing_but_their_own_cells)
{
    alter("t.db", "INSERT INTO text (id, value) VALUES (90001, "
                  "CAST(X'2F1B5B324AE280AEFFFE7C613C623E2C2271220A3D636D6428290D' AS TEXT) || "
                  "hex(zeroblob(500000)))");
    alter("t.db", "UPDATE request SET path_id = 90001 WHERE id = 1");
    alter("t.db", "UPDATE request_more SET error_id = 90001 WHERE id = 40");
    static const char *const calls[] = {"report --by url t.db",
                                        "report --by url --format markdown t.db",
                                        "report --by url --format json t.db",
                                        "show t.db 1",
                                        "show --format json t.db 1",
                                        "show t.db 40",
                                        "show --format json t.db 40"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct outcome o = run("%s", calls[i]);
        cr_expect_eq(o.status, 0, "%s: %s", calls[i], o.told);
        cr_expect_null(strchr(o.out, '\033'), "%s", calls[i]);
        cr_expect_null(strstr(o.out, "\xe2\x80\xae"), "%s", calls[i]);
        cr_expect_null(strchr(o.out, '\r'), "%s", calls[i]);
        if (strstr(calls[i], "json"))
            json_is(o.out, "$.schema",
                    strstr(calls[i], "show") ? "netphase.request/1" : "netphase.report/1");
        else if (!strstr(calls[i], "markdown"))
            cr_expect_lt(strlen(o.out), 40000, "%s: %zu bytes", calls[i], strlen(o.out));
        done(&o);
    }
}
