/*
 * The virtual list; see list.h.
 *
 *     blocks:   [ page ][ page ][ page ]        a window of at most four pages
 *     indices:    0 … count - 1                 shift when a page is put in front or taken off
 * there ^top   ^selected         both are such indices
 */
#include "list.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE_ROWS_LEAST = 60, PAGE_ROWS_MOST = 400 };

static int page_rows(const struct list *list)
{
    const int rows = 2 * list->height;
    return rows < PAGE_ROWS_LEAST ? PAGE_ROWS_LEAST : rows > PAGE_ROWS_MOST ? PAGE_ROWS_MOST : rows;
}

void list_init(struct list *list, struct order order)
{
    *list = (struct list){
        .order = order, .height = 1, .selected = -1, .jump = JUMP_HOME, .rank = -1, .total = -1};
}

static void drop_blocks(struct list *list)
{
    for (int i = 0; i < list->block_count; i++)
        rows_free(list->blocks[i]);
    list->block_count = 0;
}

void list_done(struct list *list)
{
    drop_blocks(list);
}

void list_restart(struct list *list, struct order order)
{
    list->order = order;
    list->rank = list->total = -1;
    list_reload(list);
}

int list_count(const struct list *list)
{
    int count = 0;
    for (int i = 0; i < list->block_count; i++)
        count += (int)list->blocks[i]->count;
    return count;
}

const np_row *list_at(const struct list *list, int index)
{
    if (index < 0)
        return NULL;
    for (int i = 0; i < list->block_count; i++) {
        const int count = (int)list->blocks[i]->count;
        if (index < count)
            return &list->blocks[i]->at[index];
        index -= count;
    }
    return NULL;
}

const np_row *list_selected(const struct list *list)
{
    return list_at(list, list->selected);
}

const np_row *list_on_line(const struct list *list, int line)
{
    return line < 0 || line >= list->height ? NULL : list_at(list, list->top + line);
}

/* ---------------------------------------------------------------------------------------- moving */

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* The selected row is on the screen, and the screen is as full as it can be. */
static void settle(struct list *list)
{
    const int count = list_count(list);
    if (count == 0) {
        list->selected = -1;
        list->top = 0;
        return;
    }
    list->selected = clamp(list->selected, 0, count - 1);
    list->top = clamp(list->top, list->selected - list->height + 1, list->selected);
    list->top = clamp(list->top, 0, count > list->height ? count - list->height : 0);
}

void list_resize(struct list *list, int height)
{
    list->height = height < 1 ? 1 : height;
    settle(list);
}

void list_move(struct list *list, int64_t lines)
{
    const int count = list_count(list);
    if (list->jump != JUMP_NONE || count == 0)
        return;
    list->is_centring = false;
    const int64_t wanted = list->selected + lines;
    const int64_t inside = wanted < 0 ? 0 : wanted >= count ? count - 1 : wanted;
    const bool is_outside = (wanted < 0 && !list->at_start) || (wanted >= count && !list->at_end);
    list->move_left = is_outside ? wanted - inside : 0;
    list->selected = (int)inside;
    settle(list);
}

void list_home(struct list *list)
{
    list->jump = JUMP_HOME;
    list->asked = 0;
    list->move_left = 0;
    if (!list->at_start || list->block_count == 0)
        return;
    list->jump = JUMP_NONE;
    list->selected = list->top = 0;
    settle(list);
}

void list_end(struct list *list)
{
    list->jump = JUMP_END;
    list->asked = 0;
    list->move_left = 0;
    if (!list->at_end || list->block_count == 0)
        return;
    list->jump = JUMP_NONE;
    list->selected = list_count(list) - 1;
    settle(list);
}

static int64_t id_at(const struct list *list, int index)
{
    return list_at(list, index)->id;
}

void list_go(struct list *list, int64_t id)
{
    const int count = list_count(list);
    list->move_left = 0;
    for (int i = 0; i < count; i++) {
        if (id_at(list, i) != id)
            continue;
        list->jump = JUMP_NONE;
        const bool is_visible = i >= list->top && i < list->top + list->height;
        list->selected = i;
        if (!is_visible)
            list->top = i - list->height / 2;
        settle(list);
        return;
    }
    list->jump = JUMP_TO;
    list->target = id;
    list->asked = 0;
}

void list_go_share(struct list *list, double share)
{
    list->jump = JUMP_SHARE;
    list->share = share;
    list->asked = 0;
    list->move_left = 0;
}

void list_select_line(struct list *list, int line)
{
    if (!list_on_line(list, line))
        return;
    list->move_left = 0;
    list->selected = list->top + line;
}

bool list_is_at_tail(const struct list *list)
{
    return list->jump == JUMP_END ||
           (list->jump == JUMP_NONE && list->at_end && list->selected == list_count(list) - 1);
}

void list_grew(struct list *list, int64_t rows)
{
    list->at_end = false;
    list->total = list->total < 0 ? -1 : list->total + rows;
    if (list->order.by == ORDER_ID && !list->order.is_descending)
        return;
    list->at_start = false;
    list->rank = -1;
}

