/* Text as a terminal sees it, tables, JSON in and out, times and durations, the line that moves. */
#include "json.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include "text.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void assert_text(struct text *text, const char *expected)
{
    cr_assert_str_eq(text_string(text), expected, "found:\n%s\nexpected:\n%s", text_string(text),
                     expected);
    text_done(text);
}

Test(cli_text, width_counts_cells_not_bytes)
{
    cr_expect_eq(text_width("abc"), 3);
    cr_expect_eq(text_width("é…█"), 3);
    cr_expect_eq(text_width("日本"), 4);
    cr_expect_eq(text_width("e\u0301"), 1);
    cr_expect_eq(text_width("\033[1;38;5;166mred\033[0m"), 3);
    cr_expect_eq(text_width("\xff\xc3"), 2, "bytes that are no UTF-8 count one each");
}

Test(cli_text, cut_never_splits_a_character_or_exceeds_the_width)
{
    struct text text = {0};
    cr_expect_eq(text_cut(&text, "日本語", 4, false), 3);
    assert_text(&text, "日…");
    cr_expect_eq(text_cut(&text, "abcdef", 4, true), 4);
    assert_text(&text, "abc~");
    cr_expect_eq(text_cut(&text, "abcd", 4, true), 4);
    assert_text(&text, "abcd");
    cr_expect_eq(text_cut(&text, "abcd", 0, true), 0);
    assert_text(&text, "");
}

Test(cli_text, wrap_breaks_at_blanks_and_keeps_ties)
{
    struct text text = {0};
    text_wrap(&text,
              "one two three ttl\x01"
              "60\x01s",
              4, 2, 15);
    assert_text(&text, "one two\n  three\n  ttl 60 s");
    text_wrap(&text, "x aaaaaaaaaaaaaa bb", 0, 2, 8);
    assert_text(&text, "x\n  aaaaaa\n  aaaaaa\n  aa bb");
}

Test(cli_text, nearest_word_is_near_or_nothing)
{
    static const char *const words[] = {"record", "report", "show", "info", "lab"};
    cr_expect_str_eq(nearest_word("recrod", words, 5), "record");
    cr_expect_str_eq(nearest_word("reprot", words, 5), "report");
    cr_expect_str_eq(nearest_word("inf", words, 5), "info");
    cr_expect_null(nearest_word("xyzzy", words, 5));
    cr_expect_null(nearest_word("", words, 5));
    char endless[4096];
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    cr_expect_null(nearest_word(endless, words, 5));
}

Test(cli_text, outside_text_is_harmless_and_ascii_where_asked)
{
    struct text text = {0};
    text_outside(&text, "a\033[31mb", false);
    cr_expect_null(strchr(text_string(&text), '\033'));
    text_done(&text);
    text_outside(&text, "é…", true);
    assert_text(&text, "\\u{e9}...");
}

Test(cli_text, thousands_are_grouped)
{
    struct text text = {0};
    text_thousands(&text, 0);
    text_char(&text, ' ');
    text_thousands(&text, 999);
    text_char(&text, ' ');
    text_thousands(&text, 1234567);
    assert_text(&text, "0 999 1,234,567");
}

Test(cli_text, table_columns_align_at_the_point)
{
    struct look look = {.ascii = true, .columns = 80};
    struct table table = {0};
    table_column(&table, "phase", ALIGN_LEFT, 0);
    table_column(&table, "n", ALIGN_RIGHT, 2);
    table_column(&table, "p50", ALIGN_POINT, 2);
    static const char *const cells[] = {"dns", "8", "0.05", "connect", "192", "5004",
                                        "tls", "-", "",     "wait",    "1",   "41.2"};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        table_cell(&table, cells[i]);
    struct text out = {0};
    table_write(&table, &look, &out);
    table_done(&table);
    assert_text(&out, "phase      n      p50\n"
                      "dns        8     0.05\n"
                      "connect  192  5004\n"
                      "tls        -\n"
                      "wait       1    41.2\n");
}

/* -------------------------------------------------------------------------------------------------
 * figures */

static const char *in_unit(int64_t duration_ns, enum unit unit)
{
    static struct text text;
    text_clear(&text);
    duration_in(&text, duration_ns, unit);
    return text_string(&text);
}

