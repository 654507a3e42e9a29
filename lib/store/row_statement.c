/* Statements that write rows; see row_statement.h. Floor 2. */
#include "row_statement.h"

#include "db.h"

np_status np_statements_prepare(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **out,
                                np_error *err)
{
    np_status status = NP_OK;
    for (int i = 0; i < count && !status; i++)
        status = np_db_prepare(db, sql[i], &out[i], err);
    return status;
}

void np_statements_finalize(sqlite3_stmt **statements, int count)
{
    for (int i = 0; i < count; i++) {
        (void)sqlite3_finalize(statements[i]); /* repeats the failure of the last step */
        statements[i] = NULL;
    }
}

void np_bind_held(sqlite3_stmt *statement, int parameter, const np_assembly *assembly, np_held held)
{
    size_t length;
    const char *text = np_held_text(assembly, held, &length);
    if (length)
        (void)sqlite3_bind_text(statement, parameter, text, (int)length, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(statement, parameter);
}

np_status np_statement_run(sqlite3 *db, sqlite3_stmt *statement, np_error *err)
{
    const int rc = sqlite3_step(statement);
    const np_status status = rc == SQLITE_DONE || rc == SQLITE_ROW
                                 ? NP_OK
                                 : np_db_fail(err, db, rc, 1, "a row cannot be written");
    (void)sqlite3_reset(statement); /* repeats the failure of the step */
    return status;
}
