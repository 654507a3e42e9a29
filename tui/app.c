/*
 * The model and how it changes; see app.h.
 *
 * A message goes first to an overlay or the prompt where one is open, then to the view, then here.
 * After every message `pump` looks at what is lacking (rows, the detail of the row under the
 * cursor, counts) and asks for it, so no view has to think of when to ask.
 */
#include "app.h"
#include "bar.h"
#include "command_line.h"
#include "memory.h"
#include "summary.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_FOLLOWING_MS = 100,
    TICK_QUIET_MS = 1000,
    IDLE_TICKS_MOST = 10,  /* a trace that is quiet is looked at once a second */
    INFO_TICKS = 10,       /* counts are asked for once a second while a small trace grows … */
    INFO_TICKS_LARGE = 100 /* … and every ten seconds for a large one */
};

#define INFO_LARGE 200000 /* requests */

/* --------------------------------------------------------------------------------- asking and saying */

uint32_t app_ask(struct app *app, struct question *question)
{
    question->number = ++app->next_number;
    if (app->outbox_count == OUTBOX) { /* the oldest is the least wanted */
        question_done(&app->outbox[0]);
        memmove(&app->outbox[0], &app->outbox[1], (OUTBOX - 1) * sizeof app->outbox[0]);
        app->outbox_count--;
    }
    app->working |= 1u << question->ask;
    app->outbox[app->outbox_count++] = *question;
    *question = (struct question){.number = app->next_number};
    return app->next_number;
}

bool app_take_question(struct app *app, struct question *out)
{
    if (app->outbox_count == 0)
        return false;
    *out = app->outbox[0];
    app->outbox_count--;
    memmove(&app->outbox[0], &app->outbox[1], (size_t)app->outbox_count * sizeof app->outbox[0]);
    return true;
}

static char *copy_or_null(const char *text)
{
    return text ? xstrndup(text, strlen(text)) : NULL;
}

/* About the list as it is. */
static void ask_plainly(struct app *app, enum ask ask)
{
    struct question question = {
        .ask = ask, .order = app->list.order, .filter = copy_or_null(app->filter)};
    (void)app_ask(app, &question); /* there is one of a kind at a time */
}

void app_say(struct app *app, bool is_bad, const char *format, ...)
{
    struct text said = {0};
    va_list arguments;
    va_start(arguments, format);
    text_print_v(&said, format, arguments);
    va_end(arguments);
    text_clear(&app->message);
    text_outside(&app->message, text_string(&said), app->look.ascii);
    app->message_is_bad = is_bad;
    text_done(&said);
}

/* ------------------------------------------------------------------------------------ what is lacking */

static void pump_list(struct app *app)
{
    struct question question;
    if (!list_wants(&app->list, &question))
        return;
    question.filter = copy_or_null(app->filter);
    list_sent(&app->list, app_ask(app, &question));
}

static bool wants_detail(const struct app *app)
{
    return view_of(app->view)->has_facts || app->view == VIEW_DETAIL;
}

static void pump_detail(struct app *app)
{
    const np_row *row = list_selected(&app->list);
    if (!row || !wants_detail(app) || app->list.jump != JUMP_NONE ||
        app->detail.asked_id == row->id || app_detail(app))
        return;
    struct question question = {.ask = ASK_DETAIL, .id = row->id};
    app->detail.asked_id = row->id;
    (void)app_ask(app, &question); /* known by its id */
}

/* The report is made when the summary is looked at; a filter or more rows make it anew. */
static void pump_report(struct app *app)
{
    if (app->view != VIEW_SUMMARY || app->summary.is_asked)
        return;
    struct question question = {.ask = ASK_REPORT,
                                .filter = copy_or_null(app->filter),
                                .by = copy_or_null(summary_grouping(app)),
                                .limit = SUMMARY_GROUPS_MOST};
    app->summary.is_asked = true;
    (void)app_ask(app, &question); /* there is one at a time */
}

static bool may_ask(const struct app *app, enum ask ask)
{
    return !((app->working | app->given_up) & 1u << ask);
}

static void pump_info(struct app *app)
{
    if (!app->list.has_answer || app->info || !may_ask(app, ASK_INFO))
        return;
    ask_plainly(app, ASK_INFO);
}

