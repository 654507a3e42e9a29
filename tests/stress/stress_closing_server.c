/*
 * Many requests over a few connections to a server that closes them whenever it likes: before an
 * answer, in it, after it, with FIN or RST. Holds: every request gets its own answer or fails, and
 * is sent again exactly as RS-5 of docs/contract.md says; what the server has in its log and what
 * the trace has agree request by request, connection by connection.
 *
 *   stress_closing_server [REQUESTS [SEED]]
 */
#include "clock.h"
#include "random.h"
#include "testdir.h"
#include "trace_query.h"

#include <arpa/inet.h>
#include <netphase/netphase.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { AT_ONCE = 50, DEFAULT_REQUESTS = 4000, LONG_REQUESTS = 100000 };

/* What the server does with a request, and what that means. */
enum deed {
    ANSWER,
    ANSWER_AND_SAY_SO, /* Connection: close */
    ANSWER_AND_CLOSE,  /* without a word */
    CLOSE,             /* instead of an answer */
    RESET,
    BREAK_HEADER, /* a part of the answer has come */
    BREAK_BODY,
    DEEDS
};

static const struct {
    const char *name;
    unsigned weight;
} deeds[DEEDS] = {
    [ANSWER] = {"answer",            860},
    [ANSWER_AND_SAY_SO] = {"answer, say close", 30 },
    [ANSWER_AND_CLOSE] = {"answer, close",     40 },
    [CLOSE] = {"close",             30 },
    [RESET] = {"reset",             20 },
    [BREAK_HEADER] = {"break header",      10 },
    [BREAK_BODY] = {"break body",        10 },
};

/* One line of the server's log. */
struct entry {
    uint32_t request, use;
    uint16_t port; /* the client's */
    uint8_t deed;
};

static struct {
    int fd;
    uint16_t port;
    pthread_mutex_t lock;
    struct entry *log;
    size_t count, capacity;
    np_random random;
    unsigned open; /* connections */
    pthread_cond_t closed;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .closed = PTHREAD_COND_INITIALIZER};

static uint64_t seed;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_closing_server: %s (seed %llu)\n", what, (unsigned long long)seed);
    abort();
}

/* --- the server --- */

static enum deed choose(uint32_t request, uint32_t use, uint16_t port)
{
    pthread_mutex_lock(&server.lock);
    unsigned drawn = (unsigned)np_random_below(&server.random, 1000);
    int deed = 0;
    while (drawn >= deeds[deed].weight)
        drawn -= deeds[deed++].weight;
    if (server.count == server.capacity) {
        server.capacity = server.capacity ? 2 * server.capacity : 4096;
        server.log = realloc(server.log, server.capacity * sizeof *server.log);
        check(server.log != NULL, "no memory");
    }
    server.log[server.count++] = (struct entry){request, use, port, (uint8_t)deed};
    pthread_mutex_unlock(&server.lock);
    return (enum deed)deed;
}

/* The number in the path of the next request; false: no further one comes. */
static bool read_request(int fd, uint32_t *request)
{
    char head[1024];
    size_t length = 0;
    do {
        if (length + 1 == sizeof head || recv(fd, head + length, 1, 0) != 1)
            return false;
        head[++length] = 0;
    } while (length < 4 || memcmp(head + length - 4, "\r\n\r\n", 4) != 0);
    return sscanf(head, "%*s /%u ", request) == 1;
}

static bool send_text(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* true: the connection goes on. */
static bool do_it(int fd, enum deed deed, uint32_t request)
{
    char body[16], answer[200];
    snprintf(body, sizeof body, "%u\n", request);
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s",
             deed == ANSWER_AND_SAY_SO ? "Connection: close\r\n" : "",
             strlen(body) + (deed == BREAK_BODY ? 100 : 0), body);
    switch (deed) {
    case ANSWER:
        return send_text(fd, answer);
    case RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        return false;
    case BREAK_HEADER:
        (void)send_text(fd, "HTTP/1.1 200 OK\r\nContent-L");
        return false;
    case CLOSE:
        return false;
    default:
        (void)send_text(fd, answer);
        return false;
    }
}

static void *serve(void *argument)
{
    const int fd = (int)(intptr_t)argument;
    struct sockaddr_in peer = {0};
    socklen_t size = sizeof peer;
    (void)getpeername(fd, (struct sockaddr *)&peer, &size);
    uint32_t request, use = 0;
    while (read_request(fd, &request)) {
        use++;
        if (!do_it(fd, choose(request, use, ntohs(peer.sin_port)), request))
            break;
    }
    close(fd);
    pthread_mutex_lock(&server.lock);
    server.open--;
    pthread_cond_signal(&server.closed);
    pthread_mutex_unlock(&server.lock);
    return NULL;
}

