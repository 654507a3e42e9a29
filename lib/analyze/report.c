/*
 * Reports: groups of requests and what each phase cost in them; see <netphase/report.h>. Floor 3.
 * One thread a store.
 *
 * One pass: each batch of columns is grouped (group.h), its rows are ordered by group, and every
 * figure's column is appended to the values of each group in one run (quantile.h). Quantiles come
 * at the end, and only for the groups that are shown.
 */
#include "group.h"
#include "quantile.h"

#include "arena.h"
#include "db.h"
#include "fail.h"
#include "reader.h"
#include "scan.h"
#include "textbuf.h"

#include <netphase/report.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_BY       "origin,method,connection_state"
#define LABELS_BYTES_MAX (1u << 20)

/* The figures of a group: the phases by their number, then these. */
enum { FIGURE_SETUP = NP_PHASE_COUNT, FIGURE_TOTAL, FIGURE_CALLER_BLOCKED, FIGURES };

struct group {
    uint64_t requests, failed, reused;
    uint32_t in_batch; /* rows of the batch at hand … */
    uint32_t begin;    /* … and where they begin in ordered[] */
    np_values values[FIGURES];
};

struct collection {
    np_store *store;
    np_grouping *grouping;
    struct group **groups; /* groups[np_grouping_count(grouping)] */
    uint32_t group_count, group_capacity;
    np_id_map runs;   /* run ids that are in it */
    int64_t *run_ids; /* run_ids[run_count] */
    size_t run_count, run_capacity;
    uint64_t requests, failed;
    int64_t from_ns, to_ns;
    uint32_t group_of[NP_CHUNK_ROWS];
    uint32_t touched[NP_CHUNK_ROWS]; /* groups of the batch, in order of first appearance */
    uint32_t touched_count;
    uint16_t ordered[NP_CHUNK_ROWS];
    int64_t setup[NP_CHUNK_ROWS]; /* by row */
};

static np_status fail_memory(np_error *err)
{
    return np_fail(err, NP_E_NO_MEMORY, "no memory for a report");
}

/* --------------------------------------------------------------------------------------------------------------- order */

static np_status make_groups(struct collection *c, np_error *err)
{
    const uint32_t needed = np_grouping_count(c->grouping);
    if (needed > c->group_capacity) {
        const uint32_t wider = needed > 2 * c->group_capacity ? needed : 2 * c->group_capacity;
        struct group **groups = realloc(c->groups, wider * sizeof *groups);
        if (!groups)
            return fail_memory(err);
        c->groups = groups;
        c->group_capacity = wider;
    }
    for (; c->group_count < needed; c->group_count++) {
        c->groups[c->group_count] = calloc(1, sizeof **c->groups);
        if (!c->groups[c->group_count])
            return fail_memory(err);
    }
    return NP_OK;
}

/* Fills touched[] and ordered[]: the rows, those of a group behind each other, each in order of id.
 */
static void order_rows(struct collection *c, const uint16_t *rows, uint32_t count)
{
    c->touched_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (c->groups[c->group_of[i]]->in_batch++ == 0)
            c->touched[c->touched_count++] = c->group_of[i];
    uint32_t begin = 0;
    for (uint32_t t = 0; t < c->touched_count; t++) {
        struct group *g = c->groups[c->touched[t]];
        g->begin = begin;
        begin += g->in_batch;
        g->in_batch = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct group *g = c->groups[c->group_of[i]];
        c->ordered[g->begin + g->in_batch++] = rows[i];
    }
}

/* -------------------------------------------------------------------------------------------------------------- append */

/* A figure's values of the batch. */
struct source {
    const int64_t *value;
    const int64_t *present; /* words of present bits; NULL: every value is there */
    int bit;
    bool fits_small; /* 0 … UINT32_MAX, all of them */
};

static bool append_small(np_values *values, const struct source *s, const uint16_t *rows,
                         uint32_t count)
{
    if (!np_values_reserve_small(values, count))
        return false;
    uint32_t *out = values->small + values->small_count;
    if (s->present) {
        for (uint32_t i = 0; i < count; i++) {
            *out = (uint32_t)s->value[rows[i]];
            out += (uint64_t)s->present[rows[i]] >> s->bit & 1;
        }
    } else {
        for (uint32_t i = 0; i < count; i++)
            *out++ = (uint32_t)s->value[rows[i]];
    }
    values->small_count = (size_t)(out - values->small);
    return true;
}

