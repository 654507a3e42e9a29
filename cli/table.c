/* A table for people. */
#include "table.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

void table_column(struct table *table, const char *heading, enum align align, int gap)
{
    table->columns[table->column_count++] =
        (struct table_column){.heading = heading, .align = align, .gap = gap};
}

void table_cell(struct table *table, const char *string)
{
    table->cells = xrealloc(table->cells, table->cell_count + 1, sizeof *table->cells);
    table->cells[table->cell_count++] = xstrndup(string, strlen(string));
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

/* Cells from the point on. */
static int width_of_part(const char *cell)
{
    const char *point = strchr(cell, '.');
    return point ? text_width(point) : 0;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void measure(struct table *table)
{
    for (size_t c = 0; c < table->column_count; c++) {
        struct table_column *column = &table->columns[c];
        column->whole = column->part = 0;
        for (size_t i = c; i < table->cell_count; i += table->column_count) {
            int part = column->align == ALIGN_POINT ? width_of_part(table->cells[i]) : 0;
            column->whole = larger(column->whole, text_width(table->cells[i]) - part);
            column->part = larger(column->part, part);
        }
        column->whole = larger(column->whole, text_width(column->heading) - column->part);
    }
}

int table_width(struct table *table, size_t first, size_t behind)
{
    measure(table);
    int cells = 0;
    for (size_t c = first; c < behind; c++)
        cells += table->columns[c].gap + table->columns[c].whole + table->columns[c].part;
    return cells;
}

static void put_cell(struct text *line, const struct table_column *column, const char *cell)
{
    int width = column->whole + column->part;
    text_repeat(line, " ", column->gap);
    if (column->align == ALIGN_LEFT) {
        text_left(line, cell, width);
    } else if (column->align == ALIGN_RIGHT) {
        text_right(line, cell, width);
    } else {
        int part = width_of_part(cell);
        text_right(line, cell, column->whole + part);
        text_repeat(line, " ", column->part - part);
    }
}

static void put_line(struct text *out, struct text *line)
{
    while (line->length > 0 && line->data[line->length - 1] == ' ')
        line->length--;
    text_add(out, text_string(line), line->length);
    text_char(out, '\n');
    text_clear(line);
}

static void put_headings(struct table *table, const struct look *look, struct text *out,
                         struct text *line)
{
    bool any = false;
    for (size_t c = 0; c < table->column_count; c++) {
        struct table_column column = table->columns[c];
        any = any || column.heading[0];
        if (column.align == ALIGN_POINT)
            column.align = ALIGN_RIGHT;
        put_cell(line, &column, column.heading);
    }
    if (!any) {
        text_clear(line);
        return;
    }
    look_begin(look, out, ROLE_QUIET);
    put_line(out, line);
    out->length--; /* the line end comes behind the colour */
    look_end(look, out, ROLE_QUIET);
    text_char(out, '\n');
}

void table_write(struct table *table, const struct look *look, struct text *out)
{
    struct text line = {0};
    measure(table);
    put_headings(table, look, out, &line);
    for (size_t i = 0; i < table->cell_count; i += table->column_count) {
        for (size_t c = 0; c < table->column_count && i + c < table->cell_count; c++)
            put_cell(&line, &table->columns[c], table->cells[i + c]);
        put_line(out, &line);
    }
    text_done(&line);
}
