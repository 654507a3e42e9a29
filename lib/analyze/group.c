/* Which group a request belongs to; see group.h. Floor 3. */
#include "group.h"

#include "db.h"
#include "fail.h"
#include "textbuf.h"
#include "view_column.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define MINUTE_NS INT64_C(60000000000)
#define NO_WORD   (UINT32_MAX - 1) /* NULL */

/* Columns to group by, and those of the view `requests` they are; a NULL there is `minute`. */
static const struct {
    const char *name, *column;
} known[] = {
    {"origin",           "origin"          },
    {"host",             "host"            },
    {"url",              "url"             },
    {"path",             "path"            },
    {"route",            "route"           },
    {"method",           "method"          },
    {"status",           "status"          },
    {"run",              "run_id"          },
    {"proxy",            "proxy"           },
    {"protocol",         "protocol"        },
    {"reused",           "reused"          },
    {"connection_state", "connection_state"},
    {"outcome",          "outcome"         },
    {"minute",           NULL              },
};
#define KNOWN (sizeof known / sizeof *known)

struct by {
    char name[NP_LABEL_KEY_MAX + 8];
    const np_view_column *column; /* NULL: minute */
    sqlite3_stmt *lookup;
    np_words *words; /* values of this column: word → text */
    np_id_map found; /* id, number, state, minute or number of a pair → word */
    np_words *pairs;
};

struct np_grouping {
    sqlite3 *db;
    struct by by[NP_GROUP_COLUMNS_MAX];
    size_t by_count;
    np_id_map joined[NP_GROUP_COLUMNS_MAX]; /* what the columns before gave, and a word → what they
                                               give together */
    uint32_t joined_count[NP_GROUP_COLUMNS_MAX];
    uint32_t (*values)[NP_GROUP_COLUMNS_MAX]; /* values[group][column]: words */
    uint32_t count, capacity;
    uint32_t words[NP_GROUP_COLUMNS_MAX][NP_CHUNK_ROWS]; /* of the batch at hand, by place in it */
    int64_t keys[NP_CHUNK_ROWS];                         /* a computed column, by row */
};

static np_status fail_memory(np_error *err)
{
    return np_fail(err, NP_E_NO_MEMORY, "no memory for groups");
}

/* ----------------------------------------------------------------------------------------------------------- columns */

static np_status fail_unknown(const char *name, np_error *err)
{
    const char *names[KNOWN + 1];
    for (size_t i = 0; i < KNOWN; i++)
        names[i] = known[i].name;
    names[KNOWN] = "none";
    const char *nearest = np_nearest_word(name, names, KNOWN + 1);
    if (nearest)
        return np_fail(err, NP_E_ARGUMENT, "no grouping by '%s': did you mean '%s'?", name,
                       nearest);
    return np_fail(err, NP_E_ARGUMENT,
                   "no grouping by '%s': there are origin host url path route method status "
                   "label.KEY run proxy protocol reused "
                   "connection_state outcome minute",
                   name);
}

static bool is_label(const char *name)
{
    const size_t prefix = strlen(NP_LABEL_PREFIX);
    return !strncmp(name, NP_LABEL_PREFIX, prefix) && name[prefix] &&
           strlen(name + prefix) <= NP_LABEL_KEY_MAX;
}

static np_status by_init(struct by *by, sqlite3 *db, np_error *err)
{
    size_t i = 0;
    if (is_label(by->name)) {
        by->column = &np_view_label;
    } else {
        while (i < KNOWN && strcasecmp(known[i].name, by->name) != 0)
            i++;
        if (i == KNOWN)
            return fail_unknown(by->name, err);
        memcpy(by->name, known[i].name, strlen(known[i].name) + 1);
        by->column =
            known[i].column ? np_view_column_find(known[i].column, strlen(known[i].column)) : NULL;
    }
    by->words = np_words_create();
    by->pairs = np_words_create();
    if (!by->words || !by->pairs)
        return fail_memory(err);
    if (!by->column || !by->column->lookup)
        return NP_OK;
    const np_status status = np_db_prepare(db, by->column->lookup, &by->lookup, err);
    if (!status && by->column == &np_view_label)
        sqlite3_bind_text(by->lookup, 2, by->name + strlen(NP_LABEL_PREFIX), -1, SQLITE_STATIC);
    return status;
}

/* The next word of "a, b,c" without blanks around it; NULL at the end. */
static const char *next_word(const char *at, char *out, size_t size, size_t *length)
{
    if (!at)
        return NULL;
    at += strspn(at, " \t");
    *length = strcspn(at, ",");
    const char *rest = at[*length] ? at + *length + 1 : NULL;
    while (*length && strchr(" \t", at[*length - 1]))
        (*length)--;
    const size_t n = *length < size ? *length : size - 1;
    memcpy(out, at, n);
    out[n] = '\0';
    return rest ? rest : "";
}

