/*
 * netphase tui: options, the trace, and the one loop: poll (keys, signals, answers), update, draw.
 * With --dump there is no loop and no terminal; see headless.h.
 */
#include "verb_tui.h"
#include "headless.h"
#include "memory.h"
#include "message.h"
#include "open_trace.h"
#include "output.h"
#include "term.h"
#include "worker.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE_MOST = 1000, COLUMNS_DEFAULT = 100, ROWS_DEFAULT = 30, FIRST_FRAME_MS = 20 };

struct size {
    int columns, rows;
};

struct tui_args {
    const char *dump, *where, *keys, *view;
    struct size size;
    bool follow, no_follow, roles;
};

static bool size_option(const char *text, void *field, char *message, size_t size)
{
    struct size *out = field;
    char end;
    if (sscanf(text, "%4dx%4d%c", &out->columns, &out->rows, &end) == 2 && out->columns >= 1 &&
        out->columns <= SIZE_MOST && out->rows >= 1 && out->rows <= SIZE_MOST)
        return true;
    (void)snprintf(message, size,
                   "found '%s', expected columns and rows such as 100x30, each at most %d", text,
                   SIZE_MOST);
    return false;
}

/* clang-format off */
static const struct verb_option options[] = {
    {.name = "view", .letter = 'v', .type = OPTION_TEXT, .argument = "VIEW", .fallback = "requests",
     .help = "begin with this view: requests, waterfall, detail, summary or help", OPTION_FIELD(struct tui_args, view)},
    {.name = "where", .letter = 'w', .type = OPTION_TEXT, .argument = "EXPR",
     .help = "only requests that match, such as \"host = 'api.example' and setup_ns > 50ms\"", OPTION_FIELD(struct tui_args, where)},
    {.name = "follow", .letter = 'F', .type = OPTION_FLAG, .help = "show new requests as they come; by itself where the trace is being recorded",
     OPTION_FIELD(struct tui_args, follow)},
    {.name = "no-follow", .type = OPTION_FLAG, .help = "begin at the first request, and stay there", OPTION_FIELD(struct tui_args, no_follow)},
    {.section = "Without a terminal"},
    {.name = "dump", .type = OPTION_TEXT, .argument = "VIEW", .help = "print a view as text instead", OPTION_FIELD(struct tui_args, dump)},
    {.name = "size", .type = OPTION_CUSTOM, .parse = size_option, .argument = "COLUMNSxROWS", .fallback = "100x30", .help = "of what is printed",
     OPTION_FIELD(struct tui_args, size)},
    {.name = "keys", .type = OPTION_TEXT, .argument = "KEYS", .help = "press these before, such as \"s 'total' Enter End\"",
     OPTION_FIELD(struct tui_args, keys)},
    {.name = "roles", .type = OPTION_FLAG, .help = "print what each place is (a letter) instead of what stands there",
     OPTION_FIELD(struct tui_args, roles)},
    {0},
};
/* clang-format on */

/* -------------------------------------------------------------------------------------------- dump */

static int dump(struct call *call, np_store *store, struct app_options *how)
{
    const struct tui_args *args = call->args;
    struct headless headless;
    struct text out = {0};
    how->columns = args->size.columns;
    how->rows = args->size.rows;
    how->look.columns = how->columns;
    how->look.colors = 0;
    headless_open(&headless, store, how);
    const bool is_good = headless_keys(&headless, args->keys ? args->keys : "");
    if (args->roles)
        headless_roles(&headless, &out);
    else
        headless_text(&headless, &out);
    headless_close(&headless);
    if (is_good)
        return output_write(call, &out);
    text_done(&out);
    return message_usage(
        call, "--keys: '%s' is not all names of keys; 'netphase tui --dump help' lists them",
        args->keys);
}

/* -------------------------------------------------------------------------------------------- loop */

struct session {
    struct app app;
    struct term *term;
    struct worker *worker;
    struct cells cells;
    bool is_changed;
};

static void send(struct session *session, const struct msg *msg)
{
    struct question question;
    app_update(&session->app, msg);
    while (app_take_question(&session->app, &question))
        worker_ask(session->worker, &question);
    session->is_changed = true;
}

static void grant_wishes(struct session *session)
{
    struct wishes *wishes = &session->app.wishes;
    if (wishes->cancel)
        worker_cancel(session->worker);
    if (wishes->redraw)
        term_redraw(session->term);
    if (wishes->copy.length > 0)
        term_copy(session->term, text_string(&wishes->copy));
    if (wishes->suspend)
        term_suspend(session->term);
    wishes->cancel = wishes->redraw = wishes->suspend = false;
    text_clear(&wishes->copy);
}

static void take_input(struct session *session)
{
    struct msg msg;
    while (!session->app.wishes.quit && term_read(session->term, &msg)) {
        if (msg.kind == MSG_RESIZE) {
            cells_done(&session->cells);
            cells_init(&session->cells, msg.x, msg.y);
        }
        send(session, &msg);
        grant_wishes(session);
    }
}

