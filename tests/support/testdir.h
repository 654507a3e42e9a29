/* A temporary folder that belongs to one test, and is removed with everything in it. For Criterion
   tests and plain programs alike. np_testdir dir; testdir_make(&dir); … testdir_path(&dir, "a.db")
   … testdir_remove(&dir); */
#ifndef NP_TESTDIR_H
#define NP_TESTDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct np_testdir {
    char path[256];
    char room[4][512]; /* what testdir_path gives out: good until the fourth call after it */
    unsigned next;
} np_testdir;

static inline void testdir_make(np_testdir *dir)
{
    const char *const base = getenv("TMPDIR");
    memset(dir, 0, sizeof *dir);
    snprintf(dir->path, sizeof dir->path, "%s/netphase-test-XXXXXX",
             base && base[0] ? base : "/tmp");
    if (!mkdtemp(dir->path)) {
        perror(dir->path);
        abort();
    }
}

static inline const char *testdir_path(np_testdir *dir, const char *name)
{
    char folder[sizeof dir->path]; /* a copy: the compiler sees both ends of the print in one object
                                    */
    memcpy(folder, dir->path, sizeof folder);
    char *const path = dir->room[dir->next++ % 4];
    snprintf(path, sizeof dir->room[0], "%s/%s", folder, name);
    return path;
}

static inline int testdir_remove_entry(const char *path, const struct stat *status, int type,
                                       struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void testdir_remove(np_testdir *dir)
{
    if (dir->path[0])
        nftw(dir->path, testdir_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    dir->path[0] = '\0';
}

#endif
