/* A seeded generator (xoshiro256**, public domain algorithm) for tests and sampling, and bytes from
 * the kernel for ids. Floor 0. */
#ifndef NP_BASE_RANDOM_H
#define NP_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct np_random {
    uint64_t s[4];
} np_random;

void np_random_seed(np_random *r, uint64_t seed);
uint64_t np_random_next(np_random *r);
uint64_t np_random_below(np_random *r, uint64_t limit); /* 0 … limit - 1, unbiased; limit > 0 */

void np_random_bytes(void *out, size_t size); /* getrandom(2) */
void np_random_uuid(char out[37]);            /* version 4, text */

#endif
