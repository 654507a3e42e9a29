/* Answers questions out of a store; see source.h. */
#include "source.h"
#include "call_view.h"
#include "memory.h"
#include "sorted.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SEARCH_ROWS = 2048 };

struct source {
    np_store *store;
    char *filter_text; /* what `filter` was made of; owned */
    np_filter *filter;
    struct sorted sorted;
    atomic_bool stop; /* set by source_interrupt, taken back when an answer ends */
};

struct source *source_create(np_store *store)
{
    struct source *source = xcalloc(1, sizeof *source);
    source->store = store;
    return source;
}

void source_free(struct source *source)
{
    if (!source)
        return;
    sorted_done(&source->sorted);
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
    for (size_t i = 0; i < rows->page_count; i++)
        np_page_free(rows->pages[i]);
    free(rows->pages);
    free(rows->at);
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

static void add_page(struct rows *rows, np_page *page)
{
    rows->pages = xrealloc(rows->pages, rows->page_count + 1, sizeof *rows->pages);
    rows->pages[rows->page_count++] = page;
}

static void add_row(struct rows *rows, const np_row *row)
{
    rows->at = xrealloc(rows->at, rows->count + 1, sizeof *rows->at);
    rows->at[rows->count++] = row;
}

/* All rows of one page, the other way round where the list goes against the page. */
static struct rows *rows_of(np_page *page, bool is_reversed)
{
    struct rows *rows = xcalloc(1, sizeof *rows);
    rows->at = xcalloc(page->count + 1, sizeof *rows->at);
    rows->count = page->count;
    for (size_t i = 0; i < page->count; i++)
        rows->at[i] = &page->rows[is_reversed ? page->count - 1 - i : i];
    rows->at_end = page->at_end;
    add_page(rows, page);
    return rows;
}

/* ------------------------------------------------------------------------------------------ pages */

static np_status use_filter(struct source *source, const char *text, np_error *err)
{
    if (strcmp(source->filter_text ? source->filter_text : "", text ? text : "") == 0)
        return NP_OK;
    np_filter_free(source->filter);
    free(source->filter_text);
    source->filter = NULL;
    source->filter_text = NULL;
    if (!text)
        return NP_OK;
    const np_status status = np_filter_parse(text, &source->filter, NULL, err);
    if (!status)
        source->filter_text = xstrndup(text, strlen(text));
    return status;
}

/* A page in the order of ids; is_up: towards smaller ones. */
static np_status page_by_id(struct source *source, const struct question *question, bool is_up,
                            np_page **out, np_error *err)
{
    np_page_query query = NP_PAGE_QUERY_INIT;
    query.after_id = question->has_position ? question->position.id : 0;
    query.backwards = is_up;
    query.limit = question->limit;
    query.filter = source->filter;
    *out = NULL;
    if (is_up && question->has_position && query.after_id <= 0)
        query.after_id = INT64_MIN; /* nothing is before the first id; 0 would mean the end */
    return np_store_page(source->store, &query, out, err);
}

static np_status rows_by_id(struct source *source, const struct question *question,
                            struct answer *out)
{
    const bool is_up = question->is_backwards != question->order.is_descending;
    np_page *page;
    const np_status status = page_by_id(source, question, is_up, &page, &out->error);
    if (!status)
        out->rows = rows_of(page, question->is_backwards);
    return status;
}

static np_status one_row(struct source *source, int64_t id, np_page **out, np_error *err)
{
    np_page_query query = NP_PAGE_QUERY_INIT;
    query.after_id = id - 1;
    query.limit = 1;
    return np_store_page(source->store, &query, out, err);
}

static np_status rows_by_key(struct source *source, const struct question *question,
                             struct answer *out)
{
    np_status status =
        sorted_update(&source->sorted, source->store, question->order, question->filter,
                      source->filter, &source->stop, &out->error);
    if (status)
        return status;
    int64_t *ids = xcalloc(question->limit + 1, sizeof *ids);
    struct rows *rows = xcalloc(1, sizeof *rows);
    const size_t count = sorted_page(&source->sorted, question, ids, &rows->at_end);
    for (size_t i = 0; i < count && !status; i++) {
        np_page *page;
        status = one_row(source, ids[i], &page, &out->error);
        if (status)
            break;
        add_page(rows, page);
        if (page->count == 1 && page->rows[0].id == ids[i])
            add_row(rows, &page->rows[0]);
    }
    free(ids);
    if (status)
        rows_free(rows);
    else
        out->rows = rows;
    return status;
}

static np_status answer_rows(struct source *source, const struct question *question,
                             struct answer *out)
{
    return question->order.by == ORDER_ID ? rows_by_id(source, question, out)
                                          : rows_by_key(source, question, out);
}

static np_status answer_edges(struct source *source, struct answer *out)
{
    np_page_query query = NP_PAGE_QUERY_INIT;
    np_page *page;
    query.limit = 1;
    np_status status = np_store_page(source->store, &query, &page, &out->error);
    if (status)
        return status;
    out->first_id = page->count > 0 ? page->rows[0].id : 0;
    np_page_free(page);
    query.backwards = true;
    status = np_store_page(source->store, &query, &page, &out->error);
    if (status)
        return status;
    out->last_id = page->count > 0 ? page->rows[0].id : 0;
    np_page_free(page);
    return NP_OK;
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

/* Leaves the one that was found alone in `rows`. */
static void keep_one(struct rows *rows, const np_row *row)
{
    rows->count = 0;
    if (row)
        add_row(rows, row);
}

static const np_row *first_match(const struct rows *rows, bool is_backwards, const char *needle)
{
    for (size_t i = 0; i < rows->count; i++) {
        const np_row *row = rows->at[is_backwards ? rows->count - 1 - i : i];
        if (has_text(row, needle))
            return row;
    }
    return NULL;
}

/* Page after page; the position in the question moves along. */
static np_status answer_search(struct source *source, struct question *question,
                               struct answer *out)
{
    question->limit = question->order.by == ORDER_ID ? SEARCH_ROWS : 64;
    for (;;) {
        if (is_stopped(source)) {
            out->error = (np_error){.status = NP_E_CANCELED, .text = "stopped"};
            return NP_E_CANCELED;
        }
        const np_status status = answer_rows(source, question, out);
        if (status)
            return status;
        struct rows *rows = out->rows;
        const np_row *row = first_match(rows, question->is_backwards, question->needle);
        if (row || rows->at_end || rows->count == 0) {
            keep_one(rows, row);
            return NP_OK;
        }
        const np_row *last = rows->at[question->is_backwards ? 0 : rows->count - 1];
        question->position = order_position(last, question->order);
        question->has_position = true;
        rows_free(rows);
        out->rows = NULL;
    }
}

/* Starts follow ids nearly, so halving finds the place in some 30 look-ups. */
static np_status id_at_time(struct source *source, int64_t time_ns, int64_t first_id,
                            int64_t last_id, int64_t *id, np_error *err)
{
    int64_t high = last_id;
    *id = first_id;
    while (*id < high) {
        const int64_t middle = *id + (high - *id) / 2;
        np_page *page;
        const np_status status = one_row(source, middle, &page, err);
        if (status)
            return status;
        if (page->count > 0 && page->rows[0].start_ns < time_ns)
            *id = page->rows[0].id + 1;
        else
            high = middle;
        np_page_free(page);
    }
    return NP_OK;
}

static np_status id_at_share(struct source *source, const struct question *question,
                             int64_t first_id, int64_t last_id, int64_t *id, np_error *err)
{
    const double share = question->order.is_descending && question->order.by == ORDER_ID
                             ? 1 - question->share
                             : question->share;
    *id = first_id + (int64_t)((double)(last_id - first_id) * share);
    if (question->order.by == ORDER_ID)
        return NP_OK;
    const np_status status =
        sorted_update(&source->sorted, source->store, question->order, question->filter,
                      source->filter, &source->stop, err);
    if (!status && source->sorted.count > 0)
        *id = source->sorted.at[(size_t)((double)(source->sorted.count - 1) * share)].id;
    return status;
}

static np_status answer_place(struct source *source, const struct question *question,
                              struct answer *out)
{
    int64_t id = question->id;
    np_page *page = NULL;
    np_status status = answer_edges(source, out);
    if (!status && question->place == PLACE_TIME)
        status = id_at_time(source, question->time_ns, out->first_id, out->last_id, &id,
                            &out->error);
    else if (!status && question->place == PLACE_SHARE)
        status = id_at_share(source, question, out->first_id, out->last_id, &id, &out->error);
    if (!status)
        status = one_row(source, id < out->last_id ? id : out->last_id, &page, &out->error);
    if (!status)
        out->rows = rows_of(page, false);
    return status;
}

/* ---------------------------------------------------------------------------------------- answers */

static np_status answer(struct source *source, struct question *question, struct answer *out)
{
    const np_status status = use_filter(source, question->filter, &out->error);
    if (status)
        return status;
    switch (question->ask) {
    case ASK_ROWS:
        return answer_rows(source, question, out);
    case ASK_EDGES:
        return answer_edges(source, out);
    case ASK_INFO:
        return np_store_info_get(source->store, false, &out->info, &out->error);
    case ASK_DETAIL:
        return answer_detail(source, question, out);
    case ASK_REPORT:
        return answer_report(source, question, out);
    case ASK_SEARCH:
        return answer_search(source, question, out);
    case ASK_PLACE:
        return answer_place(source, question, out);
    }
    return NP_OK;
}

void source_answer(struct source *source, struct question *question, struct answer *out)
{
    *out = (struct answer){.ask = question->ask,
                           .number = question->number,
                           .is_backwards = question->is_backwards};
    const np_status status = answer(source, question, out);
    atomic_store_explicit(&source->stop, false, memory_order_relaxed); /* a flag alone */
    if (!status)
        return;
    const struct answer failed = {.ask = question->ask,
                                  .number = question->number,
                                  .is_backwards = question->is_backwards,
                                  .status = status,
                                  .error = out->error};
    answer_done(out);
    *out = failed;
}
