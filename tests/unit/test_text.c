/* Arena, text builder, escaping, durations. */
#include "arena.h"
#include "textbuf.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <string.h>

Test(arena, memory_is_zeroed_and_aligned_also_after_a_reset)
{
    np_arena *const arena = np_arena_create();
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 3000; size += 7) {
            unsigned char *const piece = np_arena_alloc(arena, size);
            cr_assert_not_null(piece);
            cr_assert_eq((uintptr_t)piece % alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                cr_assert_eq(piece[i], 0);
            memset(piece, 0xaa, size);
        }
        cr_assert_not_null(np_arena_alloc(arena, 100000));
        np_arena_reset(arena);
    }
    np_arena_free(arena);
    np_arena_free(NULL);
}

Test(arena, copies_and_prints)
{
    np_arena *const arena = np_arena_create();

    cr_assert_str_eq(np_arena_copy(arena, "abcdef", 3), "abc");
    cr_assert_str_eq(np_arena_copy(arena, NULL, 0), "");
    cr_assert_str_eq(np_arena_print(arena, "%d-%s", 5, "x"), "5-x");
    cr_assert_null(np_arena_alloc(arena, SIZE_MAX - 3));
    cr_assert_null(np_arena_copy(arena, "x", SIZE_MAX));

    np_arena_free(arena);
}

Test(textbuf, grows_and_is_always_terminated)
{
    np_textbuf b;
    np_textbuf_init(&b, 100000);
    cr_assert_str_eq(b.text, "");
    char expected[20001] = "";

    for (int i = 0; i < 10000; i++) {
        np_textbuf_add(&b, "ab", 2);
        memcpy(expected + 2 * i, "ab", 2);
    }

    cr_assert_str_eq(b.text, expected);
    cr_assert_eq(b.length, 20000);
    cr_assert_not(b.failed);
    np_textbuf_clear(&b);
    cr_assert_str_eq(b.text, "");
    np_textbuf_print(&b, "%05d|%s", 42, "x");
    cr_assert_str_eq(b.text, "00042|x");
    np_textbuf_done(&b);
    cr_assert_str_eq(b.text, "");
}

Test(textbuf, maximum_keeps_what_fits_and_nothing_behind_it)
{
    np_textbuf b;
    np_textbuf_init(&b, 5);
    np_textbuf_puts(&b, "abc");
    np_textbuf_puts(&b, "d\xc3\xa9\xc3\xa9");
    cr_assert(b.failed);
    cr_assert_str_eq(b.text, "abcd", "not half a character");
    np_textbuf_puts(&b, "z");
    cr_assert_str_eq(b.text, "abcd");

    np_textbuf_clear(&b);
    np_textbuf_print(&b, "%s", "12345");
    cr_assert_not(b.failed);
    np_textbuf_print(&b, "%s", "6");
    cr_assert(b.failed);
    cr_assert_str_eq(b.text, "12345");

    np_textbuf_clear(&b);
    np_textbuf_escape(&b, NP_ESCAPE_TERMINAL, "ab\x1b", 3);
    cr_assert(b.failed);
    cr_assert_str_eq(b.text, "ab");
    np_textbuf_done(&b);

    np_textbuf_init(&b, 0);
    np_textbuf_puts(&b, "x");
    cr_assert(b.failed);
    cr_assert_str_eq(b.text, "");
    np_textbuf_done(&b);
}

Test(textbuf, json_members)
{
    np_textbuf b;
    bool first = true;
    np_textbuf_init(&b, 1000);

    np_textbuf_json_text(&b, &first, "a", "x\"y\n", 4);
    np_textbuf_json_int(&b, &first, "b", INT64_MIN);
    np_textbuf_json_text(&b, &first, "c", NULL, 0);
    np_textbuf_json_text(&b, &first, "d", "", 0);

    cr_assert_str_eq(b.text,
                     "\"a\":\"x\\\"y\\n\",\"b\":-9223372036854775808,\"c\":null,\"d\":\"\"");
    np_textbuf_done(&b);
}

