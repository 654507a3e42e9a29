/* The line that moves. */
#include "progress.h"
#include <inttypes.h>
#include <netphase/text.h>
#include <stdio.h>

static const int64_t second_ns = INT64_C(1000000000);

enum { BAR_LEAST = 8, BAR_MOST = 40, PARTS = 5 };

/* Part of the work that is done, 0 … 1. */
static double part_done(const struct progress_figures *f)
{
    double part = 0;
    if (f->expected > 0)
        part = (double)f->done / (double)f->expected;
    else if (f->planned_ns > 0)
        part = (double)f->elapsed_ns / (double)f->planned_ns;
    return part < 0 ? 0 : part > 1 ? 1 : part;
}

/* 41, 8.3, 0.42: three figures at most. */
static void put_rate(struct text *out, double per_second)
{
    text_print(out,
               per_second >= 9.95    ? "%.0f req/s"
               : per_second >= 0.995 ? "%.1f req/s"
                                     : "%.2f req/s",
               per_second);
}

static void put_left(struct text *out, const struct progress_figures *f)
{
    double part = part_done(f);
    if (part <= 0 || f->elapsed_ns < second_ns / 2)
        return;
    double left_s = (double)f->elapsed_ns / 1e9 * (1 - part) / part;
    if (f->expected == 0)
        left_s = (double)(f->planned_ns - f->elapsed_ns) / 1e9;
    if (left_s < 0)
        left_s = 0;
    if (left_s < 99.5)
        text_print(out, "%.0f s left", left_s);
    else if (left_s < 5940)
        text_print(out, "%.0f min left", left_s / 60);
    else
        text_print(out, "%.1f h left", left_s / 3600);
}

static void put_count(struct text *out, const struct progress_figures *f)
{
    if (f->expected > 0)
        text_print(out, "%" PRIu64 "/%" PRIu64, f->done, f->expected);
    else
        text_print(out, "%" PRIu64, f->done);
}

/* What stands behind the bar, the most wanted first; parts that have nothing to say stay empty. */
static void fill_parts(struct text parts[PARTS], const struct progress_figures *f)
{
    text_print(&parts[0], "%3d %%", (int)(part_done(f) * 100 + 1e-9)); /* 100 is the end */
    if (f->failed > 0)
        text_print(&parts[3], "failed %" PRIu64, f->failed);
    put_left(&parts[4], f);
    if (f->done > 0 && f->elapsed_ns > 0)
        put_rate(&parts[1], (double)f->done * 1e9 / (double)f->elapsed_ns);
    if (f->setup_p50_ns >= 0) {
        char duration[32];
        text_print(&parts[2], "p50 setup %s",
                   np_duration_text(f->setup_p50_ns, duration, sizeof duration));
    }
}

/* In half cells: ━ is a whole one, ╸ a half. */
static void put_bar(const struct look *look, struct text *out, double part, int cells)
{
    int halves = (int)(part * cells * 2 + 0.5);
    look_begin(look, out, ROLE_HEADING);
    text_repeat(out, look->ascii ? "=" : "━", halves / 2);
    int used = halves / 2;
    if (halves % 2) {
        text_puts(out, look->ascii ? "-" : "╸");
        used++;
    }
    look_end(look, out, ROLE_HEADING);
    text_repeat(out, " ", cells - used);
}

void progress_line(const struct look *look, const struct progress_figures *figures,
                   struct text *out)
{
    struct text count = {0};
    struct text parts[PARTS] = {{0}};
    put_count(&count, figures);
    fill_parts(parts, figures);

    /* Left out first: the rate, then the set-up; the bar shrinks before that. */
    static const int expendable[] = {1, 2, 4, 3, 0};
    int room = look->columns - 1;
    int fixed = 1 + text_width(text_string(&count)) + 1;
    int tail = 0;
    for (int i = 0; i < PARTS; i++)
        tail += parts[i].length ? text_width(text_string(&parts[i])) + 3 : 0;
    for (size_t i = 0;
         i < sizeof expendable / sizeof expendable[0] && fixed + tail + BAR_LEAST > room; i++) {
        struct text *part = &parts[expendable[i]];
        tail -= part->length ? text_width(text_string(part)) + 3 : 0;
        text_clear(part);
    }
    int bar = room - fixed - tail;
    bar = bar > BAR_MOST ? BAR_MOST : bar;

    text_char(out, ' ');
    text_puts(out, text_string(&count));
    if (bar > 0) {
        text_char(out, ' ');
        put_bar(look, out, part_done(figures), bar);
    }
    for (int i = 0; i < PARTS; i++) {
        if (parts[i].length == 0)
            continue;
        int role = i == 3 ? ROLE_BAD : ROLE_PLAIN;
        text_puts(out, i == 0 ? "  " : "   ");
        look_puts(look, out, role, text_string(&parts[i]));
    }
    for (int i = 0; i < PARTS; i++)
        text_done(&parts[i]);
    text_done(&count);
}

/* -------------------------------------------------------------------------------------------------
 * writing */

void progress_init(struct progress *progress, const struct look *look, bool is_wanted)
{
    *progress = (struct progress){.look = *look, .is_on = is_wanted && look->is_terminal};
}

static void write_text(struct text *text)
{
    (void)fwrite(text->data, 1, text->length, stderr); /* a line that is lost is no loss */
    text_done(text);
}

void progress_show(struct progress *progress, const struct progress_figures *figures,
                   int64_t now_ns)
{
    if (!progress->is_on || (progress->is_shown && now_ns - progress->shown_ns < second_ns / 10))
        return;
    struct text line = {0};
    text_char(&line, '\r');
    progress_line(&progress->look, figures, &line);
    text_puts(&line, "\033[K"); /* the rest of a longer line before it */
    write_text(&line);
    progress->is_shown = true;
    progress->shown_ns = now_ns;
}

void progress_erase(struct progress *progress)
{
    if (!progress->is_shown)
        return;
    struct text line = {0};
    text_puts(&line, "\r\033[K");
    write_text(&line);
    progress->is_shown = false;
}
