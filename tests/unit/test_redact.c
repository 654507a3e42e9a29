#include "redact.h"

#include <criterion/criterion.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const np_redaction usual = {.keep_query_values = false};
static const np_redaction keeping = {.keep_query_values = true};

struct text_case {
    const char *text, *expected;
};

typedef void redact_fn(const np_redaction *rules, const char *text, size_t length, np_textbuf *out);

static void check(redact_fn *redact, const np_redaction *rules, const struct text_case *cases,
                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        np_textbuf out;
        np_textbuf_init(&out, 4096);
        /* Exactly as long as the text, without a NUL: the address sanitizer watches. */
        const size_t length = strlen(cases[i].text);
        char *const text = malloc(length ? length : 1);
        memcpy(text, cases[i].text, length);
        redact(rules, text, length, &out);
        cr_assert_str_eq(out.text, cases[i].expected, "'%s' became '%s', expected '%s'",
                         cases[i].text, out.text, cases[i].expected);
        free(text);
        np_textbuf_done(&out);
    }
}

Test(redact, values_of_queries_go)
{
    static const struct text_case cases[] = {
        {"/a?page=2&x",              "/a?page=*&x"          },
        {"/a",                       "/a"                   },
        {"/",                        "/"                    },
        {"",                         ""                     },
        {"/a?",                      "/a?"                  },
        {"/a?x",                     "/a?x"                 },
        {"/a?x=",                    "/a?x=*"               },
        {"/a?=v",                    "/a?=*"                },
        {"/a?a=1&b=2&c=3",           "/a?a=*&b=*&c=*"       },
        {"/a?&&a=1&",                "/a?&&a=*&"            },
        {"/a?a=b=c",                 "/a?a=*"               },
        {"/a?a=1;b=2",               "/a?a=*"               },
        {"/a?x;token=1",             "/a?x;token=*"         },
        {"/a?a=%26b%3D1",            "/a?a=*"               },
        {"/a?to%6ben=abc",           "/a?to%6ben=*"         },
        {"/a?token%3Dabc",           "/a?token%3D*"         },
        {"/a?token%3dabc&x=1",       "/a?token%3d*&x=*"     },
        {"/a?a=1?b=2",               "/a?a=*"               },
        {"/a?a=/b/c",                "/a?a=*"               },
        {"/a#token=1",               "/a"                   },
        {"/a?x=1#token=1",           "/a?x=*"               },
        {"/a#b?c=d",                 "/a"                   },
        {"#",                        ""                     },
        {"?a=1",                     "?a=*"                 },
        {"/a;jsessionid=1234/b?x=1", "/a;jsessionid=*/b?x=*"},
        {"/a;v=1;w=2/b;c",           "/a;v=*;w=*/b;c"       },
        {"/a\x1b[2J?x=\n1",          "/a\x1b[2J?x=*"        },
        {"/p%3Fq?x=1",               "/p%3Fq?x=*"           },
    };
    check(np_redact_path, &usual, cases, COUNT(cases));
    check(np_redact_path, NULL, cases, COUNT(cases));
}

Test(redact, values_of_queries_stay_where_asked)
{
    static const struct text_case cases[] = {
        {"/a?page=2&x",    "/a?page=2&x"},
        {"/a?x=1#token=1", "/a?x=1"     },
        {"/a;v=1?b",       "/a;v=1?b"   },
    };
    check(np_redact_path, &keeping, cases, COUNT(cases));
}

