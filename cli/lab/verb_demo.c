/*
 * netphase demo: the main job with nothing set up. Starts a lab, records requests in it with
 * `netphase record`, prints `netphase report`, and puts what the lab was told beside what was
 * measured.
 *
 * The other verbs are run as programs, as a user would run them: what the demo shows is what one
 * gets.
 */
#include "verb_lab.h"

#include "command.h"
#include "lab.h"
#include "memory.h"
#include "message.h"
#include "output.h"
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netphase/report.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS       INT64_C(1000000)
#define DEMO_URL "https://origin.lab/bytes/20000"

enum { BODY_BYTES = 20000, RATE = 400000, HANDSHAKES = 20, WORDS_MAX = 16, NUMBER_SIZE = 24 };

static const struct lab_conditions told = {
    .dns_ns = 80 * MS,
    .dns_aaaa_ns = -1,
    .dns_ttl_s = LAB_TTL_S,
    .ttfb_ns = 120 * MS,
    .rate = RATE,
};

struct demo_args {
    int64_t requests;
    const char *output;
};

/* What one demo works with. */
struct demo {
    const struct call *call;
    const struct demo_args *args;
    struct lab lab;
    char front[PATH_MAX]; /* the program netphase */
    int64_t runs_before;  /* the last run the trace had already; 0: none */
    int null_fd;
};

