/* The servers that stress_operations makes its requests to: one for each thing that a server can do
 * to a client. */
#ifndef NP_TESTS_OPERATIONS_TARGET_H
#define NP_TESTS_OPERATIONS_TARGET_H

#include "random.h"
#include <stddef.h>

struct target {
    const char *name;
    const char *script; /* NULL: nobody is there, or does not answer */
    unsigned weight;
};

void targets_start(void); /* aborts where one cannot be started */
void targets_stop(void);
void targets_remove(void); /* what they left on the disk; at the end */

const struct target *target_choose(np_random *random);
void target_url(const struct target *target, char *out, size_t size);
const char *targets_dns(void); /* the name server to ask, "ADDR:PORT" */

#endif
