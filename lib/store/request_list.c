/*
 * Lists; see <netphase/list.h>. Floor 2. The order of ids is walked from chunk to chunk, finding
 * what matches as it goes; every other order is order.c.
 */
#include "request_list.h"

#include "db_statement.h"
#include "fail.h"
#include "order.h"
#include "reader.h"

#include <stdlib.h>

enum { ROWS_DEFAULT = 60, ROWS_MAX = 4096 };
#define BYTES_MAX ((size_t)64 << 20) /* a page of monstrous texts ends early */

struct np_list {
    np_store *store; /* borrowed */
    np_list_rows rows;
    bool by_id;
    np_order order;    /* not by_id */
    sqlite3_stmt *row; /* one by its id */
};

/* What a page is made of, before its rows are read. */
struct found {
    int64_t ids[ROWS_MAX + 1];
    uint32_t count;
    bool at_start, at_end;
    int64_t rank, total; /* -1: not known */
};

/* ----------------------------------------------------------------------------------------------------- open and close */

np_status np_list_open_with(np_store *store, const np_list_options *options, uint32_t window_side,
                            np_list **out, np_error *err)
{
    *out = NULL;
    np_list_options chosen = NP_LIST_OPTIONS_INIT;
    np_options_copy(&chosen, sizeof chosen, options, options ? options->size : 0);
    np_list *list = calloc(1, sizeof *list);
    if (!list)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a list");
    list->store = store;
    np_status status = np_store_begin(store, err);
    if (!status)
        status = np_list_rows_init(&list->rows, store->db, &chosen, &store->canceled, err);
    np_list_rows_begin(&list->rows);
    if (!status) {
        list->by_id = np_sort_key_is_id(&list->rows.sort);
        status = list->by_id ? NP_OK : np_order_init(&list->order, &list->rows, window_side, err);
    }
    if (!status)
        status = np_row_select("WHERE r.id = ?1", store->db, &list->row, err);
    if (!status)
        status = np_list_rows_refresh(&list->rows, NULL, NULL, err);
    np_store_end(store);
    if (status) {
        np_list_close(list);
        return status;
    }
    *out = list;
    return NP_OK;
}

np_status np_list_open(np_store *store, const np_list_options *options, np_list **out,
                       np_error *err)
{
    return np_list_open_with(store, options, NP_WINDOW_SIDE, out, err);
}

void np_list_close(np_list *list)
{
    if (!list)
        return;
    sqlite3_finalize(list->row);
    np_order_done(&list->order);
    np_list_rows_done(&list->rows);
    free(list);
}

/* ------------------------------------------------------------------------------------------------------ by id: walking */

