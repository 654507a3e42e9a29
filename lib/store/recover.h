/*
 * Bringing in the rings that killed programs left beside a trace, each event exactly once. Floor 2.
 *
 * A ring whose owner lives is locked and left alone; so is a file that is no ring of this trace, or
 * damaged: it is named in np_recovery. Two programs that recover at the same time do not double
 * anything: the lock on the ring lets one in, and what it did is looked at again inside the
 * transaction.
 */
#ifndef NP_STORE_RECOVER_H
#define NP_STORE_RECOVER_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <stdint.h>

typedef struct np_recovery {
    uint64_t rings;         /* brought in, or marked closed because their file is gone */
    uint64_t requests;      /* rows that were written */
    uint64_t foreign;       /* files left alone */
    char foreign_file[512]; /* the first of them, with the reason */
} np_recovery;

/* For writers: `db` was opened with NP_DB_WRITE for `path`. `out` may be NULL. NP_E_OUTPUT when the
 * trace cannot be written. */
np_status np_recover_all(const char *path, sqlite3 *db, np_recovery *out, np_error *err);

/* For readers: looks through `read_db` whether there is a left-over ring, and only then opens the
   trace for writing. A folder or file that cannot be written, or a trace that stays locked, is no
   failure: what is there can be read all the same. `out` may be NULL. */
np_status np_recover_for_reading(const char *path, sqlite3 *read_db, np_recovery *out,
                                 np_error *err);

#endif