void list_counted(struct list *list, int64_t total)
{
    list->total = total;
    if (list->at_start)
        list->rank = 0;
    else if (list->at_end)
        list->rank = total - list_count(list);
}

int64_t list_rank(const struct list *list)
{
    return list->rank < 0 || list->selected < 0 ? -1 : list->rank + list->selected;
}

void list_reload(struct list *list)
{
    list->at_start = false;
    list_home(list);
}

/* -------------------------------------------------------------------------------------- windows */

static void wants_jump(const struct list *list, struct question *out)
{
    static const np_list_place places[] = {[JUMP_HOME] = NP_LIST_FIRST,
                                           [JUMP_END] = NP_LIST_LAST,
                                           [JUMP_TO] = NP_LIST_FROM,
                                           [JUMP_SHARE] = NP_LIST_AT};
    out->place = places[list->jump];
    out->id = list->target;
    out->share = list->share;
}

bool list_wants(const struct list *list, struct question *out)
{
    const int count = list_count(list);
    const bool is_low = list->top + 2 * list->height > count || list->move_left > 0;
    const bool is_high = list->top < list->height || list->move_left < 0;
    *out = (struct question){
        .ask = ASK_ROWS, .order = list->order, .limit = (uint32_t)page_rows(list)};
    if (list->asked != 0)
        return false;
    if (list->jump != JUMP_NONE) {
        wants_jump(list, out);
        return true;
    }
    if (count == 0) {
        out->place = NP_LIST_FIRST;
        return !list->at_end;
    }
    if (is_low && !list->at_end) {
        out->place = NP_LIST_BEHIND;
        out->id = id_at(list, count - 1);
        return true;
    }
    if (is_high && !list->at_start) {
        out->place = NP_LIST_BEFORE;
        out->id = id_at(list, 0);
        return true;
    }
    return false;
}

void list_sent(struct list *list, uint32_t number)
{
    list->asked = number;
}

static void shift(struct list *list, int rows)
{
    list->selected += rows;
    list->top += rows;
}

static void take_jump(struct list *list, struct rows *rows)
{
    const bool is_end = list->jump == JUMP_END;
    drop_blocks(list);
    list->blocks[list->block_count++] = rows;
    list->at_start = rows->at_start;
    list->at_end = rows->at_end;
    list->selected = is_end ? (int)rows->count - 1 : 0;
    list->top = is_end ? (int)rows->count - list->height : 0;
    list->rank = rows->at_start ? 0 : rows->rank;
    /* Nothing at the place or behind it: what is last is nearest. */
    const bool is_beyond = rows->count == 0 && !rows->at_start;
    list->is_centring = list->jump == JUMP_TO || list->jump == JUMP_SHARE;
    list->jump = is_beyond && !is_end ? JUMP_END : JUMP_NONE;
}

static void put_behind(struct list *list, struct rows *rows)
{
    if (list->block_count == LIST_BLOCKS) {
        shift(list, -(int)list->blocks[0]->count);
        if (list->rank >= 0)
            list->rank += (int64_t)list->blocks[0]->count;
        rows_free(list->blocks[0]);
        memmove(&list->blocks[0], &list->blocks[1], (LIST_BLOCKS - 1) * sizeof list->blocks[0]);
        list->block_count--;
        list->at_start = false;
    }
    list->blocks[list->block_count++] = rows;
    list->at_end = rows->at_end;
}

static void put_before(struct list *list, struct rows *rows)
{
    if (list->block_count == LIST_BLOCKS) {
        rows_free(list->blocks[--list->block_count]);
        list->at_end = false;
    }
    memmove(&list->blocks[1], &list->blocks[0], (size_t)list->block_count * sizeof list->blocks[0]);
    list->blocks[0] = rows;
    list->block_count++;
    shift(list, (int)rows->count);
    if (list->is_centring)
        list->top = list->selected - list->height / 2;
    list->is_centring = false;
    list->at_start = rows->at_start;
    list->rank = rows->at_start ? 0 : rows->rank;
}

bool list_take(struct list *list, struct answer *answer)
{
    if (answer->number != list->asked || answer->ask != ASK_ROWS)
        return false;
    struct rows *rows = answer->rows;
    const bool was_jump = list->jump != JUMP_NONE;
    list->asked = 0;
    list->has_answer = true;
    answer->rows = NULL;
    if (!rows) { /* it failed: what was there stays, and is not asked for again and again */
        list->at_start = list->at_start || (!was_jump && answer->place == NP_LIST_BEFORE);
        list->at_end = list->at_end || list->block_count == 0 ||
                       (!was_jump && answer->place == NP_LIST_BEHIND);
        list->jump = JUMP_NONE;
        return true;
    }
    if (rows->total >= 0)
        list->total = rows->total;
    if (was_jump)
        take_jump(list, rows);
    else if (answer->place == NP_LIST_BEFORE)
        put_before(list, rows);
    else
        put_behind(list, rows);
    const int64_t left = list->move_left;
    list->move_left = 0;
    settle(list);
    if (left != 0 && list->jump == JUMP_NONE)
        list_move(list, left);
    return true;
}
