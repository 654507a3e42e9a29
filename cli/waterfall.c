/*
 * One request as a waterfall. First a list of lines is made (phases in order, below each the spans
 * that belong to it, children below parents), then widths are shared out between bars and words,
 * then it is drawn.
 */
#include "waterfall.h"
#include "json.h"
#include "memory.h"
#include "output.h"
#include "words.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPANS_MOST = 1000, /* further ones are counted, not drawn */
    DEPTH_MOST = 8,
    LABEL_MOST = 28,
    BARS_LEAST = 24,
    BARS_MOST = 120,
    NOTE_LEAST = 16,
    HEAD_LINES_MOST = 4 /* a URL or an error that is longer is cut */
};

#define LATE_LEAST_NS                                                                              \
    1000000 /* less is not worth a line, unless it is a hundredth of the total                     \
             */

struct segment {
    int64_t start_ns, end_ns;
};

struct line {
    int depth; /* 0: a phase */
    np_phase phase;
    const char *label;     /* borrowed from the request or static */
    int64_t duration_ns;   /* -1: a dash */
    struct segment *parts; /* parts[part_count], owned */
    size_t part_count;
    bool is_open;     /* no end was seen */
    const char *name; /* of moments: what they are */
    int64_t times;    /* how many they are; 0: it is no line of moments */
    struct text note;
};

struct waterfall {
    const np_request_detail *request;
    const struct look *look;
    struct line *lines; /* lines[count] */
    size_t count;
    bool *is_taken; /* is_taken[span_count] */
    size_t span_count;
    int64_t total_ns;
    enum unit unit;
    int label_cells, bar_cells, value_whole, value_part, note_cells;
};

/* -----------------------------------------------------------------------------------------------
 * geometry */

int64_t waterfall_tick_ns(int64_t total_ns, int cells, int least_cells)
{
    static const int64_t steps[] = {1, 2, 5};
    int64_t power = 1;
    for (int i = 0;; i++) {
        int64_t step = steps[i % 3] * power;
        if ((double)step / (double)(total_ns > 0 ? total_ns : 1) * cells >= least_cells ||
            step > INT64_MAX / 20)
            return step;
        if (i % 3 == 2)
            power *= 10;
    }
}

int waterfall_eighths(int64_t at_ns, int64_t total_ns, int cells)
{
    if (total_ns <= 0 || at_ns <= 0)
        return 0;
    if (at_ns >= total_ns)
        return cells * 8;
    return (int)((double)at_ns / (double)total_ns * cells * 8 + 0.5);
}

/* --------------------------------------------------------------------------------------------------
 * lines */

static struct line *add_line(struct waterfall *w, int depth, np_phase phase, const char *label,
                             int64_t duration_ns)
{
    w->lines = xrealloc(w->lines, w->count + 1, sizeof *w->lines);
    struct line *line = &w->lines[w->count++];
    *line =
        (struct line){.depth = depth, .phase = phase, .label = label, .duration_ns = duration_ns};
    return line;
}

static void add_part(struct line *line, int64_t start_ns, int64_t duration_ns)
{
    int64_t end_ns = duration_ns > INT64_MAX - (start_ns > 0 ? start_ns : 0)
                         ? INT64_MAX
                         : start_ns + duration_ns;
    line->parts = xrealloc(line->parts, line->part_count + 1, sizeof *line->parts);
    line->parts[line->part_count++] = (struct segment){start_ns, end_ns};
}

static bool is_piece(const np_span *span)
{
    return strcmp(span->kind, "piece") == 0;
}

/* Whether a span stands directly below its phase: it has no parent, or one that is not there. */
static bool is_root(const struct waterfall *w, const np_span *span)
{
    if (span->parent_id == 0)
        return true;
    for (size_t i = 0; i < w->span_count; i++)
        if (w->request->spans[i].id == span->parent_id)
            return false;
    return true;
}

/* Moments of one kind, of which there may be dozens, share a line: waiting for the program, and the
 * loop being busy. */
static bool is_moment(const np_span *span)
{
    return strcmp(span->kind, "application") == 0 || strcmp(span->kind, "lateness") == 0;
}

/* Of many pauses the last span stands for the rest: it says how many they are, and how long they
 * were. */
