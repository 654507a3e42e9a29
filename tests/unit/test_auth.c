/* Challenges and their answers. Vectors: RFC 7616 section 3.9.1, RFC 2617 section 3.5, RFC 2069
 * with its erratum 749, RFC 7617 section 2; the others were computed with Python's hashlib. */
#include "auth_answer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static np_auth choose(const char *const values[])
{
    np_header_line fields[8];
    size_t count = 0;
    np_auth auth;
    for (; values[count]; count++)
        fields[count] =
            (np_header_line){"WWW-Authenticate", values[count], 16, strlen(values[count])};
    cr_assert_eq(np_auth_choose(fields, count, "www-authenticate", &auth, NULL), NP_OK);
    return auth;
}

static np_auth choose_one(const char *value)
{
    return choose((const char *const[]){value, NULL});
}

/* Reads a value and writes down what was understood. */
static void spell(const char *value, char *out, size_t size)
{
    char text[1024];
    char *at = text;
    np_challenge c;
    snprintf(text, sizeof text, "%s", value);
    out[0] = '\0';
    while (np_challenge_next(&at, &c)) {
        size_t n = strlen(out);
        n += (size_t)snprintf(out + n, size - n, "%s[", c.scheme_name);
        if (c.token68)
            n += (size_t)snprintf(out + n, size - n, "%s", c.token68);
        for (size_t i = 0; i < c.parameter_count; i++)
            n += (size_t)snprintf(out + n, size - n, "%s%s=<%s>", i ? " " : "",
                                  c.parameters[i].name, c.parameters[i].value);
        snprintf(out + n, size - n, "]");
    }
}

Test(auth, challenges_are_read_as_rfc_9110_writes_them)
{
    static const char *const cases[][2] = {
        {"Basic realm=\"simple\"",                                                                  "Basic[realm=<simple>]"                  },
 /* the example of section 11.6.1 */
        {"Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
         "Basic[realm=<simple>]Newauth[realm=<apps> type=<1> title=<Login to \"apps\">]"                                                     },
        {"Negotiate, NTLM",                                                                         "Negotiate[]NTLM[]"                      },
        {"Negotiate YIIab+/==, Basic realm=\"x, y\"",                                               "Negotiate[YIIab+/==]Basic[realm=<x, y>]"},
        {"Digest realm = \"a\" ,nonce= \"b,c\"  , qop=auth",
         "Digest[realm=<a> nonce=<b,c> qop=<auth>]"                                                                                          },
        {"Digest realm=\"a\" Basic realm=\"b\"",                                                    "Digest[realm=<a>]Basic[realm=<b>]"      },
        {",, ,Basic realm=\"\",",                                                                   "Basic[realm=<>]"                        },
        {"",                                                                                        ""                                       },
        {"   ",                                                                                     ""                                       },
        {"=,;,Basic realm=x",                                                                       "Basic[realm=<x>]"                       },
        {"stray=1, Basic realm=x",                                                                  "Basic[realm=<x>]"                       },
        {"Basic realm=\"never ends, Digest nonce=x",                                                "Basic[]"                                },
        {"Digest nonce=abc/def==, realm=\"r\"",                                                     "Digest[nonce=<abc/def==> realm=<r>]"    },
        {"Basic realm=\"a\\",                                                                       "Basic[]"                                },
        {"Digest a=b\"c, realm=\"r\"",                                                              "Digest[]"                               },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[1024];
        spell(cases[i][0], got, sizeof got);
        cr_expect_str_eq(got, cases[i][1], "%s\ngives    %s\nexpected %s", cases[i][0], got,
                         cases[i][1]);
    }
}

