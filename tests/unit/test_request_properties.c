/* The properties of a request: default, range, error, and what of them reaches the engine. Each one
 * is a row of the table "Properties" of docs/contract.md. */
#include "request_fixture.h"

static np_context *context;
static np_request *request;

static void set_up(void)
{
    context = context_make();
    request = request_make(context);
}

static void take_down(void)
{
    np_request_release(request);
    np_context_free(context);
}

TestSuite(properties, .init = set_up, .fini = take_down);

/* --- numbers and flags --- */

struct number {
    const char *name;
    np_status (*set)(np_request *, int64_t, np_error *);
    int64_t (*get)(const np_request *);
    int64_t first;   /* the default */
    int64_t good[4]; /* up to one that is the first again */
    int64_t bad[2];
};

static const struct number numbers[] = {
    {"content_length",
     np_request_set_content_length,                  np_request_content_length,
     -1,
     {0, 1, INT64_MAX, 7},
     {-1, INT64_MIN}},
    {"timeout",
     np_request_set_timeout,                         np_request_timeout,
     100000, {-1, 0, 1, INT64_MAX},
     {-2, INT64_MIN}},
    {"read_write_timeout",
     np_request_set_read_write_timeout,              np_request_read_write_timeout,
     300000, {-1, 1, INT64_MAX, 5},
     {0, -2}        },
    {"continue_timeout",
     np_request_set_continue_timeout,                np_request_continue_timeout,
     350,    {-1, 0, 1, INT64_MAX},
     {-2, INT64_MIN}},
    {"async_timeout",
     np_request_set_async_timeout,                   np_request_async_timeout,
     -1,
     {0, 1, INT64_MAX, -1},
     {-2, INT64_MIN}},
    {"maximum_automatic_redirections",
     np_request_set_maximum_automatic_redirections,  np_request_maximum_automatic_redirections,
     50,     {1, 2, UINT32_MAX, 50},
     {0, -1}        },
    {"maximum_response_headers_length",
     np_request_set_maximum_response_headers_length, np_request_maximum_response_headers_length,
     64,     {-1, 0, 1, INT64_MAX},
     {-2, INT64_MIN}},
    {"maximum_error_response_length",
     np_request_set_maximum_error_response_length,   np_request_maximum_error_response_length,
     64,     {-1, 0, 1, INT64_MAX},
     {-2, INT64_MIN}},
};

Test(properties, numbers_have_their_default_range_and_error)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number *n = &numbers[i];
        cr_assert_eq(n->get(request), n->first, "%s is %lld", n->name, (long long)n->get(request));
        for (size_t k = 0; k < 4; k++) {
            cr_assert_eq(n->set(request, n->good[k], NULL), NP_OK, "%s %lld", n->name,
                         (long long)n->good[k]);
            cr_assert_eq(n->get(request), n->good[k], "%s", n->name);
        }
        for (size_t k = 0; k < 2; k++) {
            np_error err = {0};
            cr_assert_eq(n->set(request, n->bad[k], &err), NP_E_ARGUMENT_RANGE, "%s %lld", n->name,
                         (long long)n->bad[k]);
            cr_assert(err.text[0] && np_status_is_a(err.status, NP_E_ARGUMENT));
            cr_assert_eq(n->get(request), n->good[3], "a refused value changes nothing");
        }
        cr_assert_eq(n->set(NULL, n->good[0], NULL), NP_E_ARGUMENT_NULL, "%s", n->name);
    }
}

static const struct flag {
    const char *name;
    np_status (*set)(np_request *, bool, np_error *);
    bool (*get)(const np_request *);
    bool first;
} flags[] = {
    {"send_chunked",                 np_request_set_send_chunked,                 np_request_send_chunked,        false},
    {"keep_alive",                   np_request_set_keep_alive,                   np_request_keep_alive,          true },
    {"allow_write_stream_buffering", np_request_set_allow_write_stream_buffering,
     np_request_allow_write_stream_buffering,                                                                     true },
    {"allow_read_stream_buffering",  np_request_set_allow_read_stream_buffering,
     np_request_allow_read_stream_buffering,                                                                      false},
    {"allow_auto_redirect",          np_request_set_allow_auto_redirect,          np_request_allow_auto_redirect,
     true                                                                                                              },
    {"allow_downgrade",              np_request_set_allow_downgrade,              np_request_allow_downgrade,     false},
    {"pre_authenticate",             np_request_set_pre_authenticate,             np_request_pre_authenticate,    false},
    {"expect_continue",              np_request_set_expect_continue,              np_request_expect_continue,     true },
};