static void add_moment(struct line *line, const np_span *span)
{
    int64_t held_ns = span->duration_ns;
    int64_t times = 1;
    struct json_member member;
    for (const char *detail = span->detail; json_member_next(&detail, &member);) {
        if (member.kind == 'n' && strcmp(member.key, "held_ns") == 0)
            held_ns = strtoll(member.value, NULL, 10);
        else if (member.kind == 'n' && strcmp(member.key, "pauses") == 0)
            times = strtoll(member.value, NULL, 10);
    }
    line->times += times > 0 && times < INT32_MAX ? times : 1;
    if (line->duration_ns >= 0 && held_ns > 0 && held_ns < INT64_MAX - line->duration_ns)
        line->duration_ns += held_ns;
    add_part(line, span->start_ns, span->duration_ns);
}

/* The line of the moment before, where this span is another one of the same. */
static struct line *same_moment(struct waterfall *w, const np_span *span, int depth)
{
    struct line *line = w->count > 0 ? &w->lines[w->count - 1] : NULL;
    return line && line->times > 0 && line->depth == depth && line->phase == span->phase &&
                   is_moment(span) && span->duration_ns >= 0 &&
                   strcmp(line->label, span->kind) == 0 && strcmp(line->name, span->name) == 0
               ? line
               : NULL;
}

static void add_span(struct waterfall *w, size_t index, const np_span *parent, int depth)
{
    const np_span *span = &w->request->spans[index];
    struct line *moment = same_moment(w, span, depth);
    w->is_taken[index] = true;
    if (moment) {
        add_moment(moment, span);
        return;
    }
    if (is_moment(span) && span->duration_ns >= 0) {
        moment = add_line(w, depth, span->phase, span->kind, 0);
        moment->name = span->name;
        add_moment(moment, span);
        return;
    }
    struct line *line = add_line(w, depth, span->phase, span->kind, span->duration_ns);
    line->is_open = span->duration_ns < 0;
    int64_t start_ns = span->start_ns;
    if (line->is_open)
        add_part(line, start_ns, w->total_ns > start_ns ? w->total_ns - start_ns : 0);
    else
        add_part(line, start_ns, span->duration_ns);
    words_span(&line->note, span, parent, w->look->ascii);

    for (size_t i = 0; i < w->span_count; i++)
        if (!w->is_taken[i] && w->request->spans[i].parent_id == span->id)
            add_span(w, i, span, depth < DEPTH_MOST ? depth + 1 : depth);
}

static void add_phase_parts(struct waterfall *w, struct line *line, np_phase phase)
{
    const np_row *row = &w->request->row;
    for (size_t i = 0; i < w->span_count; i++) {
        const np_span *span = &w->request->spans[i];
        if (span->phase != phase || !is_piece(span) || w->is_taken[i])
            continue;
        w->is_taken[i] = true;
        if (span->duration_ns >= 0)
            add_part(line, span->start_ns, span->duration_ns);
    }
    if (line->part_count == 0 && row->phase_at_ns[phase] >= 0)
        add_part(line, row->phase_at_ns[phase], row->phase_ns[phase]);
    else if (line->part_count == 0 && phase == NP_PHASE_QUEUE)
        add_part(line, 0, row->phase_ns[phase]);
}

static bool has_spans(const struct waterfall *w, np_phase phase)
{
    for (size_t i = 0; i < w->span_count; i++)
        if (w->request->spans[i].phase == phase && !w->is_taken[i] &&
            is_root(w, &w->request->spans[i]))
            return true;
    return false;
}

static void add_phase(struct waterfall *w, np_phase phase)
{
    const np_row *row = &w->request->row;
    bool is_present = row->phase_ns[phase] >= 0;
    if (!is_present && !has_spans(w, phase))
        return;
    struct line *line =
        add_line(w, 0, phase, np_phase_name(phase), is_present ? row->phase_ns[phase] : -1);
    if (is_present) {
        add_phase_parts(w, line, phase);
        words_phase(&line->note, w->request, phase, w->look->ascii);
        if (line->part_count > 1)
            text_print(&line->note, "%s%zu pieces", line->note.length ? "; " : "",
                       line->part_count);
    }
    for (size_t i = 0; i < w->span_count; i++) {
        const np_span *span = &w->request->spans[i];
        if (!w->is_taken[i] && span->phase == phase && is_root(w, span))
            add_span(w, i, NULL, 1);
    }
}

