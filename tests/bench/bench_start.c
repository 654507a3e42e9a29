/*
 * How long a command of the read side takes from exec to exit, against `curl --version`, which does
 * nothing but load libcurl. Pairs of runs, in alternating order; the figure is the median of the
 * pairs' ratios.
 */
#include "bench.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PAIRS = 101 };

/* Runs a program with its output thrown away; returns wall ns from spawn to exit, 0 when it did not
 * end with 0. */
static uint64_t run_ns(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const uint64_t start = bench_now_ns();
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0)
        (void)waitpid(pid, &status, 0);
    const uint64_t end = bench_now_ns();
    posix_spawn_file_actions_destroy(&actions);
    return status == 0 ? end - start : 0;
}

static int compare(const char *name, char *const ours[], char *const theirs[], double goal)
{
    static bench_series ratios;
    ratios.count = 0;
    for (int i = 0; i < PAIRS; i++) {
        const int ours_first = i % 2;
        uint64_t a = ours_first ? run_ns(ours) : 0;
        const uint64_t b = run_ns(theirs);
        if (!ours_first)
            a = run_ns(ours);
        if (a && b)
            bench_add(&ratios, (double)a / (double)b);
    }
    return bench_line(name, BENCH_AT_MOST, goal, &ratios, "x");
}

int main(void)
{
    char folder[] = "/tmp/netphase-bench.XXXXXX";
    char trace[64];
    char program[1024];
    const char *bin = getenv("NP_BIN");
    if (!bin || !mkdtemp(folder)) {
        (void)fprintf(stderr, "bench_start: set NP_BIN to the folder of the program netphase\n");
        return 2;
    }
    (void)snprintf(program, sizeof program, "%s/netphase", bin);
    (void)snprintf(trace, sizeof trace, "%s/trace.db", folder);
    char *const record[] = {program, "record", "-q", "-o", trace, "http://127.0.0.1:1/", NULL};
    char *const report[] = {program, "report", trace, NULL};
    char *const show[] = {program, "show", trace, NULL};
    char *const curl[] = {"curl", "--version", NULL};
    int held = 0;
    if (!run_ns(record)) {
        (void)fprintf(stderr, "bench_start: no trace could be recorded into %s\n", trace);
    } else {
        held = compare("start: report / curl --version", report, curl, 0.5);
        held &= compare("start: show / curl --version", show, curl, 0.5);
    }
    (void)unlink(trace);
    (void)rmdir(folder);
    return held ? 0 : 1;
}
