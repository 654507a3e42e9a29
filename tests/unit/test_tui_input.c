/* Keys, the table of actions, the line one types, and command lines for a shell. */
#include "action.h"
#include "app.h"
#include "command_line.h"
#include "key.h"
#include "prompt.h"
#include "sample_request.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------- keys */

Test(key, names_are_read_and_written)
{
    static const char names[] = "j Down C-n Space F10 S-Tab Esc Enter PgUp ? é + <";
    const char *at = names;
    struct text again = {0};
    int key;
    while ((key = key_next(&at)) != 0) {
        cr_assert_gt(key, 0, "before '%s'", at);
        text_puts(&again, again.length > 0 ? " " : "");
        key_put(key, &again);
    }
    cr_expect_str_eq(text_string(&again), names);
    text_done(&again);
}

Test(key, a_name_that_is_none_is_said_to_be)
{
    const char *at = "Hyper-x";
    cr_expect_eq(key_next(&at), -1);
    at = "F13";
    cr_expect_eq(key_next(&at), -1);
}

/* ---------------------------------------------------------------------------------------- actions */

Test(action, every_action_has_keys_that_are_some_and_a_view)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        const char *at = actions[i].keys;
        int keys = 0;
        int key;
        while ((key = key_next(&at)) != 0) {
            cr_expect_gt(key, 0, "%s has a key that is none", actions[i].name);
            keys++;
        }
        cr_expect_gt(keys, 0, "%s", actions[i].name);
        cr_expect(actions[i].views != 0 && actions[i].help[0], "%s", actions[i].name);
    }
}

Test(action, in_a_view_no_key_means_two_things)
{
    for (int view = 0; view < VIEWS; view++) {
        for (int i = 0; i < ACTION_COUNT; i++) {
            if (!(actions[i].views & 1u << view))
                continue;
            int key;
            for (const char *at = actions[i].keys; (key = key_next(&at)) != 0;)
                cr_expect_eq((int)action_of((enum view_id)view, key), i, "%s in view %d: %s",
                             actions[i].name, view, actions[i].keys);
        }
    }
}

Test(action, every_view_can_be_left_and_has_its_help)
{
    for (int view = 0; view < VIEWS; view++) {
        if (!view_of((enum view_id)view))
            continue;
        cr_expect_eq(action_of((enum view_id)view, 'q'), ACTION_QUIT);
        cr_expect_eq(action_of((enum view_id)view, KEY_CODE_ESCAPE), ACTION_BACK);
        cr_expect(view == VIEW_HELP || action_of((enum view_id)view, '?') == ACTION_HELP);
        cr_expect_eq(view_find(view_of((enum view_id)view)->name), (enum view_id)view);
    }
    cr_expect_eq(view_find("nonsense"), VIEWS);
}

Test(action, names_are_there_once)
{
    for (int a = 0; a < ACTION_COUNT; a++)
        for (int b = a + 1; b < ACTION_COUNT; b++)
            cr_expect_str_neq(actions[a].name, actions[b].name);
}

/* ----------------------------------------------------------------------------------------- prompt */

static struct prompt prompt;
static struct history history;
static const char *const words[] = {"setup_ns", "send_ns", "status", NULL};

static enum prompt_result type(const char *keys)
{
    enum prompt_result result = PROMPT_GOES_ON;
    int key;
    while ((key = key_next(&keys)) != 0)
        result = prompt_key(&prompt, key);
    return result;
}

static void open_prompt(const char *line)
{
    prompt_open(&prompt, 1, "filter: ", line, &history, words);
}

static void assert_line(const char *expected, size_t cursor)
{
    cr_expect_str_eq(text_string(&prompt.line), expected);
    cr_expect_eq(prompt.cursor, cursor, "found %zu", prompt.cursor);
}

static void close_prompt(void)
{
    prompt_close(&prompt);
    history_done(&history);
}

Test(prompt, characters_go_in_where_the_cursor_is)
{
    open_prompt("");
    type("a c Left b");
    assert_line("abc", 2);
    type("Home x End y");
    assert_line("xabcy", 5);
    close_prompt();
}

Test(prompt, whole_characters_are_deleted_with_their_marks)
{
    open_prompt("木e\u0301x");
    type("Left BackSp");
    assert_line("木x", 3);
    type("Left Del");
    assert_line("x", 0);
    close_prompt();
}

Test(prompt, words_and_lines_are_cut)
{
    open_prompt("status = 200 and failed");
    type("C-w");
    assert_line("status = 200 and ", 17);
    type("Home C-k");
    assert_line("", 0);
    open_prompt("abc");
    type("C-u");
    assert_line("", 0);
    close_prompt();
}

Test(prompt, older_lines_come_back_and_the_typed_one_too)
{
    history_add(&history, "first");
    history_add(&history, "second");
    history_add(&history, "second");
    cr_expect_eq(history.count, 2, "the same twice is once");
    open_prompt("");
    type("n e w Up");
    assert_line("second", 6);
    type("Up Up");
    assert_line("first", 5);
    type("Down Down");
    assert_line("new", 3);
    close_prompt();
}

