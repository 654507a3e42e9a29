/*
 * What happens to the app, and what the app asks the worker. Both are plain data that are handed
 * over: what a message or a question points at belongs to whoever has it.
 */
#ifndef TUI_MSG_H
#define TUI_MSG_H

#include "order.h"
#include <netphase/report.h>
#include <netphase/store.h>

/* ------------------------------------------------------------------------------------- questions */

enum ask {
    ASK_ROWS,   /* a page of the list */
    ASK_EDGES,  /* the first and the last id */
    ASK_INFO,   /* counts */
    ASK_DETAIL, /* one request with everything */
    ASK_REPORT, /* a summary */
    ASK_SEARCH, /* the next row with a text */
    ASK_PLACE   /* the row at a time, a share of the list, an id */
};

enum place { PLACE_TIME, PLACE_SHARE, PLACE_ID };

/* A question; its number comes back with the answer, so that answers nobody waits for any more are
 * known. */
struct question {
    enum ask ask;
    uint32_t number;
    struct order order;
    bool has_position;        /* ROWS, SEARCH: begin behind it (above it, backwards); else at the end */
    struct position position;
    bool is_backwards; /* towards the first line of the list */
    uint32_t limit;
    int64_t id;        /* DETAIL; PLACE */
    enum place place;
    int64_t time_ns;   /* PLACE: Unix ns; the first that started then or later */
    double share;      /* PLACE: 0 … 1 of the list */
    char *filter;      /* owned; NULL: none */
    char *needle;      /* SEARCH: owned */
    char *by;          /* REPORT: owned */
};

/* --------------------------------------------------------------------------------------- answers */

/* Rows in the order of the list. */
struct rows {
    const np_row **at; /* at[count], owned; point into pages */
    size_t count;
    bool at_end; /* none follows in the direction that was asked for */
    np_page **pages; /* pages[page_count], owned */
    size_t page_count;
};

void rows_free(struct rows *rows);

enum { REPORT_BINS = 24 }; /* of the histograms in a report */

struct answer {
    enum ask ask;
    uint32_t number;
    bool is_backwards;
    np_status status; /* then the rest is empty, and `error` says why */
    np_error error;
    struct rows *rows;          /* ROWS; SEARCH and PLACE: the one that was found, or none; owned */
    np_store_info *info;        /* owned */
    np_request_detail *detail;  /* owned */
    np_page *call;              /* DETAIL: all hops, where there is more than one; owned */
    np_report *report;          /* owned */
    int64_t first_id, last_id;  /* EDGES; 0: the trace is empty */
};

/* What is owned is freed; taking something out leaves NULL. */
void answer_done(struct answer *answer);
void question_done(struct question *question);

/* -------------------------------------------------------------------------------------- messages */

enum msg_kind {
    MSG_KEY,
    MSG_MOUSE,
    MSG_RESIZE,
    MSG_TICK,   /* 100 ms went by */
    MSG_ACTION, /* what a key meant; views get this instead of MSG_KEY */
    MSG_ANSWER
};

enum mouse_button { MOUSE_CLICK, MOUSE_DOUBLE, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct msg {
    enum msg_kind kind;
    int key;           /* KEY: enum key or a character */
    int action;        /* ACTION: enum action_id */
    int x, y;          /* MOUSE; RESIZE: columns, rows */
    int button;        /* MOUSE */
    struct answer *answer; /* ANSWER: borrowed; what is taken out of it is set to NULL there */
};

#endif
