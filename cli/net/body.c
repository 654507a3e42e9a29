/* What requests send; see body.h. */
#include "body.h"
#include "memory.h"
#include "message.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DATA_MOST = 64 * 1024 * 1024, STOP_LOOK_MS = 50 };

static const char standard_input[] = "standard input";

static bool is_input(const char *path)
{
    return strcmp(path, "-") == 0;
}

static int fail_to_read(const struct call *call, const char *name, int error)
{
    message_error(call, "%s cannot be read: %s", name, strerror(error));
    return EXIT_UNREADABLE;
}

/* A file to read, or standard input. -1: errno says why; a folder is no file. */
static int open_file(const char *path)
{
    struct stat about;
    const int fd = is_input(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) || !S_ISDIR(about.st_mode))
        return fd;
    if (fd != STDIN_FILENO)
        close(fd);
    errno = EISDIR;
    return -1;
}

/* --- -d --- */

/* -d @FILE takes line ends and NUL bytes out, as curl does. */
static size_t without_line_ends(char *data, size_t length)
{
    size_t kept = 0;
    for (size_t i = 0; i < length; i++)
        if (data[i] != '\n' && data[i] != '\r' && data[i] != '\0')
            data[kept++] = data[i];
    return kept;
}

static int add_file(struct body *body, const struct call *call, const char *path)
{
    const char *name = is_input(path) ? standard_input : path;
    const int fd = open_file(path);
    if (fd < 0)
        return fail_to_read(call, name, errno);
    int exit_status = EXIT_DONE;
    const size_t piece = 64 * 1024;
    for (;;) {
        body->data = xrealloc(body->data, (size_t)body->length + piece, 1);
        const ssize_t n = read(fd, body->data + body->length, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            exit_status = fail_to_read(call, name, errno);
        if (n <= 0)
            break;
        body->length += (int64_t)without_line_ends(body->data + body->length, (size_t)n);
        if (body->length > DATA_MOST) {
            exit_status = message_usage(
                call, "%s is too large for --data: at most %d MiB, --upload takes more", name,
                DATA_MOST / (1024 * 1024));
            break;
        }
    }
    if (fd != STDIN_FILENO)
        close(fd);
    return exit_status;
}

static void add_text(struct body *body, const char *text, size_t length)
{
    body->data = xrealloc(body->data, (size_t)body->length + length + 1, 1);
    memcpy(body->data + body->length, text, length);
    body->length += (int64_t)length;
}

static int take_data(struct body *body, const struct call *call, const struct option_list *data)
{
    int exit_status = EXIT_DONE;
    body->kind = BODY_MEMORY;
    add_text(body, "", 0); /* an empty body has a pointer too */
    for (size_t i = 0; !exit_status && i < data->count; i++) {
        const char *item = data->items[i];
        if (i > 0)
            add_text(body, "&", 1);
        if (item[0] == '@' && item[1])
            exit_status = add_file(body, call, item + 1);
        else if (item[0] == '@')
            exit_status =
                message_usage(call, "found --data '@', expected a file behind it, or @- for "
                                    "standard input");
        else
            add_text(body, item, strlen(item));
    }
    return exit_status;
}

/* --- -T --- */

static int take_upload(struct body *body, const struct call *call, const char *path)
{
    struct stat about;
    if (!*path)
        return message_usage(call, "found --upload '', expected a file, or - for standard input");
    body->name = is_input(path) ? standard_input : path;
    body->fd = open_file(path);
    if (body->fd < 0)
        return fail_to_read(call, body->name, errno);
    body->owns_fd = !is_input(path);
    if (fstat(body->fd, &about))
        return fail_to_read(call, body->name, errno);
    /* a file as standard input is read from where it stands, by the stream's rules */
    const bool is_file = S_ISREG(about.st_mode) && body->owns_fd;
    body->kind = is_file ? BODY_FILE : BODY_STREAM;
    body->length = is_file ? (int64_t)about.st_size : -1;
    return EXIT_DONE;
}

bool body_reads_input(const struct body_options *options)
{
    if (options->upload && is_input(options->upload))
        return true;
    for (size_t i = 0; i < options->data->count; i++)
        if (strcmp(options->data->items[i], "@-") == 0)
            return true;
    return false;
}

int body_take(struct body *body, const struct call *call, const struct body_options *options)
{
    *body = (struct body){.fd = -1};
    if (options->upload && options->data->count > 0)
        return message_usage(call, "--data and --upload exclude each other: expected one body");
    if (options->upload)
        return take_upload(body, call, options->upload);
    return options->data->count > 0 ? take_data(body, call, options->data) : EXIT_DONE;
}

void body_done(struct body *body)
{
    free(body->data);
    if (body->owns_fd && body->fd >= 0)
        close(body->fd);
}

/* --- reading --- */

/* Waits until there is something to read, looking at the flag now and then. */
static bool wait_for_input(int fd, const _Atomic bool *stop)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (!atomic_load_explicit(stop, memory_order_relaxed)) { /* only a flag */
        const int ready = poll(&wait, 1, STOP_LOOK_MS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
    }
    errno = ECANCELED;
    return false;
}

ssize_t body_read(const struct body *body, int64_t *at, void *buffer, size_t capacity,
                  const _Atomic bool *stop)
{
    ssize_t n;
    do {
        if (body->kind == BODY_STREAM && !wait_for_input(body->fd, stop))
            return -1;
        if (body->kind == BODY_FILE) {
            const int64_t left = body->length - *at; /* what is appended meanwhile does not count */
            const size_t most = left < (int64_t)capacity ? (size_t)left : capacity;
            n = most > 0 ? pread(body->fd, buffer, most, (off_t)*at) : 0;
            if (n == 0 && most > 0) {
                errno = ENODATA; /* it has become shorter than was announced */
                n = -1;
            }
        } else {
            n = read(body->fd, buffer, capacity);
        }
    } while (n < 0 && errno == EINTR);
    if (n > 0)
        *at += n;
    return n;
}

/* --- the URL --- */

/* Where the path ends in a folder: behind its last '/', or behind a host without a path. NULL: it
 * names a file, or has a query. */
static const char *folder_end(const char *url)
{
    const char *host = strstr(url, "://");
    const size_t length = strcspn(url, "?#");
    if (!host || url[length])
        return NULL;
    const bool has_path = strchr(host + 3, '/') != NULL;
    return !has_path || url[length - 1] == '/' ? url + length : NULL;
}

static void put_escaped(struct text *out, const char *name)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *name; name++) {
        if (strchr(plain, *name))
            text_char(out, *name);
        else
            text_print(out, "%%%02X", (unsigned char)*name);
    }
}

char *body_url(const struct body *body, const char *url)
{
    const char *end = body->kind == BODY_FILE ? folder_end(url) : NULL;
    struct text whole = {0};
    text_puts(&whole, url);
    if (end) {
        const char *slash = strrchr(body->name, '/');
        if (end[-1] != '/')
            text_char(&whole, '/');
        put_escaped(&whole, slash ? slash + 1 : body->name);
    }
    char *copy = xstrndup(text_string(&whole), whole.length);
    text_done(&whole);
    return copy;
}
