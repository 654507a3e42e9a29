/* A folder of a test's own, removed with everything in it at the end. For tests. */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes the folder and puts PATH/name into out[size]. */
static inline void folder_make(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, size, "%s/netphase-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(out))
        abort();
}

/* How many files in it have `part` in their names; "" counts all. */
static inline int folder_count(const char *folder, const char *part)
{
    int count = 0;
    DIR *files = opendir(folder);
    for (struct dirent *entry; files && (entry = readdir(files));)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    if (files)
        (void)closedir(files);
    return count;
}

static inline void folder_remove(const char *folder)
{
    DIR *files = opendir(folder);
    for (struct dirent *entry; files && (entry = readdir(files));) {
        char name[1024];
        (void)snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        (void)unlink(name);
    }
    if (files)
        (void)closedir(files);
    (void)rmdir(folder);
}

#endif