Test(prompt, enter_ends_it_and_remembers_the_line)
{
    open_prompt("failed");
    cr_expect_eq(type("Enter"), PROMPT_DONE);
    cr_expect_eq(history.count, 1);
    cr_expect_str_eq(history.lines[0], "failed");
    cr_expect_eq(type("Esc"), PROMPT_LEFT);
    close_prompt();
}

Test(prompt, a_line_that_was_refused_is_typed_on)
{
    open_prompt("nonsense");
    cr_expect_eq(type("Enter"), PROMPT_DONE);
    type("x Down");
    assert_line("nonsensex", 9);
    type("Up Down");
    assert_line("nonsensex", 9);
    close_prompt();
}

Test(prompt, a_full_history_forgets_the_oldest)
{
    char line[32];
    for (int i = 0; i < PROMPT_HISTORY + 5; i++) {
        snprintf(line, sizeof line, "line %d", i);
        history_add(&history, line);
    }
    cr_expect_eq(history.count, PROMPT_HISTORY);
    cr_expect_str_eq(history.lines[0], "line 5");
    history_done(&history);
}

Test(prompt, tab_completes_as_far_as_it_is_clear)
{
    struct text hint = {0};
    open_prompt("failed and set");
    type("Tab");
    assert_line("failed and setup_ns", 19);
    open_prompt("s");
    prompt_completions(&prompt, &hint);
    cr_expect_str_eq(text_string(&hint), "setup_ns  send_ns  status");
    type("Tab");
    assert_line("s", 1);
    type("e Tab");
    assert_line("se", 2);
    open_prompt("nothing");
    type("Tab");
    assert_line("nothing", 7);
    text_done(&hint);
    close_prompt();
}

Test(prompt, it_does_not_grow_without_end)
{
    open_prompt("");
    for (int i = 0; i < PROMPT_BYTES + 100; i++)
        prompt_key(&prompt, 'x');
    cr_expect_leq(prompt.line.length, PROMPT_BYTES);
    close_prompt();
}

Test(prompt, completion_knows_every_column_of_a_filter)
{
    static const char *const no_columns[] = {"and",     "or",   "not",  "in",    "is",    "like",
                                             "between", "null", "true", "false", "label."};
    for (const char *const *word = app_filter_words(); *word; word++) {
        bool is_column = true;
        for (size_t i = 0; i < sizeof no_columns / sizeof no_columns[0]; i++)
            is_column = is_column && strcmp(*word, no_columns[i]) != 0;
        if (!is_column)
            continue;
        char expression[128];
        np_filter *filter = NULL;
        snprintf(expression, sizeof expression, "%s is null", *word);
        cr_expect_eq(np_filter_parse(expression, &filter, NULL, NULL), NP_OK, "%s", *word);
        np_filter_free(filter);
        if (word[1])
            cr_expect_lt(strcmp(*word, word[1]), 0, "%s is in order", *word);
    }
}

/* ---------------------------------------------------------------------------------- command lines */

static void assert_command(void (*write)(const np_request_detail *, struct text *),
                           const np_request_detail *request, const char *expected)
{
    struct text out = {0};
    write(request, &out);
    cr_expect_str_eq(text_string(&out), expected);
    text_done(&out);
}

Test(command_line, words_are_quoted_for_the_shell)
{
    np_request_detail request = *sample_reused();
    const np_header headers[] = {
        {0, "accept", "text/html"  },
        {0, "host",   "api.example"},
        {1, "server", "nginx"      },
        {0, "x-it's", "a 'b'"      }
    };
    request.headers = headers;
    request.header_count = 4;
    request.row.method = "POST";
    request.row.url = "https://api.example/a b?q=*&x=1";
    request.row.proxy = "http://px1.corp:3128";
    assert_command(command_line_curl, &request,
                   "curl --http2 -X POST -H 'accept: text/html' -H 'x-it'\\''s: a '\\''b'\\''' "
                   "--proxy http://px1.corp:3128 'https://api.example/a b?q=*&x=1'");
    assert_command(command_line_record, &request,
                   "netphase record --http2 -X POST -H 'accept: text/html' -H 'x-it'\\''s: a "
                   "'\\''b'\\''' --proxy http://px1.corp:3128 'https://api.example/a b?q=*&x=1'");
}

Test(command_line, control_characters_cannot_break_out)
{
    np_request_detail request = *sample_reused();
    request.row.method = "GET";
    request.row.protocol = "http/1.1";
    request.row.proxy = "";
    request.row.url = "http://h/\n'; rm -rf /\\";
    assert_command(command_line_curl, &request,
                   "curl --http1.1 $'http://h/\\x0a\\'; rm -rf /\\\\'");
}