Test(cli_text, durations_show_about_three_figures_and_zero_only_for_zero)
{
    cr_expect_str_eq(in_unit(0, UNIT_MS), "0");
    cr_expect_str_eq(in_unit(2000, UNIT_MS), "0.002");
    cr_expect_str_eq(in_unit(50000, UNIT_MS), "0.05");
    cr_expect_str_eq(in_unit(9990000, UNIT_MS), "9.99");
    cr_expect_str_eq(in_unit(9999000, UNIT_MS), "10.0");
    cr_expect_str_eq(in_unit(999940000, UNIT_MS), "999.9");
    cr_expect_str_eq(in_unit(5003900000, UNIT_MS), "5004");
    cr_expect_str_eq(in_unit(812, UNIT_NS), "812");
    cr_expect_str_eq(in_unit(-1500000, UNIT_MS), "-1.50");
}

Test(cli_text, sizes_and_times_read_well)
{
    struct text text = {0};
    size_people(&text, 0);
    text_char(&text, '|');
    size_people(&text, 999);
    text_char(&text, '|');
    size_people(&text, 1310);
    text_char(&text, '|');
    size_people(&text, 999999);
    text_char(&text, '|');
    size_people(&text, 123456789);
    assert_text(&text, "0 B|999 B|1.3 kB|1.0 MB|123 MB");
    time_rfc3339(&text, INT64_C(1795435466118000000), 9);
    assert_text(&text, "2026-11-23T12:04:26.118000000Z");
    time_rfc3339(&text, -1, 3);
    assert_text(&text, "1969-12-31T23:59:59.999Z");
    time_people(&text, INT64_C(1795435466118000000), false, 3);
    assert_text(&text, "12:04:26.118");
}

/* ---------------------------------------------------------------------------------------------------
 * JSON */

Test(cli_json, writer_keeps_commas_and_escapes)
{
    struct text out = {0};
    struct json json = {.out = &out};
    json_open(&json, NULL, '{', false);
    json_text(&json, "a\"b", "line\nend");
    json_open(&json, "list", '[', true);
    json_int(&json, NULL, -1);
    json_null(&json, NULL);
    json_open(&json, NULL, '{', false);
    json_bool(&json, "x", true);
    json_close(&json, '}');
    json_close(&json, ']');
    json_open(&json, "empty", '{', false);
    json_close(&json, '}');
    json_raw(&json, "raw", "{\"k\": [1, 2.5e3]}");
    json_raw(&json, "bad", "{broken");
    json_real(&json, "nan", 0.0 / 0.0, 2);
    json_close(&json, '}');
    json_end(&json);
    cr_assert(json_valid(out.data, out.length));
    assert_text(&out,
                "{\n  \"a\\\"b\": \"line\\nend\",\n  \"list\": [-1, null, {\"x\": true}],\n  "
                "\"empty\": {},\n"
                "  \"raw\": {\"k\": [1, 2.5e3]},\n  \"bad\": \"{broken\",\n  \"nan\": null\n}\n");
}

