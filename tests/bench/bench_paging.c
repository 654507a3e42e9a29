/*
 * What someone who looks at a list of ten million requests waits for.
 *
 *     bench_paging [ROWS [FILE]]     10,000,000 rows at first; FILE is kept and used again when it
 * has as many rows
 *
 * In each order, with and without a filter: the first page, the next ones, the end, the ones
 * before, jumps to a fraction, a count. A page either comes within 16 ms, or tells how far it is
 * within 16 ms and comes within half a second. Judged by processor time of the one thread, which
 * another program cannot make longer; the wall clock is printed beside it.
 */
#include "bench.h"
#include "folder.h"
#include "trace_fill.h"

#include <netphase/list.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 40, JUMPS = 11, FRAME_MS = 16, PASS_MS = 500, MEMORY_MB = 60 };

struct watch {
    uint64_t begin_ns, told_ns; /* processor time; told_ns 0: nothing was told */
};

struct figures {
    bench_series page, silence, all, wall; /* ms */
    size_t passes;
};

static struct watch watch;

static void stop(const char *what, const np_error *err)
{
    fprintf(stderr, "bench_paging: %s: %s\n", what, err->text);
    exit(1);
}

static bool tell(double done, void *user)
{
    (void)done;
    (void)user;
    if (!watch.told_ns)
        watch.told_ns = bench_thread_cpu_ns();
    return true;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* One call: how long, and how long without a word. */
static void note(struct figures *figures, uint64_t wall_ns)
{
    const uint64_t end = bench_thread_cpu_ns();
    const double took = ms(end - watch.begin_ns);
    bench_add(&figures->wall, ms(bench_now_ns() - wall_ns));
    bench_add(&figures->all, took);
    if (watch.told_ns) {
        figures->passes++;
        bench_add(&figures->silence, ms(watch.told_ns - watch.begin_ns));
    } else {
        bench_add(&figures->page, took);
    }
}

static np_list_page *page(np_list *list, np_list_query query, struct figures *figures)
{
    np_error err = {0};
    np_list_page *out;
    query.size = sizeof query;
    const uint64_t wall_ns = bench_now_ns();
    watch = (struct watch){.begin_ns = bench_thread_cpu_ns()};
    if (np_list_read(list, &query, &out, &err))
        stop("page", &err);
    note(figures, wall_ns);
    return out;
}

static void scroll(np_list *list, np_list_place end, np_list_place on, struct figures *figures)
{
    np_list_page *at = page(list, (np_list_query){.place = end}, figures);
    for (int i = 0; i < PAGES && at->count; i++) {
        const int64_t id = at->rows[on == NP_LIST_BEHIND ? at->count - 1 : 0].id;
        np_list_page_free(at);
        at = page(list, (np_list_query){.place = on, .id = id}, figures);
    }
    np_list_page_free(at);
}

static double worst(const bench_series *series)
{
    double most = 0;
    for (size_t i = 0; i < series->count; i++)
        most = series->value[i] > most ? series->value[i] : most;
    return most;
}

static int ask(np_store *store, const char *sort, const char *where)
{
    np_error err = {0};
    np_filter *filter = NULL;
    np_list *list;
    struct figures figures = {0};
    if (where && np_filter_parse(where, &filter, NULL, &err))
        stop("filter", &err);
    const np_list_options options = {.size = sizeof options,
                                     .sort = sort,
                                     .descending = strcmp(sort, "id") != 0,
                                     .filter = filter,
                                     .progress = tell};
    const uint64_t wall_ns = bench_now_ns();
    watch = (struct watch){.begin_ns = bench_thread_cpu_ns()};
    if (np_list_open(store, &options, &list, &err))
        stop("list", &err);
    note(&figures, wall_ns);
    scroll(list, NP_LIST_FIRST, NP_LIST_BEHIND, &figures);
    scroll(list, NP_LIST_LAST, NP_LIST_BEFORE, &figures);
    for (int i = 0; i < JUMPS; i++)
        np_list_page_free(
            page(list, (np_list_query){.place = NP_LIST_AT, .fraction = (i * 7 % JUMPS) / 10.0},
                 &figures));
    uint64_t total;
    if (np_list_count(list, &total, &err))
        stop("count", &err);
    const double page_ms = worst(&figures.page), silence_ms = worst(&figures.silence),
                 all_ms = worst(&figures.all);
    const int ok = page_ms <= FRAME_MS && silence_ms <= FRAME_MS && all_ms <= PASS_MS;
    printf(
        "by %-10s %-24s %9llu rows: median %6.2f ms, worst %6.2f without a word, first word after "
        "%5.1f, %2zu passes, worst %5.0f of %d ms (wall %5.0f)  %s\n",
        sort, where ? where : "", (unsigned long long)total, bench_median(&figures.all), page_ms,
        silence_ms, figures.passes, all_ms, PASS_MS, worst(&figures.wall), ok ? "ok" : "MISSED");
    np_list_close(list);
    np_filter_free(filter);
    return ok;
}

static double anonymous_mb(void)
{
    char line[128];
    double kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "RssAnon: %lf", &kb) == 1)
            break;
    if (status)
        fclose(status);
    return kb / 1024;
}

/* In a process of its own: what the writer took is not to be counted. */
static void make_apart(const char *file, uint64_t rows)
{
    int state = 1;
    const pid_t pid = fork();
    if (pid == 0) {
        trace_fill(file, rows, 1);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &state, 0) != pid || state != 0) {
        fprintf(stderr, "bench_paging: no trace was made\n");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static const char *const sorts[] = {"id",     "total_ns", "setup_ns",
                                        "dns_ns", "start_ns", "status"};
    static const char *const wheres[] = {NULL, "total_ns > 100ms", "status >= 500",
                                         "url like '%/items/77/%'"};
    const uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    char folder[256], path[300];
    np_error err = {0};
    np_store *store;
    int ok = 1;
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
    const char *file = argc > 2 ? argv[2] : path;
    make_apart(file, rows);
    if (np_store_open(file, NULL, &store, &err))
        stop("store", &err);
    for (size_t w = 0; w < sizeof wheres / sizeof *wheres; w++)
        for (size_t s = 0; s < sizeof sorts / sizeof *sorts; s++)
            ok &= ask(store, sorts[s], wheres[w]);
    bench_series memory = {0};
    bench_add(&memory, anonymous_mb());
    ok &= bench_line("paging: anonymous memory", BENCH_AT_MOST, MEMORY_MB, &memory, "MB");
    np_store_close(store);
    folder_remove(folder);
    return ok ? 0 : 1;
}
