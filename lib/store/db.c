/*
 * Opening a trace. Floor 2; one thread a connection.
 *
 * A trace that is read may come from anywhere: it is opened with every guard SQLite has, and
 * nothing in it runs. A trace that is written is made with mode 0600 before a byte is in it. Two
 * programs may make the same file at once: whoever gets the write lock first makes the schema, the
 * other one finds it there.
 *
 * The file is never opened with open(2) while it exists: closing such a descriptor would drop the
 * POSIX locks that SQLite's connections of this process hold on it. What we need to know comes from
 * stat(2) and from SQLite.
 */
#include "db.h"

#include "clock.h"
#include "fail.h"
#include "schema.h"
#include "textbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NP_DEFAULT_LOCK_WAIT_NS (5 * NP_NS_PER_S)
#define NP_TRACE_VALUE_BYTES    (64 * 1024 * 1024) /* no text or BLOB of ours is longer */

/* ------------------------------------------------------------------------------------------------------------ guards */

static void guard_limits(sqlite3 *db)
{
    static const struct {
        int id;
        int value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH,              NP_TRACE_VALUE_BYTES},
        {SQLITE_LIMIT_SQL_LENGTH,          1024 * 1024         },
        {SQLITE_LIMIT_COLUMN,              256                 },
        {SQLITE_LIMIT_COMPOUND_SELECT,     64                  },
        {SQLITE_LIMIT_ATTACHED,            0                   },
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 4096                },
        {SQLITE_LIMIT_TRIGGER_DEPTH,       1                   },
        {SQLITE_LIMIT_WORKER_THREADS,      0                   },
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        (void)sqlite3_limit(db, limits[i].id, limits[i].value); /* answers the old one */
}

/* Nothing in the file's schema may call functions, fire triggers or write to SQLite's own tables.
 */
static np_status guard(sqlite3 *db, np_error *err)
{
    static const struct {
        int option;
        int value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE,      1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_DQS_DML,        0},
        {SQLITE_DBCONFIG_DQS_DDL,        0},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const int rc = sqlite3_db_config(db, options[i].option, options[i].value, NULL);
        if (rc != SQLITE_OK)
            return np_db_fail(err, db, rc, 0, "this SQLite cannot open files safely");
    }
    guard_limits(db);
    return np_db_exec(db, "PRAGMA cell_size_check = 1; PRAGMA temp_store = MEMORY", err);
}

/* ----------------------------------------------------------------------------------------------------------- opening */

static np_status check_version(sqlite3 *db, const char *path, np_error *err)
{
    int64_t application, version;
    np_status status = np_db_int(db, "PRAGMA application_id", 0, &application, err);
    if (!status)
        status = np_db_int(db, "PRAGMA user_version", 0, &version, err);
    if (status)
        return status;
    if (application != NP_APPLICATION_ID)
        return np_fail(err, NP_E_INPUT, "%s is not a trace: another program made this SQLite file",
                       path);
    if (version > NP_SCHEMA_VERSION)
        return np_fail(
            err, NP_E_INPUT,
            "%s is from a newer netphase (schema %lld, this one knows %d): use that one to read it",
            path, (long long)version, NP_SCHEMA_VERSION);
    if (version < 1)
        return np_fail(err, NP_E_INPUT, "%s is damaged: it says schema %lld, the first one is 1",
                       path, (long long)version);
    return NP_OK;
}

static int wait_ms(int64_t lock_wait_ns)
{
    const int64_t ms = (lock_wait_ns > 0 ? lock_wait_ns : NP_DEFAULT_LOCK_WAIT_NS) / NP_NS_PER_MS;
    return ms > 3600000 ? 3600000 : ms < 1 ? 1 : (int)ms;
}

static np_status open_connection(const char *name, int flags, int64_t lock_wait_ns, sqlite3 **db,
                                 np_error *err)
{
    const int rc =
        sqlite3_open_v2(name, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK) {
        const np_status status = np_db_fail(err, *db, rc, 0, "it cannot be opened");
        np_db_close(*db);
        *db = NULL;
        return status;
    }
    (void)sqlite3_busy_timeout(*db, wait_ms(lock_wait_ns)); /* fails for a NULL connection only */
    const np_status status = guard(*db, err);
    if (status) {
        np_db_close(*db);
        *db = NULL;
    }
    return status;
}

/* "file:" name for a file that lies where SQLite cannot make its shared memory: read as it is, no
   one can be writing. false: no memory. */
static bool immutable_name(const char *path, np_textbuf *out)
{
    char *absolute = realpath(path, NULL);
    np_textbuf_puts(out, "file://");
    for (const char *c = absolute ? absolute : path; *c; c++)
        if (*c == '%' || *c == '?' || *c == '#')
            np_textbuf_print(out, "%%%02X", (unsigned)(unsigned char)*c);
        else
            np_textbuf_add(out, c, 1);
    np_textbuf_puts(out, "?immutable=1");
    free(absolute);
    return !out->failed;
}

static bool has_wal(const char *path)
{
    char *name = sqlite3_mprintf("%s-wal", path);
    struct stat info;
    const bool has = name && stat(name, &info) == 0 && info.st_size > 0;
    sqlite3_free(name);
    return has;
}

