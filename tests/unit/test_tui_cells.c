/* The buffer of cells: clipping, wide characters, marks, roles; glyphs, themes, layout. */
#include "cells.h"
#include "character.h"
#include "glyphs.h"
#include "layout.h"
#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

static struct cells cells;

static void make(int columns, int rows)
{
    cells_init(&cells, columns, rows);
}

static struct rect all(void)
{
    return (struct rect){0, 0, cells.columns, cells.rows};
}

static void assert_text(const char *expected)
{
    struct text text = {0};
    cells_text(&cells, &text);
    cr_assert_str_eq(text_string(&text), expected, "found:\n%s", text_string(&text));
    text_done(&text);
    cells_done(&cells);
}

Test(cells, text_stands_where_it_was_put)
{
    make(6, 2);
    cr_expect_eq(cells_put(&cells, all(), 1, 1, ROLE_PLAIN, "abc"), 3);
    assert_text("\n abc\n");
}

Test(cells, nothing_leaves_the_rectangle)
{
    make(8, 3);
    const struct rect inner = {2, 1, 3, 1};
    cr_expect_eq(cells_put(&cells, inner, -1, 0, ROLE_PLAIN, "abcdefgh"), 8);
    cells_put(&cells, inner, 0, -1, ROLE_PLAIN, "above");
    cells_put(&cells, inner, 0, 1, ROLE_PLAIN, "below");
    assert_text("\n  bcd\n\n");
}

Test(cells, nothing_leaves_the_picture)
{
    make(4, 2);
    const struct rect outside = {-2, -1, 50, 50};
    cells_put(&cells, outside, 0, 1, ROLE_PLAIN, "0123456789");
    cells_put(&cells, outside, 0, 40, ROLE_PLAIN, "far away");
    assert_text("2345\n\n");
}

Test(cells, wide_characters_take_two_cells)
{
    make(6, 1);
    cr_expect_eq(cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "検索x"), 5);
    cr_expect_eq(cells.at[0].width, 2);
    cr_expect_eq(cells.at[1].width, 0);
    assert_text("検索x\n");
}

Test(cells, half_a_wide_character_is_a_blank)
{
    make(3, 1);
    cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "検索");
    cr_expect_eq(cells.at[2].characters[0], ' ', "cut at the right edge");
    cells_put(&cells, all(), 1, 0, ROLE_PLAIN, "x");
    assert_text(" x\n");
}

Test(cells, the_right_half_of_what_a_wide_character_overwrites_is_a_blank)
{
    make(5, 1);
    cells_put(&cells, all(), 1, 0, ROLE_PLAIN, "検索");
    cells_put(&cells, all(), 2, 0, ROLE_PLAIN, "木");
    assert_text("  木\n");
}

Test(cells, marks_stand_on_the_character_before)
{
    make(4, 1);
    cr_expect_eq(cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "e\u0301x"), 2);
    cr_expect_eq(cells.at[0].characters[1], 0x301);
    assert_text("e\u0301x\n");
}

Test(cells, a_mark_alone_and_marks_beyond_room_are_left_out)
{
    make(4, 1);
    cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "\u0301a\u0300\u0301\u0302\u0303\u0304b");
    assert_text("a\u0300\u0301\u0302b\n");
}

Test(cells, what_joins_characters_is_left_out)
{
    make(8, 1);
    cr_expect_eq(cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "👩\u200d💻❤\ufe0f|"), 6);
    assert_text("👩💻❤|\n");
}

Test(cells, a_mark_on_a_wide_character_goes_to_it)
{
    make(4, 1);
    cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "木\u0301x");
    cr_expect_eq(cells.at[0].characters[1], 0x301);
    assert_text("木\u0301x\n");
}

Test(cells, control_characters_are_left_out)
{
    make(8, 1);
    cr_expect_eq(cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "a\tb\nc\x7f"), 3);
    assert_text("abc\n");
}

