/* What is typed at the prompt, and what comes of it; see app.h. */
#include "app.h"
#include "memory.h"
#include "output.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS INT64_C(86400000000000)

/* The columns of the view `requests`, and what stands between them. */
static const char *const filter_words[] = {"and",
                                           "between",
                                           "caller_blocked_ns",
                                           "connect_attempts",
                                           "connect_ns",
                                           "connection_id",
                                           "connection_state",
                                           "connection_use",
                                           "dns_ns",
                                           "dns_queries",
                                           "error",
                                           "error_code",
                                           "error_layer",
                                           "failed",
                                           "false",
                                           "first_byte_ns",
                                           "flags",
                                           "gap_ns",
                                           "hop",
                                           "hop_of",
                                           "hop_reason",
                                           "host",
                                           "id",
                                           "in",
                                           "is",
                                           "label.",
                                           "late_ns",
                                           "like",
                                           "method",
                                           "not",
                                           "null",
                                           "number",
                                           "or",
                                           "origin",
                                           "outcome",
                                           "path",
                                           "port",
                                           "process_id",
                                           "protocol",
                                           "proxy",
                                           "proxy_ns",
                                           "proxy_source",
                                           "queue_ns",
                                           "receive_application_ns",
                                           "receive_ns",
                                           "received_bytes",
                                           "remote",
                                           "reused",
                                           "route",
                                           "run_id",
                                           "scheme",
                                           "send_application_ns",
                                           "send_ns",
                                           "sent_bytes",
                                           "setup_ns",
                                           "start_ns",
                                           "started",
                                           "status",
                                           "tls_ns",
                                           "tls_resumed",
                                           "tls_version",
                                           "total_ns",
                                           "true",
                                           "tunnel_ns",
                                           "url",
                                           "wait_ns",
                                           "web_status",
                                           NULL};

const char *const *app_filter_words(void)
{
    return filter_words;
}

const char *const *app_order_words(void)
{
    static const char *words[ORDERS + 1];
    for (int by = 0; by < ORDERS; by++)
        words[by] = order_name(by);
    return words;
}

void app_prompt(struct app *app, enum action_id action)
{
    struct prompt *prompt = &app->prompt;
    const char *filter = app->filter ? app->filter : "";
    if (action == ACTION_FILTER)
        prompt_open(prompt, action, "filter: ", filter, &app->filter_history, filter_words);
    else if (action == ACTION_SEARCH)
        prompt_open(prompt, action, "search: ", "", &app->search_history, NULL);
    else if (action == ACTION_GO)
        prompt_open(prompt, action, "go to: ", "", &app->go_history, NULL);
    else if (action == ACTION_SORT)
        prompt_open(prompt, action, "sort by: ", "", &app->sort_history, app_order_words());
}

/* ----------------------------------------------------------------------------------------- filter */

/* Carets under the place, a suggestion behind them. */
static void mark_mistake(struct app *app, const char *line, const np_filter_mistake *mistake)
{
    struct text before = {0};
    const size_t length = strlen(line);
    const size_t offset = mistake->offset < length ? mistake->offset : length;
    text_add(&before, line, offset);
    text_repeat(&app->mistake, " ", text_width(text_string(&before)));
    text_clear(&before);
    text_add(&before, line + offset,
             mistake->length < length - offset ? mistake->length : length - offset);
    const int width = text_width(text_string(&before));
    text_char(&app->mistake, '^');
    text_repeat(&app->mistake, "~", width > 1 ? width - 1 : 0);
    text_done(&before);
    if (mistake->suggestion[0])
        text_print(&app->mistake, " did you mean '%s'?", mistake->suggestion);
}

/* True: the prompt is done with. */
static bool typed_filter(struct app *app, const char *line)
{
    np_filter *filter;
    np_filter_mistake mistake = {0};
    np_error err = {0};
    if (line[strspn(line, " ")] == '\0') {
        app_filter(app, NULL);
        return true;
    }
    if (np_filter_parse(line, &filter, &mistake, &err)) {
        mark_mistake(app, line, &mistake);
        app_say(app, true, "%s", err.text);
        return false;
    }
    np_filter_free(filter);
    app_filter(app, line);
    return true;
}

/* -------------------------------------------------------------------------------------------- go */

static void go_to_time(struct app *app, int64_t time_ns)
{
    struct question question = {.ask = ASK_TIME, .time_ns = time_ns};
    app->searching = app_ask(app, &question);
}

static bool is_number(const char *text, char end)
{
    const size_t digits = strspn(text, "0123456789.");
    return digits > 0 && text[digits] == end && (end == '\0' || text[digits + 1] == '\0');
}

/* "12:04:29.5": on the day of the row one is on. */
static bool time_of_day(const char *text, int64_t near_ns, int64_t *out_ns)
{
    int hours, minutes;
    double seconds = 0;
    char end;
    const int found = sscanf(text, "%2d:%2d:%lf%c", &hours, &minutes, &seconds, &end);
    if ((found != 3 && !(found == 2 && !strchr(strchr(text, ':') + 1, ':'))) || hours < 0 ||
        hours > 23 || minutes < 0 || minutes > 59 || !(seconds >= 0 && seconds < 61))
        return false;
    *out_ns = near_ns / DAY_NS * DAY_NS + (int64_t)(hours * 60 + minutes) * INT64_C(60000000000) +
              (int64_t)(seconds * 1e9);
    return true;
}

static bool typed_go(struct app *app, const char *line)
{
    const np_row *row = list_selected(&app->list);
    int64_t time_ns;
    char message[200];
    line += strspn(line, " ");
    if (is_number(line, '%')) {
        const double share = strtod(line, NULL) / 100;
        list_go_share(&app->list, share > 1 ? 1 : share);
    } else if (is_number(line + (*line == '#'), '\0')) {
        list_go(&app->list, strtoll(line + (*line == '#'), NULL, 10));
    } else if (time_of_day(line, row ? row->start_ns : 0, &time_ns) ||
               time_option(line, &time_ns, message, sizeof message)) {
        go_to_time(app, time_ns);
    } else {
        app_say(app, true,
                "expected 12:04:29, a date and time, an age such as 10m, 50%%, or a number");
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------- the others */

static bool typed_search(struct app *app, const char *line)
{
    if (!*line)
        return true;
    free(app->needle);
    app->needle = xstrndup(line, strlen(line));
    const struct msg next = {.kind = MSG_ACTION, .action = ACTION_NEXT};
    prompt_close(&app->prompt);
    app_update(app, &next);
    return true;
}

static bool typed_sort(struct app *app, const char *line)
{
    const int by = order_find(line);
    if (!*line)
        return true;
    if (by < 0) {
        const char *near = nearest_word(line, app_order_words(), ORDERS);
        if (near)
            app_say(app, true, "no column '%s'; did you mean '%s'?", line, near);
        else
            app_say(app, true, "no column '%s'; Tab shows them", line);
        return false;
    }
    const bool is_same = by == app->list.order.by;
    const struct order order = {
        .by = by, .is_descending = is_same ? !app->list.order.is_descending : by != ORDER_ID};
    list_restart(&app->list, order);
    return true;
}

void app_typed(struct app *app, enum action_id action, const char *line)
{
    bool is_done = true;
    if (action == ACTION_FILTER)
        is_done = typed_filter(app, line);
    else if (action == ACTION_SEARCH)
        is_done = typed_search(app, line);
    else if (action == ACTION_GO)
        is_done = typed_go(app, line);
    else if (action == ACTION_SORT)
        is_done = typed_sort(app, line);
    if (is_done)
        prompt_close(&app->prompt);
}