static bool append_any(np_values *values, const struct source *s, const uint16_t *rows,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const bool has = !s->present || ((uint64_t)s->present[rows[i]] >> s->bit & 1);
        if (has && !np_values_push(values, s->value[rows[i]]))
            return false;
    }
    return true;
}

static np_status append(struct collection *c, int figure, const struct source *s, np_error *err)
{
    for (uint32_t t = 0; t < c->touched_count; t++) {
        struct group *g = c->groups[c->touched[t]];
        const uint16_t *rows = c->ordered + g->begin;
        np_values *values = &g->values[figure];
        if (!(s->fits_small ? append_small(values, s, rows, g->in_batch)
                            : append_any(values, s, rows, g->in_batch)))
            return fail_memory(err);
    }
    return NP_OK;
}

/* Whether a bit is set in every row's word. */
static bool is_always_present(const np_columns *columns, int bit)
{
    return bit < 0 || (columns->low[NP_COLUMN_PRESENT] == columns->high[NP_COLUMN_PRESENT] &&
                       ((uint64_t)columns->low[NP_COLUMN_PRESENT] >> bit & 1));
}

static np_status append_column(struct collection *c, int figure, const np_columns *columns,
                               np_chunk_column column, np_error *err)
{
    if (columns->empty & NP_COLUMN_BIT(column))
        return NP_OK;
    const int bit = np_chunk_present_bit(column);
    const struct source s = {
        .value = columns->value[column],
        .present = is_always_present(columns, bit) ? NULL : columns->value[NP_COLUMN_PRESENT],
        .bit = bit,
        .fits_small = columns->low[column] >= 0 && columns->high[column] <= UINT32_MAX,
    };
    return append(c, figure, &s, err);
}

/* setup[]: the sum of the phases before `send` that are there; what is negative in a damaged file
 * counts as 0. */
static np_status append_setup(struct collection *c, const np_columns *columns, np_error *err)
{
    const int64_t *present = columns->value[NP_COLUMN_PRESENT];
    int64_t high = 0;
    memset(c->setup, 0, columns->rows * sizeof *c->setup);
    for (int column = NP_COLUMN_QUEUE; column <= NP_COLUMN_TLS; column++) {
        const int64_t *value = columns->value[column];
        const int bit = np_chunk_present_bit((np_chunk_column)column);
        if (columns->empty & NP_COLUMN_BIT(column))
            continue;
        if (columns->low[column] >= 0 && columns->high[column] <= UINT32_MAX) {
            high = np_add_saturated(high, columns->high[column]);
            for (uint32_t i = 0; i < columns->rows; i++)
                c->setup[i] = (int64_t)((uint64_t)c->setup[i] +
                                        ((uint64_t)value[i] & -((uint64_t)present[i] >> bit & 1)));
            continue;
        }
        high = INT64_MAX;
        for (uint32_t i = 0; i < columns->rows; i++)
            if (((uint64_t)present[i] >> bit & 1) && value[i] > 0)
                c->setup[i] = np_add_saturated(c->setup[i], value[i]);
    }
    return append(c, FIGURE_SETUP,
                  &(struct source){.value = c->setup, .fits_small = high <= UINT32_MAX}, err);
}

static np_status note_runs(struct collection *c, const np_columns *columns, const uint16_t *rows,
                           uint32_t count, np_error *err)
{
    const int64_t *run = columns->value[NP_COLUMN_RUN];
    const bool is_one = columns->low[NP_COLUMN_RUN] == columns->high[NP_COLUMN_RUN];
    for (uint32_t i = 0; i < (is_one && count ? 1 : count); i++) {
        if (np_id_map_get(&c->runs, run[rows[i]]) != NP_ID_UNKNOWN)
            continue;
        if (c->run_count == c->run_capacity) {
            const size_t wider = c->run_capacity ? c->run_capacity * 2 : 16;
            int64_t *ids = realloc(c->run_ids, wider * sizeof *ids);
            if (!ids)
                return fail_memory(err);
            c->run_ids = ids;
            c->run_capacity = wider;
        }
        c->run_ids[c->run_count++] = run[rows[i]];
        if (!np_id_map_put(&c->runs, run[rows[i]], 1))
            return fail_memory(err);
    }
    return NP_OK;
}