static np_status parse_by(np_grouping *g, const char *text, np_error *err)
{
    if (!strcasecmp(text, "none"))
        return NP_OK;
    bool is_last = false;
    while (!is_last) {
        if (g->by_count == NP_GROUP_COLUMNS_MAX)
            return np_fail(err, NP_E_ARGUMENT, "grouping by more than %d columns",
                           NP_GROUP_COLUMNS_MAX);
        struct by *by = &g->by[g->by_count];
        size_t length;
        is_last = !strchr(text, ',');
        text = next_word(text, by->name, sizeof by->name, &length);
        if (length >= sizeof by->name || !length)
            return fail_unknown(by->name, err);
        g->by_count++; /* from here on np_grouping_free knows it */
        const np_status status = by_init(by, g->db, err);
        if (status)
            return status;
    }
    return NP_OK;
}

np_status np_grouping_create(sqlite3 *db, const char *by, np_grouping **out, np_error *err)
{
    *out = NULL;
    np_grouping *g = calloc(1, sizeof *g);
    if (!g)
        return fail_memory(err);
    g->db = db;
    const np_status status = parse_by(g, by, err);
    if (status) {
        np_grouping_free(g);
        return status;
    }
    *out = g;
    return NP_OK;
}

void np_grouping_free(np_grouping *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->by_count; i++) {
        sqlite3_finalize(g->by[i].lookup);
        np_words_free(g->by[i].words);
        np_words_free(g->by[i].pairs);
        np_id_map_done(&g->by[i].found);
        np_id_map_done(&g->joined[i]);
    }
    free(g->values);
    free(g);
}

uint64_t np_grouping_needs(const np_grouping *g)
{
    uint64_t needs = 0;
    for (size_t i = 0; i < g->by_count; i++)
        needs |= g->by[i].column ? np_view_column_needs(g->by[i].column)
                                 : NP_COLUMN_BIT(NP_COLUMN_START);
    return needs;
}

size_t np_grouping_columns(const np_grouping *g)
{
    return g->by_count;
}

const char *np_grouping_name(const np_grouping *g, size_t column)
{
    return g->by[column].name;
}

uint32_t np_grouping_count(const np_grouping *g)
{
    return g->count;
}

const char *np_grouping_value(const np_grouping *g, uint32_t group, size_t column)
{
    const uint32_t word = g->values[group][column];
    return word == NO_WORD ? NULL : np_words_get(g->by[column].words, word, NULL);
}

/* ------------------------------------------------------------------------------------------------------- one new value */

static np_status look_up(struct by *by, sqlite3 *db, int64_t key, uint32_t *word, np_error *err)
{
    int64_t pair[2] = {key, 0};
    if (by->column->from == NP_FROM_PAIR)
        memcpy(pair, np_words_get(by->pairs, (uint32_t)key, NULL), sizeof pair);
    sqlite3_bind_int64(by->lookup, 1, pair[0]);
    if (by->column->from == NP_FROM_PAIR)
        sqlite3_bind_int64(by->lookup, 2, pair[1]);
    const int rc = sqlite3_step(by->lookup);
    np_status status = NP_OK;
    *word = NO_WORD;
    if (rc == SQLITE_ROW && sqlite3_column_type(by->lookup, 0) != SQLITE_NULL) {
        const char *text = (const char *)sqlite3_column_text(by->lookup, 0);
        *word = text ? np_words_put(by->words, text, (size_t)sqlite3_column_bytes(by->lookup, 0))
                     : NP_ID_UNKNOWN;
    } else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        status = np_db_fail(err, db, rc, 0, "a text cannot be read");
    }
    sqlite3_reset(by->lookup);
    return !status && *word == NP_ID_UNKNOWN ? fail_memory(err) : status;
}

static const char *minute_text(int64_t minute, char *out, size_t size)
{
    const time_t seconds = (time_t)(minute * 60);
    struct tm t;
    if (!gmtime_r(&seconds, &t) || !strftime(out, size, "%Y-%m-%dT%H:%M:00Z", &t))
        snprintf(out, size, "%lld", (long long)minute);
    return out;
}

/* The word of a key that was not seen before. */
static np_status new_word(struct by *by, sqlite3 *db, int64_t key, uint32_t *word, np_error *err)
{
    char text[48];
    if (by->lookup)
        return look_up(by, db, key, word, err);
    const char *value = text;
    if (!by->column)
        value = minute_text(key, text, sizeof text);
    else if (by->column->from == NP_FROM_STATE)
        value = np_view_state_text((int)key);
    else if (by->column->kind == NP_VIEW_BOOLEAN)
        value = key ? "true" : "false";
    else
        snprintf(text, sizeof text, "%lld", (long long)key);
    *word = value ? np_words_put(by->words, value, strlen(value)) : NO_WORD;
    return *word == NP_ID_UNKNOWN ? fail_memory(err) : NP_OK;
}

/* ------------------------------------------------------------------------------------------------------------- a batch */