static void *accept_all(void *unused)
{
    int fd;
    while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
        pthread_t thread;
        pthread_mutex_lock(&server.lock);
        server.open++;
        pthread_mutex_unlock(&server.lock);
        check(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0, "no thread");
        pthread_detach(thread);
    }
    return unused;
}

static pthread_t server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    np_random_seed(&server.random, seed);
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(server.fd, (struct sockaddr *)&address, size) == 0 && listen(server.fd, 512) == 0 &&
              getsockname(server.fd, (struct sockaddr *)&address, &size) == 0,
          "cannot listen");
    server.port = ntohs(address.sin_port);
    check(pthread_create(&thread, NULL, accept_all, NULL) == 0, "no thread");
    return thread;
}

/* The clients are gone: so every connection ends by itself. */
static void server_stop(pthread_t thread)
{
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(server.fd);
    pthread_mutex_lock(&server.lock);
    while (server.open > 0)
        pthread_cond_wait(&server.closed, &server.lock);
    pthread_mutex_unlock(&server.lock);
}

/* --- the clients --- */

static np_context *context;
static _Atomic uint32_t next_request;
static uint32_t request_count;
static uint8_t
    *was_answered; /* was_answered[request]: its caller got its answer, and the right one */

static bool read_answer(np_response *response, uint32_t number)
{
    char expected[16], body[64];
    size_t length = 0, got = 1;
    np_stream *stream;
    bool good = np_response_stream(response, &stream, NULL) == NP_OK;
    while (good && got > 0 && length < sizeof body - 1) {
        good = np_stream_read(stream, body + length, sizeof body - 1 - length, &got, NULL) == NP_OK;
        length += got;
    }
    body[length] = 0;
    np_stream_release(stream);
    snprintf(expected, sizeof expected, "%u\n", number);
    check(!good || strcmp(body, expected) == 0, "an answer to another request");
    return good;
}

static void fetch(uint32_t number)
{
    char url[64];
    np_request *request;
    np_response *response;
    np_error err = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/%u", server.port, number);
    check(np_request_create(context, url, &request, &err) == NP_OK, err.text);
    if (np_request_get_response(request, &response, &err) == NP_OK)
        was_answered[number] = read_answer(response, number);
    np_response_release(response);
    np_request_release(request);
}

static void *fetch_many(void *unused)
{
    uint32_t number;
    while ((number = atomic_fetch_add(&next_request, 1)) < request_count)
        fetch(number);
    return unused;
}

static void run_clients(np_trace *trace)
{
    pthread_t threads[AT_ONCE];
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.connection_limit = AT_ONCE;
    options.trace = trace;
    check(np_context_create(&options, &context, &err) == NP_OK, err.text);
    for (int i = 0; i < AT_ONCE; i++)
        check(pthread_create(&threads[i], NULL, fetch_many, NULL) == 0, "no thread");
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(threads[i], NULL);
    np_context_free(context);
}

/* --- the comparison --- */

static void run_sql(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        abort();
    }
}

