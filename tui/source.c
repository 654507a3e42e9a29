/* Answers questions out of a store; see source.h. */
#include "source.h"
#include "call_view.h"
#include "memory.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SEARCH_ROWS = 1024 };

struct source {
    np_store *store;
    char *filter_text; /* what `filter` was made of; owned */
    np_filter *filter;
    np_list *list; /* of `order` and `filter`; NULL: none yet */
    struct order order;
    atomic_bool stop;         /* set by source_interrupt, taken back when an answer ends */
    source_progress progress; /* NULL: nobody is told */
    void *user;
};

struct source *source_create(np_store *store, source_progress progress, void *user)
{
    struct source *source = xcalloc(1, sizeof *source);
    source->store = store;
    source->progress = progress;
    source->user = user;
    return source;
}

void source_free(struct source *source)
{
    if (!source)
        return;
    np_list_close(source->list);
    np_filter_free(source->filter);
    free(source->filter_text);
    np_store_close(source->store);
    free(source);
}

void source_interrupt(struct source *source)
{
    atomic_store_explicit(&source->stop, true, memory_order_relaxed); /* a flag alone */
    np_store_interrupt(source->store);
}

static bool is_stopped(const struct source *source)
{
    return atomic_load_explicit(&source->stop, memory_order_relaxed); /* a flag alone */
}

/* ------------------------------------------------------------------------------- what is handed over */

void rows_free(struct rows *rows)
{
    if (!rows)
        return;
    np_list_page_free(rows->page);
    free(rows);
}

void answer_done(struct answer *answer)
{
    rows_free(answer->rows);
    np_store_info_free(answer->info);
    np_request_detail_free(answer->detail);
    np_page_free(answer->call);
    np_report_free(answer->report);
    *answer = (struct answer){0};
}

void question_done(struct question *question)
{
    free(question->filter);
    free(question->needle);
    free(question->by);
    *question = (struct question){0};
}

static struct rows *rows_of(np_list_page *page)
{
    struct rows *rows = xcalloc(1, sizeof *rows);
    *rows = (struct rows){.at = page->rows,
                          .count = page->count,
                          .at_start = page->at_start,
                          .at_end = page->at_end,
                          .rank = page->rank,
                          .total = page->total,
                          .page = page};
    return rows;
}

/* ------------------------------------------------------------------------------------------- list */

static np_status use_filter(struct source *source, const char *text, np_error *err)
{
    if (strcmp(source->filter_text ? source->filter_text : "", text ? text : "") == 0)
        return NP_OK;
    np_list_close(source->list); /* it borrows the filter */
    np_filter_free(source->filter);
    free(source->filter_text);
    source->list = NULL;
    source->filter = NULL;
    source->filter_text = NULL;
    if (!text)
        return NP_OK;
    const np_status status = np_filter_parse(text, &source->filter, NULL, err);
    if (!status)
        source->filter_text = xstrndup(text, strlen(text));
    return status;
}

static bool on_progress(double done, void *user)
{
    struct source *source = user;
    if (source->progress)
        source->progress((int)(done * 1000), source->user);
    return !is_stopped(source);
}

/* The list that a question is about; the filter is in use. */
static np_status use_list(struct source *source, const struct question *question, np_error *err)
{
    const bool is_same = source->list && source->order.by == question->order.by &&
                         source->order.is_descending == question->order.is_descending;
    if (is_same)
        return NP_OK;
    np_list_options options = NP_LIST_OPTIONS_INIT;
    options.sort = order_column(question->order.by);
    options.descending = question->order.is_descending;
    options.filter = source->filter;
    options.progress = on_progress;
    options.user = source;
    np_list_close(source->list);
    source->list = NULL;
    source->order = question->order;
    return np_list_open(source->store, &options, &source->list, err);
}

static np_status read_page(struct source *source, const struct question *question,
                           struct answer *out)
{
    np_list_query query = NP_LIST_QUERY_INIT;
    np_list_page *page;
    np_status status = use_list(source, question, &out->error);
    if (status)
        return status;
    query.place = question->place;
    query.id = question->id;
    query.fraction = question->share;
    query.limit = question->limit;
    status = np_list_read(source->list, &query, &page, &out->error);
    if (!status)
        out->rows = rows_of(page);
    return status;
}

static np_status answer_refresh(struct source *source, const struct question *question,
                                struct answer *out)
{
    const np_status status = use_list(source, question, &out->error);
    return status ? status : np_list_refresh(source->list, &out->count, &out->error);
}

static np_status answer_count(struct source *source, const struct question *question,
                              struct answer *out)
{
    const np_status status = use_list(source, question, &out->error);
    return status ? status : np_list_count(source->list, &out->count, &out->error);
}

/* ------------------------------------------------------------------------------------- one request */

static np_status answer_detail(struct source *source, const struct question *question,
                               struct answer *out)
{
    np_status status = np_store_request(source->store, question->id, &out->detail, &out->error);
    if (status || !call_may_go_on(&out->detail->row))
        return status;
    status = np_store_call(source->store, question->id, &out->call, &out->error);
    if (!status && out->call->count < 2) {
        np_page_free(out->call);
        out->call = NULL;
    }
    return status;
}

