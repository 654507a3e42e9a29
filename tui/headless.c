/* An app without a terminal; see headless.h. */
#include "headless.h"
#include "character.h"
#include "key.h"
#include <string.h>

enum {
    ANSWERS_MOST = 1000 /* a question that is asked again and again would be a mistake of ours */
};

static void answer_all(struct headless *headless)
{
    struct question question;
    for (int i = 0; i < ANSWERS_MOST && app_take_question(&headless->app, &question); i++) {
        struct answer answer;
        source_answer(headless->source, &question, &answer);
        const struct msg msg = {.kind = MSG_ANSWER, .answer = &answer};
        app_update(&headless->app, &msg);
        answer_done(&answer);
        question_done(&question);
    }
}

void headless_open(struct headless *headless, np_store *store, const struct app_options *options)
{
    *headless = (struct headless){0};
    headless->source = source_create(store, NULL, NULL);
    app_init(&headless->app, options);
    cells_init(&headless->cells, options->columns, options->rows);
    answer_all(headless);
}

void headless_close(struct headless *headless)
{
    app_done(&headless->app);
    cells_done(&headless->cells);
    source_free(headless->source);
    *headless = (struct headless){0};
}

void headless_send(struct headless *headless, const struct msg *msg)
{
    app_update(&headless->app, msg);
    answer_all(headless);
}

void headless_resize(struct headless *headless, int columns, int rows)
{
    const struct msg msg = {.kind = MSG_RESIZE, .x = columns, .y = rows};
    cells_done(&headless->cells);
    cells_init(&headless->cells, columns, rows);
    headless_send(headless, &msg);
}

static void press(struct headless *headless, int key)
{
    const struct msg msg = {.kind = MSG_KEY, .key = key};
    headless_send(headless, &msg);
}

/* Behind the closing quote; NULL: there is none. */
static const char *type(struct headless *headless, const char *at)
{
    for (at++; *at;) {
        if (*at == '\'' && at[1] != '\'')
            return at + 1;
        at += *at == '\'';
        press(headless, (int)character_next(&at));
    }
    return NULL;
}

bool headless_keys(struct headless *headless, const char *keys)
{
    while (keys && *keys) {
        keys += strspn(keys, " ");
        if (*keys == '\'' && keys[1] != '\0') {
            keys = type(headless, keys);
            continue;
        }
        const int key = key_next(&keys);
        if (key < 0)
            return false;
        if (key > 0)
            press(headless, key);
    }
    return keys != NULL;
}

void headless_text(struct headless *headless, struct text *out)
{
    app_draw(&headless->app, &headless->cells);
    cells_text(&headless->cells, out);
}

void headless_roles(struct headless *headless, struct text *out)
{
    app_draw(&headless->app, &headless->cells);
    cells_roles(&headless->cells, out);
}
