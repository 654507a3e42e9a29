/* Programs that are killed while they record: every event they pushed is in the trace once. */
#include "clock.h"
#include "db.h"
#include "folder.h"
#include "random.h"
#include "recover.h"
#include "trace_builder.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SLOTS 1024

static char folder[256];
static char path[300];

/* What the recording child says, in memory that outlives it. */
struct announced {
    _Atomic uint32_t begun; /* numbers 1 … begun were pushed, at least their beginning */
    _Atomic uint32_t finished_count;
    uint32_t finished[200000];
};
static struct announced *announced;

static void setup(void)
{
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
    announced =
        mmap(NULL, sizeof *announced, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void teardown(void)
{
    folder_remove(folder);
    munmap(announced, sizeof *announced);
}

TestSuite(recover, .init = setup, .fini = teardown);

static void announce(uint32_t number)
{
    const uint32_t count = atomic_load_explicit(&announced->finished_count, memory_order_relaxed);
    announced->finished[count] = number;
    atomic_store_explicit(&announced->finished_count, count + 1, memory_order_release);
}

/* Records until it is killed. Every ninth request stays open while 1,500 others pass: it is
 * spilled. */
static void record_for_ever(void)
{
    const np_trace_options options = {.size = sizeof options, .ring_slots = SLOTS};
    const struct built_span spans[] = {
        {NP_PHASE_DNS, NP_SPAN_QUERY, "A h", 0, 100, NP_SPAN_OK, "{\"a\":1}"}
    };
    struct trace_builder *builder = trace_builder_open(path, &options);
    uint32_t open[256] = {0};
    for (uint32_t i = 0; i < 150000; i++) {
        struct built_request request = {
            .path = "/a",
            .status = 200,
            .phase_ns = {1, 0, 20, 30, 0, 0, 4, 5, 6},
            .fresh = i % 50 == 0
        };
        if (!request.fresh)
            request.phase_ns[NP_PHASE_DNS] = request.phase_ns[NP_PHASE_CONNECT] = 0;
        request.spans = spans;
        request.span_count = i % 3 == 0;
        request.unfinished = i % 9 == 0;
        if (request.unfinished)
            request.phase_ns[NP_PHASE_RECEIVE] = 0; /* it comes at the end */
        const uint32_t number = trace_builder_add(builder, &request);
        atomic_store_explicit(&announced->begun, number, memory_order_release);
        if (!request.unfinished) {
            announce(number);
            continue;
        }
        uint32_t *slot = &open[i / 9 % 256];
        if (*slot) {
            trace_builder_end(builder, *slot, 7);
            announce(*slot);
        }
        *slot = number;
    }
    _exit(0);
}

static pid_t start(void (*run)(void))
{
    const pid_t pid = fork();
    if (pid == 0) {
        run();
        _exit(0);
    }
    return pid;
}

static void kill_and_wait(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void wait_for_requests(uint32_t count)
{
    const uint64_t deadline = np_now() + 60 * NP_NS_PER_S;
    while (atomic_load_explicit(&announced->finished_count, memory_order_acquire) < count)
        cr_assert_lt(np_now(), deadline, "the recording child does not get on");
}

/* Lets a child record `count` requests and a random bit more, and kills it. */
static void record_and_kill(np_random *random, uint32_t count)
{
    const pid_t pid = start(record_for_ever);
    wait_for_requests(count);
    for (uint64_t spins = np_random_below(random, 2000000); spins > 0; spins--)
        __asm__ volatile("");
    kill_and_wait(pid);
}

static void open_and_close(void)
{
    np_trace *trace;
    np_error err = {0};
    if (np_trace_open(path, NULL, &trace, &err)) {
        (void)fprintf(stderr, "open: %s (%s)\n", err.text, err.cause);
        _exit(9);
    }
    (void)np_trace_close(trace, 0, NULL);
}

/* Everything the child of run 1 announced is there once, and nothing twice. */
static void check_exactly_once(uint64_t seed)
{
    char text[256];
    cr_assert_eq(query_int(path, "SELECT count(*) FROM problems"), 0, "seed %llu: %s",
                 (unsigned long long)seed,
                 query_text(path, "SELECT problem || ' ' || id FROM problems", text, sizeof text));
    cr_assert_eq(
        query_int(path, "SELECT count(*) - count(DISTINCT number) FROM request WHERE run_id = 1"),
        0, "seed %llu: doubled", (unsigned long long)seed);
    const uint32_t begun = atomic_load(&announced->begun);
    const int64_t rows = query_int(path, "SELECT count(*) FROM request WHERE run_id = 1");
    cr_assert(rows == begun || rows == begun + 1, "seed %llu: %lld rows for %u requests",
              (unsigned long long)seed, (long long)rows, begun);

    sqlite3 *db;
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db,
                                    "SELECT number, outcome, coalesce(span_count, 0) FROM request "
                                    "LEFT JOIN request_more USING (id) WHERE run_id = 1",
                                    -1, &statement, NULL),
                 SQLITE_OK);
    uint8_t *outcome = malloc(begun + 2);
    memset(outcome, 255, begun + 2);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const uint32_t number = (uint32_t)sqlite3_column_int64(statement, 0);
        outcome[number] = (uint8_t)sqlite3_column_int(statement, 1);
        if (outcome[number] == NP_OUTCOME_OK)
            cr_assert_eq(sqlite3_column_int(statement, 2), (number - 1) % 3 == 0,
                         "seed %llu: spans of %u", (unsigned long long)seed, number);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    for (uint32_t i = 0; i < atomic_load(&announced->finished_count); i++)
        cr_assert_eq(outcome[announced->finished[i]], NP_OUTCOME_OK,
                     "seed %llu: request %u was finished, outcome %u", (unsigned long long)seed,
                     announced->finished[i], outcome[announced->finished[i]]);
    free(outcome);

    cr_assert_eq(query_int(path, "SELECT count(*) FROM running"), 0);
    cr_assert_eq(query_int(path, "SELECT state FROM run WHERE id = 1"), 2);
    cr_assert_eq(query_int(path, "SELECT requests - (SELECT count(*) FROM request WHERE run_id = "
                                 "1) FROM run WHERE id = 1"),
                 0);
    cr_assert_eq(query_int(path, "SELECT failed - (SELECT count(*) FROM request WHERE run_id = 1 "
                                 "AND outcome <> 0) FROM run WHERE id = 1"),
                 0);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM ring WHERE closed = 0"), 0);
    cr_assert_eq(
        query_int(path,
                  "SELECT count(*) - count(DISTINCT number) FROM connection WHERE run_id = 1"),
        0, "seed %llu: connections doubled", (unsigned long long)seed);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request r LEFT JOIN connection c ON c.id = "
                                 "r.connection_id WHERE r.outcome = 0 AND c.id IS NULL"),
                 0);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM span s LEFT JOIN request r ON r.id = "
                                 "s.request_id WHERE r.id IS NULL"),
                 0, "seed %llu: spans of nothing", (unsigned long long)seed);
    cr_assert_eq(folder_count(folder, "-ring-"), 0);
}