Test(properties, flags_have_their_default)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        cr_assert_eq(flags[i].get(request), flags[i].first, "%s", flags[i].name);
        cr_assert_eq(flags[i].set(request, !flags[i].first, NULL), NP_OK);
        cr_assert_eq(flags[i].get(request), !flags[i].first, "%s", flags[i].name);
        cr_assert_eq(flags[i].set(NULL, true, NULL), NP_E_ARGUMENT_NULL, "%s", flags[i].name);
    }
}

/* --- texts --- */

static const struct text {
    const char *name;
    np_status (*set)(np_request *, const char *, np_error *);
    const char *(*get)(const np_request *);
} texts[] = {
    {"Accept",       np_request_set_accept,       np_request_accept      },
    {"User-Agent",   np_request_set_user_agent,   np_request_user_agent  },
    {"Referer",      np_request_set_referer,      np_request_referer     },
    {"Content-Type", np_request_set_content_type, np_request_content_type},
    {"Connection",   np_request_set_connection,   np_request_connection  },
    {"Expect",       np_request_set_expect,       np_request_expect      },
};

Test(properties, texts_are_not_set_at_first_trimmed_and_cleared_by_what_is_blank)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text *t = &texts[i];
        cr_assert_null(t->get(request), "%s", t->name);
        cr_assert_eq(t->set(request, "\t word ", NULL), NP_OK);
        cr_assert_str_eq(t->get(request), "word", "%s", t->name);
        cr_assert_eq(t->set(request, "a\r\nX: b", NULL), NP_E_ARGUMENT, "%s", t->name);
        cr_assert_eq(t->set(request, "a\001", NULL), NP_E_ARGUMENT, "%s", t->name);
        cr_assert_str_eq(t->get(request), "word", "a refused value changes nothing");
        cr_assert_eq(t->set(request, NULL, NULL), NP_OK);
        cr_assert_null(t->get(request), "%s", t->name);
        cr_assert_eq(t->set(request, "again", NULL), NP_OK);
        cr_assert_eq(t->set(request, "  ", NULL), NP_OK);
        cr_assert_null(t->get(request), "%s", t->name);
        cr_assert_eq(t->set(NULL, "word", NULL), NP_E_ARGUMENT_NULL, "%s", t->name);
    }
}

