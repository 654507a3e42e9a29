/* Texts that name proxies: what is taken, what is noted, what is refused. */
#include "proxy.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "http://a:1|socks5://b:2", with "user:password@" where there are credentials. */
static const char *as_text(const np_proxy_list *list)
{
    static char text[4096];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const np_proxy_entry *e = &list->entry[i];
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s%s", i ? "|" : "", e->text);
        if (e->user)
            length += (size_t)snprintf(text + length, sizeof text - length, " as %s:%s", e->user,
                                       e->password);
    }
    return text;
}

Test(proxy_list, takes_the_proxy_urls_that_curl_takes)
{
    static const struct {
        const char *text, *list;
        unsigned notes;
    } cases[] = {
        {"proxy.example:3128",                 "http://proxy.example:3128", 0},
        {"proxy.example",                      "http://proxy.example:1080", 1},
        {"proxy",                              "http://proxy:1080",         1},
        {"http://Proxy.Example:8080",          "http://proxy.example:8080", 0},
        {"HTTP://proxy.example:8080/",         "http://proxy.example:8080", 0},
        {"http://proxy.example:8080/path?x#y", "http://proxy.example:8080", 1},
        {"https://proxy.example",              "https://proxy.example:443", 1},
        {"socks://p:1",                        "socks4://p:1",              0},
        {"socks4://p:1",                       "socks4://p:1",              0},
        {"socks4a://p:1",                      "socks4a://p:1",             0},
        {"socks5://p:1",                       "socks5://p:1",              0},
        {"socks5h://p:1",                      "socks5h://p:1",             0},
        {"127.0.0.1:1",                        "http://127.0.0.1:1",        0},
        {"[::1]:3128",                         "http://[::1]:3128",         0},
        {"http://[2001:DB8:0::1]:3128",        "http://[2001:db8::1]:3128", 0},
        {"http://[::1]",                       "http://[::1]:1080",         1},
        {"http://us%40er:p%3ass%25@p:1",       "http://p:1 as us@er:p:ss%", 0},
        {"user:a:b@p:1",                       "http://p:1 as user:a:b",    0},
        {"user@p:1",                           "http://p:1 as user:",       0},
        {"  http://p:1\t",                     "http://p:1",                0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_error err = {0};
        np_proxy_note note = {0};
        np_proxy_list *list = NULL;
        cr_assert_eq(
            np_proxy_list_parse_url(cases[i].text, NP_PROXY_BY_ENVIRONMENT, &list, &note, &err),
            NP_OK, "%s: %s", cases[i].text, err.text);
        cr_expect_str_eq(as_text(list), cases[i].list, "%s", cases[i].text);
        cr_expect_eq(note.count, cases[i].notes, "%s: %s", cases[i].text, note.text);
        cr_expect_eq(list->source, NP_PROXY_BY_ENVIRONMENT);
        np_proxy_list_release(list);
    }
}

Test(proxy_list, refuses_other_proxy_urls_and_never_repeats_a_password)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"",                              "the proxy is empty"          },
        {"   ",                           "the proxy is empty"          },
        {"ftp://p:1",                     "scheme ftp is not known"     },
        {"quic://p:1",                    "expected http, https, socks4"},
        {"http://",                       "no host name or address"     },
        {"http://:3128",                  "no host name or address"     },
        {"http://p:",                     "no port of 1 to 65535"       },
        {"http://p:0",                    "no port of 1 to 65535"       },
        {"http://p:65536",                "no port of 1 to 65535"       },
        {"http://p:99999999999999999999", "no port of 1 to 65535"       },
        {"http://p:80x",                  "no port of 1 to 65535"       },
        {"::1:3128",                      "no host name or address"     },
        {"http://fe80::1",                "brackets"                    },
        {"http://[::1",                   "no IPv6 address"             },
        {"http://[::g]:1",                "no IPv6 address"             },
        {"http://[fe80::1%25eth0]:1",     "no IPv6 address"             },
        {"http://[::1]x",                 "something else than ':'"     },
        {"http://127.1:80",               "no host name or address"     },
        {"http://1.2.3.256:80",           "no host name or address"     },
        {"http://a..b:80",                "no host name or address"     },
        {"http://a b:80",                 "no host name or address"     },
        {"http://a\x01:80",               "no host name or address"     },
        {"http://b\xc3\xbc"
         "cher:80",              "no host name or address"     },
        {"http://user:secret@a@b:1",      "more than one '@'"           },
        {"http://user:sec%zzret@b:1",     "cannot be read"              },
        {"http://user:secret%0a@b:1",     "cannot be read"              },
        {"http://user:secret%@b:1",       "cannot be read"              },
        {"http://user:secret%4@b:1",      "cannot be read"              },
        {"http://user:secret@",           "no host name or address"     },
        {"http://user:secret@p:x",        "no port"                     },
        {"http://a:1,http://b:2",         "brackets"                    },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_error err = {0};
        np_proxy_list *list = (np_proxy_list *)1;
        cr_expect_eq(
            np_proxy_list_parse_url(cases[i].text, NP_PROXY_BY_EXPLICIT, &list, NULL, &err),
            NP_E_ARGUMENT, "%s", cases[i].text);
        cr_expect_null(list, "%s", cases[i].text);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s: %s", cases[i].text, err.text);
        cr_expect_null(strstr(err.text, "secret"), "%s: %s", cases[i].text, err.text);
    }
}

