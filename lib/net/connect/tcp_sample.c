/* Readings of TCP in the trace. Floor 2; loop thread only. See tcp_sample.h. */
#include "tcp_sample.h"

static uint64_t at_most(uint64_t value, unsigned bits)
{
    const uint64_t most = (UINT64_C(1) << bits) - 1;
    return value < most ? value : most;
}

void np_tcp_sample_emit(np_producer *producer, uint32_t request, uint32_t connection,
                        np_phase phase, uint64_t now_ns, const np_tcp_reading *r)
{
    if (!producer || request == 0)
        return;
    np_emit(producer, &(np_event){
                          .time_ns = now_ns,
                          .request = request,
                          .connection = connection,
                          .type = NP_EVENT_TCP,
                          .source = NP_SOURCE_KERNEL,
                          .word = {(uint64_t)phase | (uint64_t)r->rtt_us << 32,
                                   (uint64_t)r->min_rtt_us | (uint64_t)r->retransmits << 32,
                                   (uint64_t)r->unacked | (uint64_t)r->unsent_bytes << 32,
                                   (uint64_t)r->window | at_most(r->delivery_rate / 1000, 32) << 32,
                                   at_most(r->busy_us / 1000, 24) |
                                       at_most(r->receiver_limited_us / 1000, 20) << 24 |
                                       at_most(r->buffer_limited_us / 1000, 20) << 44}
    });
}
