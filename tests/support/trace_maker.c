/* Traces made with direct SQL; see trace_maker.h. */
#include "trace_maker.h"

#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_START_NS INT64_C(1764072266000000000)
#define ABSENT         INT64_MIN

static void stop(sqlite3 *db, const char *what)
{
    fprintf(stderr, "trace_maker: %s: %s\n", what, db ? sqlite3_errmsg(db) : "-");
    abort();
}

void trace_exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        stop(db, sql);
}

int64_t trace_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        stop(db, sql);
    const int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

/* ------------------------------------------------------------------------------------------------------------- files */

static char folder[64];
static pid_t folder_owner;

static void remove_folder(void)
{
    char command[128];
    if (folder_owner != getpid())
        return;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "trace_maker: %s stays\n", folder);
}

const char *trace_path(const char *name)
{
    static char path[256];
    if (folder_owner != getpid()) {
        strcpy(folder, "/tmp/netphase-test-XXXXXX");
        if (!mkdtemp(folder))
            stop(NULL, "mkdtemp");
        folder_owner = getpid();
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void run_file(sqlite3 *db, const char *path)
{
    FILE *file = fopen(path, "r");
    struct stat info;
    if (!file || fstat(fileno(file), &info) != 0)
        stop(NULL, path);
    char *sql = calloc(1, (size_t)info.st_size + 1);
    if (!sql || fread(sql, 1, (size_t)info.st_size, file) != (size_t)info.st_size)
        stop(NULL, path);
    fclose(file);
    trace_exec(db, sql);
    free(sql);
}

sqlite3 *trace_make_empty(const char *path)
{
    sqlite3 *db;
    unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        stop(db, path);
    run_file(db, NP_SOURCE_DIR "/schema/0001_trace.sql");
    run_file(db, NP_SOURCE_DIR "/schema/views.sql");
    trace_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    return db;
}

/* ------------------------------------------------------------------------------------------------------------ words */

static const char *const methods[] = {"GET", "POST", "HEAD", "PUT"};
static const char *const schemes[] = {"https", "http"};

struct maker {
    sqlite3 *db;
    struct trace_shape shape;
    np_random random;
    sqlite3_stmt *request, *more;
    int64_t first_method, first_path, first_route, first_proxy, first_error; /* ids in `text` */
    int64_t last_connection;
    int64_t *recent; /* recent[origins]: newest connection of an origin */
};

static uint64_t below(struct maker *m, uint64_t limit)
{
    return np_random_below(&m->random, limit);
}

static int64_t add_text(struct maker *m, const char *value)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(m->db, "INSERT INTO text (value) VALUES (?1)", -1, &s, NULL) !=
        SQLITE_OK)
        stop(m->db, "text");
    sqlite3_bind_text(s, 1, value, -1, SQLITE_TRANSIENT);
    if (sqlite3_step(s) != SQLITE_DONE)
        stop(m->db, "text");
    sqlite3_finalize(s);
    return sqlite3_last_insert_rowid(m->db);
}

static void add_words(struct maker *m)
{
    char text[64];
    for (int i = 0; i < 4; i++) {
        const int64_t id = add_text(m, methods[i]);
        m->first_method = i ? m->first_method : id;
    }
    for (uint32_t i = 0; i < m->shape.paths; i++) {
        /* in a wild trace the second half says the same as the first: one value under two ids */
        const uint32_t n = m->shape.is_wild ? i % (m->shape.paths / 2 + 1) : i;
        snprintf(text, sizeof text, "/items/%u%s", n, n % 3 ? "" : "?page=*");
        const int64_t id = add_text(m, text);
        m->first_path = i ? m->first_path : id;
    }
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "/items/{}/%c", 'a' + i % 4);
        const int64_t id = add_text(m, text);
        m->first_route = i ? m->first_route : id;
    }
    m->first_proxy = add_text(m, "http://px1.corp:3128");
    (void)add_text(m, "DIRECT");
    m->first_error = add_text(m, "connect timed out");
}