Test(textbuf, nearest_word_is_suggested_only_when_near)
{
    static const char *const words[] = {"setup_ns", "total_ns", "status", "report", "compare", "q"};
    static const struct {
        const char *word, *expected;
    } cases[] = {
        {"setup_time",      "setup_ns"},
        {"reprot",          "report"  },
        {"stauts",          "status"  },
        {"totl_ns",         "total_ns"},
        {"xyz",             NULL      },
        {"compare",         "compare" },
        {"unrelated_thing", NULL      },
        {"statusses",       "status"  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const found = np_nearest_word(cases[i].word, words, 6);
        if (cases[i].expected)
            cr_assert(found && strcmp(found, cases[i].expected) == 0, "%s: %s", cases[i].word,
                      found ? found : "none");
        else
            cr_assert_null(found, "%s: %s", cases[i].word, found);
    }
    char long_word[1000];
    memset(long_word, 'x', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    cr_assert_null(np_nearest_word(long_word, words, 6));
    cr_assert_null(np_nearest_word("x", words, 0));
}

Test(textbuf, utf8_is_decoded_strictly)
{
    static const struct {
        const char *text;
        uint32_t expected;
        size_t used;
    } cases[] = {
        {"a",                'a',             1},
        {"\xc3\xa9",         0xe9,            2},
        {"\xe2\x82\xac",     0x20ac,          3},
        {"\xf0\x9f\x98\x80", 0x1f600,         4},
        {"\xf4\x8f\xbf\xbf", 0x10ffff,        4},
        {"\xc0\x80",         NP_UTF8_INVALID, 1}, /* overlong */
        {"\xe0\x80\x80",     NP_UTF8_INVALID, 1}, /* overlong */
        {"\xf0\x80\x80\x80", NP_UTF8_INVALID, 1}, /* overlong */
        {"\xed\xa0\x80",     NP_UTF8_INVALID, 1}, /* a surrogate */
        {"\xf4\x90\x80\x80", NP_UTF8_INVALID, 1}, /* above the last */
        {"\xf8\x88\x80\x80", NP_UTF8_INVALID, 1},
        {"\x80",             NP_UTF8_INVALID, 1},
        {"\xe2\x82",         NP_UTF8_INVALID, 1},
        {"\xe2\x82x",        NP_UTF8_INVALID, 1},
        {"\xff",             NP_UTF8_INVALID, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t used;
        cr_assert_eq(np_utf8_decode(cases[i].text, strlen(cases[i].text), &used), cases[i].expected,
                     "case %zu", i);
        cr_assert_eq(used, cases[i].used, "case %zu", i);
    }
}

/* --- escaping --- */

static const struct escape_case {
    np_escape kind;
    const char *text;
    size_t length; /* 0: strlen */
    const char *expected;
} escape_cases[] = {
    {NP_ESCAPE_TERMINAL, "plain caf\xc3\xa9 \\ \"",          0, "plain caf\xc3\xa9 \\ \""                   },
    {NP_ESCAPE_TERMINAL, "\x1b[31m\n\r\t\a",                 0, "\\x1b[31m\\x0a\\x0d\\x09\\x07"             },
    {NP_ESCAPE_TERMINAL, "a\0b",                             3, "a\\x00b"                                   },
    {NP_ESCAPE_TERMINAL, "\x7f",                             0, "\\x7f"                                     },
    {NP_ESCAPE_TERMINAL, "\xc2\x80\xc2\x9b\xc2\xa0",         0, "\\u{80}\\u{9b}\xc2\xa0"                    },
    {NP_ESCAPE_TERMINAL, "\xe2\x80\xaa\xe2\x80\xae",         0, "\\u{202a}\\u{202e}"                        },
    {NP_ESCAPE_TERMINAL, "\xe2\x81\xa6\xe2\x81\xa9",         0, "\\u{2066}\\u{2069}"                        },
    {NP_ESCAPE_TERMINAL, "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", 0, "\\u{200e}\\u{200f}\\u{61c}"                },
    {NP_ESCAPE_TERMINAL, "\xe2\x80\xa8\xe2\x80\xa9",         0, "\\u{2028}\\u{2029}"                        },
    {NP_ESCAPE_TERMINAL, "\xff\xfe \xc3",                    0, "\\xff\\xfe \\xc3"                          },
    {NP_ESCAPE_TERMINAL, "\xed\xa0\x80",                     0, "\\xed\\xa0\\x80"                           },
    {NP_ESCAPE_TERMINAL, "",                                 0, ""                                          },
    {NP_ESCAPE_JSON,     "a\"b\\c/d",                        0, "a\\\"b\\\\c/d"                             },
    {NP_ESCAPE_JSON,     "\b\f\n\r\t",                       0, "\\b\\f\\n\\r\\t"                           },
    {NP_ESCAPE_JSON,     "\x01\x1f\x7f",                     0, "\\u0001\\u001f\\u007f"                     },
    {NP_ESCAPE_JSON,     "\0",                               1, "\\u0000"                                   },
    {NP_ESCAPE_JSON,     "caf\xc3\xa9 \xf0\x9f\x98\x80",     0, "caf\xc3\xa9 \xf0\x9f\x98\x80"              },
    {NP_ESCAPE_JSON,     "\xff\xc3",                         0, "\xef\xbf\xbd\xef\xbf\xbd"                  },
    {NP_ESCAPE_JSON,     "\xe2\x80\xae\xe2\x80\xa8\xc2\x9b", 0, "\\u202e\\u2028\\u009b"                     },
    {NP_ESCAPE_CSV,      "plain",                            0, "plain"                                     },
    {NP_ESCAPE_CSV,      "a,b",                              0, "\"a,b\""                                   },
    {NP_ESCAPE_CSV,      "a\"b",                             0, "\"a\"\"b\""                                },
    {NP_ESCAPE_CSV,      "a\r\nb",                           0, "\"a\r\nb\""                                },
    {NP_ESCAPE_CSV,      " a",                               0, "\" a\""                                    },
    {NP_ESCAPE_CSV,      "a ",                               0, "\"a \""                                    },
    {NP_ESCAPE_CSV,      "=1+1",                             0, "'=1+1"                                     },
    {NP_ESCAPE_CSV,      "+a",                               0, "'+a"                                       },
    {NP_ESCAPE_CSV,      "-a",                               0, "'-a"                                       },
    {NP_ESCAPE_CSV,      "@a",                               0, "'@a"                                       },
    {NP_ESCAPE_CSV,      "\ta",                              0, "'\ta"                                      },
    {NP_ESCAPE_CSV,      "=a,b",                             0, "\"'=a,b\""                                 },
    {NP_ESCAPE_CSV,      "a=b",                              0, "a=b"                                       },
    {NP_ESCAPE_CSV,      "\x1b\xff",                         0, "\xef\xbf\xbd\xef\xbf\xbd"                  },
    {NP_ESCAPE_CSV,      "\0",                               1, "\xef\xbf\xbd"                              },
    {NP_ESCAPE_CSV,      "",                                 0, ""                                          },
    {NP_ESCAPE_MARKDOWN, "a|b`c*d_e<f>g[h]i&j\\k",           0, "a\\|b\\`c\\*d\\_e\\<f\\>g\\[h\\]i\\&j\\\\k"},
    {NP_ESCAPE_MARKDOWN, "\x1b\xe2\x80\xae\xff",             0, "\\x1b\\u{202e}\\xff"                       },
    {NP_ESCAPE_MARKDOWN, "\0",                               1, "\\x00"                                     },
};
#define ESCAPE_CASES (sizeof escape_cases / sizeof escape_cases[0])

static size_t case_length(const struct escape_case *c)
{
    return c->length ? c->length : strlen(c->text);
}

Test(escape, every_place_gets_its_own_form)
{
    for (size_t i = 0; i < ESCAPE_CASES; i++) {
        char out[300];
        const struct escape_case *const c = &escape_cases[i];
        const size_t need = np_escape_text(c->kind, c->text, case_length(c), out, sizeof out);
        cr_assert_str_eq(out, c->expected, "case %zu: '%s' is not '%s'", i, out, c->expected);
        cr_assert_eq(need, strlen(c->expected), "case %zu", i);
        cr_assert_leq(need, 6 * case_length(c) + 2, "case %zu", i);
    }
}

Test(escape, cut_leaves_whole_characters_and_stays_in_bounds)
{
    for (size_t i = 0; i < ESCAPE_CASES; i++) {
        const struct escape_case *const c = &escape_cases[i];
        const size_t whole = strlen(c->expected);
        for (size_t size = 0; size <= whole + 1; size++) {
            char *const out =
                malloc(size ? size : 1); /* exactly so large: the address sanitizer watches */
            out[0] = '#';
            cr_assert_eq(np_escape_text(c->kind, c->text, case_length(c), out, size), whole,
                         "case %zu size %zu", i, size);
            if (size == 0) {
                cr_assert_eq(out[0], '#', "case %zu", i);
            } else {
                const size_t length = strlen(out);
                cr_assert_lt(length, size, "case %zu size %zu", i, size);
                cr_assert(c->kind == NP_ESCAPE_CSV || strncmp(out, c->expected, length) == 0,
                          "case %zu size %zu: '%s'", i, size, out);
                cr_assert_eq(np_utf8_cut(out, length, length), length, "case %zu size %zu: '%s'", i,
                             size, out);
                cr_assert(length == 0 || out[0] != '"' || (length >= 2 && out[length - 1] == '"'),
                          "case %zu size %zu: '%s'", i, size, out);
            }
            free(out);
        }
    }
}

/* --- durations --- */

Test(units, durations_with_a_unit_are_read)
{
    static const struct {
        const char *text;
        int64_t expected;
    } cases[] = {
        {"0",                               0                               },
        {"0.0",                             0                               },
        {"0ms",                             0                               },
        {"7ns",                             7                               },
        {"250us",                           250000                          },
        {"80ms",                            80000000                        },
        {"2s",                              2000000000                      },
        {"1m",                              60000000000                     },
        {"1.5h",                            5400000000000                   },
        {"0.1ms",                           100000                          },
        {"1.0000000014s",                   1000000001                      },
        {"1.0000000015s",                   1000000002                      },
        {"0.3333333333333333333333333333s", 333333333                       },
        {"007s",                            7000000000                      },
        {"9223372036854775807ns",           INT64_MAX                       },
        {"2562047h",                        2562047 * INT64_C(3600000000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        np_error err = {0};
        cr_assert_eq(np_duration_parse(cases[i].text, &ns, &err), NP_OK, "%s: %s", cases[i].text,
                     err.text);
        cr_assert_eq(ns, cases[i].expected, "%s: %lld", cases[i].text, (long long)ns);
    }
}

Test(units, anything_else_is_refused_with_what_was_expected)
{
    static const struct {
        const char *text;
        np_status expected;
        const char *words;
    } cases[] = {
        {"",                         NP_E_ARGUMENT,       "is not a duration"        },
        {"ms",                       NP_E_ARGUMENT,       "is not a duration"        },
        {"-1s",                      NP_E_ARGUMENT,       "is not a duration"        },
        {"+1s",                      NP_E_ARGUMENT,       "is not a duration"        },
        {" 1s",                      NP_E_ARGUMENT,       "is not a duration"        },
        {".5s",                      NP_E_ARGUMENT,       "is not a duration"        },
        {"80",                       NP_E_ARGUMENT,       "has no unit"              },
        {"0.5",                      NP_E_ARGUMENT,       "has no unit"              },
        {"1.s",                      NP_E_ARGUMENT,       "no digit behind the point"},
        {"80 ms",                    NP_E_ARGUMENT,       "unknown unit"             },
        {"80MS",                     NP_E_ARGUMENT,       "unknown unit"             },
        {"80msx",                    NP_E_ARGUMENT,       "unknown unit"             },
        {"1e3s",                     NP_E_ARGUMENT,       "unknown unit"             },
        {"1.5.5s",                   NP_E_ARGUMENT,       "unknown unit"             },
        {"5d",                       NP_E_ARGUMENT,       "unknown unit"             },
        {"9223372036854775808ns",    NP_E_ARGUMENT_RANGE, "too long"                 },
        {"9223372036854775807.6ns",  NP_E_ARGUMENT_RANGE, "too long"                 },
        {"2562048h",                 NP_E_ARGUMENT_RANGE, "too long"                 },
        {"99999999999999999999999s", NP_E_ARGUMENT_RANGE, "too long"                 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        np_error err = {0};
        cr_assert_eq(np_duration_parse(cases[i].text, &ns, &err), cases[i].expected, "'%s': %s",
                     cases[i].text, err.text);
        cr_assert_eq(ns, 0, "'%s'", cases[i].text);
        cr_assert(strstr(err.text, cases[i].words), "'%s': %s", cases[i].text, err.text);
        cr_assert(strstr(err.text, "expected"), "'%s': %s", cases[i].text, err.text);
        cr_assert_eq(np_duration_parse(cases[i].text, &ns, NULL), cases[i].expected);
    }
}

Test(units, durations_are_written_with_the_unit_a_person_would_use)
{
    static const struct {
        int64_t ns;
        const char *expected;
    } cases[] = {
        {0,              "0 ms"               },
        {1,              "0 ms"               },
        {499,            "0 ms"               },
        {-499,           "0 ms"               },
        {500,            "0.001 ms"           },
        {6000,           "0.006 ms"           },
        {9499,           "0.009 ms"           },
        {9500,           "0.01 ms"            },
        {23000,          "0.02 ms"            },
        {94999,          "0.09 ms"            },
        {95000,          "0.1 ms"             },
        {100000,         "0.1 ms"             },
        {41823000,       "41.8 ms"            },
        {533700000,      "533.7 ms"           },
        {999949999,      "999.9 ms"           },
        {999950000,      "1 000 ms"           },
        {5401200000,     "5 401 ms"           },
        {9999499999,     "9 999 ms"           },
        {9999500000,     "10.0 s"             },
        {12340000000,    "12.3 s"             },
        {119949999999,   "119.9 s"            },
        {119950000000,   "2 min 00 s"         },
        {123000000000,   "2 min 03 s"         },
        {3599499999999,  "59 min 59 s"        },
        {3599500000000,  "1 h 00 min"         },
        {11520000000000, "3 h 12 min"         },
        {-41823000,      "-41.8 ms"           },
        {INT64_MAX,      "2 562 047 h 47 min" },
        {INT64_MIN,      "-2 562 047 h 47 min"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[32];
        cr_assert_str_eq(np_duration_text(cases[i].ns, out, sizeof out), cases[i].expected,
                         "%lld: %s", (long long)cases[i].ns, out);
    }
    char small[4];
    cr_assert_str_eq(np_duration_text(41823000, small, sizeof small), "41.");
}

/* A spreadsheet shows what is in the file, and nothing else. */
Test(escape, csv_has_nothing_that_turns_the_direction_of_writing)
{
    char out[64];
    const char text[] = "/a\xe2\x80\xae" "gpj.exe\x1b[31m\xe2\x81\xa6";
    np_escape_text(NP_ESCAPE_CSV, text, sizeof text - 1, out, sizeof out);
    cr_assert_str_eq(out, "/a\xef\xbf\xbdgpj.exe\xef\xbf\xbd[31m\xef\xbf\xbd");
}
