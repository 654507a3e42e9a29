/* Section 7, the properties: what they are at first, what they take and what they refuse. */
#include "acceptance.h"

Test(create, the_url_is_looked_at)
{
    struct world w = world_open(HELLO);
    static const char *const malformed[] = {"",
                                            "a",
                                            "/a",
                                            "//127.0.0.1/",
                                            "http:",
                                            "http://",
                                            "http:///a",
                                            "http://a b/",
                                            "http://a:99999/",
                                            "http://a:x/",
                                            "http://[::1/",
                                            "http://a/\n",
                                            " http://a/"};
    static const char *const others[] = {"ftp://a/", "file:///a", "mailto:a@b.test", "ws://a/"};
    np_request *r = (np_request *)&w;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        r = (np_request *)&w;
        REFUSED(np_request_create(w.context, malformed[i], &r, e), NP_E_ARGUMENT);
        cr_assert_null(r, "%s", malformed[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        r = (np_request *)&w;
        REFUSED(np_request_create(w.context, others[i], &r, e), NP_E_NOT_SUPPORTED);
        cr_assert_null(r, "%s", others[i]);
    }
    world_close(&w);
}

Test(create, null_arguments_are_refused)
{
    struct world w = world_open(HELLO);
    np_request *r = (np_request *)&w;
    REFUSED(np_request_create(NULL, "http://a/", &r, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(r);
    REFUSED(np_request_create(w.context, NULL, &r, e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_create(w.context, "http://a/", NULL, e), NP_E_ARGUMENT_NULL);
    world_close(&w);
}

Test(create, every_property_has_its_default)
{
    struct world w = world_open(HELLO);
    np_request *r;
    OK(np_request_create(w.context, "HTTP://Example.test:80/A?b#c", &r, e));
    cr_assert_str_eq(np_request_method(r), "GET");
    cr_assert_eq(np_request_content_length(r), -1);
    cr_assert_not(np_request_send_chunked(r));
    cr_assert_null(np_request_transfer_encoding(r));
    cr_assert(np_request_keep_alive(r));
    cr_assert(np_request_allow_write_stream_buffering(r));
    cr_assert_not(np_request_allow_read_stream_buffering(r));
    cr_assert(np_request_allow_auto_redirect(r));
    cr_assert_eq(np_request_maximum_automatic_redirections(r), 50);
    cr_assert_eq(np_request_timeout(r), 100000);
    cr_assert_eq(np_request_read_write_timeout(r), 300000);
    cr_assert_eq(np_request_continue_timeout(r), 350);
    cr_assert_eq(np_request_async_timeout(r), -1);
    cr_assert(np_request_expect_continue(r));
    cr_assert_null(np_request_credentials_user(r));
    cr_assert_not(np_request_pre_authenticate(r));
    cr_assert_eq(np_request_automatic_decompression(r), NP_DECOMPRESS_NONE);
    cr_assert_eq(np_request_protocol_version(r), 11);
    cr_assert_null(np_request_connection_group_name(r));
    cr_assert_eq(np_request_maximum_response_headers_length(r), 64);
    cr_assert_eq(np_request_maximum_error_response_length(r), 64);
    cr_assert_null(np_request_accept(r));
    cr_assert_null(np_request_referer(r));
    cr_assert_null(np_request_user_agent(r));
    cr_assert_null(np_request_content_type(r));
    cr_assert_null(np_request_connection(r));
    cr_assert_null(np_request_expect(r));
    cr_assert_eq(np_request_date(r), NP_TIME_NONE);
    cr_assert_eq(np_request_if_modified_since(r), NP_TIME_NONE);
    cr_assert_null(np_request_header(r, "Range"));
    cr_assert_not(np_request_have_response(r));
    cr_assert_null(np_request_response(r));
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    np_request_release(r);
    world_close(&w);
}

Test(create, the_host_is_that_of_the_url)
{
    struct world w = world_open(HELLO);
    np_request *usual = ask_url(&w, "GET", "http://example.test:80/"),
               *other = ask_url(&w, "GET", "http://example.test:81/");
    cr_assert_str_eq(np_request_host(usual), "example.test");
    cr_assert_str_eq(np_request_host(other), "example.test:81");
    world_close(&w);
}

/* Sets each of `numbers`: those below `least` are out of range and change nothing. */
#define EXPECT_RANGE(r, name, least)                                                               \
    do {                                                                                           \
        static const int64_t numbers[] = {-1000, -2, -1, 0, 1, 7, 1000000};                        \
        for (size_t i_ = 0; i_ < sizeof numbers / sizeof *numbers; i_++) {                         \
            int64_t before_ = np_request_##name(r);                                                \
            if (numbers[i_] < (least)) {                                                           \
                REFUSED(np_request_set_##name(r, numbers[i_], e), NP_E_ARGUMENT_RANGE);            \
                cr_assert_eq(np_request_##name(r), before_);                                       \
            } else {                                                                               \
                OK(np_request_set_##name(r, numbers[i_], e));                                      \
                cr_assert_eq(np_request_##name(r), numbers[i_]);                                   \
            }                                                                                      \
        }                                                                                          \
    } while (0)

Test(property, numbers_have_their_ranges)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    EXPECT_RANGE(r, content_length, 0);
    EXPECT_RANGE(r, maximum_automatic_redirections, 1);
    EXPECT_RANGE(r, timeout, -1);
    EXPECT_RANGE(r, async_timeout, -1);
    EXPECT_RANGE(r, continue_timeout, -1);
    EXPECT_RANGE(r, maximum_response_headers_length, -1);
    EXPECT_RANGE(r, maximum_error_response_length, -1);
    OK(np_request_set_content_length(r, INT64_MAX, e));
    cr_assert_eq(np_request_content_length(r), INT64_MAX);
    world_close(&w);
}

Test(property, the_limit_of_reads_and_writes_is_endless_or_positive)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_read_write_timeout(r, -1, e));
    cr_assert_eq(np_request_read_write_timeout(r), -1);
    OK(np_request_set_read_write_timeout(r, 1, e));
    REFUSED(np_request_set_read_write_timeout(r, 0, e), NP_E_ARGUMENT_RANGE);
    REFUSED(np_request_set_read_write_timeout(r, -2, e), NP_E_ARGUMENT_RANGE);
    cr_assert_eq(np_request_read_write_timeout(r), 1);
    world_close(&w);
}

Test(property, a_method_is_a_token)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "PUT");
    static const char *const bad[] = {"",      " ",   "A B", " GET",  "GET ",
                                      "A\r\n", "(x)", "a/b", "a\x7f", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(np_request_set_method(r, bad[i], e), NP_E_ARGUMENT);
    REFUSED_AS(np_request_set_method(r, NULL, e), NP_E_ARGUMENT);
    REFUSED(np_request_set_method(NULL, "GET", e), NP_E_ARGUMENT_NULL);
    cr_assert_str_eq(np_request_method(r), "PUT");
    world_close(&w);
}

Test(property, six_methods_are_known_whatever_their_case_and_others_stay_as_they_are)
{
    static const char *const pairs[][2] = {
        {"get",     "GET"    },
        {"Head",    "HEAD"   },
        {"pOST",    "POST"   },
        {"put",     "PUT"    },
        {"connect", "CONNECT"},
        {"MkCol",   "MKCOL"  },
        {"delete",  "delete" },
        {"Patch",   "Patch"  },
        {"getx",    "getx"   }
    };
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        OK(np_request_set_method(r, pairs[i][0], e));
        cr_assert_str_eq(np_request_method(r), pairs[i][1]);
    }
    world_close(&w);
}

Test(property, switches_say_what_was_set)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    for (int on = 1; on >= 0; on--) {
        OK(np_request_set_send_chunked(r, on, e));
        OK(np_request_set_keep_alive(r, on, e));
        OK(np_request_set_allow_write_stream_buffering(r, on, e));
        OK(np_request_set_allow_read_stream_buffering(r, on, e));
        OK(np_request_set_allow_auto_redirect(r, on, e));
        OK(np_request_set_allow_downgrade(r, on, e));
        OK(np_request_set_pre_authenticate(r, on, e));
        OK(np_request_set_expect_continue(r, on, e));
        cr_assert_eq(np_request_send_chunked(r), on);
        cr_assert_eq(np_request_keep_alive(r), on);
        cr_assert_eq(np_request_allow_write_stream_buffering(r), on);
        cr_assert_eq(np_request_allow_read_stream_buffering(r), on);
        cr_assert_eq(np_request_allow_auto_redirect(r), on);
        cr_assert_eq(np_request_allow_downgrade(r), on);
        cr_assert_eq(np_request_pre_authenticate(r), on);
        cr_assert_eq(np_request_expect_continue(r), on);
    }
    world_close(&w);
}

Test(property, a_transfer_encoding_is_not_chunked_and_needs_chunks)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "POST");
    REFUSED(np_request_set_transfer_encoding(r, "chunked", e), NP_E_ARGUMENT);
    REFUSED(np_request_set_transfer_encoding(r, "gzip, Chunked", e), NP_E_ARGUMENT);
    REFUSED(np_request_set_transfer_encoding(r, "gzip", e), NP_E_INVALID_OPERATION);
    OK(np_request_set_transfer_encoding(r, NULL, e));
    OK(np_request_set_transfer_encoding(r, " ", e));
    cr_assert_null(np_request_transfer_encoding(r));
    OK(np_request_set_send_chunked(r, true, e));
    REFUSED(np_request_set_transfer_encoding(r, "chunked", e), NP_E_ARGUMENT);
    OK(np_request_set_transfer_encoding(r, "gzip", e));
    cr_assert_str_eq(np_request_transfer_encoding(r), "gzip");
    OK(np_request_set_transfer_encoding(r, "", e));
    cr_assert_null(np_request_transfer_encoding(r));
    world_close(&w);
}

