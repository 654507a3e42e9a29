/* Statements and their failures; see db_statement.h. Floor 2. */
#include "db_statement.h"

#include "fail.h"

#include <string.h>

/* The path of a connection that is open; "" when there is none. */
static const char *path_of(sqlite3 *db)
{
    const char *path = db ? sqlite3_db_filename(db, "main") : NULL;
    return path ? path : "";
}

static const char *file_of(sqlite3 *db)
{
    const char *path = path_of(db);
    if (!*path)
        return "the trace";
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* X(primary code, status when writing, status when reading, text behind the file's name) */
static const struct {
    int rc;
    np_status writing;
    np_status reading;
    const char *text;
} failures[] = {
    {SQLITE_BUSY,      NP_E_OUTPUT,    NP_E_INPUT,
     "is locked by another program: try again when that has finished"                        },
    {SQLITE_LOCKED,    NP_E_OUTPUT,    NP_E_INPUT,
     "is locked by another program: try again when that has finished"                        },
    {SQLITE_FULL,      NP_E_OUTPUT,    NP_E_OUTPUT,    "cannot be written: the disk is full" },
    {SQLITE_READONLY,  NP_E_OUTPUT,    NP_E_INPUT,
     "cannot be written: no permission for the file or its folder"                           },
    {SQLITE_PERM,      NP_E_OUTPUT,    NP_E_INPUT,     "cannot be opened: no permission"     },
    {SQLITE_CANTOPEN,  NP_E_OUTPUT,    NP_E_INPUT,
     "cannot be opened: no permission for the file or its folder"                            },
    {SQLITE_IOERR,     NP_E_OUTPUT,    NP_E_INPUT,
     "cannot be read or written: the disk answers with an error"                             },
    {SQLITE_NOTADB,    NP_E_INPUT,     NP_E_INPUT,     "is not a trace: it is no SQLite file"},
    {SQLITE_INTERRUPT, NP_E_CANCELED,  NP_E_CANCELED,  "was left: the question was cancelled"},
    {SQLITE_NOMEM,     NP_E_NO_MEMORY, NP_E_NO_MEMORY, "needs more memory than there is"     },
    {SQLITE_TOOBIG,    NP_E_OUTPUT,    NP_E_INPUT,
     "is damaged: a value in it is longer than any of ours"                                  },
};

np_status np_db_fail_damaged(np_error *err, const char *path, int code, const char *cause)
{
    enum { PATH_SHOWN = 90 }; /* a longer one would leave no room for what to do with it */
    const size_t length = strlen(path);
    const char *slash = strrchr(path, '/');
    return np_fail_layer(err, NP_E_INPUT, "sqlite", code, cause,
                         "%.40s is damaged: save what is left with 'sqlite3 %s .recover'",
                         slash    ? slash + 1
                         : length ? path
                                  : "the trace",
                         length && length <= PATH_SHOWN ? path : "FILE");
}

np_status np_db_fail(np_error *err, sqlite3 *db, int rc, int writing, const char *what)
{
    const int extended = db ? sqlite3_extended_errcode(db) : rc;
    const int code = (extended & 0xff) == (rc & 0xff) ? extended : rc;
    const char *cause = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    if ((rc & 0xff) == SQLITE_CORRUPT)
        return np_db_fail_damaged(err, path_of(db), code, cause);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (failures[i].rc == (rc & 0xff))
            return np_fail_layer(err, writing ? failures[i].writing : failures[i].reading, "sqlite",
                                 code, cause, "%s %s", file_of(db), failures[i].text);
    return np_fail_layer(err, writing ? NP_E_OUTPUT : NP_E_INPUT, "sqlite", code, cause, "%s: %s",
                         file_of(db), what);
}

np_status np_db_exec(sqlite3 *db, const char *sql, np_error *err)
{
    const int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? NP_OK
                           : np_db_fail(err, db, rc, !sqlite3_db_readonly(db, "main"),
                                        "a statement cannot be run");
}

np_status np_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, np_error *err)
{
    *out = NULL;
    const int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (rc == SQLITE_OK)
        return NP_OK;
    if (rc == SQLITE_ERROR) /* a table or column that ours have is not there */
        return np_fail_layer(err, NP_E_INPUT, "sqlite", rc, sqlite3_errmsg(db),
                             "%s is damaged: its tables are not those of a trace", file_of(db));
    return np_db_fail(err, db, rc, 0, "a statement cannot be prepared");
}

np_status np_db_int(sqlite3 *db, const char *sql, int64_t none, int64_t *out, np_error *err)
{
    *out = none;
    sqlite3_stmt *statement;
    const np_status status = np_db_prepare(db, sql, &statement, err);
    if (status)
        return status;
    const int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        *out = sqlite3_column_int64(statement, 0);
    const np_status result = rc == SQLITE_ROW || rc == SQLITE_DONE
                                 ? NP_OK
                                 : np_db_fail(err, db, rc, 0, "a number cannot be read");
    (void)sqlite3_finalize(statement); /* repeats the failure of the step */
    return result;
}
