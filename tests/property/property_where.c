/*
 * Filters: text → tree → text → tree is the same; and what a filter selects, over chunks and over
 * rows, is what plain SQL over the view selects. The generator writes each filter twice: in our
 * language, and as SQL with its values pasted.
 */
#include "trace_maker.h"

#include "chunk.h"
#include "random.h"
#include "scan.h"
#include "view_column.h"
#include "where.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pair {
    np_textbuf ours, sql;
};

struct generator {
    sqlite3 *db;
    np_random random;
    char samples[NP_VIEW_COLUMNS][16][64]; /* values that are there, as SQL literals */
    int sample_count[NP_VIEW_COLUMNS];
};

static uint64_t seed_of_this_run(void)
{
    const char *given = getenv("NP_SEED");
    return given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
}

static void both(struct pair *p, const char *text)
{
    np_textbuf_puts(&p->ours, text);
    np_textbuf_puts(&p->sql, text);
}

static uint64_t below(struct generator *g, uint64_t limit)
{
    return np_random_below(&g->random, limit);
}

static void sample(struct generator *g)
{
    for (int c = 0; c < NP_VIEW_COLUMNS; c++) {
        char sql[256];
        sqlite3_stmt *s;
        g->sample_count[c] = 0;
        snprintf(sql, sizeof sql,
                 "SELECT quote(%s) FROM requests WHERE %s IS NOT NULL AND id %% 131 = %d LIMIT 16",
                 np_view_columns[c].name, np_view_columns[c].name, c);
        cr_assert_eq(sqlite3_prepare_v2(g->db, sql, -1, &s, NULL), SQLITE_OK);
        while (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) < 64)
            strcpy(g->samples[c][g->sample_count[c]++], (const char *)sqlite3_column_text(s, 0));
        sqlite3_finalize(s);
    }
}

static void text_value(struct generator *g, struct pair *p, int column)
{
    static const char *const odd[] = {"''", "'it''s'", "'zzz'", "'A'", "'\xc3\xa9'"};
    if (column >= 0 && g->sample_count[column] && below(g, 5))
        both(p, g->samples[column][below(g, (uint64_t)g->sample_count[column])]);
    else
        both(p, odd[below(g, 5)]);
}

static void number_value(struct generator *g, struct pair *p, int column)
{
    static const char *const odd[] = {"0", "1", "-1", "200", "4294967296", "9223372036854775807"};
    if (g->sample_count[column] && below(g, 4))
        both(p, g->samples[column][below(g, (uint64_t)g->sample_count[column])]);
    else
        both(p, odd[below(g, 6)]);
}

static void duration_value(struct generator *g, struct pair *p, int column)
{
    static const struct {
        const char *unit;
        long long ns;
    } units[] = {
        {"ns", 1         },
        {"us", 1000      },
        {"ms", 1000000   },
        {"s",  1000000000}
    };
    if (below(g, 3) == 0) {
        number_value(g, p, column);
        return;
    }
    const size_t u = (size_t)below(g, 4);
    const unsigned n = (unsigned)below(g, 900);
    np_textbuf_print(&p->ours, "%u%s", n, units[u].unit);
    np_textbuf_print(&p->sql, "%lld", (long long)n * units[u].ns);
}

static void value(struct generator *g, struct pair *p, int column)
{
    switch (column < 0 ? NP_VIEW_TEXT : np_view_columns[column].kind) {
    case NP_VIEW_TEXT:
        text_value(g, p, column);
        break;
    case NP_VIEW_NUMBER:
        number_value(g, p, column);
        break;
    case NP_VIEW_DURATION:
        duration_value(g, p, column);
        break;
    case NP_VIEW_BOOLEAN: {
        const bool is_true = below(g, 2);
        np_textbuf_puts(&p->ours, is_true ? "true" : "false");
        np_textbuf_puts(&p->sql, is_true ? "1" : "0");
    }
    }
}

static void name(struct generator *g, struct pair *p, int column)
{
    static const char *const keys[] = {"commit", "job", "none"};
    if (column >= 0) {
        both(p, np_view_columns[column].name);
        return;
    }
    const char *key = keys[below(g, 3)];
    np_textbuf_print(&p->ours, "label.%s", key);
    np_textbuf_print(
        &p->sql, "(SELECT value FROM label l WHERE l.run_id = requests.run_id AND l.key = '%s')",
        key);
}