Test(bs_5, a_transfer_encoding_without_chunks_is_refused_at_the_start)
{
    struct world w = world_open(TAKES_CHUNKS);
    np_request *r = ask(&w, "POST");
    np_async *async = (np_async *)&w;
    without_expect(r);
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_transfer_encoding(r, "gzip", e));
    OK(np_request_set_send_chunked(r, false, e));
    REFUSED_SAYING(np_request_begin_get_request_stream(r, NULL, NULL, &async, e),
                   NP_E_INVALID_OPERATION, "chunked");
    cr_assert_null(async);
    REFUSED(np_request_begin_get_response(r, NULL, NULL, &async, e), NP_E_INVALID_OPERATION);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_CREATED);
    OK(np_request_set_send_chunked(r, true, e));
    np_stream *s = open_stream(r);
    put(s, "abc");
    finish(s);
    expect_hello(r);
    cr_assert(heard(&w, "Transfer-Encoding: gzip, chunked\r\n"));
    world_close(&w);
}

Test(property, a_protocol_version_is_1_0_1_1_or_2)
{
    static const int bad[] = {-1, 0, 1, 2, 9, 12, 19, 21, 30, 110};
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(np_request_set_protocol_version(r, bad[i], e), NP_E_ARGUMENT);
    for (int version = 10; version <= 20; version += version == 10 ? 1 : 9) {
        OK(np_request_set_protocol_version(r, version, e));
        cr_assert_eq(np_request_protocol_version(r), version);
    }
    world_close(&w);
}

