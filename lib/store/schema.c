/*
 * Making and migrating a trace's schema. Floor 2.
 *
 * Migrations are a table of texts by version, never edited after a release. Views hold no data:
 * meta 'views' has a fingerprint of their text, and a writer whose text differs makes them anew.
 * Views that a user added stay.
 */
#include "schema.h"

#include "clock.h"
#include "db_statement.h"
#include "fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern const char np_sql_0001_trace[];
extern const char np_sql_views[];

/* migrations[v - 1] brings a file from version v - 1 to v; 0 is a new file. Each sets user_version
 * itself. */
static const char *const migrations[] = {np_sql_0001_trace};
_Static_assert(sizeof migrations / sizeof migrations[0] == NP_SCHEMA_VERSION,
               "a migration for each version");

static uint64_t fingerprint(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* Drops the views that views.sql makes, by the names in it. */
static np_status drop_views(sqlite3 *db, np_error *err)
{
    static const char word[] = "CREATE VIEW ";
    for (const char *at = strstr(np_sql_views, word); at; at = strstr(at, word)) {
        at += sizeof word - 1;
        char sql[128];
        (void)snprintf(sql, sizeof sql, "DROP VIEW IF EXISTS %.*s", (int)strcspn(at, " \n"), at);
        const np_status status = np_db_exec(db, sql, err);
        if (status)
            return status;
    }
    return NP_OK;
}

static np_status make_views(sqlite3 *db, np_error *err)
{
    np_status status = drop_views(db, err);
    if (!status)
        status = np_db_exec(db, np_sql_views, err);
    if (status)
        return status;
    char sql[128];
    (void)snprintf(sql, sizeof sql,
                   "INSERT OR REPLACE INTO meta VALUES ('views', '%016" PRIx64 "')",
                   fingerprint(np_sql_views));
    return np_db_exec(db, sql, err);
}

static np_status end_transaction(sqlite3 *db, np_status status, np_error *err)
{
    if (!status)
        status = np_db_exec(db, "COMMIT", err);
    if (status)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* SQLite may have done it already */
    return status;
}

static np_status run_migrations(sqlite3 *db, int64_t from, np_error *err)
{
    np_status status = NP_OK;
    for (int64_t v = from; v < NP_SCHEMA_VERSION && !status; v++)
        status = np_db_exec(db, migrations[v], err);
    return status ? status : make_views(db, err);
}

/* The switch to WAL wants the file for itself for a moment and does not always wait for it on its
 * own. */
static np_status switch_to_wal(sqlite3 *db, int wait_ms, np_error *err)
{
    const uint64_t deadline = np_now() + (uint64_t)wait_ms * NP_NS_PER_MS;
    for (;;) {
        const int rc = sqlite3_exec(db, "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL", NULL,
                                    NULL, NULL);
        if (rc == SQLITE_OK)
            return NP_OK;
        if ((rc & 0xff) != SQLITE_BUSY || np_now() > deadline)
            return np_db_fail(err, db, rc, 1, "it cannot be made");
        (void)sqlite3_sleep(2);
    }
}

static np_status count_tables(sqlite3 *db, int64_t *count, np_error *err)
{
    return np_db_int(db, "SELECT count(*) FROM sqlite_schema", 0, count, err);
}

np_status np_schema_make(sqlite3 *db, int wait_ms, np_error *err)
{
    int64_t tables;
    np_status status = count_tables(db, &tables, err);
    if (status || tables > 0)
        return status;
    status = switch_to_wal(db, wait_ms, err);
    if (!status)
        status = np_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status)
        return status;
    status = count_tables(db, &tables, err); /* the other program may have been faster */
    if (!status && tables == 0)
        status = run_migrations(db, 0, err);
    return end_transaction(db, status, err);
}

static np_status views_differ(sqlite3 *db, bool *differ, np_error *err)
{
    char sql[128];
    int64_t same;
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM meta WHERE key = 'views' AND value = '%016" PRIx64 "'",
                   fingerprint(np_sql_views));
    const np_status status = np_db_int(db, sql, 0, &same, err);
    *differ = same == 0;
    return status;
}

np_status np_schema_upgrade(sqlite3 *db, np_error *err)
{
    bool differ;
    int64_t version;
    np_status status = views_differ(db, &differ, err);
    if (!status)
        status = np_db_int(db, "PRAGMA user_version", 0, &version, err);
    if (status || (!differ && version == NP_SCHEMA_VERSION))
        return status;
    status = np_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status)
        return status;
    status = np_db_int(db, "PRAGMA user_version", 0, &version,
                       err); /* again, now that no one else can move it */
    if (!status)
        status = run_migrations(db, version, err);
    return end_transaction(db, status, err);
}
