/* The lab's reading of HTTP requests and their bodies. */
#include "byte_mutation.h"
#include "http_request.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static enum http_result parse(const char *text, struct http_request *request, int *status)
{
    size_t used;
    return http_request_parse(text, strlen(text), request, &used, status);
}

Test(lab_http_request, a_request_is_read_up_to_its_blank_line)
{
    static const char text[] =
        "\r\nGET /bytes/7?x=1 HTTP/1.1\r\nHost: origin.lab\r\nX-A:  b \r\n\r\nGET / HTTP/1.1\r\n";
    struct http_request request;
    size_t used;
    int status;

    cr_assert_eq(http_request_parse(text, sizeof text - 1, &request, &used, &status), HTTP_DONE);

    cr_assert_str_eq(request.method, "GET");
    cr_assert_str_eq(request.target, "/bytes/7?x=1");
    cr_assert(request.keep_alive);
    cr_assert_eq(request.content_bytes, 0);
    cr_assert_str_eq(text + used, "GET / HTTP/1.1\r\n");
}

Test(lab_http_request, every_shorter_beginning_wants_more)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 3\r\n\r\n";
    struct http_request request;
    size_t used;
    int status;
    for (size_t length = 0; length < sizeof text - 1; length++)
        cr_expect_eq(http_request_parse(text, length, &request, &used, &status), HTTP_MORE,
                     "%zu bytes", length);
}

Test(lab_http_request, connections_are_kept_as_asked)
{
    static const struct {
        const char *text;
        bool kept;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: o\r\n\r\n",                          true },
        {"GET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n",     false},
        {"GET / HTTP/1.1\r\nHost: o\r\nConnection: x , CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n",                                     false},
        {"GET / HTTP/1.0\nConnection: Keep-Alive\n\n",                 true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request request;
        int status;
        cr_expect_eq(parse(cases[i].text, &request, &status), HTTP_DONE, "case %zu", i);
        cr_expect_eq(request.keep_alive, cases[i].kept, "case %zu", i);
    }
}

Test(lab_http_request, what_is_malformed_is_refused_with_its_status)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"hello\r\n",                                                                            400},
        {"GET /\r\n",                                                                            400},
        {"GET / HTTP/2.0\r\n",                                                                   505},
        {"GET / HTTX/1.1\r\n",                                                                   400},
        {"G(T / HTTP/1.1\r\n",                                                                   400},
        {"GET /\x01 HTTP/1.1\r\n",                                                               400},
        {"GET / HTTP/1.1\r\n\r\n",                                                               400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",                                         400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n",                                                   400},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",                                         400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",                              400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",          400},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400                                                                                        },
        {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",                         501},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n",                                417},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n",                                                   400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_request request;
        int status;
        cr_expect_eq(parse(cases[i].text, &request, &status), HTTP_BAD, "case %zu", i);
        cr_expect_eq(status, cases[i].status, "case %zu: %d", i, status);
    }
}

Test(lab_http_request, a_head_without_end_is_refused)
{
    static char text[HTTP_HEAD_LIMIT + 1] = "GET / HTTP/1.1\r\nX: ";
    memset(text + 19, 'x', sizeof text - 20);
    struct http_request request;
    int status;

    cr_assert_eq(parse(text, &request, &status), HTTP_BAD);

    cr_assert_eq(status, 431);
}

static struct http_body body_for(const char *framing)
{
    char text[200];
    struct http_request request;
    int status;
    (void)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: o\r\n%s\r\n\r\n", framing);
    cr_assert_eq(parse(text, &request, &status), HTTP_DONE);
    struct http_body body;
    http_body_init(&body, &request);
    return body;
}

Test(lab_http_request, a_body_ends_where_its_length_says)
{
    struct http_body body = body_for("Content-Length: 5");
    size_t used;

    cr_assert_eq(http_body_consume(&body, "abc", 3, &used), HTTP_MORE);
    cr_assert_eq(http_body_consume(&body, "deGET", 5, &used), HTTP_DONE);

    cr_assert_eq(used, 2);
}

Test(lab_http_request, chunks_are_passed_over_however_they_are_cut)
{
    static const char text[] =
        "3\r\nabc\r\n0A;name=\"x\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET";
    for (size_t step = 1; step < sizeof text; step++) {
        struct http_body body = body_for("Transfer-Encoding: chunked");
        enum http_result result = HTTP_MORE;
        size_t at = 0;
        while (result == HTTP_MORE && at < sizeof text - 1) {
            size_t length = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;
            size_t used;
            result = http_body_consume(&body, text + at, length, &used);
            at += used;
        }
        cr_expect_eq(result, HTTP_DONE, "step %zu", step);
        cr_expect_str_eq(text + at, "GET", "step %zu", step);
    }
}

Test(lab_http_request, broken_chunks_are_refused)
{
    static const char *const cases[] = {
        "x\r\n", "\r\n", "3\r\nabcd", "11111111111111111\r\n", ";\r\n", "3 \r\nabc\r\rx"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_body body = body_for("Transfer-Encoding: chunked");
        size_t used;
        cr_expect_eq(http_body_consume(&body, cases[i], strlen(cases[i]), &used), HTTP_BAD,
                     "case %zu", i);
    }
}

Test(lab_http_request, any_bytes_are_read_within_bounds)
{
    static const char *const seeds[] = {
        "POST /drip/3/4 HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\nExpect: "
        "100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET http://origin.lab/bytes/12 HTTP/1.0\r\nConnection: keep-alive, x\r\nContent-Length: "
        "4\r\n\r\nabcd",
    };
    struct mutation mutation = mutation_start("NP_TEST_SEED");
    for (int round = 0; round < 100000; round++) {
        uint8_t bytes[512];
        size_t length = strlen(seeds[round % 2]);
        memcpy(bytes, seeds[round % 2], length);
        length = mutate(&mutation, bytes, length, sizeof bytes);
        char *exact = malloc(length ? length : 1);
        memcpy(exact, bytes, length);
        struct http_request request;
        size_t used;
        int status;
        enum http_result result = http_request_parse(exact, length, &request, &used, &status);
        bool is_good = result != HTTP_BAD || (status >= 400 && status < 600);
        if (result == HTTP_DONE) {
            struct http_body body;
            size_t taken;
            http_body_init(&body, &request);
            (void)http_body_consume(&body, exact + used, length - used, &taken);
            is_good = used + taken <= length;
        }
        free(exact);
        /* An assertion of Criterion costs more than the round: only a failure is one. */
        if (!is_good)
            cr_assert_fail("seed %llu round %d", (unsigned long long)mutation.seed, round);
    }
}
