/*
 * Is the file that is recorded into still where it was? Floor 2. Any thread.
 *
 * SQLite goes on writing into a file that someone deleted, moved or replaced, and says nothing. A
 * descriptor that can neither read nor write (O_PATH) knows the file itself; closing it drops none
 * of the locks that SQLite's connections hold, as closing any other would.
 */
#ifndef NP_STORE_TRACE_FILE_H
#define NP_STORE_TRACE_FILE_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <sys/types.h>

typedef struct np_trace_file {
    const char *path; /* borrowed */
    int fd;           /* -1: not open, or it cannot be known */
    ino_t beside[2];  /* its write-ahead log and shared memory */
} np_trace_file;

typedef enum np_file_state {
    NP_FILE_THERE,
    NP_FILE_MOVED,  /* it has another name now */
    NP_FILE_DELETED /* it has none, whether or not there is another file of its name */
} np_file_state;

np_trace_file
np_trace_file_open(const char *path); /* after something was written: the log is there */
void np_trace_file_close(np_trace_file *file);

np_file_state np_trace_file_state(const np_trace_file *file);

/* NP_E_OUTPUT that says what happened to it; NP_OK where it is there. */
np_status np_trace_file_check(const np_trace_file *file, np_error *err);

/* Where it is not there, says where what was recorded is: under its new name; or, for a deleted
 * one, in a copy beside the place where it was, which is made here. `db` is a connection that still
 * has it open. */
np_status np_trace_file_keep(const np_trace_file *file, sqlite3 *db, np_error *err);

/* Removes the log and the shared memory that it left behind, after its connections were closed:
 * SQLite would take them for those of another file of its name. */
void np_trace_file_clear(const np_trace_file *file);

#endif
