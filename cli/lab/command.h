/*
 * Running a program in the lab: signals go to it, its exit status comes back, nothing it started
 * stays. Program netphase-lab; one thread.
 */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include "lab.h"
#include "verb.h"

#include <stdbool.h>

/* As env(1) and timeout(1) have them. */
enum { COMMAND_LAB_BROKEN = 125, COMMAND_NOT_EXECUTABLE = 126, COMMAND_NOT_FOUND = 127 };

/* Holds back the signals that end the lab, so that it can clean up. To be called before lab_start.
 */
void command_hold_signals(void);

/*
 * Runs argv (NULL at its end) in the lab's environment until it ends; whatever it left running is
 * ended then too.
 *
 * returns its exit status, 128 + N for signal N, or one of those above
 */
int command_run(const struct call *call, const struct lab *lab, char **argv, int stdout_fd);

/* Waits for a signal that ends the lab. Returns 0, or COMMAND_LAB_BROKEN when the servers ended by
 * themselves. */
int command_wait(const struct call *call, const struct lab *lab);

#endif