Test(redact, user_info_of_urls_goes)
{
    static const struct text_case cases[] = {
        {"https://a.example/x?y=1",             "https://a.example/x?y=*"  },
        {"https://user@a.example/x",            "https://a.example/x"      },
        {"https://user:pass@a.example:8443/x",  "https://a.example:8443/x" },
        {"https://user:p@ss@a.example/",        "https://a.example/"       },
        {"https://user:p%40ss@[::1]:80/",       "https://[::1]:80/"        },
        {"https://[::1]:80/@x",                 "https://[::1]:80/@x"      },
        {"https://user:pa/ss@a.example/",       "https://a.example/"       },
        {"https://user:pa?ss@a.example/",       "https://a.example/"       },
        {"https://user:pa#ss@a.example/",       "https://a.example/"       },
        {"https://a.example:80/m@il",           "https://a.example:80/m@il"},
        {"https://a.example/x?to=me@b.example", "https://a.example/x?to=*" },
        {"https://a.example?x=1",               "https://a.example?x=*"    },
        {"https://a.example#frag",              "https://a.example"        },
        {"HTTP://U:P@A.EXAMPLE",                "HTTP://A.EXAMPLE"         },
        {"socks5h://u:p@px:1080",               "socks5h://px:1080"        },
        {"//u:p@a.example/x",                   "//a.example/x"            },
        {"u:p@a.example:3128",                  "a.example:3128"           },
        {"a.example:3128/x?y=1",                "a.example:3128/x?y=*"     },
        {"/relative?x=1",                       "/relative?x=*"            },
        {"/m@il",                               "/m@il"                    },
        {"../up?x=1",                           "../up?x=*"                },
        {"?x=1",                                "?x=*"                     },
        {"https://",                            "https://"                 },
        {"https://@",                           "https://"                 },
        {"",                                    ""                         },
    };
    check(np_redact_url, &usual, cases, COUNT(cases));
}