/* How many rows there are is not waited for, but nice to know. */
static void pump_count(struct app *app)
{
    if (app->list.has_answer && app->list.total < 0 && app->list.jump == JUMP_NONE &&
        may_ask(app, ASK_COUNT))
        ask_plainly(app, ASK_COUNT);
}

static void fit_view(struct app *app)
{
    const struct view *view = view_of(app->view);
    app->look.columns = app->columns;
    app->layout = layout_for(app->columns, app->rows, view->has_facts);
    if (!app->layout.is_too_small && view->fit)
        view->fit(app);
}

static void pump(struct app *app)
{
    fit_view(app);
    pump_list(app);
    pump_detail(app);
    pump_report(app);
    pump_info(app);
    pump_count(app);
}

/* -------------------------------------------------------------------------------------------- begin, end */

void app_init(struct app *app, const struct app_options *options)
{
    *app = (struct app){
        .look = options->look,
        .glyphs = glyphs_for(options->look.ascii),
        .file = xstrndup(options->file, strlen(options->file)),
        .columns = options->columns,
        .rows = options->rows,
        .view = options->view,
        .filter = copy_or_null(options->filter),
        .is_following = options->is_following,
        .may_follow = options->may_follow,
        .waterfall = {.is_fitted = true},
        .summary = {.row = SUMMARY_ROW_FIRST},
    };
    app->look.roles = true;
    list_init(&app->list, (struct order){.by = ORDER_ID});
    if (options->is_following)
        list_end(&app->list);
    pump(app);
}

void app_done(struct app *app)
{
    list_done(&app->list);
    free(app->file);
    free(app->filter);
    free(app->needle);
    np_store_info_free(app->info);
    np_request_detail_free(app->detail.request);
    np_page_free(app->detail.call);
    text_done(&app->detail.text);
    np_report_free(app->summary.report);
    text_done(&app->overlay);
    text_done(&app->message);
    text_done(&app->mistake);
    text_done(&app->wishes.copy);
    prompt_close(&app->prompt);
    history_done(&app->filter_history);
    history_done(&app->search_history);
    history_done(&app->go_history);
    history_done(&app->sort_history);
    for (int i = 0; i < app->outbox_count; i++)
        question_done(&app->outbox[i]);
    *app = (struct app){0};
}

/* ------------------------------------------------------------------------------------------------ views */

void app_show(struct app *app, enum view_id view)
{
    if (view == app->view || !view_of(view))
        return;
    if (app->trail_count == TRAIL) {
        memmove(&app->trail[0], &app->trail[1], (TRAIL - 1) * sizeof app->trail[0]);
        app->trail_count--;
    }
    app->trail[app->trail_count++] = app->view;
    app->view = view;
    app->detail.scroll.top = 0;
    app->help.top = 0;
}

void app_back(struct app *app)
{
    if (app->trail_count > 0)
        app->view = app->trail[--app->trail_count];
}

const np_request_detail *app_detail(const struct app *app)
{
    const np_row *row = list_selected(&app->list);
    const np_request_detail *request = app->detail.request;
    return row && request && request->row.id == row->id ? request : NULL;
}

void app_filter(struct app *app, const char *filter)
{
    free(app->filter);
    app->filter = copy_or_null(filter);
    app->summary.is_asked = false;
    app->new_count = 0;
    list_restart(&app->list, app->list.order);
}

/* --------------------------------------------------------------------------------------------- answers */

static bool is_canceled(const struct answer *answer)
{
    return answer->status == NP_E_CANCELED;
}

/* Rows that were not to be had: an order or a filter that was stopped is given up, so that there is
 * a list again. */
static void lose_rows(struct app *app, const struct answer *answer)
{
    const struct order plain = {.by = ORDER_ID};
    if (is_canceled(answer) && app->list.order.by != ORDER_ID) {
        app_say(app, false, "stopped; in the order of completion again");
        list_restart(&app->list, plain);
    } else if (is_canceled(answer) && app->filter) {
        app_filter(app, NULL);
        app_say(app, false, "stopped; the filter is off");
    } else if (!is_canceled(answer)) {
        app_say(app, true, "%s", answer->error.text);
    }
}

