/* The hops of a call; see call_view.h. */
#include "call_view.h"
#include "output.h"
#include "table.h"
#include "words.h"
#include <inttypes.h>
#include <string.h>

enum { URL_CELLS_LEAST = 20 };

bool call_may_go_on(const np_row *row)
{
    static const int statuses[] = {401, 407, 417};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (row->status == statuses[i])
            return true;
    return row->hop_of > 0 || row->failed || (row->status >= 300 && row->status <= 399);
}

/* Hops follow one another: from the start of the first to the end of the last. */
static int64_t call_total_ns(const np_page *call)
{
    const np_row *last = &call->rows[call->count - 1];
    int64_t before_ns, total_ns;
    if (__builtin_sub_overflow(last->start_ns, call->rows[0].start_ns, &before_ns) ||
        __builtin_add_overflow(before_ns, last->total_ns, &total_ns))
        return 0; /* a damaged file */
    return total_ns;
}

static void put_result(struct text *out, const np_row *row, bool ascii)
{
    if (row->status > 0)
        text_print(out, "%d", row->status);
    if (row->failed) {
        text_puts(out, row->status > 0 ? " " : "");
        text_outside(out, row->outcome, ascii);
    }
}

/* "#13", "redirect", "302", "GET https://…", "1.3" */
static void add_row(struct table *table, const np_row *row, enum unit unit, const struct look *look,
                    int url_cells)
{
    struct text cell = {0};
    struct text whole = {0};
    text_print(&cell, "#%" PRId64, row->id);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    text_outside(&cell, words_hop_reason(row->hop_reason), look->ascii);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    put_result(&cell, row, look->ascii);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    duration_in(&cell, row->total_ns, unit);
    table_cell(table, text_string(&cell));
    text_clear(&cell);
    text_outside(&whole, row->method, look->ascii);
    text_char(&whole, ' ');
    text_outside(&whole, row->url, look->ascii);
    text_cut(&cell, text_string(&whole), url_cells, look->ascii);
    table_cell(table, text_string(&cell));
    text_done(&whole);
    text_done(&cell);
}

void call_write(const np_page *call, const struct look *look, struct text *out)
{
    if (call->count < 2)
        return;
    struct table table = {0};
    struct text heading = {0};
    const int64_t total_ns = call_total_ns(call);
    const enum unit unit = unit_for(total_ns);
    text_print(&heading, "call #%" PRId64 ": %s%zu hops, ", call->rows[0].id,
               call->at_end ? "" : "more than ", call->count);
    duration_in(&heading, total_ns, unit);
    text_print(&heading, " %s from the first to the last", unit_name(unit, look->ascii));
    look_puts(look, out, ROLE_HEADING, text_string(&heading));
    text_char(out, '\n');
    text_done(&heading);

    table_column(&table, "", ALIGN_RIGHT, 2);
    table_column(&table, "", ALIGN_LEFT, 2);
    table_column(&table, "", ALIGN_LEFT, 2);
    table_column(&table, "", ALIGN_POINT, 2);
    table_column(&table, "", ALIGN_LEFT, 2);
    const int url_cells = look->columns / 2 > URL_CELLS_LEAST ? look->columns / 2 : URL_CELLS_LEAST;
    for (size_t i = 0; i < call->count; i++)
        add_row(&table, &call->rows[i], unit, look, url_cells);
    table_write(&table, look, out);
    table_done(&table);
    text_char(out, '\n');
}

void call_json(struct json *json, const np_page *call)
{
    if (call->count < 2)
        return;
    json_open(json, "hops", '[', false);
    for (size_t i = 0; i < call->count; i++) {
        const np_row *row = &call->rows[i];
        int64_t start_ns;
        if (__builtin_sub_overflow(row->start_ns, call->rows[0].start_ns, &start_ns))
            start_ns = 0; /* a damaged file */
        json_open(json, NULL, '{', true);
        json_int(json, "id", row->id);
        json_int(json, "hop", row->hop);
        json_text(json, "hop_reason", row->hop_reason);
        json_text(json, "method", row->method);
        json_text(json, "url", row->url);
        if (row->status > 0)
            json_int(json, "status", row->status);
        else
            json_null(json, "status");
        json_text(json, "outcome", row->outcome);
        json_int(json, "start_ns", start_ns);
        json_int(json, "total_ns", row->total_ns);
        json_close(json, '}');
    }
    json_close(json, ']');
}
