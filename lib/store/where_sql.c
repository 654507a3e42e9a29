/* A filter as text: in its normal form, and as SQL with numbered parameters; see where.h. Floor 2.
 */
#include "where_tree.h"

#include "db.h"
#include "fail.h"

#include <string.h>

const char *np_where_operator_text(np_where_operator operator)
{
    static const char *const texts[] = {"=", "<>", "<", "<=", ">", ">="};
    return texts[operator];
}

void np_where_visit(const np_where_node *node, np_where_visit_fn visit, void *user)
{
    if (!node)
        return;
    if (node->column) {
        visit(node, user);
        return;
    }
    np_where_visit(node->left, visit, user);
    np_where_visit(node->right, visit, user);
}

/* -------------------------------------------------------------------------------------------------------- normal form */

static void print_duration(np_textbuf *out, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {
        {INT64_C(3600000000000), "h" },
        {INT64_C(60000000000),   "m" },
        {1000000000,             "s" },
        {1000000,                "ms"},
        {1000,                   "us"},
        {1,                      "ns"}
    };
    if (ns <= 0) {
        np_textbuf_print(out, "%lld", (long long)ns); /* durations with a unit are positive */
        return;
    }
    size_t i = 0;
    while (ns % units[i].ns)
        i++;
    np_textbuf_print(out, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
}

static void print_value(np_textbuf *out, const np_where_node *node, const np_where_value *value)
{
    if (value->text) {
        np_textbuf_puts(out, "'");
        for (size_t i = 0; i < value->length; i++)
            np_textbuf_add(out, value->text[i] == '\'' ? "''" : value->text + i,
                           value->text[i] == '\'' ? 2 : 1);
        np_textbuf_puts(out, "'");
    } else if (node->column->kind == NP_VIEW_BOOLEAN) {
        np_textbuf_puts(out, value->number ? "true" : "false");
    } else if (node->column->kind == NP_VIEW_DURATION) {
        print_duration(out, value->number);
    } else {
        np_textbuf_print(out, "%lld", (long long)value->number);
    }
}

static void print_condition(np_textbuf *out, const np_where_node *node)
{
    np_textbuf_print(out, "%s%s", node->label ? NP_LABEL_PREFIX : node->column->name,
                     node->label ? node->label : "");
    switch (node->type) {
    case NP_WHERE_IS_NULL:
        np_textbuf_puts(out, " is null");
        return;
    case NP_WHERE_COMPARE:
        np_textbuf_print(out, " %s ", np_where_operator_text(node->operator));
        break;
    case NP_WHERE_LIKE:
        np_textbuf_puts(out, " like ");
        break;
    case NP_WHERE_BETWEEN:
        np_textbuf_puts(out, " between ");
        break;
    default:
        np_textbuf_puts(out, " in (");
    }
    for (size_t i = 0; i < node->value_count; i++) {
        if (i)
            np_textbuf_puts(out, node->type == NP_WHERE_BETWEEN ? " and " : ", ");
        print_value(out, node, &node->values[i]);
    }
    if (node->type == NP_WHERE_IN)
        np_textbuf_puts(out, ")");
}

static void print_node(np_textbuf *out, const np_where_node *node);

static void print_part(np_textbuf *out, const np_where_node *node, bool in_parentheses)
{
    if (in_parentheses)
        np_textbuf_puts(out, "(");
    print_node(out, node);
    if (in_parentheses)
        np_textbuf_puts(out, ")");
}

static void print_node(np_textbuf *out, const np_where_node *node)
{
    switch (node->type) {
    case NP_WHERE_AND:
        print_part(out, node->left, node->left->type == NP_WHERE_OR);
        np_textbuf_puts(out, " and ");
        print_part(out, node->right,
                   node->right->type == NP_WHERE_OR || node->right->type == NP_WHERE_AND);
        break;
    case NP_WHERE_OR:
        print_part(out, node->left, false);
        np_textbuf_puts(out, " or ");
        print_part(out, node->right, node->right->type == NP_WHERE_OR);
        break;
    case NP_WHERE_NOT:
        np_textbuf_puts(out, "not ");
        print_part(out, node->left,
                   node->left->type == NP_WHERE_AND || node->left->type == NP_WHERE_OR);
        break;
    default:
        print_condition(out, node);
    }
}

size_t np_filter_text(const np_filter *filter, char *out, size_t size)
{
    np_textbuf text;
    np_textbuf_init(&text, (size_t)16 * NP_FILTER_TEXT_MAX);
    if (filter && filter->root)
        print_node(&text, filter->root);
    const size_t length = text.length;
    if (size) {
        const size_t n = length < size ? length : size - 1;
        if (n)
            memcpy(out, text.text, n);
        out[n] = '\0';
    }
    np_textbuf_done(&text);
    return length;
}

/* ---------------------------------------------------------------------------------------------------------------- SQL */

static void sql_column(np_textbuf *sql, const np_where_node *node, int *parameter)
{
    if (node->label)
        np_textbuf_print(sql, "(SELECT value FROM label WHERE run_id = r.run_id AND key = ?%d)",
                         (*parameter)++);
    else
        np_textbuf_puts(sql, node->column->sql);
}

static void sql_condition(np_textbuf *sql, const np_where_node *node, int *parameter)
{
    sql_column(sql, node, parameter);
    switch (node->type) {
    case NP_WHERE_IS_NULL:
        np_textbuf_puts(sql, " IS NULL");
        return;
    case NP_WHERE_COMPARE:
        np_textbuf_print(sql, " %s ?%d", np_where_operator_text(node->operator), (*parameter)++);
        return;
    case NP_WHERE_LIKE:
        np_textbuf_print(sql, " LIKE ?%d", (*parameter)++);
        return;
    case NP_WHERE_BETWEEN:
        np_textbuf_print(sql, " BETWEEN ?%d AND ?%d", *parameter, *parameter + 1);
        *parameter += 2;
        return;
    default:
        np_textbuf_puts(sql, " IN (");
        for (size_t i = 0; i < node->value_count; i++)
            np_textbuf_print(sql, i ? ", ?%d" : "?%d", (*parameter)++);
        np_textbuf_puts(sql, ")");
    }
}

static void sql_node(np_textbuf *sql, const np_where_node *node, int *parameter)
{
    np_textbuf_puts(sql, node->type == NP_WHERE_NOT ? "(NOT " : "(");
    if (node->column) {
        sql_condition(sql, node, parameter);
    } else {
        sql_node(sql, node->left, parameter);
        if (node->right) {
            np_textbuf_puts(sql, node->type == NP_WHERE_AND ? " AND " : " OR ");
            sql_node(sql, node->right, parameter);
        }
    }
    np_textbuf_puts(sql, ")");
}

int np_filter_sql(const np_filter *filter, int first, np_textbuf *sql)
{
    int parameter = first;
    if (filter && filter->root)
        sql_node(sql, filter->root, &parameter);
    else
        np_textbuf_puts(sql, "(1)");
    return parameter - first;
}

struct binding {
    sqlite3_stmt *statement;
    int parameter;
    int rc;
};

static void bind_condition(const np_where_node *node, void *user)
{
    struct binding *b = user;
    if (node->label && !b->rc)
        b->rc = sqlite3_bind_text(b->statement, b->parameter++, node->label, -1, SQLITE_STATIC);
    for (size_t i = 0; i < node->value_count && !b->rc; i++) {
        const np_where_value *value = &node->values[i];
        if (value->text)
            b->rc = sqlite3_bind_text64(b->statement, b->parameter++, value->text, value->length,
                                        SQLITE_STATIC, SQLITE_UTF8);
        else
            b->rc = sqlite3_bind_int64(b->statement, b->parameter++, value->number);
    }
}

np_status np_filter_bind(const np_filter *filter, sqlite3_stmt *statement, int first, np_error *err)
{
    struct binding b = {statement, first, SQLITE_OK};
    if (filter)
        np_where_visit(filter->root, bind_condition, &b);
    return b.rc ? np_db_fail(err, sqlite3_db_handle(statement), b.rc, 0, "a filter cannot be bound")
                : NP_OK;
}