Test(auth, the_strongest_scheme_that_can_be_answered_is_taken)
{
    static const struct {
        const char *values[4];
        np_auth_scheme scheme;
        const char *nonce;
    } cases[] = {
        {{"Basic realm=\"r\""},                                                              NP_AUTH_BASIC,  NULL},
        {{"Basic realm=\"r\", Digest realm=\"r\", nonce=\"1\", qop=\"auth\""},               NP_AUTH_DIGEST, "1" },
        {{"Digest realm=\"r\", nonce=\"1\", qop=\"auth\"", "Basic realm=\"r\""},
         NP_AUTH_DIGEST,                                                                                     "1" },
        {{"Digest realm=\"r\", nonce=\"1\", qop=\"auth\"",
          "Digest realm=\"r\", nonce=\"2\", qop=\"auth\", algorithm=SHA-256"},
         NP_AUTH_DIGEST,                                                                                     "2" },
        {{"Digest realm=\"r\", nonce=\"2\", qop=\"auth\", algorithm=sha-512-256",
          "Digest realm=\"r\", nonce=\"1\", qop=\"auth\", algorithm=SHA-256-sess"},
         NP_AUTH_DIGEST,                                                                                     "2" },
        {{"Digest realm=\"r\", nonce=\"1\", qop=\"auth-int,auth\""},                         NP_AUTH_DIGEST, "1" },
        {{"Digest realm=\"r\", nonce=\"1\""},                                                NP_AUTH_DIGEST, "1" },
 /* cannot be answered */
        {{"Digest realm=\"r\", nonce=\"1\", qop=\"auth-int\"", "Basic realm=\"r\""},
         NP_AUTH_BASIC,                                                                                      NULL},
        {{"Digest realm=\"r\", qop=\"auth\"", "Basic realm=\"r\""},                          NP_AUTH_BASIC,  NULL},
        {{"Digest realm=\"r\", nonce=\"1\", algorithm=SHA-999"},                             NP_AUTH_NONE,   NULL},
        {{"Digest realm=\"r\", nonce=\"1\", algorithm=MD5-sess"},                            NP_AUTH_NONE,   NULL},
        {{"Negotiate", "NTLM"},                                                              NP_AUTH_NONE,   NULL},
        {{"Bearer realm=\"r\""},                                                             NP_AUTH_NONE,   NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        np_auth auth = choose(cases[i].values);
        cr_expect_eq(auth.scheme, cases[i].scheme, "case %zu: %d", i, auth.scheme);
        if (cases[i].nonce && auth.nonce)
            cr_expect_str_eq(auth.nonce, cases[i].nonce, "case %zu", i);
        np_auth_done(&auth);
    }
}

static void expect_answer(const char *challenge, const np_auth_question *question,
                          const char *const wanted[])
{
    np_auth auth = choose_one(challenge);
    np_textbuf text;
    np_error err = {0};
    np_textbuf_init(&text, 65536);
    cr_assert_eq(np_auth_answer(&auth, question, &text, &err), NP_OK, "%s", err.text);
    for (size_t i = 0; wanted[i]; i++)
        cr_expect(strstr(text.text, wanted[i]), "%s\nhas no %s", text.text, wanted[i]);
    np_textbuf_done(&text);
    np_auth_done(&auth);
}

Test(auth, basic_is_user_and_password_in_base64)
{
    static const char *const users[][3] = {
        {"Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"test",    "123\xc2\xa3", "Basic dGVzdDoxMjPCow=="            },
        {"",        "",            "Basic Og=="                        },
        {"a",       "",            "Basic YTo="                        },
        {"a",       "b",           "Basic YTpi"                        },
        {"a",       "b:c",         "Basic YTpiOmM="                    },
    };
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        const np_auth_question question = {users[i][0], users[i][1], "GET", "/", NULL};
        expect_answer("Basic realm=\"x\"", &question, (const char *const[]){users[i][2], NULL});
    }
}

#define RFC7616                                                                                    \
    "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "                                    \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                     \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static const np_auth_question mufasa = {"Mufasa", "Circle of Life", "GET", "/dir/index.html",
                                        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"};

Test(auth, digest_gives_the_responses_of_rfc_7616)
{
    expect_answer("Digest " RFC7616 ", algorithm=MD5", &mufasa,
                  (const char *const[]){
                      "Digest response=\"8ca523f5e9506fed4657c9700eebdbec\"", "username=\"Mufasa\"",
                      "realm=\"http-auth@example.org\"", "uri=\"/dir/index.html\"", "nc=00000001",
                      "qop=auth", "algorithm=MD5", "cnonce=\"f2/wE4q7",
                      "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"", NULL});
    expect_answer(
        "Digest " RFC7616 ", algorithm=SHA-256", &mufasa,
        (const char *const[]){
            "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
            "algorithm=SHA-256", NULL});
}

Test(auth, digest_knows_its_other_forms)
{
    expect_answer(
        "Digest " RFC7616 ", algorithm=SHA-512-256, userhash=true", &mufasa,
        (const char *const[]){
            "response=\"430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0\"",
            "username=\"e2dfabd1a96ddf867710b653b6e6857d1f147086de7d7ef79dcd249859872570\"",
            "userhash=true", NULL});
    expect_answer("Digest " RFC7616 ", algorithm=MD5-sess", &mufasa,
                  (const char *const[]){"response=\"e783283f46242139c486a698fec7211d\"",
                                        "algorithm=MD5-sess", NULL});
    const np_auth_question old = {"Mufasa", "CircleOfLife", "GET", "/dir/index.html", NULL};
    expect_answer("Digest realm=\"testrealm@host.com\", "
                  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
                  &old,
                  (const char *const[]){"response=\"1949323746fe6a43ef61f9606e7febea\"", NULL});
    const np_auth_question rfc2617 = {"Mufasa", "Circle Of Life", "GET", "/dir/index.html",
                                      "0a4f113b"};
    expect_answer("Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
                  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
                  &rfc2617,
                  (const char *const[]){"response=\"6629fae49393a05397450978507c4ef1\"", NULL});
}

Test(auth, digest_says_no_more_than_it_was_asked)
{
    np_auth auth = choose_one("Digest realm=\"r\", nonce=\"n\"");
    const np_auth_question question = {"u", "secret", "GET", "/", NULL};
    np_textbuf text;
    np_textbuf_init(&text, 65536);

    cr_assert_eq(np_auth_answer(&auth, &question, &text, NULL), NP_OK);

    static const char *const none[] = {"qop",       "nc=",      "cnonce", "opaque",
                                       "algorithm", "userhash", "secret"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        cr_expect_null(strstr(text.text, none[i]), "%s", text.text);
    np_textbuf_done(&text);
    np_auth_done(&auth);
}

Test(auth, a_nonce_used_again_counts_up_and_takes_another_cnonce)
{
    np_auth auth = choose_one("Digest realm=\"r\", nonce=\"n\", qop=auth");
    const np_auth_question question = {"u", "p", "GET", "/", NULL};
    np_textbuf first, second;
    np_textbuf_init(&first, 65536);
    np_textbuf_init(&second, 65536);

    cr_assert_eq(np_auth_answer(&auth, &question, &first, NULL), NP_OK);
    cr_assert_eq(np_auth_answer(&auth, &question, &second, NULL), NP_OK);

    cr_expect(strstr(first.text, "nc=00000001"));
    cr_expect(strstr(second.text, "nc=00000002"));
    const char *a = strstr(first.text, "cnonce="), *b = strstr(second.text, "cnonce=");
    cr_assert(a && b);
    cr_expect_neq(strncmp(a, b, 40), 0);
    np_textbuf_done(&first);
    np_textbuf_done(&second);
    np_auth_done(&auth);
}

Test(auth, quotes_in_names_are_escaped_and_hashed_without_the_escape)
{
    np_auth auth = choose_one("Digest realm=\"a \\\"b\\\" \\\\c\", nonce=\"n\", stale=TRUE");
    const np_auth_question question = {"u\"v", "p", "GET", "/?q=\"", NULL};
    np_textbuf text;
    np_textbuf_init(&text, 65536);

    cr_assert_str_eq(auth.realm, "a \"b\" \\c");
    cr_assert(auth.stale);
    cr_assert_eq(np_auth_answer(&auth, &question, &text, NULL), NP_OK);

    cr_expect(strstr(text.text, "realm=\"a \\\"b\\\" \\\\c\""), "%s", text.text);
    cr_expect(strstr(text.text, "username=\"u\\\"v\""), "%s", text.text);
    np_textbuf_done(&text);
    np_auth_done(&auth);
}
