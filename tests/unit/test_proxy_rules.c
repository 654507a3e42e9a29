/* no_proxy as curl 7.88 reads it: every row below was looked at with the program itself, but those
 * that are ours. */
#include "proxy_decide.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(proxy_rules, no_proxy_means_what_it_means_to_curl)
{
    static const struct {
        const char *list, *host;
        bool matches;
    } cases[] = {
        {"h.test",              "h.test",           true },
        {".h.test",             "h.test",           true },
        {"test",                "h.test",           true },
        {".test",               "h.test",           true },
        {"h.test",              "xh.test",          false},
        {"h.test",              "x.h.test",         true },
        {"x.h.test",            "h.test",           false},
        {"H.TEST",              "h.test",           true },
        {"h.test.",             "h.test",           true },
        {".test.",              "h.test.",          true },
        {"h.test",              "h.test.",          true },
        {"h.test..",            "h.test",           false},
        {"..test",              "h.test",           false},
        {".",                   "h.test",           false},
        {"..",                  "h.test",           false},
        {"h.test:81",           "h.test",           false},
        {"",                    "h.test",           false},
        {"*",                   "h.test",           true },
        {" *",                  "h.test",           false},
        {"*,x",                 "h.test",           false},
        {"x,*",                 "h.test",           false},
        {"*.test",              "h.test",           false},
        {"a,h.test",            "h.test",           true },
        {"a , h.test",          "h.test",           true },
        {"a,,h.test",           "h.test",           true },
        {"a, ,h.test",          "h.test",           true },
        {"a b h.test",          "h.test",           true },
        {"a\th.test",           "h.test",           true },
        {"10.1.2.3",            "10.1.2.3",         true },
        {"10.0.0.0/8",          "10.1.2.3",         true },
        {"10.0.0.0/0",          "10.1.2.3",         false},
        {"10.1.2.3/0",          "10.1.2.3",         true },
        {"10.1.2.3/32",         "10.1.2.3",         true },
        {"10.1.2.3/33",         "10.1.2.3",         false},
        {"10.0.0.0/8x",         "10.1.2.3",         true },
        {"10.0.0.0/+8",         "10.1.2.3",         true },
        {"10.0.0.0/8/9",        "10.1.2.3",         true },
        {"10.0.0.0/",           "10.1.2.3",         false},
        {"10.1.2.3/",           "10.1.2.3",         true },
        {"10.1.2.3/x",          "10.1.2.3",         true },
        {"10.1.2.3/-1",         "10.1.2.3",         false},
        {"10.1.2.3/4294967328", "10.1.2.3",         true },
        {"10.0.0.0/4294967304", "10.1.2.3",         true },
        {"0.0.0.0/1",           "10.1.2.3",         true },
        {"128.0.0.0/1",         "10.1.2.3",         false},
        {".3",                  "10.1.2.3",         false},
        {"2.3",                 "10.1.2.3",         false},
        {"10.1.2.3.",           "10.1.2.3",         false},
        {"10/8",                "10.1.2.3",         false},
        {"010.1.2.3",           "10.1.2.3",         false},
        {"::1",                 "10.1.2.3",         false},
        {"::1",                 "::1",              true },
        {"[::1]",               "::1",              false},
        {"0:0:0:0:0:0:0:1",     "::1",              false},
        {"::1.",                "::1",              true },
        {".::1",                "::1",              true },
        {"0.1",                 "::ffff:127.0.0.1", true },
        {"2001:DB8::1",         "2001:db8::1",      true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_no_proxy_match match;
        cr_expect_eq(np_no_proxy_matches(cases[i].list, cases[i].host, &match), cases[i].matches,
                     "%s in %s", cases[i].host, cases[i].list);
        cr_expect_not(match.beyond_curl, "%s in %s", cases[i].host, cases[i].list);
        cr_expect_eq(match.entry != NULL, cases[i].matches);
    }
}

Test(proxy_rules, an_ipv6_prefix_matches_and_is_told_apart)
{
    static const struct {
        const char *list, *host;
        bool matches;
    } cases[] = {
        {"2001:db8::/32",   "2001:db8::1",      true },
        {"2001:db8::/32",   "2001:db9::1",      false},
        {"2001:db8::/33",   "2001:db8::1",      true },
        {"2001:db8::/33",   "2001:db8:8000::1", false},
        {"2001:db8::1/128", "2001:db8::1",      true },
        {"2001:db8::2/128", "2001:db8::1",      false},
        {"::/0",            "2001:db8::1",      true },
        {"2001:db8::/129",  "2001:db8::1",      false},
        {"2001:db8::/",     "2001:db8::1",      false},
        {"2001:db8::/+8",   "2001:db8::1",      false},
        {"2001:db8::/8x",   "2001:db8::1",      false},
        {"[2001:db8::]/32", "2001:db8::1",      false},
        {"x/32",            "2001:db8::1",      false},
        {"::/0",            "10.1.2.3",         false},
        {"::/0",            "h.test",           false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_no_proxy_match match;
        cr_expect_eq(np_no_proxy_matches(cases[i].list, cases[i].host, &match), cases[i].matches,
                     "%s in %s", cases[i].host, cases[i].list);
        cr_expect_eq(match.beyond_curl, cases[i].matches);
    }
}

Test(proxy_rules, the_entry_that_matched_is_told)
{
    np_no_proxy_match match;
    cr_assert(np_no_proxy_matches("a.test, .example ,b", "www.example", &match));
    cr_expect_eq(match.length, strlen(".example"));
    cr_expect_eq(strncmp(match.entry, ".example", match.length), 0);
    cr_expect_not(match.space_separated);
    cr_expect_not(np_no_proxy_matches("a.test b.test", "www.example", &match));
    cr_expect(match.space_separated);
}

Test(proxy_rules, long_lists_and_strange_bytes_do_no_harm)
{
    const size_t length = 1024 * 1024;
    char *list = malloc(length + 1);
    np_no_proxy_match match;
    static const char *const hosts[] = {"h.test", "10.1.2.3", "2001:db8::1", "a", ".", "-"};
    static const char fills[] = {'a', ',', '.', ' ', '/', '*', ':', '\x01', '\xff', '[', '0'};
    for (size_t f = 0; f < sizeof fills; f++)
        for (size_t h = 0; h < sizeof hosts / sizeof *hosts; h++) {
            memset(list, fills[f], length);
            list[length] = '\0';
            (void)np_no_proxy_matches(list, hosts[h], &match);
            memcpy(list + length - 7, ",h.test", 7);
            const bool blank = fills[f] == ',' || fills[f] == ' ';
            cr_expect_eq(np_no_proxy_matches(list, hosts[h], &match), h == 0, "'%c' %s %d",
                         fills[f], hosts[h], blank);
        }
    free(list);
}

Test(proxy_rules, loopback_is_known_by_name_and_address)
{
    static const char *const yes[] = {"localhost",   "a.localhost", "localhost.",      "127.0.0.1",
                                      "127.255.1.2", "::1",         "::ffff:127.0.0.1"};
    static const char *const no[] = {"localhost.test",  "xlocalhost", "126.0.0.1", "::2",
                                     "::ffff:10.0.0.1", "h.test",     "127.test"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        cr_expect(np_proxy_host_is_loopback(yes[i]), "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        cr_expect_not(np_proxy_host_is_loopback(no[i]), "%s", no[i]);
}

/* --- the environment --- */

struct table {
    const char *const *pairs; /* name, value, … NULL */
};

static const char *get(const char *name, void *user)
{
    const struct table *table = user;
    for (const char *const *p = table->pairs; *p; p += 2)
        if (strcmp(p[0], name) == 0)
            return p[1];
    return NULL;
}

Test(proxy_rules, the_environment_is_read_as_curl_reads_it)
{
    enum { MOST = 9 };
    static const struct {
        const char *pairs[MOST];
        const char *scheme, *host;
        np_proxy_answer answer;
        const char *value, *variable, *reason;
    } cases[] = {
        {{NULL},                                                        "http",  "h.test",      NP_PROXY_NEXT, "",                 NULL, "none of http_proxy"    },
        {{"http_proxy", "p:1"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://p:1",
         "http_proxy",                                                                                                                   ""                      },
        {{"http_proxy", "p:1"},                                         "https", "h.test",      NP_PROXY_NEXT, "",                 NULL, "none of https_proxy"   },
        {{"HTTP_PROXY", "p:1"},
         "http",                                                                 "h.test",
         NP_PROXY_NEXT,                                                                                        "",
         NULL,                                                                                                                           "HTTP_PROXY in capitals"},
        {{"HTTP_PROXY", "p:1", "all_proxy", "q:2"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://q:2",
         "all_proxy",                                                                                                                    ""                      },
        {{"HTTPS_PROXY", "p:1"},
         "https",                                                                "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://p:1",
         "HTTPS_PROXY",                                                                                                                  ""                      },
        {{"HTTPS_PROXY", "p:1", "https_proxy", "q:2"},
         "https",                                                                "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://q:2",
         "https_proxy",                                                                                                                  ""                      },
        {{"https_proxy", "", "all_proxy", "q:2"},
         "https",                                                                "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://q:2",
         "all_proxy",                                                                                                                    ""                      },
        {{"https_proxy", "", "HTTPS_PROXY", "r:3", "all_proxy", "q:2"},
         "https",                                                                "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://r:3",
         "HTTPS_PROXY",                                                                                                                  ""                      },
        {{"ALL_PROXY", "p:1", "all_proxy", "q:2"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://q:2",
         "all_proxy",                                                                                                                    ""                      },
        {{"ALL_PROXY", "socks5h://p"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "socks5h://p:1080",
         "ALL_PROXY",                                                                                                                    "has no port"           },
        {{"http_proxy", "p:1", "no_proxy", "test"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "direct",
         "no_proxy",                                                                                                                     "has an entry"          },
        {{"http_proxy", "p:1", "no_proxy", "", "NO_PROXY", "test"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "direct",
         "NO_PROXY",                                                                                                                     "has an entry"          },
        {{"http_proxy", "p:1", "no_proxy", "x", "NO_PROXY", "test"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://p:1",
         "http_proxy",                                                                                                                   ""                      },
        {{"http_proxy", "p:1", "no_proxy", "x y"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://p:1",
         "http_proxy",                                                                                                                   "deprecated"            },
        {{"http_proxy", "p:1", "no_proxy", "2001:db8::/32"},
         "http",                                                                 "2001:db8::1",
         NP_PROXY_ANSWERED,                                                                                    "direct",
         "no_proxy",                                                                                                                     "curl 7.88"             },
        {{"http_proxy", "http://user:secret@p:1"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "http://p:1",
         "http_proxy",                                                                                                                   ""                      },
        {{"http_proxy", "ftp://user:secret@p:1"},
         "http",                                                                 "h.test",
         NP_PROXY_REFUSED,                                                                                     "",
         "http_proxy",                                                                                                                   "scheme ftp"            },
        {{"http_proxy", "user:secret@p:x"},
         "http",                                                                 "h.test",
         NP_PROXY_REFUSED,                                                                                     "",
         "http_proxy",                                                                                                                   "no port"               },
        {{"http_proxy", "ftp://p:1", "no_proxy", "*"},
         "http",                                                                 "h.test",
         NP_PROXY_ANSWERED,                                                                                    "direct",
         "no_proxy",                                                                                                                     ""                      },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct table table = {cases[i].pairs};
        np_proxy_environment *environment = np_proxy_environment_create(get, &table);
        const np_proxy_question question = {.scheme = cases[i].scheme, .host = cases[i].host};
        np_proxy_trial trial = {0};
        np_proxy_list *list = NULL;
        np_error err = {0};
        cr_expect_eq(np_proxy_environment_decide(environment, NULL, &question, &trial, &list, &err),
                     cases[i].answer, "case %zu", i);
        cr_expect_str_eq(trial.value, cases[i].value, "case %zu", i);
        cr_expect_eq(trial.variable == NULL, cases[i].variable == NULL, "case %zu", i);
        if (trial.variable && cases[i].variable)
            cr_expect_str_eq(trial.variable, cases[i].variable, "case %zu", i);
        cr_expect_not_null(strstr(trial.reason, cases[i].reason), "case %zu: %s", i, trial.reason);
        cr_expect_null(strstr(trial.reason, "secret"));
        cr_expect_null(strstr(err.text, "secret"));
        cr_expect_eq(err.status == NP_E_WEB, cases[i].answer == NP_PROXY_REFUSED);
        cr_expect_eq(list != NULL, cases[i].answer == NP_PROXY_ANSWERED);
        if (list)
            cr_expect_eq(list->source, NP_PROXY_BY_ENVIRONMENT);
        np_proxy_list_release(list);
        np_proxy_environment_free(environment);
    }
}

Test(proxy_rules, a_list_that_is_given_stands_instead_of_no_proxy)
{
    static const char *const pairs[] = {"http_proxy", "p:1", "no_proxy", "h.test", NULL};
    struct table table = {pairs};
    np_proxy_environment *environment = np_proxy_environment_create(get, &table);
    const np_proxy_question question = {.scheme = "http", .host = "h.test"};
    static const struct {
        const char *bypass, *value;
    } cases[] = {
        {NULL, "direct"    },
        {"",   "http://p:1"},
        {"x",  "http://p:1"},
        {"*",  "direct"    }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_proxy_trial trial = {0};
        np_proxy_list *list = NULL;
        cr_assert_eq(np_proxy_environment_decide(environment, cases[i].bypass, &question, &trial,
                                                 &list, NULL),
                     NP_PROXY_ANSWERED);
        cr_expect_str_eq(trial.value, cases[i].value);
        np_proxy_list_release(list);
    }
    np_proxy_environment_free(environment);
}

Test(proxy_rules, a_megabyte_in_a_variable_does_no_harm)
{
    const size_t length = 1024 * 1024;
    char *value = malloc(length + 1);
    memset(value, 'a', length);
    value[length] = '\0';
    const char *const pairs[] = {"http_proxy", value, "no_proxy", value, NULL};
    struct table table = {pairs};
    np_proxy_environment *environment = np_proxy_environment_create(get, &table);
    const np_proxy_question question = {.scheme = "http", .host = "h.test"};
    np_proxy_trial trial = {0};
    np_proxy_list *list = NULL;
    np_error err = {0};
    cr_expect_eq(np_proxy_environment_decide(environment, NULL, &question, &trial, &list, &err),
                 NP_PROXY_REFUSED);
    cr_expect_not_null(strstr(err.text, "at most"));
    np_proxy_environment_free(environment);
    free(value);
}

/* --- proxies that failed lately --- */

static np_proxy_list *list_of(const char *text)
{
    np_proxy_list *list = NULL;
    cr_assert_eq(np_proxy_list_parse(text, NP_PROXY_BY_EXPLICIT, &list, NULL, NULL), NP_OK);
    return list;
}

static void expect_order(np_proxy_bad *bad, np_proxy_list *list, uint64_t now_ns,
                         const char *expected)
{
    char text[512];
    np_proxy_list *ordered = np_proxy_bad_order(bad, list, now_ns);
    np_proxy_list_text(ordered, text, sizeof text);
    cr_expect_str_eq(text, expected);
    np_proxy_list_release(ordered);
}

Test(proxy_bad, bad_ones_go_behind_good_ones_for_five_minutes)
{
    const uint64_t second = 1000000000;
    np_proxy_bad *bad = np_proxy_bad_create();
    np_proxy_list *list = list_of("http://u:p@a:1; b:2; c:3; DIRECT");
    expect_order(bad, list, 0, "http://a:1; http://b:2; http://c:3; direct");

    np_proxy_bad_mark(bad, &list->entry[1], 10 * second);
    np_proxy_bad_mark(bad, &list->entry[0], 20 * second);
    np_proxy_bad_mark(bad, &list->entry[3], 20 * second);
    expect_order(bad, list, 20 * second, "http://c:3; direct; http://a:1; http://b:2");
    expect_order(bad, list, 310 * second - 1, "http://c:3; direct; http://a:1; http://b:2");
    expect_order(bad, list, 310 * second, "http://b:2; http://c:3; direct; http://a:1");
    expect_order(bad, list, 320 * second, "http://a:1; http://b:2; http://c:3; direct");

    np_proxy_bad_mark(bad, &list->entry[0], 320 * second);
    np_proxy_list *ordered = np_proxy_bad_order(bad, list, 320 * second);
    cr_expect_str_eq(ordered->entry[3].user, "u");
    cr_expect_str_eq(ordered->entry[3].password, "p");
    np_proxy_list_release(ordered);
    np_proxy_bad_clear(bad, &list->entry[0]);
    expect_order(bad, list, 321 * second, "http://a:1; http://b:2; http://c:3; direct");
    np_proxy_list_release(list);
    np_proxy_bad_free(bad);
}

Test(proxy_bad, all_bad_ones_are_still_tried_in_order_and_the_memory_is_bounded)
{
    np_proxy_bad *bad = np_proxy_bad_create();
    np_proxy_list *list = list_of("a:1; b:2");
    for (unsigned i = 0; i < 3 * NP_PROXY_BAD_ENTRIES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "p%u:1", i);
        np_proxy_list *one = list_of(name);
        np_proxy_bad_mark(bad, &one->entry[0], i);
        np_proxy_list_release(one);
    }
    np_proxy_bad_mark(bad, &list->entry[0], 2000);
    np_proxy_bad_mark(bad, &list->entry[1], 1000);
    expect_order(bad, list, 3000, "http://a:1; http://b:2");
    np_proxy_bad_clear_all(bad);
    cr_expect_not(np_proxy_bad_is(bad, &list->entry[0], 3000));
    np_proxy_list_release(list);
    np_proxy_bad_free(bad);
}

/* --- what a program asks for --- */

static void expect_settings(const np_proxy *proxy, const char *host, const char *value)
{
    const np_proxy_question question = {.scheme = "http", .host = host, .port = 80};
    np_proxy_trial trial = {0};
    np_proxy_list *list = NULL;
    cr_expect_eq(np_proxy_settings_decide(proxy, &question, &trial, &list, NULL),
                 NP_PROXY_ANSWERED);
    cr_expect_str_eq(trial.value, value, "%s: %s", host, trial.value);
    np_proxy_list_release(list);
}

Test(proxy_settings, lists_bypasses_and_direct)
{
    np_error err = {0};
    np_proxy *proxy = NULL;
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    options.proxies = "a; b:2";
    options.bypass = "h.test, 2001:db8::/32";
    options.bypass_on_local = true;
    cr_assert_eq(np_proxy_create(&options, &proxy, &err), NP_OK, "%s", err.text);
    cr_expect_not_null(strstr(np_proxy_warning(proxy), "has no port"));
    cr_expect_eq(np_proxy_retain(proxy), proxy);
    np_proxy_release(proxy);
    expect_settings(proxy, "x.example", "http://a:1080; http://b:2");
    expect_settings(proxy, "www.h.test", "direct");
    expect_settings(proxy, "2001:db8::1", "direct");
    expect_settings(proxy, "plain", "direct");
    expect_settings(proxy, "127.0.0.1", "direct");
    expect_settings(proxy, "::1", "direct");
    expect_settings(proxy, "203.0.113.9", "http://a:1080; http://b:2");
    np_proxy_release(proxy);

    expect_settings(np_proxy_direct(), "x.example", "direct");
    np_proxy_release(np_proxy_direct());
    np_proxy_release(NULL);
    cr_expect_null(np_proxy_retain(NULL));
}

Test(proxy_settings, mistakes_are_named)
{
    np_error err = {0};
    np_proxy *proxy = (np_proxy *)1;
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    cr_expect_eq(np_proxy_create(NULL, &proxy, &err), NP_E_ARGUMENT_NULL);
    cr_expect_null(proxy);
    cr_expect_eq(np_proxy_create(&options, NULL, &err), NP_E_ARGUMENT_NULL);
    cr_expect_eq(np_proxy_create(&options, &proxy, &err), NP_E_ARGUMENT_NULL);
    options.proxies = "quic://a";
    cr_expect_eq(np_proxy_create(&options, &proxy, &err), NP_E_ARGUMENT);
    cr_expect_not_null(strstr(err.text, "quic"));
    options.proxies = "a:1";
    options.on_error = (np_proxy_error_policy)9;
    cr_expect_eq(np_proxy_create(&options, &proxy, &err), NP_E_ARGUMENT);
    options.on_error = NP_PROXY_ERROR_DIRECT;
    char *list = malloc(NP_NO_PROXY_MAX + 2);
    memset(list, 'a', NP_NO_PROXY_MAX + 1);
    list[NP_NO_PROXY_MAX + 1] = '\0';
    options.bypass = list;
    cr_expect_eq(np_proxy_create(&options, &proxy, &err), NP_E_ARGUMENT);
    cr_expect_not_null(strstr(err.text, "at most"));
    cr_expect_null(proxy);
    list[NP_NO_PROXY_MAX] = '\0';
    cr_expect_eq(np_proxy_create(&options, &proxy, &err), NP_OK);
    np_proxy_release(proxy);
    free(list);
}
