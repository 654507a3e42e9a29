/* What the requests of stress_request.c go to: an engine that answers at random, or a server on
 * loopback. */
#ifndef STRESS_TARGET_H
#define STRESS_TARGET_H

#include <stddef.h>
#include <stdint.h>

void target_start(uint64_t seed);
void target_stop(void);
/* A URL to ask for; `dice` is any number. */
void target_url(uint64_t dice, char *out, size_t size);

#endif
