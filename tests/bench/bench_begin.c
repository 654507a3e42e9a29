/*
 * What np_request_begin_get_response costs its caller, in each of five circumstances
 * (begin_rig.h): processor time of the calling thread, and wall time against the least any
 * hand-over to another thread takes, a lock and a write to an eventfd that the thread waits for.
 * One call of each in turn; beside what a clock around the call says stands what the trace says of
 * the same calls (`caller_blocked`).
 *
 *   bench_begin [CALLS]     in each circumstance; 100,000
 */
#include "begin_rig.h"
#include "bench.h"
#include "testdir.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 10, DEFAULT_CALLS = 100000 };

static size_t calls; /* of a circumstance */

/* of all calls in their order: each[calls]; a tenth of them is a round */
struct cost {
    int64_t *cpu_ns, *wall_ns;
};

static int64_t *room_for(size_t count)
{
    int64_t *values = calloc(count, sizeof *values);
    if (!values)
        exit(2);
    return values;
}

/* --- lock and wake-up --- */

struct bare {
    pthread_mutex_t lock;
    int fd;
    int posted; /* -1: the end */
};

static void *bare_thread(void *argument)
{
    struct bare *bare = argument;
    for (int posted = 0; posted >= 0;) {
        uint64_t count;
        if (read(bare->fd, &count, sizeof count) < 0 && errno != EINTR)
            break;
        pthread_mutex_lock(&bare->lock);
        posted = bare->posted;
        pthread_mutex_unlock(&bare->lock);
    }
    return NULL;
}

static void bare_post(struct bare *bare, int value)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&bare->lock);
    bare->posted = value;
    pthread_mutex_unlock(&bare->lock);
    if (write(bare->fd, &one, sizeof one) < 0)
        exit(2);
}

static void bare_start(struct bare *bare, pthread_t *thread)
{
    *bare = (struct bare){.lock = PTHREAD_MUTEX_INITIALIZER, .fd = eventfd(0, EFD_CLOEXEC)};
    if (bare->fd < 0 || pthread_create(thread, NULL, bare_thread, bare) != 0)
        exit(2);
}

static void bare_stop(struct bare *bare, pthread_t thread)
{
    bare_post(bare, -1);
    pthread_join(thread, NULL);
    close(bare->fd);
}

static void bare_call(struct bare *bare, int64_t *wall_ns, int64_t *cpu_ns)
{
    /* as before a begin: so that the other thread sleeps again */
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    const uint64_t cpu = bench_thread_cpu_ns(), wall = bench_now_ns();
    bare_post(bare, 0);
    *wall_ns = (int64_t)(bench_now_ns() - wall);
    *cpu_ns = (int64_t)(bench_thread_cpu_ns() - cpu);
}

/* One and the other in turn: what the machine does meanwhile, it does to both. */
static void measure_both(struct begin_rig *rig, struct cost *begin, struct cost *bare)
{
    pthread_t thread;
    struct bare waker;
    bare_start(&waker, &thread);
    for (size_t i = 0; i < calls; i++) {
        uint64_t wall_ns, cpu_ns;
        begin_rig_call(rig, &wall_ns, &cpu_ns);
        begin->wall_ns[i] = (int64_t)wall_ns;
        begin->cpu_ns[i] = (int64_t)cpu_ns;
        bare_call(&waker, &bare->wall_ns[i], &bare->cpu_ns[i]);
    }
    bare_stop(&waker, thread);
}

/* --- figures --- */

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* values[count] sorted */
static double at_us(const int64_t *values, size_t count, double p)
{
    return (double)values[(size_t)(p * (double)(count - 1))] / 1000;
}