static np_status answer_report(struct source *source, const struct question *question,
                               struct answer *out)
{
    np_report_options options = NP_REPORT_OPTIONS_INIT;
    options.by = question->by;
    options.filter = source->filter;
    options.top = question->limit;
    options.bins = REPORT_BINS;
    return np_report_create(source->store, &options, &out->report, &out->error);
}

/* ------------------------------------------------------------------------------------ looking for a row */

static bool has_text(const np_row *row, const char *needle)
{
    const char *const texts[] = {row->url, row->method, row->error, row->proxy, row->remote};
    char number[32];
    (void)snprintf(number, sizeof number, "%d", row->status);
    if (strcmp(number, needle) == 0)
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcasestr(texts[i], needle))
            return true;
    return false;
}

static const np_row *first_match(const struct rows *rows, bool is_upwards, const char *needle)
{
    for (size_t i = 0; i < rows->count; i++) {
        const np_row *row = &rows->at[is_upwards ? rows->count - 1 - i : i];
        if (has_text(row, needle))
            return row;
    }
    return NULL;
}

/* Page after page; the place in the question moves along. */
static np_status answer_search(struct source *source, struct question *question, struct answer *out)
{
    const bool is_upwards = question->place == NP_LIST_BEFORE;
    question->limit = SEARCH_ROWS;
    for (bool is_over = false; !is_over;) {
        if (is_stopped(source)) {
            out->error = (np_error){.status = NP_E_CANCELED, .text = "stopped"};
            return NP_E_CANCELED;
        }
        const np_status status = read_page(source, question, out);
        if (status)
            return status;
        struct rows *rows = out->rows;
        const np_row *row = first_match(rows, is_upwards, question->needle);
        if (row)
            out->id = row->id;
        else if (rows->count > 0)
            question->id = rows->at[is_upwards ? 0 : rows->count - 1].id;
        is_over = row || rows->count == 0 || (is_upwards ? rows->at_start : rows->at_end);
        rows_free(rows);
        out->rows = NULL;
    }
    return NP_OK;
}

/* The row with this id or the next one, from the end (0, backwards) the last one; its id and start.
 */
static np_status row_at(np_store *store, int64_t id, bool is_last, int64_t *found_id,
                        int64_t *start_ns, np_error *err)
{
    np_page_query query = NP_PAGE_QUERY_INIT;
    np_page *page;
    query.after_id = is_last ? 0 : id - 1;
    query.backwards = is_last;
    query.limit = 1;
    const np_status status = np_store_page(store, &query, &page, err);
    if (status)
        return status;
    *found_id = page->count > 0 ? page->rows[0].id : 0;
    *start_ns = page->count > 0 ? page->rows[0].start_ns : INT64_MAX;
    np_page_free(page);
    return NP_OK;
}

/* Starts follow ids nearly, so halving finds the place in some 30 look-ups. */
static np_status answer_time(struct source *source, const struct question *question,
                             struct answer *out)
{
    int64_t low = 1;
    int64_t high, found_id, start_ns;
    np_status status = row_at(source->store, 0, true, &high, &start_ns, &out->error);
    out->id = high;
    while (!status && low < high) {
        const int64_t middle = low + (high - low) / 2;
        status = row_at(source->store, middle, false, &found_id, &start_ns, &out->error);
        if (found_id > 0 && start_ns < question->time_ns)
            low = found_id + 1;
        else
            high = middle;
    }
    if (!status && high > 0)
        status = row_at(source->store, low < out->id ? low : out->id, false, &out->id, &start_ns,
                        &out->error);
    return status;
}

/* ---------------------------------------------------------------------------------------- answers */

/* What is not about a list must not close the one that is in use. */
static bool needs_filter(enum ask ask)
{
    return ask != ASK_INFO && ask != ASK_DETAIL && ask != ASK_TIME;
}

static np_status answer(struct source *source, struct question *question, struct answer *out)
{
    const np_status status =
        needs_filter(question->ask) ? use_filter(source, question->filter, &out->error) : NP_OK;
    if (status)
        return status;
    switch (question->ask) {
    case ASK_ROWS:
        return read_page(source, question, out);
    case ASK_REFRESH:
        return answer_refresh(source, question, out);
    case ASK_COUNT:
        return answer_count(source, question, out);
    case ASK_INFO:
        return np_store_info_get(source->store, false, &out->info, &out->error);
    case ASK_DETAIL:
        return answer_detail(source, question, out);
    case ASK_REPORT:
        return answer_report(source, question, out);
    case ASK_SEARCH:
        return answer_search(source, question, out);
    case ASK_TIME:
        return answer_time(source, question, out);
    }
    return NP_OK;
}

void source_answer(struct source *source, struct question *question, struct answer *out)
{
    *out =
        (struct answer){.ask = question->ask, .number = question->number, .place = question->place};
    const np_status status = answer(source, question, out);
    atomic_store_explicit(&source->stop, false, memory_order_relaxed); /* a flag alone */
    if (!status)
        return;
    const struct answer failed = {.ask = question->ask,
                                  .number = question->number,
                                  .place = question->place,
                                  .status = status,
                                  .error = out->error};
    answer_done(out);
    *out = failed;
}
