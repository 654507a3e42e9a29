/* A ring and its producer for tests, and what was pushed into it: spans and phases, put together. */
#ifndef NP_TEST_RECORDING_H
#define NP_TEST_RECORDING_H

#include "producer.h"

enum { RECORDED_EVENTS = 4096 };

struct recording {
    char path[64];
    np_ring *ring;
    np_producer producer;
    np_event events[RECORDED_EVENTS];
    size_t count;
};

struct recorded_span {
    uint32_t number, parent, request;
    int kind, phase;
    uint64_t begin_ns, end_ns; /* end 0: still open */
    int outcome;               /* -1: still open */
    char name[300], detail[1024];
};

void recording_init(struct recording *r);
void recording_done(struct recording *r);
/* Reads what has been pushed so far; after the loop has stopped. */
void recording_read(struct recording *r);

/* Those of a kind, in order of their begin; kind -1: all. */
size_t recording_spans(const struct recording *r, int kind, struct recorded_span *out, size_t max);
/* "dns connect": the phases in order of their begin; '!' behind one that was not ended. */
const char *recording_phases(const struct recording *r, uint32_t request, char *out, size_t size);
/* The time of the first begin or end (NP_EVENT_PHASE_…) of a phase, 0: there is none. */
uint64_t recording_phase_at(const struct recording *r, uint32_t request, np_phase phase, int type);

#endif