Test(cells, roles_in_a_text_hold_until_their_end)
{
    struct look look = {.roles = true, .columns = 80};
    struct text text = {0};
    make(8, 1);
    text_puts(&text, "a");
    look_puts(&look, &text, ROLE_PHASE + NP_PHASE_DNS, "b");
    text_puts(&text, "c");
    cr_expect_eq(cells_put(&cells, all(), 0, 0, ROLE_BAD, text_string(&text)), 3);
    cr_expect_eq(text_width(text_string(&text)), 3);
    text_clear(&text);
    cells_roles(&cells, &text);
    cr_expect_str_eq(text_string(&text), "!d!\n");
    text_done(&text);
    cells_done(&cells);
}

Test(cells, a_role_that_is_none_changes_nothing)
{
    struct text text = {0};
    make(3, 1);
    cells_put(&cells, all(), 0, 0, ROLE_PLAIN, "\033[1000;99999ma\033[0mb");
    cells_roles(&cells, &text);
    cr_expect_str_eq(text_string(&text), "..\n");
    text_done(&text);
    assert_text("ab\n");
}

Test(cells, what_is_too_long_ends_in_an_ellipsis)
{
    make(6, 2);
    cr_expect_eq(cells_put_cut(&cells, all(), 0, 0, ROLE_PLAIN, 4, "abcdef", false), 4);
    cells_put_cut(&cells, all(), 0, 1, ROLE_PLAIN, 4, "abcdef", true);
    assert_text("abc…\nabc~\n");
}

Test(cells, a_text_can_end_at_a_column)
{
    make(6, 1);
    cells_put_right(&cells, all(), 6, 0, ROLE_PLAIN, "木1");
    assert_text("   木1\n");
}

Test(cells, the_line_of_the_cursor_keeps_its_roles)
{
    struct text text = {0};
    make(4, 2);
    cells_select(&cells, all(), 1);
    cells_put(&cells, all(), 0, 1, ROLE_BAD, "x");
    cr_expect(cells.at[4].is_selected);
    cr_expect_not(cells.at[0].is_selected);
    cells_roles(&cells, &text);
    cr_expect_str_eq(text_string(&text), "\n!,,,\n");
    text_done(&text);
    cells_done(&cells);
}

/* -------------------------------------------------------------------------------------- characters */

Test(character, widths_are_those_of_the_c_library)
{
    int known = 0;
    int other = 0;
    cr_assert(setlocale(LC_CTYPE, "C.UTF-8"), "this locale is part of the C library");
    for (uint32_t c = 0x20; c < 0x110000; c++) {
        const int width = wcwidth((wchar_t)c);
        if (width < 0 || (c >= 0x7f && c < 0x300))
            continue;
        known++;
        other += width != character_cells(c);
    }
    cr_expect_gt(known, 200000);
    cr_expect_leq(other, known / 1000, "%d of %d differ", other, known);
}

Test(character, what_was_decoded_is_encoded_again)
{
    static const char *const samples[] = {"a", "é", "木", "👩"};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const char *at = samples[i];
        char bytes[5];
        const int length = character_put(character_next(&at), bytes);
        cr_expect_str_eq(bytes, samples[i]);
        cr_expect_eq((size_t)length, strlen(samples[i]));
    }
}

/* ----------------------------------------------------------------------------------- what it looks like */

Test(theme, no_two_roles_have_one_letter)
{
    for (int a = 0; a < ROLES; a++) {
        cr_expect_neq(theme_letter(a), 0, "role %d has none", a);
        for (int b = a + 1; b < ROLES; b++)
            cr_expect_neq(theme_letter(a), theme_letter(b), "roles %d and %d", a, b);
    }
}

Test(theme, without_colours_there_are_none)
{
    for (int role = 0; role < ROLES; role++) {
        for (int is_selected = 0; is_selected < 2; is_selected++) {
            const struct style style = theme_style(0, role, is_selected);
            cr_expect_eq(style.color, -1);
            cr_expect_eq(style.behind, -1);
        }
    }
    cr_expect(theme_style(0, ROLE_PLAIN, true).flags & STYLE_REVERSE, "the cursor is seen");
    cr_expect(theme_style(8, ROLE_PLAIN, true).flags & STYLE_REVERSE);
    cr_expect_neq(theme_style(256, ROLE_PLAIN, true).behind, -1);
}

