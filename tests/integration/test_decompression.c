/* Compressed bodies: what is handed out, and what the trace counts. */
#include "hop_rig.h"

/* --- compressed bodies --- */

#define WORDS 2000 /* "netphase " so often */
#define GZIP                                                                                       \
    "\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x02\\x03\\xed\\xc6\\xb1\\x09\\x00\\x30\\x08\\x00\\" \
    "xb0"                                                                                          \
    "\\x57\\x7c\\xad\\x83\\xd0\\x49\\x0a\\xfa\\x3f\\xde\\x51\\x48\\xa6\\x54\\xce\\xbb\\xa7\\x33\\" \
    "x4a"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\" \
    "x44"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x7e\\xce\\x02\\" \
    "x46"                                                                                          \
    "\\x1a\\xe2\\x93\\x50\\x46\\x00\\x00"
#define DEFLATE                                                                                    \
    "\\x78\\xda\\xed\\xc6\\xb1\\x09\\x00\\x30\\x08\\x00\\xb0\\x57\\x7c\\xad\\x83\\xd0\\x49\\x0a\\" \
    "xfa"                                                                                          \
    "\\x3f\\xde\\x51\\x48\\xa6\\x54\\xce\\xbb\\xa7\\x33\\x4a\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\" \
    "x44"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\" \
    "x44"                                                                                          \
    "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x7e\\xce\\x02\\x30\\xd8\\x1b\\x16"

static void expect_words(const struct got *got)
{
    cr_expect_eq(got->status, NP_OK, "%s", got->err.text);
    cr_expect_eq(got->length, WORDS * 9);
    for (size_t i = 0; i + 9 <= got->length; i += 9)
        cr_assert_eq(memcmp(got->body + i, "netphase ", 9), 0, "at %zu", i);
}

static np_request *decompressing(uint16_t port, uint32_t flags)
{
    np_error err = {0};
    np_request *request = local(port, "/");
    cr_assert_eq(np_request_set_automatic_decompression(request, flags, &err), NP_OK, "%s",
                 err.text);
    return request;
}

Test(decompression, decompression_hands_out_the_text_and_counts_the_wire)
{
    static const struct {
        const char *fields, *body;
        const char *wire_bytes;
    } cases[] = {
        {"Content-Encoding: gzip\\r\\nContent-Length: 83",         GZIP,    "83"},
        {"Content-Encoding: X-GZIP\\r\\nContent-Length: 83",       GZIP,    "83"},
        {"Content-Encoding: deflate\\r\\nContent-Length: 71",      DEFLATE, "71"},
        {"Content-Encoding: gzip\\r\\nTransfer-Encoding: chunked",
         "53\\r\\n" GZIP "\\r\\n0\\r\\n\\r\\n",                             "83"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, "head; send \"HTTP/1.1 200 OK\\r\\n%s\\r\\n\\r\\n%s\"; again",
                 cases[i].fields, cases[i].body);
        struct scripted_server *server = script(text);
        set_up();
        for (int n = 0; n < 2; n++) { /* on a new connection, and on the same again */
            const struct got *got = fetch(decompressing(
                scripted_server_port(server), NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE));
            expect_words(got);
            cr_expect_str_eq(got->encoding, "-");
            cr_expect_eq(got->content_length, -1);
        }
        finish();
        scripted_server_stop(server);
        cr_expect_str_eq(sql("SELECT group_concat(DISTINCT received_bytes) FROM requests"),
                         cases[i].wire_bytes, "case %zu", i);
        cr_expect_str_eq(sql("SELECT group_concat(DISTINCT connection_state) FROM requests"),
                         "new,reused");
        cr_expect_str_eq(sql("SELECT sum(received_bytes) FROM connections"),
                         i == 2 ? "142" : "166");
        take_down();
    }
}

Test(decompression, decompression_touches_nothing_it_was_not_asked_for)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 200 OK\\r\\nContent-Encoding: "
               "gzip\\r\\nContent-Length: 83\\r\\n\\r\\n" GZIP "\"; again");
    set_up();
    for (int n = 0; n < 3; n++) { /* the second one leaves the handle as it was */
        const struct got *got =
            fetch(decompressing(scripted_server_port(server), n == 1 ? NP_DECOMPRESS_GZIP : 0));
        cr_expect_eq(got->length, n == 1 ? WORDS * 9 : 83, "request %d", n);
        cr_expect_str_eq(got->encoding, n == 1 ? "-" : "gzip");
        cr_expect_eq(got->content_length, n == 1 ? -1 : 83);
    }
    np_request *head = decompressing(scripted_server_port(server), NP_DECOMPRESS_GZIP);
    cr_assert_eq(np_request_set_reuse(head, NP_REUSE_FRESH, NULL), NP_OK);
    with_method(head, "HEAD");
    const struct got *got = fetch(head);
    cr_expect_str_eq(got->encoding, "gzip", "there is no body that was decoded");
    cr_expect_eq(got->content_length, 83);
    finish();
    scripted_server_stop(server);
    take_down();
}

Test(decompression, decompression_of_what_is_broken_or_unknown_is_the_servers_fault)
{
    static const char *const replies[] = {
        "Content-Encoding: gzip\\r\\nContent-Length: 5\\r\\n\\r\\nplain",
        "Content-Encoding: middle-out\\r\\nContent-Length: 5\\r\\n\\r\\nplain",
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        char text[512];
        snprintf(text, sizeof text, "head; send \"HTTP/1.1 200 OK\\r\\n%s\"; hang", replies[i]);
        struct scripted_server *server = script(text);
        set_up();
        const struct got *got =
            fetch(decompressing(scripted_server_port(server), NP_DECOMPRESS_GZIP));
        cr_expect_eq(got->err.web_status, NP_WEB_SERVER_PROTOCOL_VIOLATION, "%s", got->err.text);
        cr_expect(strstr(got->err.text, "coding"), "%s", got->err.text);
        finish();
        scripted_server_stop(server);
        take_down();
    }
}

