/*
 * The virtual list: a window of pages on rows that are too many to hold. Rows are addressed by
 * their id, never by number; the selection is a row, so what is added above or below never moves
 * it. The list asks for what it lacks (list_wants) and takes what comes (list_take); it knows
 * neither the screen nor the database. Shared by the views that show requests. Pure; one thread.
 */
#ifndef TUI_LIST_H
#define TUI_LIST_H

#include "msg.h"

enum { LIST_BLOCKS = 4 };

/* Where the window goes next; until its rows come the old ones stay. */
enum list_jump { JUMP_NONE, JUMP_HOME, JUMP_END, JUMP_TO, JUMP_SHARE };

struct list {
    struct order order;
    int height;                       /* lines on the screen, >= 1 */
    struct rows *blocks[LIST_BLOCKS]; /* blocks[block_count], in the order of the list; owned */
    int block_count;
    bool at_start, at_end; /* nothing is before, behind the window */
    int selected;          /* in the window; -1: there is no row */
    int top;               /* the row on the first line of the screen */
    enum list_jump jump;
    int64_t target;      /* JUMP_TO: the id of that row; it, or the first one behind its place */
    double share;        /* JUMP_SHARE: 0 … 1 of the list */
    int64_t rank, total; /* rows before the window, rows of the list; -1: not known */
    uint32_t asked;      /* number of the question that is on its way; 0: none */
    bool has_answer;     /* a first page has come */
    int64_t move_left;   /* lines the cursor still has to go when rows come */
    bool is_centring;    /* a leap arrived; its row goes to the middle when rows above it come */
};

void list_init(struct list *list, struct order order);
void list_done(struct list *list);
/* Forgets all rows and begins anew at the first one. */
void list_restart(struct list *list, struct order order);

int list_count(const struct list *list);                   /* rows in the window */
const np_row *list_at(const struct list *list, int index); /* NULL: none */
const np_row *list_selected(const struct list *list);
/* The row on a line of the screen, NULL: none there. */
const np_row *list_on_line(const struct list *list, int line);
void list_resize(struct list *list, int height);

void list_move(struct list *list, int64_t lines);
void list_home(struct list *list);
void list_end(struct list *list);
void list_go(struct list *list, int64_t id);
void list_go_share(struct list *list, double share);
void list_select_line(struct list *list, int line);
/* Whether the cursor is on the very last row: then a list that is followed moves with it. */
bool list_is_at_tail(const struct list *list);
/* So many rows were added: they may be behind the end that was seen, or, where new ones come first,
 * before the start. */
void list_grew(struct list *list, int64_t rows);
/* How many rows the list has. */
void list_counted(struct list *list, int64_t total);
/* The row of the cursor among all rows, 0 … total - 1; -1: not known. */
int64_t list_rank(const struct list *list);
/* Asks for the first rows again, also where they are in the window. */
void list_reload(struct list *list);

/* Whether rows are lacking and none are on their way: then *out says which (order, place, id,
 * limit). The caller sends it and tells the number by list_sent. */
bool list_wants(const struct list *list, struct question *out);
void list_sent(struct list *list, uint32_t number);
/* Takes the rows of an answer (they are the list's from now on); false: nobody waits for them. */
bool list_take(struct list *list, struct answer *answer);

#endif