static void take_rows(struct app *app, struct answer *answer)
{
    const bool is_lost = answer->status != NP_OK;
    if (answer->number != app->list.asked)
        return;
    if (is_lost && is_canceled(answer)) {
        app->list.asked = 0;
        lose_rows(app, answer);
        return;
    }
    if (app->list.jump != JUMP_NONE)
        app->given_up &= ~(1u << ASK_COUNT); /* another list, perhaps */
    (void)list_take(&app->list, answer);     /* the number is the one that was asked */
    if (is_lost)
        lose_rows(app, answer);
    const bool is_plain = app->list.order.by == ORDER_ID && !app->list.order.is_descending;
    if (is_plain ? app->list.at_end : app->list.at_start)
        app->new_count = 0;
}

/* New rows: a list that is followed goes with them where one looks at the place they come to. */
static void take_refresh(struct app *app, const struct answer *answer)
{
    const struct order order = app->list.order;
    const bool is_plain = order.by == ORDER_ID && !order.is_descending;
    const bool is_there = is_plain ? list_is_at_tail(&app->list) : app->list.selected <= 0;
    if (answer->status || answer->count == 0)
        return;
    app->idle_ticks = 0;
    app->new_count += (int64_t)answer->count;
    app->is_info_old = true;
    app->more_than_info += app->filter ? 0 : answer->count;
    list_grew(&app->list, (int64_t)answer->count);
    if (!app->is_following)
        return;
    app->summary.is_asked = false;
    if (is_there && is_plain)
        list_end(&app->list);
    else if (is_there)
        list_reload(&app->list);
}

static void take_count(struct app *app, const struct answer *answer)
{
    if (!answer->status)
        list_counted(&app->list, (int64_t)answer->count);
}

static bool is_being_recorded(const np_store_info *info)
{
    for (size_t i = 0; i < info->run_count; i++)
        if (strcmp(info->runs[i].state, "recording") == 0)
            return true;
    return false;
}

static void take_info(struct app *app, struct answer *answer)
{
    if (answer->status)
        return;
    np_store_info_free(app->info);
    app->info = answer->info;
    app->more_than_info = 0;
    answer->info = NULL;
    summary_read_labels(app);
    if (app->may_follow && is_being_recorded(app->info)) {
        app->is_following = true;
        list_end(&app->list);
    }
    app->may_follow = false;
}

static void take_detail(struct app *app, struct answer *answer)
{
    if (answer->status) {
        if (!is_canceled(answer) && app->view == VIEW_DETAIL)
            app_say(app, true, "%s", answer->error.text);
        if (is_canceled(answer))
            app->detail.asked_id = 0;
        return;
    }
    np_request_detail_free(app->detail.request);
    np_page_free(app->detail.call);
    app->detail.request = answer->detail;
    app->detail.call = answer->call;
    app->detail.asked_id = 0;
    answer->detail = NULL;
    answer->call = NULL;
}

static void take_report(struct app *app, struct answer *answer)
{
    if (answer->status) {
        app_say(app, !is_canceled(answer), "%s", answer->error.text);
        if (is_canceled(answer))
            app_back(app);
        app->summary.is_asked = !is_canceled(answer);
        return;
    }
    np_report_free(app->summary.report);
    app->summary.report = answer->report;
    answer->report = NULL;
}

static void take_found(struct app *app, struct answer *answer)
{
    if (answer->number != app->searching)
        return;
    app->searching = 0;
    if (answer->status)
        app_say(app, !is_canceled(answer), "%s", answer->error.text);
    else if (answer->id == 0 && answer->ask == ASK_TIME)
        app_say(app, false, "there is no request");
    else if (answer->id == 0)
        app_say(app, false, "nothing %s matches '%s'",
                answer->place == NP_LIST_BEFORE ? "above" : "below",
                app->needle ? app->needle : "");
    else
        list_go(&app->list, answer->id);
}

