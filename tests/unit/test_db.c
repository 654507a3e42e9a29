/* Opening traces: new ones, foreign files, newer and damaged ones. */
#include "clock.h"
#include "db.h"
#include "folder.h"
#include "schema.h"
#include "trace_builder.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <netphase/phase.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[256];
static char path[300];

static void setup(void)
{
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
}

static void teardown(void)
{
    folder_remove(folder);
}

TestSuite(db, .init = setup, .fini = teardown);

static void make_trace(void)
{
    sqlite3 *db;
    np_error err = {0};
    cr_assert_eq(np_db_open(path, NP_DB_WRITE, 0, &db, &err), NP_OK, "%s (%s)", err.text, err.cause);
    np_db_close(db);
}

static void write_file(const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, length, file), length);
    cr_assert_eq(fclose(file), 0);
}

static void is_refused(np_db_mode mode, np_status status, const char *says)
{
    sqlite3 *db;
    np_error err = {0};
    cr_assert_eq(np_db_open(path, mode, 0, &db, &err), status, "%s", err.text);
    cr_assert_null(db);
    cr_assert_not_null(strstr(err.text, says), "'%s' should say '%s'", err.text, says);
}

Test(db, a_new_trace_has_our_marks_and_belongs_to_its_owner)
{
    char text[64];
    make_trace();

    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
    cr_assert_eq(query_int(path, "PRAGMA application_id"), NP_APPLICATION_ID);
    cr_assert_eq(query_int(path, "PRAGMA user_version"), NP_SCHEMA_VERSION);
    cr_assert_eq(query_int(path, "PRAGMA page_size"), 16384);
    cr_assert_str_eq(query_text(path, "PRAGMA journal_mode", text, sizeof text), "wal");
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests"), 0);
    cr_assert_eq(folder_count(folder, ""), 1);
}