static int by_start(const void *a, const void *b)
{
    const struct segment *x = a;
    const struct segment *y = b;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Where no phase is: what phases leave free between 0 and the total. */
static void add_gap(struct waterfall *w)
{
    int64_t gap_ns = w->request->row.phase_ns[NP_PHASE_GAP];
    if (gap_ns <= 0)
        return;
    struct segment *taken = NULL;
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        for (size_t j = 0; w->lines[i].depth == 0 && j < w->lines[i].part_count; j++) {
            taken = xrealloc(taken, count + 1, sizeof *taken);
            taken[count++] = w->lines[i].parts[j];
        }
    }
    if (count > 0)
        qsort(taken, count, sizeof *taken, by_start);

    struct line *line = add_line(w, 0, NP_PHASE_GAP, np_phase_name(NP_PHASE_GAP), gap_ns);
    int64_t at_ns = 0;
    for (size_t i = 0; i <= count; i++) {
        int64_t free_until = i < count ? taken[i].start_ns : w->total_ns;
        if (free_until > at_ns)
            add_part(line, at_ns, free_until - at_ns);
        if (i < count && taken[i].end_ns > at_ns)
            at_ns = taken[i].end_ns;
    }
    free(taken);
    words_phase(&line->note, w->request, NP_PHASE_GAP, w->look->ascii);
}

/* "body not taken, 62 times" */
static void name_moments(struct waterfall *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct line *line = &w->lines[i];
        if (line->times == 0)
            continue;
        text_outside(&line->note, line->name, w->look->ascii);
        if (line->times > 1)
            text_print(&line->note, ", %" PRId64 " times", line->times);
    }
}

static void add_lines(struct waterfall *w)
{
    for (int phase = 0; phase < NP_PHASE_GAP; phase++)
        add_phase(w, (np_phase)phase);
    add_gap(w);
    name_moments(w);
}

/* -------------------------------------------------------------------------------------------------
 * widths */

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static void value_text(const struct waterfall *w, const struct line *line, struct text *out)
{
    if (line->duration_ns < 0)
        text_puts(out, w->look->ascii ? "-" : "–");
    else
        duration_in(out, line->duration_ns, w->unit);
}

static int part_width(const char *value)
{
    const char *point = strchr(value, '.');
    return point ? text_width(point) : 0;
}

static void share_widths(struct waterfall *w)
{
    int longest_note = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct line *line = &w->lines[i];
        struct text value = {0};
        value_text(w, line, &value);
        int part = part_width(text_string(&value));
        w->value_part = larger(w->value_part, part);
        w->value_whole = larger(w->value_whole, text_width(text_string(&value)) - part);
        w->label_cells = larger(w->label_cells, 2 * line->depth + text_width(line->label));
        longest_note = larger(longest_note, text_width(text_string(&line->note)));
        text_done(&value);
    }
    w->label_cells = smaller(w->label_cells, LABEL_MOST);
    int room = w->look->columns - w->label_cells - 2 - 2 - w->value_whole - w->value_part -
               3 /* unit */ - 2;
    w->note_cells = smaller(longest_note, larger(room * 11 / 20, NOTE_LEAST));
    w->bar_cells = larger(BARS_LEAST, smaller(room - w->note_cells, BARS_MOST));
    w->note_cells = larger(NOTE_LEAST, room - w->bar_cells);
}

/* ------------------------------------------------------------------------------------------------
 * drawing */

static void put_axis(const struct waterfall *w, struct text *out)
{
    int64_t tick_ns = waterfall_tick_ns(w->total_ns, w->bar_cells, 8);
    struct text line = {0};
    text_repeat(&line, " ", w->label_cells + 2);
    int column = 0;
    for (int64_t at_ns = 0; at_ns <= w->total_ns; at_ns += tick_ns) {
        struct text label = {0};
        static const int64_t per_unit[] = {1, 1000, 1000000, 1000000000};
        text_print(&label, "%g", (double)at_ns / (double)per_unit[w->unit]);
        int cell = waterfall_eighths(at_ns, w->total_ns, w->bar_cells) / 8;
        text_repeat(&line, " ", cell - column);
        text_puts(&line, text_string(&label));
        column = larger(cell, column) + text_width(text_string(&label));
        text_done(&label);
    }
    int value_end = w->label_cells + 2 + w->bar_cells + 2 + w->value_whole + w->value_part;
    int free_cells =
        value_end - text_width(text_string(&line)) - text_width(unit_name(w->unit, w->look->ascii));
    text_repeat(&line, " ", larger(free_cells, 1));
    text_puts(&line, unit_name(w->unit, w->look->ascii));
    look_puts(w->look, out, ROLE_QUIET, text_string(&line));
    text_char(out, '\n');
    text_done(&line);
}