static void count_rows(struct collection *c, const np_columns *columns)
{
    const int64_t *start = columns->value[NP_COLUMN_START];
    const int64_t *total = columns->value[NP_COLUMN_TOTAL];
    const int64_t *outcome = columns->value[NP_COLUMN_OUTCOME];
    const int64_t *use = columns->value[NP_COLUMN_CONNECTION_USE];
    const int use_bit = np_chunk_present_bit(NP_COLUMN_CONNECTION_USE);
    for (uint32_t t = 0; t < c->touched_count; t++) {
        struct group *g = c->groups[c->touched[t]];
        uint64_t failed = 0;
        for (uint32_t i = g->begin; i < g->begin + g->in_batch; i++) {
            const uint16_t row = c->ordered[i];
            const int64_t end = np_add_saturated(start[row], total[row] > 0 ? total[row] : 0);
            failed += outcome[row] != 0;
            g->reused += np_columns_has(columns, use_bit, row) && use[row] > 1;
            c->from_ns = start[row] < c->from_ns ? start[row] : c->from_ns;
            c->to_ns = end > c->to_ns ? end : c->to_ns;
        }
        g->failed += failed;
        g->requests += g->in_batch;
        c->failed += failed;
        c->requests += g->in_batch;
    }
}

static np_status add_batch(struct collection *c, const np_columns *columns, const uint16_t *rows,
                           uint32_t count, np_error *err)
{
    np_status status = np_grouping_assign(c->grouping, columns, rows, count, c->group_of, err);
    if (!status)
        status = make_groups(c, err);
    if (!status)
        status = note_runs(c, columns, rows, count, err);
    if (status)
        return status;
    order_rows(c, rows, count);
    count_rows(c, columns);
    for (int phase = 0; phase < NP_PHASE_COUNT && !status; phase++)
        status = append_column(c, phase, columns, (np_chunk_column)(NP_COLUMN_QUEUE + phase), err);
    if (!status)
        status = append_setup(c, columns, err);
    if (!status)
        status = append_column(c, FIGURE_TOTAL, columns, NP_COLUMN_TOTAL, err);
    if (!status)
        status = append_column(c, FIGURE_CALLER_BLOCKED, columns, NP_COLUMN_CALLER_BLOCKED, err);
    for (uint32_t t = 0; t < c->touched_count; t++)
        c->groups[c->touched[t]]->in_batch = 0;
    return status;
}

static np_status collect(struct collection *c, const np_report_options *o, np_error *err)
{
    uint64_t needs = np_grouping_needs(c->grouping) | NP_COLUMN_BIT(NP_COLUMN_CALLER_BLOCKED) |
                     NP_COLUMN_BIT(NP_COLUMN_OUTCOME) | NP_COLUMN_BIT(NP_COLUMN_CONNECTION_USE);
    for (int column = NP_COLUMN_PRESENT; column <= NP_COLUMN_GAP; column++)
        needs |= NP_COLUMN_BIT(column);
    const np_scan_options options = {
        .columns = needs,
        .filter = o->filter,
        .run_id = o->run_id,
        .since_ns = o->since_ns,
        .until_ns = o->until_ns,
        .no_chunks = o->no_chunks,
        .canceled = &c->store->canceled,
    };
    c->from_ns = INT64_MAX;
    c->to_ns = INT64_MIN;
    np_scan *scan;
    np_status status = np_scan_open(c->store->db, &options, &scan, err);
    while (!status) {
        const np_columns *columns;
        const uint16_t *rows;
        uint32_t count;
        status = np_scan_next(scan, &columns, &rows, &count, err);
        if (status || !count)
            break;
        status = add_batch(c, columns, rows, count, err);
    }
    np_scan_close(scan);
    return status;
}

static void collection_done(struct collection *c)
{
    for (uint32_t i = 0; i < c->group_count; i++) {
        for (int figure = 0; figure < FIGURES; figure++)
            np_values_done(&c->groups[i]->values[figure]);
        free(c->groups[i]);
    }
    free(c->groups);
    free(c->run_ids);
    np_id_map_done(&c->runs);
    np_grouping_free(c->grouping);
    free(c);
}

/* ------------------------------------------------------------------------------------------------------------- sorting */

typedef enum sort_by {
    SORT_SHARE,
    SORT_COUNT,
    SORT_FAILED,
    SORT_P50,
    SORT_P90,
    SORT_P95,
    SORT_P99,
    SORT_MAX,
    SORT_MEAN,
    SORT_SETUP,
    SORT_NAME
} sort_by;

static const char *const sorts[] = {"share", "count", "failed", "p50",   "p90", "p95",
                                    "p99",   "max",   "mean",   "setup", "name"};
#define SORTS (sizeof sorts / sizeof *sorts)

