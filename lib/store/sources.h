/*
 * Where the ends of phases usually come from, by mode: `request.sources` is NULL where every phase
 * that is present has just that. Floor 2; pure. The numbers are part of the format: a trace that
 * has NULL means these.
 */
#ifndef NP_STORE_SOURCES_H
#define NP_STORE_SOURCES_H

#include "event.h"

#define NP_SOURCE_BYTES 9 /* the end of queue … the end of receive */

/* High half np_source, low half uncertainty. */
static inline uint8_t np_usual_source(int mode, int phase)
{
    static const uint8_t library[NP_SOURCE_BYTES] = {
        [NP_PHASE_QUEUE] = NP_SOURCE_CALL << 4,       [NP_PHASE_PROXY] = NP_SOURCE_CALL << 4,
        [NP_PHASE_DNS] = NP_SOURCE_CALLBACK << 4,     [NP_PHASE_CONNECT] = NP_SOURCE_SYSCALL << 4,
        [NP_PHASE_TUNNEL] = NP_SOURCE_CALLBACK << 4,  [NP_PHASE_TLS] = NP_SOURCE_CALLBACK << 4,
        [NP_PHASE_SEND] = NP_SOURCE_CALLBACK << 4,    [NP_PHASE_WAIT] = NP_SOURCE_CALLBACK << 4,
        [NP_PHASE_RECEIVE] = NP_SOURCE_CALLBACK << 4,
    };
    (void)mode; /* one mode so far: library */
    return phase >= 0 && phase < NP_SOURCE_BYTES ? library[phase] : 0;
}

#endif
