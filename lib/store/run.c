/* Rows of runs, processes and rings, and the fingerprint of the machine. Floor 2. See run.h. */
#include "run.h"

#include "clock.h"
#include "db.h"
#include "fail.h"
#include "random.h"
#include "redact.h"
#include "textbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define NP_COMMAND_MAX (64 * 1024)

/* ------------------------------------------------------------------------------------------------------- environment */

/* "model name" of /proc/cpuinfo; machines without that line have none. */
static void processor_model(char *out, size_t size)
{
    out[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file)
        return;
    char line[512];
    while (!out[0] && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon)
            (void)snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    (void)fclose(file); /* was only read */
}

static void add_member(np_textbuf *json, bool *first, const char *key, const char *value)
{
    if (*value)
        np_textbuf_json_text(json, first, key, value, strlen(value));
}

static void environment(np_textbuf *json)
{
    struct utsname system;
    char model[256];
    bool first = true;
    processor_model(model, sizeof model);
    np_textbuf_puts(json, "{");
    if (uname(&system) == 0) {
        add_member(json, &first, "system", system.sysname);
        add_member(json, &first, "kernel", system.release);
        add_member(json, &first, "machine", system.machine);
    }
    add_member(json, &first, "processor", model);
    np_textbuf_json_int(json, &first, "processors", sysconf(_SC_NPROCESSORS_ONLN));
    add_member(json, &first, "sqlite", sqlite3_libversion());
    np_textbuf_puts(json, "}");
}

static void command_line(const np_trace_options *options, np_textbuf *out)
{
    const np_redaction rules = {.keep_query_values = options->keep_query_values,
                                .keep_all = options->no_redaction,
                                .names = options->redact,
                                .name_count = options->redact_count};
    for (size_t i = 0; i < options->argument_count; i++) {
        if (i > 0)
            np_textbuf_puts(out, " ");
        np_redact_argument(&rules, i > 0 ? options->arguments[i - 1] : NULL, options->arguments[i],
                           out);
    }
}

/* --------------------------------------------------------------------------------------------------------------- rows */

static np_status step_once(sqlite3 *db, sqlite3_stmt *statement, np_error *err)
{
    const int rc = sqlite3_step(statement);
    const np_status status =
        rc == SQLITE_DONE ? NP_OK : np_db_fail(err, db, rc, 1, "a row cannot be written");
    (void)sqlite3_finalize(statement); /* repeats the failure of the step */
    return status;
}

static np_status insert_run(sqlite3 *db, const np_trace_options *options, int64_t unix_ns,
                            np_run *out, np_error *err)
{
    sqlite3_stmt *statement;
    np_status status = np_db_prepare(
        db,
        "INSERT INTO run (uuid, started_ns, state, mode, detail, tool, command, environment)"
        " VALUES (?1, ?2, 0, 0, ?3, ?4, ?5, ?6)",
        &statement, err);
    if (status)
        return status;
    char uuid[37];
    np_random_uuid(uuid);
    np_textbuf json, command;
    np_textbuf_init(&json, 4096);
    np_textbuf_init(&command, NP_COMMAND_MAX);
    environment(&json);
    command_line(options, &command);
    const np_detail detail =
        options->detail_plus_1 ? (np_detail)(options->detail_plus_1 - 1) : NP_DETAIL_SPANS;
    (void)sqlite3_bind_text(statement, 1, uuid, -1,
                            SQLITE_STATIC); /* a failed bind shows at the step: NOT NULL */
    (void)sqlite3_bind_int64(statement, 2, unix_ns);
    (void)sqlite3_bind_int(statement, 3, (int)detail);
    (void)sqlite3_bind_text(statement, 4, options->tool ? options->tool : "libnetphase " NP_VERSION,
                            -1, SQLITE_STATIC);
    if (command.length)
        (void)sqlite3_bind_text(statement, 5, command.text, (int)command.length, SQLITE_STATIC);
    (void)sqlite3_bind_text(statement, 6, json.text, (int)json.length, SQLITE_STATIC);
    status = step_once(db, statement, err);
    out->run_id = sqlite3_last_insert_rowid(db);
    np_textbuf_done(&json);
    np_textbuf_done(&command);
    return status;
}

