/* The URLs of a run; see url_list.h. */
#include "url_list.h"
#include "memory.h"
#include "message.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_MOST = 64 * 1024 }; /* bytes; the library takes no longer URL either */

static const char standard_input[] = "standard input";

static void add(struct url_list *list, const char *url, size_t length, struct url_place place)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 16;
        list->urls = xrealloc(list->urls, list->room, sizeof *list->urls);
        list->places = xrealloc(list->places, list->room, sizeof *list->places);
    }
    list->urls[list->count] = xstrndup(url, length);
    list->places[list->count++] = place;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line without its end. */
static void add_line(struct url_list *list, const char *line, size_t length, struct url_place place)
{
    while (length > 0 && is_blank(line[length - 1]))
        length--;
    while (length > 0 && is_blank(*line)) {
        line++;
        length--;
    }
    if (length > 0 && *line != '#')
        add(list, line, length, place);
}

/* Reads a line up to LINE_MOST bytes, so that no file can fill the memory. EOF: there is none;
 * otherwise its length, or LINE_MOST + 1: it is longer. */
static int read_line(FILE *file, char *line)
{
    int length = 0;
    int c;
    while ((c = getc(file)) != EOF && c != '\n') {
        if (length > LINE_MOST)
            return length;
        line[length++] = (char)c;
    }
    return c == EOF && length == 0 ? EOF : length;
}

static int read_lines(struct url_list *list, const struct call *call, FILE *file, const char *name)
{
    char *line = xcalloc(LINE_MOST + 2, 1);
    struct url_place place = {.file = name};
    const size_t before = list->count;
    int exit_status = EXIT_DONE;
    int length;
    while (!exit_status && (length = read_line(file, line)) != EOF) {
        place.line++;
        if (length > LINE_MOST)
            exit_status = message_usage(call, "%s line %zu: more than %d bytes, expected a URL",
                                        name, place.line, LINE_MOST);
        else if (memchr(line, '\0', (size_t)length))
            exit_status =
                message_usage(call, "%s line %zu: a NUL byte, expected a URL", name, place.line);
        else
            add_line(list, line, (size_t)length, place);
    }
    if (!exit_status && ferror(file)) {
        message_error(call, "%s cannot be read: %s", name, strerror(errno));
        exit_status = EXIT_UNREADABLE;
    }
    if (!exit_status && list->count == before)
        exit_status = message_usage(call, "%s has no URL, expected one a line", name);
    free(line);
    return exit_status;
}

static bool is_input(const char *path)
{
    return strcmp(path, "-") == 0;
}

static int read_file(struct url_list *list, const struct call *call, const char *path)
{
    if (is_input(path))
        return read_lines(list, call, stdin, standard_input);
    struct stat about;
    FILE *file = fopen(path, "re");
    const bool is_folder = file && fstat(fileno(file), &about) == 0 && S_ISDIR(about.st_mode);
    if (!file || is_folder) {
        message_error(call, "%s cannot be read: %s", path, strerror(file ? EISDIR : errno));
        if (file)
            (void)fclose(file); /* nothing was written */
        return EXIT_UNREADABLE;
    }
    const int exit_status = read_lines(list, call, file, path);
    (void)fclose(file); /* was only read */
    return exit_status;
}

int url_list_take(struct url_list *list, const struct call *call, const char *file)
{
    int exit_status = EXIT_DONE;
    int inputs = file && is_input(file);
    for (int i = 0; i < call->operand_count; i++)
        inputs += is_input(call->operands[i]);
    if (inputs > 1)
        return message_usage(call, "standard input is named %d times, expected one '-'", inputs);
    for (int i = 0; !exit_status && i < call->operand_count; i++) {
        const char *operand = call->operands[i];
        if (is_input(operand))
            exit_status = read_file(list, call, operand);
        else
            add(list, operand, strlen(operand), (struct url_place){0});
    }
    if (!exit_status && file)
        exit_status = read_file(list, call, file);
    if (!exit_status && list->count == 0)
        exit_status =
            message_usage(call, "nothing to send to, expected a URL, or --urls with a file");
    return exit_status;
}

/* --- logins --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41" becomes "A"; "%00" stays, it is no text. Owned. */
static char *decoded(const char *text, size_t length)
{
    char *out = xstrndup(text, length);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        const int high = text[i] == '%' && length - i > 2 ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0 || high + low == 0) {
            out[used++] = text[i];
            continue;
        }
        out[used++] = (char)(high << 4 | low);
        i += 2;
    }
    out[used] = '\0';
    return out;
}

/* Bytes of "USER:PASSWORD@" behind "://"; *at: where they begin. */
static size_t login_length(const char *url, size_t *at)
{
    const char *host = strstr(url, "://");
    if (!host)
        return 0;
    host += 3;
    const size_t authority = strcspn(host, "/?#");
    const char *sign = authority > 0 ? memrchr(host, '@', authority) : NULL;
    *at = (size_t)(host - url);
    return sign ? (size_t)(sign - host) + 1 : 0;
}

static void take_from_url(char *url, struct url_login *login)
{
    size_t at;
    const size_t length = login_length(url, &at);
    if (length == 0)
        return;
    const char *text = url + at;
    const char *colon = memchr(text, ':', length - 1);
    const size_t user = colon ? (size_t)(colon - text) : length - 1;
    login->user = decoded(text, user);
    login->password = colon ? decoded(colon + 1, length - 2 - user) : decoded("", 0);
    memmove(url + at, url + at + length, strlen(url + at + length) + 1);
}

int url_list_take_logins(struct url_list *list, const struct call *call, const char *given)
{
    const char *colon = given ? strchr(given, ':') : NULL;
    if (given && (!colon || colon == given))
        return message_usage(call, "found --user without a %s, expected USER:PASSWORD",
                             colon ? "user" : "password");
    list->logins = xcalloc(list->count + 1, sizeof *list->logins);
    for (size_t i = 0; i < list->count; i++) {
        take_from_url(list->urls[i], &list->logins[i]);
        if (list->logins[i].user || !given)
            continue;
        list->logins[i].user = xstrndup(given, (size_t)(colon - given));
        list->logins[i].password = xstrndup(colon + 1, strlen(colon + 1));
    }
    return EXIT_DONE;
}

void url_list_place(const struct url_list *list, size_t url, char *place, size_t size)
{
    const struct url_place *at = &list->places[url];
    if (at->file)
        (void)snprintf(place, size, "%s line %zu: ", at->file, at->line);
    else
        place[0] = '\0';
}

void url_list_done(struct url_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->urls[i]);
        if (list->logins) {
            free(list->logins[i].user);
            free(list->logins[i].password);
        }
    }
    free(list->logins);
    free(list->urls);
    free(list->places);
}