static void like(struct generator *g, struct pair *p, int column)
{
    static const char *const patterns[] = {"'%'", "'h%'",  "'%/items/1%'", "'%ITEMS%'",
                                           "'_'", "'get'", "'%5%'",        "'%l_'"};
    name(g, p, column);
    both(p, below(g, 3) ? " like " : " not like ");
    both(p, patterns[below(g, 8)]);
}

static void condition(struct generator *g, struct pair *p)
{
    static const char *const operators[] = {"=", "<>", "<", "<=", ">", ">=", "==", "!="};
    const int column =
        (int)below(g, NP_VIEW_COLUMNS + 2) - 2 < 0 ? -1 : (int)below(g, NP_VIEW_COLUMNS);
    const bool is_text = column < 0 || np_view_columns[column].kind == NP_VIEW_TEXT;
    const uint64_t form = below(g, is_text ? 6 : 5);
    if (form == 5) {
        like(g, p, column);
        return;
    }
    name(g, p, column);
    if (form == 0) {
        both(p, below(g, 2) ? " is null" : " is not null");
    } else if (form == 1) {
        both(p, below(g, 3) ? " in (" : " not in (");
        for (uint64_t i = 0, n = 1 + below(g, 5); i < n; i++) {
            both(p, i ? ", " : "");
            value(g, p, column);
        }
        both(p, ")");
    } else if (form == 2) {
        both(p, below(g, 3) ? " between " : " not between ");
        value(g, p, column);
        both(p, " and ");
        value(g, p, column);
    } else {
        both(p, operators[below(g, 8)]);
        value(g, p, column);
    }
}

static void expression(struct generator *g, struct pair *p, int depth)
{
    const uint64_t form = depth ? below(g, 5) : 0;
    if (form < 2) {
        condition(g, p);
        return;
    }
    if (form == 2)
        both(p, " not ");
    both(p, "(");
    expression(g, p, depth - 1);
    both(p, ")");
    if (form > 2) {
        both(p, form == 3 ? " and " : " or ");
        expression(g, p, depth - 1);
    }
}

static void pair_init(struct pair *p)
{
    np_textbuf_init(&p->ours, 1u << 20);
    np_textbuf_init(&p->sql, 1u << 20);
    np_textbuf_puts(&p->sql, "SELECT id FROM requests WHERE ");
}

static void pair_done(struct pair *p)
{
    np_textbuf_done(&p->ours);
    np_textbuf_done(&p->sql);
}

static np_filter *parsed(const char *text, uint64_t seed)
{
    np_filter *filter = NULL;
    np_error err = {0};
    np_filter_mistake mistake;
    cr_assert_eq(np_filter_parse(text, &filter, &mistake, &err), NP_OK, "seed %llu: %s: %s",
                 (unsigned long long)seed, text, err.text);
    return filter;
}

static void same_after_printing(const np_filter *filter, uint64_t seed)
{
    static char once[70000], twice[70000];
    cr_assert(np_filter_text(filter, once, sizeof once) < sizeof once);
    np_filter *again = parsed(once, seed);
    cr_assert(np_filter_text(again, twice, sizeof twice) < sizeof twice);
    cr_assert_str_eq(once, twice, "seed %llu", (unsigned long long)seed);
    np_textbuf sql, sql_again;
    np_textbuf_init(&sql, 1u << 20);
    np_textbuf_init(&sql_again, 1u << 20);
    cr_assert_eq(np_filter_sql(filter, 1, &sql), np_filter_sql(again, 1, &sql_again));
    cr_assert_str_eq(sql.text, sql_again.text, "seed %llu: %s", (unsigned long long)seed, once);
    np_textbuf_done(&sql);
    np_textbuf_done(&sql_again);
    np_filter_free(again);
}

