/*
 * Fills a trace with any number of requests through the collector's own path (ring, assembly,
 * writer, chunks): some 3 us each. For benchmarks of reading. Everything follows from the seed;
 * failures end the program with a message.
 */
#ifndef TRACE_FILL_H
#define TRACE_FILL_H

#include <stdint.h>

/* Makes a trace at `path` with `requests` requests, 2 % of them on new connections, 1,000 paths, 1
 * % with status 500 and more, durations with a long tail. A file there that has as many is kept. */
void trace_fill(const char *path, uint64_t requests, uint64_t seed);

#endif
