/* References against a base: the examples of RFC 3986 section 5.4, and what a Location field may
 * hold besides. */
#include "url_resolve.h"

#include <criterion/criterion.h>
#include <string.h>

static np_url url_of(const char *text)
{
    np_url url;
    np_error err = {0};
    cr_assert_eq(np_url_parse(text, &url, &err), NP_OK, "%s: %s", text, err.text);
    return url;
}

static void expect(const char *base_text, const char *reference, const char *wanted)
{
    np_url base = url_of(base_text), url;
    np_error err = {0};
    const np_status status = np_url_resolve(&base, reference, strlen(reference), &url, &err);
    cr_expect_eq(status, NP_OK, "\"%s\": %s", reference, err.text);
    if (!status)
        cr_expect_str_eq(url.text, wanted, "\"%s\" gives %s, expected %s", reference, url.text,
                         wanted);
    np_url_done(&url);
    np_url_done(&base);
}

/* Section 5.4.1 and 5.4.2 without the fragments, which no request has. "http:g" is told apart
 * below. */
Test(url_resolve, the_examples_of_rfc_3986_come_out)
{
    static const char *const examples[][2] = {
        {"g",             "http://a/b/c/g"       },
        {"./g",           "http://a/b/c/g"       },
        {"g/",            "http://a/b/c/g/"      },
        {"/g",            "http://a/g"           },
        {"//g",           "http://g/"            },
        {"?y",            "http://a/b/c/d;p?y"   },
        {"g?y",           "http://a/b/c/g?y"     },
        {"#s",            "http://a/b/c/d;p?q"   },
        {"g#s",           "http://a/b/c/g"       },
        {"g?y#s",         "http://a/b/c/g?y"     },
        {";x",            "http://a/b/c/;x"      },
        {"g;x",           "http://a/b/c/g;x"     },
        {"g;x?y#s",       "http://a/b/c/g;x?y"   },
        {"",              "http://a/b/c/d;p?q"   },
        {".",             "http://a/b/c/"        },
        {"./",            "http://a/b/c/"        },
        {"..",            "http://a/b/"          },
        {"../",           "http://a/b/"          },
        {"../g",          "http://a/b/g"         },
        {"../..",         "http://a/"            },
        {"../../",        "http://a/"            },
        {"../../g",       "http://a/g"           },
        {"../../../g",    "http://a/g"           },
        {"../../../../g", "http://a/g"           },
        {"/./g",          "http://a/g"           },
        {"/../g",         "http://a/g"           },
        {"g.",            "http://a/b/c/g."      },
        {".g",            "http://a/b/c/.g"      },
        {"g..",           "http://a/b/c/g.."     },
        {"..g",           "http://a/b/c/..g"     },
        {"./../g",        "http://a/b/g"         },
        {"./g/.",         "http://a/b/c/g/"      },
        {"g/./h",         "http://a/b/c/g/h"     },
        {"g/../h",        "http://a/b/c/h"       },
        {"g;x=1/./y",     "http://a/b/c/g;x=1/y" },
        {"g;x=1/../y",    "http://a/b/c/y"       },
        {"g?y/./x",       "http://a/b/c/g?y/./x" },
        {"g?y/../x",      "http://a/b/c/g?y/../x"},
        {"g#s/../x",      "http://a/b/c/g"       },
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        expect("http://a/b/c/d;p?q", examples[i][0], examples[i][1]);
}

Test(url_resolve, an_absolute_reference_stands_for_itself)
{
    expect("http://a/b", "https://other.example:8443/x/../y?z=1",
           "https://other.example:8443/y?z=1");
    expect("http://a/b", "HTTP://A:80", "http://a/");
    expect("https://a:444/b", "//c:1/d", "https://c:1/d");
    expect("http://[::1]:8080/b?c", "/d", "http://[::1]:8080/d");
    expect("http://a/b", "http://a?q", "http://a/?q");
}

Test(url_resolve, a_base_without_a_path_is_its_root)
{
    expect("http://a", "g", "http://a/g");
    expect("http://a?q", "g", "http://a/g");
    expect("http://a?q", "", "http://a/?q");
    expect("http://a?x/y", "?z", "http://a/?z");
}

Test(url_resolve, blanks_around_are_dropped_and_stray_bytes_are_encoded)
{
    expect("http://a/", " \t/b \t", "http://a/b");
    expect("http://a/", "/two words?q={\"x\"}", "http://a/two%20words?q=%7B%22x%22%7D");
    expect("http://a/",
           "/gr\xc3\xbc\xc3\x9f"
           "e|x",
           "http://a/gr%C3%BC%C3%9Fe%7Cx");
    expect("http://a/", "/already%20encoded", "http://a/already%20encoded");
}

Test(url_resolve, what_cannot_be_followed_is_refused)
{
    static const struct {
        const char *reference;
        np_status status;
    } bad[] = {
        {"ftp://a/b",             NP_E_NOT_SUPPORTED},
        {"mailto:x@example.test", NP_E_NOT_SUPPORTED},
        {"javascript:alert(1)",   NP_E_NOT_SUPPORTED},
        {"http:g",                NP_E_ARGUMENT     },
        {"http:///x",             NP_E_ARGUMENT     },
        {"//user:secret@host/",   NP_E_ARGUMENT     },
        {"http://ho st/",         NP_E_ARGUMENT     },
        {"//h\xc3\xb6st/",        NP_E_ARGUMENT     },
        {"/a%2",                  NP_E_ARGUMENT     },
        {"/a\tb",                 NP_E_ARGUMENT     },
        {"/a\001b",               NP_E_ARGUMENT     },
        {"http://a:99999/",       NP_E_ARGUMENT     },
        {"1http://a/",            NP_OK             },
    };
    np_url base = url_of("http://a/b"), url;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        np_error err = {0};
        const np_status status =
            np_url_resolve(&base, bad[i].reference, strlen(bad[i].reference), &url, &err);
        cr_expect_eq(status, bad[i].status, "%s: %s", bad[i].reference, np_status_name(status));
        cr_expect_null(strstr(err.text, "secret"), "%s", err.text);
        if (status)
            cr_expect_null(url.text);
        np_url_done(&url);
    }
    np_url_done(&base);
}

Test(url_resolve, a_colon_behind_no_letter_is_a_path)
{
    expect("http://a/b", "1:2", "http://a/1:2");
    expect("http://a/b", "./x:y", "http://a/x:y");
}

Test(url_resolve, an_origin_is_scheme_host_and_port)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"http://a/x",    "http://A:80/y",  true },
        {"https://a/x",   "https://a:443/", true },
        {"http://a/",     "https://a/",     false},
        {"http://a/",     "http://a:81/",   false},
        {"http://a/",     "http://b/",      false},
        {"http://a.b/",   "http://b/",      false},
        {"http://[::1]/", "http://[0::1]/", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_url a = url_of(cases[i].a), b = url_of(cases[i].b);
        cr_expect_eq(np_url_same_origin(&a, &b), cases[i].same, "%s %s", cases[i].a, cases[i].b);
        np_url_done(&a);
        np_url_done(&b);
    }
}