static np_status parse_sort(const char *text, sort_by *out, np_error *err)
{
    for (size_t i = 0; i < SORTS; i++) {
        if (strcasecmp(sorts[i], text) != 0)
            continue;
        *out = (sort_by)i;
        return NP_OK;
    }
    const char *nearest = np_nearest_word(text, sorts, SORTS);
    if (nearest)
        return np_fail(err, NP_E_ARGUMENT, "no order '%s': did you mean '%s'?", text, nearest);
    return np_fail(
        err, NP_E_ARGUMENT,
        "no order '%s': there are share count failed p50 p90 p95 p99 max mean setup name", text);
}

struct entry {
    const np_grouping *grouping;
    uint32_t group;
    double mean; /* what the order is made of: one of these */
    np_sum number;
};

static int compare_names(const struct entry *x, const struct entry *y)
{
    for (size_t column = 0; column < np_grouping_columns(x->grouping); column++) {
        const char *a = np_grouping_value(x->grouping, x->group, column);
        const char *b = np_grouping_value(y->grouping, y->group, column);
        const int order = a && b ? strcmp(a, b) : (a != NULL) - (b != NULL); /* NULL first */
        if (order)
            return order;
    }
    return (x->group > y->group) - (x->group < y->group);
}

/* Descending; what is equal by name, so that an order is the same on every run. */
static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->number != y->number)
        return x->number > y->number ? -1 : 1;
    if (x->mean != y->mean)
        return x->mean > y->mean ? -1 : 1;
    return compare_names(x, y);
}

static bool set_key(struct entry *e, const struct group *g, sort_by sort)
{
    if (sort == SORT_NAME)
        return true;
    if (sort == SORT_SHARE || sort == SORT_COUNT || sort == SORT_FAILED) {
        e->number = sort == SORT_SHARE   ? np_values_sum(&g->values[FIGURE_TOTAL])
                    : sort == SORT_COUNT ? g->requests
                                         : g->failed;
        return true;
    }
    np_figures f;
    if (!np_values_figures(&g->values[sort == SORT_SETUP ? FIGURE_SETUP : FIGURE_TOTAL], 0, &f))
        return false;
    const int64_t of[] = {
        [SORT_P50] = f.p50_ns, [SORT_P90] = f.p90_ns, [SORT_P95] = f.p95_ns,  [SORT_P99] = f.p99_ns,
        [SORT_MAX] = f.max_ns, [SORT_MEAN] = 0,       [SORT_SETUP] = f.p95_ns};
    e->number = (np_sum)of[sort];
    e->mean = sort == SORT_MEAN ? f.mean_ns : 0;
    return true;
}

/* entries[group_count] in the order asked for; owned by the caller. NULL: no memory. */
static struct entry *sorted(const struct collection *c, sort_by sort)
{
    struct entry *entries = calloc(c->group_count ? c->group_count : 1, sizeof *entries);
    for (uint32_t i = 0; entries && i < c->group_count; i++) {
        entries[i] = (struct entry){.grouping = c->grouping, .group = i};
        if (!set_key(&entries[i], c->groups[i], sort)) {
            free(entries);
            return NULL;
        }
    }
    if (entries && c->group_count)
        qsort(entries, c->group_count, sizeof *entries, compare_entries);
    return entries;
}

/* -------------------------------------------------------------------------------------------------------------- report */

struct report {
    np_report report;
    np_arena *arena;
};

void np_report_free(np_report *report)
{
    if (report)
        np_arena_free(((struct report *)report)->arena);
}

static const char *const *copy_texts(struct report *r, const np_grouping *grouping, bool names,
                                     uint32_t group)
{
    const size_t count = np_grouping_columns(grouping);
    const char **list = np_arena_alloc(r->arena, (count + 1) * sizeof *list);
    for (size_t i = 0; list && i < count; i++) {
        const char *text =
            names ? np_grouping_name(grouping, i) : np_grouping_value(grouping, group, i);
        list[i] = text ? np_arena_copy(r->arena, text, strlen(text)) : NULL;
        if (text && !list[i])
            return NULL;
    }
    return list;
}

static bool fill_figures(struct report *r, const np_values *values, np_sum whole, uint32_t bins,
                         np_figures *out)
{
    if (!np_values_figures(values, whole, out))
        return false;
    out->bins = NULL;
    if (bins == 0 || out->count == 0)
        return true;
    uint64_t *counts = np_arena_alloc(r->arena, bins * sizeof *counts);
    if (counts)
        np_values_bins(values, out->min_ns, out->max_ns, bins, counts);
    out->bins = counts;
    return counts != NULL;
}

