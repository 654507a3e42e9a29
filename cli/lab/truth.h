/*
 * What a request to the lab should measure, from what the lab was told. Program netphase-lab.
 */
#ifndef LAB_TRUTH_H
#define LAB_TRUTH_H

#include "json.h"
#include "lab.h"

#include <stdint.h>

/* Expected phases of one request `GET https://origin.lab/` on a new connection, network time not
 * counted, in ns. */
struct truth {
    int64_t dns_ns; /* negative: no name is resolved (an answer is missing or says no) */
    int64_t connect_ns;
    int64_t tls_ns; /* without the processor time of the handshake */
    int64_t wait_ns;
    int64_t receive_ns;
    int64_t handshake_ns; /* that processor time, "c"; negative: it was not measured */
};

/*
 * Derives what is expected.
 *
 * body_bytes  of the answer
 */
struct truth truth_of(const struct lab_conditions *conditions, uint64_t body_bytes);

/*
 * Measures c: the median of full TLS handshakes with the lab's own origin, pauses between them,
 * less what the lab adds.
 *
 * count  handshakes, 1 … 100
 * returns ns, negative when a handshake does not succeed
 */
int64_t truth_measure_handshake(const struct lab *lab, int count);

/* Writes the document of --print-truth. */
void truth_print(struct json *json, const struct lab *lab, const struct truth *truth);

#endif