Test(proxy_list, reads_an_answer_as_browsers_do)
{
    static const struct {
        const char *text, *list;
        unsigned notes;
    } cases[] = {
        {"DIRECT",                                                "direct",                                        0},
        {"",                                                      "direct",                                        0},
        {" ; ;",                                                  "direct",                                        0},
        {"PROXY p:3128",                                          "http://p:3128",                                 0},
        {"PROXY p",                                               "http://p:80",                                   0},
        {"proxy P.Example:3128 ; direct",                         "http://p.example:3128|direct",                  0},
        {"PROXY a:1;PROXY a:1;DIRECT;SOCKS5 b",                   "http://a:1|http://a:1|direct|socks5h://b:1080", 0},
        {"HTTPS p",                                               "https://p:443",                                 0},
        {"HTTP p",                                                "http://p:80",                                   1},
        {"SOCKS p",                                               "socks4://p:1080",                               1},
        {"SOCKS4 p:2",                                            "socks4://p:2",                                  0},
        {"\tPROXY\r\n[::1]:80\n",                                 "http://[::1]:80",                               0},
        {"QUIC p:1; PROXY q:2",                                   "http://q:2",                                    1},
        {"PROXY",                                                 "direct",                                        2},
        {"DIRECT p:1; PROXY q:2",                                 "http://q:2",                                    1},
        {"PROXY p:; PROXY q:0; PROXY r:65536; PROXY s:x; DIRECT", "direct",                                        4},
        {"PROXY user:pw@p:1",                                     "direct",                                        2},
        {"PROXY http://p:1",                                      "direct",                                        2},
        {"PROXY p:1/x",                                           "direct",                                        2},
        {"PROXY p:1, PROXY q:2",                                  "direct",                                        2},
        {"PROXY ::1:80; DIRECT",                                  "direct",                                        1},
        {"nonsense",                                              "direct",                                        2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_proxy_note note = {0};
        np_proxy_list *list = NULL;
        cr_assert_eq(np_proxy_list_parse_result(cases[i].text, strlen(cases[i].text),
                                                NP_PROXY_BY_PAC, &list, &note, NULL),
                     NP_OK, "%s", cases[i].text);
        cr_expect_str_eq(as_text(list), cases[i].list, "%s", cases[i].text);
        cr_expect_eq(note.count, cases[i].notes, "%s: %u, %s", cases[i].text, note.count,
                     note.text);
        np_proxy_list_release(list);
    }
}

Test(proxy_list, a_list_that_somebody_typed_is_read_strictly)
{
    np_error err = {0};
    np_proxy_list *list = NULL;
    cr_assert_eq(np_proxy_list_parse("http://u:p@a:1; SOCKS5 b:2; socks5://c:3; DIRECT",
                                     NP_PROXY_BY_EXPLICIT, &list, NULL, &err),
                 NP_OK, "%s", err.text);
    cr_expect_str_eq(as_text(list), "http://a:1 as u:p|socks5h://b:2|socks5://c:3|direct");
    cr_expect_not(np_proxy_list_is_direct(list));
    np_proxy_list_release(list);

    cr_assert_eq(np_proxy_list_parse("direct", NP_PROXY_BY_EXPLICIT, &list, NULL, &err), NP_OK);
    cr_expect(np_proxy_list_is_direct(list));
    np_proxy_list_release(list);
    cr_expect(np_proxy_list_is_direct(NULL));

    static const char *const bad[] = {"", ";;", "a:1; ftp://b:2", "PROXY a:x", "DIRECT a", "a b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (np_error){0};
        cr_expect_eq(np_proxy_list_parse(bad[i], NP_PROXY_BY_EXPLICIT, &list, NULL, &err),
                     NP_E_ARGUMENT, "%s", bad[i]);
        cr_expect_null(list);
        cr_expect_neq(err.text[0], '\0');
    }
}

Test(proxy_list, long_and_strange_texts_end_in_an_error_or_a_list)
{
    const size_t length = 1024 * 1024;
    char *text = malloc(length + 1);
    np_proxy_list *list = NULL;
    static const char fills[] = {'a', ';', '.', '[', ':', '@', '%', ' ', '\x01', '\xff', '/'};
    for (size_t i = 0; i < sizeof fills; i++) {
        np_error err = {0};
        memset(text, fills[i], length);
        text[length] = '\0';
        cr_expect_eq(np_proxy_list_parse_url(text, NP_PROXY_BY_EXPLICIT, &list, NULL, &err),
                     NP_E_ARGUMENT);
        cr_expect_null(list);
        cr_expect_eq(np_proxy_list_parse(text, NP_PROXY_BY_EXPLICIT, &list, NULL, &err),
                     NP_E_ARGUMENT);
        cr_expect_eq(np_proxy_list_parse_result(text, length, NP_PROXY_BY_PAC, &list, NULL, &err),
                     NP_E_ARGUMENT);
        text[NP_PROXY_RESULT_MAX] = '\0';
        np_proxy_note note = {0};
        const np_status status = np_proxy_list_parse_result(text, NP_PROXY_RESULT_MAX,
                                                            NP_PROXY_BY_PAC, &list, &note, &err);
        cr_expect_eq(status == NP_OK, list != NULL);
        np_proxy_list_release(list);
    }
    size_t used = 0;
    for (size_t i = 0; i < 100; i++)
        used += (size_t)sprintf(text + used, "PROXY p%zu:1;", i);
    np_proxy_note note = {0};
    cr_assert_eq(np_proxy_list_parse_result(text, used, NP_PROXY_BY_PAC, &list, &note, NULL),
                 NP_OK);
    cr_expect_eq(list->count, NP_PROXY_ENTRIES_MAX);
    cr_expect_eq(note.count, 100 - NP_PROXY_ENTRIES_MAX);
    np_proxy_list_release(list);
    free(text);
}

Test(proxy_list, a_note_holds_no_control_character)
{
    np_proxy_note note = {0};
    np_proxy_list *list = NULL;
    static const char text[] = "PROXY a\x1b[31m\x07:1; DIRECT";
    cr_assert_eq(
        np_proxy_list_parse_result(text, sizeof text - 1, NP_PROXY_BY_PAC, &list, &note, NULL),
        NP_OK);
    cr_expect_eq(note.count, 1);
    for (const char *c = note.text; *c; c++)
        cr_expect((unsigned char)*c >= ' ' && *c != 0x7f);
    np_proxy_list_release(list);
}