static int part_from(const struct waterfall *w, const struct segment *part)
{
    return waterfall_eighths(part->start_ns, w->total_ns, w->bar_cells);
}

static int part_to(const struct waterfall *w, const struct segment *part)
{
    return waterfall_eighths(part->end_ns, w->total_ns, w->bar_cells);
}

/* Solid bars; where there are several, each begins where the one before left off. Returns the cells
 * used. */
static int put_phase_bar(const struct waterfall *w, const struct line *line, struct text *out)
{
    int used = 0;
    for (size_t i = 0; i < line->part_count; i++) {
        int from = larger(part_from(w, &line->parts[i]), used * 8) - used * 8;
        int to = part_to(w, &line->parts[i]) - used * 8;
        bool is_gap = line->phase == NP_PHASE_GAP;
        if ((is_gap && to - from < 4) || w->bar_cells - used <= 0)
            continue; /* gaps of microseconds lie everywhere; the value says how much they are */
        used += look_bar(w->look, out, ROLE_PHASE + (int)line->phase, np_phase_letter(line->phase),
                         from, to, w->bar_cells - used);
    }
    return used;
}

/* ├──────┤, as wide as the cells it touches; ├╌╌╌ where no end was seen. */
static void put_span_part(const struct waterfall *w, const struct line *line, int cells,
                          struct text *out)
{
    const bool ascii = w->look->ascii;
    if (cells == 1 && !line->is_open) {
        text_puts(out, ascii ? "|" : "│");
    } else if (line->is_open) {
        text_puts(out, ascii ? "|" : "├");
        text_repeat(out, ascii ? "." : "╌", cells - 1);
    } else {
        text_puts(out, ascii ? "|" : "├");
        text_repeat(out, ascii ? "-" : "─", cells - 2);
        text_puts(out, ascii ? "|" : "┤");
    }
}

/* Parts that lie in cells that are drawn already are left out. Returns the cells used. */
static int put_span_bar(const struct waterfall *w, const struct line *line, struct text *out)
{
    int used = 0;
    for (size_t i = 0; i < line->part_count; i++) {
        const int first =
            larger(smaller(part_from(w, &line->parts[i]) / 8, w->bar_cells - 1), used);
        const int behind = smaller((part_to(w, &line->parts[i]) + 7) / 8, w->bar_cells);
        const int cells = larger(behind - first, i == 0 ? 1 : 0);
        if (cells == 0)
            continue;
        text_repeat(out, " ", first - used);
        look_begin(w->look, out, ROLE_PHASE + (int)line->phase);
        put_span_part(w, line, cells, out);
        look_end(w->look, out, ROLE_PHASE + (int)line->phase);
        used = first + cells;
    }
    return used;
}

static void put_value(const struct waterfall *w, const struct line *line, struct text *out)
{
    struct text value = {0};
    value_text(w, line, &value);
    int part = part_width(text_string(&value));
    text_right(out, text_string(&value), w->value_whole + part);
    text_repeat(out, " ", w->value_part - part);
    text_done(&value);
}

static void trim(struct text *text)
{
    while (text->length > 0 && text->data[text->length - 1] == ' ')
        text->data[--text->length] = '\0';
}

static void put_line(const struct waterfall *w, const struct line *line, struct text *out)
{
    struct text label = {0};
    struct text row = {0};
    text_repeat(&label, "  ", line->depth);
    text_outside(&label, line->label, w->look->ascii);
    struct text cut = {0};
    text_cut(&cut, text_string(&label), w->label_cells, w->look->ascii);
    text_left(&row, text_string(&cut), w->label_cells + 2);

    int used = line->part_count == 0 ? 0
               : line->depth == 0    ? put_phase_bar(w, line, &row)
                                     : put_span_bar(w, line, &row);
    text_repeat(&row, " ", w->bar_cells - used + 2);
    put_value(w, line, &row);
    text_puts(&row, "   ");
    text_cut(&row, text_string(&line->note), w->note_cells, w->look->ascii);
    trim(&row);
    text_puts(out, text_string(&row));
    text_char(out, '\n');
    text_done(&label);
    text_done(&cut);
    text_done(&row);
}

/* ------------------------------------------------------------------------------------- what stands
 * around */