static np_status insert_labels(sqlite3 *db, const np_trace_options *options, int64_t run_id,
                               np_error *err)
{
    for (size_t i = 0; i < options->label_count; i++) {
        sqlite3_stmt *statement;
        np_status status = np_db_prepare(
            db, "INSERT OR REPLACE INTO label (run_id, key, value) VALUES (?1, ?2, ?3)", &statement,
            err);
        if (status)
            return status;
        (void)sqlite3_bind_int64(statement, 1, run_id); /* failures show at the step */
        (void)sqlite3_bind_text(statement, 2, options->labels[i].key, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(statement, 3, options->labels[i].value, -1, SQLITE_STATIC);
        status = step_once(db, statement, err);
        if (status)
            return status;
    }
    return NP_OK;
}

static np_status insert_clock(sqlite3 *db, int64_t run_id, uint64_t mono_ns, int64_t unix_ns,
                              np_error *err)
{
    sqlite3_stmt *statement;
    const np_status status = np_db_prepare(
        db, "INSERT OR IGNORE INTO clock (run_id, mono_ns, unix_ns) VALUES (?1, ?2, ?3)",
        &statement, err);
    if (status)
        return status;
    (void)sqlite3_bind_int64(statement, 1, run_id); /* failures show at the step */
    (void)sqlite3_bind_int64(statement, 2, (int64_t)mono_ns);
    (void)sqlite3_bind_int64(statement, 3, unix_ns);
    return step_once(db, statement, err);
}

static np_status insert_process(sqlite3 *db, int64_t run_id, int64_t unix_ns, int64_t *process_id,
                                np_error *err)
{
    sqlite3_stmt *statement;
    np_status status =
        np_db_prepare(db,
                      "INSERT INTO process (run_id, pid, parent_pid, command, started_ns)"
                      " VALUES (?1, ?2, ?3, (SELECT command FROM run WHERE id = ?1), ?4)",
                      &statement, err);
    if (status)
        return status;
    (void)sqlite3_bind_int64(statement, 1, run_id); /* failures show at the step */
    (void)sqlite3_bind_int64(statement, 2, getpid());
    (void)sqlite3_bind_int64(statement, 3, getppid());
    (void)sqlite3_bind_int64(statement, 4, unix_ns);
    status = step_once(db, statement, err);
    *process_id = sqlite3_last_insert_rowid(db);
    return status;
}

static np_status insert_ring(sqlite3 *db, int64_t process_id, const char *file,
                             const char *generation, int64_t *ring_id, np_error *err)
{
    sqlite3_stmt *statement;
    np_status status =
        np_db_prepare(db,
                      "INSERT INTO ring (process_id, thread, file, generation, rows_after)"
                      " VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(id), 0) FROM request))",
                      &statement, err);
    if (status)
        return status;
    (void)sqlite3_bind_int64(statement, 1, process_id); /* failures show at the step */
    (void)sqlite3_bind_int64(statement, 2, syscall(SYS_gettid));
    (void)sqlite3_bind_text(statement, 3, file, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(statement, 4, generation, -1, SQLITE_STATIC);
    status = step_once(db, statement, err);
    *ring_id = sqlite3_last_insert_rowid(db);
    return status;
}

static np_status end_transaction(sqlite3 *db, np_status status, np_error *err)
{
    if (!status)
        status = np_db_exec(db, "COMMIT", err);
    if (status)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* SQLite may have done it already */
    return status;
}

np_status np_run_begin(sqlite3 *db, const np_trace_options *options, np_run *out, np_error *err)
{
    uint64_t mono_ns;
    int64_t unix_ns;
    np_clock_pair(&mono_ns, &unix_ns);
    out->unix_minus_mono = unix_ns - (int64_t)mono_ns;
    np_status status = np_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status)
        return status;
    status = insert_run(db, options, unix_ns, out, err);
    if (!status)
        status = insert_labels(db, options, out->run_id, err);
    if (!status)
        status = insert_clock(db, out->run_id, mono_ns, unix_ns, err);
    if (!status)
        status = insert_process(db, out->run_id, unix_ns, &out->process_id, err);
    return end_transaction(db, status, err);
}

np_status np_run_add_ring(sqlite3 *db, int64_t run_id, int64_t *process_id, const char *file,
                          const char *generation, int64_t *ring_id, np_error *err)
{
    np_status status = np_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status)
        return status;
    int64_t process = *process_id;
    if (!process)
        status = insert_process(db, run_id, np_now_unix(), &process, err);
    if (!status)
        status = insert_ring(db, process, file, generation, ring_id, err);
    status = end_transaction(db, status, err);
    if (!status)
        *process_id = process;
    return status;
}

np_status np_run_end(sqlite3 *db, int64_t run_id, int exit_status, np_error *err)
{
    uint64_t mono_ns;
    int64_t unix_ns;
    np_clock_pair(&mono_ns, &unix_ns);
    sqlite3_stmt *statement;
    np_status status = np_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status)
        return status;
    status = insert_clock(db, run_id, mono_ns, unix_ns, err);
    if (!status)
        status = np_db_prepare(
            db, "UPDATE run SET ended_ns = ?2, state = 1, exit_status = ?3 WHERE id = ?1",
            &statement, err);
    if (!status) {
        (void)sqlite3_bind_int64(statement, 1, run_id); /* failures show at the step */
        (void)sqlite3_bind_int64(statement, 2, unix_ns);
        if (exit_status >= 0)
            (void)sqlite3_bind_int(statement, 3, exit_status);
        status = step_once(db, statement, err);
    }
    return end_transaction(db, status, err);
}