static double round_at_us(const int64_t *values, size_t from, size_t count, double p)
{
    int64_t *sorted = room_for(count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = values[from + i];
    qsort(sorted, count, sizeof *sorted, compare);
    const double figure = at_us(sorted, count, p);
    free(sorted);
    return figure;
}

static void print_row(const char *what, int64_t *values, size_t count)
{
    if (count == 0)
        return;
    qsort(values, count, sizeof *values, compare);
    printf("    %-34s %8.2f %8.2f %8.2f %8.2f %10.2f\n", what, at_us(values, count, 0.5),
           at_us(values, count, 0.99), at_us(values, count, 0.999), at_us(values, count, 0.9999),
           at_us(values, count, 1));
}

/* The trace beside the clock: of the calls that it knows of. It does not where a request was over
 * before its begin call had come back. */
static void print_trace(const char *path, const struct cost *begin)
{
    int64_t *trace_ns = room_for(calls), *difference_ns = room_for(calls);
    const size_t found = begin_rig_blocked(path, trace_ns, calls);
    size_t known = 0;
    for (size_t i = 0; i < calls && i < found; i++) {
        if (trace_ns[i] < 0)
            continue;
        difference_ns[known] = begin->wall_ns[i] - trace_ns[i];
        trace_ns[known++] = trace_ns[i];
    }
    print_row("wall, caller_blocked of the trace", trace_ns, known);
    print_row("  clock around minus trace", difference_ns, known);
    printf("    %zu requests in the trace, caller_blocked of %zu\n", found, known);
    free(trace_ns);
    free(difference_ns);
}

static int measure(enum begin_condition condition, const char *path)
{
    const size_t a_round = calls / ROUNDS;
    struct cost begin = {room_for(calls), room_for(calls)},
                bare = {room_for(calls), room_for(calls)};
    bench_series cpu = {.count = 0}, cpu_ratio = {.count = 0}, wall_ratio = {.count = 0};
    struct begin_rig *rig = begin_rig_start(condition, path);
    measure_both(rig, &begin, &bare);
    begin_rig_stop(rig);
    for (size_t from = 0; from < calls; from += a_round) {
        bench_add(&cpu, round_at_us(begin.cpu_ns, from, a_round, 0.999));
        bench_add(&cpu_ratio, round_at_us(begin.cpu_ns, from, a_round, 0.5) /
                                  round_at_us(bare.cpu_ns, from, a_round, 0.5));
        bench_add(&wall_ratio, round_at_us(begin.wall_ns, from, a_round, 0.999) /
                                   round_at_us(bare.wall_ns, from, a_round, 0.999));
    }

    printf("begin, %s: %zu calls\n    %-34s %8s %8s %8s %8s %10s\n",
           begin_condition_names[condition], calls, "us", "p50", "p99", "p99.9", "p99.99", "most");
    print_trace(path, &begin); /* before the rows below are sorted */
    print_row("wall, a clock around the call", begin.wall_ns, calls);
    print_row("wall, lock + eventfd", bare.wall_ns, calls);
    print_row("own CPU", begin.cpu_ns, calls);
    print_row("own CPU, lock + eventfd", bare.cpu_ns, calls);
    const int cpu_ok = bench_line("  own CPU, p99.9", BENCH_AT_MOST, 50, &cpu, "us");
    (void)bench_line("  own CPU, p50 / lock + eventfd", BENCH_NO_GOAL, 0, &cpu_ratio, "x");
    const int wall_ok =
        bench_line("  wall, p99.9 / lock + eventfd", BENCH_AT_MOST, 1.5, &wall_ratio, "x");
    free(begin.cpu_ns);
    free(begin.wall_ns);
    free(bare.cpu_ns);
    free(bare.wall_ns);
    return cpu_ok && wall_ok;
}

int main(int count, char **arguments)
{
    int good = 1;
    np_testdir folder;
    const long wanted = count > 1 ? atol(arguments[1]) : DEFAULT_CALLS;
    if (wanted < ROUNDS) {
        fprintf(stderr, "bench_begin: expected a number of calls of %d and more\n", ROUNDS);
        return 2;
    }
    calls = (size_t)wanted / ROUNDS * ROUNDS;
    testdir_make(&folder);
    for (int i = 0; i < BEGIN_CONDITIONS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.db", i);
        good = measure((enum begin_condition)i, testdir_path(&folder, name)) && good;
    }
    testdir_remove(&folder);
    return good ? 0 : 1;
}
