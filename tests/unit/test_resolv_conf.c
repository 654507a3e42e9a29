/* resolv.conf: what is taken from it, and the names that are asked for. */
#include "clock.h"
#include "resolv_conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *servers_of(const np_resolv_conf *conf)
{
    static char out[512];
    char text[NP_ADDRESS_TEXT];
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < conf->server_count; i++)
        length += (size_t)snprintf(out + length, sizeof out - length, "%s%s", i ? " " : "",
                                   np_address_text(&conf->server[i], text));
    return out;
}

static const char *domains_of(const np_resolv_conf *conf)
{
    static char out[2048];
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < conf->domain_count; i++)
        length += (size_t)snprintf(out + length, sizeof out - length, "%s%s", i ? " " : "",
                                   conf->domain[i]);
    return out;
}

Test(resolv_conf, lines_are_understood)
{
    static const struct {
        const char *text, *servers, *domains;
        unsigned ndots, timeout_s, attempts;
        bool rotate, use_tcp;
    } cases[] = {
        {"",                                                                                     "127.0.0.1:53",                  "",            1,  5,  2, false, false},
        {"nameserver 192.0.2.1\nnameserver\t2001:db8::1\n",                                      "192.0.2.1:53 [2001:db8::1]:53", "",            1,
         5,                                                                                                                                              2, false, false},
        {"nameserver 192.0.2.1",                                                                 "192.0.2.1:53",                  "",            1,  5,  2, false, false},
        {"nameserver 192.0.2.1 # the first\r\n# nameserver 192.0.2.9\n; nameserver 192.0.2.8\n",
         "192.0.2.1:53",                                                                                                          "",            1,  5,  2, false, false},
        {"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
         "1.1.1.1:53 2.2.2.2:53 3.3.3.3:53",                                                                                      "",            1,  5,  2, false, false},
        {"nameserver not-an-address\nnameserver\nnameserver 192.0.2.1\n",                        "192.0.2.1:53",                  "",            1,  5,
         2,                                                                                                                                                 false, false},
        {"search a.lab b.lab.\n",                                                                "127.0.0.1:53",                  "a.lab b.lab", 1,  5,  2, false, false},
        {"search a.lab\ndomain c.lab\n",                                                         "127.0.0.1:53",                  "c.lab",       1,  5,  2, false, false},
        {"search .\n",                                                                           "127.0.0.1:53",                  "",            1,  5,  2, false, false},
        {"options ndots:3 timeout:1 attempts:4 rotate use-vc unknown:7\n",                       "127.0.0.1:53",                  "",            3,  1,
         4,                                                                                                                                                 true,  true },
        {"options ndots:99 timeout:99 attempts:99\n",                                            "127.0.0.1:53",                  "",            15, 30, 5, false, false},
        {"options ndots:x timeout: attempts:0 timeout:0\n",                                      "127.0.0.1:53",                  "",            1,  1,  1, false,
         false                                                                                                                                                          },
        {"options ndots:99999999999999999999\n",                                                 "127.0.0.1:53",                  "",            15, 5,  2, false, false},
        {"  options   ndots:2\n\n\n",                                                            "127.0.0.1:53",                  "",            2,  5,  2, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_resolv_conf conf;
        np_resolv_conf_parse(cases[i].text, strlen(cases[i].text), &conf);
        cr_expect_str_eq(servers_of(&conf), cases[i].servers, "row %zu: %s", i, servers_of(&conf));
        cr_expect_str_eq(domains_of(&conf), cases[i].domains, "row %zu: %s", i, domains_of(&conf));
        cr_expect_eq(conf.ndots, cases[i].ndots, "row %zu: ndots %u", i, conf.ndots);
        cr_expect_eq(conf.timeout_ns, cases[i].timeout_s * NP_NS_PER_S, "row %zu", i);
        cr_expect_eq(conf.attempts, cases[i].attempts, "row %zu: attempts %u", i, conf.attempts);
        cr_expect_eq(conf.rotate, cases[i].rotate, "row %zu", i);
        cr_expect_eq(conf.use_tcp, cases[i].use_tcp, "row %zu", i);
    }
}

Test(resolv_conf, a_file_that_is_not_there_gives_the_defaults)
{
    np_resolv_conf conf;

    np_resolv_conf_parse(NULL, 0, &conf);

    cr_assert_str_eq(servers_of(&conf), "127.0.0.1:53");
    cr_assert_eq(conf.attempts, 2);
}

Test(resolv_conf, servers_by_option_have_ports)
{
    static const struct {
        const char *text, *servers; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1",                                                               "192.0.2.1:53"              },
        {"192.0.2.1:5353,[::1]:53053",                                              "192.0.2.1:5353 [::1]:53053"},
        {"::1",                                                                     "[::1]:53"                  },
        {"[::1]",                                                                   "[::1]:53"                  },
        {"192.0.2.1:0",                                                             NULL                        },
        {"192.0.2.1:65536",                                                         NULL                        },
        {"192.0.2.1,",                                                              NULL                        },
        {"",                                                                        NULL                        },
        {"dns.lab",                                                                 NULL                        },
        {"1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1", NULL                        },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_resolv_conf conf;
        np_error err;
        np_resolv_conf_parse(NULL, 0, &conf);
        const np_status status = np_dns_servers_parse(cases[i].text, &conf, &err);
        cr_expect_eq(status, cases[i].servers ? NP_OK : NP_E_ARGUMENT, "row %zu", i);
        cr_expect_str_eq(servers_of(&conf), cases[i].servers ? cases[i].servers : "127.0.0.1:53",
                         "row %zu: %s", i, servers_of(&conf));
    }
}

Test(resolv_conf, candidates_follow_ndots)
{
    static const struct {
        const char *conf, *name, *expected;
    } cases[] = {
        {"",                                "web",       "web"                                },
        {"search a.lab b.lab\n",            "web",       "web.a.lab web.b.lab web"            },
        {"search a.lab b.lab\n",            "web.",      "web"                                },
        {"search a.lab b.lab\n",            "www.web",   "www.web www.web.a.lab www.web.b.lab"},
        {"search a.lab\noptions ndots:2\n", "www.web",   "www.web.a.lab www.web"              },
        {"search a.lab\noptions ndots:2\n", "x.www.web", "x.www.web x.www.web.a.lab"          },
        {"search a.lab\noptions ndots:0\n", "web",       "web web.a.lab"                      },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_resolv_conf conf;
        char text[1024] = "";
        char name[NP_DNS_NAME_SIZE];
        np_resolv_conf_parse(cases[i].conf, strlen(cases[i].conf), &conf);
        for (size_t n = 0; np_resolv_conf_candidate(&conf, cases[i].name, n, name); n++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", n ? " " : "", name);
        cr_expect_str_eq(text, cases[i].expected, "row %zu: %s", i, text);
    }
}

Test(resolv_conf, a_candidate_that_would_be_too_long_is_left_out)
{
    np_resolv_conf conf;
    char text[400];
    char name[NP_DNS_NAME_SIZE];
    char label[64];
    char host[NP_DNS_NAME_SIZE];
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(host, sizeof host, "%s.%s.%s.%.61s", label, label, label, label); /* 253 characters */
    snprintf(text, sizeof text, "search b.lab\noptions ndots:9\n");
    np_resolv_conf_parse(text, strlen(text), &conf);

    cr_assert(np_resolv_conf_candidate(&conf, host, 0, name));
    cr_assert_str_eq(name, host);
    cr_assert_not(np_resolv_conf_candidate(&conf, host, 1, name));
}
