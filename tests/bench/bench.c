/* What the benchmarks share; see bench.h. */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_add(bench_series *series, double value)
{
    if (series->count < BENCH_SAMPLES)
        series->value[series->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sorted(const bench_series *series, double out[BENCH_SAMPLES])
{
    memcpy(out, series->value, series->count * sizeof out[0]);
    qsort(out, series->count, sizeof out[0], by_value);
}

double bench_median(const bench_series *series)
{
    double value[BENCH_SAMPLES];
    if (series->count == 0)
        return 0;
    sorted(series, value);
    const size_t middle = series->count / 2;
    return series->count % 2 ? value[middle] : (value[middle - 1] + value[middle]) / 2;
}

int bench_line(const char *name, bench_goal kind, double goal, const bench_series *series,
               const char *unit)
{
    double value[BENCH_SAMPLES];
    char wanted[32] = "-";
    if (series->count == 0) {
        printf("%-46s no figure\n", name);
        return 0;
    }
    sorted(series, value);
    const double median = bench_median(series);
    const int holds =
        kind == BENCH_NO_GOAL || (kind == BENCH_AT_MOST ? median <= goal : median >= goal);
    if (kind != BENCH_NO_GOAL)
        (void)snprintf(wanted, sizeof wanted, "%s %.2f", kind == BENCH_AT_MOST ? "<=" : ">=", goal);
    printf("%-46s goal %-9s %8.3f %s [%.3f..%.3f]  %s\n", name, wanted, median, unit, value[0],
           value[series->count - 1],
           kind == BENCH_NO_GOAL ? ""
           : holds               ? "ok"
                                 : "MISSED");
    (void)fflush(stdout);
    return holds;
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_process_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
