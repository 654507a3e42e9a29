/* Every write, sync and truncation fails once, or from then on: a proper status, and what was
 * stored stays whole. */
#include "clock.h"
#include "db.h"
#include "failing_vfs.h"
#include "folder.h"
#include "producer.h"
#include "trace_query.h"

#include <criterion/criterion.h>

static char folder[256];
static char path[300];

static void setup(void)
{
    failing_vfs_install();
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
}

static void teardown(void)
{
    folder_remove(folder);
}

TestSuite(store_faults, .init = setup, .fini = teardown);

static void push_requests(np_producer *producer, uint32_t from, uint32_t to)
{
    const np_text_ref word = np_producer_word(producer, "GET", 3);
    for (uint32_t i = from; i <= to; i++) {
        np_emit(producer, &(np_event){
                              .time_ns = np_now(),
                              .request = i,
                              .type = NP_EVENT_REQUEST_BEGIN,
                              .word = {word, word, word}
        });
        np_emit(producer,
                &(np_event){
                    .time_ns = np_now(), .request = i, .type = NP_EVENT_REQUEST_END, .word = {0}});
    }
}

/* Opens, records 300 requests in three flushes, closes; the first failure, or NP_OK. */
static np_status record(np_error *err)
{
    np_trace *trace;
    np_producer *producer;
    const np_trace_options options = {
        .size = sizeof options, .ring_slots = 2048, .lock_wait_ns = 100 * NP_NS_PER_MS};
    np_status status = np_trace_open(path, &options, &trace, err);
    if (status)
        return status;
    status = np_producer_attach(trace, &producer, err);
    for (uint32_t i = 0; i < 3 && !status; i++) {
        push_requests(producer, i * 100 + 1, i * 100 + 100);
        status = np_trace_flush(trace, err);
    }
    np_producer_detach(trace, producer);
    const np_status closed = np_trace_close(trace, 0, status ? NULL : err);
    return status ? status : closed;
}

static void is_whole(int after)
{
    char text[256];
    if (query_int(path, "SELECT count(*) FROM sqlite_schema") == 0)
        return; /* failed before there was a schema */
    cr_assert_str_eq(query_text(path, "PRAGMA integrity_check", text, sizeof text), "ok",
                     "after %d", after);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM problems"), 0, "after %d: %s", after,
                 query_text(path, "SELECT problem FROM problems", text, sizeof text));
    cr_assert_eq(
        query_int(path,
                  "SELECT count(*) - count(DISTINCT process_id || '/' || number) FROM request"),
        0, "after %d: doubled", after);
}

/* Fails the 1st, 2nd, 3rd … operation until a recording passes untouched. */
static void fail_each(int times, int rc)
{
    for (int after = 1;; after += after < 60 ? 1 : 7) {
        np_error err = {0};
        failing_vfs_fail(after, times, rc);
        const np_status status = record(&err);
        const int failures = failing_vfs_failures();
        failing_vfs_fail(0, 0, 0);
        cr_assert(status == NP_OK || status == NP_E_OUTPUT, "after %d: status %d, %s (%s)", after,
                  status, err.text, err.cause);
        cr_assert(status == NP_OK || err.text[0], "after %d: a text", after);
        if (access(path, F_OK) == 0)
            is_whole(after);

        np_error again = {0};
        const int64_t before =
            access(path, F_OK) == 0 && query_int(path, "SELECT count(*) FROM sqlite_schema")
                ? query_int(path, "SELECT count(*) FROM request")
                : 0;
        cr_assert_eq(record(&again), NP_OK, "after %d: %s (%s)", after, again.text, again.cause);
        is_whole(after);
        cr_assert_geq(query_int(path, "SELECT count(*) FROM request"), before + 300, "after %d",
                      after);
        cr_assert_eq(query_int(path, "SELECT count(*) FROM ring WHERE closed = 0"), 0, "after %d",
                     after);
        cr_assert_eq(folder_count(folder, "-ring-"), 0, "after %d: a ring is left", after);
        teardown();
        setup();
        if (failures == 0)
            return;
        cr_assert_lt(after, 2000, "the end is never reached");
    }
}

Test(store_faults, a_disk_that_fills_up_is_told_and_nothing_is_lost, .timeout = 250)
{
    fail_each(1000000, SQLITE_FULL);
}

Test(store_faults, one_failing_write_is_told_and_nothing_is_lost, .timeout = 250)
{
    fail_each(1, SQLITE_IOERR_WRITE);
}
