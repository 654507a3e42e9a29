/* The virtual list against a source of numbers, the order of rows, and scrolling. */
#include "list.h"
#include "scroll.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MOST = 5000, HEIGHT = 10 };

/* A trace in which request i took (i * 37) % 1009 us. */
static np_row rows[ROWS_MOST];
static int row_count;
static struct list list;
static uint32_t number;
static int questions;

/* What pages are made of stays until the list is closed. */
static np_row **kept;
static size_t kept_count;

static void close_list(void)
{
    list_done(&list);
    for (size_t i = 0; i < kept_count; i++)
        free(kept[i]);
    free(kept);
    kept = NULL;
    kept_count = 0;
}

static void make_rows(int count)
{
    for (; row_count < count; row_count++) {
        rows[row_count] = (np_row){.id = row_count + 1, .total_ns = row_count * 37 % 1009 * 1000};
        for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
            rows[row_count].phase_ns[phase] = -1;
    }
}

/* As a store orders them: what is equal by id. */
static int compare(const void *a, const void *b, void *order)
{
    const np_row *x = a;
    const np_row *y = b;
    const struct order *by = order;
    const int64_t p = order_value(x, by->by);
    const int64_t q = order_value(y, by->by);
    const int direction = by->is_descending ? -1 : 1;
    if (p != q)
        return p < q ? -direction : direction;
    return by->by == ORDER_ID ? 0 : x->id < y->id ? -1 : x->id > y->id;
}

/* The page that a question asks for, as the source gives it. Pages stay until the test ends. */
static struct rows *page_for(const struct question *question)
{
    struct order order = question->order;
    np_row *sorted = calloc((size_t)row_count + 1, sizeof *sorted);
    kept = realloc(kept, (kept_count + 1) * sizeof *kept);
    kept[kept_count++] = sorted;
    memcpy(sorted, rows, (size_t)row_count * sizeof *sorted);
    qsort_r(sorted, (size_t)row_count, sizeof *sorted, compare, &order);
    int place = 0;
    while (place < row_count && sorted[place].id != question->id)
        place++;
    int from = 0;
    int to = row_count;
    const int limit = (int)question->limit;
    switch (question->place) {
    case NP_LIST_FIRST:
        to = limit;
        break;
    case NP_LIST_LAST:
        from = row_count - limit;
        break;
    case NP_LIST_BEHIND:
        from = place + 1;
        to = from + limit;
        break;
    case NP_LIST_BEFORE:
        to = place;
        from = to - limit;
        break;
    case NP_LIST_FROM:
        from = place;
        to = from + limit;
        break;
    case NP_LIST_AT:
        from = (int)(question->share * (row_count - 1));
        to = from + limit;
        break;
    }
    from = from < 0 ? 0 : from > row_count ? row_count : from;
    to = to > row_count ? row_count : to < from ? from : to;
    struct rows *page = calloc(1, sizeof *page);
    *page = (struct rows){.at = sorted + from,
                          .count = (size_t)(to - from),
                          .at_start = from == 0,
                          .at_end = to == row_count,
                          .rank = from,
                          .total = row_count};
    return page;
}

static void answer_all(void)
{
    struct question question;
    for (int i = 0; list_wants(&list, &question); i++) {
        cr_assert_lt(i, 100, "it asks and asks");
        list_sent(&list, ++number);
        questions++;
        struct answer answer = {.ask = ASK_ROWS,
                                .number = number,
                                .place = question.place,
                                .rows = page_for(&question)};
        cr_assert(list_take(&list, &answer));
    }
}

static void open_list(int count, struct order order)
{
    make_rows(count);
    list_init(&list, order);
    list_resize(&list, HEIGHT);
    answer_all();
}

static void move(int lines)
{
    list_move(&list, lines);
    answer_all();
}

static int64_t selected(void)
{
    const np_row *row = list_selected(&list);
    return row ? row->id : 0;
}

static int64_t first_on_screen(void)
{
    const np_row *row = list_on_line(&list, 0);
    return row ? row->id : 0;
}

static const struct order by_id = {.by = ORDER_ID};
static const struct order by_total = {.by = ORDER_TOTAL, .is_descending = true};

Test(list, begins_at_the_first_row)
{
    open_list(1000, by_id);
    cr_expect_eq(selected(), 1);
    cr_expect_eq(first_on_screen(), 1);
    cr_expect(list.at_start);
    cr_expect_not(list.at_end);
    close_list();
}

Test(list, an_empty_trace_has_no_row_and_asks_once)
{
    open_list(0, by_id);
    cr_expect_eq(selected(), 0);
    cr_expect_null(list_on_line(&list, 0));
    cr_expect_eq(questions, 1);
    move(1);
    move(-1);
    cr_expect_eq(questions, 1);
    close_list();
}

Test(list, every_row_is_met_on_the_way_down_and_up)
{
    open_list(1000, by_id);
    for (int64_t id = 1; id < 1000; id++) {
        cr_assert_eq(selected(), id);
        move(1);
    }
    cr_expect_eq(selected(), 1000);
    cr_expect(list.at_end);
    for (int64_t id = 1000; id > 1; id--) {
        cr_assert_eq(selected(), id);
        move(-1);
    }
    cr_expect_eq(selected(), 1);
    close_list();
}