static void take_answers(struct session *session)
{
    struct answer answer;
    struct msg progress = {.kind = MSG_PROGRESS};
    if (worker_progress(session->worker, &progress.per_thousand))
        send(session, &progress);
    while (worker_take(session->worker, &answer)) {
        const struct msg msg = {.kind = MSG_ANSWER, .answer = &answer};
        send(session, &msg);
        answer_done(&answer);
    }
}

static void draw(struct session *session)
{
    if (!session->is_changed)
        return;
    app_draw(&session->app, &session->cells);
    term_draw(session->term, &session->cells);
    session->is_changed = false;
}

static void run_loop(struct session *session)
{
    struct pollfd wait[] = {
        {.fd = term_descriptor(session->term),        .events = POLLIN},
        {.fd = term_signal_descriptor(session->term), .events = POLLIN},
        {.fd = worker_descriptor(session->worker),    .events = POLLIN},
    };
    struct question question;
    while (app_take_question(&session->app, &question))
        worker_ask(session->worker, &question);
    session->is_changed = true;
    if (poll(&wait[2], 1, FIRST_FRAME_MS) > 0) /* a first frame without rows would only flicker */
        take_answers(session);
    while (!session->app.wishes.quit && !term_end_signal(session->term)) {
        draw(session);
        const int ready = poll(wait, sizeof wait / sizeof wait[0], app_tick_ms(&session->app));
        if (ready < 0 && errno != EINTR)
            break;
        if (ready == 0) {
            const struct msg tick = {.kind = MSG_TICK};
            const bool was_changed = session->is_changed;
            send(session, &tick);
            session->is_changed = was_changed; /* what it asks for will change something */
            continue;
        }
        if (ready > 0 && wait[2].revents)
            take_answers(session);
        take_input(session);
        if (term_is_gone(session->term) || wait[0].revents & (POLLHUP | POLLERR))
            break;
    }
}

static int show(struct call *call, np_store *store, struct app_options *how)
{
    struct session session = {0};
    np_error err = {0};
    session.worker = worker_start(store);
    if (!session.worker) {
        message_error(call, "no thread to be had");
        return EXIT_USAGE;
    }
    if (term_open(call->out.colors, &session.term, &err)) {
        worker_stop(session.worker);
        message_error(call, "%s", err.text);
        message_hint(call, "'netphase tui --dump requests' prints a view as text");
        return EXIT_USAGE;
    }
    term_size(session.term, &how->columns, &how->rows);
    how->look.colors = term_colors(session.term);
    app_init(&session.app, how);
    cells_init(&session.cells, how->columns, how->rows);
    run_loop(&session);
    const int signal_number = term_end_signal(session.term);
    term_close(session.term);
    worker_stop(session.worker);
    app_done(&session.app);
    cells_done(&session.cells);
    if (signal_number > 0)
        raise(signal_number); /* its handler is the one from before: most end the program here */
    return EXIT_DONE;
}

/* -------------------------------------------------------------------------------------------- verb */

static int find_view(const struct call *call, const char *option, const char *name,
                     enum view_id *out)
{
    const char *names[VIEWS];
    size_t count = 0;
    *out = view_find(name);
    if (*out != VIEWS)
        return EXIT_DONE;
    for (int id = 0; id < VIEWS; id++)
        if (view_of((enum view_id)id))
            names[count++] = view_of((enum view_id)id)->name;
    const char *near = nearest_word(name, names, count);
    if (near)
        return message_usage(call, "--%s: found '%s'; did you mean '%s'?", option, name, near);
    return message_usage(call,
                         "--%s: found '%s', expected requests, waterfall, detail, summary or help",
                         option, name);
}

static int tui_run(struct call *call)
{
    const struct tui_args *args = call->args;
    struct app_options how = {
        .file = trace_operand(call, 0),
        .look = call->out,
        .filter = args->where,
        .is_following = args->follow,
        .may_follow = !args->no_follow && !args->dump,
    };
    np_store *store = NULL;
    np_filter *filter = NULL;
    int status = find_view(call, args->dump ? "dump" : "view",
                           args->dump   ? args->dump
                           : args->view ? args->view
                                        : "requests",
                           &how.view);
    if (status == EXIT_DONE)
        status = open_filter(call, args->where, &filter);
    np_filter_free(filter); /* the worker makes its own */
    if (status == EXIT_DONE)
        status = open_trace(call, how.file, &store);
    if (status != EXIT_DONE)
        return status;
    return args->dump ? dump(call, store, &how) : show(call, store, &how);
}

static const struct tui_args defaults = {
    .size = {COLUMNS_DEFAULT, ROWS_DEFAULT}
};

const struct verb verb_tui = {
    .name = "tui",
    .summary = "the terminal UI: find the slow request and see why",
    .operands = "[TRACE]",
    .description =
        "Every request is a line with a bar of what its time went on; Enter shows one in detail, w "
        "puts them on one clock, S adds them up, ? lists the keys. A trace that is being recorded "
        "is "
        "followed.",
    .examples = "netphase tui\tlooks at netphase.db\n"
                "netphase tui --where 'setup_ns > 50ms' slow.db\tonly what was slow to set up\n"
                "netphase tui --dump summary --size 120x40\tprints a view\n",
    .options = options,
    .args_size = sizeof(struct tui_args),
    .defaults = &defaults,
    .operands_most = 1,
    .run = tui_run,
};
