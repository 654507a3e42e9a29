/*
 * From an np_assembly to rows, a transaction at a time. Floor 2; one thread, one connection. The
 * collector and recovery write with it.
 *
 *     np_writer_begin … np_writer_store (each ring) … np_writer_ring (each ring) … np_writer_commit
 *
 * Every call may fail; then np_writer_rollback and np_assembly_rolled_back, and the same may be
 * written again.
 */
#ifndef NP_STORE_WRITER_H
#define NP_STORE_WRITER_H

#include "assemble.h"
#include <netphase/status.h>
#include <sqlite3.h>

typedef struct np_writer np_writer;

/* What one call of np_writer_store has written of requests of purpose 0: what `run` counts. */
typedef struct np_written {
    uint64_t requests, failed;
} np_written;

np_status np_writer_create(sqlite3 *db, np_writer **out, np_error *err); /* `db` is borrowed */
void np_writer_free(np_writer *writer); /* before its connection is closed; NULL allowed */

np_status np_writer_begin(
    np_writer *writer,
    np_error *err); /* NP_E_OUTPUT when another writer holds the file past the busy time-out */

/* Writes everything that is ready in `assembly`; `read` is the position up to which its ring was
 * read. Adds to `written`. */
np_status np_writer_store(np_writer *writer, np_assembly *assembly, uint64_t read,
                          np_written *written, np_error *err);

/* Moves `consumed` of a ring. */
np_status np_writer_ring(np_writer *writer, int64_t ring_id, uint64_t consumed, uint64_t dropped,
                         bool closed, np_error *err);

/* Adds to the counters of a run. */
np_status np_writer_run(np_writer *writer, int64_t run_id, const np_written *written,
                        uint64_t dropped, np_error *err);

np_status np_writer_commit(np_writer *writer,
                           np_error *err); /* also makes the column chunks that are due */
void np_writer_rollback(np_writer *writer);

#endif