static void take_answer(struct app *app, struct answer *answer)
{
    app->working &= ~(1u << answer->ask);
    app->given_up |= answer->status ? 1u << answer->ask : 0;
    app->per_thousand = 0;
    switch (answer->ask) {
    case ASK_ROWS:
        take_rows(app, answer);
        break;
    case ASK_REFRESH:
        take_refresh(app, answer);
        break;
    case ASK_COUNT:
        take_count(app, answer);
        break;
    case ASK_INFO:
        take_info(app, answer);
        break;
    case ASK_DETAIL:
        take_detail(app, answer);
        break;
    case ASK_REPORT:
        take_report(app, answer);
        break;
    case ASK_SEARCH:
    case ASK_TIME:
        take_found(app, answer);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------ time */

int app_tick_ms(const struct app *app)
{
    return app->is_frozen ? -1 : app->is_following ? TICK_FOLLOWING_MS : TICK_QUIET_MS;
}

static void tick(struct app *app)
{
    if (app->is_frozen || !app->list.has_answer)
        return;
    app->idle_ticks++;
    if (--app->ticks_to_refresh <= 0 && !(app->working & 1u << ASK_REFRESH)) {
        const int quiet = app->is_following ? 1 + app->idle_ticks / 10 : 1;
        ask_plainly(app, ASK_REFRESH);
        app->ticks_to_refresh = quiet < IDLE_TICKS_MOST ? quiet : IDLE_TICKS_MOST;
    }
    const bool is_large = app->info && app->info->requests > INFO_LARGE;
    if (--app->ticks_to_info <= 0 && app->info && app->is_info_old) {
        ask_plainly(app, ASK_INFO);
        app->is_info_old = false;
        app->ticks_to_info = is_large ? INFO_TICKS_LARGE : INFO_TICKS;
    }
}

/* --------------------------------------------------------------------------------------------- actions */

static void copy_request(struct app *app, bool is_own)
{
    const np_request_detail *request = app_detail(app);
    if (!request) {
        app_say(app, false, "there is no request to copy");
        return;
    }
    text_clear(&app->wishes.copy);
    if (is_own)
        command_line_record(request, &app->wishes.copy);
    else
        command_line_curl(request, &app->wishes.copy);
    text_clear(&app->overlay);
    text_outside(&app->overlay, text_string(&app->wishes.copy), app->look.ascii);
}

static void search_on(struct app *app, bool is_backwards)
{
    const np_row *row = list_selected(&app->list);
    if (!app->needle) {
        app_prompt(app, ACTION_SEARCH);
        return;
    }
    if (!row)
        return;
    struct question question = {.ask = ASK_SEARCH,
                                .order = app->list.order,
                                .place = is_backwards ? NP_LIST_BEFORE : NP_LIST_BEHIND,
                                .id = row->id,
                                .filter = copy_or_null(app->filter),
                                .needle = copy_or_null(app->needle)};
    app->searching = app_ask(app, &question);
}

static void toggle_following(struct app *app)
{
    app->is_following = !app->is_following;
    app->is_frozen = false;
    app->idle_ticks = 0;
    app->ticks_to_refresh = 0;
    if (app->is_following && app->list.order.by == ORDER_ID && !app->list.order.is_descending)
        list_end(&app->list);
    app_say(app, false, "%s",
            app->is_following ? "following: new requests are shown as they come"
                              : "not following any more");
}

/* What Esc does: end what runs, go back, take the filter off; one at a time. */
static void step_back(struct app *app)
{
    const uint32_t background =
        1u << ASK_INFO | 1u << ASK_REFRESH | 1u << ASK_COUNT | 1u << ASK_DETAIL;
    if (app->working & ~background) {
        app->wishes.cancel = true;
    } else if (app->trail_count > 0) {
        app_back(app);
    } else if (app->view != VIEW_REQUESTS) {
        app->view = VIEW_REQUESTS;
    } else if (app->filter) {
        app_filter(app, NULL);
        app_say(app, false, "the filter is off");
    }
}

static void act(struct app *app, enum action_id action)
{
    switch (action) {
    case ACTION_REQUESTS:
        app_show(app, VIEW_REQUESTS);
        break;
    case ACTION_WATERFALL:
        app_show(app, VIEW_WATERFALL);
        break;
    case ACTION_SUMMARY:
        app_show(app, VIEW_SUMMARY);
        break;
    case ACTION_HELP:
        app_show(app, VIEW_HELP);
        break;
    case ACTION_OPEN:
        if (list_selected(&app->list))
            app_show(app, VIEW_DETAIL);
        break;
    case ACTION_FILTER:
    case ACTION_SEARCH:
    case ACTION_GO:
    case ACTION_SORT:
        app_prompt(app, action);
        break;
    case ACTION_NEXT:
    case ACTION_PREVIOUS:
        search_on(app, action == ACTION_PREVIOUS);
        break;
    case ACTION_COPY:
    case ACTION_COPY_OWN:
        copy_request(app, action == ACTION_COPY_OWN);
        break;
    case ACTION_FOLLOW:
        toggle_following(app);
        break;
    case ACTION_FREEZE:
        app->is_frozen = !app->is_frozen;
        break;
    case ACTION_BACK:
        step_back(app);
        break;
    case ACTION_QUIT:
        if (app->trail_count > 0)
            app_back(app);
        else
            app->wishes.quit = true;
        break;
    case ACTION_LEAVE:
        app->wishes.quit = true;
        break;
    case ACTION_SUSPEND:
        app->wishes.suspend = true;
        break;
    case ACTION_REDRAW:
        app->wishes.redraw = true;
        break;
    default:
        break;
    }
}

static void update_action(struct app *app, enum action_id action)
{
    const struct msg msg = {.kind = MSG_ACTION, .action = (int)action};
    if (action == ACTION_NONE ||
        (view_of(app->view)->update && view_of(app->view)->update(app, &msg)))
        return;
    act(app, action);
}

static void update_key(struct app *app, int key)
{
    app->may_follow = false;
    if (app->overlay.length > 0) {
        text_clear(&app->overlay);
        return;
    }
    if (app->prompt.is_open) {
        const enum action_id action = (enum action_id)app->prompt.kind;
        const enum prompt_result result = prompt_key(&app->prompt, key);
        text_clear(&app->message);
        text_clear(&app->mistake);
        if (result == PROMPT_DONE) {
            struct text line = {0};
            text_puts(&line, text_string(&app->prompt.line));
            app_typed(app, action, text_string(&line));
            text_done(&line);
        } else if (result == PROMPT_LEFT) {
            prompt_close(&app->prompt);
        }
        return;
    }
    text_clear(&app->message);
    if (!app->layout.is_too_small)
        update_action(app, action_of(app->view, key));
    else if (key == 'q' || key == 3)
        app->wishes.quit = true;
}

static void update_mouse(struct app *app, const struct msg *msg)
{
    const struct rect bar = app->layout.bar;
    if (app->overlay.length > 0 || app->prompt.is_open || app->layout.is_too_small) {
        text_clear(&app->overlay);
        return;
    }
    text_clear(&app->message);
    if (msg->button == MOUSE_WHEEL_UP || msg->button == MOUSE_WHEEL_DOWN) {
        const enum action_id action = msg->button == MOUSE_WHEEL_UP ? ACTION_UP : ACTION_DOWN;
        for (int i = 0; i < 3; i++)
            update_action(app, action);
    } else if (msg->y == bar.y) {
        update_action(app, bar_action_at(app, msg->x));
    } else if (view_of(app->view)->update) {
        (void)view_of(app->view)->update(app, msg); /* or nothing is there */
    }
}

void app_update(struct app *app, const struct msg *msg)
{
    switch (msg->kind) {
    case MSG_KEY:
        update_key(app, msg->key);
        break;
    case MSG_ACTION:
        update_action(app, (enum action_id)msg->action);
        break;
    case MSG_MOUSE:
        update_mouse(app, msg);
        break;
    case MSG_RESIZE:
        app->columns = msg->x;
        app->rows = msg->y;
        break;
    case MSG_TICK:
        tick(app);
        break;
    case MSG_ANSWER:
        take_answer(app, msg->answer);
        break;
    case MSG_PROGRESS:
        app->per_thousand = msg->per_thousand > 0 ? msg->per_thousand : 1;
        break;
    }
    pump(app);
}