/* Returns how many rows matched. */
static uint64_t selects_what_sql_does(struct generator *g, const struct pair *p,
                                      const np_filter *filter, bool no_chunks, uint64_t seed)
{
    sqlite3_stmt *s;
    np_scan *scan;
    uint64_t matched = 0;
    cr_assert_eq(sqlite3_prepare_v2(g->db, p->sql.text, -1, &s, NULL), SQLITE_OK, "seed %llu: %s",
                 (unsigned long long)seed, p->sql.text);
    cr_assert_eq(np_scan_open(g->db,
                              &(np_scan_options){.columns = NP_COLUMN_BIT(NP_COLUMN_ID),
                                                 .filter = filter,
                                                 .no_chunks = no_chunks},
                              &scan, NULL),
                 NP_OK);
    const np_columns *columns;
    const uint16_t *rows;
    uint32_t count;
    do {
        cr_assert_eq(np_scan_next(scan, &columns, &rows, &count, NULL), NP_OK);
        for (uint32_t i = 0; i < count; i++, matched++) {
            cr_assert_eq(sqlite3_step(s), SQLITE_ROW, "seed %llu: too many rows for %s",
                         (unsigned long long)seed, p->ours.text);
            cr_assert_eq(columns->value[NP_COLUMN_ID][rows[i]], sqlite3_column_int64(s, 0),
                         "seed %llu: %s", (unsigned long long)seed, p->ours.text);
        }
    } while (count);
    cr_assert_eq(sqlite3_step(s), SQLITE_DONE, "seed %llu: too few rows for %s",
                 (unsigned long long)seed, p->ours.text);
    sqlite3_finalize(s);
    np_scan_close(scan);
    return matched;
}

Test(where, parse_print_parse)
{
    const uint64_t seed = seed_of_this_run();
    struct generator *g = calloc(1, sizeof *g);
    np_random_seed(&g->random, seed);
    for (int i = 0; i < 3000; i++) {
        struct pair p;
        pair_init(&p);
        expression(g, &p, 6);
        np_filter *filter = parsed(p.ours.text, seed);
        same_after_printing(filter, seed);
        np_filter_free(filter);
        pair_done(&p);
    }
    free(g);
}

Test(where, chunks_and_rows_select_what_sql_selects)
{
    const uint64_t seed = seed_of_this_run();
    struct generator *g = calloc(1, sizeof *g);
    np_random_seed(&g->random, seed);
    g->db = trace_make(trace_path("where.db"),
                       &(struct trace_shape){
                           .seed = seed, .rows = NP_CHUNK_ROWS + 900, .is_wild = true, .runs = 4});
    trace_exec(g->db, "UPDATE text SET value = 'it''s' WHERE id = 7");
    cr_assert_eq(np_chunk_advance(g->db, NULL, NULL), NP_OK);
    sample(g);
    uint64_t matched = 0, columnar = 0;
    for (int i = 0; i < 250; i++) {
        struct pair p;
        pair_init(&p);
        expression(g, &p, 3);
        np_filter *filter = parsed(p.ours.text, seed);
        matched += selects_what_sql_does(g, &p, filter, false, seed) > 0;
        (void)selects_what_sql_does(g, &p, filter, true, seed);
        columnar += np_filter_is_columnar(filter);
        np_filter_free(filter);
        pair_done(&p);
    }
    cr_assert(matched > 100, "only %llu filters matched anything", (unsigned long long)matched);
    cr_assert(columnar > 60, "only %llu filters ran on chunks", (unsigned long long)columnar);
    sqlite3_close(g->db);
    free(g);
}

/* Anything at all is parsed or refused with a place inside the text; nothing crashes. */
Test(where, garbage_is_refused_at_its_place)
{
    static const char *const pieces[] = {"status", " ",  "=",   "'x'", "50ms", "(",      ")",
                                         "and",    "or", "not", "in",  ",",    "label.", "host",
                                         "\xff",   "'",  "9",   "<",   "is",   "null",   "between",
                                         "\n",     "-",  ".",   "like"};
    const uint64_t seed = seed_of_this_run();
    np_random random;
    np_random_seed(&random, seed);
    for (int i = 0; i < 20000; i++) {
        char text[256] = "";
        for (uint64_t k = 0, n = np_random_below(&random, 12); k < n; k++)
            strcat(text, pieces[np_random_below(&random, sizeof pieces / sizeof *pieces)]);
        np_filter *filter = NULL;
        np_filter_mistake mistake = {0};
        const np_status status = np_filter_parse(text, &filter, &mistake, NULL);
        cr_assert(status == NP_OK || status == NP_E_ARGUMENT, "seed %llu: %s",
                  (unsigned long long)seed, text);
        cr_assert(mistake.offset + mistake.length <= strlen(text), "seed %llu: %s",
                  (unsigned long long)seed, text);
        np_filter_free(filter);
    }
}
