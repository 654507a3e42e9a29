/*
 * A filter over column chunks; see where.h. Floor 2. One thread a run.
 *
 * A condition on numbers reads its column. A condition on texts reads the column of ids and
 * remembers for each id what the text was found to be, so a text is looked up and compared once,
 * however many requests have it.
 */
#include "where_tree.h"

#include "db.h"
#include "fail.h"
#include "id_map.h"

#include <stdlib.h>
#include <string.h>

struct condition {
    sqlite3_stmt *lookup; /* NULL: not of the kinds that look up */
    np_id_map found;      /* id, or the number of a pair → NP_FALSE, NP_NULL, NP_TRUE */
    np_words *pairs;      /* two ids as 16 bytes */
    int64_t last[2];      /* the pair that was looked at last … */
    uint8_t last_result;  /* … and what it was */
    bool has_last;
};

struct np_filter_run {
    const np_filter *filter;
    sqlite3 *db;
    struct condition *conditions; /* conditions[filter->condition_count] */
    uint8_t **buffers; /* buffers[level][NP_CHUNK_ROWS]; made when a level is first needed */
    size_t buffer_count;
    int64_t numbers[NP_CHUNK_ROWS]; /* a computed column */
};

/* --------------------------------------------------------------------------------------------------------- one value */

struct value {
    bool is_null;
    const char *text; /* of text columns */
    size_t length;
    int64_t number;
};

