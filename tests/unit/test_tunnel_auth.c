/* What a proxy's challenge offers. */
#include "tunnel_auth.h"

#include <criterion/criterion.h>
#include <string.h>

Test(tunnel_auth, schemes_of_a_challenge_are_found_whatever_stands_around_them)
{
    static const struct {
        const char *value;
        unsigned offered;
    } cases[] = {
        {"Basic realm=\"x\"",                             NP_PROXY_AUTH_BASIC                       },
        {"basic",                                         NP_PROXY_AUTH_BASIC                       },
        {"DIGEST realm=\"x\", nonce=\"y\", qop=\"auth\"", NP_PROXY_AUTH_DIGEST                      },
        {"Negotiate, Digest nonce=y, Basic realm=x",      NP_PROXY_AUTH_DIGEST | NP_PROXY_AUTH_BASIC},
        {"Digest nonce=\"a, Basic realm=b\"",             NP_PROXY_AUTH_DIGEST                      },
        {"Digest nonce=\"a\\\", Basic \", opaque=z",      NP_PROXY_AUTH_DIGEST                      },
        {"Digest Basic=1, realm=x",                       NP_PROXY_AUTH_DIGEST                      },
        {"Digest realm=x, basic=1",                       NP_PROXY_AUTH_DIGEST                      },
        {"Digest realm=x, basic =1",                      NP_PROXY_AUTH_DIGEST                      },
        {" \t, ,Basic\r\n",                               NP_PROXY_AUTH_BASIC                       },
        {"NTLM",                                          0                                         },
        {"Basically realm=x",                             0                                         },
        {"NTLM TlRMTVNTUAAB=, Basic realm=x",             NP_PROXY_AUTH_BASIC                       },
        {"",                                              0                                         },
        {",,,",                                           0                                         },
        {"\"Basic\"",                                     0                                         },
        {"Digest realm=\"open",                           NP_PROXY_AUTH_DIGEST                      },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(np_proxy_auth_offered(cases[i].value, strlen(cases[i].value)),
                     cases[i].offered, "'%s'", cases[i].value);
}

Test(tunnel_auth, a_value_ends_where_its_length_says)
{
    cr_expect_eq(np_proxy_auth_offered("Basic", 4), 0);
    cr_expect_eq(np_proxy_auth_offered("Negotiate, Basic", 10), 0);
}