/* netphase lies beside this program, or this one in its libexec folder. */
static bool find_front(char path[PATH_MAX])
{
    static const char *const places[] = {"netphase", "../../bin/netphase"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = length > 0 ? memrchr(self, '/', (size_t)length) : NULL;
    if (!slash)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int written = snprintf(path, PATH_MAX, "%s/%s", self, places[i]);
        if (written > 0 && written < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* Runs `netphase WORDS…` in the lab; words end with NULL. It is also shown, as one would type it.
 */
static int run_verb(const struct demo *demo, const char *const *words, int stdout_fd)
{
    char *argv[WORDS_MAX + 2];
    struct text line = {0};
    size_t count = 0;
    argv[count++] = xstrndup(demo->front, strlen(demo->front));
    text_puts(&line, "$ netphase");
    for (size_t i = 0; words[i] && i < WORDS_MAX; i++) {
        argv[count++] = xstrndup(words[i], strlen(words[i]));
        text_print(&line, strpbrk(words[i], " >'") ? " \"%s\"" : " %s", words[i]);
    }
    argv[count] = NULL;
    message_note(demo->call, "%s", text_string(&line));
    int status = command_run(demo->call, &demo->lab, argv, stdout_fd);
    while (count > 0)
        free(argv[--count]);
    text_done(&line);
    return status;
}

static int record(const struct demo *demo, const char *label, const char *how)
{
    char number[NUMBER_SIZE];
    (void)snprintf(number, sizeof number, "%" PRId64, demo->args->requests);
    const char *words[WORDS_MAX] = {"record",  "-n",  number,   "-o", demo->args->output,
                                    "--label", label, DEMO_URL, how};
    return run_verb(demo, words, demo->null_fd);
}

static int report(const struct demo *demo)
{
    char where[NUMBER_SIZE + 16];
    (void)snprintf(where, sizeof where, "run_id > %" PRId64, demo->runs_before);
    const char *words[WORDS_MAX] = {"report", demo->args->output};
    if (demo->runs_before > 0) {
        words[2] = "--where";
        words[3] = where;
    }
    return run_verb(demo, words, STDOUT_FILENO);
}

/* The last run of a trace that is there already; 0 where there is none. */
static np_status find_runs_before(struct demo *demo, np_error *err)
{
    np_store *store = NULL;
    np_store_info *info = NULL;
    if (access(demo->args->output, F_OK) != 0)
        return NP_OK;
    np_status status = np_store_open(demo->args->output, NULL, &store, err);
    if (!status)
        status = np_store_info_get(store, false, &info, err);
    for (size_t i = 0; !status && i < info->run_count; i++)
        if (info->runs[i].id > demo->runs_before)
            demo->runs_before = info->runs[i].id;
    np_store_info_free(info);
    np_store_close(store);
    return status;
}

/* One row of the last table: what the lab was told, and the medians on new and on kept connections.
 */
static void add_row(struct text *out, const char *name, int64_t told_ns, const np_figures *fresh,
                    const np_figures *kept)
{
    const np_figures *figures[] = {fresh, kept};
    struct text cell = {0};
    text_puts(out, "  ");
    text_left(out, name, 9);
    if (told_ns < 0)
        text_puts(&cell, "-");
    else
        duration_in(&cell, told_ns, UNIT_MS);
    text_right(out, text_string(&cell), 10);
    for (size_t i = 0; i < 2; i++) {
        text_clear(&cell);
        if (!figures[i] || figures[i]->count == 0)
            text_puts(&cell, "-");
        else
            duration_in(&cell, figures[i]->p50_ns, UNIT_MS);
        text_right(out, text_string(&cell), 18);
    }
    text_char(out, '\n');
    text_done(&cell);
}

static const np_report_group *find_group(const np_report *found, const char *state)
{
    for (size_t i = 0; i < found->group_count; i++)
        if (found->groups[i].by[0] && strcmp(found->groups[i].by[0], state) == 0)
            return &found->groups[i];
    return NULL;
}

static void add_table(struct text *out, const struct truth *truth, const np_report *found)
{
    const np_report_group *fresh = find_group(found, "new");
    const np_report_group *kept = find_group(found, "reused");
    const struct {
        np_phase phase;
        int64_t told_ns;
    } rows[] = {
        {NP_PHASE_DNS,     truth->dns_ns                                              },
        {NP_PHASE_CONNECT, truth->connect_ns                                          },
        {NP_PHASE_TLS,
         truth->handshake_ns < 0 ? truth->tls_ns : truth->tls_ns + truth->handshake_ns},
        {NP_PHASE_WAIT,    truth->wait_ns                                             },
        {NP_PHASE_RECEIVE, truth->receive_ns                                          },
    };
    text_puts(out, "\nWhat the lab was told, and what was measured (p50, ms):\n\n");
    text_puts(out, "  phase          told   new connections  kept connections\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add_row(out, np_phase_name(rows[i].phase), rows[i].told_ns,
                fresh ? &fresh->phases[rows[i].phase] : NULL,
                kept ? &kept->phases[rows[i].phase] : NULL);
    if (truth->handshake_ns >= 0)
        text_puts(out, "\n  tls is not told: it is what a handshake takes on this machine, "
                       "measured by the lab.\n");
    text_puts(out,
              "  connect is 0 on loopback: a delay of the network itself is not kept there.\n");
}

static void add_next(struct text *out, const struct demo *demo)
{
    const char *file = demo->args->output;
    text_puts(out, "\ntrace: ");
    text_outside(out, file, demo->call->out.ascii);
    text_puts(out, "      next:\n  netphase show ");
    text_outside(out, file, demo->call->out.ascii);
    text_puts(out, "                 the last request as a waterfall\n  netphase report --by run ");
    text_outside(out, file, demo->call->out.ascii);
    text_puts(out, "      cold against kept\n"
                   "  netphase lab --dns 300ms -- netphase record https://origin.lab/\n");
}

static int compare(const struct demo *demo, const struct truth *truth)
{
    np_store *store = NULL;
    np_filter *filter = NULL;
    np_report *found = NULL;
    np_error err = {0};
    char where[NUMBER_SIZE + 16];
    struct text out = {0};
    (void)snprintf(where, sizeof where, "run_id > %" PRId64, demo->runs_before);
    np_report_options options = NP_REPORT_OPTIONS_INIT;
    options.by = "connection_state";

    np_status status = np_filter_parse(where, &filter, NULL, &err);
    if (status)
        goto done;
    options.filter = filter;
    status = np_store_open(demo->args->output, NULL, &store, &err);
    if (status)
        goto done;
    status = np_report_create(store, &options, &found, &err);
    if (status)
        goto done;
    add_table(&out, truth, found);
    add_next(&out, demo);

done:
    np_report_free(found);
    np_store_close(store);
    np_filter_free(filter);
    return status ? message_failure(demo->call, &err) : output_write(demo->call, &out);
}

static int show_all(struct demo *demo)
{
    struct truth truth = truth_of(&told, BODY_BYTES);
    truth.handshake_ns = truth_measure_handshake(&demo->lab, HANDSHAKES);
    int status = record(demo, "demo=cold", "--cold");
    if (status == EXIT_DONE)
        status = record(demo, "demo=kept", NULL);
    if (status == EXIT_DONE)
        status = report(demo);
    return status == EXIT_DONE ? compare(demo, &truth) : status;
}

static int demo_run(struct call *call)
{
    struct demo demo = {.call = call, .args = call->args, .null_fd = -1};
    np_error err = {0};
    int status;
    if (!find_front(demo.front)) {
        message_error(
            call, "the program netphase is not there: looked beside this program and in ../../bin");
        return EXIT_USAGE;
    }
    if (find_runs_before(&demo, &err))
        return message_failure(call, &err);
    demo.null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (demo.null_fd < 0) {
        message_error(call, "/dev/null cannot be opened (%s)", strerror(errno));
        return EXIT_UNWRITABLE;
    }
    message_note(call, "a lab on loopback: a DNS server that takes 80 ms, an HTTPS origin that "
                       "thinks for 120 ms and "
                       "sends 20 kB in 50 ms");
    command_hold_signals();
    if (lab_start(&told, &demo.lab, &err)) {
        status = message_failure(call, &err);
    } else {
        status = show_all(&demo);
        lab_stop(&demo.lab);
    }
    close(demo.null_fd);
    return status;
}

static const struct demo_args defaults = {.requests = 10, .output = "netphase-demo.db"};

/* clang-format off */
static const struct verb_option options[] = {
    {.name = "requests", .letter = 'n', .type = OPTION_INT, .argument = "N", .low = 1, .high = 10000, .fallback = "10",
     .help = "requests on new connections, and as many on one that is kept", OPTION_FIELD(struct demo_args, requests)},
    {.name = "output", .letter = 'o', .type = OPTION_TEXT, .argument = "FILE", .fallback = "netphase-demo.db",
     .help = "the trace; one that is there gets two more runs", OPTION_FIELD(struct demo_args, output)},
    {0},
};
/* clang-format on */

const struct verb verb_demo = {
    .name = "demo",
    .summary = "shows it all with nothing set up: a slow network of its own, requests through it, "
               "the report",
    .description = "Starts a lab with a slow DNS server and a slow HTTPS origin on loopback, "
                   "records requests to it, prints "
                   "their report, and compares what the lab was told with what was measured.",
    .examples = "netphase demo\tabout five seconds\n",
    .options = options,
    .args_size = sizeof(struct demo_args),
    .defaults = &defaults,
    .run = demo_run,
};