Test(db, what_is_no_trace_is_refused_with_what_was_found)
{
    is_refused(NP_DB_READ, NP_E_INPUT, "does not exist");
    write_file("", 0);
    is_refused(NP_DB_READ, NP_E_INPUT, "is empty");
    write_file("just a text, and a rather long one, that is surely no SQLite file at all; it goes on and on. Really, it does not stop before the hundredth byte.", 140);
    is_refused(NP_DB_READ, NP_E_INPUT, "not a trace");
    is_refused(NP_DB_WRITE, NP_E_INPUT, "not a trace");
    cr_assert_eq(unlink(path), 0);
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
    is_refused(NP_DB_READ, NP_E_INPUT, "another program made this SQLite file");
    is_refused(NP_DB_WRITE, NP_E_INPUT, "another program made this SQLite file");
    cr_assert_eq(query_int(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'request'"), 0, "nothing was written into it");
}

Test(db, a_folder_is_no_trace)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    is_refused(NP_DB_READ, NP_E_INPUT, "no regular file");
    is_refused(NP_DB_WRITE, NP_E_INPUT, "no regular file");
    cr_assert_eq(rmdir(path), 0);
}

Test(db, a_newer_schema_is_refused_with_both_numbers)
{
    make_trace();
    (void)query_int(path, "PRAGMA user_version = 2");

    is_refused(NP_DB_READ, NP_E_INPUT, "newer netphase (schema 2, this one knows 1)");
    is_refused(NP_DB_WRITE, NP_E_INPUT, "newer netphase (schema 2, this one knows 1)");
}

Test(db, a_folder_that_is_not_there_is_an_output_failure_and_leaves_nothing)
{
    (void)snprintf(path, sizeof path, "%s/no/t.db", folder);

    is_refused(NP_DB_WRITE, NP_E_OUTPUT, "cannot be made");
}

Test(db, a_truncated_trace_is_damaged)
{
    struct trace_builder *builder = trace_builder_open(path, NULL);
    for (int i = 0; i < 3000; i++)
        (void)trace_builder_add(builder, &(struct built_request){.status = 200, .phase_ns = {1, 0, 0, 0, 0, 0, 2, 3, 4}});
    trace_builder_close(builder);
    cr_assert_eq(truncate(path, 16384 * 3), 0);
    sqlite3 *db;
    np_error err = {0};
    int64_t sum;
    np_status status = np_db_open(path, NP_DB_READ, 0, &db, &err);
    if (!status)
        status = np_db_int(db, "SELECT sum(total_ns) FROM request", 0, &sum, &err);

    cr_assert_eq(status, NP_E_INPUT);
    cr_assert_not_null(strstr(err.text, "damaged"), "%s", err.text);
    np_db_close(db);
}

Test(db, a_hostile_schema_can_neither_write_nor_run_anything)
{
    make_trace();
    (void)query_int(path, "CREATE TRIGGER evil AFTER INSERT ON label BEGIN DELETE FROM run; END");
    sqlite3 *db;
    np_error err = {0};
    cr_assert_eq(np_db_open(path, NP_DB_READ, 0, &db, &err), NP_OK, "%s", err.text);

    cr_assert_neq(np_db_exec(db, "INSERT INTO text (value) VALUES ('x')", &err), NP_OK);
    cr_assert_neq(np_db_exec(db, "ATTACH 'other.db' AS o", &err), NP_OK);
    int64_t value;
    cr_assert_eq(np_db_int(db, "PRAGMA trusted_schema", -1, &value, &err), NP_OK);
    cr_assert_eq(value, 0);
    np_db_close(db);
}

Test(db, a_trace_in_a_folder_that_cannot_be_written_can_be_read)
{
    make_trace();
    sqlite3 *db;
    np_error err = {0};
    cr_assert_eq(chmod(path, 0400), 0);
    cr_assert_eq(chmod(folder, 0500), 0);

    const np_status status = np_db_open(path, NP_DB_READ, 0, &db, &err);
    int64_t count = -1;
    if (!status)
        (void)np_db_int(db, "SELECT count(*) FROM request", -1, &count, &err);
    np_db_close(db);

    cr_assert_eq(chmod(folder, 0700), 0);
    cr_assert_eq(status, NP_OK, "%s (%s)", err.text, err.cause);
    cr_assert_eq(count, 0);
}

Test(db, programs_that_make_the_same_file_at_once_all_succeed)
{
    for (int round = 0; round < 10; round++) {
        pid_t pids[8];
        for (int i = 0; i < 8; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                sqlite3 *db;
                const np_status status = np_db_open(path, NP_DB_WRITE, 0, &db, NULL);
                np_db_close(db);
                _exit(status ? 1 : 0);
            }
        }
        for (int i = 0; i < 8; i++) {
            int status;
            cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
            cr_assert_eq(status, 0, "round %d", round);
        }
        cr_assert_eq(query_int(path, "SELECT count(*) FROM meta WHERE key = 'schema'"), 1);
        cr_assert_eq(unlink(path), 0);
    }
}

Test(db, views_of_another_version_are_made_anew_and_those_of_users_stay)
{
    make_trace();
    (void)query_int(path, "DROP VIEW calls");
    (void)query_int(path, "CREATE VIEW mine AS SELECT 7 AS a");
    (void)query_int(path, "UPDATE meta SET value = 'old' WHERE key = 'views'");

    make_trace();

    cr_assert_eq(query_int(path, "SELECT count(*) FROM calls"), 0);
    cr_assert_eq(query_int(path, "SELECT a FROM mine"), 7);
}

