/*
 * Golden screens: every state of the table below is reached with keys, and what is then in the
 * cells must be what golden/NAME.screen holds. States with `roles` are compared as letters of
 * roles. NP_UPDATE_SCREENS=1 writes the files anew; the difference is reviewed like code.
 */
#include "headless.h"
#include "memory.h"
#include "trace_maker.h"
#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum trace { CORP, SMALL, MANY, EMPTY };

struct state {
    const char *name; /* what it shows; the file is named after it */
    enum trace trace;
    enum view_id view;
    int columns, rows;
    const char *keys; /* as headless_keys takes them; NULL: none */
    const char *filter;
    int colors; /* 0: letters in the bars */
    bool ascii, roles;
    bool grows;  /* 7 requests more when the keys were pressed, and a tick */
    bool follow; /* from the start */
};

/* clang-format off */
static const struct state states[] = {
    {.name = "requests-first", .trace = CORP, .columns = 100, .rows = 30},
    {.name = "requests-80x24", .trace = CORP, .columns = 80, .rows = 24},
    {.name = "requests-120x40", .trace = CORP, .columns = 120, .rows = 40},
    {.name = "requests-200x60", .trace = CORP, .columns = 200, .rows = 60},
    {.name = "requests-40x10", .trace = CORP, .columns = 40, .rows = 10},
    {.name = "requests-40x50-narrow-and-tall", .trace = CORP, .columns = 40, .rows = 50},
    {.name = "requests-300x12-wide-and-low", .trace = CORP, .columns = 300, .rows = 12},
    {.name = "requests-colours", .trace = CORP, .columns = 100, .rows = 30, .colors = 256},
    {.name = "requests-colours-roles", .trace = CORP, .columns = 100, .rows = 30, .colors = 256, .roles = true},
    {.name = "requests-ascii", .trace = CORP, .columns = 100, .rows = 30, .ascii = true},
    {.name = "requests-ascii-colours", .trace = CORP, .columns = 100, .rows = 31, .ascii = true, .colors = 8},
    {.name = "requests-ascii-40x10", .trace = CORP, .columns = 40, .rows = 10, .ascii = true},
    {.name = "requests-fourth-selected", .trace = CORP, .columns = 100, .rows = 30, .keys = "j j j"},
    {.name = "requests-failed-selected", .trace = CORP, .columns = 100, .rows = 30, .keys = "Down Down"},
    {.name = "requests-failed-selected-roles", .trace = CORP, .columns = 100, .rows = 30, .keys = "Down Down", .roles = true},
    {.name = "requests-slow-name-selected", .trace = CORP, .columns = 100, .rows = 30, .keys = "j j j j"},
    {.name = "requests-wide-characters-selected", .trace = CORP, .columns = 90, .rows = 26, .keys = "G k k k k k k k k k k k k k k k k"},
    {.name = "requests-hostile-path-selected", .trace = CORP, .columns = 90, .rows = 26, .keys = "G k k k k k k k k k k k k k"},
    {.name = "requests-end", .trace = CORP, .columns = 100, .rows = 24, .keys = "G"},
    {.name = "requests-proxy-refused", .trace = CORP, .columns = 110, .rows = 24, .keys = "G k"},
    {.name = "requests-redirect-selected", .trace = CORP, .columns = 140, .rows = 30, .keys = "j j j j j j"},
    {.name = "requests-one-page-down", .trace = MANY, .columns = 100, .rows = 30, .keys = "PgDn"},
    {.name = "requests-half-page-down", .trace = MANY, .columns = 100, .rows = 30, .keys = "C-d"},
    {.name = "requests-many-end", .trace = MANY, .columns = 100, .rows = 30, .keys = "End"},
    {.name = "requests-many-up-from-the-end", .trace = MANY, .columns = 100, .rows = 30, .keys = "End PgUp PgUp"},
    {.name = "requests-many-end-and-home-80", .trace = MANY, .columns = 80, .rows = 30, .keys = "End Home j"},
    {.name = "requests-half-way", .trace = MANY, .columns = 100, .rows = 30, .keys = ": '50%' Enter"},
    {.name = "requests-by-number", .trace = MANY, .columns = 100, .rows = 30, .keys = ": '#1234' Enter"},
    {.name = "requests-no-such-number", .trace = MANY, .columns = 100, .rows = 30, .keys = ": '99999' Enter"},
    {.name = "requests-half-way-sorted", .trace = MANY, .columns = 100, .rows = 30, .keys = "> > > : '50%' Enter"},
    {.name = "requests-by-time-of-day", .trace = CORP, .columns = 100, .rows = 20, .keys = ": '12:04:28' Enter"},
    {.name = "requests-sorted-by-setup", .trace = CORP, .columns = 100, .rows = 30, .keys = "s 'setup' Enter"},
    {.name = "requests-sorted-by-total", .trace = CORP, .columns = 100, .rows = 30, .keys = "> > >"},
    {.name = "requests-sorted-by-total-roles", .trace = CORP, .columns = 100, .rows = 30, .keys = "> > >", .roles = true},
    {.name = "requests-sorted-by-total-reversed", .trace = CORP, .columns = 100, .rows = 30, .keys = "> > > r"},
    {.name = "requests-sorted-by-status", .trace = CORP, .columns = 100, .rows = 30, .keys = ">"},
    {.name = "requests-sorted-by-dns", .trace = CORP, .columns = 100, .rows = 30, .keys = "s 'dns' Enter"},
    {.name = "requests-sorted-by-dns-roles", .trace = CORP, .columns = 100, .rows = 30, .keys = "s 'dns' Enter", .roles = true, .colors = 256},
    {.name = "requests-sorted-by-tls-40x10", .trace = CORP, .columns = 40, .rows = 10, .keys = "s 'tls' Enter"},
    {.name = "requests-sorted-by-received", .trace = CORP, .columns = 100, .rows = 30, .keys = "s 'received' Enter"},
    {.name = "requests-sorted-by-caller", .trace = CORP, .columns = 100, .rows = 30, .keys = "s 'caller' Enter"},
    {.name = "requests-newest-first", .trace = MANY, .columns = 100, .rows = 30, .keys = "r"},
    {.name = "requests-many-sorted-by-wait", .trace = MANY, .columns = 100, .rows = 30, .keys = "s 'wait' Enter PgDn"},
    {.name = "requests-many-sorted-by-wait-end", .trace = MANY, .columns = 100, .rows = 30, .keys = "s 'wait' Enter G"},
    {.name = "requests-filtered", .trace = CORP, .columns = 100, .rows = 30, .filter = "host = 'api.example' and setup_ns > 50ms"},
    {.name = "requests-filtered-by-keys", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'failed' Enter"},
    {.name = "requests-filter-off", .trace = CORP, .columns = 100, .rows = 21, .keys = "f 'failed' Enter Esc"},
    {.name = "requests-filter-off-20", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'failed' Enter Esc"},
    {.name = "requests-filter-matches-nothing", .trace = CORP, .columns = 100, .rows = 20, .filter = "status = 418"},
    {.name = "prompt-filter-empty", .trace = CORP, .columns = 100, .rows = 20, .keys = "f"},
    {.name = "prompt-filter-completes", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'setu' Tab"},
    {.name = "prompt-filter-offers", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'not failed and se'"},
    {.name = "prompt-filter-mistake-in-a-name", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'setup_tim > 5ms' Enter"},
    {.name = "prompt-filter-mistake-roles", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'setup_tim > 5ms' Enter", .roles = true},
    {.name = "prompt-filter-mistake-in-a-value", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'status = 20x' Enter"},
    {.name = "prompt-filter-history", .trace = CORP, .columns = 100, .rows = 20, .keys = "f 'status = 200' Enter f C-u 'failed' Enter f Up Up"},
    {.name = "prompt-filter-longer-than-the-screen", .trace = CORP, .columns = 40, .rows = 12,
     .keys = "f 'host = ''api.example'' and setup_ns > 50ms and not failed'"},
    {.name = "prompt-search", .trace = CORP, .columns = 100, .rows = 20, .keys = "/"},
    {.name = "prompt-go", .trace = CORP, .columns = 100, .rows = 20, .keys = ":"},
    {.name = "prompt-go-mistake", .trace = CORP, .columns = 100, .rows = 20, .keys = ": 'yesterday' Enter"},
    {.name = "prompt-sort", .trace = CORP, .columns = 100, .rows = 20, .keys = "s"},
    {.name = "prompt-sort-mistake", .trace = CORP, .columns = 100, .rows = 20, .keys = "s 'conect' Enter"},
    {.name = "search-found", .trace = CORP, .columns = 100, .rows = 20, .keys = "/ 'orders' Enter"},
    {.name = "search-next", .trace = CORP, .columns = 100, .rows = 20, .keys = "/ 'orders' Enter n"},
    {.name = "search-previous", .trace = CORP, .columns = 100, .rows = 20, .keys = "/ 'tile' Enter n n N"},
    {.name = "search-nothing", .trace = CORP, .columns = 100, .rows = 20, .keys = "/ 'nowhere' Enter"},
    {.name = "search-wide-characters", .trace = CORP, .columns = 100, .rows = 20, .keys = "/ '東京' Enter"},
    {.name = "copied-as-curl", .trace = CORP, .columns = 100, .rows = 20, .keys = "y"},
    {.name = "copied-as-record-40", .trace = CORP, .columns = 40, .rows = 20, .keys = "Y"},
    {.name = "copied-hostile", .trace = CORP, .columns = 100, .rows = 20, .keys = "/ 'owned' Enter y"},
    {.name = "empty-requests", .trace = EMPTY, .columns = 80, .rows = 24},
    {.name = "empty-waterfall", .trace = EMPTY, .view = VIEW_WATERFALL, .columns = 80, .rows = 24},
    {.name = "empty-detail", .trace = EMPTY, .view = VIEW_DETAIL, .columns = 80, .rows = 24},
    {.name = "empty-summary", .trace = EMPTY, .view = VIEW_SUMMARY, .columns = 80, .rows = 24},
    {.name = "following", .trace = MANY, .columns = 100, .rows = 20, .keys = "F"},
    {.name = "following-shows-what-came", .trace = MANY, .columns = 100, .rows = 20, .follow = true, .grows = true},
    {.name = "not-following-says-what-came", .trace = MANY, .columns = 100, .rows = 20, .keys = "j j", .grows = true},
    {.name = "following-elsewhere-says-what-came", .trace = MANY, .columns = 100, .rows = 20, .follow = true, .keys = "k k", .grows = true},
    {.name = "frozen", .trace = MANY, .columns = 100, .rows = 20, .follow = true, .keys = "p", .grows = true},
    {.name = "too-small-39x10", .trace = CORP, .columns = 39, .rows = 10},
    {.name = "too-small-40x9", .trace = CORP, .columns = 40, .rows = 9},
    {.name = "too-small-12x1", .trace = CORP, .columns = 12, .rows = 1},
    {.name = "waterfall-100x30", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30},
    {.name = "waterfall-80x24", .trace = CORP, .view = VIEW_WATERFALL, .columns = 80, .rows = 24},
    {.name = "waterfall-200x60", .trace = CORP, .view = VIEW_WATERFALL, .columns = 200, .rows = 60},
    {.name = "waterfall-40x10", .trace = CORP, .view = VIEW_WATERFALL, .columns = 40, .rows = 10},
    {.name = "waterfall-colours", .trace = CORP, .view = VIEW_WATERFALL, .columns = 120, .rows = 40, .colors = 256},
    {.name = "waterfall-colours-roles", .trace = CORP, .view = VIEW_WATERFALL, .columns = 120, .rows = 40, .colors = 256, .roles = true},
    {.name = "waterfall-ascii", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .ascii = true},
    {.name = "waterfall-zoomed", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .keys = "j j + + +"},
    {.name = "waterfall-zoomed-far", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .keys = "+ + + + + + + + +"},
    {.name = "waterfall-panned", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .keys = "+ + Right Right"},
    {.name = "waterfall-panned-left", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .keys = "Left Left"},
    {.name = "waterfall-zoomed-out", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .keys = "- -"},
    {.name = "waterfall-fitted-again", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 30, .keys = "+ Right 0 j"},
    {.name = "waterfall-eight-at-once", .trace = CORP, .view = VIEW_WATERFALL, .columns = 100, .rows = 24, .filter = "path like '/v2/%'"},
    {.name = "waterfall-many", .trace = MANY, .view = VIEW_WATERFALL, .columns = 120, .rows = 30, .keys = "PgDn"},
    {.name = "waterfall-sorted", .trace = CORP, .columns = 100, .rows = 30, .keys = "> > > w"},
    {.name = "detail-phases", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 40},
    {.name = "detail-phases-roles", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 40, .roles = true},
    {.name = "detail-phases-scrolled", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 20, .keys = "PgDn"},
    {.name = "detail-phases-40x10", .trace = CORP, .view = VIEW_DETAIL, .columns = 40, .rows = 10},
    {.name = "detail-phases-200x60", .trace = CORP, .view = VIEW_DETAIL, .columns = 200, .rows = 60},
    {.name = "detail-phases-ascii", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 40, .ascii = true},
    {.name = "detail-spans", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 24, .keys = "Tab"},
    {.name = "detail-spans-roles", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 24, .keys = "Tab", .roles = true},
    {.name = "detail-no-spans", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 24, .keys = "J Tab"},
    {.name = "detail-hops", .trace = CORP, .columns = 100, .rows = 24, .keys = "j j j j j j Enter Tab Tab"},
    {.name = "detail-one-hop", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 24, .keys = "Tab Tab"},
    {.name = "detail-headers", .trace = CORP, .view = VIEW_DETAIL, .columns = 80, .rows = 24, .keys = "Tab Tab Tab"},
    {.name = "detail-no-headers", .trace = SMALL, .view = VIEW_DETAIL, .columns = 80, .rows = 24, .keys = "Tab Tab Tab"},
    {.name = "detail-connection", .trace = CORP, .view = VIEW_DETAIL, .columns = 80, .rows = 30, .keys = "S-Tab S-Tab"},
    {.name = "detail-no-connection", .trace = CORP, .columns = 80, .rows = 24, .keys = "j j Enter S-Tab S-Tab"},
    {.name = "detail-raw", .trace = CORP, .view = VIEW_DETAIL, .columns = 80, .rows = 24, .keys = "S-Tab"},
    {.name = "detail-raw-wire", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 24, .keys = "J S-Tab"},
    {.name = "detail-failed", .trace = CORP, .columns = 100, .rows = 24, .keys = "j j Enter"},
    {.name = "detail-request-after", .trace = CORP, .view = VIEW_DETAIL, .columns = 100, .rows = 30, .keys = "J J J"},
    {.name = "detail-slow-download", .trace = CORP, .columns = 100, .rows = 30, .keys = "/ 'nightly' Enter Enter"},
    {.name = "detail-hostile", .trace = CORP, .columns = 100, .rows = 24, .keys = "/ 'owned' Enter Enter"},
    {.name = "detail-wide-characters", .trace = CORP, .columns = 80, .rows = 24, .keys = "/ '東京' Enter Enter"},
    {.name = "summary-100x30", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 30},
    {.name = "summary-80x24", .trace = CORP, .view = VIEW_SUMMARY, .columns = 80, .rows = 24},
    {.name = "summary-200x60", .trace = CORP, .view = VIEW_SUMMARY, .columns = 200, .rows = 60},
    {.name = "summary-40x10", .trace = CORP, .view = VIEW_SUMMARY, .columns = 40, .rows = 10},
    {.name = "summary-colours", .trace = CORP, .view = VIEW_SUMMARY, .columns = 120, .rows = 40, .colors = 256},
    {.name = "summary-colours-roles", .trace = CORP, .view = VIEW_SUMMARY, .columns = 120, .rows = 40, .colors = 256, .roles = true},
    {.name = "summary-ascii", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 40, .ascii = true},
    {.name = "summary-third-group", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 40, .keys = "j j"},
    {.name = "summary-histogram-of-wait", .trace = MANY, .view = VIEW_SUMMARY, .columns = 120, .rows = 50, .keys = "Right Right"},
    {.name = "summary-histogram-of-queue", .trace = MANY, .view = VIEW_SUMMARY, .columns = 120, .rows = 30, .keys = "Left Left Left Left Left"},
    {.name = "summary-by-origin", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 30, .keys = "Tab"},
    {.name = "summary-by-status", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 30, .keys = "Tab Tab Tab Tab Tab Tab Tab"},
    {.name = "summary-by-label", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 30, .keys = "S-Tab"},
    {.name = "summary-filtered", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 30, .filter = "failed"},
    {.name = "summary-group-to-requests", .trace = CORP, .view = VIEW_SUMMARY, .columns = 100, .rows = 30, .keys = "j Enter"},
    {.name = "help-of-requests", .trace = CORP, .columns = 80, .rows = 24, .keys = "?"},
    {.name = "help-of-requests-200x60", .trace = CORP, .columns = 200, .rows = 60, .keys = "?"},
    {.name = "help-of-requests-roles", .trace = CORP, .columns = 80, .rows = 24, .keys = "?", .roles = true},
    {.name = "help-of-waterfall", .trace = CORP, .view = VIEW_WATERFALL, .columns = 80, .rows = 24, .keys = "?"},
    {.name = "help-of-detail", .trace = CORP, .view = VIEW_DETAIL, .columns = 80, .rows = 24, .keys = "?"},
    {.name = "help-of-summary", .trace = CORP, .view = VIEW_SUMMARY, .columns = 80, .rows = 24, .keys = "?"},
    {.name = "help-scrolled-to-the-phases", .trace = CORP, .columns = 80, .rows = 24, .keys = "? PgDn PgDn"},
    {.name = "help-end", .trace = CORP, .columns = 80, .rows = 24, .keys = "? G"},
    {.name = "help-40x10", .trace = CORP, .columns = 40, .rows = 10, .keys = "?"},
    {.name = "help-ascii", .trace = CORP, .columns = 80, .rows = 60, .keys = "?", .ascii = true},
};
/* clang-format on */

enum { STATES = sizeof states / sizeof states[0] };

/* ------------------------------------------------------------------------------------------ traces */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    struct text text = {0};
    char buffer[4096];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_add(&text, buffer, got);
    fclose(file);
    return text.data ? text.data : xstrndup("", 0);
}

static void load(const char *path, const char *name)
{
    char source[512];
    sqlite3 *db = trace_make_empty(path);
    snprintf(source, sizeof source, "%s/%s", NP_SOURCE_DIR, name);
    char *sql = read_file(source);
    cr_assert(sql, "%s", source);
    trace_exec(db, sql);
    free(sql);
    sqlite3_close(db);
}

static char paths[EMPTY + 1][256];

static const char *path_of(enum trace trace)
{
    static const char *const names[] = {"corp.db", "small.db", "many.db", "empty.db"};
    static const struct trace_shape many = {.seed = 5, .rows = 3000};
    if (paths[trace][0])
        return paths[trace];
    snprintf(paths[trace], sizeof paths[trace], "%s", trace_path(names[trace]));
    if (trace == CORP)
        load(paths[trace], "tests/screens/traces/corp.sql");
    else if (trace == SMALL)
        load(paths[trace], "tests/data/small_trace.sql");
    else if (trace == MANY)
        sqlite3_close(trace_make(paths[trace], &many));
    else
        sqlite3_close(trace_make_empty(paths[trace]));
    return paths[trace];
}

/* Seven requests like the last one, a second later each. */
static void grow(const char *path)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    trace_exec(db,
               "CREATE TEMP TABLE last AS SELECT * FROM request ORDER BY id DESC LIMIT 1;"
               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7) "
               "INSERT INTO request (run_id, process_id, number, start_ns, total_ns, outcome, "
               "purpose, method_id, origin_id, path_id, route_id, status, protocol, queue_ns, "
               "send_ns, wait_ns, receive_ns, gap_ns, send_at_ns, flags) "
               "SELECT run_id, process_id, number + i, start_ns + i * 1000000000, 40000000 + i, "
               "0, 0, method_id, origin_id, path_id, route_id, 200, 11, 1000, 1000, 39998000, "
               "i, 0, 1000, flags FROM last, n");
    sqlite3_close(db);
}

static void shrink(const char *path)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    trace_exec(db, "DELETE FROM request WHERE id > (SELECT max(id) - 7 FROM request)");
    sqlite3_close(db);
}

/* ------------------------------------------------------------------------------------------ screens */

static void picture_of(const struct state *state, struct text *out)
{
    struct headless headless;
    np_store *store = NULL;
    np_error err = {0};
    const char *path = path_of(state->trace);
    cr_assert_eq(np_store_open(path, NULL, &store, &err), NP_OK, "%s: %s", state->name, err.text);
    const struct app_options options = {
        .file = path,
        .look = {.ascii = state->ascii, .colors = state->colors},
        .columns = state->columns,
        .rows = state->rows,
        .view = state->view,
        .filter = state->filter,
        .is_following = state->follow
    };
    headless_open(&headless, store, &options);
    cr_assert(headless_keys(&headless, state->keys ? state->keys : ""), "%s: %s", state->name,
              state->keys);
    if (state->grows) {
        const struct msg tick = {.kind = MSG_TICK};
        grow(path);
        headless_send(&headless, &tick);
    }
    if (state->roles)
        headless_roles(&headless, out);
    else
        headless_text(&headless, out);
    headless_close(&headless);
    if (state->grows)
        shrink(path);
}

static void golden_path(const char *name, char path[512])
{
    snprintf(path, 512, "%s/tests/screens/golden/%s.screen", NP_SOURCE_DIR, name);
}

static void write_golden(const char *name, const struct text *picture)
{
    char path[512];
    golden_path(name, path);
    FILE *file = fopen(path, "w");
    cr_assert(file, "%s", path);
    cr_assert_eq(fwrite(text_string(picture), 1, picture->length, file), picture->length);
    cr_assert_eq(fclose(file), 0);
}

static bool is_updating(void)
{
    const char *update = getenv("NP_UPDATE_SCREENS");
    return update && strcmp(update, "1") == 0;
}

static void use_utf8(void)
{
    cr_assert(setlocale(LC_CTYPE, "C.UTF-8"));
}

Test(screens, every_state_looks_as_agreed, .init = use_utf8)
{
    for (int i = 0; i < STATES; i++) {
        struct text picture = {0};
        char path[512];
        picture_of(&states[i], &picture);
        if (is_updating())
            write_golden(states[i].name, &picture);
        golden_path(states[i].name, path);
        char *golden = read_file(path);
        cr_expect(golden, "%s is missing; NP_UPDATE_SCREENS=1 writes it", path);
        if (golden)
            cr_expect_str_eq(text_string(&picture), golden, "%s\nfound:\n%s\nexpected:\n%s",
                             states[i].name, text_string(&picture), golden);
        free(golden);
        text_done(&picture);
    }
}

Test(screens, no_two_states_look_the_same, .init = use_utf8)
{
    char *pictures[STATES];
    for (int i = 0; i < STATES; i++) {
        char path[512];
        golden_path(states[i].name, path);
        pictures[i] = read_file(path);
        cr_assert(pictures[i], "%s", path);
        for (int j = 0; j < i; j++) {
            cr_expect_str_neq(states[i].name, states[j].name);
            cr_expect_str_neq(pictures[i], pictures[j], "%s and %s", states[i].name,
                              states[j].name);
        }
    }
    for (int i = 0; i < STATES; i++)
        free(pictures[i]);
    cr_expect_geq(STATES, 100);
}

/* "<!-- screen: NAME -->" stands before each. NP_UPDATE_SCREENS=1 does not write this page anew. */
Test(screens, the_manual_shows_them_as_they_are, .init = use_utf8)
{
    static const char mark[] = "<!-- screen: ";
    char *page = read_file(NP_SOURCE_DIR "/docs/tui.md");
    int shown = 0;
    cr_assert(page);
    for (char *at = page; (at = strstr(at, mark)) != NULL; shown++) {
        char name[128];
        char path[512];
        cr_assert_eq(sscanf(at + strlen(mark), "%127s", name), 1);
        golden_path(name, path);
        char *golden = read_file(path);
        char *from = strstr(at, "```\n");
        cr_assert(golden && from, "%s", name);
        from += 4;
        size_t length = strlen(golden);
        while (length > 0 && golden[length - 1] == '\n')
            length--;
        cr_expect(strncmp(from, golden, length) == 0 && strncmp(from + length, "\n```", 4) == 0,
                  "docs/tui.md shows another %s", name);
        free(golden);
        at = from;
    }
    cr_expect_geq(shown, 5);
    free(page);
}

/* Whatever stands in a trace, no line is wider than the screen and nothing in it acts on a
 * terminal. */
Test(screens, nothing_leaves_the_screen, .init = use_utf8)
{
    for (int i = 0; i < STATES; i++) {
        struct text picture = {0};
        int lines = 0;
        picture_of(&states[i], &picture);
        for (char *at = picture.data; at && *at;) {
            char *end = strchr(at, '\n');
            cr_assert(end);
            *end = '\0';
            cr_expect_leq(text_width(at), states[i].columns, "%s: '%s'", states[i].name, at);
            for (const char *c = at; *c; c++)
                cr_expect((unsigned char)*c >= ' ' && *c != 0x7f, "%s", states[i].name);
            cr_expect_null(strstr(at, "\u202e"), "%s turns text around", states[i].name);
            lines++;
            at = end + 1;
        }
        cr_expect_eq(lines, states[i].rows, "%s", states[i].name);
        text_done(&picture);
    }
}

/* Every view at every size from one cell to large: no crash, nothing outside. */
Test(screens, every_size_is_drawn, .init = use_utf8)
{
    static const int columns[] = {1, 10, 39, 40, 41, 57, 79, 80, 99, 100, 119, 131, 180, 240};
    static const int rows[] = {1, 9, 10, 11, 12, 13, 14, 17, 24, 30, 47, 70};
    for (int view = 0; view < VIEWS; view++) {
        if (!view_of((enum view_id)view))
            continue;
        np_store *store = NULL;
        struct headless headless;
        const struct app_options options = {
            .file = "x", .columns = 80, .rows = 24, .view = (enum view_id)view};
        cr_assert_eq(np_store_open(path_of(CORP), NULL, &store, NULL), NP_OK);
        headless_open(&headless, store, &options);
        for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
            for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
                struct text picture = {0};
                headless_resize(&headless, columns[c], rows[r]);
                headless_keys(&headless, "j");
                headless_text(&headless, &picture);
                cr_expect_gt(picture.length, 0);
                text_done(&picture);
            }
        }
        headless_close(&headless);
    }
}

Test(screens, a_click_selects_and_a_second_one_opens, .init = use_utf8)
{
    np_store *store = NULL;
    struct headless headless;
    const struct app_options options = {.file = "x", .columns = 100, .rows = 30};
    cr_assert_eq(np_store_open(path_of(CORP), NULL, &store, NULL), NP_OK);
    headless_open(&headless, store, &options);

    headless_send(&headless,
                  &(struct msg){.kind = MSG_MOUSE, .x = 20, .y = 6, .button = MOUSE_CLICK});
    cr_expect_eq(list_selected(&headless.app.list)->id, 5);
    headless_send(&headless,
                  &(struct msg){.kind = MSG_MOUSE, .x = 20, .y = 6, .button = MOUSE_DOUBLE});
    cr_expect_eq(headless.app.view, VIEW_DETAIL);
    headless_send(&headless,
                  &(struct msg){.kind = MSG_MOUSE, .x = 10, .y = 1, .button = MOUSE_CLICK});
    cr_expect_eq(headless.app.detail.tab, TAB_SPANS);
    headless_close(&headless);
}

Test(screens, headings_sort_the_wheel_scrolls_and_the_bar_acts, .init = use_utf8)
{
    np_store *store = NULL;
    struct headless headless;
    struct text picture = {0};
    const struct app_options options = {.file = "x", .columns = 100, .rows = 30};
    cr_assert_eq(np_store_open(path_of(CORP), NULL, &store, NULL), NP_OK);
    headless_open(&headless, store, &options);
    headless_text(&headless, &picture);

    const char *heading = strstr(text_string(&picture), "total ms");
    const char *line = strchr(text_string(&picture), '\n') + 1;
    headless_send(&headless, &(struct msg){.kind = MSG_MOUSE,
                                           .x = (int)(heading - line),
                                           .y = 1,
                                           .button = MOUSE_CLICK});
    cr_expect_eq(headless.app.list.order.by, ORDER_TOTAL);
    cr_expect(headless.app.list.order.is_descending);
    headless_send(&headless, &(struct msg){.kind = MSG_MOUSE, .button = MOUSE_WHEEL_DOWN});
    cr_expect_eq(headless.app.list.selected, 3);
    headless_send(&headless,
                  &(struct msg){.kind = MSG_MOUSE, .x = 2, .y = 29, .button = MOUSE_CLICK});
    cr_expect_eq(headless.app.list.selected, 4, "the first thing on the bar moves down");
    text_done(&picture);
    headless_close(&headless);
}