Test(redact, header_values_that_are_secret_go)
{
    static const struct {
        const char *name, *value, *expected;
    } cases[] = {
        {"Authorization",             "Basic dXNlcjpwYXNz",                                        "Basic *"                      },
        {"authorization",             "bearer abc.def",                                            "bearer *"                     },
        {"AUTHORIZATION",             "Digest username=\"u\", response=\"r\"",                     "Digest *"                     },
        {"Authorization",             "  Negotiate YII==",                                         "Negotiate *"                  },
        {"Authorization",             "AWS4-HMAC-SHA256 Credential=A/B, Signature=c",              "AWS4-HMAC-SHA256 *"           },
        {"Authorization",             "secrettoken",                                               "*"                            },
        {"Authorization",             "my secret words",                                           "*"                            },
        {"Authorization",             "Basic",                                                     "Basic"                        },
        {"Authorization",             "",                                                          ""                             },
        {"Proxy-Authorization",       "Basic dXNlcjpwYXNz",                                        "Basic *"                      },
        {"Authentication-Info",       "nextnonce=\"x\"",                                           "*"                            },
        {"Proxy-Authentication-Info", "x",                                                         "*"                            },
        {"WWW-Authenticate",          "Basic realm=\"a, b\"",                                      "Basic realm=\"a, b\""         },
        {"WWW-Authenticate",          "Negotiate YII==, Basic realm=\"r\"",
         "Negotiate *, Basic realm=\"r\""                                                                                         },
        {"Proxy-Authenticate",        "NTLM TlRMTVNTUAAC",                                         "NTLM *"                       },
        {"WWW-Authenticate",          "NTLM",                                                      "NTLM"                         },
        {"Cookie",                    "sid=abc",                                                   "sid=*"                        },
        {"cookie",                    "sid=abc; theme=dark;x=",                                    "sid=*; theme=*; x=*"          },
        {"Cookie",                    "a=b=c; nameless",                                           "a=*; *"                       },
        {"Cookie",                    "",                                                          ""                             },
        {"Set-Cookie",                "sid=abc; Path=/; HttpOnly; Secure; SameSite=Lax",
         "sid=*; Path=/; HttpOnly; Secure; SameSite=Lax"                                                                          },
        {"set-cookie",                "sid=abc; expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=5",
         "sid=*; expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=5"                                                                },
        {"Set-Cookie",                "a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT, b=2; Path=/",
         "a=*; Expires=*; Path=/"                                                                                                 },
        {"Set-Cookie",                "Path=secret; Path=/",                                       "Path=*; Path=/"               },
        {"Set-Cookie",                "a=1; token=x; odd",                                         "a=*; token=*; *"              },
        {"Set-Cookie",                "valueonly",                                                 "*"                            },
        {"Set-Cookie2",               "a=1",                                                       "a=*"                          },
        {"X-Api-Key",                 "k",                                                         "*"                            },
        {"x-api-key",                 "k",                                                         "*"                            },
        {"Ocp-Apim-Subscription-Key", "k",                                                         "*"                            },
        {"X-Auth-Token",              "k",                                                         "*"                            },
        {"X-Vault-Token",             "k",                                                         "*"                            },
        {"X-CSRF-TOKEN",              "k",                                                         "*"                            },
        {"X-Client-Secret",           "k",                                                         "*"                            },
        {"X-AccessToken",             "k",                                                         "*"                            },
        {"X-Session-Id",              "k",                                                         "*"                            },
        {"X-Amz-Security-Token",      "k",                                                         "*"                            },
        {"Sec-WebSocket-Key",         "k",                                                         "k"                            },
        {"Idempotency-Key",           "k",                                                         "k"                            },
        {":authority",                "a.example",                                                 "a.example"                    },
        {"Author",                    "me",                                                        "me"                           },
        {"Content-Type",              "text/html; charset=utf-8",                                  "text/html; charset=utf-8"     },
        {"Server",                    "nginx\x1b[2J",                                              "nginx\x1b[2J"                 },
        {"Location",                  "https://u:p@a.example/x?code=1#t",                          "https://a.example/x?code=*"   },
        {"location",                  "/next?code=1",                                              "/next?code=*"                 },
        {"Referer",                   "https://a.example/?q=s",                                    "https://a.example/?q=*"       },
        {"Content-Location",          "/x?y=z",                                                    "/x?y=*"                       },
        {":path",                     "/x?y=z",                                                    "/x?y=*"                       },
        {"Link",                      "</a?t=1>; rel=next, <https://u@b.example/>",
         "</a?t=*>; rel=next, <https://b.example/>"                                                                               },
        {"Link",                      "<unclosed?t=1",                                             "<unclosed?t=*"                },
        {"Refresh",                   "5; url=https://u:p@a.example/?x=1",                         "5; url=https://a.example/?x=*"},
        {"Refresh",                   "5",                                                         "5"                            },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        np_textbuf out;
        np_textbuf_init(&out, 4096);
        const size_t length = strlen(cases[i].value);
        char *const value = malloc(length ? length : 1);
        memcpy(value, cases[i].value, length);
        np_redact_header(&usual, cases[i].name, value, length, &out);
        cr_assert_str_eq(out.text, cases[i].expected, "%s: '%s' became '%s'", cases[i].name,
                         cases[i].value, out.text);
        free(value);
        np_textbuf_done(&out);
    }
}

static const char *const given_names[] = {"X-Tenant", "customer", "tok en"};
static const np_redaction more = {.names = given_names, .name_count = COUNT(given_names)};
static const np_redaction all_kept = {.keep_all = true};
static const np_redaction all_but = {
    .keep_all = true, .names = given_names, .name_count = COUNT(given_names)};

static void check_field(const np_redaction *rules, const char *name, const char *value,
                        const char *expected)
{
    np_textbuf out;
    np_textbuf_init(&out, 4096);
    np_redact_header(rules, name, value, strlen(value), &out);
    cr_assert_str_eq(out.text, expected, "%s: '%s' became '%s'", name, value, out.text);
    np_textbuf_done(&out);
}

Test(redact, names_that_were_given_go_too)
{
    check_field(&usual, "X-Tenant", "acme", "acme");
    check_field(&more, "x-tenant", "acme", "*");
    check_field(&more, "X-Tenant", "", "");
    check_field(&more, "Accept", "*/*", "*/*");
    check_field(&more, "Authorization", "Bearer abc", "Bearer *");
}

