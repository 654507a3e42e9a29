/*
 * What happens to the app, and what the app asks the worker. Both are plain data that are handed
 * over: what a message or a question points at belongs to whoever has it.
 */
#ifndef TUI_MSG_H
#define TUI_MSG_H

#include "order.h"
#include <netphase/list.h>
#include <netphase/report.h>
#include <netphase/store.h>

/* ------------------------------------------------------------------------------------- questions */

enum ask {
    ASK_ROWS,    /* a page of the list */
    ASK_REFRESH, /* what was recorded meanwhile */
    ASK_COUNT,   /* how many rows the list has */
    ASK_INFO,    /* what the trace holds */
    ASK_DETAIL,  /* one request with everything */
    ASK_REPORT,  /* a summary */
    ASK_SEARCH,  /* the next row with a text */
    ASK_TIME     /* the row that started at a time or behind it */
};

/* A question; its number comes back with the answer, so that answers nobody waits for any more are
 * known. Order and filter say which list is meant. */
struct question {
    enum ask ask;
    uint32_t number;
    struct order order;
    char *filter;        /* owned; NULL: none */
    np_list_place place; /* ROWS; SEARCH: BEHIND or BEFORE */
    int64_t id;          /* ROWS, SEARCH: the row a page is at; DETAIL */
    double share;        /* ROWS: 0 … 1 of the list */
    uint32_t limit;      /* ROWS: rows; REPORT: groups */
    int64_t time_ns;     /* TIME: Unix ns */
    char *needle;        /* SEARCH: owned */
    char *by;            /* REPORT: owned */
};

/* --------------------------------------------------------------------------------------- answers */

/* Rows in the order of the list. */
struct rows {
    const np_row *at; /* at[count]; in `page`, or as long-lived as the test that made them */
    size_t count;
    bool at_start, at_end; /* nothing is before the first, behind the last one */
    int64_t rank, total;   /* of the first row, and of rows in the list; -1: not counted */
    np_list_page *page;    /* owned; NULL in tests */
};

void rows_free(struct rows *rows);

enum { REPORT_BINS = 24 }; /* of the histograms in a report */

struct answer {
    enum ask ask;
    uint32_t number;
    np_list_place place;
    np_status status; /* then the rest is empty, and `error` says why */
    np_error error;
    struct rows *rows;         /* ROWS; owned */
    int64_t id;                /* SEARCH, TIME: the row that was found; 0: there is none */
    uint64_t count;            /* REFRESH: rows more; COUNT: rows of the list */
    np_store_info *info;       /* owned */
    np_request_detail *detail; /* owned */
    np_page *call;             /* DETAIL: all hops, where there is more than one; owned */
    np_report *report;         /* owned */
};

/* What is owned is freed; taking something out leaves NULL. */
void answer_done(struct answer *answer);
void question_done(struct question *question);

/* -------------------------------------------------------------------------------------- messages */

enum msg_kind {
    MSG_KEY,
    MSG_MOUSE,
    MSG_RESIZE,
    MSG_TICK,     /* 100 ms went by */
    MSG_PROGRESS, /* how far what takes long has come */
    MSG_ACTION,   /* what a key meant; views get this instead of MSG_KEY */
    MSG_ANSWER
};

enum mouse_button { MOUSE_CLICK, MOUSE_DOUBLE, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct msg {
    enum msg_kind kind;
    int key;               /* KEY: enum key or a character */
    int action;            /* ACTION: enum action_id */
    int x, y;              /* MOUSE; RESIZE: columns, rows */
    int per_thousand;      /* PROGRESS */
    int button;            /* MOUSE */
    struct answer *answer; /* ANSWER: borrowed; what is taken out of it is set to NULL there */
};

#endif
