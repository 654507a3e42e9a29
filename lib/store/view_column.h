/*
 * The columns of the view `requests`, as a table: name, kind, the value over NP_SQL_REQUEST, and how
 * it comes out of column chunks. Filters, reports and pages all read this one. Floor 2; constant
 * data, any thread.
 *
 * The expressions are ours, not the view's: a view in a file from someone else may say anything. A
 * test compares the two.
 */
#ifndef NP_STORE_VIEW_COLUMN_H
#define NP_STORE_VIEW_COLUMN_H

#include "chunk_column.h"

#include <stddef.h>

typedef enum np_view_kind {
    NP_VIEW_TEXT,
    NP_VIEW_NUMBER,
    NP_VIEW_DURATION, /* ends in _ns: numbers and durations compare with it */
    NP_VIEW_BOOLEAN
} np_view_kind;

typedef enum np_view_from {
    NP_FROM_ROWS,   /* chunks do not hold it: rows must be stepped */
    NP_FROM_VALUE,  /* the chunk column key[0] itself */
    NP_FROM_SETUP,  /* sum of the phases before `send` that are there */
    NP_FROM_FAILED, /* key[0] <> 0 */
    NP_FROM_REUSED, /* key[0] > 1 */
    NP_FROM_LOOKUP, /* `lookup` with ?1 = key[0] (and ?2 = the label's key) */
    NP_FROM_PAIR,   /* `lookup` with ?1 = key[0] and ?2 = key[1] */
    NP_FROM_STATE   /* connection_state: out of connection_use and tls_resumed */
} np_view_from;

typedef struct np_view_column {
    const char *name;
    np_view_kind kind;
    np_view_from from;
    uint8_t key[2];     /* np_chunk_column */
    const char *sql;    /* over NP_SQL_REQUEST; for label.KEY with a ? for the key */
    const char *lookup; /* one value, or no row for NULL */
} np_view_column;

#define NP_VIEW_COLUMNS 56

extern const np_view_column np_view_columns[NP_VIEW_COLUMNS]; /* in the order of the view */
extern const np_view_column np_view_label;                    /* label.KEY */
#define NP_LABEL_PREFIX  "label."
#define NP_LABEL_KEY_MAX 64

/* NULL: there is none of that name. Upper and lower case are the same, as in SQL. */
const np_view_column *np_view_column_find(const char *name, size_t length);

/* The chunk columns that are needed to compute it, bit a column, NP_COLUMN_PRESENT included. */
uint64_t np_view_column_needs(const np_view_column *column);

/* The codes that NP_FROM_STATE computes, and their texts; 0 is NULL. */
enum { NP_STATE_NONE, NP_STATE_NEW, NP_STATE_RESUMED, NP_STATE_REUSED };
const char *np_view_state_text(int state); /* NULL for NP_STATE_NONE */

#endif