/* The keys of a column by row: what its words depend on. Computed into g->keys where they are not a
 * chunk column themselves. */
static np_status keys_of(np_grouping *g, struct by *by, const np_columns *columns,
                         const uint16_t *rows, uint32_t count, const int64_t **keys, np_error *err)
{
    const np_view_column *column = by->column;
    *keys = g->keys;
    if (column && (column->from == NP_FROM_LOOKUP || column->from == NP_FROM_VALUE)) {
        *keys = columns->value[column->key[0]];
        return NP_OK;
    }
    const int64_t *first = columns->value[column ? column->key[0] : NP_COLUMN_START];
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t row = rows[i];
        int64_t *key = &g->keys[row];
        if (!column) {
            *key = first[row] / MINUTE_NS - (first[row] % MINUTE_NS < 0);
        } else if (column->from == NP_FROM_STATE) {
            *key = np_columns_state(columns, row);
        } else if (column->from == NP_FROM_REUSED) {
            *key = first[row] > 1;
        } else { /* NP_FROM_PAIR */
            const int64_t pair[2] = {first[row], columns->value[column->key[1]][row]};
            const uint32_t number = np_words_put(by->pairs, (const char *)pair, sizeof pair);
            if (number == NP_ID_UNKNOWN)
                return fail_memory(err);
            *key = number;
        }
    }
    return NP_OK;
}

/* The bit that says where a column is NULL; a state of none is NULL by its text. */
static int null_bit(const struct by *by)
{
    if (!by->column || by->column->from == NP_FROM_STATE)
        return -1;
    return np_chunk_present_bit((np_chunk_column)by->column->key[0]);
}

static np_status add_word(np_grouping *g, struct by *by, int64_t key, uint32_t *word, np_error *err)
{
    const np_status status = new_word(by, g->db, key, word, err);
    return !status && !np_id_map_put(&by->found, key, *word) ? fail_memory(err) : status;
}

/* Two small numbers as one key; those below 4,096 come to lie in the map's array. */
static inline int64_t join_key(uint32_t before, uint32_t word)
{
    word = word == NO_WORD ? 0 : word + 1;
    if (before < 4096 && word < 4096)
        return (int64_t)before << 12 | word;
    return (int64_t)((UINT64_C(1) << 62) | ((uint64_t)before << 32 | word));
}

/* A combination of words that was not seen before; after the last column it is a group. */
static np_status add_joined(np_grouping *g, size_t column, uint32_t at, int64_t key,
                            uint32_t *number, np_error *err)
{
    *number = g->joined_count[column]++;
    if (!np_id_map_put(&g->joined[column], key, *number))
        return fail_memory(err);
    if (column + 1 < g->by_count)
        return NP_OK;
    if (*number >= NP_GROUPS_MAX)
        return np_fail(err, NP_E_ARGUMENT,
                       "more than %u groups: group by something coarser, or narrow the filter",
                       NP_GROUPS_MAX);
    if (g->count == g->capacity) {
        const uint32_t wider = g->capacity ? g->capacity * 2 : 64;
        uint32_t(*values)[NP_GROUP_COLUMNS_MAX] = realloc(g->values, wider * sizeof *values);
        if (!values)
            return fail_memory(err);
        g->values = values;
        g->capacity = wider;
    }
    for (size_t c = 0; c < g->by_count; c++)
        g->values[g->count][c] = g->words[c][at];
    g->count++;
    return NP_OK;
}

/* Joins a column to what the columns before it gave: group[i] in, group[i] out. */
static np_status join_column(np_grouping *g, size_t c, const np_columns *columns,
                             const uint16_t *rows, uint32_t count, uint32_t *group, np_error *err)
{
    struct by *by = &g->by[c];
    const int bit = null_bit(by);
    const int64_t *keys;
    np_status status = keys_of(g, by, columns, rows, count, &keys, err);
    for (uint32_t i = 0; i < count && !status; i++) {
        uint32_t word = NO_WORD;
        if (np_columns_has(columns, bit, rows[i])) {
            word = np_id_map_get(&by->found, keys[rows[i]]);
            if (word == NP_ID_UNKNOWN)
                status = add_word(g, by, keys[rows[i]], &word, err);
        }
        g->words[c][i] = word;
        const int64_t key = join_key(group[i], word);
        uint32_t joined = np_id_map_get(&g->joined[c], key);
        if (!status && joined == NP_ID_UNKNOWN)
            status = add_joined(g, c, i, key, &joined, err);
        group[i] = joined;
    }
    return status;
}

np_status np_grouping_assign(np_grouping *g, const np_columns *columns, const uint16_t *rows,
                             uint32_t count, uint32_t *group, np_error *err)
{
    memset(group, 0, count * sizeof *group);
    if (!g->by_count)
        g->count = 1; /* and it has no values */
    np_status status = NP_OK;
    for (size_t c = 0; c < g->by_count && !status; c++)
        status = join_column(g, c, columns, rows, count, group, err);
    return status;
}
