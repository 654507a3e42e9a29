/* See operations_watch.h. */
#include "operations_watch.h"
#include "clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Nothing that is asked of the library may take longer than some 60 ms by itself; the rest is for
 * valgrind on a machine that is busy with other things. */
enum { LONGEST_S = 120, LOOK_MS = 200 };

static struct {
    pthread_mutex_t lock;
    struct doing *first;
    pthread_t thread;
    pthread_cond_t woken;
    bool stopping;
    uint64_t seed;
    void (*describe)(void);
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

void doing_begin(struct doing *doing, const char *what, unsigned subject)
{
    *doing = (struct doing){.what = what, .subject = subject, .since_ns = np_now()};
    pthread_mutex_lock(&watch.lock);
    doing->next = watch.first;
    doing->link = &watch.first;
    if (doing->next)
        doing->next->link = &doing->next;
    watch.first = doing;
    pthread_mutex_unlock(&watch.lock);
}

void doing_end(struct doing *doing)
{
    pthread_mutex_lock(&watch.lock);
    *doing->link = doing->next;
    if (doing->next)
        doing->next->link = doing->link;
    pthread_mutex_unlock(&watch.lock);
}

/* The lock is held and stays so: nobody goes on from here. */
_Noreturn static void tell_all(void)
{
    const uint64_t now_ns = np_now();
    for (const struct doing *doing = watch.first; doing; doing = doing->next)
        fprintf(stderr, "  %.1f s in %s of request %u\n",
                (double)(now_ns - doing->since_ns) / (double)NP_NS_PER_S, doing->what,
                doing->subject);
    if (watch.describe)
        watch.describe();
    fprintf(stderr, "repeat it with: stress_operations OPERATIONS %llu\n",
            (unsigned long long)watch.seed);
    abort();
}

void check(bool holds, const char *what, unsigned subject)
{
    if (holds)
        return;
    pthread_mutex_lock(&watch.lock);
    fprintf(stderr, "stress_operations: %s (request %u, seed %llu)\n", what, subject,
            (unsigned long long)watch.seed);
    tell_all();
}

static void *look_again_and_again(void *unused)
{
    pthread_mutex_lock(&watch.lock);
    while (!watch.stopping) {
        const uint64_t now_ns = np_now();
        for (const struct doing *doing = watch.first; doing; doing = doing->next)
            if (now_ns > doing->since_ns &&
                now_ns - doing->since_ns > LONGEST_S * (uint64_t)NP_NS_PER_S) {
                fprintf(stderr, "stress_operations: somebody waits for ever (seed %llu)\n",
                        (unsigned long long)watch.seed);
                tell_all();
            }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * (long)NP_NS_PER_MS;
        until.tv_sec += until.tv_nsec / (long)NP_NS_PER_S;
        until.tv_nsec %= (long)NP_NS_PER_S;
        (void)pthread_cond_timedwait(&watch.woken, &watch.lock, &until);
    }
    pthread_mutex_unlock(&watch.lock);
    return unused;
}

void watch_start(uint64_t seed, void (*describe)(void))
{
    watch.seed = seed;
    watch.describe = describe;
    pthread_cond_init(&watch.woken, NULL);
    if (pthread_create(&watch.thread, NULL, look_again_and_again, NULL) != 0)
        abort();
}

void watch_stop(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.stopping = true;
    pthread_cond_signal(&watch.woken);
    pthread_mutex_unlock(&watch.lock);
    pthread_join(watch.thread, NULL);
    pthread_cond_destroy(&watch.woken);
}