static bool needs_immutable(const np_error *err, const char *path)
{
    const int code = err->code & 0xff;
    return (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && access(path, R_OK) == 0;
}

/* A file that may not be written, or lies where nothing may be made. What its write-ahead log holds
   cannot be seen without SQLite's shared memory, which needs a folder to write in. */
static np_status open_immutable(const char *path, int64_t lock_wait_ns, sqlite3 **out,
                                np_error *err)
{
    if (has_wal(path))
        return np_fail(err, NP_E_INPUT,
                       "%.60s is in use or was not closed, and you may not write in its folder: "
                       "copy it and its -wal to another",
                       path);
    np_textbuf name;
    np_textbuf_init(&name, 4 * PATH_MAX);
    np_status status = immutable_name(path, &name)
                           ? open_connection(name.text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                                             lock_wait_ns, out, err)
                           : np_fail(err, NP_E_NO_MEMORY, "no memory to open %s", path);
    np_textbuf_done(&name);
    return status ? status : check_version(*out, path, err);
}

static np_status open_read(const char *path, int64_t lock_wait_ns, sqlite3 **out, np_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? np_fail_os(err, NP_E_INPUT, errno,
                                            "no trace here: %s does not exist; record one with "
                                            "'netphase record URL', or name a file",
                                            path)
                               : np_fail_os(err, NP_E_INPUT, errno, "%s cannot be read", path);
    if (!S_ISREG(info.st_mode) || info.st_size == 0)
        return np_fail(err, NP_E_INPUT, "%s is not a trace: it is %s", path,
                       S_ISREG(info.st_mode) ? "empty" : "no regular file");
    if (access(path, R_OK) != 0)
        return np_fail_os(err, NP_E_INPUT, errno, "%s cannot be read", path);

    np_error first = {0};
    np_status status = open_connection(path, SQLITE_OPEN_READWRITE, lock_wait_ns, out, &first);
    if (!status)
        status = np_db_exec(*out, "PRAGMA query_only = 1", &first);
    if (!status)
        status = check_version(*out, path, &first);
    if (status && needs_immutable(&first, path)) {
        np_db_close(*out);
        *out = NULL;
        status = open_immutable(path, lock_wait_ns, out, &first);
    }
    if (status && err)
        *err = first;
    return status;
}

/* Makes an empty file that only its owner may read. `made` says whether it was us. */
static np_status make_file(const char *path, bool *made, np_error *err)
{
    *made = false;
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        *made = true;
        (void)close(fd); /* nothing was written */
        return NP_OK;
    }
    struct stat info;
    if (errno != EEXIST)
        return np_fail_os(err, NP_E_OUTPUT, errno, "%s cannot be made", path);
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return np_fail(err, NP_E_INPUT, "%s is not a trace: it is no regular file", path);
    return NP_OK;
}

/* SQLite was not let: it tells so only when something is written to a file it opened to read. */
static bool is_refusal(const np_error *err)
{
    const int code = err->code & 0xff;
    return err->layer && strcmp(err->layer, "sqlite") == 0 &&
           (code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_PERM);
}

static np_status open_write(const char *path, int64_t lock_wait_ns, sqlite3 **out, np_error *err)
{
    bool made;
    np_status status = make_file(path, &made, err);
    if (status)
        return status;
    np_error first = {0};
    status = open_connection(path, SQLITE_OPEN_READWRITE, lock_wait_ns, out, &first);
    if (!status)
        status = np_schema_make(*out, wait_ms(lock_wait_ns), &first);
    if (!status)
        status = check_version(*out, path, &first);
    if (!status && sqlite3_db_readonly(*out, "main"))
        status = np_fail_os(&first, NP_E_OUTPUT, EACCES, "%s cannot be written", path);
    if (!status)
        status = np_schema_upgrade(*out, &first);
    if (!status)
        status = np_db_exec(*out, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = 0", &first);
    if (status == NP_E_INPUT && is_refusal(&first))
        status = np_fail_layer(&first, NP_E_OUTPUT, "sqlite", first.code, NULL,
                               "%s cannot be written: no permission for it or its folder", path);
    if (status && made && status == NP_E_OUTPUT && (first.code & 0xff) != SQLITE_BUSY)
        (void)unlink(path); /* ours, and without a schema; leaves nothing behind */
    if (status && err)
        *err = first;
    return status;
}

np_status np_db_open(const char *path, np_db_mode mode, int64_t lock_wait_ns, sqlite3 **out,
                     np_error *err)
{
    *out = NULL;
    if (!path || !*path)
        return np_fail(err, NP_E_ARGUMENT, "a trace needs a file name");
    const np_status status = mode == NP_DB_READ ? open_read(path, lock_wait_ns, out, err)
                                                : open_write(path, lock_wait_ns, out, err);
    if (status) {
        np_db_close(*out);
        *out = NULL;
    }
    return status;
}

void np_db_close(sqlite3 *db)
{
    (void)sqlite3_close_v2(
        db); /* never fails: what still has statements goes with the last of them */
}
