/*
 * np_trace_*: a run in a trace file, with its collector. Floor 2; any thread.
 *
 * The port comes first: contexts of the net floor reach attach and detach through it
 * (lib/trace/producer.h) without knowing this floor. `control` is a second connection, for what
 * callers' threads write (rings, the end of the run); the collector's is its own.
 */
#include "clock.h"
#include "collector.h"
#include "db.h"
#include "fail.h"
#include "producer.h"
#include "random.h"
#include "recover.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NP_LEAST_SLOTS     1024u
#define NP_MOST_SLOTS      (4u * 1024 * 1024)
#define NP_LABEL_KEY_MAX   64
#define NP_LABEL_VALUE_MAX 1024

struct np_trace {
    np_trace_port port;
    char *path; /* absolute */
    np_run run;
    np_redaction redaction;
    char **redact_names; /* redact_names[redaction.name_count]: what redaction.names points to */
    np_detail detail;
    uint32_t ring_slots;
    pthread_mutex_t control_lock; /* for `control` and `first_process_used` */
    sqlite3 *control;
    bool first_process_used;
    np_collector *collector;
};

/* ------------------------------------------------------------------------------------------------------------- options */

static np_status check_labels(const np_trace_options *options, np_error *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    for (size_t i = 0; i < options->label_count; i++) {
        const np_label *label = &options->labels[i];
        if (!label->key || !label->value)
            return np_fail(err, NP_E_ARGUMENT_NULL, "label %zu has no %s", i + 1,
                           label->key ? "value" : "key");
        const size_t length = strlen(label->key);
        if (length == 0 || length > NP_LABEL_KEY_MAX || strspn(label->key, allowed) != length)
            return np_fail(err, NP_E_ARGUMENT,
                           "label key '%s': expected 1 to %d of A-Z a-z 0-9 _ . -", label->key,
                           NP_LABEL_KEY_MAX);
        if (strlen(label->value) > NP_LABEL_VALUE_MAX)
            return np_fail(err, NP_E_ARGUMENT_RANGE,
                           "the value of label %s has %zu bytes, at most %d are kept", label->key,
                           strlen(label->value), NP_LABEL_VALUE_MAX);
    }
    return NP_OK;
}

static np_status check_options(const np_trace_options *options, np_error *err)
{
    const uint32_t slots = options->ring_slots;
    if (slots && (slots < NP_LEAST_SLOTS || slots > NP_MOST_SLOTS || (slots & (slots - 1))))
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "a ring of %u events: expected a power of two, %u to %u", slots,
                       NP_LEAST_SLOTS, NP_MOST_SLOTS);
    if (options->lock_wait_ns < 0)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "a negative wait for the lock of a trace");
    if (options->detail_plus_1 > NP_DETAIL_WIRE + 1)
        return np_fail(err, NP_E_ARGUMENT_RANGE, "detail %u: expected 0 to %d",
                       options->detail_plus_1 - 1, NP_DETAIL_WIRE);
    if (options->argument_count && !options->arguments)
        return np_fail(err, NP_E_ARGUMENT_NULL, "a command line of %zu words, but no words",
                       options->argument_count);
    if (options->redact_count && !options->redact)
        return np_fail(err, NP_E_ARGUMENT_NULL, "%zu names to redact, but no names",
                       options->redact_count);
    for (size_t i = 0; i < options->redact_count; i++)
        if (!options->redact[i] || !options->redact[i][0])
            return np_fail(err, NP_E_ARGUMENT, "name %zu to redact is empty", i + 1);
    return check_labels(options, err);
}

/* The names are used until the last event of the last context: copies. */
static np_status take_redaction(np_trace *trace, const np_trace_options *options, np_error *err)
{
    trace->redaction.keep_query_values = options->keep_query_values;
    trace->redaction.keep_all = options->no_redaction;
    trace->redact_names = calloc(options->redact_count + 1, sizeof *trace->redact_names);
    if (!trace->redact_names)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a trace");
    trace->redaction.names = (const char *const *)trace->redact_names;
    for (size_t i = 0; i < options->redact_count; i++) {
        trace->redact_names[i] = strdup(options->redact[i]);
        if (!trace->redact_names[i])
            return np_fail(err, NP_E_NO_MEMORY, "no memory for a trace");
        trace->redaction.name_count++;
    }
    return NP_OK;
}

/* -------------------------------------------------------------------------------------------------- attach and detach */

static char *ring_path(const np_trace *trace)
{
    char name[37];
    np_random_uuid(name);
    char *path = NULL;
    return asprintf(&path, "%s-ring-%s", trace->path, name) < 0 ? NULL : path;
}

static np_status make_ring(np_trace *trace, np_trace_ring *ring, const char *path, np_error *err)
{
    const np_ring_options options = {.slot_count = trace->ring_slots};
    np_status status = np_ring_create(path, &options, &ring->ring, err);
    if (status)
        return status;
    const uint64_t slots = np_ring_slots(ring->ring);
    ring->text_bytes = slots * 16 > 1u << 20 ? slots * 16 : 1u << 20; /* as np_ring_options says */
    (void)pthread_mutex_lock(&trace->control_lock);
    int64_t process_id = trace->first_process_used ? 0 : trace->run.process_id;
    status = np_run_add_ring(trace->control, trace->run.run_id, &process_id, strrchr(path, '/') + 1,
                             np_ring_generation(ring->ring), &ring->row_id, err);
    if (!status)
        trace->first_process_used = true;
    (void)pthread_mutex_unlock(&trace->control_lock);
    if (status)
        return status;
    ring->assembly = np_assembly_create(ring->ring, trace->run.run_id, process_id,
                                        trace->run.unix_minus_mono, trace->detail);
    return ring->assembly ? NP_OK : np_fail(err, NP_E_NO_MEMORY, "no memory for a ring's requests");
}

