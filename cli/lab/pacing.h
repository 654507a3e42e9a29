/*
 * When which bytes of a body may leave. Pure arithmetic, absolute times: a late piece does not
 * delay the next one. Program netphase-lab.
 */
#ifndef LAB_PACING_H
#define LAB_PACING_H

#include <stdint.h>

enum { PACING_LARGEST_PIECE = 16 * 1024 };

struct pacing {
    uint64_t start_ns; /* when the first byte of the response left */
    uint64_t total_bytes;
    uint64_t rate;       /* bytes a second; 0: no limit */
    uint64_t part_bytes; /* not 0: parts of this size, the first at start_ns, then every gap */
    uint64_t part_gap_ns;
};

/*
 * Where the piece that begins after `sent` bytes ends, and when it is due.
 *
 * sent    0 … total_bytes - 1
 * due_ns  [out] with a rate: when its last byte may leave, start + end / rate; with parts: the time
 * of the part, or that by the rate where it is later; else start_ns returns sent + 1 … total_bytes
 */
uint64_t pacing_next(const struct pacing *pacing, uint64_t sent, uint64_t *due_ns);

/* When the last byte leaves. */
uint64_t pacing_end_ns(const struct pacing *pacing);

#endif