static uint64_t seed_of_test(np_random *random)
{
    uint64_t seed;
    np_random_bytes(&seed, sizeof seed);
    np_random_seed(random, seed);
    return seed;
}

Test(recover, a_program_killed_at_any_instant_loses_and_doubles_nothing, .timeout = 200)
{
    np_random random;
    const uint64_t seed = seed_of_test(&random);
    for (int round = 0; round < 12; round++) {
        record_and_kill(&random, (uint32_t)(1 + np_random_below(&random, 3000)));
        cr_assert_eq(folder_count(folder, "-ring-"), 1);

        open_and_close();

        check_exactly_once(seed);
        teardown();
        setup();
    }
}

Test(recover, killed_while_it_brings_in_still_exactly_once, .timeout = 200)
{
    np_random random;
    const uint64_t seed = seed_of_test(&random);
    for (int round = 0; round < 8; round++) {
        record_and_kill(&random, (uint32_t)(500 + np_random_below(&random, 1500)));

        for (int i = 0; i < 3; i++) {
            const pid_t pid = start(open_and_close);
            for (uint64_t spins = np_random_below(&random, 8000000); spins > 0; spins--)
                __asm__ volatile("");
            kill_and_wait(pid);
        }
        open_and_close();

        check_exactly_once(seed);
        teardown();
        setup();
    }
}

Test(recover, many_programs_that_bring_in_at_once_do_it_once, .timeout = 200)
{
    np_random random;
    const uint64_t seed = seed_of_test(&random);
    record_and_kill(&random, 2000);

    pid_t pids[6];
    for (int i = 0; i < 6; i++)
        pids[i] = start(open_and_close);
    for (int i = 0; i < 6; i++) {
        int status;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert_eq(status, 0);
    }
    open_and_close();

    check_exactly_once(seed);
}

