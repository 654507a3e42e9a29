/* What the summary is grouped by. Pure. */
#ifndef TUI_SUMMARY_H
#define TUI_SUMMARY_H

#include "model.h"

enum {
    SUMMARY_GROUPS_MOST = 1000, /* groups that are listed; the rest is counted */
    SUMMARY_ROW_FIRST = 6       /* `setup` of report_rows */
};

/* For np_report_create: "origin", "label.commit". */
const char *summary_grouping(const struct app *app);
/* How many groupings there are. */
int summary_groupings(const struct app *app);
/* The labels of the runs are groupings too. */
void summary_read_labels(struct app *app);

#endif