static void add_origins_and_runs(struct maker *m)
{
    char sql[512];
    for (uint32_t i = 0; i < m->shape.origins; i++) {
        snprintf(sql, sizeof sql, "INSERT INTO origin VALUES (%u, '%s', 'host%u.example', %u)",
                 i + 1, schemes[i % 2], i / 2, i % 3 == 0 ? (i % 2 ? 80 : 443) : 8000 + i);
        trace_exec(m->db, sql);
    }
    for (uint32_t i = 0; i < m->shape.runs; i++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO run (id, uuid, started_ns, state, tool, command, requests, dropped) "
                 "VALUES (%u, 'uuid-%u', %lld, 1, 'netphase 0.1.0', 'record', 0, %u);"
                 "INSERT INTO label VALUES (%u, 'commit', 'c%u'), (%u, 'job', 'nightly');",
                 i + 1, i + 1, (long long)FIRST_START_NS, i, i + 1, i % 2, i + 1);
        trace_exec(m->db, sql);
        if (i % 3 == 1) {
            snprintf(sql, sizeof sql, "DELETE FROM label WHERE run_id = %u AND key = 'commit'",
                     i + 1);
            trace_exec(m->db, sql);
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------- rows */

static int64_t add_connection(struct maker *m, int64_t run, int64_t origin)
{
    char sql[512];
    const int64_t id = ++m->last_connection;
    const bool has_tls = origin % 2 == 1;
    snprintf(sql, sizeof sql,
             "INSERT INTO connection (id, run_id, origin_id, opened_ns, ready_ns, remote, "
             "protocol, new_because, tls_version, tls_resumed) "
             "VALUES (%lld, %lld, %lld, %lld, %lld, '127.0.0.%lld:443', 11, 1, %s, %s)",
             (long long)id, (long long)run, (long long)origin, (long long)FIRST_START_NS,
             (long long)FIRST_START_NS + 1000000, (long long)(id % 4 + 1),
             has_tls ? "'TLSv1.3'" : "NULL", has_tls ? (id % 3 ? "0" : "1") : "NULL");
    trace_exec(m->db, sql);
    return id;
}

/* Skewed as real durations are: many short ones, a long tail. */
static int64_t duration(struct maker *m, int64_t typical_ns)
{
    if (m->shape.is_wild && below(m, 8) == 0)
        return (int64_t)(np_random_next(&m->random) >> (5 + below(m, 58)));
    int64_t ns = typical_ns / 2 + (int64_t)below(m, (uint64_t)typical_ns);
    if (below(m, 50) == 0)
        ns *= 1 + (int64_t)below(m, 40);
    return ns;
}

static int64_t maybe(struct maker *m, uint64_t per_thousand, int64_t value)
{
    return below(m, 1000) < per_thousand ? value : ABSENT;
}

static void bind(sqlite3_stmt *statement, int parameter, int64_t value)
{
    if (value == ABSENT)
        sqlite3_bind_null(statement, parameter);
    else
        sqlite3_bind_int64(statement, parameter, value);
}

enum { HOT_COLUMNS = 26, MORE_COLUMNS = 24 };

static const char request_sql[] =
    "INSERT INTO request (id, run_id, process_id, number, start_ns, total_ns, outcome, purpose, "
    "method_id, origin_id, path_id, route_id, status, protocol, connection_id, connection_use, "
    "queue_ns, send_ns, wait_ns, receive_ns, gap_ns, send_at_ns, caller_blocked_ns, late_ns, "
    "received_bytes, flags) VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
static const char more_sql[] =
    "INSERT INTO request_more (id, hop_of, hop, hop_reason, proxy_id, proxy_source, proxy_ns, "
    "dns_ns, connect_ns, tunnel_ns, tls_ns, wait_at_ns, receive_at_ns, send_application_ns, "
    "receive_application_ns, sent_bytes, dns_queries, connect_attempts, web_status, error_code, "
    "error_id, first_span, span_count, error_layer) VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static void insert(struct maker *m, sqlite3_stmt *statement, const char *what)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        stop(m->db, what);
    sqlite3_reset(statement);
}

static void phases(struct maker *m, bool is_new, bool has_tls, bool is_ok, int64_t phase[10])
{
    const bool has_proxy = is_new && below(m, 4) == 0;
    phase[0] = m->shape.is_wild ? maybe(m, 900, duration(m, 50000)) : duration(m, 50000);
    phase[1] = has_proxy ? duration(m, 60000000) : ABSENT;
    phase[2] = is_new ? duration(m, 1100000) : ABSENT;
    phase[3] = is_new ? duration(m, 20000000) : ABSENT;
    phase[4] = has_proxy ? duration(m, 20000000) : ABSENT;
    phase[5] = is_new && has_tls ? duration(m, 90000000) : ABSENT;
    phase[6] = duration(m, 30000);
    phase[7] = is_ok ? duration(m, 70000000) : maybe(m, 500, duration(m, 70000000));
    phase[8] = is_ok ? duration(m, 1200000) : ABSENT;
    phase[9] = below(m, 3) ? (int64_t)below(m, 20000) : 0;
}

static int64_t sum(const int64_t phase[10])
{
    int64_t total = 0;
    for (int i = 0; i < 10; i++)
        total += phase[i] == ABSENT ? 0 : phase[i];
    return total;
}

static void add_request(struct maker *m, int64_t id, int64_t number, int64_t start)
{
    const bool is_wild = m->shape.is_wild;
    const int64_t run = 1 + (int64_t)(number * m->shape.runs / (int64_t)m->shape.rows);
    const int64_t origin = 1 + (int64_t)below(m, m->shape.origins);
    const bool is_new = m->recent[origin - 1] == 0 || below(m, 1000) < m->shape.new_per_thousand;
    const bool has_connection = below(m, 50) != 0;
    if (is_new && has_connection)
        m->recent[origin - 1] = add_connection(m, run, origin);
    const int64_t outcome = below(m, 40) ? 0 : 1 + (int64_t)below(m, 4);
    int64_t phase[10];
    phases(m, is_new, origin % 2 == 1, outcome == 0, phase);
    const int64_t total = is_wild && below(m, 500) == 0 ? INT64_MAX : sum(phase);

    const int64_t hot[HOT_COLUMNS] = {
        id,
        run,
        1,
        number,
        start,
        total,
        outcome,
        is_wild && below(m, 30) == 0, /* purpose */
        m->first_method + (int64_t)(below(m, 8) ? 0 : below(m, 4)),
        origin,
        m->first_path + (int64_t)below(m, m->shape.paths),
        m->first_route + (int64_t)below(m, 6),
        outcome == 0 ? (below(m, 9) ? 200 : 404 + (int64_t)below(m, 100)) : ABSENT, /* status */
        outcome == 0 ? (below(m, 3) ? 11 : 20) : ABSENT,                            /* protocol */
        has_connection ? m->recent[origin - 1] : ABSENT,
        has_connection ? (is_new ? 1 : 2 + (int64_t)below(m, 90)) : ABSENT, /* connection_use */
        phase[0],
        phase[6],
        phase[7],
        phase[8],
        phase[9],
        phase[6] == ABSENT ? ABSENT : (int64_t)below(m, 100000), /* send_at */
        maybe(m, is_wild ? 700 : 1000, duration(m, 6000)),
        maybe(m, is_wild ? 100 : 0, duration(m, 1000)),
        maybe(m, 950, is_wild ? duration(m, 4000) : (int64_t)below(m, 5000)),
        (int64_t)((below(m, 20) ? 0 : below(m, 1024)) | (below(m, 2) ? 2048 : 0)),
    };
    const int64_t more[MORE_COLUMNS - 1] = {
        id,
        maybe(m, 50, id > 3 ? id - 2 : ABSENT), /* hop_of */
        maybe(m, 50, 1),
        maybe(m, 50, 1),
        maybe(m, 100, m->first_proxy + (int64_t)below(m, 2)),
        maybe(m, 100, (int64_t)below(m, 3)),
        phase[1],
        phase[2],
        phase[3],
        phase[4],
        phase[5],
        maybe(m, 200, (int64_t)below(m, 200000)),                      /* wait_at */
        phase[8] == ABSENT ? ABSENT : maybe(m, 500, total - phase[8]), /* receive_at */
        maybe(m, is_wild ? 100 : 0, duration(m, 1000)),
        maybe(m, is_wild ? 100 : 0, duration(m, 1000)),
        maybe(m, 500, (int64_t)below(m, 900) - 1), /* sent_bytes; -1: not known */
        is_new ? (int64_t)below(m, 4) : ABSENT,
        is_new ? 1 + (int64_t)below(m, 3) : ABSENT,
        outcome ? 1 + (int64_t)below(m, 14) : ABSENT,
        outcome ? 28 : ABSENT,
        outcome ? m->first_error : ABSENT,
        ABSENT, /* spans */
        ABSENT,
    };
    for (int i = 0; i < HOT_COLUMNS; i++)
        bind(m->request, i + 1, hot[i]);
    insert(m, m->request, "request");
    if (!is_new && outcome == 0 && below(m, 4)) /* as nearly all are: nothing but its row */
        return;
    for (int i = 0; i < MORE_COLUMNS - 1; i++)
        bind(m->more, i + 1, more[i]);
    if (outcome)
        sqlite3_bind_text(m->more, MORE_COLUMNS, "curl", -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(m->more, MORE_COLUMNS);
    insert(m, m->more, "request_more");
}

static void defaults(struct trace_shape *shape)
{
    shape->origins = shape->origins ? shape->origins : 5;
    shape->paths = shape->paths ? shape->paths : 40;
    shape->runs = shape->runs ? shape->runs : 1;
    shape->new_per_thousand = shape->new_per_thousand ? shape->new_per_thousand : 300;
}

sqlite3 *trace_make(const char *path, const struct trace_shape *shape)
{
    struct maker m = {.db = trace_make_empty(path), .shape = *shape};
    defaults(&m.shape);
    np_random_seed(&m.random, shape->seed);
    m.recent = calloc(m.shape.origins, sizeof *m.recent);
    if (!m.recent)
        stop(NULL, "no memory");
    trace_exec(m.db, "BEGIN");
    add_words(&m);
    add_origins_and_runs(&m);
    if (sqlite3_prepare_v2(m.db, request_sql, -1, &m.request, NULL) != SQLITE_OK)
        stop(m.db, request_sql);
    if (sqlite3_prepare_v2(m.db, more_sql, -1, &m.more, NULL) != SQLITE_OK)
        stop(m.db, more_sql);
    int64_t id = 0;
    int64_t start = FIRST_START_NS;
    for (uint64_t i = 0; i < m.shape.rows; i++) {
        id += m.shape.is_wild && below(&m, 600) == 0 ? 2 + (int64_t)below(&m, 9) : 1;
        start += (int64_t)below(&m, 20000000);
        add_request(&m, id, (int64_t)i, start - (int64_t)below(&m, 50000000));
        if (i % 10000 == 9999)
            trace_exec(m.db, "COMMIT; BEGIN");
    }
    sqlite3_finalize(m.request);
    sqlite3_finalize(m.more);
    trace_exec(m.db, "UPDATE run SET requests = (SELECT count(*) FROM request WHERE run_id = "
                     "run.id AND purpose = 0),"
                     " failed = (SELECT count(*) FROM request WHERE run_id = run.id AND purpose = "
                     "0 AND outcome <> 0) WHERE (SELECT count(*) FROM run) < 50;"
                     "COMMIT");
    free(m.recent);
    return m.db;
}