static void put_result(const struct waterfall *w, struct text *out)
{
    const np_row *row = &w->request->row;
    bool ascii = w->look->ascii;
    text_puts(out, ascii ? "  ->  " : "  →  ");
    if (row->failed) {
        look_begin(w->look, out, ROLE_BAD);
        text_puts(out, ascii ? "x " : "✗ ");
        text_outside(out, row->outcome, ascii);
        look_end(w->look, out, ROLE_BAD);
    }
    if (row->status > 0)
        text_print(out, "%s%d", row->failed ? " " : "", row->status);
    if (row->protocol[0]) {
        text_puts(out, "  ");
        text_outside(out, row->protocol, ascii);
    }
    if (row->received_bytes > 0 || (row->received_bytes == 0 && !row->failed)) {
        text_puts(out, "  ");
        size_people(out, row->received_bytes);
    }
}

static void put_limited(const struct waterfall *w, struct text *out, const char *outside)
{
    struct text safe = {0};
    text_outside(&safe, outside, w->look->ascii);
    text_cut(out, text_string(&safe), HEAD_LINES_MOST * w->look->columns, w->look->ascii);
    text_done(&safe);
}

/* One line where it fits, else two. */
static void put_head(const struct waterfall *w, struct text *out)
{
    const np_row *row = &w->request->row;
    struct text left = {0};
    struct text right = {0};
    text_print(&left, "#%" PRId64 "  ", row->id);
    look_begin(w->look, &left, ROLE_HEADING);
    text_outside(&left, row->method, w->look->ascii);
    text_char(&left, ' ');
    put_limited(w, &left, row->url);
    look_end(w->look, &left, ROLE_HEADING);
    put_result(w, &left);

    time_people(&right, row->start_ns, true, 3);
    text_puts(&right, " UTC    total ");
    duration_in(&right, row->total_ns, w->unit);
    text_print(&right, " %s, setup ", unit_name(w->unit, w->look->ascii));
    duration_in(&right, row->setup_ns, w->unit);
    text_print(&right, " %s", unit_name(w->unit, w->look->ascii));
    if (row->hop > 0)
        text_print(&right, ", hop %d of #%" PRId64, row->hop, row->hop_of);
    if (row->hop > 0 && row->hop_reason && row->hop_reason[0]) {
        text_puts(&right, ": ");
        text_outside(&right, words_hop_reason(row->hop_reason), w->look->ascii);
    }

    int free_cells =
        w->look->columns - text_width(text_string(&left)) - text_width(text_string(&right));
    text_puts(out, text_string(&left));
    if (free_cells >= 4) {
        text_repeat(out, " ", smaller(free_cells, 8));
    } else {
        text_char(out, '\n');
    }
    text_puts(out, text_string(&right));
    text_char(out, '\n');
    text_done(&left);
    text_done(&right);
}

static void put_failure(const struct waterfall *w, struct text *out)
{
    if (!w->request->row.failed)
        return;
    struct text words = {0};
    struct text cut = {0};
    words_failure(&words, &w->request->row, w->look->ascii);
    text_cut(&cut, text_string(&words), HEAD_LINES_MOST * w->look->columns, w->look->ascii);
    look_puts(w->look, out, ROLE_BAD, text_string(&cut));
    text_char(out, '\n');
    text_done(&cut);
    text_done(&words);
}

static void put_connection(const struct waterfall *w, struct text *out)
{
    const np_row *row = &w->request->row;
    const np_connection_info *connection = w->request->connection;
    if (row->reused) {
        text_print(out, "reused connection %" PRId64 ", request %" PRId64 " on it",
                   row->connection_id, row->connection_use);
    } else if (connection) {
        text_print(out, "new connection %" PRId64 " because: ", connection->id);
        text_outside(out, words_new_because(connection->new_because), w->look->ascii);
        if (row->proxy[0] && strcmp(row->proxy, "direct") != 0) {
            text_puts(out, ", through ");
            text_outside(out, row->proxy, w->look->ascii);
        }
    } else {
        text_puts(out, "no connection was ready");
    }
}

static void put_caller(const struct waterfall *w, struct text *out)
{
    int64_t blocked_ns = w->request->row.caller_blocked_ns;
    if (blocked_ns < 0)
        return;
    enum unit unit = unit_for(blocked_ns);
    text_puts(out, "caller held ");
    duration_in(out, blocked_ns, unit);
    text_print(out, " %s", unit_name(unit, w->look->ascii));
}

