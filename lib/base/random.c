/* A seeded generator and bytes from the kernel. Floor 0; a generator belongs to one thread, the
   rest is for any thread. The generator is xoshiro256** by Blackman and Vigna, seeded through
   splitmix64 as they advise. */
#include "random.h"

#include "clock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void np_random_seed(np_random *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        r->s[i] = z ^ z >> 31;
    }
}

uint64_t np_random_next(np_random *r)
{
    const uint64_t result = rotate_left(r->s[1] * 5, 7) * 9;
    const uint64_t t = r->s[1] << 17;
    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = rotate_left(r->s[3], 45);
    return result;
}

uint64_t np_random_below(np_random *r, uint64_t limit)
{
    /* Values below 2^64 mod limit would make the small results a little likelier. */
    const uint64_t unfair = (0 - limit) % limit;
    for (;;) {
        const uint64_t value = np_random_next(r);
        if (value >= unfair)
            return value % limit;
    }
}

void np_random_bytes(void *out, size_t size)
{
    unsigned char *at = out;
    while (size > 0) {
        const ssize_t got = getrandom(at, size, 0);
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        } else if (errno != EINTR) {
            break;
        }
    }
    if (size == 0)
        return;

    /* A sandbox without the system call: ids still have to differ, nothing here is a secret. */
    np_random r;
    np_random_seed(&r, np_now() ^ (uint64_t)np_now_unix() << 20 ^ (uint64_t)getpid() << 44 ^
                           (uintptr_t)out);
    for (; size > 0; size--)
        *at++ = (unsigned char)(np_random_next(&r) >> 56);
}

void np_random_uuid(char out[37])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    np_random_bytes(bytes, sizeof bytes);
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* RFC 9562: version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* … and variant 10 */

    char *at = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at = '\0';
}
