/**
 * Lists: the requests of a trace in an order, filtered, read a page at a time however many there
 * are. What a terminal UI scrolls through.
 *
 * A list addresses rows by id, never by number, and shows the trace as it was when it was opened or
 * last refreshed: a row that arrives moves nothing. The order of ids costs nothing. Another order is
 * found by a pass over the column chunks that keeps some ten thousand rows around the place one is
 * at, so that pages near by need no pass; which rows match a filter is found once for each row and
 * remembered. Nothing is sorted as a whole.
 *
 * Memory: about 1 MiB, 1/8 byte a request under a filter, 16 bytes a row behind the last chunk
 * (`netphase info --rebuild` makes missing chunks).
 *
 * A list is used by the thread that uses its store; np_store_interrupt ends its calls too.
 */
#ifndef NETPHASE_LIST_H
#define NETPHASE_LIST_H

#include <netphase/store.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct np_list np_list;

/**
 * Called now and then while a call on a list takes its time.
 *
 * @param done  0 … 1, never less than in the call before
 * @param user  the pointer that came with this function
 * @return true to go on, false to stop: the call ends with NP_E_CANCELED; what it found so far is
 * kept
 *
 * Runs on the thread that made the call, at first after some 10 ms, then every 10 ms. May not use
 * the list or its store.
 */
typedef bool (*np_list_progress)(double done, void *user);

typedef struct np_list_options {
    size_t size; /* sizeof(np_list_options); set by the initialiser */
    /* copied; a column of the view `requests`: id (NULL means it too), start_ns, status, failed,
     * reused, connection_id, connection_use, dns_queries, connect_attempts, web_status, flags,
     * sent_bytes, received_bytes, setup_ns, total_ns, every phase's _ns, caller_blocked_ns, late_ns …;
     * not: texts, and numbers that only rows hold */
    const char *sort;
    bool descending; /* largest first; equal ones stay in the order of ids, NULL counts as smallest */
    int64_t run_id;  /* 0: every run */
    const np_filter *filter;   /* borrowed until np_list_close; NULL: none */
    np_list_progress progress; /* NULL: nobody is told */
    void *user;
} np_list_options;
#define NP_LIST_OPTIONS_INIT                                                                       \
    {                                                                                              \
        .size = sizeof(np_list_options)                                                            \
    }

/**
 * Opens a list. Takes a few milliseconds at any size: no row is looked at but those behind the last
 * chunk.
 *
 * @param store    borrowed until np_list_close
 * @param options  NULL: all defaults
 * @param out      [out] owned: close with np_list_close
 * @return NP_E_ARGUMENT for a column that a list cannot be sorted by (`err` names the nearest one
 * that it can), NP_E_INPUT for a damaged file
 */
NP_API np_status np_list_open(np_store *store, const np_list_options *options, np_list **out,
                              np_error *err);
NP_API void np_list_close(np_list *list); /* NULL is allowed */

/** Where a page is. */
typedef enum np_list_place {
    NP_LIST_FIRST = 0,  /* the first rows ("Home") */
    NP_LIST_LAST = 1,   /* the last ones ("End") */
    NP_LIST_BEHIND = 2, /* those behind the row `id` */
    NP_LIST_BEFORE = 3, /* those before the row `id`, the nearest ones */
    NP_LIST_FROM = 4,   /* the row `id` and those behind it; where it is not in the list, those behind
                           its place */
    NP_LIST_AT = 5      /* those from `fraction` of the list on */
} np_list_place;

typedef struct np_list_query {
    size_t size; /* sizeof(np_list_query); set by the initialiser */
    np_list_place place;
    int64_t id;      /* BEHIND, BEFORE, FROM: any request of the trace, also one that the filter leaves
                        out: it has its place in the order all the same */
    double fraction; /* AT: 0 (first) … 1 (last) */
    uint32_t limit;  /* 1 … 4,096 rows; 0: 60 */
} np_list_query;
#define NP_LIST_QUERY_INIT                                                                         \
    {                                                                                              \
        .size = sizeof(np_list_query)                                                              \
    }

typedef struct np_list_page {
    const np_row *rows; /* rows[count], always in the order of the list */
    size_t count;
    bool at_start; /* no row of the list comes before the first one */
    bool at_end;   /* none comes behind the last one */
    int64_t rank;  /* rows of the list before the first one; -1: nobody has counted them yet */
    int64_t total; /* rows of the list; -1: likewise */
} np_list_page;

/**
 * Reads a page.
 *
 * @param out  [out] owned: free with np_list_page_free; rows and texts live as long as it
 * @return NP_E_ARGUMENT_RANGE when there is no request `id` or a number is out of range, NP_E_INPUT
 * when the file is damaged, NP_E_CANCELED after np_store_interrupt or when `progress` says so
 *
 * AT counts the list where nobody has. In the order of ids it is exact; in another order too, unless
 * the values lie so unevenly that a few passes do not find the place: then `rank` says where the page
 * is.
 */
NP_API np_status np_list_read(np_list *list, const np_list_query *query, np_list_page **out,
                              np_error *err);
NP_API void np_list_page_free(np_list_page *page); /* NULL is allowed */

/**
 * Counts the rows of the list; from then on pages know their rank and total.
 *
 * @param total  [out] how many; may be NULL
 * @return as np_list_read
 */
NP_API np_status np_list_count(np_list *list, uint64_t *total, np_error *err);

/**
 * Takes in what was recorded since the list was opened or last refreshed. Costs next to nothing when
 * that is nothing.
 *
 * @param added  [out] how many rows the list has more; may be NULL
 * @return as np_list_read
 */
NP_API np_status np_list_refresh(np_list *list, uint64_t *added, np_error *err);

#ifdef __cplusplus
}
#endif
#endif
