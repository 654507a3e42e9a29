/* The tree of a filter; see where.h. Floor 2. Immutable once parsed: any thread may read it. */
#ifndef NP_STORE_WHERE_TREE_H
#define NP_STORE_WHERE_TREE_H

#include "arena.h"
#include "view_column.h"
#include "where.h"

#define NP_FILTER_TEXT_MAX       16384
#define NP_FILTER_DEPTH_MAX      64   /* of parentheses and `not` */
#define NP_FILTER_CONDITIONS_MAX 256  /* SQLite's expressions may be 1,000 deep */
#define NP_FILTER_VALUES_MAX     4096 /* in all lists together */
#define NP_FILTER_PATTERN_MAX                                                                      \
    4096 /* of like; what SQLite is held to for files from someone else                            \
          */

typedef enum np_where_type {
    NP_WHERE_AND,
    NP_WHERE_OR,
    NP_WHERE_NOT,
    NP_WHERE_COMPARE,
    NP_WHERE_LIKE,
    NP_WHERE_IN,
    NP_WHERE_BETWEEN, /* values[0] … values[1], both included */
    NP_WHERE_IS_NULL
} np_where_type;

typedef enum np_where_operator {
    NP_WHERE_EQUAL,
    NP_WHERE_UNEQUAL,
    NP_WHERE_LESS,
    NP_WHERE_LESS_EQUAL,
    NP_WHERE_GREATER,
    NP_WHERE_GREATER_EQUAL
} np_where_operator;

typedef struct np_where_value {
    const char *text; /* NULL: a number */
    size_t length;
    int64_t number; /* durations in ns; booleans 0 and 1 */
} np_where_value;

typedef struct np_where_node {
    np_where_type type;
    np_where_operator operator;               /* COMPARE */
    const struct np_where_node *left, *right; /* AND, OR; NOT has left alone */
    const np_view_column *column;             /* conditions */
    const char *label;                        /* KEY of label.KEY, else NULL */
    const np_where_value
        *values; /* values[value_count]; COMPARE and LIKE 1, BETWEEN 2, IS_NULL 0 */
    size_t value_count;
    uint32_t condition; /* number of this condition in the tree, 0 … condition_count - 1 */
} np_where_node;

struct np_filter {
    np_arena *arena;
    const np_where_node *root; /* NULL: an empty filter, which lets everything pass */
    uint32_t condition_count;
};

/* "=", "<>", … in the filter's language and in SQL. */
const char *np_where_operator_text(np_where_operator operator);

/* Calls visit for every condition, left to right. */
typedef void (*np_where_visit_fn)(const np_where_node *condition, void *user);
void np_where_visit(const np_where_node *node, np_where_visit_fn visit, void *user);

#endif
