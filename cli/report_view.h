/*
 * A report as a table for people, as JSON (netphase.report/1), CSV and Markdown. Pure functions
 * from the report to text.
 */
#ifndef CLI_REPORT_VIEW_H
#define CLI_REPORT_VIEW_H

#include "look.h"
#include <netphase/report.h>

/* run_id: the one that was asked for; 0: all. */
void report_table(const np_report *report, int64_t run_id, const struct look *look,
                  struct text *out);
void report_json(const np_report *report, struct text *out);
void report_csv(const np_report *report, struct text *out);
void report_markdown(const np_report *report, int64_t run_id, struct text *out);

/* What a report is made of: the ten phases, setup after tls, total, caller_blocked. */
enum { REPORT_ROWS = NP_PHASE_COUNT + 3 };
struct report_row {
    const char *name;
    int role;      /* of look.h */
    char letter;   /* of its bar in ASCII */
    bool is_sum;   /* setup, total: of phases that have rows too */
    size_t offset; /* of its np_figures in an np_report_group */
};
extern const struct report_row report_rows[REPORT_ROWS];

const np_figures *report_figures(const np_report_group *group, const struct report_row *row);
/*
 * The answer in one sentence, in lines of at most `width` cells: how much of the time set-up took
 * and on which phases it went. Nothing for an empty report, or one that shows only a part of its
 * groups.
 */
void report_verdict(const np_report *report, int width, struct text *out);
/* "https://api.example:443 · GET · new connections", one line; the pieces escaped for a terminal.
 */
void report_group_name(const np_report *report, const np_report_group *group, bool ascii,
                       struct text *out);

#endif
