/* Requests go to an engine that answers at random. */
#include "fake_engine.h"
#include "stress_target.h"
#include <stdio.h>

void target_start(uint64_t seed)
{
    fake_automatic(seed);
}

void target_stop(void)
{
}

void target_url(uint64_t dice, char *out, size_t size)
{
    snprintf(out, size, "http://example.test/%llu", (unsigned long long)dice);
}