static bool fill_group(struct report *r, const struct collection *c, uint32_t number, uint32_t bins,
                       np_report_group *out)
{
    const struct group *g = c->groups[number];
    const np_sum whole = np_values_sum(&g->values[FIGURE_TOTAL]);
    out->by = copy_texts(r, c->grouping, false, number);
    out->requests = g->requests;
    out->failed = g->failed;
    out->reused = g->reused;
    bool done = out->by != NULL;
    for (int phase = 0; phase < NP_PHASE_COUNT && done; phase++)
        done = fill_figures(r, &g->values[phase], whole, bins, &out->phases[phase]);
    return done && fill_figures(r, &g->values[FIGURE_SETUP], whole, bins, &out->setup) &&
           fill_figures(r, &g->values[FIGURE_TOTAL], whole, bins, &out->total) &&
           fill_figures(r, &g->values[FIGURE_CALLER_BLOCKED], whole, bins, &out->caller_blocked);
}

static np_status fill_groups(struct report *r, const struct collection *c, sort_by sort,
                             const np_report_options *o, np_error *err)
{
    struct entry *entries = sorted(c, sort);
    const uint32_t top = o->top;
    const uint32_t count = top && top < c->group_count ? top : c->group_count;
    np_report_group *groups =
        entries ? np_arena_alloc(r->arena, (count + 1) * sizeof *groups) : NULL;
    np_status status = groups ? NP_OK : fail_memory(err);
    for (uint32_t i = 0; i < count && !status; i++) {
        if (atomic_load_explicit(&c->store->canceled, memory_order_relaxed)) /* a flag alone */
            status = np_fail(err, NP_E_CANCELED, "the report was interrupted");
        else if (!fill_group(r, c, entries[i].group, o->bins, &groups[i]))
            status = fail_memory(err);
    }
    r->report.groups = groups;
    r->report.group_count = count;
    r->report.groups_left_out = c->group_count - count;
    free(entries);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- runs, labels */

/* Every run of the trace counts as being in the report unless something narrows it down: then those
 * with requests in it. */
static np_status add_all_runs(struct collection *c, int64_t run_id, np_error *err)
{
    sqlite3_stmt *s;
    np_status status = np_db_prepare(
        c->store->db, "SELECT id FROM run WHERE ?1 = 0 OR id = ?1 ORDER BY id", &s, err);
    if (status)
        return status;
    sqlite3_bind_int64(s, 1, run_id);
    int rc;
    while (!status && (rc = sqlite3_step(s)) != SQLITE_DONE) {
        if (rc != SQLITE_ROW) {
            status = np_db_fail(err, c->store->db, rc, 0, "the runs cannot be read");
            break;
        }
        int64_t id = sqlite3_column_int64(s, 0);
        int64_t *value[NP_COLUMNS] = {[NP_COLUMN_RUN] = &id};
        np_columns one = {.rows = 1};
        memcpy(one.value, value, sizeof value);
        status = note_runs(c, &one, &(uint16_t){0}, 1, err);
    }
    sqlite3_finalize(s);
    return status;
}

/* Whether all runs but the first have this label too. */
static np_status is_shared(const struct collection *c, sqlite3_stmt *has, const char *key,
                           const char *value, bool *out, np_error *err)
{
    *out = true;
    for (size_t i = 1; i < c->run_count && *out; i++) {
        sqlite3_bind_int64(has, 1, c->run_ids[i]);
        sqlite3_bind_text(has, 2, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(has, 3, value, -1, SQLITE_STATIC);
        const int rc = sqlite3_step(has);
        *out = rc == SQLITE_ROW;
        sqlite3_reset(has);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return np_db_fail(err, c->store->db, rc, 0, "labels cannot be read");
    }
    return NP_OK;
}

static np_status add_labels(const struct collection *c, sqlite3_stmt *first, sqlite3_stmt *has,
                            np_textbuf *json, np_error *err)
{
    bool is_first = true;
    int rc;
    sqlite3_bind_int64(first, 1, c->run_ids[0]);
    while ((rc = sqlite3_step(first)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(first, 0);
        const char *value = (const char *)sqlite3_column_text(first, 1);
        bool shared = false;
        if (!key || !value)
            return fail_memory(err);
        const np_status status = is_shared(c, has, key, value, &shared, err);
        if (status)
            return status;
        if (shared)
            np_textbuf_json_text(json, &is_first, key, value, strlen(value));
    }
    return rc == SQLITE_DONE ? NP_OK
                             : np_db_fail(err, c->store->db, rc, 0, "labels cannot be read");
}

static np_status shared_labels(const struct collection *c, np_textbuf *json, np_error *err)
{
    sqlite3_stmt *first = NULL;
    sqlite3_stmt *has = NULL;
    np_textbuf_puts(json, "{");
    np_status status = NP_OK;
    if (c->run_count)
        status = np_db_prepare(c->store->db,
                               "SELECT key, value FROM label WHERE run_id = ?1 ORDER BY key",
                               &first, err);
    if (first && !status)
        status = np_db_prepare(c->store->db,
                               "SELECT 1 FROM label WHERE run_id = ?1 AND key = ?2 AND value = ?3",
                               &has, err);
    if (first && !status)
        status = add_labels(c, first, has, json, err);
    sqlite3_finalize(first);
    sqlite3_finalize(has);
    np_textbuf_puts(json, "}");
    return status;
}

static np_status count_dropped(const struct collection *c, uint64_t *dropped, np_error *err)
{
    sqlite3_stmt *s;
    np_status status =
        np_db_prepare(c->store->db, "SELECT dropped FROM run WHERE id = ?1", &s, err);
    for (size_t i = 0; i < c->run_count && !status; i++) {
        sqlite3_bind_int64(s, 1, c->run_ids[i]);
        const int rc = sqlite3_step(s);
        if (rc == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0)
            *dropped += (uint64_t)sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            status = np_db_fail(err, c->store->db, rc, 0, "the runs cannot be read");
    }
    sqlite3_finalize(s);
    return status;
}

static np_status fill_head(struct report *r, struct collection *c, const np_report_options *o,
                           np_error *err)
{
    np_report *report = &r->report;
    np_status status = NP_OK;
    if (!o->filter && !o->since_ns && !o->until_ns)
        status = add_all_runs(c, o->run_id, err);
    if (status)
        return status;
    np_textbuf json;
    np_textbuf_init(&json, LABELS_BYTES_MAX);
    status = shared_labels(c, &json, err);
    report->labels = json.failed ? "{}" : np_arena_copy(r->arena, json.text, json.length);
    np_textbuf_done(&json);
    if (!status)
        status = count_dropped(c, &report->dropped, err);
    report->file = np_arena_copy(r->arena, c->store->path, strlen(c->store->path));
    report->by = copy_texts(r, c->grouping, true, 0);
    report->by_count = np_grouping_columns(c->grouping);
    report->runs = c->run_count;
    report->requests = c->requests;
    report->failed = c->failed;
    report->from_ns = c->requests ? c->from_ns : 0;
    report->to_ns = c->requests ? c->to_ns : 0;
    if (!status && (!report->labels || !report->file || !report->by))
        status = fail_memory(err);
    return status;
}

static np_status make(np_store *store, const np_report_options *o, struct report *r, np_error *err)
{
    sort_by sort = SORT_SHARE;
    struct collection *c = calloc(1, sizeof *c);
    if (!c)
        return fail_memory(err);
    c->store = store;
    np_status status = parse_sort(o->sort ? o->sort : "share", &sort, err);
    if (!status)
        status = np_grouping_create(store->db, o->by ? o->by : DEFAULT_BY, &c->grouping, err);
    if (!status)
        status = collect(c, o, err);
    if (!status)
        status = fill_head(r, c, o, err);
    if (!status)
        status = fill_groups(r, c, sort, o, err);
    collection_done(c);
    return status;
}

np_status np_report_create(np_store *store, const np_report_options *options, np_report **out,
                           np_error *err)
{
    *out = NULL;
    np_report_options o = NP_REPORT_OPTIONS_INIT;
    np_options_copy(&o, sizeof o, options, options ? options->size : 0);
    if (o.since_ns < 0 || o.until_ns < 0)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "since and until are times after 1970");
    if (o.bins > NP_BINS_MAX)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "%u bins: there are at most %d", o.bins,
                       NP_BINS_MAX);
    np_arena *arena = np_arena_create();
    struct report *r = arena ? np_arena_alloc(arena, sizeof *r) : NULL;
    if (!r) {
        np_arena_free(arena);
        return fail_memory(err);
    }
    r->arena = arena;
    np_status status = np_store_begin(store, err);
    if (!status)
        status = make(store, &o, r, err);
    np_store_end(store);
    if (status) {
        np_arena_free(arena);
        return status;
    }
    *out = &r->report;
    return NP_OK;
}
