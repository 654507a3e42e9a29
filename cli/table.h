/*
 * A table for people: cells are strings (colour sequences count as nothing), columns are as wide as
 * their widest cell. Numbers stand with their points below each other, so that the eye compares
 * magnitudes. One thread.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "look.h"

enum align {
    ALIGN_LEFT,
    ALIGN_RIGHT,
    ALIGN_POINT /* at the decimal point; what has none ends where the points are */
};

enum { TABLE_COLUMNS_MOST = 20 };

struct table_column {
    const char *heading; /* borrowed; "": none */
    enum align align;
    int gap;         /* blanks in front */
    int whole, part; /* POINT: cells before and from the point; else whole is the width */
};

struct table {
    struct table_column columns[TABLE_COLUMNS_MOST];
    size_t column_count;
    char **cells; /* row by row; owned */
    size_t cell_count;
};

void table_column(struct table *table, const char *heading, enum align align, int gap);
/* The next cell; rows fill up by themselves. The string is copied. */
void table_cell(struct table *table, const char *string);
/* Heading (where one is not empty) and rows; blanks at line ends are taken off. */
void table_write(struct table *table, const struct look *look, struct text *out);
/* The cells that the columns from `first` on up to `behind` take, gaps included; after all cells
 * are in. */
int table_width(struct table *table, size_t first, size_t behind);
void table_done(struct table *table);

#endif