Test(theme, phases_differ_in_colour_or_weight)
{
    static const int counts[] = {8, 256};
    for (size_t i = 0; i < 2; i++) {
        for (int a = 0; a < NP_PHASE_COUNT; a++) {
            for (int b = a + 1; b < NP_PHASE_COUNT; b++) {
                const struct style x = theme_style(counts[i], ROLE_PHASE + a, false);
                const struct style y = theme_style(counts[i], ROLE_PHASE + b, false);
                /* proxy and tunnel are told apart by their glyph; so are queue and gap */
                const bool is_pair = (a == NP_PHASE_PROXY && b == NP_PHASE_TUNNEL) ||
                                     (a == NP_PHASE_QUEUE && b == NP_PHASE_GAP);
                cr_expect(is_pair || x.color != y.color || x.flags != y.flags,
                          "%s and %s in %d colours", np_phase_name((np_phase)a),
                          np_phase_name((np_phase)b), counts[i]);
            }
        }
    }
}

Test(glyphs, ascii_is_ascii)
{
    const struct glyphs *plain = glyphs_for(true);
    const char *const *all_of_them = (const char *const *)(const void *)plain;
    for (size_t i = 0; i < sizeof *plain / sizeof(char *); i++)
        for (const char *at = all_of_them[i]; *at; at++)
            cr_expect_lt((unsigned char)*at, 0x80, "glyph %zu", i);
}

Test(glyphs, both_sets_take_the_same_cells_where_they_fill)
{
    for (int ascii = 0; ascii < 2; ascii++) {
        const struct glyphs *glyphs = glyphs_for(ascii);
        const char *const one_cell[] = {glyphs->cursor,   glyphs->rule,     glyphs->frame_from,
                                        glyphs->frame_to, glyphs->bar,      glyphs->failed,
                                        glyphs->middle,   glyphs->busy,     glyphs->idle,
                                        glyphs->onwards,  glyphs->backwards};
        for (size_t i = 0; i < sizeof one_cell / sizeof one_cell[0]; i++)
            cr_expect_eq(text_width(one_cell[i]), 1, "%s", one_cell[i]);
        for (int i = 0; i < 9; i++)
            cr_expect_eq(text_width(glyphs->eighths[i]), 1);
    }
}

/* ------------------------------------------------------------------------------------------ layout */

Test(layout, parts_fill_the_screen_and_do_not_overlap)
{
    for (int columns = LAYOUT_COLUMNS_LEAST; columns <= 300; columns += 7) {
        for (int rows = LAYOUT_ROWS_LEAST; rows <= 120; rows++) {
            for (int has_facts = 0; has_facts < 2; has_facts++) {
                const struct layout layout = layout_for(columns, rows, has_facts);
                cr_assert_not(layout.is_too_small);
                cr_assert_eq(layout.title.y, 0);
                cr_assert_eq(layout.view.y, layout.title.rows);
                cr_assert_eq(layout.facts.y, layout.view.y + layout.view.rows);
                cr_assert_eq(layout.bar.y, layout.facts.y + layout.facts.rows);
                cr_assert_eq(layout.bar.y + 1, rows);
                cr_assert_geq(layout.view.rows, 5);
                cr_assert_eq(layout.view.columns, columns);
            }
        }
    }
}

Test(layout, below_the_least_size_there_is_one_line)
{
    static const int sizes[][2] = {
        {39,  10 },
        {40,  9  },
        {1,   1  },
        {39,  100},
        {300, 9  }
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct layout layout = layout_for(sizes[i][0], sizes[i][1], true);
        cr_expect(layout.is_too_small);
        cr_expect_eq(layout.bar.rows, 1);
        cr_expect_eq(layout.bar.columns, sizes[i][0]);
    }
}
