/* Header fields of requests and responses. */
#include "header_list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(header_list, a_field_replaces_one_of_the_same_name_in_its_place)
{
    np_header_list list = {0};
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "X-%d", i);
        cr_assert_eq(np_header_list_set(&list, name, "old", 3, NULL), NP_OK);
    }

    cr_assert_eq(np_header_list_set(&list, "x-7", "newer", 5, NULL), NP_OK);

    cr_assert_eq(list.count, 20);
    cr_assert_str_eq(list.lines[7].name, "x-7");
    cr_assert_str_eq(np_header_find(list.lines, list.count, "X-7")->value, "newer");
    np_header_list_done(&list);
}

Test(header_list, removing_keeps_the_order)
{
    np_header_list list = {0};
    np_header_list_set(&list, "A", "1", 1, NULL);
    np_header_list_set(&list, "B", "2", 1, NULL);
    np_header_list_set(&list, "C", "3", 1, NULL);

    np_header_list_remove(&list, "b");
    np_header_list_remove(&list, "not there");

    cr_assert_eq(list.count, 2);
    cr_assert_str_eq(list.lines[1].name, "C");
    cr_assert_null(np_header_find(list.lines, list.count, "B"));
    np_header_list_done(&list);
}

Test(header_list, a_copy_holds_every_line_in_one_block)
{
    static const np_header_line lines[] = {
        {"Set-Cookie: tail", "a=1;tail", 10, 3},
        {"Set-Cookie",       "b=2",      10, 3},
        {"Empty",            "",         5,  0}
    };

    np_header_line *copy = np_header_copy(lines, 3);

    cr_assert_str_eq(copy[0].name, "Set-Cookie");
    cr_assert_str_eq(copy[0].value, "a=1");
    cr_assert_str_eq(np_header_find(copy, 3, "SET-COOKIE")->value, "a=1", "the first one");
    cr_assert_str_eq(np_header_find(copy, 3, "empty")->value, "");
    free(copy);
    copy = np_header_copy(NULL, 0);
    cr_assert_not_null(copy);
    free(copy);
}

Test(header_list, names_are_tokens_that_no_property_owns)
{
    static const struct {
        const char *name;
        bool taken;
    } cases[] = {
        {"X-A",                   true },
        {"Authorization",         true },
        {"Cookie",                true },
        {"!#$%&'*+-.^_`|~09azAZ", true },
        {"",                      false},
        {"a b",                   false},
        {"a:",                    false},
        {"a\r",                   false},
        {"\xc3\xbc",              false},
        {"a(b",                   false},
        {"Accept",                false},
        {"connection",            false},
        {"CONTENT-LENGTH",        false},
        {"Content-Type",          false},
        {"Date",                  false},
        {"Expect",                false},
        {"Host",                  false},
        {"If-Modified-Since",     false},
        {"Proxy-Connection",      false},
        {"Range",                 false},
        {"Referer",               false},
        {"Transfer-Encoding",     false},
        {"User-Agent",            false},
        {"Accept-Encoding",       true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(np_header_check_name(cases[i].name, NULL) == NP_OK, cases[i].taken, "%s",
                     cases[i].name);
}

Test(header_list, values_are_trimmed_and_have_no_controls)
{
    static const struct {
        const char *value, *trimmed; /* NULL: refused */
    } cases[] = {
        {"a",         "a"       },
        {"  a\tb \t", "a\tb"    },
        {"",          ""        },
        {" \t ",      ""        },
        {"\xc3\xbc",  "\xc3\xbc"},
        {"a\r\nb",    NULL      },
        {"a\n",       NULL      },
        {"\x01",      NULL      },
        {"a\x7f",     NULL      },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *value = cases[i].value;
        size_t length = 0;
        const np_status status = np_header_check_value("X-A", &value, &length, NULL);
        cr_expect_eq(status == NP_OK, cases[i].trimmed != NULL, "case %zu", i);
        if (status == NP_OK)
            cr_expect(length == strlen(cases[i].trimmed) &&
                          memcmp(value, cases[i].trimmed, length) == 0,
                      "case %zu", i);
    }
}
