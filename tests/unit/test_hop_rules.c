/* What a redirect does to method and fields: the whole table, row by row. */
#include "hop_rules.h"

#include <criterion/criterion.h>
#include <string.h>

Test(hop_rules, rs_0_method_by_status_is_the_table)
{
    static const struct {
        int status;
        const char *method, *next;
    } rows[] = {
        {300, "GET",    "GET"   },
        {300, "HEAD",   "HEAD"  },
        {300, "POST",   "GET"   },
        {300, "PUT",    "GET"   },
        {300, "DELETE", "GET"   },
        {301, "GET",    "GET"   },
        {301, "HEAD",   "HEAD"  },
        {301, "POST",   "GET"   },
        {301, "PUT",    "PUT"   },
        {301, "DELETE", "DELETE"},
        {302, "GET",    "GET"   },
        {302, "HEAD",   "HEAD"  },
        {302, "POST",   "GET"   },
        {302, "PUT",    "PUT"   },
        {302, "DELETE", "DELETE"},
        {303, "GET",    "GET"   },
        {303, "HEAD",   "HEAD"  },
        {303, "POST",   "GET"   },
        {303, "PUT",    "GET"   },
        {303, "DELETE", "GET"   },
        {307, "GET",    "GET"   },
        {307, "HEAD",   "HEAD"  },
        {307, "POST",   "POST"  },
        {307, "PUT",    "PUT"   },
        {307, "DELETE", "DELETE"},
        {308, "GET",    "GET"   },
        {308, "HEAD",   "HEAD"  },
        {308, "POST",   "POST"  },
        {308, "PUT",    "PUT"   },
        {308, "DELETE", "DELETE"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_str_eq(np_hop_method(rows[i].status, rows[i].method), rows[i].next, "%d %s",
                         rows[i].status, rows[i].method);
}

Test(hop_rules, rs_0_only_six_statuses_redirect)
{
    for (int status = 100; status < 1000; status++) {
        const bool wanted = (status >= 300 && status <= 303) || status == 307 || status == 308;
        cr_expect_eq(np_hop_is_redirect(status), wanted, "%d", status);
    }
}

Test(hop_rules, rs_3_fields_go_for_their_reason_only)
{
    static const struct {
        const char *name;
        unsigned why;
    } rows[] = {
        {"authorization",       NP_HOP_ANY         },
        {"Proxy-Authorization", NP_HOP_ANY         },
        {"COOKIE",              NP_HOP_OTHER_ORIGIN},
        {"Referer",             NP_HOP_LEFT_HTTPS  },
        {"Content-Length",      NP_HOP_BODY_DROPPED},
        {"content-type",        NP_HOP_BODY_DROPPED},
        {"Transfer-Encoding",   NP_HOP_BODY_DROPPED},
        {"Expect",              NP_HOP_BODY_DROPPED},
        {"Accept",              0                  },
        {"User-Agent",          0                  },
        {"X-Authorization",     0                  },
        {"Author",              0                  },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned why = 0; why < 16; why++) {
            const np_header_line line = {rows[i].name, "x", strlen(rows[i].name), 1};
            cr_expect_eq(np_hop_drops_field(&line, why), (rows[i].why & why) != 0, "%s %u",
                         rows[i].name, why);
        }
}
