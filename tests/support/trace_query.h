/* Looks into a trace with plain SQL: what a user with the sqlite3 shell sees. For tests. */
#ifndef TRACE_QUERY_H
#define TRACE_QUERY_H

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One integer; -999 where there is no row or NULL. A failure of SQLite ends the test. */
static inline int64_t query_int(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t value = -999;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(db, 10000) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        abort();
    }
    const int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        value = sqlite3_column_int64(statement, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        (void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        abort();
    }
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return value;
}

/* One text in a buffer of its own per call site's need: out[size]; "" where there is no row or
 * NULL. */
static inline const char *query_text(const char *path, const char *sql, char *out, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    out[0] = '\0';
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        abort();
    }
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
        (void)snprintf(out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return out;
}

#endif