/* "the program was late by 80 ms": data lay there and nobody looked. Told where it matters. */
static void put_lateness(const struct waterfall *w, struct text *out)
{
    const int64_t late_ns = w->request->row.late_ns;
    if (late_ns < LATE_LEAST_NS && (late_ns <= 0 || late_ns < w->total_ns / 100))
        return;
    const enum unit unit = unit_for(late_ns);
    text_puts(out, "data had come and the program did not look for ");
    duration_in(out, late_ns, unit);
    text_print(out, " %s\n", unit_name(unit, w->look->ascii));
}

static bool is_trouble(const np_tcp_sample *tcp)
{
    return tcp->retransmits > 0 || tcp->receiver_limited_us > 0 || tcp->buffer_limited_us > 0 ||
           tcp->unacked > 0;
}

/* Which reading explains something: the last one of trouble, else the last. */
static const np_tcp_sample *telling_sample(const np_request_detail *request)
{
    const np_tcp_sample *found = NULL;
    for (size_t i = 0; i < request->tcp_count; i++)
        if (!found || !is_trouble(found) || is_trouble(&request->tcp[i]))
            found = &request->tcp[i];
    return found;
}

static void put_us(const struct waterfall *w, struct text *out, const char *before, int64_t us)
{
    const int64_t ns = us > INT64_MAX / 1000 ? INT64_MAX : us * 1000;
    const enum unit unit = unit_for(ns);
    text_puts(out, before);
    duration_in(out, ns, unit);
    text_print(out, " %s", unit_name(unit, w->look->ascii));
}

static void put_tcp(const struct waterfall *w, struct text *out)
{
    const np_tcp_sample *tcp = telling_sample(w->request);
    if (!tcp)
        return;
    text_print(out, "tcp at the end of %s: ", np_phase_name(tcp->phase));
    put_us(w, out, "round trip ", tcp->rtt_us);
    if (tcp->min_rtt_us > 0 && tcp->min_rtt_us < tcp->rtt_us)
        put_us(w, out, ", at best ", tcp->min_rtt_us);
    if (tcp->retransmits > 0)
        text_print(out, ", %" PRId64 " segment%s sent again", tcp->retransmits,
                   tcp->retransmits == 1 ? "" : "s");
    if (tcp->receiver_limited_us > 0)
        put_us(w, out, ", held up by the server not reading ", tcp->receiver_limited_us);
    if (tcp->buffer_limited_us > 0)
        put_us(w, out, ", by our own send buffer ", tcp->buffer_limited_us);
    if (tcp->unacked > 0)
        text_print(out, ", %" PRId64 " segment%s unacknowledged", tcp->unacked,
                   tcp->unacked == 1 ? "" : "s");
    if (tcp->unsent_bytes > 0) {
        text_puts(out, ", ");
        size_people(out, tcp->unsent_bytes);
        text_puts(out, " not sent yet");
    }
    text_char(out, '\n');
}

/* What the bars do not say: side by side where that fits. */
static void put_foot(const struct waterfall *w, struct text *out)
{
    struct text left = {0};
    struct text right = {0};
    put_connection(w, &left);
    put_caller(w, &right);
    bool fits =
        text_width(text_string(&left)) + 8 + text_width(text_string(&right)) <= w->look->columns;
    text_puts(out, text_string(&left));
    if (right.length > 0)
        text_puts(out, fits ? "        " : "\n");
    text_puts(out, text_string(&right));
    text_char(out, '\n');
    put_lateness(w, out);
    put_tcp(w, out);
    text_done(&left);
    text_done(&right);
}

void waterfall_write(const np_request_detail *request, const struct look *look, struct text *out)
{
    struct waterfall w = {.request = request, .look = look};
    w.span_count = request->span_count < SPANS_MOST ? request->span_count : SPANS_MOST;
    w.is_taken = xcalloc(w.span_count, sizeof *w.is_taken);
    w.total_ns = request->row.total_ns > 0 ? request->row.total_ns : 1;
    w.unit = unit_for(w.total_ns);
    add_lines(&w);
    share_widths(&w);

    put_head(&w, out);
    put_failure(&w, out);
    text_char(out, '\n');
    put_axis(&w, out);
    for (size_t i = 0; i < w.count; i++)
        put_line(&w, &w.lines[i], out);
    if (request->span_count > w.span_count)
        text_print(out, "... and %zu more spans (--format json has them all)\n",
                   request->span_count - w.span_count);
    text_char(out, '\n');
    put_foot(&w, out);

    for (size_t i = 0; i < w.count; i++) {
        free(w.lines[i].parts);
        text_done(&w.lines[i].note);
    }
    free(w.lines);
    free(w.is_taken);
}
