/* The table of verbs. Those that send requests, or need root's tools, live in programs of their
 * own. */
#include "verbs.h"
#include "verb_help.h"
#include "verb_info.h"
#include "verb_report.h"
#include "verb_show.h"

static const struct verb verb_demo = {
    .name = "demo",
    .summary = "shows it all with nothing set up: a slow network of its own, requests through it, "
               "the report",
    .executes = "netphase-lab",
};

static const struct verb verb_record = {
    .name = "record",
    .summary = "sends requests and traces them",
    .executes = "netphase-net",
};

static const struct verb verb_proxy = {
    .name = "proxy",
    .summary = "which proxies a URL is reached through, and who decided so",
    .executes = "netphase-net",
};

static const struct verb verb_tui = {
    .name = "tui",
    .summary = "the terminal UI: find the slow request and see why",
    .executes = "netphase-tui",
};

static const struct verb verb_lab = {
    .name = "lab",
    .summary = "a private network with chosen delays and faults, to try things on",
    .executes = "netphase-lab",
};

const struct verb *const verbs[] = {
    &verb_demo, &verb_record, &verb_report, &verb_show, &verb_tui,
    &verb_info, &verb_proxy,  &verb_lab,    &verb_help, NULL,
};
