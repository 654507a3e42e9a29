#include "fail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(fail, fills_in_every_field_and_returns_the_status)
{
    np_error err;
    memset(&err, 0x55, sizeof err);

    cr_assert_eq(np_fail(&err, NP_E_INPUT, "%s is not a trace", "a.db"), NP_E_INPUT);

    cr_assert_eq(err.status, NP_E_INPUT);
    cr_assert_eq(err.web_status, NP_WEB_SUCCESS);
    cr_assert_null(err.layer);
    cr_assert_eq(err.code, 0);
    cr_assert_str_eq(err.text, "a.db is not a trace");
    cr_assert_str_eq(err.cause, "");
}

Test(fail, null_error_is_allowed_everywhere)
{
    cr_assert_eq(np_fail(NULL, NP_E_IO, "x"), NP_E_IO);
    cr_assert_eq(np_fail_os(NULL, NP_E_IO, ENOENT, "x"), NP_E_IO);
    cr_assert_eq(np_fail_layer(NULL, NP_E_IO, "curl", 1, NULL, "x"), NP_E_IO);
    cr_assert_eq(np_fail_web(NULL, NP_WEB_TIMEOUT, NULL, 0, NULL, "x"), NP_E_WEB);
    np_wrap(NULL, "x");
}

Test(fail, layers_keep_their_code_and_words)
{
    np_error err;

    cr_assert_eq(np_fail_os(&err, NP_E_OUTPUT, ENOSPC, "no room"), NP_E_OUTPUT);
    cr_assert_str_eq(err.layer, "os");
    cr_assert_eq(err.code, ENOSPC);
    cr_assert_str_eq(err.cause, strerror(ENOSPC));

    cr_assert_eq(np_fail_web(&err, NP_WEB_TRUST_FAILURE, "curl", 60, "self signed",
                             "%s is not trusted", "a.example"),
                 NP_E_WEB);
    cr_assert_eq(err.web_status, NP_WEB_TRUST_FAILURE);
    cr_assert_eq(err.code, 60);
    cr_assert_str_eq(err.cause, "self signed");
    cr_assert_str_eq(err.text, "a.example is not trusted");
}

Test(fail, text_is_one_harmless_line)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"two\nlines",               "two?lines"               },
        {"bell\a esc\x1b[2J tab\t",  "bell? esc?[2J tab?"      },
        {"caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac"},
        {"bad \xff\xc3 utf-8",       "bad ?? utf-8"            },
        {"c1 \xc2\x9b",              "c1 ?"                    },
        {"bidi \xe2\x80\xae",        "bidi ?"                  },
        {"",                         ""                        },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_error err;
        np_fail_layer(&err, NP_E_IO, "curl", 1, cases[i].text, "%s", cases[i].text);
        cr_assert_str_eq(err.text, cases[i].expected, "case %zu", i);
        cr_assert_str_eq(err.cause, cases[i].expected, "case %zu", i);
    }
}

Test(fail, long_text_is_cut_at_a_character)
{
    np_error err;
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + 158, "\xc3\xa9", 2); /* 159 bytes fit: half of it */

    np_fail(&err, NP_E_IO, "%s", text);

    cr_assert_eq(strlen(err.text), 158);
}

Test(fail, wrap_puts_words_in_front)
{
    np_error err;
    np_fail_os(&err, NP_E_IO, EPERM, "it may not");

    cr_assert_eq(np_wrap(&err, "proxy %s", "px"), NP_E_IO);

    cr_assert_str_eq(err.text, "proxy px: it may not");
    cr_assert_eq(err.code, EPERM);
}

Test(fail, arguments_may_point_into_the_error)
{
    np_error err;
    np_fail_layer(&err, NP_E_IO, "curl", 7, "below", "inner");

    np_fail_layer(&err, NP_E_INPUT, "curl", 7, err.cause, "outer: %s", err.text);

    cr_assert_str_eq(err.text, "outer: inner");
    cr_assert_str_eq(err.cause, "below");
}

Test(fail, statuses_know_their_class)
{
    static const struct {
        np_status status, class_;
        bool expected;
    } cases[] = {
        {NP_E_WEB,                NP_E_INVALID_OPERATION, true },
        {NP_E_OBJECT_DISPOSED,    NP_E_INVALID_OPERATION, true },
        {NP_E_PROTOCOL_VIOLATION, NP_E_INVALID_OPERATION, true },
        {NP_E_ARGUMENT_NULL,      NP_E_ARGUMENT,          true },
        {NP_E_ARGUMENT_RANGE,     NP_E_ARGUMENT,          true },
        {NP_E_WEB,                NP_E_WEB,               true },
        {NP_OK,                   NP_OK,                  true },
        {NP_E_INVALID_OPERATION,  NP_E_WEB,               false},
        {NP_E_ARGUMENT,           NP_E_ARGUMENT_NULL,     false},
        {NP_E_IO,                 NP_E_INVALID_OPERATION, false},
        {NP_E_IO,                 NP_OK,                  false},
        {(np_status)-99,          NP_E_ARGUMENT,          false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(np_status_is_a(cases[i].status, cases[i].class_), cases[i].expected,
                     "case %zu", i);
}

Test(fail, every_status_has_a_name)
{
    cr_assert_str_eq(np_status_name(NP_OK), "ok");
    cr_assert_str_eq(np_status_name(NP_E_INVALID_OPERATION), "invalid operation");
    cr_assert_str_eq(np_status_name((np_status)7), "unknown status");
    cr_assert_str_eq(np_web_status_name(NP_WEB_NAME_RESOLUTION_FAILURE), "name resolution failure");
    cr_assert_str_eq(np_web_status_name((np_web_status)99), "unknown web status");
    for (int i = 0; i >= NP_E_OUTPUT; i--)
        cr_assert_str_neq(np_status_name((np_status)i), "unknown status", "status %d", i);
    for (int i = 0; i <= NP_WEB_REQUEST_PROHIBITED_BY_PROXY; i++)
        cr_assert_str_neq(np_web_status_name((np_web_status)i), "unknown web status",
                          "web status %d", i);
}
