/*
 * Who is in which call for how long: each call notes itself while it lasts, and a thread looks
 * whether one has been going on for longer than anything may. Then everything is printed and the
 * program aborts. For stress_operations.
 */
#ifndef NP_TESTS_OPERATIONS_WATCH_H
#define NP_TESTS_OPERATIONS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct doing {
    struct doing *next, **link;
    const char *what;
    unsigned subject; /* the number of a request; 0: none */
    uint64_t since_ns;
};

/* describe(): prints what is known of everything that is under way, on stderr. */
void watch_start(uint64_t seed, void (*describe)(void));
void watch_stop(void);

void doing_begin(struct doing *doing, const char *what, unsigned subject);
void doing_end(struct doing *doing);

/* Where it does not hold: prints it, the seed, and what everyone is doing, and aborts. */
void check(bool holds, const char *what, unsigned subject);

#endif