/* ---------------------------------------------------------------------------------- header fields */

Test(field, thirteen_fields_belong_to_properties)
{
    static const char *const names[] = {"Accept",
                                        "Connection",
                                        "Content-Length",
                                        "Content-Type",
                                        "Date",
                                        "Expect",
                                        "Host",
                                        "If-Modified-Since",
                                        "Proxy-Connection",
                                        "Range",
                                        "Referer",
                                        "Transfer-Encoding",
                                        "User-Agent",
                                        "accept",
                                        "HOST",
                                        "content-LENGTH"};
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        REFUSED(np_request_header_set(r, names[i], "1", e), NP_E_ARGUMENT);
        cr_assert(np_request_header(r, names[i]) == NULL || strcasecmp(names[i], "host") == 0);
    }
    OK(np_request_header_set(r, "Accept-Language", "de", e));
    OK(np_request_header_set(r, "Authorization", "x", e));
    OK(np_request_header_set(r, "Cookie", "a=b", e));
    world_close(&w);
}

Test(field, a_name_is_a_token)
{
    static const char *const bad[] = {"",      " ",   "a b",      "a:",  ":a",
                                      "a\r\n", "a\t", "\xc3\xa4", "(a)", "a@b"};
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(np_request_header_set(r, bad[i], "x", e), NP_E_ARGUMENT);
    REFUSED(np_request_header_set(r, NULL, "x", e), NP_E_ARGUMENT_NULL);
    REFUSED(np_request_header_set(NULL, "a", "x", e), NP_E_ARGUMENT_NULL);
    OK(np_request_header_set(r, "!#$%&'*+-.^_`|~09aZ", "x", e));
    world_close(&w);
}