Test(recover, an_open_request_is_interrupted_and_keeps_its_phases)
{
    const pid_t pid = fork();
    if (pid == 0) {
        struct trace_builder *builder = trace_builder_open(path, NULL);
        trace_builder_add(
            builder,
            &(struct built_request){
                .path = "/slow", .unfinished = true, .phase_ns = {5, 0, 10, 20, 0, 0, 30, 40, 0}
        });
        raise(SIGKILL);
    }
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    sqlite3 *db;
    np_error err = {0};
    np_recovery recovery;
    cr_assert_eq(np_db_open(path, NP_DB_READ, 0, &db, &err), NP_OK, "%s", err.text);

    cr_assert_eq(np_recover_for_reading(path, db, &recovery, &err), NP_OK, "%s", err.text);

    np_db_close(db);
    cr_assert_eq(recovery.requests, 1);
    cr_assert_eq(recovery.rings, 1);
    cr_assert_eq(
        query_int(
            path,
            "SELECT count(*) FROM requests WHERE outcome = 'interrupted' AND queue_ns = 5 AND "
            "dns_ns = 10 AND connect_ns = 20"
            " AND send_ns = 30 AND wait_ns = 40 AND total_ns = 105 AND status IS NULL AND failed"),
        1);
    cr_assert_eq(
        query_int(path,
                  "SELECT count(*) FROM connections WHERE closed_ns IS NULL AND requests = 1"),
        1);
    cr_assert_eq(
        query_int(path, "SELECT count(*) FROM runs WHERE state = 'recovered' AND ended_ns > 0"), 1);
}

Test(recover, a_living_ring_is_left_alone)
{
    struct trace_builder *builder = trace_builder_open(path, NULL);
    trace_builder_add(builder, &(struct built_request){.unfinished = true, .phase_ns = {5}});
    sqlite3 *db;
    np_recovery recovery;
    cr_assert_eq(np_db_open(path, NP_DB_READ, 0, &db, NULL), NP_OK);

    cr_assert_eq(np_recover_for_reading(path, db, &recovery, NULL), NP_OK);

    np_db_close(db);
    cr_assert_eq(recovery.rings, 0);
    cr_assert_eq(recovery.foreign, 0);
    cr_assert_eq(folder_count(folder, "-ring-"), 1);
    trace_builder_close(builder);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests WHERE outcome = 'interrupted'"), 1);
}

Test(recover, a_ring_whose_file_is_gone_is_closed_and_its_long_requests_are_written)
{
    np_random random;
    (void)seed_of_test(&random);
    record_and_kill(&random, 3000);
    cr_assert_gt(query_int(path, "SELECT count(*) FROM running"), 0);
    const int64_t running = query_int(path, "SELECT count(*) FROM running");
    char command[600];
    (void)snprintf(command, sizeof command, "rm -f %s/*-ring-*", folder);
    cr_assert_eq(system(command), 0);

    open_and_close();

    cr_assert_eq(query_int(path, "SELECT count(*) FROM running"), 0);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request WHERE outcome = 4 AND run_id = 1"),
                 running);
    cr_assert_eq(query_int(path, "SELECT closed FROM ring WHERE id = 1"), 1);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM problems"), 0);
}

Test(recover, a_damaged_or_foreign_ring_is_left_alone_and_named)
{
    np_random random;
    (void)seed_of_test(&random);
    record_and_kill(&random, 100);
    char command[600];
    (void)snprintf(command, sizeof command, "for f in %s/*-ring-*; do printf garbage > $f; done",
                   folder);
    cr_assert_eq(system(command), 0);
    sqlite3 *db;
    np_recovery recovery;
    np_error err = {0};
    cr_assert_eq(np_db_open(path, NP_DB_WRITE, 0, &db, &err), NP_OK, "%s", err.text);

    cr_assert_eq(np_recover_all(path, db, &recovery, &err), NP_OK, "%s", err.text);

    np_db_close(db);
    cr_assert_eq(recovery.foreign, 1);
    cr_assert_not_null(strstr(recovery.foreign_file, "-ring-"));
    cr_assert_eq(folder_count(folder, "-ring-"), 1);
}

Test(recover, a_hostile_file_name_of_a_ring_is_not_followed)
{
    open_and_close();
    char victim[300];
    (void)snprintf(victim, sizeof victim, "%s/victim-ring-x", folder);
    FILE *file = fopen(victim, "w");
    cr_assert_not_null(file);
    fclose(file);
    (void)query_int(path, "INSERT INTO ring (process_id, thread, file, generation) VALUES (1, 1, "
                          "'../x-ring-y', 'abc'), (1, 1, 'victim-ring-x', 'abc')");
    sqlite3 *db;
    np_recovery recovery;
    cr_assert_eq(np_db_open(path, NP_DB_WRITE, 0, &db, NULL), NP_OK);

    cr_assert_eq(np_recover_all(path, db, &recovery, NULL), NP_OK);

    np_db_close(db);
    cr_assert_eq(recovery.foreign, 2);
    cr_assert_eq(access(victim, F_OK), 0);
}
