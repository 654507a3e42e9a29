/* The file that is recorded into; see trace_file.h. Floor 2. */
#include "trace_file.h"

#include "db_statement.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPIES_MAX = 100 };

static const char *const beside[2] = {"-wal", "-shm"};

/* The inode of "PATH-wal" or "PATH-shm"; 0: there is none. */
static ino_t inode_beside(const char *path, int which, char *name, size_t size)
{
    struct stat info;
    const int length = snprintf(name, size, "%s%s", path, beside[which]);
    return length > 0 && (size_t)length < size && stat(name, &info) == 0 ? info.st_ino : 0;
}

np_trace_file np_trace_file_open(const char *path)
{
    char name[PATH_MAX + 8];
    np_trace_file file = {.path = path, .fd = open(path, O_PATH | O_CLOEXEC)};
    for (int i = 0; i < 2; i++)
        file.beside[i] = inode_beside(path, i, name, sizeof name);
    return file;
}

void np_trace_file_clear(const np_trace_file *file)
{
    char name[PATH_MAX + 8];
    for (int i = 0; i < 2; i++)
        if (file->beside[i] && inode_beside(file->path, i, name, sizeof name) == file->beside[i])
            (void)unlink(name); /* what stays is told by whoever opens it */
}

void np_trace_file_close(np_trace_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd); /* nothing was written through it */
    file->fd = -1;
}

np_file_state np_trace_file_state(const np_trace_file *file)
{
    struct stat ours, there;
    if (file->fd < 0 || fstat(file->fd, &ours) != 0)
        return NP_FILE_THERE;
    if (ours.st_nlink == 0)
        return NP_FILE_DELETED;
    if (stat(file->path, &there) != 0)
        return errno == ENOENT || errno == ENOTDIR ? NP_FILE_MOVED : NP_FILE_THERE;
    return there.st_ino == ours.st_ino && there.st_dev == ours.st_dev ? NP_FILE_THERE
                                                                      : NP_FILE_MOVED;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static np_status fail(np_error *err, const np_trace_file *file, np_file_state state,
                      const char *where)
{
    return np_fail_layer(err, NP_E_OUTPUT, "os", ESTALE, "",
                         "%.60s was %s while it was recorded into%s%s", name_of(file->path),
                         state == NP_FILE_MOVED ? "moved" : "deleted",
                         *where ? "; what was recorded is in " : "", where);
}

np_status np_trace_file_check(const np_trace_file *file, np_error *err)
{
    const np_file_state state = np_trace_file_state(file);
    return state == NP_FILE_THERE ? NP_OK : fail(err, file, state, "");
}

/* ---------------------------------------------------------------------------------------------------------------- keep */

/* An empty file of a name that nothing has: "trace.db.kept", "trace.db.kept-2" … */
static bool make_copy_file(const char *path, char *out, size_t size)
{
    for (int i = 1; i <= COPIES_MAX; i++) {
        const int length = i == 1 ? snprintf(out, size, "%s.kept", path)
                                  : snprintf(out, size, "%s.kept-%d", path, i);
        if (length < 0 || (size_t)length >= size)
            return false;
        const int fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            (void)close(fd); /* nothing was written */
            return true;
        }
        if (errno != EEXIST)
            return false;
    }
    return false;
}

/* VACUUM INTO attaches the copy, which connections of ours may not do otherwise. */
static np_status copy_into(sqlite3 *db, const char *path, np_error *err)
{
    sqlite3_stmt *statement = NULL;
    const int allowed = sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 1);
    np_status status = np_db_prepare(db, "VACUUM INTO ?1", &statement, err);
    if (!status) {
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        const int rc = sqlite3_step(statement);
        if (rc != SQLITE_DONE)
            status = np_db_fail(err, db, rc, 1, "it cannot be copied");
    }
    (void)sqlite3_finalize(statement); /* repeats the failure of the step */
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, allowed);
    return status;
}

np_status np_trace_file_keep(const np_trace_file *file, sqlite3 *db, np_error *err)
{
    const np_file_state state = np_trace_file_state(file);
    char place[PATH_MAX + 32];
    char link[64];
    if (state == NP_FILE_THERE)
        return NP_OK;
    if (state == NP_FILE_MOVED) {
        /* SQLite does not do it when a moved file is closed */
        (void)sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file->fd);
        const ssize_t length = readlink(link, place, sizeof place - 1);
        place[length > 0 ? length : 0] = '\0';
        return fail(err, file, state, name_of(place));
    }
    if (!make_copy_file(file->path, place, sizeof place))
        return fail(err, file, state, "");
    np_error copying = {0};
    if (copy_into(db, place, &copying)) {
        (void)unlink(place); /* ours, and of no use */
        return fail(err, file, state, "");
    }
    return fail(err, file, state, name_of(place));
}