Test(redact, with_everything_kept_only_named_values_and_user_info_go)
{
    check_field(&all_kept, "Authorization", "Bearer abc", "Bearer abc");
    check_field(&all_kept, "Set-Cookie", "sid=1; Path=/", "sid=1; Path=/");
    check_field(&all_kept, "X-Api-Key", "k", "k");
    check_field(&all_kept, "Location", "https://u:p@a/?x=1", "https://a/?x=1");
    check_field(&all_but, "X-TENANT", "acme", "*");
    check_field(&all_but, "Location", "/?customer=7&x=1", "/?customer=*&x=1");

    static const struct text_case paths[] = {
        {"/a?page=2&customer=7",     "/a?page=2&customer=*"    },
        {"/a?CUSTOMER=7",            "/a?CUSTOMER=*"           },
        {"/a?c%75stomer=7&b",        "/a?c%75stomer=*&b"       },
        {"/a?tok%20en=7",            "/a?tok%20en=*"           },
        {"/a?customer%3D7",          "/a?customer%3D*"         },
        {"/a?x=1;customer=7&y=2",    "/a?x=*&y=2"              },
        {"/a?customers=7&custome=1", "/a?customers=7&custome=1"},
        {"/a;customer=7/b;v=1?x",    "/a;customer=*/b;v=1?x"   },
        {"/a?customer%",             "/a?customer%"            },
        {"/a?x=1#customer=1",        "/a?x=1"                  },
    };
    check(np_redact_path, &all_but, paths, COUNT(paths));
}

