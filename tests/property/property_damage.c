/* A trace may come from anyone: with bytes turned, cut off or values put into it, info, report and
 * show answer with a documented exit status and, where it is not 0, a line that says why; recording
 * into it is refused or works. Nothing crashes, nothing hangs. NP_SEED repeats a run. */
#include "trace_maker.h"

#include "chunk.h"
#include "random.h"

#include <netphase/trace.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILE_ROUNDS = 16, VALUE_ROUNDS = 24, SECONDS_MAX = 60, TEXT_MAX = 200000 };

static uint64_t seed;
static np_random dice;

static uint64_t below(uint64_t limit)
{
    return np_random_below(&dice, limit);
}

/* ------------------------------------------------------------------------------------------------------------ running */

static char *read_whole(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    cr_assert(file && fstat(fileno(file), &info) == 0, "%s", path);
    char *bytes = calloc(1, (size_t)info.st_size + 1);
    *length = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return bytes;
}

static void write_whole(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(bytes, 1, length, file), length);
    cr_assert_eq(fclose(file), 0);
}

/* Waits with a deadline: SIGALRM ends the child. Returns its exit status; a signal fails the test.
 */
static int wait_for(pid_t pid, const char *what, const char *damage)
{
    int state = 0;
    cr_assert_eq(waitpid(pid, &state, 0), pid);
    cr_assert(WIFEXITED(state), "seed %llu: %s ended with signal %d (%s)", (unsigned long long)seed,
              what, WTERMSIG(state), damage);
    return WEXITSTATUS(state);
}

static void answers(char *const *words, const char *damage)
{
    char errors[256], output[256];
    snprintf(errors, sizeof errors, "%s", trace_path("err.txt"));
    snprintf(output, sizeof output, "%s", trace_path("out.txt"));
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(SECONDS_MAX);
        const int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int err = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(out, 1);
        dup2(err, 2);
        execv(NP_PROGRAM,
              (char *const *)words); /* execv takes words without const and leaves them */
        _exit(127);
    }
    const int status = wait_for(pid, words[1], damage);
    size_t length;
    char *text = read_whole(errors, &length);
    cr_assert(status == 0 || status == 4 || status == 5 ||
                  (status == 2 && strstr(text, "no request")),
              "seed %llu: %s ended with %d (%s): %s", (unsigned long long)seed, words[1], status,
              damage, text);
    cr_assert(status == 0 || strncmp(text, "netphase ", 9) == 0, "seed %llu: %s %d (%s): %s",
              (unsigned long long)seed, words[1], status, damage, text);
    for (size_t i = 0; i < length;
         i++) /* neither stderr nor stdout carries what a terminal obeys */
        cr_assert((unsigned char)text[i] >= 32 || text[i] == '\n',
                  "seed %llu: %s says byte %d (%s)", (unsigned long long)seed, words[1], text[i],
                  damage);
    free(text);
    text = read_whole(output, &length);
    for (size_t i = 0; i < length; i++)
        cr_assert((unsigned char)text[i] >= 32 || text[i] == '\n' || text[i] == '\t' ||
                      text[i] == '\r',
                  "seed %llu: %s prints byte %d (%s)", (unsigned long long)seed, words[1], text[i],
                  damage);
    free(text);
}

/* Recording into it, which also brings in what it says is unfinished. */
static void is_recorded_into(const char *path, const char *damage)
{
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(SECONDS_MAX);
        np_trace *trace;
        np_error err = {0};
        if (np_trace_open(path, NULL, &trace, &err))
            _exit(err.text[0] ? 4 : 3);
        (void)np_trace_close(trace, 0, NULL); /* may fail: it is damaged */
        _exit(0);
    }
    const int status = wait_for(pid, "recording", damage);
    cr_assert(status == 0 || status == 4, "seed %llu: recording ended with %d (%s)",
              (unsigned long long)seed, status, damage);
}

static void everyone_answers(const char *path, const char *damage)
{
    static const char *const verbs[][5] = {
        {"info"                                  },
        {                                     "info",                                       "--quick"},
        {                                                                       "info", "-f", "json"},
        {                                                                     "report"        },
        {                            "report",                                                                    "-f", "csv", "-b", "url,host"},
        {                                                                     "report",     "-f", "json", "-b", "minute,status"},
        {                                                         "report",                                                                                                     "-f", "markdown"},
        {                           "report",      "--where", "total_ns > 1ms and host like '%e%'"},
        { "show"                                                                     },
        {                                "show","3"},
        {                                                                   "show",                                      "-f", "json"},
    };
    for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++) {
        char *words[8] = {strdup("netphase"), strdup(verbs[v][0]), strdup(path)};
        for (int w = 1; w < 5 && verbs[v][w]; w++)
            words[2 + w] = strdup(verbs[v][w]);
        answers(words, damage);
        for (int w = 0; words[w]; w++)
            free(words[w]);
    }
    is_recorded_into(path, damage);
}

/* ------------------------------------------------------------------------------------------------------------- damage */

