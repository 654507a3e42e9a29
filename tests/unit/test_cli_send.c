/* What the words of `record` make of a request: URLs and logins, header fields, bodies. */
#include "body.h"
#include "field_options.h"
#include "url_list.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct verb verb = {.name = "record"};

static struct call call_of(char **operands, int count)
{
    return (struct call){.verb = &verb, .operands = operands, .operand_count = count};
}

static void check_login(const char *url, const char *given, const char *bare, const char *user,
                        const char *password)
{
    char *operand = strdup(url);
    struct call call = call_of(&operand, 1);
    struct url_list list = {0};
    cr_assert_eq(url_list_take(&list, &call, NULL), EXIT_DONE);
    cr_assert_eq(url_list_take_logins(&list, &call, given), EXIT_DONE);
    cr_expect_str_eq(list.urls[0], bare);
    if (user) {
        cr_expect_str_eq(list.logins[0].user, user, "%s", url);
        cr_expect_str_eq(list.logins[0].password, password, "%s", url);
    } else {
        cr_expect_null(list.logins[0].user, "%s", url);
    }
    url_list_done(&list);
    free(operand);
}

Test(cli_send, a_login_comes_from_the_url_or_from_the_option)
{
    check_login("http://a/", NULL, "http://a/", NULL, NULL);
    check_login("http://a/", "me:pw", "http://a/", "me", "pw");
    check_login("http://a/", "me:p:w", "http://a/", "me", "p:w");
    check_login("http://a/", "me:", "http://a/", "me", "");
    check_login("http://u:v@a/", "me:pw", "http://a/", "u", "v");
    check_login("http://u@a:80/x@y", NULL, "http://a:80/x@y", "u", "");
    check_login("http://u:p%40%3a@a/?q=@", NULL, "http://a/?q=@", "u", "p@:");
    check_login("http://u:p@q@a/", NULL, "http://a/", "u", "p@q");
    check_login("http://u:p%00%4@a/", NULL, "http://a/", "u", "p%00%4");
    check_login("http://a/?x=u:v@b", NULL, "http://a/?x=u:v@b", NULL, NULL);
    check_login("http://@a/", NULL, "http://a/", "", "");
    check_login("no url u:v@a", NULL, "no url u:v@a", NULL, NULL);
}

Test(cli_send, a_login_needs_user_and_password)
{
    char *operand = (char[]){"http://a/"};
    struct call call = call_of(&operand, 1);
    struct url_list list = {0};
    cr_assert_eq(url_list_take(&list, &call, NULL), EXIT_DONE);
    cr_expect_eq(url_list_take_logins(&list, &call, "me"), EXIT_USAGE);
    cr_expect_eq(url_list_take_logins(&list, &call, ":pw"), EXIT_USAGE);
    cr_expect_eq(url_list_take_logins(&list, &call, ""), EXIT_USAGE);
    url_list_done(&list);
}

static int take_fields(struct field_options *options, const char **items, size_t count,
                       bool is_form)
{
    struct call call = call_of(NULL, 0);
    const struct option_list list = {.items = items, .count = count};
    *options = (struct field_options){0};
    return field_options_take(options, &call, &list, is_form);
}

Test(cli_send, fields_that_say_how_are_no_fields)
{
    const char *items[] = {"X-One: 1", "expect:", "Connection: close", "TRANSFER-ENCODING: Chunked",
                           "Two:2"};
    struct field_options options;
    cr_assert_eq(take_fields(&options, items, 5, true), EXIT_DONE);
    cr_assert_eq(options.count, 3);
    cr_expect_str_eq(options.fields[0].name, "X-One");
    cr_expect_str_eq(options.fields[0].value, "1");
    cr_expect_str_eq(options.fields[1].value, "2");
    cr_expect_str_eq(options.fields[2].name, "Content-Type");
    cr_expect_eq(options.expect, EXPECT_NEVER);
    cr_expect(options.close && options.is_chunked);
    field_options_done(&options);

    const char *typed[] = {"content-type: text/plain", "Expect: 100-Continue"};
    cr_assert_eq(take_fields(&options, typed, 2, true), EXIT_DONE);
    cr_expect_eq(options.count, 1);
    cr_expect_eq(options.expect, EXPECT_ALWAYS);
    field_options_done(&options);
}

Test(cli_send, fields_that_cannot_be_are_refused)
{
    static const char *const wrong[] = {"no colon",          ": no name",
                                        "Content-Length: 3", "Transfer-Encoding: gzip",
                                        "Expect: more",      "Connection: Upgrade"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *item = wrong[i];
        struct field_options options;
        cr_expect_eq(take_fields(&options, &item, 1, false), EXIT_USAGE, "%s", item);
        field_options_done(&options);
    }
}