Test(field, a_value_is_one_line_and_its_blanks_are_cut_off)
{
    static const char *const bad[] = {"a\rb",  "a\nb", "a\r\nX: y", "a\x01",
                                      "a\x7f", "\n",   "a\r\n b"};
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_header_set(r, "X-A", " \t one two \t", e));
    cr_assert_str_eq(np_request_header(r, "x-a"), "one two");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(np_request_header_set(r, "X-A", bad[i], e), NP_E_ARGUMENT);
    cr_assert_str_eq(np_request_header(r, "X-A"), "one two");
    expect_hello(r);
    cr_assert(heard(&w, "X-A: one two\r\n"));
    world_close(&w);
}

Test(field, a_field_is_replaced_and_removed)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_header_set(r, "X-A", "one", e));
    OK(np_request_header_set(r, "x-a", "two", e));
    OK(np_request_header_set(r, "X-B", "three", e));
    OK(np_request_header_set(r, "X-b", NULL, e));
    OK(np_request_header_set(r, "X-None", NULL, e));
    expect_hello(r);
    cr_assert_not(heard(&w, "one"));
    cr_assert(heard(&w, ": two\r\n"));
    cr_assert_not(heard(&w, "three"));
    world_close(&w);
}

typedef np_status (*set_text)(np_request *, const char *, np_error *);
typedef const char *(*get_text)(const np_request *);

Test(field, four_texts_are_set_cleared_and_refused)
{
    static const struct {
        set_text set;
        get_text get;
        const char *name;
    } texts[] = {
        {np_request_set_accept,       np_request_accept,       "Accept"      },
        {np_request_set_user_agent,   np_request_user_agent,   "User-Agent"  },
        {np_request_set_referer,      np_request_referer,      "Referer"     },
        {np_request_set_content_type, np_request_content_type, "Content-Type"}
    };
    struct world w = world_open(HELLO);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        np_request *r = ask(&w, "GET");
        OK(texts[i].set(r, "a/b", e));
        cr_assert_str_eq(texts[i].get(r), "a/b");
        cr_assert_str_eq(np_request_header(r, texts[i].name), "a/b");
        REFUSED(texts[i].set(r, "a\r\nX: y", e), NP_E_ARGUMENT);
        cr_assert_str_eq(texts[i].get(r), "a/b");
        OK(texts[i].set(r, "", e));
        cr_assert_null(texts[i].get(r));
        OK(texts[i].set(r, "c", e));
        OK(texts[i].set(r, NULL, e));
        cr_assert_null(texts[i].get(r));
        REFUSED(texts[i].set(NULL, "c", e), NP_E_ARGUMENT_NULL);
        expect_hello(r);
    }
    cr_assert_not(heard(&w, "Accept:"));
    cr_assert_not(heard(&w, "User-Agent"));
    world_close(&w);
}

Test(field, connection_and_expect_leave_their_known_words_to_other_properties)
{
    static const char *const connection[] = {"close", "keep-alive", "Keep-Alive", "a, CLOSE"};
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    for (size_t i = 0; i < sizeof connection / sizeof *connection; i++)
        REFUSED(np_request_set_connection(r, connection[i], e), NP_E_ARGUMENT);
    REFUSED(np_request_set_expect(r, "100-continue", e), NP_E_ARGUMENT);
    REFUSED(np_request_set_expect(r, "100-CONTINUE, x", e), NP_E_ARGUMENT);
    OK(np_request_set_connection(r, "X-Hop", e));
    cr_assert_str_eq(np_request_connection(r), "X-Hop");
    OK(np_request_set_expect(r, "more", e));
    cr_assert_str_eq(np_request_expect(r), "more");
    expect_hello(r);
    cr_assert(heard(&w, "X-Hop"));
    cr_assert(heard(&w, "Expect: more\r\n"));
    world_close(&w);
}

Test(field, a_host_is_a_host_with_or_without_a_port)
{
    static const char *const bad[] = {"",    " ",     "a/b",  "/",       "a:99999", "a:b",
                                      "a b", "a\r\n", "[::1", "a:80:90", "http://a"};
    static const char *const good[] = {"example.test", "example.test:8080", "127.0.0.1", "[::1]:80",
                                       "A-b.test"};
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(np_request_set_host(r, bad[i], e), NP_E_ARGUMENT);
    REFUSED(np_request_set_host(r, NULL, e), NP_E_ARGUMENT_NULL);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(np_request_set_host(r, good[i], e));
        cr_assert_str_eq(np_request_host(r), good[i]);
    }
    expect_hello(r);
    cr_assert(heard(&w, "Host: A-b.test\r\n"));
    cr_assert_eq(times_heard(&w, "Host:"), 1);
    world_close(&w);
}

