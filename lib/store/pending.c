/* Memory as a table of SQLite; see pending.h. Floor 2. */
#include "pending.h"

#include "db.h"
#include "fail.h"
#include "textbuf.h"

#include <stdlib.h>

struct table {
    sqlite3_vtab base;
    const np_pending *pending;
};

struct cursor {
    sqlite3_vtab_cursor base;
    const np_pending *pending;
    const np_pending_row *row, *end;
};

static int connect_table(sqlite3 *db, void *user, int count, const char *const *arguments,
                         sqlite3_vtab **out, char **message)
{
    (void)count, (void)arguments, (void)message;
    const np_pending *pending = user;
    np_textbuf sql;
    np_textbuf_init(&sql, 4096);
    np_textbuf_puts(&sql, "CREATE TABLE pending (");
    for (int i = 0; i < pending->columns; i++)
        np_textbuf_print(&sql, "c%d INTEGER, ", i);
    np_textbuf_print(&sql, "c%d BLOB)", pending->columns);
    struct table *table = sqlite3_malloc(sizeof *table);
    int rc = table && !sql.failed ? sqlite3_declare_vtab(db, sql.text) : SQLITE_NOMEM;
    np_textbuf_done(&sql);
    if (rc != SQLITE_OK) {
        sqlite3_free(table);
        return rc;
    }
    *table = (struct table){.pending = pending};
    *out = &table->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

static int choose_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = NP_PENDING_ROWS;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){.pending = ((const struct table *)table)->pending};
    *out = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int begin_rows(sqlite3_vtab_cursor *cursor, int index, const char *name, int count,
                      sqlite3_value **values)
{
    (void)index, (void)name, (void)count, (void)values;
    struct cursor *c = (struct cursor *)cursor;
    c->row = c->pending->rows;
    c->end = c->row + c->pending->count;
    return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *cursor)
{
    ((struct cursor *)cursor)->row++;
    return SQLITE_OK;
}

static int is_behind_rows(sqlite3_vtab_cursor *cursor)
{
    const struct cursor *c = (const struct cursor *)cursor;
    return c->row == c->end;
}

static int give_column(sqlite3_vtab_cursor *cursor, sqlite3_context *out, int column)
{
    const struct cursor *c = (const struct cursor *)cursor;
    const np_pending_row *row = c->row;
    if (column < c->pending->columns) {
        if (!(row->nulls >> column & 1))
            sqlite3_result_int64(out, row->value[column]);
    } else if (row->blob_length) {
        sqlite3_result_blob(out, row->blob, row->blob_length, SQLITE_STATIC);
    }
    return SQLITE_OK; /* without a result it is NULL */
}

static int give_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
    const struct cursor *c = (const struct cursor *)cursor;
    *out = c->row - c->pending->rows;
    return SQLITE_OK;
}

/* Without xCreate: the table is there under the module's name, and nowhere else. */
static const sqlite3_module module = {
    .xConnect = connect_table,
    .xBestIndex = choose_index,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = begin_rows,
    .xNext = next_row,
    .xEof = is_behind_rows,
    .xColumn = give_column,
    .xRowid = give_rowid,
};

np_status np_pending_declare(sqlite3 *db, const char *name, np_pending *pending, int columns,
                             np_error *err)
{
    pending->columns = columns;
    pending->count = 0;
    const int rc = sqlite3_create_module(db, name, &module, pending);
    return rc == SQLITE_OK ? NP_OK : np_db_fail(err, db, rc, 1, "rows cannot be collected");
}

void np_pending_retract(sqlite3 *db, const char *name)
{
    (void)sqlite3_create_module(db, name, NULL, NULL); /* fails without memory: then it stays */
}