Test(list, the_window_stays_small)
{
    open_list(5000, by_id);
    for (int i = 0; i < 600; i++) {
        move(HEIGHT - 1);
        cr_assert_leq(list.block_count, LIST_BLOCKS);
        cr_assert_leq(list_count(&list), LIST_BLOCKS * 400);
    }
    cr_expect_eq(selected(), 5000);
    close_list();
}

Test(list, what_is_on_the_screen_has_no_holes)
{
    open_list(3000, by_id);
    srand(7);
    for (int i = 0; i < 2000; i++) {
        move(rand() % 61 - 28);
        const int64_t first = first_on_screen();
        for (int line = 0; line < HEIGHT; line++)
            cr_assert_eq(list_on_line(&list, line)->id, first + line);
        cr_assert(selected() >= first && selected() < first + HEIGHT);
    }
    close_list();
}

Test(list, a_leap_beyond_the_window_arrives_in_full)
{
    open_list(5000, by_id);
    move(1234);
    cr_expect_eq(selected(), 1235);
    move(-1000);
    cr_expect_eq(selected(), 235);
    move(1000000);
    cr_expect_eq(selected(), 5000);
    close_list();
}

Test(list, home_and_end_ask_for_one_page)
{
    open_list(5000, by_id);
    const int before = questions;
    list_end(&list);
    answer_all();
    cr_expect_eq(selected(), 5000);
    cr_expect_eq(first_on_screen(), 5000 - HEIGHT + 1);
    cr_expect_leq(questions - before, 2);
    list_home(&list);
    answer_all();
    cr_expect_eq(selected(), 1);
    cr_expect_leq(questions - before, 4);
    close_list();
}

Test(list, the_old_rows_stay_until_new_ones_come)
{
    open_list(5000, by_id);
    struct question question;
    list_end(&list);
    cr_assert(list_wants(&list, &question));
    cr_expect_eq(question.place, NP_LIST_LAST);
    cr_expect_eq(first_on_screen(), 1);
    close_list();
}

Test(list, selection_stays_when_rows_arrive)
{
    open_list(1000, by_id);
    move(4);
    make_rows(1500);
    list_grew(&list, 500);
    answer_all();
    cr_expect_eq(selected(), 5);
    cr_expect_eq(first_on_screen(), 1);
    list_end(&list);
    answer_all();
    cr_expect_eq(selected(), 1500);
    close_list();
}

Test(list, no_row_is_skipped_when_a_trace_has_grown_while_one_looked_at_its_end)
{
    open_list(1000, by_id);
    list_end(&list);
    answer_all();
    make_rows(4000);
    list_grew(&list, 3000);
    list_end(&list);
    answer_all();
    cr_expect_eq(selected(), 4000);
    for (int64_t id = 4000; id > 900; id--) {
        cr_assert_eq(selected(), id);
        move(-1);
    }
    close_list();
}

Test(list, the_tail_is_the_very_last_row)
{
    open_list(100, by_id);
    cr_expect_not(list_is_at_tail(&list));
    list_end(&list);
    answer_all();
    cr_expect(list_is_at_tail(&list));
    move(-1);
    cr_expect_not(list_is_at_tail(&list));
    close_list();
}

Test(list, a_row_is_gone_to_by_its_id)
{
    open_list(5000, by_id);
    list_go(&list, 3000);
    answer_all();
    cr_expect_eq(selected(), 3000);
    cr_expect_eq(first_on_screen(), 3000 - HEIGHT / 2, "with rows above it");
    list_go(&list, 3003);
    cr_expect_eq(selected(), 3003, "it is in the window already");
    close_list();
}

Test(list, a_share_of_the_list_is_gone_to)
{
    open_list(5000, by_id);
    list_go_share(&list, 0.5);
    answer_all();
    cr_expect_eq(selected(), 2500);
    cr_expect_eq(list_rank(&list), 2499);
    list_go_share(&list, 1);
    answer_all();
    cr_expect_eq(selected(), 5000);
    close_list();
}

Test(list, the_rank_of_the_cursor_is_right_wherever_one_goes)
{
    open_list(5000, by_id);
    srand(11);
    for (int i = 0; i < 500; i++) {
        if (i % 50 == 0)
            list_go_share(&list, rand() % 1000 / 1000.0);
        else if (i % 77 == 0)
            list_end(&list);
        else
            list_move(&list, rand() % 301 - 150);
        answer_all();
        cr_assert_eq(list_rank(&list) + 1, selected());
        cr_assert_eq(list.total, 5000);
    }
    close_list();
}

Test(list, a_place_that_is_not_there_changes_nothing)
{
    open_list(1000, by_id);
    move(5);
    struct question question;
    list_go(&list, 123456);
    cr_assert(list_wants(&list, &question));
    list_sent(&list, 99);
    struct answer failed = {
        .ask = ASK_ROWS, .number = 99, .place = NP_LIST_FROM, .status = NP_E_ARGUMENT_RANGE};
    cr_expect(list_take(&list, &failed));
    cr_expect_eq(selected(), 6);
    move(900);
    cr_expect_eq(selected(), 906);
    close_list();
}

