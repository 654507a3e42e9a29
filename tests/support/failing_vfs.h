/*
 * A SQLite VFS over the default one that fails the n-th write, sync or truncation from now on, as a
 * full or broken disk does. For tests; one process, all threads together.
 */
#ifndef FAILING_VFS_H
#define FAILING_VFS_H

void failing_vfs_install(void); /* becomes the default VFS; writes go through */

/* The `after`-th (1: the next) write or sync fails with `rc` (SQLITE_FULL, SQLITE_IOERR_WRITE …),
 * and all that follow, `times` in a row; 0: never. */
void failing_vfs_fail(int after, int times, int rc);

int failing_vfs_failures(void); /* since failing_vfs_fail */

#endif
