/*
 * What the benchmarks share: samples of a ratio from interleaved rounds, and the one line that says
 * how it went:
 *
 *     emit: clock + store                     goal <= 1.20     1.08 [1.05..1.17]  ok
 *
 * Only ratios are judged, by their median; the range shows how much the machine moved meanwhile.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_SAMPLES = 512 };

typedef struct bench_series {
    double value[BENCH_SAMPLES];
    size_t count;
} bench_series;

void bench_add(bench_series *series, double value); /* beyond BENCH_SAMPLES: ignored */
double bench_median(const bench_series *series);    /* 0 when empty */

typedef enum bench_goal { BENCH_AT_MOST, BENCH_AT_LEAST, BENCH_NO_GOAL } bench_goal;

/* Prints the line and returns whether the goal holds (true where there is none). unit: "", "us",
 * "bytes", "x". */
int bench_line(const char *name, bench_goal kind, double goal, const bench_series *series,
               const char *unit);

uint64_t bench_now_ns(void);         /* CLOCK_MONOTONIC */
uint64_t bench_thread_cpu_ns(void);  /* CLOCK_THREAD_CPUTIME_ID */
uint64_t bench_process_cpu_ns(void); /* CLOCK_PROCESS_CPUTIME_ID */

#endif
