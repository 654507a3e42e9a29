/*
 * A small configuration file that is read again when it has changed. Floor 2.
 *
 * One stat a look: no watcher to keep, and a change is seen by the very next lookup. A file
 * rewritten in place within one tick of its file system's clock and with the same size is the one
 * case that is missed.
 */
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void np_text_file_init(np_text_file *file, const char *path)
{
    *file = (np_text_file){.path = path};
}

static char *read_whole(int fd, size_t *length)
{
    size_t capacity = 4096;
    char *text = malloc(capacity);
    *length = 0;
    while (text && *length < NP_TEXT_FILE_MAX) {
        if (*length + 1 == capacity) {
            capacity *= 2;
            char *grown = realloc(text, capacity);
            if (!grown) {
                free(text);
                return NULL;
            }
            text = grown;
        }
        const ssize_t n = read(fd, text + *length, capacity - *length - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        *length += (size_t)n;
    }
    if (text)
        text[*length] = '\0';
    return text;
}

bool np_text_file_changed(np_text_file *file, char **out, size_t *length)
{
    struct stat now;
    *out = NULL;
    *length = 0;
    const bool exists = stat(file->path, &now) == 0 && S_ISREG(now.st_mode);
    const bool same = exists && file->exists && now.st_ino == file->inode &&
                      now.st_size == file->size && now.st_mtim.tv_sec == file->changed.tv_sec &&
                      now.st_mtim.tv_nsec == file->changed.tv_nsec;
    if (file->looked && (same || (!exists && !file->exists)))
        return false;
    file->looked = true;
    file->exists = exists;
    if (!exists)
        return true;
    file->inode = now.st_ino;
    file->size = now.st_size;
    file->changed = now.st_mtim;
    const int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    *out = read_whole(fd, length);
    close(fd);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == '\0';
}

size_t np_text_word(const char **at, const char *end, bool semicolon)
{
    const char *p = *at;
    while (p < end && is_blank(*p))
        p++;
    *at = p;
    if (p < end && (*p == '#' || (semicolon && *p == ';')))
        return 0;
    while (p < end && !is_blank(*p) && *p != '#')
        p++;
    return (size_t)(p - *at);
}
