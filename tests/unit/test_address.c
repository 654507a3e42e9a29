/* Addresses as text, and the order of RFC 6724. */
#include "address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(address, literals_are_told_from_names)
{
    static const struct {
        const char *text, *expected; /* NULL: not a literal */
    } cases[] = {
        {"127.0.0.1",         "127.0.0.1"       },
        {"127.1",             "127.0.0.1"       },
        {"0x7f.1",            "127.0.0.1"       },
        {"::1",               "::1"             },
        {"[::1]",             "::1"             },
        {"2001:DB8::1",       "2001:db8::1"     },
        {"::ffff:192.0.2.1",  "::ffff:192.0.2.1"},
        {"fe80::1%1",         "fe80::1%1"       },
        {"fe80::1%lo",        "fe80::1%1"       },
        {"fe80::1%nosuch",    NULL              },
        {"",                  NULL              },
        {"[]",                NULL              },
        {"[127.0.0.1]",       NULL              },
        {"256.1.1.1",         NULL              },
        {"1.2.3.4.5",         NULL              },
        {"127.0.0.1 ",        NULL              },
        {"face.lab",          NULL              },
        {"abc",               NULL              },
        {"origin.lab",        NULL              },
        {"1.2.3.4:80",        NULL              },
        {":::",               NULL              },
        {"1:2:3:4:5:6:7:8:9", NULL              },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_address address;
        char text[NP_ADDRESS_TEXT] = "";
        const bool is_literal = np_address_parse(cases[i].text, strlen(cases[i].text), &address);
        cr_expect_eq(is_literal, cases[i].expected != NULL, "row %zu '%s'", i, cases[i].text);
        if (is_literal && cases[i].expected)
            cr_expect_str_eq(np_address_host_text(&address, text), cases[i].expected, "row %zu: %s",
                             i, text);
    }
}

Test(address, a_port_goes_with_it)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"192.0.2.1",       "192.0.2.1:53"},
        {"192.0.2.1:80",    "192.0.2.1:80"},
        {"::1",             "[::1]:53"    },
        {"[::1]",           "[::1]:53"    },
        {"[::1]:65535",     "[::1]:65535" },
        {"192.0.2.1:",      NULL          },
        {"[::1]:0",         NULL          },
        {"[::1]x",          NULL          },
        {"[::1",            NULL          },
        {"192.0.2.1:65536", NULL          },
        {"192.0.2.1:8a",    NULL          }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_address address;
        char text[NP_ADDRESS_TEXT] = "";
        const bool ok = np_address_parse_port(cases[i].text, strlen(cases[i].text), 53, &address);
        cr_expect_eq(ok, cases[i].expected != NULL, "row %zu '%s'", i, cases[i].text);
        if (ok && cases[i].expected)
            cr_expect_str_eq(np_address_text(&address, text), cases[i].expected, "row %zu: %s", i,
                             text);
    }
}

static np_address parse(const char *text)
{
    np_address address;
    cr_assert(np_address_parse(text, strlen(text), &address), "%s", text);
    return address;
}

/* "DEST<SOURCE DEST<-": the candidates with their sources, "-" for none. */
static size_t make(const char *text, np_candidate *out)
{
    char copy[512];
    char *rest = copy;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word; (word = strsep(&rest, " ")) != NULL; count++) {
        char *source = strchr(word, '<');
        *source++ = '\0';
        out[count] = (np_candidate){.address = parse(word), .reachable = strcmp(source, "-") != 0};
        if (out[count].reachable)
            out[count].source = parse(source);
    }
    return count;
}

static const char *render(const np_candidate *candidates, size_t count)
{
    static char out[512];
    char text[NP_ADDRESS_TEXT];
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(out + length, sizeof out - length, "%s%s", i ? " " : "",
                                   np_address_host_text(&candidates[i].address, text));
    return out;
}