Test(field, dates_are_written_as_http_writes_them)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_date(r, 784111777, e));
    OK(np_request_set_if_modified_since(r, 0, e));
    cr_assert_eq(np_request_date(r), 784111777);
    cr_assert_eq(np_request_if_modified_since(r), 0);
    REFUSED_AS(np_request_set_date(r, INT64_MAX, e), NP_E_ARGUMENT);
    expect_hello(r);
    cr_assert(heard(&w, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    cr_assert(heard(&w, "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
    np_request *cleared = ask(&w, "GET");
    OK(np_request_set_date(cleared, 1, e));
    OK(np_request_set_date(cleared, NP_TIME_NONE, e));
    cr_assert_eq(np_request_date(cleared), NP_TIME_NONE);
    expect_hello(cleared);
    cr_assert_eq(times_heard(&w, "\r\nDate:"), 1);
    world_close(&w);
}

Test(field, ranges_are_gathered_in_one_field)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET"), *last = ask(&w, "GET"), *first = ask(&w, "GET");
    REFUSED(np_request_add_range(r, "bytes", -1, 5, e), NP_E_ARGUMENT_RANGE);
    REFUSED(np_request_add_range(r, "bytes", 6, 5, e), NP_E_ARGUMENT_RANGE);
    REFUSED(np_request_add_range(r, "bytes", 0, -1, e), NP_E_ARGUMENT_RANGE);
    REFUSED(np_request_add_range(r, "by tes", 0, 1, e), NP_E_ARGUMENT);
    REFUSED(np_request_add_range(r, "", 0, 1, e), NP_E_ARGUMENT);
    REFUSED(np_request_add_range(r, NULL, 0, 1, e), NP_E_ARGUMENT_NULL);
    cr_assert_null(np_request_header(r, "Range"));
    OK(np_request_add_range(r, "bytes", 0, 0, e));
    OK(np_request_add_range(r, "bytes", 5, 9, e));
    REFUSED(np_request_add_range(r, "pages", 5, 9, e), NP_E_INVALID_OPERATION);
    cr_assert_str_eq(np_request_header(r, "Range"), "bytes=0-0,5-9");
    OK(np_request_add_range_from(first, "bytes", 100, e));
    OK(np_request_add_range_from(last, "bytes", -100, e));
    cr_assert_str_eq(np_request_header(first, "Range"), "bytes=100-");
    cr_assert_str_eq(np_request_header(last, "Range"), "bytes=-100");
    expect_hello(r);
    cr_assert(heard(&w, "Range: bytes=0-0,5-9\r\n"));
    world_close(&w);
}

Test(property, credentials_have_no_colon_and_no_control_characters)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    REFUSED(np_request_set_credentials(r, "a:b", "c", e), NP_E_ARGUMENT);
    REFUSED(np_request_set_credentials(r, "a\n", "c", e), NP_E_ARGUMENT);
    REFUSED(np_request_set_credentials(r, "a", "c\r", e), NP_E_ARGUMENT);
    cr_assert_null(np_request_credentials_user(r));
    OK(np_request_set_credentials(r, "ada", "a:b", e));
    cr_assert_str_eq(np_request_credentials_user(r), "ada");
    OK(np_request_set_credentials(r, NULL, NULL, e));
    cr_assert_null(np_request_credentials_user(r));
    world_close(&w);
}

Test(property, unknown_flags_of_decompression_are_refused)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    REFUSED(np_request_set_automatic_decompression(r, 1u << 20, e), NP_E_ARGUMENT);
    REFUSED(np_request_set_automatic_decompression(r, NP_DECOMPRESS_GZIP | 1u << 31, e),
            NP_E_ARGUMENT);
    OK(np_request_set_automatic_decompression(r, NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE, e));
    cr_assert_eq(np_request_automatic_decompression(r), NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE);
    OK(np_request_set_automatic_decompression(r, NP_DECOMPRESS_NONE, e));
    world_close(&w);
}

Test(property, texts_are_copied)
{
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    char text[] = "X-One", value[] = "two";
    OK(np_request_header_set(r, text, value, e));
    OK(np_request_set_accept(r, value, e));
    OK(np_request_set_connection_group_name(r, value, e));
    memset(text, 'z', sizeof text - 1);
    memset(value, 'z', sizeof value - 1);
    cr_assert_str_eq(np_request_header(r, "X-One"), "two");
    cr_assert_str_eq(np_request_accept(r), "two");
    cr_assert_str_eq(np_request_connection_group_name(r), "two");
    expect_hello(r);
    cr_assert(heard(&w, "X-One: two\r\n"));
    world_close(&w);
}