Test(redact, passwords_of_a_command_line_go_even_when_everything_is_kept)
{
    static const struct {
        const char *previous, *argument, *expected;
    } cases[] = {
        {"-u",       "me:pw",                        "*"                       },
        {"--use",    "me:pw",                        "*"                       },
        {"x",        "--us=me:pw",                   "--us=*"                  },
        {"--proxy-", "me:pw",                        "*"                       },
        {"--dat",    "a=b",                          "*"                       },
        {"-H",       "Authorization: Basic a",       "Authorization: Basic a"  },
        {"-H",       "X-Tenant: acme",               "X-Tenant: *"             },
        {"record",   "http://u:p@a/?customer=7&b=1", "http://a/?customer=*&b=1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        np_textbuf out;
        np_textbuf_init(&out, 4096);
        np_redact_argument(&all_but, cases[i].previous, cases[i].argument, &out);
        cr_assert_str_eq(out.text, cases[i].expected, "%s %s: became '%s'", cases[i].previous,
                         cases[i].argument, out.text);
        np_textbuf_done(&out);
    }
}

Test(redact, words_of_a_command_line)
{
    static const struct {
        const char *previous, *argument, *expected;
    } cases[] = {
        {NULL,              "curl",                                    "curl"                           },
        {"curl",            "-u",                                      "-u"                             },
        {"-u",              "USER:PASS",                               "*"                              },
        {"curl",            "-uUSER:PASS",                             "-u*"                            },
        {"-sSu",            "USER:PASS",                               "*"                              },
        {"curl",            "-vuUSER:PASS",                            "-vu*"                           },
        {"--user",          "USER:PASS",                               "*"                              },
        {"curl",            "--user=USER:PASS",                        "--user=*"                       },
        {"-U",              "USER:PASS",                               "*"                              },
        {"--proxy-user",    "USER:PASS",                               "*"                              },
        {"--oauth2-bearer", "abc",                                     "*"                              },
        {"-H",              "Authorization: Basic abc",                "Authorization: Basic *"         },
        {"-H",              "authorization:Bearer abc",                "authorization:Bearer *"         },
        {"-H",              "X-Api-Key : abc",                         "X-Api-Key : *"                  },
        {"-H",              "Accept: text/html",                       "Accept: text/html"              },
        {"-H",              "@file",                                   "@file"                          },
        {"-H",              "Empty;",                                  "Empty;"                         },
        {"-H",              "Cookie: sid=abc",                         "Cookie: sid=*"                  },
        {"x",               "-HAuthorization: Basic abc",              "-HAuthorization: Basic *"       },
        {"x",               "--header=Authorization: Basic abc",       "--header=Authorization: Basic *"},
        {"--header",        "Referer: https://u:p@a/?q=1",             "Referer: https://a/?q=*"        },
        {"--proxy-header",  "Proxy-Authorization: Basic abc",          "Proxy-Authorization: Basic *"   },
        {"-b",              "sid=abc; x=y",                            "sid=*; x=*"                     },
        {"-b",              "cookies.txt",                             "cookies.txt"                    },
        {"--cookie",        "sid=abc",                                 "sid=*"                          },
        {"-d",              "user=me&password=x",                      "*"                              },
        {"--data-raw",      "x",                                       "*"                              },
        {"--json",          "{\"a\":1}",                               "*"                              },
        {"-d",              "@body.json",                              "@body.json"                     },
        {"x",               "-dpassword=x",                            "-d*"                            },
        {"-F",              "a=b",                                     "*"                              },
        {"-x",              "http://u:p@px:3128",                      "http://px:3128"                 },
        {"--proxy",         "u:p@px:3128",                             "px:3128"                        },
        {"x",               "--proxy=http://u:p@px:3128",              "--proxy=http://px:3128"         },
        {"-x",              "http://u:p@a:1;socks5://v:q@b:2; DIRECT", "http://a:1;socks5://b:2; DIRECT"},
        {"--proxy",         "http://u:p;q@a:1",                        "*;a:1"                          },
        {"-e",              "https://a/?q=1",                          "https://a/?q=*"                 },
        {"-s",              "https://u:p@a.example/x?y=1",             "https://a.example/x?y=*"        },
        {NULL,              "https://u:p@a.example/x?y=1#z",           "https://a.example/x?y=*"        },
        {"x",               "u:p@a.example",                           "a.example"                      },
        {"x",               "a.example/x?y=1",                         "a.example/x?y=*"                },
        {"--url",           "a.example/x?y=1",                         "a.example/x?y=*"                },
        {"x",               "--callback=https://u:p@a/?x=1",           "--callback=https://a/?x=*"      },
        {"x",               "--token=abc",                             "--token=*"                      },
        {"--token",         "abc",                                     "*"                              },
        {"--api-key",       "abc",                                     "*"                              },
        {"--client-secret", "abc",                                     "*"                              },
        {"--key",           "client.pem",                              "client.pem"                     },
        {"env",             "API_TOKEN=abc",                           "API_TOKEN=*"                    },
        {"env",             "PGPASSWORD=abc",                          "PGPASSWORD=*"                   },
        {"env",             "HOME=/root",                              "HOME=/root"                     },
        {"env",             "http_proxy=http://u:p@px:3128/",          "http_proxy=http://px:3128/"     },
        {"-n",              "200",                                     "200"                            },
        {"record",          "--where=total > 50ms",                    "--where=total > 50ms"           },
        {"x",               "@file",                                   "@file"                          },
        {"x",               "#1",                                      "#1"                             },
        {"x",               "-",                                       "-"                              },
        {"x",               "--",                                      "--"                             },
        {"x",               "",                                        ""                               },
        {"--label",         "commit=4be1c09",                          "commit=4be1c09"                 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        np_textbuf out;
        np_textbuf_init(&out, 4096);
        np_redact_argument(&usual, cases[i].previous, cases[i].argument, &out);
        cr_assert_str_eq(out.text, cases[i].expected, "%s %s: became '%s'",
                         cases[i].previous ? cases[i].previous : "", cases[i].argument, out.text);
        np_textbuf_done(&out);
    }
}