Test(list, answers_nobody_waits_for_are_not_taken)
{
    open_list(1000, by_id);
    struct question question;
    list_end(&list);
    cr_assert(list_wants(&list, &question));
    list_sent(&list, 77);
    list_home(&list);
    struct answer late = {.ask = ASK_ROWS, .number = 77, .rows = page_for(&question)};
    cr_expect_not(list_take(&list, &late));
    rows_free(late.rows);
    cr_expect_eq(selected(), 1);
    close_list();
}

Test(list, a_page_that_failed_is_not_asked_for_again_and_again)
{
    make_rows(100);
    list_init(&list, by_id);
    list_resize(&list, HEIGHT);
    struct question question;
    cr_assert(list_wants(&list, &question));
    list_sent(&list, 5);
    struct answer failed = {.ask = ASK_ROWS, .number = 5, .status = NP_E_INPUT};
    cr_expect(list_take(&list, &failed));
    cr_expect_not(list_wants(&list, &question));
    close_list();
}

Test(list, a_click_selects_the_row_on_that_line)
{
    open_list(30, by_id);
    move(15);
    const int64_t first = first_on_screen();
    list_select_line(&list, 3);
    cr_expect_eq(selected(), first + 3);
    list_select_line(&list, 99);
    cr_expect_eq(selected(), first + 3);
    close_list();
}

Test(list, a_smaller_screen_keeps_the_selected_row_on_it)
{
    open_list(100, by_id);
    move(9);
    list_resize(&list, 4);
    answer_all();
    cr_expect_eq(selected(), 10);
    cr_expect(list_on_line(&list, 0)->id <= 10 && list_on_line(&list, 3)->id >= 10);
    close_list();
}

Test(list, sorted_rows_come_in_order_both_ways)
{
    open_list(2000, by_total);
    int64_t before = INT64_MAX;
    for (int i = 0; i < 2000; i++) {
        const np_row *row = list_selected(&list);
        cr_assert_leq(row->total_ns, before);
        before = row->total_ns;
        move(1);
    }
    list_end(&list);
    answer_all();
    before = -1;
    for (int i = 0; i < 2000; i++) {
        const np_row *row = list_selected(&list);
        cr_assert_geq(row->total_ns, before);
        before = row->total_ns;
        move(-1);
    }
    close_list();
}

Test(list, newest_first_is_an_order_too)
{
    open_list(500, (struct order){ORDER_ID, true});
    cr_expect_eq(selected(), 500);
    move(3);
    cr_expect_eq(selected(), 497);
    list_end(&list);
    answer_all();
    cr_expect_eq(selected(), 1);
    list_go(&list, 250);
    answer_all();
    cr_expect_eq(selected(), 250);
    close_list();
}

/* ------------------------------------------------------------------------------------------- order */

Test(order, names_are_found_by_their_beginning_and_as_columns)
{
    cr_expect_eq(order_find("total"), ORDER_TOTAL);
    cr_expect_eq(order_find("total_ns"), ORDER_TOTAL);
    cr_expect_eq(order_find("dns"), ORDER_PHASE + NP_PHASE_DNS);
    cr_expect_eq(order_find("conn"), ORDER_PHASE + NP_PHASE_CONNECT);
    cr_expect_eq(order_find("sent"), ORDER_SENT, "a whole name before the beginning of another");
    cr_expect_eq(order_find("nonsense"), -1);
    cr_expect_eq(order_find(""), -1);
    for (int by = 0; by < ORDERS; by++)
        cr_expect_eq(order_find(order_name(by)), by, "%s", order_name(by));
}

/* ---------------------------------------------------------------------------------------- scrolling */

Test(scroll, never_leaves_its_lines)
{
    struct scroll scroll = {0};
    scroll_fit(&scroll, 50, 10, false);
    cr_expect_not(scroll_act(&scroll, ACTION_OPEN, false));
    scroll_act(&scroll, ACTION_UP, false);
    cr_expect_eq(scroll.top, 0);
    scroll_act(&scroll, ACTION_END, false);
    cr_expect_eq(scroll.top, 40);
    scroll_act(&scroll, ACTION_DOWN, false);
    cr_expect_eq(scroll.top, 40);
    scroll_fit(&scroll, 5, 10, false);
    cr_expect_eq(scroll.top, 0);
}

Test(scroll, the_window_goes_with_the_cursor)
{
    struct scroll scroll = {0};
    scroll_fit(&scroll, 50, 10, true);
    for (int i = 0; i < 12; i++)
        scroll_act(&scroll, ACTION_DOWN, true);
    cr_expect_eq(scroll.at, 12);
    cr_expect_eq(scroll.top, 3);
    scroll_act(&scroll, ACTION_HOME, true);
    cr_expect_eq(scroll.top, 0);
}