Test(cli_json, only_whole_documents_are_valid)
{
    static const char *const good[] = {
        "{}", "[]", " {\"a\": [true, false, null]} ", "-0.5e+10", "\"\\u00e9\\n\"", "0"};
    static const char *const bad[] = {"",    "{",   "{\"a\"}", "{\"a\":}", "[1,]",        "01",
                                      "1.",  "+1",  "\"\\x\"", "\"\n\"",   "\"\\u12g4\"", "{} {}",
                                      "nul", "'a'", "{a:1}",   "\"open",   "[",           "-"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(json_valid(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(json_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
    char deep[4096];
    memset(deep, '[', sizeof deep);
    cr_expect_not(json_valid(deep, sizeof deep));
}

Test(cli_json, members_of_an_object_are_read_one_by_one)
{
    const char *at = " {\"server\": \"10.0.0.1:53\", \"ttl_s\": 60, \"tc\": true, \"list\": [1, "
                     "2], \"none\": null, \"t\": \"a\\u00e9\\n\\ud83d\\u0000\"} ";
    struct json_member member;
    cr_assert(json_member_next(&at, &member));
    cr_expect_str_eq(member.key, "server");
    cr_expect_str_eq(member.value, "10.0.0.1:53");
    cr_expect_eq(member.kind, 's');
    cr_assert(json_member_next(&at, &member));
    cr_expect_str_eq(member.value, "60");
    cr_expect_eq(member.kind, 'n');
    cr_assert(json_member_next(&at, &member));
    cr_expect_eq(member.kind, 'b');
    cr_assert(json_member_next(&at, &member));
    cr_expect_str_eq(member.value, "[1, 2]");
    cr_assert(json_member_next(&at, &member));
    cr_expect_eq(member.kind, '0');
    cr_assert(json_member_next(&at, &member));
    cr_expect_str_eq(member.value, "aé\n??");
    cr_assert_not(json_member_next(&at, &member));
    static const char *const none[] = {"", "[]", "{", "{}", "{1:2}", "{\"a\" 1}", "x"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        at = none[i];
        cr_expect_not(json_member_next(&at, &member), "%s", none[i]);
    }
}

Test(cli_json, long_values_are_cut_at_a_character)
{
    char text[2048] = "{\"k\": \"";
    for (int i = 0; i < 600; i++)
        strncat(text, "é", sizeof text - strlen(text) - 1);
    strncat(text, "\"}", sizeof text - strlen(text) - 1);
    const char *at = text;
    struct json_member member;
    cr_assert(json_member_next(&at, &member));
    cr_expect_lt(strlen(member.value), sizeof member.value);
    cr_expect_eq(strlen(member.value) % 2, 0);
    cr_expect_eq(text_width(member.value), (int)strlen(member.value) / 2);
}

/* ------------------------------------------------------------------------------------------------
 * progress */

static const struct progress_figures figures = {.done = 134,
                                                .expected = 200,
                                                .failed = 1,
                                                .elapsed_ns = INT64_C(3250000000),
                                                .setup_p50_ns = 212000000};

Test(cli_progress, line_shows_bar_rate_and_time_left)
{
    struct look look = {.columns = 100};
    struct text line = {0};
    progress_line(&look, &figures, &line);
    cr_expect_not_null(strstr(text_string(&line), " 134/200 ━━━"), "%s", text_string(&line));
    cr_expect_not_null(
        strstr(text_string(&line), " 67 %   41 req/s   p50 setup 212.0 ms   failed 1   2 s left"),
        "%s", text_string(&line));
    cr_expect_lt(text_width(text_string(&line)), 100);
    text_done(&line);
}

Test(cli_progress, line_fits_every_width_and_ascii_is_ascii)
{
    for (int columns = 20; columns <= 200; columns++) {
        struct look look = {.columns = columns, .ascii = columns % 2 == 0};
        struct text line = {0};
        progress_line(&look, &figures, &line);
        cr_expect_lt(text_width(text_string(&line)), columns, "%d: %s", columns,
                     text_string(&line));
        for (size_t i = 0; look.ascii && i < line.length; i++)
            cr_expect_lt((unsigned char)line.data[i], 0x80);
        text_done(&line);
    }
}

Test(cli_progress, hundred_percent_is_shown_only_at_the_end)
{
    struct look look = {.columns = 100, .ascii = true};
    struct progress_figures nearly = {
        .done = 99999, .expected = 100000, .elapsed_ns = 1, .setup_p50_ns = -1};
    struct text line = {0};
    progress_line(&look, &nearly, &line);
    cr_expect_null(strstr(text_string(&line), "100 %"), "%s", text_string(&line));
    text_done(&line);
    nearly.done = 100000;
    progress_line(&look, &nearly, &line);
    cr_expect_not_null(strstr(text_string(&line), "100 %"), "%s", text_string(&line));
    cr_expect_null(strstr(text_string(&line), "failed"), "%s", text_string(&line));
    text_done(&line);
}

/* What stderr got while `draw` ran. */
static void capture_stderr(void (*draw)(struct progress *), struct progress *progress, char *out,
                           size_t size)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    draw(progress);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t length = read(ends[0], out, size - 1);
    out[length > 0 ? length : 0] = '\0';
    close(ends[0]);
}

static void draw_three_times(struct progress *progress)
{
    progress_show(progress, &figures, INT64_C(1000000000));
    progress_show(progress, &figures, INT64_C(1050000000)); /* too soon */
    progress_show(progress, &figures, INT64_C(1100000000));
    progress_erase(progress);
    progress_erase(progress);
}

Test(cli_progress, a_line_comes_ten_times_a_second_at_most_and_is_erased)
{
    struct look look = {.columns = 80, .ascii = true, .is_terminal = true};
    struct progress progress;
    char written[4096];
    progress_init(&progress, &look, true);
    capture_stderr(draw_three_times, &progress, written, sizeof written);
    int lines = 0;
    for (const char *at = written; (at = strstr(at, "\r 134/200")) != NULL; at++)
        lines++;
    cr_expect_eq(lines, 2, "%s", written);
    const char *last = strrchr(written, '\r');
    cr_assert_not_null(last);
    cr_expect_str_eq(last, "\r\033[K");
}

Test(cli_progress, nothing_is_written_where_stderr_is_no_terminal)
{
    struct look look = {.columns = 80};
    struct progress progress;
    progress_init(&progress, &look, true);
    progress_show(&progress, &figures, 1);
    cr_expect_not(progress.is_shown);
    progress_erase(&progress);
}