/* The server's log and the callers' answers, beside what was recorded. */
static void add_log(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *insert;
    check(sqlite3_open(path, &db) == SQLITE_OK, "the trace cannot be opened");
    run_sql(db, "BEGIN; CREATE TABLE server_log (request INT, use INT, port INT, deed TEXT);"
                "CREATE TABLE answered (request INTEGER PRIMARY KEY, good)");
    sqlite3_prepare_v2(db, "INSERT INTO server_log VALUES (?, ?, ?, ?)", -1, &insert, NULL);
    for (size_t i = 0; i < server.count; i++) {
        const struct entry *entry = &server.log[i];
        sqlite3_bind_int64(insert, 1, entry->request);
        sqlite3_bind_int64(insert, 2, entry->use);
        sqlite3_bind_int64(insert, 3, entry->port);
        sqlite3_bind_text(insert, 4, deeds[entry->deed].name, -1, SQLITE_STATIC);
        check(sqlite3_step(insert) == SQLITE_DONE, "the log cannot be stored");
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite3_prepare_v2(db, "INSERT INTO answered VALUES (?, ?)", -1, &insert, NULL);
    for (uint32_t i = 0; i < request_count; i++) {
        sqlite3_bind_int64(insert, 1, i);
        sqlite3_bind_int(insert, 2, was_answered[i]);
        check(sqlite3_step(insert) == SQLITE_DONE, "the answers cannot be stored");
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    /* A hop as the server could have seen it. */
    run_sql(db,
            "CREATE TABLE hop AS SELECT CAST(substr(r.path, 2) AS INTEGER) AS request, r.id, r.hop,"
            " r.outcome, r.web_status, r.connection_use AS use, r.hop_reason,"
            " CAST(substr(c.local, length('127.0.0.1:') + 1) AS INTEGER) AS port, c.opened_ns"
            " FROM requests r LEFT JOIN connections c ON c.id = r.connection_id");
    run_sql(
        db,
        "CREATE INDEX log_by_request ON server_log (request); CREATE INDEX hop_by_request ON hop "
        "(request); COMMIT");
    sqlite3_close(db);
}

/* clang-format off: a rule and its question */
static const struct {
    const char *what;
    const char *sql; /* counts what must not be */
} rules[] = {
    {"every request has one first hop",
     "SELECT (SELECT count(*) FROM answered) <> (SELECT count(*) FROM hop WHERE hop = 0)"                                                 },
    {"every line of the log is a hop on that connection",
     "SELECT count(*) FROM server_log l LEFT JOIN hop h USING (request, port) WHERE h.id IS NULL"                                         },
    {"a hop that the server has not seen failed on a connection that had been used",
     "SELECT count(*) FROM hop h LEFT JOIN server_log l USING (request, port)"
     " WHERE l.deed IS NULL AND NOT (h.outcome = 'failed' AND h.use > 1)"                                                                 },
    {"an answer is an ok hop, and only that is",
     "SELECT count(*) FROM server_log l JOIN hop h USING (request, port)"
     " WHERE (l.deed LIKE 'answer%') <> (h.outcome = 'ok')"                                                                               },
    {"the caller has what the last hop has",
     "SELECT count(*) FROM answered a JOIN hop h USING (request) WHERE a.good <> (h.outcome = 'ok')"
     " AND h.hop = (SELECT max(hop) FROM hop WHERE request = a.request)"                                                                  },
    {"sent again once at most",                                                      "SELECT count(*) FROM hop WHERE hop > 1"             },
    {"sent again only where a used connection was lost without an answer",
     "SELECT count(*) FROM hop n JOIN hop h ON h.request = n.request AND h.hop = 0"
     " LEFT JOIN server_log l ON l.request = h.request AND l.port = h.port WHERE n.hop = 1 AND NOT"
     " (n.hop_reason = 'retry' AND h.web_status = 12 AND (l.deed IS NULL OR (l.use > 1"
     " AND l.deed IN ('close', 'reset'))))"                                                                                               },
    {"sent again wherever one was",
     "SELECT count(*) FROM server_log l JOIN hop h USING (request, port) WHERE h.hop = 0"
     " AND l.use > 1 AND l.deed IN ('close', 'reset')"
     " AND NOT EXISTS (SELECT 1 FROM hop n WHERE n.request = h.request AND n.hop = 1)"                                                    },
    {"sent again on a new connection",                                               "SELECT count(*) FROM hop WHERE hop = 1 AND use <> 1"},
    {"problems",                                                                     "SELECT count(*) FROM problems"                      },
};

/* clang-format on */
static void compare(const char *path)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const int64_t count = query_int(path, rules[i].sql);
        if (count != 0)
            fprintf(stderr, "%lld against: %s\n", (long long)count, rules[i].what);
        check(count == 0, rules[i].what);
    }
}

int main(int count, char **arguments)
{
    np_testdir folder;
    np_trace *trace;
    np_error err = {0};
    request_count = count > 1                      ? (uint32_t)strtoul(arguments[1], NULL, 10)
                    : getenv("NETPHASE_TEST_LONG") ? LONG_REQUESTS
                                                   : DEFAULT_REQUESTS;
    seed = count > 2 ? strtoull(arguments[2], NULL, 10) : np_now();
    was_answered = calloc(request_count, 1);
    testdir_make(&folder);
    const char *path = testdir_path(&folder, "a.db");

    const pthread_t acceptor = server_start();
    check(np_trace_open(path, NULL, &trace, &err) == NP_OK, err.text);
    run_clients(trace);
    check(np_trace_close(trace, 0, &err) == NP_OK, err.text);
    server_stop(acceptor);

    add_log(path);
    compare(path);
    printf(
        "%u requests, %zu arrived, %lld connections, %lld sent again, %lld failed: log and trace "
        "agree (seed %llu)\n",
        request_count, server.count, (long long)query_int(path, "SELECT count(*) FROM connections"),
        (long long)query_int(path, "SELECT count(*) FROM hop WHERE hop > 0"),
        (long long)query_int(path, "SELECT count(*) FROM answered WHERE NOT good"),
        (unsigned long long)seed);
    testdir_remove(&folder);
    free(server.log);
    free(was_answered);
    return 0;
}
