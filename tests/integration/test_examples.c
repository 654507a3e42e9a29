/* The programs of examples/, as their readers would run them: what they print, how they end, and
 * what arrived at the server. get.c and upload.c are run by test_request_nginx.c and
 * test_request_upload.c. */
#include "nginx.h"
#include "raw_server.h"
#include "scripted_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct nginx nginx;

static bool set_up_nginx(void)
{
    if (nginx_start(&nginx, &(struct nginx_options){
                                .locations = "client_max_body_size 64m; location /dav/ { "
                                             "dav_methods PUT; create_full_put_path on; }"}))
        return true;
    printf("SKIPPED: %s\n", nginx.why);
    return false;
}

static struct scripted_server *serve(const char *script)
{
    char why[200];
    struct scripted_server *server = scripted_server_start(script, why, sizeof why);
    cr_assert_not_null(server, "%s", why);
    return server;
}

/* Runs a command line; what it prints, on both streams, goes to `out`. Its exit status. */
static int run(const char *command, char *out, size_t size)
{
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    out[fread(out, 1, size - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    cr_assert(WIFEXITED(status), "%s\n%s", command, out);
    return WEXITSTATUS(status);
}

/* --- post --- */

static int post(unsigned port, char *out, size_t size)
{
    char command[512];
    snprintf(command, sizeof command, "echo 'hello, world' | '%s' http://127.0.0.1:%u/ 2>&1",
             NP_EXAMPLE_POST, port);
    return run(command, out, size);
}

Test(examples, post_sends_the_line_and_prints_the_answer)
{
    char out[1024];
    struct scripted_server *server = serve(
        "head; payload; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 7\\r\\n\\r\\nthanks\\n\"");

    cr_assert_eq(post(scripted_server_port(server), out, sizeof out), 0, "%s", out);

    cr_assert_str_eq(out, "What shall be posted? thanks\n");
    char *heard = scripted_server_heard(server, NULL);
    cr_assert_eq(strncmp(heard, "POST / HTTP/1.1\r\n", 17), 0, "%s", heard);
    cr_assert_not_null(strstr(heard, "\r\nContent-Length: 12\r\n"), "%s", heard);
    cr_assert_not_null(strstr(heard, "\r\n\r\nhello, world"), "%s", heard);
    free(heard);
    scripted_server_stop(server);
}

/* Both of its steps can fail: nobody listens, and the server goes without an answer. */
Test(examples, post_says_what_went_wrong)
{
    char out[1024];
    struct scripted_server *server = serve("head; payload");

    cr_assert_eq(post(raw_free_port(), out, sizeof out), 1, "%s", out);
    cr_assert_eq(strncmp(out, "post: ", 6), 0, "%s", out);
    cr_assert_eq(post(scripted_server_port(server), out, sizeof out), 1, "%s", out);
    cr_assert_not_null(strstr(out, "\n") ? strstr(out, "post: ") : NULL, "%s", out);
    scripted_server_stop(server);
}

/* --- upload_async --- */

static void upload(const char *input, const char *name, const char *expected, int status)
{
    char command[600], out[512];
    snprintf(command, sizeof command,
             "%s | ASAN_OPTIONS=quarantine_size_mb=1 '%s' http://127.0.0.1:%u/%s 2>&1", input,
             NP_EXAMPLE_UPLOAD_ASYNC, nginx.http_port, name);
    cr_assert_eq(run(command, out, sizeof out), status, "%s", out);
    cr_assert_not_null(strstr(out, expected), "%s", out);
}

static long largest_child_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return usage.ru_maxrss;
}

Test(examples, upload_async_sends_any_amount_in_constant_memory)
{
    enum { MIB = 32, ROOM_KIB = 12 * 1024 };
    char path[300];
    struct stat file;
    if (!set_up_nginx())
        return;

    upload("printf 'a little'", "dav/little", "201\n", 0);
    const long little_kib = largest_child_kib();
    upload("head -c 33554432 /dev/zero", "dav/much", "201\n", 0);

    snprintf(path, sizeof path, "%s/www/dav/much", nginx.folder);
    cr_assert_eq(stat(path, &file), 0);
    cr_assert_eq(file.st_size, MIB * 1024 * 1024);
    cr_assert_lt(largest_child_kib(), little_kib + ROOM_KIB);
    nginx_stop(&nginx);
}

Test(examples, upload_async_says_what_went_wrong)
{
    if (!set_up_nginx())
        return;
    upload("printf 'a little'", "nowhere", "upload_async: the server answered with status 405", 1);
    nginx_stop(&nginx);
}

/* --- many --- */

static int get_many(const char *path, const char *count, char *out, size_t size)
{
    char command[512];
    snprintf(command, sizeof command, "'%s' http://127.0.0.1:%u/%s %s 2>&1", NP_EXAMPLE_MANY,
             nginx.http_port, path, count);
    return run(command, out, size);
}

Test(examples, many_counts_what_came_and_what_did_not)
{
    char out[512];
    if (!set_up_nginx())
        return;
    cr_assert_eq(get_many("small", "300", out, sizeof out), 0, "%s", out);
    cr_assert_str_eq(out, "300 good, 0 failed, 17700 bytes\n");
    cr_assert_eq(get_many("none", "20", out, sizeof out), 1, "%s", out);
    cr_assert_str_eq(out, "0 good, 20 failed, 0 bytes\n");
    cr_assert_eq(get_many("small", "", out, sizeof out), 2, "%s", out);
    cr_assert_str_eq(out, "many: expected a URL and how many times to get it\n");
    nginx_stop(&nginx);
}

/* --- give_up --- */

static int get_within(const char *script, int ms, char *out, size_t size)
{
    char command[512];
    struct scripted_server *server = serve(script);
    snprintf(command, sizeof command, "'%s' http://127.0.0.1:%u/ %d 2>&1", NP_EXAMPLE_GIVE_UP,
             scripted_server_port(server), ms);
    const int status = run(command, out, size);
    scripted_server_stop(server);
    return status;
}

/* While it waits for the header, and (where the machine is not too busy) in the body. */
Test(examples, give_up_ends_a_request_wherever_it_is)
{
    static const char *const scripts[] = {
        "head; hang",
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf\\n\"; hang",
    };
    char out[512];
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        cr_assert_eq(get_within(scripts[i], 300, out, sizeof out), 1, "case %zu: %s", i, out);
        cr_assert_not_null(strstr(out, "give_up: the request was aborted\n"), "case %zu: %s", i,
                           out);
    }
}

Test(examples, give_up_does_nothing_when_the_answer_was_in_time)
{
    char out[512];
    cr_assert_eq(
        get_within("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nwhole\\n\"",
                   100000, out, sizeof out),
        0, "%s", out);
    cr_assert_str_eq(out, "whole\n");
}
