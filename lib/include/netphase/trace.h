/**
 * Recording: a trace is a SQLite file that any number of programs may record into and read at the
 * same time.
 *
 * A trace is opened, given to one or more contexts (np_context_options.trace) and closed after
 * them. Each context fills a ring in a shared file mapping beside the trace (`FILE-ring-…`); one
 * collector thread a trace turns the events into rows, in one transaction a batch. What was pushed
 * before a process was killed is brought in by the next np_trace_open or np_store_open of that
 * file, exactly once.
 */
#ifndef NETPHASE_TRACE_H
#define NETPHASE_TRACE_H

#include <netphase/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct np_trace np_trace;

/** How much to keep. The values are stored in traces. */
typedef enum np_detail {
    NP_DETAIL_PHASES = 0, /* a row a request */
    NP_DETAIL_SPANS = 1,  /* … and lookups, attempts, handshakes (the default) */
    NP_DETAIL_HEADERS = 2, /* … and header fields, redacted */
    NP_DETAIL_WIRE = 3     /* … and up to 1 KiB of what each read and write carried, bodies too */
} np_detail;

typedef struct np_label {
    const char *key;   /* 1 … 64 bytes of [A-Za-z0-9_.-] */
    const char *value; /* up to 1,024 bytes */
} np_label;

typedef struct np_trace_options {
    size_t size;                  /* sizeof(np_trace_options); set by the initialiser */
    const char *tool;             /* copied; NULL: "libnetphase VERSION" */
    const char *const *arguments; /* arguments[argument_count], copied: the command line of this
                                     run. Credentials, user info and query values are redacted
                                     before it is stored (np_redact_argument) */
    size_t argument_count;
    const np_label *labels; /* labels[label_count], copied */
    size_t label_count;
    uint32_t ring_slots;  /* events a ring holds, a power of two, 1,024 … 4,194,304; 0: 65,536 */
    int64_t lock_wait_ns; /* how long to wait for another writer; 0: 5 s */
    bool keep_query_values; /* true: query values are stored as they are (the default replaces them
                               by *) */
    /* detail + 1, so that 0 means the default (NP_DETAIL_SPANS) */
    uint32_t detail_plus_1;
    /* redact[redact_count], copied: header fields and query parameters whose values are stored as *
     * besides the usual ones; case does not count */
    const char *const *redact;
    size_t redact_count;
    /* true: header and query values are stored as they are, but for those that `redact` names.
     * Passwords in URLs and on the command line are not stored all the same */
    bool no_redaction;
} np_trace_options;
#define NP_TRACE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(np_trace_options)                                                           \
    }

/** What has been recorded so far by this np_trace, all contexts together. */
typedef struct np_trace_counters {
    size_t size;        /* sizeof(np_trace_counters); set by the caller */
    int64_t run_id;     /* the row of `run` this np_trace made */
    uint64_t requests;  /* finished and stored */
    uint64_t failed;    /* of these, with an outcome other than ok */
    uint64_t events;    /* consumed */
    uint64_t dropped;   /* lost in full rings, or because the file could not be written */
    uint64_t recovered; /* requests brought in from left-over rings at open */
} np_trace_counters;
#define NP_TRACE_COUNTERS_INIT                                                                     \
    {                                                                                              \
        .size = sizeof(np_trace_counters)                                                          \
    }

/**
 * Opens a trace for recording; makes the file (mode 0600) where there is none, and starts a new run
 * in it.
 *
 * @param path     the file; its folder must be writable, since rings, WAL and shared memory lie
 * beside it
 * @param options  NULL: all defaults
 * @param out      [out] owned: close with np_trace_close
 * @return NP_E_INPUT when the file is not a trace, is damaged or has a newer schema; NP_E_OUTPUT
 * when it cannot be written: no permission, disk full, locked for longer than lock_wait_ns
 *
 * Any thread. Left-over rings of killed programs are brought in before it returns.
 */
NP_API np_status np_trace_open(const char *path, const np_trace_options *options, np_trace **out,
                               np_error *err);

/**
 * Waits until everything that was pushed before the call is in the file.
 *
 * @return NP_E_OUTPUT when the file can no longer be written (also when that had happened earlier)
 *
 * Any thread but a callback of the library.
 */
NP_API np_status np_trace_flush(np_trace *trace, np_error *err);

/**
 * Says whether the trace can still be written. Recording never fails a request: what cannot be
 * stored is counted.
 *
 * @return NP_OK, or NP_E_OUTPUT with the first failure in `err`: also when the file was deleted,
 * moved or replaced, which is noticed within a tenth of a second
 *
 * Any thread; never waits.
 */
NP_API np_status np_trace_health(const np_trace *trace, np_error *err);

/** Copies the counters of a trace. Any thread; never waits for the collector. */
NP_API void np_trace_counters_get(const np_trace *trace, np_trace_counters *out);

/**
 * Ends the run and closes the trace. All contexts that use it must have been freed.
 *
 * @param trace        NULL is allowed
 * @param exit_status  stored in `run.exit_status`; -1: not known
 * @return NP_E_OUTPUT when the last events could not be stored, or the file is not where it was; the
 * trace is closed all the same
 *
 * What was recorded into a file that was moved is in it, under its new name. Of one that was deleted
 * or replaced a copy is made beside it, "FILE.kept" or "FILE.kept-2" …; `err` (layer "os", code
 * ESTALE) names it.
 *
 * Any thread.
 */
NP_API np_status np_trace_close(np_trace *trace, int exit_status, np_error *err);

#ifdef __cplusplus
}
#endif
#endif