Test(decompression, decompression_ends_receive_at_the_last_byte_of_the_wire)
{
    struct scripted_server *server =
        script("head; send \"HTTP/1.1 200 OK\\r\\nContent-Encoding: gzip\\r\\nContent-Length: "
               "83\\r\\n\\r\\n\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x02\\x03\"; sleep 60; "
               "send \""
               "\\xed\\xc6\\xb1\\x09\\x00\\x30\\x08\\x00\\xb0"
               "\\x57\\x7c\\xad\\x83\\xd0\\x49\\x0a\\xfa\\x3f\\xde\\x51\\x48\\xa6\\x54\\xce\\xbb\\x"
               "a7\\x33\\x4a"
               "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x"
               "44\\x44\\x44"
               "\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x44\\x7e\\x"
               "ce\\x02\\x46"
               "\\x1a\\xe2\\x93\\x50\\x46\\x00\"; sleep 60; send \"\\x00\"; hang");
    set_up();
    expect_words(fetch(decompressing(scripted_server_port(server), NP_DECOMPRESS_GZIP)));
    finish();
    scripted_server_stop(server);
    /* The text is out 60 ms before the trailer's last byte. */
    cr_expect_str_eq(sql("SELECT receive_ns >= 118000000 FROM requests"), "1", "%s",
                     sql("SELECT receive_ns FROM requests"));
    take_down();
}

Test(decompression, decompression_of_what_nginx_compresses)
{
    if (!set_up_nginx("gzip on; gzip_types text/plain; gzip_min_length 1;", ""))
        return;
    char *text = malloc(WORDS * 9);
    for (size_t i = 0; i < WORDS; i++)
        memcpy(text + 9 * i, "netphase ", 9);
    cr_assert(nginx_add_file(&nginx, "words", text, WORDS * 9));
    free(text);
    np_request *request = local(nginx.http_port, "/words");
    cr_assert_eq(np_request_set_automatic_decompression(request, NP_DECOMPRESS_GZIP, NULL), NP_OK);

    expect_words(fetch(request));

    finish();
    cr_expect_str_eq(sql("SELECT received_bytes > 20 AND received_bytes < 2000 FROM requests"), "1",
                     "%s", sql("SELECT received_bytes FROM requests"));
    take_down();
}

/* --- codings that not every libcurl has --- */

#define BROTLI                                                                                     \
    "\\xf1\\x78\\x32\\xc2\\x6f\\xa4\\x4c\\x1d\\xdf\\x1a\\xc4\\x6d\\x8e\\x4e\\x87\\x95"             \
    "\\xa1\\xc1\\x89\\xdf\\x82\\x81\\x01\\x3e\\x00\\xfa\\x91\\x00"
#define ZSTD                                                                                       \
    "\\x28\\xb5\\x2f\\xfd\\x64\\x50\\x45\\x8d\\x00\\x00\\x48\\x6e\\x65\\x74\\x70\\x68"             \
    "\\x61\\x73\\x65\\x20\\x01\\x00\\x44\\x06\\xf7\\x72\\x04\\xb6\\x5b\\x98\\xab"

/* Whether this libcurl was built with it. */
static bool can_decompress(uint32_t flag)
{
    np_error err = {0};
    np_request *request = local(1, "/");
    const np_status status = np_request_set_automatic_decompression(request, flag, &err);
    cr_expect(status == NP_OK || strstr(err.text, "this libcurl cannot"), "%s", err.text);
    np_request_release(request);
    return status == NP_OK;
}

Test(decompression, decompression_of_brotli_and_zstd_where_libcurl_has_them)
{
    static const struct {
        const char *name, *body;
        uint32_t flag;
        int64_t bytes;
    } cases[] = {
        {"br",   BROTLI, NP_DECOMPRESS_BROTLI, 28},
        {"zstd", ZSTD,   NP_DECOMPRESS_ZSTD,   31},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "head; send \"HTTP/1.1 200 OK\\r\\nContent-Encoding: %s\\r\\n"
                 "Content-Length: %lld\\r\\n\\r\\n%s\"; again",
                 cases[i].name, (long long)cases[i].bytes, cases[i].body);
        struct scripted_server *server = script(text);
        set_up();
        const bool can = can_decompress(cases[i].flag);
        if (!can)
            printf("SKIPPED: this libcurl has no %s\n", cases[i].name);
        for (int n = 0; can && n < 2; n++) { /* asked for alone, and with all there are */
            const struct got *got = fetch(decompressing(
                scripted_server_port(server), n == 0 ? cases[i].flag : NP_DECOMPRESS_ANY));
            expect_words(got);
            cr_expect_str_eq(got->encoding, "-");
        }
        finish();
        char *heard = scripted_server_heard(server, NULL);
        cr_expect(!can || strstr(heard, cases[i].name), "Accept-Encoding: %s", heard);
        free(heard);
        scripted_server_stop(server);
        cr_expect_eq(atoll(sql("SELECT coalesce(sum(received_bytes), 0) FROM requests")),
                     can ? 2 * cases[i].bytes : 0, "%s", cases[i].name);
        take_down();
    }
}