Test(db, names_of_codes_are_those_of_the_headers)
{
    static const struct {
        const char *domain;
        int code;
        const char *name;
    } codes[] = {
#define NP_ROW(NAME, name, letter, meaning) {"phase", NP_PHASE_##NAME, name},
        NP_PHASES(NP_ROW)
#undef NP_ROW
        {"outcome", NP_OUTCOME_OK, "ok"},
        {"outcome", NP_OUTCOME_FAILED, "failed"},
        {"outcome", NP_OUTCOME_ABORTED, "aborted"},
        {"outcome", NP_OUTCOME_TIMEOUT, "timeout"},
        {"outcome", NP_OUTCOME_INTERRUPTED, "interrupted"},
        {"hop", NP_HOP_FIRST, "first"},
        {"hop", NP_HOP_REDIRECT, "redirect"},
        {"hop", NP_HOP_AUTH, "auth"},
        {"hop", NP_HOP_PROXY_AUTH, "proxy_auth"},
        {"hop", NP_HOP_RETRY, "retry"},
        {"hop", NP_HOP_EXPECT_FAILED, "expect_failed"},
        {"protocol", NP_PROTOCOL_HTTP_0_9, "http/0.9"},
        {"protocol", NP_PROTOCOL_HTTP_1_0, "http/1.0"},
        {"protocol", NP_PROTOCOL_HTTP_1_1, "http/1.1"},
        {"protocol", NP_PROTOCOL_H2, "h2"},
        {"protocol", NP_PROTOCOL_H3, "h3"},
        {"span", NP_SPAN_PIECE, "piece"},
        {"span", NP_SPAN_QUERY, "query"},
        {"span", NP_SPAN_ATTEMPT, "attempt"},
        {"span", NP_SPAN_WAIT_FOR_CONNECTION, "wait_for_connection"},
        {"span", NP_SPAN_APPLICATION, "application"},
        {"span", NP_SPAN_LATENESS, "lateness"},
        {"span", NP_SPAN_CALLBACK, "callback"},
        {"span", NP_SPAN_PROXY_TRY, "proxy_try"},
        {"span_outcome", NP_SPAN_OK, "ok"},
        {"span_outcome", NP_SPAN_NODATA, "nodata"},
        {"span_outcome", NP_SPAN_NXDOMAIN, "nxdomain"},
        {"span_outcome", NP_SPAN_UNFINISHED, "unfinished"},
        {"new_because", NP_NEW_UNKNOWN, "unknown"},
        {"new_because", NP_NEW_FIRST, "first"},
        {"new_because", NP_NEW_ALL_BUSY, "all_busy"},
        {"new_because", NP_NEW_PROXY_DIFFERS, "proxy_differs"},
        {"new_because", NP_NEW_EVICTED, "evicted"},
        {"new_because", NP_NEW_LEASE_OVER, "lease_over"},
        {"new_because", NP_NEW_GROUP_DIFFERS, "group_differs"},
        {"source", NP_SOURCE_NONE, "none"},
        {"source", NP_SOURCE_CALL, "call"},
        {"source", NP_SOURCE_SYSCALL, "syscall"},
        {"source", NP_SOURCE_KERNEL, "kernel"},
        {"source", NP_SOURCE_CALLBACK, "callback"},
        {"source", NP_SOURCE_IMPORT, "import"},
        {"detail", NP_DETAIL_PHASES, "phases"},
        {"detail", NP_DETAIL_SPANS, "spans"},
        {"detail", NP_DETAIL_HEADERS, "headers"},
    };
    make_trace();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char sql[160], name[64];
        (void)snprintf(sql, sizeof sql, "SELECT name FROM code WHERE domain = '%s' AND code = %d", codes[i].domain, codes[i].code);
        cr_assert_str_eq(query_text(path, sql, name, sizeof name), codes[i].name, "%s %d", codes[i].domain, codes[i].code);
    }
    cr_assert_eq(query_int(path, "SELECT count(*) FROM code WHERE domain = 'phase'"), NP_PHASE_COUNT);
    cr_assert_eq(query_int(path, "SELECT max(code) FROM code WHERE domain = 'span'"), NP_SPAN_REJECTED_CALL);
    cr_assert_eq(query_int(path, "SELECT max(code) FROM code WHERE domain = 'span_outcome'"), NP_SPAN_UNFINISHED);
    cr_assert_eq(query_int(path, "SELECT max(code) FROM code WHERE domain = 'outcome'"), NP_OUTCOME_INTERRUPTED);
    cr_assert_eq(query_int(path, "SELECT max(code) FROM code WHERE domain = 'new_because'"), NP_NEW_GROUP_DIFFERS);
}
