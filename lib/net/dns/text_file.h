/* A small configuration file that is read again when it has changed: /etc/hosts, /etc/resolv.conf.
 * Floor 2; one thread at a time. */
#ifndef NP_NET_TEXT_FILE_H
#define NP_NET_TEXT_FILE_H

#include <netphase/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define NP_TEXT_FILE_MAX (4u * 1024 * 1024) /* bytes; what lies behind is not read */

typedef struct np_text_file {
    const char *path; /* borrowed */
    bool exists;      /* at the last look */
    bool looked;
    struct timespec changed; /* modification time, inode and size of what was read */
    ino_t inode;
    off_t size;
} np_text_file;

void np_text_file_init(np_text_file *file, const char *path);
/* true: it is new, has changed or is gone since the last call, and *out is its text (owned, free();
 * NUL-terminated; NULL where it cannot be read). */
bool np_text_file_changed(np_text_file *file, char **out, size_t *length);

/* One word of a line: skips blanks, returns its length, 0 at the end of the line or at a comment
 * ('#', also ';' when `semicolon`). */
size_t np_text_word(const char **at, const char *end, bool semicolon);

#endif
