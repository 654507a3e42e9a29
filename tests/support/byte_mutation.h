/* Damages bytes in the ways a network or an attacker does: flips, cuts, repeats, insertions. Header
 * only. */
#ifndef TEST_BYTE_MUTATION_H
#define TEST_BYTE_MUTATION_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct mutation {
    uint64_t seed; /* print it with a failure; the variable given to mutation_start repeats it */
    uint64_t state;
};

static inline struct mutation mutation_start(const char *seed_variable)
{
    const char *given = getenv(seed_variable);
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U;
    return (struct mutation){seed, seed};
}

/* splitmix64 */
static inline uint64_t mutation_next(struct mutation *mutation)
{
    uint64_t z = mutation->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Damages bytes[length] with room for `size`; returns the new length, 0 … size. */
static inline size_t mutate(struct mutation *mutation, uint8_t *bytes, size_t length, size_t size)
{
    for (uint64_t left = 1 + mutation_next(mutation) % 4; left > 0; left--) {
        uint64_t dice = mutation_next(mutation);
        size_t at = length ? (size_t)(dice >> 8) % length : 0;
        switch (dice % 6) {
        case 0: /* one bit */
            if (length)
                bytes[at] ^= (uint8_t)(1U << (dice >> 40) % 8);
            break;
        case 1: /* one byte */
            if (length)
                bytes[at] = (uint8_t)(dice >> 40);
            break;
        case 2: /* the end is missing */
            length = at;
            break;
        case 3: /* one byte more */
            if (length < size) {
                memmove(bytes + at + 1, bytes + at, length - at);
                bytes[at] = (uint8_t)(dice >> 40);
                length++;
            }
            break;
        case 4: /* a part twice */
            if (length - at <= size - length) {
                memmove(bytes + length, bytes + at, length - at);
                length += length - at;
            }
            break;
        case 5: /* an extreme */
            if (length)
                bytes[at] = dice >> 40 & 1 ? 0xff : 0;
            break;
        }
    }
    return length;
}

#endif