Test(properties, connection_and_expect_do_not_take_what_the_library_writes)
{
    static const char *const connection[] = {"close", "Keep-Alive", "upgrade, CLOSE",
                                             "keep-alive,x"};
    for (size_t i = 0; i < sizeof connection / sizeof *connection; i++)
        cr_assert_eq(np_request_set_connection(request, connection[i], NULL), NP_E_ARGUMENT, "%s",
                     connection[i]);
    cr_assert_eq(np_request_set_connection(request, "Upgrade, closed", NULL), NP_OK);
    cr_assert_eq(np_request_set_expect(request, "100-Continue", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_expect(request, "x, 100-continue", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_expect(request, "x=100", NULL), NP_OK);
}

/* --- the others --- */

Test(properties, the_method_is_a_token_and_known_ones_are_stored_in_capitals)
{
    static const char *const known[] = {"get", "Head", "pOST", "put", "connect", "mkcol"};
    static const char *const stored[] = {"GET", "HEAD", "POST", "PUT", "CONNECT", "MKCOL"};
    static const char *const bad[] = {"", " ", "G T", "GET ", "a\n", "{}", "\xc3\xa4"};
    cr_assert_str_eq(np_request_method(request), "GET");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cr_assert_eq(np_request_set_method(request, known[i], NULL), NP_OK);
        cr_assert_str_eq(np_request_method(request), stored[i]);
    }
    cr_assert_eq(np_request_set_method(request, "patch", NULL), NP_OK);
    cr_assert_str_eq(np_request_method(request), "patch", "others as they are");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(np_request_set_method(request, bad[i], NULL), NP_E_ARGUMENT, "'%s'", bad[i]);
    cr_assert(np_status_is_a(np_request_set_method(request, NULL, NULL), NP_E_ARGUMENT));
    cr_assert_str_eq(np_request_method(request), "patch", "a refused value changes nothing");
}

Test(properties, the_protocol_version_is_one_of_three)
{
    cr_assert_eq(np_request_protocol_version(request), 11);
    static const int good[] = {10, 20, 11}, bad[] = {0, 9, 12, 30, -1};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(np_request_set_protocol_version(request, good[i], NULL), NP_OK);
        cr_assert_eq(np_request_protocol_version(request), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(np_request_set_protocol_version(request, bad[i], NULL), NP_E_ARGUMENT, "%d",
                     bad[i]);
}

Test(properties, transfer_encoding_needs_chunked_and_is_not_chunked)
{
    cr_assert_null(np_request_transfer_encoding(request));
    cr_assert_eq(np_request_set_transfer_encoding(request, "chunked", NULL), NP_E_ARGUMENT,
                 "this comes first");
    cr_assert_eq(np_request_set_transfer_encoding(request, "gzip, Chunked", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_transfer_encoding(request, "gzip", NULL), NP_E_INVALID_OPERATION,
                 "then this");
    cr_assert_eq(np_request_set_transfer_encoding(request, " ", NULL), NP_OK, "clearing is fine");
    cr_assert_eq(np_request_set_send_chunked(request, true, NULL), NP_OK);
    cr_assert_eq(np_request_set_transfer_encoding(request, "gzip, deflate", NULL), NP_OK);
    cr_assert_str_eq(np_request_transfer_encoding(request), "gzip, deflate");
    static const char *const bad[] = {"gzip,", ",", "a b", "a\r\nb", "chunked"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(np_request_set_transfer_encoding(request, bad[i], NULL), NP_E_ARGUMENT, "%s",
                     bad[i]);
    cr_assert_eq(np_request_set_transfer_encoding(request, NULL, NULL), NP_OK);
    cr_assert_null(np_request_transfer_encoding(request));
}

Test(properties, addresses_and_hosts)
{
    np_request *other;
    cr_assert_eq(np_request_create(context, "HTTP://H.test:8080/x?y#z", &other, NULL), NP_OK);
    cr_assert_str_eq(np_request_uri(other), "http://h.test:8080/x?y");
    cr_assert_str_eq(np_request_address(other), "http://h.test:8080/x?y");
    cr_assert_str_eq(np_request_host(other), "h.test:8080");
    cr_assert_eq(np_request_set_host(other, "a:1", NULL), NP_OK);
    cr_assert_str_eq(np_request_host(other), "a:1");
    cr_assert_eq(np_request_set_host(other, NULL, NULL), NP_E_ARGUMENT_NULL);
    static const char *const bad[] = {"", "a/b", "a b", "a:65536", "http://a", "a:b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(np_request_set_host(other, bad[i], NULL), NP_E_ARGUMENT, "%s", bad[i]);
    cr_assert_str_eq(np_request_host(other), "a:1");
    cr_assert_str_eq(np_request_host(request), "example.test");
    np_request_release(other);
    cr_assert_eq(np_request_create(context, "ftp://h/", &other, NULL), NP_E_NOT_SUPPORTED);
    cr_assert_eq(np_request_create(context, "/h", &other, NULL), NP_E_ARGUMENT);
    cr_assert_null(other, "ER-4");
}

Test(properties, restricted_fields_belong_to_their_properties)
{
    static const char *const restricted[] = {"Accept",
                                             "connection",
                                             "Content-Length",
                                             "CONTENT-TYPE",
                                             "Date",
                                             "Expect",
                                             "Host",
                                             "Proxy-Connection",
                                             "Range",
                                             "Referer",
                                             "Transfer-Encoding",
                                             "User-Agent",
                                             "If-Modified-Since"};
    for (size_t i = 0; i < sizeof restricted / sizeof *restricted; i++)
        cr_assert_eq(np_request_header_set(request, restricted[i], "1", NULL), NP_E_ARGUMENT, "%s",
                     restricted[i]);
    cr_assert_eq(np_request_header_set(request, "X-One", "  a b\t", NULL), NP_OK);
    cr_assert_str_eq(np_request_header(request, "x-one"), "a b");
    static const char *const names[] = {"", "a b", "a:", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(np_request_header_set(request, names[i], "1", NULL), NP_E_ARGUMENT, "'%s'",
                     names[i]);
    static const char *const values[] = {"a\rb", "a\nb", "a\r\nb", "\x7f", "a\x01"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_assert_eq(np_request_header_set(request, "X-One", values[i], NULL), NP_E_ARGUMENT);
    cr_assert_str_eq(np_request_header(request, "X-ONE"), "a b", "a refused value changes nothing");
    cr_assert_eq(np_request_header_set(request, NULL, "1", NULL), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_header_set(request, "X-One", NULL, NULL), NP_OK);
    cr_assert_null(np_request_header(request, "X-One"));
}

Test(properties, times_are_fields_of_the_one_form)
{
    cr_assert_eq(np_request_date(request), NP_TIME_NONE);
    cr_assert_eq(np_request_if_modified_since(request), NP_TIME_NONE);
    cr_assert_eq(np_request_set_date(request, 784111777, NULL), NP_OK);
    cr_assert_str_eq(np_request_header(request, "Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    cr_assert_eq(np_request_date(request), 784111777);
    cr_assert_eq(np_request_set_if_modified_since(request, 0, NULL), NP_OK);
    cr_assert_str_eq(np_request_header(request, "If-Modified-Since"),
                     "Thu, 01 Jan 1970 00:00:00 GMT");
    cr_assert_eq(np_request_set_date(request, -1, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_set_date(request, INT64_MAX, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_date(request), 784111777, "a refused value changes nothing");
    cr_assert_eq(np_request_set_date(request, 253402300799, NULL), NP_OK);
    cr_assert_eq(np_request_set_date(request, NP_TIME_NONE, NULL), NP_OK);
    cr_assert_null(np_request_header(request, "Date"));
    cr_assert_eq(np_request_date(request), NP_TIME_NONE);
}

Test(properties, ranges_are_gathered_in_one_field)
{
    cr_assert_eq(np_request_add_range(request, "bytes", 0, 9, NULL), NP_OK);
    cr_assert_eq(np_request_add_range(request, "bytes", 20, 20, NULL), NP_OK);
    cr_assert_eq(np_request_add_range_from(request, "bytes", 100, NULL), NP_OK);
    cr_assert_eq(np_request_add_range_from(request, "bytes", -5, NULL), NP_OK);
    cr_assert_str_eq(np_request_header(request, "Range"), "bytes=0-9,20-20,100-,-5");
    cr_assert_eq(np_request_add_range(request, "bytes", -1, 9, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_add_range(request, "bytes", 1, -9, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_add_range(request, "bytes", 10, 9, NULL), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_add_range(request, "b c", 1, 9, NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_add_range(request, NULL, 1, 9, NULL), NP_E_ARGUMENT_NULL);
    cr_assert_eq(np_request_add_range(request, "items", 1, 9, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_add_range(request, "byte", 1, 9, NULL), NP_E_INVALID_OPERATION);
    cr_assert_str_eq(np_request_header(request, "Range"), "bytes=0-9,20-20,100-,-5");
}

Test(properties, credentials_show_their_user_alone)
{
    cr_assert_null(np_request_credentials_user(request));
    cr_assert_eq(np_request_set_credentials(request, "ann", "secret", NULL), NP_OK);
    cr_assert_str_eq(np_request_credentials_user(request), "ann");
    cr_assert_eq(np_request_set_credentials(request, "a:b", "x", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_credentials(request, "a\n", "x", NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_credentials(request, "a", "x\n", NULL), NP_E_ARGUMENT);
    cr_assert_str_eq(np_request_credentials_user(request), "ann");
    cr_assert_eq(np_request_set_credentials(request, NULL, NULL, NULL), NP_OK);
    cr_assert_null(np_request_credentials_user(request));
}

Test(properties, decompression_groups_and_reuse_give_back_what_was_set)
{
    cr_assert_eq(np_request_automatic_decompression(request), NP_DECOMPRESS_NONE);
    cr_assert_eq(np_request_set_automatic_decompression(request, 1u << 30, NULL), NP_E_ARGUMENT);
    cr_assert_eq(np_request_set_automatic_decompression(request, NP_DECOMPRESS_GZIP, NULL), NP_OK);
    cr_assert_eq(np_request_automatic_decompression(request), NP_DECOMPRESS_GZIP);
    cr_assert_null(np_request_connection_group_name(request));
    cr_assert_eq(np_request_set_connection_group_name(request, "g", NULL), NP_OK);
    cr_assert_str_eq(np_request_connection_group_name(request), "g");
    cr_assert_eq(np_request_set_connection_group_name(request, "", NULL), NP_OK);
    cr_assert_null(np_request_connection_group_name(request));
    cr_assert_eq(np_request_reuse(request), NP_REUSE_ANY);
    cr_assert_eq(np_request_set_reuse(request, NP_REUSE_COLD, NULL), NP_OK);
    cr_assert_eq(np_request_reuse(request), NP_REUSE_COLD);
}

static void told(np_request *of, int status, void *user)
{
    (void)of;
    (void)status;
    (void)user;
}

Test(properties, sm_1_every_setter_is_refused_after_the_start_before_its_value_is_looked_at)
{
    np_async *async = begin(request, NULL, NULL);
    np_error err = {0};
#define REFUSED(call)                                                                              \
    cr_expect_eq(call, NP_E_INVALID_OPERATION, "%s", #call);                                       \
    cr_expect_not_null(strstr(err.text, "after it was started"), "%s: %s", #call, err.text)
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        REFUSED(numbers[i].set(request, numbers[i].bad[0], &err));
        cr_expect_eq(numbers[i].get(request), numbers[i].first);
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        REFUSED(flags[i].set(request, !flags[i].first, &err));
        cr_expect_eq(flags[i].get(request), flags[i].first);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        REFUSED(texts[i].set(request, "\r\n", &err));
    REFUSED(np_request_set_method(request, "", &err));
    REFUSED(np_request_set_reuse(request, (np_reuse)9, &err));
    REFUSED(np_request_set_proxy(request, NULL, &err));
    REFUSED(np_request_set_protocol_version(request, 9, &err));
    REFUSED(np_request_set_connection_group_name(request, "x", &err));
    REFUSED(np_request_set_host(request, "/", &err));
    REFUSED(np_request_set_transfer_encoding(request, "chunked", &err));
    REFUSED(np_request_set_credentials(request, "a:b", NULL, &err));
    REFUSED(np_request_set_automatic_decompression(request, 1u << 30, &err));
    REFUSED(np_request_set_continue_callback(request, told, NULL, &err));
    REFUSED(np_request_header_set(request, "Host", "x", &err));
    REFUSED(np_request_header_set(request, "X-A", NULL, &err));
    REFUSED(np_request_set_date(request, -1, &err));
    REFUSED(np_request_set_if_modified_since(request, -1, &err));
    REFUSED(np_request_add_range(request, "bytes", 2, 1, &err));
    REFUSED(np_request_add_range_from(request, "b b", 1, &err));
    np_async_release(async);
}

Test(properties, looking_at_nothing_is_harmless)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        cr_expect_eq(numbers[i].get(NULL), -1);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        cr_expect_not(flags[i].get(NULL));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_null(texts[i].get(NULL));
    cr_expect_null(np_request_host(NULL));
    cr_expect_null(np_request_uri(NULL));
    cr_expect_eq(np_request_date(NULL), NP_TIME_NONE);
}
