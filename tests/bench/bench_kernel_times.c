/*
 * What asking the kernel costs: GETs of 59 bytes one after the other, on a kept connection and on a
 * fresh one each, with every np_kernel_times. Prints processor time of the loop's thread; that is
 * noisy by more than the difference, so for a profiler one of them:
 *
 *   valgrind --tool=callgrind bench_kernel_times MODE fresh|kept REQUESTS   (MODE: 0 auto, 1
 * always, strace -f -c                                                             2 never, 3
 * untraced)
 *
 * The difference of two runs with different REQUESTS is that of the requests alone.
 */
#include "bench.h"
#include "clock.h"
#include "engine_rig.h"
#include "nginx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { UNTRACED = 3, MODES, WARM_UP = 20, REQUESTS = 1000, ROUNDS = 5 };

static void read_processor_time(struct rig *rig, void *user)
{
    (void)rig;
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    *(double *)user = (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool run_requests(struct rig *rig, const char *url, bool fresh, int count)
{
    bool good = true;
    for (int i = 0; i < count && good; i++) {
        struct rig_request request = {.url = url, .reuse = fresh ? NP_REUSE_FRESH : NP_REUSE_ANY};
        good = rig_run(rig, &request, 1) && request.status == 200;
    }
    return good;
}

/* us a request; 0: it failed. */
static double run(uint16_t port, int mode, bool fresh, int count)
{
    static struct rig rig;
    char url[64];
    double begin_us = 0, end_us = 0;
    const np_engine_options options = {.kernel_times = mode < UNTRACED ? (np_kernel_times)mode
                                                                       : NP_KERNEL_TIMES_AUTO};
    memset(&rig, 0, sizeof rig);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/small", port);
    if (!rig_open(&rig, &options, NULL, 0, mode != UNTRACED))
        return 0;
    rig.producer.detail = NP_DETAIL_SPANS; /* as a trace has it by default */
    bool good = run_requests(&rig, url, fresh, WARM_UP);
    rig_call(&rig, read_processor_time, &begin_us);
    good = good && run_requests(&rig, url, fresh, count);
    rig_call(&rig, read_processor_time, &end_us);
    rig_close(&rig);
    return good ? (end_us - begin_us) / count : 0;
}

static int compare_values(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool compare(uint16_t port, bool fresh)
{
    static const char *const names[] = {"auto", "always", "never", "untraced"};
    double us[MODES][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (int mode = 0; mode < MODES; mode++)
            if ((us[mode][round] = run(port, mode, fresh, REQUESTS)) <= 0)
                return false;
    for (int mode = 0; mode < MODES; mode++) {
        qsort(us[mode], ROUNDS, sizeof us[mode][0], compare_values);
        printf("%s connection, kernel times %s: %.1f us of processor time a request\n",
               fresh ? "fresh" : "kept", names[mode], us[mode][ROUNDS / 2]);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct nginx nginx;
    if (!nginx_start(&nginx, &(struct nginx_options){0})) {
        (void)printf("SKIPPED: %s\n", nginx.why);
        return 0;
    }
    bool good;
    if (argc == 4)
        good = run(nginx.http_port, (int)strtol(argv[1], NULL, 10), strcmp(argv[2], "fresh") == 0,
                   (int)strtol(argv[3], NULL, 10)) > 0;
    else
        good = compare(nginx.http_port, false) && compare(nginx.http_port, true);
    nginx_stop(&nginx);
    return good ? 0 : 1;
}
