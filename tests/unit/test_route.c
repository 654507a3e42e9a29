/* Routes of paths. */
#include "route.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    const char *path;
    const char *route;
} cases[] = {
    {"/",                                         "/"                                      },
    {"",                                          ""                                       },
    {"/items/42",                                 "/items/{}"                              },
    {"/items/42/",                                "/items/{}/"                             },
    {"/items/42?page=*",                          "/items/{}"                              },
    {"/items/x42",                                "/items/x42"                             },
    {"/a#b",                                      "/a"                                     },
    {"/?x=1",                                     "/"                                      },
    {"/users/7/orders/0099",                      "/users/{}/orders/{}"                    },
    {"/u/123e4567-e89b-12d3-a456-426614174000/x", "/u/{}/x"                                },
    {"/u/123e4567-e89b-12d3-a456-42661417400",    "/u/123e4567-e89b-12d3-a456-42661417400" },
    {"/u/123e4567xe89b-12d3-a456-426614174000",   "/u/123e4567xe89b-12d3-a456-426614174000"},
    {"/blob/0123456789abcdef",                    "/blob/{}"                               },
    {"/blob/0123456789ABCDEF0123",                "/blob/{}"                               },
    {"/blob/0123456789abcde",                     "/blob/0123456789abcde"                  },
    {"/blob/decade",                              "/blob/decade"                           },
    {"/v1/cafe",                                  "/v1/cafe"                               },
    {"//7//",                                     "//{}//"                                 },
    {"*",                                         "*"                                      },
    {"/1.5",                                      "/1.5"                                   },
};

Test(route, numbers_and_long_words_are_taken_out)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[256];
        const size_t length = np_route(cases[i].path, strlen(cases[i].path), out, sizeof out);

        cr_assert(length == strlen(cases[i].route) && memcmp(out, cases[i].route, length) == 0,
                  "'%s' gives '%.*s', expected '%s'", cases[i].path, (int)length, out,
                  cases[i].route);
    }
}

Test(route, what_does_not_fit_is_cut)
{
    for (size_t size = 0; size < 12; size++) {
        char out[16];
        memset(out, '#', sizeof out);

        const size_t length = np_route("/1/22/333/4", 11, out, size);

        cr_assert(length == size || length == 11, "%zu of %zu", length, size);
        cr_assert_eq(out[size], '#');
        cr_assert_eq(memcmp(out, "/{}/{}/{}/{}", length), 0);
    }
}
