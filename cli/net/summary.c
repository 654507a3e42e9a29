/* What `record` prints at the end; see summary.h. Everything but the gate's line comes from the
 * trace. */
#include "summary.h"
#include "message.h"
#include "output.h"
#include <netphase/report.h>
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

static void add_group(const struct call *call, struct text *out, const np_report_group *group,
                      int url_cells)
{
    struct text url = {0};
    text_outside(&url, group->by[0] ? group->by[0] : "–", call->out.ascii);
    text_left(out, text_string(&url), url_cells);
    text_done(&url);
    text_puts(out, "    ");
    text_thousands(out, group->requests);
    text_print(out, " request%s", group->requests == 1 ? "" : "s");
    if (group->failed > 0) {
        text_puts(out, ", ");
        text_thousands(out, group->failed);
        text_puts(out, " failed");
    }
    text_puts(out, "    ");
    add_figures(out, "setup", &group->setup);
    text_puts(out, "    ");
    add_figures(out, "total", &group->total);
    text_puts(out, "\n");
}

/* The two phases with the largest shares of the summed set-up, where they are worth a word. */
static void add_setup_shares(struct text *out, const np_report_group *all)
{
    int first = -1;
    int second = -1;
    if (all->setup.sum_ns <= 0)
        return;
    for (int i = NP_PHASE_QUEUE; i <= NP_PHASE_TLS; i++) {
        if (first < 0 || all->phases[i].sum_ns > all->phases[first].sum_ns) {
            second = first;
            first = i;
        } else if (second < 0 || all->phases[i].sum_ns > all->phases[second].sum_ns) {
            second = i;
        }
    }
    const double setup = (double)all->setup.sum_ns;
    const double first_share = (double)all->phases[first].sum_ns / setup;
    const double second_share = (double)all->phases[second].sum_ns / setup;
    text_print(out, "\nMost of the set-up is %s (%.0f %%)", np_phase_name((np_phase)first),
               first_share * 100);
    if (second_share >= 0.1)
        text_print(out, " and %s (%.0f %%)", np_phase_name((np_phase)second), second_share * 100);
    text_puts(out, ".\n");
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
        text_print(out, "last failure: #%lld ", (long long)page->rows[0].id);
        text_outside(out, page->rows[0].error, call->out.ascii);
        text_puts(out, "\n");
    }
    np_page_free(page);
    np_filter_free(filter);
}

static void add_next(struct text *out, const char *path, int64_t run_id, uint64_t runs)
{
    const bool usual = strcmp(path, trace_path_or(NULL)) == 0;
    const char *file = usual ? "" : " ";
    const char *name = usual ? "" : path;
    text_print(out, "trace: %s, run %lld      next: netphase report%s%s", path, (long long)run_id,
               file, name);
    if (runs > 1)
        text_print(out, " --run %lld", (long long)run_id);
    text_print(out, " · netphase show%s%s\n", file, name);
}

static int widest_url(const struct call *call, const np_report *report)
{
    int widest = 0;
    for (size_t i = 0; i < report->group_count; i++) {
        struct text url = {0};
        text_outside(&url, report->groups[i].by[0] ? report->groups[i].by[0] : "–",
                     call->out.ascii);
        const int cells = text_width(text_string(&url));
        widest = cells > widest ? cells : widest;
        text_done(&url);
    }
    return widest;
}

static np_status build(struct call *call, np_store *store, const char *path, int64_t run_id,
                       struct text *out, np_error *err)
{
    np_report_options by_url = NP_REPORT_OPTIONS_INIT;
    np_report_options whole = NP_REPORT_OPTIONS_INIT;
    np_report *urls = NULL;
    np_report *all = NULL;
    np_store_info *info = NULL;
    by_url.by = "url";
    by_url.run_id = whole.run_id = run_id;
    whole.by = "none";

    np_status status = np_report_create(store, &by_url, &urls, err);
    if (!status)
        status = np_report_create(store, &whole, &all, err);
    if (!status)
        status = np_store_info_get(store, false, &info, err);
    if (!status) {
        const int cells = widest_url(call, urls);
        for (size_t i = 0; i < urls->group_count; i++)
            add_group(call, out, &urls->groups[i], cells);
        if (all->failed > 0)
            add_last_failure(call, store, run_id, out);
        if (all->group_count > 0)
            add_setup_shares(out, &all->groups[0]);
        if (all->dropped > 0)
            text_print(out, "%llu events were lost: the figures are not complete\n",
                       (unsigned long long)all->dropped);
        add_next(out, path, run_id, info->run_count);
    }
    np_store_info_free(info);
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
        status = build(call, store, path, run_id, &out, &err);
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
