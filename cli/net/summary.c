/* What `record` prints at the end; see summary.h. Everything but the gate's line comes from the
 * trace. */
#include "summary.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "report_view.h"
#include <netphase/report.h>
#include <stdlib.h>
#include <string.h>

/* "setup p50 212 ms  p95 601 ms" */
static void add_figures(struct text *out, const char *name, const np_figures *figures)
{
    char p50[32];
    char p95[32];
    if (figures->count == 0) {
        text_print(out, "%s –", name);
        return;
    }
    text_print(out, "%s p50 %s  p95 %s", name, np_duration_text(figures->p50_ns, p50, sizeof p50),
               np_duration_text(figures->p95_ns, p95, sizeof p95));
}

/* A URL's line in pieces, so that those of several URLs stand below each other. */
enum { URL, REQUESTS, SETUP, TOTAL, PIECES };
struct summary_line {
    struct text pieces[PIECES];
};

static void fill_line(const struct call *call, const np_report_group *group,
                      struct summary_line *line)
{
    struct text *requests = &line->pieces[REQUESTS];
    text_outside(&line->pieces[URL], group->by[0] ? group->by[0] : "–", call->out.ascii);
    text_thousands(requests, group->requests);
    text_puts(requests, group->requests == 1 ? " request" : " requests");
    if (group->failed > 0) {
        text_puts(requests, ", ");
        look_begin(&call->out, requests, ROLE_BAD);
        text_thousands(requests, group->failed);
        text_puts(requests, " failed");
        look_end(&call->out, requests, ROLE_BAD);
    }
    add_figures(&line->pieces[SETUP], "setup", &group->setup);
    add_figures(&line->pieces[TOTAL], "total", &group->total);
}

static int widest(const struct summary_line *lines, size_t count, int piece)
{
    int cells = 0;
    for (size_t i = 0; i < count; i++) {
        const int width = text_width(text_string(&lines[i].pieces[piece]));
        cells = width > cells ? width : cells;
    }
    return cells;
}

/* One line a URL; two on a terminal that is too narrow for one. */
static void add_urls(const struct call *call, const np_report *report, struct text *out)
{
    static const char between[] = "    ";
    struct summary_line *lines = xcalloc(report->group_count + 1, sizeof *lines);
    int cells[PIECES];
    int width = (PIECES - 1) * (int)strlen(between);
    for (size_t i = 0; i < report->group_count; i++)
        fill_line(call, &report->groups[i], &lines[i]);
    for (int piece = 0; piece < PIECES; piece++)
        width += cells[piece] = widest(lines, report->group_count, piece);
    const bool breaks = call->out.is_terminal && width > call->out.columns;

    for (size_t i = 0; i < report->group_count; i++) {
        for (int piece = 0; piece < PIECES; piece++) {
            const char *words = text_string(&lines[i].pieces[piece]);
            const bool ends = piece == TOTAL || (breaks && piece == REQUESTS);
            text_left(out, words, ends || (breaks && piece == URL) ? 0 : cells[piece]);
            text_puts(out, !ends ? between : piece == TOTAL ? "\n" : "\n  ");
            text_done(&lines[i].pieces[piece]);
        }
    }
    free(lines);
}

/* NULL: no answer came, which is counted as failed. */
static bool is_success(const char *status)
{
    return !status || status[0] == '2';
}

/* "statuses: 200 × 18, 404 × 2": where not all were what one hopes for. */
static void add_statuses(const struct call *call, const np_report *statuses, struct text *out)
{
    const char *separator = "statuses: ";
    bool all_good = true;
    for (size_t i = 0; i < statuses->group_count; i++)
        all_good = all_good && is_success(statuses->groups[i].by[0]);
    for (size_t i = 0; !all_good && i < statuses->group_count; i++) {
        const np_report_group *group = &statuses->groups[i];
        if (!group->by[0])
            continue;
        text_puts(out, separator);
        text_outside(out, group->by[0], call->out.ascii);
        text_puts(out, call->out.ascii ? " x " : " × ");
        text_thousands(out, group->requests);
        separator = ", ";
    }
    if (!all_good)
        text_char(out, '\n');
}

/* Why the last failed request failed: the first thing one asks. */
static void add_last_failure(const struct call *call, np_store *store, int64_t run_id,
                             struct text *out)
{
    np_filter *filter = NULL;
    np_page *page = NULL;
    if (np_filter_parse("failed", &filter, NULL, NULL))
        return;
    const np_page_query query = {
        .size = sizeof query, .backwards = true, .limit = 1, .run_id = run_id, .filter = filter};
    if (!np_store_page(store, &query, &page, NULL) && page->count > 0) {
        text_print(out, "last failure: #%lld: ", (long long)page->rows[0].id);
        text_outside(out, page->rows[0].error, call->out.ascii);
        text_puts(out, "\n");
    }
    np_page_free(page);
    np_filter_free(filter);
}

