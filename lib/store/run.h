/* The rows that say who records: run, process, labels, clock, ring. Floor 2; any thread, with a
 * connection of its own. */
#ifndef NP_STORE_RUN_H
#define NP_STORE_RUN_H

#include <netphase/trace.h>
#include <sqlite3.h>

enum { NP_RUN_RECORDING, NP_RUN_CLOSED, NP_RUN_RECOVERED }; /* run.state */

typedef struct np_run {
    int64_t run_id;
    int64_t process_id;      /* for the first ring */
    int64_t unix_minus_mono; /* of the clock pair that was stored */
} np_run;

/* Makes the rows of a new run, in one transaction. */
np_status np_run_begin(sqlite3 *db, const np_trace_options *options, np_run *out, np_error *err);

/* Makes the row of a ring; with process_id 0 also a process row, since numbers are unique in a
 * process. */
np_status np_run_add_ring(sqlite3 *db, int64_t run_id, int64_t *process_id, const char *file,
                          const char *generation, int64_t *ring_id, np_error *err);

np_status np_run_end(sqlite3 *db, int64_t run_id, int exit_status, np_error *err);

#endif