static np_status attach(np_trace *trace, np_producer **out, np_error *err)
{
    *out = NULL;
    char *path = ring_path(trace);
    np_trace_ring *ring = calloc(1, sizeof *ring);
    np_status status = path && ring ? NP_OK : np_fail(err, NP_E_NO_MEMORY, "no memory for a ring");
    if (!status)
        status = make_ring(trace, ring, path, err);
    free(path);
    if (!status) {
        ring->producer = (np_producer){
            .ring = ring->ring, .detail = trace->detail, .redaction = &trace->redaction};
        np_collector_add(trace->collector, ring);
        *out = &ring->producer;
        return NP_OK;
    }
    if (ring && ring->ring) { /* a row without a file is marked closed by the next program that
                                 opens the trace */
        np_ring_unlink(ring->ring);
        np_ring_close(ring->ring);
    }
    free(ring);
    return status;
}

static void detach(np_trace *trace, np_producer *producer)
{
    if (!producer)
        return;
    np_ring_finish(producer->ring); /* from here on the collector may free the producer */
    np_collector_poke(trace->collector);
}

/* --------------------------------------------------------------------------------------------------- open and close */

static void free_trace(np_trace *trace)
{
    np_collector_done(trace->collector);
    free(trace->collector);
    np_db_close(trace->control);
    (void)pthread_mutex_destroy(&trace->control_lock);
    for (size_t i = 0; i < trace->redaction.name_count; i++)
        free(trace->redact_names[i]);
    free(trace->redact_names);
    free(trace->path);
    free(trace);
}

static np_status open_parts(np_trace *trace, const char *path, const np_trace_options *options,
                            np_error *err)
{
    np_recovery recovery = {0};
    np_collector *collector = trace->collector;
    np_status status = np_db_open(path, NP_DB_WRITE, options->lock_wait_ns, &trace->control, err);
    if (status)
        return status;
    trace->path = realpath(path, NULL);
    if (!trace->path)
        return np_fail_os(err, NP_E_OUTPUT, errno, "%s cannot be found again", path);
    status = np_recover_all(trace->path, trace->control, &recovery, err);
    if (!status)
        status = np_db_open(path, NP_DB_WRITE, options->lock_wait_ns, &collector->db, err);
    if (!status)
        status = np_writer_create(collector->db, &collector->writer, err);
    if (!status)
        status = np_run_begin(trace->control, options, &trace->run, err);
    if (status)
        return status;
    collector->file = np_trace_file_open(trace->path);
    collector->run_id = trace->run.run_id;
    collector->counters.recovered = recovery.requests;
    return np_collector_start(collector, err);
}

np_status np_trace_open(const char *path, const np_trace_options *options, np_trace **out,
                        np_error *err)
{
    *out = NULL;
    np_trace_options own = NP_TRACE_OPTIONS_INIT;
    if (options)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    if (!path)
        return np_fail(err, NP_E_ARGUMENT_NULL, "a trace needs a file name");
    np_status status = check_options(&own, err);
    if (status)
        return status;
    np_trace *trace = calloc(1, sizeof *trace);
    np_collector *collector = calloc(1, sizeof *collector);
    if (!trace || !collector) {
        free(trace);
        free(collector);
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a trace");
    }
    trace->collector = collector;
    collector->file.fd = -1;
    trace->port = (np_trace_port){.attach = attach, .detach = detach};
    trace->detail = own.detail_plus_1 ? (np_detail)(own.detail_plus_1 - 1) : NP_DETAIL_SPANS;
    trace->ring_slots = own.ring_slots;
    (void)pthread_mutex_init(&trace->control_lock, NULL); /* default one: cannot fail on Linux */
    status = take_redaction(trace, &own, err);
    if (!status)
        status = open_parts(trace, path, &own, err);
    if (status) {
        free_trace(trace);
        return status;
    }
    *out = trace;
    return NP_OK;
}

np_status np_trace_flush(np_trace *trace, np_error *err)
{
    return np_collector_flush(trace->collector, err);
}

np_status np_trace_health(const np_trace *trace, np_error *err)
{
    return np_collector_health(trace->collector, err);
}

void np_trace_counters_get(const np_trace *trace, np_trace_counters *out)
{
    np_trace_counters now;
    np_collector_counters(trace->collector, &now);
    const size_t size = out->size < sizeof now ? out->size : sizeof now;
    now.size = out->size;
    memcpy(out, &now, size);
}

np_status np_trace_close(np_trace *trace, int exit_status, np_error *err)
{
    if (!trace)
        return NP_OK;
    np_status status = np_collector_stop(trace->collector, err);
    if (!status)
        status = np_run_end(trace->control, trace->run.run_id, exit_status, err);
    np_trace_file gone = trace->collector->file;
    const bool is_gone = np_trace_file_state(&gone) != NP_FILE_THERE;
    if (!status)
        status = np_trace_file_keep(&gone, trace->control, err);
    np_error earlier;
    if (!status && np_collector_health(trace->collector, &earlier)) {
        np_trace_counters counters;
        np_collector_counters(trace->collector, &counters);
        if (counters.dropped) { /* it came back in time to store the rest, but not all */
            status = earlier.status;
            if (err)
                *err = earlier;
        }
    }
    /* Moves the WAL into the file without waiting for readers; the last connection that is closed
     * does it anyway. */
    (void)sqlite3_exec(trace->control, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
    char *path = trace->path;
    trace->path = NULL;
    free_trace(trace);
    gone.path = path;
    if (is_gone)
        np_trace_file_clear(&gone);
    free(path);
    return status;
}