static void check_url(const char *file, const char *url, const char *expected)
{
    const struct body body = {.kind = BODY_FILE, .fd = -1, .name = file};
    char *made = body_url(&body, url);
    cr_expect_str_eq(made, expected, "%s to %s: %s", file, url, made);
    free(made);
}

Test(cli_send, an_upload_to_a_folder_gets_the_files_name)
{
    check_url("dir/a b.txt", "http://a/up/", "http://a/up/a%20b.txt");
    check_url("x", "http://a", "http://a/x");
    check_url("x", "http://a/", "http://a/x");
    check_url("x", "http://a/y", "http://a/y");
    check_url("x", "http://a/?q", "http://a/?q");
    check_url("x", "http://a/#f", "http://a/#f");
    check_url("\xc3\xa4?", "http://a/", "http://a/%C3%A4%3F");
    check_url("x", "nothing", "nothing");
}

static const _Atomic bool go_on;

Test(cli_send, a_file_is_read_by_many_at_once_up_to_its_length)
{
    char path[] = "/tmp/netphase-body-XXXXXX";
    const int fd = mkstemp(path);
    cr_assert_eq(write(fd, "0123456789", 10), 10);
    close(fd);
    struct call call = call_of(NULL, 0);
    const struct option_list none = {0};
    const struct body_options options = {.data = &none, .upload = path};
    struct body body;
    char a[8], b[8];
    int64_t at_a = 0, at_b = 0;
    cr_assert_eq(body_take(&body, &call, &options), EXIT_DONE);
    cr_assert_eq(body.kind, BODY_FILE);
    cr_assert_eq(body.length, 10);
    cr_expect_eq(body_read(&body, &at_a, a, 6, &go_on), 6);
    cr_expect_eq(body_read(&body, &at_b, b, 8, &go_on), 8);
    cr_expect_eq(body_read(&body, &at_a, a, 8, &go_on), 4);
    cr_expect_eq(memcmp(a, "6789", 4), 0);
    cr_expect_eq(body_read(&body, &at_a, a, 8, &go_on), 0);
    cr_assert_eq(truncate(path, 9), 0);
    cr_expect_eq(body_read(&body, &at_b, b, 8, &go_on), 1);
    cr_expect_eq(body_read(&body, &at_b, b, 8, &go_on), -1, "it was to have ten bytes");
    cr_expect_eq(errno, ENODATA);
    body_done(&body);
    unlink(path);
}

Test(cli_send, a_pipe_is_a_stream_and_waiting_for_it_can_be_stopped)
{
    int ends[2];
    char path[64];
    char bytes[4];
    int64_t at = 0;
    static _Atomic bool stop;
    struct call call = call_of(NULL, 0);
    const struct option_list none = {0};
    struct body body;
    cr_assert_eq(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    const struct body_options options = {.data = &none, .upload = path};
    cr_assert_eq(body_take(&body, &call, &options), EXIT_DONE);
    cr_assert_eq(body.kind, BODY_STREAM);
    cr_assert_eq(body.length, -1);
    cr_assert_eq(write(ends[1], "ab", 2), 2);
    cr_expect_eq(body_read(&body, &at, bytes, 4, &stop), 2);
    atomic_store(&stop, true);
    cr_expect_eq(body_read(&body, &at, bytes, 4, &stop), -1);
    cr_expect_eq(errno, ECANCELED);
    atomic_store(&stop, false);
    close(ends[1]);
    cr_expect_eq(body_read(&body, &at, bytes, 4, &stop), 0);
    body_done(&body);
    close(ends[0]);
}

Test(cli_send, data_is_joined_and_a_file_loses_its_line_ends)
{
    char path[] = "/tmp/netphase-body-XXXXXX";
    char item[64];
    const int fd = mkstemp(path);
    cr_assert_eq(write(fd, "a\r\nb\0c\n", 7), 7);
    close(fd);
    snprintf(item, sizeof item, "@%s", path);
    const char *items[] = {"x=1", item, ""};
    struct call call = call_of(NULL, 0);
    const struct option_list data = {.items = items, .count = 3};
    struct body body;
    cr_assert_eq(body_take(&body, &call, &(struct body_options){.data = &data}), EXIT_DONE);
    cr_assert_eq(body.kind, BODY_MEMORY);
    cr_expect_eq(body.length, 8);
    cr_expect_eq(memcmp(body.data, "x=1&abc&", 8), 0);
    body_done(&body);
    unlink(path);
}
