/*
 * What one can do, as a table: number, name, help, keys, the views it is for, and the words on the
 * bottom bar. The map of keys, the help and the bar are made from it. Pure; any thread.
 */
#ifndef TUI_ACTION_H
#define TUI_ACTION_H

#include "view.h"

#define IN(view) (1u << VIEW_##view)
#define IN_LISTS (IN(REQUESTS) | IN(WATERFALL))
#define IN_ALL   (IN_LISTS | IN(DETAIL) | IN(SUMMARY) | IN(HELP))
#define NOT_HELP (IN_ALL & ~IN(HELP))

/* X(ID, name, help, keys, views, bar, rank): bar "" is not on the bottom bar; the lower the rank
 * the longer it stays there when the screen gets narrow. In a view no key means two things. */
/* clang-format off */
#define ACTIONS(X) \
    X(UP,         "up",          "one line up",                                    "k Up C-p",      IN_ALL, "", 0) \
    X(DOWN,       "down",        "one line down",                                  "j Down C-n",    IN_ALL, "move", 1) \
    X(PAGE_UP,    "page-up",     "one screen up",                                  "PgUp C-b b",    IN_ALL, "", 0) \
    X(PAGE_DOWN,  "page-down",   "one screen down",                                "PgDn C-f Space", IN_ALL, "", 0) \
    X(HALF_UP,    "half-up",     "half a screen up",                               "C-u",           IN_ALL, "", 0) \
    X(HALF_DOWN,  "half-down",   "half a screen down",                             "C-d",           IN_ALL, "", 0) \
    X(HOME,       "home",        "to the first line",                              "g Home",        IN_ALL, "", 0) \
    X(END,        "end",         "to the last line",                               "G End",         IN_ALL, "", 0) \
    X(OPEN,       "open",        "this request in detail",                         "Enter",         IN_LISTS, "detail", 2) \
    X(DRILL,      "only-group",  "the requests of this group alone",               "Enter",         IN(SUMMARY), "its requests", 2) \
    X(WATERFALL,  "waterfall",   "these requests on one clock",                    "w F3",          IN(REQUESTS) | IN(DETAIL) | IN(SUMMARY), "waterfall", 8) \
    X(REQUESTS,   "requests",    "the list of requests",                           "l F2",          IN(WATERFALL) | IN(DETAIL) | IN(SUMMARY), "list", 7) \
    X(SUMMARY,    "summary",     "where the time goes, by group",                  "S F5",          IN_LISTS | IN(DETAIL), "summary", 7) \
    X(SORT,       "sort",        "sort by a column or a phase",                    "s F6",          IN(REQUESTS), "sort", 5) \
    X(SORT_LEFT,  "sort-left",   "sort by the column to the left",                 "<",             IN(REQUESTS), "", 0) \
    X(SORT_RIGHT, "sort-right",  "sort by the column to the right",                ">",             IN(REQUESTS), "", 0) \
    X(REVERSE,    "reverse",     "the other way round",                            "r",             IN(REQUESTS), "", 0) \
    X(FILTER,     "filter",      "only requests that match an expression",         "f F4",          NOT_HELP, "filter", 6) \
    X(SEARCH,     "search",      "go to the next request with this text",          "/",             IN_LISTS, "search", 9) \
    X(NEXT,       "next",        "the next match",                                 "n",             IN_LISTS, "", 0) \
    X(PREVIOUS,   "previous",    "the match before",                               "N",             IN_LISTS, "", 0) \
    X(GO,         "go",          "go to a time, a percentage or a number",         ":",             IN_LISTS, "go", 10) \
    X(COPY,       "copy",        "copy the request as a command line of curl",     "y",             IN_LISTS | IN(DETAIL), "copy", 11) \
    X(COPY_OWN,   "copy-record", "copy it as a command line of netphase record",   "Y",             IN_LISTS | IN(DETAIL), "", 0) \
    X(FOLLOW,     "follow",      "follow the trace while it grows",                "F",             NOT_HELP, "", 0) \
    X(FREEZE,     "freeze",      "let nothing change, or go on",                   "p",             NOT_HELP, "", 0) \
    X(LEFT,       "left",        "earlier",                                        "Left h",        IN(WATERFALL), "pan", 5) \
    X(RIGHT,      "right",       "later",                                          "Right",         IN(WATERFALL), "", 0) \
    X(ZOOM_IN,    "zoom-in",     "less time on the screen",                        "+ =",           IN(WATERFALL), "zoom", 6) \
    X(ZOOM_OUT,   "zoom-out",    "more time on the screen",                        "-",             IN(WATERFALL), "", 0) \
    X(ZOOM_FIT,   "zoom-fit",    "all that is listed",                             "0",             IN(WATERFALL), "fit", 8) \
    X(TAB_NEXT,   "next-tab",    "the next tab",                                   "Tab Right",     IN(DETAIL), "tabs", 5) \
    X(TAB_BACK,   "tab-before",  "the tab before",                                 "S-Tab Left h",  IN(DETAIL), "", 0) \
    X(NEWER,      "request-after", "the request after this one",                   "J ]",           IN(DETAIL), "next request", 6) \
    X(OLDER,      "request-before", "the request before this one",                 "K [",           IN(DETAIL), "", 0) \
    X(GROUP_NEXT, "next-grouping", "group by something else",                      "Tab",           IN(SUMMARY), "grouping", 5) \
    X(GROUP_BACK, "grouping-before", "the grouping before",                        "S-Tab",         IN(SUMMARY), "", 0) \
    X(PHASE_LEFT, "phase-before", "the phase above, in the histogram",             "Left h",        IN(SUMMARY), "", 0) \
    X(PHASE_RIGHT, "phase-after", "the phase below, in the histogram",             "Right",         IN(SUMMARY), "phase", 6) \
    X(HELP,       "help",        "keys and colours",                               "? F1",          NOT_HELP, "help", 3) \
    X(BACK,       "back",        "back to where one came from; ends what runs",    "Esc BackSp",    IN_ALL, "", 0) \
    X(QUIT,       "quit",        "back; from the first view: out",                 "q F10",         IN_ALL, "quit", 4) \
    X(LEAVE,      "leave",       "out, from anywhere",                             "Q C-c",         IN_ALL, "", 0) \
    X(SUSPEND,    "suspend",     "to the shell; 'fg' comes back",                  "C-z",           IN_ALL, "", 0) \
    X(REDRAW,     "redraw",      "draw everything anew",                           "C-l",           IN_ALL, "", 0)
/* clang-format on */

enum action_id {
    ACTION_NONE = -1,
#define ACTION_ENUM(ID, name, help, keys, views, bar, rank) ACTION_##ID,
    ACTIONS(ACTION_ENUM)
#undef ACTION_ENUM
        ACTION_COUNT
};

struct action {
    const char *name, *help, *keys;
    unsigned views; /* bits of enum view_id */
    const char *bar;
    int rank;
};

extern const struct action actions[ACTION_COUNT];

/* What a key means in a view; ACTION_NONE: nothing. */
enum action_id action_of(enum view_id view, int key);

#endif