/* The first rows are the examples of RFC 6724 section 10.2. */
Test(address, destinations_are_sorted_by_rfc_6724)
{
    static const struct {
        const char *given, *sorted;
    } cases[] = {
        {"198.51.100.121<169.254.13.78 2001:db8:1::1<2001:db8:1::2",
         "2001:db8:1::1 198.51.100.121"                                                                            },
        {"2001:db8:1::1<fe80::1 198.51.100.121<198.51.100.117",                 "198.51.100.121 2001:db8:1::1"     },
        {"10.1.2.3<10.1.2.4 2001:db8:1::1<2001:db8:1::2",                       "2001:db8:1::1 10.1.2.3"           },
        {"2001:db8:1::1<2001:db8:1::2 fe80::1<fe80::2",                         "fe80::1 2001:db8:1::1"            },
        {"2001:db8:1::1<2001:db8:3f44::2 2001:db8:3ffe::1<2001:db8:3f44::2",
         "2001:db8:3ffe::1 2001:db8:1::1"                                                                          },
        {"2002:c633:6401::1<2002:c633:6401::2 2001:db8:1::1<2002:c633:6401::2",
         "2002:c633:6401::1 2001:db8:1::1"                                                                         },
        {"2002:c633:6401::1<2001:db8:1::2 2001:db8:1::1<2001:db8:1::2",
         "2001:db8:1::1 2002:c633:6401::1"                                                                         },
        {"fd00::1<fd00::2 192.0.2.1<192.0.2.2",                                 "192.0.2.1 fd00::1"                },
        {"127.0.0.1<127.0.0.1 ::1<::1",                                         "::1 127.0.0.1"                    },
        {"2001:db8::1<- 192.0.2.1<192.0.2.2",                                   "192.0.2.1 2001:db8::1"            },
        {"192.0.2.9<192.0.2.2 192.0.2.1<192.0.2.2 192.0.2.3<192.0.2.2",
         "192.0.2.9 192.0.2.1 192.0.2.3"                                                                           },
        {"2001:db8::9<- 2001:db8::1<- 192.0.2.3<-",                             "2001:db8::9 2001:db8::1 192.0.2.3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_candidate candidates[8];
        const size_t count = make(cases[i].given, candidates);
        np_candidates_sort(candidates, count);
        cr_expect_str_eq(render(candidates, count), cases[i].sorted, "row %zu: %s", i,
                         render(candidates, count));
    }
}

Test(address, families_take_turns)
{
    static const struct {
        const char *given;
        int first;
        const char *expected;
    } cases[] = {
        {"::2<::9 ::3<::9 ::4<::9 1.1.1.1<1.1.1.9 1.1.1.2<1.1.1.9", AF_UNSPEC,
         "::2 1.1.1.1 ::3 1.1.1.2 ::4"                                                                  },
        {"::2<::9 ::3<::9 1.1.1.1<1.1.1.9",                         AF_INET,   "1.1.1.1 ::2 ::3"        },
        {"1.1.1.1<1.1.1.9 1.1.1.2<1.1.1.9",                         AF_INET6,  "1.1.1.1 1.1.1.2"        },
        {"1.1.1.1<1.1.1.9 1.1.1.2<1.1.1.9 ::2<- ::3<-",             AF_UNSPEC, "1.1.1.1 1.1.1.2 ::2 ::3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_candidate candidates[8];
        const size_t count = make(cases[i].given, candidates);
        np_candidates_interleave(candidates, count, cases[i].first);
        cr_expect_str_eq(render(candidates, count), cases[i].expected, "row %zu: %s", i,
                         render(candidates, count));
    }
}

Test(address, the_kernel_tells_the_source)
{
    np_address to = parse("127.0.0.1");
    np_address source;
    char text[NP_ADDRESS_TEXT];

    cr_assert(np_address_source(&to, &source));

    cr_assert_str_eq(np_address_host_text(&source, text), "127.0.0.1");
}