/* Chunks with rows up to an id: the first one that ends at it or behind. */
static size_t chunk_of(const np_matches *matches, int64_t id)
{
    size_t low = 0, high = matches->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (matches->chunks[middle].head.last_id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t tail_of(const np_list_rows *rows, int64_t id)
{
    size_t low = 0, high = rows->tail_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (rows->tail[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Ids found in one direction. */
struct walk {
    bool up;
    int64_t beyond; /* ids above, or below it */
    uint32_t limit;
    int64_t *ids;
    uint32_t count;
};

static void take_id(struct walk *walk, int64_t id)
{
    if (walk->count < walk->limit && (walk->up ? id > walk->beyond : id < walk->beyond))
        walk->ids[walk->count++] = id;
}

static np_status walk_chunk(np_list *list, size_t i, struct walk *walk, np_error *err)
{
    np_list_rows *rows = &list->rows;
    np_status status = np_list_rows_match(rows, i, err);
    if (status || rows->matches.chunks[i].count == 0)
        return status;
    status = np_list_rows_ids(rows, i, err);
    if (status)
        return status;
    const np_match_chunk *chunk = &rows->matches.chunks[i];
    const int64_t *id = rows->reader.columns.value[NP_COLUMN_ID];
    for (uint32_t k = 0; k < chunk->head.rows; k++) {
        const uint32_t row = walk->up ? k : chunk->head.rows - 1 - k;
        if (np_match_has(chunk, row))
            take_id(walk, id[row]);
    }
    return NP_OK;
}

static np_status walk_chunks(np_list *list, struct walk *walk, np_error *err)
{
    const np_matches *matches = &list->rows.matches;
    const size_t first = chunk_of(matches, walk->beyond);
    const size_t steps = walk->up ? matches->count - first : first + (first < matches->count);
    for (size_t k = 0; k < steps && walk->count < walk->limit; k++) {
        const size_t i = walk->up ? first + k : steps - 1 - k;
        np_status status = np_list_rows_pulse(&list->rows, (double)k / (double)steps, err);
        if (!status)
            status = walk_chunk(list, i, walk, err);
        if (status)
            return status;
    }
    return NP_OK;
}

static np_status walk_ids(np_list *list, struct walk *walk, np_error *err)
{
    const np_list_rows *rows = &list->rows;
    np_status status = NP_OK;
    if (walk->up) {
        status = walk_chunks(list, walk, err);
        for (size_t i = tail_of(rows, walk->beyond); i < rows->tail_count && !status; i++)
            take_id(walk, rows->tail[i].id);
        return status;
    }
    for (size_t i = tail_of(rows, walk->beyond); i > 0; i--)
        take_id(walk, rows->tail[i - 1].id);
    return walk_chunks(list, walk, err);
}

/* ------------------------------------------------------------------------------------------------------ by id: counting */

static np_status count_all(np_list *list, np_error *err)
{
    np_list_rows *rows = &list->rows;
    np_status status = NP_OK;
    if (rows->matches.known == rows->matches.count)
        return NP_OK;
    for (size_t i = 0; i < rows->matches.count && !status; i++) {
        status = np_list_rows_pulse(rows, (double)i / (double)rows->matches.count, err);
        if (!status)
            status = np_list_rows_match(rows, i, err);
    }
    return status;
}

/* Rows up to an id, or all of them; -1 where somebody must count first. */
static np_status rows_below(np_list *list, int64_t id, int64_t *out, np_error *err)
{
    np_list_rows *rows = &list->rows;
    *out = -1;
    if (rows->matches.known < rows->matches.count)
        return NP_OK;
    const size_t at = chunk_of(&rows->matches, id);
    int64_t sum = 0;
    for (size_t i = 0; i < at; i++)
        sum += rows->matches.chunks[i].count;
    if (at == rows->matches.count) {
        *out = sum + (int64_t)tail_of(rows, id);
        return NP_OK;
    }
    const np_match_chunk *chunk = &rows->matches.chunks[at];
    const np_status status = np_list_rows_ids(rows, at, err);
    const int64_t *ids = rows->reader.columns.value[NP_COLUMN_ID];
    for (uint32_t row = 0; !status && row < chunk->head.rows && ids[row] < id; row++)
        sum += np_match_has(chunk, row);
    *out = sum;
    return status;
}

static int64_t total_by_id(const np_list_rows *rows)
{
    int64_t sum = (int64_t)rows->tail_count;
    if (rows->matches.known < rows->matches.count)
        return -1;
    for (size_t i = 0; i < rows->matches.count; i++)
        sum += rows->matches.chunks[i].count;
    return sum;
}

/* The id of the row that has `rank` rows with smaller ids. All is counted; it is below the total.
 */
static np_status id_of_rank(np_list *list, int64_t rank, int64_t *out, np_error *err)
{
    np_list_rows *rows = &list->rows;
    size_t i = 0;
    while (i < rows->matches.count && rank >= rows->matches.chunks[i].count)
        rank -= rows->matches.chunks[i++].count;
    if (i == rows->matches.count) {
        *out = rows->tail[rank].id;
        return NP_OK;
    }
    const np_match_chunk *chunk = &rows->matches.chunks[i];
    const np_status status = np_list_rows_ids(rows, i, err);
    const int64_t *ids = rows->reader.columns.value[NP_COLUMN_ID];
    for (uint32_t row = 0; !status && row < chunk->head.rows; row++)
        if (np_match_has(chunk, row) && rank-- == 0) {
            *out = ids[row];
            break;
        }
    return status;
}

/* --------------------------------------------------------------------------------------------------------- by id: pages */

static int64_t rank_of_fraction(double fraction, int64_t total, uint32_t limit)
{
    const int64_t last = total > limit ? total - limit : 0;
    const int64_t rank = (int64_t)(fraction * (double)total);
    return rank < last ? rank : last;
}

/* Where a page begins and which way it is found. */
static np_status begin_walk(np_list *list, const np_list_query *query, struct walk *walk,
                            np_error *err)
{
    const bool up = !list->rows.sort.descending; /* along the list */
    np_entry known;
    np_status status = NP_OK;
    walk->up = query->place == NP_LIST_LAST || query->place == NP_LIST_BEFORE ? !up : up;
    walk->beyond = walk->up ? INT64_MIN : INT64_MAX;
    if (query->place == NP_LIST_FIRST || query->place == NP_LIST_LAST)
        return NP_OK;
    if (query->place != NP_LIST_AT) {
        status = np_list_rows_entry(&list->rows, query->id, &known, err);
        walk->beyond = query->id;
    } else {
        status = count_all(list, err);
        const int64_t total = status ? 0 : total_by_id(&list->rows);
        if (total <= 0)
            return status;
        const int64_t rank = rank_of_fraction(query->fraction, total, query->limit);
        status = id_of_rank(list, up ? rank : total - 1 - rank, &walk->beyond, err);
    }
    if (query->place != NP_LIST_BEHIND && query->place != NP_LIST_BEFORE)
        walk->beyond += walk->up ? -1 : 1; /* the row itself is of the page */
    return status;
}

/* Is there a row the other way? */
static np_status look_back(np_list *list, const struct walk *walk, bool *none, np_error *err)
{
    int64_t id;
    struct walk back = {.up = !walk->up, .limit = 1, .ids = &id};
    back.beyond = walk->count ? walk->ids[0] : walk->beyond;
    if (!walk->count && back.beyond != INT64_MIN && back.beyond != INT64_MAX)
        back.beyond += walk->up ? 1 : -1; /* the row that the page lies behind counts */
    const np_status status = walk_ids(list, &back, err);
    *none = back.count == 0;
    return status;
}

static void turn(int64_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        const int64_t kept = ids[i];
        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = kept;
    }
}

static np_status find_by_id(np_list *list, const np_list_query *query, struct found *found,
                            np_error *err)
{
    struct walk walk = {.limit = query->limit + 1, .ids = found->ids};
    np_status status = begin_walk(list, query, &walk, err);
    if (!status)
        status = walk_ids(list, &walk, err);
    if (status)
        return status;
    const bool along = walk.up != list->rows.sort.descending;
    const bool no_more = walk.count <= query->limit;
    bool none_before = true;
    if (query->place != NP_LIST_FIRST && query->place != NP_LIST_LAST)
        status = look_back(list, &walk, &none_before, err);
    found->count = no_more ? walk.count : query->limit;
    found->at_start = along ? none_before : no_more;
    found->at_end = along ? no_more : none_before;
    if (!along)
        turn(found->ids, found->count);
    found->total = total_by_id(&list->rows);
    if (!status && found->count && found->total >= 0) {
        status = rows_below(list, found->ids[0], &found->rank, err);
        if (list->rows.sort.descending)
            found->rank = found->total - 1 - found->rank;
    } else {
        found->rank = found->total;
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------------ another order */

static np_status go(np_list *list, const np_list_query *query, uint32_t *at, np_error *err)
{
    static const np_entry first = {INT64_MIN, INT64_MIN}, last = {INT64_MAX, INT64_MAX};
    const uint32_t limit = query->limit;
    np_order *order = &list->order;
    np_entry entry;
    if (query->place == NP_LIST_FIRST)
        return np_order_go(order, first, 0, limit + 1, at, err);
    if (query->place == NP_LIST_LAST)
        return np_order_go(order, last, limit + 1, 0, at, err);
    if (query->place == NP_LIST_AT) {
        const np_status status = np_order_survey(order, err);
        const int64_t total = (int64_t)order->histogram.total;
        *at = 0;
        if (status || total == 0)
            return status;
        const int64_t rank = rank_of_fraction(query->fraction, total, limit);
        return np_order_go_to_rank(order, (uint64_t)rank, limit, at, err);
    }
    np_status status = np_list_rows_entry(&list->rows, query->id, &entry, err);
    if (status)
        return status;
    if (query->place == NP_LIST_BEFORE)
        return np_order_go(order, entry, limit + 1, 0, at, err);
    status = np_order_go(order, entry, 0, limit + 2, at, err);
    if (!status && query->place == NP_LIST_BEHIND && *at < order->window.count &&
        order->window.sorted[*at].id == query->id)
        ++*at;
    return status;
}

static np_status find_by_order(np_list *list, const np_list_query *query, struct found *found,
                               np_error *err)
{
    const np_window *window = &list->order.window;
    uint32_t at;
    const np_status status = go(list, query, &at, err);
    if (status)
        return status;
    const bool up_to = query->place == NP_LIST_LAST || query->place == NP_LIST_BEFORE;
    const uint32_t from = !up_to ? at : at > query->limit ? at - query->limit : 0;
    const uint32_t upto = up_to                               ? at
                          : window->count - at > query->limit ? at + query->limit
                                                              : window->count;
    for (uint32_t i = from; i < upto; i++)
        found->ids[found->count++] = window->sorted[i].id;
    found->at_start = from == 0 && !window->before.is_cut;
    found->at_end = upto == window->count && (!window->behind.is_cut || found->count == 0);
    found->rank = (int64_t)(list->order.first_rank + from);
    found->total = (int64_t)list->order.histogram.total;
    return NP_OK;
}

/* --------------------------------------------------------------------------------------------------------------- pages */

struct list_page {
    np_list_page page;
    np_arena *arena;
};

void np_list_page_free(np_list_page *page)
{
    if (page)
        np_arena_free(((struct list_page *)page)->arena);
}

static np_status read_rows(np_list *list, struct found *found, struct list_page *page,
                           np_error *err)
{
    np_row_reader reader = {.statement = list->row, .arena = page->arena};
    np_row *rows = np_arena_alloc(page->arena, (found->count + 1) * sizeof *rows);
    page->page.rows = rows;
    if (!rows)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    np_status status = NP_OK;
    for (uint32_t i = 0; i < found->count && !status; i++) {
        if (reader.bytes > BYTES_MAX) {
            found->at_end = false;
            break;
        }
        sqlite3_bind_int64(list->row, 1, found->ids[i]);
        const int rc = sqlite3_step(list->row);
        if (rc == SQLITE_ROW) /* a row that someone deleted is left out */
            np_row_read(&reader, &rows[page->page.count++]);
        else if (rc != SQLITE_DONE)
            status = np_db_fail(err, list->store->db, rc, 0, "a request cannot be read");
        if (reader.no_memory)
            status = np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
        sqlite3_reset(list->row);
    }
    return status;
}

static np_status check_query(np_list_query *query, np_error *err)
{
    if (query->limit > ROWS_MAX)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "a page of %u rows was asked for; it may have 1 to %d", query->limit,
                       ROWS_MAX);
    if (query->place < NP_LIST_FIRST || query->place > NP_LIST_AT)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "no place %d in a list: 0 to %d",
                       (int)query->place, NP_LIST_AT);
    if (query->place == NP_LIST_AT && !(query->fraction >= 0 && query->fraction <= 1))
        return np_fail(err, NP_E_ARGUMENT_RANGE, "%g of a list was asked for: it may be 0 to 1",
                       query->fraction);
    if (!query->limit)
        query->limit = ROWS_DEFAULT;
    return NP_OK;
}

static np_status read_page(np_list *list, const np_list_query *query, struct list_page *page,
                           np_error *err)
{
    struct found *found = np_arena_alloc(page->arena, sizeof *found);
    if (!found)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    np_list_rows_begin(&list->rows);
    np_status status =
        list->by_id ? find_by_id(list, query, found, err) : find_by_order(list, query, found, err);
    if (!status)
        status = read_rows(list, found, page, err);
    page->page.at_start = found->at_start;
    page->page.at_end = found->at_end;
    page->page.rank = found->rank;
    page->page.total = found->total;
    return status;
}

np_status np_list_read(np_list *list, const np_list_query *query, np_list_page **out, np_error *err)
{
    *out = NULL;
    np_list_query chosen = NP_LIST_QUERY_INIT;
    np_options_copy(&chosen, sizeof chosen, query, query ? query->size : 0);
    np_status status = check_query(&chosen, err);
    if (status)
        return status;
    np_arena *arena = np_arena_create();
    struct list_page *page = arena ? np_arena_alloc(arena, sizeof *page) : NULL;
    if (!page) {
        np_arena_free(arena);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a page");
    }
    page->arena = arena;
    status = np_store_begin(list->store, err);
    if (!status)
        status = read_page(list, &chosen, page, err);
    np_store_end(list->store);
    if (status) {
        np_arena_free(arena);
        return status;
    }
    *out = &page->page;
    return NP_OK;
}

/* --------------------------------------------------------------------------------------------------- count and refresh */

np_status np_list_count(np_list *list, uint64_t *total, np_error *err)
{
    if (total)
        *total = 0;
    np_status status = np_store_begin(list->store, err);
    np_list_rows_begin(&list->rows);
    if (!status)
        status = list->by_id ? count_all(list, err) : np_order_survey(&list->order, err);
    np_store_end(list->store);
    if (!status && total)
        *total = list->by_id ? (uint64_t)total_by_id(&list->rows) : list->order.histogram.total;
    return status;
}

struct news {
    np_list *list;
    uint64_t count;
};

static void add_row(np_entry entry, void *user)
{
    struct news *news = user;
    news->count++;
    if (!news->list->by_id)
        np_order_add(&news->list->order, entry);
}

np_status np_list_refresh(np_list *list, uint64_t *added, np_error *err)
{
    struct news news = {.list = list};
    if (added)
        *added = 0;
    np_status status = np_store_begin(list->store, err);
    np_list_rows_begin(&list->rows);
    if (!status)
        status = np_list_rows_refresh(&list->rows, add_row, &news, err);
    np_store_end(list->store);
    if (status && !list->by_id)
        np_order_forget(&list->order); /* some were added, others were not */
    if (!status && added)
        *added = news.count;
    return status;
}
