/* URLs that are taken and URLs that are refused. */
#include "url.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(url, takes_absolute_http_and_https)
{
    static const struct {
        const char *text, *url, *scheme, *host, *target;
        uint16_t port;
    } cases[] = {
        {"http://example.org",                  "http://example.org/",                 "http",  "example.org",   "/",                 80  },
        {"HTTPS://Example.ORG/A/b?C=d",         "https://example.org/A/b?C=d",         "https", "example.org",
         "/A/b?C=d",                                                                                                                  443 },
        {"http://example.org:8080/",            "http://example.org:8080/",            "http",  "example.org",   "/",                 8080},
        {"http://example.org:80/x",             "http://example.org/x",                "http",  "example.org",   "/x",                80  },
        {"https://example.org:/x",              "https://example.org/x",               "https", "example.org",   "/x",                443 },
        {"http://example.org:65535",            "http://example.org:65535/",           "http",  "example.org",   "/",
         65535                                                                                                                            },
        {"http://example.org:00081",            "http://example.org:81/",              "http",  "example.org",   "/",                 81  },
        {"http://example.org?q=1",              "http://example.org/?q=1",             "http",  "example.org",   "/?q=1",             80  },
        {"http://example.org#part",             "http://example.org/",                 "http",  "example.org",   "/",                 80  },
        {"http://example.org/a?b#c?d",          "http://example.org/a?b",              "http",  "example.org",   "/a?b",              80  },
        {"http://example.org/%7Ea/%2f/../b//c", "http://example.org/%7Ea/%2f/../b//c", "http",
         "example.org",                                                                                          "/%7Ea/%2f/../b//c", 80  },
        {"http://example.org/a?x[]=1&y=a@b:c",  "http://example.org/a?x[]=1&y=a@b:c",  "http",
         "example.org",                                                                                          "/a?x[]=1&y=a@b:c",  80  },
        {"http://127.0.0.1/",                   "http://127.0.0.1/",                   "http",  "127.0.0.1",     "/",                 80  },
        {"http://[::1]/",                       "http://[::1]/",                       "http",  "::1",           "/",                 80  },
        {"http://[2001:DB8:0::1]:8080/x",       "http://[2001:db8::1]:8080/x",         "http",  "2001:db8::1",
         "/x",                                                                                                                        8080},
        {"http://xn--bcher-kva.example/",       "http://xn--bcher-kva.example/",       "http",
         "xn--bcher-kva.example",                                                                                "/",                 80  },
        {"http://a_b.example./",                "http://a_b.example./",                "http",  "a_b.example.",  "/",                 80  },
        {"http://1and1.example/",               "http://1and1.example/",               "http",  "1and1.example", "/",                 80  },
        {"http://localhost",                    "http://localhost/",                   "http",  "localhost",     "/",                 80  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_error err = {0};
        np_url url;
        cr_assert_eq(np_url_parse(cases[i].text, &url, &err), NP_OK, "%s: %s", cases[i].text,
                     err.text);
        cr_expect_str_eq(url.text, cases[i].url, "%s", cases[i].text);
        cr_expect_str_eq(url.scheme, cases[i].scheme, "%s", cases[i].text);
        cr_expect_str_eq(url.host, cases[i].host, "%s", cases[i].text);
        cr_expect_str_eq(url.target, cases[i].target, "%s", cases[i].text);
        cr_expect_eq(url.port, cases[i].port, "%s", cases[i].text);
        np_url_done(&url);
        cr_assert_null(url.text);
    }
}

Test(url, refuses_the_rest_and_says_why)
{
    static const struct {
        const char *text;
        np_status status;
        const char *says;
    } cases[] = {
        {"",                                                                                 NP_E_ARGUMENT,      "empty"                       },
        {"example.org",                                                                      NP_E_ARGUMENT,      "no scheme"                   },
        {"/path",                                                                            NP_E_ARGUMENT,      "no scheme"                   },
        {"//example.org/",                                                                   NP_E_ARGUMENT,      "no scheme"                   },
        {"localhost:8080/x",                                                                 NP_E_ARGUMENT,      "no scheme"                   },
        {"1http://example.org/",                                                             NP_E_ARGUMENT,      "no scheme"                   },
        {"http:example.org",                                                                 NP_E_ARGUMENT,      "no \"//\""                   },
        {"http:/example.org",                                                                NP_E_ARGUMENT,      "no \"//\""                   },
        {"ftp://example.org/",                                                               NP_E_NOT_SUPPORTED, "ftp"                         },
        {"file:///etc/passwd",                                                               NP_E_NOT_SUPPORTED, "file"                        },
        {"httpss://example.org/",                                                            NP_E_NOT_SUPPORTED, "httpss"                      },
        {"http://",                                                                          NP_E_ARGUMENT,      "no host"                     },
        {"http:///path",                                                                     NP_E_ARGUMENT,      "no host"                     },
        {"http://:80/",                                                                      NP_E_ARGUMENT,      "no host"                     },
        {"http://?q",                                                                        NP_E_ARGUMENT,      "no host"                     },
        {"http://user:secret@example.org/",                                                  NP_E_ARGUMENT,      "user name"                   },
        {"http://user@example.org/",                                                         NP_E_ARGUMENT,      "user name"                   },
        {"http://example.org:0/",                                                            NP_E_ARGUMENT,      "port"                        },
        {"http://example.org:65536/",                                                        NP_E_ARGUMENT,      "65536"                       },
        {"http://example.org:99999999999999999999/",                                         NP_E_ARGUMENT,      "port"                        },
        {"http://example.org:80a/",                                                          NP_E_ARGUMENT,      "'a' in its port"             },
        {"http://example.org:-1/",                                                           NP_E_ARGUMENT,      "'-' in its port"             },
        {"http://exa mple.org/",                                                             NP_E_ARGUMENT,      "space at byte 11"            },
        {" http://example.org/",                                                             NP_E_ARGUMENT,      "space at byte 1"             },
        {"http://example.org/\n",                                                            NP_E_ARGUMENT,      "control character at byte 20"},
        {"http://example.org/\x7f",                                                          NP_E_ARGUMENT,      "control character"           },
        {"http://b\xc3\xbc"
         "cher.example/",                                                           NP_E_ARGUMENT,      "xn--"                        },
        {"http://example.org/a|b",                                                           NP_E_ARGUMENT,      "'|'"                         },
        {"http://example.org\\a",                                                            NP_E_ARGUMENT,      "'\\'"                        },
        {"http://example.org/%",                                                             NP_E_ARGUMENT,      "%25"                         },
        {"http://example.org/%4",                                                            NP_E_ARGUMENT,      "%25"                         },
        {"http://example.org/%zz",                                                           NP_E_ARGUMENT,      "%25"                         },
        {"http://exam%70le.org/",                                                            NP_E_ARGUMENT,      "'%' in its host"             },
        {"http://a..b/",                                                                     NP_E_ARGUMENT,      "empty label"                 },
        {"http://.a/",                                                                       NP_E_ARGUMENT,      "empty label"                 },
        {"http://./",                                                                        NP_E_ARGUMENT,      "empty label"                 },
        {"http://a../",                                                                      NP_E_ARGUMENT,      "empty label"                 },
        {"http://127.1/",                                                                    NP_E_ARGUMENT,      "four numbers"                },
        {"http://127.0.0.256/",                                                              NP_E_ARGUMENT,      "four numbers"                },
        {"http://2130706433/",                                                               NP_E_ARGUMENT,      "four numbers"                },
        {"http://[::1/",                                                                     NP_E_ARGUMENT,      "']'"                         },
        {"http://[::1]x/",                                                                   NP_E_ARGUMENT,      "'x' after"                   },
        {"http://[]/",                                                                       NP_E_ARGUMENT,      "no IPv6 address"             },
        {"http://[::g]/",                                                                    NP_E_ARGUMENT,      "no IPv6 address"             },
        {"http://[127.0.0.1]/",                                                              NP_E_ARGUMENT,      "no IPv6 address"             },
        {"http://[fe80::1%25eth0]/",                                                         NP_E_ARGUMENT,      "zone"                        },
        {"http://::1/",                                                                      NP_E_ARGUMENT,      "no host"                     },
        {"http://a:b:c/",                                                                    NP_E_ARGUMENT,      "in its port"                 },
        {"http://0123456789012345678901234567890123456789012345678901234567890123.example/",
         NP_E_ARGUMENT,                                                                                          "label"                       },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_error err = {0};
        np_url url;
        cr_expect_eq(np_url_parse(cases[i].text, &url, &err), cases[i].status, "%s", cases[i].text);
        cr_expect(strstr(err.text, cases[i].says), "%s: \"%s\" says nothing of %s", cases[i].text,
                  err.text, cases[i].says);
        cr_expect_null(strstr(err.text, "secret"));
        cr_expect_null(url.text);
    }
}

Test(url, takes_64_kib_and_no_more)
{
    static const char start[] = "http://example.org/";
    np_url url;
    char *text = malloc(NP_URL_MAX + 2);
    memset(text, 'a', NP_URL_MAX + 1);
    memcpy(text, start, strlen(start));
    text[NP_URL_MAX + 1] = '\0';
    cr_assert_eq(np_url_parse(text, &url, NULL), NP_E_ARGUMENT);

    text[NP_URL_MAX] = '\0';
    cr_assert_eq(np_url_parse(text, &url, NULL), NP_OK);
    cr_assert_eq(strlen(url.text), NP_URL_MAX);
    np_url_done(&url);
    free(text);
}

Test(url, a_host_field_is_a_host_and_perhaps_a_port)
{
    static const struct {
        const char *text;
        bool taken;
    } cases[] = {
        {"example.org",      true },
        {"example.org:8080", true },
        {"[::1]:80",         true },
        {"127.0.0.1",        true },
        {"",                 false},
        {"a/b",              false},
        {"a b",              false},
        {"a:0",              false},
        {"a:65536",          false},
        {"user@a",           false},
        {"a\r\nb",           false},
        {"::1",              false},
        {"a?b",              false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(np_url_check_host(cases[i].text, NULL) == NP_OK, cases[i].taken, "%s",
                     cases[i].text);
}
