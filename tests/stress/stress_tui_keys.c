/*
 * Random keys, clicks, sizes, ticks and new rows against the terminal UI without a terminal. After
 * each the frame is drawn; no line may be wider than the screen. A seed and a number of events may
 * be given.
 */
#include "headless.h"
#include "key.h"
#include "memory.h"
#include "random.h"
#include "trace_maker.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 6000, TRACES = 3, SIZE_MOST = 140 };

static char paths[TRACES][256];

static void stop(const char *what)
{
    fprintf(stderr, "stress_tui_keys: %s\n", what);
    exit(1);
}

static void load(sqlite3 *db, const char *name)
{
    char path[512];
    struct text sql = {0};
    char buffer[4096];
    size_t got;
    snprintf(path, sizeof path, "%s/%s", NP_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file)
        stop(path);
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_add(&sql, buffer, got);
    fclose(file);
    trace_exec(db, text_string(&sql));
    text_done(&sql);
}

static void make_traces(void)
{
    static const char *const names[TRACES] = {"corp.db", "wild.db", "empty.db"};
    const struct trace_shape wild = {.seed = 4, .rows = 700, .runs = 3, .is_wild = true};
    for (int i = 0; i < TRACES; i++)
        snprintf(paths[i], sizeof paths[i], "%s", trace_path(names[i]));
    sqlite3 *corp = trace_make_empty(paths[0]);
    load(corp, "tests/screens/traces/corp.sql");
    sqlite3_close(corp);
    sqlite3_close(trace_make(paths[1], &wild));
    sqlite3_close(trace_make_empty(paths[2]));
}

static int random_key(np_random *random)
{
    static const char letters[] = "jjjkkkGgwSlsfr/nN:yYFp+-0JK[]<>?q '%#0159=abehiorstux_.()";
    const uint64_t kind = np_random_below(random, 10);
    if (kind < 6)
        return letters[np_random_below(random, sizeof letters - 1)];
    if (kind < 8)
        return KEY_CODE_UP + (int)np_random_below(random, KEY_CODE_F12 - KEY_CODE_UP + 1);
    if (kind == 8)
        return 1 + (int)np_random_below(random, 31);
    return 0xa0 + (int)np_random_below(random, 0x2ff00); /* any character */
}

static void event(struct headless *headless, np_random *random)
{
    struct msg msg = {.kind = MSG_KEY};
    const uint64_t kind = np_random_below(random, 100);
    if (kind == 0) {
        headless_resize(headless, 1 + (int)np_random_below(random, SIZE_MOST),
                        1 + (int)np_random_below(random, 60));
        return;
    }
    if (kind < 4) {
        msg.kind = MSG_TICK;
    } else if (kind < 15) {
        msg.kind = MSG_MOUSE;
        msg.x = (int)np_random_below(random, SIZE_MOST);
        msg.y = (int)np_random_below(random, 60);
        msg.button = (int)np_random_below(random, 4);
    } else {
        msg.key = kind < 30 ? KEY_CODE_ENTER : random_key(random);
    }
    headless_send(headless, &msg);
}

static void check(struct headless *headless)
{
    struct text picture = {0};
    headless_text(headless, &picture);
    for (const char *at = text_string(&picture); *at;) {
        const size_t length = strcspn(at, "\n");
        struct text line = {0};
        text_add(&line, at, length);
        if (text_width(text_string(&line)) > headless->cells.columns)
            stop("a line is wider than the screen");
        text_done(&line);
        at += length + 1;
    }
    text_done(&picture);
}

static void run(const char *path, np_random *random, int events)
{
    struct headless headless;
    np_store *store = NULL;
    const struct app_options options = {.file = path, .columns = 100, .rows = 30};
    if (np_store_open(path, NULL, &store, NULL))
        stop("the trace cannot be opened");
    headless_open(&headless, store, &options);
    for (int i = 0; i < events; i++) {
        event(&headless, random);
        check(&headless);
    }
    headless_close(&headless);
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const int events = argc > 2 ? (int)strtol(argv[2], NULL, 10) : EVENTS;
    np_random random;
    np_random_seed(&random, seed);
    printf("seed %llu, %d events\n", (unsigned long long)seed, events);
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* what is drawn does not depend on it */
    make_traces();
    for (int i = 0; i < TRACES; i++)
        run(paths[i], &random, events / TRACES);
    return 0;
}