static int compare_text(const struct value *a, const np_where_value *b)
{
    const size_t n = a->length < b->length ? a->length : b->length;
    const int order = n ? memcmp(a->text, b->text, n) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare(const struct value *a, const np_where_value *b)
{
    if (b->text)
        return compare_text(a, b);
    return (a->number > b->number) - (a->number < b->number);
}

static bool holds(np_where_operator operator, int order)
{
    switch (operator) {
    case NP_WHERE_EQUAL:
        return order == 0;
    case NP_WHERE_UNEQUAL:
        return order != 0;
    case NP_WHERE_LESS:
        return order < 0;
    case NP_WHERE_LESS_EQUAL:
        return order <= 0;
    case NP_WHERE_GREATER:
        return order > 0;
    case NP_WHERE_GREATER_EQUAL:
        return order >= 0;
    }
    return false;
}

static bool is_listed(const np_where_node *node, const struct value *v)
{
    for (size_t i = 0; i < node->value_count; i++)
        if (compare(v, &node->values[i]) == 0)
            return true;
    return false;
}

static uint8_t test(const np_where_node *node, const struct value *v)
{
    bool is_true = false;
    if (node->type == NP_WHERE_IS_NULL)
        return v->is_null ? NP_TRUE : NP_FALSE;
    if (v->is_null)
        return NP_NULL;
    switch (node->type) {
    case NP_WHERE_COMPARE:
        is_true = holds(node->operator, compare(v, &node->values[0]));
        break;
    case NP_WHERE_LIKE:
        is_true = sqlite3_strlike(node->values[0].text, v->text, 0) == 0;
        break;
    case NP_WHERE_BETWEEN:
        is_true = compare(v, &node->values[0]) >= 0 && compare(v, &node->values[1]) <= 0;
        break;
    default:
        is_true = is_listed(node, v);
    }
    return is_true ? NP_TRUE : NP_FALSE;
}

/* ------------------------------------------------------------------------------------------------------------ numbers */

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static void compute_setup(const np_columns *columns, int64_t *out)
{
    memset(out, 0, columns->rows * sizeof *out);
    for (int c = NP_COLUMN_QUEUE; c <= NP_COLUMN_TLS; c++) {
        const int bit = np_chunk_present_bit((np_chunk_column)c);
        for (uint32_t i = 0; i < columns->rows; i++)
            if (np_columns_has(columns, bit, i))
                out[i] = add_saturated(out[i], columns->value[c][i]);
    }
}

/* The values of a numeric column, and the bit that says where they are NULL (-1: nowhere). */
static const int64_t *numbers_of(np_filter_run *run, const np_view_column *column,
                                 const np_columns *columns, int *bit)
{
    const int64_t *value = columns->value[column->key[0]];
    *bit = np_chunk_present_bit((np_chunk_column)column->key[0]);
    switch (column->from) {
    case NP_FROM_SETUP:
        *bit = -1;
        compute_setup(columns, run->numbers);
        return run->numbers;
    case NP_FROM_FAILED:
        for (uint32_t i = 0; i < columns->rows; i++)
            run->numbers[i] = value[i] != 0;
        return run->numbers;
    case NP_FROM_REUSED:
        for (uint32_t i = 0; i < columns->rows; i++)
            run->numbers[i] = value[i] > 1;
        return run->numbers;
    default:
        return value;
    }
}

static void test_numbers(np_filter_run *run, const np_where_node *node, const np_columns *columns,
                         uint8_t *result)
{
    int bit;
    const int64_t *number = numbers_of(run, node->column, columns, &bit);
    for (uint32_t i = 0; i < columns->rows; i++) {
        const struct value v = {.is_null = !np_columns_has(columns, bit, i), .number = number[i]};
        result[i] = test(node, &v);
    }
}

static void test_states(const np_where_node *node, const np_columns *columns, uint8_t *result)
{
    uint8_t of_state[NP_STATE_REUSED + 1];
    for (int s = 0; s <= NP_STATE_REUSED; s++) {
        const char *text = np_view_state_text(s);
        of_state[s] = test(
            node,
            &(struct value){.is_null = !text, .text = text, .length = text ? strlen(text) : 0});
    }
    for (uint32_t i = 0; i < columns->rows; i++)
        result[i] = of_state[np_columns_state(columns, i)];
}

/* ------------------------------------------------------------------------------------------------------------- texts */

static np_status look_up(np_filter_run *run, const np_where_node *node, int64_t a, int64_t b,
                         uint8_t *result, np_error *err)
{
    sqlite3_stmt *lookup = run->conditions[node->condition].lookup;
    sqlite3_bind_int64(lookup, 1, a);
    if (node->column->from == NP_FROM_PAIR)
        sqlite3_bind_int64(lookup, 2, b);
    const int rc = sqlite3_step(lookup);
    struct value v = {.is_null = rc != SQLITE_ROW || sqlite3_column_type(lookup, 0) == SQLITE_NULL};
    if (!v.is_null && node->column->kind == NP_VIEW_TEXT) {
        v.text = (const char *)sqlite3_column_text(lookup, 0);
        v.length = (size_t)sqlite3_column_bytes(lookup, 0);
    } else if (!v.is_null) {
        v.number = sqlite3_column_int64(lookup, 0);
    }
    np_status status = NP_OK;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = np_db_fail(err, run->db, rc, 0, "a text cannot be read");
    else if (!v.is_null && node->column->kind == NP_VIEW_TEXT && !v.text)
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for a text");
    else
        *result = test(node, &v);
    sqlite3_reset(lookup);
    return status;
}

static np_status test_lookups(np_filter_run *run, const np_where_node *node,
                              const np_columns *columns, uint8_t *result, np_error *err)
{
    struct condition *c = &run->conditions[node->condition];
    const int64_t *id = columns->value[node->column->key[0]];
    const int bit = np_chunk_present_bit((np_chunk_column)node->column->key[0]);
    const uint8_t of_null = test(node, &(struct value){.is_null = true});
    for (uint32_t i = 0; i < columns->rows; i++) {
        if (!np_columns_has(columns, bit, i)) {
            result[i] = of_null;
            continue;
        }
        const uint32_t known = np_id_map_get(&c->found, id[i]);
        if (known != NP_ID_UNKNOWN) {
            result[i] = (uint8_t)known;
            continue;
        }
        const np_status status = look_up(run, node, id[i], 0, &result[i], err);
        if (status)
            return status;
        if (!np_id_map_put(&c->found, id[i], result[i]))
            return np_fail(err, NP_E_NO_MEMORY, "no memory for a filter");
    }
    return NP_OK;
}

static np_status test_pair(np_filter_run *run, const np_where_node *node, const int64_t pair[2],
                           uint8_t *result, np_error *err)
{
    struct condition *c = &run->conditions[node->condition];
    const uint32_t number = np_words_put(c->pairs, (const char *)pair, 2 * sizeof *pair);
    if (number == NP_ID_UNKNOWN)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a filter");
    const uint32_t known = np_id_map_get(&c->found, number);
    if (known != NP_ID_UNKNOWN) {
        *result = (uint8_t)known;
        return NP_OK;
    }
    const np_status status = look_up(run, node, pair[0], pair[1], result, err);
    if (!status && !np_id_map_put(&c->found, number, *result))
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a filter");
    return status;
}

static np_status test_pairs(np_filter_run *run, const np_where_node *node,
                            const np_columns *columns, uint8_t *result, np_error *err)
{
    struct condition *c = &run->conditions[node->condition];
    const int64_t *first = columns->value[node->column->key[0]];
    const int64_t *second = columns->value[node->column->key[1]];
    for (uint32_t i = 0; i < columns->rows; i++) {
        const int64_t pair[2] = {first[i], second[i]};
        if (!c->has_last || memcmp(c->last, pair, sizeof pair) != 0) {
            const np_status status = test_pair(run, node, pair, &c->last_result, err);
            if (status)
                return status;
            memcpy(c->last, pair, sizeof pair);
            c->has_last = true;
        }
        result[i] = c->last_result;
    }
    return NP_OK;
}

/* --------------------------------------------------------------------------------------------------------------- tree */

static np_status evaluate_condition(np_filter_run *run, const np_where_node *node,
                                    const np_columns *columns, uint8_t *result, np_error *err)
{
    switch (node->column->from) {
    case NP_FROM_LOOKUP:
        return test_lookups(run, node, columns, result, err);
    case NP_FROM_PAIR:
        return test_pairs(run, node, columns, result, err);
    case NP_FROM_STATE:
        test_states(node, columns, result);
        return NP_OK;
    default:
        test_numbers(run, node, columns, result);
        return NP_OK;
    }
}

static uint8_t *buffer_at(np_filter_run *run, size_t level)
{
    if (level >= run->buffer_count) {
        uint8_t **buffers = realloc(run->buffers, (level + 1) * sizeof *buffers);
        if (!buffers)
            return NULL;
        run->buffers = buffers;
        while (run->buffer_count <= level)
            buffers[run->buffer_count++] = NULL;
    }
    if (!run->buffers[level])
        run->buffers[level] = malloc(NP_CHUNK_ROWS);
    return run->buffers[level];
}

static np_status evaluate(np_filter_run *run, const np_where_node *node, const np_columns *columns,
                          uint8_t *result, size_t level, np_error *err)
{
    if (node->column)
        return evaluate_condition(run, node, columns, result, err);
    np_status status = evaluate(run, node->left, columns, result, level, err);
    if (status)
        return status;
    if (node->type == NP_WHERE_NOT) {
        for (uint32_t i = 0; i < columns->rows; i++)
            result[i] = (uint8_t)(NP_TRUE - result[i]);
        return NP_OK;
    }
    uint8_t *right = buffer_at(run, level);
    if (!right)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a filter");
    status = evaluate(run, node->right, columns, right, level + 1, err);
    if (status)
        return status;
    right = run->buffers[level];
    for (uint32_t i = 0; i < columns->rows; i++) {
        const bool take_right =
            node->type == NP_WHERE_AND ? right[i] < result[i] : right[i] > result[i];
        result[i] = take_right ? right[i] : result[i];
    }
    return NP_OK;
}

np_status np_filter_evaluate(np_filter_run *run, const np_columns *columns, uint8_t *result,
                             np_error *err)
{
    return evaluate(run, run->filter->root, columns, result, 0, err);
}

/* ------------------------------------------------------------------------------------------------------------- ranges */

/* What the rows of a chunk may turn out to be. */
struct outlook {
    bool may_true, may_false;
};

static struct outlook outlook_compare(np_where_operator operator, int64_t low, int64_t high,
                                      int64_t value)
{
    const bool some_equal = low <= value && value <= high;
    const bool some_less = low < value;
    const bool some_greater = high > value;
    switch (operator) {
    case NP_WHERE_EQUAL:
        return (struct outlook){some_equal, some_less || some_greater};
    case NP_WHERE_UNEQUAL:
        return (struct outlook){some_less || some_greater, some_equal};
    case NP_WHERE_LESS:
        return (struct outlook){some_less, some_equal || some_greater};
    case NP_WHERE_LESS_EQUAL:
        return (struct outlook){some_less || some_equal, some_greater};
    case NP_WHERE_GREATER:
        return (struct outlook){some_greater, some_equal || some_less};
    case NP_WHERE_GREATER_EQUAL:
        return (struct outlook){some_greater || some_equal, some_less};
    }
    return (struct outlook){true, true};
}

static struct outlook outlook_range(const np_where_node *node, int64_t low, int64_t high)
{
    if (node->type == NP_WHERE_COMPARE)
        return outlook_compare(node->operator, low, high, node->values[0].number);
    if (node->type == NP_WHERE_BETWEEN) {
        const int64_t from = node->values[0].number;
        const int64_t to = node->values[1].number;
        return (struct outlook){from <= to && low <= to && high >= from,
                                low < from || high > to || from > to};
    }
    struct outlook all = {false, true};
    for (size_t i = 0; i < node->value_count; i++) {
        const struct outlook one =
            outlook_compare(NP_WHERE_EQUAL, low, high, node->values[i].number);
        all.may_true |= one.may_true;
        all.may_false &= one.may_false;
    }
    return all;
}

static struct outlook outlook_condition(const np_where_node *node, const np_columns *columns)
{
    const int key = node->column->key[0];
    if (!(columns->ranged & NP_COLUMN_BIT(key)) || node->type == NP_WHERE_IS_NULL)
        return (struct outlook){true, true};
    int64_t low = columns->low[key];
    int64_t high = columns->high[key];
    switch (node->column->from) {
    case NP_FROM_VALUE:
        break;
    case NP_FROM_FAILED:
        high = low != 0 || high != 0;
        low = low > 0;
        break;
    case NP_FROM_REUSED:
        high = high > 1;
        low = low > 1;
        break;
    default:
        return (struct outlook){true, true};
    }
    if (columns->empty & NP_COLUMN_BIT(key))
        return (struct outlook){false, false};
    return outlook_range(node, low, high);
}

static struct outlook outlook_node(const np_where_node *node, const np_columns *columns)
{
    if (node->column)
        return outlook_condition(node, columns);
    const struct outlook a = outlook_node(node->left, columns);
    if (node->type == NP_WHERE_NOT)
        return (struct outlook){a.may_false, a.may_true};
    const struct outlook b = outlook_node(node->right, columns);
    if (node->type == NP_WHERE_AND)
        return (struct outlook){a.may_true && b.may_true, a.may_false || b.may_false};
    return (struct outlook){a.may_true || b.may_true, a.may_false && b.may_false};
}

bool np_filter_may_match(const np_filter *filter, const np_columns *columns)
{
    return outlook_node(filter->root, columns).may_true;
}

/* ---------------------------------------------------------------------------------------------------------------- run */

struct needs {
    uint64_t columns;
    bool is_columnar;
};

static void add_needs(const np_where_node *node, void *user)
{
    struct needs *needs = user;
    needs->columns |= np_view_column_needs(node->column);
    needs->is_columnar &= node->column->from != NP_FROM_ROWS;
}

bool np_filter_is_columnar(const np_filter *filter)
{
    struct needs needs = {0, true};
    np_where_visit(filter->root, add_needs, &needs);
    return needs.is_columnar;
}

uint64_t np_filter_needs(const np_filter *filter)
{
    struct needs needs = {0, true};
    np_where_visit(filter->root, add_needs, &needs);
    return needs.columns;
}

struct preparation {
    np_filter_run *run;
    np_status status;
    np_error *err;
};

static void prepare_condition(const np_where_node *node, void *user)
{
    struct preparation *p = user;
    struct condition *c = &p->run->conditions[node->condition];
    if (p->status || !node->column->lookup || node->column->from == NP_FROM_ROWS)
        return;
    p->status = np_db_prepare(p->run->db, node->column->lookup, &c->lookup, p->err);
    if (!p->status && node->label)
        sqlite3_bind_text(c->lookup, 2, node->label, -1, SQLITE_STATIC);
    if (!p->status && node->column->from == NP_FROM_PAIR && !(c->pairs = np_words_create()))
        p->status = np_fail(p->err, NP_E_NO_MEMORY, "no memory for a filter");
}

np_status np_filter_run_create(const np_filter *filter, sqlite3 *db, np_filter_run **out,
                               np_error *err)
{
    *out = NULL;
    np_filter_run *run = calloc(1, sizeof *run);
    if (!run)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a filter");
    run->filter = filter;
    run->db = db;
    run->conditions = calloc(filter->condition_count, sizeof *run->conditions);
    if (!run->conditions) {
        np_filter_run_free(run);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a filter");
    }
    struct preparation p = {run, NP_OK, err};
    np_where_visit(filter->root, prepare_condition, &p);
    if (p.status) {
        np_filter_run_free(run);
        return p.status;
    }
    *out = run;
    return NP_OK;
}

void np_filter_run_free(np_filter_run *run)
{
    if (!run)
        return;
    for (uint32_t i = 0; run->conditions && i < run->filter->condition_count; i++) {
        sqlite3_finalize(run->conditions[i].lookup);
        np_id_map_done(&run->conditions[i].found);
        np_words_free(run->conditions[i].pairs);
    }
    for (size_t i = 0; i < run->buffer_count; i++)
        free(run->buffers[i]);
    free(run->buffers);
    free(run->conditions);
    free(run);
}