static void start(void)
{
    const char *given = getenv("NP_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    np_random_seed(&dice, seed);
}

/* One of each kind of row, unfinished requests too. */
static void fill(sqlite3 *db)
{
    size_t length;
    char *sql = read_whole(NP_SOURCE_DIR "/tests/data/small_trace.sql", &length);
    trace_exec(db, sql);
    free(sql);
    trace_exec(
        db,
        "INSERT OR IGNORE INTO process VALUES (900, 1, 4711, NULL, 'x', 1);"
        "INSERT INTO ring (process_id, thread, file, generation) VALUES (900, 1, "
        "'t.db-ring-gone', 'g');"
        "INSERT OR IGNORE INTO running VALUES (900, 7, 1, 1764072266000000000, "
        "1764072267000000000, 7, 'GET', 'http://a.example/x', NULL, NULL, zeroblob(40));"
        "INSERT OR IGNORE INTO wire VALUES (1, 0, 1, 1, 1764072266000000000, 10, 10, x'626f6479');"
        "INSERT OR IGNORE INTO header VALUES (1, 0, 1, 1, 'value');"
        "INSERT OR IGNORE INTO tcp_sample (request_id, at_ns, boundary) VALUES (1, 5, 7)");
}

static void make(const char *path, uint64_t rows)
{
    sqlite3 *db;
    if (rows) {
        db = trace_make(path, &(struct trace_shape){.seed = seed, .rows = rows});
        cr_assert_eq(np_chunk_advance(db, NULL, NULL), NP_OK);
    } else {
        db = trace_make_empty(path);
        fill(db);
    }
    trace_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
}

static void remove_beside(const char *path)
{
    char name[300];
    snprintf(name, sizeof name, "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
}

Test(damage, turned_and_missing_bytes_are_survived)
{
    char path[256], damage[128];
    start();
    snprintf(path, sizeof path, "%s", trace_path("bytes.db"));
    for (int kind = 0; kind < 2; kind++) {
        size_t length;
        make(path, kind ? NP_CHUNK_ROWS + 50 : 0);
        char *bytes = read_whole(path, &length);
        for (int round = 0; round < FILE_ROUNDS / 2; round++) {
            char *copy = malloc(length);
            memcpy(copy, bytes, length);
            const size_t kept = round % 3 ? length : (size_t)below(length);
            const int flips = round % 3 == 0 ? 0 : 1 << below(8);
            for (int i = 0; i < flips; i++) /* mostly where pages and cells begin */
                copy[below(3) ? below(length) : below(length / 4096) * 4096 + below(120)] ^=
                    (char)(1 + below(255));
            snprintf(damage, sizeof damage, "round %d of kind %d: %d flips, %zu of %zu bytes",
                     round, kind, flips, kept, length);
            remove_beside(path);
            write_whole(path, copy, kept);
            everyone_answers(path, damage);
            free(copy);
        }
        free(bytes);
        remove_beside(path);
    }
}

/* What no producer of ours writes, in any place of any table. */
static void bind_any(sqlite3_stmt *s)
{
    static const int64_t numbers[] = {0, 1, -1, 255, 4096, INT64_MAX, INT64_MIN, INT64_C(1) << 32,
                                      77};
    const size_t length = below(4) ? (size_t)below(200) : (size_t)below(TEXT_MAX);
    char *bytes = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)below(256);
    switch (below(5)) {
    case 0:
        sqlite3_bind_int64(s, 1, numbers[below(sizeof numbers / sizeof *numbers)]);
        break;
    case 1:
        sqlite3_bind_int64(s, 1, (int64_t)np_random_next(&dice));
        break;
    case 2:
        sqlite3_bind_blob(s, 1, bytes, (int)length, SQLITE_TRANSIENT);
        break;
    case 3:
        for (size_t i = 0; i + 3 <= length; i += 3) /* turns the direction of what follows */
            memcpy(bytes + i, "\xe2\x80\xae", 3);
        sqlite3_bind_text(s, 1, bytes, (int)length, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_bind_text(s, 1, bytes, (int)length, SQLITE_TRANSIENT);
        break;
    }
    free(bytes);
}

static void put_value(sqlite3 *db, char *damage, size_t size)
{
    static const char *const tables[] = {
        "request", "request_more", "span",       "connection", "text",    "origin", "run",
        "label",   "clock",        "process",    "ring",       "running", "chunk",  "chunk_column",
        "header",  "wire",         "tcp_sample", "meta",       "code",    "running"};
    const char *table = tables[below(sizeof tables / sizeof *tables)];
    char sql[300], column[64] = "";
    sqlite3_stmt *s;
    snprintf(sql, sizeof sql,
             "SELECT name FROM pragma_table_info('%s') ORDER BY (cid * 7919 + %u) %% 31", table,
             (unsigned)below(31));
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW)
        snprintf(column, sizeof column, "%s", sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    snprintf(sql, sizeof sql,
             "UPDATE OR IGNORE %s SET %s = ?1 WHERE (SELECT count(*) FROM %s) < 3 OR abs(random()) "
             "%% %u = 0",
             table, column, table, 1 + (unsigned)below(4));
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return;
    bind_any(s);
    (void)sqlite3_step(s); /* STRICT refuses some */
    sqlite3_finalize(s);
    const size_t used = strlen(damage);
    snprintf(damage + used, size - used, " %s.%s", table, column);
}

Test(damage, any_value_anywhere_is_survived)
{
    char path[256];
    start();
    snprintf(path, sizeof path, "%s", trace_path("values.db"));
    for (int round = 0; round < VALUE_ROUNDS; round++) {
        char damage[256] = "";
        sqlite3 *db;
        snprintf(damage, sizeof damage, "round %d:", round);
        make(path, round % 8 == 0 ? NP_CHUNK_ROWS + 50 : 0);
        cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
        for (uint64_t left = 1 + below(4); left; left--)
            put_value(db, damage, sizeof damage);
        sqlite3_close(db);
        everyone_answers(path, damage);
        remove_beside(path);
    }
}
