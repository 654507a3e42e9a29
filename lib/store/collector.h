/*
 * The collector: one thread a trace that turns events into rows, a transaction a drain. Floor 2.
 *
 * It sleeps between drains and never spins on a ring: 5 ms while much comes, 20 ms while something
 * does, up to 50 ms when nothing does. Flush, detach and stop wake it. When the file cannot be
 * written it tries again each second; meanwhile the rings fill, then drop and count. A producer
 * never waits for it.
 */
#ifndef NP_STORE_COLLECTOR_H
#define NP_STORE_COLLECTOR_H

#include "assemble.h"
#include "producer.h"
#include "trace_file.h"
#include "writer.h"
#include <pthread.h>

/* A ring that this trace fills. Made by attach, freed by the collector once everything in it is
 * stored. */
typedef struct np_trace_ring {
    struct np_trace_ring *next;
    np_producer producer; /* what the context has */
    np_ring *ring;
    np_assembly *assembly;
    int64_t row_id;
    uint64_t text_bytes; /* size of its ring of bytes */
    /* the collector's */
    uint64_t read;                        /* position up to which its events were taken in */
    uint64_t consumed;                    /* … up to which the file says so */
    uint64_t next_consumed, next_dropped; /* in the transaction that is being written */
    uint64_t dropped;                     /* as the file says */
    uint64_t events;                      /* of the assembly, as counted so far */
    bool finished;                        /* the producer has left, and everything was read */
    bool changed;                         /* its row moves in this transaction */
} np_trace_ring;

typedef struct np_collector {
    sqlite3 *db; /* owned */
    np_trace_file file; /* owned */
    np_writer *writer;
    int64_t run_id;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* for what follows; held for a few lines, never while SQLite works */
    pthread_cond_t wake;  /* something for the collector */
    pthread_cond_t moved; /* something for who waits in np_collector_flush */
    np_trace_ring *rings; /* new ones come in front; only the collector takes out */
    uint64_t flush_asked, flush_done;
    bool stopping, poked, stopped;
    np_error failure; /* the first one; status NP_OK: none */
    np_trace_counters counters;
} np_collector;

np_status np_collector_start(np_collector *collector,
                             np_error *err); /* db, run_id are set, the rest is 0 */
void np_collector_add(np_collector *collector, np_trace_ring *ring); /* moved. Any thread */
void np_collector_poke(np_collector *collector);                     /* any thread */
np_status
np_collector_flush(np_collector *collector,
                   np_error *err); /* waits until all pushed before is stored; any thread */
np_status np_collector_health(np_collector *collector, np_error *err);       /* any thread */
void np_collector_counters(np_collector *collector, np_trace_counters *out); /* any thread */

/* Stores what is left and joins the thread. Rings that could not be stored keep their files. */
np_status np_collector_stop(np_collector *collector, np_error *err);
void np_collector_done(np_collector *collector); /* after stop, or instead of start */

#endif