/* A file's name as one types it at a shell. */
static void put_shell_word(struct text *out, const char *word)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+=:,@%";
    if (word[0] == '-')
        text_puts(out, "./"); /* no option */
    if (word[strspn(word, plain)] == '\0') {
        text_puts(out, word);
        return;
    }
    text_char(out, '\'');
    for (const char *at = word; *at; at++) {
        if (*at == '\'')
            text_puts(out, "'\\''");
        else
            text_char(out, *at);
    }
    text_char(out, '\'');
}

/* Where it all is, and what to type next. */
static void add_next(const struct call *call, const char *path, int64_t run_id, uint64_t runs,
                     struct text *out)
{
    struct text word = {0};
    struct text trace = {0};
    struct text next = {0};
    if (strcmp(path, trace_path_or(NULL)) != 0) { /* not the one that is read without a name */
        text_char(&word, ' ');
        put_shell_word(&word, path);
    }
    text_puts(&trace, "trace: ");
    text_outside(&trace, path, call->out.ascii);
    text_print(&trace, ", run %lld", (long long)run_id);
    text_puts(&next, "next: netphase report");
    if (runs > 1)
        text_print(&next, " --run %lld", (long long)run_id);
    text_outside(&next, text_string(&word), call->out.ascii);
    text_puts(&next, " · netphase show");
    text_outside(&next, text_string(&word), call->out.ascii);

    const int width = text_width(text_string(&trace)) + 6 + text_width(text_string(&next));
    text_puts(out, text_string(&trace));
    text_puts(out, call->out.is_terminal && width > call->out.columns ? "\n" : "      ");
    text_puts(out, text_string(&next));
    text_puts(out, "\n");
    text_done(&word);
    text_done(&trace);
    text_done(&next);
}

/* Why there are more requests than were asked for. */
static void add_hops(const np_report *all, const struct sender_counts *counts, struct text *out)
{
    if (all->requests <= counts->finished)
        return;
    text_thousands(out, counts->finished);
    text_puts(out, counts->finished == 1 ? " call took " : " calls took ");
    text_thousands(out, all->requests);
    text_puts(out, " requests: redirects, challenges and retries are hops of their own\n");
}

static np_status build(struct call *call, np_store *store, const char *path, int64_t run_id,
                       const struct sender_counts *counts, struct text *out, np_error *err)
{
    np_report_options by_url = NP_REPORT_OPTIONS_INIT;
    np_report_options whole = NP_REPORT_OPTIONS_INIT;
    np_report_options by_status = NP_REPORT_OPTIONS_INIT;
    np_report *urls = NULL;
    np_report *all = NULL;
    np_report *statuses = NULL;
    np_store_info *info = NULL;
    by_url.by = "url";
    by_url.run_id = whole.run_id = by_status.run_id = run_id;
    whole.by = "none";
    by_status.by = "status";
    by_status.sort = "name"; /* not by time: the same words for the same run */

    np_status status = np_report_create(store, &by_url, &urls, err);
    if (!status)
        status = np_report_create(store, &whole, &all, err);
    if (!status)
        status = np_report_create(store, &by_status, &statuses, err);
    if (!status)
        status = np_store_info_get(store, false, &info, err);
    if (!status) {
        add_urls(call, urls, out);
        add_statuses(call, statuses, out);
        add_hops(all, counts, out);
        if (all->failed > 0)
            add_last_failure(call, store, run_id, out);
        text_char(out, '\n');
        report_verdict(all, call->out.columns, out); /* the answer, as `report` has it */
        if (all->dropped > 0)
            text_print(out, "%llu events were lost: the figures are not complete\n",
                       (unsigned long long)all->dropped);
        add_next(call, path, run_id, info->run_count, out);
    }
    np_store_info_free(info);
    np_report_free(statuses);
    np_report_free(all);
    np_report_free(urls);
    return status;
}

int summary_print(struct call *call, const char *path, int64_t run_id,
                  const struct sender_counts *counts, bool fail)
{
    np_store *store = NULL;
    np_error err = {0};
    struct text out = {0};
    np_status status = np_store_open(path, NULL, &store, &err);
    if (!status)
        status = build(call, store, path, run_id, counts, &out, &err);
    np_store_close(store);
    if (status) {
        text_done(&out);
        return message_failure(call, &err);
    }
    const int exit_status = output_write(call, &out);
    if (fail && counts->failed > 0)
        message_error(call, "%llu of %llu requests failed or ended with a status of 400 or more",
                      (unsigned long long)counts->failed, (unsigned long long)counts->finished);
    return exit_status;
}
