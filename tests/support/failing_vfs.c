/* The failing VFS; see failing_vfs.h. Files are wrapped: our methods in front, the real file
 * behind. */
#include "failing_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

struct failing_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static _Atomic int countdown, budget, code, failures;
static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;

static int fails(void)
{
    if (atomic_load(&budget) <= 0 || atomic_fetch_sub(&countdown, 1) > 1)
        return SQLITE_OK;
    if (atomic_fetch_sub(&budget, 1) <= 0)
        return SQLITE_OK;
    (void)atomic_fetch_add(&failures, 1);
    return atomic_load(&code);
}

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct failing_file *)file)->real;
}

static int on_close(sqlite3_file *file)
{
    return real(file)->pMethods->xClose(real(file));
}
static int on_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at)
{
    return real(file)->pMethods->xRead(real(file), out, size, at);
}
static int on_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    const int rc = fails();
    return rc ? rc : real(file)->pMethods->xWrite(real(file), data, size, at);
}
static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    const int rc = fails();
    return rc ? SQLITE_IOERR_TRUNCATE : real(file)->pMethods->xTruncate(real(file), size);
}
static int on_sync(sqlite3_file *file, int flags)
{
    const int rc = fails();
    return rc ? SQLITE_IOERR_FSYNC : real(file)->pMethods->xSync(real(file), flags);
}
static int on_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real(file)->pMethods->xFileSize(real(file), size);
}
static int on_lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}
static int on_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}
static int on_check(sqlite3_file *file, int *out)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
static int on_control(sqlite3_file *file, int op, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), op, argument);
}
static int on_sector(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}
static int on_device(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
static int on_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
static void on_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}
static int on_shm_unmap(sqlite3_file *file, int drop)
{
    return real(file)->pMethods->xShmUnmap(real(file), drop);
}

static const sqlite3_io_methods methods = {
    2,           on_close,       on_read,      on_write,   on_truncate, on_sync,   on_size,
    on_lock,     on_unlock,      on_check,     on_control, on_sector,   on_device, on_shm_map,
    on_shm_lock, on_shm_barrier, on_shm_unmap, NULL,       NULL,
};

static int on_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
                   int *out_flags)
{
    (void)self;
    struct failing_file *ours = (struct failing_file *)file;
    memset(ours, 0, sizeof *ours);
    ours->real = (sqlite3_file *)(void *)(ours + 1);
    const int rc = real_vfs->xOpen(real_vfs, name, ours->real, flags, out_flags);
    if (ours->real->pMethods)
        ours->base.pMethods = &methods;
    return rc;
}

void failing_vfs_install(void)
{
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "failing";
    vfs.szOsFile = (int)sizeof(struct failing_file) + real_vfs->szOsFile;
    vfs.xOpen = on_open;
    (void)sqlite3_vfs_register(&vfs, 1);
}

void failing_vfs_fail(int after, int times, int rc)
{
    atomic_store(&budget, 0);
    atomic_store(&countdown, after);
    atomic_store(&code, rc);
    atomic_store(&failures, 0);
    atomic_store(&budget, times);
}

int failing_vfs_failures(void)
{
    return atomic_load(&failures);
}
