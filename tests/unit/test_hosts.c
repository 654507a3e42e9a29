/* The hosts file. */
#include "hosts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *find(const char *file, const char *name)
{
    static char out[512];
    char text[NP_ADDRESS_TEXT];
    np_address found[4];
    size_t length = 0;
    np_hosts *hosts = np_hosts_parse(file, strlen(file));
    const size_t count = np_hosts_find(hosts, name, found, 4);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(out + length, sizeof out - length, "%s%s", i ? " " : "",
                                   np_address_host_text(&found[i], text));
    np_hosts_free(hosts);
    return out;
}

Test(hosts, names_and_aliases_are_found)
{
    static const struct {
        const char *file, *name, *expected;
    } cases[] = {
        {"127.0.0.1 localhost\n",                                   "localhost", "127.0.0.1"                      },
        {"127.0.0.1\tlocalhost box\t box.lab\n",                    "box.lab",   "127.0.0.1"                      },
        {"192.0.2.1 Box.Lab",                                       "bOX.lAB",   "192.0.2.1"                      },
        {"192.0.2.1 a\n2001:db8::1 b a\n192.0.2.2 a\n",             "a",         "192.0.2.1 2001:db8::1 192.0.2.2"},
        {"# 192.0.2.1 a\n192.0.2.2 b # a\n",                        "a",         ""                               },
        {"192.0.2.2 b#a\n",                                         "b",         "192.0.2.2"                      },
        {"192.0.2.2 b#a\n",                                         "b#a",       ""                               },
        {"nonsense a\n192.0.2.3\n\n   \n192.0.2.4 a\r\n",           "a",         "192.0.2.4"                      },
        {"fe80::1%lo a\n",                                          "a",         "fe80::1%1"                      },
        {"192.0.2.1 aa\n192.0.2.2 a\n192.0.2.3 ab\n",               "a",         "192.0.2.2"                      },
        {"192.0.2.1 a\n",                                           "b",         ""                               },
        {"",                                                        "a",         ""                               },
        {"1.1.1.1 a\n1.1.1.2 a\n1.1.1.3 a\n1.1.1.4 a\n1.1.1.5 a\n", "a",
         "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4"                                                                        },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(find(cases[i].file, cases[i].name), cases[i].expected, "row %zu: %s", i,
                         find(cases[i].file, cases[i].name));
}

Test(hosts, no_table_knows_no_name)
{
    np_address found[1];

    cr_assert_eq(np_hosts_find(NULL, "a", found, 1), 0);
}
