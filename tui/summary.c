/* What the summary is grouped by; see summary.h. */
#include "summary.h"
#include "json.h"
#include <stdio.h>
#include <string.h>

static const char *const groupings[] = {"origin,connection_state",
                                        "origin",
                                        "host",
                                        "route",
                                        "connection_state",
                                        "protocol",
                                        "proxy",
                                        "status",
                                        "method",
                                        "run"};
enum { GROUPINGS = sizeof groupings / sizeof groupings[0] };

const char *summary_grouping(const struct app *app)
{
    const int at = app->summary.grouping;
    return at < GROUPINGS ? groupings[at] : app->summary.labels[at - GROUPINGS];
}

int summary_groupings(const struct app *app)
{
    return GROUPINGS + app->summary.label_count;
}

static bool knows_label(const struct summary_state *summary, const char *name)
{
    for (int i = 0; i < summary->label_count; i++)
        if (strcmp(summary->labels[i], name) == 0)
            return true;
    return false;
}

void summary_read_labels(struct app *app)
{
    struct summary_state *summary = &app->summary;
    enum { LABELS = sizeof summary->labels / sizeof summary->labels[0] };
    for (size_t i = 0; app->info && i < app->info->run_count; i++) {
        const char *at = app->info->runs[i].labels;
        struct json_member member;
        while (json_member_next(&at, &member) && summary->label_count < LABELS) {
            char name[sizeof summary->labels[0]];
            const int length = snprintf(name, sizeof name, "label.%s", member.key);
            if (length > 0 && length < (int)sizeof name && !knows_label(summary, name))
                memcpy(summary->labels[summary->label_count++], name, sizeof name);
        }
    }
}
